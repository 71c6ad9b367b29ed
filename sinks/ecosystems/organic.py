"""Organic soil: an overlay that adds the yearly fluxes of drained and rewetted peat, whatever grows on it, and no stock.

One place for every land cover: forest, shrub, grassland, cropland, wetland and extraction sites take their factors here
and yield no soil flux of their own on drained or rewetted organic soil. The soil's stock stays with the class. Undrained
peat has no guideline factor; its published accumulation is that of ``wetland``. See ``sinks.organicsoil``.

Peat below the run's depth, to 300 cm, is told as deep soil carbon where a layer of its thickness reaches so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sinks import organicsoil
from sinks.organicsoil import peat_carbon, peat_properties
from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, Options, Stratum

Array = Any


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """Emission factors of the stratum, and the properties of peat where it reaches below the run's depth."""
    found = organicsoil.coefficients(stratum, parameters, options)
    if "peat_deep" not in stratum.present:
        return found
    return replace(found, values={**found.values, **peat_properties(stratum.climate, parameters)})


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Fluxes of organic soil (``organicsoil.equations``), and deep peat [Mg C ha⁻¹] from "peat_deep" [m]."""
    found = organicsoil.equations(values, c)
    if "peat_deep" in values and "peat_bulk_density" in c:
        found["carbon_soil_deep"] = peat_carbon(values["peat_deep"], c["peat_bulk_density"], c["peat_carbon_fraction"])
    return found


PLUG = Ecosystem(
    key="organic",
    name_en="Drained or rewetted organic soil",
    name_zh="排水或复湿的有机土",
    classes=(),
    coefficients=coefficients,
    equations=equations,
    uses=("soil", "peat_thickness", "drainage", "climate"),
    overlay=True,
    about="Adds carbon, methane and nitrous oxide of drained or rewetted organic soil (IPCC 2013 Wetlands Supplement).",
)
