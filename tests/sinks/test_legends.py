"""Legends: every built-in one is sound, codes stay text, and a user's mistake is named with its line."""

import re

import pytest

from sinks.errors import InputError
from sinks.legends import LEAF_TYPES, Legend, builtin_names, collisions, ecosystem_names
from sinks.parameters import table_text

BIB = set(re.findall(r"^@\w+\{([^,]+),", table_text("sources.bib"), re.MULTILINE))


@pytest.mark.parametrize("name", builtin_names())
def test_a_builtin_legend_is_sound(name: str) -> None:
    legend = Legend.builtin(name)
    assert legend.name == name
    assert legend.title
    assert len(legend.by_code()) == len(legend.classes)
    for c in legend.classes:
        assert c.ecosystem in ecosystem_names()
        assert (c.forest_type in LEAF_TYPES) == (c.ecosystem == "forest")
        assert c.name_en
        assert c.name_zh
        assert re.fullmatch(r"#[0-9a-f]{6}", c.color)
        assert c.source in BIB
        assert c.status in ("confirmed", "design", "unverified")
        assert c.value is None or c.value == int(c.code)
        assert (c.value is None) == (not c.code.isdecimal())
        assert c.tree_cover_min is None or 0 <= c.tree_cover_min <= 70


def test_how_many_classes_each_legend_has() -> None:
    count = {name: len(Legend.builtin(name).classes) for name in builtin_names()}
    assert count == {
        "sample": 14, "esa_worldcover": 12, "esa_cci_lc": 38, "cgls_lc100": 24, "modis_igbp": 18,
    "mcd12c1": 18, "globeland30": 12,
        "clcd": 10, "glc_fcs30d": 37, "esri_lulc": 12, "dynamic_world": 9, "cnlucc": 26, "gbt21010_2017": 73,
        "third_survey": 70, "land_sea_use_2023": 56, "forest_land_class": 23,
    }  # fmt: skip


def test_0507_is_commerce_in_one_system_and_mangrove_in_the_other() -> None:
    assert Legend.builtin("gbt21010_2017").by_code()["0507"].ecosystem == "built"
    assert Legend.builtin("land_sea_use_2023").by_code()["0507"].ecosystem == "mangrove"


def test_codes_stay_text() -> None:
    third = Legend.builtin("third_survey")
    assert third.by_code()["0303"].ecosystem == "mangrove"
    assert third.by_code()["0303"].value == 303
    assert third.by_value()[303].code == "0303"
    assert third.by_code()["08H2A"].value is None
    assert "303" not in third.by_code()


def test_igbp_woody_savannas_are_forest_and_savannas_are_not() -> None:
    igbp = Legend.builtin("modis_igbp").by_value()
    assert (igbp[8].ecosystem, igbp[8].forest_type, igbp[8].tree_cover_min) == ("forest", "unspecified", 30)
    assert igbp[9].ecosystem == "grassland"


def test_subclasses_tell_paddy_from_upland() -> None:
    codes = Legend.builtin("gbt21010_2017").by_code()
    assert [codes[c].subclass for c in ("0101", "0102", "0103", "0201", "1105")] == [
        "paddy", "upland", "upland", "perennial", "tidal_flat",
    ]  # fmt: skip


def test_nodata_values() -> None:
    assert Legend.builtin("esri_lulc").nodata_values() == {0, 10}
    assert Legend.builtin("sample").nodata_values() == {0}
    assert Legend.builtin("dynamic_world").nodata_values() == frozenset()
    assert 80 not in Legend.builtin("esa_worldcover").nodata_values()


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("worldcover", "esa_worldcover"), ("WorldCover", "esa_worldcover"), ("cci", "esa_cci_lc"),
        ("igbp", "modis_igbp"),
        ("MCD12Q1", "modis_igbp"), ("modis", "modis_igbp"), ("lc100", "cgls_lc100"), ("cgls", "cgls_lc100"),
        ("fcs30", "glc_fcs30d"), ("glc-fcs30d", "glc_fcs30d"), ("esri", "esri_lulc"), ("dynamicworld", "dynamic_world"),
        ("gbt21010", "gbt21010_2017"), ("third_survey", "third_survey"), ("GlobeLand30", "globeland30"),
        ("CLCD", "clcd"), ("di_lei", "forest_land_class"),
    ],
)  # fmt: skip
def test_aliases(alias: str, name: str) -> None:
    assert Legend.builtin(alias).name == name


def test_an_unknown_legend_gets_a_suggestion_and_the_list() -> None:
    with pytest.raises(
        InputError, match=r"no legend 'wordcover'; did you mean 'worldcover'\? \(built in: sample, esa_"
    ):
        Legend.builtin("wordcover")
    with pytest.raises(InputError, match=r"no legend 'qqq' \(built in: "):
        Legend.builtin("qqq")


def test_collisions_of_the_two_chinese_systems() -> None:
    found = {a.code: (a.ecosystem, b.ecosystem) for a, b in collisions("gbt21010", "land_sea")}
    assert len(found) == 15
    assert found["0303"] == ("mangrove", "shrubland")
    assert found["0507"] == ("built", "mangrove")
    assert "0203" not in found
    assert collisions("clcd", "clcd") == []


# ---------------------------------------------------------------------------- a user's own legend


def test_a_users_legend_needs_only_code_and_ecosystem() -> None:
    legend = Legend.from_text("code,ecosystem\n1,forest\n2,water\n", "mine.csv")
    assert legend.name == "mine.csv"
    first = legend.classes[0]
    assert (first.value, first.forest_type, first.name_en, first.status, first.source) == (
        1, "unspecified", "1", "user", "user",
    )  # fmt: skip


def test_chinese_headers_and_names_and_a_bom() -> None:
    text = "\ufeff代码,名称,生态系统,森林类型\n0301,乔木林地,森林,针叶林\n0101,水田,耕地,\n\n"
    legend = Legend.from_text(text, "图例.csv")
    assert [(c.code, c.name_zh, c.ecosystem, c.forest_type) for c in legend.classes] == [
        ("0301", "乔木林地", "forest", "needleleaf"),
        ("0101", "水田", "cropland", ""),
    ]


def test_a_value_column_overrides_the_code() -> None:
    legend = Legend.from_text("code,value,ecosystem\n08H2A,7,built\n0101,,cropland\n", "mine.csv")
    assert legend.by_value()[7].code == "08H2A"
    assert legend.by_code()["0101"].value is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"mine.csv: the file is empty; give it a line of column names"),
        (
            "code,class\n1,forest\n",
            r"line 1: the legend lacks the column\(s\) ecosystem; found code, class; known: code",
        ),
        ("code,code,ecosystem\n1,1,forest\n", r"the column 'code' occurs twice; take one of them out"),
        ("code,ecosystem\n", r"the legend has no class"),
        ("code,ecosystem\n1,forrest\n", r"line 2: ecosystem 'forrest' is not one of forest, shrubland"),
        ("code,ecosystem\n1,\n", r"line 2: ecosystem '' is not one of forest"),
        ("code,ecosystem\n,forest\n", r"line 2: the code is empty"),
        ("code,ecosystem\n1,water\n1,forest\n", r"line 3: the code '1' is already on line 2; keep one"),
        ("code,ecosystem\n01,water\n1,forest\n", r"line 3: the raster value 1 is already on line 2"),
        ("code,ecosystem,value\n1,water,x\n", r"line 2: value 'x' is not a whole number"),
        ("code,ecosystem,forest_type\n1,forest,pine\n", r"line 2: forest_type 'pine' is not one of needleleaf"),
        (
            "code,ecosystem,forest_type\n1,water,bamboo\n",
            r"line 2: forest_type 'bamboo' is given for ecosystem 'water'",
        ),
        ("code,ecosystem,color\n1,water,blue\n", r"line 2: color 'blue' is not of the form #rrggbb"),
        ("code,ecosystem,tree_cover_min\n1,forest,120\n", r"line 2: tree_cover_min '120' is not a percentage"),
        ("code,ecosystem,tree_cover_min\n1,forest,10 %\n", r"line 2: tree_cover_min '10 %' is not a percentage"),
        (
            "code,ecosystem\n1,water\n\n2,sea, open\n",
            r"line 4: 'open' stands in no column; put quotes around a cell",
        ),
    ],
)
def test_every_mistake_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Legend.from_text(text, "mine.csv")
