"""``sinks plots`` and ``sinks calibrate`` on a small run, as a user meets them."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner

import scenes
from pipelines.cli import main
from pipelines.files import tables
from pipelines.samples import plots
from sinks import modelassisted

SIZE = 24


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    given = scenes.small(folder, size=SIZE)
    out = folder / "结果"
    say("assess", *(f"--{k}={v}" for k, v in given.items()), "--legend", "worldcover", "--quiet", "--out", str(out))
    return out


def say(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def mapped(run, name="stock_volume"):
    """The map in physical units, 0 on nodata, and whether the land cover is known and no water; the centres of its pixels."""
    with rasterio.open(run / "maps" / f"{name}.tif") as d, rasterio.open(run / "maps" / "ecosystem.tif") as e:
        stored, cover = d.read(1), e.read(1)
        values = np.where(stored == d.nodata, 0, stored * d.scales[0])
        land = (cover != e.nodata) & (cover != 17)
        x, y = (np.array(v).reshape(stored.shape) for v in d.xy(*(i.ravel() for i in np.indices(stored.shape))))
    return values, land, x, y


def every_pixel(run, factor=1.0, name="stock_volume"):
    values, _, x, y = mapped(run, name)
    return pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "v": (factor * values).ravel()})


def found(run, table, path, *options):
    table.to_csv(path, index=False)
    out = path.parent / "out"
    say("plots", run, path, "--value", "v", "--out", out, *options)
    return pd.read_csv(out / "plots.csv", dtype={"region_id": str}, encoding="utf-8-sig")


# ------------------------------------------------------------------------------------------ plots


@pytest.mark.parametrize("stratify", ["none", "forest"])
@pytest.mark.parametrize("quantity", ["stock_volume", "carbon_agb", "carbon_total"])
def test_a_plot_in_every_pixel_gives_the_account(run, tmp_path, quantity, stratify):
    # A census measured without error: the account's own totals, to the rounding of the maps, and no error.
    table = found(
        run, every_pixel(run, name=quantity), tmp_path / "p.csv", "--quantity", quantity, "--stratify", stratify
    )
    top = modelassisted.headline(table).set_index("region_id")
    account = tables.read_account(run)
    assert list(top.index) == ["0101", "0102", "total"]
    for region in top.index:
        assert top.loc[region, "total"] == pytest.approx(account.value(quantity, region), rel=1e-9)
        assert top.loc[region, "map_total"] == pytest.approx(account.value(quantity, region), rel=1e-12)
        alone = table[(table["region_id"] == region) & (table["estimator"] == "expansion")]["total"].item()
        assert alone == pytest.approx(account.value(quantity, region), rel=2e-3)
        assert top.loc[region, "mean_se"] == pytest.approx(0, abs=1e-6)
        area = account.area_ha(region) - account.area_ha(region, "water") - account.area_ha(region, "nodata")
        assert top.loc[region, "area_ha"] == pytest.approx(area)


def test_a_map_a_quarter_too_high_is_mended(run, tmp_path):
    # The true pixels of half the plots, and what comes out is four fifths of the account.
    plots_ = every_pixel(run, 0.8).iloc[::2]
    top = modelassisted.headline(found(run, plots_, tmp_path / "p.csv")).set_index("region_id")
    account = tables.read_account(run)
    for region in ("0101", "0102", "total"):
        assert top.loc[region, "total"] == pytest.approx(0.8 * account.value("stock_volume", region), rel=1e-9)
        assert top.loc[region, "slope"] == pytest.approx(0.8)


def test_plots_are_found_by_degrees_metres_and_geometry_alike(run, tmp_path):
    table = every_pixel(run, 0.8).iloc[::3]
    points = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["x"], table["y"]), crs=scenes.UTM)
    degrees = points.to_crs(4326)
    points.drop(columns=["x", "y"]).to_crs(4326).to_file(tmp_path / "样地.gpkg", engine="pyogrio")
    pd.DataFrame({"经度": degrees.geometry.x, "纬度": degrees.geometry.y, "v": table["v"]}).to_csv(
        tmp_path / "degrees.csv", index=False, encoding="gb18030"
    )
    table.to_csv(tmp_path / "metres.csv", index=False)
    every = [plots.of_run(run, tmp_path / n, "v").table for n in ("metres.csv", "degrees.csv", "样地.gpkg")]
    pd.testing.assert_frame_equal(every[0], every[1])
    pd.testing.assert_frame_equal(every[0], every[2])


def test_what_is_left_out_is_counted_and_said(run, tmp_path):
    table = every_pixel(run)
    _, land, _, _ = mapped(run)
    off = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0], "v": 5.0})
    path = tmp_path / "p.csv"
    blank = table[land.ravel()].iloc[:3].assign(v=np.nan)
    pd.concat([table, off, blank]).to_csv(path, index=False)
    said = say("plots", run, path, "--value", "v", "--out", tmp_path / "o")
    counts = json.loads((tmp_path / "o" / "plots.json").read_text(encoding="utf-8"))["plots"]
    assert counts["off the map"] == 2
    assert counts["no value"] == 3
    assert counts["nodata"] == 1  # the corner
    assert counts["used"] == int(land.sum())
    assert sum(counts.values()) == SIZE * SIZE + 5
    for words in (
        "2 plots left out: they are off the map",
        "they lie on mapped water",
        "the map has no stock_volume",
        "gain",
    ):
        assert words in said


def test_forest_plots_alone_take_the_forest_as_population(run, tmp_path):
    with rasterio.open(run / "maps" / "ecosystem.tif") as e:
        wood = (e.read(1) <= 5).ravel()
    table = every_pixel(run)[wood]
    table.to_csv(tmp_path / "p.csv", index=False)
    refused = say("plots", run, tmp_path / "p.csv", "--value", "v", "--stratify", "forest", code=2)
    assert "0 plot(s) lie in the stratum 'other'" in refused
    top = modelassisted.headline(found(run, table, tmp_path / "p.csv", "--population", "forest")).set_index("region_id")
    account = tables.read_account(run)
    assert top.loc["total", "area_ha"] == pytest.approx(account.area_ha(ecosystem="forest"))
    assert top.loc["total", "total"] == pytest.approx(account.value("stock_volume", ecosystem="forest"), rel=1e-9)


def test_a_region_with_few_plots_is_synthetic_and_says_so(run, tmp_path):
    table = every_pixel(run, 0.8)
    west = table["x"] < 500_000 + 50 * SIZE
    few = pd.concat([table[west], table[~west].iloc[::40]])
    few.to_csv(tmp_path / "p.csv", index=False)
    said = say("plots", run, tmp_path / "p.csv", "--value", "v", "--out", tmp_path / "o")
    assert "1 regions are synthetic" in said
    got = pd.read_csv(tmp_path / "o" / "plots.csv", dtype={"region_id": str}, encoding="utf-8-sig").set_index(
        "region_id"
    )
    assert got.loc["0102", "estimator"] == "synthetic"
    expected = 0.8 * tables.read_account(run).value("stock_volume", "0102")
    assert got.loc["0102", "total"] == pytest.approx(expected, rel=1e-9)


def test_plots_may_bring_their_own_regions(run, tmp_path):
    table = every_pixel(run).assign(region_id="0101")
    top = modelassisted.headline(found(run, table, tmp_path / "p.csv")).set_index("region_id")
    assert top.loc["0101", "plots"] == top.loc["total", "plots"] > SIZE * SIZE / 2
    assert top.loc["0102", "plots"] == 0


def test_a_run_without_regions_is_one(run, tmp_path):
    given = scenes.small(tmp_path, size=SIZE)
    out = tmp_path / "out1"
    options = [f"--{k}={v}" for k, v in given.items() if k != "regions"]
    say("assess", *options, "--legend", "worldcover", "--quiet", "--out", out)
    top = modelassisted.headline(found(out, every_pixel(out), tmp_path / "p.csv"))
    assert top["region_id"].tolist() == ["all", "total"]
    assert top["total"].nunique() == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,v\n1,2\n", "there are no coordinates; name the columns lon and lat"),
        ("x,y,w\n1,2,3\n", "there is no column 'v'; its columns are x, y, w"),
        ("x,y,v\n500050,2599950,dense\n", "row 1: v is 'dense', not a number"),
        ("x,y,v\n500050,2599950,-4\n", "row 1: v is -4; a plot cannot hold less than nothing"),
        ("lon,lat,v\n500050,2599950,4\n", "is no longitude and latitude"),
        ("x,y,v\n500050,2599950,4\n", "only 0 plots lie on the map's land"),
    ],
)
def test_bad_plots_are_refused_in_a_sentence(run, tmp_path, content, words):
    (tmp_path / "p.csv").write_text(content, encoding="utf-8")
    said = say("plots", run, tmp_path / "p.csv", "--value", "v", code=2)
    assert words in said
    assert said.startswith("sinks: ")


def test_no_run_and_no_map_are_refused(run, tmp_path):
    (tmp_path / "p.csv").write_text("x,y,v\n1,2,3\n")
    assert "name the output folder of a finished run" in say(
        "plots", tmp_path, tmp_path / "p.csv", "--value", "v", code=2
    )
    assert "name the output folder of a finished run" in say("calibrate", tmp_path, tmp_path / "p.csv", code=2)
    given = scenes.small(tmp_path, size=12)
    out = tmp_path / "out2"
    say(
        "assess",
        *(f"--{k}={v}" for k, v in given.items()),
        "--legend",
        "worldcover",
        "--quiet",
        "--maps",
        "none",
        "--out",
        out,
    )
    assert "there is no map of stock_volume (maps: none)" in say(
        "plots", out, tmp_path / "p.csv", "--value", "v", code=2
    )
    square = gpd.GeoDataFrame({"v": [1]}, geometry=gpd.read_file(given["regions"]).geometry[:1], crs=scenes.UTM)
    square.to_file(tmp_path / "square.gpkg", engine="pyogrio")
    assert "not points" in say("plots", run, tmp_path / "square.gpkg", "--value", "v", code=2)


# ------------------------------------------------------------------------------------------ calibrate


def test_raw_official_and_calibrated_side_by_side(run, tmp_path):
    account = tables.read_account(run)
    raw = {r: account.value("stock_volume", r, "forest") for r in ("0101", "0102")}
    path = tmp_path / "official.csv"
    path.write_text(
        "region_id,quantity,value,unit,se\n"
        + "".join(f"{r},stock_volume,{1.1 * v / 1e4},万立方米,{0.02 * v / 1e4}\n" for r, v in raw.items()),
        encoding="gb18030",
    )
    said = say("calibrate", run, path, "--total", "--out", tmp_path / "o")
    table = pd.read_csv(tmp_path / "o" / "calibrated.csv", dtype={"region_id": str}, encoding="utf-8-sig").set_index(
        "region_id"
    )
    assert (tmp_path / "o" / "calibrated.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    for region, value in raw.items():
        got = table.loc[region]
        assert got["raw"] == pytest.approx(value)
        assert got["calibrated"] == got["official"] == pytest.approx(1.1 * value)
        assert got["residual"] == pytest.approx(0.1 * value)
        assert got["factor"] == pytest.approx(1.1)
        assert got["se"] == pytest.approx(0.02 * value)
        assert got["unit"] == "m3"
    total = sum(raw.values())
    assert table.loc["total", "calibrated"] == pytest.approx(1.1 * total)
    assert table.loc["total", "se"] == pytest.approx(0.02 * np.hypot(*raw.values()))
    for words in ("raw", "official", "calibrated", "residual", "1.1000", "甲县"):
        assert words in said
    whole = json.loads((tmp_path / "o" / "calibrated.json").read_text(encoding="utf-8"))
    assert whole["calibration"][0]["region_id"] == "total"
    assert whole["run_finished"]
    assert json.loads(say("calibrate", run, path, "--json"))["calibration"][0]["factor"] == pytest.approx(1.1)
    assert (run / "calibrated" / "calibrated.csv").is_file()


def test_margins_are_chosen(run, tmp_path):
    account = tables.read_account(run)
    kinds = sorted(
        {t for e, t in zip(account.keys["ecosystem"], account.keys["forest_type"], strict=True) if e == "forest"}
    )
    raw = {t: account.value("area", ecosystem="forest", forest_type=t) for t in kinds}
    regions = {r: account.value("area", r, "forest") for r in ("0101", "0102")}
    rows = [f"total,{t},area,{1.2 * v},ha,1" for t, v in raw.items()]
    rows += [f"{r},,area,{f * v},ha,1" for (r, v), f in zip(regions.items(), (1.1, 1.0), strict=True)]
    path = tmp_path / "official.csv"
    path.write_text("region_id,forest_type,quantity,value,unit,se\n" + "\n".join(rows) + "\n")
    refused = say("calibrate", run, path, code=2)
    assert "the official margins contradict each other: those by forest_type" in refused
    say("calibrate", run, path, "--margins", "region", "--out", tmp_path / "o")
    table = pd.read_csv(tmp_path / "o" / "calibrated.csv", dtype={"region_id": str}, encoding="utf-8-sig")
    assert table["factor"].tolist() == pytest.approx([1.1, 1.0])


def test_official_areas_of_provinces_are_not_summed(tmp_path):
    given = scenes.small(tmp_path, size=12)
    west, north, span = 500_000.0, 2_600_000.0, 1200.0
    boxes = [(west, north - span, west + 600, north), (west + 600, north - span, west + span, north)]
    given["regions"] = str(
        scenes.write_regions(tmp_path / "provinces.gpkg", boxes, code=["440000", "450000"], name=["广东", "广西"])
    )
    out = tmp_path / "out3"
    say("assess", *(f"--{k}={v}" for k, v in given.items()), "--legend", "worldcover", "--quiet", "--out", out)
    path = tmp_path / "official.csv"
    path.write_text("region_id,ecosystem,quantity,value,unit\n440000,forest,area,40,ha\n450000,forest,area,50,ha\n")
    said = say("calibrate", out, path, "--total", code=2)
    for words in ("must not be summed", "do not add up to the national area", "while volumes do"):
        assert words in said
    assert "no sum over regions is given" in say("calibrate", out, path)


def test_a_bad_official_table_is_refused_with_its_line(run, tmp_path):
    path = tmp_path / "official.csv"
    path.write_text("region_id,quantity,value,unit\n0101,stock_volume,5,ha\n")
    assert "official.csv, line 2: unit 'ha' does not fit stock_volume" in say("calibrate", run, path, code=2)


@pytest.mark.parametrize("verb", ["plots", "calibrate"])
def test_help_shows_an_example(verb):
    assert f"sinks {verb} result" in say(verb, "--help")
