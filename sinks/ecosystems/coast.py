"""Coast: mangrove, salt marsh and seagrass.

Mangrove, set ipcc: AGB of a layer, else of the climate (2013 Wetlands Supplement, Table 4.3), × 0.451; roots by Table
4.5; dead wood and litter of Table 4.7; soil to 1 m of Table 4.11: 286 on mineral soil, 386 where the soil is not
known or organic (Table 4.11's organic row could not be confirmed).

Mangrove, set china: soil and roots together are BGC = 1.58 AGC + 81.06 Mg C ha⁻¹ (122 Chinese sites of 12 to 150 Mg C
ha⁻¹ above ground, R² 0.62; beyond these the line is used as it is). AGC is a layer's; without one it is what makes
AGC + BGC the published 190.96 Mg C ha⁻¹ (Alongi 2021). Roots are AGC × R of Table 4.5 and soil is the rest of BGC
[our split], so that above ground, roots and soil add up to the published total. Dead wood and litter are within that
total, and not given apart.

Salt marsh: soil to 1 m, IPCC 255, China 44.1 (mean of Chongming's three communities, 7 to 105 on the east coast) or
that of the plant named by the legend; biomass only of Spartina in set china. Seagrass: soil to 1 m of Table 4.11
(108); Chinese cores end at 50 cm and lie lower, and are not used, for depths are never mixed.

All soil densities here reach 100 cm: at 30 cm soil is not estimated unless a layer gives it. IPCC's reference stocks
of upland soils are not used on coasts. A volume layer is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.densities import BIOMASS, DEAD, density_carbon, density_coefficients
from sinks.ecosystems.forest import zone_of
from sinks.parameters import Coefficient, ParameterSet, Row
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon

Array = Any

REGRESSION_DEPTH_CM: Final = 100
"""Depth to which the regression's soil is taken to reach [design]; the abstract does not state it."""
_MINERAL: Final = ("mineral", "HAC", "LAC", "sandy", "spodic", "volcanic", "wetland")
_UNKNOWN_SOIL: Final = "unknown"


def _soil_rows(stratum: Stratum, parameters: ParameterSet, options: Options) -> list[Row]:
    soil = "mineral" if stratum.soil in _MINERAL else stratum.soil or _UNKNOWN_SOIL
    return parameters.rows(
        "density", "soc", ecosystem=stratum.cover.ecosystem, forest_type=stratum.cover.subclass,
        climate=stratum.climate, soil=soil, depth_cm=str(options.soil_depth_cm),
    )  # fmt: skip


def _soil(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    if "soc" in stratum.present:
        return {}
    rows = _soil_rows(stratum, parameters, options)
    return {"soil": rows[0].coefficient} if rows else {}


# ---------------------------------------------------------------------------- mangrove


def belowground_carbon(agc: Array, slope: Array, intercept: Array) -> Array:
    """BGC of soil and roots [Mg C ha⁻¹] from above-ground carbon [Mg C ha⁻¹]: BGC = slope · AGC + intercept.

    Mangroves of China, 2021 (Carbon Balance and Management): 1.58, 81.06 Mg C ha⁻¹.
    """
    return agc * slope + intercept


def aboveground_carbon_of_total(total: Array, slope: Array, intercept: Array) -> Array:
    """AGC [Mg C ha⁻¹] of a mangrove whose AGC + BGC is ``total`` [Mg C ha⁻¹]: see :func:`belowground_carbon`."""
    return (total - intercept) / (1 + slope)


def mangrove_coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """Every number of a mangrove stratum. Raises InputError when its carbon fraction or root ratio is missing."""
    climate = zone_of(stratum.climate)["mangrove_climate"] if stratum.climate else ""
    values = {
        "carbon_fraction": parameters.find("carbon_fraction", "carbon_fraction", ecosystem="mangrove", component="agb"),
        "root_shoot": parameters.find("root_shoot", "root_shoot", ecosystem="mangrove", ecozone=climate),
    }
    layer = options.biomass != "volume" and options.biomass in stratum.present
    if parameters.has("coast", "bgc_slope", ecosystem="mangrove"):
        return _regression(stratum, parameters, options, values, layer)
    if not layer:
        values["agb"] = parameters.find("density", "agb", ecosystem="mangrove", climate=climate)
    values |= density_coefficients(stratum, parameters, DEAD, climate) | _soil(stratum, parameters, options)
    return Coefficients(values, method="biomass layer" if layer else "biomass of the climate")


def _regression(
    stratum: Stratum, parameters: ParameterSet, options: Options, values: dict[str, Coefficient], layer: bool
) -> Coefficients:
    """Soil and roots by the regression. A user's own soil density, known by having no scheme, goes before it."""
    names = ("bgc_slope", "bgc_intercept")
    line = {name: parameters.find("coast", name, ecosystem="mangrove") for name in names}
    if not layer:
        values |= {"total": parameters.find("density", "total_carbon", ecosystem="mangrove"), **line}
    if "soc" not in stratum.present:
        rows = _soil_rows(stratum, parameters, options)
        if rows and "scheme" not in rows[0].keys:
            values["soil"] = rows[0].coefficient
        elif options.soil_depth_cm == REGRESSION_DEPTH_CM:
            values |= {"soil_by_regression": line["bgc_slope"], **line}
    return Coefficients(values, method="soil and roots by regression")


def mangrove_equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹] from "agb" [Mg d.m. ha⁻¹] or "agc" [Mg C ha⁻¹] and "soc" [Mg C ha⁻¹] of layers."""
    if "total" in c:
        agc = aboveground_carbon_of_total(c["total"], c["bgc_slope"], c["bgc_intercept"])
    elif "agb" in c:
        agc = c["agb"] * c["carbon_fraction"]
    else:
        agc = values["agb"] * c["carbon_fraction"] if "agb" in values else values["agc"]
    found = soil_carbon(values, c) | density_carbon(c)
    found["carbon_agb"] = agc
    found["carbon_bgb"] = agc * c["root_shoot"]
    if "soil_by_regression" in c:
        found["carbon_soil"] = belowground_carbon(agc, c["bgc_slope"], c["bgc_intercept"]) - found["carbon_bgb"]
    return found


# ---------------------------------------------------------------------------- salt marsh and seagrass


def meadow_coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The densities of a salt marsh or seagrass stratum, those that the set has for its plants and the run's depth."""
    values = density_coefficients(stratum, parameters, (*BIOMASS, *DEAD))
    return Coefficients(values | _soil(stratum, parameters, options), method="density")


def meadow_equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹]: densities, and "soc" [Mg C ha⁻¹] where a layer has it. A biomass layer is not used."""
    return soil_carbon(values, c) | density_carbon(c)


PLUG = (
    Ecosystem(
        key="mangrove",
        name_en="Mangrove",
        name_zh="红树林",
        classes=(EcosystemClass(11, "mangrove", "", "Mangrove", "红树林", "#00695c"),),
        coefficients=mangrove_coefficients,
        equations=mangrove_equations,
        uses=("biomass", "climate", "soc"),
        about="Above ground from a layer or table, roots by climate, dead matter and soil to 1 m.",
    ),
    Ecosystem(
        key="salt_marsh",
        name_en="Salt marsh",
        name_zh="盐沼",
        classes=(EcosystemClass(12, "salt_marsh", "", "Salt marsh", "盐沼", "#b39ddb"),),
        coefficients=meadow_coefficients,
        equations=meadow_equations,
        uses=("soc",),
        about="Soil to 1 m; biomass where the set has a density of the plant.",
    ),
    Ecosystem(
        key="seagrass",
        name_en="Seagrass meadow",
        name_zh="海草床",
        classes=(EcosystemClass(13, "seagrass", "", "Seagrass meadow", "海草床", "#5e35b1"),),
        coefficients=meadow_coefficients,
        equations=meadow_equations,
        uses=("soc",),
        about="Soil to 1 m.",
    ),
)
