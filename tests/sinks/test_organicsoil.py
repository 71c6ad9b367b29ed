"""Organic soil: published factors and unit traps, peat, and one claim per quantity under every cover."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks import ecosystems, organicsoil
from sinks.climate import ZONES
from sinks.ecosystems.forest import TREES_OUTSIDE
from sinks.errors import InputError
from sinks.parameters import SET_NAMES, ParameterSet, parameter_set, records, table
from sinks.plug import Cover, Options, Stratum
from sinks.quantities import KEYS
from sinks.strata import compile_stratum
from sinks.units import C_TO_CO2

DRAINAGE = tuple(r["key"] for r in records("drainage_classes"))
DRAINED = tuple(r["key"] for r in records("drainage_classes") if r["state"] in ("drained", "extraction"))
COVERS = tuple(ecosystems.classes())
FLUXES = ("sink_soil", "emission_ch4", "emission_n2o")


def unverified(name: str) -> ParameterSet:
    p = parameter_set(name)
    return replace(p, settings={**p.settings, "use_unverified": True})


def fluxes(
    ecosystem: str, drainage: str = "", climate: str = "cool_temperate_moist", subclass: str = "", soil: str = "organic",
    name: str | ParameterSet = "ipcc", method: str = "emission_factor", frozen: bool = False,
) -> dict[str, float]:  # fmt: skip
    """Everything that the class and the overlays yield of the fluxes of soil, by key."""
    forest_type = {"forest": "mixed", TREES_OUTSIDE: "unspecified"}.get(ecosystem, "")
    stratum = Stratum(Cover(ecosystem, forest_type, subclass), climate, soil=soil, drainage=drainage, permafrost=frozen)
    parameters = parameter_set(name) if isinstance(name, str) else name
    lines = compile_stratum(stratum, (), parameters, Options(flux_method=method)).lines[0, :, 0]
    return {k: float(lines[KEYS.index(k)]) for k in FLUXES if not math.isnan(lines[KEYS.index(k)])}


# ---------------------------------------------------------------------------- published numbers


@pytest.mark.parametrize(
    ("ecosystem", "drainage", "climate", "co2", "doc"),
    [
        ("forest", "drained_poor", "boreal_moist", 0.25, 0.12), ("forest", "drained_rich_deep", "boreal_dry", 0.93, 0.12),
        ("forest", "drained", "boreal_moist", 0.25, 0.12), ("forest", "drained", "cool_temperate_moist", 2.6, 0.31),
        ("grassland", "drained_poor", "cool_temperate_dry", 5.3, 0.31), ("grassland", "drained", "warm_temperate_moist", 6.1, 0.31),
        ("grassland", "drained_rich_shallow", "cool_temperate_moist", 3.6, 0.31), ("grassland", "drained", "boreal_moist", 5.7, 0.12),
        ("cropland", "", "cool_temperate_moist", 7.9, 0.31), ("cropland", "natural", "tropical_wet", 14, 0.82),
        ("bare", "peat_extraction", "boreal_moist", 2.8, 0.12), ("inland_wetland", "peat_extraction", "tropical_wet", 2.0, 0.82),
        ("shrubland", "drained", "cool_temperate_moist", 2.6, 0.31), ("inland_wetland", "drained", "cool_temperate_moist", 6.1, 0.31),
    ],
)  # fmt: skip
def test_carbon_of_drained_soil_2013_wetlands_supplement_tables_2_1_and_2_2(
    ecosystem: str, drainage: str, climate: str, co2: float, doc: float
) -> None:
    assert fluxes(ecosystem, drainage, climate)["sink_soil"] == pytest.approx(-(co2 + doc))


@pytest.mark.parametrize(
    ("ecosystem", "drainage", "climate", "land", "ditch", "share"),
    [
        ("forest", "drained", "cool_temperate_moist", 2.5, 217, 0.025), ("cropland", "", "cool_temperate_moist", 0, 1165, 0.05),
        ("grassland", "drained_rich_shallow", "cool_temperate_moist", 39, 527, 0.05), ("cropland", "", "tropical_dry", 7, 2259, 0.02),
    ],
)  # fmt: skip
def test_methane_of_drained_soil_2013_wetlands_supplement_tables_2_3_and_2_4_is_methane_not_its_carbon(
    ecosystem: str, drainage: str, climate: str, land: float, ditch: float, share: float
) -> None:
    assert fluxes(ecosystem, drainage, climate)["emission_ch4"] == pytest.approx((1 - share) * land + share * ditch)


def test_nitrous_oxide_of_drained_soil_2013_wetlands_supplement_table_2_5_is_given_as_nitrogen() -> None:
    assert fluxes("cropland")["emission_n2o"] == pytest.approx(44 / 28 * 13)
    assert fluxes("forest", "drained_rich_deep", "boreal_moist")["emission_n2o"] == pytest.approx(44 / 28 * 3.2)


@pytest.mark.parametrize(
    ("drainage", "climate", "co2", "doc", "ch4"),
    [
        ("rewetted_poor", "boreal_moist", -0.34, 0.08, 41), ("rewetted_rich", "boreal_moist", -0.55, 0.08, 137),
        ("rewetted_poor", "cool_temperate_moist", -0.23, 0.24, 92), ("rewetted_rich", "cool_temperate_moist", 0.5, 0.24, 216),
        ("rewetted", "cool_temperate_moist", 0.5, 0.24, 216), ("rewetted", "boreal_moist", -0.34, 0.08, 41),
        ("rewetted", "tropical_wet", 0, 0.51, 41),
    ],
)  # fmt: skip
def test_rewetted_soil_2013_wetlands_supplement_tables_3_1_to_3_3_methane_is_given_as_carbon(
    drainage: str, climate: str, co2: float, doc: float, ch4: float
) -> None:
    for ecosystem in ("forest", "grassland", "inland_wetland", "cropland"):
        found = fluxes(ecosystem, drainage, climate)
        assert found == pytest.approx({"sink_soil": -(co2 + doc), "emission_ch4": 16 / 12 * ch4, "emission_n2o": 0})


def test_units_tell_the_carbon_of_methane_from_methane() -> None:
    units = {
        (r.keys["land_use"] == "rewetted", r.coefficient.name): r.coefficient.unit for r in table("organic_soil").rows
    }
    assert units[True, "ef_ch4_c"] == "kg CH4-C ha-1 yr-1"
    assert units[False, "ef_ch4_land"] == units[False, "ef_ch4_ditch"] == "kg CH4 ha-1 yr-1"


def test_temperate_cropland_on_peat_in_co2_equivalent_by_hand() -> None:
    sink, ch4, n2o = -8.21, 58.25, 44 / 28 * 13
    for gwp, of_ch4, of_n2o in (("ar4", 25, 298), ("ar5", 28, 265), ("ar6", 27.0, 273)):
        expected = 8.21 * 44 / 12 + (of_ch4 * ch4 + of_n2o * n2o) / 1000
        assert organicsoil.co2_equivalent(sink, ch4, n2o, gwp) == pytest.approx(expected)
    with pytest.raises(InputError, match="'ar7'; known: ar4, ar5, ar6"):
        organicsoil.co2_equivalent(sink, ch4, n2o, "ar7")


def test_methane_can_turn_a_rewetted_sink_into_a_source() -> None:
    found = fluxes("inland_wetland", "rewetted_poor", "boreal_moist")
    assert found["sink_soil"] > 0
    assert organicsoil.co2_equivalent(*(found[k] for k in FLUXES), "ar6") > 0


def test_rice_on_peat_is_unverified_and_temperate_rice_has_no_factor() -> None:
    assert fluxes("cropland", climate="tropical_wet", subclass="paddy") == {}
    found = fluxes("cropland", climate="tropical_wet", subclass="paddy", name=unverified("ipcc"))
    assert found == {"sink_soil": pytest.approx(-(9.4 + 0.82))}
    assert fluxes("cropland", subclass="paddy", name=unverified("ipcc")) == {}


def test_perennial_crops_are_plantations_in_the_tropics_and_cropland_elsewhere() -> None:
    assert fluxes("cropland", climate="tropical_wet", subclass="perennial")["sink_soil"] == pytest.approx(-15.82)
    assert fluxes("cropland", climate="tropical_wet", subclass="oil_palm")["sink_soil"] == pytest.approx(-11.82)
    assert fluxes("cropland", subclass="perennial") == fluxes("cropland")


# ---------------------------------------------------------------------------- peat


def test_peat_of_loisel_2014_a_metre_thick() -> None:
    found = organicsoil.peat_properties("boreal_moist", parameter_set("china"))
    assert {k: c.value for k, c in found.items()} == {"peat_bulk_density": 0.12, "peat_carbon_fraction": 0.47}
    assert organicsoil.peat_carbon(1.0, 0.12, 0.47) == pytest.approx(564)


def test_peat_of_agus_2012_a_metre_thick_holds_its_60_kg_a_cubic_metre() -> None:
    c = {k: float(v) for k, v in organicsoil.peat_properties("tropical_wet", parameter_set("ipcc")).items()}
    assert organicsoil.peat_carbon(1.0, c["peat_bulk_density"], c["peat_carbon_fraction"]) == pytest.approx(
        600, rel=0.03
    )  # hemic, 0.060 Mg C m-3


def test_w19_peat_of_china_adds_up_and_its_regions_have_the_rates_of_the_review_of_2014() -> None:
    assert pytest.approx(2.17) == 1.49 + 0.21 + 0.47
    rates = {
        sub: fluxes("inland_wetland", subclass=sub, soil=soil, name="china", method="published_rate")
        for sub, soil in (("peat_qinghai_tibet", ""), ("peat_northeast", "organic"), ("", "organic"), ("peat", ""))
    }
    assert [r["sink_soil"] for r in rates.values()] == [0.323, 0.147, 0.281, 0.281]
    assert pytest.approx(0.281, abs=5e-4) == (1.49 + 0.21) / (1.49 / 0.323 + 0.21 / 0.147)
    assert all(set(r) == {"sink_soil"} for r in rates.values())


def test_only_undrained_peat_that_is_not_frozen_gains_and_only_by_published_rates() -> None:
    keys = {"name": "china", "method": "published_rate"}
    assert fluxes("inland_wetland", **keys)["sink_soil"] > 0
    assert fluxes("inland_wetland", "natural", **keys)["sink_soil"] > 0
    assert fluxes("inland_wetland", frozen=True, **keys) == {}
    assert fluxes("inland_wetland", soil="", **keys) == {}
    assert fluxes("inland_wetland", name="china", method="emission_factor") == {}
    assert fluxes("inland_wetland", name="ipcc", method="published_rate") == {}
    assert fluxes("inland_wetland", "drained", **keys)["sink_soil"] < 0


# ---------------------------------------------------------------------------- wetland on mineral soil


@pytest.mark.parametrize(
    ("subclass", "factor"), [("cultivated", 0.71), ("rewetted", 0.8), ("rewetted_21_40", 1.0), ("", 1.0)]
)
def test_mineral_wetland_soil_2013_wetlands_supplement_table_5_3(subclass: str, factor: float) -> None:
    for name in ("china", "ipcc"):
        plug = ecosystems.plug_of("inland_wetland")
        stratum = Stratum(Cover("inland_wetland", "", subclass), "cool_temperate_moist", soil="HAC")
        c = plug.coefficients(stratum, parameter_set(name), Options(soil_depth_cm=30))
        assert plug.equations({}, c)["carbon_soil"] == pytest.approx(128 * factor)
        deep = plug.equations({}, plug.coefficients(stratum, parameter_set(name), Options(soil_depth_cm=100)))
        assert ("carbon_soil" in deep) == (name == "china" and not subclass)
        assert plug.equations({"soc": 50.0}, plug.coefficients(
            replace(stratum, present=frozenset({"soc"})), parameter_set(name), Options(soil_depth_cm=30)
        ))["carbon_soil"] == 50  # fmt: skip


@pytest.mark.parametrize(
    ("climate", "methane"), [("boreal_moist", 76), ("cool_temperate_moist", 235), ("tropical_wet", 900)]
)
def test_methane_of_rewetted_mineral_wetland_2013_wetlands_supplement_table_5_4(climate: str, methane: float) -> None:
    assert fluxes("inland_wetland", climate=climate, subclass="rewetted", soil="") == {"emission_ch4": methane}
    assert fluxes("inland_wetland", climate=climate, soil="") == {}


# ---------------------------------------------------------------------------- properties


@pytest.mark.parametrize("name", SET_NAMES)
def test_one_claim_per_quantity_for_every_soil_drainage_cover_and_method(name: str) -> None:
    """compile_stratum raises when two plugs claim one quantity; drained soil is never a sink."""
    subclasses = {
        "cropland": ("", "paddy", "perennial", "oil_palm"), "inland_wetland": ("", "peat", "rewetted", "drained", "cultivated"),
        "mangrove": ("", "drained", "replanted", "rewetted_fresh"),
    }  # fmt: skip
    for (ecosystem, _), drainage, soil in product(COVERS, ("", *DRAINAGE), ("", "organic", "HAC")):
        for subclass, frozen in product(subclasses.get(ecosystem, ("",)), (False, True)):
            for method in ("none", "emission_factor", "published_rate"):
                found = fluxes(ecosystem, drainage, "cool_temperate_moist", subclass, soil, name, method, frozen)
                assert all(math.isfinite(v) for v in found.values())
                if method == "none":
                    assert found == {}
                if soil == "organic" and drainage in DRAINED and "sink_soil" in found:
                    assert found["sink_soil"] < 0, (ecosystem, drainage)
                    assert min(found.get(k, 0.0) for k in FLUXES[1:]) >= 0
                if frozen and ecosystem not in ("mangrove", "salt_marsh", "seagrass"):
                    assert "sink_soil" not in found


def test_every_drained_class_of_every_climate_has_a_factor_under_every_land_use() -> None:
    for ecosystem, drainage, climate in product(
        ("forest", "shrubland", "grassland", "cropland", "inland_wetland"), DRAINED, ZONES
    ):
        found = fluxes(ecosystem, drainage, climate)
        assert set(found) >= {"sink_soil", "emission_n2o"}, (ecosystem, drainage, climate)
        assert ("emission_ch4" in found) == (drainage != "peat_extraction" or not climate.startswith("tropical"))


@pytest.mark.parametrize("ecosystem", ["mangrove", "salt_marsh", "seagrass", "water", "snow_ice", "built", "bare"])
def test_the_overlay_leaves_coasts_water_and_built_land_alone(ecosystem: str) -> None:
    for drainage, climate in product(DRAINAGE, ZONES):
        stratum = Stratum(Cover(ecosystem), climate, soil="organic", drainage=drainage)
        found = organicsoil.coefficients(stratum, parameter_set("ipcc"), Options()).values
        extraction = ecosystem in ("built", "bare") and drainage == "peat_extraction"
        assert bool(found) == (extraction or (ecosystem in ("built", "bare") and drainage.startswith("rewetted")))


def test_unknown_words_are_named() -> None:
    with pytest.raises(InputError, match="unknown drainage 'wet'; known: natural"):
        organicsoil.state_of(Stratum(Cover("forest"), drainage="wet"))
    with pytest.raises(InputError, match="unknown climate zone 'arctic'"):
        organicsoil.domain_of("arctic")


@given(st.floats(-5, 30), st.floats(0, 3))
def test_a_larger_factor_is_a_larger_source(co2: float, doc: float) -> None:
    assert organicsoil.carbon_sink(co2, doc) == -(co2 + doc)
    assert organicsoil.carbon_sink(co2 + 1, doc) < organicsoil.carbon_sink(co2, doc)


@given(st.floats(-5, 100), st.floats(0, 5000), st.floats(0, 1))
def test_methane_lies_between_that_of_land_and_of_ditches(land: float, ditch: float, share: float) -> None:
    found = organicsoil.drained_methane(land, ditch, share)
    assert min(land, ditch) - 1e-9 <= found <= max(land, ditch) + 1e-9


@given(st.floats(-20, 20), st.floats(0, 1000), st.floats(0, 50), st.sampled_from(("ar4", "ar5", "ar6")))
def test_co2_equivalent_is_linear_and_zero_gases_leave_carbon_dioxide(
    sink: float, ch4: float, n2o: float, gwp: str
) -> None:
    assert organicsoil.co2_equivalent(sink, 0.0, 0.0, gwp) == pytest.approx(-C_TO_CO2 * sink)
    whole = organicsoil.co2_equivalent(sink, ch4, n2o, gwp)
    parts = [organicsoil.co2_equivalent(*x, gwp) for x in ((sink, 0, 0), (0, ch4, 0), (0, 0, n2o))]
    assert whole == pytest.approx(sum(parts), abs=1e-9)
    assert parts[1] >= 0
    assert parts[2] >= 0


def test_equations_take_arrays() -> None:
    found = organicsoil.peat_carbon(np.array([0.0, 1.0, np.nan]), 0.12, 0.47)
    np.testing.assert_allclose(found, [0, 564, np.nan])


# ---------------------------------------------------------------------------- tables


@pytest.mark.parametrize("name", ["organic_soil", "coast_disturbance", "gwp", "wetland", "coast"])
def test_tables_have_full_provenance_and_no_blank_key(name: str) -> None:
    seen = set()
    for row in table(name).rows:
        c = row.coefficient
        assert c.unit, row
        assert c.source, row
        assert c.locator, row
        assert c.tier != "unlisted", row
        assert all(row.keys.values()), row
        assert math.isnan(c.low) == math.isnan(c.high), row
        assert math.isnan(c.low) or c.low <= c.value <= c.high, row
        seen.add((c.name, *row.keys.values()))
    assert len(seen) == len(table(name).rows)


def test_drainage_classes_and_climates_are_whole() -> None:
    classes = records("drainage_classes")
    assert [int(r["code"]) for r in classes] == list(range(9))
    assert [r["climate"] for r in records("wetland_climates")] == list(ZONES)
    assert {r["domain"] for r in records("wetland_climates")} == {"boreal", "temperate", "tropical"}
    assert all(r["name_en"] and r["name_zh"] for r in classes)
