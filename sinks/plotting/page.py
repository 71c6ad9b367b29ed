"""Panels on a page, and the page as a picture."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sinks.errors import InputError
from sinks.plotting import fonts
from sinks.plotting.panels import Panel

WIDTH_MM: Final = 180.0
"""Two columns of most journals; one column is 85 to 90."""
KINDS: Final = ("png", "svg", "pdf")
DPI: Final = 300
_MM, _PT = 25.4, 72.0
_PAD: Final = 0.04
_LEGEND_SHARE: Final = 0.24
_GENEROUS: Final = 4.0
"""Height for legends below the axes of a row at first [inch]; what is not used is cut off."""


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
    library = fonts.matplotlib()
    count = len(panels)
    columns = min(columns or (1 if count == 1 else 2 if count in (2, 4) else 3), count)
    width = width_mm / _MM
    with _settings():
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        beside = columns == 1
        each = width / columns * (1 - _LEGEND_SHARE if beside else 0.88)
        rows = [panels[k : k + columns] for k in range(0, count, columns)]
        height = sum(max(p.height(each * _PT) for p in row) / _PT + _GENEROUS for row in rows)
        spacing = ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD, wspace=0.02, hspace=0.03)
        figure = Figure(figsize=(width, height), layout=spacing)
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for n, ax in enumerate(grid.flat):
            if n >= count:
                ax.remove()
                continue
            letter = f"({chr(ord('a') + n)}) " if count > 1 else ""
            ax.set_title(letter + panels[n].title, fontsize=8, loc="left", pad=4)
            ax.set_anchor("N")
            panels[n].draw(ax, beside, each * _PT)
            if ax.get_aspect() == "auto":
                ax.set_box_aspect(panels[n].height(each * _PT) / (each * _PT))
        _fitted(figure, library)
    return Picture(figure)


def _fitted(figure: Any, library: Any) -> None:
    """Fonts that hold every character, and a height without empty margins."""
    from matplotlib.text import Text

    texts = [t for t in figure.findobj(Text) if t.get_text()]
    families = fonts.families(t.get_text() for t in texts)
    if families != library.rcParams["font.family"]:
        for text in texts:
            text.set_fontfamily(families)
    for _ in range(4):
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        spare = height - box.height - 4 * _PAD
        if abs(spare) < 0.03:
            break
        figure.set_size_inches(width, max(height - spare, 1.0))


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
