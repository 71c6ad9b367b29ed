"""How sure a run is: its error budget from its sums and its cells; the geometry of cells is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import CRS

from pipelines.assess.blockpass import ERRORS_OF
from pipelines.inputs.grid import Grid
from sinks import budget
from sinks.accounts import ALL, TOTAL_REGION, RegionInfo
from sinks.area import metres_per_unit
from sinks.budget import QUANTITIES, Targets, Work
from sinks.ecosystems import classes
from sinks.errorcells import ErrorCells
from sinks.maperror import Cells, MapError, map_error
from sinks.quantities import TOTAL, VOLUME
from sinks.science import Science
from sinks.sums import Sums
from sinks.uncertainty import deviates
from sinks.units import M2_PER_HA

_DEGREE_M = 111_195.0
"""Length of a degree of latitude on the mean sphere [m]: good to half a percent, far below what a range is known to."""


@dataclass(frozen=True)
class Certainty:
    """What is known of the errors of a run.

    table : one row per row of the tidy account that has an error (``budget.budget_table``); draws : Monte Carlo values of
    the headline quantities by (region, ecosystem, forest type, quantity), map error included; bounds : the map's part by
    its bounds; notes : what was and was not counted.
    """

    table: pd.DataFrame
    draws: Mapping[tuple[str, str, str, str], NDArray[np.float64]] = field(default_factory=dict)
    bounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()


def assess_certainty(
    tidy: pd.DataFrame, sums: Sums, cells: ErrorCells, science: Science, regions: tuple[RegionInfo, ...], grid: Grid, cell: int,
    *, error_range_km: float, error_model: str, draws: int, seed: int,
) -> Certainty:  # fmt: skip
    """The budget of a run from what its pass has summed."""
    work = budget.prepare(sums, science, regions)
    variance = budget.propagate(work)
    bounds = pd.DataFrame()
    notes = [f"errors: coefficients by propagation and {draws:,} Monte Carlo draws (seed {seed})" if draws else
             "errors: coefficients by propagation"]  # fmt: skip
    if cell:
        errors = map_errors(work.targets, cells, regions, grid, cell, error_range_km * 1000, error_model)
        variance["biomass map"] = spread_to_parts(spread_bounds(work), errors, work.targets)
        bounds = _bounds(errors)
        notes.append(f"errors of the biomass map are correlated over {error_range_km:g} km ({error_model})")
    else:
        notes.append("errors of the biomass map are not counted: give its standard deviation with --agb-sd")
    notes.append("errors of classes and areas are not counted: they take a reference sample (sinks sample)")
    table = budget.budget_table(tidy, work.targets, variance)
    drawn = budget.monte_carlo(work, seed, draws) if draws else {}
    if cell:
        drawn = _with_map_error(drawn, errors, seed)
    return Certainty(_with_percentiles(table, drawn), drawn, bounds, tuple(notes))


def stock_draws(sure: Certainty) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Draws of the forest's stock volume by region, as the scorecard takes them."""
    return {
        (region, "forest_stock"): values
        for (region, ecosystem, _, quantity), values in sure.draws.items()
        if ecosystem == "forest" and quantity == VOLUME.key
    }


Errors = dict[tuple[str, str, str, str], MapError]


def map_errors(
    targets: Targets,
    cells: ErrorCells,
    regions: tuple[RegionInfo, ...],
    grid: Grid,
    side: int,
    range_m: float,
    model: str,
) -> Errors:
    """Map error of every target and quantity of ``ERRORS_OF``, in its unit."""
    by_code = {c.code: (c.ecosystem, c.forest_type) for c in classes().values()}
    ids = {r.id: n for n, r in enumerate(regions, start=1)}
    inside = cells.region > 0
    found: Errors = {}
    for region, ecosystem, forest_type in targets.keys:
        here = inside if region == TOTAL_REGION else cells.region == ids[region]
        if ecosystem != ALL:
            codes = [c for c, (e, f) in by_code.items() if e == ecosystem and forest_type in (ALL, f)]
            here = here & np.isin(cells.group, codes)
        if not here.any():
            continue
        height, width = _size(grid, side, float(np.mean(cells.row[here])))
        for q, quantity in enumerate(ERRORS_OF):
            one = _merged(cells, here, q, height, width)
            if one.weight.any():
                found[region, ecosystem, forest_type, quantity] = map_error(one, range_m, model)
    return found


def _merged(cells: ErrorCells, here: NDArray[np.bool_], q: int, height: float, width: float) -> Cells:
    """Cells of several regions and classes, those of one place put together, in hectares."""
    row, col = cells.row[here], cells.col[here]
    place, group = np.unique(np.stack([row, col], axis=1), axis=0, return_inverse=True)
    weight = np.bincount(group.ravel(), cells.weight[here, q]) / M2_PER_HA
    square = np.bincount(group.ravel(), cells.square[here, q]) / M2_PER_HA**2
    return Cells(place[:, 0], place[:, 1], weight, square, height, width)


def _size(grid: Grid, side: int, row: float) -> tuple[float, float]:
    """Height and width of a cell [m] around a row of cells."""
    a, _, _, _, e, y0 = grid.transform
    height, width = abs(e) * side, abs(a) * side
    if grid.is_geographic:
        latitude = y0 + e * side * (row + 0.5)
        return height * _DEGREE_M, width * _DEGREE_M * max(float(np.cos(np.radians(latitude))), 1e-3)
    unit = metres_per_unit(CRS.from_wkt(grid.crs_wkt))
    return height * unit, width * unit


def spread_bounds(work: Work) -> NDArray[np.float64]:
    """Σ |slope| · area · standard deviation of every target and quantity: the map's error if all its errors were one."""
    terms = work.terms
    sd = terms.index("agb_sd")
    full = np.zeros((work.sums.code.size, len(QUANTITIES)))
    for n, p in enumerate(work.piece_of.tolist()):
        if p >= 0:
            lines = work.pieces[p].lines(terms, {})
            for q, line in budget.with_totals({k: np.asarray(v, np.float64) for k, v in lines.items()}).items():
                if q in QUANTITIES and len(line) > 1:
                    full[n, QUANTITIES.index(q)] = abs(line[1]) * work.amounts[n, 1 + sd]
    return work.targets.gather(full, np.arange(work.sums.code.size))


def spread_to_parts(bound: NDArray[np.float64], errors: Errors, targets: Targets) -> NDArray[np.float64]:
    """Variance from the map (targets, quantities): that of a part is the total's, by the part's share of full correlation.

    bound : of ``spread_bounds``.
    """
    found = np.zeros_like(bound)
    for t, key in enumerate(targets.keys):
        for quantity, parts in ((TOTAL.key, [q for q in QUANTITIES if q != VOLUME.key]), (VOLUME.key, [VOLUME.key])):
            error, whole = errors.get((*key, quantity)), bound[t, QUANTITIES.index(quantity)]
            if error is not None and whole > 0:
                at = [QUANTITIES.index(q) for q in parts]
                found[t, at] = (bound[t, at] * error.correlated / whole) ** 2
    return found


def _with_map_error(
    drawn: Mapping[tuple[str, str, str, str], NDArray[np.float64]], errors: Errors, seed: int
) -> dict[tuple[str, str, str, str], NDArray[np.float64]]:
    """Draws with one Gaussian of the map's error added; carbon and volume of a place err together."""
    found = {}
    for key, values in drawn.items():
        error = errors.get(key)
        shift = error.correlated * deviates(f"map|{key[0]}", seed, values.size) if error else 0.0
        found[key] = values + shift
    return found


def _with_percentiles(
    table: pd.DataFrame, drawn: Mapping[tuple[str, str, str, str], NDArray[np.float64]]
) -> pd.DataFrame:
    """Intervals of the rows that were drawn, from the draws."""
    if table.empty or not drawn:
        return table
    keys = list(zip(table["region_id"], table["ecosystem"], table["forest_type"], table["quantity"], strict=True))
    value, se, low, high = (table[c].to_numpy(np.float64).copy() for c in ("value", "se", "low", "high"))
    for n, key in enumerate(keys):
        if key in drawn and se[n] > 0:
            ends = np.percentile(drawn[key], [2.5, 97.5])
            # the draws' mean may lie off the value where an equation is curved: the interval stays round the value
            off = float(np.mean(drawn[key])) - value[n]
            se[n], low[n], high[n] = float(np.std(drawn[key])), max(0.0, ends[0] - off), ends[1] - off
    return table.assign(se=se, low=low, high=high)


def _bounds(errors: Errors) -> pd.DataFrame:
    rows = [(*key, e.independent, e.correlated, e.full) for key, e in errors.items()]
    columns = ["region_id", "ecosystem", "forest_type", "quantity", "se_independent", "se_correlated", "se_full"]
    return pd.DataFrame(rows, columns=columns)
