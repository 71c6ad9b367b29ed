"""The account: what every region holds, by ecosystem and forest type, and the sums it was made from.

Two accounts add up: the sums are exact integers, so the account of the whole is the account of the parts in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

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

BEYOND: Final = "area_outside_rasters"
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
        whole = self._values.copy()
        columns = list(ERROR_COLUMNS)
        if self.errors is None or self.errors.empty:
            whole[columns] = np.nan
            return whole
        known = {key: n for n, key in enumerate(zip(*(self.errors[c].tolist() for c in ERROR_KEYS), strict=True))}
        at = [known.get(key, -1) for key in zip(*(whole[c].tolist() for c in ERROR_KEYS), strict=True)]
        errors = self.errors[columns].to_numpy(np.float64)
        whole[columns] = np.vstack([errors, np.full((1, len(columns)), np.nan)])[at]
        return whole

    @cached_property
    def _values(self) -> pd.DataFrame:
        """``tidy`` without its errors."""
        amounts = _amounts(self._inside)
        regions = [TOTAL_REGION, *(r.id for r in self.regions)]
        outside = [r.outside_grid_ha for r in self.regions]
        seen = set(self._inside["region_id"].tolist())
        bare = [r for r in regions[1:] if r not in seen]  # no pixel of theirs is on the map
        rows = _in_order(
            [
                *_summed(self._inside, amounts),
                _whole(regions, BEYOND, [sum(outside), *outside]),
                *(_whole(bare, quantity, [0.0] * len(bare)) for quantity in ("area", "pixels")),
            ],
            regions,
            list(amounts),
        )
        lost = self.strata["region_id"] == OUTSIDE_REGIONS
        if lost.any():
            beyond = _whole([OUTSIDE_REGIONS], "area", [float(self.strata.loc[lost, "area_ha"].sum())])
            rows = _Rows.joined([rows, beyond])
        names = {TOTAL_REGION: ALL, OUTSIDE_REGIONS: "", **{r.id: r.name for r in self.regions}}
        units = {q: unit_of(q) for q in (*amounts, *SUMS, BEYOND)}
        return pd.DataFrame({
            "region_id": rows.region, "region_name": [names[r] for r in rows.region], "ecosystem": rows.ecosystem,
            "forest_type": rows.forest_type, "quantity": rows.quantity, "unit": [units[q] for q in rows.quantity],
            "value": rows.value,
        })  # fmt: skip

    def with_errors(self, errors: pd.DataFrame | None) -> Account:
        """The same account with these errors, without adding up again what it has."""
        found = replace(self, errors=errors)
        made = {
            k: v for k, v in self.__dict__.items() if k in ("strata", "_inside", "_values", "areas", "forest_stock_m3")
        }
        found.__dict__.update(made)
        return found

    @cached_property
    def _inside(self) -> pd.DataFrame:
        return self.strata[self.strata["region_id"] != OUTSIDE_REGIONS]

    @cached_property
    def areas(self) -> dict[str, dict[tuple[str, str], float]]:
        """Mapped area by region (the union first) and by ecosystem and forest type [ha]."""
        found: dict[str, dict[tuple[str, str], float]] = {TOTAL_REGION: {}}
        columns = ("region_id", "ecosystem", "forest_type", "area_ha")
        for region, ecosystem, kind, area in zip(*(self._inside[c].tolist() for c in columns), strict=True):
            for own in (found[TOTAL_REGION], found.setdefault(region, {})):
                own[ecosystem, kind] = own.get((ecosystem, kind), 0.0) + area
        return found

    @cached_property
    def forest_stock_m3(self) -> dict[str, float]:
        """Growing stock of forest by region, the union first [m³]: 0 without forest, NaN where no forest has stock."""
        forest = self._inside[self._inside["ecosystem"] == "forest"]
        found = {TOTAL_REGION: 0.0, **{r.id: 0.0 for r in self.regions}}
        if len(forest):
            found[TOTAL_REGION] = float(forest["stock_volume"].sum(min_count=1))
            sums = forest.groupby("region_id")["stock_volume"].sum(min_count=1)
            found |= dict(zip(sums.index.astype(str), sums.tolist(), strict=True))
        return found

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


def _amounts(strata: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """What each row of ``Account.strata`` adds to each quantity of the tidy table; NaN where it has no part in it."""
    area = strata["area_ha"].to_numpy(np.float64)
    amounts = {"area": area, "pixels": strata["pixels"].to_numpy(np.float64)}
    amounts |= {key: strata[key].to_numpy(np.float64) for key in KEYS}
    woods = strata["ecosystem"].isin(WOODS).to_numpy(bool)
    unknown = np.where(np.isnan(amounts["carbon_agb"]), area, 0.0)
    amounts["area_without_biomass"] = np.where(woods, unknown, np.nan)
    pools = np.zeros(len(area))
    for key in POOL_KEYS:
        pools += np.nan_to_num(amounts[key])
    marks = {overlay: strata[overlay].to_numpy(bool) for overlay in OVERLAYS} | {
        "organic_soil": (strata["soil"] == ORGANIC).to_numpy(bool)
    }
    soil = np.nan_to_num(amounts["carbon_soil"])
    for mark, holds in marks.items():  # "of which": already counted above, never to be added
        amounts[f"area_on_{mark}"] = np.where(holds, area, np.nan)
        amounts[f"carbon_soil_on_{mark}"] = np.where(holds, soil, np.nan)
        amounts[f"carbon_total_on_{mark}"] = np.where(holds, pools, np.nan)
    return amounts


class _Rows(NamedTuple):
    """Rows of the tidy table, column by column."""

    region: NDArray[np.object_]
    ecosystem: NDArray[np.object_]
    forest_type: NDArray[np.object_]
    quantity: NDArray[np.object_]
    value: NDArray[np.float64]

    @staticmethod
    def joined(parts: Sequence[_Rows]) -> _Rows:
        """The rows of all, one part after the other."""
        columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return _Rows(*columns)

    def at(self, order: NDArray[np.integer]) -> _Rows:
        """These rows, in this order."""
        columns: list[Any] = [column[order] for column in self]
        return _Rows(*columns)


def _whole(regions: Sequence[str], quantity: str, values: Sequence[float]) -> _Rows:
    """One quantity of all ecosystems together."""
    every, same = np.full(len(regions), ALL, object), np.full(len(regions), quantity, object)
    return _Rows(np.array(regions, object), every, every, same, np.asarray(values, np.float64))


def _summed(strata: pd.DataFrame, amounts: Mapping[str, NDArray[np.float64]]) -> Iterator[_Rows]:
    """Sums by region and total × forest type, × ecosystem and × all; a quantity that no row of a group has is left out."""
    quantities = np.array([*amounts, *SUMS], object)
    values = pd.DataFrame(np.stack(list(amounts.values()), axis=1))
    keys = [pd.factorize(strata[column].to_numpy(object)) for column in ("region_id", "ecosystem", "forest_type")]
    typed, every = strata["forest_type"].to_numpy(object) != "", np.ones(len(strata), bool)
    for region in (False, True):
        for ecosystem, forest_type, keep in ((True, True, typed), (True, False, every), (False, False, every)):
            levels = list(zip(keys, (region, ecosystem, forest_type), (TOTAL_REGION, ALL, ALL), strict=True))
            group = np.zeros(len(strata), np.int64)
            for (codes, names), told, _ in levels:
                group = group * (len(names) + 1) + (codes if told else len(names))
            numbers, of = np.unique(group[keep], return_inverse=True)
            sums = values[keep].groupby(of).sum(min_count=1).to_numpy()  # by pandas, which adds with compensation
            for parts in SUMS.values():
                own = sums[:, np.isin(quantities[: sums.shape[1]], parts)]
                whole = np.where(np.isnan(own).all(axis=1), np.nan, np.nan_to_num(own).sum(axis=1))
                sums = np.column_stack([sums, whole])
            g, q = np.nonzero(~np.isnan(sums))
            named: list[Any] = []
            for (_, names), _, whole_name in reversed(levels):
                numbers, code = np.divmod(numbers, len(names) + 1)
                named.insert(0, np.append(names, whole_name)[code][g])
            yield _Rows(named[0], named[1], named[2], quantities[q], sums[g, q])


def _in_order(parts: Sequence[_Rows], regions: Sequence[str], quantities: Sequence[str]) -> _Rows:
    """The total first, then regions as the user has them; all before ecosystems by name, and these before their types."""
    rows = _Rows.joined(parts)
    place = {region: n for n, region in enumerate(regions)}
    stocks = [q for q in quantities if q in ("area", "pixels", *KEYS)]
    rank = {q: n for n, q in enumerate((*stocks, *SUMS, *(q for q in quantities if q not in stocks), BEYOND))}
    names = {ALL: -1} | {name: n for n, name in enumerate(sorted({*rows.ecosystem, *rows.forest_type} - {ALL}))}
    ranks = [
        [rank[q] for q in rows.quantity], [names[f] for f in rows.forest_type], [names[e] for e in rows.ecosystem],
        [place[r] for r in rows.region],
    ]  # fmt: skip
    return rows.at(np.lexsort([np.array(r, np.int64) for r in ranks]))


def unit_of(quantity: str) -> str:
    """Unit of a quantity of the tidy table."""
    if quantity in BY_KEY:
        return BY_KEY[quantity].total_unit
    if quantity.startswith("carbon_"):
        return "Mg C"
    return {"pixels": "1"}.get(quantity, "percent" if quantity.startswith("coverage") else "ha")


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
