"""What a map costs to write and to read, and how large it is, by compression: why DEFLATE by igzip is the default.

    python benchmarks/compression.py DIR

takes the map ``carbon_total`` of a benchmark run (benchmarks/throughput.py leaves it, decoded, in DIR/decoded) and writes 8192 ×
8192 pixels of it with GDAL in every variant, and as the toolkit does, one thread each. Times are the thread's own, so that other
work on the machine weighs less; the ratio to the toolkit's own encoding is what to look at.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from pipelines.outputs import shardfile
from pipelines.outputs.encoding import Encoding

SIDE = 8192
PLACE = Affine(0.00025, 0.0, 100.0, 0.0, -0.00025, 40.0)
GDAL = {
    "DEFLATE 1": {"compress": "deflate", "zlevel": 1}, "DEFLATE 6": {"compress": "deflate", "zlevel": 6},
    "DEFLATE 9": {"compress": "deflate", "zlevel": 9}, "LZW": {"compress": "lzw"},
    "ZSTD 1": {"compress": "zstd", "zstd_level": 1}, "ZSTD 9": {"compress": "zstd", "zstd_level": 9},
    "LERC + ZSTD": {"compress": "lerc_zstd", "max_z_error": 0}, "none": {},
}  # fmt: skip


def variants(values: NDArray, nodata: float, folder: Path) -> Iterator[tuple[str, float, float, float]]:
    """Name, nanoseconds a pixel to write and to read, and megabytes of each."""
    kind = str(values.dtype)
    encoding = Encoding(kind, nodata, "average")
    wkt = rasterio.CRS.from_epsg(4326).to_wkt()
    shardfile.write(folder / "first.tif", values[:512, :512], encoding, wkt, PLACE)  # loads compiled code
    yield measured(
        "ours (igzip)", folder, lambda path: shardfile.write(path, values, encoding, wkt, PLACE), values.size
    )
    for name, options in GDAL.items():
        predictor = {} if "LERC" in name or name == "none" else {"predictor": encoding.predictor}

        def by_gdal(path: Path, more: dict = {**options, **predictor}) -> None:  # noqa: B006
            with rasterio.open(
                path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=kind, nodata=nodata,
                crs="EPSG:4326", transform=PLACE, tiled=True, blockxsize=512, blockysize=512, **more,
            ) as d:  # fmt: skip
                d.write(values, 1)

        try:
            yield measured(name, folder, by_gdal, values.size)
        except rasterio.errors.RasterioError as error:
            print(f"{name}: {error}", file=sys.stderr)


def measured(name: str, folder: Path, write: Callable[[Path], None], pixels: int) -> tuple[str, float, float, float]:
    path = folder / "map.tif"
    start = time.process_time()
    write(path)
    written = time.process_time() - start
    start = time.process_time()
    with rasterio.Env(GDAL_NUM_THREADS=1, GDAL_CACHEMAX=64), rasterio.open(path) as d:
        d.read(1)
    read = time.process_time() - start
    return name, written / pixels * 1e9, read / pixels * 1e9, path.stat().st_size / 1e6


def main(folder: Path) -> None:
    stored = np.load(folder / "decoded" / "carbon_total.npy", mmap_mode="r")[:SIDE, :SIDE]
    print("| map | compression | write ns/px | to ours | read ns/px | MB | to ours |\n|---|---|---|---|---|---|---|")
    physical = np.where(stored == 65535, np.float32(-9999), stored * np.float32(0.1))
    with tempfile.TemporaryDirectory(dir=folder) as work:
        for kind, values, nodata in (
            ("uint16, steps of 0.1", np.asarray(stored), 65535),
            ("float32", physical, -9999.0),
        ):
            rows = list(variants(values, nodata, Path(work)))
            _, time_of_ours, _, size_of_ours = rows[0]
            for name, write, read, size in rows:
                ratios = f"{write / time_of_ours:.2f} | {read:.1f} | {size:.1f} | {size / size_of_ours:.2f}"
                print(f"| {kind} | {name} | {write:.1f} | {ratios} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
