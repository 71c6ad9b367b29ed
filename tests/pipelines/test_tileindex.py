"""Tiles by the thousand: indexes of footprints, GTI and STAC, overlaps counted once, what is missing told."""

import json
import os

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from pipelines.assess.run import assess
from pipelines.assess.study import checked
from pipelines.errors import InputError
from pipelines.inputs import layerfiles, reach, sources
from pipelines.inputs.layerfiles import make_layer
from pipelines.inputs.sources import inspect
from scenes import write_raster

PIXEL, WEST, NORTH = 100.0, 500_000.0, 2_600_000.0


def scene(folder, side=40, rows=4, overlap=0):
    """A map cut into tiles, each ``overlap`` pixels wider than its place; the whole map, paths and footprints."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    whole = rng.choice([10, 20, 30, 40], size=(side * rows, side * rows)).astype(np.uint8)
    paths, shapes = [], []
    for r in range(0, whole.shape[0], side):
        for c in range(0, whole.shape[1], side):
            part = whole[r : r + side + overlap, c : c + side + overlap]
            at = (WEST + PIXEL * c, NORTH - PIXEL * r)
            paths.append(write_raster(folder / f"t_{r}_{c}.tif", part, origin=at, nodata=0))
            shapes.append(box(at[0], at[1] - PIXEL * part.shape[0], at[0] + PIXEL * part.shape[1], at[1]))
    return whole, paths, shapes


def index_of(path, paths, shapes, column="location", **more):
    names = [os.path.relpath(p, path.parent) for p in paths]
    gpd.GeoDataFrame({column: names, **more}, geometry=shapes, crs="EPSG:32649").to_file(path, engine="pyogrio")
    return path


def item(path, tile, number, assets=None):
    data = {
        "data": {
            "href": os.path.relpath(tile, path.parent),
            "type": "image/tiff; application=geotiff",
            "roles": ["data"],
        }
    }
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": f"tile-{number}", "geometry": None, "properties": {}, "links": [],
        "assets": {**(assets or data), "thumbnail": {"href": "t.png", "type": "image/png", "roles": ["thumbnail"]}},
    }  # fmt: skip


def run(folder, landcover, **more):
    given = {"landcover": str(landcover), "legend": "worldcover", "maps": ["ecosystem"], "quiet": True, "draws": 0,
             "climate": "warm_temperate_moist", "parameters": "china", **more}  # fmt: skip
    return assess(checked({**given, "out": str(folder)}))


def areas(result):
    t = result.account.tidy
    return t[(t["quantity"] == "area") & (t["region_id"] == "total")].set_index(["ecosystem", "forest_type"])["value"]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    whole, paths, shapes = scene(folder / "t", overlap=7)
    expected = areas(run(folder / "whole", write_raster(folder / "whole.tif", whole, nodata=0)))
    return folder, paths, shapes, expected


@pytest.mark.parametrize("kind", ["gpkg", "shp", "geojson", "column", "gti", "items", "catalog", "glob", "folder"])
def test_every_kind_of_index_gives_the_account_of_the_whole_map(tiles, tmp_path, kind):
    """Tiles overlap by seven pixels: what two of them show is counted once."""
    _, paths, shapes, expected = tiles
    if kind in ("gpkg", "shp", "geojson"):
        given = index_of(tmp_path / f"index.{kind}", paths, shapes)
    elif kind == "column":
        given = index_of(tmp_path / "index.fgb", paths, shapes, column="Filename", other=range(len(paths)))
    elif kind == "gti":
        index_of(tmp_path / "index.gpkg", paths, shapes, column="where_it_is")
        given = tmp_path / "tiles.gti"
        given.write_text(
            "<GDALTileIndexDataset><IndexDataset>index.gpkg</IndexDataset><LocationField>where_it_is</LocationField>"
            "</GDALTileIndexDataset>"
        )
    elif kind == "items":
        given = tmp_path / "items.json"
        features = [item(given, p, n) for n, p in enumerate(paths)]
        given.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    elif kind == "catalog":
        given = tmp_path / "catalog.json"
        links = []
        for n, p in enumerate(paths):
            child = tmp_path / "items" / f"{n}.json"
            child.parent.mkdir(exist_ok=True)
            child.write_text(json.dumps(item(child, p, n)))
            links.append({"rel": "item", "href": f"./items/{n}.json"})
        sub = {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": "c",
            "links": [*links, {"rel": "root", "href": "catalog.json"}],
        }
        (tmp_path / "collection.json").write_text(json.dumps(sub))
        top = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "top",
            "links": [{"rel": "child", "href": "collection.json"}],
        }
        given.write_text(json.dumps(top))
    else:
        given = paths[0].parent if kind == "folder" else paths[0].parent / "t_*.tif"
    pd.testing.assert_series_equal(areas(run(tmp_path / "out", given)), expected)


def test_one_item_is_a_raster_of_its_own(tiles, tmp_path):
    _, paths, _, _ = tiles
    given = tmp_path / "one.json"
    two = {k: {"href": str(p), "type": "image/tiff"} for k, p in zip(("a", "b"), paths, strict=False)}
    given.write_text(json.dumps(item(given, paths[0], 0, two)))
    with pytest.raises(
        InputError, match=r"tile-0 has several assets or none \(a, b\); say which with --layer agb\.asset=NAME"
    ):
        make_layer("agb", "density", str(given), tmp_path)
    assert make_layer("agb", "density", str(given), tmp_path, asset="b").path == str(paths[1])
    assert make_layer("b", "density", str(given), tmp_path).path == str(paths[1])
    with pytest.raises(InputError, match="has no asset 'c'; it has a, b"):
        make_layer("agb", "density", str(given), tmp_path, asset="c")


def test_tiles_that_are_gone_are_told_and_their_area_is_missing(tiles, tmp_path):
    _, paths, shapes, expected = tiles
    gone = tmp_path / "gone.tif"
    index = index_of(tmp_path / "index.gpkg", [gone, *paths[1:]], shapes)
    with pytest.raises(
        InputError, match=r"1 of the 16 tiles of the index are not there .*gone\.tif.*--allow-missing-tiles"
    ):
        run(tmp_path / "refused", index)
    result = run(tmp_path / "out", index, allow_missing_tiles=True)
    told = " ".join(result.notes)
    assert "1 of 16 tiles are missing" in told
    assert "gone.tif" in told
    assert "leave" in told  # and of what part of the rectangle there is no tile
    got = areas(result)
    lost = got["nodata", "all"]
    assert lost == pytest.approx(40 * 40, rel=1e-3)  # hectares; its neighbours do not reach into its place
    assert got["all", "all"] == pytest.approx(expected["all", "all"], rel=1e-12)


def test_an_index_that_names_nothing_is_told(tiles, tmp_path):
    _, paths, shapes, _ = tiles
    cases = {
        "no_column.gpkg": lambda p: index_of(p, paths, shapes, column="tile"),
        "bad.gti": lambda p: p.write_text("<GDALTileIndexDataset/>"),
        "bomb.gti": lambda p: p.write_text('<!DOCTYPE a [<!ENTITY b "c">]><GDALTileIndexDataset/>'),
        "empty.json": lambda p: p.write_text('{"type": "Catalog", "stac_version": "1.0.0", "links": []}'),
        "broken.json": lambda p: p.write_text(
            '{"type": "Catalog", "stac_version": "1.0.0", "links": [{"rel": "item", "href": "none.json"}]}'
        ),
        "far.json": lambda p: p.write_text(
            '{"type": "Catalog", "stac_version": "1.0.0", "links": [{"rel": "item", "href": "https://example.org/i.json"}]}'
        ),
    }
    words = ["no column of this index names the tiles .*it has tile", "names no <IndexDataset>", "declares a document type",
             "lists no tile", "cannot be read; mend or remove its link", "allow it with --allow-network"]  # fmt: skip
    for (name, make), said in zip(cases.items(), words, strict=True):
        make(tmp_path / name)
        with pytest.raises(InputError, match=said):
            make_layer("landcover", "class", str(tmp_path / name), tmp_path)


def test_an_index_does_not_lead_out_of_the_folders_that_are_allowed(tiles, tmp_path):
    _, paths, shapes, _ = tiles
    index = index_of(tmp_path / "index.gpkg", paths, shapes)
    with pytest.raises(InputError, match="lies outside of"):
        make_layer("landcover", "class", str(index), tmp_path, reach.Permit(folders=(str(tmp_path),)))


def test_a_crs_is_judged_once_however_many_tiles_have_it(tiles, tmp_path, monkeypatch):
    """Parsing and judging one takes longer than opening a tile."""
    _, paths, _, _ = tiles
    judge, seen = sources._judged, []
    monkeypatch.setattr(sources, "_judged", lambda crs: seen.append(crs.name) or judge(crs))
    sources._own_crs.cache_clear()
    make_layer("landcover", "class", [str(p) for p in paths], tmp_path)
    assert seen == ["WGS 84 / UTM zone 49N"]
    with pytest.raises(InputError, match=r"t_0_0\.tif: its CRS '.*' is neither geographic nor projected"):
        make_layer("landcover", "class", [str(p) for p in paths], tmp_path, crs="EPSG:4978")


@pytest.mark.parametrize("quick", [0.0, 60.0])
def test_tiles_of_slow_and_quick_disks_are_the_same(tiles, tmp_path, monkeypatch, quick):
    """Slow ones are opened several at once, in the same order."""
    _, paths, _, _ = tiles
    seen, at_once = [], layerfiles.ThreadPoolExecutor
    monkeypatch.setattr(layerfiles, "_QUICK", quick)
    monkeypatch.setattr(layerfiles, "_TRIED", 4)
    monkeypatch.setattr(layerfiles, "ThreadPoolExecutor", lambda n: seen.append(n) or at_once(n))
    layer = make_layer("landcover", "class", [str(p) for p in paths], tmp_path)
    assert [s.layer.path for s in layerfiles._described(layer, layer.files)] == [str(p) for p in paths]
    assert bool(seen) == (quick == 0.0)


def test_a_tile_of_another_crs_is_told(tiles, tmp_path):
    _, paths, _, _ = tiles
    other = write_raster(tmp_path / "other.tif", np.ones((4, 4), np.uint8), nodata=0, crs="EPSG:32650")
    with pytest.raises(
        InputError, match=r"other\.tif: this landcover tile has the CRS WGS 84 / UTM zone 50N, but .*49N"
    ):
        make_layer("landcover", "class", [str(paths[0]), str(other)], tmp_path)


@pytest.mark.slow
def test_two_thousand_tiles(tmp_path):
    whole, paths, shapes = scene(tmp_path / "t", side=8, rows=45)
    index = index_of(tmp_path / "index.gpkg", paths, shapes)
    found = inspect(make_layer("landcover", "class", str(index), tmp_path))
    assert len(found.layer.files) == 2025
    assert (found.height, found.width) == whole.shape
    got = areas(run(tmp_path / "out", index))
    one = areas(run(tmp_path / "one", write_raster(tmp_path / "whole.tif", whole, nodata=0)))
    pd.testing.assert_series_equal(got, one)


def scaled(path, tile, number, said):
    found = item(path, tile, number)
    found["assets"]["data"] |= said
    return found


@pytest.mark.parametrize(
    "said",
    [
        {"raster:bands": [{"scale": 0.1, "offset": 2.0}]},
        {"bands": [{"raster:scale": 0.1, "raster:offset": 2.0}]},
        {"raster:scale": 0.1, "raster:offset": 2.0},
    ],
    ids=["version 1", "version 2", "asset"],
)
def test_the_scale_that_a_catalogue_tells_is_heeded(tiles, tmp_path, said):
    """10 stored is 3 Mg C/ha, though the files themselves say nothing of a scale."""
    _, paths, _, _ = tiles
    given = tmp_path / "items.json"
    features = [scaled(given, p, n, said) for n, p in enumerate(paths)]
    given.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    layer = layerfiles.make_layer("agc", "density", str(given), tmp_path)
    assert (layer.scale, layer.offset) == (0.1, 2.0)
    found = sources.inspect(layer)
    assert (found.scale, found.offset) == (0.1, 2.0)
    own = layerfiles.make_layer("agc", "density", str(given), tmp_path, scale=0.5)
    assert (own.scale, own.offset) == (0.5, 2.0)  # the user's word goes before the catalogue's


def test_items_that_tell_different_scales_are_refused(tiles, tmp_path):
    _, paths, _, _ = tiles
    given = tmp_path / "items.json"
    features = [scaled(given, p, n, {"raster:scale": 0.1} if n else {}) for n, p in enumerate(paths)]
    given.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(InputError, match=r"agc: the items of the catalogue tell different scales and offsets"):
        layerfiles.make_layer("agc", "density", str(given), tmp_path)
