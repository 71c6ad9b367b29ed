"""Stock difference and gain–loss: published inventories, the guideline's losses by hand, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.errors import InputError
from sinks.gainloss import RemovalFactors, bcef_r, compared, effects, gain_loss, removal_losses, stock_difference
from sinks.ledger import Ledger, come_about
from sinks.parameters import parameter_set

IPCC = parameter_set("ipcc")


def test_example_6_shandong_two_inventories():
    """Zhang C.H. et al. 2018: 34.75 → 43.98 Tg C in five years, 1.85 Tg a year; planted 1.80, natural 0.05."""
    assert stock_difference(34.75, 43.98, 5) == pytest.approx(1.85, abs=0.005)
    assert stock_difference(33.22, 42.21, 5) == pytest.approx(1.80, abs=0.005)
    assert stock_difference(1.53, 1.77, 5) == pytest.approx(0.05, abs=0.005)
    area, density = effects((156.12, 161.44), (22.26, 27.24))
    assert (area + density) / 100 == pytest.approx(9.23, abs=0.01)  # 1e4 ha × Mg/ha = 1e-2 Tg


def test_example_7_jilin_is_more_than_a_change_of_density():
    """Fan C.N. et al. 2016, Table 2: 471.29 → 505.76 Tg C, 6.89 Tg a year; area grew too."""
    assert stock_difference(471.29, 505.76, 5) == pytest.approx(6.89, abs=0.005)
    area, density = effects((729.73, 758.09), (64.584, 66.715))
    assert (area + density) / 100 == pytest.approx(34.47, abs=0.02)
    assert density / 100 == pytest.approx(15.85, abs=0.02)
    constant_area = 729.73 * (66.715 - 64.584) / 100
    assert abs(constant_area - 34.47) > 15


def test_example_10_china_of_the_fra_2020():
    """FRA 2020, live carbon 1990 to 2020 [Mt C]: 95.7, 91.1, 194.1 and 177.8 a year."""
    live = [4997.1, 5954.3, 6864.9, 7835.6, 8724.3]
    years = [1990, 2000, 2010, 2015, 2020]
    found = [stock_difference(a, b, y - x) for a, b, x, y in zip(live, live[1:], years, years[1:], strict=False)]
    assert found == pytest.approx([95.7, 91.1, 194.1, 177.8], abs=0.11)


@given(*[st.floats(0, 1e6) for _ in range(2)], *[st.floats(0, 500) for _ in range(2)])
def test_effects_of_area_and_density_are_the_whole_change(a1, a2, d1, d2):
    area, density = effects((a1, a2), (d1, d2))
    assert area + density == pytest.approx(a2 * d2 - a1 * d1, rel=1e-9, abs=1e-6)


def test_losses_by_hand():
    """IPCC 2006, eq. 2.12 to 2.14: 1000 · 0.8 · 1.25 · 0.47; (100 · 0.8 · 1.25 + 50 · 0.5) · 0.47; 10 · 120 · 1.25 · 0.47 · 0.3."""
    factors = {"a": RemovalFactors(0.8, 0.25, 0.47, 0.5, 120.0)}
    table = pd.DataFrame(
        [("a", "roundwood", 1000, None), ("a", "fuelwood_trees", 100, None), ("a", "fuelwood_parts", 50, None),
         ("a", "disturbed_area", 10, 0.3)],
        columns=["region_id", "kind", "value", "fraction_lost"],
    )  # fmt: skip
    row = removal_losses(table, factors).iloc[0]
    assert row["wood_removals"] == pytest.approx(470.0)
    assert row["fuelwood"] == pytest.approx(58.75)
    assert row["disturbance"] == pytest.approx(211.5)
    assert gain_loss(1000.0, row[["wood_removals", "fuelwood", "disturbance"]].sum()) == pytest.approx(259.75)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"kind": "firewood"}, "'firewood' is none of roundwood"), ({"region_id": "b"}, "region 'b' is not in this account"),
     ({"value": -1}, "give an amount of 0 or more")],
)  # fmt: skip
def test_bad_removals_are_refused(change, said):
    table = pd.DataFrame([{"region_id": "a", "kind": "roundwood", "value": 5} | change])
    with pytest.raises(InputError, match=said):
        removal_losses(table, {"a": RemovalFactors(0.8, 0.25, 0.47, np.nan, 120.0)})
    parts = pd.DataFrame([{"region_id": "a", "kind": "fuelwood_parts", "value": 5}])
    with pytest.raises(InputError, match="no wood density for fuelwood_parts"):
        removal_losses(parts, {"a": RemovalFactors(0.8, 0.25, 0.47, np.nan, 120.0)})


def test_bcef_of_removals_is_the_tables():
    """IPCC 2006, Vol. 4, Table 4.5: boreal pines 1.33, 0.75, 0.63, 0.55; a class owns its upper end."""
    found = [bcef_r("needleleaf", "boreal_moist", v, IPCC).value for v in (10, 20, 21, 50, 100, 300)]
    assert found == sorted(found, reverse=True)
    assert found[0] == found[1]
    with pytest.raises(InputError, match="no bcef_r"):
        bcef_r("bamboo", "warm_temperate_moist", 50, IPCC)


def test_years_that_do_not_rise_are_refused():
    with pytest.raises(InputError, match="years that rise"):
        stock_difference(1.0, 2.0, 0)


@pytest.mark.parametrize(
    ("span", "years", "part"), [(10, 20, 0.25), (20, 20, 0.5), (40, 20, 0.75), (10, 0, 1.0), (1, 20, 0.025)]
)
def test_what_of_a_slow_change_has_come_about(span, years, part):
    assert come_about(span, years) == pytest.approx(part)


@given(st.floats(0.5, 80), st.floats(0.5, 40))
def test_what_has_come_about_is_the_mean_over_conversions_spread_evenly(span, years):
    ages = (np.arange(4000) + 0.5) / 4000 * span
    assert come_about(span, years) == pytest.approx(np.minimum(ages / years, 1).mean(), abs=1e-3)


def test_without_growth_rates_there_is_no_gain_loss():
    rows = pd.DataFrame({"process": ["stable"], "growth_opening": [np.nan], "growth_closing": [np.nan]})
    with pytest.raises(InputError, match="--forest-age"):
        compared(Ledger((2010, 2020), (), rows))


def test_example_8_anhui_is_area_times_density_by_age_class():
    """Ji Y.H. et al. 2016, Table 2: soil 312.4, vegetation 402.1, total 714.5 Tg C; a mean density would tell another stock."""
    area = np.array([136.7, 137.2, 57.5, 27.4, 8.1]) * 1e4
    soil, vegetation = np.array([81.5, 86.4, 96.9, 76.8, 69.8]), np.array([68.9, 99.5, 117.2, 262.3, 395.1])
    assert (area * soil).sum() / 1e6 == pytest.approx(312.4, abs=0.05)
    assert (area * vegetation).sum() / 1e6 == pytest.approx(402.1, abs=0.2)
    none = np.zeros(5)
    gained, denser = effects((none, area), (none, vegetation))
    assert (gained + denser).sum() / 1e6 == pytest.approx(402.1, abs=0.2)
    assert area.sum() * vegetation.mean() / 1e6 > 690
