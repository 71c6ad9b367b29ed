"""Carbonate weathering: how much atmospheric carbon the dissolution of limestone and dolomite takes up each year.

Three methods, all [Mg C ha⁻¹ yr⁻¹], positive = uptake: A by equilibrium of calcite with soil CO₂, B by the
bicarbonate of the water, C by GEM-CO2. Of two HCO₃⁻ that dissolution gives, one stems from the air: the half is
applied exactly once. The uptake is a flux of dissolved carbon on the time scale of 10 to 10⁴ years, not a stock. Rock
that no water leaves takes up nothing, so runoff below 0 counts as 0. Constants with sources:
``sinks/tables/karst.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from sinks.errors import InputError
from sinks.parameters import Coefficient, table

Array = Any

LITRES_PER_MM_KM2: Final = 1e6
"""1 mm of water on 1 km² [L]."""
HA_PER_KM2: Final = 100.0
_PASSES: Final = 10
"""Passes of the activity iteration; 5 to 7 reach a relative 1e-8 for 0–30 °C and log pCO₂ of −3.4 to −1.5."""
_KELVIN: Final = 273.15
_KELVIN_25C: Final = 298.15


@lru_cache(maxsize=1)
def constants() -> Mapping[str, Coefficient]:
    """Every constant by name, those of GEM-CO2 as ``co2_per_runoff_<lithology>``; Brook's are not verified."""
    found = {}
    for row in table("karst").rows:
        lithology = row.keys["lithology"]
        name = row.coefficient.name if lithology in ("any", "") else f"{row.coefficient.name}_{lithology}"
        found[name] = row.coefficient
    return found


def _constant(name: str) -> float:
    return constants()[name].value


def carbon_of_moles(moles: Array) -> Array:
    """Carbon [Mg C ha⁻¹ yr⁻¹] of a flux of CO₂ or DIC [mol km⁻² yr⁻¹]."""
    return np.asarray(moles, np.float64) * _constant("molar_mass_c") * 1e-6 / HA_PER_KM2


def carbon_of_limestone(mass: Array) -> Array:
    """Carbon taken from the air by dissolving a mass of CaCO₃, in the mass's unit: one C per CaCO₃."""
    return np.asarray(mass, np.float64) * _constant("molar_mass_c") / _constant("molar_mass_caco3")


# ---------------------------------------------------------------------------- B: bicarbonate, C: GEM-CO2


def by_bicarbonate(
    runoff_mm: Array, bicarbonate_mmol_l: Array, carbonate_fraction: Array = 1.0, strong_acid_share: Array = 0.0
) -> Array:
    """Method B: the sink from runoff and the bicarbonate that carbonate rock gave it [Mg C ha⁻¹ yr⁻¹].

    Parameters
    ----------
    runoff_mm : runoff [mm yr⁻¹]; bicarbonate_mmol_l : HCO₃⁻ of carbonate rock, that of silicates taken off [mmol L⁻¹];
    carbonate_fraction : part of the area on carbonate rock [1];
    strong_acid_share : part a of the dissolved CaCO₃ that sulphuric or nitric acid dissolved [1].

    Notes
    -----
    0.5 · 12.011e-3 · R · [HCO₃⁻] t C km⁻² yr⁻¹ (Zeng et al. 2019, eq. 1); with strong acids the half becomes
    (1 − a)/(2 − a), by mass balance.
    """
    acid = np.asarray(strong_acid_share, np.float64)
    runoff = np.maximum(np.asarray(runoff_mm, np.float64), 0.0)
    moles = LITRES_PER_MM_KM2 * runoff * 1e-3 * np.asarray(bicarbonate_mmol_l, np.float64)
    return carbon_of_moles(moles * (1 - acid) / (2 - acid)) * carbonate_fraction


def by_gem_co2(runoff_mm: Array, carbonate_fraction: Array = 1.0, lithology: str = "carbonate") -> Array:
    """Method C: the sink from runoff and lithology alone [Mg C ha⁻¹ yr⁻¹]; sees neither temperature nor soil CO₂.

    Parameters
    ----------
    runoff_mm : runoff [mm yr⁻¹]; carbonate_fraction : part of the area on this rock [1];
    lithology : "carbonate", or another rock, whose silicate weathering is no part of the karst sink.

    Notes
    -----
    1000 · a · Q mol km⁻² yr⁻¹ with a [mmol L⁻¹]: Amiotte Suchet & Probst 1995. Raises InputError for a rock of which
    the table has no confirmed number.
    """
    name = f"co2_per_runoff_{lithology}"
    if name not in constants() or constants()[name].status == "unverified":
        known = [n.removeprefix("co2_per_runoff_") for n, c in constants().items() if n.startswith("co2_per")]
        raise InputError(f"no confirmed GEM-CO2 coefficient for lithology '{lithology}'; known: {', '.join(known)}")
    runoff = np.maximum(np.asarray(runoff_mm, np.float64), 0.0)
    return carbon_of_moles(LITRES_PER_MM_KM2 * runoff * 1e-3 * _constant(name)) * carbonate_fraction


# ---------------------------------------------------------------------------- A: equilibrium


@dataclass(frozen=True)
class Equilibrium:
    """Water in equilibrium with a carbonate and with CO₂.

    calcium : [mol L⁻¹]; bicarbonate : [mol L⁻¹]; ionic_strength : [mol L⁻¹]; gamma_ca, gamma_hco3 : activity
    coefficients [1].
    """

    calcium: Array
    bicarbonate: Array
    ionic_strength: Array
    gamma_ca: Array
    gamma_hco3: Array


def _log_k(name: str, kelvin: Array) -> Array:
    c = {term: _constant(f"log_{name}_{term}") for term in ("constant", "linear", "inverse", "log", "inverse_square")}
    return (
        c["constant"]
        + c["linear"] * kelvin
        + c["inverse"] / kelvin
        + c["log"] * np.log10(kelvin)
        + c["inverse_square"] / kelvin**2
    )


def log_constants(temperature_c: Array) -> tuple[Array, Array, Array, Array]:
    """log₁₀ of K0 (CO₂ solubility), K1, K2 (dissociation) and Kc (calcite) at a temperature [°C], 0–90 °C.

    Source: Plummer & Busenberg 1982, Geochim. Cosmochim. Acta 46:1011. Below 0 °C the values of 0 °C are used [design].
    """
    kelvin = np.maximum(np.asarray(temperature_c, np.float64), 0.0) + _KELVIN
    return _log_k("k0", kelvin), _log_k("k1", kelvin), _log_k("k2", kelvin), _log_k("kc", kelvin)


def activity(ionic_strength: Array, temperature_c: Array, charge: int, size: float) -> Array:
    """Activity coefficient [1] of an ion of this charge and size [Å]: extended Debye–Hückel (Dreybrodt 1988)."""
    t = np.maximum(np.asarray(temperature_c, np.float64), 0.0)
    a = _constant("debye_a_constant") + _constant("debye_a_linear") * t
    b = _constant("debye_b_constant") + _constant("debye_b_linear") * t
    root = np.sqrt(ionic_strength)
    return 10 ** (-a * charge**2 * root / (1 + b * size * root))


def calcite_equilibrium(temperature_c: Array, pco2_atm: Array) -> Equilibrium:
    """Water in equilibrium with calcite and CO₂ in an open system.

    [Ca] = (Kc K1 K0 pCO₂ / (4 K2 γCa γHCO3²))^⅓, I = 3 [Ca], ten passes from γ = 1. Ion pairs are left out, so calcium
    is 1.8 to 3.0 % below PHREEQC's for 5–25 °C and log pCO₂ of −3.4 to −1.5.
    """
    k0, k1, k2, kc = log_constants(temperature_c)
    ideal = 10 ** (kc + k1 + k0 - k2) * np.asarray(pco2_atm, np.float64) / 4
    gamma_ca: Array = 1.0
    gamma_hco3: Array = 1.0
    calcium: Array = 0.0
    for _ in range(_PASSES):
        calcium = np.cbrt(ideal / (gamma_ca * gamma_hco3**2))
        gamma_ca = activity(3 * calcium, temperature_c, 2, _constant("ion_size_ca"))
        gamma_hco3 = activity(3 * calcium, temperature_c, 1, _constant("ion_size_hco3"))
    return Equilibrium(calcium, 2 * calcium, 3 * calcium, gamma_ca, gamma_hco3)


def dolomite_equilibrium(temperature_c: Array, pco2_atm: Array) -> Equilibrium:
    """Water in equilibrium with dolomite and CO₂: an upper bound, for dolomite dissolves slowly.

    x = (Kd (K0 K1 pCO₂)² / (256 K2² γCa γMg γHCO3⁴))^(1/6) mol L⁻¹ formula units, HCO₃⁻ = 4x, I = 6x; Kd from 25 °C by
    van't Hoff (phreeqc.dat: −17.09, −9.436 kcal mol⁻¹).
    """
    k0, k1, k2, _ = log_constants(temperature_c)
    kelvin = np.maximum(np.asarray(temperature_c, np.float64), 0.0) + _KELVIN
    heat = _constant("dolomite_enthalpy") / (_constant("gas_constant") * np.log(10))
    kd = _constant("log_kd_25c") - heat * (1 / kelvin - 1 / _KELVIN_25C)
    ideal = 10 ** (kd + 2 * (k0 + k1 - k2)) * np.asarray(pco2_atm, np.float64) ** 2 / 256
    gamma_ca: Array = 1.0
    gamma_mg: Array = 1.0
    gamma_hco3: Array = 1.0
    units: Array = 0.0
    for _ in range(_PASSES):
        units = (ideal / (gamma_ca * gamma_mg * gamma_hco3**4)) ** (1 / 6)
        gamma_ca = activity(6 * units, temperature_c, 2, _constant("ion_size_ca"))
        gamma_mg = activity(6 * units, temperature_c, 2, _constant("ion_size_mg"))
        gamma_hco3 = activity(6 * units, temperature_c, 1, _constant("ion_size_hco3"))
    return Equilibrium(units, 4 * units, 6 * units, gamma_ca, gamma_hco3)


def brook_pco2(aet_mm: Array) -> Array:
    """CO₂ pressure of soil air [atm] from actual evapotranspiration [mm yr⁻¹] (Brook et al. 1983).

    NOT VERIFIED: the three coefficients could not be confirmed in a source (status "unverified" in the table), so no
    method uses this unless it is called for. Kept between the atmosphere's 10^−3.38 and 10^−1 [design]; bare rock has
    the atmosphere's.
    """
    aet = np.maximum(np.asarray(aet_mm, np.float64), 0.0)
    rise = _constant("log_pco2_range") * -np.expm1(-_constant("log_pco2_rate") * aet)
    log_pco2 = _constant("log_pco2_base") + rise
    return 10 ** np.clip(log_pco2, _constant("log_pco2_low"), _constant("log_pco2_high"))


def by_dissolution(
    temperature_c: Array,
    runoff_mm: Array,
    pco2_atm: Array,
    carbonate_fraction: Array = 1.0,
    dolomite_share: Array = 0.0,
    strong_acid_share: Array = 0.0,
    saturation: Array = 1.0,
) -> Array:
    """Method A: the maximum potential dissolution (Gombert 2002) as a sink [Mg C ha⁻¹ yr⁻¹]; an upper bound.

    Parameters
    ----------
    temperature_c : mean annual temperature [°C]; runoff_mm : rain less actual evapotranspiration [mm yr⁻¹];
    pco2_atm : CO₂ pressure of soil air [atm]; carbonate_fraction : part of the area on carbonate rock [1];
    dolomite_share : part of that rock that is dolomite [1], 0 is the cautious choice;
    strong_acid_share : part of the rock that sulphuric or nitric acid dissolves [1];
    saturation : part of equilibrium that the water reaches [1], 1 gives the maximum.
    """
    runoff = np.maximum(np.asarray(runoff_mm, np.float64), 0.0)
    share = np.asarray(dolomite_share, np.float64)
    bicarbonate = calcite_equilibrium(temperature_c, pco2_atm).bicarbonate
    if np.any(share > 0):
        bicarbonate = (1 - share) * bicarbonate + share * dolomite_equilibrium(temperature_c, pco2_atm).bicarbonate
    moles = LITRES_PER_MM_KM2 * runoff * 0.5 * bicarbonate
    return carbon_of_moles(moles) * carbonate_fraction * (1 - np.asarray(strong_acid_share)) * saturation
