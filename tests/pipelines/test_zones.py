"""Regions: files read, ids found, polygons mended, and the same labels for any partition."""

import pickle

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from pipelines.errors import InputError
from pipelines.inputs import polygons, zones
from pipelines.inputs.grid import Block, Grid
from sinks.area import cell_area


def grid(crs="EPSG:4326", pixel=0.01, x0=100.0, y0=30.0, width=200, height=100):
    return Grid(pyproj.CRS(crs).to_wkt(), (pixel, 0.0, x0, 0.0, -pixel, y0), width, height)


def whole(g):
    return Block(0, 0, 0, g.height, g.width)


HALVES = (box(100, 29, 101, 30), box(101, 29, 102, 30))


@pytest.fixture
def regions(folder):
    """Factory: write shapes with columns and read them back as Regions."""

    def make(shapes=HALVES, g=None, *, crs="EPSG:4326", file="县界.gpkg", read=None, **columns):
        columns = columns or {"code": [str(n + 1) for n in range(len(shapes))]}
        path = folder / file
        gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs).to_file(path, engine="pyogrio")
        return zones.read_regions(str(path), grid=g or grid(), **(read or {}))

    return make


# ------------------------------------------------------------------ labels


def test_pixel_centres(regions):
    """A pixel belongs to the region that holds its centre."""
    r = regions([box(100.004, 29.9, 100.016, 30), box(100.016, 29.9, 100.03, 30)])
    got = zones.label(r, Block(0, 0, 0, 11, 5))
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got[:10], np.tile([1, 1, 2, 0, 0], (10, 1)))
    assert (got[10] == 0).all()


def test_rows_run_down(regions):
    r = regions([box(100, 29.99, 100.02, 30)])
    got = zones.label(r, Block(0, 0, 0, 3, 3))
    np.testing.assert_array_equal(got, [[1, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_edges_through_centres_count_once(regions):
    """Regions that share an edge through pixel centres part the pixels between them."""
    g = grid(pixel=0.25)  # exact in binary, so that the edges really pass through centres
    x, y = 100.125 + 0.25 * np.arange(0, 40, 5), 29.875 - 0.25 * np.arange(0, 40, 5)
    shapes = [box(x[i], y[j + 1], x[i + 1], y[j]) for j in range(7) for i in range(7)]
    got = zones.label(regions(shapes, g), Block(0, 0, 0, 40, 40))
    assert np.bincount(got.ravel(), minlength=50)[1:].tolist() == [25] * 49


def test_the_first_wins(regions):
    r = regions([box(100.2, 29.5, 100.6, 29.9), box(100, 29, 102, 30), box(100.5, 29.5, 100.9, 29.9)])
    got = zones.label(r, whole(grid()))
    assert (got[10:50, 20:60] == 1).all()
    assert (got == 2).sum() == 200 * 100 - 1600
    assert not (got == 3).any()
    assert any(n.startswith("regions: overlap by") and "2 and 3" in n and "1 and 2" in n for n in r.notes)


def test_neighbours_do_not_overlap(regions):
    assert not any("overlap by" in n for n in regions().notes)


def test_holes_and_parts(regions):
    ring = Polygon(
        [(100, 29), (101, 29), (101, 30), (100, 30)], [[(100.2, 29.2), (100.8, 29.2), (100.8, 29.8), (100.2, 29.8)]]
    )
    r = regions([MultiPolygon([ring, box(101.5, 29.5, 102, 30)]), box(100.4, 29.4, 100.6, 29.6)])
    got = zones.label(r, whole(grid()))
    assert (got == 1).sum() == 100 * 100 - 60 * 60 + 50 * 50
    assert (got == 2).sum() == 20 * 20


def wiggly(seed, n=24):
    """Regions of a random partition of the plane, some of which overlap, with long and short edges."""
    rng = np.random.default_rng(seed)
    points = shapely.MultiPoint(rng.uniform((99.5, 28.5), (114, 30.5), (n, 2)))
    cells = list(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=box(99, 28, 115, 31))))
    blob = Point(105, 29).buffer(0.7, quad_segs=200)
    return [*cells[:5], blob, *cells[5:], box(100.005, 28.995, 111.005, 29.505)]


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_any_partition_gives_the_same_labels(regions, crs, data):
    """The grid is wider than a sheet, so that tiles and sheets both meet inside it."""
    g = grid(pixel=0.0025, width=4700, height=560) if crs == "EPSG:4326" else grid(crs, 250.0, 2.5e5, 3.33e6, 4700, 560)
    r = regions(wiggly(data.draw(st.integers(0, 3))), g)
    full = zones.label(r, whole(g))
    assert len(np.unique(full)) > 5
    height, width = data.draw(st.integers(30, 700)), data.draw(st.integers(200, 4700))
    blocks = g.blocks(height, width)
    for b in data.draw(st.randoms(use_true_random=False)).sample(blocks, min(6, len(blocks))):
        zones._parsed.clear()
        np.testing.assert_array_equal(zones.label(r, b), full[b.row : b.row + b.height, b.col : b.col + b.width])


@pytest.mark.parametrize("seed", range(3))
def test_against_points_in_polygons(regions, seed):
    g = grid(pixel=0.02, width=700, height=120)
    shapes = wiggly(seed)
    got = zones.label(regions(shapes, g), whole(g))
    x, y = np.meshgrid(100 + 0.02 * (np.arange(700) + 0.5), 30 - 0.02 * (np.arange(120) + 0.5))
    expected = np.zeros(x.shape, np.int32)
    for n, shape in reversed(list(enumerate(shapes, start=1))):
        shapely.prepare(shape)
        expected[shapely.contains_xy(shape, x, y)] = n
    assert (got != expected).mean() < 1e-4  # a centre exactly on an edge goes to either side


def test_a_block_within_one_region(regions):
    r = regions([box(99, 28, 103, 31)])
    assert (zones.label(r, whole(grid())) == 1).all()
    assert zones.label(r, Block(0, 50, 60, 1, 1)).tolist() == [[1]]


def test_it_travels(regions):
    r = regions()
    copy = pickle.loads(pickle.dumps(r))
    assert (copy.ids, copy.shapes, copy.token, copy.area_ha) == (r.ids, r.shapes, r.token, r.area_ha)
    zones._parsed.clear()
    np.testing.assert_array_equal(zones.label(copy, whole(grid())), zones.label(r, whole(grid())))


# ------------------------------------------------------------------ areas


def test_area_is_that_of_the_pixels(regions):
    g = grid()
    r = regions()
    assert r.area_ha == pytest.approx([cell_area(29, 30, 1) / 1e4] * 2, rel=1e-12)
    label = zones.label(r, whole(g))
    pixels = np.bincount(label.ravel(), weights=np.broadcast_to(g.area(whole(g)), label.shape).ravel(), minlength=3)[1:]
    assert pixels / 1e4 == pytest.approx(r.area_ha, rel=1e-11)
    assert r.inside_grid_fraction == (1.0, 1.0)
    assert r.outside_grid_ha == (0.0, 0.0)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490", "EPSG:32648", "EPSG:3857", "EPSG:6933"])
def test_area_against_geodesics(crs):
    shape = np.array([Polygon([(103, 29), (104.3, 29.4), (104, 30.6), (102.8, 30.1)])])
    there = polygons.moved(shape, pyproj.CRS(4326), pyproj.CRS(crs))
    fine = shapely.segmentize(shape[0], 0.001)
    expected = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(shapely.orient_polygons(fine))[0]) / 1e4
    assert polygons.hectares(there, pyproj.CRS(crs))[0] == pytest.approx(expected, rel=2e-6)


def test_area_of_a_cut_out(regions):
    ring = Polygon(box(100, 29, 101, 30).exterior.coords, [box(100.2, 29.2, 100.4, 29.4).exterior.coords])
    assert regions([ring]).area_ha[0] == pytest.approx(
        (cell_area(29, 30, 1) - cell_area(29.2, 29.4, 0.2)) / 1e4, rel=1e-12
    )


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32647"])
def test_part_beyond_the_grid(regions, crs):
    g = grid() if crs == "EPSG:4326" else grid(crs, 1000.0, 5.9e5, 3.4e6, 300, 300)
    shapes = [box(101, 29, 103, 30), box(100.2, 29.2, 100.4, 29.4), box(120, 29, 121, 30)]
    r = regions(shapes, g)
    if crs == "EPSG:4326":
        assert r.inside_grid_fraction == pytest.approx((0.5, 1, 0), abs=1e-12)
        assert r.outside_grid_ha[0] == pytest.approx(r.area_ha[0] / 2)
    assert r.outside_grid_ha[1] == 0
    assert r.outside_grid_ha[2] == pytest.approx(r.area_ha[2])
    assert any("reach beyond the land cover" in n and "3 (100.0%)" in n for n in r.notes)


def test_a_region_where_the_grid_is_not_defined(regions):
    """A country that reaches round the world is cut to the surroundings of the grid."""
    g = grid("EPSG:32647", 1000.0, 5.9e5, 3.4e6, 100, 100)
    world = regions([box(-179.9, -89.9, 179.9, 89.9)], g)
    assert (zones.label(world, whole(g)) == 1).all()
    assert world.inside_grid_fraction[0] == pytest.approx(1e4 / 5.1e8, rel=0.01)


def test_long_edges_stay_where_they_were_drawn(regions):
    """A parallel is bent in UTM: a box of two corners 12° apart follows it."""
    g = grid("EPSG:32648", 2000.0, -2e5, 3.5e6, 700, 120)
    r = regions([box(99, 30, 111, 31)], g)
    got = zones.label(r, whole(g))
    x, y = np.meshgrid(-2e5 + 2000 * (np.arange(700) + 0.5), 3.5e6 - 2000 * (np.arange(120) + 0.5))
    lon, lat = pyproj.Transformer.from_crs(32648, 4326, always_xy=True).transform(x, y)
    np.testing.assert_array_equal(got == 1, (lon > 99) & (lon < 111) & (lat > 30) & (lat < 31))
    assert r.area_ha[0] == pytest.approx(cell_area(30, 31, 12) / 1e4, rel=1e-9)


# ------------------------------------------------------------------ files, ids, names


@pytest.mark.parametrize(
    ("columns", "ids", "names"),
    [
        ({"adcode": ["0303", "0304"], "name": ["甲", "乙"]}, ("0303", "0304"), ("甲", "乙")),
        ({"adcode": [110000.0, 120000.0], "NAME": ["A", "B"]}, ("110000", "120000"), ("A", "B")),
        ({"adcode": [110000, 120000]}, ("110000", "120000"), ("", "")),
        ({"行政区代码": ["01", "02"], "名称": ["甲", None]}, ("01", "02"), ("甲", "")),
        ({"XZQDM": [" 01 ", "02"], "XZQMC": ["甲", "乙"]}, ("01", "02"), ("甲", "乙")),
        ({"code": ["1", "1"], "id": ["a", "b"]}, ("a", "b"), ("", "")),
        ({"Code_County": ["1", "2"], "Code_Province": ["9", "9"], "Name_Province": ["省", "省"], "Name_County": ["甲", "乙"]},
         ("1", "2"), ("甲", "乙")),
    ],
)  # fmt: skip
def test_ids_and_names_are_found(regions, columns, ids, names):
    r = regions(**columns)
    assert r.ids == ids
    assert r.names == names
    assert any("id column" in n for n in r.notes)


def test_ids_and_names_by_wish(regions):
    r = regions(read={"id_column": "k", "name_column": "wer"}, k=["x", "y"], wer=["A", "B"], code=["1", "2"])
    assert (r.ids, r.names) == (("x", "y"), ("A", "B"))


@pytest.mark.parametrize(
    ("columns", "read", "message"),
    [
        (
            {"wer": ["A", "B"]},
            {},
            r"no column of unique region ids was found; name one with --region-id \(columns: wer\)",
        ),
        ({"code": ["7", "7"]}, {}, r"was found \('code' has the same id more than once: 7\)"),
        ({"code": ["7", "7"]}, {"id_column": "code"}, "column 'code' has the same id more than once: 7; mend it"),
        ({"code": ["7", None]}, {"id_column": "code"}, r"column 'code' is empty in 1 region\(s\)"),
        (
            {"code": ["7", "8"]},
            {"id_column": "kode"},
            r"has no column 'kode'; did you mean 'code'\? \(columns: code\); name one with --region-id",
        ),
        ({"code": ["7", "8"]}, {"name_column": "n"}, "has no column 'n'"),
        ({"code": ["7", "total"]}, {}, "stands for the union of all regions"),
        ({"code": ["7", "8"]}, {"layer": "x"}, "has no layer 'x' with geometry, only 县界"),
    ],
)
def test_unfit_columns(regions, columns, read, message):
    with pytest.raises(InputError, match=message):
        regions(read=read, **columns)


def test_official_areas(regions):
    own = cell_area(29, 30, 1) / 1e4
    assert regions(code=["1", "2"], land_area_ha=[5.0, None]).official_area_ha[0] == 5.0
    assert np.isnan(regions(code=["1", "2"], land_area_ha=[5.0, None]).official_area_ha[1])
    r = regions(code=["1", "2"], 土地面积=[own / 100 * 1.02, own / 100])
    assert r.official_area_ha == pytest.approx([own * 1.02, own])
    assert any("taken to be km²" in n for n in r.notes)
    mu = regions(code=["1", "2"], 土地面积=[own * 15, own * 14.9])
    assert mu.official_area_ha == pytest.approx([own, own * 14.9 / 15])
    odd = regions(code=["1", "2"], 土地面积=[3.0, 4.0])
    assert np.isnan(odd.official_area_ha).all()
    assert any("is not used" in n for n in odd.notes)
    assert np.isnan(regions().official_area_ha).all()


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_shapefiles_without_cpg(folder, encoding):
    path = folder / "县界.shp"
    frame = gpd.GeoDataFrame({"代码": ["0303", "04"], "名称": ["内蒙古", "广西"]}, geometry=list(HALVES), crs=4326)
    pyogrio.write_dataframe(frame, path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    r = zones.read_regions(str(path), grid=grid())
    assert r.ids == ("0303", "04")
    assert r.names == ("内蒙古", "广西")
    assert any(f"read as {encoding}" in n for n in r.notes)


def test_layers(folder):
    path = folder / "two.gpkg"
    frame = gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=list(HALVES), crs=4326)
    frame.to_file(path, layer="counties", engine="pyogrio")
    pyogrio.write_dataframe(gpd.pd.DataFrame({"a": [1]}), path, layer="layer_styles")
    gpd.GeoDataFrame({"code": ["1"]}, geometry=[Point(0, 0)], crs=4326).to_file(path, layer="towns", engine="pyogrio")
    assert len(zones.read_regions(str(path), grid=grid()).ids) == 2
    frame.to_file(path, layer="provinces", engine="pyogrio")
    with pytest.raises(InputError, match="has the layers counties, provinces; choose one with --region-layer"):
        zones.read_regions(str(path), grid=grid())
    assert len(zones.read_regions(str(path), grid=grid(), layer="provinces").ids) == 2


def test_unfit_files(folder, regions):
    with pytest.raises(InputError, match="there is no such file"):
        zones.read_regions(str(folder / "none.gpkg"), grid=grid())
    text = folder / "a.gpkg"
    text.write_text("nothing")
    with pytest.raises(InputError, match="not a vector file that can be read"):
        zones.read_regions(str(text), grid=grid())
    with pytest.raises(InputError, match="have no CRS"), pytest.warns(UserWarning, match="'crs' was not provided"):
        regions(crs=None, file="n.gpkg")
    with pytest.raises(InputError, match="no polygons; regions must be polygons"):
        regions([Point(0, 0)], file="p.gpkg")
    with pytest.raises(InputError, match=r"1 region\(s\) are points or lines \(2\)"):
        regions([HALVES[0], LineString([(0, 0), (1, 1)])], file="l.geojson")
    with pytest.raises(InputError, match=r"1 region\(s\) have no geometry \(2\)"):
        regions([HALVES[0], None], file="e.gpkg")
    with pytest.raises(InputError, match="no region overlaps the land cover; check the CRS of both"):
        regions([box(0, 0, 1, 1)], file="o.gpkg")
    empty = folder / "empty.gpkg"
    gpd.GeoDataFrame({"code": []}, geometry=[], crs=4326).to_file(empty, engine="pyogrio", geometry_type="Polygon")
    with pytest.raises(InputError, match="holds no region"):
        zones.read_regions(str(empty), grid=grid())


# ------------------------------------------------------------------ shapes


def test_invalid_polygons_are_mended(regions):
    bow = Polygon([(100, 29), (101, 30), (101, 29), (100, 30)])
    r = regions([bow, HALVES[1]])
    assert any("1 invalid polygon(s) were made valid: 1" in n for n in r.notes)
    assert (zones.label(r, whole(grid())) == 1).sum() == pytest.approx(5000, abs=100)


def test_heights_are_dropped(regions):
    solid = Polygon([(100, 29, 5), (101, 29, 5), (101, 30, 5), (100, 30, 5)])
    frame = regions([solid]).to_geodataframe(grid())
    assert not frame.geometry.has_z.any()


def test_back_to_a_geodataframe(regions):
    r = regions(code=["1", "2"], name_zh=["甲", "乙"])
    frame = r.to_geodataframe(grid())
    assert list(frame.columns) == ["region_id", "region_name", "geometry"]
    assert frame.crs == pyproj.CRS(4326)
    assert frame.geometry[0].equals(HALVES[0])


# ------------------------------------------------------------------ real files


@pytest.mark.shared_data
def test_provinces_of_china(shared):
    """Area of China and the pixels of 0.05° under its provinces."""
    g = grid(pixel=0.05, x0=73.0, y0=54.0, width=1260, height=740)
    r = zones.read_regions(str(shared / "case_C" / "admin_osm_wgs84.gpkg"), grid=g, layer="province")
    assert len(r.ids) == 34
    assert r.names[r.ids.index("11")] == "北京市"
    assert sum(r.area_ha) / 1e6 == pytest.approx(949.9, abs=0.1)
    label = zones.label(r, whole(g))
    area = np.bincount(label.ravel(), weights=np.broadcast_to(g.area(whole(g)), label.shape).ravel())
    assert area[1:].sum() / 1e10 == pytest.approx(949.9, abs=0.3)


@pytest.mark.shared_data
def test_districts_on_pixels_that_are_not_square(shared):
    site = shared / "case_A" / "beijing_1km"
    crs = pyproj.CRS(6933).to_wkt()
    g = Grid(crs, (998.9791547503787, 0.0, 11140136.199889133, 0.0, -995.6615639767462, 4810348.01070537), 198, 158)
    r = zones.read_regions(str(site / "admin_counties_osm_wgs84.gpkg"), grid=g)
    assert len(r.ids) == 16
    assert all(r.names)
    counts = np.bincount(zones.label(r, whole(g)).ravel(), minlength=17)[1:]
    pixel = g.area(whole(g))[0, 0] / 1e4
    assert counts.sum() * pixel == pytest.approx(
        sum(a - o for a, o in zip(r.area_ha, r.outside_grid_ha, strict=True)), rel=2e-3
    )
