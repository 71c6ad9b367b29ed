"""Grassland: biomass from a layer of grass biomass, else from published densities; soil from a layer, else a density.

Woody-biomass maps are not valid for grass (their radar and lidar see trees, and they are calibrated on them), so a
biomass layer is left aside here; a layer ``grass_agb`` is not. From it, AGB × carbon fraction, and below ground × the
root-to-shoot ratio: set ipcc IPCC 2006, Vol. 4, Table 6.1 by climate, set china the ratio of the grassland type in Ma et al.
2016, else 6.0, the median of Wang et al. 2014. A ratio above 15 is replaced by 15, because high ones count dead turf.

Without it, densities. Set ipcc: IPCC 2006, Vol. 4, Table 6.4 by climate, carbon fraction 0.47. Set china: Ma et al. 2016,
Table 1, of the grassland type (a layer, or the cover's subclass), else the mean of the six types weighted by area (not the
printed mean, which weights them alike). IPCC's two tables do not agree: in the cold temperate wet zone 2.4 Mg d.m. ha⁻¹
above ground make 13.6 in Table 6.4 and 2.4 × (1 + 4.0) = 12.0 by Table 6.1. So each is used on its own: 6.4 for both pools
where nothing is measured, 6.1 with a measured biomass.

Soil: a layer; else the same study to 100 cm (set china), or IPCC's reference stock of the climate to 30 cm (both sets).
Dead wood is not estimated, litter only where the set has a density.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sinks import biomass
from sinks.densities import BIOMASS, density_carbon, density_coefficients
from sinks.ecosystems.forest import zone_of
from sinks.parameters import Coefficient, ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon, soil_coefficients

Array = Any

GRASS_AGB: Final = "grass_agb"
"""Layer of above-ground biomass of grass [Mg d.m. ha⁻¹]."""


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The ratios or densities of a grassland stratum, those that the set has.

    Raises InputError for an unknown climate zone, and when a grass biomass has no carbon fraction or root ratio.
    """
    values = soil_coefficients(stratum, parameters, options)
    climate = zone_of(stratum.climate)["grass_climate"] if stratum.climate else ""
    kind = stratum.grassland or stratum.cover.subclass
    typed = replace(stratum, cover=replace(stratum.cover, subclass=kind))
    if GRASS_AGB not in stratum.present:
        names = (*BIOMASS, "litter_carbon")
        return Coefficients(values | density_coefficients(typed, parameters, names, climate), method="density")
    values |= density_coefficients(typed, parameters, ("litter_carbon",), climate)
    for part in ("agb", "bgb"):
        values[f"carbon_fraction_{part}"] = parameters.find(
            "carbon_fraction", "carbon_fraction", ecosystem="grassland", component=part
        )
    values["root_shoot"] = _roots(kind, climate, parameters)
    return Coefficients(values, method="grass biomass layer")


def _roots(kind: str, climate: str, parameters: ParameterSet) -> Coefficient:
    ratio = parameters.find("root_shoot", "root_shoot", ecosystem="grassland", ecozone=climate, forest_type=kind)
    cap = parameters.find("choices", "grass_root_shoot_cap")
    return ratio if ratio.value <= cap.value else cap


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹] from "grass_agb" [Mg d.m. ha⁻¹] or densities, and "soc" [Mg C ha⁻¹] of a layer.

    A woody-biomass layer is not used.
    """
    found = soil_carbon(values, c) | density_carbon(c)
    if "root_shoot" not in c:
        return found
    agb = values[GRASS_AGB]
    found["carbon_agb"] = biomass.carbon(agb, c["carbon_fraction_agb"])
    found["carbon_bgb"] = biomass.carbon(biomass.belowground_biomass(agb, c["root_shoot"]), c["carbon_fraction_bgb"])
    return found


PLUG = Ecosystem(
    key="grassland",
    name_en="Grassland",
    name_zh="草地",
    classes=(EcosystemClass(8, "grassland", "", "Grassland", "草地", "#dce775"),),
    coefficients=coefficients,
    equations=equations,
    uses=("climate", "grass_agb", "grassland_type", "soc"),
    about="Biomass of a grass layer, else a density by climate (IPCC) or type (China); soil layer or density.",
)
