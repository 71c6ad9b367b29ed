"""From what a user gives for a layer to one raster that GDAL opens: paths, URLs, patterns, tiles, indexes, arrays."""

from __future__ import annotations

import glob
import hashlib
import math
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyproj

from pipelines.errors import InputError
from pipelines.inputs import reach, tileindex
from pipelines.inputs.sources import RASTERS, Layer, Source, described
from pipelines.inputs.tileindex import Tiles
from pipelines.inputs.vrt import Tile, gap_share, joined

KINDS: Final = ("class", "density", "amount")
_URLS: Final = {"http://": "/vsicurl/http://", "https://": "/vsicurl/https://", "s3://": "/vsis3/", "gs://": "/vsigs/"}
_SHOWN: Final = 4
_SAME: Final = 0.02
"""Pixels by which a tile may be off the lattice of the others."""
_FULL: Final = 1e-9
_AT_ONCE: Final = 8
"""Tiles that are opened at once: that they lie on a slow disk or in a store should not add up."""
_TRIED: Final = 16
_QUICK: Final = 0.004
"""Seconds a tile, over the first ``_TRIED``, up to which a disk is quick."""


def make_layer(
    name: str, kind: str, value: Any, workdir: Path, permit: reach.Permit = reach.DEFAULT,
    allow_missing: bool = False, **own: Any,
) -> Layer:  # fmt: skip
    """A layer from a path, URL, GDAL name, glob, folder, list or index of tiles (footprints, GTI, STAC) or xarray object.

    Tiles are joined by a VRT in ``workdir``; an xarray object is written there once, window by window. permit : what files
    may lead to; allow_missing : go on without tiles that an index lists; own : what the file does not say of itself, by field
    of Layer, and ``asset``, the key of the STAC asset. Raises InputError for nothing found, tiles that do not fit together or
    an unknown kind.
    """
    if kind not in KINDS:
        raise InputError(f"the kind of layer {name} is '{kind}'; choose one of {', '.join(KINDS)}")
    if is_array(value):
        from pipelines.inputs.arrays import write_array  # rioxarray is dear to import, and files do without

        path = write_array(name, value, Path(workdir), own)
        return Layer(name, kind, path, **{k: v for k, v in own.items() if k != "band"})
    asset = own.pop("asset", None)
    tiles = _tiles(name, value, asset, permit)
    for path in tiles.paths:
        reach.require(name, path, permit)
    notes = _notes_of_lost(name, tiles, allow_missing)
    own = _scaling(name, tiles) | own  # what the user says goes before the catalogue's word
    if len(tiles.paths) == 1 and not tiles.lost:
        return Layer(name, kind, tiles.paths[0], **own)
    return _join(Layer(name, kind, "", notes=notes, **own), list(tiles.paths), Path(workdir))


def _scaling(name: str, tiles: Tiles) -> dict[str, float]:
    """Scale and offset as an index tells them. Raises InputError where its tiles have several."""
    told = [said for said in tiles.scalings if said is not None]
    if not told:
        return {}
    if len(tiles.scalings) > 1:
        shown = ", ".join(sorted("none" if said is None else f"{said[0]:g} × + {said[1]:g}" for said in tiles.scalings))
        raise InputError(
            f"{name}: the items of the catalogue tell different scales and offsets ({shown}), and a layer has one; unscale the "
            f"tiles (gdal_translate -unscale -ot Float32) and list the new ones"
        )
    return {"scale": told[0][0], "offset": told[0][1]}


def _notes_of_lost(name: str, tiles: Tiles, allow_missing: bool) -> tuple[str, ...]:
    """What is said of tiles that an index lists and that are not there. Raises InputError unless that is allowed."""
    if not tiles.lost:
        return ()
    all_tiles = len(tiles.paths) + len(tiles.lost)
    shown = ", ".join(tiles.lost[:_SHOWN]) + (" …" if len(tiles.lost) > _SHOWN else "")
    if not allow_missing or not tiles.paths:
        raise InputError(
            f"{name}: {len(tiles.lost)} of the {all_tiles:,} tiles of the index are not there ({shown}); fetch them, or give "
            f"--allow-missing-tiles: their area is then told as missing"
        )
    area = f", {tiles.lost_ha:,.0f} ha by their footprints" if tiles.lost_ha == tiles.lost_ha else ""
    return (f"{name}: {len(tiles.lost)} of {all_tiles:,} tiles are missing{area}: {shown}",)


def is_array(value: Any) -> bool:
    """Whether a layer was given as an xarray object; asked without xarray, which is dear to import."""
    return any(kind.__module__.partition(".")[0] == "xarray" for kind in type(value).__mro__)


def _tiles(name: str, value: Any, asset: str | None, permit: reach.Permit) -> Tiles:
    """The rasters that a value stands for."""
    if isinstance(value, list | tuple):
        parts = [_tiles(name, item, asset, permit) for item in value]
        if not parts:
            raise InputError(f"{name}: an empty list of rasters was given; name at least one")
        paths, lost = ([p for part in parts for p in getattr(part, field)] for field in ("paths", "lost"))
        scalings = frozenset[tuple[float, float] | None]().union(*(part.scalings for part in parts))
        return Tiles(tuple(paths), tuple(lost), sum(part.lost_ha for part in parts if part.lost), scalings)
    text = os.fspath(value)
    if (listed := tileindex.read(name, text, asset, permit)) is not None:
        return replace(listed, paths=tuple(_gdal_name(p) for p in listed.paths))
    return Tiles(tuple(_paths(name, text)))


def _gdal_name(text: str) -> str:
    """A URL as GDAL calls it."""
    scheme = next((s for s in _URLS if text.startswith(s)), None)
    return text if scheme is None else _URLS[scheme] + text.removeprefix(scheme)


def _paths(name: str, text: str) -> list[str]:
    if (given := _gdal_name(text)) != text:
        return [given]
    path = Path(text)
    if path.is_dir():
        return sorted(str(p) for p in path.iterdir() if p.suffix.lower() in RASTERS) or [text]
    if path.exists() or text.startswith("/vsi") or re.match(r"^[A-Za-z0-9_]{2,}:", text):
        return [text]
    if any(ch in text for ch in "*?["):
        found = sorted(glob.glob(text, recursive=True))
        if not found:
            raise InputError(f"{text}: no file matches this pattern; check the path of the {name} layer")
        return found
    raise InputError(f"{text}: there is no such file; check the path of the {name} layer")


# ------------------------------------------------------------------------------------------ tiles


def _join(layer: Layer, paths: list[str], workdir: Path) -> Layer:
    """One layer over tiles that agree and lie on one lattice."""
    tiles = _described(layer, paths)
    first = tiles[0]
    placed, transform = lattice_of(layer.name, tiles)
    out = workdir / f"{layer.name}.vrt"
    text = joined(placed, first.crs_wkt, transform, first.dtype, first.nodata, first.scale, first.offset, first.unit)
    out.write_text(text, encoding="utf-8")
    heads = "".join(t.heads for t in tiles)
    return replace(
        layer, path=str(out), band=None, files=tuple(paths), notes=(*layer.notes, *_notes_of_gaps(layer.name, placed)),
        heads=hashlib.sha256(heads.encode()).hexdigest()[:16] if heads else "",
    )  # fmt: skip


def _described(layer: Layer, paths: Sequence[str]) -> list[Source]:
    """What each tile says of itself: one after the other, unless they are slow to come; threads cost a quick disk a fifth."""
    begin, found = time.monotonic(), []
    if not any(map(reach.is_remote, paths[:_TRIED])):
        found = [described(replace(layer, path=p)) for p in paths[:_TRIED]]
        if time.monotonic() - begin < _QUICK * len(found):
            return found + [described(replace(layer, path=p)) for p in paths[_TRIED:]]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return found + list(pool.map(lambda p: described(replace(layer, path=p)), paths[len(found) :]))


def lattice_of(
    name: str, tiles: Sequence[Source]
) -> tuple[list[Tile], tuple[float, float, float, float, float, float]]:
    """Where each raster lies on the lattice of all, and the transform of the whole.

    Raises InputError naming two files and in what they differ.
    """
    first = tiles[0]
    crs = _crs(first.crs_wkt)
    a, _, _, _, e, _ = first.transform
    if a < 0 or e > 0:
        raise InputError(
            f"{first.path}: this tile's rows or columns run the wrong way; warp the tiles north-up first (gdalwarp)"
        )
    for tile in tiles[1:]:
        _must_fit(name, first, tile, crs)
    west, north = min(t.transform[2] for t in tiles), max(t.transform[5] for t in tiles)
    placed = []
    for t in tiles:
        col, row = round((t.transform[2] - west) / a), round((t.transform[5] - north) / e)
        placed.append(Tile(t.layer.path, t.band, col, row, t.width, t.height, t.has_mask))
    return placed, (a, 0.0, west, 0.0, e, north)


def _notes_of_gaps(name: str, tiles: Sequence[Tile]) -> tuple[str, ...]:
    """What is said of a rectangle that its tiles do not fill."""
    empty = gap_share(tiles)
    if empty < _FULL:
        return ()
    what = name.replace("_", " ")
    return (f"{name}: {len(tiles):,} tiles leave {empty:.2%} of their rectangle empty; there is no {what} there",)


def _must_fit(name: str, first: Source, tile: Source, crs: pyproj.CRS) -> None:
    """Refuse a tile that differs from the first, naming both files and what differs."""
    (a, _, x0, _, e, y0), (ta, _, tx, _, te, ty) = first.transform, tile.transform
    for what, one, other, same in (
        ("CRS", crs.name, _crs(tile.crs_wkt).name, _crs(tile.crs_wkt).equals(crs, ignore_axis_order=True)),
        ("data type", first.dtype, tile.dtype, tile.dtype == first.dtype),
        ("nodata value", first.nodata, tile.nodata, _same(tile.nodata, first.nodata)),
        ("scale", first.scale, tile.scale, tile.scale == first.scale),
        ("offset", first.offset, tile.offset, tile.offset == first.offset),
        ("pixel size", f"{a:.12g} x {-e:.12g}", f"{ta:.12g} x {-te:.12g}",
         abs(ta - a) * tile.width < _SAME * a and abs(te - e) * tile.height < _SAME * -e),
    ):  # fmt: skip
        if not same:
            raise InputError(
                f"{tile.path}: this {name} tile has the {what} {other}, but {first.path} has {one}; tiles of one layer must agree"
            )
    for shift in ((tx - x0) / a, (ty - y0) / e):
        if abs(shift - round(shift)) > _SAME:
            raise InputError(
                f"{tile.path}: this {name} tile lies {shift % 1:.2f} of a pixel off the lattice of {first.path}; warp both onto "
                f"one grid first"
            )


@lru_cache(maxsize=64)
def _crs(wkt: str) -> pyproj.CRS:
    """Tiles are thousands, and of one CRS."""
    return pyproj.CRS.from_wkt(wkt)


def _same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and math.isnan(one) and math.isnan(other))
