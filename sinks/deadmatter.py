"""Classes of altitude and rain that the dead-wood and litter table is keyed by.

CDM AR-TOOL12 as in Harris et al. 2021, Table S4: rain ≤ 1000, 1000–1600 and > 1600 mm a year, altitude ≤ and > 2000 m. A
class owns its upper edge: 1600 mm is the middle class, 2000 m the lower one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = Any

_ALTITUDE: Final = (("le2000", 2000.0), ("gt2000", np.inf))
_RAIN: Final = (("le1000", 1000.0), ("1000_1600", 1600.0), ("gt1600", np.inf))
"""Label and upper edge of each class; the labels are those of ``deadwood_litter.csv``, and hold the edges."""


def altitude_labels() -> tuple[str, ...]:
    """Keys of the classes of altitude, from low to high."""
    return tuple(label for label, _ in _ALTITUDE)


def rain_labels() -> tuple[str, ...]:
    """Keys of the classes of rain, from dry to wet."""
    return tuple(label for label, _ in _RAIN)


def altitude_class(elevation: Array) -> NDArray[np.uint8]:
    """Place of an elevation [m] among ``altitude_labels``, from 1; 0 where it is not known."""
    return _place(elevation, [edge for _, edge in _ALTITUDE])


def rain_class(precipitation: Array) -> NDArray[np.uint8]:
    """Place of a yearly rain [mm yr⁻¹] among ``rain_labels``, from 1; 0 where it is not known."""
    return _place(precipitation, [edge for _, edge in _RAIN])


def _place(values: Array, edges: list[float]) -> NDArray[np.uint8]:
    values = np.asarray(values)
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="left") + 1).astype(np.uint8)
