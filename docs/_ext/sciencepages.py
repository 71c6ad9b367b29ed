"""The science pages, made at every build from the tables, the docstrings and the equations, so that they cannot drift."""

from __future__ import annotations

import csv
import html
import importlib
import inspect
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import equations
from plaintext import escaped, rst
from sphinx.application import Sphinx

from sinks import bibliography, ecosystems, layers, legends, parameters, quantities

OUT = "generated"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / OUT
    made = {f"{name}.rst": text for name, text in pages().items()}
    folder.mkdir(exist_ok=True)
    for old in folder.rglob("*.rst"):
        if old.relative_to(folder).as_posix() not in made:
            old.unlink()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Every page by its name."""
    topics, known = equations.read()
    tables = sorted({t for topic in topics.values() for t in topic["tables"]} | {"density", "soil_legends", "ecozones"})
    found = {key: _topic(topic, [e for e in known if e.page == key]) for key, topic in topics.items()}
    found["ecosystems"] = _ecosystems()
    found["layers"] = _layers()
    found["sources"] = _sources()
    found |= {f"tables/{name}": _table(name) for name in tables}
    return found


# ------------------------------------------------------------------------------------------ a topic


def _topic(topic: Mapping[str, Any], found: Sequence[equations.Equation]) -> str:
    parts = [_heading(topic["title"], "=")]
    for name in topic["modules"]:
        parts.append(rst(inspect.getdoc(importlib.import_module(name)) or ""))
    if found:
        parts.append(_heading("Equations", "-"))
        parts.append(
            "Each is shown as the function computes it: a test holds the formula, the function and the example against each "
            "other.\n"
        )
        parts += [_equation(e) for e in found]
    if topic["tables"]:
        parts.append(_heading("Numbers", "-"))
        parts += [f"* :doc:`tables/{name}` ({len(parameters.records(name))} rows)" for name in topic["tables"]]
    return "\n".join(parts) + "\n"


def _equation(e: equations.Equation) -> str:
    module, _, name = e.function.partition(":")
    given = ", ".join(f"{k} = {v}" for k, v in e.example.items())
    said = f"Worked example: {escaped(given)} give"
    if e.code:
        said = "Worked example, which gives"
    lines = [
        _heading(e.title, "~"),
        f".. math:: {e.shown()}\n",
        rst(inspect.getdoc(e.call) or ""),
        f"Function: :func:`{module}.{name}`\n",
        f"Source: {escaped(_source(e.source))}, {escaped(e.locator)}.\n",
        f"{said} **{e.computed():.10g}** (the source has {e.expect:g}); more in ``{e.test}``"
        + (
            ":\n\n.. code-block:: python\n\n" + "".join(f"   {line}\n" for line in e.code.strip().splitlines())
            if e.code
            else ".\n"
        ),
    ]
    return "\n".join(lines)


def _source(key: str) -> str:
    known = bibliography.entries().get(key)
    return known.text().rstrip(".") if known else key


# ------------------------------------------------------------------------------------------ ecosystems, layers, sources


def _ecosystems() -> str:
    parts = [_heading("Ecosystems and overlays", "=")]
    parts.append("A pixel has one ecosystem and one account; overlays add only what no ecosystem owns.\n")
    for plug in ecosystems.plugs().values():
        parts.append(_heading(f"{plug.name_en} ({plug.name_zh})" + (", overlay" if plug.overlay else ""), "-"))
        parts.append(rst(plug.about))
        if plug.requires or plug.uses:
            needs = f"needs {', '.join(plug.requires)}; " if plug.requires else ""
            parts.append(f"Layers: {escaped(needs)}takes {escaped(', '.join(plug.uses) or 'none')}.\n")
        if plug.classes:
            rows = [(str(c.code), c.name_en, c.name_zh, _swatch(c.color)) for c in plug.classes]
            parts.append(_rows(("code", "class", "类", "colour"), rows))
    return "\n".join(parts)


def _layers() -> str:
    rows = [
        (f"--{r.name.replace('_', '-')}", r.kind, r.unit, _span(r.low, r.high), r.about) for r in layers.LAYERS.values()
    ]
    told = [(q.key, q.unit, q.total_unit, q.name_en, q.name_zh) for q in quantities.BY_KEY.values()]
    known = [(r["name"], r["title"], r["aliases"].replace(";", ", ")) for r in parameters.records("legend_index")]
    classes = sum(len(legends.Legend.builtin(r["name"]).classes) for r in parameters.records("legend_index"))
    return "\n".join([
        _heading("Layers, legends and quantities", "="),
        "What an assessment can take, and what it tells.\n",
        _heading("Layers", "-"),
        _rows(("option", "kind", "unit", "possible", "what"), rows),
        _heading("Legends", "-"),
        f"{len(known)} legends with {classes} classes are built in; ``sinks legends NAME`` shows one.\n",
        _rows(("name", "title", "other names"), known),
        _heading("Quantities", "-"),
        _rows(("key", "per hectare", "summed", "name", "名称"), told),
    ])  # fmt: skip


def _span(low: float, high: float) -> str:
    said = [f"from {low:g}" if low > float("-inf") else "", f"to {high:g}" if high < float("inf") else ""]
    return " ".join(s for s in said if s)


def _sources() -> str:
    parts = [
        _heading("Sources", "="),
        "Every number of the tables and every public layer has one of these sources. ``sinks cite RUN`` lists those of a run.\n",
    ]
    for source in sorted(bibliography.entries().values(), key=lambda s: s.text()):
        parts.append(f"* {escaped(source.text())} ``{source.key}``")
    return "\n".join(parts) + "\n"


# ------------------------------------------------------------------------------------------ tables


def _table(name: str) -> str:
    text = parameters.table_text(f"{name}.csv")
    reader = csv.DictReader(io.StringIO(text))
    columns = list(reader.fieldnames or ())
    rows = [tuple(row[c] or "" for c in columns) for row in reader]
    intro = f"{len(rows)} rows of ``sinks/tables/{name}.csv``; what status and columns mean stands in the README beside it.\n"
    return "\n".join([_heading(name, "="), intro, _rows(columns, rows)])


def _rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as HTML: thousands of rows are too many for markup."""
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{_cell(v)}</td>" for v in row) + "</tr>" for row in rows)
    table = f'<div class="rows"><table class="table">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    return ".. raw:: html\n\n" + "\n".join("   " + line for line in table.splitlines()) + "\n"


def _cell(value: str) -> str:
    return value if value.startswith("<span") else html.escape(value)


def _swatch(color: str) -> str:
    return f'<span class="swatch" style="background:{html.escape(color)}"></span>'


def _heading(text: str, under: str) -> str:
    wide = sum(2 if ord(ch) > 0x2E80 else 1 for ch in text)
    return f"{text}\n{under * wide}\n"
