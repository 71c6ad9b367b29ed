"""Options whose values are words of our tables: what may stand there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from pipelines.files import runmaps
from sinks.errors import suggest
from sinks.parameters import SET_NAMES, records

_OF_A_SET: Final = ("tillage", "carbon_input", "grazing", "forest_age")
"""Levels that a user's own parameter file may add to."""


def _levels(land_use: str, factor: str) -> Callable[[], list[str]]:
    return lambda: [r["level"] for r in records("soil_factors") if (r["land_use"], r["factor"]) == (land_use, factor)]


def _volume_methods() -> list[str]:
    from sinks.ecosystems.forest import VOLUME_METHODS  # here, for a shell that completes a word does not wait for it

    return list(VOLUME_METHODS)


_KNOWN: Final[dict[str, Callable[[], list[str]]]] = {
    "volume_method": _volume_methods,
    "tillage": _levels("cropland", "fmg"),
    "carbon_input": _levels("cropland", "fi"),
    "grazing": _levels("grassland", "fmg"),
    "forest_age": lambda: [r["age_class"] for r in records("growth")],
    "continent": lambda: [r["continent"] for r in records("continents")],
    "forest_origin": lambda: ["natural", "planted"],
    "soil_legend": lambda: [r["legend"] for r in records("soil_legends")],
    "inland_water": lambda: ["auto", "include", "exclude"],
    "map_layout": lambda: [runmaps.WHOLE, runmaps.SHARDS],
    "target_document": lambda: [r["document"] for r in records("targets")],
}
OPTIONS: Final = tuple(_KNOWN)


@cache
def known(option: str) -> tuple[str, ...]:
    """The words that an option takes, in the order of their table."""
    return tuple(dict.fromkeys(_KNOWN[option]()))


def problems(study: Any) -> list[str]:
    """What is wrong with these options of a study; one that is not given is right."""
    own_set = study.parameters not in (*SET_NAMES, "auto") and not str(study.parameters).startswith("invest:")
    found = []
    for option in OPTIONS:
        value = getattr(study, option)
        if value and value not in known(option) and not (own_set and option in _OF_A_SET):
            found.append(f"--{option.replace('_', '-')} is {suggest(value, known(option))}")
    return found
