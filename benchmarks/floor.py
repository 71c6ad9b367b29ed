"""The floor: decode the same inputs and encode the same outputs with GDAL, no arithmetic, two threads.

    python benchmarks/floor.py tiff|cog landcover.tif agb.tif MAPS.npy… OUT_DIR

The outputs' values lie decoded in memory-mapped arrays, so that only their encoding is timed. ``tiff`` writes plain tiled
GeoTIFFs, ``cog`` then has GDAL's COG driver make Cloud-Optimized ones of them, with overviews and statistics.
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

BLOCK = 2048
THREADS = 2


def main(kind: str, inputs: list[str], arrays: list[str], out: Path) -> None:
    """Decode and encode everything once."""
    out.mkdir(parents=True, exist_ok=True)
    handles = local()
    maps = [np.load(a, mmap_mode="r") for a in arrays]
    with rasterio.open(inputs[0]) as d:
        profile = {"crs": d.crs, "transform": d.transform, "width": d.width, "height": d.height}
    windows = [
        Window(c, r, min(BLOCK, profile["width"] - c), min(BLOCK, profile["height"] - r))
        for r in range(0, profile["height"], BLOCK)
        for c in range(0, profile["width"], BLOCK)
    ]  # fmt: skip

    def read(window: Window) -> None:
        if not hasattr(handles, "open"):
            handles.open = [rasterio.open(p, sharing=False) for p in inputs]
        for d in handles.open:
            d.read(1, window=window)

    def encode(job: tuple[int, Window]) -> None:
        """One block of one map as a file of its own, as two threads cannot write one file."""
        n, w = job
        part = maps[n][w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width]
        shard = {
            **profile,
            "width": w.width,
            "height": w.height,
            "transform": rasterio.windows.transform(w, profile["transform"]),
        }
        shard |= {"count": 1, "dtype": part.dtype, "tiled": True, "blockxsize": 512, "blockysize": 512}
        shard |= {"compress": "deflate", "zlevel": 1, "predictor": {"u1": 1, "u2": 2, "f4": 3}[part.dtype.str[1:]]}
        with rasterio.open(out / f"{n}_{w.row_off}_{w.col_off}.tif", "w", driver="GTiff", **shard) as d:
            d.write(part, 1)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, windows))
        list(pool.map(encode, [(n, w) for w in windows for n in range(len(maps))]))
    if kind == "cog":
        for n, data in enumerate(maps):
            to_cog(n, data, out, profile)


def to_cog(n: int, data: np.ndarray, out: Path, profile: dict) -> None:  # type: ignore[type-arg]
    """A mosaic of the shards, copied by the COG driver."""
    a = profile["transform"]
    kind = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}[str(data.dtype)]
    parts = []
    for path in sorted(out.glob(f"{n}_*.tif")):
        _, row, col = path.stem.split("_")
        with rasterio.open(path) as d:
            h, w = d.shape
        parts.append(
            f'<SimpleSource><SourceFilename relativeToVRT="0">{path.resolve()}</SourceFilename>'
            f"<SourceBand>1</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{w}" ySize="{h}"/>'
            f'<DstRect xOff="{col}" yOff="{row}" xSize="{w}" ySize="{h}"/></SimpleSource>'
        )
    vrt = out / f"{n}.vrt"
    vrt.write_text(
        f'<VRTDataset rasterXSize="{data.shape[1]}" rasterYSize="{data.shape[0]}"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>{a.c},{a.a},0,{a.f},0,{a.e}</GeoTransform>"
        f'<VRTRasterBand dataType="{kind}" band="1">{"".join(parts)}</VRTRasterBand></VRTDataset>'
    )
    copy(
        vrt, out / f"{n}.cog.tif", driver="COG", COMPRESS="DEFLATE", LEVEL=1,
        PREDICTOR="YES" if data.dtype.itemsize > 1 else "NO",
        BLOCKSIZE=512, STATISTICS="YES", BIGTIFF="IF_SAFER", NUM_THREADS=THREADS,
        OVERVIEW_RESAMPLING="MODE" if data.dtype.itemsize == 1 else "AVERAGE",
    )  # fmt: skip


if __name__ == "__main__":
    kind, landcover, agb, *arrays, out = sys.argv[1:]
    main(kind, [landcover, agb], arrays, Path(out))
