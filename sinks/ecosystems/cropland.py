"""Cropland: no lasting biomass of annual crops, and soil carbon by land use, tillage and input.

Annual crops: biomass stock 0, and its yearly change 0 (IPCC 2006, Vol. 4, sect. 5.2.1). Perennial crops: not estimated,
because the values of Table 5.1 could not be confirmed (they are used when the set's ``use_unverified`` is on). Soil: a
layer; else a published density of cropland at the run's depth (set china: paddy, upland or both at 30 and 100 cm); else
IPCC's reference stock × F_LU · F_MG · F_I of the 2019 Refinement, Table 5.5 (none for polar zones). A biomass layer is
not used. Drained organic soil is the business of ``organic``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.densities import BIOMASS, density_carbon, density_coefficients
from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum
from sinks.soilcarbon import soil_carbon, soil_coefficients

Array = Any

CHANGE: Final = "biomass_change"
"""Yearly change of the biomass stock of cropland that stays cropland [Mg C ha⁻¹ yr⁻¹]."""

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
              for name in (*BIOMASS, CHANGE) if parameters.has("cropland", name, land_use=use)}  # fmt: skip
    if not any(name in values for name in BIOMASS):
        values |= density_coefficients(stratum, parameters, BIOMASS)
    if options.flux_method == "none":
        values.pop(CHANGE, None)
    levels = {"flu": use, "fmg": options.tillage, "fi": options.input}
    return Coefficients(values | soil_coefficients(stratum, parameters, options, "cropland", levels), method=use)


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹] and the change of biomass [Mg C ha⁻¹ yr⁻¹]; "soc" [Mg C ha⁻¹] of a layer goes first."""
    found = density_carbon(c) | soil_carbon(values, c)
    if CHANGE in c:
        found["sink_biomass"] = c[CHANGE]
    return found


PLUG = Ecosystem(
    key="cropland",
    name_en="Cropland",
    name_zh="农田",
    classes=(EcosystemClass(9, "cropland", "", "Cropland", "农田", "#fbc02d"),),
    coefficients=coefficients,
    equations=equations,
    uses=("climate", "soil", "soc"),
    about="No lasting biomass of annual crops; soil layer, density of paddy or upland, or IPCC reference stock × factors.",
)
