"""Make the SYNTHETIC sample region Qinglan (青岚): ``python sample_data/generate.py [--out DIR]``.

Everything is drawn from seeded noise and stands for no real place, whatever coordinates it is given.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import rasterio
import shapely
from pyproj import Geod, Transformer
from rasterio.features import shapes
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform_bounds
from scipy import ndimage

Array = npt.NDArray[Any]

SEED: Final = 20230901
WEST, NORTH, STEP, SIZE, PAD = 106.0, 23.2, 0.002, 800, 40
"""The land-cover grid; fields are drawn on a grid PAD pixels wider on every side."""
FULL: Final = SIZE + 2 * PAD
NEEDLE, BROAD, MIXED, BAMBOO, SHRUB, GRASS, CROP, WETLAND, MANGROVE, MARSH, BUILT, BARE, WATER = range(1, 14)
UNLISTED: Final = 99
ISLAND: Final = 60
"""Pixels of 0.004 degrees from which an island is a part of a county."""
REAL: Final = "SYNTHETIC sample region Qinglan; stands for no real place"
DATE: Final = "2024-01-01"
COUNTIES: Final = (
    ("云岭县", "Yunling"), ("松溪谷县", "Songxigu"), ("鹿鸣县", "Luming"), ("霜岭县", "Shuangling"),
    ("竹影县", "Zhuying"), ("翠屏山县", "Cuipingshan"), ("白鹭县", "Bailu"), ("石泉谷县", "Shiquangu"),
    ("青岚市", "Qinglan City"), ("枫桥谷县", "Fengqiaogu"), ("稻香县", "Daoxiang"), ("晴川县", "Qingchuan"),
    ("溶洞县", "Rongdong"), ("石林坡县", "Shilinpo"), ("月湖县", "Yuehu"), ("柳岸县", "Liu'an"),
    ("天坑县", "Tiankeng"), ("荷塘县", "Hetang"), ("金穗县", "Jinsui"), ("丰原县", "Fengyuan"),
    ("红树湾县", "Hongshuwan"), ("潮音县", "Chaoyin"), ("盐田港县", "Yantiangang"), ("渔火县", "Yuhuo"),
)  # fmt: skip
"""Invented names."""
TARGETS: Final = (
    ("990101", "forest_coverage", 2025, 66, "percent"), ("990101", "forest_stock", 2025, 900, "1e4 m3"),
    ("990106", "forest_coverage", 2025, 60, "percent"), ("990109", "forest_coverage", 2025, 50, "percent"),
    ("990109", "forest_stock", 2030, 500, "1e4 m3"), ("990113", "forest_coverage", 2025, 63, "percent"),
    ("990121", "forest_coverage", 2025, 35, "percent"), ("990121", "forest_stock", 2025, 200, "1e4 m3"),
)  # fmt: skip
POOLS: Final = (
    (NEEDLE, "Needleleaf forest", 48, 12, 95, 4.2), (BROAD, "Broadleaf forest", 62, 16, 105, 5.1),
    (MIXED, "Mixed forest", 55, 14, 100, 4.6), (BAMBOO, "Bamboo forest", 28, 14, 98, 2.0),
    (SHRUB, "Shrubland", 9, 5, 82, 1.0), (GRASS, "Grassland", 2.5, 5.5, 80, 0), (CROP, "Cropland", 4, 0.8, 78, 0),
    (WETLAND, "Inland wetland", 3, 4, 150, 0), (MANGROVE, "Mangrove", 60, 30, 190, 3), (MARSH, "Salt marsh", 3, 5, 140, 0),
    (BUILT, "Built-up", 0.5, 0.2, 45, 0), (BARE, "Bare land", 0, 0, 40, 0), (WATER, "Water", 0, 0, 0, 0),
)  # fmt: skip
ASSESSMENT: Final = """\
# SYNTHETIC sample region Qinglan: stands for no real place. Paths are relative to this file.
landcover = "landcover_2023.tif"
legend = "sample"
agb = "agb_2023.tif"
agb_sd = "agb_sd_2023.tif"
regions = "counties.gpkg"
region_id = "adcode"
region_name = "name"
climate = "climate_zone.tif"
soc = "soc_0_100cm.tif"
karst = "karst_carbonate_fraction.tif"
runoff = "runoff_mm.tif"
bicarbonate = "bicarbonate_mmol_l.tif"
year = 2023
parameters = "china"
targets = "regional_targets.csv"
soil_depth = 100
"""
CHANGE: Final = """\
# SYNTHETIC sample region Qinglan, 2013 and 2023. Paths are relative to this file.
legend = "sample"
regions = "counties.gpkg"
region_id = "adcode"
region_name = "name"
climate = "climate_zone.tif"
soc = "soc_0_100cm.tif"
parameters = "china"
soil_depth = 100
minimum_change = 20

[[epochs]]
year = 2013
landcover = "landcover_2013.tif"
agb = "agb_2013.tif"
agb_sd = "agb_sd_2013.tif"

[[epochs]]
year = 2023
landcover = "landcover_2023.tif"
agb = "agb_2023.tif"
agb_sd = "agb_sd_2023.tif"
"""
RESERVES: Final = (
    ("R01", "云岭自然保护区", "Yunling reserve"), ("R02", "霜岭生态保护红线", "Shuangling red line"),
    ("R03", "翠屏山森林公园", "Cuipingshan forest park"), ("R04", "溶洞生态保护红线", "Rongdong red line"),
    ("R05", "红树湾湿地公园", "Hongshuwan wetland park"),
)  # fmt: skip


@dataclass(frozen=True)
class Terrain:
    """The invented land on the padded grid. elevation : m; north, east : 0 to 1; karst : 0 to 1; to_sea : pixels."""

    elevation: Array
    north: Array
    east: Array
    sea: Array
    valley: Array
    karst: Array
    to_sea: Array


def fractal(seed: int, beta: float, shortest: float = 3.0) -> Array:
    """Gaussian noise of power spectrum ``frequency ** -beta`` with mean 0 and deviation 1, without the finest waves."""
    white = np.random.default_rng([SEED, seed]).standard_normal((FULL, FULL))
    fy, fx = np.fft.fftfreq(FULL)[:, None], np.fft.rfftfreq(FULL)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1.0
    gain = frequency ** (-beta / 2) * np.exp(-((frequency * shortest) ** 2))
    gain[frequency < 1.5 / FULL] = 0.0
    field = np.fft.irfft2(np.fft.rfft2(white) * gain, s=white.shape)
    return np.asarray((field - field.mean()) / field.std())


def terrain() -> Terrain:
    """Mountains in the north, a sea with an irregular coast in the south, karst in the south-west of the land."""
    north, east = np.meshgrid(np.linspace(1, 0, FULL), np.linspace(0, 1, FULL), indexing="ij")
    height = 1.9 * (north - 0.2) + 0.2 * fractal(1, 3.1)
    labels, _ = ndimage.label(height < 0)
    sea = labels == np.bincount(labels[-1]).argmax()
    valley = np.minimum(np.abs(fractal(2, 2.9)), np.abs(fractal(4, 2.9)) + 0.05)
    relief = np.clip(height, 0.02, None) ** 1.35 * (0.25 + 0.75 * np.clip(1.6 * valley, 0, 1.5))
    elevation = np.where(sea, 0.0, 1900 * np.tanh(0.6 * relief))
    core = 1.25 - np.hypot((east - 0.16) / 0.34, (north - 0.42) / 0.27) + 0.28 * fractal(3, 3.0)
    karst = np.where(sea, 0.0, np.clip(core, 0, 1))
    return Terrain(elevation, north, east, sea, valley, karst, ndimage.distance_transform_edt(~sea))


def above(field: Array, where: Array, share: float) -> Array:
    """The pixels of ``where`` holding the highest ``share`` of the field."""
    return where & (field > np.quantile(field[where], 1 - share))


def wild(t: Terrain) -> Array:
    """Natural cover of the whole land: forests by height, open land where karst or noise says so."""
    high, low = t.elevation / 600, t.elevation < 250
    mood = fractal(11, 2.3)
    cover = np.full(t.sea.shape, MIXED, np.uint8)
    cover[high + 0.55 * mood > 1.6] = NEEDLE
    cover[high + 0.55 * mood < 0.8] = BROAD
    cover[above(fractal(12, 2.2) - 0.5 * np.abs(high - 0.6), ~t.sea, 0.06)] = BAMBOO
    openness = fractal(13, 2.2) + 1.1 * t.karst
    cover[above(openness, ~t.sea, 0.19)] = SHRUB
    cover[above(fractal(14, 2.2) + 0.5 * high, ~t.sea, 0.075)] = GRASS
    cover[above(fractal(15, 2.0) + 1.2 * t.karst - low, ~t.sea, 0.012)] = BARE
    return cover


def towns(crop: Array) -> Array:
    """Built-up land: towns of several sizes in the cropland, ragged at the edge."""
    rng = np.random.default_rng([SEED, 20])
    rows, columns = np.nonzero(crop)
    picked = rng.choice(rows.size, 110, replace=False)
    pull = np.zeros(crop.shape)
    for i, size in zip(picked, 3 + 11 * rng.random(110) ** 4, strict=True):
        y0, x0 = max(rows[i] - 40, 0), max(columns[i] - 40, 0)
        y, x = np.ogrid[y0 : y0 + 81, x0 : x0 + 81]
        part = pull[y0 : y0 + 81, x0 : x0 + 81]
        hill = size**2 / (1 + (y - rows[i]) ** 2 + (x - columns[i]) ** 2)
        np.maximum(part, hill[: part.shape[0], : part.shape[1]], out=part)
    return np.asarray(pull * np.exp(0.5 * fractal(21, 1.6, 2.0)) > 1)


def smoothed(cover: Array) -> Array:
    """The commonest class of every 3 by 3 window, the window's centre counting double."""
    best, winner = np.zeros(cover.shape, np.float32), cover.copy()
    for code in np.unique(cover):
        one = (cover == code).astype(np.float32)
        votes = ndimage.uniform_filter(one, 3) * 9 + one
        better = votes > best + 0.01
        best[better], winner[better] = votes[better], code
    return winner


def land_cover(t: Terrain) -> Array:
    """Every class of the sample legend on the padded grid, before gaps."""
    land = ~t.sea
    cover = wild(t)
    farming = -t.elevation / 350 - 1.3 * t.valley + 0.5 * fractal(16, 2.4) - 0.8 * t.karst
    crop = above(farming, land, 0.27)
    cover[crop] = CROP
    wet = -fractal(17, 2.6) - t.elevation / 400 - t.valley
    cover[above(wet, land, 0.016)] = WETLAND
    cover[smoothed(towns(crop & (t.to_sea > 6)).astype(np.uint8)).astype(bool) & land] = BUILT
    shore = land & (t.to_sea <= 5 + 2.5 * fractal(18, 2.0))
    kind = fractal(19, 2.8)
    cover[shore & (kind > 0.15)] = MANGROVE
    cover[shore & (kind < -0.45)] = MARSH
    cover[t.sea] = WATER
    cover = smoothed(cover)
    cover[above(wet, land & (t.to_sea > 12), 0.008)] = WATER
    cover[land & (t.valley < 0.012) & (t.elevation < 300) & (t.to_sea > 2)] = WATER
    return cover


def ten_years_ago(t: Terrain, cover: Array) -> Array:
    """The land cover of 2013: smaller towns, farmed slopes that are now green, forest and wetland that are now fields."""
    land, before = ~t.sea, cover.copy()
    forest = np.isin(cover, (NEEDLE, BROAD, MIXED, BAMBOO))
    young = fractal(60, 2.4)
    before[above(young + t.elevation / 500 * (t.elevation < 900), forest, 0.055)] = CROP
    before[above(fractal(61, 2.4), forest & (before != CROP), 0.03)] = SHRUB
    before[above(fractal(62, 2.4), cover == GRASS, 0.12)] = CROP
    fields = cover == CROP
    before[above(fractal(63, 2.2) + t.elevation / 600, fields, 0.05)] = BROAD
    before[above(fractal(64, 2.4) - t.elevation / 300, fields, 0.02)] = WETLAND
    inner = ndimage.distance_transform_edt(cover == BUILT) + 1.2 * fractal(65, 1.8)
    before[(cover == BUILT) & (inner < 2.2)] = CROP
    before[(cover == BUILT) & (inner < 2.2) & (fractal(66, 2.0) > 0.9)] = BROAD
    before[above(fractal(67, 2.4), cover == MANGROVE, 0.15)] = WATER
    before[above(fractal(68, 2.4), (cover == MARSH) & land, 0.12)] = MANGROVE
    return smoothed(before)


def biomass_ten_years_ago(t: Terrain, now: Array, before: Array) -> Array:
    """Above-ground biomass of 2013, Mg/ha: forests lighter by their growth, but for some that have been thinned since."""
    agb = biomass(t, before)
    stayed = np.isin(now, (NEEDLE, BROAD, MIXED, BAMBOO, MANGROVE)) & np.isin(
        before, (NEEDLE, BROAD, MIXED, BAMBOO, MANGROVE)
    )
    growth = np.clip(22 + 8 * fractal(70, 2.6), 2, 45)
    grown = np.where(stayed, np.maximum(agb - growth, 8), agb)
    thinned = above(fractal(71, 2.4), stayed, 0.06)
    return np.asarray(np.where(thinned, np.minimum(agb + 70, 220), grown))


def with_gaps(cover: Array) -> Array:
    """The land cover as delivered: thin swath gaps of nodata and a few pixels of a code that no legend has."""
    delivered = cover[PAD:-PAD, PAD:-PAD].copy()
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    for row, first, length in ((95, 60, 420), (330, 0, 380), (540, 350, 450)):
        across = y - row - 0.18 * x
        inside = (x >= first) & (x < first + length)
        delivered[inside & (np.abs(across) < 2.6 * (x - first) / length + 0.2)] = 0
    rng = np.random.default_rng([SEED, 22])
    spots = rng.choice(np.flatnonzero((delivered != 0) & (delivered != WATER)), 40, replace=False)
    delivered.flat[spots] = UNLISTED
    return delivered


def biomass(t: Terrain, cover: Array) -> Array:
    """Above-ground biomass of every land-cover pixel, Mg/ha."""
    vigour = np.clip(0.26 + 0.15 * t.elevation / 700 + 0.13 * fractal(30, 2.6) - 0.14 * t.karst, 0, 1)
    growth = dict.fromkeys((NEEDLE, BROAD, MIXED, BAMBOO, MANGROVE), (20.0, 200.0))
    growth |= {BROAD: (20.0, 230.0), BAMBOO: (20.0, 130.0), MANGROVE: (30.0, 190.0), SHRUB: (5.0, 25.0)}
    growth |= {GRASS: (1.0, 5.0), CROP: (2.0, 8.0), WETLAND: (1.0, 6.0), MARSH: (2.0, 7.0), BUILT: (0.0, 4.0)}
    agb = np.zeros(cover.shape)
    for code, (least, span) in growth.items():
        agb = np.where(cover == code, least + span * vigour, agb)
    return np.asarray(np.minimum(agb, 220))


def sample(field: Array, lon: Array, lat: Array, order: int = 0) -> Array:
    """A padded field at points given in degrees."""
    column = (lon - WEST) / STEP + PAD - 0.5
    row = (NORTH - lat) / STEP + PAD - 0.5
    return np.asarray(ndimage.map_coordinates(field, [row, column], order=order, mode="nearest"))


def write(path: Path, data: Array, transform: Affine, crs: str, nodata: int, **about: Any) -> None:
    """A small deflated GeoTIFF. about : description, unit and scale of the band."""
    options = {"compress": "deflate", "zlevel": 9, "predictor": 2 if data.itemsize > 1 else 1}
    if min(data.shape) > 256:
        options |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    height, width = data.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=data.dtype, crs=crs,
        transform=transform, nodata=nodata, **options,
    ) as file:  # fmt: skip
        file.write(data, 1)
        file.update_tags(SYNTHETIC="yes", TIFFTAG_IMAGEDESCRIPTION=REAL)
        file.set_band_description(1, about["description"])
        if about.get("unit"):
            file.set_band_unit(1, about["unit"])
        if about.get("scale"):
            file.scales = (about["scale"],)


def write_biomass(out: Path, t: Terrain, year: int, field: Array) -> None:
    """agb_YEAR.tif and agb_sd_YEAR.tif, on their own projected grid."""
    bounds = (WEST, NORTH - SIZE * STEP, WEST + SIZE * STEP, NORTH)
    left, bottom, right, top = transform_bounds("EPSG:4326", "EPSG:32648", *bounds)
    left, top = 300 * np.floor(left / 300 - 6), 300 * np.ceil(top / 300 + 6)
    width, height = int((right - left) // 300 + 7), int((top - bottom) // 300 + 7)
    x, y = np.meshgrid(left + 300 * (np.arange(width) + 0.5), top - 300 * (np.arange(height) + 0.5))
    lon, lat = Transformer.from_crs("EPSG:32648", "EPSG:4326", always_xy=True).transform(x, y)
    agb = np.rint(sample(field, lon, lat)).astype(np.int16)
    share = 0.22 + 0.04 * sample(fractal(31, 3.4), lon, lat, 1)
    sd = np.rint(agb * np.clip(share, 0.12, 0.35)).astype(np.int16)
    holes = sample(fractal(32, 2.6), lon, lat, 1) > 2.75
    grid = (from_origin(left, top, 300, 300), "EPSG:32648", -9999)
    for name, data, what in (
        (f"agb_{year}.tif", agb, f"Above-ground biomass density {year}"),
        (f"agb_sd_{year}.tif", sd, f"Standard deviation of above-ground biomass density {year}"),
    ):
        write(out / name, np.where(holes, -9999, data).astype(np.int16), *grid, unit="Mg/ha", description=what)


def coarse(field: Array, step: float) -> tuple[Array, Affine]:
    """Means of a padded field in cells of ``step`` degrees, over an extent 0.05 degrees wider than the land cover."""
    margin, k = PAD - 25, round(step / STEP)
    part = field[margin : FULL - margin, margin : FULL - margin]
    n = part.shape[0] // k
    means = part[: n * k, : n * k].reshape(n, k, n, k).mean(axis=(1, 3))
    return means, from_origin(WEST - 0.05, NORTH + 0.05, step, step)


def write_context(out: Path, t: Terrain, cover: Array) -> None:
    """Climate zones, soil carbon, karst, runoff and bicarbonate, each on a coarse grid of its own."""
    zone, grid = coarse(t.elevation / 380 + 2.2 * (t.north - 0.3) + 0.12 * fractal(40, 3.0), 0.05)
    codes = np.where(zone > 0.55, 5, 3).astype(np.uint8)
    write(out / "climate_zone.tif", codes, grid, "EPSG:4326", 0, description="IPCC climate zone code")
    near = ndimage.maximum_filter(t.to_sea, 61) > 0
    wet = ndimage.gaussian_filter(np.isin(cover, (WETLAND, MANGROVE, MARSH)).astype(float), 3)
    soil = np.clip(88 + 26 * t.elevation / 700 + 15 * fractal(41, 2.6) + 90 * wet - 20 * t.karst, 40, 200)
    means, grid = coarse(soil, 0.02)
    data = np.where(coarse(near, 0.02)[0] > 0, np.rint(means * 10), 65535).astype(np.uint16)
    text = "Soil organic carbon density, 0 to 100 cm"
    write(out / "soc_0_100cm.tif", data, grid, "EPSG:4326", 65535, scale=0.1, unit="Mg C/ha", description=text)
    means, grid = coarse(t.karst, 0.01)
    data = np.where(coarse(near, 0.01)[0] > 0, np.rint(means * 100), 255).astype(np.uint8)
    text = "Share of carbonate rock"
    write(
        out / "karst_carbonate_fraction.tif", data, grid, "EPSG:4326", 255, scale=0.01, unit="fraction", description=text
    )  # fmt: skip
    means, grid = coarse(620 + 330 * (1 - t.north) + 180 * t.elevation / 700 + 70 * fractal(42, 3.2), 0.05)
    write(out / "runoff_mm.tif", np.rint(means).astype(np.int16), grid, "EPSG:4326", -9999, unit="mm",
          description="Mean annual runoff")  # fmt: skip
    means, grid = coarse(np.clip(2.4 + 1.8 * t.karst + 0.25 * fractal(43, 3.2), 2, 5), 0.05)
    data = np.rint(means * 100).astype(np.uint16)
    text = "Bicarbonate concentration of karst water"
    write(
        out / "bicarbonate_mmol_l.tif", data, grid, "EPSG:4326", 65535, scale=0.01, unit="mmol/L", description=text
    )  # fmt: skip


def county_labels(t: Terrain) -> Array:
    """Which county every second padded pixel is in: 1 to 24 from the north-west, 0 outside and at sea."""
    rng = np.random.default_rng([SEED, 50])
    rows = np.repeat(np.linspace(95, 610, 6), 4) + rng.uniform(-22, 22, 24)
    columns = np.tile(np.linspace(130, 750, 4), 6) + rng.uniform(-50, 50, 24)
    y, x = np.mgrid[0:FULL:2, 0:FULL:2]
    bend_y, bend_x = (22 * fractal(seed, 3.0)[::2, ::2] for seed in (51, 52))
    distance = [(1.25 * (y + bend_y - r)) ** 2 + (x + bend_x - c) ** 2 for r, c in zip(rows, columns, strict=True)]
    labels = np.argmin(distance, axis=0) + 1
    rim = 20 + 5 * fractal(53, 2.8)[::2, ::2]
    edge = np.minimum(np.minimum(x, FULL - 1 - x), y) - PAD
    beyond = (labels == 2) & (y > PAD - 16 - 4 * fractal(54, 2.8)[::2, ::2])
    labels[((edge < rim) & ~beyond) | t.sea[::2, ::2] | (y >= PAD + SIZE - 4)] = 0
    return labels


def tidied(labels: Array, sea: Array) -> Array:
    """The labels with every county in one piece and its islands; its other stray bits go to a neighbour or to none."""
    labels = labels.copy()
    for code in range(1, 25):
        parts, count = ndimage.label(labels == code)
        sizes = np.bincount(parts.ravel())[1:]
        for small in [i + 1 for i in range(count) if sizes[i] < sizes.max()]:
            here = parts == small
            ring = ndimage.binary_dilation(here) & ~here
            # sea all around: an island, not a bit that the frame cut off; islets would only be slivers as polygons
            if sea[ring].all() and sizes[small - 1] >= ISLAND:
                continue
            around = labels[ring & (labels > 0)]  # without the sea, which would outvote a neighbour on a headland
            labels[here] = np.bincount(around).argmax() if around.size else 0
    holes = ndimage.binary_fill_holes(labels > 0) & (labels == 0)
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    labels[holes] = labels[tuple(nearest)][holes]
    return labels


def polygons(labels: Array) -> list[shapely.Geometry]:
    """The counties' outlines, neighbours sharing every vertex of a border."""
    step = 2 * STEP
    grid = from_origin(WEST - PAD * STEP, NORTH + PAD * STEP, step, step)
    pieces: dict[int, list[shapely.Geometry]] = {code: [] for code in range(1, 25)}
    for geometry, code in shapes(labels.astype(np.uint8), labels > 0, transform=grid):
        pieces[int(code)].append(shapely.geometry.shape(geometry))
    whole = np.array([shapely.union_all(pieces[code]) for code in range(1, 25)])
    return list(shapely.coverage_simplify(whole, 1.6 * step))


def counties(t: Terrain) -> gpd.GeoDataFrame:
    """The 24 counties; the land area is the registered one, which differs a little from the outline's."""
    outlines = polygons(tidied(county_labels(t), t.sea[::2, ::2]))
    geod = Geod(ellps="GRS80")
    drift = np.random.default_rng([SEED, 55]).uniform(-0.003, 0.003, 24)
    area = [abs(geod.geometry_area_perimeter(shape)[0]) / 1e4 for shape in outlines]
    table = pd.DataFrame(
        {
            "adcode": [str(990101 + i) for i in range(24)],
            "name": [name for name, _ in COUNTIES],
            "name_en": [english for _, english in COUNTIES],
            "land_area_ha": np.round(np.array(area) * (1 + drift), 1),
        }
    )
    return gpd.GeoDataFrame(table, geometry=outlines, crs="EPSG:4490")


def write_counties(out: Path, t: Terrain) -> None:
    """counties.gpkg, and counties_gbk.shp whose text is GBK with nothing beside it that says so."""
    table = counties(t)
    for old in [out / "counties.gpkg", *out.glob("counties_gbk.*")]:
        old.unlink(missing_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{DATE}T00:00:00.000Z"})
    try:
        table.to_file(out / "counties.gpkg", layer="counties", engine="pyogrio", DESCRIPTION=REAL)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    rough = table.rename(columns={"land_area_ha": "area_ha"})
    rough["geometry"] = shapely.coverage_simplify(rough.geometry.to_numpy(), 0.02)
    rough.to_file(out / "counties_gbk.shp", engine="pyogrio", encoding="GBK", DBF_DATE_LAST_UPDATE=DATE)
    (out / "counties_gbk.cpg").unlink(missing_ok=True)


def write_reserves(out: Path, t: Terrain) -> None:
    """reserves.gpkg: five protected areas; the last lies on the coast."""
    centres = ((150, 200), (190, 620), (340, 640), (470, 230), (690, 560))
    y, x = np.mgrid[0:FULL:2, 0:FULL:2]
    ragged = 14 * fractal(80, 2.6)[::2, ::2]
    pieces = []
    for row, column in centres:
        inside = (np.hypot(y - row, 0.8 * (x - column)) + ragged < 62) & (x > PAD + 8) & (x < FULL - PAD - 8)
        parts, count = ndimage.label(inside)
        largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1 : count + 1])
        grid = from_origin(WEST - PAD * STEP, NORTH + PAD * STEP, 2 * STEP, 2 * STEP)
        found = [shapely.geometry.shape(g) for g, _ in shapes(largest.astype(np.uint8), largest, transform=grid)]
        pieces.append(shapely.simplify(max(found, key=lambda g: g.area), 3 * STEP))
    names = {"id": [r[0] for r in RESERVES], "name": [r[1] for r in RESERVES], "name_en": [r[2] for r in RESERVES]}
    table = gpd.GeoDataFrame(names, geometry=pieces, crs="EPSG:4490")
    (out / "reserves.gpkg").unlink(missing_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{DATE}T00:00:00.000Z"})
    try:
        table.to_file(out / "reserves.gpkg", layer="reserves", engine="pyogrio", DESCRIPTION=REAL)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """A CSV file in UTF-8 with plain line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def generate(out: Path) -> None:
    """Every file of the sample region, into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    t = terrain()
    cover = land_cover(t)
    before = ten_years_ago(t, cover)
    whole = before[PAD:-PAD, PAD:-PAD]
    for year, data in ((2013, whole), (2023, with_gaps(cover))):
        write(
            out / f"landcover_{year}.tif", data, from_origin(WEST, NORTH, STEP, STEP), "EPSG:4326", 0,
            description=f"Land cover {year}, legend 'sample'",
        )  # fmt: skip
    write_biomass(out, t, 2013, biomass_ten_years_ago(t, cover, before))
    write_biomass(out, t, 2023, biomass(t, cover))
    write_context(out, t, cover)
    write_counties(out, t)
    write_reserves(out, t)
    head = ("region_id", "indicator", "year", "value", "unit", "comparison", "document")
    write_table(out / "regional_targets.csv", [head, *((*row, ">=", "Qinglan plan (synthetic)") for row in TARGETS)])
    write_table(out / "pools_invest.csv", [("lucode", "LULC_name", "C_above", "C_below", "C_soil", "C_dead"), *POOLS])
    (out / "assessment.toml").write_text(ASSESSMENT, encoding="utf-8", newline="\n")
    (out / "change.toml").write_text(CHANGE, encoding="utf-8", newline="\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the synthetic sample region Qinglan.")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parent, help="folder (default: beside this)"
    )
    generate(parser.parse_args().out)


if __name__ == "__main__":
    main()
