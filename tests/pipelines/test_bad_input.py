"""Bad input through the real command line: one sentence that names the file and the mend, the right exit code, no half file."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from shapely.geometry import Point, box

from pipelines.cli import main
from scenes import small, write_raster, write_regions

WEST, NORTH = 500_000.0, 2_600_000.0


def options(given, *more, out):
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]
    return ["assess", *flags, *more, f"--out={out}", "--quiet"]


def complain(given, *more, out, code=2):
    """Run, and return what is said; assert the exit code, one line, and that nothing half-done is left."""
    result = CliRunner().invoke(main, options(given, *more, out=out))
    assert result.exit_code == code, result.output + result.stderr
    said = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(said) == 1, said
    assert said[0].startswith("sinks: ")
    assert "Traceback" not in result.stderr
    nothing_left(out)
    return said[0]


def nothing_left(out):
    """No output, whole or half; the log and work to go on with are no output."""
    found = [p.relative_to(out) for p in Path(out).rglob("*") if p.is_file()] if Path(out).exists() else []
    left = [p for p in found if p.parts[0] not in ("run.log", ".work")]
    assert not left, left


@pytest.fixture
def given(tmp_path):
    found = small(tmp_path, size=24)
    return {**found, "legend": "worldcover", "climate": "warm_temperate_moist", "parameters": "china"}


def agb(folder, data, **profile):
    return str(write_raster(folder / "bad_agb.tif", np.asarray(data, np.float32), **profile))


def plain(value):
    return np.full((24, 24), value, np.float32)


def corner(value):
    data = plain(50.0)
    data[-1, -1] = value
    return data


CASES = {
    "missing file": (lambda d, g: g.update(agb=str(d / "nowhere.tif")), "nowhere.tif: there is no such file; check the path"),
    "not a raster": (lambda d, g: g.update(agb=_text(d / "notes.tif")), "notes.tif: not a raster that GDAL can read"),
    "no CRS": (lambda d, g: g.update(agb=agb(d, plain(50), crs=None)), "has no CRS.*--layer agb.crs=EPSG:4326"),
    "no overlap": (lambda d, g: g.update(agb=agb(d, plain(50), origin=(800_000.0, NORTH))), "does not overlap the land cover"),
    "kg as Mg": (lambda d, g: g.update(agb=agb(d, plain(50_000))), "should be Mg d.m. per hectare.*--layer agb.scale="),
    "all zero": (lambda d, g: g.update(agb=agb(d, plain(0))), "is zero everywhere; is it the right file"),
    "negative": (lambda d, g: g.update(agb=agb(d, plain(-9999))), "negative values .*--layer agb.nodata=-9999"),
    "negative in a corner": (lambda d, g: g.update(agb=agb(d, corner(-1))), "negative values .*--layer agb.nodata=-1"),
    "no value at all": (lambda d, g: g.update(agb=agb(d, plain(-1), nodata=-1.0)), "has no value anywhere"),
    "fractions as classes": (lambda d, g: g.update(landcover=agb(d, corner(1.5))), "must hold whole numbers|knows only"),
    "complex numbers": (lambda d, g: g.update(agb=_complex(d / "c.tif")), "complex numbers"),
    "rotated": (lambda d, g: g.update(landcover=_rotated(d / "r.tif")), "rotated; warp it"),
    "wrong legend": (lambda d, g: g.update(legend="dynamic_world"), "knows only .* of the pixels.*--legend"),
    "legend typo": (lambda d, g: g.update(legend="wordcover"), "worldcover"),
    "legend file with a bad row": (lambda d, g: g.update(legend=_text(d / "l.csv", "code,ecosystem\n10,wood\n")), "wood"),
    "unknown parameter set": (lambda d, g: g.update(parameters="chna"), "did you mean 'china'"),
    "parameters without units": (
        lambda d, g: g.update(parameters=_text(d / "p.csv", "topic,parameter,value,unit,source\nvolume_ratio,agb_per_volume,1,,me\n")),
        "p.csv, line 2: the unit is empty",
    ),
    "decimal comma": (
        lambda d, g: g.update(parameters=_text(d / "p.csv", 'topic,parameter,value,unit,source\nx,y,"0,5",m,me\n')),
        "p.csv, line 2: value is '0,5'.*decimals with a point",
    ),
    "regions without an id": (lambda d, g: g.update(regions=_regions(d, nothing=["x", "y"])), "no column (of|with) unique region ids.*--region-id"),
    "regions with the same id": (
        lambda d, g: g.update(regions=_regions(d, code=["1", "1"]), region_id="code"), "same id more than once"),
    "regions as points": (lambda d, g: g.update(regions=_points(d)), "polygon|areas"),
    "regions elsewhere": (lambda d, g: g.update(regions=_regions(d, east=9e5, code=["1", "2"])), "no region overlaps the land cover"),
    "regions that are no file": (lambda d, g: g.update(regions=str(d / "r.gpkg")), "r.gpkg: there is no such file"),
    "target for a region that is not there": (
        lambda d, g: g.update(targets=_text(d / "t.csv", "region_id,indicator,year,value,unit\n77,forest_coverage,2025,50,%\n")),
        "not in this account: 77",
    ),
    "unknown climate zone": (lambda d, g: g.update(climate="warm"), "warm"),
    "karst without runoff": (lambda d, g: g.update(karst=g["agb"]), "the karst sink needs runoff"),
    "two biomass layers": (lambda d, g: g.update(volume=g["agb"]), "only one biomass layer"),
    "unknown map": (lambda d, g: g.update(maps="carbon_totl"), "did you mean 'carbon_total'"),
    "unknown layer key": (lambda d, g: g.update(layer="agb.nodat=3"), "did you mean 'nodata'"),
    "layer option without a value": (lambda d, g: g.update(layer="agb.nodata"), "NAME.KEY=VALUE"),
    "odd block size": (lambda d, g: g.update(block_size=512), "multiple of 1024"),
    "a year that is none": (lambda d, g: g.update(year=20233), "no year of a map"),
    "unknown definition": (lambda d, g: g.update(forest_definition="ipcc"), "choose china or fao"),
}  # fmt: skip


def _text(path, text="not a raster\n"):
    path.write_text(text, encoding="utf-8")
    return str(path)


def _complex(path):
    return str(write_raster(path, plain(1).astype(np.complex64)))


def _rotated(path):
    turned = rasterio.Affine(90, 40, WEST, 40, -90, NORTH)
    return str(write_raster(path, np.full((24, 24), 10, np.uint8), transform=turned, nodata=0))


def _regions(folder, east=0.0, **columns):
    boxes = [
        (WEST + east, NORTH - 1000, WEST + east + 900, NORTH),
        (WEST + east + 900, NORTH - 1000, WEST + east + 1800, NORTH),
    ]
    return str(write_regions(folder / "bad_regions.gpkg", boxes, **columns))


def _points(folder):
    frame = gpd.GeoDataFrame({"code": ["1"]}, geometry=[Point(WEST + 5, NORTH - 5)], crs="EPSG:32649")
    frame.to_file(folder / "points.gpkg", engine="pyogrio")
    return str(folder / "points.gpkg")


@pytest.mark.parametrize("case", CASES)
def test_each_bad_input_gets_one_clear_sentence(case, given, tmp_path):
    spoil, said = CASES[case]
    spoil(tmp_path, given)
    assert re.search(said, complain(given, out=tmp_path / "out")), case


def test_a_failed_run_does_not_block_the_next(given, tmp_path):
    complain({**given, "legend": "dynamic_world"}, out=tmp_path / "out")
    assert CliRunner().invoke(main, options(given, out=tmp_path / "out")).exit_code == 0


def test_a_truncated_raster_is_named(given, tmp_path):
    path = Path(given["agb"])
    path.write_bytes(path.read_bytes()[:900])
    result = CliRunner().invoke(main, options(given, out=tmp_path / "out"))
    assert result.exit_code in (1, 2)
    assert "agb.tif" in result.stderr
    assert "Traceback" not in result.stderr
    nothing_left(tmp_path / "out")


def test_a_folder_that_holds_other_things_is_not_touched(given, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    for more in ((), ("--overwrite",)):
        result = CliRunner().invoke(main, options(given, *more, out=out))
        assert result.exit_code == 2
        assert str(out) in result.stderr
        assert [p.name for p in out.iterdir()] == ["thesis.txt"]


def test_an_earlier_run_is_replaced_only_when_asked(given, tmp_path):
    out = tmp_path / "out"
    assert CliRunner().invoke(main, options(given, out=out)).exit_code == 0
    again = CliRunner().invoke(main, options(given, out=out))
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert CliRunner().invoke(main, options(given, "--overwrite", out=out)).exit_code == 0


def test_toml_mistakes_are_named(tmp_path):
    for text, said in (
        ("landcovr = 'x'\n", "did you mean 'landcover'"),
        ("year = = 3\n", "not a readable TOML"),
        ("year = '2023'\n", "year"),
    ):
        path = tmp_path / "a.toml"
        path.write_text(text)
        result = CliRunner().invoke(main, ["assess", str(path)])
        assert result.exit_code == 2, text
        assert said in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("verb", ["targets", "explain"])
def test_a_folder_that_is_no_run_is_refused(verb, tmp_path):
    result = CliRunner().invoke(main, [verb, str(tmp_path), *(["1", "1"] if verb == "explain" else [])])
    assert result.exit_code == 2
    assert "name the output folder of a finished run" in result.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_ends_the_run_with_one_sentence_and_no_half_file(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        given = {
            **small(tmp_path, size=1500),
            "legend": "worldcover",
            "climate": "warm_temperate_moist",
            "parameters": "china",
        }
        said = complain(given, out=disk / "out", code=1)
        assert re.search("room|space|full", said), said
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_an_interrupt_leaves_nothing_half_written(tmp_path):
    given = {
        **small(tmp_path, size=6000),
        "legend": "worldcover",
        "climate": "warm_temperate_moist",
        "parameters": "china",
    }
    arguments = options(given, "--block-size=1024", "--workers=1", out=tmp_path / "out")
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job's children ignore it else
    ) as process:  # fmt: skip
        work = tmp_path / "out" / ".work"
        until = time.monotonic() + 60
        while time.monotonic() < until and not (work.exists() and list(work.rglob("*.tif"))):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "stopped" in said
    nothing_left(tmp_path / "out")


def test_the_box_of_the_scene_is_where_it_is_thought_to_be(given):
    # Guards the cases above: they rely on the scene's corner.
    assert box(WEST, NORTH - 2400, WEST + 2400, NORTH).covers(gpd.read_file(given["regions"]).union_all())
