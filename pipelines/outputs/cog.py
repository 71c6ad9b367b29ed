"""Shards → one Cloud-Optimized GeoTIFF, every tile encoded once.

GDAL's own COG driver decodes and encodes every pixel again. Here the tiles that the workers encoded are copied as they
are, and overviews are made from them; GDAL decides every tag, in an empty template of the full size.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from pipelines.errors import RunError
from pipelines.files import digest
from pipelines.files.atomic import atomic_path, disk_error, require_space
from pipelines.files.digest import Digest
from pipelines.outputs import tiff
from pipelines.outputs.encoding import DamagedTileError, Encoding
from pipelines.outputs.mosaic import GridLike, HalfGrid, Mosaic, ShardLike
from pipelines.outputs.pyramid import halved, levels

GDAL_ERRORS: Final = (RasterioError, CPLE_BaseError)
"""What rasterio raises when GDAL fails; the second, which overviews raise, has no public name."""

_CLASSIC_LIMIT: Final = (1 << 32) - 1
_OVERVIEW_TAGS: Final = frozenset({256, 257, 258, 259, 262, 277, 284, 317, 320, 322, 323, 338, 339, 42113})
"""What an overview shares with the full image: size, coding, palette and nodata; not the place nor the metadata."""


def assemble(
    shards: Sequence[ShardLike],
    out_path: Path,
    grid: GridLike,
    encoding: Encoding,
    describe: Callable[[Any], None] = lambda dataset: None,
    *,
    threads: int = 1,
    bigtiff: bool | None = None,
) -> Digest:
    """Gather the shards of a map in one Cloud-Optimized GeoTIFF; the same bytes however the grid was cut into shards.

    Parameters
    ----------
    shards
        Every block of the grid once, in any order; those without a path are nodata.
    out_path
        The file; whole when this returns, untouched when it raises. Work files are made beside it and removed.
    grid
        CRS, transform and size.
    encoding
        As the shards were written.
    describe
        Called with the template, an open rasterio dataset, to set description, unit, scale, palette and tags.
    threads
        For the overviews; the copy is bound by the disk.
    bigtiff
        Force or forbid 8-byte offsets; by default only where the file needs them.

    Returns
    -------
    Digest
        Of the file, told as it was written.

    Raises
    ------
    RunError
        The disk is full, or a shard is missing, cut short, overlapping or encoded otherwise.
    """
    out_path = Path(out_path)
    full = Mosaic.of(shards, grid)
    # Work files lie beside the output, because the system's temporary directory is often small or held in memory.
    with atomic_path(out_path) as temporary, _work_directory(out_path) as work:
        template = _template(work / "template.tif", grid, encoding, describe)
        full.check(template)
        images = [full, *_overviews(work, shards, full, grid, encoding, threads)]
        return _joined(images, template, temporary, out_path, bigtiff)


def overviews(
    shards: Sequence[ShardLike],
    out_path: Path,
    grid: GridLike,
    encoding: Encoding,
    describe: Callable[[Any], None] = lambda dataset: None,
    *,
    threads: int = 1,
    bigtiff: bool | None = None,
) -> Digest | None:
    """The overviews that `assemble` would put into the file, in a file of their own: a map of half the resolution with
    overviews, which GDAL takes for those of ``NAME`` when it is called ``NAME.ovr``. Its pixels are those of `assemble`'s.

    Parameters are those of `assemble`. None, and no file, for a map of one tile, which has no overviews.
    """
    out_path = Path(out_path)
    full = Mosaic.of(shards, grid)
    if not levels(grid.width, grid.height):
        return None
    with atomic_path(out_path) as temporary, _work_directory(out_path) as work:
        template = _template(work / "template.tif", HalfGrid.of(grid), encoding, describe)
        full.check(template)
        images = _overviews(work, shards, full, grid, encoding, threads)
        return _joined(images, template, temporary, out_path, bigtiff)


def _joined(
    images: Sequence[Mosaic], template: tiff.Directory, temporary: Path, out_path: Path, bigtiff: bool | None
) -> Digest:
    """Write images of falling size behind one head."""
    for image in images:
        image.check(template)
    tags = [tiff.without_tiles(template)]
    tags += [tuple(_overview_tags(template, image.height, image.width)) for image in images[1:]]
    head, size = _plan(tags, [image.counts for image in images], bigtiff)
    require_space(out_path, size)
    with digest.writing(temporary) as out:
        out.write(head)
        for image in reversed(images):
            for tiles in image.framed():
                out.write(tiles)
        return out.digest()


@contextmanager
def _work_directory(out_path: Path) -> Iterator[Path]:
    """A directory for work files, removed at the end; what goes wrong in it is told in a sentence."""
    with tempfile.TemporaryDirectory(prefix=f".{out_path.stem}-", dir=out_path.parent) as place:
        try:
            yield Path(place)
        except (*GDAL_ERRORS, DamagedTileError) as error:
            raise disk_error(out_path, error) or RunError(
                f"{out_path} cannot be assembled: {error}; delete its shards and run again."
            ) from error


def _template(path: Path, grid: GridLike, encoding: Encoding, describe: Callable[[Any], None]) -> tiff.Directory:
    """Tags of the full image as GDAL writes them: an empty file of the full size, of which only the head is used."""
    crs = rasterio.CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else None
    profile = encoding.profile(grid.width, grid.height)
    with rasterio.open(path, "w", crs=crs, transform=Affine(*grid.transform), **profile) as dataset:
        describe(dataset)
    return tiff.read_directories(path)[0]


def _overviews(
    work: Path, shards: Sequence[ShardLike], full: Mosaic, grid: GridLike, encoding: Encoding, threads: int
) -> list[Mosaic]:
    """The overviews, from large to small: as far as all shards have them already, from what workers made."""
    found: list[Mosaic] = []
    some: Sequence[ShardLike] = shards
    at = grid
    for factor, _, _ in levels(grid.width, grid.height):
        halves = [shard.half for shard in some if shard.half is not None]
        some = halves if len(halves) == len(some) else []
        if some:
            at = HalfGrid.of(at)
            found.append(Mosaic.of(some, at))
        else:
            found.append(halved(found[-1] if found else full, work / f"overview.{factor}", encoding, threads))
    return found


def _overview_tags(template: tiff.Directory, height: int, width: int) -> list[tiff.Tag]:
    tags = {code: tag for code, tag in template.tags.items() if code in _OVERVIEW_TAGS}
    for code, value in ((tiff.NEW_SUBFILE_TYPE, 1), (tiff.WIDTH, width), (tiff.HEIGHT, height)):
        tags[code] = tiff.number_tag(code, 4, [value])
    return list(tags.values())


def _plan(
    tags: Sequence[Sequence[tiff.Tag]], counts: Sequence[NDArray[np.uint32]], bigtiff: bool | None
) -> tuple[bytes, int]:
    """The head and size of the file: classic TIFF, which every reader opens, unless it would be too large."""
    if not bigtiff:
        head, size = tiff.plan(tags, counts, big=False)
        if size <= _CLASSIC_LIMIT:
            return head, size
        if bigtiff is False:
            raise RunError("the map is larger than 4 GiB, the limit of a classic TIFF; allow BigTIFF.")
    return tiff.plan(tags, counts, big=True)
