"""What a run keeps of its errors, so that a roll-up of runs is as sure as the one big run would have been.

Coefficients are shared by all runs: how each region moves with each of them adds up. The biomass map's errors are kept as
sums over cells, which runs on one lattice put side by side; the correlation between them is then what it is within a run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.assess.certainty import Errors, map_errors, spread_bounds, spread_to_parts
from pipelines.errors import InputError
from pipelines.files.tables import read_output, write_table
from pipelines.inputs.grid import Grid
from sinks import budget
from sinks.accounts import OUTSIDE_REGIONS, RegionInfo
from sinks.budget import QUANTITIES, Targets
from sinks.errorcells import ErrorCells

MOVES, BOUNDS, CELLS = "error_moves.parquet", "error_bounds.parquet", "error_cells.parquet"
_CLOSE: Final = 1e-6
_KEYS: Final = list(budget.MOVE_COLUMNS[:3])


@dataclass(frozen=True)
class MapErrors:
    """The biomass map's part of a run. bounds : ``_KEYS``, quantity, bound; cells : of ``ErrorCells``, with region_id."""

    bounds: pd.DataFrame
    cells: pd.DataFrame
    grid: Grid
    side: int
    range_m: float
    model: str


@dataclass(frozen=True)
class Kept:
    """The errors of a run. map : None where no deviation was given."""

    moves: pd.DataFrame
    map: MapErrors | None


def of_run(
    work: budget.Work,
    cells: ErrorCells,
    regions: Sequence[RegionInfo],
    grid: Grid,
    side: int,
    range_m: float,
    model: str,
) -> Kept:
    """What is kept of a run. side : of the cells [pixels], 0 where no deviation was given."""
    if not side:
        return Kept(budget.moves_table(work), None)
    bound = spread_bounds(work)
    t, q = np.nonzero(bound)
    bounds = pd.DataFrame([work.targets.keys[n] for n in t], columns=_KEYS)
    bounds["quantity"], bounds["bound"] = [QUANTITIES[n] for n in q], bound[t, q]
    ids = np.asarray(["", *(r.id for r in regions)], object)
    frame = pd.DataFrame({"region_id": ids[cells.region], "group": cells.group, "row": cells.row, "col": cells.col})
    for n in range(cells.weight.shape[1]):
        frame[f"weight_{n}"], frame[f"square_{n}"] = cells.weight[:, n], cells.square[:, n]
    return Kept(budget.moves_table(work), MapErrors(bounds, frame, grid, side, range_m, model))


def write(kept: Kept, folder: Path) -> None:
    """Into a folder of outputs."""
    write_table(kept.moves, folder / MOVES)
    if kept.map is None:
        return
    write_table(kept.map.bounds, folder / BOUNDS)
    cells = kept.map.cells.copy()
    g = kept.map.grid
    about: dict[str, Any] = {"crs_wkt": g.crs_wkt, "transform": list(g.transform), "width": g.width, "height": g.height}
    cells.attrs["sinks"] = json.dumps(
        {"grid": about, "side": kept.map.side, "range_m": kept.map.range_m, "model": kept.map.model}
    )
    write_table(cells, folder / CELLS)


def read(folder: Path) -> Kept:
    """Of a finished run. Raises InputError where it kept none (an older run, or one with an InVEST table)."""
    path = folder / MOVES
    if not path.is_file():
        raise InputError(f"{folder}: there is no {MOVES} here; run the assessment again to have its errors rolled up")
    moves = read_output(folder, MOVES)
    if not (folder / CELLS).is_file():
        return Kept(moves, None)
    cells = read_output(folder, CELLS)
    about = json.loads(cells.attrs["sinks"])
    g = about["grid"]
    grid = Grid(g["crs_wkt"], tuple(g["transform"]), g["width"], g["height"])
    bounds = read_output(folder, BOUNDS)
    return Kept(moves, MapErrors(bounds, cells, grid, about["side"], about["range_m"], about["model"]))


# ------------------------------------------------------------------------------------------ adding up


def merged_table(
    kept: Sequence[Kept], tidy: pd.DataFrame, regions: Sequence[RegionInfo]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The error budget of the sum of several runs (``budget.budget_table``), and what to say of it."""
    targets, variance = budget.merged([k.moves for k in kept])
    targets, variance = _with_targets(targets, variance, [tidy[tidy["region_id"] != OUTSIDE_REGIONS]])
    notes = ["errors: coefficients are shared by all runs, by propagation"]
    maps = [k.map for k in kept if k.map is not None]
    if maps:
        if len(maps) < len(kept):
            notes.append(
                f"{len(kept) - len(maps)} of {len(kept)} runs have no errors of the biomass map: there it counts as exact"
            )
        targets, variance = _with_targets(targets, variance, [m.bounds for m in maps])
        if _one_lattice(maps):
            errors = _joined(maps, targets, regions)
            variance["biomass map"] = spread_to_parts(_bounds(maps, targets), errors, targets)
            notes.append("errors of the biomass map are correlated across runs as within them")
        else:
            spread = np.zeros((len(targets.keys), len(QUANTITIES)))
            for one in maps:
                errors = _joined([one], targets, regions)
                spread += np.sqrt(spread_to_parts(_bounds([one], targets), errors, targets))
            variance["biomass map"] = spread**2
            notes.append(
                "the runs' biomass maps lie on different lattices: their errors are added as if fully correlated"
            )
    return budget.budget_table(tidy, targets, variance), tuple(notes)


def _with_targets(
    targets: Targets, variance: dict[str, NDArray[np.float64]], frames: Sequence[pd.DataFrame]
) -> tuple[Targets, dict[str, NDArray[np.float64]]]:
    """The same with rows for what no coefficient makes unsure."""
    known = set(targets.keys)
    told = (f[_KEYS].drop_duplicates().itertuples(index=False) for f in frames)
    more = {(str(r), str(e), str(f)) for rows in told for r, e, f in rows}
    keys = (*targets.keys, *sorted(more - known))
    room = np.zeros((len(keys) - len(targets.keys), len(QUANTITIES)))
    return Targets(keys, targets.of_row), {s: np.concatenate([v, room]) for s, v in variance.items()}


def _bounds(maps: Sequence[MapErrors], targets: Targets) -> NDArray[np.float64]:
    place = {key: n for n, key in enumerate(targets.keys)}
    quantity = {name: n for n, name in enumerate(QUANTITIES)}
    found = np.zeros((len(targets.keys), len(QUANTITIES)))
    for one in maps:
        for r, e, f, q, bound in one.bounds[[*_KEYS, "quantity", "bound"]].itertuples(index=False):
            found[place[r, e, f], quantity[q]] += bound
    return found


def _offset(one: MapErrors, other: MapErrors) -> tuple[float, float]:
    """Rows and columns of cells by which the other's lattice begins after the one's."""
    a, _, x0, _, e, y0 = one.grid.transform
    _, _, x1, _, _, y1 = other.grid.transform
    return (y1 - y0) / (e * one.side), (x1 - x0) / (a * one.side)


def _one_lattice(maps: Sequence[MapErrors]) -> bool:
    first = maps[0]
    for other in maps[1:]:
        a, b = first.grid.transform, other.grid.transform
        same = first.grid.crs.equals(other.grid.crs, ignore_axis_order=True) and first.side == other.side
        same &= first.range_m == other.range_m and first.model == other.model
        same &= np.allclose([a[0], a[4]], [b[0], b[4]], rtol=_CLOSE)
        if not same or any(abs(o - round(o)) > 1e-3 for o in _offset(first, other)):
            return False
    return True


def _joined(maps: Sequence[MapErrors], targets: Targets, regions: Sequence[RegionInfo]) -> Errors:
    """Map errors of every target from the cells of runs on one lattice."""
    first, frames = maps[0], []
    for one in maps:
        down, across = (round(o) for o in _offset(first, one))
        frames.append(one.cells.assign(row=one.cells["row"] + down, col=one.cells["col"] + across))
    every = pd.concat(frames, ignore_index=True)
    number = {r.id: n for n, r in enumerate(regions, start=1)}
    n = sum(str(c).startswith("weight_") for c in every)
    cells = ErrorCells(
        every["region_id"].map(number).fillna(0).to_numpy().astype(np.int32), every["group"].to_numpy().astype(np.int32),
        every["row"].to_numpy(np.int64), every["col"].to_numpy(np.int64),
        every[[f"weight_{k}" for k in range(n)]].to_numpy(np.float64),
        every[[f"square_{k}" for k in range(n)]].to_numpy(np.float64),
    )  # fmt: skip
    return map_errors(targets, cells, tuple(regions), first.grid, first.side, first.range_m, first.model)
