"""The command line as a newcomer meets it."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipelines.assess.demo import sample_data
from pipelines.cli import main

VERBS = tuple(sorted(main.commands))
NESTED = tuple((g, v) for g in VERBS for v in getattr(main.commands[g], "commands", ()))


def say(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_help_answers_without_loading_the_heavy_libraries():
    code = "import sys, pipelines.cli; print([m for m in ('numpy','rasterio','numba','pandas','dask','xarray','matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    told = say(verb, "--help")
    assert "Usage" in told
    assert f"sinks {verb}" in told.split("Options:")[0].split("\n", 1)[1], "no example"


@pytest.mark.parametrize(("group", "verb"), NESTED)
def test_every_verb_of_a_group_has_an_example(group, verb):
    assert f"sinks {group} {verb}" in say(group, verb, "--help").split("\n", 1)[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, say("demo", "--out", str(out))


def test_the_demo_says_what_a_forester_wants_to_know(demo):
    out, said = demo
    for words in (
        "Forest coverage",
        "Forest stock volume",
        "Carbon stock",
        "Sink of karst",
        "Mangrove",
        "Target",
        "closure checks hold",
    ):
        assert words in said
    assert "land-cover value 99 is not in the legend: 40 pixels" in said
    for name in ("assessment.gpkg", "accounts.csv", "scorecard.csv", "manifest.json", "maps/carbon_total.tif"):
        assert (out / name).stat().st_size > 0


def test_the_demo_can_be_run_again(demo):
    out, said = demo
    again = say("demo", "--out", str(out))
    assert again.split("Note:")[0] == said.split("Note:")[0]


def test_json_is_json(tmp_path):
    found = json.loads(
        say("demo", "--json", "--out", str(tmp_path / "o")), parse_constant=lambda token: pytest.fail(token)
    )
    assert found["regions"][0]["region_id"] == "total"
    assert found["unknown_values"]["99"]["pixels"] == 40


def test_check_shows_the_plan_and_writes_nothing(tmp_path):
    said = say("check", str(sample_data() / "assessment.toml"), "--out", str(tmp_path / "o"))
    assert "800 x 800 pixels" in said
    assert "The inputs can be used." in said
    assert not (tmp_path / "o").exists()


def test_targets_of_a_run_and_the_register(demo):
    out, _ = demo
    card = json.loads(say("targets", str(out), "--json", "--target-document", "master_plan_2035"))
    assert {(r["year"], r["target_value"]) for r in card if r["region_id"] == "total"} == {(2035, 26.0), (2035, 21e9)}
    assert "guidance_2021" in say("targets")


def test_explain_a_place(demo):
    out, _ = demo
    found = json.loads(say("explain", str(out), "106.8", "22.6", "--json"))
    assert found["region"].startswith("9901")
    assert all("[" in c for c in found["coefficients"])


def test_legends_and_parameters_are_listed_with_their_sources():
    assert "esa_worldcover" in say("legends")
    assert "mangrove" in say("legends", "gbt21010_2017")
    assert "cbef" in say("parameters")
    assert "fang2007" in say("parameters", "show", "china", "cbef")


@pytest.mark.parametrize(("arguments", "said"), [(["asses"], "Did you mean 'assess'"), (["assess", "--landcovr=x"], "--landcover"),
                                                 (["parameters", "show", "china", "cbeff"], "did you mean 'cbef'"), (["assess"], "sinks new FOLDER"), (["check"], "sinks demo"),
                                                 (["assess", "lc.tif"], "--landcover"), (["parameters", "shw"], "Did you mean 'show'"),
                                                 (["check", str(sample_data() / "assessment.toml"), "--tillage", "ful_tillage", "--grazing", "x"], "'full_tillage'?; --grazing is 'x' (known: high"),
                                                 (["check", str(sample_data() / "assessment.toml"), "--target-document", "guidnce_2021"], "did you mean 'guidance_2021'"),
                                                 (["check", str(sample_data() / "assessment.toml"), "--region-id", "adcod"], "did you mean 'adcode'"),
                                                 (["check", str(sample_data() / "assessment.toml"), "--maps", "carbn_total"], "did you mean 'carbon_total'")])  # fmt: skip
def test_a_slip_gets_a_suggestion(arguments, said):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.output + result.stderr


def test_a_dry_run_tells_the_time_and_writes_nothing(tmp_path):
    for verb, file in (("assess", "assessment.toml"), ("change", "change.toml")):
        said = say(verb, str(sample_data() / file), "--out", str(tmp_path / "o"), "--dry-run")
        assert "800 x 800 pixels" in said
        assert "about" in said
        assert "Nothing was written" in said
    assert not (tmp_path / "o").exists()
    found = json.loads(
        say("assess", str(sample_data() / "assessment.toml"), "--out", str(tmp_path / "o"), "--dry-run", "--json")
    )
    assert found["regions"] == 24


def test_a_roll_up_can_be_tried(demo, tmp_path):
    out, _ = demo
    said = CliRunner().invoke(main, ["rollup", str(out), str(out), "--out", str(tmp_path / "o"), "--dry-run"])
    assert said.exit_code == 2  # twice the same ground
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_is_for_terminals_alone(environment, coloured):
    result = CliRunner().invoke(main, ["--help"], env={"NO_COLOR": "", "FORCE_COLOR": "", **environment})
    assert ("\x1b[" in result.stdout) == coloured


def test_options_stand_under_headings_and_verbs_too():
    told = say("assess", "--help")
    places = [told.index(f"\n{heading}:\n") for heading in (
        "Inputs", "More layers", "Regions", "Targets", "Science", "Certainty", "Forest definition", "Output", "Running")]  # fmt: skip
    assert places == sorted(places)
    assert "More:" not in say("--help"), "a verb stands under no heading: give it one in pipelines/cli.py"


@pytest.mark.parametrize(
    ("needed", "spared"),
    [
        (
            "pipelines.work.walk, pipelines.assess.blockpass",
            "pandas geopandas pyogrio pyarrow scipy.linalg xarray dask distributed",
        ),
        (
            "pipelines.assess.run, pipelines.assess.summary, pipelines.report.page",
            "scipy.linalg scipy.stats scipy.special xarray dask distributed matplotlib rioxarray",
        ),
    ],
    ids=["a worker", "a run"],
)
def test_what_is_dear_and_not_needed_is_not_loaded(needed, spared):
    code = f"import sys, {needed}; print([m for m in {spared.split()} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_the_first_compiled_call_loads_no_linear_algebra():
    code = (
        "import sys, numpy as np; from sinks import exactsum; exactsum.from_floats(np.ones(3)); "
        "from numba import njit; print('scipy.linalg' in sys.modules, njit(lambda a: a @ a)(np.eye(2))[0, 0])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "False",
        "1.0",
    ]
