"""Coefficients: read from the tables, chosen by scheme and key, each carrying its unit and source.

A *table* is one CSV file of ``sinks/tables``. Its key columns come first; then ``parameter, value, low, high, unit,
source, locator, status, note``. A *scheme* is one author's or guideline's set of rows in a table; ``schemes.csv`` says what
each is and of which *tier*. A *parameter set* says which schemes are used for each table, in order of preference; the most
specific row of the first scheme that has one wins.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Final

from sinks.errors import InputError

_FIXED: Final = ("parameter", "value", "low", "high", "unit", "source", "locator", "status", "note")
_ANY: Final = ("any", "")
STATUSES: Final = ("confirmed", "derived", "design", "unverified", "user")
USER_SCHEME: Final = "user"
TIERS: Final = {
    "tier1": "IPCC default (Tier 1)",
    "national": "national",
    "study": "published study",
    "design": "our choice",
    "user": "the user's",
}
"""Whose number a coefficient is: word in ``schemes.csv`` → how people read it."""
_UNLISTED: Final = "unlisted"  # a built-in scheme that schemes.csv lacks; the tests of the tables let none through
NO_TABLE: Final = ("growing_stock",)
"""Topics of a set that name methods, not the schemes of a table."""
_SAME_EDITION: Final = {"soil_factors": "density"}
"""Tables that are also asked for the scheme which another table's row came from."""


@dataclass(frozen=True)
class Coefficient:
    """One number with everything needed to cite it.

    value [unit]; low, high : bounds of the 95 % interval where the source gives one, else NaN;
    source : key in ``sources.bib``; locator : table or equation there; status : how well it is confirmed; tier : one of
    ``TIERS``, whether it is an IPCC default, a national number, a study's, ours or the user's.
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
    tier: str = USER_SCHEME

    def __float__(self) -> float:
        return self.value

    def cite(self) -> str:
        """One line: name, value, unit, source, tier and status."""
        place = ", ".join(part for part in (self.source, self.locator) if part)
        standing = self.status if self.tier == self.status else f"{self.tier}; {self.status}"
        return f"{self.name} = {self.value:g} {self.unit} [{place}; {standing}]"


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
        key_columns, lines = parse_lines(text, name)
        return Table(name, key_columns, tuple(row for _, row in lines))

    @cached_property
    def _index(self) -> Mapping[tuple[str, str], Sequence[Row]]:
        """Rows by (parameter, scheme), and by (parameter, "") whatever the scheme: a run asks thousands of times."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            for scheme in {"", row.keys.get("scheme", "")}:
                found.setdefault((row.coefficient.name, scheme), []).append(row)
        return found

    def matches(self, parameter: str, keys: Mapping[str, str]) -> list[Row]:
        """Rows of this parameter that agree with every key given, most specific first.

        A row's key ``any`` or blank agrees with everything; a key not given must be ``any`` in the row.
        """
        found = []
        scheme = keys.get("scheme", "") if "scheme" in self.key_columns else ""
        for row in self._index.get((parameter, scheme), ()):
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


def parse_lines(text: str, name: str) -> tuple[tuple[str, ...], list[tuple[int, Row]]]:
    """The key columns of a table's CSV text, and its rows with the line each stands on.

    Raises InputError naming the line of the first bad row. A column ``tier`` is read over: whose a number is follows from
    its scheme and from whether it was edited.
    """
    columns, records = read_cells(text, name)
    missing = [c for c in ("parameter", "value", "unit", "source") if c not in columns]
    if missing:
        raise InputError(f"{name}: the parameter table lacks the column(s) {', '.join(missing)}; add them")
    key_columns = tuple(c for c in columns if c not in (*_FIXED, "tier"))
    return key_columns, [(line, _row(line, cells, key_columns, name)) for line, cells in records]


def read_cells(text: str, name: str) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    """The header of a CSV text and the cells of each line by column, as spreadsheets write them.

    Separated by comma, semicolon or tab; a byte-order mark, any line ends, empty lines and empty columns at the end are
    passed over. Raises InputError for a cell without a column, which is most often a decimal comma.
    """
    text = text.removeprefix("\ufeff")
    head, skipped = text.split("\n", 1)[0].strip(), 0
    if head.lower().startswith("sep=") and len(head) == 5:  # Excel's own first line
        text, skipped = text.split("\n", 1)[-1], 1
        delimiter = head[-1]
    else:
        delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns: tuple[str, ...] | None = None
    found: list[tuple[int, dict[str, str]]] = []
    try:
        while True:
            line = reader.line_num + skipped + 1  # where the record begins: a quoted cell may hold line ends
            cells = [cell.strip() for cell in next(reader)]
            if not any(cells):
                continue
            if columns is None:
                columns = _header(cells, name)
                continue
            loose = [c for n, c in enumerate(cells) if c and (n >= len(columns) or not columns[n])]
            if loose:
                raise InputError(
                    f"{name}, line {line}: '{loose[0]}' stands in no column; put quotes around a cell that holds a "
                    f"'{delimiter}' and write decimals with a point"
                )
            found.append((line, {c: v for c, v in zip(columns, [*cells, *[""] * len(columns)], strict=False) if c}))
    except StopIteration:
        pass
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num + skipped}: {error}; save the file as CSV again") from None
    if columns is None:
        raise InputError(f"{name}: the file is empty; give it a line of column names and rows below it")
    return tuple(c for c in columns if c), found


def _header(cells: Sequence[str], name: str) -> tuple[str, ...]:
    if len(cells) == 1 and "," in cells[0]:
        raise InputError(f"{name}: every line is one quoted cell; import it as comma-separated text and save it again")
    twice = [c for c in cells if c and list(cells).count(c) > 1]
    if twice:
        raise InputError(f"{name}: the column '{twice[0]}' occurs twice; take one of them out")
    return tuple(cells)


def _row(line: int, cells: Mapping[str, str], key_columns: tuple[str, ...], name: str) -> Row:
    value = _number(cells["value"], name, line, "value")
    if not math.isfinite(value):
        fault = "empty" if math.isnan(value) else "not finite"
        raise InputError(f"{name}, line {line}: the value is {fault}; give a number or take the row out")
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
    """A built-in table by the name of its file, e.g. ``table("root_shoot")``; the tier of a row is that of its scheme."""
    parsed = Table.parse(table_text(f"{name}.csv"), f"{name}.csv")
    tiers = {row["scheme"]: row["tier"] for row in records("schemes")}
    rows = [
        Row(r.keys, replace(r.coefficient, tier=tiers.get(r.keys.get("scheme", ""), _UNLISTED))) for r in parsed.rows
    ]
    return replace(parsed, rows=tuple(rows))


@lru_cache(maxsize=64)
def records(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of a built-in table that holds no coefficients (zones, statistics), as text by column."""
    return tuple(csv.DictReader(io.StringIO(table_text(f"{name}.csv"))))


@dataclass(frozen=True)
class ParameterSet:
    """Which scheme of each table is used, and what the user put in front of it.

    name, title : for people; schemes : table → schemes in order of preference;
    settings : plain choices of the set (soil depth, continent); keys : table → key values that hold where a caller gives
    none (the region and year of a national ratio); overrides : the user's rows, looked at first; tables : tables that
    stand in for the built-in ones (a set that was exported, edited and read back); base : the built-in set underneath.
    """

    name: str
    title: str
    schemes: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any]
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overrides: Mapping[str, Table] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    base: str = ""
    _asked: dict[Any, list[Row]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_asked": {}}  # what was found before need not travel

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
        question = (topic, parameter, None if schemes is None else tuple(schemes), tuple(sorted(keys.items())))
        if question not in self._asked:  # strata by the thousand ask the same
            self._asked[question] = self._rows(topic, parameter, schemes, keys)
        return list(self._asked[question])

    def _rows(self, topic: str, parameter: str, schemes: Sequence[str] | None, keys: Mapping[str, str]) -> list[Row]:
        if topic in self.overrides and (own := self.overrides[topic].matches(parameter, keys)):
            return own
        for scheme in self.schemes.get(topic, ()) if schemes is None else schemes:
            found = self.table(topic).matches(parameter, {**keys, "scheme": scheme})
            if not self.settings.get("use_unverified"):
                found = [row for row in found if row.coefficient.status != "unverified"]
            if found:
                return found
        return []

    def has(self, topic: str, parameter: str, /, **keys: str) -> bool:
        """Whether :meth:`find` would succeed."""
        return bool(self.rows(topic, parameter, **keys))

    def table(self, topic: str) -> Table:
        """The table behind a topic: the user's whole one, else the built-in one."""
        return self.tables[topic] if topic in self.tables else table(topic)

    def topics(self) -> tuple[str, ...]:
        """The tables that this set uses."""
        return tuple(topic for topic in self.schemes if topic not in NO_TABLE)

    def usable(self, topic: str) -> tuple[str, ...]:
        """Schemes of a table that this set can come to use, in order of preference.

        Raises InputError with a suggestion when the set has no such table.
        """
        if topic not in self.topics():
            raise InputError(f"there is no table '{topic}' in the set '{self.name}'{_known(topic, self.topics())}")
        also = self.schemes.get(_SAME_EDITION.get(topic, ""), ())
        there = {row.keys.get("scheme", "") for row in table(topic).rows}
        return (*self.schemes[topic], *(s for s in also if s in there and s not in self.schemes[topic]))


def _known(wanted: str, known: Iterable[str]) -> str:
    """The end of a message about a wrong name: the nearest name, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(wanted, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(names)}"


SET_NAMES: Final = tuple(
    sorted(entry.name.removesuffix(".toml") for entry in files("sinks").joinpath("tables", "sets").iterdir())
)
"""The built-in sets: one file of ``tables/sets`` each."""


@lru_cache(maxsize=8)
def parameter_set(name: str) -> ParameterSet:
    """A built-in parameter set. Raises InputError with a suggestion when the name is unknown."""
    if name not in SET_NAMES:
        close = difflib.get_close_matches(name, SET_NAMES, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise InputError(f"there is no parameter set '{name}' (built in: {', '.join(SET_NAMES)}){hint}")
    raw = tomllib.loads(table_text(f"sets/{name}.toml"))
    schemes = {topic: tuple(names) for topic, names in raw["schemes"].items()}
    return ParameterSet(name, raw["title"], schemes, raw["settings"], raw.get("keys", {}), base=name)


def with_overrides(base: ParameterSet, text: str, name: str) -> ParameterSet:
    """A set with a user's rows put in front.

    text : CSV with a column ``topic`` (which table a row belongs to), any key columns of that table, and the fixed
    columns. Raises InputError for an unknown topic or key column, a bad number or a missing unit or source.
    """
    columns, lines = parse_lines(text, name)
    return put_in_front(base, columns, lines, name)


def put_in_front(
    base: ParameterSet, columns: Sequence[str], lines: Iterable[tuple[int, Row]], name: str
) -> ParameterSet:
    """The same for rows that are parsed already, each with its line."""
    if "topic" not in columns:
        raise InputError(f"{name}: a user's parameter table needs a column 'topic' that names the table of each row")
    by_topic: dict[str, list[Row]] = {}
    seen: dict[tuple[str, ...], int] = {}
    for line, row in lines:
        topic, found = user_row(base, line, row, name)
        once(seen, identity(topic, found), line, name)
        keys = {k: v for k, v in found.keys.items() if k != "scheme"}
        by_topic.setdefault(topic, []).append(Row(keys, found.coefficient))
    overrides = {topic: Table(name, tuple(rows[0].keys), tuple(rows)) for topic, rows in by_topic.items()}
    return replace(base, name=f"{base.name}+{name}", overrides=overrides)


def user_row(base: ParameterSet, line: int, row: Row, name: str) -> tuple[str, Row]:
    """The table that a user's row belongs to, and the row with that table's keys only.

    Raises InputError naming the line when the table, a key, the parameter or the unit does not fit.
    """
    place, topic, c = f"{name}, line {line}", row.keys["topic"], row.coefficient
    if topic not in base.topics():
        raise InputError(f"{place}: unknown topic '{topic}'{_known(topic, base.topics())}")
    built_in = table(topic)
    strange = [k for k, v in row.keys.items() if v not in _ANY and k not in (*built_in.key_columns, "topic", "set")]
    if strange:
        raise InputError(f"{place}: table '{topic}' has no key column {', '.join(strange)}")
    units = {r.coefficient.name: r.coefficient.unit for r in built_in.rows}
    if c.name not in units:
        raise InputError(f"{place}: table '{topic}' has no parameter '{c.name}'{_known(c.name, units)}")
    if c.unit != units[c.name]:
        raise InputError(
            f"{place}: {c.name} is in '{c.unit}', but table '{topic}' holds it in '{units[c.name]}'; convert the value"
        )
    if c.value < c.low or c.value > c.high:
        raise InputError(
            f"{place}: the value {c.value:g} lies outside its range {c.low:g} to {c.high:g}; change the range too or clear it"
        )
    if c.value < 0 <= min(r.coefficient.value for r in built_in.rows if r.coefficient.name == c.name):
        raise InputError(f"{place}: {c.name} is {c.value:g}, but it cannot be negative; correct it")
    return topic, Row({k: v for k, v in row.keys.items() if k in built_in.key_columns}, c)


def identity(topic: str, row: Row) -> tuple[str, ...]:
    """What makes a row that row: table, parameter and keys; not its translations, nor how a number is written."""
    keys = (f"{k}={_plain(v)}" for k, v in sorted(row.keys.items()) if v not in _ANY and not k.endswith("_zh"))
    return (topic, row.coefficient.name, *keys)


def _plain(cell: str) -> str:
    try:
        return f"{float(cell):g}"
    except ValueError:
        return cell


def once(seen: dict[tuple[str, ...], int], key: tuple[str, ...], line: int, name: str) -> None:
    """Note the line of a row. Raises InputError when an earlier line has the same."""
    if (first := seen.setdefault(key, line)) != line:
        raise InputError(f"{name}, line {line}: the same keys as in line {first}; take one of the two rows out")


def unverified(coefficients: Iterable[Coefficient]) -> list[Coefficient]:
    """Those that no source confirms, for the run's warning."""
    return [c for c in coefficients if c.status == "unverified"]
