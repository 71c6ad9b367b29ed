"""The floor: decode the same inputs and encode the same outputs with GDAL, no arithmetic, two threads.

    python benchmarks/floor.py tiff|cog landcover.tif agb.tif MAPS.npy… OUT_DIR

The outputs' values lie decoded in memory-mapped arrays, so that only their encoding is timed. ``tiff`` writes plain tiled
GeoTIFFs, one a map. ``cog`` then has GDAL's COG driver make Cloud-Optimized ones of them, with overviews and statistics:
what it takes with GDAL alone to come to the kind of file that a run of ours leaves.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np
import rasterio
from rasterio.shutil import copy
from rasterio.windows import Window

BLOCK, TILE, THREADS = 2048, 512, 2
PREDICTOR = {"uint8": 1, "uint16": 2, "float32": 3}
NODATA = {"uint8": 0, "uint16": 65535, "float32": -9999.0}


def decode(paths: list[str], windows: list[Window]) -> None:
    """Read every block of every input and forget it; each thread has handles of its own."""
    handles = local()

    def read(window: Window) -> None:
        if not hasattr(handles, "open"):
            handles.open = [rasterio.open(p, sharing=False) for p in paths]
        for dataset in handles.open:
            dataset.read(1, window=window)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, windows))


def encode(values: np.ndarray, path: Path, place: dict, windows: list[Window]) -> None:  # type: ignore[type-arg]
    """One map as a plain tiled GeoTIFF; GDAL's own threads compress its tiles."""
    kind = str(values.dtype)
    profile = {
        **place, "driver": "GTiff", "count": 1, "dtype": kind, "nodata": NODATA[kind], "tiled": True, "blockxsize": TILE,
        "blockysize": TILE, "compress": "deflate", "zlevel": 1, "predictor": PREDICTOR[kind], "sparse_ok": True,
        "bigtiff": "if_safer", "num_threads": THREADS,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for window in windows:
            dataset.write(values[window.toslices()], 1, window=window)


def main(kind: str, inputs: list[str], arrays: list[str], out: Path) -> None:
    """Decode and encode everything once."""
    out.mkdir(parents=True, exist_ok=True)
    with rasterio.open(inputs[0]) as d:
        place = {"crs": d.crs, "transform": d.transform, "width": d.width, "height": d.height}
    windows = [
        Window(c, r, min(BLOCK, place["width"] - c), min(BLOCK, place["height"] - r))
        for r in range(0, place["height"], BLOCK)
        for c in range(0, place["width"], BLOCK)
    ]
    decode(inputs, windows)
    for array in arrays:
        values = np.load(array, mmap_mode="r")
        final = out / f"{Path(array).stem}.tif"
        plain = final if kind == "tiff" else final.with_suffix(".plain.tif")
        encode(values, plain, place, windows)
        if kind == "cog":
            name = str(values.dtype)
            copy(
                plain, final, driver="COG", COMPRESS="DEFLATE", LEVEL=1, PREDICTOR="NO" if name == "uint8" else "YES",
                BLOCKSIZE=TILE, STATISTICS="YES", SPARSE_OK="YES", BIGTIFF="IF_SAFER", NUM_THREADS=THREADS,
                OVERVIEW_RESAMPLING="MODE" if name == "uint8" else "AVERAGE",
            )  # fmt: skip
            plain.unlink()


if __name__ == "__main__":
    kind, landcover, agb, *arrays, out = sys.argv[1:]
    main(kind, [landcover, agb], arrays, Path(out))
