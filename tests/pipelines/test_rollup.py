"""``sinks rollup``: one account of many runs, and what may not be added up."""

import json
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from shapely.geometry import box

from pipelines.assess import rollup
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import manifest, tables


def test_tiles_rolled_up_are_the_whole(tiles, tmp_path):
    found = rollup.rollup([tiles["west"].out, tiles["east"].out], tmp_path / "out")
    whole = tiles["whole"]
    keys = ["region_id", "ecosystem", "forest_type", "quantity"]
    both = whole.account.tidy.merge(found.account.tidy, on=keys, suffixes=("", "_rolled"))
    assert len(both) == len(whole.account.tidy)
    np.testing.assert_allclose(both["value_rolled"], both["value"], rtol=1e-9, atol=1e-3)
    some = both["se"].notna()
    np.testing.assert_allclose(both.loc[some, "se_rolled"], both.loc[some, "se"], rtol=1e-9)
    one, two = (c[c["headline"]].set_index("region_id")["coverage_percent"] for c in (whole.coverage, found.coverage))
    np.testing.assert_allclose(two[one.index], one, rtol=1e-6)
    read = tables.read_account(tmp_path / "out")
    assert read.value("carbon_total") == pytest.approx(whole.account.value("carbon_total"), rel=1e-12)
    assert manifest.read(tmp_path / "out")["kind"] == "rollup"
    regions = gpd.read_file(tmp_path / "out" / "assessment.gpkg", layer="regions")
    assert len(regions) == len(whole.account.regions)
    assert not found.warnings


def test_a_rollup_can_be_rolled_up_and_shown_against_targets(tiles, tmp_path):
    first = rollup.rollup([tiles["west"].out, tiles["east"].out], tmp_path / "one")
    told = CliRunner().invoke(main, ["targets", str(first.out), "--json"])
    assert told.exit_code == 0, told.output
    assert len(json.loads(told.output)) == len(first.scorecard)
    with pytest.raises(InputError, match="claimed twice"):
        rollup.rollup([first.out, tiles["west"].out], tmp_path / "two")


def test_ground_that_two_runs_claim_is_refused_unless_allowed(tiles, tmp_path):
    pair = [tiles["west"].out, tiles["whole"].out]
    with pytest.raises(InputError, match=r"claimed twice, [\d,.]+ ha in all; the largest"):
        rollup.rollup(pair, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    found = rollup.rollup(pair, tmp_path / "out", allow_overlap=True)
    west = tiles["west"].account.area_ha()
    assert found.overlaps["area_ha"].sum() == pytest.approx(west, rel=2e-3)
    assert any("counted twice" in w for w in found.warnings)


def test_the_same_run_twice_is_refused(tiles, tmp_path):
    shutil.copytree(tiles["west"].out, tmp_path / "copy")
    with pytest.raises(InputError, match="hold the same account; name each run once"):
        rollup.rollup([tiles["west"].out, tmp_path / "copy"], tmp_path / "out")
    with pytest.raises(InputError, match="takes two runs or more"):
        rollup.rollup([tiles["west"].out], tmp_path / "out")


def test_runs_made_otherwise_are_refused_by_what_differs(tiles, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiles["east"].out, other)
    frame = pd.read_parquet(other / tables.SUMS_FILE)
    about = json.loads(frame.attrs["sinks"])
    about["context"]["year"] = 2018
    frame.attrs["sinks"] = json.dumps(about)
    tables.write_table(frame, other / tables.SUMS_FILE)
    with pytest.raises(InputError, match=r"account_sums\.parquet is missing or has changed since the run"):
        rollup.rollup([tiles["west"].out, other], tmp_path / "out")
    described = {k: v for k, v in manifest.read(other).items() if k != "outputs"}
    manifest.write(other, described)
    with pytest.raises(InputError, match=r"they differ in year \(2023 and 2018\)"):
        rollup.rollup([tiles["west"].out, other], tmp_path / "out")


def test_what_no_run_covers_of_a_boundary_is_told(tiles, tmp_path):
    west, south, east, north = 106.0, 21.6, 107.6, 23.2
    gpd.GeoDataFrame({"name": ["all"]}, geometry=[box(west, south, east, north)], crs=4326).to_file(tmp_path / "b.gpkg")
    found = rollup.rollup([tiles["west"].out, tiles["east"].out], tmp_path / "out", boundary=tmp_path / "b.gpkg")
    frame = gpd.read_file(tmp_path / "b.gpkg").to_crs(6933).area.sum() / 1e4
    inside = gpd.read_file(tmp_path / "out" / "assessment.gpkg", layer="regions").to_crs(6933).area.sum() / 1e4
    assert found.gap_ha == pytest.approx(frame - inside, rel=0.01)
    assert any("are in no run" in w for w in found.warnings)


def test_the_command_line_says_what_was_added(tiles, tmp_path):
    words = ["rollup", str(tiles["west"].out), str(tiles["east"].out), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert "2 runs, 24 regions" in told.output
    assert "(95 %)" in told.output
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 2
