"""Protected areas, red lines or projects laid over a finished change: what is inside each, inside any, outside all.

The maps of the run are walked once, block by block. An area that overlaps another is told in full, and the union of all without
counting a pixel twice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.assess import closure
from pipelines.assess.closure import Check
from pipelines.change import losspatches
from pipelines.change.changeblock import ChangeBlock, ChangeReader, open_reader, parts
from pipelines.change.losspatches import Patches, Pieces
from pipelines.errors import InputError
from pipelines.files import tables
from pipelines.inputs import zones
from pipelines.inputs.arealayers import AreaLayers, layered
from pipelines.inputs.grid import Block
from pipelines.outputs import columns, geopackage
from pipelines.outputs.geopackage import GpkgLayer, LayerStyle
from pipelines.samples.changemap import ChangeMap
from pipelines.work import graph
from pipelines.work.cluster import Workers
from pipelines.work.progress import Progress
from sinks import transitions
from sinks.accounts import TOTAL_REGION
from sinks.ledger import SIDES
from sinks.ledger import label as class_label
from sinks.quantities import TOTAL
from sinks.sampling import hint
from sinks.units import M2_PER_HA

INSIDE, INSIDE_ANY, OUTSIDE_ALL = "inside", "inside_any", "outside_all"
OUTSIDE: Final = "outside"
"""Id of what is in no area; the union of all has that of the union of all regions."""
CONSTRUCTION: Final = "construction_take"
QUANTITIES: Final = ("area", *(f"{side}_{TOTAL.key}" for side in SIDES))
COLUMNS: Final = (
    "area_id", "area_name", "where", "year_from", "year_to", "from_class", "to_class", "process", "quantity", "unit", "value",
)  # fmt: skip
BLOCK: Final = 1024
_KEYS: Final = ["zone", "place"]
_APART: Final = 1e-3
"""Part of the gains and losses by which closing less opening may differ from the change before it is told."""
_FLOAT: Final = 1e-6
"""Part of the gains and losses by which a sum over 32-bit pixels may differ."""


@dataclass(frozen=True)
class Reserves:
    """Areas over a change.

    areas : as they were read; table : ``COLUMNS``; classes : area and carbon of every class at either epoch; summary : one row an
    area, the union and the rest (``ALIASES``); patches : of the processes asked for.
    """

    areas: zones.Regions
    years: tuple[int, int]
    processes: tuple[str, ...]
    table: pd.DataFrame
    classes: pd.DataFrame
    summary: pd.DataFrame
    patches: Patches
    notes: tuple[str, ...]
    checks: tuple[Check, ...]


def reserves(
    folder: Path, path: Path, *, layer: str | None = None, id_column: str | None = None, name_column: str | None = None,
    processes: Sequence[str] = losspatches.PROCESSES, minimum_ha: float = losspatches.MINIMUM_HA,
    workers: int | None = None, block_size: int = BLOCK, quiet: bool = True,
) -> Reserves:  # fmt: skip
    """Lay the polygons of a file over a finished change.

    processes : keys of ``sinks/tables/processes.csv`` whose patches are listed; minimum_ha : the smallest patch. Raises
    InputError for a run, file or process that cannot be used, RunError when the areas do not add up to the run.
    """
    known = transitions.processes()
    for each in processes:
        if each not in known:
            raise InputError(f"'{each}' is no process{hint(each, list(known))}; there are {', '.join(known)}")
    if not processes or not minimum_ha >= 0:
        raise InputError(
            f"patches of {minimum_ha:g} ha of {len(processes)} processes are asked for; give a process and a size"
        )
    reader, run = open_reader(folder)
    areas = zones.read_regions(
        str(path), grid=reader.grid, layer=layer, id_column=id_column, name_column=name_column
    )  # fmt: skip
    wanted = np.zeros(256, bool)
    wanted[[known[p].code for p in processes]] = True
    task = Task(reader, layered(areas), wanted, minimum_ha)
    blocks = reader.grid.blocks(block_size, block_size)
    bar = Progress("blocks", len(blocks), reader.grid.width * reader.grid.height, quiet)
    count = workers or len(os.sched_getaffinity(0))
    partial = merge(graph.run(blocks, task, Workers(count), bar.update))
    bar.close()
    wide = _named(partial.sums, areas, reader.years)
    checks = _checks(wide, run)
    closure.require(checks)
    found = losspatches.patches(partial.pieces, reader.grid, areas, reader.years, minimum_ha)
    return Reserves(
        areas, reader.years, tuple(processes), _tidy(wide), _classes(wide), _summary(wide, areas, found), found,
        _notes(areas, wide, found), tuple(checks),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ the walk


@dataclass(frozen=True)
class Partial:
    """What some blocks give: sums by zone (0 outside all, k in area k, n + 1 in any) and place, and parts of patches."""

    sums: pd.DataFrame
    pieces: Pieces


@dataclass(frozen=True)
class Task:
    """The function of one block; a class so that it travels to workers."""

    reader: ChangeReader
    areas: AreaLayers
    wanted: NDArray[np.bool_]
    minimum_ha: float

    def __call__(self, block: Block) -> Partial:
        data = self.reader.read(block)
        told = data.process > 0
        inside_any = np.zeros(told.shape, bool)
        sums, pieces = [], []
        for n in range(len(self.areas.layers)):
            zone = np.where(told, self.areas.label(n, block), 0)
            inside = zone > 0
            if inside.any():
                inside_any |= inside
                sums.append(_sums(data, zone, inside))
                pieces.append(losspatches.find(data, zone, n, self.wanted, self.minimum_ha))
        union = np.where(inside_any, len(self.areas.regions.ids) + 1, 0).astype(np.int32)
        return Partial(pd.concat([*sums, _sums(data, union, told)], ignore_index=True), losspatches.join(pieces))


def merge(partials: Sequence[Partial]) -> Partial:
    """The sum of several, in their order."""
    sums = pd.concat([p.sums for p in partials], ignore_index=True)
    return Partial(sums.groupby(_KEYS).sum().reset_index(), losspatches.join([p.pieces for p in partials]))


def _sums(data: ChangeBlock, zone: NDArray[np.int32], counted: NDArray[np.bool_]) -> pd.DataFrame:
    """Area [ha] and carbon [Mg C] by zone and place of the pixels that count."""
    at = np.flatnonzero(counted)
    key = zone.ravel()[at].astype(np.int64) << 32 | data.place.ravel()[at]
    group, keys = pd.factorize(key)
    area = data.area.ravel()[at] / M2_PER_HA
    change = data.change.ravel()[at] * area
    amounts = (
        area, data.opening.ravel()[at] * area, data.closing.ravel()[at] * area, np.maximum(change, 0.0),
        np.minimum(change, 0.0), change,
    )  # fmt: skip
    columns = {q: np.bincount(group, a, keys.size) for q, a in zip(QUANTITIES, amounts, strict=True)}
    return pd.DataFrame({"zone": keys >> 32, "place": keys & 0xFFFFFFFF, **columns})


# ------------------------------------------------------------------------------------------ tables


def _named(sums: pd.DataFrame, areas: zones.Regions, years: tuple[int, int]) -> pd.DataFrame:
    """The sums with the names of areas, classes and processes; areas in file order, then the union and the rest."""
    n = len(areas.ids)
    keys = {
        **{k + 1: (i, name, INSIDE) for k, (i, name) in enumerate(zip(areas.ids, areas.names, strict=True))},
        n + 1: (TOTAL_REGION, "", INSIDE_ANY), 0: (OUTSIDE, "", OUTSIDE_ALL),
    }  # fmt: skip
    order = {zone: k for k, zone in enumerate(keys)}
    sums = sums.assign(order=sums["zone"].map(order)).sort_values(["order", "place"]).reset_index(drop=True)
    before, after, process = parts(sums["place"].to_numpy(np.int64))
    known = {p.code: p.key for p in transitions.processes().values()}
    told = [keys[z] for z in sums["zone"]]
    names = {
        "area_id": [t[0] for t in told], "area_name": [t[1] for t in told], "where": [t[2] for t in told],
        "year_from": years[0], "year_to": years[1], "from_class": [class_label(int(c)) for c in before],
        "to_class": [class_label(int(c)) for c in after], "process": [known[int(c)] for c in process],
    }  # fmt: skip
    return pd.concat([pd.DataFrame(names, index=sums.index), sums[list(QUANTITIES)]], axis=1)


def _tidy(wide: pd.DataFrame) -> pd.DataFrame:
    ids = [c for c in wide if c not in QUANTITIES]
    long = wide.reset_index().melt(["index", *ids], list(QUANTITIES), "quantity", "value")
    long = long.sort_values("index", kind="stable").reset_index(drop=True)
    long["unit"] = np.where(long["quantity"] == "area", "ha", TOTAL.total_unit)
    return long[list(COLUMNS)]


def _classes(wide: pd.DataFrame) -> pd.DataFrame:
    """area_id, area_name, where, year, class, area_ha, carbon_mg."""
    found = []
    keys = ["area_id", "area_name", "where"]
    for year, which, side in (("year_from", "from_class", "opening"), ("year_to", "to_class", "closing")):
        part = wide[[*keys, year, which, "area", f"{side}_{TOTAL.key}"]]
        part.columns = pd.Index([*keys, "year", "class", "area_ha", "carbon_mg"])
        found.append(part.groupby([*keys, "year", "class"], sort=False).sum().reset_index())
    return pd.concat(found, ignore_index=True)


ALIASES: Final = columns.aliases("reserves")
"""English and Chinese name and unit of every column."""
STYLES: Final = (
    LayerStyle("change_mg_c_per_ha", "Carbon change 碳密度变化", "change", "area_name"),
    LayerStyle("construction_ha", "Taken by construction 建设占用", "soil", "area_name"),
)


def _summary(wide: pd.DataFrame, areas: zones.Regions, found: Patches) -> pd.DataFrame:
    """One row an area in file order, with zeros where the map tells nothing of it; then the union and the rest."""
    ids = [*zip(areas.ids, [INSIDE] * len(areas.ids), strict=True), (TOTAL_REGION, INSIDE_ANY), (OUTSIDE, OUTSIDE_ALL)]
    index = pd.MultiIndex.from_tuples(ids, names=["area_id", "where"])
    built = wide["process"] == CONSTRUCTION
    more = wide.assign(
        changed_class_ha=wide["area"].where(wide["from_class"] != wide["to_class"], 0.0),
        construction_ha=wide["area"].where(built, 0.0), construction_mg_c=wide[f"change_{TOTAL.key}"].where(built, 0.0),
    )  # fmt: skip
    columns = {"area": "area_ha", **{f"{side}_{TOTAL.key}": f"{side}_mg_c" for side in SIDES}}
    amounts = [*columns, "changed_class_ha", "construction_ha", "construction_mg_c"]
    told = more.groupby(["area_id", "where"])[amounts].sum().reindex(index, fill_value=0.0).rename(columns=columns)
    told["change_mg_c_per_ha"] = told["change_mg_c"] / told["area_ha"].where(told["area_ha"] > 0)
    told = told.reset_index()
    told["area_name"] = [*areas.names, "", ""]
    told["drawn_ha"] = [*areas.area_ha, np.nan, np.nan]
    by = found.frame.groupby("area_id")[["area_ha", "change_mg_c"]].agg(["count", "sum"])
    small = found.left_out.set_index("area_id")
    inside = told["where"] == INSIDE
    listed = {"patches": ("area_ha", "count"), "patches_ha": ("area_ha", "sum"), "patches_mg_c": ("change_mg_c", "sum")}
    for column, source in listed.items():
        told[column] = told["area_id"].map(by[source]).fillna(0.0).where(inside)
    for column, name in (("small_patches", "patches"), ("small_patches_ha", "area_ha")):
        told[column] = told["area_id"].map(small[name]).astype(float).fillna(0.0).where(inside)
    return told[list(ALIASES)]


def _checks(wide: pd.DataFrame, run: ChangeMap) -> list[Check]:
    """Inside any + outside all = the run."""
    parts_of_all = wide[wide["where"] != INSIDE]
    run_sums = run.table.groupby("quantity")["value"].sum()
    found = [
        closure.check("area: inside any + outside all = the run", float(parts_of_all["area"].sum()), run_sums["area"])
    ]
    key = f"change_{TOTAL.key}"
    moved = float(parts_of_all[key].sum())
    scale = float(run_sums[[f"gain_{TOTAL.key}", f"loss_{TOTAL.key}"]].abs().sum())
    off = abs(moved - run_sums[key]) / scale if scale else 0.0
    found.append(
        Check("change of carbon: inside any + outside all = the run", moved, float(run_sums[key]), off, _FLOAT)
    )
    return found


def _notes(areas: zones.Regions, wide: pd.DataFrame, found: Patches) -> tuple[str, ...]:
    # That a pixel is counted once is said of regions; here every area is told in full.
    notes = [n for n in areas.notes if not n.startswith("regions: overlap")]
    if len(notes) < len(areas.notes):
        notes.append("some areas overlap: each is told in full, and inside_any counts a pixel once")
    whole = wide.loc[wide["where"] != INSIDE, list(QUANTITIES)].sum()
    opening, closing, gain, loss, change = (whole[f"{side}_{TOTAL.key}"] for side in SIDES)
    apart = closing - opening - change
    if abs(apart) > _APART * (gain - loss):
        notes.append(
            f"closing less opening differs from the change by {apart:,.0f} Mg C: pools that one epoch alone tells are in the "
            f"stocks and in no change"
        )
    small = found.left_out
    if len(small):
        notes.append(
            f"{int(small['patches'].sum()):,} patches below {found.minimum_ha:g} ha are not listed: "
            f"{float(small['area_ha'].sum()):,.1f} ha"
        )
    return tuple(notes)


# ------------------------------------------------------------------------------------------ files


def write(found: Reserves, out: Path) -> list[Path]:
    """``reserves.csv``, ``reserve_classes.csv``, ``reserve_summary.csv`` and ``reserves.gpkg`` in a folder."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder with --out") from None
    frames = {"reserves.csv": found.table, "reserve_classes.csv": found.classes, "reserve_summary.csv": found.summary}
    for name, frame in frames.items():
        tables.write_table(frame, out / name)
    geopackage.write_geopackage(out / "reserves.gpkg", _layers(found))
    return [*(out / name for name in frames), out / "reserves.gpkg"]


def _layers(found: Reserves) -> list[GpkgLayer]:
    inside = found.summary[found.summary["where"] == INSIDE].drop(columns="where").reset_index(drop=True)
    shapes = gpd.GeoDataFrame(
        inside, geometry=gpd.GeoSeries.from_wkb(list(found.areas.originals)), crs=found.areas.crs_wkt
    )
    years = f"{found.years[0]}–{found.years[1]}"
    patches = losspatches.layer(found.patches, found.processes)
    where = {"where": columns.labels("where")}
    return [
        GpkgLayer("reserves", f"Change of carbon {years} 碳储量变化", "Areas with what is inside them", shapes, ALIASES, STYLES),
        replace(patches, title=f"{patches.title} {years}"),
        GpkgLayer("inside_outside", f"Inside and outside {years} 区内区外", "Every area, inside any, outside all", found.summary,
                  ALIASES, domains=where),
        GpkgLayer("transitions", f"Transitions {years} 转移矩阵", "Class before × class after × process × quantity", found.table,
                  columns.aliases("reserve_transitions"), domains={**where, "process": columns.process_labels()}),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ for people


def text(found: Reserves, most: int = 12) -> str:
    """A line an area, the union and the rest; the largest patches; notes."""
    lines = [
        f"{found.years[0]}–{found.years[1]}; change and loss in Mg C, positive = the land gained", "",
        f"{'area':28}{'ha':>14}{'opening':>15}{'change':>13}{'built on ha':>13}{'patches':>9}",
    ]  # fmt: skip
    rows = list(found.summary.to_dict("records"))
    shown = rows if len(rows) <= most + 2 else [*rows[:most], *rows[-2:]]
    for r in shown:
        name = {INSIDE_ANY: "inside any", OUTSIDE_ALL: "outside all"}.get(
            r["where"], f"{r['area_id']} {r['area_name']}".strip()
        )
        patches = "" if r["patches"] != r["patches"] else f"{r['patches']:.0f}"
        lines.append(
            f"{_fitted(name, 28)}{r['area_ha']:>14,.1f}{r['opening_mg_c']:>15,.0f}{r['change_mg_c'] + 0.0:>+13,.0f}"
            f"{r['construction_ha']:>13,.1f}{patches:>9}"
        )
    if len(shown) < len(rows):
        lines.append(f"… and {len(rows) - len(shown)} more in reserve_summary.csv")
    frame = found.patches.frame
    said = ", ".join(found.processes)
    lines += [
        "",
        f"{len(frame)} patches of {said}, {found.patches.minimum_ha:g} ha or more: {frame['area_ha'].sum():,.1f} ha",
    ]
    for r in frame.head(5).drop(columns="geometry").to_dict("records"):
        lines.append(
            f"  {r['rank']:>4}  {_fitted(r['area_id'], 12)}{r['area_ha']:>10,.2f} ha{r['change_mg_c'] + 0.0:>+12,.1f} Mg C  "
            f"{r['lat']:.5f}, {r['lon']:.5f}  {r['from_class_mix']}"
        )
    return "\n".join([*lines, "", *(f"note: {n}" for n in found.notes)])


def _fitted(told: str, width: int) -> str:
    """Padded to a width of the screen, on which a Chinese character takes two places."""
    return told + " " * max(1, width - sum(2 if ord(c) > 0x2E7F else 1 for c in told))


def as_dict(found: Reserves) -> dict[str, Any]:
    """For machines: NaN as null."""
    frame = pd.DataFrame(found.patches.frame.drop(columns="geometry"))
    return {
        "years": list(found.years),
        "processes": list(found.processes),
        "minimum_ha": found.patches.minimum_ha,
        "areas": _records(found.summary),
        "patches": _records(frame),
        "notes": list(found.notes),
    }


def _records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
