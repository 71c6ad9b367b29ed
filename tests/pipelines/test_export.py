"""Maps as CF NetCDF and Zarr: what xarray decodes is what the maps hold, and a checker of the conventions has no complaint."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.transform import from_origin

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.export.export import export
from scenes import small

xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
pytest.importorskip("zarr")


@pytest.fixture(scope="module", params=["geographic", "projected", "float32"])
def folder(request, tmp_path_factory):
    """A run on degrees, on metres, and with maps of floats."""
    home = tmp_path_factory.mktemp(request.param)
    given = {**small(home, size=40), "legend": "worldcover", "region_id": "code", "draws": 0, "quiet": True}
    if request.param == "geographic":
        degrees(given)
    more = {"map_type": "float32"} if request.param == "float32" else {}
    return run.assess(checked({**given, **more, "year": 2023, "out": str(home / "out")})).out


def degrees(given):
    """The same rasters, said to lie on degrees."""
    for name in ("landcover", "agb"):
        with rasterio.open(given[name], "r+") as d:
            d.crs, d.transform = rasterio.CRS.from_epsg(4490), from_origin(100, 30, 0.001, 0.001)
    del given["regions"], given["region_id"]


def opened(path):
    return xr.open_zarr(path) if path.suffix == ".zarr" else xr.open_dataset(path)


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
@pytest.mark.filterwarnings("ignore")  # of xarray and zarr about each other
def test_values_are_those_of_the_maps(folder, tmp_path, ending):
    path = tmp_path / f"maps{ending}"
    assert CliRunner().invoke(main, ["export", str(folder), "--out", str(path), "-q"]).exit_code == 0
    with opened(path) as data:
        assert data.attrs["Conventions"] == "CF-1.10"
        assert str(data.time.values[0])[:4] == "2023"
        for tif in (folder / "maps").glob("*.tif"):
            with rasterio.open(tif) as map_:
                wanted = map_.read(1, masked=True).astype(float).filled(np.nan) * map_.scales[0] + map_.offsets[0]
                unit = map_.units[0]
                place = map_.transform * (0.5, 0.5)
            variable = data[tif.stem]
            assert variable.dims[0] == "time"
            np.testing.assert_allclose(variable.isel(time=0).values, wanted, rtol=1e-6, atol=1e-9)
            assert (variable.isel(time=0).values == 0).sum() == (wanted == 0).sum()
            assert variable.attrs["grid_mapping"] == "crs"
            assert variable.attrs.get("units") == (unit.replace(" C ", " ") if unit else None)
            x, y = (data[variable.dims[k]].values[0] for k in (2, 1))
            assert (x, y) == pytest.approx(place)
        area = data.cell_area.values
        assert (area > 0).all()
        assert list(data.ecosystem.attrs["flag_values"])[:3] == [1, 2, 3]
        assert len(data.ecosystem.attrs["flag_meanings"].split()) == len(data.ecosystem.attrs["flag_values"])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_checker_of_the_conventions_has_no_complaint(folder, tmp_path):
    tool = Path(sys.executable).with_name("compliance-checker")
    if not tool.exists():
        pytest.skip("compliance-checker is not installed")
    path = export(folder, tmp_path / "maps.nc")
    done = subprocess.run([tool, "-t", "cf:1.10", str(path)], capture_output=True, text=True, check=False)
    assert "All tests passed!" in done.stdout, done.stdout


def test_gdal_finds_the_place(folder, tmp_path):
    if shutil.which("gdalinfo") is None:
        pytest.skip("gdalinfo is not installed")
    path = export(folder, tmp_path / "maps.nc")
    told = subprocess.run(["gdalinfo", f"NETCDF:{path}:ecosystem"], capture_output=True, text=True, check=False).stdout
    with rasterio.open(folder / "maps" / "ecosystem.tif") as map_:
        assert f'ID["EPSG",{map_.crs.to_epsg()}]' in told
        assert f"Origin = ({map_.transform.c:.6f}"[:18] in told


def test_nothing_is_written_over_unasked(folder, tmp_path):
    for name in ("a.nc", "a.zarr"):
        path = export(folder, tmp_path / name)
        with pytest.raises(InputError, match="is there already"):
            export(folder, path)
        export(folder, path, overwrite=True)


def test_mistakes_are_told(folder, tmp_path):
    with pytest.raises(InputError, match=r"end it in \.nc or \.zarr"):
        export(folder, tmp_path / "a.tif")
    with pytest.raises(InputError, match="there is no manifest"):
        export(tmp_path, tmp_path / "a.nc")
    with pytest.raises(InputError, match="no such folder"):
        export(folder, tmp_path / "x" / "a.nc")


_PEAK = """
import sys
from pathlib import Path
from pipelines.export.export import export
from pipelines.work.progress import peak_memory
export(Path(sys.argv[1]), Path(sys.argv[2]))
print(peak_memory() / 2**20)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_memory_does_not_grow_with_the_maps(tmp_path, ending):
    """Two maps of 16k × 16k pixels, 0.75 GiB, by a fraction of that."""
    side, home = 16_384, tmp_path / "run"
    (home / "maps").mkdir(parents=True)
    place = {"crs": "EPSG:32649", "transform": from_origin(5e5, 3e6, 30, 30), "width": side, "height": side, "count": 1}
    row = np.arange(512 * side, dtype=np.uint32).reshape(512, side)
    for name, dtype in (("carbon_total", "uint16"), ("ecosystem", "uint8")):
        path = home / "maps" / f"{name}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", dtype=dtype, tiled=True, compress="deflate", nodata=0, **place
        ) as d:
            d.scales = (0.1 if dtype == "uint16" else 1,)
            for k in range(side // 512):
                d.write(((row // 97 + k) % 250).astype(dtype), 1, window=rasterio.windows.Window(0, k * 512, side, 512))
    with rasterio.open(home / "maps" / "ecosystem.tif") as d:
        grid = {"crs_wkt": d.crs.to_wkt(), "transform": list(d.transform)[:6], "width": side, "height": side}
    about = {"finished": "2026-01-01T00:00:00+00:00", "versions": {"carbon-sinks": "0"}, "grid": grid, "outputs": {}}
    (home / "manifest.json").write_text(json.dumps(about))
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(home), str(tmp_path / f"out{ending}")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 700, done.stdout
