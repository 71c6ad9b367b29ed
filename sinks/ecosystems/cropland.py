"""Cropland: no lasting biomass of annual crops, and soil carbon by land use.

Annual crops: biomass stock 0 (IPCC 2006, Vol. 4, sect. 5.2.1). Perennial crops: not estimated, because the values of
Table 5.1 could not be confirmed (they are used when the set's ``use_unverified`` is on). Soil: a layer; else a
published density of cropland at the run's depth (set china: paddy, upland or both at 30 and 100 cm); else IPCC's
reference stock × F_LU of the 2019 Refinement, Table 5.5, full tillage and medium input (0–30 cm only; none for polar
zones). A biomass layer is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.densities import BIOMASS, density_carbon, density_coefficients
from sinks.parameters import Coefficient, ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum

Array = Any

_LAND_USE: Final = {"paddy": "paddy", "perennial": "perennial", "set_aside": "set_aside"}
"""Subclass of a legend → land use of the factor table; every other cropland is cultivated for long."""


def land_use(subclass: str, soil: str = "") -> str:
    """Land use of the factor table for a legend's subclass; annual crops on wetland soils have factors of their own."""
    if subclass in _LAND_USE:
        return _LAND_USE[subclass]
    return "long_term_cultivated_wet" if soil == "wetland" else "long_term_cultivated"


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The numbers of a cropland stratum, those that the set has for its land use, climate and depth."""
    use = land_use(stratum.cover.subclass, stratum.soil)
    values = {name: parameters.find("cropland", name, land_use=use)
              for name in BIOMASS if parameters.has("cropland", name, land_use=use)}  # fmt: skip
    if not values:
        values = density_coefficients(stratum, parameters, BIOMASS)
    return Coefficients(values | _soil(stratum, parameters, options, use), method=use)


def _soil(stratum: Stratum, parameters: ParameterSet, options: Options, use: str) -> dict[str, Coefficient]:
    """A density of cropland as "soil", or a reference stock as "soil_reference" with its factor "flu"; or nothing."""
    if "soc" in stratum.present:
        return {}
    cover = stratum.cover
    rows = parameters.rows(
        "density", "soc", ecosystem="cropland", forest_type=cover.subclass, climate=stratum.climate, soil=stratum.soil,
        depth_cm=str(options.soil_depth_cm),
    )  # fmt: skip
    if not rows:
        return {}
    if rows[0].keys.get("ecosystem") == "cropland":
        return {"soil": rows[0].coefficient}
    edition = rows[0].keys.get("scheme")
    factor = parameters.rows(
        "soil_factors", "factor", (edition,) if edition else None,
        land_use="cropland", factor="flu", level=use, climate=stratum.climate,
    )  # fmt: skip
    return {"soil_reference": rows[0].coefficient, "flu": factor[0].coefficient} if factor else {}


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹]; SOC = SOC_ref · F_LU · F_MG · F_I with F_MG = F_I = 1: IPCC 2006, Vol. 4, Ch. 2, eq. 2.25."""
    found = density_carbon(c)
    if "soc" in values:
        found["carbon_soil"] = values["soc"]
    elif "soil" in c:
        found["carbon_soil"] = c["soil"]
    elif "flu" in c:
        found["carbon_soil"] = c["soil_reference"] * c["flu"]
    return found


PLUG = Ecosystem(
    key="cropland",
    name_en="Cropland",
    name_zh="农田",
    classes=(EcosystemClass(9, "cropland", "", "Cropland", "农田", "#fbc02d"),),
    coefficients=coefficients,
    equations=equations,
    uses=("climate", "soc"),
    about="No lasting biomass of annual crops; soil layer, density of paddy or upland, or IPCC reference stock × F_LU.",
)
