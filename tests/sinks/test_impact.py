"""The effect of protection: known effects are found, with honest intervals; what cannot be known is said."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import impact
from sinks.errors import InputError
from sinks.terrain import slope_degrees

EFFECT, LEAK = 0.5, -0.3
REPEATS = 130


def land(
    seed, *, effect=EFFECT, leak=LEAK, sites=4, inside=40, ring=30, outside=400, shock=0.4, reach=10_000.0, pre=False
):
    """Reserves high up and on fuller forest, where carbon grows faster anyway; shocks are shared by squares of land."""
    rng = np.random.default_rng(seed)
    side = 80_000.0
    middle = rng.uniform(8_000, side - 8_000, (sites, 2))

    def around(n, near, far):
        angle, r = rng.uniform(0, 2 * np.pi, (sites, n)), np.sqrt(rng.uniform(near**2, far**2, (sites, n)))
        return (middle[:, None] + np.stack([r * np.cos(angle), r * np.sin(angle)], axis=2)).reshape(-1, 2)

    far = rng.uniform(0, side, (outside, 2))
    far = far[np.hypot(*(far[:, None] - middle).T).min(axis=0) > 7_000]
    place = np.vstack([around(inside, 0, 4_000), around(ring, 4_000, 7_000), far])
    counts = (sites * inside, sites * ring, len(far))
    role = np.repeat([impact.INSIDE, impact.RING, impact.OUTSIDE], counts)
    names = [f"s{k}" for k in range(sites)]
    site = np.concatenate([np.repeat(names, inside), np.repeat(names, ring), np.full(len(far), "")])
    n, near = len(role), role != impact.OUTSIDE
    elevation = rng.normal(0, 300, n) + 800 + 200 * near
    forest = rng.random(n) < np.where(near, 0.7, 0.45)
    stock = np.where(forest, 80 + 15 * rng.normal(size=n) + 6 * near, 15 + 4 * rng.normal(size=n))
    square = np.unique(np.floor(place / reach).astype(int), axis=0, return_inverse=True)[1].ravel()
    trend = np.where(forest, 0.5 + 0.6 * (elevation - 800) / 300 - 0.02 * (stock - 80), 0.1)
    scale = np.where(forest, 1.0, 0.4)

    def change():
        return trend + scale * (shock * rng.normal(size=square.max() + 1)[square] + 0.6 * rng.normal(size=n))

    frame = pd.DataFrame({
        "role": role, "site_id": site, "x_m": place[:, 0], "y_m": place[:, 1], "area_ha": rng.uniform(50, 150, n),
        "ecosystem": np.where(forest, "forest", "cropland"), "elevation": elevation, "stock": stock,
        "change": change() + effect * (role == impact.INSIDE) + leak * (role == impact.RING),
    })  # fmt: skip
    return frame.assign(pre_change=change()) if pre else frame


def assessed(units, **options):
    how = {"covariates": ["elevation", "stock"], "categories": ["ecosystem"], "years": 10.0}
    return impact.assess(units, **{**how, **options})


@pytest.fixture(scope="module")
def repeated():
    return [assessed(land(seed)) for seed in range(REPEATS)]


def column(found, name, site="total", part=impact.INSIDE):
    return np.array([f.of(site, part)[name] for f in found])


# ------------------------------------------------------------------------------------------ a known effect


def test_a_known_effect_is_found_where_inside_minus_outside_is_not_it(repeated):
    found, naive = column(repeated, "effect_mg_c_ha_yr"), column(repeated, "naive_mg_c_ha_yr")
    error = found.std(ddof=1) / np.sqrt(REPEATS)
    assert found.mean() == pytest.approx(EFFECT, abs=3.5 * error)
    assert naive.mean() > EFFECT + 0.25
    assert np.mean(column(repeated, "verdict") == impact.MATCHED) > 0.9


def test_leakage_is_found_and_the_net_effect_is_the_sum(repeated):
    leak = column(repeated, "effect_mg_c_ha_yr", part=impact.LEAKAGE)
    assert leak.mean() == pytest.approx(LEAK, abs=3.5 * leak.std(ddof=1) / np.sqrt(REPEATS))
    total = {p: column(repeated, "total_mg_c", part=p) for p in impact.PARTS}
    np.testing.assert_allclose(total[impact.NET], total[impact.INSIDE] + total[impact.LEAKAGE], rtol=1e-9)
    share = column(repeated, "matched_area_ha", part=impact.INSIDE)
    np.testing.assert_allclose(total[impact.INSIDE], column(repeated, "effect_mg_c_ha_yr") * share * 10, rtol=1e-9)
    np.testing.assert_allclose(
        column(repeated, "effect_mg_c_ha_yr", part=impact.NET), total[impact.NET] / share / 10, rtol=1e-9
    )


def covered(found, truth, site="total", part=impact.INSIDE):
    return np.mean((column(found, "low", site, part) <= truth) & (truth <= column(found, "high", site, part)))


def test_intervals_hold_the_truth_as_often_as_they_say(repeated):
    for part, truth in ((impact.INSIDE, EFFECT), (impact.LEAKAGE, LEAK)):
        assert 0.9 <= covered(repeated, truth, part=part) <= 0.995
    one = np.mean([covered(repeated, EFFECT, f"s{k}") for k in range(4)])  # areas of one or two squares of land
    assert 0.92 <= one <= 0.99
    spread, told = column(repeated, "effect_mg_c_ha_yr").std(ddof=1), column(repeated, "se").mean()
    assert told == pytest.approx(spread, rel=0.25)


def test_without_an_effect_the_interval_holds_zero(repeated):
    # The estimate is equivariant: the same land without the effect is the same estimate less the effect.
    without = [assessed(land(seed, effect=0.0, leak=0.0)) for seed in range(20)]
    np.testing.assert_allclose(
        column(without, "effect_mg_c_ha_yr"), column(repeated[:20], "effect_mg_c_ha_yr") - EFFECT, atol=1e-9
    )
    assert covered(repeated, EFFECT) >= 0.9
    assert covered(without, 0.0) >= 0.8


def test_shocks_that_neighbours_share_widen_the_interval():
    """Were every unit on its own, one area in one square of land would be told far too surely."""
    one = [assessed(land(seed, sites=1, inside=150, ring=0, leak=0)) for seed in range(60)]
    alone = [assessed(land(seed, sites=1, inside=150, ring=0, leak=0, shock=0)) for seed in range(10)]
    assert covered(one, EFFECT) >= 0.88
    assert column(one, "se").mean() > 2 * column(alone, "se").mean()


# ------------------------------------------------------------------------------------------ controls


def test_ring_units_are_controls_of_nothing(repeated):
    units, found = land(0), repeated[0]
    roles = units["role"].to_numpy()
    assert set(roles[found.pairs.control]) == {impact.OUTSIDE}
    assert set(roles[found.pairs.treated]) == {impact.INSIDE, impact.RING}
    assert (found.used[roles != impact.OUTSIDE] == 0).all()
    moved = units.assign(change=units["change"] + 100 * (units["role"] == impact.RING))
    assert assessed(moved).of().effect_mg_c_ha_yr == pytest.approx(found.of().effect_mg_c_ha_yr, abs=1e-9)


def test_matches_are_alike_and_near():
    units = land(1)
    found = assessed(units, neighbours=3, caliper=0.3)
    one, two = units.iloc[found.pairs.treated], units.iloc[found.pairs.control]
    assert (one["ecosystem"].to_numpy() == two["ecosystem"].to_numpy()).all()
    x = units[["elevation", "stock"]].to_numpy()
    treated, control = (units["role"] == r for r in (impact.INSIDE, impact.OUTSIDE))
    sd = impact.pooled_sd(x, treated.to_numpy(), control.to_numpy(), units["area_ha"].to_numpy())
    inside = (one["role"] == impact.INSIDE).to_numpy()
    assert (np.abs(x[found.pairs.treated] - x[found.pairs.control])[inside] / sd <= 0.3 + 1e-12).all()
    assert found.matched.max() <= 3


def test_no_overlap_is_said_and_nothing_is_estimated():
    units = land(2)
    units.loc[units["role"] == impact.INSIDE, "elevation"] += 10_000
    found = assessed(units)
    row = found.of()
    assert row.verdict == impact.NONE
    assert np.isnan([row.effect_mg_c_ha_yr, row.se, row.low, row.total_mg_c]).all()
    assert row.matched_share == 0
    assert found.of(part=impact.LEAKAGE).verdict == impact.MATCHED
    net = found.of(part=impact.NET)
    assert net.verdict == impact.NONE
    assert np.isnan(net.effect_mg_c_ha_yr)


def test_an_ecosystem_that_is_not_outside_finds_no_controls():
    units = land(3)
    units.loc[(units["role"] == impact.INSIDE) & (units["site_id"] == "s1"), "ecosystem"] = "mangrove"
    found = assessed(units)
    assert found.of("s1").verdict == impact.NONE
    assert found.of("s0").verdict == impact.MATCHED
    assert found.of().matched_share == pytest.approx(3 / 4, abs=0.1)


def test_little_overlap_is_called_poor():
    units = land(4)
    high = (units["role"] == impact.INSIDE) & (np.arange(len(units)) % 2 == 0)
    units.loc[high, "elevation"] += 10_000
    row = assessed(units).of()
    assert row.verdict == impact.POOR
    assert row.matched_share < impact.MATCHED_SHARE


def test_a_covariate_constant_in_each_group_but_different_is_no_match():
    units = land(5)
    units["law"] = (units["role"] == impact.OUTSIDE).astype(float)
    assert assessed(units, covariates=["stock", "law"]).of().verdict == impact.NONE


def test_balance_is_told_before_and_after(repeated):
    b = repeated[0].balance.query("site_id == 'total' and part == 'inside'").set_index("covariate")
    assert abs(b.loc["elevation", "smd_before"]) > impact.FAIR_SMD
    assert (b["smd_after"].abs() <= impact.FAIR_SMD).all()
    assert set(b["balance"]) <= {"good", "fair"}
    units = land(0)
    inside, outside = (units[units["role"] == r] for r in (impact.INSIDE, impact.OUTSIDE))
    mean = [np.average(g["elevation"], weights=g["area_ha"]) for g in (inside, outside)]
    assert b.loc["elevation", ["treated_mean", "outside_mean"]].tolist() == pytest.approx(mean)


# ------------------------------------------------------------------------------------------ against numbers by hand


def test_by_hand():
    """Two units inside, each with one control of the same stock: the mean of the differences of change, by area."""
    units = pd.DataFrame({
        "role": ["inside"] * 2 + ["outside"] * 3, "site_id": ["a", "a", "", "", ""], "x_m": [0, 1, 9e4, 8e4, 5e4],
        "y_m": 0.0, "area_ha": [1.0, 3.0, 1, 1, 1], "change": [5.0, 4.0, 2.0, 3.0, 50.0], "kind": ["f"] * 4 + ["g"],
        "stock": [10.0, 20.0, 10.0, 20.0, 10.0],
    })  # fmt: skip
    row = impact.assess(units, covariates=["stock"], categories=["kind"], years=2, neighbours=1).of()
    assert row.effect_mg_c_ha_yr == pytest.approx((1 * (5 - 2) + 3 * (4 - 3)) / 4)
    assert row.total_mg_c == pytest.approx(1.5 * 4 * 2)
    assert row.controls == 2


def test_regression_takes_off_what_differs_within_a_match():
    """Where the outcome is a line of the covariate, the estimate is exact however far off the controls are."""
    rng = np.random.default_rng(0)
    stock = np.concatenate([rng.uniform(40, 60, 40), rng.uniform(20, 60, 200)])
    role = np.repeat(["inside", "outside"], [40, 200])
    units = pd.DataFrame({
        "role": role, "site_id": np.where(role == "inside", "a", ""), "x_m": rng.uniform(0, 1e5, 240),
        "y_m": rng.uniform(0, 1e5, 240), "area_ha": 1.0, "change": 0.3 * stock + 0.7 * (role == "inside"), "stock": stock,
    })  # fmt: skip
    row = impact.assess(units, covariates=["stock"], categories=[], years=1, neighbours=4).of()
    assert row.effect_mg_c_ha_yr == pytest.approx(0.7, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(-5, 5), st.permutations(range(40)))
def test_units_order_and_the_scale_of_covariates_do_not_matter(seed, factor, shift, order):
    rng = np.random.default_rng(seed)
    role = np.array(["inside"] * 10 + ["outside"] * 30)
    units = pd.DataFrame({
        "role": role, "site_id": np.where(role == "inside", "a", ""), "x_m": rng.uniform(0, 1e4, 40),
        "y_m": rng.uniform(0, 1e4, 40), "area_ha": rng.uniform(1, 2, 40), "change": rng.normal(size=40),
        "stock": rng.normal(size=40), "elevation": rng.normal(size=40),
    })  # fmt: skip
    how = {"covariates": ["stock", "elevation"], "categories": [], "years": 1.0, "neighbours": 2}
    one = impact.assess(units, **how).of()
    other = impact.assess(units.iloc[order].assign(stock=lambda u: factor * u["stock"] + shift), **how).of()
    assert other.verdict == one.verdict
    assert other.effect_mg_c_ha_yr == pytest.approx(one.effect_mg_c_ha_yr, rel=1e-6, abs=1e-9, nan_ok=True)


def test_correlogram_of_a_field_with_a_known_range():
    """Squares of 8 km with half of the variance: the sphere that fits has about that share and reach."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        place = rng.uniform(0, 100_000, (900, 2))
        square = np.unique(np.floor(place / 8_000).astype(int), axis=0, return_inverse=True)[1].ravel()
        u = np.sqrt(0.5) * (rng.normal(size=square.max() + 1)[square] + rng.normal(size=900))
        found.append(impact.fit_shocks(u - u.mean(), place)[0])
    assert np.mean([f.share for f in found]) == pytest.approx(0.5, abs=0.12)
    assert 5_000 < np.median([f.range_m for f in found]) < 15_000
    alone = [
        impact.fit_shocks(r.normal(size=900), r.uniform(0, 1e5, (900, 2)))[0].share
        for r in map(np.random.default_rng, range(8))
    ]
    assert np.median(alone) < 0.1


# ------------------------------------------------------------------------------------------ before


def test_trends_before_are_tested_when_two_epochs_lie_before():
    found = assessed(land(6, pre=True)).of()
    assert found.parallel == "yes"
    assert found.pretrend_low <= 0 <= found.pretrend_high
    units = land(6, pre=True)
    units.loc[units["role"] == impact.INSIDE, "pre_change"] += 1.0
    apart = assessed(units)
    assert apart.of().parallel == "no"
    assert not any("parallel" in n for n in apart.notes)
    assert any("cannot be tested" in n for n in assessed(land(6)).notes)
    matched_on = assessed(land(6, pre=True), covariates=["elevation", "stock", "pre_change"])
    assert any("no test" in n for n in matched_on.notes)


def test_periods_by_start():
    stocks = np.array([[10.0, 12.0, 20.0], [5.0, 5.0, 4.0]])
    found = impact.periods(stocks, (2000, 2010, 2020), 2012)
    assert (found.before, found.after, found.years) == (2010, 2020, 10)
    assert found.change.tolist() == [0.8, -0.1]
    assert found.pre_change.tolist() == [0.2, 0.0]
    assert found.stock.tolist() == [12.0, 5.0]
    first = impact.periods(stocks, (2000, 2010, 2020))
    assert (first.before, first.pre_change) == (2000, None)
    assert first.change.tolist() == [0.5, -0.05]
    for start in (1999, 2020, 2030):
        with pytest.raises(InputError, match="give a start"):
            impact.periods(stocks, (2000, 2010, 2020), start)


def test_noise_in_the_stock_misleads_by_as_much_as_is_told():
    """Daw & Hatfield 2018: no effect, no trend, stocks told with noise: the estimate is what the function says."""
    rng = np.random.default_rng(0)
    n = 6000
    role = np.repeat(["inside", "outside"], [n // 3, 2 * n // 3])
    true = rng.normal(np.where(role == "inside", 110.0, 100.0), 10.0)
    told = true + rng.normal(0, 10 / 3, n)  # a tenth of the variance is noise
    units = pd.DataFrame({
        "role": role, "site_id": np.where(role == "inside", "a", ""), "x_m": rng.uniform(0, 1e5, n), "y_m": rng.uniform(0, 1e5, n),
        "area_ha": 1.0, "stock": told, "change": (true + rng.normal(0, 10 / 3, n) - told) / 10, "kind": "forest",
    })  # fmt: skip
    row = impact.assess(units, covariates=["stock"], categories=["kind"], years=10).of()
    bias = impact.noise_bias(units, "stock", ["kind"], 10)
    assert bias == pytest.approx(1.0, rel=0.05)
    assert row.effect_mg_c_ha_yr == pytest.approx(0.1 * bias, abs=3 * row.se)
    assert row.effect_mg_c_ha_yr > 2 * row.se


# ------------------------------------------------------------------------------------------ what is missing, what is wrong


def test_units_without_a_value_count_as_unmatched():
    units = land(7)
    lost = units.index[units["role"] == impact.INSIDE][:45]
    units.loc[lost, "elevation"] = np.nan
    found = assessed(units)
    area = units.loc[units["role"] == impact.INSIDE, "area_ha"]
    assert found.of().area_ha == pytest.approx(area.sum())
    assert found.of().matched_area_ha <= area.drop(lost).sum() + 1e-9
    assert (found.matched[lost] == 0).all()
    assert any("45 inside" in n for n in found.notes)


def test_what_does_not_vary_is_left_out_and_said():
    units = land(8).assign(slope=3.0)
    found = assessed(units, covariates=["elevation", "stock", "slope"])
    assert any("not matched on: slope" in n for n in found.notes)
    assert found.of().effect_mg_c_ha_yr == pytest.approx(assessed(land(8)).of().effect_mg_c_ha_yr)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda u: u.drop(columns="stock"), {}, "no column stock"),
        (lambda u: u.assign(role="within"), {}, "role of some units is 'within'"),
        (lambda u: u[u["role"] != "inside"], {}, "no unit lies inside"),
        (lambda u: u.assign(area_ha=0.0), {}, "area_ha must be above 0"),
        (lambda u: u, {"covariates": []}, "no covariate is given"),
        (lambda u: u, {"neighbours": 0}, "needs one at least"),
        (lambda u: u, {"caliper": 0.0}, "caliper is 0"),
        (lambda u: u.assign(stock=1.0), {"covariates": ["stock"]}, "nothing to match on"),
    ],
)
def test_what_cannot_be_used_is_said(change, options, says):
    with pytest.raises(InputError, match=says):
        assessed(change(land(9)), **options)


def test_the_index_of_the_table_does_not_matter():
    units = land(10)
    shifted = units.set_index(np.arange(len(units)) * 7 + 3)
    pd.testing.assert_frame_equal(assessed(units).effects, assessed(shifted).effects)


# ------------------------------------------------------------------------------------------ slope


def test_slope_of_a_plane_is_its_own():
    rows, cols = np.mgrid[:3, :3]
    for east, south in itertools.product((-0.5, 0.0, 0.3), (0.0, 0.2)):
        z = (east * 30 * cols + south * 20 * rows)[None].astype(float)
        found = slope_degrees(z, np.array([30.0]), np.array([20.0]))[0]
        assert found == pytest.approx(np.degrees(np.arctan(np.hypot(east, south))))
    z[0, 0, 0] = np.nan
    assert np.isnan(slope_degrees(z, np.array([30.0]), np.array([20.0]))[0])
