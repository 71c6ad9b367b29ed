"""Tables of the page: columns with a unit in the head, numbers told alike down the column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report.amounts import cell, column, head
from pipelines.report.areas import Area
from pipelines.report.catalogue import Both, say
from pipelines.report.changes import Process
from pipelines.report.holdings import Ecosystem, View
from pipelines.report.quality import Accuracy


@dataclass(frozen=True)
class Head:
    """Name and unit of a column."""

    name: Both
    unit: Both


@dataclass(frozen=True)
class Row:
    """A row. color : of its class; part : told under the row above, or a sum of others."""

    name: Both
    cells: tuple[Both, ...]
    color: str = ""
    part: bool = False
    articles: str = ""


@dataclass(frozen=True)
class Grid:
    """A table."""

    heads: tuple[Head, ...]
    rows: tuple[Row, ...]


def _grid(heads: Sequence[tuple[str, str]], values: Sequence[Sequence[float]], rows: Sequence[Row]) -> Grid:
    """heads : (message, kind) of every column; values : by column; rows : without cells yet."""
    ways = [column(v, kind) for v, (_, kind) in zip(values, heads, strict=True)]
    told = tuple(Head(say(key), head(way)) for (key, _), way in zip(heads, ways, strict=True))
    filled = tuple(
        Row(
            row.name,
            tuple(cell(v[n], way) for v, way in zip(values, ways, strict=True)),
            row.color,
            row.part,
            row.articles,
        )
        for n, row in enumerate(rows)
    )
    return Grid(told, filled)


def ecosystems(found: Sequence[Ecosystem]) -> Grid:
    """Area, stock, carbon, density, sink and rate: a stock, a density, an amount a year and a rate stand apart."""
    heads = [
        ("column.area", "area"), ("column.stock", "volume"), ("term.carbon_stock", "carbon"),
        ("term.carbon_density", "carbon_density"), ("term.sink", "carbon_yr"), ("term.rate", "rate"),
    ]  # fmt: skip
    values = [
        [e.area_ha for e in found], [e.stock_m3 for e in found], [e.carbon.value for e in found],
        [e.density for e in found], [e.sink for e in found], [e.rate for e in found],
    ]  # fmt: skip
    return _grid(heads, values, [Row(e.name, (), e.color, e.part) for e in found])


def views(found: Sequence[View]) -> Grid:
    """Headings of the guidance."""
    heads = [("column.area", "area"), ("term.carbon_stock", "carbon"), ("term.sink", "carbon_yr")]
    values = [[v.area_ha for v in found], [v.carbon for v in found], [v.sink for v in found]]
    return _grid(heads, values, [Row(v.name, (), articles=v.articles) for v in found])


def processes(found: Sequence[Process]) -> Grid:
    """What became of the land."""
    heads = [("column.area", "area"), ("change.gain", "carbon"), ("change.loss", "carbon"), ("change.net", "carbon")]
    values = [[p.area_ha for p in found], [p.gain for p in found], [p.loss for p in found], [p.change for p in found]]
    return _grid(heads, values, [Row(p.name, (), p.color) for p in found])


def areas(found: Sequence[Area]) -> Grid:
    """Protected areas, their union and the rest."""
    heads = [
        ("column.area", "area"), ("column.closing", "carbon"), ("change.net", "carbon"),
        ("reserves.density", "carbon_density"), ("reserves.built", "area"), ("reserves.built_carbon", "carbon"),
    ]  # fmt: skip
    values = [
        [a.area_ha for a in found], [a.closing for a in found], [a.change for a in found],
        [a.change_density for a in found], [a.built_ha for a in found], [a.built_carbon for a in found],
    ]  # fmt: skip
    return _grid(heads, values, [Row(a.name, (), part=a.where != "inside") for a in found])


def accuracy(found: Accuracy) -> Grid:
    """Mapped area beside the corrected one, and both accuracies."""
    areas = [c[1] for c in found.classes]
    way = column(areas, "area")
    rows = tuple(
        Row(
            name,
            (cell(mapped, way), _between(area.value, area.low, area.high, way), _percent(users), _percent(producers)),
        )
        for name, mapped, area, users, producers in found.classes
    )
    return Grid((Head(say("column.area"), head(way)),), rows)


def _between(value: float, low: float, high: float, way: dict) -> Both:
    one, a, b = (cell(v, way) for v in (value, low, high))
    return Both(f"{one.en} ({a.en}–{b.en})", f"{one.zh}（{a.zh}–{b.zh}）")


def _percent(value: float) -> Both:
    return cell(100 * value, column([value], "percent"))
