"""Area of change corrected by a reference sample: drawn on the process map, read back, and right."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from click.testing import CliRunner

from pipelines.assess.demo import sample_data
from pipelines.change import change as changing
from pipelines.change import changestudy
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.samples import changemap, changesample, sampledesign


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("change") / "out"
    return changing.change(
        changestudy.from_toml(sample_data() / "change.toml", out=str(out), quiet=True, workers=2)
    ).out


@pytest.fixture
def labelled(result, tmp_path):
    """A sample whose interpreter sees no deforestation at every fifth point of it, and some at stable ones."""
    found = sampledesign.design(result, size=1500, how="neyman", seed=3)
    path = tmp_path / "sample.gpkg"
    sampledesign.write_design(found, path)
    points = gpd.read_file(path, layer="points")
    truth = points["map_class"].to_numpy(dtype=object).copy()
    lost = np.flatnonzero(truth == "deforestation")
    truth[lost[::5]] = changemap.SAME
    stayed = np.flatnonzero(points["stratum"] == changemap.SAME)
    truth[stayed[::50]] = "deforestation"
    points["reference"] = truth
    pyogrio.write_dataframe(points, path, layer="points", append=False)
    return path, points


def test_strata_are_the_processes_of_the_map(result):
    run = changemap.open_change(result)
    found = sampledesign.design(result, size=1200, how="neyman")
    assert sum(s.area_ha for s in found.strata) == pytest.approx(run.fine["area_ha"].sum(), rel=1e-9)
    assert {s.name for s in found.strata} >= {"deforestation", "afforestation", changemap.SAME}
    assert min(s.n for s in found.strata) >= 50
    assert set(found.points["map_class"]) <= set(run.labels.values())


def test_areas_are_those_of_the_stratified_estimator_by_hand(result, labelled):
    path, points = labelled
    found = changesample.estimate(result, path)
    run = changemap.open_change(result)
    areas = run.sums("area_ha", "class_change")
    expected = variance = 0.0
    for stratum, group in points.groupby("stratum"):
        hit = (group["reference"] == "deforestation").to_numpy(float)
        expected += areas[stratum] * hit.mean()
        variance += areas[stratum] ** 2 * hit.var(ddof=1) / hit.size
    row = found.carbon.set_index("process").loc["deforestation"]
    assert row["corrected_ha"] == pytest.approx(expected, rel=1e-9)
    assert row["se_ha"] == pytest.approx(variance**0.5, rel=1e-9)
    assert row["corrected_ha"] != pytest.approx(row["mapped_ha"], rel=0.05)
    density = row["mapped_change_mg_c"] / row["mapped_ha"]
    assert row["corrected_change_mg_c"] == pytest.approx(density * row["corrected_ha"])
    assert found.carbon["corrected_ha"].sum() == pytest.approx(found.carbon["mapped_ha"].sum(), rel=1e-9)


def test_the_command_line_draws_and_reads_back(result, labelled, tmp_path):
    drawn = CliRunner().invoke(
        main, ["sample", "design", str(result), "--size", "600", "--out", str(tmp_path / "d.gpkg")]
    )
    assert drawn.exit_code == 0, drawn.output
    labels = pyogrio.read_dataframe(tmp_path / "d.gpkg", layer="classes")["label"]
    assert {"deforestation", changemap.SAME} <= set(labels)
    words = ["sample", "estimate", str(result), str(labelled[0]), "--out", str(tmp_path / "t")]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert "Overall accuracy" in told.output
    assert len(pd.read_csv(tmp_path / "t" / "change_areas.csv")) >= 9
    plain = CliRunner().invoke(main, [*words[:4], "--json"])
    assert {r["process"] for r in json.loads(plain.output)["processes"]} >= {"deforestation"}


def test_bad_labels_and_points_are_named(result, labelled, tmp_path):
    path, points = labelled
    table = points.drop(columns="geometry")[["id", "lon", "lat", "reference"]]
    wrong = table.assign(reference=table["reference"].where(table.index != 7, "deforestatoin"))
    wrong.to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(InputError, match=r"'deforestatoin' of r.* is no process; did you mean 'deforestation'"):
        changesample.estimate(result, tmp_path / "wrong.csv")
    table.assign(lon=table["lon"] + 30).to_csv(tmp_path / "off.csv", index=False)
    with pytest.raises(InputError, match="are off the map"):
        changesample.estimate(result, tmp_path / "off.csv")
    with pytest.raises(InputError, match="so only changes of class can be told"):
        changesample.estimate(result, path, level="process")
    with pytest.raises(InputError, match="has no column 'truth'"):
        changesample.estimate(result, path, column="truth")
