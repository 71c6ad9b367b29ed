"""``sinks new``: an assessment file by looking at files; what is guessed is said, and what is written passes the check."""

import shutil
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.assess.demo import sample_data
from pipelines.cli import main
from scenes import small, write_raster, write_regions


def say(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result.stdout + result.stderr


def written(path):
    text = path.read_text(encoding="utf-8")
    return text, tomllib.loads(text)


@pytest.fixture
def scene(tmp_path):
    """A small scene in a folder whose files are named as people name them."""
    folder = tmp_path / "我的 数据"
    folder.mkdir()
    made = small(tmp_path, size=24)
    shutil.move(made["landcover"], folder / "ESA_WorldCover_10m_2021.tif")
    shutil.move(made["agb"], folder / "biomass 2020.tif")
    shutil.move(made["regions"], folder / "counties.gpkg")
    return folder


def test_the_sample_data_give_the_file_that_lies_beside_them(tmp_path):
    shutil.copytree(sample_data(), tmp_path / "d", ignore=shutil.ignore_patterns("*.toml", "*.py"))
    said = say("new", tmp_path / "d", "--out", tmp_path / "d" / "new.toml")
    assert "sinks check passes" in said
    text, found = written(tmp_path / "d" / "new.toml")
    known = tomllib.loads((sample_data() / "assessment.toml").read_text())
    shared = set(known) - {"targets", "soil_depth", "parameters"}
    assert {k: found[k] for k in shared} == {k: known[k] for k in shared}
    assert "landcover_2013.tif" in text  # the other epoch is told
    assert "modis_igbp" in text  # and that another legend explains the codes as well
    assert "The inputs can be used" in say("check", tmp_path / "d" / "new.toml", "--out", tmp_path / "o")


def test_guesses_have_reasons_and_doubts(scene):
    said = say("new", scene, "--out", scene / "a.toml")
    text, found = written(scene / "a.toml")
    assert found["landcover"] == "ESA_WorldCover_10m_2021.tif"
    assert found["legend"] == "esa_worldcover"
    assert (found["year"], found["region_id"], found["region_name"]) == (2021, "code", "name")
    for words in ("Told by its name", "it is of 2020, the land cover of 2021", "the file gives no unit"):
        assert words in text
    assert "? agb: it is of 2020, the land cover of 2021" in said


def test_a_missing_nodata_value_is_guessed_and_written(scene):
    values = np.full((24, 24), 50, np.float32)
    values[:4] = -9999
    write_raster(scene / "soc_0_100cm.tif", values)
    say("new", scene, "--out", scene / "a.toml")
    text, found = written(scene / "a.toml")
    assert found["layers"]["soc"]["nodata"] == -9999
    assert "-9999 is taken to be one" in text


def test_values_that_cannot_be_are_no_layer(scene):
    write_raster(scene / "karst.tif", np.full((24, 24), 70, np.uint8))
    say("new", scene, "--out", scene / "a.toml")
    text, found = written(scene / "a.toml")
    assert "karst" not in found
    assert "named like the layer karst, but it has values above 1" in text


def test_land_cover_is_known_by_its_codes_where_its_name_says_nothing(scene):
    (scene / "ESA_WorldCover_10m_2021.tif").rename(scene / "x17.tif")
    said = say("new", scene, "--out", scene / "a.toml")
    assert "its name says nothing" in said
    assert written(scene / "a.toml")[1]["legend"] == "esa_worldcover"


def test_tiles_beside_each_other_are_one_layer(tmp_path):
    rng = np.random.default_rng(3)
    for n in (0, 1):
        values = rng.choice([10, 30, 40, 80], size=(16, 16)).astype(np.uint8)
        write_raster(
            tmp_path / f"worldcover_2021_tile{n}.tif", values, origin=(500_000.0 + 1600 * n, 2_600_000.0), nodata=0
        )
    said = say("new", tmp_path, "--out", tmp_path / "a.toml", code=0)
    assert "1 more tiles" in said
    assert written(tmp_path / "a.toml")[1]["landcover"] == ["worldcover_2021_tile0.tif", "worldcover_2021_tile1.tif"]


def test_a_layer_that_the_check_refuses_is_left_out_with_its_words(scene):
    write_raster(scene / "bicarbonate.tif", np.full((24, 24), 2, np.float32), nodata=-1)
    say("new", scene, "--out", scene / "a.toml")
    text, found = written(scene / "a.toml")
    assert "bicarbonate" not in found
    assert "left out, for the check says" in text
    assert "passed when this was written" in text


def test_named_files_are_taken_as_they_are(scene, tmp_path):
    write_regions(tmp_path / "z.gpkg", [(500_000, 2_597_600, 502_400, 2_600_000)], zone=["a"])
    say(
        "new", "--landcover", scene / "ESA_WorldCover_10m_2021.tif", "--agb", scene / "biomass 2020.tif", "--regions",
        tmp_path / "z.gpkg", "--region-id", "zone", "--year", "2019", "--out", tmp_path / "b.toml",
    )  # fmt: skip
    text, found = written(tmp_path / "b.toml")
    assert (found["year"], found["region_id"]) == (2019, "zone")
    assert found["agb"] == "我的 数据/biomass 2020.tif"
    assert "Given by --agb" in text


def test_a_legend_that_no_one_knows_is_left_open_and_said(tmp_path):
    write_raster(tmp_path / "landcover.tif", np.arange(200, 216, dtype=np.uint8).reshape(4, 4), nodata=0)
    said = say("new", tmp_path, "--out", tmp_path / "a.toml")
    assert "sinks check says" in said
    assert "no legend fits" in (tmp_path / "a.toml").read_text()


@pytest.mark.parametrize(("make", "told"), [
    (lambda d: (), "name the folder with your rasters"), (lambda d: (d / "no",), "there is no such file or folder"),
    (lambda d: (d / "empty",), "looks like land cover"),
])  # fmt: skip
def test_what_cannot_be_is_said(tmp_path, make, told):
    (tmp_path / "empty").mkdir()
    assert told in say("new", *make(tmp_path), "--out", tmp_path / "a.toml", code=2)


def test_nothing_is_written_over_unasked(scene):
    (scene / "a.toml").write_text("mine")
    assert "--overwrite" in say("new", scene, "--out", scene / "a.toml", code=2)
    assert (scene / "a.toml").read_text() == "mine"
