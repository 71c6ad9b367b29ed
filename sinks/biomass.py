"""Equations that every woody ecosystem shares: biomass to carbon, roots, growth and losses.

Biomass is Mg d.m. ha⁻¹, carbon Mg C ha⁻¹; all functions are elementwise on anything NumPy broadcasts.
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
    found = ratios[-1] + np.zeros(np.shape(agb))
    for ratio, edge in zip(reversed(ratios[:-1]), reversed(edges), strict=True):
        found = np.where(np.asarray(agb) <= edge, ratio, found)
    return found


def belowground_biomass(agb: Array, root_shoot: Array) -> Array:
    """BGB = AGB · R [Mg d.m. ha⁻¹]; R root-to-shoot ratio of stands [1]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.8."""
    return agb * root_shoot


def belowground_biomass_power(agb: Array, coefficient: Array, exponent: Array) -> Array:
    """BGB = k · AGB^p [Mg d.m. ha⁻¹]. Source: Mokany et al. 2006, Glob. Change Biol. 12:84 (k = 0.489, p = 0.89)."""
    return coefficient * np.asarray(agb) ** exponent


# ---------------------------------------------------------------------------- gains and losses
#
# The gain-loss method of IPCC 2006, Vol. 4, Ch. 2. The area A of the guideline is left to the caller: what is given per
# hectare comes out per hectare, what is given as a total comes out as a total. Losses are positive.


def biomass_growth(agb_growth: Array, root_shoot: Array) -> Array:
    """G_TOTAL = G_W · (1 + R) [Mg d.m. ha⁻¹ yr⁻¹], above and below ground.

    agb_growth : G_W, mean yearly growth above ground [Mg d.m. ha⁻¹ yr⁻¹]; root_shoot : R of the growing stand [1].
    Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.10, Tier 1.
    """
    return agb_growth * (1 + root_shoot)


def growth_by_increment(increment: Array, bcef_i: Array, root_shoot: Array) -> Array:
    """G_TOTAL = I_V · BCEF_I · (1 + R) [Mg d.m. ha⁻¹ yr⁻¹].

    increment : I_V, net yearly increment of merchantable volume [m³ ha⁻¹ yr⁻¹]; bcef_i [Mg m⁻³]; root_shoot [1].
    Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.10, Tiers 2 and 3; BCEF_I of Ch. 4, Table 4.5.
    """
    return increment * bcef_i * (1 + root_shoot)


def biomass_gain(growth: Array, carbon_fraction: Array) -> Array:
    """ΔC_G = G_TOTAL · CF [Mg C ha⁻¹ yr⁻¹]; growth : see the two above. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.9."""
    return growth * carbon_fraction


def wood_removal_loss(harvest: Array, bcef_r: Array, root_shoot: Array, carbon_fraction: Array) -> Array:
    """L_wood = H · BCEF_R · (1 + R) · CF [Mg C yr⁻¹]; the roots of felled trees are lost with them.

    harvest : H, roundwood over bark [m³ yr⁻¹]; bcef_r [Mg m⁻³]; root_shoot [1], 0 where roots stay alive;
    carbon_fraction [Mg C (Mg d.m.)⁻¹]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.12.
    """
    return harvest * bcef_r * (1 + root_shoot) * carbon_fraction


def fuelwood_loss(
    trees: Array, parts: Array, bcef_r: Array, root_shoot: Array, wood_density: Array, carbon_fraction: Array
) -> Array:
    """L_fuel = (FG_trees · BCEF_R · (1 + R) + FG_part · D) · CF [Mg C yr⁻¹].

    trees, parts : fuelwood taken as whole trees and as branches of living trees [m³ yr⁻¹]; bcef_r, wood_density
    [Mg m⁻³]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.13.
    """
    return (trees * bcef_r * (1 + root_shoot) + parts * wood_density) * carbon_fraction


def disturbance_loss(area: Array, agb: Array, root_shoot: Array, carbon_fraction: Array, fraction_lost: Array) -> Array:
    """L_disturbance = A · B_W · (1 + R) · CF · fd [Mg C yr⁻¹].

    area : disturbed in a year [ha yr⁻¹]; agb : B_W of what was disturbed [Mg d.m. ha⁻¹]; fraction_lost : fd, the part
    of the biomass that is lost [1], 1 where the stand is replaced. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.14.
    """
    return area * agb * (1 + root_shoot) * carbon_fraction * fraction_lost
