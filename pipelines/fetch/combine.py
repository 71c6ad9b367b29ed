"""Several maps of one product → one layer: what a maker publishes by months, and an assessment wants by years."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.fetch.register import Product
from sinks.climate import thornthwaite_year

_CELSIUS: Final = (0.1, -273.15)
"""Stored tenths of a kelvin to degrees Celsius: the monthly means of CHELSA."""


def combined(product: Product, parts: Sequence[NDArray[Any]], latitude: NDArray[np.float64]) -> NDArray[Any]:
    """The parts (each h × w, as stored) as one array of the product; nodata where any part has none. latitude : of rows (h,)."""
    stack = np.stack(parts)
    absent = (stack == stack.dtype.type(product.nodata)).any(axis=0)
    values = _WAYS[product.combine](product, stack, latitude)
    return np.where(absent, product.nodata, values).astype(product.dtype)


def _largest(product: Product, stack: NDArray[Any], latitude: NDArray[np.float64]) -> NDArray[Any]:
    return stack.max(axis=0)


def _thornthwaite(product: Product, stack: NDArray[Any], latitude: NDArray[np.float64]) -> NDArray[Any]:
    """Stored evapotranspiration of a year from stored monthly temperatures."""
    scale, offset = _CELSIUS
    year = thornthwaite_year(stack * scale + offset, np.broadcast_to(latitude[:, np.newaxis], stack.shape[1:]))
    return np.round((year - product.offset) / product.scale)


_WAYS: Final[Mapping[str, Callable[[Product, NDArray[Any], NDArray[np.float64]], NDArray[Any]]]] = {
    "largest": _largest,
    "thornthwaite": _thornthwaite,
}
