"""Regions on a map: as polygons where these are known, else as an array of region numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from sinks.plotting.furniture import SMALL, Box
from sinks.plotting.ground import Frame

OUTLINE: Final = "#333333"
_COARSE: Final = 60
_FINEST: Final = 4000
"""Outlines are told to this part of a map's width: less than a dot of the printer."""


class Shapes(Protocol):
    """What a map must know of its regions."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def names(self) -> Sequence[str]: ...

    def fill(self, ax: Any, frame: Frame, colors: Mapping[str, str]) -> None:
        """Paint the regions, each in the colour of its id."""

    def outline(self, ax: Any, frame: Frame, width: float) -> None:
        """Draw their borders."""

    def covered(self, frame: Frame) -> NDArray[np.bool_]:
        """Where a map of them is filled, coarsely, row 0 in the north."""

    def places(self, frame: Frame) -> list[tuple[float, float, float]]:
        """Where a name may stand, and how wide it may be in map units, for every region."""


@dataclass(frozen=True)
class Polygons:
    """Regions with their polygons, in the CRS of the map."""

    ids: Sequence[str]
    names: Sequence[str]
    polygons: Sequence[Any]

    def _drawn(self, frame: Frame) -> list[Any]:
        return list(shapely.simplify(np.asarray(self.polygons, dtype=object), frame.width / _FINEST))

    def fill(self, ax: Any, frame: Frame, colors: Mapping[str, str]) -> None:
        from matplotlib.collections import PathCollection

        paths = [_path(p) for p in self._drawn(frame)]
        ax.add_collection(
            PathCollection(paths, facecolors=[colors[i] for i in self.ids], edgecolors="none", zorder=2, gid="regions")
        )

    def outline(self, ax: Any, frame: Frame, width: float) -> None:
        from matplotlib.collections import PathCollection

        paths = [_path(p) for p in self._drawn(frame)]
        ax.add_collection(
            PathCollection(paths, facecolors="none", edgecolors=OUTLINE, linewidths=width, zorder=3, gid="borders")
        )

    def covered(self, frame: Frame) -> NDArray[np.bool_]:
        nodes = (np.arange(_COARSE) + 0.5) / _COARSE
        x, y = np.meshgrid(frame.west + nodes * frame.width, frame.north - nodes * frame.height)
        filled = np.zeros(x.shape, bool)
        for polygon in self._drawn(frame):
            filled |= shapely.contains_xy(polygon, x, y)
        return filled

    def places(self, frame: Frame) -> list[tuple[float, float, float]]:
        found = []
        for polygon in self.polygons:
            at = shapely.point_on_surface(polygon)
            row = shapely.LineString([(frame.west - frame.width, at.y), (frame.east + frame.width, at.y)])
            parts = getattr(shapely.intersection(polygon, row), "geoms", None) or [shapely.intersection(polygon, row)]
            longest = max(parts, key=lambda part: part.length)
            middle = longest.interpolate(0.5, normalized=True) if longest.length else at
            found.append((float(middle.x), float(middle.y), float(longest.length)))
        return found


@dataclass(frozen=True)
class Zones:
    """Regions as an array of 1-based numbers, 0 where there is none; the array spans the frame of the map."""

    ids: Sequence[str]
    names: Sequence[str]
    numbers: NDArray[np.integer]

    def fill(self, ax: Any, frame: Frame, colors: Mapping[str, str]) -> None:
        from matplotlib.colors import to_rgba

        table = np.array([(0, 0, 0, 0), *(to_rgba(colors[i]) for i in self.ids)])
        box = (frame.west, frame.east, frame.south, frame.north)
        ax.imshow(table[self.numbers], extent=box, interpolation="none", aspect="auto", zorder=2)

    def outline(self, ax: Any, frame: Frame, width: float) -> None:
        from matplotlib.collections import LineCollection

        rows, cols = self.numbers.shape
        dx, dy = frame.width / cols, frame.height / rows
        n = np.pad(self.numbers, 1)
        r, c = np.nonzero(n[:, 1:] != n[:, :-1])
        r2, c2 = np.nonzero(n[1:, :] != n[:-1, :])
        x, y = frame.west + c * dx, frame.north - (r - 1) * dy
        x2, y2 = frame.west + (c2 - 1) * dx, frame.north - r2 * dy
        upright = np.stack([np.stack([x, y], 1), np.stack([x, y - dy], 1)], 1)
        level = np.stack([np.stack([x2, y2], 1), np.stack([x2 + dx, y2], 1)], 1)
        lines = LineCollection(
            list(np.concatenate([upright, level])), colors=OUTLINE, linewidths=width, zorder=3, gid="borders"
        )
        ax.add_collection(lines)

    def covered(self, frame: Frame) -> NDArray[np.bool_]:
        return self.numbers > 0

    def places(self, frame: Frame) -> list[tuple[float, float, float]]:
        rows, cols = self.numbers.shape
        found = []
        for number in range(1, len(self.ids) + 1):
            r, c = np.nonzero(self.numbers == number)
            if not r.size:
                found.append((frame.west, frame.north, 0.0))
                continue
            row = int(np.median(r))
            here = c[r == row] if (r == row).any() else c
            x = frame.west + (float(np.median(here)) + 0.5) * frame.width / cols
            found.append((x, frame.north - (row + 0.5) * frame.height / rows, here.size * frame.width / cols))
        return found


def names(ax: Any, frame: Frame, shapes: Shapes, points_per_unit: float, taken: Sequence[Box]) -> None:
    """The names of the regions that have room for theirs, beside what is taken. points_per_unit : a map unit on paper."""
    from matplotlib.patheffects import withStroke

    size = SMALL - 1
    for name, (x, y, room) in zip(shapes.names, shapes.places(frame), strict=True):
        wide = sum(1.0 if ord(ch) > 0x2E7F else 0.6 for ch in name) * size / points_per_unit
        tall = size / points_per_unit / frame.stretch
        hidden = any(
            x + wide / 2 > w and x - wide / 2 < e and y + tall / 2 > s and y - tall / 2 < n for w, s, e, n in taken
        )
        if name and wide <= room and not hidden:
            halo = [withStroke(linewidth=1.4, foreground="white", alpha=0.8)]
            look: dict[str, Any] = {"ha": "center", "va": "center", "color": "#111111", "path_effects": halo}
            ax.text(x, y, name, fontsize=size, zorder=6, gid="region-name", **look)


def _path(geometry: Any) -> Any:
    """A polygon with its holes as one path."""
    from matplotlib.path import Path

    parts = []
    for polygon in getattr(geometry, "geoms", [geometry]):
        if polygon.geom_type != "Polygon" or polygon.is_empty:
            continue
        turned = shapely.geometry.polygon.orient(polygon)
        parts += [Path(np.asarray(ring.coords)[:, :2], closed=True) for ring in (turned.exterior, *turned.interiors)]
    return Path.make_compound_path(*parts) if parts else Path(np.zeros((0, 2)))
