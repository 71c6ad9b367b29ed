"""Volume or carbon from plots and map together: the map tells where, the plots tell how far the map is off.

Plots measure y per hectare; the map gives x at every plot and its mean X̄ over the population. The estimators are design-based
and hold whether or not the map is right; a good map only makes them more precise. In a population of area A with strata of
areas A_h, W_h = A_h / A, n_h plots and residuals e:

- expansion (plots alone)  Σ W_h ȳ_h, variance Σ W_h² s²_h / n_h [Cochran 1977, ch. 5];
- difference  Σ W_h (X̄_h + mean(y − x)), variance the same of y − x [Särndal, Swensson & Wretman 1992, sec. 6.3];
- regression (GREG)  Σ W_h (ȳ_h + b (X̄_h − x̄_h)), variance the same of g·(residuals), the g-weights of Särndal, Swensson &
  Wretman (1989, Biometrika 76:527; 1992, sec. 6.6), with one degree of freedom taken off for the slope
  [McRoberts, Næsset & Gobakken 2013, for forest inventories];
- synthetic  R · X̄ for a region with too few plots, R the ratio of plots to map over all regions; its standard error is that of
  R alone [Cochran 1977, ch. 6; Rao & Molina 2015, sec. 3.2].

Variances are conditional on how many plots fell in each stratum [Holt & Smith 1979], without finite population correction. A
systematic sample is taken as a random one, which overstates its variance as a rule. Areas count as known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks.accounts import TOTAL_REGION, Account
from sinks.errors import InputError
from sinks.quantities import BY_KEY, POOL_KEYS, TOTAL

ESTIMATORS: Final = ("expansion", "difference", "regression", "synthetic")
POPULATIONS: Final = ("land", "forest")
"""What the plots were laid out over: all mapped land (water and nodata are none), or mapped forest alone."""
STRATIFICATIONS: Final = ("none", "forest")
LEFT_OUT: Final = ("nodata", "water")
MINIMUM: Final = 30
"""Fewest plots of a region that get an estimate of their own: below it the normal approximation is not to be trusted."""
CONFIDENCE: Final = 0.95
_UNEVEN: Final = 1e-3
"""Probability below which plots are said to be spread unlike a random or systematic sample."""
_RARE: Final = 5.0
"""A stratum that expects fewer plots than this in a region may be merged with the others there."""
_SLIVER: Final = 1e-3

COLUMNS: Final = (
    "region_id", "region_name", "quantity", "population", "estimator", "headline", "plots", "area_ha", "mean", "mean_se",
    "mean_low", "mean_high", "mean_unit", "total", "total_se", "total_low", "total_high", "total_unit", "df", "map_mean",
    "map_total", "plot_mean", "slope", "efficiency", "warning",
)  # fmt: skip


class Estimate(NamedTuple):
    """One estimate of a mean per hectare. slope : of the regression, or the ratio; NaN where there is none."""

    mean: float
    se: float
    df: float
    slope: float = np.nan

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Limits by Student's t."""
        if not np.isfinite(self.df) or self.df <= 0:
            return np.nan, np.nan
        from scipy import stats  # dear to import, and most runs have no plots

        half = float(stats.t.ppf(0.5 + confidence / 2, self.df)) * self.se
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Population:
    """What the map says of a region, by stratum.

    area_ha : (strata,) ; map_mean : (strata,) per hectare, 0 in a stratum without area.
    """

    region_id: str
    region_name: str
    strata: tuple[str, ...]
    area_ha: NDArray[np.float64]
    map_mean: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area of the region's population [ha]."""
        return float(self.area_ha.sum())

    @property
    def mean(self) -> float:
        """The map's mean per hectare of the population; NaN where it has no area."""
        return float(self.area_ha @ self.map_mean / self.area) if self.area > 0 else np.nan

    def merged(self) -> Population:
        """The same as a single stratum."""
        return Population(self.region_id, self.region_name, ("all",), np.array([self.area]), np.array([self.mean]))


@dataclass(frozen=True)
class Sample:
    """Plots (n,): y measured per hectare, x of the map there, region ids, stratum names."""

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    region: NDArray[np.str_]
    stratum: NDArray[np.str_]

    def __post_init__(self) -> None:
        sizes = {len(self.y), len(self.x), len(self.region), len(self.stratum)}
        if len(sizes) != 1:
            raise InputError(
                f"the plots' values, map values, regions and strata differ in number {sorted(sizes)}; give one each"
            )
        if not (np.isfinite(self.y).all() and np.isfinite(self.x).all()):
            raise InputError("some plots have no measured or no map value; leave them out and say how many they are")

    def __len__(self) -> int:
        return len(self.y)

    def of(self, chosen: NDArray[np.bool_]) -> Sample:
        """Some of the plots."""
        return Sample(self.y[chosen], self.x[chosen], self.region[chosen], self.stratum[chosen])

    def merged(self) -> Sample:
        """The same plots in a single stratum."""
        return Sample(self.y, self.x, self.region, np.full(len(self), "all"))


# ------------------------------------------------------------------------------------------ estimators


class _Strata(NamedTuple):
    """Plots by stratum with area: weight W_h, each plot's stratum ``at`` (n,), number n_h, each plot's W_h / n_h."""

    weight: NDArray[np.float64]
    at: NDArray[np.intp]
    number: NDArray[np.int64]
    each: NDArray[np.float64]
    map_mean: NDArray[np.float64]

    def means(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self.at, v, len(self.weight)) / self.number

    def residual_variance(self, e: NDArray[np.float64]) -> NDArray[np.float64]:
        """s²_h about the strata's own means."""
        return np.bincount(self.at, (e - self.means(e)[self.at]) ** 2, len(self.weight)) / (self.number - 1)

    def spread(self, e: NDArray[np.float64]) -> tuple[float, float]:
        """Variance Σ W_h² s²_h / n_h and its degrees of freedom [Satterthwaite 1946; Cochran 1977, sec. 5.4]."""
        parts = self.weight**2 * self.residual_variance(e) / self.number
        total, fourth = float(parts.sum()), float((parts**2 / (self.number - 1)).sum())
        # Rounding of a perfect map is no variance, and has no degrees of freedom of its own.
        return total, total**2 / fourth if fourth > 0 else float((self.number - 1).sum())


def _strata(sample: Sample, population: Population) -> _Strata:
    """The plots by stratum. Raises InputError for a stratum with fewer than two plots, or a plot in none."""
    keep = population.area_ha > 0
    names = [s for s, k in zip(population.strata, keep, strict=True) if k]
    position = {s: i for i, s in enumerate(names)}
    strange = sorted({str(s) for s in sample.stratum} - set(names))
    if strange:
        raise InputError(
            f"plots lie in the stratum '{strange[0]}' of {_who(population)}, which has no area; check the strata"
        )
    index = np.array([position[str(s)] for s in sample.stratum], np.intp)
    count = np.bincount(index, minlength=len(names))
    if not names or (count < 2).any():
        name = names[int(np.argmin(count))] if names else "all"
        raise InputError(
            f"the stratum '{name}' of {_who(population)} has {int(count.min()) if names else 0} plot(s); a variance takes two: "
            f"merge strata or add plots"
        )
    weight = population.area_ha[keep] / population.area
    return _Strata(weight, index, count, (weight / count)[index], population.map_mean[keep])


def _who(population: Population) -> str:
    return f"region {population.region_id}"


def expansion(sample: Sample, population: Population) -> Estimate:
    """The plots alone, weighted by the strata's areas [Cochran 1977, ch. 5]."""
    s = _strata(sample, population)
    return Estimate(float(s.weight @ s.means(sample.y)), *_root(s.spread(sample.y)))


def difference(sample: Sample, population: Population) -> Estimate:
    """The map's mean plus the plots' mean departure from it [Särndal, Swensson & Wretman 1992, sec. 6.3]."""
    s = _strata(sample, population)
    departure = sample.y - sample.x
    return Estimate(float(s.weight @ (s.map_mean + s.means(departure))), *_root(s.spread(departure)))


def regression(sample: Sample, population: Population) -> Estimate:
    """The generalized regression estimator: an intercept per stratum and one slope [Särndal, Swensson & Wretman 1992, 6.6].

    Where the map is the same at all plots of every stratum there is no slope, and it equals the expansion estimate. Raises
    InputError when there are too few plots for a slope.
    """
    s = _strata(sample, population)
    n, strata = len(sample), len(s.weight)
    if n - strata < 2:
        raise InputError(
            f"{_who(population)} has {n} plots in {strata} strata; a regression takes at least {strata + 2}"
        )
    dx, dy = sample.x - s.means(sample.x)[s.at], sample.y - s.means(sample.y)[s.at]
    sxx = float(s.each @ dx**2)
    if sxx <= 1e-12 * max(1.0, float(np.abs(sample.x).max())) ** 2:
        return expansion(sample, population)
    slope = float(s.each @ (dx * dy)) / sxx
    gap = float(s.weight @ (s.map_mean - s.means(sample.x)))
    mean = float(s.weight @ s.means(sample.y)) + slope * gap
    g = 1 + gap * dx / sxx
    variance, df = s.spread(g * (dy - slope * dx))
    lost = (n - strata) / (n - strata - 1)  # the slope was fitted to these very plots
    return Estimate(mean, *_root((variance * lost, df / lost)), slope)


def overall_ratio(sample: Sample, population: Population) -> Estimate:
    """Plots' mean over map's mean at the plots, over all regions; ``mean`` and ``slope`` are the ratio [Cochran 1977, ch. 6].

    Raises InputError when the map is zero at all plots.
    """
    s = _strata(sample, population)
    x, y = float(s.weight @ s.means(sample.x)), float(s.weight @ s.means(sample.y))
    if x <= 0:
        raise InputError("the map is zero at every plot, so plots and map have no ratio; check the plots' coordinates")
    ratio = y / x
    se, df = _root(s.spread(sample.y - ratio * sample.x))
    return Estimate(ratio, se / x, df, ratio)


def synthetic(ratio: Estimate, population: Population) -> Estimate:
    """The map's mean times the ratio of all regions; the error is the ratio's alone [Rao & Molina 2015, sec. 3.2]."""
    return Estimate(ratio.mean * population.mean, ratio.se * population.mean, ratio.df, ratio.slope)


def _root(spread: tuple[float, float]) -> tuple[float, float]:
    return float(np.sqrt(spread[0])), spread[1]


# ------------------------------------------------------------------------------------------ regions


def populations(account: Account, quantity: str, population: str = "land", stratify: str = "none") -> list[Population]:
    """What the map says of every region and, last, of their union.

    Land of which the map says nothing counts as zero, as it does in the account's totals. Raises InputError for a quantity
    that is no stock of the account, or an unknown population or stratification.
    """
    for given, known, what in ((population, POPULATIONS, "population"), (stratify, STRATIFICATIONS, "stratification")):
        if given not in known:
            raise InputError(f"unknown {what} '{given}'; choose one of {', '.join(known)}")
    if quantity not in BY_KEY:
        raise InputError(
            f"unknown quantity '{quantity}'; choose one of stock_volume, carbon_agb, {TOTAL.key} or another pool"
        )
    keys = list(POOL_KEYS) if quantity == TOTAL.key else [quantity]
    strata = account.strata
    inside = strata[strata["region_id"].isin([r.id for r in account.regions])]
    if inside[keys].isna().to_numpy().all():
        raise InputError(f"the account has no {quantity}; run the assessment with the layers it takes")
    inside = inside.assign(held=inside[keys].sum(axis=1), wood=inside["ecosystem"] == "forest")
    inside = inside[inside["wood"]] if population == "forest" else inside[~inside["ecosystem"].isin(LEFT_OUT)]
    found = []
    for region in (*account.regions, None):
        part = inside if region is None else inside[inside["region_id"] == region.id]
        region_id, name = (TOTAL_REGION, "") if region is None else (region.id, region.name)
        if stratify == "forest" and population == "land":
            parts = {"forest": part[part["wood"]], "other": part[~part["wood"]]}
        else:
            parts = {"all": part}
        area = np.array([float(p["area_ha"].sum()) for p in parts.values()])
        held = np.array([float(p["held"].sum()) for p in parts.values()])
        mean = np.divide(held, area, out=np.zeros_like(held), where=area > 0)
        found.append(Population(region_id, name, tuple(parts), area, mean))
    return found


def estimate_regions(
    sample: Sample,
    regions: Sequence[Population],
    quantity: str = "stock_volume",
    population: str = "land",
    minimum: int = MINIMUM,
) -> pd.DataFrame:
    """Every estimator for every region and for their union, which is the last of ``regions`` (``COLUMNS``).

    The headline of a region is the regression estimate, or the synthetic one where it has fewer than ``minimum`` plots. The
    union is estimated from all plots: as one sample where they are spread over the regions as their areas are, else with the
    regions as strata. Raises InputError when there are too few plots over all.
    """
    if minimum < 5:
        raise InputError(f"--minimum is {minimum}; an estimate of a region's own takes at least 5 plots")
    *each, union = regions
    if len(sample) < 5:
        raise InputError(
            f"only {len(sample)} plots lie on the map's {population}; an estimate takes at least 5, better 30"
        )
    _check_strata(sample, union)
    pooled, whole, uneven = _pooled(sample, each, union)
    ratio = overall_ratio(pooled, whole)
    rows = [row for r in each for row in _region(sample.of(sample.region == r.region_id), r, ratio, minimum)]
    warnings = []
    if len(sample) < minimum:
        warnings.append(f"only {len(sample)} plots in all, fewer than {minimum}: the interval is rough")
    warnings += [w for w in (uneven, _off_strata(pooled, whole)) if w]
    rows += _rows(pooled, whole, "regression", "; ".join(warnings))
    frame = pd.DataFrame(rows)
    frame["quantity"], frame["population"] = quantity, population
    frame["mean_unit"], frame["total_unit"] = BY_KEY[quantity].unit, BY_KEY[quantity].total_unit
    return frame[list(COLUMNS)]


def _check_strata(sample: Sample, union: Population) -> None:
    """Plots must have gone to every part of the population: what was never visited is not known to be empty."""
    for name, area in zip(union.strata, union.area_ha, strict=True):
        count = int((sample.stratum == name).sum())
        if area > _SLIVER * union.area and count < 2:
            mend = "give the plots that were laid out there too, also those with zero, or use --population forest"
            raise InputError(
                f"{count} plot(s) lie in the stratum '{name}', {area / union.area:.1%} of the population; {mend}"
            )


def _region(sample: Sample, region: Population, ratio: Estimate, minimum: int) -> list[dict[str, object]]:
    if not region.area > 0:
        return []
    if len(sample) >= minimum:
        usable = _usable(sample, region)
        if usable is not None and usable[2] != "uncovered":
            plots, area, note = usable
            return _rows(plots, area, "regression", note)
        why = "a part of the region has too few plots"
    else:
        why = f"{len(sample)} plots in the region, fewer than {minimum}"
    warning = (
        f"synthetic: {why}; this is the map times the ratio of plots to map of all regions, and its standard error leaves out "
        f"how this region departs from that ratio"
    )
    return [_row(region, len(sample), "synthetic", synthetic(ratio, region), np.nan, True, warning, sample)]


def _usable(sample: Sample, region: Population) -> tuple[Sample, Population, str]:
    """Plots and strata with two plots or more in each; strata are merged where the thin ones are too small to matter."""
    count = np.array([(sample.stratum == s).sum() for s in region.strata])
    thin = (count < 2) & ((region.area_ha > 0) | (count > 0))
    if not thin.any():
        return sample, region, ""
    expected = len(sample) * region.area_ha / region.area
    if (expected[thin] >= _RARE).any():
        return sample, region, "uncovered"
    names = ", ".join(s for s, t in zip(region.strata, thin, strict=True) if t)
    return sample.merged(), region.merged(), f"not stratified here: too few plots in {names}"


def _rows(sample: Sample, region: Population, headline: str, warning: str) -> list[dict[str, object]]:
    plain = expansion(sample, region)
    found = {"expansion": plain, "difference": difference(sample, region), "regression": regression(sample, region)}
    return [
        _row(region, len(sample), name, e, plain.se, name == headline, warning, sample) for name, e in found.items()
    ]


def _row(
    region: Population, plots: int, name: str, e: Estimate, plain_se: float, headline: bool, warning: str, sample: Sample
) -> dict[str, object]:  # fmt: skip
    low, high = e.interval()
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = float(np.float64(plain_se) ** 2 / np.float64(e.se) ** 2)
    area = region.area
    return {
        "region_id": region.region_id, "region_name": region.region_name, "estimator": name, "headline": headline,
        "plots": plots, "area_ha": area, "mean": e.mean, "mean_se": e.se, "mean_low": low, "mean_high": high,
        "total": e.mean * area, "total_se": e.se * area, "total_low": low * area, "total_high": high * area, "df": e.df,
        "map_mean": region.mean, "map_total": region.mean * area, "slope": e.slope, "efficiency": gain, "warning": warning,
        "plot_mean": float(sample.y.mean()) if plots else np.nan,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------ is it the sample it is taken for


def spread_probability(counts: Sequence[int], areas: Sequence[float]) -> float:
    """Chance that plots thrown at random lie as unevenly as these over areas (Pearson's χ²); 1 where there is nothing to test.

    A systematic sample lies more evenly than a random one, so that a small chance is all the more telling.
    """
    n, a = np.asarray(counts, float), np.asarray(areas, float)
    expected = n.sum() * a / a.sum()
    if len(n) < 2 or (expected < 1).all():
        return 1.0
    # Areas that expect less than one plot are lumped: χ² needs expectations that are not tiny.
    small = expected < 1
    n, expected = (np.append(v[~small], v[small].sum()) if small.any() else v for v in (n, expected))
    from scipy import stats

    keep = expected > 0
    return float(stats.chi2.sf(((n[keep] - expected[keep]) ** 2 / expected[keep]).sum(), max(int(keep.sum()) - 1, 1)))


def _pooled(sample: Sample, each: Sequence[Population], union: Population) -> tuple[Sample, Population, str]:
    """All plots as a sample of the union; with the regions as strata when they have plots out of proportion to their areas."""
    simple, whole, _ = _usable(sample, union)
    with_area = [r for r in each if r.area > 0]
    counts = [int((sample.region == r.region_id).sum()) for r in with_area]
    if spread_probability(counts, [r.area for r in with_area]) >= _UNEVEN:
        return simple, whole, ""
    names = tuple(f"{r.region_id} {s}" for r in with_area for s in r.strata)
    areas, means = (np.concatenate([getattr(r, k) for r in with_area]) for k in ("area_ha", "map_mean"))
    cells = np.char.add(np.char.add(sample.region, " "), sample.stratum)
    held = np.array([int((cells == name).sum()) for name in names])
    if ((held >= 2) | ((areas == 0) & (held == 0))).all() and abs(areas.sum() / union.area - 1) < 1e-9:
        split = Population(union.region_id, union.region_name, names, areas, means)
        note = "plots are spread unevenly over the regions, which are strata of the union"
        return Sample(sample.y, sample.x, sample.region, cells), split, note
    warning = (
        "plots are spread unevenly over the regions, some of which have too few to be strata, so the union is estimated as one "
        "sample in which regions with many plots weigh too much: trust the regions, or give plots of one layout"
    )
    return simple, whole, warning


def _off_strata(sample: Sample, union: Population) -> str:
    """A warning when an unstratified sample sees a map that is not the population's."""
    if len(union.strata) > 1 or len(sample) < 5:
        return ""
    from scipy import stats

    spread = float(sample.x.std(ddof=1)) / np.sqrt(len(sample))
    if spread == 0 or abs(float(sample.x.mean()) - union.mean) <= stats.t.isf(_UNEVEN / 2, len(sample) - 1) * spread:
        return ""
    return (
        f"the map's mean at the plots, {sample.x.mean():.4g}, is far from its mean over the population, {union.mean:.4g}: the "
        f"plots are no random or systematic sample of it; stratify, or check the population"
    )


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """One row per region: the estimate to publish."""
    return table[table["headline"]].reset_index(drop=True)


def sample_of(frame: Mapping[str, NDArray[np.generic]]) -> Sample:
    """Plots from columns ``y``, ``x``, ``region_id`` and, optionally, ``stratum``."""
    y = np.asarray(frame["y"], np.float64)
    stratum = np.asarray(frame["stratum"], np.str_) if "stratum" in frame else np.full(len(y), "all")
    return Sample(y, np.asarray(frame["x"], np.float64), np.asarray(frame["region_id"], np.str_), stratum)
