"""What a figure tells of each region and ecosystem, out of the tables of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sinks.accounts import ALL, TOTAL_REGION
from sinks.ecosystems import classes
from sinks.quantities import POOL_KEYS, TOTAL

REGION_FIGURES: Final = ("coverage", "density", "gap")
"""What regions can be coloured by."""


@dataclass(frozen=True)
class Tables:
    """The account in tidy form, the coverage and the scorecard of a run."""

    tidy: pd.DataFrame
    coverage: pd.DataFrame
    scorecard: pd.DataFrame

    def of_regions(self, what: str, ids: Sequence[str]) -> dict[str, float]:
        """Value of each region, NaN where there is none: coverage [%], carbon density [Mg C/ha] or gap to target [points]."""
        if what == "coverage":
            top = self.coverage[self.coverage["headline"].astype(bool)]
            found = dict(zip(top["region_id"].astype(str), top["coverage_percent"], strict=True))
        elif what == "density":
            found = self._density()
        else:
            goals = self.goals()
            found = dict(zip(goals["region_id"], goals["value"] - goals["target_value"], strict=True))
        return {i: float(found.get(i, np.nan)) for i in ids}

    def _density(self) -> dict[str, float]:
        t = self.tidy[(self.tidy["ecosystem"] == ALL) & (self.tidy["forest_type"] == ALL)]
        wide = t.pivot_table(index="region_id", columns="quantity", values="value")
        return {str(k): v for k, v in (wide[TOTAL.key] / wide["area"]).items()}

    def goals(self) -> pd.DataFrame:
        """The next coverage target of each region that has one of its own; where none has, the national one of all."""
        card = self._coverage_targets()
        parts = card[card["region_id"] != TOTAL_REGION]
        chosen = card[card["role"] != "reference"] if (parts["role"] != "reference").any() else card
        return chosen.sort_values("year", kind="stable").drop_duplicates("region_id").reset_index(drop=True)

    @property
    def national_only(self) -> bool:
        """Whether :meth:`goals` are the national target, which binds no region."""
        goals = self.goals()
        return bool(len(goals)) and bool((goals["role"] == "reference").all())

    def national(self) -> list[tuple[int, float]]:
        """Year and value of the national coverage targets that the regions are held beside."""
        card = self._coverage_targets()
        card = card[card["role"] == "reference"]
        return sorted({(int(y), float(v)) for y, v in zip(card["year"], card["target_value"], strict=True)})

    def _coverage_targets(self) -> pd.DataFrame:
        card = self.scorecard[self.scorecard["target"] == "forest_coverage"]
        return card.assign(region_id=card["region_id"].astype(str))

    def pools(self) -> pd.DataFrame:
        """Ecosystems × pools of all regions [Mg C], in the order of the map, with the interval of their total."""
        t = self.tidy
        t = t[(t["region_id"] == TOTAL_REGION) & (t["forest_type"] == ALL) & (t["ecosystem"] != ALL)]
        wide = t.pivot_table(index="ecosystem", columns="quantity", values="value").reindex(
            columns=[*POOL_KEYS, TOTAL.key]
        )
        sure = t[t["quantity"] == TOTAL.key].set_index("ecosystem").reindex(wide.index)
        for column in ("low", "high"):
            wide[column] = sure.get(column, np.nan)
        order = list(dict.fromkeys(c.ecosystem for c in classes().values()))
        wide = wide[wide[TOTAL.key] > 0]
        return wide.iloc[np.argsort([order.index(e) if e in order else len(order) for e in wide.index], kind="stable")]


def ecosystem_name(key: str, language: str) -> str:
    """Name of an ecosystem; forest as a whole has a name of its own."""
    if key == "forest":
        return "森林" if language == "zh" else "Forest"
    found = next((c for c in classes().values() if c.ecosystem == key), None)
    if found is None:
        return key.replace("_", " ").capitalize()
    return found.name_zh if language == "zh" else found.name_en
