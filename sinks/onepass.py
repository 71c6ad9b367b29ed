"""The one pass: every map and every sum of a block from one look at its pixels.

The pass knows nothing of ecosystems. It finds each pixel's stratum, takes the straight piece its biomass value falls on,
and multiplies and adds (see ``sinks.strata``). Sums run in float64 within grains of 256 × 256 pixels that lie at fixed
places of the grid, and are then added as integers (``sinks.exactsum``), so they are the same for any partition into
blocks whose offsets are multiples of the grain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from sinks import exactsum
from sinks.coding import Packed
from sinks.lattice import Stack
from sinks.strata import Pieces
from sinks.sums import Sums, merge

GRAIN: Final = 256
"""Side of a grain [pixels]; offsets of blocks must be multiples of it."""

_WIDE: Final = 256
"""With more regions than this the codes are numbered before pairs are looked for."""

NODATA_UINT16: Final = 65535
NODATA_FLOAT: Final = np.float32(-9999.0)


@dataclass(frozen=True)
class MapRequest:
    """Which quantities are written into map arrays, and how.

    quantities : keys of ``sinks.quantities``; steps : quantity per integer step of each map, or all 0 for float32 maps;
    offsets : quantity of the integer 0, for maps that can be negative.
    """

    quantities: tuple[str, ...]
    steps: tuple[float, ...]
    offsets: tuple[float, ...] = ()

    @property
    def integer(self) -> bool:
        return any(self.steps)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.integer else np.float32)

    @property
    def nodata(self) -> float:
        return NODATA_UINT16 if self.integer else float(NODATA_FLOAT)


def statistics(terms: int) -> int:
    """How many sums a row has: area, one per term, and the square of the first term."""
    return 2 + terms


@dataclass(frozen=True)
class Survey:
    """Which strata and regions a block has, in dense local numbers.

    codes : the run's codes of the strata that occur, rising; local_code, local_region : the block's number of a stratum,
    or a region → place in ``codes`` or among the regions that occur, −1 where absent;
    pair : (regions, codes) → row of the sums, −1 where the two do not meet; pair_region, pair_code : the reverse.
    """

    codes: NDArray[np.int64]
    local_code: NDArray[np.int32]
    local_region: NDArray[np.int32]
    pair: NDArray[np.int32]
    pair_region: NDArray[np.int32]
    pair_code: NDArray[np.int64]


@numba.njit(nogil=True, cache=True)
def _mark(code: NDArray[np.int32], region: NDArray[np.int32], seen: NDArray[np.bool_]) -> None:
    """Mark every pair of region and code; neighbours mostly repeat, and are then skipped."""
    h, w = code.shape
    last_c, last_r = np.int32(-1), np.int32(-1)
    for i in range(h):
        for j in range(w):
            c, r = code[i, j], region[i, j]
            if c != last_c or r != last_r:
                seen[r, c] = True
                last_c, last_r = c, r


def survey(packed: Packed, region: NDArray[np.int32], n_regions: int) -> Survey:
    """Look over a block before it is walked. region : int32 (h, w), below ``n_regions``."""
    code = packed.code
    here = np.flatnonzero(np.bincount(code.ravel())).astype(np.int32) if n_regions > _WIDE else None
    n_codes = int(code.max()) + 1
    if here is not None:  # many regions: number the codes first, so that the table of pairs stays small
        small = np.full(n_codes, -1, np.int32)
        small[here] = np.arange(here.size, dtype=np.int32)
        seen = np.zeros((n_regions, here.size), np.bool_)
        _mark(small[code], region, seen)
    else:
        seen = np.zeros((n_regions, n_codes), np.bool_)
        _mark(code, region, seen)
        here = np.flatnonzero(seen.any(axis=0)).astype(np.int32)
        seen = seen[:, here]
    regions = np.flatnonzero(seen.any(axis=1)).astype(np.int32)
    seen = seen[regions]
    local_code, local_region = np.full(n_codes, -1, np.int32), np.full(n_regions, -1, np.int32)
    local_code[here] = np.arange(here.size)
    local_region[regions] = np.arange(regions.size)
    pair = np.full(seen.shape, -1, np.int32)
    at_region, at_code = np.nonzero(seen)
    pair[at_region, at_code] = np.arange(at_region.size)
    codes = packed.meaning(here)
    return Survey(codes, local_code, local_region, pair, regions[at_region], codes[at_code])


@numba.njit(nogil=True, cache=True)
def area_by_region(region: NDArray[np.int32], area: NDArray[np.float64], n_regions: int) -> NDArray[np.float64]:
    """Area of every region in a block, run by run along the rows: a second way of summing, to check the walk by.

    region : int32 (h, w); area : float64 (h, 1) or (h, w); returns float64 (n_regions,) in the unit of ``area``.
    """
    total = np.zeros(n_regions)
    h, w = region.shape
    wide = area.shape[1] > 1
    for i in range(h):
        j = 0
        while j < w:
            r = region[i, j]
            end = j
            run = 0.0
            while end < w and region[i, end] == r:
                if wide:
                    run += area[i, end]
                end += 1
            total[r] += run if wide else (end - j) * area[i, 0]
            j = end
    return total


def stored_total(stored: NDArray, nodata: float, area: NDArray[np.float64]) -> tuple[float, float]:
    """Σ value·area and Σ area of a map's valid pixels, in the map's own steps: to hold the map against the account.

    stored (h, w); area (h, 1) or (h, w). Rows of whole numbers are added in whole numbers.
    """
    if stored.dtype.kind == "f" or area.shape[1] > 1:
        return _stored_total(stored, stored.dtype.type(nodata), np.broadcast_to(area, stored.shape))
    values, counts = _row_totals(stored, stored.dtype.type(nodata))
    return float(values @ area[:, 0]), float(counts @ area[:, 0])


@numba.njit(nogil=True, cache=True)
def _row_totals(stored: NDArray, nodata: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values, counts = np.empty(stored.shape[0]), np.empty(stored.shape[0])
    for i in range(stored.shape[0]):
        row = stored[i]
        total, count = np.int64(0), np.int64(0)
        for j in range(row.size):
            known = np.int64(row[j] != nodata)
            total += np.int64(row[j]) * known
            count += known
        values[i], counts[i] = total, count
    return values, counts


@numba.njit(nogil=True, cache=True)
def _stored_total(stored: NDArray, nodata: float, area: NDArray[np.float64]) -> tuple[float, float]:
    value, covered = 0.0, 0.0
    for i in range(stored.shape[0]):
        for j in range(stored.shape[1]):
            if stored[i, j] != nodata:
                value += np.float64(stored[i, j]) * area[i, j]
                covered += area[i, j]
    return value, covered


@numba.njit(nogil=True, cache=True)
def _flush(acc: NDArray[np.float64], touched: NDArray[np.bool_], digits: NDArray[np.int64], n_stats: int) -> None:
    """Move a grain's float sums into the exact sums and clear them."""
    for p in range(acc.shape[0]):
        if touched[p]:
            touched[p] = False
            for k in range(acc.shape[1]):
                for s in range(n_stats):
                    if acc[p, k, s] != 0.0:
                        exactsum.add(digits[p, k, s], acc[p, k, s])
                        acc[p, k, s] = 0.0


# The loops below are the whole cost of a walk. They take whole arrays and the ends of a run, because a slice costs as much as
# a short run does, and are written so that they compile to vector code:
# unsigned numbers, for one that might be negative would be looked at for counting from the end.


@numba.njit(nogil=True, cache=True)
def _copy(
    fine: NDArray[np.float32], m: int, i: int, gj: int, values: NDArray[np.float32], place: int, width: int
) -> None:
    """A row of a grain of one layer, 0 where it has no value: strata without a value do not use it."""
    for n in range(width):
        x = fine[m, i, gj + n]
        values[place, n] = x if x == x else np.float32(0.0)


@numba.njit(nogil=True, cache=True)
def _find_pieces(
    x: NDArray[np.float32], edges: NDArray[np.float64], s: int, n_edges: int, piece: NDArray[np.uint8], lo: int, hi: int
) -> None:
    """Number of the piece of every value: how many edges of the stratum lie below it."""
    for n in range(lo, hi):
        piece[n] = 0
    for k in range(n_edges):
        edge = edges[s, k]
        for n in range(lo, hi):
            piece[n] += np.float64(x[0, n]) > edge


@numba.njit(nogil=True, cache=True)
def _moments(
    y: NDArray[np.float32], m: int, weight: NDArray[np.float64], piece: NDArray[np.uint8], k: int, lo: int, hi: int
) -> tuple[float, float, float]:
    """Σ w, Σ w·y and Σ w·y² where the piece is ``k``, in four lanes: sums in another order would have other last bits."""
    a0 = a1 = a2 = a3 = 0.0
    b0 = b1 = b2 = b3 = 0.0
    c0 = c1 = c2 = c3 = 0.0
    whole = lo + ((hi - lo) & ~np.uintp(3))
    for n in range(lo, whole, np.uintp(4)):
        n1, n2, n3 = n + np.uintp(1), n + np.uintp(2), n + np.uintp(3)
        w0 = weight[n] if piece[n] == k else 0.0
        w1 = weight[n1] if piece[n1] == k else 0.0
        w2 = weight[n2] if piece[n2] == k else 0.0
        w3 = weight[n3] if piece[n3] == k else 0.0
        y0, y1, y2, y3 = np.float64(y[m, n]), np.float64(y[m, n1]), np.float64(y[m, n2]), np.float64(y[m, n3])
        a0, a1, a2, a3 = a0 + w0, a1 + w1, a2 + w2, a3 + w3
        w0, w1, w2, w3 = w0 * y0, w1 * y1, w2 * y2, w3 * y3
        b0, b1, b2, b3 = b0 + w0, b1 + w1, b2 + w2, b3 + w3
        c0, c1, c2, c3 = c0 + w0 * y0, c1 + w1 * y1, c2 + w2 * y2, c3 + w3 * y3
    for n in range(whole, hi):
        w0 = weight[n] if piece[n] == k else 0.0
        y0 = np.float64(y[m, n])
        a0, b0, c0 = a0 + w0, b0 + w0 * y0, c0 + w0 * y0 * y0
    return (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3), (c0 + c1) + (c2 + c3)


@numba.njit(nogil=True, cache=True)
def _count(piece: NDArray[np.uint8], k: int, lo: int, hi: int) -> int:
    """Pixels of piece ``k``."""
    count = 0
    for n in range(lo, hi):
        count += piece[n] == k
    return count


@numba.njit(nogil=True, cache=True)
def _sum_weights(weight: NDArray[np.float64], lo: int, hi: int) -> float:
    total = 0.0
    for n in range(lo, hi):
        total += weight[n]
    return total


@numba.njit(nogil=True, cache=True)
def _lay_line(
    lines: NDArray[np.float64], s: int, k: int, piece: NDArray[np.uint8], several: bool, lo: int, hi: int,
    line: NDArray[np.float64], used: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Lay the numbers of one piece's lines along a run of pixels.

    lines (strata, pieces, maps, 1 + terms); piece (grain,), looked at where there are several;
    line (maps, 1 + terms, grain) : where they are laid; used (maps, terms) : which terms enter into this row's maps.
    """
    for m in range(lines.shape[2]):
        for t in range(lines.shape[3]):
            value = lines[s, k, m, t]
            if t > 0 and value != 0.0:
                used[m, t - 1] = True
            if several:
                for n in range(lo, hi):
                    line[m, t, n] = value if piece[n] == k else line[m, t, n]
            else:
                for n in range(lo, hi):
                    line[m, t, n] = value


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _write_row(
    line: NDArray[np.float64], used: NDArray[np.bool_], values: NDArray[np.float32], steps_per_unit: NDArray[np.float64],
    floats: NDArray[np.float32], ints: NDArray[np.uint16], i: int, gj: int, width: int,
) -> int:  # fmt: skip
    """Evaluate a row of a grain: floats or ints (maps, h, w) from column ``gj`` on. Returns how many values did not fit.

    values (terms, grain), 0 where absent; a constant that is NaN makes nodata.
    """
    clipped = 0
    for m in range(line.shape[0]):
        for t in range(values.shape[0]):
            if used[m, t]:
                for n in range(width):
                    line[m, 0, n] += line[m, 1 + t, n] * np.float64(values[t, n])
        per_step = steps_per_unit[m]
        if per_step == 0.0:
            for n in range(width):
                v = line[m, 0, n]
                floats[m, i, gj + n] = np.float32(v) if v == v else NODATA_FLOAT
        else:
            for n in range(width):
                v = line[m, 0, n] * per_step + 0.5
                clipped += (v < 0.0) | (v >= 65535.0)
                fits = min(max(v, 0.0), 65534.0)
                ints[m, i, gj + n] = np.uint16(np.int32(fits if v == v else 65535.0))
    return clipped


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _walk(
    code: NDArray[np.int32],
    region: NDArray[np.int32],
    area: NDArray[np.float64],
    fine: NDArray[np.float32],
    coarse: NDArray[np.float32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    place: NDArray[np.int64],
    local_code: NDArray[np.int32],
    local_region: NDArray[np.int32],
    pair: NDArray[np.int32],
    present: NDArray[np.bool_],
    bare: NDArray[np.bool_],
    leading: NDArray[np.int64],
    edges: NDArray[np.float64],
    n_edges: NDArray[np.int32],
    lines: NDArray[np.float64],
    steps_per_unit: NDArray[np.float64],
    floats: NDArray[np.float32],
    ints: NDArray[np.uint16],
    count: NDArray[np.int64],
    digits: NDArray[np.int64],
) -> int:
    h, w = code.shape
    n_fine = fine.shape[0]
    n_terms = place.size
    values = np.empty(
        (n_terms, GRAIN), np.float32
    )  # a row of a grain: what is held on the lattice is unfolded here only
    piece = np.zeros(GRAIN, np.uint8)
    weight = np.ones(GRAIN)
    n_stats = 2 + n_terms
    n_maps = lines.shape[2]
    line = np.zeros((n_maps, 1 + n_terms, GRAIN))
    used = np.zeros((n_maps, n_terms), np.bool_)
    wide = area.shape[1] > 1
    acc = np.zeros((digits.shape[0], digits.shape[1], n_stats))
    touched = np.zeros(digits.shape[0], np.bool_)
    clipped = 0
    for gi in range(0, h, GRAIN):
        for gj in range(0, w, GRAIN):
            right = min(gj + GRAIN, w)
            unfolded = np.int64(-1)
            for i in range(gi, min(gi + GRAIN, h)):
                for m in range(n_fine):
                    _copy(fine, m, i, np.uintp(gj), values, place[m], np.uintp(right - gj))
                if rows[i] != unfolded and n_terms > n_fine:
                    unfolded = rows[i]
                    for m in range(n_fine, n_terms):
                        for n in range(gj, right):
                            x = coarse[m - n_fine, unfolded, cols[n]]
                            values[place[m], n - gj] = x if x == x else np.float32(0.0)
                if wide:
                    weight[: right - gj] = area[i, gj:right]
                scale = 1.0 if wide else area[i, 0]
                codes, regions = code[i, gj:right], region[i, gj:right]
                first, end = np.uintp(0), np.uintp(right - gj)
                while first < end:  # neighbours mostly share stratum and region: take them as one run
                    c, r = codes[first], regions[first]
                    last = first + np.uintp(1)
                    while last < end and codes[last] == c and regions[last] == r:
                        last += np.uintp(1)
                    s = local_code[c]
                    p = pair[local_region[r], s]
                    touched[p] = True
                    several = n_edges[s] > 0
                    if several:
                        _find_pieces(values, edges, s, n_edges[s], piece, first, last)
                    for k in range(n_edges[s] + 1):
                        pixels = np.int64(last - first)
                        if several:
                            pixels = _count(piece, k, first, last)
                            if pixels == 0:
                                continue
                        count[p, k] += pixels
                        if bare[s]:
                            extent = _sum_weights(weight, first, last) if wide else np.float64(pixels)
                            acc[p, k, 0] += scale * extent
                        for m in range(n_terms):
                            if present[s, m]:
                                extent, total, square = _moments(values, m, weight, piece, k, first, last)
                                acc[p, k, 1 + m] += scale * total
                                if m == 0:
                                    acc[p, k, n_stats - 1] += scale * square
                                if m == leading[s]:
                                    acc[p, k, 0] += scale * extent
                        if n_maps:
                            _lay_line(lines, s, k, piece, several, first, last, line, used)
                    if several:
                        for n in range(first, last):
                            piece[n] = 0
                    first = last
                if n_maps:
                    clipped += _write_row(line, used, values, steps_per_unit, floats, ints, i, np.uintp(gj), end)
                    used[:] = False
            _flush(acc, touched, digits, n_stats)
    return clipped


@dataclass(frozen=True)
class Strata:
    """The pieces of the strata of a block, stacked: see ``sinks.strata.Pieces``.

    edges (strata, most edges), n_edges (strata,), lines (strata, most pieces, maps, 1 + terms).
    """

    edges: NDArray[np.float64]
    n_edges: NDArray[np.int32]
    lines: NDArray[np.float64]


def stack(pieces: Sequence[Pieces], request: MapRequest) -> Strata:
    """Put strata with different numbers of pieces into rectangular arrays, with one line per map."""
    most = max(p.edges.size for p in pieces)
    edges = np.full((len(pieces), max(most, 1)), np.inf)
    lines = np.full((len(pieces), most + 1, len(request.quantities), pieces[0].lines.shape[2]), np.nan)
    for n, p in enumerate(pieces):
        edges[n, : p.edges.size] = p.edges
        for m, key in enumerate(request.quantities):
            lines[n, : p.edges.size + 1, m] = p.of(key)
            if request.offsets and request.integer:
                lines[n, :, m, 0] -= request.offsets[m]
    return Strata(edges, np.asarray([p.edges.size for p in pieces], dtype=np.int32), lines)


def run(
    code: NDArray[np.int32],
    region: NDArray[np.int32],
    area: NDArray[np.float64],
    terms: Stack,
    strata: Strata,
    request: MapRequest,
    seen: Survey,
) -> tuple[NDArray, Sums]:
    """Walk a block once.

    code : int32 (h, w), ``Packed.code``; seen : the survey of the same block; strata : pieces of ``seen.codes``, in that order;
    region : int32 (h, w); area : float64 [m²] (h, 1) or (h, w).
    returns : map arrays (maps, h, w) in the request's dtype, and the block's sums.
    """
    h, w = code.shape
    n_maps = len(request.quantities)
    floats = np.empty((0, h, w) if request.integer else (n_maps, h, w), np.float32)
    ints = np.empty((n_maps, h, w) if request.integer else (0, h, w), np.uint16)
    per_unit = np.asarray([1.0 / step if step else 0.0 for step in request.steps])
    n_stats = statistics(len(terms))
    count = np.zeros((seen.pair_region.size, strata.lines.shape[1]), np.int64)
    digits = np.zeros((*count.shape, n_stats, exactsum.DIGITS), np.int64)
    bits = np.arange(len(terms) - 1, -1, -1, dtype=np.int64)  # the first term has the highest bit of a code
    present = (seen.codes[:, None] >> bits & 1).astype(np.bool_)
    bare = ~present.any(axis=1)
    leading = present.argmax(axis=1) if len(terms) else np.zeros(bare.size, np.int64)
    clipped = _walk(
        code, region, area, terms.fine, terms.coarse, terms.lattice.rows, terms.lattice.cols,
        np.asarray((*terms.fine_at, *terms.coarse_at), np.int64), seen.local_code, seen.local_region, seen.pair, present,
        bare, leading,
        strata.edges, strata.n_edges, strata.lines, per_unit, floats, ints, count, digits,
    )  # fmt: skip
    at, piece = np.nonzero(count)
    sums = Sums(
        seen.pair_region[at], seen.pair_code[at], piece.astype(np.int16), count[at, piece], digits[at, piece],
        int(clipped),
    )  # fmt: skip
    return (ints if request.integer else floats), merge([sums])


@dataclass(frozen=True)
class ErrorCells:
    """Sums of area × standard error over square cells of the grid, by region and map class.

    region, group : int32; row, col : place of the cell on the grid's lattice of cells; weight : (cells, quantities)
    Σ area·se, square : Σ (area·se)², area in m². A cell lies in one block, so cells of blocks are only put side by side.
    """

    region: NDArray[np.int32]
    group: NDArray[np.int32]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    weight: NDArray[np.float64]
    square: NDArray[np.float64]


def no_cells(quantities: int) -> ErrorCells:
    """No cells."""
    none, empty = np.zeros(0, np.int64), np.zeros((0, quantities))
    return ErrorCells(none.astype(np.int32), none.astype(np.int32), none, none, empty, empty)


def join_cells(parts: Sequence[ErrorCells]) -> ErrorCells:
    """The cells of several blocks, in the order of their place, so that sums over them do not depend on the blocks."""
    names = ("region", "group", "row", "col", "weight", "square")
    joined = [np.concatenate([getattr(p, name) for p in parts]) for name in names]
    order = np.lexsort((joined[3], joined[2], joined[1], joined[0]))
    return ErrorCells(*(values[order] for values in joined))


def cell_errors(
    code: NDArray[np.int32],
    region: NDArray[np.int32],
    area: NDArray[np.float64],
    terms: Stack,
    errors: Strata,
    groups: NDArray[np.int32],
    seen: Survey,
    side: int,
    corner: tuple[int, int],
) -> ErrorCells:
    """Sum the standard errors of a block over cells.

    errors : pieces of ``seen.codes`` whose lines are standard errors, one per quantity (``Pieces.of("se_…")``);
    groups : number of the map class of each of ``seen.codes``; side : of a cell [pixels], a divisor of ``GRAIN``;
    corner : row and column of the block on the grid. A pixel whose error is not known counts 0.
    """
    pair_group = seen.pair_region.astype(np.int64) * 256 + groups[np.searchsorted(seen.codes, seen.pair_code)]
    names, group_of = np.unique(pair_group, return_inverse=True)
    quantities = errors.lines.shape[2]
    lines = np.nan_to_num(errors.lines)
    down, across = -(-code.shape[0] // side), -(-code.shape[1] // side)
    weight = np.zeros((down, across, names.size, quantities))
    square = np.zeros_like(weight)
    _cell_errors(
        code, region, area, terms.layer(0), terms.layer(len(terms) - 1), seen.local_code, seen.local_region, seen.pair,
        errors.edges, errors.n_edges, lines, group_of.astype(np.int32), side, weight, square,
    )  # fmt: skip
    i, j, g = np.nonzero(square.any(axis=3))
    return ErrorCells(
        (names[g] // 256).astype(np.int32), (names[g] % 256).astype(np.int32), i + corner[0] // side, j + corner[1] // side,
        weight[i, j, g], square[i, j, g],
    )  # fmt: skip


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _cell_errors(
    code: NDArray[np.int32],
    region: NDArray[np.int32],
    area: NDArray[np.float64],
    biomass: NDArray[np.float32],
    deviation: NDArray[np.float32],
    local_code: NDArray[np.int32],
    local_region: NDArray[np.int32],
    pair: NDArray[np.int32],
    edges: NDArray[np.float64],
    n_edges: NDArray[np.int32],
    lines: NDArray[np.float64],
    group_of: NDArray[np.int32],
    side: int,
    weight: NDArray[np.float64],
    square: NDArray[np.float64],
) -> None:
    wide = area.shape[1] > 1
    last = lines.shape[3] - 1
    for i in range(code.shape[0]):
        for j in range(code.shape[1]):
            sd = np.float64(deviation[i, j])
            if not sd > 0.0:
                continue
            s = local_code[code[i, j]]
            k = 0
            if n_edges[s] > 0:
                x = np.float64(biomass[i, j])
                while k < n_edges[s] and x > edges[s, k]:
                    k += 1
            g = group_of[pair[local_region[region[i, j]], s]]
            a = area[i, j] if wide else area[i, 0]
            for q in range(lines.shape[2]):
                slope = lines[s, k, q, last]
                if slope != 0.0:
                    e = a * slope * sd
                    weight[i // side, j // side, g, q] += e
                    square[i // side, j // side, g, q] += e * e
