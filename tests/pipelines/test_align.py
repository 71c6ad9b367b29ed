"""Layers on the grid: the rule of each kind, what is absent, and the same bits for any partition."""

import pickle
import threading

import numpy as np
import pyproj
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine

from pipelines.errors import InputError, RunError
from pipelines.inputs import align
from pipelines.inputs.grid import Block, Grid
from pipelines.inputs.layerfiles import make_layer
from pipelines.inputs.sources import Layer, grid_of, inspect
from sinks.area import cell_area


def grid(crs="EPSG:4326", pixel=0.01, x0=100.0, y0=30.0, width=40, height=30):
    return Grid(pyproj.CRS(crs).to_wkt(), (pixel, 0.0, x0, 0.0, -pixel, y0), width, height)


def whole(g):
    return Block(0, 0, 0, g.height, g.width)


def aligned(path, g, kind="density", name="agb", **own):
    return align.plan(inspect(Layer(name, kind, str(path), **own)), g)


RANDOM = np.random.default_rng(7)
NUMBERS = RANDOM.uniform(1, 200, (30, 40)).astype(np.float32)
CLASSES = np.kron(RANDOM.integers(1, 9, (6, 8)), np.ones((5, 5))).astype(np.uint8)


# ------------------------------------------------------------------ the grid's own pixels


def test_same_pixels_are_read_as_they_are(raster):
    g = grid()
    a = aligned(raster(NUMBERS, nodata=NUMBERS[2, 3].item()), g)
    assert (a.mode, a.overlap, a.notes) == ("same", 1.0, ())
    got = align.read(a, whole(g))
    expected = NUMBERS.copy()
    expected[2, 3] = np.nan
    np.testing.assert_array_equal(got.data, expected)
    assert got.data.dtype == np.float32
    assert got.valid is None
    np.testing.assert_array_equal(align.read(a, Block(5, 10, 20, 3, 4)).data, NUMBERS[10:13, 20:24])


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "float32", "float64"]
)
def test_every_type_of_number(raster, dtype):
    g = grid()
    data = np.clip(NUMBERS, 0, 100).astype(dtype)
    got = align.read(aligned(raster(data), g, scale=0.1, offset=-1.0), whole(g)).data
    np.testing.assert_array_equal(got, (data.astype(np.float64) * 0.1 - 1).astype(np.float32))
    classes = align.read(aligned(raster(np.rint(data).astype(dtype)), g, "class"), whole(g))
    np.testing.assert_array_equal(classes.data, np.rint(data))
    assert classes.data.dtype.kind in "iu"
    assert classes.valid is None


def test_infinite_and_nan_are_absent(raster):
    data = NUMBERS.copy()
    data[0, 0], data[1, 1], data[2, 2], data[3, 3] = np.nan, np.inf, -np.inf, -9999
    g = grid()
    got = align.read(aligned(raster(data, nodata=-9999), g), whole(g)).data
    assert np.isnan(got[[0, 1, 2, 3], [0, 1, 2, 3]]).all()
    assert np.isnan(got).sum() == 4


@pytest.mark.parametrize("flip", [(1, -1), (-1, 1), (-1, -1)])
def test_rasters_that_run_the_other_way(raster, flip):
    """South-up and east-to-west files are turned, whether read or warped."""
    fx, fy = flip
    data = CLASSES[::-1][:, ::1] if fy == 1 else CLASSES
    data = data[:, ::-1] if fx == -1 else data
    origin = (100.0 if fx == 1 else 100.4, 29.7 if fy == 1 else 30.0)
    path = raster(data, "flipped.tif", origin=origin, pixel=(0.01 * fx, 0.01 * fy))
    g = grid_of(inspect(Layer("landcover", "class", path)))
    assert g.transform == pytest.approx((0.01, 0, 100, 0, -0.01, 30))
    a = align.plan(inspect(Layer("landcover", "class", path)), g)
    assert a.mode == "same"
    np.testing.assert_array_equal(align.read(a, whole(g)).data, CLASSES)
    np.testing.assert_array_equal(align.read(a, Block(0, 7, 9, 5, 6)).data, CLASSES[7:12, 9:15])
    fine = grid(pixel=0.005, width=80, height=60)
    warped = align.read(aligned(path, fine, "class"), whole(fine)).data
    np.testing.assert_array_equal(warped, np.kron(CLASSES, np.ones((2, 2), np.uint8)))


def test_shifted(raster):
    g = grid(x0=100.1, y0=30.05)
    a = aligned(raster(NUMBERS), g)
    assert (a.mode, a.row, a.col) == ("shifted", -5, 10)
    assert a.overlap == pytest.approx(25 * 30 / 1200)
    assert any("covers 62.5% of the map" in n for n in a.notes)
    got = align.read(a, whole(g)).data
    np.testing.assert_array_equal(got[5:, :30], NUMBERS[:25, 10:])
    assert np.isnan(got[:5]).all()
    assert np.isnan(got[:, 30:]).all()
    assert np.isnan(align.read(a, Block(0, 0, 30, 4, 4)).data).all()


def test_a_hair_off_is_the_same_lattice(raster):
    """Single-precision coordinates of a NetCDF file."""
    path = raster(NUMBERS, origin=(100.0 + 2e-6, 30.0 - 3e-6), pixel=(0.01 + 1e-9, -0.01))
    assert aligned(path, grid()).mode == "same"
    assert aligned(raster(NUMBERS, origin=(100.003, 30.0)), grid()).mode == "axes"


def test_no_overlap(raster):
    with pytest.raises(InputError, match="the agb layer does not overlap the land cover; check its CRS and extent"):
        aligned(raster(NUMBERS, origin=(10.0, 30.0)), grid())
    with pytest.raises(InputError, match="does not overlap"):
        aligned(raster(NUMBERS, origin=(10.0, 30.0)), grid("EPSG:32650", 100.0, 5e5, 4e6))


def test_longitudes_from_0_to_360(raster):
    g = grid(x0=-80.0)
    a = aligned(raster(NUMBERS, origin=(280.0, 30.0)), g)
    assert (a.mode, a.turn) == ("same", -360.0)
    np.testing.assert_array_equal(align.read(a, whole(g)).data, NUMBERS)
    fine = grid(x0=-80.0, pixel=0.005, width=80, height=60)
    warped = align.read(aligned(raster(NUMBERS, origin=(280.0, 30.0)), fine), whole(fine)).data
    np.testing.assert_allclose(warped, np.kron(NUMBERS, np.ones((2, 2))), rtol=1e-6)


def test_a_small_source_between_the_samples(raster):
    g = grid("EPSG:32647", 100.0, 3e5, 4e6, 4000, 4000)
    assert 0 < aligned(raster(NUMBERS[:2, :2], origin=(99.0, 34.5)), g).overlap < 0.001


# ------------------------------------------------------------------ classes


@pytest.mark.parametrize("nodata", [None, 0, 255])
def test_absent_classes(raster, nodata):
    """Where a nodata code exists it is used; where none does, ``valid`` says it."""
    data = CLASSES.copy()
    data[0, :2] = 0 if nodata is None else nodata
    g = grid(x0=100.1)
    got = align.read(aligned(raster(data, nodata=nodata), g, "class"), whole(g))
    assert got.data.dtype == np.uint8
    np.testing.assert_array_equal(got.data[:, :30], data[:, 10:])
    if nodata is None:
        assert got.valid[:, :30].all()
        assert not got.valid[:, 30:].any()
    else:
        assert got.valid is None
        assert (got.data[:, 30:] == nodata).all()


@pytest.mark.parametrize("nodata", [None, 255])
@pytest.mark.parametrize("pixel", [0.01, 0.005, 0.02])
def test_masks_are_honoured(raster, nodata, pixel):
    mask = np.full(CLASSES.shape, 255, np.uint8)
    mask[:10] = 0
    path = raster(CLASSES, mask=mask, nodata=nodata)
    g = grid(pixel=pixel, width=round(0.4 / pixel), height=round(0.3 / pixel))
    top = round(0.1 / pixel)
    got = align.read(aligned(path, g, "class"), whole(g))
    if nodata is None:
        assert not got.valid[:top].any()
        assert got.valid[top:].all()
    else:
        assert (got.data[:top] == 255).all()
        assert (got.data[top:] != 255).all()
    density = align.read(aligned(path, g), whole(g)).data
    assert np.isnan(density[:top]).all()
    assert not np.isnan(density[top:]).any()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32"])
def test_zero_is_a_class_when_warped_without_nodata(raster, dtype):
    data = np.zeros((30, 40), dtype)
    g = grid(pixel=0.005, x0=100.2, width=80, height=60)
    a = aligned(raster(data), g, "class")
    assert (a.mode, a.resampling) == ("axes", "nearest")
    got = align.read(a, whole(g))
    assert got.data.dtype == dtype
    assert got.valid[:, :40].all()
    assert not got.valid[:, 40:].any()


def test_nearest_or_commonest(raster):
    path = raster(CLASSES)
    assert aligned(path, grid(pixel=0.005), "class").resampling == "nearest"
    assert aligned(path, grid(pixel=0.014), "class").resampling == "nearest"
    assert aligned(path, grid(pixel=0.05, width=8, height=6), "class").resampling == "mode"
    utm = aligned(path, grid("EPSG:32647", 5000.0, 6e5, 3.3e6, 4, 4), "class")
    assert utm.resampling == "mode"
    coarse = grid(pixel=0.05, width=8, height=6)
    got = align.read(aligned(path, coarse, "class"), whole(coarse)).data
    np.testing.assert_array_equal(got, CLASSES[::5, ::5])


def test_whole_numbers_stored_as_floats(raster):
    data = CLASSES.astype(np.float32)
    data[0, 0] = np.nan
    g = grid()
    got = align.read(aligned(raster(data), g, "class"), whole(g))
    assert got.data.dtype == np.int32
    assert not got.valid[0, 0]
    assert got.valid.sum() == 1199
    data[0, 0] = -9999
    got = align.read(aligned(raster(data, nodata=-9999), g, "class"), whole(g))
    assert got.data[0, 0] == -9999 or not got.valid[0, 0]
    data[5, 5] = 3.5
    with pytest.raises(InputError, match=r"must hold whole numbers, and this one holds others \(e\.g\. 3\.5\)"):
        align.read(aligned(raster(data, nodata=-9999), g, "class"), whole(g))


def test_scale_is_not_for_classes(raster):
    path = raster(CLASSES)
    with rasterio.open(path, "r+") as d:
        d.scales = (0.1,)
    g = grid()
    np.testing.assert_array_equal(align.read(aligned(path, g, "class"), whole(g)).data, CLASSES)


# ------------------------------------------------------------------ densities and amounts


def test_a_density_is_averaged_by_area(raster):
    """2 × 2 pixels make one; an absent one does not count; whole numbers are not rounded."""
    data = np.array([[1, 2, 10, 10], [3, 5, 10, 255]], np.uint8)
    g = grid(pixel=0.02, width=2, height=1)
    got = align.read(aligned(raster(data, nodata=255), g), whole(g)).data
    np.testing.assert_allclose(got, [[2.75, 10.0]])
    scaled = align.read(aligned(raster(data, nodata=255), g, scale=0.1, offset=1.0), whole(g)).data
    np.testing.assert_allclose(scaled, [[1.275, 2.0]])


def test_nan_beside_a_nodata_value_does_not_spread(raster):
    data = np.array([[1, 2, 7, 7], [np.nan, 3, -9999, 7]], np.float32)
    g = grid(pixel=0.02, width=2, height=1)
    np.testing.assert_allclose(align.read(aligned(raster(data, nodata=-9999), g), whole(g)).data, [[2.0, 7.0]])


def test_pixels_partly_covered_weigh_by_their_share(raster):
    data = np.array([[0.0, 8.0]], np.float32)
    g = grid(pixel=0.01, x0=100.0025, width=1, height=1)
    np.testing.assert_allclose(align.read(aligned(raster(data), g), whole(g)).data, [[2.0]], rtol=1e-4)


def test_upsampling_a_density_keeps_its_values(raster):
    g = grid(pixel=0.002, width=200, height=150)
    got = align.read(aligned(raster(NUMBERS), g), whole(g)).data
    np.testing.assert_allclose(got, np.kron(NUMBERS, np.ones((5, 5))), rtol=1e-6)


@pytest.mark.parametrize(
    ("crs", "pixel", "x0", "y0", "size"),
    [
        ("EPSG:4326", 0.05, 100.0, 30.0, (8, 6)),
        ("EPSG:4326", 0.0025, 100.0, 30.0, (160, 120)),
        ("EPSG:32647", 400.0, 595_000.0, 3_325_000.0, (125, 130)),
        ("EPSG:3857", 3000.0, 11_120_000.0, 3_520_000.0, (25, 25)),
    ],
)
def test_an_amount_keeps_its_mass(raster, crs, pixel, x0, y0, size):
    g = grid(crs, pixel, x0, y0, *size)
    amounts = np.linspace(50, 100, 1200, dtype=np.float32).reshape(30, 40)
    amounts[[0, 1, 2, -3, -2, -1]], amounts[:, [0, 1, 2, 3, -4, -3, -2, -1]] = 0, 0
    a = aligned(raster(amounts), g, "amount", "population")
    assert "mass kept" in a.notes[-1]
    got = align.read(a, whole(g)).data
    # where the grid reaches beyond the source its edge pixels are filled whole
    assert np.nansum(got, dtype=float) == pytest.approx(
        amounts.sum(dtype=float), rel=2e-6 if crs == "EPSG:4326" else 0.03
    )


def test_a_mask_beside_a_nodata_value(raster):
    """GDAL's own view of such a file forgets the mask."""
    mask = np.full(NUMBERS.shape, 255, np.uint8)
    mask[:10] = 0
    data = NUMBERS.copy()
    data[10:20] = -9999
    g = grid(pixel=0.005, width=80, height=60)
    got = align.read(aligned(raster(data, mask=mask, nodata=-9999), g, scale=2.0), whole(g)).data
    assert np.isnan(got[:40]).all()
    np.testing.assert_allclose(got[40:], 2 * np.kron(NUMBERS[20:], np.ones((2, 2))), rtol=1e-6)


def test_an_amount_of_a_projected_source(raster):
    amounts = np.full((20, 20), 10.0, np.float32)
    path = raster(amounts, crs="EPSG:32647", origin=(6e5, 3.3e6), pixel=(1000.0, -1000.0))
    g = grid(pixel=0.002, x0=100.06, y0=29.8, width=40, height=40)
    got = align.read(aligned(path, g, "amount", "people"), whole(g)).data
    # 10 per km² of map, and the map's scale there is 0.9996² and a little
    area = cell_area(29.76, 29.762, 0.002)
    assert got[20, 20] == pytest.approx(10 * area / (1e6 / 0.99944), rel=1e-4)


def test_amounts_on_the_grid_itself_are_read_as_they_are(raster):
    g = grid()
    np.testing.assert_array_equal(align.read(aligned(raster(NUMBERS), g, "amount"), whole(g)).data, NUMBERS)


def test_what_is_done_is_said(raster):
    g = grid(pixel=0.002, width=200, height=150)
    path = raster(NUMBERS, crs="EPSG:32647", origin=(6.0e5, 3.32e6), pixel=(1000.0, -1000.0))
    assert aligned(path, g).notes[-1] == "agb: EPSG:32647 1000 metre → EPSG:4326 0.002°, area-weighted average"


def test_resampling_by_wish(raster):
    g = grid(pixel=0.002, width=200, height=150)
    assert aligned(raster(NUMBERS), g, resampling="bilinear").resampling == "bilinear"
    for kind, wish in (("density", "sum"), ("class", "average"), ("amount", "bilinear"), ("density", "mode")):
        with pytest.raises(InputError, match=f"resampling={wish} does not suit a layer of kind {kind}; choose"):
            aligned(raster(NUMBERS), g, kind, resampling=wish)


# ------------------------------------------------------------------ any partition


CASES = {
    "4326→UTM": ("EPSG:4326", (100.0, 30.0), (0.01, -0.01), ("EPSG:32647", 331.0, 595_000.0, 3_325_000.0)),
    "UTM→4326": ("EPSG:32647", (6.0e5, 3.32e6), (900.0, -1100.0), ("EPSG:4326", 0.0031, 100.0, 30.0)),
    "4490→3857": ("EPSG:4490", (100.0, 30.0), (0.01, -0.01), ("EPSG:3857", 2500.0, 11_120_000.0, 3_520_000.0)),
    "GK→4326": ("EPSG:4522", (34_400_000.0, 3.32e6), (900.0, -900.0), ("EPSG:4326", 0.02, 100.0, 30.0)),
    "shifted": ("EPSG:4326", (100.05, 30.03), (0.01, -0.01), ("EPSG:4326", 0.01, 100.0, 30.0)),
    "south-up": ("EPSG:4326", (100.0, 29.7), (0.01, 0.01), ("EPSG:4326", 0.004, 100.0, 30.0)),
}


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("kind", ["class", "density", "amount"])
@pytest.mark.parametrize("case", list(CASES))
def test_any_partition_gives_the_same_bits(raster, case, kind, data):
    crs, origin, pixel, target = CASES[case]
    values = CLASSES if kind == "class" else np.where(NUMBERS > 190, -9999, NUMBERS)
    path = raster(values, crs=crs, origin=origin, pixel=pixel, nodata=None if kind == "class" else -9999)
    g = grid(*target, 150, 130)
    a = aligned(path, g, kind)
    full = align.read(a, whole(g))
    everywhere = np.ones(full.data.shape, bool) if full.valid is None else full.valid
    assert (everywhere if kind == "class" else ~np.isnan(full.data)).any()
    align.close()
    height, width = data.draw(st.integers(1, 140)), data.draw(st.integers(1, 160))
    blocks = g.blocks(height, width)
    for b in data.draw(st.randoms(use_true_random=False)).sample(blocks, min(12, len(blocks))):
        got = align.read(a, b)
        at = (slice(b.row, b.row + b.height), slice(b.col, b.col + b.width))
        np.testing.assert_array_equal(got.data, full.data[at])
        valid = np.ones(got.data.shape, bool) if got.valid is None else got.valid
        np.testing.assert_array_equal(valid, everywhere[at])


def test_a_large_warp_by_blocks_and_at_once(raster):
    """More than one of GDAL's own blocks."""
    path = raster(np.tile(NUMBERS, (8, 8)), pixel=(0.01, -0.01))
    g = grid("EPSG:32647", 250.0, 595_000.0, 3_300_000.0, 1100, 700)
    a = aligned(path, g)
    full = align.read(a, whole(g)).data
    for step in (97, 256, 512):
        align.close()
        for b in g.blocks(step, step):
            part = full[b.row : b.row + b.height, b.col : b.col + b.width]
            np.testing.assert_array_equal(align.read(a, b).data, part)


def test_the_warp_takes_the_pixel_under_the_centre(raster):
    """Against PROJ's own transformation of every pixel centre; only centres on an edge, to 1e-3 of a pixel, may differ."""
    noise = RANDOM.integers(0, 250, (300, 400)).astype(np.uint8)
    path = raster(noise, origin=(100.0, 30.0), pixel=(0.001, -0.001), nodata=255)
    g = grid("EPSG:32647", 97.0, 600_000.0, 3_310_000.0, 300, 260)
    got = align.read(aligned(path, g, "class"), whole(g)).data
    x, y = np.meshgrid(600_000 + 97 * (np.arange(300) + 0.5), 3_310_000 - 97 * (np.arange(260) + 0.5))
    lon, lat = pyproj.Transformer.from_crs(32647, 4326, always_xy=True).transform(x, y)
    col, row = np.floor((lon - 100) / 0.001).astype(int), np.floor((30 - lat) / 0.001).astype(int)
    inside = (col >= 0) & (col < 400) & (row >= 0) & (row < 300)
    expected = np.where(inside, noise[row.clip(0, 299), col.clip(0, 399)], 255)
    assert inside.mean() > 0.5
    assert (got != expected).mean() < 2e-3


@pytest.mark.parametrize("kind", ["class", "density"])
@pytest.mark.parametrize("pixel", [0.01, 0.004])
def test_halo(raster, kind, pixel):
    g = grid(pixel=pixel)
    a = aligned(raster(CLASSES), g, kind)
    full = align.read(a, whole(g)).data
    got = align.read(a, Block(0, 10, 15, 6, 7), halo=4)
    np.testing.assert_array_equal(got.data, full[6:20, 11:26])
    corner = align.read(a, Block(0, 0, 0, 6, 7), halo=3)
    assert corner.data.shape == (12, 13)
    np.testing.assert_array_equal(corner.data[3:, 3:], full[:9, :10])
    absent = ~corner.valid if kind == "class" else np.isnan(corner.data)
    assert absent[:3].all()
    assert absent[:, :3].all()
    assert not absent[3:, 3:].any()


# ------------------------------------------------------------------ travel, threads, damage


def test_it_travels(raster):
    g = grid("EPSG:32647", 331.0, 595_000.0, 3_325_000.0)
    a = aligned(raster(NUMBERS), g)
    before = align.read(a, whole(g)).data
    copy = pickle.loads(pickle.dumps(a))
    assert copy == a
    np.testing.assert_array_equal(align.read(copy, whole(g)).data, before)


def test_threads_have_their_own_handles(raster):
    g = grid("EPSG:32647", 331.0, 595_000.0, 3_325_000.0, 150, 130)
    a = aligned(raster(NUMBERS), g)
    full, wrong = align.read(a, whole(g)).data, []

    def work():
        for b in g.blocks(40, 50):
            if not np.array_equal(
                align.read(a, b).data, full[b.row : b.row + b.height, b.col : b.col + b.width], equal_nan=True
            ):
                wrong.append(b)
        align.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_file_that_changed_is_opened_anew(raster, folder):
    g = grid()
    first = align.read(aligned(raster(NUMBERS), g), whole(g)).data
    second = align.read(aligned(raster(NUMBERS + 1), g), whole(g)).data
    np.testing.assert_array_equal(second, first + 1)


@pytest.mark.parametrize("pixel", [0.01, 0.004])
def test_a_damaged_file_is_named(raster, pixel):
    noise = RANDOM.integers(0, 255, (600, 600)).astype(np.uint8)
    path = raster(noise, compress="deflate")
    g = grid(pixel=pixel, width=600, height=600) if pixel == 0.01 else grid(pixel=pixel, y0=25.0, width=600, height=200)
    a = aligned(path, g)
    with open(path, "r+b") as f:
        f.seek(-60_000, 2)
        f.write(b"\x55" * 60_000)
    with pytest.raises(
        RunError, match=r"r\.tif: reading rows 0 to .* of the grid failed .*; the file is damaged or has changed"
    ):
        align.read(a, whole(g))


def test_a_missing_tile_is_named(raster, folder):
    paths = [raster(CLASSES, "a.tif"), raster(CLASSES, "b.tif", origin=(100.4, 30.0))]
    source = inspect(make_layer("landcover", "class", paths, folder))
    (folder / "b.tif").unlink()
    g = grid_of(source)
    with pytest.raises(RunError, match=r"a\.tif and 1 more: reading rows"):
        align.read(align.plan(source, g), whole(g))


# ------------------------------------------------------------------ real files


@pytest.mark.shared_data
def test_china_totals(shared):
    """Biomass on a quarter degree brought to land cover of 0.05°: the mass of the map's own pixels."""
    case = shared / "case_C"
    cover = inspect(Layer("landcover", "class", str(case / "landcover_mcd12c1_2019_igbp_0p05deg.tif")))
    g = grid_of(cover)
    source = inspect(Layer("agb", "density", str(case / "agb_globbiomass2010_MgHa_0p25deg.tif")))
    got = align.read(align.plan(source, g), whole(g)).data
    own = grid_of(source)
    with rasterio.open(source.path) as d:
        stored = d.read(1)
    stored = np.where(stored == 0, np.nan, stored)
    expected = np.nansum(stored * own.area(whole(own)))
    assert np.nansum(got * g.area(whole(g))) == pytest.approx(expected, rel=2e-4)  # Clarke 1866 and WGS 84 differ


@pytest.mark.shared_data
def test_grids_that_do_not_coincide(shared):
    site = shared / "case_A" / "jiangsu_zhongtianshe_25m"
    cover = inspect(Layer("landcover", "class", str(site / "landuse_25m.tif")))
    g = grid_of(cover)
    soil = align.plan(inspect(Layer("ecozone", "class", str(site / "soil_SEQN_25m.tif"))), g)
    assert soil.mode in ("shifted", "axes")
    got = align.read(soil, whole(g)).data
    with rasterio.open(site / "soil_SEQN_25m.tif") as d:
        stored, t = d.read(1), d.transform
    x = g.transform[2] + 25 * (np.arange(g.width) + 0.5)
    y = g.transform[5] - 25 * (np.arange(g.height) + 0.5)
    cols = np.floor((x - t.c) / t.a).astype(int)
    rows = np.floor((y - t.f) / t.e).astype(int)
    np.testing.assert_array_equal(got, stored[np.ix_(rows, cols)])


@pytest.mark.shared_data
def test_pixels_that_are_not_square(shared):
    site = shared / "case_A" / "beijing_1km"
    agb = inspect(Layer("agb", "density", str(site / "agbd_MgHa_1km_epsg6933.tif")))
    g = grid_of(agb)
    assert g.area(whole(g))[0, 0] == pytest.approx(998.9791547503787 * 995.6615639767462)
    got = align.read(align.plan(agb, g), whole(g)).data
    assert np.isfinite(got).sum() == 3479
    origin = inspect(Layer("landcover", "class", str(site / "forest_origin_2020_1km_epsg6933.tif")))
    assert align.plan(origin, g).mode == "same"


def test_affine_is_not_lost(raster):
    """rasterio's own view of the flipped transform agrees with the grid's."""
    path = raster(CLASSES, origin=(100.0, 29.7), pixel=(0.01, 0.01))
    with rasterio.open(path) as d:
        assert d.transform == Affine(0.01, 0, 100, 0, 0.01, 29.7)
