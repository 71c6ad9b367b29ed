"""Pixels of a finished change as units of an impact study, drawn inside areas, in their rings and beyond.

Maps and covariates are read on their own pixels, by windows that hold some of the units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyproj
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipelines.change.impactareas import Areas
from pipelines.errors import InputError
from pipelines.files import manifest, runmaps
from pipelines.inputs import align, layerfiles, sources
from pipelines.inputs.grid import Block, Grid
from pipelines.inputs.sources import Source
from pipelines.samples.changemap import KIND
from sinks import allocation, ecosystems, layers
from sinks.impact import INSIDE, OUTSIDE, RING, Periods, periods
from sinks.science import NODATA_CODE, UNKNOWN_CODE
from sinks.terrain import slope_degrees
from sinks.units import M2_PER_HA

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

STOCK, EDGE, ELEVATION, SLOPE = "stock_mg_c_ha", "edge_distance_m", "elevation", "slope"
ECOSYSTEM, PRE_CHANGE = "ecosystem", "pre_change"
EDGE_PIXELS: Final = 33
EDGE_METRES: Final = 1000.0
"""The edge of an ecosystem is looked for so far, in pixels and in metres, whichever is less; beyond it all are equally far."""
LEAST: Final = 20
"""Units of a small area, where there are units enough."""
_BLOCK: Final = 2048
_TILE: Final = 512
_METRES: Final = ("", "m", "metre", "meter", "metres", "meters")
_OWN: Final = (
    "unit_id", "role", "site_id", "nearest_site", "distance_m", "x", "y", "x_m", "y_m", "area_ha", ECOSYSTEM, STOCK, EDGE, SLOPE,
    "change", PRE_CHANGE, "matched", "used", "controls", "geometry", "fid", "geom",
)  # fmt: skip
"""Columns of units, which a covariate cannot be called like."""


@dataclass(frozen=True)
class ChangeRun:
    """A finished change: its folder, grid and epochs."""

    folder: Path
    grid: Grid
    years: tuple[int, ...]

    def map(self, name: str, kind: str) -> Source:
        """One of its maps. Raises InputError when it is gone."""
        path = runmaps.path(self.folder, name)
        if not path.is_file():
            raise InputError(f"{self.folder}: the change has no maps/{name}.tif; run 'sinks change' again")
        return sources.inspect(sources.Layer(name, kind, str(path)))


def change_run(folder: Path) -> ChangeRun:
    """A folder that ``sinks change`` wrote. Raises InputError for any other."""
    about = manifest.read(folder)
    if about.get("kind") != KIND:
        raise InputError(f"{folder}: this is no change but another run; name a folder that 'sinks change' wrote")
    g = about["grid"]
    return ChangeRun(
        Path(folder), Grid(g["crs_wkt"], tuple(g["transform"]), g["width"], g["height"]), tuple(about["epochs"])
    )


@dataclass(frozen=True)
class Covariates:
    """Rasters to be matched on besides what the run tells, by name. numbers : to be near in; classes : to be alike in."""

    numbers: Mapping[str, Source]
    classes: Mapping[str, Source]


def covariates(given: Sequence[str], classes: Sequence[str], work: Path) -> Covariates:
    """From ``NAME=FILE``. A layer of classes by its name (climate, soil …) is one either way. Raises InputError."""
    numbers: dict[str, Source] = {}
    alike: dict[str, Source] = {}
    for text, asked in [*((g, False) for g in given), *((c, True) for c in classes)]:
        name, sign, file = (part.strip() for part in text.partition("="))
        if not (sign and name and file):
            raise InputError(f"the covariate '{text}' is not NAME=FILE; write e.g. elevation=dem.tif")
        if not name.isidentifier() or name in (*numbers, *alike, *_OWN):
            raise InputError(
                f"the covariate '{name}' cannot be called so, or is there already; give it a name of its own"
            )
        own = layers.LAYERS.get(name)
        kind = "class" if asked or (own is not None and own.kind == layers.CLASS) else "density"
        source = sources.inspect(layerfiles.make_layer(name, kind, file, work))
        if name == ELEVATION and source.unit.lower() not in _METRES:
            raise InputError(
                f"{source.path}: elevations are in '{source.unit}'; convert them to metres, for the slope's sake"
            )
        (alike if kind == "class" else numbers)[name] = source
    return Covariates(numbers, alike)


# ------------------------------------------------------------------------------------------ drawing


def sizes(areas: Areas, units: int, controls: int, ring: bool) -> Indices:
    """Units of every stratum of ``Areas.stratum``: shared by area among areas, and among rings, small ones having a few.

    Raises InputError for fewer units than two for every area.
    """
    n = len(areas.ids)
    if units < 2 * n:
        raise InputError(f"{units} units are too few for {n} areas; raise --units to {2 * n} at least")
    minimum = max(2, min(LEAST, units // (2 * n)))
    shared = [
        list(allocation.allocate(units, {str(k): a for k, a in enumerate(part)}, minimum=minimum).values())
        for part in (areas.area_ha, areas.ring_ha if ring else np.zeros(n))
    ]
    return np.array([*shared[0], *(shared[1] if ring else [0] * n), controls], np.int64)


@dataclass(frozen=True)
class Draw:
    """Pixels drawn: row, col, stratum (n,), and the area of each stratum that the maps tell [ha]."""

    row: Indices
    col: Indices
    stratum: Indices
    stratum_ha: Floats

    @property
    def represents_ha(self) -> Floats:
        """Area that every pixel stands for [ha] (n,): pixels are drawn in proportion to their area."""
        return (self.stratum_ha / np.maximum(np.bincount(self.stratum, minlength=len(self.stratum_ha)), 1))[
            self.stratum
        ]


def draw(run: ChangeRun, areas: Areas, wanted: Indices, seed: int) -> Draw:
    """Walk the map once, block by block, and draw pixels that all epochs tell and whose ecosystem is known at the first."""
    cover = _own(run.map(f"ecosystem_{run.years[0]}", "class"))
    change = _own(run.map("carbon_change", "density"))
    drawn = allocation.Drawn.none()
    area_ha = np.zeros(len(wanted))
    for block in run.grid.blocks(_BLOCK, _BLOCK):
        stratum = areas.stratum(block)
        if (stratum < 0).all():
            continue
        codes = align.read(cover, block).data
        told = np.isfinite(align.read(change, block).data) & (codes != NODATA_CODE) & (codes != UNKNOWN_CODE)
        stratum[~told] = -1
        area = run.grid.area(block)
        whole = np.broadcast_to(area, stratum.shape)[stratum >= 0]
        area_ha += np.bincount(stratum[stratum >= 0], whole, len(wanted)) / M2_PER_HA
        drawn = allocation.draw(stratum, area, wanted, seed=seed, row=block.row, col=block.col, before=drawn)
    return Draw(drawn.row, drawn.col, drawn.stratum, area_ha)


# ------------------------------------------------------------------------------------------ reading at places


def _own(source: Source) -> align.Alignment:
    """A raster on its own pixels, north up."""
    return align.plan(source, sources.grid_of(source))


def patches(
    source: Source, crs: pyproj.CRS, x: Floats, y: Floats, radius: int = 0
) -> Iterator[tuple[Indices, NDArray[Any]]]:
    """Which of the places (k,), and the values around each (k, 2 radius + 1, 2 radius + 1), NaN where there is none.

    x, y : in ``crs``. Places off the raster are left out.
    """
    alignment = _own(source)
    grid = alignment.grid
    col, row = pixels(grid, crs, x, y)
    inside = (col >= 0) & (col < grid.width) & (row >= 0) & (row < grid.height)
    tile = np.where(inside, row // _TILE * (grid.width // _TILE + 1) + col // _TILE, -1)
    order = np.argsort(tile, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(tile[order])) + 1):
        if not at.size or tile[at[0]] < 0:
            continue
        top, left = int(row[at].min()), int(col[at].min())
        block = Block(0, top, left, int(row[at].max()) - top + 1, int(col[at].max()) - left + 1)
        found = align.read(alignment, block, radius)
        data = found.data.astype(np.float64)
        if source.layer.kind == "class":  # whose absence shows by a code, or by a mask
            absent = found.data == source.nodata if source.nodata is not None else np.zeros(data.shape, bool)
            data[absent if found.valid is None else absent | ~found.valid] = np.nan
        around = sliding_window_view(data, (2 * radius + 1, 2 * radius + 1))
        yield at, around[row[at] - top, col[at] - left]


def pixels(grid: Grid, crs: pyproj.CRS, x: Floats, y: Floats) -> tuple[Indices, Indices]:
    """Column and row of the pixel at every place, off the grid too."""
    if not crs.equals(grid.crs, ignore_axis_order=True):
        x, y = pyproj.Transformer.from_crs(crs, grid.crs, always_xy=True).transform(x, y)
    a, _, x0, _, e, y0 = grid.transform
    if grid.is_geographic:
        x = x0 + (x - x0) % 360.0  # rasters from 0 to 360 are met too
    known = np.isfinite(x) & np.isfinite(y)
    col, row = (
        np.where(known, np.floor((v - v0) / step), -1).astype(np.int64) for v, v0, step in ((x, x0, a), (y, y0, e))
    )
    return col, row


def values(source: Source, crs: pyproj.CRS, x: Floats, y: Floats) -> Floats:
    """The raster at every place, NaN where there is none (n,)."""
    out = np.full(len(x), np.nan)
    for at, around in patches(source, crs, x, y):
        out[at] = around[:, 0, 0]
    return out


def centres(grid: Grid, col: Indices, row: Indices) -> tuple[Floats, Floats]:
    """Middles of pixels in the grid's CRS (n,)."""
    a, _, x0, _, e, y0 = grid.transform
    return np.asarray(x0 + a * (col + 0.5), np.float64), np.asarray(y0 + e * (row + 0.5), np.float64)


def pixel_metres(grid: Grid, col: Indices, row: Indices) -> tuple[Floats, Floats]:
    """Ground distance from a pixel to the next column and to the next row [m] (n,)."""
    a, e = grid.transform[0], grid.transform[4]
    x, y = centres(grid, col, row)
    geodetic = grid.crs.geodetic_crs or grid.crs
    move = pyproj.Transformer.from_crs(grid.crs, geodetic, always_xy=True)
    geod = grid.crs.get_geod() or pyproj.Geod(ellps="WGS84")
    lengths = []
    for dx, dy in ((a / 2, 0.0), (0.0, e / 2)):
        one, two = move.transform(x - dx, y - dy), move.transform(x + dx, y + dy)
        lengths.append(np.asarray(geod.inv(*one, *two)[2], np.float64))
    return lengths[0], lengths[1]


def slope(source: Source, crs: pyproj.CRS, x: Floats, y: Floats) -> Floats:
    """Slope of an elevation raster at every place [°], on its own pixels (n,)."""
    out = np.full(len(x), np.nan)
    grid = sources.grid_of(source)
    dx, dy = pixel_metres(grid, *pixels(grid, crs, x, y))
    for at, around in patches(source, crs, x, y, 1):
        out[at] = slope_degrees(around, dx[at], dy[at])
    return out


def ecosystem_edge(source: Source, crs: pyproj.CRS, x: Floats, y: Floats) -> Floats:
    """Distance from every place to the nearest pixel of another ecosystem [m], at most as far as it is looked for (n,)."""
    grid = sources.grid_of(source)
    dx, dy = pixel_metres(grid, *pixels(grid, crs, x, y))
    size = float(np.median(np.minimum(dx, dy)))
    radius = int(np.clip(round(EDGE_METRES / size), 1, EDGE_PIXELS))
    furthest = (radius + 1) * size
    kind = _ecosystem_of_code()
    step = np.arange(-radius, radius + 1)
    out = np.full(len(x), furthest)
    for at, around in patches(source, crs, x, y, radius):
        for k, codes in zip(at, around, strict=True):
            own = kind[np.nan_to_num(codes).astype(np.uint8)]
            other = (own != own[radius, radius]) & (own >= 0)
            if other.any():
                distance = np.hypot(step[:, None] * dy[k], step[None, :] * dx[k])
                out[k] = min(furthest, float(distance[other].min()))
    return out


def _ecosystem_of_code() -> NDArray[np.int16]:
    """Number of the ecosystem of every code (256,), −1 for codes that are none."""
    names = list(dict.fromkeys(e for e, _ in ecosystems.classes()))
    out = np.full(256, -1, np.int16)
    for (ecosystem, _), c in ecosystems.classes().items():
        out[c.code] = names.index(ecosystem)
    return out


# ------------------------------------------------------------------------------------------ the table


def table(
    run: ChangeRun, areas: Areas, drawn: Draw, given: Covariates, start: int | None
) -> tuple[pd.DataFrame, Periods]:
    """Units with role, place, what they stand for, ecosystem, covariates and the change; and the periods compared.

    Where first and last epoch are compared the change is that of ``carbon_change.tif``, of the pools both tell.
    """
    n, grid = len(areas.ids), run.grid
    x, y = centres(grid, drawn.col, drawn.row)
    role = np.select([drawn.stratum < n, drawn.stratum < 2 * n], [INSIDE, RING], OUTSIDE)
    own = np.where(role == OUTSIDE, -1, drawn.stratum % n)
    near = own.copy()
    near[own < 0] = areas.nearest(x[own < 0], y[own < 0])

    def at(source: Source) -> Floats:
        return values(source, grid.crs, x, y)

    stocks = np.column_stack([_stock(run, year, at) for year in run.years])
    found = periods(stocks, run.years, start)
    change = found.change
    if (found.before, found.after) == (run.years[0], run.years[-1]):
        change = at(run.map("carbon_change", "density")) / found.years
    cover = run.map(f"ecosystem_{found.before}", "class")
    place = areas.on_plane(x, y)
    frame = pd.DataFrame({
        "unit_id": [f"r{r}c{c}" for r, c in zip(drawn.row, drawn.col, strict=True)],
        "role": role, "site_id": np.where(own < 0, "", np.array(areas.ids, dtype=object)[own]),
        "nearest_site": np.array(areas.ids, dtype=object)[near], "distance_m": areas.edge_distance_m(near, x, y),
        "x": x, "y": y, "x_m": place[:, 0], "y_m": place[:, 1], "area_ha": drawn.represents_ha,
        ECOSYSTEM: _ecosystems(at(cover)), STOCK: found.stock, "change": change,
    })  # fmt: skip
    if found.pre_change is not None:
        frame[PRE_CHANGE] = found.pre_change
    frame[EDGE] = ecosystem_edge(cover, grid.crs, x, y)
    for name, source in given.numbers.items():
        frame[name] = at(source)
        if name == ELEVATION:
            frame[SLOPE] = slope(source, grid.crs, x, y)
    for name, source in given.classes.items():
        frame[name] = pd.Series(at(source)).astype("Int64")
    return frame, found


def _stock(run: ChangeRun, year: int, at: Callable[[Source], Floats]) -> Floats:
    """Total carbon of an epoch (n,). A class of which no unit has any told, as water, holds 0: its change is told from there."""
    total = at(run.map(f"carbon_total_{year}", "density"))
    if np.isnan(total).any():
        code = at(run.map(f"ecosystem_{year}", "class"))
        told = np.unique(code[np.isfinite(total)])
        total[np.isnan(total) & np.isfinite(code) & (code != UNKNOWN_CODE) & ~np.isin(code, told)] = 0.0
    return total


def _ecosystems(codes: Floats) -> list[str | None]:
    """Ecosystem of every code (n,), None where it is not known."""
    names = {float(c.code): ecosystem for (ecosystem, _), c in ecosystems.classes().items()}
    return [names.get(code) for code in codes.tolist()]
