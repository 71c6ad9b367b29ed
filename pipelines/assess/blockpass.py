"""One block: read its layers, walk it once, write its pieces of the maps, give back its sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError, RunError
from pipelines.inputs import align, zones
from pipelines.inputs.grid import Block, Grid
from pipelines.outputs import maps
from sinks import coding, crosscheck, errorcells, exactsum, onepass
from sinks.climate import zone_by_latitude
from sinks.coverage import ForestDefinition
from sinks.lattice import Lattice, Stack
from sinks.layers import CLASS, problem
from sinks.patches import too_small
from sinks.pixels import Look, Recipe, look
from sinks.quantities import TOTAL, VOLUME
from sinks.science import Science
from sinks.strata import ERROR_OF
from sinks.sums import Sums, empty, merge
from sinks.units import M2_PER_HA

CLOSE = 1e-9
"""Largest relative difference between two ways of summing the same pixels."""

NO_CODE = 255
"""Code of a class layer where it has no class."""
NO_SPAN = (np.inf, -np.inf)
"""Least and most of no values."""
ERRORS_OF = (TOTAL.key, VOLUME.key)
"""Quantities whose map error is summed over cells; that of their parts follows from it."""
TREE = "tree"
"""The category of whether trees count as forest, which needs a pixel's surroundings; before all that layers tell."""

_COVER_NODATA, _COVER_UNKNOWN = 0, 1
"""Places of the two covers that are no ecosystem in ``Coding.covers``."""


@dataclass(frozen=True)
class BlockPlan:
    """Everything a worker needs; plain values, picklable.

    alignments : how each layer comes to the grid; regions : None for one region everywhere;
    recipe : how the other layers become strata and values; cover_of : raster value → place in the coding's covers;
    patch : pixels of the smallest stand; ecosystem_map, value_maps, request : what is written; shard_dir : where.
    """

    grid: Grid
    alignments: Mapping[str, align.Alignment]
    regions: zones.Regions | None
    science: Science
    recipe: Recipe
    cover_of: Mapping[int, int]
    definition: ForestDefinition
    patch: int
    ecosystem_map: maps.MapSpec | None
    value_maps: tuple[maps.MapSpec, ...]
    request: onepass.MapRequest
    shard_dir: str
    cell: int = 0

    @property
    def n_regions(self) -> int:
        return 2 if self.regions is None else len(self.regions.ids) + 1


@dataclass(frozen=True)
class MapTotal:
    """The total-carbon map summed as it is stored, beside the account of the same pixels [Mg C], and its valid area [m²]."""

    mapped: float = 0.0
    accounted: float = 0.0
    area: float = 0.0

    def __add__(self, other: MapTotal) -> MapTotal:
        return MapTotal(self.mapped + other.mapped, self.accounted + other.accounted, self.area + other.area)


@dataclass(frozen=True)
class Partial:
    """What one block, or several merged, amounts to.

    sums : by region × stratum × piece; unknown : by raster value (in place of the code); region_area : by region, summed
    another way than ``sums``; shards : by map name; biomass_range : least and most biomass value;
    guessed : by class layer, pixels of an ecosystem that have no class in it; total : the total-carbon map and the account;
    cells : the standard errors of ``ERRORS_OF`` by cell.
    """

    sums: Sums
    unknown: Sums
    region_area: Mapping[int, float]
    shards: Mapping[str, tuple[maps.Shard, ...]] = field(default_factory=dict)
    biomass_range: tuple[float, float] = NO_SPAN
    guessed: Mapping[str, int] = field(default_factory=dict)
    total: MapTotal = MapTotal()
    cells: errorcells.ErrorCells = field(default_factory=lambda: errorcells.no_cells(len(ERRORS_OF)))


RECORDED = (Partial, Sums, MapTotal, errorcells.ErrorCells)
"""The dataclasses that a partial result is made of, beside its shards."""


def merge_partials(parts: Sequence[Partial]) -> Partial:
    """The sum of several partial results, in any order."""
    areas: dict[int, float] = {}
    shards: dict[str, tuple[maps.Shard, ...]] = {}
    guessed: dict[str, int] = {}
    for part in parts:
        for layer, pixels in part.guessed.items():
            guessed[layer] = guessed.get(layer, 0) + pixels
        for region, area in part.region_area.items():
            areas[region] = areas.get(region, 0.0) + area
        for name, more in part.shards.items():
            shards[name] = (*shards.get(name, ()), *more)
    return Partial(
        merge([p.sums for p in parts]),
        merge([p.unknown for p in parts]),
        areas,
        shards,
        (min(p.biomass_range[0] for p in parts), max(p.biomass_range[1] for p in parts)),
        guessed,
        sum((p.total for p in parts), MapTotal()),
        errorcells.join_cells([p.cells for p in parts]),
    )


@dataclass(frozen=True)
class BlockTask:
    """The function of one block; a class so that it travels to workers with its plan."""

    plan: BlockPlan

    def __call__(self, block: Block) -> Partial:
        return process(self.plan, block)


@dataclass(frozen=True)
class Prepared:
    """A block that has been read and coded. cover : places of the covers; raw : the land cover's own values;
    guessed : by class layer, pixels that have no class in it; span : least and most biomass."""

    cover: NDArray[np.uint8]
    raw: NDArray
    packed: coding.Packed
    terms: Stack
    guessed: Mapping[str, int]
    span: tuple[float, float]


def prepare(
    plan: BlockPlan, block: Block, wide: NDArray[np.uint8] | None = None, earlier: NDArray[np.uint8] | None = None
) -> Prepared:
    """Read a block and find its strata.

    wide : places of the covers with ``plan.patch − 1`` pixels around the block, where they are not those of the file;
    earlier : places of the covers of an earlier epoch, where the coding asks what a pixel was.
    """
    halo = plan.patch - 1
    own, raw = read_cover(plan, block, halo)
    wide = own if wide is None else wide
    cover = inner(wide, halo)
    if not cover.any():  # open sea: nothing else there is read
        return Prepared(cover, inner(raw, halo), *coding.pack_nothing(cover, len(plan.recipe.terms())), {}, NO_SPAN)
    layers, span = read_layers(plan, block, cover)
    outer, seen, terms, guessed = strata_of(plan, block, wide, layers)
    if earlier is not None:
        outer.insert(1, np.where(_changed(plan, earlier, outer[0]), earlier, 0).astype(np.uint8))
    packed = coding.pack(outer, seen.categories, plan.science.coding.radices, terms)
    return Prepared(cover, inner(raw, halo), packed, terms, guessed, span)


def classes_of(plan: BlockPlan) -> NDArray[np.uint8]:
    """Class of the map by place of the cover."""
    return np.asarray([plan.science.ecosystem_code(c) for c in plan.science.coding.covers], np.uint8)


def _changed(plan: BlockPlan, earlier: NDArray[np.uint8], cover: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the class is another than at the earlier epoch, whose covers come first among this one's."""
    kinds = classes_of(plan)
    return (kinds[earlier] != kinds[cover]) & (earlier > _COVER_UNKNOWN) & (cover > _COVER_UNKNOWN)


def regions_of(plan: BlockPlan, block: Block) -> NDArray[np.int32]:
    """The region of every pixel, 0 for none."""
    if plan.regions is None:
        return _one_region(block.height, block.width)
    return zones.label(plan.regions, block)


def survey_of(plan: BlockPlan, packed: coding.Packed, region: NDArray[np.int32]) -> onepass.Survey:
    """Which strata and regions a block has; ``region`` as ``regions_of`` gives it."""
    return onepass.survey(packed, region, plan.n_regions, only=1 if plan.regions is None else None)


def process(plan: BlockPlan, block: Block) -> Partial:
    """Read, walk and write one block."""
    area = plan.grid.area(block)
    read = prepare(plan, block)
    packed, code, term = read.packed, read.packed.code, read.terms
    region = regions_of(plan, block)
    seen = survey_of(plan, packed, region)
    strata = plan.science.strata(seen.codes, plan.request)
    arrays, sums = onepass.run(code, region, area, term, strata, plan.request, seen)
    check_area(code, area, sums)
    shards = _write(plan, block, arrays, packed, seen)
    total = _map_total(plan, arrays, area, sums)
    return Partial(
        sums,
        _unknown(plan, read, area, seen),
        region_area(plan, region, area),
        shards,
        read.span,
        read.guessed,
        total,
        cells_of(plan, block, packed, region, area, term, seen),
    )


def cells_of(
    plan: BlockPlan, block: Block, packed: coding.Packed, region: NDArray[np.int32], area: NDArray[np.float64],
    term: Stack, seen: onepass.Survey,
) -> errorcells.ErrorCells:  # fmt: skip
    """Standard errors by cell, where the biomass layer has them."""
    if not plan.cell:
        return errorcells.no_cells(len(ERRORS_OF))
    wanted = onepass.MapRequest(tuple(ERROR_OF + key for key in ERRORS_OF), (0.0,) * len(ERRORS_OF))
    errors = plan.science.strata(seen.codes, wanted)
    groups = plan.science.ecosystem_codes(seen.codes).astype(np.int32)
    return errorcells.cell_errors(
        packed.code, region, area, term, errors, groups, seen, plan.cell, (block.row, block.col)
    )


@lru_cache(maxsize=4)
def _one_region(height: int, width: int) -> NDArray[np.int32]:
    """Region 1 everywhere; made once for each shape of block, and never written to."""
    return np.ones((height, width), np.int32)


# ------------------------------------------------------------------------------------------ reading


def read_cover(plan: BlockPlan, block: Block, halo: int = 0) -> tuple[NDArray[np.uint8], NDArray]:
    """Place of each pixel's cover, and the raster's own values."""
    values = align.read(plan.alignments["landcover"], block, halo=halo)
    raw = values.data
    if raw.dtype.itemsize <= 2:
        info = np.iinfo(raw.dtype)
        lut = np.full(info.max - info.min + 1, _COVER_UNKNOWN, np.uint8)
        for value, place in plan.cover_of.items():
            if info.min <= value <= info.max:
                lut[value - info.min] = place
        cover = coding.look_up(lut, raw, info.min)
    else:
        cover = np.full(raw.shape, _COVER_UNKNOWN, np.uint8)
        for value, place in plan.cover_of.items():
            cover[raw == value] = place
    if values.valid is not None:
        cover[~values.valid] = _COVER_NODATA
    return cover, raw


def read_layers(
    plan: BlockPlan, block: Block, cover: NDArray[np.uint8]
) -> tuple[dict[str, align.Values], tuple[float, float]]:
    """The block's values of every layer but the land cover, what repeats held once; and the span of the biomass.

    cover : places of the covers. Raises InputError where a pixel that has one has a value that cannot be.
    """
    found, span = {}, NO_SPAN
    for name, alignment in plan.alignments.items():
        if name == "landcover":
            continue
        values = align.read_once(alignment, block)
        if alignment.source.layer.kind == CLASS:
            found[name] = align.Values(_codes(values), lattice=values.lattice)
            continue
        found[name], lattice = values, _lattice(values)
        own = name == plan.science.options.biomass
        # A layer that repeats is looked over as it is held first: nearly always nothing is wrong anywhere in it.
        if lattice.is_whole or own or problem(name, *_span(values.data)):
            seen = lattice.span(values.data, cover)
            if wrong := problem(name, *seen):
                raise InputError(
                    f"{alignment.path}: the {name} layer {wrong}, which cannot be; if they mean no data, declare it with --layer "
                    f"{name}.nodata=VALUE, and another unit with --layer {name}.scale=FACTOR"
                )
            span = seen if own else span
    return found, span


def _span(values: NDArray) -> tuple[float, float]:
    """Least and most value; +inf and −inf where there is none."""
    return float(np.fmin.reduce(values, axis=None, initial=np.inf)), float(
        np.fmax.reduce(values, axis=None, initial=-np.inf)
    )


def _codes(values: align.Values) -> NDArray[np.uint8]:
    """Class codes 0–254; 255 is what has none, or one that no table can have."""
    data = values.data
    fits = (data >= 0) & (data < NO_CODE)
    if values.valid is not None:
        fits &= values.valid
    return np.where(fits, data, NO_CODE).astype(np.uint8)


def inner(values: NDArray, halo: int) -> NDArray:
    """A block without its surroundings."""
    return values[halo : values.shape[0] - halo, halo : values.shape[1] - halo] if halo else values


def strata_of(
    plan: BlockPlan, block: Block, wide: NDArray[np.uint8], layers: Mapping[str, align.Values]
) -> tuple[list[NDArray[np.uint8]], Look, Stack, dict[str, int]]:
    """The coding's first categories (cover, tree), the others on the lattice of the terms, the terms, and by class layer how
    many pixels lack a class.

    wide : places of the covers of the block with its surroundings, as far as the smallest stand can reach.
    """
    cover = inner(wide, plan.patch - 1)
    latitude = plan.grid.latitude(block)
    names = plan.recipe.terms()
    fine = frozenset(n for n in plan.recipe.passed_on() if layers[n].lattice is None)
    used = {n: v for n, v in layers.items() if n not in fine and n != "canopy"}
    lattice = Lattice.meet([_by_latitude(plan.recipe, latitude, block), *(_lattice(v) for v in used.values())])
    held = {n: _lattice(v).thinned(v.data, lattice) for n, v in used.items()}
    at_rows = np.flatnonzero(np.diff(lattice.rows, prepend=-1))
    at_cols = np.flatnonzero(np.diff(lattice.cols, prepend=-1))
    column = latitude[at_rows][:, at_cols] if latitude.shape[1] > 1 else latitude[at_rows]
    seen = look(plan.recipe, held, column, lattice.shape, fine)
    terms = Stack(
        _stacked([layers[n].data for n in names if n in fine], cover.shape),
        seen.terms,
        lattice,
        tuple(k for k, n in enumerate(names) if n in fine),
        tuple(k for k, n in enumerate(names) if n not in fine),
    )
    has_tree = any(d.name == TREE for d in plan.science.coding.dimensions)
    tree = [_tree_state(plan, block, wide, layers)] if has_tree else []
    guessed = {
        layer: int((lattice.spread(lost) & (cover > _COVER_UNKNOWN)).sum()) if lost.any() else 0
        for layer, lost in seen.guessed.items()
    }
    return [cover, *tree], seen, terms, guessed


def _stacked(layers: Sequence[NDArray[np.float32]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Layers (n, h, w); one alone is not copied."""
    if len(layers) == 1:
        return layers[0][None]
    return np.stack(layers) if layers else np.zeros((0, *shape), np.float32)


def _lattice(values: align.Values) -> Lattice:
    return values.lattice or Lattice.whole(*values.data.shape)


def _by_latitude(recipe: Recipe, latitude: NDArray[np.float64], block: Block) -> Lattice:
    """Where the zone of a latitude changes, if zones are told by it."""
    if recipe.zone > 0:
        return Lattice(np.zeros(block.height, np.int64), np.zeros(block.width, np.int64))
    if latitude.shape[1] > 1:
        return Lattice.whole(block.height, block.width)
    zone = zone_by_latitude(latitude[:, 0])
    rows = np.cumsum(np.diff(zone.astype(np.int64), prepend=int(zone[0])) != 0)
    return Lattice(rows, np.zeros(block.width, np.int64))


def _tree_state(
    plan: BlockPlan, block: Block, wide: NDArray[np.uint8], layers: Mapping[str, align.Values]
) -> NDArray[np.uint8]:
    """0 counted, 1 below the canopy threshold, 2 in too small a patch: for forest pixels; 0 elsewhere."""
    halo = plan.patch - 1
    stands = coding.look_up(_forest_places(plan), wide, 0)
    open_stands = None
    if "canopy" in plan.alignments and stands.any():
        given = layers["canopy"]
        canopy = (
            align.read(plan.alignments["canopy"], block, halo=halo).data if halo else _lattice(given).spread(given.data)
        )
        least = plan.definition.canopy_percent
        open_stands = stands & ((canopy < least) if plan.definition.name == "china" else (canopy <= least))
        stands = stands & ~open_stands
    state = too_small(stands, plan.patch, halo).view(np.uint8)
    state += state  # small stands are state 2; NumPy shifts bytes one by one
    if open_stands is not None:
        state |= inner(open_stands, halo).view(np.uint8)
    return state


def _forest_places(plan: BlockPlan) -> NDArray[np.bool_]:
    return np.asarray([c.ecosystem == "forest" for c in plan.science.coding.covers])


# ------------------------------------------------------------------------------------------ summing and checking


def _unknown(plan: BlockPlan, read: Prepared, area: NDArray[np.float64], seen: onepass.Survey) -> Sums:
    """Area and pixels of every value that the legend lacks."""
    if _COVER_UNKNOWN not in plan.science.coding.cover_places(seen.codes):
        return empty(1)
    lost = read.cover == _COVER_UNKNOWN
    values, place, count = np.unique(read.raw[lost].astype(np.int64), return_inverse=True, return_counts=True)
    summed = np.bincount(place.ravel(), weights=np.broadcast_to(area, lost.shape)[lost]).astype(np.float64)
    none = np.zeros(values.size, np.int32)
    digits = exactsum.from_floats(summed[:, None])
    return merge([Sums(none, values, none.astype(np.int16), count.astype(np.int64), digits)])


def region_area(plan: BlockPlan, region: NDArray[np.int32], area: NDArray[np.float64]) -> dict[int, float]:
    """Area of every region [m²], summed another way than the pass does."""
    if plan.regions is None:
        return {1: float(area.sum()) * region.shape[1] / area.shape[1]}
    total = crosscheck.area_by_region(region, area, plan.n_regions)
    return {int(r): float(total[r]) for r in np.flatnonzero(total)}


def check_area(code: NDArray[np.int32], area: NDArray[np.float64], sums: Sums) -> None:
    """The account of a block has all its pixels and all its area, or the run ends here."""
    pixels = float(area.sum() if area.shape[1] > 1 else area.sum() * code.shape[1])
    account = float(sums.values[:, 0].sum())
    if abs(account - pixels) > CLOSE * pixels or int(sums.count.sum()) != code.size:
        raise RunError(
            f"a block does not close: {pixels:.6f} m² of pixels, {account:.6f} m² in the account; please report this"
        )


def _map_total(plan: BlockPlan, arrays: NDArray, area: NDArray[np.float64], sums: Sums) -> MapTotal:
    """Sum the stored total-carbon map over area, and the account of the same block."""
    if TOTAL.key not in plan.request.quantities:
        return MapTotal()
    at = plan.request.quantities.index(TOTAL.key)
    stored, step = arrays[at], plan.request.steps[at] or 1.0
    mapped, covered = crosscheck.stored_total(stored, float(plan.request.nodata), area)
    amounts = sums.values
    accounted = 0.0
    for row, (code, piece) in enumerate(zip(sums.code.tolist(), sums.piece.tolist(), strict=True)):
        line = plan.science.pieces(code).of(TOTAL.key)[piece]
        if not np.isnan(line[0]):
            accounted += float(line @ amounts[row, : line.size])
    return MapTotal(mapped * step / M2_PER_HA, accounted / M2_PER_HA, covered)


# ------------------------------------------------------------------------------------------ writing


def _write(
    plan: BlockPlan, block: Block, arrays: NDArray, packed: coding.Packed, seen: onepass.Survey
) -> dict[str, tuple[maps.Shard, ...]]:
    shards: dict[str, tuple[maps.Shard, ...]] = {}
    for spec, array in zip(plan.value_maps, arrays, strict=True):
        shards[spec.name] = (maps.write_shard(spec, plan.grid, block, array, plan.shard_dir),)
    if plan.ecosystem_map is not None:
        classes = plan.science.ecosystem_codes(seen.codes)[seen.local_code]  # −1 is never asked for
        drawn = coding.look_up(classes, packed.code.view(np.uint32), 0)
        shard = maps.write_shard(plan.ecosystem_map, plan.grid, block, drawn, plan.shard_dir)
        shards[plan.ecosystem_map.name] = (shard,)
    return shards
