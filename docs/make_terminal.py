"""Draws a terminal in which `sinks demo` was run: the real output with its colours, on a page of a terminal's cells.

    python docs/make_terminal.py docs/images/terminal.png

Drawn by matplotlib with the fonts that figures are set in, so that it needs neither a browser nor a screen. Of the notes at the
end only their number is shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinks.plotting import fonts

WIDTH = 108
CELL, LINE = 6.02, 13.0
"""A cell [pt]: DejaVu Sans Mono of 10 pt is 6.02 wide."""
PAD, BAR = 14.0, 26.0
INK, GROUND, FAINT = "#d7dae0", "#1d2129", "#8b93a1"
COLORS = {"31": "#f47067", "32": "#6bc46d", "33": "#e0b64e"}
_ANSI = re.compile(r"\x1b\[([0-9;]*)m")


def session() -> list[str]:
    """The lines that a terminal of ``WIDTH`` columns shows."""
    own = {"FORCE_COLOR": "1", "NO_COLOR": "", "COLUMNS": str(WIDTH), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "pipelines.cli", "demo"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, **own}
        )
    lines = done.stdout.rstrip().splitlines()
    notes = [n for n, line in enumerate(lines) if "Note: " in line]
    last = next(n for n, line in enumerate(lines) if n > notes[-1] and "Warning: " in line)
    short = [*lines[: notes[0]], f"\x1b[2m… {len(notes)} notes\x1b[0m", *lines[last:]]
    return ["\x1b[32m$\x1b[0m \x1b[1msinks demo\x1b[0m", *done.stderr.splitlines()[:1], "", *short]


def runs(line: str) -> Iterator[tuple[str, str]]:
    """Texts of a line with the codes that hold for them."""
    codes, at = "", 0
    for mark in _ANSI.finditer(line):
        if mark.start() > at:
            yield line[at : mark.start()], codes
        codes = "" if mark[1] in ("", "0") else f"{codes};{mark[1]}"
        at = mark.end()
    if line[at:]:
        yield line[at:], codes


def wide(character: str) -> bool:
    """Whether it takes two cells."""
    return "⺀" <= character <= "鿿" or "＀" <= character <= "｠"


def draw(lines: list[str], out: Path) -> None:
    """The window with its lines, as a PNG or SVG."""
    library = fonts.matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, FancyBboxPatch

    width, height = 2 * PAD + WIDTH * CELL, 2 * PAD + BAR + len(lines) * LINE
    with library.rc_context(
        {"font.family": ["DejaVu Sans Mono", fonts.own()], "svg.fonttype": "path", "svg.hashsalt": "sinks"}
    ):
        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        box = FancyBboxPatch(
            (6, 6), width - 12, height - 12, boxstyle="round,pad=0,rounding_size=7", facecolor=GROUND, edgecolor="none"
        )
        axes.add_patch(box)
        for n, color in enumerate(("#f47067", "#e0b64e", "#6bc46d")):
            axes.add_patch(Circle((22 + 15 * n, 20), 4.2, color=color, linewidth=0))
        for row, line in enumerate(lines):
            _write(axes, line, PAD + BAR + (row + 0.5) * LINE)
        figure.savefig(
            out, dpi=144, transparent=True, metadata={"Date": None} if out.suffix == ".svg" else {"Software": None}
        )


def _write(axes: Any, line: str, y: float) -> None:
    column = 0
    for text, codes in runs(line):
        given = codes.split(";")
        color = next((COLORS[c] for c in given if c in COLORS), FAINT if "2" in given else INK)
        look = {"fontsize": 10, "va": "center_baseline", "color": color, "weight": "bold" if "1" in given else "normal"}
        for piece in re.findall(r"[⺀-鿿＀-｠]|[^⺀-鿿＀-｠]+", text):
            cells = 2 if wide(piece[0]) else len(piece)
            weight = "normal" if wide(piece[0]) else look["weight"]  # the Chinese font has no bold
            axes.text(PAD + column * CELL, y, piece, ha="left", parse_math=False, **{**look, "weight": weight})
            column += cells


if __name__ == "__main__":
    draw(session(), Path(sys.argv[1]))
