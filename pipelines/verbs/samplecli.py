"""``sinks sample``: options in, tables out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipelines.samples.sampledesign import Design
    from pipelines.samples.samples import Result
    from sinks.sampling import SampleEstimate


def commands(answers: Callable[..., Any], group: type[click.Group] = click.Group) -> click.Group:
    """The verbs as a group. answers : turns the project's errors into a sentence and an exit code."""

    @click.group("sample", cls=group)
    def sample() -> None:
        """Area by reference sample: draw points on a run's map, and read their labels back.

        \b
        sinks sample design result --size 500 --out sample.gpkg
        (fill in the column 'reference' in QGIS or in the field)
        sinks sample estimate result sample.gpkg --out sample
        """

    sample.add_command(_design(answers))
    sample.add_command(_estimate(answers))
    return sample


def _design(answers: Callable[..., Any]) -> click.Command:
    @click.command("design")
    @click.argument("run", type=click.Path(path_type=Path))
    @click.option("--stratify", help="Which classes are strata: ecosystem, forest_type or forest; of a change class_change or "
                  "process.  [the first]")  # fmt: skip
    @click.option("--size", type=int, help="Number of points.")
    @click.option("--target-se", type=float, metavar="PCT",
                  help="Size for this standard error of overall accuracy, in percent.  [1]")  # fmt: skip
    @click.option("--allocation", type=click.Choice(["proportional", "equal", "neyman"]), default="proportional",
                  show_default=True, help="How points are shared among strata; neyman is best for forest.")  # fmt: skip
    @click.option("--minimum", type=int, default=50, show_default=True, help="Fewest points of a stratum.")
    @click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same points.")
    @click.option(
        "--guess", multiple=True, metavar="CLASS=UA", help="Expected user's accuracy, e.g. forest=0.9.  [0.8]"
    )
    @click.option("--blind", is_flag=True, help="Hide map class and stratum from the interpreter.")
    @click.option("--overwrite", is_flag=True, help="Write over a file that is there.")
    @click.option("--out", type=click.Path(path_type=Path), default=Path("sample.gpkg"), show_default=True,
                  help="GeoPackage to write.")  # fmt: skip
    @answers
    def design(
        run: Path, stratify: str | None, size: int | None, target_se: float | None, allocation: str, minimum: int, seed: int,
        guess: tuple[str, ...], blind: bool, overwrite: bool, out: Path,
    ) -> None:  # fmt: skip
        """Draw a stratified random sample of a run's map, for photo-interpretation or the field.

        \b
        sinks sample design result --target-se 1 --guess forest=0.9 --out sample.gpkg
        """
        from pipelines.samples import sampledesign

        found = sampledesign.design(
            run, stratify=stratify, size=size, target_se=target_se, how=allocation, minimum=minimum, seed=seed,
            guess=_guesses(guess),
        )  # fmt: skip
        sampledesign.write_design(found, out, blind=blind, overwrite=overwrite)
        click.echo(design_text(found))
        click.echo(
            f"\nWritten to {out}. Fill in 'reference' (labels: layer 'classes'), then:  sinks sample estimate {run} {out}"
        )

    return design


def _guesses(given: tuple[str, ...]) -> dict[str, float]:
    from sinks.errors import InputError

    found = {}
    for each in given:
        label, _, value = each.partition("=")
        try:
            found[label.strip()] = float(value)
        except ValueError:
            raise InputError(f"--guess is '{each}'; write CLASS=UA, e.g. forest=0.9") from None
        if not 0 <= found[label.strip()] <= 1:
            raise InputError(f"--guess is '{each}'; a user's accuracy lies between 0 and 1")
    return found


def _estimate(answers: Callable[..., Any]) -> click.Command:
    @click.command("estimate")
    @click.argument("run", type=click.Path(path_type=Path))
    @click.argument("sample", type=click.Path(path_type=Path))
    @click.option("--column", default="reference", show_default=True, help="Column of reference labels.")
    @click.option("--design", type=click.Choice(["stratified", "poststratified", "random"]), default="stratified",
                  show_default=True, help="How the points were drawn.")  # fmt: skip
    @click.option("--classes", "level", default="auto", show_default=True,
                  help="ecosystem, forest_type or forest; of a change class_change or process.")  # fmt: skip
    @click.option(
        "--forest", metavar="CLASSES", help="What counts as forest, e.g. forest,mangrove,shrubland=0.43.  [the run's]"
    )
    @click.option("--target", "targets", type=float, multiple=True, metavar="PCT",
                  help="Coverage to reach, in percent.  [the scorecard's]")  # fmt: skip
    @click.option("--strata", type=click.Path(path_type=Path), help="Areas of your own strata (CSV: stratum, area_ha).")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--out", type=click.Path(path_type=Path), help="Folder for tables.  [none are written]")
    @answers
    def estimate(
        run: Path, sample: Path, column: str, design: str, level: str, forest: str | None, targets: tuple[float, ...],
        strata: Path | None, as_json: bool, out: Path | None,
    ) -> None:  # fmt: skip
        """Areas with intervals, accuracy, coverage, volume and carbon from a labelled sample.

        SAMPLE is a file of points: what 'sinks sample design' wrote, any other vector file, or a CSV with lon and lat (or x
        and y of the map). The map's class is read at every point.

        \b
        sinks sample estimate result sample.gpkg --out sample
        sinks sample estimate result plots.csv --column landcover --design random
        """
        from pipelines.samples import changemap, samples

        if changemap.is_change(run):
            _of_change(run, sample, column, level, as_json, out)
            return
        found = samples.estimate(
            run, sample, column=column, design=design, level=level, forest=forest, targets=targets, strata=strata
        )
        click.echo(json.dumps(found.summary, indent=2, ensure_ascii=False) if as_json else result_text(found))
        if out is not None:
            for path in samples.write_result(found, out):
                click.echo(f"Written: {path}", err=as_json)

    return estimate


def _of_change(run: Path, sample: Path, column: str, level: str, as_json: bool, out: Path | None) -> None:
    """The same of a change: areas of processes."""
    from pipelines.samples import changesample

    told = changesample.estimate(run, sample, column=column, level="class_change" if level == "auto" else level)
    rows = json.loads(told.carbon.to_json(orient="records"))
    click.echo(json.dumps({"processes": rows, "notes": told.notes}, indent=2, ensure_ascii=False) if as_json
               else changesample.text(told))  # fmt: skip
    if out is not None:
        for path in changesample.write_result(told, out):
            click.echo(f"Written: {path}", err=as_json)


# ------------------------------------------------------------------------------------------ for the screen


def design_text(found: Design) -> str:
    """Strata with their areas and points."""
    wide = max(len("stratum"), *(len(s.name) for s in found.strata))
    lines = [f"{'stratum':{wide}}  {'area ha':>16}  {'share':>7}  {'points':>6}  holds"]
    total = sum(s.area_ha for s in found.strata)
    for s in found.strata:
        holds = "" if s.members == (s.name,) else ", ".join(s.members)
        lines.append(f"{s.name:{wide}}  {s.area_ha:16,.1f}  {s.area_ha / total:7.2%}  {s.n:6d}  {holds}".rstrip())
    lines.append(f"{'together':{wide}}  {total:16,.1f}  {1:7.2%}  {sum(s.n for s in found.strata):6d}")
    return "\n".join(lines)


def result_text(found: Result) -> str:
    """Classes, error matrix, coverage, volume and carbon, notes."""
    e, s = found.estimate, found.summary
    wide = max(len("class"), *(len(c) for c in e.classes))
    lines = [
        f"{s['points']} points, {s['design']} design, {len(e.strata)} strata, {e.total_ha:,.1f} ha; intervals of 95 %",
        "",
        f"{'class':{wide}}  {'mapped ha':>14}  {'corrected ha':>14}  {'±':>12}  {'user':>13}  {'producer':>13}",
    ]
    for k, label in enumerate(e.classes):
        if label == "unknown":  # of the map alone
            lines.append(f"{label:{wide}}  {e.mapped_area_ha[k]:14,.1f}  {'-':>14}  {'-':>12}  {'-':>13}  {'-':>13}")
            continue
        area, users, producers = e.area(label), e.users(label), e.producers(label)
        lines.append(
            f"{label:{wide}}  {e.mapped_area_ha[k]:14,.1f}  {area.value:14,.1f}  {area.half_width():12,.1f}  "
            f"{_accuracy(users):>13}  {_accuracy(producers):>13}"
        )
    lines += ["", f"Overall accuracy {_accuracy(e.overall)}", "", "Points, map class (rows) by reference (columns):"]
    lines += _matrix(e, wide)
    lines += ["", *_coverage(s), *_amounts(s)]
    return "\n".join([*lines, *(f"Note: {n}" for n in found.notes)])


def _accuracy(e: Any) -> str:
    return "-" if e.value != e.value else f"{e.value:.3f} ± {e.half_width():.3f}"


def _matrix(e: SampleEstimate, wide: int) -> list[str]:
    widths = [max(len(c), 5) for c in e.classes]
    lines = [" " * wide + "".join(f"  {c:>{w}}" for c, w in zip(e.classes, widths, strict=True))]
    for i, label in enumerate(e.classes):
        cells = "".join(f"  {n:>{w}}" for n, w in zip(e.counts[i].tolist(), widths, strict=True))
        lines.append(f"{label:{wide}}{cells}")
    return lines


def _coverage(s: dict[str, Any]) -> list[str]:
    c, f = s["coverage"], s["forest"]
    classes = ", ".join(k if w == 1 else f"{w:g} × {k}" for k, w in f["classes"].items()) or "no class"
    lines = [f"Forest ({classes}): mapped {f['mapped_ha']:,.1f} ha, corrected {_span(f['corrected_ha'], ',.1f')} ha"]
    if c is None:
        return lines
    lines.append(
        f"Coverage of {c['land_area_ha']:,.1f} ha land ({c['denominator']}): mapped {c['mapped_percent']:.2f} %, corrected "
        f"{_span(c['corrected_percent'], '.2f')} %"
    )
    for t in c["targets"]:
        more = t["more_points"]
        need = (
            "on the line" if more is None else "settled" if more == 0 else f"about {more:,} more points would settle it"
        )
        lines.append(f"  at least {t['at_least_percent']:g} %: probability {t['probability']:.3f}, {need}")
    return lines


def _amounts(s: dict[str, Any]) -> list[str]:
    names = {"stock_volume": "Stock volume", "carbon_biomass": "Biomass carbon", "carbon_total": "Carbon of all pools"}
    return [
        f"{names[k]} of {', '.join(v['classes'])}: mapped {v['mapped']:,.0f}, corrected {_span(v['corrected'], ',.0f')} "
        f"{v['unit']}"
        for k, v in s["corrected"].items()
    ]


def _span(told: dict[str, float | None], form: str) -> str:
    if told["value"] is None:
        return "not known"
    return f"{told['value']:{form}} ({told['low']:{form}} to {told['high']:{form}})"
