"""Plots and the maps of a finished run: where each plot lies, what the map says there, and the estimates from both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.windows import Window

from pipelines.errors import InputError
from pipelines.files import manifest, runmaps, tables
from pipelines.files.tidyfile import read_table
from pipelines.inputs import vectorfile
from sinks import ecosystems, modelassisted
from sinks.accounts import Account
from sinks.modelassisted import LEFT_OUT
from sinks.quantities import BY_KEY

LONLAT: Final = (("lon", "lat"), ("longitude", "latitude"), ("经度", "纬度"))
PROJECTED: Final = (("x", "y"), ("easting", "northing"), ("横坐标", "纵坐标"))
"""Names of coordinate columns: degrees on WGS 84, or in the CRS of the maps."""
REGION_COLUMN: Final = "region_id"
ECOSYSTEM: Final = "ecosystem"
_TILE: Final = 512
_MOST: Final = 100
"""Regions on the screen."""


@dataclass(frozen=True)
class Plots:
    """Plots of a file (n,): places in the CRS of the maps, values per hectare, region ids where the file gives them."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    value: NDArray[np.float64]
    region: NDArray[np.str_] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """The estimates (``modelassisted.COLUMNS``), and how the plots came to them."""

    table: pd.DataFrame
    counts: dict[str, int]
    notes: tuple[str, ...]


def of_run(
    run: Path,
    path: Path,
    value: str,
    quantity: str = "stock_volume",
    stratify: str = "none",
    population: str = "land",
    minimum: int = modelassisted.MINIMUM,
) -> Found:
    """Estimates of every region from plots and a run's map. Raises InputError naming what cannot be used and the mend."""
    account = tables.read_account(run)
    regions = modelassisted.populations(account, quantity, population, stratify)
    value_map, class_map = _map(run, quantity), _map(run, ECOSYSTEM)
    with rasterio.open(value_map) as d:
        crs = CRS.from_user_input(d.crs)
    plots = read_plots(path, value, crs)
    classes, at = _values(class_map, plots.x, plots.y)
    mapped, _ = _values(value_map, plots.x, plots.y)
    codes = {c.code: key[0] for key, c in ecosystems.classes().items()}
    kind = np.array([codes.get(int(c), "unknown") if np.isfinite(c) else "" for c in classes], dtype="U32")
    region = plots.region if plots.region is not None else _locate(run, account, at, crs)
    fates = _fates(plots, at.inside, kind, region, account, population)
    used = fates == "used"
    counts = dict(Counter(fates.tolist()))
    counts = {k: counts[k] for k in ("used", *sorted(set(counts) - {"used"})) if k in counts}
    empty = used & ~np.isfinite(mapped)
    notes = [*plots.notes, *(f"{n} plots left out: {_FATES[k]}" for k, n in counts.items() if k != "used")]
    if empty.any():
        # The account has nothing there either, so that zero is the map's own value, not a guess.
        kinds = ", ".join(f"{n} on {k}" for k, n in Counter(kind[empty].tolist()).most_common())
        notes.append(f"{int(empty.sum())} plots lie where the map has no {quantity}; its value there is zero ({kinds})")
    wood = np.where(kind == "forest", "forest", "other")
    stratum = wood if stratify == "forest" and population == "land" else np.full(len(wood), "all")
    sample = modelassisted.Sample(
        plots.value[used],
        np.where(empty, 0.0, mapped)[used],
        region[used].astype(np.str_),
        stratum[used].astype(np.str_),
    )
    table = modelassisted.estimate_regions(sample, regions, quantity, population, minimum)
    return Found(table, counts, tuple(notes))


_FATES: Final = {
    "off the map": "they are off the map",
    "no value": "they have no measured value",
    "nodata": "the land cover has no data there",
    "water": "they lie on mapped water, which is no part of the population",
    "not forest": "they lie on land that is not mapped as forest, which is the population",
    "no region": "they are in no region of the run",
}


def _fates(
    plots: Plots,
    inside: NDArray[np.bool_],
    kind: NDArray[np.str_],
    region: NDArray[np.str_],
    account: Account,
    population: str,
) -> NDArray[np.str_]:
    """What becomes of every plot: "used", or the first reason why not."""
    known = {r.id for r in account.regions}
    reasons: list[tuple[str, NDArray[np.bool_]]] = [
        ("no value", ~np.isfinite(plots.value)),
        ("off the map", ~inside),
        ("nodata", kind == ""),
        ("water", np.isin(kind, LEFT_OUT)),
        ("not forest", (kind != "forest") & (population == "forest")),
        ("no region", ~np.isin(region, sorted(known))),
    ]
    return np.select([holds for _, holds in reasons], [name for name, _ in reasons], default="used")


def _map(run: Path, name: str) -> Path:
    path = runmaps.path(run, name)
    if not path.is_file():
        have = ", ".join(runmaps.names(run)) or "none"
        raise InputError(
            f"{run}: there is no map of {name} (maps: {have}); run the assessment again with --maps {name},ecosystem"
        )
    return path


# ------------------------------------------------------------------------------------------ the file


def read_plots(path: Path, value: str, crs: CRS) -> Plots:
    """Plots of a CSV with coordinates or of any vector file of points. Raises InputError naming what is wrong and the mend."""
    path = Path(path)
    vector = path.suffix.lower() not in (".csv", ".txt", ".tsv")
    frame, x, y, notes = _vector(path, crs) if vector else _csv(path, crs)
    if value not in frame.columns:
        raise InputError(f"{path}: there is no column '{value}'; its columns are {', '.join(map(str, frame.columns))}")
    measured = pd.to_numeric(frame[value], errors="coerce").to_numpy(np.float64)
    words = frame[value].notna() & (frame[value].astype(str).str.strip() != "") & ~np.isfinite(measured)
    if words.any():
        row = int(np.flatnonzero(words.to_numpy())[0])
        raise InputError(
            f"{path}, row {row + 1}: {value} is '{frame[value].iloc[row]}', not a number; correct it or leave it blank"
        )
    if (measured < 0).any():
        row = int(np.flatnonzero(measured < 0)[0])
        raise InputError(
            f"{path}, row {row + 1}: {value} is {measured[row]:g}; a plot cannot hold less than nothing, correct it"
        )
    region = None
    if REGION_COLUMN in frame.columns:
        region = frame[REGION_COLUMN].fillna("").astype(str).str.strip().to_numpy(dtype=str)
        notes.append(f"plots: regions are those of the column {REGION_COLUMN}")
    return Plots(x, y, measured, region, tuple(notes))


def _csv(path: Path, crs: CRS) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64], list[str]]:
    frame, _ = read_table(path)
    lowered = {str(c).strip().lower(): str(c) for c in frame.columns}
    for names, degrees in ((LONLAT, True), (PROJECTED, False)):
        for a, b in names:
            if a in lowered and b in lowered:
                x, y = (pd.to_numeric(frame[lowered[c]], errors="coerce").to_numpy(np.float64) for c in (a, b))
                return (frame, *_placed(path, x, y, crs, degrees), [f"plots: {len(frame)} of {path}, at {a} and {b}"])
    raise InputError(
        f"{path}: there are no coordinates; name the columns lon and lat (degrees, WGS 84) or x and y (CRS of the maps)"
    )


def _placed(
    path: Path, x: NDArray[np.float64], y: NDArray[np.float64], crs: CRS, degrees: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if degrees:
        wild = (np.abs(x) > 180) | (np.abs(y) > 90)
        if wild.any():
            row = int(np.flatnonzero(wild)[0])
            raise InputError(
                f"{path}, row {row + 1}: {x[row]:g}, {y[row]:g} is no longitude and latitude; name metres x and y"
            )
        if not crs.equals(CRS.from_epsg(4326), ignore_axis_order=True):
            x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(x, y)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def _vector(path: Path, crs: CRS) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64], list[str]]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    frame = vectorfile.read(path)
    if not isinstance(frame, gpd.GeoDataFrame) or not (frame.geom_type.dropna() == "Point").all():
        raise InputError(f"{path}: its geometries are not points; give the plots' centres")
    if frame.crs is None:
        raise InputError(f"{path}: has no coordinate reference system; set it, or give a CSV with lon and lat")
    moved = frame.to_crs(crs)
    x, y = moved.geometry.x.to_numpy(np.float64), moved.geometry.y.to_numpy(np.float64)
    return pd.DataFrame(frame.drop(columns=frame.geometry.name)), x, y, [f"plots: {len(frame)} of {path}"]


# ------------------------------------------------------------------------------------------ the maps


@dataclass(frozen=True)
class _Pixels:
    """Row and column of every plot's pixel (−1 off the map) and the place of its centre."""

    inside: NDArray[np.bool_]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def _values(path: Path, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], _Pixels]:
    """The map at every plot [physical unit], NaN off the map and on nodata; read tile by tile."""
    out = np.full(len(x), np.nan)
    with rasterio.open(path) as d:
        a, _, x0, _, e, y0 = d.transform[:6]
        known = np.isfinite(x) & np.isfinite(y)
        col = np.where(known, np.floor((np.where(known, x, 0) - x0) / a), -1).astype(np.int64)
        row = np.where(known, np.floor((np.where(known, y, 0) - y0) / e), -1).astype(np.int64)
        inside = (col >= 0) & (col < d.width) & (row >= 0) & (row < d.height)
        tile = np.where(inside, (row // _TILE) * (d.width // _TILE + 1) + col // _TILE, -1)
        order = np.argsort(tile, kind="stable")
        for at in np.split(order, np.flatnonzero(np.diff(tile[order])) + 1):
            if not len(at) or tile[at[0]] < 0:
                continue
            r, c = int(row[at].min()), int(col[at].min())
            window = Window(c, r, int(col[at].max()) - c + 1, int(row[at].max()) - r + 1)
            stored = d.read(1, window=window)[row[at] - r, col[at] - c]
            values = stored.astype(np.float64) * d.scales[0] + d.offsets[0]
            empty = np.zeros(len(at), bool) if d.nodata is None else stored == d.nodata
            out[at] = np.where(empty, np.nan, values)
    return out, _Pixels(inside, x0 + (col + 0.5) * a, y0 + (row + 0.5) * e)


def _locate(run: Path, account: Account, at: _Pixels, crs: CRS) -> NDArray[np.str_]:
    """The region of every plot's pixel as the run counted it: the first in file order that contains the pixel's centre."""
    ids = [r.id for r in account.regions]
    out = np.full(len(at.x), "", dtype=object)
    path = Path(run) / "assessment.gpkg"
    if not path.is_file():
        raise InputError(
            f"{run}: there is no assessment.gpkg to tell the plots' regions; add a column {REGION_COLUMN} to the plots"
        )
    shapes = pyogrio.read_dataframe(path, layer="regions", columns=["region_id"])
    if len(ids) == 1 and len(shapes) == 1 and manifest.read(run)["study"].get("regions") is None:
        out[at.inside] = ids[0]
        return out.astype(np.str_)
    x, y = at.x[at.inside], at.y[at.inside]
    own = CRS.from_user_input(shapes.crs)
    if not own.equals(crs, ignore_axis_order=True):
        x, y = Transformer.from_crs(crs, own, always_xy=True).transform(x, y)
    points, hits = shapely.STRtree(shapely.points(x, y)), np.full(len(x), -1)
    rank = {r: k for k, r in enumerate(ids)}
    shapes = shapes.sort_values("region_id", key=lambda c: c.astype(str).map(rank), kind="stable")
    region, point = points.query(shapes.geometry.to_numpy(), predicate="intersects")
    for k in range(len(region) - 1, -1, -1):  # the first in the file wins
        hits[point[k]] = region[k] if hits[point[k]] < 0 else min(hits[point[k]], region[k])
    found = np.append(shapes["region_id"].astype(str).to_numpy(), "")
    out[at.inside] = found[hits]
    return out.astype(np.str_)


# ------------------------------------------------------------------------------------------ for people


def text(found: Found) -> str:
    """Estimates for the screen: the headline of every region beside the map and the plots alone."""
    table = found.table
    quantity = table["quantity"].iloc[0]
    name, unit = BY_KEY[quantity].name_en, table["mean_unit"].iloc[0]
    plain = table[table["estimator"] == "expansion"].set_index("region_id")
    rows = []
    top = modelassisted.headline(table)
    for _, r in pd.concat([top.iloc[:-1].head(_MOST), top.iloc[-1:]]).iterrows():
        alone = (
            f"{plain['mean'][r['region_id']]:,.2f} ± {plain['mean_se'][r['region_id']]:.2f}"
            if r["region_id"] in plain.index
            else "–"
        )
        gain = f"{r['efficiency']:.2f}" if np.isfinite(r["efficiency"]) else "–"
        rows.append({
            "region": f"{r['region_id']} {r['region_name']}".strip(), "plots": int(r["plots"]), "map": f"{r['map_mean']:,.2f}",
            "plots alone": alone, "estimate": f"{r['mean']:,.2f} ± {r['mean_se']:.2f}",
            "95 %": f"{r['mean_low']:,.2f} … {r['mean_high']:,.2f}", "gain": gain, "total": f"{r['total']:,.4g}",
            "by": r["estimator"],
        })  # fmt: skip
    unit_total = table["total_unit"].iloc[0]
    head = (
        f"{name} [{unit}, total in {unit_total}] from plots and map; ± is one standard error; gain: how many times as many plots "
        f"alone would take"
    )
    with pd.option_context("display.unicode.east_asian_width", True):
        lines = [head, "", pd.DataFrame(rows).to_string(index=False), ""]
    if len(top) - 1 > _MOST:
        lines += [f"… and {len(top) - 1 - _MOST} more regions in the table that is written", ""]
    lines += [f"Note: {n}" for n in found.notes]
    synthetic = top[top["estimator"] == "synthetic"]
    if len(synthetic):
        lines.append(
            f"Warning: {len(synthetic)} regions are synthetic (too few plots of their own): the map times the ratio of plots to "
            f"map of all regions; the standard error leaves out how a region departs from that ratio"
        )
    own = top[(top["estimator"] != "synthetic") & (top["warning"] != "")]
    lines += [f"Warning: {r['region_id']}: {r['warning']}" for _, r in own.iterrows()]
    return "\n".join(lines)


def as_json(found: Found) -> dict[str, Any]:
    """The same for machines: plain values, null where there is none."""
    rows = found.table.to_dict(orient="records")
    plain = [{str(k): None if isinstance(v, float) and not np.isfinite(v) else v for k, v in r.items()} for r in rows]
    return {"plots": found.counts, "estimates": plain, "notes": list(found.notes)}
