"""The report of a finished run: its words, its numbers, its safety, and its place among the outputs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import string
from html.parser import HTMLParser
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from rasterio.io import MemoryFile

import pipelines.report
from pipelines.assess import rollup, run
from pipelines.assess.demo import sample_data
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.report import amounts, answer, catalogue, page, quicklook, runfolder, shapes, standing
from pipelines.report.agency import book
from pipelines.report.catalogue import Both, same
from pipelines.report.holdings import Range
from pipelines.verbs import reportcli
from reportruns import EVIL, written
from sinks.parameters import records

HOME = Path(pipelines.report.__file__).parent


def says(*arguments, code=0):
    found = CliRunner().invoke(main, [str(a) for a in arguments])
    assert found.exit_code == code, found.output
    return found.output


class Elements(HTMLParser):
    """Every element of a page, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self._in = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
            self._in = True

    def handle_endtag(self, tag):
        self._in = self._in and tag != "script"

    def handle_data(self, data):
        if self._in:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)


# ------------------------------------------------------------------------------------------ words


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_message_is_there_in_both_languages_with_the_same_places():
    found = catalogue.messages()
    assert len(found) > 300
    for key, text in found.items():
        assert text.en, key
        assert text.zh, key
        if not key.startswith("words."):
            assert places(text.en) == places(text.zh), key
    han = re.compile(r"[\u4e00-\u9fff]")
    latin = {k for k, t in found.items() if not han.search(t.zh)}
    assert latin <= {"list.comma", "list.semicolon", "list.space", "list.dot", "term.coverage.unit"}


def test_every_message_that_the_page_and_the_program_name_is_in_the_catalogue():
    known = set(catalogue.messages())
    named = set()
    for path in [*HOME.rglob("*.py"), *(HOME / "page").glob("*.html")]:
        named |= set(re.findall(r'say\(\s*f?"([a-z_.0-9]+)"', path.read_text(encoding="utf-8")))
    begun = {n for n in named if n.endswith(".")}  # the rest is made when the page is
    assert named - known == begun
    assert all(any(k.startswith(n) for k in known) for n in begun)
    script = (HOME / "page" / "page.js").read_text(encoding="utf-8")
    assert {f"words.{k}" for k in re.findall(r"words\.([a-z_]+)\[", script)} == {
        k for k in known if k.startswith("words.")
    }


def test_titles_of_target_documents_are_those_of_the_register():
    for row in records("targets"):
        assert catalogue.messages()[f"document.{row['document']}"].zh == row["document_zh"]


def test_the_four_words_for_carbon_are_kept_apart():
    m = catalogue.messages()
    names = [m[f"term.{k}"].zh for k in ("carbon_stock", "sink", "carbon_density", "rate")]
    assert names == ["碳储量", "碳汇量", "碳密度", "固碳速率"]
    units = [m[f"term.{k}.unit"].zh for k in ("carbon_stock", "sink", "carbon_density", "rate")]
    assert units == ["吨碳", "吨二氧化碳/年或吨碳/年", "吨碳/公顷", "吨碳/(公顷·年)"]


@pytest.mark.parametrize(
    ("value", "kind", "en", "zh"),
    [
        (1.8e10, "volume", "18.00 billion m³", "180.00 亿立方米"),
        (152_096_412, "volume", "152.1 million m³", "1.52 亿立方米"),
        (5_342_000, "volume", "5.342 million m³", "534.20 万立方米"),
        (2_232_403.9, "area", "2.232 million ha", "223.24 万公顷"),
        (9_136.1, "area", "9,136 ha", "9136 公顷"),
        (12.345, "area", "12.35 ha", "12.35 公顷"),
        (306_669_283, "carbon", "306.7 million t C", "3.07 亿吨碳"),
        (57.5405, "percent", "57.54 %", "57.54%"),
        (137.37, "carbon_density", "137.4 t C/ha", "137.4 吨碳/公顷"),
        (-0.0001, "percent", "0.00 %", "0.00%"),
        (float("nan"), "carbon", "–", "–"),
    ],
)
def test_amounts_are_said_in_si_and_in_chinese_units(value, kind, en, zh):
    found = amounts.said(value, kind)
    assert (found.en.replace("\u00a0", " "), found.zh.replace("\u00a0", " ")) == (en, zh)


def one(status, role="own", region="R1", indicator="forest_coverage", year=2025, map_year=2025):
    return standing.Standing(
        region,
        "县",
        indicator,
        year,
        60.0,
        Range(57.0),
        -3.0,
        role,
        status,
        float("nan"),
        10.0,
        same("plan"),
        float("nan"),
        "",
        map_year,
    )


@pytest.mark.parametrize(
    ("found", "tone", "begins"),
    [
        ([one("met", region="total"), one("likely met", region="total")], "good", "Yes"),
        ([one("missed", "national", "total"), one("missed", "national", "total", "forest_stock")], "bad", "No:"),
        ([one("missed", "national", "total", map_year=2019)], "bad", "Not yet: by the maps of 2019"),
        ([one("met", "national", "total"), one("missed", "national", "total")], "open", "In part: 1 of 2"),
        ([one("met"), one("missed"), one("undecided")], "open", "In part: 1 of 3"),
        ([one("met"), one("met")], "good", "Yes"),
        ([one("above", "reference", "total")], "neutral", "No target is set"),
        ([], "neutral", "No target is set"),
    ],
)
def test_the_first_sentence_answers_whether_targets_are_met(found, tone, begins):
    told = answer.answer(found)
    assert told.tone == tone
    assert told.short.en.startswith(begins)
    assert told.sentences[0].en.endswith(".")
    assert told.sentences[0].zh.endswith("。")


def test_a_reference_sample_is_held_against_the_targets(demo_run):
    whole, _ = runfolder.read(demo_run)
    found = [s for s in standing.standings(whole, Range(23.0, 21.0, 25.0)) if s.region_id == "total"]
    coverage = [s for s in found if s.indicator == "forest_coverage"]
    assert {s.status for s in coverage} == {"below"}
    assert {s.value.value for s in coverage} == {23.0}
    own = standing._corrected(one("missed", region="total"), Range(61.0, 59.0, 63.0))
    assert own.status == "likely met"
    assert own.probability == pytest.approx(0.837, abs=0.002)


# ------------------------------------------------------------------------------------------ the page


def test_the_page_needs_nothing_but_itself(demo_run, demo_change, demo_reserves, tmp_path):
    text = written(demo_run, tmp_path / "r.html", demo_change, demo_reserves)
    found = Elements(text)
    for tag, attrs in found.found:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            assert not re.match(r"(https?:|//|file:)", attrs.get(name) or ""), (tag, attrs)
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert "leaflet" in styles
    assert "url(" not in styles
    assert "@import" not in styles
    assert "sourceMappingURL" not in text
    policy = next(
        a["content"] for t, a in found.found if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    for attrs, script in found.scripts:
        if "type" not in attrs:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
    assert len(text) < 1_500_000


def test_no_path_of_this_disk_is_in_the_page(demo_run, tmp_path):
    text = written(demo_run, tmp_path / "r.html")
    assert str(sample_data()) not in text
    assert str(demo_run.parent) not in text
    assert "landcover_2023.tif" in text


def test_harmful_names_are_shown_and_not_obeyed(evil_run, tmp_path):
    text = written(evil_run, tmp_path / "r.html", title=EVIL[0])
    found = Elements(text)
    assert len(found.scripts) == 3
    assert not [a for t, a in found.found if t == "img"]
    data = json.loads(next(s for a, s in found.scripts if a.get("id") == "data"))
    assert list(EVIL) == data["regions"]["names"][: len(EVIL)]
    assert "<" not in next(s for a, s in found.scripts if a.get("id") == "data")
    assert "49" not in re.findall(r"class=\"name\">([^<]*)<", text)


def test_a_run_without_regions_errors_or_biomass_is_told_too(tmp_path):
    layers = {
        k: str(sample_data() / v) for k, v in (("landcover", "landcover_2023.tif"), ("climate", "climate_zone.tif"))
    }
    from pipelines.assess.study import checked

    run.assess(checked({**layers, "legend": "sample", "out": str(tmp_path / "bare"), "quiet": True, "draws": 0}))
    text = written(tmp_path / "bare", tmp_path / "bare.html")
    assert 'id="regions"' not in text
    assert 'id="map"' in text
    pools = f"invest:{sample_data() / 'pools_invest.csv'}"
    run.assess(checked({**layers, "parameters": pools, "out": str(tmp_path / "invest"), "quiet": True}))
    text = written(tmp_path / "invest", tmp_path / "invest.html")
    assert "no interval known" in text


def test_a_change_and_a_rollup_have_their_page(demo_change, tiles, tmp_path):
    text = written(demo_change, tmp_path / "c.html", language="zh")
    assert 'lang="zh-CN" data-lang="zh"' in text
    assert 'id="change"' in text
    assert 'id="targets"' not in text
    rollup.rollup([tiles["west"].out, tiles["east"].out], tmp_path / "both")
    text = written(tmp_path / "both", tmp_path / "both.html")
    assert "2 runs added up" in text


def test_what_is_put_beside_a_run_must_fit_it(demo_run, demo_change, tmp_path):
    with pytest.raises(InputError, match="no manifest"):
        runfolder.read(tmp_path)
    with pytest.raises(InputError, match="a run of its own"):
        runfolder.read(demo_run, [demo_run])
    with pytest.raises(InputError, match="both a change"):
        runfolder.read(demo_run, [demo_change, demo_change])


def test_a_logo_is_put_in_the_page_and_nothing_else_is(demo_run, tmp_path):
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    text = written(demo_run, tmp_path / "r.html", logo=logo)
    assert next(a for t, a in Elements(text).found if t == "img")["src"].startswith("data:image/svg+xml;base64,")
    for bad in (tmp_path / "logo.exe", tmp_path / "none.png"):
        with pytest.raises(InputError, match="--logo"):
            written(demo_run, tmp_path / "r.html", logo=bad)


# ------------------------------------------------------------------------------------------ maps


def grid_of_regions(side, crs):
    boxes = [shapely.box(500_000 + 3000 * i, 3_300_000 + 3000 * j, 503_000 + 3000 * i, 3_303_000 + 3000 * j)
             for i in range(side) for j in range(side)]  # fmt: skip
    return gpd.GeoDataFrame({"region_id": [f"R{n}" for n in range(len(boxes))]}, geometry=boxes, crs=crs)


def test_three_thousand_regions_of_a_projected_grid_fit_the_page():
    frame = grid_of_regions(55, "EPSG:32648")
    found = shapes.outlines(frame)
    assert len(found) == len(frame) == 3025
    assert shapely.get_num_coordinates(np.array(list(found.values()), object)).sum() <= shapes.MOST_VERTICES
    told = shapes.features(found, list(frame["region_id"]))
    assert len(told["features"]) == 3025
    assert len(json.dumps(told)) < 900_000
    west, south, east, north = shapes.bounds(found)
    assert 104 < west < east < 108
    assert 29 < south < north < 32
    whole = shapely.union_all(np.array(list(found.values()), object))  # neighbours keep their common border
    assert len(shapely.get_parts(whole)) == 1
    assert not whole.interiors


def test_islands_stay_unless_there_are_too_many_vertices():
    main_land, island = shapely.box(100, 30, 110, 40), shapely.box(111, 35, 111.0005, 35.0005)
    frame = gpd.GeoDataFrame(
        {"region_id": ["a", "b"]}, geometry=[shapely.MultiPolygon([main_land, island]), shapely.box(112, 30, 112.0005, 30.0005)],
        crs=4326,
    )  # fmt: skip
    assert len(shapes.outlines(frame)["a"].geoms) == 2
    few = shapes.outlines(frame, most=12)
    assert few["a"].geom_type == "Polygon"
    assert not few["b"].is_empty, "a region is never left out"


def test_a_map_across_the_date_line_is_one_map(raster):
    values = np.full((40, 80), 500, np.uint16)
    values[:, 40:] = 1500
    path = raster(values, crs="EPSG:3832", origin=(3_305_000, -1_900_000), pixel=(1000, -1000), nodata=65535)
    picture = quicklook.density(Path(path), "carbon_total", "carbon", 20_000)
    west, _, east, _ = picture.bounds
    assert 179 < west < 180 < east < 181
    index, _ = decoded(picture)
    middle = index.shape[0] // 2
    assert [picture.values[index[middle, x]] for x in (5, -5)] == pytest.approx([500, 1500], rel=0.02)
    halves = [shapely.box(179.5, -18, 180, -17), shapely.box(-180, -18, -179.5, -17)]
    frame = gpd.GeoDataFrame({"region_id": ["a", "b"]}, geometry=halves, crs=4326)
    assert shapes.bounds(shapes.outlines(frame)) == (179.5, -18, 180.5, -17)


def decoded(picture):
    with MemoryFile(base64.b64decode(picture.url.split(",")[1])) as memory, memory.open() as d:
        return d.read(1), d.colormap(1)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_values_under_the_pointer_are_those_of_the_map(raster, crs):
    values = np.full((300, 300), 65535, np.uint16)
    values[:, :150], values[:150, 150:] = 1000, 2500
    origin, pixel = ((106.0, 24.0), (0.001, -0.001)) if crs == "EPSG:4326" else ((500_000, 2_600_000), (100, -100))
    path = raster(values, crs=crs, origin=origin, pixel=pixel, nodata=65535)
    with rasterio.open(path, "r+") as d:
        d.scales = (0.1,)
    picture = quicklook.density(Path(path), "carbon_total", "carbon", 40_000)
    index, colors = decoded(picture)
    height, width = index.shape
    assert height * width == pytest.approx(40_000, rel=0.02)
    step = picture.values[1] - picture.values[0]
    assert picture.values[index[height // 2, width // 4]] == pytest.approx(100, abs=step)
    assert picture.values[index[height // 4, 3 * width // 4]] == pytest.approx(250, abs=step)
    assert colors[int(index[3 * height // 4, 3 * width // 4])][3] == 0
    assert len(set(picture.colors)) == len(picture.colors)
    for n, rgb in enumerate(picture.colors):
        assert colors[n][:3] == rgb


def test_a_map_of_classes_names_what_occurs(raster):
    values = np.zeros((100, 100), np.uint8)
    values[:50], values[50:, :50] = 3, 7
    known = {3: (same("three"), (1, 2, 3)), 7: (Both("seven", "七"), (1, 2, 3)), 9: (same("nine"), (9, 9, 9))}
    picture = quicklook.classes(Path(raster(values, nodata=0)), "ecosystem", known, 10_000)
    assert [v.en for v in picture.values] == ["three", "seven"]
    assert len(set(picture.colors)) == 2
    assert (
        quicklook.classes(Path(raster(np.zeros((9, 9), np.uint8), "e.tif", nodata=0)), "ecosystem", known, 100) is None
    )


# ------------------------------------------------------------------------------------------ verbs


def test_a_run_ends_with_its_report_and_the_manifest_knows_it(tmp_path):
    out = tmp_path / "demo"
    assert "report.html" in says("demo", "--out", out)
    known = manifest.read(out)["outputs"]["report.html"]
    assert known["sha256"] == manifest.sha256(out / "report.html")
    before = (out / "report.html").read_text(encoding="utf-8")
    says("report", out, "--title", "Another", "--language", "zh")
    assert (out / "report.html").read_text(encoding="utf-8") != before
    about = manifest.read(out)
    assert manifest.damaged(out, about, list(about["outputs"])) == []
    assert "is there already" in says("report", out, "--out", out / "report.html", code=2)
    assert "ends in .html" in says("report", out, "--out", out / "report.txt", code=2)


def test_a_report_that_fails_costs_nobody_a_run(tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("no such luck")

    monkeypatch.setattr(page, "write", broken)
    out = tmp_path / "demo"
    says("demo", "--out", out)
    assert (out / "manifest.json").is_file()
    assert not (out / "report.html").exists()
    assert "no such luck" in (out / "run.log").read_text(encoding="utf-8")
    assert reportcli.finish(no_report=True) is None


def test_a_report_of_change_reserves_and_tables_by_the_verb(demo_run, demo_change, demo_reserves, tmp_path):
    told = says("report", demo_run, "--change", demo_change, "--reserves", demo_reserves, "--out", tmp_path / "r.html",
                "--agency-tables", tmp_path / "tables")  # fmt: skip
    assert "cannot be filled from this run" in told
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="reserves"' in text
    assert "云岭自然保护区" in text


# ------------------------------------------------------------------------------------------ agency tables


@pytest.fixture(scope="module")
def agency(demo_run, demo_change, demo_reserves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("agency")
    whole, beside = runfolder.read(demo_run, [demo_change, demo_reserves])
    book.write_all(whole, beside, folder, False)
    return folder


def rows(path):
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel takes it for another encoding"
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))


def test_every_number_of_the_list_is_there_or_says_why_not(agency):
    contents = rows(agency / "contents.csv")[1:]
    assert [r[0] for r in contents] == [*(f"T{n}" for n in range(1, 21)), *(f"M{n}" for n in range(1, 11))]
    for number, title, state, files, note in contents:
        assert " / " in title
        if "not from this run" in state:
            assert not files
            assert note, number
        for name in files.split("; ") if number.startswith("T") and files else ():
            assert len(rows(agency / name)) > 1
    assert {r[0] for r in contents if "whole" in r[2]} >= {"T11", "T12", "T13", "T17", "T19", "M1"}
    assert {r[0] for r in contents if "not from" in r[2]} == {
        "T4",
        "T5",
        "T6",
        "T10",
        "T15",
        "T18",
        "M7",
        "M8",
        "M9",
        "M10",
    }


def test_numbers_of_the_tables_are_those_of_the_account(agency, demo_run):
    t11 = rows(next(agency.glob("T11*")))
    head = t11[0]
    assert head[0] == "代码 / Code"
    total = next(n for n, h in enumerate(head) if h == "碳储量（万吨碳） / Carbon stock (10⁴ t C)")
    told = sum(float(r[total]) for r in t11[1:] if r[0] == "total" and r[total]) * 1e4
    accounts = pd.read_parquet(demo_run / "accounts.parquet")
    hit = accounts.query("region_id == 'total' and ecosystem == 'all' and quantity == 'carbon_total'")
    assert told == pytest.approx(float(hit["value"].iloc[0]), rel=1e-4)
    t1 = rows(next(agency.glob("T01*")))
    own = next(r for r in t1 if r[0] == "990101" and r[2].startswith("森林覆盖率"))
    assert own[7] == "66.00", "a region's own target goes before the national one"
    assert float(own[8]) == pytest.approx(-1.28)


def test_area_and_density_effects_add_up_to_the_change(agency):
    t12 = rows(next(agency.glob("T12*")))
    names = [h.split("（")[0] for h in t12[0]]
    change, by_area, by_density = (names.index(n) for n in ("变化量", "面积效应", "密度效应"))
    for r in t12[1:]:
        assert float(r[by_area]) + float(r[by_density]) == pytest.approx(float(r[change]), abs=0.021)


def test_names_cannot_be_run_by_a_spreadsheet(evil_run, tmp_path):
    whole, beside = runfolder.read(evil_run)
    book.write_all(whole, beside, tmp_path / "t", False)
    t2 = rows(next((tmp_path / "t").glob("T02*")))
    assert "'" + EVIL[4] in [r[1] for r in t2]
    with pytest.raises(InputError, match="holds such tables"):
        book.write_all(whole, beside, tmp_path / "t", False)


def test_tables_take_an_assessment(demo_change, tmp_path):
    whole, beside = runfolder.read(demo_change)
    with pytest.raises(InputError, match="sinks assess"):
        book.write_all(whole, beside, tmp_path / "t", False)
