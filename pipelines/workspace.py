"""The surroundings of a run: a folder to work in, a log, and the moment when finished files take their place."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import manifest

log = logging.getLogger("sinks")


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """A folder for shards and joined inputs, gone when the run ends, however it ends."""
    work = out / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def log_file(out: Path) -> Iterator[None]:
    handler = logging.FileHandler(out / "run.log", mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:
        log.error("%s", error)
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


def publish(stage: Path, out: Path) -> None:
    """Move finished files to their place, the manifest last: a folder with a manifest holds a whole run."""
    if (out / manifest.NAME).is_file():
        earlier = manifest.read(out)
        (out / manifest.NAME).unlink()
        for name in earlier.get("outputs", {}):
            path = out / name
            if path.resolve().is_relative_to(out.resolve()):
                path.unlink(missing_ok=True)
    files = [p for p in sorted(stage.rglob("*")) if p.is_file() and p.name != manifest.NAME]
    for path in (*files, stage / manifest.NAME):
        final = out / path.relative_to(stage)
        final.parent.mkdir(parents=True, exist_ok=True)
        path.replace(final)
