"""Drained and rewetted organic soil: carbon, methane and nitrous oxide by emission factor; and stocks of peat.

Factors and equations: IPCC 2013 Wetlands Supplement, ch. 2 (drained) and ch. 3 (rewetted). Factors are emissions; a sink is
positive uptake, so the sign turns once, in :func:`carbon_sink`. Carbon dioxide is kept as carbon.

These functions serve one plug, ``ecosystems.organic``, which yields the yearly fluxes of drained and rewetted organic soil
under every land cover, so that none is counted twice. What the soil is under, and how wet, is resolved here:

- The state is that of the layer of drainage, else what the legend's subclass says, else undrained. Cropland on organic soil
  is drained whatever a layer says, unless that says rewetted or extraction: the guideline has no undrained cropland.
- Shrubs and scattered trees take the row of forest, as the note to Table 2.1 has it. Wetland that is drained without
  saying for what takes the row of grassland, the larger one [design]. Built and bare land has a factor only under peat
  extraction; coasts have factors of their own (ch. 4, see ``ecosystems.coast``).
- Nutrients unknown: each climate domain has the status that prevails in it (``wetland_climates.csv``) [design].
- Rice has an unverified factor, and that in the tropics only; temperate rice has none.
- Frozen peat gets no factor: none was measured on it.

A row that the table lacks leaves its gas out; it never becomes 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.errors import InputError
from sinks.parameters import Coefficient, ParameterSet, Row, records, table
from sinks.plug import Coefficients, Options, Stratum
from sinks.units import C_TO_CO2

Array = Any

PEAT: Final = "peat"
"""Name of the value "thickness of peat within the run's depth" [m]."""
ORGANIC: Final = "organic"
UNDRAINED, DRAINED, REWETTED, EXTRACTION = "undrained", "drained", "rewetted", "extraction"
"""States of ``drainage_classes.csv``."""
CH4_PER_C: Final = 16 / 12
"""Mg CH₄ per Mg CH₄-C. Table 3.3 gives CH₄-C, Table 2.3 gives CH₄."""
N2O_PER_N: Final = 44 / 28
"""Mg N₂O per Mg N₂O-N."""
KG_PER_MG: Final = 1000.0
M2_PER_HA: Final = 1e4

_SUBCLASS_STATE: Final = {
    "drained": (DRAINED, "unknown"), "cultivated": (DRAINED, "unknown"), "rewetted": (REWETTED, "unknown"),
    "rewetted_21_40": (REWETTED, "unknown"), "peat_extraction": (EXTRACTION, "any"),
}  # fmt: skip
"""Subclass of a legend → state and nutrients, where no layer of drainage says more."""
_LAND_USE: Final = {
    "forest": ("forest",), "trees_outside_forest": ("forest",), "shrubland": ("forest",), "grassland": ("grassland",),
    "inland_wetland": ("grassland",), "cropland": ("cropland",),
}  # fmt: skip
_CROP_USE: Final = {
    "paddy": ("rice",), "perennial": ("plantation", "cropland"), "oil_palm": ("oil_palm",), "sago": ("sago",),
    "acacia": ("plantation_short",),
}  # fmt: skip
"""Ecosystem, and subclass of cropland → rows of the table, the first that has a factor. Outside the tropics perennial crops
are cropland."""
_NONE: Final = ("mangrove", "salt_marsh", "seagrass", "water", "snow_ice")
"""Covers whose soil has no factor here."""
_METHANE: Final = ("ef_ch4_land", "ef_ch4_ditch", "frac_ditch")

# ---------------------------------------------------------------------------- equations


def carbon_sink(ef_co2: Array, ef_doc: Array) -> Array:
    """Sink of organic soil [Mg C ha⁻¹ yr⁻¹]: −(EF_CO₂ + EF_DOC), on site and dissolved; a source is negative.

    ef_co2, ef_doc : [Mg C ha⁻¹ yr⁻¹]. Source: 2013 Wetlands Supplement, eq. 2.2 and 3.3 (fire left out), Tables 2.1, 2.2,
    3.1 and 3.2.
    """
    return -(ef_co2 + ef_doc)


def drained_methane(land: Array, ditch: Array, ditch_share: Array) -> Array:
    """Methane of drained soil [kg CH₄ ha⁻¹ yr⁻¹]: (1 − Frac_ditch) · EF_land + Frac_ditch · EF_ditch.

    land, ditch : [kg CH₄ ha⁻¹ yr⁻¹]; ditch_share : area of ditches [1]. Source: 2013 Wetlands Supplement, eq. 2.6, Tables
    2.3 and 2.4.
    """
    return (1 - ditch_share) * land + ditch_share * ditch


def rewetted_methane(ef_ch4_c: Array) -> Array:
    """Methane of rewetted soil [kg CH₄ ha⁻¹ yr⁻¹]: 16/12 · EF; ef_ch4_c : [kg CH₄-C ha⁻¹ yr⁻¹].

    Source: 2013 Wetlands Supplement, eq. 3.8, Table 3.3.
    """
    return CH4_PER_C * ef_ch4_c


def nitrous_oxide(ef_n2o: Array) -> Array:
    """Nitrous oxide [kg N₂O ha⁻¹ yr⁻¹]: 44/28 · EF; ef_n2o : [kg N₂O-N ha⁻¹ yr⁻¹].

    Source: 2013 Wetlands Supplement, eq. 2.7, Table 2.5.
    """
    return N2O_PER_N * ef_n2o


def co2_equivalent(sink: Array, methane: Array, nitrous: Array, gwp_set: str) -> Array:
    """Net emission of all three gases [Mg CO₂e ha⁻¹ yr⁻¹], positive = emission.

    sink : [Mg C ha⁻¹ yr⁻¹], positive = uptake; methane, nitrous : [kg ha⁻¹ yr⁻¹]; gwp_set : scheme of ``gwp.csv``, ar4,
    ar5 or ar6, over 100 years. Raises InputError for an unknown set.
    """
    gwp = {gas: _gwp(gas, gwp_set).value for gas in ("ch4", "n2o")}
    return -C_TO_CO2 * sink + (gwp["ch4"] * methane + gwp["n2o"] * nitrous) / KG_PER_MG


def _gwp(gas: str, gwp_set: str) -> Coefficient:
    rows = table("gwp").matches("gwp100", {"scheme": gwp_set, "gas": gas})
    if not rows:
        known = ", ".join(sorted({r.keys["scheme"] for r in table("gwp").rows}))
        raise InputError(f"there is no set of global warming potentials '{gwp_set}'; known: {known}")
    return rows[0].coefficient


def peat_carbon(thickness_m: Array, bulk_density: Array, carbon_fraction: Array) -> Array:
    """Carbon of peat [Mg C ha⁻¹]: thickness · 10⁴ m² ha⁻¹ · bulk density · carbon fraction.

    thickness_m : [m]; bulk_density : of dry peat [Mg m⁻³]; carbon_fraction : of dry peat [Mg C Mg⁻¹].
    """
    return thickness_m * M2_PER_HA * bulk_density * carbon_fraction


def peat_properties(climate: str, parameters: ParameterSet) -> dict[str, Coefficient]:
    """``peat_bulk_density`` and ``peat_carbon_fraction`` of a climate zone, as ``peat_carbon`` takes them.

    Raises InputError for an unknown zone, or where the set has none.
    """
    keys = {"climate": domain_of(climate)}
    names = ("peat_bulk_density", "peat_carbon_fraction")
    return {name: parameters.find("organic_soil", name, **keys) for name in names}


# ---------------------------------------------------------------------------- what a stratum is


def is_organic(stratum: Stratum) -> bool:
    """Whether the soil is organic: by the soil layer, a layer of peat, or a peat subclass of the legend."""
    return stratum.soil == ORGANIC or PEAT in stratum.present or stratum.cover.subclass.startswith("peat")


def domain_of(climate: str) -> str:
    """Boreal, temperate or tropical, for an IPCC climate zone. Raises InputError for an unknown zone."""
    return _climate(climate)["domain"]


def _climate(climate: str) -> Mapping[str, str]:
    for row in records("wetland_climates"):
        if row["climate"] == climate:
            return row
    known = ", ".join(row["climate"] for row in records("wetland_climates"))
    raise InputError(f"unknown climate zone '{climate}'; known: {known}")


def state_of(stratum: Stratum) -> tuple[str, str]:
    """State of drainage and nutrients of the stratum's organic soil; nutrients as in ``drainage_classes.csv``.

    Raises InputError for a drainage that the table does not know.
    """
    state, nutrients = _SUBCLASS_STATE.get(stratum.cover.subclass, (UNDRAINED, ""))
    if stratum.drainage:
        rows = [r for r in records("drainage_classes") if r["key"] == stratum.drainage]
        if not rows:
            known = ", ".join(r["key"] for r in records("drainage_classes"))
            raise InputError(f"unknown drainage '{stratum.drainage}'; known: {known}")
        state, nutrients = rows[0]["state"], rows[0]["nutrient"]
    if state == UNDRAINED and stratum.cover.ecosystem == "cropland":
        return DRAINED, "unknown"
    return state, nutrients


def _land_uses(stratum: Stratum, state: str) -> tuple[str, ...]:
    """Rows of the table for the stratum's cover, in order of preference."""
    if stratum.cover.ecosystem in _NONE:
        return ()
    if state == REWETTED:
        return ("rewetted",)
    if state == EXTRACTION:
        return ("peat_extraction",)
    if stratum.cover.ecosystem == "cropland" or stratum.cover.subclass == "cultivated":
        return _CROP_USE.get(stratum.cover.subclass, _LAND_USE["cropland"])
    return _LAND_USE.get(stratum.cover.ecosystem, ())


# ---------------------------------------------------------------------------- the plug's two functions


def coefficients(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients:
    """Emission factors of a stratum on drained or rewetted organic soil; none elsewhere, on permafrost and without fluxes.

    Raises InputError for an unknown climate zone or drainage.
    """
    if options.flux_method == "none" or stratum.permafrost or not stratum.climate or not is_organic(stratum):
        return Coefficients()
    state, nutrients = state_of(stratum)
    if state == UNDRAINED:
        return Coefficients()
    climate = _climate(stratum.climate)
    if nutrients == "unknown":
        nutrients = climate["unknown_nutrient"]
    names = ("ef_co2", "ef_doc", "ef_n2o", *(("ef_ch4_c",) if state == REWETTED else _METHANE))
    for use in _land_uses(stratum, state):
        found = {name: c for name in names if (c := _factor(name, climate["domain"], use, nutrients, parameters))}
        if "ef_co2" in found:
            return Coefficients(found, method=f"{state} organic soil, {use}")
    return Coefficients()


def _factor(name: str, domain: str, use: str, nutrients: str, parameters: ParameterSet) -> Coefficient | None:
    """A factor for the first of these nutrients that has a row of its own, else the row for any."""
    if name == "ef_doc" and use != REWETTED:
        use = DRAINED  # Table 2.2 does not tell uses apart
    rows: list[Row] = []
    for nutrient in nutrients.split(";"):
        rows = parameters.rows("organic_soil", name, climate=domain, land_use=use, nutrient=nutrient)
        if rows and rows[0].keys.get("nutrient") == nutrient:
            break
    return rows[0].coefficient if rows else None


def equations(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Sink of soil [Mg C ha⁻¹ yr⁻¹], methane and nitrous oxide [kg ha⁻¹ yr⁻¹], those that have factors. No layer enters."""
    found: dict[str, Array] = {}
    if "ef_co2" in c and "ef_doc" in c:
        found["sink_soil"] = carbon_sink(c["ef_co2"], c["ef_doc"])
    if all(name in c for name in _METHANE):
        found["emission_ch4"] = drained_methane(*(c[name] for name in _METHANE))
    if "ef_ch4_c" in c:
        found["emission_ch4"] = rewetted_methane(c["ef_ch4_c"])
    if "ef_n2o" in c:
        found["emission_n2o"] = nitrous_oxide(c["ef_n2o"])
    return found
