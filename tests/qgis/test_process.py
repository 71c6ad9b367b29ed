"""The plugin's way to the command, without QGIS: where it is, in which surroundings, how far, and its end."""

import csv
import importlib.util
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2] / "integrations" / "qgis" / "carbon_sinks"
_SPEC = importlib.util.spec_from_file_location("process", HOME / "process.py")
process = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(process)


def run(code, cancelled=lambda: False):
    steps, lines = [], []
    printed = process.run([sys.executable, "-c", code], steps.append, lines.append, cancelled)
    return printed, steps, lines


def test_it_imports_nothing_of_ours():
    for file in HOME.glob("*.py"):
        assert not re.search(r"^\s*(?:from|import) (?:sinks|pipelines)", file.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_text_is_used_and_in_two_languages():
    code = "".join(file.read_text(encoding="utf-8") for file in HOME.glob("*.py"))
    with (HOME / "texts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(row["en"] and row["zh"] for row in rows)
    said = set(re.findall(r"[\"']([A-Za-z_]+)[\"']", code)) | {
        f"{verb}_help" for verb in ("assess", "change", "targets")
    }
    said |= {f"{name}_{n}" for name in ("YEAR", "LANDCOVER", "AGB") for n in (1, 2)}
    assert {row["key"] for row in rows} <= said


def test_what_is_for_qgis_alone_is_taken_away(monkeypatch):
    for name in ("PYTHONHOME", "PYTHONPATH", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "OSGEO4W_ROOT"):
        monkeypatch.setenv(name, "/qgis")
    monkeypatch.setenv("MINE", "kept")
    found = process.surroundings()
    assert "/qgis" not in found.values()
    assert (found["MINE"], found["SINKS_PROGRESS"]) == ("kept", "json")


def test_the_command_is_found_where_it_may_be(monkeypatch, tmp_path):
    monkeypatch.delenv("SINKS_COMMAND", raising=False)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert process.find() is None
    program = tmp_path / "env" / "bin" / "sinks"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert (
        process.find(str(program))
        == process.find(str(tmp_path / "env"))
        == process.find(str(program.parent))
        == str(program)
    )
    monkeypatch.setenv("PATH", str(program.parent))
    assert process.find() == str(program)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    assert process.find() == str(program)


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("████░░░░  37%  12/32 blocks  4.0 Mpx/s  0:10 left", 33.3),
        (json.dumps({"stage": "blocks", "done": 3, "of": 4, "mpx_s": 1.0, "left": 2.0}), 67.5),
        (json.dumps({"stage": "maps", "done": 1, "of": 2}), 95.0),
        (json.dumps({"stage": "tiles", "done": 0, "of": 0}), 0.0),
        ("sinks: warning", None),
        ("{broken", None),
        ('{"other": 1}', None),
        ("[1]", None),
    ],
)
def test_how_far_a_line_says_it_is(line, share):
    assert process.share_of(line) == (share if share is None else pytest.approx(share))


def test_output_progress_and_words_come_apart():
    code = (
        "import sys\n"
        "print('░░  50%  1/2 blocks', file=sys.stderr)\n"
        "print('a word — 森林', file=sys.stderr)\n"
        'print(\'{"stage": "maps", "done": 2, "of": 2}\', file=sys.stderr)\n'
        "print('result')"
    )
    assert run(code) == ("result\n", [45.0, 100.0], ["a word — 森林"])


def test_an_error_is_its_last_words_and_code():
    with pytest.raises(process.Failed) as caught:
        run("import sys; print('sinks: no such file', file=sys.stderr); sys.exit(2)")
    assert (caught.value.code, caught.value.said) == (2, "sinks: no such file")


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")
def test_who_is_cancelled_may_keep_what_is_done(tmp_path):
    code = (
        "import time, pathlib\n"
        "try:\n    time.sleep(60)\n"
        f"except KeyboardInterrupt:\n    pathlib.Path({str(tmp_path / 'kept')!r}).touch()"
    )
    start = time.monotonic()
    with pytest.raises(process.Cancelled):
        run(code, lambda: time.monotonic() > start + 1.5)
    assert (tmp_path / "kept").exists()
    assert time.monotonic() - start < 20
