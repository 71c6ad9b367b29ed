"""The figures of a finished run: its folder read for drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import rasterio
from rasterio.enums import Resampling

from pipelines.errors import InputError
from pipelines.files import manifest, runmaps
from pipelines.files.atomic import atomic_path
from sinks.accounts import TOTAL_REGION
from sinks.plotting.ground import Frame
from sinks.plotting.page import Picture
from sinks.plotting.panels import Classes, Density
from sinks.plotting.plots import FIGURES, Plots
from sinks.plotting.shapes import Polygons, Shapes
from sinks.plotting.values import Tables

_PIXELS: Final = 2400
"""Longest side of a map that is read for a figure: what 180 mm hold at 300 dots an inch."""


def plots(folder: Path) -> Plots:
    """The figures of a run. Raises InputError when the folder holds none."""
    manifest.read(Path(folder))
    return Plots(RunFolder(Path(folder)))


def write(picture: Picture, path: Path, dpi: int) -> None:
    """A figure as a file, whole or not at all; the ending of the name says what it is."""
    raw = picture.rendered(path.suffix.lower().lstrip("."), dpi)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_bytes(raw)


@dataclass(frozen=True)
class RunFolder:
    """A finished run, read as far as a figure asks."""

    folder: Path

    @cached_property
    def map_names(self) -> Sequence[str]:
        return runmaps.names(self.folder)

    @cached_property
    def frame(self) -> Frame:
        if not self.map_names:
            if self._polygons is None:
                raise InputError(f"{self.folder}: there are neither maps nor regions here; only tables can be drawn")
            return Frame(pyproj.CRS.from_user_input(self._polygons.crs), *self._polygons.total_bounds)
        with rasterio.open(self._map(self.map_names[0])) as d:
            return Frame(pyproj.CRS.from_wkt(d.crs.to_wkt()), *d.bounds)

    def _map(self, name: str) -> Path:
        return runmaps.path(self.folder, name)

    def layer(self, name: str, language: str) -> tuple[str, Classes | Density]:
        with rasterio.open(self._map(name)) as d:
            tags, band = d.tags(), d.tags(1)
            shrink = max(1.0, max(d.height, d.width) / _PIXELS)
            shape = (max(1, round(d.height / shrink)), max(1, round(d.width / shrink)))
            year = tags.get("YEAR", "")
            title = (
                (f"{tags['TITLE_ZH']}（{year}年）" if year else tags["TITLE_ZH"]) if language == "zh" else tags["TITLE"]
            )
            title = title.partition(" (")[0]
            if "flag_values" in band:
                stored = d.read(1, out_shape=shape, resampling=Resampling.mode)
                words = band["flag_meanings_zh" if language == "zh" else "flag_meanings"].split()
                values = [int(v) for v in band["flag_values"].split(",")]
                colors = d.colormap(1)
                entries = {
                    v: (w.replace("_", " "), "#{:02x}{:02x}{:02x}".format(*colors[v][:3]))
                    for v, w in zip(values, words, strict=True)
                }
                return title, Classes(stored, entries)
            read = d.read(1, out_shape=shape, resampling=Resampling.average, masked=True)
            amounts = np.asarray(read.filled(0), np.float32) * d.scales[0] + d.offsets[0]
            amounts[np.ma.getmaskarray(read)] = np.nan
            return title, Density(amounts, d.units[0] or "", tags.get("QUANTITY", name))

    @cached_property
    def _polygons(self) -> gpd.GeoDataFrame | None:
        path = self.folder / "assessment.gpkg"
        if not path.is_file():
            return None
        return pyogrio.read_dataframe(path, layer="regions", columns=["region_id", "region_name"])

    def regions(self) -> Shapes | None:
        frame = self._polygons
        if frame is None or (len(frame) == 1 and frame["region_id"].iloc[0] == "all"):
            return None
        names = [str(n) if isinstance(n, str) else "" for n in frame["region_name"]]
        return Polygons([str(i) for i in frame["region_id"]], names, list(frame.to_crs(self.frame.crs).geometry))

    def tables(self) -> Tables:
        found = []
        for name in ("accounts.csv", "coverage.csv", "scorecard.csv"):
            path = self.folder / name
            if not path.is_file():
                raise InputError(
                    f"{self.folder}: there is no {name} here, so {', '.join(FIGURES)} cannot be drawn; name a run of "
                    f"'sinks assess', or a map of this one ({', '.join(self.map_names)})"
                )
            text = {"region_id": str, "region_name": str}
            found.append(pd.read_csv(path, dtype=text, encoding="utf-8-sig", keep_default_na=False, na_values=[""]))
        if not (found[0]["region_id"] == TOTAL_REGION).any():
            raise InputError(f"{self.folder}: accounts.csv has no row of all regions; run the assessment again")
        return Tables(*found)
