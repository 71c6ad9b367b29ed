"""The account as files: tidy tables for people, and the exact sums that let a run be added to another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.files.atomic import atomic_path
from sinks import exactsum
from sinks.accounts import ERROR_COLUMNS, ERROR_KEYS, KEY_COLUMNS, Account, RegionInfo
from sinks.quantities import KEYS

SUMS_FILE: Final = "account_sums.parquet"
_TIDY_FILE: Final = "accounts.parquet"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of what spreadsheets run."""
_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """CSV (UTF-8 with a byte-order mark, so that Excel reads Chinese) or Parquet, by the ending; whole or not at all.

    In a CSV, text that a spreadsheet would run as a formula has an apostrophe in front; Parquet keeps it as it is.
    """
    with atomic_path(path) as part:
        if path.suffix == ".parquet":
            frame.to_parquet(part, index=False)
        else:
            texts = {str(c): frame[c].map(_unarmed) for c in frame if not pd.api.types.is_numeric_dtype(frame[c])}
            frame.assign(**texts).to_csv(part, index=False, encoding="utf-8-sig", lineterminator="\n")


def _unarmed(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; what is a number stays one."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def write_account(account: Account, folder: Path) -> None:
    """``accounts.csv``, ``accounts.parquet`` and the exact sums."""
    write_table(account.tidy, folder / "accounts.csv")
    write_table(account.tidy, folder / _TIDY_FILE)
    frame = account.keys.assign(pixels=account.pixels)
    columns: dict[str, Any] = {}
    for s, name in enumerate(account.statistics):
        for d in range(exactsum.DIGITS):
            columns[f"sum:{name}:{d}"] = account.digits[:, s, d]
    for q, key in enumerate(KEYS):
        for t in range(account.lines.shape[2]):
            columns[f"line:{key}:{t}"] = account.lines[:, q, t]
    whole = pd.concat([frame, pd.DataFrame(columns)], axis=1)
    whole.attrs["sinks"] = json.dumps(
        {
            "statistics": account.statistics,
            "regions": [asdict(r) for r in account.regions],
            "context": dict(account.context),
        }
    )
    write_table(whole, folder / SUMS_FILE)


def read_account(folder: Path) -> Account:
    """The account of a finished run. Raises InputError when the folder holds none, or a damaged one."""
    path = Path(folder) / SUMS_FILE
    if not path.is_file():
        raise InputError(f"{folder}: there is no {SUMS_FILE} here; name the output folder of a finished run")
    require_undamaged(Path(folder), [SUMS_FILE, _TIDY_FILE])
    try:
        frame = pd.read_parquet(path)
        return _account(frame, json.loads(frame.attrs["sinks"]), _errors(Path(folder)))
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable account ({_said(error)}); run the assessment again") from error


def read_output(folder: Path, name: str, needed: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """A table that a run wrote, CSV or Parquet. Raises InputError when it is missing, lacks a column, or was changed since."""
    path = Path(folder) / name
    if not path.is_file():
        raise InputError(f"{folder}: there is no {name} here; name the output folder of a finished run")
    require_undamaged(Path(folder), [name])
    try:
        frame = pd.read_parquet(path, **options) if path.suffix == ".parquet" else pd.read_csv(path, **options)
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable table ({_said(error)}); run the assessment again") from None
    if missing := [c for c in needed if c not in frame]:
        raise InputError(f"{path}: lacks the column(s) {', '.join(missing)}; run the assessment again")
    return frame


def require_undamaged(folder: Path, names: Sequence[str]) -> None:
    """Refuse outputs of a run that are not what it wrote: a wrong bit can be a wrong number. Unknown ones are passed over."""
    if not (folder / manifest.NAME).is_file():
        return
    if bad := manifest.damaged(folder, manifest.read(folder), names):
        raise InputError(f"{folder / bad[0]}: is not what the run wrote, or is missing; run the assessment again")


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _account(frame: pd.DataFrame, about: dict[str, Any], errors: pd.DataFrame | None) -> Account:
    statistics = tuple(about["statistics"])
    digits = np.stack(
        [
            np.stack([frame[f"sum:{n}:{d}"].to_numpy(np.int64) for d in range(exactsum.DIGITS)], axis=1)
            for n in statistics
        ],
        axis=1,
    )
    terms = len(statistics) - 1
    lines = np.stack(
        [np.stack([frame[f"line:{k}:{t}"].to_numpy(np.float64) for t in range(terms)], axis=1) for k in KEYS], axis=1
    )
    regions = tuple(RegionInfo(**r) for r in about["regions"])
    pixels = frame["pixels"].to_numpy(np.int64)
    return Account(frame[list(KEY_COLUMNS)], pixels, digits, lines, statistics, regions, about["context"], errors)


def _errors(folder: Path) -> pd.DataFrame | None:
    """Standard errors of a finished run, from its tidy table; None where none were estimated."""
    path = folder / _TIDY_FILE
    if not path.is_file():
        return None
    tidy = pd.read_parquet(path, columns=[*ERROR_KEYS, *ERROR_COLUMNS])
    known = tidy[tidy["se"].notna()]
    return known if len(known) else None
