"""The scorecard of a finished run, made again from its account."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from pipelines.assess import summary
from pipelines.files import tables
from pipelines.files.text import read_text
from pipelines.samples import samples
from sinks import targets
from sinks.accounts import TOTAL_REGION

_COVERAGE: Final = ("region_id", "region_name", "coverage_percent", "headline")


def of_run(
    run: Path,
    own: Path | None,
    document: str,
    whole_nation: bool,
    sample: Path | None = None,
    column: str = "reference",
) -> pd.DataFrame:
    """How the regions of a run stand against targets of the user's choice.

    sample : a labelled reference sample: coverage and stock of all regions together, corrected by it, stand beside the
    map's. Raises InputError when it is no run.
    """
    account = tables.read_account(run)
    coverage = tables.read_output(
        run, "coverage.csv", _COVERAGE, dtype={"region_id": str, "region_name": str}, keep_default_na=True
    )
    coverage["region_name"] = coverage["region_name"].fillna("")
    mine = targets.read_targets(read_text(own).text, str(own)) if own else ()
    sampled = _sampled(run, sample, column) if sample else {}
    return targets.scorecard(
        account, coverage, targets.national(document=document), mine, whole_nation=whole_nation,
        draws=targets.stock_draws(account), sampled=sampled,
    )  # fmt: skip


def _sampled(run: Path, sample: Path, column: str) -> dict[tuple[str, str], targets.Sampled]:
    """Coverage and stock of the union, corrected by the sample."""
    told = samples.estimate(run, sample, column=column).summary
    found = {}
    figures = {
        "forest_coverage": (told.get("coverage") or {}).get("corrected_percent"),
        "forest_stock": (told.get("corrected") or {}).get("stock_volume", {}).get("corrected"),
    }
    for indicator, figure in figures.items():
        value, se = ((figure or {}).get(k) for k in ("value", "se"))
        if value is not None and se is not None:
            draws = targets.normal_draws(value, se)
            found[TOTAL_REGION, indicator] = targets.Sampled(
                value, draws, f"corrected by the reference sample {sample.name}"
            )
    return found


def register_text() -> str:
    """Every target of the register, by document; those that maps cannot tell are marked."""
    lines = []
    for t in targets.register():
        mark = "" if t.assessed else "  (not read from maps)"
        value = f"{t.value / 1e9:g} billion m³" if t.unit == "m3" else f"{t.value:g} {t.unit}"
        lines.append(f"{t.document:28} {t.year}  {t.indicator:24} {t.comparison} {value}{mark}")
    return "\n".join(lines)


def text(card: pd.DataFrame, paint: summary.Paint = summary.plain) -> str:
    """The scorecard for the screen."""
    names = card["region_name"].fillna("")
    return summary.scorecard_text(card.assign(region_name=names), paint)
