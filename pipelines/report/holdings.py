"""What the land holds: by ecosystem and pool, by heading of the guidance, by region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.report.catalogue import Both, same, say
from pipelines.report.runfolder import Run
from sinks import ecosystems
from sinks.accounts import ALL, TOTAL_REGION
from sinks.quantities import BY_KEY, CLASS_SINKS, POOL_KEYS, TOTAL, VOLUME

_WITHOUT_CLASS: Final = ("unknown", "nodata")


@dataclass(frozen=True)
class Range:
    """A value and its 95 % interval; NaN where the run does not tell one."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether the interval says anything: a layer taken as exact has one without width."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high) and self.high > self.low)


UNKNOWN: Final = Range(float("nan"))


@dataclass(frozen=True)
class Ecosystem:
    """One row of the table of ecosystems. part : a forest type, told under the forest; sink : Mg C a year, where known."""

    key: str
    name: Both
    color: str
    part: bool
    area_ha: float
    stock_m3: float
    carbon: Range
    pools: dict[str, float]
    density: float
    sink: float
    rate: float


@dataclass(frozen=True)
class View:
    """One heading of the guidance; headings overlap."""

    name: Both
    articles: str
    area_ha: float
    carbon: float
    sink: float


@dataclass(frozen=True)
class Region:
    """One row of the table of regions."""

    id: str
    name: str
    area_ha: float
    forest_ha: float
    coverage: float
    stock: Range
    stock_density: float
    carbon: Range
    carbon_density: float
    lost_ha: float


def ecosystem_name(ecosystem: str, forest_type: str = ALL) -> Both:
    """Name of an ecosystem or forest type; of what is none, "no data" and "unknown class"."""
    if ecosystem in _WITHOUT_CLASS:
        return say(f"ecosystem.{ecosystem}")
    if ecosystem == "forest" and forest_type == ALL:
        return say("ecosystem.forest")
    found = ecosystems.classes().get((ecosystem, "" if forest_type == ALL else forest_type))
    return Both(found.name_en, found.name_zh) if found else same(ecosystem)


def pool_name(key: str) -> Both:
    """Name of a pool as a stock: 碳储量, not 碳密度."""
    q = BY_KEY[key]
    return Both(q.name_en, q.name_zh.removesuffix("密度") + "储量")


def by_ecosystem(run: Run, region: str = TOTAL_REGION) -> list[Ecosystem]:
    """Ecosystems in the order of the map, forest types under the forest."""
    accounts = run.table("accounts.csv")
    part = accounts[(accounts["region_id"] == region) & (accounts["ecosystem"] != ALL)]
    order = {(c.ecosystem, c.forest_type or ALL): c.code for c in ecosystems.classes().values()} | {("forest", ALL): 0}
    groups = {(str(e), str(f)): rows for (e, f), rows in part.groupby(["ecosystem", "forest_type"], sort=False)}
    return [
        _ecosystem(*key, groups[key].set_index("quantity")) for key in sorted(groups, key=lambda k: order.get(k, 999))
    ]


def _ecosystem(ecosystem: str, forest_type: str, rows: pd.DataFrame) -> Ecosystem:
    def get(quantity: str) -> float:
        return float(rows["value"].get(quantity, np.nan))

    area, carbon = get("area"), range_of(rows, TOTAL.key)
    sinks = [get(k) for k in CLASS_SINKS if np.isfinite(get(k)) and get(k) != 0]
    sink = sum(sinks) if sinks else np.nan
    found = ecosystems.classes().get((ecosystem, "" if forest_type == ALL else forest_type))
    return Ecosystem(
        ecosystem if forest_type == ALL else f"{ecosystem}/{forest_type}",
        ecosystem_name(ecosystem, forest_type), found.color if found else "", forest_type != ALL, area, get(VOLUME.key),
        carbon, {k: get(k) for k in POOL_KEYS}, carbon.value / area if area > 0 else np.nan, sink,
        sink / area if area > 0 else np.nan,
    )  # fmt: skip


def range_of(rows: pd.DataFrame, quantity: str) -> Range:
    """A quantity of rows by quantity, with its interval as it stands in the table."""
    if quantity not in rows.index:
        return UNKNOWN
    return Range(*(float(rows[c].to_dict()[quantity]) for c in ("value", "low", "high")))


def total(run: Run, quantity: str, ecosystem: str = ALL) -> Range:
    """A quantity of all regions together."""
    t = run.table("accounts.csv")
    hit = t[(t["region_id"] == TOTAL_REGION) & (t["ecosystem"] == ecosystem) & (t["forest_type"] == ALL)]
    return range_of(hit.set_index("quantity"), quantity)


def whole_row(run: Run) -> dict[str, float]:
    """The numbers of the row of all regions together."""
    rows = run.layer("assessment.gpkg", "region_table").set_index("region_id")
    numbers = rows.select_dtypes("number")
    return dict(zip(map(str, numbers.columns), numbers.loc[TOTAL_REGION].to_numpy(float), strict=True))


def by_view(run: Run) -> list[View]:
    """What each heading of the guidance holds, all regions together."""
    views = run.table("views.csv")
    return [
        View(Both(r["name_en"], r["name_zh"]), str(r["articles"]), r["area_ha"], r["carbon_mg"], r["sink_mg_yr"])
        for r in views[views["region_id"] == TOTAL_REGION].to_dict("records")
    ]


def by_region(run: Run) -> list[Region]:
    """Every region as it stands in the GeoPackage, with the intervals of the account."""
    accounts = run.table("accounts.csv")
    whole = accounts[accounts["forest_type"] == ALL]
    stock = stock_ranges(run)
    carbon = _ranges(whole[(whole["ecosystem"] == ALL) & (whole["quantity"] == TOTAL.key)])
    rows = run.layer("assessment.gpkg", "region_table")
    return [
        Region(
            r["region_id"], _name(r["region_name"]), r["area_ha"], r["forest_ha"], r["coverage_pct"],
            Range(r["stock_m3"], *stock.get(r["region_id"], (np.nan, np.nan))), r["stock_m3_per_ha"],
            Range(r["carbon_total_mg"], *carbon.get(r["region_id"], (np.nan, np.nan))), r["carbon_mg_per_ha"],
            float(np.nansum([r["nodata_ha"], r["unknown_ha"], r["outside_rasters_ha"]])),
        )
        for r in rows[rows["region_id"] != TOTAL_REGION].to_dict("records")
    ]  # fmt: skip


def stock_ranges(run: Run) -> dict[str, tuple[float, float]]:
    """The 95 % interval of the forest's stock [m³] by region, where it is known."""
    t = run.table("accounts.csv")
    return _ranges(t[(t["ecosystem"] == "forest") & (t["forest_type"] == ALL) & (t["quantity"] == VOLUME.key)])


def _ranges(rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    return {str(r): (low, high) for r, low, high in rows[["region_id", "low", "high"]].itertuples(index=False)}


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""
