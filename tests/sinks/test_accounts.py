"""The account: what it says, that parts add up to the whole, and what may not be added."""

import numpy as np
import pandas as pd
import pytest

from sinks import coding, exactsum, onepass
from sinks.accounts import Account, RegionInfo, add_all
from sinks.coding import Coding, Dimension
from sinks.coverage import coverage_percent, coverage_table, forest_areas, forest_definition
from sinks.errors import InputError
from sinks.parameters import parameter_set
from sinks.plug import Cover, Options
from sinks.science import Science
from sinks.sums import Sums

COVERS = (
    coding.NODATA, coding.UNKNOWN, Cover("forest", "broadleaf"), Cover("forest", "bamboo"), Cover("shrubland"),
    Cover("forest", "needleleaf", "open_forest"), Cover("water"), Cover("mangrove"),
)  # fmt: skip
CODING = Coding(COVERS, (Dimension("climate", ("", "warm_temperate_moist")),), ("agb",))
CHINA = parameter_set("china")
CONTEXT = {"parameters": "china", "legend": "made up", "year": 2023}
REGIONS = (RegionInfo("01", "甲", 1000.0, 1010.0, 0.0), RegionInfo("02", "乙"))


def account(rows, context=CONTEXT, regions=REGIONS):
    """rows : (region, cover place, hectares, AGB or None)."""
    codes, values = [], []
    for _, cover, hectares, agb in rows:
        code = ((cover * 2 + 1) << 1) + (agb is not None)
        area = hectares * 1e4
        codes.append(code)
        values.append([area, area * (agb or 0.0), area * (agb or 0.0) ** 2])
    science = Science(CODING, CHINA, Options())
    pieces = [
        int(np.searchsorted(science.pieces(c).edges, r[3] or 0.0, side="left"))
        for c, r in zip(codes, rows, strict=True)
    ]
    sums = Sums(
        np.array([r[0] for r in rows], np.int32), np.array(codes, np.int64), np.array(pieces, np.int16),
        np.ones(len(rows), np.int64), exactsum.from_floats(np.array(values)),
    )  # fmt: skip
    return Account.build(sums, science, regions, context)


ROWS = [(1, 2, 300, 80.0), (1, 3, 50, 60.0), (1, 4, 100, 12.0), (1, 0, 10, None), (1, 6, 40, None), (2, 2, 200, None),
        (2, 1, 5, None), (2, 5, 20, 30.0), (0, 2, 999, 50.0)]  # fmt: skip


def test_totals_are_the_union_of_the_regions_and_leave_out_what_lies_in_none():
    a = account(ROWS)
    assert a.area_ha() == pytest.approx(725)
    assert a.value("area", "01") == pytest.approx(500)
    assert a.value("area", ecosystem="forest", forest_type="broadleaf") == pytest.approx(500)
    assert a.value("area", "outside_regions") == pytest.approx(999)
    # 300 ha x 80 Mg/ha x 0.47 + 50 x 60 x 0.47
    assert a.value("carbon_agb", "01", "forest") == pytest.approx(300 * 80 * 0.47 + 50 * 60 * 0.47)


def test_missing_biomass_is_said_and_open_forest_is_not_forest():
    a = account(ROWS)
    assert a.value("area_without_biomass", "02", "forest") == pytest.approx(200)
    assert a.value("area", "02", "trees_outside_forest") == pytest.approx(20)
    assert np.isnan(a.tidy["se"]).all()


def test_pools_sum_to_the_total_in_every_row_group():
    tidy = account(ROWS).tidy
    wide = tidy.pivot_table(index=["region_id", "ecosystem", "forest_type"], columns="quantity", values="value")
    pools = wide[[c for c in wide if c.startswith("carbon_") and c not in ("carbon_total",)]].sum(axis=1)
    has = wide["carbon_total"].notna()
    assert pools[has].to_numpy() == pytest.approx(wide["carbon_total"][has].to_numpy(), rel=1e-12)


def test_errors_are_told_beside_the_values_that_they_belong_to():
    a = account(ROWS)
    before = a.tidy
    known = {"region_id": ["01", "total"], "ecosystem": ["forest", "all"], "forest_type": ["all", "all"],
             "quantity": ["carbon_agb", "carbon_total"], "se": [3.0, 7.0], "low": [1.0, 2.0], "high": [9.0, 8.0]}  # fmt: skip
    told = a.with_errors(pd.DataFrame(known)).tidy
    there = told[told["se"].notna()].set_index(["region_id", "ecosystem", "forest_type", "quantity"])
    assert there["se"].to_dict() == {
        ("total", "all", "all", "carbon_total"): 7.0,
        ("01", "forest", "all", "carbon_agb"): 3.0,
    }
    assert there.loc[("01", "forest", "all", "carbon_agb"), ["low", "high"]].tolist() == [1.0, 9.0]
    pd.testing.assert_frame_equal(told.iloc[:, :7], before.iloc[:, :7])
    assert before["se"].isna().all()


def test_two_accounts_add_up_to_the_one_of_everything_bit_by_bit():
    whole = account([*ROWS, (1, 2, 0.3, 80.0)])
    one, two, three = account(ROWS[:4]), account(ROWS[4:]), account([(1, 2, 0.3, 80.0)])
    for parts in ([one, two, three], [three, one, two], [two, three, one]):
        added = parts[0] + parts[1] + parts[2]
        left, right = added.tidy, add_all([whole]).tidy
        assert left["value"].to_numpy().tobytes() == right["value"].to_numpy().tobytes()
        assert (left["quantity"] == right["quantity"]).all()


def test_accounts_made_differently_are_not_added():
    with pytest.raises(InputError, match=r"differ in year \(2023 and 2020\)"):
        _ = account(ROWS) + account(ROWS, {**CONTEXT, "year": 2020})


def test_coverage_variants_and_denominators():
    china = forest_definition("china", CHINA)
    table = coverage_table(account(ROWS), china, "made up", 2023).set_index(["region_id", "variant", "denominator"])
    share = table["coverage_percent"]
    assert share["01", "arbor_only", "official"] == pytest.approx(30.0)
    assert share["01", "arbor_bamboo", "official"] == pytest.approx(35.0)
    assert share["01", "inventory_like", "official"] == pytest.approx(39.3)  # and 0.43 of 100 ha of shrubland
    assert share["01", "inventory_like", "mapped"] == pytest.approx(100 * 393 / 490)  # 10 ha without data are left out
    assert share["02", "arbor_only", "mapped"] == pytest.approx(100 * 200 / 225)
    assert table.loc[("01", "inventory_like", "official"), "headline"]
    assert "patch ≥ 0.0667 ha" in table["basis"].iloc[0]
    assert "made up" in table["basis"].iloc[0]


def test_fao_counts_no_shrub_and_leaves_inland_water_out():
    fao = forest_definition("fao", CHINA)
    assert forest_areas({("forest", "mixed"): 5.0, ("shrubland", ""): 9.0}, fao)["fao"] == 5.0
    table = coverage_table(account(ROWS), fao, "m", None).set_index(["region_id", "variant", "denominator"])
    assert table.loc[("01", "fao", "mapped"), "land_area_ha"] == pytest.approx(450)


def test_mangrove_counts_or_not_as_chosen():
    with_, without = (forest_definition("china", CHINA, mangrove_is_forest=m) for m in (True, False))
    areas = {("mangrove", ""): 7.0}
    assert (forest_areas(areas, with_)["arbor_only"], forest_areas(areas, without)["arbor_only"]) == (7.0, 0.0)


@pytest.mark.parametrize(
    ("forest_1e4_ha", "percent", "land_1e4_ha"), [(22044.62, 22.96, 96013), (23066.7, 24.02, 96031)]
)
def test_official_pairs_of_area_and_coverage(forest_1e4_ha, percent, land_1e4_ha):
    # 9th inventory; 2021: 34.6e8 mu = 230.67 Mha. Both imply a land area of about 960 Mha.
    assert coverage_percent(forest_1e4_ha, land_1e4_ha) == pytest.approx(percent, abs=0.005)


def test_bad_definitions_are_refused():
    with pytest.raises(InputError, match="unknown forest definition 'ipcc'"):
        forest_definition("ipcc", CHINA)
    with pytest.raises(InputError, match="a share between 0 and 1"):
        forest_definition("china", CHINA, special_shrub_fraction=43)


def test_the_pass_and_the_account_agree_on_statistics():
    assert onepass.statistics(1) == len(account(ROWS).statistics) == 3
