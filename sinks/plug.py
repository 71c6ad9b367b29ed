"""The shape that every ecosystem has: which classes, which layers, which coefficients, which equations.

A module of this package that defines ``PLUG = Ecosystem(...)`` is an ecosystem; nothing else needs to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sinks.growingstock import VolumeCurve
from sinks.parameters import Coefficient, ParameterSet

Array = Any

BIOMASS_KINDS: Final = ("agb", "agc", "volume")
"""What a biomass layer may hold: AGB [Mg d.m. ha⁻¹], AGC [Mg C ha⁻¹] or growing stock [m³ ha⁻¹]."""

TERMS: Final = (
    *BIOMASS_KINDS,
    "grass_agb",
    "soc",
    "peat",
    "peat_deep",
    "soc_deep",
    "soc_frozen",
    "weathering",
    "agb_sd",
)
"""Layers whose values enter equations: biomass; AGB of grass [Mg d.m. ha⁻¹]; soil carbon to the run's depth [Mg C ha⁻¹];
peat to that depth and from there to 300 cm [m]; other soil carbon from there to 300 cm, and what is frozen [Mg C ha⁻¹]; the
weathering sink [Mg C ha⁻¹ yr⁻¹]; last, and in no equation, the standard deviation of the biomass layer, in its unit."""


@dataclass(frozen=True)
class EcosystemClass:
    """One class of the ecosystem map. code : value in the map (1–249); color : #rrggbb."""

    code: int
    ecosystem: str
    forest_type: str
    name_en: str
    name_zh: str
    color: str


@dataclass(frozen=True)
class Cover:
    """What the legend says of a pixel. forest_type and subclass may be blank; code only where a table is keyed by it."""

    ecosystem: str
    forest_type: str = ""
    subclass: str = ""
    code: str = ""


@dataclass(frozen=True)
class Stratum:
    """Everything categorical about a pixel: within a stratum the coefficients are the same. Blank where unknown.

    climate, ecozone, soil : keys of ``climate_zones.csv``, ``ecozones.csv``, ``soil_classes.csv``;
    altitude, rain : classes of the dead-wood table; drainage : key of ``drainage_classes.csv``, of organic soil;
    grassland : key of ``grassland_types.csv``; soil_source : which layer the value "soc" stems from;
    karst, permafrost, black_soil : the overlays that hold here; before : the cover at an earlier epoch, where it was of another
    class;
    present : names of the layers that have a value here (see ``TERMS``).
    """

    cover: Cover
    climate: str = ""
    ecozone: str = ""
    soil: str = ""
    altitude: str = ""
    rain: str = ""
    drainage: str = ""
    grassland: str = ""
    soil_source: str = ""
    karst: bool = False
    permafrost: bool = False
    black_soil: bool = False
    present: frozenset[str] = frozenset()
    before: Cover | None = None


@dataclass(frozen=True)
class Options:
    """Choices of method that hold for a whole run.

    biomass : what the biomass layer holds; soil_depth_cm : 30 or 100; continent, origin : for root-to-shoot ratios;
    volume_methods : routes from AGB to volume in order of preference, blank for those of the parameter set;
    forest_age : age class of the growth table, blank for no growth; flux_method : "published_rate" (also the rates of
    surveys), "emission_factor" (guideline factors only) or "none"; coast_soil : "table" or "layer", what goes first on
    coasts; tillage, input, grazing : management levels of the soil factor table.
    """

    biomass: str = "agb"
    soil_depth_cm: int = 100
    continent: str = "asia"
    origin: str = "natural"
    volume_methods: tuple[str, ...] = ()
    forest_age: str = ""
    flux_method: str = "published_rate"
    coast_soil: str = "table"
    tillage: str = "full_tillage"
    input: str = "medium"
    grazing: str = "nominal"


@dataclass(frozen=True)
class Coefficients:
    """The numbers of one stratum by name, and its volume curve where one is used. ``c["root_shoot"]`` is a float."""

    values: Mapping[str, Coefficient] = field(default_factory=dict)
    curve: VolumeCurve | None = None
    method: str = ""

    def __getitem__(self, name: str) -> float:
        return self.values[name].value

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def series(self, stem: str) -> tuple[float, ...]:
        """The values named ``stem_0``, ``stem_1``, … in order."""
        found: list[float] = []
        while f"{stem}_{len(found)}" in self.values:
            found.append(self.values[f"{stem}_{len(found)}"].value)
        return tuple(found)


@dataclass(frozen=True)
class Ecosystem:
    """One ecosystem (or overlay) of the account.

    key, name_en, name_zh; classes : its classes in the map, none for an overlay;
    requires, uses : layers that it must have, or takes when given;
    coefficients(stratum, parameters, options) : resolve every number of a stratum, raising InputError if one is missing;
    equations(values, c) : elementwise: layer values by name → quantity per hectare by key (``sinks.quantities``);
    breaks(c, options) : values of the biomass layer at which an equation bends or jumps (an interval owns its upper end);
    overlay : adds only quantities that no class owns, and never a stock a second time.
    """

    key: str
    name_en: str
    name_zh: str
    classes: tuple[EcosystemClass, ...]
    coefficients: Callable[[Stratum, ParameterSet, Options], Coefficients]
    equations: Callable[[Mapping[str, Array], Coefficients], dict[str, Array]]
    breaks: Callable[[Coefficients, Options], Sequence[float]] = field(default=lambda c, options: ())
    requires: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    overlay: bool = False
    about: str = ""
