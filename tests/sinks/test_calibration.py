"""Calibration: margins are met, contradictions refused, errors those of brute force, and areas of provinces never summed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize

from sinks import calibration as cal
from sinks import exactsum
from sinks.accounts import KEY_COLUMNS, Account, RegionInfo
from sinks.calibration import Constraint, Official
from sinks.errors import InputError
from sinks.parameters import records
from sinks.quantities import KEYS

TYPES = ("broadleaf", "mixed", "needleleaf")


def account(volume, regions, types=TYPES, se=None):
    """The table of an account of forest, by region and type: volume [m³] and area [ha] of each, 100 m³ a hectare."""
    rows = [(r, t) for r in regions for t in types]
    lines = np.full((len(rows), len(KEYS), 2), np.nan)
    lines[:, KEYS.index("stock_volume")] = [0.0, 1.0]
    keys = pd.DataFrame("", index=range(len(rows)), columns=list(KEY_COLUMNS))
    keys[["region_id", "forest_type"]] = rows
    keys = keys.assign(ecosystem="forest", tree="counted", present="agb", piece=0)
    keys["cover"] = "forest/" + keys["forest_type"]
    v = np.asarray(volume, float).ravel()
    digits = exactsum.from_floats(np.column_stack([v / 100 * 1e4, v * 1e4, np.zeros_like(v)]))
    infos = tuple(RegionInfo(r, f"县{r}") for r in regions)
    made = Account(keys, np.ones(len(rows), np.int64), digits, lines, ("area_m2", "x", "xx"), infos, {})
    return made.tidy if se is None else made.tidy.assign(se=se * made.tidy["value"])


def margins(row_totals, column_totals, se=np.nan):
    """Constraints on a table of cells, row by row."""
    r, c = len(row_totals), len(column_totals)
    at = np.arange(r * c).reshape(r, c)
    return [
        *(Constraint("region", f"r{k}", at[k], t, se) for k, t in enumerate(row_totals)),
        *(Constraint("forest_type", f"t{k}", at[:, k], t, se) for k, t in enumerate(column_totals)),
    ]


# ------------------------------------------------------------------------------------------ ratio


def test_one_margin_is_the_ratio():
    a = account([[10, 20, 30], [40, 50, 60]], ("0101", "0102"))
    found = cal.calibrate(a, [Official("0101", "stock_volume", 90.0, "m3", "forest", se=9.0)])
    row = found.table.set_index("region_id").loc["0101"]
    assert (row["raw"], row["official"], row["calibrated"], row["residual"], row["factor"]) == pytest.approx(
        (60, 90, 90, 30, 1.5)
    )
    assert row["se"] == pytest.approx(9.0)  # the map's own error has no say: its sum is replaced
    assert row["low"] == pytest.approx(90 - 1.96 * 9, rel=1e-4)
    other = found.table.set_index("region_id").loc["0102"]
    assert np.isnan(other["calibrated"])  # what no figure reaches is never filled with the raw value
    assert np.isnan(other["factor"])
    assert any("no official figure reaches 0102" in n for n in found.notes)


def test_a_province_is_given_to_its_counties_with_their_errors():
    a = account([[100], [300]], ("440103", "440104"), ("mixed",), se=0.1)
    found = cal.calibrate(a, [Official("440000", "stock_volume", 600.0, "m3", "forest", se=30.0)]).table.set_index(
        "region_id"
    )
    assert found.loc["440103", "calibrated"] == pytest.approx(150)
    assert found.loc["440000", ["raw", "official", "calibrated"]].tolist() == pytest.approx([400, 600, 600])
    assert found.loc["440000", "se"] == pytest.approx(30)
    # Worked by hand: C₁ = O·M₁/(M₁+M₂), so ∂C/∂O = 1/4, ∂C/∂M₁ = f·3/4, ∂C/∂M₂ = −f/4, with f = 1.5.
    by_hand = np.sqrt((30 / 4) ** 2 + (1.5 * 0.75 * 10) ** 2 + (1.5 * 0.25 * 30) ** 2)
    assert found.loc["440103", "se"] == pytest.approx(by_hand)
    assert found.loc["440103", "se_covers"] == "official+map"


def test_what_an_error_covers_is_said():
    a = account([[100], [300]], ("440103", "440104"), ("mixed",))
    one = cal.calibrate(a, [Official("44", "stock_volume", 600.0, "m3", "forest", se=30.0)]).table.set_index(
        "region_id"
    )
    assert one.loc["440103", ["se", "se_covers"]].tolist() == [pytest.approx(7.5), "official"]
    none = cal.calibrate(a, [Official("44", "stock_volume", 600.0, "m3", "forest")]).table.set_index("region_id")
    assert np.isnan(none.loc["440103", "se"])
    assert none.loc["440103", "se_covers"] == ""


# ------------------------------------------------------------------------------------------ raking


@given(
    st.integers(2, 5),
    st.integers(2, 5),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_margins_are_met_to_a_billionth(rows, columns, seed):
    rng = np.random.default_rng(seed)
    m, truth = rng.gamma(1, 1e6, (rows, columns)), rng.gamma(1, 1e6, (rows, columns))
    raked = cal.rake(m.ravel(), margins(truth.sum(1), truth.sum(0)))
    x = raked.value.reshape(rows, columns)
    assert x.sum(1) == pytest.approx(truth.sum(1), rel=1e-9)
    assert x.sum(0) == pytest.approx(truth.sum(0), rel=1e-9)
    # Odds ratios of the map are kept: that is what raking is.
    assert x[0, 0] * x[1, 1] / (x[0, 1] * x[1, 0]) == pytest.approx(m[0, 0] * m[1, 1] / (m[0, 1] * m[1, 0]), rel=1e-6)


def test_raking_is_the_nearest_table_by_brute_force():
    rng = np.random.default_rng(8)
    m, truth = rng.uniform(1, 9, 12), rng.uniform(1, 9, 12).reshape(3, 4)
    given_sums = margins(truth.sum(1), truth.sum(0))
    A = np.array([np.isin(np.arange(12), c.cells) for c in given_sums], float)
    t = np.array([c.value for c in given_sums])
    found = minimize(
        lambda x: float((x * np.log(x / m) - x + m).sum()), truth.ravel(), jac=lambda x: np.log(x / m), method="SLSQP",
        bounds=[(1e-9, None)] * 12, constraints={"type": "eq", "fun": lambda x: (A @ x - t)[:-1], "jac": lambda x: A[:-1]},
        options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    assert cal.rake(m, given_sums).value == pytest.approx(found.x, rel=1e-5)


def test_zero_cells_stay_zero():
    raked = cal.rake(np.array([0.0, 5, 5, 5]), margins([4, 6], [3, 7]))
    assert raked.value == pytest.approx([0, 4, 3, 3])


@pytest.mark.parametrize("kind", ["official", "map"])
def test_errors_of_raking_are_those_of_drawing_anew(kind):
    rng = np.random.default_rng(21)
    m = rng.uniform(50, 150, 6)
    rows, columns = np.array([320.0, 380.0]), np.array([200.0, 240.0, 260.0])
    # Official errors must be of figures that can contradict only by chance: rows alone are drawn here.
    constraints = margins(rows, columns, se=0.0)
    free = [c for c in constraints if c.margin == "region"] if kind == "official" else constraints
    t_se = 4.0 if kind == "official" else 0.0
    m_se = np.zeros(6) if kind == "official" else 0.02 * m
    free = [c._replace(se=t_se) for c in free]
    raked = cal.rake(m, free)
    spread = cal.variance(m, raked, m_se, np.eye(6))
    drawn = []
    for _ in range(4000):
        shifted = [c._replace(value=c.value + t_se * rng.standard_normal()) for c in free]
        drawn.append(cal.rake(m + m_se * rng.standard_normal(6), shifted).value)
    total = spread.official + spread.map
    assert np.sqrt(total) == pytest.approx(np.std(drawn, axis=0), rel=0.06)
    assert (spread.map if kind == "official" else spread.official) == pytest.approx(np.zeros(6), abs=1e-12)


def test_the_linearisation_is_the_derivative():
    rng = np.random.default_rng(4)
    m = rng.uniform(50, 150, 12)
    constraints = margins([300, 420, 380], [250, 260, 290, 300], se=0.0)
    raked = cal.rake(m, constraints)
    for cell in range(12):
        se = np.zeros(12)
        se[cell] = 1.0  # with one uncertain cell the standard error is |∂x/∂m|
        step = 1e-4 * m[cell]
        up, down = (cal.rake(m + s * (np.arange(12) == cell) * step, constraints).value for s in (1, -1))
        got = np.sqrt(cal.variance(m, raked, se, np.eye(12)).map)
        assert got == pytest.approx(np.abs(up - down) / (2 * step), abs=1e-5)


def test_calibrated_margins_have_the_official_error():
    rng = np.random.default_rng(2)
    m = rng.uniform(1, 9, 6)
    regions = [c for c in margins([12.0, 21.0], [1, 1, 1]) if c.margin == "region"]
    raked = cal.rake(m, [c._replace(se=s) for c, s in zip(regions, (0.5, 2.0), strict=True)])
    spread = cal.variance(m, raked, np.full(6, np.nan), np.kron(np.eye(2), np.ones(3)))
    assert np.sqrt(spread.official) == pytest.approx([0.5, 2.0])
    assert spread.map == pytest.approx([0, 0])  # known, though no cell's error is


def test_an_account_is_raked_over_regions_and_forest_types():
    a = account([[10, 20, 30], [40, 50, 60]], ("0101", "0102"))
    officials = [
        *(Official(r, "stock_volume", v, "m3", "forest", se=1.0) for r, v in (("0101", 70), ("0102", 140))),
        *(
            Official("total", "stock_volume", v, "m3", "forest", t, se=1.0)
            for t, v in zip(TYPES, (60, 65, 85), strict=True)
        ),
    ]
    found = cal.calibrate(a, officials, total=True)
    t = found.table.set_index(["region_id", "forest_type"])
    for r, v in (("0101", 70), ("0102", 140)):
        assert t.loc[(r, "all"), "calibrated"] == pytest.approx(v, rel=1e-9)
        assert t.loc[(r, list(TYPES)), "calibrated"].sum() == pytest.approx(v, rel=1e-9)
    for name, v in zip(TYPES, (60, 65, 85), strict=True):
        assert t.loc[("total", name), "calibrated"] == pytest.approx(v, rel=1e-9)
        assert t.loc[("total", name), "official"] == v
    assert t.loc[("total", "all"), "calibrated"] == pytest.approx(210, rel=1e-9)
    assert (t["residual"] == t["calibrated"] - t["raw"]).all()
    assert t.loc[("0101", "mixed"), "calibrated_by"] == "forest_type+region"
    by_region = cal.calibrate(a, officials, ["region"]).table
    assert by_region["calibrated"].tolist() == pytest.approx([70, 140])


# ------------------------------------------------------------------------------------------ contradictions


def test_margins_that_contradict_are_refused_with_how_much():
    with pytest.raises(
        InputError, match=r"by region sum to 100 and those by forest_type to 103, \+3 % \(allowed: 0.1 %\)"
    ):
        cal.rake(np.ones(4), margins([40, 60], [50, 53]))


def test_rounding_between_margins_is_scaled_away_and_said():
    raked = cal.rake(np.array([1.0, 2, 3, 4]), margins([40, 60], [50, 50.02]))
    assert raked.value.reshape(2, 2).sum(0) == pytest.approx([50 / 1.0002, 50.02 / 1.0002])
    assert "scaled to 100" in raked.notes[0]


def test_margins_that_no_values_can_meet_are_refused():
    # Type 0 is 90 of 100 but the map has it only in a region of 40.
    with pytest.raises(InputError, match="no values meet all official figures at once"):
        cal.rake(np.array([1.0, 1, 0, 1]), margins([40, 60], [90, 10]))


def test_an_official_figure_where_the_map_has_nothing():
    with pytest.raises(InputError, match="the map has nothing there to scale"):
        cal.rake(np.array([0.0, 0, 1, 1]), margins([40, 60], [50, 50]))
    a = account([[0], [300]], ("01", "02"), ("mixed",))
    found = cal.calibrate(a, [Official(r, "stock_volume", 5.0, "m3", "forest") for r in ("01", "02")])
    assert np.isnan(found.table.set_index("region_id").loc["01", "calibrated"])
    assert any("the map has none to scale" in w for w in found.warnings)


def test_two_levels_in_one_margin_are_refused():
    a = account([[100], [300]], ("440103", "440104"), ("mixed",))
    both = [Official(r, "stock_volume", 5.0, "m3", "forest") for r in ("440000", "440103")]
    with pytest.raises(InputError, match="440000 and 440103 overlap"):
        cal.calibrate(a, both)


def test_a_negative_flux_is_not_scaled():
    with pytest.raises(InputError, match="can be negative"):
        cal.rake(np.array([-1.0, 2.0]), [Constraint("region", "r", np.array([0, 1]), 3.0)])


def test_a_factor_that_speaks_of_another_unit_is_warned_of():
    a = account([[100]], ("01",), ("mixed",))
    assert (
        "another definition, year or unit"
        in cal.calibrate(a, [Official("01", "stock_volume", 900.0, "m3", "forest")]).warnings[0]
    )


# ------------------------------------------------------------------------------------------ China's statistics


def nfi9(column, quantity, unit):
    rows = [r for r in records("official_provinces") if r["inventory"].lower() == "nfi9"]
    return [Official(r["adcode"], quantity, float(r[column]), unit, "forest") for r in rows]


def test_volumes_of_provinces_add_up_to_the_nation_and_areas_do_not():
    nation = next(r for r in records("official_national") if r["scope"] == "china_mainland" and r["source"] == "nfi9")
    volumes = cal.official_sum(nfi9("forest_stock_m3", "stock_volume", "m3"))
    assert volumes.value == float(nation["stock_m3"]) == 17_058_195_900
    areas = nfi9("forest_area_ha", "area", "ha")
    assert len(areas) == 31
    assert sum(o.value for o in areas) == pytest.approx(1.1065 * float(nation["forest_area_ha"]), rel=1e-4)
    with pytest.raises(InputError) as refused:
        cal.official_sum(areas)
    for words in (
        "110000, 120000…",
        "must not be summed",
        "241.45 against 218.22 million ha",
        "+10.6 %",
        "volumes do (17.058",
    ):
        assert words in str(refused.value)


def test_the_guard_knows_provinces_by_code_or_by_mark():
    area = [Official(r, "area", 1e6, "ha", "forest") for r in ("44", "450000")]
    with pytest.raises(InputError, match="must not be summed"):
        cal.refuse_area_sum(area)
    cal.refuse_area_sum(area[:1])  # one is no sum
    cal.refuse_area_sum([Official(r, "area", 1e6, "ha", "forest") for r in ("440103", "440104")])  # counties
    cal.refuse_area_sum([Official(r, "area", 1e6, "ha", "cropland") for r in ("44", "45")])
    marked = [Official(r, "area", 1e6, "ha", "forest", basis=cal.PROVINCIAL_AREA) for r in ("广东", "广西")]
    with pytest.raises(InputError, match="must not be summed"):
        cal.official_sum(marked)


def test_a_national_area_is_never_made_from_provinces():
    a = account([[100], [300]], ("440000", "450000"), ("mixed",))
    areas = [Official(r, "area", v, "ha", "forest") for r, v in (("440000", 2.0), ("450000", 4.0))]
    found = cal.calibrate(a, areas)
    assert found.table["calibrated"].tolist() == [2.0, 4.0]
    assert any("do not add up" in n for n in found.notes)
    for extra in ({"total": True}, {"officials": [*areas, Official("total", "area", 5.0, "ha", "forest")]}):
        with pytest.raises(InputError, match="must not be summed"):
            cal.calibrate(a, **{"officials": areas, **extra})
    volumes = [Official(r, "stock_volume", v, "m3", "forest") for r, v in (("440000", 150.0), ("450000", 250.0))]
    assert cal.calibrate(a, volumes, total=True).table.set_index("region_id").loc["total", "calibrated"] == 400


# ------------------------------------------------------------------------------------------ the file


def test_a_table_of_official_figures():
    text = "﻿region_id,forest_type,quantity,value,unit,se\n0101,,stock_volume,1.5,万立方米,0.1\n0101,mixed,area,15,万亩,\n0102,,carbon_total,2,Tg C,\n"
    volume, area, carbon = cal.read_official(text, "o.csv")
    assert (volume.value, volume.se, volume.unit, volume.ecosystem) == (15_000, 1000, "m3", "forest")
    assert (area.value, area.forest_type, area.ecosystem, area.margin) == (
        pytest.approx(1e4),
        "mixed",
        "forest",
        "region_forest_type",
    )
    assert (carbon.value, carbon.ecosystem, carbon.margin) == (2e6, "all", "region")
    assert np.isnan(area.se)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("01,stock_volum,1,m3,", "line 2: unknown quantity 'stock_volum'; did you mean 'stock_volume'"),
        ("01,stock_volume,1,ha,", "unit 'ha' does not fit stock_volume; use one of m3"),
        ("01,carbon_total,1,Mg CO2,", "unit 'Mg CO2' does not fit carbon_total"),
        ("01,stock_volume,many,m3,", "the value 'many' is not a number"),
        ("01,stock_volume,-1,m3,", "not a number of zero or more"),
        ("01,stock_volume,1,m3,-2", "the standard error is -2"),
        (",stock_volume,1,m3,", "no region_id"),
        (
            "01,stock_volume,1,m3,\n01,stock_volume,2,m3,",
            "line 3: gives 01, forest, all, stock_volume again, after o.csv, line 2",
        ),
    ],
)
def test_a_bad_row_is_named(row, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        cal.read_official(f"region_id,quantity,value,unit,se\n{row}\n", "o.csv")


def test_bad_requests_are_refused():
    a = account([[1]], ("01",), ("mixed",))
    one = [Official("01", "stock_volume", 1.0, "m3", "forest", where="o.csv, line 2")]
    with pytest.raises(InputError, match="unknown margin 'county'"):
        cal.calibrate(a, one, ["county"])
    with pytest.raises(InputError, match="no figures by forest_type"):
        cal.calibrate(a, one, ["region", "forest_type"])
    with pytest.raises(InputError, match="region '99' is not in this account; its regions are 01"):
        cal.calibrate(a, [Official("99", "stock_volume", 1.0, "m3", "forest", where="o.csv, line 2")])
    with pytest.raises(InputError, match="no carbon_soil of 'all'"):
        cal.calibrate(a, [Official("01", "carbon_soil", 1.0, "Mg C")])
    with pytest.raises(InputError, match="lacks the column"):
        cal.read_official("region_id,value\n", "o.csv")


@pytest.mark.parametrize(
    ("code", "found"),
    [("total", [0, 1, 2, 3]), ("440103", [0]), ("440100", [0, 1]), ("44", [0, 1, 2]), ("440000", [0, 1, 2]), ("450000", [3]),
     ("999999", []), ("甲", [])],
)  # fmt: skip
def test_codes_nest_as_the_standard_has_it(code, found):
    assert cal.members(code, ["440103", "440104", "440203", "450000"]) == found


def test_thousands_of_counties_are_quick():
    m = np.random.default_rng(0).gamma(2, 50, (3000, 5))
    at = np.arange(m.size).reshape(m.shape)
    constraints = [Constraint("region", str(k), at[k], float(m[k].sum() * 1.1), 1.0) for k in range(3000)]
    raked = cal.rake(m.ravel(), constraints)
    assert raked.steps <= 3
    spread = cal.variance(m.ravel(), raked, 0.1 * m.ravel(), sparse.eye_array(m.size, format="csr"))
    assert np.sqrt(spread.official) == pytest.approx((m / m.sum(1, keepdims=True)).ravel())
    assert (spread.map > 0).all()
