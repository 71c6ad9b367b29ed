"""The account: what every region holds, by ecosystem and forest type, and the sums it was made from.

Two accounts add up: the sums are exact integers, so the account of the whole is the account of the parts in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks import exactsum
from sinks.coding import COUNTED, OVERLAYS
from sinks.errors import InputError
from sinks.quantities import BY_KEY, KEYS, POOL_KEYS, SUMS
from sinks.science import Science, map_class
from sinks.soilcarbon import ORGANIC
from sinks.sums import Sums
from sinks.units import M2_PER_HA

TOTAL_REGION: Final = "total"
OUTSIDE_REGIONS: Final = "outside_regions"
"""Names of the two rows that are no region of the user's: the union of all, and what lies in none."""

ALL: Final = "all"
WOODS: Final = ("forest", "trees_outside_forest")
"""Ecosystems whose carbon is not known without a biomass value."""

KEY_COLUMNS: Final = (
    "region_id", "ecosystem", "forest_type", "cover", "tree", "climate", "ecozone", "altitude", "rain", "soil", "drainage",
    "grassland", "soil_source", *OVERLAYS, "present", "piece",
)  # fmt: skip
TIDY_COLUMNS: Final = (
    "region_id", "region_name", "ecosystem", "forest_type", "quantity", "unit", "value", "se", "low", "high",
)  # fmt: skip

ERROR_KEYS: Final = ("region_id", "ecosystem", "forest_type", "quantity")
ERROR_COLUMNS: Final = ("se", "low", "high")


@dataclass(frozen=True)
class RegionInfo:
    """What is known of a region besides its pixels. Areas in hectares, NaN where unknown.

    official_area_ha : the statistical land area; polygon_area_ha : of the polygon on the ellipsoid;
    outside_grid_ha : the part of the polygon that the rasters do not cover.
    """

    id: str
    name: str = ""
    official_area_ha: float = np.nan
    polygon_area_ha: float = np.nan
    outside_grid_ha: float = 0.0


@dataclass(frozen=True)
class Account:
    """Sums by region and stratum, with what they amount to.

    keys : ``KEY_COLUMNS``, one row per region × stratum × piece; pixels : how many each row has;
    digits : the exact sums of these rows (rows, statistics, exactsum.DIGITS); statistics : their names;
    lines : (rows, quantities, 1 + terms) the straight piece that turns the sums into quantities, per hectare;
    regions : in the user's order; context : what must agree before two accounts may be added;
    errors : se, low and high by region_id, ecosystem, forest_type and quantity, where they have been estimated.
    """

    keys: pd.DataFrame
    pixels: NDArray[np.int64]
    digits: NDArray[np.int64]
    lines: NDArray[np.float64]
    statistics: tuple[str, ...]
    regions: tuple[RegionInfo, ...]
    context: Mapping[str, Any] = field(default_factory=dict)
    errors: pd.DataFrame | None = None

    @staticmethod
    def build(sums: Sums, science: Science, regions: Sequence[RegionInfo], context: Mapping[str, Any]) -> Account:
        """The account of merged sums. Region k of the sums is ``regions[k − 1]``; 0 is in no region."""
        ids = [OUTSIDE_REGIONS, *(r.id for r in regions)]
        rows = list(zip(sums.region.tolist(), sums.code.tolist(), sums.piece.tolist(), strict=True))
        keys = pd.DataFrame([_labels(ids[r], c, p, science) for r, c, p in rows], columns=list(KEY_COLUMNS))
        terms = science.coding.terms
        lines = np.empty((len(rows), len(KEYS), 1 + len(terms)))
        for n, (_, code, piece) in enumerate(rows):
            lines[n] = science.pieces(code).lines[piece]
        # Rows are kept in the order of their keys, so that sums over them have the same bits however they came about.
        order = keys.sort_values(list(KEY_COLUMNS), kind="stable").index.to_numpy()
        keys, lines = keys.iloc[order].reset_index(drop=True), lines[order]
        squared = f"area_m2_x_{terms[0]}_squared" if terms else "unused"
        names = ("area_m2", *(f"area_m2_x_{t}" for t in terms), squared)
        return Account(keys, sums.count[order], sums.digits[order], lines, names, tuple(regions), dict(context))

    @cached_property
    def strata(self) -> pd.DataFrame:
        """``KEY_COLUMNS``, ``pixels``, ``area_ha`` and a column per quantity (Mg C, m³ or Mg C yr⁻¹; NaN: not estimated)."""
        sums = exactsum.to_floats(self.digits)
        frame = self.keys.copy()
        frame["pixels"] = self.pixels
        frame["area_ha"] = sums[:, 0] / M2_PER_HA
        frame[list(KEYS)] = np.einsum("rqt,rt->rq", self.lines, sums[:, : self.lines.shape[2]]) / M2_PER_HA
        return frame

    # ------------------------------------------------------------------ adding up

    def __add__(self, other: Account) -> Account:
        """The account of both. Raises InputError when they were not made alike."""
        return add_all([self, other])

    # ------------------------------------------------------------------ reading

    @cached_property
    def tidy(self) -> pd.DataFrame:
        """One row per region × ecosystem × forest type × quantity (``TIDY_COLUMNS``); ``all`` rows are sums of the others.

        The region ``total`` is the union of all regions. Standard errors and limits are NaN until they are estimated.
        """
        pieces = [self._tidy_of(self._inside, TOTAL_REGION, ALL)]
        for region in self.regions:
            part = self.strata[self.strata["region_id"] == region.id]
            pieces.append(self._tidy_of(part, region.id, region.name))
        outside = self.strata[self.strata["region_id"] == OUTSIDE_REGIONS]
        if len(outside):
            pieces.append(_rows(OUTSIDE_REGIONS, "", ALL, ALL, {"area": float(outside["area_ha"].sum())}))
        whole = pd.concat(pieces, ignore_index=True)[list(TIDY_COLUMNS)]
        if self.errors is None or self.errors.empty:
            return whole
        return whole.drop(columns=[*ERROR_COLUMNS]).merge(
            self.errors[[*ERROR_KEYS, *ERROR_COLUMNS]], on=list(ERROR_KEYS), how="left"
        )

    @property
    def _inside(self) -> pd.DataFrame:
        return self.strata[self.strata["region_id"] != OUTSIDE_REGIONS]

    def area_ha(self, region: str = TOTAL_REGION, ecosystem: str | None = None) -> float:
        """Mapped area of a region, or of one ecosystem in it [ha]."""
        part = self._inside if region == TOTAL_REGION else self.strata[self.strata["region_id"] == region]
        if ecosystem is not None:
            part = part[part["ecosystem"] == ecosystem]
        return float(part["area_ha"].sum())

    def value(self, quantity: str, region: str = TOTAL_REGION, ecosystem: str = ALL, forest_type: str = ALL) -> float:
        """One value of the tidy table. Raises KeyError when there is no such row."""
        t = self.tidy
        hit = t[
            (t["region_id"] == region) & (t["ecosystem"] == ecosystem)
            & (t["forest_type"] == forest_type) & (t["quantity"] == quantity)
        ]  # fmt: skip
        if len(hit) != 1:
            raise KeyError(f"the account has {len(hit)} rows for {region}, {ecosystem}, {forest_type}, {quantity}")
        return float(hit["value"].iloc[0])

    def _tidy_of(self, part: pd.DataFrame, region_id: str, region_name: str) -> pd.DataFrame:
        found = [_rows(region_id, region_name, ALL, ALL, _amounts(part))]
        if region_id != TOTAL_REGION:
            info = next(r for r in self.regions if r.id == region_id)
            outside = {"area_outside_rasters": info.outside_grid_ha}
        else:
            outside = {"area_outside_rasters": sum(r.outside_grid_ha for r in self.regions)}
        found.append(_rows(region_id, region_name, ALL, ALL, outside))
        for ecosystem, rows in part.groupby("ecosystem", sort=True):
            found.append(_rows(region_id, region_name, str(ecosystem), ALL, _amounts(rows)))
            for forest_type, typed in rows.groupby("forest_type", sort=True):
                if forest_type:
                    found.append(_rows(region_id, region_name, str(ecosystem), str(forest_type), _amounts(typed)))
        return pd.concat(found, ignore_index=True)


def _labels(region_id: str, code: int, piece: int, science: Science) -> tuple[Any, ...]:
    stratum, labels = science.coding.stratum(code), science.coding.labels(code)
    ecosystem, forest_type = map_class(stratum.cover)
    cover = science.coding.cover(code)
    name = "/".join(part for part in (cover.ecosystem, cover.forest_type, cover.subclass, cover.code) if part)
    return (
        region_id, ecosystem, forest_type, name, labels.get("tree", COUNTED),
        *(getattr(stratum, column) for column in KEY_COLUMNS[5:-2]),
        "+".join(t for t in science.coding.terms if t in stratum.present), piece,
    )  # fmt: skip


def _amounts(part: pd.DataFrame) -> dict[str, float]:
    """Totals of some rows by quantity; a quantity that none of them yields is left out."""
    amounts: dict[str, float] = {"area": float(part["area_ha"].sum()), "pixels": float(part["pixels"].sum())}
    for key in KEYS:
        known = part[key].notna()
        if known.any():
            amounts[key] = float(part.loc[known, key].sum())
    for total, parts in SUMS.items():
        given = [amounts[k] for k in parts if k in amounts]
        if given:
            amounts[total] = float(np.sum(given))
    woods = part[part["ecosystem"].isin(WOODS)]
    if len(woods):
        amounts["area_without_biomass"] = float(woods.loc[woods["carbon_agb"].isna(), "area_ha"].sum())
    marks = {overlay: part[overlay].astype(bool) for overlay in OVERLAYS} | {"organic_soil": part["soil"] == ORGANIC}
    for mark, holds in marks.items():  # "of which": already counted above, never to be added
        under = part[holds]
        if len(under):
            amounts[f"area_on_{mark}"] = float(under["area_ha"].sum())
            amounts[f"carbon_soil_on_{mark}"] = float(np.nansum(under["carbon_soil"].to_numpy()))
            amounts[f"carbon_total_on_{mark}"] = float(np.nansum(under[list(POOL_KEYS)].to_numpy()))
    return amounts


def unit_of(quantity: str) -> str:
    """Unit of a quantity of the tidy table."""
    if quantity in BY_KEY:
        return BY_KEY[quantity].total_unit
    if quantity.startswith("carbon_"):
        return "Mg C"
    return {"pixels": "1"}.get(quantity, "percent" if quantity.startswith("coverage") else "ha")


def _rows(
    region_id: str, region_name: str, ecosystem: str, forest_type: str, amounts: Mapping[str, float]
) -> pd.DataFrame:
    return pd.DataFrame({
        "region_id": region_id, "region_name": region_name, "ecosystem": ecosystem, "forest_type": forest_type,
        "quantity": list(amounts), "unit": [unit_of(k) for k in amounts], "value": list(amounts.values()),
        "se": np.nan, "low": np.nan, "high": np.nan,
    })  # fmt: skip


def add_all(accounts: Sequence[Account]) -> Account:
    """The sum of several accounts: rows with the same keys are added, exactly.

    Raises InputError naming what differs when they were not made with the same parameters, definitions and layers.
    """
    first = accounts[0]
    for other in accounts[1:]:
        differing = [k for k in {*first.context, *other.context} if first.context.get(k) != other.context.get(k)]
        if differing or first.statistics != other.statistics:
            what = (
                ", ".join(f"{k} ({first.context.get(k)} and {other.context.get(k)})" for k in sorted(differing))
                or f"layers ({', '.join(first.statistics)} and {', '.join(other.statistics)})"
            )
            raise InputError(f"these accounts cannot be added: they differ in {what}; run them alike and merge again")
    keys = pd.concat([a.keys for a in accounts], ignore_index=True)
    lines, digits, pixels = (np.concatenate([getattr(a, n) for a in accounts]) for n in ("lines", "digits", "pixels"))
    group = keys.groupby(list(KEY_COLUMNS), sort=True).ngroup().to_numpy()
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return Account(
        keys.iloc[order[starts]].reset_index(drop=True),
        np.add.reduceat(pixels[order], starts),
        np.add.reduceat(digits[order], starts, axis=0),
        lines[order[starts]],
        first.statistics,
        _merge_regions(accounts),
        dict(first.context),
    )


def _merge_regions(accounts: Sequence[Account]) -> tuple[RegionInfo, ...]:
    """Regions by id, first come first; a region split over several runs lacks only what no run covers."""
    found: dict[str, list[RegionInfo]] = {}
    for account in accounts:
        for region in account.regions:
            found.setdefault(region.id, []).append(region)
    merged = []
    for parts in found.values():
        covered = sum(p.polygon_area_ha - p.outside_grid_ha for p in parts)
        outside = parts[0].outside_grid_ha if len(parts) == 1 else max(0.0, parts[0].polygon_area_ha - covered)
        merged.append(
            RegionInfo(parts[0].id, parts[0].name, parts[0].official_area_ha, parts[0].polygon_area_ha, outside)
        )
    return tuple(merged)
