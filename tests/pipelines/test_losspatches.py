"""Patches of loss: the same features however the map is cut, with their true area."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio.features
import shapely
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry import box

from changerun import CODE, PROCESS, change_run, grid_of
from pipelines.change import reserves
from pipelines.inputs import polygons
from pipelines.inputs.grid import Block

FOREST, CROP, BUILT = CODE["forest/broadleaf"], CODE["cropland"], CODE["built"]
PIXEL = 0.001


def built_run(folder, taken, *, crs="EPSG:4326", origin=(106.0, 24.0), pixel=PIXEL, before=None):
    """A change in which the land ``taken`` was built on; all else stays. Carbon 120 of forest, 60 of cropland, 20 of built land."""
    before = np.full(taken.shape, FOREST, np.uint8) if before is None else before
    after = np.where(taken, BUILT, before).astype(np.uint8)
    held = {FOREST: 120.0, CROP: 60.0, BUILT: 20.0}
    opening, closing = (np.vectorize(held.get)(x) for x in (before, after))
    return change_run(
        folder, before, after, opening, closing, grid=grid_of(taken.shape, crs=crs, origin=origin, pixel=pixel)
    )


def areas_file(path, shapes, crs="EPSG:4326", ids=None):
    frame = gpd.GeoDataFrame({"code": ids or [f"A{n}" for n in range(len(shapes))]}, geometry=list(shapes), crs=crs)
    frame.to_file(path, engine="pyogrio")
    return path


def whole(shape, origin=(106.0, 24.0), pixel=PIXEL):
    return box(origin[0], origin[1] - shape[0] * pixel, origin[0] + shape[1] * pixel, origin[1])


def spiral(size, gap=3):
    """A line that winds inwards, as one connected patch."""
    found = np.zeros((size, size), bool)
    top, left, bottom, right = 1, 1, size - 2, size - 2
    while right - left > gap and bottom - top > gap:
        found[top, left : right + 1] = True
        found[top : bottom + 1, right] = True
        found[bottom, left + gap : right + 1] = True
        found[top + gap : bottom + 1, left + gap] = True
        found[top + gap, left + gap : left + gap + 1] = True
        top, left, bottom, right = top + gap, left + gap, bottom - gap, right - gap
        found[top, left] = True
    return found


def test_a_spiral_over_many_blocks_is_one_feature(tmp_path):
    taken = spiral(150)
    _label, n = ndimage.label(taken, structure=np.ones((3, 3)))
    assert n == 1
    run = built_run(tmp_path / "run", taken)
    areas = areas_file(tmp_path / "areas.gpkg", [whole(taken.shape)])
    found = [reserves.reserves(run, areas, block_size=b, minimum_ha=0, workers=2).patches.frame for b in (23, 64, 1024)]
    grid = grid_of(taken.shape)
    true = float((np.broadcast_to(grid.area(Block(0, 0, 0, 150, 150)), taken.shape)[taken]).sum()) / 1e4
    for frame in found:
        assert len(frame) == 1
        assert frame["pixels"].item() == taken.sum()
        assert frame["area_ha"].item() == pytest.approx(true, rel=1e-12)
        assert frame["change_mg_c"].item() == pytest.approx(-100 * true, rel=1e-6)
        assert frame.geometry.is_valid.all()
        assert frame.geometry.geom_equals(found[0].geometry).all()
        burnt = rasterio.features.rasterize(frame.geometry, taken.shape, transform=Affine(*grid.transform))
        assert (burnt.astype(bool) == taken).all()
        on_ellipsoid = polygons.hectares(frame.geometry.to_numpy(), grid.crs)[0]
        assert on_ellipsoid == pytest.approx(true, rel=1e-9)


@pytest.mark.parametrize(("seed", "share"), [(1, 0.05), (2, 0.3), (3, 0.45), (4, 0.7)])
def test_random_patches_are_those_of_the_whole_map(tmp_path, seed, share):
    rng = np.random.default_rng(seed)
    shape = (70, 83)
    taken = rng.random(shape) < share
    before = np.where(rng.random(shape) < 0.5, FOREST, CROP).astype(np.uint8)
    run = built_run(tmp_path / "run", taken, before=before)
    areas = areas_file(tmp_path / "areas.gpkg", [whole(shape)])
    least = 3.2
    label, n = ndimage.label(taken, structure=np.ones((3, 3)))
    area = np.broadcast_to(grid_of(shape).area(Block(0, 0, 0, *shape)), shape) / 1e4
    sizes = ndimage.sum(area, label, np.arange(1, n + 1))
    right = np.sort(sizes[sizes >= least])[::-1]
    for block in (17, 32, 256):
        result = reserves.reserves(run, areas, block_size=block, minimum_ha=least, workers=2)
        frame = result.patches.frame
        assert frame.geometry.is_valid.all()
        assert frame["area_ha"].to_numpy() == pytest.approx(right, rel=1e-12)
        assert frame["rank"].tolist() == list(range(1, right.size + 1))
        left_out = result.patches.left_out
        assert left_out["patches"].sum() == n - right.size
        assert frame["area_ha"].sum() + left_out["area_ha"].sum() == pytest.approx(float(area[taken].sum()), rel=1e-12)
        assert polygons.hectares(frame.geometry.to_numpy(), grid_of(shape).crs) == pytest.approx(right, rel=1e-9)
        for row in frame.itertuples():
            spot = shapely.Point(row.lon, row.lat)
            assert row.geometry.covers(spot)
            mix = dict(part.rsplit(" ", 2)[:2] for part in row.from_class_mix.split("; "))
            assert sum(map(float, mix.values())) == pytest.approx(row.area_ha, abs=0.02)
            assert row.from_class == next(iter(mix))


def test_pixels_that_meet_at_a_corner_of_four_blocks_are_one_patch(tmp_path):
    taken = np.zeros((20, 20), bool)
    taken[9, 9] = taken[10, 10] = True  # blocks of 10 meet here
    taken[4, 10] = taken[5, 9] = True  # and from right to left
    taken[15:18, 2] = taken[16, 4] = True  # a gap of one pixel parts
    run = built_run(tmp_path / "run", taken)
    areas = areas_file(tmp_path / "areas.gpkg", [whole((20, 20))])
    frame = reserves.reserves(run, areas, block_size=10, minimum_ha=0, workers=2).patches.frame
    assert sorted(frame["pixels"]) == [1, 2, 2, 3]
    two = frame[frame["pixels"] == 2]
    assert (two.geom_type == "MultiPolygon").all()
    assert two.geometry.is_valid.all()


def test_the_edge_of_an_area_ends_a_patch_and_overlapping_areas_have_it_both(tmp_path):
    taken = np.zeros((40, 40), bool)
    taken[10:12, 5:35] = True
    run = built_run(tmp_path / "run", taken)
    west, east = box(106, 23.96, 106.02, 24), box(106.02, 23.96, 106.04, 24)
    middle = box(106.012, 23.96, 106.03, 24)
    areas = areas_file(tmp_path / "areas.gpkg", [west, east, middle], ids=["west", "east", "middle"])
    frame = reserves.reserves(run, areas, block_size=16, minimum_ha=0).patches.frame
    assert dict(zip(frame["area_id"], frame["pixels"], strict=True)) == {"west": 30, "east": 30, "middle": 36}
    assert frame["area_id"].iloc[0] == "middle"


def test_other_processes_can_be_asked_for_and_are_one_patch_together(tmp_path):
    before = np.full((10, 10), FOREST, np.uint8)
    after = before.copy()
    after[2, 2:5], after[2, 5:7] = BUILT, CROP
    run = change_run(tmp_path / "run", before, after, np.full((10, 10), 100.0), np.where(after == before, 100.0, 30.0))
    areas = areas_file(tmp_path / "areas.gpkg", [whole((10, 10))])
    assert set(np.unique(rasterio.open(run / "maps/process.tif").read(1))) == {
        PROCESS["stable"], PROCESS["construction_take"], PROCESS["deforestation"]
    }  # fmt: skip
    alone = reserves.reserves(run, areas, minimum_ha=0).patches.frame
    both = reserves.reserves(run, areas, minimum_ha=0, processes=("construction_take", "deforestation")).patches.frame
    assert alone["pixels"].tolist() == [3]
    assert both["pixels"].tolist() == [5]
    assert both["process"].item() == "construction_take"
    assert [p.split()[0] for p in both["process_mix"].item().split("; ")] == ["construction_take", "deforestation"]
    assert both["loss_mg_c"].item() == pytest.approx(-70 * both["area_ha"].item(), rel=1e-6)
    assert (both["year_from"].item(), both["year_to"].item()) == (2010, 2020)


def test_the_geopackage_holds_the_patches_largest_first(tmp_path):
    rng = np.random.default_rng(5)
    taken = ndimage.binary_dilation(rng.random((60, 60)) < 0.01)
    run = built_run(tmp_path / "run", taken, crs="EPSG:32648", origin=(500_000.0, 2_600_000.0), pixel=30.0)
    shape = box(500_100, 2_600_000 - 1700, 501_700, 2_599_900)
    areas = areas_file(tmp_path / "areas.gpkg", [shape], crs="EPSG:32648")
    found = reserves.reserves(run, areas, minimum_ha=0.4)
    paths = reserves.write(found, tmp_path / "out")
    assert all(p.is_file() for p in paths)
    gpkg = tmp_path / "out" / "reserves.gpkg"
    assert "loss_patches" in dict(pyogrio.list_layers(gpkg))
    frame = pyogrio.read_dataframe(gpkg, layer="loss_patches")
    assert frame.crs.to_epsg() == 32648
    assert len(frame) == len(found.patches.frame) > 3
    assert frame["area_ha"].is_monotonic_decreasing
    assert frame["area_ha"].min() >= 0.4
    assert polygons.hectares(frame.geometry.to_numpy(), frame.crs) == pytest.approx(
        frame["area_ha"].to_numpy(), rel=1e-6
    )
    styles = pyogrio.read_dataframe(gpkg, layer="layer_styles")
    assert "loss_patches" in set(styles["f_table_name"])


def test_no_patch_is_an_empty_layer(tmp_path):
    run = built_run(tmp_path / "run", np.zeros((20, 20), bool))
    areas = areas_file(tmp_path / "areas.gpkg", [whole((20, 20))])
    found = reserves.reserves(run, areas)
    assert found.patches.frame.empty
    reserves.write(found, tmp_path / "out")
    assert pyogrio.read_info(tmp_path / "out" / "reserves.gpkg", layer="loss_patches")["features"] == 0
    assert "0 patches" in reserves.text(found)
