"""The benchmark runs: a benchmark that has rotted measures nothing."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_every_way_runs_on_a_small_pair(tmp_path):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "throughput.py"), "--size", "1100", "--repeat", "1", "--folder", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for way in ("ours", "floor-tiff", "floor-cog", "plain"):
        assert f"| {way} |" in done.stdout
