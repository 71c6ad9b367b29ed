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
    if resampling == "mode" or array.dtype.itemsize <= 2:
        return _by_fours(array, stored, resampling == "mode")
    return _mean(array, stored, array.dtype.kind != "f")


@numba.njit(nogil=True, cache=True)
def _by_fours(array: NDArray[Any], nodata: Any, classes: bool) -> NDArray[Any]:
    """What four pixels come to, in loops that compile to vector code. classes : the commonest; else the mean."""
    h, w = array.shape
    out = np.empty(((h + 1) // 2, (w + 1) // 2), array.dtype)
    for i in range(out.shape[0]):
        above, line = array[2 * i], out[i]
        # At an odd edge a pixel stands twice, which changes neither a mean nor which class comes first among the commonest.
        below = array[2 * i + 1] if 2 * i + 1 < h else above
        for j in range(w // 2):
            a, b, c, d = above[2 * j], above[2 * j + 1], below[2 * j], below[2 * j + 1]
            line[j] = _first_of_most(a, b, c, d, nodata) if classes else _mean_of(a, b, c, d, nodata)
        if w % 2:
            a, c = above[w - 1], below[w - 1]
            line[w // 2] = _first_of_most(a, a, c, c, nodata) if classes else _mean_of(a, a, c, c, nodata)
    return out


@numba.njit(nogil=True, cache=True)
def _mean_of(a: Any, b: Any, c: Any, d: Any, nodata: Any) -> Any:
    """⌊total/n + ½⌋ of those of four that are not nodata, without a division by what only the pixel tells."""
    one, two, three, four = np.int32(a != nodata), np.int32(b != nodata), np.int32(c != nodata), np.int32(d != nodata)
    t = np.int32(a) * one + np.int32(b) * two + np.int32(c) * three + np.int32(d) * four
    n = one + two + three + four
    by_three = (2 * t + 3) // 6
    mean = (t + 2) >> 2 if n == 4 else by_three if n == 3 else (t + 1) >> 1 if n == 2 else t
    return mean if n > 0 else np.int32(nodata)


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
def _first_of_most(a: Any, b: Any, c: Any, d: Any, nodata: Any) -> Any:
    """The commonest of four, without counting: a value that occurs twice is one of the commonest, and the first such in reading
    order is the one to take. Nodata does not count."""
    one, two, three = a != nodata, b != nodata, c != nodata
    best = c if three else d
    best = b if two else best
    best = a if one else best
    best = c if three & (c == d) else best
    best = b if two & ((b == c) | (b == d)) else best
    return a if one & ((a == b) | (a == c) | (a == d)) else best
