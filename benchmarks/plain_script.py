"""The usual way: rioxarray and Dask, whole-array thinking. Total carbon map and area-weighted sums by class.

python benchmarks/plain_script.py landcover.tif agb.tif out.tif
"""

from __future__ import annotations

import json
import sys
import threading

import dask
import numpy as np
import rioxarray
import xarray as xr

CODES = (10, 20, 30, 40, 50, 60, 80, 90)
FACTOR = {10: 0.47 * 1.23 + 0.08 * 0.47 + 0.04 * 0.37, 20: 0.47 * 1.73}
SOIL = {10: 137.3, 30: 84.2, 40: 83.3, 90: 311.7}


def main(landcover: str, agb: str, out: str) -> dict[str, float]:
    """Write the map, return total carbon [Mg C] by class."""
    lc = rioxarray.open_rasterio(landcover, chunks={"x": 2048, "y": 2048}, lock=False).squeeze(drop=True)
    mass = rioxarray.open_rasterio(agb, chunks={"x": 2048, "y": 2048}, lock=False, masked=True).squeeze(drop=True)
    carbon = xr.zeros_like(mass)
    for code in CODES:
        value = mass * FACTOR.get(code, 0.0) + SOIL.get(code, 0.0)
        carbon = xr.where(lc == code, value, carbon)
    step = abs(float(lc.y[1] - lc.y[0]))
    half = np.radians(step) / 2
    radius = 6371007.181
    area = radius**2 * np.radians(step) * (np.sin(np.radians(lc.y) + half) - np.sin(np.radians(lc.y) - half)) / 1e4
    sums = {str(code): (carbon.where(lc == code) * area).sum() for code in CODES}
    carbon = carbon.astype("float32").rio.write_crs(lc.rio.crs).rio.write_nodata(-9999.0)
    carbon.rio.to_raster(
        out, tiled=True, blockxsize=512, blockysize=512, compress="deflate", predictor=3, zlevel=1, lock=threading.Lock(),
        bigtiff="if_safer",
    )  # fmt: skip
    return {k: float(v) for k, v in zip(sums, dask.compute(*sums.values()), strict=True)}


if __name__ == "__main__":
    with dask.config.set(scheduler="threads", num_workers=2):
        print(json.dumps(main(*sys.argv[1:4])))
