"""Published worked examples of forest carbon, each with its source in its name."""

import numpy as np
import pytest

from sinks import biomass
from sinks.coverage import coverage_percent
from sinks.deadmatter import altitude_class, altitude_labels, rain_class, rain_labels
from sinks.ecosystems import forest
from sinks.growingstock import bcef_curve
from sinks.parameters import parameter_set, records, table
from sinks.plug import Cover, Options, Stratum
from sinks.units import C_TO_CO2


def resolved(
    name="ipcc", forest_type="broadleaf", climate="warm_temperate_moist", kind="agb", options=None, present=(), **where
):
    stratum = Stratum(Cover("forest", forest_type), climate=climate, present=frozenset({kind, *present}), **where)
    return forest.coefficients(stratum, parameter_set(name), options or Options(biomass=kind))


# ---------------------------------------------------------------------------- 4: Tianshan spruce, Xu W.Q. et al. 2016


def test_example_4_xu_2016_tianshan_spruce_roots_of_table_4_4_are_7_8_percent_below_the_measured():
    c = resolved(forest_type="picea_abies", climate="cool_temperate_dry", ecozone="temperate_mountain_system")
    measured = 39.79
    found = float(146.19 * forest.roots_per_shoot(146.19, c))
    assert found == pytest.approx(36.69, abs=0.005)
    assert found / measured - 1 == pytest.approx(-0.078, abs=5e-4)
    assert measured / 146.19 == pytest.approx(0.2722, abs=5e-5)


def test_example_4_xu_2016_tianshan_spruce_stock_is_the_sum_over_age_groups():
    area = np.array([2.30, 10.02, 12.58, 20.62, 7.32])  # 1e4 ha
    density = np.array([69.12, 99.82, 96.29, 112.53, 85.12])  # Mg C ha-1
    soil = np.array([452.0] * 5)
    c = resolved(kind="agc", present=("soc",))
    found = forest.equations({"agc": density, "soc": soil}, c)
    by_group = area * found["carbon_agb"] / 100  # Tg
    np.testing.assert_allclose(by_group, [1.59, 10.01, 12.12, 23.20, 6.23], atol=0.02)
    assert by_group.sum() == pytest.approx(53.14, abs=0.02)
    np.testing.assert_array_equal(found["carbon_soil"], soil)


# ---------------------------------------------------------------------------- 5: Zhejiang, Li Y. et al. 2016

ZHEJIANG = np.array([
    (24, 17.57, 86.37), (167, 46.04, 155.83), (216, 19.15, 147.61), (240, 47.95, 98.30), (671, 23.08, 115.92),
    (744, 30.91, 81.09), (1366, 29.42, 71.66), (2030, 23.38, 109.19), (3520, 29.42, 84.64), (5676, 28.15, 90.81),
    (8116, 21.61, 80.40), (8209, 21.72, 98.96), (8834, 23.78, 71.63), (10028, 25.10, 106.24),
])  # fmt: skip
"""Area [100 ha], carbon of trees and of soil to 100 cm [Mg C ha⁻¹] by forest type."""


def test_example_5_li_2016_zhejiang_pools_are_area_times_density():
    area, trees, soil = ZHEJIANG.T
    c = resolved("china", kind="agc", present=("soc",))
    found = forest.equations({"agc": trees, "soc": soil}, c)
    assert area.sum() == 49_841
    assert (area * found["carbon_agb"]).sum() * 100 / 1e6 == pytest.approx(122.869, abs=5e-4)
    assert (area * found["carbon_soil"]).sum() * 100 / 1e6 == pytest.approx(451.764, abs=5e-4)
    assert (area * found["carbon_agb"]).sum() / area.sum() == pytest.approx(24.65, abs=5e-3)
    assert found["carbon_agb"].mean() != pytest.approx(24.65, abs=0.5)  # types are not weighted alike


# ---------------------------------------------------------------------------- 10, 11: inventories


@pytest.mark.parametrize(
    ("year", "mha", "stock", "agb", "bgb", "ratio", "per_ha"),
    [
        ("1990", 157.14059, 10_482.66, 51.64, 13.43, 0.7741, 66.709),
        ("2000", 177.00055, 12_347.82, 54.54, 14.30, 0.7818, 69.761),
        ("2010", 200.61038, 14_961.44, 55.72, 14.31, 0.7471, 74.580),
        ("2015", 210.29425, 17_177.00, 60.75, 15.51, 0.7437, 81.681),
        ("2020", 219.97818, 19_190.62, 64.72, 16.43, 0.7419, 87.239),
    ],
)
def test_example_10_fao_fra_2020_china_biomass_per_growing_stock(year, mha, stock, agb, bgb, ratio, per_ha):
    assert stock / mha == pytest.approx(per_ha, abs=5e-4)
    assert agb * mha / stock == pytest.approx(ratio, abs=5e-5)
    row = table("volume_ratio").matches("agb_per_volume", {"scheme": "fra2020", "region": "china", "year": year})
    assert row[0].coefficient.value == pytest.approx(ratio, abs=5e-4)
    if year == "2020":
        roots = table("root_shoot").matches("root_shoot", {"scheme": "fra2020_china", "ecosystem": "forest"})
        assert roots[0].coefficient.value == pytest.approx(bgb / agb, abs=5e-4)


def test_example_10_fao_fra_2020_china_holds_8_724_million_tonnes_of_live_carbon():
    fractions = {
        part: table("carbon_fraction")
        .matches("carbon_fraction", {"scheme": "fra2020_china", "ecosystem": "forest", "component": part})[0]
        .coefficient.value
        for part in ("agb", "bgb")
    }
    live = biomass.carbon(64.72, fractions["agb"]) + biomass.carbon(16.43, fractions["bgb"])
    assert live * 219.97818 == pytest.approx(8_724.3, rel=1e-3)


def test_example_11_ninth_inventory_of_china_is_consistent():
    assert coverage_percent(220.4462e6, 960.13e6) == pytest.approx(22.96, abs=5e-3)
    nation = next(r for r in records("official_national") if r["scope"] == "china" and r["year"] == "2018")
    assert float(nation["stock_m3"]) / float(nation["standing_stock_m3"]) == pytest.approx(0.9239, abs=5e-5)
    row = table("carbon_fraction").matches("carbon_fraction", {"scheme": "nfi9", "ecosystem": "forest"})[0]
    assert row.coefficient.value == pytest.approx(9.186 / 18.802, abs=5e-5)
    mainland = next(r for r in records("official_national") if r["scope"] == "china_mainland")
    assert float(mainland["stock_m3"]) / 179.8885e6 == pytest.approx(94.83, abs=5e-3)


# ---------------------------------------------------------------------------- 12: IPCC Tier 1 clearing


def test_example_12_ipcc_tier_1_clearing_loses_555_60_t_co2_by_equation_2_14():
    loss = biomass.disturbance_loss(1.0, 260.0, 0.24, 0.47, 1.0)
    assert loss * C_TO_CO2 == pytest.approx(555.602667)


# ---------------------------------------------------------------------------- 13: Harris et al. 2021, unit tests


@pytest.mark.parametrize(
    ("ecozone", "climate", "elevation", "rain", "agb", "deadwood", "litter"),
    [
        ("tropical_rainforest", "tropical_wet", 1, 1, 1, 0.0094, 0.0148),
        ("tropical_rainforest", "tropical_wet", 1, 1600, 100, 0.47, 0.37),
        ("tropical_rainforest", "tropical_wet", 1, 1601, 100, 2.82, 0.37),
        ("tropical_rainforest", "tropical_wet", 2000, 1601, 100, 2.82, 0.37),
        ("tropical_rainforest", "tropical_wet", 2001, 1, 100, 3.29, 0.37),
        ("subtropical_humid_forest", "warm_temperate_moist", 1, 1600, 100, 0.47, 0.37),
        ("temperate_continental_forest", "cool_temperate_moist", 1, 1, 100, 3.76, 1.48),
        ("boreal_coniferous_forest", "boreal_moist", 1, 1, 100, 3.76, 1.48),
        ("tropical_rainforest", "tropical_wet", 1, 1, 0, 0, 0),
    ],
)
def test_example_13_harris_2021_dead_wood_and_litter_by_altitude_and_rain(
    ecozone, climate, elevation, rain, agb, deadwood, litter
):
    where = {
        "altitude": altitude_labels()[altitude_class(elevation) - 1],
        "rain": rain_labels()[rain_class(rain) - 1],
        "ecozone": ecozone,
    }
    found = forest.equations({"agb": agb}, resolved(climate=climate, **where))
    assert found["carbon_deadwood"] == pytest.approx(deadwood)
    assert found["carbon_litter"] == pytest.approx(litter)


def test_example_13_classes_own_their_upper_edge_and_nan_is_unknown():
    assert altitude_labels() == ("le2000", "gt2000")
    assert rain_labels() == ("le1000", "1000_1600", "gt1600")
    np.testing.assert_array_equal(rain_class([0, 1000, 1000.1, 1600, 1600.1, np.nan]), [1, 1, 2, 2, 3, 0])
    np.testing.assert_array_equal(altitude_class(np.float32([-154, 2000, 2000.5, np.nan])), [1, 1, 2, 0])


@pytest.mark.parametrize("ecozone", ["", *(row["key"] for row in records("ecozones"))])
def test_altitude_and_rain_decide_only_where_the_domain_is_tropical_or_subtropical(ecozone):
    for row in records("climate_zones"):
        for altitude in ("", *altitude_labels()):
            for rain in ("", *rain_labels()):
                c = resolved(climate=row["key"], ecozone=ecozone, altitude=altitude, rain=rain)
                pair = (c["deadwood_ratio"], c["litter_ratio"])
                domain = forest.ecozone_of(ecozone)["climate_domain"] if ecozone else row["climate_domain"]
                if domain == "temperate_boreal":
                    assert pair == (0.08, 0.04)
                elif altitude == "gt2000":
                    assert pair == (0.07, 0.01)
                elif rain:
                    assert pair == {"le1000": (0.02, 0.04), "1000_1600": (0.01, 0.01), "gt1600": (0.06, 0.01)}[rain]


# ---------------------------------------------------------------------------- 14: BCEF


@pytest.mark.parametrize(
    ("zone", "kind", "volume", "bcef_i", "bcef_r", "bcef_s"),
    [
        ("temperate", "hardwoods", 70, 0.90, 1.55, 1.40),
        ("boreal", "firs_and_spruces", 35, 0.47, 0.73, 0.66),
        ("mediterranean_dry_tropical_subtropical", "hardwoods", 60, 0.55, 0.89, 0.80),
    ],
)
def test_example_14_ipcc_2006_table_4_5(zone, kind, volume, bcef_i, bcef_r, bcef_s):
    keys = {"scheme": "ipcc_2006", "bcef_zone": zone, "bcef_type": kind}
    for name, expected in (("bcef_i", bcef_i), ("bcef_r", bcef_r), ("bcef_s", bcef_s)):
        rows = table("bcef").matches(name, keys)
        inside = [r for r in rows if float(r.keys["volume_min"]) < volume <= float(r.keys["volume_max"])]
        assert [r.coefficient.value for r in inside] == [expected]


def test_example_14_fao_fra_calculator_subtropical_broadleaf_by_class():
    keys = {
        "scheme": "ipcc_2006", "bcef_zone": "mediterranean_dry_tropical_subtropical", "bcef_type": "hardwoods",
    }  # fmt: skip
    rows = sorted(table("bcef").matches("bcef_s", keys), key=lambda r: float(r.keys["volume_min"]))
    assert [(float(r.keys["volume_min"]), r.coefficient.value) for r in rows] == [
        (0, 5),
        (20, 1.9),
        (40, 0.8),
        (80, 0.66),
    ]
    edges = [(float(r.keys["volume_min"]), float(r.keys["volume_max"])) for r in rows]
    curve = bcef_curve(*zip(*edges, strict=True), [r.coefficient.value for r in rows])
    assert float(curve.volume_of(curve.agb[-1])) == pytest.approx(curve.volume[-1])


# ---------------------------------------------------------------------------- 18: pairs of area and coverage


@pytest.mark.parametrize(
    ("province", "mha", "percent", "land"),
    [
        ("Shanxi", 3.21, 20.50, 15.66), ("Liaoning", 5.72, 39.24, 14.58), ("Heilongjiang", 19.90, 43.78, 45.45),
        ("Guangxi", 14.30, 60.17, 23.77), ("Guizhou", 7.71, 43.77, 17.61), ("Inner Mongolia", 24.879, 21.0, 118.47),
    ],
)  # fmt: skip
def test_example_18_bulletins_of_2014_and_2015_imply_the_land_area_of_the_table(province, mha, percent, land):
    assert mha / percent * 100 == pytest.approx(land, abs=0.01)
    official = next(float(r["land_area_ha"]) for r in records("official_provinces") if r["name_en"] == province)
    assert land * 1e6 == pytest.approx(official, rel=0.01)


def test_example_18_zhao_2018_guangdong_area_is_not_its_forest_area():
    official = next(float(r["land_area_ha"]) for r in records("official_provinces") if r["name_en"] == "Guangdong")
    printed = 10.8279e6
    assert printed / 0.5869 == pytest.approx(18.45e6, abs=5e3)
    assert printed / 0.5869 / official - 1 > 0.02
    assert coverage_percent(printed, official) > 60
