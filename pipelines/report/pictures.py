"""Which maps of a run the page shows, with their names and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pipelines.files import runmaps
from pipelines.report import amounts, quicklook
from pipelines.report.catalogue import LANGUAGES, Both, say
from pipelines.report.quicklook import Picture
from pipelines.report.runfolder import CHANGE, Run
from sinks import ecosystems
from sinks.colors import RGB, ramp_of
from sinks.parameters import records

PIXELS: Final = 300_000
"""Of a picture: what a screen shows of a map, in about 200 kB."""
_DENSITIES: Final = {"carbon_total": "carbon_density", "stock_volume": "volume_density"}


def of_run(run: Run, beside: Mapping[str, Run]) -> list[Picture]:
    """Ecosystems, carbon and stock; of a change what became of the land and of its carbon."""
    found: list[Picture | None] = []
    if run.kind != CHANGE:
        found.append(_classes(run, "ecosystem", "ecosystem", _ecosystems()))
        found += [_density(run, name, name) for name in _DENSITIES]
    if CHANGE in beside:
        change = beside[CHANGE]
        found += [
            _density(change, "carbon_change", "change_carbon_total"),
            _classes(change, "process", "process", _processes()),
        ]
    return [p for p in found if p is not None]


def _density(run: Run, name: str, quantity: str) -> Picture | None:
    path = runmaps.path(run.folder, name)
    return quicklook.density(path, name, ramp_of(quantity), PIXELS) if path.is_file() else None


def _classes(run: Run, name: str, key: str, known: dict[int, tuple[Both, RGB]]) -> Picture | None:
    path = runmaps.path(run.folder, name)
    return quicklook.classes(path, key, known, PIXELS) if path.is_file() else None


def _ecosystems() -> dict[int, tuple[Both, RGB]]:
    return {c.code: (Both(c.name_en, c.name_zh), _rgb(c.color)) for c in ecosystems.classes().values()}


def _processes() -> dict[int, tuple[Both, RGB]]:
    return {int(r["code"]): (Both(r["name_en"], r["name_zh"]), _rgb(r["color"])) for r in records("processes")}


def _rgb(color: str) -> RGB:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def as_data(picture: Picture) -> dict[str, Any]:
    """A picture for the page's script."""
    name = say(f"picture.{picture.key}")
    told: dict[str, Any] = {
        "key": picture.key, "name": name.pair(), "url": picture.url, "bounds": picture.bounds, "colors": picture.colors,
        "limits": [value for value, _ in picture.limits],
    }  # fmt: skip
    if picture.limits:
        kind = _DENSITIES.get(picture.key, "carbon_density")
        scales = {language: asdict(amounts.scale(1.0, kind, language)) for language in LANGUAGES}
        return told | {"values": picture.values, "scale": scales}
    return told | {"values": [v.pair() for v in picture.values if isinstance(v, Both)]}
