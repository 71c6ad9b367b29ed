"""What a reference sample adds to a run's error budget: corrected amounts with the share of every source, and regions.

The area of a class is unsure by the sample, what a hectare of it holds by the coefficients and the biomass map. The two are
independent; coefficients are shared by all classes, so their effects are added before they are squared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.assess import kepterrors
from pipelines.files import tables
from pipelines.samples.samplemap import UNKNOWN, RunMap, fine_label
from sinks import sampling
from sinks.accounts import ALL, OUTSIDE_REGIONS, TOTAL_REGION
from sinks.budget import SOURCES, Z95
from sinks.quantities import BY_KEY, POOL_KEYS, TOTAL, VOLUME
from sinks.sampling import SampleEstimate

QUANTITIES: Final = (TOTAL.key, *POOL_KEYS, VOLUME.key)
DIRECT_POINTS: Final = 50
"""Points from which a region is told by its own [design: what Olofsson et al. 2014 ask of a stratum at least]."""
REGION_COLUMNS: Final = (
    "region_id", "region_name", "class", "method", "points", "mapped_ha", "corrected_ha", "se", "low", "high",
)  # fmt: skip


def budget(run: RunMap, found: SampleEstimate, level: str) -> pd.DataFrame:
    """Corrected amounts of every class and of all, with standard error, 95 % interval and the share of every source.

    corrected : Σ map density · corrected area, of the classes that the map has. The map's errors are taken as one error of all
    classes, which is conservative. Empty where the run has kept no errors.
    """
    if not (run.folder / kepterrors.MOVES).is_file():
        return pd.DataFrame()
    kept = kepterrors.read(run.folder)
    moves = _by_class(run, kept.moves[kept.moves["region_id"] == TOTAL_REGION], level)
    map_sd = _map_sd(run, level)
    mapped_area = run.sums("area_ha", level)
    classes = [c for c in found.classes if mapped_area.get(c, 0.0) > 0 and c != UNKNOWN]
    rows = []
    for quantity in QUANTITIES:
        parts = POOL_KEYS if quantity == TOTAL.key else (quantity,)
        held = {c: float(np.nansum([run.sums(p, level).get(c, np.nan) for p in parts])) for c in classes}
        told = [c for c in classes if any(np.isfinite(run.sums(p, level).get(c, np.nan)) for p in parts)]
        if not told:
            continue
        ratio = {c: found.area(c).value / mapped_area[c] for c in told}
        here = moves[moves["quantity"] == quantity]
        for name, of in [(ALL, told), *((c, [c]) for c in told)]:
            density = {c: held[c] / mapped_area[c] for c in of}
            variance = dict.fromkeys(SOURCES, 0.0)
            scaled = here[here["class"].isin(of)]
            scaled = scaled.assign(moved=scaled["moved"] * np.asarray([ratio[c] for c in scaled["class"]], np.float64))
            moved = scaled.groupby(["source", "coefficient"])["moved"].sum()
            for source, value in zip(moved.index.get_level_values(0), moved.to_numpy(), strict=True):
                variance[str(source)] += float(value) ** 2
            variance["biomass map"] = sum(map_sd.get((c, quantity), 0.0) * ratio[c] for c in of) ** 2
            variance["area"] = found.combination(density).se ** 2
            value = sum(held[c] * ratio[c] for c in of)
            se = sum(variance.values()) ** 0.5
            shares = {f"share_{s.replace(' ', '_')}": v / se**2 if se else 0.0 for s, v in variance.items()}
            rows.append(
                {"region_id": TOTAL_REGION, "class": name, "quantity": quantity, "unit": BY_KEY[quantity].total_unit,
                 "mapped": sum(held[c] for c in of), "corrected": value, "se": se, "low": max(0.0, value - Z95 * se),
                 "high": value + Z95 * se} | shares
            )  # fmt: skip
    return pd.DataFrame(rows)


def _by_class(run: RunMap, moves: pd.DataFrame, level: str) -> pd.DataFrame:
    """Moves of the finest rows that add up to classes of the level: quantity, source, coefficient, class, moved."""
    part = moves[moves["ecosystem"] != ALL]
    if level == "forest_type":
        typed = set(part.loc[part["forest_type"] != ALL, "ecosystem"])
        part = part[(part["forest_type"] != ALL) | ~part["ecosystem"].isin(typed)]
    else:
        part = part[part["forest_type"] == ALL]
    labels = [
        run.at_level(fine_label(str(e), "" if f == ALL else str(f)), level)
        for e, f in zip(part["ecosystem"], part["forest_type"], strict=True)
    ]
    keys = ["quantity", "source", "coefficient", "class"]
    return part.assign(**{"class": labels}).groupby(keys)["moved"].sum().reset_index()


def _map_sd(run: RunMap, level: str) -> dict[tuple[str, str], float]:
    """Standard error of the map's part by class and quantity, classes that are put together added up."""
    table = tables.read_output(run.folder, "errors.csv", dtype={"region_id": str})
    column = "share_biomass_map"
    if column not in table:
        return {}
    part = table[(table["region_id"] == TOTAL_REGION) & (table["ecosystem"] != ALL)]
    typed = (part["forest_type"] != ALL) | ~part["ecosystem"].eq("forest")
    part = part[typed if level == "forest_type" else part["forest_type"] == ALL]
    found: dict[tuple[str, str], float] = {}
    for row in part.to_dict("records"):
        kind = "" if row["forest_type"] == ALL else str(row["forest_type"])
        key = run.at_level(fine_label(str(row["ecosystem"]), kind), level), str(row["quantity"])
        found[key] = found.get(key, 0.0) + float(row["se"]) * float(row[column]) ** 0.5
    return found


# ------------------------------------------------------------------------------------------ regions


def regions(
    run: RunMap, found: SampleEstimate, level: str, x: NDArray[np.float64], y: NDArray[np.float64]
) -> pd.DataFrame:
    """Areas of every class in every region (``REGION_COLUMNS``), [ha].

    A region with enough points of its own, in every map class that it has, is told by them (method "direct": its map classes as
    strata). Any other is told by the whole sample (method "synthetic": what each map class is on the ground, applied to the
    region's map): it takes the map to err there as it does everywhere, and its error is that of the sample alone.
    x, y : of the sample's points in the map's CRS, in the order of the estimate.
    """
    strata = run.account.strata
    part = strata[(strata["region_id"] != OUTSIDE_REGIONS) & (strata["ecosystem"] != "nodata")]
    labels = [
        run.at_level(fine_label(str(e), str(f)), level)
        for e, f in zip(part["ecosystem"], part["forest_type"], strict=True)
    ]
    areas = part.assign(label=labels).groupby(["region_id", "label"])["area_ha"].sum()
    where = _region_of(run, x, y)
    shares, spread = _confusion(found)
    names = {r.id: r.name for r in run.account.regions}
    rows = []
    for region in names:
        if region not in areas.index.get_level_values(0):
            continue
        own = {str(k): float(v) for k, v in areas[region].items()}
        here = where == region
        direct = _direct(found, here, own) if here.sum() >= DIRECT_POINTS else None
        for j, label in enumerate(found.classes):
            if direct is not None and label in direct.classes:
                told = direct.area(label)
                value, se, method = told.value, told.se, "direct"
            elif direct is not None:
                value, se, method = 0.0, 0.0, "direct"
            else:
                known = [(i, own.get(c, 0.0)) for i, c in enumerate(found.classes)]
                value = sum(a * shares[i, j] for i, a in known)
                se = sum(a**2 * spread[i, j] for i, a in known) ** 0.5
                method = "synthetic"
            whole = sum(own.values())
            rows.append(
                (region, names[region], label, method, int(here.sum()), own.get(label, 0.0), value, se,
                 max(0.0, value - Z95 * se),
                 min(whole, value + Z95 * se))
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS))


def _confusion(found: SampleEstimate) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(map class, reference class): share on the ground, and its variance; a class without points is taken to be itself."""
    p = found.proportions
    rows = p.sum(axis=1, keepdims=True)
    shares = np.divide(p, rows, out=np.eye(len(found.classes)), where=rows > 0)
    n = found.counts.sum(axis=1, keepdims=True)
    spread = np.divide(shares * (1 - shares), n - 1, out=np.zeros_like(shares), where=n > 1)
    return shares, spread


def _direct(found: SampleEstimate, here: NDArray[np.bool_], own: dict[str, float]) -> SampleEstimate | None:
    """The estimate of a region from its own points, None where a map class of it has fewer than two."""
    mapped = [found.classes[k] for k in found.mapped[here]]
    if any(mapped.count(c) < 2 for c, a in own.items() if a > 0) or any(own.get(c, 0.0) <= 0 for c in mapped):
        return None
    reference = [found.classes[k] for k in found.reference[here]]
    return sampling.estimate(mapped, reference, own)


def _region_of(run: RunMap, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.object_]:
    """Id of the region that each point is in, blank for none."""
    a, _, x0, _, e, y0 = run.grid.transform
    col, row = np.floor((x - x0) / a).astype(np.int64), np.floor((y - y0) / e).astype(np.int64)
    ids = np.asarray(["", *(r.id for r in run.account.regions)], object)
    return ids[run.regions_at(row, col)]


def write(folder: Path, table: pd.DataFrame, by_region: pd.DataFrame) -> list[Path]:
    """``errors_with_sample.csv`` and ``sample_regions.csv``, those that hold anything."""
    found = []
    for name, frame in (("errors_with_sample.csv", table), ("sample_regions.csv", by_region)):
        if len(frame):
            tables.write_table(frame, folder / name)
            found.append(folder / name)
    return found
