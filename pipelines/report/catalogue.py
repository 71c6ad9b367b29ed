"""Every sentence of the report, once, in English and in Chinese."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "zh")
HTML_LANGUAGE: Final = {"en": "en", "zh": "zh-CN"}
"""Language → its tag in HTML."""


@dataclass(frozen=True)
class Both:
    """One text in both languages. In a template it is written as two elements, of which the page shows one."""

    en: str
    zh: str

    def of(self, language: str) -> str:
        """The text in one language."""
        return self.zh if language == "zh" else self.en

    def pair(self) -> dict[str, str]:
        """Language → text, for the page's script."""
        return {language: self.of(language) for language in LANGUAGES}

    def __html__(self) -> str:
        en, zh = html.escape(self.en), html.escape(self.zh)
        if en == zh:
            return en
        return f'<span class="en" lang="en">{en}</span><span class="zh" lang="zh-CN">{zh}</span>'


def same(text: object) -> Both:
    """A text that is the same in both languages: a name, a code."""
    return Both(str(text), str(text))


@cache
def messages() -> dict[str, Both]:
    """Key → text, with places in braces."""
    text = files("pipelines.report").joinpath("messages.csv").read_text(encoding="utf-8")
    return {row["key"]: Both(row["en"], row["zh"]) for row in csv.DictReader(io.StringIO(text))}


def say(key: str, **places: object) -> Both:
    """A message, its places filled: by a `Both` in each language's own words, by anything else as it is.

    Raises KeyError for a message or a place that is not there: a mistake of the program, not of its user.
    """
    found = messages()[key]
    if not places:
        return found
    filled = {
        language: found.of(language).format(
            **{name: value.of(language) if isinstance(value, Both) else value for name, value in places.items()}
        )
        for language in LANGUAGES
    }
    return Both(**filled)


def joined(parts: list[Both], key: str = "list.comma") -> Both:
    """Texts in a row, with each language's own comma."""
    comma = messages()[key]
    return Both(*(comma.of(language).join(p.of(language) for p in parts) for language in LANGUAGES))
