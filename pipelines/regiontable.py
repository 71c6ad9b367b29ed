"""One row per region with what people look up: for the GeoPackage and the screen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sinks.accounts import ALL, TOTAL_REGION, Account
from sinks.ecosystems import classes
from sinks.quantities import BY_KEY, KEYS, TOTAL, VOLUME, WEATHERING
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
    "sink_weathering_mg_yr": ("Carbonate weathering sink", "岩溶碳汇量", "Mg C/yr"),
}
"""English and Chinese name and unit of every column; pools are added from the vocabulary."""


def aliases() -> dict[str, tuple[str, str, str]]:
    """Names and units of all columns of :func:`region_table`."""
    pools = {f"{k}_mg": (BY_KEY[k].name_en, BY_KEY[k].name_zh.removesuffix("密度") + "储量", "Mg C") for k in KEYS[:5]}
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
            **{f"{k}_mg": get(k) for k in KEYS[:5]},
            "sink_weathering_mg_yr": get(WEATHERING.key),
        })  # fmt: skip
    return pd.DataFrame(rows)


def ecosystem_table(account: Account, region_id: str = TOTAL_REGION) -> pd.DataFrame:
    """Ecosystems (and forest types) of one region in the order of the map: area, stock, carbon per pool."""
    tidy = account.tidy
    part = tidy[(tidy["region_id"] == region_id) & (tidy["ecosystem"] != ALL)]
    wanted = ["area", VOLUME.key, TOTAL.key, *KEYS[:5], WEATHERING.key]
    wide = part.pivot_table(index=["ecosystem", "forest_type"], columns="quantity", values="value", sort=False)
    wide = wide.reindex(columns=wanted).reset_index()
    codes = {(c.ecosystem, c.forest_type or ALL): c.code for c in classes().values()} | {("forest", ALL): 0}
    places = [codes.get((e, f), 999) for e, f in zip(wide["ecosystem"], wide["forest_type"], strict=True)]
    return wide.iloc[np.argsort(places, kind="stable")].reset_index(drop=True)
