"""Pieces of work on workers: threads of this process, or a Dask cluster (``pipelines.work.cluster``).

It knows nothing of rasters or carbon: it takes items and a function of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from pipelines.work import cluster
from pipelines.work.cluster import Workers

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
    pool = ThreadPoolExecutor(workers.count)
    try:
        # In order: neighbours share tiles and strips of the inputs, which are then still in the cache.
        futures = [pool.submit(task, item) for item in items]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            on_done(done)
        return [future.result() for future in futures]
    finally:
        # Waits for what is under way, so that nothing writes after the run has ended, and begins nothing more.
        pool.shutdown(wait=True, cancel_futures=True)
