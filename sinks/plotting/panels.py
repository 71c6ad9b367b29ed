"""The figures: each a panel that can stand alone or beside others on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks.colors import RAMPS, class_breaks, ramp_colors, ramp_of, round_limits
from sinks.plotting.furniture import SMALL, dress
from sinks.plotting.ground import Frame
from sinks.plotting.shapes import Shapes, names
from sinks.plotting.words import say, unit

NONE_COLOR: Final = "#d9d9d9"
_SHARE: Final = (2.0, 98.0)
"""Percentiles that a density's colours span; beyond them the bar ends in points."""
_BELOW: Final = 28.0
"""Distance of a colour bar from the map above it: the degrees stand between [pt]."""


@dataclass(frozen=True)
class Panel:
    """A figure not yet drawn. height : of its axes, from their width [pt].

    draw : given the axes, whether a legend stands beside (else below), and the width of the axes [pt], draws it.
    """

    title: str
    height: Callable[[float], float]
    draw: Callable[[Any, bool, float], None]


@dataclass(frozen=True)
class Classes:
    """A map of classes, thinned out: values with row 0 in the north; 0 and what has no entry is no data.

    entries : value → name and colour, in the order of the legend.
    """

    values: NDArray[np.integer]
    entries: Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class Density:
    """A map of an amount per hectare, thinned out: NaN where there is none. quantity : names its colours."""

    values: NDArray[np.floating]
    unit: str
    quantity: str


def class_panel(title: str, frame: Frame, layer: Classes, regions: Shapes | None, language: str) -> Panel:
    """Classes with a legend of those that occur."""
    found = set(np.unique(layer.values).tolist())
    present = [(value, *entry) for value, entry in layer.entries.items() if value in found]

    def draw(ax: Any, beside: bool, width: float) -> None:
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Patch

        table = np.zeros((int(max(layer.values.max(), 0)) + 1, 4))
        for value, _, color in present:
            table[value] = to_rgba(color)
        _image(ax, frame, table[layer.values])
        _borders(ax, frame, regions)
        dress(ax, frame, table[layer.values][..., 3] > 0, width, language)
        _legend(
            ax, [Patch(facecolor=c, edgecolor="#555555", linewidth=0.3, label=n) for _, n, c in present], beside, width
        )

    return Panel(title, lambda width: width * frame.aspect, draw)


def density_panel(title: str, frame: Frame, layer: Density, regions: Shapes | None, language: str) -> Panel:
    """Amounts per hectare with a colour bar in their unit."""

    def draw(ax: Any, beside: bool, width: float) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        ramp = ramp_of(layer.quantity)
        known = layer.values[np.isfinite(layer.values)]
        low, high = np.percentile(known, _SHARE) if known.size else (0.0, 1.0)
        if ramp == "change":
            high = max(abs(low), abs(high))
            low = -high
        limits = round_limits(float(low), float(high), len(RAMPS[ramp]) - 1)
        colors = LinearSegmentedColormap.from_list(ramp, [tuple(v / 255 for v in c) for c in RAMPS[ramp]])
        image = _image(ax, frame, np.ma.masked_invalid(layer.values), cmap=colors, vmin=limits[0], vmax=limits[-1])
        _borders(ax, frame, regions)
        dress(ax, frame, np.isfinite(layer.values), width, language)
        below, above = (bool(known.size and v) for v in ((known < limits[0]).any(), (known > limits[-1]).any()))
        extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
        box = (
            (1.03, 0.14, 0.03, 0.72)
            if beside
            else (0.06, -_BELOW / (width * frame.aspect), 0.88, 7 / (width * frame.aspect))
        )
        bar = ax.figure.colorbar(
            image,
            cax=ax.inset_axes(box),
            ticks=limits,
            extend=extend,
            orientation="vertical" if beside else "horizontal",
        )
        bar.set_label(unit(layer.unit, language), fontsize=SMALL + 0.5)
        bar.ax.tick_params(labelsize=SMALL, length=2, width=0.5)
        bar.outline.set_linewidth(0.5)

    return Panel(title, lambda width: width * frame.aspect, draw)


def region_panel(
    title: str, frame: Frame, regions: Shapes, values: Mapping[str, float], unit_text: str, ramp: str, language: str,
    without: str = "none",
) -> Panel:  # fmt: skip
    """Regions coloured by a value in a few classes; those without a value in grey. ramp `change` parts at zero."""
    numbers = np.array([values[i] for i in regions.ids], float)
    limits = _limits(numbers, ramp)
    shades = ["#{:02x}{:02x}{:02x}".format(*c) for c in _class_colors(limits, ramp)]

    def draw(ax: Any, beside: bool, width: float) -> None:
        from matplotlib.patches import Patch

        place = np.clip(np.searchsorted(limits, numbers, side="right") - 1, 0, len(shades) - 1)
        known = np.isfinite(numbers)
        colors = {i: shades[p] if k else NONE_COLOR for i, p, k in zip(regions.ids, place, known, strict=True)}
        regions.fill(ax, frame, colors)
        regions.outline(ax, frame, 0.5)
        taken = dress(ax, frame, regions.covered(frame), width, language)
        names(ax, frame, regions, width / frame.width, taken)
        style: dict[str, Any] = {"edgecolor": "#555555", "linewidth": 0.3}
        entries = [Patch(facecolor=c, label=f"{_signed(a, ramp)} – {_signed(b, ramp)}", **style)
                   for c, a, b in zip(shades, limits[:-1], limits[1:], strict=True)]  # fmt: skip
        if not known.all():
            entries.append(Patch(facecolor=NONE_COLOR, label=say(without, language), **style))
        _legend(ax, entries, beside, width, unit_text)

    return Panel(title, lambda width: width * frame.aspect, draw)


def _signed(value: float, ramp: str) -> str:
    return f"{value:+g}".replace("-", "−") if ramp == "change" and value else f"{value:g}"


def _limits(numbers: NDArray[np.float64], ramp: str) -> list[float]:
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return [0.0, 1.0]
    if ramp != "change":
        found = class_breaks(known)
        return found if len(found) > 1 and found[0] < found[-1] else [found[0], found[0] + 1]
    limits = round_limits(float(min(known.min(), 0)), float(max(known.max(), 0)), 5)
    return sorted({0.0, *limits})


def _class_colors(limits: Sequence[float], ramp: str) -> list[tuple[int, int, int]]:
    if ramp != "change":
        return ramp_colors(ramp, len(limits) - 1)
    below = sum(1 for v in limits[:-1] if v < 0)
    above = len(limits) - 1 - below
    most = max(below, above)
    both = ramp_colors(ramp, 2 * most + 1)
    return both[most - below : most] + both[most + 1 : most + 1 + above]


def _image(ax: Any, frame: Frame, values: Any, **colors: Any) -> Any:
    box = (frame.west, frame.east, frame.south, frame.north)
    return ax.imshow(values, extent=box, interpolation="none", aspect="auto", zorder=1, **colors)


def _borders(ax: Any, frame: Frame, regions: Shapes | None) -> None:
    if regions is not None:
        regions.outline(ax, frame, 0.4)


def _legend(ax: Any, entries: list[Any], beside: bool, width: float, title: str = "") -> None:
    """Beside the map in one column, or below it in as many as there is room for."""
    look: dict[str, Any] = {
        "handles": entries, "fontsize": SMALL, "frameon": False, "handlelength": 1.4, "handleheight": 0.9, "title": title or None,
        "title_fontsize": SMALL + 0.5, "alignment": "left", "borderaxespad": 0.0, "labelspacing": 0.35, "columnspacing": 0.6,
    }  # fmt: skip
    if beside:
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), **look)
        return
    longest = max((sum(1.8 if ord(ch) > 0x2E7F else 1.0 for ch in e.get_label()) for e in entries), default=1)
    columns = max(1, min(len(entries), int(1.05 * width / (SMALL * (0.53 * longest + 2.7)))))
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.75 * _BELOW / _tall(ax, width)), ncols=columns, **look)


def _tall(ax: Any, width: float) -> float:
    """Height of the axes of a map on paper, from their width."""
    (south, north), (west, east) = ax.get_ylim(), ax.get_xlim()
    return width * float(ax.get_aspect()) * (north - south) / (east - west)
