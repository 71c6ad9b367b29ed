"""A result as one small file, and back to the same bits: for what must outlive the process that computed it.

Plain NumPy archives (``.npz``) without pickled objects: reading one runs no code of whoever wrote it, and its checksums tell
when it was cut short or changed.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.files.atomic import atomic_path

_TREE: Final = "tree"
_BROKEN: Final = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


class DamagedError(Exception):
    """A record that cannot be read back."""


def write(path: Path, value: Any) -> None:
    """Write a value: dataclasses, mappings and tuples of arrays, numbers, fractions, text and paths.

    Paths are kept relative to the record's own folder, so that it may be moved.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = json.dumps(_taken_apart(value, arrays, path.parent))
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **{_TREE: np.frombuffer(tree.encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]


def read(path: Path, kinds: Mapping[str, type], within: Path | None = None) -> Any:
    """The value of a record.

    kinds : the dataclasses it may hold, by name; within : the folder in which all files that it names must lie, for what a
    record names may be removed. Raises DamagedError, and FileNotFoundError.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        tree = json.loads(arrays.pop(_TREE).tobytes())
        return _put_together(tree, arrays, kinds, _Home(path.parent, within))
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise DamagedError(f"{path}: {error}") from error


def _taken_apart(value: Any, arrays: dict[str, NDArray[Any]], folder: Path) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Fraction):
        return {"fraction": [str(value.numerator), str(value.denominator)]}
    if isinstance(value, Path):
        return {"file": os.path.relpath(value, folder)}
    if isinstance(value, Mapping):
        return {"map": [[k, _taken_apart(v, arrays, folder)] for k, v in value.items()]}
    if isinstance(value, tuple | list):
        return {"row": [_taken_apart(v, arrays, folder) for v in value]}
    if is_dataclass(value):
        parts = {f.name: _taken_apart(getattr(value, f.name), arrays, folder) for f in fields(value)}
        return {"kind": type(value).__name__, "parts": parts}
    raise TypeError(f"a {type(value).__name__} cannot be kept in a record")


class _Home(NamedTuple):
    """folder : of the record; within : where its files must lie, None for anywhere."""

    folder: Path
    within: Path | None

    def file(self, name: str) -> Path:
        path = Path(os.path.normpath(self.folder / name))
        if self.within is not None and not path.is_relative_to(os.path.normpath(self.within)):
            raise ValueError(f"it names {path}, which lies outside of {self.within}")
        return path


def _put_together(tree: Any, arrays: Mapping[str, NDArray[Any]], kinds: Mapping[str, type], home: _Home) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "fraction" in tree:
        return Fraction(*map(int, tree["fraction"]))
    if "file" in tree:
        return home.file(tree["file"])
    if "map" in tree:
        return {k: _put_together(v, arrays, kinds, home) for k, v in tree["map"]}
    if "row" in tree:
        return tuple(_put_together(v, arrays, kinds, home) for v in tree["row"])
    parts = {k: _put_together(v, arrays, kinds, home) for k, v in tree["parts"].items()}
    return kinds[tree["kind"]](**parts)
