"""Grassland: biomass and soil from published densities; a soil layer goes first.

Woody-biomass maps are not valid for grass (their radar and lidar see trees, and they are calibrated on them), so a
biomass layer is left aside here. Set ipcc: IPCC 2006, Vol. 4, Table 6.4 by climate, carbon fraction 0.47. Set china:
Ma et al. 2016, Table 1, mean of its six regions weighted by area (not the printed mean, which weights them alike).
Soil: a layer; else the same study to 100 cm (set china), or IPCC's reference stock of the climate to 30 cm (both
sets). Dead wood is not estimated, litter only where the set has a density.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinks.densities import BIOMASS, density_carbon, density_coefficients
from sinks.ecosystems.forest import zone_of
from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon, soil_coefficients

Array = Any


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The densities of a grassland stratum, those that the set has. Raises InputError for an unknown climate zone."""
    climate = zone_of(stratum.climate)["grass_climate"] if stratum.climate else ""
    density = density_coefficients(stratum, parameters, (*BIOMASS, "litter_carbon"), climate)
    return Coefficients(density | soil_coefficients(stratum, parameters, options), method="density")


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹]: densities, and "soc" [Mg C ha⁻¹] where a layer has it. A biomass layer is not used."""
    return soil_carbon(values, c) | density_carbon(c)


PLUG = Ecosystem(
    key="grassland",
    name_en="Grassland",
    name_zh="草地",
    classes=(EcosystemClass(8, "grassland", "", "Grassland", "草地", "#dce775"),),
    coefficients=coefficients,
    equations=equations,
    uses=("climate", "soc"),
    about="Biomass density of the climate (IPCC) or of China's grassland; soil layer or density. No biomass layer.",
)
