"""How long a walk will take, from one piece of it that is worked on for trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from pipelines.inputs.grid import Block

_SIDE: Final = 1024
_JOINING: Final = 1.25
"""Time of a walk over that of its blocks: maps are joined too."""
_TABLES: Final = 4.0
"""Errors, checks, tables and the GeoPackage [s]: these hardly grow with the map."""


def seconds(task: Callable[[Block], Any], blocks: Sequence[Block], workers: int) -> float:
    """Roughly the time of all blocks [s]: the middle one's first piece is worked on twice, and the second time counts.

    The first time also compiles and opens files. What the task writes goes where it always goes: into a folder for trial.
    """
    middle = blocks[len(blocks) // 2]
    piece = Block(0, middle.row, middle.col, min(_SIDE, middle.height), min(_SIDE, middle.width))
    task(piece)
    start = time.perf_counter()
    task(piece)
    each = (time.perf_counter() - start) / (piece.height * piece.width)
    return _TABLES + _JOINING * each * sum(b.height * b.width for b in blocks) / min(workers, len(blocks))


def told(estimate: float) -> str:
    """A time as people say it: about 40 s, about 3 min, about 2.5 h."""
    if estimate < 90:
        return f"about {max(1, round(estimate)):d} s"
    return f"about {round(estimate / 60):d} min" if estimate < 90 * 60 else f"about {estimate / 3600:.1f} h"
