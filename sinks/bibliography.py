"""The sources of numbers and data as a bibliography: what a result must cite, as BibTeX, as text, as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import pandas as pd

from sinks.parameters import Coefficient, table_text

SOFTWARE: Final = "carbon_sinks"
OURS: Final = "carbon_sinks_design"
"""Key of our own choices, which no literature stands behind: the software's entry stands for them."""
_ENTRY: Final = re.compile(r"^@(\w+)\{([^,]+),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD: Final = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """One entry of a bibliography: its kind (article, book …), key, fields, and the entry itself."""

    kind: str
    key: str
    fields: Mapping[str, str]
    entry: str

    def plain(self, name: str) -> str:
        """A field as people read it."""
        said = re.sub(r"(?<!\\)[{}]", "", self.fields.get(name, ""))
        return said.replace("---", "—").replace("--", "–").replace("\\&", "&")

    def text(self) -> str:
        """Author (year). Title. Where."""
        author = _people(self.plain("author") or self.plain("editor")) or "Anonymous"
        year = self.plain("year") or "n.d."
        volume = self.plain("volume") + (f"({self.plain('number')})" if self.plain("number") else "")
        place = ", ".join(p for p in (self.plain("journal"), volume, self.plain("pages")) if p)
        title = self.plain("title") + (f", version {self.plain('version')}" if self.plain("version") else "")
        rest = [title, place or self.plain("publisher") or self.plain("institution")]
        if doi := self.plain("doi"):
            rest.append(f"https://doi.org/{doi}")
        elif url := self.plain("url"):
            rest.append(url)
        return f"{author} ({year}). " + ". ".join(r.rstrip(".") for r in rest if r) + "."


@dataclass(frozen=True)
class Citations:
    """What a result must cite. As text it is BibTeX.

    coefficients : every coefficient used; data : key and role of every data set used; own : entries that are the user's.
    """

    coefficients: tuple[Coefficient, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    own: tuple[Source, ...] = ()

    @property
    def roles(self) -> dict[str, list[str]]:
        """What each source was used for, the software first, then data, then numbers."""
        found: dict[str, list[str]] = {SOFTWARE: ["software"]}
        for key, role in (*self.data, *((s.key, "data") for s in self.own)):
            found.setdefault(key, []).append(role)
        for c in self.coefficients:
            key = SOFTWARE if c.source == OURS else c.source
            role = "design choices" if c.source == OURS else f"coefficients: {c.name}"
            if role not in found.setdefault(key, []):
                found[key].append(role)
        return found

    @property
    def sources(self) -> list[Source]:
        """The entries to cite, once each; a source that is the user's own and has no entry is left to them."""
        known = {**entries(), SOFTWARE: software(), **{s.key: s for s in self.own}}
        return [known[key] for key in self.roles if key in known]

    def bibtex(self) -> str:
        """The bibliography as BibTeX."""
        return "\n\n".join(s.entry for s in self.sources) + "\n"

    def text(self) -> str:
        """The bibliography as a list of references with what each was used for."""
        lines = []
        for s in self.sources:
            names = [r.removeprefix("coefficients: ") for r in self.roles[s.key] if r.startswith("coefficients: ")]
            other = [r for r in self.roles[s.key] if not r.startswith("coefficients: ")]
            used = [*other, *([f"coefficients ({', '.join(sorted(set(names)))})"] if names else [])]
            lines.append(f"{s.text()} [{'; '.join(used)}]")
        return "\n".join(lines) + "\n"

    def table(self) -> pd.DataFrame:
        """One row a source: key, used_for, author, year, title, doi, url."""
        rows = [
            {"key": s.key, "used_for": "; ".join(self.roles[s.key]),
             **{name: s.plain(name) for name in ("author", "year", "title", "doi", "url")}}
            for s in self.sources
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        return self.bibtex()


@lru_cache(maxsize=1)
def entries() -> Mapping[str, Source]:
    """Every source of the toolkit's numbers and data by its key."""
    return {s.key: s for s in parse(table_text("sources.bib"))}


def parse(text: str) -> list[Source]:
    """The entries of a BibTeX text that has one field a line."""
    if not text.endswith("\n"):
        text += "\n"
    return [Source(m[1].lower(), m[2].strip(), dict(_FIELD.findall(m[3])), m[0].strip()) for m in _ENTRY.finditer(text)]


def bibtex(keys: Iterable[str]) -> str:
    """These sources as BibTeX, once each."""
    return "\n\n".join(entries()[key].entry for key in dict.fromkeys(keys)) + "\n"


@lru_cache(maxsize=1)
def software() -> Source:
    """The toolkit itself, in this version."""
    try:
        number = version("carbon-sinks")
    except PackageNotFoundError:
        number = "not installed"
    return parse(
        f"@software{{{SOFTWARE},\n  author = {{{{Carbon Sinks contributors}}}},\n"
        "  title = {Carbon Sinks: forest coverage, growing stock and ecosystem carbon from maps, held against targets},\n"
        f"  version = {{{number}}},\n  year = {{2026}},\n  license = {{Apache-2.0}}\n}}\n"
    )[0]


def _people(names: str) -> str:
    people: Sequence[str] = names.split(" and ")
    if len(people) > 3 or people[-1] == "others":
        return f"{people[0]} et al."
    return " and ".join(people)
