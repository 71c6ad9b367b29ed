"""Rasters and vectors written by hand, in a folder with Chinese letters and a space."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from globeserver import serving
from pipelines.assess import run
from pipelines.assess.demo import sample_data
from pipelines.assess.study import from_toml
from pipelines.inputs import align
from reportruns import demo_change, demo_reserves, demo_run, evil_run  # noqa: F401 (fixtures of several files)


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
def globe(tmp_path):
    """A server on this machine with the layout of the public global layers."""
    with serving(tmp_path / "globe") as found:
        yield found


@pytest.fixture
def shared():
    """Folder of the real rasters; tests that need it are skipped where it is absent."""
    given = os.environ.get("SINKS_SHARED_DATA")
    path = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (path / "case_C").is_dir():
        pytest.skip("the real rasters are not beside the checkout; set SINKS_SHARED_DATA to their folder")
    return path


CUT = 512


@pytest.fixture(scope="session")
def tiles(tmp_path_factory):
    """The sample region whole and in two tiles that cut counties in two."""
    folder = tmp_path_factory.mktemp("tiles")
    with rasterio.open(sample_data() / "landcover_2023.tif") as d:
        for name, window in (("west", Window(0, 0, CUT, 800)), ("east", Window(CUT, 0, 800 - CUT, 800))):
            profile = {**d.profile, "width": window.width, "transform": d.window_transform(window)}
            with rasterio.open(folder / f"{name}.tif", "w", **profile) as out:
                out.write(d.read(1, window=window), 1)
    with rasterio.open(
        sample_data() / "landcover_2023.tif"
    ) as like:  # a warp differs in the sixth digit with its grid's origin
        profile = {**like.profile, "dtype": "float32", "nodata": np.nan, "predictor": 3}
        for name in ("agb", "agb_sd"):
            with (
                rasterio.open(sample_data() / f"{name}_2023.tif") as source,
                WarpedVRT(
                    source, crs=like.crs, transform=like.transform, width=like.width, height=like.height
                ) as warped,
                rasterio.open(folder / f"{name}.tif", "w", **profile) as out,
            ):
                data = warped.read(1).astype(np.float32)
                out.write(np.where(data == source.nodata, np.nan, data), 1)
    counties = gpd.read_file(
        sample_data() / "counties.gpkg"
    )  # moved a little, so that no border runs through a pixel's middle
    counties.geometry = counties.translate(1.3e-4, 0.7e-4)
    counties.to_file(folder / "counties.gpkg")
    layers = {name: str(folder / f"{name}.tif") for name in ("agb", "agb_sd")} | {
        "regions": str(folder / "counties.gpkg")
    }
    found = {}
    for name in ("whole", "west", "east"):
        more = layers if name == "whole" else {**layers, "landcover": str(folder / f"{name}.tif")}
        study = from_toml(sample_data() / "assessment.toml", out=str(folder / f"out-{name}"), maps="none", draws=0, quiet=True,
                          error_range=30.0, **more)  # fmt: skip
        found[name] = run.assess(study)
    return found
