"""What a change in carbon is worth at a price: an indication, never issuable credits.

A credit needs a methodology, a baseline, additionality, permanence and verification; a stock change times a price has none of
these, so every result carries ``LABEL``.

The change ΔC between two epochs is taken as equal yearly parts. Over the years y, with price p_y per Mg C, discount rate d and
base year b:

    V = Σ p_y ΔC_y / (1 + d)^(y − b)                                    [1, eq. of net present value]

A part counts at the end of its year: 2010 to 2020 are the ten years 2011 … 2020. Carbon lost has a negative value.

InVEST Carbon does it otherwise [2]: parts count from the start of the first year on and the price change c is a *second
discount*, so that a price that "changes" by +3 % is worth less each year, not more:

    V = p ΔC / n · Σ_{t=0}^{n−1} ρ^t = p ΔC / n · (1 − ρⁿ) / (1 − ρ),   ρ = 1 / ((1 + d)(1 + c))

``invest_value_per_mg_c`` is that equation. InVEST Coastal Blue Carbon documents [1], but its program multiplies the sum of a
period by the number of its years: price 1, inflation and discount 4 %, 83.5 Mg C in ten years give it 835.0. [1] gives 83.5,
and so does this module.

Currencies are names: nothing is converted. Prices per Mg CO₂ become prices per Mg C by 44/12.

[1] InVEST User's Guide, Coastal Blue Carbon, Valuation. [2] InVEST User's Guide, Carbon Storage and Sequestration, eq. 1.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sinks.errors import InputError
from sinks.parameters import read_cells, records
from sinks.units import C_TO_CO2

LABEL: Final = "an indication of value, not issuable credits"
PER: Final[Mapping[str, float]] = {"c": 1.0, "co2": C_TO_CO2}
"""Mg of what a price is for, per Mg C."""
FORMULAS: Final = ("yearly", "invest")
ALL: Final = "all"
OBSERVED, CONTINUED = "observed", "continued"

CHANGE_COLUMNS: Final = ("region_id", "region_name", "process", "year_from", "year_to", "change_mg_c")
VALUE_COLUMNS: Final = (
    "region_id", "region_name", "year_from", "year_to", "basis", "process", "change_mg_c", "change_mg_co2",
    "value_undiscounted", "value_present", "currency", "price_set", "price_kind", "discount_percent", "base_year", "formula",
    "label",
)  # fmt: skip


# ------------------------------------------------------------------------------------------ prices


@dataclass(frozen=True)
class PricePath:
    """A price of carbon by year.

    years : rising (n,); prices : (n,) in ``currency`` per Mg of ``per`` ("c" or "co2"); straight lines between them, the first
    one before them, and ``growth_percent`` a year after the last; kind : "market", "social" or "own"; money_year : the year
    whose money it is, None where it is the money of each year; discount_percent : the rate that a social cost was made with.
    Raises InputError for what is no price.
    """

    name: str
    years: tuple[int, ...]
    prices: tuple[float, ...]
    currency: str
    per: str
    kind: str = "own"
    growth_percent: float = 0.0
    money_year: int | None = None
    discount_percent: float | None = None
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.per not in PER:
            raise InputError(
                f"{self.name}: a price is per 'c' or per 'co2', not per '{self.per}'; say which with --per"
            )
        if not self.currency.strip():
            raise InputError(f"{self.name}: the currency is not named; give it with --currency, e.g. CNY")
        if not self.years or len(self.years) != len(self.prices):
            raise InputError(f"{self.name}: there is no price in it; give at least one year and its price")
        if any(b <= a for a, b in pairwise(self.years)):
            raise InputError(f"{self.name}: the years {_listed(self.years)} do not rise; give each year once, in order")
        bad = [p for p in self.prices if not (math.isfinite(p) and p >= 0)]
        if bad:
            raise InputError(f"{self.name}: {bad[0]:g} is no price; give a number of zero or more")
        _rate(self.growth_percent, f"{self.name}: the price growth")

    @property
    def currency_label(self) -> str:
        """The currency, with the year of its money where that is fixed."""
        return f"{self.money_year} {self.currency}" if self.money_year else self.currency

    def per_mg_c(self, years: ArrayLike) -> NDArray[np.float64]:
        """Price of each year [currency per Mg C]."""
        y = np.asarray(years, np.float64)
        beyond = np.maximum(y - self.years[-1], 0.0)
        path = np.interp(y, self.years, self.prices) * (1 + self.growth_percent / 100) ** beyond
        return path * PER[self.per]

    def notes(self, first: int, last: int) -> list[str]:
        """What was taken for the years from first to last that the path does not name."""
        found = []
        if len(self.years) == 1 and self.growth_percent:
            found.append(f"{self.name} grows by {self.growth_percent:g} % a year from {self.years[0]} on")
        elif len(self.years) == 1 and self.kind != "own":
            found.append(f"{self.name} has a price of {self.years[0]} alone, which stands for every year")
        if first < self.years[0] and len(self.years) > 1:
            found.append(
                f"{self.name} begins in {self.years[0]}: its first price stands for {first} to {self.years[0] - 1} too"
            )
        if last > self.years[-1] and len(self.years) > 1:
            grows = f"growing by {self.growth_percent:g} % a year" if self.growth_percent else "held"
            found.append(f"{self.name} ends in {self.years[-1]}: after it its last price is {grows}")
        return found


def price_sets() -> tuple[str, ...]:
    """Names of the built-in price sets. Source: ``sinks/tables/carbon_prices.csv``."""
    return tuple(dict.fromkeys(r["price_set"] for r in records("carbon_prices")))


def price_set(name: str, *, growth_percent: float = 0.0, use_unverified: bool = False) -> PricePath:
    """A built-in price set; rows that no source at hand confirms are passed over unless asked for.

    Raises InputError for an unknown name.
    """
    if name not in price_sets():
        close = difflib.get_close_matches(name, price_sets(), n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(price_sets())}"
        raise InputError(f"no price set '{name}'{hint}")
    rows = [
        r for r in records("carbon_prices")
        if r["price_set"] == name and (use_unverified or r["status"] != "unverified")
    ]  # fmt: skip
    one = rows[0]
    return PricePath(
        name=name, years=tuple(int(r["year"]) for r in rows), prices=tuple(float(r["price"]) for r in rows),
        currency=one["currency"], per=one["per"], kind=one["kind"], growth_percent=growth_percent,
        money_year=int(one["price_year"]) if one["price_year"] else None,
        discount_percent=float(one["discount_percent"]) if one["discount_percent"] else None,
        sources=tuple(dict.fromkeys(r["source"] for r in rows)),
    )  # fmt: skip


def read_prices(text: str, name: str, currency: str, per: str, growth_percent: float = 0.0) -> PricePath:
    """A user's price path: CSV with ``year, price``. Raises InputError naming the line."""
    columns, lines = read_cells(text, name)
    missing = [c for c in ("year", "price") if c not in columns]
    if missing:
        raise InputError(f"{name}: the price table lacks the column(s) {', '.join(missing)}; add them")
    years, prices = [], []
    for line, cells in lines:
        try:
            years.append(int(cells["year"]))
            prices.append(float(cells["price"]))
        except ValueError:
            raise InputError(
                f"{name}, line {line}: year '{cells['year']}' or price '{cells['price']}' is not a number; write e.g. 2030, 150"
            ) from None
        if not 1900 <= years[-1] <= 2500:
            raise InputError(f"{name}, line {line}: {years[-1]} is not a year of prices; correct it")
    return PricePath(name, tuple(years), tuple(prices), currency, per, growth_percent=growth_percent)


# ------------------------------------------------------------------------------------------ equations


def years_of(year_from: int, year_to: int) -> NDArray[np.int64]:
    """The years at whose ends the yearly parts of a change count (n,). Raises InputError when the years do not rise."""
    if year_to <= year_from:
        raise InputError(f"a change from {year_from} to {year_to} has no years; the first year comes first")
    return np.arange(year_from + 1, year_to + 1)


def present_value(
    years: ArrayLike, change_mg_c: ArrayLike, price_per_mg_c: ArrayLike, discount_percent: float, base_year: int
) -> float:
    """Σ p_y ΔC_y / (1 + d)^(y − b) [currency]; negative where carbon is lost.

    years : (n,); change_mg_c : of each year [Mg C] (n,); price_per_mg_c : of each year (n,) or one; discount_percent : d,
    above −100; base_year : b. Source: InVEST User's Guide, Coastal Blue Carbon, net present value.
    Raises InputError for years that do not rise, a change or price that is not finite, an impossible rate.
    """
    y, change, price = (np.asarray(a, np.float64) for a in (years, change_mg_c, price_per_mg_c))
    if y.size and np.any(np.diff(y) <= 0):
        raise InputError(f"the years {_listed(y.tolist())} do not rise; give each year once, in order")
    if change.shape != y.shape:
        raise InputError(f"there are {y.size} years and {change.size} changes of carbon; give one change for each year")
    for what, numbers in (("change of carbon", change), ("price", price)):
        if not np.all(np.isfinite(numbers)):
            raise InputError(f"a {what} is not a finite number; leave the unknown out or give it a value")
    d = _rate(discount_percent, "the discount rate")
    return float(np.sum(price * change * (1 + d) ** -(y - base_year)))


def invest_value_per_mg_c(
    price_per_mg_c: float, year_from: int, year_to: int, discount_percent: float, price_change_percent: float
) -> float:
    """Value of one Mg C sequestered between two years as InVEST Carbon counts it [currency per Mg C].

    p / n · (1 − ρⁿ) / (1 − ρ), ρ = 1 / ((1 + d)(1 + c)), and p where ρ = 1.
    price_change_percent : c, a second discount (see the module). Source: InVEST User's Guide, Carbon, eq. 1.
    Raises InputError for years that do not rise or rates of −100 % and less.
    """
    n = len(years_of(year_from, year_to))
    d, c = _rate(discount_percent, "the discount rate"), _rate(price_change_percent, "the yearly price change")
    ratio = 1 / ((1 + d) * (1 + c))
    return price_per_mg_c / n * float(np.sum(ratio ** np.arange(n)))


# ------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True)
class Valued:
    """The values (``VALUE_COLUMNS``) and what was assumed. Every row says that it is an indication."""

    table: pd.DataFrame
    notes: tuple[str, ...]
    label: str = LABEL


def value(
    changes: pd.DataFrame,
    price: PricePath,
    *,
    discount_percent: float | None = None,
    base_year: int | None = None,
    horizon: int | None = None,
    formula: str = "yearly",
) -> Valued:
    """The value of changes in carbon.

    changes : ``CHANGE_COLUMNS``, one row per region, process and period, positive where the land gained carbon [Mg C]; periods
    follow one another. discount_percent : by default the rate of a social cost, else 0; base_year : the year that
    values are discounted to, by default the first; horizon : a year up to which the yearly change of the last period is taken
    to go on, in rows of their own (basis "continued"); formula : of ``FORMULAS``.
    Raises InputError for unknown changes, years out of order, impossible rates, a horizon that is no future.
    """
    frame = _checked(changes)
    if formula not in FORMULAS:
        raise InputError(f"no formula '{formula}'; choose one of {', '.join(FORMULAS)}")
    discount = price.discount_percent if discount_percent is None else discount_percent
    discount = 0.0 if discount is None else discount
    first, last = int(frame["year_from"].min()), int(frame["year_to"].max())
    periods = sorted({(int(a), int(b)) for a, b in zip(frame["year_from"], frame["year_to"], strict=True)})
    if formula == "invest" and (
        len(periods) > 1 or horizon is not None or base_year is not None or len(price.years) > 1
    ):
        raise InputError(
            "InVEST's formula values one pair of years at one price, as of its first year; leave out horizon, base year and "
            "price path, or use the formula 'yearly'"
        )
    base = first if base_year is None else base_year
    rows = _with_totals(frame).assign(basis=OBSERVED)
    if horizon is not None:
        rows = pd.concat([rows, _continued(rows, horizon, last)], ignore_index=True)
    spans = sorted({(int(a), int(b)) for a, b in zip(rows["year_from"], rows["year_to"], strict=True)})
    worth = {s: _worth(price, *s, discount, base, formula) for s in spans}
    pairs = [worth[int(a), int(b)] for a, b in zip(rows["year_from"], rows["year_to"], strict=True)]
    rows["change_mg_co2"] = rows["change_mg_c"] * C_TO_CO2
    rows["value_undiscounted"] = rows["change_mg_c"] * [p[0] for p in pairs]
    rows["value_present"] = rows["change_mg_c"] * [p[1] for p in pairs]
    table = rows.assign(
        currency=price.currency_label, price_set=price.name, price_kind=price.kind, discount_percent=discount, base_year=base,
        formula=formula, label=LABEL,
    )[list(VALUE_COLUMNS)]  # fmt: skip
    return Valued(table, tuple(_notes(price, first, horizon or last, discount, base, horizon, formula)))


def _worth(
    price: PricePath, year_from: int, year_to: int, discount: float, base: int, formula: str
) -> tuple[float, float]:
    """One Mg C of a period: undiscounted, present value."""
    years = years_of(year_from, year_to)
    if formula == "invest":
        one = float(price.per_mg_c(price.years[0]))
        return one, invest_value_per_mg_c(one, year_from, year_to, discount, price.growth_percent)
    parts, path = np.full(len(years), 1 / len(years)), price.per_mg_c(years)
    return present_value(years, parts, path, 0.0, base), present_value(years, parts, path, discount, base)


def _checked(changes: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in CHANGE_COLUMNS if c not in changes]
    if missing:
        raise InputError(f"the table of changes lacks the column(s) {', '.join(missing)}; add them")
    if changes.empty:
        raise InputError("the table of changes has no row; there is nothing to value")
    unknown = changes[~np.isfinite(changes["change_mg_c"].to_numpy(np.float64))]
    if len(unknown):
        r = unknown.iloc[0]
        raise InputError(
            f"the change of carbon of region '{r['region_id']}' from {r['year_from']} to {r['year_to']} is not a finite number; "
            "leave the row out or give it a value"
        )
    years = changes[["year_from", "year_to"]].to_numpy(np.float64)
    if not np.all(np.isfinite(years)) or np.any(years % 1):
        raise InputError("a year of the table of changes is no whole number; write e.g. 2020")
    periods = sorted({(int(a), int(b)) for a, b in years})
    for year_from, year_to in periods:
        years_of(year_from, year_to)
    for (a, b), (c, d) in pairwise(periods):
        if c < b:
            raise InputError(
                f"the periods {a}–{b} and {c}–{d} overlap, so carbon would count twice; give periods that follow"
            )
    if ALL in set(changes["process"]) and changes["process"].nunique() > 1:
        raise InputError(f"the process '{ALL}' stands beside others, so carbon would count twice; give it or them")
    whole = changes[list(CHANGE_COLUMNS)].astype({"year_from": int, "year_to": int})
    return whole.assign(region_name=whole["region_name"].fillna("").astype(str))


def _with_totals(frame: pd.DataFrame) -> pd.DataFrame:
    """Every region and period with all processes together first, then each named one."""
    keys = ["region_id", "region_name", "year_from", "year_to"]
    frame["process"] = frame["process"].replace({"": ALL})
    named = frame[frame["process"] != ALL].groupby([*keys, "process"], sort=False, as_index=False)["change_mg_c"].sum()
    whole = frame.groupby(keys, sort=False, as_index=False)["change_mg_c"].sum().assign(process=ALL)
    together = pd.concat([whole, named], ignore_index=True)
    order = {r: n for n, r in enumerate(dict.fromkeys(frame["region_id"]))}
    return together.sort_values(
        ["region_id", "year_from"], key=lambda c: c.map(order) if c.name == "region_id" else c, kind="stable"
    ).reset_index(drop=True)


def _continued(rows: pd.DataFrame, horizon: int, last: int) -> pd.DataFrame:
    """The rows of the last period, going on at its yearly pace."""
    if horizon <= last:
        raise InputError(f"the horizon {horizon} is not after the last epoch {last}; give a later year")
    ahead = rows[rows["year_to"] == last].copy()
    pace = ahead["change_mg_c"] / (ahead["year_to"] - ahead["year_from"])
    return ahead.assign(year_from=last, year_to=horizon, change_mg_c=pace * (horizon - last), basis=CONTINUED)


def _notes(
    price: PricePath, first: int, end: int, discount: float, base: int, horizon: int | None, formula: str
) -> list[str]:
    found = [f"{LABEL}: no baseline, additionality, permanence or verification is in it"]
    if formula == "invest":
        found.append("InVEST's formula: the price change is a second discount, and the first year is not discounted")
    else:
        found.append(f"each change is spread evenly over its years; discounted by {discount:g} % a year to {base}")
        found += price.notes(first + 1, end)
    if price.kind == "social" and price.discount_percent is not None and discount != price.discount_percent:
        found.append(
            f"{price.name} was made with a discount rate of {price.discount_percent:g} %, and {discount:g} % is used: "
            "the two do not fit together"
        )
    if price.kind == "market" and price.name in price_sets():
        found.append(f"{price.name} is the price of emission allowances, not of forest credits")
    if horizon is not None:
        found.append(
            f"to {horizon} the yearly change of the last period is taken to go on; growth of forest slows with age"
        )
    return found


def _rate(percent: float, what: str) -> float:
    if not (math.isfinite(percent) and percent > -100):
        raise InputError(f"{what} is {percent:g} %, which is no rate; give a number above −100")
    return percent / 100


def _listed(years: Sequence[float]) -> str:
    return ", ".join(f"{y:g}" for y in years)
