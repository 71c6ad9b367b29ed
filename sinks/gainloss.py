"""Stock difference and gain–loss: two ways to the yearly change of living biomass, side by side.

Positive = the land gained carbon. Stock difference (IPCC 2006, Vol. 4, Ch. 2, eq. 2.5) takes two measured stocks; gain–loss
(eq. 2.7) takes growth, conversions, removals and disturbances. Neither corrects the other: where they differ, one of the
maps, the growth table or the removals is wrong or lacks something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from sinks.accounts import TOTAL_REGION
from sinks.biomass import disturbance_loss, fuelwood_loss, wood_removal_loss
from sinks.ecosystems.forest import carbon_fractions, forest_types, zone_of
from sinks.errors import InputError
from sinks.ledger import Ledger
from sinks.parameters import Coefficient, ParameterSet

Array = Any

REMOVALS: Final = {
    "roundwood": "m3 yr-1", "fuelwood_trees": "m3 yr-1", "fuelwood_parts": "m3 yr-1", "disturbed_area": "ha yr-1",
}  # fmt: skip
"""What a table of removals may tell, and its unit."""
REMOVAL_COLUMNS: Final = ("region_id", "kind", "value")
COLUMNS: Final = (
    "region_id", "growth_mg_c_yr", "conversion_mg_c_yr", "wood_removals_mg_c_yr", "fuelwood_mg_c_yr", "disturbance_mg_c_yr",
    "gain_loss_mg_c_yr", "stock_difference_mg_c_yr", "difference_mg_c_yr",
)  # fmt: skip
_FOREST: Final = "forest"


def stock_difference(opening: Array, closing: Array, years: float) -> Array:
    """ΔC = (C_t2 − C_t1) / (t2 − t1) [Mg C yr⁻¹]; stocks [Mg C]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.5.

    Raises InputError when the years do not rise.
    """
    if not years > 0:
        raise InputError(f"a stock difference takes years that rise, not {years:g} of them")
    return (np.asarray(closing) - np.asarray(opening)) / years


def gain_loss(gains: Array, losses: Array) -> Array:
    """ΔC_B = ΔC_G − ΔC_L [Mg C yr⁻¹], both positive. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.7."""
    return np.asarray(gains) - np.asarray(losses)


def effects(area: tuple[Array, Array], density: tuple[Array, Array]) -> tuple[Array, Array]:
    """Area effect and density effect of a change of stock: ΔC = ΔA · mean density + Δdensity · mean area, exactly.

    area : of two dates [ha]; density [Mg C ha⁻¹]; returns [Mg C].
    """
    (a1, a2), (d1, d2) = ((np.asarray(x), np.asarray(y)) for x, y in (area, density))
    return (a2 - a1) * (d1 + d2) / 2, (d2 - d1) * (a1 + a2) / 2


# ---------------------------------------------------------------------------- removals


@dataclass(frozen=True)
class RemovalFactors:
    """What turns removed wood of a region into carbon. bcef_r [Mg m⁻³]; root_shoot [1]; carbon_fraction [Mg C (Mg d.m.)⁻¹];
    wood_density [Mg m⁻³], NaN where unknown; agb : of the forest that is disturbed [Mg d.m. ha⁻¹]."""

    bcef_r: float
    root_shoot: float
    carbon_fraction: float
    wood_density: float
    agb: float


def bcef_r(forest_type: str, climate: str, stock_per_ha: float, parameters: ParameterSet) -> Coefficient:
    """BCEF_R of a forest type by climate and growing stock [m³ ha⁻¹] (IPCC 2006, Vol. 4, Table 4.5; a class owns its upper end).

    Raises InputError where the set has none.
    """
    zone = zone_of(climate)["bcef_zone"]
    types = [t for t in forest_types()[forest_type][f"bcef_{zone}"].split(";") if t]
    for bcef_type in types:
        for row in parameters.rows("bcef", "bcef_r", bcef_zone=zone, bcef_type=bcef_type):
            low, high = float(row.keys["volume_min"]), float(row.keys["volume_max"])
            if low < stock_per_ha <= high or (stock_per_ha == low == 0):
                return row.coefficient
    raise InputError(
        f"parameter set '{parameters.name}' has no bcef_r for {forest_type} in {zone} at {stock_per_ha:.0f} m³/ha; give one in "
        f"your own parameter file"
    )


def removal_losses(removals: pd.DataFrame, factors: Mapping[str, RemovalFactors]) -> pd.DataFrame:
    """Carbon lost by removals [Mg C yr⁻¹, positive] by region: wood_removals, fuelwood, disturbance.

    removals : ``REMOVAL_COLUMNS`` with units of ``REMOVALS``, and fraction_lost [1] for disturbed_area where it is not 1;
    factors : by region. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.12 to 2.14. Raises InputError for unknown kinds and regions.
    """
    lost: dict[str, dict[str, float]] = {}
    for row in removals.to_dict("records"):
        region, kind, amount = str(row["region_id"]), str(row["kind"]), float(row["value"])
        if kind not in REMOVALS:
            raise InputError(f"removals: '{kind}' is none of {', '.join(REMOVALS)}")
        if region not in factors:
            raise InputError(
                f"removals: region '{region}' is not in this account; known: {', '.join(sorted(factors)[:8])}"
            )
        if not amount >= 0:
            raise InputError(f"removals of {region}: {kind} is {amount:g}; give an amount of 0 or more")
        f = factors[region]
        here = lost.setdefault(region, dict.fromkeys(("wood_removals", "fuelwood", "disturbance"), 0.0))
        if kind == "roundwood":
            here["wood_removals"] += float(wood_removal_loss(amount, f.bcef_r, f.root_shoot, f.carbon_fraction))
        elif kind == "disturbed_area":
            part = float(row.get("fraction_lost") or 1.0)
            part = 1.0 if np.isnan(part) else part
            here["disturbance"] += float(disturbance_loss(amount, f.agb, f.root_shoot, f.carbon_fraction, part))
        else:
            if kind == "fuelwood_parts" and np.isnan(f.wood_density):
                raise InputError(
                    f"removals of {region}: no wood density for fuelwood_parts; name a species in forest_type"
                )
            trees, parts = (amount, 0.0) if kind == "fuelwood_trees" else (0.0, amount)
            here["fuelwood"] += float(
                fuelwood_loss(
                    trees, parts, f.bcef_r, f.root_shoot, float(np.nan_to_num(f.wood_density)), f.carbon_fraction
                )
            )
    return pd.DataFrame.from_dict(lost, orient="index").rename_axis("region_id").reset_index()


# ---------------------------------------------------------------------------- on a ledger


def compared(ledger: Ledger, losses: pd.DataFrame | None = None) -> pd.DataFrame:
    """Living biomass of forest and converted land by both methods (``COLUMNS``), by region and in total.

    growth : of forest that stays forest the mean of both epochs' rates, of new forest half the closing rate (it stood for half
    the period on average); conversion : the living biomass that conversions from and to forest took or brought, spread over
    the period (eq. 2.16); losses : of ``removal_losses``, none where nothing is known of removals.
    Raises InputError when the run knows no growth rates.
    """
    rows = ledger.rows[ledger.rows["process"] != ""]
    if rows["growth_opening"].isna().all() and rows["growth_closing"].isna().all():
        raise InputError("gain–loss takes growth rates: run the change with --forest-age, e.g. secondary_over_20")
    was, is_ = (rows[side].str.split("/").str[0] == _FOREST for side in ("before", "after"))
    opening, closing = rows["growth_opening"].fillna(0.0), rows["growth_closing"].fillna(0.0)
    growth = ((opening + closing) / 2).where(was & is_, (closing / 2).where(is_, 0.0))
    stocks = {k: rows[[f"{k}_carbon_agb", f"{k}_carbon_bgb"]].fillna(0.0).sum(axis=1) for k in ("opening", "closing")}
    live = stocks["closing"] - stocks["opening"]
    both = (rows["told_opening"] & rows["told_closing"] & 1).astype(bool)
    moved = was != is_
    frame = pd.DataFrame(
        {
            "region_id": rows["region_id"],
            "growth_mg_c_yr": growth.where(both, 0.0),
            "conversion_mg_c_yr": live.where(both & moved & ~is_, 0.0) / ledger.span,
            "stock_difference_mg_c_yr": live.where(both & (was | is_), 0.0) / ledger.span,
        }
    )
    inside = frame[frame["region_id"].isin([r.id for r in ledger.regions])]
    found = inside.groupby("region_id", sort=False).sum().reset_index()
    if losses is not None:
        found = found.merge(losses, on="region_id", how="left")
    for name in ("wood_removals", "fuelwood", "disturbance"):
        lost = found[name].fillna(0.0) if name in found else 0.0
        found[f"{name}_mg_c_yr"] = -lost
    whole = pd.concat([found.drop(columns="region_id").sum().to_frame().T.assign(region_id=TOTAL_REGION), found])
    parts = ["growth", "conversion", "wood_removals", "fuelwood", "disturbance"]
    whole["gain_loss_mg_c_yr"] = whole[[f"{p}_mg_c_yr" for p in parts]].sum(axis=1)
    whole["difference_mg_c_yr"] = whole["gain_loss_mg_c_yr"] - whole["stock_difference_mg_c_yr"]
    return whole[list(COLUMNS)].reset_index(drop=True)


def factors_of(ledger: Ledger, region: str, forest_type: str, climate: str, parameters: ParameterSet) -> RemovalFactors:
    """Factors of a region's removals: those of a forest type and climate by the set; the root-to-shoot ratio, the growing stock
    and the biomass are the account's own at the opening.

    Raises InputError where the region has no forest with a biomass value, or the set lacks a factor.
    """
    rows = ledger.rows[(ledger.rows["region_id"] == region) & (ledger.rows["before"].str.split("/").str[0] == _FOREST)]
    rows = rows[rows["opening_carbon_agb"].notna()]
    area, agb = float(rows["area_ha"].sum()), float(rows["opening_carbon_agb"].sum())
    if not agb > 0:
        raise InputError(f"removals: {region} has no forest with a biomass value at {ledger.years[0]}")
    fraction = carbon_fractions(forest_type, parameters)["carbon_fraction_agb"].value
    taxa = [t for t in (forest_type, forest_types()[forest_type]["taxon"]) if t]
    densities = [r.coefficient.value for t in taxa for r in parameters.rows("wood_density", "wood_density", taxon=t)]
    return RemovalFactors(
        bcef_r=bcef_r(forest_type, climate, float(rows["opening_stock_volume"].sum()) / area, parameters).value,
        root_shoot=float(rows["opening_carbon_bgb"].sum()) / agb,
        carbon_fraction=fraction,
        wood_density=densities[0] if densities else np.nan,
        agb=agb / fraction / area,
    )
