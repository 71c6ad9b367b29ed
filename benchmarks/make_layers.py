"""Optional layers for a benchmark pair: a tenth to a fortieth as fine as the land cover, as such maps come.

    python benchmarks/make_layers.py DIR

writes them beside ``landcover.tif`` and prints the options of ``sinks assess`` that use them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter

FACTORS = {
    "climate": 40, "ecozone": 40, "soil": 10, "drainage": 10, "soc": 10, "permafrost": 40, "permafrost_soc": 40,
    "soc_deep": 40, "active_layer": 40, "karst": 10, "runoff": 40, "bicarbonate": 40, "elevation": 10, "precipitation": 40,
    "black_soil": 10, "grass_agb": 10,
}  # fmt: skip
"""Land-cover pixels along a pixel of each layer."""
CODES = {"climate": (5, 6, 7, 8), "ecozone": (21, 22, 25, 32), "soil": (1, 2, 3, 6, 7), "drainage": (0, 1, 3)}
RANGES = {
    "soc": (20, 250), "permafrost": (0, 1), "permafrost_soc": (50, 250), "soc_deep": (50, 350), "active_layer": (0.5, 4),
    "karst": (-0.6, 1), "runoff": (0, 900), "bicarbonate": (1, 5), "elevation": (0, 4500), "precipitation": (200, 2200),
    "black_soil": (0, 0.7), "grass_agb": (0.5, 6),
}  # fmt: skip


def write_layers(folder: Path) -> list[str]:
    """Seeded layers over the pair's extent; the options that name them."""
    with rasterio.open(folder / "landcover.tif") as d:
        size, pixel, west, north = d.width, d.transform.a, d.transform.c, d.transform.f
    options = []
    for n, (name, factor) in enumerate(FACTORS.items()):
        side = -(-size // factor)
        rng = np.random.default_rng(n)
        ground = gaussian_filter(rng.normal(size=(side, side)), max(1.0, side / 60), mode="wrap")
        rank = (ground - ground.min()) / (ground.max() - ground.min())
        if name in CODES:
            data = np.asarray(CODES[name], np.uint8)[
                np.minimum((rank * len(CODES[name])).astype(int), len(CODES[name]) - 1)
            ]
        else:
            low, high = RANGES[name]
            data = np.clip(low + (high - low) * rank, 0, None).astype(np.float32)
        path = folder / f"{name}.tif"
        profile = {
            "driver": "GTiff",
            "width": side,
            "height": side,
            "count": 1,
            "dtype": data.dtype,
            "crs": "EPSG:4326",
        }
        profile |= {"transform": from_origin(west, north, pixel * factor, pixel * factor), "compress": "deflate"}
        with rasterio.open(path, "w", tiled=True, blockxsize=256, blockysize=256, **profile) as out:
            out.write(data, 1)
        options += ["--" + name.replace("_", "-"), str(path)]
    return options


if __name__ == "__main__":
    print(*write_layers(Path(sys.argv[1])))
