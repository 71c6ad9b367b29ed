"""A run is a STAC item, runs are a collection: valid by the core schema, and what it says is what the files are."""

import hashlib
import json
from pathlib import Path

import pyproj
import pystac
import pytest
import rasterio
from click.testing import CliRunner
from pystac.validation import validate_dict
from rasterio.crs import CRS

from pipelines.assess import rollup, run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.outputs import stac
from scenes import small

FIELDS = {
    "proj": {"code", "wkt2", "shape", "transform"},
    "raster": {"sampling", "scale", "offset"},
    "file": {"size", "checksum"},
    "processing": {"software", "lineage"},
    "classification": {"classes"},
}
"""What is used of each extension; each has no other field by its specification but these and those not used."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two years of one region."""
    folder = tmp_path_factory.mktemp("stac")
    options = {"legend": "worldcover", "region_id": "code", "draws": 0, "quiet": True}
    found = []
    for year in (2018, 2023):
        (folder / f"in{year}").mkdir()
        given = {**small(folder / f"in{year}", seed=year), **options, "year": year, "out": str(folder / str(year))}
        found.append(run.assess(checked(given)).out)
    return found


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def core(content):
    """Offline: the core schemas come with pystac, those of extensions do not."""
    return validate_dict({**content, "stac_extensions": []})


def test_the_item_is_valid_and_says_what_the_files_are(runs):
    folder = runs[1]
    item = read(folder / stac.ITEM)
    assert core(item)
    assert item["properties"]["start_datetime"].startswith("2023-01-01")
    assert item["properties"]["end_datetime"].startswith("2023-12-31")
    west, south, east, north = item["bbox"]
    assert 108 < west < east < 113
    assert 22 < south < north < 24
    for asset in item["assets"].values():
        path = folder / asset["href"]
        assert path.is_file()
        if "file:checksum" in asset:
            assert asset["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
            assert asset["file:size"] == path.stat().st_size
    assert {"carbon_total", "ecosystem", "assessment_gpkg", "accounts_parquet", "manifest"} <= set(item["assets"])
    assert stac.ITEM in manifest.read(folder)["outputs"]
    with rasterio.open(folder / "maps" / "carbon_total.tif") as d:
        band = item["assets"]["carbon_total"]["bands"][0]
        assert (band["raster:scale"], band["unit"], band["nodata"]) == (d.scales[0], d.units[0], d.nodata)
        assert band["statistics"]["mean"] == float(d.tags(1)["STATISTICS_MEAN"])
        assert item["properties"]["proj:shape"] == [d.height, d.width]
        assert item["properties"]["proj:transform"] == list(d.transform)[:6]
        assert CRS.from_string(item["properties"]["proj:code"]) == d.crs
        assert item["properties"]["proj:code"] == "EPSG:32649"
        table = rasterio.open(folder / "maps" / "ecosystem.tif").colormap(1)
    classes = item["assets"]["ecosystem"]["classification:classes"]
    assert len({c["value"] for c in classes}) == len(classes) > 10
    assert all(c["color_hint"] == "{:02X}{:02X}{:02X}".format(*table[c["value"]][:3]) for c in classes)
    assert all(c["name"].replace("_", "").isalnum() for c in classes)


def test_fields_are_those_of_the_extensions(runs):
    item = read(runs[0] / stac.ITEM)
    used = {url.split("/")[3] for url in item["stac_extensions"]}
    assert used == {"projection", "raster", "file", "processing", "classification"}
    bands = [b for a in item["assets"].values() for b in a.get("bands", ())]
    keys = [k for part in (item["properties"], *item["assets"].values(), *bands) for k in part if ":" in k]
    for key in set(keys):
        prefix, _, name = key.partition(":")
        assert name in FIELDS[prefix], key


def test_pystac_reads_a_catalogue_of_years(runs, tmp_path):
    done = CliRunner().invoke(
        main, ["catalog", *map(str, runs), "--out", str(tmp_path / "c.json"), "--title", "Two years"]
    )
    assert done.exit_code == 0, done.output
    assert "2 runs, 2018–2023" in done.output
    assert core(read(tmp_path / "c.json"))
    collection = pystac.Collection.from_file(str(tmp_path / "c.json"))
    items = list(collection.get_items(recursive=False))
    assert [i.properties["start_datetime"][:4] for i in items] == ["2018", "2023"]
    assert Path(items[0].get_assets()["carbon_total"].get_absolute_href()).is_file()
    first, last = collection.extent.temporal.intervals[0]
    assert (first.year, last.year) == (2018, 2023)
    assert len(collection.extent.spatial.bboxes) == 3


def test_a_run_without_an_item_gets_one(runs, tmp_path):
    before = read(runs[0] / stac.ITEM)
    (runs[0] / stac.ITEM).unlink()
    stac.write_collection(tmp_path / "c.json", [runs[0]])
    assert read(runs[0] / stac.ITEM)["assets"].keys() == before["assets"].keys()


def test_what_is_no_run_is_told(runs, tmp_path):
    with pytest.raises(InputError, match="there is no manifest"):
        stac.write_collection(tmp_path / "c.json", [tmp_path])
    with pytest.raises(InputError, match="named twice"):
        stac.write_collection(tmp_path / "c.json", [runs[0], runs[0]])
    assert not (tmp_path / "c.json").exists()


def test_a_roll_up_is_an_item_and_leads_to_its_runs(tiles, tmp_path):
    parts = [tiles[name].out for name in ("west", "east")]
    rollup.rollup(parts, tmp_path / "out")
    item = read(tmp_path / "out" / stac.ITEM)
    assert core(item)
    assert "assessment_gpkg" in item["assets"]
    assert item["id"].startswith("sinks-rollup-2023-")
    collection = read(tmp_path / "out" / stac.COLLECTION)
    assert core(collection)
    linked = [tmp_path / "out" / link["href"] for link in collection["links"] if link["rel"] == "item"]
    assert [p.resolve() for p in linked] == [(p / stac.ITEM).resolve() for p in parts]


@pytest.mark.parametrize(
    ("crs", "transform", "south", "north"),
    [
        (3413, (1000, 0, -50_000, 0, -1000, 50_000), 89.35, 90.0),  # around the pole
        (3857, (1000, 0, 20_000_000, 0, -1000, 5_000_000), 40.24, 40.92),  # over the date line
    ],
)
def test_a_grid_that_no_edge_in_degrees_goes_around_has_a_footprint(crs, transform, south, north):
    grid = {"transform": transform, "height": 100, "width": 100, "crs_wkt": pyproj.CRS(crs).to_wkt()}
    west, low, east, high = stac.frame(grid).bounds
    assert (west, east) == (-180, 180)
    assert (low, high) == pytest.approx((south, north), abs=0.01)
