"""A Zarr store (format 2, which every reader knows, with consolidated metadata), written block by block."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipelines.export.cf import Described, Variable
from pipelines.inputs.grid import Block


class Zarr:
    """A store that is being written; chunks are ``side`` pixels wide, those without a value take no room."""

    def __init__(self, path: Path, found: Described, side: int) -> None:
        self._path = path
        self._group = zarr.open_group(str(path), mode="w", zarr_format=2)
        self._group.attrs.update(dict(found.attrs))
        self._arrays: dict[str, Any] = {}
        for variable in found.variables:
            sizes = tuple(found.sizes[d] for d in variable.dims)
            large = variable.values is None
            made = self._group.create_array(
                variable.name, shape=sizes, dtype=variable.dtype, fill_value=variable.fill,
                chunks=tuple(min(n, side) for n in sizes) if large else sizes,
            )  # fmt: skip
            made.attrs.update(
                {"_ARRAY_DIMENSIONS": list(variable.dims), **{k: _plain(v) for k, v in variable.attrs.items()}}
            )
            if variable.values is not None:
                made[...] = variable.values
            self._arrays[variable.name] = made

    def write(self, block: Block, variable: Variable, data: NDArray[Any]) -> None:
        """The pixels of a block."""
        rows, cols = slice(block.row, block.row + block.height), slice(block.col, block.col + block.width)
        self._arrays[variable.name][(0,) * (len(variable.dims) - 2) + (rows, cols)] = np.ascontiguousarray(data)

    def close(self) -> None:
        """Everything is on the disk, and one file tells of it all."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that format 2 has no consolidated metadata by its specification
            zarr.consolidate_metadata(str(self._path), zarr_format=2)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
