"""Inland wetland: soil from a layer or a table, vegetation where a set has a density, and yearly fluxes of undrained peat.

Soil: a layer; else set china, 0–100 cm: 311.7 Mg C ha⁻¹ of palustrine wetlands (Ma K. et al. 2015), peat among them; 0–30
cm in both sets: the wetland row of IPCC's reference stocks (2019 Refinement, Table 2.3), none for polar zones. Set ipcc
has none to 100 cm. Wetland on mineral soil that the legend calls cultivated or rewetted: reference stock × F_LU of the
2013 Wetlands Supplement, Table 5.3, to 30 cm only, for a density of wetlands that stand is not theirs. Peat has no
reference stock; peat below the run's depth is not counted.

Vegetation: set china only, from the range of national stocks of Zheng et al. 2013 over the area implied by Xiao et al.
2019. A biomass layer is not used: most of these plants are herbs.

Fluxes: undrained peat that is not frozen gains what it gained in the Holocene, by region where the legend tells it, only
under ``published_rate`` and where the set has a rate (guidelines have none for unmanaged land). Younger peat gains more,
but loses it again. Methane of rewetted mineral soil by Table 5.4; of other wetland it is not estimated, though it may well
outweigh the sink. Drained and rewetted peat is the business of ``organic``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sinks.organicsoil import ORGANIC, UNDRAINED, domain_of, is_organic, state_of
from sinks.parameters import USER_SCHEME, Coefficient, ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon, soil_coefficients

Array = Any

SUPPLEMENT: Final = "ipcc_2013ws"
_LEVEL: Final = {"cultivated": "cultivated", "rewetted": "rewetted_1_20", "rewetted_21_40": "rewetted_21_40"}
"""Subclass of a legend → level of F_LU in Table 5.3; rewetted without years is taken to be recent."""


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The numbers of an inland-wetland stratum, those that the set has for its climate and the run's depth.

    Raises InputError for an unknown climate zone or drainage.
    """
    keys = {"ecosystem": "inland_wetland", "forest_type": stratum.cover.subclass, "climate": stratum.climate}
    values = _soil(stratum, parameters, options)
    if vegetation := parameters.rows("density", "biomass_carbon", **keys):
        values["vegetation"] = vegetation[0].coefficient
        values["root_shoot"] = parameters.find("wetland", "root_shoot", ecosystem="inland_wetland")
    return Coefficients(values | _fluxes(stratum, parameters, options), method="density")


def _soil(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    organic = is_organic(stratum)
    found = soil_coefficients(replace(stratum, soil=ORGANIC if organic else "wetland"), parameters, options)
    level = _LEVEL.get(stratum.cover.subclass, "")
    if organic or not level:
        return found
    if "soil" in found and found["soil"].tier != USER_SCHEME:  # a density of wetland that stands
        return {}
    factors = parameters.rows(
        "soil_factors", "factor", (SUPPLEMENT,),
        land_use="inland_mineral_wetland", factor="flu", level=level, climate=stratum.climate,
    )  # fmt: skip
    return found | {"flu": factors[0].coefficient} if "soil_reference" in found else found


def _fluxes(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    if options.flux_method == "none":
        return {}
    keys = {"ecosystem": "inland_wetland", "subclass": stratum.cover.subclass}
    if not is_organic(stratum):
        keys["climate"] = domain_of(stratum.climate) if stratum.climate else ""
        methane = parameters.rows("wetland", "ef_ch4", **keys)
        return {"ef_ch4": methane[0].coefficient} if methane else {}
    if options.flux_method != "published_rate" or stratum.permafrost or state_of(stratum)[0] != UNDRAINED:
        return {}
    rate = parameters.rows("wetland", "peat_accumulation", **keys)
    return {"peat_accumulation": rate[0].coefficient} if rate else {}


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹], the sink of peat [Mg C ha⁻¹ yr⁻¹] and methane [kg CH₄ ha⁻¹ yr⁻¹].

    The vegetation's carbon is split by its root-to-shoot ratio; soil is a layer's first.
    """
    found = soil_carbon(values, c)
    if "vegetation" in c:
        found["carbon_agb"] = c["vegetation"] / (1 + c["root_shoot"])
        found["carbon_bgb"] = c["vegetation"] - found["carbon_agb"]
    if "peat_accumulation" in c:
        found["sink_soil"] = c["peat_accumulation"]
    if "ef_ch4" in c:
        found["emission_ch4"] = c["ef_ch4"]
    return found


PLUG = Ecosystem(
    key="inland_wetland",
    name_en="Inland wetland",
    name_zh="内陆湿地",
    classes=(EcosystemClass(10, "inland_wetland", "", "Inland wetland", "内陆湿地", "#4dd0e1"),),
    coefficients=coefficients,
    equations=equations,
    uses=("climate", "soil", "drainage", "soc"),
    about="Soil layer, national density (0–100 cm) or IPCC wetland reference stock (0–30 cm); vegetation and peat of China.",
)
