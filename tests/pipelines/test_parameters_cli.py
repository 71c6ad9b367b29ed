"""``sinks parameters list | show | export | diff``, and a user's file on its way into a run."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from pipelines.assess import plan
from pipelines.cli import main
from pipelines.verbs import parametercli
from sinks.parameterfiles import export
from sinks.parameters import SET_NAMES, parameter_set, table

WIDTH = 120


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["parameters", *map(str, arguments)])


def say(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def told(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    return result.output


def edited(path: Path, name: str = "ipcc", value: str = "0.48") -> Path:
    """An exported set with another carbon fraction of forest."""
    out = io.StringIO()
    rows = list(csv.reader(io.StringIO(export(parameter_set(name)), newline="")))
    column = rows[0].index("value")
    line = next(n for n, row in enumerate(rows) if "0.47" in row and "forest" in row)
    rows[line][column] = value
    csv.writer(out).writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    return path


# ---------------------------------------------------------------------------- list


def test_list_tells_every_set_and_table_with_its_rows_and_what_is_unverified() -> None:
    text = say("list")
    assert text == say()
    for name in SET_NAMES:
        assert f"{name}: " in text
    found = {each["set"]: {t["table"]: t for t in each["tables"]} for each in json.loads(say("list", "--json"))}
    assert set(found) == set(SET_NAMES)
    assert set(found["ipcc"]) == set(parameter_set("ipcc").topics())
    cbef = [r for r in table("cbef").rows if r.keys["scheme"] in ("zhang2013", "fang2007", "fang2001")]
    assert found["china"]["cbef"]["rows"] == len(cbef)
    assert found["china"]["cbef"]["unverified"] == sum(r.coefficient.status == "unverified" for r in cbef)
    assert found["china"]["cbef"]["schemes"] == ["zhang2013", "fang2007", "fang2001"]


def test_every_page_fits_120_columns() -> None:
    pages = [say("list"), say("diff", "ipcc", "china"), say("diff", "china", "ipcc")]
    pages += [say("show", name, topic) for name in SET_NAMES for topic in parameter_set(name).topics()]
    for page in pages:
        assert [line for line in page.splitlines() if parametercli._width(line) > WIDTH] == []


# ---------------------------------------------------------------------------- show


def test_show_tells_value_range_tier_status_and_the_source_by_its_title() -> None:
    text = say("show", "ipcc", "carbon_fraction", "--key", "ecosystem=mangrove")
    assert "IPCC default (Tier 1)" in text
    assert "0.451" in text
    assert "0.429 to 0.471" in text
    assert "confirmed" in text
    assert "2013 Supplement to the 2006 IPCC Guidelines" in text
    assert "carbon_fraction [Mg C (Mg d.m.)-1]" in text


def test_show_takes_a_parameter_and_keys_and_keeps_rows_for_any() -> None:
    rows = json.loads(say("show", "ipcc", "root_shoot", "--key", "continent=asia", "--key", "origin=natural", "--json"))
    assert {row["keys"]["continent"] for row in rows} == {"asia", "any"}
    assert {row["keys"]["origin"] for row in rows} == {"natural", "any"}
    slopes = json.loads(say("show", "china", "cbef", "--parameter", "a", "--json"))
    assert {row["name"] for row in slopes} == {"a"}
    assert {row["tier"] for row in slopes} == {"national"}
    assert all(row["source_title"] and row["unit"] == "Mg m-3" for row in slopes)
    assert slopes[0]["low"] is None


def test_show_of_an_edited_file_marks_the_user_s_number(tmp_path: Path) -> None:
    text = say("show", edited(tmp_path / "mine.csv"), "carbon_fraction", "--key", "ecosystem=forest")
    assert "the user's" in text
    assert "instead of 0.47 [ipcc_2006, Vol. 4 Table 4.3]" in " ".join(text.split())


def test_a_table_without_rows_is_shown_as_such() -> None:
    assert say("show", "ipcc", "bef").strip() == "bef in the set ipcc: 0 rows"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "chna", "cbef"), "did you mean 'china'"),
        (("show", "china", "cbeff"), "did you mean 'cbef'"),
        (("show", "china", "growing_stock"), "there is no table 'growing_stock'"),
        (("show", "china", "bcef", "--parameter", "bcefs"), "did you mean 'bcef_s'"),
        (("show", "china", "bcef", "--key", "bcef_zne=boreal"), "did you mean 'bcef_zone'"),
        (("show", "china", "bcef", "--key", "bcef_zone=boreall"), "did you mean 'boreal'"),
        (("show", "china", "bcef", "--key", "bcef_zone"), "write COLUMN=VALUE"),
        (("show", "china"), "Missing argument 'TABLE'"),
        (("shw", "china"), "Did you mean 'show'"),
        (("show", "nowhere.csv", "cbef"), "nowhere.csv: there is no such file"),
        (("diff", "ipcc", "chna"), "did you mean 'china'"),
        (("export", "icpp.csv"), "there is no such file"),
    ],
)
def test_a_slip_gets_a_suggestion(arguments: tuple[str, ...], said: str) -> None:
    assert said in told(*arguments)


@pytest.mark.parametrize("verb", ["list", "show", "export", "diff"])
def test_help_has_an_example(verb: str) -> None:
    assert f"sinks parameters {verb}" in say(verb, "--help")


# ---------------------------------------------------------------------------- export


def test_an_exported_file_is_one_that_excel_opens_and_comes_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    assert "--parameters" in say("export", "ipcc", "--out", path)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfset,topic,scheme,")
    assert raw.count(b"\r\n") == raw.count(b"\n")
    assert CliRunner().invoke(main, ["parameters", "export", "ipcc"]).stdout_bytes == raw
    assert json.loads(say("diff", "ipcc", path, "--json"))["rows"] == []
    assert "no row differs" in say("diff", "ipcc", path)


def test_export_writes_over_nothing_unless_told(tmp_path: Path) -> None:
    path = edited(tmp_path / "mine.csv")
    before = path.read_bytes()
    assert "may hold numbers of yours" in told("export", "ipcc", "--out", path)
    assert path.read_bytes() == before
    say("export", "ipcc", "--out", path, "--overwrite")
    assert path.read_bytes() != before
    assert "there is no folder" in told("export", "ipcc", "--out", tmp_path / "a" / "mine.csv")


def test_an_export_in_chinese_windows_comes_back_too(tmp_path: Path) -> None:
    path = tmp_path / "我的.csv"
    text = export(parameter_set("china")).removeprefix("\ufeff")
    path.write_bytes(text.encode("gb18030"))
    assert json.loads(say("diff", "china", path, "--json"))["rows"] == []
    path.write_bytes(text.encode("utf-16"))
    assert json.loads(say("diff", "china", path, "--json"))["rows"] == []


# ---------------------------------------------------------------------------- diff


def test_diff_tells_old_new_and_how_much(tmp_path: Path) -> None:
    path = edited(tmp_path / "mine.csv")
    text = say("diff", "ipcc", path)
    assert text.startswith("from ipcc to ipcc+mine.csv: 1 changed\n")
    assert "0.47  0.48  +2.13 %" in text
    (row,) = json.loads(say("diff", "ipcc", path, "--json"))["rows"]
    assert (row["kind"], row["topic"], row["old"]["value"], row["new"]["value"]) == (
        "changed",
        "carbon_fraction",
        0.47,
        0.48,
    )
    assert row["relative_change"] == pytest.approx(0.01 / 0.47)
    assert (row["old"]["tier"], row["new"]["tier"]) == ("tier1", "user")


def test_diff_tells_what_two_sets_choose_differently() -> None:
    text = say("diff", "ipcc", "china")
    assert "soil_depth_cm: 30 → 100" in text
    assert "growing_stock: bcef → cbef, ratio" in text


def test_diff_of_a_hand_written_file_in_front_of_a_set(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("topic,parameter,value,unit,source\nvolume_ratio,agb_per_volume,0.8,Mg m-3,me\n", encoding="utf-8")
    for name in ("ipcc", "china"):
        (row,) = json.loads(say("diff", name, f"{name}:{path}", "--json"))["rows"]
        assert (row["kind"], row["old"]["source"], row["new"]["source"]) == ("changed", "fao_fra2020_china", "me")


# ---------------------------------------------------------------------------- into a run


def resolve(parameters: str, definition: str = "china") -> tuple[str, str, list[str]]:
    notes: list[str] = []
    study = SimpleNamespace(parameters=parameters, forest_definition=definition)
    chosen, name = plan._parameters(study, None, notes)  # type: ignore[arg-type]
    return chosen.name, name, notes


def test_an_exported_file_tells_a_run_its_set(tmp_path: Path) -> None:
    path = str(edited(tmp_path / "mine.csv"))
    for definition in ("china", "fao"):
        name, given, notes = resolve(path, definition)
        assert (name, given) == ("ipcc+mine.csv", path)
        assert notes == [f"parameters: {path} (utf-8-sig): 1 changed against the set ipcc"]


def test_a_hand_written_file_goes_in_front_of_the_set_of_the_forest_definition_or_of_the_named_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("topic,parameter,value,unit,source\nvolume_ratio,agb_per_volume,0.8,Mg m-3,me\n", encoding="utf-8")
    assert resolve(str(path), "china")[0] == "china+mine.csv"
    assert resolve(str(path), "fao")[0] == "ipcc+mine.csv"
    assert resolve(f"ipcc:{path}", "china")[0] == "ipcc+mine.csv"
    assert resolve("ipcc")[0] == "ipcc"
