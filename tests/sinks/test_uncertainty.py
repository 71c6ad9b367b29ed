"""Errors of coefficients: spreads, draws, and IPCC's two approaches on the account's sums."""

import math

import numpy as np
import pytest

from sinks import budget, coding, onepass
from sinks.accounts import Account, RegionInfo
from sinks.coding import Coding, Dimension
from sinks.lattice import Stack
from sinks.parameters import Coefficient, parameter_set
from sinks.plug import Cover, Options
from sinks.science import Science
from sinks.uncertainty import deviates, draw, spread_of, unknown_errors

COVERS = (
    coding.NODATA, coding.UNKNOWN, Cover("forest", "needleleaf"), Cover("forest", "broadleaf"), Cover("forest", "unspecified"),
    Cover("shrubland"), Cover("grassland"), Cover("cropland", "", "paddy"), Cover("inland_wetland"), Cover("mangrove"),
)  # fmt: skip
ZONES = ("", "warm_temperate_moist", "cool_temperate_dry", "tropical_wet")


def scene(name: str, biomass: str = "agb", seed: int = 0, regions: int = 3):
    """A made-up block: sums, science, regions."""
    rng = np.random.default_rng(seed)
    options = Options(biomass=biomass, soil_depth_cm=int(parameter_set(name).settings["soil_depth_cm"]))
    science = Science(Coding(COVERS, (Dimension("climate", ZONES),), (biomass, "soc")), parameter_set(name), options)
    shape = (300, 260)
    cover = rng.integers(0, len(COVERS), shape).astype(np.uint8)
    climate = rng.integers(1, len(ZONES), shape).astype(np.uint8)
    terms = rng.gamma(3, 40, (2, *shape)).astype(np.float32)
    terms[1][rng.random(shape) < 0.6] = np.nan
    region = rng.integers(0, regions + 1, shape).astype(np.int32)
    packed = coding.pack([cover], [climate], science.coding.radices, Stack.of(terms))
    seen = onepass.survey(packed, region, regions + 1)
    nothing = onepass.MapRequest((), ())
    area = np.full((shape[0], 1), 1e6)
    _, sums = onepass.run(
        packed.code, region, area, Stack.of(terms), science.strata(seen.codes, nothing), nothing, seen
    )
    infos = tuple(RegionInfo(f"r{n}") for n in range(1, regions + 1))
    return sums, science, infos


@pytest.fixture(scope="module", params=["ipcc", "china"])
def work(request):
    sums, science, regions = scene(request.param)
    return budget.prepare(sums, science, regions), Account.build(sums, science, regions, {})


def test_the_pieces_give_the_account_again_at_the_coefficients_themselves(work) -> None:
    w, account = work
    found = np.zeros((w.sums.code.size, len(budget.QUANTITIES)))
    for n, p in enumerate(w.piece_of.tolist()):
        if p >= 0:
            lines = budget.with_totals({k: np.asarray(v, float) for k, v in w.pieces[p].lines(w.terms, {}).items()})
            for q, line in lines.items():
                found[n, budget.QUANTITIES.index(q)] = w.amounts[n] @ line
    totals = w.targets.gather(found, np.arange(w.sums.code.size))
    for t, key in enumerate(w.targets.keys):
        for q, quantity in enumerate(budget.QUANTITIES):
            if totals[t, q]:
                assert totals[t, q] == pytest.approx(account.value(quantity, key[0], key[1], key[2]), rel=1e-9)


def test_propagation_and_monte_carlo_agree_where_the_problem_is_near_linear(work) -> None:
    w, account = work
    variance = sum(budget.propagate(w).values())
    drawn = budget.monte_carlo(w, seed=3, draws=4000)
    for key, values in drawn.items():
        t, q = w.targets.keys.index(key[:3]), budget.QUANTITIES.index(key[3])
        se = math.sqrt(variance[t, q])
        # A standard deviation of 4000 draws is itself unsure by 1.1 %; the volume is curved in its coefficients.
        assert float(np.std(values)) == pytest.approx(se, rel=0.05 if key[3] == "carbon_total" else 0.2), key
        assert float(np.mean(values)) == pytest.approx(account.value(key[3], *key[:3]), rel=0.1), key


def test_errors_of_coefficients_do_not_average_out_over_regions(work) -> None:
    w, _ = work
    variance = sum(budget.propagate(w).values())
    q = budget.QUANTITIES.index("carbon_agb")
    se = {key: math.sqrt(variance[t, q]) for t, key in enumerate(w.targets.keys) if key[1:] == ("all", "all")}
    regions = [v for k, v in se.items() if k[0] != "total"]
    assert se["total", "all", "all"] == pytest.approx(sum(regions), rel=1e-6)  # one carbon fraction for all of them


def test_draws_are_the_same_for_a_seed_whatever_else_is_drawn() -> None:
    assert (deviates("a|b", 7, 50) == deviates("a|b", 7, 50)).all()
    assert (deviates("a|b", 7, 50)[:20] == deviates("a|b", 7, 20)).all()
    assert not (deviates("a|b", 7, 50) == deviates("a|c", 7, 50)).any()
    assert not (deviates("a|b", 7, 50) == deviates("a|b", 8, 50)).any()


def coefficient(name: str = "x", value: float = 10.0, low: float = math.nan, high: float = math.nan) -> Coefficient:
    return Coefficient(name, value, "1", "s", low=low, high=high, where="k=1")


def test_a_published_interval_goes_before_a_default_and_is_divided_by_3_92() -> None:
    found = spread_of(coefficient("root_shoot", 0.25, 0.15, 0.35))
    assert found is not None
    assert found.sd == pytest.approx(0.2 / 3.92, rel=1e-4)
    default = spread_of(coefficient("root_shoot", 0.25))
    assert default is not None
    assert default.sd == pytest.approx(0.05)


def test_a_factor_that_may_change_sign_is_drawn_from_a_normal_and_never_cut() -> None:
    c = coefficient("ef_co2", 0.5, -0.71, 1.71)
    spread = spread_of(c)
    assert spread is not None
    assert spread.distribution == "normal"
    values = draw(c, spread, deviates("k", 1, 20_000))
    assert (values < 0).mean() == pytest.approx(0.21, abs=0.02)


def test_a_lognormal_keeps_mean_and_standard_deviation_and_stays_positive() -> None:
    c = coefficient("deadwood_ratio", 0.08)
    spread = spread_of(c)
    assert spread is not None
    values = draw(c, spread, deviates("k", 2, 400_000))
    assert values.min() > 0
    assert values.mean() == pytest.approx(0.08, rel=0.01)
    assert values.std() == pytest.approx(0.6 * 0.08, rel=0.02)


def test_slope_and_intercept_of_one_forest_type_move_together() -> None:
    rows = {name: Coefficient(name, 1.0, "1", "s", where="scheme=zhang2013, forest_type=larix") for name in "ab"}
    keys = {spread_of(row).key for row in rows.values()}  # type: ignore[union-attr]
    assert len(keys) == 1
    other = Coefficient("a", 1.0, "1", "s", where="scheme=zhang2013, forest_type=populus")
    assert spread_of(other).key not in keys  # type: ignore[union-attr]


def test_what_nothing_is_known_of_is_named_and_choices_are_exact() -> None:
    unknown = coefficient("mystery")
    assert unknown_errors([unknown, coefficient("root_shoot"), coefficient("root_shoot_edge")]) == [unknown]


def test_shares_of_the_budget_add_up_and_every_row_has_an_interval_round_its_value(work) -> None:
    w, account = work
    table = budget.budget_table(account.tidy, w.targets, budget.propagate(w))
    shares = table.filter(like="share_").sum(axis=1)
    assert np.allclose(shares[table["se"] > 0], 1)
    assert (table["low"] <= table["value"] + 1e-9).all()
    assert (table["high"] >= table["value"] - 1e-9).all()
    assert (table.loc[table["value"] >= 0, "low"] >= 0).all()
