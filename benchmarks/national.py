"""A nation at 30 m: 10.7 billion pixels, generated and assessed as a whole process, with what it took.

    python benchmarks/national.py DIR [--scale 1.0] [--workers 2] [--map-layout shards]

writes a land-cover and biomass pair into DIR (about 5 GB; kept, so that a second run starts at once), regions, a climate and a
soil layer of a kilometre, and runs ``sinks assess`` on them: ecosystem, total carbon and stock volume at full resolution, the
account of 36 regions, errors, closure checks. It prints one line of JSON: pixels, seconds, peak memory, bytes in and out.

The pair is seeded and no real place: classes in patches of some 700 m, forest in the south-east, grass and bare ground in the
north-west, cropland between; a fifth is sea, whose tiles are not stored. Tiles are drawn from 48 patterns and laid out as they
were encoded, so that the generator needs minutes and the reader decodes every tile as it would any other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter
from shapely.geometry import box

from pipelines.outputs import tiff
from pipelines.outputs.encoding import TILE, Encoding, encoded

ROWS, COLS = 160, 256
"""Tiles of the whole: 81,920 × 131,072 pixels."""
PIXEL = 30 / 111_320
WEST, NORTH = 97.0, 43.0
PATTERNS = 48
LAND_COVER = Encoding("uint8", 0, "mode")
BIOMASS = Encoding("uint16", 65535, "average")
CODES = np.array([80, 90, 40, 10, 20, 30, 60], np.uint8)
"""WorldCover values from wet to dry."""


def pattern(seed: int) -> tuple[bytes, bytes]:
    """One tile of both layers, as it is stored. Later seeds are drier."""
    rng = np.random.default_rng(seed)
    ground = gaussian_filter(rng.normal(size=(TILE, TILE)), 12, mode="wrap")
    ground = 0.9 * ground / ground.std() + 0.15 * rng.normal(size=ground.shape) + 3.2 * seed / PATTERNS - 1.2
    cover = CODES[np.digitize(ground, [-2.6, -2.2, -1.2, 0.6, 1.0, 2.4])]
    canopy = gaussian_filter(rng.normal(size=(TILE, TILE)), 3, mode="wrap")
    heavy = np.clip(100 + 45 * canopy / canopy.std() - 12 * ground, 1, 400)
    share = np.select([cover == 10, cover == 20, cover == 80], [1.0, 0.2, 0.0], 0.05)
    (one,) = encoded(cover, LAND_COVER)
    (two,) = encoded(np.round(heavy * share).astype(np.uint16), BIOMASS)
    return one, two


def places(rows: int, cols: int) -> NDArray[np.int64]:
    """Which pattern each tile has, −1 for sea: an outline with bays in the east and south."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : cols * 1j]
    coast = gaussian_filter(rng.normal(size=(rows, cols)), 8)
    coast = 0.04 * coast / coast.std()
    sea = (x + 0.35 * y**2 + coast > 1.06) | (y - 0.1 * x + coast > 0.93)
    dry = np.clip(0.75 * (1 - x) + 0.6 * (0.6 - y) + 1.5 * coast, 0, 0.999)
    found = (dry * (PATTERNS - 6)).astype(np.int64) + rng.integers(0, 6, (rows, cols))
    found[sea] = -1
    return found


def lay_out(path: Path, encoding: Encoding, tiles: list[bytes], at: NDArray[np.int64]) -> None:
    """A tiled GeoTIFF of these tiles; GDAL decides its tags."""
    rows, cols = at.shape
    empty = path.with_suffix(".empty.tif")
    profile = encoding.profile(cols * TILE, rows * TILE) | {"bigtiff": "YES"}
    with rasterio.open(empty, "w", crs="EPSG:4326", transform=from_origin(WEST, NORTH, PIXEL, PIXEL), **profile):
        pass
    tags = tiff.without_tiles(tiff.read_directories(empty)[0])
    empty.unlink()
    sizes = np.asarray([len(t) for t in tiles], np.uint32)
    counts = np.where(at < 0, 0, sizes[np.maximum(at, 0)]).astype(np.uint32).ravel()
    head, _ = tiff.plan([tags], [counts], big=True)
    partial = path.with_suffix(".part")
    with partial.open("wb", buffering=1 << 22) as out:
        out.write(head)
        for k in at.ravel():
            if k >= 0:
                out.write(tiff.framed(tiles[k]))
    partial.rename(path)


def coarse(path: Path, values: NDArray, rows: int, cols: int, nodata: float) -> None:
    """A layer of about a kilometre over the same extent."""
    height, width = values.shape
    place = from_origin(WEST, NORTH, PIXEL * cols * TILE / width, PIXEL * rows * TILE / height)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype, crs="EPSG:4326", transform=place,
        nodata=nodata, tiled=True, blockxsize=256, blockysize=256, compress="deflate",
    ) as d:  # fmt: skip
        d.write(values, 1)


def generate(folder: Path, rows: int, cols: int) -> None:
    """All inputs, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "regions.gpkg").exists():
        return
    tiles = [pattern(seed) for seed in range(PATTERNS)]
    at = places(rows, cols)
    for name, encoding, which in (("landcover", LAND_COVER, 0), ("agb", BIOMASS, 1)):
        lay_out(folder / f"{name}.tif", encoding, [t[which] for t in tiles], at)
    rng = np.random.default_rng(11)
    height, width = rows * TILE // 36, cols * TILE // 36
    ground = gaussian_filter(rng.normal(size=(height, width)).astype(np.float32), 40)
    rank = (ground - ground.min()) / (ground.max() - ground.min())
    coarse(
        folder / "climate.tif", np.array([5, 6, 7, 8], np.uint8)[np.minimum((rank * 4).astype(int), 3)], rows, cols, 0
    )
    coarse(folder / "soc.tif", (30 + 200 * rank).astype(np.float32), rows, cols, -9999)
    east, south = WEST + PIXEL * cols * TILE, NORTH - PIXEL * rows * TILE
    xs, ys = np.linspace(WEST, east, 10), np.linspace(NORTH, south, 5)
    shapes = [box(a, d, b, c) for c, d in itertools.pairwise(ys) for a, b in itertools.pairwise(xs)]
    codes = [f"{n + 11}" for n in range(len(shapes))]
    frame = gpd.GeoDataFrame({"code": codes, "name": [f"Region {c}" for c in codes]}, geometry=shapes, crs="EPSG:4326")
    frame.to_file(folder / "regions.gpkg", engine="pyogrio")


def measured(words: list[str]) -> tuple[float, float]:
    """Seconds and peak memory [MiB] of a whole process, which must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(words)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the run ended with status {status}")
    return time.perf_counter() - start, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="part of each side, for a trial")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--map-layout", default="whole", choices=["whole", "shards"])
    parser.add_argument("--maps", default="ecosystem,carbon_total,stock_volume")
    a = parser.parse_args()
    rows, cols = max(1, round(ROWS * a.scale)), max(1, round(COLS * a.scale))
    start = time.perf_counter()
    generate(a.folder, rows, cols)
    print(f"inputs after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    out = a.folder / "out"
    seconds, peak = measured([
        sys.executable, "-m", "pipelines.cli", "assess", "--landcover", str(a.folder / "landcover.tif"), "--legend", "worldcover",
        "--agb", str(a.folder / "agb.tif"), "--climate", str(a.folder / "climate.tif"), "--soc", str(a.folder / "soc.tif"),
        "--regions", str(a.folder / "regions.gpkg"), "--region-id", "code", "--region-name", "name", "--parameters", "china",
        "--year", "2020", "--maps", a.maps, "--map-layout", a.map_layout, "--workers", str(a.workers), "--overwrite",
        "--quiet", "--out", str(out),
    ])  # fmt: skip
    pixels = rows * cols * TILE * TILE
    print(json.dumps({
        "pixels": pixels, "workers": a.workers, "seconds": round(seconds, 1), "mpx_s": round(pixels / seconds / 1e6, 1),
        "peak_mib": round(peak), "input_gb": round(sum(p.stat().st_size for p in a.folder.glob("*.tif")) / 1e9, 2),
        "maps_gb": round(sum(p.stat().st_size for p in (out / "maps").rglob("*.tif")) / 1e9, 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
