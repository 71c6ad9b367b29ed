"""The tiles of one image: in which file the bytes of each lie, whether the image is whole or cut into shards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import RunError
from pipelines.outputs import tiff
from pipelines.outputs.encoding import TILE

_OPEN_FILES: Final = 64
_READ: Final = 4 << 20
"""Bytes of neighbouring tiles that are read at once, at most; a single tile may be more."""


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
    """A block at half the resolution, at its place in the raster of half the size. half : the same of this one, if made."""

    path: Path | None
    row: int
    col: int
    height: int
    width: int
    half: HalfShard | None = None


@dataclass(frozen=True)
class HalfGrid:
    """The raster of half the size that half shards tile."""

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @classmethod
    def of(cls, grid: GridLike) -> HalfGrid:
        a, b, c, d, e, f = grid.transform
        return cls(grid.crs_wkt, (2 * a, 2 * b, c, 2 * d, 2 * e, f), -(-grid.width // 2), -(-grid.height // 2))


@dataclass(frozen=True)
class Mosaic:
    """One image of the output, and in which file the bytes of each of its tiles lie, row by row."""

    width: int
    height: int
    files: list[Path]
    source: NDArray[np.int32]
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint32]
    codings: dict[tuple[tuple[int, ...], ...], Path]

    @classmethod
    def of(cls, shards: Sequence[ShardLike], grid: GridLike) -> Mosaic:
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
    def of_tiles(
        cls, width: int, height: int, path: Path, offsets: NDArray[np.uint64], counts: NDArray[np.uint32]
    ) -> Mosaic:
        """An image whose tiles lie in one file, as this run encoded them."""
        return cls(width, height, [path], np.zeros(counts.size, np.int32), offsets, counts, {})

    @classmethod
    def empty(cls, width: int, height: int) -> Mosaic:
        """An image without a stored tile."""
        count = -(-width // TILE) * -(-height // TILE)
        zeros = np.zeros(count, dtype=np.uint32)
        return cls(width, height, [], np.full(count, -1, np.int32), zeros.astype(np.uint64), zeros, {})

    def check(self, template: tiff.Directory) -> None:
        """See that every tile is encoded as the directory in front of it will say."""
        for coding, path in self.codings.items():
            if coding != template.coding:
                raise RunError(f"{path} is encoded otherwise than this run does; delete it and run again.")

    @property
    def shape_in_tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return -(-self.height // TILE), -(-self.width // TILE)

    def read(self, tiles: NDArray[np.int64] | None = None) -> Iterator[bytes]:
        """The bytes of these tiles, by default of all that are stored, row by row; none where nothing is stored."""
        with closing(_Handles()) as handles:
            for k in np.flatnonzero(self.counts) if tiles is None else tiles:
                size = int(self.counts[k])
                if not size:
                    yield b""
                    continue
                path = self.files[self.source[k]]
                stream = handles.open(path)
                stream.seek(int(self.offsets[k]))
                tile = stream.read(size)
                if len(tile) != size:
                    raise RunError(f"{path} was cut short while it was read; delete it and run again.")
                yield tile

    def framed(self) -> Iterator[bytes]:
        """All stored tiles with their frames, row by row, as the output holds them; neighbours in one file at once."""
        with closing(_Handles()) as handles:
            for some in self._runs():
                path = self.files[self.source[some[0]]]
                stream = handles.open(path)
                start = int(self.offsets[some[0]]) - tiff.LEADER
                stream.seek(start)
                size = int(self.offsets[some[-1]]) + int(self.counts[some[-1]]) + tiff.TRAILER - start
                data = stream.read(size)
                places = zip(self.offsets[some] - np.uint64(start), self.counts[some], strict=True)
                if len(data) == size and all(tiff.is_framed(data, int(at), int(count)) for at, count in places):
                    yield data
                else:  # tiles that another program wrote, or that were cut short since, which is told
                    yield from map(tiff.framed, self.read(some))

    def _runs(self) -> Iterator[NDArray[np.int64]]:
        """Stored tiles, row by row, in runs that lie one behind the other in one file."""
        stored = np.flatnonzero(self.counts)
        if not stored.size:
            return
        source, offsets, counts = self.source[stored], self.offsets[stored], self.counts[stored].astype(np.uint64)
        ends = offsets + counts + np.uint64(tiff.LEADER + tiff.TRAILER)
        apart = (source[1:] != source[:-1]) | (offsets[1:] != ends[:-1])
        for run in np.split(np.arange(stored.size), np.flatnonzero(apart) + 1):
            pieces = (np.cumsum(counts[run]) - counts[run]) // np.uint64(_READ)
            yield from (stored[part] for part in np.split(run, np.flatnonzero(np.diff(pieces)) + 1))


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
