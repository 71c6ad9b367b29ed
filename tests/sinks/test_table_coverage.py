"""The built-in tables leave nothing out and answer nothing twice; every class owns its upper edge.

Where a guideline itself has no number the combination is listed below by name with the reason, so that a new gap fails.
"""

import csv
import io
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import pairwise, product

import numpy as np
import pytest

from sinks import biomass, growingstock
from sinks.ecosystems import forest
from sinks.parameters import (
    SET_NAMES,
    STATUSES,
    TIERS,
    ParameterSet,
    Row,
    identity,
    parameter_set,
    records,
    table,
    table_text,
)
from sinks.plug import Cover, Options, Stratum

CLIMATES = tuple(row["key"] for row in records("climate_zones"))
ECOZONES = tuple(dict.fromkeys(row["root_shoot_ecozone"] for row in records("ecozones")))
FOREST_TYPES = tuple(forest.forest_types())
LEAVES = ("needleleaf", "broadleaf", "mixed")
CONTINENTS = ("asia", "europe", "africa", "americas", "oceania")
ORIGINS = ("natural", "planted")
MINERAL_SOILS = ("HAC", "LAC", "sandy", "spodic", "volcanic", "wetland")


def coefficient_tables() -> tuple[str, ...]:
    """Every table that holds coefficients, whoever added it."""
    found = []
    for entry in files("sinks").joinpath("tables").iterdir():
        if entry.name.endswith(".csv"):
            header = next(csv.reader(io.StringIO(entry.read_text(encoding="utf-8"))))
            if {"scheme", "parameter", "value", "unit"} <= set(header):
                found.append(entry.name.removesuffix(".csv"))
    return tuple(sorted(found))


COEFFICIENTS = coefficient_tables()


# ---------------------------------------------------------------------------- schemes and tiers


def test_every_scheme_of_every_table_has_one_row_and_no_other_scheme_has() -> None:
    used = {row.keys["scheme"]: name for name in COEFFICIENTS for row in table(name).rows}
    listed = Counter(row["scheme"] for row in records("schemes"))
    missing = {scheme: f"{name}.csv" for scheme, name in used.items() if scheme not in listed}
    assert missing == {}, f"give each of these a row in schemes.csv: {missing}"
    assert set(listed) - set(used) == {"user"}, "schemes.csv has rows of schemes that no table has"
    assert [scheme for scheme, n in listed.items() if n > 1] == []


def test_the_tier_of_a_scheme_is_known_and_reaches_its_rows() -> None:
    tiers = {row["scheme"]: row["tier"] for row in records("schemes")}
    assert set(tiers.values()) == set(TIERS)
    for row in records("schemes"):
        assert row["title"], row
    for name in COEFFICIENTS:
        for row in table(name).rows:
            assert row.coefficient.tier == tiers.get(row.keys["scheme"]), (name, row)
    guideline = {s for s in tiers if re.fullmatch(r"ipcc_\w+|ar\d", s)}
    assert {s for s, tier in tiers.items() if tier == "tier1"} == guideline


def test_no_scheme_is_any() -> None:
    """Lookups go by scheme: a row of any scheme would be found by none."""
    assert [(n, r) for n in COEFFICIENTS for r in table(n).rows if r.keys["scheme"] in ("", "any")] == []


# ---------------------------------------------------------------------------- every table


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_no_two_rows_have_the_same_scheme_keys_and_parameter(name: str) -> None:
    """However their keys are written: 30 is 30.0, and a blank is any."""
    seen = Counter(identity(name, row) for row in table(name).rows)
    assert [key for key, n in seen.items() if n > 1] == []


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_a_parameter_has_one_unit(name: str) -> None:
    units = defaultdict(set)
    for row in table(name).rows:
        units[row.coefficient.name].add(row.coefficient.unit)
    assert {parameter: found for parameter, found in units.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_values_lie_in_their_range_and_their_status_is_known(name: str) -> None:
    for row in table(name).rows:
        c = row.coefficient
        assert math.isnan(c.low) or c.low <= c.value, row
        assert math.isnan(c.high) or c.value <= c.high, row
        assert c.status in STATUSES, row
        assert c.status != "user", row


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_rows_are_sorted_out_by_keys_alone(name: str) -> None:
    """No cell holds a comma decimal, a stray space or a capital that would keep a key from matching."""
    for row in table(name).rows:
        for column, cell in row.keys.items():
            assert cell == cell.strip(), row
            assert column.endswith("_zh") or "," not in cell, row
            if column.endswith(("_min", "_max")):
                assert float(cell) >= 0, row


# ---------------------------------------------------------------------------- classes


def stems(name: str) -> tuple[str, ...]:
    """What a table has classes of: agb for agb_min, agb_max."""
    columns = table(name).key_columns
    return tuple(c.removesuffix("_min") for c in columns if c.endswith("_min") and c.replace("_min", "_max") in columns)


CLASSED = tuple((name, stem) for name in COEFFICIENTS for stem in stems(name))
PARTIAL = {
    # The open lowest class of humid tropical forest, kept apart from ipcc_2006 because no source confirms it.
    ("bcef", "ipcc_2006_lowest_class"),
}


def groups(name: str, stem: str) -> dict[tuple[str, ...], list[tuple[float, float]]]:
    """The classes of every combination of the other keys, in the order of the file."""
    found = defaultdict(list)
    for row in table(name).rows:
        if (name, row.keys["scheme"]) not in PARTIAL:
            key = (row.coefficient.name, *(v for k, v in row.keys.items() if not k.startswith(f"{stem}_")))
            found[key].append((float(row.keys[f"{stem}_min"]), float(row.keys[f"{stem}_max"])))
    return found


def fault(classes: list[tuple[float, float]]) -> str:
    """What keeps these from covering [0, inf) once in rising order; "" when nothing does."""
    if classes != sorted(classes):
        return "not in rising order"
    if any(not low < high for low, high in classes):
        return "an empty class"
    if classes[0][0] != 0:
        return "does not begin at 0"
    if classes[-1][1] != math.inf:
        return "does not end at inf"
    for (_, high), (low, _) in pairwise(classes):
        if low != high:
            return "a gap" if low > high else "an overlap"
    return ""


def test_the_tables_with_classes_are_those_known() -> None:
    assert set(CLASSED) >= {("root_shoot", "agb"), ("bcef", "volume")}


@pytest.mark.parametrize(("name", "stem"), CLASSED)
def test_classes_cover_everything_once_in_rising_order(name: str, stem: str) -> None:
    found = {key: fault(classes) for key, classes in groups(name, stem).items()}
    assert {key: what for key, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("classes", "what"),
    [
        ([(0, 125), (125, math.inf)], ""),
        ([(0, 125), (124, math.inf)], "an overlap"),
        ([(0, 125), (126, math.inf)], "a gap"),
        ([(1, 125), (125, math.inf)], "does not begin at 0"),
        ([(0, 125), (125, 1000)], "does not end at inf"),
        ([(125, math.inf), (0, 125)], "not in rising order"),
        ([(0, 0), (0, math.inf)], "an empty class"),
        ([(0, 125), (125, math.inf), (125, math.inf)], "an overlap"),
    ],
)
def test_the_check_of_classes_sees_every_fault(classes: list[tuple[float, float]], what: str) -> None:
    assert fault(classes) == what


def test_classes_of_one_entry_are_the_same_for_every_parameter() -> None:
    """bcef_s, bcef_i and bcef_r are columns of one table: their classes are the same."""
    found = defaultdict(set)
    for (_, *key), classes in groups("bcef", "volume").items():
        found[tuple(key)].add(tuple(classes))
    assert all(len(each) == 1 for each in found.values())


# ---------------------------------------------------------------------------- a class owns its upper edge


def owns_upper_edges(ratio: Callable[..., np.ndarray]) -> bool:
    """Whether a stand exactly at an edge has the lighter class's ratio, and the next number above it the heavier's."""
    for ratios, edges in (((0.2, 0.3), (125.0,)), ((0.39, 0.24), (75.0,)), ((0.1, 0.2, 0.3), (50.0, 150.0))):
        for n, edge in enumerate(edges):
            at = np.array([np.nextafter(edge, 0), edge, np.nextafter(edge, math.inf)])
            if ratio(at, ratios, edges).tolist() != [ratios[n], ratios[n], ratios[n + 1]]:
                return False
    return True


def test_a_class_of_root_shoot_ratios_owns_its_upper_edge() -> None:
    assert owns_upper_edges(biomass.root_shoot_ratio)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda agb, r, e: np.asarray(r)[np.searchsorted(e, agb, side="right")],  # < for ≤
        lambda agb, r, e: np.where(agb < e[0], r[0], r[-1]),
        lambda agb, r, e: np.where(agb <= e[0], r[0], r[-1]),  # right for two classes only
        lambda agb, r, e: np.where(agb > e[0], r[0], r[-1]),
        lambda agb, r, e: np.asarray(r)[np.searchsorted(np.asarray(e) + 1e-9, agb, side="left")],
    ],
)
def test_one_wrong_comparison_is_caught(wrong: Callable[..., np.ndarray]) -> None:
    assert not owns_upper_edges(wrong)


@pytest.mark.parametrize("name", ["ipcc", "china"])
@pytest.mark.parametrize(("climate", "edge"), [("warm_temperate_moist", 125.0), ("boreal_moist", 75.0)])
def test_a_forest_at_125_or_in_boreal_zones_at_75_is_of_the_lighter_class(name: str, climate: str, edge: float) -> None:
    stratum = Stratum(Cover("forest", "broadleaf"), climate=climate, present=frozenset({"agb"}))
    c = forest.coefficients(stratum, parameter_set(name), Options())
    assert c.series("root_shoot_edge") == (edge,)
    lighter, heavier = c.series("root_shoot")
    assert lighter != heavier
    found = forest.roots_per_shoot(np.array([np.nextafter(edge, 0), edge, np.nextafter(edge, math.inf)]), c)
    assert found.tolist() == [lighter, lighter, heavier]


CURVE = growingstock.bcef_curve((0, 20, 40), (20, 40, math.inf), (2.0, 0.5, 0.8))
"""AGB would fall from 20 in the middle of the first class to 15 in that of the second: both become 17.5."""


def test_an_interval_of_a_volume_curve_owns_its_upper_end() -> None:
    assert CURVE.volume == (0, 10, 30, 60)
    assert CURVE.agb == (0, 17.5, 17.5, 48)
    volumes = CURVE.volume_of(np.array([np.nextafter(17.5, 0), 17.5, np.nextafter(17.5, math.inf)]))
    assert volumes == pytest.approx([10, 10, 30])
    assert volumes[1] == 10  # the lowest of the volumes from 10 to 30 that have this biomass


def test_one_wrong_comparison_of_a_volume_curve_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the other side of searchsorted a stand on the flat piece gets the largest volume, three times the lowest."""
    rightly = np.searchsorted
    monkeypatch.setattr(growingstock.np, "searchsorted", lambda a, v, side="left": rightly(a, v, side="right"))
    assert CURVE.volume_of(np.array([17.5]))[0] == pytest.approx(30)


@pytest.mark.parametrize("volume", [10.0, 30.0, 60.0])
def test_a_volume_curve_has_no_jump_at_its_nodes(volume: float) -> None:
    around = CURVE.agb_of(np.array([np.nextafter(volume, 0), volume, np.nextafter(volume, math.inf)]))
    assert around == pytest.approx(around[1])


@pytest.mark.parametrize(("a", "b"), [(0.4652, 19.141), (0.6079, 33.806), (1.0687, 10.237)])
def test_the_chord_and_the_line_meet_at_the_chord_volume(a: float, b: float) -> None:
    """At the threshold itself it makes no difference which of the two is taken."""
    foot = a * 20 + b
    around = np.array([np.nextafter(foot, 0), foot, np.nextafter(foot, math.inf)])
    assert growingstock.volume_by_cbef(around, a, b, 20) == pytest.approx([20, 20, 20])
    volumes = np.array([np.nextafter(20.0, 0), 20, np.nextafter(20.0, math.inf)])
    assert growingstock.biomass_by_cbef(volumes, a, b, 20) == pytest.approx([foot] * 3)


# ---------------------------------------------------------------------------- one answer to every question


def best(chosen: ParameterSet, topic: str, parameter: str, **keys: str) -> list[Row]:
    """The rows that tie for the first place: one, or the classes of one entry."""
    rows = chosen.rows(topic, parameter, **keys)
    return [row for row in rows if exactness(row, keys) == exactness(rows[0], keys)]


def exactness(row: Row, keys: dict[str, str]) -> int:
    return sum(1 for k, v in row.keys.items() if k in keys and v == keys[k])


def one_answer(rows: list[Row], stem: str = "") -> bool:
    if not stem:
        return len(rows) == 1
    return bool(rows) and not fault(sorted((float(r.keys[f"{stem}_min"]), float(r.keys[f"{stem}_max"])) for r in rows))


@pytest.mark.parametrize("name", SET_NAMES)
def test_root_shoot_ratios_of_every_zone_and_type(name: str) -> None:
    chosen = parameter_set(name)
    zones = {z for row in records("climate_zones") for z in row["ecozone"].split(";")}
    for ecozone, leaf, origin in product(sorted(zones), LEAVES, ORIGINS):
        keys = {"ecosystem": "forest", "continent": "asia", "ecozone": ecozone, "forest_type": leaf, "origin": origin}
        rows = best(chosen, "root_shoot", "root_shoot", **keys)
        assert one_answer(rows, "agb"), (name, keys, rows)


@pytest.mark.parametrize("name", SET_NAMES)
def test_dead_matter_of_every_domain_altitude_and_rain(name: str) -> None:
    chosen = parameter_set(name)
    domains = {row["climate_domain"] for row in records("climate_zones")}
    assert domains == {"tropical_subtropical", "temperate_boreal"}
    for domain, altitude, rain in product(domains, ("le2000", "gt2000"), ("le1000", "1000_1600", "gt1600")):
        keys = {"climate_domain": domain, "elevation_class": altitude, "precipitation_class": rain}
        for parameter in ("deadwood_ratio", "litter_ratio"):
            assert one_answer(best(chosen, "deadwood_litter", parameter, **keys)), (name, keys, parameter)


@pytest.mark.parametrize("name", SET_NAMES)
def test_carbon_fractions_of_every_ecosystem_type_and_part(name: str) -> None:
    chosen = parameter_set(name)
    for forest_type, part in product(FOREST_TYPES, ("agb", "bgb", "deadwood", "litter")):
        keys = {"ecosystem": "forest", "forest_type": forest_type, "component": part}
        assert one_answer(best(chosen, "carbon_fraction", "carbon_fraction", **keys)), (name, keys)
    for ecosystem, part in product(("shrubland", "mangrove"), ("agb", "bgb")):
        keys = {"ecosystem": ecosystem, "component": part}
        assert one_answer(best(chosen, "carbon_fraction", "carbon_fraction", **keys)), (name, keys)


@pytest.mark.parametrize("name", SET_NAMES)
def test_volume_factors_of_every_zone_and_type(name: str) -> None:
    chosen = parameter_set(name)
    for zone in sorted({row["bcef_zone"] for row in records("climate_zones")}):
        for forest_type, row in forest.forest_types().items():
            for bcef_type in filter(None, row[f"bcef_{zone}"].split(";")):
                rows = best(chosen, "bcef", "bcef_s", bcef_zone=zone, bcef_type=bcef_type)
                assert one_answer(rows, "volume"), (name, zone, forest_type)


NO_WAY_TO_VOLUME = {
    # Bamboo has culms, no stem volume: neither China's inventory nor FAO counts growing stock of it.
    "bamboo",
}


def strata() -> Iterator[tuple[str, str]]:
    yield from product(CLIMATES, FOREST_TYPES)


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_climate_zone_and_forest_type_resolves_in_full(name: str) -> None:
    chosen = parameter_set(name)
    for climate, forest_type in strata():
        for continent, origin in (("asia", "natural"), ("asia", "planted")):
            stratum = Stratum(Cover("forest", forest_type), climate=climate, present=frozenset({"agb"}))
            c = forest.coefficients(stratum, chosen, Options(continent=continent, origin=origin))
            where = (name, climate, forest_type, origin)
            assert "root_shoot_0" in c, where
            assert {"deadwood_ratio", "litter_ratio"} <= set(c.values), where
            assert {f"carbon_fraction_{p}" for p in ("agb", "bgb", "deadwood", "litter")} <= set(c.values), where
            routes = {"cbef_a", "agb_per_volume", "wood_density"} & set(c.values)
            assert (c.curve is not None or bool(routes)) == (forest_type not in NO_WAY_TO_VOLUME), where
            assert all(math.isfinite(each.value) for each in c.values.values()), where


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_continent_has_ratios_of_every_climate_zone_leaf_and_origin(name: str) -> None:
    chosen = parameter_set(name)
    for climate, leaf, continent, origin in product(CLIMATES, LEAVES, CONTINENTS, ORIGINS):
        stratum = Stratum(Cover("forest", leaf), climate=climate, present=frozenset({"agb"}))
        c = forest.coefficients(stratum, chosen, Options(continent=continent, origin=origin))
        ratios, edges = c.series("root_shoot"), c.series("root_shoot_edge")
        assert len(ratios) == len(edges) + 1, (name, climate, leaf, continent, origin)
        assert all(ratio > 0 for ratio in ratios)
        assert list(edges) == sorted(edges)


# ---------------------------------------------------------------------------- reference stocks of soil

EMPTY_CELLS_2019R = {
    # Table 2.3 prints NA: low-activity clays do not form in cold climates, spodic soils not in warm or dry ones;
    **{(climate, "LAC"): "NA" for climate in ("boreal_moist", "boreal_dry", "polar_moist", "polar_dry")},
    **{(climate, "spodic"): "NA" for climate in ("tropical_montane", "tropical_wet", "tropical_moist", "tropical_dry")},
    **{(climate, "spodic"): "NA" for climate in ("warm_temperate_dry", "cool_temperate_dry")},
    # and of polar zones it prints clay and sand only.
    **{(climate, soil): "NO" for climate in ("polar_moist", "polar_dry") for soil in ("spodic", "volcanic", "wetland")},
}


def test_every_climate_zone_and_soil_class_has_one_reference_stock() -> None:
    found = Counter(
        (row.keys["climate"], row.keys["soil"])
        for row in table("density").rows
        if row.coefficient.name == "soc" and row.keys["scheme"] == "ipcc_2019r" and row.keys["ecosystem"] == "any"
    )
    assert set(found) | set(EMPTY_CELLS_2019R) == set(product(CLIMATES, MINERAL_SOILS))
    assert set(found) & set(EMPTY_CELLS_2019R) == set()
    assert set(found.values()) == {1}


@pytest.mark.parametrize("name", SET_NAMES)
def test_a_set_finds_the_reference_stock_of_its_newest_edition_and_fills_no_empty_cell(name: str) -> None:
    chosen = parameter_set(name)
    for climate, soil in product(CLIMATES, MINERAL_SOILS):
        keys = {"ecosystem": "forest", "climate": climate, "soil": soil, "depth_cm": "30"}
        rows = [row for row in best(chosen, "density", "soc", **keys) if row.keys["ecosystem"] == "any"]
        assert len(rows) == (0 if (climate, soil) in EMPTY_CELLS_2019R else 1), (name, climate, soil)
        if rows:
            assert rows[0].keys["scheme"] == "ipcc_2019r"
            assert rows[0].keys["soil"] == soil


def test_soil_classes_are_those_of_the_table_and_organic() -> None:
    assert {row["key"] for row in records("soil_classes")} == {*MINERAL_SOILS, "organic"}


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_factor_of_long_term_cropland_has_one_value_in_every_zone(name: str) -> None:
    chosen = parameter_set(name)
    levels = {
        "flu": ("long_term_cultivated",), "fmg": ("full_tillage", "reduced_tillage", "no_till"),
        "fi": ("low", "medium", "high_without_manure", "high_with_manure"),
    }  # fmt: skip
    for climate, (factor, names) in product(CLIMATES, levels.items()):
        for level in names:
            keys = {"land_use": "cropland", "factor": factor, "level": level, "climate": climate}
            rows = best(chosen, "soil_factors", "factor", **keys)
            assert one_answer(rows) or (climate in NO_CROPS and not rows), (name, keys, rows)


NO_CROPS = {"polar_moist", "polar_dry"}
"""Table 5.5 has no polar zones."""


# ---------------------------------------------------------------------------- what is written of classes


def test_the_documents_of_the_code_state_who_owns_an_edge() -> None:
    assert "owns its upper edge" in (biomass.root_shoot_ratio.__doc__ or "")
    assert "≤ and > 125" in (biomass.root_shoot_ratio.__doc__ or "")
    assert table_text("schemes.csv").startswith("scheme,tier,title,source,note\n")
