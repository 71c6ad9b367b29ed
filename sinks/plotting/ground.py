"""Where a map lies: how long a kilometre is on it, where north is, where meridians and parallels cross its frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import pyproj
from numpy.typing import NDArray

_STEPS: Final = tuple(d / 3600 for d in (
    108000, 72000, 36000, 18000, 7200, 3600, 1800, 1200, 600, 300, 120, 60, 30, 20, 10, 5, 2, 1,
))  # fmt: skip
"""Steps of a graticule, from 30° to 1″ [°]."""
_NODES: Final = 65
_ALIKE: Final = 0.02
"""A scale that differs by less than this over a map holds for all of it."""


@dataclass(frozen=True)
class Bar:
    """A scale bar along a row of the map, from x0 to x1 at y in map units. metres : its length on the ground.

    everywhere : whether it holds for the whole map; latitude : where it holds.
    """

    metres: float
    x0: float
    x1: float
    y: float
    latitude: float
    everywhere: bool


@dataclass(frozen=True)
class Line:
    """A meridian or parallel. tick : where it meets the bottom (meridian) or left (parallel) edge; None where it does not."""

    degrees: float
    kind: Literal["meridian", "parallel"]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    tick: float | None


@dataclass(frozen=True)
class Frame:
    """The rectangle of a map in its own CRS, geographic in degrees or projected."""

    crs: pyproj.CRS
    west: float
    south: float
    east: float
    north: float

    @property
    def width(self) -> float:
        return self.east - self.west

    @property
    def height(self) -> float:
        return self.north - self.south

    @cached_property
    def stretch(self) -> float:
        """Length of a unit of y over a unit of x on paper: in degrees, so that shapes are true at the middle."""
        if not self.crs.is_geographic:
            return 1.0
        return 1 / max(math.cos(math.radians((self.south + self.north) / 2)), 0.05)

    @property
    def aspect(self) -> float:
        """Height over width on paper."""
        return self.height * self.stretch / self.width

    @cached_property
    def _to_degrees(self) -> pyproj.Transformer:
        base = self.crs.geodetic_crs
        if base is None:
            raise ValueError(f"the CRS {self.crs.name} is tied to no ellipsoid")
        return pyproj.Transformer.from_crs(self.crs, base, always_xy=True)

    def distance(self, x0: float, y0: float, x1: float, y1: float) -> float:
        """Along the ellipsoid [m]."""
        (lon0, lon1), (lat0, lat1) = self._to_degrees.transform([x0, x1], [y0, y1])
        return float(self._geod.inv(lon0, lat0, lon1, lat1)[2])

    @cached_property
    def _geod(self) -> pyproj.Geod:
        geod = self.crs.get_geod()
        if geod is None:
            raise ValueError(f"the CRS {self.crs.name} is tied to no ellipsoid")
        return geod

    def bar(self, x: float, y: float, longest: float) -> Bar:
        """A bar of 1, 2 or 5 × 10ⁿ metres that starts at (x, y) and is at most ``longest`` map units long."""
        reach = self.distance(x, y, x + longest, y)
        power = 10.0 ** math.floor(math.log10(reach))
        metres = next(m * power for m in (5, 2, 1) if m * power <= reach)
        from scipy.optimize import brentq  # dear to import; every run has figures at hand and few draw them

        x1 = brentq(lambda at: self.distance(x, y, at, y) - metres, x, x + longest, xtol=1e-9 * self.width)
        rows = [self.south + self.height * part for part in (0.02, 0.5, 0.98)]
        elsewhere = [self.distance(x, row, x1, row) / metres for row in rows]
        latitude = float(self._to_degrees.transform((x + x1) / 2, y)[1])
        return Bar(metres, x, float(x1), y, latitude, max(abs(r - 1) for r in elsewhere) < _ALIKE)

    def bearing(self) -> float:
        """Angle of true north at the middle, clockwise from the top of the map [°]."""
        x, y = (self.west + self.east) / 2, (self.south + self.north) / 2
        lon, lat = self._to_degrees.transform(x, y)
        step = 1e-4
        x1, y1 = self._to_degrees.transform(lon, lat + step, direction="INVERSE")
        return math.degrees(math.atan2(x1 - x, y1 - y))

    def graticule(self, meridians: int = 3, parallels: int = 3) -> list[Line]:
        """Meridians and parallels at round degrees, so many of each or more."""
        west, south, east, north = self._to_degrees.transform_bounds(
            self.west, self.south, self.east, self.north, densify_pts=21
        )
        east += 360 if east < west else 0
        lines = []
        across, along = np.linspace(west, east, _NODES), np.linspace(south, north, _NODES)
        for lon in _round_degrees(west, east, meridians):
            lines.append(self._line(lon, "meridian", np.full(_NODES, lon), along))
        for lat in _round_degrees(south, north, parallels):
            lines.append(self._line(lat, "parallel", across, np.full(_NODES, lat)))
        return lines

    def _line(
        self, degrees: float, kind: Literal["meridian", "parallel"], lon: NDArray[np.float64], lat: NDArray[np.float64]
    ) -> Line:
        x, y = (np.asarray(v) for v in self._to_degrees.transform(lon, lat, direction="INVERSE"))
        if kind == "meridian":
            tick = _crossing(y, x, self.south, self.west, self.east)
        else:
            tick = _crossing(x, y, self.west, self.south, self.north)
        return Line(degrees, kind, x, y, tick)


def spelled(degrees: float, kind: Literal["meridian", "parallel"]) -> str:
    """106°30′E, with as many parts as are needed."""
    degrees = (degrees + 180) % 360 - 180 if kind == "meridian" and not -180 <= degrees <= 180 else degrees
    seconds = round(abs(degrees) * 3600)
    minutes, rest = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    text = f"{whole}°" + (f"{minutes:02d}′" if minutes or rest else "") + (f"{rest:02d}″" if rest else "")
    if not seconds or (kind == "meridian" and whole == 180):
        return text
    return text + ("E" if degrees > 0 else "W") if kind == "meridian" else text + ("N" if degrees > 0 else "S")


def _round_degrees(low: float, high: float, least: int) -> list[float]:
    """Multiples of the widest step that has ``least`` of them between two values."""
    for step in _STEPS:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 >= least:
            return [k * step for k in range(first, last + 1)]
    return []


def _crossing(
    along: NDArray[np.float64], across: NDArray[np.float64], edge: float, low: float, high: float
) -> float | None:
    """Where a line meets an edge of the frame, found between its nodes; its end where that lies on the edge."""
    slack = 1e-6 * max(abs(high - low), 1e-12)
    order = np.argsort(along)
    if not along[order[0]] - slack <= edge <= along[order[-1]] + slack:
        return None
    at = float(np.interp(edge, along[order], across[order]))
    return at if low - slack <= at <= high + slack else None
