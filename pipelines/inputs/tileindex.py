"""Lists of tiles that others made: an index of footprints (gdaltindex, GTI) or STAC items, as the files they name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

import pyogrio

from pipelines.errors import InputError
from pipelines.inputs import descriptions, reach, vectorfile

_VECTORS: Final = (".gpkg", ".shp", ".fgb", ".geojson", ".parquet")
_COLUMNS: Final = ("location", "path", "filename", "file", "uri", "url", "href")
"""What the column with the tiles' names is called; the first is that of gdaltindex."""
_RASTER_TYPES: Final = (
    "image/tiff",
    "image/vnd.stac.geotiff",
    "image/jp2",
    "application/x-hdf",
    "application/vnd+zarr",
)
_MOST_LINKS: Final = 100_000
"""Items of a catalogue that are followed."""


@dataclass(frozen=True)
class Tiles:
    """The tiles that an index lists. paths : those that are there; lost : those on this disk that are not;
    lost_ha : area of the footprints of these, NaN where the index has none; scalings : scale and offset of the values as the
    index tells them, None for a tile of which it does not; STAC items may."""

    paths: tuple[str, ...]
    lost: tuple[str, ...] = ()
    lost_ha: float = float("nan")
    scalings: frozenset[tuple[float, float] | None] = frozenset()


class _Asset(NamedTuple):
    """A raster of a STAC item."""

    path: str
    scaling: tuple[float, float] | None


def read(name: str, path: str, asset: str | None, permit: reach.Permit) -> Tiles | None:
    """The tiles of an index file; None where the file is something else.

    name : the layer, for people; asset : key of the STAC asset. Raises InputError for an index that names no tile, or of which
    it cannot be told what in it are the tiles.
    """
    if permit.folders and reach.is_remote(path):  # is refused, and must not be read before
        return None
    found = _listed(name, path, asset, permit)
    if found is not None:
        _require_leave(path, found.paths, permit)
    return found


def _require_leave(path: str, named: Iterable[str], permit: reach.Permit) -> None:
    """Refuse an index on this disk that leads to the network; one that the user named by its address may."""
    away = next((n for n in named if reach.is_remote(n)), None)
    if away is not None and not (permit.network or reach.is_remote(path)):
        raise InputError(
            f"{path}: this index lists {away}, which is not on this disk; allow it with --allow-network if you trust the file"
        )


def _listed(name: str, path: str, asset: str | None, permit: reach.Permit) -> Tiles | None:
    lower = path.lower()
    found = _json(path) if lower.endswith((".json", ".geojson")) else None
    if found is not None and (kind := _stac_kind(found)):
        assets = list(_stac(name, path, found, kind, asset, permit))
        return replace(_there(path, [a.path for a in assets]), scalings=frozenset(a.scaling for a in assets))
    if lower.endswith(".gti"):
        return _gti(name, path, permit)
    if lower.endswith(_VECTORS) and (reach.is_remote(path) or os.path.exists(path)):
        return _footprints(name, path) if _layers(path) else None  # a GeoPackage can hold a raster
    return None


def _there(index: str, names: list[str], ha: list[float] | None = None) -> Tiles:
    if not names:
        raise InputError(
            f"{index}: this index lists no tile; make it again (gdaltindex), or name the rasters themselves"
        )
    gone = [k for k, n in enumerate(names) if not reach.is_remote(n) and not os.path.exists(n)]
    lost_ha = sum(ha[k] for k in gone) if ha else float("nan")
    away = set(gone)
    return Tiles(tuple(n for k, n in enumerate(names) if k not in away), tuple(names[k] for k in gone), lost_ha)


# ------------------------------------------------------------------------------------------ footprints


def _gti(name: str, path: str, permit: reach.Permit) -> Tiles:
    """GDAL's XML that names an index of footprints."""
    try:
        text = descriptions.read(path).decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise ValueError("it declares a document type, which can make a small file endless")
        root = ET.fromstring(text)
    except (OSError, ET.ParseError, ValueError) as error:
        raise InputError(f"{path}: not a readable tile index ({error}); make it again (gdaltindex)") from None
    dataset = root.findtext("IndexDataset")
    if not dataset:
        raise InputError(f"{path}: this tile index names no <IndexDataset>; make it again (gdaltindex)")
    index = descriptions.beside(path, dataset)
    _require_leave(path, [index], permit)
    return _footprints(name, index, root.findtext("IndexLayer"), root.findtext("LocationField"))


def _footprints(name: str, path: str, layer: str | None = None, column: str | None = None) -> Tiles:
    layers = _layers(path)
    if not layers:
        raise InputError(
            f"{path}: this {name} file is neither a raster nor an index of tiles that can be read; check it"
        )
    chosen = layer or layers[0]
    frame = vectorfile.read(path, chosen)
    known = {str(c).lower(): str(c) for c in frame.columns}
    column = column or next((known[c] for c in _COLUMNS if c in known), None)
    if column is None or column not in frame.columns:
        raise InputError(
            f"{path}: no column of this index names the tiles (looked for {', '.join(_COLUMNS)}; it has "
            f"{', '.join(map(str, frame.columns))}); rename the one that does"
        )
    frame = frame[frame[column].notna()]
    ha = None
    if frame.crs is not None and len(frame):
        ha = (frame.geometry.to_crs(6933).area / 10_000).tolist()
    return _there(path, [descriptions.beside(path, str(n)) for n in frame[column]], ha)


def _layers(path: str) -> list[str]:
    """Layers of a vector file; none where it is something else."""
    reach.require_vector(path)
    try:
        with vectorfile.from_afar(path):
            return [str(n) for n, _ in pyogrio.list_layers(path)]
    except pyogrio.errors.DataSourceError:
        return []


# ------------------------------------------------------------------------------------------ STAC


def _json(path: str) -> dict[str, Any] | None:
    try:
        found = json.loads(descriptions.read(path).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _stac_kind(found: dict[str, Any]) -> str:
    """item, items, or catalogue; blank for what is no STAC."""
    kind = found.get("type")
    if kind == "Feature" and "assets" in found:
        return "item"
    features = found.get("features")
    if (
        kind == "FeatureCollection"
        and isinstance(features, list)
        and any(isinstance(f, dict) and "assets" in f for f in features)
    ):
        return "items"
    return "catalogue" if kind in ("Catalog", "Collection") and "stac_version" in found else ""


def _stac(
    name: str, path: str, found: dict[str, Any], kind: str, asset: str | None, permit: reach.Permit
) -> Iterator[_Asset]:
    if kind == "item":
        yield _asset(name, path, found, asset)
    elif kind == "items":
        for feature in found["features"]:
            yield _asset(name, path, feature, asset)
    else:
        yield from _linked(name, path, found, asset, permit)


def _linked(name: str, path: str, found: dict[str, Any], asset: str | None, permit: reach.Permit) -> Iterator[_Asset]:
    """The items of a static catalogue, through its children."""
    seen, waiting = {os.path.realpath(path)}, [(path, found)]
    while waiting:
        where, catalogue = waiting.pop(0)
        for link in catalogue.get("links", ()):
            if not isinstance(link, dict) or link.get("rel") not in ("item", "child") or len(seen) > _MOST_LINKS:
                continue
            target = descriptions.beside(where, str(link.get("href", "")))
            if reach.is_remote(target) and not (permit.network or reach.is_remote(path)):
                raise InputError(
                    f"{where}: the catalogue links to {target}, which is not on this disk; allow it with --allow-network if you "
                    f"trust the file"
                )
            real = target if reach.is_remote(target) else os.path.realpath(target)
            if real in seen:
                continue
            seen.add(real)
            if not reach.is_remote(target):
                reach.require_within(target, permit, path)
            more = _json(target)
            if more is None:
                raise InputError(f"{target}: this part of the catalogue {path} cannot be read; mend or remove its link")
            if _stac_kind(more) == "item":
                yield _asset(name, target, more, asset)
            else:
                waiting.append((target, more))


def _asset(name: str, path: str, item: dict[str, Any], asset: str | None) -> _Asset:
    """The raster of an item: the asset that was asked for, the one that is data, or the only raster."""
    assets = {k: a for k, a in (item.get("assets") or {}).items() if isinstance(a, dict) and a.get("href")}
    who = item.get("id", "an item")
    if asset is not None:
        if asset not in assets:
            raise InputError(f"{path}: {who} has no asset '{asset}'; it has {', '.join(assets) or 'none'}")
        return _described(path, assets[asset])
    rasters = {k: a for k, a in assets.items() if str(a.get("type", "")).lower().startswith(_RASTER_TYPES)}
    data = {k: a for k, a in rasters.items() if "data" in (a.get("roles") or ())}
    for some in ({name: assets[name]} if name in assets else {}, data, rasters):
        if len(some) == 1:
            return _described(path, next(iter(some.values())))
    said = ", ".join(rasters or assets) or "none"
    raise InputError(f"{path}: {who} has several assets or none ({said}); say which with --layer {name}.asset=NAME")


def _described(path: str, asset: dict[str, Any]) -> _Asset:
    """Where an asset lies, and its scale and offset by the raster extension: of version 1 in ``raster:bands``, of version 2 in
    ``bands`` or the asset itself."""
    where = descriptions.beside(path, str(asset["href"]))
    bands = [asset.get(key) for key in ("raster:bands", "bands")]
    for said in [*(b[0] for b in bands if isinstance(b, list) and len(b) == 1), asset]:
        if isinstance(said, dict) and (numbers := _numbers(said)):
            return _Asset(where, (numbers.get("scale", 1.0), numbers.get("offset", 0.0)))
    return _Asset(where, None)


def _numbers(said: dict[str, Any]) -> dict[str, float]:
    """Scale and offset, as far as they are told."""
    found = {key: said.get(f"raster:{key}", said.get(key)) for key in ("scale", "offset")}
    return {k: float(n) for k, n in found.items() if isinstance(n, int | float) and not isinstance(n, bool)}
