"""The plugin in a real QGIS: installed from its zip, run by ``qgis_process`` and as the toolbox runs it."""

import csv
import json
import subprocess
import zipfile
from configparser import ConfigParser
from pathlib import Path

import geopandas as gpd
import pytest
from places import HERE, PYTHON, ROOT

pytestmark = [pytest.mark.qgis, pytest.mark.slow]
DATA = ROOT / "sample_data"
HOME = ROOT / "integrations" / "qgis" / "carbon_sinks"


@pytest.fixture(scope="module")
def toolbox(home, script):
    """Factory: run an algorithm with parameters."""
    plugins = home / ".local/share/QGIS/QGIS3/profiles/default/python/plugins"
    return lambda name, *more, **parameters: script("toolbox.py", plugins, name, json.dumps(parameters), *more)[0]


def test_the_toolbox_lists_three_algorithms(qgis_process):
    listed = qgis_process("list").stdout
    assert all(f"sinks:{verb}" in listed for verb in ("assess", "change", "targets"))
    told = qgis_process("help", "sinks:assess").stdout
    assert "Land cover" in told
    assert "goes on where it stopped" in told


def test_assess_and_targets_by_qgis_process(qgis_process, tmp_path):
    out = tmp_path / "结果 folder"
    done = qgis_process(
        "--json", "run", "sinks:assess", "--", f"ASSESSMENT={DATA / 'assessment.toml'}", f"OUTPUT={out}"
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["COVERAGE"] == pytest.approx(57.54, abs=0.01)
    assert results["STOCK"] == pytest.approx(152.1e6, rel=1e-3)
    assert (out / "manifest.json").is_file()
    done = qgis_process("run", "sinks:targets", "--", f"RUN={out}", f"SCORECARD={tmp_path / 'card.csv'}")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "card.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert {"forest_coverage", "forest_stock"} == {r["target"] for r in rows}


def test_layers_come_styled_to_the_map(toolbox, tmp_path):
    regions = tmp_path / "part.geojson"
    gpd.read_file(DATA / "counties.gpkg").head(6).to_file(regions, driver="GeoJSON")
    found = toolbox(
        "sinks:assess", LANDCOVER=str(DATA / "landcover_2023.tif"), LEGEND="sample", AGB=str(DATA / "agb_2023.tif"),
        REGIONS=str(regions), REGION_ID=["adcode"], REGION_NAME=["name"], CLIMATE=str(DATA / "climate_zone.tif"), YEAR=2023,
        MORE="--draws 0 --no-report", OUTPUT=str(tmp_path / "out"),
    )  # fmt: skip
    assert found["done"], found["log"]
    assert {layer["name"]: layer["renderer"] for layer in found["layers"]} == {
        "regions": "graduatedSymbol",
        "Total ecosystem carbon 2023": "singlebandpseudocolor",
        "Ecosystem class 2023": "paletted",
    }
    assert found["steps"][-1] == 100
    assert len(gpd.read_file(tmp_path / "out" / "assessment.gpkg", layer="regions")) == 6
    assert 0 < found["results"]["COVERAGE"] < 100


def test_change_of_two_dates(toolbox, tmp_path):
    layers = {
        f"{name.upper()}_{n}": str(DATA / f"{name}_{year}.tif")
        for n, year in ((1, 2013), (2, 2023)) for name in ("landcover", "agb")
    }  # fmt: skip
    found = toolbox(
        "sinks:change", **layers, YEAR_1=2013, YEAR_2=2023, LEGEND="sample", CLIMATE=str(DATA / "climate_zone.tif"),
        MORE="--no-report", OUTPUT=str(tmp_path / "out"),
    )  # fmt: skip
    assert found["done"], found["log"]
    drawn = sorted(layer["renderer"] for layer in found["layers"])
    assert drawn == ["graduatedSymbol", "paletted", "singlebandpseudocolor"]


def test_a_mistake_is_told_in_the_words_of_the_command(toolbox, tmp_path):
    found = toolbox(
        "sinks:assess", LANDCOVER=str(DATA / "landcover_2023.tif"), LEGEND="smple", OUTPUT=str(tmp_path / "out")
    )
    assert not found["done"]
    assert "did you mean 'sample'?" in found["log"]
    found = toolbox("sinks:assess", OUTPUT=str(tmp_path / "out"))
    assert "Give a file, or a land cover with its legend" in found["log"]


def test_it_speaks_the_language_of_qgis(home, surroundings, tmp_path):
    plugins = home / ".local/share/QGIS/QGIS3/profiles/default/python/plugins"
    done = subprocess.run(
        [PYTHON, HERE / "toolbox.py", plugins, "sinks:assess", json.dumps({"OUTPUT": str(tmp_path / "out")})],
        env={**surroundings, "LANG": "zh_CN.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert "请给出文件，或土地覆盖及其图例" in found["log"]
    assert "土地覆盖" in found["parameters"]


def test_it_can_be_cancelled(toolbox, tmp_path):
    found = toolbox("sinks:assess", 0.7, ASSESSMENT=str(DATA / "assessment.toml"), OUTPUT=str(tmp_path / "out"))
    assert "What is done is kept" in found["log"]
    assert found["layers"] == []
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_what_the_plugin_says_of_itself():
    parser = ConfigParser()
    parser.read(HOME / "metadata.txt", encoding="utf-8")
    general = parser["general"]
    assert general["hasProcessingProvider"] == "yes"
    for key in ("name", "description", "about", "version", "author", "email", "qgisMinimumVersion", "license", "icon"):
        assert general[key]
    assert (HOME / general["icon"]).is_file()
    assert "GNU GENERAL PUBLIC LICENSE" in (HOME / "LICENSE").read_text()


def test_the_zip_holds_the_plugin_and_nothing_else(home):
    with zipfile.ZipFile(home / "plugin.zip") as archive:
        names = archive.namelist()
    assert {Path(n).parts[0] for n in names} == {"carbon_sinks"}
    assert "carbon_sinks/metadata.txt" in names
    assert not [n for n in names if "__pycache__" in n]
