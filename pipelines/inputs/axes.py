"""Resampling between two grids whose axes are parallel: by index and weight along each axis, exactly.

A warp asks a transformer at every pixel; where both grids share a CRS the answer is two rows of numbers. A grid pixel's
value is the mean of the source pixels that it covers, by the area covered, over those that have a value. What a pixel gets
depends on its own place alone, so any partition into blocks gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from sinks.lattice import Lattice

_GRAIN = 1e6
"""Places are rounded to this part of a source pixel: edges that are meant to coincide do."""


@dataclass(frozen=True)
class Axis:
    """Grid pixels along one axis in source pixels: from ``start + step · k`` to ``start + step · (k + 1)``."""

    start: float
    step: float
    source: int

    def edges(self, first: int, count: int) -> NDArray[np.float64]:
        """Edges of grid pixels ``first`` … ``first + count`` in source pixels."""
        at = self.start + self.step * np.arange(first, first + count + 1, dtype=np.float64)
        return np.round(at * _GRAIN) / _GRAIN

    def span(self, first: int, count: int) -> tuple[int, int]:
        """First source pixel that these grid pixels touch, and one after the last; empty where they lie outside."""
        edges = self.edges(first, count)
        low, high = int(np.floor(edges[0])), int(np.ceil(edges[-1]))
        low, high = max(0, low), min(self.source, max(high, low + 1))
        return low, max(low, high)

    def nearest(self, first: int, count: int, low: int, high: int) -> NDArray[np.int64]:
        """Place of the source pixel under each grid pixel's middle, counted from ``low``; −1 outside the source."""
        edges = self.edges(first, count)
        at = np.floor((edges[:-1] + edges[1:]) / 2).astype(np.int64)
        return np.where((at >= low) & (at < high), at - low, -1)


def take(
    data: NDArray, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> tuple[NDArray, NDArray[np.bool_] | None, Lattice]:
    """The pixels at these rows and columns, runs of one taken once; where there is none (None: nowhere); and whose is whose."""
    rows, row_of = _once(rows)
    cols, col_of = _once(cols)
    found = data[np.maximum(rows, 0)[:, None], np.maximum(cols, 0)[None, :]]
    lost = (rows < 0)[:, None] | (cols < 0)[None, :]
    return found, lost if lost.any() else None, Lattice(row_of, col_of)


def _once(places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs of one place taken once, and the run of each."""
    first = np.ones(places.size, bool)
    first[1:] = places[1:] != places[:-1]
    return places[first], np.cumsum(first) - 1


def _alone(edges: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Grid pixels along an axis that differ, and for every one the place of its like: those within one source pixel are."""
    within = np.floor(edges[:-1])
    alone = np.ceil(edges[1:]) - within <= 1
    same = np.zeros(within.size, bool)
    same[1:] = alone[1:] & alone[:-1] & (within[1:] == within[:-1])
    return np.flatnonzero(~same), np.cumsum(~same) - 1


def mean(
    data: NDArray[np.float64],
    row_edges: NDArray[np.float64],
    col_edges: NDArray[np.float64],
    low_row: int,
    low_col: int,
) -> tuple[NDArray[np.float32], Lattice]:
    """Mean of the source under each grid pixel, by area; NaN where no source pixel has a value.

    data : source pixels, NaN where there is none, whose first is (low_row, low_col); row_edges, col_edges : of the grid
    pixels in source pixels, rising. Rows and columns that are alike are worked out once.
    returns : the means of the distinct rows and columns, and whose they are.
    """
    known = ~np.isnan(data)
    rows, row_of = _alone(row_edges)
    cols, col_of = _alone(col_edges)
    starts, ends = row_edges[:-1][rows], row_edges[1:][rows]
    out = np.empty((rows.size, cols.size), np.float32)
    if known.all():  # the weight of a row is then the same in every column
        summed, weight = (
            _along_rows(data, starts, ends, low_row),
            _along_rows(np.ones((data.shape[0], 1)), starts, ends, low_row),
        )
    else:
        summed = _along_rows(np.where(known, data, 0.0), starts, ends, low_row)
        weight = _along_rows(known.astype(np.float64), starts, ends, low_row)
    _along_cols(summed, weight, col_edges[:-1][cols], col_edges[1:][cols], low_col, out)
    return out, Lattice(row_of, col_of)


@numba.njit(nogil=True, cache=True)
def _along_rows(
    data: NDArray[np.float64], starts: NDArray[np.float64], ends: NDArray[np.float64], low: int
) -> NDArray[np.float64]:
    """Rows of the source summed by how much of each a grid row covers (grid rows, source columns); all of one counts 1."""
    out = np.zeros((starts.size, data.shape[1]))
    for k in range(starts.size):
        whole = np.ceil(ends[k]) - np.floor(starts[k]) <= 1.0
        first = max(int(np.floor(starts[k])), low)
        last = min(int(np.ceil(ends[k])), low + data.shape[0])
        for s in range(first, last):
            w = 1.0 if whole else min(ends[k], s + 1.0) - max(starts[k], float(s))
            if w > 0.0:
                for j in range(data.shape[1]):
                    out[k, j] += w * data[s - low, j]
    return out


@numba.njit(nogil=True, cache=True)
def _along_cols(
    summed: NDArray[np.float64],
    weight: NDArray[np.float64],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    low: int,
    out: NDArray[np.float32],
) -> None:
    """Columns likewise, and the division. weight : as ``summed``, or one column that stands for all."""
    n = starts.size
    first = np.empty(n, np.int64)
    last = np.empty(n, np.int64)
    whole = np.empty(n, np.bool_)
    for j in range(n):
        whole[j] = np.ceil(ends[j]) - np.floor(starts[j]) <= 1.0
        first[j] = max(int(np.floor(starts[j])), low)
        last[j] = min(int(np.ceil(ends[j])), low + summed.shape[1])
    one = weight.shape[1] == 1
    for k in range(out.shape[0]):
        for j in range(n):
            total = 0.0
            covered = 0.0
            for s in range(first[j], last[j]):
                w = 1.0 if whole[j] else min(ends[j], s + 1.0) - max(starts[j], float(s))
                total += w * summed[k, s - low]
                covered += w * weight[k, 0 if one else s - low]
            out[k, j] = np.float32(total / covered) if covered > 0.0 else np.float32(np.nan)
