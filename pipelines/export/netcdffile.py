"""A NetCDF-4 file, written block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from pipelines.export.cf import Described, Variable
from pipelines.inputs.grid import Block


class NetCDF:
    """A file that is being written; chunks are ``side`` pixels wide, deflated as the maps are."""

    def __init__(self, path: Path, found: Described, side: int) -> None:
        self._file = netCDF4.Dataset(path, "w", format="NETCDF4")
        for name, size in found.sizes.items():
            self._file.createDimension(name, size)
        self._file.setncatts(dict(found.attrs))
        for variable in found.variables:
            self._create(variable, found, side)

    def _create(self, variable: Variable, found: Described, side: int) -> None:
        sizes = [found.sizes[d] for d in variable.dims]
        large = variable.values is None
        packed: dict[str, Any] = {"zlib": True, "complevel": 1, "shuffle": True} if large else {}
        chunks = [min(n, side) for n in sizes] if large else None
        made = self._file.createVariable(
            variable.name, variable.dtype, variable.dims, fill_value=variable.fill, chunksizes=chunks, **packed
        )
        made.set_auto_maskandscale(False)
        made.setncatts(dict(variable.attrs))
        if large:
            # Chunks are written whole and once: there is nothing to wait for.
            made.set_var_chunk_cache(4 * side * side * variable.dtype.itemsize)
        if variable.values is not None:
            made[...] = variable.values

    def write(self, block: Block, variable: Variable, data: NDArray[Any]) -> None:
        """The pixels of a block."""
        rows, cols = slice(block.row, block.row + block.height), slice(block.col, block.col + block.width)
        made = self._file.variables[variable.name]
        made[(0,) * (len(variable.dims) - 2) + (rows, cols)] = np.ascontiguousarray(data)

    def close(self) -> None:
        """Everything is on the disk."""
        self._file.close()
