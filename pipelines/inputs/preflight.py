"""A quick look at thinned-out inputs before the long run: the mistakes that would waste it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.inputs import sources

THIN = 512
"""Rows and columns that are looked at."""

HEAVIEST = 2000.0
"""No forest on Earth holds more Mg d.m. per hectare on the whole of a map; larger values are another unit."""
_HEAVY: Final = 0.02
"""Share of pixels that may be heavier: single stands are."""
_RUN_OVER: Final = 0.005
"""Share of pixels that may hold the largest value of their type by chance."""


def check_landcover(source: sources.Source, cover_of: Mapping[int, int], legend: str) -> None:
    """Refuse a legend that knows fewer than half of the pixels that have a value."""
    values, valid = sources.thin(source, THIN)
    valid &= ~np.isin(values, [v for v, place in cover_of.items() if place == 0])
    if not valid.any():
        raise InputError(
            f"{source.path}: the land cover has no pixel with a value; check the file and its nodata value"
        )
    known = np.isin(values[valid], [v for v, place in cover_of.items() if place > 1])
    if known.mean() < 0.5:
        seen, count = np.unique(values[valid][~known], return_counts=True)
        most = ", ".join(f"{v:g}" for v in seen[np.argsort(-count)][:8])
        raise InputError(
            f"{source.path}: the legend '{legend}' knows only {known.mean():.0%} of the pixels (most frequent unknown "
            f"values: {most}); give the right one with --legend ('sinks legends' lists them)"
        )


def check_biomass(source: sources.Source, name: str) -> None:
    """Refuse a biomass layer that is empty, all zero, negative, or in another unit."""
    values, valid = sources.thin(source, THIN)
    values = values[valid].astype(np.float64)
    _refuse_run_over(source, name, values)
    refuse_biomass(str(source.path), name, values)


def _refuse_run_over(source: sources.Source, name: str, values: NDArray[np.float64]) -> None:
    """Refuse values cut off where the file's type ends, or an absence that nobody declared."""
    if not np.issubdtype(source.dtype, np.integer) or source.layer.nodata is not None:
        return
    largest = np.iinfo(source.dtype).max
    share = np.isclose(values, largest * source.scale + source.offset).mean() if values.size else 0.0
    if share > _RUN_OVER:
        raise InputError(
            f"{source.path}: {share:.1%} of the {name} values are {largest}, the largest that {source.dtype} holds; if they mean "
            f"no data, declare it: --layer {name}.nodata={largest}; if larger values were cut off, write a wider type"
        )


def refuse_biomass(path: str, name: str, values: NDArray[np.float64]) -> None:
    """The tests of :func:`check_biomass` on values alone."""
    unit = {"agb": "Mg d.m. per hectare", "agc": "Mg C per hectare", "volume": "m³ per hectare"}[name]
    if values.size == 0:
        raise InputError(f"{path}: the {name} layer has no value anywhere; check its nodata value and extent")
    if values.min() < 0:
        low = values.min()
        raise InputError(
            f"{path}: the {name} layer has negative values (lowest {low:g}); if they mean no data, declare it: "
            f"--layer {name}.nodata={low:g}"
        )
    if values.max() == 0:
        raise InputError(f"{path}: the {name} layer is zero everywhere; is it the right file and band?")
    heavy = (values > HEAVIEST).mean()
    if heavy > _HEAVY:
        raise InputError(
            f"{path}: the {name} layer should be {unit}, but {heavy:.0%} of its values are above {HEAVIEST:g} (median "
            f"{np.median(values[values > 0]):g}); give its unit's factor: --layer {name}.scale=0.1 for tenths, 0.001 for kg"
        )
