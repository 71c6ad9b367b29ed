"""The GeoPackage: read back by OGR, and every extra table by SQLite."""

import sqlite3
from contextlib import closing
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from shapely.geometry import LineString, Point, Polygon, box

from pipelines.errors import InputError, RunError
from pipelines.outputs import styles
from pipelines.outputs.geopackage import GpkgLayer, LayerStyle, write_geopackage

ALIASES = {
    "region_name": ("Region", "区划名称", ""),
    "carbon_mg_ha": ("Carbon density", "碳密度", "Mg C/ha"),
    "type": ("Type <&>", "类型", ""),
    "gone": ("Not in the frame", "", ""),
}


def regions(crs=4490, count=12):
    shapes = [box(x, 0, x + 1, 1) for x in range(count)]
    shapes[0] = Polygon([(0, 0, 5), (1, 0, 5), (1, 1, 5)])  # a third coordinate is dropped
    shapes[-1] = None
    frame = {
        "region_name": [f"县{x}" for x in range(count)],
        "carbon_mg_ha": np.arange(count) * 7.3 + 11,
        "type": [1, 2] * (count // 2),
        "seen": [True, False] * (count // 2),
        "gap": np.arange(count) * 3.0 - 5,
    }
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=crs)


def regions_layer(**changes):
    given = {
        "name": "regions",
        "title": "Regions 区划",
        "description": "每个区划的结果",
        "frame": regions(),
        "aliases": ALIASES,
        "styles": (
            LayerStyle("carbon_mg_ha", "Carbon 碳", label="region_name"),
            LayerStyle("gap", "Gap 差距", "change"),
        ),
        "domains": {"type": {1: "Conifer 针叶林", 2: "Broadleaf 阔叶林"}},
    }
    return GpkgLayer(**{**given, **changes})


def table_layer():
    frame = pd.DataFrame({"ecosystem": ["森林", None], "value": [1.5, np.nan], "n": pd.array([3, None], dtype="Int64")})
    same = ("Value", "数值", "ha")
    return GpkgLayer("account", "Account 账户", "", frame, {"value": same, "n": same})


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "评估" / "assessment.gpkg"
    path.parent.mkdir()
    write_geopackage(path, [regions_layer(), table_layer()])
    return path


def rows(path, query, *values):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query, values).fetchall()


def test_layers_come_back_as_they_went_in(package):
    assert [p.name for p in package.parent.iterdir()] == [package.name]
    back = gpd.read_file(package, layer="regions")
    assert back.crs.to_epsg() == 4490
    assert list(back["region_name"]) == [f"县{x}" for x in range(12)]
    np.testing.assert_array_equal(back["carbon_mg_ha"], regions()["carbon_mg_ha"])
    assert set(back.geom_type.dropna()) == {"MultiPolygon"}
    assert back.geometry.isna().sum() == 1
    assert not back.has_z.any()
    table = pyogrio.read_dataframe(package, layer="account")
    assert table["ecosystem"][0] == "森林"
    assert table["value"].isna().tolist() == [False, True]
    listed = dict(pyogrio.list_layers(package))
    assert listed["regions"] == "MultiPolygon"
    assert listed["account"] is None


def test_the_file_is_sound_and_of_version_1_2(package):
    assert rows(package, "PRAGMA integrity_check") == [("ok",)]
    assert rows(package, "PRAGMA foreign_key_check") == []
    assert rows(package, "PRAGMA user_version") == [(10200,)]
    contents = dict(rows(package, "SELECT table_name, identifier FROM gpkg_contents"))
    assert contents["regions"] == "Regions 区划"
    assert contents["account"] == "Account 账户"


def test_columns_are_called_by_both_languages_and_unit(package):
    said = dict(rows(package, "SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'regions'"))
    assert said == {
        "region_name": "Region / 区划名称",
        "carbon_mg_ha": "Carbon density / 碳密度 [Mg C/ha]",
        "type": "Type <&> / 类型",
    }
    twice = dict(rows(package, "SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'account'"))
    assert twice == {"value": "Value / 数值 [ha] (value)", "n": "Value / 数值 [ha] (n)"}


def test_codes_have_labels_and_the_extension_is_declared(package):
    found = rows(package, "SELECT constraint_type, value, description FROM gpkg_data_column_constraints")
    assert found == [("enum", "1", "Conifer 针叶林"), ("enum", "2", "Broadleaf 阔叶林")]
    domain = rows(package, "SELECT constraint_name FROM gpkg_data_columns WHERE column_name = 'type'")
    assert domain == rows(package, "SELECT DISTINCT constraint_name FROM gpkg_data_column_constraints")
    declared = rows(package, "SELECT table_name, scope FROM gpkg_extensions WHERE extension_name = 'gpkg_schema'")
    assert sorted(declared) == [("gpkg_data_column_constraints", "read-write"), ("gpkg_data_columns", "read-write")]


def test_the_style_is_the_default_and_covers_every_value(package):
    found = rows(package, "SELECT f_table_name, f_geometry_column, styleName, useAsDefault FROM layer_styles")
    assert found == [
        ("regions", "geom", "Carbon 碳", 1), ("regions", "geom", "Gap 差距", 0), ("account", "", "Columns 字段", 1)
    ]  # fmt: skip
    [(qml,)] = rows(package, "SELECT styleQML FROM layer_styles WHERE styleName = 'Carbon 碳'")
    root = ET.fromstring(qml)
    assert root.find("labeling/settings/text-style").get("fieldName") == "region_name"
    renderer = root.find("renderer-v2")
    assert renderer.get("attr") == "carbon_mg_ha"
    ranges = renderer.findall("ranges/range")
    assert len(ranges) == 5
    assert len(renderer.findall("symbols/symbol")) == 5
    assert ranges[0].get("label").endswith("Mg C/ha")
    limits = [float(r.get("lower")) for r in ranges] + [float(ranges[-1].get("upper"))]
    values = regions()["carbon_mg_ha"]
    assert limits == sorted(limits)
    assert limits[0] <= values.min()
    assert limits[-1] >= values.max()
    assert root.find("aliases/alias[@field='type']").get("name") == "Type <&> / 类型"
    labels = [o.get("name") for o in root.findall(".//field[@name='type']//Option[@type='QString']")]
    assert labels == ["Conifer 针叶林", "Broadleaf 阔叶林"]


def test_a_gap_is_coloured_evenly_about_zero(package):
    [(qml,)] = rows(package, "SELECT styleQML FROM layer_styles WHERE styleName = 'Gap 差距'")
    found = [(float(r.get("lower")), float(r.get("upper"))) for r in ET.fromstring(qml).iter("range")]
    assert found == [(-10, 0), (0, 10), (10, 20), (20, 50)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1.284, 30, 40, 51.4, 8, 7], [-20, 0, 20, 40, 100]),
        ([3.0, 4.0], [0, 2, 5]),
        ([-3.0, -4.0], [-5, -2, 0]),
        ([0.0], [0, 0.5]),
        ([np.nan], []),
        ([-7e6, 1.0, 2.0], [-1e7, -5e6, -2.5e6, 0, 2.5e6]),
    ],
)
def test_breaks_about_zero(values, expected):
    found = styles.breaks_for("change", np.array(values))
    assert found == expected
    if found:
        colors = styles.class_colors("change", found)
        assert len(colors) == len(found) - 1
        assert len(set(colors)) == len(colors)


def test_without_a_value_to_colour_by_another_style_is_the_default(tmp_path):
    frame = regions().assign(carbon_mg_ha=np.nan)
    write_geopackage(tmp_path / "a.gpkg", [regions_layer(frame=frame)])
    assert rows(tmp_path / "a.gpkg", "SELECT styleName, useAsDefault FROM layer_styles") == [("Gap 差距", 1)]
    write_geopackage(tmp_path / "a.gpkg", [regions_layer(frame=frame, styles=())])
    assert rows(tmp_path / "a.gpkg", "SELECT * FROM layer_styles") == []


def test_points_are_a_layer_too(tmp_path):
    frame = gpd.GeoDataFrame({"a": [1, 2]}, geometry=[Point(0, 0), Point(1, 1)], crs=4326)
    qml = styles.categorized_points("a", [styles.ClassColor(1, "One", "一", (1, 2, 3))], {"a": "A"})
    write_geopackage(tmp_path / "a.gpkg", [GpkgLayer("p", "P", "", frame, styles=(("Dots", qml),))])
    assert dict(pyogrio.list_layers(tmp_path / "a.gpkg"))["p"] == "Point"
    assert rows(tmp_path / "a.gpkg", "SELECT styleName, useAsDefault FROM layer_styles") == [("Dots", 1)]


def test_tables_alone_and_layers_without_rows(tmp_path):
    write_geopackage(tmp_path / "a.gpkg", [table_layer()])
    assert rows(tmp_path / "a.gpkg", "PRAGMA integrity_check") == [("ok",)]
    write_geopackage(tmp_path / "b.gpkg", [regions_layer(frame=regions().iloc[:0]), table_layer()])
    assert len(gpd.read_file(tmp_path / "b.gpkg", layer="regions")) == 0


def test_writing_again_replaces_the_file(package):
    write_geopackage(package, [table_layer()])
    assert "regions" not in dict(pyogrio.list_layers(package))


@pytest.mark.parametrize("name", ["面积", "Area", "1st", "fid", "geom", "a" * 31, 'x"; drop table y'])
def test_a_column_name_that_not_every_gis_reads_is_refused(tmp_path, name):
    frame = pd.DataFrame({name: [1]})
    with pytest.raises(InputError, match="cannot be a name in the GeoPackage; rename it"):
        write_geopackage(tmp_path / "a.gpkg", [GpkgLayer("t", "", "", frame)])
    assert not list(tmp_path.iterdir())


def test_geometries_that_are_no_polygons_are_refused(tmp_path):
    frame = gpd.GeoDataFrame({"a": [1, 2]}, geometry=[Point(0, 0), LineString([(0, 0), (1, 1)])], crs=4326)
    with pytest.raises(InputError, match="all polygons or all points are wanted and LineString was found"):
        write_geopackage(tmp_path / "a.gpkg", [GpkgLayer("t", "", "", frame)])


def test_polygons_without_a_crs_are_refused(tmp_path):
    with pytest.raises(InputError, match="no CRS"):
        write_geopackage(tmp_path / "a.gpkg", [regions_layer(frame=regions(crs=None))])


def test_mistakes_in_code_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match="same name"):
        write_geopackage(tmp_path / "a.gpkg", [table_layer(), table_layer()])
    with pytest.raises(ValueError, match="no column 'x'"):
        write_geopackage(tmp_path / "a.gpkg", [regions_layer(styles=(LayerStyle("x", "X"),))])


@pytest.mark.parametrize(
    ("said", "told"),
    [("disk I/O error", "disk I/O error; see that"), ("database or disk is full", "the disk is full; free some space")],
)
def test_a_failed_write_leaves_the_old_file(package, monkeypatch, said, told):
    before = package.read_bytes()

    def fail(*args, **kwargs):
        raise sqlite3.OperationalError(said)

    monkeypatch.setattr("pipelines.outputs.geopackage._annotate", fail)
    with pytest.raises(RunError, match=rf"assessment\.gpkg cannot be written: {told}"):
        write_geopackage(package, [table_layer()])
    assert package.read_bytes() == before
    assert [p.name for p in package.parent.iterdir()] == [package.name]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([np.nan], []),
        ([3.0, 3.0], [3.0, 3.0]),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ([0.0] * 90 + [1.0], [0.0, 1.0]),
        ([-123456.0, 0.0, 98765.4], [-124000.0, -74100.0, -24700.0, 19800.0, 59300.0, 98800.0]),
    ],
)
def test_class_breaks(values, expected):
    assert styles.class_breaks(np.array(values)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (3.0, 197.0, [0, 50, 100, 150, 200]),
        (0.0, 0.0, [0, 0.25, 0.5, 0.75, 1]),
        (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1]),
        (0.0011, 0.0019, [0.001, 0.0012, 0.0014, 0.0016, 0.0018, 0.002]),
    ],
)
def test_round_limits_are_round_and_cover(low, high, expected):
    found = styles.round_limits(low, high, 4)
    assert found[0] <= low
    assert found[-1] >= high
    assert found == pytest.approx(expected)
