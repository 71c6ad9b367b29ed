"""Pieces of work on workers: threads of this process, or a Dask cluster (``pipelines.work.cluster``).

It knows nothing of rasters or carbon: it takes items and a function of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from pipelines.work import cluster
from pipelines.work.cluster import Workers

B = TypeVar("B")
R = TypeVar("R")

_ITEM: Final = "item-"


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
    # Imported here: what a command that walks nothing need not wait for.
    import dask
    import dask.threaded
    from dask.callbacks import Callback
    from dask.delayed import delayed

    finished = 0

    def count(key: Any, result: Any, graph: Any, state: Any, worker: Any) -> None:
        nonlocal finished
        if isinstance(key, str) and key.startswith(_ITEM):
            finished += 1
            on_done(finished)

    run_task = delayed(task, pure=False)
    # Dask takes what does not depend on one another by falling name. Neighbours share tiles and strips of the inputs, which
    # are then still in the cache.
    names = [f"{_ITEM}{len(items) - n:09d}" for n in range(len(items))]
    made = [run_task(item, dask_key_name=name) for name, item in zip(names, items, strict=True)]
    # Leaving the pool waits for what is under way, so that nothing writes after the run has ended.
    # Dask is given the scheduler itself: asked for one by name, it would first load all of ``distributed``.
    with Callback(posttask=count), ThreadPoolExecutor(workers.count) as pool, dask.config.set(pool=pool):
        return list(dask.compute(*made, scheduler=dask.threaded.get, num_workers=workers.count, optimize_graph=False))
