"""Forest, and trees outside forest: five carbon pools and growing stock from biomass or from volume, and growth.

Equations: IPCC 2006 Guidelines and 2019 Refinement, Vol. 4, Ch. 2 and 4; growing stock as in ``sinks.growingstock``.
Volume is stem volume of arbor forest; bamboo and shrub carry none (China's inventory, and FAO's). Without a biomass value
the set's mean density of the forest type is taken where it has one, else biomass is not estimated.

Zones. Root-to-shoot ratios and growth are keyed by FAO's ecological zones, taken from a layer, else from what the climate
zone stands for. Growth (2019 Refinement, Table 4.9) is estimated only when an age class is asked for, and only of natural
arbor forest whose biomass is known, since the roots' share depends on it: it is a gain, losses are not taken off.

Root-to-shoot ratios jump between biomass classes, so carbon below ground may fall where biomass rises past 125 (boreal:
75) Mg d.m. ha⁻¹; nothing else ever falls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sinks import biomass
from sinks.densities import BIOMASS, density_carbon, density_coefficients
from sinks.errors import InputError
from sinks.growingstock import (
    VolumeCurve,
    bcef_curve,
    biomass_by_cbef,
    mean_curve,
    volume_by_cbef,
    volume_by_wood_density,
)
from sinks.parameters import Coefficient, ParameterSet, Row, parameter_set, records
from sinks.plug import Coefficients, Cover, Ecosystem, EcosystemClass, Options, Stratum
from sinks.quantities import BY_KEY
from sinks.soilcarbon import soil_carbon, soil_coefficients

if TYPE_CHECKING:
    import xarray as xr

Array = Any

LEAF_TYPES: Final = ("needleleaf", "broadleaf", "mixed", "bamboo", "unspecified")
TREES_OUTSIDE: Final = "trees_outside_forest"

_RAIN: Final = {
    "tropical_wet": "gt1600",
    "tropical_moist": "1000_1600",
    "tropical_dry": "le1000",
    "tropical_montane": "1000_1600",
}
"""Rain class of the dead-wood table for a climate zone, where no rain layer says more [design]."""
_ALTITUDE: Final = "le2000"
"""Altitude class of the dead-wood table where no elevation layer says more [design]."""


def forest_types() -> dict[str, Mapping[str, str]]:
    """Every forest type by key: its leaf type and the rows of the volume tables that stand for it."""
    return {row["forest_type"]: row for row in records("forest_types")}


def leaf_type(forest_type: str) -> str:
    """needleleaf, broadleaf, mixed, bamboo or unspecified. Raises InputError for an unknown forest type."""
    known = forest_types()
    if forest_type not in known:
        raise InputError(f"unknown forest type '{forest_type}'; known: {', '.join(sorted(known))}")
    return known[forest_type]["leaf"]


def zone_of(climate: str) -> Mapping[str, str]:
    """What an IPCC climate zone stands for in the tables that are keyed by other zones. Raises InputError if unknown."""
    for row in records("climate_zones"):
        if row["key"] == climate:
            return row
    known = ", ".join(row["key"] for row in records("climate_zones"))
    raise InputError(f"unknown climate zone '{climate}'; known: {known}")


def ecozone_of(key: str) -> Mapping[str, str]:
    """A row of ``ecozones.csv``: which rows of the zone tables stand for an ecological zone. Raises InputError if unknown."""
    for row in records("ecozones"):
        if row["key"] == key:
            return row
    known = ", ".join(row["key"] for row in records("ecozones"))
    raise InputError(f"unknown ecozone '{key}'; known: {known}")


# ---------------------------------------------------------------------------- coefficients of a stratum


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """Every number a forest stratum needs. Raises InputError naming what no table of the set has."""
    values = soil_coefficients(stratum, parameters, options)
    forest_type = stratum.cover.forest_type
    if options.biomass not in stratum.present:
        density = _mean_density(stratum, parameters)
        return Coefficients(values | density, method="mean density" if density else "no biomass value")
    leaf = leaf_type(forest_type)
    if options.biomass == "volume" and leaf == "bamboo":
        density = _mean_density(stratum, parameters)
        return Coefficients(values | density, method="bamboo has no growing stock to derive biomass from")
    zone = zone_of(stratum.climate)
    values |= carbon_fractions(forest_type, parameters)
    values |= _roots(stratum, zone, parameters, options)
    values |= _dead_matter(stratum, zone, parameters)
    if leaf == "bamboo":
        return Coefficients(values, method="bamboo: no growing stock")
    if options.forest_age and stratum.cover.ecosystem != TREES_OUTSIDE:
        values |= _growth(stratum, parameters, options)
    volume, curve, method = _volume(forest_type, zone, parameters, options)
    return Coefficients(values | volume, curve, method)


def _mean_density(stratum: Stratum, parameters: ParameterSet) -> dict[str, Coefficient]:
    """Biomass carbon of the forest type [Mg C ha⁻¹], of sets that have one (bamboo, or the user's own)."""
    cover = replace(stratum.cover, subclass=stratum.cover.forest_type)
    return density_coefficients(replace(stratum, cover=cover), parameters, BIOMASS)


def _taxa(forest_type: str) -> tuple[str, ...]:
    """What a forest type may be called in a table, the closest first: itself, its taxon, its leaf type."""
    names = (forest_type, forest_types()[forest_type]["taxon"], leaf_type(forest_type), _leaf_of_roots(forest_type))
    return tuple(dict.fromkeys(name for name in names if name))


def _leaf_of_roots(forest_type: str) -> str:
    """Leaf type that Table 4.4 keys a forest type by; it has mixed forest for whatever is neither."""
    leaf = leaf_type(forest_type)
    return leaf if leaf in ("needleleaf", "broadleaf") else "mixed"


def _rows_of(forest_type: str, parameters: ParameterSet, topic: str, name: str, **keys: str) -> list[Row]:
    """Rows for the closest name of the forest type that a table has rows of its own for, else those for any type."""
    rows: list[Row] = []
    for taxon in _taxa(forest_type):
        rows = parameters.rows(topic, name, forest_type=taxon, **keys)
        if rows and rows[0].keys.get("forest_type") == taxon:
            return rows
    return rows


def carbon_fractions(forest_type: str, parameters: ParameterSet) -> dict[str, Coefficient]:
    """Carbon fraction of every part of a forest type by name, those of all forest where it has none of its own."""
    found = {}
    for part in ("agb", "bgb", "deadwood", "litter"):
        keys = {"ecosystem": "forest", "component": part}
        rows = _rows_of(forest_type, parameters, "carbon_fraction", "carbon_fraction", **keys)
        found[f"carbon_fraction_{part}"] = (
            rows[0].coefficient if rows else parameters.find("carbon_fraction", "carbon_fraction", **keys)
        )
    return found


def _roots(
    stratum: Stratum, zone: Mapping[str, str], parameters: ParameterSet, options: Options
) -> dict[str, Coefficient]:
    forest_type = stratum.cover.forest_type
    keys = {"ecosystem": "forest", "continent": options.continent, "origin": options.origin}
    if power := _rows_of(forest_type, parameters, "root_shoot", "coefficient", **keys):
        exponent = _rows_of(forest_type, parameters, "root_shoot", "exponent", **keys)
        return {"root_coefficient": power[0].coefficient, "root_exponent": exponent[0].coefficient}
    # A climate zone stands for several ecozones; not every continent has them all in the table.
    ecozones = zone["ecozone"].split(";")
    if stratum.ecozone:
        ecozones = [ecozone_of(stratum.ecozone)["root_shoot_ecozone"]]
    found = [_rows_of(forest_type, parameters, "root_shoot", "root_shoot", ecozone=z, **keys) for z in ecozones]
    best = next((rows for rows in found if rows), [])
    if not best:  # raises, naming the combination
        parameters.find(
            "root_shoot", "root_shoot", ecozone=ecozones[0], forest_type=_leaf_of_roots(forest_type), **keys
        )
    classes = sorted((r for r in best if _same_but_class(r, best[0])), key=lambda r: float(r.keys.get("agb_min") or 0))
    cap = parameters.find("choices", "root_shoot_cap")
    ratios = {f"root_shoot_{n}": _capped(row.coefficient, cap) for n, row in enumerate(classes)}
    for n, row in enumerate(classes[1:]):
        ratios[f"root_shoot_edge_{n}"] = replace(
            row.coefficient, name="root_shoot_edge", value=float(row.keys["agb_min"]), unit="Mg d.m. ha-1", low=np.nan,
            high=np.nan,
        )  # fmt: skip
    return ratios


def _same_but_class(row: Row, other: Row) -> bool:
    """Whether two rows are biomass classes of one entry of the table."""
    return all(v == other.keys[k] for k, v in row.keys.items() if not k.startswith("agb_"))


def _capped(ratio: Coefficient, cap: Coefficient) -> Coefficient:
    return ratio if ratio.value <= cap.value else cap


def _dead_matter(stratum: Stratum, zone: Mapping[str, str], parameters: ParameterSet) -> dict[str, Coefficient]:
    """Dead wood and litter per AGB by domain, altitude and rain (CDM AR-TOOL12 as in Harris et al. 2021, Table S4).

    The domain is the ecozone's where the layer has one: outside the tropical zones of climate it needs the rain, or an
    altitude above 2000 m, without which the climate zone's own domain holds.
    """
    keys = {
        "elevation_class": stratum.altitude or _ALTITUDE,
        "precipitation_class": stratum.rain or _RAIN.get(stratum.climate, ""),
    }
    domain = ecozone_of(stratum.ecozone)["climate_domain"] if stratum.ecozone else zone["climate_domain"]
    if not parameters.has("deadwood_litter", "deadwood_ratio", climate_domain=domain, **keys):
        domain = zone["climate_domain"]
    keys["climate_domain"] = domain
    return {name: parameters.find("deadwood_litter", name, **keys) for name in ("deadwood_ratio", "litter_ratio")}


def _growth(stratum: Stratum, parameters: ParameterSet, options: Options) -> dict[str, Coefficient]:
    """G_W [Mg d.m. ha⁻¹ yr⁻¹] of the ecozone, else of the ecozones that the climate zone stands for, in their order."""
    zones = [stratum.ecozone] if stratum.ecozone else growth_ecozones(stratum.climate)
    keys = {"continent": options.continent, "origin": options.origin, "age_class": options.forest_age}
    rows = [ecozone_of(zone)["growth_ecozone"] for zone in zones]
    best = next((z for z in rows if parameters.has("growth", "agb_growth", ecozone=z, **keys)), rows[0])
    return {"agb_growth": parameters.find("growth", "agb_growth", ecozone=best, **keys)}


def growth_ecozones(climate: str) -> list[str]:
    """Ecozones that a climate zone stands for in the growth table. Raises InputError for an unknown climate zone."""
    zone_of(climate)
    return [row["key"] for row in records("ecozones") if climate in row["growth_climates"].split(";")]


# ---------------------------------------------------------------------------- growing stock

_Volume = tuple[dict[str, Coefficient], VolumeCurve | None, str]


def _volume(forest_type: str, zone: Mapping[str, str], parameters: ParameterSet, options: Options) -> _Volume:
    methods = options.volume_methods or parameters.schemes["growing_stock"]
    for method in methods:
        if method not in _VOLUME_METHODS:
            raise InputError(f"unknown volume method '{method}'; known: {', '.join(_VOLUME_METHODS)}")
        if found := _VOLUME_METHODS[method](forest_type, zone, parameters):
            return found
    raise InputError(
        f"parameter set '{parameters.name}' has no way from biomass to volume for forest type '{forest_type}' "
        f"(tried {', '.join(methods)}); choose another with --volume-method"
    )


def _by_cbef(forest_type: str, zone: Mapping[str, str], parameters: ParameterSet) -> _Volume | None:
    """B = a·V + b of the forest type's own row, else of its group."""
    row = forest_types()[forest_type]
    schemes = tuple(row["cbef_schemes"].split(";")) if row["cbef_schemes"] else None
    keys = {"forest_type": row["cbef"], "biomass_scope": "total"}
    for scheme in schemes or parameters.schemes.get("cbef", ()):
        slope, intercept = (parameters.rows("cbef", name, schemes=(scheme,), **keys) for name in "ab")
        if slope and intercept:
            choices = {n: parameters.find("choices", n) for n in ("cbef_chord_volume", "foliage_fraction")}
            pair = {"cbef_a": slope[0].coefficient, "cbef_b": intercept[0].coefficient}
            return pair | choices, None, f"continuous BEF, {scheme}, {row['cbef']}"
    return None


def _by_ratio(forest_type: str, zone: Mapping[str, str], parameters: ParameterSet) -> _Volume | None:
    """One national ratio AGB / growing stock."""
    if not parameters.has("volume_ratio", "agb_per_volume"):
        return None
    return {"agb_per_volume": parameters.find("volume_ratio", "agb_per_volume")}, None, "AGB per volume"


def _by_bcef(forest_type: str, zone: Mapping[str, str], parameters: ParameterSet) -> _Volume | None:
    """IPCC's BCEF_S of the zone; the mean of needleleaf and broadleaf volume where the leaf type is not known."""
    table_zone = zone["bcef_zone"]
    types = [t for t in forest_types()[forest_type][f"bcef_{table_zone}"].split(";") if t]
    curves: list[VolumeCurve] = []
    used: dict[str, Coefficient] = {}
    for bcef_type in types:
        rows = parameters.rows("bcef", "bcef_s", bcef_zone=table_zone, bcef_type=bcef_type)
        if not rows:
            return None
        edges = [(float(r.keys["volume_min"]), float(r.keys["volume_max"])) for r in rows]
        curves.append(bcef_curve([e[0] for e in edges], [e[1] for e in edges], [r.coefficient.value for r in rows]))
        used |= {f"bcef_s_{bcef_type}_from_{r.keys['volume_min']}": r.coefficient for r in rows}
    if not curves:
        return None
    curve = curves[0] if len(curves) == 1 else mean_curve(*curves)
    return used, curve, f"BCEF_S, {table_zone}, {' and '.join(types)}"


def _by_wood_density(forest_type: str, zone: Mapping[str, str], parameters: ParameterSet) -> _Volume | None:
    """Wood density × BEF of the forest type's taxon."""
    for taxon in dict.fromkeys((forest_type, forest_types()[forest_type]["taxon"])):
        pair = {name: parameters.rows(name, name, taxon=taxon) for name in ("wood_density", "bef")} if taxon else {}
        if pair and all(pair.values()):
            return {name: rows[0].coefficient for name, rows in pair.items()}, None, f"wood density × BEF, {taxon}"
    return None


_VOLUME_METHODS: Final[dict[str, Callable[[str, Mapping[str, str], ParameterSet], _Volume | None]]] = {
    "cbef": _by_cbef,
    "ratio": _by_ratio,
    "bcef": _by_bcef,
    "wood_density": _by_wood_density,
}
VOLUME_METHODS: Final = tuple(_VOLUME_METHODS)
"""Routes from biomass to volume, by name."""

# ---------------------------------------------------------------------------- equations


def roots_per_shoot(agb: Array, c: Coefficients) -> Array:
    """Root-to-shoot ratio of a stand of this AGB [Mg d.m. ha⁻¹] in this stratum."""
    if "root_exponent" in c:
        shoots = np.maximum(agb, np.finfo(float).tiny)
        return biomass.belowground_biomass_power(shoots, c["root_coefficient"], c["root_exponent"]) / shoots
    return biomass.root_shoot_ratio(agb, c.series("root_shoot"), c.series("root_shoot_edge"))


def growing_stock(agb: Array, c: Coefficients) -> Array | None:
    """Growing stock [m³ ha⁻¹] of a stand from its AGB [Mg d.m. ha⁻¹], by the stratum's route; None where it has none."""
    if c.curve is not None:
        return c.curve.volume_of(agb)
    if "cbef_a" in c:
        total = agb * (1 + c["foliage_fraction"]) * (1 + roots_per_shoot(agb, c))
        return volume_by_cbef(total, c["cbef_a"], c["cbef_b"], c["cbef_chord_volume"])
    if "agb_per_volume" in c:
        return agb / c["agb_per_volume"]
    if "wood_density" in c:
        return volume_by_wood_density(agb, c["wood_density"], c["bef"])
    return None


def agb_of_volume(volume: Array, c: Coefficients) -> Array:
    """AGB [Mg d.m. ha⁻¹] of a stand from its growing stock [m³ ha⁻¹], by the stratum's route: see :func:`growing_stock`.

    Where the root-to-shoot ratio jumps, the biomass class that is consistent with itself is taken, the lower one first.
    """
    if c.curve is not None:
        return c.curve.agb_of(volume)
    if "agb_per_volume" in c:
        return volume * c["agb_per_volume"]
    if "wood_density" in c:
        return volume * c["wood_density"] * c["bef"]
    living = biomass_by_cbef(volume, c["cbef_a"], c["cbef_b"], c["cbef_chord_volume"]) / (1 + c["foliage_fraction"])
    edges = (*c.series("root_shoot_edge"), np.inf)
    agb, least = np.full(np.shape(volume), np.nan), 0.0
    for ratio, most in zip(c.series("root_shoot"), edges, strict=True):
        shoots = np.maximum(living / (1 + ratio), least)
        agb = np.where(np.isnan(agb) & (shoots <= most), shoots, agb)
        least = most
    return agb


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Pools [Mg C ha⁻¹], growing stock [m³ ha⁻¹] and growth [Mg C ha⁻¹ yr⁻¹] of a forest stratum.

    values : "agb" [Mg d.m. ha⁻¹], "agc" [Mg C ha⁻¹] or "volume" [m³ ha⁻¹], and "soc" [Mg C ha⁻¹] where a layer has it.
    A volume is used as it is, never through biomass.
    """
    found = soil_carbon(values, c) | density_carbon(c)
    if "carbon_fraction_agb" not in c:
        return found
    if "volume" in values:
        agb = agb_of_volume(values["volume"], c)
    else:
        agb = values["agb"] if "agb" in values else values["agc"] / c["carbon_fraction_agb"]
    roots = roots_per_shoot(agb, c)
    found["carbon_agb"] = biomass.carbon(agb, c["carbon_fraction_agb"])
    found["carbon_bgb"] = biomass.carbon(biomass.belowground_biomass(agb, roots), c["carbon_fraction_bgb"])
    found["carbon_deadwood"] = biomass.carbon(agb * c["deadwood_ratio"], c["carbon_fraction_deadwood"])
    found["carbon_litter"] = biomass.carbon(agb * c["litter_ratio"], c["carbon_fraction_litter"])
    stock = values["volume"] if "volume" in values else growing_stock(agb, c)
    if stock is not None:
        found["stock_volume"] = stock
    if "agb_growth" in c:
        growth = biomass.biomass_growth(c["agb_growth"], roots)
        found["gain_biomass"] = biomass.biomass_gain(growth, c["carbon_fraction_agb"])
    return found


def breaks(c: Coefficients, options: Options) -> Sequence[float]:
    """Values of the biomass layer at which one of the equations bends or jumps."""
    if "carbon_fraction_agb" not in c:
        return ()
    if options.biomass == "volume":
        return _breaks_in_volume(c)
    at = list(c.series("root_shoot_edge"))
    if c.curve is not None:
        at += c.curve.agb[1:]
    if "cbef_a" in c:
        foot = c["cbef_a"] * c["cbef_chord_volume"] + c["cbef_b"]
        at += [foot / (1 + c["foliage_fraction"]) / (1 + ratio) for ratio in c.series("root_shoot")]
    per_unit = c["carbon_fraction_agb"] if options.biomass == "agc" else 1.0
    return [value * per_unit for value in at]


def _breaks_in_volume(c: Coefficients) -> list[float]:
    edges = c.series("root_shoot_edge")
    if c.curve is not None:
        return [*c.curve.volume[1:], *(float(c.curve.volume_of(edge)) for edge in edges)]
    if "cbef_a" not in c:
        per_volume = c["agb_per_volume"] if "agb_per_volume" in c else c["wood_density"] * c["bef"]
        return [edge / per_volume for edge in edges]
    line = (c["cbef_a"], c["cbef_b"], c["cbef_chord_volume"])
    living = [edge * (1 + c["foliage_fraction"]) * (1 + ratio) for edge in edges for ratio in c.series("root_shoot")]
    return [c["cbef_chord_volume"], *(float(volume_by_cbef(b, *line)) for b in living)]


def carbon(
    agb: xr.DataArray | Array,
    forest_type: str = "unspecified",
    zone: str = "warm_temperate_moist",
    *,
    kind: str = "agb",
    parameters: str | ParameterSet = "ipcc",
    continent: str | None = None,
    soil_depth_cm: int | None = None,
) -> xr.Dataset:
    """Pools and growing stock of a forest of one type in one climate zone.

    agb : the biomass, of the kind ``kind`` says: agb [Mg d.m. ha⁻¹], agc [Mg C ha⁻¹] or volume [m³ ha⁻¹]; any shape,
    NumPy or xarray, lazy stays lazy. returns : carbon_agb, carbon_bgb, carbon_deadwood, carbon_litter, carbon_soil
    [Mg C ha⁻¹] and stock_volume [m³ ha⁻¹]. Raises InputError for an unknown type, zone or combination.
    Equations and sources: this module.
    """
    import xarray as xr  # dear to import, and runs of files do without

    chosen = parameters if isinstance(parameters, ParameterSet) else parameter_set(parameters)
    options = Options(
        biomass=kind,
        soil_depth_cm=soil_depth_cm or int(chosen.settings["soil_depth_cm"]),
        continent=continent or str(chosen.settings["continent"]),
    )
    stratum = Stratum(Cover("forest", forest_type), climate=zone, present=frozenset({kind}))
    c = coefficients(stratum, chosen, options)
    array = agb if isinstance(agb, xr.DataArray) else xr.DataArray(np.asarray(agb, dtype=np.float64))
    keys = tuple(equations({kind: 0.0}, c))

    def evaluate(values: Array) -> Array | tuple[Array, ...]:
        found = equations({kind: values}, c)
        known = np.where(np.isnan(values), np.nan, 1.0)
        every = tuple(np.broadcast_to(found[k], values.shape) * known for k in keys)
        return every if len(every) > 1 else every[0]  # what xarray asks of one output

    if not keys:
        return xr.Dataset()
    results = xr.apply_ufunc(
        evaluate,
        array,
        output_core_dims=[[] for _ in keys],
        dask="parallelized",
        output_dtypes=[np.float64] * len(keys),
    )
    dataset = xr.Dataset(dict(zip(keys, results if len(keys) > 1 else (results,), strict=True)))
    for key in keys:
        dataset[key].attrs = {"units": BY_KEY[key].unit, "long_name": BY_KEY[key].name_en}
    return dataset


def _classes() -> tuple[EcosystemClass, ...]:
    return (
        EcosystemClass(1, "forest", "needleleaf", "Needleleaf forest", "针叶林", "#1b5e20"),
        EcosystemClass(2, "forest", "broadleaf", "Broadleaf forest", "阔叶林", "#43a047"),
        EcosystemClass(3, "forest", "mixed", "Mixed forest", "针阔混交林", "#2e7d32"),
        EcosystemClass(4, "forest", "bamboo", "Bamboo forest", "竹林", "#9ccc65"),
        EcosystemClass(5, "forest", "unspecified", "Forest, type unknown", "森林（类型未知）", "#388e3c"),
        EcosystemClass(6, TREES_OUTSIDE, "", "Trees outside forest", "森林外树木", "#aed581"),
    )


PLUG = Ecosystem(
    key="forest",
    name_en="Forest",
    name_zh="森林",
    classes=_classes(),
    coefficients=coefficients,
    equations=equations,
    breaks=breaks,
    uses=("biomass", "climate", "ecozone", "elevation", "precipitation", "soc"),
    about="Five IPCC pools; growing stock of arbor forest by BCEF_S, continuous BEF, wood density or directly.",
)
