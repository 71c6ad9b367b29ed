"""Peak memory and speed against the size of the raster: the same pair laid side by side once, 2 × 2 and 4 × 4 times.

    python benchmarks/memory.py benchmark-data/16384 --times 1,2,4 [--map-layout shards]

after ``throughput.py`` has made the pair. Virtual rasters repeat it, so that 65,536 × 65,536 pixels need no 2.5 GB of inputs;
every pixel is read, computed and written all the same. Peak: the kernel's own high-water mark.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import rasterio

from throughput import HERE, Run, watched


def repeated(path: Path, times: int, folder: Path) -> Path:
    """A virtual raster of this many copies along each side."""
    with rasterio.open(path) as d:
        size, kind, nodata, t, crs = d.width, d.dtypes[0], d.nodata, d.transform, d.crs.to_wkt()
        pieces = d.block_shapes[0]
    names = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>1</SourceBand>'
        f'<SourceProperties RasterXSize="{size}" RasterYSize="{size}" DataType="{names[kind]}" BlockXSize="{pieces[1]}" '
        f'BlockYSize="{pieces[0]}"/><SrcRect xOff="0" yOff="0" xSize="{size}" ySize="{size}"/>'
        f'<DstRect xOff="{col * size}" yOff="{row * size}" xSize="{size}" ySize="{size}"/></SimpleSource>'
        for row in range(times)
        for col in range(times)
    )
    place = ", ".join(repr(float(v)) for v in (t.c, t.a, t.b, t.f, t.d, t.e))
    out = folder / f"{path.stem}-{times}.vrt"
    out.write_text(
        f'<VRTDataset rasterXSize="{size * times}" rasterYSize="{size * times}"><SRS>{crs}</SRS>'
        f"<GeoTransform>{place}</GeoTransform>"
        f'<VRTRasterBand dataType="{names[kind]}" band="1"><NoDataValue>{nodata:g}</NoDataValue>{sources}'
        "</VRTRasterBand></VRTDataset>"
    )
    return out


def run(folder: Path, times: int, a: argparse.Namespace) -> tuple[Run, str]:
    """One whole process, and what its log says of its blocks."""
    out = folder / f"out-memory-{times}"
    shutil.rmtree(out, ignore_errors=True)
    layers = {name: repeated(folder / f"{name}.tif", times, folder) for name in ("landcover", "agb")}
    done = watched(
        [
            sys.executable, "-m", "pipelines.cli", "assess", "--landcover", str(layers["landcover"]), "--legend", "worldcover",
            "--agb", str(layers["agb"]), "--climate", "warm_temperate_moist", "--parameters", "china", "--maps", a.maps,
            "--map-layout", a.map_layout, "--workers", str(a.workers), "--quiet", "--out", str(out),
        ],
        out,
    )  # fmt: skip
    said = [line for line in (out / "run.log").read_text().splitlines() if " blocks in " in line]
    shutil.rmtree(out)
    return done, said[-1].partition(" blocks in ")[2].split(", ")[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", default="1,2,4")
    parser.add_argument("--maps", default="carbon_total")
    parser.add_argument("--map-layout", default="whole", choices=["whole", "shards"])
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    folder = a.folder.resolve()
    if not (folder / "pair-is-whole").exists():
        size = folder.name
        subprocess.run([sys.executable, str(HERE / "make_pair.py"), size, str(folder)], check=True, stdout=sys.stderr)
    with rasterio.open(folder / "landcover.tif") as d:
        size = d.width
    print(
        "| pixels along a side | million pixels | s | Mpx/s | blocks alone | peak MiB | maps MB |\n|---|---|---|---|---|---|---|"
    )
    for times in (int(t) for t in a.times.split(",")):
        done, blocks = run(folder, times, a)
        pixels = (size * times) ** 2 / 1e6
        print(
            f"| {size * times} | {pixels:.0f} | {done.seconds:.1f} | {pixels / done.seconds:.1f} | {blocks} | {done.peak:.0f} | "
            f"{done.size / 1e6:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
