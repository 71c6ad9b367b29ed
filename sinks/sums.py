"""Exact sums by region × stratum × piece, and how they merge: by addition, in any order, to the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinks import exactsum


@dataclass(frozen=True)
class Sums:
    """One row per region × stratum × piece that occurs, sorted by these.

    region : index (0 = in no region), or another number of where it is; code : stratum code; piece : straight piece of the
    stratum; count : pixels;
    digits : (rows, statistics, exactsum.DIGITS): area [m²], area·term for each term, area·biomass²;
    clipped : map values beyond what an integer map can hold.
    """

    region: NDArray[np.integer]
    code: NDArray[np.int64]
    piece: NDArray[np.int16]
    count: NDArray[np.int64]
    digits: NDArray[np.int64]
    clipped: int = 0

    @property
    def values(self) -> NDArray[np.float64]:
        """The sums as floats (rows, statistics)."""
        return exactsum.to_floats(self.digits)


def empty(statistics: int) -> Sums:
    """No rows."""
    return Sums(
        np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, np.int64),
        np.zeros((0, statistics, exactsum.DIGITS), np.int64),
    )  # fmt: skip


def merge(parts: Sequence[Sums]) -> Sums:
    """The sum of several sums with the same statistics. Raises ValueError when there are none."""
    if not parts:
        raise ValueError("nothing to merge")
    region, code, piece, count, digits = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("region", "code", "piece", "count", "digits")
    )
    order = np.lexsort((piece, code, region))
    region, code, piece = region[order], code[order], piece[order]
    first = np.ones(region.size, dtype=bool)
    first[1:] = (np.diff(region) != 0) | (np.diff(code) != 0) | (np.diff(piece) != 0)
    starts = np.flatnonzero(first)
    if starts.size:
        count = np.add.reduceat(count[order], starts)
        digits = np.add.reduceat(digits[order], starts, axis=0)
    return Sums(region[starts], code[starts], piece[starts], count, digits, sum(p.clipped for p in parts))
