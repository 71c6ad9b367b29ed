"""Tables on the tables: by what rules, and how sure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.report import method, quality
from pipelines.report.agency.sheet import Column, Sheet, places
from pipelines.report.agency.stocks import regions
from pipelines.report.catalogue import Both, same, say
from pipelines.report.figures import context
from pipelines.report.runfolder import Run
from sinks.accounts import ALL
from sinks.quantities import TOTAL, VOLUME


def t19(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Definition, denominator, year, sources, method."""
    known = context(run)
    coverage = run.table("coverage.csv")
    top = coverage[coverage["headline"].astype(bool)].iloc[0]
    told = method.method(run)
    rows: list[tuple[Both, Both]] = [
        (say("agency.basis.year"), same(known["year"] or "")),
        (say("agency.basis.land"), say(f"denominator.{top['denominator']}")),
        *((say("agency.basis.rule"), rule) for rule in told.rules),
        *((say("agency.basis.input"), same(f"{layer}: {file}")) for layer, file, _ in told.inputs),
        *((say("agency.basis.note"), same(note)) for note in quality.run_words(run, "notes")),
    ]
    return Sheet(
        (Column(say("agency.basis.item"), [k for k, _ in rows]), Column(say("agency.basis.text"), [v for _, v in rows]))
    )


def t20(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Precision at 95 %: one less half of the interval against the value."""
    t = run.table("accounts.csv")
    stock = (t["ecosystem"] == "forest") & (t["quantity"] == VOLUME.key)
    carbon = (t["ecosystem"] == ALL) & (t["quantity"] == TOTAL.key)
    part = t[(t["forest_type"] == ALL) & t["se"].notna() & (stock | carbon)]
    if part.empty:
        return None
    known = regions(run)
    rows = [r for r in part.to_dict("records") if str(r["region_id"]) in known]
    half = [100 * (r["high"] - r["low"]) / 2 / r["value"] if r["value"] else np.nan for r in rows]
    names = {VOLUME.key: say("term.stock"), TOTAL.key: say("term.carbon_stock")}
    return Sheet(
        (
            *places([str(r["region_id"]) for r in rows], [known[str(r["region_id"])] for r in rows]),  # type: ignore[misc]
            Column(say("agency.indicator"), [names[r["quantity"]] for r in rows]),
            Column(say("agency.relative"), half, "percent"),
            Column(say("agency.precision"), [100 - h for h in half], "percent"),
        )
    )  # fmt: skip


def t20_checks(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Every check of the run."""
    found = quality.checks(run.about)
    return Sheet(
        (
            Column(say("quality.checks"), [c.name for c in found]),
            Column(say("quality.apart"), [f"{c.difference:.1e}" for c in found]),
            Column(say("agency.verdict.check"), [say("rule.yes" if c.closed else "rule.no") for c in found]),
        ),
        "checks",
    )  # fmt: skip
