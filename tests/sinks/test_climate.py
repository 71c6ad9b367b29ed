"""Climate zones at their thresholds, and evapotranspiration against published formulas."""

import numpy as np
import pytest

from sinks import climate

NAN = float("nan")


def zone(mat: float, rain: float, pet: float, elevation: float, frost: float, warmest: float) -> str:
    code = int(climate.zone_code(mat, rain, pet, elevation, frost, warmest))
    return climate.ZONES[code - 1] if code else "unknown"


def test_zones_are_the_twelve_of_the_2019_refinement_in_order() -> None:
    assert climate.ZONES == (
        "tropical_montane", "tropical_wet", "tropical_moist", "tropical_dry", "warm_temperate_moist",
        "warm_temperate_dry", "cool_temperate_moist", "cool_temperate_dry", "boreal_moist", "boreal_dry",
        "polar_moist", "polar_dry",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ((18.1, 2500, 1500, 1000.1, 0, 25), "tropical_montane"),
        ((18.1, 2500, 1500, 1000, 0, 25), "tropical_wet"),
        ((18.1, 2000, 1500, 0, 7, 25), "tropical_moist"),
        ((18.1, 2000.1, 1500, 0, 7, 25), "tropical_wet"),
        ((18.1, 1000, 1500, 0, 7, 25), "tropical_dry"),
        ((18.1, 1000.1, 1500, 0, 7, 25), "tropical_moist"),
        ((18.1, 2500, 1500, 0, 7.1, 25), "warm_temperate_moist"),
        ((18.0, 2500, 1500, 0, 0, 25), "warm_temperate_moist"),
        ((10.1, 900, 900, 0, 30, 20), "warm_temperate_dry"),
        ((10.1, 900.1, 900, 0, 30, 20), "warm_temperate_moist"),
        ((10.0, 900.1, 900, 0, 30, 20), "cool_temperate_moist"),
        ((0.1, 300, 500, 0, 90, 15), "cool_temperate_dry"),
        ((0.0, 600, 500, 0, 200, 10), "boreal_moist"),
        ((0.0, 500, 500, 0, 200, 10), "boreal_dry"),
        ((0.0, 600, 500, 0, 200, 9.9), "polar_moist"),
        ((-5, 100, 200, 4000, 300, 9.9), "polar_dry"),
    ],
)
def test_thresholds_of_ipcc_2019_annex_3a_5(inputs: tuple[float, ...], expected: str) -> None:
    assert zone(*inputs) == expected


def test_what_decides_and_is_not_known_leaves_the_zone_unknown() -> None:
    assert zone(NAN, 900, 900, 0, 0, 20) == "unknown"
    assert zone(20, 900, 900, 0, NAN, 20) == "unknown"
    assert zone(20, 900, 900, NAN, 0, 20) == "unknown"
    assert zone(20, NAN, 900, 0, 0, 20) == "unknown"
    assert zone(12, NAN, 900, 0, 0, 20) == "unknown"
    assert zone(12, 900, NAN, 0, 0, 20) == "unknown"
    assert zone(-2, 900, 500, 0, 0, NAN) == "unknown"


def test_what_does_not_decide_may_be_missing() -> None:
    assert zone(20, 1500, NAN, 0, 0, NAN) == "tropical_moist"
    assert zone(20, NAN, NAN, 1500, 0, NAN) == "tropical_montane"
    assert zone(12, 900, 500, NAN, NAN, NAN) == "warm_temperate_moist"


def test_zones_of_an_array_are_those_of_its_pixels() -> None:
    mat = np.array([[20.0, 12.0], [5.0, -3.0]])
    found = climate.zone_code(mat, 800.0, np.full((2, 2), 700.0), 200.0, 0.0, 15.0)
    assert found.dtype == np.uint8
    assert found.tolist() == [[4, 5], [7, 9]]


def test_latitude_alone_gives_a_zone_on_both_hemispheres() -> None:
    found = climate.zone_by_latitude(np.array([0, 23.49, 23.5, -30, 35, 49.9, -50, 66.5, 90, -90, 90.1, NAN]))
    keys = ["unknown" if code == 0 else climate.ZONES[code - 1] for code in found]
    assert keys == [
        "tropical_moist", "tropical_moist", "warm_temperate_moist", "warm_temperate_moist", "cool_temperate_moist",
        "cool_temperate_moist", "boreal_moist", "polar_moist", "polar_moist", "polar_moist", "unknown", "unknown",
    ]  # fmt: skip
    assert climate.zone_by_latitude(40.0) == 7


@pytest.mark.parametrize(
    ("rain", "t", "expected"),
    [
        (1000, 10, 521.44),
        (1200, 18, 804.07),
        (1800, 20, 1014.19),
        (500, 5, 333.76),
        (200, 8, 195.67),
        (400, -5, 156.67),
    ],
)
def test_w22_turc_1954(rain: float, t: float, expected: float) -> None:
    assert climate.turc_evapotranspiration(rain, t) == pytest.approx(expected, abs=0.005)


def test_turc_never_exceeds_rain_and_survives_frost_and_drought() -> None:
    rain, t = np.meshgrid(np.linspace(0, 4000, 81), np.linspace(-30, 35, 66))
    actual = climate.turc_evapotranspiration(rain, t)
    assert (actual <= rain).all()
    assert (actual >= 0).all()
    assert np.isnan(climate.turc_evapotranspiration(np.array([NAN, 500]), np.array([10, NAN]))).all()


@pytest.mark.parametrize(
    ("rain", "pet", "w", "expected"), [(1200, 900, 2.6, 707.13), (600, 1000, 2.6, 505.39), (1200, 900, 2, 600.0)]
)
def test_w22_budyko_fu(rain: float, pet: float, w: float, expected: float) -> None:
    assert climate.fu_evapotranspiration(rain, pet, w) == pytest.approx(expected, abs=0.005)


def test_fu_without_rain_and_without_knowledge() -> None:
    assert climate.fu_evapotranspiration(0.0, 900.0, 2.6) == 0
    assert np.isnan(climate.fu_evapotranspiration(NAN, 900.0, 2.6))
    assert np.isnan(climate.fu_evapotranspiration(900.0, NAN, 2.6))


def test_w22_thornthwaite_with_12_hour_days() -> None:
    months = np.array([5, 6, 10, 15, 20, 23, 26, 26, 22, 17, 12, 7.0])
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    found = climate.thornthwaite_pet(months, 12.0, days)
    assert found.sum() == pytest.approx(775.9, abs=0.05)


def test_thornthwaite_of_frozen_and_unknown_years() -> None:
    year = np.stack([np.full(12, -20.0), np.full(12, 15.0), np.full(12, 15.0)], axis=1)
    year[3, 2] = NAN
    found = climate.thornthwaite_pet(year, 12.0, 30.0)
    assert found.shape == (12, 3)
    assert (found[:, 0] == 0).all()
    assert (found[:, 1] > 0).all()
    assert np.isnan(found[:, 2]).all()


def test_every_rule_has_a_unit_and_a_source() -> None:
    assert all(c.unit and c.source and c.status in ("confirmed", "design") for c in climate.rules().values())


def test_daylight_of_allen_1998_example_9() -> None:
    """20° S on 3 September: 11.7 hours."""
    assert climate.day_hours(-20.0, 246) == pytest.approx(11.7, abs=0.05)


def test_daylight_at_the_equator_the_solstice_and_the_poles() -> None:
    assert climate.day_hours(0.0, np.arange(1, 366)) == pytest.approx(np.full(365, 12.0), abs=1e-12)
    assert climate.day_hours(np.array([80.0, -80.0]), 172).tolist() == [24.0, 0.0]
    assert float(climate.day_hours(40.0, 172) + climate.day_hours(-40.0, 172)) == pytest.approx(24.0)


def test_a_year_by_thornthwaite_at_the_equator_has_days_of_12_hours() -> None:
    months = np.array([5, 6, 10, 15, 20, 23, 26, 26, 22, 17, 12, 7], np.float64)[:, np.newaxis]
    year = climate.thornthwaite_year(months, np.array([0.0, 45.0]))
    assert year[0] == pytest.approx(775.9, abs=0.1)  # W22, by 12 hours a day
    assert year[1] > year[0]
    assert np.isnan(climate.thornthwaite_year(np.full((12, 1), np.nan), np.zeros(1)))
