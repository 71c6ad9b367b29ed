"""A file of labelled points, whoever drew them: GeoPackage, any other vector file, or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Transformer

from pipelines.errors import InputError
from pipelines.files.tidyfile import read_table
from pipelines.inputs import vectorfile
from pipelines.inputs.grid import Grid

POINTS, STRATA, CLASSES = "points", "strata", "classes"
"""Layers of the GeoPackage that ``sample design`` writes."""
LISTED: Final = 5
_PLACES: Final = (("lon", "lat"), ("longitude", "latitude"), ("经度", "纬度"), ("x", "y"))


@dataclass(frozen=True)
class Sample:
    """Labelled points. x, y : in the CRS of the map (n,); table : columns as text; strata : of its design, if any."""

    path: str
    table: pd.DataFrame
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    strata: pd.DataFrame | None = None

    def only(self, keep: NDArray[np.bool_]) -> Sample:
        """Some of the points."""
        return Sample(self.path, self.table[keep].reset_index(drop=True), self.x[keep], self.y[keep], self.strata)

    def names(self) -> list[str]:
        """What each point is called in a message."""
        column = next((c for c in self.table.columns if c.lower() in ("id", "fid", "point", "编号")), None)
        return (
            list(self.table[column]) if column else [f"point {k + 1}" for k in range(len(self.table))]
        )  # fmt: skip


def read_sample(path: Path, grid: Grid) -> Sample:
    """Points of a GeoPackage, any other vector file, or a CSV with lon and lat or x and y. Raises InputError."""
    if not Path(path).exists():
        raise InputError(f"{path}: there is no such file; check the path of the sample")
    found = _read_csv(path, grid) if Path(path).suffix.lower() in (".csv", ".txt", ".tsv") else _read_vector(path, grid)
    if not len(found.table):
        raise InputError(f"{path}: the sample holds no point; check the file")
    names = found.names()
    id_column = next((c for c in found.table.columns if c.lower() == "id"), None)
    if id_column is not None and len(set(names)) < len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise InputError(
            f"{path}: the points {', '.join(twice[:LISTED])} are there more than once; keep one label of each"
        )
    return found


def _read_csv(path: Path, grid: Grid) -> Sample:
    table, lines = read_table(path)
    lowered = {str(c).lower(): c for c in table.columns}
    pair = next(((lowered[a], lowered[b]) for a, b in _PLACES if a in lowered and b in lowered), None)
    if pair is None:
        there = ", ".join(table.columns)
        raise InputError(f"{path}: no columns lon and lat, or x and y, were found; add them (columns: {there})")
    numbers = [pd.to_numeric(table[c], errors="coerce").to_numpy(float) for c in pair]
    bad = np.flatnonzero(~np.isfinite(numbers[0] + numbers[1]))
    if bad.size:
        raise InputError(f"{path}, line {lines[bad[0]]}: {pair[0]} or {pair[1]} is not a number; mend it")
    x, y = numbers
    if pair[0].lower() != "x" and not _is_lonlat(grid):
        x, y = Transformer.from_crs(4326, grid.crs, always_xy=True).transform(x, y)
    return Sample(str(path), table, np.asarray(x), np.asarray(y))


def _is_lonlat(grid: Grid) -> bool:
    return grid.crs.to_epsg() == 4326


def _read_vector(path: Path, grid: Grid) -> Sample:
    layers = dict(vectorfile.layers(path))
    spatial = [n for n, k in layers.items() if k is not None]
    name = POINTS if POINTS in spatial else next((n for n in spatial if "Point" in str(layers[n])), None)
    if name is None:
        raise InputError(f"{path}: has no layer of points (layers: {', '.join(layers)}); give one")
    frame = vectorfile.read(path, name)
    strata = vectorfile.read(path, STRATA) if STRATA in layers else None
    if frame.crs is None:
        raise InputError(f"{path}: the points have no CRS, so they cannot be placed; define it first")
    shapes = frame.geometry
    if shapes.isna().any() or shapes.is_empty.any() or not (shapes.geom_type == "Point").all():
        raise InputError(f"{path}: layer '{name}' holds features that are no single points; remove or split them")
    x, y = Transformer.from_crs(frame.crs, grid.crs, always_xy=True).transform(shapes.x.to_numpy(), shapes.y.to_numpy())
    table = pd.DataFrame({c: _plain(frame[c]) for c in frame.columns if c != shapes.name}, dtype=object)
    return Sample(str(path), table, np.asarray(x), np.asarray(y), strata)


def _plain(column: pd.Series) -> list[str]:
    """Values as text, blank for none; 5.0 is 5."""
    found = []
    for v in column:
        if v is None or v is pd.NA or (isinstance(v, float) and np.isnan(v)):
            found.append("")
        else:
            found.append(str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip())
    return found


def read_strata(path: Path) -> pd.DataFrame:
    """A user's own strata: CSV with ``stratum`` and ``area_ha``. Raises InputError."""
    frame, lines = read_table(path)
    if not {"stratum", "area_ha"} <= set(frame.columns):
        raise InputError(f"{path}: the table of strata needs the columns stratum and area_ha; add them")
    areas = pd.to_numeric(frame["area_ha"], errors="coerce")
    if not (areas > 0).all():
        row = int(np.flatnonzero(~(areas > 0).to_numpy())[0])
        raise InputError(f"{path}, line {lines[row]}: area_ha is '{frame['area_ha'].iloc[row]}'; give hectares above 0")
    return frame[["stratum"]].assign(area_ha=areas)
