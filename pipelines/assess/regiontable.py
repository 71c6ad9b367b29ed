"""One row per region with what people look up: for the GeoPackage and the screen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sinks.accounts import ALL, TOTAL_REGION, Account
from sinks.ecosystems import classes
from sinks.quantities import BY_KEY, DEEP, GAIN, METHANE, NITROUS, POOL_KEYS, SINK_KEYS, TOTAL, VOLUME
from sinks.targets import forest_stock_m3

ALIASES = {
    "region_id": ("Region code", "区划代码", ""),
    "region_name": ("Region", "区划名称", ""),
    "area_ha": ("Mapped area", "制图面积", "ha"),
    "official_area_ha": ("Official land area", "国土面积", "ha"),
    "nodata_ha": ("Area without data", "无数据面积", "ha"),
    "unknown_ha": ("Area of unknown class", "未知类别面积", "ha"),
    "outside_rasters_ha": ("Area outside the rasters", "栅格外面积", "ha"),
    "forest_ha": ("Forest area (headline)", "森林面积", "ha"),
    "coverage_pct": ("Forest coverage", "森林覆盖率", "%"),
    "coverage_arbor_pct": ("Coverage, arbor forest only", "乔木林覆盖率", "%"),
    "coverage_arbor_bamboo_pct": ("Coverage, arbor and bamboo", "乔木林和竹林覆盖率", "%"),
    "denominator": ("Land area used", "分母", ""),
    "stock_m3": ("Forest stock volume", "森林蓄积量", "m³"),
    "stock_m3_per_ha": ("Stock per forest hectare", "单位面积蓄积量", "m³/ha"),
    "carbon_total_mg": ("Carbon stock", "碳储量", "Mg C"),
    "carbon_mg_per_ha": ("Carbon density", "碳密度", "Mg C/ha"),
    "carbon_forest_mg": ("Carbon in forest", "森林碳储量", "Mg C"),
    "carbon_soil_deep_mg": ("Soil carbon below the run's depth, to 300 cm (in no total)", "深层土壤碳储量", "Mg C"),
    "sink_biomass_mg_yr": ("Net sink of live biomass", "生物量碳汇量", "Mg C/yr"),
    "sink_soil_mg_yr": ("Net sink of soil", "土壤碳汇量", "Mg C/yr"),
    "sink_weathering_mg_yr": ("Carbonate weathering sink", "岩溶碳汇量", "Mg C/yr"),
    "gain_biomass_mg_yr": ("Growth of live biomass, losses not taken off", "生物量碳增长量", "Mg C/yr"),
    "emission_ch4_kg_yr": ("Methane emission", "甲烷排放量", "kg CH4/yr"),
    "emission_n2o_kg_yr": ("Nitrous oxide emission", "氧化亚氮排放量", "kg N2O/yr"),
}
"""English and Chinese name and unit of every column; pools are added from the vocabulary."""

VIEW_ALIASES = {
    "region_id": ALIASES["region_id"],
    "region_name": ALIASES["region_name"],
    "view": ("View", "专题", ""),
    "name_en": ("View", "专题（英文）", ""),
    "name_zh": ("View (Chinese)", "专题（中文）", ""),
    "articles": ("Articles of the guidance", "条款", ""),
    "area_ha": ("Area", "面积", "ha"),
    "carbon_mg": ("Carbon stock", "碳储量", "Mg C"),
    "carbon_soil_deep_mg": ALIASES["carbon_soil_deep_mg"],
    "sink_mg_yr": ("Yearly sink, where estimated", "碳汇量", "Mg C/yr"),
    "note": ("Note", "备注", ""),
}

_YEARLY = {
    "carbon_soil_deep_mg": DEEP.key,
    **{f"{key}_mg_yr": key for key in (*SINK_KEYS, GAIN.key)},
    "emission_ch4_kg_yr": METHANE.key, "emission_n2o_kg_yr": NITROUS.key,
}  # fmt: skip
"""Column → quantity of what stands beside the carbon stock; columns that no region fills are left out."""


def aliases() -> dict[str, tuple[str, str, str]]:
    """Names and units of all columns of :func:`region_table`."""
    pools = {f"{k}_mg": (BY_KEY[k].name_en, BY_KEY[k].name_zh.removesuffix("密度") + "储量", "Mg C") for k in POOL_KEYS}
    return {**ALIASES, **pools}


def region_table(account: Account, coverage: pd.DataFrame) -> pd.DataFrame:
    """Regions × what they hold; the union of all comes first as ``total``."""
    tidy = account.tidy
    values = {
        (r, e, q): v
        for r, e, f, q, v in tidy[["region_id", "ecosystem", "forest_type", "quantity", "value"]].itertuples(
            index=False
        )
        if f == ALL
    }
    rows = []
    info = {r.id: r for r in account.regions}
    for region_id in [TOTAL_REGION, *info]:
        cover = coverage[coverage["region_id"] == region_id]
        top = cover[cover["headline"]].iloc[0]
        other = cover[cover["denominator"] == top["denominator"]].set_index("variant")["coverage_percent"]

        def get(quantity: str, ecosystem: str = ALL, region: str = region_id) -> float:
            return values.get((region, ecosystem, quantity), np.nan)

        stock, forest = forest_stock_m3(account, region_id), get("area", "forest")
        area, carbon = get("area"), get(TOTAL.key)
        rows.append({
            "region_id": region_id,
            "region_name": info[region_id].name if region_id in info else "all regions",
            "area_ha": area,
            "official_area_ha": info[region_id].official_area_ha if region_id in info else np.nan,
            "nodata_ha": np.nan_to_num(get("area", "nodata")),
            "unknown_ha": np.nan_to_num(get("area", "unknown")),
            "outside_rasters_ha": get("area_outside_rasters"),
            "forest_ha": top["forest_area_ha"],
            "coverage_pct": top["coverage_percent"],
            "coverage_arbor_pct": other["arbor_only"],
            "coverage_arbor_bamboo_pct": other["arbor_bamboo"],
            "denominator": top["denominator"],
            "stock_m3": stock,
            "stock_m3_per_ha": stock / forest if forest > 0 else np.nan,
            "carbon_total_mg": carbon,
            "carbon_mg_per_ha": carbon / area if area > 0 else np.nan,
            "carbon_forest_mg": get(TOTAL.key, "forest"),
            **{f"{k}_mg": get(k) for k in POOL_KEYS},
            **{column: get(key) for column, key in _YEARLY.items()},
        })  # fmt: skip
    table = pd.DataFrame(rows)
    return table.drop(columns=[c for c in _YEARLY if table[c].isna().all()])


def ecosystem_table(account: Account, region_id: str = TOTAL_REGION) -> pd.DataFrame:
    """Ecosystems (and forest types) of one region in the order of the map: area, stock, carbon per pool."""
    tidy = account.tidy
    part = tidy[(tidy["region_id"] == region_id) & (tidy["ecosystem"] != ALL)]
    wanted = ["area", VOLUME.key, TOTAL.key, *POOL_KEYS, *SINK_KEYS]
    wide = part.pivot_table(index=["ecosystem", "forest_type"], columns="quantity", values="value", sort=False)
    wide = wide.reindex(columns=wanted).reset_index()
    codes = {(c.ecosystem, c.forest_type or ALL): c.code for c in classes().values()} | {("forest", ALL): 0}
    places = [codes.get((e, f), 999) for e, f in zip(wide["ecosystem"], wide["forest_type"], strict=True)]
    return wide.iloc[np.argsort(places, kind="stable")].reset_index(drop=True)
