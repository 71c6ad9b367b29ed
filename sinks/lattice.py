"""Arrays that repeat: the rows and columns of a coarse layer that a block's pixels share, held once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lattice:
    """Which row and which column of a smaller array each row and column of a block has.

    rows : int64 (h,), cols : int64 (w,), both rising from 0 by steps of 0 or 1.
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]

    @staticmethod
    def whole(height: int, width: int) -> Lattice:
        """Every pixel for itself."""
        return Lattice(np.arange(height), np.arange(width))

    @staticmethod
    def meet(lattices: Sequence[Lattice]) -> Lattice:
        """The coarsest lattice on which all of these can be held."""
        return Lattice(_joined([lat.rows for lat in lattices]), _joined([lat.cols for lat in lattices]))

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the smaller array."""
        return (int(self.rows[-1]) + 1 if self.rows.size else 0, int(self.cols[-1]) + 1 if self.cols.size else 0)

    @property
    def is_whole(self) -> bool:
        """Whether nothing repeats."""
        return self.shape == (self.rows.size, self.cols.size)

    def spread(self, values: NDArray) -> NDArray:
        """The block: values (rows, cols) of the smaller array → (h, w)."""
        return values if self.is_whole else values[:, self.cols][self.rows]

    def thinned(self, values: NDArray, to: Lattice) -> NDArray:
        """Values of this lattice on another that can hold it."""
        return values[self.rows[_firsts(to.rows)][:, None], self.cols[_firsts(to.cols)][None, :]]

    def span(self, values: NDArray, where: NDArray[np.uint8]) -> tuple[float, float]:
        """Least and most of values (rows, cols) in the pixels (h, w) where this is not 0; +inf and −inf where there is none."""
        return _span(values, self.rows, self.cols, where, self.shape[1] == self.cols.size)


def _firsts(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each place occurs first."""
    return np.flatnonzero(np.diff(places, prepend=-1))


def _joined(axes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    step = np.zeros(axes[0].size, bool)
    for places in axes:
        step[1:] |= places[1:] != places[:-1]
    return np.cumsum(step)


@dataclass(frozen=True)
class Stack:
    """Several layers of a block, those that repeat held on a lattice.

    fine : float32 (f, h, w); coarse : float32 (c, rows, cols) on ``lattice``; fine_at, coarse_at : places of these layers
    in the stack.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    lattice: Lattice
    fine_at: tuple[int, ...]
    coarse_at: tuple[int, ...]

    @staticmethod
    def of(layers: NDArray[np.float32]) -> Stack:
        """Layers (n, h, w) that do not repeat."""
        n, height, width = layers.shape
        none = np.zeros((0, height, width), np.float32)
        return Stack(layers, none, Lattice.whole(height, width), tuple(range(n)), ())

    def __len__(self) -> int:
        return len(self.fine_at) + len(self.coarse_at)

    def held(self, at: int) -> NDArray[np.float32]:
        """One layer as it is held."""
        return self.fine[self.fine_at.index(at)] if at in self.fine_at else self.coarse[self.coarse_at.index(at)]

    def layer(self, at: int) -> NDArray[np.float32]:
        """One layer of the block (h, w)."""
        return self.held(at) if at in self.fine_at else self.lattice.spread(self.held(at))


@numba.njit(nogil=True, cache=True)
def _span(
    values: NDArray[np.float32], rows: NDArray[np.int64], cols: NDArray[np.int64], where: NDArray[np.uint8], whole: bool
) -> tuple[float, float]:
    nothing, low, high = np.float32(np.nan), np.float32(np.inf), np.float32(-np.inf)
    least, most = np.full(where.shape[1], low), np.full(where.shape[1], high)
    for i in range(where.shape[0]):  # column by column, so that a row is vector code
        line, here = values[rows[i]], where[i]
        for j in range(here.size):
            y = line[j] if whole else line[cols[j]]
            y = y if here[j] != 0 else nothing
            least[j] = y if y < least[j] else least[j]
            most[j] = y if y > most[j] else most[j]
    for j in range(least.size):
        low, high = min(low, least[j]), max(high, most[j])
    return np.float64(low), np.float64(high)
