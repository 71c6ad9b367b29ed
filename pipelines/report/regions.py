"""The table of regions as columns of numbers, which the page sorts, searches, colours its map by and lets be downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.report.amounts import UNITS, Scale, column
from pipelines.report.catalogue import LANGUAGES, Both, say
from pipelines.report.holdings import Region, by_region
from pipelines.report.runfolder import CHANGE, Run
from pipelines.report.standing import Standing, own
from sinks.accounts import TOTAL_REGION
from sinks.colors import class_breaks, ramp_colors

_CLASSES = 5


@dataclass(frozen=True)
class Column:
    """One column. kind : how its amounts are said; ramp : of the map that is coloured by it, empty where none is;
    decimals : of the download, in the base unit."""

    key: str
    name: Both
    kind: str
    values: tuple[float, ...]
    ramp: str = ""

    @property
    def scales(self) -> dict[str, Scale]:
        return column(self.values, self.kind)

    @property
    def told(self) -> bool:
        """Whether it says anything of any region."""
        return bool(np.isfinite(np.asarray(self.values, float)).any())


@dataclass(frozen=True)
class Table:
    """Regions (id, name) and their columns; verdicts : by place of the region, what its own targets amount to."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    verdicts: tuple[tuple[Standing, ...], ...] = ()


def table(run: Run, beside: Mapping[str, Run], standings: Sequence[Standing]) -> Table:
    """Of a run of `sinks assess` or `sinks rollup`, with the change beside it."""
    rows = by_region(run)
    targets: dict[str, list[Standing]] = {}
    for standing in own(list(standings)):
        targets.setdefault(standing.region_id, []).append(standing)
    columns = [
        *(_held(rows)), *_gaps(rows, targets),
        *(_changed(beside[CHANGE], [r.id for r in rows]) if CHANGE in beside else ()), _lost(rows),
    ]  # fmt: skip
    return Table(
        tuple(r.id for r in rows), tuple(r.name or r.id for r in rows), tuple(c for c in columns if c.told),
        tuple(tuple(targets.get(r.id, ())) for r in rows),
    )  # fmt: skip


def of_change(change: Run) -> Table:
    """Of a run of `sinks change` alone."""
    rows = change.layer("change.gpkg", "change")
    ids = [str(i) for i in rows["region_id"] if i != TOTAL_REGION]
    names = {str(r["region_id"]): r["region_name"] for r in rows.to_dict("records")}
    held = [
        _column("area", "area", rows["area_ha"]),
        _column("opening", "carbon", rows["opening_mg_c"]),
        _column("closing", "carbon", rows["closing_mg_c"]),
    ]
    named = tuple(str(names[i]) if isinstance(names[i], str) else i for i in ids)
    return Table(tuple(ids), named, tuple(c for c in (*held, *_changed(change, ids)) if c.told))


def _column(key: str, kind: str, values: Any, ramp: str = "") -> Column:
    return Column(key, say(f"column.{key}"), kind, tuple(float(v) for v in values), ramp)


def _held(rows: Sequence[Region]) -> list[Column]:
    return [
        _column("coverage", "percent", (r.coverage for r in rows), "volume"),
        _column("forest", "area", (r.forest_ha for r in rows)),
        _column("stock", "volume", (r.stock.value for r in rows)),
        _column("stock_density", "volume_density", (r.stock_density for r in rows), "volume"),
        _column("carbon", "carbon", (r.carbon.value for r in rows)),
        _column("carbon_density", "carbon_density", (r.carbon_density for r in rows), "carbon"),
        _column("area", "area", (r.area_ha for r in rows)),
    ]


def _lost(rows: Sequence[Region]) -> Column:
    return _column("lost", "area", (r.lost_ha for r in rows))


def _gaps(rows: Sequence[Region], targets: Mapping[str, Sequence[Standing]]) -> list[Column]:
    """Distance of the coverage to the region's own earliest target, where any has one."""
    gaps = []
    for row in rows:
        mine = sorted((s for s in targets.get(row.id, ()) if s.indicator == "forest_coverage"), key=lambda s: s.year)
        gaps.append(mine[0].gap if mine else np.nan)
    return [_column("coverage_gap", "points", gaps, "change")]


def _changed(change: Run, ids: Sequence[str]) -> list[Column]:
    rows = change.layer("change.gpkg", "change").set_index("region_id").reindex(list(ids))
    return [
        _column("carbon_change", "carbon", rows["change_mg_c"]),
        _column("density_change", "carbon_density", rows["change_mg_c_per_ha"], "change"),
        _column("coverage_change", "points", rows["coverage_change_points"], "change"),
        _column("net_sink", "co2_yr", rows["net_sink_t_co2_yr"]),
    ]


def as_data(found: Table) -> dict[str, Any]:
    """The table for the page's script. Numbers have six digits: more than any of them is known by."""
    return {
        "ids": found.ids,
        "names": found.names,
        "columns": [_data(c) for c in found.columns],
        "verdicts": [
            [{"sign": s.tone, "text": s.brief.pair()} for s in standings] for standings in found.verdicts
        ],
    }  # fmt: skip


def _data(c: Column) -> dict[str, Any]:
    values = np.asarray(c.values, float)
    breaks = _breaks(values, c.ramp) if c.ramp else []
    return {
        "key": c.key,
        "name": c.name.pair(),
        "unit": UNITS[c.kind].name.pair(),
        "scale": {language: asdict(c.scales[language]) for language in LANGUAGES},
        "values": [float(f"{v:.6g}") if np.isfinite(v) else None for v in values],
        "breaks": breaks,
        "colors": ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in ramp_colors(c.ramp, len(breaks) - 1)] if breaks else [],
    }  # fmt: skip


def _breaks(values: np.ndarray, ramp: str) -> list[float]:
    """Of classes with about equally many regions; around zero, even ones, for what can rise and fall."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return []
    if ramp == "change":
        most = float(np.abs(finite).max()) or 1.0
        return [float(f"{most * k:.3g}") for k in (-1, -0.4, -0.1, 0.1, 0.4, 1)]
    return class_breaks(finite, _CLASSES)
