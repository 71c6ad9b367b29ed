"""Docstrings are plain text with units and formulas in Unicode, no markup: what reStructuredText would misread is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from sphinx.application import Sphinx

_LITERAL = re.compile(r"(``.+?``)")
_MARKUP = re.compile(r"([*|\\`])|(?<=\w)(_)(?=\W|$)")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _process)
    app.connect("sphinx-click-process-description", _examples)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rst("\n".join(lines)).splitlines()


def _examples(app: Sphinx, context: Any, lines: list[str]) -> None:
    """The examples of a command, which click keeps line by line, as a block of code."""
    found: list[str] = []
    for line in lines:
        if not line.startswith("| "):
            found.append(line)
            continue
        if not found or not found[-1].startswith("   "):
            found += ["", ".. code-block:: sh", ""]
        found.append("   " + line.removeprefix("| ").replace("\\", ""))
    lines[:] = [*found, ""]


def rst(text: str) -> str:
    """Plain text as reStructuredText: paragraphs, headings underlined with dashes, indented blocks as they stand."""
    return "\n\n".join(_blocks(text)) + "\n"


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text.expandtabs().strip("\n")):
        lines = block.splitlines()
        if not lines:
            continue
        if len(lines) > 1 and re.fullmatch(r"\s*-{3,}\s*", lines[1]):
            yield f"**{escaped(lines[0].strip())}**"
            lines = lines[2:]
        if not lines:
            continue
        if all(line.startswith("    ") for line in lines):
            yield "::\n\n" + "\n".join("   " + line for line in dedent("\n".join(lines)).splitlines())
        else:
            yield _items(lines)


def _items(lines: list[str]) -> str:
    """A paragraph, or a list where lines begin with an asterisk or a dash."""
    found: list[str] = []
    listed = False
    for line in lines:
        said = line.strip()
        if said.startswith(("* ", "- ")):
            if found and not listed:
                found.append("")
            listed = True
            found.append("* " + escaped(said[2:]))
        else:
            found.append(("  " if listed else "") + escaped(said))
    if found and not listed and re.match(r"([A-Za-z0-9]+|#)[.)] |[+•] ", found[0]):
        found[0] = "\\" + found[0]
    return "\n".join(found)


def escaped(text: str) -> str:
    """Text in which nothing is markup but double backquotes."""
    parts = _LITERAL.split(re.sub(r":func:`(.+?)`", r"``\1``", text))
    return "".join(p if n % 2 else _MARKUP.sub(r"\\\1\2", p) for n, p in enumerate(parts))
