"""Policy views: what each heading of the guidance holds, each complete for its theme, never to be summed.

The account counts every hectare and every pool once (its rows add up to the total). The headings of articles 22, 23 and 29
overlap by their nature: permafrost lies under grassland, karst under forest, and soils under everything. A view tells
"of which"; only the weathering sink and the deep soil carbon are owned by no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    names = {TOTAL_REGION: "all regions", **{r.id: r.name for r in account.regions}}
    place = {region: n for n, region in enumerate(names)}
    where = frame["region_id"].map(place).to_numpy(np.float64)  # NaN outside all regions
    found: dict[str, list[Any]] = {column: [] for column in COLUMNS}
    for view in records("policy_views"):
        member = _members(frame, view["ecosystems"], view["mark"]) & np.isfinite(where)
        if not member.any():
            continue
        at = where[member].astype(np.int64)
        stock = list(POOL_KEYS) if view["quantity"] == "carbon_total" else [view["quantity"]]

        def summed(keys: Sequence[str], member: NDArray[np.bool_] = member, at: NDArray[np.int64] = at) -> list[float]:
            return _by_region([frame[key].to_numpy(np.float64)[member] for key in keys], at, len(names)).tolist()

        alike = {
            "view": view["view"], "name_en": view["name_en"], "name_zh": view["name_zh"],
            "articles": view["articles"].replace(";", ", "),
            "note": "; ".join(text for text in (DO_NOT_SUM, view["note"]) if text),
        }  # fmt: skip
        told = {
            "region_id": list(names), "region_name": list(names.values()),
            "area_ha": np.nan_to_num(summed(["area_ha"])).tolist(), "carbon_mg": summed(stock),
            "carbon_soil_deep_mg": summed([DEEP.key]), "sink_mg_yr": summed(view["sinks"].split(";")),
            **{column: [text] * len(names) for column, text in alike.items()},
        }  # fmt: skip
        for column in COLUMNS:
            found[column] += told[column]
    return pd.DataFrame(found) if found["view"] else pd.DataFrame([], columns=list(COLUMNS))


def _by_region(columns: Sequence[NDArray[np.float64]], at: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Sums of these columns by region, the union of all first; NaN where a region has no value. at : region of each row."""
    values = np.stack(columns, axis=1)
    known = np.isfinite(values).any(axis=1)
    sums = np.bincount(at[known], np.nansum(values[known], axis=1), n)
    there = np.bincount(at[known], minlength=n) > 0
    sums[0], there[0] = sums[1:].sum(), there[1:].any()
    return np.where(there, sums, np.nan)


def _members(frame: pd.DataFrame, ecosystems: str, mark: str) -> NDArray[np.bool_]:
    member = np.ones(len(frame), bool)
    if ecosystems:
        member &= frame["ecosystem"].isin(ecosystems.split(";")).to_numpy(bool)
    if mark == "organic_soil":
        member &= (frame["soil"] == ORGANIC).to_numpy(bool)
    elif mark:
        member &= frame[mark].to_numpy(bool)
    return member
