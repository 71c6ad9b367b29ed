"""What protection or restoration did to carbon: before and after, inside and on land outside that was alike.

A simple comparison of inside with outside is biased, for areas are not protected at random (Andam et al. 2008, PNAS 105:16089;
Joppa & Pfaff 2009, PLoS ONE 4:e8273): they lie high, steep and far away. Here every unit (a pixel or a plot) inside is compared
with units outside of the same categories (ecosystem, climate …) and nearly the same covariates (stock before, elevation, slope,
distance to the edge of the ecosystem …), by their *change* of stock, so that what differs between them for good drops out.

Matching: exact on categories, then the ``neighbours`` nearest by Mahalanobis distance, with replacement, none further in any
covariate than a caliper in its pooled standard deviations (Stuart 2010, Stat. Sci. 25:1; Schleicher et al. 2020, Conserv. Biol.
34:538; not the propensity score: King & Nielsen 2019, Polit. Anal. 27:435). What differs within a match is taken off by a
regression on matched controls (Abadie & Imbens 2011, J. Bus. Econ. Stat. 29:1). With yᵢ the yearly change, μ₀ the regression,
wᵢ the area of a matched unit, mᵢ its number of matches J(i):

    effect = Σᵢ wᵢ [yᵢ − Σⱼ (yⱼ + μ₀(xᵢ) − μ₀(xⱼ)) / mᵢ] / Σᵢ wᵢ = Σ aᵤ (yᵤ − μ₀(xᵤ))

with weights a that are positive inside and negative on controls. Its variance is that of the weighted sum (Abadie & Imbens 2006,
Econometrica 74:235), but for shocks that neighbours share (Conley 1999, J. Econometrics 92:1):

    V = ρ Σᵤ Σᵥ aᵤ sᵤ aᵥ sᵥ k(dᵤᵥ) + Σ a² σ²,  σ² = (1 − ρ) s²

s : standard deviation of the controls' residuals in a category; ρ k(d) : correlation of residuals a distance d apart, with k
spherical, share and range fitted to the controls' correlogram. All are learnt from controls, for an area of one piece cannot tell
a shock of its own from its effect (Conley & Taber 2011, Rev. Econ. Stat. 93:113). Effects that differ from unit to unit add to σ²
of treated units. Intervals take Student's t with one degree of freedom less than there are squares of the range with controls
(Bester, Conley & Hansen 2011, J. Econometrics 165:137). No bootstrap, which fails for matching with replacement (Abadie & Imbens
2008, Econometrica 76:1537). The effect is that of these areas, not of areas that might have been chosen.

Leakage is the same estimate for the ring around the areas, against controls beyond it; ring units are controls of nothing. The
net effect is the sum of both, and the controls that they share are counted as shared.

What no covariate tells may still differ. Where two epochs lie before the start, the same estimate of the years before should be
zero (parallel trends); and matching on a noisy stock pulls towards a mean of its own (Daw & Hatfield 2018, Health Serv. Res.
53:4138).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

from sinks.accounts import TOTAL_REGION
from sinks.errors import InputError
from sinks.maperror import Cells, correlation, map_error
from sinks.sampling import Estimate

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

INSIDE, RING, OUTSIDE = "inside", "ring", "outside"
ROLES: Final = (INSIDE, RING, OUTSIDE)
LEAKAGE, NET = "leakage", "net"
PARTS: Final = (INSIDE, LEAKAGE, NET)
MATCHED, POOR, NONE = "matched", "poorly matched", "no controls"

NEIGHBOURS: Final = 4
"""Controls of a unit [Abadie, Drukker, Herr & Imbens 2004, Stata J. 4:290]."""
CALIPER: Final = 0.5
"""Pooled standard deviations that a control may be off in any covariate [design]: a unit without any nearer stays unmatched."""
FAIR_SMD: Final = 0.25
"""Standardized mean difference up to which regression can be trusted with the rest [Rubin 2001; Stuart 2010]."""
GOOD_SMD: Final = 0.1
"""… and up to which it may be neglected [Austin 2009, Stat. Med. 28:3083]."""
VARIANCE_RATIO: Final = (0.5, 2.0)
"""Ratios of variances outside which groups are too different [Rubin 2001, Health Serv. Outcomes Res. Methodol. 2:169]."""
MATCHED_SHARE: Final = 0.8
"""Share of the area that must find controls for the effect to be that of the areas [design]."""
MANY: Final = 30
"""Units from which on a variance, or a standard deviation of one category, is judged by itself."""
FEW_SQUARES: Final = 10
"""Squares of the range with controls below which an interval is said to rest on few."""
PER_SLOPE: Final = 10
"""Controls per covariate from which on a category has slopes of its own."""
_CELLS: Final = 10
"""Cells to a range of the shocks, within which they count as one."""
_LATTICE: Final = 1000
"""Most cells across."""
_MOST_POINTS: Final = 1000
_BINS: Final = 20
_NEAREST: Final = 0.002
"""Controls, distances and nearest part of the pairs that a correlogram is fitted to."""
_APART: Final = 1e-3
_CHUNK: Final = 4_000_000
"""Distances held at a time."""

UNKNOWN: Final = Estimate(math.nan, math.nan)

UNIT_COLUMNS: Final = ("role", "site_id", "x_m", "y_m", "area_ha", "change")
EFFECT_COLUMNS: Final = (
    "site_id", "part", "verdict", "effect_mg_c_ha_yr", "se", "low", "high", "total_mg_c", "total_se", "total_low", "total_high",
    "units", "matched_units", "controls", "area_ha", "matched_area_ha", "matched_share", "naive_mg_c_ha_yr", "largest_smd",
    "pretrend_mg_c_ha_yr", "pretrend_low", "pretrend_high", "parallel",
)  # fmt: skip
BALANCE_COLUMNS: Final = (
    "site_id", "part", "covariate", "treated_mean", "outside_mean", "control_mean", "smd_before", "smd_after",
    "variance_ratio_before", "variance_ratio_after", "balance",
)  # fmt: skip


# ------------------------------------------------------------------------------------------ before and after


@dataclass(frozen=True)
class Periods:
    """Stocks of every epoch as a change. first : earliest epoch; before, after : epochs compared.

    stock : (n,) at ``before``; change : (n,) per year until ``after``; pre_change : (n,) per year until ``before``, None where
    only one epoch lies before the start.
    """

    first: int
    before: int
    after: int
    stock: Floats
    change: Floats
    pre_change: Floats | None

    @property
    def years(self) -> int:
        """Years over which the change is told."""
        return self.after - self.before


def periods(stocks: Floats, years: Sequence[int], start: int | None = None) -> Periods:
    """What changed since the last epoch that is not after ``start`` (the first epoch, where none is given), and until it.

    stocks : (n, epochs) per hectare; years : of the epochs, rising. Raises InputError for a start before the first epoch or
    at the last.
    """
    start = years[0] if start is None else start
    earlier = [k for k, y in enumerate(years) if y <= start]
    if not earlier or len(earlier) == len(years):
        raise InputError(
            f"the start is {start} and the epochs are {', '.join(map(str, years))}; give a start with an epoch in or before it "
            f"and one after"
        )
    k = earlier[-1]
    values = np.asarray(stocks, np.float64)
    change = (values[:, -1] - values[:, k]) / (years[-1] - years[k])
    pre = (values[:, k] - values[:, 0]) / (years[k] - years[0]) if k else None
    return Periods(years[0], years[k], years[-1], values[:, k], change, pre)


# ------------------------------------------------------------------------------------------ matching


@dataclass(frozen=True)
class Pairs:
    """Matches as pairs of rows of the table of units. treated, control : (pairs,)."""

    treated: Indices
    control: Indices

    def weights(self, chosen: NDArray[np.bool_], area: Floats) -> Floats:
        """a (n,): areas of the chosen units that found a control, adding up to 1, and of their controls, adding up to −1.

        All zero where none did.
        """
        used = chosen[self.treated]
        treated, control = self.treated[used], self.control[used]
        number = np.bincount(treated, minlength=len(area))
        a = np.where(number > 0, area, 0.0)
        total = a.sum()
        if not total > 0:
            return np.zeros(len(area))
        a /= total
        return a - np.bincount(control, a[treated] / number[treated], minlength=len(area))


def pooled_sd(x: Floats, treated: NDArray[np.bool_], control: NDArray[np.bool_], area: Floats) -> Floats:
    """Root of the mean of both groups' variances (covariates,), before matching [Rosenbaum & Rubin 1985]. x : (n, covariates)."""
    return np.sqrt((_moments(x, treated * area)[1] + _moments(x, control * area)[1]) / 2)


def match(
    x: Floats,
    category: Indices,
    treated: NDArray[np.bool_],
    control: NDArray[np.bool_],
    sd: Floats,
    *,
    neighbours: int = NEIGHBOURS,
    caliper: float = CALIPER,
) -> Pairs:
    """The nearest controls of every treated unit: same category, every covariate within the caliper, Mahalanobis distance.

    x : (n, covariates), finite for treated and controls; category : (n,); sd : (covariates,) pooled; caliper : in these. A
    covariate without spread in either group must be the same.
    """
    z = x / np.where(sd > 0, sd, np.ptp(x, axis=0) * _APART)
    white = z @ _whitening(z, treated, control)
    found: list[tuple[Indices, Indices]] = []
    for c in np.unique(category[treated]):
        rows, others = np.flatnonzero(treated & (category == c)), np.flatnonzero(control & (category == c))
        step = max(1, _CHUNK // max(1, len(others)))
        for at in range(0, len(rows) if len(others) else 0, step):
            part = rows[at : at + step]
            distance = cdist(white[part], white[others], "sqeuclidean")
            for k in range(z.shape[1]):
                distance[np.abs(z[part, k][:, None] - z[others, k][None, :]) > caliper] = np.inf
            most = min(neighbours, len(others))
            nearest = np.argpartition(distance, most - 1, axis=1)[:, :most]
            near = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
            found.append((np.repeat(part, near.sum(axis=1)), others[nearest[near]]))
    none = np.empty(0, np.int64)
    return Pairs(*(np.concatenate([none, *each]) for each in (zip(*found, strict=True) if found else ((), ()))))


def _whitening(z: Floats, treated: NDArray[np.bool_], control: NDArray[np.bool_]) -> Floats:
    """Turns standardized covariates so that plain distances are Mahalanobis': the root of the inverse pooled covariance."""
    groups = [z[g] - z[g].mean(axis=0) for g in (treated, control) if g.sum() > 1]
    if not groups:
        return np.eye(z.shape[1])
    covariance = sum(np.atleast_2d(g.T @ g / (len(g) - 1)) for g in groups) / len(groups)
    value, vector = np.linalg.eigh(covariance)
    known = value > value.max() * 1e-9  # covariates that others tell in full count once
    return vector[:, known] / np.sqrt(value[known])


# ------------------------------------------------------------------------------------------ the counterfactual and its noise


@dataclass(frozen=True)
class Shocks:
    """Correlation of two units' residuals: share · k(distance / range), k spherical.

    share : [1], 0 where neighbours share nothing; range_m : beyond which they do not.
    """

    share: float
    range_m: float


@dataclass(frozen=True)
class Noise:
    """Residuals from what the covariates explain on controls, and how they vary.

    residual, sd : (n,), the latter of the unit's category; place_m : (n, 2); squares : of the shocks' range that hold controls.
    """

    residual: Floats
    sd: Floats
    shocks: Shocks
    place_m: Floats
    squares: int

    def estimate(self, a: Floats, treated: NDArray[np.bool_]) -> Estimate:
        """Σ a · residual with its standard error, NaN where all weights are 0 or the range is as wide as the land.

        a, treated : (n,).
        """
        held = a != 0
        if not held.any():
            return UNKNOWN
        value = float(a[held] @ self.residual[held])
        if self.squares < 2:
            return Estimate(value, math.nan)
        own = (1 - self.shocks.share) * self.sd**2
        at = held & treated
        own[at] = np.maximum(own[at], _moments(self.residual[at][:, None], np.abs(a[at]))[1][0])
        variance = float(a[held] ** 2 @ own[held]) + self._shared(a[held] * self.sd[held], self.place_m[held])
        return Estimate(value, math.sqrt(variance), self.squares - 1)

    def _shared(self, weight: Floats, place: Floats) -> float:
        """Variance of Σ weight · shock: summed over small cells, so that it takes no pairs of many units."""
        if not self.shocks.share > 0:
            return 0.0
        size = max(self.shocks.range_m / _CELLS, float(np.ptp(place, axis=0).max()) / _LATTICE)
        cells, at = np.unique(np.floor(place / size).astype(np.int64), axis=0, return_inverse=True)
        total, square = (np.bincount(at.ravel(), v).astype(np.float64) for v in (weight, weight**2))
        found = map_error(Cells(cells[:, 1], cells[:, 0], total, square, size, size), self.shocks.range_m)
        return self.shocks.share * found.correlated**2


def noise(y: Floats, x: Floats, category: Indices, place_m: Floats, used: Floats) -> Noise:
    """Fit controls by category and learn how their residuals vary.

    y : (n,) outcome; x : (n, covariates); place_m : (n, 2) on a plane; used : (n,) weight of every control that was matched,
    0 for all else. A category with few controls takes the slopes, and the deviation, of all together.
    """
    control = np.flatnonzero(used > 0)
    names, index = np.unique(category, return_inverse=True)
    centre, level = np.zeros((len(names), x.shape[1])), np.zeros(len(names))
    for c in range(len(names)):
        own = control[index[control] == c]
        if len(own):
            centre[c], level[c] = (np.average(v[own], axis=0, weights=used[own]) for v in (x, y))
    dx, dy = x - centre[index], y - level[index]
    residual = dy - dx @ _slopes(dx[control], dy[control], used[control])
    sd = np.full(len(y), np.nan)
    for c in range(len(names)):
        own, every = control[index[control] == c], index == c
        if len(own) >= PER_SLOPE * (x.shape[1] + 1):
            residual[every] = dy[every] - dx[every] @ _slopes(dx[own], dy[own], used[own])
        if len(own) >= MANY:
            sd[every] = _deviation(residual[own], x.shape[1] + 1)
    sd[np.isnan(sd)] = _deviation(residual[control], x.shape[1] + len(names))
    shocks, grown = fit_shocks(residual[control] / np.where(sd[control] > 0, sd[control], 1.0), place_m[control])
    squares = len(np.unique(np.floor(place_m[control] / shocks.range_m), axis=0)) if shocks.share > 0 else len(control)
    return Noise(residual, sd * grown, shocks, place_m, squares)


def _slopes(dx: Floats, dy: Floats, weight: Floats) -> Floats:
    root = np.sqrt(weight)
    return np.asarray(np.linalg.lstsq(dx * root[:, None], dy * root, rcond=None)[0], np.float64)


def _deviation(residual: Floats, lost: int) -> float:
    return math.sqrt(float(residual @ residual) / max(1, len(residual) - lost)) if len(residual) else math.nan


def fit_shocks(u: Floats, place_m: Floats) -> tuple[Shocks, float]:
    """Share and range of what neighbours have in common, and by how much u varies more than it shows [1].

    u : (n,) of mean 0; place_m : (n, 2). A spherical correlogram is fitted to the products of pairs by distance, weighted by
    their number (Cressie 1985, Math. Geol. 17:563). That u has lost its mean takes k̄, the mean of k over all pairs, off every
    product: so k − k̄ is fitted, and what the mean took is given back.
    """
    some = slice(None, None, max(1, -(-len(u) // _MOST_POINTS)))
    u, distance = u[some], pdist(place_m[some])
    best, found = math.inf, (Shocks(0.0, 0.0), 1.0)
    if not (distance > 0).any() or not u.any():
        return found
    furthest = float(distance.max()) / 2
    edges = np.geomspace(max(float(np.quantile(distance, _NEAREST)), furthest * 1e-3), furthest, _BINS)
    at = np.searchsorted(edges, distance)
    i, j = np.triu_indices(len(u), 1)
    pairs, products, distances = (
        np.bincount(at, v, _BINS + 1)[:_BINS] for v in (np.ones(len(at)), u[i] * u[j], distance)
    )
    held = pairs > 0
    pairs, lag = pairs[held], distances[held] / pairs[held]
    product = products[held] / pairs / float(u @ u / len(u))
    for reach in edges:
        k = correlation(lag, reach)
        mean = (2 * float(pairs @ k) + len(u)) / len(u) ** 2
        slope = float((pairs * (k - mean)) @ product / (pairs @ (k - mean) ** 2))
        misfit = float(pairs @ (product - slope * (k - mean)) ** 2)
        if slope > 0 and misfit < best:
            share = min(1.0, slope / (1 + slope * mean))
            best, found = misfit, (Shocks(share, float(reach)), 1 / math.sqrt(1 - share * mean))
    return found


def _moments(x: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and variance of columns; the variance with one unit's part taken off, NaN for nothing."""
    total = weight.sum()
    if not total > 0:
        return np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    held = weight > 0
    w = weight[held] / total
    mean = w @ x[held]
    spread = w @ (x[held] - mean) ** 2
    return mean, spread / max(1 - float(w @ w), 1e-12) if held.sum() > 1 else spread


# ------------------------------------------------------------------------------------------ the whole


@dataclass(frozen=True)
class Impact:
    """Effects of all areas together (site ``total``) and of each, their balance, and what became of every unit.

    effects : EFFECT_COLUMNS; balance : BALANCE_COLUMNS; matched : (n,) controls that a treated unit found; used : (n,) times a
    control was used; pairs : all matches; notes : for people.
    """

    effects: pd.DataFrame
    balance: pd.DataFrame
    matched: Indices
    used: Indices
    pairs: Pairs
    notes: tuple[str, ...]

    def of(self, site: str = TOTAL_REGION, part: str = INSIDE) -> pd.Series:
        """One row of the effects. Raises KeyError for one that is not there."""
        rows = self.effects[(self.effects["site_id"] == site) & (self.effects["part"] == part)]
        if rows.empty:
            raise KeyError(f"{site}, {part}")
        return rows.iloc[0]


@dataclass(frozen=True)
class _Work:
    """Units as arrays. part : role that counts as treated → its pairs and pooled deviations."""

    units: pd.DataFrame
    x: Floats
    names: tuple[str, ...]
    usable: NDArray[np.bool_]
    pairs: dict[str, Pairs]
    sd: dict[str, Floats]
    years: float

    @cached_property
    def area(self) -> Floats:
        return self.units["area_ha"].to_numpy(np.float64)

    @cached_property
    def _roles(self) -> dict[str, NDArray[np.bool_]]:
        return {name: (self.units["role"] == name).to_numpy() for name in ROLES}

    def role(self, name: str) -> NDArray[np.bool_]:
        return self._roles[name]


def assess(
    units: pd.DataFrame,
    *,
    covariates: Sequence[str],
    categories: Sequence[str],
    years: float,
    neighbours: int = NEIGHBOURS,
    caliper: float = CALIPER,
) -> Impact:
    """The effect inside, the leakage into the ring, where there are ring units, and the net effect.

    units : one row per pixel or plot with ``role`` (inside, ring, outside), ``site_id`` (of the area inside or around which it
    lies), ``x_m`` and ``y_m`` on any plane, ``area_ha`` that it stands for, ``change`` per hectare and year [Mg C ha⁻¹
    yr⁻¹], optionally ``pre_change`` (the same before the start), and the covariates and categories. A unit without one of
    these cannot be matched and counts as such. years : that the change spans, for totals.
    Raises InputError for missing columns, unknown roles, no units inside, and covariates that are none.
    """
    _check(units, covariates, categories, neighbours, caliper)
    units = units.reset_index(drop=True)
    notes: list[str] = []
    work, category = _prepared(units, covariates, categories, years, notes)
    for role in (INSIDE, RING):
        treated, control = work.role(role) & work.usable, work.role(OUTSIDE) & work.usable
        if treated.any() and control.any():
            work.sd[role] = pooled_sd(work.x, treated, control, work.area)
            work.pairs[role] = match(
                work.x, category, treated, control, work.sd[role], neighbours=neighbours, caliper=caliper
            )
    every = [p for p in work.pairs.values() if len(p.treated)]
    pairs = Pairs(
        *(np.concatenate([np.empty(0, np.int64), *(getattr(p, n) for p in every)]) for n in ("treated", "control"))
    )
    use = sum((np.maximum(-p.weights(work.role(r), work.area), 0) for r, p in work.pairs.items()), np.zeros(len(units)))
    place = units[["x_m", "y_m"]].to_numpy(np.float64)
    outcomes = [k for k in ("change", "pre_change") if k in units]
    noises = {k: noise(_filled(units[k]), work.x, category, place, use) for k in outcomes} if (use > 0).any() else {}
    effects, balance = _tables(work, noises)
    notes += _noise_notes(noises)
    if "pre_change" not in units:
        notes.append("one epoch before the start: parallel trends are assumed and cannot be tested")
    elif "pre_change" in covariates:
        notes.append("the change before the start is matched on: that it is alike is no test of parallel trends")
    count = len(units)
    return Impact(
        effects, balance, np.bincount(pairs.treated, minlength=count), np.bincount(pairs.control, minlength=count), pairs,
        tuple(notes),
    )  # fmt: skip


def _noise_notes(noises: dict[str, Noise]) -> list[str]:
    if not noises:
        return []
    squares, shocks = noises["change"].squares, noises["change"].shocks
    notes = ["residuals of controls share nothing with their neighbours"]
    if shocks.share > 0:
        notes = [
            f"residuals of controls share {shocks.share:.0%} of their variance, up to {shocks.range_m / 1000:.3g} km apart"
        ]
    if squares < FEW_SQUARES:
        few = (
            f"controls lie in {squares} square(s) of that size, so the interval rests on few and is wide, or not known"
        )
        notes.append(f"{few}: search further for controls")
    return notes


def _check(
    units: pd.DataFrame, covariates: Sequence[str], categories: Sequence[str], neighbours: int, caliper: float
) -> None:
    missing = [c for c in (*UNIT_COLUMNS, *covariates, *categories) if c not in units]
    if missing:
        raise InputError(f"the units have no column {', '.join(missing)}; add it")
    wrong = sorted(set(units["role"]) - set(ROLES))
    if wrong:
        raise InputError(f"the role of some units is '{wrong[0]}'; it is one of {', '.join(ROLES)}")
    if not covariates:
        raise InputError("no covariate is given to match on; give the stock before the start at least")
    if not (units["role"] == INSIDE).any():
        raise InputError("no unit lies inside an area; check that the areas overlap the map")
    if not (units["area_ha"] > 0).all():
        raise InputError("some units stand for no area; area_ha must be above 0 in every row")
    if neighbours < 1:
        raise InputError(f"{neighbours} neighbours are asked for; a unit needs one at least")
    if not caliper > 0:
        raise InputError(f"the caliper is {caliper:g}; give pooled standard deviations above 0, e.g. {CALIPER:g}")


def _filled(column: pd.Series) -> Floats:
    """Numbers with 0 for what is missing, which is in no match."""
    return np.nan_to_num(column.to_numpy(np.float64))


def _prepared(
    units: pd.DataFrame, covariates: Sequence[str], categories: Sequence[str], years: float, notes: list[str]
) -> tuple[_Work, Indices]:
    x = units[list(covariates)].to_numpy(np.float64)
    told = [c for c in ("change", "pre_change") if c in units]
    usable = np.isfinite(np.column_stack([x, units[told].to_numpy(np.float64)])).all(axis=1)
    category = np.zeros(len(units), np.int64)
    for name in categories:
        code = pd.factorize(units[name])[0]
        usable &= code >= 0
        category = pd.factorize(category * (code.max() + 2) + code)[0].astype(np.int64)
    if not usable.all():
        lost = units.loc[~usable, "role"].value_counts()
        notes.append(
            "units without a value of every covariate, category or epoch, which cannot be matched: "
            + ", ".join(f"{lost[r]} {r}" for r in ROLES if r in lost)
        )
    varies = np.array([v.size == 0 or np.ptp(v) > 0 for v in x[usable].T])
    if not varies.any():
        raise InputError(
            f"{', '.join(covariates)}: the same in every unit, so there is nothing to match on; give a covariate more"
        )
    if not varies.all():
        flat = [n for n, v in zip(covariates, varies, strict=True) if not v]
        notes.append(f"the same in every unit, so not matched on: {', '.join(flat)}")
    names = tuple(n for n, v in zip(covariates, varies, strict=True) if v)
    return _Work(units, np.where(usable[:, None], x, 0.0)[:, varies], names, usable, {}, {}, years), category


def noise_bias(units: pd.DataFrame, stock: str, categories: Sequence[str], years: float) -> float:
    """What a stock map all of whose variance were noise would make of no effect, inside [Mg C ha⁻¹ yr⁻¹].

    Controls chosen for their noisy stock fall back to the mean of their own kind: (1 − reliability) × difference of the means of
    inside and outside within categories [Daw & Hatfield 2018], per year. So a tenth of it for each 10 % of noise.
    """
    keys = list(categories)
    weight = units["area_ha"].where(units[stock].notna())
    sums = pd.DataFrame(
        {"w": weight, "wx": weight * units[stock], "role": units["role"], **{k: units[k] for k in keys}}
    )
    mean = sums.groupby([*keys, "role"], observed=True)[["w", "wx"]].sum().unstack("role")
    if not {INSIDE, OUTSIDE} <= set(mean["w"].columns):
        return math.nan
    off = mean["wx", INSIDE] / mean["w", INSIDE] - mean["wx", OUTSIDE] / mean["w", OUTSIDE]
    w = mean["w", INSIDE].where(off.notna(), 0.0)
    return float((w * off).sum() / w.sum() / years) if w.sum() > 0 else math.nan


# ------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True)
class _Side:
    """One part of one site: its row, and the weights (n,) whose sum over residuals is its total [ha yr]."""

    row: dict[str, Any]
    amount: Floats
    treated: NDArray[np.bool_]


def _tables(work: _Work, noises: dict[str, Noise]) -> tuple[pd.DataFrame, pd.DataFrame]:
    sites = [TOTAL_REGION, *dict.fromkeys(s for s in work.units.loc[work.role(INSIDE) | work.role(RING), "site_id"])]
    effects: list[dict[str, Any]] = []
    balance: list[dict[str, Any]] = []
    parts = [(INSIDE, INSIDE)] + ([(RING, LEAKAGE)] if work.role(RING).any() else [])
    for site in sites:
        here = np.ones(len(work.units), bool) if site == TOTAL_REGION else (work.units["site_id"] == site).to_numpy()
        sides = [_side(work, noises, role, part, str(site), here, balance) for role, part in parts]
        effects += [s.row for s in sides]
        if len(sides) == 2:
            effects.append(_net(work, noises, str(site), *sides))
    return pd.DataFrame(effects, columns=list(EFFECT_COLUMNS)), pd.DataFrame(balance, columns=list(BALANCE_COLUMNS))


def _side(
    work: _Work, noises: dict[str, Noise], role: str, part: str, site: str, here: NDArray[np.bool_], balance: list[dict[str, Any]]
) -> _Side:  # fmt: skip
    chosen = work.role(role) & here
    pairs = work.pairs.get(role, Pairs(*(np.empty(0, np.int64),) * 2))
    a = pairs.weights(chosen, work.area)
    area, matched = float(work.area[chosen].sum()), float(work.area[chosen & (a > 0)].sum())
    rows = _balance(work, role, part, site, chosen, a)
    balance += rows
    smd = np.array([abs(r["smd_after"]) for r in rows])
    y, known = work.units["change"].to_numpy(np.float64), work.usable
    outside = work.role(OUTSIDE) & known
    naive = _moments(y[:, None], chosen * known * work.area)[0][0] - _moments(y[:, None], outside * work.area)[0][0]
    row = {
        "site_id": site, "part": part, "verdict": _verdict(rows, matched, area, int((a > 0).sum())),
        "units": int(chosen.sum()), "matched_units": int((a > 0).sum()), "controls": int((a < 0).sum()), "area_ha": area,
        "matched_area_ha": matched, "matched_share": matched / area if area else math.nan, "naive_mg_c_ha_yr": naive,
        "largest_smd": float(np.nanmax(smd)) if np.isfinite(smd).any() else math.nan, **_pretrend(noises, a, chosen),
    }  # fmt: skip
    effect = noises["change"].estimate(a, chosen) if noises else UNKNOWN
    return _Side(row | _effect(effect, matched * work.years), a * matched * work.years, chosen)


def _effect(effect: Estimate, hectare_years: float) -> dict[str, float]:
    """Columns of an effect per hectare and year, and of its total."""
    names = ("effect_mg_c_ha_yr", "se", "low", "high"), ("total_mg_c", "total_se", "total_low", "total_high")
    both = effect, effect.times(hectare_years)
    return {
        k: v for n, e in zip(names, both, strict=True) for k, v in zip(n, (e.value, e.se, *e.interval()), strict=True)
    }


def _pretrend(noises: dict[str, Noise], a: Floats, treated: NDArray[np.bool_]) -> dict[str, Any]:
    """Columns of the same estimate for the years before the start."""
    before = noises["pre_change"].estimate(a, treated) if "pre_change" in noises else UNKNOWN
    low, high = before.interval()
    parallel = "" if math.isnan(low) else "yes" if low <= 0 <= high else "no"
    return {"pretrend_mg_c_ha_yr": before.value, "pretrend_low": low, "pretrend_high": high, "parallel": parallel}


def _net(work: _Work, noises: dict[str, Noise], site: str, inside: _Side, ring: _Side) -> dict[str, Any]:
    """Inside and ring together, per hectare inside; not known where either is not."""
    one, two = inside.row, ring.row
    verdicts = (one["verdict"], two["verdict"])
    verdict = next((v for v in (NONE, POOR) if v in verdicts), MATCHED)
    row: dict[str, Any] = {"site_id": site, "part": NET, "verdict": verdict, "parallel": ""}
    for name in ("units", "matched_units", "area_ha", "matched_area_ha"):
        row[name] = one[name] + two[name]
    row["matched_share"] = row["matched_area_ha"] / row["area_ha"] if row["area_ha"] else math.nan
    row["controls"] = int(((inside.amount < 0) | (ring.amount < 0)).sum())
    row["largest_smd"] = float(np.nanmax([one["largest_smd"], two["largest_smd"], -math.inf]))
    if verdict == NONE:
        return row | {"largest_smd": math.nan}
    total = noises["change"].estimate(inside.amount + ring.amount, inside.treated | ring.treated)
    hectare_years = one["matched_area_ha"] * work.years
    return row | _effect(total.times(1 / hectare_years), hectare_years)


def _balance(
    work: _Work, role: str, part: str, site: str, chosen: NDArray[np.bool_], a: Floats
) -> list[dict[str, Any]]:  # fmt: skip
    """How alike treated units and controls are in every covariate, before matching and after."""
    if role not in work.sd:
        return []
    sd = work.sd[role]
    (t0, v0), (c0, u0) = (_moments(work.x, g * work.usable * work.area) for g in (chosen, work.role(OUTSIDE)))
    (t1, v1), (c1, u1) = (_moments(work.x, np.maximum(w, 0)) for w in (a, -a))
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = (np.where(d == 0, 0.0, d / sd) for d in (t0 - c0, t1 - c1))
        ratios = v0 / u0, v1 / u1
    found = []
    for k, name in enumerate(work.names):
        off = abs(after[k])
        told = "" if math.isnan(off) else "good" if off <= GOOD_SMD else "fair" if off <= FAIR_SMD else "poor"
        found.append({
            "site_id": site, "part": part, "covariate": name, "treated_mean": t0[k], "outside_mean": c0[k], "control_mean": c1[k],
            "smd_before": before[k], "smd_after": after[k], "variance_ratio_before": ratios[0][k],
            "variance_ratio_after": ratios[1][k], "balance": told,
        })  # fmt: skip
    return found


def _verdict(rows: Sequence[dict[str, Any]], matched: float, area: float, units: int) -> str:
    """In one word or two whether the controls match."""
    if not matched > 0:
        return NONE
    uneven = [
        r for r in rows
        if r["balance"] == "poor"
        or (units >= MANY and not VARIANCE_RATIO[0] <= r["variance_ratio_after"] <= VARIANCE_RATIO[1])
    ]  # fmt: skip
    return POOR if uneven or matched < MATCHED_SHARE * area else MATCHED
