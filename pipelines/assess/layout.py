"""How the grid is cut into blocks, and what memory that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pipelines.assess.blockpass import BlockPlan
from pipelines.errors import InputError
from pipelines.inputs.grid import Grid

DEFAULT_BLOCK: Final = 2048
"""Side of a block [pixels]: larger ones are no faster, and take more memory."""
LEAST_BLOCK: Final = 1024
"""Blocks begin at multiples of it: two tiles of a map, so that a half-size tile is whole too."""
BASE: Final = 480 << 20
"""What a process holds before it has a block: libraries, compiled code, GDAL's cache [B]. Measured; see docs/performance.md."""


@dataclass(frozen=True)
class Layout:
    """Blocks of this shape (rows, columns), on so many workers, each of which holds ``per_block`` bytes at most."""

    shape: tuple[int, int]
    workers: int
    per_block: int


def block_shape(wanted: int | None, grid: Grid, strips: bool) -> tuple[int, int]:
    """Blocks of whole output tiles; as wide as the raster where the land cover lies in strips, which are decoded whole."""
    if wanted:
        return wanted, wanted
    if strips:
        width = LEAST_BLOCK * math.ceil(grid.width / LEAST_BLOCK)
        rows = max(1, DEFAULT_BLOCK * DEFAULT_BLOCK // width // LEAST_BLOCK) * LEAST_BLOCK
        if width * rows <= 4 * DEFAULT_BLOCK * DEFAULT_BLOCK:
            return rows, width
    return DEFAULT_BLOCK, DEFAULT_BLOCK


def fitted(
    plan: BlockPlan, shape: tuple[int, int], workers: int, memory: float | None, *, fixed: bool, notes: list[str]
) -> Layout:
    """Fewer workers, or smaller blocks, where ``memory`` [GiB] is too little for these; what was done goes into ``notes``.

    fixed : the shape is not ours to change. Raises InputError where one worker with the smallest blocks is too much.
    """
    per_block = bytes_per_block(plan, *shape)
    if memory is None or BASE + workers * per_block <= memory * 2**30:
        return Layout(shape, workers, per_block)
    room = memory * 2**30 - BASE
    if room < per_block and not fixed:
        shape = LEAST_BLOCK, LEAST_BLOCK
        per_block = bytes_per_block(plan, *shape)
    fit = int(room // per_block)
    if fit < 1:
        least = (BASE + per_block) / 2**30
        raise InputError(
            f"--memory is {memory:g} GiB, and one worker with blocks of {shape[0]} x {shape[1]} pixels takes {least:.2f}; give "
            f"more{', or a smaller --block-size' if fixed and max(shape) > LEAST_BLOCK else ''}"
        )
    fit = min(fit, workers)
    notes.append(
        f"--memory {memory:g} GiB allows {fit} of {workers} worker(s), with blocks of {shape[0]} x {shape[1]} pixels and "
        f"{per_block / 2**20:.0f} MiB each"
    )
    return Layout(shape, fit, per_block)


def bytes_per_block(plan: BlockPlan, height: int, width: int) -> int:
    """Peak memory of one block, roughly: inputs, codes and outputs held at once, and a third for what comes and goes."""
    per_pixel = 2 + 4 + 4 + 8 * (not plan.grid.is_geographic)
    per_pixel += 8 * (len(plan.alignments) - 1) + 4 * len(plan.science.coding.terms)
    per_pixel += plan.request.dtype.itemsize * len(plan.value_maps) + 1
    return int(height * width * per_pixel * 4 / 3)
