"""An assessment in memory as a subject of figures: its lazy maps are thinned out before they are computed whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import xarray as xr

from sinks.ecosystems import classes
from sinks.pixelarea import lattice_of
from sinks.plotting.ground import Frame
from sinks.plotting.panels import Classes, Density
from sinks.plotting.shapes import Shapes, Zones
from sinks.plotting.values import Tables
from sinks.plotting.words import say
from sinks.quantities import BY_KEY
from sinks.science import UNKNOWN_CODE

_PIXELS: Final = 1200
"""Longest side of a thinned map: what is seen of one on a screen or on half a page."""
_UNKNOWN_COLOR: Final = "#ff00ff"


@dataclass(frozen=True)
class InMemory:
    """What figures need of a :class:`sinks.dataset.Assessment`."""

    result: Any

    @cached_property
    def frame(self) -> Frame:
        lattice = lattice_of(self.result.landcover)
        dx, _, west, _, dy, top = lattice.transform
        rows, cols = self.result.landcover.shape
        x, y = sorted((west, west + dx * cols)), sorted((top, top + dy * rows))
        return Frame(lattice.crs, x[0], y[0], x[1], y[1])

    @cached_property
    def map_names(self) -> Sequence[str]:
        return [str(name) for name in self.result.maps.data_vars]

    def layer(self, name: str, language: str) -> tuple[str, Classes | Density]:
        array = self.result.maps[name]
        if name == "ecosystem":
            entries = {c.code: (c.name_zh if language == "zh" else c.name_en, c.color) for c in classes().values()}
            entries = dict(sorted(entries.items())) | {UNKNOWN_CODE: (say("unknown", language), _UNKNOWN_COLOR)}
            return say("map.ecosystem", language), Classes(self._thinned(array, mean=False), entries)
        quantity = BY_KEY[name]
        title = quantity.name_zh if language == "zh" else quantity.name_en
        return title, Density(self._thinned(array, mean=True), quantity.unit, name)

    def regions(self) -> Shapes | None:
        infos = self.result.regions
        if len(infos) == 1 and infos[0].id == "all":
            return None
        numbers = self._thinned(self.result.zones, mean=False)
        return Zones([r.id for r in infos], [r.name for r in infos], numbers)

    def tables(self) -> Tables:
        return Tables(self.result.accounts, self.result.coverage, self.result.targets())

    def _thinned(self, array: xr.DataArray, mean: bool) -> Any:
        """At most ``_PIXELS`` a side, row 0 in the north: means of densities, every n-th pixel of classes."""
        rows, cols = array.dims
        step = math.ceil(max(array.shape) / _PIXELS)
        if step > 1 and mean:
            array = array.coarsen({rows: step, cols: step}, boundary="pad").mean()
        elif step > 1:
            array = array.isel({rows: slice(step // 2, None, step), cols: slice(step // 2, None, step)})
        _, _, _, _, dy, _ = lattice_of(self.result.landcover).transform
        values = np.asarray(array.values)
        return values[::-1] if dy > 0 else values
