"""Value of carbon: the peers' published numbers, the properties of a present value, the price table."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import valuation as v
from sinks.errors import InputError
from sinks.parameters import records, table_text

YEARS = st.integers(2001, 2060)


def changes(*rows):
    return pd.DataFrame(rows, columns=list(v.CHANGE_COLUMNS))


def one(change=100.0, first=2010, last=2020, process=""):
    return changes(("a", "A", process, first, last, change))


def own(price=1.0, per="c", year=2010, growth=0.0):
    return v.PricePath("own", (year,), (price,), "CNY", per, growth_percent=growth)


# ---------------------------------------------------------------------------- InVEST's own numbers


@pytest.mark.parametrize(
    ("price", "first", "last", "discount", "change", "expected"),
    [(43, 2016, 2030, -7.1, 2.8, 59.00136), (50, 2010, 2012, 50, 5, 40.87302), (43, 2016, 2030, 0, 0, 43)],
)
def test_the_constants_of_invest_carbon(price, first, last, discount, change, expected):
    assert v.invest_value_per_mg_c(price, first, last, discount, change) == pytest.approx(expected, abs=5e-6)


def test_the_sum_of_invest_is_its_closed_form():
    rho = 1 / (0.929 * 1.028)
    assert v.invest_value_per_mg_c(43, 2016, 2030, -7.1, 2.8) == pytest.approx(43 / 14 * (1 - rho**14) / (1 - rho))


@pytest.mark.parametrize(("discount", "growth", "total"), [(-7.1, 2.8, -34.2208), (0, 0, -24.94)])
def test_the_totals_of_invest_carbon(discount, growth, total):
    found = v.value(
        one(-0.58, 2016, 2030), own(43, year=2016, growth=growth), discount_percent=discount, formula="invest"
    )
    assert found.table["value_present"].tolist() == pytest.approx([total], abs=5e-5)


def test_coastal_blue_carbon_follows_the_guide_and_not_the_program():
    years = np.arange(2001, 2011)
    price = own(1.0, year=2000, growth=4).per_mg_c(years)
    found = v.present_value(years, np.full(10, 8.35), price, 4, 2000)
    assert found == pytest.approx(83.5)
    assert found * 10 == pytest.approx(835.0)  # what the program gives: the years counted twice
    table = v.value(one(83.5, 2000, 2010), own(1.0, year=2000, growth=4), discount_percent=4).table
    assert table["value_present"].tolist() == pytest.approx([83.5])


# ---------------------------------------------------------------------------- properties


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e3), YEARS, st.integers(1, 40))
def test_a_flat_price_without_discount_is_price_by_change(change, price, first, n):
    found = v.value(one(change, first, first + n), own(price)).table.iloc[0]
    assert found["value_present"] == pytest.approx(price * change, rel=1e-9, abs=1e-9)
    assert found["value_undiscounted"] == pytest.approx(price * change, rel=1e-9, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(-20, 20), st.floats(-5, 10), st.floats(0.1, 10))
def test_the_value_is_linear_in_price_and_in_change(discount, growth, k):
    def worth(change, price):
        found = v.value(one(change), own(price, growth=growth), discount_percent=discount)
        return found.table["value_present"].iloc[0]

    base = worth(1000.0, 80.0)
    assert worth(1000.0, 80.0 * k) == pytest.approx(k * base)
    assert worth(-1000.0 * k, 80.0) == pytest.approx(-k * base)


@settings(max_examples=30, deadline=None)
@given(st.floats(-50, 50).filter(lambda d: abs(d) > 0.1))
def test_discounting_lowers_and_a_price_that_grows_with_it_does_not(discount):
    value = v.value(one(), own(1.0), discount_percent=discount).table["value_present"].iloc[0]
    assert (value < 100) == (discount > 0)
    grows = v.value(one(), own(1.0, growth=discount), discount_percent=discount).table["value_present"].iloc[0]
    assert grows == pytest.approx(100)


def test_a_year_of_base_only_compounds():
    early, late = (
        v.value(one(), own(1.0), discount_percent=3, base_year=b).table["value_present"].iloc[0] for b in (2010, 2020)
    )
    assert late == pytest.approx(early * 1.03**10)


def test_a_price_per_co2_is_44_12_of_one_per_c():
    per_c, per_co2 = (v.value(one(), own(12.0, per)).table["value_present"].iloc[0] for per in ("c", "co2"))
    assert (per_c, per_co2) == (pytest.approx(1200), pytest.approx(4400))


def test_processes_add_up_to_all_and_every_row_carries_the_label():
    rows = changes(
        ("total", "all", "afforestation", 2010, 2020, 50.0), ("total", "all", "deforestation", 2010, 2020, -80.0),
        ("total", "all", "afforestation", 2020, 2025, 20.0), ("a", "A", "deforestation", 2010, 2020, -80.0),
    )  # fmt: skip
    found = v.value(rows, own(10.0), discount_percent=5)
    t = found.table
    part = t[(t["region_id"] == "total") & (t["year_to"] == 2020)].set_index("process")["value_present"]
    assert part["all"] == pytest.approx(part["afforestation"] + part["deforestation"])
    assert part["deforestation"] < 0
    assert set(t["label"]) == {v.LABEL}
    assert found.label == "an indication of value, not issuable credits"
    assert t["process"].iloc[0] == "all"


def test_the_horizon_goes_on_at_the_last_pace_in_rows_of_its_own():
    rows = changes(("a", "", "", 2000, 2010, 500.0), ("a", "", "", 2010, 2020, 100.0))
    found = v.value(rows, own(1.0, year=2000), horizon=2025)
    more = found.table[found.table["basis"] == "continued"]
    assert more[["year_from", "year_to"]].to_numpy().tolist() == [[2020, 2025]]
    assert more["change_mg_c"].tolist() == pytest.approx([50])
    assert any("taken to go on" in n for n in found.notes)


# ---------------------------------------------------------------------------- prices


def test_a_path_is_straight_between_its_years_held_before_and_grown_after():
    path = v.PricePath("p", (2020, 2030), (100.0, 200.0), "USD", "c", growth_percent=10)
    assert path.per_mg_c([2015, 2020, 2025, 2030, 2032]) == pytest.approx([100, 100, 150, 200, 242])
    assert [n.split(":")[0] for n in path.notes(2011, 2032)] == ["p begins in 2020", "p ends in 2030"]


def test_the_price_table_has_unit_currency_and_source_on_every_row():
    keys = set(re.findall(r"^@\w+\{([^,]+),", table_text("sources.bib"), re.MULTILINE))
    for row in records("carbon_prices"):
        assert None not in row, row
        assert row["source"] in keys, row
        assert row["status"] in {"confirmed", "derived", "unverified"}, row
        assert row["kind"] in {"market", "social"}, row
        assert row["per"] in v.PER, row
        assert row["locator"], row
        assert (row["kind"] == "social") == bool(row["price_year"]) == bool(row["discount_percent"]), row
    for name in v.price_sets():
        rows = [r for r in records("carbon_prices") if r["price_set"] == name]
        assert len({(r["currency"], r["per"], r["price_year"], r["discount_percent"]) for r in rows}) == 1, name


def test_published_social_costs():
    at = {n: v.price_set(f"epa_2023_{n}").per_mg_c(2020) / v.C_TO_CO2 for n in ("2.5", "2.0", "1.5")}
    assert at == {"2.5": pytest.approx(120), "2.0": pytest.approx(190), "1.5": pytest.approx(340)}
    assert v.price_set("iwg_2021_3.0").prices == (51.0, 56.0)
    assert len(v.price_set("iwg_2021_3.0", use_unverified=True).prices) == 5
    assert v.price_set("epa_2023_2.0").currency_label == "2020 USD"


def test_closing_prices_of_china_fit_the_published_growth():
    price = dict(zip(v.price_set("china_ets_closing").years, v.price_set("china_ets_closing").prices, strict=True))
    assert price[2022] / price[2021] - 1 == pytest.approx(0.0144, abs=5e-5)
    assert price[2023] / price[2022] - 1 == pytest.approx(0.4440, abs=5e-5)
    assert price[2024] / price[2023] - 1 == pytest.approx(0.2275, abs=5e-5)
    mean = dict(zip(v.price_set("china_ets_mean").years, v.price_set("china_ets_mean").prices, strict=True))
    assert mean[2021] == pytest.approx(7_661_230_022.99 / 178_789_350, abs=5e-3)
    assert mean[2022] == pytest.approx(2_814_004_694.28 / 50_889_493, abs=5e-3)
    assert mean[2023] / mean[2022] - 1 == pytest.approx(0.2324, abs=5e-4)


def test_a_social_cost_brings_its_discount_rate_and_another_is_told():
    path = v.price_set("epa_2023_2.0")
    assert set(v.value(one(), path).table["discount_percent"]) == {2.0}
    assert any("do not fit together" in n for n in v.value(one(), path, discount_percent=5).notes)
    assert any("not of forest credits" in n for n in v.value(one(), v.price_set("china_ets_mean")).notes)


def test_a_users_path():
    path = v.read_prices("year;price\n2020;50\n2030;100\n", "mine.csv", "CNY", "co2")
    assert path.per_mg_c(2025) == pytest.approx(75 * 44 / 12)


# ---------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: v.value(one(np.nan), own()), "not a finite number"),
        (lambda: v.value(one(1.0, 2020, 2010), own()), "the first year comes first"),
        (lambda: v.value(one(1.0, 2020, 2020), own()), "no years"),
        (lambda: v.value(one(1.0, 2020, 2020.5), own()), "no whole number"),
        (lambda: v.value(one(), own(), discount_percent=-100), "above −100"),
        (lambda: v.value(one(), own(), discount_percent=np.nan), "no rate"),
        (lambda: v.value(one(), own(), horizon=2020), "not after the last epoch"),
        (lambda: v.value(one(), own(), formula="other"), "choose one of yearly, invest"),
        (lambda: v.value(one(), v.price_set("china_ets_mean"), formula="invest"), "one pair of years at one price"),
        (lambda: v.value(pd.concat([one(), one(1.0, 2015, 2025)]), own()), "count twice"),
        (lambda: v.value(pd.concat([one(process="all"), one(process="x")]), own()), "count twice"),
        (lambda: v.value(one().iloc[:0], own()), "nothing to value"),
        (lambda: v.value(one().drop(columns="process"), own()), "lacks the column"),
        (lambda: own(-1.0), "is no price"),
        (lambda: own(np.nan), "is no price"),
        (lambda: own(per="t"), "per 'c' or per 'co2'"),
        (lambda: own(growth=-100), "no rate"),
        (lambda: v.PricePath("p", (2020,), (1.0,), " ", "c"), "currency is not named"),
        (lambda: v.PricePath("p", (2030, 2020), (1.0, 2.0), "CNY", "c"), "do not rise"),
        (lambda: v.PricePath("p", (), (), "CNY", "c"), "no price in it"),
        (lambda: v.price_set("epa_2023"), "did you mean"),
        (lambda: v.read_prices("year,price\n2020,x\n", "m.csv", "CNY", "c"), "m.csv, line 2"),
        (lambda: v.read_prices("year\n2020\n", "m.csv", "CNY", "c"), "lacks the column"),
        (lambda: v.present_value([2021, 2020], [1, 1], 1.0, 0, 2020), "do not rise"),
        (lambda: v.present_value([2020, 2021], [1], 1.0, 0, 2020), "2 years and 1 changes"),
        (lambda: v.present_value([2020], [np.inf], 1.0, 0, 2020), "not a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(call, said):
    with pytest.raises(InputError, match=re.escape(said)):
        call()
