"""Polygons of regions for a map on a screen: in longitude and latitude, no finer than a screen shows, few enough for a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipelines.errors import InputError
from pipelines.inputs import polygons

LONLAT: Final = pyproj.CRS.from_epsg(4326)
MOST_VERTICES: Final = 40_000
"""Of all regions together: about half a megabyte of text."""
_STEPS: Final = 2000
"""Parts of the longer side of the map that are told apart at first; a large screen has about as many pixels."""
_SPECK: Final = 2.0
"""Where there are too many vertices, islands and holes smaller than a square of so many steps are left out, unless they are all
there is. Elsewhere every island stays: whose a small island is can matter more than its size."""


def read(path: Path, layer: str) -> gpd.GeoDataFrame:
    """The polygons of a run's GeoPackage by region_id. Raises InputError when they cannot be read."""
    try:
        frame = gpd.read_file(path, layer=layer, columns=["region_id"])
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: layer {layer} cannot be read ({error}); run it again") from error
    return frame.assign(region_id=frame["region_id"].astype(str))


def outlines(frame: gpd.GeoDataFrame, most: int = MOST_VERTICES) -> dict[str, BaseGeometry]:
    """Polygons in longitude and latitude by region_id, simplified together so that neighbours keep their common border."""
    held = np.asarray(frame.geometry.to_numpy(), object)
    crs = pyproj.CRS.from_user_input(frame.crs)
    known = np.array([not (s is None or s.is_empty) for s in held], bool)
    there = _joined(polygons.moved(held[known], crs, LONLAT))
    plain = _simple(there, most)
    ids = frame["region_id"].to_numpy()[known]
    return {str(i): s for i, s in zip(ids, plain, strict=True) if not s.is_empty}


def _joined(shapes: NDArray[Any]) -> NDArray[Any]:
    """Shapes on both sides of the date line beside each other, the western ones beyond 180°."""
    west, _, east, _ = shapely.total_bounds(shapes)
    if not east - west > 180.0:
        return shapes
    beyond = shapely.transform(
        shapes, lambda xy: np.column_stack((np.where(xy[:, 0] < 0, xy[:, 0] + 360.0, xy[:, 0]), xy[:, 1]))
    )
    first, _, last, _ = shapely.total_bounds(beyond)
    return beyond if last - first < 180.0 else shapes


def _simple(shapes: NDArray[Any], most: int) -> NDArray[Any]:
    if not shapes.size:
        return shapes
    west, south, east, north = shapely.total_bounds(shapes)
    step = max(east - west, north - south) / _STEPS
    specks = 0.0
    while True:
        # A tolerance of a Visvalingam–Whyatt simplification is the root of the smallest triangle that is kept.
        found = shapely.coverage_simplify(shapes, step, simplify_boundary=True)
        if specks:
            found = np.array([_without_specks(s, specks) for s in found], object)
        if shapely.get_num_coordinates(found).sum() <= most or step > (east - west + north - south) / 50:
            return found
        specks = step
        step *= 1.6


def _without_specks(shape: BaseGeometry, step: float) -> BaseGeometry:
    least = (_SPECK * step) ** 2
    parts = shapely.get_parts(polygons.polygon_part(shape))
    if not len(parts):
        return shape
    area = shapely.area(parts)
    kept = [p for p, a in zip(parts, area, strict=True) if a >= least or a == area.max()]
    rings = [
        shapely.Polygon(p.exterior, [r for r in p.interiors if shapely.area(shapely.Polygon(r)) >= least]) for p in kept
    ]
    return rings[0] if len(rings) == 1 else shapely.MultiPolygon(rings)


def features(found: dict[str, BaseGeometry], order: list[str]) -> dict[str, Any]:
    """GeoJSON, each feature with the place of its region in the table; digits no finer than a thousandth of a screen's pixel."""
    place = {region: n for n, region in enumerate(order)}
    west, south, east, north = bounds(found)
    digits = int(np.clip(np.ceil(-np.log10(max(east - west, north - south, 1e-9) / (20 * _STEPS))), 1, 7))
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"i": place[region]},
                "geometry": {"type": shape.geom_type, "coordinates": _rounded(shapely.geometry.mapping(shape), digits)},
            }
            for region, shape in found.items()
            if region in place
        ],
    }


def _rounded(mapping: dict[str, Any], digits: int) -> Any:
    def walk(part: Any) -> Any:
        if isinstance(part[0], int | float):
            return [round(part[0], digits), round(part[1], digits)]
        return [walk(p) for p in part]

    return walk(mapping["coordinates"])


def bounds(found: dict[str, BaseGeometry]) -> tuple[float, float, float, float]:
    """West, south, east, north of all; the whole Earth where there are none."""
    if not found:
        return -180.0, -60.0, 180.0, 80.0
    west, south, east, north = shapely.total_bounds(np.array(list(found.values()), object))
    return float(west), float(south), float(east), float(north)
