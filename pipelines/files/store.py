"""A finished run on shared storage or in an object store: what is there is whole, and the manifest comes last."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec

from pipelines.errors import InputError, RunError
from pipelines.files import manifest

UNDER_WAY: Final = "publishing.json"
"""In the store: what has arrived, while not all has."""
_TRIES: Final = 3
_BUCKETS: Final = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "tos"))
"""Stores, as fsspec calls them, in which the first part of a path is a bucket or container."""
_KEYS: Final = "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


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
            _note(store, base, arrived)
            sent["sent"] += 1
            sent["bytes"] += known["bytes"]
        for name in sorted(set(arrived) - set(names)):  # of the run that this one takes the place of
            if store.exists(f"{base}/{name}"):
                store.rm_file(f"{base}/{name}")
        _send(store, run / manifest.NAME, f"{base}/{manifest.NAME}", (run / manifest.NAME).stat().st_size)
        if store.exists(f"{base}/{UNDER_WAY}"):
            store.rm_file(f"{base}/{UNDER_WAY}")
    except (InputError, RunError):
        raise
    except Exception as error:  # each store fails in its own ways
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(
            f"{url}: the store failed ({said}); {_mend(store, said)}what arrived is kept, and the same command goes on"
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


def _flat(store: Any) -> bool:
    """Whether a store has buckets and keys, and no folders to make: a bucket that is mistyped must not be made."""
    known = (store.protocol,) if isinstance(store.protocol, str) else store.protocol
    return not _BUCKETS.isdisjoint(known)


def _mend(store: Any, said: str) -> str:
    """What to do, by the words of the store."""
    words = said.lower() if _flat(store) else ""
    if "bucket does not exist" in words or "nosuchbucket" in words:
        return "there is no such bucket at this endpoint: check its name, or make it first; "
    if any(w in words for w in ("credentials", "access denied", "forbidden", "access key", "signature", "token")):
        return f"check the credentials ({_KEYS}) and the region (AWS_REGION); "
    if any(w in words for w in ("connect", "endpoint", "timeout", "timed out", "resolve")):
        return "check the network and the endpoint (AWS_ENDPOINT_URL); "
    return ""


def _arrived(store: Any, base: str, about: dict[str, Any], overwrite: bool) -> dict[str, str]:
    """By name, the digest of what lies there already, blank where it is not known.

    Of a whole run, or of a copy that broke off, whichever run it was of. Raises InputError for another whole run.
    """
    begun = _read(store, f"{base}/{UNDER_WAY}")
    arrived = {str(k): str(v) for k, v in begun.items() if _within(str(k))}
    if not store.exists(f"{base}/{manifest.NAME}"):
        return arrived
    lies = _read(store, f"{base}/{manifest.NAME}").get("outputs")
    there = {str(k): v for k, v in lies.items() if _within(str(k))} if isinstance(lies, dict) else {}
    if lies == json.loads(json.dumps(about["outputs"])):
        return {name: str(known["sha256"]) for name, known in there.items()}
    if not overwrite:
        raise InputError(f"{base}: another run was published here; choose another place, or give --overwrite")
    arrived = {**dict.fromkeys(there, ""), **arrived}
    _note(store, base, arrived)
    store.rm_file(f"{base}/{manifest.NAME}")  # while files change there is no whole run here
    return arrived


def _read(store: Any, path: str) -> dict[str, Any]:
    """A table in the store; an empty one where there is none, or it cannot be read back."""
    if not store.exists(path):
        return {}
    try:
        found = json.loads(store.cat_file(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _note(store: Any, base: str, arrived: dict[str, str]) -> None:
    """Write down what has arrived."""
    if not _flat(store):
        store.makedirs(base, exist_ok=True)
    store.pipe_file(f"{base}/{UNDER_WAY}", json.dumps(arrived).encode())


def _within(name: str) -> bool:
    """Whether a name in the store's own files stays in its folder: what it names may be removed."""
    return bool(name) and not name.startswith("/") and ".." not in PurePosixPath(name).parts


def _send(store: Any, path: Path, target: str, size: int) -> None:
    """One file, tried again where the store drops it; sizes are compared, for some stores accept less without a word."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            if not _flat(store):
                store.makedirs(target.rpartition("/")[0], exist_ok=True)
            store.put_file(str(path), target)
            if (arrived := _size(store, target)) != size:
                raise OSError(f"{target} has {arrived} bytes there and {size} here")
            return
        except OSError as error:
            if not left or isinstance(error, PermissionError | FileNotFoundError):
                raise


def _size(store: Any, target: str) -> int:
    """Bytes of a file in the store, -1 where there is none."""
    store.invalidate_cache()
    try:
        return int(store.info(target)["size"])
    except FileNotFoundError:
        return -1
