"""``sinks export`` and ``sinks catalog``: finished runs for scientists' tools and for catalogues."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.verbs.answers import answers


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File (.nc) or store (.zarr) to write.")
@click.option("--format", "kind", type=click.Choice(("netcdf", "zarr")), help="[by the ending of --out]")
@click.option("--overwrite", is_flag=True, help="Write over what is there.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@answers
def export(run: Path, out: Path, kind: str | None, overwrite: bool, quiet: bool) -> None:
    """The maps of a finished run as one CF NetCDF file or Zarr store, for xarray, R, Julia and climate tools.

    Values stay as exact as in the maps; memory does not grow with them. Runs of several years join along time.

    \b
    sinks export result --out result.nc
    sinks export result --out result.zarr
    """
    from pipelines.export import export as exporting

    click.echo(f"Written: {exporting.export(run, out, kind, overwrite=overwrite, quiet=quiet)}")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The collection, a JSON file."
)
@click.option("--id", "key", default="carbon-sinks", show_default=True, help="Id of the collection.")
@click.option("--title", default="Carbon Sinks", show_default=True, help="Its title.")
@click.option("--description", default="Runs of Carbon Sinks.", help="What it is of.")
@click.option("--licence", default="other", show_default=True, help="Licence of the maps (SPDX name, or other).")
@answers
def catalog(runs: tuple[Path, ...], out: Path, key: str, title: str, description: str, licence: str) -> None:
    """A static STAC collection of finished runs, e.g. of one region in many years.

    It points to the item that every run has beside its files (stac-item.json), by relative paths: move them together.

    \b
    sinks catalog 2013 2018 2023 --out catalog.json --title "Qinglan, yearly"
    """
    from pipelines.outputs import stac

    found = stac.write_collection(out, runs, key=key, title=title, about=description, licence=licence)
    years = [t[:4] for t in found["extent"]["temporal"]["interval"][0]]
    click.echo(f"Written: {out}, {len(runs)} run{'s' if len(runs) > 1 else ''}, {'–'.join(dict.fromkeys(years))}")
