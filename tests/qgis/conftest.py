"""A real QGIS without a window: the system's Python runs it, in a profile of its own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from places import HERE, PYTHON, ROOT


def has_qgis() -> bool:
    """Whether the system's Python knows QGIS."""
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The home of a user who has the plugin, installed from its zip."""
    if not has_qgis():
        pytest.skip("QGIS is not installed (apt-get install qgis python3-qgis qgis-providers)")
    path = tmp_path_factory.mktemp("home")
    plugins = path / ".local/share/QGIS/QGIS3/profiles/default/python/plugins"
    plugins.mkdir(parents=True)
    archive = path / "plugin.zip"
    subprocess.run([sys.executable, ROOT / "integrations/qgis/build.py", archive], check=True, capture_output=True)
    with zipfile.ZipFile(archive) as z:
        z.extractall(plugins)
    return path


@pytest.fixture(scope="session")
def surroundings(home):
    """The environment in which QGIS is started."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GDAL", "PROJ", "VIRTUAL_ENV"))}
    return {
        **kept, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "QT_QPA_PLATFORM": "offscreen", "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",  # else QGIS takes another Python than its own
        "SINKS_COMMAND": str(Path(sys.executable).with_name("sinks")),
    }  # fmt: skip


@pytest.fixture(scope="session")
def script(surroundings):
    """Factory: run a script of this folder in QGIS's Python and give back what it prints, as JSON, and its messages."""

    def run(name, *arguments):
        done = subprocess.run(
            [PYTHON, HERE / name, *map(str, arguments)], env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    return run


@pytest.fixture(scope="session")
def qgis_process(surroundings):
    """Factory: run ``qgis_process``. Debian's wrapper hands it an option that it does not know."""
    program = next((p for p in ("/usr/bin/qgis_process.bin", "qgis_process") if shutil.which(p)), None)
    if program is None:
        pytest.skip("qgis_process is not installed (apt-get install qgis)")

    def run(*arguments):
        return subprocess.run(
            [program, *map(str, arguments)], env=surroundings, capture_output=True, text=True, check=False
        )

    assert run("plugins", "enable", "carbon_sinks").returncode == 0
    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """The sample region assessed, its change, reserves over it and a sample of it."""
    home = tmp_path_factory.mktemp("runs")
    data = ROOT / "sample_data"
    for arguments in (
        ["assess", data / "assessment.toml", "--out", home / "demo", "--no-report"],
        ["assess", data / "assessment.toml", "--out", home / "shards", "--no-report", "--map-layout", "shards"],
        ["change", data / "change.toml", "--out", home / "change", "--no-report"],
        ["reserves", home / "change", "--areas", data / "reserves.gpkg", "--id", "id", "--name", "name", "--out", home / "reserves"],
        ["sample", "design", home / "demo", "--out", home / "sample.gpkg"],
    ):  # fmt: skip
        subprocess.run([Path(sys.executable).with_name("sinks"), *map(str, arguments)], check=True, capture_output=True)
    return home
