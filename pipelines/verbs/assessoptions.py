"""The options of ``sinks assess``, which other verbs share, and the study that they make."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from pipelines.verbs import paint
from pipelines.verbs.answers import Sectioned
from pipelines.verbs.starting import loading
from sinks.errors import InputError
from sinks.layers import LAYERS

_RASTERS: Final = (".tif", ".tiff", ".vrt", ".img", ".nc", ".jp2")
_MAIN_LAYERS: Final = ("agb", "agc", "volume", "agb_sd", "canopy", "climate", "soc")
"""Layers that many have; the others come under a heading of their own."""


def in_section(section: str) -> Callable[..., Callable[..., Any]]:
    """``click.option`` for a heading of the help."""
    return functools.partial(click.option, cls=Sectioned, section=section)


def _layer_options(section: str, names: Iterable[str]) -> list[Callable[..., Any]]:
    """A flag for each layer."""
    o = in_section(section)
    found = []
    for layer in (LAYERS[name] for name in names):
        unit = f" [{layer.unit}]" if layer.unit not in ("", "1") else " [0-1]" if layer.unit == "1" else ""
        found.append(o(layer.flag, help=layer.about.rstrip(".") + unit + ".", multiple=True))
    return found


DRY_RUN: Final = click.option(
    "--dry-run", is_flag=True, cls=Sectioned, section="Running",
    help="Say what would be done: grid, blocks, memory, disk, time. Writes nothing.",
)  # fmt: skip


def _input_options() -> list[Callable[..., Any]]:
    o = in_section("Inputs")
    others = [name for name in LAYERS if name not in (*_MAIN_LAYERS, "landcover")]
    return [
        o("--landcover", help="Land-cover raster: path, URL, glob or GDAL name. Repeat for tiles.", multiple=True),
        o("--legend", help="Legend: a name ('sinks legends') or a CSV file."),
        *_layer_options("Inputs", _MAIN_LAYERS),
        o("--layer", "layer_options", multiple=True, metavar="NAME.KEY=VALUE",
                     help="What a file does not say, e.g. agb.nodata=0, agb.crs=EPSG:4326, agb.scale=0.1, agb.kind=amount."),
        *_layer_options("More layers", others),
        *_profile_options(),
    ]  # fmt: skip


def _profile_options() -> list[Callable[..., Any]]:
    o = in_section("More layers")
    return [
        o("--soil-profile", help="Soil properties by depth: a CSV of rasters, or a folder of SoilGrids maps."),
        o("--soil-legend", help="Codes of --soil: ipcc or soilgrids_wrb.  [ipcc]"),
    ]


def _region_options() -> list[Callable[..., Any]]:
    found: list[Callable[..., Any]] = []
    o = in_section("Regions")
    found += [
        o("--regions", help="Region polygons: any vector file."),
        o("--region-id", help="Column with the regions' codes."),
        o("--region-name", help="Column with the regions' names."),
        o("--region-layer", help="Layer of the vector file."),
    ]  # fmt: skip
    o = in_section("Targets")
    found += [
        o("--targets", help="Your regional targets (CSV)."),
        o("--target-document", help="National targets of which document.  [guidance_2021]"),
        o("--whole-nation", is_flag=True, default=None, help="The regions together are the nation."),
    ]  # fmt: skip
    return found


def _science_options() -> list[Callable[..., Any]]:
    found: list[Callable[..., Any]] = []
    o = in_section("Science")
    found += [
        o("--parameters", help="Set (china, ipcc, auto), your CSV, or invest:POOLS.csv.  [auto]"),
        o("--use-unverified", is_flag=True, default=None, help="Also use numbers no source confirms; said."),
        o("--volume-method", help="cbef, bcef, ratio or wood_density."),
        o("--soil-depth", type=int, help="30 or 100 cm.  [of the parameter set]"),
        o("--coast-soil", help="What goes first on coasts: table or layer.  [table]"),
        o("--flux-method", help="Yearly fluxes: published_rate, emission_factor or none.  [published_rate]"),
        o("--forest-age", help="Age class of the growth table, e.g. secondary_over_20; tells gains."),
        o("--tillage", help="full_tillage, reduced_tillage or no_till.  [full_tillage]"),
        o("--carbon-input", help="low, medium, high_without_manure, high_with_manure, for cropland.  [medium]"),
        o("--grazing", help="nominal, high_intensity_grazing, severely_degraded or improved.  [nominal]"),
        o("--karst-method", help="auto, bicarbonate, gem_co2 or dissolution.  [auto]"),
        o("--budyko-w", type=float, help="Parameter of the Budyko-Fu curve; without it Turc's formula."),
        o("--strong-acid-share", type=float, help="Part of the carbonate that strong acids dissolve.  [0]"),
        o("--permafrost-threshold", type=float, help="Least share or probability of permafrost.  [0.5]"),
        o("--continent", help="asia, europe, africa, americas or oceania, for root-to-shoot ratios."),
        o("--forest-origin", help="natural or planted, for root-to-shoot ratios.  [natural]"),
        o("--year", type=int, help="Year the maps stand for."),
    ]  # fmt: skip
    o = in_section("Certainty")
    found += [
        o("--error-range", type=float, help="Range over which errors of the biomass map are correlated [km].  [100]"),
        o("--error-model", help="spherical or exponential.  [spherical]"),
        o("--draws", type=int, help="Monte Carlo draws of the coefficients, 0 for propagation alone.  [10000]"),
        o("--seed", type=int, help="Seed of the draws.  [1]"),
    ]  # fmt: skip
    o = in_section("Forest definition")
    found += [
        o("--forest-definition", help="china or fao.  [china]"),
        o("--canopy-threshold", type=float, help="Least canopy cover of forest [%]."),
        o("--minimum-patch", type=float, help="Smallest stand that counts as forest [ha]."),
        o("--special-shrub-fraction", type=float, help="Share of shrubland counted as special shrub forest."),
        o("--mangrove-is-forest/--mangrove-is-not-forest", default=None, help="For the coverage rate."),
        o("--inland-water", help="Water as land area: auto, include or exclude."),
    ]  # fmt: skip
    return found


def _running_options() -> list[Callable[..., Any]]:
    found: list[Callable[..., Any]] = []
    o = in_section("Output")
    found += [
        o("--out", help="Output folder."),
        o("--maps", help="Comma-separated maps to write, or none.  [all]"),
        o("--map-type", help="uint16 (steps of 0.1) or float32.  [uint16]"),
        o("--map-layout", help="whole: a file a map; shards: a file a block, under a VRT.  [whole]"),
        o("--overwrite", is_flag=True, default=None, help="Replace an earlier run in the output folder."),
        o("--json", "as_json", is_flag=True, help="Print results as JSON."),
    ]  # fmt: skip
    o = in_section("Running")
    found += [
        o("--workers", type=int, help="Threads.  [all cores]"),
        o("--memory", type=float, help="Most memory for blocks [GiB]."),
        o("--block-size", type=int, help="Side of a block [pixels], a multiple of 1024."),
        o("--scheduler", help="Dask scheduler, e.g. tcp://host:8786."),
        o("--cluster", help="TOML file that tells how to start a Dask cluster (docs/cluster.md)."),
        o("--dashboard", is_flag=True, default=None, help="Show the link of Dask's dashboard, on this machine only."),
        o("--performance-report", help="Write Dask's performance report, an HTML file."),
        o("--allow-missing-tiles", is_flag=True, default=None,
          help="Go on without tiles that an index lists and that are not there; their area is told as missing."),
        o("--allow-network", is_flag=True, default=None,
                     help="Let files lead to the network: addresses in an assessment file or in a VRT."),
        o("--only-within", multiple=True, help="Folder in which all inputs must lie. Repeat for more."),
        o("--fresh", is_flag=True, default=None, help="Throw away what an unfinished run left, and start afresh."),
        o("--quiet", "-q", is_flag=True, default=None, help="No progress bar."),
    ]  # fmt: skip
    return found


def assess_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """All options of an assessment, for a ``Command``."""
    every = [*_input_options(), *_region_options(), *_science_options(), *_running_options()]
    for option in reversed(every):
        function = option(function)
    return function


def _layers(pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """``agb.nodata=0`` … as a table by layer and key."""
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, dot, rest = pair.partition(".")
        key, equals, value = rest.partition("=")
        if not (dot and equals):
            raise InputError(f"--layer is '{pair}'; write NAME.KEY=VALUE, e.g. --layer agb.nodata=0")
        found.setdefault(name, {})[key] = _plain(key, value, pair)
    return found


def _plain(key: str, value: str, pair: str) -> Any:
    if key not in ("band", "nodata", "scale", "offset"):
        return value
    try:
        return int(value) if key == "band" else float(value)
    except ValueError:
        raise InputError(f"--layer is '{pair}', where '{value}' is no number") from None


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was given; one tile is a path, several are a list."""
    options = {k: v for k, v in given.items() if v is not None and v != ()}
    for key, value in options.items():
        if isinstance(value, tuple):
            options[key] = value[0] if len(value) == 1 else list(value)
    return options


def collected(given: Mapping[str, Any], layer_options: tuple[str, ...]) -> dict[str, Any]:
    """What was given of the options that ``sinks assess`` has."""
    options = _options(given)
    if layers := _layers(layer_options):
        options["layers"] = layers
    return options


def study_of(assessment: Path | None, layer_options: tuple[str, ...], given: Mapping[str, Any]) -> Any:
    with loading():
        from pipelines.assess import study

    options = collected(given, layer_options)
    if assessment is None and not options.keys() - {"out"}:
        raise InputError(
            "nothing is named to assess: give an assessment file, or --landcover, --legend and --out; 'sinks new FOLDER' writes "
            "such a file by looking at your rasters, and 'sinks demo' shows a run"
        )
    if assessment is not None and assessment.suffix.lower() in _RASTERS:
        raise InputError(
            f"{assessment} is a raster and no assessment file; give it with --landcover, or let 'sinks new {assessment}' write "
            f"the file"
        )
    return study.from_toml(assessment, **options) if assessment else study.checked(options)


def told(found: Mapping[str, Any], as_json: bool, last: str) -> None:
    """A plan on the screen; ``last`` is its last line."""
    from pipelines.assess import check

    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(check.text(found, paint.painted(last, "good")))
