"""How sure a sum over a map is, when the errors of its pixels are correlated in space.

Two easy answers are both wrong. Independent pixels give an error ten thousand times too small; full correlation lets no
error average out. Here the errors are summed over small cells as if fully correlated within one, and between cells by a
correlation that falls with distance; both bounds are given beside the result.

    Var(T) = Σᵢ Σⱼ wᵢ wⱼ ρ(dᵢⱼ),  wᵢ = Σ area · standard deviation of cell i

Araza et al. 2022 (Remote Sens. Environ. 272:112917): ranges of 50 to 104 km for biomass maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks.errors import InputError

Array = Any

MODELS: Final = ("spherical", "exponential")
_DIRECT: Final = 600
"""Cells up to which pairs are summed one by one."""
_EFFECTIVE: Final = 3.0
"""An exponential correlation is down to 5 % at its range: the range is three times its length."""


def correlation(distance: Array, range_m: float, model: str = "spherical") -> Array:
    """Correlation of map errors a distance apart [1]; 0 beyond the range of the spherical model.

    distance, range_m : [m]. spherical: 1 − 1.5 h + 0.5 h³ with h = d / range; exponential: exp(−3 d / range).
    Raises InputError for an unknown model or a range below 0.
    """
    if model not in MODELS:
        raise InputError(f"there is no correlation model '{model}'; known: {', '.join(MODELS)}")
    if range_m < 0:
        raise InputError(f"the correlation range is {range_m:g} m; give a range of 0 m or more")
    d = np.asarray(distance, np.float64)
    if range_m == 0:
        return np.where(d == 0, 1.0, 0.0)
    h = d / range_m
    if model == "exponential":
        return np.exp(-_EFFECTIVE * h)
    return np.where(h < 1, 1 - 1.5 * h + 0.5 * h**3, 0.0)


def correlation_area(range_m: float, model: str = "spherical") -> float:
    """∫ ρ dA over the plane [m²]: π r² / 5 for the spherical model, 2π (r/3)² for the exponential one."""
    return math.pi * range_m**2 / 5 if model == "spherical" else 2 * math.pi * (range_m / _EFFECTIVE) ** 2


@dataclass(frozen=True)
class Cells:
    """Sums of area × standard deviation on a lattice of cells.

    row, col : place of each cell; weight : Σ area · sd in it [unit of the total]; square : Σ (area · sd)² in it;
    height_m, width_m : size of a cell [m].
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    weight: NDArray[np.float64]
    square: NDArray[np.float64]
    height_m: float
    width_m: float


@dataclass(frozen=True)
class MapError:
    """Standard error of a sum from the map's errors, with its two bounds, all in the unit of the sum.

    independent : no pixel knows of another; correlated : by the model; full : every error is the same.
    """

    independent: float
    correlated: float
    full: float


def map_error(cells: Cells, range_m: float, model: str = "spherical", nugget: float = 0.0) -> MapError:
    """Standard error of a sum over these cells.

    nugget : part of a pixel's variance that no neighbour shares [1].
    """
    independent = math.sqrt(float(cells.square.sum()))
    full = float(np.abs(cells.weight).sum())
    if not cells.weight.size:
        return MapError(0.0, 0.0, 0.0)
    shared = _pairs(cells, lambda d: correlation(d, range_m, model))
    variance = (1 - nugget) * shared + nugget * independent**2
    return MapError(independent, min(full, max(independent, math.sqrt(max(0.0, variance)))), full)


def _pairs(cells: Cells, rho: Callable[[Array], Array]) -> float:
    """Σᵢ Σⱼ wᵢ wⱼ ρ(dᵢⱼ): pair by pair for few cells, by FFT over their lattice for many."""
    if cells.weight.size <= _DIRECT:
        dy = (cells.row[:, None] - cells.row[None, :]) * cells.height_m
        dx = (cells.col[:, None] - cells.col[None, :]) * cells.width_m
        return float(cells.weight @ rho(np.hypot(dy, dx)) @ cells.weight)
    row, col = cells.row - cells.row.min(), cells.col - cells.col.min()
    height, width = int(row.max()) + 1, int(col.max()) + 1
    lattice = np.zeros((height, width))
    np.add.at(lattice, (row, col), cells.weight)
    dy = np.arange(-(height - 1), height) * cells.height_m
    dx = np.arange(-(width - 1), width) * cells.width_m
    kernel = rho(np.hypot(dy[:, None], dx[None, :]))
    near = np.flatnonzero(kernel.any(axis=1)), np.flatnonzero(kernel.any(axis=0))
    kernel = kernel[
        near[0][0] : near[0][-1] + 1, near[1][0] : near[1][-1] + 1
    ]  # both centred: the cut keeps the middle
    from scipy.signal import fftconvolve  # half a second to import, which only runs with a deviation need

    return float((lattice * fftconvolve(lattice, kernel, mode="same")).sum())
