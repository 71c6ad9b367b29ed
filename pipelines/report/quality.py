"""How good the figures are: area that was lost, where the error comes from, accuracy by sample, checks that hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipelines.report.catalogue import Both, messages, same, say
from pipelines.report.figures import summary
from pipelines.report.holdings import Range, ecosystem_name, range_of, total
from pipelines.report.runfolder import SAMPLE, Run
from sinks.accounts import ALL, TOTAL_REGION
from sinks.quantities import TOTAL, VOLUME

_SHARES: Final = "share_"
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
        tuple(about.get("warnings", ())), tuple(about.get("notes", ())),
    )  # fmt: skip


def _area(run: Run) -> tuple[Part, ...]:
    row = run.layer("assessment.gpkg", "region_table").set_index("region_id").loc[TOTAL_REGION]
    lost = {k: float(np.nan_to_num(row[f"{k}_ha"])) for k in ("nodata", "unknown", "outside_rasters")}
    inside = float(row["area_ha"])
    amounts = {"classed": inside - lost["nodata"] - lost["unknown"], **lost}
    whole = sum(amounts.values())
    return tuple(Part(k, say(f"area.{k}"), a, a / whole if whole else np.nan) for k, a in amounts.items())


def _budgets(run: Run) -> tuple[Budget, ...]:
    if not run.has("errors.csv") or run.table("errors.csv").empty:
        return ()
    t = run.table("errors.csv")
    t = t[(t["region_id"] == TOTAL_REGION) & (t["forest_type"] == ALL)]
    found = []
    for name, ecosystem, quantity in (("term.stock", "forest", VOLUME.key), ("term.carbon_stock", ALL, TOTAL.key)):
        rows = t[t["ecosystem"] == ecosystem].set_index("quantity")
        if quantity not in rows.index:
            continue
        row, told = rows.loc[quantity], range_of(rows, quantity)
        parts = tuple(
            Part(c.removeprefix(_SHARES), say(f"share.{c.removeprefix(_SHARES)}"), float(row[c]), float(row[c]))
            for c in t.columns if c.startswith(_SHARES) and row[c] >= _LEAST_SHARE
        )  # fmt: skip
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
    begin, _, rest = name.partition(": ")
    what, _, region = begin.partition(" of ")
    key = f"check.{what}: {rest}"
    return say(key, region=region) if key in messages() else same(name)
