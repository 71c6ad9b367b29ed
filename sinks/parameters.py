"""Coefficients: read from the tables, chosen by scheme and key, each carrying its unit and source.

A *table* is one CSV file of ``sinks/tables``. Its key columns come first; then ``parameter, value, low, high, unit,
source, locator, status, note``. A *scheme* is one author's or guideline's set of rows in a table. A *parameter set* says
which schemes are used for each table, in order of preference; the most specific row of the first scheme that has one wins.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from sinks.errors import InputError

_FIXED: Final = ("parameter", "value", "low", "high", "unit", "source", "locator", "status", "note")
_ANY: Final = ("any", "")
STATUSES: Final = ("confirmed", "derived", "design", "unverified", "user")
USER_SCHEME: Final = "user"


@dataclass(frozen=True)
class Coefficient:
    """One number with everything needed to cite it.

    value [unit]; low, high : bounds of the 95 % interval where the source gives one, else NaN;
    source : key in ``sources.bib``; locator : table or equation there; status : how well it is confirmed.
    """

    name: str
    value: float
    unit: str
    source: str
    locator: str = ""
    status: str = "confirmed"
    low: float = math.nan
    high: float = math.nan
    note: str = ""
    where: str = ""

    def __float__(self) -> float:
        return self.value

    def cite(self) -> str:
        """One line: name, value, unit and source."""
        place = ", ".join(part for part in (self.source, self.locator) if part)
        return f"{self.name} = {self.value:g} {self.unit} [{place}; {self.status}]"


@dataclass(frozen=True)
class Row:
    """One row of a table: its keys and its coefficient."""

    keys: Mapping[str, str]
    coefficient: Coefficient


@dataclass(frozen=True)
class Table:
    """The rows of one CSV file, looked up by key."""

    name: str
    key_columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @staticmethod
    def parse(text: str, name: str) -> Table:
        """Parse a table's CSV text. Raises InputError naming the line of the first bad row."""
        reader = csv.DictReader(io.StringIO(text.lstrip("﻿")))
        columns = tuple(reader.fieldnames or ())
        missing = [c for c in ("parameter", "value", "unit", "source") if c not in columns]
        if missing:
            raise InputError(f"{name}: the parameter table lacks the column(s) {', '.join(missing)}; add them")
        key_columns = tuple(c for c in columns if c not in _FIXED)
        rows = tuple(_row(line, record, key_columns, name) for line, record in enumerate(reader, start=2))
        return Table(name, key_columns, rows)

    def matches(self, parameter: str, keys: Mapping[str, str]) -> list[Row]:
        """Rows of this parameter that agree with every key given, most specific first.

        A row's key ``any`` or blank agrees with everything; a key not given must be ``any`` in the row.
        """
        found = []
        for row in self.rows:
            if row.coefficient.name != parameter:
                continue
            specific = 0
            for column, wanted in row.keys.items():
                if wanted in _ANY:
                    continue
                if column in keys and str(keys[column]) == wanted:
                    specific += 1
                elif column.endswith(("_min", "_max", "_zh")):
                    continue  # class edges and translations describe the row, they do not select it
                else:
                    break
            else:
                found.append((specific, row))
        found.sort(key=lambda item: -item[0])
        return [row for _, row in found]


def _row(line: int, record: Mapping[str, str | None], key_columns: tuple[str, ...], name: str) -> Row:
    cells = {k: (v or "").strip() for k, v in record.items() if k}
    value = _number(cells["value"], name, line, "value")
    if math.isnan(value):
        raise InputError(f"{name}, line {line}: the value is empty; give a number or take the row out")
    low, high = (_number(cells.get(c, ""), name, line, c) for c in ("low", "high"))
    if not math.isnan(low) and not math.isnan(high) and not low <= high:
        raise InputError(f"{name}, line {line}: low ({low:g}) is above high ({high:g}); swap them")
    status = cells.get("status") or USER_SCHEME
    if status not in STATUSES:
        raise InputError(f"{name}, line {line}: status '{status}' is not one of {', '.join(STATUSES)}")
    if not cells["unit"]:
        raise InputError(f"{name}, line {line}: the unit is empty; a number without a unit cannot be used")
    keys = {column: cells.get(column, "") for column in key_columns}
    where = ", ".join(f"{k}={v}" for k, v in keys.items() if v not in _ANY)
    coefficient = Coefficient(
        name=cells["parameter"], value=value, unit=cells["unit"], source=cells["source"], low=low, high=high,
        locator=cells.get("locator", ""), status=status, note=cells.get("note", ""), where=where,
    )  # fmt: skip
    return Row(keys, coefficient)


def _number(cell: str, name: str, line: int, column: str) -> float:
    if not cell:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        hint = "; write decimals with a point" if "," in cell else ""
        raise InputError(f"{name}, line {line}: {column} is '{cell}', which is not a number{hint}") from None


def table_text(path: str) -> str:
    """The text of a file below ``sinks/tables``."""
    return files("sinks").joinpath("tables", *path.split("/")).read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def table(name: str) -> Table:
    """A built-in table by the name of its file, e.g. ``table("root_shoot")``."""
    return Table.parse(table_text(f"{name}.csv"), f"{name}.csv")


@lru_cache(maxsize=64)
def records(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of a built-in table that holds no coefficients (zones, statistics), as text by column."""
    return tuple(csv.DictReader(io.StringIO(table_text(f"{name}.csv"))))


@dataclass(frozen=True)
class ParameterSet:
    """Which scheme of each table is used, and what the user put in front of it.

    name, title : for people; schemes : table → schemes in order of preference;
    settings : plain choices of the set (soil depth, continent); keys : table → key values that hold where a caller gives
    none (the region and year of a national ratio); overrides : the user's rows, looked at first.
    """

    name: str
    title: str
    schemes: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any]
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overrides: Mapping[str, Table] = field(default_factory=dict)

    def find(self, topic: str, parameter: str, /, **keys: str) -> Coefficient:
        """The coefficient of ``parameter`` in table ``topic`` for these keys.

        Raises InputError naming the combination when no scheme of this set has it: never a silent zero.
        """
        rows = self.rows(topic, parameter, **keys)
        if not rows:
            asked = ", ".join(f"{k}={v}" for k, v in keys.items() if v)
            schemes = ", ".join(self.schemes.get(topic, ())) or "none"
            raise InputError(
                f"parameter set '{self.name}' has no {parameter} for {asked} in table '{topic}' (schemes: {schemes}); "
                f"give one in your own parameter file"
            )
        return rows[0].coefficient

    def rows(self, topic: str, parameter: str, /, schemes: Sequence[str] | None = None, **keys: str) -> list[Row]:
        """All rows that fit from the first scheme that has any, most specific first (class tables have several).

        Rows that no source confirms are passed over unless the set's setting ``use_unverified`` is true.
        """
        keys = {**self.keys.get(topic, {}), **{k: v for k, v in keys.items() if v}}
        if topic in self.overrides and (own := self.overrides[topic].matches(parameter, keys)):
            return own
        for scheme in self.schemes.get(topic, ()) if schemes is None else schemes:
            found = table(topic).matches(parameter, {**keys, "scheme": scheme})
            if not self.settings.get("use_unverified"):
                found = [row for row in found if row.coefficient.status != "unverified"]
            if found:
                return found
        return []

    def has(self, topic: str, parameter: str, /, **keys: str) -> bool:
        """Whether :meth:`find` would succeed."""
        return bool(self.rows(topic, parameter, **keys))


SET_NAMES: Final = ("ipcc", "china")


@lru_cache(maxsize=8)
def parameter_set(name: str) -> ParameterSet:
    """A built-in parameter set. Raises InputError with a suggestion when the name is unknown."""
    if name not in SET_NAMES:
        close = difflib.get_close_matches(name, SET_NAMES, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise InputError(f"there is no parameter set '{name}' (built in: {', '.join(SET_NAMES)}){hint}")
    raw = tomllib.loads(table_text(f"sets/{name}.toml"))
    schemes = {topic: tuple(names) for topic, names in raw["schemes"].items()}
    return ParameterSet(name, raw["title"], schemes, raw["settings"], raw.get("keys", {}))


def with_overrides(base: ParameterSet, text: str, name: str) -> ParameterSet:
    """A set with a user's rows put in front.

    text : CSV with a column ``topic`` (which table a row belongs to), any key columns of that table, and the fixed
    columns. Raises InputError for an unknown topic or key column, a bad number or a missing unit or source.
    """
    whole = Table.parse(text, name)
    if "topic" not in whole.key_columns:
        raise InputError(f"{name}: a user's parameter table needs a column 'topic' that names the table of each row")
    by_topic: dict[str, list[Row]] = {}
    for number, row in enumerate(whole.rows, start=2):
        topic = row.keys["topic"]
        if topic not in base.schemes:
            close = difflib.get_close_matches(topic, base.schemes, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise InputError(f"{name}, line {number}: unknown topic '{topic}'{hint}")
        allowed = table(topic).key_columns
        unknown = [k for k, v in row.keys.items() if v not in _ANY and k not in (*allowed, "topic")]
        if unknown:
            raise InputError(f"{name}, line {number}: table '{topic}' has no key column {', '.join(unknown)}")
        keys = {k: v for k, v in row.keys.items() if k in allowed and k != "scheme"}
        by_topic.setdefault(topic, []).append(Row(keys, row.coefficient))
    overrides = {topic: Table(name, tuple(rows[0].keys), tuple(rows)) for topic, rows in by_topic.items()}
    return replace(base, name=f"{base.name}+{name}", overrides=overrides)


def unverified(coefficients: Iterable[Coefficient]) -> list[Coefficient]:
    """Those that no source confirms, for the run's warning."""
    return [c for c in coefficients if c.status == "unverified"]
