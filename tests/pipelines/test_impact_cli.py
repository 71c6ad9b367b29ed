"""``sinks impact`` from a finished change to its tables: a planted effect and leakage are found, on metres and on degrees."""

import json

import click
import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
import rasterio
from click.testing import CliRunner
from shapely.geometry import Point, box

import impactscene
from impactscene import EFFECT, LEAK, LONLAT, PLACES, SIZE, UTM
from pipelines import cli
from pipelines.change import impact, impactareas, impactunits
from pipelines.errors import InputError
from pipelines.inputs import sources
from pipelines.inputs.grid import Block, Grid
from pipelines.verbs import impactcli

FEW = {"ring_km": 3, "search_km": 25, "units": 400}


@pytest.fixture(scope="module", params=[UTM, LONLAT], ids=["metres", "degrees"])
def scene(request, tmp_path_factory):
    return {**impactscene.scene(tmp_path_factory.mktemp("scene"), request.param), "crs": request.param}


@pytest.fixture(scope="module")
def metres(tmp_path_factory):
    return {**impactscene.scene(tmp_path_factory.mktemp("metres"), UTM, years=(2000, 2010, 2020)), "crs": UTM}


@pytest.fixture(scope="module")
def found(scene):
    return study(scene)


def study(scene, **options):
    own = {"covariates": [f"elevation={scene['elevation']}", f"climate={scene['climate']}"], **FEW, **options}
    return impact.study(scene["run"], scene["areas"], **own)


def say(*arguments, code=0):
    group = click.Group("sinks", commands=[impactcli.command(cli.answers)])
    found = CliRunner().invoke(group, ["impact", *(str(a) for a in arguments)])
    assert found.exit_code == code, found.output
    return found.output


# ------------------------------------------------------------------------------------------ the effect


def test_planted_effect_and_leakage_are_found(found):
    inside, leakage, net = (found.impact.of(part=p) for p in ("inside", "leakage", "net"))
    assert inside.low <= EFFECT <= inside.high
    assert leakage.low <= LEAK <= leakage.high
    assert (inside.verdict, leakage.verdict) == ("matched", "matched")
    assert inside.se < 0.15
    assert inside.naive_mg_c_ha_yr > inside.high  # inside minus outside is not the effect
    truth = (EFFECT * inside.matched_area_ha + LEAK * leakage.matched_area_ha) * 10
    assert net.total_low <= truth <= net.total_high
    assert inside.parallel == ""
    assert any("cannot be tested" in n for n in found.summary["notes"])


def test_units_stand_for_the_land_they_were_drawn_from(scene, found):
    circles = 6 * np.pi * impactscene.RADIUS**2 / 1e4
    assert found.impact.of().area_ha == pytest.approx(circles, rel=0.01)
    assert found.impact.of(part="leakage").area_ha == pytest.approx(3 * circles, rel=0.01)
    sites = found.table[(found.table["part"] == "inside") & (found.table["site_id"] != "total")]
    assert sites["site_id"].tolist() == [f"0{k}" for k in range(1, 7)]
    assert sites["site_name"].iloc[0] == "保护区1"
    assert sites["area_ha"].sum() == pytest.approx(found.impact.of().area_ha)
    assert sites["total_mg_c"].sum() == pytest.approx(found.impact.of().total_mg_c, rel=0.1)


def test_roles_and_distances_are_those_on_the_ground(scene, found):
    u = found.units.to_crs(UTM)
    circles = gpd.read_file(scene["areas"]).to_crs(UTM).geometry
    to_edge = np.array([circles.boundary.distance(p).min() for p in u.geometry])
    inside = np.array([circles.contains(p).any() for p in u.geometry])
    assert ((u["role"] == "inside").to_numpy() == inside).mean() > 0.998  # pixel centres on the line
    np.testing.assert_allclose(u["distance_m"], to_edge, rtol=2e-3, atol=3)  # UTM's own scale is 4e-4 off here
    assert u.loc[u["role"] == "ring", "distance_m"].max() <= 3010
    assert u.loc[u["role"] == "outside", "distance_m"].min() >= 2990
    assert u.loc[u["role"] == "outside", "distance_m"].max() <= 25_050
    assert u["role"].value_counts().to_dict() == {"outside": 2000, "inside": 400, "ring": 400}


def test_values_of_units_are_those_of_the_maps(scene, found):
    west, north, pixel = PLACES[scene["crs"]]
    col = ((found.units["x"] - west) / pixel).astype(int).to_numpy()
    row = ((north - found.units["y"]) / pixel).astype(int).to_numpy()
    assert found.units["unit_id"].tolist() == [f"r{r}c{c}" for r, c in zip(row, col, strict=True)]
    assert ((found.units["ecosystem"] == "forest").to_numpy() == scene["forest"][row, col]).all()
    assert (row >= 5).all()  # nodata
    assert (row < SIZE - 4).all()  # a class the legend does not know
    assert (found.units["climate"].astype(int).to_numpy() == np.where(col < SIZE // 2, 3, 4)).all()
    change = impactunits.values(
        sources.inspect(sources.Layer("change", "density", str(scene["run"] / "maps" / "carbon_change.tif"))),
        pyproj.CRS(scene["crs"]), found.units["x"].to_numpy(), found.units["y"].to_numpy(),
    )  # fmt: skip
    np.testing.assert_allclose(found.units["change_mg_c_ha_yr"], change / 10)


def test_edge_of_the_ecosystem_by_brute_force(scene, found):
    pixel = PLACES[scene["crs"]][2]
    geod = pyproj.Geod(ellps="WGS84")
    forest = scene["forest"]
    reach = found.units["edge_distance_m"].max()
    some = found.units[found.units["edge_distance_m"] < 500].iloc[::150]
    for unit in some.itertuples():
        row, col = map(int, unit.unit_id[1:].split("c"))
        if min(row, col, SIZE - row, SIZE - col) < 40:
            continue
        rows, cols = np.nonzero(forest[row - 12 : row + 13, col - 12 : col + 13] != forest[row, col])
        dx, dy = (cols - 12) * pixel, (rows - 12) * pixel
        if scene["crs"] == UTM:
            nearest = np.hypot(dx, dy).min()
        else:
            nearest = geod.inv(np.full(dx.shape, unit.x), np.full(dx.shape, unit.y), unit.x + dx, unit.y - dy)[2].min()
        assert unit.edge_distance_m == pytest.approx(nearest, rel=2e-3)
    assert len(some) > 3
    assert 800 < reach < 1200


def test_water_is_matched_with_water_and_its_part_of_the_effect_is_none(tmp_path):
    found = study({**impactscene.scene(tmp_path, lakes=True), "crs": UTM}, ring_km=0)
    water = found.units[found.units["ecosystem"] == "water"]
    assert (water["stock_mg_c_ha"] == 0).all()
    inside = water["role"] == "inside"
    assert (water.loc[inside, "matched"] == "yes").mean() > 0.8
    share = water.loc[inside, "area_ha"].sum() / found.impact.of().area_ha
    assert share > 0.1
    row = found.impact.of()
    assert row.low <= EFFECT * (1 - share) <= row.high


def test_the_same_seed_gives_the_same_and_other_blocks_too(scene, found, monkeypatch):
    monkeypatch.setattr(impactunits, "_BLOCK", 217)
    monkeypatch.setattr(impactunits, "_TILE", 100)
    again = study(scene)
    pd.testing.assert_frame_equal(again.table, found.table, rtol=1e-9)
    assert again.units["unit_id"].tolist() == found.units["unit_id"].tolist()


# ------------------------------------------------------------------------------------------ the command line


def test_by_the_command_line(scene, tmp_path):
    out = tmp_path / "影响 1"
    options = ["--areas", scene["areas"], "--id", "code", "--name", "name", "--ring", 3, "--search", 25, "--units", 300]
    more = ["--covariate", f"elevation={scene['elevation']}", "--category", f"zone={scene['climate']}", "--out", out]
    text = say(scene["run"], *options, *more)
    assert "total" in text
    assert "保护区1" in text
    assert "Controls for pixels inside match" in text
    table = pd.read_csv(out / "impact.csv", dtype={"site_id": str})
    assert len(table) == 7 * 3
    whole = table.query("site_id == 'total' and part == 'inside'").iloc[0]
    assert whole.low <= EFFECT <= whole.high
    balance = pd.read_csv(out / "impact_balance.csv", dtype={"site_id": str})
    assert set(balance["covariate"]) == {"stock_mg_c_ha", "edge_distance_m", "elevation", "slope"}
    units = pyogrio.read_dataframe(out / "impact_units.gpkg", layer="units")
    assert units.crs.to_epsg() == 4326
    assert len(units) == 300 * 7
    used = units[units["matched"] == "yes"]
    names = units.set_index("unit_id")["role"]
    assert {names[c] for text in used["controls"] for c in text.split(",")} == {"outside"}
    assert sorted(p.name for p in out.iterdir()) == ["impact.csv", "impact_balance.csv", "impact_units.gpkg"]


def test_as_json_without_a_ring(metres):
    told = json.loads(
        say(metres["run"], "--areas", metres["areas"], "--ring", 0, "--search", 20, "--units", 200, "--json")
    )
    assert {r["part"] for r in told["effects"]} == {"inside"}
    assert told["units"] == {"outside": 1000, "inside": 200}
    assert told["matched_alike_in"] == ["ecosystem"]


def test_years_before_the_start_are_a_test_of_trends(metres):
    found = study(metres, start=2012, ring_km=0)
    row = found.impact.of()
    assert (found.summary["before"], found.summary["after"]) == (2010, 2020)
    assert row.low <= EFFECT <= row.high
    assert row.parallel == "yes"
    assert any("difference of two epochs" in n for n in found.summary["notes"])
    assert "pre_change_mg_c_ha_yr" in found.units
    trend = study(metres, start=2012, ring_km=0, match_trend=True)
    assert "pre_change" in set(trend.impact.balance["covariate"])


# ------------------------------------------------------------------------------------------ areas


def write_areas(path, shapes, crs=UTM):
    frame = gpd.GeoDataFrame({"code": [f"a{k}" for k in range(len(shapes))]}, geometry=shapes, crs=crs)
    frame.to_file(path, engine="pyogrio")
    return path


def test_controls_that_are_not_there_are_said(metres, tmp_path):
    west, north, pixel = PLACES[UTM]
    whole = write_areas(tmp_path / "all.gpkg", [box(west, north - SIZE * pixel, west + SIZE * pixel, north)])
    text = say(metres["run"], "--areas", whole, "--units", 100)
    assert "No control was found for any pixel inside: there is no estimate." in text


def test_an_area_off_the_map_is_told_and_costs_nothing(metres, tmp_path):
    west, north, _ = PLACES[UTM]
    path = write_areas(
        tmp_path / "two.gpkg",
        [Point(west + 30_000, north - 30_000).buffer(3000), box(west - 90_000, north - 9000, west - 80_000, north)],
    )
    found = impact.study(metres["run"], path, **FEW)
    away = found.table.set_index(["site_id", "part"]).loc[("a1", "inside")]
    assert (away["verdict"], away["units"]) == ("no controls", 0)
    assert any("no pixel that all epochs tell lies in: a1" in n for n in found.summary["notes"])
    assert found.impact.of("a0").verdict == "matched"


def test_rings_have_their_width_on_any_grid(tmp_path):
    """Of the Mercator of web maps, at 60° north: twice too long on the map."""
    crs = pyproj.CRS(3857)
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(110, 60)
    grid = Grid(crs.to_wkt(), (200.0, 0.0, x - 40_000, 0.0, -200.0, y + 40_000), 400, 400)
    shape = gpd.GeoSeries([Point(0, 0).buffer(4000, quad_segs=64)], crs="+proj=aeqd +lon_0=110 +lat_0=60").to_crs(4326)
    path = write_areas(tmp_path / "a.gpkg", shape.to_list(), 4326)
    found = impactareas.read_areas(path, grid, ring_m=2000, search_m=8000)
    block = Block(0, 0, 0, 400, 400)
    area = np.broadcast_to(grid.area(block), (400, 400)) / 1e4
    stratum = found.stratum(block)
    sizes = [area[stratum == k].sum() for k in range(3)]
    rings = np.pi * np.array([4000**2, 6000**2 - 4000**2, 12_000**2 - 6000**2]) / 1e4
    np.testing.assert_allclose(sizes, rings, rtol=0.01)
    assert found.ring_ha[0] == pytest.approx(rings[1], rel=0.005)


def test_a_ring_across_the_date_line_stays_in_one_piece(tmp_path):
    grid = Grid(pyproj.CRS(4326).to_wkt(), (0.01, 0.0, 170.0, 0.0, -0.01, 5.0), 1000, 1000)
    path = write_areas(tmp_path / "a.gpkg", [box(179.5, -0.5, 179.9, 0.5)], 4326)
    found = impactareas.read_areas(path, grid, ring_m=30_000, search_m=60_000)
    stratum = found.stratum(Block(0, 0, 0, 1000, 1000))
    assert (stratum[:, :850] == -1).all()
    assert (stratum[500, 990:] == 1).all()


# ------------------------------------------------------------------------------------------ reading


def test_slope_in_true_units_on_degrees(tmp_path, raster):
    """A plane that rises 100 m in a kilometre eastwards, at 60° north."""
    geod = pyproj.Geod(ellps="WGS84")
    step = geod.inv(100.0, 60.0, 100.01, 60.0)[2]
    data = np.tile(np.arange(40) * step * 0.1, (40, 1)).astype(np.float32)
    source = sources.inspect(sources.Layer("elevation", "density", raster(data, origin=(100.0, 60.2))))
    x, y = np.array([100.2051, 100.0001]), np.array([60.0049, 60.0])
    found = impactunits.slope(source, pyproj.CRS(4326), x, y)
    assert found[0] == pytest.approx(np.degrees(np.arctan(0.1)), rel=2e-3)
    assert np.isnan(found[1])  # at the edge
    moved = pyproj.Transformer.from_crs(4326, 32647, always_xy=True).transform(x, y)
    np.testing.assert_allclose(impactunits.slope(source, pyproj.CRS(32647), *map(np.asarray, moved)), found)


def test_values_off_a_raster_and_on_nodata_are_none(raster):
    data = np.array([[1, 255], [3, 4]], np.uint8)
    source = sources.inspect(sources.Layer("zone", "class", raster(data, nodata=255)))
    x, y = np.array([100.005, 100.015, 100.005, 99.0]), np.array([29.995, 29.995, 29.985, 29.995])
    np.testing.assert_array_equal(impactunits.values(source, pyproj.CRS(4326), x, y), [1, np.nan, 3, np.nan])


def test_climate_is_a_category_whichever_way_it_is_given(metres, tmp_path):
    climate = f"climate={metres['climate']}"
    for given in (([climate], []), ([], [climate])):
        found = impactunits.covariates(*given, tmp_path)
        assert (list(found.numbers), list(found.classes)) == ([], ["climate"])


# ------------------------------------------------------------------------------------------ what cannot be used


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ring_km": 30}, "wider search"),
        ({"units": 11}, "raise --units to 12"),
        ({"controls": 0}, "one at least"),
        ({"seed": -1}, "--seed is -1"),
        ({"start": 1990}, "give a start"),
        ({"match_trend": True}, "--match-trend needs two epochs"),
        ({"id_column": "nr"}, "no column 'nr'"),
        ({"covariates": ["elevation"]}, "not NAME=FILE"),
        ({"covariates": ["elevation=nowhere.tif"]}, "no such file"),
        ({"covariates": ["change=nowhere.tif"]}, "cannot be called so"),
    ],
)
def test_what_cannot_be_used_is_said(metres, options, says):
    with pytest.raises(InputError, match=says):
        impact.study(metres["run"], metres["areas"], **{**FEW, **options})


def test_elevations_in_feet_are_refused(metres, raster):
    path = raster(np.ones((5, 5), np.float32))
    with rasterio.open(path, "r+") as d:
        d.units = ("ft",)
    with pytest.raises(InputError, match="convert them to metres"):
        impact.study(metres["run"], metres["areas"], covariates=[f"elevation={path}"], **FEW)


def test_another_run_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    assert "no change but another run" in say(tmp_path, "--areas", tmp_path / "a.gpkg", code=2)
