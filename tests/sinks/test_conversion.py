"""Soil of converted land: the published factors, the part that lies in the top 30 cm, and what has none."""

from dataclasses import replace

import numpy as np
import pytest

from sinks import conversion
from sinks.parameters import parameter_set
from sinks.plug import Cover, Options, Stratum
from sinks.soilcarbon import share_above, tier1_change
from sinks.strata import Memory, compile_stratum

IPCC = parameter_set("ipcc")
TOP, METRE = Options(soil_depth_cm=30), Options(soil_depth_cm=100)


def stratum(before, after, climate="cool_temperate_moist", present=("soc",), **more):
    return Stratum(
        Cover(*after), climate, present=frozenset(present), before=Cover(*before) if before else None, **more
    )


def soil_line(s, options=TOP):
    return compile_stratum(s, ("soc",), IPCC, options, memory=Memory()).of("carbon_soil")[0]


@pytest.mark.parametrize(
    ("before", "after", "climate", "ratio"),
    [  # 2019 Refinement, Vol. 4, Tables 5.5 and 6.2; full tillage, medium input, nominal grazing
        (("grassland",), ("cropland",), "cool_temperate_moist", 0.70),
        (("forest", "needleleaf"), ("cropland",), "warm_temperate_moist", 0.69),
        (("cropland",), ("forest", "broadleaf"), "warm_temperate_dry", 1 / 0.76),
        (("cropland", "", "paddy"), ("cropland",), "tropical_dry", 0.92 / 1.35),
        (("forest", "mixed"), ("grassland",), "tropical_wet", 1.0),
        (("cropland",), ("built",), "cool_temperate_dry", 0.8),
        (("forest", "mixed"), ("built",), "boreal_moist", 0.8),
    ],
)
def test_the_stock_of_a_layer_changes_by_the_ratio_of_the_factors(before, after, climate, ratio):
    constant, slope = soil_line(stratum(before, after, climate))
    assert constant == 0
    assert slope == pytest.approx(ratio, rel=1e-12)


def test_tier_1_cultivation_of_grassland_loses_the_published_carbon():
    """Cool temperate moist, high-activity clay: 81 → 56.7, 1.215 Mg C/ha a year for 20 years (2019 Refinement, Table 2.3)."""
    s = stratum(("grassland",), ("cropland",), present=(), soil="HAC")
    before = soil_line(replace(s, cover=Cover("grassland"), before=None))[0]
    after = soil_line(s)[0]
    assert before == pytest.approx(81.0)
    assert after == pytest.approx(56.7)
    assert (before - after) / 20 == pytest.approx(1.215)


def test_of_a_metre_of_soil_only_the_top_30_cm_changes():
    s = stratum(("grassland",), ("cropland",))
    beta = IPCC.find("soil_depth", "depth_beta", vegetation="grassland").value
    expected = 1 - 0.3 * float(share_above(30, beta))
    assert soil_line(s, METRE)[1] == pytest.approx(expected, rel=1e-12)
    assert soil_line(s, METRE)[1] > soil_line(s, TOP)[1]


@pytest.mark.parametrize("after", [("bare",), ("mangrove",)])
def test_where_no_factors_are_published_the_new_class_says_what_it_holds(after):
    s = stratum(("forest", "mixed"), after)
    assert conversion.soil_ratio(s, IPCC, TOP) is None
    plain = soil_line(replace(s, before=None))
    assert np.array_equal(soil_line(s), plain, equal_nan=True)


def test_peat_and_organic_soil_have_no_factors():
    s = stratum(("grassland",), ("cropland",))
    assert conversion.soil_ratio(replace(s, soil="organic"), IPCC, TOP) is None
    assert conversion.soil_ratio(replace(s, present=frozenset({"peat"})), IPCC, TOP) is None


def test_the_factors_of_a_conversion_are_cited():
    pieces = compile_stratum(stratum(("grassland",), ("cropland",)), ("soc",), IPCC, TOP)
    assert pieces.converted is not None
    cited = {c.source for c in pieces.converted.ratio.values.values()}
    assert "ipcc_2019r" in cited


def test_there_and_back_again_is_where_it_began():
    there = soil_line(stratum(("forest", "mixed"), ("cropland",)))[1]
    back = soil_line(stratum(("cropland",), ("forest", "mixed")))[1]
    assert there * back == pytest.approx(1.0)


def test_example_17_low_input_cropland_to_forest_gains_1_169_a_year():
    """Warm temperate moist, high-activity clay, SOC_ref 64: 64 · 0.69 · 0.92 = 40.627; (64 − 40.627)/20 (IPCC 2019, Table 5.5)."""
    low = Options(soil_depth_cm=30, input="low")
    s = stratum(("cropland",), ("forest", "broadleaf"), "warm_temperate_moist", present=(), soil="HAC")
    before = soil_line(replace(s, cover=Cover("cropland"), before=None), low)[0]
    after = soil_line(s, low)[0]
    assert before == pytest.approx(40.627, abs=5e-4)
    assert after == pytest.approx(64.0)
    assert float(tier1_change(before, after)) == pytest.approx(1.169, abs=5e-4)
