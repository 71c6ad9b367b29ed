"""What a labelled sample says of a finished run: areas, accuracy, coverage, volume and carbon."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.errors import InputError
from pipelines.files import tables
from pipelines.files.atomic import atomic_path
from pipelines.samples import samplebudget
from pipelines.samples.samplefile import LISTED, Sample, read_sample, read_strata
from pipelines.samples.samplemap import (
    FOREST,
    LEVELS,
    NOT_FOREST,
    UNKNOWN,
    RunMap,
    fine_label,
    fine_labels,
    open_run,
    resolve,
)
from sinks import sampling
from sinks.accounts import TOTAL_REGION
from sinks.quantities import POOL_KEYS
from sinks.sampling import Estimate, SampleEstimate, hint

_SAME: Final = 1e-6


@dataclass(frozen=True)
class Result:
    """What a sample says of a run: the estimate, the forest of the definition, and what follows; notes for people.

    budget : corrected amounts with the share of every source; regions : areas of classes by region (``samplebudget``).
    """

    estimate: SampleEstimate
    level: str
    forest: dict[str, float]
    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    budget: pd.DataFrame = field(default_factory=pd.DataFrame)
    regions: pd.DataFrame = field(default_factory=pd.DataFrame)


def estimate(
    folder: Path,
    path: Path,
    *,
    column: str = "reference",
    design: str = "stratified",
    level: str = "auto",
    forest: str | None = None,
    targets: Sequence[float] = (),
    strata: Path | None = None,
) -> Result:
    """Areas, accuracy, coverage, volume and carbon of a run by a labelled sample.

    level : of ``LEVELS``, or "auto"; forest : ``class`` or ``class=share``, with commas; targets : coverage [percent], those of
    the run's scorecard where none are given; strata : a table of areas when the strata are not this map's. Raises InputError.
    """
    run = open_run(folder)
    notes: list[str] = []
    sample = _labelled(read_sample(path, run.grid), column, notes)
    sample, fine = _on_map(run, sample, notes)
    reference = resolve(list(sample.table[column]), sample.names(), f"{path}, column '{column}'")
    level = _level(level, reference, fine, notes)
    reference = [_reference_at(run, r, level) for r in reference]
    mapped = [run.at_level(m, level) for m in fine]
    on_map = run.sums("area_ha", level)
    stratum, areas = _strata(run, sample, fine, mapped, on_map, design, strata, notes)
    used = set(reference) | set(on_map)
    order = list(dict.fromkeys([*(run.at_level(x, level) for x in fine_labels().values()), *sorted(used)]))
    found = sampling.estimate(
        mapped, reference, areas, stratum=stratum, design=design, classes=[c for c in order if c in used],
        mapped_area_ha=on_map,
    )  # fmt: skip
    weights = _forest(run, forest, level, found.classes)
    summary = _summary(run, found, weights, level, targets, notes)
    summary |= {"sample": str(path), "run": str(folder), "notes": notes}
    by_region = samplebudget.regions(run, found, level, sample.x, sample.y)
    if (by_region["method"] == "synthetic").any():
        far = by_region.loc[by_region["method"] == "synthetic", "region_id"].nunique()
        notes.append(
            f"{far} of {by_region['region_id'].nunique()} regions have too few points of their own: they are told by the whole "
            f"sample, as if the map erred there as everywhere (method synthetic)"
        )
    return Result(found, level, weights, summary, notes, samplebudget.budget(run, found, level), by_region)


def _labelled(sample: Sample, column: str, notes: list[str]) -> Sample:
    if column not in sample.table:
        raise InputError(
            f"{sample.path}: has no column '{column}'{hint(column, [str(c) for c in sample.table])}; name it with --column"
        )
    given = np.array([bool(str(v).strip()) for v in sample.table[column]])
    if not given.any():
        raise InputError(
            f"{sample.path}: column '{column}' is empty, no point has a reference label; fill it in, or name "
            f"another with --column"
        )
    if not given.all():
        notes.append(
            f"{int((~given).sum())} of {len(given)} points have no label and are left out, as if they were missing at random"
        )
    return sample.only(given)


def _on_map(run: RunMap, sample: Sample, notes: list[str]) -> tuple[Sample, list[str]]:
    """Points of the population, and the finest map class of each."""
    a, _, x0, _, e, y0 = run.grid.transform
    with np.errstate(invalid="ignore"):
        col, row = np.floor((sample.x - x0) / a), np.floor((sample.y - y0) / e)
        inside = (col >= 0) & (col < run.grid.width) & (row >= 0) & (row < run.grid.height)
    if not inside.all():
        names = [n for n, i in zip(sample.names(), inside, strict=True) if not i]
        raise InputError(
            f"{sample.path}: {len(names)} point(s) are off the map of {run.folder} ({', '.join(names[:LISTED])}); check their "
            f"coordinates, or whether this is the run they were drawn from"
        )
    codes = run.codes_at(row.astype(np.int64), col.astype(np.int64))
    labels = fine_labels()
    known = np.array([int(c) in labels for c in codes])
    if not known.any():
        raise InputError(f"{sample.path}: no point lies on a class of the map of {run.folder}; check their coordinates")
    if not known.all():
        notes.append(f"{int((~known).sum())} points lie on no data or outside the regions and are left out")
    sample = sample.only(known)
    fine = [labels[int(c)] for c in codes[known]]
    column = next((c for c in sample.table.columns if c.lower() == "map_class"), None)
    if column is not None and sample.table[column].astype(bool).all():
        given = resolve(list(sample.table[column]), sample.names(), f"{sample.path}, column '{column}'", [UNKNOWN])
        differ = sum(1 for g, m in zip(given, fine, strict=True) if g not in (m, m.split("/")[0]))
        if differ:
            notes.append(f"column '{column}' differs from the map of this run at {differ} points; the column is taken")
        fine = [m if g in (m, m.split("/")[0]) else g for g, m in zip(given, fine, strict=True)]
    return sample, fine


def _level(level: str, reference: Sequence[str], fine: Sequence[str], notes: list[str]) -> str:
    coarse = NOT_FOREST in reference or NOT_FOREST in fine
    if level == "auto":
        level = "forest" if coarse else "ecosystem"
    if level not in LEVELS:
        raise InputError(f"--classes is '{level}'; choose one of auto, {', '.join(LEVELS)}")
    if coarse and level != "forest":
        raise InputError(
            "some labels say 'not forest' without a class, so only forest can be told; use --classes forest"
        )
    return level


def _reference_at(run: RunMap, label: str, level: str) -> str:
    if label == NOT_FOREST:
        return NOT_FOREST
    return "forest/unspecified" if label == FOREST and level == "forest_type" else run.at_level(label, level)


def _strata(
    run: RunMap,
    sample: Sample,
    fine: Sequence[str],
    mapped: Sequence[str],
    on_map: Mapping[str, float],
    design: str,
    own: Path | None,
    notes: list[str],
) -> tuple[list[str], dict[str, float]]:
    """Stratum of every point and area of every stratum [ha]."""
    if design != "stratified":
        if sample.strata is not None:
            raise InputError(
                f"{sample.path}: these points were drawn in strata, so the {design} design would be wrong; leave --design out"
            )
        return list(mapped), dict(on_map)
    column = next((c for c in sample.table.columns if c.lower() == "stratum"), None)
    given = [str(v) for v in sample.table[column]] if column is not None else []
    given = given if all(given) else []
    if own is not None:
        if not given:
            raise InputError(f"{sample.path}: --strata needs a column 'stratum' at every point; add it")
        table = read_strata(own)
        return given, dict(zip(table["stratum"], table["area_ha"], strict=True))
    if sample.strata is not None:
        return _designed(run, sample.path, sample.strata, given, fine)
    if given:
        for level in LEVELS:
            areas = run.sums("area_ha", level)
            if set(given) <= set(areas):
                return given, areas
        stranger = next(g for g in given if g not in on_map)
        raise InputError(
            f"{sample.path}: stratum '{stranger}' is none of this map{hint(stranger, tuple(on_map))}; give the areas of your "
            f"strata with --strata"
        )
    notes.append("the file names no strata: the map's classes are taken as the strata the points were drawn in")
    return list(mapped), dict(on_map)


def _designed(
    run: RunMap, path: str, table: pd.DataFrame, given: Sequence[str], fine: Sequence[str]
) -> tuple[list[str], dict[str, float]]:
    """Strata of ``sample design``; their areas must still be those of the run."""
    here = run.sums("area_ha", "forest_type")
    index: dict[str, str] = {}
    areas: dict[str, float] = {}
    for name, members, area in zip(table["stratum"], table["members"], table["area_ha"], strict=True):
        labels = str(members).split(";")
        index |= dict.fromkeys(labels, str(name))
        areas[str(name)] = float(area)
        now = sum(here.get(m, 0.0) for m in labels)
        if abs(now - area) > _SAME * area:
            raise InputError(
                f"{path}: stratum {name} has {area:,.2f} ha in the sample and {now:,.2f} ha in {run.folder}; estimate with "
                f"the run that the sample was drawn from"
            )
    if abs(sum(here.values()) - sum(areas.values())) > _SAME * sum(here.values()):
        raise InputError(
            f"{path}: its strata do not cover the map of {run.folder}; estimate with the run it was drawn from"
        )
    return list(given) or [index[m] for m in fine], areas


def _forest(run: RunMap, wanted: str | None, level: str, classes: Sequence[str]) -> dict[str, float]:
    """Reference classes that count as forest, with their share; by the run's definition where nothing is said."""
    if wanted is None:
        if level == "forest":
            return {FOREST: 1.0}
        weights = {c: 1.0 for c in classes if c.split("/")[0] in run.forest_ecosystems}
        shrub = float(run.definition.get("special_shrub_fraction", 0.0))
        return weights | ({"shrubland": shrub} if shrub and "shrubland" in classes else {})
    found: dict[str, float] = {}
    for part in wanted.split(","):
        label, _, share = part.partition("=")
        try:
            weight = float(share) if share else 1.0
        except ValueError:
            raise InputError(
                f"--forest has '{part.strip()}'; write CLASS or CLASS=SHARE, e.g. shrubland=0.43"
            ) from None
        if not 0 <= weight <= 1:
            raise InputError(f"--forest gives {label.strip()} the share {weight:g}; a share is between 0 and 1")
        name = resolve([label], ["--forest"], "--forest")[0]
        name = _reference_at(run, name, level) if not (name == FOREST and level == "forest_type") else FOREST
        hits = [c for c in classes if c == name or c.split("/")[0] == name]
        if not hits:
            raise InputError(
                f"--forest names '{label.strip()}', which neither the map nor the sample has{hint(name, classes)}"
            )
        found |= dict.fromkeys(hits, weight)
    return found


# ------------------------------------------------------------------------------------------ what it amounts to


def _summary(
    run: RunMap,
    found: SampleEstimate,
    weights: dict[str, float],
    level: str,
    targets: Sequence[float],
    notes: list[str],
) -> dict[str, Any]:
    forest = found.combination(weights) if weights else Estimate(0.0, 0.0)
    missing = run.nodata_ha
    if missing > 0:
        notes.append(
            f"{missing:,.1f} ha inside the regions have no data on the map and are no part of what was sampled"
        )
    on_map = dict(zip(found.classes, found.mapped_area_ha.tolist(), strict=True))
    mapped_forest = sum(w * on_map[c] for c, w in weights.items())
    for k, label in enumerate(found.classes):
        if label != UNKNOWN and not (found.reference == k).any():
            most = found.unseen_below_ha()
            notes.append(f"no point is {label} on the ground: its area is below {most:,.1f} ha with 95 % confidence")
    if not np.isinf(found.overall.df):
        notes.append(f"a stratum has fewer than {sampling.MANY} points: intervals take Student's t")
    if level == "forest" and run.definition.get("special_shrub_fraction"):
        notes.append("labels tell forest alone, so special shrub forest is in no figure here, mapped or corrected")
    points = int(found.points.sum())
    return {
        "design": found.design,
        "classes": level,
        "points": points,
        "strata": {
            s: {"area_ha": a, "points": int(n)}
            for s, a, n in zip(found.strata, found.area_ha.tolist(), found.points, strict=True)
        },
        "degrees_of_freedom": found.degrees_of_freedom,
        "population_ha": found.total_ha,
        "overall_accuracy": _told(found.overall, 0.0, 1.0),
        "forest": {"classes": weights, "mapped_ha": mapped_forest, "corrected_ha": _told(forest, 0.0, found.total_ha)},
        "coverage": _coverage(run, forest, mapped_forest, points, targets),
        "corrected": _amounts(run, found, weights, level, notes),
    }


def _told(e: Estimate, low: float = -np.inf, high: float = np.inf) -> dict[str, float | None]:
    """An estimate as plain numbers, its limits within what is possible; None for NaN."""
    limits = e.interval()
    values = {"value": e.value, "se": e.se, "low": max(low, limits[0]), "high": min(high, limits[1])}
    return {k: None if np.isnan(v) else float(v) for k, v in values.items()}


def _coverage(
    run: RunMap, forest: Estimate, mapped_ha: float, points: int, targets: Sequence[float]
) -> dict[str, Any] | None:
    """Coverage by the denominator of the run's headline; what the sample says of each target."""
    table = tables.read_output(run.folder, "coverage.csv", dtype={"region_id": str})
    top = table[(table["region_id"] == TOTAL_REGION) & table["headline"].astype(bool)].iloc[0]
    land = float(top["land_area_ha"])
    if not land > 0:
        return None
    percent = forest.times(100 / land)
    wanted = list(targets) or _scorecard_targets(run.folder)
    return {
        "mapped_percent": 100 * mapped_ha / land,
        "corrected_percent": _told(percent, 0.0, 100.0),
        "land_area_ha": land,
        "denominator": str(top["denominator"]),
        "basis": str(top["basis"]),
        "targets": [
            {
                "at_least_percent": t,
                "probability": percent.probability(t),
                "more_points": _finite(sampling.more_points(percent, points, t)),
            }
            for t in wanted
        ],
    }


def _scorecard_targets(folder: Path) -> list[float]:
    if not (folder / "scorecard.csv").is_file():
        return []
    card = tables.read_output(folder, "scorecard.csv", dtype={"region_id": str})
    part = card[(card["region_id"] == TOTAL_REGION) & (card["target"] == "forest_coverage")]
    return sorted({float(v) for v in part["target_value"]})


def _finite(value: float) -> int | None:
    return int(value) if np.isfinite(value) else None


AMOUNTS: Final = {
    "stock_volume": (("stock_volume",), "m3"), "carbon_biomass": (("carbon_agb", "carbon_bgb"), "Mg C"),
    "carbon_total": (POOL_KEYS, "Mg C"),
}  # fmt: skip


def _amounts(
    run: RunMap, found: SampleEstimate, weights: Mapping[str, float], level: str, notes: list[str]
) -> dict[str, Any]:
    """Mapped density × corrected area, of the classes that are forest in full and hold the quantity on the map."""
    areas = run.sums("area_ha", level)
    full = [c for c, w in weights.items() if w == 1 and areas.get(c, 0.0) > 0]
    out: dict[str, Any] = {}
    for name, (parts, unit) in AMOUNTS.items():
        by_part = [run.sums(p, level) for p in parts]
        held = {c: float(np.nansum([b.get(c, np.nan) for b in by_part])) for c in full}
        classes = [c for c in full if any(np.isfinite(b.get(c, np.nan)) for b in by_part)]
        if not classes:
            continue
        total, area = sum(held[c] for c in classes), sum(areas[c] for c in classes)
        error = _map_se(run, name, parts, classes, level)
        corrected = sampling.product(total / area, error / area, found.union(classes))
        out[name] = {
            "unit": unit, "classes": classes, "mapped": total, "mapped_per_ha": total / area,
            "mapped_se": None if np.isnan(error) else error, "corrected": _told(corrected, 0.0),
        }  # fmt: skip
        if np.isnan(error):
            out[name]["interval_lacks"] = "the error of the map's density"
    if out:
        notes.append(
            "volume and carbon take omitted forest to hold as much per hectare as mapped forest"
            + (
                "; their intervals lack the error of the density"
                if any("interval_lacks" in v for v in out.values())
                else ""
            )
        )
    return out


def _map_se(run: RunMap, name: str, parts: Sequence[str], classes: Sequence[str], level: str) -> float:
    """Standard error of the mapped total from the run's own table; NaN where it has none.

    Pools and classes share their errors (one biomass map, one root ratio), so that standard errors are added.
    """
    if not (run.folder / "accounts.parquet").is_file():
        return float("nan")
    tidy = tables.read_output(run.folder, "accounts.parquet")
    tidy = tidy[(tidy["region_id"] == TOTAL_REGION) & (tidy["ecosystem"] != "all")]
    own = tidy["quantity"] == name  # of a total that the run tells itself, its own error
    tidy = tidy[own if own.any() else tidy["quantity"].isin(parts)]
    # Types where the class is one, else the ecosystem's own line.
    typed = level == "forest_type"
    labels = [
        fine_label(str(e), "" if f == "all" else str(f))
        for e, f in zip(tidy["ecosystem"], tidy["forest_type"], strict=True)
    ]
    fits = [
        (lab in classes) if typed else ("/" not in lab and run.at_level(lab, level) in classes) for lab in labels
    ]  # fmt: skip
    part = tidy.loc[np.array(fits, bool), ["value", "se"]]
    part = part[part["value"].notna() & (part["value"] != 0)]
    return float(part["se"].sum()) if len(part) and part["se"].notna().all() else float("nan")


# ------------------------------------------------------------------------------------------ files


def write_result(found: Result, out: Path) -> list[Path]:
    """Classes, matrix and summary in a folder, with the budget and the regions where there are any."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made a folder ({error.strerror}); choose another with --out") from None
    paths = [out / n for n in ("sample_classes.csv", "sample_matrix.csv", "sample_summary.json")]
    tables.write_table(class_table(found.estimate), paths[0])
    tables.write_table(matrix(found.estimate), paths[1])
    with atomic_path(paths[2]) as part:
        part.write_text(
            json.dumps(found.summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    return [*paths, *samplebudget.write(out, found.budget, found.regions)]


def class_table(e: SampleEstimate) -> pd.DataFrame:
    """The classes; a class that the legend does not know is on the map alone, and has no area to be estimated."""
    table = e.table()
    table.loc[table["class"] == UNKNOWN, list(sampling.CLASS_COLUMNS[2:8])] = np.nan
    return table


def matrix(e: SampleEstimate) -> pd.DataFrame:
    """The error matrix, one row a cell: points, share of the area, hectares."""
    rows = [
        (m, r, int(e.counts[i, j]), float(e.proportions[i, j]), float(e.proportions[i, j]) * e.total_ha)
        for i, m in enumerate(e.classes)
        for j, r in enumerate(e.classes)
    ]
    return pd.DataFrame(rows, columns=["map_class", "reference_class", "points", "share", "area_ha"])
