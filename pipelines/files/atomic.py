"""A file is there whole or not at all; and before a run starts, whether its output can be written."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipelines.errors import InputError, RunError

RUN_MARK: Final = "manifest.json"
"""A directory that holds this is the output of a finished run, and may be written over when asked."""
WORK: Final = ".work"
"""Folder of an output directory for the work of a run that is not finished."""
PUBLISHING: Final = "publishing"
"""File in it while finished outputs take their place."""
LEFTOVERS: Final = frozenset({"run.log", WORK, WORK + ".gone", WORK + ".lock"})
"""What a run that did not finish may leave; a directory with nothing else can be used as it is."""

_FULL: Final = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_DENIED: Final = "permission is denied"
_CLOSED: Final = {errno.EACCES: _DENIED, errno.EPERM: _DENIED, errno.EROFS: "the disk is read-only"}
_FREE_ENOUGH: Final = 1 << 20
"""GDAL and SQLite do not pass the system's error number on: below this many free bytes the disk counts as full,"""
_SAY_FULL: Final = ("no space left", "disk is full")
"""and so it does when they say so."""


@contextmanager
def atomic_path(final: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``final``, moved onto it when the body succeeds and removed when it fails.

    Parameters
    ----------
    final
        Where the file is to appear. A file already there stays readable until the move.

    Yields
    ------
    Path
        ``<final>.tmp-<pid>-<random>`` in the same directory, so that the move cannot cross disks.

    Raises
    ------
    RunError
        The disk is full or read-only, or permission is denied.
    """
    final = Path(final)
    temporary = final.with_name(f"{final.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield temporary
        os.replace(temporary, final)
    except (InputError, RunError):
        raise
    except Exception as error:
        told = disk_error(final, error)
        if told is None:
            raise
        raise told from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def disk_error(path: Path, error: Exception) -> RunError | None:
    """The sentence for a failed write of ``path``, or None when the disk is not the cause."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _CLOSED:
        return RunError(
            f"{path} cannot be written: {_CLOSED[number]}; make its directory writable or choose another with --out."
        )
    reason = _FULL.get(number) if number is not None else None
    said = any(words in str(error).lower() for words in _SAY_FULL)
    if reason is None and number is None and (said or _free(path) < _FREE_ENOUGH):
        reason = _FULL[errno.ENOSPC]
    if reason is None:
        return None
    return RunError(f"{path} cannot be written: {reason}; free some space or choose another disk with --out.")


def prepare_out_dir(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """Make the output directory of a run, or say why it cannot be used.

    Parameters
    ----------
    path
        The directory; made, with its parents, when it is not there.
    overwrite
        Accept a directory that holds an earlier run (it has a `RUN_MARK`). Nothing in it is removed here.

    Raises
    ------
    InputError
        It is a file, cannot be made or written, or is not empty.
    """
    out = Path(path).absolute()  # workers may stand in another directory
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = sorted(entry.name for entry in out.iterdir())
        with tempfile.TemporaryFile(dir=out):
            pass
    except FileExistsError as error:
        raise InputError(f"{out} is a file, but the output needs a directory; choose another with --out.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"{out} cannot be written ({reason}); make it writable or choose another directory with --out."
        ) from error
    if set(held) <= LEFTOVERS or (out / WORK / PUBLISHING).exists():  # empty, or the work of a run that did not end
        return out
    if RUN_MARK not in held:
        raise InputError(
            f"{out} is not empty (it holds {held[0]}) and is not an earlier run; choose a new directory with --out."
        )
    if not overwrite:
        raise InputError(f"{out} holds an earlier run; choose another directory with --out or give --overwrite.")
    return out


def require_space(path: str | os.PathLike[str], bytes_needed: int) -> None:
    """Fail early, rather than hours later with a full disk.

    Parameters
    ----------
    path
        A file or directory on the disk in question; it need not be there yet.
    bytes_needed
        What is about to be written [B].

    Raises
    ------
    RunError
        Less than that is free.
    """
    free = _free(Path(path))
    if free < bytes_needed:
        raise RunError(
            f"{path} needs {_size(bytes_needed)} and only {_size(free)} are free on its disk; "
            "free some space or choose another disk with --out."
        )


def _free(path: Path) -> int:
    """Free bytes on the disk of the nearest directory that is there."""
    place = path.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.1f} kB"
