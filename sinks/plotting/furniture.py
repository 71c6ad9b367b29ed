"""What every map carries: frame with degrees, scale bar, north arrow."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks.plotting.ground import Bar, Frame, spelled
from sinks.plotting.words import say

SMALL: Final = 6.5
Box = tuple[float, float, float, float]
"""West, south, east, north."""

_INK: Final = "#222222"
_BAR_SHARE, _BAR_LEAST = 0.3, 70.0
"""The most of a map's width that its scale bar takes; narrow maps allow it these points."""
_LABEL: Final = 70.0
"""Room for a label of degrees on an edge [pt]."""


def dress(ax: Any, frame: Frame, filled: NDArray[np.bool_], width: float, language: str) -> list[Box]:
    """Limits, ticks, scale bar and arrow; gives the rectangles that bar and arrow take, in map units.

    filled : where the map has values, so that its emptiest corners are used; width : of the map on paper [pt].
    """
    ax.set(xlim=(frame.west, frame.east), ylim=(frame.south, frame.north), aspect=frame.stretch)
    for side in ax.spines.values():
        side.set(linewidth=0.6, color=_INK)
    _graticule(ax, frame, _labels(width), _labels(width * frame.aspect))
    dot = frame.width / width
    return [
        _scale_bar(ax, frame, _fuller(filled, bottom=True), dot, language),
        _arrow(ax, frame, _fuller(filled, bottom=False), dot, language),
    ]


def _fuller(filled: NDArray[np.bool_], bottom: bool) -> bool:
    """Whether the right corner at the bottom or top holds more values than the left one."""
    height, width = filled.shape
    fifth, third = max(1, height // 5), max(1, width // 3)
    rows = filled[-fifth:] if bottom else filled[:fifth]
    return bool(rows[:, -third:].mean() > rows[:, :third].mean())


def _labels(length: float) -> int:
    """How many labels of degrees an edge of this length [pt] should have at least."""
    return max(1, min(3, int(length / _LABEL)))


def _graticule(ax: Any, frame: Frame, meridians: int, parallels: int) -> None:
    lines = frame.graticule(meridians, parallels)
    for kind, axis in (("meridian", ax.xaxis), ("parallel", ax.yaxis)):
        met = [
            (line.tick, spelled(line.degrees, line.kind))
            for line in lines
            if line.kind == kind and line.tick is not None
        ]
        axis.set_ticks([at for at, _ in met], [text for _, text in met])
    for line in lines:
        ax.plot(line.x, line.y, color="#000000", alpha=0.12, linewidth=0.35, zorder=4, scalex=False, scaley=False)
    ax.tick_params(labelsize=SMALL, length=2, width=0.5, color=_INK, labelcolor=_INK, pad=2)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")


def _scale_bar(ax: Any, frame: Frame, left: bool, dot: float, language: str) -> Box:
    """dot : a printer's point in map units."""
    from matplotlib.patches import Rectangle

    up = dot / frame.stretch
    y = frame.south + 14 * up
    bar = frame.bar(frame.west + 10 * dot, y, max(_BAR_SHARE * frame.width, min(_BAR_LEAST * dot, 0.8 * frame.width)))
    if not left:
        long = bar.x1 - bar.x0
        bar = frame.bar(frame.east - 20 * dot - long, y, 1.02 * long)
    pieces = 4 if int(f"{bar.metres:e}"[0]) != 5 else 5
    each = (bar.x1 - bar.x0) / pieces
    for k in range(pieces):
        ax.add_patch(Rectangle(
            (bar.x0 + k * each, y), each, 3 * up, linewidth=0.5, edgecolor=_INK, facecolor=_INK if k % 2 == 0 else "white",
            zorder=8, gid="scale-bar", path_effects=_halo(),
        ))  # fmt: skip
    unit, size = ("kilometres", bar.metres / 1000) if bar.metres >= 1000 else ("metres", bar.metres)
    look: dict[str, Any] = {"ha": "center", "color": _INK, "zorder": 9, "path_effects": _halo()}
    for x, text in ((bar.x0, "0"), (bar.x1, f"{size:g} {say(unit, language)}")):
        ax.text(x, y + 4.5 * up, text, fontsize=SMALL, va="bottom", gid="scale-text", **look)
    if not bar.everywhere:
        ax.text(
            (bar.x0 + bar.x1) / 2,
            y - 2 * up,
            _where(bar, language),
            fontsize=SMALL - 1,
            va="top",
            gid="scale-place",
            **look,
        )
    return bar.x0 - 6 * dot, y - 8 * up, bar.x1 + 20 * dot, y + 16 * up


def _where(bar: Bar, language: str) -> str:
    """The parallel that the bar holds for, to the minute."""
    return say("scale.at", language, place=spelled(round(bar.latitude * 60) / 60, "parallel"))


def _arrow(ax: Any, frame: Frame, left: bool, dot: float, language: str) -> Box:
    from matplotlib.patches import Polygon

    size = min(20 * dot, 0.09 * frame.width)
    x = frame.west + 0.8 * size if left else frame.east - 0.8 * size
    y = frame.north - (1.1 * size + 10 * dot) / frame.stretch
    turn = math.radians(frame.bearing())

    def place(right: float, up: float) -> tuple[float, float]:
        across = right * math.cos(turn) + up * math.sin(turn)
        return x + across * size, y + (up * math.cos(turn) - right * math.sin(turn)) * size / frame.stretch

    for side, face in ((-1, _INK), (1, "white")):
        corners = [place(0, 0.62), place(side * 0.32, -0.5), place(0, -0.22)]
        ax.add_patch(Polygon(corners, closed=True, facecolor=face, edgecolor=_INK, linewidth=0.5, zorder=8,
                             gid="north-arrow", path_effects=_halo(1.6)))  # fmt: skip
    ax.text(*place(0, 0.78), say("north", language), fontsize=SMALL, ha="center", va="bottom", color=_INK, zorder=9,
            path_effects=_halo())  # fmt: skip
    return x - size, y - size / frame.stretch, x + size, frame.north


def _halo(width: float = 1.8) -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white", alpha=0.85)]
