"""Fetching public layers, against a server on this machine with the layout of the public ones."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from click.testing import CliRunner
from shapely.geometry import MultiPolygon, box

from fetchscene import COVER, QUICK, cover, lay_biomass, lay_cover, order, put, read, regions, small
from pipelines.assess import run
from pipelines.assess.study import from_toml
from pipelines.cli import main
from pipelines.errors import InputError, RunError
from pipelines.fetch import register
from pipelines.fetch.area import read_area
from pipelines.fetch.fetch import fetch
from pipelines.fetch.lattice import Lattice
from pipelines.fetch.remotes import remotes
from pipelines.files import manifest, provenance

# ------------------------------------------------------------------------------------------ tiles


def test_tiles_join_at_their_seams_to_the_pixel(globe, tmp_path):
    corners = [(99, 24), (102, 24), (99, 27), (102, 27)]
    lay_cover(globe, *corners)
    region = regions(tmp_path / "r.gpkg", box(101.5, 26.6, 102.6, 27.3))
    found = fetch(order(globe, tmp_path / "out", region))
    values, place, d = read(found.out / "landcover.tif")
    assert d.nodata == 0
    for x, y in [(101.99, 26.99), (102.01, 26.99), (101.99, 27.01), (102.01, 27.01), (101.71, 26.81), (102.51, 27.21)]:
        west, south = 3 * (x // 3), 3 * (y // 3)
        expected = cover(west, south)[int((south + 3 - y) * COVER), int((x - west) * COVER)]
        col, row = ~place * (x, y)
        assert values[int(row), int(col)] == expected, (x, y)
    assert (values > 0).all()
    assert len(set(globe.reads())) == 4


def test_tiles_of_the_open_sea_are_not_there_and_mean_no_land(globe, tmp_path):
    lay_cover(globe, (102, 24))
    region = regions(tmp_path / "r.gpkg", box(101.5, 25, 102.5, 26))
    values, place, _ = read(fetch(order(globe, tmp_path / "out", region)).out / "landcover.tif")
    west = int((~place * (102.0, 25.5))[0] + 0.5)
    assert (values[:, :west] == 0).all()
    assert (values[:, west:] > 0).all()


def test_only_tiles_and_pieces_that_a_region_touches_are_read(globe, tmp_path):
    lay_cover(globe, (99, 24), (102, 24), (105, 24), (102, 27))
    region = regions(tmp_path / "r.gpkg", box(99.2, 24.2, 99.4, 24.4), box(107.5, 24.2, 107.7, 24.4))
    found = fetch(order(globe, tmp_path / "out", region))
    assert {p for p in globe.reads() if "E102" in p} == set()
    values, _, _ = read(found.out / "landcover.tif")
    assert 0 < (values > 0).mean() < 0.5


def test_open_sea_alone_is_told(globe, tmp_path):
    region = regions(tmp_path / "r.gpkg", box(-30, 10, -29, 11))
    with pytest.raises(RunError, match="has no land cover there; is the region on land"):
        fetch(order(globe, tmp_path / "out", region))


@pytest.mark.parametrize(
    ("product", "x", "y", "end"),
    [
        ("worldcover", 100.5, 25.5, "v200/2021/map/ESA_WorldCover_10m_2021_v200_N24E099_Map.tif"),
        ("worldcover", -71.5, -33.5, "v200/2021/map/ESA_WorldCover_10m_2021_v200_S36W072_Map.tif"),
        ("worldcover", 1.0, -0.5, "v200/2021/map/ESA_WorldCover_10m_2021_v200_S03E000_Map.tif"),
        ("cci_biomass", 103.0, 24.0, "2021/N30E100_ESACCI-BIOMASS-L4-AGB-MERGED-100m-2021-fv7.0.tif"),
        ("cci_biomass_sd", -65.0, -5.0, "2021/N00W070_ESACCI-BIOMASS-L4-AGB_SD-MERGED-100m-2021-fv7.0.tif"),
        ("cci_biomass", 15.0, -15.0, "2021/S10E010_ESACCI-BIOMASS-L4-AGB-MERGED-100m-2021-fv7.0.tif"),
        ("hansen", -65.0, 5.0, "Hansen_GFC-2023-v1.11_treecover2000_10N_070W.tif"),
        (
            "copernicus_dem",
            6.5,
            0.5,
            "Copernicus_DSM_COG_10_N00_00_E006_00_DEM/Copernicus_DSM_COG_10_N00_00_E006_00_DEM.tif",
        ),
    ],
)
def test_tiles_are_named_as_their_makers_name_them(tmp_path, product, x, y, end):
    one = register.products()[product]
    area = read_area(regions(tmp_path / "r.gpkg", box(x - 0.1, y - 0.1, x + 0.1, y + 0.1)))
    found = remotes(one, {}, one.year(2021), area, QUICK)
    assert [r.url for r in found] == [f"{one.base}/{end}"]
    west, south, east, north = found[0].bounds
    assert west < x < east
    assert south < y < north


# ------------------------------------------------------------------------------------------ faults


def test_a_busy_server_is_asked_again(globe, tmp_path):
    lay_cover(globe, (99, 24))
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    globe.tell(fail=2)
    calm = fetch(order(globe, tmp_path / "calm", region))
    assert globe.state()["fail"] == 0
    assert (read(calm.out / "landcover.tif")[0] > 0).all()


def test_a_server_that_stays_busy_is_told(globe, tmp_path):
    lay_cover(globe, (99, 24))
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    globe.tell(fail=10_000)
    with pytest.raises(RunError, match=r"the server is busy \(503 Service Unavailable\) and stayed so 3 times"):
        fetch(order(globe, tmp_path / "out", region))
    assert not (tmp_path / "out" / "landcover.tif").exists()


def test_offline_is_one_clear_sentence(tmp_path):
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    args = ["fetch", "--region", region, "--year", "2021", "--out", str(tmp_path / "out"), "--tries", "1"]
    found = CliRunner().invoke(main, [*args, "--mirror", "worldcover=http://127.0.0.1:9/wc"])
    assert found.exit_code == 1
    said = found.stderr.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(
        "sinks: http://127.0.0.1:9/wc/v200/2021/map/ESA_WorldCover_10m_2021_v200_N24E099_Map.tif: the server "
    )
    assert "check the network or proxy, name a copy with --mirror PRODUCT=URL" in said[0]


def test_a_refusal_and_a_moved_globe_are_told(globe, tmp_path):
    lay_cover(globe, (99, 24))
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    globe.tell(refuse="_Map.tif")
    with pytest.raises(RunError, match=r"the server refuses it \(403\)"):
        fetch(order(globe, tmp_path / "out", region))
    globe.tell(refuse="")
    soil = replace(small("soilgrids", 48), base=f"{globe.url}/soil")
    with pytest.raises(RunError, match="the server has no such file; the address of soilgrids has changed"):
        fetch(
            replace(order(globe, tmp_path / "out", region), products=[*order(globe, tmp_path, region).products, soil])
        )


def test_a_file_that_is_no_raster_is_told(globe, tmp_path):
    lay_cover(globe, (99, 24))
    next((tmp_path / "globe").rglob("*_Map.tif")).write_bytes(b"<html>please log in</html>")
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    with pytest.raises(
        RunError, match=r"N24E099_Map.tif: not a raster that GDAL can read; it may be a login or error page"
    ):
        fetch(order(globe, tmp_path / "out", region))


# ------------------------------------------------------------------------------------------ going on


def test_what_is_there_is_not_fetched_again(globe, tmp_path):
    lay_cover(globe, (99, 24))
    lay_biomass(globe)
    region = regions(tmp_path / "r.gpkg", box(100.2, 24.5, 101, 26))
    asked = order(globe, tmp_path / "out", region, "worldcover", "cci_biomass")
    first = fetch(asked)
    globe.tell(asked=[])
    again = fetch(asked)
    assert globe.reads() == []
    assert [e["rasters"] for e in again.sources] == [e["rasters"] for e in first.sources]
    (first.out / "agb.tif").write_bytes(b"damaged")
    fetch(asked)
    assert {p.partition("/")[0] for p in globe.reads()} == {"cci"}
    assert manifest.sha256(first.out / "agb.tif") == first.sources[1]["rasters"][0]["sha256"]
    assert sorted(p.name for p in first.out.iterdir()) == [
        "agb.tif", "assessment.toml", "landcover.tif", "sources.bib", "sources.json",
    ]  # fmt: skip


def test_a_map_that_changed_on_the_server_is_fetched_anew(globe, tmp_path):
    lay_cover(globe, (99, 24))
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    asked = order(globe, tmp_path / "out", region, cache=tmp_path / "cache")
    first = manifest.sha256(fetch(asked).out / "landcover.tif")
    tile = next((tmp_path / "globe").rglob("*_Map.tif"))
    put(
        globe,
        tile.relative_to(tmp_path / "globe"),
        99,
        27,
        np.full((3 * COVER, 3 * COVER), 40, np.uint8),
        COVER,
        nodata=0,
    )
    assert manifest.sha256(fetch(asked).out / "landcover.tif") != first


def test_a_cache_serves_other_regions_and_stays_small(globe, tmp_path):
    lay_cover(globe, (99, 24))
    west = regions(tmp_path / "w.gpkg", box(99.1, 24.1, 100.4, 26.9))
    both = regions(tmp_path / "b.gpkg", box(99.1, 24.1, 101.9, 26.9))
    fetch(order(globe, tmp_path / "one", west, cache=tmp_path / "cache"))
    before = set((tmp_path / "cache").rglob("*.piece"))
    globe.tell(asked=[])
    fetch(order(globe, tmp_path / "two", both, cache=tmp_path / "cache"))
    apart = fetch(order(globe, tmp_path / "three", both))
    assert before < set((tmp_path / "cache").rglob("*.piece"))
    assert read(tmp_path / "two" / "landcover.tif")[0].tobytes() == read(apart.out / "landcover.tif")[0].tobytes()
    fetch(order(globe, tmp_path / "two", both, cache=tmp_path / "cache", cache_gib=0.0))
    assert list((tmp_path / "cache").rglob("*.piece")) == []


KILLED = """
import sys
from fetchscene import order
from types import SimpleNamespace
from pathlib import Path
from dataclasses import replace
from pipelines.fetch.fetch import fetch
url, out, region = sys.argv[1:]
fetch(replace(order(SimpleNamespace(url=url), Path(out), region), workers=1))
"""


def test_a_killed_fetch_goes_on_to_the_same_bytes(globe, tmp_path):
    lay_cover(globe, (99, 24), (102, 24))
    region = regions(tmp_path / "r.gpkg", box(99.1, 24.1, 104.9, 26.9))
    whole = fetch(order(globe, tmp_path / "whole", region))
    globe.tell(slow=0.05)
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    running = subprocess.Popen(
        [sys.executable, "-c", KILLED, globe.url, str(tmp_path / "out"), region],
        env={**os.environ, "PYTHONPATH": paths},
    )
    pieces = tmp_path / "out" / ".fetch"
    until = time.monotonic() + 60
    while len(list(pieces.rglob("*.piece"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = {p: p.stat().st_mtime_ns for p in pieces.rglob("*.piece")}
    assert 3 <= len(kept) < 15
    assert not (tmp_path / "out" / "landcover.tif").exists()
    next(iter(kept)).write_bytes(b"half a piece")
    globe.tell(slow=0.0, asked=[])
    on = fetch(order(globe, tmp_path / "out", region))
    assert len(globe.reads()) < 60
    assert manifest.sha256(on.out / "landcover.tif") == manifest.sha256(whole.out / "landcover.tif")
    assert not pieces.exists()


# ------------------------------------------------------------------------------------------ across the antimeridian


def test_a_region_across_the_antimeridian_is_one(globe, tmp_path):
    lay_cover(globe, (177, -18), (-180, -18))
    fiji = MultiPolygon([box(178, -17, 180, -16), box(-180, -17, -179, -16)])
    found = fetch(order(globe, tmp_path / "out", regions(tmp_path / "r.gpkg", fiji)))
    values, place, d = read(found.out / "landcover.tif")
    assert 177 < d.bounds.left < 178
    assert 181 < d.bounds.right < 181.2
    assert (values > 0).all()
    for x, y in [(179.99, -16.5), (180.01, -16.5), (180.91, -16.11)]:
        west = 177 if x < 180 else 180
        expected = cover(west if west < 180 else -180, -18)[int((-15 - y) * COVER), int((x - west) * COVER)]
        col, row = ~place * (x, y)
        assert values[int(row), int(col)] == expected
    assert any("antimeridian" in n for n in found.notes)
    result = run.assess(from_toml(found.assessment, out=str(tmp_path / "result"), maps="none", draws=0, quiet=True))
    assert result.account.area_ha() == pytest.approx(3 * 110.6 * 106.9 * 100, rel=0.02)
    assert result.account.area_ha(ecosystem="nodata") == 0


@pytest.mark.parametrize(("crs", "crosses"), [("EPSG:3832", True), ("EPSG:32649", False)])
def test_projected_regions_come_to_longitude_and_latitude(tmp_path, crs, crosses):
    centre = gpd.GeoSeries([box(179.5, -17, 180.0, -16) if crosses else box(110, 24, 111, 25)], crs="EPSG:4326").to_crs(
        crs
    )
    west, south, east, north = centre.total_bounds
    area = read_area(regions(tmp_path / "r.gpkg", box(west, south, east + (100_000 if crosses else 0), north), crs=crs))
    assert area.crosses is crosses
    assert area.bounds[2] - area.bounds[0] < 3


def test_the_whole_globe_does_not_cross(tmp_path):
    area = read_area(regions(tmp_path / "r.gpkg", box(-180, -60, 180, 80)))
    assert not area.crosses
    window = Lattice(120, (128, 128)).window(area)
    assert window.width == 360 * 120


# ------------------------------------------------------------------------------------------ the whole way


def test_what_is_fetched_is_assessed_and_cited(globe, tmp_path):
    lay_cover(globe, (99, 24))
    lay_biomass(globe, year=2024)
    region = regions(tmp_path / "r.gpkg", box(100.2, 24.5, 101, 25.5), box(101, 24.5, 101.5, 25.5))
    asked = order(
        globe, tmp_path / "in", region, "worldcover", "cci_biomass", "cci_biomass_sd", year=2026, region_id="code"
    )
    found = fetch(asked)
    assert found.notes == (
        "worldcover: there is no map of 2026; that of 2021 stands for it",
        "cci_biomass: there is no map of 2026; that of 2024 stands for it",
        "cci_biomass_sd: there is no map of 2026; that of 2024 stands for it",
    )
    told = CliRunner().invoke(main, ["assess", str(found.assessment), "--maps", "none", "--draws", "0", "--quiet"])
    assert told.exit_code == 0, told.output
    result = found.out / "result"
    about = manifest.read(result)
    assert [e["product"] for e in about["data_sources"]] == ["worldcover", "cci_biomass", "cci_biomass_sd"]
    assert about["data_sources"][0]["licence"] == "CC-BY-4.0"
    assert "2021" in about["data_sources"][0]["attribution"]
    bib = CliRunner().invoke(main, ["cite", str(result)]).output
    for key in ("carbon_sinks", "worldcover2021", "cci_biomass7", "ipcc_2019r"):
        assert f"{{{key}," in bib
    assert "worldcover2020" not in bib
    text = CliRunner().invoke(main, ["cite", str(result), "--format", "text"]).output
    assert "ESA WorldCover 10 m 2021 v200. https://doi.org/10.5281/zenodo.7254221" in text
    rows = CliRunner().invoke(main, ["cite", str(result), "--format", "csv"]).output
    assert rows.startswith("key,used_for,author,year,title,doi,url\ncarbon_sinks,software,")
    assert (found.out / "sources.bib").read_text(encoding="utf-8").count("@misc") == 2


# ------------------------------------------------------------------------------------------ the request


def test_mistakes_are_told_with_what_was_meant():
    with pytest.raises(InputError, match=r"'worldcovr', which is no product or layer .did you mean 'worldcover'"):
        register.chosen(["worldcovr"])
    with pytest.raises(InputError, match="worldcover and io_lulc, both the layer landcover"):
        register.chosen(["worldcover", "io_lulc"])
    with pytest.raises(InputError, match="no land cover, without which nothing can be assessed"):
        register.chosen(["agb"])
    with pytest.raises(InputError, match="write PRODUCT=URL"):
        register.parse_mirrors(["https://example.org"])


def test_bases_come_from_the_option_then_the_environment(monkeypatch):
    monkeypatch.setenv("SINKS_MIRROR_WORLDCOVER", "https://copy.example.org/wc/")
    assert register.chosen(["landcover"])[0].base == "https://copy.example.org/wc"
    assert register.chosen(["landcover"], {"worldcover": "/data/wc"})[0].base == "/data/wc"


def test_the_register_says_all_that_must_be_said():
    from sinks.bibliography import entries
    from sinks.layers import LAYERS
    from sinks.legends import Legend

    for product in register.products().values():
        assert product.layer in LAYERS or product.layer == register.PROFILE
        assert sum(bool(x) for x in (product.stac, product.tile)) <= 1
        for year in [int(y) for y in product.years] or [None]:
            about = product.about(year)
            assert about["source"] in entries()
            assert all(about.values())
        if product.layer == "landcover":
            assert Legend.builtin(product.legend)
    climate = {p.name for p in register.chosen(["landcover", "climate"])} - {"worldcover"}
    assert {register.products()[n].layer for n in climate} >= {"temperature", "precipitation", "pet"}
    usual = {"worldcover", "cci_biomass", "cci_biomass_sd", "soilgrids"}
    assert {p.name for p in register.chosen(None)} == usual | climate
    listed = CliRunner().invoke(main, ["fetch", "--list"])
    assert "MODIS MCD12Q1 (landcover): needs an Earthdata login" in listed.output
    assert json.loads(CliRunner().invoke(main, ["fetch", "--list", "--json"]).output)["products"]


def test_one_fetch_at_a_time_in_a_folder(globe, tmp_path):
    import filelock

    (tmp_path / "out").mkdir()
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    with (
        filelock.FileLock(tmp_path / "out" / ".fetch.lock"),
        pytest.raises(InputError, match="another fetch is writing"),
    ):
        fetch(order(globe, tmp_path / "out", region))


def test_a_record_by_hand_is_carried_into_a_run(tmp_path):
    entry = {
        "files": ["lc.tif"],
        "title": "Our survey",
        "licence": "internal",
        "bibtex": "@misc{survey,\n  title = {Our survey}\n}\n",
    }
    provenance.write(tmp_path, {"sources": [entry]})
    assert provenance.of_files([str(tmp_path / "lc.tif"), str(tmp_path / "other.tif")])[0]["title"] == "Our survey"
    (tmp_path / "sources.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="not a record of data sources"):
        provenance.of_files([str(tmp_path / "lc.tif")])
