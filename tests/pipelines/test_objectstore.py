"""Inputs in, and runs sent to, a real S3 server: the same bytes, few requests, faults told, runs that go on."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window
from shapely.geometry import box

pytest.importorskip("moto", reason="the S3 server of these tests is moto's: pip install 'moto[server]'")
pytest.importorskip("s3fs")

from broken import Stop
from objectstore import BUCKET, ObjectStore, serving
from pipelines.assess import blockpass, run
from pipelines.assess.study import checked, from_toml
from pipelines.cli import main
from pipelines.errors import InputError, RunError
from pipelines.files import manifest, store
from pipelines.inputs import align, descriptions, sources, storefaults
from pipelines.inputs.layerfiles import make_layer
from pipelines.verbs import reportcli
from pipelines.work import journal
from scenes import small, write_raster
from test_cluster import Cluster
from test_resume import same
from test_tileindex import index_of, item, scene

HERE = Path(__file__).parent
SIZE = 1600
pytestmark = [
    pytest.mark.slow,  # the default tests are to be done in ten minutes
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*utcnow.*:DeprecationWarning"),
]
"""Of the clients' own making."""


def options(folder, prefix, **more):
    """A run of four blocks; prefix : what stands before the names of the files."""
    names = {"landcover": "lc.tif", "agb": "agb.tif", "regions": "regions.gpkg"}
    return {
        **{k: f"{prefix}{v}" for k, v in names.items()}, "legend": "worldcover", "parameters": "china", "year": 2020,
        "climate": "warm_temperate_moist", "maps": ["ecosystem", "carbon_total"], "block_size": 1024, "workers": 2,
        "quiet": True, "draws": 0, "out": str(folder / "out"), **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Cloud-Optimized GeoTIFFs and regions, as people lay them into a store."""
    folder = tmp_path_factory.mktemp("files")
    given = small(folder, size=SIZE)
    for name in ("landcover", "agb"):
        plain = shutil.move(given[name], folder / f"plain_{Path(given[name]).name}")
        copy_raster(plain, given[name], driver="COG", BLOCKSIZE=512, COMPRESS="DEFLATE")
    return folder


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """The run from the files on this disk, with its report."""
    folder = tmp_path_factory.mktemp("whole")
    run.assess(checked(options(folder, f"{files}/")), reportcli.finish(False))
    return folder / "out"


@pytest.fixture(scope="module")
def served(files, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("s3")) as found:
        for path in ("lc.tif", "agb.tif", "regions.gpkg"):
            found.put(f"in/{path}", files / path)
        yield found


@pytest.fixture
def s3(served, monkeypatch):
    """The server, and an environment in which GDAL and s3fs find it."""
    at_home(monkeypatch, served)
    return served


def at_home(monkeypatch, server, **more):
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**server.settings, **more}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    fresh_clients()


def fresh_clients():
    """s3fs keeps its connections, and the settings they were made with."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def sinks(*words, env=None):
    """A process of its own, in which GDAL remembers nothing."""
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), **(env or {})}
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, words)], env=env, capture_output=True, text=True, check=False
    )


# ------------------------------------------------------------------------------------------ inputs


@pytest.mark.parametrize("prefix", ["/vsis3/carbon/in/", "s3://carbon/in/"])
def test_a_run_from_a_store_ends_in_the_bytes_of_the_run_from_files(s3, whole, tmp_path, prefix):
    before = len(s3.asked())
    run.assess(checked(options(tmp_path, prefix)), reportcli.finish(False))
    same(tmp_path / "out", whole)
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    asked = s3.asked()[before:]
    assert not [p for _, p, _ in asked if p.endswith("prefix=in/")], "a folder of the store was listed, however long"
    reads = Counter(path for _, path, code in asked if code == 206)
    assert set(reads) <= {f"/{BUCKET}/in/{n}" for n in ("lc.tif", "agb.tif", "regions.gpkg")}
    # The head, the look before the run, and four blocks by two threads; GDAL joins neighbouring ranges.
    assert max(reads.values()) <= 20, reads
    # SQLite looks for a journal beside a GeoPackage, GDAL for a sidecar; nothing is looked for beside rasters.
    assert all("regions" in path for _, path, code in asked if code != 206)
    assert len(asked) <= 50


def test_what_a_file_names_in_a_store_is_opened_by_leave_only(s3, whole, tmp_path):
    """An address that stands in an assessment file; those that the user types are leave enough."""
    given = options(tmp_path, "s3://carbon/in/")
    study = tmp_path / "study.toml"
    study.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in given.items() if k not in ("out", "quiet")))
    before = len(s3.asked())
    said = CliRunner().invoke(main, ["assess", str(study), "--out", given["out"], "--quiet"])
    assert said.exit_code == 2
    assert (
        "landcover is 's3://carbon/in/lc.tif', which is not on this disk; allow it with --allow-network" in said.stderr
    )
    assert len(s3.asked()) == before
    run.assess(from_toml(study, out=given["out"], quiet=True, allow_network=True))
    same_account(tmp_path / "out", whole)


def same_account(one, other):
    for name in ("accounts.csv", "account_sums.parquet", "maps/ecosystem.tif", "maps/carbon_total.tif"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("kind", ["vrt", "gpkg", "item", "items", "gti"])
def test_an_index_on_this_disk_leads_to_the_store_by_leave_only(s3, whole, files, tmp_path, kind):
    lc = f"s3://{BUCKET}/in/lc.tif"
    given = tmp_path / f"index.{kind}"
    asset = {"data": {"href": lc, "type": "image/tiff", "roles": ["data"]}}
    if kind == "vrt":
        with rasterio.open(files / "lc.tif") as d:
            copy_raster(d, given, driver="VRT")
        given.write_text(given.read_text().replace(str(files / "lc.tif"), f"/vsis3/{BUCKET}/in/lc.tif")
                         .replace('relativeToVRT="1"', 'relativeToVRT="0"'))  # fmt: skip
    elif kind == "gpkg":
        frame_of(given, files, [lc])
    elif kind == "gti":
        frame_of(tmp_path / "tiles.gpkg", files, [lc])
        given.write_text("<GDALTileIndexDataset><IndexDataset>tiles.gpkg</IndexDataset></GDALTileIndexDataset>")
    else:
        given = tmp_path / "stac.json"
        one = item(given, files / "lc.tif", 0, asset)
        given.write_text(json.dumps(one if kind == "item" else {"type": "FeatureCollection", "features": [one]}))
    before = len(s3.asked())
    asked = options(tmp_path, f"{files}/", landcover=str(given))
    with pytest.raises(
        InputError, match=r"(lists|reads) (s3://|/vsis3/)carbon/in/lc\.tif, which is not on this disk; allow it"
    ):
        run.assess(checked(asked))
    assert len(s3.asked()) == before
    run.assess(checked({**asked, "allow_network": True}))
    same_account(tmp_path / "out", whole)


def frame_of(path, files, names):
    with rasterio.open(files / "lc.tif") as d:
        gpd.GeoDataFrame({"location": names}, geometry=[box(*d.bounds)] * len(names), crs=d.crs).to_file(path)


@pytest.mark.parametrize("kind", ["gpkg", "items", "catalog", "gti"])
@pytest.mark.parametrize("prefix", ["s3://", "/vsis3/"])
def test_an_index_in_the_store_names_tiles_beside_it(s3, files, tmp_path, kind, prefix):
    """The index that the user names by its address may lead on; its names are relative to it."""
    _, paths, shapes = scene(tmp_path / "t", side=40, rows=2)
    for p in paths:
        s3.put(f"tiles/t/{p.name}", p)
    up = tmp_path / "indexes"
    up.mkdir()
    given = up / {"gpkg": "i.gpkg", "gti": "i.gti", "items": "i.json", "catalog": "i.json"}[kind]
    if kind in ("gpkg", "gti"):
        index_of(up / "i.gpkg", paths, shapes)  # ../t/…
        s3.put("tiles/indexes/i.gpkg", up / "i.gpkg")
    if kind == "gti":
        given.write_text("<GDALTileIndexDataset><IndexDataset>i.gpkg</IndexDataset></GDALTileIndexDataset>")
    items = [item(given, p, n) for n, p in enumerate(paths)]
    if kind == "items":
        given.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    if kind == "catalog":
        for n, one in enumerate(items):
            (up / f"{n}.json").write_text(json.dumps(one))
            s3.put(f"tiles/indexes/{n}.json", up / f"{n}.json")
        links = [{"rel": "item", "href": f"./{n}.json"} for n in range(len(items))]
        given.write_text(json.dumps({"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": links}))
    s3.put(f"tiles/indexes/{given.name}", given)
    far = sources.inspect(make_layer("landcover", "class", f"{prefix}{BUCKET}/tiles/indexes/{given.name}", tmp_path))
    near = sources.inspect(make_layer("landcover", "class", [str(p) for p in paths], tmp_path))
    assert (
        (far.width, far.height, far.transform) == (near.width, near.height, near.transform) == (80, 80, near.transform)
    )
    assert sorted(Path(p).name for p in far.layer.files) == sorted(p.name for p in paths)
    assert all(p.startswith(f"/vsis3/{BUCKET}/tiles/t/") for p in far.layer.files)
    assert np.array_equal(sources.thin(far, 512)[0], sources.thin(near, 512)[0])


@pytest.mark.parametrize(("where", "named", "found"), [
    ("s3://b/x/i.json", "../t/a.tif", "s3://b/t/a.tif"),
    ("/vsis3/b/x/i.json", "./a.tif", "s3://b/x/a.tif"),
    ("s3://b/i.json", "/etc/passwd", "s3://b/etc/passwd"),  # an index in a store names no file of this disk
    ("s3://b/i.json", "../../../etc/passwd", "s3://b/etc/passwd"),
    ("/vsigs/b/x/i.json", "a.tif", "gs://b/x/a.tif"),
    ("https://h/x/i.json", "../a.tif", "https://h/a.tif"),
    ("https://h/x/i.json", "/a.tif", "https://h/a.tif"),
    ("https://h/x/i.json", "file:///etc/passwd", "https://h/x/file:/etc/passwd"),
    ("https://h/x/i.json", "s3://c/a.tif", "s3://c/a.tif"),
    ("s3://b/x/i.json", "file:///etc/passwd", "s3://b/x/file:/etc/passwd"),
    ("s3://b/x/i.json", "NETCDF:/etc/passwd:a", "s3://b/x/NETCDF:/etc/passwd:a"),
    ("https://h/x/i.json", "NETCDF:/etc/passwd:a", "https://h/x/NETCDF:/etc/passwd:a"),
    ("s3://b/x/i.json", "s3://c/a.tif", "s3://c/a.tif"),
    ("/d/x/i.json", "a.tif", "/d/x/a.tif"),
])  # fmt: skip
def test_what_a_name_in_an_index_means(where, named, found):
    assert descriptions.beside(where, named) == found


# ------------------------------------------------------------------------------------------ faults of reading


@pytest.mark.parametrize(("change", "said"), [
    ({"landcover": "s3://carbon/in/none.tif"}, r"/vsis3/carbon/in/none\.tif: cannot be read .*there is no such object in the store"),
    ({"landcover": "s3://nobody/in/lc.tif"}, r"/vsis3/nobody/in/lc\.tif: .*no such bucket at this endpoint.*AWS_S3_ENDPOINT"),
    ({"regions": "s3://carbon/in/none.gpkg"}, r"s3://carbon/in/none\.gpkg: cannot be read .*no such object in the store"),
    ({"landcover": "s3://carbon/in/none.json"}, r"s3://carbon/in/none\.json: there is no such object in the store"),
    ({"landcover": "s3://carbon/in/regions.gpkg"}, "no column of this index names the tiles"),
])  # fmt: skip
def test_what_is_not_there_is_told(s3, tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        run.assess(checked({**options(tmp_path, "s3://carbon/in/"), **change}))


@pytest.mark.parametrize(("what", "fault"), [
    *((what, fault) for what in ("lc.tif", "regions.gpkg") for fault in ("credentials", "away")), ("items.json", "credentials"),
    pytest.param("items.json", "away", marks=pytest.mark.slow),  # s3fs tries for a while
])  # fmt: skip
def test_a_store_that_does_not_give_it_is_told(s3, files, tmp_path, what, fault, monkeypatch):
    if fault == "credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        wanted = r"give credentials: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; .*AWS_NO_SIGN_REQUEST"
    else:
        gone = ObjectStore(tmp_path)  # a port where nobody listens
        for name, value in gone.settings.items():
            monkeypatch.setenv(name, value)
        wanted = r"cannot be reached; check the network, the endpoint \(AWS_S3_ENDPOINT.*AWS_REGION"
    fresh_clients()
    role = "regions" if what == "regions.gpkg" else "landcover"
    given = {**options(tmp_path, f"{files}/"), role: f"s3://{BUCKET}/other/{what}"}
    with pytest.raises(InputError, match=rf"{what}: .*{wanted}"):
        run.assess(checked(given))


@pytest.mark.parametrize(("name", "said", "do"), [
    ("/vsis3/b/a.tif", "Access Denied", "the store refuses to give it; check the credentials .*AWS_PROFILE.*AWS_REGION"),
    ("/vsis3/b/a.tif", "SignatureDoesNotMatch", "the store refuses"),
    ("/vsis3/b/a.tif", "The provided token has expired.", "the store refuses"),
    ("/vsigs/b/a.tif", "HTTP response code: 403", "the store refuses to give it; check the credentials, and"),
    ("/vsicurl/http://h/a.tif", "HTTP response code: 404", "no such object"),
    ("/vsicurl/http://h/a.tif", "CURL error: Could not resolve host: h", "cannot be reached; check the network and the address"),
    ("/vsis3/b/a.tif", "not recognized as being in a supported file format", "^$"),
    ("a.tif", "Access Denied", "^$"),
])  # fmt: skip
def test_what_to_do_is_told_by_the_words_of_the_store(name, said, do):
    assert re.search(do, storefaults.advice(name, said))


@pytest.mark.slow
def test_a_store_that_does_not_answer_does_not_hold_a_run_for_ever(s3, tmp_path):
    quick = {"GDAL_HTTP_LOW_SPEED_TIME": "2", "GDAL_HTTP_MAX_RETRY": "0"}
    assert sources.GDAL_ENV["GDAL_HTTP_LOW_SPEED_TIME"] == 60
    script = (
        "import sys; from pipelines.inputs import reach, sources\n"
        f"sources.GDAL_ENV.update({ {k: int(v) for k, v in quick.items()} })\n"
        "try: sources.inspect(sources.Layer('agb', 'density', '/vsis3/carbon/in/agb.tif'))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    with s3.hanging():
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        )  # fmt: skip
    assert "InputError /vsis3/carbon/in/agb.tif: cannot be read" in done.stdout, done.stderr
    assert "the store cannot be reached" in done.stdout


# ------------------------------------------------------------------------------------------ a run that goes on


@pytest.fixture
def own(files, tmp_path, monkeypatch):
    """A server of one test, which it may kill."""
    (tmp_path / "own").mkdir()
    with serving(tmp_path / "own") as found:
        lay(found, files)
        at_home(monkeypatch, found)
        yield found
    align.close()


def lay(server, files):
    for path in ("lc.tif", "agb.tif", "regions.gpkg"):
        server.put(f"in/{path}", files / path)


def test_a_run_whose_store_is_killed_says_so_and_goes_on_when_it_is_back(own, files, whole, tmp_path, monkeypatch):
    given = options(tmp_path, "/vsis3/carbon/in/", workers=1)
    write, done = journal.Journal.write, []

    def kills(self, name, *more):
        write(self, name, *more)
        done.append(name)
        if len(done) == 2:
            own.stop()

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", kills)
        patch.setitem(sources.GDAL_ENV, "GDAL_HTTP_MAX_RETRY", 0)
        patch.setitem(sources.GDAL_ENV, "VSI_CACHE", "NO")
        patch.setitem(sources.GDAL_ENV, "CPL_VSIL_CURL_NON_CACHED", "/vsis3/carbon/in")
        with pytest.raises(
            RunError,
            match=r"/vsis3/carbon/in/(lc|agb)\.tif: reading rows \d+ to \d+, .*see that the store can be reached .*the same command goes on",
        ):
            run.assess(checked(given))
    assert len(done) == 2
    assert not (tmp_path / "out" / "manifest.json").exists()
    align.close()
    own.start()
    lay(own, files)
    seen, process = [], blockpass.process
    monkeypatch.setattr(blockpass, "process", lambda plan, block: seen.append(block.index) or process(plan, block))
    run.assess(checked(given))
    assert sorted(seen) == [2, 3]
    same_account(tmp_path / "out", whole)


@pytest.mark.parametrize("what", ["agb", "regions"])
def test_an_object_that_was_replaced_is_noticed_when_a_run_goes_on(own, files, tmp_path, monkeypatch, what):
    given = options(tmp_path, "/vsis3/carbon/in/", workers=1)
    write, done = journal.Journal.write, []

    def stops(self, name, *more):
        if len(done) == 2:
            raise Stop
        write(self, name, *more)
        done.append(name)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", stops)
        with pytest.raises(Stop):
            run.assess(checked(given))
    if what == "agb":
        with rasterio.open(files / "agb.tif") as d:
            data, profile = d.read(1), d.profile
        data[5, 5] += 1  # one pixel
        plain = write_raster(tmp_path / "plain.tif", data, nodata=-9999.0)
        copy_raster(plain, tmp_path / "agb.tif", driver="COG", BLOCKSIZE=512, COMPRESS="DEFLATE")
        assert profile["nodata"] == -9999
        own.put("in/agb.tif", tmp_path / "agb.tif")
    else:
        frame = gpd.read_file(files / "regions.gpkg")
        frame.geometry = frame.translate(300, 0)
        frame.to_file(tmp_path / "regions.gpkg")
        own.put("in/regions.gpkg", tmp_path / "regions.gpkg")
    words = [f"--{k.replace('_', '-')}={v}" for k, v in given.items() if k not in ("quiet", "maps")]
    said = sinks("assess", *words, "--maps=ecosystem,carbon_total", "--quiet", "--no-report")
    assert said.returncode == 2, said.stderr
    assert f"{'the layer agb' if what == 'agb' else '--regions'} was " in said.stderr
    assert "--fresh" in said.stderr


# ------------------------------------------------------------------------------------------ publishing


def keys(s3, prefix):
    import s3fs

    found = s3fs.S3FileSystem(skip_instance_cache=True).find(f"{BUCKET}/{prefix}")
    return {k.removeprefix(f"{BUCKET}/{prefix}/") for k in found}


def test_a_published_run_is_whole_and_its_maps_are_read_by_ranges(s3, whole):
    url = f"s3://{BUCKET}/out/a"
    before = len(s3.asked())
    found = store.publish(whole, url)
    about = manifest.read(whole)
    assert keys(s3, "out/a") == {*about["outputs"], manifest.NAME}
    assert found["sent"] == len(about["outputs"])
    puts = [p for m, p, _ in s3.asked()[before:] if m == "PUT" and not p.endswith(store.UNDER_WAY)]
    assert puts[-1] == f"/{BUCKET}/out/a/{manifest.NAME}"
    assert f"/{BUCKET}" not in puts  # no bucket is made
    for name in about["outputs"]:
        assert s3.get(f"out/a/{name}") == (whole / name).read_bytes()
    assert store.publish(whole, url) == {"sent": 0, "bytes": 0, "there": len(about["outputs"])}
    size = (whole / "maps" / "carbon_total.tif").stat().st_size
    before = len(s3.asked())
    with rasterio.Env(**sources.GDAL_ENV), sources.open_raster(f"/vsis3/{BUCKET}/out/a/maps/carbon_total.tif") as d:
        part = d.read(1, window=Window(700, 900, 64, 64))
        small = d.read(1, out_shape=(d.height // 4, d.width // 4))
    with rasterio.open(whole / "maps" / "carbon_total.tif") as d:
        assert np.array_equal(part, d.read(1, window=Window(700, 900, 64, 64)))
        assert np.array_equal(small, d.read(1, out_shape=(d.height // 4, d.width // 4)))
        assert size > d.overviews(1)[0] > 0
    asked = s3.asked()[before:]
    assert {(m, code) for m, _, code in asked} == {("GET", 206)}
    assert len(asked) <= 6


def test_a_copy_that_broke_off_has_no_manifest_and_goes_on(s3, whole, monkeypatch):
    url = f"s3://{BUCKET}/out/broken"
    send, seen = store._send, []

    def breaks(there, path, target, size):
        if len(seen) == 4:
            raise OSError("connection reset")
        seen.append(path.name)
        send(there, path, target, size)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_send", breaks)
        with pytest.raises(
            RunError, match=r"connection reset.*check the network and the endpoint .*the same command goes on"
        ):
            store.publish(whole, url)
    assert manifest.NAME not in keys(s3, "out/broken")
    before = len(s3.asked())
    found = store.publish(whole, url)
    assert found["there"] == 4
    sent_again = {p.rpartition("/")[2] for m, p, _ in s3.asked()[before:] if m == "PUT"}
    assert not sent_again & set(seen)
    assert keys(s3, "out/broken") == {*manifest.read(whole)["outputs"], manifest.NAME}


def test_another_run_takes_the_place_of_an_earlier_one_whole(s3, whole, files, tmp_path, monkeypatch):
    """Nothing of the earlier run stays, not even where the copy of the later one broke off."""
    url = f"s3://{BUCKET}/out/two"
    store.publish(whole, url)
    run.assess(checked(options(tmp_path, f"{files}/", maps=["ecosystem"], year=2021)))
    with pytest.raises(InputError, match="another run was published here; choose another place, or give --overwrite"):
        store.publish(tmp_path / "out", url)
    assert json.loads(s3.get("out/two/manifest.json"))["study"]["year"] == 2020
    with monkeypatch.context() as patch:
        patch.setattr(store, "_send", lambda *a: (_ for _ in ()).throw(OSError("connection reset")))
        with pytest.raises(RunError):
            store.publish(tmp_path / "out", url, overwrite=True)
    assert manifest.NAME not in keys(s3, "out/two")  # neither run is whole
    store.publish(tmp_path / "out", url)
    about = manifest.read(tmp_path / "out")
    assert keys(s3, "out/two") == {*about["outputs"], manifest.NAME}
    assert s3.get("out/two/accounts.csv") == (tmp_path / "out" / "accounts.csv").read_bytes()


def test_what_a_strangers_manifest_names_elsewhere_is_not_removed(s3, whole):
    s3.put("out/precious.txt", HERE / "scenes.py")
    stranger = whole.parent / "stranger.json"
    stranger.write_text(
        json.dumps({"outputs": {"../precious.txt": {"sha256": "0", "bytes": 1}, "mine.csv": {"sha256": "0"}}})
    )
    s3.put("out/three/manifest.json", stranger)
    s3.put("out/three/mine.csv", stranger)
    store.publish(whole, f"s3://{BUCKET}/out/three", overwrite=True)
    assert s3.get("out/precious.txt") == (HERE / "scenes.py").read_bytes()
    assert "mine.csv" not in keys(s3, "out/three")


@pytest.mark.parametrize(("fault", "said"), [
    ("bucket", r"s3://mistyped/a: the store failed \(.*\); there is no such bucket at this endpoint: check its name, or make it"),
    ("credentials", r"s3://carbon/x: the store failed \(Unable to locate credentials\); check the credentials \(AWS_PROFILE, or"),
    ("away", r"s3://carbon/x: the store failed \(Could not connect .*\); check the network and the endpoint \(AWS_ENDPOINT_URL\)"),
])  # fmt: skip
def test_a_store_that_takes_nothing_is_told(s3, whole, tmp_path, monkeypatch, fault, said):
    url = "s3://mistyped/a" if fault == "bucket" else "s3://carbon/x"
    if fault == "credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if fault == "away":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{ObjectStore(tmp_path).host}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fresh_clients()
    before = len(s3.asked())
    told = CliRunner().invoke(main, ["publish", str(whole), url])
    assert told.exit_code == 1
    assert re.search(said, told.stderr), told.stderr
    assert not [p for m, p, _ in s3.asked()[before:] if (m, p) == ("PUT", "/mistyped")]


# ------------------------------------------------------------------------------------------ a cluster


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed's own making when its processes come and go
def test_workers_read_from_the_store_with_settings_of_their_own(s3, whole, tmp_path, monkeypatch):
    dask = Cluster(tmp_path)  # its processes have the environment of this one
    try:
        dask.add_workers(2)
        run.assess(checked(options(tmp_path, "s3://carbon/in/", scheduler=dask.address)))
        same_account(tmp_path / "out", whole)
    finally:
        dask.close()
    bare = Cluster(tmp_path)
    try:
        with monkeypatch.context() as patch:
            for name in s3.settings:
                patch.delenv(name)
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            bare.add_workers(2)
        asked = options(tmp_path, "s3://carbon/in/", scheduler=bare.address, out=str(tmp_path / "bare"))
        with pytest.raises((RunError, InputError), match=r"/vsis3/carbon/in/lc\.tif: .*give credentials: AWS_PROFILE"):
            run.assess(checked(asked))
    finally:
        bare.close()
