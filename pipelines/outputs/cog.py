"""Shards → one Cloud-Optimized GeoTIFF, every tile encoded once.

GDAL's own COG driver decodes and encodes every pixel again. Here the tiles that the workers encoded are copied as they
are: GDAL only builds the overviews, from a VRT over the shards, and decides every tag, in an empty template of the full
size.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from pipelines.errors import RunError
from pipelines.files.atomic import atomic_path, disk_error, require_space
from pipelines.outputs import tiff

TILE: Final = 512
"""Side of a tile in pixels; blocks and shards begin and end at multiples of it, save at the right and bottom edge."""

ZLEVEL: Final = 1
"""DEFLATE level. Against level 6, on noisy 4096² pixels: uint16 3 % smaller, 1.1 times faster; float32 3 % larger and
3 times faster; classes up to twice as large, at a tenth of a byte a pixel, and 2 to 8 times faster."""

_TYPES: Final = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "int32": "Int32", "float32": "Float32"}
DTYPES: Final = tuple(_TYPES)

GDAL_ERRORS: Final = (RasterioError, CPLE_BaseError)
"""What rasterio raises when GDAL fails; the second, which overviews raise, has no public name."""

_CLASSIC_LIMIT: Final = (1 << 32) - 1
_OPEN_FILES: Final = 64
_OVERVIEW_TAGS: Final = frozenset({256, 257, 258, 259, 262, 277, 284, 317, 320, 322, 323, 338, 339, 42113})
"""What an overview shares with the full image: size, coding, palette and nodata; not the place nor the metadata."""


class GridLike(Protocol):
    """The raster that all shards are part of."""

    @property
    def crs_wkt(self) -> str: ...
    @property
    def transform(self) -> tuple[float, float, float, float, float, float]: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class BlockLike(Protocol):
    """A rectangle of the grid: its first row and column, and its size in pixels."""

    @property
    def row(self) -> int: ...
    @property
    def col(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...


class ShardLike(BlockLike, Protocol):
    """An encoded block; without a path when all of it is nodata. half : the same at half the resolution, if made."""

    @property
    def path(self) -> Path | None: ...
    @property
    def half(self) -> HalfShard | None: ...


@dataclass(frozen=True)
class HalfShard:
    """A block at half the resolution, at its place in the raster of half the size."""

    path: Path | None
    row: int
    col: int
    height: int
    width: int
    half: None = None


@dataclass(frozen=True)
class _HalfGrid:
    """The raster of half the size that half shards tile."""

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @classmethod
    def of(cls, grid: GridLike) -> _HalfGrid:
        a, b, c, d, e, f = grid.transform
        return cls(grid.crs_wkt, (2 * a, 2 * b, c, 2 * d, 2 * e, f), -(-grid.width // 2), -(-grid.height // 2))


@dataclass(frozen=True)
class Encoding:
    """How pixels become bytes, the same for all shards of a map and its overviews."""

    dtype: str
    nodata: float
    resampling: Literal["mode", "average"]
    zlevel: int = ZLEVEL

    @property
    def predictor(self) -> int:
        """Differences help densities only: class codes have no slope, and without it are smaller and faster."""
        if self.resampling == "mode":
            return 1
        return 3 if np.dtype(self.dtype).kind == "f" else 2

    def profile(self, width: int, height: int) -> dict[str, Any]:
        """Arguments of `rasterio.open` for a plain tiled GeoTIFF in which tiles of nodata take no room."""
        return {
            "driver": "GTiff",
            "width": width,
            "height": height,
            "count": 1,
            "dtype": self.dtype,
            "nodata": self.nodata,
            "tiled": True,
            "blockxsize": TILE,
            "blockysize": TILE,
            "compress": "DEFLATE",
            "predictor": self.predictor,
            "zlevel": self.zlevel,
            "sparse_ok": "TRUE",
            "bigtiff": "IF_SAFER",
            "num_threads": "1",
        }


def assemble(
    shards: Sequence[ShardLike],
    out_path: Path,
    grid: GridLike,
    encoding: Encoding,
    describe: Callable[[Any], None] = lambda dataset: None,
    *,
    threads: int = 1,
    bigtiff: bool | None = None,
) -> None:
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

    Raises
    ------
    RunError
        The disk is full, or a shard is missing, cut short, overlapping or encoded otherwise.
    """
    out_path = Path(out_path)
    full = _Mosaic.of(shards, grid)
    # Work files lie beside the output, because the system's temporary directory is often small or held in memory.
    with atomic_path(out_path) as temporary, _work_directory(out_path) as work:
        template = _template(work / "template.tif", grid, encoding, describe)
        images = [full, *_overviews(work, shards, grid, encoding, threads)]
        for image in images:
            image.check(template)
        tags = [_kept(template)] + [_overview_tags(template, image.height, image.width) for image in images[1:]]
        head, size = _plan(tags, [image.counts for image in images], bigtiff)
        require_space(out_path, size)
        with temporary.open("wb", buffering=1 << 20) as out:
            out.write(head)
            for image in reversed(images):
                for tile in image.read():
                    out.write(tiff.framed(tile))


def levels(width: int, height: int) -> list[tuple[int, int, int]]:
    """Factor, width and height of each overview: halves until both sides fit in a tile."""
    found, factor = [], 1
    while -(-width // factor) > TILE or -(-height // factor) > TILE:
        factor *= 2
        found.append((factor, -(-width // factor), -(-height // factor)))
    return found


@contextmanager
def _work_directory(out_path: Path) -> Iterator[Path]:
    """A directory for work files, removed at the end; GDAL's errors in it become ours."""
    with tempfile.TemporaryDirectory(prefix=f".{out_path.stem}-", dir=out_path.parent) as place:
        try:
            yield Path(place)
        except GDAL_ERRORS as error:
            raise disk_error(out_path, error) or RunError(
                f"{out_path} cannot be assembled: {error}; delete its shards and run again."
            ) from error


@dataclass(frozen=True)
class _Mosaic:
    """One image of the output, and in which file the bytes of each of its tiles lie, row by row."""

    width: int
    height: int
    files: list[Path]
    source: NDArray[np.int32]
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint32]
    codings: dict[tuple[tuple[int, ...], ...], Path]

    @classmethod
    def of(cls, shards: Sequence[ShardLike], grid: GridLike) -> _Mosaic:
        """The full image. Raises `RunError` where the shards do not tile the grid."""
        rows, cols = -(-grid.height // TILE), -(-grid.width // TILE)
        source = np.full((rows, cols), -2, dtype=np.int32)
        offsets, counts = np.zeros((rows, cols), dtype=np.uint64), np.zeros((rows, cols), dtype=np.uint32)
        files: list[Path] = []
        codings: dict[tuple[tuple[int, ...], ...], Path] = {}
        for shard in shards:
            check_block(shard, grid)
            window = np.s_[
                shard.row // TILE : -(-(shard.row + shard.height) // TILE),
                shard.col // TILE : -(-(shard.col + shard.width) // TILE),
            ]
            if (source[window] != -2).any():
                raise RunError(f"two shards hold row {shard.row}, column {shard.col}; delete the shards and run again.")
            source[window] = -1
            if shard.path is None:
                continue
            image = _only_image(Path(shard.path), shard)
            at, size = image.tiles
            shape = source[window].shape
            source[window], offsets[window], counts[window] = len(files), at.reshape(shape), size.reshape(shape)
            files.append(Path(shard.path))
            codings.setdefault(image.coding, Path(shard.path))
        if (source == -2).any():
            row, col = (int(k[0]) * TILE for k in np.nonzero(source == -2))
            raise RunError(f"no shard holds row {row}, column {col}; run again, so that the missing blocks are made.")
        return cls(grid.width, grid.height, files, source.ravel(), offsets.ravel(), counts.ravel(), codings)

    @classmethod
    def of_image(cls, path: Path, image: tiff.Directory) -> _Mosaic:
        """An image that lies in one file."""
        offsets, counts = image.tiles
        source = np.zeros(counts.size, dtype=np.int32)
        return cls(image.width, image.height, [path], source, offsets, counts, {image.coding: path})

    @classmethod
    def empty(cls, width: int, height: int) -> _Mosaic:
        """An image without a stored tile."""
        count = -(-width // TILE) * -(-height // TILE)
        zeros = np.zeros(count, dtype=np.uint32)
        return cls(width, height, [], np.full(count, -1, np.int32), zeros.astype(np.uint64), zeros, {})

    def check(self, template: tiff.Directory) -> None:
        """See that every tile is encoded as the directory in front of it will say."""
        for coding, path in self.codings.items():
            if coding != template.coding:
                raise RunError(f"{path} is encoded otherwise than this run does; delete it and run again.")

    def read(self) -> Iterator[bytes]:
        """The stored tiles, row by row."""
        with closing(_Handles()) as handles:
            for k in np.flatnonzero(self.counts):
                path, size = self.files[self.source[k]], int(self.counts[k])
                stream = handles.open(path)
                stream.seek(int(self.offsets[k]))
                tile = stream.read(size)
                if len(tile) != size:
                    raise RunError(f"{path} was cut short while it was read; delete it and run again.")
                yield tile


class _Handles:
    """Open files, the longest unused one closed first: a row of tiles may cross more shards than may be open."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, BinaryIO] = OrderedDict()

    def open(self, path: Path) -> BinaryIO:
        stream = self._open.pop(path, None)
        if stream is None:
            if len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            stream = path.open("rb", buffering=0)
        self._open[path] = stream
        return stream

    def close(self) -> None:
        for stream in self._open.values():
            stream.close()


def check_block(block: BlockLike, grid: GridLike) -> None:
    """Raise ValueError where a block does not begin and end at tiles of the grid."""
    bottom, right = block.row + block.height, block.col + block.width
    inside = 0 <= block.row < bottom <= grid.height and 0 <= block.col < right <= grid.width
    tiled = block.row % TILE == 0 == block.col % TILE
    ends = (bottom % TILE == 0 or bottom == grid.height) and (right % TILE == 0 or right == grid.width)
    if not (inside and tiled and ends):
        raise ValueError(
            f"block {block.height} × {block.width} at row {block.row}, column {block.col} does not lie on "
            f"{TILE}-pixel tiles of the {grid.height} × {grid.width} grid"
        )


def _only_image(path: Path, shard: ShardLike) -> tiff.Directory:
    try:
        images = tiff.read_directories(path)
    except FileNotFoundError as error:
        raise RunError(f"{path} is gone; run again, so that it is made anew.") from error
    if len(images) != 1 or (images[0].width, images[0].height) != (shard.width, shard.height):
        raise RunError(f"{path} is not the {shard.height} × {shard.width} block expected; delete it and run again.")
    if images[0].shape_in_tiles != (-(-shard.height // TILE), -(-shard.width // TILE)):
        raise RunError(f"{path} is not cut into {TILE}-pixel tiles; delete it and run again.")
    return images[0]


def _template(path: Path, grid: GridLike, encoding: Encoding, describe: Callable[[Any], None]) -> tiff.Directory:
    """Tags of the full image as GDAL writes them: an empty file of the full size, of which only the head is used."""
    crs = rasterio.CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else None
    profile = encoding.profile(grid.width, grid.height)
    with rasterio.open(path, "w", crs=crs, transform=Affine(*grid.transform), **profile) as dataset:
        describe(dataset)
    return tiff.read_directories(path)[0]


def _overviews(
    work: Path, shards: Sequence[ShardLike], grid: GridLike, encoding: Encoding, threads: int
) -> list[_Mosaic]:
    """The overviews, from large to small: the first from the shards' halves where they have them, the others by GDAL."""
    wanted = levels(grid.width, grid.height)
    halves = [shard.half for shard in shards]
    if wanted and None not in halves:
        first, half = [h for h in halves if h is not None], _HalfGrid.of(grid)
        return [_Mosaic.of(first, half), *_overviews(work, first, half, encoding, threads)]
    if not wanted or all(shard.path is None for shard in shards):
        return [_Mosaic.empty(width, height) for _, width, height in wanted]
    vrt = work / "mosaic.vrt"
    vrt.write_bytes(_vrt(shards, grid, encoding))
    options = {
        "COMPRESS_OVERVIEW": "DEFLATE",
        "PREDICTOR_OVERVIEW": encoding.predictor,
        "ZLEVEL_OVERVIEW": encoding.zlevel,
        "GDAL_TIFF_OVR_BLOCKSIZE": TILE,
        "BIGTIFF_OVERVIEW": "IF_SAFER",
        "SPARSE_OK_OVERVIEW": "ON",
        "GDAL_NUM_THREADS": threads,
    }
    with rasterio.Env(**options), rasterio.open(vrt, "r+") as dataset:
        dataset.build_overviews([factor for factor, _, _ in wanted], Resampling[encoding.resampling])
    ovr = work / "mosaic.vrt.ovr"
    found = {(image.width, image.height): image for image in tiff.read_directories(ovr)}
    return [_Mosaic.of_image(ovr, found[width, height]) for _, width, height in wanted]


def _vrt(shards: Sequence[ShardLike], grid: GridLike, encoding: Encoding) -> bytes:
    gdal_type = _TYPES[encoding.dtype]
    root = ET.Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    a, b, c, d, e, f = grid.transform
    ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in (c, a, b, f, d, e))
    tile = {"blockXSize": str(TILE), "blockYSize": str(TILE)}
    band = ET.SubElement(root, "VRTRasterBand", {"dataType": gdal_type, "band": "1", **tile})
    ET.SubElement(band, "NoDataValue").text = repr(float(encoding.nodata))
    for shard in shards:
        if shard.path is None:
            continue
        width, height = str(shard.width), str(shard.height)
        source = ET.SubElement(band, "SimpleSource")
        ET.SubElement(source, "SourceFilename", relativeToVRT="0").text = str(Path(shard.path).absolute())
        ET.SubElement(source, "SourceBand").text = "1"
        # With the properties given here GDAL need not open every shard in advance.
        properties = {"DataType": gdal_type, "BlockXSize": str(TILE), "BlockYSize": str(TILE)}
        ET.SubElement(source, "SourceProperties", {"RasterXSize": width, "RasterYSize": height, **properties})
        ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=height)
        ET.SubElement(source, "DstRect", xOff=str(shard.col), yOff=str(shard.row), xSize=width, ySize=height)
    return ET.tostring(root, encoding="utf-8")


def _kept(template: tiff.Directory) -> list[tiff.Tag]:
    return [tag for code, tag in template.tags.items() if code not in (tiff.TILE_OFFSETS, tiff.TILE_COUNTS)]


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
