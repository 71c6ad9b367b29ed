"""The tables of a change, as files: transitions, balances, fluxes, what one epoch alone tells, and the series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd

from pipelines.assess.gislayers import shapes
from pipelines.assess.plan import Plan
from pipelines.outputs import columns, geopackage
from pipelines.outputs.columns import Alias
from pipelines.outputs.geopackage import GpkgLayer, LayerStyle
from sinks.accounts import ALL, TOTAL_REGION, Account, RegionInfo
from sinks.ledger import SIDES, STOCKS, Ledger
from sinks.quantities import BY_KEY, POOL_KEYS, TOTAL, VOLUME

KEYS: Final = ("region_id", "region_name", "year_from", "year_to")
SERIES: Final = ("region_id", "region_name", "year", "quantity", "unit", "value")


def frames(ledgers: Sequence[Ledger], errors: Sequence[pd.DataFrame], series: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file."""
    return {
        "transitions": transitions_tidy(ledgers),
        "balance": pd.concat([named(led, led.classes) for led in ledgers], ignore_index=True),
        "fluxes": pd.concat([named(led, _with_units(led.fluxes)) for led in ledgers], ignore_index=True),
        "gross_fluxes": pd.concat([named(led, led.gross) for led in ledgers], ignore_index=True),
        "one_sided": pd.concat([named(led, led.one_sided) for led in ledgers], ignore_index=True),
        "processes": pd.concat([named(led, process_table(led)) for led in ledgers], ignore_index=True),
        "errors": pd.concat([named(led, e) for led, e in zip(ledgers, errors, strict=True)], ignore_index=True),
        "series": series,
    }


def _names(regions: Sequence[RegionInfo]) -> dict[str, str]:
    return {TOTAL_REGION: ALL, **{r.id: r.name for r in regions}}


def named(ledger: Ledger, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the region's name and the years beside its id."""
    found = frame.copy()
    found.insert(1, "region_name", found["region_id"].map(_names(ledger.regions)))
    found.insert(2, "year_from", ledger.years[0])
    found.insert(3, "year_to", ledger.years[1])
    return found


def _with_units(fluxes: pd.DataFrame) -> pd.DataFrame:
    return fluxes.rename(
        columns={
            "committed": "committed_mg_c", "in_period": "in_period_mg_c", "per_year": "sink_mg_c_yr",
            "co2_per_year": "sink_t_co2_yr", "later": "later_mg_c",
        }
    )  # fmt: skip


def transitions_tidy(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """One row per region × transition × quantity of every period."""
    found = []
    for ledger in ledgers:
        wide = named(ledger, ledger.transitions).rename(
            columns={"before": "from_class", "after": "to_class", "area_ha": "area"}
        )
        values = ["area", "pixels", *(f"{side}_{stock}" for stock in STOCKS for side in SIDES)]
        long = wide.melt([*KEYS, "from_class", "to_class", "process"], values, "quantity", "value")
        long["row"] = np.tile(np.arange(len(wide)), len(values))
        found.append(long.sort_values("row", kind="stable").drop(columns="row"))
    whole = pd.concat(found, ignore_index=True)
    whole["unit"] = whole["quantity"].map(unit_of)
    return whole[[*KEYS, "from_class", "to_class", "process", "quantity", "unit", "value"]]


def unit_of(quantity: str) -> str:
    """Unit of a quantity of the transitions."""
    if quantity in ("area", "pixels"):
        return {"area": "ha", "pixels": "1"}[quantity]
    return BY_KEY[quantity.split("_", 1)[1]].total_unit


def process_table(ledger: Ledger) -> pd.DataFrame:
    """Area and change of carbon of every process in every region."""
    t = ledger.transitions
    columns = ["area_ha", f"gain_{TOTAL.key}", f"loss_{TOTAL.key}", f"change_{TOTAL.key}", f"change_{VOLUME.key}"]
    found = t.groupby(["region_id", "process"], sort=False)[columns].sum().reset_index()
    return found.rename(
        columns={
            f"gain_{TOTAL.key}": "gain_mg_c", f"loss_{TOTAL.key}": "loss_mg_c", f"change_{TOTAL.key}": "change_mg_c",
            f"change_{VOLUME.key}": "change_m3",
        }
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ epochs


def epoch_rows(account: Account, coverage: pd.DataFrame, year: int) -> pd.DataFrame:
    """Coverage and stocks of every region at one epoch."""
    rows = []
    tidy = account.tidy
    whole = tidy[(tidy["ecosystem"] == ALL) & (tidy["forest_type"] == ALL)]
    values = {(r, q): v for r, q, v in whole[["region_id", "quantity", "value"]].itertuples(index=False)}
    for region, name in _names(account.regions).items():
        top = coverage[(coverage["region_id"] == region) & coverage["headline"]].iloc[0]
        rows += [
            (region, name, year, "coverage_percent", "percent", float(top["coverage_percent"])),
            (region, name, year, "forest_area", "ha", float(top["forest_area_ha"])),
            (region, name, year, "stock_volume", "m3", account.forest_stock_m3[region]),
        ]
        for key in (TOTAL.key, *POOL_KEYS):
            rows.append((region, name, year, key, BY_KEY[key].total_unit, values.get((region, key), np.nan)))
    return pd.DataFrame(rows, columns=list(SERIES))


# ------------------------------------------------------------------------------------------ GeoPackage


def write_geopackage(plan: Plan, span: Ledger, series: pd.DataFrame, path: Path) -> None:
    """Regions with their change, styled by it, and the tables."""
    table = region_table(span, series)
    polygons = shapes(plan).merge(table[table["region_id"] != TOTAL_REGION], on="region_id", how="left")
    years = f"{span.years[0]}–{span.years[1]}"
    processes = {"process": columns.process_labels()}
    layers = [
        GpkgLayer("change", f"Change of carbon {years} 碳储量变化", "Change of every region", gpd.GeoDataFrame(polygons), ALIASES,
                  STYLES),
        GpkgLayer("processes", f"Processes {years} 变化过程", "Area and carbon of every process",
                  named(span, process_table(span)), columns.aliases("processes"), domains=processes),
        GpkgLayer("transitions", f"Transitions {years} 转移矩阵", "Class before × class after", named(span, span.transitions),
                  columns.aliases("transitions") | _stock_aliases(), domains=processes),
        GpkgLayer("gross_fluxes", f"Gross fluxes {years} 总通量", "Emissions, removals, net sink", named(span, span.gross),
                  columns.aliases("gross_fluxes")),
        GpkgLayer("series", "Series 时间序列", "Coverage and stocks by epoch", series, columns.aliases("series")),
    ]  # fmt: skip
    geopackage.write_geopackage(path, layers)


ALIASES: Final = columns.aliases("change")
STYLES: Final = (
    LayerStyle("change_mg_c_per_ha", "Carbon change 碳密度变化", "change", "region_name"),
    LayerStyle("coverage_change_points", "Coverage change 覆盖率变化", "change", "region_name"),
    LayerStyle("change_m3", "Stock change 蓄积量变化", "change", "region_name"),
)


def _stock_aliases() -> dict[str, Alias]:
    """Names of the columns of stocks in the transitions: a side of the balance and a pool."""
    sides = columns.aliases("sides")
    return {
        f"{side}_{stock}": Alias(
            f"{sides[side].name_en}: {BY_KEY[stock].name_en}", f"{sides[side].name_zh}：{BY_KEY[stock].name_zh}",
            BY_KEY[stock].total_unit,
        )
        for stock in STOCKS
        for side in SIDES
    }  # fmt: skip


def region_table(span: Ledger, series: pd.DataFrame) -> pd.DataFrame:
    """One row per region: what changed over the whole span."""
    t = span.transitions.assign(moved=lambda f: f["area_ha"].where(f["before"] != f["after"], 0.0))
    kept = ["area_ha", "moved", *(f"{side}_{TOTAL.key}" for side in SIDES), f"change_{VOLUME.key}"]
    found = t.groupby("region_id", sort=False)[kept].sum()
    found.columns = pd.Index(["area_ha", "changed_class_ha", *(f"{side}_mg_c" for side in SIDES), "change_m3"])
    found["change_mg_c_per_ha"] = found["change_mg_c"] / found["area_ha"]
    covered = series[series["quantity"] == "coverage_percent"].pivot(index="region_id", columns="year", values="value")
    found["coverage_change_points"] = covered[span.years[1]] - covered[span.years[0]]
    found["net_sink_t_co2_yr"] = span.gross.set_index("region_id")["net_sink_t_co2_yr"]
    found = found.reset_index()
    found.insert(1, "region_name", found["region_id"].map(_names(span.regions)))
    return found[list(ALIASES)]
