"""Forest: published figures, and what must hold for every stratum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import biomass
from sinks.ecosystems import forest
from sinks.errors import InputError
from sinks.parameters import parameter_set, records, table, with_overrides
from sinks.plug import BIOMASS_KINDS, Cover, Options, Stratum
from sinks.quantities import BY_KEY, KEYS
from sinks.strata import compile_stratum
from sinks.units import C_TO_CO2

CLIMATES = [row["key"] for row in records("climate_zones")]
ECOZONES = [row["key"] for row in records("ecozones")]
CONTINENTS = ("asia", "europe", "africa", "americas", "oceania")
LEAVES = ("needleleaf", "broadleaf", "mixed")
AGES = ("primary", "secondary_over_20", "secondary_le_20")
SPECIES = tuple(set(forest.forest_types()) - {*LEAVES, "bamboo", "unspecified"})


def stratum(forest_type="broadleaf", climate="warm_temperate_moist", kind="agb", ecozone="", **where):
    return Stratum(Cover("forest", forest_type), climate=climate, ecozone=ecozone, present=frozenset({kind}), **where)


def resolved(name="china", options=None, **where):
    return forest.coefficients(stratum(**where), parameter_set(name), options or Options())


def attempt(*args, **kwargs):
    """The coefficients, and what was said where there are none."""
    try:
        return resolved(*args, **kwargs), ""
    except InputError as problem:
        return None, str(problem)


@pytest.mark.parametrize(("agb", "bgb"), [(100, 23.0), (150, 36.9)])
def test_ipcc_2019r_table_4_4_subtropical_humid_asia(agb, bgb):
    c = resolved(forest_type="broadleaf")
    assert float(agb * forest.roots_per_shoot(agb, c)) == pytest.approx(bgb)


@pytest.mark.parametrize(("agb", "bgb"), [(74.9, 29.211), (75.1, 18.024)])
def test_ipcc_2019r_table_4_4_boreal_class_edge(agb, bgb):
    c = resolved(climate="boreal_moist", forest_type="needleleaf")
    assert float(agb * forest.roots_per_shoot(agb, c)) == pytest.approx(bgb, abs=0.01)


def test_the_biomass_class_owns_its_upper_edge():
    c = resolved(forest_type="broadleaf")
    assert float(forest.roots_per_shoot(125.0, c)) == c["root_shoot_0"]
    assert float(forest.roots_per_shoot(np.nextafter(125.0, 200), c)) == c["root_shoot_1"]


@pytest.mark.parametrize(("agb", "bgb"), [(50, 15.900), (100, 29.465), (150, 42.270), (200, 54.604)])
def test_mokany_2006_power_law(agb, bgb):
    assert float(biomass.belowground_biomass_power(agb, 0.489, 0.89)) == pytest.approx(bgb, abs=5e-4)


def test_ipcc_tier_1_clearing_example():
    # 260 t/ha x 1.24 x 0.47 x 44/12 = 555.60 t CO2/ha
    total = 260 + biomass.belowground_biomass(260, 0.24)
    assert biomass.carbon(total, 0.47) * C_TO_CO2 == pytest.approx(555.602667)


@pytest.mark.parametrize(
    ("climate", "agb", "deadwood", "litter"),
    [
        ("tropical_dry", 1, 0.0094, 0.0148),
        ("tropical_moist", 100, 0.47, 0.37),
        ("tropical_wet", 100, 2.82, 0.37),
        ("boreal_moist", 100, 3.76, 1.48),
        ("cool_temperate_moist", 0, 0.0, 0.0),
    ],
)
def test_harris_2021_dead_wood_and_litter(climate, agb, deadwood, litter):
    found = forest.equations({"agb": agb}, resolved(climate=climate))
    assert found["carbon_deadwood"] == pytest.approx(deadwood)
    assert found["carbon_litter"] == pytest.approx(litter)


def test_fra_2020_ratio_for_a_type_that_is_not_known():
    # FAO FRA 2020, China: 64.72 t/ha AGB on 87.239 m3/ha, 0.7419
    found = forest.equations({"agb": 64.72}, resolved(forest_type="unspecified"))
    assert found["stock_volume"] == pytest.approx(87.239, rel=2e-4)


def test_a_volume_map_is_used_as_it_is():
    found = forest.equations({"volume": 123.4}, resolved(kind="volume", options=Options(biomass="volume")))
    assert found["stock_volume"] == 123.4


def test_bamboo_and_missing_biomass_have_no_stock_volume():
    assert "stock_volume" not in forest.equations({"agb": 80.0}, resolved(forest_type="bamboo"))
    nothing = forest.coefficients(
        Stratum(Cover("forest", "mixed"), "warm_temperate_moist"), parameter_set("china"), Options()
    )
    assert set(forest.equations({}, nothing)) == {"carbon_soil"}


def test_a_missing_combination_is_named_never_zero():
    with pytest.raises(InputError, match=r"unknown ecozone 'moon'; known: tropical_rainforest, "):
        resolved("ipcc", ecozone="moon")
    with pytest.raises(InputError, match=r"no root_shoot for .*ecozone=subtropical_steppe.*continent=europe"):
        resolved("ipcc", Options(continent="europe"), ecozone="subtropical_desert")
    with pytest.raises(InputError, match="unknown forest type 'fern'"):
        resolved(forest_type="fern")


# ---------------------------------------------------------------------------- zones


@pytest.mark.parametrize("name", ["china", "ipcc"])
def test_every_ecozone_continent_and_origin_has_roots_or_is_named(name):
    missing = set()
    for ecozone in ECOZONES:
        for continent in CONTINENTS:
            for origin in ("natural", "planted"):
                for leaf in LEAVES:
                    options = Options(continent=continent, origin=origin)
                    c, said = attempt(name, options, ecozone=ecozone, forest_type=leaf)
                    if c is None:
                        zone = forest.ecozone_of(ecozone)["root_shoot_ecozone"]
                        assert all(key in said for key in (zone, continent, origin, leaf))
                        missing.add((ecozone, continent))
                    else:
                        assert 0 < c["root_shoot_0"] <= 1
    steppes = {(z, c) for z in ("subtropical_steppe", "subtropical_desert") for c in ("europe", "oceania")}
    assert missing == (steppes if name == "ipcc" else set())


def test_an_ecozone_layer_goes_before_the_climate_zone():
    by_climate = resolved(climate="warm_temperate_moist")
    by_layer = resolved(climate="warm_temperate_moist", ecozone="subtropical_mountain_system")
    assert by_climate.series("root_shoot") == (0.23, 0.246)
    assert by_layer.series("root_shoot") == resolved(climate="warm_temperate_dry").series("root_shoot")


# ---------------------------------------------------------------------------- growth


@pytest.mark.parametrize(
    ("continent", "age", "rate"),
    [
        ("asia", "secondary_le_20", 3.4), ("africa", "secondary_le_20", 7.6), ("americas", "secondary_over_20", 2.3),
        ("africa", "secondary_over_20", 3.5), ("asia", "primary", 0.7), ("africa", "primary", 1.3),
    ],
)  # fmt: skip
def test_growth_of_tropical_rainforest_requena_suarez_2019_ipcc_2019r_table_4_9(continent, age, rate):
    options = Options(continent=continent, forest_age=age)
    c = resolved("ipcc", options, climate="tropical_wet", ecozone="tropical_rainforest")
    assert c["agb_growth"] == rate
    found = forest.equations({"agb": 100.0}, c)
    assert found["gain_biomass"] == pytest.approx(rate * (1 + c["root_shoot_0"]) * 0.47)  # eq. 2.9, 2.10
    assert (
        found["gain_biomass"]
        == forest.equations({"agb": 100.0}, resolved("ipcc", options, climate="tropical_wet"))["gain_biomass"]
    )


def test_growth_is_estimated_only_when_an_age_is_given_and_never_of_bamboo_or_scattered_trees():
    aged = Options(forest_age="secondary_le_20")
    assert "gain_biomass" not in forest.equations({"agb": 80.0}, resolved())
    assert "gain_biomass" in forest.equations({"agb": 80.0}, resolved(options=aged))
    assert "gain_biomass" not in forest.equations({"agb": 80.0}, resolved(options=aged, forest_type="bamboo"))
    scattered = Stratum(Cover(forest.TREES_OUTSIDE, "unspecified"), "boreal_dry", present=frozenset({"agb"}))
    assert "agb_growth" not in forest.coefficients(scattered, parameter_set("china"), aged)
    unknown = Stratum(Cover("forest", "mixed"), "boreal_dry")
    assert "agb_growth" not in forest.coefficients(unknown, parameter_set("china"), aged)


@pytest.mark.parametrize("continent", CONTINENTS)
@pytest.mark.parametrize("ecozone", ["", *ECOZONES])
def test_growth_of_every_zone_resolves_or_is_named(ecozone, continent):
    for age in AGES:
        for climate in CLIMATES if not ecozone else ("warm_temperate_moist",):
            options = Options(continent=continent, forest_age=age)
            zones = [ecozone] if ecozone else forest.growth_ecozones(climate)
            assert zones
            c, said = attempt("china", options, climate=climate, ecozone=ecozone)
            if c is None:
                zone = forest.ecozone_of(zones[0])["growth_ecozone"]
                assert all(key in said for key in ("agb_growth", zone, continent, age))
            else:
                assert 0 <= c["agb_growth"] < 10


@pytest.mark.parametrize(
    "ecozone", sorted(set(ECOZONES) - {"tropical_shrubland", "tropical_desert", "temperate_oceanic_forest"})
)
def test_growth_of_secondary_forest_in_asia_is_known(ecozone):
    for age in AGES[1:]:
        assert "agb_growth" in resolved("china", Options(forest_age=age), ecozone=ecozone)


def test_plantations_have_no_confirmed_growth_rates():
    with pytest.raises(InputError, match=r"no agb_growth for .*origin=planted"):
        resolved(options=Options(forest_age="secondary_le_20", origin="planted"))


def test_gap_filled_growth_rates_say_so_and_point_at_a_rate_that_exists():
    rows = table("growth").rows
    rates = {
        (r.keys["ecozone"], r.keys["age_class"], r.coefficient.value)
        for r in rows
        if r.coefficient.source != "carbon_sinks_design"
    }
    filled = [r for r in rows if r.coefficient.source == "carbon_sinks_design"]
    assert all(r.coefficient.status == "derived" and "gap filled" in r.coefficient.note for r in filled)
    assert {(r.keys["ecozone"], r.keys["age_class"], r.coefficient.value) for r in filled} <= rates
    assert {row["growth_ecozone"] for row in records("ecozones")} == {r.keys["ecozone"] for r in rows}
    assert {c for row in records("ecozones") for c in row["growth_climates"].split(";") if c} == set(CLIMATES)


def test_gains_and_losses_of_the_guideline_by_hand():
    assert biomass.biomass_growth(3.4, 0.207) == pytest.approx(4.1038)
    assert biomass.growth_by_increment(5.0, 0.9, 0.25) == pytest.approx(5.625)
    assert biomass.biomass_gain(5.625, 0.47) == pytest.approx(2.64375)
    assert biomass.wood_removal_loss(100.0, 1.55, 0.25, 0.47) == pytest.approx(91.0625)
    assert biomass.fuelwood_loss(10.0, 4.0, 1.55, 0.25, 0.5, 0.47) == pytest.approx(10.04625)
    assert biomass.disturbance_loss(2.0, 120.0, 0.25, 0.47, 0.3) == pytest.approx(42.3)


# ---------------------------------------------------------------------------- species


def test_a_species_takes_its_own_row_and_else_that_of_its_leaf_type():
    assert resolved("china", forest_type="pinus_massoniana").series("root_shoot") == (0.23, 0.246)
    guide = resolved("china_guide", forest_type="pinus_massoniana")
    assert (guide["wood_density"], guide["bef"], guide["root_shoot_0"]) == (0.38, 1.472, 0.187)
    assert (guide["carbon_fraction_agb"], guide["carbon_fraction_litter"]) == (0.46, 0.37)
    assert resolved("china_guide", forest_type="robinia_pseudoacacia")["wood_density"] == 0.598
    assert resolved("china_guide", forest_type="needleleaf")["bef"] == 1.587


def test_china_guide_says_of_every_species_number_that_it_is_not_confirmed():
    for forest_type in (*SPECIES, *LEAVES):
        c = resolved("china_guide", forest_type=forest_type)
        for name in ("wood_density", "bef", "carbon_fraction_agb", "carbon_fraction_bgb"):
            assert c.values[name].status == "unverified", (forest_type, name)
        assert (c.values["root_shoot_0"].status == "unverified") == (forest_type in SPECIES)
        volume = float(forest.growing_stock(50.0, c))
        assert volume == pytest.approx(50.0 / (c["wood_density"] * c["bef"]))
        assert float(forest.agb_of_volume(volume, c)) == pytest.approx(50.0)


@pytest.mark.parametrize("name", ["china", "ipcc"])
def test_no_other_set_uses_an_unverified_number_for_any_forest(name):
    for forest_type in forest.forest_types():
        for climate in CLIMATES:
            c = resolved(name, Options(forest_age="secondary_over_20"), forest_type=forest_type, climate=climate)
            assert {v.status for v in c.values.values()} <= {"confirmed", "derived", "design"}


def test_every_taxon_of_a_forest_type_has_all_four_numbers():
    for row in forest.forest_types().values():
        if taxon := row["taxon"]:
            assert table("wood_density").matches("wood_density", {"scheme": "ar_cm_001", "taxon": taxon}), taxon
            assert table("bef").matches("bef", {"scheme": "ar_cm_001", "taxon": taxon}), taxon
            for topic in ("root_shoot", "carbon_fraction"):
                keys = {"scheme": "ar_cm_001", "ecosystem": "forest", "forest_type": taxon, "component": "agb"}
                assert table(topic).matches(topic, keys), (topic, taxon)
    codes = [row["nfi_code"] for row in forest.forest_types().values() if row["nfi_code"]]
    assert len(codes) == len(set(codes))


def test_bamboo_has_a_mean_density_only_where_the_set_has_one():
    bare = Stratum(Cover("forest", "bamboo"), "warm_temperate_moist")
    for name, pools in (("china", set()), ("ipcc", set()), ("china_guide", {"carbon_agb", "carbon_bgb"})):
        c = forest.coefficients(bare, parameter_set(name), Options(soil_depth_cm=30))
        assert set(forest.equations({}, c)) - {"carbon_soil"} == pools
    with_volume = Stratum(Cover("forest", "bamboo"), "warm_temperate_moist", present=frozenset({"volume"}))
    c = forest.coefficients(with_volume, parameter_set("china_guide"), Options(biomass="volume"))
    assert forest.equations({"volume": 30.0}, c)["carbon_agb"] == pytest.approx(45.29 / 2)


def test_a_users_mean_density_stands_in_for_a_missing_biomass():
    text = "topic,ecosystem,forest_type,parameter,value,unit,source\ndensity,forest,mixed,agb_carbon,41,Mg C ha-1,own plots\n"
    own = with_overrides(parameter_set("china"), text, "own.csv")
    where = Stratum(Cover("forest", "mixed"), "warm_temperate_moist")
    assert forest.equations({}, forest.coefficients(where, own, Options()))["carbon_agb"] == 41
    measured = forest.coefficients(stratum("mixed"), own, Options())
    assert forest.equations({"agb": 100.0}, measured)["carbon_agb"] == pytest.approx(47.0)


# ---------------------------------------------------------------------------- what must hold for every stratum


@pytest.mark.parametrize("name", ["china", "ipcc", "china_guide"])
@pytest.mark.parametrize("kind", BIOMASS_KINDS)
def test_every_combination_of_type_zone_and_continent_resolves_and_is_straight(name, kind):
    parameters = parameter_set(name)
    for continent in CONTINENTS:
        for forest_type in forest.forest_types():
            if forest_type in SPECIES and continent != "asia":
                continue  # species differ from their leaf type only in rows that no continent keys
            for climate in CLIMATES:
                options = Options(biomass=kind, continent=continent)
                pieces = compile_stratum(stratum(forest_type, climate, kind), (kind,), parameters, options)
                bamboo_by_volume = kind == "volume" and forest.leaf_type(forest_type) == "bamboo"
                bamboo_by_volume &= name != "china_guide"  # which has a mean density of bamboo
                assert np.isnan(pieces.of("carbon_agb")[:, 0]).all() == bamboo_by_volume


@settings(max_examples=150, deadline=None)
@given(
    x=st.floats(0, 900), name=st.sampled_from(["china", "ipcc", "china_guide"]), kind=st.sampled_from(BIOMASS_KINDS),
    forest_type=st.sampled_from(sorted(forest.forest_types())), climate=st.sampled_from(CLIMATES),
    age=st.sampled_from(["", *AGES[1:]]),
)  # fmt: skip
def test_the_pieces_say_what_the_equations_say(x, name, kind, forest_type, climate, age):
    options = Options(biomass=kind, forest_age=age)
    where = stratum(forest_type, climate, kind)
    pieces = compile_stratum(where, (kind,), parameter_set(name), options)
    line = pieces.lines[int(np.searchsorted(pieces.edges, x, side="left"))]
    direct = forest.equations({kind: x}, forest.coefficients(where, parameter_set(name), options))
    for q, key in enumerate(KEYS):
        if key in direct:
            assert line[q] @ [1.0, x] == pytest.approx(float(direct[key]), rel=1e-9, abs=1e-9), key
        else:
            assert np.isnan(line[q, 0])


@settings(max_examples=150, deadline=None)
@given(
    a=st.floats(0, 600), b=st.floats(0, 600), climate=st.sampled_from(CLIMATES), leaf=st.sampled_from(LEAVES),
    ecozone=st.sampled_from(["", *ECOZONES]), name=st.sampled_from(["china", "ipcc", "china_guide"]),
)  # fmt: skip
def test_more_biomass_is_never_less_carbon_but_below_ground_past_an_edge_where_the_ratio_falls(
    a, b, climate, leaf, ecozone, name
):
    c = (
        resolved(name, Options(forest_age="secondary_over_20", continent="asia"), climate=climate, forest_type=leaf)
        if not ecozone
        else resolved(name, climate=climate, forest_type=leaf, ecozone=ecozone)
    )
    low, high = sorted((a, b))
    less, more = (forest.equations({"agb": x}, c) for x in (low, high))
    for key in ("carbon_agb", "carbon_deadwood", "carbon_litter"):
        assert less[key] <= more[key]
        assert more[key] <= high
    ratios, edges = c.series("root_shoot"), (0.0, *c.series("root_shoot_edge"), np.inf)
    part = [int(np.searchsorted(edges[1:-1], x, side="left")) for x in (low, high)]
    assert less["carbon_bgb"] == pytest.approx(low * ratios[part[0]] * c["carbon_fraction_bgb"])
    if part[0] == part[1] or ratios[part[1]] >= ratios[part[0]]:
        assert less["carbon_bgb"] <= more["carbon_bgb"]
    elif low * ratios[part[0]] > high * ratios[part[1]]:  # only just past an edge
        assert low < high < low * ratios[part[0]] / ratios[part[1]]
        assert low <= edges[part[1]] < high


def test_roots_of_temperate_mountain_broadleaf_fall_past_125_t_per_ha():
    # Table 4.4, Asia: 0.500 up to 125 t/ha, 0.303 above
    c = resolved(climate="cool_temperate_moist", ecozone="temperate_mountain_system")
    below, above = (float(x * forest.roots_per_shoot(x, c)) for x in (124.9, 125.1))
    assert (below, above) == (pytest.approx(62.45), pytest.approx(37.9, abs=0.01))


def test_nan_in_is_nan_out():
    found = forest.equations({"agb": np.nan}, resolved())
    assert all(np.isnan(found[k]) for k in ("carbon_agb", "carbon_bgb", "stock_volume"))


@pytest.mark.parametrize("name", ["china", "ipcc", "china_guide"])
def test_bamboo_has_no_volume_to_derive_biomass_from(name):
    found = forest.carbon(np.array([5.0, np.nan]), "bamboo", kind="volume", parameters=name)
    assert "stock_volume" not in found
    for array in found.values():
        assert np.isnan(array.values).tolist() == [False, True]


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.one_of(st.floats(0, 600), st.just(np.nan)), min_size=1, max_size=6),
    kind=st.sampled_from(BIOMASS_KINDS), forest_type=st.sampled_from(sorted(forest.forest_types())),
    name=st.sampled_from(["china", "ipcc", "china_guide"]),
)  # fmt: skip
def test_the_xarray_face_keeps_nan_bounds_and_units(values, kind, forest_type, name):
    found = forest.carbon(np.array(values), forest_type, kind=kind, parameters=name)
    for key, array in found.items():
        assert array.attrs["units"] == BY_KEY[key].unit
        np.testing.assert_array_equal(np.isnan(array), np.isnan(values), err_msg=key)
        known = array.values[~np.isnan(values)]
        assert (known >= 0).all()
        assert np.isfinite(known).all()
    if kind == "agb":
        assert (found["carbon_agb"].values[~np.isnan(values)] <= np.array(values)[~np.isnan(values)]).all()
