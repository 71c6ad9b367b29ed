"""One block of one source on the grid: read at an offset or warped, nodata masked, scaled.

The kind of a layer decides. A class takes the nearest pixel, or the commonest where the source is finer. A density is the
area-weighted mean. An amount per pixel becomes a density by the source's pixel area, is averaged, and becomes an amount per
grid pixel again, so that mass is kept. Every way gives the same bits for any partition into blocks.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # what GDAL's warper raises through rasterio unwrapped
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from pipelines.errors import InputError, RunError
from pipelines.inputs.axes import Axis, mean, take
from pipelines.inputs.grid import Block, Grid
from pipelines.inputs.sources import GDAL_ENV, Source, grid_of, open_raster, store_advice
from pipelines.inputs.vrt import Tile, class_view_type, view
from sinks.area import areal_scale, cell_area, ellipsoid, is_equal_area, metres_per_unit
from sinks.lattice import Lattice

FINER: Final = 1.5
"""A source whose pixels are this many times smaller than the grid's is finer than it."""
_HANDLES: Final = 40
_SAME: Final = 0.01
"""Pixels by which two lattices may differ anywhere on the grid and still be the same."""
_WAYS: Final = {"class": ("nearest", "mode"), "density": ("average", "bilinear", "nearest"), "amount": ("average",)}
_SAID: Final = {"nearest": "nearest pixel", "mode": "commonest class", "average": "area-weighted average"}
_SAMPLES: Final = 65
_COARSE: Final = 2.0
"""Source pixels along a side of a grid pixel up to which a block's source is read whole; finer ones are left to GDAL."""
_TOLERANCE: Final = 1e-3
"""Source pixels by which the warp may be off: eight times faster than exact, and far below what any map is good for."""
_TILE: Final = 512
"""A warp is read in tiles of this size at fixed places, so that its approximation never depends on the block."""


@dataclass(frozen=True)
class Alignment:
    """How a source comes to the grid; plain values, so that it travels.

    mode : "same" (the grid's own pixels), "shifted" (the same lattice, read at an offset), "axes" (the same CRS, another
    pixel) or "warp"; row, col : the grid's origin in the source's north-up pixels; turn : degrees by which the source's
    longitudes are moved (0, 360 or −360); overlap : share of the grid that the source covers; notes : what is done to it, for
    people.
    """

    source: Source
    grid: Grid
    mode: str
    resampling: str
    row: int = 0
    col: int = 0
    turn: float = 0.0
    overlap: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The file, for people."""
        return self.source.path


@dataclass(frozen=True)
class Values:
    """A block of a layer. data (h, w): float32 with NaN where absent, or a class's own integers;
    valid : for classes, where there is a value; None if all pixels have one or absence shows by the nodata code;
    lattice : where rows and columns repeat and ``data`` and ``valid`` hold each once; None where they are the block's."""

    data: NDArray
    valid: NDArray[np.bool_] | None = None
    lattice: Lattice | None = None


# ------------------------------------------------------------------------------------------ deciding


def plan(source: Source, grid: Grid) -> Alignment:
    """Decide how a source comes to the grid. Raises InputError when they do not overlap or the way asked for is unfit."""
    name, kind = source.layer.name, source.layer.kind
    wanted = source.layer.resampling
    if wanted is not None and wanted not in _WAYS[kind]:
        raise InputError(
            f"--layer {name}.resampling={wanted} does not suit a layer of kind {kind}; choose {' or '.join(_WAYS[kind])}"
        )
    same_crs = _crs(source).equals(grid.crs, ignore_axis_order=True)
    overlap, turn = max((_overlap(source, grid, same_crs, t), t) for t in _turns(source, grid, same_crs))
    if overlap <= 0:
        raise InputError(f"{source.path}: the {name} layer does not overlap the land cover; check its CRS and extent")
    notes = []
    if turn:
        notes.append(f"{name}: its longitudes are read {turn:+.0f}°")
    if overlap < 0.9995:
        notes.append(f"{name}: covers {overlap:.1%} of the map; the rest has no value")
    shift = _lattice_shift(source, grid, turn) if same_crs and wanted != "average" else None
    if shift is not None:
        row, col = shift
        own = (row, col) == (0, 0) and (source.width, source.height) == (grid.width, grid.height)
        if not own:
            notes.append(f"{name}: on the land cover's lattice, {row:+d} rows and {col:+d} columns off; read as it is")
        return Alignment(source, grid, "same" if own else "shifted", "none", row, col, turn, overlap, tuple(notes))
    way = wanted or _way(source, grid)
    kept = ", mass kept" if kind == "amount" else ""
    notes.append(f"{name}: {_size(source)} → {_size(grid)}, {_SAID.get(way, way)}{kept}")
    parallel = (
        same_crs and way in ("nearest", "average") and max(a.step for a in axes_of(source, grid, turn)) <= _COARSE
    )
    return Alignment(source, grid, "axes" if parallel else "warp", way, 0, 0, turn, overlap, tuple(notes))


def axes_of(source: Source, grid: Grid, turn: float) -> tuple[Axis, Axis]:
    """Rows and columns of the grid in north-up source pixels; both in one CRS."""
    a, _, x0, _, e, y0 = grid_of(source).transform
    ga, _, gx, _, ge, gy = grid.transform
    return Axis((gy - y0) / e, ge / e, source.height), Axis((gx - x0 - turn) / a, ga / a, source.width)


def _crs(source: Source) -> pyproj.CRS:
    return pyproj.CRS.from_wkt(source.crs_wkt)


def _size(what: Source | Grid) -> str:
    """CRS and pixel size for people."""
    crs = pyproj.CRS.from_wkt(what.crs_wkt)
    code = crs.to_epsg()
    unit = "°" if crs.is_geographic else f" {crs.axis_info[0].unit_name}"
    a, _, _, _, e, _ = what.transform
    size = f"{abs(a):.6g}" if math.isclose(abs(a), abs(e), rel_tol=1e-6) else f"{abs(a):.6g} x {abs(e):.6g}"
    return f"{f'EPSG:{code}' if code else crs.name} {size}{unit}"


def _turns(source: Source, grid: Grid, same_crs: bool) -> tuple[float, ...]:
    """Whole turns to try: one file counts longitudes from 0 to 360, another from −180 to 180."""
    return (0.0, -360.0, 360.0) if same_crs and grid.is_geographic else (0.0,)


def _extent(source: Source, turn: float) -> tuple[float, float, float, float]:
    a, _, x0, _, e, y0 = source.transform
    xs, ys = sorted((x0, x0 + a * source.width)), sorted((y0, y0 + e * source.height))
    return xs[0] + turn, ys[0], xs[1] + turn, ys[1]


def _overlap(source: Source, grid: Grid, same_crs: bool, turn: float) -> float:
    """Share of the grid that the source covers: exact in one CRS, by sampled pixels between two."""
    west, south, east, north = _extent(source, turn)
    left, bottom, right, top = grid.bounds
    if same_crs:
        width, height = min(east, right) - max(west, left), min(north, top) - max(south, bottom)
        return max(0.0, width) * max(0.0, height) / ((right - left) * (top - bottom))
    x, y = np.meshgrid(np.linspace(left, right, _SAMPLES), np.linspace(bottom, top, _SAMPLES))
    x, y = pyproj.Transformer.from_crs(grid.crs, _crs(source), always_xy=True).transform(x, y)
    share = float(((x >= west) & (x <= east) & (y >= south) & (y <= north)).mean())
    if share:
        return share
    # A source smaller than the spacing of the samples falls between them.
    back = pyproj.Transformer.from_crs(_crs(source), grid.crs, always_xy=True)
    x, y = back.transform(
        [(west + east) / 2, west, west, east, east], [(south + north) / 2, south, north, south, north]
    )
    inside = any(left <= p <= right and bottom <= q <= top for p, q in zip(x, y, strict=True))
    return 1 / _SAMPLES**2 if inside else 0.0


def _lattice_shift(source: Source, grid: Grid, turn: float) -> tuple[int, int] | None:
    """The grid's origin in north-up source pixels (row, col), if both are one lattice all over the grid."""
    a, _, x0, _, e, y0 = grid_of(source).transform
    ga, _, gx, _, ge, gy = grid.transform
    col, row = (gx - x0 - turn) / a, (gy - y0) / e
    far_col, far_row = (gx + ga * grid.width - x0 - turn) / a, (gy + ge * grid.height - y0) / e
    off = (col - round(col), row - round(row), far_col - round(col) - grid.width, far_row - round(row) - grid.height)
    return (round(row), round(col)) if max(map(abs, off)) < _SAME else None


def _way(source: Source, grid: Grid) -> str:
    """Resampling by kind; for classes by whether the source is finer than the grid, seen from the grid's middle."""
    if source.layer.kind != "class":
        return "average"
    left, bottom, right, top = grid.bounds
    ga, _, _, _, ge, _ = grid.transform
    x, y = (left + right) / 2, (bottom + top) / 2
    move = pyproj.Transformer.from_crs(grid.crs, _crs(source), always_xy=True)
    px, py = move.transform([x, x + ga, x], [y, y, y + ge])
    a, _, _, _, e, _ = source.transform
    square = abs((px[1] - px[0]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[1] - py[0])) / abs(a * e)
    return "mode" if math.isfinite(square) and math.sqrt(square) > FINER else "nearest"


# ------------------------------------------------------------------------------------------ reading


def read(alignment: Alignment, block: Block, halo: int = 0) -> Values:
    """A block's values, with ``halo`` more pixels on every side, absent beyond the map; see ``read_once``."""
    found = read_once(alignment, block, halo)
    if found.lattice is None:
        return found
    return Values(found.lattice.spread(found.data), None if found.valid is None else found.lattice.spread(found.valid))


def read_once(alignment: Alignment, block: Block, halo: int = 0) -> Values:
    """The same, rows and columns that repeat held once.

    Raises RunError naming file and window when a read fails, InputError when a raster of classes holds fractions.
    """
    wide = Block(block.index, block.row - halo, block.col - halo, block.height + 2 * halo, block.width + 2 * halo)
    try:
        with rasterio.Env(**GDAL_ENV):
            data, absent, lattice = _stored(alignment, wide)
    except (RasterioError, CPLE_BaseError) as error:
        said = str(error).splitlines()[0]
        do = store_advice(alignment.source.layer, said) or "the file is damaged or has changed"
        raise RunError(
            f"{alignment.path}: reading rows {block.row} to {block.row + block.height}, columns {block.col} to "
            f"{block.col + block.width} of the grid failed ({said}); {do}"
        ) from error
    if alignment.source.layer.kind == "class":
        return replace(_classes(alignment, data, absent), lattice=lattice)
    if lattice is not None and alignment.source.layer.kind == "amount":  # its pixels' areas do not repeat
        data, absent, lattice = lattice.spread(data), None if absent is None else lattice.spread(absent), None
    return Values(_measured(alignment, wide, data, absent), lattice=lattice)


class _Handles(threading.local):
    """Open datasets of this thread by alignment: never shared, never pickled, the oldest closed when there are many."""

    def __init__(self) -> None:
        self._open: OrderedDict[Alignment, tuple[rasterio.DatasetReader, ...]] = OrderedDict()

    def get(self, alignment: Alignment) -> rasterio.DatasetReader:
        """The dataset to read from: the file itself, or its warp."""
        if alignment not in self._open:
            while len(self._open) >= _HANDLES:
                _close(self._open.popitem(last=False)[1])
            self._open[alignment] = _opened(alignment)
        self._open.move_to_end(alignment)
        return self._open[alignment][-1]

    def clear(self) -> None:
        while self._open:
            _close(self._open.popitem()[1])


_handles = _Handles()


def close() -> None:
    """Close what this thread holds open."""
    _handles.clear()


def _close(datasets: tuple[rasterio.DatasetReader, ...]) -> None:
    for dataset in reversed(datasets):
        dataset.close()


def _opened(alignment: Alignment) -> tuple[rasterio.DatasetReader, ...]:
    """The file, or a view of it and its warp: close to exact, with a kernel that is not guessed per window."""
    source, grid = alignment.source, alignment.grid
    if alignment.mode != "warp":
        return (open_raster(source.layer.path),)
    kind, hole = _view_type(source)
    scale, offset = (1.0, 0.0) if source.layer.kind == "class" else (source.scale, source.offset)
    a, b, c, d, e, f = source.transform
    tile = Tile(source.layer.path, source.band, 0, 0, source.width, source.height, source.has_mask)
    place = (a, b, c + alignment.turn, d, e, f)
    text = view(tile, source.crs_wkt, place, source.dtype, kind, source.nodata, hole, scale, offset)
    seen = rasterio.open(text, sharing=False)
    warped = WarpedVRT(
        seen, crs=grid.crs_wkt, transform=Affine(*grid.transform), width=grid.width, height=grid.height, src_nodata=hole,
        nodata=hole, resampling=Resampling[alignment.resampling], tolerance=_TOLERANCE, XSCALE=1, YSCALE=1, NUM_THREADS=1,
    )  # fmt: skip
    return seen, warped


def _view_type(source: Source) -> tuple[str, float]:
    """Data type in which the source is warped and the value that marks absent pixels there."""
    if source.layer.kind == "class":
        return class_view_type(source.dtype, source.nodata)
    exact = source.dtype in ("uint8", "int8", "uint16", "int16", "float32")
    return "float32" if exact else "float64", math.nan


def _stored(alignment: Alignment, block: Block) -> tuple[NDArray, NDArray[np.bool_] | None, Lattice | None]:
    """A block as it is stored (or as the view has it); where nothing is, None for nowhere; and what repeats in both."""
    source, grid = alignment.source, alignment.grid
    if alignment.mode == "axes":
        return _by_axes(alignment, block)
    warp = alignment.mode == "warp"
    row, col = alignment.row, alignment.col
    top, left, bottom, right = 0, 0, grid.height, grid.width
    if not warp:
        top, left, bottom, right = (
            max(0, -row),
            max(0, -col),
            min(bottom, source.height - row),
            min(right, source.width - col),
        )
    r0, c0 = max(top, block.row), max(left, block.col)
    r1, c1 = min(bottom, block.row + block.height), min(right, block.col + block.width)
    if r0 >= r1 or c0 >= c1:
        kind = _view_type(source)[0] if warp else source.dtype
        return np.zeros((block.height, block.width), kind), np.ones((block.height, block.width), bool), None
    dataset = _handles.get(alignment)
    if warp:
        data = _by_tiles(dataset, r0, c0, r1, c1)
        absent = None
        if np.isnan(_view_type(source)[1]):
            absent = np.isnan(data)
        elif source.nodata is None:
            absent = data == _view_type(source)[1]
    else:
        data, absent = _direct(dataset, source, r0 + row, c0 + col, r1 - r0, c1 - c0)
    if data.shape == (block.height, block.width):
        return data, absent, None
    at = (slice(r0 - block.row, r1 - block.row), slice(c0 - block.col, c1 - block.col))
    if absent is None and not warp and (code := _nodata_code(source)) is not None:
        whole = np.full((block.height, block.width), code, data.dtype)
        whole[at] = data
        return whole, None, None
    whole, nothing = np.zeros((block.height, block.width), data.dtype), np.ones((block.height, block.width), bool)
    whole[at], nothing[at] = data, False if absent is None else absent
    return whole, nothing, None


def _by_axes(alignment: Alignment, block: Block) -> tuple[NDArray, NDArray[np.bool_] | None, Lattice | None]:
    """A block of a source in the grid's own CRS: nearest pixels as stored, means in the layer's unit."""
    source, grid = alignment.source, alignment.grid
    rows, cols = axes_of(source, grid, alignment.turn)
    top, bottom = rows.span(block.row, block.height)
    left, right = cols.span(block.col, block.width)
    if top >= bottom or left >= right:
        kind = source.dtype if alignment.resampling == "nearest" else "float32"
        nowhere = Lattice(np.zeros(block.height, np.int64), np.zeros(block.width, np.int64))
        return np.zeros((1, 1), kind), np.ones((1, 1), bool), nowhere
    data, absent = _direct(_handles.get(alignment), source, top, left, bottom - top, right - left)
    lost: NDArray[np.bool_] | None = None
    if alignment.resampling == "nearest":
        places = rows.nearest(block.row, block.height, top, bottom), cols.nearest(block.col, block.width, left, right)
        found, lost, lattice = take(data, *places)
        if absent is not None:
            lost = take(absent, *places)[0] if lost is None else lost | take(absent, *places)[0]
    else:
        values = data.astype(np.float64) * source.scale + source.offset
        values[~np.isfinite(values)] = np.nan
        if absent is not None:
            values[absent] = np.nan
        edges = rows.edges(block.row, block.height), cols.edges(block.col, block.width)
        found, lattice = mean(values, *edges, top, left)
    if not _leaves(grid, block):
        return found, lost, lattice
    # What lies beyond the map is absent, whatever the source has there.
    beyond = np.ones((block.height, block.width), bool)
    beyond[max(0, -block.row) : grid.height - block.row, max(0, -block.col) : grid.width - block.col] = False
    return lattice.spread(found), beyond if lost is None else beyond | lattice.spread(lost), None


def _leaves(grid: Grid, block: Block) -> bool:
    """Whether a block reaches beyond the map."""
    return (
        block.row < 0 or block.col < 0 or block.row + block.height > grid.height or block.col + block.width > grid.width
    )


def _by_tiles(dataset: rasterio.DatasetReader, r0: int, c0: int, r1: int, c1: int) -> NDArray:
    """Rows r0 to r1 and columns c0 to c1 of a warp, put together from whole tiles at fixed places of the grid.

    GDAL's approximation starts anew in every window it is asked for; asking for the same windows always gives the same bits.
    """
    out = np.empty((r1 - r0, c1 - c0), dataset.dtypes[0])
    for row in range(r0 // _TILE * _TILE, r1, _TILE):
        for col in range(c0 // _TILE * _TILE, c1, _TILE):
            height, width = min(_TILE, dataset.height - row), min(_TILE, dataset.width - col)
            tile = dataset.read(1, window=Window(col, row, width, height))
            top, left, bottom, right = max(row, r0), max(col, c0), min(row + height, r1), min(col + width, c1)
            part = tile[top - row : bottom - row, left - col : right - col]
            out[top - r0 : bottom - r0, left - c0 : right - c0] = part
    return out


def _direct(
    dataset: rasterio.DatasetReader, source: Source, row: int, col: int, height: int, width: int
) -> tuple[NDArray, NDArray[np.bool_] | None]:
    """A window in north-up pixels of the file itself, whichever way its rows and columns run."""
    a, _, _, _, e, _ = source.transform
    window = Window(
        source.width - col - width if a < 0 else col, source.height - row - height if e > 0 else row, width, height
    )
    turned = (slice(None, None, -1 if e > 0 else 1), slice(None, None, -1 if a < 0 else 1))
    data = dataset.read(source.band, window=window)[turned]
    absent = dataset.read_masks(source.band, window=window)[turned] == 0 if source.has_mask else None
    if source.nodata is not None and not math.isnan(source.nodata) and source.layer.kind != "class":
        no_value = data == np.asarray(source.nodata).astype(data.dtype)
        absent = no_value if absent is None else absent | no_value
    return np.ascontiguousarray(data), absent


# ------------------------------------------------------------------------------------------ meaning


def _classes(alignment: Alignment, data: NDArray, absent: NDArray[np.bool_] | None) -> Values:
    """Class codes in the file's own integers; a float raster of classes must hold whole numbers."""
    source = alignment.source
    own = np.dtype(source.dtype)
    if own.kind == "f":
        nothing = ~np.isfinite(data) if absent is None else ~np.isfinite(data) | absent
        data, absent, own = np.where(nothing, 0, data), nothing if nothing.any() else None, np.dtype(np.int32)
        if (data != np.rint(data)).any() or np.abs(data).max(initial=0) > np.iinfo(own).max:
            raise InputError(
                f"{alignment.path}: a map of classes must hold whole numbers, and this one holds others (e.g. "
                f"{data[(data != np.rint(data)) | (np.abs(data) > np.iinfo(own).max)][0]:g}); is it the right file?"
            )
    if absent is None or not absent.any():
        return Values(data.astype(own, copy=False))
    if (code := _nodata_code(source)) is not None:
        return Values(np.where(absent, np.asarray(code).astype(own), data.astype(own, copy=False)))
    return Values(np.where(absent, 0, data).astype(own, copy=False), ~absent)


def _nodata_code(source: Source) -> float | None:
    """The nodata value of a map of classes, if it has one that its own integers can hold."""
    own, code = np.dtype(source.dtype), source.nodata
    if source.layer.kind != "class" or own.kind == "f" or code is None or not math.isfinite(code):
        return None
    return code if np.iinfo(own).min <= code <= np.iinfo(own).max else None


def _measured(
    alignment: Alignment, block: Block, data: NDArray, absent: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Values in the layer's unit, float32, NaN where there is none."""
    source = alignment.source
    ready = alignment.mode == "warp" or (alignment.mode == "axes" and alignment.resampling == "average")
    if not ready and (source.scale != 1 or source.offset != 0):
        data = data.astype(np.float64) * source.scale + source.offset
    if source.layer.kind == "amount" and ready:
        data = data * (alignment.grid.area(block) / _source_area(alignment, block))
    values = data.astype(np.float32, copy=absent is not None)
    if data.dtype.kind == "f":
        infinite = np.isinf(values)
        if infinite.any():
            values = np.where(infinite, np.float32(np.nan), values)
    if absent is not None:
        np.copyto(values, np.float32(np.nan), where=absent)
    return values


def _source_area(alignment: Alignment, block: Block) -> NDArray[np.float64]:
    """Area of the source's pixel at each pixel of a block [m²]: amounts are per such a pixel."""
    source, grid = alignment.source, alignment.grid
    crs = _crs(source)
    a, _, _, _, e, y0 = source.transform
    if crs.is_geographic:
        row = np.floor((grid.latitude(block) - y0) / e)
        edges = np.clip(y0 + e * row, -90, 90), np.clip(y0 + e * (row + 1), -90, 90)
        return cell_area(*edges, abs(a), *ellipsoid(crs))
    flat = abs(a * e) * metres_per_unit(crs) ** 2
    if is_equal_area(crs):
        return np.full((1, 1), flat)
    move = pyproj.Transformer.from_crs(grid.crs, crs, always_xy=True)
    return grid.smooth(block, lambda x, y: flat / areal_scale(crs, *move.transform(x, y)))
