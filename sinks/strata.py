"""From equations to straight pieces: what the pass over pixels looks up.

Within a stratum the coefficients are fixed, and between its breaks every equation is a straight line in the layers'
values. The pieces are found by evaluating the ecosystem's own equations, so there is no second copy of the science; an
equation that is not straight between its breaks is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks import conversion, ecosystems
from sinks.parameters import ParameterSet
from sinks.plug import BIOMASS_KINDS, Coefficients, Ecosystem, Options, Stratum
from sinks.quantities import KEYS, SOIL, SUMS

ERROR_OF = "se_"
SD = "agb_sd"
"""Prefix of a quantity's standard error, and the term that it comes from: the last one."""

_PLACE: Final = {key: n for n, key in enumerate(KEYS)}
_STRAIGHT = 1e-9
"""Largest deviation from a straight line that counts as rounding, relative to the quantity."""


@dataclass(frozen=True)
class Converted:
    """Soil of converted land: the stratum as it was, its pieces, and the factors of both land uses (``sinks.conversion``)."""

    stratum: Stratum
    pieces: Pieces
    ratio: Coefficients


@dataclass(frozen=True)
class Pieces:
    """The straight pieces of one stratum.

    edges : upper ends of all pieces but the last, rising, of the biomass layer's value; a piece owns its upper end;
    lines : (pieces, quantities, 1 + terms): constant and slope per term; NaN constant where the quantity has no value;
    coefficients : what they were made from, for citation; plugs : the ecosystem and overlays that gave them;
    terms : names of the terms, the biomass layer first where there is one; knows_sd : whether its deviation is known;
    converted : where the soil is that of another land use before, times a ratio.
    """

    edges: NDArray[np.float64]
    lines: NDArray[np.float64]
    coefficients: tuple[Coefficients, ...]
    plugs: tuple[str, ...]
    terms: tuple[str, ...] = ()
    knows_sd: bool = False
    converted: Converted | None = None
    _asked: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def of(self, key: str) -> NDArray[np.float64]:
        """Lines (pieces, 1 + terms) of one quantity; those of a sum add up the parts that have a value.

        ``se_KEY`` is the standard error of a quantity by the biomass layer's: |slope| · its standard deviation.
        """
        if key not in self._asked:
            self._asked[key] = self._of(key)
        return self._asked[key]

    def _of(self, key: str) -> NDArray[np.float64]:
        if key.startswith(ERROR_OF):
            return self._error(key.removeprefix(ERROR_OF))
        if key not in SUMS:
            return self.lines[:, _PLACE[key]]
        parts = self.lines[:, [_PLACE[k] for k in SUMS[key]]]
        given = ~np.isnan(parts[:, :, 0])
        total = np.where(given[:, :, None], parts, 0.0).sum(axis=1)
        total[~given.any(axis=1)] = np.nan
        return total

    def _error(self, key: str) -> NDArray[np.float64]:
        """Slope on the standard deviation only; NaN where the biomass enters but its deviation is not known."""
        lines = self.of(key)
        found = np.where(np.isnan(lines[:, :1]), np.nan, np.zeros_like(lines))
        if self.terms and self.terms[0] in BIOMASS_KINDS:
            slope = np.abs(lines[:, 1])
            if self.knows_sd:
                found[:, -1] = np.where(np.isnan(lines[:, 0]), np.nan, slope)
            else:
                found[slope > 0] = np.nan
        return found


@dataclass(frozen=True)
class _Watched(Stratum):
    """A stratum that remembers which of its fields were read."""

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__(self, "__dict__")
        if name in own and "read by" in own:
            own["read by"].add(name)
        return object.__getattribute__(self, name)


@dataclass
class Memory:
    """What was compiled before. Strata by the thousand differ only in what a plug does not look at: its coefficients are
    resolved once for each combination of the fields that it has read, and lines and pieces once for each set of them."""

    coefficients: dict[str, dict[tuple[str, ...], dict[tuple[Any, ...], Coefficients]]] = field(default_factory=dict)
    lines: dict[tuple[Any, ...], dict[str, NDArray[np.float64]]] = field(default_factory=dict)
    pieces: dict[tuple[Any, ...], Pieces] = field(default_factory=dict)
    ratios: dict[tuple[Any, ...], Coefficients | None] = field(default_factory=dict)

    def resolve(self, plug: Ecosystem, stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
        """The plug's coefficients of a stratum."""
        known = self.coefficients.setdefault(plug.key, {})
        for names, by_value in list(known.items()):
            if (found := by_value.get(tuple(getattr(stratum, n) for n in names))) is not None:
                return found
        watched = _Watched(**{f.name: getattr(stratum, f.name) for f in fields(stratum)})
        read: set[str] = set()
        watched.__dict__["read by"] = read
        found = plug.coefficients(watched, parameters, options)
        names = tuple(sorted(read))
        known.setdefault(names, {})[tuple(getattr(stratum, n) for n in names)] = found
        return found

    def ratio(self, stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients | None:
        """The factors of a converted stratum's soil, if it is one and has any."""
        if stratum.before is None:
            return None
        key = (stratum.before, stratum.cover, stratum.climate, stratum.soil, stratum.present)
        if key not in self.ratios:
            self.ratios[key] = conversion.soil_ratio(stratum, parameters, options)
        return self.ratios[key]

    def lines_of(
        self, plug: Ecosystem, c: Coefficients, present: Sequence[str], terms: Sequence[str], low: float, high: float
    ) -> dict[str, NDArray[np.float64]]:
        """The plug's lines in one interval of the biomass value."""
        key = (plug.key, id(c), tuple(present), low, high)  # what was resolved is kept, so its id is not given again
        if key not in self.lines:
            self.lines[key] = _lines(plug, c, present, terms, low, high)
        return self.lines[key]


def compile_stratum(
    stratum: Stratum,
    terms: Sequence[str],
    parameters: ParameterSet,
    options: Options,
    plug: Ecosystem | None = None,
    memory: Memory | None = None,
) -> Pieces:
    """The pieces of a stratum: its ecosystem's, with the overlays' added.

    terms : names of the layers whose values enter, the biomass layer (if any) first;
    plug : the ecosystem to use, by default the one that counts the stratum's cover;
    memory : of one set of terms, parameters and options.
    Raises InputError when a coefficient is missing, ValueError when two plugs claim one quantity or a line is not straight.
    """
    memory = memory or Memory()
    own = plug or ecosystems.plug_of(stratum.cover.ecosystem)
    plugs = [own, *(overlay for overlay in ecosystems.plugs().values() if overlay.overlay)]
    parts = [(part, memory.resolve(part, stratum, parameters, options)) for part in plugs]
    present = [t for t in terms if t in stratum.present]
    ratio, was = memory.ratio(stratum, parameters, options), None
    if ratio is not None:
        before = conversion.before(stratum)
        was = Converted(before, compile_stratum(before, terms, parameters, options, None, memory), ratio)
    # What was resolved is kept: see ``lines_of``.
    alike = (own.key, tuple(id(c) for _, c in parts), tuple(present), id(ratio), was and id(was.pieces))
    if alike in memory.pieces:
        return memory.pieces[alike]
    edges = _edges([edge for part, c in parts for edge in part.breaks(c, options)])
    lines = np.full((len(edges) + 1, len(KEYS), 1 + len(terms)), np.nan)
    for part, c in parts:
        for piece, (low, high) in enumerate(_intervals(edges)):
            for key, line in memory.lines_of(part, c, present, terms, low, high).items():
                slot = lines[piece, _PLACE[key]]
                if not np.isnan(slot[0]):
                    raise ValueError(f"{part.key} yields {key}, which another ecosystem of the stratum yields already")
                slot[:] = line
    if was is not None:  # soil holds no biomass: its line is the same in every piece
        soil = was.pieces.of(SOIL.key)[0]
        was = None if np.isnan(soil[0]) else was
        if was is not None:
            lines[:, _PLACE[SOIL.key]] = soil * float(conversion.ratio_of(was.ratio))
    names, known = tuple(part.key for part, _ in parts), SD in stratum.present
    memory.pieces[alike] = Pieces(edges, lines, tuple(c for _, c in parts), names, tuple(terms), known, was)
    return memory.pieces[alike]


def _edges(values: Sequence[float]) -> NDArray[np.float64]:
    """Sorted, distinct, finite and positive."""
    finite = np.asarray([v for v in values if np.isfinite(v) and v > 0], dtype=np.float64)
    return np.unique(finite)


def _intervals(edges: NDArray[np.float64]) -> list[tuple[float, float]]:
    ends = [0.0, *edges.tolist()]
    return [*pairwise(ends), (ends[-1], ends[-1] + 1000.0)]


def _lines(
    plug: Ecosystem, c: Coefficients, present: Sequence[str], terms: Sequence[str], low: float, high: float
) -> dict[str, NDArray[np.float64]]:
    """Constant and slopes of every quantity in one interval of the biomass value."""
    at = [low + (high - low) * part for part in (0.25, 0.75, 0.5)]
    has_biomass = bool(present) and present[0] in BIOMASS_KINDS

    def value(biomass: float, **others: float) -> Mapping[str, float]:
        given = {t: others.get(t, 0.0) for t in present}
        if has_biomass:
            given[present[0]] = biomass
        return {k: float(v) for k, v in plug.equations(given, c).items()}

    first, second, middle = (value(x) for x in at)
    found = {}
    for key in first:
        line = np.zeros(1 + len(terms))
        slope = (second[key] - first[key]) / (at[1] - at[0])
        scale = max(abs(first[key]), abs(second[key]), 1e-12)
        if abs(middle[key] - (first[key] + second[key]) / 2) > _STRAIGHT * scale:
            raise ValueError(f"{plug.key}: {key} is not straight between {low:g} and {high:g}")
        constant = first[key] - slope * at[0]
        line[0] = 0.0 if abs(constant) <= 1e-13 * scale else constant
        if has_biomass:
            line[1 + terms.index(present[0])] = slope
        for term in present[1:] if has_biomass else present:
            line[1 + terms.index(term)] = value(at[0], **{term: 1.0})[key] - first[key]
        found[key] = line
    return found


def blank(terms: Sequence[str]) -> Pieces:
    """The pieces of what is no ecosystem: one piece, no quantity."""
    return Pieces(np.zeros(0), np.full((1, len(KEYS), 1 + len(terms)), np.nan), (), ())
