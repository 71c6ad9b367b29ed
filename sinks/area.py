"""The true area of pixels: closed form on the ellipsoid, areal scale factor on projected grids.

Nothing here assumes an equal-area grid. PROJ (through pyproj) is asked only for a projection's scale factor.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray

from sinks.errors import InputError

Array = Any

WGS84_SEMI_MAJOR: Final = 6378137.0
WGS84_INVERSE_FLATTENING: Final = 298.257223563

_X_NAMES: Final = ("x", "lon", "longitude", "easting")
_Y_NAMES: Final = ("y", "lat", "latitude", "northing")


def cell_area(
    south: Array,
    north: Array,
    width: Array,
    semi_major: float = WGS84_SEMI_MAJOR,
    inverse_flattening: float = WGS84_INVERSE_FLATTENING,
) -> Array:
    """Area [m²] of cells between two parallels on an ellipsoid; exact.

    south, north : latitudes of the edges [°]; width : extent in longitude [°]; elementwise.
    A = b²·Δλ·[F(sin φ₂) − F(sin φ₁)], F(s) = s / (2(1 − e²s²)) + artanh(e·s) / (2e), written as one difference so that
    thin cells lose no digits. Source: integral of the ellipsoid's area element (Snyder 1987, USGS PP 1395, eq. 3-12).
    """
    flattening = 1 / inverse_flattening
    e2 = flattening * (2 - flattening)
    e, b = np.sqrt(e2), semi_major * (1 - flattening)
    low, high = np.radians(np.asarray(south, float)), np.radians(np.asarray(north, float))
    s1, s2 = np.sin(low), np.sin(high)
    ds = 2 * np.cos((high + low) / 2) * np.sin((high - low) / 2)
    rational = ds * (1 + e2 * s1 * s2) / (2 * (1 - e2 * s1**2) * (1 - e2 * s2**2))
    logarithm = np.arctanh(e * ds / (1 - e2 * s1 * s2)) / (2 * e)
    return b**2 * np.radians(width) * (rational + logarithm)


def web_mercator_scale(latitude: Array) -> Array:
    """True areal scale factor of EPSG:3857 on the ellipsoid [1]: map area / true area. latitude [°].

    PROJ gives the sphere's 1/cos²φ there, which is up to 0.7 % off. Source: scale factors of the sphere's Mercator applied
    to geodetic latitudes: h·k = (1 − e²sin²φ)² / ((1 − e²)·cos²φ).
    """
    flattening = 1 / WGS84_INVERSE_FLATTENING
    e2 = flattening * (2 - flattening)
    phi = np.radians(np.asarray(latitude, float))
    return (1 - e2 * np.sin(phi) ** 2) ** 2 / ((1 - e2) * np.cos(phi) ** 2)


def areal_scale(crs: pyproj.CRS, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areal scale factor of a projected CRS at places given in its own coordinates: map area / true area, elementwise."""
    projection = pyproj.Proj(crs)
    lon, lat = projection(x, y, inverse=True)
    if is_web_mercator(crs):
        return web_mercator_scale(lat)
    scale = np.asarray(projection.get_factors(lon, lat).areal_scale)
    if not np.isfinite(scale).all():
        raise InputError(
            f"the projection '{crs.name}' has no scale factor in part of this grid; clip the raster to its valid area"
        )
    return scale


def is_web_mercator(crs: pyproj.CRS) -> bool:
    """Whether a CRS is the sphere's Mercator used on web maps."""
    operation = crs.coordinate_operation
    return operation is not None and "Pseudo Mercator" in operation.method_name


def ellipsoid(crs: pyproj.CRS) -> tuple[float, float]:
    """Semi-major axis [m] and inverse flattening of a CRS; a sphere counts as nearly flat-free."""
    shape = crs.ellipsoid
    if shape is None:
        return WGS84_SEMI_MAJOR, WGS84_INVERSE_FLATTENING
    return shape.semi_major_metre, shape.inverse_flattening or 1e12


def pixel_area(raster: xr.DataArray) -> xr.DataArray:
    """True area of every pixel [m²], with the raster's spatial dims.

    raster : needs regular coordinates (x, y or lon, lat: pixel centres) and a CRS in its grid-mapping coordinate
    (``spatial_ref`` with ``crs_wkt``). Values are not loaded. Raises InputError when CRS or coordinates are missing.
    """
    x, y = _dim(raster, _X_NAMES), _dim(raster, _Y_NAMES)
    crs = _crs(raster)
    xs, ys = raster[x].values.astype(float), raster[y].values.astype(float)
    dx, dy = _step(xs, x), _step(ys, y)
    if crs.is_geographic:
        a, rf = ellipsoid(crs)
        area = np.broadcast_to(
            cell_area(ys - abs(dy) / 2, ys + abs(dy) / 2, abs(dx), a, rf)[:, None], (ys.size, xs.size)
        )
    else:
        unit = crs.axis_info[0].unit_conversion_factor
        grid_x, grid_y = np.meshgrid(xs, ys)
        area = abs(dx * dy) * unit**2 / areal_scale(crs, grid_x, grid_y)
    found = xr.DataArray(area, dims=(y, x), coords={y: raster[y], x: raster[x]}, name="pixel_area")
    found.attrs = {"units": "m2", "long_name": "Pixel area on the ellipsoid"}
    return found


def _dim(raster: xr.DataArray, names: tuple[str, ...]) -> str:
    for name in names:
        if name in raster.dims:
            return name
    raise InputError(
        f"the array has dims {', '.join(map(str, raster.dims))}, none of {', '.join(names)}; rename its spatial dims"
    )


def _step(values: NDArray[np.float64], name: str) -> float:
    if values.size < 2:
        raise InputError(f"the array has {values.size} pixel(s) along {name}; its resolution cannot be told from one")
    steps = np.diff(values)
    if np.abs(steps - steps.mean()).max() > 1e-3 * abs(steps.mean()):
        raise InputError(f"the coordinates along {name} are not evenly spaced; put the array on a regular grid first")
    return float((values[-1] - values[0]) / (values.size - 1))


def _crs(raster: xr.DataArray) -> pyproj.CRS:
    for name in (raster.encoding.get("grid_mapping"), raster.attrs.get("grid_mapping"), "spatial_ref", "crs"):
        if name and name in raster.coords:
            attributes = raster.coords[name].attrs
            for key in ("crs_wkt", "spatial_ref"):
                if attributes.get(key):
                    return pyproj.CRS.from_wkt(attributes[key])
    if raster.attrs.get("crs"):
        return pyproj.CRS.from_user_input(raster.attrs["crs"])
    raise InputError('the array has no CRS; set one first, e.g. with rioxarray: array.rio.write_crs("EPSG:4326")')
