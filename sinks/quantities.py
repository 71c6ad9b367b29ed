"""What a hectare is said to hold: the names, units and order of every quantity that the pass yields."""

from dataclasses import dataclass
from typing import Final

from sinks.units import KG_CH4_PER_HA_YR, KG_N2O_PER_HA_YR, M3_PER_HA, MG_C_PER_HA, MG_C_PER_HA_YR, TOTAL_UNIT


@dataclass(frozen=True)
class Quantity:
    """One quantity per hectare.

    key : name in tables, maps and code; unit : per hectare; name_en, name_zh : for people.
    """

    key: str
    unit: str
    name_en: str
    name_zh: str

    @property
    def total_unit(self) -> str:
        """Unit after summing over hectares."""
        return TOTAL_UNIT[self.unit]


POOLS: Final = (
    Quantity("carbon_agb", MG_C_PER_HA, "Above-ground biomass carbon", "地上生物量碳密度"),
    Quantity("carbon_bgb", MG_C_PER_HA, "Below-ground biomass carbon", "地下生物量碳密度"),
    Quantity("carbon_deadwood", MG_C_PER_HA, "Dead wood carbon", "枯死木碳密度"),
    Quantity("carbon_litter", MG_C_PER_HA, "Litter carbon", "枯落物碳密度"),
    Quantity("carbon_soil", MG_C_PER_HA, "Soil organic carbon", "土壤有机碳密度"),
)
"""The five carbon pools; their sum is the total [IPCC 2006, Vol. 4, Ch. 2, eq. 2.3]."""

SOIL: Final = POOLS[-1]

TOTAL: Final = Quantity("carbon_total", MG_C_PER_HA, "Total ecosystem carbon", "生态系统碳密度")
DEEP: Final = Quantity(
    "carbon_soil_deep", MG_C_PER_HA, "Soil carbon below the run's depth, to 300 cm", "深层土壤有机碳密度"
)
FROZEN: Final = Quantity("carbon_soil_frozen", MG_C_PER_HA, "Soil carbon below the active layer", "冻结土壤有机碳密度")
"""Deep carbon is a line of its own, in no total; frozen carbon is part of the soil and deep pools, told again."""

VOLUME: Final = Quantity("stock_volume", M3_PER_HA, "Growing stock volume", "单位面积蓄积量")
GAIN: Final = Quantity(
    "gain_biomass", MG_C_PER_HA_YR, "Growth of live biomass, losses not taken off", "生物量碳增长速率"
)
"""What gain–loss accounting calls the gain; a sink only after losses (IPCC 2006, Vol. 4, Ch. 2, eq. 2.7)."""

SINKS: Final = (
    Quantity("sink_biomass", MG_C_PER_HA_YR, "Net sink of live biomass", "生物量固碳速率"),
    Quantity("sink_soil", MG_C_PER_HA_YR, "Net sink of soil", "土壤固碳速率"),
    Quantity("sink_weathering", MG_C_PER_HA_YR, "Carbonate weathering sink", "岩溶碳汇速率"),
)
"""Yearly net fluxes, positive = uptake, that no other contains; drained organic soil is negative.

They are not added up: the biomass sink of forest takes two dates, and a total without it would mislead.
"""

WEATHERING: Final = SINKS[2]
METHANE: Final = Quantity("emission_ch4", KG_CH4_PER_HA_YR, "Methane emission", "甲烷排放速率")
NITROUS: Final = Quantity("emission_n2o", KG_N2O_PER_HA_YR, "Nitrous oxide emission", "氧化亚氮排放速率")
"""Positive = emission. Never in a carbon column; their CO2 equivalent needs a named set of GWPs."""

QUANTITIES: Final = (*POOLS, DEEP, FROZEN, VOLUME, GAIN, *SINKS, METHANE, NITROUS)
"""Everything a stratum's equations can yield, in the order the pass keeps them."""

POOL_KEYS: Final = tuple(q.key for q in POOLS)
SINK_KEYS: Final = tuple(q.key for q in SINKS)
CLASS_SINKS: Final = SINK_KEYS[:2]
"""Sinks that an ecosystem owns; weathering belongs to the rock below it."""
FLUX_KEYS: Final = (GAIN.key, *SINK_KEYS, METHANE.key, NITROUS.key)
"""What is per year."""
SUMS: Final = {TOTAL.key: POOL_KEYS}
"""Quantities that are the sum of others, where any of these is estimated."""

KEYS: Final = tuple(q.key for q in QUANTITIES)
BY_KEY: Final = {q.key: q for q in (*QUANTITIES, TOTAL)}
