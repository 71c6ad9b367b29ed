"""The same science on xarray: labelled, lazy where the input is lazy, with units on everything that comes back.

``assess`` gives the numbers of the command line to float rounding: both walk blocks with ``sinks.onepass``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from sinks import coding, onepass, targets
from sinks.accounts import Account, RegionInfo
from sinks.bibliography import OURS, Citations
from sinks.climate import ZONES
from sinks.coding import Coding
from sinks.coverage import coverage_table, forest_definition
from sinks.ecosystems import classes
from sinks.errors import InputError
from sinks.lattice import Stack
from sinks.layers import CLASS, LAYERS, require_possible
from sinks.legends import Legend
from sinks.parameters import ParameterSet, parameter_set, records
from sinks.pixelarea import pixel_area
from sinks.pixels import BY_LATITUDE, Recipe, look, recipe
from sinks.plotting.assessment import InMemory
from sinks.plotting.plots import Plots
from sinks.plug import BIOMASS_KINDS, Cover, Options
from sinks.quantities import BY_KEY, KEYS, SUMS
from sinks.science import NODATA_CODE, UNKNOWN_CODE, Science
from sinks.sums import merge
from sinks.views import policy_views

BLOCK: Final = 2048
"""Side of the blocks that the account is summed in [pixels]; a multiple of ``onepass.GRAIN``."""


@dataclass(frozen=True)
class Assessment:
    """What :func:`assess` gives back. Nothing is computed before it is asked for.

    maps : Dataset of lazy maps (``ecosystem`` and the quantities); accounts : tidy table; account : with its exact sums;
    coverage : forest coverage by region, variant and denominator.
    """

    landcover: xr.DataArray
    cover: xr.DataArray
    latitude: xr.DataArray
    layers: Mapping[str, xr.DataArray]
    science: Science
    recipe: Recipe
    zones: xr.DataArray
    regions: tuple[RegionInfo, ...]
    context: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def maps(self) -> xr.Dataset:
        """Ecosystem class and every quantity per hectare, float32, NaN where there is none; lazy if the inputs are."""
        keys = (*SUMS, *KEYS)
        values = xr.apply_ufunc(
            self._map_values, self.cover, self.latitude, *self.layers.values(), kwargs={"keys": keys},
            output_core_dims=[["quantity"]], dask="parallelized", output_dtypes=[np.float32],
            dask_gufunc_kwargs={"output_sizes": {"quantity": len(keys)}},
        )  # fmt: skip
        found = {"ecosystem": self._ecosystem()}
        for n, key in enumerate(keys):
            one = values.isel(quantity=n, drop=True)
            one.attrs = {"units": BY_KEY[key].unit, "long_name": BY_KEY[key].name_en, "grid_mapping": "spatial_ref"}
            found[key] = one
        return xr.Dataset(found)

    def _ecosystem(self) -> xr.DataArray:
        one = xr.apply_ufunc(
            self._map_classes,
            self.cover,
            self.latitude,
            *self.layers.values(),
            dask="parallelized",
            output_dtypes=[np.uint8],
        )
        known = [
            (NODATA_CODE, "no data"),
            *((c.code, c.name_en) for c in classes().values()),
            (UNKNOWN_CODE, "unknown class"),
        ]
        one.attrs = {
            "long_name": "Ecosystem class", "units": "1", "flag_values": np.asarray([k for k, _ in known], np.uint8),
            "flag_meanings": " ".join(n.lower().replace(" ", "_").replace(",", "") for _, n in known),
        }  # fmt: skip
        return one

    @cached_property
    def area(self) -> xr.DataArray:
        """Area of every pixel [m²]."""
        return pixel_area(self.landcover)

    @cached_property
    def account(self) -> Account:
        """Sums by region and stratum; computed block by block, so memory stays flat for lazy inputs."""
        n_regions = len(self.regions) + 1
        nothing = onepass.MapRequest((), ())
        parts = []
        for at in _blocks(self.landcover):
            packed, terms = self.packed(
                *(np.asarray(a[at].values) for a in (self.cover, self.latitude, *self.layers.values()))
            )
            place = np.asarray(self.zones[at].values, np.int32)
            seen = onepass.survey(packed, place, n_regions)
            strata = self.science.strata(seen.codes, nothing)
            square_metres = np.ascontiguousarray(self.area[at].values, np.float64)
            parts.append(onepass.run(packed.code, place, square_metres, terms, strata, nothing, seen)[1])
        return Account.build(merge(parts), self.science, self.regions, self.context)

    # ------------------------------------------------------------------ blocks of NumPy arrays

    def packed(
        self, cover: NDArray, latitude: NDArray, *layers: NDArray, earlier: NDArray | None = None
    ) -> tuple[coding.Packed, Stack]:
        """The strata and values of a block; earlier : its covers at an earlier epoch, where the coding asks for them."""
        named = dict(zip(self.layers, layers, strict=True))
        for name, values in named.items():
            require_possible(name, values)
        seen = look(self.recipe, named, latitude, cover.shape)
        terms = Stack.of(seen.terms)
        outer = [cover]
        if self.science.coding.dimensions[0].name == coding.BEFORE and earlier is not None:
            kinds = np.asarray([self.science.ecosystem_code(c) for c in self.science.coding.covers], np.uint8)
            known = (earlier > 1) & (cover > 1)  # no data and unknown come first among the covers
            outer.append(np.where(known & (kinds[earlier] != kinds[cover]), earlier, 0).astype(np.uint8))
        return coding.pack(outer, seen.categories, self.science.coding.radices, terms), terms

    def _map_values(self, *arrays: NDArray, keys: tuple[str, ...]) -> NDArray[np.float32]:
        """Quantities of a chunk (h, w, quantities), NaN where there is none."""
        packed, terms = self.packed(*arrays)
        request = onepass.MapRequest(keys, (0.0,) * len(keys))
        zones, area = np.zeros(packed.code.shape, np.int32), np.ones((packed.code.shape[0], 1))
        seen = onepass.survey(packed, zones, 1)
        strata = self.science.strata(seen.codes, request)
        maps, _ = onepass.run(packed.code, zones, area, terms, strata, request, seen)
        return np.where(maps == onepass.NODATA_FLOAT, np.float32(np.nan), maps).transpose(1, 2, 0)

    def _map_classes(self, *arrays: NDArray) -> NDArray[np.uint8]:
        packed, _ = self.packed(*arrays)
        here = np.unique(packed.code)
        table = np.zeros(int(here[-1]) + 1, np.uint8)
        table[here] = self.science.ecosystem_codes(packed.meaning(here))
        return table[packed.code]

    # ------------------------------------------------------------------ results

    @property
    def accounts(self) -> pd.DataFrame:
        """The tidy account."""
        return self.account.tidy

    @property
    def views(self) -> pd.DataFrame:
        """What each policy heading holds; views overlap and are never summed."""
        return policy_views(self.account)

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """Forest coverage of every region, by variant and denominator, with its basis."""
        definition = forest_definition(self.context["forest_definition"], self.science.parameters)
        return coverage_table(self.account, definition, self.context["legend"], self.context["year"])

    def targets(self, *years: int, document: str = targets.GUIDANCE, whole_nation: bool = False) -> pd.DataFrame:
        """The scorecard against a document's national targets, of some years or all."""
        national = targets.national(years, document)
        return targets.scorecard(self.account, self.coverage, national, whole_nation=whole_nation)

    def cite(self) -> Citations:
        """What must be cited for this result: software, legend and the sources of its coefficients; printed, it is BibTeX."""
        known = next((r["source"] for r in records("legend_index") if r["name"] == self.context["legend"]), OURS)
        legend = () if known == OURS else ((known, "legend of the land cover"),)
        return Citations(tuple(self.science.citations(self._codes_used)), legend)

    @property
    def plot(self) -> Plots:
        """Figures for print: ``result.plot.map("carbon_total").save("carbon.pdf")``; takes matplotlib."""
        return Plots(InMemory(self))

    @property
    def _codes_used(self) -> list[int]:
        """Stratum codes that occur: summing the account resolves every one of them."""
        return self.science.compiled() if len(self.account.keys) else []


def assess(
    landcover: xr.DataArray,
    agb: xr.DataArray | None = None,
    *,
    legend: str | Legend,
    regions: Any = None,
    region_id: str | None = None,
    region_name: str | None = None,
    climate: xr.DataArray | str | None = None,
    parameters: str | ParameterSet = "ipcc",
    forest_definition: str = "china",
    soil_legend: str = "ipcc",
    karst_method: str = "auto",
    permafrost_threshold: float = 0.5,
    year: int | None = None,
    options: Mapping[str, Any] | None = None,
    **layers: xr.DataArray | None,
) -> Assessment:
    """Assess arrays that lie on one grid.

    landcover : class codes (y, x) with a CRS; agb [Mg d.m. ha⁻¹], or agc or volume in its place; legend : name or Legend;
    regions : polygons (a GeoDataFrame) or an array of 1-based region numbers (0 = none);
    climate : IPCC zone codes 1–12, or one zone by name, or None for temperature, precipitation and pet, else latitude;
    options : fields of ``sinks.plug.Options``, e.g. ``{"soil_depth_cm": 30, "forest_age": "secondary_over_20"}``;
    layers : any other of ``sinks.layers.LAYERS`` by name, in its unit.
    Raises InputError when layers do not lie on the grid of the land cover (align them first, or use the command line), are
    not known, or hold values that cannot be.
    """
    known = legend if isinstance(legend, Legend) else Legend.builtin(legend)
    chosen = parameters if isinstance(parameters, ParameterSet) else parameter_set(parameters)
    given = _given(landcover, {"agb": agb, **layers, "climate": climate if isinstance(climate, xr.DataArray) else None})
    choice = _options(chosen, given, options or {})
    how = recipe(
        tuple(given), zone=_zone(climate), soil_legend=soil_legend, soil_depth_cm=choice.soil_depth_cm,
        karst_method=karst_method, permafrost_threshold=permafrost_threshold,
        use_unverified=bool(chosen.settings.get("use_unverified")),
    )  # fmt: skip
    covers, cover = _cover(landcover, known)
    science = Science(Coding(covers, how.dimensions(), how.terms()), chosen, choice)
    zones, infos = _zones(landcover, regions, region_id, region_name)
    context = {
        "parameters": chosen.name, "legend": known.name, "year": year, "forest_definition": forest_definition,
        "soil_depth_cm": choice.soil_depth_cm, "biomass": choice.biomass,
    }  # fmt: skip
    latitude = _latitude(landcover, how.zone)
    return Assessment(landcover, cover, latitude, given, science, how, zones, infos, context)


# ------------------------------------------------------------------------------------------ layers


def _on_grid(landcover: xr.DataArray, layer: xr.DataArray, name: str) -> xr.DataArray:
    """The layer, if its coordinates are those of the land cover to a hundredth of a pixel."""
    if layer.dims != landcover.dims or layer.shape != landcover.shape:
        raise InputError(
            f"{name} is {dict(layer.sizes)} but the land cover is {dict(landcover.sizes)}; align it to that grid first"
        )
    for dim in landcover.dims:
        if dim in landcover.coords and dim in layer.coords and landcover.sizes[dim] > 1:
            ours, theirs = landcover[dim].values, layer[dim].values
            if np.abs(ours - theirs).max() > 0.01 * abs(float(ours[1] - ours[0])):
                raise InputError(f"{name} does not lie on the grid of the land cover along {dim}; align it first")
            layer = layer.assign_coords({dim: landcover[dim]})
    return layer


def _cover(landcover: xr.DataArray, legend: Legend) -> tuple[tuple[Cover, ...], xr.DataArray]:
    """Covers of a legend, and the place of each pixel's."""
    covers: list[Cover] = [coding.NODATA, coding.UNKNOWN]
    place: dict[int, int] = {}
    for value, c in sorted(legend.by_value().items()):
        cover = coding.NODATA if c.ecosystem == "nodata" else Cover(c.ecosystem, c.forest_type, c.subclass)
        if cover not in covers:
            covers.append(cover)
        place[value] = covers.index(cover)
    for key in ("_FillValue", "nodata"):
        fill = landcover.attrs.get(key, landcover.encoding.get(key))
        if fill is not None and np.isfinite(fill):
            place[int(fill)] = 0

    def look_up(values: NDArray) -> NDArray[np.uint8]:
        out = np.full(values.shape, 1, np.uint8)
        for value, where in place.items():
            out[values == value] = where
        if values.dtype.kind == "f":
            out[np.isnan(values)] = 0
        return out

    return tuple(covers), xr.apply_ufunc(look_up, landcover, dask="parallelized", output_dtypes=[np.uint8])


def _given(landcover: xr.DataArray, layers: Mapping[str, xr.DataArray | None]) -> dict[str, xr.DataArray]:
    """The layers that are there, on the grid: classes as uint8, 255 where there is none, and values as float32."""
    found = {}
    for name, layer in layers.items():
        if layer is None:
            continue
        if name not in LAYERS or name in ("landcover", "canopy"):
            close = difflib.get_close_matches(name, LAYERS, n=1)
            raise InputError(f"there is no layer '{name}'" + (f"; did you mean '{close[0]}'?" if close else ""))
        on_grid = _on_grid(landcover, layer, name)
        is_class = LAYERS[name].kind == CLASS
        found[name] = on_grid.fillna(255).astype(np.uint8) if is_class else _finite(on_grid.astype(np.float32))
    biomass = [kind for kind in BIOMASS_KINDS if kind in found]
    if len(biomass) > 1:
        raise InputError(f"only one biomass layer can be used, not {' and '.join(biomass)}")
    return found


def _finite(values: xr.DataArray) -> xr.DataArray:
    """Infinite is absent, as it is in files."""
    return values.where(np.isfinite(values))


def _options(chosen: ParameterSet, given: Mapping[str, Any], options: Mapping[str, Any]) -> Options:
    unknown = [k for k in options if k not in Options.__dataclass_fields__ or k == "biomass"]
    if unknown:
        raise InputError(f"there is no option '{unknown[0]}'; known: {', '.join(Options.__dataclass_fields__)}")
    base = Options(
        biomass=next((kind for kind in BIOMASS_KINDS if kind in given), "agb"),
        soil_depth_cm=int(chosen.settings["soil_depth_cm"]),
        continent=str(chosen.settings["continent"]),
    )
    return replace(base, **options)


def _zone(climate: xr.DataArray | str | None) -> int:
    """Number of the one zone of the whole map, if it is given by name."""
    if not isinstance(climate, str):
        return BY_LATITUDE
    if climate not in ZONES:
        raise InputError(f"unknown climate zone '{climate}'; known: {', '.join(ZONES)}")
    return ZONES.index(climate) + 1


def _latitude(landcover: xr.DataArray, zone: int) -> xr.DataArray:
    """Latitude of every pixel, NaN on a projected grid, where zones must be told."""
    y, _ = landcover.dims[-2:]
    latitude = landcover[y]
    if float(abs(latitude).max()) > 90:
        if zone == BY_LATITUDE:
            raise InputError("zones by latitude need a geographic grid; give climate, as an array or by name")
        latitude = xr.full_like(latitude, np.nan, dtype=np.float64)
    column = xr.DataArray(latitude.values.astype(np.float32), dims=(y,), coords={y: landcover[y]})
    return column.broadcast_like(landcover).transpose(*landcover.dims)


def _zones(
    landcover: xr.DataArray, regions: Any, region_id: str | None, region_name: str | None
) -> tuple[xr.DataArray, tuple[RegionInfo, ...]]:
    """Region number of every pixel (0 = none), and what is known of the regions."""
    if regions is None:
        return xr.full_like(landcover, 1, dtype=np.int32), (RegionInfo("all", "whole map"),)
    if isinstance(regions, xr.DataArray):
        zones = _on_grid(landcover, regions, "regions").fillna(0).astype(np.int32)
        return zones, tuple(RegionInfo(str(n + 1)) for n in range(int(zones.max())))
    if not hasattr(regions, "geometry"):
        raise InputError("regions must be a GeoDataFrame or an array of region numbers")
    ids = regions[region_id] if region_id else regions.index
    names = regions[region_name] if region_name else [""] * len(regions)
    crs = landcover.coords["spatial_ref"].attrs.get("crs_wkt") if "spatial_ref" in landcover.coords else None
    shapes = regions.to_crs(crs).geometry if crs and regions.crs else regions.geometry
    infos = tuple(RegionInfo(str(i), str(n)) for i, n in zip(ids, names, strict=True))
    if len({r.id for r in infos}) < len(infos):
        raise InputError("two regions have the same id; name a column of unique ids with region_id")
    return _burn(landcover, list(shapes)), infos


def _burn(landcover: xr.DataArray, shapes: Sequence[Any]) -> xr.DataArray:
    """Number of the first polygon that contains each pixel's centre."""
    y, x = landcover.dims[-2:]
    xs, ys = landcover[x].values, landcover[y].values
    zones = np.zeros(landcover.shape, np.int32)
    for number, shape in enumerate(shapes, start=1):
        west, south, east, north = shape.bounds
        cols = np.flatnonzero((xs >= west) & (xs <= east))
        rows = np.flatnonzero((ys >= south) & (ys <= north))
        if not cols.size or not rows.size:
            continue
        shapely.prepare(shape)
        at = np.ix_(rows, cols)
        inside = shapely.contains_xy(shape, *np.meshgrid(xs[cols], ys[rows]))
        zones[at] = np.where((zones[at] == 0) & inside, number, zones[at])
    return xr.DataArray(zones, dims=landcover.dims, coords={y: landcover[y], x: landcover[x]})


# ------------------------------------------------------------------------------------------ blocks


def _blocks(landcover: xr.DataArray) -> Iterator[tuple[slice, slice]]:
    height, width = landcover.shape
    for row in range(0, height, BLOCK):
        for col in range(0, width, BLOCK):
            yield slice(row, min(row + BLOCK, height)), slice(col, min(col + BLOCK, width))
