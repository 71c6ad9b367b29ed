"""What is told of a run while it goes on."""

import io
import json
import logging
import os
import subprocess
import sys

from pipelines.work.progress import FOR_PROGRAMS, Progress, moved_bytes
from scenes import small


def test_lines_for_programs(monkeypatch):
    monkeypatch.setenv(FOR_PROGRAMS, "json")
    stream = io.StringIO()
    bar = Progress("blocks", 4, 4_000_000, quiet=True, stream=stream, offset=2)
    bar.update(1)  # too soon after the start
    bar._last, bar._start = bar._last - 10, bar._start - 10
    bar.update(3)
    bar.update(4)
    bar.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["stage"], line["done"], line["of"]) for line in lines] == [("blocks", 5, 6), ("blocks", 6, 6)]
    assert lines[0]["left"] > 0
    assert lines[-1]["left"] == 0
    assert all(line["mpx_s"] > 0 for line in lines)


def test_quiet_is_silent_and_the_log_has_the_end(monkeypatch, caplog):
    monkeypatch.delenv(FOR_PROGRAMS, raising=False)
    stream = io.StringIO()
    with caplog.at_level(logging.INFO, "sinks"):
        bar = Progress("blocks", 2, 2_000_000, quiet=True, stream=stream)
        bar._last -= 100
        bar.update(2)
        bar.close()
    assert stream.getvalue() == ""
    assert "2 blocks in" in caplog.text
    if any(moved_bytes()):
        assert "MB read and" in caplog.text


def test_a_run_for_a_program(tmp_path):
    """Each stage ends with a line at its end, and the log tells throughput, bytes and memory."""
    given = [f"--{k}={v}" for k, v in small(tmp_path).items()]
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "assess", *given, "--legend=worldcover", "--draws=0", f"--out={out}"],
        capture_output=True, text=True, check=True, env={**os.environ, FOR_PROGRAMS: "json"},
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {line["stage"] for line in lines} == {"blocks", "maps"}
    assert all(line["done"] == line["of"] for line in lines if line["left"] == 0)
    log = (out / "run.log").read_text(encoding="utf-8")
    assert "Mpx/s" in log
    assert "MiB of memory were held here" in log
