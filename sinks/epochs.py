"""Change on xarray: assessments of two or more years on one grid, pixel by pixel.

``change`` gives the numbers of ``sinks change`` without a minimum patch: both compare epochs with ``sinks.transitions``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sinks import onepass, transitions
from sinks.changebudget import change_errors
from sinks.coding import BEFORE, Packed, before_dimension
from sinks.dataset import BLOCK, Assessment
from sinks.errors import InputError
from sinks.lattice import Stack
from sinks.ledger import Ledger
from sinks.onepass import NODATA_FLOAT, MapRequest
from sinks.quantities import TOTAL
from sinks.strata import SD
from sinks.sums import Sums, merge
from sinks.transitions import COMPARED, Compared

_STOCKS = MapRequest(COMPARED, (0.0,) * len(COMPARED))
_NO_MAPS = MapRequest((), ())


@dataclass(frozen=True)
class Change:
    """What :func:`change` gives back. Nothing is computed before it is asked for.

    epochs : assessments by year, in the order of time; z : deviates that a change of biomass must be beyond its errors, where
    both epochs have them; correlation : of the two maps' errors at one place.
    """

    epochs: Mapping[int, Assessment]
    z: float
    correlation: float

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(self.epochs)

    @cached_property
    def ledger(self) -> Ledger:
        """First epoch to last: transitions, balances, fluxes."""
        return self.ledger_of(self.years[0], self.years[-1])

    @cached_property
    def transitions(self) -> pd.DataFrame:
        """Area and stocks by region × class before × class after × process, first epoch to last."""
        return self.ledger.transitions

    @cached_property
    def errors(self) -> pd.DataFrame:
        """Change of every stock by region and process with its standard error by the coefficients, first epoch to last."""
        one, two = (self.epochs[y] for y in (self.years[0], self.years[-1]))
        return change_errors(self.ledger, self._sums(self.years[0], self.years[-1]), (one.science, two.science))

    def ledger_of(self, opening: int, closing: int) -> Ledger:
        """Two of the years. Raises InputError for a year that is not among the epochs."""
        for year in (opening, closing):
            if year not in self.epochs:
                raise InputError(f"there is no epoch {year}; known: {', '.join(map(str, self.years))}")
        one, two = self.epochs[opening], self.epochs[closing]
        return Ledger.build(self._sums(opening, closing), (one.science, two.science), one.regions, (opening, closing))

    @cached_property
    def maps(self) -> xr.Dataset:
        """Change of carbon [Mg C ha⁻¹, NaN where not both epochs tell it] and process, first epoch to last.

        Lazy if the inputs are.
        """
        one, two = (self.epochs[y] for y in (self.years[0], self.years[-1]))
        inputs = [a for e in (one, two) for a in (e.cover, e.latitude, *e.layers.values())]
        both = xr.apply_ufunc(
            self._map_values, *inputs, output_core_dims=[["map"]], dask="parallelized", output_dtypes=[np.float32],
            dask_gufunc_kwargs={"output_sizes": {"map": 2}},
        )  # fmt: skip
        carbon, process = both.isel(map=0, drop=True), both.isel(map=1, drop=True).astype(np.uint8)
        years = f"{self.years[0]}–{self.years[-1]}"
        carbon.attrs = {"units": TOTAL.unit, "long_name": f"Change of ecosystem carbon {years}, positive = gained",
                        "grid_mapping": "spatial_ref"}  # fmt: skip
        known = transitions.processes().values()
        process.attrs = {
            "units": "1", "long_name": f"What became of the land {years}",
            "flag_values": np.asarray([0, *(p.code for p in known)], np.uint8),
            "flag_meanings": " ".join(["no_data", *(p.key for p in known)]), "grid_mapping": "spatial_ref",
        }  # fmt: skip
        return xr.Dataset({"change_carbon_total": carbon, "process": process})

    # ------------------------------------------------------------------ blocks

    def _sums(self, opening: int, closing: int) -> tuple[Sums, Sums]:
        """Sums of two epochs by place."""
        pair = [self.epochs[y] for y in (opening, closing)]
        earlier = [e for y, e in self.epochs.items() if y < opening]
        found: tuple[list[Sums], list[Sums]] = ([], [])
        for at in _blocks(pair[0].cover.shape):
            blocks = [_Block.of(e, at, pair[0]) for e in pair]
            history = None
            for e in earlier:
                forest = transitions.forest_of(_Block.of(e, at, pair[0]).classes)
                history = forest if history is None else history | forest
            region = np.asarray(pair[0].zones[at].values, np.int32)
            area = np.ascontiguousarray(pair[0].area[at].values, np.float64)
            place, keys = transitions.places(
                region, blocks[0].classes, blocks[1].classes, self._compared(blocks[0], blocks[1]), history
            )
            for parts, block in zip(found, blocks, strict=True):
                seen = onepass.survey(block.packed, place, keys.size)
                strata = block.of_epoch.science.strata(seen.codes, _NO_MAPS)
                _, sums = onepass.run(block.packed.code, place, area, block.terms, strata, _NO_MAPS, seen)
                parts.append(replace(sums, region=keys[sums.region]))
        return merge(found[0]), merge(found[1])

    def _compared(self, one: _Block, two: _Block) -> Compared:
        certain = None
        if all(b.of_epoch.science.coding.terms[-1:] == (SD,) for b in (one, two)):
            biomass = one.terms.layer(0), two.terms.layer(0)
            deviation = one.terms.layer(len(one.terms) - 1), two.terms.layer(len(two.terms) - 1)
            certain = transitions.beyond_noise(biomass, deviation, self.correlation, self.z)
        return transitions.compare((one.stocks, two.stocks), (one.classes, two.classes), certain)

    def _map_values(self, *arrays: NDArray) -> NDArray[np.float32]:
        one, two = (self.epochs[y] for y in (self.years[0], self.years[-1]))
        n = 2 + len(one.layers)
        first = _Block.from_arrays(one, arrays[:n], None)
        blocks = first, _Block.from_arrays(two, arrays[n:], arrays[0])
        compared = self._compared(*blocks)
        region = np.ones(compared.fate.shape, np.int32)
        place, keys = transitions.places(region, blocks[0].classes, blocks[1].classes, compared)
        change = np.where(compared.change == NODATA_FLOAT, np.float32(np.nan), compared.change)
        return np.stack([change, transitions.process_codes(keys)[place].astype(np.float32)], axis=-1)


@dataclass(frozen=True)
class _Block:
    """One epoch of a block, walked."""

    of_epoch: Assessment
    packed: Packed
    terms: Stack
    stocks: NDArray[np.float32]
    classes: NDArray[np.uint8]

    @staticmethod
    def of(epoch: Assessment, at: tuple[slice, slice], first: Assessment) -> _Block:
        arrays = [np.asarray(a[at].values) for a in (epoch.cover, epoch.latitude, *epoch.layers.values())]
        return _Block.from_arrays(epoch, arrays, np.asarray(first.cover[at].values))

    @staticmethod
    def from_arrays(epoch: Assessment, arrays: list[NDArray] | tuple[NDArray, ...], first: NDArray | None) -> _Block:
        packed, terms = epoch.packed(*arrays, earlier=first)
        region, area = np.zeros(packed.code.shape, np.int32), np.ones((packed.code.shape[0], 1))
        seen = onepass.survey(packed, region, 1)
        strata = epoch.science.strata(seen.codes, _STOCKS)
        stocks, _ = onepass.run(packed.code, region, area, terms, strata, _STOCKS, seen)
        classes = epoch.science.ecosystem_codes(seen.codes)[seen.local_code][packed.code]
        return _Block(epoch, packed, terms, stocks, classes)


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for row in range(0, shape[0], BLOCK):
        for col in range(0, shape[1], BLOCK):
            yield slice(row, row + BLOCK), slice(col, col + BLOCK)


def change(
    epochs: Mapping[int, Assessment],
    *,
    confidence: float = 0.95,
    error_correlation: float = 0.0,
    soil_change: str = "factors",
) -> Change:
    """What changed between assessments (``sinks.assess``) of two or more years on one grid.

    epochs : by year; confidence : of a change of biomass beyond its errors, where both epochs have ``agb_sd``;
    error_correlation : of two epochs' errors at one place; soil_change : how the soil of land that changed its class is told,
    "factors" (the stock before × the ratio of the land uses' factors, IPCC eq. 2.25) or "class" (what the new class holds).
    Raises InputError when there are fewer than two years, or the epochs differ in grid, regions, legend, parameters or the
    layers that enter.
    """
    if len(epochs) < 2:
        raise InputError(f"a change takes two epochs or more, and {len(epochs)} are given")
    if soil_change not in ("factors", "class"):
        raise InputError(f"soil_change is '{soil_change}'; choose factors or class")
    ordered = dict(sorted(epochs.items()))
    first = next(iter(ordered.values()))
    for year, other in list(ordered.items())[1:]:
        _require_alike(first, other, year)
    if soil_change == "factors":
        asked = before_dimension(first.science.coding.covers)
        for year, other in list(ordered.items())[1:]:
            coding = other.science.coding
            if coding.dimensions[0].name != BEFORE:
                coding = replace(coding, dimensions=(asked, *coding.dimensions))
            ordered[year] = replace(other, science=replace(other.science, coding=coding))
    return Change(ordered, NormalDist().inv_cdf(0.5 + confidence / 2), error_correlation)


def _require_alike(one: Assessment, two: Assessment, year: int) -> None:
    if one.cover.shape != two.cover.shape or not all(
        np.array_equal(one.cover[d].values, two.cover[d].values) for d in one.cover.dims if d in one.cover.coords
    ):
        raise InputError(f"the epoch {year} does not lie on the grid of the first; align it first")
    pairs = {
        "legends": (one.science.coding.covers, two.science.coding.covers),
        "parameter sets": (one.science.parameters.name, two.science.parameters.name),
        "layers": (one.science.coding.terms, two.science.coding.terms),
        "regions": ([r.id for r in one.regions], [r.id for r in two.regions]),
    }
    if differ := [name for name, (a, b) in pairs.items() if a != b]:
        raise InputError(f"the epoch {year} and the first have different {' and '.join(differ)}; assess them alike")
