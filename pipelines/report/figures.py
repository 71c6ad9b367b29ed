"""The headline figures of a run, each with its interval."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.report.amounts import interval, said, said_apart
from pipelines.report.catalogue import Both, joined, same, say
from pipelines.report.changes import Story
from pipelines.report.holdings import Range, total, whole_row
from pipelines.report.runfolder import CHANGE, SAMPLE, Run
from sinks.accounts import TOTAL_REGION
from sinks.quantities import BY_KEY, SINK_KEYS, TOTAL, VOLUME
from sinks.units import C_TO_CO2


@dataclass(frozen=True)
class Headline:
    """One figure of the front page. about : a line below it; more : further lines, a name and an amount each; change : whether
    it can rise and fall, and so is told with its sign."""

    key: str
    name: Both
    amount: Range
    kind: str
    about: Both
    more: tuple[tuple[Both, float, str], ...] = ()
    change: bool = False

    @property
    def told(self) -> tuple[Both, Both]:
        """Number and unit."""
        number, unit = said_apart(self.amount.value, self.kind)
        plus = "+" if self.change and self.amount.value > 0 else ""
        return Both(plus + number.en, plus + number.zh), unit

    @property
    def exact(self) -> Both:
        """The whole number in SI, beside the Chinese or rounded one; empty where it says no more."""
        if self.kind not in ("volume", "carbon") or not np.isfinite(self.amount.value):
            return same("")
        return same(f"{self.amount.value:,.0f} {'m³' if self.kind == 'volume' else 't C'}")

    @property
    def told_interval(self) -> Both:
        """Empty where none is known."""
        if not self.amount.known:
            return same("")
        return interval(self.amount.low, self.amount.high, self.amount.value, self.kind)


def context(run: Run) -> Mapping[str, Any]:
    """Year, definition, depth and legend of a run, wherever its manifest has them."""
    about = run.about
    study = about.get("study", {})
    study = {**study, **(study["epochs"][-1] if "epochs" in study else {})}
    options = about.get("options", {})
    return {
        "forest_definition": about.get("forest_definition"), "year": study.get("year"), "legend": study.get("legend"),
        "soil_depth_cm": options.get("soil_depth_cm", study.get("soil_depth")), "parameters": about.get("parameters"),
        "draws": study.get("draws"), "error_range": study.get("error_range"),
        **{k: v for k, v in about.get("context", {}).items() if v is not None},
    }  # fmt: skip


def headlines(run: Run, beside: Mapping[str, Run]) -> list[Headline]:
    """Coverage, stock, carbon stock, carbon density and the sinks that are known: of all regions together."""
    found = [_coverage(run, beside.get(SAMPLE)), *_stocks(run)]
    if CHANGE in beside:
        return [*found, net_sink(beside[CHANGE])]
    return [*found, *_sinks(run)]


def _coverage(run: Run, sample: Run | None) -> Headline:
    t = run.table("coverage.csv")
    t = t[t["region_id"] == TOTAL_REGION]
    top = t[t["headline"].astype(bool)].iloc[0]
    others = t[t["denominator"] == top["denominator"]].set_index("variant")["coverage_percent"]
    about = say(
        "headline.coverage.about",
        land=said(top["land_area_ha"], "area"),
        denominator=say(f"denominator.{top['denominator']}"),
    )
    more = [(say(f"variant.{v}"), float(others[v]), "percent") for v in ("arbor_only", "arbor_bamboo") if v in others]
    amount = Range(float(top["coverage_percent"]))
    if sample is not None and (found := corrected_coverage(sample)) is not None:
        more.insert(0, (say("headline.coverage.mapped"), amount.value, "percent"))
        amount, about = found, joined([about, say("headline.coverage.corrected")], "list.semicolon")
    return Headline("coverage", say("term.coverage"), amount, "percent", about, tuple(more))


def corrected_coverage(sample: Run) -> Range | None:
    """The coverage rate by the reference sample, where the sample told one."""
    found = summary(sample).get("coverage", {}).get("corrected_percent")
    return Range(found["value"], found["low"], found["high"]) if found else None


def summary(sample: Run) -> dict[str, Any]:
    """What a reference sample told."""
    return json.loads((sample.folder / "sample_summary.json").read_text(encoding="utf-8"))


def _stocks(run: Run) -> list[Headline]:
    stock, carbon = total(run, VOLUME.key, "forest"), total(run, TOTAL.key)
    whole = whole_row(run)
    area = whole["area_ha"]
    depth = context(run)["soil_depth_cm"]
    return [
        Headline("stock", say("term.stock"), Range(whole["stock_m3"], stock.low, stock.high), "volume",
                 say("headline.stock.about", density=said(whole["stock_m3_per_ha"], "volume_density"))),
        Headline("carbon", say("term.carbon_stock"), carbon, "carbon", say("headline.carbon.about", depth=depth)),
        Headline("density", say("term.carbon_density"), Range(*(x / area for x in (carbon.value, carbon.low, carbon.high))),
                 "carbon_density", say("headline.density.about", area=said(area, "area"))),
    ]  # fmt: skip


def _sinks(run: Run) -> list[Headline]:
    """One card for all: they are told apart and never added up, for the biomass of forest takes two dates."""
    known = [(BY_KEY[k], total(run, k)) for k in SINK_KEYS]
    known = [(q, found) for q, found in known if np.isfinite(found.value) and found.value != 0]
    if not known:
        return []
    more = tuple((say(f"sink.{q.key}"), found.value * C_TO_CO2, "co2_yr") for q, found in known)
    return [Headline("sinks", say("term.sink"), Range(np.nan), "co2_yr", say("headline.sinks.about"), more)]


def net_sink(change: Run) -> Headline:
    """What the land took up a year between the first and the last epoch, in the period."""
    t = change.table("gross_fluxes.csv")
    first, last = change.about["epochs"][0], change.about["epochs"][-1]
    row = t[(t["region_id"] == TOTAL_REGION) & (t["year_from"] == first) & (t["year_to"] == last)].iloc[0]
    more = (
        (say("change.removals"), float(row["gross_removals_t_co2_yr"]), "co2_yr"),
        (say("change.emissions"), float(row["gross_emissions_t_co2_yr"]), "co2_yr"),
    )
    about = say("headline.net_sink.about", first=first, last=last)
    return Headline(
        "net_sink", say("term.net_sink"), Range(float(row["net_sink_t_co2_yr"])), "co2_yr", about, more, change=True
    )


def of_change(change: Run, story: Story) -> list[Headline]:
    """Of a change alone: change of carbon, net sink, change of coverage."""
    span = say("headline.change.about", first=story.first, last=story.last)
    found = [Headline("change", say("term.change"), story.carbon, "carbon", span, change=True), net_sink(change)]
    rates = story.series.get("coverage_percent", ())
    if len(rates) > 1:
        more = tuple((same(y), v, "percent") for y, v in zip(story.epochs, rates, strict=True))
        amount = Range(rates[-1] - rates[0])
        found.append(
            Headline("coverage_change", say("term.coverage_change"), amount, "points", span, more, change=True)
        )
    return found
