"""Half the resolution of a block while it is still in memory: the first overview of a map, without decoding it again.

Every two by two pixels become one; at an odd edge, what there is of them. What is nodata does not count.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def halve(array: NDArray[Any], nodata: float, resampling: str) -> NDArray[Any]:
    """Array (h, w) → (⌈h/2⌉, ⌈w/2⌉) of the same dtype: the mean for densities, the commonest value for classes.

    Whole numbers are rounded half up; of classes that are equally common, the first in reading order is taken.
    """
    stored = array.dtype.type(nodata)
    if resampling == "mode":
        return _commonest(array, stored)
    if array.dtype.itemsize <= 2:
        return _whole_mean(array, stored)
    return _mean(array, stored, array.dtype.kind != "f")


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _whole_mean(array: NDArray[Any], nodata: Any) -> NDArray[Any]:
    """The mean of whole numbers in whole numbers; ⌊total/n + ½⌋ without a division, in loops that compile to vector code."""
    h, w = array.shape
    out = np.empty(((h + 1) // 2, (w + 1) // 2), array.dtype)
    total, count = np.empty(w + 1, np.int32), np.empty(w + 1, np.int32)
    total[w], count[w] = 0, 0
    for i in range(out.shape[0]):
        above, below = array[2 * i], array[min(2 * i + 1, h - 1)]
        again = np.int32(2 * i + 1 < h)
        for j in range(w):
            one = np.int32(above[j] != nodata)
            two = np.int32(below[j] != nodata) * again
            total[j] = np.int32(above[j]) * one + np.int32(below[j]) * two
            count[j] = one + two
        line = out[i]
        for j in range(line.size):
            t, n = total[2 * j] + total[2 * j + 1], count[2 * j] + count[2 * j + 1]
            by_three = (2 * t + 3) // 6
            mean = (t + 2) >> 2 if n == 4 else by_three if n == 3 else (t + 1) >> 1 if n == 2 else t
            line[j] = mean if n > 0 else nodata
    return out


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _mean(array: NDArray[Any], nodata: Any, whole: bool) -> NDArray[Any]:
    h, w = array.shape
    out = np.empty(((h + 1) // 2, (w + 1) // 2), array.dtype)
    total, count = np.zeros(w + 1), np.zeros(w + 1)
    for i in range(out.shape[0]):
        above, below = array[2 * i], array[min(2 * i + 1, h - 1)]
        both = 2 * i + 1 < h
        for j in range(w):
            a, b = np.float64(above[j]), np.float64(below[j])
            one = (above[j] != nodata) & (a == a)
            two = (below[j] != nodata) & (b == b) & both
            total[j] = (a if one else 0.0) + (b if two else 0.0)
            count[j] = np.float64(one) + np.float64(two)
        line = out[i]
        for j in range(line.size):
            n = count[2 * j] + count[2 * j + 1]
            mean = (total[2 * j] + total[2 * j + 1]) / n
            mean = np.floor(mean + 0.5) if whole else mean
            line[j] = mean if n > 0 else nodata
    return out


@numba.njit(nogil=True, cache=True)
def _commonest(array: NDArray[Any], nodata: Any) -> NDArray[Any]:
    h, w = array.shape
    out = np.empty(((h + 1) // 2, (w + 1) // 2), array.dtype)
    for i in range(out.shape[0]):
        above, line = array[2 * i], out[i]
        below = array[2 * i + 1] if 2 * i + 1 < h else above
        for j in range(line.size):
            right = min(2 * j + 1, w - 1)  # at an odd edge a pixel stands twice, which changes no order
            a, b, c, d = above[2 * j], above[right], below[2 * j], below[right]
            # How often each occurs, counted where it comes first; nodata does not count.
            na = 0 if a == nodata else 1 + (b == a) + (c == a) + (d == a)
            nb = 0 if b == nodata else 1 + (c == b) + (d == b)
            nc = 0 if c == nodata else 1 + (d == c)
            best, most = a, na
            if nb > most:
                best, most = b, nb
            if nc > most:
                best, most = c, nc
            line[j] = d if most == 0 else best
    return out
