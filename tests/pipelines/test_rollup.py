"""``sinks rollup``: one account of many runs, and what may not be added up."""

import json
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner
from shapely.geometry import box

from pipelines.assess import rollup
from pipelines.assess.run import assess
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import manifest, tables
from scenes import UTM, write_raster, write_regions

WEST, NORTH, PIXEL = 500_000.0, 2_600_000.0, 100.0


def tile_run(folder, west, *, seed=0, pixel=PIXEL, north=NORTH, crs=UTM, region=""):
    """Options of a small assessment of one agency's ground."""
    rng = np.random.default_rng(seed)
    cover = rng.choice([10, 20, 30, 40], size=(64, 64)).astype(np.uint8)
    agb = rng.uniform(10, 200, cover.shape).astype(np.float32)
    where = {"crs": crs, "pixel": pixel, "origin": (west, north)}
    name = region or f"county{seed}"
    bounds = (west, north - 64 * pixel, west + 64 * pixel, north)
    return {
        "landcover": str(write_raster(folder / "lc.tif", cover, nodata=0, **where)),
        "agb": str(write_raster(folder / "agb.tif", agb, nodata=-9999.0, **where)),
        "regions": str(write_regions(folder / "r.gpkg", [bounds], crs=crs, code=[name], name=[name])),
        "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "year": 2020, "quiet": True,
        "maps": ["ecosystem", "carbon_total"], "draws": 100,
    }  # fmt: skip


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


def test_the_maps_of_runs_are_one_layer(tmp_path):
    """Each pixel of the virtual raster is that of the run it comes from; it moves with the folders around it."""
    runs = []
    for n in range(2):
        folder = tmp_path / f"agency{n}"
        folder.mkdir()
        given = tile_run(folder, WEST + n * 64 * PIXEL, seed=n)
        runs.append(assess(checked({**given, "out": str(folder / "run")})).out)
    rollup.rollup(runs, tmp_path / "nation")
    shutil.move(tmp_path, tmp_path.with_name("moved"))
    moved = tmp_path.with_name("moved")
    for name in ("carbon_total", "ecosystem"):
        with rasterio.open(moved / "nation" / "maps" / f"{name}.vrt") as whole:
            assert whole.shape == (64, 128)
            parts = [rasterio.open(moved / f"agency{n}" / "run" / "maps" / f"{name}.tif") for n in range(2)]
            np.testing.assert_array_equal(whole.read(1), np.hstack([p.read(1) for p in parts]))
            assert (whole.nodata, whole.scales, whole.units) == (parts[0].nodata, parts[0].scales, parts[0].units)
            assert whole.descriptions == parts[0].descriptions
        assert (moved / "nation" / "maps" / f"{name}.qml").is_file()


def test_runs_on_other_grids_add_up_and_have_no_common_layer(tmp_path):
    """One agency maps in UTM, the other in degrees: one account, and why their maps are not one layer."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = assess(checked({**tile_run(tmp_path / "one", WEST), "out": str(tmp_path / "one" / "run")}))
    given = tile_run(tmp_path / "two", 115.0, pixel=0.001, north=30.0, crs="EPSG:4326", region="other")
    two = assess(checked({**given, "out": str(tmp_path / "two" / "run")}))
    found = rollup.rollup([one.out, two.out], tmp_path / "out")
    for quantity in ("area", "carbon_total", "stock_volume"):
        parts = one.account.value(quantity) + two.account.value(quantity)
        assert found.account.value(quantity) == pytest.approx(parts, rel=1e-12)
    assert any("no layer over all runs of carbon_total" in n and "has the CRS" in n for n in found.notes)
    assert not (tmp_path / "out" / "maps").exists()
