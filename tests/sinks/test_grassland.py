"""Grassland: types of China, a layer of grass biomass, and what the guideline's two tables say."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.ecosystems import grassland
from sinks.errors import InputError
from sinks.parameters import parameter_set, records, table, with_overrides
from sinks.plug import Cover, Options, Stratum
from sinks.strata import compile_stratum

TYPES = tuple(row["key"] for row in records("grassland_types"))
CLIMATES = tuple(row["key"] for row in records("climate_zones"))
TABLE_6_1 = {
    "boreal": 4.0, "cold_temperate_dry": 2.8, "cold_temperate_wet": 4.0, "warm_temperate_dry": 2.8,
    "warm_temperate_wet": 4.0, "tropical_dry": 2.8, "tropical_moist_wet": 1.6,
}  # fmt: skip


def found(name="china", climate="cool_temperate_dry", kind="", subclass="", depth=100, **layers):
    stratum = Stratum(Cover("grassland", "", subclass), climate, grassland=kind, present=frozenset(layers))
    c = grassland.coefficients(stratum, parameter_set(name), Options(soil_depth_cm=depth))
    return {k: float(v) for k, v in grassland.equations(layers, c).items()}


# ---------------------------------------------------------------------------- published numbers


@pytest.mark.parametrize(
    ("kind", "mha", "ecosystem", "pg"),
    [
        ("meadow_steppe", 19.2, 9.823, 1.883), ("semi_arid_steppe", 63.6, 7.348, 4.672),
        ("arid_desert_mountain_steppe", 76.8, 8.139, 6.250), ("alpine", 153.8, 9.683, 14.890),
        ("warm_temperate_tussock", 9.7, 7.351, 0.716), ("tropical_tussock", 32.0, 9.639, 3.083),
    ],
)  # fmt: skip
def test_w15_ma_2016_table_1_area_times_density_is_the_published_stock_of_each_type(kind, mha, ecosystem, pg):
    pools = found(kind=kind)
    density = sum(pools.values())  # above and below ground and soil, Mg C ha-1
    assert density / 10 == pytest.approx(ecosystem, abs=2e-3)
    assert density * mha / 1e3 == pytest.approx(pg, abs=4e-3)
    assert next(float(r["area_mha"]) for r in records("grassland_types") if r["key"] == kind) == mha


def test_w15_ma_2016_all_types_hold_31_494_pg_and_8_870_kg_per_m2_by_area_never_8_664():
    area = np.array([float(r["area_mha"]) for r in records("grassland_types")])
    density = np.array([sum(found(kind=kind).values()) for kind in TYPES])
    assert (area * density).sum() / 1e3 == pytest.approx(31.494, abs=0.01)  # areas are printed to 0.1 Mha
    assert (area * density).sum() / area.sum() / 10 == pytest.approx(8.870, abs=2e-3)
    assert density.mean() / 10 == pytest.approx(8.664, abs=2e-3)  # what the paper prints: the types weighted alike
    unknown = found()
    assert sum(unknown.values()) / 10 == pytest.approx(8.870, abs=2e-3)


@pytest.mark.parametrize(
    ("g_per_m2", "km2", "tg", "rel"), [(41.8 + 246.0, 185e4, 536.1, 0.01), (43.5, 334.1e4, 145.4, 0.001)]
)
def test_w15_fang_2008_and_piao_2007_stocks_are_density_times_area(g_per_m2, km2, tg, rel):
    assert g_per_m2 * km2 / 1e6 == pytest.approx(tg, rel=rel)


def test_the_subclass_of_the_legend_says_the_type_where_no_layer_does():
    assert found(subclass="alpine") == found(kind="alpine") != found()
    assert found(subclass="planted") == found()


@pytest.mark.parametrize(("climate", "group"), [(r["key"], r["grass_climate"]) for r in records("climate_zones")])
def test_grass_biomass_with_roots_of_ipcc_2006_table_6_1(climate, group):
    pools = found("ipcc", climate, depth=30, grass_agb=2.0)
    assert pools["carbon_agb"] == pytest.approx(0.94)
    assert pools["carbon_bgb"] == pytest.approx(0.94 * TABLE_6_1[group])


def test_ipcc_tables_6_1_and_6_4_disagree_in_the_cold_temperate_wet_zone():
    table_6_4 = found("ipcc", "cool_temperate_moist", depth=30)
    table_6_1 = found("ipcc", "cool_temperate_moist", depth=30, grass_agb=2.4)
    assert (table_6_4["carbon_agb"] + table_6_4["carbon_bgb"]) / 0.47 == pytest.approx(13.6)
    assert (table_6_1["carbon_agb"] + table_6_1["carbon_bgb"]) / 0.47 == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("kind", "ratio"),
    [
        ("", 6.0), ("meadow_steppe", 3.93), ("semi_arid_steppe", 5.85), ("arid_desert_mountain_steppe", 4.60),
        ("alpine", 9.04), ("warm_temperate_tussock", 4.79), ("tropical_tussock", 4.37),
    ],
)  # fmt: skip
def test_roots_of_wang_2014_and_of_the_types_of_ma_2016(kind, ratio):
    pools = found(kind=kind, grass_agb=1.0)
    assert pools["carbon_bgb"] / pools["carbon_agb"] == pytest.approx(ratio, abs=5e-3)


def test_dead_turf_is_capped_at_15():
    text = "topic,ecosystem,parameter,value,unit,source\nroot_shoot,grassland,root_shoot,52.28,Mg (Mg)-1,Fan 2008\n"
    own = with_overrides(parameter_set("china"), text, "own.csv")
    stratum = Stratum(Cover("grassland"), "boreal_dry", present=frozenset({"grass_agb"}))
    c = grassland.coefficients(stratum, own, Options())
    assert c["root_shoot"] == 15
    assert c.values["root_shoot"].status == "design"


# ---------------------------------------------------------------------------- what must hold


def test_types_and_densities_belong_together():
    codes = [int(r["code"]) for r in records("grassland_types")]
    assert codes == list(range(1, 7))
    typed = {r.keys["forest_type"] for r in table("density").rows if r.keys["ecosystem"] == "grassland"}
    assert typed == {"any", *TYPES}
    assert {r.keys["climate"] for r in table("density").rows if r.keys["scheme"] == "ma2016"} == {"any"}


@pytest.mark.parametrize("name", ["ipcc", "china", "china_guide"])
def test_every_type_and_climate_compiles_with_every_layer(name):
    terms = ("agb", "grass_agb", "soc")
    for kind, climate, grass, soil in product(("", *TYPES), CLIMATES, (False, True), (False, True)):
        present = frozenset({"agb", *(["grass_agb"] if grass else []), *(["soc"] if soil else [])})
        stratum = Stratum(Cover("grassland"), climate, grassland=kind, present=present)
        pieces = compile_stratum(stratum, terms, parameter_set(name), Options())
        line = pieces.of("carbon_bgb")[0]
        assert line[1] == 0  # woody biomass says nothing of grass
        assert (line[2] > 0) == grass
        assert (line[0] > 0) == (not grass)


def test_a_grass_layer_without_a_climate_needs_a_ratio_that_does_not_depend_on_it():
    assert found(climate="", grass_agb=1.0)["carbon_bgb"] > 0
    with pytest.raises(InputError, match="no root_shoot for ecosystem=grassland"):
        found("ipcc", "", depth=30, grass_agb=1.0)


@given(
    a=st.floats(0, 50), b=st.floats(0, 50), kind=st.sampled_from(("", *TYPES)), name=st.sampled_from(["ipcc", "china"])
)
def test_more_grass_is_never_less_carbon_and_carbon_is_less_than_biomass(a, b, kind, name):
    low, high = (found(name, kind=kind, grass_agb=x) for x in sorted((a, b)))
    assert low["carbon_agb"] <= high["carbon_agb"]
    assert low["carbon_bgb"] <= high["carbon_bgb"]
    assert high["carbon_agb"] <= max(a, b) / 2


def test_nan_in_is_nan_out():
    pools = found(grass_agb=np.nan)
    assert np.isnan(pools["carbon_agb"])
    assert np.isnan(pools["carbon_bgb"])
    assert np.isfinite(pools["carbon_soil"])
