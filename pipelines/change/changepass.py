"""One block of a change: every epoch read and walked once, then each pair of epochs on the same places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.assess import blockpass
from pipelines.assess.blockpass import BlockPlan, Prepared
from pipelines.inputs.grid import Block
from pipelines.outputs import maps
from sinks import crosscheck, errorcells, onepass, transitions
from sinks.coding import BEFORE
from sinks.onepass import NODATA_FLOAT, NODATA_UINT16, MapRequest
from sinks.patches import too_small
from sinks.quantities import TOTAL
from sinks.strata import SD
from sinks.sums import Sums, merge
from sinks.transitions import COMPARED, Compared
from sinks.units import M2_PER_HA

_STOCKS = MapRequest((*COMPARED, TOTAL.key), (0.0,) * (len(COMPARED) + 1))
_NO_MAPS = MapRequest((), ())


@dataclass(frozen=True)
class EpochMaps:
    """The maps of one epoch."""

    ecosystem: maps.MapSpec
    carbon: maps.MapSpec


@dataclass(frozen=True)
class ChangePlan:
    """Everything a worker needs; plain values, picklable.

    epochs : plans on one grid, in the order of time; pairs : epochs whose transitions are told, the last one first to last;
    patch : pixels of the smallest patch of changed class, 1 for no minimum; z : deviates by which a change of biomass must be
    beyond its errors; correlation : of two epochs' errors at one place; carbon_change, process : maps of the last pair.
    """

    epochs: tuple[BlockPlan, ...]
    pairs: tuple[tuple[int, int], ...]
    epoch_maps: tuple[EpochMaps, ...]
    carbon_change: maps.MapSpec
    process: maps.MapSpec
    patch: int
    z: float
    correlation: float
    shard_dir: str

    @property
    def halo(self) -> int:
        """Pixels around a block that decide about its patches: those of every epoch after the first reach further."""
        return (self.patch - 1) * (len(self.epochs) - 1) + max(e.patch for e in self.epochs) - 1


@dataclass(frozen=True)
class ChangePartial:
    """What one block, or several merged, amounts to.

    epochs : sums of every epoch by region; pairs : sums of the two epochs of every pair by place (its key in the place of the
    region); region_area : by region, summed another way [m²]; held : area [m²] whose class a patch below the minimum would
    have changed; mapped : Σ of the change map over area [Mg C] as it is stored; cells : standard errors of every epoch's
    biomass by cell; guessed : see ``blockpass.Partial``.
    """

    epochs: tuple[Sums, ...]
    pairs: tuple[tuple[Sums, Sums], ...]
    region_area: Mapping[int, float]
    held: float
    mapped: float
    cells: tuple[errorcells.ErrorCells, ...] = ()
    shards: Mapping[str, tuple[maps.Shard, ...]] = field(default_factory=dict)
    guessed: Mapping[str, int] = field(default_factory=dict)


RECORDED = (ChangePartial, Sums, errorcells.ErrorCells)
"""The dataclasses that a partial result is made of, beside its shards."""


def merge_partials(parts: Sequence[ChangePartial]) -> ChangePartial:
    """The sum of several partial results, in any order."""
    areas: dict[int, float] = {}
    shards: dict[str, tuple[maps.Shard, ...]] = {}
    guessed: dict[str, int] = {}
    for part in parts:
        for region, area in part.region_area.items():
            areas[region] = areas.get(region, 0.0) + area
        for name, more in part.shards.items():
            shards[name] = (*shards.get(name, ()), *more)
        for layer, pixels in part.guessed.items():
            guessed[layer] = guessed.get(layer, 0) + pixels
    pairs = [
        (merge([p.pairs[n][0] for p in parts]), merge([p.pairs[n][1] for p in parts]))
        for n in range(len(parts[0].pairs))
    ]
    return ChangePartial(
        tuple(merge([p.epochs[n] for p in parts]) for n in range(len(parts[0].epochs))),
        tuple(pairs),
        areas,
        sum(p.held for p in parts),
        sum(p.mapped for p in parts),
        tuple(errorcells.join_cells([p.cells[n] for p in parts]) for n in range(len(parts[0].cells))),
        shards,
        guessed,
    )


@dataclass(frozen=True)
class ChangeTask:
    """The function of one block; a class so that it travels to workers with its plan."""

    plan: ChangePlan

    def __call__(self, block: Block) -> ChangePartial:
        return process(self.plan, block)


@dataclass(frozen=True)
class _Epoch:
    """What a walk over one epoch leaves for the comparison."""

    read: Prepared
    stocks: NDArray[np.float32]
    classes: NDArray[np.uint8]


def process(plan: ChangePlan, block: Block) -> ChangePartial:
    """Read, walk, compare and write one block."""
    first = plan.epochs[0]
    area = first.grid.area(block)
    region = blockpass.regions_of(first, block)
    covers, held = _covers(plan, block, area)
    epochs: list[_Epoch] = []
    sums: list[Sums] = []
    cells: list[errorcells.ErrorCells] = []
    guessed: dict[str, int] = {}
    shards: dict[str, tuple[maps.Shard, ...]] = {}
    for own, wide, specs in zip(plan.epochs, covers, plan.epoch_maps, strict=True):
        asked = own.science.coding.dimensions[0].name == BEFORE
        epoch, walked, errors = _walk(own, block, wide, epochs[0].read.cover if asked else None, region, area)
        epochs.append(epoch)
        sums.append(walked)
        cells.append(errors)
        guessed |= epoch.read.guessed
        shards |= _write(plan, block, specs.ecosystem, epoch.classes)
        shards |= _write(plan, block, specs.carbon, _stored(epoch.stocks[-1], specs.carbon))
    pairs: list[tuple[Sums, Sums]] = []
    mapped = 0.0
    for n, (a, b) in enumerate(plan.pairs):
        compared = _compare(plan, epochs[a], epochs[b])
        history = _was_forest([e.classes for e in epochs[:a]])
        place, keys = transitions.places(region, epochs[a].classes, epochs[b].classes, compared, history)
        one, two = (_by_place(plan.epochs[e], epochs[e].read, place, keys, area) for e in (a, b))
        pairs.append((one, two))
        if n == len(plan.pairs) - 1:
            mapped = _mapped(compared.change, area, region)
            shards |= _write(plan, block, plan.carbon_change, compared.change)
            shards |= _write(plan, block, plan.process, transitions.process_codes(keys)[place])
    return ChangePartial(
        tuple(sums),
        tuple(pairs),
        blockpass.region_area(first, region, area),
        held,
        mapped,
        tuple(cells),
        shards,
        guessed,
    )


# ------------------------------------------------------------------------------------------ covers


def _covers(plan: ChangePlan, block: Block, area: NDArray[np.float64]) -> tuple[list[NDArray[np.uint8] | None], float]:
    """Covers of every epoch with what its definition of a stand needs around them, patches of change below the minimum undone.

    An epoch's patch is judged against the epoch before as it was judged itself. None where the file's own will do.
    """
    if plan.patch <= 1:
        return [None] * len(plan.epochs), 0.0
    halo, step = plan.halo, plan.patch - 1
    wide = blockpass.read_cover(plan.epochs[0], block, halo)[0]
    found, held = [wide], np.zeros((block.height, block.width), bool)
    for own in plan.epochs[1:]:
        cover = blockpass.read_cover(own, block, halo)[0]
        before = found[-1]
        kinds = blockpass.classes_of(own)
        # Covers of an epoch are those of the epoch before and then its own, so places of the one hold in the other.
        changed = (kinds[before] != kinds[cover]) & (before > 1) & (cover > 1)
        keep = np.zeros(cover.shape, bool)
        keep[step:-step, step:-step] = too_small(changed, plan.patch, step)
        cover = np.where(keep, before, cover)
        held |= blockpass.inner(keep, halo)
        found.append(cover)
    kept = [blockpass.inner(w, halo - (own.patch - 1)) for w, own in zip(found, plan.epochs, strict=True)]
    return list(kept), float((np.broadcast_to(area, held.shape)[held]).sum())


# ------------------------------------------------------------------------------------------ walks


def _walk(
    plan: BlockPlan, block: Block, wide: NDArray[np.uint8] | None, earlier: NDArray[np.uint8] | None,
    region: NDArray[np.int32], area: NDArray[np.float64],
) -> tuple[_Epoch, Sums, errorcells.ErrorCells]:  # fmt: skip
    read = blockpass.prepare(plan, block, wide, earlier)
    packed = read.packed
    seen = blockpass.survey_of(plan, packed, region)
    strata = plan.science.strata(seen.codes, _STOCKS)
    stocks, sums = onepass.run(packed.code, region, area, read.terms, strata, _STOCKS, seen)
    blockpass.check_area(packed.code, area, sums)
    classes = plan.science.ecosystem_codes(seen.codes)[seen.local_code][packed.code]
    errors = blockpass.cells_of(plan, block, packed, region, area, read.terms, seen)
    return _Epoch(read, stocks, classes), sums, errors


def _by_place(
    plan: BlockPlan, read: Prepared, place: NDArray[np.int32], keys: NDArray[np.int64], area: NDArray[np.float64]
) -> Sums:
    """Sums of an epoch by place."""
    seen = onepass.survey(read.packed, place, keys.size)
    strata = plan.science.strata(seen.codes, _NO_MAPS)
    _, sums = onepass.run(read.packed.code, place, area, read.terms, strata, _NO_MAPS, seen)
    return merge([replace(sums, region=keys[sums.region])])


def _compare(plan: ChangePlan, one: _Epoch, two: _Epoch) -> Compared:
    n = len(COMPARED)
    return transitions.compare(
        (one.stocks[:n], two.stocks[:n]), (one.classes, two.classes), _certain(plan, one.read, two.read)
    )


def _was_forest(earlier: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_] | None:
    """Where any of these class maps has forest."""
    found = None
    for classes in earlier:
        forest = transitions.forest_of(classes)
        found = forest if found is None else found | forest
    return found


def _certain(plan: ChangePlan, one: Prepared, two: Prepared) -> NDArray[np.bool_] | None:
    """Where biomass changed beyond its errors, None where an epoch has none."""
    if any(e.science.coding.terms[-1:] != (SD,) for e in plan.epochs):
        return None
    terms = one.terms, two.terms
    biomass, deviation = ([t.layer(k) for t in terms] for k in (0, len(one.terms) - 1))
    return transitions.beyond_noise((biomass[0], biomass[1]), (deviation[0], deviation[1]), plan.correlation, plan.z)


# ------------------------------------------------------------------------------------------ maps


def _stored(values: NDArray[np.float32], spec: maps.MapSpec) -> NDArray:
    """Values in the steps of an integer map."""
    absent = values == NODATA_FLOAT
    steps = np.clip(np.rint(values / np.float32(spec.scale)), 0, NODATA_UINT16 - 1).astype(np.uint16)
    return np.where(absent, np.uint16(NODATA_UINT16), steps)


def _mapped(change: NDArray[np.float32], area: NDArray[np.float64], region: NDArray[np.int32]) -> float:
    """Σ of the stored change over the regions' area [Mg C]."""
    inside = np.where(region > 0, change, NODATA_FLOAT)
    return crosscheck.stored_total(inside, float(NODATA_FLOAT), area)[0] / M2_PER_HA


def _write(plan: ChangePlan, block: Block, spec: maps.MapSpec, array: NDArray) -> dict[str, tuple[maps.Shard, ...]]:
    return {spec.name: (maps.write_shard(spec, plan.epochs[0].grid, block, array, plan.shard_dir),)}
