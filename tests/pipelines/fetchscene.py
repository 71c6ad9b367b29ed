"""A small globe for the tests of fetching: tiles with the names of the public ones, regions, and an order for them."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.transform import from_origin

from pipelines.fetch import register
from pipelines.fetch.fetch import Order
from pipelines.fetch.web import Patience

QUICK = Patience(tries=3, wait=0.01, timeout=5.0)
COVER, BIOMASS = 40, 30
"""Pixels a degree of the small land cover and biomass."""


def put(globe, path, west, north, values, per_degree=1, *, nodata=None, crs="EPSG:4326", pixel=None):
    """Lay a tiled GeoTIFF where the server finds it."""
    target = globe.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    place = from_origin(west, north, pixel or 1 / per_degree, pixel or 1 / per_degree)
    with rasterio.open(
        target, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=values.dtype, crs=crs,
        transform=place, nodata=nodata, tiled=True, blockxsize=256, blockysize=256, compress="deflate",
    ) as d:  # fmt: skip
        d.write(values, 1)


def small(name, per_degree):
    """A product of the register with pixels so large that its tiles are small; all else is its own."""
    return replace(register.products()[name], per_degree=per_degree, piece=(64, 64))


def regions(path, *shapes, crs="EPSG:4326"):
    frame = gpd.GeoDataFrame({"code": [f"r{n}" for n in range(len(shapes))]}, geometry=list(shapes), crs=crs)
    frame.to_file(path, driver="GPKG", engine="pyogrio")
    return str(path)


def cover(west, south, degrees=3):
    """Classes that tell where a pixel lies: every value differs from its neighbours'."""
    n = degrees * COVER
    rows, cols = np.mgrid[:n, :n]
    return np.asarray([10, 20, 30, 40], np.uint8)[(rows + 3 * cols + int(west) + int(south)) % 4]


def lay_cover(globe, *corners, year=2021, version="v200"):
    for west, south in corners:
        name = f"{'N' if south >= 0 else 'S'}{abs(south):02d}{'E' if west >= 0 else 'W'}{abs(west):03d}"
        path = f"wc/{version}/{year}/map/ESA_WorldCover_10m_{year}_{version}_{name}_Map.tif"
        put(globe, path, west, south + 3, cover(west, south), COVER, nodata=0)


def lay_biomass(globe, name="N30E100", west=100, north=30, year=2021):
    values = np.arange((10 * BIOMASS) ** 2, dtype=np.uint16).reshape(10 * BIOMASS, -1) % 300
    for kind, data in (("AGB", values), ("AGB_SD", values // 5)):
        put(
            globe,
            f"cci/{year}/{name}_ESACCI-BIOMASS-L4-{kind}-MERGED-100m-{year}-fv7.0.tif",
            west,
            north,
            data,
            BIOMASS,
        )


def order(globe, folder, region, *names, year=2021, **more):
    layouts = {"worldcover": ("wc", COVER), "cci_biomass": ("cci", BIOMASS), "cci_biomass_sd": ("cci", BIOMASS)}
    chosen = [replace(small(n, layouts[n][1]), base=f"{globe.url}/{layouts[n][0]}") for n in names or ("worldcover",)]
    return Order(region, year, folder, chosen, quiet=True, patience=QUICK, **more)


def read(path):
    with rasterio.open(path) as d:
        return d.read(1), d.transform, d
