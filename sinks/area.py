"""The true area of pixels on the ellipsoid: in closed form on geographic grids, by the areal scale factor on projected ones.

Nothing here assumes an equal-area grid. PROJ (through pyproj) is asked only where a place lies and how much a projection
stretches it there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyproj
from numpy.typing import NDArray

from sinks.errors import InputError

Array = Any
Floats = NDArray[np.float64]
Transform = tuple[float, float, float, float, float, float]

WGS84_SEMI_MAJOR: Final = 6378137.0
WGS84_INVERSE_FLATTENING: Final = 298.257223563

NODE_METRES: Final = 2000.0
MOST_NODE_PIXELS: Final = 64
"""A projection is asked for at nodes at most this far apart; between them its factors are linear to a few 1e-8."""

_EQUAL_AREA: Final = (
    "Albers Equal Area", "Lambert Azimuthal Equal Area", "Lambert Cylindrical Equal Area", "Sinusoidal", "Equal Earth",
)  # fmt: skip
_SPHERE_ONLY: Final = re.compile(
    r"Pseudo Mercator|Spherical|Mollweide|Eckert|Robinson|Winkel|Goode|Grinten|Hammer|Miller"
)
"""Methods whose formulas are the sphere's whatever the ellipsoid: PROJ's factors are then the sphere's too."""


# ------------------------------------------------------------------------------------------ equations


def cell_area(
    south: Array,
    north: Array,
    width: Array,
    semi_major: float = WGS84_SEMI_MAJOR,
    inverse_flattening: float = WGS84_INVERSE_FLATTENING,
) -> Array:
    """Area of cells between two parallels and two meridians of an ellipsoid; exact.

    south, north : latitudes of the edges [°], in either order; width : extent in longitude [°]; all elementwise.
    semi_major : [m]; inverse_flattening : [1], 0 for a sphere.
    returns : area [m²], broadcast of the inputs.

    A = b²·Δλ·[F(sin φ₂) − F(sin φ₁)], F(s) = s / (2(1 − e²s²)) + artanh(e·s) / (2e), written as one difference so that
    thin cells lose no digits. Source: integral of the ellipsoid's area element (Snyder 1987, USGS PP 1395, eq. 3-12).
    """
    flattening = 1 / inverse_flattening if inverse_flattening else 0.0
    e2 = flattening * (2 - flattening)
    b = semi_major * (1 - flattening)
    one, two = np.asarray(south, float), np.asarray(north, float)
    low, high = np.minimum(one, two), np.maximum(one, two)
    s1, s2 = np.sin(np.radians(low)), np.sin(np.radians(high))
    ds = 2 * np.cos(np.radians((high + low) / 2)) * np.sin(np.radians((high - low) / 2))
    rational = ds * (1 + e2 * s1 * s2) / (2 * (1 - e2 * s1**2) * (1 - e2 * s2**2))
    across = ds / (1 - e2 * s1 * s2)
    e = np.sqrt(e2)
    logarithm = np.arctanh(e * across) / (2 * e) if e else across / 2
    return b**2 * np.radians(width) * (rational + logarithm)


def web_mercator_scale(latitude: Array) -> Array:
    """True areal scale factor of EPSG:3857: map area / true area [1]. latitude : geodetic [°], elementwise.

    PROJ gives the sphere's 1/cos²φ there, which is up to 0.7 % off. Source: the sphere's Mercator applied to geodetic
    latitudes, h·k = (1 − e²sin²φ)² / ((1 − e²)·cos²φ).
    """
    return _sphere_to_ellipsoid(latitude) / np.cos(np.radians(np.asarray(latitude, float))) ** 2


def _sphere_to_ellipsoid(latitude: Array) -> Array:
    """Area element of the sphere of WGS 84's semi-major axis over that of WGS 84 at one geodetic latitude [1]."""
    flattening = 1 / WGS84_INVERSE_FLATTENING
    e2 = flattening * (2 - flattening)
    return (1 - e2 * np.sin(np.radians(np.asarray(latitude, float))) ** 2) ** 2 / (1 - e2)


# ------------------------------------------------------------------------------------------ CRS


def horizontal(crs: pyproj.CRS) -> pyproj.CRS:
    """The part of a CRS that places a pixel: no height, no datum shift wrapped around it."""
    while crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    return horizontal(crs.sub_crs_list[0]) if crs.is_compound else crs


def metres_per_unit(crs: pyproj.CRS) -> float:
    """Metres per unit of a projected CRS: 1, 1000, 0.3048006…"""
    return float(horizontal(crs).axis_info[0].unit_conversion_factor)


def ellipsoid(crs: pyproj.CRS) -> tuple[float, float]:
    """Semi-major axis [m] and inverse flattening of a CRS.

    A sphere (of MODIS, or of a weather model) counts as WGS 84: what is stored under it are geodetic latitudes, and PROJ
    takes them to WGS 84 unchanged; the sphere itself would be up to 0.7 % off.
    """
    shape = crs.ellipsoid
    if shape is None or not shape.inverse_flattening:
        return WGS84_SEMI_MAJOR, WGS84_INVERSE_FLATTENING
    return shape.semi_major_metre, shape.inverse_flattening


def is_web_mercator(crs: pyproj.CRS) -> bool:
    """Whether a CRS is the sphere's Mercator used on web maps."""
    return "Pseudo Mercator" in _method(crs)


def is_equal_area(crs: pyproj.CRS) -> bool:
    """Whether every pixel of a projected grid has the same true area: an equal-area method on a true ellipsoid."""
    method = _method(crs)
    return method.startswith(_EQUAL_AREA) and not _on_sphere(crs)


def _method(crs: pyproj.CRS) -> str:
    operation = horizontal(crs).coordinate_operation
    return operation.method_name if operation is not None else ""


def _on_sphere(crs: pyproj.CRS) -> bool:
    shape = crs.ellipsoid
    return bool(_SPHERE_ONLY.search(_method(crs))) or shape is None or not shape.inverse_flattening


def areal_scale(crs: pyproj.CRS, x: Array, y: Array) -> Floats:
    """Areal scale factor of a projected CRS: map area / true area [1].

    x, y : places in the CRS's own coordinates (east, north), elementwise.
    Raises InputError where the projection is not defined. Sphere's projections are set right for the ellipsoid.
    """
    projection = pyproj.Proj(crs)
    lon, lat = projection(np.asarray(x, float), np.asarray(y, float), inverse=True)
    if not np.isfinite(lat).all():
        raise _undefined(crs)
    if is_web_mercator(crs):
        scale = np.asarray(web_mercator_scale(lat))
    else:
        scale = np.asarray(projection.get_factors(lon, lat).areal_scale)
        if _on_sphere(crs):
            shape = crs.ellipsoid
            radius = shape.semi_major_metre if shape is not None else WGS84_SEMI_MAJOR
            scale = scale * np.asarray(_sphere_to_ellipsoid(lat)) * (radius / WGS84_SEMI_MAJOR) ** 2
    if not np.isfinite(scale).all():
        raise _undefined(crs)
    return np.asarray(scale, np.float64)


def _undefined(crs: pyproj.CRS) -> InputError:
    return InputError(
        f"the grid reaches where its projection '{crs.name}' is not defined; clip the raster to the projection's valid area"
    )


# ------------------------------------------------------------------------------------------ lattice


@dataclass(frozen=True)
class Lattice:
    """Pixels of a CRS and an affine transform (a, b, c, d, e, f), without rotation; rows may run either way.

    Every value depends on the pixel's row and column alone, so that any partition into windows gives the same bits.
    """

    crs: pyproj.CRS
    transform: Transform

    def area(self, row: int, col: int, height: int, width: int) -> Floats:
        """True pixel areas [m²] of a window: (h, 1) where they are equal along a row, else (h, w)."""
        a, _, _, _, e, y0 = self.transform
        if self.crs.is_geographic:
            edges = np.clip(y0 + e * np.arange(row, row + height + 1), -90.0, 90.0)
            return cell_area(edges[1:], edges[:-1], abs(a), *ellipsoid(self.crs))[:, None]
        flat = abs(a * e) * metres_per_unit(self.crs) ** 2
        if is_equal_area(self.crs):
            return np.full((height, 1), flat)
        return self.smooth(lambda x, y: flat / areal_scale(self.crs, x, y), row, col, height, width)

    def latitude(self, row: int, col: int, height: int, width: int) -> Floats:
        """Latitude of pixel centres [°] of a window: (h, 1) or (h, w)."""
        if self.crs.is_geographic:
            _, _, _, _, e, y0 = self.transform
            return np.asarray(y0 + e * (np.arange(row, row + height) + 0.5), np.float64)[:, None]
        return self.smooth(
            lambda x, y: np.asarray(pyproj.Proj(self.crs)(x, y, inverse=True)[1]), row, col, height, width
        )

    def smooth(
        self, function: Callable[[Floats, Floats], Floats], row: int, col: int, height: int, width: int
    ) -> Floats:
        """A smooth function of x and y at every pixel centre of a window (h, w): asked for at nodes, bilinear between.

        The nodes are every k-th pixel of the lattice, not of the window.
        """
        a, _, x0, _, e, y0 = self.transform
        k = self._node_pixels
        i0, j0 = row // k, col // k
        i = np.arange(i0, (row + height - 1) // k + (2 if k > 1 else 1))
        j = np.arange(j0, (col + width - 1) // k + (2 if k > 1 else 1))
        x, y = np.meshgrid(x0 + a * (j * k + 0.5), y0 + e * (i * k + 0.5))
        nodes = function(x, y)
        if k == 1:
            return nodes
        at, part = np.divmod(np.arange(col, col + width), k)
        v = part / k
        lines = nodes[:, at - j0] * (1 - v) + nodes[:, at - j0 + 1] * v
        out = np.empty((height, width))
        for n in range(len(i) - 1):  # a strip of k rows at a time stays in the processor's cache
            first, last = max(i[n] * k, row), min(i[n + 1] * k, row + height)
            u = (np.arange(first, last) - i[n] * k)[:, None] / k
            strip = out[first - row : last - row]
            np.multiply(u, lines[n + 1] - lines[n], out=strip)
            strip += lines[n]
        return out

    @property
    def _node_pixels(self) -> int:
        a, _, _, _, e, _ = self.transform
        unit = 111_320.0 if self.crs.is_geographic else metres_per_unit(self.crs)
        return int(np.clip(NODE_METRES // (max(abs(a), abs(e)) * unit), 1, MOST_NODE_PIXELS))
