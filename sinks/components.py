"""Connected pixels of one value: numbered within a block, and made one across the edges of blocks."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def components(values: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Connected components (h, w) of pixels of one value, and how many; 0 is no value and in none.

    Pixels are neighbours along edges and across corners. Numbers run from 1 in the order of first pixels, row by row.
    """
    found = np.zeros(values.shape, np.int32)
    return found, int(_label(values, found, np.zeros(values.size + 1, np.int32)))


def joined(n: int, one: NDArray[np.integer], two: NDArray[np.integer]) -> NDArray[np.int32]:
    """Number of the component (n,), from 0, that each of ``n`` parts is in, where the pairs ``one``, ``two`` of parts touch."""
    from scipy import sparse  # dear to import, and most runs join nothing
    from scipy.sparse import csgraph

    touching = sparse.coo_array((np.ones(one.size, bool), (one, two)), shape=(n, n))
    return csgraph.connected_components(touching, directed=False)[1]


@numba.njit(nogil=True, cache=True)
def _root(parent: NDArray[np.int32], k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@numba.njit(nogil=True, cache=True)
def _label(values: NDArray[np.int32], found: NDArray[np.int32], parent: NDArray[np.int32]) -> int:
    """Two walks: provisional numbers with a forest of which are one, then final numbers."""
    height, width = values.shape
    n = 0
    for i in range(height):
        for j in range(width):
            value = values[i, j]
            if value == 0:
                continue
            own = 0
            for y, x in ((i, j - 1), (i - 1, j - 1), (i - 1, j), (i - 1, j + 1)):
                if y < 0 or x < 0 or x >= width or values[y, x] != value:
                    continue
                other = _root(parent, found[y, x])
                if own == 0 or own == other:
                    own = other
                elif own < other:
                    parent[other] = own
                else:
                    parent[own] = other
                    own = other
            if own == 0:
                n += 1
                parent[n] = own = n
            found[i, j] = own
    final = 0
    for k in range(1, n + 1):  # a root has the smallest number of its tree, so it comes first
        if parent[k] == k:
            final += 1
            parent[k] = -final
        else:
            parent[k] = parent[parent[k]]
    for i in range(height):
        for j in range(width):
            if found[i, j] != 0:
                found[i, j] = -parent[found[i, j]]
    return final
