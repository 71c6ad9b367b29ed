"""Rasters and vectors written by hand, in a folder with Chinese letters and a space."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from pipelines import align


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "数据 文件夹"
    path.mkdir()
    return path


@pytest.fixture
def raster(folder):
    """Factory: write an array as a GeoTIFF and give its path."""

    def write(data, name="r.tif", *, crs="EPSG:4326", origin=(100.0, 30.0), pixel=(0.01, -0.01), mask=None, **profile):
        data = np.atleast_3d(np.asarray(data).T).T if np.ndim(data) == 2 else np.asarray(data)
        place = Affine(pixel[0], 0.0, origin[0], 0.0, pixel[1], origin[1])
        path = folder / name
        base = {"driver": "GTiff", "count": data.shape[0], "height": data.shape[1], "width": data.shape[2]}
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
            path, "w", **{**base, "dtype": data.dtype, "crs": crs, "transform": place, **profile}
        ) as d:  # fmt: skip
            d.write(data)
            if mask is not None:
                d.write_mask(mask)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def _no_open_files():
    yield
    align.close()


@pytest.fixture
def shared():
    """Folder of the real rasters; tests that need it are skipped where it is absent."""
    given = os.environ.get("SINKS_SHARED_DATA")
    path = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (path / "case_C").is_dir():
        pytest.skip("the real rasters are not beside the checkout; set SINKS_SHARED_DATA to their folder")
    return path
