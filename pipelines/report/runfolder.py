"""A finished run as the report reads it: its own tables, and those of runs put beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyogrio

from pipelines.errors import InputError
from pipelines.files import manifest
from sinks.accounts import TOTAL_REGION

ASSESSMENT, ROLLUP, CHANGE, SAMPLE, RESERVES = "assess", "rollup", "change", "sample", "reserves"

_MARKS: Final = {"sample_summary.json": SAMPLE, "reserve_summary.csv": RESERVES}
"""A file by which a folder of results that has no manifest is known."""
_NEEDED: Final = {
    ASSESSMENT: ("accounts.csv", "coverage.csv", "scorecard.csv", "views.csv", "assessment.gpkg"),
    CHANGE: ("series.csv", "transitions.parquet", "processes.csv", "errors.csv", "gross_fluxes.csv", "change.gpkg"),
}
_NEEDED[ROLLUP] = _NEEDED[ASSESSMENT]
_TEXT: Final = dict.fromkeys(
    (
        "region_id",
        "area_id",
        "official_year",
        "article",
        "source",
        "locator",
        "where",
        "note",
        "tier",
        "status",
        "unit",
    ),
    str,
)
"""Columns of words, which may hold nothing but blanks or digits."""


@dataclass(frozen=True)
class Run:
    """A folder of results. kind : of which command; about : its manifest, empty where it has none."""

    folder: Path
    kind: str
    about: dict[str, Any]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict, compare=False)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / name).is_file()

    def table(self, name: str) -> pd.DataFrame:
        """A CSV or Parquet table of the folder. Raises InputError when it cannot be read."""
        if name not in self.tables:
            self.tables[name] = _read_table(self.folder / name)
        return self.tables[name]

    def layer(self, file: str, name: str) -> pd.DataFrame:
        """A table of a GeoPackage of the folder, without shapes."""
        key = f"{file}:{name}"
        if key not in self.tables:
            try:
                frame = pyogrio.read_dataframe(self.folder / file, layer=name, read_geometry=False)
            except (OSError, ValueError, RuntimeError) as error:
                raise InputError(
                    f"{self.folder / file}: layer {name} cannot be read ({error}); run it again"
                ) from error
            self.tables[key] = frame.astype({"region_id": str})
        return self.tables[key]


def read(folder: Path, beside: Sequence[Path] = ()) -> tuple[Run, dict[str, Run]]:
    """The run to be reported, and by kind what stands beside it.

    Raises InputError for a folder that holds no finished run, lacks a file, or is of other regions.
    """
    run = _open(Path(folder))
    if run.kind not in _NEEDED:
        raise InputError(
            f"{folder}: a report is of a run of 'sinks assess', 'sinks rollup' or 'sinks change', and this is none"
        )
    others: dict[str, Run] = {}
    for path in beside:
        other = _open(Path(path))
        if other.kind in (ASSESSMENT, ROLLUP) or other.kind == run.kind:
            raise InputError(
                f"{path}: this is a run of its own; beside a run stand a change, a reference sample or reserves"
            )
        if other.kind in others:
            raise InputError(f"{path} and {others[other.kind].folder} are both a {other.kind}; give one of them")
        _same_regions(run, other)
        others[other.kind] = other
    if run.kind == CHANGE:
        others[CHANGE] = run
    return run, others


def file_name(path: str) -> str:
    """The name of a file: where it lies on a disk, or a token in its address, is not for readers of a report."""
    return re.split(r"[?#]", path)[0].replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _open(folder: Path) -> Run:
    for name, kind in _MARKS.items():
        if (folder / name).is_file():
            return Run(folder, kind, {})
    about = manifest.read(folder)
    kind = str(about.get("kind") or ASSESSMENT)
    for name in _NEEDED.get(kind, ()):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: {name} is missing; run 'sinks {kind}' again")
    return Run(folder, kind, about)


def _read_table(path: Path) -> pd.DataFrame:
    faster = path.with_suffix(".parquet")
    try:
        if path.suffix == ".csv" and not faster.is_file():
            return pd.read_csv(path, dtype=_TEXT, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
        return pd.read_parquet(faster)
    except pd.errors.EmptyDataError:  # a table without columns: a run that tells no errors
        return pd.DataFrame()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable table ({error}); run the command that wrote it again") from error


def _same_regions(run: Run, other: Run) -> None:
    """A change of another province beside this one would be told as this one's."""
    if other.kind != CHANGE or run.kind == CHANGE:
        return
    mine = set(run.table("coverage.csv")["region_id"].astype(str)) - {TOTAL_REGION}
    theirs = set(other.table("series.csv")["region_id"].astype(str)) - {TOTAL_REGION}
    if not mine & theirs:
        raise InputError(
            f"{other.folder}: none of its regions is one of {run.folder}, e.g. '{min(theirs, default='')}' against "
            f"'{min(mine, default='')}'; give a change of the same regions"
        )
