"""The catalogue of bad and odd input: each case ends in the right answer, or in one clear sentence with nothing left behind."""

import re

import pytest
from click.testing import CliRunner

from catalogue import Scene
from catalogue_rasters import RASTERS
from catalogue_tables import FILES, TABLES
from catalogue_vectors import GEOPACKAGE, VECTORS
from pipelines.assess import run
from pipelines.assess.study import checked, from_toml
from pipelines.cli import main
from pipelines.files.atomic import LEFTOVERS

KINDS = {"raster": RASTERS, "vector": VECTORS, "table": TABLES, "file": FILES}
CASES = {f"{kind}: {name}": case for kind, table in KINDS.items() for name, case in table.items()}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The scene that nobody spoiled."""
    scene = Scene.fresh(tmp_path_factory.mktemp("good"))
    return run.assess(checked({**scene.given, "out": str(scene.path("out")), "quiet": True}))


def flags(given):
    found = []
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            found.append(f"--{name.replace('_', '-')}={each}")
    return found


def sentence(result, codes):
    """The one line that was said; nothing else was."""
    assert result.exit_code in codes, f"ended with {result.exit_code}: {(result.stderr or result.output)[-300:]!r}"
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("sinks: ")
    assert "this should not happen" not in lines[0]
    assert len(lines[0]) < 1200
    return lines[0]


def nothing_left(out):
    """No output, whole or half; the log and work to go on with are no output."""
    left = [p for p in out.rglob("*") if p.is_file() and p.relative_to(out).parts[0] not in LEFTOVERS]
    assert not left, left


@pytest.mark.parametrize("name", CASES)
def test_each_case(name, good, tmp_path, monkeypatch):
    case, scene, out = CASES[name], Scene.fresh(tmp_path), tmp_path / "out"
    if not case.said and not name.partition(": ")[2].startswith(GEOPACKAGE):  # a second of every run
        monkeypatch.setattr(run, "write_geopackage", lambda *given: None)
    case.spoil(scene)
    if case.said:
        toml = scene.path("assessment.toml")
        asked = [str(toml)] if toml.exists() else [*flags(scene.given), f"--out={out}"]
        result = CliRunner().invoke(main, ["assess", *asked, "--quiet"])
        said = sentence(result, case.code)
        assert re.search(case.said, said, re.DOTALL), f"{said!r} is not {case.said!r}"
        nothing_left(out)
    else:
        if scene.path("assessment.toml").exists():
            case.right(run.assess(from_toml(scene.path("assessment.toml"), out=str(out), quiet=True)), good)
            return
        layers = scene.given.pop("layer", None)
        own = {}
        for pair in [layers] if layers else []:
            layer, _, rest = pair.partition(".")
            key, _, value = rest.partition("=")
            own.setdefault(layer, {})[key] = value if key == "crs" else int(value) if key == "band" else float(value)
        found = run.assess(checked({**scene.given, "layers": own, "out": str(out), "quiet": True}))
        case.right(found, good)
