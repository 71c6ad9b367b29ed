"""From a study to a plan: layers checked, grid chosen, parameters resolved, blocks laid out. Opens files, reads no block."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pyproj import Transformer

from pipelines.assess import layout, mapspecs
from pipelines.assess.blockpass import TREE, BlockPlan
from pipelines.assess.study import LAYER_KINDS, LAYER_NAMES, Study
from pipelines.errors import InputError
from pipelines.files.text import read_text
from pipelines.inputs import align, layerfiles, reach, soilprofile, sources, zones
from pipelines.inputs.grid import Block, Grid
from pipelines.work.cluster import Workers
from sinks import coding, invest, parameterfiles
from sinks.accounts import RegionInfo
from sinks.climate import ZONES
from sinks.coding import Coding, Dimension
from sinks.coverage import ForestDefinition, forest_definition
from sinks.ecosystems.forest import zone_of
from sinks.legends import Legend
from sinks.onepass import GRAIN
from sinks.parameters import ParameterSet, parameter_set, records
from sinks.patches import patch_pixels
from sinks.pixels import BY_LATITUDE, BY_LAYER, Recipe, recipe
from sinks.plug import Cover, Options
from sinks.science import Science

_M_PER_KM: Final = 1000.0
_CELLS_PER_RANGE: Final = 8
_CHINA_BOX: Final = (73.0, 136.0, 15.0, 55.0)


@dataclass(frozen=True)
class Plan:
    """A study ready to run. notes : what was decided, found or changed on the way, for people."""

    study: Study
    block_plan: BlockPlan
    blocks: tuple[Block, ...]
    sources: Mapping[str, sources.Source]
    legend: Legend | None
    parameters_name: str
    workers: int
    bytes_per_block: int
    notes: tuple[str, ...] = field(default=())

    @property
    def grid(self) -> Grid:
        return self.block_plan.grid

    @property
    def where(self) -> Workers:
        """Where the blocks are worked on."""
        s = self.study
        return Workers(self.workers, s.scheduler, s.cluster, s.performance_report, s.dashboard)

    @property
    def memory(self) -> int:
        """What this process holds at most, by the plan [B]."""
        return layout.BASE + self.workers * self.bytes_per_block

    @property
    def pixels(self) -> int:
        return self.grid.width * self.grid.height

    @property
    def regions(self) -> tuple[RegionInfo, ...]:
        """The regions in the user's order; the whole map where none were given."""
        known = self.block_plan.regions
        if known is None:
            return (RegionInfo("all", "whole map"),)
        return tuple(
            RegionInfo(str(i), str(n), float(o), float(a), float(x))
            for i, n, o, a, x in zip(
                known.ids, known.names, known.official_area_ha, known.area_ha, known.outside_grid_ha, strict=True
            )
        )


def make_plan(study: Study, workdir: Path, like: Plan | None = None, pieces: Path | None = None) -> Plan:
    """Check every input and lay out the run. Raises InputError; several problems of one kind are named together.

    workdir : where tiles are joined; like : the plan of another epoch, whose grid, regions, blocks and covers this one
    shares; pieces : where shards go.
    """
    notes: list[str] = []
    for path in study.named_files.values():
        reach.require_within(path, study.permit)
    found = _open_layers(study, workdir)
    profile = soilprofile.read(study.soil_profile) if study.soil_profile else soilprofile.NONE
    found |= {name: sources.inspect(layer) for name, layer in profile.layers(workdir, study.permit).items()}
    notes += profile.notes
    grid = like.grid if like else sources.grid_of(found["landcover"])
    alignments = {name: align.plan(source, grid) for name, source in found.items()}
    for name, source in found.items():
        notes += [*source.notes, *alignments[name].notes]
    regions = like.block_plan.regions if like else _regions(study, grid)
    if not like:
        notes += regions.notes if regions else ["no regions given: the whole map is one region"]
    base, name = _parameters(study, grid, notes)
    if study.use_unverified:
        base = replace(base, settings={**base.settings, "use_unverified": True})
    lookup = None
    if study.parameters.startswith("invest:"):
        path = study.parameters.removeprefix("invest:")
        lookup = invest.read_pools(read_text(path).text, path)
    legend = _legend(study)
    shared = like.block_plan.science.coding.covers if like else ()
    covers, cover_of = _covers(legend, lookup, found["landcover"], shared)
    options = _options(study, base, grid, notes)
    how = _recipe(study, found, profile, options, base)
    notes += how.notes
    definition = _definition(study, base)
    area = float(grid.area(_middle(grid)).mean())
    patch = patch_pixels(definition.minimum_patch_ha, area)
    science = Science(_coding(study, covers, patch, how), base, options, lookup.plug() if lookup else None)
    specs = mapspecs.value_maps(study, science)
    block_plan = BlockPlan(
        grid=grid, alignments=alignments, regions=regions, science=science, cover_of=cover_of, definition=definition,
        recipe=how, patch=patch,
        ecosystem_map=mapspecs.ecosystem_map(study) if "ecosystem" in study.maps else None,
        value_maps=specs, request=mapspecs.request(specs),
        shard_dir=str(pieces or workdir), cell=_cell(study, grid, area),
    )  # fmt: skip
    wanted = study.workers or max(1, len(os.sched_getaffinity(0)))
    if like:
        shape = like.blocks[0].height, like.blocks[0].width
    else:
        shape = layout.block_shape(study.block_size, grid, found["landcover"].is_strips)
    laid = layout.fitted(block_plan, shape, wanted, study.memory, fixed=bool(like or study.block_size), notes=notes)
    blocks = like.blocks if like else tuple(grid.blocks(*laid.shape))
    return Plan(study, block_plan, blocks, found, legend, name, laid.workers, laid.per_block, tuple(notes))


# ------------------------------------------------------------------------------------------ layers


def _open_layers(study: Study, workdir: Path) -> dict[str, sources.Source]:
    """Every given layer, checked. A climate given as the name of a zone is no layer."""
    found = {}
    for name in LAYER_NAMES:
        value = getattr(study, name)
        if value is None or (name == "climate" and value in ZONES):
            continue
        own = dict(study.layers.get(name, {}))
        kind = own.pop("kind", LAYER_KINDS[name])
        found[name] = sources.inspect(
            layerfiles.make_layer(
                name, kind, value, workdir, study.permit, allow_missing=study.allow_missing_tiles, **own
            )
        )
    if "agb_sd" in found and not study.biomass:
        raise InputError("--agb-sd is the error of a biomass layer, and none is given; add --agb FILE")
    return found


def _regions(study: Study, grid: Grid) -> zones.Regions | None:
    if study.regions is None:
        return None
    return zones.read_regions(
        study.regions, layer=study.region_layer, id_column=study.region_id, name_column=study.region_name, grid=grid
    )


def _middle(grid: Grid) -> Block:
    return Block(0, grid.height // 2, grid.width // 2, 1, 1)


# ------------------------------------------------------------------------------------------ science


def _parameters(study: Study, grid: Grid, notes: list[str]) -> tuple[ParameterSet, str]:
    """The parameter set by name, by file or chosen by place; an InVEST table replaces the equations, not the set."""
    wanted = study.parameters
    if wanted == "auto" or wanted.startswith("invest:"):
        west, south, east, north = _lonlat_bounds(grid)
        inside = west >= _CHINA_BOX[0] and east <= _CHINA_BOX[1] and south >= _CHINA_BOX[2] and north <= _CHINA_BOX[3]
        name = "china" if inside else "ipcc"
        if wanted == "auto":
            place = "inside" if inside else "not inside"
            notes.append(f"parameters: {name}, for the map lies {place} 73–136°E, 15–55°N; choose with --parameters")
            return parameter_set(name), name
        return parameter_set(name), wanted
    base, path = parameterfiles.split_base(wanted)
    if path.endswith(".csv") or os.sep in path:
        text = read_text(path)
        otherwise = "china" if study.forest_definition == "china" else "ipcc"
        chosen = parameterfiles.read_back(text.text, Path(path).name, base, otherwise)
        notes.append(f"parameters: {path} ({text.encoding}): {parameterfiles.summary(chosen)}")
        return chosen, wanted
    return parameter_set(wanted), wanted


def _lonlat_bounds(grid: Grid) -> tuple[float, float, float, float]:
    transformer = Transformer.from_crs(grid.crs, 4326, always_xy=True)
    return transformer.transform_bounds(*grid.bounds, densify_pts=21)


def _legend(study: Study) -> Legend | None:
    if study.legend is None:
        return None
    if study.legend.lower().endswith(".csv") or Path(study.legend).is_file():
        return replace(Legend.from_text(read_text(study.legend).text, study.legend), title=Path(study.legend).name)
    return Legend.builtin(study.legend)


def _covers(
    legend: Legend | None, lookup: invest.InvestPools | None, landcover: sources.Source, shared: tuple[Cover, ...]
) -> tuple[tuple[Cover, ...], dict[int, int]]:
    """The covers of the run (no data and unknown first, then the shared ones) and which raster value is which."""
    covers: list[Cover] = list(shared) or [coding.NODATA, coding.UNKNOWN]
    place: dict[int, int] = {}
    known = legend.by_value() if legend else {}
    values = sorted({*known, *(lookup.codes() if lookup else ())})
    for value in values:
        c = known.get(value)
        if c is not None and c.ecosystem == "nodata":
            place[value] = 0
            continue
        cover = Cover(c.ecosystem, c.forest_type, c.subclass) if c else Cover("unclassified")
        if lookup:
            cover = Cover(cover.ecosystem, cover.forest_type, cover.subclass, str(value))
        if cover not in covers:
            covers.append(cover)
        place[value] = covers.index(cover)
    if landcover.nodata is not None and not math.isnan(landcover.nodata):
        place[int(landcover.nodata)] = 0
    if len(covers) > 250:
        raise InputError(f"the legend has {len(covers)} different covers; at most 250 can be told apart")
    return tuple(covers), place


def _coding(study: Study, covers: tuple[Cover, ...], patch: int, how: Recipe) -> Coding:
    tree = (Dimension(TREE, coding.TREE_STATES),) if study.canopy is not None or patch > 1 else ()
    return Coding(covers, (*tree, *how.dimensions()), how.terms())


def _recipe(
    study: Study,
    found: Mapping[str, sources.Source],
    profile: soilprofile.Profile,
    options: Options,
    base: ParameterSet,
) -> Recipe:
    """How the layers are read."""
    apart = {"landcover", "canopy"}
    for name in ("rock_outcrop", "soil_thickness"):
        if name in found and not profile.horizons:
            raise InputError(f"--{name.replace('_', '-')} belongs to a soil profile; give --soil-profile too")
    return recipe(
        [name for name in found if name not in apart],
        zone=_zone(study), soil_legend=study.soil_legend, soil_depth_cm=options.soil_depth_cm, horizons=profile.horizons,
        karst_method=study.karst_method, budyko_w=study.budyko_w, strong_acid_share=study.strong_acid_share,
        use_unverified=bool(base.settings.get("use_unverified")), permafrost_threshold=study.permafrost_threshold,
    )  # fmt: skip


def _options(study: Study, base: ParameterSet, grid: Grid, notes: list[str]) -> Options:
    depth = study.soil_depth or int(base.settings["soil_depth_cm"])
    if study.soc is not None or study.permafrost_soc is not None:
        notes.append(f"the soil carbon layer is taken to be 0–{depth} cm deep; say otherwise with --soil-depth")
    continent = study.continent or (
        base.settings["continent"] if base.name.startswith("china") else _continent(grid, notes)
    )
    return Options(
        biomass=study.biomass or "agb",
        soil_depth_cm=depth,
        continent=continent,
        origin=study.forest_origin,
        volume_methods=(study.volume_method,) if study.volume_method else (),
        forest_age=study.forest_age,
        flux_method=study.flux_method,
        coast_soil=study.coast_soil,
        tillage=study.tillage,
        input=study.carbon_input,
        grazing=study.grazing,
    )


def _continent(grid: Grid, notes: list[str]) -> str:
    """The continent of the grid's middle, by crude boxes."""
    west, south, east, north = _lonlat_bounds(grid)
    lon, lat = (west + east) / 2, (south + north) / 2
    for row in records("continents"):
        box = [float(row[k]) for k in ("min_lon", "max_lon", "min_lat", "max_lat")]
        if box[0] <= lon <= box[1] and box[2] <= lat <= box[3]:
            notes.append(
                f"root-to-shoot ratios of {row['continent']}, from the middle of the map; choose with --continent"
            )
            return row["continent"]
    return "asia"


def _zone(study: Study) -> int:
    """Number of the one zone of the whole map, if it is given by name."""
    if study.climate is None:
        return BY_LATITUDE
    if study.climate in ZONES:
        return ZONES.index(study.climate) + 1
    if isinstance(study.climate, str) and not Path(study.climate).suffix and not Path(study.climate).exists():
        zone_of(study.climate)  # raises, listing the names
    return BY_LAYER


def _definition(study: Study, base: ParameterSet) -> ForestDefinition:
    return forest_definition(
        study.forest_definition,
        base,
        canopy_percent=study.canopy_threshold,
        minimum_patch_ha=study.minimum_patch,
        special_shrub_fraction=study.special_shrub_fraction,
        mangrove_is_forest=study.mangrove_is_forest,
        inland_water=study.inland_water,
    )


# ------------------------------------------------------------------------------------------ blocks


def _cell(study: Study, grid: Grid, area: float) -> int:
    """Side of the cells of the error budget [pixels]: the largest divisor of a grain that a correlation range spans often."""
    if study.agb_sd is None:
        return 0
    longest = study.error_range * _M_PER_KM / _CELLS_PER_RANGE
    side = GRAIN
    while side > 1 and side * math.sqrt(area) > longest:
        side //= 2
    return side
