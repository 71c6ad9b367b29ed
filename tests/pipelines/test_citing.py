"""What a finished run says must be cited."""

import re

import pandas as pd
import pytest
from click.testing import CliRunner

from pipelines.assess import rollup, run
from pipelines.assess.demo import sample_data
from pipelines.assess.study import from_toml
from pipelines.change import change, changestudy
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import citing, provenance
from sinks.bibliography import OURS, SOFTWARE, Citations, entries, parse, software
from sinks.parameters import Coefficient


def test_every_entry_reads_as_a_reference():
    for source in entries().values():
        said = source.text()
        assert re.match(r".+ \((\d{4}|n\.d\.)\)\. .+\.$", said), said
        assert not re.search(r"(?<!\\)[{}]", said), said
        assert source.entry.startswith(f"@{source.kind}{{{source.key},")
        assert source.entry.endswith("}")


def test_the_software_comes_first_and_a_source_once():
    some = (
        Coefficient("a", 1.0, "1", "ipcc_2006"),
        Coefficient("b", 2.0, "1", "ipcc_2006"),
        Coefficient("c", 3.0, "1", OURS),
    )
    found = Citations(some, (("esa_worldcover", "data: map"),))
    assert [s.key for s in found.sources] == [SOFTWARE, "esa_worldcover", "ipcc_2006"]
    assert str(found) == found.bibtex()
    assert len(parse(found.bibtex())) == 3
    assert found.text().splitlines()[2].endswith("[coefficients (a, b)]")
    assert found.text().splitlines()[0].endswith("[software; design choices]")
    assert list(found.table()["used_for"]) == [
        "software; design choices",
        "data: map",
        "coefficients: a; coefficients: b",
    ]


def test_a_user_s_source_without_an_entry_is_left_to_them():
    assert [s.key for s in Citations((Coefficient("a", 1.0, "1", "our lab"),)).sources] == [SOFTWARE]


def test_the_citation_file_is_of_this_version():
    text = (sample_data().parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {software().plain('version')}\n" in text
    assert software().plain("title") in text
    assert "cff-version: 1.2.0" in text


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """The sample region with a record of where one of its maps comes from."""
    out = tmp_path_factory.mktemp("cited")
    study = from_toml(sample_data() / "assessment.toml", out=str(out / "run"), maps="none", draws=0, quiet=True)
    return run.assess(study)


def test_an_assessment_cites_what_its_coefficients_came_from(region):
    rows = pd.read_csv(region.out / "coefficients.csv")
    found = region.cite()
    keys = {s.key for s in found.sources}
    assert keys == {SOFTWARE} | (set(rows["source"]) - {OURS})
    assert len(found.coefficients) == len(rows)
    shown = CliRunner().invoke(main, ["cite", str(region.out)])
    assert shown.exit_code == 0
    assert shown.output == str(found)


def test_a_roll_up_cites_what_its_runs_do(tiles, tmp_path):
    merged = rollup.rollup([tiles["west"].out, tiles["east"].out], tmp_path / "nation")
    keys = {s.key for s in citing.of_run(merged.out).sources}
    assert keys == {s.key for name in ("west", "east") for s in tiles[name].cite().sources}


def test_a_change_cites_its_epochs(tmp_path):
    study = changestudy.from_toml(sample_data() / "change.toml", out=str(tmp_path / "change"), quiet=True, maps="none")
    found = citing.of_run(change.change(study).out)
    assert {"ipcc_2019r", SOFTWARE} <= {s.key for s in found.sources}


def test_own_data_is_cited_by_its_own_entry(tmp_path):
    raster = tmp_path / "landcover_2023.tif"
    raster.write_bytes((sample_data() / "landcover_2023.tif").read_bytes())
    bib = "@misc{survey2023,\n  author = {{Bureau}},\n  title = {Third survey},\n  year = {2023}\n}\n"
    provenance.write(tmp_path, {"sources": [{"files": [raster.name], "title": "Third survey", "bibtex": bib}]})
    study = from_toml(
        sample_data() / "assessment.toml",
        landcover=str(raster),
        out=str(tmp_path / "run"),
        maps="none",
        draws=0,
        quiet=True,
    )
    found = run.assess(study).cite()
    assert "@misc{survey2023," in found.bibtex()
    assert "Bureau (2023). Third survey. [data]" in found.text()


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(InputError, match="name the output folder of a finished run"):
        citing.of_run(tmp_path)
