"""Ours against the floor and against the plain script, in turn, one after the other, as whole processes.

    python benchmarks/throughput.py --size 16384 --repeat 3 --maps carbon_total --map-type uint16

Machines are noisy: only the ratios of runs that alternate mean something, and they are what is printed last.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from shapely import box

from make_pair import write_pair

HERE = Path(__file__).parent


def command(name: str, a: argparse.Namespace, folder: Path) -> list[str]:
    """The command line of one way."""
    lc, agb = str(folder / "landcover.tif"), str(folder / "agb.tif")
    out = folder / f"out-{name}"
    if name in ("ours", "ours-regions"):
        regions = ["--regions", str(folder / "regions.gpkg")] if name == "ours-regions" else []
        return [
            sys.executable, "-m", "pipelines.cli", "assess", "--landcover", lc, "--legend", "worldcover", "--agb", agb,
            "--climate", "warm_temperate_moist", "--parameters", "china", "--maps", a.maps, "--map-type", a.map_type,
            "--workers", "2", "--quiet", "--out", str(out), *regions,
        ]  # fmt: skip
    if name == "plain":
        return [sys.executable, str(HERE / "plain_script.py"), lc, agb, str(out) + ".tif"]
    arrays = sorted(str(p) for p in (folder / "decoded").glob("*.npy"))
    return [sys.executable, str(HERE / "floor.py"), name.removeprefix("floor-"), lc, agb, *arrays, str(out)]


def timed(name: str, a: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Seconds and peak memory [MiB] of one whole process."""
    out = folder / f"out-{name}"
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    process = subprocess.Popen(command(name, a, folder), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def prepare(a: argparse.Namespace, folder: Path) -> None:
    """The pair, some regions, and our maps decoded for the floor to encode."""
    if not (folder / "agb.tif").exists():
        write_pair(a.size, folder)
    with rasterio.open(folder / "landcover.tif") as d:
        west, south, east, north = d.bounds
    cuts_x, cuts_y = np.linspace(west, east, 9), np.linspace(south, north, 8)
    boxes = [box(x0, y0, x1, y1) for x0, x1 in pairwise(cuts_x) for y0, y1 in pairwise(cuts_y)]
    frame = gpd.GeoDataFrame({"code": [str(i) for i in range(len(boxes))]}, geometry=boxes, crs="EPSG:4326")
    frame.to_file(folder / "regions.gpkg")
    timed("ours", a, folder)  # also compiles what is cached from then on
    decoded = folder / "decoded"
    shutil.rmtree(decoded, ignore_errors=True)
    decoded.mkdir()
    for path in sorted((folder / "out-ours" / "maps").glob("*.tif")):
        with rasterio.open(path) as d:
            store = np.lib.format.open_memmap(decoded / f"{path.stem}.npy", "w+", dtype=d.dtypes[0], shape=d.shape)
            for _, window in d.block_windows(1):
                store[window.toslices()] = d.read(1, window=window)
            store.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=16384)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--maps", default="carbon_total")
    parser.add_argument("--map-type", default="uint16", choices=["uint16", "float32"])
    parser.add_argument("--ways", default="ours,floor-tiff,floor-cog,plain")
    parser.add_argument("--folder", type=Path, default=Path("benchmark-data"))
    a = parser.parse_args()
    folder = a.folder / str(a.size)
    prepare(a, folder)
    ways = a.ways.split(",")
    seconds: dict[str, list[float]] = {w: [] for w in ways}
    memory: dict[str, float] = dict.fromkeys(ways, 0.0)
    for _ in range(a.repeat):
        for way in ways:
            took, peak = timed(way, a, folder)
            seconds[way].append(took)
            memory[way] = max(memory[way], peak)
    pixels = a.size**2 / 1e6
    print(f"{a.size} × {a.size} pixels, maps {a.maps} {a.map_type}, 2 threads, median of {a.repeat} alternating runs\n")
    print("| way | s | Mpx/s | peak MiB | ours / way |\n|---|---|---|---|---|")
    for way in ways:
        ratio = statistics.median(o / w for o, w in zip(seconds[ways[0]], seconds[way], strict=True))
        middle = statistics.median(seconds[way])
        print(f"| {way} | {middle:.1f} | {pixels / middle:.1f} | {memory[way]:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
