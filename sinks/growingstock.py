"""Above-ground biomass ↔ growing stock volume: three published routes.

* IPCC's BCEF_S by growing-stock class [IPCC 2006, Vol. 4, Ch. 4, eq. 2.8b and Table 4.5], read as one continuous rising curve.
* Wood density × biomass expansion factor [IPCC 2003 GPG, eq. 3.2.3].
* The continuous BEF of Fang et al. (2001) and Zhang et al. (2013): B = a·V + b, where B counts the roots too.

All functions are elementwise on NumPy arrays (or anything NumPy broadcasts); biomass is Mg d.m. ha⁻¹, volume m³ ha⁻¹.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
"""A float or an array of floats; every function returns what NumPy makes of it."""


@dataclass(frozen=True)
class VolumeCurve:
    """A continuous, never falling curve of AGB over volume, from class values of BCEF_S.

    volume [m³ ha⁻¹], agb [Mg d.m. ha⁻¹] : nodes, both starting at 0 and never falling. Beyond the last node the last
    BCEF holds. Where the curve is flat a biomass belongs to several volumes, and the lowest is returned.
    """

    volume: tuple[float, ...]
    agb: tuple[float, ...]

    def volume_of(self, agb: Array) -> Array:
        """Growing stock of a stand [m³ ha⁻¹] from its AGB [Mg d.m. ha⁻¹]."""
        return _along(agb, self.agb, self.volume)

    def agb_of(self, volume: Array) -> Array:
        """AGB [Mg d.m. ha⁻¹] of a stand from its growing stock [m³ ha⁻¹]."""
        return _along(volume, self.volume, self.agb)


def _along(x: Array, xs: Sequence[float], ys: Sequence[float]) -> Array:
    """Straight lines between nodes; an interval owns its upper end; past the last node, y/x stays that of the node."""
    px, py = np.asarray(xs), np.asarray(ys)
    right = np.clip(np.searchsorted(px, x, side="left"), 1, len(px) - 1)
    left = right - 1
    run = px[right] - px[left]
    part = np.where(run > 0, (x - px[left]) / np.where(run > 0, run, 1.0), 0.0)
    inside = py[left] + part * (py[right] - py[left])
    return np.where(np.asarray(x) > px[-1], x * (py[-1] / px[-1]), inside)


def bcef_curve(volume_min: Sequence[float], volume_max: Sequence[float], bcef: Sequence[float]) -> VolumeCurve:
    """Turn BCEF_S by growing-stock class into a curve that can be inverted.

    volume_min, volume_max : class edges [m³ ha⁻¹], the last open (inf); bcef : BCEF_S per class [Mg m⁻³].

    BCEF_S falls at each class edge, so AGB = V·BCEF_S(V) jumps down there and one biomass has several volumes. The classes
    are therefore represented by their middle (the open one by 1.5 × its lower edge), and where AGB would still fall from
    one middle to the next, neighbours are pooled by isotonic regression [design; nodes of IPCC 2006 Table 4.5].
    """
    order = np.argsort(volume_min)
    low, high = np.asarray(volume_min)[order], np.asarray(volume_max)[order]
    nodes = np.where(np.isinf(high), 1.5 * low, (low + np.where(np.isinf(high), 0.0, high)) / 2)
    rising = _isotonic(nodes * np.asarray(bcef)[order])
    return VolumeCurve((0.0, *nodes.tolist()), (0.0, *rising))


def _isotonic(values: Sequence[float]) -> list[float]:
    """Least-squares non-decreasing fit with equal weights (pool adjacent violators)."""
    pools: list[list[float]] = []  # [mean, count]
    for value in values:
        pools.append([float(value), 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * count) / (pools[-1][1] + count), pools[-1][1] + count]
    return [mean for mean, count in pools for _ in range(int(count))]


def mean_curve(first: VolumeCurve, second: VolumeCurve) -> VolumeCurve:
    """The curve whose volume is the mean of two curves' volumes at each biomass: for stands of unknown leaf type [design]."""
    agb = np.union1d(first.agb, second.agb)
    volume = (first.volume_of(agb) + second.volume_of(agb)) / 2
    return VolumeCurve(tuple(volume.tolist()), tuple(agb.tolist()))


def volume_by_wood_density(agb: Array, wood_density: Array, bef: Array) -> Array:
    """V = AGB / (D · BEF) [m³ ha⁻¹]; D basic wood density [Mg m⁻³], BEF = AGB / stem biomass [1].

    Source: IPCC 2003 GPG eq. 3.2.3; IPCC 2006, Vol. 4, Ch. 2, footnote to eq. 2.8 (BCEF = D · BEF).
    """
    return agb / (wood_density * bef)


def volume_by_cbef(total_biomass: Array, a: Array, b: Array, chord_volume: Array) -> Array:
    """Growing stock [m³ ha⁻¹] from total living biomass B = a·V + b, roots included [Mg d.m. ha⁻¹].

    a [Mg m⁻³], b [Mg ha⁻¹]; chord_volume [m³ ha⁻¹] : below the biomass of this volume the line is left for the chord to
    the origin, for the regression extrapolates there and would give negative volumes for young stands.
    Source: Fang et al. 2001, Science 292:2320; Zhang et al. 2013; the chord is a design choice of this project.
    """
    foot = a * chord_volume + b
    return np.where(np.asarray(total_biomass) >= foot, (total_biomass - b) / a, total_biomass * (chord_volume / foot))


def biomass_by_cbef(volume: Array, a: Array, b: Array, chord_volume: Array) -> Array:
    """Total living biomass, roots included [Mg d.m. ha⁻¹], from growing stock: the inverse of :func:`volume_by_cbef`."""
    foot = a * chord_volume + b
    return np.where(np.asarray(volume) >= chord_volume, a * volume + b, volume * (foot / chord_volume))
