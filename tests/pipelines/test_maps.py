"""A map is stored once, says what it is, and opens styled."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rio_cogeo.cogeo import cog_validate

from pipelines.errors import RunError
from pipelines.outputs import halving, maps, mapstats, styles

CLASSES = (
    (1, "Forest", "森林", (0, 100, 0)),
    (3, "Crops & <more>", "耕地", (250, 200, 40)),
    (9, "Water", "", (0, 0, 255)),
)
ECOSYSTEM = maps.MapSpec("ecosystem", "class", "uint8", 0, description="Ecosystem", classes=CLASSES)
CARBON = maps.MapSpec(
    "carbon_total", "density", "uint16", 65535, 0.1, 0.0, "Mg C ha-1", "Total ecosystem carbon 2020", "生态系统碳密度",
    "carbon_total", tags={"PARAMETERS": "china", "YEAR": "2020"},
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    width: int
    height: int
    crs_wkt: str = rasterio.CRS.from_epsg(4490).to_wkt()
    transform: tuple = (0.00025, 0.0, 100.0, 0.0, -0.00025, 30.0)


@dataclass(frozen=True)
class Block:
    row: int
    col: int
    height: int
    width: int


def finish(spec, array, folder, side=1024, **options):
    height, width = array.shape
    grid = Grid(width, height)
    work = folder / "work"
    work.mkdir()
    parts = [
        Block(r, c, min(side, height - r), min(side, width - c))
        for r in range(0, height, side)
        for c in range(0, width, side)
    ]

    def write(b):
        return maps.write_shard(spec, grid, b, array[b.row : b.row + b.height, b.col : b.col + b.width], work)

    with ThreadPoolExecutor(4) as pool:
        return maps.finish_map(spec, grid, list(pool.map(write, parts)), folder, **options).path


def carbon_array(height=1300, width=1100):
    array = np.random.default_rng(3).integers(0, 3000, (height, width)).astype(np.uint16)
    array[:600, :600] = 65535
    return array


def test_a_density_map_says_what_it_is(tmp_path):
    array = carbon_array()
    path = finish(CARBON, array, tmp_path)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    valid = array[array != 65535].astype(float)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)
        assert dataset.descriptions == ("Total ecosystem carbon 2020",)
        assert dataset.units == ("Mg C ha-1",)
        assert (dataset.scales, dataset.offsets) == ((0.1,), (0.0,))
        assert dataset.nodata == 65535
        tags, band = dataset.tags(), dataset.tags(1)
        assert dataset.crs.to_epsg() == 4490
    assert tags["TITLE_ZH"] == "生态系统碳密度"
    assert (tags["QUANTITY"], tags["PARAMETERS"], tags["YEAR"]) == ("carbon_total", "china", "2020")
    assert float(band["STATISTICS_MINIMUM"]) == valid.min()
    assert float(band["STATISTICS_MAXIMUM"]) == valid.max()
    assert float(band["STATISTICS_MEAN"]) == pytest.approx(valid.mean(), rel=1e-12)
    assert float(band["STATISTICS_STDDEV"]) == pytest.approx(valid.std(), rel=1e-12)
    assert float(band["STATISTICS_VALID_PERCENT"]) == pytest.approx(100 * valid.size / array.size, abs=0.01)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "carbon_total.qml", "carbon_total.tif", "carbon_total.tif.aux.xml", "work"
    ]  # fmt: skip
    item = ET.parse(f"{path}.aux.xml").getroot().find("PAMRasterBand/Histograms/HistItem")
    told = {e.tag: e.text for e in item}
    low, high, count = float(told["HistMin"]), float(told["HistMax"]), int(told["BucketCount"])
    assert (low, high, count) == (-0.5, 2999.5 + (-3000) % 8, 375)
    assert told["Approximate"] == "0"
    np.testing.assert_array_equal(
        np.array(told["HistCounts"].split("|"), int), np.histogram(valid, count, (low, high))[0]
    )


def test_a_class_map_has_its_palette_names_and_table(tmp_path):
    array = np.random.default_rng(4).choice(np.array([0, 1, 3, 9], np.uint8), (1300, 1100))
    path = finish(ECOSYSTEM, array, tmp_path)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    for level in ({}, {"overview_level": 0}):
        with rasterio.open(path, **level) as dataset:
            palette = dataset.colormap(1)
            assert dataset.colorinterp == (ColorInterp.palette,)
            assert set(np.unique(dataset.read(1))) <= {0, 1, 3, 9}
        assert {value: palette[value] for value in (1, 3, 9)} == {c[0]: (*c[3], 255) for c in CLASSES}
    root = ET.parse(f"{path}.aux.xml").getroot()
    names = [c.text or "" for c in root.findall("PAMRasterBand/CategoryNames/Category")]
    assert names == ["", "Forest / 森林", "", "Crops & <more> / 耕地", "", "", "", "", "", "Water"]
    rows = [[f.text or "" for f in row] for row in root.findall(".//GDALRasterAttributeTable/Row")]
    assert rows[1] == ["3", str((array == 3).sum()), "Crops & <more>", "耕地", "250", "200", "40"]
    assert [d.find("Usage").text for d in root.iter("FieldDefn")] == ["5", "1", "2", "0", "6", "7", "8"]
    with rasterio.open(path) as dataset:
        band = dataset.tags(1)
    assert (band["flag_values"], band["flag_meanings"]) == ("1,3,9", "Forest Crops_more Water")


def test_classes_of_sixteen_bits_have_a_table_but_no_palette(tmp_path):
    spec = replace(ECOSYSTEM, dtype="uint16", classes=((1110, "A", "甲", (1, 2, 3)),))
    path = finish(spec, np.full((600, 600), 1110, np.uint16), tmp_path)
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp == (ColorInterp.gray,)
    root = ET.parse(f"{path}.aux.xml").getroot()
    assert root.find(".//CategoryNames") is None
    assert root.find(".//Row/F").text == "1110"
    assert path.stat().st_size < 20_000


def test_the_style_of_a_class_map(tmp_path):
    path = finish(ECOSYSTEM, np.array([[1, 3, 3]], np.uint8), tmp_path)
    renderer = ET.parse(path.with_suffix(".qml")).getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted"
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in renderer.iter("paletteEntry")]
    assert entries[1] == ("3", "#fac828", "Crops & <more> / 耕地")
    assert len(entries) == 2  # there is no water


def test_the_style_of_a_density_map_is_in_physical_values(tmp_path):
    path = finish(CARBON, carbon_array(), tmp_path)  # stored 0 … 2999, so 0 … 299.9 Mg C ha-1
    items = list(ET.parse(path.with_suffix(".qml")).getroot().iter("item"))
    values = [float(item.get("value")) for item in items]
    assert values == [0, 100, 200, 300]
    assert items[-1].get("label") == "300 Mg C ha-1"
    assert items[-1].get("color") == "#006837"


def test_given_stops_are_kept(tmp_path):
    spec = replace(CARBON, ramp=((0, (0, 0, 0)), (5.5, (255, 255, 255))))
    path = finish(spec, carbon_array(10, 10), tmp_path)
    items = ET.parse(path.with_suffix(".qml")).getroot().iter("item")
    assert [(i.get("value"), i.get("color")) for i in items] == [("0", "#000000"), ("5.5", "#ffffff")]


@pytest.mark.parametrize("value", [0, 65535, 7])
def test_maps_of_one_value_have_a_style_too(tmp_path, value):
    path = finish(CARBON, np.full((5, 5), value, np.uint16), tmp_path)
    values = [float(i.get("value")) for i in ET.parse(path.with_suffix(".qml")).getroot().iter("item")]
    assert values == sorted(set(values))
    assert len(values) >= 2


def test_change_is_coloured_about_zero():
    stops = styles.ramp_stops("change", -3.0, 18.0)
    assert stops[0].value == -stops[-1].value
    assert stops[len(stops) // 2] == styles.Stop(0.0, (245, 245, 245))


def test_a_block_of_nodata_makes_no_file_and_removes_an_old_one(tmp_path):
    grid, block = Grid(512, 512), Block(0, 0, 512, 512)
    old = maps.write_shard(CARBON, grid, block, np.zeros((512, 512), np.uint16), tmp_path)
    assert old.path.exists()
    shard = maps.write_shard(CARBON, grid, block, np.full((512, 512), 65535, np.uint16), tmp_path)
    assert shard.path is None
    assert shard.stats == mapstats.MapStats(pixels=512 * 512)
    assert list(tmp_path.iterdir()) == []


def test_a_block_is_made_at_every_resolution_that_it_lines_up_with(tmp_path):
    """2048 pixels make whole tiles at a half and a quarter of the resolution; the block at the edge goes as far as it can."""
    array = carbon_array(2048, 2048)
    shard = maps.write_shard(CARBON, Grid(4000, 4096), Block(2048, 0, 2048, 2048), array, tmp_path)
    expected, piece = array, shard
    for factor in (2, 4):
        piece, expected = piece.half, halving.halve(expected, 65535, "average")
        assert (piece.row, piece.col, piece.height, piece.width) == (2048 // factor, 0, *expected.shape)
        with rasterio.open(piece.path) as d:
            np.testing.assert_array_equal(d.read(1), expected)
            assert d.transform.a == 0.00025 * factor
            assert d.bounds.top == pytest.approx(30.0 - 2048 * 0.00025, abs=1e-12)
    assert piece.half is None
    assert [p.name for p in maps.shard_files({"carbon_total": [shard]})] == [
        f"carbon_total.2048.0{more}.tif" for more in ("", ".x2", ".x4")
    ]
    edge = maps.write_shard(CARBON, Grid(4000, 4096), Block(2048, 2048, 2048, 1952), array[:, :1952], tmp_path)
    assert (edge.half.half.height, edge.half.half.width) == (512, 488)
    odd = maps.write_shard(CARBON, Grid(4000, 4096), Block(512, 0, 1024, 1024), array[:1024, :1024], tmp_path)
    assert odd.half is None


def test_a_block_says_what_its_values_mean(tmp_path):
    shard = maps.write_shard(CARBON, Grid(1024, 1024), Block(0, 0, 1024, 1024), carbon_array(1024, 1024), tmp_path)
    with rasterio.open(shard.path) as d:
        assert (d.units[0], d.scales[0], d.descriptions[0]) == (CARBON.unit, CARBON.scale, CARBON.description)


@pytest.mark.parametrize("nodata", [-9999.0, float("nan")])
def test_floats_with_nan_and_infinity(tmp_path, nodata):
    spec = replace(CARBON, dtype="float32", nodata=nodata, scale=1.0)
    array = np.array([[1.5, nodata, np.nan, np.inf, -2.5]], np.float32)
    path = finish(spec, array, tmp_path)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)
        assert np.isnan(dataset.nodata) if np.isnan(nodata) else dataset.nodata == nodata
        assert float(dataset.tags(1)["STATISTICS_MEAN"]) == -0.5


def test_a_shard_is_small_to_send(tmp_path):
    shard = maps.write_shard(CARBON, Grid(1100, 1300), Block(0, 0, 1300, 1100), carbon_array(), tmp_path)
    assert pickle.loads(pickle.dumps(shard)) == shard
    assert len(pickle.dumps(shard)) < 3000


def test_what_is_not_the_block_is_a_mistake_in_code(tmp_path):
    grid, block = Grid(512, 512), Block(0, 0, 512, 512)
    with pytest.raises(ValueError, match="float64"):
        maps.write_shard(CARBON, grid, block, np.zeros((512, 512)), tmp_path)
    with pytest.raises(ValueError, match=r"\(511, 512\) was given"):
        maps.write_shard(CARBON, grid, block, np.zeros((511, 512), np.uint16), tmp_path)
    with pytest.raises(ValueError, match="does not lie on"):
        maps.write_shard(CARBON, grid, Block(0, 1, 512, 511), np.zeros((512, 511), np.uint16), tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"dtype": "float64"}, "dtype"), ({"ramp": "rainbow"}, "ramp"), ({"kind": "class", "dtype": "int16"}, "uint8")],
)
def test_a_map_that_cannot_be_is_a_mistake_in_code(change, words):
    with pytest.raises(ValueError, match=words):
        replace(CARBON, **change)


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match=r"carbon_total\.0\.0\.tif cannot be written"):
        maps.write_shard(CARBON, Grid(5, 5), Block(0, 0, 5, 5), np.zeros((5, 5), np.uint16), tmp_path / "gone")


def test_a_disk_that_fills_up_is_told(tmp_path, monkeypatch):
    def full(tile):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(maps.shardfile.tiff, "framed", full)
    with pytest.raises(RunError, match=r"carbon_total\.0\.0\.tif cannot be written: the disk is full"):
        maps.write_shard(CARBON, Grid(900, 900), Block(0, 0, 900, 900), carbon_array(900, 900), tmp_path)
    assert list(tmp_path.iterdir()) == []


def floats(seed):
    """Numbers of every size and both signs, so that adding them in another order would show."""
    rng = np.random.default_rng(seed)
    return np.ldexp(rng.standard_normal((1536, 1024)), rng.integers(-60, 60, (1536, 1024))).astype(np.float32)


@given(array=st.integers(0, 2**32 - 1).map(floats), cut=st.sampled_from([512, 1024]))
@settings(max_examples=15, deadline=None)
def test_statistics_add_up_to_the_last_bit(array, cut):
    whole = mapstats.MapStats.of(array, -9999.0)
    parts = [mapstats.MapStats.of(array[:cut], -9999.0), mapstats.MapStats.of(array[cut:], -9999.0)]
    assert mapstats.merge_stats(parts) == whole
    assert mapstats.merge_stats(reversed(parts)) == whole
    assert whole.mean == pytest.approx(array.mean(dtype=float), rel=1e-9, abs=1e-9 * float(np.abs(array).max()))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
@given(seed=st.integers(0, 2**32 - 1), spread=st.integers(0, 40), cut=st.sampled_from([512, 1024]))
@settings(max_examples=8, deadline=None)
def test_histograms_add_up_and_count_every_value(dtype, seed, spread, cut):
    rng = np.random.default_rng(seed)
    array = np.ldexp(rng.standard_normal((1100, 20)), spread - 20).clip(-3e4, 3e4)
    array = array.astype(dtype) if dtype == "float32" else array.astype(np.int64).astype(dtype)
    array[::7] = 5
    nodata = array[0, 0]
    whole = mapstats.MapStats.of(array, nodata)
    parts = [mapstats.MapStats.of(array[:cut], nodata), mapstats.MapStats.of(array[cut:], nodata)]
    assert mapstats.merge_stats(parts) == whole == mapstats.merge_stats(reversed(parts))
    h = whole.histogram
    assert len(h.counts) <= mapstats.BUCKETS
    known = array[array != nodata].astype(float)
    if known.size:
        found = np.bincount((np.floor(known / h.width) - h.first).astype(int), minlength=len(h.counts))
        assert tuple(found.tolist()) == h.counts
        assert h.quantile(0) <= known.min() <= known.max() <= h.quantile(1)


def test_the_stretch_leaves_extremes_out_and_sees_the_few_that_differ():
    array = np.full((100, 100), 50, np.uint16)
    array[:50] = 100
    array[0, 0] = 60_000
    low, high = mapstats.MapStats.of(array, 65535).stretch()
    assert low == 50
    assert 100 < high < 1300
    few = np.zeros((100, 100), np.uint16)
    few[0, :10] = 700
    low, high = mapstats.MapStats.of(few, 65535).stretch()
    assert low == 0
    assert 0 < high < 100
    many = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    assert mapstats.MapStats.of(many, 65535).stretch() == pytest.approx((200, 9800), rel=0.01)


def test_statistics_of_nothing():
    nothing = mapstats.MapStats()
    assert nothing + nothing == nothing
    assert np.isnan(nothing.mean)
    assert nothing.tags() == {"STATISTICS_VALID_PERCENT": "0"}


def test_statistics_by_hand():
    # 2, 4, 4, 4, 5, 5, 7, 9: mean 40/8 = 5, variance 232/8 − 25 = 4
    stats = mapstats.MapStats.of(np.array([[2, 4, 4, 4, 5, 5, 7, 9, 255, 255]], np.uint8), 255)
    assert (stats.pixels, stats.valid, stats.minimum, stats.maximum) == (10, 8, 2, 9)
    assert (stats.total, stats.squares) == (Fraction(40), Fraction(232))
    assert (stats.mean, stats.std) == (5, 2)
    assert stats.tags()["STATISTICS_VALID_PERCENT"] == "80"
