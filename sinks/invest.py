"""InVEST's table of carbon pools, read as it is and used in place of every ecosystem's equations.

The table has one row per land-cover code: ``lucode, C_above, C_below, C_soil, C_dead`` in Mg C ha⁻¹ (Natural Capital
Project, InVEST User's Guide, Carbon Storage and Sequestration). Columns may come in any order and case; others, such as
``LULC_name``, are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sinks.errors import InputError
from sinks.parameters import USER_SCHEME, Coefficient, ParameterSet, read_cells
from sinks.plug import Coefficients, Ecosystem, Options, Stratum
from sinks.units import MG_C_PER_HA

Array = Any

_CODE: Final = "lucode"
_POOLS: Final = {
    "c_above": "carbon_agb",
    "c_below": "carbon_bgb",
    "c_soil": "carbon_soil",
    "c_dead": "carbon_deadwood",
}
"""InVEST's column in lower case → pool of the account. Dead matter of all kinds is counted as dead wood."""


@dataclass(frozen=True)
class InvestPools:
    """A table of carbon pools. name : the file, for messages; pools : per land-cover code, coefficient by pool key."""

    name: str
    pools: Mapping[str, Mapping[str, Coefficient]]

    def codes(self) -> tuple[int, ...]:
        """Land-cover codes of the table."""
        return tuple(int(code) for code in self.pools)

    def plug(self) -> Ecosystem:
        """An ecosystem whose coefficients are the row of the stratum's land-cover code, for every class of the map."""
        return Ecosystem(
            key="invest",
            name_en="InVEST carbon pools",
            name_zh="InVEST 碳库表",
            classes=(),
            coefficients=self.coefficients,
            equations=equations,
            about=f"Carbon pools per land-cover code from {self.name}; no biomass or soil layer is used.",
        )

    def coefficients(self, stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
        """The row of the stratum's land-cover code. Raises InputError naming a code that the table lacks."""
        code = stratum.cover.code
        if code not in self.pools:
            raise InputError(f"land-cover code {code or '(blank)'} is not in {self.name}; add a row for it")
        return Coefficients(self.pools[code], method=f"pools of land-cover code {code}")


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """The pools of the row [Mg C ha⁻¹], whatever the layers hold."""
    return {pool: c[pool] for pool in _POOLS.values()}


def read_pools(text: str, name: str) -> InvestPools:
    """Read InVEST's carbon pool CSV.

    text : of the file; name : the file's, for messages. Raises InputError naming row and column of a cell that is
    blank, negative or not a number, of a code given twice, and of a missing column.
    """
    columns, rows = read_cells(text, name)
    header = [c.lower() for c in columns]
    needed = (_CODE, *_POOLS)
    missing = [column for column in needed if column not in header]
    if missing:
        raise InputError(
            f"{name}: the carbon pool table lacks the column(s) {', '.join(missing)}; "
            f"InVEST's table has {', '.join(needed)}, and this has {', '.join(header) or 'nothing'}"
        )
    if twice := sorted({column for column in needed if header.count(column) > 1}):
        raise InputError(f"{name}: the column(s) {', '.join(twice)} occur twice; keep one of each")
    pools: dict[str, dict[str, Coefficient]] = {}
    for line, row in rows:
        cells = {column.lower(): cell for column, cell in row.items()}
        place = f"{name}, row {line}"
        code = _code(cells.get(_CODE, ""), place)
        if code in pools:
            raise InputError(f"{place}: {_CODE} {code} was given in an earlier row already; keep one of the two")
        pools[code] = {pool: _pool(cells.get(column, ""), column, pool, name, place) for column, pool in _POOLS.items()}
    if not pools:
        raise InputError(f"{name}: the carbon pool table has no rows; give one per land-cover code")
    return InvestPools(name, pools)


def _number(cell: str, column: str, place: str) -> float:
    if not cell:
        raise InputError(f"{place}: {column} is blank; give a number, 0 where there is none")
    try:
        number = float(cell)
    except ValueError:
        hint = "; write decimals with a point" if "," in cell else ""
        raise InputError(f"{place}: {column} is '{cell}', which is not a number{hint}") from None
    if not math.isfinite(number):
        raise InputError(f"{place}: {column} is '{cell}', which is not a finite number")
    return number


def _code(cell: str, place: str) -> str:
    number = _number(cell, _CODE, place)
    if number != int(number):
        raise InputError(f"{place}: {_CODE} is '{cell}'; a land-cover code is a whole number")
    return str(int(number))


def _pool(cell: str, column: str, pool: str, name: str, place: str) -> Coefficient:
    value = _number(cell, column, place)
    if value < 0:
        raise InputError(f"{place}: {column} is {value:g}; a stock of carbon cannot be negative")
    return Coefficient(
        name=pool, value=value, unit=MG_C_PER_HA, source=USER_SCHEME, locator=f"{name}, {column}", status=USER_SCHEME,
        where=place.removeprefix(f"{name}, "),
    )  # fmt: skip
