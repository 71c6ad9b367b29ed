"""Ours against two floors and a plain script, in turn, one after the other, as whole processes with two threads each.

    python benchmarks/throughput.py --size 16384 --repeat 3 --maps carbon_total --map-type uint16

Machines are noisy: only the ratios of runs that alternate mean something. Before a figure is printed, the outputs are held
against one another: the floors must have written our very values, and the plain script our map and our sums.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from make_layers import write_layers

HERE = Path(__file__).resolve().parent
THREADS = 2
WAYS = (
    "ours", "ours-1", "ours-processes", "ours-regions", "ours-sinks", "ours-shards", "floor-tiff", "floor-cog", "plain",
    "usual", "invest", "ours-pools", "ours-carbon",
)  # fmt: skip
POOL_MAPS = "carbon_total,carbon_agb,carbon_bgb,carbon_soil,carbon_deadwood"
"""What InVEST Carbon writes: four pools and their sum."""
POOLS = """lucode,lulc_name,c_above,c_below,c_soil,c_dead
10,Tree cover,57.2,14.1,101.6,5.3
20,Shrubland,12.1,5.2,64,1.1
30,Grassland,3.1,8.4,77,0.2
40,Cropland,4.7,1.2,76.9,0.5
50,Built-up,0,0,0,0
60,Bare,0,0,20,0
70,Snow,0,0,0,0
80,Water,0,0,0,0
90,Herbaceous wetland,7.1,9.2,300,1.3
95,Mangroves,90.2,40.1,310,10.2
100,Moss,1,0.2,60,0.1
"""
"""A pool table as InVEST reads it, of no real place: both ways look up the same numbers."""
SCRIPTS = {"plain": "plain_script.py", "usual": "usual_script.py"}
PROCESSES = """class = "distributed.LocalCluster"
[options]
n_workers = 2
threads_per_worker = 1
processes = true
"""
"""A cluster of two processes of one thread, as a file tells it."""
ECOSYSTEMS = {"10": "forest", "20": "shrubland", "30": "grassland", "40": "cropland", "90": "inland_wetland"}
STRIP = 2048
HALF_A_STEP = 0.0500001
"""Mg C/ha by which a map in steps of 0.1 may be off."""


@dataclass(frozen=True)
class Run:
    """One whole process: wall seconds, peak resident memory [MiB], bytes of the maps it left, what it printed."""

    seconds: float
    peak: float
    size: int
    said: str


def command(way: str, a: argparse.Namespace, folder: Path) -> list[str]:
    """The command line of one way."""
    lc, agb, out = str(folder / "landcover.tif"), str(folder / "agb.tif"), folder / f"out-{way}"
    if way in ("invest", "ours-pools", "ours-carbon"):
        pools = folder / "pools.csv"
        pools.write_text(POOLS)
        if way == "invest":
            return [a.invest_python, str(HERE / "invest_carbon.py"), lc, str(pools), str(out), a.invest_workers]
        return [
            sys.executable, "-m", "pipelines.cli", "assess", "--landcover", lc, "--parameters", f"invest:{pools}",
            "--maps", POOL_MAPS if way == "ours-pools" else "carbon_total", "--workers", str(THREADS),
            "--quiet", "--out", str(out),
        ]  # fmt: skip
    if way.startswith("ours"):
        more = ["--regions", str(folder / "regions.gpkg")] if way == "ours-regions" else []
        if way == "ours-sinks":
            more = write_layers(folder)
        if way == "ours-shards":
            more = ["--map-layout", "shards"]
        if way == "ours-processes":
            (folder / "cluster.toml").write_text(PROCESSES)
            more = ["--cluster", str(folder / "cluster.toml")]
        workers = "1" if way == "ours-1" else str(THREADS)
        return [
            sys.executable, "-m", "pipelines.cli", "assess", "--landcover", lc, "--legend", "worldcover", "--agb", agb,
            *(() if way == "ours-sinks" else ("--climate", "warm_temperate_moist")), "--parameters", "china",
            "--maps", a.maps, "--map-type", a.map_type, "--workers", workers, "--quiet", "--out", str(out), *more,
        ]  # fmt: skip
    if way in SCRIPTS:
        out.mkdir()
        return [sys.executable, str(HERE / SCRIPTS[way]), lc, agb, str(out / "carbon_total.tif"), a.map_type]
    arrays = sorted(str(p) for p in (folder / "decoded").glob("*.npy"))
    return [sys.executable, str(HERE / "floor.py"), way.removeprefix("floor-"), lc, agb, *arrays, str(out)]


def run(way: str, a: argparse.Namespace, folder: Path) -> Run:
    """One whole process, watched from outside."""
    out = folder / f"out-{way}"
    shutil.rmtree(out, ignore_errors=True)
    return watched(command(way, a, folder), out)


def watched(words: list[str], out: Path) -> Run:
    """A command run to its end; ``out`` : where it writes."""
    start = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE.parent) as process:
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
        watcher.start()
        said, wrong = process.communicate()
        took = time.perf_counter() - start
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{wrong.decode(errors='replace')}")
    return Run(took, peak[0], sum(p.stat().st_size for p in out.rglob("*.tif")), said.decode())


def _watch(pid: int, peak: list[float]) -> None:
    """The kernel's own high-water mark of a process, read while it lives.

    A child's ru_maxrss would not do: it begins at the size of the parent.
    """
    while True:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return
        marks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
        if not marks:
            return
        peak[0] = max(peak[0], *marks)
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------ inputs


def prepare(a: argparse.Namespace, folder: Path) -> None:
    """The pair, some regions, and our maps decoded for the floors to encode."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "pair-is-whole").exists():
        subprocess.run(
            [sys.executable, str(HERE / "make_pair.py"), str(a.size), str(folder)], check=True, stdout=sys.stderr
        )
        (folder / "pair-is-whole").touch()
    if "ours-regions" in a.ways:
        write_regions(folder)
    run("ours", a, folder)  # also compiles what is cached from then on
    decoded = folder / "decoded"
    shutil.rmtree(decoded, ignore_errors=True)
    decoded.mkdir()
    for path in sorted((folder / "out-ours" / "maps").glob("*.tif")):
        with rasterio.open(path) as d:
            store = np.lib.format.open_memmap(decoded / f"{path.stem}.npy", "w+", dtype=d.dtypes[0], shape=d.shape)
            for window in strips(d.shape):
                store[window.toslices()] = d.read(1, window=window)
            store.flush()


def write_regions(folder: Path, count: int = 60) -> None:
    """Seeded polygons that share borders and cover the map, as counties do."""
    import geopandas as gpd
    from shapely import MultiPoint, box, voronoi_polygons

    with rasterio.open(folder / "landcover.tif") as d:
        west, south, east, north = d.bounds
    rng = np.random.default_rng(60)
    points = np.column_stack([rng.uniform(west, east, count), rng.uniform(south, north, count)])
    whole = box(west, south, east, north)
    cells = [c.intersection(whole) for c in voronoi_polygons(MultiPoint(points), extend_to=whole).geoms]
    frame = gpd.GeoDataFrame({"code": [str(i) for i in range(count)]}, geometry=cells, crs="EPSG:4326")
    (folder / "regions.gpkg").unlink(missing_ok=True)
    frame.to_file(folder / "regions.gpkg")


def strips(shape: tuple[int, int]) -> list[Window]:
    """A raster in strips that fit in memory."""
    return [Window(0, r, shape[1], min(STRIP, shape[0] - r)) for r in range(0, shape[0], STRIP)]


# ------------------------------------------------------------------------------------------ agreement


def check(way: str, done: Run, a: argparse.Namespace, folder: Path) -> str:
    """That a way came to what ours came to, and how nearly; ends the benchmark otherwise."""
    ours = folder / "out-ours" / "maps"
    if way.startswith("floor"):
        for path in sorted(ours.glob("*.tif")):
            if _furthest(path, folder / f"out-{way}" / path.name) != 0:
                raise SystemExit(f"{way}: {path.name} does not hold our values")
        return "the same values in every map"
    if way in ("ours-1", "ours-processes", "ours-regions"):
        if _furthest(ours / "carbon_total.tif", folder / f"out-{way}" / "maps" / "carbon_total.tif") != 0:
            raise SystemExit(f"{way}: the map is not the same")
        return "the same map"
    if way in ("ours-pools", "ours-carbon"):
        return "what invest does"
    if way == "invest":
        made = [folder / f"out-{w}" / "maps" / "carbon_total.tif" for w in ("ours-pools", "ours-carbon") if w in a.ways]
        theirs = folder / "out-invest" / "c_storage_bas.tif"
        if (apart := max((_furthest_physical(path, theirs) for path in made), default=0.0)) > HALF_A_STEP:
            raise SystemExit(f"invest: maps {apart:g} Mg C/ha apart")
        return (
            f"the sum of pools within {apart:.2g} Mg C/ha of ours"
            if made
            else "nothing to compare: run ours-carbon too"
        )
    if way == "ours-shards":
        ours = list(ours.glob("*.tif"))
        if any(_furthest(p, folder / "out-ours-shards" / "maps" / f"{p.stem}.vrt") != 0 for p in ours):
            raise SystemExit("ours-shards: the map is not the same")
        return "the same map"
    if way == "ours-sinks":
        return "more layers, other answers: nothing to compare"
    apart = _furthest(ours / "carbon_total.tif", folder / f"out-{way}" / "carbon_total.tif")
    allowed = 1 if a.map_type == "uint16" else 1e-3  # a value on the edge of two steps may fall either way
    mine = _sums(folder / "out-ours" / "accounts.csv")
    theirs = {ECOSYSTEMS[k]: v for k, v in json.loads(done.said).items()}
    worst = max(abs(theirs[k] / mine[k] - 1) for k in theirs)
    if not (apart <= allowed and worst < 1e-5):
        raise SystemExit(f"{way}: map {apart:g} stored units apart, class sums {worst:.1e} apart")
    return f"map within {apart:.1g} of a stored unit, class sums within {worst:.1e}"


def _furthest(one: Path, other: Path) -> float:
    """Largest difference of two maps in stored units; infinite where only one has a value."""
    most = 0.0
    with rasterio.open(one) as p, rasterio.open(other) as q:
        for window in strips(p.shape):
            x, y = p.read(1, window=window), q.read(1, window=window)
            if ((x == p.nodata) != (y == p.nodata)).any():
                return math.inf
            most = max(most, float(np.abs(np.subtract(x, y, dtype=np.float64)).max()))
    return most


def _furthest_physical(ours: Path, theirs: Path) -> float:
    """Largest difference [Mg C/ha] of our map and one of floats where both have a value."""
    most = 0.0
    with rasterio.open(ours) as p, rasterio.open(theirs) as q:
        for window in strips(p.shape):
            x, y = p.read(1, window=window), q.read(1, window=window)
            both = (x != p.nodata) & (y != q.nodata)
            most = max(most, float(np.abs(x[both] * p.scales[0] - y[both]).max(initial=0.0)))
    return most


def _sums(path: Path) -> dict[str, float]:
    """Our total carbon by ecosystem [Mg C]."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["region_id"] == "total" and r["quantity"] == "carbon_total"]
    return {r["ecosystem"]: float(r["value"]) for r in rows if r["forest_type"] == "all"}


# ------------------------------------------------------------------------------------------ the table


def table(runs: dict[str, list[Run]], a: argparse.Namespace) -> str:
    """Medians of every way, and the median of the ratios of runs that stood side by side."""
    said = [
        f"{a.size} × {a.size} pixels, maps {a.maps} {a.map_type}, {THREADS} threads, {a.repeat} alternating runs\n",
        "| way | median s | all s | Mpx/s | peak MiB | maps MB | ours ÷ way | way ÷ ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, done in runs.items():
        middle = statistics.median(r.seconds for r in done)
        ratio = statistics.median(o.seconds / r.seconds for o, r in zip(runs["ours"], done, strict=True))
        back = statistics.median(r.seconds / o.seconds for o, r in zip(runs["ours"], done, strict=True))
        peak, size = max(r.peak for r in done), done[-1].size / 1e6
        speed = a.size**2 / 1e6 / middle
        each = ", ".join(f"{r.seconds:.1f}" for r in done)
        said.append(
            f"| {way} | {middle:.2f} | {each} | {speed:.1f} | {peak:.0f} | {size:.1f} | {ratio:.2f} | {back:.2f} |"
        )
    return "\n".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=16384)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--maps", default="carbon_total", help="carbon_total (default), all, or a list with carbon_total in it"
    )
    parser.add_argument("--map-type", default="uint16", choices=["uint16", "float32"])
    parser.add_argument(
        "--ways", default=",".join(WAYS), help="ours always runs; the scripts only with the one map they make"
    )
    parser.add_argument(
        "--invest-python", default="", help="a Python that has natcap.invest; without it, invest is left out"
    )
    parser.add_argument("--invest-workers", default="-1", help="as InVEST counts them: -1 for its own process alone")
    parser.add_argument("--folder", type=Path, default=Path("benchmark-data"))
    a = parser.parse_args()
    a.ways = [w for w in WAYS if w == "ours" or w in a.ways.split(",")]
    if not a.invest_python:
        a.ways = [w for w in a.ways if w != "invest"]
    if a.maps != "carbon_total":
        a.ways = [w for w in a.ways if w not in SCRIPTS]  # they make one map, and would be held against several
    folder = a.folder.resolve() / str(a.size)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(THREADS))
    prepare(a, folder)
    runs: dict[str, list[Run]] = {way: [] for way in a.ways}
    for _ in range(a.repeat):
        for way in a.ways:
            runs[way].append(run(way, a, folder))
    agreed = [f"- {way}: {check(way, runs[way][-1], a, folder)}" for way in a.ways if way != "ours"]
    print(table(runs, a))
    print("\nHeld against ours:\n" + "\n".join(agreed))


if __name__ == "__main__":
    main()
