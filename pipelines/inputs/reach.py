"""What an input may lead to.

A raster or vector file can name other files, programs and addresses, and such files come from strangers. What a user names
is opened; what a file names in turn is looked at first, down to the last raster: files on this disk may be joined, the
network is reached only by leave, and nothing is read that is no raster (a VRT can show any file as one) or that runs code.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.parsers import expat

from pipelines.errors import InputError

GDAL_GUARD: Final = {"GDAL_VRT_ENABLE_PYTHON": "NO", "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO", "GML_DOWNLOAD_SCHEMA": "NO"}
"""GDAL's own locks, behind ours."""
PATIENCE: Final = {
    "GDAL_HTTP_MAX_RETRY": 4, "GDAL_HTTP_RETRY_DELAY": 0.5, "GDAL_HTTP_CONNECTTIMEOUT": 20, "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}  # fmt: skip
"""A server may fail for a moment, and must not hold a run for ever."""
DRIVERS: Final = (
    "GTiff", "VRT", "HFA", "netCDF", "HDF5", "HDF5Image", "AAIGrid", "GRASSASCIIGrid", "GSAG", "GSBG", "GS7BG", "ENVI",
    "EHdr", "JP2OpenJPEG", "GPKG", "Zarr", "GRIB", "ERS", "PCIDSK", "PCRaster", "RST", "SAGA", "SRTMHGT", "DTED", "BT",
    "RMF", "PNG", "JPEG", "ILWIS", "BMP", "XYZ", "USGSDEM", "NITF", "RRASTER", "AIG", "GTX", "ISIS3", "PDS4", "MEM",
    "BYN", "GXF", "ROI_PAC", "ISCE", "SENTINEL2", "SAFE", "TIL", "DIMAP", "BSB", "CEOS", "FIT", "GFF", "LCP", "NGSGEOID",
)  # fmt: skip
"""Formats of rasters that are opened: none that speaks to a service or runs a program."""
_LOCAL_PREFIX: Final = (
    "netcdf",
    "hdf5",
    "hdf5image",
    "gtiff_dir",
    "gpkg",
    "zarr",
    "grib",
    "sentinel2_l1c",
    "sentinel2_l2a",
)
_ARCHIVES: Final = ("/vsizip/", "/vsigzip/", "/vsitar/", "/vsi7z/", "/vsirar/")
_PREFIX: Final = re.compile(r"^([A-Za-z0-9_]{2,}):(?!\\)")
_ADDRESS: Final = re.compile(r"\b(https?|ftp|s3|gs|az|abfs)://", re.IGNORECASE)
_INDEX: Final = re.compile(r"\.gti(\.|$)", re.IGNORECASE)
_NAMES: Final = ("SourceFilename", "SourceDataset", "Source")
"""Elements of a VRT whose text is a file."""
_PLAIN_TEXT: Final = frozenset(
    (
        "SRS",
        "GeoTransform",
        "MDI",
        "Description",
        "UnitType",
        "Category",
        "Metadata",
        "CategoryNames",
        "GDALRasterAttributeTable",
    )
)
_DEEPEST: Final = 8
"""VRTs within VRTs that are looked into."""
_HEAD: Final = 1 << 16


@dataclass(frozen=True)
class Permit:
    """What the user allows. network : files may lead to addresses; folders : where all files must lie, empty for anywhere."""

    network: bool = False
    folders: tuple[str, ...] = ()


DEFAULT: Final = Permit()


def is_remote(name: str) -> bool:
    """Whether GDAL would go to the network, or to a service or program, for what has this name."""
    text = name.strip()
    if text.startswith("/vsi"):
        archive = next((a for a in _ARCHIVES if text.startswith(a)), None)
        return archive is None or is_remote(text.removeprefix(archive).strip("{}"))
    if text.lower().startswith("vrt://"):
        return is_remote(text[6:])
    named = _PREFIX.match(text)
    if named and named[1].lower() in _LOCAL_PREFIX:  # HDF5:"a.h5"://group is a part of a local file
        return "/vsi" in text or _ADDRESS.search(text) is not None
    if "://" in text:
        return not text.startswith("file://")
    return named is not None and not Path(text).exists()


def require(what: str, name: str, permit: Permit = DEFAULT) -> None:
    """Refuse a raster that the user names when it leads to what is not allowed. what : the layer, for people."""
    if is_remote(name):  # the user named it
        if permit.folders:
            raise InputError(
                f"{name}: this {what} raster is not in {', '.join(permit.folders)}, where all inputs must be"
            )
        return
    _look(what, name, name, permit, 0)


def require_vector(path: str) -> None:
    """The same for polygons, points and tables that GDAL reads."""
    if is_remote(path):
        return
    if not _ordinary(path, path):
        return
    head = _head(path)
    if head[:500].lower().startswith((b"<!doctype html", b"<html")):
        raise InputError(f"{path}: is a web page, perhaps one of a login or an error; get the file again")
    if head.startswith(b"<"):
        root = _root(path)
        if root in ("OGRVRTDataSource", "OGRWFSDataSource", "OGRWFSDataSource3", "GDAL_WMS", "Configuration"):
            raise InputError(
                f"{path}: this file only points to other data (<{root}>), which is not followed; give the data itself"
            )
    elif head.startswith(b"{") and (b"gdal_streamed_alg" in head or b"gdalVersion" in head):
        raise InputError(
            f"{path}: this file is a recipe for GDAL to run, which is not done; give the polygons themselves"
        )


def drivers(name: str) -> list[str]:
    """Formats in which a raster may be opened: a VRT only where its text could be looked at first."""
    local = not name.startswith("/vsi") and "://" not in name
    return [d for d in DRIVERS if local or d != "VRT"]


# ------------------------------------------------------------------------------------------ looking


def _look(what: str, top: str, name: str, permit: Permit, depth: int) -> None:
    """One file and all that it leads to. top : the file that the user named."""
    through = "" if name == top else f" (through {top})"
    if is_remote(name):
        if not permit.network:
            raise InputError(
                f"{top}: this {what} raster reads {name}, which is not on this disk; allow it with --allow-network if you "
                f"trust the file"
            )
        return
    path = _plain_path(name)
    if path is None:
        if permit.folders:
            raise InputError(
                f"{top}: {name} is a part of a file, of which --only-within cannot tell where it lies; extract it"
            )
        return
    require_within(path, permit, top)
    if not _ordinary(top, path):
        if b'"record_size"' in _head(os.path.join(path, ".zmetadata")):
            raise InputError(
                f"{path}{through}: this folder only points to other files (Zarr references); give the data"
            )
        return
    if depth and _INDEX.search(os.path.basename(path)):
        raise InputError(f"{path}{through}: a tile index within a VRT is not followed; name the index itself")
    head = _head(path)
    if head.startswith(b"{"):
        raise InputError(f"{path}{through}: this is a description in JSON and no raster; give the raster itself")
    if not head.startswith(b"<"):
        return
    if head[:500].lower().startswith((b"<!doctype html", b"<html")):
        raise InputError(f"{path}{through}: is a web page, perhaps one of a login or an error; get the file again")
    if depth >= _DEEPEST:
        raise InputError(
            f"{top}: its VRTs lead from one to the next more than {_DEEPEST} times; make one VRT of the rasters"
        )
    found = _Vrt(path)
    if found.root != "VRTDataset":
        raise InputError(
            f"{path}{through}: this is the description of something else (<{found.root}>) and no raster; give the raster itself"
        )
    if found.refused:
        raise InputError(
            f"{path}{through}: this VRT {found.refused}, which is not done; give plain rasters (gdal_translate)"
        )
    for text, relative in found.files:
        if text.lstrip().startswith("<"):
            raise InputError(f"{path}{through}: this VRT holds another within its text; save that as a file of its own")
        within = os.path.join(os.path.dirname(path), text) if relative and _plain_path(text) is not None else text
        _look(what, top, within, permit, depth + 1)


def _plain_path(name: str) -> str | None:
    """The file that is opened, None where it is a part of another (``NETCDF:a.nc:x``, a file in an archive)."""
    text = name.removeprefix("file://")
    if text.startswith("/vsi") or text.lower().startswith("vrt://"):
        return None
    return None if _PREFIX.match(text) and not Path(text).exists() else text


def require_within(path: str, permit: Permit, top: str = "") -> None:
    """Refuse a file that lies outside of the folders that the user allows. top : the file that led to it."""
    if not permit.folders:
        return
    real = os.path.realpath(path)
    if not any(Path(real).is_relative_to(os.path.realpath(folder)) for folder in permit.folders):
        where = path if top else "it"
        raise InputError(
            f"{top or path}: {where} lies outside of {', '.join(permit.folders)}, where all inputs must be (--only-within)"
        )


def _ordinary(top: str, path: str) -> bool:
    """Whether there is a file of which to look at the beginning. Raises InputError for devices, pipes and sockets."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False  # what opens it says so
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{top}: {path} is no ordinary file but a device or pipe; save its content as a file first")
    return stat.S_ISREG(mode)


def _head(path: str) -> bytes:
    """The first bytes of a file, without byte-order mark and blanks."""
    try:
        with open(path, "rb") as stream:
            return stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return b""


class _Vrt:
    """What the text of a VRT speaks of. root : its first element; files : (name, relative to the VRT); refused : why not."""

    def __init__(self, path: str, root_only: bool = False) -> None:
        self.root, self.refused = "", ""
        self.files: list[tuple[str, bool]] = []
        self._stack: list[str] = []
        self._text: list[str] = []
        self._relative = False
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            with open(path, "rb") as stream:
                while chunk := stream.read(_HEAD):
                    parser.Parse(chunk)
                    if root_only and self.root:
                        return
                parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise InputError(f"{path}: not a readable XML file ({error}); make it again") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None

    def _doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type, which can make a small file endless")

    def _start(self, tag: str, given: dict[str, str]) -> None:
        self.root = self.root or tag
        self._stack.append(tag)
        self._text.clear()
        self._relative = any(k.lower() == "relativetovrt" and v == "1" for k, v in given.items())
        if "VRTRaw" in given.get("subClass", ""):
            self.refused = "shows the bytes of any file as a raster (VRTRawRasterBand)"
        for value in given.values():
            self._suspect(tag, value)

    def _end(self, tag: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        self._stack.pop()
        if tag in _NAMES:
            if text:
                self.files.append((text, self._relative))
        elif tag in ("PixelFunctionCode", "PixelFunctionLanguage") and "python" in (text.lower() or "python"):
            self.refused = "runs code of its own (a pixel function in Python)"
        elif not _PLAIN_TEXT.intersection((tag, *self._stack)):
            self._suspect(tag, text)

    def _suspect(self, tag: str, text: str) -> None:
        """A name where none is expected."""
        if "://" in text or "/vsi" in text:
            self.files.append((text, False))


def _root(path: str) -> str:
    """The first element of an XML file. Raises InputError for one with a document type of its own."""
    return _Vrt(path, root_only=True).root
