"""Which soil carbon a stratum gets: one source per pixel and depth, never two and never two depths.

Order: a soil-carbon layer where it has a value, else a published density of the ecosystem at the run's depth, else
IPCC's reference stock × factors (0–30 cm only).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinks.parameters import Coefficient, ParameterSet
from sinks.plug import Coefficients, Options, Stratum

Array = Any


def soil_coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    """The coefficient ``soil`` of a stratum, or none: where a layer has a value, or no table has one for this depth."""
    if "soc" in stratum.present:
        return {}
    keys = {
        "ecosystem": stratum.cover.ecosystem,
        "forest_type": stratum.cover.subclass or stratum.cover.forest_type,
        "climate": stratum.climate,
        "soil": stratum.soil,
        "depth_cm": str(options.soil_depth_cm),
    }
    if not parameters.has("density", "soc", **keys):
        return {}
    return {"soil": parameters.find("density", "soc", **keys)}


def soil_carbon(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Soil organic carbon to the run's depth [Mg C ha⁻¹]: the layer where it has a value, else the stratum's density."""
    if "soc" in values:
        return {"carbon_soil": values["soc"]}
    return {"carbon_soil": c["soil"]} if "soil" in c else {}
