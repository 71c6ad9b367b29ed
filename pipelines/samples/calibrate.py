"""A finished run reconciled with official statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.files import tables
from pipelines.files.text import read_text
from sinks import calibration
from sinks.accounts import ALL
from sinks.calibration import Calibration

_MOST: Final = 100
"""Rows on the screen."""


def of_run(run: Path, official: Path, margins: Sequence[str] = (), *, total: bool = False) -> Calibration:
    """Raw, official and calibrated values of a run's regions. Raises InputError naming what is wrong and the mend."""
    tidy = _tidy(run)
    figures = calibration.read_official(read_text(official).text, str(official))
    return calibration.calibrate(tidy, figures, margins, total=total)


def _tidy(run: Path) -> pd.DataFrame:
    """The account of a run as it was published, with its standard errors. Raises InputError when there is none."""
    return tables.read_output(run, "accounts.parquet")


def text(found: Calibration) -> str:
    """The calibration for the screen, raw and calibrated side by side."""
    table, shown = found.table, []
    told = table[table["calibrated"].notna() | table["official"].notna()]
    for _, r in told.head(_MOST).iterrows():
        kind = r["ecosystem"] if r["forest_type"] == ALL else r["forest_type"]
        shown.append({
            "region": f"{r['region_id']} {r['region_name']}".strip(), "of": kind, "quantity": f"{r['quantity']} [{r['unit']}]",
            "raw": _big(r["raw"]), "official": _big(r["official"]), "calibrated": _big(r["calibrated"]),
            "residual": _big(r["residual"]), "factor": "–" if not np.isfinite(r["factor"]) else f"{r['factor']:.4f}",
            "± se": _big(r["se"]), "se of": r["se_covers"] or "–",
        })  # fmt: skip
    lines = ["The map as it is (raw) and brought to the official figures (calibrated); residual: what that added", ""]
    with pd.option_context("display.unicode.east_asian_width", True):
        lines += [pd.DataFrame(shown).to_string(index=False), ""]
    if len(told) > _MOST:
        lines += [f"… and {len(told) - _MOST} more rows in the table that is written", ""]
    lines += [f"Note: {n}" for n in found.notes] + [f"Warning: {w}" for w in found.warnings]
    return "\n".join(lines)


def as_json(found: Calibration) -> dict[str, Any]:
    """The same for machines: plain values, null where there is none."""
    rows = found.table.to_dict(orient="records")
    plain = [{str(k): None if isinstance(v, float) and not np.isfinite(v) else v for k, v in r.items()} for r in rows]
    return {"calibration": plain, "notes": list(found.notes), "warnings": list(found.warnings)}


def _big(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
