"""The request: what to assess, from command-line options, a TOML file or Python; every problem named at once."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from pipelines.assess import choices
from pipelines.errors import InputError
from pipelines.files import runmaps
from pipelines.inputs.reach import Permit, is_remote
from sinks.errors import suggest
from sinks.layers import LAYERS
from sinks.maperror import MODELS
from sinks.parameters import SET_NAMES
from sinks.pixels import KARST_METHODS
from sinks.quantities import KEYS, POOL_KEYS, TOTAL, VOLUME

MAP_NAMES: Final = ("ecosystem", TOTAL.key, *KEYS)
ERROR_MAPS: Final = tuple("se_" + name for name in (TOTAL.key, *POOL_KEYS, VOLUME.key))
"""Maps of standard errors, written when they are asked for by name."""
LAYER_NAMES: Final = tuple(LAYERS)
LAYER_KINDS: Final = {name: layer.kind for name, layer in LAYERS.items()}
LAYER_KEYS: Final = ("asset", "band", "nodata", "crs", "scale", "offset", "unit", "resampling", "kind")
_TYPES: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    **dict.fromkeys(
        ("year", "workers", "block_size", "soil_depth", "draws", "seed"), ((int,), "a whole number without quotes")
    ),
    **dict.fromkeys(
        (
            "canopy_threshold",
            "minimum_patch",
            "special_shrub_fraction",
            "memory",
            "budyko_w",
            "strong_acid_share",
            "permafrost_threshold",
            "error_range",
        ),
        ((int, float), "a number without quotes"),
    ),
    **dict.fromkeys(
        (
            "mangrove_is_forest",
            "use_unverified",
            "whole_nation",
            "overwrite",
            "fresh",
            "dashboard",
            "quiet",
            "json",
            "allow_network",
            "allow_missing_tiles",
        ),
        ((bool,), "true or false without quotes"),
    ),
    "maps": ((str, list, tuple), "names of maps"),
    "only_within": ((str, list, tuple), "a folder, or a list of folders"),
    "layers": ((dict,), "tables [layers.NAME]"),
}
"""Types of the options that are no plain text, and what to write."""
_CHOICES: Final = {
    "forest_definition": ("china", "fao"),
    "flux_method": ("published_rate", "emission_factor", "none"),
    "coast_soil": ("table", "layer"),
    "karst_method": KARST_METHODS,
    "error_model": MODELS,
}
_RANGES: Final = {
    "error_range": (0, 20_000), "draws": (0, 1_000_000), "seed": (0, 2**63 - 1), "canopy_threshold": (0, 100),
    "minimum_patch": (0, 10_000), "special_shrub_fraction": (0, 1), "budyko_w": (1, 100), "block_size": (1024, 65_536),
}  # fmt: skip
_KEY_TYPES: Final = {
    "band": ((int,), "a whole number without quotes"),
    **dict.fromkeys(("nodata", "scale", "offset"), ((int, float), "a number without quotes")),
}
"""Types of the keys of [layers.NAME] that are no text."""
EXECUTION: Final = (
    "out", "workers", "scheduler", "cluster", "memory", "dashboard", "performance_report", "overwrite", "fresh", "quiet", "json",
    "allow_network", "only_within",
)  # fmt: skip
"""Options that change nothing in a result."""
_PATHS: Final = (
    *LAYER_NAMES,
    "regions",
    "targets",
    "out",
    "parameters",
    "legend",
    "soil_profile",
    "cluster",
    "performance_report",
    "only_within",
)


FILES: Final = ("regions", "targets", "legend", "parameters", "soil_profile")
"""Options that may name a file."""


@dataclass(frozen=True)
class Study:
    """One assessment as asked for; field names are the long options of ``sinks assess``.

    A layer is a path, URL, GDAL name, glob, list of tiles or an xarray object. layers : per layer, what its file does
    not say of itself: band, nodata, crs, scale, offset, unit, resampling.
    """

    landcover: Any = None
    legend: str | None = None
    out: str = ""
    agb: Any = None
    agc: Any = None
    volume: Any = None
    agb_sd: Any = None
    canopy: Any = None
    grass_agb: Any = None
    grassland_type: Any = None
    climate: Any = None
    temperature: Any = None
    precipitation: Any = None
    pet: Any = None
    elevation: Any = None
    frost_days: Any = None
    coldest_month: Any = None
    warmest_month: Any = None
    ecozone: Any = None
    soil: Any = None
    black_soil: Any = None
    drainage: Any = None
    soc: Any = None
    peat_thickness: Any = None
    permafrost_soc: Any = None
    soc_deep: Any = None
    rock_outcrop: Any = None
    soil_thickness: Any = None
    permafrost: Any = None
    active_layer: Any = None
    karst: Any = None
    dolomite: Any = None
    runoff: Any = None
    bicarbonate: Any = None
    soil_co2: Any = None
    soil_profile: str | None = None
    soil_legend: str = "ipcc"
    karst_method: str = "auto"
    budyko_w: float | None = None
    strong_acid_share: float = 0.0
    permafrost_threshold: float = 0.5
    flux_method: str = "published_rate"
    coast_soil: str = "table"
    tillage: str = "full_tillage"
    carbon_input: str = "medium"
    grazing: str = "nominal"
    forest_age: str = ""
    error_range: float = 100.0
    error_model: str = "spherical"
    draws: int = 10_000
    seed: int = 1
    regions: str | None = None
    region_id: str | None = None
    region_name: str | None = None
    region_layer: str | None = None
    parameters: str = "auto"
    use_unverified: bool = False
    volume_method: str | None = None
    soil_depth: int | None = None
    continent: str | None = None
    forest_origin: str = "natural"
    forest_definition: str = "china"
    canopy_threshold: float | None = None
    minimum_patch: float | None = None
    special_shrub_fraction: float | None = None
    mangrove_is_forest: bool = True
    inland_water: str = "auto"
    year: int | None = None
    targets: str | None = None
    target_document: str = "guidance_2021"
    whole_nation: bool = False
    maps: tuple[str, ...] = MAP_NAMES
    map_type: str = "uint16"
    map_layout: str = runmaps.WHOLE
    block_size: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    cluster: str | None = None
    dashboard: bool = False
    performance_report: str | None = None
    memory: float | None = None
    overwrite: bool = False
    fresh: bool = False
    quiet: bool = False
    json: bool = False
    allow_missing_tiles: bool = False
    allow_network: bool = False
    only_within: Any = ()
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def biomass(self) -> str:
        """Which kind of biomass layer was given, blank for none."""
        return next((kind for kind in ("agb", "agc", "volume") if getattr(self, kind) is not None), "")

    @property
    def permit(self) -> Permit:
        """What the inputs may lead to."""
        folders = [self.only_within] if isinstance(self.only_within, str) else self.only_within
        return Permit(self.allow_network, tuple(map(str, folders)))

    @property
    def named_files(self) -> dict[str, str]:
        """Files that are no layers, by option."""
        found = {name: str(getattr(self, name) or "").removeprefix("invest:") for name in FILES}
        return {name: path for name, path in found.items() if Path(path).is_file()}


def from_toml(path: Path, **options: Any) -> Study:
    """A study from an assessment file; options given on the command line win. Paths are relative to the file.

    Raises InputError for a file that is no TOML or has unknown keys, with a suggestion.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such assessment file; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable TOML file ({error}); mend that place") from None
    known = {f.name for f in fields(Study)}
    unknown = [key for key in raw if key not in known]
    if unknown:
        raise InputError(f"{path}: unknown key {suggest(unknown[0], known)}")
    refuse_network(path, raw, options)
    resolved = {key: relative(key, value, path.parent) for key, value in raw.items()}
    return checked(resolved | {k: v for k, v in options.items() if v is not None}, str(path))


def refuse_network(path: Path, table: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse addresses in a file, which may be of another's making, unless the command line allows them."""
    if "allow_network" in table:
        raise InputError(f"{path}: allow_network stands in this file, but only you can give it: --allow-network")
    if options.get("allow_network"):
        return
    for name in (*LAYER_NAMES, "regions"):
        for value in table[name] if isinstance(table.get(name), list) else [table.get(name)]:
            if isinstance(value, str) and is_remote(value):
                raise InputError(
                    f"{path}: {name} is '{value}', which is not on this disk; allow it with --allow-network if you trust the file"
                )


def checked(options: Mapping[str, Any], where: str = "the command line") -> Study:
    """A study from options by name. Raises InputError listing everything that is wrong with them."""
    given = dict(options)
    problems = _mistyped(given)
    if not problems:
        if "maps" in given:
            given["maps"] = _map_names(given["maps"])
        study = Study(**given)
        problems = _problems(study)
    if problems:
        raise InputError(f"{where}: " + "; ".join(problems))
    return study


def _mistyped(given: Mapping[str, Any]) -> list[str]:
    """Values of the wrong type, which a TOML file can hold: a number in quotes, a fraction of a worker."""
    found = []
    for name, value in given.items():
        if value is None:
            continue
        kinds, wanted = _TYPES.get(name, ((str,), "text in quotes"))
        if name in LAYER_NAMES:
            if isinstance(value, bool | int | float | Mapping) and not hasattr(value, "dims"):
                found.append(f"{name} is {value!r}; write a path in quotes, or a list of paths")
        elif not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            found.append(f"{name} is {value!r}; write {wanted}")
        if isinstance(value, float) and not math.isfinite(value):
            found.append(f"--{name.replace('_', '-')} is {value}; write a number that ends")
        if isinstance(value, str) and "\0" in value:
            found.append(f"{name} holds a zero byte; write it again")
    for layer, keys in (given.get("layers") or {}).items() if isinstance(given.get("layers"), Mapping) else ():
        found += _mistyped_keys(layer, keys)
    return found


def _mistyped_keys(layer: str, keys: Any) -> list[str]:
    if not isinstance(keys, Mapping):
        return [f"layers.{layer} is {keys!r}; write a table [layers.{layer}]"]
    found = []
    for key, value in keys.items():
        kinds, wanted = _KEY_TYPES.get(key, ((str,), "text in quotes"))
        if key in LAYER_KEYS and (not isinstance(value, kinds) or isinstance(value, bool)):
            found.append(f"{key} of the layer {layer} is {value!r}; write {wanted}")
    return found


def _map_names(value: Any) -> tuple[str, ...]:
    """Maps from a comma-separated text or a list; ``all`` and ``none`` are words."""
    names = (
        [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else list(map(str, value))
    )
    if names == ["all"]:
        return MAP_NAMES
    return () if names == ["none"] else tuple(names)


def _problems(s: Study) -> list[str]:
    found = []
    if s.landcover is None:
        found.append("a land-cover raster is needed: give --landcover FILE")
    if not s.legend and not str(s.parameters).startswith("invest:"):
        found.append(
            "the legend of the land cover is needed: give --legend NAME or FILE.csv ('sinks legends' lists the names)"
        )
    if not s.out:
        found.append("an output folder is needed: give --out DIR")
    biomass = [k for k in ("agb", "agc", "volume") if getattr(s, k) is not None]
    if len(biomass) > 1:
        found.append(f"only one biomass layer can be used, not {' and '.join(biomass)}; leave the others out")
    for name, known in _CHOICES.items():
        if getattr(s, name) not in known:
            said = ", ".join(k or "''" for k in known[:-1]) + f" or {known[-1]}"
            found.append(f"--{name.replace('_', '-')} is '{getattr(s, name)}'; choose {said}")
    found += choices.problems(s)
    for name, (low, high) in _RANGES.items():
        value = getattr(s, name)
        if value is not None and not low <= value <= high:
            found.append(f"--{name.replace('_', '-')} is {value:g}; give a number from {low:g} to {high:g}")
    if s.draws < 0 or 0 < s.draws < 100:
        found.append(f"--draws is {s.draws}; give 0 for propagation alone, or at least 100")
    for name in ("strong_acid_share", "permafrost_threshold"):
        if not 0 <= getattr(s, name) <= 1:
            found.append(f"--{name.replace('_', '-')} is {getattr(s, name)}; give a share from 0 to 1")
    if s.map_type not in ("uint16", "float32"):
        found.append(f"--map-type is '{s.map_type}'; choose uint16 (0.1 steps) or float32")
    if s.soil_depth not in (None, 30, 100):
        found.append(f"--soil-depth is {s.soil_depth}; choose 30 or 100 (cm)")
    if s.year is not None and not 1900 <= s.year <= 2200:
        found.append(f"--year is {s.year}, which is no year of a map")
    for name in s.maps:
        if name not in (*MAP_NAMES, *ERROR_MAPS):
            found.append(f"unknown map {suggest(name, (*MAP_NAMES, *ERROR_MAPS))}")
        if name in ERROR_MAPS and s.agb_sd is None:
            found.append(f"the map {name} takes the standard deviation of the biomass: give --agb-sd FILE")
    for name, value in (("workers", s.workers), ("block-size", s.block_size), ("memory", s.memory)):
        if value is not None and value <= 0:
            found.append(f"--{name} is {value}; give a number above 0")
    if s.block_size is not None and s.block_size % 1024:
        found.append(f"--block-size is {s.block_size}; give a multiple of 1024")
    for layer, keys in s.layers.items():
        if layer not in LAYER_NAMES:
            found.append(f"unknown layer {suggest(layer, LAYER_NAMES)} under [layers]")
        found.extend(
            f"unknown key {suggest(k, LAYER_KEYS)} under [layers.{layer}]" for k in keys if k not in LAYER_KEYS
        )
    return found


def relative(key: str, value: Any, base: Path) -> Any:
    """Paths in a file are relative to the file; names of legends, sets, URLs and GDAL's own names stay as they are."""
    if key not in _PATHS:
        return value
    if isinstance(value, list):
        return [relative(key, v, base) for v in value]
    if not isinstance(value, str) or Path(value).is_absolute() or "://" in value or value.startswith("/vsi"):
        return value
    for named in ("invest", *SET_NAMES):
        if value.startswith(f"{named}:"):
            return f"{named}:{base / value.removeprefix(f'{named}:')}"
    looks_like_file = "/" in value or "\\" in value or "." in value or "*" in value
    return str(base / value) if looks_like_file or key == "out" else value
