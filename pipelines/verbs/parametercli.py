"""Parameter sets for people: what each holds, one table's rows, the set as a file, what differs between two."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipelines.errors import InputError
from pipelines.files.atomic import atomic_path
from pipelines.files.text import read_text
from sinks import parameterfiles
from sinks.parameterfiles import Change
from sinks.parameters import SET_NAMES, TIERS, Coefficient, ParameterSet, Row, parameter_set

WIDTH: Final = 120
"""Columns of a page."""
_ANY: Final = ("any", "")
_GAP: Final = "  "


def chosen(wanted: str) -> ParameterSet:
    """A set by name or file: ``ipcc``, ``mine.csv`` or ``ipcc:mine.csv``. Raises InputError with a suggestion."""
    base, path = parameterfiles.split_base(wanted)
    if path.endswith(".csv") or os.sep in path or Path(path).is_file():
        return parameterfiles.read_back(read_text(path).text, Path(path).name, base)
    return parameter_set(wanted)


# ------------------------------------------------------------------------------------------ list


def listed() -> list[dict[str, Any]]:
    """The built-in sets with their tables: schemes in order, number of rows, and how many no source confirms."""
    found = []
    for name in SET_NAMES:
        each = parameter_set(name)
        tables = []
        for topic in each.topics():
            rows = parameterfiles.usable_rows(each, topic)
            unsure = sum(1 for r in rows if r.coefficient.status == "unverified")
            tables.append({"table": topic, "schemes": each.usable(topic), "rows": len(rows), "unverified": unsure})
        found.append({"set": name, "title": each.title, "settings": dict(each.settings), "tables": tables})
    return found


def listed_text(found: Iterable[Mapping[str, Any]]) -> str:
    """The same for people."""
    parts = []
    for each in found:
        total = {k: sum(t[k] for t in each["tables"]) for k in ("rows", "unverified")}
        rows = [
            [t["table"], str(t["rows"]), str(t["unverified"] or ""), ", ".join(t["schemes"])]
            for t in (*each["tables"], {"table": "together", "schemes": (), **total})
        ]
        head = ("table", "rows", "unverified", "schemes, the first that has a row wins")
        parts.append(_wrapped(f"{each['set']}: {each['title']}") + "\n" + _grid(head, rows, (1, 2)))
    hint = "Unverified rows are passed over unless --use-unverified is given.  One table:  sinks parameters show china cbef"
    return "\n\n".join([*parts, hint])


# ------------------------------------------------------------------------------------------ show


def shown(each: ParameterSet, topic: str, parameter: str | None, keys: Sequence[str]) -> list[Row]:
    """The rows of one table that a set can use, of one parameter and of some keys where these are given.

    keys : ``column=value`` each. Raises InputError that suggests the nearest name.
    """
    each.usable(topic)  # raises where there is no such table
    rows = parameterfiles.usable_rows(each, topic)
    if parameter is not None:
        rows = _only(rows, lambda row: row.coefficient.name, parameter, f"table '{topic}' has no parameter")
    for pair in keys:
        column, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--key is '{pair}'; write COLUMN=VALUE, e.g. --key continent=asia")
        columns = ("scheme", *(c for c in each.table(topic).key_columns if c != "scheme"))
        if column not in columns:
            raise InputError(f"table '{topic}' has no key column '{column}'{_near(column, columns)}")
        rows = _only(rows, lambda row, c=column: row.keys.get(c, ""), value, f"no row left has {column} =")
    return rows


def _only(rows: list[Row], read: Any, wanted: str, complaint: str) -> list[Row]:
    """Rows with this very value, and those that hold for any."""
    exact = [row for row in rows if read(row) == wanted]
    if not exact:
        raise InputError(f"{complaint} '{wanted}'{_near(wanted, sorted({read(row) for row in rows} - {''}))}")
    return [row for row in rows if read(row) == wanted or read(row) in _ANY]


def _near(wanted: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(wanted, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(names[:40])}"


def shown_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows with everything known of them."""
    titles = parameterfiles.titles()
    found = [{"keys": dict(row.keys), **parameterfiles.as_dict(row.coefficient)} for row in rows]
    return [{**each, "source_title": titles.get(each["source"], "")} for each in found]


def shown_text(each: ParameterSet, topic: str, rows: Sequence[Row]) -> str:
    """The rows as tables, one for each scheme and parameter, and their sources below.

    What all rows of such a table share stands in its heading, so that the rest fits on a page.
    """
    unsure = sum(1 for r in rows if r.coefficient.status == "unverified")
    note = f", {unsure} of them unverified" if unsure else ""
    parts = [f"{topic} in the set {each.name}: {len(rows)} row{'s' if len(rows) != 1 else ''}{note}"]
    places: dict[tuple[str, str], int] = {}
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        c = row.coefficient
        groups.setdefault((row.keys.get("scheme", ""), c.name, c.unit, c.tier), []).append(row)
    for (scheme, parameter, unit, tier), members in groups.items():
        same, differ = _columns(members)
        heading = [scheme or "in front of all schemes", f"{parameter} [{unit}]", TIERS.get(tier, tier), *same]
        body = []
        for row in members:
            c = row.coefficient
            place = places.setdefault((c.source, c.locator), len(places) + 1)
            bounds = "" if c.low != c.low else f"{c.low:g} to {c.high:g}"
            keys = [_span(row, column) for column in differ]
            body.append((*keys, f"{c.value:g}", bounds, c.status, f"[{place}]"))
        head = (*(column.strip("_") for column in differ), "value", "range", "status", "source")
        number = len(differ)
        parts.append(_wrapped(" · ".join(heading)) + "\n" + _grid(head, body, (number, number + 1)))
    sources = "\n".join(_reference(n, *place) for place, n in places.items())
    return "\n\n".join([*parts, sources]) if rows else parts[0]


def _reference(number: int, source: str, locator: str) -> str:
    title = parameterfiles.titles().get(source, "")
    place = ", ".join(part for part in (source, locator) if part)
    return _wrapped(f"[{number}] {place}: {title}" if title else f"[{number}] {place}", "    ")


def _columns(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """What the key columns of these rows share, as words; and the columns in which they differ, classes as one."""
    same, differ = [], []
    for column in rows[0].keys:
        if column == "scheme" or column.endswith(("_zh", "_max")):
            continue
        name = column.removesuffix("min")  # agb_min and agb_max are shown as one column, "agb"
        found = {_span(row, name) for row in rows}
        if len(found) > 1:
            differ.append(name)
        elif (only := found.pop()) not in _ANY and only != "all":
            same.append(f"{name.strip('_')} {only}")
    return same, differ


def _span(row: Row, column: str) -> str:
    """A key's value; of a class its edges."""
    if not column.endswith("_"):
        return row.keys.get(column, "")
    low, high = row.keys.get(f"{column}min", ""), row.keys.get(f"{column}max", "")
    if high in ("inf", ""):
        return "all" if low in ("0", "") else f"> {low}"
    return f"{low} – {high}"


# ------------------------------------------------------------------------------------------ export


def export(each: ParameterSet, out: Path | None, overwrite: bool) -> bytes:
    """The set as a spreadsheet file. Raises InputError rather than write over a file that may have been edited."""
    raw = parameterfiles.export(each).encode("utf-8")
    if out is not None:
        if out.exists() and not overwrite:
            raise InputError(f"{out}: may hold numbers of yours already; choose another name or add --overwrite")
        if not out.parent.is_dir():
            raise InputError(f"{out}: there is no folder {out.parent}; make it or choose another")
        with atomic_path(out) as path:
            path.write_bytes(raw)
    return raw


# ------------------------------------------------------------------------------------------ diff


def choices(a: ParameterSet, b: ParameterSet) -> list[str]:
    """In words, what two sets choose differently beside the rows: settings, methods, order of schemes."""
    found = [
        f"{key}: {_said(a.settings.get(key))} → {_said(b.settings.get(key))}"
        for key in dict.fromkeys((*a.settings, *b.settings))
        if a.settings.get(key) != b.settings.get(key)
    ]
    for topic in dict.fromkeys((*a.schemes, *b.schemes)):
        one, two = a.schemes.get(topic, ()), b.schemes.get(topic, ())
        if one != two:
            found.append(f"{topic}: {', '.join(one) or 'none'} → {', '.join(two) or 'none'}")
    return found


def _said(value: Any) -> str:
    return {None: "–", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)


def diff_json(a: ParameterSet, b: ParameterSet, changes: Iterable[Change]) -> dict[str, Any]:
    """Two sets and their differences."""
    return {"from": a.name, "to": b.name, "choices": choices(a, b), "rows": [c.as_dict() for c in changes]}


def diff_text(a: ParameterSet, b: ParameterSet, changes: Sequence[Change]) -> str:
    """The same for people, table by table."""
    count = {kind: sum(1 for c in changes if c.kind == kind) for kind in ("added", "removed", "changed")}
    said = ", ".join(f"{n} {kind}" for kind, n in count.items() if n) or "no row differs"
    parts = [f"from {a.name} to {b.name}: {said}"]
    if chose := choices(a, b):
        parts.append("\n".join(_wrapped(line, "    ") for line in chose))
    for topic in dict.fromkeys(c.topic for c in changes):
        body = []
        for c in changes:
            if c.topic == topic:
                what = " ".join([c.parameter, *(v if k == "scheme" else f"{k}={v}" for k, v in c.keys.items())])
                unit = (c.new or c.old or _never()).unit
                body.append((c.kind, what, _value(c.old), _value(c.new), _percent(c), unit))
        head = ("", topic, "old", "new", "change", "unit")
        parts.append(_grid(head, body, (2, 3, 4)))
    return "\n\n".join(parts)


def _never() -> Coefficient:
    raise AssertionError("a change has an old or a new side")


def _value(c: Coefficient | None) -> str:
    return "–" if c is None else f"{c.value:g}" + ("?" if c.status == "unverified" else "")


def _percent(c: Change) -> str:
    if c.relative is None:
        return ""
    return f"{100 * c.relative:+.3g} %" if c.relative else "range or source"


# ------------------------------------------------------------------------------------------ a page


def _width(cell: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in cell)


def _cut(cell: str, most: int) -> str:
    """The cell, or as much of it as fits with an ellipsis."""
    if _width(cell) <= most:
        return cell
    while _width(cell) > most - 1:
        cell = cell[:-1]
    return f"{cell}…"


def _wrapped(line: str, indent: str = "  ") -> str:
    """The line on as many lines as it takes; the standard library's wrapping counts a Chinese character as one column."""
    lines = [""]
    for word in line.split(" "):
        if lines[-1].strip() and _width(f"{lines[-1]} {word}") > WIDTH:
            lines.append(indent + word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\n".join(lines)


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    """An aligned table no wider than a page, with some columns flush right; the widest cells give way."""
    every = [head, *rows]
    widths = [max(_width(row[i]) for row in every) for i in range(len(head))]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > WIDTH:
        widths[widths.index(max(widths))] -= 1

    def line(row: Sequence[str]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            cell = _cut(cell, width)
            space = " " * (width - _width(cell))
            cells.append(space + cell if i in right else cell + space)
        return _GAP.join(cells).rstrip()

    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    return "\n".join([line(head), rule, *map(line, rows)])
