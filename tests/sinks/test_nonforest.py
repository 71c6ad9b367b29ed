"""Ecosystems other than forest: published densities, what is not estimated, and that every stratum compiles."""

import csv
import io
import math
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from sinks import ecosystems
from sinks.climate import ZONES
from sinks.ecosystems import coast, cropland, plugs
from sinks.ecosystems.forest import TREES_OUTSIDE
from sinks.errors import InputError
from sinks.parameters import SET_NAMES, parameter_set, table, table_text, with_overrides
from sinks.plug import BIOMASS_KINDS, Cover, Options, Stratum
from sinks.quantities import KEYS, POOL_KEYS
from sinks.strata import compile_stratum

OWN_TABLES = ("cropland", "wetland", "coast", "karst", "climate_rules")
NONFOREST = (
    "shrubland", "grassland", "cropland", "inland_wetland", "mangrove", "salt_marsh", "seagrass", "built", "bare",
    "snow_ice", "water",
)  # fmt: skip
SUBCLASSES = {
    "cropland": ("", "paddy", "upland", "perennial"), "salt_marsh": ("", "phragmites", "spartina"),
    "grassland": ("", "planted"), "bare": ("", "tidal_flat"), "shrubland": ("", "special_shrub"),
}  # fmt: skip


def pools(
    ecosystem: str, name: str, depth: int, climate: str = "warm_temperate_moist", subclass: str = "", soil: str = "",
    biomass: str = "agb", coast_soil: str = "table", **layers: float,
) -> dict[str, float]:  # fmt: skip
    """Pools of one pixel by key [Mg C ha⁻¹]; of fluxes see test_coast_fluxes and test_organicsoil."""
    stratum = Stratum(Cover(ecosystem, "", subclass), climate, soil=soil, present=frozenset(layers))
    plug = ecosystems.plug_of(ecosystem)
    options = Options(biomass=biomass, soil_depth_cm=depth, flux_method="none", coast_soil=coast_soil)
    c = plug.coefficients(stratum, parameter_set(name), options)
    return {k: float(v) for k, v in plug.equations(layers, c).items()}


# ---------------------------------------------------------------------------- published numbers


@pytest.mark.parametrize(
    ("subclass", "pg", "mha", "published"), [("paddy", 2.91, 29.87, 97.6), ("upland", 10.07, 125.89, 80.0)]
)
def test_w13_cropland_soil_of_xie_2007_is_stock_over_area(
    subclass: str, pg: float, mha: float, published: float
) -> None:
    found = pools("cropland", "china", 100, subclass=subclass)["carbon_soil"]
    assert found == published
    assert found == pytest.approx(pg * 1e3 / mha, rel=3e-3)


@pytest.mark.parametrize(("ecosystem", "pg", "mha"), [("grassland", 37.71, 278.51), ("forest", 34.23, 249.32)])
def test_w13_soil_densities_of_xie_2007_in_the_table_are_stock_over_area(ecosystem: str, pg: float, mha: float) -> None:
    rows = table("density").matches("soc", {"scheme": "china", "ecosystem": ecosystem, "depth_cm": "100"})
    assert rows[0].coefficient.source == "xie_z2007"
    assert rows[0].coefficient.value == pytest.approx(pg * 1e3 / mha, rel=3e-3)


def test_w13_cropland_of_unknown_kind_is_between_paddy_and_upland_of_xie_2007() -> None:
    found = pools("cropland", "china", 100)["carbon_soil"]
    assert found == pytest.approx((2.91 + 10.07) * 1e3 / (29.87 + 125.89), rel=3e-3)
    assert [pools("cropland", "china", 30, subclass=s)["carbon_soil"] for s in ("", "paddy", "upland")] == [
        37.4, 45.4, 34.7,
    ]  # fmt: skip


def test_w14_mangroves_of_china_alongi_2021_hold_3_9_tg() -> None:
    for climate in ZONES:
        found = pools("mangrove", "china", 100, climate)
        assert sum(found.values()) == pytest.approx(190.96, rel=1e-12)
        assert min(found.values()) > 0
    assert sum(found.values()) * 20303 / 1e6 == pytest.approx(3.877, abs=5e-4)


@pytest.mark.parametrize(("agc", "bgc"), [(12.0, 100.0), (150.2, 318.4)])
def test_w24_mangrove_regression_of_2021(agc: float, bgc: float) -> None:
    found = pools("mangrove", "china", 100, biomass="agc", agc=agc)
    assert found["carbon_agb"] == agc
    assert found["carbon_bgb"] + found["carbon_soil"] == pytest.approx(bgc, abs=0.05)


def test_w24_mangrove_regression_and_total_are_each_other_s_inverse() -> None:
    agc = coast.aboveground_carbon_of_total(190.96, 1.58, 81.06)
    assert agc == pytest.approx(42.597, abs=5e-4)
    assert agc + coast.belowground_carbon(agc, 1.58, 81.06) == pytest.approx(190.96)


def test_w15_grassland_of_ma_2016_is_weighted_by_area() -> None:
    area = np.array([19.2, 63.6, 76.8, 153.8, 9.7, 32.0])
    above = np.array([0.94, 0.59, 0.62, 0.46, 1.21, 1.17])
    below = np.array([3.69, 3.45, 2.85, 4.16, 5.80, 5.11])
    found = pools("grassland", "china", 100)
    assert found["carbon_agb"] == pytest.approx((area * above).sum() / area.sum(), abs=5e-4)
    assert found["carbon_bgb"] == pytest.approx((area * below).sum() / area.sum(), abs=5e-4)
    soil = np.array([93.59, 69.44, 77.92, 92.21, 66.49, 90.12])
    assert found["carbon_soil"] == pytest.approx((area * soil).sum() / area.sum(), abs=5e-4)
    ecosystem = found["carbon_agb"] + found["carbon_bgb"] + found["carbon_soil"]
    assert ecosystem / 10 == pytest.approx(8.870, abs=2e-3)  # kg C m-2; the printed 8.664 weights the regions alike


@pytest.mark.parametrize(
    ("climate", "above", "total"),
    [
        ("boreal_dry", 1.7, 8.5), ("cool_temperate_dry", 1.7, 6.5), ("cool_temperate_moist", 2.4, 13.6),
        ("warm_temperate_dry", 1.6, 6.1), ("warm_temperate_moist", 2.7, 13.5), ("tropical_dry", 2.3, 8.7),
        ("tropical_wet", 6.2, 16.1),
    ],
)  # fmt: skip
def test_grassland_biomass_of_ipcc_2006_table_6_4(climate: str, above: float, total: float) -> None:
    found = pools("grassland", "ipcc", 30, climate)
    assert found["carbon_agb"] == pytest.approx(above * 0.47)
    assert found["carbon_agb"] + found["carbon_bgb"] == pytest.approx(total * 0.47)


def test_w19_wetlands_of_ma_2015_and_xiao_2019_and_zheng_2013() -> None:
    found = pools("inland_wetland", "china", 100)
    assert 4.3e3 / (found["carbon_soil"] / 10) == pytest.approx(138, abs=0.5)  # 4.3 Pg on 13.8 Mha
    area = 16.87e3 / 315.76
    assert area == pytest.approx(53.43, abs=0.005)
    vegetation = found["carbon_agb"] + found["carbon_bgb"]
    assert vegetation == pytest.approx((0.13 + 0.50) / 2 * 1e3 / area, abs=0.01)


def test_w21_ipcc_subtropical_mangrove_on_mineral_soil_363_70() -> None:
    found = pools("mangrove", "ipcc", 100, soil="mineral")
    assert sum(found.values()) == pytest.approx(75 * 0.451 * 1.96 + 10.7 + 0.7 + 286)
    assert sum(found.values()) == pytest.approx(363.70, abs=5e-3)
    assert pools("mangrove", "ipcc", 100, soil="HAC") == found
    assert pools("mangrove", "ipcc", 100)["carbon_soil"] == 386


def test_w21_ipcc_grassland_to_cropland_loses_1_215_a_year() -> None:
    grass = pools("grassland", "ipcc", 30, "cool_temperate_moist")["carbon_soil"]
    crop = pools("cropland", "ipcc", 30, "cool_temperate_moist")["carbon_soil"]
    assert (grass, crop) == pytest.approx((81, 56.7))
    assert (crop - grass) / 20 == pytest.approx(-1.215)


@pytest.mark.parametrize(("climate", "ratio", "agb"), [("tropical_wet", 0.49, 192), ("tropical_dry", 0.29, 92)])
def test_mangrove_roots_of_the_2013_wetlands_supplement_tables_4_3_and_4_5(
    climate: str, ratio: float, agb: float
) -> None:
    found = pools("mangrove", "ipcc", 100, climate)
    assert found["carbon_agb"] == pytest.approx(agb * 0.451)
    assert found["carbon_bgb"] == pytest.approx(agb * 0.451 * ratio)
    found = pools("mangrove", "ipcc", 100, climate, agb=50.0)
    assert (found["carbon_agb"], found["carbon_bgb"]) == pytest.approx((22.55, 22.55 * ratio))


def test_shrub_roots_of_wang_2014_and_ipcc_2006_table_6_1() -> None:
    for name, ratio in (("china", 0.73), ("ipcc", 2.8)):
        found = pools("shrubland", name, 100, agb=10.0)
        assert found["carbon_agb"] == pytest.approx(4.7)
        assert found["carbon_bgb"] == pytest.approx(4.7 * ratio)
        assert pools("shrubland", name, 100, biomass="agc", agc=4.7) == pytest.approx(found)


def test_salt_marsh_soils_of_ipcc_and_chongming() -> None:
    assert pools("salt_marsh", "ipcc", 100) == {"carbon_soil": 255}
    assert pools("salt_marsh", "china", 100)["carbon_soil"] == pytest.approx((57.7 + 49.2 + 25.5) / 3, abs=0.05)
    assert pools("salt_marsh", "china", 100, subclass="phragmites")["carbon_soil"] == 57.7


def test_w25_toy_landscape_counts_each_soil_once() -> None:
    pixels = {
        "grassland": {"soc": 140.0},
        "mangrove": {"biomass": "agc", "agc": 40.0, "coast_soil": "layer", "soc": 286.0},
        "cropland": {"soc": 95.0},
    }
    found = {k: pools(k, "china", 100, **v) for k, v in pixels.items()}  # type: ignore[arg-type]
    assert sum(f["carbon_soil"] for f in found.values()) * 100 == 52_100
    assert found["cropland"]["carbon_agb"] == found["cropland"]["carbon_bgb"] == 0


@pytest.mark.parametrize("ecosystem", ["grassland", "mangrove", "cropland", "shrubland"])
def test_w25_karst_changes_only_the_dissolved_carbon(ecosystem: str) -> None:
    terms = ("agb", "soc", "weathering")
    p, o = parameter_set("china"), Options()
    cover = Cover(ecosystem)
    plain, karst = (
        compile_stratum(Stratum(cover, "warm_temperate_moist", present=frozenset(t)), terms, p, o)
        for t in (terms[:2], terms)
    )
    np.testing.assert_array_equal(plain.lines[:, : len(POOL_KEYS)], karst.lines[:, : len(POOL_KEYS)])
    assert np.isnan(plain.of("sink_weathering")[:, 0]).all()
    assert 100 * (karst.of("sink_weathering") @ [1, 50, 110, 0.139]) == pytest.approx(13.9)


# ---------------------------------------------------------------------------- what is not estimated


def test_depths_are_never_mixed() -> None:
    for ecosystem, name in product(("mangrove", "salt_marsh", "seagrass"), SET_NAMES):
        assert "carbon_soil" not in pools(ecosystem, name, 30)
        assert "carbon_soil" in pools(ecosystem, name, 100)
        assert pools(ecosystem, name, 30, soc=60.0)["carbon_soil"] == 60
    assert "carbon_soil" not in pools("inland_wetland", "ipcc", 100)
    for ecosystem in ("shrubland", "grassland", "cropland", "inland_wetland"):
        assert "carbon_soil" in pools(ecosystem, "ipcc", 30)


def test_a_reference_stock_comes_to_100_cm_by_the_depth_curve_of_jobbagy_and_jackson_2000() -> None:
    # spec 3.3: 46.2 % of a shrubland's, 56.5 % of a grassland's first metre lies in its top 30 cm
    for ecosystem, share in (("shrubland", 0.462), ("grassland", 0.565), ("cropland", 0.565)):
        ratio = pools(ecosystem, "ipcc", 30)["carbon_soil"] / pools(ecosystem, "ipcc", 100)["carbon_soil"]
        assert ratio == pytest.approx(share, abs=5e-4)


@pytest.mark.parametrize("name", SET_NAMES)
def test_other_land_has_the_soil_of_a_layer_or_nothing(name: str) -> None:
    for depth in (30, 100):
        for ecosystem in ("built", "bare", "snow_ice", "water"):
            assert pools(ecosystem, name, depth, agb=20.0) == {}
        for ecosystem in ("built", "bare"):
            assert pools(ecosystem, name, depth, soc=33.0) == {"carbon_soil": 33}
        for ecosystem in ("snow_ice", "water"):
            assert pools(ecosystem, name, depth, soc=33.0) == {}


def test_shrubs_without_a_biomass_value_are_not_estimated() -> None:
    for layers in ({}, {"volume": 30.0}):
        biomass = "volume" if layers else "agb"
        assert set(pools("shrubland", "ipcc", 30, biomass=biomass, **layers)) == {"carbon_soil"}
        assert set(pools("shrubland", "china", 100, biomass=biomass, **layers)) == {"carbon_soil"}


def test_unverified_densities_are_used_only_when_allowed() -> None:
    # Tang et al. 2018: 0.71 Pg C on 74.3 Mha of shrubland; the components are not confirmed, so no set uses them by itself
    china = parameter_set("china")
    allowed = replace(china, settings={**china.settings, "use_unverified": True})
    stratum = Stratum(Cover("shrubland"), climate="warm_temperate_moist")
    plug = plugs()["shrubland"]
    assert set(plug.coefficients(stratum, china, Options()).values) == {"soil_reference", "depth_beta"}
    found = plug.equations({}, plug.coefficients(stratum, allowed, Options()))
    assert found["carbon_agb"] + found["carbon_bgb"] == pytest.approx(0.71e3 / 74.3, abs=1e-3)


def test_no_ecosystem_but_forest_has_growing_stock() -> None:
    for ecosystem, name, kind in product(NONFOREST, SET_NAMES, BIOMASS_KINDS):
        assert "stock_volume" not in pools(ecosystem, name, 100, biomass=kind, **{kind: 80.0})


@pytest.mark.parametrize("ecosystem", ["grassland", "cropland", "inland_wetland", "salt_marsh", "seagrass"])
def test_a_woody_biomass_layer_says_nothing_of_herbs(ecosystem: str) -> None:
    for name in SET_NAMES:
        assert pools(ecosystem, name, 100, agb=90.0) == pools(ecosystem, name, 100)


def test_perennial_crops_have_no_confirmed_biomass_and_are_not_zero() -> None:
    found = pools("cropland", "ipcc", 30, subclass="perennial")
    assert set(found) == {"carbon_soil"}
    assert found["carbon_soil"] == pytest.approx(64 * 0.72)


def test_paddy_gains_and_wet_soils_have_their_own_factor_ipcc_2019_table_5_5() -> None:
    assert pools("cropland", "ipcc", 30, subclass="paddy")["carbon_soil"] == pytest.approx(64 * 1.35)
    assert pools("cropland", "ipcc", 30, soil="wetland")["carbon_soil"] == pytest.approx(135 * 0.71)
    assert cropland.land_use("upland", "HAC") == "long_term_cultivated"
    assert "carbon_soil" not in pools("cropland", "ipcc", 30, "polar_moist")


def test_a_missing_number_that_is_needed_stops_with_its_name() -> None:
    with pytest.raises(InputError, match="unknown climate zone 'temperate'"):
        pools("mangrove", "ipcc", 100, "temperate")
    with pytest.raises(InputError, match="root_shoot for ecosystem=mangrove"):
        pools("mangrove", "ipcc", 100, "", agb=50.0)


def test_a_user_s_own_density_goes_first() -> None:
    text = (
        "topic,ecosystem,depth_cm,parameter,value,unit,source\n"
        "density,mangrove,100,soc,200,Mg C ha-1,own cores\n"
        "density,cropland,100,soc,70,Mg C ha-1,own cores\n"
    )
    for name in SET_NAMES:
        p = with_overrides(parameter_set(name), text, "own.csv")
        for ecosystem, soil in (("mangrove", 200), ("cropland", 70)):
            plug = ecosystems.plug_of(ecosystem)
            c = plug.coefficients(Stratum(Cover(ecosystem), "tropical_wet"), p, Options())
            assert plug.equations({}, c)["carbon_soil"] == soil


# ---------------------------------------------------------------------------- properties


@pytest.mark.parametrize(("name", "depth"), list(product(SET_NAMES, (30, 100))))
def test_every_stratum_of_every_ecosystem_resolves_to_finite_pools_or_none(name: str, depth: int) -> None:
    for ecosystem, climate in product(NONFOREST, ZONES):
        for subclass, soil in product(SUBCLASSES.get(ecosystem, ("",)), ("", "HAC", "wetland", "organic")):
            for layers in ({}, {"agb": 50.0}, {"soc": 90.0}):
                found = pools(ecosystem, name, depth, climate, subclass, soil, **layers)
                assert set(found) <= set(POOL_KEYS)
                assert all(math.isfinite(v) and v >= 0 for v in found.values()), (ecosystem, climate, found)


@pytest.mark.parametrize("name", SET_NAMES)
@pytest.mark.parametrize("ecosystem", ["shrubland", "mangrove"])
def test_nan_in_gives_nan_out_and_more_biomass_is_never_less_carbon(ecosystem: str, name: str) -> None:
    agb = np.array([np.nan, 0.0, 1.0, 30.0, 200.0, 900.0])
    plug = ecosystems.plug_of(ecosystem)
    for kind in ("agb", "agc"):
        stratum = Stratum(Cover(ecosystem), "tropical_wet", present=frozenset({kind}))
        c = plug.coefficients(stratum, parameter_set(name), Options(biomass=kind, flux_method="none"))
        found = plug.equations({kind: agb}, c)
        assert {"carbon_agb", "carbon_bgb"} <= set(found)
        for value in found.values():
            value = np.broadcast_to(value, agb.shape)
            assert (np.diff(value[1:]) >= 0).all()
        for key in ("carbon_agb", "carbon_bgb"):
            assert np.isnan(found[key][0])
            assert found[key][1] == 0


@pytest.mark.parametrize("name", SET_NAMES)
def test_nan_of_a_soil_layer_stays_nan(name: str) -> None:
    for ecosystem in set(NONFOREST) - {"snow_ice", "water"}:
        assert math.isnan(pools(ecosystem, name, 100, coast_soil="layer", soc=math.nan)["carbon_soil"])


@pytest.mark.parametrize(("name", "kind"), list(product(SET_NAMES, BIOMASS_KINDS)))
def test_every_class_compiles_for_every_climate_and_presence(name: str, kind: str) -> None:
    terms = (kind, "soc", "weathering")
    p = parameter_set(name)
    depth = int(p.settings["soil_depth_cm"])
    for (ecosystem, forest_type), climate in product(ecosystems.classes(), ZONES):
        cover = Cover(ecosystem, "unspecified" if ecosystem == TREES_OUTSIDE else forest_type)
        for bits in product((False, True), repeat=3):
            present = frozenset(t for t, bit in zip(terms, bits, strict=True) if bit)
            stratum = Stratum(cover, climate, present=present)
            pieces = compile_stratum(stratum, terms, p, Options(biomass=kind, soil_depth_cm=depth))
            constants = pieces.lines[:, :, 0]
            assert np.isfinite(pieces.lines[~np.isnan(constants)]).all()
            has_sink = not np.isnan(constants[:, KEYS.index("sink_weathering")]).any()
            assert has_sink == ("weathering" in present)


def test_classes_have_the_codes_of_the_ecosystem_map() -> None:
    codes = {c.ecosystem: c.code for c in ecosystems.classes().values()}
    assert [codes[e] for e in NONFOREST] == list(range(7, 18))
    colors = [c.color for c in ecosystems.classes().values()]
    assert len(set(colors)) == len(colors)
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colors)
    assert all(c.name_en and c.name_zh for c in ecosystems.classes().values())


@pytest.mark.parametrize("name", OWN_TABLES)
def test_tables_have_full_provenance(name: str) -> None:
    header = next(csv.reader(io.StringIO(table_text(f"{name}.csv"))))
    assert header[0] == "scheme"
    assert header[-9:] == ["parameter", "value", "low", "high", "unit", "source", "locator", "status", "note"]
    rows = table(name).rows
    assert all(r.coefficient.unit and r.coefficient.source and r.coefficient.locator for r in rows)
    assert all(r.coefficient.status in ("confirmed", "derived", "design", "unverified") for r in rows)
    assert len({(r.coefficient.name, *r.keys.values()) for r in rows}) == len(rows)
