"""Organic soil: an overlay that adds the yearly fluxes of drained and rewetted peat, whatever grows on it, and no stock.

One place for every land cover: forest, shrub, grassland, cropland, wetland and extraction sites take their factors here
and yield no soil flux of their own on drained or rewetted organic soil. The soil's stock stays with the class. Undrained
peat has no guideline factor; its published accumulation is that of ``wetland``. See ``sinks.organicsoil``.
"""

from __future__ import annotations

from sinks.organicsoil import coefficients, equations
from sinks.plug import Ecosystem

PLUG = Ecosystem(
    key="organic",
    name_en="Drained or rewetted organic soil",
    name_zh="排水或复湿的有机土",
    classes=(),
    coefficients=coefficients,
    equations=equations,
    uses=("soil", "drainage", "climate"),
    overlay=True,
    about="Adds carbon, methane and nitrous oxide of drained or rewetted organic soil (IPCC 2013 Wetlands Supplement).",
)
