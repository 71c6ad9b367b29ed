"""The sample region, end to end."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from pipelines.assess.study import Study, from_toml
from pipelines.errors import InputError


def sample_data() -> Path:
    """Folder of the sample data: inside an installed package, or beside the packages in a checkout."""
    for folder in (Path(str(files("pipelines"))) / "sample_data", Path(str(files("pipelines"))).parent / "sample_data"):
        if (folder / "assessment.toml").is_file():
            return folder
    raise InputError("the sample data are not installed; install from a checkout or a full wheel")


def demo_study(out: Path, **options: Any) -> Study:
    """The assessment of the sample region, written into ``out``."""
    return from_toml(sample_data() / "assessment.toml", out=str(out), **options)
