"""Areas over a change: inside, inside any and outside all are the run, whatever overlaps or lies off the map."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.affinity import rotate
from shapely.geometry import Point, box

from changerun import CODE, change_run, grid_of
from pipelines.change import reserves
from pipelines.errors import InputError, RunError
from pipelines.inputs import zones
from pipelines.inputs.arealayers import layered
from pipelines.inputs.grid import Block

CLASSES = [CODE[c] for c in ("forest/broadleaf", "forest/needleleaf", "cropland", "grassland", "built", "water")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A change of random classes and carbon, with areas that overlap, touch, and reach beyond the map."""
    folder = tmp_path_factory.mktemp("reserves")
    rng = np.random.default_rng(3)
    shape = (150, 170)
    before = np.kron(rng.choice(CLASSES, (15, 17)), np.ones((10, 10))).astype(np.uint8)
    after = np.where(rng.random(shape) < 0.2, rng.choice(CLASSES, shape), before).astype(np.uint8)
    before[rng.random(shape) < 0.02], after[rng.random(shape) < 0.02] = 0, 250
    opening, closing = rng.uniform(10, 250, shape), rng.uniform(10, 250, shape)
    opening[rng.random(shape) < 0.05] = np.nan
    run = change_run(folder / "run", before, after, opening, closing)
    shapes = {
        "disc": Point(106.06, 23.93).buffer(0.04), "turned": rotate(box(106.05, 23.9, 106.12, 23.95), 30),
        "left": box(106.0, 23.86, 106.015, 23.88), "right": box(106.015, 23.86, 106.03, 23.88),
        "beyond": box(106.15, 23.8, 106.25, 23.9), "far": box(107, 20, 107.1, 20.1),
        "inner": Point(106.06, 23.93).buffer(0.01),
    }  # fmt: skip
    frame = gpd.GeoDataFrame(
        {"code": list(shapes), "name": [f"区{n}" for n in range(7)]}, geometry=list(shapes.values()), crs=4326
    )
    frame.to_file(folder / "areas.gpkg", engine="pyogrio")
    return run, folder / "areas.gpkg", frame


@pytest.fixture(scope="module")
def found(scene):
    return reserves.reserves(scene[0], scene[1], block_size=64, workers=2)


def test_inside_any_and_outside_all_are_the_run(scene, found):
    run = pd.read_csv(scene[0] / "transitions.csv")
    keys = ["from_class", "to_class", "process", "quantity"]
    right = run[run["quantity"] != "pixels"].groupby(keys)["value"].sum()
    whole = found.table[found.table["where"].isin(["inside_any", "outside_all"])].groupby(keys)["value"].sum()
    area = right.index.get_level_values("quantity") == "area"
    assert set(whole.index) == set(right.index)
    assert whole[right.index][area].to_numpy() == pytest.approx(right[area].to_numpy(), rel=1e-9)
    half_a_step = 0.05 * right[area].sum()
    for side in ("opening", "closing", "gain", "loss", "change"):
        one = right.index.get_level_values("quantity") == f"{side}_carbon_total"
        assert whole[right.index][one].sum() == pytest.approx(right[one].sum(), rel=1e-6, abs=half_a_step * 1e-3)
    assert all(c.closed for c in found.checks)


def test_each_area_is_told_in_full_by_the_rule_of_regions(scene, found):
    """Against the whole map and each polygon labelled alone."""
    run, path, frame = scene
    grid = grid_of((150, 170))
    block = Block(0, 0, 0, 150, 170)
    with rasterio.open(run / "maps/process.tif") as d:
        told = d.read(1) > 0
    area = np.broadcast_to(grid.area(block), told.shape) / 1e4
    union = np.zeros(told.shape, bool)
    summary = found.summary.set_index("area_id")
    for k, code in enumerate(frame["code"]):
        if code == "far":
            assert summary.loc[code, "area_ha"] == 0
            continue
        frame.iloc[[k]].to_file(path.parent / "one.gpkg", engine="pyogrio")
        inside = zones.label(zones.read_regions(str(path.parent / "one.gpkg"), grid=grid), block) == 1
        union |= inside
        assert summary.loc[code, "area_ha"] == pytest.approx(area[told & inside].sum(), rel=1e-12)
    assert summary.loc["total", "area_ha"] == pytest.approx(area[told & union].sum(), rel=1e-12)
    assert summary.loc["outside", "area_ha"] == pytest.approx(area[told & ~union].sum(), rel=1e-12)
    assert summary["area_ha"].drop(["total", "outside"]).sum() > summary.loc["total", "area_ha"]
    assert "each is told in full" in " ".join(found.notes)


def test_areas_that_overlap_are_in_different_layers_and_neighbours_are_not(scene):
    layers = layered(zones.read_regions(str(scene[1]), grid=grid_of((150, 170)))).layers
    assert sorted(k for layer in layers for k in layer) == list(range(7))
    of = {k: n for n, layer in enumerate(layers) for k in layer}
    assert of[0] != of[1] != of[6] != of[0]
    assert of[2] == of[3]
    assert len(layers) == 3


def test_any_block_size_and_number_of_workers_gives_the_same_tables(scene, found):
    for block, workers in ((33, 1), (1024, 2)):
        other = reserves.reserves(scene[0], scene[1], block_size=block, workers=workers)
        pd.testing.assert_frame_equal(other.table, found.table, rtol=1e-12, atol=1e-9)
        pd.testing.assert_frame_equal(other.summary, found.summary, rtol=1e-12, atol=1e-9)
        assert len(other.patches.frame) == len(found.patches.frame)
    again = reserves.reserves(scene[0], scene[1], block_size=64, workers=1)
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)


def test_patches_listed_and_left_out_are_what_was_built_on(found):
    t = found.table
    taken = t[(t["process"] == "construction_take") & (t["quantity"] == "area") & (t["where"] == "inside")]
    by = taken.groupby("area_id")["value"].sum()
    s = found.summary[found.summary["where"] == "inside"].set_index("area_id")
    assert (s["patches_ha"] + s["small_patches_ha"]).to_numpy() == pytest.approx(
        s["construction_ha"].to_numpy(), rel=1e-12
    )
    assert s["construction_ha"].reindex(by.index).to_numpy() == pytest.approx(by.to_numpy(), rel=1e-12)


def test_classes_at_either_epoch_are_the_margins(found):
    c = found.classes
    for year, which in ((2010, "from_class"), (2020, "to_class")):
        t = found.table[found.table["quantity"] == "area"]
        right = t.groupby(["area_id", which])["value"].sum()
        mine = c[c["year"] == year].set_index(["area_id", "class"])["area_ha"]
        assert mine[right.index].to_numpy() == pytest.approx(right.to_numpy(), rel=1e-12)


def test_ground_outside_the_regions_of_the_run_counts_nowhere(tmp_path):
    shape = (60, 60)
    before = np.full(shape, CLASSES[0], np.uint8)
    after = before.copy()
    after[20:40, 10:50] = CODE["built"]
    half = box(106.0, 23.94, 106.03, 24.0)
    gpd.GeoDataFrame({"code": ["west"]}, geometry=[half], crs=4326).to_file(tmp_path / "half.gpkg", engine="pyogrio")
    inside = np.zeros(shape, bool)
    inside[:, :30] = True
    run = change_run(tmp_path / "run", before, after, np.full(shape, 90.0), np.full(shape, 40.0),
                     regions=tmp_path / "half.gpkg", inside=inside)  # fmt: skip
    gpd.GeoDataFrame({"code": ["all"]}, geometry=[box(106, 23.94, 106.06, 24)], crs=4326).to_file(
        tmp_path / "areas.gpkg"
    )
    found = reserves.reserves(run, tmp_path / "areas.gpkg", block_size=25)
    assert found.patches.frame["pixels"].tolist() == [400]
    s = found.summary.set_index("area_id")
    assert s.loc["all", "area_ha"] == pytest.approx(s.loc["all", "drawn_ha"] / 2, rel=1e-6)
    assert s.loc["outside", "area_ha"] == 0


def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path, scene):
    run, areas, _ = scene
    with pytest.raises(InputError, match="'construction' is no process"):
        reserves.reserves(run, areas, processes=("construction",))
    missing = tmp_path / "lacking"
    (missing / "maps").mkdir(parents=True)
    (missing / "manifest.json").write_text((run / "manifest.json").read_text())
    with pytest.raises(InputError, match="finished 'sinks change'"):
        reserves.reserves(missing, areas)
    gpd.GeoDataFrame({"code": ["x"]}, geometry=[box(10, 10, 11, 11)], crs=4326).to_file(tmp_path / "far.gpkg")
    with pytest.raises(InputError, match="no region overlaps"):
        reserves.reserves(run, tmp_path / "far.gpkg")
    with pytest.raises(InputError, match="there is no such file"):
        reserves.reserves(run, tmp_path / "none.gpkg")


def test_maps_that_are_not_those_of_the_tables_are_refused(tmp_path):
    before = np.full((20, 20), CLASSES[0], np.uint8)
    run = change_run(tmp_path / "run", before, before, np.full((20, 20), 90.0), np.full((20, 20), 90.0))
    with rasterio.open(run / "maps/process.tif", "r+") as d:
        data = d.read(1)
        data[:5] = 0
        d.write(data, 1)
    gpd.GeoDataFrame({"code": ["x"]}, geometry=[box(106, 23.98, 106.02, 24)], crs=4326).to_file(tmp_path / "areas.gpkg")
    with pytest.raises(RunError, match="inside any"):
        reserves.reserves(run, tmp_path / "areas.gpkg")
