"""One row per region with what people look up: for the GeoPackage and the screen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.outputs import columns
from pipelines.outputs.columns import Alias
from sinks.accounts import ALL, TOTAL_REGION, Account
from sinks.ecosystems import classes
from sinks.quantities import BY_KEY, CLASS_SINKS, DEEP, GAIN, METHANE, NITROUS, POOL_KEYS, SINK_KEYS, TOTAL, VOLUME

_COLUMN = {"forest_coverage": "gap_coverage_{year}_pct", "forest_stock": "gap_stock_{year}_m3"}
"""Indicator of the scorecard → column of how far a region is from its goal."""

_KEYS = ["region_id", "ecosystem", "forest_type"]
_YEARLY = {
    "carbon_soil_deep_mg": DEEP.key,
    **{f"{key}_mg_yr": key for key in (*SINK_KEYS, GAIN.key)},
    "emission_ch4_kg_yr": METHANE.key, "emission_n2o_kg_yr": NITROUS.key,
}  # fmt: skip
"""Column → quantity of what stands beside the carbon stock; columns that no region fills are left out."""


def aliases(table: pd.DataFrame) -> dict[str, Alias]:
    """Names and units of all columns of :func:`region_table` and :func:`gaps`."""
    found = {k: a for k, a in columns.aliases("regions").items() if "{year}" not in k}
    for key, name in columns.aliases("regions").items():
        head, _, tail = key.partition("{year}")
        years = [
            c.removeprefix(head).removesuffix(tail) for c in table.columns if c.startswith(head) and c.endswith(tail)
        ]
        if tail:
            found |= {key.format(year=y): name.of(year=y) for y in years if y.isdigit()}
    return {**found, **_pools()}


def _pools() -> dict[str, Alias]:
    return {
        f"{k}_mg": Alias(BY_KEY[k].name_en, BY_KEY[k].name_zh.removesuffix("密度") + "储量", "Mg C") for k in POOL_KEYS
    }


def gaps(card: pd.DataFrame) -> pd.DataFrame:
    """One row per region: its value less its goal, by indicator and year; its own goal where it has one, else the rate of
    the nation. A region's stock has a goal of its own or none."""
    known = card[card["gap"].notna() & card["role"].isin(["own", "national", "reference"])]
    known = known.sort_values("role", key=lambda r: r != "own", kind="stable")
    known = known.drop_duplicates(["region_id", "target", "year"])
    names = [_COLUMN[t].format(year=y) for t, y in zip(known["target"], known["year"], strict=True)]
    wide = known.assign(column=names).pivot(index="region_id", columns="column", values="gap")
    return wide.rename_axis(columns=None).reset_index()


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
    headlines = coverage[coverage["headline"]].drop_duplicates("region_id").set_index("region_id").to_dict("index")
    shares = coverage.set_index(["region_id", "denominator", "variant"])["coverage_percent"].to_dict()
    for region_id in [TOTAL_REGION, *info]:
        top = headlines[region_id]
        own = region_id, top["denominator"]

        def get(quantity: str, ecosystem: str = ALL, region: str = region_id) -> float:
            return values.get((region, ecosystem, quantity), np.nan)

        stock, forest = account.forest_stock_m3[region_id], get("area", "forest")
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
            "coverage_arbor_pct": shares[*own, "arbor_only"],
            "coverage_arbor_bamboo_pct": shares[*own, "arbor_bamboo"],
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
    return _ecosystems(tidy[tidy["region_id"] == region_id]).drop(columns="region_id")


def ecosystems_of_regions(account: Account) -> pd.DataFrame:
    """Ecosystems (and forest types) of every region, with their names, share of the region and carbon density."""
    wide = _ecosystems(account.tidy)
    names = {TOTAL_REGION: ALL, **{r.id: r.name for r in account.regions}}
    wide = wide[wide["region_id"].isin(names)].reset_index(drop=True)
    said = {(c.ecosystem, c.forest_type or ALL): (c.name_en, c.name_zh) for c in classes().values()}
    said |= {(e, ALL): tuple(text.split(" / ")) for e, text in columns.labels("ecosystem").items()}  # type: ignore[misc]
    keys = list(zip(wide["ecosystem"], wide["forest_type"], strict=True))
    whole = wide["forest_type"].eq(ALL)
    area = wide[whole].groupby("region_id")["area"].sum()
    found = pd.DataFrame({
        "region_id": wide["region_id"], "region_name": wide["region_id"].map(names), "ecosystem": wide["ecosystem"],
        "forest_type": wide["forest_type"], "name_en": [said.get(k, k)[0] for k in keys],
        "name_zh": [said.get(k, k)[1] for k in keys], "area_ha": wide["area"],
        "share_pct": 100 * wide["area"] / wide["region_id"].map(area), "stock_m3": wide[VOLUME.key],
        "carbon_total_mg": wide[TOTAL.key], "carbon_mg_per_ha": wide[TOTAL.key] / wide["area"].where(wide["area"] > 0),
        **{f"{k}_mg": wide[k] for k in POOL_KEYS}, **{f"{k}_mg_yr": wide[k] for k in CLASS_SINKS},
    })  # fmt: skip
    yearly = [f"{k}_mg_yr" for k in CLASS_SINKS]
    return found.drop(columns=[c for c in yearly if found[c].isna().all()])


def ecosystem_aliases() -> dict[str, Alias]:
    """Names and units of the columns of :func:`ecosystems_of_regions`."""
    return {**columns.aliases("ecosystems"), **_pools()}


def _ecosystems(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row per region, ecosystem and forest type, in the order of the map."""
    part = tidy[tidy["ecosystem"] != ALL]
    wanted = ["area", VOLUME.key, TOTAL.key, *POOL_KEYS, *SINK_KEYS]
    part = part[part["quantity"].isin(wanted)]
    wide = part.set_index([*_KEYS, "quantity"])["value"].unstack(sort=False)
    wide = wide.reindex(columns=wanted).reset_index()
    codes = {(c.ecosystem, c.forest_type or ALL): c.code for c in classes().values()} | {("forest", ALL): 0}
    places = np.array(
        [codes.get((e, f), 999) for e, f in zip(wide["ecosystem"], wide["forest_type"], strict=True)], int
    )
    regions = pd.factorize(wide["region_id"])[0]
    return wide.iloc[np.lexsort((places, regions))].reset_index(drop=True)
