"""Optional layers in whole runs: soil, permafrost, climate, ecozone, karst; the command line and xarray agree."""

import numpy as np
import pytest
import rasterio
import rioxarray

import sinks
from pipelines.assess import explain, run
from pipelines.assess.study import checked
from pipelines.errors import InputError
from scenes import small, write_raster
from sinks.climate import ZONES, turc_evapotranspiration, zone_code
from sinks.soilcarbon import layer_carbon
from sinks.weathering import by_dissolution, by_gem_co2

SIZE = 48


def assess(folder, out="out", **more):
    options = {
        "legend": "worldcover",
        "parameters": "ipcc",
        "quiet": True,
        "maps": "none",
        "out": str(folder / out),
        **more,
    }
    return run.assess(checked({k: v for k, v in options.items() if v is not None}))


@pytest.fixture
def given(tmp_path):
    return small(tmp_path, size=SIZE)


@pytest.fixture
def layer(tmp_path):
    def write(name, values, dtype=np.float32, **profile):
        return str(
            write_raster(tmp_path / f"{name}.tif", np.broadcast_to(values, (SIZE, SIZE)).astype(dtype), **profile)
        )

    return write


def density(done, quantity, ecosystem="forest"):
    return done.account.value(quantity, ecosystem=ecosystem) / done.account.area_ha(ecosystem=ecosystem)


def half(left, right):
    """Left half of the map one value, right half another."""
    return np.where(np.arange(SIZE)[None, :] < SIZE // 2, left, right)


# ------------------------------------------------------------------------------------------ soil


def test_soil_classes_pick_ipcc_reference_stocks_and_mark_black_soil(tmp_path, given, layer):
    # SoilGrids: 0 Acrisols (LAC), 7 Chernozems (HAC, black soil); Table 2.3 for warm temperate moist: 55 and 64
    soil = layer("wrb", half(0, 7), np.uint8, nodata=255)
    done = assess(tmp_path, **given, climate="warm_temperate_moist", soil=soil, soil_legend="soilgrids_wrb")
    strata = done.account.strata
    forest = strata[(strata["ecosystem"] == "forest") & strata["carbon_soil"].notna()]
    found = {s: part["carbon_soil"].sum() / part["area_ha"].sum() for s, part in forest.groupby("soil")}
    assert found == {"LAC": pytest.approx(55), "HAC": pytest.approx(64)}
    assert done.account.value("area_on_black_soil") == pytest.approx(done.account.area_ha() / 2, rel=1e-3)
    view = done.views[(done.views["view"] == "black_soil") & (done.views["region_id"] == "total")].iloc[0]
    black = strata[strata["black_soil"] & strata["ecosystem"].isin(["cropland", "grassland"])]
    assert view["carbon_mg"] == pytest.approx(black["carbon_soil"].sum())
    assert 0 < view["area_ha"] < done.account.value("area_on_black_soil")


def test_a_pixel_without_a_soil_class_is_said_and_counted(tmp_path, given, layer):
    done = assess(tmp_path, **given, climate="warm_temperate_moist", soil=layer("s", half(2, 0), np.uint8))
    assert any("pixels have no class in the layer soil" in w for w in done.warnings)
    assert "LAC" in set(done.account.strata["soil"])


PROFILE = ((0, 30, 20.0, 1.2, 0.1), (30, 100, 8.0, 1.4, 0.2))


def profile_csv(tmp_path, layer, product="plain"):
    lines = ["top_cm,bottom_cm,oc,bulk_density,coarse_fragments,product"]
    for n, (top, bottom, *values) in enumerate(PROFILE):
        names = [f"{p}{n}" for p in ("oc", "bd", "cf")]
        for name, value in zip(names, values, strict=True):
            layer(name, value)
        lines.append(",".join([str(top), str(bottom), *(f"{name}.tif" for name in names), product]))
    path = tmp_path / "profile.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("depth", [30, 100])
def test_a_soil_profile_becomes_the_soil_pool_to_the_runs_depth(tmp_path, given, layer, depth):
    done = assess(
        tmp_path, **given, climate="warm_temperate_moist", soil_profile=profile_csv(tmp_path, layer), soil_depth=depth
    )
    expected = sum(
        layer_carbon(oc, bd, min(depth, bottom) - top, cf) for top, bottom, oc, bd, cf in PROFILE if top < depth
    )
    assert density(done, "carbon_soil") == pytest.approx(expected, rel=1e-5)


def test_bare_rock_and_thin_soil_take_their_part_off_a_profile(tmp_path, given, layer):
    done = assess(
        tmp_path, **given, climate="warm_temperate_moist", soil_profile=profile_csv(tmp_path, layer), soil_depth=100,
        rock_outcrop=layer("rock", 0.4), soil_thickness=layer("thick", 30.0),
    )  # fmt: skip
    assert density(done, "carbon_soil") == pytest.approx(layer_carbon(20, 1.2, 30, 0.1) * 0.6, rel=1e-5)


def test_a_folder_of_soilgrids_maps_is_a_profile(tmp_path, given):
    folder = tmp_path / "soilgrids"
    folder.mkdir()
    for top, bottom in ((0, 5), (5, 15), (15, 30)):
        for name, value in (("soc", 250), ("bdod", 120), ("cfvo", 100)):
            write_raster(folder / f"{name}_{top}-{bottom}cm_mean.tif", np.full((SIZE, SIZE), value, np.uint16))
    done = assess(tmp_path, **given, climate="warm_temperate_moist", soil_profile=str(folder), soil_depth=30)
    assert density(done, "carbon_soil") == pytest.approx(6 * 13.5, rel=1e-5)  # W21: 13.5 Mg C/ha in 5 cm


def test_a_layer_goes_before_a_profile_and_the_account_says_which(tmp_path, given, layer):
    soc = layer("soc", half(50.0, -9999.0), nodata=-9999.0)
    done = assess(
        tmp_path,
        **given,
        climate="warm_temperate_moist",
        soc=soc,
        soil_profile=profile_csv(tmp_path, layer),
        soil_depth=30,
    )
    forest = done.account.strata.query("ecosystem == 'forest' and carbon_soil == carbon_soil")
    by_source = {s: part["carbon_soil"].sum() / part["area_ha"].sum() for s, part in forest.groupby("soil_source")}
    assert by_source == {"layer": pytest.approx(50), "profile": pytest.approx(layer_carbon(20, 1.2, 30, 0.1), rel=1e-5)}


def test_peat_by_its_thickness_goes_before_a_soil_layer_and_its_deep_part_is_told_apart(tmp_path, given, layer):
    # Loisel et al. 2014: 0.12 Mg/m3 and 0.47 of carbon: 564 Mg C/ha in a metre of peat
    peat = layer("peat", half(2.5, 0.0))
    done = assess(
        tmp_path, **given, climate="cool_temperate_moist", soil_depth=100, soc=layer("soc", 90.0), peat_thickness=peat
    )
    forest = done.account.strata.query("ecosystem == 'forest'")
    on = forest["present"].str.contains("peat")
    metre = 1e4 * 0.12 * 0.47
    assert forest[on]["carbon_soil"].sum() / forest[on]["area_ha"].sum() == pytest.approx(metre)
    assert forest[on]["carbon_soil_deep"].sum() / forest[on]["area_ha"].sum() == pytest.approx(1.5 * metre)
    assert forest[~on]["carbon_soil"].sum() / forest[~on]["area_ha"].sum() == pytest.approx(90)
    # cropland on peat is drained by definition: 7.9 + 0.31 Mg C/ha/yr leave it (2013 Wetlands Supplement, Tables 2.1, 2.2)
    crop = done.account.strata.query("ecosystem == 'cropland'")
    drained = crop[crop["present"].str.contains("peat")]
    assert drained["sink_soil"].sum() / drained["area_ha"].sum() == pytest.approx(-8.21)
    assert crop[~crop["present"].str.contains("peat")]["sink_soil"].isna().all()
    assert done.account.value("emission_n2o") / drained["area_ha"].sum() == pytest.approx(13 * 44 / 28)


# ------------------------------------------------------------------------------------------ permafrost


def test_permafrost_layers_replace_the_soil_and_tell_deep_and_frozen_carbon(tmp_path, given, layer):
    done = assess(
        tmp_path, **given, climate="boreal_moist", soil_depth=100,
        soc=layer("soc", 90.0), permafrost=layer("p", half(0.9, 0.3)), permafrost_soc=layer("psoc", 160.0),
        soc_deep=layer("deep", 210.0), active_layer=layer("alt", 2.0),
    )  # fmt: skip
    account = done.account
    strata = account.strata[account.strata["ecosystem"] == "forest"]
    on, off = strata[strata["permafrost"]], strata[~strata["permafrost"]]
    assert on["carbon_soil"].sum() / on["area_ha"].sum() == pytest.approx(160)
    assert off["carbon_soil"].sum() / off["area_ha"].sum() == pytest.approx(90)
    assert on["carbon_soil_deep"].sum() / on["area_ha"].sum() == pytest.approx(210)
    assert off["carbon_soil_deep"].isna().all()
    assert on["carbon_soil_frozen"].sum() / on["area_ha"].sum() == pytest.approx(
        105
    )  # half of 100–300 cm lies below 2 m
    pools = [account.value(k) for k in ("carbon_agb", "carbon_bgb", "carbon_deadwood", "carbon_litter", "carbon_soil")]
    assert account.value("carbon_total") == pytest.approx(sum(pools))  # deep and frozen carbon are in no total


def test_the_threshold_of_permafrost_is_the_users(tmp_path, given, layer):
    p = layer("p", half(0.9, 0.3))
    low = assess(tmp_path, "low", **given, climate="boreal_moist", permafrost=p, permafrost_threshold=0.3)
    high = assess(tmp_path, "high", **given, climate="boreal_moist", permafrost=p)
    assert low.account.value("area_on_permafrost") == pytest.approx(
        2 * high.account.value("area_on_permafrost"), rel=0.01
    )


# ------------------------------------------------------------------------------------------ climate


def test_climate_zones_come_from_temperature_rain_and_evaporation(tmp_path, given, layer):
    layers = {
        "temperature": half(20.0, 12.0), "precipitation": half(1500.0, 400.0), "pet": half(900.0, 900.0),
        "elevation": half(300.0, 2500.0),
    }  # fmt: skip
    done = assess(tmp_path, **given, **{k: layer(k, v) for k, v in layers.items()})
    zones = set(done.account.strata.query("ecosystem == 'forest'")["climate"])
    assert zones == {"tropical_moist", "warm_temperate_dry"}
    assert any("climate zones from temperature" in n and "no frost days" in n for n in done.notes)
    assert set(done.account.strata.query("ecosystem == 'forest'")["altitude"]) == {"le2000", "gt2000"}
    assert set(done.account.strata.query("ecosystem == 'forest'")["rain"]) == {"1000_1600", "le1000"}


def test_a_pixel_whose_climate_is_not_known_falls_back_to_latitude_and_that_is_said(tmp_path, given, layer):
    wet = layer("precipitation", half(1500.0, -1.0), nodata=-1.0)
    done = assess(tmp_path, **given, temperature=layer("t", 12.0), precipitation=wet, pet=layer("pet", 900.0))
    assert any("climate zone is guessed from latitude" in w for w in done.warnings)


def test_an_ecozone_layer_picks_root_ratios(tmp_path, given, layer):
    rain = assess(tmp_path, "a", **given, climate="tropical_moist", ecozone=layer("z", 11, np.uint8))
    dry = assess(tmp_path, "b", **given, climate="tropical_moist", ecozone=layer("z2", 13, np.uint8))
    # IPCC 2019 Refinement, Table 4.4, Asia natural: rainforest 0.207/0.212, dry forest 0.386/0.362
    for done, low, high in ((rain, 0.207, 0.212), (dry, 0.362, 0.386)):
        ratio = done.account.value("carbon_bgb", ecosystem="forest") / done.account.value(
            "carbon_agb", ecosystem="forest"
        )
        assert low <= ratio <= high


# ------------------------------------------------------------------------------------------ karst


def karst_density(done):
    return done.account.value("sink_weathering") / done.account.value("area_on_karst")


def test_karst_by_dissolution_from_temperature_runoff_and_soil_co2(tmp_path, given, layer):
    done = assess(
        tmp_path, **given, climate="warm_temperate_moist", karst=layer("k", 0.8), runoff=layer("q", 600.0),
        temperature=layer("t", 15.0), soil_co2=layer("co2", 0.010375, np.float64), dolomite=layer("d", 0.25),
    )  # fmt: skip
    assert karst_density(done) == pytest.approx(float(by_dissolution(15.0, 600.0, 0.010375, 0.8, 0.25)), rel=1e-3)
    assert any("upper bound" in n for n in done.notes)


def test_w3_karst_chain_from_temperature_and_rain_alone(tmp_path, given, layer):
    # worked example 9.10: 15 °C and 1321.7 mm give 13.88 t C/km2/yr; Turc for evaporation, Brook for soil CO2
    climate = {"temperature": layer("t", 15.0), "precipitation": layer("p", 1321.715)}
    more = {
        **given,
        "climate": "warm_temperate_moist",
        "karst": layer("k", 1.0),
        **climate,
        "karst_method": "dissolution",
    }
    with pytest.raises(InputError, match="could not be confirmed"):
        assess(tmp_path, "refused", **more)
    done = assess(tmp_path, "asked", **more, use_unverified=True)
    assert karst_density(done) == pytest.approx(0.1388, abs=5e-5)
    assert any("Brook" in n and "unverified" in n for n in done.notes)


def test_runoff_is_rain_less_turc_when_only_rain_and_temperature_are_known(tmp_path, given, layer):
    done = assess(
        tmp_path, **given, climate="warm_temperate_moist", karst=layer("k", 1.0), temperature=layer("t", 18.0),
        precipitation=layer("p", 1200.0),
    )  # fmt: skip
    runoff = 1200 - float(turc_evapotranspiration(1200.0, 18.0))
    assert karst_density(done) == pytest.approx(float(by_gem_co2(runoff)), rel=1e-3)


def test_strong_acids_take_their_part(tmp_path, given, layer):
    more = {
        **given,
        "climate": "warm_temperate_moist",
        "karst": layer("k", 1.0),
        "runoff": layer("q", 600.0),
        "bicarbonate": layer("b", 3.853),
    }
    plain, acid = assess(tmp_path, "a", **more), assess(tmp_path, "b", **more, strong_acid_share=0.2)
    assert karst_density(plain) == pytest.approx(0.1388, abs=1e-4)
    assert karst_density(acid) / karst_density(plain) == pytest.approx((0.8 / 1.8) / 0.5)


# ------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"soc_deep": 50.0}, "soc_deep says nothing without the layer permafrost"),
        ({"active_layer": 2.0, "permafrost": 1.0}, "active_layer says nothing without the layer soc_deep"),
        ({"karst": 1.0}, "the karst sink needs runoff"),
        ({"runoff": 600.0}, "runoff says nothing without the layer karst"),
        ({"karst": 50.0, "runoff": 600.0}, "in percent"),
        ({"permafrost": 1.5}, "above 1"),
        ({"soc": -3.0}, "below 0"),
        ({"temperature": 288.0}, "above 60 C"),
        ({"rock_outcrop": 0.3}, "belongs to a soil profile"),
    ],
)
def test_a_layer_that_cannot_be_used_is_one_clear_sentence(tmp_path, given, layer, more, said):
    with pytest.raises(InputError, match=said):
        assess(tmp_path, **given, climate="warm_temperate_moist", **{k: layer(k, v) for k, v in more.items()})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("top_cm,bottom_cm,oc\n0,30,a.tif\n", "lacks the column"),
        ("top_cm,bottom_cm,oc,bulk_density\n0,thirty,a.tif,b.tif\n", "no number"),
        ("top_cm,bottom_cm,oc,bulk_density,product\n0,30,oc0.tif,bd0.tif,mars\n", "unknown soil product"),
        ("top_cm,bottom_cm,oc,bulk_density\n0,20,oc0.tif,bd0.tif\n", "ends at 20 cm"),
        ("top_cm,bottom_cm,oc,bulk_density\n0,30,oc0.tif,\n", "has no bulk density"),
    ],
)
def test_a_bad_soil_profile_is_one_clear_sentence(tmp_path, given, layer, text, said):
    profile_csv(tmp_path, layer)
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        assess(tmp_path, **given, climate="warm_temperate_moist", soil_profile=str(path), soil_depth=30)


# ------------------------------------------------------------------------------------------ the two faces


def test_xarray_and_the_command_line_agree_with_every_layer_on(tmp_path, given, layer):
    rng = np.random.default_rng(5)
    values = {
        "soc": rng.uniform(20, 200, (SIZE, SIZE)), "permafrost": half(0.9, 0.1), "permafrost_soc": rng.uniform(50, 200, (SIZE, SIZE)),
        "soc_deep": rng.uniform(50, 300, (SIZE, SIZE)), "active_layer": rng.uniform(0.5, 3, (SIZE, SIZE)),
        "karst": rng.uniform(0, 1, (SIZE, SIZE)), "runoff": rng.uniform(0, 900, (SIZE, SIZE)),
        "temperature": rng.uniform(-5, 20, (SIZE, SIZE)), "precipitation": rng.uniform(200, 2500, (SIZE, SIZE)),
        "pet": rng.uniform(300, 1500, (SIZE, SIZE)), "elevation": rng.uniform(0, 3000, (SIZE, SIZE)),
        "soil": rng.integers(1, 7, (SIZE, SIZE)), "ecozone": rng.choice([21, 32, 35, 41], (SIZE, SIZE)),
        "black_soil": half(1, 0),
    }  # fmt: skip
    classes = {"soil", "ecozone"}
    paths = {k: layer(k, v, np.uint8 if k in classes else np.float32) for k, v in values.items()}
    del given["regions"]
    done = assess(tmp_path, **given, **paths, parameters="china", maps="all", map_type="float32")
    arrays = {k: rioxarray.open_rasterio(p, masked=k not in classes).squeeze(drop=True) for k, p in paths.items()}
    cover = rioxarray.open_rasterio(given["landcover"]).squeeze(drop=True)
    agb = rioxarray.open_rasterio(given["agb"], masked=True).squeeze(drop=True)
    result = sinks.assess(cover, agb, legend="worldcover", parameters="china", **arrays)
    ours, theirs = result.account.tidy, done.account.tidy
    pick = lambda t: t[(t["region_id"] == "total")].set_index(["ecosystem", "forest_type", "quantity"])["value"]  # noqa: E731
    one, other = pick(ours), pick(theirs).drop("area_outside_rasters", level="quantity", errors="ignore")
    assert len(other) > 100
    for key, value in other.items():
        assert one[key] == pytest.approx(value, rel=1e-9), key
    for name in ("carbon_total", "carbon_soil_deep", "carbon_soil_frozen", "sink_weathering"):
        with rasterio.open(done.maps[name]) as d:
            stored = np.where(d.read(1) == d.nodata, np.nan, d.read(1))
        np.testing.assert_array_equal(stored, result.maps[name].values)


def test_explain_tells_the_soil_source_and_every_layer(tmp_path, given, layer):
    assess(
        tmp_path, **given, climate="warm_temperate_moist", soil=layer("s", 2, np.uint8), karst=layer("k", 0.5),
        runoff=layer("q", 500.0), soil_profile=profile_csv(tmp_path, layer), soil_depth=30,
    )  # fmt: skip
    said = explain.text(explain.explain(tmp_path / "out", 500_050.0 + 100, 2_600_000.0 - 450))
    assert "soil: LAC" in said
    assert "oc_0: 20" in said
    assert "karst: karst" in said


def test_zone_labels_are_those_of_the_guideline():
    assert ZONES[int(zone_code(20, 1500, 900, 300, 0, 30)) - 1] == "tropical_moist"
