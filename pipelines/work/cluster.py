"""Work on a Dask cluster that may lose workers and its scheduler in the midst of it.

A lost worker's item is done again by another. When the scheduler is lost, the client waits for it to come back, and sends
again what it has no result of. Tasks must therefore give the same result when they are done twice.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pipelines.errors import InputError, RunError
from pipelines.files.text import read_text

B = TypeVar("B")
R = TypeVar("R")
log = logging.getLogger("sinks")

PATIENCE: Final = 20.0
"""Seconds that a scheduler has to answer, and workers to join, at first,"""
OUTAGE: Final = 600.0
"""and after it was lost."""
DEATHS: Final = 3
"""Rounds of dying workers (Dask tries an item on several in each) after which the item is to blame."""
_ADVICE: Final = "give workers more, or a smaller --block-size; what is done is kept, and the same command goes on"
PACKAGES: Final = ("distributed", "dask_jobqueue", "dask_kubernetes", "dask_cloudprovider", "dask_gateway", "coiled")
"""Where the class of a cluster may come from: a file must not run just any code."""


@dataclass(frozen=True)
class Workers:
    """Where the work is done. count : threads of this process, unless there is one of the others;

    scheduler : address of a running Dask scheduler; cluster : a TOML file that tells how to start one; report : an HTML file
    for Dask's performance report; dashboard : show Dask's dashboard.
    """

    count: int
    scheduler: str | None = None
    cluster: str | None = None
    report: str | None = None
    dashboard: bool = False

    @property
    def distributed(self) -> bool:
        """Whether Dask's distributed scheduler is needed."""
        return bool(self.scheduler or self.cluster or self.report or self.dashboard)


class _LostError(Exception):
    """The scheduler, or all it knew, is gone."""


def run(
    items: Sequence[B], task: Callable[[B], R], workers: Workers, on_done: Callable[[int], None] = lambda done: None
) -> list[R]:
    """``task`` of every item, in order. Raises the first exception of a task, and RunError when the cluster fails."""
    if workers.report and not importlib.util.find_spec("bokeh"):
        raise InputError("Dask draws its performance report with bokeh: pip install 'carbon-sinks[cluster]'")
    results: dict[int, R] = {}
    blamed: Counter[int] = Counter()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it reports is told in sentences of ours
    with _address(workers) as address:
        lost, fruitless = False, 0
        while len(results) < len(items):
            before = len(results)
            with _client(address, OUTAGE if lost else PATIENCE, again=lost) as client:
                if not lost:
                    log.info("Dask dashboard: %s", client.dashboard_link)
                try:
                    with _report(client, workers.report):
                        _round(client, items, task, results, blamed, on_done)
                except _LostError as error:
                    lost = True
                    fruitless = 0 if len(results) > before else fruitless + 1
                    if fruitless >= DEATHS:
                        raise RunError(
                            f"the cluster was lost {fruitless} times without one block done in between ({error}), most likely "
                            f"for want of memory; {_ADVICE}"
                        ) from error
                    log.warning(
                        "%s; %d of %d blocks are done; waiting %.0f s for it to come back",
                        error,
                        len(results),
                        len(items),
                        OUTAGE,
                    )
    return [results[n] for n in range(len(items))]


def _round(
    client: Any, items: Sequence[B], task: Callable[[B], R], results: dict[int, R], blamed: Counter[int],
    on_done: Callable[[int], None],
) -> None:  # fmt: skip
    """Send what has no result yet, and gather until all of it is done. Raises _LostError when no more can come."""
    from distributed import KilledWorker, as_completed

    # The task, with its plan, goes to each worker once; every worker has a copy, so that one's death loses none.
    try:
        sent = client.scatter(task, broadcast=True, hash=False)
        todo = [n for n in range(len(items)) if n not in results]
        futures = client.map(_apply, [items[n] for n in todo], task=sent, pure=False, batch_size=1000)
    except (OSError, TimeoutError, CancelledError) as error:
        raise _LostError(f"the scheduler was lost ({error})") from error
    number = {future.key: n for future, n in zip(futures, todo, strict=True)}
    waiting = as_completed(futures)
    for future in waiting:
        n = number[future.key]
        if future.status == "finished":
            try:
                results[n] = future.result()
            except (OSError, TimeoutError, CancelledError) as error:
                raise _LostError(f"a result was lost ({error})") from error
            on_done(len(results))
        elif future.status == "error":
            cause = future.exception()
            if not isinstance(cause, KilledWorker):
                raise cause
            blamed[n] += 1
            if blamed[n] >= DEATHS:
                raise RunError(f"workers die again and again on block {n}, most likely for want of memory; {_ADVICE}")
            again = client.submit(_apply, items[n], task=sent, pure=False)
            number[again.key] = n
            waiting.add(again)
        else:
            raise _LostError("the scheduler was lost, or every worker at once")


def _apply(item: B, task: Callable[[B], R]) -> R:
    try:
        return task(item)
    except (InputError, RunError) as error:
        told = type(error)(str(error))
    # Without what led to it: an error of GDAL's cannot travel, and Dask would send neither.
    raise told


# ------------------------------------------------------------------------------------------ connecting


@contextmanager
def _client(address: str, patience: float, again: bool) -> Iterator[Any]:
    from distributed import Client

    until = time.monotonic() + patience
    client = None
    while client is None:
        left = until - time.monotonic()
        try:
            client = Client(address, timeout=max(1.0, min(left, PATIENCE)), set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            if not again:
                raise InputError(
                    f"no Dask scheduler answers at {address} ({error}); start one or leave --scheduler out"
                ) from error
            if time.monotonic() >= until:
                raise RunError(
                    f"the Dask scheduler at {address} went away and did not come back in {patience:.0f} s; what is done is "
                    "kept, and the same command goes on"
                ) from error
            time.sleep(1)
    try:
        with client.as_current():
            _await_workers(client, address, until)
            yield client
    finally:
        client.close(timeout=5)


def _await_workers(client: Any, address: str, until: float) -> None:
    """Give workers time to join before giving up with a sentence that says so."""
    while not client.scheduler_info(n_workers=-1)["workers"]:
        if time.monotonic() >= until:
            raise RunError(f"the scheduler at {address} has no workers; start some with 'dask worker {address}'")
        time.sleep(0.5)


@contextmanager
def _report(client: Any, path: str | None) -> Iterator[None]:
    """Dask's own report of what this connection did. A run is not lost for want of one."""
    if path is None:
        yield
        return
    from distributed import performance_report

    made = performance_report(filename=path)
    made.__enter__()
    yield
    try:
        made.__exit__(None, None, None)
    except (OSError, TimeoutError, ValueError, ImportError) as error:  # bokeh is wanted at the scheduler
        log.warning("%s: Dask's performance report could not be written (%s)", path, error)


@contextmanager
def _address(workers: Workers) -> Iterator[str]:
    """Address of the scheduler: one that runs, one that a file tells how to start, or one in this process."""
    if workers.scheduler:
        yield workers.scheduler
    elif workers.cluster:
        with _started(workers.cluster) as made:
            yield made.scheduler_address
    else:
        from distributed import LocalCluster

        # Bound to this machine: a dashboard shows, and lets one do, more than a network should.
        with LocalCluster(
            n_workers=1, threads_per_worker=workers.count, processes=False, dashboard_address="127.0.0.1:0",
        ) as made:  # fmt: skip
            yield made.scheduler_address


@contextmanager
def _started(path: str) -> Iterator[Any]:
    """The cluster of a file: ``class``, ``workers`` or ``[adapt]``, and ``[options]`` of the class."""
    try:
        asked = tomllib.loads(read_text(path).text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not a TOML file ({error}); see docs/cluster.md for an example") from None
    name = str(asked.get("class", ""))
    module, _, kind = name.rpartition(".")
    if module.partition(".")[0] not in PACKAGES:
        raise InputError(
            f"{path}: class is '{name}', but a cluster comes from one of {', '.join(PACKAGES)}; for example "
            'class = "dask_jobqueue.SLURMCluster"'
        )
    if strange := sorted(set(asked) - {"class", "workers", "adapt", "options"}):
        raise InputError(f"{path}: unknown key {', '.join(strange)}; there are class, workers, adapt and options")
    try:
        make = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{path}: {name} cannot be used ({error}); install its package: pip install {module}"
        ) from None
    try:
        made = make(**asked.get("options", {}))
    except Exception as error:  # a class of another's making fails in its own ways
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise InputError(f"{path}: {name} does not start with these options ({cause}); mend [options]") from error
    with made:
        if "adapt" in asked:
            made.adapt(**asked["adapt"])
        elif "workers" in asked:
            made.scale(int(asked["workers"]))
        yield made
