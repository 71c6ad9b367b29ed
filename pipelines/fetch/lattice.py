"""The grid that a layer is written on, and the pieces it is fetched in: both lie at fixed places of the globe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine

from pipelines.fetch.area import Area

_HAIR: Final = 1e-6


class Span(NamedTuple):
    """Rows and columns of the globe's grid, from the north-west corner of the map at 180° W, 90° N."""

    row: int
    col: int
    height: int
    width: int


@dataclass(frozen=True)
class Lattice:
    """per_degree : pixels a degree; piece : rows and columns of a piece."""

    per_degree: int
    piece: tuple[int, int]

    def window(self, area: Area) -> Span:
        """The pixels of an area with one more on every side."""
        west, south, east, north = area.bounds
        n = self.per_degree
        top = max(0, math.floor((90 - north) * n) - 1)
        bottom = min(180 * n, math.ceil((90 - south) * n) + 1)
        left = math.floor((west + 180) * n) - 1
        right = math.ceil((east + 180) * n) + 1
        return Span(top, left, bottom - top, min(right - left, 360 * n))

    def span(self, bounds: tuple[float, float, float, float], turn: float = 0.0) -> Span:
        """The pixels under a box [degrees], moved east by ``turn``; edges on the lattice are edges, whatever their last digit."""
        west, south, east, north = bounds
        n = self.per_degree
        top, left = math.floor((90 - north) * n + _HAIR), math.floor((west + turn + 180) * n + _HAIR)
        bottom, right = math.ceil((90 - south) * n - _HAIR), math.ceil((east + turn + 180) * n - _HAIR)
        return Span(top, left, bottom - top, right - left)

    def pieces(self, window: Span) -> Iterator[Span]:
        """The whole pieces that a window reaches into, row by row."""
        tall, wide = self.piece
        for i in range(window.row // tall, -(-(window.row + window.height) // tall)):
            for j in range(window.col // wide, -(-(window.col + window.width) // wide)):
                height = min(tall, 180 * self.per_degree - i * tall)
                yield Span(i * tall, j * wide, height, wide)

    def bounds(self, span: Span) -> tuple[float, float, float, float]:
        """West, south, east, north [degrees]."""
        n = self.per_degree
        return (
            span.col / n - 180, 90 - (span.row + span.height) / n, (span.col + span.width) / n - 180, 90 - span.row / n,
        )  # fmt: skip

    def latitudes(self, span: Span) -> NDArray[np.float64]:
        """Latitude of the middle of every row [degrees]."""
        return 90 - (span.row + 0.5 + np.arange(span.height)) / self.per_degree

    def transform(self, span: Span) -> Affine:
        west, _, _, north = self.bounds(span)
        return Affine(1 / self.per_degree, 0.0, west, 0.0, -1 / self.per_degree, north)


def common(a: Span, b: Span) -> Span | None:
    """What two spans share, None for nothing."""
    row, col = max(a.row, b.row), max(a.col, b.col)
    bottom, right = min(a.row + a.height, b.row + b.height), min(a.col + a.width, b.col + b.width)
    return Span(row, col, bottom - row, right - col) if bottom > row and right > col else None
