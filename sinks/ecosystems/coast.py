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

All soil densities here reach 100 cm: at 30 cm soil is not estimated unless a layer gives it. Where a table has a density,
it goes before a soil layer (``coast_soil`` "table"), since soil maps of the land hardly know the coast; with "layer" the
layer goes first. IPCC's reference stocks of upland soils are not used on coasts. A volume layer is not used.

Fluxes. What the legend's subclass says goes first, by guideline factor: replanted (or restored) soil gains EF_RE of Table
4.12, recolonised soil nothing, drained soil loses 7.9 (Table 4.13; also where a layer of drainage says so), rewetted soil
gives methane by salinity (Table 4.14). Else, under ``published_rate``, what surveys found: mangroves of China 6.87 Mg C
ha⁻¹ yr⁻¹, split by our choice into soil and biomass; salt marsh 2.447 (a global mean); seagrass 0.25 (one species). Burial
found in cores includes carbon from elsewhere. Growth of mangrove, set ipcc: G · CF · (1 + R) of Table 4.4, nil where a
layer's biomass is above that of Table 4.3; a gain, losses not taken off. Excavation is a loss at once, not a rate: see
``sinks.disturbance``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from sinks import biomass
from sinks.densities import BIOMASS, DEAD, density_carbon, density_coefficients
from sinks.ecosystems.forest import zone_of
from sinks.organicsoil import DRAINED, EXTRACTION, state_of
from sinks.parameters import Coefficient, ParameterSet, Row
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon

Array = Any

REGRESSION_DEPTH_CM: Final = 100
"""Depth to which the regression's soil is taken to reach [design]; the abstract does not state it."""
_MINERAL: Final = ("mineral", "HAC", "LAC", "sandy", "spodic", "volcanic", "wetland")
_UNKNOWN_SOIL: Final = "unknown"
_STATES: Final = ("restored", "replanted", "recolonised", "drained", "rewetted_fresh", "rewetted_saline")
"""Subclasses that tell what was done to a coast; published rates are of coasts that stand."""

# ---------------------------------------------------------------------------- soil


def _soil_rows(stratum: Stratum, parameters: ParameterSet, options: Options) -> list[Row]:
    soil = "mineral" if stratum.soil in _MINERAL else stratum.soil or _UNKNOWN_SOIL
    return parameters.rows(
        "density", "soc", ecosystem=stratum.cover.ecosystem, forest_type=stratum.cover.subclass,
        climate=stratum.climate, soil=soil, depth_cm=str(options.soil_depth_cm),
    )  # fmt: skip


def _by_layer(stratum: Stratum, options: Options) -> bool:
    """Whether the soil is a layer's, whatever the tables have."""
    return options.coast_soil == "layer" and "soc" in stratum.present


def _soil(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    if _by_layer(stratum, options):
        return {}
    rows = _soil_rows(stratum, parameters, options)
    return {"soil": rows[0].coefficient} if rows else {}


def _soil_pool(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Soil [Mg C ha⁻¹]: of the table where the stratum takes it, else of the layer "soc"."""
    return {"carbon_soil": c["soil"]} if "soil" in c else soil_carbon(values, c)


# ---------------------------------------------------------------------------- fluxes


def _state(stratum: Stratum) -> str:
    """What was done to a coast: the legend's subclass, or drained by the layer of drainage; blank where it stands."""
    if stratum.drainage and state_of(stratum)[0] in (DRAINED, EXTRACTION):
        return "drained"
    return stratum.cover.subclass if stratum.cover.subclass in _STATES else ""


def _fluxes(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    """Guideline factors of what was done to a coast, else the published rates of one that stands."""
    if options.flux_method == "none":
        return {}
    names: tuple[str, ...] = ()
    if state := _state(stratum):
        names = ("ef_soil", "ef_ch4")
    elif options.flux_method == "published_rate":
        names = ("soil_burial", "sequestration", "sequestration_soil_share")
    keys = {"ecosystem": stratum.cover.ecosystem, "subclass": state or stratum.cover.subclass}
    rows = {name: parameters.rows("coast", name, **keys) for name in names}
    return {name: found[0].coefficient for name, found in rows.items() if found}


def flux_equations(c: Coefficients) -> dict[str, Array]:
    """Sinks [Mg C ha⁻¹ yr⁻¹], positive = uptake, and methane [kg CH₄ ha⁻¹ yr⁻¹] of a coast.

    A factor of the guideline is an emission: sink = −EF (2013 Wetlands Supplement, eq. 4.7 and 4.8, methane eq. 4.9). A
    published rate of soil and biomass together is split by the share of soil.
    """
    found: dict[str, Array] = {}
    if "ef_soil" in c:
        found["sink_soil"] = 0.0 - c["ef_soil"]  # not −0 where the factor is 0
    elif "sequestration" in c:
        found["sink_soil"] = c["sequestration"] * c["sequestration_soil_share"]
        found["sink_biomass"] = c["sequestration"] - found["sink_soil"]
    elif "soil_burial" in c:
        found["sink_soil"] = c["soil_burial"]
    if "ef_ch4" in c:
        found["emission_ch4"] = c["ef_ch4"]
    return found


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
    values |= _fluxes(stratum, parameters, options)
    if parameters.has("coast", "bgc_slope", ecosystem="mangrove"):
        return _regression(stratum, parameters, options, values, layer)
    values |= _growth(climate, parameters, options, layer)
    if not layer:
        values["agb"] = parameters.find("density", "agb", ecosystem="mangrove", climate=climate)
    values |= density_coefficients(stratum, parameters, DEAD, climate) | _soil(stratum, parameters, options)
    return Coefficients(values, method="biomass layer" if layer else "biomass of the climate")


def _growth(climate: str, parameters: ParameterSet, options: Options, layer: bool) -> dict[str, Coefficient]:
    """Growth of the climate, and with a layer of biomass that up to which a stand grows, an edge without an error."""
    keys = {"ecosystem": "mangrove", "climate": climate}
    growth = parameters.rows("coast", "agb_growth", **keys) if options.flux_method != "none" else []
    if not growth:
        return {}
    found = {"agb_growth": growth[0].coefficient}
    if layer:
        c = parameters.find("density", "agb", **keys)
        found["agb_full_grown"] = Coefficient("agb_full_grown", c.value, c.unit, c.source, c.locator, c.status)
    return found


def _regression(
    stratum: Stratum, parameters: ParameterSet, options: Options, values: dict[str, Coefficient], layer: bool
) -> Coefficients:
    """Soil and roots by the regression. A user's own soil density, known by having no scheme, goes before it."""
    names = ("bgc_slope", "bgc_intercept")
    line = {name: parameters.find("coast", name, ecosystem="mangrove") for name in names}
    if not layer:
        values |= {"total": parameters.find("density", "total_carbon", ecosystem="mangrove"), **line}
    if not _by_layer(stratum, options):
        rows = _soil_rows(stratum, parameters, options)
        if rows and "scheme" not in rows[0].keys:
            values["soil"] = rows[0].coefficient
        elif options.soil_depth_cm == REGRESSION_DEPTH_CM:
            values |= {"soil_by_regression": line["bgc_slope"], **line}
    return Coefficients(values, method="soil and roots by regression")


def growth_gain(agb: Array, growth: Array, full_grown: Array, carbon_fraction: Array, root_shoot: Array) -> Array:
    """Growth of mangrove [Mg C ha⁻¹ yr⁻¹]: G · CF · (1 + R) up to the biomass of a full-grown stand, nil above it.

    agb, full_grown [Mg d.m. ha⁻¹]; growth : G [Mg d.m. ha⁻¹ yr⁻¹]; carbon_fraction [Mg C (Mg d.m.)⁻¹]. Source: IPCC 2006,
    Vol. 4, Ch. 2, eq. 2.9 and 2.10; 2013 Wetlands Supplement, Table 4.4. The bound is ours [design].
    """
    gain = biomass.carbon(growth + biomass.belowground_biomass(growth, root_shoot), carbon_fraction)
    return np.where(np.isnan(agb), np.nan, np.where(agb <= full_grown, gain, 0.0))


def mangrove_equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹] from "agb" [Mg d.m. ha⁻¹] or "agc" [Mg C ha⁻¹] and "soc" [Mg C ha⁻¹] of layers; fluxes per year."""
    if "total" in c:
        agc = aboveground_carbon_of_total(c["total"], c["bgc_slope"], c["bgc_intercept"])
    elif "agb" in c:
        agc = c["agb"] * c["carbon_fraction"]
    else:
        agc = values["agb"] * c["carbon_fraction"] if "agb" in values else values["agc"]
    found = _soil_pool(values, c) | density_carbon(c) | flux_equations(c)
    found["carbon_agb"] = agc
    found["carbon_bgb"] = agc * c["root_shoot"]
    if "soil_by_regression" in c:
        found["carbon_soil"] = belowground_carbon(agc, c["bgc_slope"], c["bgc_intercept"]) - found["carbon_bgb"]
    if "agb_growth" in c:
        agb, full_grown = (agc / c["carbon_fraction"], c["agb_full_grown"]) if "agb_full_grown" in c else (0.0, np.inf)
        found["gain_biomass"] = growth_gain(agb, c["agb_growth"], full_grown, c["carbon_fraction"], c["root_shoot"])
    return found


def mangrove_breaks(c: Coefficients, options: Options) -> tuple[float, ...]:
    """The layer's value at which a stand is full grown."""
    if "agb_full_grown" not in c:
        return ()
    return (c["agb_full_grown"] * (c["carbon_fraction"] if options.biomass == "agc" else 1.0),)


# ---------------------------------------------------------------------------- salt marsh and seagrass


def meadow_coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The densities of a salt marsh or seagrass stratum, those that the set has for its plants and the run's depth."""
    values = density_coefficients(stratum, parameters, (*BIOMASS, *DEAD))
    values |= _soil(stratum, parameters, options) | _fluxes(stratum, parameters, options)
    return Coefficients(values, method="density")


def meadow_equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹]: densities, and "soc" [Mg C ha⁻¹] where a layer has it; fluxes per year. No biomass layer enters."""
    return _soil_pool(values, c) | density_carbon(c) | flux_equations(c)


PLUG = (
    Ecosystem(
        key="mangrove",
        name_en="Mangrove",
        name_zh="红树林",
        classes=(EcosystemClass(11, "mangrove", "", "Mangrove", "红树林", "#00695c"),),
        coefficients=mangrove_coefficients,
        equations=mangrove_equations,
        breaks=mangrove_breaks,
        uses=("biomass", "climate", "soil", "drainage", "soc"),
        about="Above ground from a layer or table, roots by climate, dead matter and soil to 1 m; growth and burial.",
    ),
    Ecosystem(
        key="salt_marsh",
        name_en="Salt marsh",
        name_zh="盐沼",
        classes=(EcosystemClass(12, "salt_marsh", "", "Salt marsh", "盐沼", "#b39ddb"),),
        coefficients=meadow_coefficients,
        equations=meadow_equations,
        uses=("soil", "drainage", "soc"),
        about="Soil to 1 m; biomass where the set has a density of the plant; burial in soil.",
    ),
    Ecosystem(
        key="seagrass",
        name_en="Seagrass meadow",
        name_zh="海草床",
        classes=(EcosystemClass(13, "seagrass", "", "Seagrass meadow", "海草床", "#5e35b1"),),
        coefficients=meadow_coefficients,
        equations=meadow_equations,
        uses=("soc",),
        about="Soil to 1 m; burial in soil.",
    ),
)
