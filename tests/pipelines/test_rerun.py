"""A run done again from its manifest: the same, or what differs; and a manifest that is a stranger's."""

import json
import os
import shutil

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.files import manifest
from scenes import small, write_raster


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerun")
    given = small(folder, size=24)
    (folder / "legend.csv").write_text(
        "code,ecosystem\n10,forest\n20,shrubland\n30,grassland\n40,cropland\n80,water\n95,mangrove\n"
    )
    with rasterio.open(given["agb"]) as d:
        data = d.read(1)
    tiles = [
        str(write_raster(folder / "a1.tif", data[:, :10], nodata=-9999.0)),
        str(write_raster(folder / "a2.tif", data[:, 10:], nodata=-9999.0, origin=(501_000.0, 2_600_000.0))),
    ]
    more = {"legend": str(folder / "legend.csv"), "climate": "warm_temperate_moist", "parameters": "china", "draws": 100, "seed": 7,
            "maps": ["carbon_total", "ecosystem"], "quiet": True, "layers": {"agb": {"nodata": -9999.0}}}  # fmt: skip
    run.assess(checked({**given, "agb": tiles, **more, "out": str(folder / "out")}))
    return folder


@pytest.fixture
def copy(home, tmp_path):
    """The run and its inputs in a folder of their own."""
    folder = tmp_path / "copy"
    shutil.copytree(home, folder)
    for path in folder.rglob("manifest.json"):
        path.write_text(path.read_text().replace(str(home), str(folder)))
    return folder


def rerun(*arguments, code):
    result = CliRunner().invoke(main, ["rerun", *map(str, arguments), "--quiet"])
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout if code < 2 else result.stderr


def test_a_run_done_again_is_the_same(home, tmp_path):
    told = rerun(home / "out", "--workers=1", code=0)
    assert "The results are the same to the last bit." in told
    assert told.count("the same") >= 4
    rerun(home / "out" / "manifest.json", "--out", tmp_path / "again", code=0)
    for name in ("accounts.csv", "maps/carbon_total.tif", "errors.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (home / "out" / name).read_bytes()
    found = json.loads(rerun(home / "out", "--json", code=0))
    assert found["same"]
    assert found["compared"]["inputs"] == 4  # land cover, biomass, legend, regions
    assert found["compared"]["outputs"] >= 8


def test_the_seed_is_recorded_and_used(home):
    assert json.loads((home / "out" / "manifest.json").read_text())["study"]["seed"] == 7


def test_what_differs_is_told(copy):
    with rasterio.open(copy / "a1.tif", "r+") as d:
        data = d.read(1)
        data[3, 3] = 150
        d.write(data, 1)
    told = rerun(copy / "out", code=1)
    assert "agb was " in told
    assert "accounts.csv has other content" in told
    assert "The results differ." in told


def test_an_input_with_another_time_is_the_same(copy):
    os.utime(copy / "lc.tif", (1, 1))
    assert "inputs (4)            the same" in rerun(copy / "out", code=0)


def test_other_software_is_told_though_results_are_the_same(copy):
    change(copy, versions={"numpy": "1.0"})
    told = rerun(copy / "out", code=0)
    assert "numpy was 1.0 and is" in told
    assert "The results are the same" in told


def change(folder, **more):
    about = json.loads((folder / "out" / manifest.NAME).read_text())
    (folder / "out" / manifest.NAME).write_text(json.dumps({**about, **more}))
    return about


def test_a_manifest_of_relative_paths_is_run_from_where_it_was_started(home, copy, tmp_path, monkeypatch):
    about = change(copy)
    study = {**about["study"], "landcover": "lc.tif", "regions": "regions.gpkg"}
    change(copy, study=study, started_in=str(copy))
    monkeypatch.chdir(tmp_path)
    rerun(copy / "out", code=0)


@pytest.mark.parametrize(("key", "value", "said"), [
    ("landcover", "http://127.0.0.1:9/lc.tif", "--allow-network if you trust the file"),
    ("regions", "/vsicurl/http://127.0.0.1:9/r.gpkg", "--allow-network if you trust the file"),
    ("landcover", "(an array in memory)", "only runs on files can be done again"),
    ("landcover", "/nowhere/lc.tif", "there is no such file"),
    ("landcover", 5, "write a path in quotes"),
    ("draws", "many", "write a whole number"),
    ("layers", {"agb": {"band": "__import__('os')"}}, "write a whole number"),
])  # fmt: skip
def test_what_a_strangers_manifest_must_not_do(copy, key, value, said):
    about = change(copy)
    change(copy, study={**about["study"], key: value})
    assert said in rerun(copy / "out", code=2)


def test_where_and_how_to_run_is_not_the_manifests_to_say(copy, tmp_path):
    about = change(copy)
    elsewhere = tmp_path / "elsewhere"
    mine = {"out": str(elsewhere), "scheduler": "tcp://127.0.0.1:9", "cluster": str(tmp_path / "x.toml"), "overwrite": True,
            "performance_report": str(elsewhere), "allow_network": True, "landcover": about["study"]["landcover"]}  # fmt: skip
    change(copy, study={**about["study"], **mine})
    rerun(copy / "out", code=0)
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"study": 5}', '{"versions": {}}', '{"kind": "rollup", "study": {}}', "", '{"study": {}}']
)
def test_a_manifest_that_is_none(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    told = rerun(tmp_path / "m.json", code=2)
    assert "m.json" in told
    assert "should not happen" not in told


def test_a_change_done_again_is_the_same(tmp_path):
    given = small(tmp_path, size=24)
    write_raster(tmp_path / "lc2.tif", np.full((24, 24), 30, np.uint8), nodata=0)
    epochs = [
        f"--epoch=year={y},landcover={tmp_path}/{lc}.tif,agb={given['agb']}" for y, lc in ((2010, "lc"), (2020, "lc2"))
    ]
    asked = ["change", *epochs, "--legend=worldcover", "--climate=warm_temperate_moist", "--parameters=china", "--draws=0",
             f"--regions={given['regions']}", f"--out={tmp_path}/change", "--minimum-change=2", "--quiet"]  # fmt: skip
    assert CliRunner().invoke(main, asked).exit_code == 0
    assert "the same to the last bit" in rerun(tmp_path / "change", code=0)
