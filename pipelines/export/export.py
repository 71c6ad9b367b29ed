"""A run's maps as one CF NetCDF file or Zarr store, in memory that does not grow with the maps."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import rasterio

from pipelines.errors import InputError, RunError
from pipelines.export import cf
from pipelines.files.atomic import atomic_path, disk_error
from pipelines.work.progress import Progress

FORMATS: Final = {".nc": "netcdf", ".zarr": "zarr"}
"""Ending of a name → format."""
CHUNK: Final = 1024
"""Side of a chunk [pixels]; blocks are two by two of them."""
_CACHE_MB: Final = 64


def export(folder: Path, out: Path, kind: str | None = None, *, overwrite: bool = False, quiet: bool = True) -> Path:
    """Write the maps of a run into one file or store.

    kind : "netcdf" or "zarr"; by the ending of ``out`` where none is given. Raises InputError when it cannot be told, the
    run has no maps, something is there already, or the library of the format is not installed.
    """
    kind = kind or FORMATS.get(out.suffix.lower(), "")
    if kind not in FORMATS.values():
        raise InputError(f"{out}: the format cannot be told from this name; end it in .nc or .zarr, or give --format")
    if out.exists() and not overwrite:
        raise InputError(f"{out} is there already; choose another name or give --overwrite")
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out.parent}: there is no such folder; make it first")
    found = cf.described(folder)
    opened = _writer(kind)
    with _draft(out, kind) as part:
        try:
            _write(opened(part, found, CHUNK), found, quiet)
        except RuntimeError as error:
            raise disk_error(out, error) or RunError(
                f"{out} cannot be written: {error}; see that its disk works and has room."
            ) from error
    return out


@contextmanager
def _draft(out: Path, kind: str) -> Iterator[Path]:
    """Where to write, so that what takes the name of ``out`` is whole. A store is a folder, which no other can replace in
    one step: an earlier one is taken away first."""
    if kind == "netcdf":
        with atomic_path(out) as part:
            yield part
        return
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        yield part
        if out.exists():
            shutil.rmtree(out) if out.is_dir() else out.unlink()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(writer: Any, found: cf.Described, quiet: bool) -> None:
    count = len(found.grid.blocks(2 * CHUNK, 2 * CHUNK))
    bar = Progress("blocks", count, found.grid.width * found.grid.height, quiet)
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
        for block, variable, data in cf.blocks(found, 2 * CHUNK):
            writer.write(block, variable, data)
            bar.update(block.index)
    writer.close()
    bar.update(count)
    bar.close()


def _writer(kind: str) -> Any:
    try:
        if kind == "netcdf":
            from pipelines.export.netcdffile import NetCDF

            return NetCDF
        from pipelines.export.zarrstore import Zarr

        return Zarr
    except ImportError as error:
        raise InputError(
            f"{kind} takes a library that is not installed ({error.name}); install it with: pip install 'carbon-sinks[science]'"
        ) from None
