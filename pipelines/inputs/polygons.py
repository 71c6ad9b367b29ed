"""Polygons of regions: mended, moved between CRSs, measured on the ellipsoid, checked for overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipelines.errors import InputError
from sinks.area import cell_area, ellipsoid, metres_per_unit
from sinks.units import M2_PER_HA

Shapes = NDArray[Any]
Box = tuple[float, float, float, float]

LONGEST_EDGE_DEGREES: Final = 0.01
"""Edges are cut to this length before they are moved or measured, so that they stay where they were drawn."""
_FAR_DEGREES: Final = 60.0
_POLAR_DEGREES: Final = 89.0
"""Where projections that are good near their middle begin to fail."""
_METRES_PER_DEGREE: Final = 111_320.0
_LISTED: Final = 5


def listed(items: Sequence[str]) -> str:
    """The first few of a list, for a note."""
    return ", ".join(items[:_LISTED]) + (f" … ({len(items)} in all)" if len(items) > _LISTED else "")


def mended(path: str, shapes: Shapes, ids: Sequence[str], notes: list[str]) -> Shapes:
    """Two-dimensional valid polygons (n,); what had to be mended is noted. Raises InputError for regions without area."""
    flat = shapely.force_2d(shapes)
    none = [i for i, s in zip(ids, flat, strict=True) if s is None or s.is_empty]
    if none:
        raise InputError(f"{path}: {len(none)} region(s) have no geometry ({listed(none)}); draw or remove them")
    lines = [i for i, s in zip(ids, flat, strict=True) if shapely.get_dimensions(s) < 2]
    if lines:
        raise InputError(
            f"{path}: {len(lines)} region(s) are points or lines ({listed(lines)}); regions must be polygons"
        )
    wrong = ~shapely.is_valid(flat)
    if wrong.any():
        flat[wrong] = shapely.make_valid(flat[wrong])
        bad = [i for i, w in zip(ids, wrong, strict=True) if w]
        notes.append(f"regions: {len(bad)} invalid polygon(s) were made valid: {listed(bad)}")
    areas = np.array([polygon_part(s) for s in flat], dtype=object)
    gone = [i for i, s in zip(ids, areas, strict=True) if s.is_empty]
    if gone:
        raise InputError(
            f"{path}: {len(gone)} region(s) are polygons without area ({listed(gone)}); draw or remove them"
        )
    return areas


def polygon_part(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a geometry; what is a point or a line is left out."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    if shape.geom_type != "GeometryCollection":
        return shapely.Polygon()
    parts = [polygon_part(p) for p in shapely.get_parts(shape)]
    return shapely.union_all([p for p in parts if not p.is_empty]) if parts else shapely.Polygon()


def moved(shapes: Shapes, source: pyproj.CRS, target: pyproj.CRS) -> Shapes:
    """Shapes in another CRS; long edges are cut first, for a straight line in one CRS is bent in another."""
    if source.equals(target, ignore_axis_order=True):
        return shapes
    transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return shapely.transform(
        _cut(shapes, source), lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
    )


def _cut(shapes: Shapes, crs: pyproj.CRS) -> Shapes:
    longest = LONGEST_EDGE_DEGREES
    return shapely.segmentize(
        shapes, longest if crs.is_geographic else longest * _METRES_PER_DEGREE / metres_per_unit(crs)
    )


def within(shapes: Shapes, crs: pyproj.CRS, target: pyproj.CRS, extent: Box) -> tuple[Shapes, NDArray[np.float64]]:
    """Shapes moved to the CRS of an extent there, whole, and which share of each lies within the extent [1].

    A shape that reaches where the target CRS is not defined is cut to the surroundings of the extent first.
    """
    there = moved(shapes, crs, target)
    broken = ~np.isfinite(shapely.bounds(there)).all(axis=1) | _too_far(shapes, crs, target, extent)
    broken &= ~shapely.is_empty(shapes)  # of a shape that was cut, nothing may be left
    known = np.where(broken, shapely.Polygon(), there)
    bounds = shapely.bounds(known)
    west, south, east, north = extent
    out = (bounds[:, 0] < west) | (bounds[:, 1] < south) | (bounds[:, 2] > east) | (bounds[:, 3] > north)
    share = np.where(out | broken, 0.0, 1.0)
    frame = shapely.box(*extent)
    near = out & shapely.intersects(known, frame)
    if near.any():
        inside = np.array([polygon_part(s) for s in shapely.intersection(known[near], frame)], dtype=object)
        share[near] = hectares(inside, target) / hectares(known[near], target)
    if broken.any():
        around = pyproj.Transformer.from_crs(target, crs, always_xy=True).transform_bounds(*extent, densify_pts=21)
        wide = _grown(around) if np.isfinite(around).all() else (-180.0, -90.0, 180.0, 90.0)
        part = np.array(
            [polygon_part(s) for s in shapely.intersection(shapes[broken], shapely.box(*wide))], dtype=object
        )
        known[broken], inner = (
            within(part, crs, target, extent) if np.isfinite(around).all() else (part, np.zeros(part.size))
        )
        share[broken] = inner * hectares(part, crs) / hectares(shapes[broken], crs)
    return known, np.nan_to_num(share)


def _too_far(shapes: Shapes, crs: pyproj.CRS, target: pyproj.CRS, extent: Box) -> NDArray[np.bool_]:
    """Shapes in degrees that reach where a projection made for the extent gives numbers that mean nothing."""
    if not crs.is_geographic or target.is_geographic:
        return np.zeros(len(shapes), bool)
    x, y = (extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2
    middle, _ = pyproj.Transformer.from_crs(target, crs, always_xy=True).transform(x, y)
    west, south, east, north = shapely.bounds(shapes).T
    away = np.maximum(np.abs(west - middle), np.abs(east - middle))
    return (away > _FAR_DEGREES) | (south < -_POLAR_DEGREES) | (north > _POLAR_DEGREES)


def _grown(box: Sequence[float]) -> Box:
    west, south, east, north = box
    x, y = (east - west) / 20, (north - south) / 20
    return west - x, south - y, east + x, north + y


def hectares(shapes: Shapes, crs: pyproj.CRS) -> NDArray[np.float64]:
    """True area of polygons on the ellipsoid of their CRS [ha], edges being straight in the CRS.

    Longitude and the area between equator and parallel make an equal-area plane, in which areas are those of the plane:
    the same closed form as the pixels', so that a region and its pixels agree.
    """
    geodetic = crs.geodetic_crs or pyproj.CRS.from_epsg(4326)
    lonlat = moved(shapes, crs, geodetic) if not crs.is_geographic else _cut(shapes, crs)
    a, rf = ellipsoid(crs)
    plane = shapely.transform(
        lonlat, lambda xy: np.column_stack((xy[:, 0], np.sign(xy[:, 1]) * cell_area(0.0, xy[:, 1], 1.0, a, rf)))
    )
    return shapely.area(plane) / M2_PER_HA


def overlaps(shapes: Shapes, area_ha: NDArray[np.float64], least_ha: float) -> list[tuple[int, int, float]]:
    """Pairs (i < j) that claim the same ground, and how much [ha], by more than ``least_ha`` or a millionth of the smaller."""
    one, two = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, two = one[one < two], two[one < two]
    if not one.size:
        return []
    own = shapely.area(shapes)
    # Neighbours that only share a line are by far the most, and cheaper to tell than to intersect.
    common = np.zeros(one.size)
    deep = ~shapely.touches(shapes[one], shapes[two])
    common[deep] = shapely.area(shapely.intersection(shapes[one[deep]], shapes[two[deep]]))
    size = common / np.where(own[one] > 0, own[one], 1) * area_ha[one]
    real = size > np.maximum(least_ha, 1e-6 * np.minimum(area_ha[one], area_ha[two]))
    return [(int(i), int(j), float(s)) for i, j, s in zip(one[real], two[real], size[real], strict=True)]
