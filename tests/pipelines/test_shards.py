"""Maps left in their blocks: one layer to every reader, the same pixels and the same words as the one file."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import fsspec
import numpy as np
import pystac
import pytest
import rasterio
from click.testing import CliRunner
from pystac.validation import validate_dict
from rasterio.windows import Window

from objectstore import BUCKET, serving
from pipelines.assess import check, rollup, run
from pipelines.assess.study import checked
from pipelines.change import change as changing
from pipelines.change import changestudy, rerun
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.export import export
from pipelines.files import digest, manifest, runmaps, store
from pipelines.outputs import shardmap, stac, virtual
from pipelines.work import walk
from scenes import small, write_raster
from test_resume import blocks_worked_on, same
from test_rollup import PIXEL, WEST, tile_run

NAMES = ("carbon_total", "ecosystem", "stock_volume")
SIZE = 2300
"""Nine blocks of 1024."""
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Options of a run with a block in which nothing is known."""
    folder = tmp_path_factory.mktemp("shards")
    found = small(folder, size=SIZE)
    with rasterio.open(found["landcover"], "r+") as d:
        d.write(np.zeros((1024, 1024), np.uint8), 1, window=Window(1024, 0, 1024, 1024))
    return {
        **found, "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "year": 2020, "draws": 0,
        "block_size": 1024, "workers": 2, "quiet": True, "maps": list(NAMES), "region_id": "code",
    }  # fmt: skip


def made(given, out, **more):
    return run.assess(checked({**given, "out": str(out), **more}))


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory):
    return made(given, tmp_path_factory.mktemp("whole") / "run").out


@pytest.fixture(scope="module")
def sharded(given, tmp_path_factory):
    return made(given, tmp_path_factory.mktemp("sharded") / "run", map_layout="shards").out


def seen(path):
    """All that a reader sees of a map but its pixels and where they lie."""
    with rasterio.open(path) as d:
        kept = ("width", "height", "crs", "transform", "dtypes", "nodata", "descriptions", "units", "scales", "offsets",
                "colorinterp", "block_shapes", "masks")  # fmt: skip
        found = {k: getattr(d, k) for k in kept if k != "masks"}
        colors = d.colormap(1) if d.colorinterp[0].name == "palette" else None
        return found | {"tags": d.tags(), "band": d.tags(1), "overviews": d.overviews(1), "colors": colors}


def assert_alike(one, two):
    """Two maps say the same and have the same pixels at every level."""
    assert seen(one) == seen(two)
    for level in (None, *range(len(seen(one)["overviews"]))):
        how = {} if level is None else {"overview_level": level}
        with rasterio.open(one, **how) as a, rasterio.open(two, **how) as b:
            np.testing.assert_array_equal(a.read(1), b.read(1))


# ------------------------------------------------------------------------------------------ the layer


@pytest.mark.parametrize("name", NAMES)
def test_a_map_in_shards_is_the_one_file_to_a_reader(whole, sharded, name):
    one, two = runmaps.path(whole, name), runmaps.path(sharded, name)
    assert (one.suffix, two.suffix) == (".tif", ".vrt")
    assert len(seen(two)["overviews"]) == 3
    assert_alike(one, two)
    for ending in (".qml",):
        assert one.with_suffix(ending).read_bytes() == two.with_suffix(ending).read_bytes()
    assert one.with_name(f"{name}.tif.aux.xml").read_bytes() == two.with_name(f"{name}.vrt.aux.xml").read_bytes()


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="gdalinfo is not installed (apt-get install gdal-bin)")
@pytest.mark.parametrize("name", NAMES)
def test_gdal_sees_histogram_names_and_table_too(whole, sharded, name):
    def info(path):
        done = subprocess.run(["gdalinfo", "-json", "-hist", str(path)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        found["axes"] = found["coordinateSystem"][
            "dataAxisToSRSAxisMapping"
        ]  # that it is the same CRS is seen elsewhere
        return {k: found[k] for k in ("bands", "size", "axes", "geoTransform", "rat") if k in found}

    path = runmaps.path(sharded, name)
    before = path.read_bytes()
    one, two = info(runmaps.path(whole, name)), info(path)
    assert one == two
    assert one["bands"][0]["histogram"]["buckets"]
    assert ("rat" in one or "category" in str(one)) or name != "ecosystem"
    assert path.read_bytes() == before  # there was nothing that GDAL had to compute and to write down


def test_what_is_in_the_folder(sharded):
    maps = sharded / "maps"
    expected = {f"{n}{e}" for n in NAMES for e in ("", ".vrt", ".vrt.ovr", ".vrt.aux.xml", ".qml")}
    assert {p.name for p in maps.iterdir()} == expected
    held = {p.name for p in (maps / "ecosystem").iterdir()}
    assert len(held) == 8  # of nine blocks one is nodata
    assert "ecosystem.0.1024.tif" not in held
    sources = [e.text for e in ET.parse(maps / "ecosystem.vrt").iter("SourceFilename")]
    assert {Path(s).name for s in sources} == held
    assert all(s == f"ecosystem/{Path(s).name}" for s in sources)


def test_all_else_of_the_run_is_the_same(whole, sharded):
    one, two = (manifest.read(p)["outputs"] for p in (whole, sharded))
    tables = [n for n in one if n.endswith((".csv", ".parquet"))]
    assert len(tables) > 8
    assert all(one[n] == two[n] for n in tables)
    assert not manifest.damaged(sharded, manifest.read(sharded), list(two))
    assert {str(p.relative_to(sharded)) for p in sharded.rglob("*") if p.is_file()} - set(two) == {
        "manifest.json",
        "run.log",
    }


@pytest.mark.parametrize("more", [{"block_size": 2048, "workers": 1}, {"block_size": 3072}])
def test_other_blocks_and_workers_change_no_pixel(given, whole, sharded, tmp_path, more):
    out = made(given, tmp_path / "run", map_layout="shards", **more).out
    for name in NAMES:
        assert_alike(runmaps.path(whole, name), runmaps.path(out, name))
        for ending in (".vrt.ovr", ".vrt.aux.xml", ".qml"):
            file = f"maps/{name}{ending}"
            assert (out / file).read_bytes() == (sharded / file).read_bytes(), file


def test_floats_and_a_map_of_one_tile(tmp_path):
    options = {**small(tmp_path, size=300), "legend": "worldcover", "draws": 0, "quiet": True, "maps": list(NAMES)}
    one = made(options, tmp_path / "one", map_type="float32").out
    two = made(options, tmp_path / "two", map_type="float32", map_layout="shards").out
    for name in NAMES:
        assert_alike(runmaps.path(one, name), runmaps.path(two, name))
    assert not list(two.rglob("*.ovr"))


def test_a_map_of_nothing_is_a_layer_of_nodata(tmp_path):
    options = {**small(tmp_path, size=600), "legend": "worldcover", "draws": 0, "quiet": True, "maps": list(NAMES)}
    cover = np.full((600, 600), 80, np.uint8)  # water has no stock
    options["landcover"] = str(write_raster(tmp_path / "lc.tif", cover, nodata=0))
    one, two = (made(options, tmp_path / k, map_layout=k).out for k in ("whole", "shards"))
    for name in NAMES:
        assert_alike(runmaps.path(one, name), runmaps.path(two, name))
    assert not (two / "maps" / "stock_volume").exists()
    assert runmaps.names(two) == sorted(NAMES)
    item = pystac.Item.from_file(str(two / "stac" / "0.0.json"))
    assert "stock_volume" not in item.assets


def test_the_folder_may_be_moved(sharded, tmp_path):
    there = shutil.copytree(sharded, tmp_path / "elsewhere")
    with (
        rasterio.open(runmaps.path(there, "carbon_total")) as d,
        rasterio.open(runmaps.path(sharded, "carbon_total")) as e,
    ):
        np.testing.assert_array_equal(d.read(1), e.read(1))
    assert str(sharded) not in (there / "maps" / "carbon_total.vrt").read_text()


def test_the_room_on_disk_is_told(given):
    asked = {**given, "out": "unused"}
    one, two = (mapped["disk_gib_at_most"] for mapped in (
        check.check(checked({**asked, "map_layout": k})) for k in ("whole", "shards")))  # fmt: skip
    assert two <= one
    with pytest.raises(InputError, match=r"--map-layout is 'tiles' \(known: shards, whole\)"):
        checked({**asked, "map_layout": "tiles"})


def test_a_run_of_the_one_layout_takes_the_place_of_the_other(given, whole, tmp_path):
    made(given, tmp_path / "run", map_layout="shards")
    made(given, tmp_path / "run", overwrite=True)
    same(tmp_path / "run", whole)
    assert not [p for p in (tmp_path / "run" / "maps").iterdir() if p.is_dir()]
    assert not (tmp_path / "run" / "stac").exists()


# ------------------------------------------------------------------------------------------ a run that dies


KILLED = """
import json, os, signal, sys
from pathlib import Path
from pipelines.assess import run
from pipelines.assess.study import checked
left, watched = int(sys.argv[1]), sys.argv[2]
replace = Path.replace

def dying(self, target):
    global left
    if watched in str(target):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    return replace(self, target)

Path.replace = dying
run.assess(checked(json.load(sys.stdin)))
"""


@pytest.mark.parametrize(
    ("after", "where"),
    [
        (0, "finished/maps/"),
        (3, "finished/maps/carbon_total/"),
        (7, "finished/maps/ecosystem/"),
        (5, "run/maps/ecosystem/"),
    ],
)
def test_a_kill_among_the_moves_and_run_again(given, sharded, tmp_path, monkeypatch, after, where):
    """In the finish and in publishing: not a block is done again, and all is the same."""
    asked = {**given, "out": str(tmp_path / "run"), "map_layout": "shards"}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(after), where], input=json.dumps(asked), text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "run" / "manifest.json").exists()
    assert blocks_worked_on(monkeypatch, asked, tmp_path / "run") == []
    same(tmp_path / "run", sharded)


@pytest.mark.parametrize("what", ["shard", "overviews", "virtual"])
def test_a_map_that_is_damaged_before_it_is_published_is_made_again(given, sharded, tmp_path, monkeypatch, what):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(walk.Walk, "sign", lambda self, *told: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made(given, out, map_layout="shards")
    maps = out / ".work" / "finished" / "maps"
    name = {"shard": "ecosystem/ecosystem.1024.1024.tif", "overviews": "ecosystem.vrt.ovr", "virtual": "ecosystem.vrt"}[
        what
    ]
    data = bytearray((maps / name).read_bytes())
    data[len(data) // 2] ^= 1
    (maps / name).write_bytes(data)
    assert blocks_worked_on(monkeypatch, {**given, "map_layout": "shards"}, out)
    same(out, sharded)


def test_shards_are_moved_and_not_read_again(given, tmp_path, monkeypatch):
    read, of = [], digest.of
    monkeypatch.setattr(digest, "of", lambda path: read.append(path.name) or of(path))
    finish = shardmap.finish_map

    def watched(*a, **k):
        read.clear()
        return finish(*a, **k)

    monkeypatch.setattr(shardmap, "finish_map", watched)
    made(given, tmp_path / "run", map_layout="shards", workers=1, maps=["ecosystem"])
    assert [name for name in read if name.endswith((".tif", ".ovr"))] == []


# ------------------------------------------------------------------------------------------ STAC


def test_the_item_of_the_run_leads_to_the_virtual_rasters(whole, sharded):
    one, two = (json.loads((p / stac.ITEM).read_text()) for p in (whole, sharded))
    assert validate_dict({**two, "stac_extensions": []})
    assert {*NAMES} < {*two["assets"]}
    for name in NAMES:
        asset = two["assets"][name]
        assert asset["href"] == f"./maps/{name}.vrt"
        assert asset["bands"] == one["assets"][name]["bands"]
    assert not any("maps/ecosystem/" in a["href"] for a in two["assets"].values())
    assert [k["href"] for k in two["links"]] == ["./stac-collection.json"]


def test_the_blocks_are_a_collection_whose_links_all_lead_somewhere(sharded):
    path = sharded / stac.COLLECTION
    assert validate_dict({**json.loads(path.read_text()), "stac_extensions": []})
    collection = pystac.Collection.from_file(str(path))
    items = list(collection.get_items())
    assert len(items) == 8
    assert len({i.id for i in items}) == 8
    outputs = manifest.read(sharded)["outputs"]
    run_item = json.loads((sharded / stac.ITEM).read_text())
    for file in (path, *(sharded / "stac").iterdir()):
        content = json.loads(file.read_text())
        assert validate_dict({**content, "stac_extensions": []})
        assert all((file.parent / link["href"]).is_file() for link in content["links"])
        assert str(file.relative_to(sharded)) in outputs
    union = np.array([i.bbox for i in items])
    np.testing.assert_allclose(
        collection.extent.spatial.bboxes[0], [*union[:, :2].min(axis=0), *union[:, 2:].max(axis=0)]
    )
    np.testing.assert_allclose(collection.extent.spatial.bboxes[0], run_item["bbox"], atol=1e-3)
    for item in items:
        assert set(item.assets) == set(NAMES)
        assert item.get_collection().id == collection.id
        for name, asset in item.assets.items():
            file = Path(asset.get_absolute_href())
            told = outputs[str(file.relative_to(sharded))]
            assert asset.extra_fields["file:checksum"] == "1220" + told["sha256"] == "1220" + manifest.sha256(file)
            assert asset.extra_fields["file:size"] == file.stat().st_size
            with rasterio.open(file) as d:
                assert item.properties["proj:shape"] == [d.height, d.width]
                assert item.properties["proj:transform"] == list(d.transform)[:6]
                assert item.properties["proj:code"] == "EPSG:32649"
                data = d.read(1)
            band = asset.to_dict()["bands"][0]
            valid = data[data != band["nodata"]]
            assert band["statistics"]["mean"] == pytest.approx(valid.mean())
            assert band["statistics"]["maximum"] == valid.max()
            if name != "ecosystem":
                assert (band["raster:scale"], band["unit"].split()[-1]) == (0.1, "ha-1")
    classes = collection.to_dict()["item_assets"]["ecosystem"]["classification:classes"]
    assert {c["value"] for c in classes} >= {1, 2, 3}


def test_a_client_puts_the_map_together_from_the_blocks(whole, sharded):
    with rasterio.open(runmaps.path(whole, "carbon_total")) as d:
        expected, place, nodata = d.read(1), d.transform, d.nodata
    found = np.full_like(expected, nodata)
    for item in pystac.Collection.from_file(str(sharded / stac.COLLECTION)).get_items():
        a, _, x, _, _, y = item.properties["proj:transform"]
        col, row = round((x - place.c) / a), round((place.f - y) / a)
        with rasterio.open(item.assets["carbon_total"].get_absolute_href()) as d:
            found[row : row + d.height, col : col + d.width] = d.read(1)
    np.testing.assert_array_equal(found, expected)


# ------------------------------------------------------------------------------------------ those who read a run


def test_a_rollup_of_a_whole_and_a_sharded_run(tmp_path):
    runs = []
    for n, layout in enumerate(("whole", "shards")):
        folder = tmp_path / f"agency{n}"
        folder.mkdir()
        options = tile_run(folder, WEST + n * 64 * PIXEL, seed=n)
        runs.append(made(options, folder / "run", map_layout=layout).out)
    found = rollup.rollup(runs, tmp_path / "nation")
    assert not [n for n in found.notes if "no layer" in n]
    moved = Path(shutil.move(tmp_path, tmp_path.with_name("moved-shards")))
    for name in ("carbon_total", "ecosystem"):
        with rasterio.open(moved / "nation" / "maps" / f"{name}.vrt") as joined:
            parts = [rasterio.open(runmaps.path(moved / f"agency{n}" / "run", name)) for n in range(2)]
            np.testing.assert_array_equal(joined.read(1), np.hstack([p.read(1) for p in parts]))
            assert (joined.nodata, joined.scales, joined.units) == (parts[0].nodata, parts[0].scales, parts[0].units)
    assert runmaps.names(moved / "nation") == []  # these are the maps of its runs


def test_a_published_run_is_whole_and_a_damaged_one_is_refused(sharded, tmp_path):
    target = f"file://{tmp_path / 'there'}"
    found = store.publish(sharded, target)
    assert found["sent"] == len(manifest.read(sharded)["outputs"])
    assert_alike(runmaps.path(sharded, "carbon_total"), runmaps.path(tmp_path / "there", "carbon_total"))
    assert fsspec.filesystem("file").exists(str(tmp_path / "there" / "manifest.json"))
    damaged = tmp_path / "there" / "maps" / "ecosystem" / "ecosystem.0.0.tif"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"maps/ecosystem/ecosystem\.0\.0\.tif is not as it was written"):
        store.publish(tmp_path / "there", f"file://{tmp_path / 'further'}")


def test_of_a_run_in_an_object_store_only_the_blocks_that_are_asked_for_are_read(sharded, tmp_path, monkeypatch):
    pytest.importorskip("moto", reason="the S3 server of this test is moto's: pip install 'moto[server]'")
    window = Window(1100, 1200, 300, 200)
    with serving(tmp_path) as s3:
        for name, value in s3.settings.items():
            monkeypatch.setenv(name, value)
        for name in manifest.read(sharded)["outputs"]:
            s3.put(f"run/{name}", sharded / name)
        before = len(s3.asked())
        place = f"/vsis3/{BUCKET}/run/maps/carbon_total.vrt"
        with rasterio.open(place) as there:
            part, small_ = there.read(1, window=window), there.read(1, out_shape=(SIZE // 4, SIZE // 4))
        asked = {Path(p.partition("?")[0]).name for m, p, code in s3.asked()[before:] if code in (200, 206)}
    assert {n for n in asked if n.endswith(".tif")} == {"carbon_total.1024.1024.tif"}
    assert "carbon_total.vrt.ovr" in asked
    with rasterio.open(runmaps.path(sharded, "carbon_total")) as here:
        np.testing.assert_array_equal(part, here.read(1, window=window))
        np.testing.assert_array_equal(small_, here.read(1, out_shape=(SIZE // 4, SIZE // 4)))


def command(*words):
    done = CliRunner().invoke(main, [str(w) for w in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_verbs_that_read_a_run_take_it(whole, sharded, tmp_path):
    for run_, out in ((whole, tmp_path / "one"), (sharded, tmp_path / "two")):
        out.mkdir()
        command("report", run_, "--out", out / "report.html")
        command("plot", run_, "carbon_total", "--out", out / "carbon.png", "--dpi", "60")
        command("sample", "design", run_, "--out", out / "sample.gpkg", "--size", "60", "--minimum", "5")
    pictures = [(tmp_path / k / "report.html").read_text().count("data:image/png;base64") for k in ("one", "two")]
    assert pictures[0] == pictures[1] > 0
    assert (tmp_path / "one" / "carbon.png").read_bytes() == (tmp_path / "two" / "carbon.png").read_bytes()
    assert "ecosystem.0.0.tif" not in (tmp_path / "two" / "report.html").read_text()
    one, two = (export.export(r, tmp_path / f"{n}.nc") for n, r in enumerate((whole, sharded)))
    with rasterio.open(f"netcdf:{one}:carbon_total") as a, rasterio.open(f"netcdf:{two}:carbon_total") as b:
        np.testing.assert_array_equal(a.read(1), b.read(1))
        assert {k: v for k, v in a.tags(1).items() if "history" not in k} == {
            k: v for k, v in b.tags(1).items() if "history" not in k
        }


def test_it_is_done_again_in_shards(sharded):
    found = rerun.rerun(sharded)
    assert found.same, found.results
    assert found.compared["outputs"] > 24


def test_a_change_in_shards_is_read_by_all_that_follows(tmp_path):
    sample = HERE.parents[1] / "sample_data"
    outs = []
    for layout in ("whole", "shards"):
        study = changestudy.from_toml(sample / "change.toml", out=str(tmp_path / layout), quiet=True, map_layout=layout)
        outs.append(changing.change(study).out)
    names = runmaps.names(outs[0])
    assert names == runmaps.names(outs[1])
    assert "process" in names
    for name in names:
        assert_alike(runmaps.path(outs[0], name), runmaps.path(outs[1], name))
    for out in outs:
        areas = ("--areas", sample / "reserves.gpkg", "--id", "id", "--name", "name")
        command("reserves", out, *areas, "--out", out.with_name(f"reserves-{out.name}"))
        command("sample", "design", out, "--out", out.with_name(f"{out.name}.gpkg"), "--size", "60", "--minimum", "5")
        command("impact", out, *areas, "--ring", "3", "--out", out.with_name(f"impact-{out.name}"))
    for verb in ("reserves", "impact"):
        one, two = (sorted((tmp_path / f"{verb}-{o.name}").glob("*.csv")) for o in outs)
        assert one
        assert [p.name for p in one] == [p.name for p in two]
        for a, b in zip(one, two, strict=True):
            assert a.read_bytes() == b.read_bytes(), a.name
    collection = pystac.Collection.from_file(str(outs[1] / stac.COLLECTION))
    assert {"process", "carbon_change"} <= {n for i in collection.get_items() for n in i.assets}


def test_a_virtual_raster_says_where_each_part_lies(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((700, 600), np.uint16), nodata=9)
    with rasterio.open(path) as like:
        text = virtual.document(
            like, [virtual.Part(virtual.PurePosixPath("a & b/x.tif"), 512, 0, 188, 600)], shardmap.MapStats().histogram
        )
    root = ET.fromstring(text)
    assert root.find(".//SourceFilename").text == "a & b/x.tif"
    assert root.find(".//DstRect").attrib == {"xOff": "0", "yOff": "512", "xSize": "600", "ySize": "188"}


pytestmark = pytest.mark.slow
"""Left to CI and to who works on this: the default tests are to be done in ten minutes."""
