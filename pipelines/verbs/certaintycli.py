"""The verbs that hold a finished run against measurements and statistics: ``sinks plots``, ``sinks calibrate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_PATH: Any = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


def commands(answers: Callable[[Callable[..., Any]], Callable[..., Any]]) -> tuple[click.Command, ...]:
    """Both verbs; ``answers`` turns the project's errors into a sentence and an exit code."""
    return tuple(click.command(name)(_with(answers(verb), options)) for name, verb, options in _VERBS)


def _with(function: Callable[..., Any], options: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def _plots(
    run: Path, plots: Path, value: str, quantity: str, stratify: str, population: str, minimum: int, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Volume or carbon from measured plots and a run's map, with standard errors.

    PLOTS is a CSV with lon and lat (or x and y in the CRS of the maps), or a vector file of points. VALUE is per hectare, in the
    unit of the quantity. Regions with few plots get a synthetic estimate, and are told so. Give every plot that was laid out,
    also those without a tree.

    \b
    sinks plots result plots.csv --value volume_m3_ha
    sinks plots result plots.gpkg --value volume_m3_ha --stratify forest --minimum 50
    """
    from pipelines.samples import plots as estimating

    found = estimating.of_run(run, plots, value, quantity, stratify, population, minimum)
    asked = {"plots": str(plots), "value": value, "quantity": quantity, "stratify": stratify, "population": population,
             "minimum": minimum}  # fmt: skip
    _finish(
        run,
        out or run / "plots",
        found.table,
        "plots",
        asked,
        estimating.as_json(found),
        estimating.text(found),
        as_json,
    )


def _calibrate(run: Path, official: Path, margins: str, total: bool, out: Path | None, as_json: bool) -> None:
    """A run reconciled with official statistics: raw, official, calibrated and what was added, with standard errors.

    OFFICIAL is a CSV with region_id, quantity, value, unit and, if you have them, forest_type, ecosystem, se. A region_id may
    be a code above the run's regions (440000 for its counties), or total. Several margins are raked.

    \b
    sinks calibrate result official.csv
    sinks calibrate result official.csv --margins region,forest_type
    """
    from pipelines.samples import calibrate as calibrating

    chosen = tuple(m.strip() for m in margins.split(",") if m.strip())
    found = calibrating.of_run(run, official, chosen, total=total)
    asked = {"official": str(official), "margins": list(chosen), "total": total}
    name, shown = "calibrated", calibrating.text(found)
    _finish(run, out or run / name, found.table, name, asked, calibrating.as_json(found), shown, as_json)


def _finish(
    run: Path, out: Path, table: Any, name: str, asked: dict[str, Any], found: dict[str, Any], shown: str, as_json: bool
) -> None:
    """Write CSV and JSON, and print one of table and JSON."""
    from pipelines.errors import InputError
    from pipelines.files import manifest, tables
    from pipelines.files.atomic import atomic_path

    whole = {
        "run": str(run),
        "run_finished": manifest.read(run).get("finished"),
        "made": manifest.now(),
        **asked,
        **found,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder with --out") from None
    tables.write_table(table, out / f"{name}.csv")
    said = json.dumps(whole, indent=2, ensure_ascii=False)
    with atomic_path(out / f"{name}.json") as part:
        part.write_text(said + "\n", encoding="utf-8")
    click.echo(said if as_json else f"{shown}\nWritten to {out}: {name}.csv, {name}.json")


_VERBS: tuple[tuple[str, Callable[..., Any], tuple[Callable[..., Any], ...]], ...] = (
    ("plots", _plots, (
        click.argument("run", type=_PATH),
        click.argument("plots", type=_PATH),
        click.option("--value", required=True, metavar="COLUMN", help="Column with what was measured, per hectare."),
        click.option("--quantity", type=click.Choice(["stock_volume", "carbon_total", "carbon_agb"]), default="stock_volume",
                     show_default=True, help="What the column measures."),
        click.option("--stratify", type=click.Choice(["none", "forest"]), default="none", show_default=True,
                     help="Strata: mapped forest and other land, or none."),
        click.option("--population", type=click.Choice(["land", "forest"]), default="land", show_default=True,
                     help="What the plots were laid out over."),
        click.option("--minimum", type=int, default=30, show_default=True, help="Plots below which a region is synthetic."),
        click.option("--out", type=_PATH, help="Folder for the tables.  [RUN/plots]"),
        _JSON,
    )),
    ("calibrate", _calibrate, (
        click.argument("run", type=_PATH),
        click.argument("official", type=_PATH),
        click.option("--margins", default="", metavar="A,B",
                     help="region, forest_type, region_forest_type, total.  [all that are given]"),
        click.option("--total", is_flag=True, help="Also the sum of all regions, where it means something."),
        click.option("--out", type=_PATH, help="Folder for the tables.  [RUN/calibrated]"),
        _JSON,
    )),
)  # fmt: skip
