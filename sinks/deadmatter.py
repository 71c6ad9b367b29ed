"""Classes of altitude and rain that the dead-wood and litter table is keyed by.

CDM AR-TOOL12 as in Harris et al. 2021, Table S4: rain ≤ 1000, 1000–1600 and > 1600 mm a year, altitude ≤ and > 2000 m. A
class owns its upper edge: 1600 mm is the middle class, 2000 m the lower one. Labels and edges are those of
``sinks/tables/deadwood_litter.csv``: ``le2000``, ``1000_1600``, ``gt1600``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.parameters import table

Array = Any


@lru_cache(maxsize=2)
def _classes(column: str) -> tuple[tuple[str, float], ...]:
    """Label and upper edge of each class of a key column, rising; the edges are the numbers in the labels."""
    labels = {row.keys[column] for row in table("deadwood_litter").rows} - {"any", ""}
    edges = {
        label: float("inf") if label.startswith("gt") else float(re.findall(r"\d+", label)[-1]) for label in labels
    }
    return tuple(sorted(edges.items(), key=lambda item: item[1]))


def altitude_labels() -> tuple[str, ...]:
    """Keys of the classes of altitude, from low to high."""
    return tuple(label for label, _ in _classes("elevation_class"))


def rain_labels() -> tuple[str, ...]:
    """Keys of the classes of rain, from dry to wet."""
    return tuple(label for label, _ in _classes("precipitation_class"))


def altitude_class(elevation: Array) -> NDArray[np.uint8]:
    """Place of an elevation [m] among ``altitude_labels``, from 1; 0 where it is not known."""
    return _place(elevation, "elevation_class")


def rain_class(precipitation: Array) -> NDArray[np.uint8]:
    """Place of a yearly rain [mm yr⁻¹] among ``rain_labels``, from 1; 0 where it is not known."""
    return _place(precipitation, "precipitation_class")


def _place(values: Array, column: str) -> NDArray[np.uint8]:
    values = np.asarray(values)
    place = (values == values).astype(np.uint8)  # 0 where it is not a number
    for _, edge in _classes(column)[:-1]:
        place += values > edge
    return place
