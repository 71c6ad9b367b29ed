"""The usual way as tutorials show it: rioxarray's defaults, ``xr.where`` by class, a sum by class, one map.

    python benchmarks/usual_script.py landcover.tif agb.tif out.tif uint16|float32

The same coefficients and the same answers as ``plain_script.py``, which is the same task by somebody who measures: here files are
read with the default lock, and every class is a pass of its own over the lazy arrays.
"""

from __future__ import annotations

import json
import sys

import dask
import numpy as np
import rioxarray
import xarray as xr

from plain_script import CONSTANT, EDGE, NODATA, ROOTS, ROOTS_HEAVY, SLOPE, STEP, pixel_area_ha


def main(landcover: str, agb: str, out: str, dtype: str) -> dict[str, float]:
    """Write the map, return total carbon [Mg C] by class."""
    lc = rioxarray.open_rasterio(landcover, chunks=True).squeeze("band", drop=True)
    mass = rioxarray.open_rasterio(agb, chunks=True, masked=True).squeeze("band", drop=True)
    carbon = xr.full_like(mass, np.nan)
    for code, constant in CONSTANT.items():
        value = constant + mass * SLOPE.get(code, 0.0)
        if code == 10:
            value = value + mass * xr.where(mass > EDGE, ROOTS_HEAVY, ROOTS)
        carbon = xr.where(lc == code, value, carbon)
    total = carbon * pixel_area_ha(lc.y)
    sums = {str(code): total.where(lc == code).sum() for code in CONSTANT}
    stored = (carbon / STEP).round() if dtype == "uint16" else carbon
    stored = stored.fillna(NODATA[dtype]).astype(dtype).rio.write_crs(lc.rio.crs).rio.write_nodata(NODATA[dtype])
    stored.rio.to_raster(out, tiled=True, compress="deflate", zlevel=1, bigtiff="if_safer")
    found = dask.compute(*sums.values())
    return {code: float(value) for code, value in zip(sums, found, strict=True)}


if __name__ == "__main__":
    with dask.config.set(scheduler="threads", num_workers=2):
        print(json.dumps(main(*sys.argv[1:5])))
