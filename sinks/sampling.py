"""Area and accuracy from a sample of reference labels: what a map's pixel count cannot say, with its interval.

Points are drawn at random within strata of known area A_h; each carries the class that the map gives it and the class that
it is (the reference). With W_h = A_h / A and z any number per point (1 where the reference is forest, 0 elsewhere):

    mean      Ẑ = Σ W_h z̄_h                            [Stehman 2014, eq. 2; Olofsson et al. 2014, eq. 9]
    variance  V = Σ W_h² s²_h / n_h                     [Stehman 2014, eq. 25; Olofsson et al. 2014, eq. 10]
    ratio     R̂ = Ŷ / X̂, V = V(y − R̂ x) / X̂²          [Stehman 2014, eq. 28; Olofsson et al. 2014, eq. 6–7]

User's accuracy is the ratio with y = 1 where map and reference are both k, x = 1 where the map is k; producer's accuracy has
x = 1 where the reference is k. Where strata are the map's classes these are Olofsson's equations to the last bit; where they
are not (another map, merged classes) they still hold, and Olofsson's do not.

A simple random sample may be put into strata afterwards (post-stratification): the mean is the same, the variance is
Σ W_h s²_h / n + Σ (1 − W_h) s²_h / n² [Cochran 1977, eq. 5A.42]. Left in one stratum it is s² / n.

Intervals take the normal quantile when every stratum has 30 points, else Student's t with Satterthwaite's degrees of freedom
[Cochran 1977, eq. 5.16]. No finite population correction: pixels are many. Areas, of strata and of the map, count as known.

- Olofsson, P., Foody, G.M., Herold, M., Stehman, S.V., Woodcock, C.E. & Wulder, M.A. 2014. Good practices for estimating area
  and assessing accuracy of land change. Remote Sens. Environ. 148:42–57.
- Stehman, S.V. 2014. Estimating area and map accuracy for stratified random sampling when the strata are different from the
  map classes. Int. J. Remote Sens. 35:4923–4939.
- Cochran, W.G. 1977. Sampling Techniques, 3rd ed. Wiley.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks.errors import InputError

DESIGNS: Final = ("stratified", "poststratified", "random")
CONFIDENCE: Final = 0.95
MANY: Final = 30
"""Points of every stratum from which on the normal quantile is taken."""
SETTLED: Final = 0.95
"""Probability at which a target counts as reached, or 1 − it as missed."""
ALL: Final = "all"

CLASS_COLUMNS: Final = (
    "class", "mapped_area_ha", "area_ha", "area_se_ha", "area_low_ha", "area_high_ha", "share", "share_se", "points_mapped",
    "points_reference", "users_accuracy", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se",
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A number from a sample with its standard error, both in the same unit.

    df : degrees of freedom of the interval, infinite for the normal one; first, second : the parts of the variance that fall
    with the number of points and with its square.
    """

    value: float
    se: float
    df: float = math.inf
    first: float = math.nan
    second: float = 0.0

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Half the confidence interval."""
        return _quantile(0.5 + confidence / 2, self.df) * self.se

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Limits, symmetric about the value."""
        half = self.half_width(confidence)
        return self.value - half, self.value + half

    def probability(self, at_least: float) -> float:
        """P(truth ≥ at_least) under a flat prior [1]: normal, or Student's t where a stratum has few points.

        It is conditional on the sample, the design and the reference labels being right.
        """
        if not self.se > 0:
            return math.nan if math.isnan(self.value) else float(self.value >= at_least)
        from scipy import stats  # dear to import, and most runs have no sample

        distance = (self.value - at_least) / self.se
        return float(stats.norm.cdf(distance) if math.isinf(self.df) else stats.t.cdf(distance, self.df))

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        return Estimate(
            self.value * factor, self.se * abs(factor), self.df, self.first * factor**2, self.second * factor**2
        )


def _quantile(probability: float, df: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf(probability) if math.isinf(df) else stats.t.ppf(probability, df))


@dataclass(frozen=True)
class SampleEstimate:
    """A sample with the areas of its strata, and what follows. Made by ``estimate``.

    strata, area_ha, points : (strata,) name, area [ha], number of points; classes : labels of rows (map) and columns
    (reference) of the error matrix; stratum, mapped, reference : (points,) indices into these; mapped_area_ha : (classes,)
    area of each class on the map [ha], NaN where it was not given and strata are not map classes.
    """

    design: str
    strata: tuple[str, ...]
    area_ha: NDArray[np.float64]
    classes: tuple[str, ...]
    stratum: NDArray[np.int64]
    mapped: NDArray[np.int64]
    reference: NDArray[np.int64]
    mapped_area_ha: NDArray[np.float64]

    @cached_property
    def points(self) -> NDArray[np.int64]:
        """Points of each stratum (strata,)."""
        return np.bincount(self.stratum, minlength=len(self.strata))

    @property
    def total_ha(self) -> float:
        """Area of the population [ha]."""
        return float(self.area_ha.sum())

    @property
    def degrees_of_freedom(self) -> int:
        """Points less strata."""
        return int(self.points.sum()) - len(self.strata)

    # ------------------------------------------------------------------ the error matrix

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Points by map class (rows) and reference class (columns) (classes, classes)."""
        return self._crossed(None).astype(np.int64)

    @cached_property
    def proportions(self) -> NDArray[np.float64]:
        """The same as shares of the area (classes, classes); they add up to 1. Olofsson et al. 2014, eq. 4."""
        return self._crossed((self.area_ha / self.total_ha / self.points)[self.stratum])

    def _crossed(self, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
        k = len(self.classes)
        cells = np.bincount(self.mapped * k + self.reference, weights, k * k)
        return cells.astype(np.float64).reshape(k, k)

    # ------------------------------------------------------------------ estimates

    def combination(self, weights: Mapping[str, float]) -> Estimate:
        """Area of Σ weight · reference class [ha]: a union has weights of 1, a share of a class counts in part.

        The weights go onto the points before the variance, for the areas of two classes of one sample are correlated: standard
        errors of classes must not be added, nor their squares. Raises InputError for a class that is none.
        """
        worth = np.zeros(len(self.classes))
        for label, weight in weights.items():
            worth[self._index(label)] = weight
        return self._mean(worth[self.reference]).times(self.total_ha)

    def union(self, classes: Sequence[str]) -> Estimate:
        """Area of several reference classes together [ha]."""
        return self.combination(dict.fromkeys(classes, 1.0))

    def area(self, label: str) -> Estimate:
        """Area of one reference class [ha]. Olofsson et al. 2014, eq. 9–11."""
        return self.union([label])

    def probability(self, classes: Sequence[str], at_least_ha: float) -> float:
        """P(area of these classes ≥ at_least_ha) [1]."""
        return self.union(classes).probability(at_least_ha)

    @cached_property
    def overall(self) -> Estimate:
        """Share of the area that the map has right [1]."""
        return self._mean((self.mapped == self.reference).astype(float))

    def users(self, label: str) -> Estimate:
        """Share of a class on the map that is right [1]; NaN where no point lies on it."""
        k = self._index(label)
        return self._ratio((self.mapped == k) & (self.reference == k), self.mapped == k)

    def producers(self, label: str) -> Estimate:
        """Share of a class on the ground that the map has [1]; NaN where no point has it."""
        k = self._index(label)
        return self._ratio((self.mapped == k) & (self.reference == k), self.reference == k)

    def unseen_below_ha(self, confidence: float = CONFIDENCE) -> float:
        """Largest area of a class of which no point was found [ha], where an interval of 0 ± 0 says nothing.

        The most that Σ A_h p_h can be while the chance to miss it, Π (1 − p_h)^n_h, is still 1 − confidence; with one stratum
        A (1 − (1 − confidence)^(1/n)), the rule of three.
        """
        bound = -math.log(1 - confidence)
        rate = np.log(self.area_ha / self.points)

        def spent(level: float) -> float:
            return float(self.points @ np.maximum(0.0, rate - level))

        # Chance is best spent where a point stands for most area, down to one level for all strata [Lagrange].
        low, high = float(rate.max()) - bound, float(rate.max())
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if spent(middle) > bound else (low, middle)
        return float(self.area_ha @ -np.expm1(-np.maximum(0.0, rate - high)))

    def table(self) -> pd.DataFrame:
        """Every class on a row (``CLASS_COLUMNS``); limits are kept within 0 and the whole area.

        The upper limit of a class that no point has is ``unseen_below_ha``.
        """
        rows: list[tuple[Any, ...]] = []
        for k, label in enumerate(self.classes):
            area, users, producers = self.area(label), self.users(label), self.producers(label)
            low, high = area.interval()
            if not self.counts[:, k].any():
                high = self.unseen_below_ha()
            rows.append((
                label, self.mapped_area_ha[k], area.value, area.se, max(0.0, low), min(self.total_ha, high),
                area.value / self.total_ha, area.se / self.total_ha, int(self.counts[k].sum()),
                int(self.counts[:, k].sum()), users.value, users.se, producers.value, producers.se,
            ))  # fmt: skip
        return pd.DataFrame(rows, columns=list(CLASS_COLUMNS))

    def _index(self, label: str) -> int:
        if label not in self.classes:
            raise InputError(f"the sample has no class '{label}'{hint(label, self.classes)}")
        return self.classes.index(label)

    def _mean(self, z: NDArray[np.float64]) -> Estimate:
        """Mean over the area of a number per point (points,), with the variance of the design."""
        n = self.points
        w = self.area_ha / self.total_ha
        means = np.bincount(self.stratum, z, len(n)) / n
        s2 = np.bincount(self.stratum, (z - means[self.stratum]) ** 2, len(n)) / (n - 1)
        if self.design == "stratified":
            first, second = w**2 * s2 / n, np.zeros(len(n))
        else:
            first, second = w * s2 / n.sum(), (1 - w) * s2 / n.sum() ** 2
        parts = first + second
        variance = float(parts.sum())
        if (n >= MANY).all():
            df = math.inf
        else:
            df = variance**2 / float((parts**2 / (n - 1)).sum()) if variance > 0 else float(self.degrees_of_freedom)
        return Estimate(float(w @ means), math.sqrt(variance), df, float(first.sum()), float(second.sum()))

    def _ratio(self, y: NDArray[np.bool_], x: NDArray[np.bool_]) -> Estimate:
        below = self._mean(x.astype(float)).value
        if not below > 0:
            return Estimate(math.nan, math.nan)
        ratio = self._mean(y.astype(float)).value / below
        residual = self._mean(y - ratio * x).times(1 / below)
        return Estimate(ratio, residual.se, residual.df, residual.first, residual.second)


def hint(label: str, known: Sequence[str]) -> str:
    """; did you mean …, or the known labels."""
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(str(label).lower(), lowered, n=1)
    return f"; did you mean '{lowered[close[0]]}'?" if close else f"; known: {', '.join(known)}"


def estimate(
    mapped: Sequence[str] | NDArray[Any],
    reference: Sequence[str] | NDArray[Any],
    area_ha: Mapping[str, float],
    *,
    stratum: Sequence[str] | NDArray[Any] | None = None,
    design: str = "stratified",
    classes: Sequence[str] | None = None,
    mapped_area_ha: Mapping[str, float] | None = None,
) -> SampleEstimate:
    """Put a sample together with the areas of its strata.

    mapped, reference, stratum : (points,) labels; the stratum is the map class where it is not given. area_ha : of every
    stratum [ha], true area and not a number of pixels. classes : labels in order, all of both where not given.
    design : "stratified", "poststratified" (a simple random sample, put into strata afterwards) or "random" (strata unused).
    Raises InputError for labels that are no class, a stratum that has area and no points, or fewer than two.
    """
    if design not in DESIGNS:
        raise InputError(f"there is no sampling design '{design}'{hint(design, DESIGNS)}")
    maps, refs = [str(m) for m in mapped], [str(r) for r in reference]
    within = maps if stratum is None else [str(s) for s in stratum]
    if not len(maps) == len(refs) == len(within):
        raise InputError(
            f"the sample has {len(maps)} map classes, {len(refs)} reference labels and {len(within)} strata; give one of "
            f"each for every point"
        )
    areas = {str(k): float(v) for k, v in area_ha.items() if v != 0}
    bad = [k for k, v in areas.items() if not (math.isfinite(v) and v > 0)]
    if bad or not areas:
        what = f"stratum '{bad[0]}' has the area {areas[bad[0]]:g} ha" if bad else "no stratum has an area"
        raise InputError(f"{what}; give the true area of every stratum in hectares")
    if classes is None:
        of_map = [k for k in areas if k in set(maps)] if stratum is None else []
        classes = [*of_map, *sorted({*maps, *refs} - set(of_map))]
    known = list(classes)
    on_map = dict(areas if stratum is None and mapped_area_ha is None else mapped_area_ha or {})
    if design == "random":
        areas, within = {ALL: sum(areas.values())}, [ALL] * len(maps)
    _enough(within, areas, design)
    names = list(areas)
    return SampleEstimate(
        design, tuple(names), np.array([areas[s] for s in names]), tuple(known), _coded(within, names, "stratum"),
        _coded(maps, known, "map class"), _coded(refs, known, "reference label"),
        np.array([on_map.get(k, 0.0 if on_map else math.nan) for k in known]),
    )  # fmt: skip


def _coded(labels: Sequence[str], known: Sequence[str], what: str) -> NDArray[np.int64]:
    index = {k: i for i, k in enumerate(known)}
    for label in labels:
        if label not in index:
            raise InputError(f"'{label}' is no {what} of this sample{hint(label, known)}")
    return np.array([index[label] for label in labels], np.int64)


def _enough(within: Sequence[str], areas: Mapping[str, float], design: str) -> None:
    """Raise unless every stratum with area has two points, and every point a stratum with area."""
    found: dict[str, int] = dict.fromkeys(areas, 0)
    for s in within:
        if s not in found:
            raise InputError(
                f"a point lies in stratum '{s}', which has no area{hint(s, tuple(areas))}; give every stratum its area"
            )
        found[s] += 1
    few = {s: n for s, n in found.items() if n < 2}
    if few:
        told = ", ".join(f"{s} ({n})" for s, n in few.items())
        mend = {
            "stratified": "label more points there, or merge the stratum with another one",
            "poststratified": "merge the classes, or estimate with the random design",
            "random": "label more points",
        }[design]
        raise InputError(
            f"a stratum needs at least 2 labelled points for a variance, and these have fewer: {told}; {mend}"
        )


# ------------------------------------------------------------------------------------------ what follows from an area


def more_points(found: Estimate, points: int, threshold: float, settled: float = SETTLED) -> float:
    """How many more points would settle whether the truth is at least the threshold, if the estimate stays where it is.

    points : that the estimate rests on; the allocation to strata stays. Settled is P ≥ ``settled`` or P ≤ 1 − ``settled``.
    0 where it is settled already, infinite where the estimate lies on the threshold, NaN where there is no estimate.
    """
    gap = abs(found.value - threshold)
    if not math.isfinite(found.se) or math.isnan(gap):
        return math.nan
    chance = found.probability(threshold)
    if chance >= settled or chance <= 1 - settled:
        return 0.0
    if gap == 0:
        return math.inf
    # q² (first / f + second / f²) = gap², f times as many points; the quantile of today errs on the side of more points.
    first = found.se**2 if math.isnan(found.first) else found.first
    q = (_quantile(settled, found.df) / gap) ** 2
    b, c = q * first, q * found.second
    return float(max(1, math.ceil(points * ((b + math.sqrt(b * b + 4 * c)) / 2 - 1) - 1e-9)))


def product(density: float, density_se: float, area: Estimate) -> Estimate:
    """Volume or carbon of a corrected area: density per hectare of the mapped class × area.

    The variance is that of a product of two independent numbers, x² V(y) + y² V(x) + V(x) V(y) [Goodman 1960, J. Am. Stat.
    Assoc. 55:708, eq. 2]. density_se : NaN where it is not known, and then only the area's error is told.

    Assumption [design]: forest that the map leaves out holds as much per hectare as forest on the map, and what the map wrongly
    calls forest holds the same as the rest of it. Omitted forest is often sparse or young: then this is too much.
    """
    if not math.isfinite(density):
        return Estimate(math.nan, math.nan)
    vx = 0.0 if math.isnan(density_se) else density_se**2
    vy = area.se**2
    return Estimate(
        density * area.value, math.sqrt(density**2 * vy + area.value**2 * vx + vx * vy), area.df
    )  # fmt: skip
