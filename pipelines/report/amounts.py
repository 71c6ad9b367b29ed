"""How an amount is said: SI in English, 亿 and 万 in Chinese; on its own, as an interval, or in a column of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipelines.report.catalogue import LANGUAGES, Both

NOTHING: Final = "–"


@dataclass(frozen=True)
class Unit:
    """A unit as it is written. counted : totals, that go by 万 and 亿; decimals : of what does not."""

    en: str
    zh: str
    counted: bool = False
    decimals: int = 1

    @property
    def name(self) -> Both:
        return Both(self.en, self.zh)


UNITS: Final = {
    "area": Unit("ha", "公顷", counted=True),
    "volume": Unit("m³", "立方米", counted=True),
    "carbon": Unit("t C", "吨碳", counted=True),
    "carbon_yr": Unit("t C/yr", "吨碳/年", counted=True),
    "co2_yr": Unit("t CO₂/yr", "吨二氧化碳/年", counted=True),
    "kg_yr": Unit("kg/yr", "千克/年", counted=True),
    "percent": Unit("%", "%", decimals=2),
    "points": Unit("percentage points", "个百分点", decimals=2),
    "share": Unit("%", "%", decimals=3),
    "carbon_density": Unit("t C/ha", "吨碳/公顷"),
    "volume_density": Unit("m³/ha", "立方米/公顷"),
    "rate": Unit("t C/(ha·yr)", "吨碳/(公顷·年)", decimals=3),
}
"""What the report speaks of. 1 t C is 1 Mg C of the tables."""

_STEPS: Final = {
    "en": ((1e9, "billion "), (1e6, "million ")),
    "zh": ((1e8, "亿"), (1e4, "万")),
}
"""Language → size from which an amount is told in that many, and the word; 亿 is 1e8, 万 is 1e4."""


@dataclass(frozen=True)
class Scale:
    """One way to write numbers. factor : how many of the base unit are one; commas : for thousands; gap : before the unit."""

    factor: float
    unit: str
    decimals: int
    commas: bool
    gap: str = "\u00a0"

    def number(self, value: float) -> str:
        """The number alone."""
        if not math.isfinite(value):
            return NOTHING
        shown = round(value / self.factor, self.decimals) + 0.0  # no minus before a zero
        return f"{shown:,.{self.decimals}f}" if self.commas else f"{shown:.{self.decimals}f}"


def scale(size: float, kind: str, language: str) -> Scale:
    """How numbers of about this size are written.

    Chinese yearly reports have two decimals of 万 or 亿 and no comma for thousands; English ones four digits and commas.
    """
    unit = UNITS[kind]
    text = unit.name.of(language)
    if not unit.counted:
        return Scale(1.0, text, unit.decimals, commas=False, gap="" if text == "%" and language == "zh" else "\u00a0")
    size = abs(size)
    for least, word in _STEPS[language]:
        if size >= least:
            digits = 2 if language == "zh" else max(0, 3 - math.floor(math.log10(size / least)))
            return Scale(least, word + text, digits, commas=language == "en")
    digits = 0 if size >= 100 or size == 0 else 2
    return Scale(1.0, text, digits, commas=language == "en")


def said(value: float, kind: str) -> Both:
    """An amount with its unit."""
    return Both(*(_with_unit(value, scale(value, kind, language)) for language in LANGUAGES))


def said_apart(value: float, kind: str) -> tuple[Both, Both]:
    """A number and its unit, each on its own: a headline sets the unit smaller."""
    ways = [scale(value, kind, language) for language in LANGUAGES]
    return Both(*(way.number(value) for way in ways)), Both(*(way.unit for way in ways))


def signed(value: float, kind: str) -> Both:
    """An amount with its sign, for changes."""
    plus = "+" if math.isfinite(value) and value > 0 else ""
    found = said(value, kind)
    return Both(plus + found.en, plus + found.zh)


def interval(low: float, high: float, like: float, kind: str) -> Both:
    """Both ends of an interval, told in the size of the value that it belongs to."""
    ends = []
    for language in LANGUAGES:
        way = scale(like, kind, language)
        middle = " to " if language == "en" else " 至 "
        ends.append(f"{way.number(low)}{middle}{_with_unit(high, way)}")
    return Both(*ends)


def column(values: Sequence[float], kind: str) -> dict[str, Scale]:
    """Language → one scale for a column, by its middle value."""
    finite = np.abs(np.asarray(values, float))
    finite = finite[np.isfinite(finite) & (finite > 0)]
    size = float(np.median(finite)) if finite.size else 0.0
    return {language: _column_scale(size, kind, language) for language in LANGUAGES}


def _column_scale(size: float, kind: str, language: str) -> Scale:
    way = scale(size, kind, language)
    return replace(way, decimals=2) if way.factor > 1 else way


def cell(value: float, way: dict[str, Scale]) -> Both:
    """A number of a column, without unit."""
    return Both(*(way[language].number(value) for language in LANGUAGES))


def head(way: dict[str, Scale]) -> Both:
    """The unit of a column."""
    return Both(*(way[language].unit for language in LANGUAGES))


def _with_unit(value: float, way: Scale) -> str:
    number = way.number(value)
    if number == NOTHING:
        return number
    return f"{number}{way.gap}{way.unit}"
