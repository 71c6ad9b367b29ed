"""Figures: what is drawn is where, how long and as named as it should be."""

import io
import sys
import warnings

import numpy as np
import pyproj
import pytest
import xarray as xr
from matplotlib import image as pictures

import sinks
from sinks.ecosystems import classes
from sinks.errors import InputError
from sinks.plotting import fonts
from sinks.plotting.ground import Frame, spelled
from sinks.plotting.page import page
from sinks.plotting.panels import Classes, Density, class_panel, density_panel, region_panel
from sinks.plotting.shapes import Zones
from sinks.plotting.words import LANGUAGES, _words

WGS84 = pyproj.Geod(ellps="WGS84")
FRAMES = {
    "degrees": (4326, (106.0, 21.6, 107.6, 23.2)),
    "utm": (32648, (300_000, 2_400_000, 500_000, 2_560_000)),
    "albers of China": ("ESRI:102025", (300_000, 2_600_000, 900_000, 3_100_000)),
    "web mercator, far north": (3857, (2_000_000, 9_000_000, 2_600_000, 9_400_000)),
    "degrees, far south": (4326, (-70.0, -55.0, -66.0, -50.0)),
    "small": (32648, (500_000, 2_500_000, 500_900, 2_500_600)),
    "degrees over the date line": (4326, (178.0, -18.0, 182.0, -16.0)),
}


def frame(name):
    crs, bounds = FRAMES[name]
    return Frame(pyproj.CRS.from_user_input(crs), *bounds)


def drawn(picture):
    return pictures.imread(io.BytesIO(picture.rendered("png", 100)))


def plain(where, value=1):
    return class_panel("t", where, Classes(np.full((20, 30), value, np.uint8), {1: ("Forest", "#1b5e20")}), None, "en")


@pytest.mark.parametrize("name", FRAMES)
def test_a_scale_bar_is_as_long_on_the_ground_as_it_says(name):
    where = frame(name)
    axes = page([plain(where)]).figure.axes[0]
    pieces = [p for p in axes.patches if p.get_gid() == "scale-bar"]
    x0, x1 = pieces[0].get_x(), pieces[-1].get_x() + pieces[-1].get_width()
    y = pieces[0].get_y()
    said = next(t.get_text() for t in axes.texts if t.get_gid() == "scale-text" and t.get_text() != "0")
    number, unit = said.split()
    to_degrees = pyproj.Transformer.from_crs(where.crs, 4326, always_xy=True)
    (lon0, lon1), (lat0, lat1) = to_degrees.transform([x0, x1], [y, y])
    truth = WGS84.inv(lon0, lat0, lon1, lat1)[2]
    assert float(number) * {"km": 1000, "m": 1}[unit] == pytest.approx(truth, rel=1e-6)
    assert where.west < x0 < x1 < where.east
    assert where.south < y < where.north


def test_a_scale_bar_says_for_which_parallel_it_holds_only_where_that_matters():
    def place(name):
        return [t.get_text() for t in page([plain(frame(name))]).figure.axes[0].texts if t.get_gid() == "scale-place"]

    assert place("utm") == []
    assert place("web mercator, far north")[0].startswith("at 62°")


def test_degrees_have_the_shape_of_their_middle():
    where = frame("degrees, far south")
    tall = WGS84.inv(-68, -55, -68, -50)[2]
    wide = WGS84.inv(-70, -52.5, -66, -52.5)[2]
    assert where.aspect == pytest.approx(tall / wide, rel=0.01)


def test_north_is_turned_by_the_convergence_of_meridians():
    assert frame("degrees").bearing() == pytest.approx(0, abs=1e-6)
    where = frame("albers of China")
    middle = ((where.west + where.east) / 2, (where.south + where.north) / 2)
    lon, lat = pyproj.Transformer.from_crs(where.crs, 4326, always_xy=True).transform(*middle)
    convergence = pyproj.Proj(where.crs).get_factors(lon, lat).meridian_convergence
    assert where.bearing() == pytest.approx(-convergence, abs=1e-4)  # east of its meridian, true north lies to the left
    assert abs(where.bearing()) > 1


@pytest.mark.parametrize("name", FRAMES)
def test_ticks_stand_where_their_degrees_are(name):
    where = frame(name)
    to_degrees = pyproj.Transformer.from_crs(where.crs, where.crs.geodetic_crs, always_xy=True)
    for line in where.graticule():
        if line.tick is None:
            continue
        at = (line.tick, where.south) if line.kind == "meridian" else (where.west, line.tick)
        found = to_degrees.transform(*at)[0 if line.kind == "meridian" else 1]
        assert (found - line.degrees + 180) % 360 - 180 == pytest.approx(0, abs=2e-3)
    kinds = [line.kind for line in where.graticule() if line.tick is not None]
    assert min(kinds.count("meridian"), kinds.count("parallel")) >= 2


@pytest.mark.parametrize(("degrees", "kind", "text"), [
    (106.5, "meridian", "106°30′E"), (-70, "meridian", "70°W"), (0, "parallel", "0°"), (-22.0005, "parallel", "22°00′02″S"),
    (181, "meridian", "179°W"), (180, "meridian", "180°"),
])  # fmt: skip
def test_degrees_are_spelled_as_on_maps(degrees, kind, text):
    assert spelled(degrees, kind) == text


def test_the_legend_has_the_classes_that_occur_and_the_map_their_colours():
    values = np.array([[1, 1, 3], [1, 0, 3]], np.uint8).repeat(10, 0).repeat(10, 1)
    entries = {1: ("Wood", "#1b5e20"), 2: ("Reed", "#00ff00"), 3: ("Town", "#ff0000")}
    picture = page([class_panel("t", frame("utm"), Classes(values, entries), None, "en")])
    axes = picture.figure.axes[0]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["Wood", "Town"]
    pixels, where = drawn(picture), frame("utm")
    for right, up, color in ((0.1, 0.75, (27, 94, 32)), (0.75, 0.6, (255, 0, 0)), (0.5, 0.42, (255, 255, 255))):
        x, y = axes.transData.transform((where.west + right * where.width, where.south + up * where.height))
        scale = 100 / picture.figure.dpi
        found = pixels[pixels.shape[0] - 1 - int(y * scale), int(x * scale)][:3] * 255
        assert found.round().tolist() == list(color)


def test_a_density_has_a_bar_in_its_unit_that_covers_its_values():
    values = np.linspace(0, 212, 600, dtype=np.float32).reshape(20, 30)
    figure = page([density_panel("t", frame("utm"), Density(values, "Mg C ha-1", "carbon_total"), None, "zh")]).figure
    bar = figure.axes[0].child_axes[0]
    assert bar.get_ylabel() == "t C/hm²"
    assert bar.get_ylim()[0] <= 5
    assert bar.get_ylim()[1] >= 200


def test_regions_without_a_value_are_grey_and_said_so():
    numbers = np.repeat([[1, 2, 3]], 30, 0).repeat(10, 1)
    shapes = Zones(["a", "b", "c"], ["甲", "乙", "丙"], numbers)
    panel = region_panel(
        "t", frame("utm"), shapes, {"a": -2.0, "b": 3.0, "c": np.nan}, "points", "change", "en", "no_target"
    )
    axes = page([panel]).figure.axes[0]
    said = [t.get_text() for t in axes.get_legend().get_texts()]
    assert said[-1] == "No target"
    assert not any("−" in text and "+" in text for text in said), "a class must not cross zero"
    assert {t.get_text() for t in axes.texts if t.get_gid() == "region-name"} >= {"乙", "丙"}


def test_every_text_of_ours_has_its_glyphs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fonts.families(word for row in _words().values() for word in (row["en"], row["zh"]))
        fonts.families(text for c in classes().values() for text in (c.name_en, c.name_zh))
        fonts.families(["广西壮族自治区百色市田阳区、鄂伦春自治旗、赉诺尔、婺源、歙县、郫都、儋州、濠江"])


def test_a_character_that_no_font_has_is_named_with_the_mend(monkeypatch):
    monkeypatch.setattr(fonts, "_installed", lambda: ())
    shapes = Zones(["a"], ["\U00020bb7县"], np.ones((30, 30), int))
    panel = region_panel("t", frame("utm"), shapes, {"a": 1.0}, "%", "carbon", "zh")
    with pytest.warns(UserWarning, match="no font here has the characters \U00020bb7.*Noto Sans CJK") as caught:
        page([panel]).rendered("png", 60)
    assert len(caught) == 1


def test_an_installed_font_is_taken_for_what_the_own_one_lacks(monkeypatch):
    own = fonts._path_of(fonts.own())
    monkeypatch.setattr(fonts, "own", lambda: fonts.LATIN)
    monkeypatch.setattr(fonts, "_installed", lambda: (own,))
    assert fonts.families(["森林 A"])[-1] == "Sinks CJK"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_bytes(kind):
    one, two = (page([plain(frame("degrees"))]).rendered(kind, 60) for _ in range(2))
    assert one == two
    assert one[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match="png, svg, pdf"):
        page([plain(frame("degrees"))]).save(tmp_path / "a.bmp")


def test_both_languages_are_whole():
    assert all(row[language] for row in _words().values() for language in LANGUAGES)


def test_without_matplotlib_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="pip install matplotlib"):
        fonts.matplotlib()


@pytest.fixture(scope="module")
def result():
    n = 24
    y, x = 30.0 - 0.01 * np.arange(n), 103.0 + 0.01 * np.arange(n)
    cover = np.full((n, n), 10, np.uint8)
    cover[:, 16:] = 30
    crs = xr.DataArray(0, attrs={"crs_wkt": pyproj.CRS.from_epsg(4326).to_wkt()})
    landcover = xr.DataArray(cover, dims=("y", "x"), coords={"y": y, "x": x, "spatial_ref": crs})
    agb = landcover.astype(np.float32) * 10
    zones = landcover.copy(data=np.where(np.arange(n) < 12, 1, 2) * np.ones((n, 1), int))
    return sinks.assess(
        landcover, agb, legend="worldcover", climate="warm_temperate_moist", regions=zones, parameters="china"
    )


def test_an_assessment_in_memory_draws_the_same_figures(result):
    assert {"ecosystem", "carbon_total", "coverage", "gap", "pools", "targets"} <= set(result.plot.names)
    picture = result.plot.page(["ecosystem", "carbon_total", "coverage", "pools"], language="zh")
    assert [t.get_text() for t in picture.figure.axes[0].get_legend().get_texts()] == ["森林（类型未知）", "草地"]
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert "24.1 %" in result.plot.regions("gap").figure.axes[0].get_title(loc="left")


def test_a_slip_gets_a_suggestion(result):
    with pytest.raises(InputError, match="did you mean 'carbon_total'"):
        result.plot.map("carbon_totl")


@pytest.mark.parametrize("columns", [1, 3])
def test_nothing_of_a_page_is_cut_off_or_laid_over_another(result, columns):
    figure = result.plot.page(["ecosystem", "gap", "pools", "targets"], columns=columns).figure
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    width, height = figure.get_size_inches() * figure.dpi
    for n, box in enumerate(boxes):
        assert box.x0 > -1
        assert box.y0 > -1
        assert box.x1 < width + 1
        assert box.y1 < height + 1
        assert not any(box.shrunk(0.98, 0.98).overlaps(other.shrunk(0.98, 0.98)) for other in boxes[n + 1 :])
