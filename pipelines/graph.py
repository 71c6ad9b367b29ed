"""Blocks on Dask: one task a block, partial results merged as a tree. The only file that imports Dask.

It knows nothing of rasters or carbon: it takes blocks, a function of one block and a function that merges results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import dask
from dask.callbacks import Callback
from dask.delayed import delayed
from distributed import Client, as_completed

from pipelines.errors import InputError, RunError

B = TypeVar("B")
R = TypeVar("R")

FAN_IN = 8
"""Partial results merged at once; a tree of small merges keeps memory flat."""

PATIENCE = "20s"
"""How long a scheduler has to answer."""


@dataclass(frozen=True)
class Workers:
    """Where the work is done: threads of this process, or a Dask scheduler at an address (tcp://host:port)."""

    count: int
    scheduler: str | None = None


def run(
    blocks: Sequence[B],
    task: Callable[[B], R],
    merge: Callable[[Sequence[R]], R],
    workers: Workers,
    on_done: Callable[[int], None] = lambda done: None,
) -> R:
    """The merge of ``task(block)`` over all blocks; ``on_done(n)`` is told how many blocks are finished.

    The first exception of a task ends the run and is raised here as it was.
    """
    if workers.scheduler:
        return _on_cluster(blocks, task, merge, workers.scheduler, on_done)
    run_task = delayed(task, pure=False)
    leaves = [run_task(block, dask_key_name=("block", n)) for n, block in enumerate(blocks)]
    root = _tree(leaves, merge)
    # Leaving the pool waits for the blocks that are under way, so that nothing writes after the run has ended.
    with _Progress(on_done), ThreadPoolExecutor(workers.count) as pool, dask.config.set(pool=pool):
        return root.compute(scheduler="threads", num_workers=workers.count, optimize_graph=False)


def each(items: Sequence[B], task: Callable[[B], R], workers: Workers) -> list[R]:
    """``task`` of every item on local threads, in order."""
    run_task = delayed(task, pure=False)
    return list(dask.compute(*(run_task(item) for item in items), scheduler="threads", num_workers=workers.count))


def _tree(nodes: list[Any], merge: Callable[[Sequence[R]], R]) -> Any:
    merge_task = delayed(merge, pure=False)
    level = 0
    while len(nodes) > 1:
        groups = [nodes[i : i + FAN_IN] for i in range(0, len(nodes), FAN_IN)]
        nodes = [merge_task(group, dask_key_name=(f"merge-{level}", n)) for n, group in enumerate(groups)]
        level += 1
    return nodes[0]


class _Progress(Callback):
    """Counts finished blocks on the local scheduler."""

    def __init__(self, on_done: Callable[[int], None]) -> None:
        super().__init__()
        self._on_done, self._done = on_done, 0

    def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker_id: Any) -> None:
        if isinstance(key, tuple) and key[0] == "block":
            self._done += 1
            self._on_done(self._done)


def _on_cluster(
    blocks: Sequence[B],
    task: Callable[[B], R],
    merge: Callable[[Sequence[R]], R],
    address: str,
    on_done: Callable[[int], None],
) -> R:
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} ({error}); start one or leave --scheduler out"
        ) from error
    with client, client.as_current():
        if not client.scheduler_info()["workers"]:
            _await_workers(client, address)
        futures = client.map(task, list(blocks), pure=False, retries=2, batch_size=1000)
        waiting: list[R] = []
        for done, (_, result) in enumerate(as_completed(futures, with_results=True), start=1):
            waiting.append(result)
            if len(waiting) == FAN_IN:
                waiting = [merge(waiting)]
            on_done(done)
        return merge(waiting)


def _await_workers(client: Client, address: str) -> None:
    """Give workers a moment to join before giving up with a sentence that says so."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        time.sleep(0.5)
        if client.scheduler_info()["workers"]:
            return
    raise RunError(f"the scheduler at {address} has no workers after 20 s; start some with 'dask worker {address}'")
