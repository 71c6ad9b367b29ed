"""What a layer is and what its file says of itself. A layer is a recipe; no handle is kept."""

from __future__ import annotations

import glob
import hashlib
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pyproj
import rasterio
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import CRSError, RasterioError, RasterioIOError

from pipelines.errors import InputError
from pipelines.grid import Grid

KINDS: Final = ("class", "density", "amount")
GDAL_ENV: Final = {"GDAL_PAM_ENABLED": "NO", "GDAL_NUM_THREADS": 1, "GDAL_CACHEMAX": 256}
"""No sidecars beside the user's files; one thread a worker; a cache that stays small."""


@dataclass(frozen=True)
class Layer:
    """What the user asks for. kind decides how it is resampled; the rest is what the file does not say of itself."""

    name: str
    kind: str
    path: str
    band: int | None = None
    nodata: float | None = None
    crs: str | None = None
    scale: float | None = None
    offset: float | None = None
    unit: str | None = None
    resampling: str | None = None


@dataclass(frozen=True)
class Source:
    """A layer and what its file says: plain values, so that it travels."""

    layer: Layer
    path: str
    band: int
    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int
    dtype: str
    nodata: float | None
    has_mask: bool
    scale: float
    offset: float
    unit: str
    block_shape: tuple[int, int]
    fingerprint: str
    notes: tuple[str, ...] = ()

    @property
    def is_strips(self) -> bool:
        """Whether reading a part of a row means decoding the whole of it."""
        return self.block_shape[1] >= self.width and self.width > 2048


# ------------------------------------------------------------------------------------------ from what a user gives


def make_layer(name: str, kind: str, value: Any, workdir: Path, **own: Any) -> Layer:
    """A layer from a path, URL, GDAL name, glob, folder, list of tiles or xarray object.

    Tiles are joined by a VRT in ``workdir``; an xarray object is written there once. Raises InputError for nothing found,
    tiles that do not fit together or an unknown kind.
    """
    if kind not in KINDS:
        raise InputError(f"the kind of layer {name} is '{kind}'; choose one of {', '.join(KINDS)}")
    if isinstance(value, xr.Dataset):
        value = _only_variable(name, value)
    if isinstance(value, xr.DataArray):
        return Layer(name, kind, _write_array(name, value, workdir), **own)
    paths = _paths(name, value)
    path = paths[0] if len(paths) == 1 else _join(name, paths, workdir, own)
    return Layer(name, kind, path, **own)


def _only_variable(name: str, dataset: xr.Dataset) -> xr.DataArray:
    spatial = [v for v in dataset.data_vars if dataset[v].ndim >= 2]
    if len(spatial) != 1:
        raise InputError(
            f"{name}: the Dataset has {len(spatial)} raster variables ({', '.join(map(str, spatial))}); pass one of them"
        )
    return dataset[spatial[0]]


def _write_array(name: str, array: xr.DataArray, workdir: Path) -> str:
    """An xarray object as a file, window by window, for everything behind this point reads files."""
    squeezed = array.squeeze(drop=True)
    if squeezed.ndim != 2:
        raise InputError(
            f"{name}: the array has dims {', '.join(map(str, array.dims))}; pass one with two spatial dims"
        )
    if squeezed.rio.crs is None:
        raise InputError(f'{name}: the array has no CRS; set one with array.rio.write_crs("EPSG:4326")')
    path = workdir / f"{name}.tif"
    squeezed.rio.to_raster(path, tiled=True, windowed=True)
    return str(path)


def _paths(name: str, value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        found = [p for item in value for p in _paths(name, item)]
        if not found:
            raise InputError(f"{name}: an empty list of rasters was given; name at least one")
        return found
    text = os.fspath(value)
    if text.startswith(("http://", "https://")):
        return [f"/vsicurl/{text}"]
    if text.startswith("s3://"):
        return [f"/vsis3/{text[5:]}"]
    if text.startswith("/vsi") or re.match(r"^[A-Za-z0-9_]{3,}:", text):
        return [text]
    path = Path(text)
    if path.is_dir():
        found = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in (".tif", ".tiff", ".img", ".vrt"))
        if not found:
            raise InputError(f"{text}: this folder holds no .tif, .img or .vrt file; name the {name} raster")
        return found
    if path.exists():
        return [text]
    if any(ch in text for ch in "*?["):
        found = sorted(glob.glob(text))
        if not found:
            raise InputError(f"{text}: no file matches this pattern; check the path of the {name} layer")
        return found
    raise InputError(f"{text}: there is no such file; check the path of the {name} layer")


# ------------------------------------------------------------------------------------------ tiles


def _join(name: str, paths: Sequence[str], workdir: Path, own: dict[str, Any]) -> str:
    """A VRT over tiles that lie on one lattice."""
    tiles = [inspect(Layer(name, "density", p, band=own.get("band"), crs=own.get("crs"))) for p in paths]
    first = tiles[0]
    a, _, x0, _, e, y0 = first.transform
    for tile in tiles[1:]:
        if not pyproj.CRS.from_wkt(tile.crs_wkt).equals(pyproj.CRS.from_wkt(first.crs_wkt)):
            _unfit(
                name,
                first,
                tile,
                "CRS",
                pyproj.CRS.from_wkt(first.crs_wkt).name,
                pyproj.CRS.from_wkt(tile.crs_wkt).name,
            )
        for what in ("dtype", "scale", "offset"):
            if getattr(tile, what) != getattr(first, what):
                _unfit(name, first, tile, what, getattr(first, what), getattr(tile, what))
        if not _same(tile.nodata, first.nodata) and own.get("nodata") is None:
            _unfit(name, first, tile, "nodata value", first.nodata, tile.nodata)
        ta, _, tx, _, te, ty = tile.transform
        if not (math.isclose(ta, a, rel_tol=1e-6) and math.isclose(te, e, rel_tol=1e-6)):
            _unfit(name, first, tile, "pixel size", (a, -e), (ta, -te))
        for shift in ((tx - x0) / a, (ty - y0) / e):
            if abs(shift - round(shift)) > 0.01:
                raise InputError(
                    f"{tile.path}: this tile lies {shift % 1:.2f} of a pixel off the lattice of {first.path}; warp it onto one grid first"
                )
    out = workdir / f"{name}.vrt"
    out.write_text(_vrt(tiles), encoding="utf-8")
    return str(out)


def _unfit(name: str, first: Source, tile: Source, what: str, one: Any, other: Any) -> None:
    raise InputError(
        f"{tile.path}: this {name} tile has the {what} {other}, but {first.path} has {one}; tiles of one layer must agree"
    )


def _same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and math.isnan(one) and math.isnan(other))


_VRT_TYPES: Final = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32", "int32": "Int32",
    "float32": "Float32", "float64": "Float64", "uint64": "UInt64", "int64": "Int64",
}  # fmt: skip


def _vrt(tiles: Sequence[Source]) -> str:
    """VRT text: later tiles win where tiles overlap, as GDAL does."""
    first = tiles[0]
    a, _, _, _, e, _ = first.transform
    west = min(t.transform[2] for t in tiles)
    north = max(t.transform[5] for t in tiles)
    cols = [round((t.transform[2] - west) / a) for t in tiles]
    rows = [round((t.transform[5] - north) / e) for t in tiles]
    width = max(c + t.width for c, t in zip(cols, tiles, strict=True))
    height = max(r + t.height for r, t in zip(rows, tiles, strict=True))
    kind = "ComplexSource" if first.nodata is not None else "SimpleSource"
    nodata = f"<NODATA>{first.nodata!r}</NODATA>" if first.nodata is not None else ""
    body = "".join(
        f'<{kind}><SourceFilename relativeToVRT="0">{escape(os.path.abspath(t.path) if not t.path.startswith("/vsi") else t.path)}'
        f"</SourceFilename><SourceBand>{t.band}</SourceBand>"
        f'<SrcRect xOff="0" yOff="0" xSize="{t.width}" ySize="{t.height}"/>'
        f'<DstRect xOff="{c}" yOff="{r}" xSize="{t.width}" ySize="{t.height}"/>{nodata}</{kind}>'
        for t, c, r in zip(tiles, cols, rows, strict=True)
    )
    fill = f"<NoDataValue>{first.nodata!r}</NoDataValue>" if first.nodata is not None else ""
    scaling = f"<Scale>{first.scale!r}</Scale><Offset>{first.offset!r}</Offset>"
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{escape(first.crs_wkt)}</SRS>'
        f"<GeoTransform>{west!r}, {a!r}, 0.0, {north!r}, 0.0, {e!r}</GeoTransform>"
        f'<VRTRasterBand dataType={quoteattr(_VRT_TYPES[first.dtype])} band="1">{fill}{scaling}{body}</VRTRasterBand></VRTDataset>'
    )


# ------------------------------------------------------------------------------------------ what a file says


def open_raster(path: str) -> rasterio.DatasetReader:
    """A handle of one's own. Raises InputError when the file is missing, no raster or damaged."""
    try:
        return rasterio.open(path, sharing=False)
    except RasterioIOError as error:
        if not path.startswith("/vsi") and ":" not in path and not Path(path).exists():
            raise InputError(f"{path}: there is no such file; check the path") from None
        raise InputError(
            f"{path}: not a raster that GDAL can read ({str(error).splitlines()[0]}); check the file"
        ) from None


def inspect(layer: Layer) -> Source:
    """Open a layer's file, check it and note what it says. Raises InputError naming what is wrong and the mend."""
    with rasterio.Env(**GDAL_ENV), open_raster(layer.path) as d:
        if d.count == 0:
            subs = d.subdatasets
            hint = f"; name one of its variables: {', '.join(subs[:6])}" if subs else "; check the file"
            raise InputError(f"{layer.path}: this file has no raster band of its own{hint}")
        band, notes = _band(layer, d)
        dtype = str(d.dtypes[band - 1])
        if dtype.startswith("complex"):
            raise InputError(f"{layer.path}: the {layer.name} layer holds complex numbers; give a real-valued band")
        crs = _crs(layer, d)
        t = d.transform
        if d.width == 0 or d.height == 0:
            raise InputError(f"{layer.path}: this raster has no pixels; check the file")
        if t.b or t.d:
            raise InputError(f"{layer.path}: this raster is rotated; warp it to a north-up grid first (gdalwarp does)")
        if t.is_identity:
            raise InputError(
                f"{layer.path}: this raster says nothing of where it lies (no geotransform); georeference it first"
            )
        nodata = d.nodatavals[band - 1] if layer.nodata is None else layer.nodata
        flags = d.mask_flag_enums[band - 1]
        masked = MaskFlags.per_dataset in flags or MaskFlags.alpha in flags
        scale = d.scales[band - 1] if layer.scale is None else layer.scale
        offset = d.offsets[band - 1] if layer.offset is None else layer.offset
        return Source(
            layer=layer, path=layer.path, band=band, crs_wkt=crs.to_wkt(), transform=(t.a, t.b, t.c, t.d, t.e, t.f),
            width=d.width, height=d.height, dtype=dtype, nodata=nodata, has_mask=masked, scale=float(scale),
            offset=float(offset), unit=layer.unit or d.units[band - 1] or "", block_shape=d.block_shapes[band - 1],
            fingerprint=fingerprint(layer.path), notes=notes,
        )  # fmt: skip


def _band(layer: Layer, d: rasterio.DatasetReader) -> tuple[int, tuple[str, ...]]:
    if layer.band is not None:
        if not 1 <= layer.band <= d.count:
            raise InputError(f"{layer.path}: band {layer.band} was asked for, but it has {d.count}")
        return layer.band, ()
    if d.count > 1 and not (d.count == 2 and d.colorinterp[1] == ColorInterp.alpha):
        return 1, (
            f"{layer.name}: {layer.path} has {d.count} bands; the first is used (choose with --layer {layer.name}.band=N)",
        )
    return 1, ()


def _crs(layer: Layer, d: rasterio.DatasetReader) -> pyproj.CRS:
    if layer.crs:
        try:
            return pyproj.CRS.from_user_input(layer.crs)
        except pyproj.exceptions.CRSError as error:
            raise InputError(
                f"--layer {layer.name}.crs={layer.crs} is no CRS ({error}); give one like EPSG:4326"
            ) from None
    if d.crs is None:
        raise InputError(
            f"{layer.path}: the {layer.name} raster has no CRS, so it cannot be placed; say which it is, e.g. "
            f"--layer {layer.name}.crs=EPSG:4326"
        )
    try:
        return pyproj.CRS.from_wkt(d.crs.to_wkt())
    except (pyproj.exceptions.CRSError, CRSError) as error:
        raise InputError(
            f"{layer.path}: its CRS cannot be understood ({error}); set it with --layer {layer.name}.crs=…"
        ) from None


def fingerprint(path: str) -> str:
    """Size, time and a digest of both ends of a local file: enough to notice a change; the name of anything else."""
    local = Path(path)
    if not local.is_file():
        return path
    about = local.stat()
    digest = hashlib.sha256()
    with local.open("rb") as stream:
        digest.update(stream.read(1 << 20))
        stream.seek(max(0, about.st_size - (1 << 20)))
        digest.update(stream.read(1 << 20))
    return f"{about.st_size}-{about.st_mtime_ns}-{digest.hexdigest()[:16]}"


def grid_of(source: Source) -> Grid:
    """The grid on which the land cover lies; flipped rasters get the same grid, north up."""
    a, _, x0, _, e, y0 = source.transform
    if a < 0:
        x0, a = x0 + a * source.width, -a
    if e > 0:
        y0, e = y0 + e * source.height, -e
    return Grid(source.crs_wkt, (a, 0.0, x0, 0.0, e, y0), source.width, source.height)


def thin(source: Source, most: int) -> tuple[NDArray, NDArray[np.bool_]]:
    """Every n-th value of a source and whether it is valid, scaled: a quick look at the whole (rows, columns ≤ ``most``)."""
    shape = (min(most, source.height), min(most, source.width))
    try:
        with rasterio.Env(**GDAL_ENV), open_raster(source.path) as d:
            values = d.read(source.band, out_shape=shape, resampling=Resampling.nearest)
            mask = d.read_masks(source.band, out_shape=shape) > 0 if source.has_mask else np.ones(shape, bool)
    except RasterioError as error:
        raise InputError(
            f"{source.path}: cannot be read to its end ({str(error).splitlines()[0]}); the file is damaged"
        ) from None
    valid = mask & np.isfinite(values) if values.dtype.kind == "f" else mask
    if source.nodata is not None and not math.isnan(source.nodata):
        valid = valid & (values != source.nodata)
    if source.layer.kind != "class" and (source.scale != 1 or source.offset != 0):
        return values * source.scale + source.offset, valid
    return values, valid
