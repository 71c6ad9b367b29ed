"""All tables of the list into a folder, with a table of contents that says of each what it holds, or why it is not there."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from pipelines.errors import InputError
from pipelines.report.agency import basis, flows, stocks
from pipelines.report.agency.sheet import Sheet, write, write_rows
from pipelines.report.catalogue import Both, say
from pipelines.report.runfolder import CHANGE, Run

CONTENTS: Final = "contents.csv"
Maker = Callable[[Run, Mapping[str, Run]], Sheet | None]
_MAKERS: Final[dict[str, tuple[Maker, ...]]] = {
    "T1": (stocks.t1,), "T2": (stocks.t2,), "T3": (stocks.t3,), "T7": (stocks.t7,), "T8": (stocks.t8,), "T9": (stocks.t9,),
    "T11": (stocks.t11,), "T12": (flows.t12,), "T13": (flows.t13,), "T14": (flows.t14,), "T16": (stocks.t16,),
    "T17": (stocks.t17,), "T19": (basis.t19,), "T20": (basis.t20, basis.t20_checks),
}  # fmt: skip


def listed() -> list[dict[str, str]]:
    """The list: number, title, what a run cannot tell of it, what it takes, and the file of a map."""
    text = files("pipelines.report.agency").joinpath("tables.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def write_all(run: Run, beside: Mapping[str, Run], folder: Path, overwrite: bool) -> list[str]:
    """Write what the run can fill; gives lines for the screen. Raises InputError."""
    if run.kind == CHANGE:
        raise InputError(
            "--agency-tables takes a run of 'sinks assess' or 'sinks rollup'; give the change with --change"
        )
    if (folder / CONTENTS).exists() and not overwrite:
        raise InputError(f"{folder} holds such tables already; choose another folder or give --overwrite")
    folder.mkdir(parents=True, exist_ok=True)
    heads = [say(f"agency.contents.{k}") for k in ("id", "title", "state", "file", "note")]
    rows = [[f"{h.zh} / {h.en}" for h in heads]]
    counts = {"full": 0, "part": 0, "none": 0}
    for entry in listed():
        written = _written(entry, run, beside, folder)
        state = "none" if not written else "part" if entry["lacks_en"] else "full"
        counts[state] += 1
        reason = (
            Both(entry["takes_en"], entry["takes_zh"]) if not written else Both(entry["lacks_en"], entry["lacks_zh"])
        )
        title, told = Both(entry["en"], entry["zh"]), say(f"agency.state.{state}")
        rows.append([entry["id"], *(f"{b.zh} / {b.en}" for b in (title, told)), "; ".join(written),
                     f"{reason.zh} / {reason.en}" if reason.en else ""])  # fmt: skip
    write_rows(rows, folder / CONTENTS)
    said = say("agency.said", folder=folder, **counts)
    return [said.en, f"Written: {folder / CONTENTS}"]


def _written(entry: Mapping[str, str], run: Run, beside: Mapping[str, Run], folder: Path) -> list[str]:
    """Files that hold this number of the list."""
    if entry["map"]:
        owner = beside.get(CHANGE) if entry["id"] == "M5" else run
        return [entry["map"]] if owner is not None and owner.has(entry["map"]) else []
    found = []
    for maker in _MAKERS.get(entry["id"], ()):
        sheet = maker(run, beside)
        if sheet is not None:
            number = f"{entry['id'][0]}{int(entry['id'][1:]):02d}"
            name = "_".join(part for part in (number, entry["zh"], sheet.suffix) if part) + ".csv"
            write(sheet, folder / name)
            found.append(name)
    return found
