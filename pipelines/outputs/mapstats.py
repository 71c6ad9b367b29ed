"""Statistics and histogram of a map's stored values, gathered block by block, the same to the last bit however it was cut."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from pipelines.outputs.encoding import TILE

BUCKETS: Final = 512
"""Most buckets of a histogram; one with more than half of them draws smoothly."""

_FINEST: Final = -30
"""Power of two of the narrowest bucket of a map of floats, about 1e-9: below all that such a map can tell."""

_TALLIED: Final = ("uint8", "uint16", "int16")
"""Types of so few values that every one of them is counted; all else follows from the counts, exactly."""


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each bucket; those of two parts of a map add up to that of both, in any order.

    Buckets are 2**power wide and begin at a multiple of that, so a wider bucket holds whole narrower ones. power is the
    smallest with which the values fit into ``BUCKETS``: it depends on the least and the largest value alone.

    first : number of the first bucket, which begins at first × 2**power; counts : from there to the bucket of the largest.
    """

    power: int = 0
    first: int = 0
    counts: tuple[int, ...] = ()

    def __add__(self, other: Histogram) -> Histogram:
        if not (self.counts and other.counts):
            return self if self.counts else other
        power = max(self.power, other.power)
        while True:
            one, two = self._at(power), other._at(power)
            first = min(one.first, two.first)
            size = max(part.first + len(part.counts) for part in (one, two)) - first
            if size <= BUCKETS:
                break
            power += 1
        counts = np.zeros(size, np.int64)
        for part in (one, two):
            counts[part.first - first : part.first - first + len(part.counts)] += np.array(part.counts, np.int64)
        return Histogram(power, first, tuple(counts.tolist()))

    def _at(self, power: int) -> Histogram:
        """The same in buckets of at least its own width."""
        if power == self.power:
            return self
        step = power - self.power
        places = (self.first + np.arange(len(self.counts), dtype=object)) >> step
        counts = np.zeros(int(places[-1]) - int(places[0]) + 1, np.int64)
        np.add.at(counts, (places - places[0]).astype(np.int64), np.array(self.counts, np.int64))
        return Histogram(power, int(places[0]), tuple(counts.tolist()))

    @property
    def width(self) -> float:
        """Width of a bucket, in stored values."""
        return math.ldexp(1.0, self.power)

    def values(self) -> frozenset[int]:
        """The whole numbers that come, as far as buckets tell them apart."""
        wide = 1 << max(self.power, 0)
        hit = [self.first + k for k, n in enumerate(self.counts) if n]
        return frozenset(v for b in hit for v in range(b * wide, (b + 1) * wide))

    def quantile(self, share: float) -> float:
        """The stored value below which this share of all lies, as if values were spread evenly within a bucket."""
        below = np.concatenate(([0], np.cumsum(self.counts)))
        place = float(np.interp(share * float(below[-1]), below, np.arange(below.size)))
        return (self.first + place) * self.width

    @classmethod
    def of_counts(cls, lowest: int, counts: NDArray[np.int64]) -> Histogram:
        """Of whole numbers, from how often each of them comes; lowest : the number of the first count."""
        there = np.flatnonzero(counts)
        if not there.size:
            return cls()
        first, last = int(there[0]), int(there[-1])
        power = _power(lowest + first, lowest + last, 0)
        fine = cls(0, lowest + first, tuple(counts[first : last + 1].tolist()))
        return fine._at(power)

    @classmethod
    def of_values(cls, array: NDArray[Any], nodata: float, low: float, high: float) -> Histogram:
        """Of any numbers, of which the least and the largest are known."""
        power = _power(low, high, _FINEST if array.dtype.kind == "f" else 0)
        first, last = (math.floor(math.ldexp(v, -power)) for v in (low, high))
        counts = _binned(array, array.dtype.type(nodata), math.ldexp(1.0, -power), float(first), last - first + 1)
        return cls(power, first, tuple(counts.tolist()))


def _power(low: float, high: float, finest: int) -> int:
    """The smallest power of two of bucket widths with which these values take ``BUCKETS`` buckets or fewer."""
    power = max(finest, math.frexp(float(high) - float(low))[1] - BUCKETS.bit_length() - 1) if high > low else finest
    while math.floor(math.ldexp(high, -power)) - math.floor(math.ldexp(low, -power)) >= BUCKETS:
        power += 1
    return power


@dataclass(frozen=True)
class MapStats:
    """Statistics of stored values; those of two parts of a map add up to those of both, in any order, to the last bit.

    The sums of each tile are float64; between tiles they are added as fractions, which is exact. Tiles do not depend on
    how the grid was cut into blocks, so neither does the result.
    """

    pixels: int = 0
    valid: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)
    histogram: Histogram = Histogram()

    @classmethod
    def of(cls, array: NDArray[Any], nodata: float) -> MapStats:
        """Statistics of a block whose first pixel is the first of a tile."""
        if array.dtype.name in _TALLIED:
            return cls._of_counts(array, int(nodata))
        tiles = (
            _tile_stats(array, row, col, nodata)
            for row in range(0, array.shape[0], TILE)
            for col in range(0, array.shape[1], TILE)
        )
        found = merge_stats(tiles)
        if not found.valid:
            return found
        histogram = Histogram.of_values(array, nodata, found.minimum, found.maximum)
        return MapStats(
            found.pixels, found.valid, found.minimum, found.maximum, found.total, found.squares, histogram
        )  # fmt: skip

    @classmethod
    def _of_counts(cls, array: NDArray[Any], nodata: int) -> MapStats:
        kind = np.iinfo(array.dtype)
        counts = _tally(array, kind.min, kind.max - kind.min + 1)
        if kind.min <= nodata <= kind.max:
            counts[nodata - kind.min] = 0
        there = np.flatnonzero(counts)
        if not there.size:
            return cls(pixels=array.size)
        values, times = there + kind.min, counts[there]
        return cls(
            array.size, int(times.sum()), float(values[0]), float(values[-1]), Fraction(int(values @ times)),
            Fraction(int((values * values) @ times)), Histogram.of_counts(int(kind.min), counts),
        )  # fmt: skip

    def __add__(self, other: MapStats) -> MapStats:
        return MapStats(
            self.pixels + other.pixels,
            self.valid + other.valid,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.total + other.total,
            self.squares + other.squares,
            self.histogram + other.histogram,
        )

    @property
    def mean(self) -> float:
        """Mean of the valid pixels."""
        return float(self.total / self.valid) if self.valid else float("nan")

    @property
    def std(self) -> float:
        """Standard deviation of the valid pixels, as a population."""
        if not self.valid:
            return float("nan")
        return float(max(self.squares / self.valid - (self.total / self.valid) ** 2, Fraction(0))) ** 0.5

    def stretch(self, share: float = 0.02) -> tuple[float, float]:
        """The stored values between which to colour: all but a share at either end, so that extremes wash nothing out."""
        low, high = (self.histogram.quantile(s) for s in (share, 1 - share))
        if high - low <= self.histogram.width:  # nearly all lie in one bucket
            low, high = self.mean - 2 * self.std, self.mean + 2 * self.std
        return max(low, self.minimum), min(high, self.maximum)

    def tags(self) -> dict[str, str]:
        """The band metadata GDAL keeps statistics in, so that no program need compute them again."""
        share = {"STATISTICS_VALID_PERCENT": f"{100 * self.valid / self.pixels if self.pixels else 0:.4g}"}
        if not self.valid:
            return share
        numbers = {"MAXIMUM": self.maximum, "MEAN": self.mean, "MINIMUM": self.minimum, "STDDEV": self.std}
        return {f"STATISTICS_{key}": f"{value:.14g}" for key, value in numbers.items()} | share


def merge_stats(parts: Iterable[MapStats]) -> MapStats:
    """Statistics of all parts together."""
    return functools.reduce(MapStats.__add__, parts, MapStats())


def _tile_stats(array: NDArray[Any], row: int, col: int, nodata: float) -> MapStats:
    """Statistics of the tile whose first pixel this is."""
    height, width = min(TILE, array.shape[0] - row), min(TILE, array.shape[1] - col)
    count, low, high, total, squares = _summed(array, row, col, height, width, array.dtype.type(nodata))
    if not count:
        return MapStats(pixels=height * width)
    return MapStats(height * width, count, low, high, Fraction(total), Fraction(squares))


@numba.njit(nogil=True, cache=True)
def _summed(
    array: NDArray[Any], row: int, col: int, height: int, width: int, nodata: Any
) -> tuple[int, float, float, float, float]:
    """Number, least, largest, sum and sum of squares of a tile's values; column by column, so that a row is vector code."""
    count, low, high = np.zeros(width, np.int32), np.full(width, np.inf), np.full(width, -np.inf)
    total, squares = np.zeros(width), np.zeros(width)
    for i in range(height):
        line = array[row + i, col : col + width]
        for j in range(width):
            v = np.float64(line[j])
            known = (line[j] != nodata) & (v - v == 0.0)  # infinities and NaN are no values
            x = v if known else 0.0
            count[j] += np.int32(known)
            total[j] += x
            squares[j] += x * x
            low[j] = v if known & (v < low[j]) else low[j]
            high[j] = v if known & (v > high[j]) else high[j]
    return int(count.sum()), float(low.min()), float(high.max()), float(total.sum()), float(squares.sum())


@numba.njit(nogil=True, cache=True)
def _tally(array: NDArray[Any], lowest: int, size: int) -> NDArray[np.int64]:
    """How often each number of a block comes. Four tables in turn: a run of one value must not wait for its own counter."""
    one, two, three, four = (
        np.zeros(size, np.int32),
        np.zeros(size, np.int32),
        np.zeros(size, np.int32),
        np.zeros(size, np.int32),
    )
    for i in range(array.shape[0]):
        row = array[i]
        fours = row.size // 4 * 4
        for j in range(0, fours, 4):
            one[np.int64(row[j]) - lowest] += 1
            two[np.int64(row[j + 1]) - lowest] += 1
            three[np.int64(row[j + 2]) - lowest] += 1
            four[np.int64(row[j + 3]) - lowest] += 1
        for j in range(fours, row.size):
            one[np.int64(row[j]) - lowest] += 1
    return one.astype(np.int64) + two + three + four


@numba.njit(nogil=True, cache=True)
def _binned(array: NDArray[Any], nodata: Any, per_value: float, first: float, size: int) -> NDArray[np.int64]:
    """How many values lie in each bucket. What is no value goes to one more at the end, so that no pixel needs a branch."""
    one, two = np.zeros(size + 1, np.int32), np.zeros(size + 1, np.int32)
    at = np.empty(array.shape[1], np.int32)
    for i in range(array.shape[0]):
        line = array[i]
        for j in range(line.size):
            v = np.float64(line[j])
            place = np.int32(np.floor(v * per_value) - first) if v - v == 0.0 else np.int32(size)
            at[j] = place if line[j] != nodata else np.int32(size)
        pairs = line.size // 2 * 2
        for j in range(0, pairs, 2):
            one[at[j]] += 1
            two[at[j + 1]] += 1
        if pairs < line.size:
            one[at[pairs]] += 1
    return one[:size].astype(np.int64) + two[:size]
