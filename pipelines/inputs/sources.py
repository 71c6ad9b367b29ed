"""What a layer is and what its file says of itself. A layer is a recipe; no handle is kept."""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from pyproj.crs import Datum
from rasterio._err import CPLE_BaseError  # what GDAL raises through rasterio unwrapped
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.windows import Window

from pipelines.errors import InputError
from pipelines.inputs import places, reach, soundness, storefaults
from pipelines.inputs.grid import Grid
from pipelines.inputs.vrt import fitting_nodata

GDAL_ENV: Final = {
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_NUM_THREADS": 1,
    "GDAL_CACHEMAX": 256,
    **reach.GDAL_GUARD,
    **reach.PATIENCE,
}
"""No sidecars beside the user's files; one thread a worker; a cache that stays small; patience with servers."""

RASTERS: Final = (".tif", ".tiff", ".img", ".vrt")
_END: Final = 1 << 16
"""Bytes at either end of a file that tell it from another; tiles are thousands."""
_WHOLE: Final = 4096 * 4096
_SPOTS: Final = 8
"""Rasters of more pixels than ``_WHOLE`` are looked at in ``_SPOTS``² spots only."""


@dataclass(frozen=True)
class Layer:
    """What the user asks for. kind decides how it is resampled; the rest is what the file does not say of itself.

    path : what GDAL opens; files : what the user named, where that is something else; notes : what joining them showed;
    heads : digest of what those of the files say of themselves that are not on this disk.
    """

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
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    heads: str = ""


@dataclass(frozen=True)
class Source:
    """A layer and what its file says: plain values, so that it travels.

    path : for people; transform : affine a…f in the file's own direction; nodata : None where the type cannot hold it;
    has_mask : it has a mask or alpha band; scale, offset : stored value → value in ``unit``; block_shape : rows, columns;
    heads : of a file that is not on this disk, what tells it from another, as far as its head does.
    """

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
    description: str
    block_shape: tuple[int, int]
    n_bands: int
    fingerprint: str
    notes: tuple[str, ...] = ()
    heads: str = ""

    @property
    def is_strips(self) -> bool:
        """Whether reading a part of a row means decoding the whole of it."""
        return self.block_shape[1] >= self.width and self.width > 2048


# ------------------------------------------------------------------------------------------ what a file says


def open_raster(path: str) -> rasterio.DatasetReader:
    """A handle of one's own. Raises InputError when the file is missing, no raster or damaged."""
    try:
        return rasterio.DatasetReader(path, driver=reach.drivers(path), sharing=False)
    except (RasterioIOError, UnicodeDecodeError) as error:
        local = not path.startswith(("/vsi", "<")) and not re.match(r"^[A-Za-z0-9_]{2,}:", path)
        if local and not Path(path).exists():
            raise InputError(f"{path}: there is no such file; check the path") from None
        if local and Path(path).is_dir():
            raise InputError(f"{path}: this folder holds no {', '.join(RASTERS)} file; name the raster") from None
        said = str(error).splitlines()[0]
        if do := storefaults.advice(path, said):
            raise InputError(f"{path}: cannot be read ({said}); {do}") from None
        raise InputError(f"{path}: not a raster that GDAL can read ({said}); check the file") from None


def inspect(layer: Layer) -> Source:
    """Open a layer's file, check it and note what it says. Raises InputError naming what is wrong and the mend."""
    with (
        warnings.catch_warnings()
    ):  # that a raster lies nowhere is said below; never in threads, which share the filters
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        found = described(layer)
    return replace(found, fingerprint=mark(layer), notes=(*layer.notes, *found.notes))


def mark(layer: Layer) -> str:
    """The fingerprint of a layer's files, as they are now."""
    marks = [fingerprint(p) for p in layer.files or (layer.path,)]
    return marks[0] if len(marks) == 1 else hashlib.sha256("\n".join(marks).encode()).hexdigest()[:32]


def described(layer: Layer) -> Source:
    """All of ``inspect`` but the fingerprint."""
    shown = layer.path if not layer.files else f"{layer.files[0]} and {len(layer.files) - 1} more"
    try:
        return _read_head(layer, shown)
    except (
        CPLE_BaseError,
        RasterioError,
        CRSError,
        UnicodeDecodeError,
        pyproj.exceptions.ProjError,
        OverflowError,
    ) as error:
        raise InputError(
            f"{shown}: what this raster says of itself is damaged ({str(error).splitlines()[0]}); get it again"
        ) from None


def _read_head(layer: Layer, shown: str) -> Source:
    with rasterio.Env(**GDAL_ENV), open_raster(layer.path) as d:
        band, notes = _band(layer, shown, d)
        dtype = str(d.dtypes[band - 1])
        if dtype.startswith("complex"):
            raise InputError(f"{shown}: the {layer.name} layer holds complex numbers; give a real-valued band")
        crs = _crs(layer, shown, d, notes)
        t = d.transform
        soundness.require_place(shown, d)
        asked = d.nodatavals[band - 1] if layer.nodata is None else layer.nodata
        nodata = fitting_nodata(asked, dtype)
        if asked is not None and nodata is None and layer.nodata is not None:
            raise InputError(
                f"{shown}: --layer {layer.name}.nodata={asked:g} cannot occur in a raster of {dtype}; give a value that does"
            )
        soundness.require_pieces(shown, d.block_shapes[band - 1], dtype)
        soundness.require_whole(shown, layer.path, d, band)
        scale = float(d.scales[band - 1] if layer.scale is None else layer.scale)
        offset = float(d.offsets[band - 1] if layer.offset is None else layer.offset)
        soundness.require_factor(layer.name, shown, scale, offset)
        flags = d.mask_flag_enums[band - 1]
        return Source(
            layer=layer, path=shown, band=band, crs_wkt=crs, transform=(t.a, t.b, t.c, t.d, t.e, t.f),
            width=d.width, height=d.height, dtype=dtype, nodata=nodata,
            has_mask=MaskFlags.per_dataset in flags or MaskFlags.alpha in flags,
            scale=scale, offset=offset, unit=layer.unit or d.units[band - 1] or "", description=d.descriptions[band - 1] or "",
            block_shape=d.block_shapes[band - 1], n_bands=d.count, fingerprint="", notes=tuple(notes),
            heads=_head_digest(d, band) if reach.is_remote(layer.path) else layer.heads,
        )  # fmt: skip


def _band(layer: Layer, shown: str, d: rasterio.DatasetReader) -> tuple[int, list[str]]:
    if d.count == 0:
        subs = [str(s) for s in d.subdatasets]
        hint = f"; name one of its variables: {', '.join(subs[:8])}" if subs else "; check the file"
        raise InputError(f"{shown}: this file has no raster band of its own{hint}")
    if layer.band is not None:
        if not 1 <= layer.band <= d.count:
            raise InputError(f"{shown}: band {layer.band} was asked for, but it has {d.count}; choose another")
        return layer.band, []
    soundness.require_no_picture(layer.name, shown, d)
    if sum(kind != ColorInterp.alpha for kind in d.colorinterp) > 1:
        return 1, [
            f"{layer.name}: {shown} has {d.count} bands; the first is used (choose with --layer {layer.name}.band=N)"
        ]
    return 1, []


def _crs(layer: Layer, shown: str, d: rasterio.DatasetReader, notes: list[str]) -> str:
    """The CRS that is asked for, or the file's own, as WKT."""
    if layer.crs:
        try:
            asked = _asked_crs(layer.crs)
        except pyproj.exceptions.CRSError:
            raise InputError(f"--layer {layer.name}.crs={layer.crs} is no known CRS; give one like EPSG:4326") from None
        places.require_usable(shown, asked.name, asked.fault, f"give --layer {layer.name}.crs another")
        return asked.wkt
    if d.crs is None:
        raise InputError(
            f"{shown}: the {layer.name} raster has no CRS, so it cannot be placed; say which it is: --layer "
            f'{layer.name}.crs=EPSG:4326, or crs = "EPSG:4326" under [layers.{layer.name}] in the assessment file'
        )
    try:
        crs = _own_crs(d.crs.to_wkt())
    except (pyproj.exceptions.CRSError, CRSError) as error:
        raise InputError(
            f"{shown}: its CRS cannot be understood ({error}); set it with --layer {layer.name}.crs=…"
        ) from None
    places.require_usable(shown, crs.name, crs.fault, f"set its true one with --layer {layer.name}.crs=…")
    if crs.misnamed:
        mend = f"set the true CRS with --layer {layer.name}.crs=…"
        notes.append(
            f"{layer.name}: the CRS of {shown} {crs.misnamed}; the ellipsoid is believed and no datum shift applied ({mend})"
        )
    return crs.wkt


class _Crs(NamedTuple):
    """What is to be known of a CRS. fault : why nothing can be placed in it; misnamed : what is wrong with its datum."""

    name: str
    wkt: str
    fault: str
    misnamed: str


# Tiles are thousands, and of one CRS: parsing and judging one takes several times as long as opening a file.


@lru_cache(maxsize=64)
def _own_crs(wkt: str) -> _Crs:
    return _judged(pyproj.CRS.from_wkt(wkt))


@lru_cache(maxsize=64)
def _asked_crs(text: str) -> _Crs:
    return _judged(pyproj.CRS.from_user_input(text))


def _judged(crs: pyproj.CRS) -> _Crs:
    fault = places.fault(crs)
    return _Crs(crs.name, crs.to_wkt(), fault, "" if fault else _misnamed(crs))


def _misnamed(crs: pyproj.CRS) -> str:
    """What is said where the datum's name belongs to another ellipsoid than the one it has; blank where it does not."""
    if crs.datum is None or crs.ellipsoid is None:
        return ""
    try:
        known = Datum.from_name(crs.datum.name).ellipsoid
    except pyproj.exceptions.CRSError:
        return ""
    if known is None or abs(known.semi_major_metre - crs.ellipsoid.semi_major_metre) < 1:
        return ""
    return f"names the datum '{crs.datum.name}' but has the ellipsoid {crs.ellipsoid.name}"


def fingerprint(path: str) -> str:
    """Size, time and a digest of both ends of a local file: enough to notice a change; the name of anything else."""
    local = Path(path)
    if not local.is_file():
        return path
    about = local.stat()
    digest = hashlib.sha256()
    with local.open("rb") as stream:
        digest.update(stream.read(_END))
        stream.seek(max(0, about.st_size - _END))
        digest.update(stream.read(_END))
    return f"{about.st_size}-{about.st_mtime_ns}-{digest.hexdigest()[:16]}"


def _head_digest(d: rasterio.DatasetReader, band: int) -> str:
    """What tells a raster in a store from the next of its name, without reading its pixels.

    Where the last block of a compressed TIFF begins tells the size of all others.
    """
    rows, cols = d.block_shapes[band - 1]
    ends = ("0_0", f"{(d.width - 1) // cols}_{(d.height - 1) // rows}")
    places = [d.get_tag_item(f"BLOCK_{w}_{e}", "TIFF", bidx=band) for e in ends for w in ("OFFSET", "SIZE")]
    said = (d.width, d.height, d.dtypes, d.nodatavals, tuple(d.transform), sorted(d.tags().items()), places)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def grid_of(source: Source) -> Grid:
    """The grid on which the land cover lies; flipped rasters get the same grid, north up."""
    a, _, x0, _, e, y0 = source.transform
    if a < 0:
        x0, a = x0 + a * source.width, -a
    if e > 0:
        y0, e = y0 + e * source.height, -e
    return Grid(source.crs_wkt, (a, 0.0, x0, 0.0, e, y0), source.width, source.height)


# ------------------------------------------------------------------------------------------ a quick look


def thin(source: Source, most: int) -> tuple[NDArray, NDArray[np.bool_]]:
    """A quick look at values and whether they are valid, scaled; at most about ``most``² of them, spread over the whole.

    Small rasters are thinned out evenly. Of large ones evenly spaced spots are read in full, for thinning would decode
    every block, and overviews of classes may hold averages; unless there is nothing at the spots.
    """
    try:
        with rasterio.Env(**GDAL_ENV), open_raster(source.layer.path) as d:
            if source.width * source.height > _WHOLE:
                values, valid = _looked(source, d, _spots(source, most, d.block_shapes[source.band - 1]))
                if valid.any():
                    return values, valid
            if source.width * source.height > _WHOLE:
                shape = (min(most, source.height), min(most, source.width))
                return _looked(source, d, [{"out_shape": shape, "resampling": Resampling.nearest}])
            values, valid = _looked(source, d, [{}])  # GDAL takes a hundred times as long to thin it out
            step = slice(None, None, -(-source.height // most)), slice(None, None, -(-source.width // most))
            return values[step], valid[step]
    except RasterioError as error:
        said = str(error).splitlines()[0]
        if do := store_advice(source.layer, said):
            raise InputError(f"{source.path}: cannot be read ({said}); {do}") from None
        raise InputError(f"{source.path}: cannot be read to its end ({said}); the file is damaged") from None


def store_advice(layer: Layer, said: str) -> str:
    """What to do about a failed read, where the layer or a tile of it is in a store."""
    return next(filter(None, (storefaults.advice_on_reading(p, said) for p in layer.files or (layer.path,))), "")


def _spots(source: Source, most: int, piece: tuple[int, int]) -> list[dict[str, Any]]:
    """Windows of ``most / _SPOTS`` pixels square around the middles of ``_SPOTS``² equal parts, each within one of the pieces
    that the file is decoded by, if it fits."""
    size = max(1, most // _SPOTS)
    height, width = min(size, source.height), min(size, source.width)
    rows = [_within((2 * i + 1) * (source.height - height) // (2 * _SPOTS), height, piece[0]) for i in range(_SPOTS)]
    cols = [_within((2 * i + 1) * (source.width - width) // (2 * _SPOTS), width, piece[1]) for i in range(_SPOTS)]
    return [{"window": Window(col, row, width, height)} for row in rows for col in cols]


def _within(first: int, size: int, piece: int) -> int:
    """The start of so many pixels, moved back so that they do not cross into the next piece."""
    over = first % piece + size - piece
    return first - over if 0 < over < size <= piece else first


def _looked(
    source: Source, d: rasterio.DatasetReader, parts: list[dict[str, Any]]
) -> tuple[NDArray, NDArray[np.bool_]]:
    values = np.hstack([d.read(source.band, **part) for part in parts])
    if source.has_mask:
        valid = np.hstack([d.read_masks(source.band, **part) for part in parts]) > 0
    else:
        valid = np.ones(values.shape, bool)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    if source.nodata is not None and not math.isnan(source.nodata):
        valid &= values != np.asarray(source.nodata).astype(values.dtype)
    if source.layer.kind != "class" and (source.scale != 1 or source.offset != 0):
        return values * source.scale + source.offset, valid
    return values, valid
