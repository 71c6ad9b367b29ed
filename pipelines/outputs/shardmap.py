"""A map that stays in its shards: they are moved, not copied, and a virtual raster makes them one layer.

``NAME.vrt`` says all that the one file would say; ``NAME.vrt.ovr`` has the same overviews; ``NAME/`` holds a file for each block
that has a value.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import rasterio
from affine import Affine

from pipelines.files import digest
from pipelines.files.digest import Digest
from pipelines.outputs import cog, virtual
from pipelines.outputs.maps import FinishedMap, MapSpec, Shard, describe, draw, sidecars, write_text
from pipelines.outputs.mapstats import MapStats, merge_stats
from pipelines.outputs.mosaic import GridLike


def finish_map(
    spec: MapSpec,
    grid: GridLike,
    shards: Sequence[Shard],
    out_dir: str | os.PathLike[str],
    known: Mapping[Path, Digest],
    *,
    threads: int = 1,
) -> FinishedMap:
    """Write all of a map but its shards, and tell where these are to be moved: the caller does that once it has noted it,
    so that a run that dies between two moves knows where to go on.

    Parameters
    ----------
    spec, grid, shards, out_dir, threads
        As for `maps.finish_map`.
    known
        Digests of the shards, as they were written.

    Returns
    -------
    FinishedMap
        Its path is that of the virtual raster.
    """
    stats = merge_stats(shard.stats for shard in shards)
    path = Path(out_dir) / f"{spec.name}.vrt"
    files = sidecars(spec, stats, path)
    over = path.with_name(path.name + ".ovr")
    made = cog.overviews(shards, over, grid, spec.encoding, lambda dataset: draw(dataset, spec), threads=threads)
    if made is not None:
        files[over] = made
    there = sorted((s for s in shards if s.path is not None), key=lambda s: (s.row, s.col))
    moves = tuple((Path(s.path), path.with_suffix("") / Path(s.path).name) for s in there if s.path is not None)
    parts = [
        virtual.Part(PurePosixPath(spec.name, new.name), s.row, s.col, s.height, s.width)
        for s, (_, new) in zip(there, moves, strict=True)
    ]
    write_text(path, _text(spec, grid, stats, parts))
    files[path] = digest.of(path)
    return FinishedMap(path, files | {new: known[old] for old, new in moves}, moves)


def _text(spec: MapSpec, grid: GridLike, stats: MapStats, parts: Sequence[virtual.Part]) -> str:
    """Told by an empty file of the whole size, so that GDAL itself says what the one file would say."""
    crs = rasterio.CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else None
    profile: dict[str, Any] = spec.encoding.profile(grid.width, grid.height)
    with tempfile.TemporaryDirectory() as work:
        empty = Path(work) / "empty.tif"
        with rasterio.open(empty, "w", crs=crs, transform=Affine(*grid.transform), **profile) as dataset:
            describe(dataset, spec, stats)
        with rasterio.open(empty) as dataset:
            return virtual.document(dataset, parts, stats.histogram, spec.classes)
