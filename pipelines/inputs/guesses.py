"""What a raster may be, from its name, its values and what it says of itself: a guess with its reasons and its doubts."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.inputs import layerfiles, sources
from sinks.layers import CLASS, LAYERS, problem
from sinks.legends import Legend, builtin_names
from sinks.parameters import records

_LOOK: Final = 512
"""Longest side of the thinned-out look at a raster."""
_MOST_CODES: Final = 256
_FEW_CODES: Final = 60
"""More are hardly the classes of a map."""
_FITS: Final = 0.9
"""A legend that knows this share of the pixels may be the one."""
_YEAR: Final = re.compile(r"(?<!\d)(19[5-9]\d|20[0-4]\d)(?!\d)")
_SENTINELS: Final = (-9999.0, -999.0, -99.0, -32768.0, 65535.0, -3.4028234663852886e38)
"""Values that often stand for no data in files that do not say so."""


@dataclass(frozen=True)
class Look:
    """One raster, thinned out. codes : share of the pixels by value, empty where the values are no codes."""

    path: Path
    source: sources.Source
    low: float
    high: float
    codes: dict[int, float]
    sentinel: float | None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        a, _, x0, _, e, y0 = self.source.transform
        x, y = sorted((x0, x0 + a * self.source.width)), sorted((y0, y0 + e * self.source.height))
        return x[0], y[0], x[1], y[1]

    @property
    def facts(self) -> str:
        """For people, in one line."""
        s = self.source
        said = f"{s.width} x {s.height}, {s.dtype}, nodata {'none' if s.nodata is None else f'{s.nodata:g}'}"
        values = (
            f"{len(self.codes)} codes" if 0 < len(self.codes) <= _FEW_CODES else f"values {self.low:g} to {self.high:g}"
        )
        return f"{said}, {values}" + (f", unit {s.unit}" if s.unit else "")


@dataclass(frozen=True)
class Guess:
    """A layer that a raster may be, blank for none. sure : by its name; else by its values alone."""

    layer: str
    why: str
    sure: bool
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit:
    """How well a legend explains a raster: share of pixels, used part of its codes, letters of its name in that of the file."""

    name: str
    share: float
    used: float
    named: int
    unknown: tuple[int, ...] = field(default=())

    @property
    def rank(self) -> tuple[bool, float, int, float]:
        return self.share >= _FITS, self.share if self.share < _FITS else 1.0, self.named, self.used


def look(path: Path, workdir: Path, layer: str = "landcover") -> Look:
    """Open a raster and look at some of its pixels. Raises InputError when it is none or has no place."""
    source = sources.inspect(layerfiles.make_layer(layer, LAYERS[layer].kind, str(path), workdir))
    values, valid = sources.thin(source, _LOOK)
    known = np.asarray(values[valid & np.isfinite(values)], float)
    if not known.size:
        raise InputError(f"{path}: has no pixel with a value")
    sentinel = None
    if source.nodata is None:
        sentinel = next((v for v in _SENTINELS if np.isclose(known, v).any()), None)
    real = known if sentinel is None else known[~np.isclose(known, sentinel)]
    real = real if real.size else known
    scale, offset = (
        (source.scale, source.offset) if source.layer.kind == CLASS else (1.0, 0.0)
    )  # else it is done already
    low, high = (float(v) * scale + offset for v in (real.min(), real.max()))
    return Look(path, source, low, high, _codes(real), sentinel)


def _codes(values: NDArray[np.float64]) -> dict[int, float]:
    if not np.array_equal(values, np.round(values)):
        return {}
    seen, count = np.unique(values, return_counts=True)
    if len(seen) > _MOST_CODES or seen.min() < 0:
        return {}
    return {int(v): float(n) / values.size for v, n in zip(seen, count, strict=True)}


def year_of(path: Path, description: str = "") -> int | None:
    """The last year in a name, which is that of the product; one in the folder's name where the file's has none."""
    for text in (path.stem, description, path.parent.name):
        if found := _YEAR.findall(text):
            return int(found[-1])
    return None


def guess(seen: Look) -> Guess:
    """What a raster may be. Values that cannot be are told, and then it is no guess."""
    name = seen.path.stem.lower().replace("-", "_").replace(" ", "_").replace(".", "_")
    for layer, pattern in _words():
        if pattern.search(name):
            return _checked(layer, seen)
    told = f"{seen.source.description} {seen.source.unit}".lower().replace(" ", "_")
    for layer, pattern in _words():
        if told.strip("_") and pattern.search(told):
            return _checked(layer, seen)
    best = legends(seen)[:1] if seen.codes else []
    if best and best[0].share >= _FITS and 3 <= len(seen.codes) <= _FEW_CODES:
        doubt = "its name says nothing; it is taken for land cover because its codes are those of a legend"
        return Guess("landcover", f"Told by its codes, those of {best[0].name}; {seen.facts}.", False, (doubt,))
    return Guess("", "neither its name nor its values say what it is", False)


def _checked(layer: str, seen: Look) -> Guess:
    about = LAYERS[layer]
    doubts = []
    if about.kind == CLASS and not seen.codes:
        return Guess("", f"named like the layer {layer}, but its values are no codes", False)
    if about.kind != CLASS and (wrong := problem(layer, seen.low, seen.high)):
        return Guess("", f"named like the layer {layer}, but it {wrong}", False)
    if about.kind != CLASS and not seen.source.unit:
        doubts.append(
            f"the file gives no unit; {about.unit if about.unit != '1' else 'a share from 0 to 1'} is assumed"
        )
    if seen.sentinel is not None:
        doubts.append(f"the file gives no nodata value; {seen.sentinel:g} is taken to be one")
    return Guess(layer, f"Told by its name; {seen.facts}.", True, tuple(doubts))


def legends(seen: Look) -> list[Fit]:
    """Built-in legends by how well they explain a raster, the best first."""
    name = seen.path.stem.lower().replace("-", "_")
    found = []
    for key in builtin_names():
        known = Legend.builtin(key).by_value()
        zero = {0} if 0 not in known else set()  # often no data
        counted = {v: n for v, n in seen.codes.items() if v not in zero}
        total = sum(counted.values()) or 1.0
        inside = {v: n for v, n in counted.items() if v in known}
        used = len(inside) / max(len(known), 1)
        words = (*key.split("_"), key, *_aliases(key))
        named = max((len(w) for w in words if len(w) > 3 and w in name), default=0)
        unknown = tuple(sorted(set(counted) - set(inside), key=lambda v: -counted[v]))
        found.append(Fit(key, sum(inside.values()) / total, used, named, unknown))
    return sorted(found, key=lambda f: f.rank, reverse=True)


@cache
def _aliases(key: str) -> tuple[str, ...]:
    return tuple(a for r in records("legend_index") if r["name"] == key for a in r["aliases"].split(";") if a)


@cache
def _words() -> tuple[tuple[str, re.Pattern[str]], ...]:
    text = files("pipelines.inputs").joinpath("layer_words.csv").read_text(encoding="utf-8")
    return tuple(
        (row["layer"], re.compile(rf"(?:^|[^a-z])(?:{row['words']})(?=$|[^a-z])"))
        for row in csv.DictReader(io.StringIO(text))
    )
