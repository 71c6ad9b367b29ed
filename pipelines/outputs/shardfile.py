"""A block of a map as a GeoTIFF of its own, its tiles encoded once: any GIS opens it, and a map is laid out from its bytes."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from pipelines.errors import RunError
from pipelines.files.atomic import atomic_path, disk_error
from pipelines.outputs import tiff
from pipelines.outputs.encoding import Encoding, encoded

_TIE_POINT: Final = 33922
"""Tag of the place of the first pixel; the only one in which blocks of one shape differ."""


class Telling(NamedTuple):
    """What a shard says of its values, for those who open it alone."""

    description: str = ""
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0


_NOTHING: Final = Telling()


def write(
    path: Path, array: NDArray[Any], encoding: Encoding, crs_wkt: str, place: Affine, telling: Telling = _NOTHING
) -> None:
    """A tiled GeoTIFF of one array (h, w), there whole or not at all. Raises RunError where it cannot be written."""
    tiles = list(encoded(array, encoding))
    head, _ = tiff.plan(
        [_tags(encoding, crs_wkt, array.shape, place, telling)],
        [np.asarray([len(t) for t in tiles], np.uint32)],
        big=False,
    )
    with atomic_path(path) as temporary:
        try:
            with temporary.open("wb") as out:
                out.write(head)
                out.writelines(tiff.framed(tile) for tile in tiles if tile)
        except OSError as error:
            raise disk_error(path, error) or RunError(
                f"{path} cannot be written: {error}; see that its disk works and has room."
            ) from error


def _tags(encoding: Encoding, crs_wkt: str, shape: tuple[int, ...], place: Affine, telling: Telling) -> list[tiff.Tag]:
    """The tags that GDAL gives such a file, at its place."""
    tags = _template(encoding, crs_wkt, shape[0], shape[1], place.a, place.b, place.d, place.e, telling)
    tie = np.asarray([0, 0, 0, place.c, place.f, 0], "<f8").tobytes()
    return [tag._replace(raw=tie) if tag.code == _TIE_POINT else tag for tag in tags]


@lru_cache(maxsize=512)
def _template(
    encoding: Encoding, crs_wkt: str, height: int, width: int, a: float, b: float, d: float, e: float, telling: Telling
) -> tuple[tiff.Tag, ...]:
    """Tags of a file of this shape whose first pixel is at 0, 0: blocks are many, but of few shapes."""
    crs = rasterio.CRS.from_wkt(crs_wkt) if crs_wkt else None
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "template.tif"
        with rasterio.open(
            path, "w", crs=crs, transform=Affine(a, b, 0.0, d, e, 0.0), **encoding.profile(width, height)
        ) as dataset:
            if telling.description:
                dataset.set_band_description(1, telling.description)
            if telling.unit:
                dataset.units = (telling.unit,)
            if telling[2:] != (1.0, 0.0):
                dataset.scales, dataset.offsets = (telling.scale,), (telling.offset,)
        return tiff.without_tiles(tiff.read_directories(path)[0])
