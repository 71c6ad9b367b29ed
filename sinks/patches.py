"""Stands too small to be forest: connected components under the minimum area of a definition."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray


def patch_pixels(minimum_patch_ha: float, pixel_area_m2: float) -> int:
    """How many pixels the smallest counted stand has; 1 where a pixel alone is large enough."""
    return max(1, math.ceil(minimum_patch_ha * 10_000 / pixel_area_m2 - 1e-9))


def too_small(forest: NDArray[np.bool_], pixels: int, halo: int) -> NDArray[np.bool_]:
    """Which forest pixels stand in an 8-connected patch of fewer than ``pixels`` pixels.

    forest : bool (h + 2·halo, w + 2·halo), the block with its surroundings; returns bool (h, w).
    A patch smaller than ``pixels`` that touches the block lies wholly within ``pixels`` − 1 of it, so with a halo of that
    width (``halo`` ≥ ``pixels`` − 1) the answer is the same for any partition into blocks.
    """
    inside = (slice(halo, forest.shape[0] - halo), slice(halo, forest.shape[1] - halo))
    if pixels <= 1:
        return np.zeros_like(forest[inside])
    if pixels == 2 and halo == 1:  # a pixel alone; the commonest case on grids of some 28 m
        return _alone(np.ascontiguousarray(forest))
    from scipy import ndimage  # dear to import, and most grids do without

    label, n = ndimage.label(forest, structure=np.ones((3, 3), dtype=bool))
    few = np.bincount(label.ravel(), minlength=n + 1) < pixels
    few[0] = False
    return few[label][inside]


@numba.njit(nogil=True, cache=True)
def _alone(forest: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which forest pixels touch no other. forest : bool (h + 2, w + 2); returns bool (h, w)."""
    h, w = forest.shape[0] - 2, forest.shape[1] - 2
    out = np.empty((h, w), np.bool_)
    for i in range(h):
        above, here, below, line = forest[i], forest[i + 1], forest[i + 2], out[i]
        for j in range(w):
            beside = above[j] | above[j + 1] | above[j + 2] | below[j] | below[j + 1] | below[j + 2]
            line[j] = here[j + 1] & ~(beside | here[j] | here[j + 2])
    return out
