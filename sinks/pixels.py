"""What the layers say of each pixel: the categories that pick its stratum, and the values that enter its equations.

The one place where layers become strata; the block pass and the xarray API both call it on blocks of NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks import climate, weathering
from sinks.coding import Dimension
from sinks.deadmatter import altitude_class, altitude_labels, rain_class, rain_labels
from sinks.errors import InputError
from sinks.layers import PROFILE
from sinks.parameters import records
from sinks.permafrost import DEEP_CM, frozen_carbon
from sinks.plug import BIOMASS_KINDS
from sinks.soilcarbon import Horizon, profile_carbon, require_whole

KARST_METHODS: Final = ("auto", "bicarbonate", "gem_co2", "dissolution")
BY_LATITUDE: Final = -1
BY_LAYER: Final = 0
"""Values of ``Recipe.zone`` that are no zone."""

_STRIP: Final = 1 << 17
"""Pixels that are looked at together."""
_ZONE_LAYERS: Final = ("temperature", "precipitation", "pet")
_SOIL_SOURCES: Final = ("permafrost", "layer", "profile")
_SOIL_LAYER: Final = {"permafrost": "permafrost_soc", "layer": "soc"}
_CM_PER_M: Final = 100.0
_PASSED_ON: Final = ("grass_agb", "agb_sd")


@dataclass(frozen=True)
class Recipe:
    """How the layers of a run are read; plain values, so that it travels.

    layers : names of the layers given; biomass : which of them is the biomass layer, blank for none;
    zone : number of the climate zone of the whole map, or BY_LAYER or BY_LATITUDE;
    lookups : of class layers: code → place among the labels; labels : of the categories they give;
    soil_depth_cm; horizons : of the soil profile, whose layers are ``oc_0``, ``bulk_density_0``, ``coarse_fragments_0`` …;
    karst_method : one of KARST_METHODS but auto; budyko_w, strong_acid_share, use_brook : for the karst sink;
    permafrost_threshold : least share or probability that counts as permafrost.
    """

    layers: frozenset[str]
    biomass: str = ""
    zone: int = BY_LATITUDE
    lookups: Mapping[str, bytes] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    soil_depth_cm: int = 100
    horizons: tuple[Horizon, ...] = ()
    karst_method: str = ""
    budyko_w: float = np.nan
    strong_acid_share: float = 0.0
    use_brook: bool = False
    permafrost_threshold: float = 0.5
    notes: tuple[str, ...] = ()

    def soil_sources(self) -> tuple[str, ...]:
        """Where the value "soc" can stem from, in order of preference."""
        given = [s for s in _SOIL_SOURCES if _SOIL_LAYER.get(s) in self.layers or (s == "profile" and self.horizons)]
        return tuple(given)

    def dimensions(self) -> tuple[Dimension, ...]:
        """The categories, the climate first; the cover and its counting as forest come from elsewhere."""
        found = [Dimension("climate", ("", *climate.ZONES))]
        found += [Dimension(name, labels) for name, labels in self.labels.items() if name != "black_soil"]
        if "elevation" in self.layers:
            found.append(Dimension("altitude", ("", *altitude_labels())))
        if "precipitation" in self.layers:
            found.append(Dimension("rain", ("", *rain_labels())))
        if len(self.soil_sources()) > 1:
            found.append(Dimension("soil_source", ("", *self.soil_sources())))
        if "karst" in self.layers:
            found.append(Dimension("karst", ("", "karst")))
        if "permafrost" in self.layers:
            found.append(Dimension("permafrost", ("", "permafrost")))
        if "black_soil" in self.layers or "black_soil" in self.labels:
            found.append(Dimension("black_soil", ("", "black_soil")))
        return tuple(found)

    def terms(self) -> tuple[str, ...]:
        """The values that enter equations, the biomass layer first."""
        found = [self.biomass] if self.biomass else []
        found += ["grass_agb"] if "grass_agb" in self.layers else []
        found += ["soc"] if self.soil_sources() else []
        found += ["peat", "peat_deep"] if "peat_thickness" in self.layers else []
        if "soc_deep" in self.layers:
            found.append("soc_deep")
            found += ["soc_frozen"] if "active_layer" in self.layers and "soc" in found else []
        found += ["weathering"] if "karst" in self.layers else []
        found += ["agb_sd"] if "agb_sd" in self.layers and self.biomass else []
        return tuple(found)

    def passed_on(self) -> tuple[str, ...]:
        """Terms that are a layer's own values, which nothing else is made of."""
        return tuple(name for name in self.terms() if name in (self.biomass, *_PASSED_ON))


def recipe(
    layers: Sequence[str],
    *,
    zone: int = BY_LATITUDE,
    soil_legend: str = "ipcc",
    soil_depth_cm: int = 100,
    horizons: Sequence[Horizon] = (),
    karst_method: str = "auto",
    budyko_w: float | None = None,
    strong_acid_share: float = 0.0,
    use_unverified: bool = False,
    permafrost_threshold: float = 0.5,
) -> Recipe:
    """How these layers are read. Raises InputError naming what a layer needs beside it.

    layers : names of ``sinks.layers``; zone : number of the one climate zone of the map, if there is only one.
    """
    given = frozenset(layers)
    notes: list[str] = []
    lookups, labels = {}, {}
    for layer, dimension, table, key in (
        ("ecozone", "ecozone", "ecozones", "key"), ("grassland_type", "grassland", "grassland_types", "key"),
        ("drainage", "drainage", "drainage_classes", "key"),
    ):  # fmt: skip
        if layer in given:
            lookups[layer], labels[dimension] = _lookup({int(r["code"]): r[key] for r in records(table)})
    if "soil" in given:
        rows = [r for r in records("soil_legends") if r["legend"] == soil_legend]
        if not rows:
            known = sorted({r["legend"] for r in records("soil_legends")})
            raise InputError(f"there is no soil legend '{soil_legend}'; known: {', '.join(known)}")
        lookups["soil"], labels["soil"] = _lookup({int(r["code"]): r["soil"] for r in rows})
        black = {int(r["code"]): "black_soil" if r["black_soil"] else "" for r in rows}
        if any(black.values()):
            lookups["black_soil"], labels["black_soil"] = _lookup(black)
    _require_company(given)
    if horizons:
        require_whole(horizons, soil_depth_cm)
    return Recipe(
        layers=given,
        biomass=next((kind for kind in BIOMASS_KINDS if kind in given), ""),
        zone=_zone(given, zone, notes),
        lookups=lookups,
        labels=labels,
        soil_depth_cm=soil_depth_cm,
        horizons=tuple(horizons),
        karst_method=_karst_method(given, karst_method, budyko_w, use_unverified, notes),
        budyko_w=np.nan if budyko_w is None else budyko_w,
        strong_acid_share=strong_acid_share,
        use_brook=use_unverified,
        permafrost_threshold=permafrost_threshold,
        notes=tuple(notes),
    )


def _lookup(keys: Mapping[int, str]) -> tuple[bytes, tuple[str, ...]]:
    """Code → place among the labels, whose first is blank: unknown."""
    labels = ("", *dict.fromkeys(k for k in keys.values() if k))
    places = bytearray(256)
    for code, key in keys.items():
        places[code] = labels.index(key)
    return bytes(places), labels


def _require_company(given: frozenset[str]) -> None:
    for layer, needs in (
        ("permafrost_soc", "permafrost"), ("soc_deep", "permafrost"), ("active_layer", "permafrost"),
        ("active_layer", "soc_deep"), ("dolomite", "karst"), ("bicarbonate", "karst"), ("soil_co2", "karst"),
        ("runoff", "karst"),
    ):  # fmt: skip
        if layer in given and needs not in given:
            raise InputError(f"the layer {layer} says nothing without the layer {needs}; give both or neither")


def _zone(given: frozenset[str], zone: int, notes: list[str]) -> int:
    if zone > 0:
        return zone
    if "climate" in given:
        return BY_LAYER
    if all(layer in given for layer in _ZONE_LAYERS):
        taken = [
            said
            for layers, said in (
                (("elevation",), "no elevation: the tropics are taken to lie below 1000 m"),
                (("frost_days", "coldest_month"), "no frost days: where it is warmer than 18 °C no frost is assumed"),
                (("warmest_month",), "no warmest month: cold land is taken to be boreal, not polar"),
            )
            if not any(layer in given for layer in layers)
        ]
        notes.append("climate zones from temperature, rain and evapotranspiration" + "".join(f"; {t}" for t in taken))
        return BY_LAYER
    if "temperature" in given:
        missing = [layer for layer in _ZONE_LAYERS if layer not in given]
        notes.append(
            f"climate zones are guessed from latitude: {' and '.join(missing)} would be needed beside temperature"
        )
    else:
        notes.append("no climate layer: climate zones are guessed from latitude, which is crude; give --climate")
    return BY_LATITUDE


def _karst_method(
    given: frozenset[str], wanted: str, budyko_w: float | None, use_unverified: bool, notes: list[str]
) -> str:
    if wanted not in KARST_METHODS:
        raise InputError(f"there is no karst method '{wanted}'; known: {', '.join(KARST_METHODS)}")
    if "karst" not in given:
        return ""
    water = "runoff" in given or {"precipitation", "temperature"} <= given
    if not water:
        raise InputError("the karst sink needs runoff, or precipitation and temperature to estimate it from")
    method = wanted
    if wanted == "auto":
        method = "bicarbonate" if "bicarbonate" in given else "dissolution" if "soil_co2" in given else "gem_co2"
    if method == "bicarbonate" and "bicarbonate" not in given:
        raise InputError("the karst method bicarbonate needs the layer bicarbonate")
    if method == "dissolution":
        if "temperature" not in given:
            raise InputError("the karst method dissolution needs the layer temperature")
        if "soil_co2" not in given and not (use_unverified and "precipitation" in given):
            raise InputError(
                "the karst method dissolution needs the layer soil_co2; the formula that would guess it from evaporation "
                "(Brook et al. 1983) could not be confirmed and is used only with --use-unverified and precipitation"
            )
        if "soil_co2" not in given:
            notes.append(
                "soil CO2 is guessed from evapotranspiration (Brook et al. 1983), whose numbers are unverified"
            )
        notes.append("karst sink: maximum potential dissolution, an upper bound")
    else:
        said = (
            "runoff × bicarbonate / 2" if method == "bicarbonate" else "runoff × GEM-CO2 coefficient of carbonate rock"
        )
        notes.append(f"karst sink: {said}")
    if "runoff" not in given:
        way = "Budyko–Fu" if "pet" in given and budyko_w is not None else "Turc"
        notes.append(f"runoff is precipitation less evapotranspiration by {way}")
    return method


# ---------------------------------------------------------------------------- a block


@dataclass(frozen=True)
class Look:
    """What the layers of a block say. categories : in the order of ``Recipe.dimensions``; terms : float32 (terms, h, w), those
    of ``Recipe.terms`` that were not left out; guessed : by layer, where the pixel's category is a fallback."""

    categories: tuple[NDArray[np.uint8], ...]
    terms: NDArray[np.float32]
    guessed: Mapping[str, NDArray[np.bool_]]


def look(
    r: Recipe,
    layers: Mapping[str, NDArray],
    latitude: NDArray,
    shape: tuple[int, int],
    without: frozenset[str] = frozenset(),
) -> Look:
    """The categories and values of a block.

    layers : (h, w) by name, NaN where there is no value, 0 … 255 for classes; latitude : [degrees], (h, w) or (h, 1);
    without : terms that are left out, of ``Recipe.passed_on``.
    """
    height, width = shape
    names = tuple(n for n in r.terms() if n not in without)
    categories = np.empty((len(r.dimensions()), *shape), np.uint8)
    terms = np.empty((len(names), *shape), np.float32)
    guessed: dict[str, NDArray[np.bool_]] = {}
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):  # what comes and goes then stays in the cache
        at = slice(top, top + rows)
        strip = {name: values[at] for name, values in layers.items()}
        seen = _look(r, names, strip, latitude[at], (min(rows, height - top), width))
        for n, category in enumerate(seen.categories):
            categories[n, at] = category
        terms[:, at] = seen.terms
        for name, lost in seen.guessed.items():
            guessed.setdefault(name, np.empty(shape, np.bool_))[at] = lost
    return Look(tuple(categories), terms, guessed)


def _look(
    r: Recipe, names: Sequence[str], layers: Mapping[str, NDArray], latitude: NDArray, shape: tuple[int, int]
) -> Look:
    guessed: dict[str, NDArray[np.bool_]] = {}
    frozen = np.zeros(shape, np.uint8)
    if "permafrost" in r.layers:
        frozen = _share_above(layers, "permafrost", r.permafrost_threshold)
    soc, source = _soil(r, layers, frozen, shape)
    categories = []
    for dimension in r.dimensions():
        name = dimension.name
        if name == "climate":
            categories.append(_zones(r, layers, latitude, shape, guessed))
        elif name == "altitude":
            categories.append(altitude_class(layers["elevation"]))
        elif name == "rain":
            categories.append(rain_class(layers["precipitation"]))
        elif name == "soil_source":
            categories.append(source)
        elif name == "permafrost":
            categories.append(frozen)
        elif name == "karst":
            categories.append(_share_above(layers, "karst", 0.0))
        elif name == "black_soil":
            categories.append(_black(r, layers, shape))
        else:
            layer = {"grassland": "grassland_type"}.get(name, name)
            place = np.frombuffer(r.lookups[layer], np.uint8)[layers[layer]]
            guessed[layer] = place == 0
            categories.append(place)
    return Look(tuple(categories), _terms(r, names, layers, soc, frozen, shape), guessed)


def _share_above(layers: Mapping[str, NDArray], name: str, threshold: float) -> NDArray[np.uint8]:
    """1 where a share reaches the threshold, or is above 0 where that is 0; 0 where it has no value."""
    share = layers[name]
    return ((share >= threshold) & (share > 0)).view(np.uint8)


def _black(r: Recipe, layers: Mapping[str, NDArray], shape: tuple[int, int]) -> NDArray[np.uint8]:
    found = np.zeros(shape, np.uint8)
    if "black_soil" in r.layers:
        found |= _share_above(layers, "black_soil", 0.5)
    if "black_soil" in r.lookups:
        found |= np.frombuffer(r.lookups["black_soil"], np.uint8)[layers["soil"]]
    return found


def _zones(
    r: Recipe,
    layers: Mapping[str, NDArray],
    latitude: NDArray,
    shape: tuple[int, int],
    guessed: dict[str, NDArray[np.bool_]],
) -> NDArray[np.uint8]:
    if r.zone > 0:
        return np.broadcast_to(np.uint8(r.zone), shape)
    by_latitude = np.broadcast_to(climate.zone_by_latitude(latitude), shape)
    if r.zone == BY_LATITUDE:
        return by_latitude
    if "climate" in r.layers:
        zone = layers["climate"]
        zone = np.where((zone >= 1) & (zone <= len(climate.ZONES)), zone, 0).astype(np.uint8)
    else:
        zone = _computed_zones(r, layers)
    guessed["climate"] = zone == 0
    return np.where(zone > 0, zone, by_latitude).astype(np.uint8)


def _computed_zones(r: Recipe, layers: Mapping[str, NDArray]) -> NDArray[np.uint8]:
    frost: Any = 0.0
    if "frost_days" in r.layers:
        frost = layers["frost_days"]
    elif "coldest_month" in r.layers:
        frost = climate.frost_by_coldest_month(layers["coldest_month"])
    return climate.zone_code(
        layers["temperature"], layers["precipitation"], layers["pet"],
        layers["elevation"] if "elevation" in r.layers else 0.0, frost,
        layers["warmest_month"] if "warmest_month" in r.layers else np.inf,
    )  # fmt: skip


def _soil(
    r: Recipe, layers: Mapping[str, NDArray], frozen: NDArray[np.uint8], shape: tuple[int, int]
) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8]]:
    """Soil carbon to the run's depth from the first source that has a value, and the place of that source."""
    sources = r.soil_sources()
    place = np.zeros(shape, np.uint8)
    if not sources:
        return None, place
    found = np.full(shape, np.nan, np.float32)
    for n, source in enumerate(sources, start=1):
        if source == "profile":
            values = _profile(r, layers)
        else:
            values = layers[_SOIL_LAYER[source]]
            if source == "permafrost":
                values = np.where(frozen > 0, values, np.nan)
        fill = np.isnan(found) & ~np.isnan(values)
        found[fill] = values[fill]
        place[fill] = n
    if "peat_thickness" in r.layers:  # peat goes before all of them
        peat = np.nan_to_num(layers["peat_thickness"]) > 0
        found[peat], place[peat] = np.nan, 0
    return found, place


def _profile(r: Recipe, layers: Mapping[str, NDArray]) -> NDArray[np.float64]:
    oc, density, coarse = ([layers.get(f"{name}_{n}", 0.0) for n in range(len(r.horizons))] for name in PROFILE)
    thickness, outcrop = layers.get("soil_thickness", np.inf), layers.get("rock_outcrop", 0.0)
    return profile_carbon(r.horizons, oc, density, coarse, r.soil_depth_cm, thickness, outcrop)


def _terms(
    r: Recipe, names: Sequence[str], layers: Mapping[str, NDArray], soc: NDArray[np.float32] | None,
    frozen: NDArray[np.uint8], shape: tuple[int, int],
) -> NDArray[np.float32]:  # fmt: skip
    found = np.empty((len(names), *shape), np.float32)
    deep: Any = np.nan
    for n, name in enumerate(names):
        if name == "soc":
            found[n] = soc
        elif name == "peat":
            thick = layers["peat_thickness"]
            found[n] = np.where(thick > 0, np.minimum(thick, r.soil_depth_cm / _CM_PER_M), np.nan)
        elif name == "peat_deep":
            below = np.minimum(layers["peat_thickness"], DEEP_CM / _CM_PER_M) - r.soil_depth_cm / _CM_PER_M
            found[n] = np.where(below > 0, below, np.nan)
        elif name == "soc_deep":
            deep = np.where(frozen > 0, layers["soc_deep"], np.nan)
            found[n] = deep
        elif name == "soc_frozen":
            edges = (0.0, float(r.soil_depth_cm), DEEP_CM)
            found[n] = frozen_carbon((soc, deep), edges, layers["active_layer"] * _CM_PER_M)
        elif name == "weathering":
            found[n] = _weathering(r, layers)
        else:
            found[n] = layers[name]
    return found


# ---------------------------------------------------------------------------- karst


def _evaporation(r: Recipe, layers: Mapping[str, NDArray]) -> NDArray:
    """Actual evapotranspiration [mm yr⁻¹]: rain less runoff, else Budyko–Fu, else Turc."""
    rain = layers["precipitation"]
    if "runoff" in r.layers:
        return np.maximum(rain - layers["runoff"], 0.0)
    if "pet" in r.layers and not np.isnan(r.budyko_w):
        return climate.fu_evapotranspiration(rain, layers["pet"], r.budyko_w)
    return climate.turc_evapotranspiration(rain, layers["temperature"])


def _weathering(r: Recipe, layers: Mapping[str, NDArray]) -> NDArray:
    """Weathering sink where there is carbonate rock, NaN elsewhere [Mg C ha⁻¹ yr⁻¹]."""
    rock = layers["karst"]
    found = np.full(rock.shape, np.nan, np.float32)
    here = np.nan_to_num(rock) > 0
    if here.any():  # the equilibrium is dear, and most land is no karst
        used = ("karst", "runoff", "bicarbonate", "precipitation", "temperature", "pet", "soil_co2", "dolomite")
        found[here] = _weathering_of(r, {name: layers[name][here] for name in used if name in r.layers})
    return found


def _weathering_of(r: Recipe, layers: Mapping[str, NDArray]) -> NDArray:
    rock = layers["karst"]
    runoff = layers["runoff"] if "runoff" in layers else layers["precipitation"] - _evaporation(r, layers)
    if r.karst_method == "bicarbonate":
        return weathering.by_bicarbonate(runoff, layers["bicarbonate"], rock, r.strong_acid_share)
    if r.karst_method == "gem_co2":
        return weathering.by_gem_co2(runoff, rock)
    pressure = layers["soil_co2"] if "soil_co2" in layers else weathering.brook_pco2(_evaporation(r, layers))
    return weathering.by_dissolution(
        layers["temperature"], runoff, pressure, rock, layers.get("dolomite", 0.0), r.strong_acid_share
    )
