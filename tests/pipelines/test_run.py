"""Whole runs on real files: the numbers, their independence of how the work is cut, and what is left behind."""

import json
import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import rioxarray
from rio_cogeo import cog_validate

import sinks
from pipelines.assess import explain, run
from pipelines.assess.study import Study, checked, from_toml
from pipelines.errors import InputError
from pipelines.files import tables
from scenes import small, write_raster, write_regions


def study(folder, out="out", **more) -> Study:
    options = {
        "legend": "worldcover", "climate": "warm_temperate_moist", "parameters": "china", "quiet": True,
        "out": str(folder / out), **more,
    }  # fmt: skip
    return checked({k: v for k, v in options.items() if v is not None})


def test_four_pixels_by_hand(tmp_path):
    # Equal-area grid, 100 m pixels: 1 ha each. Two broadleaf forest pixels of 80 and 60 Mg/ha, one grass, one water.
    # R of subtropical humid broadleaf forest in Asia up to 125 Mg/ha is 0.230; B = 0.9788 V + 5.3764 (Fang 2007).
    lc = write_raster(tmp_path / "lc.tif", np.array([[2, 2], [6, 13]], np.uint8), crs="EPSG:6933", origin=(10e6, 2.6e6))
    agb = write_raster(
        tmp_path / "agb.tif", np.array([[80, 60], [3, 0]], np.float32), crs="EPSG:6933", origin=(10e6, 2.6e6)
    )
    done = run.assess(study(tmp_path, landcover=str(lc), agb=str(agb), legend="sample"))
    account = done.account
    assert account.value("area", ecosystem="forest") == pytest.approx(2.0)
    assert account.value("carbon_agb", ecosystem="forest") == pytest.approx(140 * 0.47)
    assert account.value("carbon_bgb", ecosystem="forest") == pytest.approx(140 * 0.230 * 0.47)
    volume = sum((x * 1.230 - 5.3764) / 0.9788 for x in (80, 60))
    assert account.value("stock_volume", ecosystem="forest") == pytest.approx(volume)
    top = done.coverage[done.coverage["headline"]].iloc[0]
    assert top["coverage_percent"] == pytest.approx(50.0)  # water inside a region is land area in China's rule
    with rasterio.open(done.maps["stock_volume"]) as d:
        assert d.read(1)[0, 0] * d.scales[0] == pytest.approx((80 * 1.230 - 5.3764) / 0.9788, abs=0.05)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene 场景")
    return small(folder, size=1300)


@pytest.fixture(scope="module")
def whole(scene, tmp_path_factory):
    return run.assess(study(tmp_path_factory.mktemp("whole"), **scene))


def pixels(path):
    with rasterio.open(path) as d:
        return d.read(1)


@pytest.mark.parametrize("cut", [{"block_size": 1024, "workers": 2}, {"block_size": 2048, "workers": 1}])
def test_same_bits_for_any_cut(scene, whole, tmp_path, cut):
    other = run.assess(study(tmp_path, **scene, **cut))
    assert other.account.tidy["value"].to_numpy().tobytes() == whole.account.tidy["value"].to_numpy().tobytes()
    for name, path in whole.maps.items():
        assert (pixels(path) == pixels(other.maps[name])).all()
        assert path.read_bytes() == other.maps[name].read_bytes()


def test_tiles_make_the_same_run_as_their_mosaic(scene, whole, tmp_path):
    with rasterio.open(scene["landcover"]) as d:
        data = d.read(1)
    parts = []
    for n, (rows, cols) in enumerate([((0, 700), (0, 1300)), ((700, 1300), (0, 600)), ((700, 1300), (600, 1300))]):
        origin = (500_000.0 + 100 * cols[0], 2_600_000.0 - 100 * rows[0])
        tile = write_raster(tmp_path / f"图块 {n}.tif", data[slice(*rows), slice(*cols)], origin=origin, nodata=0)
        parts.append(str(tile))
    tiled = run.assess(study(tmp_path, **{**scene, "landcover": parts}))
    assert tiled.account.tidy["value"].to_numpy().tobytes() == whole.account.tidy["value"].to_numpy().tobytes()


def test_python_api_gives_the_numbers_of_the_command_line(scene, whole):
    landcover = rioxarray.open_rasterio(scene["landcover"], chunks={"x": 512, "y": 512}).squeeze(drop=True)
    agb = rioxarray.open_rasterio(scene["agb"], chunks={"x": 512, "y": 512}, masked=True).squeeze(drop=True)
    regions = gpd.read_file(scene["regions"])
    result = sinks.assess(
        landcover, agb, legend="worldcover", regions=regions, region_id="code", region_name="name",
        climate="warm_temperate_moist", parameters="china",
    )  # fmt: skip
    keys = ["region_id", "ecosystem", "forest_type", "quantity"]
    ours = result.accounts.set_index(keys)["value"].drop(index="area_outside_rasters", level="quantity")
    theirs = whole.account.tidy.set_index(keys)["value"].drop(index="area_outside_rasters", level="quantity")
    assert set(ours.index) == set(theirs.index)
    assert ours.to_numpy() == pytest.approx(theirs.reindex(ours.index).to_numpy(), rel=1e-6)
    lazy = result.maps["carbon_total"]
    assert lazy.chunks is not None
    assert lazy.attrs["units"] == "Mg C ha-1"
    stored = pixels(whole.maps["carbon_total"]).astype(float)
    stored[stored == 65535] = np.nan
    assert np.nanmax(np.abs(stored * 0.1 - lazy.values)) <= 0.0501
    assert (np.isnan(stored) == np.isnan(lazy.values)).all()
    assert (result.maps["ecosystem"].values == pixels(whole.maps["ecosystem"])).all()
    card = result.targets(2025)
    assert set(card["year"]) == {2025}
    assert {c.source for c in result.cite().coefficients} >= {"fao_fra2020_china", "ipcc_2019r"}


def test_outputs_are_there_and_whole(whole, scene):
    out = whole.out
    assert not (out / ".work").exists()
    assert not list(out.rglob("*.tmp*"))
    for path in whole.maps.values():
        assert cog_validate(path, strict=True)[0], path
    with rasterio.open(whole.maps["carbon_total"]) as d:
        assert (d.units[0], d.scales[0], d.nodata) == ("Mg C ha-1", 0.1, 65535)
        assert "soil to 100 cm" in d.tags()["COMMENT"]
        assert d.overviews(1)
    with rasterio.open(whole.maps["ecosystem"]) as d:
        assert d.colormap(1)[11] != d.colormap(1)[5]
    layers = {name for name, _ in pyogrio.list_layers(out / "assessment.gpkg")}
    assert {"regions", "account", "scorecard", "coverage", "region_table"} <= layers
    regions = gpd.read_file(out / "assessment.gpkg", layer="regions")
    assert list(regions["region_id"]) == ["0101", "0102"]
    assert list(regions["region_name"]) == ["甲县", "乙县"]
    tidy = pd.read_csv(out / "accounts.csv", dtype={"region_id": str})
    design = ["region_id", "region_name", "ecosystem", "forest_type", "quantity", "unit", "value", "se", "low", "high"]
    assert list(tidy.columns) == design
    assert list(pd.read_parquet(out / "accounts.parquet").columns) == design
    card = pd.read_csv(out / "scorecard.csv")
    first = ["region_id", "region_name", "target", "year", "target_value", "unit"]
    assert list(card.columns)[:12] == [*first, "value", "se", "gap", "status", "probability", "article"]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["agb"]["path"] == scene["agb"]
    assert all(c["closed"] for c in manifest["closure"])
    assert "maps/carbon_total.tif" in manifest["outputs"]


def test_closure_no_area_is_lost(whole):
    account = whole.account
    assert account.value("area") == pytest.approx(
        1300 * 1300, rel=2e-3
    )  # ha; UTM areas differ a little from 1 ha a pixel
    parts = account.tidy[(account.tidy["region_id"] == "total") & (account.tidy["forest_type"] == "all")]
    parts = parts[(parts["quantity"] == "area") & (parts["ecosystem"] != "all")]
    assert parts["value"].sum() == pytest.approx(account.value("area"), rel=1e-12)
    assert account.value("area", ecosystem="nodata") > 0
    assert account.value("area_without_biomass", ecosystem="forest") >= 0


def test_an_account_loads_back_and_adds_up(whole, scene, tmp_path):
    again = tables.read_account(whole.out)
    assert again.tidy["value"].to_numpy().tobytes() == whole.account.tidy["value"].to_numpy().tobytes()
    halves = []
    frame = gpd.read_file(scene["regions"])
    for n in range(2):
        frame.iloc[[n]].to_file(tmp_path / f"half{n}.gpkg")
        one = run.assess(
            study(tmp_path, out=f"half{n}", **{**scene, "regions": str(tmp_path / f"half{n}.gpkg")}, maps="none")
        )
        halves.append(tables.read_account(one.out))
    both = halves[0] + halves[1]
    inside = both.tidy[both.tidy["region_id"] != "outside_regions"].reset_index(drop=True)
    assert inside["value"].to_numpy().tobytes() == whole.account.tidy["value"].to_numpy().tobytes()


def test_unknown_codes_are_counted_and_named(tmp_path):
    given = small(tmp_path, size=40)
    with rasterio.open(given["landcover"], "r+") as d:
        data = d.read(1)
        data[5, 5:8] = 77
        d.write(data, 1)
    done = run.assess(study(tmp_path, **given, maps="none"))
    count, area = done.unknown[77]
    assert count == 3
    assert area == pytest.approx(3.0, rel=2e-3)
    assert any("land-cover value 77 is not in the legend: 3 pixels" in w for w in done.warnings)
    assert done.account.value("area", ecosystem="unknown") == pytest.approx(area, rel=1e-12)


def test_invest_pools_give_invest_numbers(tmp_path):
    # InVEST's own test: 10 x 10 pixels of 1 m, pools 15 + 10 + 60 + 1 = 86 Mg/ha, total 0.86 Mg
    lc = write_raster(tmp_path / "lc.tif", np.ones((10, 10), np.int32), crs="EPSG:6933", pixel=1.0, nodata=-1)
    pools = tmp_path / "pools.csv"
    pools.write_text("lucode,LULC_name,C_above,C_below,C_soil,C_dead\n1,forest,15,10,60,1\n2,crop,5,3,20,0\n")
    done = run.assess(study(tmp_path, landcover=str(lc), legend=None, parameters=f"invest:{pools}"))
    assert done.account.value("carbon_total") == pytest.approx(0.86, rel=1e-6)
    assert done.account.value("carbon_soil") == pytest.approx(0.60, rel=1e-6)
    assert (pixels(done.maps["carbon_total"]) == 860).all()
    assert np.isnan(done.coverage["coverage_percent"]).all()  # no legend: nothing says what is forest


def test_invest_pools_name_a_missing_code(tmp_path):
    lc = write_raster(tmp_path / "lc.tif", np.full((10, 10), 200, np.int32), nodata=-1)
    pools = tmp_path / "pools.csv"
    pools.write_text("lucode,C_above,C_below,C_soil,C_dead\n1,15,10,60,1\n")
    with pytest.raises(InputError, match="200"):
        run.assess(study(tmp_path, landcover=str(lc), legend=None, parameters=f"invest:{pools}"))


def test_a_volume_map_is_never_sent_through_biomass(tmp_path):
    lc = write_raster(
        tmp_path / "lc.tif", np.full((4, 4), 10, np.uint8), crs="EPSG:6933", origin=(10e6, 2.6e6), nodata=0
    )
    volume = write_raster(tmp_path / "v.tif", np.full((4, 4), 123.0, np.float32), crs="EPSG:6933", origin=(10e6, 2.6e6))
    done = run.assess(study(tmp_path, landcover=str(lc), volume=str(volume)))
    assert done.account.value("stock_volume", ecosystem="forest") == pytest.approx(16 * 123.0)


def test_small_stands_and_open_stands_are_trees_outside_forest(tmp_path):
    # 10 m pixels: one mu is 6.67 pixels, so a stand of 6 does not count and one of 7 does.
    cover = np.full((12, 12), 30, np.uint8)
    cover[0, 0:6] = 10
    cover[3, 0:7] = 10
    cover[8:11, 0:6] = 10
    canopy = np.full((12, 12), 60, np.uint8)
    canopy[8:11, 0:6] = 19
    where = {"crs": "EPSG:6933", "pixel": 10.0, "origin": (10e6, 2.6e6)}
    lc = write_raster(tmp_path / "lc.tif", cover, nodata=0, **where)
    tree = write_raster(tmp_path / "tc.tif", canopy, **where)
    agb = write_raster(tmp_path / "agb.tif", np.full((12, 12), 50.0, np.float32), **where)
    account = run.assess(study(tmp_path, landcover=str(lc), canopy=str(tree), agb=str(agb), maps="none")).account
    assert account.value("area", ecosystem="forest") == pytest.approx(0.07)
    assert account.value("area", ecosystem="trees_outside_forest") == pytest.approx(0.06 + 0.18)
    by_state = account.strata.groupby("tree")["area_ha"].sum()
    assert by_state["small_patch"] == pytest.approx(0.06)
    assert by_state["below_canopy"] == pytest.approx(0.18)


def test_patches_do_not_feel_the_block_edges(tmp_path):
    rng = np.random.default_rng(5)
    cover = np.where(rng.random((1500, 1100)) < 0.35, 10, 30).astype(np.uint8)
    lc = write_raster(tmp_path / "lc.tif", cover, pixel=10.0, nodata=0)
    one = run.assess(study(tmp_path, out="a", landcover=str(lc), maps="ecosystem", block_size=1024))
    two = run.assess(study(tmp_path, out="b", landcover=str(lc), maps="ecosystem", block_size=2048))
    assert (pixels(one.maps["ecosystem"]) == pixels(two.maps["ecosystem"])).all()
    assert one.account.value("area", ecosystem="trees_outside_forest") > 0


def test_explain_follows_one_pixel(scene, whole):
    row, col = 40, 50
    with rasterio.open(scene["landcover"]) as d:
        data = d.read(1)
        row, col = map(int, np.argwhere(data == 10)[500])
        x, y = d.xy(row, col)
    found = explain.explain(whole.out, x, y)
    assert (found["row"], found["column"]) == (row, col)
    assert found["inputs"]["landcover"] == 10
    assert any("agb_per_volume = 0.74" in c and "fao_fra2020_china" in c for c in found["coefficients"])
    stored = pixels(whole.maps["carbon_total"])[row, col] * 0.1
    assert found["per hectare"]["carbon_total"]["value"] == pytest.approx(stored, abs=0.051)
    assert "carbon_total" in explain.text(found)
    with pytest.raises(InputError, match="is not on the map"):
        explain.explain(whole.out, 0.0, 0.0)


def test_the_assessment_file_and_the_options_mean_the_same(scene, whole, tmp_path):
    text = "\n".join(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in scene.items())
    (tmp_path / "a.toml").write_text(
        text
        + '\nlegend = "worldcover"\nclimate = "warm_temperate_moist"\nparameters = "china"\nout = "result"\nquiet = true\n',
        encoding="utf-8",
    )
    done = run.assess(from_toml(tmp_path / "a.toml"))
    assert done.out == tmp_path / "result"
    assert done.account.tidy["value"].to_numpy().tobytes() == whole.account.tidy["value"].to_numpy().tobytes()


def test_karst_is_a_flux_that_changes_nothing_else(tmp_path):
    given = small(tmp_path, size=64)
    ones = np.ones((64, 64), np.float32)
    karst = write_raster(tmp_path / "k.tif", ones * (np.arange(64) < 32))
    runoff = write_raster(tmp_path / "r.tif", ones * 600)
    bicarbonate = write_raster(tmp_path / "b.tif", ones * 3.853)
    plain = run.assess(study(tmp_path, out="plain", **given, maps="none")).account
    with_ = run.assess(
        study(tmp_path, out="karst", **given, karst=str(karst), runoff=str(runoff), bicarbonate=str(bicarbonate))
    )
    assert with_.account.value("carbon_total") == pytest.approx(plain.value("carbon_total"), rel=1e-12)
    # 0.5 x 12.011e-3 x 600 mm x 3.853 mmol/L = 13.88 t C/km2/yr = 0.1388 Mg C/ha/yr, on the western half
    classes = with_.account.strata
    land = classes[classes["karst"].astype(bool) & ~classes["ecosystem"].isin(["nodata", "unknown"])]["area_ha"].sum()
    assert with_.account.value("sink_weathering") == pytest.approx(land * 0.13883, rel=1e-3)
    assert with_.account.value("carbon_total_on_karst") < with_.account.value("carbon_total")
    with rasterio.open(with_.maps["sink_weathering"]) as d:
        assert np.nanmax(d.read(1, masked=True)) * d.scales[0] == pytest.approx(0.1388, abs=1e-4)


def test_permafrost_soil_replaces_the_soil_of_the_class_and_is_never_added(tmp_path):
    given = small(tmp_path, size=64)
    frozen = write_raster(tmp_path / "p.tif", (np.arange(64 * 64).reshape(64, 64) < 1024).astype(np.uint8))
    plain = run.assess(study(tmp_path, out="plain", **given, maps="none")).account
    told = run.assess(study(tmp_path, out="told", **given, permafrost=str(frozen), maps="none")).account
    assert told.value("area_on_permafrost") == pytest.approx(told.value("area") / 4, rel=1e-3)
    assert 0 < told.value("carbon_total_on_permafrost") < told.value("carbon_total")
    for pool in ("carbon_agb", "carbon_bgb", "carbon_litter"):
        assert told.value(pool) == pytest.approx(plain.value(pool), rel=1e-12)
    rows = told.strata[told.strata["permafrost"]]
    soil = rows[rows["carbon_soil"].notna()]
    inland = soil[soil["ecosystem"] != "mangrove"]
    assert (inland["carbon_soil"] / inland["area_ha"]).to_numpy() == pytest.approx(
        144.2
    )  # in place of the class's density
    elsewhere = told.strata[~told.strata["permafrost"]]
    assert told.value("carbon_soil") == pytest.approx(soil["carbon_soil"].sum() + elsewhere["carbon_soil"].sum())


def test_unverified_coefficients_are_used_only_when_asked_and_then_said(tmp_path):
    given = small(tmp_path, size=40)
    del given["agb"]
    plain = run.assess(study(tmp_path, out="plain", **given, maps="none"))
    asked = run.assess(study(tmp_path, out="asked", **given, maps="none", use_unverified=True))
    with pytest.raises(KeyError):
        plain.account.value("carbon_agb", ecosystem="shrubland")
    assert not any("unverified" in w for w in plain.warnings)
    assert asked.account.value("carbon_agb", ecosystem="shrubland") > 0
    assert any("an unverified coefficient is used" in w and "tang_x2018" in w for w in asked.warnings)


def test_float_maps_on_request(tmp_path):
    done = run.assess(study(tmp_path, **small(tmp_path), map_type="float32", maps="carbon_total,ecosystem"))
    assert set(done.maps) == {"carbon_total", "ecosystem"}
    with rasterio.open(done.maps["carbon_total"]) as d:
        assert (d.dtypes[0], d.nodata, d.scales[0]) == ("float32", -9999.0, 1.0)


def test_regions_partly_off_the_map_say_so(tmp_path):
    given = small(tmp_path, size=100)
    west, north = 500_000.0, 2_600_000.0
    given["regions"] = str(
        write_regions(tmp_path / "r.gpkg", [(west - 10_000, north - 10_000, west + 10_000, north)], code=["1"])
    )
    done = run.assess(study(tmp_path, **given, maps="none"))
    assert done.account.value("area_outside_rasters") == pytest.approx(10_000, rel=5e-3)
    assert any("reach beyond the land cover" in n for n in done.notes)
    assert math.isfinite(done.coverage["coverage_percent"].iloc[0])
