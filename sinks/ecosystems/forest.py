"""Forest, and trees outside forest: five carbon pools and growing stock from biomass or from volume.

Equations: IPCC 2006 Guidelines and 2019 Refinement, Vol. 4, Ch. 2 and 4; growing stock as in ``sinks.growingstock``.
Volume is stem volume of arbor forest; bamboo and shrub carry none (China's inventory, and FAO's).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from sinks import biomass
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

Array = Any

LEAF_TYPES: Final = ("needleleaf", "broadleaf", "mixed", "bamboo", "unspecified")
TREES_OUTSIDE: Final = "trees_outside_forest"

_PRECIPITATION_CLASS: Final = {
    "tropical_wet": "gt1600",
    "tropical_moist": "1000_1600",
    "tropical_dry": "le1000",
    "tropical_montane": "1000_1600",
}
"""Rain class of the dead-wood table for a climate zone, where no rain layer says more [design]."""


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


# ---------------------------------------------------------------------------- coefficients of a stratum


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """Every number a forest stratum needs. Raises InputError naming what no table of the set has."""
    values = soil_coefficients(stratum, parameters, options)
    if options.biomass not in stratum.present:
        return Coefficients(values, method="no biomass value")
    leaf = leaf_type(stratum.cover.forest_type)
    if options.biomass == "volume" and leaf == "bamboo":
        return Coefficients(values, method="bamboo has no growing stock to derive biomass from")
    zone = zone_of(stratum.climate)
    values |= _carbon_fractions(stratum.cover, leaf, parameters)
    values |= _roots(stratum, leaf, zone, parameters, options)
    values |= _dead_matter(stratum.climate, zone, parameters)
    if leaf == "bamboo":
        return Coefficients(values, method="bamboo: no growing stock")
    volume, curve, method = _volume(stratum.cover.forest_type, leaf, zone, parameters, options)
    return Coefficients(values | volume, curve, method)


def _carbon_fractions(cover: Cover, leaf: str, parameters: ParameterSet) -> dict[str, Coefficient]:
    keys = {"ecosystem": "forest", "forest_type": cover.forest_type}
    if not parameters.has("carbon_fraction", "carbon_fraction", component="agb", **keys):
        keys["forest_type"] = leaf
    parts = ("agb", "bgb", "deadwood", "litter")
    return {
        f"carbon_fraction_{part}": parameters.find("carbon_fraction", "carbon_fraction", component=part, **keys)
        for part in parts
    }


def _roots(
    stratum: Stratum, leaf: str, zone: Mapping[str, str], parameters: ParameterSet, options: Options
) -> dict[str, Coefficient]:
    keys = {
        "ecosystem": "forest",
        "continent": options.continent,
        "forest_type": leaf if leaf in ("needleleaf", "broadleaf") else "mixed",
        "origin": options.origin,
    }
    if power := parameters.rows("root_shoot", "coefficient", **keys):
        exponent = parameters.find("root_shoot", "exponent", **keys)
        return {"root_coefficient": power[0].coefficient, "root_exponent": exponent}
    # A climate zone stands for several ecozones; not every continent has them all in the table.
    ecozones = [stratum.ecozone] if stratum.ecozone else zone["ecozone"].split(";")
    keys["ecozone"] = next(
        (z for z in ecozones if parameters.has("root_shoot", "root_shoot", ecozone=z, **keys)), ecozones[0]
    )
    parameters.find("root_shoot", "root_shoot", **keys)  # raises, naming the combination
    best = parameters.rows("root_shoot", "root_shoot", **keys)
    classes = sorted((r for r in best if _same_but_class(r, best[0])), key=lambda r: float(r.keys.get("agb_min") or 0))
    cap = parameters.find("choices", "root_shoot_cap")
    found = {f"root_shoot_{n}": _capped(row.coefficient, cap) for n, row in enumerate(classes)}
    for n, row in enumerate(classes[1:]):
        c = row.coefficient
        edge = float(row.keys["agb_min"])
        found[f"root_shoot_edge_{n}"] = Coefficient(
            "root_shoot_edge", edge, "Mg d.m. ha-1", c.source, c.locator, c.status
        )
    return found


def _same_but_class(row: Row, other: Row) -> bool:
    """Whether two rows are biomass classes of one entry of the table."""
    return all(v == other.keys[k] for k, v in row.keys.items() if not k.startswith("agb_"))


def _capped(ratio: Coefficient, cap: Coefficient) -> Coefficient:
    return ratio if ratio.value <= cap.value else cap


def _dead_matter(climate: str, zone: Mapping[str, str], parameters: ParameterSet) -> dict[str, Coefficient]:
    keys = {
        "climate_domain": zone["climate_domain"],
        "elevation_class": "le2000",
        "precipitation_class": _PRECIPITATION_CLASS.get(climate, "any"),
    }
    return {name: parameters.find("deadwood_litter", name, **keys) for name in ("deadwood_ratio", "litter_ratio")}


# ---------------------------------------------------------------------------- growing stock

_Volume = tuple[dict[str, Coefficient], VolumeCurve | None, str]


def _volume(
    forest_type: str, leaf: str, zone: Mapping[str, str], parameters: ParameterSet, options: Options
) -> _Volume:
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
    """Wood density × BEF of the taxon."""
    if not (
        parameters.has("wood_density", "wood_density", taxon=forest_type)
        and parameters.has("bef", "bef", taxon=forest_type)
    ):
        return None
    values = {
        "wood_density": parameters.find("wood_density", "wood_density", taxon=forest_type),
        "bef": parameters.find("bef", "bef", taxon=forest_type),
    }
    return values, None, "wood density × BEF"


_VOLUME_METHODS: Final[dict[str, Callable[[str, Mapping[str, str], ParameterSet], _Volume | None]]] = {
    "cbef": _by_cbef,
    "ratio": _by_ratio,
    "bcef": _by_bcef,
    "wood_density": _by_wood_density,
}

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
    """Pools [Mg C ha⁻¹] and growing stock [m³ ha⁻¹] of a forest stratum.

    values : "agb" [Mg d.m. ha⁻¹], "agc" [Mg C ha⁻¹] or "volume" [m³ ha⁻¹], and "soc" [Mg C ha⁻¹] where a layer has it.
    A volume is used as it is, never through biomass.
    """
    found = soil_carbon(values, c)
    if "carbon_fraction_agb" not in c:
        return found
    if "volume" in values:
        agb = agb_of_volume(values["volume"], c)
    else:
        agb = values["agb"] if "agb" in values else values["agc"] / c["carbon_fraction_agb"]
    found["carbon_agb"] = biomass.carbon(agb, c["carbon_fraction_agb"])
    found["carbon_bgb"] = biomass.carbon(
        biomass.belowground_biomass(agb, roots_per_shoot(agb, c)), c["carbon_fraction_bgb"]
    )
    found["carbon_deadwood"] = biomass.carbon(agb * c["deadwood_ratio"], c["carbon_fraction_deadwood"])
    found["carbon_litter"] = biomass.carbon(agb * c["litter_ratio"], c["carbon_fraction_litter"])
    stock = values["volume"] if "volume" in values else growing_stock(agb, c)
    if stock is not None:
        found["stock_volume"] = stock
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

    def evaluate(values: Array) -> tuple[Array, ...]:
        found = equations({kind: values}, c)
        known = np.where(np.isnan(values), np.nan, 1.0)
        return tuple(np.broadcast_to(found[k], values.shape) * known for k in keys)

    results = xr.apply_ufunc(
        evaluate,
        array,
        output_core_dims=[[] for _ in keys],
        dask="parallelized",
        output_dtypes=[np.float64] * len(keys),
    )
    dataset = xr.Dataset(dict(zip(keys, results, strict=True)))
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
    uses=("biomass", "climate", "ecozone", "soc"),
    about="Five IPCC pools; growing stock of arbor forest by BCEF_S, continuous BEF, wood density or directly.",
)
