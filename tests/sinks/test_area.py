"""Pixel areas against the closed form's published values, PROJ's geodesics and a numerical Jacobian."""

import numpy as np
import pyproj
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.area import (
    Lattice,
    areal_scale,
    cell_area,
    ellipsoid,
    is_equal_area,
    metres_per_unit,
    web_mercator_scale,
)
from sinks.errors import InputError
from sinks.pixelarea import pixel_area

EARTH_KM2 = 510_065_621.724


# ------------------------------------------------------------------ closed form


@pytest.mark.parametrize("step", [90.0, 1.0, 0.01])
def test_the_whole_earth(step):
    edges = np.linspace(-90, 90, round(180 / step) + 1)
    assert cell_area(edges[:-1], edges[1:], 360.0).sum() / 1e6 == pytest.approx(EARTH_KM2, rel=1e-11)


@pytest.mark.parametrize(
    ("south", "north", "width", "expected"),
    [
        (0, 1, 1, 12_308_463_893.80),
        (-0.5, 0.5, 1, 12_308_920_031.48),
        (30, 31, 1, 10_642_393_438.81),
        (53, 54, 1, 7_385_377_018.56),
    ],
)
def test_published_degrees(south, north, width, expected):
    assert cell_area(south, north, width) == pytest.approx(expected, rel=3e-11)


@pytest.mark.parametrize(
    ("south", "step", "expected"),
    [(40, 0.00025, 592.6037), (25, 0.00025, 698.9076), (18, 0.0083333333, 813_981.5453)],
)
def test_published_small_cells(south, step, expected):
    assert cell_area(south, south + step, step) == pytest.approx(expected, abs=6e-5)


def test_thin_cells_lose_no_digits():
    """A cell of 1e-7° is a rectangle of M·dφ by N·cosφ·dλ to 1e-11; a plain difference of F would have 1e-5 of noise."""
    a, f = 6378137.0, 1 / 298.257223563
    e2, phi = f * (2 - f), np.radians(40.0)
    w = 1 - e2 * np.sin(phi) ** 2
    meridian, normal = a * (1 - e2) / w**1.5, a / np.sqrt(w)
    step = 2.0**-23  # exact in binary, as are its edges around 40
    expected = meridian * normal * np.cos(phi) * np.radians(step) ** 2
    assert cell_area(40 - step / 2, 40 + step / 2, step) == pytest.approx(expected, rel=1e-11)


@given(st.floats(-90, 90), st.floats(-90, 90), st.floats(-90, 90))
def test_areas_add_up_and_know_no_direction(one, two, three):
    low, middle, high = sorted((one, two, three))
    assert cell_area(low, middle, 1) + cell_area(middle, high, 1) == pytest.approx(cell_area(low, high, 1), abs=1e-3)
    assert cell_area(high, low, 1) == cell_area(low, high, 1) == pytest.approx(cell_area(-high, -low, 1), rel=1e-12)
    assert cell_area(low, low, 1) == 0 == cell_area(low, high, 0)


def test_against_geodesics():
    lon = np.concatenate([np.linspace(100, 101, 2001), np.linspace(101, 100, 2001)])
    lat = np.repeat([35.0, 36.0], 2001)
    area, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)
    assert cell_area(35, 36, 1) == pytest.approx(abs(area), rel=1e-9)


def test_a_sphere():
    assert cell_area(-90, 90, 360, 6371007.181, 0) == pytest.approx(4 * np.pi * 6371007.181**2, rel=1e-14)


# ------------------------------------------------------------------ projections


def test_web_mercator_published():
    found = web_mercator_scale([20, 30, 40, 50])
    assert found == pytest.approx([1.138322, 1.337830, 1.706096, 2.417482], abs=6e-7)


def test_utm_central_meridian():
    assert areal_scale(pyproj.CRS(32650), 500_000.0, 4_400_000.0) == pytest.approx(0.9996**2, rel=1e-9)


@pytest.mark.parametrize(
    ("crs", "x", "y"),
    [
        ("EPSG:32650", 300_000, 4_400_000),
        ("EPSG:4528", 40_438_000, 3_456_000),
        ("EPSG:3857", 12_000_000, 4_800_000),
        ("EPSG:2263", 1_000_000, 200_000),  # US survey feet
        ("+proj=utm +zone=50 +units=km +datum=WGS84", 300, 4_400),
        ("+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +ellps=GRS80", 500_000, 4_000_000),
        ("EPSG:6933", 11_140_000, 4_800_000),
        ("EPSG:3035", 4_321_000, 3_210_000),
        ("+proj=sinu +R=6371007.181", 8_000_000, 4_000_000),  # MODIS: geodetic latitudes on a sphere
        ("ESRI:54009", 8_000_000, 4_000_000),  # Mollweide, whose formulas are the sphere's
        ("+proj=lcc +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84", 500_000, 4_000_000),
    ],
)
def test_scale_against_a_numerical_jacobian(crs, x, y):
    """The area of a small square of the map, corner by corner on the ellipsoid."""
    crs = pyproj.CRS(crs)
    half = 500 / metres_per_unit(crs)
    lon, lat = pyproj.Proj(crs)(x + half * np.array([-1, 1, 1, -1]), y + half * np.array([-1, -1, 1, 1]), inverse=True)
    plane = np.sign(lat) * cell_area(0.0, np.asarray(lat), 1.0, *ellipsoid(crs))
    true = abs(np.dot(lon, np.roll(plane, -1)) - np.dot(plane, np.roll(lon, -1))) / 2
    assert areal_scale(crs, x, y) == pytest.approx(1e6 / true, rel=1e-7)
    if is_equal_area(crs):
        assert 1e6 / true == pytest.approx(1, rel=1e-7)


@pytest.mark.parametrize(("crs", "equal"), [
    ("EPSG:6933", True), ("ESRI:102025", True), ("EPSG:3035", True), ("EPSG:8857", True), ("EPSG:32650", False),
    ("EPSG:3857", False), ("ESRI:54009", False), ("+proj=sinu +R=6371007.181", False),
])  # fmt: skip
def test_which_projections_are_equal_area(crs, equal):
    assert is_equal_area(pyproj.CRS(crs)) is equal


def test_off_the_projection():
    with pytest.raises(InputError, match="not defined"):
        areal_scale(pyproj.CRS("ESRI:54009"), 1.7e7, 8.9e6)


# ------------------------------------------------------------------ lattice


@settings(deadline=None, max_examples=25)
@given(st.data())
@pytest.mark.parametrize("crs", ["EPSG:32650", "EPSG:3857", "EPSG:4326"])
def test_any_window_has_the_same_bits(crs, data):
    step = 30.0 if crs != "EPSG:4326" else 0.00027
    place = (step, 0.0, 5e5, 0.0, -step, 4.4e6) if crs != "EPSG:4326" else (step, 0.0, 110.0, 0.0, -step, 40.0)
    lattice = Lattice(pyproj.CRS(crs), place)
    row, col = data.draw(st.integers(0, 150)), data.draw(st.integers(0, 150))
    height, width = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    at = (slice(row, row + height), slice(col, col + width))
    for name in ("area", "latitude"):
        whole = np.broadcast_to(getattr(lattice, name)(0, 0, 300, 300), (300, 300))
        part = np.broadcast_to(getattr(lattice, name)(row, col, height, width), (height, width))
        np.testing.assert_array_equal(part, whole[at])


def test_interpolation_is_fine_enough():
    lattice = Lattice(pyproj.CRS(32650), (30.0, 0.0, 150_000.0, 0.0, -30.0, 5_900_000.0))
    x, y = np.meshgrid(150_015.0 + 30 * np.arange(200), 5_899_985.0 - 30 * np.arange(200))
    np.testing.assert_allclose(lattice.area(0, 0, 200, 200), 900 / areal_scale(lattice.crs, x, y), rtol=5e-8)


# ------------------------------------------------------------------ xarray


def raster(crs="EPSG:4326", nx=6, ny=4, dims=("y", "x"), step=0.5, x0=100.0, y0=40.0, dtype=float):
    x = (x0 + step * (np.arange(nx) + 0.5)).astype(dtype)
    y = (y0 - step * (np.arange(ny) + 0.5)).astype(dtype)
    names = dict(zip(("y", "x"), dims, strict=True))
    array = xr.DataArray(np.zeros((ny, nx), np.uint8), dims=dims, coords={names["y"]: y, names["x"]: x})
    return array.assign_coords(spatial_ref=xr.DataArray(0, attrs={"crs_wkt": pyproj.CRS(crs).to_wkt()}))


@pytest.mark.parametrize("dims", [("y", "x"), ("lat", "lon"), ("latitude", "longitude")])
def test_geographic_raster(dims):
    found = pixel_area(raster(dims=dims))
    assert found.dims == dims
    assert found.attrs["units"] == "m2"
    np.testing.assert_allclose(
        found.values, np.tile(cell_area([39.5, 39, 38.5, 38], [40, 39.5, 39, 38.5], 0.5)[:, None], 6)
    )


def test_south_up_turned_and_single_precision_rasters():
    plain = pixel_area(raster())
    np.testing.assert_allclose(
        pixel_area(raster().isel(y=slice(None, None, -1))).values, plain.values[::-1], rtol=1e-12
    )
    np.testing.assert_allclose(pixel_area(raster().transpose("x", "y")).values, plain.values.T)
    single = pixel_area(raster(step=0.00025, nx=40, ny=40, dtype=np.float32))
    np.testing.assert_allclose(single.values, pixel_area(raster(step=0.00025, nx=40, ny=40)).values, rtol=0.05)


def test_projected_raster_is_lazy_and_indexable():
    array = raster("EPSG:32650", nx=50, ny=40, step=30.0, x0=3e5, y0=4.4e6)
    area = pixel_area(array)
    expected = Lattice(pyproj.CRS(32650), (30.0, 0.0, 3e5, 0.0, -30.0, 4.4e6)).area(0, 0, 40, 50)
    np.testing.assert_array_equal(area.isel(y=slice(5, 9), x=slice(3, 40, 7)).values, expected[5:9, 3:40:7])
    np.testing.assert_array_equal(area.isel(y=slice(None, None, -1)).values, expected[::-1])
    np.testing.assert_array_equal(area.isel(y=3, x=[4, 8]).values, expected[3, [4, 8]])
    np.testing.assert_array_equal(area.values, expected)


def test_chunks_are_kept():
    array = raster("EPSG:32650", nx=50, ny=40, step=30.0, x0=3e5, y0=4.4e6)
    area = pixel_area(array.chunk({"y": 16, "x": 20}))
    assert area.chunks == ((16, 16, 8), (20, 20, 10))
    np.testing.assert_array_equal(area.values, pixel_area(array).values)


def test_values_are_not_loaded():
    class Bomb(xr.backends.BackendArray):
        shape, dtype = (4, 6), np.dtype(np.uint8)

        def __getitem__(self, key):
            raise AssertionError("loaded")

    array = raster()
    lazy = xr.Variable(("y", "x"), xr.core.indexing.LazilyIndexedArray(Bomb()))
    assert pixel_area(xr.DataArray(lazy, coords=array.coords)).sum() > 0


def test_errors_say_what_to_do():
    with pytest.raises(InputError, match=r"no CRS; set one first.*write_crs"):
        pixel_area(raster().drop_vars("spatial_ref"))
    with pytest.raises(InputError, match="rename its spatial dims"):
        pixel_area(raster().rename(y="row", x="column"))
    uneven = raster().assign_coords(x=[1.0, 2, 4, 8, 16, 32])
    with pytest.raises(InputError, match="not evenly spaced"):
        pixel_area(uneven)
    with pytest.raises(InputError, match="cannot be told from one"):
        pixel_area(raster(nx=1))
    with pytest.raises(InputError, match="no coordinates along y"):
        pixel_area(raster().drop_vars("y"))
