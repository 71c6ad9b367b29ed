"""The shipped tables: complete provenance, classes without gaps, and sums that official statistics print."""

import csv
import io
import math
import re
from collections import defaultdict
from importlib.resources import files
from itertools import pairwise

import pytest

from sinks.legends import collisions
from sinks.parameters import SET_NAMES, Table, parameter_set, records, table, table_text

TABLES = files("sinks").joinpath("tables")
COEFFICIENTS = (
    "bcef", "bef", "carbon_fraction", "cbef", "deadwood_litter", "density", "growth", "root_shoot", "soil_factors",
    "volume_ratio", "wood_density",
)  # fmt: skip
STATISTICS = (
    "climate_zones", "ecozones", "grassland_types", "latitude_bands", "official_national", "official_provinces", "targets",
    "targets_provincial",
)  # fmt: skip
FIXED = ["parameter", "value", "low", "high", "unit", "source", "locator", "status", "note"]
STATUSES = {"confirmed", "derived", "design", "unverified"}
BIB = set(re.findall(r"^@\w+\{([^,]+),", table_text("sources.bib"), re.MULTILINE))
CLIMATES = (
    "tropical_montane", "tropical_wet", "tropical_moist", "tropical_dry", "warm_temperate_moist", "warm_temperate_dry",
    "cool_temperate_moist", "cool_temperate_dry", "boreal_moist", "boreal_dry", "polar_moist", "polar_dry",
)  # fmt: skip


def values(name: str, **keys: str) -> list[float]:
    """Values of the rows of a table whose keys are exactly these."""
    rows = [r for r in table(name).rows if all(r.keys.get(k, r.coefficient.name) == v for k, v in keys.items())]
    return [r.coefficient.value for r in rows]


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_a_coefficient_table_has_its_columns_and_full_provenance(name: str) -> None:
    header = next(csv.reader(io.StringIO(table_text(f"{name}.csv"))))
    assert header[0] == "scheme"
    assert header[-9:] == FIXED
    for row in table(name).rows:
        c = row.coefficient
        assert math.isfinite(c.value), row
        assert c.unit, row
        assert c.locator, row
        assert c.source in BIB, row
        assert c.status in STATUSES, row
        assert math.isnan(c.low) == math.isnan(c.high), row
        assert math.isnan(c.low) or c.low <= c.value <= c.high, row
        assert all(row.keys[k] for k in row.keys if k not in ("depth_cm", "forest_type_zh")), row
        assert c.status != "derived" or c.note, row


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_no_two_rows_answer_the_same_question(name: str) -> None:
    seen = [(r.coefficient.name, *r.keys.values()) for r in table(name).rows]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", [*COEFFICIENTS, *STATISTICS, "legend_index", "code_collisions", "sources.bib"])
def test_files_are_plain_utf8_without_bom_and_point_at_no_machine(name: str) -> None:
    raw = TABLES.joinpath(name if "." in name else f"{name}.csv").read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    text = raw.decode("utf-8")
    assert text.endswith("\n")
    assert not re.search(r"\bshared/|(?<![\w.:/<])/[a-z]+/", text)


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_has_a_source_and_a_status(name: str) -> None:
    for row in records(name):
        assert None not in row, row
        assert row["source"] in BIB, row
        allowed = STATUSES | {"checksum"} if name == "official_provinces" else STATUSES
        assert row["status"] in allowed, row


def test_every_source_is_used_and_named_once() -> None:
    keys = re.findall(r"^@\w+\{([^,]+),", table_text("sources.bib"), re.MULTILINE)
    used = {
        row["source"]
        for folder in (TABLES, TABLES.joinpath("legends"))
        for entry in folder.iterdir()
        if entry.name.endswith(".csv")
        for row in csv.DictReader(io.StringIO(entry.read_text(encoding="utf-8")))
        if "source" in row
    }
    assert len(keys) == len(set(keys))
    assert used - set(keys) == set()
    assert set(keys) - used == set()


# ---------------------------------------------------------------------------- classes


def partition(rows: list[tuple[float, float]]) -> bool:
    """Whether these intervals cover [0, inf) once."""
    rows = sorted(rows)
    joined = all(a[1] == b[0] for a, b in pairwise(rows))
    return rows[0][0] == 0 and rows[-1][1] == math.inf and joined and all(a < b for a, b in rows)


def test_root_shoot_classes_cover_every_biomass_once() -> None:
    groups: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    for row in table("root_shoot").rows:
        key = (row.coefficient.name, *(v for k, v in row.keys.items() if not k.startswith("agb_")))
        groups[key].append((float(row.keys["agb_min"]), float(row.keys["agb_max"])))
    assert len(groups) > 250
    assert [key for key, rows in groups.items() if not partition(rows)] == []


def test_bcef_classes_cover_every_volume_once() -> None:
    groups: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    for row in table("bcef").rows:
        if row.keys["scheme"] == "ipcc_2006":
            key = (row.coefficient.name, row.keys["bcef_zone"], row.keys["bcef_type"])
            groups[key].append((float(row.keys["volume_min"]), float(row.keys["volume_max"])))
    assert len(groups) == 11 * 3
    assert [key for key, rows in groups.items() if not partition(rows)] == []


def test_no_bcef_s_of_the_default_scheme_is_unverified() -> None:
    rows = [r for r in table("bcef").rows if r.keys["scheme"] == "ipcc_2006" and r.coefficient.name == "bcef_s"]
    assert {r.coefficient.status for r in rows} == {"confirmed", "derived"}


def test_every_cbef_type_has_a_slope_and_an_intercept() -> None:
    pairs = defaultdict(set)
    for row in table("cbef").rows:
        pairs[row.keys["scheme"], row.keys["forest_type"]].add((row.coefficient.name, row.coefficient.unit))
    assert all(found == {("a", "Mg m-3"), ("b", "Mg ha-1")} for found in pairs.values())
    count = {scheme: sum(1 for s, _ in pairs if s == scheme) for scheme in ("fang2001", "fang2007", "zhang2013")}
    assert count == {"fang2001": 21, "fang2007": 7, "zhang2013": 13}


def test_chinese_fir_of_100_m3_weighs_65_66_t() -> None:
    keys = {"scheme": "fang2007", "forest_type": "cunninghamia_lanceolata"}
    a, b = (table("cbef").matches(p, keys | {"biomass_scope": "total"})[0].coefficient.value for p in "ab")
    assert a * 100 + b == pytest.approx(65.661)


@pytest.mark.parametrize(
    ("ecozone", "forest_type", "origin", "expected"),
    [
        ("tropical_rainforest", "broadleaf", "natural", [0.207, 0.212]),
        ("subtropical_humid_forest", "mixed", "natural", [0.23, 0.246]),
        ("temperate_continental_forest", "needleleaf", "natural", [0.243, 0.262]),
        ("temperate_continental_forest", "broadleaf", "planted", [0.303, 0.221]),
        ("temperate_mountain_system", "broadleaf", "natural", [0.5, 0.303]),
        ("boreal", "mixed", "natural", [0.39, 0.24]),
    ],
)
def test_ratios_of_table_4_4_for_asia(ecozone: str, forest_type: str, origin: str, expected: list[float]) -> None:
    keys = {"scheme": "ipcc_2019r", "continent": "asia", "ecozone": ecozone, "forest_type": forest_type}
    assert values("root_shoot", **keys, origin=origin) == expected


# ---------------------------------------------------------------------------- zones


def test_climate_zones_are_the_twelve_in_order_and_point_at_rows_that_exist() -> None:
    zones = records("climate_zones")
    assert [(int(z["code"]), z["key"]) for z in zones] == list(enumerate(CLIMATES, start=1))
    for zone in zones:
        assert values("bcef", scheme="ipcc_2006", bcef_zone=zone["bcef_zone"])
        assert values("density", scheme="ipcc_2006", ecosystem="grassland", climate=zone["grass_climate"])
        assert values("root_shoot", scheme="ipcc_2006", ecosystem="grassland", ecozone=zone["grass_climate"])
        assert values("density", scheme="ipcc_2013ws", ecosystem="mangrove", climate=zone["mangrove_climate"])
        assert values("root_shoot", scheme="ipcc_2013ws", ecosystem="mangrove", ecozone=zone["mangrove_climate"])
        for leaf in ("needleleaf", "broadleaf", "mixed"):
            for origin in ("natural", "planted"):
                keys = {"continent": "asia", "forest_type": leaf, "origin": origin, "scheme": "ipcc_2019r"}
                first = zone["ecozone"].split(";")[0]
                assert len(values("root_shoot", ecozone=first, **keys)) == 2, (zone["key"], leaf, origin)


def test_every_ecozone_has_ratios_somewhere() -> None:
    known = {r.keys["ecozone"] for r in table("root_shoot").rows if r.keys["scheme"] == "ipcc_2019r"}
    assert {r["root_shoot_ecozone"] for r in records("ecozones")} == known


def test_latitude_bands_cover_a_hemisphere() -> None:
    bands = [(float(r["min_abs_lat"]), float(r["max_abs_lat"])) for r in records("latitude_bands")]
    assert bands[0][0] == 0
    assert bands[-1][1] == 90
    assert all(a[1] == b[0] for a, b in pairwise(bands))
    assert {r["climate"] for r in records("latitude_bands")} <= set(CLIMATES)


def test_keys_of_soil_tables_are_the_climate_keys() -> None:
    allowed = {*CLIMATES, "any"}
    assert {r.keys["climate"] for r in table("soil_factors").rows} <= allowed
    soc = [r for r in table("density").rows if r.coefficient.name == "soc" and r.keys["scheme"].startswith("ipcc_20")]
    assert {r.keys["climate"] for r in soc} <= allowed
    assert len([r for r in soc if r.keys["scheme"] == "ipcc_2019r"]) == 56


# ---------------------------------------------------------------------------- what the parameter sets find


@pytest.mark.parametrize("name", SET_NAMES)
def test_a_set_finds_what_every_forest_needs_without_unverified_numbers(name: str) -> None:
    chosen = parameter_set(name)
    for part, expected in (("agb", 0.47), ("bgb", 0.47), ("deadwood", 0.47), ("litter", 0.37)):
        found = chosen.find(
            "carbon_fraction", "carbon_fraction", ecosystem="forest", forest_type="mixed", component=part
        )
        assert found.value == expected
    mangrove = chosen.find("carbon_fraction", "carbon_fraction", ecosystem="mangrove", forest_type="", component="agb")
    assert mangrove.value == 0.451
    assert chosen.find("volume_ratio", "agb_per_volume").value == pytest.approx(0.742)
    assert chosen.find("deadwood_litter", "deadwood_ratio", climate_domain="temperate_boreal").value == 0.08
    for zone in records("climate_zones"):
        keys = {"ecosystem": "forest", "climate": zone["key"], "depth_cm": "30"}
        assert chosen.has("density", "soc", **keys), zone["key"]


def test_sets_name_only_schemes_that_their_tables_have() -> None:
    for name in SET_NAMES:
        for topic, schemes in parameter_set(name).schemes.items():
            if topic in COEFFICIENTS:
                assert set(schemes) <= {r.keys["scheme"] for r in table(topic).rows}, (name, topic)


def test_soil_reference_stocks_of_both_editions() -> None:
    keys = {"ecosystem": "any", "parameter": "soc", "climate": "cool_temperate_moist", "soil": "HAC"}
    assert values("density", scheme="ipcc_2019r", **keys) == [81]
    assert values("density", scheme="ipcc_2006", **keys) == [95]
    factor = values("soil_factors", scheme="ipcc_2019r", level="long_term_cultivated", climate="cool_temperate_moist")
    assert 81 * factor[0] == pytest.approx(56.7)


def test_mangrove_of_the_wetlands_supplement() -> None:
    chosen = parameter_set("ipcc")
    keys = {"ecosystem": "mangrove", "climate": "subtropical", "soil": "mineral", "depth_cm": "100"}
    agb, dead, litter, soc = (
        chosen.find("density", p, **keys).value for p in ("agb", "deadwood_carbon", "litter_carbon", "soc")
    )
    roots = values("root_shoot", scheme="ipcc_2013ws", ecozone="subtropical", ecosystem="mangrove")[0]
    assert agb * 0.451 * (1 + roots) + dead + litter + soc == pytest.approx(363.7, abs=0.05)


def test_mean_grassland_of_china_is_weighted_by_area() -> None:
    area = {r["key"]: float(r["area_mha"]) for r in records("grassland_types")}
    keys = {"scheme": "ma2016", "ecosystem": "grassland"}
    for parameter in ("agb_carbon", "bgb_carbon", "soc"):
        by_type = {k: values("density", **keys, parameter=parameter, forest_type=k)[0] for k in area}
        mean = sum(area[k] * by_type[k] for k in area) / sum(area.values())
        found = values("density", **keys, parameter=parameter, forest_type="any")
        assert found[0] == pytest.approx(mean, abs=1e-3)


# ---------------------------------------------------------------------------- official figures and targets


def test_provincial_stocks_of_the_ninth_inventory_add_up_to_the_published_total() -> None:
    rows = [r for r in records("official_provinces") if r["inventory"] == "nfi9"]
    assert len(rows) == 31
    assert sum(int(r["forest_stock_m3"]) for r in rows) == 17_058_195_900
    assert sum(int(r["standing_stock_m3"]) for r in rows) == 18_505_098_000
    mainland = next(r for r in records("official_national") if r["scope"] == "china_mainland")
    assert (mainland["stock_m3"], mainland["standing_stock_m3"]) == ("17058195900", "18505098000")


def test_provincial_stocks_of_the_eighth_inventory_add_up() -> None:
    rows = [r for r in records("official_provinces") if r["inventory"] == "nfi8"]
    assert sum(int(r["forest_stock_m3"]) for r in rows) == 14_779_088_200


def test_there_is_no_sum_of_provincial_areas() -> None:
    rows = records("official_provinces")
    assert all(re.fullmatch(r"[1-6]\d0000", r["adcode"]) for r in rows)
    areas = sum(int(r["forest_area_ha"]) for r in rows if r["inventory"] == "nfi9")
    assert areas == pytest.approx(241_453_100, abs=100)
    assert areas > 1.1 * 218_220_500


def test_land_area_is_forest_area_by_coverage() -> None:
    for row in records("official_provinces"):
        implied = float(row["forest_area_ha"]) / float(row["coverage_percent"]) * 100
        assert float(row["land_area_ha"]) == pytest.approx(implied, rel=1e-3), row["name_en"]


def test_national_coverage_fits_one_land_area() -> None:
    rows = {r["year"]: r for r in records("official_national") if r["scope"] == "china"}
    for year in ("2013", "2018", "2021"):
        land = float(rows[year]["forest_area_ha"]) / float(rows[year]["coverage_percent"]) * 100
        assert land == pytest.approx(960.2e6, rel=5e-4)


def test_targets_of_the_guidance_are_exact() -> None:
    assessed = {
        (r["year"], r["indicator"], r["unit"]): float(r["value"])
        for r in records("targets")
        if r["document"] == "guidance_2021" and r["assessed"] == "true"
    }
    assert assessed == {
        ("2025", "forest_coverage", "percent"): 24.1,
        ("2025", "forest_stock", "m3"): 180 * 1e8,
        ("2030", "forest_coverage", "percent"): 25,
        ("2030", "forest_stock", "m3"): 190 * 1e8,
    }
    assert 20_988_000_000 / assessed["2025", "forest_stock", "m3"] == pytest.approx(1.166)


def test_the_misprint_of_180_billion_is_told() -> None:
    row = next(r for r in records("targets") if r["document"] == "guidance_2021" and r["indicator"] == "forest_stock")
    assert "misprints 180 billion" in row["note"]
    assert "180 亿" in row["note"]


def test_targets_are_keyed_by_document_year_and_indicator() -> None:
    keys = [(r["document"], r["year"], r["indicator"]) for r in records("targets")]
    assert len(keys) == len(set(keys))
    stock = {r["document"]: float(r["value"]) for r in records("targets") if r["indicator"] == "forest_stock"}
    assert stock["forestry_plan_14"] == 19e9
    assert stock["master_plan_2035"] == 21e9
    assert stock["ndc_2035"] == 24e9


@pytest.mark.parametrize("name", ["targets", "targets_provincial"])
def test_target_values_are_numbers_and_comparisons_known(name: str) -> None:
    for row in records(name):
        assert math.isfinite(float(row["value"])), row
        assert row["comparison"] in (">=", ">", "<=", "<"), row
        assert row["assessed"] in ("true", "false"), row
        unit = {"forest_coverage": "percent", "tree_cover": "percent", "forest_stock": "m3"}.get(row["indicator"])
        assert unit is None or row["unit"] == unit, row
        if row["indicator"] == "forest_stock":
            assert 1e6 < float(row["value"]) < 1e11, row


def test_tree_cover_of_jiangsu_is_not_taken_for_forest_coverage() -> None:
    rows = [r for r in records("targets_provincial") if r["name_en"] == "Jiangsu"]
    assert {(r["indicator"], r["assessed"]) for r in rows} == {("tree_cover", "false")}


def test_collisions_on_file_are_those_of_the_legends() -> None:
    on_file = defaultdict(list)
    for row in records("code_collisions"):
        on_file[row["legend_a"], row["legend_b"]].append((row["code"], row["ecosystem_a"], row["ecosystem_b"]))
    assert len(on_file["gbt21010_2017", "land_sea_use_2023"]) == 15
    for (a, b), rows in on_file.items():
        assert rows == [(x.code, x.ecosystem, y.ecosystem) for x, y in collisions(a, b)]


def test_tables_parse_with_a_bom_too() -> None:
    text = "\ufeff" + table_text("volume_ratio.csv")
    assert len(Table.parse(text, "volume_ratio.csv").rows) == len(table("volume_ratio").rows)
