"""What was run, on what, with what: enough to repeat it."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from pipelines.errors import InputError
from pipelines.files import digest
from pipelines.files.atomic import atomic_path
from pipelines.files.digest import Digest

NAME: Final = "manifest.json"
_LIBRARIES: Final = ("numpy", "numba", "rasterio", "pyproj", "shapely", "pyogrio", "dask", "pandas", "xarray")
_OWN: Final = (".py", ".csv", ".toml")
_KINDS: Final[dict[str, type]] = {
    "outputs": dict, "grid": dict, "study": dict, "versions": dict, "inputs": dict, "blocks": dict, "epochs": list, "notes": list,
    "warnings": list, "closure": list, "unknown_values": dict, "files": dict, "started_in": str, "kind": str, "parameters": str,
}  # fmt: skip
"""What each part of a manifest is, where it is there."""


@functools.cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("carbon-sinks", *_LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    home = Path(__file__).parents[2]
    own = [*(home / "sinks").rglob("*"), *(home / "pipelines").rglob("*.py")]
    code = hashlib.sha256()
    for path in sorted(p for p in own if p.suffix in _OWN):
        code.update(path.read_bytes())
    # Two states of the code can have one version while it is worked on.
    return {**found, "carbon-sinks code": code.hexdigest()[:12]}


def versions() -> dict[str, str]:
    """Versions of everything that could change a number."""
    return dict(_versions())


def sha256(path: Path) -> str:
    """Digest of a file."""
    return digest.of(path).sha256


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(
    folder: Path,
    content: Mapping[str, Any],
    finish: Callable[[Path], None] | None = None,
    known: Mapping[str, Digest] | None = None,
) -> None:
    """Write ``manifest.json``, with the digest of every output beside it.

    finish : makes further outputs from the folder as it then stands, e.g. its report; known : digests of outputs, by name, that
    were told as they were written. Large maps are not read again for them.
    """
    whole = {n: d.told() for n, d in (known or {}).items() if _size(folder / n) == d.bytes}
    told = outputs(folder, whole)
    _save(folder, {**content, "outputs": told})
    if finish is not None:
        finish(folder)
        _save(folder, {**content, "outputs": outputs(folder, told)})


def add(folder: Path, names: Sequence[str]) -> None:
    """Take outputs into the manifest of a finished run that were made after it, as they now are."""
    about = read(folder)
    _save(folder, {**about, "outputs": {**about.get("outputs", {}), **{n: _told(folder / n) for n in names}}})


def outputs(folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Size and digest of every file; those that are known are not read again."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    names = {str(p.relative_to(folder)): p for p in files if p.name not in (NAME, "run.log") and p.name[0] != "."}
    return {name: known.get(name) or _told(path) for name, path in names.items()}


def _size(path: Path) -> int:
    """Bytes of a file, -1 where there is none."""
    return path.stat().st_size if path.is_file() else -1


def _told(path: Path) -> dict[str, Any]:
    return digest.of(path).told()


def _save(folder: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(folder / NAME) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain)
        part.write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a finished run. Raises InputError when there is none."""
    path = Path(folder) / NAME
    if not path.exists():
        raise InputError(f"{folder}: there is no {NAME} here; name the output folder of a finished run")
    return read_file(path)


def read_file(path: Path) -> dict[str, Any]:
    """A manifest, which may be a stranger's: what is asked of it and not there, of the wrong kind, or elsewhere, is told."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_hook=lambda table: _Told(path, table))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable manifest ({error}); run the assessment again") from None
    wrong = "it is no table" if not isinstance(found, dict) else _wrong(found)
    if wrong:
        raise InputError(f"{path}: not a manifest of this program ({wrong}); run the assessment again")
    return found


class _Told(dict[str, Any]):
    """A table of a manifest; what it lacks is told in a sentence."""

    def __init__(self, path: Path, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise InputError(f"{self._path}: the manifest says nothing of '{key}'; run the assessment again")


def _wrong(about: Mapping[str, Any]) -> str:
    """What cannot be so in a manifest, blank for nothing."""
    for key, kind in _KINDS.items():
        if key in about and not isinstance(about[key], kind):
            return f"'{key}' is {type(about[key]).__name__}"
    for name, told in about.get("outputs", {}).items():
        parts = PurePath(name).parts
        if not parts or PurePath(name).is_absolute() or ".." in parts or "\\" in name or "\0" in name:
            return f"it names an output outside of its folder: '{name}'"
        if not (isinstance(told, dict) and isinstance(told.get("sha256"), str)):
            return f"it has no digest of '{name}'"
    grid = about.get("grid", {})
    if grid and not (
        isinstance(grid.get("crs_wkt"), str) and all(isinstance(grid.get(k), int) for k in ("width", "height"))
        and isinstance(grid.get("transform"), list) and [type(v) for v in grid["transform"] if isinstance(v, int | float)][5:]
    ):  # fmt: skip
        return "its grid is none"
    return ""


def damaged(folder: Path, about: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Which of these outputs of a run are missing or are not what it wrote; those it never wrote are passed over."""
    outputs = about.get("outputs", {})
    found = []
    for name in names:
        if name in outputs:
            path = Path(folder) / name
            if not path.is_file() or sha256(path) != outputs[name]["sha256"]:
                found.append(name)
    return found


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
