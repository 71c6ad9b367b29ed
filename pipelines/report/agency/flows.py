"""Tables of a change: stock at two dates, what became of what, protected areas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.report import areas
from pipelines.report.agency.sheet import Column, Sheet, places
from pipelines.report.catalogue import Both, say
from pipelines.report.changes import class_name
from pipelines.report.runfolder import CHANGE, RESERVES, Run
from sinks.accounts import ALL, TOTAL_REGION
from sinks.quantities import TOTAL
from sinks.units import C_TO_CO2


def _span(change: Run, name: str) -> pd.DataFrame:
    """A table's rows from the first epoch to the last."""
    t, epochs = change.table(name), change.about["epochs"]
    return t[(t["year_from"] == epochs[0]) & (t["year_to"] == epochs[-1])]


def _names(change: Run, ids: list[str]) -> list[str | Both]:
    t = change.table("series.csv").drop_duplicates("region_id").set_index("region_id")["region_name"].to_dict()
    return [say("agency.whole") if i == TOTAL_REGION else str(t.get(i, i)) for i in ids]


def t12(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Carbon at two dates; the change split into that of land that changed its class and that of land that did not."""
    if CHANGE not in beside:
        return None
    change = beside[CHANGE]
    years = change.about["epochs"][-1] - change.about["epochs"][0]
    t = _span(change, "transitions.csv")
    t = t.assign(moved=(t["from_class"] != t["to_class"]))
    part = t[t["quantity"] == f"change_{TOTAL.key}"]
    ids = list(dict.fromkeys(part["region_id"].astype(str)))

    def summed(frame: pd.DataFrame) -> list[float]:
        return frame.groupby("region_id")["value"].sum().reindex(ids, fill_value=0.0).tolist()

    opening, closing = (summed(t[t["quantity"] == f"{side}_{TOTAL.key}"]) for side in ("opening", "closing"))
    whole, by_area, by_density = summed(part), summed(part[part["moved"]]), summed(part[~part["moved"]])
    errors = _span(change, "errors.csv")
    errors = (
        errors[(errors["process"] == ALL) & (errors["quantity"] == TOTAL.key)]
        .drop_duplicates("region_id")
        .set_index("region_id")
    )
    ends = {c: [float(errors[c].get(i, np.nan)) for i in ids] for c in ("low", "high")}
    yearly = [v / years for v in whole]
    return Sheet(
        (
            *places(ids, _names(change, ids)),  # type: ignore[arg-type]
            Column(say("agency.opening", year=change.about["epochs"][0]), opening, "carbon", opening),
            Column(say("agency.closing", year=change.about["epochs"][-1]), closing, "carbon", opening),
            Column(say("agency.change"), whole, "carbon", whole), Column(say("agency.low"), ends["low"], "carbon", whole),
            Column(say("agency.high"), ends["high"], "carbon", whole),
            Column(say("agency.by_area"), by_area, "carbon", whole),
            Column(say("agency.by_density"), by_density, "carbon", whole),
            Column(say("agency.yearly"), yearly, "carbon_yr"),
            Column(say("agency.yearly_co2"), [v * C_TO_CO2 for v in yearly], "co2_yr"),
        )
    )  # fmt: skip


def t13(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Class before × class after, area and change of carbon, of every region."""
    if CHANGE not in beside:
        return None
    change = beside[CHANGE]
    t = _span(change, "transitions.csv")
    t = t[t["quantity"].isin(["area", f"change_{TOTAL.key}"])]
    wide = t.pivot_table(
        index=["region_id", "from_class", "to_class"], columns="quantity", values="value", aggfunc="sum", sort=False
    )
    wide = wide.reset_index()
    ids = wide["region_id"].astype(str).tolist()
    return Sheet(
        (
            *places(ids, _names(change, ids)),  # type: ignore[arg-type]
            Column(say("agency.from"), [class_name(c) for c in wide["from_class"]]),
            Column(say("agency.to"), [class_name(c) for c in wide["to_class"]]),
            Column(say("column.area"), wide["area"].tolist(), "area"),
            Column(say("agency.change"), wide[f"change_{TOTAL.key}"].tolist(), "carbon"),
        )
    )  # fmt: skip


def t14(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Protected areas and red lines: carbon and its change inside and outside, land lost to construction."""
    if RESERVES not in beside:
        return None
    rows = areas.areas(beside[RESERVES])
    carbon = [a.closing for a in rows]
    return Sheet(
        (
            Column(say("agency.code"), [a.id for a in rows]), Column(say("reserves.name"), [a.name for a in rows]),
            Column(say("column.area"), [a.area_ha for a in rows], "area"),
            Column(say("column.opening"), [a.opening for a in rows], "carbon", carbon),
            Column(say("column.closing"), carbon, "carbon", carbon),
            Column(say("agency.change"), [a.change for a in rows], "carbon"),
            Column(say("reserves.built"), [a.built_ha for a in rows], "area"),
            Column(say("reserves.built_carbon"), [a.built_carbon for a in rows], "carbon"),
            Column(say("agency.patches"), [f"{a.patches:.0f}" if np.isfinite(a.patches) else "" for a in rows]),
        )
    )  # fmt: skip
