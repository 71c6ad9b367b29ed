"""A table with heads in Chinese and English and numbers as yearly reports print them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.files.atomic import atomic_path
from pipelines.report.amounts import UNITS, column
from pipelines.report.catalogue import Both, say

_POWERS: Final = {1.0: "", 1e4: "10⁴ ", 1e8: "10⁸ "}
"""万 and 亿 in the English head: the number below is one and the same."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would run."""
_NUMBER: Final = re.compile(r"[-+]?[\d.]+")


@dataclass(frozen=True)
class Column:
    """A column. kind : how its amounts are said (`amounts.UNITS`), empty for text; like : values that decide about 万 and 亿,
    so that columns of one table can have one unit; its own where none are given."""

    name: Both
    values: Sequence[object]
    kind: str = ""
    like: Sequence[float] | None = None

    def cells(self) -> list[str]:
        """The head and what stands below it."""
        if not self.kind:
            return [_both(self.name), *(_text(v) for v in self.values)]
        numbers = [float(str(v)) if v is not None else float("nan") for v in self.values]
        way = column(numbers if self.like is None else self.like, self.kind)["zh"]
        unit = UNITS[self.kind]
        head = f"{self.name.zh}（{way.unit}） / {self.name.en} ({_POWERS[way.factor]}{unit.en})"
        return [head, *(way.number(v) if np.isfinite(v) else "" for v in numbers)]


@dataclass(frozen=True)
class Sheet:
    """A table; suffix : of the file's name, where a number of the list has several."""

    columns: tuple[Column, ...]
    suffix: str = ""


def places(ids: Sequence[str], names: Sequence[str]) -> tuple[Column, Column]:
    """Code and name of the region that each row is of."""
    return Column(say("agency.code"), ids), Column(say("agency.region"), names)


def write(sheet: Sheet, path: Path) -> None:
    """CSV in UTF-8 with a byte-order mark, by which Excel knows the Chinese. Columns without a word are left out."""
    told = [cells for cells in (c.cells() for c in sheet.columns) if any(cells[1:])]
    write_rows(list(zip(*told, strict=True)), path)


def write_rows(rows: Sequence[Sequence[str]], path: Path) -> None:
    """Rows of text as CSV, whole or not at all."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerows(rows)
    with atomic_path(path) as part:
        part.write_text(stream.getvalue(), encoding="utf-8-sig", newline="")


def _both(name: Both) -> str:
    return f"{name.zh} / {name.en}" if name.zh != name.en else name.en


def _text(value: object) -> str:
    text = _both(value) if isinstance(value, Both) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
