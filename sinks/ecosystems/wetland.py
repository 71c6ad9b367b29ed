"""Inland wetland: soil from a layer or a table, vegetation where a set has a density.

Soil: set china, 0–100 cm: 311.7 Mg C ha⁻¹ of palustrine wetlands (Ma K. et al. 2015); 0–30 cm in both sets: the
wetland row of IPCC's reference stocks (2019 Refinement, Table 2.3), none for polar zones. Set ipcc has none to 100
cm. Vegetation: set china only, from the range of national stocks of Zheng et al. 2013 over the area implied by Xiao
et al. 2019. Peat below the run's depth, drainage and methane are not counted. A biomass layer is not used: most of
these plants are herbs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon

Array = Any


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The numbers of an inland-wetland stratum, those that the set has for its climate and the run's depth."""
    keys = {"ecosystem": "inland_wetland", "forest_type": stratum.cover.subclass, "climate": stratum.climate}
    values = {}
    if vegetation := parameters.rows("density", "biomass_carbon", **keys):
        values["vegetation"] = vegetation[0].coefficient
        values["root_shoot"] = parameters.find("wetland", "root_shoot", ecosystem="inland_wetland")
    depth = str(options.soil_depth_cm)
    soil = parameters.rows("density", "soc", soil="wetland", depth_cm=depth, **keys)
    if soil and "soc" not in stratum.present:
        values["soil"] = soil[0].coefficient
    return Coefficients(values, method="density")


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹]: the vegetation's carbon split by its root-to-shoot ratio, and soil, a layer's first."""
    found = soil_carbon(values, c)
    if "vegetation" in c:
        found["carbon_agb"] = c["vegetation"] / (1 + c["root_shoot"])
        found["carbon_bgb"] = c["vegetation"] - found["carbon_agb"]
    return found


PLUG = Ecosystem(
    key="inland_wetland",
    name_en="Inland wetland",
    name_zh="内陆湿地",
    classes=(EcosystemClass(10, "inland_wetland", "", "Inland wetland", "内陆湿地", "#4dd0e1"),),
    coefficients=coefficients,
    equations=equations,
    uses=("climate", "soc"),
    about="Soil layer, national density (0–100 cm) or IPCC wetland reference stock (0–30 cm); vegetation of China.",
)
