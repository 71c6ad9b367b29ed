"""The grid: blocks, areas and latitudes, and the same ground in five projections."""

import pickle

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.inputs.grid import Block, Grid
from sinks.area import cell_area

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m"


def grid(crs="EPSG:4326", a=0.01, e=-0.01, x0=100.0, y0=40.0, width=70, height=50):
    return Grid(pyproj.CRS(crs).to_wkt(), (a, 0.0, x0, 0.0, e, y0), width, height)


def whole(g):
    return Block(0, 0, 0, g.height, g.width)


def test_blocks_partition_the_grid():
    g = grid()
    seen = np.zeros((g.height, g.width), int)
    blocks = g.blocks(16, 32)
    for n, b in enumerate(blocks):
        assert b.index == n
        seen[b.row : b.row + b.height, b.col : b.col + b.width] += 1
    assert (seen == 1).all()
    assert blocks[0] == Block(0, 0, 0, 16, 32)
    assert blocks[-1] == Block(11, 48, 64, 2, 6)


def test_bounds():
    g = grid()
    assert g.bounds == pytest.approx((100.0, 39.5, 100.7, 40.0))
    assert g.window_bounds(Block(0, 10, 20, 5, 6)) == pytest.approx((100.2, 39.85, 100.26, 39.9))


def test_it_is_a_value():
    g = grid()
    copy = pickle.loads(pickle.dumps(g))
    assert copy == g
    assert hash(copy) == hash(g)
    assert "crs" not in pickle.loads(pickle.dumps(g)).__dict__
    assert copy.crs == g.crs


def test_the_whole_earth():
    g = grid(a=0.25, e=-0.25, x0=-180.0, y0=90.0, width=1440, height=720)
    assert g.area(whole(g)).shape == (720, 1)
    assert g.area(whole(g)).sum() * 1440 / 1e6 == pytest.approx(510_065_621.724, rel=1e-11)


def test_a_grid_of_nodes_reaches_the_poles():
    g = grid(a=0.25, e=-0.25, x0=-180.125, y0=90.125, width=1440, height=721)
    assert g.area(whole(g)).sum() * 1440 / 1e6 == pytest.approx(510_065_621.724, rel=1e-11)


def test_areas_and_latitudes():
    g = grid(height=3)
    np.testing.assert_allclose(g.area(whole(g))[:, 0], cell_area([39.99, 39.98, 39.97], [40, 39.99, 39.98], 0.01))
    np.testing.assert_allclose(g.latitude(whole(g))[:, 0], [39.995, 39.985, 39.975])
    u = grid("EPSG:32650", 100.0, -100.0, 499_950.0, 4_400_050.0, 1, 1)
    assert u.area(whole(u))[0, 0] == pytest.approx(10_000 / 0.9996**2, rel=1e-8)
    lat = pyproj.Transformer.from_crs(32650, 4326, always_xy=True).transform(500_000, 4_400_000)[1]
    assert u.latitude(whole(u))[0, 0] == pytest.approx(lat, abs=1e-6)


@pytest.mark.parametrize(
    ("crs", "unit"), [("EPSG:2263", 0.3048006096), ("+proj=utm +zone=50 +units=km +datum=WGS84", 1000.0)]
)
def test_feet_and_kilometres(crs, unit):
    x0, y0 = (1_000_000.0, 200_000.0) if unit < 1 else (400.0, 4_400.0)
    g = grid(crs, 100.0 / unit, -100.0 / unit, x0, y0, 3, 2)
    assert g.area(whole(g)) == pytest.approx(np.full((2, 3), 10_000.0), rel=1e-3)


def test_equal_area_grids_have_one_area():
    g = grid(ALBERS, 30.0, -30.0, 5e5, 4e6)
    assert g.area(whole(g)).shape == (50, 1)
    assert (g.area(whole(g)) == 900.0).all()
    assert g.latitude(whole(g)).shape == (50, 70)


# ------------------------------------------------------------------ one piece of ground, several projections


@pytest.mark.parametrize(
    ("crs", "pixel"),
    [("EPSG:4326", 0.001), ("EPSG:32650", 100.0), (ALBERS, 100.0), ("EPSG:3857", 130.0), ("EPSG:4528", 100.0)],
)
def test_the_same_ground_has_the_same_area(crs, pixel):
    """A box of 0.5° × 0.4° in 119.25–119.75°E, 31.0–31.4°N, cut out by pixel centres."""
    edge = shapely.segmentize(shapely.box(119.25, 31.0, 119.75, 31.4), 0.001)
    move = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    shape = shapely.transform(edge, lambda p: np.column_stack(move.transform(p[:, 0], p[:, 1])))
    west, south, east, north = shape.bounds
    g = grid(
        crs,
        pixel,
        -pixel,
        west - pixel,
        north + pixel,
        int((east - west) / pixel) + 3,
        int((north - south) / pixel) + 3,
    )
    x = g.transform[2] + pixel * (np.arange(g.width) + 0.5)
    y = g.transform[5] - pixel * (np.arange(g.height) + 0.5)
    shapely.prepare(shape)
    inside = shapely.contains_xy(shape, *np.meshgrid(x, y))
    area = np.broadcast_to(g.area(whole(g)), inside.shape)[inside].sum()
    assert area == pytest.approx(cell_area(31.0, 31.4, 0.5), rel=4e-3)  # one row of pixels more or less
    # How pixel centres happen to fall aside, the mean area of the pixels is compared far more strictly.
    own = shape.area / pixel**2
    assert area / inside.sum() * own == pytest.approx(cell_area(31.0, 31.4, 0.5), rel=1e-5)


@settings(deadline=None, max_examples=15)
@given(st.data())
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32650", "EPSG:3857", "EPSG:4528"])
def test_any_partition_has_the_same_bits(crs, data):
    step, x0, y0 = (0.01, 119.0, 40.0) if crs == "EPSG:4326" else (30.0, 4.0e5, 4.4e6)
    x0 += 4e7 if crs == "EPSG:4528" else 0
    g = grid(crs, step, -step, x0, y0, 211, 157)
    height, width = data.draw(st.integers(1, 160)), data.draw(st.integers(1, 211))
    for what in ("area", "latitude"):
        full = np.broadcast_to(getattr(g, what)(whole(g)), (157, 211))
        for b in g.blocks(height, width)[:4]:
            part = np.broadcast_to(getattr(g, what)(b), (b.height, b.width))
            np.testing.assert_array_equal(part, full[b.row : b.row + b.height, b.col : b.col + b.width])


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"e": 0.01}, "rotated"),
        ({"y0": 4_400_000.0}, r"spans latitudes .* to 4.4e\+06; its CRS or transform is wrong"),
        ({"crs": "EPSG:4807"}, "counts in grads, not degrees"),
        ({"a": 1.0, "width": 361}, "counts some land twice"),
        ({"width": 0}, "0 x 50 pixels"),
        ({"crs": "EPSG:4978"}, "neither geographic nor projected"),
        ({"x0": float("nan")}, "georeference the raster again"),
    ],
)
def test_refused(change, message):
    with pytest.raises(InputError, match=message):
        grid(**change)
