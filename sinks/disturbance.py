"""Loss of coastal carbon on conversion: what is released over the years, and what is dug out at once.

A scenario engine, equivalent to InVEST Coastal Blue Carbon: stocks grow by a constant yearly amount; on a change of class a
part of each pool is disturbed, and that part is released with a half-life. All functions are elementwise on anything NumPy
broadcasts; stocks are Mg C ha⁻¹.

As there: a further change of class ends the release of an earlier one; a pool may grow only until its first change (litter);
what is disturbed at a change is a part of the stock at that time, of which what was disturbed before and has not been
released yet is still a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.errors import InputError
from sinks.parameters import Coefficient, ParameterSet

Array = Any

# ---------------------------------------------------------------------------- equations


def _left(years: Array, half_life: Array) -> Array:
    """Part that is left after some years [1]; a half-life of 0 leaves nothing after the moment itself."""
    years, half_life = np.asarray(years, dtype=np.float64), np.asarray(half_life, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        left = np.power(0.5, years / half_life)
    return np.where(half_life > 0, left, np.where(years > 0, 0.0, 1.0))


def released_in(disturbed: Array, since: Array, half_life: Array) -> Array:
    """Released in one year [Mg C ha⁻¹ yr⁻¹]: D · (0.5^(n/H) − 0.5^((n+1)/H)).

    disturbed : D [Mg C ha⁻¹]; since : n, whole years since the disturbance, 0 in its own year; half_life : H [yr]. Source:
    InVEST User's Guide, Coastal Blue Carbon, eq. of emissions.
    """
    return released_between(disturbed, since, np.asarray(since) + 1, half_life)


def released_between(disturbed: Array, start: Array, end: Array, half_life: Array) -> Array:
    """Released from one to another time [Mg C ha⁻¹]: D · (0.5^(start/H) − 0.5^(end/H)); times in years since the disturbance.

    From the start, after n years: D · (1 − 0.5^(n/H)). See :func:`released_in`.
    """
    return np.asarray(disturbed) * (_left(start, half_life) - _left(end, half_life))


def disturbed_mass(stock: Array, fraction: Array) -> Array:
    """What a disturbance will release in the end [Mg C ha⁻¹]: stock · fraction [1]. Source: InVEST User's Guide."""
    return stock * fraction


def extracted_carbon(biomass: Array, dead: Array, soil: Array) -> Array:
    """Lost at once by excavation, as for ponds and salt pans [Mg C ha⁻¹]: biomass, dead matter and soil to 1 m.

    Source: 2013 Wetlands Supplement, ch. 4, extraction (Tier 1: all of it, to 1 m).
    """
    return biomass + dead + soil


# ---------------------------------------------------------------------------- a scenario


@dataclass(frozen=True)
class Pool:
    """One pool of every class of a scenario; the arrays have one entry per class.

    initial : stock at the start [Mg C ha⁻¹]; accumulation [Mg C ha⁻¹ yr⁻¹]; half_life : of what is disturbed, by the class
    that was there before [yr]; disturbed : (from, to) part that a change of class disturbs [1]; grows_after_change :
    whether a pixel that has changed class accumulates (not so the litter of InVEST).
    """

    initial: Array
    accumulation: Array
    half_life: Array
    disturbed: Array
    grows_after_change: bool = True


def net_sequestration(
    landcover: Sequence[NDArray[np.integer[Any]]], years: Sequence[int], pools: Mapping[str, Pool]
) -> list[NDArray[np.float64]]:
    """Carbon gained less carbon released in each period [Mg C ha⁻¹], negative = loss.

    Parameters
    ----------
    landcover : one array of class numbers (0 … classes − 1) per snapshot, all of one shape; years : the year of each
    snapshot, rising, and the last year of the analysis; pools : by name.

    Raises InputError when years and snapshots do not fit, or a class number has no entry in a pool.
    """
    covers = [np.asarray(cover) for cover in landcover]
    _require_fit(covers, years, pools)
    total = [np.zeros(covers[0].shape) for _ in covers]
    for pool in pools.values():
        for n, gained in enumerate(_pool(covers, years, pool)):
            total[n] += gained
    return total


def _pool(covers: Sequence[NDArray], years: Sequence[int], pool: Pool) -> list[NDArray[np.float64]]:
    """Net gain of one pool in each period."""
    initial, accumulation, half_life, disturbed = (
        np.asarray(a, dtype=np.float64) for a in (pool.initial, pool.accumulation, pool.half_life, pool.disturbed)
    )
    stock = initial[covers[0]]
    rate = accumulation[covers[0]]
    mass, half, since = np.zeros_like(stock), np.ones_like(stock), np.zeros_like(stock)
    gains = []
    for n, (start, end) in enumerate(pairwise(years)):
        if n:
            before, now = covers[n - 1], covers[n]
            changed = before != now
            mass = np.where(changed, disturbed_mass(stock, disturbed[before, now]), mass)
            half = np.where(changed, half_life[before], half)
            since = np.where(changed, 0.0, since)
            grown = accumulation[now] if pool.grows_after_change else 0.0
            rate = np.where(changed, grown, rate)
        span = end - start
        gain = rate * span - released_between(mass, since, since + span, half)
        stock, since = stock + gain, since + span
        gains.append(gain)
    return gains


def _require_fit(covers: Sequence[NDArray], years: Sequence[int], pools: Mapping[str, Pool]) -> None:
    if len(years) != len(covers) + 1 or not covers:
        raise InputError(
            f"{len(covers)} land-cover maps need {len(covers) + 1} years (one each, and the last year of the analysis), "
            f"but {len(years)} are given"
        )
    if any(later <= earlier for earlier, later in pairwise(years)):
        raise InputError(f"the years of a scenario must rise, but they are {', '.join(map(str, years))}")
    if len({cover.shape for cover in covers}) > 1:
        raise InputError("the land-cover maps of a scenario must have one shape; align them first")
    last = max((int(cover.max(initial=0)) for cover in covers), default=0)
    first = min((int(cover.min(initial=0)) for cover in covers), default=0)
    for name, pool in pools.items():
        classes = len(np.asarray(pool.initial))
        if first < 0 or last >= classes:
            wrong = first if first < 0 else last
            raise InputError(f"the pool {name} knows the classes 0 to {classes - 1}, but a map has {wrong}")


def disturbance(ecosystem: str, pool: str, impact: str, parameters: ParameterSet) -> dict[str, Coefficient]:
    """Disturbed part [1] and half-life [yr] of a pool, "biomass" or "soil", under low, medium or high impact.

    Raises InputError where the set has none (the soil of seagrass has no published part).
    """
    keys = {"ecosystem": ecosystem, "pool": pool, "impact": impact}
    return {name: parameters.find("coast_disturbance", name, **keys) for name in ("disturbed_fraction", "half_life")}
