"""The effect of protected areas or projects on carbon: a finished change and polygons in, effects with their balance out."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from pipelines.change import impactareas, impactunits
from pipelines.change.impactunits import ECOSYSTEM, EDGE, ELEVATION, PRE_CHANGE, SLOPE, STOCK
from pipelines.errors import InputError, RunError
from pipelines.files import tables
from pipelines.files.atomic import atomic_path, disk_error
from sinks import impact as science
from sinks.accounts import ALL, TOTAL_REGION
from sinks.impact import CALIPER, INSIDE, NEIGHBOURS, RING, Impact

RING_KM: Final = 5.0
SEARCH_KM: Final = 50.0
UNITS: Final = 2000
CONTROLS_PER_UNIT: Final = 5
EFFECTS, BALANCE, POINTS = "impact.csv", "impact_balance.csv", "impact_units.gpkg"


@dataclass(frozen=True)
class Found:
    """What a study gives back. table : effects with the areas' names; units : points in EPSG:4326; summary : plain values."""

    impact: Impact
    table: pd.DataFrame
    units: gpd.GeoDataFrame
    summary: dict[str, Any]


def study(
    folder: Path, areas: Path, *, id_column: str | None = None, name_column: str | None = None, layer: str | None = None,
    ring_km: float = RING_KM, search_km: float = SEARCH_KM, start: int | None = None, units: int = UNITS,
    controls: int | None = None, covariates: Sequence[str] = (), classes: Sequence[str] = (), match_trend: bool = False,
    neighbours: int = NEIGHBOURS, caliper: float = CALIPER, seed: int = 1,
) -> Found:  # fmt: skip
    """Effect of the areas on carbon, area by area and together, with leakage into the ring around them.

    areas : polygons of any vector file; ring_km : 0 for no ring; search_km : from an area's edge, within which controls lie;
    start : year since when the areas are treated, the first epoch where none is given; units : drawn inside, and as many in the
    ring; controls : drawn outside; covariates, classes : NAME=FILE, to be near in and to be alike in; match_trend : match on
    the change before the start too. Raises InputError for anything of these that cannot be used.
    """
    if ring_km < 0 or search_km <= ring_km:
        raise InputError(
            f"controls are searched within {search_km:g} km and the ring is {ring_km:g} km wide; give a ring of 0 km or more and "
            f"a wider search"
        )
    if not 0 <= seed < 2**64:
        raise InputError(f"--seed is {seed}; give a whole number from 0 on")
    controls = CONTROLS_PER_UNIT * units if controls is None else controls
    if controls < 1:
        raise InputError(f"{controls} controls are to be drawn; give one at least")
    run = impactunits.change_run(folder)
    around = impactareas.read_areas(
        areas, run.grid, ring_m=ring_km * 1000, search_m=search_km * 1000, layer=layer, id_column=id_column,
        name_column=name_column,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as work:
        given = impactunits.covariates(covariates, classes, Path(work))
        wanted = impactunits.sizes(around, units, controls, ring_km > 0)
        frame, periods = impactunits.table(run, around, impactunits.draw(run, around, wanted, seed), given, start)
    if match_trend and PRE_CHANGE not in frame:
        raise InputError("--match-trend needs two epochs before the start; give a later --start, or leave it out")
    near = [STOCK, EDGE, *given.numbers, *([SLOPE] if ELEVATION in given.numbers else [])]
    near += [PRE_CHANGE] if match_trend else []
    alike = [ECOSYSTEM, *given.classes]
    found = science.assess(
        frame, covariates=near, categories=alike, years=periods.years, neighbours=neighbours, caliper=caliper
    )
    names = dict(zip(around.ids, around.regions.names, strict=True)) | {TOTAL_REGION: ALL}
    table = _with_empty(found.effects, around.ids)
    table.insert(1, "site_name", table["site_id"].map(names))
    notes = [*around.regions.notes, *_notes(run.years, periods, table, frame), *found.notes]
    bias = science.noise_bias(frame, STOCK, alike, periods.years)
    if bias == bias:
        notes.append(
            f"matching on a noisy stock misleads: for each 10 % of noise in its variance take {bias / 10:+.3f} Mg C/ha/yr "
            f"off the effect inside"
        )
    summary = {
        "run": str(folder), "areas": str(areas), "sites": len(around.ids), "epochs": list(run.years),
        "before": periods.before, "after": periods.after, "years": periods.years, "ring_km": ring_km, "search_km": search_km,
        "units": frame["role"].value_counts().to_dict(), "matched_near_in": near, "matched_alike_in": alike,
        "neighbours": neighbours, "caliper": caliper, "seed": seed, "effects": _plain(table), "balance": _plain(found.balance),
        "notes": notes,
    }  # fmt: skip
    return Found(found, table, _points(frame, found, run.grid.crs), summary)


def _with_empty(effects: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """Areas without a unit are told too."""
    gone = [i for i in ids if i not in set(effects["site_id"])]
    rows = pd.DataFrame({"site_id": gone, "part": INSIDE, "verdict": science.NONE, "units": 0, "parallel": ""})
    return pd.concat([effects, rows], ignore_index=True) if gone else effects


def _notes(years: Sequence[int], periods: science.Periods, table: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    found = [
        "positive: the land holds more carbon than it would without the areas; leakage is the same for the ring around them"
    ]
    if (periods.before, periods.after) != (years[0], years[-1]):
        found.append(
            "the change is the difference of two epochs' totals: a pool that one of them does not tell would be part of it"
        )
    empty = [s for s in table.loc[(table["part"] == INSIDE) & (table["units"] == 0), "site_id"] if s != TOTAL_REGION]
    if empty:
        found.append(f"no pixel that all epochs tell lies in: {', '.join(empty)}")
    if (frame["role"] == RING).any():
        found.append("a pixel in the rings of two areas belongs to that of the first in the file")
    return found


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return list(json.loads(frame.to_json(orient="records", force_ascii=False, double_precision=12)))


def _points(frame: pd.DataFrame, found: Impact, crs: Any) -> gpd.GeoDataFrame:
    """Units with what became of them: ``controls`` of a treated unit by id, how often a control was ``used``."""
    names = frame["unit_id"].to_numpy()
    rows = pd.Series(names[found.pairs.control]).groupby(found.pairs.treated).agg(",".join)
    points = frame.drop(columns=["x_m", "y_m"]).rename(
        columns={"change": "change_mg_c_ha_yr", PRE_CHANGE: "pre_change_mg_c_ha_yr"}
    )
    points["matched"] = np.where(found.matched > 0, "yes", np.where(found.used > 0, "control", "no"))
    points["used"] = found.used
    points["controls"] = rows.reindex(range(len(frame))).fillna("").to_numpy()
    return gpd.GeoDataFrame(points, geometry=gpd.points_from_xy(points["x"], points["y"]), crs=crs).to_crs(4326)


def write(found: Found, out: Path) -> list[Path]:
    """``impact.csv``, ``impact_balance.csv`` and ``impact_units.gpkg``."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder with --out") from None
    tables.write_table(found.table, out / EFFECTS)
    tables.write_table(found.impact.balance, out / BALANCE)
    path = out / POINTS
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(prefix=".impact-", dir=out) as work:
        draft = Path(work) / POINTS
        try:
            pyogrio.write_dataframe(
                found.units, draft, layer="units", driver="GPKG", dataset_options={"VERSION": "1.2"}
            )
        except RuntimeError as error:
            raise disk_error(path, error) or RunError(f"{path} cannot be written: {error}") from error
        os.replace(draft, temporary)
    return [out / EFFECTS, out / BALANCE, path]
