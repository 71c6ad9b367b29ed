"""The catalogue for the verbs that read finished runs, changes, samples and sets."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from catalogue import NORTH, SIDE, SPAN, WEST, Scene
from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.cli import main
from scenes import write_raster, write_regions
from test_catalogue import nothing_left, sentence


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two runs that lie side by side and a change, for cases to copy and spoil."""
    folder = tmp_path_factory.mktemp("verbs")
    scene = Scene.fresh(folder)
    scene.given |= {"maps": "ecosystem,carbon_total,stock_volume", "year": 2020, "quiet": True}
    run.assess(checked({**scene.given, "out": str(folder / "west")}))
    at = (WEST + SPAN, NORTH)
    lc = np.full((SIDE, SIDE), 10, np.uint8)
    other = {
        "landcover": str(write_raster(folder / "east.tif", lc, nodata=0, origin=at)),
        "agb": str(write_raster(folder / "east_agb.tif", lc * np.float32(9), origin=at)),
        "regions": str(
            write_regions(folder / "east.gpkg", [(at[0], NORTH - SPAN, at[0] + SPAN, NORTH)], code=["0103"])
        ),
    }
    run.assess(checked({**scene.given, **other, "out": str(folder / "east")}))
    write_raster(folder / "lc2.tif", np.full((SIDE, SIDE), 30, np.uint8), nodata=0)
    done = CliRunner().invoke(main, change(folder, folder / "change"))
    assert done.exit_code == 0, done.stderr
    return folder


def change(
    d,
    out,
    one="year=2010,landcover={d}/lc.tif,agb={d}/agb.tif",
    two="year=2020,landcover={d}/lc2.tif,agb={d}/agb.tif",
    *more,
):
    epochs = [f"--epoch={e.format(d=d)}" for e in (one, two) if e]
    return ["change", *epochs, "--legend=worldcover", "--climate=warm_temperate_moist", "--parameters=china", "--draws=0",
            f"--out={out}", "--quiet", *more]  # fmt: skip


ONE, TWO = "year=2010,landcover={d}/lc.tif,agb={d}/agb.tif", "year=2020,landcover={d}/lc2.tif,agb={d}/agb.tif"


def text(name, content):
    def make(d, folder):
        (folder / name).write_text(content, encoding="utf-8")
        return str(folder / name)

    return make


def changed(*arguments):
    return lambda d, f: change(d, f / "out", *arguments)


def spoiled(verb, deed, *more):
    """A verb on a copy of the run to which something was done."""

    def make(d, folder):
        shutil.copytree(d / "west", folder / "west")
        deed(folder / "west")
        return [part.format(d=d, f=folder) for part in (verb, "{f}/west", *more)]

    return make


def manifest(**more):
    def deed(home):
        about = json.loads((home / "manifest.json").read_text())
        (home / "manifest.json").write_text(json.dumps({**about, **more}))

    return deed


def write(name, content):
    return lambda home: (home / name).write_bytes(content)


def flipped(name):
    def deed(home):
        raw = bytearray((home / name).read_bytes())
        raw[len(raw) // 2] ^= 1
        (home / name).write_bytes(raw)

    return deed


def plain(*parts):
    return lambda d, f: [part.format(d=d, f=f) for part in parts]


def with_table(name, content, *parts):
    def make(d, f):
        (f / name).write_text(content, encoding="utf-8")
        return [part.format(d=d, f=f) for part in parts]

    return make


POINTS = "lon,lat,reference\n111.001,23.505,forest\n111.002,23.504,water\n"
CASES = {
    "change: one epoch": (changed(ONE, ""), "a change takes two epochs or more"),
    "change: the same year twice": (changed(ONE, ONE), "two epochs have the same year"),
    "change: no year": (changed(ONE, "landcover={d}/lc2.tif"), "has no year"),
    "change: a year in words": (changed(ONE, "year=last,landcover={d}/lc2.tif"), "write a whole number"),
    "change: the year 20233": (changed(ONE, "year=20233,landcover={d}/lc2.tif,agb={d}/agb.tif"), "no year of a map"),
    "change: no land cover": (changed(ONE, "year=2020,agb={d}/agb.tif"), "has no land cover"),
    "change: a key that is none": (changed(ONE, "year=2020,landcovr={d}/lc2.tif"), "did you mean 'landcover'"),
    "change: no equals sign": (changed(ONE, "2020"), "write year=2010,landcover=FILE"),
    "change: a raster that is gone": (changed(ONE, "year=2020,landcover={d}/gone.tif,agb={d}/agb.tif"), "there is no such file"),
    "change: another kind of biomass": (changed(ONE, "year=2020,landcover={d}/lc2.tif,volume={d}/agb.tif"), "kind of biomass layer"),
    "change: another legend": (changed(ONE, TWO + ",legend=dynamic_world"), "differ in legend"),
    "change: an epoch elsewhere": (changed(ONE, "year=2020,landcover={d}/east.tif,agb={d}/east_agb.tif"), "does not overlap"),
    "change: a patch below zero": (changed(ONE, TWO, "--minimum-change=-1"), "give 0 or more"),
    "change: certain beyond doubt": (changed(ONE, TWO, "--confidence=1"), "lies between 0 and 1"),
    "change: errors that agree wholly": (changed(ONE, TWO, "--error-correlation=1"), "from 0 to below 1"),
    "change: an accuracy of 120": (changed(ONE, TWO, "--map-accuracy=120,90"), "a share for every epoch"),
    "change: an accuracy in words": (changed(ONE, TWO, "--map-accuracy=good"), "a share for every epoch"),
    "change: a soil that is none": (changed(ONE, TWO, "--soil-change=guess"), "choose factors or class"),
    "change: removals that are gone": (changed(ONE, TWO, "--removals=/nowhere.csv", "--forest-age=secondary_over_20"), "there is no such file"),
    "change: an unknown key in a file": (with_table("c.toml", "minimum_chang = 1\n", "change", "{f}/c.toml"), "did you mean 'minimum_change'"),
    "change: epochs that are no tables": (with_table("c.toml", "epochs = 2\n", "change", "{f}/c.toml"), "epochs are tables"),
    "change: a file that is gone": (plain("change", "/nowhere/c.toml"), "there is no such file"),
    "rollup: one run": (plain("rollup", "{d}/west", "--out={f}/out"), "takes two runs or more"),
    "rollup: the same run twice": (plain("rollup", "{d}/west", "{d}/west", "--out={f}/out"), "hold the same account; name each run once"),
    "rollup: no run": (plain("rollup", "{d}/west", "/tmp", "--out={f}/out"), "name the output folder of a finished run"),
    "rollup: a change among runs": (plain("rollup", "{d}/west", "{d}/change", "--out={f}/out"), "change|no account"),
    "rollup: a boundary that is gone": (plain("rollup", "{d}/west", "{d}/east", "--boundary=/nowhere.gpkg", "--out={f}/out"), "there is no such file"),
    "rollup: a document that is none": (plain("rollup", "{d}/west", "{d}/east", "--target-document=plan_99", "--out={f}/out"), "plan_99"),
    "rollup: a wrong bit in the sums": (spoiled("rollup", flipped("account_sums.parquet"), "{d}/east", "--out={f}/out"), "account_sums.parquet"),
    "rollup: sums that are gone": (spoiled("rollup", lambda h: (h / "account_sums.parquet").unlink(), "{d}/east", "--out={f}/out"), "account_sums.parquet"),
    "rollup: a manifest that is none": (spoiled("rollup", write("manifest.json", b"[1, 2]"), "{d}/east", "--out={f}/out"), "not a manifest"),
    "rollup: a manifest cut short": (spoiled("rollup", write("manifest.json", b'{"outputs": {'), "{d}/east", "--out={f}/out"), "not a readable manifest"),
    "rollup: outputs outside of the folder": (
        spoiled("rollup", manifest(outputs={"../../x": {"sha256": "0", "bytes": 1}}), "{d}/east", "--out={f}/out"), "an output outside of its folder"),
    "rollup: a grid that is none": (spoiled("rollup", manifest(grid={"crs_wkt": 5}), "{d}/east", "--out={f}/out"), "its grid is none"),
    "targets: no run": (plain("targets", "/tmp"), "name the output folder of a finished run"),
    "targets: a document that is none": (plain("targets", "{d}/west", "--target-document=plan_99"), "plan_99"),
    "targets: a wrong bit": (spoiled("targets", flipped("account_sums.parquet")), "is not what the run wrote"),
    "targets: a wrong bit of coverage": (spoiled("targets", flipped("coverage.csv")), "is not what the run wrote"),
    "targets: coverage that is gone": (spoiled("targets", lambda h: (h / "coverage.csv").unlink()), "coverage.csv"),
    "targets: a table that is none": (with_table("t.csv", "a,b\n", "targets", "{d}/west", "--targets={f}/t.csv"), r"lacks the column\(s\)"),
    "targets: a sample without labels": (with_table("s.csv", POINTS, "targets", "{d}/west", "--sample={f}/s.csv", "--column=truth"), "truth"),
    "sample: a size of nothing": (plain("sample", "design", "{d}/west", "--size=0", "--out={f}/s.gpkg"), "size|points"),
    "sample: a size below zero": (plain("sample", "design", "{d}/west", "--size=-5", "--out={f}/s.gpkg"), "size|points"),
    "sample: a seed below zero": (plain("sample", "design", "{d}/west", "--size=50", "--seed=-1", "--out={f}/s.gpkg"), "seed"),
    "sample: a guess of 9": (plain("sample", "design", "{d}/west", "--size=500", "--guess=forest=9", "--out={f}/s.gpkg"), "guess|accuracy"),
    "sample: a guess without a number": (plain("sample", "design", "{d}/west", "--size=50", "--guess=forest", "--out={f}/s.gpkg"), "guess"),
    "sample: strata that are none": (plain("sample", "design", "{d}/west", "--stratify=colour", "--out={f}/s.gpkg"), "colour"),
    "sample: no run": (plain("sample", "design", "/tmp", "--out={f}/s.gpkg"), "finished run"),
    "sample: a file that is gone": (plain("sample", "estimate", "{d}/west", "/nowhere.gpkg"), "nowhere.gpkg"),
    "sample: no places": (with_table("s.csv", "a,reference\n1,forest\n", "sample", "estimate", "{d}/west", "{f}/s.csv"), "no columns lon and lat"),
    "sample: a place in words": (with_table("s.csv", "lon,lat,reference\neast,23,forest\n", "sample", "estimate", "{d}/west", "{f}/s.csv"), "line 2: .*is not a number"),
    "sample: a label that is none": (with_table("s.csv", POINTS.replace("water", "wood"), "sample", "estimate", "{d}/west", "{f}/s.csv", "--design=random"), "wood"),
    "sample: no labels": (with_table("s.csv", "lon,lat,reference\n111.001,23.505,\n", "sample", "estimate", "{d}/west", "{f}/s.csv", "--design=random"), "label"),
    "sample: points elsewhere": (with_table("s.csv", "lon,lat,reference\n11,3,forest\n", "sample", "estimate", "{d}/west", "{f}/s.csv", "--design=random"), "point|map"),
    "plots: nothing measured": (with_table("p.csv", "lon,lat\n111.001,23.505\n", "plots", "{d}/west", "{f}/p.csv", "--value=v"), "there is no column 'v'"),
    "plots: a value below zero": (with_table("p.csv", "lon,lat,v\n111.001,23.505,-4\n", "plots", "{d}/west", "{f}/p.csv", "--value=v"), "cannot hold less than nothing"),
    "plots: degrees that are metres": (with_table("p.csv", "lon,lat,v\n500050,2599950,4\n", "plots", "{d}/west", "{f}/p.csv", "--value=v"), "no longitude and latitude"),
    "calibrate: figures in a wrong unit": (with_table("o.csv", "region_id,quantity,value,unit\n0101,area,5,kg\n", "calibrate", "{d}/west", "{f}/o.csv"), "kg"),
    "calibrate: a figure of NaN": (with_table("o.csv", "region_id,quantity,value,unit\n0101,area,nan,ha\n", "calibrate", "{d}/west", "{f}/o.csv"), "nan"),
    "calibrate: a region that is not there": (with_table("o.csv", "region_id,quantity,value,unit\n77,area,5,ha\n", "calibrate", "{d}/west", "{f}/o.csv"), "77"),
    "explain: a place elsewhere": (plain("explain", "{d}/west", "1", "1"), "outside|not on|beyond"),
    "explain: no place": (plain("explain", "{d}/west", "--", "nan", "nan"), "nan|outside|not on"),
    "track: one run": (plain("track", "{d}/west"), "name two or more"),
    "track: a table in words": (with_table("t.csv", "region_id,region_name,quantity,unit,year,value\ntotal,x,forest_coverage,percent,last,5\n", "track", "{f}/t.csv"), "line 2: year is 'last'"),
    "value: no currency": (plain("value", "{d}/change", "--price=80", "--per=co2"), "currency"),
    "value: a discount of NaN": (plain("value", "{d}/change", "--price=80", "--per=co2", "--currency=CNY", "--discount=nan"), "nan|discount"),
    "value: prices in words": (with_table("p.csv", "year,price\n2020,much\n", "value", "{d}/change", "--prices={f}/p.csv", "--per=co2", "--currency=CNY"), "much"),
    "value: prices in the year 20233": (with_table("p.csv", "year,price\n20233,5\n", "value", "{d}/change", "--prices={f}/p.csv", "--per=co2", "--currency=CNY"), "20233|year"),
    "value: no change": (plain("value", "{d}/west", "--price=80", "--per=co2", "--currency=CNY"), "change"),
    "transitions: no change": (plain("transitions", "{d}/west"), "this is no change"),
    "transitions: a region that is not there": (plain("transitions", "{d}/change", "--region=77"), "77"),
    "transitions: a period that is not there": (plain("transitions", "{d}/change", "--period", "1990", "2000"), "there is no period"),
    "reserves: areas that are gone": (plain("reserves", "{d}/change", "--areas=/nowhere.gpkg", "--out={f}/out"), "there is no such file"),
    "reserves: a process that is none": (plain("reserves", "{d}/change", "--areas={d}/regions.gpkg", "--id=code", "--processes=magic", "--out={f}/out"), "magic"),
    "parameters: a set that is none": (plain("parameters", "show", "chna", "cbef"), "did you mean 'china'"),
    "parameters: a table that is none": (plain("parameters", "show", "china", "cbf"), "cbf"),
    "parameters: a key that is none": (plain("parameters", "show", "china", "cbef", "--key=colour=red"), "colour"),
    "parameters: a key without a value": (plain("parameters", "show", "china", "cbef", "--key=forest_type"), "COLUMN=VALUE|forest_type"),
    "parameters: over a file that is there": (with_table("p.csv", "x", "parameters", "export", "china", "--out={f}/p.csv"), "overwrite"),
    "parameters: a difference to a workbook": (with_table("p.csv", "PK\x03\x04\x00\x00", "parameters", "diff", "china", "{f}/p.csv"), "neither UTF-8"),
    "legends: one that is none": (plain("legends", "worldcovr"), "did you mean 'worldcover'"),
    "layers: one that is none": (plain("layers", "drainge"), "drain"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_verb(name, home, tmp_path):
    make, said = CASES[name]
    told = sentence(CliRunner().invoke(main, make(home, tmp_path)), (2,))
    assert re.search(said, told), f"{told!r} is not {said!r}"
    nothing_left(tmp_path / "out")
    assert not list(tmp_path.glob("*.gpkg"))


def test_what_the_cases_spoil_is_sound(home, tmp_path):
    for command in (
        ["rollup", f"{home}/west", f"{home}/east", f"--out={tmp_path}/nation"], ["targets", f"{home}/west"], ["transitions", f"{home}/change"],
        ["explain", f"{home}/west", str(WEST + 150), str(NORTH - 1150)], ["value", f"{home}/change", "--price=80", "--per=co2", "--currency=CNY"],
    ):  # fmt: skip
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.stderr
    assert np.isfinite(pd.read_csv(tmp_path / "nation" / "accounts.csv")["value"]).all()


pytestmark = pytest.mark.slow
"""Left to CI and to who works on this: the default tests are to be done in ten minutes."""
