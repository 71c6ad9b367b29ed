"""Any vector file as GDAL reads it: looked at before it is opened, its faults told in one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import shapely

from pipelines.errors import InputError
from pipelines.files.ogrsettings import ogr_settings
from pipelines.inputs import reach, storefaults

R = TypeVar("R")
_FAULTS: Final = (
    pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, shapely.errors.ShapelyError, pyproj.exceptions.ProjError
)  # fmt: skip


def layers(path: str | Path) -> list[tuple[str, str | None]]:
    """Name and geometry type of every layer, None for a table. Raises InputError."""
    reach.require_vector(str(path))
    found = _told(path, lambda: pyogrio.list_layers(path))
    return [(str(name), None if kind is None else str(kind)) for name, kind in found]


def read(path: str | Path, layer: str | None = None, **options: Any) -> gpd.GeoDataFrame:
    """One layer, whole; the first where none is named. options : of pyogrio.read_dataframe. Raises InputError."""
    reach.require_vector(str(path))
    return _told(path, lambda: pyogrio.read_dataframe(path, layer=layer, **options))


def _told(path: str | Path, look: Callable[[], R]) -> R:
    # A damaged file fails in the reader, in its geometries, in its text or in its CRS.
    try:
        with np.errstate(invalid="ignore"), from_afar(path):  # a vertex that is NaN is told by who places it
            return look()
    except (
        *_FAULTS,
        ValueError,
        OverflowError,
        UnboundLocalError,
    ) as error:  # the last is pyogrio's, of a CRS without a name
        said = (str(error) or type(error).__name__).splitlines()[0]
        if do := storefaults.advice(str(path), said):
            raise InputError(f"{path}: cannot be read ({said}); {do}") from None
        raise InputError(f"{path}: not a vector file that can be read ({said}); check the file") from None


@contextmanager
def from_afar(path: str | Path) -> Iterator[None]:
    """How files in stores and on servers are read: with patience that ends, and without a list of what lies beside them.

    Unlike rasters, vector files may be several; each is asked for by its name.
    """
    if not reach.is_remote(str(path)):
        yield
        return
    wanted = {k: str(v) for k, v in {**reach.PATIENCE, "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE"}.items()}
    with ogr_settings(wanted), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HTTP response code", RuntimeWarning)  # what follows from it is told
        yield
