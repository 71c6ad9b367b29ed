"""Pieces of work on workers: threads of this process, or a Dask cluster (``pipelines.cluster``).

It knows nothing of rasters or carbon: it takes items and a function of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import dask
from dask.callbacks import Callback
from dask.delayed import delayed

from pipelines import cluster
from pipelines.cluster import Workers

B = TypeVar("B")
R = TypeVar("R")


def run(
    items: Sequence[B], task: Callable[[B], R], workers: Workers, on_done: Callable[[int], None] = lambda done: None
) -> list[R]:
    """``task`` of every item, in order; ``on_done(n)`` is told how many are finished.

    The first exception of a task ends the run and is raised here as it was.
    """
    if not items:
        return []
    if workers.distributed:
        return cluster.run(items, task, workers, on_done)
    run_task = delayed(task, pure=False)
    made = [run_task(item, dask_key_name=("item", n)) for n, item in enumerate(items)]
    # Leaving the pool waits for what is under way, so that nothing writes after the run has ended.
    with _Progress(on_done), ThreadPoolExecutor(workers.count) as pool, dask.config.set(pool=pool):
        return list(dask.compute(*made, scheduler="threads", num_workers=workers.count, optimize_graph=False))


class _Progress(Callback):
    """Counts finished items on the local scheduler."""

    def __init__(self, on_done: Callable[[int], None]) -> None:
        super().__init__()
        self._on_done, self._done = on_done, 0

    def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker_id: Any) -> None:
        if isinstance(key, tuple) and key[0] == "item":
            self._done += 1
            self._on_done(self._done)
