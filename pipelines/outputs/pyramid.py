"""Overviews: every image from the one twice as fine, tile by tile, so that they do not depend on how the grid was cut."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.outputs import tiff
from pipelines.outputs.encoding import TILE, Encoding, decoded, encoded
from pipelines.outputs.halving import halve
from pipelines.outputs.mosaic import Mosaic

_ROWS: Final = 4
"""Rows of tiles that each thread has at hand."""


def levels(width: int, height: int) -> list[tuple[int, int, int]]:
    """Factor, width and height of each overview: halves until both sides fit in a tile."""
    found, factor = [], 1
    while -(-width // factor) > TILE or -(-height // factor) > TILE:
        factor *= 2
        found.append((factor, -(-width // factor), -(-height // factor)))
    return found


def halved(fine: Mosaic, path: Path, encoding: Encoding, threads: int) -> Mosaic:
    """The image of half the resolution; its tiles are written one after the other into ``path``, a work file.

    Raises DamagedTileError where a tile of the finer image is damaged.
    """
    width, height = -(-fine.width // 2), -(-fine.height // 2)
    rows, cols = -(-height // TILE), -(-width // TILE)
    offsets, counts = np.zeros((rows, cols), np.uint64), np.zeros((rows, cols), np.uint32)
    at = 0
    with path.open("wb") as out, ThreadPoolExecutor(threads) as pool:
        for first in range(0, rows, _ROWS * threads):
            some = range(first, min(first + _ROWS * threads, rows))
            for row, tiles in zip(some, pool.map(lambda r: _row(fine, r, encoding), some), strict=True):
                for col, tile in enumerate(tiles):
                    if tile:  # framed as in the output, into which whole rows of them are then copied at once
                        offsets[row, col], counts[row, col] = at + tiff.LEADER, len(tile)
                        at += out.write(tiff.framed(tile))
    return Mosaic.of_tiles(width, height, path, offsets.ravel(), counts.ravel())


def _row(fine: Mosaic, row: int, encoding: Encoding) -> list[bytes]:
    """A row of tiles, each from two by two finer ones; what lies beyond the image is nodata, as the padding of tiles is."""
    rows, cols = fine.shape_in_tiles
    found = []
    above = np.arange(cols) + 2 * row * cols
    lines = [list(fine.read(above)), list(fine.read(above + cols)) if 2 * row + 1 < rows else [b""] * cols]
    for col in range(0, cols, 2):
        parts = [[line[c] if c < cols else b"" for c in (col, col + 1)] for line in lines]
        if not any(part for line in parts for part in line):
            found.append(b"")
            continue
        block = np.block([[decoded(part, encoding) for part in line] for line in parts])
        found.extend(encoded(halve(block, encoding.nodata, encoding.resampling), encoding))
    return found
