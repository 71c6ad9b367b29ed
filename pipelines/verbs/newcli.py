"""``sinks new``: a user's files in, a commented assessment file out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipelines.errors import InputError
from pipelines.verbs import paint
from pipelines.verbs.answers import Command, answers
from pipelines.verbs.assessoptions import in_section
from sinks.layers import LAYERS


def _files(function: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every layer, for files that are not to be guessed."""
    for layer in reversed(LAYERS.values()):
        option = in_section("Files that are not to be guessed")
        function = option(layer.flag, multiple=True, help=layer.about, type=click.Path())(function)
    return function


@click.command(cls=Command)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER|FILE]…")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("assessment.toml"), show_default=True, help="File to write."
)
@click.option("--regions", help="Region polygons: any vector file.")
@click.option("--region-id", help="Column with the regions' codes.")
@click.option("--region-name", help="Column with the regions' names.")
@click.option("--region-layer", help="Layer of the vector file.")
@click.option("--legend", help="Legend of the land cover, where you know it.")
@click.option("--year", type=int, help="Year the maps stand for.")
@click.option("--parameters", help="Parameter set.")
@click.option("--overwrite", is_flag=True, help="Write over a file that is there.")
@_files
@answers
def new(paths: tuple[Path, ...], out: Path, overwrite: bool, **given: Any) -> None:
    """Write a commented assessment file by looking at your rasters and polygons.

    Each file's layer is told by its name, values, codes and unit; the legend by the share of pixels that it explains. What is
    guessed and what is doubtful stands in the file as comments.

    \b
    sinks new my_rasters
    sinks new --landcover lc_2020.tif --agb biomass.tif --regions counties.gpkg --out assessment.toml
    sinks new tiles/ soil/ counties.shp --out assessment.toml
    """
    from pipelines.assess import newstudy, newtoml
    from pipelines.files.atomic import atomic_path

    named = {layer: given[layer] for layer in LAYERS if given.get(layer)}
    if not paths and not named:
        raise InputError(
            "name the folder with your rasters, or the files: sinks new FOLDER, or sinks new --landcover FILE"
        )
    if out.exists() and not overwrite:
        raise InputError(f"{out} is there already; choose another --out or give --overwrite")
    options = {k: str(v) for k, v in given.items() if k not in LAYERS and v is not None}
    with tempfile.TemporaryDirectory() as work:
        made = newstudy.draft(paths, named, options, Path(work))
        made = newstudy.checked(made, Path(work) / "out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as part:
        part.write_text(newtoml.toml(made, out.parent), encoding="utf-8")
    _told(made, out)


def _told(made: Any, out: Path) -> None:
    """What was found and what is doubtful, and what to do next."""
    for layer, choice in made.choices.items():
        more = f" and {len(choice.looks) - 1} more tiles" if len(choice.looks) > 1 else ""
        mark = paint.painted("✘", "bad") if layer in made.refused else paint.painted("✔", "good")
        click.echo(f"{mark} {layer:16} {choice.looks[0].path}{more}")
    if made.legend:
        share = next((f" {f.share:.1%} of the pixels" for f in made.fits if f.name == made.legend), "")
        click.echo(f"{paint.painted('✔', 'good')} {'legend':16} {made.legend}{share}")
    if made.regions:
        r = made.regions
        click.echo(
            f"{paint.painted('✔', 'good')} {'regions':16} {r.path}, id {r.id_column}, name {r.name_column or '(none)'}"
        )
    for doubt in made.doubts:
        click.echo(paint.painted(f"? {doubt}", "unsure"))
    if made.unused:
        click.echo(paint.painted(f"{len(made.unused)} files are not used; the file says why", "faint"))
    if made.verdict:
        click.echo(f"{paint.painted('✘', 'bad')} Written to {out}, but sinks check says: {made.verdict}")
    else:
        click.echo(f"\nWritten to {out}, and sinks check passes. Read it, then:  sinks assess {out} --out result")
