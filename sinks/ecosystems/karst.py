"""Karst: an overlay that adds the yearly carbon sink of carbonate weathering, and never a stock.

The pools of a pixel on carbonate rock are counted by its class; the weathering flux leaves as dissolved carbon, which
no class owns. Its value per pixel comes from ``sinks.weathering``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinks.parameters import ParameterSet
from sinks.plug import Coefficients, Ecosystem, Options, Stratum

Array = Any


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """No numbers: the constants of the weathering equations are those of ``sinks.weathering.constants``."""
    return Coefficients(method="carbonate weathering" if "weathering" in stratum.present else "")


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """The weathering sink [Mg C ha⁻¹ yr⁻¹] where "weathering" has a value."""
    return {"sink_weathering": values["weathering"]} if "weathering" in values else {}


PLUG = Ecosystem(
    key="karst",
    name_en="Karst",
    name_zh="岩溶",
    classes=(),
    coefficients=coefficients,
    equations=equations,
    uses=("karst", "runoff", "bicarbonate"),
    overlay=True,
    about="Adds the carbonate weathering sink of a pixel, once; its stocks stay with its class.",
)
