"""A reference sample, end to end: drawn from a run, labelled, read back; against numbers by hand."""

import json
import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
from click.testing import CliRunner

import scenes
from pipelines.assess import run
from pipelines.assess.demo import demo_study
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import tables
from pipelines.samples import sampledesign, samples

SIZE = 64


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A run of WorldCover classes: forest, shrubland, grassland, cropland, water, mangrove; two halves as regions."""
    folder = tmp_path_factory.mktemp("run")
    study = checked(
        {**scenes.small(folder, size=SIZE), "legend": "worldcover", "out": str(folder / "out"), "quiet": True}
    )
    run.assess(study)
    return folder / "out"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The sample region: geographic grid, regions that leave part of the map out, a class the legend does not know."""
    out = tmp_path_factory.mktemp("demo") / "out"
    run.assess(demo_study(out, quiet=True))
    return out


def say(*arguments, code=0):
    found = CliRunner().invoke(main, [str(a) for a in arguments])
    assert found.exit_code == code, found.output
    return found.output


def label(path, out, rule, column="reference"):
    """Fill in the references by a rule of the row and write the sample elsewhere."""
    points = pyogrio.read_dataframe(path, layer="points")
    points[column] = [rule(k, r) for k, r in points.iterrows()]
    pyogrio.write_dataframe(points, out, layer="points")
    pyogrio.write_dataframe(pyogrio.read_dataframe(path, layer="strata"), out, layer="strata")
    return points


def right(k, row):
    return row["map_class"]


@pytest.fixture(scope="module")
def drawn(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "sample.gpkg"
    say("sample", "design", result, "--size", 400, "--out", path)
    return path


# ------------------------------------------------------------------------------------------ design


def test_points_lie_on_the_classes_they_name(result, drawn):
    points = pyogrio.read_dataframe(drawn, layer="points")
    strata = pyogrio.read_dataframe(drawn, layer="strata").set_index("stratum")
    assert points.crs.to_epsg() == 4326
    assert len(points) == 400 == strata["n"].sum()
    assert points["stratum"].value_counts().to_dict() == strata["n"].to_dict()
    assert points["id"].is_unique
    assert (points["reference"].fillna("") == "").all()
    with rasterio.open(result / "maps" / "ecosystem.tif") as d:
        codes = [int(v[0]) for v in d.sample(zip(points["x"], points["y"], strict=True))]
        back = points.to_crs(d.crs).geometry
    names = {5: "forest/unspecified", 7: "shrubland", 8: "grassland", 9: "cropland", 11: "mangrove", 17: "water"}
    assert [names[c] for c in codes] == points["map_class"].tolist()
    assert np.abs(back.x - points["x"]).max() < 1e-3
    account = tables.read_account(result)
    for name, area in strata["area_ha"].items():
        assert area == pytest.approx(account.area_ha(ecosystem=name), rel=1e-12)
    assert points.groupby("stratum")["represents_ha"].sum().to_dict() == pytest.approx(strata["area_ha"].to_dict())


def test_the_order_of_work_tells_nothing_of_the_strata(drawn):
    points = pyogrio.read_dataframe(drawn, layer="points")
    first = points["stratum"].iloc[:200].value_counts(normalize=True)
    assert first["forest"] == pytest.approx((points["stratum"] == "forest").mean(), abs=0.12)


def test_the_same_seed_draws_the_same_and_a_larger_sample_contains_it(result, drawn, tmp_path):
    one = sampledesign.design(result, size=400)
    more = sampledesign.design(result, size=900)
    other = sampledesign.design(result, size=400, seed=2)
    before = pyogrio.read_dataframe(drawn, layer="points")
    assert one.points["id"].tolist() == before["id"].tolist()
    assert set(one.points["id"]) < set(more.points["id"])
    assert set(one.points["id"]) != set(other.points["id"])


def test_blocks_do_not_matter(result, monkeypatch):
    from pipelines.samples import samplemap

    whole = sampledesign.design(result, size=400)
    monkeypatch.setattr(samplemap, "_BLOCK", 7)
    pd.testing.assert_frame_equal(whole.points, sampledesign.design(result, size=400).points)


def test_size_from_a_target_precision_and_allocations(result):
    aimed = sampledesign.design(result, target_se=2.0, guess={"forest": 0.9}, minimum=20)
    w = {s.name: s.area_ha for s in aimed.strata}
    spread = sum(a * (0.3 if k == "forest" else 0.4) for k, a in w.items()) / sum(w.values())
    assert sum(s.n for s in aimed.strata) == math.ceil((spread / 0.02) ** 2)
    equal = sampledesign.design(result, size=300, how="equal", minimum=20)
    assert {s.n for s in equal.strata} == {50}
    two = sampledesign.design(
        result, stratify="forest", size=200, how="neyman", guess={"forest": 0.9, "not_forest": 0.9}
    )
    share = {s.name: s.n for s in two.strata}
    areas = {s.name: s.area_ha for s in two.strata}
    assert share["forest"] == round(200 * areas["forest"] / sum(areas.values()))  # √(p(1−p)) is the same in both
    assert next(s for s in two.strata if s.name == "forest").members == ("forest/unspecified", "mangrove")


def test_classes_with_few_pixels_are_pooled(result):
    found = sampledesign.design(result, size=1200, minimum=215)  # mangrove has fewer pixels than that
    account = tables.read_account(result)
    least = min(found.strata, key=lambda s: s.area_ha)
    assert "mangrove" in {m for s in found.strata for m in s.members}
    assert "mangrove" not in {s.name for s in found.strata}
    assert least.n >= 215
    assert sorted(len(s.members) for s in found.strata) == [1, 1, 1, 1, 2]
    assert sum(s.area_ha for s in found.strata) == pytest.approx(
        account.area_ha() - account.area_ha(ecosystem="nodata")
    )


def test_a_blind_sample_hides_the_map_and_still_comes_back(result, tmp_path):
    blind, seen, filled = tmp_path / "blind.gpkg", tmp_path / "seen.gpkg", tmp_path / "filled.gpkg"
    say("sample", "design", result, "--size", 400, "--blind", "--out", blind)
    say("sample", "design", result, "--size", 400, "--out", seen)
    points = pyogrio.read_dataframe(blind, layer="points")
    assert not {"stratum", "map_class", "represents_ha", "draw_order"} & set(points.columns)
    truth = pyogrio.read_dataframe(seen, layer="points")["map_class"].tolist()
    label(blind, filled, lambda k, row: truth[k])
    label(seen, tmp_path / "seen_filled.gpkg", right)
    one = samples.estimate(result, filled).estimate.table()
    pd.testing.assert_frame_equal(one, samples.estimate(result, tmp_path / "seen_filled.gpkg").estimate.table())


# ------------------------------------------------------------------------------------------ estimate


def test_a_perfect_sample_gives_the_map_back(result, drawn, tmp_path):
    label(drawn, tmp_path / "f.gpkg", right)
    found = samples.estimate(result, tmp_path / "f.gpkg")
    t = found.estimate.table().set_index("class")
    assert t["area_ha"].to_dict() == pytest.approx(t["mapped_area_ha"].to_dict())
    assert (t["area_se_ha"].abs() < 1e-6 * found.estimate.total_ha).all()
    assert found.estimate.overall.value == pytest.approx(1, rel=1e-12)
    s = found.summary
    coverage = pd.read_csv(result / "coverage.csv")
    top = coverage[(coverage["region_id"] == "total") & coverage["headline"]].iloc[0]
    assert s["coverage"]["mapped_percent"] == pytest.approx(top["coverage_percent"])
    assert s["coverage"]["corrected_percent"]["value"] == pytest.approx(top["coverage_percent"])
    account = tables.read_account(result)
    assert s["corrected"]["stock_volume"]["corrected"]["value"] == pytest.approx(
        account.value("stock_volume", ecosystem="forest")
    )
    carbon = sum(account.value(q, ecosystem=e) for q in ("carbon_agb", "carbon_bgb") for e in ("forest", "mangrove"))
    assert s["corrected"]["carbon_biomass"]["corrected"]["value"] == pytest.approx(carbon)
    assert [t["probability"] for t in s["coverage"]["targets"]] == [1.0, 1.0]


@pytest.fixture
def worked(result, drawn, tmp_path):
    """Every fifth forest point (draw order 5, 10, …) is grassland, every tenth grassland point is forest."""

    def rule(k, row):
        if row["stratum"] == "forest" and row["draw_order"] % 5 == 0:
            return "grassland"
        if row["stratum"] == "grassland" and row["draw_order"] % 10 == 0:
            return "Forest, type unknown"  # a name for people is understood
        return row["map_class"]

    label(drawn, tmp_path / "f.gpkg", rule)
    strata = pyogrio.read_dataframe(drawn, layer="strata").set_index("stratum")
    return tmp_path / "f.gpkg", strata


def test_numbers_by_hand(result, worked):
    path, strata = worked
    found = samples.estimate(result, path, targets=[50.0])
    a, n = strata["area_ha"], strata["n"]
    wrong, back = (n["forest"] // 5) / n["forest"], (n["grassland"] // 10) / n["grassland"]
    forest = a["forest"] * (1 - wrong) + a["grassland"] * back
    v = {k: a[k] ** 2 * q * (1 - q) / (n[k] - 1) for k, q in (("forest", wrong), ("grassland", back))}
    got = found.estimate.area("forest")
    assert got.value == pytest.approx(forest)
    assert got.se == pytest.approx(math.sqrt(sum(v.values())))
    assert found.estimate.users("forest").value == pytest.approx(1 - wrong)
    assert found.estimate.producers("forest").value == pytest.approx(a["forest"] * (1 - wrong) / forest)
    # China's inventory: forest and mangrove in full, 43 % of shrubland; the other strata are without error.
    s = found.summary
    assert s["forest"]["classes"] == {"forest": 1.0, "mangrove": 1.0, "shrubland": 0.43}
    whole = forest + a["mangrove"] + 0.43 * a["shrubland"]
    assert s["forest"]["corrected_ha"]["value"] == pytest.approx(whole)
    land = a.sum()  # all of the map is land, water with it
    assert s["coverage"]["land_area_ha"] == pytest.approx(land)
    assert s["coverage"]["corrected_percent"]["value"] == pytest.approx(100 * whole / land)
    assert s["coverage"]["corrected_percent"]["se"] == pytest.approx(100 * got.se / land)
    target = s["coverage"]["targets"][0]
    z = (100 * whole / land - 50) / (100 * got.se / land)
    assert target["probability"] == pytest.approx(0.5 * (1 + math.erf(z / math.sqrt(2))), abs=1e-9)
    volume = tables.read_account(result).value("stock_volume", ecosystem="forest") / a["forest"]
    v = s["corrected"]["stock_volume"]
    assert v["mapped_per_ha"] == pytest.approx(volume)
    assert v["corrected"]["value"] == pytest.approx(volume * forest)
    if v["mapped_se"] is None:
        assert v["corrected"]["se"] == pytest.approx(volume * got.se)
        assert "density" in v["interval_lacks"]


def test_the_command_writes_its_tables(result, worked, tmp_path):
    said = say("sample", "estimate", result, worked[0], "--out", tmp_path / "o")
    for words in (
        "Overall accuracy",
        "Coverage of",
        "Stock volume of forest",
        "Biomass carbon",
        "at least 24.1 %",
        "settled",
    ):
        assert words in said
    classes = pd.read_csv(tmp_path / "o" / "sample_classes.csv", encoding="utf-8-sig")
    matrix = pd.read_csv(tmp_path / "o" / "sample_matrix.csv", encoding="utf-8-sig")
    summary = json.loads((tmp_path / "o" / "sample_summary.json").read_text("utf-8"))
    assert classes["class"].tolist() == ["forest", "shrubland", "grassland", "cropland", "mangrove", "water"]
    assert matrix["points"].sum() == 400 == summary["points"]
    assert matrix["share"].sum() == pytest.approx(1)
    assert matrix["area_ha"].sum() == pytest.approx(summary["population_ha"])
    again = json.loads(say("sample", "estimate", result, worked[0], "--json"))
    assert again == summary


def test_a_csv_of_random_points_needs_no_map_class(result, tmp_path):
    # 300 points over the whole map; the reference says forest for every forest pixel in the west, grassland otherwise.
    rng = np.random.default_rng(3)
    x, y = 500_000 + rng.uniform(0, 6400, 300), 2_600_000 - rng.uniform(0, 6400, 300)
    with rasterio.open(result / "maps" / "ecosystem.tif") as d:
        codes = np.array([int(v[0]) for v in d.sample(zip(x, y, strict=True))])
    reference = np.where((codes == 5) & (x < 503_200), "林地", "其他")
    reference = np.where(reference == "其他", "other", reference)
    frame = gpd.GeoDataFrame(
        {"point": range(300), "truth": reference}, geometry=gpd.points_from_xy(x, y), crs=scenes.UTM
    )
    places = frame.to_crs(4326).geometry
    csv = tmp_path / "样本.csv"
    frame.assign(lon=places.x, lat=places.y).drop(columns="geometry").to_csv(csv, index=False, encoding="gb18030")
    frame.to_file(tmp_path / "s.geojson", engine="pyogrio")
    keep = codes > 0
    y01 = (reference == "林地")[keep]
    total = samples.estimate(result, csv, column="truth", design="random")
    assert total.level == "forest"
    e = total.estimate.area("forest")
    assert e.value == pytest.approx(total.estimate.total_ha * y01.mean())
    assert e.se == pytest.approx(total.estimate.total_ha * y01.std(ddof=1) / math.sqrt(y01.size))
    post = samples.estimate(result, csv, column="truth", design="poststratified").estimate
    on = np.isin(codes[keep], (5, 11))
    account = tables.read_account(result)
    areas = account.area_ha(ecosystem="forest") + account.area_ha(ecosystem="mangrove")
    assert post.area("forest").value == pytest.approx(areas * y01[on].mean())
    assert post.area("forest").se < e.se
    other = samples.estimate(result, tmp_path / "s.geojson", column="truth", design="poststratified").estimate
    assert other.area("forest").value == pytest.approx(post.area("forest").value)


def test_strata_of_ones_own(result, tmp_path):
    # An older map's strata with areas of their own: the estimate is Σ A_h p_h, whatever this map says.
    xs = 500_050 + 100 * np.arange(40)
    frame = pd.DataFrame({"x": xs, "y": 2_597_050.0, "stratum": ["a"] * 20 + ["b"] * 20})
    frame["reference"] = ["forest"] * 15 + ["water"] * 5 + ["forest"] * 4 + ["water"] * 16
    frame.to_csv(tmp_path / "s.csv", index=False)
    pd.DataFrame({"stratum": ["a", "b"], "area_ha": [1000, 3000]}).to_csv(tmp_path / "strata.csv", index=False)
    found = samples.estimate(result, tmp_path / "s.csv", strata=tmp_path / "strata.csv")
    e = found.estimate.area("forest")
    assert e.value == pytest.approx(1000 * 0.75 + 3000 * 0.2)
    assert e.se == pytest.approx(math.sqrt(1000**2 * 0.75 * 0.25 / 19 + 3000**2 * 0.2 * 0.8 / 19))
    assert any("Student" in n for n in found.notes)


def test_forest_may_be_said(result, worked):
    found = samples.estimate(result, worked[0], forest="forest,shrubland=0.5")
    assert found.forest == {"forest": 1.0, "shrubland": 0.5}
    e = found.estimate
    assert found.summary["forest"]["corrected_ha"]["value"] == pytest.approx(
        e.area("forest").value + 0.5 * e.area("shrubland").value
    )
    for wrong, words in (
        ("forest=2", "between 0 and 1"),
        ("forest=x", "CLASS=SHARE"),
        ("frest", "did you mean"),
        ("bamboo forest,bare", "neither"),
    ):
        with pytest.raises(InputError, match=words):
            samples.estimate(
                result, worked[0], forest=wrong, level="ecosystem" if wrong != "bamboo forest,bare" else "forest_type"
            )


def test_the_demo_leaves_out_what_is_in_no_region(demo, tmp_path):
    path, filled = tmp_path / "s.gpkg", tmp_path / "f.gpkg"
    said = say("sample", "design", demo, "--size", 900, "--minimum", 30, "--stratify", "forest_type", "--out", path)
    assert "unknown" in said  # 40 pixels that the legend does not know are land too
    points = label(path, filled, lambda k, row: row["map_class"] if row["map_class"] != "unknown" else "cropland")
    assert len(points) == 900
    account = tables.read_account(demo)
    found = samples.estimate(demo, filled)
    assert found.estimate.total_ha == pytest.approx(account.area_ha() - account.area_ha(ecosystem="nodata"))
    e, t = found.estimate, found.estimate.table().set_index("class")
    assert e.area("forest").value == pytest.approx(account.area_ha(ecosystem="forest"))
    assert t["mapped_area_ha"]["unknown"] == pytest.approx(account.area_ha(ecosystem="unknown"))
    assert not any("unknown on the ground" in n for n in found.notes)
    assert np.isnan(samples.class_table(e).set_index("class")["area_ha"]["unknown"])
    # The run tells its own errors, so the interval of the volume holds the density's as well as the area's.
    v = found.summary["corrected"]["stock_volume"]
    if v["mapped_se"] is not None:
        forest = account.area_ha(ecosystem="forest")
        a, d, s = e.area("forest"), v["mapped_per_ha"], v["mapped_se"] / forest
        assert v["corrected"]["se"] == pytest.approx(math.sqrt(d**2 * a.se**2 + a.value**2 * s**2 + s**2 * a.se**2))
    typed = samples.estimate(demo, filled, level="forest_type").estimate
    assert {"forest/needleleaf", "forest/broadleaf"} <= set(typed.classes)


# ------------------------------------------------------------------------------------------ errors


def test_no_labels_and_wrong_labels_are_said(result, drawn, tmp_path):
    assert "no point has a reference label" in say("sample", "estimate", result, drawn, code=2)
    assert "has no column 'referense'; did you mean 'reference'" in say(
        "sample", "estimate", result, drawn, "--column", "referense", code=2
    )
    path = tmp_path / "f.gpkg"
    points = label(drawn, path, lambda k, row: "grasland" if k == 7 else "forest")
    said = say("sample", "estimate", result, path, code=2)
    assert f"'grasland' of {points['id'].iloc[7]} is no class; did you mean 'grassland'?" in said


def test_unlabelled_points_are_left_out_and_told(result, drawn, tmp_path):
    path = tmp_path / "f.gpkg"
    label(drawn, path, lambda k, row: "" if k < 5 else row["map_class"])
    found = samples.estimate(result, path)
    assert found.summary["points"] == 395
    assert any("5 of 400 points have no label" in n for n in found.notes)


def test_a_stratum_with_too_few_labels_is_named(result, drawn, tmp_path):
    path = tmp_path / "f.gpkg"
    label(drawn, path, lambda k, row: "" if row["stratum"] == "mangrove" else row["map_class"])
    with pytest.raises(InputError, match=r"mangrove \(0\)"):
        samples.estimate(result, path)


def test_a_stratified_sample_is_not_taken_for_a_random_one(result, worked):
    with pytest.raises(InputError, match="drawn in strata"):
        samples.estimate(result, worked[0], design="random")


def test_another_runs_sample_is_refused(demo, result, worked, tmp_path):
    with pytest.raises(InputError, match="off the map"):
        samples.estimate(demo, worked[0])
    folder = tmp_path / "other"
    folder.mkdir()
    study = checked(
        {**scenes.small(folder, size=SIZE, seed=2), "legend": "worldcover", "out": str(folder / "out"), "quiet": True}
    )
    run.assess(study)
    with pytest.raises(InputError, match="run that the sample was drawn from"):
        samples.estimate(folder / "out", worked[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "no columns lon and lat"),
        ("lon,lat,reference\n111,x,forest\n", "line 2"),
        ("id,lon,lat,reference\n1,0,0,forest\n", "off the map"),
        ("id,x,y,reference\n1,500150,2599850,forest\n1,500250,2599850,forest\n", "more than once"),
        ("x,y,reference\n500050,2599950,forest\n", "no point lies on a class"),
        ("x,y,reference,stratum\n500150,2599850,forest,hill\n500250,2599850,forest,hill\n", "--strata"),
        ("lon,lat,reference\n", "no point"),
    ],
)
def test_csv_files_that_cannot_be_used(result, tmp_path, text, words):
    path = tmp_path / "s.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        samples.estimate(result, path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--size", 100), "raise --size to 300"),
        (("--size", 400, "--target-se", 1), "not both"),
        (("--guess", "forrest=0.9"), "did you mean 'forest'"),
        (("--guess", "forest"), "CLASS=UA"),
        (("--size", 2000, "--allocation", "equal"), "mangrove has"),
        (("--stratify", "forest", "--size", 400, "--seed", -1), "--seed"),
        (("--out", "sample.shp"), ".gpkg"),
    ],
)
def test_designs_that_cannot_be_drawn(result, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in say("sample", "design", result, *arguments, code=2)
    assert not list(tmp_path.iterdir())


def test_labels_are_not_written_over(result, drawn):
    assert "may hold labels" in say("sample", "design", result, "--size", 400, "--out", drawn, code=2)


def test_a_folder_that_is_no_run_is_said(tmp_path):
    assert "finished run" in say("sample", "design", tmp_path, "--out", tmp_path / "s.gpkg", code=2)


def test_a_gis_offers_the_labels_as_a_list(drawn):
    import sqlite3

    with sqlite3.connect(drawn) as database:
        offered = dict(database.execute("SELECT value, description FROM gpkg_data_column_constraints"))
        column = database.execute(
            "SELECT table_name, column_name, name FROM gpkg_data_columns WHERE constraint_name IS NOT NULL"
        ).fetchall()
        style = database.execute("SELECT f_table_name FROM layer_styles WHERE f_geometry_column <> ''").fetchall()
    database.close()
    assert column == [("points", "reference", "What is there / 实际类型")]
    assert style == [("points",)]
    assert offered["forest/bamboo"] == "Bamboo forest / 竹林"
    assert {"forest", "not_forest"} <= set(offered)
    words = samples.resolve(list(offered), list(offered), "the list")
    assert len(words) == len(offered)


def test_numbers_are_no_labels(result, drawn, tmp_path):
    # 10 is inland wetland on this project's map and trees on WorldCover's: a number must not be guessed at.
    label(drawn, tmp_path / "f.gpkg", lambda k, row: "10")
    with pytest.raises(InputError, match=r"'10' of .* is no class"):
        samples.estimate(result, tmp_path / "f.gpkg")


def test_forest_alone_may_be_told_apart(result, drawn, tmp_path):
    # Strata are ecosystems, classes forest and not: Olofsson's equations do not hold here, Stehman's do.
    forest = ("forest/unspecified", "mangrove")
    label(drawn, tmp_path / "f.gpkg", lambda k, row: "forest" if row["map_class"] in forest and k % 7 else "not_forest")
    found = samples.estimate(result, tmp_path / "f.gpkg")
    points = pyogrio.read_dataframe(tmp_path / "f.gpkg", layer="points")
    strata = pyogrio.read_dataframe(tmp_path / "f.gpkg", layer="strata").set_index("stratum")
    y = (points["reference"] == "forest").groupby(points["stratum"])
    area = strata["area_ha"]
    e = found.estimate.area("forest")
    assert e.value == pytest.approx((area * y.mean()).sum())
    assert e.se == pytest.approx(math.sqrt((area**2 * y.var().astype(float) / strata["n"]).sum()))
    assert found.estimate.mapped_area_ha[0] == pytest.approx(area["forest"] + area["mangrove"])
    assert any("special shrub" in n for n in found.notes)
    with pytest.raises(InputError, match="--classes forest"):
        samples.estimate(result, tmp_path / "f.gpkg", level="ecosystem")


@pytest.mark.parametrize("allocation", ["proportional", "neyman"])
def test_over_many_seeds_the_estimate_is_unbiased_and_as_spread_as_it_says(result, allocation):
    # The truth: every forest pixel in the southern third of the map is grassland. Real draws, real areas.
    from pipelines.samples import samplemap
    from sinks import allocation as drawing
    from sinks import sampling

    run_map = samplemap.open_run(result)
    strata = sampledesign.strata_of(run_map, "ecosystem", 50)
    ((block, codes),) = run_map.blocks()
    area = run_map.grid.area(block) * np.ones(codes.shape)
    truth = (codes == 5) & (np.arange(SIZE)[:, None] < SIZE * 2 // 3)
    expected = area[truth].sum() / 1e4
    index = {m: k for k, s in enumerate(strata) for m in s.members}
    lookup = np.array([index.get(samplemap.fine_labels().get(c, ""), -1) for c in range(256)])
    areas = {s.name: s.area_ha for s in strata}
    sizes = drawing.allocate(360, areas, allocation, minimum=30, target=frozenset(["forest"]))
    found = []
    for seed in range(300):
        d = drawing.draw(lookup[codes], area, np.array(list(sizes.values())), seed=seed)
        names = np.array([strata[k].name for k in d.stratum])
        reference = np.where(truth[d.row, d.col], "forest", np.where(names == "forest", "grassland", names))
        e = sampling.estimate(names, reference, areas).area("forest")
        found.append((e.value, e.se, e.interval()[0] <= expected <= e.interval()[1]))
    values, errors, hits = (np.array(x) for x in zip(*found, strict=True))
    assert values.mean() == pytest.approx(expected, abs=4 * values.std() / math.sqrt(300))
    # Of 2,061 forest pixels some 130 to 180 are drawn: without the finite population correction errors are a little too large.
    assert 0.9 < values.std() / errors.mean() < 1.05
    assert 0.92 <= hits.mean() <= 0.99


def test_the_scorecard_takes_the_corrected_figures_beside_the_maps(result, drawn, tmp_path):
    rng = np.random.default_rng(3)
    filled = tmp_path / "filled.gpkg"
    label(drawn, filled, lambda k, row: "cropland" if rng.random() < 0.1 else row["map_class"])
    card = pd.DataFrame(json.loads(say("targets", result, "--sample", filled, "--whole-nation", "--json")))
    total = card[card["region_id"] == "total"]
    told = samples.estimate(result, filled).summary["coverage"]
    coverage = total[(total["target"] == "forest_coverage") & (total["year"] == 2025)]
    assert len(coverage) == 2
    by_map, corrected = coverage.iloc[0], coverage.iloc[1]
    assert by_map["value"] == pytest.approx(told["mapped_percent"])
    assert corrected["value"] == pytest.approx(told["corrected_percent"]["value"])
    assert corrected["se"] == pytest.approx(told["corrected_percent"]["se"], rel=1e-3)
    assert "reference sample filled.gpkg" in corrected["basis"]
    expected = {t["at_least_percent"]: t["probability"] for t in told["targets"]}
    for row in total[(total["target"] == "forest_coverage") & total["basis"].str.contains("sample")].to_dict("records"):
        assert row["probability"] == pytest.approx(expected.get(row["target_value"], row["probability"]), abs=2e-3)
        assert row["status"] in ("met", "likely met", "undecided", "likely missed", "missed")


# ------------------------------------------------------------------------------------------ budget and regions


def demo_sample(demo, folder, size=1500, wrong=12):
    """A sample of the demo whose interpreter calls every twelfth forest point shrubland, and every twelfth shrub forest."""
    say("sample", "design", demo, "--size", size, "--seed", 5, "--out", folder / "d.gpkg")
    swap = {"forest": "shrubland", "shrubland": "forest/mixed"}

    def rule(k, row):
        kind = str(row["map_class"]).split("/")[0]
        return swap.get(kind, row["map_class"]) if row["draw_order"] % wrong == 0 else row["map_class"]

    label(folder / "d.gpkg", folder / "l.gpkg", rule)
    return folder / "l.gpkg"


def test_the_budget_with_a_sample_has_the_error_of_areas_beside_the_others(demo, tmp_path):
    found = samples.estimate(demo, demo_sample(demo, tmp_path))
    table = found.budget.set_index(["class", "quantity"]).sort_index()
    shares = [c for c in table if c.startswith("share_")]
    some = table["se"] > 0
    assert np.allclose(table.loc[some, shares].sum(axis=1), 1)
    assert (table.loc[(slice(None), "carbon_total"), "share_area"] >= 0).all()
    assert table.loc[("forest", "carbon_total"), "share_area"] > 0
    plain = pd.read_csv(demo / "errors.csv", dtype={"region_id": str})
    plain = plain[(plain["region_id"] == "total") & (plain["forest_type"] == "all")].set_index(
        ["ecosystem", "quantity"]
    )
    e = found.estimate
    ratio = e.area("forest").value / dict(zip(e.classes, e.mapped_area_ha, strict=True))["forest"]
    row, own = table.loc[("forest", "carbon_agb")], plain.loc[("forest", "carbon_agb")]
    assert row["corrected"] == pytest.approx(row["mapped"] * ratio)
    # What is not the area's is the run's own error, scaled: one carbon fraction, one map.
    rest = row["se"] * (1 - row["share_area"]) ** 0.5
    assert rest == pytest.approx(own["se"] * ratio, rel=0.02)
    assert table.loc[("all", "carbon_agb"), "corrected"] == pytest.approx(
        sum(table.loc[(c, "carbon_agb"), "corrected"] for c in e.classes if (c, "carbon_agb") in table.index)
    )


def test_regions_told_by_the_whole_sample_add_up_to_it(demo, tmp_path):
    found = samples.estimate(demo, demo_sample(demo, tmp_path))
    by = found.regions
    assert set(by["method"]) == {"synthetic"}  # 1500 points are too few for 24 regions with eleven classes each
    assert by["region_id"].nunique() == 24
    for _, group in by.groupby("region_id"):
        assert group["corrected_ha"].sum() == pytest.approx(group["mapped_ha"].sum(), rel=1e-6)
    # Small classes share a stratum, so that they do not add up to the last digit.
    assert by.loc[by["class"] == "forest", "corrected_ha"].sum() == pytest.approx(
        found.estimate.area("forest").value, rel=1e-3
    )
    assert ((by["low"] <= by["corrected_ha"]) & (by["corrected_ha"] <= by["high"] + 1e-6)).all()
    assert any("method synthetic" in n for n in found.notes)


def test_a_region_with_points_of_its_own_is_told_by_them(result, worked):
    found = samples.estimate(result, worked[0])
    by = found.regions[found.regions["method"] == "direct"]
    assert len(by)
    region = by["region_id"].iloc[0]
    forest = by[(by["region_id"] == region) & (by["class"] == "forest")].iloc[0]
    assert forest["se"] > 0
    assert forest["corrected_ha"] < forest["mapped_ha"] * 1.2


def test_the_tables_of_a_sample_are_written(demo, tmp_path):
    path = demo_sample(demo, tmp_path)
    say("sample", "estimate", demo, path, "--out", tmp_path / "t")
    table = pd.read_csv(tmp_path / "t" / "errors_with_sample.csv", encoding="utf-8-sig")
    assert {"class", "quantity", "corrected", "se", "share_area", "share_biomass_map"} <= set(table)
    assert len(pd.read_csv(tmp_path / "t" / "sample_regions.csv", encoding="utf-8-sig")) > 24
