"""The true area of the pixels of an xarray array, lazily: ``sinks.area`` for those who have arrays and not files."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import numpy as np
import pyproj
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from sinks.area import Floats, Lattice
from sinks.errors import InputError

_X_NAMES: Final = ("x", "lon", "longitude", "easting")
_Y_NAMES: Final = ("y", "lat", "latitude", "northing")


def pixel_area(raster: xr.DataArray) -> xr.DataArray:
    """True area of every pixel [m²], lazily, with the raster's spatial dims and chunks.

    raster : needs regular coordinates of pixel centres (x, y or lon, lat) and a CRS in its grid-mapping coordinate
    (``spatial_ref`` with ``crs_wkt``, as rioxarray writes it) or in ``attrs["crs"]``. Its values are not loaded.
    Raises InputError when CRS or coordinates are missing or unfit.
    """
    x, y = _dim(raster, _X_NAMES), _dim(raster, _Y_NAMES)
    lattice = lattice_of(raster)
    dims = tuple(d for d in raster.dims if d in (x, y))
    lazy = indexing.LazilyIndexedArray(_Areas(lattice, (raster.sizes[y], raster.sizes[x]), dims != (y, x)))
    keep = {name: c for name, c in raster.coords.items() if set(c.dims) <= {x, y}}
    found = xr.DataArray(xr.Variable(dims, lazy), coords=keep, name="pixel_area")
    found.attrs = {"units": "m2", "long_name": "Pixel area on the ellipsoid"}
    chunks = {d: raster.chunksizes[d] for d in dims if d in raster.chunksizes}
    return found.chunk(chunks) if chunks else found


def lattice_of(raster: xr.DataArray) -> Lattice:
    """Where the pixels of an array lie. Raises InputError as :func:`pixel_area` does."""
    crs = _crs(raster)
    left, dx = _axis(raster, _dim(raster, _X_NAMES))
    top, dy = _axis(raster, _dim(raster, _Y_NAMES))
    return Lattice(crs, (dx, 0.0, left - dx / 2, 0.0, dy, top - dy / 2))


class _Areas(BackendArray):
    """Pixel areas computed when indexed."""

    def __init__(self, lattice: Lattice, shape: tuple[int, int], turned: bool) -> None:
        self._lattice, self._turned = lattice, turned
        self.shape = shape[::-1] if turned else shape
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._get)

    def _get(self, key: tuple[Any, ...]) -> Floats:
        rows, cols = key[::-1] if self._turned else key
        (r, dr), (c, dc) = _span(rows, self.shape[self._turned]), _span(cols, self.shape[not self._turned])
        area = np.broadcast_to(self._lattice.area(r, c, dr, dc), (dr, dc)) if dr and dc else np.zeros((dr, dc))
        own = tuple(_local(k, start) for k, start in ((rows, r), (cols, c)))
        picked = area[own]
        return np.ascontiguousarray(picked.T if self._turned else picked)


def _span(key: Any, size: int) -> tuple[int, int]:
    """First element and count of the smallest run that holds what an index asks for."""
    if not isinstance(key, slice):
        return int(key), 1
    asked = range(*key.indices(size))
    return (min(asked[0], asked[-1]), abs(asked[-1] - asked[0]) + 1) if len(asked) else (0, 0)


def _local(key: Any, start: int) -> Any:
    """The same index within that run."""
    if not isinstance(key, slice):
        return 0
    step = key.step or 1
    return slice(None, None, step)


def _dim(raster: xr.DataArray, names: tuple[str, ...]) -> Hashable:
    lowered = {str(d).lower(): d for d in raster.dims}
    for name in names:
        if name in lowered:
            return lowered[name]
    raise InputError(
        f"the array has dims {', '.join(map(str, raster.dims))}, none of {', '.join(names)}; rename its spatial dims"
    )


def _axis(raster: xr.DataArray, name: Hashable) -> tuple[float, float]:
    """First coordinate and step of a spatial dim; stored roundings are ironed out."""
    if name not in raster.coords:
        raise InputError(f"the array has no coordinates along {name}; give it those of its pixel centres")
    stored = raster.coords[name].values
    values = stored.astype(float)
    if values.size < 2:
        raise InputError(f"the array has {values.size} pixel(s) along {name}; its resolution cannot be told from one")
    step = float((values[-1] - values[0]) / (values.size - 1))
    grain = float(np.finfo(stored.dtype).eps) if stored.dtype.kind == "f" else 0.0
    allowed = 1e-3 * abs(step) + 4 * grain * float(np.abs(values).max())
    if step == 0 or not np.isfinite(step) or np.abs(np.diff(values) - step).max() > allowed:
        raise InputError(f"the coordinates along {name} are not evenly spaced; put the array on a regular grid first")
    return float(values[0]), step


def _crs(raster: xr.DataArray) -> pyproj.CRS:
    for name in (raster.encoding.get("grid_mapping"), raster.attrs.get("grid_mapping"), "spatial_ref", "crs"):
        if name and name in raster.coords:
            attributes = raster.coords[name].attrs
            for key in ("crs_wkt", "spatial_ref"):
                if attributes.get(key):
                    return pyproj.CRS.from_wkt(attributes[key])
    if raster.attrs.get("crs"):
        return pyproj.CRS.from_user_input(raster.attrs["crs"])
    raise InputError('the array has no CRS; set one first, e.g. with rioxarray: array.rio.write_crs("EPSG:4326")')
