"""Write a large land-cover and biomass pair for the benchmarks: seeded, patchy, with sea; not a real place.

python benchmarks/make_pair.py 16384 DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

SIDE = 2048
CODES = np.array([10, 20, 30, 40, 50, 60, 80, 90], np.uint8)
"""WorldCover values, in the order of the patches' share."""


def pattern(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """One tile of classes in patches and a biomass that follows them [Mg/ha]."""
    rng = np.random.default_rng(seed)
    ground = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 24, mode="wrap")
    ground /= ground.std()
    edges = np.quantile(ground, [0.42, 0.52, 0.68, 0.84, 0.88, 0.92, 0.97])
    cover = CODES[np.digitize(ground, edges)]
    canopy = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3, mode="wrap")
    heavy = np.clip(90 + 45 * canopy / canopy.std() - 20 * ground, 0, 400)
    share = np.select([cover == 10, cover == 20, cover == 80], [1.0, 0.2, 0.0], 0.05)
    return cover, np.round(heavy * share).astype(np.uint16)


def write_pair(size: int, folder: Path, pixel: float = 0.00025) -> tuple[Path, Path]:
    """Write ``landcover.tif`` and ``agb.tif`` of ``size`` × ``size`` pixels, tiled and compressed as such maps come."""
    folder.mkdir(parents=True, exist_ok=True)
    tiles = [pattern(seed) for seed in range(4)]
    profile = {
        "driver": "GTiff", "width": size, "height": size, "count": 1, "crs": "EPSG:4326", "compress": "deflate",
        "transform": from_origin(100, 40, pixel, pixel), "tiled": True, "blockxsize": 512, "blockysize": 512,
        "num_threads": 2, "bigtiff": "if_safer", "sparse_ok": True,
    }  # fmt: skip
    lc, agb = folder / "landcover.tif", folder / "agb.tif"
    with (
        rasterio.open(lc, "w", dtype="uint8", nodata=0, **profile) as one,
        rasterio.open(agb, "w", dtype="uint16", nodata=65535, predictor=2, **profile) as two,
    ):
        for n, row in enumerate(range(0, size, SIDE)):
            for m, col in enumerate(range(0, size, SIDE)):
                cover, mass = tiles[(n * 7 + m * 3) % len(tiles)]
                h, w = min(SIDE, size - row), min(SIDE, size - col)
                window = Window(col, row, w, h)
                one.write(cover[:h, :w], 1, window=window)
                two.write(mass[:h, :w], 1, window=window)
    return lc, agb


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    print(*write_pair(arguments.size, arguments.folder))
