"""Every ecosystem, found by looking through this package: a module with a ``PLUG`` is one."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from sinks.plug import Ecosystem, EcosystemClass


@lru_cache(maxsize=1)
def plugs() -> dict[str, Ecosystem]:
    """The ecosystems and overlays by key, in the order of their map codes (overlays last)."""
    found: list[Ecosystem] = []
    for module in pkgutil.iter_modules(__path__):
        plug = getattr(importlib.import_module(f"{__name__}.{module.name}"), "PLUG", None)
        found.extend(plug if isinstance(plug, tuple) else () if plug is None else (plug,))
    found.sort(key=lambda plug: (plug.overlay, min((c.code for c in plug.classes), default=0), plug.key))
    return {plug.key: plug for plug in found}


@lru_cache(maxsize=1)
def classes() -> dict[tuple[str, str], EcosystemClass]:
    """Every class of the ecosystem map by (ecosystem, forest type)."""
    every = [c for plug in plugs().values() for c in plug.classes]
    codes = [c.code for c in every]
    if len(set(codes)) != len(codes):
        raise ValueError(f"two classes of the ecosystem map share a code: {sorted(codes)}")
    return {(c.ecosystem, c.forest_type): c for c in every}


def plug_of(ecosystem: str) -> Ecosystem:
    """The plug that counts this ecosystem. Raises KeyError for one that no plug has."""
    return next(p for p in plugs().values() if any(c.ecosystem == ecosystem for c in p.classes))
