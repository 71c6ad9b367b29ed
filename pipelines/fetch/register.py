"""The public global layers: where each is, on what grid, and what is to be said of it."""

from __future__ import annotations

import csv
import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from itertools import product as combinations
from typing import Any, Final

from pipelines.errors import InputError
from sinks.layers import CLASS, LAYERS
from sinks.parameters import records

_MIRROR: Final = "SINKS_MIRROR_"
"""Environment variables that replace a base address: SINKS_MIRROR_WORLDCOVER."""
PROFILE: Final = "soil_profile"
"""Not one layer but a folder of them."""


@dataclass(frozen=True)
class Product:
    """One global layer. Fields as in ``layers.toml``; title, licence, attribution, source as in ``data_products.csv``."""

    name: str
    layer: str
    dtype: str
    nodata: float
    per_degree: int
    piece: tuple[int, int]
    base: str
    path: str = ""
    default: bool = False
    group: str = ""
    combine: str = ""
    legend: str = ""
    resampling: str = "nearest"
    scale: float = 1.0
    offset: float = 0.0
    tile: Mapping[str, Any] = field(default_factory=dict)
    stac: Mapping[str, str] = field(default_factory=dict)
    each: Mapping[str, Sequence[str]] = field(default_factory=dict)
    years: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return LAYERS[self.layer].unit if self.layer in LAYERS else ""

    @property
    def is_class(self) -> bool:
        return self.layer in LAYERS and LAYERS[self.layer].kind == CLASS

    def year(self, wanted: int) -> int | None:
        """The year nearest to the one wanted, the earlier of two; None where the layer has no year."""
        return min(map(int, self.years), key=lambda y: (abs(y - wanted), y)) if self.years else None

    def rasters(self) -> list[tuple[str, list[dict[str, str]]]]:
        """Name of each file to be written, and what stands in the path of each of its parts."""
        if not self.each:
            return [(f"{self.layer}.tif", [{}])]
        parts = [dict(zip(self.each, values, strict=True)) for values in combinations(*self.each.values())]
        if self.combine:
            return [(f"{self.layer}.tif", parts)]
        return [(f"{self.layer}/{'_'.join(part.values())}_mean.tif", [part]) for part in parts]

    def about(self, year: int | None) -> dict[str, str]:
        """Title, licence, attribution, home page and key in ``sources.bib`` of the layer of this year."""
        rows = [r for r in records("data_products") if r["product"] == self.name and r["year"] in ("", str(year))]
        row = rows[0]
        kept = ("title", "licence", "attribution", "home", "source")
        return {k: row[k].replace("{year}", str(year)) for k in kept}


@lru_cache(maxsize=1)
def products() -> Mapping[str, Product]:
    """Every layer by name, at its own address."""
    raw = tomllib.loads(files("pipelines.fetch").joinpath("layers.toml").read_text(encoding="utf-8"))
    return {name: Product(name=name, **{**row, "piece": tuple(row["piece"])}) for name, row in raw.items()}


def left_out() -> list[dict[str, str]]:
    """What was looked at and is not fetched, and why."""
    text = files("pipelines.fetch").joinpath("left_out.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def chosen(names: Iterable[str] | None, mirrors: Mapping[str, str] | None = None) -> list[Product]:
    """The products asked for, by product, group or layer name (then the usual one); the usual ones where nothing is asked.

    mirrors : base address by product, before the environment's. Raises InputError for names that are not known and for two
    products of one layer.
    """
    known = products()
    asked = (
        [n for name in names for n in _members(name, known)] if names else [p.name for p in known.values() if p.default]
    )
    found: dict[str, Product] = {}
    for name in asked:
        one = known.get(name) or next((p for p in known.values() if p.layer == name), None)
        if one is None:
            raise InputError(
                f"--layers has '{name}'{_hint(name, known)}; 'sinks fetch --list' shows what can be fetched"
            )
        if one.layer in found and found[one.layer] is not one:
            raise InputError(
                f"--layers asks for {found[one.layer].name} and {one.name}, both the layer {one.layer}; choose one of them"
            )
        found[one.layer] = one
    if "landcover" not in found:
        raise InputError("--layers has no land cover, without which nothing can be assessed; add worldcover")
    return [_placed(p, mirrors or {}) for p in found.values()]


def parse_mirrors(pairs: Sequence[str]) -> dict[str, str]:
    """``NAME=URL`` pairs as a mapping. Raises InputError for a product that is not known."""
    found = {}
    for pair in pairs:
        name, equals, url = pair.partition("=")
        if not equals or not url:
            raise InputError(
                f"--mirror is '{pair}'; write PRODUCT=URL, e.g. --mirror worldcover=https://data.example.org/wc"
            )
        if name not in products():
            raise InputError(f"--mirror has '{name}'{_hint(name, products())}; 'sinks fetch --list' shows the products")
        found[name] = url
    return found


def _members(name: str, known: Mapping[str, Product]) -> list[str]:
    """The products of a group, or the name itself."""
    return [p.name for p in known.values() if p.group == name] or [name]


def _placed(one: Product, mirrors: Mapping[str, str]) -> Product:
    base = mirrors.get(one.name) or os.environ.get(_MIRROR + one.name.upper()) or one.base
    return replace(one, base=base.rstrip("/"))


def _hint(name: str, known: Mapping[str, Product]) -> str:
    close = difflib.get_close_matches(name, [*known, *(p.layer for p in known.values())], n=1)
    return f", which is no product or layer{f' (did you mean {close[0]!r}?)' if close else ''}"
