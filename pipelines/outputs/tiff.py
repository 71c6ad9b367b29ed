"""The bones of a TIFF: directories of tags, and where the bytes of each tile lie. Little-endian, classic and BigTIFF.

GDAL encodes pixels and decides tags; this module only finds tile bytes and writes directories in front of them, so that
tiles that are already encoded can be gathered in one file. Layout of the result: GDAL manual, COG driver, "File format
details".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import RunError

NEW_SUBFILE_TYPE: Final = 254
WIDTH: Final = 256
HEIGHT: Final = 257
TILE_WIDTH: Final = 322
TILE_HEIGHT: Final = 323
TILE_OFFSETS: Final = 324
TILE_COUNTS: Final = 325

_BITS, _COMPRESSION, _SAMPLES, _PLANAR, _PREDICTOR, _SAMPLE_FORMAT = 258, 259, 277, 284, 317, 339
_CODING: Final = (_BITS, _COMPRESSION, _SAMPLES, _PLANAR, _PREDICTOR, _SAMPLE_FORMAT, TILE_WIDTH, TILE_HEIGHT)
"""Tags that say how the bytes of a tile become pixels; all left out of a file count as 1, the TIFF default."""

_ASCII, _SHORT, _LONG, _LONG8 = 2, 3, 4, 16
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS: Final = {1: "<u1", _SHORT: "<u2", _LONG: "<u4", _LONG8: "<u8"}

_GHOST_BODY: Final = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
GHOST: Final = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n%s" % (len(_GHOST_BODY), _GHOST_BODY)
"""What GDAL looks for behind the header to know that one read fetches a tile with its size."""

LEADER: Final = 4
TRAILER: Final = 4


class Tag(NamedTuple):
    """One entry of a directory: its code, TIFF type, number of values and their bytes."""

    code: int
    kind: int
    values: int
    raw: bytes


def number_tag(code: int, kind: int, values: Iterable[int] | NDArray[np.unsignedinteger]) -> Tag:
    """A tag of unsigned integers."""
    array = np.asarray(values if isinstance(values, np.ndarray) else list(values)).astype(_NUMBERS[kind])
    return Tag(code, kind, array.size, array.tobytes())


@dataclass(frozen=True)
class Directory:
    """One image of a TIFF: full resolution or an overview."""

    tags: dict[int, Tag]

    def numbers(self, code: int) -> NDArray[np.unsignedinteger]:
        """The values of a tag of unsigned integers; 1 when the tag is not there."""
        tag = self.tags.get(code)
        if tag is None:
            return np.ones(1, dtype=np.uint16)
        return np.frombuffer(tag.raw, dtype=_NUMBERS[tag.kind])

    @property
    def width(self) -> int:
        return int(self.numbers(WIDTH)[0])

    @property
    def height(self) -> int:
        return int(self.numbers(HEIGHT)[0])

    @property
    def shape_in_tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles; tiles at the right and bottom edge are padded to full size."""
        return (
            -(-self.height // int(self.numbers(TILE_HEIGHT)[0])),
            -(-self.width // int(self.numbers(TILE_WIDTH)[0])),
        )

    @property
    def coding(self) -> tuple[tuple[int, ...], ...]:
        """How bytes become pixels: tiles of two directories may be exchanged only when this is equal."""
        return tuple(tuple(int(v) for v in self.numbers(code)) for code in _CODING)

    @property
    def tiles(self) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Offset and byte count of every tile, row by row; both zero where no tile is stored."""
        return self.numbers(TILE_OFFSETS).astype(np.uint64), self.numbers(TILE_COUNTS).astype(np.uint32)


def read_directories(path: str | os.PathLike[str]) -> list[Directory]:
    """All directories of a little-endian tiled TIFF, in file order.

    Raises
    ------
    RunError
        The file is cut short (as a full disk leaves it), or is not such a TIFF.
    """
    path = Path(path)
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(16)
        if head[:4] == b"II*\0" and size >= 8:
            big, at = False, struct.unpack_from("<I", head, 4)[0]
        elif head[:8] == b"II+\0\x08\0\0\0" and size >= 16:
            big, at = True, struct.unpack_from("<Q", head, 8)[0]
        else:
            raise _broken(path)
        found = []
        while at:
            directory, at = _read_directory(stream, at, big, path)
            _check_whole(directory, size, path)
            found.append(directory)
    if not found:
        raise _broken(path)
    return found


def without_tiles(directory: Directory) -> tuple[Tag, ...]:
    """The tags of an image but those that say where its tiles lie."""
    return tuple(tag for code, tag in directory.tags.items() if code not in (TILE_OFFSETS, TILE_COUNTS))


def _read_directory(stream: BinaryIO, at: int, big: bool, path: Path) -> tuple[Directory, int]:
    entry, word, number = (20, "<Q", "<Q") if big else (12, "<I", "<H")
    inline = struct.calcsize(word)
    (entries,) = struct.unpack(number, _read(stream, at, struct.calcsize(number), path))
    body = _read(stream, at + struct.calcsize(number), entries * entry + inline, path)
    tags: dict[int, Tag] = {}
    for k in range(entries):
        code, kind = struct.unpack_from("<HH", body, k * entry)
        (count,) = struct.unpack_from(word, body, k * entry + 4)
        length = count * _SIZES[kind]
        place = k * entry + 4 + inline
        if length <= inline:
            raw = body[place : place + length]
        else:
            raw = _read(stream, struct.unpack_from(word, body, place)[0], length, path)
        tags[code] = Tag(code, kind, count, raw)
    return Directory(tags), struct.unpack_from(word, body, entries * entry)[0]


def _read(stream: BinaryIO, at: int, length: int, path: Path) -> bytes:
    stream.seek(at)
    data = stream.read(length)
    if len(data) != length:
        raise _broken(path)
    return data


def _check_whole(directory: Directory, size: int, path: Path) -> None:
    """GDAL may close a file on a full disk without a word: see that every tile lies inside it."""
    if TILE_OFFSETS not in directory.tags or TILE_COUNTS not in directory.tags:
        raise _broken(path)
    offsets, counts = directory.tiles
    rows, cols = directory.shape_in_tiles
    if not offsets.size == counts.size == rows * cols or int((offsets + counts).max()) > size:
        raise _broken(path)


def _broken(path: Path) -> RunError:
    return RunError(f"{path} is not a whole TIFF, as a full disk or a killed run leaves it; delete it and run again.")


def plan(directories: Sequence[Sequence[Tag]], counts: Sequence[NDArray[np.uint32]], big: bool) -> tuple[bytes, int]:
    """The head of a Cloud-Optimized GeoTIFF, everything in front of its tiles, and the size of the whole file.

    Parameters
    ----------
    directories
        Tags of each image, full resolution first, then overviews from large to small; without tile offsets and counts.
    counts
        Bytes of each tile of each image, row by row; zero where no tile is stored.
    big
        BigTIFF (8-byte offsets) or classic TIFF (files below 4 GiB).

    Returns
    -------
    head, size
        Tiles follow the head at once, the smallest overview first, each behind its size and before its last 4 bytes.
    """
    wide = 8 if big else 4
    ifd_at = _even((16 if big else 8) + len(GHOST))
    arrays_at = ifd_at
    for tags in directories:
        arrays_at += _even(_directory_size(tags, big))
    data_at = arrays_at + sum(_even(n.size * wide) + _even(n.size * 4) for n in counts)

    offsets: list[NDArray[np.uint64]] = []
    for n in reversed(counts):
        stored = n.astype(np.uint64) + (LEADER + TRAILER) * (n > 0)
        ends = data_at + np.cumsum(stored, dtype=np.uint64)
        offsets.insert(0, np.where(n > 0, ends - stored + LEADER, 0).astype(np.uint64))
        data_at = int(ends[-1])

    header = struct.pack("<2sHHHQ", b"II", 43, 8, 0, ifd_at) if big else struct.pack("<2sHI", b"II", 42, ifd_at)
    head, arrays = bytearray(_padded(header + GHOST)), bytearray()
    for k, (tags, n, at) in enumerate(zip(directories, counts, offsets, strict=True)):
        tiles = (number_tag(TILE_OFFSETS, _LONG8 if big else _LONG, at), number_tag(TILE_COUNTS, _LONG, n))
        last = k == len(directories) - 1
        following = 0 if last else len(head) + _even(_directory_size(tags, big))
        head += _padded(_directory(tags, tiles, len(head), following, arrays_at + len(arrays), big))
        for tag in tiles:
            arrays += _padded(tag.raw)
    return bytes(head + arrays), data_at


def _directory_size(tags: Sequence[Tag], big: bool) -> int:
    """Bytes of a directory with its values, and the two entries of the tile arrays, but not these arrays."""
    fixed, entry, inline = (16, 20, 8) if big else (6, 12, 4)
    return _even(fixed + entry * (len(tags) + 2)) + sum(_even(len(t.raw)) for t in tags if len(t.raw) > inline)


def _directory(tags: Sequence[Tag], tiles: Sequence[Tag], at: int, following: int, arrays_at: int, big: bool) -> bytes:
    word, number, inline = ("<Q", "<Q", 8) if big else ("<I", "<H", 4)
    entries, values = bytearray(), bytearray()
    values_at = at + _even((16 if big else 6) + (20 if big else 12) * (len(tags) + len(tiles)))
    for tag in sorted([*tags, *tiles]):
        entries += struct.pack("<HH", tag.code, tag.kind) + struct.pack(word, tag.values)
        if tag.code in (TILE_OFFSETS, TILE_COUNTS):
            place = arrays_at if tag.code == TILE_OFFSETS else arrays_at + _even(len(tiles[0].raw))
            outside = len(tag.raw) > inline
        else:
            place = values_at + len(values)
            outside = len(tag.raw) > inline
            values += _padded(tag.raw) if outside else b""
        entries += struct.pack(word, place) if outside else tag.raw.ljust(inline, b"\0")
    start = struct.pack(number, len(tags) + len(tiles)) + entries + struct.pack(word, following)
    return _padded(start) + bytes(values)


def framed(tile: bytes) -> bytes:
    """A tile as the ghost area promises it: size in front, last four bytes again behind."""
    return b"".join((struct.pack("<I", len(tile)), tile, tile[-TRAILER:]))


def is_framed(data: bytes, at: int, count: int) -> bool:
    """Whether the tile of ``count`` bytes at this place stands between its size and its last bytes, as `framed` makes it."""
    end = at + count
    return struct.unpack_from("<I", data, at - LEADER)[0] == count and (
        data[end : end + TRAILER] == data[end - TRAILER : end]
    )


def _even(size: int) -> int:
    return size + (size & 1)


def _padded(data: bytes | bytearray) -> bytes:
    return bytes(data) + b"\0" * (len(data) & 1)
