"""Many runs, one account: tiles and agencies added up, with what overlaps, what is missing and how sure the whole is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from pipelines.assess import kepterrors, mosaics
from pipelines.assess.gislayers import write_geopackage
from pipelines.errors import InputError
from pipelines.files import citing, manifest, tables
from pipelines.files.atomic import prepare_out_dir
from pipelines.files.text import read_text
from pipelines.inputs import polygons, regionfile
from pipelines.outputs import stac
from pipelines.work import trial
from pipelines.work.workspace import log_file, workspace
from sinks import targets
from sinks.accounts import TOTAL_REGION, Account, add_all
from sinks.coverage import ForestDefinition, coverage_table
from sinks.views import policy_views

KIND: Final = "rollup"
_NEEDED: Final = (
    tables.SUMS_FILE, "assessment.gpkg", "accounts.parquet", kepterrors.MOVES, kepterrors.BOUNDS, kepterrors.CELLS,
)  # fmt: skip
"""What is read of a run."""
_LONLAT: Final = pyproj.CRS.from_epsg(4326)
_LEAST_HA: Final = 0.01
_SLIVER: Final = 1e-4
"""Part of a region up to which a gap is the width of a border, not land that nobody claims."""


@dataclass(frozen=True)
class RollUp:
    """What a roll-up gives back. overlaps : pairs of runs that claim the same ground; gap_ha : of the boundary that no run
    covers, NaN where none was given."""

    out: Path
    account: Account
    coverage: pd.DataFrame
    scorecard: pd.DataFrame
    views: pd.DataFrame
    runs: pd.DataFrame
    overlaps: pd.DataFrame
    gap_ha: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class _Run:
    """A finished run that takes part."""

    folder: Path
    about: dict[str, Any]
    account: Account
    claimed: gpd.GeoDataFrame
    """Polygons in longitude and latitude, by region_id: what of each region lies on this run's map."""


def rollup(
    runs: Sequence[Path],
    out: Path,
    *,
    boundary: Path | None = None,
    own_targets: Path | None = None,
    document: str = targets.GUIDANCE,
    whole_nation: bool = False,
    allow_overlap: bool = False,
    overwrite: bool = False,
    finish: Callable[[Path], None] | None = None,
) -> RollUp:
    """Add up finished runs and write the account of them all into ``out``.

    finish : makes further outputs of the folder in which the others are gathered, e.g. the report.

    Raises InputError when a run is none, is damaged, or differs from the first in year, legend, definition, parameters or
    options; when two runs claim the same ground, unless that is allowed; and when there are fewer than two.
    """
    start = time.monotonic()
    parts = _read_all(runs)
    found = _overlaps(parts)
    warnings = _about_overlaps(found, allow_overlap)
    account = add_all([p.account for p in parts])
    folder = prepare_out_dir(str(out), overwrite)
    with workspace(folder) as work, log_file(folder):
        work.begin({"the command": "rollup"})  # whatever runs it is of: all of it is done again
        table, notes = _certainty(parts, account)
        account = account.with_errors(table if len(table) else None)
        gap = _gap(parts, boundary) if boundary else np.nan
        if gap > 0:
            warnings.append(f"{gap:,.1f} ha inside {boundary} are in no run")
        definition = ForestDefinition(**account.context["forest_definition"])
        base = f"{account.context['legend']}, {len(parts)} runs"
        coverage = coverage_table(account, definition, base, account.context.get("year"))
        mine = targets.read_targets(read_text(own_targets).text, str(own_targets)) if own_targets else ()
        card = targets.scorecard(
            account, coverage, targets.national(document=document), mine, whole_nation=whole_nation,
            draws=targets.stock_draws(account),
        )  # fmt: skip
        notes = [*notes, *mosaics.write([p.folder for p in parts], folder, work.finished)]
        result = RollUp(
            folder, account, coverage, card, policy_views(account), _table(parts), found, float(gap), tuple(notes),
            tuple(warnings), time.monotonic() - start,
        )  # fmt: skip
        _write(result, table, parts, work.finished, finish)
        work.publish()
    return result


def dry_run(runs: Sequence[Path], boundary: Path | None = None, allow_overlap: bool = False) -> dict[str, Any]:
    """What a roll-up would add, without writing it. Raises InputError as it would."""
    start = time.monotonic()
    parts = _read_all(runs)
    warnings = _about_overlaps(_overlaps(parts), allow_overlap)
    account = add_all([p.account for p in parts])
    if boundary and (gap := _gap(parts, boundary)) > 0:
        warnings.append(f"{gap:,.1f} ha inside {boundary} are in no run")
    table = _table(parts)
    return {
        "runs": {str(r["run"]): f"{r['area_ha']:,.0f} ha" for r in table.to_dict("records")},
        "regions": len(account.regions),
        "area_ha": round(account.area_ha(), 1),
        "megabytes_to_read": round(sum(f.stat().st_size for p in parts for f in p.folder.glob("*.parquet")) / 1e6, 1),
        "time": f"{trial.told(2 * (time.monotonic() - start))}",
        "notes": warnings,
    }


# ------------------------------------------------------------------------------------------ reading


def _read_all(runs: Sequence[Path]) -> list[_Run]:
    if len(runs) < 2:
        raise InputError(
            f"a roll-up takes two runs or more, and {len(runs)} is given: sinks rollup RUN RUN … --out DIR"
        )
    parts = [_read(Path(folder)) for folder in runs]
    _require_once(parts)
    return parts


def _read(folder: Path) -> _Run:
    about = manifest.read(folder)
    if about.get("kind") not in (None, KIND):
        raise InputError(f"{folder}: this is a run of 'sinks {about['kind']}'; a roll-up takes runs of 'sinks assess'")
    if damaged := manifest.damaged(folder, about, _NEEDED):
        raise InputError(f"{folder}: {damaged[0]} is missing or has changed since the run; run the assessment again")
    account = tables.read_account(folder)
    path = folder / "assessment.gpkg"
    shapes = gpd.read_file(path, layer="regions", columns=["region_id"])
    crs = pyproj.CRS.from_user_input(shapes.crs)
    held = np.asarray(shapes.geometry.to_numpy(), object)
    if "grid" in about:
        g = about["grid"]
        a, _, x0, _, e, y0 = g["transform"]
        frame = shapely.box(x0, y0 + e * g["height"], x0 + a * g["width"], y0)
        held = np.asarray([polygons.polygon_part(s) for s in shapely.intersection(held, frame)], object)
    there = polygons.moved(held, crs, _LONLAT)
    ids = shapes["region_id"].astype(str)
    return _Run(folder, about, account, gpd.GeoDataFrame({"region_id": ids}, geometry=there, crs=_LONLAT))


def _require_once(parts: Sequence[_Run]) -> None:
    """The same run twice is the commonest mistake, and would double everything."""
    seen: dict[str, Path] = {}
    for part in parts:
        known = part.about.get("outputs", {}).get(tables.SUMS_FILE)
        digest = known["sha256"] if known else str(part.folder.resolve())
        if digest in seen:
            raise InputError(f"{part.folder} and {seen[digest]} hold the same account; name each run once")
        seen[digest] = part.folder


# ------------------------------------------------------------------------------------------ ground


def _overlaps(parts: Sequence[_Run]) -> pd.DataFrame:
    """Ground that two runs claim [ha], by pair of runs and regions."""
    shapes = np.concatenate([p.claimed.geometry.to_numpy() for p in parts])
    names = [(n, r) for n, p in enumerate(parts) for r in p.claimed["region_id"]]
    some = np.flatnonzero(~shapely.is_empty(shapes))
    area = polygons.hectares(shapes[some], _LONLAT)
    rows = []
    for i, j, size in polygons.overlaps(shapes[some], area, _LEAST_HA):
        (one, a), (two, b) = names[some[i]], names[some[j]]
        if one != two:
            pixel = max(_pixel_ha(parts[one]), _pixel_ha(parts[two]))
            rows.append((str(parts[one].folder), a, str(parts[two].folder), b, size, size <= pixel))
    columns = ["run", "region_id", "other_run", "other_region_id", "area_ha", "below_a_pixel"]
    return pd.DataFrame(rows, columns=columns)


def _pixel_ha(part: _Run) -> float:
    rows = part.account
    return float(rows.strata["area_ha"].sum() / max(int(rows.pixels.sum()), 1))


def _about_overlaps(found: pd.DataFrame, allowed: bool) -> list[str]:
    real = found[~found["below_a_pixel"].astype(bool)] if len(found) else found
    if real.empty:
        return []
    top = real.sort_values("area_ha", ascending=False).iloc[0]
    said = (
        f"{len(real)} pair(s) of regions are claimed twice, {real['area_ha'].sum():,.1f} ha in all; the largest: "
        f"{top['region_id']} of {top['run']} and {top['other_region_id']} of {top['other_run']}, {top['area_ha']:,.1f} ha"
    )
    if not allowed:
        raise InputError(f"{said}; cut the regions or tiles so that each hectare is in one run, or say --allow-overlap")
    return [f"{said}: that ground is counted twice in every total"]


def _gap(parts: Sequence[_Run], boundary: Path) -> float:
    """Area within a boundary that no run claims [ha]; slivers along borders are none."""
    frame, _ = regionfile.read_frame(str(boundary), None)
    crs = pyproj.CRS.from_user_input(frame.crs)
    whole = shapely.union_all(polygons.moved(np.asarray(frame.geometry.to_numpy(), object), crs, _LONLAT))
    claimed = shapely.union_all(np.concatenate([p.claimed.geometry.to_numpy() for p in parts]))
    rest = polygons.polygon_part(shapely.difference(whole, claimed))
    if rest.is_empty:
        return 0.0
    left, all_of_it = (float(polygons.hectares(np.asarray([s], object), _LONLAT)[0]) for s in (rest, whole))
    return left if left > _SLIVER * all_of_it else 0.0


# ------------------------------------------------------------------------------------------ results


def _certainty(parts: Sequence[_Run], account: Account) -> tuple[pd.DataFrame, list[str]]:
    kept = []
    for part in parts:
        if not (part.folder / kepterrors.MOVES).is_file():
            return pd.DataFrame(), [f"{part.folder} has kept no errors, so none are told of the whole"]
        kept.append(kepterrors.read(part.folder))
    table, notes = kepterrors.merged_table(kept, account.tidy, account.regions)
    return table, list(notes)


def _table(parts: Sequence[_Run]) -> pd.DataFrame:
    rows = [
        (str(p.folder), p.about.get("finished", ""), len(p.account.regions), p.account.area_ha(),
         p.account.value("carbon_total") if (p.account.tidy["quantity"] == "carbon_total").any() else np.nan)
        for p in parts
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["run", "finished", "regions", "area_ha", "carbon_total_mg_c"])


def _write(
    result: RollUp, errors: pd.DataFrame, parts: Sequence[_Run], stage: Path, finish: Callable[[Path], None] | None
) -> None:
    tables.write_account(result.account, stage)
    for name, frame in (
        ("coverage", result.coverage), ("scorecard", result.scorecard), ("views", result.views), ("runs", result.runs),
        ("overlaps", result.overlaps), ("errors", errors),
    ):  # fmt: skip
        tables.write_table(frame, stage / f"{name}.csv")
    shapes = gpd.GeoDataFrame(pd.concat([p.claimed for p in parts], ignore_index=True), crs=_LONLAT)
    whole = shapes.dissolve("region_id").reset_index()[["region_id", "geometry"]]
    about = {
        "kind": KIND,
        "finished": manifest.now(),
        "seconds": round(result.seconds, 3),
        "versions": manifest.versions(),
        "runs": [{"path": str(p.folder), "account": p.about.get("outputs", {}).get(tables.SUMS_FILE)} for p in parts],
        "context": dict(result.account.context),
        "gap_ha": None if np.isnan(result.gap_ha) else result.gap_ha,
        "notes": result.notes,
        "warnings": result.warnings,
    }
    write_geopackage(
        whole, result.account, result.coverage, result.views, result.scorecard, _coefficients(parts), about,
        stage / "assessment.gpkg",
    )  # fmt: skip
    stac.write_collection(
        stage / stac.COLLECTION, [p.folder for p in parts], home=result.out, title="Runs of a roll-up"
    )  # fmt: skip
    manifest.write(stage, about, stac.finishing(finish, shapely.box(*whole.total_bounds)))


def _coefficients(parts: Sequence[_Run]) -> pd.DataFrame:
    """Every coefficient that any of the runs used, once."""
    files = [p.folder / citing.COEFFICIENTS for p in parts]
    found = [pd.read_csv(f, dtype={"note": str, "where": str, "unit": str}) for f in files if f.is_file()]
    return pd.concat(found, ignore_index=True).drop_duplicates() if found else pd.DataFrame({"name": [], "value": []})


def text(result: RollUp) -> str:
    """The roll-up for people."""
    account = result.account
    top = result.coverage[(result.coverage["region_id"] == TOTAL_REGION) & result.coverage["headline"]].iloc[0]
    tidy = account.tidy[(account.tidy["region_id"] == TOTAL_REGION) & (account.tidy["ecosystem"] == "all")]
    known = {
        q: (float(v), str(u), float(se))
        for q, v, u, se in tidy[["quantity", "value", "unit", "se"]].itertuples(index=False)
    }
    lines = [f"{len(result.runs)} runs, {len(account.regions)} regions, {account.area_ha():,.0f} ha"]
    lines.append(
        f"Forest coverage {top['coverage_percent']:.2f} % of {top['land_area_ha']:,.0f} ha ({top['denominator']} land area)"
    )
    for key, name in (("stock_volume", "Stock volume"), ("carbon_total", "Carbon stock")):
        if key in known:
            value, unit, se = known[key]
            spread = f" ± {1.96 * se:,.0f} (95 %)" if np.isfinite(se) else ""
            lines.append(f"{name} {value:,.0f} {unit}{spread}")
    lines += [*(f"note: {n}" for n in result.notes), *(f"warning: {w}" for w in result.warnings), f"→ {result.out}"]
    return "\n".join(lines)
