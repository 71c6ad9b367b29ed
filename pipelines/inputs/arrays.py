"""An xarray object as a raster file: everything behind this point reads files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import rasterio
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr
from rasterio.windows import Window

from pipelines.errors import InputError
from pipelines.inputs.vrt import fitting_nodata

_DIMS: Final = {"lat": "y", "latitude": "y", "lon": "x", "longitude": "x"}
_STORED: Final = {"bool": "uint8", "float16": "float32"}
_STRIP: Final = 2048


def write_array(name: str, value: xr.DataArray | xr.Dataset, workdir: Path, own: Mapping[str, Any]) -> str:
    """Write an xarray object to ``workdir`` and give the path; lazy arrays are computed a chunk at a time.

    own : what the user says of the layer (band, crs). Raises InputError when the array is no single raster with a CRS.
    """
    array = _flat(name, _only_variable(name, value), own.get("band"))
    crs = own.get("crs") or array.rio.crs
    if crs is None:
        raise InputError(f'{name}: the array has no CRS; set one with array.rio.write_crs("EPSG:4326")')
    stored = _STORED.get(str(array.dtype), str(array.dtype))
    path = workdir / f"{name}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=array.sizes["y"], width=array.sizes["x"], count=1, dtype=stored, crs=crs,
        transform=array.rio.transform(recalc=True), nodata=fitting_nodata(array.rio.nodata, stored), tiled=True,
        blockxsize=512, blockysize=512, BIGTIFF="IF_SAFER",
    ) as out:  # fmt: skip
        for row, height in _spans(array, "y"):
            for col, width in _spans(array, "x"):
                part = array.isel(y=slice(row, row + height), x=slice(col, col + width)).values
                out.write(part.astype(stored, copy=False), 1, window=Window(col, row, width, height))
    return str(path)


def _only_variable(name: str, value: xr.DataArray | xr.Dataset) -> xr.DataArray:
    if isinstance(value, xr.DataArray):
        return value
    spatial = [v for v in value.data_vars if value[v].ndim >= 2]
    if len(spatial) != 1:
        raise InputError(
            f"{name}: the Dataset has {len(spatial)} raster variables ({', '.join(map(str, spatial))}); pass one of them"
        )
    return value[spatial[0]]


def _flat(name: str, array: xr.DataArray, band: int | None) -> xr.DataArray:
    """The array with dims y and x."""
    flat = array.squeeze(drop=True)
    if flat.ndim == 3 and band:
        flat = flat.isel({flat.dims[0]: band - 1}, drop=True)
    flat = flat.rename({d: _DIMS[str(d).lower()] for d in flat.dims if str(d).lower() in _DIMS})
    if set(flat.dims) != {"x", "y"}:
        raise InputError(
            f"{name}: the array has dims {', '.join(map(str, array.dims))}; pass one with two spatial dims called x and y"
        )
    return flat.transpose("y", "x")


def _spans(array: xr.DataArray, dim: str) -> Iterator[tuple[int, int]]:
    """Starts and lengths of the array's own chunks, or of strips where it has none."""
    size, at = array.sizes[dim], 0
    for length in array.chunksizes.get(dim) or [min(_STRIP, size - k) for k in range(0, size, _STRIP)]:
        yield at, length
        at += length
