"""The maps of several runs as one layer: a virtual raster over them, without a copy of a pixel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.files import runmaps
from pipelines.inputs.layerfiles import lattice_of
from pipelines.inputs.sources import Layer, Source, described
from pipelines.inputs.vrt import Tile, joined


def write(runs: Sequence[Path], home: Path, stage: Path) -> list[str]:
    """``maps/NAME.vrt`` of every map that all runs have and that fit together; what is left out, and why, for people.

    runs : folders of finished runs; home : where the output will lie, for files are named relative to it; stage : where it is
    gathered. Where runs overlap, the later one is shown.
    """
    notes = []
    names = [set(runmaps.names(run)) for run in runs]
    for name in sorted(set.union(*names)) if names else ():
        paths = [runmaps.path(run, name) for run, own in zip(runs, names, strict=True) if name in own]
        if len(paths) < len(runs):
            notes.append(f"no layer over all runs of {name}: {len(runs) - len(paths)} of them have no such map")
            continue
        tiles = [described(Layer(name, "density", str(p))) for p in paths]
        try:
            placed, transform = lattice_of(name, tiles)
        except InputError as error:
            notes.append(f"no layer over all runs of {name}: {error}")
            continue
        folder = stage / "maps"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.vrt").write_text(_text(tiles[0], placed, transform, home / "maps"), encoding="utf-8")
        style = paths[0].with_suffix(".qml")
        if style.is_file():
            shutil.copyfile(style, folder / style.name)
    return notes


def _text(first: Source, placed: Sequence[Tile], transform: Sequence[float], folder: Path) -> str:
    near = [tile._replace(path=os.path.relpath(tile.path, folder)) for tile in placed]
    return joined(
        near, first.crs_wkt, transform, first.dtype, first.nodata, first.scale, first.offset, first.unit, relative=True,
        description=first.description,
    )  # fmt: skip
