"""How a pixel's categories are packed into one stratum code, and what a code stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from sinks.ecosystems.forest import TREES_OUTSIDE
from sinks.plug import Cover, Stratum

NODATA: Final = Cover("nodata")
UNKNOWN: Final = Cover("unknown")
"""What is no ecosystem: the map has no value here, or the legend does not know the value."""

NOT_COUNTED_SUBCLASSES: Final = ("other_forest_land", "open_forest", "young_forest")
"""Forest land that the survey itself does not call forest: cut-over, nursery, open or young stands."""

COUNTED, BELOW_CANOPY, SMALL_PATCH = "counted", "below_canopy", "small_patch"
TREE_STATES: Final = (COUNTED, BELOW_CANOPY, SMALL_PATCH)
"""Whether a forest pixel counts as forest: open or small stands are trees outside forest."""


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
        below = int(np.prod([len(d.labels) for d in self.dimensions], dtype=np.int64)) << len(self.terms)
        return self.covers[int(code) // below]

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
        return Stratum(cover=cover, present=self.present(code), **fields)


_MOST: Final = 1 << 16
"""Codes are renumbered before there can be more: the survey of a block holds a table of regions × codes."""


@dataclass(frozen=True)
class Packed:
    """The stratum of every pixel of a block.

    code : int32 (h, w), small numbers that mean something in this block only; prefix : what the numbers stood for when
    they were last renumbered, None if never; span : how many numbers each of these has become since.
    """

    code: NDArray[np.int32]
    prefix: NDArray[np.int64] | None = None
    span: int = 1

    def meaning(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """The run's stratum code of each of this block's numbers."""
        wide = np.asarray(numbers, np.int64)
        return wide if self.prefix is None else self.prefix[wide // self.span] * self.span + wide % self.span


def pack(categories: Sequence[NDArray[np.uint8]], radices: Sequence[int], terms: NDArray[np.float32]) -> Packed:
    """The stratum of every pixel: mixed radix of its categories, then one bit per term that has a value.

    categories : one uint8 (h, w) or broadcastable each, below its radix, the cover first;
    terms : float32 (terms, h, w), NaN where absent.
    """
    packed, size = Packed(np.array(categories[0], dtype=np.int32)), int(radices[0])
    for category, radix in zip(categories[1:], radices[1:], strict=True):
        packed, size = _room_for(packed, size, radix)
        code = packed.code
        code *= np.int32(radix)
        code += category
    for term in terms:
        packed, size = _room_for(packed, size, 2)
        _add_presence(packed.code, term)
    return packed


def _room_for(packed: Packed, size: int, radix: int) -> tuple[Packed, int]:
    """The same, ready to have every number split in ``radix``: renumbered first where there would be too many."""
    if size * radix <= _MOST:
        return Packed(packed.code, packed.prefix, packed.span * radix), size * radix
    here = np.flatnonzero(_seen(packed.code, size))
    numbers = np.zeros(size, np.int32)
    numbers[here] = np.arange(here.size, dtype=np.int32)
    _renumber(packed.code, numbers)
    return Packed(packed.code, packed.meaning(here), radix), here.size * radix


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
