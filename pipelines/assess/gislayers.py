"""The GeoPackage of a run: regions with their results, the account, the ecosystems, the scorecard, what it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from shapely.geometry import box

from pipelines.assess import regiontable
from pipelines.assess.plan import Plan
from pipelines.outputs import columns, geopackage
from pipelines.outputs.geopackage import GpkgLayer, LayerStyle
from sinks.accounts import TOTAL_REGION, Account

_SECTIONS = (
    "finished", "versions", "study", "inputs", "data_sources", "grid", "blocks", "parameters", "options",
    "forest_definition", "runs", "context", "gap_ha", "notes", "warnings", "unknown_values", "closure",
)  # fmt: skip
"""What of a manifest is told in the GeoPackage, in this order."""


def write_geopackage(
    polygons: gpd.GeoDataFrame,
    account: Account,
    coverage: pd.DataFrame,
    views: pd.DataFrame,
    card: pd.DataFrame,
    coefficients: pd.DataFrame,
    about: Mapping[str, Any],
    path: Path,
) -> None:
    """Regions, styled by coverage, carbon density and what is missing to the targets; and the tables.

    polygons : region_id and geometry; coefficients : used in the run, with their sources; about : its manifest.
    """
    table = regiontable.region_table(account, coverage).merge(regiontable.gaps(card), on="region_id", how="left")
    regions = polygons.merge(table[table["region_id"] != TOTAL_REGION], on="region_id", how="left")
    names = regiontable.aliases(table)
    scores = {c: columns.labels(c) for c in ("target", "status", "role")}
    land = {"denominator": columns.labels("denominator")}
    layers = [
        GpkgLayer("regions", "Regions and their results 分区结果", "Results of every region", regions, names,
                  tuple(_styles(regions)), land),
        GpkgLayer("region_table", "All regions and their union 分区与合计", "One row per region; total is the union", table,
                  names, domains=land),
        GpkgLayer("ecosystems", "Ecosystems by region 生态系统", "Area, stock and carbon of every ecosystem in every region",
                  regiontable.ecosystems_of_regions(account), regiontable.ecosystem_aliases()),
        GpkgLayer("account", "Account 账户", "Region × ecosystem × forest type × quantity", account.tidy,
                  columns.aliases("account")),
        GpkgLayer("coverage", "Forest coverage by variant 森林覆盖率口径", "Every definition and denominator, with its basis",
                  coverage, columns.aliases("coverage"), domains=land),
        GpkgLayer("views", "Policy views 专题汇总", "What each heading holds; views overlap: do not sum", views,
                  columns.aliases("views")),
        GpkgLayer("scorecard", "Targets 目标", "How every region stands", card, columns.aliases("scorecard"), domains=scores),
        GpkgLayer("provenance", "Provenance 数据来源与过程", "Inputs, versions, parameters, notes and checks of the run",
                  _provenance(about), columns.aliases("provenance")),
        GpkgLayer("coefficients", "Coefficients with sources 系数与来源", "Every coefficient that the run used", coefficients,
                  columns.aliases("coefficients")),
    ]  # fmt: skip
    geopackage.write_geopackage(path, layers)


def _styles(regions: pd.DataFrame) -> Iterator[LayerStyle]:
    """The ways to draw the regions; coverage is what they open with."""
    yield LayerStyle("coverage_pct", "Forest coverage 森林覆盖率", "volume", "region_name")
    yield LayerStyle("carbon_mg_per_ha", "Carbon density 碳密度", "carbon", "region_name")
    yield LayerStyle("stock_m3_per_ha", "Stock per forest ha 蓄积量", "volume", "region_name")
    for column in regions.columns:
        for start, what in (("gap_coverage_", "Coverage gap 覆盖率差距"), ("gap_stock_", "Stock gap 蓄积量差距")):
            if str(column).startswith(start):
                year = str(column).removeprefix(start).partition("_")[0]
                yield LayerStyle(str(column), f"{what} {year}", "change", "region_name")


def _provenance(about: Mapping[str, Any]) -> pd.DataFrame:
    """A manifest as rows of section, item and value."""
    rows = [(s, item, value) for s in _SECTIONS if s in about for item, value in _flat(about[s])]
    return pd.DataFrame(rows, columns=["section", "item", "value"])


def _flat(value: Any, item: str = "") -> Iterator[tuple[str, str]]:
    if hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(part, f"{item}.{key}" if item else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(p, Mapping | str) for p in value):
        for n, part in enumerate(value, 1):
            yield from _flat(part, f"{item}.{n}" if item else str(n))
    elif isinstance(value, list | tuple | set | frozenset):
        if value:
            yield item, ", ".join(map(str, value))
    else:
        yield item, "" if value is None else str(value)


def shapes(plan: Plan) -> gpd.GeoDataFrame:
    """The regions as polygons; the map's frame where there are none."""
    regions = plan.block_plan.regions
    if regions is None:
        return gpd.GeoDataFrame({"region_id": ["all"]}, geometry=[box(*plan.grid.bounds)], crs=plan.grid.crs_wkt)
    frame = regions.to_geodataframe(plan.grid)
    return frame[["region_id", "geometry"]]
