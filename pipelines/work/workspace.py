"""The surroundings of a run: a folder to work in that outlives a crash, a log, and the moment when finished files take
their place.

``OUT/.work`` holds the joined inputs, the journal with the shards it speaks of (``pieces``), and the finished files
(``finished``). It is removed when the run is published, and kept when the run dies: the same command then goes on with what
is missing. ``identity.json`` says what the work was made from, so that it is never mixed with other work.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import filelock

from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.files.atomic import PUBLISHING, WORK, atomic_path
from pipelines.work.progress import peak_memory

log = logging.getLogger("sinks")

_IDENTITY: Final = "identity.json"
_REPLACED: Final = "replaced.json"
"""The manifest of the run that this one takes the place of."""
_REFUSED: Final = "refused"
"""There when the run ended because its input could not be used."""
_SHOWN: Final = 6


class _OtherRunError(InputError):
    """What lies in the work folder is of another run."""


@dataclass(frozen=True)
class Workspace:
    """The folders of one run. out : where the output goes."""

    out: Path

    @property
    def folder(self) -> Path:
        return self.out / WORK

    @property
    def inputs(self) -> Path:
        """Joined tiles and arrays written to disk."""
        return self.folder / "inputs"

    @property
    def pieces(self) -> Path:
        """Shards and the journal."""
        return self.folder / "pieces"

    @property
    def finished(self) -> Path:
        """Where outputs are gathered before they take their place together."""
        return self.folder / "finished"

    @property
    def begun(self) -> bool:
        """Whether there is work of a run that did not end."""
        return (self.folder / _IDENTITY).is_file()

    @property
    def holds_work(self) -> bool:
        """Whether anything here is finished: a piece in the journal, or outputs on the way to their place."""
        return self.begun and ((self.folder / PUBLISHING).exists() or any(self.pieces.glob("*.npz")))

    @property
    def published(self) -> bool:
        """Whether every file is in its place; the manifest goes there last."""
        return (self.folder / PUBLISHING).exists() and not (self.finished / manifest.NAME).exists()

    def begin(self, identity: Mapping[str, str], fresh: bool = False) -> bool:
        """Start, or go on with what lies here; True when there is earlier work of this very run.

        identity : everything that decides about the result, by what people call it. fresh : throw earlier work away. Work of
        which no piece was finished is nothing to go on with, and in nobody's way.
        Raises InputError when the earlier work was made otherwise, saying in what.
        """
        going_on = self.holds_work and not fresh
        if going_on and (changed := self._changed(identity)):
            # Bad input must be mended before it is of use, and then the input is another.
            if not (self.folder / _REFUSED).exists():
                raise _OtherRunError(
                    f"{self.out}: an unfinished run lies here that was made otherwise ({_told(changed)}); put back what it "
                    "was made from, start afresh with --fresh, or choose another --out"
                )
            going_on = False
        _remove(self.folder / _REFUSED)
        if self.begun and (self.folder / PUBLISHING).exists():
            _recall(self.finished, self.out)
            (self.folder / PUBLISHING).unlink()
        if not going_on:
            for path in (self.folder / _IDENTITY, self.pieces, self.finished):
                _remove(path)
        for path in (self.pieces, self.finished):
            path.mkdir(exist_ok=True)
        for path in self.pieces.glob("*.tmp-*"):  # of workers that were killed as they wrote
            _remove(path)
        with atomic_path(self.folder / _IDENTITY) as temporary:
            temporary.write_text(json.dumps(dict(identity), indent=1, ensure_ascii=False), encoding="utf-8")
        return going_on

    def forget(self) -> None:
        """Throw away what was computed: it is of no use."""
        _remove(self.folder / _IDENTITY)

    def _changed(self, identity: Mapping[str, str]) -> list[str]:
        """In what the work that lies here was made otherwise."""
        try:
            earlier = json.loads((self.folder / _IDENTITY).read_text(encoding="utf-8"))
        except ValueError:
            earlier = {}
        keys = [k for k in {**earlier, **identity} if earlier.get(k) != identity.get(k)]
        return [f"{k} was {earlier.get(k, 'not there')} and is {identity.get(k, 'not there')}" for k in keys]

    def publish(self) -> None:
        """Move finished files to their place, the manifest last: a folder with a manifest holds a whole run."""
        (self.folder / PUBLISHING).touch()
        replaced = self.folder / _REPLACED
        if (self.out / manifest.NAME).is_file():
            (self.out / manifest.NAME).replace(replaced)
        files = [p for p in sorted(self.finished.rglob("*")) if p.is_file() and p.name != manifest.NAME]
        if replaced.is_file():
            _clear(self.out, replaced)
        for path in (*files, self.finished / manifest.NAME):
            final = self.out / path.relative_to(self.finished)
            final.parent.mkdir(parents=True, exist_ok=True)
            path.replace(final)


@contextmanager
def workspace(out: Path) -> Iterator[Workspace]:
    """The work folder of a run, of which no other process makes use; gone when the run was published.

    What was computed is kept when the run ends otherwise; a folder in which nothing was finished is removed. Raises
    InputError when another run is at work here.
    """
    here, gone = Workspace(out), out / (WORK + ".gone")
    with _alone(out):
        _remove(gone)
        here.inputs.mkdir(parents=True, exist_ok=True)
        try:
            yield here
        except InputError as error:
            if here.begun and not isinstance(error, _OtherRunError):
                (here.folder / _REFUSED).touch()
            raise
        finally:
            if not here.holds_work or here.published:
                # In one step: half a work folder beside a whole run would look like work to go on with.
                here.folder.rename(gone)
                _remove(gone)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other runs out of this folder as long as this process lives."""
    path = out / (WORK + ".lock")
    lock = filelock.FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(f"{out}: another run is writing here; wait for it, or choose another --out") from None
    except (NotImplementedError, OSError) as error:  # a shared disk without locks
        log.info("%s cannot be locked (%s): see that no other run writes here", out, error)
    try:
        yield
    finally:
        _remove(path)
        lock.release()


@contextmanager
def log_file(out: Path, going_on: bool = False) -> Iterator[None]:
    """``run.log``; a run that goes on writes on where the earlier one stopped."""
    handler = logging.FileHandler(out / "run.log", mode="a" if going_on else "w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    screen = logging.StreamHandler()
    screen.addFilter(lambda record: record.levelno == logging.WARNING)  # errors are told by who catches them
    screen.setFormatter(logging.Formatter("sinks: %(message)s"))
    for each in (handler, screen):
        log.addHandler(each)
    log.setLevel(logging.INFO)
    try:
        yield
        log.info("done; at most %.0f MiB of memory were held here", peak_memory() / 2**20)
    except BaseException as error:
        log.error("%s", str(error) or type(error).__name__)
        raise
    finally:
        log.removeHandler(screen)
        log.removeHandler(handler)
        handler.close()


def _recall(stage: Path, out: Path) -> None:
    """Take back files that were moved to their place before the run was killed in the midst of it."""
    source = stage if (stage / manifest.NAME).is_file() else out
    try:
        about = manifest.read(source)
    except InputError:  # gone or damaged: all is made anew, and takes the place of what lies there
        return
    for name in about.get("outputs", {}):
        moved = out / name
        if not (stage / name).exists() and moved.is_file() and not manifest.damaged(out, about, [name]):
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            moved.replace(stage / name)
    (source / manifest.NAME).unlink()


def _clear(out: Path, earlier: Path) -> None:
    """Remove the outputs of an earlier run, by its manifest."""
    try:
        outputs = json.loads(earlier.read_text(encoding="utf-8"))["outputs"]
    except (ValueError, KeyError, TypeError):
        return
    for name in outputs if isinstance(outputs, dict) else ():
        path = out / name
        if path.resolve().is_relative_to(out.resolve()):
            path.unlink(missing_ok=True)
            if path.parent != out:  # of a map in shards, the folder of them goes with the last
                with suppress(OSError):
                    path.parent.rmdir()


def _told(changed: list[str]) -> str:
    return "; ".join(changed[:_SHOWN]) + (f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
