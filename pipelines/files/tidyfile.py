"""Tidy tables that people and other programs hand in: CSV or Parquet, checked cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipelines.errors import InputError
from pipelines.files.text import read_text
from sinks.parameters import read_cells


def read_tidy(path: Path, needed: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """A table as text columns (blank: "") and, where it has them, the columns ``numbers`` as float (blank: NaN).

    A CSV may be in any encoding and with any separator that spreadsheets write. Raises InputError for a missing column, and for
    a cell that is no number, naming its line.
    """
    if path.suffix == ".parquet":
        frame, lines = _parquet(path), list[int]()
    else:
        frame, lines = read_table(path)
    missing = [c for c in needed if c not in frame]
    if missing:
        raise InputError(f"{path}: the table lacks the column(s) {', '.join(missing)}; add them")
    for column in (c for c in numbers if c in frame):
        cells = frame[column].replace("", None)
        parsed = pd.to_numeric(cells, errors="coerce").astype(float)
        wrong = (parsed.isna() & cells.notna() & (cells.astype(str).str.lower() != "nan")).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            where = f"line {lines[row]}" if lines else f"row {row + 1}"
            raise InputError(f"{path}, {where}: {column} is '{cells.iloc[row]}', which is not a number; correct it")
        frame[column] = parsed
    return frame


def read_table(path: Path) -> tuple[pd.DataFrame, list[int]]:
    """A CSV, as spreadsheets write it, as text columns (blank: ""), and the line on which each row stands."""
    columns, records = read_cells(read_text(path).text, str(path))
    frame = pd.DataFrame([cells for _, cells in records], columns=list(columns), dtype=object)
    return frame, [line for line, _ in records]


def _parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable table ({error}); make it again") from None
    text = [str(c) for c in frame if not pd.api.types.is_numeric_dtype(frame[c])]
    return frame.assign(**{c: frame[c].astype(object).where(frame[c].notna(), "") for c in text})
