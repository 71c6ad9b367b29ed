"""Pixels ⇄ the bytes of a TIFF's tiles: predictor, then DEFLATE.

GDAL decides every tag, and any reader of TIFFs reads the tiles; only the compressor is another one, igzip, which is about
twice as fast as that behind GDAL at a size a few per cent larger. Where there is no igzip, zlib does the same slowly.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numba
import numpy as np
from numpy.typing import NDArray

codec: Any
try:
    from isal import isal_zlib as codec
except ImportError:  # no build of it for this machine
    codec = zlib

TILE: Final = 512
"""Side of a tile in pixels; blocks and shards begin and end at multiples of it, save at the right and bottom edge."""

ZLEVEL: Final = 1 if codec is zlib else 2
"""Level of DEFLATE: on maps of carbon, as fast as the lowest and a little smaller; the next takes twice the time."""

TYPES: Final = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "int32": "Int32", "float32": "Float32"}
"""What maps are stored in, and GDAL's names for it."""


class DamagedTileError(Exception):
    """The bytes of a tile are not what was written."""


@dataclass(frozen=True)
class Encoding:
    """How pixels become bytes, the same for all shards of a map and its overviews."""

    dtype: str
    nodata: float
    resampling: Literal["mode", "average"]

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
            "sparse_ok": "TRUE",
            "bigtiff": "IF_SAFER",
            "num_threads": "1",
        }


def encoded(array: NDArray[Any], encoding: Encoding) -> Iterator[bytes]:
    """The tiles of an array (h, w), row by row; no bytes where all of one is nodata. Edges are padded with nodata."""
    array = np.ascontiguousarray(array)
    room, ready = np.empty((TILE, TILE), array.dtype), np.empty((TILE, TILE), array.dtype)
    stored = array.dtype.type(encoding.nodata)
    for row in range(0, array.shape[0], TILE):
        for col in range(0, array.shape[1], TILE):
            tile = array[row : row + TILE, col : col + TILE]
            if _is_nothing(tile, stored):
                yield b""
            elif tile.shape == room.shape:
                yield codec.compress(_predicted(array, row, col, ready, encoding.predictor), ZLEVEL)
            else:
                room[:] = stored
                room[: tile.shape[0], : tile.shape[1]] = tile
                yield codec.compress(_predicted(room, 0, 0, ready, encoding.predictor), ZLEVEL)


def decoded(tile: bytes, encoding: Encoding) -> NDArray[Any]:
    """The pixels (512, 512) of an encoded tile; nodata where there are no bytes. Raises DamagedTileError."""
    dtype = np.dtype(encoding.dtype)
    if not tile:
        return np.full((TILE, TILE), encoding.nodata, dtype)
    try:
        data = codec.decompress(tile)
    except (codec.error, zlib.error) as error:
        raise DamagedTileError(str(error)) from error
    if len(data) != TILE * TILE * dtype.itemsize:
        raise DamagedTileError(f"a tile has {len(data)} bytes, not {TILE * TILE * dtype.itemsize}")
    if encoding.predictor == 1:
        return np.frombuffer(data, dtype).reshape(TILE, TILE)
    if encoding.predictor == 3:
        planes = np.frombuffer(data, np.uint8).reshape(TILE, -1)
        return _from_planes(planes).view(dtype)
    return _added_up(np.frombuffer(data, _unsigned(dtype)).reshape(TILE, TILE)).view(dtype)


def _predicted(array: NDArray[Any], row: int, col: int, room: NDArray[Any], predictor: int) -> NDArray[Any]:
    """What is compressed of the tile whose first pixel this is, in one piece of memory: ``room``, or as large."""
    if predictor == 2:
        unsigned = _unsigned(array.dtype)
        _differences(array.view(unsigned), row, col, room.view(unsigned))
        return room
    np.copyto(room, array[row : row + TILE, col : col + TILE])
    return _planes(room.view(np.uint8)) if predictor == 3 else room


def _unsigned(dtype: np.dtype) -> np.dtype:
    """Differences wrap around: what is added up again comes out right."""
    return np.dtype(f"u{dtype.itemsize}")


def _is_nothing(tile: NDArray[Any], nodata: Any) -> bool:
    """Whether nothing but nodata is stored; infinities are values."""
    if nodata != nodata:
        return bool(np.isnan(tile).all())
    return bool(tile[0, 0] == nodata) and bool((tile == nodata).all())


@numba.njit(nogil=True, cache=True)
def _differences(array: NDArray[Any], row: int, col: int, out: NDArray[Any]) -> None:
    """Predictor 2 of TIFF: every pixel less the one before it in its row; of the part of the array that begins here.

    The array is given whole, for rows of a part that is cut out of it are not known to lie in one piece, which costs vector code.
    """
    for i in range(out.shape[0]):
        line, held = out[i], array[row + i, col : col + out.shape[1]]
        line[0] = held[0]
        for j in range(1, line.size):
            line[j] = held[j] - held[j - 1]


@numba.njit(nogil=True, cache=True)
def _added_up(tile: NDArray[Any]) -> NDArray[Any]:
    out = np.empty(tile.shape, tile.dtype)
    for i in range(tile.shape[0]):
        line, row = out[i], tile[i]
        line[0] = row[0]
        for j in range(1, row.size):
            line[j] = line[j - 1] + row[j]
    return out


@numba.njit(nogil=True, cache=True)
def _planes(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Predictor 3 of TIFF, of float32 (h, 4·w bytes, little-endian): all highest bytes of a row first, then differences."""
    h, w = tile.shape[0], tile.shape[1] // 4
    out = np.empty(tile.shape, np.uint8)
    for i in range(h):
        line, row = out[i], tile[i]
        for k in range(4):
            for j in range(w):
                line[k * w + j] = row[4 * j + 3 - k]
        before = np.uint8(0)
        for j in range(4 * w):
            value = line[j]
            line[j] = value - before
            before = value
    return out


@numba.njit(nogil=True, cache=True)
def _from_planes(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    h, w = planes.shape[0], planes.shape[1] // 4
    out = np.empty(planes.shape, np.uint8)
    line = np.empty(4 * w, np.uint8)
    for i in range(h):
        value = np.uint8(0)
        for j in range(4 * w):
            value = np.uint8(value + planes[i, j])
            line[j] = value
        for k in range(4):
            for j in range(w):
                out[i, 4 * j + 3 - k] = line[k * w + j]
    return out
