"""A finished run as a STAC item, and runs as a STAC collection: plain JSON beside the files, no server.

STAC 1.1 with the extensions projection 2.0, raster 2.0, file 2.1, processing 1.2 and classification 2.0. Statistics are of
the values as stored, as GDAL tells them; ``raster:scale`` and ``raster:offset`` lead to physical values.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
import rasterio
import shapely

from pipelines.errors import InputError
from pipelines.files import manifest, runmaps
from pipelines.files.atomic import atomic_path

ITEM: Final = "stac-item.json"
COLLECTION: Final = "stac-collection.json"
VERSION: Final = "1.1.0"
_EXTENSION: Final = "https://stac-extensions.github.io/{}/schema.json"
_EXTENSIONS: Final = ("projection/v2.0.0", "raster/v2.0.0", "file/v2.1.0", "processing/v1.2.0")
_CLASSES: Final = "classification/v2.0.0"
SHA256: Final = "1220"
"""In front of a digest: that it is SHA-256, of 32 bytes (multihash)."""
COG: Final = "image/tiff; application=geotiff; profile=cloud-optimized"
_TYPES: Final = {
    ".tif": COG,
    ".vrt": "application/xml",
    ".ovr": COG,
    ".gpkg": "application/geopackage+sqlite3",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".html": "text/html",
    ".json": "application/json",
}
"""What becomes an asset, by the end of its name."""
_MAPS: Final = (".tif", ".vrt")
_EDGE: Final = 16
"""Pieces into which an edge of the map is cut before it is bent into longitude and latitude."""


def finishing(
    finish: Callable[[Path], None] | None = None,
    footprint: shapely.Geometry | None = None,
    blocks: Callable[[Path, dict[str, Any]], None] | None = None,
) -> Callable[[Path], None]:
    """What a run does last, once its manifest is there: what else was asked for, then the item of it all.

    blocks : writes, beside the item that it is given, the collection of the blocks that the maps are left in.
    """

    def last(folder: Path) -> None:
        if finish is not None:
            finish(folder)
        found = item(folder, footprint)
        if blocks is not None:
            found["links"] = [
                {
                    "rel": "related",
                    "href": f"./{COLLECTION}",
                    "type": "application/json",
                    "title": "The maps, block by block",
                }
            ]
            blocks(folder, found)
        write(folder / ITEM, found)

    return last


def item(folder: Path, footprint: shapely.Geometry | None = None) -> dict[str, Any]:
    """The STAC item of a run. footprint : in longitude and latitude, of a run without a grid."""
    about = manifest.read(folder)
    outputs = manifest.outputs(folder, about["outputs"])
    kind, years = str(about.get("kind") or "assess"), _years(about)
    assets = {_key(name): _asset(folder, name, told) for name, told in sorted(outputs.items()) if _is_asset(name)}
    assets["manifest"] = {
        "href": f"./{manifest.NAME}", "type": _TYPES[".json"], "roles": ["metadata"],
        "title": "What was run, on what, with what",
    }  # fmt: skip
    shape = footprint if "grid" not in about else frame(about["grid"])
    if shape is None:
        raise ValueError("a run without a grid needs a footprint")
    digest = hashlib.sha256("".join(sorted(o["sha256"] for o in outputs.values())).encode()).hexdigest()[:8]
    used = [*_EXTENSIONS, *([_CLASSES] if any("classification:classes" in a for a in assets.values()) else [])]
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [_EXTENSION.format(name) for name in used],
        "id": "-".join(["sinks", kind, *map(str, years), digest]),
        "geometry": geometry(shape),
        "bbox": list(shape.bounds),
        "properties": {
            "title": " ".join(["Carbon Sinks", kind, "–".join(map(str, years))]).strip(),
            **_times(about, years),
            **_projection(about.get("grid")),
            "processing:software": {"Carbon Sinks": str(about["versions"]["carbon-sinks"])},
            "processing:lineage": f"sinks {kind}; inputs, parameters and notes in {manifest.NAME}",
        },
        "links": [],
        "assets": assets,
    }


def of_run(folder: Path) -> dict[str, Any]:
    """The item that a run wrote, or one made now for a run that wrote none. Raises InputError when it is no run."""
    path = folder / ITEM
    if path.is_file():
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise InputError(f"{path}: not a readable STAC item ({error}); remove it, and it is made anew") from None
    if "grid" not in manifest.read(folder):
        raise InputError(f"{folder}: a roll-up of an earlier version, without a STAC item; run 'sinks rollup' again")
    found = item(folder)
    write(path, found)
    return found


def write_collection(
    path: Path,
    runs: Sequence[Path],
    *,
    home: Path | None = None,
    key: str = "carbon-sinks",
    title: str = "Carbon Sinks",
    about: str = "Runs of Carbon Sinks.",
    licence: str = "other",
) -> dict[str, Any]:
    """Write a STAC collection that leads to the items of runs, by paths relative to where it lies.

    home : folder in which the file will lie, where it is not the one that it is written into. Raises InputError for a
    folder that is no run, and for a run named twice.
    """
    items = [of_run(Path(run)) for run in runs]
    twice = {i["id"] for n, i in enumerate(items) if i["id"] in [o["id"] for o in items[:n]]}
    if twice:
        raise InputError(f"the same run is named twice ({', '.join(sorted(twice))}); name each once")
    base = Path(home or path.parent).absolute()
    links = [
        {"rel": "item", "href": _relative(Path(run) / ITEM, base), "type": "application/geo+json", "title": i["id"]}
        for run, i in zip(runs, items, strict=True)
    ]
    found = {
        "type": "Collection",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": key,
        "title": title,
        "description": about,
        "license": licence,
        "extent": {"spatial": {"bbox": boxes(items)}, "temporal": {"interval": [interval(items)]}},
        "summaries": {
            "proj:code": sorted({str(c) for i in items if (c := i["properties"].get("proj:code"))}),
            "processing:software": _software(items),
        },
        "links": [{"rel": "root", "href": f"./{path.name}", "type": "application/json"}, *links],
    }
    found["summaries"] = {k: v for k, v in found["summaries"].items() if v}  # type: ignore[attr-defined]
    write(path, found)
    return found


# ------------------------------------------------------------------------------------------ parts of an item


def _years(about: Mapping[str, Any]) -> list[int]:
    """Of the land, not of the work."""
    if about.get("epochs"):
        years = [int(y) for y in about["epochs"]]
        return [min(years), max(years)]
    year = about.get("study", {}).get("year") or about.get("context", {}).get("year")
    return [int(year)] if year else []


def _times(about: Mapping[str, Any], years: Sequence[int]) -> dict[str, Any]:
    made = {"created": _zulu(about["finished"])}
    if not years:
        return {"datetime": _zulu(about["finished"]), **made}
    first, last = f"{years[0]}-01-01T00:00:00Z", f"{years[-1]}-12-31T23:59:59Z"
    return {"datetime": None, "start_datetime": first, "end_datetime": last, **made}


def _zulu(time: str) -> str:
    return datetime.fromisoformat(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def _projection(grid: Mapping[str, Any] | None) -> dict[str, Any]:
    if grid is None:
        return {}
    crs = pyproj.CRS.from_wkt(grid["crs_wkt"])
    authority = crs.to_authority(min_confidence=100)
    a, b, c, d, e, f = grid["transform"]
    told: dict[str, Any] = {"proj:code": ":".join(authority) if authority else None}
    if authority is None:
        told["proj:wkt2"] = crs.to_wkt()
    return told | {"proj:shape": [grid["height"], grid["width"]], "proj:transform": [a, b, c, d, e, f]}


@functools.lru_cache(maxsize=1)
def _to_degrees(crs_wkt: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(crs_wkt), 4326, always_xy=True)


def frame(grid: Mapping[str, Any]) -> Any:
    """The frame of a grid in longitude and latitude, its edges bent as they are."""
    a, _, x0, _, e, y0 = grid["transform"]
    box = shapely.box(x0, y0 + e * grid["height"], x0 + a * grid["width"], y0)
    west, south, east, north = box.bounds
    bent = shapely.segmentize(box, max(east - west, north - south) / _EDGE)
    turn = _to_degrees(grid["crs_wkt"])
    moved = shapely.transform(bent, lambda x, y: turn.transform(x, y), interleaved=False)
    if np.isfinite(shapely.get_coordinates(moved)).all() and moved.is_valid:
        return shapely.geometry.polygon.orient(shapely.simplify(shapely.set_precision(moved, 1e-9), 1e-6))
    # A pole or the date line lies within: no edge of a polygon in degrees can go around it.
    left, bottom, right, top = turn.transform_bounds(west, south, east, north)
    return shapely.box(left, bottom, right, top) if left < right else shapely.box(-180, bottom, 180, top)


def geometry(shape: Any) -> dict[str, Any]:
    """A shape as GeoJSON."""
    return dict(shapely.geometry.mapping(shape))


def _is_asset(name: str) -> bool:
    """Blocks of a map are items of their own."""
    path = Path(name)
    return path.suffix in _TYPES and path.name not in (ITEM, COLLECTION) and not runmaps.is_of_a_block(name)


def _key(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix in _MAPS else path.name.replace(".", "_")


def _asset(folder: Path, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    path = Path(name)
    roles = ["data"] if path.suffix in (*_MAPS, ".gpkg", ".csv", ".parquet") else ["overview"]
    found: dict[str, Any] = {
        "href": f"./{path.as_posix()}", "type": _TYPES[path.suffix], "roles": roles, "file:size": int(told["bytes"]),
        "file:checksum": SHA256 + str(told["sha256"]),
    }  # fmt: skip
    return found | _raster(folder / path) if path.suffix in _MAPS else found


def _raster(path: Path) -> dict[str, Any]:
    """What the head of a map says of its band."""
    with rasterio.open(path) as map_:
        tags, whole = map_.tags(1), map_.tags()
        band: dict[str, Any] = {
            "name": path.stem, "description": map_.descriptions[0] or path.stem, "data_type": map_.dtypes[0],
            "nodata": "nan" if map_.nodata is not None and math.isnan(map_.nodata) else map_.nodata,
            "raster:sampling": "area", "raster:scale": map_.scales[0], "raster:offset": map_.offsets[0],
        }  # fmt: skip
        if map_.units[0]:
            band["unit"] = map_.units[0]
        if told := statistics(tags):
            band["statistics"] = told
        found: dict[str, Any] = {"title": whole.get("TITLE", path.stem), "bands": [band]}
        if whole.get("TITLE_ZH"):
            found["description"] = whole["TITLE_ZH"]
        if "flag_values" in tags:
            found["classification:classes"] = _classes(tags, map_.colormap(1))
    return found


def statistics(tags: Mapping[str, str]) -> dict[str, float]:
    """Statistics as GDAL keeps them in a band's metadata."""
    keys = {f"STATISTICS_{k}": k.lower() for k in ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT")}
    return {keys[k]: float(v) for k, v in tags.items() if k in keys}


def _classes(tags: Mapping[str, str], colors: Mapping[int, Sequence[int]]) -> list[dict[str, Any]]:
    names = zip(
        tags["flag_values"].split(","), tags["flag_meanings"].split(), tags["flag_meanings_zh"].split(), strict=True
    )
    return [
        {
            "value": int(value), "name": "".join(c if c.isalnum() else "_" for c in name), "title": name.replace("_", " "),
            "description": zh, "color_hint": "{:02X}{:02X}{:02X}".format(*colors[int(value)][:3]),
        }
        for value, name, zh in names
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ parts of a collection


def boxes(items: Iterable[Mapping[str, Any]]) -> list[list[float]]:
    """The box of all, then of each, as the specification wants it; one alone once."""
    each = [list(map(float, i["bbox"])) for i in items]
    whole = [*(min(b[k] for b in each) for k in (0, 1)), *(max(b[k] for b in each) for k in (2, 3))]
    return [whole] if len(each) == 1 else [whole, *each]


def interval(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """From the first moment of all to the last."""
    told = [i["properties"] for i in items]
    starts = [p.get("start_datetime") or p["datetime"] for p in told]
    ends = [p.get("end_datetime") or p["datetime"] for p in told]
    return [min(starts), max(ends)]


def _software(items: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for one in items:
        software = one["properties"].get("processing:software")
        if software and software not in found:
            found.append(software)
    return found


def _relative(path: Path, base: Path) -> str:
    found = Path(os.path.relpath(path.absolute(), base)).as_posix()
    return found if found.startswith(".") else f"./{found}"


def write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(path) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")
