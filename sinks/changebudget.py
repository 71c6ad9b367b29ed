"""How sure a change is: both epochs have the same coefficients, so that their errors cancel where nothing changed.

The variance of closing − opening is that of the difference of the two epochs' sums under shared coefficients, propagated as
in ``sinks.budget``. The errors of the two biomass maps are added for whole regions, with the correlation that is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks import budget
from sinks.accounts import ALL, OUTSIDE_REGIONS, TOTAL_REGION, RegionInfo
from sinks.budget import QUANTITIES, SOURCES, Z95, Targets, Work
from sinks.ledger import Ledger
from sinks.quantities import BY_KEY, TOTAL
from sinks.science import Science
from sinks.sums import Sums
from sinks.transitions import COMPARED, class_names, place_of, process_of

TOLD: Final = (TOTAL.key, *COMPARED)
COLUMNS: Final = ("region_id", "process", "quantity", "unit", "value", "se", "low", "high")


def change_errors(
    ledger: Ledger,
    sums: tuple[Sums, Sums],
    sciences: tuple[Science, Science],
    map_se: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """Change of every stock by region and process, and of all processes together: value, se, 95 % interval, shares of sources.

    sums : of the ledger's two epochs by place; map_se : standard error of the change of a region by the biomass maps, by
    (region_id, quantity); none where the maps' errors are not known.
    Coefficients of which no error is known count as exact, as in ``budget``. Raises ValueError when the epochs have not the
    same terms.
    """
    keys = [*sums[0].region.tolist(), *sums[1].region.tolist()]
    targets = _targets(keys, ledger.regions)
    one, two = (budget.prepare(s, k, ledger.regions, targets) for s, k in zip(sums, sciences, strict=True))
    if one.terms != two.terms:
        raise ValueError("the two epochs have not the same layers")
    work = Work(
        one.sums,
        np.concatenate([-one.amounts, two.amounts]),
        (*one.pieces, *two.pieces),
        np.concatenate([one.piece_of, np.where(two.piece_of >= 0, two.piece_of + len(one.pieces), -1)]),
        one.terms,
        targets,
    )
    variance = budget.propagate(work, _known(keys))
    values = _values(ledger)
    rows = []
    for t, (region, process, _) in enumerate(work.targets.keys):
        for quantity in TOLD:
            q = QUANTITIES.index(quantity)
            parts = {s: float(v[t, q]) for s, v in variance.items()}
            if process == ALL and map_se and (region, quantity) in map_se:
                parts["biomass map"] = map_se[region, quantity] ** 2
            total, value = sum(parts.values()), values.get((region, process, quantity), np.nan)
            se = total**0.5
            shares = {f"share_{s.replace(' ', '_')}": parts.get(s, 0.0) / total if total else 0.0 for s in SOURCES}
            rows.append(
                dict(zip(COLUMNS, (region, process, quantity, BY_KEY[quantity].total_unit, value, se, value - Z95 * se,
                                   value + Z95 * se), strict=True)) | shares
            )  # fmt: skip
    frame = pd.DataFrame(rows)
    order = {r: n for n, r in enumerate((TOTAL_REGION, *(r.id for r in ledger.regions)))}
    return frame.sort_values(
        ["region_id", "process"],
        key=lambda c: c.map(order) if c.name == "region_id" else c.where(c != ALL, ""),
        kind="stable",
    ).reset_index(drop=True)


def _targets(keys: Sequence[int], regions: Sequence[RegionInfo]) -> Targets:
    """Where each row of the sums goes: its region and all, its process and all."""
    ids, names = [OUTSIDE_REGIONS, *(r.id for r in regions)], class_names()
    places: dict[tuple[str, str, str], int] = {}
    of_row = np.full((len(keys), 4), -1, np.int64)
    seen: dict[int, list[int]] = {}
    for n, key in enumerate(keys):
        if key not in seen:
            p = place_of(key)
            seen[key] = [-1] * 4
            if p.region and p.before in names and p.after in names:
                process = process_of(names[p.before][0], names[p.after][0], p.fate, p.was_forest)
                told = [(r, w, ALL) for r in (ids[p.region], TOTAL_REGION) for w in (process, ALL)]
                seen[key] = [places.setdefault(k, len(places)) for k in told]
        of_row[n] = seen[key]
    return Targets(tuple(places), of_row)


def _known(keys: Sequence[int]) -> NDArray[np.bool_]:
    """(rows, QUANTITIES): which stocks both epochs tell on a row's pixels."""
    bits = np.asarray([(p := place_of(k)).opening & p.closing for k in keys], np.int64)
    found = np.zeros((bits.size, len(QUANTITIES)), bool)
    for n, key in enumerate(COMPARED):
        found[:, QUANTITIES.index(key)] = bits >> n & 1
    return found


def _values(ledger: Ledger) -> dict[tuple[str, str, str], float]:
    t = ledger.transitions
    columns = [f"change_{q}" for q in TOLD]
    found: dict[tuple[str, str, str], float] = {}
    for part in (t.assign(process=ALL), t):
        summed = part.groupby(["region_id", "process"], sort=False)[columns].sum().reset_index()
        for row in summed.to_dict("records"):
            found |= {(row["region_id"], row["process"], q): float(row[f"change_{q}"]) for q in TOLD}
    return found


def of_maps(one: float, two: float, correlation: float) -> float:
    """Standard error of a difference of two maps' totals: √(s₁² + s₂² − 2 r s₁ s₂). Source: JCGM 100:2008, eq. 16."""
    return float(max(one**2 + two**2 - 2 * correlation * one * two, 0.0) ** 0.5)
