"""A region in longitude and latitude, in one piece even where it lies across the antimeridian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipelines.errors import InputError
from pipelines.inputs.regionfile import read_frame

WGS84 = "EPSG:4326"
_TURN = 360.0


@dataclass(frozen=True)
class Area:
    """shape : the regions together; its longitudes go beyond 180 where it crosses the antimeridian, and so do the frame's."""

    shape: BaseGeometry
    frame: gpd.GeoDataFrame
    crosses: bool

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north [degrees]."""
        west, south, east, north = self.shape.bounds
        return west, max(south, -90.0), east, min(north, 90.0)

    def touches(self, west: float, south: float, east: float, north: float) -> bool:
        """Whether any region reaches into a box."""
        return bool(shapely.intersects(self.shape, shapely.box(west, south, east, north)))


def read_area(path: str, layer: str | None = None) -> Area:
    """The regions of a vector file. Raises InputError for a file that cannot be read or that lies nowhere."""
    frame, _ = read_frame(path, layer)
    crs = pyproj.CRS.from_user_input(frame.crs)
    geographic = frame.to_crs(WGS84)
    shapes = np.asarray(geographic.geometry.values)
    empty = shapely.is_empty(shapes) | shapely.is_missing(shapes)
    if empty.all():
        raise InputError(f"{path}: its regions have no area; check the file")
    if not crs.is_geographic:  # a projection cuts rings at the antimeridian where the ground is whole
        shapes = shapely.transform(shapes, _unwrapped, include_z=False) if _jumps(shapes) else shapes
    shapes = shapely.make_valid(shapes)
    shapes, crosses = _together(shapes)
    if not np.isfinite(shapely.total_bounds(shapes)).all():
        raise InputError(f"{path}: its regions cannot be brought to longitude and latitude; check their CRS")
    geographic = geographic.set_geometry(gpd.GeoSeries(list(shapes), index=geographic.index, crs=WGS84))
    whole = shapely.union_all(shapes[~empty])
    shapely.prepare(whole)
    return Area(whole, geographic, crosses)


def _jumps(shapes: NDArray[Any]) -> bool:
    bounds = shapely.bounds(shapes)
    return bool(np.nanmax(bounds[:, 2] - bounds[:, 0]) > 180)


def _unwrapped(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes below zero one turn further, where a ring of a projected file jumps by nearly a turn."""
    return np.column_stack((np.where(points[:, 0] < 0, points[:, 0] + _TURN, points[:, 0]), points[:, 1]))


def _turned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points + np.asarray((_TURN, 0.0))


def _together(shapes: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Parts beyond the widest empty stretch of longitude are moved a turn east, where that makes the whole narrower."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    spans = shapely.bounds(parts)[:, [0, 2]]
    spans = spans[np.isfinite(spans).all(axis=1)]
    if np.ptp(spans) <= 180:
        return shapes, bool(spans.max() > 180)
    order = spans[np.argsort(spans[:, 0])]
    reach = np.maximum.accumulate(order[:, 1])
    gaps = order[1:, 0] - reach[:-1]
    if not len(gaps) or gaps.max() <= _TURN - np.ptp(spans):
        return shapes, bool(spans.max() > 180)
    edge = reach[gaps.argmax()]
    centre = shapely.bounds(parts)[:, [0, 2]].mean(axis=1)
    parts = np.asarray(
        [shapely.transform(p, _turned) if x <= edge else p for p, x in zip(parts, centre, strict=True)], object
    )
    joined = [shapely.union_all(parts[owner == n]) for n in range(len(shapes))]
    return np.asarray(joined, object), True
