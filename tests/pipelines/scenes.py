"""Small scenes with answers that can be worked by hand, written as real files."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import box

UTM = "EPSG:32649"


def write_raster(path: Path, data, *, crs=UTM, pixel=100.0, origin=(500_000.0, 2_600_000.0), **profile) -> Path:
    """One band; what is not given is as plain as can be."""
    data = np.asarray(data)
    base = {
        "driver": "GTiff", "height": data.shape[0], "width": data.shape[1], "count": 1, "dtype": data.dtype, "crs": crs,
        "transform": from_origin(*origin, pixel, pixel),
    }  # fmt: skip
    with rasterio.open(path, "w", **{**base, **profile}) as d:
        d.write(data, 1)
    return path


def write_regions(path: Path, boxes, *, crs=UTM, **columns) -> Path:
    """Boxes (west, south, east, north) in map units."""
    frame = gpd.GeoDataFrame(columns, geometry=[box(*b) for b in boxes], crs=crs)
    frame.to_file(path, engine="pyogrio")
    return path


def small(folder: Path, size: int = 12, seed: int = 1) -> dict[str, str]:
    """WorldCover classes, AGB and two halves as regions; paths by option name."""
    rng = np.random.default_rng(seed)
    cover = rng.choice([10, 20, 30, 40, 80, 95], size=(size, size), p=[0.5, 0.1, 0.1, 0.15, 0.1, 0.05]).astype(np.uint8)
    cover[0, 0] = 0
    agb = np.where(cover == 10, rng.uniform(10, 200, cover.shape), 5.0).astype(np.float32)
    agb[1, 1] = -9999
    west, north, span = 500_000.0, 2_600_000.0, 100.0 * size
    half = west + span / 2
    return {
        "landcover": str(write_raster(folder / "lc.tif", cover, nodata=0)),
        "agb": str(write_raster(folder / "agb.tif", agb, nodata=-9999.0)),
        "regions": str(
            write_regions(
                folder / "regions.gpkg",
                [(west, north - span, half, north), (half, north - span, west + span, north)],
                code=["0101", "0102"],
                name=["甲县", "乙县"],
            )
        ),
    }
