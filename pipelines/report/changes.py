"""What changed between the epochs of a finished change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pipelines.report.catalogue import Both, same
from pipelines.report.holdings import Range, ecosystem_name
from pipelines.report.runfolder import Run
from sinks.accounts import ALL, TOTAL_REGION
from sinks.parameters import records
from sinks.quantities import TOTAL

_WITHIN_NOISE: Final = "within_noise"
"""The process of land whose carbon moved by less than the maps' errors."""


@dataclass(frozen=True)
class Process:
    """One process: what became of some land. sure : whether its change is more than the maps' errors."""

    name: Both
    color: str
    area_ha: float
    gain: float
    loss: float
    change: float
    sure: bool = True


@dataclass(frozen=True)
class Story:
    """A change from its first epoch to its last.

    series : quantity → values by epoch; carbon : change of carbon [Mg C] with its interval; picture : the transitions drawn,
    by language.
    """

    epochs: tuple[int, ...]
    series: dict[str, tuple[float, ...]]
    carbon: Range
    removals: float
    emissions: float
    net_sink: float
    processes: tuple[Process, ...]
    picture: dict[str, str]

    @property
    def first(self) -> int:
        return self.epochs[0]

    @property
    def last(self) -> int:
        return self.epochs[-1]


def story(change: Run) -> Story:
    """Everything of a change that the report tells."""
    epochs = tuple(int(y) for y in change.about["epochs"])
    whole = {name: _whole(change.table(name), epochs) for name in ("errors.csv", "gross_fluxes.csv", "processes.csv")}
    flux = whole["gross_fluxes.csv"].iloc[0]
    errors = whole["errors.csv"]
    hit = errors[(errors["process"] == ALL) & (errors["quantity"] == TOTAL.key)]
    processes = whole["processes.csv"]
    carbon = (
        Range(float(hit["value"].iloc[0]), float(hit["low"].iloc[0]), float(hit["high"].iloc[0]))
        if len(hit) else Range(float(processes["change_mg_c"].sum()))
    )  # fmt: skip
    from pipelines.change import transitionplot  # with all of the samples behind it, which few reports tell of

    table = transitionplot.transitions(change.folder)
    return Story(
        epochs, _series(change, epochs), carbon, float(flux["gross_removals_t_co2_yr"]),
        float(flux["gross_emissions_t_co2_yr"]), float(flux["net_sink_t_co2_yr"]), _processes(processes),
        {language: transitionplot.sankey(table, (epochs[0], epochs[-1]), language) for language in ("en", "zh")},
    )  # fmt: skip


def _whole(table: pd.DataFrame, epochs: tuple[int, ...]) -> pd.DataFrame:
    first, last = table["year_from"] == epochs[0], table["year_to"] == epochs[-1]
    return table[(table["region_id"] == TOTAL_REGION) & first & last]


def _series(change: Run, epochs: tuple[int, ...]) -> dict[str, tuple[float, ...]]:
    t = change.table("series.csv")
    wide = t[t["region_id"] == TOTAL_REGION].pivot_table(index="quantity", columns="year", values="value")
    return {str(q): tuple(float(row.get(y, np.nan)) for y in epochs) for q, row in wide.iterrows()}


def _processes(table: pd.DataFrame) -> tuple[Process, ...]:
    known = {r["key"]: r for r in records("processes")}
    order = {key: int(r["code"]) for key, r in known.items()}
    rows = sorted(table.to_dict("records"), key=lambda r: order.get(r["process"], 999))
    return tuple(
        Process(
            Both(known[r["process"]]["name_en"], known[r["process"]]["name_zh"]) if r["process"] in known
            else same(r["process"]),
            known.get(r["process"], {}).get("color", ""), r["area_ha"], r["gain_mg_c"], r["loss_mg_c"], r["change_mg_c"],
            r["process"] != _WITHIN_NOISE,
        )
        for r in rows
    )  # fmt: skip


def class_name(label: str) -> Both:
    """A class of the transitions, "forest/broadleaf", by name."""
    ecosystem, _, forest_type = label.partition("/")
    return ecosystem_name(ecosystem, forest_type or ALL)
