"""Coasts: yearly fluxes by guideline factor and by survey, growth of mangrove, and which soil goes first."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks import ecosystems
from sinks.climate import ZONES
from sinks.ecosystems import coast
from sinks.parameters import SET_NAMES, parameter_set, with_overrides
from sinks.plug import Cover, Options, Stratum
from sinks.quantities import FLUX_KEYS, KEYS
from sinks.strata import compile_stratum

COASTS = ("mangrove", "salt_marsh", "seagrass")
STATES = ("", "restored", "replanted", "recolonised", "drained", "rewetted_fresh", "rewetted_saline")


def told(
    ecosystem: str, name: str = "china", subclass: str = "", method: str = "published_rate", climate: str = "warm_temperate_moist",
    biomass: str = "agb", depth: int = 100, soil: str = "", coast_soil: str = "table", drainage: str = "", **layers: float,
) -> dict[str, float]:  # fmt: skip
    stratum = Stratum(Cover(ecosystem, "", subclass), climate, soil=soil, drainage=drainage, present=frozenset(layers))
    plug = ecosystems.plug_of(ecosystem)
    options = Options(biomass=biomass, soil_depth_cm=depth, flux_method=method, coast_soil=coast_soil)
    c = plug.coefficients(stratum, parameter_set(name), options)
    return {k: float(v) for k, v in plug.equations(layers, c).items()}


def fluxes(*args: str, **keys: object) -> dict[str, float]:
    return {k: v for k, v in told(*args, **keys).items() if k in FLUX_KEYS}  # type: ignore[arg-type]


# ---------------------------------------------------------------------------- published numbers


def test_w14_mangroves_of_china_alongi_2021_take_up_139_gg_a_year() -> None:
    found = fluxes("mangrove")
    assert set(found) == {"sink_soil", "sink_biomass"}
    assert sum(found.values()) == pytest.approx(6.87)
    assert sum(found.values()) * 20303 / 1e3 == pytest.approx(139.48, abs=5e-3)  # printed: 139.4
    assert found["sink_soil"] == pytest.approx(0.58 * 6.87)


def test_burial_of_ouyang_and_lee_2014_and_of_halophila_beccarii() -> None:
    assert fluxes("salt_marsh") == {"sink_soil": 2.447}
    assert fluxes("salt_marsh", subclass="spartina") == {"sink_soil": 2.447}
    assert fluxes("seagrass") == {"sink_soil": 0.25}


def test_guidelines_have_no_rate_for_coasts_that_stand() -> None:
    for ecosystem, name in product(COASTS, SET_NAMES):
        assert "sink_soil" not in fluxes(ecosystem, name, method="emission_factor")
        assert "sink_soil" not in fluxes(ecosystem, "ipcc")


@pytest.mark.parametrize(("ecosystem", "gain"), [("mangrove", 1.62), ("salt_marsh", 0.91), ("seagrass", 0.43)])
def test_replanted_coasts_gain_2013_wetlands_supplement_table_4_12(ecosystem: str, gain: float) -> None:
    for subclass, method, name in product(
        ("restored", "replanted"), ("emission_factor", "published_rate"), ("ipcc", "china")
    ):
        found = fluxes(ecosystem, name, subclass=subclass, method=method)
        found.pop("gain_biomass", None)
        assert found == {"sink_soil": gain}
    assert fluxes(ecosystem, "china", subclass="recolonised") == {"sink_soil": 0}


@pytest.mark.parametrize("ecosystem", ["mangrove", "salt_marsh"])
def test_drained_coasts_lose_2013_wetlands_supplement_table_4_13(ecosystem: str) -> None:
    assert fluxes(ecosystem, "china", subclass="drained") == {"sink_soil": -7.9}
    for drainage in ("drained", "drained_poor", "peat_extraction"):
        assert fluxes(ecosystem, "china", soil="organic", drainage=drainage) == {"sink_soil": -7.9}
    assert fluxes(ecosystem, "china", soil="organic", drainage="natural") == fluxes(ecosystem)


@pytest.mark.parametrize(("subclass", "methane"), [("rewetted_fresh", 193.7), ("rewetted_saline", 0)])
def test_methane_of_rewetted_coasts_by_salinity_2013_wetlands_supplement_table_4_14(
    subclass: str, methane: float
) -> None:
    for ecosystem in ("mangrove", "salt_marsh"):
        assert fluxes(ecosystem, "china", subclass=subclass, method="emission_factor") == {"emission_ch4": methane}


@pytest.mark.parametrize(
    ("climate", "gain"),
    [("tropical_wet", 6.653), ("tropical_dry", 3.3 * 0.451 * 1.29), ("warm_temperate_moist", 18.1 * 0.451 * 1.96)],
)
def test_w21_growth_of_mangrove_2013_wetlands_supplement_tables_4_4_and_4_5(climate: str, gain: float) -> None:
    assert fluxes("mangrove", "ipcc", climate=climate)["gain_biomass"] == pytest.approx(gain, abs=5e-4)
    assert "gain_biomass" not in fluxes("mangrove", "china", climate=climate)


def test_the_doubtful_growth_of_the_subtropics_says_so() -> None:
    c = parameter_set("ipcc").find("coast", "agb_growth", ecosystem="mangrove", climate="subtropical")
    assert "few sites" in c.note


def test_burial_says_that_it_holds_carbon_from_elsewhere() -> None:
    china = parameter_set("china")
    for ecosystem in ("salt_marsh", "seagrass"):
        assert "allochthonous" in china.find("coast", "soil_burial", ecosystem=ecosystem).note
    assert china.find("coast", "sequestration_soil_share", ecosystem="mangrove").status == "design"


# ---------------------------------------------------------------------------- growth ends


@pytest.mark.parametrize(("biomass", "edge"), [("agb", 192.0), ("agc", 192.0 * 0.451)])
def test_a_mangrove_fuller_than_table_4_3_no_longer_grows(biomass: str, edge: float) -> None:
    stratum = Stratum(Cover("mangrove"), "tropical_wet", present=frozenset({biomass}))
    pieces = compile_stratum(stratum, (biomass,), parameter_set("ipcc"), Options(biomass=biomass))
    np.testing.assert_allclose(pieces.edges, [edge])
    np.testing.assert_allclose(pieces.lines[:, KEYS.index("gain_biomass")], [[9.9 * 0.451 * 1.49, 0], [0, 0]])


@given(st.floats(0, 1000), st.floats(0, 30), st.floats(1, 500), st.floats(0.3, 0.6), st.floats(0, 3))
def test_growth_is_never_negative_and_ends(
    agb: float, growth: float, full: float, fraction: float, ratio: float
) -> None:
    found = float(coast.growth_gain(agb, growth, full, fraction, ratio))
    assert found == (pytest.approx(growth * fraction * (1 + ratio)) if agb <= full else 0)


def test_growth_of_an_unknown_biomass_is_unknown() -> None:
    assert math.isnan(coast.growth_gain(math.nan, 9.9, 192.0, 0.451, 0.49))


# ---------------------------------------------------------------------------- soil: table or layer


def test_a_table_s_density_goes_before_a_soil_layer_on_coasts() -> None:
    for ecosystem, name in product(COASTS, SET_NAMES):
        table = told(ecosystem, name)["carbon_soil"]
        assert told(ecosystem, name, soc=33.0)["carbon_soil"] == table
        assert told(ecosystem, name, soc=33.0, coast_soil="layer")["carbon_soil"] == 33
        assert told(ecosystem, name, coast_soil="layer")["carbon_soil"] == table
        assert told(ecosystem, name, depth=30, soc=33.0)["carbon_soil"] == 33  # no table reaches 30 cm


def test_w24_the_regression_of_2021_is_the_soil_of_chinese_mangrove_whatever_a_soil_layer_says() -> None:
    found = told("mangrove", biomass="agc", agc=150.2, soc=20.0)
    assert found["carbon_bgb"] + found["carbon_soil"] == pytest.approx(318.4, abs=0.05)
    assert told("mangrove", biomass="agc", agc=150.2, soc=20.0, coast_soil="layer")["carbon_soil"] == 20


def test_w21_a_subtropical_mangrove_on_mineral_soil_holds_363_70_beside_its_fluxes() -> None:
    found = told("mangrove", "ipcc", soil="mineral", soc=20.0)
    assert sum(v for k, v in found.items() if k not in FLUX_KEYS) == pytest.approx(363.70, abs=5e-3)


def test_a_user_s_density_goes_before_a_layer_too() -> None:
    text = "topic,ecosystem,depth_cm,parameter,value,unit,source\ndensity,mangrove,100,soc,200,Mg C ha-1,own cores\n"
    for name, option in product(SET_NAMES, ("table", "layer")):
        p = with_overrides(parameter_set(name), text, "own.csv")
        stratum = Stratum(Cover("mangrove"), "tropical_wet", present=frozenset({"soc"}))
        plug = ecosystems.plug_of("mangrove")
        found = plug.equations({"soc": 20.0}, plug.coefficients(stratum, p, Options(coast_soil=option)))
        assert found["carbon_soil"] == {"table": 200, "layer": 20}[option]


# ---------------------------------------------------------------------------- properties


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_state_of_every_coast_compiles_with_finite_fluxes(name: str) -> None:
    drainage = ("", "natural", "drained", "rewetted")
    for ecosystem, state, wet, climate in product(COASTS, STATES, drainage, ZONES):
        for method, layers in product(("none", "emission_factor", "published_rate"), ((), ("agb", "soc"))):
            stratum = Stratum(
                Cover(ecosystem, "", state), climate, soil="organic", drainage=wet, present=frozenset(layers)
            )
            pieces = compile_stratum(stratum, ("agb", "soc"), parameter_set(name), Options(flux_method=method))
            for key in FLUX_KEYS:
                line = pieces.lines[:, KEYS.index(key), 0]
                assert method != "none" or np.isnan(line).all(), (ecosystem, state, key)
                assert not (line < 0).any() or (key == "sink_soil" and "drained" in (state, wet))
