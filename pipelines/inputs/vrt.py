"""Virtual rasters as text: tiles joined into one layer, and a view of a layer that makes all that is absent look alike.

rasterio has no BuildVRT. A VRT is plain text, so that it travels to workers; GDAL opens the text itself.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import numpy as np
import shapely

GDAL_TYPES: Final = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32", "int32": "Int32",
    "float32": "Float32", "float64": "Float64", "uint64": "UInt64", "int64": "Int64",
}  # fmt: skip
_WIDER: Final = {"uint8": "int16", "int8": "int16", "uint16": "int32", "int16": "int32"}
_GDAL_NAME: Final = re.compile(r"^(/vsi|<|[A-Za-z0-9_]{2,}:)")


class Tile(NamedTuple):
    """One raster of several: GDAL name, band, first column and row in the whole, shape, whether it has a mask band."""

    path: str
    band: int
    col: int
    row: int
    width: int
    height: int
    masked: bool


def joined(
    tiles: Sequence[Tile], crs_wkt: str, transform: Sequence[float], dtype: str, nodata: float | None,
    scale: float, offset: float, unit: str, relative: bool = False, description: str = "",
) -> str:  # fmt: skip
    """One raster of one band over tiles of one lattice; where tiles overlap the later one wins, as in GDAL.

    relative : the tiles are named as seen from the virtual raster's own folder.

    Where no nodata value can mark what lies between the tiles, or where tiles have masks, the whole gets a mask band:
    a gap must not read as zero.
    """
    width, height = _shape(tiles)
    mask = ""
    if any(t.masked for t in tiles) or (nodata is None and gap_share(tiles) > 0):
        parts = "".join(_part("SimpleSource", t, f"mask,{t.band}", relative=relative) for t in tiles)
        mask = f'<MaskBand><VRTRasterBand dataType="Byte">{parts}</VRTRasterBand></MaskBand>'
    if nodata is None:
        body, fill = "".join(_part("SimpleSource", t, str(t.band), relative=relative) for t in tiles), ""
    else:
        more = f"<NODATA>{number(nodata)}</NODATA>"
        body = "".join(_part("ComplexSource", t, str(t.band), more, relative) for t in tiles)
        fill = f"<NoDataValue>{number(nodata)}</NoDataValue>"
    fill = f"<Description>{escape(description)}</Description>{fill}" if description else fill
    said = f"{fill}<Offset>{offset!r}</Offset><Scale>{scale!r}</Scale><UnitType>{escape(unit)}</UnitType>"
    return _dataset(width, height, crs_wkt, transform, GDAL_TYPES[dtype], said + body, mask)


def gap_share(tiles: Sequence[Tile]) -> float:
    """Part of the rectangle around all tiles in which there is none."""
    width, height = _shape(tiles)
    covered = shapely.union_all(shapely.box(*zip(*(_box(t) for t in tiles), strict=True))).area
    return max(0.0, 1 - covered / (width * height))


def _shape(tiles: Sequence[Tile]) -> tuple[int, int]:
    return max(t.col + t.width for t in tiles), max(t.row + t.height for t in tiles)


def view(
    tile: Tile, crs_wkt: str, transform: Sequence[float], stored: str, dtype: str, nodata: float | None, hole: float,
    scale: float = 1.0, offset: float = 0.0,
) -> str:  # fmt: skip
    """A raster as the warper should see it: scaled, of type ``dtype``, and ``hole`` wherever it has no value.

    stored : its own type. A file's nodata, its mask or alpha band and NaN are three ways to be absent that GDAL does not
    combine by itself: a source with both nodata and mask loses the mask, so that the mask is applied by a view below.
    """
    if tile.masked and nodata is not None:
        inner = view(tile, crs_wkt, transform, stored, stored, None, nodata)
        tile = tile._replace(path=inner, band=1, masked=False)
    more = "<UseMaskBand>true</UseMaskBand>" if tile.masked else ""
    more += f"<NODATA>{number(nodata)}</NODATA>" if nodata is not None else ""
    if scale != 1 or offset != 0:
        more += f"<ScaleOffset>{offset!r}</ScaleOffset><ScaleRatio>{scale!r}</ScaleRatio>"
    body = f"<NoDataValue>{number(hole)}</NoDataValue>{_part('ComplexSource', tile, str(tile.band), more)}"
    return _dataset(tile.width, tile.height, crs_wkt, transform, GDAL_TYPES[dtype], body)


def class_view_type(dtype: str, nodata: float | None) -> tuple[str, float]:
    """Data type of the view of a class raster and the value that marks absent pixels in it.

    That is the file's own nodata value; without one, a value which the file's own type cannot hold.
    """
    if dtype.startswith("float") or (nodata is None and dtype not in _WIDER):
        return "float64", math.nan
    if nodata is not None:
        return dtype, nodata
    return _WIDER[dtype], -1.0 if dtype.startswith("u") else -32768.0


def fitting_nodata(nodata: float | None, dtype: str) -> float | None:
    """A nodata value, None where the data type cannot hold it."""
    if nodata is None or dtype.startswith("float"):
        return None if nodata is None else float(nodata)
    info = np.iinfo(dtype)
    fits = math.isfinite(nodata) and float(nodata).is_integer() and info.min <= nodata <= info.max
    return float(nodata) if fits else None


def number(value: float) -> str:
    """A number as GDAL reads it back to the same bits."""
    if math.isnan(value):
        return "nan"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**63 else repr(float(value))


def _box(tile: Tile) -> tuple[int, int, int, int]:
    return tile.col, tile.row, tile.col + tile.width, tile.row + tile.height


def _dataset(
    width: int, height: int, crs_wkt: str, transform: Sequence[float], kind: str, body: str, mask: str = ""
) -> str:
    a, b, c, d, e, f = transform
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{escape(crs_wkt)}</SRS>'
        f"<GeoTransform>{c!r}, {a!r}, {b!r}, {f!r}, {d!r}, {e!r}</GeoTransform>"
        f'<VRTRasterBand dataType="{kind}" band="1">{body}</VRTRasterBand>{mask}</VRTDataset>'
    )


def _part(element: str, tile: Tile, band: str, more: str = "", relative: bool = False) -> str:
    path = tile.path if relative or _GDAL_NAME.match(tile.path) else os.path.abspath(tile.path)
    return (
        f'<{element}><SourceFilename relativeToVRT="{relative:d}" shared="0">{escape(path)}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand>"
        f'<SrcRect xOff="0" yOff="0" xSize="{tile.width}" ySize="{tile.height}"/>'
        f'<DstRect xOff="{tile.col}" yOff="{tile.row}" xSize="{tile.width}" ySize="{tile.height}"/>{more}</{element}>'
    )
