"""Small damage to the bytes of a file, as bad disks, broken transfers and ill will do it."""

from __future__ import annotations

import random
from typing import Final

_BYTES: Final = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x22, 0x2C, 0x3C, 0x3D)
_WORDS: Final = (
    b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x01\x00\x00\x00", b"\x00\x00\xc0\x7f",
    b"\x00\x00\x80\x7f", b"\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\xff\xff\xff\xff\xff\xff\xff\x7f",
)  # fmt: skip
"""Numbers at the edges of their types, NaN and infinity."""
_TEXTS: Final = (
    b"-1", b"0", b"1e309", b"NaN", b"inf", b"-inf", b"99999999999999999999", b"0,5", b"1.2.3", b"", b"=1+1", b"=cmd|' /C calc'!A0",
    b"\xb9\xfa", b"\xef\xbb\xbf", b"\x00", b'"', b"'", b"\r", b"\n\n", b"\t", b";", b"true", b"null", b"[]", b"{}", b"../../x",
    b"http://127.0.0.1:9/", b"/vsicurl/http://127.0.0.1:9/", b"/dev/zero", b"<", b"&#x0;", b"%s%n", b"total", b"2023.5", b"20233",
)  # fmt: skip
"""Words that are a number to some readers, or something else altogether."""


def mutated(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """``data`` with one to six changes. other : another file of the kind, of which parts are put in."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if found:
            rng.choice(_CHANGES)(found, rng, other)
    return bytes(found)


def _at(found: bytearray, rng: random.Random) -> int:
    """A place: half of them in the head, where a format keeps what it says of itself."""
    return rng.randrange(min(len(found), 512) if rng.random() < 0.5 else len(found))


def _bit(found: bytearray, rng: random.Random, other: bytes) -> None:
    found[_at(found, rng)] ^= 1 << rng.randrange(8)


def _byte(found: bytearray, rng: random.Random, other: bytes) -> None:
    found[_at(found, rng)] = rng.choice(_BYTES) if rng.random() < 0.5 else rng.randrange(256)


def _word(found: bytearray, rng: random.Random, other: bytes) -> None:
    word, at = rng.choice(_WORDS), _at(found, rng) & ~1
    found[at : at + len(word)] = word


def _text(found: bytearray, rng: random.Random, other: bytes) -> None:
    word, at = rng.choice(_TEXTS), _at(found, rng)
    found[at : at + rng.choice((0, 1, len(word)))] = word


def _cell(found: bytearray, rng: random.Random, other: bytes) -> None:
    """What stands between two separators becomes another word."""
    at = _at(found, rng)
    ends = [k for k in range(at, min(len(found), at + 200)) if found[k] in b",;\t\n\"'=<>"]
    starts = [k for k in range(at, max(-1, at - 200), -1) if found[k] in b",;\t\n\"'=<>"]
    if ends and starts and starts[0] < ends[0]:
        found[starts[0] + 1 : ends[0]] = rng.choice(_TEXTS)


def _cut(found: bytearray, rng: random.Random, other: bytes) -> None:
    del found[_at(found, rng) :]


def _gap(found: bytearray, rng: random.Random, other: bytes) -> None:
    at = _at(found, rng)
    del found[at : at + rng.choice((1, 2, 7, 64, 1000))]


def _zeros(found: bytearray, rng: random.Random, other: bytes) -> None:
    at, size = _at(found, rng), rng.choice((4, 64, 1000))
    found[at : at + size] = bytes(len(found[at : at + size]))


def _twice(found: bytearray, rng: random.Random, other: bytes) -> None:
    at, size = _at(found, rng), rng.choice((1, 8, 100, 2000))
    found[at:at] = found[at : at + size]


def _moved(found: bytearray, rng: random.Random, other: bytes) -> None:
    one, two, size = _at(found, rng), _at(found, rng), rng.choice((1, 4, 32))
    part = bytes(found[one : one + size])
    found[two : two + len(part)] = part


def _spliced(found: bytearray, rng: random.Random, other: bytes) -> None:
    if other:
        at, start, size = _at(found, rng), rng.randrange(len(other)), rng.choice((4, 32, 500))
        found[at : at + size] = other[start : start + size]


def _line(found: bytearray, rng: random.Random, other: bytes) -> None:
    """A line is lost, doubled or moved."""
    lines = bytes(found).splitlines(keepends=True)
    if len(lines) < 2:
        return
    k = rng.randrange(len(lines))
    line = lines.pop(k)
    for _ in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    found[:] = b"".join(lines)


_CHANGES: Final = (_bit, _byte, _byte, _word, _text, _cell, _cell, _cut, _gap, _zeros, _twice, _moved, _spliced, _line)
