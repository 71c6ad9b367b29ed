"""Whether a raster can be what it says of itself, told from its head before anything is decoded."""

from __future__ import annotations

import math
import os
from typing import Final

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.windows import Window

from pipelines.errors import InputError

_LARGEST_PIECE: Final = 1 << 29
"""Bytes of the largest tile or strip that is decoded."""
_SMALLEST: Final = 1e-12
"""No pixel is smaller, in any unit."""
_TEXTS: Final = ("AAIGrid", "GRASSASCIIGrid")
_ROWS: Final = 64
_COLOURS: Final = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def require_place(shown: str, d: rasterio.DatasetReader) -> None:
    """Refuse a raster that lies nowhere, or askew. shown : the file, for people."""
    t = d.transform
    if d.gcps[0] or t.is_identity:
        raise InputError(
            f"{shown}: this raster has no geotransform, only {'ground control points' if d.gcps[0] else 'pixels'}; georeference "
            f"it first (gdalwarp)"
        )
    # Pixels must be told apart by their coordinates, too.
    lost = (t.a and t.c + t.a == t.c) or (t.e and t.f + t.e == t.f)
    size = (t.a * d.width, t.e * d.height, t.c, t.f)
    if (
        lost
        or not all(map(math.isfinite, size))
        or max(abs(t.a), abs(t.b)) < _SMALLEST
        or max(abs(t.e), abs(t.d)) < _SMALLEST
    ):
        raise InputError(
            f"{shown}: its pixels are {t.a:g} x {t.e:g} at {t.c:g}, {t.f:g}, which is no place; georeference it again"
        )
    if t.b or t.d:
        raise InputError(f"{shown}: this raster is rotated; warp it to a north-up grid first (gdalwarp does)")


def require_pieces(shown: str, shape: tuple[int, int], dtype: str) -> None:
    """Refuse what cannot be decoded a part at a time: a few bytes can be the code of a piece larger than the memory."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if size > _LARGEST_PIECE:
        raise InputError(
            f"{shown}: is stored in pieces of {shape[1]} x {shape[0]} pixels ({size / 2**30:.1f} GiB each), which cannot be read "
            f"a part at a time; write it in tiles first (gdal_translate -co TILED=YES)"
        )


def require_whole(shown: str, path: str, d: rasterio.DatasetReader, band: int) -> None:
    """Refuse a raster of which the last part is missing: a long run would find out at its end."""
    if d.driver in _TEXTS:
        _read_through(shown, d, band)
    if d.driver != "GTiff" or not os.path.isfile(path):
        return
    rows, cols = d.block_shapes[band - 1]
    last = f"{(d.width - 1) // cols}_{(d.height - 1) // rows}"
    start, size = (d.get_tag_item(f"BLOCK_{what}_{last}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE"))
    there = os.path.getsize(path)
    if start and size and int(start) + int(size) > there:
        raise InputError(
            f"{shown}: is cut off: it has {there:,} bytes and its last part should end at byte {int(start) + int(size):,}; get "
            f"the file again"
        )


def _read_through(shown: str, d: rasterio.DatasetReader, band: int) -> None:
    """Rasters of text are read from their beginning once: where one ends too early, GDAL looks for its rows for ever."""
    try:
        for row in range(0, d.height, _ROWS):
            d.read(band, window=Window(0, row, d.width, min(_ROWS, d.height - row)))
    except RasterioError:
        raise InputError(
            f"{shown}: is cut off: it says it has {d.height} rows, and they are not there; get the file again"
        ) from None


def require_no_picture(name: str, shown: str, d: rasterio.DatasetReader) -> None:
    """Refuse a photograph or a rendered map, whose first band is an amount of red."""
    if sum(kind in _COLOURS for kind in d.colorinterp) == len(_COLOURS):
        raise InputError(
            f"{shown}: is a picture in colours (red, green, blue) and no {name} layer; give the data behind it, or choose a band "
            f"with --layer {name}.band=N"
        )


def require_factor(name: str, shown: str, scale: float, offset: float) -> None:
    """Refuse a scale and offset that leave nothing of the values."""
    for what, number, wrong in (("scale", scale, scale == 0), ("offset", offset, False)):
        if wrong or not math.isfinite(number):
            raise InputError(
                f"{shown}: the {name} layer has a {what} of {number:g}; say the true one with --layer {name}.{what}=…"
            )
