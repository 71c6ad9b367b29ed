"""What a finished run must cite: the software, its data, and the sources of every coefficient that it used."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.files.tables import write_table
from sinks.bibliography import OURS, Citations, parse
from sinks.legends import Legend
from sinks.parameters import Coefficient, records

COEFFICIENTS: Final = "coefficients.csv"
DATA: Final = "data_sources"
"""Key of a manifest under which stands what was recorded of the data."""


def of_run(folder: Path) -> Citations:
    """The citations of an assessment, a change or a roll-up, of which those of its runs.

    Raises InputError when the folder holds no run, or a run that was rolled up is no longer where it was.
    """
    about = manifest.read(folder)
    if "runs" in about:
        return _joined(_part(folder, Path(run["path"])) for run in about["runs"])
    own = [s for e in about.get(DATA, ()) for s in parse(e.get("bibtex", ""))]
    data = [(e["source"], _role(e)) for e in about.get(DATA, ()) if e.get("source")]
    return Citations(
        tuple(_coefficients(folder)), tuple(dict.fromkeys((*data, *_legends(about.get("study", {}))))), tuple(own)
    )


def write(coefficients: Iterable[Coefficient], folder: Path) -> pd.DataFrame:
    """``coefficients.csv``: every coefficient used, with its source; given back as it is written."""
    names = list(Coefficient.__dataclass_fields__)
    rows = [{k: getattr(c, k) for k in names} for c in coefficients]
    frame = pd.DataFrame(rows, columns=names)
    write_table(frame, folder / COEFFICIENTS)
    return frame


def _part(folder: Path, run: Path) -> Citations:
    try:
        return of_run(run)
    except InputError as error:
        raise InputError(f"{folder}: its sources stand in the runs it was made of, and {error}") from None


def _joined(parts: Iterable[Citations]) -> Citations:
    every = list(parts)
    return Citations(
        tuple(dict.fromkeys(c for p in every for c in p.coefficients)),
        tuple(dict.fromkeys(d for p in every for d in p.data)),
        tuple({s.key: s for p in every for s in p.own}.values()),
    )


def _role(entry: Mapping[str, Any]) -> str:
    return f"data: {entry.get('title') or entry.get('product') or 'layer'}"


def _legends(study: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The source of every built-in legend; a legend of one's own has none."""
    asked = [study.get("legend"), *(e.get("legend") for e in study.get("epochs", ()))]
    found = []
    for name in filter(None, asked):
        try:
            known = Legend.builtin(name).name
        except InputError:
            continue
        source = next(r["source"] for r in records("legend_index") if r["name"] == known)
        if source != OURS:
            found.append((source, "legend of the land cover"))
    return found


def _coefficients(folder: Path) -> list[Coefficient]:
    path = folder / COEFFICIENTS
    if not path.is_file():
        raise InputError(f"{path}: this run has no list of its coefficients; run it again with this version")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [_coefficient(row) for row in csv.DictReader(stream)]


def _coefficient(row: Mapping[str, str]) -> Coefficient:
    value, low, high = (float(row[k]) if row.get(k) else math.nan for k in ("value", "low", "high"))
    words = {k: row.get(k, "") for k in ("unit", "source", "locator", "status", "note", "where", "tier")}
    return Coefficient(row["name"], value, low=low, high=high, **words)
