"""Estimates from plots and map: textbook identities, and whether the intervals hold what they promise."""

from itertools import combinations

import numpy as np
import pytest

from sinks import modelassisted as ma
from sinks.errors import InputError
from sinks.modelassisted import Population, Sample


def one(mean, area=1000.0, region="r"):
    return Population(region, region, ("all",), np.array([area]), np.array([float(mean)]))


def sample(y, x, region="r", stratum="all"):
    n = len(y)
    return Sample(
        np.asarray(y, float),
        np.asarray(x, float),
        np.broadcast_to(np.asarray(region, str), n),
        np.broadcast_to(np.asarray(stratum, str), n),
    )


def census(n=2000, seed=3, forest=0.6):
    """Plots of a whole region: a third bare, the rest with a map that is biased, noisy and saturates."""
    rng = np.random.default_rng(seed)
    wood = rng.random(n) < forest
    y = np.where(wood, rng.gamma(4, 30, n), np.where(rng.random(n) < 0.05, 20, 0))
    x = np.where(wood, np.maximum(0, 0.7 * np.minimum(y, 250) + 15 + rng.normal(0, 25, n)), 0)
    return y, x, np.where(wood, "forest", "other")


# ------------------------------------------------------------------------------------------ identities


def test_a_worked_example_by_hand():
    # Differences 2, 0, −2, 4: mean 1, s² = 20/3. Map mean 11, so 12 ± sqrt(20/3/4).
    s, p = sample([12, 10, 8, 14], [10, 10, 10, 10]), one(11)
    e = ma.difference(s, p)
    assert e.mean == pytest.approx(12)
    assert e.se == pytest.approx(np.sqrt(20 / 3 / 4))
    assert e.df == 3
    assert e.interval()[1] - e.mean == pytest.approx(3.182446 * e.se, rel=1e-6)  # t(3) of any table
    assert ma.expansion(s, p).mean == pytest.approx(11)


def test_the_regression_is_that_of_the_textbook():
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 100, 40)
    y = 5 + 0.8 * x + rng.normal(0, 10, 40)
    e = ma.regression(sample(y, x), one(x.mean()))
    b, a = np.polyfit(x, y, 1)
    # At x̄ = X̄ the g-weights are one: Cochran 1977, ch. 7, with n − 2.
    assert e.mean == pytest.approx(y.mean())
    assert e.slope == pytest.approx(b)
    assert e.se**2 == pytest.approx(((y - a - b * x) ** 2).sum() / 38 / 40)
    assert e.df == pytest.approx(38)
    off = ma.regression(sample(y, x), one(60.0))
    assert off.mean == pytest.approx(a + 60 * b)


def test_the_regression_is_a_calibrated_weighting():
    # GREG = Σ a·g·y with weights that reproduce the area and the map's mean exactly [Deville & Särndal 1992].
    y, x, h = census(60)
    areas = np.array([700.0, 300.0])
    p = Population("r", "", ("forest", "other"), areas, np.array([80.0, 0.5]))
    n = np.array([(h == s).sum() for s in p.strata])
    at = (h == "other").astype(int)
    a = (areas / 1000 / n)[at]
    X = np.column_stack([h == "forest", h == "other", x]).astype(float)
    target = np.array([0.7, 0.3, 0.7 * 80 + 0.3 * 0.5])
    g = 1 + X @ np.linalg.solve((X * a[:, None]).T @ X, target - a @ X)
    assert a * g @ X == pytest.approx(target)
    assert ma.regression(sample(y, x, stratum=h), p).mean == pytest.approx(float(a * g @ y))


def test_a_perfect_map_gives_the_census_without_variance():
    y, _, h = census()
    mean, take = y.mean(), np.arange(0, 2000, 37)
    p = Population("r", "", ("forest", "other"), np.array([(h == s).sum() * 1.0 for s in ("forest", "other")]),
                   np.array([y[h == s].mean() for s in ("forest", "other")]))  # fmt: skip
    for population, s in ((one(mean), sample(y[take], y[take])), (p, sample(y[take], y[take], stratum=h[take]))):
        for estimator in (ma.difference, ma.regression):
            e = estimator(s, population)
            assert e.mean == pytest.approx(mean, rel=1e-12)
            assert e.se == pytest.approx(0, abs=1e-9 * mean)


def test_a_perfect_line_is_as_good_as_a_perfect_map():
    x = np.linspace(0, 90, 30)
    e = ma.regression(sample(3 + 2 * x, x), one(50))
    assert e.mean == pytest.approx(103)
    assert e.se == pytest.approx(0, abs=1e-9)


def test_a_map_of_one_value_adds_nothing():
    s, p = sample([1, 5, 2, 8, 4], [7] * 5), one(7)
    assert ma.regression(s, p) == ma.expansion(s, p)
    assert ma.difference(s, p).mean == pytest.approx(4)
    assert ma.difference(s, p).se == pytest.approx(ma.expansion(s, p).se)


def test_the_difference_estimator_is_unbiased_over_every_sample():
    # All 1,820 samples of 4 plots of 16, not some.
    rng = np.random.default_rng(5)
    y = rng.gamma(2, 50, 16)
    x = 0.5 * y + rng.normal(30, 15, 16)
    p = one(x.mean())
    every = [ma.difference(sample(y[list(c)], x[list(c)]), p) for c in combinations(range(16), 4)]
    assert np.mean([e.mean for e in every]) == pytest.approx(y.mean(), rel=1e-12)
    # Without finite population correction the estimated variance is too large by exactly 1 / (1 − n/N).
    true = np.var([e.mean for e in every])
    assert np.mean([e.se**2 for e in every]) == pytest.approx(true / (1 - 4 / 16), rel=1e-10)


def test_strata_of_one_kind_are_no_strata():
    y, x, _ = census(80)
    both = sample(y, x, stratum=np.where(np.arange(80) % 2, "a", "b"))
    p = Population("r", "", ("a", "b"), np.array([500.0, 500.0]), np.array([50.0, 50.0]))
    assert ma.expansion(both, p).mean == pytest.approx(y.mean())
    assert ma.difference(both, p).mean == pytest.approx(50 + (y - x).mean())


def test_stratified_variance_by_hand():
    s = sample([1, 3, 10, 20, 30], [0] * 5, stratum=["a", "a", "b", "b", "b"])
    p = Population("r", "", ("a", "b"), np.array([250.0, 750.0]), np.zeros(2))
    e = ma.expansion(s, p)
    va, vb = 0.25**2 * 2 / 2, 0.75**2 * 100 / 3
    assert e.mean == pytest.approx(0.25 * 2 + 0.75 * 20)
    assert e.se**2 == pytest.approx(va + vb)
    assert e.df == pytest.approx((va + vb) ** 2 / (va**2 / 1 + vb**2 / 2))  # Cochran 1977, sec. 5.4


# ------------------------------------------------------------------------------------------ do intervals hold


def coverage(estimator, draws=2000, n=100, seed=11, stratified=False):
    """Share of intervals that hold the truth, of seeded random samples with replacement from a finite census."""
    y, x, h = census(5000, 7)
    names = ("forest", "other") if stratified else ("all",)
    label = h if stratified else np.full(len(y), "all")
    areas = np.array([(label == s).sum() for s in names], float)
    p = Population("r", "", names, areas, np.array([x[label == s].mean() for s in names]))
    rng = np.random.default_rng(seed)
    hits, means, ses = 0, [], []
    for _ in range(draws):
        take = rng.integers(0, len(y), n)
        e = estimator(sample(y[take], x[take], stratum=label[take]), p)
        low, high = e.interval()
        hits += low <= y.mean() <= high
        means.append(e.mean)
        ses.append(e.se)
    return hits / draws, np.array(means), np.array(ses), y.mean()


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("estimator", [ma.expansion, ma.difference, ma.regression])
def test_95_percent_intervals_hold_in_95_percent_of_2000_samples(estimator, stratified):
    share, means, ses, truth = coverage(estimator, stratified=stratified)
    assert 0.93 <= share <= 0.97, f"{share:.2%}"
    assert means.mean() == pytest.approx(truth, abs=4 * means.std() / np.sqrt(len(means)) + 0.002 * truth)
    assert np.mean(ses**2) == pytest.approx(means.var(), rel=0.1)


def test_a_good_map_saves_plots():
    spread = {e: coverage(e, draws=400)[1].var() for e in (ma.expansion, ma.difference, ma.regression)}
    assert spread[ma.expansion] / spread[ma.regression] > 5
    # The slope mends a map that is too flat, which the difference cannot.
    assert spread[ma.regression] < spread[ma.difference] < spread[ma.expansion]


# ------------------------------------------------------------------------------------------ regions


def regions_of(counts, seed=2, stratified=False):
    """Plots and populations of some regions with a map 25 % too high everywhere."""
    rng = np.random.default_rng(seed)
    ys, xs, rs, populations = [], [], [], []
    for k, n in enumerate(counts):
        x = rng.uniform(20, 200, n)
        ys.append(np.maximum(0, 0.8 * x + rng.normal(0, 8, n)))
        xs.append(x)
        rs += [f"r{k}"] * n
        populations.append(one(110, 100.0 * n + 1, f"r{k}"))
    area = sum(p.area for p in populations)
    populations.append(one(110, area, "total"))
    y, x = np.concatenate(ys), np.concatenate(xs)
    return Sample(y, x, np.array(rs), np.full(len(y), "all")), populations


def test_regions_get_their_own_estimate_and_small_ones_a_synthetic_one():
    s, p = regions_of((80, 12, 60, 0))
    table = ma.estimate_regions(s, p)
    top = ma.headline(table).set_index("region_id")
    assert top["estimator"].to_dict() == {
        "r0": "regression", "r1": "synthetic", "r2": "regression", "r3": "synthetic", "total": "regression",
    }  # fmt: skip
    assert set(table[table["region_id"] == "r0"]["estimator"]) == {"expansion", "difference", "regression"}
    assert (top.loc[["r0", "r2", "total"], "efficiency"] > 10).all()
    ratio = s.y.mean() / s.x.mean()
    assert top.loc["r1", "mean"] == pytest.approx(110 * ratio)
    assert top.loc["r1", "slope"] == pytest.approx(ratio)
    d = s.y - ratio * s.x
    assert top.loc["r1", "mean_se"] == pytest.approx(110 / s.x.mean() * np.sqrt(d.var(ddof=1) / len(d)))
    for words in ("synthetic", "12 plots", "fewer than 30", "leaves out how this region departs"):
        assert words in top.loc["r1", "warning"]
    assert top.loc["r0", "total"] == pytest.approx(top.loc["r0", "mean"] * 8001)
    assert top.loc["r0", "total_unit"] == "m3"
    assert top.loc["r0", "warning"] == ""
    assert "0 plots" in top.loc["r3", "warning"]


def test_the_synthetic_interval_says_nothing_of_the_regions_own_departure():
    # A region whose truth is 30 % above all others: the synthetic estimate misses it, which is why it is flagged.
    s, p = regions_of((200, 10))
    low, high = (
        ma.headline(ma.estimate_regions(s, p)).set_index("region_id").loc["r1", c] for c in ("mean_low", "mean_high")
    )
    assert not low <= 1.3 * 0.8 * 110 <= high


def test_plots_on_forest_alone_are_no_sample_of_all_land():
    y, x, h = census(200)
    p = Population("total", "", ("forest", "other"), np.array([600.0, 400.0]), np.array([100.0, 0.0]))
    wood = h == "forest"
    with pytest.raises(InputError, match=r"0 plot\(s\) lie in the stratum 'other', 40.0% .*--population forest"):
        ma.estimate_regions(sample(y[wood], x[wood], "a", h[wood]), [p])
    unstratified = ma.estimate_regions(sample(y[wood], x[wood], "a"), [one(60, region="total")])
    assert "no random or systematic sample" in unstratified["warning"].iloc[0]


def test_plots_crowded_in_one_region_are_weighed_by_area():
    # Ten times as many plots in a tenth of the area, where there is half the volume the map says.
    rng = np.random.default_rng(6)
    x = rng.uniform(20, 200, 220)
    region = np.array(["dense"] * 200 + ["sparse"] * 20)
    s = Sample(np.where(region == "dense", 0.5, 1.0) * x, x, region, np.full(220, "all"))
    p = [one(110, 1000.0, "dense"), one(110, 9000.0, "sparse"), one(110, 10_000.0, "total")]
    union = ma.estimate_regions(s, p).set_index(["region_id", "estimator"]).loc["total"]
    assert "strata of the union" in union.loc["regression", "warning"]
    truth = 0.1 * 55 + 0.9 * 110
    assert union.loc["difference", "mean"] == pytest.approx(truth, abs=3 * union.loc["difference", "mean_se"])
    assert union.loc["regression", "mean"] == pytest.approx(truth, abs=3 * union.loc["regression", "mean_se"])
    alone = Sample(s.y[:201], s.x[:201], s.region[:201], s.stratum[:201])  # one plot is no stratum
    assert "weigh too much" in ma.headline(ma.estimate_regions(alone, p))["warning"].iloc[-1]
    even, q = regions_of((100, 100))
    assert ma.headline(ma.estimate_regions(even, q))["warning"].iloc[-1] == ""


def test_a_thin_stratum_is_merged_and_a_missed_one_is_synthetic():
    y, x, h = census(300, forest=0.97)
    both = ("forest", "other")
    region = np.where(np.arange(300) < 150, "a", "b")
    whole = Population("total", "", both, np.array([2900.0, 100.0]), np.array([90.0, 0.0]))
    a = Population("a", "", both, np.array([1480.0, 20.0]), np.array([90.0, 0.0]))
    b = Population("b", "", both, np.array([1000.0, 500.0]), np.array([90.0, 0.0]))
    keep = ~((h == "other") & (region == "a")) & ~((h == "other") & (region == "b") & (np.cumsum(h == "other") > 9))
    s = Sample(y[keep], x[keep], region[keep], h[keep])
    top = ma.headline(ma.estimate_regions(s, [a, b, whole])).set_index("region_id")
    assert "not stratified here" in top.loc["a", "warning"]
    assert top.loc["a", "estimator"] == "regression"
    none_in_b = Sample(*(v[(s.region == "a") | (s.stratum == "forest")] for v in (s.y, s.x, s.region, s.stratum)))
    moved = Sample(none_in_b.y, none_in_b.x, none_in_b.region,
                   np.where(np.arange(len(none_in_b)) < 3, "other", none_in_b.stratum))  # fmt: skip
    later = ma.headline(ma.estimate_regions(moved, [a, b, whole])).set_index("region_id")
    assert later.loc["b", "estimator"] == "synthetic"
    assert "a part of the region" in later.loc["b", "warning"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ma.estimate_regions(*regions_of((2, 1))), "only 3 plots"),
        (lambda: ma.estimate_regions(*regions_of((40,)), minimum=2), "--minimum is 2"),
        (lambda: sample([1, np.nan], [1, 2]), "no measured or no map value"),
        (lambda: ma.expansion(sample([1], [1]), one(3)), "variance takes two"),
        (lambda: ma.regression(sample([1, 2], [1, 2]), one(3)), "at least 3"),
        (lambda: ma.overall_ratio(sample([1, 2, 3], [0, 0, 0]), one(3)), "zero at every plot"),
        (lambda: ma.expansion(sample([1, 2], [1, 2], stratum="sea"), one(3)), "stratum 'sea'"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
