"""Panels on a page, and the page as a picture."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sinks.errors import InputError
from sinks.plotting import fonts
from sinks.plotting.panels import Panel

WIDTH_MM: Final = 180.0
"""Two columns of most journals; one column is 85 to 90."""
KINDS: Final = ("png", "svg", "pdf")
DPI: Final = 300
_MM, _PT = 25.4, 72.0
_PAD: Final = 0.06
_TITLE: Final = 8.0
"""Size of titles [pt]."""
_LEGEND_SHARE: Final = 0.24
_ROUNDS: Final = 8
_HAIR, _ALIKE = 0.003, 0.04
"""What may stand out unseen, and widths that are as good as each other [inch]."""
_LEAST: Final = 0.4
"""The least width of axes [inch]."""


class _Around(NamedTuple):
    """What stands around axes [inch]."""

    left: float
    right: float
    above: float
    below: float


@dataclass(frozen=True)
class Picture:
    """A drawn figure. figure : matplotlib's, for those who want to go on with it."""

    figure: Any

    def rendered(self, kind: str = "png", dpi: int = DPI) -> bytes:
        """The bytes of a PNG, SVG or PDF; the same for the same figure. Raises InputError for another kind."""
        if kind not in KINDS:
            raise InputError(f"figures are written as {', '.join(KINDS)}, not as '{kind}'; choose one of these endings")
        timeless = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
        buffer = io.BytesIO()
        with _settings():
            self.figure.savefig(buffer, format=kind, dpi=dpi, metadata=timeless)
        return buffer.getvalue()

    def save(self, path: str | Path, dpi: int = DPI) -> None:
        """Write the picture; the ending of the name says what it is."""
        Path(path).write_bytes(self.rendered(Path(path).suffix.lower().lstrip("."), dpi))

    def _repr_png_(self) -> bytes:
        return self.rendered("png", 150)


def page(panels: Sequence[Panel], width_mm: float = WIDTH_MM, columns: int | None = None) -> Picture:
    """The panels in rows, lettered where there are several, on a page that is as high as they need."""
    fonts.matplotlib()
    count = len(panels)
    columns = min(columns or (1 if count == 1 else 2 if count in (2, 4) else 3), count)
    width = width_mm / _MM
    each = width / columns * (1 - _LEGEND_SHARE if columns == 1 else 0.88)
    with _settings():
        # What stands around the axes is known only when it is drawn, and how wide they are only when that is known.
        for rounds in range(_ROUNDS):
            figure = _drawn(panels, each, columns, width)
            around = _around(figure, each, panels)
            fitting = max((width - sum(_sides(around, columns)) - _PAD * (columns + 1)) / columns, _LEAST)
            if (
                each <= fitting + _HAIR and (fitting - each < _ALIKE or rounds >= _ROUNDS // 2)
            ) or rounds == _ROUNDS - 1:
                break
            each = fitting if rounds < _ROUNDS // 2 else 0.95 * min(each, fitting)
        _spelled(figure)
        _placed(figure, panels, _around(figure, each, panels), each, columns)
    return Picture(figure)


def _drawn(panels: Sequence[Panel], each: float, columns: int, width: float) -> Any:
    """A figure with every panel drawn on axes of the width ``each`` [inch], wherever they stand."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, width))
    for n, panel in enumerate(panels):
        ax = figure.add_axes((0.2, 0.2, each / width, panel.height(each * _PT) / _PT / width), label=str(n))
        letter = f"({chr(ord('a') + n)}) " if len(panels) > 1 else ""
        ax.set_title(_broken(letter + panel.title, each * _PT), fontsize=_TITLE, loc="left", pad=4)
        panel.draw(ax, columns == 1, each * _PT)
    return figure


def _around(figure: Any, each: float, panels: Sequence[Panel]) -> list[_Around]:
    """How far what belongs to each axes reaches beyond them [inch]."""
    figure.draw_without_rendering()
    found = []
    for ax, panel in zip(figure.axes, panels, strict=True):
        at = ax.get_position().bounds
        left, bottom = at[0] * figure.get_figwidth(), at[1] * figure.get_figheight()
        tall = panel.height(each * _PT) / _PT
        x0, y0, x1, y1 = (v / figure.dpi for v in ax.get_tightbbox().extents)
        found.append(_Around(*(max(v, 0.0) for v in (left - x0, x1 - left - each, y1 - bottom - tall, bottom - y0))))
    return found


def _sides(around: Sequence[_Around], columns: int) -> list[float]:
    """What stands left and right of the axes of each column together."""
    return [max(a.left for a in around[k::columns]) + max(a.right for a in around[k::columns]) for k in range(columns)]


def _placed(figure: Any, panels: Sequence[Panel], around: Sequence[_Around], each: float, columns: int) -> None:
    """Put the axes of a row at one height and those of a column above each other; cut the page to what they need."""
    rows = [range(k, min(k + columns, len(panels))) for k in range(0, len(panels), columns)]
    tall = [panel.height(each * _PT) / _PT for panel in panels]
    deep = [max(tall[n] + around[n].below for n in row) for row in rows]
    high = [max(around[n].above for n in row) for row in rows]
    width, height = figure.get_figwidth(), sum(deep) + sum(high) + _PAD * (2 * len(rows) + 1)
    figure.set_size_inches(width, height)
    top = height - _PAD
    for row, over, under in zip(rows, high, deep, strict=True):
        left = _PAD
        for k, n in enumerate(row):
            left += max(a.left for a in around[k::columns])
            bottom = top - over - tall[n]
            figure.axes[n].set_position((left / width, bottom / height, each / width, tall[n] / height))
            left += each + max(a.right for a in around[k::columns]) + _PAD
        top -= over + under + 2 * _PAD


def _broken(title: str, width: float) -> str:
    """A title in lines that fit a width [pt]; Chinese is broken anywhere, other words between them."""
    lines, long = [""], 0.0
    for piece in re.findall(r"[^\u2e80-\uffef\s]+\s*|\s+|[\u2e80-\uffef]", title):
        size = _TITLE * sum(1.0 if ord(ch) > 0x2E7F else 0.58 for ch in piece)
        if lines[-1] and long + size > width:
            lines.append("")
            long = 0.0
        lines[-1] += piece
        long += size
    return "\n".join(line.rstrip() for line in lines)


def _spelled(figure: Any) -> None:
    """Fonts that hold every character."""
    from matplotlib.text import Text

    texts = [t for t in figure.findobj(Text) if t.get_text()]
    families = fonts.families(t.get_text() for t in texts)
    if families != [fonts.LATIN, fonts.own()]:
        for text in texts:
            text.set_fontfamily(families)


@contextmanager
def _settings() -> Iterator[None]:
    library = fonts.matplotlib()
    own = {
        "font.family": [fonts.LATIN, fonts.own()], "font.size": 7.5, "axes.unicode_minus": True, "svg.fonttype": "path",
        "svg.hashsalt": "sinks", "pdf.fonttype": 42, "axes.titlelocation": "left", "savefig.facecolor": "white",
    }  # fmt: skip
    with library.rc_context(own), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # told before, all together and with the mend
        yield
