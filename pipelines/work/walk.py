"""The long part of a run: every block worked on once, its results added up, its shards joined in maps.

All of it can be interrupted at any moment: what is in the journal is not done again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pipelines.errors import RunError
from pipelines.files import manifest, record
from pipelines.files.digest import Digest
from pipelines.files.runmaps import SHARDS, WHOLE
from pipelines.inputs.grid import Block, Grid
from pipelines.outputs import maps, mapstats, shardmap, stac, stacblocks
from pipelines.outputs.maps import Shard
from pipelines.outputs.mosaic import HalfShard
from pipelines.work import graph, heap, journal
from pipelines.work.cluster import Workers
from pipelines.work.progress import Progress
from pipelines.work.workspace import Workspace

log = logging.getLogger("sinks")

FAN_IN: Final = 64
"""Partial results merged at once; small merges keep memory flat."""


class _Partial(Protocol):
    @property
    def shards(self) -> Mapping[str, tuple[Shard, ...]]: ...


P = TypeVar("P", bound=_Partial)


@dataclass(frozen=True)
class _Finished:
    """A map that is done, with its sidecars.

    moves : shards that are part of it, from where they were made to where they belong. It is noted before they are moved, for
    a run that dies between two of them.
    """

    files: tuple[Path, ...]
    moves: tuple[tuple[Path, Path], ...] = ()

    def settle(self) -> None:
        """Move what is not yet in its place."""
        for made, place in self.moves:
            if made.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                made.replace(place)


@dataclass(frozen=True)
class _Task:
    """The function of one block on whatever machine; refuses to mix results of differing software."""

    kept: journal.Kept
    versions: Mapping[str, str]

    def __call__(self, block: Block) -> int:
        heap.keep_freed()
        here = manifest.versions()
        if other := [f"{k} {v} (here {here.get(k)})" for k, v in self.versions.items() if here.get(k) != v]:
            raise RunError(f"a worker has other software than this machine: {', '.join(other)}; make them alike")
        return self.kept(block)


@dataclass(frozen=True)
class Walk:
    """The walk over one grid in one work folder.

    kinds : the dataclasses of which partial results are made; workers : where blocks are done; specs : the maps;
    threads : of this machine, for joining maps; layout : of the maps.
    """

    work: Workspace
    grid: Grid
    blocks: Sequence[Block]
    specs: Sequence[maps.MapSpec]
    kinds: tuple[type, ...]
    workers: Workers
    threads: int
    quiet: bool = False
    layout: str = WHOLE

    def sums(self, task: Callable[[Block], P], merge: Callable[[Sequence[P]], P]) -> P:
        """The merge of the results of all blocks, in the order of the blocks; the missing ones are worked on first."""
        left = journal.missing(self._journal, self.blocks, self._settled)
        if done := len(self.blocks) - len(left):
            log.info("%d of %d blocks were done by an earlier start", done, len(self.blocks))
        pixels = sum(b.height * b.width for b in left)
        bar = Progress("blocks", len(left), pixels, self.quiet, offset=done)
        graph.run(left, _Task(journal.Kept(task, self._journal), manifest.versions()), self.workers, bar.update)
        bar.close()
        return _added(journal.results(self._journal, self.blocks, self._of_shards), merge)

    def maps(self, shards: Mapping[str, tuple[Shard, ...]], tags: Mapping[str, str]) -> dict[str, Path]:
        """What a reader opens of each map, in the stage; shards of a map are moved or removed as soon as it is whole."""
        folder = self.work.finished / "maps"
        folder.mkdir(parents=True, exist_ok=True)
        left = [spec for spec in self.specs if spec.name not in self._maps_done]
        each = max(1, self.threads // max(len(left), 1))

        def finish(spec: maps.MapSpec) -> None:
            own = shards.get(spec.name, ())
            told = replace(spec, tags={**spec.tags, **tags})
            if self.layout == SHARDS:
                done = shardmap.finish_map(told, self.grid, own, folder, self._of_shards, threads=each)
            else:
                done = maps.finish_map(told, self.grid, own, folder, threads=each)
            noted = _Finished(tuple(done.files), done.moves)
            self._journal.write(_of_map(spec), noted, done.files)
            noted.settle()
            for file in maps.shard_files({spec.name: own}):
                file.unlink(missing_ok=True)

        bar = Progress("maps", len(left), 0, self.quiet)
        graph.run(left, finish, Workers(self.threads), bar.update)
        bar.close()
        ending = "vrt" if self.layout == SHARDS else "tif"
        return {spec.name: folder / f"{spec.name}.{ending}" for spec in self.specs}

    def sign(
        self, about: Mapping[str, Any], shards: Mapping[str, tuple[Shard, ...]], finish: Callable[[Path], None] | None
    ) -> None:
        """The manifest of all that lies in the stage, and what follows it: ``finish``, and the STAC items."""
        blocks = stacblocks.of_shards(shards) if self.layout == SHARDS else None
        manifest.write(self.work.finished, about, stac.finishing(finish, blocks=blocks), self._digests())

    def _digests(self) -> dict[str, Digest]:
        """Of every file of the maps, by its name in the stage, once they are there."""
        found = {path: known for spec in self.specs for path, known in self._journal.entry(_of_map(spec))[1].items()}
        return {str(path.relative_to(self.work.finished)): known for path, known in found.items()}

    def clear_stage(self) -> None:
        """Remove from the stage all but the maps that are done: what else is there may be half written."""
        kept = {p.resolve() for files in self._maps_done.values() for p in files}
        for path in sorted(self.work.finished.rglob("*"), reverse=True):
            if path.is_dir() and not any(k.is_relative_to(path.resolve()) for k in kept):
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file() and path.resolve() not in kept:
                path.unlink(missing_ok=True)

    @cached_property
    def _journal(self) -> journal.Journal:
        own = (HalfShard, mapstats.Histogram, mapstats.MapStats, Shard, _Finished)
        return journal.Journal(self.work.pieces, (*self.kinds, *own), _files)

    @cached_property
    def _of_shards(self) -> dict[Path, Digest]:
        """Digests of the shards, as they were written."""
        return {}

    @cached_property
    def _maps_done(self) -> dict[str, tuple[Path, ...]]:
        for spec in self.specs:
            with suppress(record.DamagedError, FileNotFoundError):
                self._journal.read(_of_map(spec)).settle()
        found = (spec for spec in self.specs if self._journal.holds(_of_map(spec)))
        return {spec.name: self._journal.read(_of_map(spec)).files for spec in found}

    def _settled(self, file: str) -> bool:
        """Shards of maps that are done are no longer needed."""
        return file.partition(".")[0] in self._maps_done


def _files(value: Any) -> Iterable[Path]:
    return value.files if isinstance(value, _Finished) else maps.shard_files(value.shards)


def _of_map(spec: maps.MapSpec) -> str:
    return f"map-{spec.name}"


def _added(parts: Iterator[P], merge: Callable[[Sequence[P]], P]) -> P:
    waiting: list[P] = []
    for part in parts:
        waiting.append(part)
        if len(waiting) == FAN_IN:
            waiting = [merge(waiting)]
    return merge(waiting)
