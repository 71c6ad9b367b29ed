"""A vector file of regions: its layer, the encoding of its text, and which columns are id, name and official area."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.files.text import shapefile_encoding
from pipelines.inputs import places, vectorfile
from pipelines.inputs.polygons import listed
from sinks.errors import suggest

ID_NAMES: Final = (
    "region_id", "adcode", "adm_code", "xzqdm", "xzdm", "zldwdm", "qhdm", "pac", "gb", "code", "county_code", "code_county",
    "code_perfecture", "code_prefecture", "code_province", "行政区划代码", "行政区代码", "区划代码", "政区代码",
    "坐落单位代码", "单位代码", "代码", "编码", "gid_3", "gid_2", "gid_1", "gid_0", "nuts_id", "shapeid", "id", "fid_1", "gid",
    "bsm", "objectid",
)  # fmt: skip
NAME_NAMES: Final = (
    "region_name", "name_zh", "name_cn", "name", "xzqmc", "xzmc", "zldwmc", "qhmc", "行政区名称", "行政区划名称",
    "区划名称", "坐落单位名称", "名称", "name_county", "name_perfecture", "name_prefecture", "name_province", "county",
    "city", "province", "shapename", "name_en", "title",
)  # fmt: skip
AREA_NAMES: Final = (
    "official_area_ha",
    "land_area_ha",
    "土地面积_公顷",
    "土地面积",
    "国土面积",
    "official_area",
    "land_area",
)
_UNITS: Final = {"ha": 1.0, "km²": 100.0, "mu (亩)": 1 / 15, "m²": 1e-4}
"""Hectares per unit that an area column may be in."""
_RESERVED: Final = "total"
_NO_REGIONS: Final = ("layer_styles", "qgis_projects")


@dataclass(frozen=True)
class RegionFile:
    """Rows in file order: geometries and CRS in ``frame``, ids unique, names blank where there are none; notes for people."""

    frame: gpd.GeoDataFrame
    ids: list[str]
    names: list[str]
    notes: list[str]
    id_column: str = ""
    name_column: str = ""


def read_region_file(
    path: str, layer: str | None = None, id_column: str | None = None, name_column: str | None = None
) -> RegionFile:
    """Regions of any vector file. Raises InputError naming what is wrong and the mend."""
    frame, notes = read_frame(path, layer)
    ids, id_name = _ids(path, frame, id_column)
    names, name_name = _names(path, frame, name_column, id_name)
    called = f", name column '{name_name}'" if name_name else ", no name column"
    notes.append(f"regions: {len(frame)} of {path}, id column '{id_name}'{called}")
    return RegionFile(frame, ids, names, notes, id_name, name_name)


def official_hectares(frame: gpd.GeoDataFrame, area_ha: NDArray[np.float64], notes: list[str]) -> NDArray[np.float64]:
    """The statistical land area of every region [ha], NaN where none is given.

    A column whose name has no unit is in the unit in which it is nearest to the polygons' own areas (n,).
    """
    lowered = _lowered(frame)
    column = next((lowered[n] for n in AREA_NAMES if n in lowered), None)
    if column is None:
        return np.full(len(frame), np.nan)
    given = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
    given = np.where(given > 0, given, np.nan)
    if column.lower().endswith(("_ha", "公顷")) or np.isnan(given).all():
        return given
    ratio = np.nanmedian(given / area_ha)
    unit = min(_UNITS, key=lambda u: abs(np.log(ratio * _UNITS[u])))
    if abs(np.log(ratio * _UNITS[unit])) > np.log(1.5):
        notes.append(f"regions: column '{column}' is not used, for it is no area of these polygons in any known unit")
        return np.full(len(frame), np.nan)
    notes.append(
        f"regions: official areas from column '{column}', taken to be {unit}, for so they agree with the polygons"
    )
    return given * _UNITS[unit]


# ------------------------------------------------------------------------------------------ reading


def read_frame(path: str, layer: str | None) -> tuple[gpd.GeoDataFrame, list[str]]:
    if not str(path).startswith("/vsi") and "://" not in str(path) and not Path(path).exists():
        raise InputError(f"{path}: there is no such file; check the path of the regions")
    notes: list[str] = []
    options: dict[str, Any] = {}
    if Path(path).suffix.lower() == ".shp":
        encoding, how = shapefile_encoding(path)
        notes.append(f"regions: names of {path} read as {encoding} ({how})")
        options["encoding"] = encoding
    name = _layer(path, vectorfile.layers(path), layer)
    frame = vectorfile.read(path, name, **options)
    if not len(frame):
        raise InputError(f"{path}: layer '{name}' holds no region; check the file")
    if frame.crs is None:
        raise InputError(
            f"{path}: the regions have no CRS, so they cannot be placed; define it first (a .prj file beside a shapefile)"
        )
    places.require_usable(
        str(path), frame.crs.name, places.fault(frame.crs), "define the true one (a .prj file beside a shapefile)"
    )
    places.require_on_earth(str(path), frame.geometry.to_numpy(), frame.crs)
    return frame.reset_index(drop=True), notes


def _layer(path: str, found: list[tuple[str, Any]], wanted: str | None) -> str:
    """The layer asked for, or the only one with polygons, or the only one with geometry."""
    spatial = {name: str(kind) for name, kind in found if kind is not None and name not in _NO_REGIONS}
    if wanted is not None:
        if wanted not in spatial:
            raise InputError(
                f"{path}: has no layer '{wanted}' with geometry, only {', '.join(spatial)}; choose one of them"
            )
        return wanted
    if not spatial:
        raise InputError(f"{path}: has no layer with geometry; give polygons")
    areas = [
        n
        for n, kind in spatial.items()
        if "Polygon" in kind or "Surface" in kind or kind in ("Unknown", "GeometryCollection")
    ]
    if len(areas) > 1:
        raise InputError(f"{path}: has the layers {', '.join(areas)}; choose one with --region-layer")
    if not areas:
        raise InputError(
            f"{path}: its layers hold {', '.join(sorted(set(spatial.values())))} and no polygons; regions must be polygons"
        )
    return areas[0]


# ------------------------------------------------------------------------------------------ columns


def _columns(frame: gpd.GeoDataFrame) -> list[str]:
    return [str(c) for c in frame.columns if c != frame.geometry.name]


def _lowered(frame: gpd.GeoDataFrame) -> dict[str, str]:
    return {c.lower().strip(): c for c in reversed(_columns(frame))}


def _ids(path: str, frame: gpd.GeoDataFrame, wanted: str | None) -> tuple[list[str], str]:
    """Ids as text from the column named, or the first that looks like one and is complete and unique."""
    columns = _columns(frame)
    if wanted is not None:
        if wanted not in columns:
            raise InputError(
                f"{path}: has no column {suggest(wanted, columns)} (columns: {', '.join(columns)}); name one with --region-id"
            )
        ids, wrong = _complete(frame[wanted])
        if wrong:
            raise InputError(f"{path}: column '{wanted}' {wrong}; mend it or name another with --region-id")
        return ids, wanted
    lowered = _lowered(frame)
    unfit = []
    for name in ID_NAMES:
        if name in lowered:
            ids, wrong = _complete(frame[lowered[name]])
            if not wrong:
                return ids, lowered[name]
            unfit.append(f"'{lowered[name]}' {wrong}")
    why = f" ({'; '.join(unfit[:3])})" if unfit else ""
    raise InputError(
        f"{path}: no column of unique region ids was found{why}; name one with --region-id (columns: {', '.join(columns)})"
    )


def _complete(column: pd.Series) -> tuple[list[str], str]:
    """A column's ids, and what is wrong with them as ids, blank for nothing."""
    found = as_text(column)
    ids = [i for i in found if i is not None]
    if len(ids) < len(found):
        return ids, f"is empty in {len(found) - len(ids)} region(s)"
    twice = [i for i, n in Counter(ids).items() if n > 1]
    if twice:
        return ids, f"has the same id more than once: {listed(twice)}"
    if _RESERVED in ids:
        return ids, f"holds the id '{_RESERVED}', which stands for the union of all regions"
    return ids, ""


def as_text(column: pd.Series) -> list[str | None]:
    """Codes as text, None where empty: '0303' keeps its zero, 110000.0 becomes '110000'."""
    found: list[str | None] = []
    for value in column:
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) or not str(value).strip():
            found.append(None)
        elif isinstance(value, float | np.floating) and float(value).is_integer():
            found.append(str(int(value)))
        else:
            found.append(str(value).strip())
    return found


def _names(path: str, frame: gpd.GeoDataFrame, wanted: str | None, id_name: str) -> tuple[list[str], str]:
    """Names, and their column; blank where there are none. Without a name column the first that is told by its name."""
    columns = _columns(frame)
    if wanted is not None and wanted not in columns:
        raise InputError(
            f"{path}: has no column {suggest(wanted, columns)} (columns: {', '.join(columns)}); name it with --region-name"
        )
    lowered = {k: c for k, c in _lowered(frame).items() if c != id_name}
    paired = id_name.lower().replace("code", "name")  # Code_County goes with Name_County
    preferred = (paired, *NAME_NAMES) if "code" in id_name.lower() else NAME_NAMES
    column = wanted or next((lowered[n] for n in preferred if n in lowered), None)
    if column is None:
        return [""] * len(frame), ""
    return [name or "" for name in as_text(frame[column])], column
