"""The track to a target: what happened from year to year, the pace that it amounts to, and the pace that is needed.

A series of epochs (year, value, perhaps its standard error) is drawn out to years by straight lines ("linear") or at a constant
rate of growth ("geometric", lines on the logarithm); which one is told in every row. With values f on that scale, years t and
n epochs, both paces and both projections to a year T are weighted sums of the epochs, Σ c_i f_i:

    endpoints        slope (f_n − f_1) / (t_n − t_1), the line through the last epoch
    least squares    slope Σ (t_i − t̄) f_i / S, the fitted line, S = Σ (t_i − t̄)²                   [1, ch. 2]

Their variance is Σ c_i² s_i² from the epochs' own standard errors s_i, taken as independent (errors that epochs share, as those
of coefficients are, make it smaller). Least squares has a second one from the scatter about the line, s² Σ c_i² for the slope
and s² (1 + Σ c_i²) for a future value, with n − 2 degrees of freedom [1, ch. 2]; the larger of the
two is told.

A *break* is a change of basis: of definition, of method, of map. A difference over it is no change of the forest, so a pace is
taken on the last unbroken stretch, and over a break only when asked, flagged in every row.

[1] Montgomery, D.C., Peck, E.A. & Vining, G.G. 2012. Introduction to Linear Regression Analysis, 5th ed. Wiley.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks.accounts import TOTAL_REGION
from sinks.errors import InputError
from sinks.parameters import records
from sinks.sampling import Estimate
from sinks.targets import LIKELY, UNIT_FACTORS, Target, compare

INDICATOR: Final = {"coverage_percent": "forest_coverage", "stock_volume": "forest_stock"}
"""The indicator of targets that a quantity answers."""
INTERPOLATIONS: Final = ("linear", "geometric")
METHODS: Final = {"endpoints": 2, "least_squares": 3}
"""Ways to take a pace, and the epochs that each needs: a line fitted to two has no standard error."""
REACHED, ON_TRACK, BEHIND, MISSED, UNDECIDED = "reached", "on track", "behind", "missed", "undecided"

SERIES_COLUMNS: Final = ("region_id", "region_name", "quantity", "unit", "year", "value")
"""Of a table of series; ``se`` (standard error) and ``basis`` may stand beside them."""
YEARLY_COLUMNS: Final = (
    "region_id", "region_name", "quantity", "unit", "year", "value", "source", "interpolation", "change", "change_percent",
    "basis", "break", "across_break",
)  # fmt: skip
TRACK_COLUMNS: Final = (
    "region_id", "region_name", "quantity", "unit", "interpolation", "epochs", "year_from", "year_to", "value", "se",
    "pace", "pace_se", "pace_unit", "pace_method", "pace_endpoints", "pace_endpoints_se", "pace_least_squares",
    "pace_least_squares_se", "target_year", "target_value", "comparison", "document", "article", "role", "gap", "pace_needed",
    "pace_ratio", "projected", "projected_low", "projected_high", "probability", "status", "basis", "breaks",
    "across_break", "note",
)  # fmt: skip


# ------------------------------------------------------------------------------------------ series


@dataclass(frozen=True)
class Series:
    """One quantity of one region at its epochs.

    years : rising (n,); values : (n,) in ``unit``; se : standard errors (n,), NaN where unknown; basis : what each value rests on
    (n,): values of different bases are not compared.
    """

    region_id: str
    region_name: str
    quantity: str
    unit: str
    years: NDArray[np.int64]
    values: NDArray[np.float64]
    se: NDArray[np.float64]
    basis: tuple[str, ...]

    @property
    def breaks(self) -> tuple[int, ...]:
        """The first year of each new basis."""
        return tuple(int(self.years[i]) for i in range(1, len(self.years)) if self.basis[i] != self.basis[i - 1])

    def stretches(self) -> tuple[Series, ...]:
        """The parts between breaks, in order."""
        edges = [0, *np.flatnonzero(np.isin(self.years, self.breaks)).tolist(), len(self.years)]
        return tuple(self._part(a, b) for a, b in pairwise(edges))

    def _part(self, start: int, end: int) -> Series:
        cut = slice(start, end)
        return Series(
            self.region_id, self.region_name, self.quantity, self.unit, self.years[cut], self.values[cut], self.se[cut],
            self.basis[cut],
        )  # fmt: skip


def series_of(frame: pd.DataFrame, name: str = "the series") -> tuple[Series, ...]:
    """A table of epochs (``SERIES_COLUMNS``) as one series a region and quantity, in the table's order.

    Values that are not known are passed over; known units become percent and m³ (亿立方米 is 1e8 m³).
    Raises InputError for missing columns, two values for one year, mixed units, a standard error below zero.
    """
    missing = [c for c in SERIES_COLUMNS if c not in frame]
    if missing:
        raise InputError(f"{name}: the table lacks the column(s) {', '.join(missing)}; add them")
    if frame.empty:
        raise InputError(f"{name}: the table has no row; give a value and its year")
    whole = frame.assign(se=frame.get("se", np.nan), basis=frame.get("basis", "")).fillna(
        {"basis": "", "region_name": ""}
    )
    return tuple(
        _series(str(region), str(quantity), part, name)
        for (region, quantity), part in whole.groupby(["region_id", "quantity"], sort=False)
        if part["value"].notna().any()
    )


def _series(region: str, quantity: str, part: pd.DataFrame, name: str) -> Series:
    where = f"{name}: {quantity} of region '{region}'"
    part = part[part["value"].notna()].sort_values("year", kind="stable")
    years, units = part["year"].to_numpy(), part["unit"].unique()
    if not np.all(np.isfinite(years.astype(np.float64))) or np.any(years.astype(np.float64) % 1):
        raise InputError(f"{where} has a year that is no whole number; write e.g. 2020")
    if len(set(years.tolist())) < len(years):
        twice = next(y for y in years.tolist() if years.tolist().count(y) > 1)
        raise InputError(f"{where} has two values for {twice:g}; leave one out")
    if len(units) > 1:
        raise InputError(f"{where} is given in {', '.join(map(str, units))}; use one unit")
    if (part["se"] < 0).any():
        raise InputError(f"{where} has a standard error below zero; give it as a positive number")
    if not np.all(np.isfinite(part["value"].to_numpy(np.float64))):
        raise InputError(f"{where} has a value that is not finite; leave it out or correct it")
    unit, factor = UNIT_FACTORS.get(str(units[0]), (str(units[0]), 1.0))
    return Series(
        region, str(part["region_name"].iloc[0]), quantity, unit, years.astype(np.int64),
        part["value"].to_numpy(np.float64) * factor, part["se"].to_numpy(np.float64) * factor, tuple(map(str, part["basis"])),
    )  # fmt: skip


def official(quantity: str, *, use_unverified: bool = False) -> Series:
    """The nation's official figures, at the end of each inventory period. Source: ``official_national.csv``.

    quantity : of ``INDICATOR``. A figure equal to the one before is the same one published again, and no epoch of its own.
    Rows that no source at hand confirms are passed over unless asked for. Raises InputError for another quantity.
    """
    if quantity not in INDICATOR:
        raise InputError(f"there is no official series of '{quantity}'; known: {', '.join(INDICATOR)}")
    column, unit = {"coverage_percent": ("coverage_percent", "percent"), "stock_volume": ("stock_m3", "m3")}[quantity]
    kept: list[Mapping[str, str]] = []
    for r in sorted((r for r in records("official_national") if r["scope"] == "china"), key=lambda r: int(r["year"])):
        if not r[column] or (r["status"] == "unverified" and not use_unverified):
            continue
        if not kept or float(r[column]) != float(kept[-1][column]):
            kept.append(r)
    return Series(
        TOTAL_REGION, "China", quantity, unit, np.array([int(r["year"]) for r in kept]),
        np.array([float(r[column]) for r in kept]), np.full(len(kept), np.nan), tuple(r["basis"] for r in kept),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ year by year


def _scale(
    series: Series, interpolation: str
) -> tuple[Callable[[Any], Any], Callable[[Any], Any], NDArray[np.float64], NDArray[np.float64]]:
    """To the scale on which the series is straight, back, and its values and standard errors there (n,)."""
    if interpolation not in INTERPOLATIONS:
        raise InputError(f"no interpolation '{interpolation}'; choose one of {', '.join(INTERPOLATIONS)}")
    if interpolation == "linear":
        return (lambda v: v), (lambda f: f), series.values, series.se
    if np.any(series.values <= 0):
        raise InputError(
            f"{series.quantity} of region '{series.region_id}' is not above zero in every year, so it has no rate of growth; "
            "use the linear interpolation"
        )
    return np.log, np.exp, np.log(series.values), series.se / series.values


def yearly(series: Series, interpolation: str = "linear", *, across_break: bool = False) -> pd.DataFrame:
    """Every year from the first epoch to the last (``YEARLY_COLUMNS``), with the change from the year before.

    source : "observed" or "interpolated"; break : the first year of a new basis. Over a break nothing is interpolated and no
    change is told, unless ``across_break``: the rows that rest on it are then flagged ``across_break``.
    Raises InputError for an unknown interpolation, or a geometric one of values that are not above zero.
    """
    _, back, straight, _ = _scale(series, interpolation)
    rows: list[tuple[object, ...]] = []
    previous = (0, math.nan)
    for i, year in enumerate(series.years.tolist()):
        starts = i > 0 and series.basis[i] != series.basis[i - 1]
        told = i > 0 and (across_break or not starts)
        between = range(int(series.years[i - 1]) + 1, year) if told else range(0)
        for y in (*between, year):
            observed = y == year
            value = float(series.values[i])
            if not observed:
                value = float(back(np.interp(y, series.years[i - 1 : i + 1], straight[i - 1 : i + 1])))
            change = value - previous[1] if told and previous[0] == y - 1 else math.nan
            percent = 100 * change / previous[1] if previous[1] else math.nan
            rows.append((
                series.region_id, series.region_name, series.quantity, series.unit, y, value,
                "observed" if observed else "interpolated", interpolation, change, percent,
                series.basis[i] if observed or not starts else f"{series.basis[i - 1]} to {series.basis[i]}",
                starts and observed, starts and told,
            ))  # fmt: skip
            previous = (y, value)
    return pd.DataFrame(rows, columns=list(YEARLY_COLUMNS))


# ------------------------------------------------------------------------------------------ pace


@dataclass(frozen=True)
class Line:
    """A straight line through the epochs, on the scale of the interpolation (see the module).

    method : of ``METHODS``; years, values, se : (n,) on that scale, se NaN where unknown.
    """

    method: str
    years: NDArray[np.float64]
    values: NDArray[np.float64]
    se: NDArray[np.float64]

    def slope(self) -> Estimate:
        """Change a year."""
        return self._sum(self._rate, 0.0)

    def value(self, year: float) -> Estimate:
        """What the line gives for a year; least squares: for a new value, not for the mean."""
        return self._sum(self._at(year), 1.0)

    @property
    def _rate(self) -> NDArray[np.float64]:
        """Weights of the epochs in the slope (n,)."""
        t = self.years
        if self.method == "endpoints":
            weights = np.zeros(len(t))
            weights[[0, -1]] = -1 / (t[-1] - t[0]), 1 / (t[-1] - t[0])
            return weights
        off = t - t.mean()
        return off / np.sum(off**2)

    def _at(self, year: float) -> NDArray[np.float64]:
        """Weights of the epochs in the line's value for a year (n,)."""
        t = self.years
        if self.method == "endpoints":
            return np.eye(len(t))[-1] + (year - t[-1]) * self._rate
        return 1 / len(t) + (year - t.mean()) * self._rate

    def _sum(self, weights: NDArray[np.float64], new: float) -> Estimate:
        # From the last epoch, so that a series that does not change has a pace of exactly zero.
        value = new * float(self.values[-1]) + float(np.sum(weights * (self.values - self.values[-1])))
        used = weights != 0
        known = math.sqrt(float(np.sum(weights[used] ** 2 * self.se[used] ** 2)))
        if self.method == "endpoints":
            return Estimate(value, known)
        fitted = np.array([self._at(t) @ self.values for t in self.years])
        df = len(self.years) - 2
        scatter = math.sqrt(float(np.sum((self.values - fitted) ** 2)) / df * (new + float(np.sum(weights**2))))
        return Estimate(value, scatter, df) if math.isnan(known) or scatter >= known else Estimate(value, known)


def line(series: Series, method: str = "", interpolation: str = "linear", *, across_break: bool = False) -> Line:
    """The line through a series; without a method least squares from three epochs on, else the endpoints.

    Raises InputError over a break unless ``across_break``, and for fewer epochs than the method needs.
    """
    chosen = _method(series, method)
    what = f"{series.quantity} of region '{series.region_id}'"
    if series.breaks and not across_break:
        raise InputError(
            f"the basis of {what} changes in {', '.join(map(str, series.breaks))}, so a pace over it is no change of the land; "
            "take the years of one basis, or ask for it with --across-break"
        )
    if len(series.years) < METHODS[chosen]:
        raise InputError(
            f"a pace by {chosen} of {what} needs {METHODS[chosen]} epochs and there are {len(series.years)}; add epochs"
        )
    _, _, values, se = _scale(series, interpolation)
    return Line(chosen, series.years.astype(np.float64), values, se)


def _method(series: Series, method: str) -> str:
    if method and method not in METHODS:
        raise InputError(f"no way '{method}' to take a pace; choose one of {', '.join(METHODS)}")
    return method or ("least_squares" if len(series.years) >= METHODS["least_squares"] else "endpoints")


def _pace_of(slope: Estimate, interpolation: str) -> Estimate:
    """The pace that people read: in the unit a year, or percent a year."""
    if interpolation == "linear":
        return slope
    return Estimate(100 * math.expm1(slope.value), 100 * math.exp(slope.value) * slope.se, slope.df)


# ------------------------------------------------------------------------------------------ track


def track(
    series: Sequence[Series],
    targets: Sequence[Target] = (),
    own: Sequence[Target] = (),
    *,
    interpolation: str = "linear",
    method: str = "",
    whole_nation: bool = False,
    across_break: bool = False,
) -> pd.DataFrame:
    """How every series runs, and how it stands to every target that speaks of it (``TRACK_COLUMNS``).

    targets : national ones; own : regional ones. role : "own", "national" (the union of all regions, when it is the nation) or
    "reference" (a region's coverage beside the national target); a region's stock is not held against the nation's. A series
    without a target has one row with its pace.

    The pace is taken on the last unbroken stretch, or over all epochs with ``across_break``. pace_needed : from the last epoch
    to the target; pace_ratio : actual by needed pace; both blank once the value is there; projected : the line in the target
    year, with its 95 % interval; probability : that this meets the target. status :

    - reached, missed : a target year that is not after the last epoch, by the value then; reached also before it
    - on track, behind : projected to meet the target or not, with a probability of ``LIKELY`` where there is an interval
    - undecided : in between, or with one epoch only

    Raises InputError for an unknown interpolation or method, and for targets of regions that have no series.
    """
    unknown = sorted({t.region_id for t in own} - {s.region_id for s in series})
    if unknown:
        raise InputError(f"the targets speak of regions that are not in this series: {', '.join(unknown)}")
    rows = []
    for whole in series:
        part = whole if across_break else whole.stretches()[-1]
        fitting = _fitting(whole, targets, own, whole_nation)
        rows += [_row(whole, part, t, role, interpolation, method) for t, role in fitting or ((None, ""),)]
    return pd.DataFrame(rows, columns=list(TRACK_COLUMNS))


def _fitting(
    series: Series, targets: Sequence[Target], own: Sequence[Target], whole_nation: bool
) -> tuple[tuple[Target, str], ...]:
    indicator = INDICATOR.get(series.quantity)
    mine = [(t, "own") for t in own if t.region_id == series.region_id and t.indicator == indicator]
    nation = series.region_id == TOTAL_REGION and whole_nation
    role = "national" if nation else "reference"
    if not nation and indicator == "forest_stock":
        return tuple(mine)
    return (*mine, *((t, role) for t in targets if t.indicator == indicator))


def _row(
    whole: Series, part: Series, target: Target | None, role: str, interpolation: str, method: str
) -> dict[str, object]:
    n, last, year = len(part.years), float(part.values[-1]), int(part.years[-1])
    chosen = _method(part, method)
    paces = {m: line(part, m, interpolation, across_break=True) for m, least in METHODS.items() if n >= least}
    used = paces.get(chosen)
    told = {m: _pace_of(p.slope(), interpolation) for m, p in paces.items()}
    nothing = Estimate(math.nan, math.nan)
    actual = told.get(chosen, nothing)
    ends, fit = (told.get(m, nothing) for m in METHODS)
    notes = []
    if part.breaks:
        notes.append(
            f"the basis changes in {', '.join(map(str, part.breaks))}: the pace is no plain change of the land"
        )
    elif whole.breaks:
        notes.append(f"years before {whole.breaks[-1]} are of another basis and left out")
    if used is None:
        notes.append(f"no pace: {n} epoch{'s' if n > 1 else ''} on this basis, {METHODS[chosen]} are needed")
    row: dict[str, object] = {
        "region_id": part.region_id, "region_name": part.region_name, "quantity": part.quantity, "unit": part.unit,
        "interpolation": interpolation, "epochs": n, "year_from": int(part.years[0]), "year_to": year, "value": last,
        "se": float(part.se[-1]), "pace": actual.value, "pace_se": actual.se,
        "pace_unit": "percent yr-1" if interpolation == "geometric" else f"{part.unit} yr-1",
        "pace_method": used.method if used else "", "pace_endpoints": ends.value, "pace_endpoints_se": ends.se,
        "pace_least_squares": fit.value, "pace_least_squares_se": fit.se, "basis": part.basis[-1],
        "breaks": " ".join(map(str, whole.breaks)), "across_break": bool(part.breaks),
    }  # fmt: skip
    if target is not None:
        row |= {
            "target_year": target.year, "target_value": target.value, "comparison": target.comparison,
            "document": target.document, "article": target.article, "role": role, "gap": last - target.value,
        }  # fmt: skip
        if target.year > year:
            row |= _ahead(part, target, used, actual, interpolation, notes)
        else:
            row["status"] = _past((part,) if part.breaks else whole.stretches(), target, interpolation, notes)
    return row | {"note": "; ".join(notes)}


def _past(stretches: Sequence[Series], target: Target, interpolation: str, notes: list[str]) -> str:
    """How a target year that is over ended, by the basis that has it; adds to the notes."""
    holding = [s for s in stretches if s.years[0] <= target.year <= s.years[-1]]
    if not holding:
        notes.append(f"no value of one basis for {target.year}")
        return UNDECIDED
    forward, back, _, _ = _scale(holding[0], interpolation)
    years = holding[0].years
    if target.year not in years:
        notes.append(f"the value of {target.year} is interpolated ({interpolation})")
    then = float(back(np.interp(target.year, years, forward(holding[0].values))))
    return REACHED if _met(then, target) else MISSED


def _ahead(
    part: Series, target: Target, used: Line | None, actual: Estimate, interpolation: str, notes: list[str]
) -> dict[str, object]:
    """What a target to come adds to a row; adds to the notes."""
    if interpolation == "geometric" and target.value <= 0:
        raise InputError(
            f"the target of {target.value:g} for {target.year} cannot be held against a rate of growth; use linear"
        )
    forward, back, _, _ = _scale(part, interpolation)
    year, last, se = int(part.years[-1]), float(part.values[-1]), float(part.se[-1])
    reached = _probability(Estimate(last, se), target, target.value) >= LIKELY if se > 0 else _met(last, target)
    goal = float(forward(target.value))
    needed = _pace_of(Estimate((goal - float(forward(last))) / (target.year - year), 0.0), interpolation).value
    if _met(last, target):
        needed = math.nan
    found: dict[str, object] = {
        "pace_needed": needed,
        "pace_ratio": actual.value / needed,
        "status": REACHED if reached else UNDECIDED,
    }
    if used is None:
        return found
    ahead = used.value(target.year)
    low, high = ahead.interval() if ahead.se > 0 else (math.nan, math.nan)
    projected = float(back(ahead.value))
    found |= {"projected": projected, "projected_low": float(back(low)), "projected_high": float(back(high))}
    chance = _probability(ahead, target, goal) if ahead.se > 0 else math.nan
    found["probability"] = chance
    if reached:
        if not _met(projected, target):
            notes.append(f"reached, but at this pace no longer in {target.year}")
    elif math.isnan(chance):
        found["status"] = ON_TRACK if _met(projected, target) else BEHIND
    else:
        found["status"] = ON_TRACK if chance >= LIKELY else BEHIND if chance <= 1 - LIKELY else UNDECIDED
    return found


def _met(value: float, target: Target) -> bool:
    return compare(value, target.value, target.comparison) == "met"


def _probability(value: Estimate, target: Target, goal: float) -> float:
    """That a value meets a target; goal : the target's value on the scale of the value."""
    least = value.probability(goal)
    return 1 - least if target.comparison.startswith("<") else least
