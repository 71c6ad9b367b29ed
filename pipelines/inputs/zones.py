"""Which region each pixel of a block is in.

Polygons are put into the grid's pixel coordinates once. Pixels are labelled in fixed tiles of the grid, of which a block is
pieced together, so that any partition into blocks gives the same labels. A pixel belongs to the first region in file order
that contains its centre.
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipelines.errors import InputError
from pipelines.inputs import polygons
from pipelines.inputs.grid import Block, Grid
from sinks.units import M2_PER_HA

if TYPE_CHECKING:
    import geopandas as gpd

# Tiles are rasterized in pixel coordinates. rasterio hides its warning about that in a way that threads break, and a raster
# of the user's that lies nowhere gets an error of ours.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

TILE: Final = 512
_SHEET: Final = 4096
"""Polygons are cut to sheets of this many pixels first, and from these to tiles: a province is walked once a sheet."""
_MARGIN: Final = 2
"""Whole pixels around a tile at which polygons are cut, away from every pixel centre."""
_SHEETS: Final = 32
_FULL: Final = 1 - 1e-9


@dataclass(frozen=True)
class Regions:
    """Regions in file order; plain values, so that they travel.

    official_area_ha : the statistical land area, NaN where none is given; area_ha : on the ellipsoid; inside_grid_fraction,
    outside_grid_ha : the part within and beyond the grid's extent; shapes : WKB in pixel coordinates of the grid
    (column, row); originals : WKB as drawn (made valid) in ``crs_wkt``; token : digest of the shapes.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    official_area_ha: tuple[float, ...]
    area_ha: tuple[float, ...]
    inside_grid_fraction: tuple[float, ...]
    outside_grid_ha: tuple[float, ...]
    shapes: tuple[bytes, ...] = field(repr=False)
    originals: tuple[bytes, ...] = field(repr=False)
    crs_wkt: str
    notes: tuple[str, ...]
    token: str

    def to_geodataframe(self, grid: Grid) -> gpd.GeoDataFrame:
        """The regions as they were drawn (made valid), in their own CRS, with id and name."""
        import geopandas as gpd  # dear to import, and workers only ask which region a pixel is in

        frame = {"region_id": list(self.ids), "region_name": list(self.names)}
        return gpd.GeoDataFrame(frame, geometry=list(shapely.from_wkb(list(self.originals))), crs=self.crs_wkt)


def read_regions(
    path: str, *, grid: Grid, layer: str | None = None, id_column: str | None = None, name_column: str | None = None
) -> Regions:
    """Region polygons of any vector file, ready for the grid. Raises InputError naming what is wrong and the mend."""
    from pipelines.inputs.regionfile import official_hectares, read_region_file  # with all of GeoPandas

    found = read_region_file(path, layer, id_column, name_column)
    ids, notes, crs = found.ids, found.notes, found.frame.crs
    drawn = polygons.mended(path, found.frame.geometry.to_numpy(), ids, notes)
    area = polygons.hectares(drawn, crs)
    on_grid, inside = polygons.within(drawn, crs, grid.crs, grid.bounds)
    if not (inside > 0).any():
        raise InputError(f"{path}: no region overlaps the land cover; check the CRS of both")
    beyond = [f"{i} ({1 - s:.1%})" for i, s in zip(ids, inside, strict=True) if s < 0.9995]
    if beyond:
        notes.append(
            f"regions: {len(beyond)} reach beyond the land cover, by share of their area: {polygons.listed(beyond)}"
        )
    _note_overlaps(on_grid, area, ids, grid, notes)
    a, _, x0, _, e, y0 = grid.transform
    pixels = shapely.transform(on_grid, lambda xy: np.column_stack(((xy[:, 0] - x0) / a, (xy[:, 1] - y0) / e)))
    shapes = tuple(shapely.to_wkb(pixels).tolist())
    return Regions(
        ids=tuple(ids), names=tuple(found.names),
        official_area_ha=tuple(official_hectares(found.frame, area, notes).tolist()), area_ha=tuple(area.tolist()),
        inside_grid_fraction=tuple(inside.tolist()), outside_grid_ha=tuple((area * (1 - inside)).tolist()), shapes=shapes,
        originals=tuple(shapely.to_wkb(drawn).tolist()), crs_wkt=crs.to_wkt(), notes=tuple(notes),
        token=hashlib.sha256(b"".join(shapes)).hexdigest(),
    )  # fmt: skip


def _note_overlaps(shapes: Any, area: NDArray[np.float64], ids: list[str], grid: Grid, notes: list[str]) -> None:
    pixel = float(grid.area(Block(0, grid.height // 2, grid.width // 2, 1, 1))[0, 0]) / M2_PER_HA
    found = polygons.overlaps(shapes, area, pixel)
    if found:
        pairs = [f"{ids[i]} and {ids[j]} ({size:,.1f} ha)" for i, j, size in sorted(found, key=lambda p: -p[2])]
        total = sum(size for _, _, size in found)
        notes.append(
            f"regions: overlap by {total:,.1f} ha; a pixel is counted once, for the first in the file: {polygons.listed(pairs)}"
        )


# ------------------------------------------------------------------------------------------ labelling


Piece = tuple[int, BaseGeometry]
"""A region's label and its part of a sheet."""


class _Parsed:
    """Shapes of some regions with their index and the sheets cut lately; shared by the threads of a process."""

    def __init__(self, regions: Regions) -> None:
        self._shapes = shapely.from_wkb(list(regions.shapes))
        self._tree = shapely.STRtree(self._shapes)
        self._tree.query(shapely.Point(0, 0))  # builds the tree, which threads must not do at once
        self._sheets: OrderedDict[tuple[int, int], list[Piece]] = OrderedDict()
        self._lock = threading.Lock()

    def sheet(self, row: int, col: int) -> list[Piece]:
        """Parts of all regions in a sheet, in file order."""
        with self._lock:
            if (row, col) in self._sheets:
                self._sheets.move_to_end((row, col))
                return self._sheets[row, col]
        frame = _frame(row * _SHEET, col * _SHEET, _SHEET)
        near = np.sort(self._tree.query(shapely.box(*frame)))
        pieces = _cut([(int(k) + 1, self._shapes[k]) for k in near], frame)
        with self._lock:
            self._sheets[row, col] = pieces
            while len(self._sheets) > _SHEETS:
                self._sheets.popitem(last=False)
        return pieces


_parsed: dict[str, _Parsed] = {}
_parsing = threading.Lock()


def _parsed_of(regions: Regions) -> _Parsed:
    with _parsing:
        if regions.token not in _parsed:
            _parsed.clear()
            _parsed[regions.token] = _Parsed(regions)
        return _parsed[regions.token]


def label(regions: Regions, block: Block) -> NDArray[np.int32]:
    """Region of every pixel (h, w): 0 in none, k for ``regions.ids[k − 1]``."""
    parsed = _parsed_of(regions)
    out = np.empty((block.height, block.width), np.int32)
    bottom, right = block.row + block.height, block.col + block.width
    for row in range(block.row // TILE * TILE, bottom, TILE):
        for col in range(block.col // TILE * TILE, right, TILE):
            tile = _tile(parsed, row, col)
            r0, r1, c0, c1 = max(row, block.row), min(row + TILE, bottom), max(col, block.col), min(col + TILE, right)
            at = (slice(r0 - block.row, r1 - block.row), slice(c0 - block.col, c1 - block.col))
            out[at] = tile if isinstance(tile, int) else tile[r0 - row : r1 - row, c0 - col : c1 - col]
    return out


def _tile(parsed: _Parsed, row: int, col: int) -> NDArray[np.int32] | int:
    """Labels of a tile; one number where all pixels are alike."""
    frame = _frame(row, col, TILE)
    pieces = _cut(parsed.sheet(row // _SHEET, col // _SHEET), frame)
    if not pieces:
        return 0
    if _fills(pieces[0][1], frame):
        return pieces[0][0]
    # The last one burnt stays, and the first in the file wins.
    burn = [(shapely.transform(shape, lambda xy: xy - (col, row)), value) for value, shape in reversed(pieces)]
    return rasterize(burn, out_shape=(TILE, TILE), fill=0, dtype="int32")


def _frame(row: int, col: int, size: int) -> tuple[float, float, float, float]:
    return col - _MARGIN, row - _MARGIN, col + size + _MARGIN, row + size + _MARGIN


def _cut(pieces: list[Piece], frame: tuple[float, float, float, float]) -> list[Piece]:
    """Polygons within a frame; those behind one that fills it are never seen and left out."""
    found: list[Piece] = []
    for value, shape in pieces:
        west, south, east, north = shape.bounds
        if west > frame[2] or east < frame[0] or south > frame[3] or north < frame[1]:
            continue
        try:
            part = polygons.polygon_part(shapely.clip_by_rect(shape, *frame))
        except shapely.errors.GEOSException:  # rounding can make a valid polygon touch itself
            part = polygons.polygon_part(shapely.intersection(shapely.make_valid(shape), shapely.box(*frame)))
        if part.is_empty:
            continue
        found.append((value, part))
        if _fills(part, frame):
            break
    return found


def _fills(shape: BaseGeometry, frame: tuple[float, float, float, float]) -> bool:
    """Whether a polygon cut to a frame is the whole frame."""
    return shapely.get_num_coordinates(shape) == 5 and shape.area >= _FULL * (frame[2] - frame[0]) * (
        frame[3] - frame[1]
    )
