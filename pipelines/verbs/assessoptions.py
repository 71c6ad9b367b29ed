"""The options of ``sinks assess``, which other verbs share, and the study that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from sinks.errors import InputError
from sinks.layers import LAYERS


def _layer_options() -> list[Callable[..., Any]]:
    """A flag for every layer but the land cover."""
    found = []
    for layer in LAYERS.values():
        if layer.name != "landcover":
            unit = f" [{layer.unit}]" if layer.unit not in ("", "1") else " [0-1]" if layer.unit == "1" else ""
            found.append(click.option(layer.flag, help=layer.about.rstrip(".") + unit + ".", multiple=True))
    return found


def assess_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--landcover", help="Land-cover raster: path, URL, glob or GDAL name. Repeat for tiles.", multiple=True),
        click.option("--legend", help="Legend: a name ('sinks legends') or a CSV file."),
        *_layer_options(),
        click.option("--soil-profile", help="Soil properties by depth: a CSV of rasters, or a folder of SoilGrids maps."),
        click.option("--soil-legend", help="Codes of --soil: ipcc or soilgrids_wrb.  [ipcc]"),
        click.option("--regions", help="Region polygons: any vector file."),
        click.option("--region-id", help="Column with the regions' codes."),
        click.option("--region-name", help="Column with the regions' names."),
        click.option("--region-layer", help="Layer of the vector file."),
        click.option("--parameters", help="Set (china, ipcc, auto), your CSV, or invest:POOLS.csv.  [auto]"),
        click.option("--use-unverified", is_flag=True, default=None, help="Also use numbers no source confirms; said."),
        click.option("--volume-method", help="cbef, bcef, ratio or wood_density."),
        click.option("--soil-depth", type=int, help="30 or 100 cm.  [of the parameter set]"),
        click.option("--coast-soil", help="What goes first on coasts: table or layer.  [table]"),
        click.option("--flux-method", help="Yearly fluxes: published_rate, emission_factor or none.  [published_rate]"),
        click.option("--forest-age", help="Age class of the growth table, e.g. secondary_over_20; tells gains."),
        click.option("--tillage", help="full_tillage, reduced_tillage or no_till.  [full_tillage]"),
        click.option("--carbon-input", help="low, medium, high_without_manure, high_with_manure, for cropland.  [medium]"),
        click.option("--grazing", help="nominal, high_intensity_grazing, severely_degraded or improved.  [nominal]"),
        click.option("--karst-method", help="auto, bicarbonate, gem_co2 or dissolution.  [auto]"),
        click.option("--budyko-w", type=float, help="Parameter of the Budyko-Fu curve; without it Turc's formula."),
        click.option("--strong-acid-share", type=float, help="Part of the carbonate that strong acids dissolve.  [0]"),
        click.option("--permafrost-threshold", type=float, help="Least share or probability of permafrost.  [0.5]"),
        click.option("--error-range", type=float, help="Range over which errors of the biomass map are correlated [km].  [100]"),
        click.option("--error-model", help="spherical or exponential.  [spherical]"),
        click.option("--draws", type=int, help="Monte Carlo draws of the coefficients, 0 for propagation alone.  [10000]"),
        click.option("--seed", type=int, help="Seed of the draws.  [1]"),
        click.option("--continent", help="asia, europe, africa, americas or oceania, for root-to-shoot ratios."),
        click.option("--forest-origin", help="natural or planted, for root-to-shoot ratios.  [natural]"),
        click.option("--forest-definition", help="china or fao.  [china]"),
        click.option("--canopy-threshold", type=float, help="Least canopy cover of forest [%]."),
        click.option("--minimum-patch", type=float, help="Smallest stand that counts as forest [ha]."),
        click.option("--special-shrub-fraction", type=float, help="Share of shrubland counted as special shrub forest."),
        click.option("--mangrove-is-forest/--mangrove-is-not-forest", default=None, help="For the coverage rate."),
        click.option("--inland-water", help="Water as land area: auto, include or exclude."),
        click.option("--year", type=int, help="Year the maps stand for."),
        click.option("--targets", help="Your regional targets (CSV)."),
        click.option("--target-document", help="National targets of which document.  [guidance_2021]"),
        click.option("--whole-nation", is_flag=True, default=None, help="The regions together are the nation."),
        click.option("--maps", help="Comma-separated maps to write, or none.  [all]"),
        click.option("--map-type", help="uint16 (steps of 0.1) or float32.  [uint16]"),
        click.option("--layer", "layer_options", multiple=True, metavar="NAME.KEY=VALUE",
                     help="What a file does not say, e.g. agb.nodata=0, agb.crs=EPSG:4326, agb.scale=0.1, agb.kind=amount."),
        click.option("--block-size", type=int, help="Side of a block [pixels], a multiple of 1024."),
        click.option("--workers", type=int, help="Threads.  [all cores]"),
        click.option("--scheduler", help="Dask scheduler, e.g. tcp://host:8786."),
        click.option("--cluster", help="TOML file that tells how to start a Dask cluster (docs/cluster.md)."),
        click.option("--dashboard", is_flag=True, default=None, help="Show the link of Dask's dashboard, on this machine only."),
        click.option("--performance-report", help="Write Dask's performance report, an HTML file."),
        click.option("--memory", type=float, help="Most memory for blocks [GiB]."),
        click.option("--overwrite", is_flag=True, default=None, help="Replace an earlier run in the output folder."),
        click.option("--fresh", is_flag=True, default=None, help="Throw away what an unfinished run left, and start afresh."),
        click.option("--quiet", "-q", is_flag=True, default=None, help="No progress bar."),
        click.option("--json", "as_json", is_flag=True, help="Print results as JSON."),
        click.option("--out", help="Output folder."),
    ]  # fmt: skip
    for option in reversed(options):
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
    from pipelines.assess import study

    options = collected(given, layer_options)
    return study.from_toml(assessment, **options) if assessment else study.checked(options)
