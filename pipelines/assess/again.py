"""A study as a manifest tells it, and back: enough to do a run again, and no more than a stranger may ask."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from pipelines.assess.study import EXECUTION, FILES, LAYER_NAMES, Study, checked, refuse_network
from pipelines.errors import InputError
from pipelines.files import manifest

ARRAY: Final = "(an array in memory)"
_PATHS: Final = (*LAYER_NAMES, *FILES, "removals")


def told(study: Study) -> dict[str, Any]:
    """A study as plain values, for a manifest."""
    return {k: _plain(v) for k, v in study.__dict__.items() if v is not None}


def files_of(study: Study) -> dict[str, dict[str, str]]:
    """Path and digest of every file that is no layer, for a manifest."""
    return {name: {"path": path, "sha256": manifest.sha256(Path(path))} for name, path in study.named_files.items()}


def known_as(study: Study, name: str, value: str | None) -> str | None:
    """An option as it is the same wherever its file lies: name and digest of the file, if it is one."""
    path = study.named_files.get(name)
    return value if path is None else f"{Path(path).name} [{manifest.sha256(Path(path))[:16]}]"


def options_of(table: Mapping[str, Any], where: Path, home: str, allow_network: bool) -> dict[str, Any]:
    """Options as a manifest tells them, without those that say where and how to run.

    home : the folder in which the run was started; relative paths are looked for here first, and then there. Raises InputError
    for what no manifest can hold, for an array, and for addresses that are not allowed.
    """
    known = {f.name for f in fields(Study)} - set(EXECUTION)
    found = {k: v for k, v in table.items() if k in known}
    arrays = [k for k, v in found.items() if k in LAYER_NAMES and v == ARRAY]
    if arrays:
        raise InputError(f"{where}: {arrays[0]} was an array in memory; only runs on files can be done again")
    refuse_network(where, found, {"allow_network": allow_network})
    for name, value in found.items():
        if name in _PATHS:
            found[name] = [_near(v, home) for v in value] if isinstance(value, list) else _near(value, home)
        elif name == "maps" and isinstance(value, list):
            found[name] = tuple(value)
    return found


def study_of(about: Mapping[str, Any], where: Path, allow_network: bool = False, **options: Any) -> Study:
    """The study of an assessment's manifest, to be run with these options."""
    table = options_of(about["study"], where, str(about.get("started_in", "")), allow_network)
    return checked({**table, "allow_network": allow_network, **options}, str(where))


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | Mapping):
        return value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else ARRAY


def _near(value: Any, home: str) -> Any:
    """A path that is not found from here, from where the run was started."""
    if not isinstance(value, str) or Path(value).is_absolute() or Path(value).exists():
        return value
    there = os.path.join(home, value)
    return there if home and os.path.exists(there) else value
