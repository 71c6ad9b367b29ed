"""What a hectare is said to hold: the names, units and order of every quantity that the pass yields."""

from dataclasses import dataclass
from typing import Final

from sinks.units import M3_PER_HA, MG_C_PER_HA, MG_C_PER_HA_YR, TOTAL_UNIT


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

TOTAL: Final = Quantity("carbon_total", MG_C_PER_HA, "Total ecosystem carbon", "生态系统碳密度")
VOLUME: Final = Quantity("stock_volume", M3_PER_HA, "Growing stock volume", "单位面积蓄积量")
WEATHERING: Final = Quantity("sink_weathering", MG_C_PER_HA_YR, "Carbonate weathering sink", "岩溶碳汇速率")

QUANTITIES: Final = (*POOLS, VOLUME, WEATHERING)
"""Everything a stratum's equations can yield, in the order the pass keeps them."""

POOL_KEYS: Final = tuple(q.key for q in POOLS)
KEYS: Final = tuple(q.key for q in QUANTITIES)
BY_KEY: Final = {q.key: q for q in (*QUANTITIES, TOTAL)}
