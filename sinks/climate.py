"""Climate zones of the IPCC, and evapotranspiration from temperature and rain.

Every function is elementwise NumPy; a value that is not known (NaN) gives zone 0 or NaN, never a guess. Thresholds and
constants are the rows of ``sinks/tables/climate_rules.csv``; zones are those of ``sinks/tables/climate_zones.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinks.parameters import Coefficient, records, table

Array = Any

ZONES: Final = tuple(row["key"] for row in sorted(records("climate_zones"), key=lambda row: int(row["code"])))
"""Keys of the climate zones in the order of their codes 1, 2, …; code 0 is *unknown*."""

UNKNOWN: Final = 0
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@lru_cache(maxsize=1)
def rules() -> Mapping[str, Coefficient]:
    """Every threshold and constant of this module with its unit and source."""
    return {row.coefficient.name: row.coefficient for row in table("climate_rules").rows}


def _rule(name: str) -> float:
    return rules()[name].value


def zone_code(
    mat: Array, map_mm: Array, pet: Array, elevation: Array, frost_days: Array, warmest_month: Array
) -> NDArray[np.uint8]:
    """Climate zone of the IPCC: 1–12, the place in ``ZONES``, or 0 where an input that decides is not known.

    Parameters
    ----------
    mat : mean annual temperature [°C]; map_mm, pet : annual rain and potential evapotranspiration [mm yr⁻¹];
    elevation [m]; frost_days : days a year with frost; warmest_month : mean temperature of the warmest month [°C].
        All are long-term means.

    Notes
    -----
    IPCC 2019 Refinement, Vol. 4, Annex 3A.5 with its corrigendum. Every threshold belongs to the colder, lower or
    drier side (18.0 °C is not tropical, 1000 mm is dry), but 7 frost days are still tropical and a warmest month of
    10.0 °C is boreal. An input that does not decide may be NaN: elevation outside the tropics, PET inside them.
    """
    t, rain, pet, elevation, frost, warmest = np.broadcast_arrays(
        *(np.asarray(a, np.float64) for a in (mat, map_mm, pet, elevation, frost_days, warmest_month))
    )
    hot = t > _rule("tropical_temperature")
    tropical = hot & (frost <= _rule("tropical_frost_days"))
    montane = elevation > _rule("montane_elevation")
    wet, moist = rain > _rule("wet_precipitation"), rain > _rule("moist_precipitation")
    lowland = np.where(np.isnan(rain), UNKNOWN, np.where(wet, 2, np.where(moist, 3, 4)))
    zone_tropical = np.where(np.isnan(elevation), UNKNOWN, np.where(montane, 1, lowland))

    warm, cool = t > _rule("warm_temperature"), t > _rule("cool_temperature")
    cold = np.where(np.isnan(warmest), UNKNOWN, np.where(warmest < _rule("polar_month"), 11, 9))
    moist_side = np.where(warm, 5, np.where(cool, 7, cold))
    unknown = np.isnan(rain) | np.isnan(pet) | (moist_side == UNKNOWN)
    zone_other = np.where(unknown, UNKNOWN, moist_side + np.where(rain > pet, 0, 1))

    zone = np.where(tropical, zone_tropical, zone_other)
    undecided = np.isnan(t) | (hot & np.isnan(frost))
    return np.where(undecided, UNKNOWN, zone).astype(np.uint8)


def frost_by_coldest_month(coldest: Array) -> NDArray[np.float64]:
    """A stand-in for frost days [d yr⁻¹] from the mean minimum of the coldest month [°C]: 0 above 0 °C, else many [design]."""
    t = np.asarray(coldest, np.float64)
    return np.where(np.isnan(t), np.nan, np.where(t > _rule("frost_month"), 0.0, np.inf))


def zone_by_latitude(latitude: Array) -> NDArray[np.uint8]:
    """Climate zone 1–12 by latitude [degrees] alone, 0 beyond the poles or where it is NaN.

    A crude fallback for where no climate layer is given [design]: it sees neither altitude nor dryness. Bands:
    ``sinks/tables/latitude_bands.csv``; a band owns its lower end.
    """
    bands = records("latitude_bands")
    edges = np.asarray([float(band["min_abs_lat"]) for band in bands])
    codes = np.asarray([UNKNOWN, *(ZONES.index(band["climate"]) + 1 for band in bands)], np.uint8)
    distance = np.abs(np.asarray(latitude, np.float64))
    beyond = ~(distance <= float(bands[-1]["max_abs_lat"]))
    return codes[np.where(beyond, 0, np.searchsorted(edges, distance, side="right"))]


# ---------------------------------------------------------------------------- evapotranspiration


def turc_evapotranspiration(map_mm: Array, mat: Array) -> Array:
    """Actual evapotranspiration [mm yr⁻¹] from annual rain [mm yr⁻¹] and mean temperature [°C].

    Turc 1954: L = 300 + 25 T + 0.05 T³, AET = P / √(0.9 + (P/L)²), AET = P where P/L < 0.316. It sees neither season
    nor soil. L is at least 1 mm [design], and AET at most P.
    """
    rain, t = np.asarray(map_mm, np.float64), np.asarray(mat, np.float64)
    power = _rule("turc_constant") + _rule("turc_linear") * t + _rule("turc_cubic") * t**3
    ratio = rain / np.maximum(power, _rule("turc_least"))
    actual = rain / np.sqrt(_rule("turc_offset") + ratio**2)
    return np.where(ratio < _rule("turc_dry_limit"), rain, np.minimum(actual, rain))


def fu_evapotranspiration(map_mm: Array, pet: Array, w: Array) -> Array:
    """Actual evapotranspiration [mm yr⁻¹] from annual rain and potential evapotranspiration [mm yr⁻¹].

    Budyko curve of Fu (1981): AET = P (1 + PET/P − (1 + (PET/P)^w)^(1/w)); w > 1 is the catchment's own [1], for which
    no default is built in because none could be confirmed. No rain, no evapotranspiration.
    """
    rain, pet, w = (np.asarray(a, np.float64) for a in (map_mm, pet, w))
    ratio = pet / np.where(rain > 0, rain, 1.0)
    actual = rain * (1 + ratio - (1 + ratio**w) ** (1 / w))
    return np.where(rain > 0, actual, rain)


def thornthwaite_pet(monthly_temperature: Array, day_hours: Array, days: Array) -> Array:
    """Potential evapotranspiration of each month [mm month⁻¹].

    Parameters
    ----------
    monthly_temperature : long-term monthly means [°C], the 12 months on the first axis; day_hours : mean day length of
    each month [h]; days : days of each month.

    Notes
    -----
    Thornthwaite 1948. Willmott's correction above 26.5 °C is left out because its coefficients could not be confirmed.
    Too low in dry windy regions. A month that is not known makes the year unknown.
    """
    warm = np.maximum(np.asarray(monthly_temperature, np.float64), 0.0)
    index = ((warm / 5) ** _rule("thornthwaite_index_power")).sum(axis=0)
    exponent = (
        _rule("thornthwaite_cubic") * index**3
        + _rule("thornthwaite_square") * index**2
        + _rule("thornthwaite_linear") * index
        + _rule("thornthwaite_constant")
    )
    share = 10 * warm / np.where(index > 0, index, np.where(np.isnan(index), np.nan, 1.0))
    return _rule("thornthwaite_scale") * (np.asarray(day_hours) / 12) * (np.asarray(days) / 30) * share**exponent


def day_hours(latitude: Array, day_of_year: Array) -> NDArray[np.float64]:
    """Possible hours of daylight [h] at a latitude [°] on a day of the year (1 to 365); 0 and 24 beyond the polar circles.

    N = 24/π · arccos(−tan φ tan δ), δ = 0.409 sin(2π J / 365 − 1.39). Source: Allen et al. 1998, eq. 24, 25 and 34.
    """
    turn = 2 * np.pi / 365 * np.asarray(day_of_year, np.float64) - _rule("declination_phase")
    declination = _rule("declination_amplitude") * np.sin(turn)
    across = -np.tan(np.radians(np.asarray(latitude, np.float64))) * np.tan(declination)
    return 24 / np.pi * np.arccos(np.clip(across, -1.0, 1.0))


def thornthwaite_year(monthly_temperature: Array, latitude: Array) -> NDArray[np.float64]:
    """Potential evapotranspiration of a year [mm yr⁻¹] from monthly means [°C] and latitude [°].

    monthly_temperature : long-term means, the 12 months on the first axis. Each month has the daylight of its middle day.
    Source: Thornthwaite 1948, see :func:`thornthwaite_pet`.
    """
    monthly = np.asarray(monthly_temperature, np.float64)
    days = np.asarray(_MONTH_DAYS, np.float64)
    middle = np.cumsum(days) - days / 2 + 0.5
    along = (12,) + (1,) * (monthly.ndim - 1)
    hours = day_hours(np.asarray(latitude)[np.newaxis], middle.reshape(along))
    return thornthwaite_pet(monthly, hours, days.reshape(along)).sum(axis=0)
