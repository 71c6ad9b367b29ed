"""``sinks track``: epochs in, pace and track to the targets out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    import pandas as pd

    from sinks.targets import Target
    from sinks.trajectory import Series

SERIES: Final = "series.csv"
TRACK, YEARLY = "track.csv", "yearly.csv"
HEADLINES: Final = ("coverage_percent", "stock_volume", "carbon_total")
"""Quantities that the screen shows where there are more."""
MOST_REGIONS: Final = 12
_BASIS_OPTIONS: Final = ("soil_depth_cm", "volume_methods", "forest_age")
"""Options of a run that make stocks of two runs different things."""

_SHARED: Final = ("legend", "forest_definition", "parameters")
"""What epochs of a change run have in common unless it was made over a break."""


@dataclass(frozen=True)
class Tracked:
    """The track (``sinks.trajectory.TRACK_COLUMNS``), the years (``YEARLY_COLUMNS``), and what to know about them."""

    track: pd.DataFrame
    yearly: pd.DataFrame
    notes: tuple[str, ...]


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns the project's errors into a sentence and an exit code."""

    @click.command("track")
    @click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
    @click.option("--target-year", type=int, help="Only targets of this year.  [all]")
    @click.option("--targets", "own", type=click.Path(path_type=Path), help="Your regional targets (CSV).")
    @click.option("--target-document", default="guidance_2021", show_default=True,
                  help="National targets of which document.")  # fmt: skip
    @click.option("--whole-nation", is_flag=True, help="The regions together are the nation.")
    @click.option("--interpolation", type=click.Choice(["linear", "geometric"]), default="linear", show_default=True,
                  help="Between epochs: straight, or at a constant rate of growth.")  # fmt: skip
    @click.option("--pace", "method", type=click.Choice(["endpoints", "least_squares"]),
                  help="How the pace is taken.  [least_squares from three epochs on, else endpoints]")  # fmt: skip
    @click.option("--across-break", is_flag=True, help="Also over a change of basis; every such row is flagged.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--out", type=click.Path(path_type=Path), help=f"Folder for {TRACK} and {YEARLY}.  [none]")
    @answers
    def track(
        runs: tuple[Path, ...], target_year: int | None, own: Path | None, target_document: str, whole_nation: bool,
        interpolation: str, method: str | None, across_break: bool, as_json: bool, out: Path | None,
    ) -> None:  # fmt: skip
        """The pace from year to year, and the pace that the targets need.

        RUNS is the output of 'sinks change', or those of several 'sinks assess' with --year, or a CSV with region_id,
        region_name, quantity, unit, year, value (and se, basis). Without RUNS, China's official figures.

        \b
        sinks track
        sinks track change --target-year 2030
        sinks track result_2010 result_2015 result_2020 --targets mine.csv --out track
        """
        series, notes = read_series(runs)
        national, mine = chosen_targets(own, target_document, target_year)
        found = tracked(
            series, national, mine, notes, interpolation=interpolation, method=method or "",
            whole_nation=whole_nation or not runs, across_break=across_break,
        )  # fmt: skip
        click.echo(json.dumps(as_plain(found), indent=2, ensure_ascii=False) if as_json else text(found))
        if out is not None:
            for path in write(found, out):
                click.echo(f"Written: {path}", err=as_json)

    return track


# ------------------------------------------------------------------------------------------ work


def read_series(runs: Sequence[Path]) -> tuple[tuple[Series, ...], list[str]]:
    """The series of one change run, of several assessments, of a CSV, or the official ones where there is none.

    Raises InputError for a mixture, one assessment alone, an assessment without a year, or two of one year.
    """
    from pipelines.errors import InputError
    from pipelines.files import tidyfile
    from sinks import trajectory
    from sinks.accounts import TOTAL_REGION

    if not runs:
        note = "official figures of China at the end of each inventory period; a figure published again is no epoch"
        return tuple(trajectory.official(q) for q in trajectory.INDICATOR), [note]
    ready = [r for r in runs if r.is_file() or (r / SERIES).is_file()]
    if len(ready) == 1 and len(runs) == 1:
        path = ready[0] if ready[0].is_file() else ready[0] / SERIES
        frame = tidyfile.read_tidy(path, trajectory.SERIES_COLUMNS[2:], ("year", "value", "se"))
        if "region_id" not in frame:  # a hand-made series of one place
            frame = frame.assign(region_id=TOTAL_REGION)
        if "region_name" not in frame:
            frame = frame.assign(region_name="")
        if ready[0].is_dir():
            frame = frame.assign(basis=_change_bases(ready[0], frame["year"]))
        return trajectory.series_of(frame, str(path)), []
    if ready:
        raise InputError(f"{ready[0]} holds a series of its own; give it alone, or give assessments of single years")
    if len(runs) == 1:
        raise InputError(f"{runs[0]}: one assessment is one epoch; name two or more, or the output of 'sinks change'")
    return _assessments(runs)


def _change_bases(run: Path, years: pd.Series) -> pd.Series:
    """What each epoch of a change run rests on; the same for all unless it was made over a break."""
    from pipelines.files import manifest

    study = manifest.read(run).get("study", {})
    if not study.get("across_break"):
        return years.map(lambda _: "one method")
    bases = {e.get("year"): "; ".join(f"{k} {e.get(k)}" for k in _SHARED) for e in study.get("epochs", [])}
    return years.map(bases).fillna("")


def _assessments(runs: Sequence[Path]) -> tuple[tuple[Series, ...], list[str]]:
    import pandas as pd

    from pipelines.errors import InputError
    from pipelines.files import manifest
    from sinks import trajectory

    rows: list[pd.DataFrame] = []
    seen: dict[int, Path] = {}
    for run in runs:
        about = manifest.read(run)
        year = about.get("study", {}).get("year")
        if year is None:
            raise InputError(f"{run}: the run does not say which year it stands for; assess again with --year")
        if year in seen:
            raise InputError(f"{run} and {seen[year]} both stand for {year}; leave one out")
        seen[year] = run
        rows.append(_epoch(run, int(year), about))
    frame = pd.concat(rows, ignore_index=True)
    notes = [
        "standard errors of the epochs are taken as independent; what the runs share makes that of a change smaller"
    ]
    short = frame.groupby("region_id")["year"].nunique()
    if (few := short[short < len(runs)]).size:
        notes.append(f"not in every run: {', '.join(few.index)}")
    return trajectory.series_of(frame, "the assessments"), notes


def _epoch(run: Path, year: int, about: dict[str, Any]) -> pd.DataFrame:
    """One assessment as rows of a series."""
    import pandas as pd

    from pipelines.files import tables
    from sinks.accounts import ALL, TOTAL_REGION
    from sinks.quantities import TOTAL, VOLUME
    from sinks.trajectory import SERIES_COLUMNS

    account = tables.read_account(run)
    coverage = tables.read_output(run, "coverage.csv", dtype={"region_id": str, "region_name": str})
    top = coverage[coverage["headline"]].set_index("region_id")
    tidy = account.tidy
    whole = tidy[(tidy["forest_type"] == ALL) & tidy["ecosystem"].isin([ALL, "forest"])]
    told = whole.set_index(["ecosystem", "quantity", "region_id"])[["value", "se"]]
    map_basis, stock_basis = _bases(about)
    nothing = float("nan")
    rows: list[tuple[object, ...]] = []
    for region, name in ((TOTAL_REGION, ALL), *((r.id, r.name) for r in account.regions)):
        by_map = f"{map_basis}; {top['denominator'][region]} land area"
        volume_se = told["se"].get(("forest", VOLUME.key, region), nothing)
        total = told["value"].get((ALL, TOTAL.key, region), nothing), told["se"].get((ALL, TOTAL.key, region), nothing)
        rows += [
            (region, name, "coverage_percent", "percent", year, top["coverage_percent"][region], nothing, by_map),
            (region, name, "forest_area", "ha", year, top["forest_area_ha"][region], nothing, map_basis),
            (
                region,
                name,
                "stock_volume",
                "m3",
                year,
                account.forest_stock_m3[region],
                volume_se,
                stock_basis,
            ),
            (region, name, "carbon_total", "Mg C", year, *total, stock_basis),
        ]
    return pd.DataFrame(rows, columns=[*SERIES_COLUMNS, "se", "basis"])


def _bases(about: dict[str, Any]) -> tuple[str, str]:
    """What areas, and what stocks, of a run rest on besides its year: two runs that differ here are not one series."""
    study, definition, grid = about.get("study", {}), about.get("forest_definition", {}), about.get("grid", {})
    pixel = "×".join(f"{abs(grid['transform'][i]):.9g}" for i in (0, 4)) if grid.get("transform") else "unknown"
    by_map = f"legend {study.get('legend')}; {definition.get('name')} definition " + " ".join(
        f"{k}={definition[k]:g}" for k in sorted(definition) if k != "name"
    )
    by_map += f"; pixels {pixel}"
    options = about.get("options", {})
    used = " ".join(f"{k}={options[k]}" for k in _BASIS_OPTIONS if options.get(k))
    return by_map, f"{by_map}; parameters {about.get('parameters')}; {options.get('biomass')} {used}".rstrip()


def chosen_targets(own: Path | None, document: str, year: int | None) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """National and regional targets, of one year or all. Raises InputError where a year has none."""
    from pipelines.errors import InputError
    from pipelines.files.text import read_text
    from sinks import targets

    national = targets.national(document=document)
    mine = targets.read_targets(read_text(own).text, str(own)) if own else ()
    if year is None:
        return national, mine
    kept = tuple(t for t in national if t.year == year), tuple(t for t in mine if t.year == year)
    if not any(kept):
        years = sorted({t.year for t in (*national, *mine)})
        raise InputError(f"no target is set for {year}; there are targets for {', '.join(map(str, years))}")
    return kept


def tracked(
    series: Sequence[Series], national: Sequence[Target], own: Sequence[Target], notes: Sequence[str] = (), *,
    interpolation: str = "linear", method: str = "", whole_nation: bool = False, across_break: bool = False,
) -> Tracked:  # fmt: skip
    """The track and the years of all series."""
    import pandas as pd

    from sinks import trajectory

    card = trajectory.track(
        series, national, own, interpolation=interpolation, method=method, whole_nation=whole_nation,
        across_break=across_break,
    )  # fmt: skip
    years = pd.concat(
        [trajectory.yearly(s, interpolation, across_break=across_break) for s in series], ignore_index=True
    )
    return Tracked(card, years, tuple(notes))


def write(found: Tracked, out: Path) -> list[Path]:
    """``track.csv`` and ``yearly.csv``."""
    from pipelines.errors import InputError
    from pipelines.files import tables

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder with --out") from None
    tables.write_table(found.track, out / TRACK)
    tables.write_table(found.yearly, out / YEARLY)
    return [out / TRACK, out / YEARLY]


# ------------------------------------------------------------------------------------------ for the screen


def as_plain(found: Tracked) -> dict[str, Any]:
    """For machines: NaN as null."""
    return {
        "notes": list(found.notes),
        "track": json.loads(found.track.to_json(orient="records", force_ascii=False)),
        "yearly": json.loads(found.yearly.to_json(orient="records", force_ascii=False)),
    }


def text(found: Tracked) -> str:
    """Epochs of the first region (the union of all, where there is one), and each series with its targets."""
    import pandas as pd

    t, more = _headlines(found.track)
    y, _ = _headlines(found.yearly)
    first = y["region_id"].iloc[0]
    seen = y[(y["source"] == "observed") & (y["region_id"] == first)]
    epochs = pd.DataFrame({
        "region": _region(seen), "quantity": seen["quantity"], "year": seen["year"], "value": seen["value"].map(_number),
        "change in the last year": seen["change"].map(_number), "%": seen["change_percent"].map(_number),
        "": seen["break"].map({True: "new basis", False: ""}),
    })  # fmt: skip
    paces = pd.DataFrame({
        "region": _region(t), "quantity": t["quantity"], "years": t["year_from"].astype(str) + "–" + t["year_to"].astype(str),
        "pace": t["pace"].map(_number), "±": t["pace_se"].map(_number), "unit": t["pace_unit"],
        "target": [
            f"{_number(v)} ({y:.0f}, {d})" if v == v else "" for v, y, d in
            zip(t["target_value"], t["target_year"], t["document"].fillna(""), strict=True)
        ],
        "role": t["role"].fillna(""), "needed": t["pace_needed"].map(_number), "actual/needed": t["pace_ratio"].map(_number),
        "projected": t["projected"].map(_number), "P": t["probability"].map(_number), "status": t["status"].fillna(""),
    })  # fmt: skip
    notes = [*found.notes, *more, *dict.fromkeys(n for n in t["note"] if n)]
    basis = f"Years between epochs: {y['interpolation'].iloc[0]} interpolation. Pace: ± is one standard error."
    return "\n\n".join([
        epochs.to_string(index=False), paces.to_string(index=False), "\n".join([basis, *(f"Note: {n}" for n in notes)]),
    ])  # fmt: skip


def _headlines(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What fits on a screen, and a word on the rest."""
    main = rows[rows["quantity"].isin(HEADLINES)]
    shown = main if len(main) else rows
    regions = list(dict.fromkeys(shown["region_id"]))
    shown = shown[shown["region_id"].isin(regions[:MOST_REGIONS])]
    return shown, [f"{len(rows) - len(shown)} more rows are in {TRACK}; write it with --out"] if len(shown) < len(
        rows
    ) else []


def _region(rows: pd.DataFrame) -> pd.Series:
    return (rows["region_id"] + " " + rows["region_name"].fillna("")).str.strip()


def _number(v: float) -> str:
    return "" if v != v else f"{v:,.4g}" if abs(v) < 1e6 else f"{v:.4g}"
