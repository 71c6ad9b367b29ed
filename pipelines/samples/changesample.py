"""What a labelled sample says of a finished change: the area of every process, corrected, and the carbon that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.errors import InputError
from pipelines.files import tables
from pipelines.samples.changemap import SAME, ChangeMap, open_change
from pipelines.samples.samplefile import LISTED, read_sample
from sinks import sampling
from sinks.sampling import SampleEstimate, hint

CARBON = "change_carbon_total"


@dataclass(frozen=True)
class ChangeEstimate:
    """estimate : areas and accuracy; carbon : by process, mapped and corrected area [ha] and change [Mg C], with se; notes."""

    estimate: SampleEstimate
    carbon: pd.DataFrame
    notes: list[str]


def estimate(folder: Path, path: Path, *, column: str = "reference", level: str = "class_change") -> ChangeEstimate:
    """Areas of change by a labelled sample that 'sinks sample design' drew on the change, or any other stratified by its map.

    Corrected carbon is the corrected area times the map's mean change per hectare of that process: its error is that of the area
    alone. Raises InputError.
    """
    run = open_change(folder)
    if level not in run.levels:
        raise InputError(f"--classes is '{level}'; choose one of {', '.join(run.levels)}")
    sample = read_sample(path, run.grid)
    if column not in sample.table:
        raise InputError(
            f"{path}: has no column '{column}'{hint(column, [str(c) for c in sample.table])}; name it with --column"
        )
    notes: list[str] = []
    given = np.array([bool(str(v).strip()) for v in sample.table[column]])
    if not given.any():
        raise InputError(f"{path}: column '{column}' is empty, no point has a reference label; fill it in")
    if not given.all():
        notes.append(
            f"{int((~given).sum())} of {given.size} points have no label and are left out, as if missing at random"
        )
    sample = sample.only(given)
    a, _, x0, _, e, y0 = run.grid.transform
    col, row = np.floor((sample.x - x0) / a).astype(np.int64), np.floor((sample.y - y0) / e).astype(np.int64)
    off = (col < 0) | (col >= run.grid.width) | (row < 0) | (row >= run.grid.height)
    if off.any():
        names = [n for n, o in zip(sample.names(), off, strict=True) if o]
        raise InputError(
            f"{path}: {len(names)} point(s) are off the map of {folder} ({', '.join(names[:LISTED])}); check them"
        )
    codes = run.codes_at(row, col)
    known = codes > 0
    if not known.any():
        raise InputError(f"{path}: no point lies on the common map of both epochs of {folder}; check their coordinates")
    if not known.all():
        notes.append(
            f"{int((~known).sum())} points lie where an epoch has no class, or outside the regions, and are left out"
        )
    sample, codes = sample.only(known), codes[known]
    reference = run.resolve(list(sample.table[column]), sample.names(), f"{path}, column '{column}'")
    if level == "process" and SAME in reference:
        raise InputError(
            f"{path}: some labels say '{SAME}', so only changes of class can be told; use --classes class_change"
        )
    mapped = [run.labels[int(c)] for c in codes]
    stratum, areas = _strata(run, sample.strata, mapped)
    areas_on_map = run.sums("area_ha", level)
    found = sampling.estimate(
        [run.at_level(m, level) for m in mapped], [run.at_level(r, level) for r in reference], areas, stratum=stratum,
        classes=list(dict.fromkeys([*areas_on_map, *(run.at_level(r, level) for r in reference)])),
        mapped_area_ha=areas_on_map,
    )  # fmt: skip
    notes.append(
        "corrected carbon takes omitted change to hold as much per hectare as mapped change; its error is that of the area"
    )
    return ChangeEstimate(found, _carbon(run, found, level), notes)


def _strata(run: ChangeMap, table: pd.DataFrame | None, mapped: list[str]) -> tuple[list[str], dict[str, float]]:
    """Stratum of every point and area of every stratum: those of the design, else the processes of the map."""
    areas = dict(zip(run.fine["label"], run.fine["area_ha"], strict=True))
    if table is None:
        return mapped, {k: v for k, v in areas.items() if v > 0}
    index: dict[str, str] = {}
    found: dict[str, float] = {}
    for name, members, area in zip(table["stratum"], table["members"], table["area_ha"], strict=True):
        labels = str(members).split(";")
        if abs(sum(areas.get(m, 0.0) for m in labels) - float(area)) > 1e-6 * float(area):
            raise InputError(
                f"stratum {name} of the sample has another area than {run.folder}; estimate with the change it was drawn on"
            )
        index |= dict.fromkeys(labels, str(name))
        found[str(name)] = float(area)
    return [index[m] for m in mapped], found


def _carbon(run: ChangeMap, found: SampleEstimate, level: str) -> pd.DataFrame:
    carbon, area = run.sums(CARBON, level), run.sums("area_ha", level)
    rows = []
    for label in found.classes:
        corrected = found.area(label)
        density = carbon[label] / area[label] if area.get(label) else np.nan
        low, high = corrected.interval()
        rows.append(
            (label, area.get(label, 0.0), corrected.value, corrected.se, low, high, carbon.get(label, np.nan),
             corrected.value * density, corrected.se * abs(density))
        )  # fmt: skip
    columns = [
        "process", "mapped_ha", "corrected_ha", "se_ha", "low_ha", "high_ha", "mapped_change_mg_c", "corrected_change_mg_c",
        "se_change_mg_c",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def write_result(found: ChangeEstimate, out: Path) -> list[Path]:
    """``change_areas.csv`` and ``change_matrix.csv`` in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    e = found.estimate
    cells = [
        (m, r, int(e.counts[i, j]), float(e.proportions[i, j]) * e.total_ha)
        for i, m in enumerate(e.classes)
        for j, r in enumerate(e.classes)
    ]
    paths = [out / "change_areas.csv", out / "change_matrix.csv"]
    tables.write_table(found.carbon, paths[0])
    tables.write_table(pd.DataFrame(cells, columns=["map_process", "reference_process", "points", "area_ha"]), paths[1])
    return paths


def text(found: ChangeEstimate) -> str:
    """The estimate for people."""
    e = found.estimate
    lines = [
        f"{int(e.points.sum())} points in {len(e.strata)} strata, {e.total_ha:,.1f} ha that both epochs tell; intervals of 95 %",
        "",
        f"{'process':22}{'mapped ha':>14}{'corrected ha':>14}{'±':>12}{'mapped Mg C':>16}{'corrected Mg C':>16}{'±':>12}",
    ]  # fmt: skip
    for r in found.carbon.to_dict("records"):
        lines.append(
            f"{r['process']:22}{r['mapped_ha']:>14,.1f}{r['corrected_ha']:>14,.1f}{1.96 * r['se_ha']:>12,.1f}"
            f"{r['mapped_change_mg_c']:>16,.0f}{r['corrected_change_mg_c']:>16,.0f}{1.96 * r['se_change_mg_c']:>12,.0f}"
        )
    lines += ["", f"Overall accuracy {e.overall.value:.3f} ± {1.96 * e.overall.se:.3f}", ""]
    return "\n".join([*lines, *(f"Note: {n}" for n in found.notes)])
