"""The memory of a run is told beforehand, kept, and does not grow with the raster."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from rasterio.transform import from_origin

from pipelines.assess import check, layout
from pipelines.assess.study import checked
from pipelines.errors import InputError
from scenes import small, write_raster

MIB = 2**20


def options(folder, **more):
    return {**small(folder, size=64), "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist",
            "quiet": True, "draws": 100, "out": str(folder / "out"), **more}  # fmt: skip


def planned(folder, **more):
    return check.check(checked(options(folder, **more)))


def test_less_memory_takes_fewer_workers_then_smaller_blocks_then_is_refused(tmp_path):
    whole = planned(tmp_path, workers=4)
    assert whole["workers"] == 4
    per_block = (whole["memory_gib"] * 2**30 - layout.BASE) / 4
    two = planned(tmp_path, workers=4, memory=(layout.BASE + 2.5 * per_block) / 2**30)
    assert two["workers"] == 2
    assert any("allows 2 of 4 worker(s)" in note for note in two["notes"])
    smaller = planned(tmp_path, workers=4, memory=(layout.BASE + 0.6 * per_block) / 2**30)
    assert smaller["workers"] >= 1
    assert smaller["memory_gib"] <= (layout.BASE + 0.6 * per_block) / 2**30 + 0.01
    assert any("1024 x 1024" in note for note in smaller["notes"])
    with pytest.raises(InputError, match=r"--memory is 0\.4 GiB, and one worker .* takes 0\.\d+; give more"):
        planned(tmp_path, memory=0.4)
    with pytest.raises(InputError, match="or a smaller --block-size"):
        planned(tmp_path, memory=(layout.BASE + 0.6 * per_block) / 2**30, block_size=2048)


def stretched(folder, name, data, side):
    """A few pixels stretched by a virtual raster: large for a run, small on disk."""
    tiny = write_raster(folder / f"{name}.tif", data, crs="EPSG:4326", pixel=1.0, origin=(90.0, 40.0))
    a, b, c, d, e, f = from_origin(90.0, 40.0, 20 / side, 20 / side)[:6]
    path = folder / f"{name}_{side}.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>{c}, {a}, {b}, {f}, {d}, {e}</GeoTransform>"
        f'<VRTRasterBand dataType="{"Byte" if data.dtype == np.uint8 else "UInt16"}" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{tiny.name}</SourceFilename><SourceBand>1</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="{data.shape[1]}" ySize="{data.shape[0]}"/>'
        f'<DstRect xOff="0" yOff="0" xSize="{side}" ySize="{side}"/></SimpleSource></VRTRasterBand></VRTDataset>',
        encoding="utf-8",
    )
    return str(path)


def peak_of(folder, side, maps):
    """Peak memory of a whole process that assesses a map of this side [B], and what was planned."""
    rng = np.random.default_rng(1)
    cover = rng.choice([10, 20, 30, 40], size=(64, 64)).astype(np.uint8)
    agb = rng.integers(0, 200, (64, 64)).astype(np.uint16)
    given = ["--landcover", stretched(folder, "lc", cover, side), "--agb", stretched(folder, "agb", agb, side), "--legend",
             "worldcover", "--parameters", "china", "--climate", "warm_temperate_moist", "--maps", maps, "--workers", "2",
             "--draws", "100", "--quiet"]  # fmt: skip
    start = [sys.executable, "-m", "pipelines.cli"]
    out = folder / f"out{side}{maps}"
    subprocess.run([*start, "assess", *given, "--out", str(out)], check=True, capture_output=True, env=os.environ)
    told = json.loads(
        subprocess.run([*start, "check", *given, "--json"], check=True, capture_output=True, text=True).stdout
    )
    [line] = [text for text in (out / "run.log").read_text(encoding="utf-8").splitlines() if "MiB of memory" in text]
    return float(line.rpartition("at most ")[2].split()[0]) * MIB, told["memory_gib"] * 2**30


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by Linux's own account of it")
def test_peak_memory_is_within_the_plan_and_flat(tmp_path):
    small_peak, planned_bytes = peak_of(tmp_path, 3072, "carbon_total")
    large_peak, _ = peak_of(tmp_path, 9216, "carbon_total")
    assert large_peak < planned_bytes < 2 * 2**30
    assert large_peak < small_peak + 64 * MIB  # nine times the pixels
    every, planned_bytes = peak_of(tmp_path, 3072, "all")
    assert every < planned_bytes
