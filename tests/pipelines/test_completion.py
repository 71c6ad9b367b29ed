"""What the shell offers at the tabulator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.assess.choices import OPTIONS, known
from pipelines.cli import main
from sinks.targets import register


def offered(*words, folder="."):
    """The words that bash would be given for the last one."""
    line = " ".join(("sinks", *words))
    asked = {"_SINKS_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    code = "from pipelines.cli import main; main(prog_name='sinks')"
    found = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked, "PYTHONPATH": str(Path(main.callback.__code__.co_filename).parents[1])},
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert found.stderr == ""
    return {line.partition(",")[2] for line in found.stdout.splitlines()}


@pytest.mark.parametrize(("words", "some"), [
    (("as",), {"assess"}), (("assess", "--leg"), {"--legend"}), (("assess", "--legend", "w"), {"worldcover"}),
    (("assess", "--parameters", "ch"), {"china", "china_guide"}), (("check", "--tillage", "n"), {"no_till"}),
    (("assess", "--maps", "ecosystem,carbon_t"), {"ecosystem,carbon_total"}), (("check", "--layer", "agb.nod"), {"agb.nodata="}),
    (("layers", "dr"), {"drainage"}), (("parameters", "ex"), {"export"}), (("targets", "x", "--target-document", "gui"), {"guidance_2021"}),
])  # fmt: skip
def test_words_of_ours_are_offered(words, some):
    assert offered(*words) == some


def test_runs_and_their_maps_are_offered(tmp_path):
    (tmp_path / "mine" / "maps").mkdir(parents=True)
    (tmp_path / "mine" / "manifest.json").write_text("{}")
    (tmp_path / "mine" / "maps" / "carbon_total.tif").touch()
    (tmp_path / "mint").mkdir()
    assert offered("plot", "mi", folder=tmp_path) == {"mine"}
    assert offered("plot", "mine", "c", folder=tmp_path) == {"carbon_total", "coverage"}


def test_files_are_left_to_the_shell(tmp_path):
    assert offered("assess", "--agb", "x") == {"x"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_every_shell(shell):
    said = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"_SINKS_COMPLETE={shell}_complete" in said


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_takes_its_script(tmp_path):
    script = tmp_path / "s.sh"
    script.write_text(CliRunner().invoke(main, ["completion", "bash"]).stdout)
    subprocess.run(["bash", "-c", f"source {script} && complete -p sinks"], check=True, capture_output=True)


def test_every_option_with_words_has_some():
    assert all(known(option) for option in OPTIONS)
    assert set(known("target_document")) == {t.document for t in register()}
