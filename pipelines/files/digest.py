"""Size and SHA-256 of a file: of one that is there, and of one as it is written, without reading it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

_PIECE: Final = 1 << 20
"""Bytes gathered before they are written and hashed: small pieces would cost more to hand over than to hash."""


class Digest(NamedTuple):
    """What tells whether a file is as it was: its size in bytes and its SHA-256."""

    bytes: int
    sha256: str

    def told(self) -> dict[str, Any]:
        """As a manifest tells it."""
        return {"bytes": self.bytes, "sha256": self.sha256}


def of(path: Path) -> Digest:
    """Of a file that is there."""
    with path.open("rb", buffering=0) as stream:
        found = hashlib.file_digest(stream, "sha256")
        return Digest(stream.tell(), found.hexdigest())


class Writer:
    """A file that is written from front to end, hashed by a thread beside: the digest is there when the file is."""

    def __init__(self, stream: BinaryIO, pool: ThreadPoolExecutor) -> None:
        self._stream, self._pool = stream, pool
        self._hash, self._bytes = hashlib.sha256(), 0
        self._waiting: list[bytes] = []
        self._size = 0
        self._hashed: Future[None] | None = None

    def write(self, data: bytes) -> None:
        """Add to the end."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            self._pass_on()

    def digest(self) -> Digest:
        """Of all that was written; nothing may be written after it."""
        self._pass_on()
        self._wait()
        return Digest(self._bytes, self._hash.hexdigest())

    def _pass_on(self) -> None:
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._bytes += self._size
        self._size = 0
        self._wait()  # one piece is hashed while the next is read and written, so that no more than two are in memory
        self._hashed = self._pool.submit(self._hash.update, data)
        self._stream.write(data)

    def _wait(self) -> None:
        if self._hashed is not None:
            self._hashed.result()


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new file to write."""
    # Buffered, because a system may take less than it is given at once.
    with ThreadPoolExecutor(1) as pool, path.open("wb") as stream:
        yield Writer(stream, pool)
