"""How sure the account is of its coefficients: one error per coefficient, shared by every pixel that uses it.

A coefficient's error does not average out over pixels or regions; it is drawn once and moves all of them together. Both of
IPCC's approaches work on the account's sums, so no pixel is touched again [IPCC 2006, Vol. 1, Ch. 3]:

* approach 1, propagation: Var(T) = Σⱼ (∂T/∂θⱼ)² sdⱼ² over independent coefficients θⱼ (eq. 3.1 and 3.2 in their general form);
* approach 2, Monte Carlo: the ecosystems' own equations are evaluated for every draw of every coefficient.

The standard deviation of a coefficient is its published 95 % interval / 3.92, else the relative one of
``tables/uncertainty.csv``; what has neither counts as exact and is named. Class edges and constants of nature are exact.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks import ecosystems
from sinks.conversion import ratio_of
from sinks.growingstock import VolumeCurve
from sinks.parameters import Coefficient, records
from sinks.plug import BIOMASS_KINDS, Coefficients, Stratum
from sinks.quantities import KEYS, SOIL

Array = Any

_WIDTH: Final = 2 * 1.959963984540054
"""A 95 % interval in standard deviations."""
_BARE: Final = ("soc", "soc_deep", "soc_frozen", "weathering", "agb_sd")
"""Values that enter the equations as they are, multiplied by no coefficient."""
_EXACT: Final = ("root_shoot_edge", "cbef_chord_volume", "foliage_fraction", "depth_beta", "agb_full_grown")
"""Coefficients that are no measurements: class edges and choices."""


@dataclass(frozen=True)
class Spread:
    """How a coefficient varies. key : what shares one draw; sd : in its unit; distribution : normal or lognormal."""

    key: str
    sd: float
    distribution: str


@lru_cache(maxsize=1)
def _defaults() -> Mapping[str, Mapping[str, str]]:
    return {row["coefficient"]: row for row in records("uncertainty")}


@lru_cache(maxsize=65536)
def spread_of(c: Coefficient) -> Spread | None:
    """The spread of a coefficient, or None where it is exact or nothing is known of its error."""
    if c.name in _EXACT or c.value == 0:
        return None
    default = _defaults().get(c.name)
    group = default["group"] if default else ""
    place = "" if group else c.where
    if group in ("cbef", "bcef"):  # one factor a forest type, or a zone, for all its rows
        place = ", ".join(part for part in c.where.split(", ") if not part.startswith(("volume_", "parameter")))
    key = f"{group or c.name}|{place}"
    if not math.isnan(c.low) and not math.isnan(c.high) and c.high > c.low and not group:
        sd = (c.high - c.low) / _WIDTH
    elif default is not None:
        sd = float(default["value"]) * abs(c.value)
    elif not math.isnan(c.low) and not math.isnan(c.high) and c.high > c.low:
        sd = (c.high - c.low) / _WIDTH
    else:
        return None
    signed = c.low < 0 < c.high or c.value < 0
    return Spread(key, sd, "normal" if signed else default["distribution"] if default else "lognormal")


def draw(c: Coefficient, spread: Spread, standard: Array, linear: bool = False) -> Array:
    """Values of a coefficient for standard normal deviates; a lognormal keeps mean and standard deviation.

    linear : as propagation takes it, whatever the distribution: mean + sd · deviate.
    """
    if linear or spread.distribution == "normal":
        return c.value + spread.sd * standard
    sigma2 = math.log1p((spread.sd / c.value) ** 2)
    return c.value * np.exp(math.sqrt(sigma2) * standard - sigma2 / 2)


def deviates(key: str, seed: int, draws: int) -> NDArray[np.float64]:
    """Standard normal deviates of one key: the same for a seed, whatever else is drawn and in whatever order."""
    digest = hashlib.sha256(f"{seed}|{key}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little"))).standard_normal(draws)


@dataclass(frozen=True)
class _Varied(Coefficients):
    """Coefficients some of which are arrays: what the equations see in place of single numbers."""

    varied: Mapping[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.varied[name] if name in self.varied else self.values[name].value

    def series(self, stem: str) -> tuple[Any, ...]:
        found: list[Any] = []
        while f"{stem}_{len(found)}" in self.values:
            found.append(self[f"{stem}_{len(found)}"])
        return tuple(found)


@dataclass(frozen=True)
class _Scaled:
    """A volume curve whose BCEFs are all multiplied by a factor."""

    curve: VolumeCurve
    factor: Array

    def volume_of(self, agb: Array) -> Array:
        return self.curve.volume_of(agb / self.factor)

    def agb_of(self, volume: Array) -> Array:
        return self.curve.agb_of(volume) * self.factor


def _vary(c: Coefficients, standard: Mapping[str, Array], linear: bool) -> _Varied:
    """These coefficients with the deviates of their keys put in; a key that is missing leaves its coefficients exact."""
    varied = {}
    factor: Array = None
    for name, coefficient in c.values.items():
        spread = spread_of(coefficient)
        if spread is None or spread.key not in standard:
            continue
        varied[name] = draw(coefficient, spread, standard[spread.key], linear)
        if coefficient.name == "bcef_s":
            factor = varied.pop(name) / coefficient.value
    curve: Any = c.curve if factor is None or c.curve is None else _Scaled(c.curve, factor)
    return _Varied(c.values, curve, c.method, varied)


@dataclass(frozen=True)
class Piece:
    """One straight piece of a stratum, ready to be evaluated again for other coefficients.

    stratum; coefficients : by plug, in the order of ``plugs``; low, high : the biomass interval of the piece;
    converted : the piece that the soil was before a change of land use, and the factors of both (``sinks.conversion``).
    """

    stratum: Stratum
    plugs: tuple[str, ...]
    coefficients: tuple[Coefficients, ...]
    low: float
    high: float
    converted: tuple[Piece, Coefficients] | None = None

    def same(self) -> tuple[Any, ...]:
        """What decides the piece's lines: pieces that agree in it are one."""
        parts = tuple(
            (plug, c.method, id(c.curve) if c.curve is None else (c.curve.volume, c.curve.agb),
             tuple((n, v.name, v.where, v.value) for n, v in c.values.items()))
            for plug, c in zip(self.plugs, self.coefficients, strict=True)
        )  # fmt: skip
        was = None if self.converted is None else (self.converted[0].same(), id(self.converted[1]))
        return (parts, self.low, self.high, self.stratum.present, was)

    def drawn(self) -> set[str]:
        """What is drawn for this piece."""
        own = self.coefficients if self.converted is None else (*self.coefficients, self.converted[1])
        every = (c for part in own for c in part.values.values())
        found = {s.key for s in map(spread_of, every) if s is not None}
        return found if self.converted is None else found | self.converted[0].drawn()

    def lines(
        self, terms: Sequence[str], standard: Mapping[str, Array], linear: bool = False
    ) -> dict[str, list[Array]]:
        """Constant and slopes (1 + terms) of every quantity for these deviates, by quantity; broadcast over draws."""
        present = [t for t in terms if t in self.stratum.present]
        biomass = bool(present) and present[0] in BIOMASS_KINDS
        others = present[1:] if biomass else present
        x0, x1 = self.low + 0.25 * (self.high - self.low), self.low + 0.75 * (self.high - self.low)
        found: dict[str, list[Array]] = {}
        for key, part in zip(self.plugs, self.coefficients, strict=True):
            plug = ecosystems.plugs()[key]
            varied: Coefficients = _vary(part, standard, linear)

            def value(c: Coefficients, x: float, plug: Any = plug, **more: float) -> Mapping[str, Array]:
                given = {t: more.get(t, 0.0) for t in present}
                if biomass:
                    given[present[0]] = x
                return plug.equations(given, c)

            at0 = value(varied, x0)
            if not at0:
                continue
            at1 = value(varied, x1) if biomass else at0
            still = value(part, x0)
            moved = {t: value(part if t in _BARE else varied, x0, **{t: 1.0}) for t in others}
            for quantity, first in at0.items():
                line: list[Array] = [0.0] * (1 + len(terms))
                slope = (at1[quantity] - first) / (x1 - x0) if biomass else 0.0
                line[0] = first - slope * x0
                if biomass:
                    line[1 + terms.index(present[0])] = slope
                for t, after in moved.items():
                    line[1 + terms.index(t)] = after[quantity] - (still if t in _BARE else at0)[quantity]
                found[quantity] = line
        if self.converted is not None:
            was, factors = self.converted
            ratio = ratio_of(_vary(factors, standard, linear))
            found[SOIL.key] = [ratio * part for part in was.lines(terms, standard, linear)[SOIL.key]]
        return found


def unknown_errors(coefficients: Sequence[Coefficient]) -> list[Coefficient]:
    """Coefficients of which nothing is known of the error: they count as exact."""
    return [c for c in coefficients if c.value != 0 and c.name not in _EXACT and spread_of(c) is None]


# ---------------------------------------------------------------------------- on sums


@dataclass(frozen=True)
class Sensitivity:
    """∂/∂z of the lines of some pieces for one key's deviate z, at its mean. key; by piece: quantity → line (1 + terms)."""

    key: str
    lines: Mapping[int, Mapping[str, NDArray[np.float64]]]


_STEP: Final = 0.05
"""Step of a central difference, in standard deviations."""


def sensitivities(pieces: Sequence[Piece], terms: Sequence[str]) -> list[Sensitivity]:
    """How every piece's lines move with every key: approach 1 needs nothing else."""
    using: dict[str, list[int]] = {}
    for n, piece in enumerate(pieces):
        for key in piece.drawn():
            using.setdefault(key, []).append(n)
    found = []
    for key in sorted(using):
        lines = {}
        for n in using[key]:
            up, down = (pieces[n].lines(terms, {key: sign * _STEP}, linear=True) for sign in (1.0, -1.0))
            lines[n] = {
                q: np.asarray([(float(a) - float(b)) / (2 * _STEP) for a, b in zip(up[q], down[q], strict=True)])
                for q in up
                if q in KEYS
            }
        found.append(Sensitivity(key, lines))
    return found


def drawn_lines(
    pieces: Sequence[Piece], terms: Sequence[str], seed: int, draws: int, chunk: int = 2000
) -> Iterator[tuple[slice, Iterator[dict[str, list[Array]]]]]:
    """Lines of every piece, one after the other, for chunks of draws: which draws, and the pieces' ``Piece.lines``."""
    keys = [sorted(piece.drawn()) for piece in pieces]
    every = {key: deviates(key, seed, draws) for key in sorted(set().union(*keys))}
    for start in range(0, draws, chunk):
        at = slice(start, min(draws, start + chunk))
        standard = {key: z[at] for key, z in every.items()}
        yield at, (p.lines(terms, {k: standard[k] for k in own}) for p, own in zip(pieces, keys, strict=True))
