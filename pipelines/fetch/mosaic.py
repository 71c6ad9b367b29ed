"""Fetched pieces → one GeoTIFF of the region's window, that says its unit, scale and nodata itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio.windows import Window

from pipelines.fetch.area import WGS84
from pipelines.fetch.lattice import Lattice, Span, common
from pipelines.fetch.register import Product
from pipelines.files.atomic import atomic_path

_TILE: Final = 512


def write(target: Path, product: Product, lattice: Lattice, window: Span, values: Iterable[tuple[Span, Any]]) -> int:
    """Write a layer piece by piece; what no piece covers is nodata. Gives the number of pixels that have a value."""
    profile = {
        "driver": "GTiff", "width": window.width, "height": window.height, "count": 1, "dtype": product.dtype, "crs": WGS84,
        "transform": lattice.transform(window), "nodata": product.nodata, "tiled": True, "blockxsize": _TILE,
        "blockysize": _TILE, "compress": "deflate", "predictor": 1 if product.is_class else 2, "BIGTIFF": "IF_SAFER",
        "SPARSE_OK": "TRUE",
    }  # fmt: skip
    if product.dtype.startswith("float"):
        profile["predictor"] = 3
    full = 0
    with (
        atomic_path(target) as part,
        rasterio.Env(GDAL_PAM_ENABLED="NO", GDAL_CACHEMAX=128),
        rasterio.open(part, "w", **profile) as d,
    ):
        for piece, data in values:
            if (shared := common(piece, window)) is None:
                continue
            rows = slice(shared.row - piece.row, shared.row - piece.row + shared.height)
            cols = slice(shared.col - piece.col, shared.col - piece.col + shared.width)
            at = Window(shared.col - window.col, shared.row - window.row, shared.width, shared.height)
            d.write(data[rows, cols], 1, window=at)
            full += int(np.count_nonzero(data[rows, cols] != np.asarray(product.nodata, product.dtype)))
        d.scales, d.offsets, d.units = (product.scale,), (product.offset,), (product.unit,)
        d.set_band_description(1, product.layer)
        d.update_tags(SOURCE=product.name)
    return full
