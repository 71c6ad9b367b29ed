"""A finished run on shared storage or in an object store: what is there is whole, and the manifest comes last."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import fsspec

from pipelines.errors import InputError, RunError
from pipelines.files import manifest

UNDER_WAY: Final = "publishing.json"
"""In the store: what has arrived, while not all has."""
_TRIES: Final = 3


def publish(
    run: Path, url: str, overwrite: bool = False, told: Callable[[str, int, int], None] = lambda name, n, of: None
) -> dict[str, int]:
    """Copy a finished run to ``url`` (``s3://bucket/…``, ``gs://…``, ``file:///…``: what fsspec knows).

    A copy that broke off goes on with what has not arrived. told : is called with each file, its number and how many there are.
    returns : files and bytes that were sent, files that were there. Raises InputError for a run that is damaged or a place that
    cannot be used, RunError when the store fails.
    """
    about = manifest.read(run)
    if damaged := manifest.damaged(run, about, list(about["outputs"])):
        raise InputError(
            f"{run}: {damaged[0]} is not as it was written; run the assessment again before it is published"
        )
    store, base = _opened(url)
    names = list(about["outputs"])
    try:
        arrived = _arrived(store, base, about, overwrite)
        sent = {"sent": 0, "bytes": 0, "there": 0}
        for n, name in enumerate(names, 1):
            known = about["outputs"][name]
            target = f"{base}/{name}"
            if arrived.get(name) == known["sha256"] and _size(store, target) == known["bytes"]:
                sent["there"] += 1
                continue
            told(name, n, len(names))
            _send(store, run / name, target, known["bytes"])
            arrived[name] = known["sha256"]
            store.pipe_file(f"{base}/{UNDER_WAY}", json.dumps(arrived).encode())
            sent["sent"] += 1
            sent["bytes"] += known["bytes"]
        _send(store, run / manifest.NAME, f"{base}/{manifest.NAME}", (run / manifest.NAME).stat().st_size)
        if store.exists(f"{base}/{UNDER_WAY}"):
            store.rm_file(f"{base}/{UNDER_WAY}")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{url}: the store failed ({error}); what arrived is kept, and the same command goes on"
        ) from error
    return sent


def _opened(url: str) -> tuple[Any, str]:
    try:
        store, base = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise InputError(f"{url}: {error}; e.g. pip install 'carbon-sinks[cloud]'") from None
    except ValueError as error:
        raise InputError(
            f"{url}: no place that is known ({error}); write s3://bucket/folder, gs://… or file:///…"
        ) from None
    return store, base.rstrip("/")


def _arrived(store: Any, base: str, about: dict[str, Any], overwrite: bool) -> dict[str, str]:
    """Digests of what an earlier, broken-off copy of this very run has sent. Raises InputError for another run."""
    if store.exists(f"{base}/{UNDER_WAY}"):
        found = json.loads(store.cat_file(f"{base}/{UNDER_WAY}"))
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
    if not store.exists(f"{base}/{manifest.NAME}"):
        return {}
    there = json.loads(store.cat_file(f"{base}/{manifest.NAME}"))
    same = there.get("outputs") == json.loads(json.dumps(about["outputs"]))
    if not same and not overwrite:
        raise InputError(f"{base}: another run was published here; choose another place, or give --overwrite")
    if not same:  # while files change there is no whole run here
        store.rm_file(f"{base}/{manifest.NAME}")
        return {}
    return {name: str(known["sha256"]) for name, known in there["outputs"].items()}


def _send(store: Any, path: Path, target: str, size: int) -> None:
    """One file, tried again where the store drops it; sizes are compared, for some stores accept less without a word."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            store.makedirs(target.rpartition("/")[0], exist_ok=True)
            store.put_file(str(path), target)
            if (arrived := _size(store, target)) != size:
                raise OSError(f"{target} has {arrived} bytes there and {size} here")
            return
        except OSError:
            if not left:
                raise


def _size(store: Any, target: str) -> int:
    """Bytes of a file in the store, -1 where there is none."""
    store.invalidate_cache()
    return int(store.size(target)) if store.exists(target) else -1
