"""``sinks plot``: figures of a finished run."""

import warnings
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner
from matplotlib import image as pictures

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.outputs import runplots
from scenes import small


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plot")
    made = small(folder)
    return run.assess(checked({
        **made, "region_id": "code", "region_name": "name", "legend": "worldcover", "parameters": "china", "draws": 0,
        "climate": "warm_temperate_moist", "out": str(folder / "out"), "quiet": True, "year": 2020,
    }))  # fmt: skip


def say(*arguments):
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


def test_one_file_holds_all_figures_on_a_page_of_the_asked_width(finished, tmp_path):
    said = say(
        finished.out,
        "ecosystem",
        "carbon_total",
        "--regions",
        "--dpi",
        "100",
        "--width",
        "150",
        "--out",
        tmp_path / "a.png",
    )
    assert said.exit_code == 0, said.output
    assert said.stderr == ""
    height, width, _ = pictures.imread(tmp_path / "a.png").shape
    assert width == pytest.approx(150 / 25.4 * 100, abs=1)
    assert height > 300


def test_a_folder_holds_a_file_each(finished, tmp_path):
    assert say(finished.out, "--targets", "--language", "zh", "--dpi", "60", "--out", tmp_path / "f").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == ["pools.png", "targets.png"]
    again = say(finished.out, "pools", "--out", tmp_path / "f")
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr


def test_a_vector_file_is_one(finished, tmp_path):
    assert say(finished.out, "coverage", "--out", tmp_path / "a.svg").exit_code == 0
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


def test_maps_are_titled_and_told_in_both_languages(finished):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for language, title in (("en", "Total ecosystem carbon 2020"), ("zh", "生态系统碳密度（2020年）")):
            assert finished.plot.map("carbon_total", language=language).figure.axes[0].get_title(loc="left") == title
        legend = finished.plot.map("ecosystem", language="zh").figure.axes[0].get_legend()
    assert {"草地", "红树林", "水体"} <= {t.get_text() for t in legend.get_texts()}


def test_values_are_those_of_the_run(finished):
    values = runplots.RunFolder(finished.out).tables().of_regions("coverage", ["0101", "0102"])
    top = finished.coverage[finished.coverage["headline"]].set_index("region_id")["coverage_percent"]
    assert values == {i: pytest.approx(top[i]) for i in ("0101", "0102")}
    title, layer = runplots.RunFolder(finished.out).layer("stock_volume", "en")
    assert title == "Growing stock volume 2020"
    assert layer.unit == "m3 ha-1"


@pytest.mark.parametrize(("arguments", "told"), [
    (["ecosystm"], "did you mean 'ecosystem'"), (["ecosystem", "--out", "a.bmp"], ".png, .svg or .pdf"),
    (["ecosystem", "--language", "fr"], "fr"),
])  # fmt: skip
def test_a_slip_is_told(finished, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    said = say(finished.out, *arguments)
    assert said.exit_code == 2
    assert told in said.stderr


def test_a_folder_without_a_run_is_refused(tmp_path):
    assert "manifest.json" in say(tmp_path).stderr
