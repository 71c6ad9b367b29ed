"""Published figures of the biomass ↔ volume routes, and the properties that make them safe to invert."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.ecosystems.forest import forest_types
from sinks.growingstock import bcef_curve, biomass_by_cbef, volume_by_cbef, volume_by_wood_density
from sinks.parameters import parameter_set

IPCC = parameter_set("ipcc")
ZONES = {
    "boreal": ("pines", "larch", "firs_and_spruces", "hardwoods"),
    "temperate": ("hardwoods", "pines", "other_conifers"),
    "mediterranean_dry_tropical_subtropical": ("hardwoods", "conifers"),
    "humid_tropical": ("conifers", "natural_forests"),
}
EVERY = [(zone, kind) for zone, kinds in ZONES.items() for kind in kinds]


def curve(zone, kind):
    rows = IPCC.rows("bcef", "bcef_s", bcef_zone=zone, bcef_type=kind)
    low, high = ([float(r.keys[k]) for r in rows] for k in ("volume_min", "volume_max"))
    return bcef_curve(low, high, [r.coefficient.value for r in rows])


@pytest.mark.parametrize(
    ("kind", "agb", "volume"),
    [("pines", 80, 111.905), ("hardwoods", 60, 37.660), ("hardwoods", 120, 99.580), ("hardwoods", 300, 375.0)],
)
def test_ipcc_2006_table_4_5_inverted_on_the_monotone_curve(kind, agb, volume):
    assert float(curve("temperate", kind).volume_of(agb)) == pytest.approx(volume, abs=5e-4)


@pytest.mark.parametrize(("zone", "kind"), EVERY)
def test_round_trip_is_identity_at_all_nodes_that_are_not_flat(zone, kind):
    c = curve(zone, kind)
    for k, volume in enumerate(c.volume):
        if k and c.agb[k] == c.agb[k - 1]:
            continue  # on a flat part a biomass has several volumes; the lowest is returned
        assert float(c.volume_of(float(c.agb_of(volume)))) == pytest.approx(volume, rel=1e-12)


def test_flat_part_of_the_subtropical_hardwood_curve_returns_its_lowest_volume():
    c = curve("mediterranean_dry_tropical_subtropical", "hardwoods")
    assert c.agb[2] == c.agb[3] == pytest.approx(52.5)  # raw 57 and 48 pooled
    assert float(c.volume_of(52.5)) == pytest.approx(30.0)


@given(st.floats(0, 2000), st.floats(0, 2000), st.sampled_from(EVERY))
def test_more_biomass_never_means_less_volume(a, b, where):
    c = curve(*where)
    low, high = sorted((a, b))
    assert c.volume_of(low) <= c.volume_of(high)
    assert c.volume_of(0.0) == 0


def test_fang_chinese_fir_biomass_at_100_m3():
    # Fang et al.: 0.4652 x 100 + 19.141 = 65.66 t/ha
    assert float(biomass_by_cbef(100.0, 0.4652, 19.141, 20)) == pytest.approx(65.661)


@pytest.mark.parametrize(("agb", "volume"), [(15, 12.972), (60, 117.496), (120, 276.137)])
def test_cunninghamia_inverted_with_roots(agb, volume):
    # a 0.4652, b 19.141, R 0.23: AGB 15 is below the chord's foot of 28.445 t/ha
    assert float(volume_by_cbef(agb * 1.23, 0.4652, 19.141, 20)) == pytest.approx(volume, abs=5e-4)


def test_xu_2016_tianshan_spruce_biomass_by_age_group():
    # Xu W.Q. et al. 2016, Table 5: B = 0.4642 V + 47.4990 of each age group, and their unweighted mean 147.8
    volume = np.array([125.217, 171.557, 215.580, 240.107, 327.869])
    biomass = biomass_by_cbef(volume, 0.4642, 47.4990, 20)
    assert biomass == pytest.approx([105.62, 127.14, 147.57, 158.96, 199.70], abs=0.01)
    area = np.array([2.30, 10.02, 12.58, 20.62, 7.32])
    assert biomass.mean() == pytest.approx(147.797, abs=0.005)
    assert np.average(biomass, weights=area) == pytest.approx(153.53, abs=0.005)


def test_zhang_2018_shandong_poplar_inverse():
    # 28.14 Mg C/ha at CF 0.5 is B 56.28: V = (56.28 - 11.462) / 0.6251 = 71.70 m3/ha
    assert float(volume_by_cbef(56.28, 0.6251, 11.462, 20)) == pytest.approx(71.70, abs=0.005)


@given(st.floats(0, 1000), st.floats(0.3, 1.5), st.floats(0, 90))
def test_cbef_round_trip_and_origin(volume, a, b):
    there = biomass_by_cbef(volume, a, b, 20.0)
    assert float(volume_by_cbef(there, a, b, 20.0)) == pytest.approx(volume, rel=1e-9, abs=1e-9)
    assert float(volume_by_cbef(0.0, a, b, 20.0)) == 0


def test_wood_density_route_is_the_inverse_of_its_definition():
    # 0.5 Mg/m3 x BEF 1.3 x 100 m3 = 65 Mg/ha
    assert volume_by_wood_density(65.0, 0.5, 1.3) == pytest.approx(100.0)


def test_every_forest_type_points_to_rows_that_exist():
    china = parameter_set("china")
    for key, row in forest_types().items():
        for zone in ZONES:
            for kind in filter(None, row[f"bcef_{zone}"].split(";")):
                assert IPCC.has("bcef", "bcef_s", bcef_zone=zone, bcef_type=kind), (key, zone, kind)
        if row["cbef"]:
            schemes = row["cbef_schemes"].split(";") if row["cbef_schemes"] else china.schemes["cbef"]
            found = [
                china.rows("cbef", p, schemes=schemes, forest_type=row["cbef"], biomass_scope="total") for p in "ab"
            ]
            assert all(found), key
