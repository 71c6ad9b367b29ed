"""Where data came from: a record beside the files, which a run carries into its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pipelines.errors import InputError
from pipelines.files.atomic import atomic_path

NAME: Final = "sources.json"
"""The record: {"sources": [{"files": [...], "title": …, "licence": …, "source": key or "bibtex": entry, …}]}."""
TOLD: Final = ("product", "title", "year", "licence", "attribution", "home", "source", "bibtex")
"""What a run keeps of an entry."""


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the record of a folder."""
    with atomic_path(folder / NAME) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """The record of a folder, {} where there is none. Raises InputError for one that is no record."""
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except ValueError as error:
        raise InputError(f"{path}: not a readable record of data sources ({error}); mend or remove it") from None
    entries = found.get("sources") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("files"), list) for e in entries
    ):
        raise InputError(f'{path}: not a record of data sources; it needs {{"sources": [{{"files": […], …}}, …]}}')
    return found


def of_files(paths: Iterable[str]) -> list[dict[str, Any]]:
    """What is recorded of these files, in the folder where each lies or in the one above; each entry once."""
    found: list[dict[str, Any]] = []
    for path in dict.fromkeys(paths):
        if "://" in path or path.startswith(("/vsi", "<")):
            continue
        file = Path(path).absolute()
        for folder in (file.parent, file.parent.parent):
            name = file.relative_to(folder).as_posix()
            for entry in read(folder).get("sources", []):
                told = {k: entry[k] for k in TOLD if entry.get(k)}
                if name in entry["files"] and told not in found:
                    found.append(told)
    return found
