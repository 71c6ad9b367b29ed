"""The error budget of an account: what its coefficients, its biomass map and its areas each leave unsure.

Every row of the tidy account gets a standard error and a 95 % interval, and says which share of the variance each source
has. Coefficients are shared by all regions and never average out; the map's errors average out beyond their range; areas
are unsure by the reference sample, where one is given. The three are independent of one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks.accounts import ALL, OUTSIDE_REGIONS, TOTAL_REGION, RegionInfo
from sinks.quantities import KEYS, POOL_KEYS, SUMS, TOTAL, VOLUME
from sinks.science import Science, is_no_ecosystem, map_class
from sinks.sums import Sums
from sinks.uncertainty import Piece, drawn_lines, sensitivities
from sinks.units import M2_PER_HA

Z95: Final = 1.959963984540054
QUANTITIES: Final = (*SUMS, *KEYS)
HEADLINE: Final = (TOTAL.key, VOLUME.key)
"""Quantities that Monte Carlo is run for; all others come from propagation."""
SOURCES: Final = ("carbon fraction", "roots", "volume", "dead matter", "soil", "densities", "biomass map", "area")
_SOURCE_OF: Final = {
    "carbon_fraction": "carbon fraction", "root_shoot": "roots", "coefficient": "roots", "exponent": "roots",
    "cbef": "volume", "bcef": "volume", "agb_per_volume": "volume", "wood_density": "volume", "bef": "volume",
    "deadwood_ratio": "dead matter", "litter_ratio": "dead matter", "soc": "soil", "soc_deep": "soil", "factor": "soil",
}  # fmt: skip
"""Key of a draw → source in the budget; others are densities of biomass and rates."""


@dataclass(frozen=True)
class Targets:
    """The rows of the tidy account that sums go to.

    keys : (region_id, ecosystem, forest_type) of each; of_row : (rows of the sums, levels) → target, −1 for none.
    """

    keys: tuple[tuple[str, str, str], ...]
    of_row: NDArray[np.int64]

    @staticmethod
    def of(sums: Sums, science: Science, regions: Sequence[RegionInfo]) -> Targets:
        """Region and total, each by forest type, ecosystem and all."""
        ids = [OUTSIDE_REGIONS, *(r.id for r in regions)]
        names: dict[tuple[str, str, str], int] = {}
        of_row = np.full((sums.code.size, 6), -1, np.int64)
        classes = {code: map_class(science.coding.stratum(code).cover) for code in np.unique(sums.code).tolist()}
        for n, (r, code) in enumerate(zip(sums.region.tolist(), sums.code.tolist(), strict=True)):
            if r == 0:
                continue
            ecosystem, forest_type = classes[code]
            for level, region in enumerate((ids[r], TOTAL_REGION)):
                for deep, key in enumerate(((ecosystem, forest_type), (ecosystem, ALL), (ALL, ALL))):
                    if deep or forest_type:
                        of_row[n, 3 * level + deep] = names.setdefault((region, *key), len(names))
        return Targets(tuple(names), of_row)

    def gather(self, values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sums over the targets (targets, …) of values of some rows (rows, …)."""
        found = np.zeros((len(self.keys), *values.shape[1:]))
        for level in range(self.of_row.shape[1]):
            at = self.of_row[rows, level]
            np.add.at(found, at[at >= 0], values[at >= 0])
        return found


@dataclass(frozen=True)
class Work:
    """The sums of a run and the pieces they belong to. piece_of : place of each row's piece, −1 where no ecosystem."""

    sums: Sums
    amounts: NDArray[np.float64]
    pieces: tuple[Piece, ...]
    piece_of: NDArray[np.int64]
    terms: tuple[str, ...]
    targets: Targets


def prepare(sums: Sums, science: Science, regions: Sequence[RegionInfo], targets: Targets | None = None) -> Work:
    """What both approaches start from. targets : where rows go, by default to the rows of the tidy account."""
    places: dict[tuple[int, int], int] = {}
    alike: dict[
        tuple[object, ...], int
    ] = {}  # strata that differ in nothing that enters an equation are evaluated once
    pieces: list[Piece] = []
    piece_of = np.full(sums.code.size, -1, np.int64)
    for n, (code, k) in enumerate(zip(sums.code.tolist(), sums.piece.tolist(), strict=True)):
        if (code, k) not in places:
            stratum = science.coding.stratum(code)
            if is_no_ecosystem(stratum):
                places[code, k] = -1
                continue
            found = science.pieces(code)
            ends = [0.0, *found.edges.tolist()]
            high = ends[k + 1] if k + 1 < len(ends) else ends[k] + 1000.0
            was = None
            if found.converted is not None:
                old = found.converted
                was = (Piece(old.stratum, old.pieces.plugs, old.pieces.coefficients, ends[k], high), old.ratio)
            piece = Piece(stratum, found.plugs, found.coefficients, ends[k], high, was)
            places[code, k] = alike.setdefault(piece.same(), len(pieces))
            if places[code, k] == len(pieces):
                pieces.append(piece)
        piece_of[n] = places[code, k]
    terms = science.coding.terms
    amounts = sums.values[:, : 1 + len(terms)] / M2_PER_HA
    return Work(sums, amounts, tuple(pieces), piece_of, terms, targets or Targets.of(sums, science, regions))


def with_totals(values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Lines or sums by quantity, with those that are sums of others."""
    found = dict(values)
    for total, parts in SUMS.items():
        given = [values[p] for p in parts if p in values]
        if given:
            found[total] = np.sum(given, axis=0)
    return found


def moves(work: Work, told: NDArray[np.bool_] | None = None) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """How every target and quantity moves with one standard deviation of each coefficient: its key, its source, and the moves
    (targets, ``QUANTITIES``). Moves of parts add up to those of the whole, for a coefficient is the same everywhere.

    told : (rows, quantities) which quantities of a row count, None for all; a sum of others counts those of them that do.
    """
    rows_of: dict[int, list[int]] = {}
    for n, p in enumerate(work.piece_of.tolist()):
        if p >= 0:
            rows_of.setdefault(p, []).append(n)
    for s in sensitivities(work.pieces, work.terms):
        rows, values = [], []
        for p, lines in s.lines.items():
            line = np.zeros((len(QUANTITIES), 1 + len(work.terms)))
            for q, one in lines.items():
                line[QUANTITIES.index(q)] = one
            here = np.asarray(rows_of.get(p, []), np.int64)
            rows.append(here)
            moved = work.amounts[here] @ line.T
            if told is not None:
                moved *= told[here]
            for sum_of, parts in SUMS.items():
                moved[:, QUANTITIES.index(sum_of)] = moved[:, [QUANTITIES.index(q) for q in parts]].sum(axis=1)
            values.append(moved)
        source = _SOURCE_OF.get(s.key.split("|")[0], "densities")
        yield s.key, source, work.targets.gather(np.concatenate(values), np.concatenate(rows))


def propagate(work: Work, told: NDArray[np.bool_] | None = None) -> dict[str, NDArray[np.float64]]:
    """Approach 1: variance by source (targets, quantities) from coefficients; told : see ``moves``."""
    found: dict[str, NDArray[np.float64]] = {}
    for _, source, moved in moves(work, told):
        found[source] = found.get(source, 0.0) + moved**2
    return found


MOVE_COLUMNS: Final = ("region_id", "ecosystem", "forest_type", "quantity", "source", "coefficient", "moved")


def moves_table(work: Work) -> pd.DataFrame:
    """``moves`` as a table (``MOVE_COLUMNS``), to be kept with a run: what a roll-up needs to know how sure the whole is."""
    names, quantities = np.array(work.targets.keys, object).reshape(-1, 3), np.array(QUANTITIES, object)
    parts = []
    for key, source, moved in moves(work):
        t, q = np.nonzero(moved)
        parts.append(
            (*names[t].T, quantities[q], np.full(t.size, source, object), np.full(t.size, key, object), moved[t, q])
        )
    if not parts:
        return pd.DataFrame(columns=list(MOVE_COLUMNS))
    return pd.DataFrame(dict(zip(MOVE_COLUMNS, map(np.concatenate, zip(*parts, strict=True)), strict=True)))


def merged(tables: Sequence[pd.DataFrame]) -> tuple[Targets, dict[str, NDArray[np.float64]]]:
    """Targets and variance by source of the sum of several runs, from their ``moves_table``: coefficients stay shared."""
    every = pd.concat(list(tables), ignore_index=True)
    names = list(MOVE_COLUMNS[:3])
    summed = every.groupby([*names, "quantity", "source", "coefficient"], sort=True)["moved"].sum().reset_index()
    keys = [(str(r), str(e), str(f)) for r, e, f in summed[names].drop_duplicates().itertuples(index=False)]
    place = {key: n for n, key in enumerate(keys)}
    found: dict[str, NDArray[np.float64]] = {}
    at = [place[r, e, f] for r, e, f in summed[names].itertuples(index=False)]
    summed["target"] = at
    for source, part in summed.groupby("source"):
        variance = np.zeros((len(keys), len(QUANTITIES)))
        q = part["quantity"].map({name: n for n, name in enumerate(QUANTITIES)}).to_numpy()
        np.add.at(variance, (part["target"].to_numpy(), q), part["moved"].to_numpy() ** 2)
        found[str(source)] = variance
    return Targets(tuple(keys), np.zeros((0, 6), np.int64)), found


def monte_carlo(
    work: Work, seed: int = 1, draws: int = 10_000, ecosystems: Sequence[str] = (ALL, "forest")
) -> dict[tuple[str, str, str, str], NDArray[np.float64]]:
    """Approach 2: draws of the headline quantities by (region, ecosystem, forest type, quantity), with shared coefficients."""
    wanted = [n for n, key in enumerate(work.targets.keys) if key[1] in ecosystems and key[2] == ALL]
    place = np.full(len(work.targets.keys) + 1, -1, np.int64)
    place[wanted] = np.arange(len(wanted))
    width = 1 + len(work.terms)
    entries = []
    for level in range(work.targets.of_row.shape[1]):
        to = place[work.targets.of_row[:, level]]
        keep = np.flatnonzero((to >= 0) & (work.piece_of >= 0))
        for t in range(width):
            entries.append((to[keep], work.piece_of[keep] * width + t, work.amounts[keep, t]))
    row, col, value = (np.concatenate([e[k] for e in entries]) for k in range(3))
    columns = len(work.pieces) * width
    at_once, entry = np.unique(row * columns + col, return_inverse=True)
    row, col = at_once // columns, at_once % columns
    weight = np.asarray(np.bincount(entry, value, at_once.size), np.float64)
    out = {q: np.zeros((len(wanted), draws)) for q in HEADLINE}
    parts = {TOTAL.key: POOL_KEYS, VOLUME.key: (VOLUME.key,)}
    for at, lines in drawn_lines(work.pieces, work.terms, seed, draws):
        stacked = {q: np.zeros((columns, at.stop - at.start)) for q in parts}
        for p, line in enumerate(lines):
            for quantity, of in parts.items():
                for key in of:
                    for t, values in enumerate(line.get(key, ())):
                        stacked[quantity][p * width + t] += values
        for quantity, whole in stacked.items():
            out[quantity][:, at] = _weighted(row, col, weight, whole, len(wanted))
    return {
        (*work.targets.keys[t], quantity): values[n] for quantity, values in out.items() for n, t in enumerate(wanted)
    }


@numba.njit(nogil=True, cache=True)
def _weighted(
    row: NDArray[np.int64], col: NDArray[np.int64], weight: NDArray[np.float64], values: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    """A sparse matrix, given by its entries, times ``values``. SciPy's own would be a tenth of a second to import."""
    found = np.zeros((rows, values.shape[1]))
    for n in range(row.size):
        for d in range(values.shape[1]):
            found[row[n], d] += weight[n] * values[col[n], d]
    return found


def budget_table(tidy: pd.DataFrame, targets: Targets, variance: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """One row per row of the tidy account that has an error: value, se, interval, and each source's share of the variance.

    variance : by source (targets, quantities).
    """
    place = pd.Series(np.arange(len(targets.keys)), index=pd.MultiIndex.from_tuples(targets.keys), dtype=np.int64)
    rows = tidy[["region_id", "ecosystem", "forest_type", "quantity", "unit", "value"]]
    at = place.reindex(pd.MultiIndex.from_frame(rows[["region_id", "ecosystem", "forest_type"]])).to_numpy()
    of = rows["quantity"].map({q: n for n, q in enumerate(QUANTITIES)}).to_numpy(np.float64)
    keep = ~np.isnan(at) & ~np.isnan(of)
    table, t, q = rows[keep].reset_index(drop=True), at[keep].astype(np.int64), of[keep].astype(np.int64)
    parts = {source: variance[source][t, q] for source in SOURCES if source in variance}
    total = np.sum(list(parts.values()), axis=0) if parts else np.zeros(len(table))
    value, se = table["value"].to_numpy(np.float64), np.sqrt(total)
    table["se"] = se
    table["low"] = np.where(value >= 0, np.maximum(0.0, value - Z95 * se), value - Z95 * se)  # a stock is never below 0
    table["high"] = value + Z95 * se
    for source, part in parts.items():
        table[f"share_{source.replace(' ', '_')}"] = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
    return table
