"""The common grid as a frozen value, its blocks, and the true area and latitude of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyproj
from numpy.typing import NDArray

from pipelines.errors import InputError
from sinks.area import areal_scale, cell_area, ellipsoid

NODE_METRES: Final = 1000.0
MOST_NODE_PIXELS: Final = 32
"""The areal scale factor is asked for at nodes at most this far apart and interpolated between them."""

_EQUAL_AREA: Final = ("Albers Equal Area", "Lambert Azimuthal Equal Area", "Lambert Cylindrical Equal Area")


@dataclass(frozen=True)
class Block:
    """A rectangle of the grid: the unit of work."""

    index: int
    row: int
    col: int
    height: int
    width: int


@dataclass(frozen=True)
class Grid:
    """CRS, affine transform (a, b, c, d, e, f) and shape; north-up and axis-aligned."""

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    def __post_init__(self) -> None:
        a, b, _, d, e, _ = self.transform
        if b or d or a <= 0 or e >= 0:
            raise InputError("the land-cover raster is rotated; warp it to a north-up grid first (gdalwarp does)")
        if self.is_geographic:
            _, south, _, north = self.bounds
            if south < -90.0001 or north > 90.0001:
                raise InputError(
                    f"the land-cover raster spans latitudes {south:g} to {north:g}; its CRS or transform is wrong"
                )

    def __getstate__(self) -> dict[str, object]:
        return {k: self.__dict__[k] for k in ("crs_wkt", "transform", "width", "height")}

    @cached_property
    def crs(self) -> pyproj.CRS:
        return pyproj.CRS.from_wkt(self.crs_wkt)

    @property
    def is_geographic(self) -> bool:
        return self.crs.is_geographic

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in the grid's CRS."""
        return self.window_bounds(Block(0, 0, 0, self.height, self.width))

    def window_bounds(self, block: Block) -> tuple[float, float, float, float]:
        """West, south, east, north of a block."""
        a, _, x0, _, e, y0 = self.transform
        west, north = x0 + a * block.col, y0 + e * block.row
        return west, north + e * block.height, west + a * block.width, north

    def blocks(self, height: int, width: int) -> list[Block]:
        """The grid cut into blocks of at most this shape, row by row."""
        found = []
        for row in range(0, self.height, height):
            for col in range(0, self.width, width):
                found.append(Block(len(found), row, col, min(height, self.height - row), min(width, self.width - col)))
        return found

    def area(self, block: Block) -> NDArray[np.float64]:
        """True pixel areas [m²]: (h, 1) on a geographic grid, (h, w) on a projected one; the same bits for any block."""
        a, _, _, _, e, y0 = self.transform
        if self.is_geographic:
            edges = np.clip(y0 + e * np.arange(block.row, block.row + block.height + 1), -90.0, 90.0)
            return cell_area(edges[1:], edges[:-1], a, *ellipsoid(self.crs))[:, None]
        flat = a * -e * self._unit**2
        if self._is_equal_area:
            return np.full((block.height, 1), flat)
        return flat / self._interpolated(block, self._scale_nodes)

    def latitude(self, block: Block) -> NDArray[np.float64]:
        """Latitude of pixel centres [°]: (h, 1) or (h, w); the same bits for any block."""
        if self.is_geographic:
            _, _, _, _, e, y0 = self.transform
            return (y0 + e * (np.arange(block.row, block.row + block.height) + 0.5))[:, None]
        return self._interpolated(block, self._latitude_nodes)

    # ------------------------------------------------------------------ nodes of projected grids

    @cached_property
    def _unit(self) -> float:
        """Metres per unit of the CRS."""
        return float(self.crs.axis_info[0].unit_conversion_factor)

    @cached_property
    def _is_equal_area(self) -> bool:
        operation = self.crs.coordinate_operation
        return operation is not None and any(operation.method_name.startswith(name) for name in _EQUAL_AREA)

    @property
    def _node_pixels(self) -> int:
        a, _, _, _, e, _ = self.transform
        return int(np.clip(NODE_METRES // (max(a, -e) * self._unit), 1, MOST_NODE_PIXELS))

    def _nodes(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64], int, int]:
        """Coordinates of the nodes around a block, which lie at fixed places of the grid, and the first of them."""
        a, _, x0, _, e, y0 = self.transform
        k = self._node_pixels
        first_row, first_col = block.row // k, block.col // k
        rows = np.arange(first_row, (block.row + block.height - 1) // k + 2) * k + 0.5
        cols = np.arange(first_col, (block.col + block.width - 1) // k + 2) * k + 0.5
        # The last nodes may lie past the edge; there they are pulled in, which only the last, partial cell notices.
        x, y = np.meshgrid(x0 + a * np.minimum(cols, self.width), y0 + e * np.minimum(rows, self.height))
        return x, y, first_row, first_col

    def _scale_nodes(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return areal_scale(self.crs, x, y)

    def _latitude_nodes(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(pyproj.Proj(self.crs)(x, y, inverse=True)[1])

    def _interpolated(self, block: Block, function) -> NDArray[np.float64]:  # type: ignore[no-untyped-def]
        """A smooth function of place at every pixel centre, bilinear between nodes."""
        x, y, first_row, first_col = self._nodes(block)
        nodes, k = function(x, y), self._node_pixels
        if k == 1:
            return np.ascontiguousarray(nodes[: block.height, : block.width])
        rows, cols = np.arange(block.row, block.row + block.height), np.arange(block.col, block.col + block.width)
        i, u = np.divmod(rows, k)
        j, v = np.divmod(cols, k)
        i, j, u, v = i - first_row, j - first_col, self._part(u, rows, self.height), self._part(v, cols, self.width)
        left = nodes[:, j] * (1 - v) + nodes[:, j + 1] * v
        return left[i] * (1 - u)[:, None] + left[i + 1] * u[:, None]

    def _part(self, pixels: NDArray[np.intp], at: NDArray[np.intp], size: int) -> NDArray[np.float64]:
        """How far between its nodes each pixel centre lies; the last cell is shortened to the grid's edge."""
        k = self._node_pixels
        start = (at // k) * k + 0.5
        length = np.minimum(start + k, size) - start
        return np.where(length > 0, pixels / np.where(length > 0, length, 1.0), 0.0)
