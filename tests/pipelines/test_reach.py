"""Files that lead to other files, addresses and programs: what strangers' inputs may reach."""

import os
import shutil
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.inputs import layerfiles, reach, sources, vectorfile
from scenes import small, write_raster

VRT = (
    '<VRTDataset rasterXSize="24" rasterYSize="24"><SRS>EPSG:32649</SRS>'
    "<GeoTransform>500000, 100, 0, 2600000, 0, -100</GeoTransform>{band}</VRTDataset>"
)
SOURCE = (
    '<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>1</SourceBand>'
    '<SrcRect xOff="0" yOff="0" xSize="24" ySize="24"/><DstRect xOff="0" yOff="0" xSize="24" ySize="24"/></SimpleSource>'
)


def band(inner, more=""):
    return f'<VRTRasterBand dataType="Byte" band="1"{more}>{inner}</VRTRasterBand>'


def vrt(path, name, relative=0):
    path.write_text(VRT.format(band=band(SOURCE.format(name=name, relative=relative))), encoding="utf-8")
    return path


@pytest.fixture
def lc(tmp_path):
    return write_raster(tmp_path / "lc.tif", np.full((24, 24), 10, np.uint8), nodata=0)


@pytest.fixture
def listening():
    """A server that notes who calls."""
    calls = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            calls.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", calls
    server.shutdown()
    server.server_close()


def refused(path, permit=reach.DEFAULT):
    with pytest.raises(InputError) as told:
        reach.require("agb", str(path), permit)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_a_vrt_over_local_files_is_read(lc, tmp_path):
    inner = vrt(tmp_path / "inner.vrt", "lc.tif", relative=1)
    outer = vrt(tmp_path / "outer.vrt", inner)
    layer = layerfiles.make_layer("agb", "density", str(outer), tmp_path)
    assert sources.inspect(layer).width == 24


@pytest.mark.parametrize("name", [
    "http://{host}/a.tif", "https://{host}/a.tif", "/vsicurl/http://{host}/a.tif", "/vsicurl?url=http%3A%2F%2F{host}%2Fa.tif",
    "/vsis3/bucket/a.tif", "/vsigs/bucket/a.tif", "/vsiaz/c/a.tif", "/vsizip//vsicurl/http://{host}/a.zip/a.tif", "WMS:http://{host}/wms",
    "WCS:http://{host}/", "vrt:///vsicurl/http://{host}/a.tif", "NETCDF:http://{host}/a.nc:x", "HDF5:/vsicurl/http://{host}/a.h5://x",
    "PG:host={host}", "/vsistdin/", "/vsisubfile/0_9,/etc/passwd", "/vsimem/x.tif", "GTI:/tmp/x.gti.gpkg",
])  # fmt: skip
@pytest.mark.parametrize("depth", [1, 2])
def test_a_vrt_goes_nowhere_but_to_files(name, depth, lc, tmp_path, listening):
    host, calls = listening
    path = vrt(tmp_path / "a.vrt", name.format(host=host))
    if depth == 2:
        path = vrt(tmp_path / "b.vrt", path)
    with pytest.raises(InputError, match="not on this disk; allow it with --allow-network"):
        layerfiles.make_layer("agb", "density", str(path), tmp_path)
    assert not calls
    reach.require("agb", str(path), reach.Permit(network=True))


@pytest.mark.parametrize(("text", "said"), [
    (band('<SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename><ImageOffset>0</ImageOffset>', ' subClass="VRTRawRasterBand"'),
     "shows the bytes of any file"),
    (band("<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
          "<PixelFunctionCode>def f(*a): __import__('os').system('touch pwned')</PixelFunctionCode>", ' subClass="VRTDerivedRasterBand"'),
     "runs code of its own"),
    (band("<PixelFunctionType>os.system</PixelFunctionType><PixelFunctionLanguage> python </PixelFunctionLanguage>", ' subClass="VRTDerivedRasterBand"'),
     "runs code of its own"),
    (band("<Overview><SourceFilename>http://127.0.0.1/x.tif</SourceFilename></Overview>"), "--allow-network"),
    (band('<ComplexSource><SourceFilename>x</SourceFilename><LUT a="/vsicurl/http://127.0.0.1/x">0:0</LUT></ComplexSource>'), "--allow-network"),
    ("<GDALWarpOptions><SourceDataset>WMS:http://127.0.0.1/</SourceDataset></GDALWarpOptions>", "--allow-network"),
    ("<Group name='/'><Array><Source>http://127.0.0.1/x</Source></Array></Group>", "--allow-network"),
    ("<Odd>/vsis3/bucket/x.tif</Odd>", "--allow-network"),
    (band("<SimpleSource><SourceFilename>&lt;VRTDataset/&gt;</SourceFilename></SimpleSource>"), "holds another within its text"),
])  # fmt: skip
def test_what_a_vrt_must_not_do(text, said, tmp_path):
    path = tmp_path / "a.vrt"
    path.write_text(VRT.format(band=text), encoding="utf-8")
    assert said in refused(path)


def test_addresses_in_what_is_only_told_are_harmless(lc, tmp_path):
    told = '<Metadata><MDI key="licence">https://creativecommons.org/x</MDI></Metadata>'
    path = tmp_path / "a.vrt"
    path.write_text(VRT.format(band=told + band(SOURCE.format(name=lc, relative=0))), encoding="utf-8")
    reach.require("agb", str(path))


@pytest.mark.parametrize(("name", "text", "said"), [
    ("a.xml", "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1/</ServerUrl></Service></GDAL_WMS>", "<GDAL_WMS>"),
    ("a.tif", "<WCS_GDAL><ServiceURL>http://127.0.0.1/</ServiceURL></WCS_GDAL>", "<WCS_GDAL>"),
    ("a.mrf", "<MRF_META><CachedSource><Source>http://127.0.0.1/x</Source></CachedSource></MRF_META>", "<MRF_META>"),
    ("a.gti", "<GDALTileIndexDataset><IndexDataset>x.gpkg</IndexDataset></GDALTileIndexDataset>", "<GDALTileIndexDataset>"),
    ("a.json", '{"stac_version": "1.0", "assets": {"a": {"href": "http://127.0.0.1/x"}}}', "a description in JSON"),
    ("a.vrt", '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><VRTDataset>&b;</VRTDataset>', "document type"),
    ("a.vrt", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><VRTDataset/>', "document type"),
    ("a.vrt", "<VRTDataset><VRTRasterBand>", "not a readable XML file"),
    ("a.vrt", "\ufeff\n\n<VRTDataset><Odd>http://127.0.0.1/</Odd></VRTDataset>", "--allow-network"),
])  # fmt: skip
def test_what_looks_like_a_raster_and_points_elsewhere(name, text, said, tmp_path):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert said in refused(path)


def test_a_vrt_of_itself_and_a_long_chain_end(tmp_path):
    path = tmp_path / "a.vrt"
    vrt(path, "a.vrt", relative=1)
    assert "more than 8 times" in refused(path)


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "p.tif")
    for name in (tmp_path / "p.tif", vrt(tmp_path / "a.vrt", tmp_path / "p.tif"), "/dev/zero"):
        assert "device or pipe" in refused(name)


def test_a_vrt_within_an_archive_or_on_the_network_is_not_opened(tmp_path):
    vrt(tmp_path / "a.vrt", "/etc/passwd")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "a.vrt", "a.vrt")
    with pytest.raises(InputError, match="not a raster that GDAL can read"):
        sources.inspect(layerfiles.make_layer("agb", "density", f"/vsitar/{tmp_path}/a.tar/a.vrt", tmp_path))


def test_links_to_elsewhere_are_inside_only_if_they_lead_inside(lc, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    permit = reach.Permit(folders=(str(home),))
    (home / "link.tif").symlink_to(lc)
    shutil.copy(lc, home / "own.tif")
    reach.require("agb", str(home / "own.tif"), permit)
    reach.require("agb", str(vrt(home / "ok.vrt", "own.tif", relative=1)), permit)
    for path in (lc, home / "link.tif", vrt(home / "out.vrt", lc), vrt(home / "up.vrt", "../lc.tif", relative=1)):
        assert "--only-within" in refused(path, permit)
    assert "a part of a file" in refused(f"/vsizip/{tmp_path}/a.zip/a.tif", permit)
    assert "where all inputs must be" in refused("http://127.0.0.1/x.tif", permit)


@pytest.mark.parametrize(("name", "text", "said"), [
    ("a.vrt", "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>PG:host=127.0.0.1</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>", "only points"),
    ("a.xml", "<OGRWFSDataSource><URL>http://127.0.0.1/</URL></OGRWFSDataSource>", "only points"),
    ("a.gdalg.json", '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd"}', "recipe for GDAL"),
    ("a.gml", '<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]><gml:FeatureCollection>&x;</gml:FeatureCollection>', "document type"),
])  # fmt: skip
def test_vectors_that_point_elsewhere(name, text, said, tmp_path):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        vectorfile.layers(path)


def test_no_schema_is_fetched_for_gml(tmp_path, listening):
    host, calls = listening
    path = tmp_path / "a.gml"
    path.write_text(
        f'<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="http://ogr.maptools.org/ http://{host}/a.xsd" xmlns:gml="http://www.opengis.net/gml">'
        f'<gml:featureMember><ogr:a><ogr:geometryProperty><gml:Polygon srsName="EPSG:4326"><gml:outerBoundaryIs><gml:LinearRing>'
        f"<gml:coordinates>0,0 1,0 1,1 0,0</gml:coordinates></gml:LinearRing></gml:outerBoundaryIs></gml:Polygon>"
        f"</ogr:geometryProperty></ogr:a></gml:featureMember></ogr:FeatureCollection>"
    )  # fmt: skip
    command = f"from pipelines.inputs import vectorfile; print(len(vectorfile.read({str(path)!r})))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "1", done.stderr
    assert not calls


# ------------------------------------------------------------------------------------------ through the command line


def said(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 2, result.output
    return result.stderr


def test_an_address_in_an_assessment_file_needs_leave(tmp_path, listening):
    host, calls = listening
    (tmp_path / "a.toml").write_text(
        f"landcover = 'http://{host}/lc.tif'\nlegend = 'worldcover'\nout = 'o'\nclimate = 'warm_temperate_moist'\n"
    )
    assert "--allow-network if you trust the file" in said("check", str(tmp_path / "a.toml"))
    assert not calls
    (tmp_path / "b.toml").write_text("allow_network = true\n")
    assert "only you can give it" in said("check", str(tmp_path / "b.toml"))
    (tmp_path / "c.toml").write_text(
        f"legend = 'worldcover'\nout = 'o'\n[[epochs]]\nyear = 2010\nlandcover = '/vsicurl/http://{host}/lc.tif'\n"
        "[[epochs]]\nyear = 2020\nlandcover = 'x.tif'\n"
    )
    assert "--allow-network if you trust the file" in said("change", str(tmp_path / "c.toml"))
    assert not calls


def test_inputs_can_be_held_within_folders(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    given = small(home)
    flags = [f"--{k}={v}" for k, v in given.items()]
    rest = ["--legend=worldcover", "--climate=warm_temperate_moist", "--out", str(tmp_path / "out")]
    (tmp_path / "other").mkdir()
    assert "--only-within" in said("check", *flags, *rest, f"--only-within={tmp_path / 'other'}")
    assert CliRunner().invoke(main, ["check", *flags, *rest, f"--only-within={home}"]).exit_code == 0
    (tmp_path / "l.csv").write_text("code,ecosystem\n10,forest\n")
    assert "l.csv" in said("check", *flags, *rest, f"--legend={tmp_path / 'l.csv'}", f"--only-within={home}")


def test_a_piece_too_large_for_memory_is_not_decoded(tmp_path):
    """A few kilobytes that unpack to gigabytes."""
    path = tmp_path / "bomb.tif"
    side = 60_000 // 16 * 16
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint8", crs="EPSG:32649", compress="deflate",
        transform=rasterio.transform.from_origin(5e5, 2.6e6, 1, 1), tiled=True, blockxsize=side, blockysize=side,
        SPARSE_OK=True,
    ):  # fmt: skip
        pass
    assert Path(path).stat().st_size < 10_000
    with pytest.raises(InputError, match=r"pieces of 60000 x 60000 pixels \(3\.4 GiB each\).*TILED=YES"):
        sources.inspect(layerfiles.make_layer("agb", "density", str(path), tmp_path))
