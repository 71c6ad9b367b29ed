"""A real Dask cluster: scheduler and workers started by their own commands, killed in the midst of a run."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.errors import InputError, RunError
from pipelines.work import cluster, graph
from pipelines.work.cluster import Workers
from scenes import small
from test_resume import same

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]  # of distributed's own making when its processes come and go


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.workers, self.scheduler = folder, [], None
        self.start_scheduler()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def _run(self, *command: str) -> subprocess.Popen:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
        with (self.folder / "cluster.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command], stdout=log, stderr=log, env=env, cwd=self.folder
            )  # fmt: skip

    def start_scheduler(self) -> None:
        self.scheduler = self._run(
            "distributed.cli.dask_scheduler", "--host=127.0.0.1", f"--port={self.port}", "--no-dashboard"
        )  # fmt: skip

    def add_workers(self, count: int) -> None:
        for _ in range(count):
            self.workers.append(
                self._run(
                    "distributed.cli.dask_worker", self.address, "--nthreads=1", "--no-nanny", "--no-dashboard",
                    "--death-timeout=60",
                )
            )  # fmt: skip

    def kill(self, process: subprocess.Popen) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process in self.workers:
            self.workers.remove(process)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    given = {
        **small(folder, size=3100), "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist",
        "block_size": 1024, "quiet": True, "draws": 100, "maps": ["ecosystem", "carbon_total", "stock_volume"],
    }  # fmt: skip
    run.assess(checked({**given, "out": str(folder / "whole")}))
    return given, folder / "whole"


@contextmanager
def meanwhile(out: Path, blocks: int, deed):
    """Do something once so many blocks are done."""
    failed = []

    def wait():
        until = time.monotonic() + 90
        while len(list((out / ".work" / "pieces").glob("block-*.npz"))) < blocks:
            if time.monotonic() > until:
                failed.append("no block was done in time")
                return
            time.sleep(0.005)
        deed()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()
    assert not failed


@pytest.mark.slow
def test_a_worker_killed_in_mid_run_changes_nothing(scene, dask, tmp_path):
    given, whole = scene
    dask.add_workers(2)
    with meanwhile(tmp_path / "out", 3, lambda: dask.kill(dask.workers[0])):
        run.assess(checked({**given, "out": str(tmp_path / "out"), "scheduler": dask.address}))
    assert len(dask.workers) == 1
    same(tmp_path / "out", whole)


@pytest.mark.slow
def test_all_but_one_of_the_workers_killed(scene, dask, tmp_path):
    given, whole = scene
    dask.add_workers(4)

    def deed():
        for process in dask.workers[:3]:
            dask.kill(process)

    with meanwhile(tmp_path / "out", 4, deed):
        run.assess(checked({**given, "out": str(tmp_path / "out"), "scheduler": dask.address}))
    same(tmp_path / "out", whole)


@pytest.mark.slow
def test_the_scheduler_and_all_workers_restarted_in_mid_run(scene, dask, tmp_path):
    given, whole = scene
    dask.add_workers(2)

    def deed():
        for process in (*dask.workers, dask.scheduler):
            dask.kill(process)
        dask.start_scheduler()
        dask.add_workers(2)

    with meanwhile(tmp_path / "out", 5, deed):
        run.assess(checked({**given, "out": str(tmp_path / "out"), "scheduler": dask.address}))
    assert "blocks are done" in (tmp_path / "out" / "run.log").read_text()
    same(tmp_path / "out", whole)


@pytest.mark.slow
def test_what_a_lost_cluster_did_is_finished_by_threads(scene, dask, tmp_path, monkeypatch):
    given, whole = scene
    monkeypatch.setattr(cluster, "OUTAGE", 2.0)
    dask.add_workers(2)

    def deed():
        for process in (*dask.workers, dask.scheduler):
            dask.kill(process)

    with meanwhile(tmp_path / "out", 5, deed), pytest.raises(RunError, match="the same command goes on"):
        run.assess(checked({**given, "out": str(tmp_path / "out"), "scheduler": dask.address}))
    run.assess(checked({**given, "out": str(tmp_path / "out")}))
    assert "blocks were done by an earlier start" in (tmp_path / "out" / "run.log").read_text()
    same(tmp_path / "out", whole)


@pytest.mark.slow
def test_a_cluster_from_a_file_and_its_performance_report(scene, tmp_path):
    given, whole = scene
    file = tmp_path / "cluster.toml"
    file.write_text(
        'class = "distributed.LocalCluster"\nworkers = 2\n[options]\nn_workers = 0\nthreads_per_worker = 1\n'
        'processes = true\ndashboard_address = "127.0.0.1:0"\n'
    )
    report = tmp_path / "report.html"
    given = {**given, "cluster": str(file), "performance_report": str(report), "out": str(tmp_path / "out")}
    run.assess(checked(given))
    same(tmp_path / "out", whole)
    assert "Dask dashboard: http://127.0.0.1:" in (tmp_path / "out" / "run.log").read_text()
    assert "Dask Performance Report" in report.read_text() or report.stat().st_size > 10_000


def test_a_task_that_kills_every_worker_ends_the_run_with_a_sentence(dask, monkeypatch):
    monkeypatch.setattr(cluster, "DEATHS", 1)
    stop = threading.Event()

    def feed():  # workers that die are replaced, as a batch system would
        while not stop.is_set():
            dask.workers = [w for w in dask.workers if w.poll() is None]
            if len(dask.workers) < 2:
                dask.add_workers(2 - len(dask.workers))
            stop.wait(0.2)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        with pytest.raises(RunError, match=r"die again and again on block|cluster was lost"):
            graph.run([0, 1, 2], fatal, Workers(1, dask.address))
    finally:
        stop.set()
        thread.join()


def fatal(n):
    if n == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class = ", "not a TOML file"),
        ('class = "os.system"', "a cluster comes from one of distributed"),
        ('class = "distributed.NoSuchCluster"', "cannot be used"),
        ('class = "dask_jobqueue.SLURMCluster"', "pip install dask_jobqueue"),
        ('class = "distributed.LocalCluster"\nworker = 3', "unknown key worker"),
        ('class = "distributed.LocalCluster"\n[options]\nn_wrkers = 3', "does not start with these options"),
    ],
)
def test_a_bad_cluster_file_is_told(tmp_path, text, said):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        graph.run([1], json.dumps, Workers(1, cluster=str(file)))
