"""How a pixel's categories are packed into one stratum code, and what a code stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from sinks.ecosystems.forest import TREES_OUTSIDE
from sinks.lattice import Lattice, Stack
from sinks.plug import Cover, Stratum

NODATA: Final = Cover("nodata")
UNKNOWN: Final = Cover("unknown")
"""What is no ecosystem: the map has no value here, or the legend does not know the value."""

NOT_COUNTED_SUBCLASSES: Final = ("other_forest_land", "open_forest", "young_forest")
"""Forest land that the survey itself does not call forest: cut-over, nursery, open or young stands."""

COUNTED, BELOW_CANOPY, SMALL_PATCH = "counted", "below_canopy", "small_patch"
TREE_STATES: Final = (COUNTED, BELOW_CANOPY, SMALL_PATCH)
"""Whether a forest pixel counts as forest: open or small stands are trees outside forest."""


BEFORE: Final = "before"
"""The dimension of the cover at an earlier epoch: ecosystem/forest_type/subclass/code, blank where the class is the same."""

OVERLAYS: Final = ("karst", "permafrost", "black_soil")
"""What crosses ecosystems: a dimension of its own with the labels blank and its name."""


@dataclass(frozen=True)
class Dimension:
    """One category of a stratum: name, and the label of each of its values 0, 1, …"""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Coding:
    """The categories and terms of a run, in the order in which ``sinks.onepass.codes`` packs them.

    covers : what each value of the first category stands for; dimensions : the further categories, "tree" or fields of
    ``Stratum``; terms : layers that enter as values, the biomass layer first.
    """

    covers: tuple[Cover, ...]
    dimensions: tuple[Dimension, ...]
    terms: tuple[str, ...]

    @property
    def radices(self) -> tuple[int, ...]:
        return (len(self.covers), *(len(d.labels) for d in self.dimensions))

    def labels(self, code: int) -> dict[str, str]:
        """Labels of the further categories of a code."""
        rest = int(code) >> len(self.terms)
        found = {}
        for dimension in reversed(self.dimensions):
            rest, at = divmod(rest, len(dimension.labels))
            found[dimension.name] = dimension.labels[at]
        return found

    def cover(self, code: int) -> Cover:
        """The cover of a code as the legend has it."""
        return self.covers[int(self.cover_places(np.asarray(code)))]

    def cover_places(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place in ``covers`` of the cover of each code."""
        below = int(np.prod([len(d.labels) for d in self.dimensions], dtype=np.int64)) << len(self.terms)
        return codes // below

    def present(self, code: int) -> frozenset[str]:
        """Names of the terms that have a value in this stratum."""
        n = len(self.terms)
        return frozenset(t for i, t in enumerate(self.terms) if int(code) >> (n - 1 - i) & 1)

    def stratum(self, code: int) -> Stratum:
        """What a code stands for; a forest pixel that does not count as forest becomes trees outside forest."""
        labels, cover = self.labels(code), self.cover(code)
        uncounted = labels.get("tree", COUNTED) != COUNTED or cover.subclass in NOT_COUNTED_SUBCLASSES
        if cover.ecosystem == "forest" and uncounted:
            cover = replace(cover, ecosystem=TREES_OUTSIDE)
        fields: dict[str, Any] = {name: label for name, label in labels.items() if name != "tree"}
        fields |= {name: labels[name] == name for name in OVERLAYS if name in labels}
        if BEFORE in labels:
            fields[BEFORE] = Cover(*labels[BEFORE].split("/")) if labels[BEFORE] else None
        return Stratum(cover=cover, present=self.present(code), **fields)


_MOST: Final = 1 << 16
"""Codes are renumbered before there can be more: the survey of a block holds a table of regions × codes."""


@dataclass(frozen=True)
class Packed:
    """The stratum of every pixel of a block.

    code : int32 (h, w), small numbers that mean something in this block only; prefix : what the numbers stood for when
    they were last renumbered, None if never; span : how many numbers each of these has become since; occurs : which numbers
    there are, None where that was not looked at.
    """

    code: NDArray[np.int32]
    prefix: NDArray[np.int64] | None = None
    span: int = 1
    occurs: NDArray[np.bool_] | None = None

    def which(self) -> NDArray[np.bool_]:
        """Which numbers occur, at least up to the largest."""
        return _occurring(self.code) if self.occurs is None else self.occurs

    def meaning(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """The run's stratum code of each of this block's numbers."""
        wide = np.asarray(numbers, np.int64)
        return wide if self.prefix is None else self.prefix[wide // self.span] * self.span + wide % self.span


def before_dimension(covers: Sequence[Cover]) -> Dimension:
    """The dimension of what a pixel was, by place among these covers; blank for no data and unknown."""
    names = ["/".join((c.ecosystem, c.forest_type, c.subclass, c.code)) for c in covers]
    return Dimension(BEFORE, tuple("" if c in (NODATA, UNKNOWN) else n for c, n in zip(covers, names, strict=True)))


def pack(
    outer: Sequence[NDArray[np.uint8]], inner: Sequence[NDArray[np.uint8]], radices: Sequence[int], terms: Stack
) -> Packed:
    """The stratum of every pixel: mixed radix of its categories, then one bit per term that has a value; 0 for no cover,
    whatever else is known there, so that a place without land cover need not be looked at further.

    outer : uint8 (h, w), the cover first; inner : the further categories, uint8 on the lattice of the terms, or
    broadcastable to it; radices : what each category is below, in this order; terms : NaN where absent.
    """
    split, n, fine = len(outer), len(terms), len(terms.fine_at)
    below = _pack_lattice(inner, radices[split:], terms)
    here, numbers = _numbered(below.code)
    lattice = terms.lattice
    more = np.asarray(radices[1:split], np.int32)
    first = tuple(np.ascontiguousarray(category) for category in outer)
    split_in = here.size << fine
    size = int(np.prod(radices[:split], dtype=np.int64)) * split_in
    occurs = np.zeros(size if size <= _MOST else 0, np.bool_)
    code = _combine(first, more, numbers[below.code], lattice.rows, lattice.cols, terms.fine, here.size, occurs)
    if size > _MOST:
        found, numbers = _numbered(code)
        _renumber(code, numbers)
        occurs = np.ones(found.size, np.bool_)
    else:
        found = np.arange(size)
    meanings = found // split_in * (int(np.prod(radices[split:], dtype=np.int64)) << n)
    meanings += below.meaning(here)[found % split_in >> fine]
    for k, at in enumerate(terms.fine_at):
        meanings += (found >> (fine - 1 - k) & 1) << (n - 1 - at)
    lies_in = found // (split_in * int(np.prod(radices[1:split], dtype=np.int64)))
    return Packed(code, np.where(lies_in == 0, 0, meanings), occurs=occurs)


def pack_nothing(cover: NDArray[np.uint8], terms: int) -> tuple[Packed, Stack]:
    """What ``pack`` finds where no pixel of this block has a land cover, and that many terms without a value."""
    height, width = cover.shape
    nowhere = Lattice(np.zeros(height, np.int64), np.zeros(width, np.int64))
    none = np.full((terms, 1, 1), np.nan, np.float32)
    stack = Stack(np.zeros((0, height, width), np.float32), none, nowhere, (), tuple(range(terms)))
    return Packed(np.zeros((height, width), np.int32), np.zeros(1, np.int64), occurs=np.ones(1, np.bool_)), stack


def _pack_lattice(inner: Sequence[NDArray[np.uint8]], radices: Sequence[int], terms: Stack) -> Packed:
    """The same of what is held on the lattice; the bits of other terms are 0."""
    packed, size = Packed(np.zeros(terms.lattice.shape, np.int32)), 1
    for category, radix in zip(inner, radices, strict=True):
        packed, size = _room_for(packed, size, radix)
        code = packed.code
        code *= np.int32(radix)
        code += category
    for at in range(len(terms)):
        packed, size = _room_for(packed, size, 2)
        if at in terms.coarse_at:
            _add_presence(packed.code, terms.held(at))
        else:
            np.multiply(packed.code, 2, out=packed.code)
    return packed


def number(first: NDArray[np.int32], more: Sequence[NDArray[np.uint8]], radices: Sequence[int]) -> Packed:
    """Combinations of several categories in small numbers. first : int32 (h, w), 0 … a few thousand; more : uint8 (h, w);
    radices : what each of these is below. The meaning of a number is their mixed radix, the first the highest."""
    packed, size = Packed(first), int(first.max(initial=0)) + 1
    for category, radix in zip(more, radices, strict=True):
        packed, size = _room_for(packed, size, radix)
        packed.code[...] = packed.code * np.int32(radix) + category
    here, numbers = _numbered(packed.code)
    _renumber(packed.code, numbers)
    return Packed(packed.code, packed.meaning(here))


def _room_for(packed: Packed, size: int, radix: int) -> tuple[Packed, int]:
    """The same, ready to have every number split in ``radix``: renumbered first where there would be too many."""
    if size * radix <= _MOST:
        return Packed(packed.code, packed.prefix, packed.span * radix), size * radix
    here, numbers = _numbered(packed.code)
    _renumber(packed.code, numbers)
    return Packed(packed.code, packed.meaning(here), radix), here.size * radix


def _numbered(code: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The numbers that occur, rising, and the place of every number among them."""
    seen = _occurring(code)
    here = np.flatnonzero(seen)
    numbers = np.zeros(seen.size, np.int32)
    numbers[here] = np.arange(here.size, dtype=np.int32)
    return here, numbers


def _occurring(code: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which numbers occur, up to the largest."""
    return _seen(code, int(code.max(initial=0)) + 1)


@numba.njit(nogil=True, cache=True)
def _seen(code: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Which numbers occur."""
    seen = np.zeros(size, np.bool_)
    for i in range(code.shape[0]):
        for j in range(code.shape[1]):
            seen[code[i, j]] = True
    return seen


@numba.njit(nogil=True, cache=True)
def _renumber(code: NDArray[np.int32], numbers: NDArray[np.int32]) -> None:
    for i in range(code.shape[0]):
        for j in range(code.shape[1]):
            code[i, j] = numbers[code[i, j]]


@numba.njit(nogil=True, cache=True)
def _add_presence(code: NDArray[np.int32], term: NDArray[np.float32]) -> None:
    """One more bit: whether the term has a value."""
    for i in range(code.shape[0]):
        for j in range(code.shape[1]):
            x = term[i, j]
            code[i, j] = 2 * code[i, j] + (x == x)


@numba.njit(nogil=True, cache=True)
def _combine(
    outer: tuple[NDArray[np.uint8], ...],
    radices: NDArray[np.int32],
    inner: NDArray[np.int32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    fine: NDArray[np.float32],
    radix: int,
    occurs: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Mixed radix of the outer categories, split by what lies on the lattice and by which fine terms have a value.

    radices : what each outer category but the first is below; radix : the same of ``inner``; occurs : is told which numbers there
    are, unless it is empty. Row by row, in loops that compile to vector code.
    """
    height, width = outer[0].shape
    code = np.empty((height, width), np.int32)
    one_column = inner.shape[1] == 1
    for i in range(height):
        line, first = code[i], outer[0][i]
        for j in range(line.size):
            line[j] = first[j]
        for m in range(1, len(outer)):
            category, below = outer[m][i], radices[m - 1]
            for j in range(line.size):
                line[j] = line[j] * below + category[j]
        held = inner[rows[i]]
        if one_column:
            for j in range(line.size):
                line[j] = line[j] * np.int32(radix) + held[0]
        else:
            for j in range(line.size):
                line[j] = line[j] * np.int32(radix) + held[cols[j]]
        for m in range(fine.shape[0]):
            values = fine[m, i]
            for j in range(line.size):
                x = values[j]
                line[j] = 2 * line[j] + np.int32(x == x)
        if occurs.size:
            for j in range(line.size):
                occurs[np.uint32(line[j])] = True
    return code


def look_up(table: NDArray[Any], values: NDArray[np.integer], lowest: int) -> NDArray[Any]:
    """``table[value − lowest]`` of every value (h, w): far faster than indexing, which first widens them to 64 bits."""
    whole = values.dtype.newbyteorder("=")
    if lowest:  # numbers from 0 on, in the unsigned type of the same width
        unsigned = np.dtype(f"u{whole.itemsize}")
        return _look_up(
            table, values.astype(whole, copy=False).view(unsigned) - unsigned.type(lowest % (1 << 8 * whole.itemsize))
        )
    return _look_up(table, values)


@numba.njit(nogil=True, cache=True)
def _look_up(table: NDArray[Any], values: NDArray[np.integer]) -> NDArray[Any]:
    out = np.empty(values.shape, table.dtype)
    for i in range(values.shape[0]):
        line, row = out[i], values[i]
        for j in range(row.size):
            line[j] = table[row[j]]
    return out
