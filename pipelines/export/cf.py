"""The maps of a finished run as variables of the Climate and Forecast conventions (CF-1.10), before any file is written.

Values stay packed as they are in the maps: ``scale_factor``, ``add_offset`` and ``_FillValue`` say what they mean.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.files import manifest, runmaps
from pipelines.inputs.grid import Block, Grid

CONVENTIONS: Final = "CF-1.10"
MAPPING: Final = "crs"
AREA: Final = "cell_area"
_NOT_UNITS: Final = frozenset({"C", "CH4", "N2O"})
"""Words of our units that name a substance; to UDUNITS a C would be a coulomb. The long name tells the substance."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ERROR: Final = "se_"
_HALF: Final = np.uint16(1 << 15)
"""Packed variables are signed, or they are not of the conventions: 2¹⁵ is taken off every number and put into the offset."""


@dataclass(frozen=True)
class Variable:
    """A variable. fill : in place of what is not known; values : of a small one; source : the map of a large one; signed :
    its unsigned numbers become signed ones, less 2¹⁵."""

    name: str
    dims: tuple[str, ...]
    dtype: np.dtype[Any]
    attrs: Mapping[str, Any]
    fill: float | None = None
    values: NDArray[Any] | None = None
    source: Path | None = None
    signed: bool = False


@dataclass(frozen=True)
class Described:
    """Everything about a run's maps but their pixels. sizes : of the dimensions, in their order."""

    grid: Grid
    sizes: Mapping[str, int]
    variables: tuple[Variable, ...]
    attrs: Mapping[str, Any]


def described(folder: Path) -> Described:
    """The maps of a run by CF. Raises InputError when it is no run, or one without maps."""
    about = manifest.read(folder)
    paths = runmaps.paths(folder)
    if not paths or "grid" not in about:
        raise InputError(
            f"{folder}: this run has no maps; export one of 'sinks assess' or 'sinks change' that wrote some"
        )
    told = about["grid"]
    grid = Grid(told["crs_wkt"], tuple(told["transform"]), told["width"], told["height"])
    year = about.get("study", {}).get("year")
    y, x = ("lat", "lon") if grid.is_geographic else ("y", "x")
    dims = (*(("time",) if year else ()), y, x)
    variables = [
        *_axes(grid, y, x), *(_time(int(year)) if year else ()), _mapping(grid), _area(grid, y, x),
        *(_map(path, dims, bool(year)) for path in paths),
    ]  # fmt: skip
    sizes = {"time": 1, y: grid.height, x: grid.width, "bounds": 2}
    return Described(
        grid, sizes if year else {k: n for k, n in sizes.items() if k != "time"}, tuple(variables), _about(about)
    )


def blocks(found: Described, side: int) -> Iterator[tuple[Block, Variable, NDArray[Any]]]:
    """The pixels of all large variables, block by block."""
    large = [v for v in found.variables if v.values is None]
    for block in found.grid.blocks(side, side):
        for variable in large:
            if variable.source is None:
                yield block, variable, np.broadcast_to(found.grid.area(block), (block.height, block.width))
            else:
                with rasterio.open(variable.source) as map_:
                    window = rasterio.windows.Window(block.col, block.row, block.width, block.height)
                    data = map_.read(1, window=window)
                yield block, variable, (data ^ _HALF).view(np.int16) if variable.signed else data


# ------------------------------------------------------------------------------------------ variables


def _axes(grid: Grid, y: str, x: str) -> Iterator[Variable]:
    a, _, x0, _, e, y0 = grid.transform
    for name, letter, start, step, count in ((y, "Y", y0, e, grid.height), (x, "X", x0, a, grid.width)):
        edges = start + step * np.arange(count + 1)
        words = {
            "lat": ("latitude", "degrees_north"), "lon": ("longitude", "degrees_east"),
            "y": ("projection_y_coordinate", _unit_of(grid)), "x": ("projection_x_coordinate", _unit_of(grid)),
        }[name]  # fmt: skip
        long_name = words[0].replace("_", " ")
        attrs = {
            "standard_name": words[0],
            "long_name": long_name,
            "units": words[1],
            "axis": letter,
            "bounds": f"{name}_bounds",
        }
        yield Variable(name, (name,), np.dtype("f8"), attrs, values=(edges[:-1] + edges[1:]) / 2)
        yield Variable(
            f"{name}_bounds", (name, "bounds"), np.dtype("f8"), {}, values=np.stack([edges[:-1], edges[1:]], axis=1)
        )


def _unit_of(grid: Grid) -> str:
    factor = grid.crs.axis_info[0].unit_conversion_factor
    return "m" if factor == 1 else f"{factor:.12g} m"


def _time(year: int) -> Iterator[Variable]:
    """The middle of the year, with its first and last moment."""
    ends = [(datetime(y, 1, 1, tzinfo=UTC) - _EPOCH).days for y in (year, year + 1)]
    attrs = {
        "standard_name": "time", "long_name": "year that the maps stand for", "units": "days since 1970-01-01",
        "calendar": "standard", "axis": "T", "bounds": "time_bounds",
    }  # fmt: skip
    yield Variable("time", ("time",), np.dtype("f8"), attrs, values=np.array([sum(ends) / 2]))
    yield Variable("time_bounds", ("time", "bounds"), np.dtype("f8"), {}, values=np.array([ends], float))


def _mapping(grid: Grid) -> Variable:
    attrs = {k: v for k, v in grid.crs.to_cf().items() if v is not None and v != "unknown"}
    a, b, c, d, e, f = grid.transform
    # What GDAL looks for, beside what the conventions want.
    attrs |= {
        "spatial_ref": grid.crs.to_wkt("WKT1_GDAL"),
        "GeoTransform": f"{c:.17g} {a:.17g} {b:.17g} {f:.17g} {d:.17g} {e:.17g}",
    }
    return Variable(MAPPING, (), np.dtype("i4"), attrs, values=np.array(0, "i4"))


def _area(grid: Grid, y: str, x: str) -> Variable:
    """True area of the cells, by latitude alone where it depends on nothing else."""
    attrs = {"standard_name": "cell_area", "long_name": "true area of a cell on the ellipsoid", "units": "m2"}
    if grid.area(Block(0, 0, 0, 1, 2)).shape[1] > 1:
        return Variable(AREA, (y, x), np.dtype("f8"), {**attrs, "grid_mapping": MAPPING})
    column = grid.area(Block(0, 0, 0, grid.height, 1))[:, 0]
    return Variable(AREA, (y,), np.dtype("f8"), attrs, values=column)


def _map(path: Path, dims: tuple[str, ...], timed: bool) -> Variable:
    with rasterio.open(path) as map_:
        dtype, tags, whole = np.dtype(map_.dtypes[0]), map_.tags(1), map_.tags()
        attrs: dict[str, Any] = {"long_name": map_.descriptions[0] or path.stem}
        if whole.get("TITLE_ZH"):
            attrs["long_name_zh"] = whole["TITLE_ZH"]
        attrs |= {"grid_mapping": MAPPING, "cell_measures": f"area: {AREA}"}
        if "flag_values" in tags:
            attrs["flag_values"] = np.array(tags["flag_values"].split(","), dtype)
            attrs["flag_meanings"] = tags["flag_meanings"]
            attrs["cell_methods"] = "area: mode" if not timed else "time: point area: mode"
        else:
            attrs["units"] = " ".join(w for w in (map_.units[0] or "1").split() if w not in _NOT_UNITS)
            attrs["cell_methods"] = "area: mean" if not timed else "time: point area: mean"
            attrs |= _names(whole.get("QUANTITY", path.stem))
        if whole.get("COMMENT"):
            attrs["comment"] = whole["COMMENT"]
        scale, offset, fill = float(map_.scales[0]), float(map_.offsets[0]), map_.nodata
        if scale == 1 and offset == 0:
            return Variable(path.stem, dims, dtype, attrs, fill=fill, source=path)
        if signed := dtype == np.uint16:
            # In whole steps, so that what was zero is zero to the last bit.
            dtype, offset, fill = np.dtype("i2"), (round(offset / scale) + int(_HALF)) * scale, fill - int(_HALF)
        attrs |= {"scale_factor": scale, "add_offset": offset}
        return Variable(path.stem, dims, dtype, attrs, fill=fill, source=path, signed=signed)


def _names(quantity: str) -> dict[str, str]:
    """The standard name of a quantity, where the conventions have one."""
    with (Path(__file__).parent / "standard_names.csv").open(encoding="utf-8", newline="") as stream:
        known = {r["quantity"]: r["standard_name"] for r in csv.DictReader(stream)}
    name = known.get(quantity.removeprefix(_ERROR))
    if name is None:
        return {}
    return {"standard_name": f"{name} standard_error" if quantity.startswith(_ERROR) else name}


def _about(about: Mapping[str, Any]) -> dict[str, str]:
    kind, version = about.get("kind") or "assess", about["versions"]["carbon-sinks"]
    years = about.get("epochs") or [y for y in [about.get("study", {}).get("year")] if y]
    found = {
        "Conventions": CONVENTIONS,
        "title": f"Forest, growing stock and ecosystem carbon {'–'.join(map(str, years))}".strip(),
        "source": f"Carbon Sinks {version}, sinks {kind}, parameters {about.get('parameters', '')}",
        "history": f"{about['finished']} sinks {kind}; {manifest.now()} sinks export",
        "references": "every coefficient and its source: coefficients.csv of the run",
        "comment": "; ".join(map(str, about.get("notes", ()))),
    }
    if years:
        found |= {"time_coverage_start": f"{years[0]}-01-01", "time_coverage_end": f"{years[-1]}-12-31"}
    return {k: v for k, v in found.items() if v}
