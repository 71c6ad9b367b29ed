"""How good the figures are: area that was lost, where the error comes from, accuracy by sample, checks that hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.report.catalogue import Both, same, say
from pipelines.report.figures import summary
from pipelines.report.holdings import Range, ecosystem_name, range_of, total, whole_row
from pipelines.report.runfolder import SAMPLE, Run, file_name
from sinks.accounts import ALL, TOTAL_REGION
from sinks.quantities import TOTAL, VOLUME

_SHARES: Final = "share_"
_CHECKS: Final = {
    "area_classes": r"area of (?P<region>.+): ecosystems \+ unknown \+ no data = pixels",
    "pools": r"carbon: sum of pools = total",
    "regions": r"area: sum of regions = total",
    "polygons": r"area: pixels \+ outside the rasters ≈ polygons",
    "map": r"total carbon: map = account",
    "balance": r"(?P<span>\S+): opening \+ gains \+ losses ± transfers = closing",
    "transitions": r"(?P<span>\S+): area of transitions = pixels",
    "opening": r"(?P<span>\S+): opening (?P<quantity>\S+) of (?P<region>.+): transitions = account of the epoch",
    "closing": r"(?P<span>\S+): closing (?P<quantity>\S+) of (?P<region>.+): transitions = account of the epoch",
    "change_map": r"change of carbon: map = transitions",
}
"""Message of a check → the words in which runs write it down."""
_STOCKS: Final = {TOTAL.key: "term.carbon_stock", VOLUME.key: "term.stock"}
_LEAST_SHARE: Final = 5e-4
"""Sources below this part of the variance are not listed."""


@dataclass(frozen=True)
class Part:
    """A part of a whole: of the area, or of the variance."""

    key: str
    name: Both
    amount: float
    share: float


@dataclass(frozen=True)
class Budget:
    """Where the error of one figure comes from. relative : half of the 95 % interval against the value."""

    name: Both
    relative: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Accuracy:
    """A reference sample. classes : (name, mapped ha, corrected area, user's accuracy, producer's accuracy)."""

    points: int
    overall: Range
    classes: tuple[tuple[Both, float, Range, float, float], ...]


@dataclass(frozen=True)
class Check:
    """One check of a run: two ways to the same number."""

    name: Both
    left: float
    right: float
    difference: float
    closed: bool


@dataclass(frozen=True)
class Quality:
    """All of it. warnings, notes : sentences of the run, as it wrote them."""

    area: tuple[Part, ...]
    no_biomass_ha: float
    budgets: tuple[Budget, ...]
    accuracy: Accuracy | None
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def quality(run: Run, beside: Mapping[str, Run]) -> Quality:
    """What a run says of its own quality."""
    about = run.about
    return Quality(
        _area(run), total(run, "area_without_biomass", "forest").value, _budgets(run),
        _accuracy(beside[SAMPLE]) if SAMPLE in beside else None, checks(about),
        run_words(run, "warnings"), run_words(run, "notes"),
    )  # fmt: skip


def of_change(change: Run) -> Quality:
    """What a change alone says of its own quality; its errors are told with its figures."""
    about = change.about
    return Quality((), np.nan, (), None, checks(about), run_words(change, "warnings"), run_words(change, "notes"))


def _area(run: Run) -> tuple[Part, ...]:
    row = whole_row(run)
    lost = {k: float(np.nan_to_num(row[f"{k}_ha"])) for k in ("nodata", "unknown", "outside_rasters")}
    inside = row["area_ha"]
    amounts = {"classed": inside - lost["nodata"] - lost["unknown"], **lost}
    whole = sum(amounts.values())
    return tuple(Part(k, say(f"area.{k}"), a, a / whole if whole else np.nan) for k, a in amounts.items())


def _budgets(run: Run) -> tuple[Budget, ...]:
    t = run.table("errors.csv") if run.has("errors.csv") else pd.DataFrame()
    if t.empty:
        return ()
    t = t[(t["region_id"] == TOTAL_REGION) & (t["forest_type"] == ALL)]
    found = []
    for name, ecosystem, quantity in (("term.stock", "forest", VOLUME.key), ("term.carbon_stock", ALL, TOTAL.key)):
        rows = t[t["ecosystem"] == ecosystem].set_index("quantity")
        if quantity not in rows.index:
            continue
        told = range_of(rows, quantity)
        sources = [c for c in t.columns if c.startswith(_SHARES)]
        shares = zip(
            (c.removeprefix(_SHARES) for c in sources), rows.loc[quantity, sources].to_numpy(float), strict=True
        )
        parts = tuple(Part(k, say(f"share.{k}"), s, s) for k, s in shares if s >= _LEAST_SHARE)
        if told.known and parts:
            found.append(Budget(say(name), (told.high - told.low) / 2 / told.value, parts))
    return tuple(found)


def _accuracy(sample: Run) -> Accuracy:
    told = summary(sample)
    overall = told["overall_accuracy"]
    t = sample.table("sample_classes.csv")
    classes = tuple(
        (_class_name(r["class"]), r["mapped_area_ha"], Range(r["area_ha"], r["area_low_ha"], r["area_high_ha"]),
         r["users_accuracy"], r["producers_accuracy"])
        for r in t.to_dict("records")
    )  # fmt: skip
    return Accuracy(int(told["points"]), Range(overall["value"], overall["low"], overall["high"]), classes)


def _class_name(label: str) -> Both:
    ecosystem, _, forest_type = str(label).partition("/")
    return ecosystem_name(ecosystem, forest_type or ALL)


def checks(about: Mapping[str, Any]) -> tuple[Check, ...]:
    """The checks that a run made of itself."""
    return tuple(
        Check(_check_name(c["name"]), float(c["left"]), float(c["right"]), float(c["difference"]), bool(c["closed"]))
        for c in about.get("closure", ())
    )


def _check_name(name: str) -> Both:
    """By the catalogue; a check that it does not know keeps the run's words."""
    for key, pattern in _CHECKS.items():
        if found := re.fullmatch(pattern, name):
            places: dict[str, object] = dict(found.groupdict())
            if "quantity" in places:
                places["quantity"] = say(_STOCKS[str(places["quantity"])])
            return say(f"check.{key}", **places)
    return same(name)


def run_words(run: Run, kind: str) -> tuple[str, ...]:
    """Notes or warnings as the run wrote them, its inputs by their names alone."""
    about = run.about
    paths = sorted(_paths(about.get("inputs", {})) | _paths(about.get("study", {})), key=len, reverse=True)
    found = []
    for line in about.get(kind, ()):
        for path in paths:
            line = line.replace(path, file_name(path))
        found.append(line)
    return tuple(found)


def _paths(told: Any) -> set[str]:
    """Everything in a part of the manifest that looks like a path or an address."""
    if isinstance(told, str):
        return {told} if "/" in told or "\\" in told else set()
    parts = told.values() if isinstance(told, dict) else told if isinstance(told, list | tuple) else ()
    return set().union(*map(_paths, parts))
