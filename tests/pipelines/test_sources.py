"""What a user may give as a layer, and what is said when it is unfit."""

import os
import pickle

import numpy as np
import pyproj
import pytest
import rasterio
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import Affine

from pipelines.errors import InputError
from pipelines.inputs import align, sources
from pipelines.inputs.grid import Block
from pipelines.inputs.layerfiles import make_layer
from pipelines.inputs.sources import grid_of, inspect, thin


def source(value, folder, name="agb", kind="density", **own):
    return inspect(make_layer(name, kind, value, folder, **own))


def values(found, **more):
    g = grid_of(found)
    return align.read(align.plan(found, g), Block(0, 0, 0, g.height, g.width), **more)


NUMBERS = np.arange(12, dtype=np.float32).reshape(3, 4)


# ------------------------------------------------------------------ one file


def test_a_file_says_of_itself(raster, folder):
    path = raster(NUMBERS, nodata=-9999.0)
    with rasterio.open(path, "r+") as d:
        d.scales, d.offsets, d.units = (0.5,), (2.0,), ("Mg ha-1",)
        d.set_band_description(1, "biomass")
    found = source(path, folder)
    assert (found.width, found.height, found.dtype, found.nodata) == (4, 3, "float32", -9999.0)
    assert (found.scale, found.offset, found.unit, found.description) == (0.5, 2.0, "Mg ha-1", "biomass")
    assert pyproj.CRS.from_wkt(found.crs_wkt) == pyproj.CRS(4326)
    assert not found.has_mask
    assert found.path == path
    assert pickle.loads(pickle.dumps(found)) == found
    np.testing.assert_allclose(values(found).data, NUMBERS * 0.5 + 2)
    said = source(path, folder, scale=10.0, offset=0.0, unit="t/ha", nodata=3.0, crs="EPSG:4490")
    assert (said.scale, said.offset, said.unit, said.nodata) == (10.0, 0.0, "t/ha", 3.0)
    assert "2000" in said.crs_wkt


def test_the_fingerprint_notices_a_change(raster, folder):
    path = raster(NUMBERS)
    before = source(path, folder).fingerprint
    assert source(path, folder).fingerprint == before
    os.utime(path, ns=(1, 1))
    assert source(path, folder).fingerprint != before


def test_nothing_is_left_beside_the_file(raster, folder):
    found = source(raster(NUMBERS), folder)
    values(found)
    thin(found, 2)
    assert [p.name for p in folder.iterdir()] == ["r.tif"]


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", -9999.0), ("int16", 1e6), ("uint8", float("nan"))])
def test_nodata_that_cannot_occur_is_none(raster, folder, dtype, nodata):
    path = raster(NUMBERS.astype(dtype))
    with pytest.raises(InputError, match=r"--layer agb\.nodata=.* cannot occur in a raster of"):
        source(path, folder, nodata=nodata)


def test_strips(raster, folder):
    wide = raster(np.zeros((2, 3000), np.uint8), tiled=False, blockysize=1, pixel=(0.001, -0.001))
    assert source(wide, folder).is_strips
    tiled = raster(
        np.zeros((16, 3008), np.uint8), "t.tif", tiled=True, blockxsize=16, blockysize=16, pixel=(0.001, -0.001)
    )
    assert not source(tiled, folder).is_strips


def test_bands(raster, folder):
    path = raster(np.stack([NUMBERS, NUMBERS + 100]))
    first = source(path, folder)
    assert first.band == 1
    assert any("has 2 bands; the first is used" in n for n in first.notes)
    second = source(path, folder, band=2)
    assert second.notes == ()
    np.testing.assert_array_equal(values(second).data, NUMBERS + 100)
    with pytest.raises(InputError, match="band 3 was asked for, but it has 2"):
        source(path, folder, band=3)


def test_an_alpha_band_is_a_mask_not_a_band(raster, folder):
    alpha = np.full((3, 4), 255, np.uint8)
    alpha[0, 0] = 0
    path = raster(np.stack([NUMBERS.astype(np.uint8), alpha]), photometric="MINISBLACK", alpha="YES")
    found = source(path, folder)
    assert found.has_mask
    assert found.notes == ()
    assert np.isnan(values(found).data[0, 0])


# ------------------------------------------------------------------ refused


def test_missing_files(folder):
    for value in ("none.tif", folder / "none.tif", [folder / "none.tif"]):
        with pytest.raises(InputError, match=r"there is no such file; check the path of the agb layer"):
            make_layer("agb", "density", value, folder)
    with pytest.raises(InputError, match="no file matches this pattern"):
        make_layer("agb", "density", str(folder / "*.tif"), folder)
    with pytest.raises(InputError, match="an empty list of rasters"):
        make_layer("agb", "density", [], folder)
    with pytest.raises(InputError, match="choose one of class, density, amount"):
        make_layer("agb", "stock", "x.tif", folder)


def test_no_raster(folder):
    text = folder / "notes.tif"
    text.write_text("no raster")
    with pytest.raises(InputError, match=r"notes\.tif: not a raster that GDAL can read"):
        source(text, folder)
    empty = folder / "空"
    empty.mkdir()
    with pytest.raises(InputError, match="this folder holds no"):
        source(empty, folder)


def test_no_crs(raster, folder):
    path = raster(NUMBERS, crs=None)
    with pytest.raises(
        InputError, match=r'no CRS.*--layer agb\.crs=EPSG:4326, or crs = "EPSG:4326" under \[layers\.agb\]'
    ):
        source(path, folder)
    assert source(path, folder, crs="EPSG:4326").crs_wkt
    with pytest.raises(InputError, match=r"--layer agb\.crs=EPSG:0 is no known CRS"):
        source(path, folder, crs="EPSG:0")


def test_unfit_rasters(raster, folder):
    with pytest.raises(InputError, match="complex numbers"):
        source(raster(NUMBERS.astype(np.complex64)), folder)
    path = raster(NUMBERS)
    with rasterio.open(path, "r+") as d:
        d.transform = Affine(0.01, 0.001, 100, 0.001, -0.01, 30)
    with pytest.raises(InputError, match="rotated; warp it"):
        source(path, folder)
    nowhere = folder / "n.tif"
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(nowhere, "w", **profile) as d:
        d.write(NUMBERS, 1)
    with pytest.raises(InputError, match="no geotransform"):
        source(nowhere, folder)


# ------------------------------------------------------------------ tiles


def tiles(raster, *, gap=False, **profile):
    big = np.arange(1, 81, dtype=np.uint8).reshape(8, 10)
    paths = [
        raster(big[:4, :5], "左 上.tif", origin=(100.0, 30.0), **profile),
        raster(big[:4, 5:], "a&b.tif", origin=(100.05, 30.0), **profile),
        raster(big[4:, :5], "c.tif", origin=(100.0, 29.96), **profile),
    ]
    if not gap:
        paths.append(raster(big[4:, 5:], "d.tif", origin=(100.05, 29.96), **profile))
    return big, paths


@pytest.mark.parametrize("nodata", [None, 255])
def test_tiles_are_joined(raster, folder, nodata):
    big, paths = tiles(raster, nodata=nodata)
    work = folder / "工作"
    work.mkdir()
    for value in (paths, str(folder / "*.tif"), folder, tuple(paths[::-1])):
        found = source(value, work, "landcover", "class")
        assert (found.width, found.height, found.nodata) == (10, 8, nodata)
        got = values(found)
        np.testing.assert_array_equal(got.data, big)
        assert got.valid is None
    assert len(found.layer.files) == 4
    assert "and 3 more" in found.path


@pytest.mark.parametrize("nodata", [None, 255])
def test_a_gap_between_tiles_is_not_zero(raster, folder, nodata):
    _, paths = tiles(raster, gap=True, nodata=nodata)
    classes = values(source(paths, folder, "landcover", "class"))
    if nodata is None:
        assert not classes.valid[4:, 5:].any()
        assert classes.valid[:4].all()
    else:
        assert (classes.data[4:, 5:] == 255).all()
    density = values(source(paths, folder)).data
    assert np.isnan(density[4:, 5:]).all()
    assert not np.isnan(density[:4]).any()


def test_a_band_of_every_tile(raster, folder):
    pair = np.stack([NUMBERS, NUMBERS + 100])
    paths = [raster(pair, "a.tif"), raster(pair + 10, "b.tif", origin=(100.04, 30.0))]
    got = values(source(paths, folder, band=2)).data
    np.testing.assert_array_equal(got, np.hstack([NUMBERS + 100, NUMBERS + 110]))


def test_the_fingerprint_of_tiles_is_theirs(raster, folder):
    _, paths = tiles(raster)
    before = source(paths, folder).fingerprint
    assert source(paths, folder).fingerprint == before
    os.utime(paths[2], ns=(1, 1))
    assert source(paths, folder).fingerprint != before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crs": "EPSG:4490"}, "has the CRS"),
        ({"nodata": 0}, "has the nodata value 0.0, but .* has None"),
        ({"pixel": (0.02, -0.02)}, "has the pixel size 0.02 x 0.02, but .* has 0.01 x 0.01"),
        ({"origin": (100.043, 30.0)}, "lies 0.30 of a pixel off the lattice"),
        ({"dtype": "uint8"}, "has the data type uint8, but .* has float32"),
    ],
)
def test_tiles_that_differ(raster, folder, change, message):
    one = raster(NUMBERS, "a.tif")
    data = NUMBERS.astype(change.pop("dtype", "float32"))
    other = raster(data, "b.tif", **{"origin": (100.04, 30.0), **change})
    with pytest.raises(InputError, match=r"b\.tif: this agb tile .*" + message) as error:
        source([one, other], folder)
    assert "a.tif" in str(error.value)


# ------------------------------------------------------------------ xarray and NetCDF


def array(dims=("y", "x"), **more):
    y, x = 30.0 - 0.01 * (np.arange(3) + 0.5), 100.0 + 0.01 * (np.arange(4) + 0.5)
    found = xr.DataArray(NUMBERS, dims=dims, coords=dict(zip(dims, (y, x), strict=True)), **more)
    return found.assign_coords(spatial_ref=xr.DataArray(0, attrs={"crs_wkt": pyproj.CRS(4326).to_wkt()}))


@pytest.mark.parametrize("dims", [("y", "x"), ("lat", "lon")])
@pytest.mark.parametrize("chunked", [False, True])
def test_arrays(folder, dims, chunked):
    given = array(dims)
    if chunked:
        given = given.chunk(2)
    found = source(given, folder)
    np.testing.assert_array_equal(values(found).data, NUMBERS)
    assert found.transform == pytest.approx((0.01, 0, 100, 0, -0.01, 30))


def test_turned_arrays(folder):
    np.testing.assert_array_equal(values(source(array().isel(y=slice(None, None, -1)), folder)).data, NUMBERS)
    np.testing.assert_array_equal(values(source(array().transpose("x", "y"), folder)).data, NUMBERS)
    stacked = xr.concat([array(), array() + 50], "band")
    np.testing.assert_array_equal(values(source(stacked, folder, band=2)).data, NUMBERS + 50)


def test_a_dataset_of_one_variable(folder):
    np.testing.assert_array_equal(values(source(array().to_dataset(name="agb"), folder)).data, NUMBERS)
    with pytest.raises(InputError, match=r"has 2 raster variables \(a, b\); pass one"):
        source(xr.Dataset({"a": array(), "b": array()}), folder)


def test_unfit_arrays(folder):
    with pytest.raises(InputError, match=r"no CRS; set one with array\.rio.write_crs"):
        source(array().drop_vars("spatial_ref"), folder)
    with pytest.raises(InputError, match="two spatial dims called x and y"):
        source(xr.concat([array(), array()], "time"), folder)


def test_nodata_of_an_array(folder):
    given = array().rio.write_nodata(5.0)
    assert np.isnan(values(source(given, folder)).data[1, 1])


def test_urls_are_left_to_gdal(folder):
    for value, expected in (
        ("https://host/a.tif", "/vsicurl/https://host/a.tif"),
        ("s3://bucket/a.tif", "/vsis3/bucket/a.tif"),
        ("gs://bucket/a.tif", "/vsigs/bucket/a.tif"),
        ('NETCDF:"f.nc":v', 'NETCDF:"f.nc":v'),
    ):
        assert make_layer("agb", "density", value, folder).path == expected


# ------------------------------------------------------------------ a quick look


def test_thin(raster, folder):
    path = raster(NUMBERS, nodata=3.0)
    seen, valid = thin(source(path, folder, scale=2.0), 512)
    np.testing.assert_array_equal(seen, NUMBERS * 2)
    assert not valid[0, 3]
    assert valid.sum() == 11


def test_thin_of_a_large_raster_looks_at_spots(raster, folder):
    big = np.tile(np.arange(100, dtype=np.uint8), (5000, 50))
    found = source(raster(big, compress="deflate", pixel=(0.001, -0.001), nodata=200), folder, "landcover", "class")
    seen, valid = thin(found, 512)
    assert seen.size <= 512 * 512 * 1.01
    assert valid.all()
    assert len(np.unique(seen)) == 100
    lonely = np.full((5000, 5000), 200, np.uint8)
    lonely[2400:2420, 2400:2500] = 7
    found = source(
        raster(lonely, "l.tif", compress="deflate", pixel=(0.001, -0.001), nodata=200), folder, "lc", "class"
    )
    seen, valid = thin(found, 512)
    assert set(np.unique(seen[valid])) == {7}


@given(st.integers(0, 10**6), st.integers(1, 700), st.integers(1, 700))
def test_a_spot_lies_within_one_piece_of_the_file_if_it_fits(first, size, piece):
    start = sources._within(first, size, piece)
    assert max(0, first - size) <= start <= first
    if size <= piece:
        assert start // piece == (start + size - 1) // piece


def test_thin_of_a_damaged_file(raster, folder):
    path = raster(np.random.default_rng(0).integers(0, 255, (600, 600)).astype(np.uint8), compress="deflate")
    found = source(path, folder)
    with open(path, "r+b") as f:
        f.truncate(os.path.getsize(path) // 2)
    with pytest.raises(InputError, match=r"damaged|not a raster"):
        thin(found, 512)


# ------------------------------------------------------------------ real files


@pytest.mark.shared_data
def test_a_netcdf_of_several_variables(shared, folder):
    path = shared / "case_C" / "era5_monthly_clim_2000_2025.nc"
    with pytest.raises(InputError, match=r"name one of its variables: .*t2m"):
        source(path, folder)
    found = source(f'NETCDF:"{path}":t2m', folder, crs="EPSG:4326")
    assert any("bands; the first is used" in n for n in found.notes)


@pytest.mark.shared_data
def test_a_netcdf_without_crs(shared, folder):
    path = shared / "case_C" / "gcb2023_eluc_kgC_m2_yr_0p25deg.nc"
    with pytest.raises(InputError, match="no CRS"):
        source(path, folder)
    assert source(path, folder, crs="EPSG:4326").width == 252


@pytest.mark.shared_data
def test_a_wrong_datum_name_is_said(shared, folder):
    found = source(shared / "case_A" / "jiangsu_zhongtianshe_25m" / "landuse_25m.tif", folder, "landcover", "class")
    assert any("names the datum 'Hungarian Datum 1909' but has the ellipsoid CGCS2000" in n for n in found.notes)
