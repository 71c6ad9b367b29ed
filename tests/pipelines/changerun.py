"""A small finished change, written by hand from arrays: maps, transitions and manifest as ``sinks change`` leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import rasterio
from rasterio.transform import Affine

from pipelines.change.changetables import unit_of
from pipelines.files import manifest
from pipelines.inputs.grid import Block, Grid
from sinks import ecosystems, transitions
from sinks.ledger import label
from sinks.units import M2_PER_HA

CODE = {label(c.code): c.code for c in ecosystems.classes().values()}
"""Code of the ecosystem map by label, "forest/broadleaf" → 2."""
PROCESS = {p.key: p.code for p in transitions.processes().values()}
NODATA_UINT16, NODATA_FLOAT, STEP = 65535, -9999.0, 0.1


def grid_of(shape, *, crs="EPSG:4326", origin=(106.0, 24.0), pixel=0.001) -> Grid:
    return Grid(
        pyproj.CRS.from_user_input(crs).to_wkt(), (pixel, 0.0, origin[0], 0.0, -pixel, origin[1]), shape[1], shape[0]
    )


def process_map(before, after, change):
    """Process of every pixel, named by the rules; every change of carbon counts."""
    fates = np.select([change > 0, change < 0], [transitions.GAIN, transitions.LOSS], transitions.NONE)
    names = transitions.class_names()
    found = np.zeros(before.shape, np.uint8)
    for b, a, fate in {*zip(before.ravel().tolist(), after.ravel().tolist(), fates.ravel().tolist(), strict=True)}:
        if b in names and a in names:
            key = transitions.process_of(names[b][0], names[a][0], fate)
            found[(before == b) & (after == a) & (fates == fate)] = PROCESS[key]
    return found


def change_run(folder: Path, before, after, opening, closing, *, grid: Grid | None = None, years=(2010, 2020), regions=None,
               inside=None) -> Path:  # fmt: skip
    """Write a change of two epochs.

    before, after : class codes (h, w); opening, closing : carbon [Mg C ha-1], NaN where unknown; regions : path of the run's
    region file, and inside : bool (h, w), which pixels are in one.
    """
    grid = grid or grid_of(before.shape)
    inside = np.ones(before.shape, bool) if inside is None else inside
    (folder / "maps").mkdir(parents=True)
    opening, closing = (np.round(np.asarray(x, float) / STEP) * STEP for x in (opening, closing))
    change = (closing - opening).astype(np.float32)
    told = np.isfinite(change)
    process = process_map(before, after, np.nan_to_num(change))
    maps = {
        f"ecosystem_{years[0]}": (before, 0, 1.0), f"ecosystem_{years[1]}": (after, 0, 1.0), "process": (process, 0, 1.0),
        f"carbon_total_{years[0]}": (_stored(opening), NODATA_UINT16, STEP),
        f"carbon_total_{years[1]}": (_stored(closing), NODATA_UINT16, STEP),
        "carbon_change": (np.where(told, change, np.float32(NODATA_FLOAT)), NODATA_FLOAT, 1.0),
    }  # fmt: skip
    for name, (data, nodata, scale) in maps.items():
        _write(folder / "maps" / f"{name}.tif", data, nodata, scale, grid)
    area = np.broadcast_to(grid.area(Block(0, 0, 0, grid.height, grid.width)), before.shape) / M2_PER_HA
    frame = pd.DataFrame({
        "from_class": [label(c) for c in before.ravel().tolist()], "to_class": [label(c) for c in after.ravel().tolist()],
        "process": process.ravel(), "area": area.ravel(), "pixels": 1.0,
        "opening_carbon_total": np.where(told, opening * area, 0).ravel(),
        "closing_carbon_total": np.where(told, closing * area, 0).ravel(),
        "gain_carbon_total": np.where(told, np.maximum(change, 0) * area, 0).ravel(),
        "loss_carbon_total": np.where(told, np.minimum(change, 0) * area, 0).ravel(),
    })  # fmt: skip
    frame["change_carbon_total"] = frame["gain_carbon_total"] + frame["loss_carbon_total"]
    frame = frame[(frame["process"] > 0) & inside.ravel()]
    keys = {p.code: p.key for p in transitions.processes().values()}
    wide = frame.groupby(["from_class", "to_class", "process"]).sum().reset_index()
    write_transitions(folder, wide.assign(process=wide["process"].map(keys)), years)
    study = {"epochs": [{"year": y} | ({"regions": str(regions)} if regions else {}) for y in years]}
    place = {k: getattr(grid, k) for k in ("crs_wkt", "transform", "width", "height")}
    manifest.write(folder, {"kind": "change", "epochs": list(years), "grid": place, "study": study})
    return folder


def write_transitions(folder: Path, wide: pd.DataFrame, years: Sequence[int] = (2010, 2020)) -> None:
    """``transitions.csv`` and ``.parquet`` from columns from_class, to_class, process and quantities; region_id, region_name,
    year_from, year_to where they differ from "total", "all" and the years."""
    keys = {"region_id": "total", "region_name": "all", "year_from": years[0], "year_to": years[-1]}
    wide = wide.assign(**{k: v for k, v in keys.items() if k not in wide})
    ids = [*keys, "from_class", "to_class", "process"]
    tidy = wide.melt(ids, [c for c in wide if c not in ids], "quantity", "value")
    tidy.insert(len(ids) + 1, "unit", tidy["quantity"].map(unit_of))
    folder.mkdir(parents=True, exist_ok=True)
    tidy.to_csv(folder / "transitions.csv", index=False, encoding="utf-8-sig")
    tidy.to_parquet(folder / "transitions.parquet", index=False)


def _stored(values):
    return np.where(np.isnan(values), NODATA_UINT16, np.rint(np.nan_to_num(values) / STEP)).astype(np.uint16)


def _write(path: Path, data, nodata, scale, grid: Grid) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", height=grid.height, width=grid.width, count=1, dtype=data.dtype, nodata=nodata,
        crs=grid.crs_wkt, transform=Affine(*grid.transform), tiled=True, blockxsize=256, blockysize=256,
        compress="deflate",
    ) as out:  # fmt: skip
        out.write(data, 1)
        out.scales = (scale,)
