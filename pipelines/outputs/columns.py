"""What the columns and codes of tables are called for people, in English and Chinese, with their units: ``columns.csv``
and ``labels.csv``."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import NamedTuple

from sinks import transitions

_HERE = Path(__file__).parent


class Alias(NamedTuple):
    """What a column is called for people, and its unit ("" when it has none)."""

    name_en: str
    name_zh: str
    unit: str

    @property
    def text(self) -> str:
        """`Area / 面积 [ha]`."""
        return f"{both(self.name_en, self.name_zh)} [{self.unit}]" if self.unit else both(self.name_en, self.name_zh)

    def of(self, **filled: object) -> Alias:
        """With what stands in braces filled in."""
        return Alias(*(part.format(**filled) for part in self))


def both(name_en: str, name_zh: str) -> str:
    """A name in both languages, `Forest / 森林`; once where they are the same or one is missing."""
    return " / ".join(dict.fromkeys(name for name in (name_en, name_zh) if name))


def aliases(table: str) -> dict[str, Alias]:
    """Column → its names and unit, in the order of the table."""
    return {
        r["column"]: Alias(r["name_en"], r["name_zh"], r["unit"]) for r in _rows("columns.csv") if r["table"] == table
    }


def labels(domain: str) -> dict[str, str]:
    """Code → its name in both languages."""
    return {r["code"]: both(r["name_en"], r["name_zh"]) for r in _rows("labels.csv") if r["domain"] == domain}


def process_labels() -> dict[str, str]:
    """Key of every process of change → its name in both languages."""
    return {p.key: both(p.name_en, p.name_zh) for p in transitions.processes().values()}


@functools.cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (_HERE / name).open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream))
