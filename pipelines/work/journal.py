"""What a run has finished so far, on disk: one record a block, and the digest of every file it speaks of.

Results travel through the journal only, on one machine as on a cluster. So a result outlives the worker that found it, and
a run that died goes on with the blocks that are missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from pipelines.files import digest, record
from pipelines.files.digest import Digest

_NOTHING: Final[Mapping[Path, Digest]] = MappingProxyType({})


class Numbered(Protocol):
    """A piece of work with a number of its own."""

    @property
    def index(self) -> int: ...


@dataclass(frozen=True)
class Entry:
    """A result and the files that belong to it. digests : by file, its size and digest."""

    value: Any
    digests: Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Journal:
    """Records in a folder. kinds : the dataclasses that results are made of; files_of : the files of a result."""

    folder: Path
    kinds: tuple[type, ...]
    files_of: Callable[[Any], Iterable[Path]]

    def write(self, name: str, value: Any, known: Mapping[Path, Digest] = _NOTHING) -> None:
        """Keep a result; it counts from now on. known : digests that were told as the files were written."""
        digests = {os.path.relpath(p, self.folder): known.get(p) or digest.of(p) for p in self.files_of(value)}
        record.write(self._path(name), Entry(value, digests))

    def read(self, name: str) -> Any:
        """A result that is there. Raises record.DamagedError, and FileNotFoundError."""
        return self._entry(name).value

    def entry(self, name: str) -> tuple[Any, dict[Path, Digest]]:
        """A result that is there, and the digests of its files as they were written."""
        found = self._entry(name)
        return found.value, {Path(os.path.normpath(self.folder / f)): Digest(*d) for f, d in found.digests.items()}

    def holds(self, name: str, settled: Callable[[str], bool] = lambda file: False) -> bool:
        """Whether a result is there, whole, and with every file as it was written.

        settled : files that are no longer needed, by name.
        """
        try:
            entry = self._entry(name)
        except (record.DamagedError, FileNotFoundError):
            return False
        return all(settled(file) or self._same(file, tuple(known)) for file, known in entry.digests.items())

    def _same(self, file: str, known: tuple[Any, ...]) -> bool:
        path = self.folder / file
        try:
            return path.stat().st_size == known[0] and digest.of(path) == known
        except OSError:
            return False

    def _entry(self, name: str) -> Entry:
        found = record.read(self._path(name), {k.__name__: k for k in (Entry, *self.kinds)}, within=self.folder.parent)
        if not isinstance(found, Entry):
            raise record.DamagedError(f"{self._path(name)}: no entry of a journal")
        return found

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


@dataclass(frozen=True)
class Kept:
    """A task whose result goes into the journal; what comes back is the number of the piece of work.

    A class, so that it travels to workers with its task.
    """

    task: Callable[[Any], Any]
    journal: Journal = field()

    def __call__(self, item: Numbered) -> int:
        self.journal.write(_name(item.index), self.task(item))
        return item.index


def missing(journal: Journal, items: Sequence[Any], settled: Callable[[str], bool] = lambda file: False) -> list[Any]:
    """The pieces of work that are not done, or whose results are damaged."""
    return [item for item in items if not journal.holds(_name(item.index), settled)]


def results(journal: Journal, items: Iterable[Numbered], digests: dict[Path, Digest]) -> Iterator[Any]:
    """The results of all these, in their order; the digests of their files go into ``digests``."""
    for item in items:
        value, own = journal.entry(_name(item.index))
        digests |= own
        yield value


def _name(index: int) -> str:
    return f"block-{index}"
