"""Policy views: what each heading of the guidance holds, each complete for its theme, never to be summed.

The account counts every hectare and every pool once (its rows add up to the total). The headings of articles 22, 23 and 29
overlap by their nature: permafrost lies under grassland, karst under forest, and soils under everything. A view tells
"of which"; only the weathering sink and the deep soil carbon are owned by no class.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from sinks.accounts import TOTAL_REGION, Account
from sinks.parameters import records
from sinks.quantities import DEEP, POOL_KEYS
from sinks.soilcarbon import ORGANIC

COLUMNS: Final = (
    "region_id", "region_name", "view", "name_en", "name_zh", "articles", "area_ha", "carbon_mg", "carbon_soil_deep_mg",
    "sink_mg_yr", "note",
)  # fmt: skip
DO_NOT_SUM: Final = "a view: do not sum"


def policy_views(account: Account) -> pd.DataFrame:
    """One row per region and heading (``COLUMNS``): area [ha], stock and deep soil [Mg C], own yearly sink [Mg C yr⁻¹].

    A heading that has no area in the whole account is left out. NaN: not estimated.
    """
    frame = account.strata
    inside = frame["region_id"].isin([r.id for r in account.regions])
    places = [(TOTAL_REGION, "all regions", inside)]
    places += [(r.id, r.name, frame["region_id"] == r.id) for r in account.regions]
    rows = []
    for view in records("policy_views"):
        member = _members(frame, view["ecosystems"], view["mark"])
        if not (member & inside).any():
            continue
        stock = list(POOL_KEYS) if view["quantity"] == "carbon_total" else [view["quantity"]]
        note = "; ".join(part for part in (DO_NOT_SUM, view["note"]) if part)
        for region_id, name, here in places:
            part = frame[member & here]
            rows.append((
                region_id, name, view["view"], view["name_en"], view["name_zh"], view["articles"].replace(";", ", "),
                float(part["area_ha"].sum()), _sum(part, stock), _sum(part, [DEEP.key]), _sum(part, view["sinks"].split(";")),
                note,
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _members(frame: pd.DataFrame, ecosystems: str, mark: str) -> pd.Series:
    member = pd.Series(True, index=frame.index)
    if ecosystems:
        member &= frame["ecosystem"].isin(ecosystems.split(";"))
    if mark == "organic_soil":
        member &= frame["soil"] == ORGANIC
    elif mark:
        member &= frame[mark].astype(bool)
    return member


def _sum(part: pd.DataFrame, keys: list[str]) -> float:
    values = part[keys].to_numpy(np.float64)
    return float(np.nansum(values)) if np.isfinite(values).any() else float("nan")
