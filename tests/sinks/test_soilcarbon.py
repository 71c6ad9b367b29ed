"""Soil carbon: profiles, depth, IPCC's reference stocks, and which source a stratum gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.errors import InputError
from sinks.parameters import parameter_set, with_overrides
from sinks.plug import Coefficients, Cover, Options, Stratum
from sinks.soilcarbon import (
    Horizon,
    coarse_volume,
    layer_after,
    layer_carbon,
    profile_carbon,
    share_above,
    soil_carbon,
    soil_coefficients,
    tier1_change,
    tier1_stock,
)

SOILGRIDS = tuple(Horizon(a, b) for a, b in ((0, 5), (5, 15), (15, 30), (30, 60), (60, 100), (100, 200)))


def test_w21_a_soilgrids_layer_of_25_g_per_kg_holds_13_5() -> None:
    # soc 250 dg/kg, bdod 120 cg/cm3, cfvo 100 permille, 0-5 cm: 0.1 * 25 * 1.2 * 5 * 0.9
    assert layer_carbon(250 / 10, 120 / 100, 5, 100 / 1000) == pytest.approx(13.5)


def test_w21_grassland_to_long_term_cropland_loses_1_215_a_year() -> None:
    # cool temperate moist, HAC: 81 * 0.70 (IPCC 2019 Refinement, Tables 2.3 and 5.5)
    assert tier1_change(81, tier1_stock(81, 0.70, 1, 1)) == pytest.approx(-1.215)


def test_w21_no_till_and_high_input_hold_68_60() -> None:
    assert tier1_stock(81, 0.70, 1.09, 1.11) == pytest.approx(68.60, abs=5e-3)


def test_forest_example_17_warm_temperate_moist_cropland_holds_40_627_and_gains_1_169_under_forest() -> None:
    cropland = tier1_stock(64, 0.69, 1, 0.92)
    assert cropland == pytest.approx(40.627, abs=5e-4)
    assert tier1_change(cropland, 64) == pytest.approx(1.169, abs=5e-4)


@pytest.mark.parametrize(("vegetation", "share"), [("shrubland", 0.462), ("grassland", 0.565), ("forest", 0.651)])
def test_w23_share_of_the_top_30_cm_by_jobbagy_and_jackson_2000(vegetation: str, share: float) -> None:
    beta = parameter_set("ipcc").find("soil_depth", "depth_beta", vegetation=vegetation).value
    assert share_above(30, beta) == pytest.approx(share, abs=5e-4)
    printed = parameter_set("ipcc").find("soil_depth", "share_0_20", vegetation=vegetation).value
    assert share_above(20, beta) == pytest.approx(printed, abs=1e-4)
    assert share_above(100, beta) == 1


def test_tianshan_spruce_profile_xu_2016_adds_up_to_452_and_236_66() -> None:
    # Xu W.Q. et al. 2016: layers of 0-10, 10-20, 20-30, 30-50, 50-100 cm
    layers = (100.42, 72.95, 63.29, 89.80, 125.54)
    edges = ((0, 10), (10, 20), (20, 30), (30, 50), (50, 100))
    horizons = [Horizon(*e) for e in edges]
    oc = [c / (0.1 * h.thickness_cm) for c, h in zip(layers, horizons, strict=True)]  # at a bulk density of 1
    ones, none = [1.0] * 5, [0.0] * 5
    assert profile_carbon(horizons, oc, ones, none, 100) == pytest.approx(452.00, abs=1e-9)
    assert profile_carbon(horizons, oc, ones, none, 30) == pytest.approx(236.66, abs=1e-9)


def test_a_cut_layer_is_taken_in_proportion_and_thin_soil_ends_where_it_ends() -> None:
    h = (Horizon(0, 40), Horizon(40, 100))
    whole = profile_carbon(h, [10, 5], [1, 1], [0, 0], 30)
    assert whole == pytest.approx(0.1 * 10 * 30)
    thin = profile_carbon(h, [10, np.nan], [1, np.nan], [0, 0], 100, soil_thickness_cm=25.0, rock_outcrop=0.4)
    assert thin == pytest.approx(0.1 * 10 * 25 * 0.6)  # what lies below the soil need not be known


@given(st.floats(0, 200), st.floats(0.2, 1.8), st.floats(0, 0.9), st.floats(0, 1), st.floats(1, 100))
def test_a_profile_is_bounded_and_never_holds_more_for_more_stones(oc, density, stones, rock, thickness) -> None:
    def stock(stones, rock, thickness):
        n = len(SOILGRIDS)
        return profile_carbon(SOILGRIDS, [oc] * n, [density] * n, [stones] * n, 100, thickness, rock)

    most = layer_carbon(oc, density, 100)
    assert -1e-9 <= stock(stones, rock, thickness) <= most + 1e-9
    assert stock(stones, rock, thickness) <= stock(stones / 2, rock / 2, thickness) + 1e-9
    assert stock(stones, rock, thickness / 2) <= stock(stones, rock, thickness) + 1e-9


def test_an_unknown_layer_makes_the_profile_unknown() -> None:
    n = len(SOILGRIDS)
    oc = [np.array([10.0, np.nan if k == 2 else 10.0]) for k in range(n)]
    found = profile_carbon(SOILGRIDS, oc, [1.2] * n, [0.1] * n, 100)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


@pytest.mark.parametrize("horizons", [[Horizon(0, 30), Horizon(40, 100)], [Horizon(5, 100)], [Horizon(0, 60)]])
def test_a_profile_with_a_gap_or_too_short_is_refused(horizons) -> None:
    n = len(horizons)
    with pytest.raises(InputError, match="soil profile"):
        profile_carbon(horizons, [1.0] * n, [1.0] * n, [0.0] * n, 100)


def test_coarse_fragments_by_mass_become_a_smaller_part_of_the_volume() -> None:
    assert coarse_volume(0.0, 1.3) == 0
    assert coarse_volume(0.5, 1.325) == pytest.approx(1 / 3)
    assert coarse_volume(1.0, 1.3) == 1


def test_a_measured_soil_changes_by_the_ratio_of_factors_only() -> None:
    assert layer_after(60.0, 0.70, 1.0) == pytest.approx(60 / 0.70)


# ------------------------------------------------------------------------------------------ which source


def soil(ecosystem: str = "forest", name: str = "ipcc", depth: int = 30, text: str = "", **fields) -> dict[str, float]:
    parameters = parameter_set(name)
    if text:
        parameters = with_overrides(parameters, text, "mine.csv")
    given = fields.pop("layers", {})
    stratum = Stratum(
        Cover(ecosystem), climate=fields.pop("climate", "warm_temperate_moist"), present=frozenset(given), **fields
    )
    c = Coefficients(soil_coefficients(stratum, parameters, Options(soil_depth_cm=depth)))
    return soil_carbon(given, c)


def test_a_layer_goes_before_every_table() -> None:
    assert soil(layers={"soc": 33.0}) == {"carbon_soil": 33.0}
    assert soil(layers={"soc": 33.0}, permafrost=True, soil="LAC") == {"carbon_soil": 33.0}


@pytest.mark.parametrize(
    ("soil_class", "expected"), [("", 64), ("HAC", 64), ("LAC", 55), ("sandy", 36), ("volcanic", 138), ("wetland", 135)]
)
def test_reference_stocks_of_warm_temperate_moist_by_soil_class(soil_class: str, expected: float) -> None:
    # IPCC 2019 Refinement, Vol. 4, Table 2.3; an unknown soil is taken to be high-activity clay
    assert soil(soil=soil_class) == {"carbon_soil": expected}


def test_organic_soil_gets_no_stock_of_mineral_soil() -> None:
    for ecosystem in ("forest", "grassland", "cropland", "shrubland"):
        for name, depth in (("ipcc", 30), ("ipcc", 100), ("china", 100)):
            assert soil(ecosystem, name, depth, soil="organic") == {}


def test_permafrost_soil_replaces_the_soil_of_the_class() -> None:
    # Tarnocai et al. 2009: 191.29 and 495.80 Pg C on 18.782e6 km2
    assert soil("grassland", permafrost=True)["carbon_soil"] == pytest.approx(19129 / 187.82, abs=0.06)
    assert soil("forest", depth=100, permafrost=True)["carbon_soil"] == pytest.approx(264.0)
    assert soil("forest", "china", 100, permafrost=True)["carbon_soil"] == pytest.approx(144.2)


def test_a_users_density_goes_before_all_published_ones() -> None:
    text = "topic,ecosystem,depth_cm,parameter,value,unit,source\ndensity,forest,30,soc,71,Mg C ha-1,own survey\n"
    assert soil(text=text) == {"carbon_soil": 71.0}
