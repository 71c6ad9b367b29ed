"""The GeoPackage of a run: regions with their results, the account, the scorecard, what it was made from."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
from shapely.geometry import box

from pipelines.assess import regiontable
from pipelines.assess.plan import Plan
from pipelines.outputs import geopackage
from pipelines.outputs.geopackage import GpkgLayer
from sinks.accounts import TOTAL_REGION, Account

TIDY_ALIASES = {
    "region_id": ("Region code", "区划代码", ""),
    "region_name": ("Region", "区划名称", ""),
    "ecosystem": ("Ecosystem", "生态系统", ""),
    "forest_type": ("Forest type", "森林类型", ""),
    "quantity": ("Quantity", "指标", ""),
    "unit": ("Unit", "单位", ""),
    "value": ("Value", "数值", ""),
    "se": ("Standard error", "标准误", ""),
    "low": ("Low (95 %)", "下限", ""),
    "high": ("High (95 %)", "上限", ""),
}


def write_geopackage(
    polygons: gpd.GeoDataFrame,
    account: Account,
    coverage: pd.DataFrame,
    views: pd.DataFrame,
    card: pd.DataFrame,
    path: Path,
) -> None:
    """Regions (styled by coverage), the same regions styled by carbon density, and the tables.

    polygons : region_id and geometry.
    """
    table = regiontable.region_table(account, coverage)
    regions = polygons.merge(table[table["region_id"] != TOTAL_REGION], on="region_id", how="left")
    names = regiontable.aliases()
    layers = [
        GpkgLayer("regions", "Forest coverage by region 森林覆盖率", "Results of every region", regions, names,
                  "coverage_pct", "Forest coverage [%]"),
        GpkgLayer("regions_carbon", "Carbon density by region 碳密度", "The same regions, styled by carbon density",
                  regions[["region_id", "region_name", "carbon_total_mg", "carbon_mg_per_ha", "stock_m3", "geometry"]],
                  names, "carbon_mg_per_ha", "Carbon density [Mg C/ha]"),
        GpkgLayer("region_table", "All regions and their union", "One row per region; total is the union", table, names),
        GpkgLayer("account", "Account 账户", "Region × ecosystem × forest type × quantity", account.tidy, TIDY_ALIASES),
        GpkgLayer("coverage", "Forest coverage by variant", "Every definition and denominator, with its basis", coverage),
        GpkgLayer("views", "Policy views 专题汇总", "What each heading holds; views overlap: do not sum", views,
                  regiontable.VIEW_ALIASES),
        GpkgLayer("scorecard", "Targets 目标", "How every region stands", card),
    ]  # fmt: skip
    geopackage.write_geopackage(path, layers)


def shapes(plan: Plan) -> gpd.GeoDataFrame:
    """The regions as polygons; the map's frame where there are none."""
    regions = plan.block_plan.regions
    if regions is None:
        return gpd.GeoDataFrame({"region_id": ["all"]}, geometry=[box(*plan.grid.bounds)], crs=plan.grid.crs_wkt)
    frame = regions.to_geodataframe(plan.grid)
    return frame[["region_id", "geometry"]]
