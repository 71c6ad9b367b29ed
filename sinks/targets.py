"""Targets as data, and how an account stands against them.

A target is keyed by document, year, indicator and unit, for two official documents give two stock targets for one year.
Coverage is compared rate with rate. Stock is compared only for the whole the target speaks of; any other region is told
what it contributes.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks.accounts import ALL, TOTAL_REGION, Account
from sinks.errors import InputError, suggest
from sinks.parameters import read_cells, records
from sinks.quantities import VOLUME

GUIDANCE: Final = "guidance_2021"
"""The document whose targets are the default."""

INDICATORS: Final = {"forest_coverage": "percent", "forest_stock": "m3"}
"""The indicators that can be read from maps, and their units."""

UNIT_FACTORS: Final = {
    "percent": ("percent", 1.0), "%": ("percent", 1.0), "m3": ("m3", 1.0), "万立方米": ("m3", 1e4), "1e4 m3": ("m3", 1e4),
    "亿立方米": ("m3", 1e8), "1e8 m3": ("m3", 1e8), "billion m3": ("m3", 1e9),
}  # fmt: skip

SCORECARD_COLUMNS: Final = (
    "region_id", "region_name", "target", "year", "target_value", "unit", "value", "se", "gap", "status", "probability",
    "article", "document", "role", "contribution_percent", "official_value", "official_year", "basis",
)  # fmt: skip


COMPARISONS: Final = (">=", ">", "<=", "<", "≈")


@dataclass(frozen=True)
class Target:
    """One goal. region_id is blank for the nation; assessed : whether a map can tell; unit as in ``INDICATORS``."""

    document: str
    indicator: str
    year: int
    value: float
    unit: str
    article: str = ""
    comparison: str = ">="
    region_id: str = ""
    assessed: bool = True
    status: str = "confirmed"
    source: str = ""
    note: str = ""


def register() -> tuple[Target, ...]:
    """Every national target of the built-in register, assessed or not."""
    return tuple(
        Target(
            document=r["document"], indicator=r["indicator"], year=int(r["year"]), value=float(r["value"]), unit=r["unit"],
            article=r["article"], comparison=r["comparison"], assessed=r["assessed"] == "true", status=r["status"],
            source=r["source"], note=r["note"],
        )
        for r in records("targets")
    )  # fmt: skip


def national(years: Sequence[int] = (), document: str = GUIDANCE) -> tuple[Target, ...]:
    """The assessed national targets of one document, of some years or all. Raises InputError for an unknown document."""
    every = register()
    if document not in {t.document for t in every}:
        raise InputError(f"there is no target document {suggest(document, {t.document for t in every})}")
    return tuple(t for t in every if t.document == document and t.assessed and (not years or t.year in years))


def read_targets(text: str, name: str) -> tuple[Target, ...]:
    """A user's regional targets: CSV with ``region_id, indicator, year, value, unit``; also ``comparison, document``.

    unit : percent for coverage; m3, 1e4 m3, 1e8 m3, 万立方米 or 亿立方米 for stock (亿 is 1e8).
    Raises InputError naming the line.
    """
    columns, rows = read_cells(text, name)
    missing = [c for c in ("region_id", "indicator", "year", "value", "unit") if c not in columns]
    if missing:
        raise InputError(f"{name}: the target table lacks the column(s) {', '.join(missing)}; add them")
    return tuple(_target(line, cells, name) for line, cells in rows)


def _target(line: int, cells: dict[str, str], name: str) -> Target:
    where = f"{name}, line {line}"
    indicator = cells["indicator"]
    if indicator not in INDICATORS:
        close = difflib.get_close_matches(indicator, INDICATORS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(INDICATORS)}"
        raise InputError(f"{where}: unknown indicator '{indicator}'{hint}")
    if cells["unit"] not in UNIT_FACTORS or UNIT_FACTORS[cells["unit"]][0] != INDICATORS[indicator]:
        fitting = ", ".join(u for u, (base, _) in UNIT_FACTORS.items() if base == INDICATORS[indicator])
        raise InputError(f"{where}: unit '{cells['unit']}' does not fit {indicator}; use one of {fitting}")
    try:
        year, value = int(cells["year"]), float(cells["value"])
    except ValueError:
        raise InputError(f"{where}: year '{cells['year']}' or value '{cells['value']}' is not a number") from None
    if not 1900 <= year <= 2200:
        raise InputError(f"{where}: {year} is not a year of this or the next century")
    if not np.isfinite(value):
        raise InputError(f"{where}: value is '{cells['value']}', which is no finite number")
    comparison = cells.get("comparison") or ">="
    if comparison not in COMPARISONS:
        raise InputError(f"{where}: comparison '{comparison}' is not one of {', '.join(COMPARISONS)}")
    unit, factor = UNIT_FACTORS[cells["unit"]]
    if indicator == "forest_coverage" and not 0 <= value <= 100:
        raise InputError(f"{where}: a coverage of {value:g} percent is not between 0 and 100")
    return Target(
        document=cells.get("document") or name, indicator=indicator, year=year, value=value * factor, unit=unit,
        comparison=comparison, region_id=cells["region_id"], source=name,
    )  # fmt: skip


def compare(value: float, target: float, comparison: str) -> str:
    """ "met" or "missed"; "unknown" where there is no value."""
    if not np.isfinite(value):
        return "unknown"
    met = {">=": value >= target, ">": value > target, "<=": value <= target, "<": value < target, "≈": value >= target}
    return "met" if met[comparison] else "missed"


LIKELY: Final = 0.66
SURE: Final = 0.95
"""Probabilities from which a target counts as likely met, and as met; likewise below for missed [IPCC AR5 guidance note on
uncertainty: likely is 66 % and more, extremely likely 95 % and more]."""


@dataclass(frozen=True)
class Sampled:
    """A figure corrected by a reference sample. basis : one line that says by which; draws : values that it may have."""

    value: float
    draws: NDArray[np.float64]
    basis: str


def normal_draws(value: float, se: float, count: int = 4001) -> NDArray[np.float64]:
    """Quantiles of a normal distribution at even probabilities: draws without chance."""
    from scipy.special import ndtri  # dear to import, and a run has draws of its own

    return value + se * np.asarray(ndtri((np.arange(count) + 0.5) / count))


def stock_draws(account: Account) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Draws of the forest's stock by region from the account's standard errors, where it has them."""
    if account.errors is None:
        return {}
    e = account.errors
    hit = e[(e["ecosystem"] == "forest") & (e["forest_type"] == ALL) & (e["quantity"] == VOLUME.key) & (e["se"] > 0)]
    return {
        (region, "forest_stock"): normal_draws(account.forest_stock_m3[region], se)
        for region, se in zip(hit["region_id"], hit["se"], strict=True)
    }


def verdict(probability: float) -> str:
    """met, likely met, undecided, likely missed or missed, from the probability that a target is met."""
    if probability >= SURE:
        return "met"
    if probability >= LIKELY:
        return "likely met"
    if probability > 1 - LIKELY:
        return "undecided"
    return "likely missed" if probability > 1 - SURE else "missed"


def scorecard(
    account: Account,
    coverage: pd.DataFrame,
    targets: Sequence[Target],
    own: Sequence[Target] = (),
    *,
    whole_nation: bool = False,
    draws: Mapping[tuple[str, str], NDArray[np.float64]] | None = None,
    sampled: Mapping[tuple[str, str], Sampled] | None = None,
) -> pd.DataFrame:
    """How every region stands (``SCORECARD_COLUMNS``).

    sampled : by (region_id, indicator), the figure corrected by a reference sample: a row of its own after the map's.

    draws : by (region_id, indicator), values that a region's figure may have: gives standard error and probability, and a
    verdict with its likelihood; without them the figure itself is compared.

    targets : national ones; own : regional ones. role : "own" (the region's own target), "national" (the union of all
    regions, when it is the nation), "reference" (a region's rate beside the national target, no verdict on the region)
    or "contribution" (a region's stock as a share of the national target).
    """
    rows = []
    regions = [(TOTAL_REGION, "all"), *((r.id, r.name) for r in account.regions)]
    top = coverage[coverage["headline"]].set_index("region_id")
    for region_id, region_name in regions:
        values = {
            "forest_coverage": float(top["coverage_percent"][region_id]),
            "forest_stock": account.forest_stock_m3[region_id],
        }
        basis = str(top.loc[region_id, "basis"])
        mine = [t for t in own if t.region_id == region_id]
        nation = region_id == TOTAL_REGION and whole_nation
        for target in (*mine, *targets):
            role = "own" if target in mine else "national" if nation else "reference"
            if role == "reference" and target.indicator == "forest_stock":
                role = "contribution"
            may_be = (draws or {}).get((region_id, target.indicator))
            rows.append(_score(region_id, region_name, target, role, values[target.indicator], basis, may_be))
            if corrected := (sampled or {}).get((region_id, target.indicator)):
                rows.append(
                    _score(
                        region_id,
                        region_name,
                        target,
                        role,
                        corrected.value,
                        f"{corrected.basis}; {basis}",
                        corrected.draws,
                    )
                )
    unknown = sorted({t.region_id for t in own} - {r for r, _ in regions})
    if unknown:
        raise InputError(f"the targets speak of regions that are not in this account: {', '.join(unknown)}")
    return pd.DataFrame(rows, columns=list(SCORECARD_COLUMNS))


def _score(
    region_id: str,
    region_name: str,
    target: Target,
    role: str,
    value: float,
    basis: str,
    draws: NDArray[np.float64] | None,
) -> tuple[object, ...]:
    status = compare(value, target.value, target.comparison)
    se = probability = np.nan
    if draws is not None and np.isfinite(value):
        centred = draws - (float(np.mean(draws)) - value)  # the figure shown is the one that is judged
        se, met = float(np.std(centred)), centred >= target.value
        probability = float(np.mean(~met if target.comparison.startswith("<") else met))
        status = verdict(probability)
    share = 100 * value / target.value if target.indicator == "forest_stock" else np.nan
    official, official_year = official_figure(region_id, target.indicator, nation=role == "national")
    if role not in ("own", "national"):
        status = "above" if compare(value, target.value, target.comparison) == "met" else "below"
    return (
        region_id, region_name, target.indicator, target.year, target.value, target.unit, value, se,
        value - target.value if role != "contribution" else np.nan, status if role != "contribution" else "contributes",
        probability if role in ("own", "national") else np.nan, target.article, target.document, role, share, official,
        official_year, basis,
    )  # fmt: skip


def official_figure(region_id: str, indicator: str, *, nation: bool = False) -> tuple[float, str]:
    """The latest official figure of the nation or of a province (by its GB/T 2260 code) and its year; NaN where none."""
    column = {"forest_coverage": "coverage_percent", "forest_stock": "stock_m3"}[indicator]
    if nation:
        rows = [r for r in records("official_national") if r[column]]
        best = max(rows, key=lambda r: int(r["year"]))
        return float(best[column]), best["year"]
    column = {"stock_m3": "forest_stock_m3"}.get(column, column)
    code = region_id if len(region_id) == 6 else f"{region_id}0000" if len(region_id) == 2 else ""
    for row in records("official_provinces"):
        if code and row["adcode"] == code and row["inventory"].upper() == "NFI9" and row[column]:
            return float(row[column]), row["field_year"] or "2014-2018"
    return float("nan"), ""
