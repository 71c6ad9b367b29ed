"""``sinks reserves``: options in, tables and a GeoPackage out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns the project's errors into a sentence and an exit code."""

    @click.command("reserves")
    @click.argument("run", type=click.Path(path_type=Path))
    @click.option("--areas", required=True, type=click.Path(path_type=Path),
                  help="Polygons of protected areas, red lines or projects: any vector file.")  # fmt: skip
    @click.option("--id", "id_column", metavar="COL", help="Column with the areas' codes.")
    @click.option("--name", "name_column", metavar="COL", help="Column with the areas' names.")
    @click.option("--layer", metavar="NAME", help="Layer of the vector file.")
    @click.option("--processes", metavar="LIST", help="Whose patches are listed, with commas.  [construction_take]")
    @click.option("--min-ha", type=float, help="Smallest patch that is listed [ha].")
    @click.option("--workers", type=int, help="Threads.  [all cores]")
    @click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for tables and the GeoPackage.")
    @answers
    def reserves(
        run: Path, areas: Path, id_column: str | None, name_column: str | None, layer: str | None, processes: str | None,
        min_ha: float | None, workers: int | None, quiet: bool, as_json: bool, out: Path,
    ) -> None:  # fmt: skip
        """What changed inside and outside protected areas, and every patch that was lost to construction.

        RUN is the output folder of 'sinks change'. Areas may overlap: each is told on its own, and their union once.

        \b
        sinks reserves change --areas redlines.gpkg --id code --name name --min-ha 1 --out reserves
        """
        from pipelines.change import reserves as over

        more: dict[str, Any] = {}
        if processes is not None:
            more["processes"] = tuple(p.strip() for p in processes.split(",") if p.strip())
        if min_ha is not None:
            more["minimum_ha"] = min_ha
        found = over.reserves(
            run, areas, layer=layer, id_column=id_column, name_column=name_column, workers=workers, quiet=quiet, **more
        )
        paths = over.write(found, out)
        click.echo(json.dumps(over.as_dict(found), indent=2, ensure_ascii=False) if as_json else over.text(found))
        for path in paths:
            click.echo(f"Written: {path}", err=as_json)

    return reserves
