"""What a figure says, in English and in Chinese."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "zh")


@cache
def _words() -> dict[str, dict[str, str]]:
    text = files("sinks.plotting").joinpath("words.csv").read_text(encoding="utf-8")
    return {row["key"]: row for row in csv.DictReader(io.StringIO(text))}


def say(key: str, language: str, **places: object) -> str:
    """A text in one language, its places filled."""
    return _words()[key][language].format(**places)


def unit(spelled: str, language: str) -> str:
    """A unit as people write it; one that the catalogue does not know stays as it is."""
    key = f"unit.{spelled}"
    return say(key, language) if key in _words() else spelled
