"""The graph: blocks and two functions, on threads and on a real cluster of processes."""

import threading

import pytest
from distributed import LocalCluster

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.errors import InputError, RunError
from pipelines.work import cluster, graph
from pipelines.work.cluster import Workers
from scenes import small


def square(n):
    return n * n


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 65, 200])
def test_every_block_is_counted_once(count):
    seen = []
    assert graph.run(range(count), square, Workers(2), seen.append) == [n * n for n in range(count)]
    assert seen == list(range(1, count + 1))


def test_the_first_error_of_a_block_comes_out_as_it_was():
    def fail(n):
        if n == 5:
            raise RunError("block 5 is broken")
        return n

    with pytest.raises(RunError, match="block 5 is broken"):
        graph.run(range(20), fail, Workers(2))


def test_workers_are_as_many_as_asked_for():
    together, most, lock = 0, 0, threading.Lock()
    gate = threading.Event()

    def task(n):
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        gate.wait(0.02)
        with lock:
            together -= 1
        return n

    graph.run(range(30), task, Workers(3))
    assert most == 3


def test_results_keep_the_order():
    assert graph.run([3, 1, 2], square, Workers(2)) == [9, 1, 4]


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        graph.run([1], square, Workers(1, "tcp://127.0.0.1:9"))


@pytest.mark.filterwarnings("ignore")  # of distributed's own making when its processes come and go
def test_a_cluster_of_processes_gives_the_same_bits_as_threads(tmp_path):
    given = small(tmp_path, size=1100)
    options = {**given, "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "quiet": True}
    here = run.assess(checked({**options, "out": str(tmp_path / "here"), "block_size": 1024}))
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local:
        there = run.assess(
            checked(
                {**options, "out": str(tmp_path / "there"), "block_size": 1024, "scheduler": local.scheduler_address}
            )
        )
    assert there.account.tidy["value"].to_numpy().tobytes() == here.account.tidy["value"].to_numpy().tobytes()
    for name, path in here.maps.items():
        assert path.read_bytes() == there.maps[name].read_bytes()
