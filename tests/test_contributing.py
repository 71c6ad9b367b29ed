"""The first plug of the contributor's guide, as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RUN = """
import sys
import sinks.ecosystems
sinks.ecosystems.__path__.append(sys.argv[1])
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-c", sys.argv[3], "--rootdir", sys.argv[1], sys.argv[2]]))
"""


def test_the_plug_of_the_guide_passes_the_test_of_the_guide(tmp_path):
    module, test = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "orchard.py").write_text(module, encoding="utf-8")
    (tmp_path / "test_orchard.py").write_text(test, encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        RUN,
        str(tmp_path),
        str(tmp_path / "test_orchard.py"),
        str(ROOT / "pyproject.toml"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_files_that_the_guide_names_are_there():
    named = set(re.findall(r"`((?:sinks|pipelines|docs|tests)/[\w./]+\.\w+)`", GUIDE))
    assert len(named) > 5
    missing = [n for n in named if "NAME" not in n and "orchard" not in n and not (ROOT / n).is_file()]
    assert missing == []
