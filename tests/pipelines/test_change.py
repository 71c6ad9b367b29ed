"""``sinks change`` from end to end: closure, agreement with ``sinks assess``, the same bits, noise, what one epoch lacks."""

import json

import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.transform import from_origin

from pipelines.assess import run
from pipelines.assess.demo import sample_data
from pipelines.assess.study import checked as study_checked
from pipelines.change import change as changing
from pipelines.change import changestudy
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import manifest
from sinks.quantities import POOL_KEYS, TOTAL

NEEDLE, BROAD, GRASS, CROP, BUILT = 1, 2, 6, 7, 11
"""Codes of the legend 'sample'."""


def write(path, data, nodata, pixel=0.0025, west=100.0, north=40.0):
    with rasterio.open(
        path, "w", driver="GTiff", height=data.shape[0], width=data.shape[1], count=1, dtype=data.dtype, crs="EPSG:4326",
        transform=from_origin(west, north, pixel, pixel), nodata=nodata, tiled=True, blockxsize=256, blockysize=256,
    ) as out:  # fmt: skip
        out.write(data, 1)
    return str(path)


def epochs_of(tmp_path, seed=1, shape=(400, 380), years=(2010, 2020), patch=20):
    """Random patches of classes and biomass for each year."""
    rng = np.random.default_rng(seed)
    found = []
    codes = np.array([NEEDLE, BROAD, GRASS, CROP, BUILT, 0, 99], np.uint8)
    small = tuple(-(-n // patch) for n in shape)
    cover = rng.choice(codes, small, p=[0.25, 0.2, 0.2, 0.25, 0.08, 0.015, 0.005])
    for year in years:
        moved = rng.random(small) < 0.2
        cover = np.where(moved, rng.choice(codes[:6], small), cover)
        fine = np.kron(cover, np.ones((patch, patch), np.uint8))[: shape[0], : shape[1]]
        agb = rng.gamma(4, 25, shape).astype(np.float32)
        agb[rng.random(shape) < 0.01] = -1
        found.append({
            "year": year, "landcover": write(tmp_path / f"lc{year}.tif", fine, 0),
            "agb": write(tmp_path / f"agb{year}.tif", agb, -1),
        })  # fmt: skip
    return found


def request(tmp_path, epochs, **more):
    shared = {"legend": "sample", "parameters": "china", "climate": "warm_temperate_moist", "quiet": True, "workers": 2,
              "out": str(tmp_path / more.pop("name", "change")), **more}  # fmt: skip
    return changestudy.checked(epochs, shared)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The change of the sample region."""
    out = tmp_path_factory.mktemp("change") / "out"
    return changing.change(changestudy.from_toml(sample_data() / "change.toml", out=str(out), quiet=True, workers=2))


def total(ledger, column):
    t = ledger.transitions
    return float(t.loc[t["region_id"] == "total", column].sum())


def test_stock_at_the_end_less_stock_at_the_start_is_the_sum_of_transitions(sample):
    ledger = sample.span
    t = ledger.transitions
    assert len(t["region_id"].unique()) == 25
    for stock in (*POOL_KEYS, TOTAL.key, "stock_volume"):
        by = t.groupby("region_id")[[f"{s}_{stock}" for s in ("opening", "closing", "gain", "loss", "change")]].sum()
        opening, closing, gain, loss, change = (by[c].to_numpy() for c in by)
        scale = np.maximum(np.abs(opening), np.abs(closing))
        some = scale > 0
        assert (np.abs(closing - opening - change)[some] <= 1e-9 * scale[some]).all()
        assert (np.abs(gain + loss - change)[some] <= 1e-9 * scale[some]).all()
    assert ledger.imbalance() < 1e-9
    assert all(c.closed for c in sample.checks)
    rounding = 1e-3 * t["area_ha"]  # what counts as no change
    assert (t["gain_carbon_total"] >= 0).all()
    assert (t["loss_carbon_total"] <= rounding).all()


def test_each_epoch_is_what_assess_says_of_it(tmp_path):
    epochs = epochs_of(tmp_path)
    found = changing.change(request(tmp_path, epochs, soil_change="class"))
    one = found.span.one_sided
    for n, epoch in enumerate(epochs):
        study = study_checked({
            **epoch, "legend": "sample", "parameters": "china", "climate": "warm_temperate_moist", "quiet": True, "maps": "none",
            "draws": 0, "out": str(tmp_path / f"assess{n}"),
        })  # fmt: skip
        alone = run.assess(study).account
        side = ("opening", "closing")[n]
        for stock in POOL_KEYS:
            told = total(found.span, f"{side}_{stock}")
            rest = one[(one["region_id"] == "total") & (one["stock"] == stock) & (one["epoch"] == side)]["value"].sum()
            assert told + rest == pytest.approx(alone.value(stock), rel=1e-9)
            assert rest > 0 or stock in ("carbon_deadwood", "carbon_litter", "carbon_agb", "carbon_bgb")
    assert one.loc[one["region_id"] == "total", "area_ha"].gt(0).any()


def test_any_block_size_and_number_of_workers_gives_the_same_bits(tmp_path):
    epochs = epochs_of(tmp_path, shape=(2100, 1300), patch=3, years=(2010, 2015, 2020))
    found = [
        changing.change(request(tmp_path, epochs, name=f"c{n}", block_size=size, workers=workers, minimum_change=30.0))
        for n, (size, workers) in enumerate(((1024, 1), (2048, 2)))
    ]
    for one, two in zip(found[0].ledgers, found[1].ledgers, strict=True):
        pd.testing.assert_frame_equal(one.rows, two.rows, check_exact=True)
    files = sorted((tmp_path / "c0" / "maps").glob("*.tif"))
    assert len(files) == 8
    for path in files:
        assert path.read_bytes() == (tmp_path / "c1" / "maps" / path.name).read_bytes()


def test_three_epochs_add_up_and_forest_that_comes_back_is_reforestation(tmp_path):
    shape = (64, 64)
    years = (2000, 2010, 2020)
    covers = [np.full(shape, NEEDLE, np.uint8), np.full(shape, NEEDLE, np.uint8), np.full(shape, NEEDLE, np.uint8)]
    covers[1][:, :32] = CROP  # cleared and grown again
    covers[0][:10, 40:] = GRASS  # never forest before
    epochs = []
    for year, cover in zip(years, covers, strict=True):
        agb = np.full(shape, 80, np.float32)
        epochs.append({
            "year": year, "landcover": write(tmp_path / f"lc{year}.tif", cover, 0),
            "agb": write(tmp_path / f"agb{year}.tif", agb, -1),
        })  # fmt: skip
    found = changing.change(request(tmp_path, epochs))
    assert [led.years for led in found.ledgers] == [(2000, 2010), (2010, 2020), (2000, 2020)]
    processes = [set(led.transitions["process"]) for led in found.ledgers]
    assert processes == [
        {"deforestation", "afforestation", "stable"},
        {"reforestation", "stable"},
        {"afforestation", "stable"},
    ]
    # What is known at all three epochs adds up over the periods: dead wood and biomass are.
    for stock in ("carbon_agb", "carbon_deadwood", "stock_volume"):
        steps = [total(led, f"change_{stock}") for led in found.ledgers]
        assert steps[0] + steps[1] == pytest.approx(steps[2], rel=1e-9, abs=1e-6)


def test_a_known_change_comes_out_to_the_tonne(tmp_path):
    shape = (100, 100)
    before = np.full(shape, NEEDLE, np.uint8)
    after = before.copy()
    after[:20] = CROP
    agb = [np.full(shape, 100, np.float32), np.full(shape, 100, np.float32)]
    agb[1][50:] = 120
    epochs = [
        {"year": y, "landcover": write(tmp_path / f"l{y}.tif", c, 0), "agb": write(tmp_path / f"a{y}.tif", a, -1)}
        for y, c, a in zip((2012, 2022), (before, after), agb, strict=True)
    ]
    found = changing.change(request(tmp_path, epochs, parameters="ipcc"))
    t = found.span.transitions.query("region_id == 'total'").set_index("process")
    area = t["area_ha"]
    carbon_per_ha = t.loc["stable", "opening_carbon_agb"] / area["stable"]
    assert carbon_per_ha == pytest.approx(100 * 0.47, rel=1e-9)
    assert t.loc["deforestation", "change_carbon_agb"] == pytest.approx(
        -carbon_per_ha * area["deforestation"], rel=1e-9
    )
    assert t.loc["enhancement", "change_carbon_agb"] == pytest.approx(
        0.2 * carbon_per_ha * area["enhancement"], rel=1e-6
    )
    with rasterio.open(found.out / "maps" / "carbon_change.tif") as d:
        grown = d.read(1)[75, 50]
        assert d.units == ("Mg C ha-1",)
    live = t.loc["enhancement", "change_carbon_total"] / area["enhancement"]
    assert grown == pytest.approx(live, rel=1e-5)
    flux = found.span.fluxes.query("region_id == 'total' and process == 'deforestation'").set_index("pool")
    assert flux.loc["carbon_agb", "in_period"] == pytest.approx(flux.loc["carbon_agb", "committed"])
    assert flux.loc["carbon_agb", "per_year"] == pytest.approx(t.loc["deforestation", "change_carbon_agb"] / 10)


def test_small_patches_of_change_are_left_as_they_were(tmp_path):
    shape = (128, 128)
    before = np.full(shape, NEEDLE, np.uint8)
    after = before.copy()
    after[10, 10] = CROP  # a pixel
    after[40:50, 40:50] = CROP  # a field
    agb = np.full(shape, 90, np.float32)
    epochs = [
        {"year": y, "landcover": write(tmp_path / f"l{y}.tif", c, 0), "agb": write(tmp_path / f"a{y}.tif", agb, -1)}
        for y, c in zip((2012, 2022), (before, after), strict=True)
    ]
    whole = changing.change(request(tmp_path, epochs, name="all")).span.transitions
    sieved = changing.change(request(tmp_path, epochs, name="sieved", minimum_change=100.0))
    lost = [int(t.query("region_id == 'total' and process == 'deforestation'")["pixels"].sum())
            for t in (whole, sieved.span.transitions)]  # fmt: skip
    assert lost == [101, 100]
    assert any("keep their earlier class" in n for n in sieved.notes)
    with rasterio.open(sieved.out / "maps" / "ecosystem_2022.tif") as d:
        assert d.read(1)[10, 10] == d.read(1)[0, 0]


def test_a_change_within_the_errors_of_biomass_is_told_as_noise(sample):
    t = sample.span.transitions.query("region_id == 'total'").groupby("process")["area_ha"].sum()
    assert t["within_noise"] > t["enhancement"] > 0
    assert any("95% of its errors" in n for n in sample.notes)


def test_epochs_on_another_grid_come_to_that_of_the_first(tmp_path):
    epochs = epochs_of(tmp_path, shape=(200, 200))
    coarse = np.full((100, 100), NEEDLE, np.uint8)
    epochs[1]["landcover"] = write(tmp_path / "coarse.tif", coarse, 0, pixel=0.005)
    found = changing.change(request(tmp_path, epochs))
    with rasterio.open(found.out / "maps" / "ecosystem_2020.tif") as d:
        assert d.shape == (200, 200)
    assert any("2020: landcover" in n for n in found.notes)


def test_files_of_a_change_say_what_they_are(sample):
    about = manifest.read(sample.out)
    assert about["kind"] == "change"
    assert about["epochs"] == [2013, 2023]
    tidy = pd.read_csv(sample.out / "transitions.csv", encoding="utf-8-sig", dtype={"region_id": str})
    assert list(tidy.columns) == [
        "region_id", "region_name", "year_from", "year_to", "from_class", "to_class", "process", "quantity", "unit", "value",
    ]  # fmt: skip
    assert set(tidy["unit"]) == {"ha", "1", "Mg C", "m3"}
    counties = tidy[(tidy["quantity"] == "change_carbon_total") & (tidy["region_id"] != "total")]["value"].sum()
    whole = tidy[(tidy["quantity"] == "change_carbon_total") & (tidy["region_id"] == "total")]["value"].sum()
    assert counties == pytest.approx(whole, rel=1e-9)
    for name in ("balance", "fluxes", "gross_fluxes", "one_sided", "processes", "series"):
        assert (sample.out / f"{name}.csv").stat().st_size > 100
    with rasterio.open(sample.out / "maps" / "process.tif") as d:
        assert d.colormap(1)[2] == (102, 187, 106, 255)
    balance = pd.read_csv(sample.out / "balance.csv", encoding="utf-8-sig")
    off = balance[["opening", "transfer_in", "transfer_out", "gain", "loss"]].sum(axis=1) - balance["closing"]
    assert (off.abs() <= 1e-9 * balance[["opening", "closing", "transfer_in"]].abs().max(axis=1) + 1e-9).all()


def test_gross_fluxes_are_emissions_and_removals_in_co2(sample):
    flux = sample.span.gross.set_index("region_id").loc["total"]
    loss = total(sample.span, "loss_carbon_total")
    assert flux["gross_emissions_t_co2_yr"] == pytest.approx(-loss * 44 / 12 / 10)
    assert flux["net_sink_t_co2_yr"] == pytest.approx(
        flux["gross_removals_t_co2_yr"] - flux["gross_emissions_t_co2_yr"]
    )


# ------------------------------------------------------------------------------------------ bad input


def test_what_is_wrong_with_a_request_is_said_at_once(tmp_path):
    epochs = epochs_of(tmp_path, shape=(40, 40))
    with pytest.raises(InputError, match="takes two epochs or more, and 1 are given"):
        request(tmp_path, epochs[:1])
    with pytest.raises(InputError, match="two epochs have the same year"):
        request(tmp_path, [epochs[0], {**epochs[1], "year": 2010}])
    with pytest.raises(InputError, match="epoch 2 has no year"):
        request(tmp_path, [epochs[0], {"landcover": "x"}])
    with pytest.raises(InputError, match="differ in legend: part of the change would be one of method"):
        request(tmp_path, [epochs[0], {**epochs[1], "legend": "clcd"}])
    with pytest.raises(InputError, match="regions is one for all epochs"):
        request(tmp_path, [epochs[0], {**epochs[1], "regions": "x.gpkg"}])
    with pytest.raises(InputError, match="--confidence lies between 0 and 1"):
        request(tmp_path, epochs, confidence=95)
    with pytest.raises(InputError, match="--map-accuracy has a share for every epoch"):
        request(tmp_path, epochs, map_accuracy="0.9")
    with pytest.raises(InputError, match="did you mean 'landcover'"):
        changestudy.epoch_of("year=2010,landcove=x.tif")
    with pytest.raises(InputError, match="write a whole number"):
        changestudy.epoch_of("year=MMX,landcover=x.tif")


def test_epochs_far_apart_are_refused(tmp_path):
    epochs = epochs_of(tmp_path, shape=(60, 60))
    epochs[1]["landcover"] = write(tmp_path / "far.tif", np.full((60, 60), NEEDLE, np.uint8), 0, west=110.0)
    with pytest.raises(InputError, match=r"far\.tif: the landcover layer does not overlap"):
        changing.change(request(tmp_path, epochs))
    assert not (tmp_path / "change" / "manifest.json").exists()


def test_the_command_line_tells_the_change(tmp_path):
    epochs = epochs_of(tmp_path, shape=(120, 120))
    words = ["change"]
    for e in epochs:
        words += ["--epoch", f"year={e['year']},landcover={e['landcover']},agb={e['agb']}"]
    words += ["--legend", "sample", "--climate", "warm_temperate_moist", "--parameters", "china", "--quiet"]
    told = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "told")])
    assert told.exit_code == 0, told.output
    assert "net sink" in told.output
    assert "2010–2020" in told.output
    plain = CliRunner().invoke(main, [*words, "--json", "--out", str(tmp_path / "json")])
    found = json.loads(plain.output)
    assert found["periods"][0]["years"] == [2010, 2020]
    wrong = CliRunner().invoke(main, words[:3])
    assert wrong.exit_code == 2


def test_gain_loss_stands_beside_stock_difference(tmp_path):
    table = tmp_path / "removals.csv"
    table.write_text("region_id,kind,value\n990101,roundwood,120000\n990104,disturbed_area,50\n", encoding="utf-8")
    more = {"out": str(tmp_path / "out"), "quiet": True, "forest_age": "secondary_over_20", "removals": str(table)}
    found = changing.change(changestudy.from_toml(sample_data() / "change.toml", **more)).gain_loss.set_index(
        "region_id"
    )
    parts = found[
        ["growth_mg_c_yr", "conversion_mg_c_yr", "wood_removals_mg_c_yr", "fuelwood_mg_c_yr", "disturbance_mg_c_yr"]
    ]
    np.testing.assert_allclose(parts.sum(axis=1), found["gain_loss_mg_c_yr"], rtol=1e-12)
    np.testing.assert_allclose(found.drop("total").sum(), found.loc["total"], rtol=1e-9)
    assert found.loc["990101", "wood_removals_mg_c_yr"] < 0
    assert found.loc["990104", "disturbance_mg_c_yr"] < 0
    assert found.loc["total", "growth_mg_c_yr"] > 0 > found.loc["total", "conversion_mg_c_yr"]
    del more["forest_age"]
    with pytest.raises(InputError, match="give --forest-age"):
        changing.change(changestudy.from_toml(sample_data() / "change.toml", **{**more, "out": str(tmp_path / "none")}))


def test_change_that_the_maps_errors_could_show_is_said_to_be_noise(tmp_path):
    epochs = epochs_of(tmp_path, shape=(200, 200))
    bad = changing.change(request(tmp_path, epochs, map_accuracy="0.8,0.8", name="bad"))
    assert any("no area of change here is more than noise" in w for w in bad.warnings)
    good = changing.change(request(tmp_path, epochs, map_accuracy=[0.99, 0.98], name="good"))
    t = good.span.transitions.query("region_id == 'total'")
    expected = f"up to {(1 - 0.99 * 0.98) * t['area_ha'].sum():,.0f} ha may be the maps' errors"
    assert any(expected in w for w in good.warnings)
