"""Standard errors of the biomass map summed over square cells: what its errors' correlation in space is told from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from sinks.lattice import Stack
from sinks.onepass import Strata, Survey


@dataclass(frozen=True)
class ErrorCells:
    """Sums of area × standard error over square cells of the grid, by region and map class.

    region, group : int32; row, col : place of the cell on the grid's lattice of cells; weight : (cells, quantities)
    Σ area·se, square : Σ (area·se)², area in m². A cell lies in one block, so cells of blocks are only put side by side.
    """

    region: NDArray[np.int32]
    group: NDArray[np.int32]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    weight: NDArray[np.float64]
    square: NDArray[np.float64]


def no_cells(quantities: int) -> ErrorCells:
    """No cells."""
    none, empty = np.zeros(0, np.int64), np.zeros((0, quantities))
    return ErrorCells(none.astype(np.int32), none.astype(np.int32), none, none, empty, empty)


def join_cells(parts: Sequence[ErrorCells]) -> ErrorCells:
    """The cells of several blocks, in the order of their place, so that sums over them do not depend on the blocks."""
    names = ("region", "group", "row", "col", "weight", "square")
    joined = [np.concatenate([getattr(p, name) for p in parts]) for name in names]
    order = np.lexsort((joined[3], joined[2], joined[1], joined[0]))
    return ErrorCells(*(values[order] for values in joined))


def cell_errors(
    code: NDArray[np.int32],
    region: NDArray[np.int32],
    area: NDArray[np.float64],
    terms: Stack,
    errors: Strata,
    groups: NDArray[np.int32],
    seen: Survey,
    side: int,
    corner: tuple[int, int],
) -> ErrorCells:
    """Sum the standard errors of a block over cells.

    errors : pieces of ``seen.codes`` whose lines are standard errors, one per quantity (``Pieces.of("se_…")``);
    groups : number of the map class of each of ``seen.codes``; side : of a cell [pixels], a divisor of ``GRAIN``;
    corner : row and column of the block on the grid. A pixel whose error is not known counts 0.
    """
    pair_group = seen.pair_region.astype(np.int64) * 256 + groups[seen.pair_place]
    names, group_of = np.unique(pair_group, return_inverse=True)
    quantities = errors.lines.shape[2]
    lines = np.nan_to_num(errors.lines)
    down, across = -(-code.shape[0] // side), -(-code.shape[1] // side)
    weight = np.zeros((down, across, names.size, quantities))
    square = np.zeros_like(weight)
    _cell_errors(
        code, region, area, terms.layer(0), terms.layer(len(terms) - 1), seen.local_code, seen.local_region, seen.pair,
        errors.edges, errors.n_edges, lines, group_of.astype(np.int32), side, weight, square,
    )  # fmt: skip
    i, j, g = np.nonzero(square.any(axis=3))
    return ErrorCells(
        (names[g] // 256).astype(np.int32), (names[g] % 256).astype(np.int32), i + corner[0] // side, j + corner[1] // side,
        weight[i, j, g], square[i, j, g],
    )  # fmt: skip


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _cell_errors(
    code: NDArray[np.int32],
    region: NDArray[np.int32],
    area: NDArray[np.float64],
    biomass: NDArray[np.float32],
    deviation: NDArray[np.float32],
    local_code: NDArray[np.int32],
    local_region: NDArray[np.int32],
    pair: NDArray[np.int32],
    edges: NDArray[np.float64],
    n_edges: NDArray[np.int32],
    lines: NDArray[np.float64],
    group_of: NDArray[np.int32],
    side: int,
    weight: NDArray[np.float64],
    square: NDArray[np.float64],
) -> None:
    wide = area.shape[1] > 1
    last = lines.shape[3] - 1
    for i in range(code.shape[0]):
        for j in range(code.shape[1]):
            sd = np.float64(deviation[i, j])
            if not sd > 0.0:
                continue
            s = local_code[code[i, j]]
            k = 0
            if n_edges[s] > 0:
                x = np.float64(biomass[i, j])
                while k < n_edges[s] and x > edges[s, k]:
                    k += 1
            g = group_of[pair[local_region[region[i, j]], s]]
            a = area[i, j] if wide else area[i, 0]
            for q in range(lines.shape[2]):
                slope = lines[s, k, q, last]
                if slope != 0.0:
                    e = a * slope * sd
                    weight[i // side, j // side, g, q] += e
                    square[i // side, j // side, g, q] += e * e
