"""The layers an assessment can take: names, units, and what values are possible. The one list of them."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Any, Final

from sinks.errors import InputError
from sinks.parameters import records

Array = Any

CLASS, DENSITY = "class", "density"


@dataclass(frozen=True)
class Layer:
    """One layer: what it holds, its unit, and the least and most value that can be.

    kind : CLASS (codes; the nearest or commonest pixel) or DENSITY (per area or intensive; averaged).
    """

    name: str
    kind: str
    unit: str
    about: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def _stock(name: str, unit: str, about: str) -> Layer:
    return Layer(name, DENSITY, unit, about, low=0.0)


def _share(name: str, about: str) -> Layer:
    return Layer(name, DENSITY, "1", about, 0.0, 1.0)


def _codes(name: str, about: str) -> Layer:
    return Layer(name, CLASS, "", about)


LAYERS: Final = {
    layer.name: layer
    for layer in (
        _codes("landcover", "Land-cover raster."),
        _stock("agb", "Mg d.m. ha-1", "Above-ground biomass."),
        _stock("agc", "Mg C ha-1", "Above-ground carbon, instead of --agb."),
        _stock("volume", "m3 ha-1", "Growing stock volume, instead of --agb."),
        _stock("agb_sd", "Mg d.m. ha-1", "Standard deviation of the biomass layer."),
        Layer("canopy", DENSITY, "%", "Tree canopy cover.", 0.0, 100.0),
        _stock("grass_agb", "Mg d.m. ha-1", "Above-ground biomass of grassland."),
        _codes("grassland_type", "Grassland types of China, codes 1-6 ('sinks layers grassland_type')."),
        _codes("climate", "IPCC climate zones, codes 1-12, or one zone by name."),
        Layer("temperature", DENSITY, "C", "Mean annual temperature.", -90.0, 60.0),
        _stock("precipitation", "mm yr-1", "Mean annual precipitation."),
        _stock("pet", "mm yr-1", "Mean annual potential evapotranspiration."),
        Layer("elevation", DENSITY, "m", "Elevation.", -500.0, 9000.0),
        Layer("frost_days", DENSITY, "d yr-1", "Days with frost in a year.", 0.0, 366.0),
        Layer("coldest_month", DENSITY, "C", "Mean daily minimum of the coldest month, for --frost-days.", -90.0, 60.0),
        Layer("warmest_month", DENSITY, "C", "Mean temperature of the warmest month.", -90.0, 60.0),
        _codes("ecozone", "FAO global ecological zones of 2010, codes 11-50."),
        _codes("soil", "Soil classes in the codes of --soil-legend."),
        _share("black_soil", "Black soil, mask or share of the pixel."),
        _codes("drainage", "Drainage of organic soil, codes 0-8 ('sinks layers drainage')."),
        _stock("soc", "Mg C ha-1", "Soil organic carbon from the surface to the run's depth."),
        _stock("peat_thickness", "m", "Thickness of peat; 0 where there is none. Goes before --soc."),
        _stock("permafrost_soc", "Mg C ha-1", "The same of permafrost soil, in place of --soc on permafrost."),
        _stock("soc_deep", "Mg C ha-1", "Soil carbon from the run's depth to 300 cm, on permafrost."),
        _share("rock_outcrop", "Part of a pixel that is bare rock, for the soil profile."),
        _stock("soil_thickness", "cm", "Depth at which the soil ends, for the soil profile."),
        _share("permafrost", "Permafrost, mask, extent or probability."),
        _stock("active_layer", "m", "Thickness of the active layer."),
        _share("karst", "Part of a pixel on carbonate rock."),
        _share("dolomite", "Part of the carbonate rock that is dolomite."),
        _stock("runoff", "mm yr-1", "Runoff, for the karst sink."),
        _stock("bicarbonate", "mmol L-1", "Bicarbonate of the runoff that stems from carbonate rock."),
        Layer("soil_co2", DENSITY, "atm", "CO2 pressure of soil air.", 0.0, 1.0),
    )
}
"""Every layer by name, in the order in which people are shown them."""

PROFILE: Final = {
    layer.name: layer
    for layer in (
        Layer("oc", DENSITY, "g kg-1", "Organic carbon of the fine earth.", 0.0, 1000.0),
        Layer("bulk_density", DENSITY, "g cm-3", "Bulk density of the fine earth.", 0.0, 2.65),
        _share("coarse_fragments", "Coarse fragments, part of the volume."),
    )
}
"""What is known of each layer of a soil profile; their layers are named ``oc_0``, ``bulk_density_0`` … from the surface."""


_CODES: Final = {
    "climate": "climate_zones", "ecozone": "ecozones", "drainage": "drainage_classes", "grassland_type": "grassland_types",
}  # fmt: skip


def codes(name: str) -> list[dict[str, str]]:
    """What the codes of a class layer mean: code, key, name_en, name_zh and what else is worth knowing.

    Raises InputError for a layer that is not known or has no codes of ours.
    """
    if name == "soil":
        return [
            {"code": f"{r['legend']} {r['code']}", "key": r["soil"], "name_en": r["name_en"], "name_zh": r["name_zh"],
             "": "black soil" if r["black_soil"] else ""}
            for r in records("soil_legends")
        ]  # fmt: skip
    if name not in _CODES:
        close = difflib.get_close_matches(name, [*_CODES, "soil"], n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join([*_CODES, 'soil'])}"
        raise InputError(f"there is no layer of classes '{name}' with codes of ours{hint}")
    kept = ("code", "key", "name_en", "name_zh", "rule")
    return [{k: row[k] for k in kept if k in row} for row in records(_CODES[name])]


def problem(name: str, low: float, high: float) -> str:
    """What is impossible about values from ``low`` to ``high``, in a few words; blank if nothing. Classes are passed over."""
    layer = LAYERS.get(name) or PROFILE.get(name.rpartition("_")[0])
    if layer is None or layer.kind == CLASS:
        return ""
    if low < layer.low:
        return f"has values below {layer.low:g} {layer.unit} (lowest {low:g})"
    if high > layer.high:
        percent = " (in percent?)" if layer.high == 1.0 and high <= 100.0 else ""
        return f"has values above {layer.high:g} {layer.unit} (highest {high:g}){percent}"
    return ""


def require_possible(name: str, values: Array, where: str = "") -> None:
    """Raises InputError when a layer has values that cannot be."""
    import numpy as np  # here, so that the list of layers costs no time to load

    low, high = (float(f.reduce(values, axis=None)) for f in (np.fmin, np.fmax)) if values.size else (np.inf, -np.inf)
    if wrong := problem(name, low, high):
        raise InputError(f"{where or name}: the layer {name} {wrong}; check its unit and its nodata value")
