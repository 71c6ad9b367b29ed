"""A block summed another way than the pass does: what its sums and maps are held against."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def area_by_region(region: NDArray[np.int32], area: NDArray[np.float64], n_regions: int) -> NDArray[np.float64]:
    """Area of every region in a block, run by run along the rows: a second way of summing, to check the walk by.

    region : int32 (h, w); area : float64 (h, 1) or (h, w); returns float64 (n_regions,) in the unit of ``area``.
    """
    total = np.zeros(n_regions)
    h, w = region.shape
    wide = area.shape[1] > 1
    for i in range(h):
        j = 0
        while j < w:
            r = region[i, j]
            end = j
            run = 0.0
            while end < w and region[i, end] == r:
                if wide:
                    run += area[i, end]
                end += 1
            total[r] += run if wide else (end - j) * area[i, 0]
            j = end
    return total


def stored_total(stored: NDArray, nodata: float, area: NDArray[np.float64]) -> tuple[float, float]:
    """Σ value·area and Σ area of a map's valid pixels, in the map's own steps: to hold the map against the account.

    stored (h, w); area (h, 1) or (h, w). Rows of whole numbers are added in whole numbers.
    """
    if stored.dtype.kind == "f" or area.shape[1] > 1:
        return _stored_total(stored, stored.dtype.type(nodata), np.broadcast_to(area, stored.shape))
    values, counts = _row_totals(stored, stored.dtype.type(nodata))
    return float(values @ area[:, 0]), float(counts @ area[:, 0])


@numba.njit(nogil=True, cache=True)
def _row_totals(stored: NDArray, nodata: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values, counts = np.empty(stored.shape[0]), np.empty(stored.shape[0])
    for i in range(stored.shape[0]):
        row = stored[i]
        total, count = np.int64(0), np.int64(0)
        for j in range(row.size):
            known = np.int64(row[j] != nodata)
            total += np.int64(row[j]) * known
            count += known
        values[i], counts[i] = total, count
    return values, counts


@numba.njit(nogil=True, cache=True)
def _stored_total(stored: NDArray, nodata: float, area: NDArray[np.float64]) -> tuple[float, float]:
    value, covered = 0.0, 0.0
    for i in range(stored.shape[0]):
        for j in range(stored.shape[1]):
            if stored[i, j] != nodata:
                value += np.float64(stored[i, j]) * area[i, j]
                covered += area[i, j]
    return value, covered
