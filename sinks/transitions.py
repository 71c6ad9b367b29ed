"""From one epoch to the next: what became of every pixel, what that is called, and which pools both epochs tell.

A *place* is a region × class before × class after × fate × pools known at both epochs. Sums over places are sums over
whole pixels, so stocks at two epochs on the same places give every transition, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from sinks import ecosystems
from sinks.coding import number
from sinks.onepass import NODATA_FLOAT
from sinks.parameters import records
from sinks.quantities import POOL_KEYS, VOLUME

COMPARED: Final = (*POOL_KEYS, VOLUME.key)
"""Stocks that are compared, in the order of the bits that say which are known at both epochs."""
N_POOLS: Final = len(POOL_KEYS)

FATES: Final = ("none", "gain", "loss", "gain_within_noise", "loss_within_noise")
NONE, GAIN, LOSS, GAIN_NOISE, LOSS_NOISE = range(5)
"""What became of a pixel's carbon: the sign of the change of all pools that both epochs tell, and whether the biomass changed
by more than its errors explain; where no errors are known every change counts as beyond the noise."""

REFORESTATION: Final = "reforestation"
_WETLANDS: Final = ("inland_wetland", "salt_marsh", "seagrass")
_LEAST: Final = 1e-3
"""Change [Mg C ha⁻¹] up to which carbon in 32 bits is the same."""

_FATE_BITS, _KNOWN_BITS, _CLASS_BITS = 3, len(COMPARED), 8
_HISTORY_BITS: Final = 1


@dataclass(frozen=True)
class Process:
    """One named process. code : its value in the map; color : #rrggbb."""

    code: int
    key: str
    name_en: str
    name_zh: str
    color: str


@cache
def processes() -> dict[str, Process]:
    """Every process by key, in the order of the map's codes."""
    rows = records("processes")
    return {r["key"]: Process(int(r["code"]), r["key"], r["name_en"], r["name_zh"], r["color"]) for r in rows}


def _group(ecosystem: str) -> str:
    return "wetland" if ecosystem in _WETLANDS else ecosystem


@cache
def process_of(before: str, after: str, fate: int, was_forest: bool = False) -> str:
    """Name of a transition.

    before, after : ecosystems; fate : of ``FATES``; was_forest : whether an epoch before the two shows forest.
    Source: ``sinks/tables/process_rules.csv``, first match wins; land that stays in its class is named by its fate.
    """
    if before == after:
        if fate not in (GAIN, LOSS):
            return "stable" if fate == NONE else "within_noise"
        names = ("enhancement", "degradation") if before == "forest" else ("stock_gain", "stock_loss")
        return names[fate == LOSS]
    if _group(before) == _group(after):
        return "other_change"
    for rule in records("process_rules"):
        if rule["from"] in ("any", _group(before)) and rule["to"] in ("any", _group(after)):
            found = rule["process"]
            return REFORESTATION if was_forest and found in ("afforestation", "grain_for_green") else found
    raise ValueError(f"no rule names the change from {before} to {after}")


@cache
def absent_pools(ecosystem: str) -> frozenset[str]:
    """Stocks that a class does not have: zero, not unknown. Source: ``sinks/tables/absent_pools.csv``."""
    return frozenset(p for r in records("absent_pools") if r["ecosystem"] == ecosystem for p in r["pools"].split(";"))


@cache
def _absent_bits() -> NDArray[np.uint8]:
    """Bits of ``COMPARED`` that are zero by class code."""
    bits = np.zeros(256, np.uint8)
    for (ecosystem, _), c in ecosystems.classes().items():
        bits[c.code] = sum(1 << k for k, key in enumerate(COMPARED) if key in absent_pools(ecosystem))
    return bits


# ------------------------------------------------------------------------------------------ pixels


@dataclass(frozen=True)
class Compared:
    """Two epochs of a block beside each other.

    fate : of ``FATES``; opening, closing : bits of ``COMPARED`` that either tells; change : of the pools that both tell
    [Mg C ha⁻¹], NODATA where there is none.
    """

    fate: NDArray[np.uint8]
    opening: NDArray[np.uint8]
    closing: NDArray[np.uint8]
    change: NDArray[np.float32]


def compare(
    stocks: tuple[NDArray[np.float32], NDArray[np.float32]],
    classes: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    certain: NDArray[np.bool_] | None = None,
) -> Compared:
    """What became of every pixel.

    stocks : (len(COMPARED), h, w) of either epoch, NODATA_FLOAT where not estimated; classes : codes of the class map (h, w);
    certain : where the change of biomass is beyond its errors, None where nothing is known of them. A pixel that changed its
    class is never noise by its biomass.
    """
    shape = classes[0].shape
    fate, opening, closing = np.zeros((3, *shape), np.uint8)
    found = Compared(fate, opening, closing, np.empty(shape, np.float32))
    sure = np.ones((1, 1), np.bool_) if certain is None else certain
    _compare(*stocks, *classes, _absent_bits(), sure, certain is not None, fate, opening, closing, found.change)
    return found


@numba.njit(nogil=True, cache=True)
def _compare(
    one: NDArray[np.float32],
    two: NDArray[np.float32],
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    absent: NDArray[np.uint8],
    certain: NDArray[np.bool_],
    judged: bool,
    fate: NDArray[np.uint8],
    opening: NDArray[np.uint8],
    closing: NDArray[np.uint8],
    change: NDArray[np.float32],
) -> None:
    for i in range(before.shape[0]):
        for j in range(before.shape[1]):
            c, d = before[i, j], after[i, j]
            change[i, j] = NODATA_FLOAT
            bits_x = absent[c]
            bits_y = absent[d]
            total = 0.0
            for k in range(one.shape[0]):
                x, y = one[k, i, j], two[k, i, j]
                bit = np.uint8(1 << k)
                if x != NODATA_FLOAT:
                    bits_x |= bit
                if y != NODATA_FLOAT:
                    bits_y |= bit
                if k < N_POOLS and bits_x & bits_y & bit:
                    total += (np.float64(y) if y != NODATA_FLOAT else 0.0) - (
                        np.float64(x) if x != NODATA_FLOAT else 0.0
                    )
            opening[i, j] = bits_x
            closing[i, j] = bits_y
            if bits_x & bits_y & np.uint8((1 << N_POOLS) - 1) == 0:
                continue
            change[i, j] = total
            sure = not judged or c != d or certain[i, j]
            if total > _LEAST:
                fate[i, j] = GAIN if sure else GAIN_NOISE
            elif total < -_LEAST:
                fate[i, j] = LOSS if sure else LOSS_NOISE


def beyond_noise(
    biomass: tuple[NDArray, NDArray], deviation: tuple[NDArray, NDArray], correlation: float, z: float
) -> NDArray[np.bool_]:
    """Where a change of biomass is beyond its errors: |x₂ − x₁| ≥ z · √(s₁² + s₂² − 2 r s₁ s₂).

    biomass, deviation : of either epoch, in one unit, NaN where unknown; correlation : r, of the two maps' errors at one
    place. A change whose errors are not known is not beyond them.
    Source: JCGM 100:2008 (GUM), eq. 16, for a difference of two correlated quantities.
    """
    (x, y), (s, t) = biomass, deviation
    variance = s.astype(np.float64) ** 2 + t.astype(np.float64) ** 2 - 2 * correlation * s.astype(np.float64) * t
    return np.abs(y.astype(np.float64) - x) >= z * np.sqrt(np.maximum(variance, 0.0))


# ------------------------------------------------------------------------------------------ places


@dataclass(frozen=True)
class Place:
    """What a place stands for. region : its number; before, after : class codes; was_forest : at an epoch before the two; fate,
    opening, closing : see ``Compared``."""

    region: int
    before: int
    after: int
    was_forest: bool
    fate: int
    opening: int
    closing: int


def place_of(key: int) -> Place:
    """What the key of a place says."""
    key, closing = divmod(int(key), 1 << _KNOWN_BITS)
    key, opening = divmod(key, 1 << _KNOWN_BITS)
    key, fate = divmod(key, 1 << _FATE_BITS)
    key, history = divmod(key, 1 << _HISTORY_BITS)
    key, after = divmod(key, 1 << _CLASS_BITS)
    region, before = divmod(key, 1 << _CLASS_BITS)
    return Place(region, before, after, bool(history), fate, opening, closing)


def places(
    region: NDArray[np.int32],
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    compared: Compared,
    was_forest: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The place of every pixel in small numbers of the block, and the key of each (see ``place_of``)."""
    history = np.zeros((1, 1), np.uint8) if was_forest is None else was_forest.view(np.uint8)
    bits = (_CLASS_BITS, _CLASS_BITS, _HISTORY_BITS, _FATE_BITS, _KNOWN_BITS, _KNOWN_BITS)
    packed = number(
        region.astype(np.int32),  # a copy, which is numbered in place
        (before, after, history, compared.fate, compared.opening, compared.closing),
        [1 << b for b in bits],
    )
    meaning = packed.meaning(np.arange(int(packed.code.max(initial=-1)) + 1))
    return packed.code, meaning


def process_codes(keys: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Code of the process map for the keys of places, 0 where an epoch has no class."""
    names, known = class_names(), processes()
    found = np.zeros(keys.size, np.uint8)
    for n, key in enumerate(keys.tolist()):
        p = place_of(key)
        if p.before in names and p.after in names:
            found[n] = known[process_of(names[p.before][0], names[p.after][0], p.fate, p.was_forest)].code
    return found


def forest_of(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a class map has forest."""
    forest = np.zeros(256, bool)
    forest[[code for code, (ecosystem, _) in class_names().items() if ecosystem == "forest"]] = True
    return forest[classes]


def class_names() -> Mapping[int, tuple[str, str]]:
    """(ecosystem, forest type) of every class code."""
    return {c.code: key for key, c in ecosystems.classes().items()}
