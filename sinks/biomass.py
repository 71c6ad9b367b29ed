"""Equations that every woody ecosystem shares: biomass to carbon, roots, and how a biomass layer is read.

Biomass is Mg d.m. ha⁻¹, carbon Mg C ha⁻¹.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any


def carbon(biomass: Array, carbon_fraction: Array) -> Array:
    """Carbon of a biomass [Mg C ha⁻¹]; carbon_fraction [Mg C (Mg d.m.)⁻¹]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.8."""
    return biomass * carbon_fraction


def root_shoot_ratio(agb: Array, ratios: Sequence[float], edges: Sequence[float]) -> Array:
    """Root-to-shoot ratio by biomass class [1]; a class owns its upper edge.

    ratios : one per class, from light to heavy stands; edges : AGB between the classes [Mg d.m. ha⁻¹], one fewer.
    Source: IPCC 2019 Refinement, Vol. 4, Ch. 4, Table 4.4 (classes ≤ and > 125, boreal ≤ and > 75 Mg d.m. ha⁻¹).
    """
    return np.asarray(ratios)[np.searchsorted(np.asarray(edges, dtype=float), agb, side="left")]


def belowground_biomass(agb: Array, root_shoot: Array) -> Array:
    """BGB = AGB · R [Mg d.m. ha⁻¹]; R root-to-shoot ratio of stands [1]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.8."""
    return agb * root_shoot


def belowground_biomass_power(agb: Array, coefficient: Array, exponent: Array) -> Array:
    """BGB = k · AGB^p [Mg d.m. ha⁻¹]. Source: Mokany et al. 2006, Glob. Change Biol. 12:84 (k = 0.489, p = 0.89)."""
    return coefficient * np.asarray(agb) ** exponent
