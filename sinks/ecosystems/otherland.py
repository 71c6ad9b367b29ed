"""Other land: built-up and bare land, snow and ice, water.

Biomass is not estimated: no source gives a density that would hold for these classes. Soil carbon of built-up and
bare land is a layer's or nothing (IPCC's reference stocks are those of vegetated soils); snow, ice and water have
none, and a soil layer's value there is left aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, EcosystemClass, Options, Stratum

Array = Any


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """No numbers: other land has what a soil layer says of it, and nothing else."""
    return Coefficients(method="soil layer" if "soc" in stratum.present else "nothing published")


def soil_of_layer(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Soil organic carbon of the layer [Mg C ha⁻¹] where it has a value."""
    return {"carbon_soil": values["soc"]} if "soc" in values else {}


def nothing(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """No pool."""
    return {}


PLUG = (
    Ecosystem(
        key="built",
        name_en="Built-up land",
        name_zh="建设用地",
        classes=(EcosystemClass(14, "built", "", "Built-up land", "建设用地", "#d84315"),),
        coefficients=coefficients,
        equations=soil_of_layer,
        uses=("soc",),
        about="Soil carbon where a layer has it.",
    ),
    Ecosystem(
        key="bare",
        name_en="Bare land",
        name_zh="裸地",
        classes=(EcosystemClass(15, "bare", "", "Bare land", "裸地", "#bdbdbd"),),
        coefficients=coefficients,
        equations=soil_of_layer,
        uses=("soc",),
        about="Soil carbon where a layer has it.",
    ),
    Ecosystem(
        key="snow_ice",
        name_en="Snow and ice",
        name_zh="冰雪",
        classes=(EcosystemClass(16, "snow_ice", "", "Snow and ice", "冰雪", "#e3f2fd"),),
        coefficients=coefficients,
        equations=nothing,
        about="Area only.",
    ),
    Ecosystem(
        key="water",
        name_en="Water",
        name_zh="水体",
        classes=(EcosystemClass(17, "water", "", "Water", "水体", "#1565c0"),),
        coefficients=coefficients,
        equations=nothing,
        about="Area only.",
    ),
)
