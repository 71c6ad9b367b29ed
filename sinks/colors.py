"""Colours of quantities, and the round limits that they are spread over: the same in a GIS, a figure and a report."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sinks.quantities import FLUX_KEYS, VOLUME

RGB = tuple[int, int, int]

RAMPS: Final[dict[str, tuple[RGB, ...]]] = {
    "carbon": ((255, 255, 204), (194, 230, 153), (120, 198, 121), (49, 163, 84), (0, 104, 55)),
    "volume": ((247, 252, 185), (173, 221, 142), (65, 171, 93), (35, 132, 67), (0, 69, 41)),
    "flux": ((241, 238, 246), (189, 201, 225), (116, 169, 207), (43, 140, 190), (4, 90, 141)),
    "soil": ((255, 255, 212), (254, 217, 142), (254, 153, 41), (204, 76, 2), (102, 37, 6)),
    "change": ((166, 97, 26), (223, 194, 125), (245, 245, 245), (128, 205, 193), (1, 133, 113)),
    "uncertainty": ((252, 251, 253), (218, 218, 235), (158, 154, 200), (106, 81, 163), (63, 0, 125)),
}
"""Ramps of one direction of lightness (`change`: two), told apart with any colour vision.

Cynthia Brewer, ColorBrewer 2.0 (Apache-2.0): YlGn, Greens, PuBu, YlOrBr, BrBG, Purples.
"""

_BY_KEY: Final = {VOLUME.key: "volume"} | dict.fromkeys(FLUX_KEYS, "flux")


def ramp_of(quantity: str) -> str:
    """The ramp of a quantity, of its change (``change_…``) or of its standard error (``se_…``)."""
    for start, ramp in (("se_", "uncertainty"), ("change_", "change")):
        if quantity.startswith(start):
            return ramp
    return _BY_KEY.get(quantity, "carbon")


def ramp_colors(ramp: str, count: int) -> list[RGB]:
    """Evenly spaced colours of a ramp; the middle one when only one is wanted."""
    table = np.array(RAMPS[ramp], dtype=float)
    places = np.linspace(0, len(table) - 1, count) if count > 1 else np.array([(len(table) - 1) / 2])
    bands = [np.interp(places, np.arange(len(table)), table[:, band]) for band in range(3)]
    return [(round(float(r)), round(float(g)), round(float(b))) for r, g, b in zip(*bands, strict=True)]


def round_limits(low: float, high: float, count: int) -> list[float]:
    """About ``count`` equal steps of 1, 2, 2.5 or 5 × 10ⁿ that cover ``low`` to ``high``; two limits at least."""
    if not high > low:
        low, high = (low, low + 1) if low >= 0 else (low - 1, low)
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, max(last, first + 1) + 1)]


def class_breaks(values: NDArray[np.floating], count: int = 5) -> list[float]:
    """Limits of classes that hold about equally many values, rounded outwards to 3 digits; [] when no value is finite.

    Fewer classes where values repeat, so that no class is empty of meaning.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return []
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return [low, high]
    inner = [_digits(float(q), round) for q in np.quantile(finite, np.arange(1, count) / count)]
    first, last = _digits(low, math.floor), _digits(high, math.ceil)
    return [first, *sorted({q for q in inner if first < q < last}), last]


def _digits(value: float, rounding: Callable[[float], int]) -> float:
    """A value to three significant digits, by `round`, `math.floor` or `math.ceil`."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{rounding(value / step) * step:.12g}")
