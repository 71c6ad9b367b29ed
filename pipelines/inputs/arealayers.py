"""Polygons that may overlap: which of them each pixel of a block is in.

They are laid out in layers in which none overlaps another, and each layer is labelled as regions are
(``pipelines.inputs.zones``), so a pixel belongs to a polygon when its centre does, here as there.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.inputs import zones
from pipelines.inputs.grid import Block
from pipelines.inputs.zones import Regions

RASTERIO: Final = threading.Lock()
"""rasterio burns and traces shapes on a raster in memory, whose warning it hides for the whole process: one thread at a time."""
_MARGIN: Final = 2
"""Pixels around a block at which a polygon still counts as near, away from every pixel centre."""


@dataclass(frozen=True)
class AreaLayers:
    """Polygons in layers; plain values, so that they travel.

    layers : for each the places in ``regions`` of its polygons, in file order; bounds : (n, 4) in pixels of the grid.
    """

    regions: Regions
    layers: tuple[tuple[int, ...], ...]
    bounds: NDArray[np.float64]

    def label(self, layer: int, block: Block) -> NDArray[np.int32]:
        """Polygon of a layer that every pixel is in (h, w): 0 for none, k for ``regions.ids[k − 1]``."""
        own = np.asarray(self.layers[layer], np.int32)
        near = own[self._meets(block)[own]]
        if not near.size:
            return np.zeros((block.height, block.width), np.int32)
        # Only what is near is parsed: the labels keep the shapes of one request at a time.
        part = replace(
            self.regions, ids=tuple(self.regions.ids[k] for k in near), shapes=tuple(self.regions.shapes[k] for k in near),
            token=f"{self.regions.token}-{hashlib.sha256(near.tobytes()).hexdigest()}",
        )  # fmt: skip
        with RASTERIO:
            found = zones.label(part, block)
        return np.concatenate(([0], near + 1)).astype(np.int32)[found]

    def _meets(self, block: Block) -> NDArray[np.bool_]:
        west, north, east, south = self.bounds.T
        return (
            (west <= block.col + block.width + _MARGIN) & (east >= block.col - _MARGIN)
            & (north <= block.row + block.height + _MARGIN) & (south >= block.row - _MARGIN)
        )  # fmt: skip


def one_layer(regions: Regions) -> AreaLayers:
    """Regions of which a pixel belongs to the first in file order, as in a run."""
    return AreaLayers(
        regions, (tuple(range(len(regions.ids))),), shapely.bounds(shapely.from_wkb(list(regions.shapes)))
    )


def layered(regions: Regions) -> AreaLayers:
    """Polygons each on its own: one is put in the first layer where it overlaps none before it in the file."""
    shapes = shapely.from_wkb(list(regions.shapes))
    one, two = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = one < two
    one, two = one[pairs], two[pairs]
    apart = shapely.touches(shapes[one], shapes[two])
    earlier: list[set[int]] = [set() for _ in shapes]
    for a, b in zip(one[~apart].tolist(), two[~apart].tolist(), strict=True):
        earlier[b].add(a)
    layer: list[int] = []
    for others in earlier:
        taken = {layer[k] for k in others}
        layer.append(next(n for n in range(len(shapes)) if n not in taken))
    layers = tuple(tuple(k for k, n in enumerate(layer) if n == each) for each in range(max(layer) + 1))
    return AreaLayers(regions, layers, shapely.bounds(shapes))
