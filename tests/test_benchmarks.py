"""The benchmark runs, and what it compares agrees: a benchmark that has rotted measures nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
WAYS = ("ours", "ours-1", "ours-processes", "ours-regions", "ours-sinks", "floor-tiff", "floor-cog", "plain", "usual")


@pytest.mark.slow
@pytest.mark.parametrize(("maps", "kind"), [("carbon_total", "uint16"), ("carbon_total,ecosystem", "float32")])
def test_every_way_runs_on_a_small_pair_and_comes_to_the_same(tmp_path, maps, kind):
    words = ["--size", "1024", "--repeat", "1", "--maps", maps, "--map-type", kind, "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "throughput.py"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ways = WAYS if maps == "carbon_total" else WAYS[:-2]
    for way in ways:
        assert f"| {way} |" in done.stdout
    for way in ways[1:]:
        assert f"- {way}: " in done.stdout
    assert ("| plain |" in done.stdout) == ("plain" in ways)


def test_a_way_that_disagrees_ends_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    import throughput

    for way, value in (("ours/maps", 7), ("floor-tiff", 8)):
        folder = tmp_path / f"out-{way}"
        folder.mkdir(parents=True)
        profile = {"driver": "GTiff", "width": 16, "height": 16, "count": 1, "dtype": "uint16", "nodata": 65535}
        profile["transform"] = from_origin(100, 40, 1, 1)
        with rasterio.open(folder / "carbon_total.tif", "w", **profile) as dataset:
            dataset.write(np.full((16, 16), value, np.uint16), 1)
    with pytest.raises(SystemExit, match="does not hold our values"):
        throughput.check("floor-tiff", throughput.Run(1, 1, 1, ""), None, tmp_path)
