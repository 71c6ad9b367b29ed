"""Region polygons, and which region each pixel of a block is in.

Vertices are put into the grid's pixel coordinates once; a block is then a whole-number translation, so any partition into
blocks gives the same labels. A pixel belongs to the first region in file order that contains its centre.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from pipelines.errors import InputError
from pipelines.grid import Block, Grid
from pipelines.text import shapefile_encoding

ID_NAMES: Final = (
    "region_id", "adcode", "adm_code", "gb", "code", "xzqdm", "pac", "zldwdm", "county_code", "行政区代码", "代码", "区划代码",
    "id", "fid_1", "gid",
)  # fmt: skip
NAME_NAMES: Final = (
    "region_name",
    "name",
    "xzqmc",
    "name_zh",
    "name_cn",
    "名称",
    "行政区名称",
    "区划名称",
    "county",
    "name_en",
    "title",
)
AREA_NAMES: Final = ("land_area_ha", "official_area_ha", "土地面积_公顷")
LONGEST_EDGE_DEGREES: Final = 0.01
"""Edges are cut to this length before they are projected, so that they stay where they were drawn."""


@dataclass(frozen=True)
class Regions:
    """Regions in file order; plain values, so that they travel.

    shapes : WKB in pixel coordinates of the grid; area_ha : on the ellipsoid; outside_grid_ha : part beyond the grid;
    official_area_ha : the statistical land area, NaN where none is given; originals : WKB in ``crs_wkt``.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    official_area_ha: tuple[float, ...]
    area_ha: tuple[float, ...]
    outside_grid_ha: tuple[float, ...]
    shapes: tuple[bytes, ...] = field(repr=False)
    originals: tuple[bytes, ...] = field(repr=False)
    crs_wkt: str
    notes: tuple[str, ...]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def to_geodataframe(self, grid: Grid) -> gpd.GeoDataFrame:
        """The regions as they were drawn (made valid), with id and name."""
        frame = {"region_id": list(self.ids), "region_name": list(self.names)}
        return gpd.GeoDataFrame(frame, geometry=list(shapely.from_wkb(list(self.originals))), crs=self.crs_wkt)


# ------------------------------------------------------------------------------------------ reading


def read_regions(
    path: str, *, grid: Grid, layer: str | None = None, id_column: str | None = None, name_column: str | None = None
) -> Regions:
    """Region polygons of any vector file. Raises InputError naming what is wrong and the mend."""
    frame, notes = _read(path, layer)
    ids, id_name = _ids(path, frame, id_column)
    names = _names(frame, name_column, id_name, path)
    notes.append(
        f"regions: {len(frame)} of {path}, id column '{id_name}'"
        + ("" if names is None else f", name column '{names[1]}'")
    )
    shapes = _valid(path, frame, ids, notes)
    area = _geodesic_ha(shapes, frame.crs)
    on_grid = _on_grid(shapes, frame.crs, grid)
    inside = shapely.intersection(on_grid, box(*grid.bounds))
    shares = np.divide(
        shapely.area(inside), shapely.area(on_grid), out=np.zeros(len(ids)), where=shapely.area(on_grid) > 0
    )
    if not (shares > 0).any():
        raise InputError(f"{path}: no region overlaps the land cover; check the CRS of both")
    beyond = [f"{i} ({1 - s:.1%})" for i, s in zip(ids, shares, strict=True) if s < 0.999]
    if beyond:
        notes.append(
            f"regions: {len(beyond)} reach beyond the land cover, by share of their area: {', '.join(beyond[:5])}{' …' * (len(beyond) > 5)}"
        )
    _report_overlaps(on_grid, area, ids, notes)
    a, _, x0, _, e, y0 = grid.transform
    pixels = shapely.transform(on_grid, lambda xy: np.column_stack(((xy[:, 0] - x0) / a, (xy[:, 1] - y0) / e)))
    official = next((frame[c] for c in AREA_NAMES if c in frame.columns), None)
    given = (
        pd.to_numeric(official, errors="coerce").to_numpy(float) if official is not None else np.full(len(ids), np.nan)
    )
    return Regions(
        ids=tuple(ids), names=tuple(names[0]) if names else ("",) * len(ids), official_area_ha=tuple(given.tolist()),
        area_ha=tuple(area.tolist()), outside_grid_ha=tuple((area * (1 - shares)).tolist()),
        shapes=tuple(shapely.to_wkb(pixels)), originals=tuple(shapely.to_wkb(shapes)), crs_wkt=frame.crs.to_wkt(),
        notes=tuple(notes),
    )  # fmt: skip


def _read(path: str, layer: str | None) -> tuple[gpd.GeoDataFrame, list[str]]:
    if not str(path).startswith("/vsi") and not Path(path).exists():
        raise InputError(f"{path}: there is no such file; check the path of the regions")
    notes: list[str] = []
    options: dict[str, Any] = {}
    if Path(path).suffix.lower() == ".shp":
        encoding, how = shapefile_encoding(path)
        notes.append(f"regions: names of {path} read as {encoding} ({how})")
        options["encoding"] = encoding
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None and name != "layer_styles"]
        if layer is None and len(layers) > 1:
            raise InputError(f"{path}: has the layers {', '.join(layers)}; choose one with --region-layer")
        if layer is not None and layer not in layers:
            raise InputError(f"{path}: has no layer '{layer}', only {', '.join(layers)}")
        if not layers:
            raise InputError(f"{path}: has no layer with geometry; give polygons")
        frame = pyogrio.read_dataframe(path, layer=layer or layers[0], **options)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: not a vector file that can be read ({str(error).splitlines()[0]}); check the file"
        ) from None
    if not len(frame):
        raise InputError(f"{path}: holds no region; check the file")
    if frame.crs is None:
        raise InputError(f"{path}: the regions have no CRS, so they cannot be placed; define it (.prj) first")
    return frame.reset_index(drop=True), notes


def _ids(path: str, frame: gpd.GeoDataFrame, wanted: str | None) -> tuple[list[str], str]:
    """Ids as text from the column named, or the first that looks like one and is complete and unique."""
    columns = [c for c in frame.columns if c != frame.geometry.name]
    if wanted is not None:
        if wanted not in columns:
            raise InputError(
                f"{path}: has no column '{wanted}' (columns: {', '.join(columns)}); name the one with --region-id"
            )
        ids = _as_text(frame[wanted])
        if None in ids:
            raise InputError(
                f"{path}: column '{wanted}' is empty in {ids.count(None)} region(s); fill it or name another with --region-id"
            )
        twice = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
        if twice:
            raise InputError(
                f"{path}: column '{wanted}' has the same id more than once ({', '.join(map(str, twice[:5]))}); ids must be unique"
            )
        return [str(i) for i in ids], wanted
    lowered = {str(c).lower(): c for c in columns}
    for name in ID_NAMES:
        if name in lowered:
            ids = _as_text(frame[lowered[name]])
            if None not in ids and len(set(ids)) == len(ids):
                return [str(i) for i in ids], lowered[name]
    raise InputError(
        f"{path}: no column with unique region ids was found (columns: {', '.join(columns)}); name one with --region-id"
    )


def _as_text(column: pd.Series) -> list[str | None]:
    """Codes stay text: '0303' keeps its zero, 110000.0 becomes '110000'."""
    found: list[str | None] = []
    for value in column:
        if (
            value is None
            or (isinstance(value, float) and np.isnan(value))
            or value is pd.NA
            or str(value).strip() == ""
        ):
            found.append(None)
        elif isinstance(value, float | np.floating) and float(value).is_integer():
            found.append(str(int(value)))
        else:
            found.append(str(value).strip())
    return found


def _names(frame: gpd.GeoDataFrame, wanted: str | None, id_name: str, path: str) -> tuple[list[str], str] | None:
    if wanted is not None and wanted not in frame.columns:
        raise InputError(
            f"{path}: has no column '{wanted}' (columns: {', '.join(map(str, frame.columns))}); name it with --region-name"
        )
    lowered = {str(c).lower(): c for c in frame.columns if c != id_name}
    column = wanted or next((lowered[n] for n in NAME_NAMES if n in lowered), None)
    return None if column is None else ([i or "" for i in _as_text(frame[column])], column)


# ------------------------------------------------------------------------------------------ shapes


def _valid(path: str, frame: gpd.GeoDataFrame, ids: Sequence[str], notes: list[str]) -> NDArray:
    """Two-dimensional valid polygons; what had to be mended is said."""
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    empty = [i for i, s in zip(ids, shapes, strict=True) if s is None or s.is_empty]
    if empty:
        raise InputError(
            f"{path}: {len(empty)} region(s) have no geometry ({', '.join(empty[:5])}); mend or remove them"
        )
    wrong = ~shapely.is_valid(shapes)
    if wrong.any():
        bad = [i for i, w in zip(ids, wrong, strict=True) if w]
        notes.append(
            f"regions: {wrong.sum()} invalid polygon(s) were made valid: {', '.join(bad[:5])}{' …' * (len(bad) > 5)}"
        )
        shapes[wrong] = shapely.make_valid(shapes[wrong])
    polygons = np.array([_polygons(s) for s in shapes], dtype=object)
    gone = [i for i, s in zip(ids, polygons, strict=True) if s.is_empty]
    if gone:
        raise InputError(
            f"{path}: {len(gone)} region(s) are no polygons ({', '.join(gone[:5])}); regions must be areas"
        )
    return polygons


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [p for p in shapely.get_parts(shape) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def _geodesic_ha(shapes: NDArray, crs: pyproj.CRS) -> NDArray[np.float64]:
    """Area on the ellipsoid [ha]."""
    geodetic = crs.geodetic_crs or pyproj.CRS.from_epsg(4326)
    geod = geodetic.get_geod() or pyproj.Geod(ellps="WGS84")
    lonlat = _moved(shapes, crs, geodetic)
    return np.array([abs(geod.geometry_area_perimeter(shapely.orient_polygons(s))[0]) / 1e4 for s in lonlat])


def _on_grid(shapes: NDArray, crs: pyproj.CRS, grid: Grid) -> NDArray:
    return _moved(shapes, crs, grid.crs)


def _moved(shapes: NDArray, source: pyproj.CRS, target: pyproj.CRS) -> NDArray:
    """Reproject; long edges are cut first, for a straight line in one CRS is bent in another."""
    if source.equals(target):
        return shapes
    longest = (
        LONGEST_EDGE_DEGREES
        if source.is_geographic
        else LONGEST_EDGE_DEGREES * 111_320 / source.axis_info[0].unit_conversion_factor
    )
    cut = shapes if source.is_geographic and target.is_geographic else shapely.segmentize(shapes, longest)
    transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return shapely.transform(cut, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))


def _report_overlaps(shapes: NDArray, area: NDArray[np.float64], ids: Sequence[str], notes: list[str]) -> None:
    """Pairs that claim the same ground by more than a millionth of the smaller one."""
    tree = shapely.STRtree(shapes)
    one, two = tree.query(shapes, predicate="intersects")
    one, two = one[one < two], two[one < two]
    common = shapely.area(shapely.intersection(shapes[one], shapes[two])) if one.size else np.zeros(0)
    own = shapely.area(shapes)
    real = common > 1e-6 * np.minimum(own[one], own[two])
    if real.any():
        size = common[real] / own[one[real]] * area[one[real]]
        pairs = [f"{ids[i]} and {ids[j]} ({s:,.1f} ha)" for i, j, s in zip(one[real], two[real], size, strict=True)]
        notes.append(
            f"regions: {len(pairs)} pair(s) overlap; a pixel is counted once, for the first: {', '.join(pairs[:5])}{' …' * (len(pairs) > 5)}"
        )


# ------------------------------------------------------------------------------------------ labelling


_parsed: dict[str, tuple[NDArray, shapely.STRtree]] = {}
_parsing = threading.Lock()


def _shapes_of(regions: Regions) -> tuple[NDArray, shapely.STRtree]:
    """Parsed shapes of these regions, once per process."""
    with _parsing:
        if regions.token not in _parsed:
            shapes = shapely.from_wkb(list(regions.shapes))
            shapely.prepare(shapes)
            _parsed.clear()
            _parsed[regions.token] = (shapes, shapely.STRtree(shapes))
        return _parsed[regions.token]


def label(regions: Regions, block: Block) -> NDArray[np.int32]:
    """Region of every pixel (h, w): 0 in none, k for ``regions.ids[k − 1]``."""
    shapes, tree = _shapes_of(regions)
    frame = box(block.col, block.row, block.col + block.width, block.row + block.height)
    near = np.sort(tree.query(frame, predicate="intersects"))
    if near.size and shapes[near[0]].contains_properly(frame):
        return np.full((block.height, block.width), near[0] + 1, np.int32)
    if not near.size:
        return np.zeros((block.height, block.width), np.int32)
    # A margin of whole pixels keeps the cut edge away from every pixel centre of the block.
    cut = shapely.clip_by_rect(
        shapes[near], block.col - 2, block.row - 2, block.col + block.width + 2, block.row + block.height + 2
    )
    local = shapely.transform(cut, lambda xy: xy - [block.col, block.row])
    burn = [(s, int(k) + 1) for s, k in zip(local[::-1], near[::-1], strict=True) if not s.is_empty]
    if not burn:
        return np.zeros((block.height, block.width), np.int32)
    return rasterize(burn, out_shape=(block.height, block.width), fill=0, dtype="int32")
