"""Permafrost: an overlay that tells the deep and the frozen carbon of soil, and never the soil pool a second time.

The soil pool of a pixel on permafrost is its class's, from the source that ``sinks.soilcarbon`` chooses (a published
density of permafrost soil replaces that of the class). What no class owns is the carbon from the run's depth to 300 cm:
a layer's, else the set's density where it has one for 100 cm. The frozen part is told of both where layers give them and
the thickness of the active layer is known. No yearly flux: none is estimated for deep soil.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.organicsoil import PEAT
from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, Options, Stratum

Array = Any

LAYER: Final = "deep soil layer"
_NO_SOIL: Final = ("water", "snow_ice")
_DENSITY_FROM_CM: Final = 100
"""Depth at which the published densities of deep soil begin; at another depth they would leave a gap or overlap."""


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """The density of deep permafrost soil, where no layer has it and the set does."""
    if not stratum.permafrost or stratum.cover.ecosystem in _NO_SOIL or PEAT in stratum.present:
        return Coefficients()  # frozen peat is told as peat
    if "soc_deep" in stratum.present:
        return Coefficients(method=LAYER)
    if options.soil_depth_cm != _DENSITY_FROM_CM:
        return Coefficients()
    rows = parameters.rows("density", "soc_deep", ecosystem="permafrost", depth_cm="300")
    return Coefficients({"soil_deep": rows[0].coefficient} if rows else {}, method="deep soil density" if rows else "")


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Deep and frozen soil carbon [Mg C ha⁻¹]: of "soc_deep" and "soc_frozen", which have values on permafrost only."""
    found = {"carbon_soil_deep": c["soil_deep"]} if "soil_deep" in c else {}
    if c.method == LAYER:
        found["carbon_soil_deep"] = values["soc_deep"]
        if "soc_frozen" in values:
            found["carbon_soil_frozen"] = values["soc_frozen"]
    return found


PLUG = Ecosystem(
    key="permafrost",
    name_en="Permafrost",
    name_zh="多年冻土",
    classes=(),
    coefficients=coefficients,
    equations=equations,
    uses=("permafrost", "permafrost_soc", "soc_deep", "active_layer"),
    overlay=True,
    about="Tells deep (to 300 cm) and frozen soil carbon; the soil pool stays with its class.",
)
