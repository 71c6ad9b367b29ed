"""A finished change with a planted effect, written as ``sinks change`` writes it: maps, manifest; and areas, elevation, climate."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from pyproj import CRS
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter
from shapely.geometry import Point

YEARS = (2010, 2020)
SIZE = 600
UTM, LONLAT = "EPSG:32649", "EPSG:4326"
PLACES = {UTM: (500_000.0, 2_600_000.0, 100.0), LONLAT: (110.0, 40.0, 0.001)}
EFFECT, LEAK = 0.8, -0.3
"""Mg C/ha/yr, inside and within 3 km around."""
RADIUS = 3000
FOREST, CROPLAND, WATER = ("forest", "broadleaf"), ("cropland", ""), ("water", "")


def write(path: Path, data, crs, **profile) -> Path:
    west, north, pixel = PLACES[crs]
    scale = profile.pop("scale", None)
    with rasterio.open(
        path, "w", driver="GTiff", height=data.shape[0], width=data.shape[1], count=1, dtype=data.dtype, crs=crs,
        transform=from_origin(west, north, pixel, pixel), tiled=True, blockxsize=256, blockysize=256, compress="deflate", **profile,
    ) as d:  # fmt: skip
        d.write(data, 1)
        if scale:
            d.scales = (scale,)
    return path


def smooth(rng, width):
    field = gaussian_filter(rng.normal(size=(SIZE, SIZE)), width, mode="wrap")
    return (field - field.mean()) / field.std()


def codes():
    from sinks import ecosystems

    return {k: c.code for k, c in ecosystems.classes().items()}


def scene(folder: Path, crs=UTM, *, effect=EFFECT, leak=LEAK, years=YEARS, seed=3, lakes=False) -> dict:
    """Reserves on high forest, where carbon grows faster anyway: inside minus outside is no effect.

    lakes : water, of which no carbon is told and which does not change.
    """
    rng = np.random.default_rng(seed)
    code = codes()
    out = folder / "change"
    (out / "maps").mkdir(parents=True)
    high = smooth(rng, 12)
    west, north, pixel = PLACES[crs]
    rows, cols = np.mgrid[:SIZE, :SIZE]
    metre = pixel if crs == UTM else pixel * 111_320
    ratio = 1.0 if crs == UTM else np.cos(np.radians(north - pixel * rows.mean()))
    middles = _peaks(high, 6)
    distance = np.min([np.hypot((rows - r) * metre, (cols - c) * metre * ratio) for r, c in middles], axis=0)
    inside, ring = distance <= RADIUS, (distance > RADIUS) & (distance <= 2 * RADIUS)
    # Not on the boundary of areas, so that the edge of the ecosystem is not that of the reserve.
    forest = smooth(rng, 4) + 0.3 * high > -0.2
    ecosystem = np.where(forest, code[FOREST], code[CROPLAND]).astype(np.uint8)
    water = (smooth(np.random.default_rng(seed + 1), 4) > 1.0) & lakes
    ecosystem[water] = code[WATER]
    ecosystem[:5] = 0
    ecosystem[-4:] = 250
    stock = np.where(forest, 90 + 12 * smooth(rng, 3), 25 + 4 * smooth(rng, 3))
    trend = np.where(forest, 0.6 + 0.5 * high, 0.1)
    shock = smooth(rng, 10)
    yearly = trend + np.where(forest, 0.3, 0.1) * shock + np.where(forest, 0.5, 0.1) * rng.normal(size=high.shape)
    yearly += effect * inside + leak * ring
    first = stock
    for k, year in enumerate(years):
        treated = yearly if k == len(years) - 1 else trend + 0.2 * rng.normal(size=high.shape)
        if k:
            stock = stock + treated * (year - years[k - 1])
        whole = np.clip(np.rint(stock * 10), 0, 65534).astype(np.uint16)
        whole[(ecosystem == 0) | water] = 65535
        write(out / "maps" / f"carbon_total_{year}.tif", whole, crs, nodata=65535, scale=0.1)
        write(out / "maps" / f"ecosystem_{year}.tif", ecosystem, crs, nodata=0)
    change = np.where(ecosystem == 0, -9999, np.where(water, 0.0, stock - first)).astype(np.float32)
    write(out / "maps" / "carbon_change.tif", change, crs, nodata=-9999)
    grid = {
        "crs_wkt": CRS(crs).to_wkt(),
        "transform": [pixel, 0.0, west, 0.0, -pixel, north],
        "width": SIZE,
        "height": SIZE,
    }
    (out / "manifest.json").write_text(
        json.dumps({"kind": "change", "epochs": list(years), "grid": grid}), encoding="utf-8"
    )
    areas = folder / "areas.gpkg"
    circles = [_circle(west + (c + 0.5) * pixel, north - (r + 0.5) * pixel, crs) for r, c in middles]
    frame = gpd.GeoDataFrame(
        {"code": [f"0{k + 1}" for k in range(6)], "name": [f"保护区{k + 1}" for k in range(6)]},
        geometry=circles,
        crs=crs,
    )
    frame.to_file(areas, engine="pyogrio")
    dem = write(folder / "dem.tif", (800 + 300 * high).astype(np.float32), crs)
    zones = write(folder / "climate.tif", np.where(cols < SIZE // 2, 3, 4).astype(np.uint8), crs, nodata=0)
    return {
        "run": out,
        "areas": areas,
        "elevation": dem,
        "climate": zones,
        "inside": inside,
        "ring": ring,
        "forest": forest,
        "water": water,
    }


def _peaks(high, n):
    """The highest places, far from one another and from the edge."""
    found = []
    for k in np.argsort(-high, axis=None):
        r, c = divmod(int(k), SIZE)
        if 80 < r < SIZE - 80 and 80 < c < SIZE - 80 and all(np.hypot(r - a, c - b) > 130 for a, b in found):
            found.append((r, c))
        if len(found) == n:
            return found
    raise ValueError("too few peaks")


def _circle(x, y, crs):
    if crs == UTM:
        return Point(x, y).buffer(RADIUS, quad_segs=32)
    local = f"+proj=aeqd +lon_0={x} +lat_0={y} +datum=WGS84"
    return gpd.GeoSeries([Point(0, 0).buffer(RADIUS, quad_segs=32)], crs=local).to_crs(crs).iloc[0]
