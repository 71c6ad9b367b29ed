"""Track to targets: the nation's own series, lines by hand, simulations of known truth."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import trajectory as tr
from sinks.errors import InputError
from sinks.targets import Target, national, register


def series(years, values, *, se=np.nan, basis="b", quantity="stock_volume", unit="m3", region="total"):
    n = len(years)
    bases = basis if isinstance(basis, tuple) else (basis,) * n
    return tr.Series(
        region,
        "",
        quantity,
        unit,
        np.array(years),
        np.array(values, float),
        np.broadcast_to(np.array(se, float), n),
        bases,
    )


def goal(value, year=2030, comparison=">=", indicator="forest_stock", region=""):
    return Target("d", indicator, year, value, "m3", comparison=comparison, region_id=region)


def judged(one, target, **options):
    return tr.track([one], [target], whole_nation=True, **options).iloc[0]


# ---------------------------------------------------------------------------- the nation


def test_the_national_series_breaks_in_2021_and_repeats_nothing():
    coverage, stock = (tr.official(q) for q in ("coverage_percent", "stock_volume"))
    assert coverage.years.tolist() == [1998, 2003, 2008, 2013, 2018, 2020, 2021, 2024]
    assert stock.years.tolist() == [1998, 2003, 2008, 2013, 2018, 2021, 2023, 2024]
    assert coverage.breaks == stock.breaks == (2021,)
    assert tr.official("coverage_percent", use_unverified=True).breaks == (1998, 2021)
    assert [s.years[0] for s in stock.stretches()] == [1998, 2021]


def test_a_pace_over_the_break_is_refused_unless_asked_and_then_flagged():
    stock = tr.official("stock_volume")
    with pytest.raises(InputError, match="changes in 2021"):
        tr.line(stock)
    whole = tr.line(stock, "endpoints", across_break=True).slope()
    assert whole.value == pytest.approx((20.988e9 - 11.27e9) / 26)
    card = tr.track([stock], national(), whole_nation=True, across_break=True)
    assert card["across_break"].all()
    assert card["note"].str.contains("no plain change of the land").all()
    years = tr.yearly(stock, across_break=True)
    assert years.loc[years["across_break"], "year"].tolist() == [2019, 2020, 2021]


def test_no_year_is_invented_between_the_inventory_and_the_survey():
    years = tr.yearly(tr.official("stock_volume"))
    assert not set(years["year"]) & {2019, 2020}
    assert years.loc[years["break"], "year"].tolist() == [2021]
    assert np.isnan(years.loc[years["year"] == 2021, "change"].item())


def test_china_stands_where_the_official_figures_put_it():
    every = [t for t in register() if t.assessed]
    card = tr.track([tr.official(q) for q in tr.INDICATOR], every, whole_nation=True)
    at = card.set_index(["quantity", "document", "target_year"])
    for year in (2025, 2030):
        assert at.loc[("coverage_percent", "guidance_2021", year), "status"] == "reached"
        assert at.loc[("stock_volume", "guidance_2021", year), "status"] == "reached"
    assert at.loc[("coverage_percent", "guidance_2021", 2030), "article"] == "II"
    ndc = at.loc[("stock_volume", "ndc_2035", 2035)]
    assert ndc["pace_endpoints"] == pytest.approx((20.988e9 - 19.493e9) / 3)
    assert ndc["pace_needed"] == pytest.approx((24e9 - 20.988e9) / 11)
    assert ndc["status"] == "on track"
    assert at.loc[("coverage_percent", "plan_13", 2020), "status"] == "reached"
    assert at.loc[("stock_volume", "forestry_plan_12", 2015), "status"] == "reached"  # 16.1e9, interpolated


def test_the_ninth_inventory_was_on_its_way_to_2030():
    before = tr.official("coverage_percent").stretches()[0]
    part = series(before.years[:5], before.values[:5], quantity="coverage_percent", unit="percent")
    row = judged(part, Target("d", "forest_coverage", 2030, 25.0, "percent"))
    assert row["pace_endpoints"] == pytest.approx((22.96 - 16.55) / 20)
    assert row["pace_needed"] == pytest.approx(2.04 / 12)
    assert row["status"] == "on track"
    x, y = before.years[:5].astype(float), before.values[:5]
    (slope, _), cov = np.polyfit(x - 2008, y, 1, cov=True)
    assert row["pace_least_squares"] == pytest.approx(slope)
    assert row["pace_least_squares_se"] == pytest.approx(np.sqrt(cov[0, 0]))


# ---------------------------------------------------------------------------- year by year


def test_straight_and_geometric_years():
    s = series([2010, 2012], [100, 144])
    assert tr.yearly(s)["value"].tolist() == pytest.approx([100, 122, 144])
    found = tr.yearly(s, "geometric")
    assert found["value"].tolist() == pytest.approx([100, 120, 144])
    assert found["change_percent"].tolist()[1:] == pytest.approx([20, 20])
    assert found["source"].tolist() == ["observed", "interpolated", "observed"]
    assert set(found["interpolation"]) == {"geometric"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=6), st.sampled_from(tr.INTERPOLATIONS))
def test_yearly_changes_add_up_to_the_change_of_the_epochs(values, interpolation):
    s = series([2000 + 3 * i for i in range(len(values))], values)
    found = tr.yearly(s, interpolation)
    assert found["year"].tolist() == list(range(2000, 2000 + 3 * len(values) - 2))
    assert found["change"].sum() == pytest.approx(values[-1] - values[0], abs=1e-6 * max(values))


# ---------------------------------------------------------------------------- pace


def test_endpoints_by_hand():
    line = tr.line(series([2010, 2020], [100, 150], se=[3, 4]))
    assert (line.slope().value, line.slope().se) == (pytest.approx(5), pytest.approx(0.5))
    ahead = line.value(2030)  # 2·150 − 100
    assert (ahead.value, ahead.se) == (pytest.approx(200), pytest.approx(np.hypot(2 * 4, 3)))


def test_geometric_pace_is_a_rate():
    row = judged(series([2010, 2020], [100, 200]), goal(400, 2030), interpolation="geometric")
    assert row["pace"] == pytest.approx(100 * (2**0.1 - 1))
    assert row["pace_unit"] == "percent yr-1"
    assert row["pace_ratio"] == pytest.approx(1)
    assert row["projected"] == pytest.approx(400)


def test_errors_of_the_epochs_count_where_they_are_larger_than_the_scatter():
    exact = series([2000, 2010, 2020], [10, 20, 30], se=2.0)
    slope = tr.line(exact).slope()
    assert slope.se == pytest.approx(2 * np.sqrt(2) / 20)
    assert np.isinf(slope.df)
    scattered = tr.line(series([2000, 2010, 2020], [10, 25, 30], se=0.1)).slope()
    assert scattered.df == 1


def test_the_interval_of_a_projection_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    years = np.array([2000, 2004, 2009, 2013, 2018, 2022])
    inside = 0
    for _ in range(600):
        line = tr.line(series(years, 5 + 0.3 * (years - 2000) + rng.normal(0, 1, 6)))
        low, high = line.value(2030).interval()
        inside += low <= 5 + 0.3 * 30 + rng.normal(0, 1) <= high
    assert inside / 600 == pytest.approx(0.95, abs=0.027)


def test_the_interval_by_endpoints_with_known_errors_too():
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(1000):
        values = np.array([100.0, 130.0]) + rng.normal(0, [3, 4])
        low, high = tr.line(series([2010, 2020], values, se=[3, 4])).value(2030).interval()
        inside += low <= 160 <= high
    assert inside / 1000 == pytest.approx(0.95, abs=0.021)


# ---------------------------------------------------------------------------- the word


@pytest.mark.parametrize(
    ("values", "se", "target", "status"),
    [
        ([100, 150], np.nan, goal(140), "reached"),
        ([100, 150], np.nan, goal(200), "on track"),
        ([100, 150], np.nan, goal(201), "behind"),
        ([100, 150], 1.0, goal(190), "on track"),
        ([100, 150], 1.0, goal(210), "behind"),
        ([100, 150], 5.0, goal(201), "undecided"),
        ([100, 150], np.nan, goal(140, 2015), "missed"),
        ([100, 150], np.nan, goal(125, 2015), "reached"),
        ([100, 150], np.nan, goal(125, 2005), "undecided"),
        ([150, 100], np.nan, goal(50, comparison="<="), "on track"),
        ([150, 100], np.nan, goal(49, comparison="<="), "behind"),
        ([150, 100], 1.0, goal(60, comparison="<="), "on track"),
        ([150, 100], np.nan, goal(100, comparison="<="), "reached"),
        ([150], np.nan, goal(160), "undecided"),
        ([160], np.nan, goal(160), "reached"),
    ],
)
def test_the_word(values, se, target, status):
    assert judged(series([2010, 2020][-len(values) :], values, se=se), target)["status"] == status


def test_what_is_reached_but_falls_is_told():
    row = judged(series([2010, 2020], [200, 150]), goal(140))
    assert row["status"] == "reached"
    assert "no longer in 2030" in row["note"]
    assert np.isnan(row["pace_needed"])


def test_regions_are_held_against_their_own_and_coverage_against_the_nations():
    coverage = series([2010, 2020], [20, 22], quantity="coverage_percent", unit="percent", region="a")
    stock, carbon = series([2010, 2020], [1e6, 2e6], region="a"), series([2010, 2020], [1, 2], quantity="carbon_total")
    mine = goal(3e6, region="a")
    card = tr.track([coverage, stock, carbon], national([2030]), [mine])
    assert card["role"].fillna("").tolist() == ["reference", "own", ""]
    assert card["pace"].notna().all()
    with pytest.raises(InputError, match="not in this series: b"):
        tr.track([coverage], [], [goal(1, region="b")])


# ---------------------------------------------------------------------------- tables


def table(**columns):
    base = {
        "region_id": "a",
        "region_name": "A",
        "quantity": "stock_volume",
        "unit": "m3",
        "year": [2020, 2010],
        "value": [2.0, 1.0],
    }
    return pd.DataFrame({**base, **columns})


def test_a_table_becomes_series_in_order_of_years_and_known_units():
    (s,) = tr.series_of(table(unit="亿立方米", se=0.1))
    assert s.years.tolist() == [2010, 2020]
    assert s.values.tolist() == [1e8, 2e8]
    assert s.se.tolist() == pytest.approx([1e7, 1e7])
    assert s.unit == "m3"
    assert tr.series_of(table(value=[2.0, np.nan]))[0].years.tolist() == [2020]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tr.series_of(table().drop(columns="year")), "lacks the column(s) year"),
        (lambda: tr.series_of(table().iloc[:0]), "has no row"),
        (lambda: tr.series_of(table(year=[2020, 2020])), "two values for 2020"),
        (lambda: tr.series_of(table(year=[2020, 2020.5])), "no whole number"),
        (lambda: tr.series_of(table(unit=["m3", "ha"])), "use one unit"),
        (lambda: tr.series_of(table(se=[-1.0, 1.0])), "below zero"),
        (lambda: tr.series_of(table(value=[np.inf, 1.0])), "not finite"),
        (lambda: tr.official("carbon_total"), "no official series"),
        (lambda: tr.yearly(series([2010, 2020], [1, 2]), "cubic"), "choose one of linear, geometric"),
        (lambda: tr.yearly(series([2010, 2020], [0, 2]), "geometric"), "no rate of growth"),
        (lambda: tr.line(series([2010], [1])), "needs 2 epochs"),
        (lambda: tr.line(series([2010, 2020], [1, 2]), "least_squares"), "needs 3 epochs"),
        (lambda: tr.line(series([2010, 2020], [1, 2]), "theil"), "choose one of endpoints, least_squares"),
        (lambda: tr.track([series([2010], [1])], [], method="theil"), "choose one of endpoints"),
        (lambda: judged(series([2010, 2020], [1, 2]), goal(0.0), interpolation="geometric"), "use linear"),
    ],
)
def test_what_makes_no_sense_is_refused(call, said):
    with pytest.raises(InputError, match=re.escape(said)):
        call()
