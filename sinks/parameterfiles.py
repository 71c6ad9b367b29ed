"""Parameter sets as files: export a set, edit it in a spreadsheet, read it back, see what differs.

An exported file stands for its set whole: it has a column ``set`` with the set's name and a column ``scheme``, and a row
that is deleted from it is gone. A hand-written file has neither: its rows go in front of a set, which stays as it is.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from sinks.bibliography import entries
from sinks.errors import InputError
from sinks.parameters import (
    SET_NAMES,
    USER_SCHEME,
    Coefficient,
    ParameterSet,
    Row,
    Table,
    identity,
    once,
    parameter_set,
    parse_lines,
    put_in_front,
    table,
    user_row,
)

_ANY: Final = ("any", "")
_VALUES: Final = ("parameter", "value", "low", "high", "unit", "source", "locator", "status", "tier", "note")
_COMPARED: Final = ("value", "low", "high", "unit", "source", "status", "tier")


# ------------------------------------------------------------------------------------------ out


def usable_rows(chosen: ParameterSet, topic: str) -> list[Row]:
    """Every row of a table that this set can come to use, the user's own first, then by scheme in order of preference.

    Rows that no source confirms are among them; a run passes them over unless told otherwise.
    """
    own = list(chosen.overrides[topic].rows) if topic in chosen.overrides else []
    rows = chosen.table(topic).rows
    return own + [row for scheme in chosen.usable(topic) for row in rows if row.keys.get("scheme") == scheme]


def export(chosen: ParameterSet) -> str:
    """The whole set as CSV text for a spreadsheet: one row a number, with unit, range, source, status and tier.

    Begins with a byte-order mark and has CRLF line ends, for Excel takes UTF-8 for something else without.
    """
    columns = ["scheme"]
    for topic in chosen.topics():
        columns += [c for c in table(topic).key_columns if c not in columns]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["set", "topic", *columns, *_VALUES])
    for topic in chosen.topics():
        for row in usable_rows(chosen, topic):
            keys = [row.keys.get(column, "") for column in columns]
            writer.writerow([chosen.base, topic, *keys, *_cells(row.coefficient)])
    return "\ufeff" + out.getvalue()


def _cells(c: Coefficient) -> list[str]:
    numbers = {"value": _number(c.value), "low": _number(c.low), "high": _number(c.high), "parameter": c.name}
    return [numbers[k] if k in numbers else str(getattr(c, k)) for k in _VALUES]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.15g}"


# ------------------------------------------------------------------------------------------ in


def split_base(wanted: str) -> tuple[str, str]:
    """``ipcc:mine.csv`` → ("ipcc", "mine.csv"); without a set's name in front, ("", what was given)."""
    name, colon, path = wanted.partition(":")
    return (name, path) if colon and path and name in SET_NAMES else ("", wanted)


def read_back(text: str, name: str, base: str = "", otherwise: str = "china") -> ParameterSet:
    """A parameter set from a user's file.

    text : an exported file, edited or not, or a hand-written one (``topic``, keys, fixed columns, no scheme); name : the
    file's, for messages; base : the built-in set underneath, where it is told; otherwise : that set where neither ``base``
    nor the file tells it. Raises InputError that names the line for whatever cannot be meant.

    In an exported file a row whose number, range, source or status was changed is the user's, a deleted row is gone, and a
    row without a scheme goes in front of all others.
    """
    columns, lines = parse_lines(text, name)
    if not lines:
        raise InputError(f"{name}: there is no row below the column names; give one, or take the file out")
    if "set" not in columns:
        return put_in_front(parameter_set(base or otherwise), columns, lines, name)
    if "scheme" not in columns or "topic" not in columns:
        lacks = "scheme" if "scheme" not in columns else "topic"
        raise InputError(
            f"{name}: a file with a column 'set' stands for the whole set and needs a column '{lacks}' too; export the set "
            f"again, or take the column 'set' out to put the rows in front of a set"
        )
    return _whole(_own_base(lines, name, base), columns, lines, name)


def _own_base(lines: Iterable[tuple[int, Row]], name: str, base: str) -> ParameterSet:
    """The set that a file was exported from. Raises InputError when it names several, or another than it should."""
    found = ""
    for line, row in lines:
        here = row.keys["set"]
        if here in _ANY:
            continue
        if found and here != found:
            raise InputError(f"{name}, line {line}: the set is '{here}', but '{found}' above; a file holds one set")
        if not found:
            try:
                chosen = parameter_set(here)
            except InputError as error:
                raise InputError(f"{name}, line {line}: {error}") from None
            found = here
    if not found:
        raise InputError(f"{name}: the column 'set' is empty; write the name of a set in it ({', '.join(SET_NAMES)})")
    if base and base != found:
        raise InputError(f"{name}: was exported from the set '{found}', not '{base}'; write {found}:{name}")
    return chosen


def _whole(base: ParameterSet, columns: Iterable[str], lines: Iterable[tuple[int, Row]], name: str) -> ParameterSet:
    built_in = {
        identity(topic, row): (topic, place, row)
        for topic in base.topics()
        for place, row in enumerate(table(topic).rows)
        if row.keys.get("scheme") in base.usable(topic)
    }
    kept: dict[str, dict[int, Row]] = {topic: {} for topic in base.topics()}
    added: dict[str, list[Row]] = {topic: [] for topic in base.topics()}
    in_front: list[tuple[int, Row]] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, row in lines:
        if row.keys["scheme"] in _ANY:
            in_front.append((line, row))
            continue
        topic, own = user_row(base, line, row, name)
        key = identity(topic, own)
        once(seen, key, line, name)
        if key in built_in:
            _, place, known = built_in[key]
            kept[topic][place] = _edited(known, own.coefficient, f"{name}, line {line}")
            continue
        scheme = own.keys["scheme"]
        if scheme not in base.usable(topic):
            raise InputError(
                f"{name}, line {line}: the set '{base.name}' takes no scheme '{scheme}' in table '{topic}' (it takes "
                f"{', '.join(base.usable(topic)) or 'none'}); leave the scheme empty to put the row in front of all"
            )
        added[topic].append(_users(own, f"{name}, line {line}"))
    tables = {topic: _table(base, topic, added[topic], kept[topic]) for topic in base.topics()}
    whole = replace(base, tables=tables)
    if in_front:
        return put_in_front(whole, tuple(columns), in_front, name)
    return replace(whole, name=f"{base.name}+{name}")


def _table(base: ParameterSet, topic: str, added: list[Row], kept: Mapping[int, Row]) -> Table:
    """The user's table: added rows win where they tie, the others stand in the built-in order however they were sorted.

    Rows of schemes that were not exported stay, for who asks for such a scheme by name.
    """
    built_in, usable = table(topic), base.usable(topic)
    others = {n: row for n, row in enumerate(built_in.rows) if row.keys.get("scheme") not in usable}
    ordered = [row for _, row in sorted({**others, **kept}.items())]
    return Table(built_in.name, built_in.key_columns, (*added, *ordered))


def _edited(known: Row, own: Coefficient, place: str) -> Row:
    """The built-in row, or the user's in its place when a number, its range, its source or its status was changed."""
    c = known.coefficient
    same = all(_same(getattr(c, k), getattr(own, k)) for k in ("value", "low", "high"))
    if same and own.source == c.source and own.status == c.status:
        return known
    if own.source == c.source:  # nobody but the user vouches for the new number
        was = ", ".join(part for part in (c.source, c.locator) if part)
        own = replace(own, source=USER_SCHEME, locator=f"{place}; instead of {c.value:g} [{was}]")
    return Row(known.keys, replace(own, status=USER_SCHEME, tier=USER_SCHEME, where=c.where))


def _users(row: Row, place: str) -> Row:
    c = row.coefficient
    return Row(row.keys, replace(c, status=USER_SCHEME, tier=USER_SCHEME, locator=c.locator or place))


def _same(a: float, b: float) -> bool:
    """Equal to the digits that a spreadsheet keeps."""
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9)


# ------------------------------------------------------------------------------------------ differences


@dataclass(frozen=True)
class Change:
    """One row that two sets do not share.

    kind : added, removed or changed; keys : what the row is for, its scheme first; old, new : the coefficient of either
    set, None where it has none.
    """

    kind: str
    topic: str
    parameter: str
    keys: Mapping[str, str]
    old: Coefficient | None
    new: Coefficient | None

    @property
    def relative(self) -> float | None:
        """(new − old) / old [1]; None where there is no old value, or it is zero."""
        if self.old is None or self.new is None or self.old.value == 0:
            return None
        return (self.new.value - self.old.value) / self.old.value

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {
            "kind": self.kind, "topic": self.topic, "parameter": self.parameter, "keys": dict(self.keys),
            "relative_change": self.relative,
        }  # fmt: skip
        return found | {side: as_dict(c) if c else None for side, c in (("old", self.old), ("new", self.new))}


def as_dict(c: Coefficient) -> dict[str, Any]:
    """A coefficient for JSON: a bound that is not known is None."""
    return {k: None if isinstance(v := getattr(c, k), float) and math.isnan(v) else v for k in ("name", *_VALUES[1:])}


def diff(a: ParameterSet | str, b: ParameterSet | str) -> list[Change]:
    """The rows that were added, removed or changed from set ``a`` to set ``b`` (sets, or names of built-in ones).

    A row without a scheme, which goes in front of all others, is held against what the other set answers for its keys.
    """
    a, b = (parameter_set(s) if isinstance(s, str) else s for s in (a, b))
    found: list[Change] = []
    for topic in dict.fromkeys((*a.topics(), *b.topics())):
        before, after = ({identity(topic, r): r for r in _rows(s, topic)} for s in (a, b))
        for key in dict.fromkeys((*before, *after)):
            old, new = before.get(key), after.get(key)
            shown = old or new
            assert shown is not None
            if "scheme" not in shown.keys:
                old, new = old or _answer(a, topic, shown), new or _answer(b, topic, shown)
            found += _change(topic, shown, old, new)
    return found


def _rows(chosen: ParameterSet, topic: str) -> list[Row]:
    return usable_rows(chosen, topic) if topic in chosen.topics() else []


def _change(topic: str, shown: Row, old: Row | None, new: Row | None) -> list[Change]:
    one, two = old.coefficient if old else None, new.coefficient if new else None
    if one and two and all(_alike(getattr(one, k), getattr(two, k)) for k in _COMPARED):
        return []
    kind = "changed" if one and two else "added" if two else "removed"
    keys = {k: v for k, v in shown.keys.items() if v not in _ANY and not k.endswith("_zh")}
    return [Change(kind, topic, shown.coefficient.name, keys, one, two)]


def _alike(a: float | str, b: float | str) -> bool:
    return _same(a, b) if isinstance(a, float) and isinstance(b, float) else a == b


def _answer(chosen: ParameterSet, topic: str, asked: Row) -> Row | None:
    """What a set answers for the keys of a row, of the same class where the table has classes."""
    if topic not in chosen.topics():
        return None
    classes = {k: v for k, v in asked.keys.items() if k.endswith(("_min", "_max")) and v not in _ANY}
    keys = {k: v for k, v in asked.keys.items() if v not in _ANY and k not in classes and not k.endswith("_zh")}
    rows = chosen.rows(topic, asked.coefficient.name, **keys)
    return next((r for r in rows if all(r.keys.get(k) == v for k, v in classes.items())), None)


def summary(chosen: ParameterSet) -> str:
    """In a few words how a set differs from the built-in one underneath."""
    changes = diff(chosen.base, chosen)
    count = {kind: sum(1 for c in changes if c.kind == kind) for kind in ("changed", "added", "removed")}
    said = ", ".join(f"{n} {kind}" for kind, n in count.items() if n)
    return f"{said} against the set {chosen.base}" if said else f"the set {chosen.base}, nothing changed"


# ------------------------------------------------------------------------------------------ sources


@lru_cache(maxsize=1)
def titles() -> Mapping[str, str]:
    """Title, and year where there is one, of every source by its key in ``sources.bib``."""
    return {
        key: f"{source.plain('title')} ({source.fields['year']})"
        if source.fields.get("year")
        else source.plain("title")
        for key, source in entries().items()
    }
