"""The command line: ``sinks VERB``. It reads options and prints; the work is done elsewhere.

The heavy modules are imported inside the verbs so that ``sinks --help`` answers at once.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from pipelines.verbs import (
    certaintycli,
    changecli,
    impactcli,
    reservescli,
    rollupcli,
    samplecli,
    trackcli,
    transitioncli,
    valuecli,
)
from sinks import __version__
from sinks.errors import InputError
from sinks.layers import LAYERS

OK, FAILED, BAD_INPUT = 0, 1, 2
"""Exit codes: done; the run failed; the input cannot be used."""


class _Group(click.Group):
    """Suggests a verb for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            raise click.UsageError(f"{error.message}{f' Did you mean {close[0]!r}?' if close else ''}", ctx) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sinks")
def main() -> None:
    """Forest coverage, growing stock and ecosystem carbon from maps, held against targets.

    Start with:  sinks demo
    """


def _answers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the project's errors into one sentence and an exit code."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from pipelines.errors import RunError

        try:
            return function(*args, **kwargs)
        except InputError as error:
            click.echo(f"sinks: {error}", err=True)
            sys.exit(BAD_INPUT)
        except RunError as error:
            click.echo(f"sinks: {error}", err=True)
            sys.exit(FAILED)
        except MemoryError:
            click.echo("sinks: out of memory; use fewer --workers, a smaller --block-size or --memory", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            click.echo("sinks: stopped; what is done is kept, and the same command goes on with the rest", err=True)
            sys.exit(130)

    return wrapper


def _layer_options() -> list[Callable[..., Any]]:
    """A flag for every layer but the land cover."""
    found = []
    for layer in LAYERS.values():
        if layer.name != "landcover":
            unit = f" [{layer.unit}]" if layer.unit not in ("", "1") else " [0-1]" if layer.unit == "1" else ""
            found.append(click.option(layer.flag, help=layer.about.rstrip(".") + unit + ".", multiple=True))
    return found


def _assess_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--landcover", help="Land-cover raster: path, URL, glob or GDAL name. Repeat for tiles.", multiple=True),
        click.option("--legend", help="Legend: a name ('sinks legends') or a CSV file."),
        *_layer_options(),
        click.option("--soil-profile", help="Soil properties by depth: a CSV of rasters, or a folder of SoilGrids maps."),
        click.option("--soil-legend", help="Codes of --soil: ipcc or soilgrids_wrb.  [ipcc]"),
        click.option("--regions", help="Region polygons: any vector file."),
        click.option("--region-id", help="Column with the regions' codes."),
        click.option("--region-name", help="Column with the regions' names."),
        click.option("--region-layer", help="Layer of the vector file."),
        click.option("--parameters", help="Set (china, ipcc, auto), your CSV, or invest:POOLS.csv.  [auto]"),
        click.option("--use-unverified", is_flag=True, default=None, help="Also use numbers no source confirms; said."),
        click.option("--volume-method", help="cbef, bcef, ratio or wood_density."),
        click.option("--soil-depth", type=int, help="30 or 100 cm.  [of the parameter set]"),
        click.option("--coast-soil", help="What goes first on coasts: table or layer.  [table]"),
        click.option("--flux-method", help="Yearly fluxes: published_rate, emission_factor or none.  [published_rate]"),
        click.option("--forest-age", help="Age class of the growth table, e.g. secondary_over_20; tells gains."),
        click.option("--tillage", help="full_tillage, reduced_tillage or no_till.  [full_tillage]"),
        click.option("--carbon-input", help="low, medium, high_without_manure, high_with_manure, for cropland.  [medium]"),
        click.option("--grazing", help="nominal, high_intensity_grazing, severely_degraded or improved.  [nominal]"),
        click.option("--karst-method", help="auto, bicarbonate, gem_co2 or dissolution.  [auto]"),
        click.option("--budyko-w", type=float, help="Parameter of the Budyko-Fu curve; without it Turc's formula."),
        click.option("--strong-acid-share", type=float, help="Part of the carbonate that strong acids dissolve.  [0]"),
        click.option("--permafrost-threshold", type=float, help="Least share or probability of permafrost.  [0.5]"),
        click.option("--error-range", type=float, help="Range over which errors of the biomass map are correlated [km].  [100]"),
        click.option("--error-model", help="spherical or exponential.  [spherical]"),
        click.option("--draws", type=int, help="Monte Carlo draws of the coefficients, 0 for propagation alone.  [10000]"),
        click.option("--seed", type=int, help="Seed of the draws.  [1]"),
        click.option("--continent", help="asia, europe, africa, americas or oceania, for root-to-shoot ratios."),
        click.option("--forest-origin", help="natural or planted, for root-to-shoot ratios.  [natural]"),
        click.option("--forest-definition", help="china or fao.  [china]"),
        click.option("--canopy-threshold", type=float, help="Least canopy cover of forest [%]."),
        click.option("--minimum-patch", type=float, help="Smallest stand that counts as forest [ha]."),
        click.option("--special-shrub-fraction", type=float, help="Share of shrubland counted as special shrub forest."),
        click.option("--mangrove-is-forest/--mangrove-is-not-forest", default=None, help="For the coverage rate."),
        click.option("--inland-water", help="Water as land area: auto, include or exclude."),
        click.option("--year", type=int, help="Year the maps stand for."),
        click.option("--targets", help="Your regional targets (CSV)."),
        click.option("--target-document", help="National targets of which document.  [guidance_2021]"),
        click.option("--whole-nation", is_flag=True, default=None, help="The regions together are the nation."),
        click.option("--maps", help="Comma-separated maps to write, or none.  [all]"),
        click.option("--map-type", help="uint16 (steps of 0.1) or float32.  [uint16]"),
        click.option("--layer", "layer_options", multiple=True, metavar="NAME.KEY=VALUE",
                     help="What a file does not say, e.g. agb.nodata=0, agb.crs=EPSG:4326, agb.scale=0.1, agb.kind=amount."),
        click.option("--block-size", type=int, help="Side of a block [pixels], a multiple of 1024."),
        click.option("--workers", type=int, help="Threads.  [all cores]"),
        click.option("--scheduler", help="Dask scheduler, e.g. tcp://host:8786."),
        click.option("--cluster", help="TOML file that tells how to start a Dask cluster (docs/cluster.md)."),
        click.option("--dashboard", is_flag=True, default=None, help="Show the link of Dask's dashboard, on this machine only."),
        click.option("--performance-report", help="Write Dask's performance report, an HTML file."),
        click.option("--memory", type=float, help="Most memory for blocks [GiB]."),
        click.option("--overwrite", is_flag=True, default=None, help="Replace an earlier run in the output folder."),
        click.option("--fresh", is_flag=True, default=None, help="Throw away what an unfinished run left, and start afresh."),
        click.option("--quiet", "-q", is_flag=True, default=None, help="No progress bar."),
        click.option("--json", "as_json", is_flag=True, help="Print results as JSON."),
        click.option("--out", help="Output folder."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _layers(pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """``agb.nodata=0`` … as a table by layer and key."""
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, dot, rest = pair.partition(".")
        key, equals, value = rest.partition("=")
        if not (dot and equals):
            raise InputError(f"--layer is '{pair}'; write NAME.KEY=VALUE, e.g. --layer agb.nodata=0")
        found.setdefault(name, {})[key] = _plain(key, value, pair)
    return found


def _plain(key: str, value: str, pair: str) -> Any:
    if key not in ("band", "nodata", "scale", "offset"):
        return value
    try:
        return int(value) if key == "band" else float(value)
    except ValueError:
        raise InputError(f"--layer is '{pair}', where '{value}' is no number") from None


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was given; one tile is a path, several are a list."""
    options = {k: v for k, v in given.items() if v is not None and v != ()}
    for key, value in options.items():
        if isinstance(value, tuple):
            options[key] = value[0] if len(value) == 1 else list(value)
    return options


@main.command()
@click.argument("assessment", required=False, type=click.Path(path_type=Path))
@_assess_options
@_answers
def assess(assessment: Path | None, layer_options: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Assess a region: coverage, stock volume and carbon, maps and accounts.

    \b
    sinks assess --landcover lc.tif --legend worldcover --agb agb.tif --regions counties.gpkg --out result
    sinks assess assessment.toml
    """
    study = _study(assessment, layer_options, given)
    from pipelines.assess import run

    _show(run.assess(study), as_json)


@main.command()
@click.argument("assessment", required=False, type=click.Path(path_type=Path))
@_assess_options
@_answers
def check(assessment: Path | None, layer_options: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Say what is wrong with the inputs before a long run, and show its plan.

    \b
    sinks check assessment.toml
    """
    study = _study(assessment, layer_options, {"out": "unused", **{k: v for k, v in given.items() if v is not None}})
    from pipelines.assess import check as checking

    found = checking.check(study)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else checking.text(found))


def _collected(given: Mapping[str, Any], layer_options: tuple[str, ...]) -> dict[str, Any]:
    """What was given of the options that ``sinks assess`` has."""
    options = _options(given)
    if layers := _layers(layer_options):
        options["layers"] = layers
    return options


def _study(assessment: Path | None, layer_options: tuple[str, ...], given: Mapping[str, Any]) -> Any:
    from pipelines.assess import study

    options = _collected(given, layer_options)
    return study.from_toml(assessment, **options) if assessment else study.checked(options)


def _show(result: Any, as_json: bool) -> None:
    from pipelines.assess import summary

    click.echo(json.dumps(summary.as_json(result), indent=2, ensure_ascii=False) if as_json else summary.text(result))


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("sinks-demo"), show_default=True, help="Output folder."
)
@click.option("--workers", type=int, help="Threads.  [all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@_answers
def demo(out: Path, workers: int | None, as_json: bool) -> None:
    """Assess the synthetic sample region, end to end, in under a minute."""
    from pipelines.assess import demo as sample
    from pipelines.assess import run

    click.echo("The sample region Qinglan is synthetic: it stands for no real place.\n", err=True)
    _show(run.assess(sample.demo_study(out, workers=workers, overwrite=True)), as_json)


@main.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--targets", type=click.Path(path_type=Path), help="Your regional targets (CSV).")
@click.option(
    "--target-document", default="guidance_2021", show_default=True, help="National targets of which document."
)
@click.option("--whole-nation", is_flag=True, help="The regions together are the nation.")
@click.option(
    "--sample", type=click.Path(path_type=Path), help="Labelled reference sample: corrected figures beside the map's."
)
@click.option("--column", default="reference", show_default=True, help="Column with the sample's labels.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_answers
def targets(
    run: Path | None, targets: Path | None, target_document: str, whole_nation: bool, sample: Path | None, column: str,
    as_json: bool,
) -> None:  # fmt: skip
    """The scorecard of a finished run, against these or other targets; without a run, the register of targets.

    \b
    sinks targets
    sinks targets result --target-document forestry_plan_14
    sinks targets result --sample labelled.gpkg
    """
    from pipelines.verbs import scorecards

    if run is None:
        click.echo(scorecards.register_text())
        return
    card = scorecards.of_run(run, targets, target_document, whole_nation, sample, column)
    click.echo(card.to_json(orient="records", force_ascii=False, indent=2) if as_json else scorecards.text(card))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("x", type=float)
@click.argument("y", type=float)
@click.option("--lonlat", is_flag=True, help="X and Y are longitude and latitude.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_answers
def explain(run: Path, x: float, y: float, lonlat: bool, as_json: bool) -> None:
    """One pixel's way: inputs, class, stratum, every coefficient with its source, area, result.

    \b
    sinks explain sinks-demo 106.8 22.6
    """
    from pipelines.assess import explain as explaining

    found = explaining.explain(run, x, y, lonlat)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else explaining.text(found))


@main.command()
@click.argument("name", required=False)
@_answers
def layers(name: str | None) -> None:
    """List the layers an assessment can take, or show the codes of one of classes.

    \b
    sinks layers
    sinks layers drainage
    """
    from sinks import layers as known

    if name is None:
        for layer in LAYERS.values():
            click.echo(f"{layer.flag:18} {layer.kind:8} {layer.unit or '-':13} {layer.about}")
        return
    for row in known.codes(name):
        more = "; ".join(f"{k} {v}" for k, v in row.items() if k not in ("code", "key", "name_en", "name_zh") and v)
        click.echo(f"{row['code']:>14}  {row['key']:30} {row['name_en']} {row['name_zh']}  {more}".rstrip())


@main.command()
@click.argument("name", required=False)
@_answers
def legends(name: str | None) -> None:
    """List the built-in legends, or show one with its sources."""
    from sinks import legends as known

    if name is None:
        for each in known.builtin_names():
            click.echo(f"{each:18} {known.Legend.builtin(each).title}")
        return
    for c in known.Legend.builtin(name).classes:
        click.echo(
            f"{c.code:>6}  {c.ecosystem:15} {c.forest_type:12} {c.name_en} {c.name_zh}  [{c.source}; {c.status}]"
        )


@main.group(cls=_Group, invoke_without_command=True)
@click.pass_context
def parameters(context: click.Context) -> None:
    """Coefficients: what is built in, as a file of your own, and what differs.

    A SET is a name (china, ipcc), a file that was exported and edited (mine.csv), or rows to put in front of a set
    (ipcc:mine.csv); --parameters takes the same.

    \b
    sinks parameters export ipcc --out mine.csv      then edit mine.csv in a spreadsheet
    sinks parameters diff ipcc mine.csv
    sinks assess ... --parameters mine.csv
    """
    if context.invoked_subcommand is None:
        context.invoke(list_parameters)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@parameters.command("list")
@_JSON
@_answers
def list_parameters(as_json: bool = False) -> None:
    """The sets, their tables and schemes, how many rows each has and how many no source confirms.

    \b
    sinks parameters list
    """
    from pipelines.verbs import parametercli as sets

    found = sets.listed()
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else sets.listed_text(found))


@parameters.command("show")
@click.argument("set_name", metavar="SET")
@click.argument("table")
@click.option("--parameter", help="Only this parameter of the table.")
@click.option("--key", "keys", multiple=True, metavar="COLUMN=VALUE", help="Only rows for this key. Repeat for more.")
@_JSON
@_answers
def show_parameters(set_name: str, table: str, parameter: str | None, keys: tuple[str, ...], as_json: bool) -> None:
    """One table's rows with range, unit, tier, status and source.

    \b
    sinks parameters show ipcc root_shoot --key continent=asia --key origin=natural
    sinks parameters show china cbef --parameter a
    """
    from pipelines.verbs import parametercli as sets

    chosen = sets.chosen(set_name)
    rows = sets.shown(chosen, table, parameter, keys)
    found = sets.shown_json(rows)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else sets.shown_text(chosen, table, rows))


@parameters.command("export")
@click.argument("set_name", metavar="SET")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [the screen]")
@click.option("--overwrite", is_flag=True, help="Write over a file that is there.")
@_answers
def export_parameters(set_name: str, out: Path | None, overwrite: bool) -> None:
    """Every number of a set as a CSV file, to edit in a spreadsheet and pass to --parameters.

    A changed number becomes yours; a deleted row is gone; a row with an empty scheme goes in front of all others.

    \b
    sinks parameters export china --out mine.csv
    """
    from pipelines.verbs import parametercli as sets

    raw = sets.export(sets.chosen(set_name), out, overwrite)
    if out is None:
        click.echo(raw, nl=False)
    else:
        click.echo(f"Written to {out}. Edit it, then:  sinks assess ... --parameters {out}")


@parameters.command("diff")
@click.argument("a", metavar="SET")
@click.argument("b", metavar="SET")
@_JSON
@_answers
def diff_parameters(a: str, b: str, as_json: bool) -> None:
    """What was added, removed or changed from one set to another.

    \b
    sinks parameters diff ipcc mine.csv
    sinks parameters diff ipcc china --json
    """
    from pipelines.verbs import parametercli as sets
    from sinks import parameterfiles

    one, two = sets.chosen(a), sets.chosen(b)
    changes = parameterfiles.diff(one, two)
    found = sets.diff_json(one, two, changes)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else sets.diff_text(one, two, changes))


for _command in certaintycli.commands(_answers):
    main.add_command(_command)

main.add_command(samplecli.commands(_answers, _Group))
main.add_command(changecli.command(_answers, _assess_options, _collected))
main.add_command(impactcli.command(_answers))
main.add_command(reservescli.command(_answers))
main.add_command(rollupcli.command(_answers))
main.add_command(trackcli.command(_answers))
main.add_command(transitioncli.command(_answers))
main.add_command(valuecli.command(_answers))


if __name__ == "__main__":
    main()
