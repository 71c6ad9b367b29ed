"""How the regions stand against their targets, in plain words: the report's first sentence."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.report.amounts import interval, said, signed
from pipelines.report.catalogue import Both, joined, messages, same, say
from pipelines.report.figures import context
from pipelines.report.holdings import Range, stock_ranges
from pipelines.report.runfolder import Run
from sinks.accounts import TOTAL_REGION
from sinks.budget import Z95
from sinks.sampling import Estimate
from sinks.targets import verdict

KINDS: Final = {"forest_coverage": "percent", "forest_stock": "volume"}
"""Indicator → how its amounts are said."""
_TITLES: Final = {"forest_coverage": "term.coverage", "forest_stock": "term.stock"}
JUDGED: Final = ("own", "national")
"""Roles of targets that a region is held to; others stand beside it."""
GOOD, OPEN, BAD, NEUTRAL = "good", "open", "bad", "neutral"
_TONES: Final = {
    "met": GOOD, "likely met": GOOD, "above": GOOD, "undecided": OPEN, "likely missed": BAD, "missed": BAD, "below": BAD,
    "contributes": NEUTRAL, "unknown": NEUTRAL,
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """One target and one region.

    value, target : in the indicator's unit; share : of the target [%]; role, status, probability : as in the scorecard;
    map_year : what the maps stand for, 0 where it is not known.
    """

    region_id: str
    region_name: str
    indicator: str
    year: int
    target: float
    value: Range
    gap: float
    role: str
    status: str
    probability: float
    share: float
    document: Both
    official: float
    official_year: str
    map_year: int = 0

    @property
    def kind(self) -> str:
        return KINDS[self.indicator]

    @property
    def tone(self) -> str:
        return _TONES[self.status]

    @property
    def name(self) -> Both:
        return say(f"indicator.{self.indicator}")

    @property
    def verdict(self) -> Both:
        """One or two words."""
        if self.status == "contributes":
            return say("verdict.contributes", share=said(self.share, "share"))
        return say(f"verdict.{self.status.replace(' ', '_')}{'.yet' if self.early else ''}")

    @property
    def early(self) -> bool:
        """Whether a target that is missed has a year that the maps have not come to."""
        return self.tone == BAD and self.role in JUDGED and 0 < self.map_year < self.year

    @property
    def title(self) -> Both:
        """The indicator's name as it begins a line."""
        return say(_TITLES[self.indicator])

    @property
    def brief(self) -> Both:
        """Indicator, year and verdict, for a cell of a table."""
        return say("verdict.brief", indicator=self.title, year=self.year, verdict=self.verdict)

    @property
    def sentence(self) -> Both:
        """Target, figure, verdict."""
        within = say("answer.interval", interval=self.told_interval) if self.value.known else say("answer.no_interval")
        return say(
            "answer.sentence", indicator=self.title, target=said(self.target, self.kind), year=self.year,
            value=said(self.value.value, self.kind), within=within, verdict=self.verdict,
        )  # fmt: skip

    @property
    def told_line(self) -> Both:
        """Figure, interval, target and probability, below a gauge."""
        parts = [say("targets.line", value=said(self.value.value, self.kind), target=said(self.target, self.kind))]
        if self.value.known:
            parts.append(say("figures.interval", interval=self.told_interval))
        if np.isfinite(self.probability):
            told = (
                "< 0.01"
                if self.probability < 0.005
                else "> 0.99"
                if self.probability > 0.995
                else f"{self.probability:.2f}"
            )
            parts.append(say("answer.probability", p=told))
        return joined(parts, "list.semicolon")

    @property
    def told_interval(self) -> Both:
        return interval(self.value.low, self.value.high, self.value.value, self.kind)

    @property
    def scope(self) -> Both:
        """Whose target it is, and what that means for this region."""
        gap = signed(self.gap, "points" if self.kind == "percent" else self.kind)
        return say(
            f"scope.{self.role}", document=self.document, gap=gap, share=said(self.share, "share"),
            official=self._official,
        )  # fmt: skip

    @property
    def _official(self) -> Both:
        if not np.isfinite(self.official):
            return same("")
        return say("scope.official", value=said(self.official, self.kind), year=self.official_year)


def standings(run: Run, coverage: Range | None = None) -> list[Standing]:
    """Every row of the scorecard. coverage : of the whole by a reference sample, which is then held against its targets."""
    stocks = stock_ranges(run)
    year = int(context(run)["year"] or 0)
    found = [_standing(row, stocks, year) for row in run.table("scorecard.csv").to_dict("records")]
    if coverage is None:
        return found
    return [
        _corrected(s, coverage) if s.region_id == TOTAL_REGION and s.indicator == "forest_coverage" else s
        for s in found
    ]


def _corrected(standing: Standing, value: Range) -> Standing:
    """The same target with the figure of the reference sample, judged by its probability."""
    se = (value.high - value.low) / 2 / Z95
    probability = NormalDist(value.value, se).cdf(standing.target) if se > 0 else float(value.value < standing.target)
    found = replace(standing, value=value, gap=value.value - standing.target)
    if standing.role in JUDGED:
        return replace(found, probability=1 - probability, status=verdict(1 - probability))
    return replace(found, status="above" if found.gap >= 0 else "below")


def _standing(row: Mapping[Hashable, Any], stocks: dict[str, tuple[float, float]], year: int) -> Standing:
    document = str(row["document"])
    low = high = np.nan
    if row["target"] == "forest_stock":
        low, high = stocks.get(str(row["region_id"]), (np.nan, np.nan))
    elif np.isfinite(row["se"]):
        low, high = Estimate(float(row["value"]), float(row["se"]), np.inf).interval()
    return Standing(
        str(row["region_id"]), _text(row["region_name"]), str(row["target"]), int(row["year"]), float(row["target_value"]),
        Range(float(row["value"]), low, high), float(row["gap"]), str(row["role"]), str(row["status"]),
        float(row["probability"]), float(row["contribution_percent"]),
        messages().get(f"document.{document}") or same(document), float(row["official_value"]), _text(row["official_year"]), year,
    )  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def of_the_whole(found: list[Standing]) -> list[Standing]:
    """Those of all regions together."""
    return [s for s in found if s.region_id == TOTAL_REGION]


def own(found: list[Standing]) -> list[Standing]:
    """Those of single regions with a target of their own."""
    return [s for s in found if s.region_id != TOTAL_REGION and s.role == "own"]
