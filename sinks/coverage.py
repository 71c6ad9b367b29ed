"""The forest coverage rate, by China's inventory or by FAO, with the basis that every figure must carry.

coverage [%] = 100 · forest area / land area. What counts as forest and as land is the definition's; each figure is given
for the variants that a map allows and for both denominators, the official land area and the mapped one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sinks.errors import InputError
from sinks.parameters import ParameterSet

if TYPE_CHECKING:
    import pandas as pd

    from sinks.accounts import Account, RegionInfo

ARBOR: Final = ("needleleaf", "broadleaf", "mixed", "unspecified")
DEFINITIONS: Final = ("china", "fao")


@dataclass(frozen=True)
class ForestDefinition:
    """What counts as forest, and as land.

    name : "china" or "fao"; canopy_percent : least tree cover, inclusive for China, exclusive for FAO;
    minimum_patch_ha : smallest stand, 8-connected; special_shrub_fraction : share of shrubland that counts as special
    shrub forest (China), 0 for FAO; mangrove_is_forest; inland_water_is_land : whether water inside a region is part of
    its land area (official Chinese land areas include it, FAO's exclude it).
    """

    name: str
    canopy_percent: float
    minimum_patch_ha: float
    special_shrub_fraction: float
    mangrove_is_forest: bool = True
    inland_water_is_land: bool = True

    def basis(self, base_map: str, year: int | None) -> str:
        """One line that says what a figure rests on."""
        water = "with" if self.inland_water_is_land else "without"
        shrub = f", {self.special_shrub_fraction:.0%} of shrubland" if self.special_shrub_fraction else ""
        return (
            f"{self.name} definition (canopy {'≥' if self.name == 'china' else '>'} {self.canopy_percent:g} %, "
            f"patch ≥ {self.minimum_patch_ha:g} ha{shrub}), land {water} inland water; map: {base_map}; "
            f"year: {year or 'not given'}"
        )


def forest_definition(
    name: str,
    parameters: ParameterSet,
    *,
    canopy_percent: float | None = None,
    minimum_patch_ha: float | None = None,
    special_shrub_fraction: float | None = None,
    mangrove_is_forest: bool = True,
    inland_water: str = "auto",
) -> ForestDefinition:
    """The definition by name, with any part of it replaced. Raises InputError for a bad name or value."""
    if name not in DEFINITIONS:
        raise InputError(f"unknown forest definition '{name}'; choose one of {', '.join(DEFINITIONS)}")
    if inland_water not in ("auto", "include", "exclude"):
        raise InputError(f"inland water '{inland_water}' is not one of auto, include, exclude")

    def choice(value: float | None, key: str) -> float:
        return parameters.find("choices", key).value if value is None else value

    shrub = choice(special_shrub_fraction, "special_shrub_fraction") if name == "china" else 0.0
    if not 0 <= shrub <= 1:
        raise InputError(f"the special shrub fraction is {shrub:g}; it is a share between 0 and 1")
    return ForestDefinition(
        name=name,
        canopy_percent=choice(canopy_percent, f"canopy_threshold_{name}"),
        minimum_patch_ha=choice(minimum_patch_ha, f"minimum_patch_{name}"),
        special_shrub_fraction=shrub,
        mangrove_is_forest=mangrove_is_forest,
        inland_water_is_land=inland_water == "include" or (inland_water == "auto" and name == "china"),
    )


def coverage_percent(forest_area_ha: float, land_area_ha: float) -> float:
    """100 · forest / land [%]; NaN where there is no land."""
    return 100 * forest_area_ha / land_area_ha if land_area_ha > 0 else np.nan


def forest_areas(area_ha: Mapping[tuple[str, str], float], definition: ForestDefinition) -> dict[str, float]:
    """Forest area by variant [ha], from area by (ecosystem, forest type).

    arbor_only ⊂ arbor_bamboo ⊂ inventory_like (China) or fao: the last is the headline of its definition.
    """
    arbor = sum(area_ha.get(("forest", t), 0.0) for t in ARBOR)
    if definition.mangrove_is_forest:
        arbor += area_ha.get(("mangrove", ""), 0.0)
    bamboo = area_ha.get(("forest", "bamboo"), 0.0)
    shrub = definition.special_shrub_fraction * area_ha.get(("shrubland", ""), 0.0)
    return {
        "arbor_only": arbor,
        "arbor_bamboo": arbor + bamboo,
        headline(definition): arbor + bamboo + shrub,
    }


def headline(definition: ForestDefinition) -> str:
    """Name of the variant that answers the definition."""
    return "inventory_like" if definition.name == "china" else "fao"


COLUMNS: Final = (
    "region_id", "region_name", "variant", "headline", "forest_area_ha", "land_area_ha", "denominator", "coverage_percent",
    "basis",
)  # fmt: skip


def coverage_table(account: Account, definition: ForestDefinition, base_map: str, year: int | None) -> pd.DataFrame:
    """Coverage of every region and of their union: one row per variant and denominator (``COLUMNS``).

    denominator : "official" where the region has an official land area, and always "mapped" (classified land; nodata is
    left out of it, a class the legend does not know is kept in). The headline takes the official one, unless the map
    misses more than one percent of the region.
    """
    import pandas as pd  # workers need the definition alone

    from sinks.accounts import TOTAL_REGION, RegionInfo

    basis = definition.basis(base_map, year)
    known = account.context.get("legend", "") is not None  # without a legend no class is forest, which is not 0 percent
    rows = []
    regions = account.regions
    official = sum(r.official_area_ha for r in regions) if regions else np.nan
    outside = sum(r.outside_grid_ha for r in regions)
    union = RegionInfo(TOTAL_REGION, "all", official_area_ha=official, outside_grid_ha=outside)
    for region in (union, *regions):
        areas = account.areas.get(region.id, {})
        lands = {"mapped": mapped_land_ha(areas, definition)}
        if np.isfinite(region.official_area_ha) and region.official_area_ha > 0:
            lands = {"official": region.official_area_ha, **lands}
        preferred = "official" if "official" in lands and _is_whole(region, areas) else "mapped"
        for variant, forest in forest_areas(areas, definition).items():
            for denominator, land in lands.items():
                top = variant == headline(definition) and denominator == preferred
                share = coverage_percent(forest, land) if known else np.nan
                rows.append((region.id, region.name, variant, top, forest, land, denominator, share, basis))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def mapped_land_ha(area_ha: Mapping[tuple[str, str], float], definition: ForestDefinition) -> float:
    """Mapped land area [ha]: everything classified or unknown, with or without water as the definition has it."""
    left_out = {"nodata"} if definition.inland_water_is_land else {"nodata", "water"}
    return float(sum(area for (ecosystem, _), area in area_ha.items() if ecosystem not in left_out))


def _is_whole(region: RegionInfo, area_ha: Mapping[tuple[str, str], float]) -> bool:
    """Whether the map covers the region but for one percent: else the official area is no fair denominator."""
    missing = region.outside_grid_ha + area_ha.get(("nodata", ""), 0.0)
    return missing <= 0.01 * region.official_area_ha
