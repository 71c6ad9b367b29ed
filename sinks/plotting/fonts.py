"""Which fonts a figure is set in, so that no character comes out as a box without a word.

Latin is set in the font that matplotlib brings, Chinese in the subset that this package brings; so a figure is the same on
every machine. Only for characters that neither has is an installed font looked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from sinks.errors import InputError

LATIN: Final = "DejaVu Sans"
_TELLING: Final = (
    "cjk",
    "wqy",
    "noto",
    "source",
    "droid",
    "han",
    "hei",
    "song",
    "sim",
    "msyh",
    "ming",
    "pingfang",
    "uni",
    "gothic",
)
"""Parts of the file names of fonts that hold rare Chinese characters; such are looked into first."""


def matplotlib() -> Any:
    """The library. Raises InputError that says how to install it."""
    try:
        import matplotlib as library
    except ImportError:
        raise InputError(
            "figures are drawn by matplotlib, which is not installed; install it with: pip install matplotlib"
        ) from None
    return library


@cache
def own() -> str:
    """Name of the Chinese font of this package, made known to matplotlib."""
    with as_file(files("sinks.plotting").joinpath("fonts", "sinks-cjk.ttf")) as path:
        return _known(path)


def families(texts: Iterable[str]) -> list[str]:
    """Fonts that together hold every character of the texts; warns of characters that no font of the machine has."""
    chosen = [LATIN, own()]
    missing = {c for text in texts for c in text if not c.isspace()}
    for name in chosen:
        missing -= _characters(_path_of(name))
    if missing:
        for path in _installed():
            if has := missing & _characters(path):
                chosen.append(_known(path))
                missing -= has
            if not missing:
                break
    if missing:
        warnings.warn(
            f"no font here has the characters {' '.join(sorted(missing))}: they are drawn as boxes; install a font that has "
            f"them, e.g. Noto Sans CJK (fonts-noto-cjk)",
            stacklevel=2,
        )
    return chosen


def _known(path: Path) -> str:
    matplotlib()
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(path))
    return font_manager.FontProperties(fname=str(path)).get_name()


def _path_of(family: str) -> Path:
    from matplotlib import font_manager

    return Path(font_manager.findfont(font_manager.FontProperties(family=[family]), fallback_to_default=False))


@cache
def _characters(path: Path) -> frozenset[str]:
    """Every character a font file has; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(chr(code) for code in FT2Font(str(path)).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()


@cache
def _installed() -> tuple[Path, ...]:
    """Font files of the machine, likely ones first. matplotlib's own list is not asked: it can be older than a font."""
    from matplotlib import font_manager

    found = sorted(Path(p) for p in font_manager.findSystemFonts())
    return tuple(sorted(found, key=lambda p: not any(part in p.name.lower() for part in _TELLING)))
