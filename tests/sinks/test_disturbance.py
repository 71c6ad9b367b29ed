"""Loss on conversion of coasts: the numbers of InVEST's own tests, and what must hold of any release."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.disturbance import (
    Pool,
    disturbance,
    disturbed_mass,
    extracted_carbon,
    net_sequestration,
    released_between,
    released_in,
)
from sinks.errors import InputError
from sinks.parameters import SET_NAMES, parameter_set

MANGROVE, PARKING = 0, 1
MAPS = [np.array([[MANGROVE, PARKING]]), np.array([[PARKING, MANGROVE]]), np.array([[MANGROVE, PARKING]])]
YEARS = [2000, 2010, 2020, 2030]


def invest_pools(impact: str = "high") -> dict[str, Pool]:
    """The biophysical table of InVEST's test; its disturbed parts and half-lives are those of the shipped table."""
    found = {}
    for name, initial, accumulation in (("biomass", 64.0, 2.0), ("soil", 313.0, 5.35)):
        c = disturbance("mangrove", name, impact, parameter_set("ipcc"))
        part = np.array([[0.0, float(c["disturbed_fraction"])], [0.0, 0.0]])
        found[name] = Pool([initial, 0.0], [accumulation, 0.0], [float(c["half_life"]), 0.0], part)
    found["litter"] = Pool([3.0, 0.0], [1.0, 0.0], [0.0, 0.0], np.zeros((2, 2)), grows_after_change=False)
    return found


def test_w7_emission_in_one_year_of_the_invest_unit_test() -> None:
    assert released_in(5.5, 15 - 10, 7.5) == pytest.approx(0.3058625, rel=1e-6)


def test_w7_net_sequestration_of_the_invest_unit_test() -> None:
    found = net_sequestration(MAPS, YEARS, invest_pools())
    np.testing.assert_allclose(found[0], [[83.5, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(found[1], [[-176.9792, 73.5]], rtol=1e-6)
    np.testing.assert_allclose(found[2], [[73.5, -28.698004]], rtol=1e-6)


def test_half_lives_and_parts_of_the_invest_users_guide_table_1() -> None:
    found = {}
    for e, p, i in (("mangrove", "soil", "high"), ("salt_marsh", "soil", "low"), ("seagrass", "biomass", "medium")):
        c = disturbance(e, p, i, parameter_set("china"))
        found[e] = [float(c[name]) for name in ("disturbed_fraction", "half_life")]
    assert found == {"mangrove": [0.66, 7.5], "salt_marsh": [0.3, 7.5], "seagrass": [0.5, 0.274]}
    with pytest.raises(InputError, match="no disturbed_fraction for ecosystem=seagrass, pool=soil"):
        disturbance("seagrass", "soil", "high", parameter_set("ipcc"))


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_set_knows_the_disturbance_of_coasts(name: str) -> None:
    assert disturbance("mangrove", "biomass", "high", parameter_set(name))["disturbed_fraction"].value == 1


def test_excavation_takes_all_at_once() -> None:
    np.testing.assert_allclose(extracted_carbon(np.array([42.6, np.nan]), 11.4, 286.0), [340.0, np.nan])


def test_land_that_never_changes_only_grows() -> None:
    cover = [np.full((2, 3), MANGROVE)] * 3
    for gain in net_sequestration(cover, YEARS, invest_pools()):
        np.testing.assert_allclose(gain, 83.5)


def test_a_scenario_that_does_not_fit_is_refused() -> None:
    pools = invest_pools()
    with pytest.raises(InputError, match="3 land-cover maps need 4 years"):
        net_sequestration(MAPS, YEARS[:3], pools)
    with pytest.raises(InputError, match="must rise"):
        net_sequestration(MAPS, [2000, 2010, 2010, 2030], pools)
    with pytest.raises(InputError, match="one shape"):
        net_sequestration([MAPS[0], MAPS[1][:, :1], MAPS[2]], YEARS, pools)
    with pytest.raises(InputError, match="knows the classes 0 to 1, but a map has 7"):
        net_sequestration([MAPS[0], np.array([[7, 0]])], YEARS[:3], pools)


# ---------------------------------------------------------------------------- properties

MASS, LIFE = st.floats(0, 1000), st.floats(0, 50)


@given(MASS, LIFE, st.integers(1, 60))
def test_years_add_up_to_the_whole(mass: float, half_life: float, years: int) -> None:
    each = sum(float(released_in(mass, n, half_life)) for n in range(years))
    assert each == pytest.approx(float(released_between(mass, 0, years, half_life)), abs=1e-9)


@given(MASS, LIFE, st.floats(0, 100), st.floats(0, 100))
def test_what_is_released_is_positive_and_never_more_than_was_disturbed(
    mass: float, half_life: float, one: float, other: float
) -> None:
    start, end = sorted((one, other))
    found = float(released_between(mass, start, end, half_life))
    assert -1e-12 <= found <= mass + 1e-12


@given(MASS, st.floats(0.1, 50))
def test_half_is_released_in_a_half_life(mass: float, half_life: float) -> None:
    assert float(released_between(mass, 0, half_life, half_life)) == pytest.approx(mass / 2)


@given(st.floats(0, 500), st.floats(0, 500), st.floats(0, 1), st.floats(0.1, 50), st.integers(1, 50))
def test_stocks_never_fall_below_zero(initial: float, rate: float, part: float, half_life: float, span: int) -> None:
    pool = Pool([initial, 0.0], [rate, 0.0], [half_life, 0.0], np.array([[0.0, part], [0.0, 0.0]]))
    years = [0, span, 2 * span, 3 * span]
    maps = [np.array([MANGROVE]), np.array([PARKING]), np.array([PARKING])]
    gains = net_sequestration(maps, years, {"soil": pool})
    grown = initial + rate * span
    assert initial + sum(float(g[0]) for g in gains) >= grown - disturbed_mass(grown, part) - 1e-6
    assert float(gains[1][0]) <= 0
    assert float(gains[2][0]) <= 0
