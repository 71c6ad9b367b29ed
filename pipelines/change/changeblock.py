"""A block of a finished change: classes, carbon and process of its pixels, and their true area."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from pipelines.errors import InputError
from pipelines.files import runmaps
from pipelines.inputs.arealayers import AreaLayers, one_layer
from pipelines.inputs.grid import Block, Grid
from pipelines.samples.changemap import ChangeMap, open_change

_SHIFT: Final = 8


@dataclass(frozen=True)
class ChangeBlock:
    """Pixels (h, w) of a block.

    process : code of the map, 0 where an epoch has no class or no region of the run is; place : ``before``, ``after`` and
    ``process`` in one number (see ``parts``); opening, closing, change : [Mg C ha⁻¹], 0 where not told, closing and opening only
    where the change is told too; area : [m²].
    """

    block: Block
    process: NDArray[np.uint8]
    place: NDArray[np.int32]
    opening: NDArray[np.float32]
    closing: NDArray[np.float32]
    change: NDArray[np.float32]
    area: NDArray[np.float64]


def parts(place: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]:
    """Class before, class after and process of a ``place``."""
    mask = (1 << _SHIFT) - 1
    return place >> 2 * _SHIFT, place >> _SHIFT & mask, place & mask


@dataclass(frozen=True)
class ChangeReader:
    """Reads a finished change block by block, first epoch to last; plain values, so that it travels.

    regions : None where the whole map is inside.
    """

    folder: Path
    grid: Grid
    years: tuple[int, int]
    regions: AreaLayers | None

    def read(self, block: Block) -> ChangeBlock:
        """One block."""
        window = Window(block.col, block.row, block.width, block.height)
        before, after, process, opening, closing, change = (
            _values(runmaps.path(self.folder, name), window) for name in map_names(self.years)
        )
        if self.regions is not None:
            process[self.regions.label(0, block) == 0] = 0
        told = np.isfinite(change)
        place = before.astype(np.int32) << 2 * _SHIFT | after.astype(np.int32) << _SHIFT | process
        opening, closing, change = (
            np.where(told, np.nan_to_num(x), 0).astype(np.float32) for x in (opening, closing, change)
        )
        area = np.broadcast_to(self.grid.area(block), process.shape)
        return ChangeBlock(block, process, place, opening, closing, change, area)


def open_reader(folder: Path) -> tuple[ChangeReader, ChangeMap]:
    """The reader of a finished change, and what is known of its map. Raises InputError for one that lacks a map."""
    run = open_change(folder)
    for name in map_names(run.years):
        path = runmaps.path(run.folder, name)
        if not path.is_file():
            raise InputError(
                f"{folder}: there is no maps/{name}.tif here; name the output folder of a finished 'sinks change'"
            )
        with rasterio.open(path) as source:
            if source.shape != (run.grid.height, run.grid.width):
                raise InputError(
                    f"{path}: has {source.height} x {source.width} pixels, but the run {run.grid.height} x {run.grid.width}; "
                    f"make the change again"
                )
    return ChangeReader(run.folder, run.grid, run.years, one_layer(run.regions) if run.regions else None), run


def map_names(years: tuple[int, int]) -> tuple[str, ...]:
    """Maps of classes before and after, process, carbon before and after, and its change."""
    first, last = years
    return (
        f"ecosystem_{first}", f"ecosystem_{last}", "process", f"carbon_total_{first}", f"carbon_total_{last}",
        "carbon_change",
    )  # fmt: skip


def _values(path: Path, window: Window) -> NDArray[Any]:
    """Codes as they are; amounts in their unit, NaN for no data."""
    with rasterio.open(path) as source:
        data = source.read(1, window=window)
        if source.dtypes[0] == "uint8":
            return data
        return np.where(data == source.nodata, np.float32(np.nan), data * np.float32(source.scales[0]))
