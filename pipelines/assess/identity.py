"""What decides about the result of a run: to go on with a run that died, all of it must be as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from pipelines.assess.plan import Plan
from pipelines.assess.study import EXECUTION, LAYER_NAMES, Study
from pipelines.errors import RunError
from pipelines.files import manifest
from pipelines.inputs import sources
from pipelines.inputs.layerfiles import is_array
from pipelines.work.workspace import Workspace


def of_plan(plan: Plan) -> dict[str, str]:
    """By what people call it, as text that is equal when the thing is."""
    study = plan.study
    found = {f"the version of {name}": version for name, version in manifest.versions().items()}
    for name, source in plan.sources.items():
        marks = " ".join(filter(None, (source.fingerprint, source.heads)))
        found[f"the layer {name}"] = f"{source.path} [{marks}]"
    files = study.named_files
    for option in fields(study):
        name, value = option.name, getattr(study, option.name)
        if name not in (*LAYER_NAMES, *EXECUTION) and value is not None:
            mark = f" [{manifest.sha256(Path(files[name]))[:16]}]" if name in files else ""
            if name == "regions" and not mark and plan.block_plan.regions is not None:  # in a store
                mark = f" [{plan.block_plan.regions.token[:16]}]"
            found[f"--{name.replace('_', '-')}"] = _text(value) + mark
    found["the size of blocks"] = f"{plan.blocks[0].height} x {plan.blocks[0].width}"
    return found


def require_unchanged(plan: Plan, work: Workspace) -> None:
    """Refuse, and throw away, what was computed from files that are not what they were when the plan was made."""
    for name, source in plan.sources.items():
        if sources.mark(source.layer) != source.fingerprint:
            work.forget()
            raise RunError(
                f"{source.path}: the {name} layer changed while it was read; what was computed is thrown away, run it again"
            )


def from_files(study: Study) -> bool:
    """Whether all layers are files: of an array in memory nobody knows whether it is the same again."""
    return not any(is_array(getattr(study, name)) for name in LAYER_NAMES)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_text(value[k])}" for k in sorted(value))
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
