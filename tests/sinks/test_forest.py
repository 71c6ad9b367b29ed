"""Forest: published figures, and what must hold for every stratum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import biomass
from sinks.ecosystems import forest
from sinks.errors import InputError
from sinks.parameters import parameter_set, records
from sinks.plug import BIOMASS_KINDS, Cover, Options, Stratum
from sinks.quantities import KEYS
from sinks.strata import compile_stratum
from sinks.units import C_TO_CO2

CLIMATES = [row["key"] for row in records("climate_zones")]
CONTINENTS = ("asia", "europe", "africa", "americas", "oceania")


def stratum(forest_type="broadleaf", climate="warm_temperate_moist", kind="agb", ecozone=""):
    return Stratum(Cover("forest", forest_type), climate=climate, ecozone=ecozone, present=frozenset({kind}))


def resolved(name="china", options=None, **where):
    return forest.coefficients(stratum(**where), parameter_set(name), options or Options())


@pytest.mark.parametrize(("agb", "bgb"), [(100, 23.0), (150, 36.9)])
def test_ipcc_2019r_table_4_4_subtropical_humid_asia(agb, bgb):
    c = resolved(forest_type="broadleaf")
    assert float(agb * forest.roots_per_shoot(agb, c)) == pytest.approx(bgb)


@pytest.mark.parametrize(("agb", "bgb"), [(74.9, 29.211), (75.1, 18.024)])
def test_ipcc_2019r_table_4_4_boreal_class_edge(agb, bgb):
    c = resolved(climate="boreal_moist", forest_type="needleleaf")
    assert float(agb * forest.roots_per_shoot(agb, c)) == pytest.approx(bgb, abs=0.01)


def test_the_biomass_class_owns_its_upper_edge():
    c = resolved(forest_type="broadleaf")
    assert float(forest.roots_per_shoot(125.0, c)) == c["root_shoot_0"]
    assert float(forest.roots_per_shoot(np.nextafter(125.0, 200), c)) == c["root_shoot_1"]


@pytest.mark.parametrize(("agb", "bgb"), [(50, 15.900), (100, 29.465), (150, 42.270), (200, 54.604)])
def test_mokany_2006_power_law(agb, bgb):
    assert float(biomass.belowground_biomass_power(agb, 0.489, 0.89)) == pytest.approx(bgb, abs=5e-4)


def test_ipcc_tier_1_clearing_example():
    # 260 t/ha x 1.24 x 0.47 x 44/12 = 555.60 t CO2/ha
    total = 260 + biomass.belowground_biomass(260, 0.24)
    assert biomass.carbon(total, 0.47) * C_TO_CO2 == pytest.approx(555.602667)


@pytest.mark.parametrize(
    ("climate", "agb", "deadwood", "litter"),
    [
        ("tropical_dry", 1, 0.0094, 0.0148),
        ("tropical_moist", 100, 0.47, 0.37),
        ("tropical_wet", 100, 2.82, 0.37),
        ("boreal_moist", 100, 3.76, 1.48),
        ("cool_temperate_moist", 0, 0.0, 0.0),
    ],
)
def test_harris_2021_dead_wood_and_litter(climate, agb, deadwood, litter):
    found = forest.equations({"agb": agb}, resolved(climate=climate))
    assert found["carbon_deadwood"] == pytest.approx(deadwood)
    assert found["carbon_litter"] == pytest.approx(litter)


def test_fra_2020_ratio_for_a_type_that_is_not_known():
    # FAO FRA 2020, China: 64.72 t/ha AGB on 87.239 m3/ha, 0.7419
    found = forest.equations({"agb": 64.72}, resolved(forest_type="unspecified"))
    assert found["stock_volume"] == pytest.approx(87.239, rel=2e-4)


def test_a_volume_map_is_used_as_it_is():
    found = forest.equations({"volume": 123.4}, resolved(kind="volume", options=Options(biomass="volume")))
    assert found["stock_volume"] == 123.4


def test_bamboo_and_missing_biomass_have_no_stock_volume():
    assert "stock_volume" not in forest.equations({"agb": 80.0}, resolved(forest_type="bamboo"))
    nothing = forest.coefficients(
        Stratum(Cover("forest", "mixed"), "warm_temperate_moist"), parameter_set("china"), Options()
    )
    assert set(forest.equations({}, nothing)) == {"carbon_soil"}


def test_a_missing_combination_is_named_never_zero():
    with pytest.raises(InputError, match=r"no root_shoot for .*ecozone=moon"):
        resolved("ipcc", ecozone="moon")
    with pytest.raises(InputError, match="unknown forest type 'fern'"):
        resolved(forest_type="fern")


@pytest.mark.parametrize("name", ["china", "ipcc"])
@pytest.mark.parametrize("kind", BIOMASS_KINDS)
def test_every_combination_of_type_zone_and_continent_resolves_and_is_straight(name, kind):
    parameters = parameter_set(name)
    for continent in CONTINENTS:
        for forest_type in forest.forest_types():
            for climate in CLIMATES:
                options = Options(biomass=kind, continent=continent)
                pieces = compile_stratum(stratum(forest_type, climate, kind), (kind,), parameters, options)
                bamboo_by_volume = kind == "volume" and forest.leaf_type(forest_type) == "bamboo"
                assert np.isnan(pieces.of("carbon_agb")[:, 0]).all() == bamboo_by_volume


@settings(max_examples=150, deadline=None)
@given(
    x=st.floats(0, 900), name=st.sampled_from(["china", "ipcc"]), kind=st.sampled_from(BIOMASS_KINDS),
    forest_type=st.sampled_from(sorted(forest.forest_types())), climate=st.sampled_from(CLIMATES),
)  # fmt: skip
def test_the_pieces_say_what_the_equations_say(x, name, kind, forest_type, climate):
    options = Options(biomass=kind)
    where = stratum(forest_type, climate, kind)
    pieces = compile_stratum(where, (kind,), parameter_set(name), options)
    line = pieces.lines[int(np.searchsorted(pieces.edges, x, side="left"))]
    direct = forest.equations({kind: x}, forest.coefficients(where, parameter_set(name), options))
    for q, key in enumerate(KEYS):
        if key in direct:
            assert line[q] @ [1.0, x] == pytest.approx(float(direct[key]), rel=1e-9, abs=1e-9), key
        else:
            assert np.isnan(line[q, 0])


@settings(max_examples=100, deadline=None)
@given(a=st.floats(0, 600), b=st.floats(0, 600), climate=st.sampled_from(CLIMATES))
def test_more_biomass_never_less_aboveground_carbon(a, b, climate):
    c = resolved(climate=climate)
    low, high = (forest.equations({"agb": x}, c) for x in sorted((a, b)))
    for key in ("carbon_agb", "carbon_deadwood", "carbon_litter"):
        assert low[key] <= high[key]


def test_nan_in_is_nan_out():
    found = forest.equations({"agb": np.nan}, resolved())
    assert all(np.isnan(found[k]) for k in ("carbon_agb", "carbon_bgb", "stock_volume"))
