"""One block of one source on the grid: warped or shifted, nodata masked, scaled.

The kind of a layer decides. A class takes the nearest pixel, or the commonest where the source is finer. A density is the
area-weighted mean. An amount per pixel becomes a density per source pixel area, is averaged, and becomes an amount per grid
pixel again, so that mass is kept. Every way gives the same values for any partition into blocks.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from pipelines.errors import InputError, RunError
from pipelines.grid import Block, Grid
from pipelines.sources import GDAL_ENV, Source, open_raster
from sinks.area import areal_scale, cell_area, ellipsoid

FINER: Final = 1.5
"""A source whose pixels are this many times smaller than the grid's is finer than it."""
_HANDLES: Final = 16
_SAME: Final = 1e-3
"""Pixels by which two grids may differ and still be the same."""


@dataclass(frozen=True)
class Alignment:
    """How a source comes to the grid; plain values, so that it travels.

    mode : "window" (same lattice, read at an offset) or "warp"; row, col : the grid's origin in the source's pixels;
    flip_x, flip_y : the source runs the other way; notes : what is done to it, for people; overlap : share of the grid
    that the source covers.
    """

    source: Source
    grid: Grid
    mode: str
    resampling: str
    row: int = 0
    col: int = 0
    overlap: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.source.path


@dataclass(frozen=True)
class Values:
    """A block of a layer. data (h, w): float32 with NaN where absent, or the class's own integers;
    valid : for classes, where there is a value, None if nodata shows only by its code."""

    data: NDArray
    valid: NDArray[np.bool_] | None = None


def plan(source: Source, grid: Grid) -> Alignment:
    """Decide how a source comes to the grid. Raises InputError when they do not overlap."""
    overlap = _overlap(source, grid)
    name = source.layer.name
    if overlap <= 0:
        raise InputError(f"{source.path}: the {name} layer does not overlap the land cover; check its CRS and extent")
    notes = []
    if overlap < 0.999:
        notes.append(f"{name}: covers {overlap:.1%} of the map; the rest has no value")
    shift = _lattice_shift(source, grid)
    if shift is not None:
        row, col = shift
        if (row, col) != (0, 0):
            notes.append(f"{name}: on the grid's lattice, read {row} rows and {col} columns off")
        return Alignment(source, grid, "window", "none", row, col, overlap, tuple(notes))
    resampling = source.layer.resampling or _resampling(source, grid)
    if resampling not in Resampling.__members__:
        raise InputError(f"--layer {name}.resampling={resampling} is unknown; choose nearest, mode or average")
    source_crs, grid_crs = pyproj.CRS.from_wkt(source.crs_wkt), grid.crs
    moved = f"from {source_crs.name} to {grid_crs.name}" if not source_crs.equals(grid_crs) else "within its CRS"
    size = f"{source.transform[0]:g} to {grid.transform[0]:g} units a pixel"
    how = {"nearest": "nearest pixel", "mode": "commonest class", "average": "area-weighted mean"}.get(
        resampling, resampling
    )
    kept = ", mass kept" if source.layer.kind == "amount" else ""
    notes.append(f"{name}: warped {moved}, {size}, {how}{kept}")
    return Alignment(source, grid, "warp", resampling, 0, 0, overlap, tuple(notes))


def read(alignment: Alignment, block: Block, halo: int = 0) -> Values:
    """A block's values, with ``halo`` more pixels on every side (absent beyond the map). Raises RunError when a read fails."""
    wide = Block(block.index, block.row - halo, block.col - halo, block.height + 2 * halo, block.width + 2 * halo)
    try:
        with rasterio.Env(**GDAL_ENV):
            data, valid = _window(alignment, wide) if alignment.mode == "window" else _warped(alignment, wide)
    except RasterioError as error:
        raise RunError(
            f"{alignment.path}: reading rows {block.row} to {block.row + block.height} failed ({str(error).splitlines()[0]}); "
            f"the file is damaged or has changed"
        ) from error
    if alignment.source.layer.kind == "class":
        return Values(_integers(alignment, data, valid), valid)
    return Values(_measured(alignment, wide, data, valid))


# ------------------------------------------------------------------------------------------ deciding


def _overlap(source: Source, grid: Grid) -> float:
    """Share of the grid's extent that the source covers, in the grid's CRS."""
    a, _, x0, _, e, y0 = source.transform
    xs, ys = sorted((x0, x0 + a * source.width)), sorted((y0, y0 + e * source.height))
    box = (xs[0], ys[0], xs[1], ys[1])
    source_crs = pyproj.CRS.from_wkt(source.crs_wkt)
    if not source_crs.equals(grid.crs):
        transformer = pyproj.Transformer.from_crs(source_crs, grid.crs, always_xy=True)
        box = transformer.transform_bounds(*box, densify_pts=21)
        if not all(map(math.isfinite, box)):
            return 1.0  # the source reaches where the grid's projection is not defined: let the warp decide
    west, south, east, north = grid.bounds
    width = min(east, box[2]) - max(west, box[0])
    height = min(north, box[3]) - max(south, box[1])
    return max(0.0, width) * max(0.0, height) / ((east - west) * (north - south))


def _lattice_shift(source: Source, grid: Grid) -> tuple[int, int] | None:
    """The grid's origin in source pixels, if both are one lattice; None if the source must be warped."""
    a, _, x0, _, e, y0 = source.transform
    ga, _, gx, _, ge, gy = grid.transform
    if a < 0 or e > 0 or not pyproj.CRS.from_wkt(source.crs_wkt).equals(grid.crs):
        return None
    if abs(a - ga) * grid.width > _SAME * ga or abs(e - ge) * grid.height > _SAME * -ge:
        return None
    col, row = (gx - x0) / a, (gy - y0) / e
    if abs(col - round(col)) > _SAME or abs(row - round(row)) > _SAME:
        return None
    return round(row), round(col)


def _resampling(source: Source, grid: Grid) -> str:
    """By kind; for classes by whether the source is finer than the grid."""
    if source.layer.kind != "class":
        return "average"
    return (
        "mode"
        if _pixel_metres(grid.crs, grid.transform)
        > FINER * _pixel_metres(pyproj.CRS.from_wkt(source.crs_wkt), source.transform)
        else "nearest"
    )


def _pixel_metres(crs: pyproj.CRS, transform: tuple[float, ...]) -> float:
    """Rough height of a pixel [m]."""
    return abs(transform[4]) * (111_320.0 if crs.is_geographic else float(crs.axis_info[0].unit_conversion_factor))


# ------------------------------------------------------------------------------------------ reading


class _Handles(threading.local):
    """Open datasets of this thread by alignment: never shared, never pickled, the oldest closed when there are many."""

    def __init__(self) -> None:
        self._open: OrderedDict[Alignment, tuple[rasterio.DatasetReader, WarpedVRT | None]] = OrderedDict()

    def get(self, alignment: Alignment) -> tuple[rasterio.DatasetReader, WarpedVRT | None]:
        if alignment in self._open:
            self._open.move_to_end(alignment)
            return self._open[alignment]
        while len(self._open) >= _HANDLES:
            _, (dataset, vrt) = self._open.popitem(last=False)
            if vrt is not None:
                vrt.close()
            dataset.close()
        dataset = open_raster(alignment.path)
        self._open[alignment] = (dataset, _vrt(alignment, dataset) if alignment.mode == "warp" else None)
        return self._open[alignment]


_handles = _Handles()


def _vrt(alignment: Alignment, dataset: rasterio.DatasetReader) -> WarpedVRT:
    """A warp that gives the same pixels for any window: exact transformer, kernel size not guessed per window."""
    grid, source = alignment.grid, alignment.source
    nodata = source.nodata
    more = {"add_alpha": True} if nodata is None and not source.has_mask else {}
    return WarpedVRT(
        dataset, src_crs=source.crs_wkt, crs=grid.crs_wkt, transform=Affine(*grid.transform), width=grid.width, height=grid.height,
        src_nodata=nodata, nodata=nodata, resampling=Resampling[alignment.resampling], tolerance=1e-6, XSCALE=1, YSCALE=1,
        NUM_THREADS=1, **more,
    )  # fmt: skip


def _clipped(block: Block, row: int, col: int, height: int, width: int) -> tuple[Window, tuple[slice, slice]] | None:
    """The part of a block (moved by row, col) that lies within a raster, and where it goes in the block's array."""
    top, left = max(0, block.row + row), max(0, block.col + col)
    bottom, right = min(height, block.row + row + block.height), min(width, block.col + col + block.width)
    if top >= bottom or left >= right:
        return None
    at = (
        slice(top - block.row - row, bottom - block.row - row),
        slice(left - block.col - col, right - block.col - col),
    )
    return Window(left, top, right - left, bottom - top), at


def _window(alignment: Alignment, block: Block) -> tuple[NDArray, NDArray[np.bool_] | None]:
    """Read at an offset; absent beyond the source and beyond the map."""
    source = alignment.source
    dataset, _ = _handles.get(alignment)
    part = _clipped(block, alignment.row, alignment.col, source.height, source.width)
    whole = part is not None and part[0].width == block.width and part[0].height == block.height
    inside = _clipped(block, 0, 0, alignment.grid.height, alignment.grid.width)
    if whole and inside is not None and inside[0].width == block.width and inside[0].height == block.height:
        data = dataset.read(source.band, window=part[0])
        valid = dataset.read_masks(source.band, window=part[0]) > 0 if source.has_mask else None
        return data, valid
    data = np.zeros((block.height, block.width), source.dtype)
    valid = np.zeros(data.shape, bool)
    if part is not None:
        window, at = part
        data[at] = dataset.read(source.band, window=window)
        valid[at] = dataset.read_masks(source.band, window=window) > 0 if source.has_mask else True
    if inside is None:
        valid[:] = False
    else:
        outside = np.ones(data.shape, bool)
        outside[inside[1]] = False
        valid[outside] = False
    return data, valid


def _warped(alignment: Alignment, block: Block) -> tuple[NDArray, NDArray[np.bool_] | None]:
    source = alignment.source
    _, vrt = _handles.get(alignment)
    part = _clipped(block, 0, 0, alignment.grid.height, alignment.grid.width)
    data = np.zeros((block.height, block.width), source.dtype)
    valid = np.zeros(data.shape, bool)
    if part is not None and vrt is not None:
        window, at = part
        data[at] = vrt.read(source.band, window=window)
        if source.nodata is None or source.has_mask:
            valid[at] = vrt.read_masks(source.band, window=window) > 0
        else:
            valid[at] = True  # nodata shows by its value
    return data, valid


# ------------------------------------------------------------------------------------------ meaning


def _integers(alignment: Alignment, data: NDArray, valid: NDArray[np.bool_] | None) -> NDArray:
    """Class codes as integers; a float raster of classes must hold whole numbers."""
    if data.dtype.kind != "f":
        return data
    known = np.isfinite(data) if valid is None else np.isfinite(data) & valid
    if (data[known] != np.round(data[known])).any():
        raise InputError(
            f"{alignment.path}: a map of classes must hold whole numbers, and this one holds fractions; is it the right file?"
        )
    return np.where(known, data, alignment.source.nodata if _is_number(alignment.source.nodata) else -9999).astype(
        np.int32
    )


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _measured(
    alignment: Alignment, block: Block, data: NDArray, valid: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Physical values, float32, NaN where there is none."""
    source = alignment.source
    absent = ~np.isfinite(data) if data.dtype.kind == "f" else np.zeros(data.shape, bool)
    if _is_number(source.nodata):
        absent |= data == np.asarray(source.nodata).astype(data.dtype if data.dtype.kind == "f" else np.float64)
    if valid is not None:
        absent |= ~valid
    values = data.astype(np.float32)
    if source.scale != 1 or source.offset != 0:
        values = (data * source.scale + source.offset).astype(np.float32)
    if source.layer.kind == "amount" and alignment.mode == "warp":
        values = (values * (alignment.grid.area(block) / _source_area(alignment, block))).astype(np.float32)
    values[absent] = np.nan
    return values


def _source_area(alignment: Alignment, block: Block) -> NDArray[np.float64]:
    """Area of the source's pixel at each of the block's pixels [m²]: amounts are per such a pixel."""
    source, grid = alignment.source, alignment.grid
    crs = pyproj.CRS.from_wkt(source.crs_wkt)
    a, e = abs(source.transform[0]), abs(source.transform[4])
    if crs.is_geographic:
        latitude = grid.latitude(block)
        return cell_area(latitude - e / 2, latitude + e / 2, a, *ellipsoid(crs))
    ga, _, x0, _, ge, y0 = grid.transform
    x, y = np.meshgrid(
        x0 + ga * (np.arange(block.col, block.col + block.width) + 0.5),
        y0 + ge * (np.arange(block.row, block.row + block.height) + 0.5),
    )
    if not crs.equals(grid.crs):
        x, y = pyproj.Transformer.from_crs(grid.crs, crs, always_xy=True).transform(x, y)
    unit = float(crs.axis_info[0].unit_conversion_factor)
    return a * e * unit**2 / areal_scale(crs, x, y)
