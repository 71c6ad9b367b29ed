"""Slope of the ground from elevations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def slope_degrees(elevation_m: Floats, dx_m: Floats, dy_m: Floats) -> Floats:
    """Slope at the middle of 3 × 3 elevations [°], NaN where any of them is.

    elevation_m : (n, 3, 3), rows from north to south; dx_m, dy_m : (n,) ground distance between columns and rows [m].
    Source: Horn 1981, Proc. IEEE 69:14–47 (third-order finite differences, weights 1, 2, 1).
    """
    z = np.asarray(elevation_m, np.float64)
    weight = np.array([1.0, 2.0, 1.0])
    east = (z[:, :, 2] - z[:, :, 0]) @ weight / (8 * dx_m)
    south = (z[:, 2, :] - z[:, 0, :]) @ weight / (8 * dy_m)
    return np.degrees(np.arctan(np.hypot(east, south)))
