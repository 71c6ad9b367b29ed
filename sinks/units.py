"""The few conversion factors, the sign convention, and how units are spelled.

Stocks are positive carbon in the land. A *sink* is positive when the land takes carbon up. Carbon is Mg C; CO₂ appears
only where the name says so. Areas are hectares in tables and square metres in code that measures. Volumes are m³.
"""

from typing import Final

C_TO_CO2: Final = 44 / 12
"""Mg CO₂ per Mg C [IPCC 2006, Vol. 4 convention]."""

M2_PER_HA: Final = 10_000.0
HA_PER_MU: Final = 1 / 15
"""1 mu (亩) = 1/15 ha."""

MG_C_PER_HA: Final = "Mg C ha-1"
MG_C_PER_HA_YR: Final = "Mg C ha-1 yr-1"
M3_PER_HA: Final = "m3 ha-1"
KG_CH4_PER_HA_YR: Final = "kg CH4 ha-1 yr-1"
KG_N2O_PER_HA_YR: Final = "kg N2O ha-1 yr-1"

TOTAL_UNIT: Final = {
    unit: unit.replace(" ha-1", "")
    for unit in (MG_C_PER_HA, MG_C_PER_HA_YR, M3_PER_HA, KG_CH4_PER_HA_YR, KG_N2O_PER_HA_YR)
}
"""The unit of a per-hectare quantity once it is multiplied by hectares."""
