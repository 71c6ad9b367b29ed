"""Protected areas, or projects, on the grid of a run: what is inside, in the ring around, within reach; how far from an edge.

Distances are true ones: every area is put on a plane of its own, on which distances from its middle are those of the ellipsoid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from pipelines.inputs import polygons, zones
from pipelines.inputs.grid import Block, Grid
from pipelines.inputs.zones import Regions
from sinks.area import ellipsoid

Floats = NDArray[np.float64]
Shapes = NDArray[Any]


@dataclass(frozen=True)
class Areas:
    """Areas in file order with what lies around them.

    zones : polygons by label, in file order those of the areas (1 … n), their rings (n + 1 … 2n), and all that is within reach
    (2n + 1); ring_ha : (n,) area of the rings, on or off the map.
    """

    grid: Grid
    regions: Regions
    zones: Regions
    ring_ha: Floats

    @property
    def ids(self) -> tuple[str, ...]:
        return self.regions.ids

    @property
    def area_ha(self) -> Floats:
        """Area of each on the map [ha] (n,)."""
        return np.array(self.regions.area_ha) * np.array(self.regions.inside_grid_fraction)

    def stratum(self, block: Block) -> NDArray[np.int32]:
        """Of every pixel (h, w): 0 … n − 1 inside an area, n … 2n − 1 in its ring, 2n within reach, −1 beyond."""
        return zones.label(self.zones, block) - 1

    @cached_property
    def on_earth(self) -> Shapes:
        """Polygons of the areas in longitude and latitude [°] (n,)."""
        return _on_earth(self.regions, self.grid)

    def on_plane(self, x: Floats, y: Floats) -> Floats:
        """Places of the grid on one plane for all areas [m] (n, 2)."""
        return np.column_stack(self._whole(*_lonlat(self.grid, x, y)))

    @cached_property
    def _whole(self) -> pyproj.Proj:
        return _plane(self.grid, shapely.GeometryCollection(list(self.on_earth)))

    def nearest(self, x: Floats, y: Floats) -> NDArray[np.int64]:
        """The nearest area of every place (n,)."""
        tree = shapely.STRtree(_projected(self.on_earth, self._whole))
        return np.asarray(tree.nearest(shapely.points(self.on_plane(x, y))), np.int64)

    def edge_distance_m(self, area: NDArray[np.int64], x: Floats, y: Floats) -> Floats:
        """Distance of every place to the edge of the area told [m] (n,)."""
        out = np.empty(len(x))
        lon, lat = _lonlat(self.grid, x, y)
        for k in np.unique(area):
            at = area == k
            plane = _plane(self.grid, self.on_earth[k])
            edge = shapely.boundary(_projected(self.on_earth[k], plane))
            shapely.prepare(edge)
            out[at] = shapely.distance(shapely.points(*plane(lon[at], lat[at])), edge)
        return out


def read_areas(
    path: Path, grid: Grid, *, ring_m: float, search_m: float, layer: str | None = None, id_column: str | None = None,
    name_column: str | None = None,
) -> Areas:  # fmt: skip
    """Areas of a vector file, rings ``ring_m`` wide, what is within ``search_m``. Raises InputError as ``read_regions``."""
    regions = zones.read_regions(str(path), grid=grid, layer=layer, id_column=id_column, name_column=name_column)
    near = [_grown(grid, s, (ring_m, search_m)) for s in _on_earth(regions, grid)]
    rings, reach = (
        polygons.moved(np.array(v, dtype=object), _geodetic(grid), grid.crs) for v in zip(*near, strict=True)
    )
    ring_ha = np.maximum(polygons.hectares(rings, grid.crs) - np.array(regions.area_ha), 0.0)
    return Areas(grid, regions, _labels(regions, grid, [*rings, shapely.union_all(reach)]), ring_ha)


def _labels(regions: Regions, grid: Grid, more: Sequence[Any]) -> Regions:
    """The areas and more shapes of the grid's CRS, to be labelled in this order."""
    a, _, x0, _, e, y0 = grid.transform
    pixels = shapely.transform(
        np.array(more, dtype=object), lambda xy: np.column_stack(((xy[:, 0] - x0) / a, (xy[:, 1] - y0) / e))
    )
    shapes = (*regions.shapes, *shapely.to_wkb(pixels).tolist())
    return replace(regions, shapes=shapes, token=hashlib.sha256(b"".join(shapes)).hexdigest())


def _on_earth(regions: Regions, grid: Grid) -> Shapes:
    """The areas as they lie on the grid, in longitude and latitude."""
    a, _, x0, _, e, y0 = grid.transform
    pixels = np.array(shapely.from_wkb(list(regions.shapes)), dtype=object)
    there = shapely.transform(pixels, lambda rc: np.column_stack((x0 + a * rc[:, 0], y0 + e * rc[:, 1])))
    return polygons.moved(there, grid.crs, _geodetic(grid))


def _grown(grid: Grid, shape: Any, by_m: Sequence[float]) -> list[Any]:
    """A shape of longitude and latitude, grown by distances on the ground."""
    plane = _plane(grid, shape)
    there, middle = _projected(shape, plane), shapely.centroid(shape).x

    def back(xy: Floats) -> Floats:
        lon, lat = plane(xy[:, 0], xy[:, 1], inverse=True)
        # A ring across 180° stays in one piece, part of it off the map.
        return np.column_stack(((lon - middle + 180) % 360 - 180 + middle, lat))

    return [shapely.transform(shapely.buffer(there, by), back) if by > 0 else shape for by in by_m]


def _projected(shape: Any, plane: pyproj.Proj) -> Any:
    return shapely.transform(shape, lambda xy: np.column_stack(plane(xy[:, 0], xy[:, 1])))


def _plane(grid: Grid, shape: Any) -> pyproj.Proj:
    """The azimuthal equidistant projection around the middle of a shape, on the grid's ellipsoid."""
    middle = shapely.centroid(shape)
    a, rf = ellipsoid(grid.crs)
    return pyproj.Proj(proj="aeqd", lon_0=middle.x, lat_0=middle.y, a=a, rf=rf)


def _geodetic(grid: Grid) -> pyproj.CRS:
    return grid.crs.geodetic_crs or grid.crs


def _lonlat(grid: Grid, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return pyproj.Transformer.from_crs(grid.crs, _geodetic(grid), always_xy=True).transform(x, y)
