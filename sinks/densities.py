"""Carbon densities of the ecosystems that have no biomass equation: which of a set's tables has one for a stratum."""

from __future__ import annotations

from typing import Any, Final

from sinks.parameters import Coefficient, ParameterSet
from sinks.plug import Coefficients, Stratum

Array = Any

BIOMASS: Final = ("agb_carbon", "bgb_carbon")
DEAD: Final = ("deadwood_carbon", "litter_carbon")
_POOL: Final = {
    "agb_carbon": "carbon_agb",
    "bgb_carbon": "carbon_bgb",
    "deadwood_carbon": "carbon_deadwood",
    "litter_carbon": "carbon_litter",
}
"""Parameter of the density table → pool of the account, both Mg C ha⁻¹."""


def density_coefficients(
    stratum: Stratum, parameters: ParameterSet, names: tuple[str, ...], climate: str = ""
) -> dict[str, Coefficient]:
    """Those of these densities [Mg C ha⁻¹] that a table of the set has for the stratum's ecosystem.

    names : of ``BIOMASS`` and ``DEAD``; climate : the zone as the ecosystem's rows name it, else the stratum's own.
    """
    keys = {
        "ecosystem": stratum.cover.ecosystem,
        "forest_type": stratum.cover.subclass,
        "climate": climate or stratum.climate,
        "soil": stratum.soil,
    }
    rows = {name: parameters.rows("density", name, **keys) for name in names}
    return {name: found[0].coefficient for name, found in rows.items() if found}


def density_carbon(c: Coefficients) -> dict[str, Array]:
    """The pools [Mg C ha⁻¹] of which the stratum has a density."""
    return {pool: c[name] for name, pool in _POOL.items() if name in c}
