"""The science of one run: which parameter set, which choices, which coding; it compiles strata and remembers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sinks import ecosystems, onepass
from sinks.coding import NODATA, UNKNOWN, Coding
from sinks.ecosystems.forest import leaf_type
from sinks.parameters import Coefficient, ParameterSet
from sinks.plug import Cover, Ecosystem, Options, Stratum
from sinks.strata import Memory, Pieces, blank, compile_stratum

NODATA_CODE = 0
UNKNOWN_CODE = 250
"""Values of the ecosystem map that are no ecosystem."""


@dataclass(frozen=True)
class Science:
    """Everything that decides what a pixel is worth; picklable.

    lookup : an InVEST user's own table stands in for every ecosystem's equations when given.
    """

    coding: Coding
    parameters: ParameterSet
    options: Options
    lookup: Ecosystem | None = None
    _pieces: dict[int, Pieces] = field(default_factory=dict, compare=False, repr=False)
    _memory: Memory = field(default_factory=Memory, compare=False, repr=False)
    _classes_of: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in self.__dict__.items() if k in ("coding", "parameters", "options", "lookup")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _pieces={}, _memory=Memory(), _classes_of={})

    def pieces(self, code: int) -> Pieces:
        """The pieces of a stratum code. Raises InputError naming a missing coefficient."""
        if code not in self._pieces:
            stratum = self.coding.stratum(code)
            if is_no_ecosystem(stratum):
                self._pieces[code] = blank(self.coding.terms)
            else:
                self._pieces[code] = compile_stratum(
                    stratum, self.coding.terms, self.parameters, self.options, self.lookup, self._memory
                )
        return self._pieces[code]

    def compiled(self) -> list[int]:
        """Codes whose pieces have been asked for so far."""
        return sorted(self._pieces)

    def strata(self, codes: NDArray[np.int64], request: onepass.MapRequest) -> onepass.Strata:
        """The pieces of some codes, stacked for the pass."""
        return onepass.stack([self.pieces(code) for code in codes.tolist()], request)

    def ecosystem_codes(self, codes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Value of the ecosystem map for each code."""
        for code in codes.tolist():
            if code not in self._classes_of:
                self._classes_of[code] = self.ecosystem_code(self.coding.stratum(code).cover)
        return np.asarray([self._classes_of[code] for code in codes.tolist()], dtype=np.uint8)

    def ecosystem_code(self, cover: Cover) -> int:
        """Value of the ecosystem map for a cover."""
        if cover == NODATA:
            return NODATA_CODE
        return self._class_codes.get(map_class(cover), UNKNOWN_CODE)

    @cached_property
    def _class_codes(self) -> dict[tuple[str, str], int]:
        return {key: c.code for key, c in ecosystems.classes().items()}

    def citations(self, codes: Sequence[int]) -> list[Coefficient]:
        """Every coefficient that these strata use, once each."""
        seen: dict[tuple[str, str, float], Coefficient] = {}
        for code in codes:
            pieces = self.pieces(int(code))
            was = pieces.converted
            for coefficients in (*pieces.coefficients, *((was.ratio, *was.pieces.coefficients) if was else ())):
                for c in coefficients.values.values():
                    seen.setdefault((c.name, c.where, c.value), c)
        return list(seen.values())


def is_no_ecosystem(stratum: Stratum) -> bool:
    """No data here, or a value that the legend does not know."""
    return stratum.cover in (NODATA, UNKNOWN)


def map_class(cover: Cover) -> tuple[str, str]:
    """(ecosystem, forest type) as the map and the account name them: a species goes to its leaf type."""
    if cover.ecosystem == "forest" and ("forest", cover.forest_type) not in ecosystems.classes():
        return "forest", leaf_type(cover.forest_type)
    return (cover.ecosystem, cover.forest_type) if cover.ecosystem == "forest" else (cover.ecosystem, "")
