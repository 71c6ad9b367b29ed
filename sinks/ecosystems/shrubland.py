"""Shrubland: biomass carbon from a biomass layer with roots of shrubs, soil from a layer or a table; never a volume.

Biomass × carbon fraction and × root-to-shoot ratio: IPCC 2006, Vol. 4, Ch. 2, eq. 2.8. The ratio is 2.8 in set ipcc (IPCC
2006, Vol. 4, Table 6.1, shrubland, with a 2-sd error of 144 %) and 0.73 in set china (Wang et al. 2014, median of Chinese
stands): the guideline's is that of dry rangeland and overstates the roots of tall shrub. The world's shrubs have 0.887 (Ma
et al. 2021: 47 % below ground).

Without a biomass value the set's density is taken where it has one (set china: Tang et al. 2018; set china_guide: special
shrub), else biomass is not estimated: no guideline gives a confirmed density of shrubland by climate zone. A volume layer
says nothing of shrubs, which have no growing stock. Dead wood is not estimated, litter only where the set has a density.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinks import biomass
from sinks.densities import BIOMASS, density_carbon, density_coefficients
from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon, soil_coefficients

Array = Any


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """Every number of a shrubland stratum. Raises InputError when a carbon fraction or root ratio lacks."""
    values = soil_coefficients(stratum, parameters, options)
    values |= density_coefficients(stratum, parameters, ("litter_carbon",))
    if options.biomass not in stratum.present or options.biomass == "volume":
        density = density_coefficients(stratum, parameters, BIOMASS)
        return Coefficients(values | density, method="density" if density else "no biomass value")
    for part in ("agb", "bgb"):
        values[f"carbon_fraction_{part}"] = parameters.find(
            "carbon_fraction", "carbon_fraction", ecosystem="shrubland", component=part
        )
    values["root_shoot"] = parameters.find("root_shoot", "root_shoot", ecosystem="shrubland")
    return Coefficients(values, method="biomass layer")


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹] from "agb" [Mg d.m. ha⁻¹] or "agc" [Mg C ha⁻¹], and "soc" [Mg C ha⁻¹] of a layer."""
    found = soil_carbon(values, c) | density_carbon(c)
    if "root_shoot" not in c:
        return found
    agb = values["agb"] if "agb" in values else values["agc"] / c["carbon_fraction_agb"]
    found["carbon_agb"] = biomass.carbon(agb, c["carbon_fraction_agb"])
    found["carbon_bgb"] = biomass.carbon(biomass.belowground_biomass(agb, c["root_shoot"]), c["carbon_fraction_bgb"])
    return found


PLUG = Ecosystem(
    key="shrubland",
    name_en="Shrubland",
    name_zh="灌丛",
    classes=(EcosystemClass(7, "shrubland", "", "Shrubland", "灌丛", "#a1887f"),),
    coefficients=coefficients,
    equations=equations,
    uses=("biomass", "climate", "soc"),
    about="Biomass carbon from a biomass layer and shrub root-to-shoot ratio, else a density; soil; no growing stock.",
)
