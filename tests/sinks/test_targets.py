"""Targets: the register, the comparison, and a user's own."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks import exactsum, targets
from sinks.accounts import Account, RegionInfo
from sinks.errors import InputError
from sinks.quantities import KEYS


def account(stock, regions=("110000", "120000")):
    """An account of forest alone: 1 ha per region with this stock [m³]."""
    lines = np.full((len(regions), len(KEYS), 2), np.nan)
    lines[:, KEYS.index("stock_volume")] = [0.0, 1.0]
    keys = pd.DataFrame({
        "region_id": regions, "ecosystem": "forest", "forest_type": "mixed", "cover": "forest/mixed", "tree": "counted",
        "climate": "", "ecozone": "", "soil": "", "karst": False, "permafrost": False, "present": "agb", "piece": 0,
    })  # fmt: skip
    digits = exactsum.from_floats(np.array([[1e4, s * 1e4, 0.0] for s in stock]))
    infos = tuple(RegionInfo(r, r) for r in regions)
    return Account(keys, np.ones(len(regions), np.int64), digits, lines, ("area_m2", "x", "xx"), infos, {})


def coverage(total, *each, regions=("110000", "120000")):
    rows = [("total", total), *zip(regions, each, strict=True)]
    return pd.DataFrame(
        {"region_id": [r for r, _ in rows], "coverage_percent": [c for _, c in rows], "headline": True, "basis": "b"}
    )


def test_the_guidance_of_september_2021():
    goals = {(t.indicator, t.year): t.value for t in targets.national()}
    assert goals == {
        ("forest_coverage", 2025): 24.1, ("forest_stock", 2025): 18e9, ("forest_coverage", 2030): 25.0,
        ("forest_stock", 2030): 19e9,
    }  # fmt: skip
    assert any("misprints 180 billion" in t.note for t in targets.national())


def test_the_parallel_plan_and_the_later_goals_stand_beside_it():
    every = {(t.indicator, t.year, t.value) for t in targets.register()}
    assert {("forest_stock", 2025, 19e9), ("forest_coverage", 2035, 26.0), ("forest_stock", 2035, 21e9),
            ("forest_stock", 2035, 24e9)} <= every  # fmt: skip
    assert [t for t in targets.register() if t.document == targets.GUIDANCE and not t.assessed]


@pytest.mark.parametrize(
    ("percent", "stock", "met"), [(24.02, 19.493e9, (False, True, False, True)), (25.09, 20.988e9, (True,) * 4)]
)
def test_official_national_figures_against_the_guidance(percent, stock, met):
    # 2021: coverage below 24.1 %, stock above both targets. 2024: above all.
    card = targets.scorecard(account((stock, 0.0)), coverage(percent, 1.0, 2.0), targets.national(), whole_nation=True)
    nation = card[card["role"] == "national"]
    assert tuple(nation.sort_values(["year", "target"])["status"] == "met") == met
    assert nation[nation["target"] == "forest_coverage"]["official_value"].iloc[0] == pytest.approx(25.09)


def test_gap_and_contribution():
    card = targets.scorecard(account((9e8, 9e8)), coverage(30.0, 20.0, 40.0), targets.national([2025]))
    one = card[(card["region_id"] == "110000") & (card["target"] == "forest_stock")].iloc[0]
    assert one["role"] == "contribution"
    assert one["contribution_percent"] == pytest.approx(5.0)
    assert one["status"] == "contributes"
    assert one["official_value"] == pytest.approx(2437.36e4)
    rate = card[(card["region_id"] == "110000") & (card["target"] == "forest_coverage")].iloc[0]
    assert (rate["role"], rate["status"]) == ("reference", "below")
    assert rate["gap"] == pytest.approx(20.0 - 24.1)


def test_a_region_with_its_own_target():
    text = "region_id,indicator,year,value,unit\n110000,forest_stock,2025,0.09,亿立方米\n110000,forest_coverage,2025,45,%\n"
    own = targets.read_targets(text, "own.csv")
    assert own[0].value == pytest.approx(9e6)
    card = targets.scorecard(account((1e7, 0.0)), coverage(30.0, 44.0, 1.0), (), own)
    assert list(card["status"]) == ["met", "missed"]
    assert set(card["role"]) == {"own"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("11,forest_stok,2025,1,m3", "did you mean 'forest_stock'"),
        ("11,forest_stock,2025,1,percent", "unit 'percent' does not fit forest_stock"),
        ("11,forest_stock,twenty,1,m3", "year 'twenty'"),
        ("11,forest_stock,20250,1,m3", "20250 is not a year"),
        ("11,forest_coverage,2025,241,percent", "not between 0 and 100"),
    ],
)
def test_bad_target_rows_are_named_by_line(row, said):
    with pytest.raises(InputError, match=f"own.csv, line 2: .*{said}"):
        targets.read_targets("region_id,indicator,year,value,unit\n" + row, "own.csv")


def test_a_target_for_a_region_that_is_not_there_is_refused():
    own = targets.read_targets("region_id,indicator,year,value,unit\n999,forest_coverage,2025,45,%\n", "own.csv")
    with pytest.raises(InputError, match="not in this account: 999"):
        targets.scorecard(account((1.0, 1.0)), coverage(1.0, 1.0, 1.0), (), own)


def test_an_unknown_document_is_refused():
    with pytest.raises(InputError, match="no target document 'guidance_2012'"):
        targets.national(document="guidance_2012")


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_is_never_worse(value, more):
    low, high = sorted((value, more))
    order = {"missed": 0, "met": 1}
    assert order[targets.compare(low, 24.1, ">=")] <= order[targets.compare(high, 24.1, ">=")]
    assert targets.compare(24.1, 24.1, ">=") == "met"
    assert targets.compare(24.0, 24.0, ">") == "missed"
    assert targets.compare(float("nan"), 24.1, ">=") == "unknown"


@pytest.mark.parametrize(
    ("probability", "said"),
    [(1.0, "met"), (0.95, "met"), (0.94, "likely met"), (0.66, "likely met"), (0.5, "undecided"), (0.35, "undecided"),
     (0.33, "likely missed"), (0.06, "likely missed"), (0.05, "missed"), (0.0, "missed")],
)  # fmt: skip
def test_a_verdict_says_how_likely_it_is(probability: float, said: str) -> None:
    assert targets.verdict(probability) == said


def test_even_draws_have_the_mean_and_spread_they_stand_for() -> None:
    draws = targets.normal_draws(24.0, 0.8)
    assert draws.mean() == pytest.approx(24.0)
    assert draws.std() == pytest.approx(0.8, rel=2e-3)
    assert (draws >= 24.1).mean() == pytest.approx(0.4503, abs=1e-3)
