"""One piece of a layer: read from the remote files that lie under it, and kept on disk until the layer is whole."""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from pipelines.errors import RunError
from pipelines.fetch.area import WGS84
from pipelines.fetch.combine import combined
from pipelines.fetch.lattice import Lattice, Span, common
from pipelines.fetch.register import Product
from pipelines.fetch.remotes import Key, Remote
from pipelines.fetch.web import Patience, shown, unreachable
from pipelines.files import record

_CLOSE: Final = 0.02
"""Pixels by which a file may be off the grid and still be read as it is."""
_KEPT: Final = ".piece"


@dataclass(frozen=True)
class Kept:
    """A piece on disk. marks : url and state of every file it was read from."""

    marks: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    packed: NDArray[np.uint8]


@dataclass(frozen=True)
class Under:
    """A remote file under a piece, by how far it is moved east [degrees], its mark, and which part of the raster it has."""

    remote: Remote
    turn: float
    mark: str
    part: int = 0


@dataclass
class Reader:
    """Reads pieces of one product. Threads have handles of their own."""

    product: Product
    patience: Patience
    key: Key
    _own: threading.local = field(default_factory=threading.local)

    @property
    def lattice(self) -> Lattice:
        return Lattice(self.product.per_degree, self.product.piece)

    def read(self, piece: Span, under: Sequence[Under]) -> NDArray[Any]:
        """The values of a piece, of all its parts together."""
        if not self.product.combine:
            return self._merged(piece, under)
        parts = [self._merged(piece, [u for u in under if u.part == n]) for n in sorted({u.part for u in under})]
        return combined(self.product, parts, self.lattice.latitudes(piece))

    def _merged(self, piece: Span, under: Sequence[Under]) -> NDArray[Any]:
        """The values of one part, nodata where no file has any; a file named later fills what earlier ones left empty."""
        values = np.full((piece.height, piece.width), self.product.nodata, self.product.dtype)
        for one in under:
            found = self._persist(piece, one)
            empty = values == values.dtype.type(self.product.nodata)
            values[empty] = found[empty]
        return values

    def _persist(self, piece: Span, one: Under) -> NDArray[Any]:
        """GDAL repeats a request that fails; a file that then cannot be read is opened anew."""
        for n in range(1, self.patience.tries + 1):
            try:
                return self._read(piece, one)
            except RasterioError as error:
                self._close()
                if n == self.patience.tries:
                    raise RunError(_sentence(one.remote.url, error)) from None
                time.sleep(self.patience.wait * 2 ** (n - 1))
        raise AssertionError("unreachable")

    def _read(self, piece: Span, one: Under) -> NDArray[Any]:
        d = self._open(one.remote.url)
        shift = round(one.turn * self.product.per_degree)
        there = piece._replace(col=piece.col - shift)
        place = self._place(d)
        if place is None:
            return self._warped(d, there)
        out = np.full((piece.height, piece.width), self.product.nodata, self.product.dtype)
        shared = common(there, Span(*place, d.height, d.width))
        if shared is None:
            return out
        window = Window(shared.col - place[1], shared.row - place[0], shared.width, shared.height)
        at = np.s_[shared.row - there.row :, shared.col - there.col :]
        out[at][: shared.height, : shared.width] = self._plain(d.read(1, window=window), d.nodata)
        return out

    def _plain(self, values: NDArray[Any], nodata: float | None) -> NDArray[Any]:
        """The file's own nodata value as ours."""
        if nodata is not None and nodata != self.product.nodata:
            values = np.where(values == nodata, self.product.nodata, values)
        return values.astype(self.product.dtype, copy=False)

    def _place(self, d: rasterio.DatasetReader) -> tuple[int, int] | None:
        """Row and column of a file's corner on the grid, None where its pixels are not the grid's."""
        n, t = self.product.per_degree, d.transform
        if d.crs is None or d.crs.to_epsg() != 4326:
            return None
        row, col = (90 - t.f) * n, (t.c + 180) * n
        off = (row - round(row), col - round(col), (t.a * n - 1) * d.width, (-t.e * n - 1) * d.height)
        return (round(row), round(col)) if max(map(abs, off)) < _CLOSE else None

    def _warped(self, d: rasterio.DatasetReader, there: Span) -> NDArray[Any]:
        p = self.product
        with WarpedVRT(
            d, crs=WGS84, transform=self.lattice.transform(there), width=there.width, height=there.height,
            resampling=Resampling[p.resampling], tolerance=1e-6, nodata=p.nodata,
            src_nodata=p.nodata if d.nodata is None else d.nodata, XSCALE=1, YSCALE=1,
        ) as vrt:  # fmt: skip
            return vrt.read(1).astype(p.dtype, copy=False)

    def _open(self, url: str) -> rasterio.DatasetReader:
        """The thread's handle; it keeps one, for pieces come row by row."""
        if getattr(self._own, "url", None) != url:
            self._close()
            signed = self.key.sign(url)
            path = signed if "://" not in signed else "/vsicurl/" + signed
            formats = ["GTiff", "VRT"] if url.endswith(".vrt") else ["GTiff"]
            self._own.handle, self._own.url = rasterio.DatasetReader(path, driver=formats, sharing=False), url
        return self._own.handle

    def _close(self) -> None:
        handle = getattr(self._own, "handle", None)
        self._own.handle = self._own.url = None
        if handle is not None:
            with suppress(RasterioError):
                handle.close()


def path_of(folder: Path, raster: str, piece: Span) -> Path:
    """Where a piece is kept."""
    return folder / raster.replace("/", "_") / f"{piece.row}_{piece.col}{_KEPT}"


def keep(path: Path, values: NDArray[Any], under: Sequence[Under]) -> None:
    """Write a piece, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = np.frombuffer(zlib.compress(np.ascontiguousarray(values).tobytes(), 1), np.uint8)
    record.write(path, Kept(_marks(under), values.shape, str(values.dtype), packed))


def kept(path: Path, under: Sequence[Under]) -> NDArray[Any] | None:
    """A piece from disk; None where there is none, it is damaged, or a remote file has changed since."""
    try:
        one: Kept = record.read(path, {"Kept": Kept})
        if tuple(one.marks) != _marks(under):
            return None
        os.utime(path)  # what was used last is removed last
        return np.frombuffer(zlib.decompress(one.packed.tobytes()), one.dtype).reshape(one.shape)
    except (record.DamagedError, FileNotFoundError, zlib.error, ValueError):
        return None


def trim(folder: Path, gib: float) -> None:
    """Remove the pieces that were not used for longest, until the rest takes no more than this."""
    found = sorted((p.stat().st_mtime, p.stat().st_size, p) for p in folder.rglob(f"*{_KEPT}"))
    over = sum(size for _, size, _ in found) - gib * 2**30
    for _, size, path in found:
        if over <= 0:
            return
        path.unlink(missing_ok=True)
        over -= size


def _marks(under: Sequence[Under]) -> tuple[str, ...]:
    return tuple(f"{u.remote.url} {u.turn:g} {u.mark}" for u in under)


def _sentence(url: str, error: Exception) -> str:
    said = str(error).splitlines()[0].replace(url, "it") if str(error) else type(error).__name__
    if any(
        word in said.lower() for word in ("http response", "curl error", "timed out", "could not resolve", "connect")
    ):
        return unreachable(url, RuntimeError(said))
    return (
        f"{shown(url)}: not a raster that GDAL can read; it may be a login or error page, so open the address in a browser, "
        f"or name a copy with --mirror PRODUCT=URL ({said})"
    )
