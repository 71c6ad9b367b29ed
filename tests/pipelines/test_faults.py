"""Faults in mid-run: full and closed disks, files that vanish or change, signals, no memory, servers that fail. Nothing half
that looks whole, one sentence, and the same command goes on to the same bytes."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from globeserver import serving
from pipelines.assess import blockpass, run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.work import journal
from scenes import small
from test_catalogue import nothing_left, sentence
from test_resume import same

SIDE = 2100
"""Nine blocks of 1024."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    more = {"legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "block_size": 1024, "draws": 0, "quiet": True,
            "maps": ["carbon_total"]}  # fmt: skip
    given = {**small(folder, size=SIDE), **more}
    run.assess(checked({**given, "out": str(folder / "whole")}))
    return given, folder / "whole"


def command(given, out, *more):
    flags = [
        f"--{k.replace('_', '-')}={','.join(v) if isinstance(v, list) else v}" for k, v in given.items() if k != "quiet"
    ]
    return ["assess", *flags, f"--out={out}", "--quiet", *more]


def fails(given, out, code=1):
    """Run it; what is said."""
    said = sentence(CliRunner().invoke(main, command(given, out)), (code,))
    nothing_left(out)
    return said


def goes_on(given, out, whole, least=1):
    """The same command, in the end the same bytes, and not all of it done again."""
    run.assess(checked({**given, "out": str(out)}))
    same(out, whole)
    told = (out / "run.log").read_text()
    done = re.findall(r"(\d+) of 9 blocks were done by an earlier start", told)
    assert least == 0 or (done and int(done[-1]) >= least), told


@contextmanager
def after(monkeypatch, blocks, deed):
    """Something happens when so many blocks are done."""
    write, done = journal.Journal.write, []

    def counted(self, name, *more):
        write(self, name, *more)
        done.append(name)
        if len(done) == blocks:
            deed()

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", counted)
        yield


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, and how to change it."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options, *more):
        return subprocess.run(
            ["mount", *more, "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True
        ).returncode

    if not hasattr(os, "geteuid") or os.geteuid() != 0 or mount("size=2m"):
        pytest.skip("mounting a small file system needs root")
    yield place, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk_and_more_room(scene, disk):
    given, whole = scene
    place, remount = disk
    said = fails({**given, "workers": 1}, place / "out")
    assert re.search("disk is full|needs .* free", said)
    assert not remount("size=200m")
    goes_on(given, place / "out", whole, least=0)


def test_a_disk_that_fills_in_mid_run(scene, disk, monkeypatch):
    given, whole = scene
    place, remount = disk
    assert not remount("size=60m")
    with after(monkeypatch, 4, lambda: (place / "other").write_bytes(bytes(shutil.disk_usage(place).free - 300_000))):
        said = fails({**given, "workers": 1}, place / "out")
    assert "the disk is full; free some space" in said
    (place / "other").unlink()
    goes_on(given, place / "out", whole, least=4)


def test_a_disk_that_is_closed_to_writing(scene, disk, monkeypatch):
    given, whole = scene
    place, remount = disk
    assert not remount("size=200m,ro")
    assert "read-only" in fails(given, place / "out", 2)
    assert not remount("size=200m,rw")
    with (
        monkeypatch.context() as closing,
        after(monkeypatch, 4, lambda: closing.setattr(os, "replace", closed)),
    ):  # tmpfs cannot be closed while a log is open
        assert "read-only" in fails({**given, "workers": 1}, place / "out")
    goes_on(given, place / "out", whole, least=4)


def closed(*given):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.fixture
def own(scene, tmp_path):
    """The scene with a biomass raster of its own, to spoil."""
    given, whole = scene
    path = Path(shutil.copy2(given["agb"], tmp_path / "agb.tif"))
    return {**given, "agb": str(path), "workers": 1}, path, whole


def test_a_file_that_is_cut_in_mid_run_and_comes_back(own, tmp_path, monkeypatch):
    given, path, whole = own
    raw, times = path.read_bytes(), path.stat()
    with after(monkeypatch, 3, lambda: os.truncate(path, len(raw) // 2)):
        assert "agb.tif" in fails(given, tmp_path / "out")
    path.write_bytes(raw)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    goes_on(given, tmp_path / "out", whole, least=3)


def test_a_file_that_vanishes_in_mid_run(own, tmp_path, monkeypatch):
    given, path, whole = own
    raw = path.read_bytes()
    with after(monkeypatch, 3, path.unlink):
        assert "the agb layer changed while it was read" in fails(given, tmp_path / "out")
    path.write_bytes(raw)
    goes_on(given, tmp_path / "out", whole, least=0)


def test_a_file_that_changes_in_mid_run_is_never_half_of_each(own, tmp_path, monkeypatch):
    given, path, whole = own

    def change():
        with rasterio.open(path, "r+") as d:
            d.write(np.full((SIDE, SIDE), 500, np.float32), 1)

    with after(monkeypatch, 3, change):
        said = fails(given, tmp_path / "out")
    assert "the agb layer changed while it was read; what was computed is thrown away" in said
    assert not (tmp_path / "out" / ".work").exists()
    found = run.assess(checked({**given, "out": str(tmp_path / "out")}))
    assert found.account.tidy["value"].max() > 0
    assert (tmp_path / "out" / "accounts.csv").read_bytes() != (whole / "accounts.csv").read_bytes()


def test_no_memory_in_a_worker(scene, tmp_path, monkeypatch):
    given, whole = scene
    process = blockpass.process

    def short(plan, block):
        if block.index == 5:
            raise MemoryError
        return process(plan, block)

    with monkeypatch.context() as patch:
        patch.setattr(blockpass, "process", short)
        said = fails({**given, "workers": 1}, tmp_path / "out")
    assert "out of memory; use fewer --workers, a smaller --block-size" in said
    goes_on(given, tmp_path / "out", whole, least=5)


# ------------------------------------------------------------------------------------------ processes of their own


def started(given, out, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *command(given, out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        **more,
    )


def alike(out, whole):
    for name in ("accounts.csv", "maps/carbon_total.tif"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def ends_well(given, out, whole):
    with started(given, out) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    alike(out, whole)


@pytest.mark.slow
def test_the_machine_asks_it_to_end(scene, tmp_path):
    given, whole = scene
    with started({**given, "workers": 1}, tmp_path / "out") as process:
        until = time.monotonic() + 90
        while time.monotonic() < until and not list((tmp_path / "out").rglob("block-*.npz")):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "stopped; what is done is kept" in said
    nothing_left(tmp_path / "out")
    ends_well(given, tmp_path / "out", whole)
    assert "blocks were done by an earlier start" in (tmp_path / "out" / "run.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1.0, 1.5])
def test_an_address_space_that_is_too_small(scene, tmp_path, limit):
    """The libraries themselves take most of it: the program ends by itself, or is done."""
    given, whole = scene
    size = int(limit * 2**30)
    with started(
        given, tmp_path / "out", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))
    ) as process:
        _, said = process.communicate(timeout=120)
    out = tmp_path / "out"
    if process.returncode == 0:
        alike(out, whole)
        return
    assert not (out / "manifest.json").exists(), said
    if out.exists():
        nothing_left(out)
    ends_well(given, out, whole)


# ------------------------------------------------------------------------------------------ storage behind a server


@pytest.fixture(scope="module")
def globe(scene, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("served")) as found:
        shutil.copy(scene[0]["agb"], found.folder / "agb.tif")
        yield found


@pytest.fixture
def remote(scene, globe):
    """The scene with its biomass behind the server, which is forgotten between tests."""
    given, whole = scene
    globe.tell(fail=0, slow=0.0, short=0, refuse="")
    name = f"agb{time.monotonic_ns()}.tif"
    shutil.copy(globe.folder / "agb.tif", globe.folder / name)
    return {**given, "agb": f"{globe.url}/{name}", "workers": 1}, whole


@pytest.mark.parametrize("orders", [{}, {"fail": 2}, {"slow": 0.02}, {"fail": 1, "slow": 0.02}])
def test_a_server_that_is_slow_or_fails_for_a_moment(remote, globe, tmp_path, orders):
    given, whole = remote
    globe.tell(**orders)
    run.assess(checked({**given, "out": str(tmp_path / "out")}))
    alike(tmp_path / "out", whole)


@pytest.mark.parametrize("orders", [{"refuse": "agb"}, {"short": 10_000}])
def test_a_server_that_fails_and_comes_back(remote, globe, tmp_path, monkeypatch, orders):
    given, whole = remote
    with after(monkeypatch, 2, lambda: globe.tell(**orders)):
        said = fails(given, tmp_path / "out")
    assert "/vsicurl/http://127.0.0.1" in said
    globe.tell(refuse="", short=0)
    ends_well(given, tmp_path / "out", whole)  # in another process: GDAL remembers what a server said


def test_a_server_that_is_not_there(scene, tmp_path):
    given, _ = scene
    result = CliRunner().invoke(main, command({**given, "agb": "http://127.0.0.1:9/agb.tif"}, tmp_path / "out"))
    assert "127.0.0.1:9" in sentence(result, (2,))
