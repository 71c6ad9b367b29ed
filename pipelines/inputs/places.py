"""Whether a CRS can be computed with, and whether coordinates are places of it."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from pipelines.errors import InputError
from sinks.area import metres_per_unit

_FARTHEST_DEGREES: Final = 720.0
"""Some files count longitudes on over a date line; none goes round twice."""
_FARTHEST_METRES: Final = 1e8
"""Two and a half times round the Earth."""


def require_usable(shown: str, name: str, said: str, mend: str) -> None:
    """Refuse a CRS in which nothing can be placed. name, said : of the CRS, and its ``fault``; mend : what to do."""
    if said:
        raise InputError(f"{shown}: its CRS '{name}' {said}; {mend}")


def fault(crs: pyproj.CRS) -> str:
    """Why nothing can be placed in a CRS; blank for a usable one."""
    if not (crs.is_geographic or crs.is_projected):
        return "is neither geographic nor projected"
    try:
        pyproj.Transformer.from_crs(crs, 4326, always_xy=True)  # of this Earth, too
    except pyproj.exceptions.ProjError as error:
        return f"cannot be computed with ({error})"
    return ""


def require_on_earth(path: str, shapes: NDArray, crs: pyproj.CRS) -> None:
    """Refuse geometries far beyond the Earth: edges are cut to short pieces, and a wrong digit would make billions of them."""
    if not np.isfinite(shapely.get_coordinates(shapes)).all():
        raise InputError(f"{path}: a geometry has a vertex that is no number; mend it")
    bounds = shapely.bounds(shapes)
    there = bounds[~shapely.is_empty(shapes) & ~shapely.is_missing(shapes)]
    if crs.is_geographic:
        limit = np.array([_FARTHEST_DEGREES, 91.0, _FARTHEST_DEGREES, 91.0])
        what = "longitude and latitude"
    else:
        limit = np.full(4, _FARTHEST_METRES / metres_per_unit(crs))
        what = f"place in {crs.name}"
    wrong = ~(np.abs(there) <= limit)
    if wrong.any():
        x0, y0, x1, y1 = there[wrong.any(axis=1)][0]
        raise InputError(
            f"{path}: a geometry reaches from {x0:g}, {y0:g} to {x1:g}, {y1:g}, which is no {what}; check the CRS and mend it"
        )
