"""Where the marks of the charts lie, in percent of the width: the template draws them as SVG that fits any screen.

Hand-laid rather than drawn by a plotting library: the words stay text in both languages, a chart is a few hundred bytes, and
nothing is imported that would slow the end of every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.report.amounts import said, scale
from pipelines.report.catalogue import LANGUAGES, Both, same
from pipelines.report.changes import Process, Story
from pipelines.report.holdings import Ecosystem, pool_name
from pipelines.report.regions import Table
from pipelines.report.standing import Standing
from sinks.colors import round_limits
from sinks.quantities import POOL_KEYS

PARTS: Final = ("#00543a", "#8fd0bf", "#6b3d12", "#f0c75e", "#a1887f", "#2b6cb0", "#a9c9e8", "#5e3c99")
"""Colours of the parts of a bar: neighbours differ in lightness, so that they are told apart with any colour vision."""
POOL_COLORS: Final = dict(zip(POOL_KEYS, PARTS, strict=False))
"""Biomass in greens, dead matter brown and yellow, soil the colour of soil."""
DOTS: Final = 45
"""Regions up to which each has a line of its own; beyond, they are counted in classes."""
_BINS: Final = 20


@dataclass(frozen=True)
class Tick:
    """A mark of an axis."""

    at: float
    text: Both


@dataclass(frozen=True)
class Gauge:
    """Value, interval and target on one scale; low and high are NaN where no interval is known."""

    value: float
    low: float
    high: float
    target: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Segment:
    """A part of a bar."""

    at: float
    width: float
    color: str
    name: Both
    told: Both


@dataclass(frozen=True)
class Bar:
    """A bar with its name and its amount."""

    name: Both
    told: Both
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Dot:
    """A region's value and its target, where it has one of its own."""

    name: str
    told: Both
    at: float
    target: float
    tone: str


@dataclass(frozen=True)
class Coverage:
    """Regions against a line. dots : each region, or bars : how many regions lie where; line : the national rate."""

    dots: tuple[Dot, ...]
    bars: tuple[Segment, ...]
    line: float
    line_told: Both
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Line:
    """One quantity through the epochs: points (x, y) in percent, y from the top."""

    key: str
    points: tuple[tuple[float, float, str, Both], ...]


def gauge(standing: Standing) -> Gauge:
    """The scale of a share ends at 100 %, of an amount beyond its largest mark."""
    amount = standing.value
    marks = [standing.target, amount.value, amount.high]
    top = 100.0 if standing.kind == "percent" else 1.12 * max(m for m in [*marks, 1.0] if np.isfinite(m))
    limits = [v for v in round_limits(0, top, 2) if v <= top]
    ticks = tuple(Tick(_share(v, top), _tick(v, limits[-1], standing.kind)) for v in limits)
    low, high = (amount.low, amount.high) if amount.known else (np.nan, np.nan)
    return Gauge(
        _share(amount.value, top), _share(low, top), _share(high, top), _share(standing.target, top), ticks
    )  # fmt: skip


def _tick(value: float, last: float, kind: str) -> Both:
    """A number of an axis; the last one has the unit of all."""
    ways = [scale(last, kind, language) for language in LANGUAGES]
    return Both(*(f"{value / w.factor:g}{w.gap + w.unit if value == last else ''}" for w in ways))


def _share(value: float, top: float) -> float:
    return float(np.clip(100 * value / top, 0, 100)) if np.isfinite(value) else float("nan")


def pools(ecosystems: Sequence[Ecosystem]) -> tuple[Bar, ...]:
    """Carbon stock of each ecosystem, told apart by pool, the largest first."""
    rows = sorted((e for e in ecosystems if not e.part and e.carbon.value > 0), key=lambda e: -e.carbon.value)
    top = rows[0].carbon.value if rows else 1.0
    found = []
    for row in rows:
        at, segments = 0.0, []
        for key, amount in row.pools.items():
            if np.isfinite(amount) and amount > 0:
                width = 100 * amount / top
                segments.append(Segment(at, width, POOL_COLORS[key], pool_name(key), said(amount, "carbon")))
                at += width
        found.append(Bar(row.name, said(row.carbon.value, "carbon"), tuple(segments)))
    return tuple(found)


def shares(parts: Sequence[tuple[Both, float, str, Both]]) -> tuple[Segment, ...]:
    """One bar of a whole: (name, share of one, colour, told)."""
    at, found = 0.0, []
    for name, share, color, told in parts:
        width = 100 * share if np.isfinite(share) else 0.0
        found.append(Segment(at, width, color, name, told))
        at += width
    return tuple(found)


def coverage(table: Table, standings: Sequence[Standing]) -> Coverage | None:
    """Coverage of the regions beside their own targets and the national rate; None for fewer than two."""
    hit = next((c for c in table.columns if c.key == "coverage"), None)
    if hit is None or len(table.ids) < 2:
        return None
    national = next(
        (s for s in standings if s.indicator == "forest_coverage" and s.role in ("reference", "national")), None
    )
    line = national.target if national else float("nan")
    told = said(line, "percent") if national else same("")
    ticks = tuple(Tick(float(v), same(f"{v}%")) for v in range(0, 101, 20))
    values = np.asarray(hit.values, float)
    if len(table.ids) > DOTS:
        return Coverage((), _histogram(values), line, told, ticks)
    mine = table.verdicts or ((),) * len(table.ids)
    dots = []
    for n in np.argsort(-np.nan_to_num(values, nan=-1)):
        own = next((s for s in mine[n] if s.indicator == "forest_coverage"), None)
        dots.append(
            Dot(table.names[n], said(values[n], "percent"), float(values[n]), own.target if own else float("nan"),
                own.tone if own else "neutral")
        )  # fmt: skip
    return Coverage(tuple(dots), (), line, told, ticks)


def _histogram(values: np.ndarray) -> tuple[Segment, ...]:
    counts, edges = np.histogram(values[np.isfinite(values)], _BINS, (0, 100))
    top = max(int(counts.max()), 1)
    return tuple(
        Segment(float(a), 100 * int(c) / top, "", same(f"{a:g}–{b:g} %"), same(int(c)))
        for c, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
    )


def processes(found: Sequence[Process]) -> tuple[Bar, ...]:
    """What each process did to the carbon: losses left of the middle, gains right of it."""
    rows = [p for p in found if abs(p.gain) + abs(p.loss) > 0 and round(p.gain - p.loss) > 0]
    top = max([max(abs(p.gain), abs(p.loss)) for p in rows], default=1.0)
    bars = []
    for p in sorted(rows, key=lambda p: -abs(p.change)):
        left, right, faint = 50 * abs(p.loss) / top, 50 * p.gain / top, "" if p.sure else " unsure"
        segments = (
            Segment(50 - left, left, f"loss{faint}", p.name, said(p.loss, "carbon")),
            Segment(50, right, f"gain{faint}", p.name, said(p.gain, "carbon")),
        )
        bars.append(Bar(p.name, said(p.change, "carbon"), segments))
    return tuple(bars)


def series(story: Story) -> tuple[Line, ...]:
    """Coverage, stock and carbon through the epochs, each on its own scale."""
    found = []
    first, last = story.first, story.last
    for key, quantity, kind in (
        ("coverage", "coverage_percent", "percent"), ("stock", "stock_volume", "volume"), ("carbon", "carbon_total", "carbon"),
    ):  # fmt: skip
        values = story.series.get(quantity, ())
        known = [(y, v) for y, v in zip(story.epochs, values, strict=False) if np.isfinite(v)]
        if len(known) < 2:
            continue
        low, high = min(v for _, v in known), max(v for _, v in known)
        spread = (high - low) or abs(high) or 1.0
        points = tuple(
            (8 + 84 * (y - first) / (last - first), 75 - 50 * (v - low) / spread, str(y), said(v, kind))
            for y, v in known
        )
        found.append(Line(key, points))
    return tuple(found)
