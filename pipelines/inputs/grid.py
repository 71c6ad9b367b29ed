"""The common grid as a frozen value, its blocks, and the true area and latitude of its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj
from numpy.typing import NDArray

from pipelines.errors import InputError
from sinks.area import Lattice

_FIELDS = ("crs_wkt", "transform", "width", "height")


@dataclass(frozen=True)
class Block:
    """A rectangle of the grid, in pixels: the unit of work."""

    index: int
    row: int
    col: int
    height: int
    width: int


@dataclass(frozen=True)
class Grid:
    """CRS, affine transform (a, b, c, d, e, f) and shape; north-up and axis-aligned. Hashable and picklable.

    Raises InputError for a rotated or flipped transform, for a CRS that is neither geographic in degrees nor projected,
    and for degrees that are none.
    """

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    def __post_init__(self) -> None:
        a, b, _, d, e, _ = self.transform
        if not all(map(math.isfinite, self.transform)):
            raise InputError(
                f"the grid's transform is {self.transform}, which is no place; georeference the raster again"
            )
        if b or d or a <= 0 or e >= 0:
            raise InputError("the land-cover raster is rotated; warp it to a north-up grid first (gdalwarp does)")
        if self.width < 1 or self.height < 1:
            raise InputError(f"the grid has {self.width} x {self.height} pixels; check the land-cover raster")
        if not (self.crs.is_geographic or self.crs.is_projected):
            raise InputError(
                f"the land cover's CRS '{self.crs.name}' is neither geographic nor projected; set its true one with "
                f"--layer landcover.crs=EPSG:…"
            )
        if self.is_geographic:
            self._check_degrees()

    def __getstate__(self) -> dict[str, object]:
        return {k: self.__dict__[k] for k in _FIELDS}  # the parsed CRS stays at home

    def _check_degrees(self) -> None:
        unit = self.crs.axis_info[0].unit_conversion_factor
        if not math.isclose(unit, math.pi / 180, rel_tol=1e-6):
            raise InputError(
                f"the land cover's CRS '{self.crs.name}' counts in {self.crs.axis_info[0].unit_name}s, not degrees; warp it to "
                f"EPSG:4326 first"
            )
        west, south, east, north = self.bounds
        slack = 0.51 * -self.transform[4]  # global grids of nodes reach half a pixel beyond the poles
        if south < -90 - slack or north > 90 + slack:
            raise InputError(
                f"the land-cover raster spans latitudes {south:g} to {north:g}; its CRS or transform is wrong, set the CRS "
                f"with --layer landcover.crs=EPSG:…"
            )
        if east - west > 360 + 1e-6 * self.transform[0]:
            raise InputError(
                f"the land-cover raster spans {east - west:g} degrees of longitude and so counts some land twice; clip it to 360"
            )

    @cached_property
    def crs(self) -> pyproj.CRS:
        return pyproj.CRS.from_wkt(self.crs_wkt)

    @cached_property
    def _lattice(self) -> Lattice:
        return Lattice(self.crs, self.transform)

    @property
    def is_geographic(self) -> bool:
        return self.crs.is_geographic

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in the grid's CRS."""
        return self.window_bounds(Block(0, 0, 0, self.height, self.width))

    def window_bounds(self, block: Block) -> tuple[float, float, float, float]:
        """West, south, east, north of a block in the grid's CRS."""
        a, _, x0, _, e, y0 = self.transform
        return (
            x0 + a * block.col,
            y0 + e * (block.row + block.height),
            x0 + a * (block.col + block.width),
            y0 + e * block.row,
        )

    def blocks(self, height: int, width: int) -> list[Block]:
        """The grid cut into blocks of at most this shape, row by row."""
        found: list[Block] = []
        for row in range(0, self.height, height):
            for col in range(0, self.width, width):
                found.append(Block(len(found), row, col, min(height, self.height - row), min(width, self.width - col)))
        return found

    def area(self, block: Block) -> NDArray[np.float64]:
        """True pixel areas [m²]: (h, 1) on a geographic or an equal-area grid, else (h, w); the same bits for any block."""
        return self._lattice.area(block.row, block.col, block.height, block.width)

    def latitude(self, block: Block) -> NDArray[np.float64]:
        """Latitude of pixel centres [°]: (h, 1) on a geographic grid, else (h, w); the same bits for any block."""
        return self._lattice.latitude(block.row, block.col, block.height, block.width)

    def smooth(
        self, block: Block, function: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A smooth function of x and y at every pixel centre (h, w), bilinear between nodes at fixed pixels of the grid."""
        return self._lattice.smooth(function, block.row, block.col, block.height, block.width)
