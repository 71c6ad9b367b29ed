"""Patches of change inside areas: connected pixels, one feature each, however the map is cut into blocks.

Within a block pixels are joined along edges and across corners. Of every patch that may go on beyond its block the pixels at the
block's border are kept, and from these the patches are put together at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine

from pipelines.change.changeblock import ChangeBlock, parts
from pipelines.inputs.arealayers import RASTERIO
from pipelines.inputs.grid import Grid
from pipelines.inputs.zones import Regions
from pipelines.outputs import columns
from pipelines.outputs.geopackage import GpkgLayer, LayerStyle
from sinks import transitions
from sinks.components import components, joined
from sinks.ledger import label as class_label
from sinks.units import M2_PER_HA

MINIMUM_HA: Final = 0.5
"""Smallest patch that is listed, unless asked otherwise. A choice of design: some six pixels of 30 m, below which a patch of two
maps' errors is likelier than one of the land; for finer maps ask for less."""
PROCESSES: Final = ("construction_take",)
LAYER: Final = "loss_patches"

_PART_BITS, _LAYER_BITS, _PLACE_BITS = 25, 12, 32
_AMOUNTS: Final = ("pixels", "area_ha", "loss_mg_c", "change_mg_c")
_LEFT_OUT: Final = ("patches", "area_ha")
_NEIGHBOURS: Final = ((0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Pieces:
    """Parts of patches in some blocks; those of two sets of blocks add up.

    rows : per part × place: part, area (of the areas, from 1), place, first (number of its first pixel in the grid) and
    ``_AMOUNTS``; border : layer, row, col, area and part of pixels at the borders of blocks; shapes : WKB of every part, in
    pixels of the grid; left_out : by area, patches below the minimum and their area.
    """

    rows: pd.DataFrame
    border: pd.DataFrame
    shapes: dict[int, bytes]
    left_out: pd.DataFrame


def find(
    data: ChangeBlock, inside: NDArray[np.int32], layer: int, wanted: NDArray[np.bool_], minimum_ha: float
) -> Pieces:
    """Parts of patches in a block.

    inside : area of every pixel in one layer of areas; layer : its number; wanted : (256,) by code of process.
    """
    block = data.block
    value = np.where(wanted[data.process], inside, 0)
    found, n = components(value)
    at = np.flatnonzero(found)
    if not n:
        return join([])
    number = found.ravel()[at]
    row, col = np.divmod(at, block.width)
    outer = (row == 0) | (row == block.height - 1) | (col == 0) | (col == block.width - 1)
    area = data.area[row, col] / M2_PER_HA
    change = data.change.ravel()[at] * area
    open_end = np.zeros(n + 1, bool)
    open_end[number[outer]] = True
    size = np.bincount(number, area, n + 1)
    kept = open_end | (size >= minimum_ha)
    kept[0] = False
    area_of = np.zeros(n + 1, np.int32)
    area_of[number] = value.ravel()[at]
    small = np.flatnonzero(~kept[1:]) + 1
    base = (block.index << _LAYER_BITS | layer) << _PART_BITS
    k = kept[number]
    frame = pd.DataFrame({
        "part": base + number[k].astype(np.int64), "area": area_of[number[k]], "place": data.place.ravel()[at[k]],
        "first": (row[k] + block.row) * np.int64(1 << _PLACE_BITS) + col[k] + block.col, "pixels": 1, "area_ha": area[k],
        "loss_mg_c": np.minimum(change[k], 0.0), "change_mg_c": change[k],
    })  # fmt: skip
    border = pd.DataFrame({
        "layer": layer, "row": row[outer] + block.row, "col": col[outer] + block.col, "area": area_of[number[outer]],
        "part": base + number[outer].astype(np.int64),
    })  # fmt: skip
    left_out = pd.DataFrame({"area": area_of[small], "patches": 1, "area_ha": size[small]})
    return Pieces(
        _summed(frame, ["part", "area", "place"]), border, _outlines(found, kept, data, base),
        left_out.groupby("area")[list(_LEFT_OUT)].sum().reset_index(),
    )  # fmt: skip


def join(pieces: Sequence[Pieces]) -> Pieces:
    """The parts of all."""
    empty = Pieces(
        pd.DataFrame(columns=["part", "area", "place", "first", *_AMOUNTS]),
        pd.DataFrame(columns=["layer", "row", "col", "area", "part"]), {}, pd.DataFrame(columns=["area", *_LEFT_OUT]),
    )  # fmt: skip
    some = [p for p in pieces if len(p.rows) or len(p.left_out)]
    if not some:
        return empty
    left_out = pd.concat([p.left_out for p in some], ignore_index=True)
    return Pieces(
        pd.concat([p.rows for p in some], ignore_index=True), pd.concat([p.border for p in some], ignore_index=True),
        {k: v for p in some for k, v in p.shapes.items()}, left_out.groupby("area")[list(_LEFT_OUT)].sum().reset_index(),
    )  # fmt: skip


def _outlines(found: NDArray[np.int32], kept: NDArray[np.bool_], data: ChangeBlock, base: int) -> dict[int, bytes]:
    """Outline of every part that is kept."""
    shown = np.where(kept[found], found, 0).astype(np.int32)
    if not shown.any():
        return {}
    # Pixels that meet at a corner alone are rings of their own, or the outline would cross itself there.
    place = Affine.translation(data.block.col, data.block.row)
    with RASTERIO:
        told = list(rasterio.features.shapes(shown, mask=shown > 0, connectivity=4, transform=place))
    return _united([base + int(v) for _, v in told], [shapely.geometry.shape(s) for s, _ in told])


def _united(keys: Sequence[int], shapes: Sequence[Any]) -> dict[int, bytes]:
    """Union of the shapes of every key, as WKB."""
    groups: dict[int, list[Any]] = {}
    for key, shape in zip(keys, shapes, strict=True):
        groups.setdefault(key, []).append(shape)
    return {k: shapely.to_wkb(shapely.union_all(g) if len(g) > 1 else g[0]) for k, g in groups.items()}


def _summed(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    how = {"first": "min", **dict.fromkeys(_AMOUNTS, "sum")}
    return frame.groupby(keys, sort=True).agg(how).reset_index()


# ------------------------------------------------------------------------------------------ whole patches


@dataclass(frozen=True)
class Patches:
    """Patches, largest first, and what is too small to be one of them.

    frame : one row a patch (``ALIASES``) with its polygon, in the CRS of the grid; left_out : area_id, patches and area_ha of
    those below the minimum.
    """

    frame: gpd.GeoDataFrame
    left_out: pd.DataFrame
    minimum_ha: float


def patches(pieces: Pieces, grid: Grid, areas: Regions, years: tuple[int, int], minimum_ha: float) -> Patches:
    """Whole patches from the parts of all blocks."""
    ids = np.unique(pieces.rows["part"].to_numpy(np.int64))
    number = _numbers(pieces.border, ids)
    rows = pieces.rows.assign(patch=number[np.searchsorted(ids, pieces.rows["part"].to_numpy(np.int64))])
    rows = _summed(rows.astype({"first": np.int64}), ["patch", "area", "place"])
    size = rows.groupby("patch")["area_ha"].sum()
    large = size[size >= minimum_ha].index
    small = rows[~rows["patch"].isin(large)].groupby(["patch", "area"])["area_ha"].sum().reset_index()
    left_out = pd.concat([pieces.left_out, small.assign(patches=1)[["area", *_LEFT_OUT]]], ignore_index=True)
    left_out = left_out.groupby("area")[list(_LEFT_OUT)].sum().reset_index()
    left_out["area_id"] = [areas.ids[k - 1] for k in left_out["area"]]
    of_part = dict(zip(ids.tolist(), number.tolist(), strict=True))
    wanted = set(large.tolist())
    shown = {k: v for k, v in pieces.shapes.items() if of_part[k] in wanted}
    outlines = _united([of_part[k] for k in shown], shapely.from_wkb(list(shown.values())).tolist() if shown else [])
    table = _described(rows[rows["patch"].isin(large)], areas, years)
    return Patches(_placed(table, outlines, grid), left_out[["area_id", *_LEFT_OUT]], minimum_ha)


def _numbers(border: pd.DataFrame, ids: NDArray[np.int64]) -> NDArray[np.int32]:
    """Patch of every part (n,): parts of one area with neighbouring pixels at borders of blocks are one."""
    layer, row, col, area, part = (border[c].to_numpy(np.int64) for c in ("layer", "row", "col", "area", "part"))
    wide = int(col.max(initial=0)) + 3
    place = (layer * (int(row.max(initial=0)) + 2) + row) * wide + col + 1
    order = np.argsort(place)
    place, area, part = place[order], area[order], np.searchsorted(ids, part[order])
    one, two = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for down, right in _NEIGHBOURS if place.size else ():
        at = np.searchsorted(place, place + down * wide + right)
        at[at == place.size] = 0
        met = (place[at] == place + down * wide + right) & (area[at] == area)
        one.append(part[met])
        two.append(part[at[met]])
    return joined(ids.size, np.concatenate(one), np.concatenate(two))


def _described(rows: pd.DataFrame, areas: Regions, years: tuple[int, int]) -> pd.DataFrame:
    """One row a patch, the largest first."""
    codes = parts(rows["place"].to_numpy(np.int64))
    known = {p.code: p.key for p in transitions.processes().values()}
    rows = rows.assign(
        from_class=[class_label(int(c)) for c in codes[0]], to_class=[class_label(int(c)) for c in codes[1]],
        process=[known[int(c)] for c in codes[2]],
    )  # fmt: skip
    found = _summed(rows, ["patch", "area"]).set_index("patch")
    for column in ("from_class", "to_class", "process"):
        by = rows.groupby(["patch", column])["area_ha"].sum().reset_index()
        by = by.sort_values(["patch", "area_ha", column], ascending=[True, False, True])
        found[column] = by.groupby("patch")[column].first()
        by["told"] = by[column] + by["area_ha"].map(" {:.2f} ha".format)
        found[f"{column}_mix"] = by.groupby("patch")["told"].agg("; ".join)
    found = found.sort_values(["area_ha", "area", "first"], ascending=[False, True, True]).reset_index()
    found["area_id"] = [areas.ids[k - 1] for k in found["area"]]
    found["area_name"] = [areas.names[k - 1] for k in found["area"]]
    found["rank"] = np.arange(1, len(found) + 1)
    found["year_from"], found["year_to"] = years
    return found


def _placed(table: pd.DataFrame, outlines: dict[int, bytes], grid: Grid) -> gpd.GeoDataFrame:
    a, _, x0, _, e, y0 = grid.transform
    shapes = shapely.from_wkb(np.array([outlines[k] for k in table["patch"]], dtype=object))
    shapes = shapely.transform(shapes, lambda xy: np.column_stack((x0 + a * xy[:, 0], y0 + e * xy[:, 1])))
    shapes = shapely.normalize(shapes)
    middle = shapely.point_on_surface(shapes)
    geodetic = grid.crs.geodetic_crs or pyproj.CRS.from_epsg(4326)
    to_lonlat = pyproj.Transformer.from_crs(grid.crs, geodetic, always_xy=True)
    lon, lat = to_lonlat.transform(shapely.get_x(middle), shapely.get_y(middle))
    table = table.assign(
        lon=np.asarray(lon, float), lat=np.asarray(lat, float), pixels=table["pixels"].astype(np.int64)
    )
    return gpd.GeoDataFrame(table[list(ALIASES)], geometry=shapes, crs=grid.crs_wkt)


ALIASES: Final = columns.aliases(LAYER)
"""English and Chinese name and unit of every column."""
STYLES: Final = (
    LayerStyle("area_ha", "Area 图斑面积", "soil", bold=True),
    LayerStyle("change_mg_c", "Carbon change 碳储量变化", "change", bold=True),
)


def layer(found: Patches, processes: Sequence[str]) -> GpkgLayer:
    """The layer of a GeoPackage, styled by area."""
    names = ", ".join(transitions.processes()[p].name_en for p in processes)
    said = f"{names}: connected land inside an area, {found.minimum_ha:g} ha or more, largest first"
    return GpkgLayer(
        LAYER, "Patches of loss 疑似占用图斑", said, found.frame, ALIASES, STYLES, {"process": columns.process_labels()}
    )
