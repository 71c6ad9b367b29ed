"""A run that dies goes on: killed at random moments, its work damaged, its inputs changed, its outputs half in place."""

import functools
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from broken import Stop, broken_off
from pipelines.assess import blockpass, run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.errors import InputError, RunError
from pipelines.files import atomic, manifest, record
from pipelines.outputs import maps, mapstats
from pipelines.work import workspace
from scenes import small, write_raster

KILLS = 50
HERE = Path(__file__).parent


def options(folder, **more):
    found = small(folder, size=2100)
    return {
        **found, "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "year": 2020,
        "block_size": 1024, "workers": 2, "quiet": True, "draws": 100, **more,
    }  # fmt: skip


def same(one: Path, other: Path, tidied: bool = True) -> None:
    """All outputs of two runs have the same bytes, but those that hold the time or a path.

    tidied : False for a run that was killed after its last output was in place, as it removed its work folder.
    """
    first, second = (json.loads((p / "manifest.json").read_text()) for p in (one, other))
    assert first["outputs"].keys() == second["outputs"].keys()
    for name in first["outputs"]:
        if not name.endswith((".gpkg", ".json", ".html")):  # which hold the time, or where the run lies
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert not manifest.damaged(one, first, list(first["outputs"]))
    left = {p.name for p in one.iterdir()} - {Path(n).parts[0] for n in first["outputs"]}
    assert left - (set() if tidied else {".work.gone", ".work.lock"}) == {"manifest.json", "run.log"}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["whole", "shards"])
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(tmp_path, layout):
    maps = {"maps": ["ecosystem", "carbon_total", "stock_volume"], "map_layout": layout}
    given = {**options(tmp_path), "out": str(tmp_path), **maps}
    done = subprocess.run(
        [sys.executable, str(HERE / "killed.py"), str(KILLS), "1"], input=json.dumps(given), capture_output=True,
        text=True, cwd=tmp_path, timeout=500, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lives = [json.loads(line) for line in done.stdout.splitlines()]
    for told in lives:
        assert not told["failed"], done.stderr
        same(Path(told["out"]), tmp_path / "whole", told["tidied"])
    assert sum(told["kills"] for told in lives) >= KILLS
    assert sum(told["spoiled"] for told in lives) >= 3


# ------------------------------------------------------------------------------------------ a run broken off on purpose


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    given = options(folder, maps=["ecosystem", "carbon_total"])
    run.assess(checked({**given, "out": str(folder / "whole")}))
    return given, folder / "whole"


def blocks_worked_on(monkeypatch, given, out, **more):
    """Go on, and tell which blocks were worked on."""
    process, seen = blockpass.process, []

    def note(plan, block):
        seen.append(block.index)
        return process(plan, block)

    with monkeypatch.context() as patch:
        patch.setattr(blockpass, "process", note)
        run.assess(checked({**given, "out": str(out), **more}))
    return sorted(seen)


def test_only_what_is_missing_is_done_and_the_log_goes_on(scene, tmp_path, monkeypatch):
    given, whole = scene
    broken_off(monkeypatch, given, tmp_path / "out", after=5)
    assert blocks_worked_on(monkeypatch, given, tmp_path / "out", workers=2) == [5, 6, 7, 8]
    same(tmp_path / "out", whole)
    assert "5 of 9 blocks were done by an earlier start" in (tmp_path / "out" / "run.log").read_text()


@pytest.mark.parametrize("where", ["record", "shard", "half", "gone"])
def test_a_damaged_shard_or_record_is_never_trusted(scene, tmp_path, monkeypatch, where):
    given, whole = scene
    broken_off(monkeypatch, given, tmp_path / "out", after=6)
    pieces = tmp_path / "out" / ".work" / "pieces"
    name = {"record": "block-4.npz", "half": "carbon_total.1024.1024.x2.tif"}.get(where, "carbon_total.1024.1024.tif")
    data = bytearray((pieces / name).read_bytes())
    data[500 if where == "record" else len(data) // 2] ^= 1  # one bit, and the size stays
    if where == "gone":
        (pieces / name).unlink()
    else:
        (pieces / name).write_bytes(data)
    assert blocks_worked_on(monkeypatch, given, tmp_path / "out") == [4, 6, 7, 8]
    same(tmp_path / "out", whole)


def test_a_map_that_is_done_is_not_made_again_and_its_shards_are_gone(scene, tmp_path, monkeypatch):
    given, whole = scene
    broken_off(monkeypatch, given, tmp_path / "out", after=10)  # nine blocks and the first map
    pieces = tmp_path / "out" / ".work" / "pieces"
    left = {p.name.partition(".")[0] for p in pieces.glob("*.tif")}
    assert len(left) == 1
    made = []
    finish = maps.finish_map
    monkeypatch.setattr(maps, "finish_map", lambda spec, *a, **k: made.append(spec.name) or finish(spec, *a, **k))
    assert blocks_worked_on(monkeypatch, given, tmp_path / "out") == []
    assert set(made) == left
    same(tmp_path / "out", whole)


def test_a_finished_map_that_is_damaged_has_its_blocks_made_again(scene, tmp_path, monkeypatch):
    given, whole = scene
    broken_off(monkeypatch, given, tmp_path / "out", after=10)
    work = tmp_path / "out" / ".work"
    (noted,) = (work / "pieces").glob("map-*.npz")
    path = work / "finished" / "maps" / f"{noted.stem.removeprefix('map-')}.tif"
    with path.open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"!")
    assert blocks_worked_on(monkeypatch, given, tmp_path / "out") == list(range(9))
    same(tmp_path / "out", whole)


def stopping_at(step, monkeypatch):
    """Publishing that stops before its ``step``-th change of a file."""
    publish, left = workspace.Workspace.publish, [step]

    def counted(path, *a, original, **k):
        if left[0] == 0:
            raise Stop
        left[0] -= 1
        return original(path, *a, **k)

    def stopping(self):
        with monkeypatch.context() as patch:
            for name in ("replace", "unlink", "touch"):
                patch.setattr(Path, name, functools.partialmethod(counted, original=getattr(Path, name)))
            publish(self)

    return stopping


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [False, True])
def test_a_kill_at_any_step_of_publishing(scene, tmp_path, monkeypatch, earlier):
    """Every move and removal in turn is the last thing that happens."""
    given, whole = scene
    steps = 0
    while True:
        out = tmp_path / str(steps)
        if earlier:  # another run lies here, of which a file must not stay behind
            shutil.copytree(whole, out)
            about = json.loads((out / "manifest.json").read_text())
            (out / "old.csv").write_text("old")
            about["outputs"]["old.csv"] = {"sha256": manifest.sha256(out / "old.csv"), "bytes": 3}
            (out / "manifest.json").write_text(json.dumps(about))
        with monkeypatch.context() as patch:
            patch.setattr(workspace.Workspace, "publish", stopping_at(steps, monkeypatch))
            try:
                run.assess(checked({**given, "out": str(out), "overwrite": earlier}))
            except Stop:
                steps += 4  # a run a step takes its time
            else:
                break
        run.assess(checked({**given, "out": str(out), "overwrite": earlier}))
        same(out, whole)
    assert steps > 10


# ------------------------------------------------------------------------------------------ made otherwise


def refused(given, out, said, **more):
    with pytest.raises(InputError, match=said) as told:
        run.assess(checked({**given, "out": str(out), **more}))
    assert "--fresh" in str(told.value)
    assert (out / ".work" / "pieces" / "block-0.npz").exists()


def test_what_changed_is_named_and_nothing_lost_until_fresh(scene, tmp_path, monkeypatch):
    given, whole = scene
    out = tmp_path / "out"
    broken_off(monkeypatch, given, out, after=5)
    refused(given, out, "--parameters was china and is ipcc", parameters="ipcc")
    refused(given, out, "--year was 2020 and is 2021", year=2021)
    other = shutil.copy(given["agb"], tmp_path / "agb.tif")
    refused(given, out, r"the layer agb was .*agb\.tif \[.*\] and is ", agb=str(other))
    legend = tmp_path / "mine.csv"
    legend.write_text("x")
    refused(given, out, "the size of blocks was 1024 x 1024 and is 2048 x 2048", block_size=2048)
    real = manifest.versions()
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "_versions", lambda: {**real, "numpy": "0.1"})
        refused(given, out, f"the version of numpy was {real['numpy']} and is 0\\.1")
    assert blocks_worked_on(monkeypatch, given, out) == [5, 6, 7, 8]
    same(out, whole)


@pytest.mark.parametrize("later", ["same", "other version", "other options"])
def test_a_run_without_a_finished_piece_is_in_nobodys_way(scene, tmp_path, monkeypatch, later):
    """Refused for want of space; or killed before its first block was done, which leaves the folder."""
    given, whole = scene
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_free", lambda path: 1000)
        for _ in range(2):  # the second start must be refused as the first was
            with pytest.raises(RunError, match="free some space or choose another disk"):
                run.assess(checked({**given, "out": str(out)}))
            assert not (out / ".work").exists()
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "_remove", lambda path: None)  # as where a process is killed: nothing is tidied
        patch.setattr(Path, "rename", lambda *a: None)
        broken_off(monkeypatch, given, out, after=0)
    assert (out / ".work" / "identity.json").is_file()
    more = {"year": 1999} if later == "other options" else {}
    if later == "other version":
        known = json.loads((out / ".work" / "identity.json").read_text())
        (out / ".work" / "identity.json").write_text(json.dumps({**known, "the version of numpy": "0.1"}))
    assert blocks_worked_on(monkeypatch, given, out, **more) == list(range(9))
    if not more:
        same(out, whole)


def test_a_run_that_fails_before_its_first_piece_leaves_no_work(scene, tmp_path, monkeypatch):
    given, _ = scene
    broken_off(monkeypatch, given, tmp_path / "out", after=0)
    assert not (tmp_path / "out" / ".work").exists()
    broken_off(monkeypatch, given, tmp_path / "out", after=1)
    assert (tmp_path / "out" / ".work" / "pieces" / "block-0.npz").exists()


def test_fresh_starts_afresh(scene, tmp_path, monkeypatch):
    given, whole = scene
    broken_off(monkeypatch, {**given, "year": 1999}, tmp_path / "out", after=5)
    assert blocks_worked_on(monkeypatch, given, tmp_path / "out", fresh=True) == list(range(9))
    same(tmp_path / "out", whole)


def test_mended_input_starts_afresh_by_itself(scene, tmp_path):
    given, _ = scene
    data = np.full((2100, 2100), 50, np.float32)
    data[-1, -1] = -5  # in the last block, after others are done
    agb = write_raster(tmp_path / "agb.tif", data)
    asked = {**given, "agb": str(agb), "workers": 1, "out": str(tmp_path / "out")}
    with pytest.raises(InputError, match="values below 0"):
        run.assess(checked(asked))
    data[-1, -1] = 5
    write_raster(tmp_path / "agb.tif", data)
    assert run.assess(checked(asked)).account.area_ha(ecosystem="forest") > 0


def test_two_runs_never_write_into_one_folder(scene, tmp_path):
    given, _ = scene
    out = tmp_path / "out"
    out.mkdir()
    with workspace.workspace(out):
        asked = [f"--{k.replace('_', '-')}={v}" for k, v in given.items() if k not in ("quiet", "maps")]
        said = CliRunner().invoke(main, ["assess", *asked, f"--out={out}", "--quiet"])
    assert said.exit_code == 2
    assert "another run is writing here" in said.stderr


def test_a_record_runs_no_code_and_holds_what_was_put_in(tmp_path):
    value = mapstats.MapStats(7, 5, -1.5, np.inf, Fraction(1, 3), Fraction(2**80))
    record.write(tmp_path / "r.npz", {"a": value, "b": (np.arange(3), tmp_path / "x", None, "字")})
    found = record.read(tmp_path / "r.npz", {"MapStats": mapstats.MapStats, "Histogram": mapstats.Histogram})
    assert found["a"] == value
    assert found["b"][0].tolist() == [0, 1, 2]
    assert found["b"][1:] == (tmp_path / "x", None, "字")
    np.savez(tmp_path / "evil.npz", tree=np.array([{"a": 1}], dtype=object))
    with pytest.raises(record.DamagedError):
        record.read(tmp_path / "evil.npz", {})
