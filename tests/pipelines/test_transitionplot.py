"""Pictures of transitions: they parse, say the table's numbers, and no two labels of a side touch."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from click.testing import CliRunner

from pipelines.assess.demo import sample_data
from pipelines.change import change as changing
from pipelines.change import changestudy, transitionplot
from pipelines.cli import main
from pipelines.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("change") / "out"
    return changing.change(
        changestudy.from_toml(sample_data() / "change.toml", out=str(out), quiet=True, workers=2)
    ).out


def labels(svg):
    return [
        (float(t.get("x")), float(t.get("y")), t.get("text-anchor"), t.text)
        for t in ET.fromstring(svg).iter(f"{SVG}text")
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_sankey_has_the_flows_of_the_table_and_labels_that_do_not_touch(result, language):
    table = transitionplot.transitions(result)
    svg = transitionplot.sankey(table, (2013, 2023), language)
    moved = table[table["from_class"] != table["to_class"]]
    flows = [p.find(f"{SVG}title").text for p in ET.fromstring(svg).iter(f"{SVG}path")]
    assert len(flows) == len(moved)
    told = sum(float(re.search(r": ([\d,]+)", f).group(1).replace(",", "")) for f in flows)
    assert told == pytest.approx(moved["area_ha"].sum(), abs=len(flows))
    for anchor in ("start", "end"):
        ys = sorted(y for _, y, a, t in labels(svg) if a == anchor and re.search(r"\d (ha|公顷)$", t or ""))
        assert len(ys) >= 10
        assert min(b - a for a, b in pairwise(ys)) >= 11


def test_bars_are_as_high_as_their_flows(result):
    table = transitionplot.transitions(result)
    root = ET.fromstring(transitionplot.sankey(table, (2013, 2023)))
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("width") == "18"]
    moved = table[table["from_class"] != table["to_class"]]
    by = {x: [float(r.get("height")) for r in bars if r.get("x") == x] for x in {r.get("x") for r in bars}}
    assert len(by) == 2
    high = max(sum(v) for v in by.values())
    for side in by.values():
        assert sum(side) == pytest.approx(high, rel=0.05)  # a bar is drawn at least a pixel high
    assert moved["area_ha"].sum() > 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_matrix_says_every_cell_and_its_sums(result, language):
    table = transitionplot.transitions(result)
    told = [t for _, _, _, t in labels(transitionplot.matrix(table, (2013, 2023), language))]
    for r in table.to_dict("records"):
        assert f"{r['area_ha']:,.0f}" in told
    for column in ("from_class", "to_class"):
        for whole in table.groupby(column)["area_ha"].sum():
            assert f"{whole:,.0f}" in told


def test_no_change_is_a_picture_too():
    table = pd.DataFrame({"from_class": ["cropland"], "to_class": ["cropland"], "area_ha": [5.0], "change_mg_c": [0.0]})
    assert "0 ha" in transitionplot.sankey(table, (2010, 2020))
    assert ET.fromstring(transitionplot.matrix(table, (2010, 2020))) is not None


def test_the_command_line_draws_or_lists(result, tmp_path):
    listed = CliRunner().invoke(main, ["transitions", str(result)])
    assert listed.exit_code == 0, listed.output
    assert "cropland" in listed.output
    out = tmp_path / "s.svg"
    words = ["transitions", str(result), "--region", "990101", "--out", str(out)]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert out.read_text(encoding="utf-8").startswith("<svg")
    assert CliRunner().invoke(main, words).exit_code == 2
    with pytest.raises(InputError, match="did you mean '9901"):
        transitionplot.transitions(result, "99010")
    with pytest.raises(InputError, match="there is no period 2000–2023; its epochs are 2013, 2023"):
        transitionplot.transitions(result, "total", (2000, 2023))
