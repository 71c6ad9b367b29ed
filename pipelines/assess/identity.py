"""What decides about the result of a run: to go on with a run that died, all of it must be as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final

import xarray as xr

from pipelines.assess.plan import Plan
from pipelines.assess.study import EXECUTION, LAYER_NAMES, Study
from pipelines.files import manifest

_FILES: Final = ("regions", "targets", "legend", "parameters", "soil_profile")
"""Options that may name a file."""


def of_plan(plan: Plan) -> dict[str, str]:
    """By what people call it, as text that is equal when the thing is."""
    study = plan.study
    found = {f"the version of {name}": version for name, version in manifest.versions().items()}
    for name, source in plan.sources.items():
        found[f"the layer {name}"] = f"{source.path} [{source.fingerprint}]"
    for option in fields(study):
        name, value = option.name, getattr(study, option.name)
        if name not in (*LAYER_NAMES, *EXECUTION) and value is not None:
            found[f"--{name.replace('_', '-')}"] = _text(value) + _content(name, value)
    found["the size of blocks"] = f"{plan.blocks[0].height} x {plan.blocks[0].width}"
    return found


def from_files(study: Study) -> bool:
    """Whether all layers are files: of an array in memory nobody knows whether it is the same again."""
    return not any(isinstance(getattr(study, name), xr.DataArray | xr.Dataset) for name in LAYER_NAMES)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_text(value[k])}" for k in sorted(value))
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _content(name: str, value: object) -> str:
    """The digest of the file that an option names."""
    path = Path(str(value).removeprefix("invest:"))
    if name not in _FILES or not path.is_file():
        return ""
    return f" [{manifest.sha256(path)[:16]}]"
