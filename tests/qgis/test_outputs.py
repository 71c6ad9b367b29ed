"""Every output opens in a real QGIS as it is meant: drawn, named, placed, without a word of complaint."""

import pytest

pytestmark = [pytest.mark.qgis, pytest.mark.slow]
GRADUATED = {"assessment/regions": "coverage_pct", "change/change": "change_mg_c_per_ha",
             "reserves/reserves": "change_mg_c_per_ha", "reserves/loss_patches": "area_ha"}  # fmt: skip


@pytest.fixture(scope="module")
def seen(home, runs, script, tmp_path_factory):
    """What QGIS says of every file; pictures beside it."""
    folder = tmp_path_factory.mktemp("pictures")
    files = [
        *sorted((runs / "demo" / "maps").glob("*.tif")), *sorted((runs / "change" / "maps").glob("*.tif")),
        runs / "demo" / "assessment.gpkg", runs / "change" / "change.gpkg", runs / "reserves" / "reserves.gpkg",
        runs / "sample.gpkg",
    ]  # fmt: skip
    found, errors = script("look.py", folder, *files)
    return found["layers"], found["messages"], errors, len(files)


def test_every_file_opens_without_a_word(seen):
    layers, messages, errors, files = seen
    assert len(layers) > files
    assert all(layer["valid"] for layer in layers.values())
    assert messages == []
    assert "partially supported" not in errors
    assert "rror" not in errors


def test_maps_in_shards_are_what_the_one_file_is(seen, runs, script, tmp_path):
    maps = runs / "shards" / "maps"
    before = {p: p.read_bytes() for p in maps.iterdir() if p.is_file()}
    found, errors = script("look.py", tmp_path, *sorted(maps.glob("*.vrt")))
    assert found["messages"] == []
    assert "rror" not in errors
    assert len(found["layers"]) > 8
    for name, layer in found["layers"].items():
        assert layer == seen[0][name], name
    assert {p: p.read_bytes() for p in maps.iterdir() if p.is_file()} == before  # there was nothing to compute


def test_maps_are_drawn_in_physical_values(seen):
    layers = seen[0]
    carbon = layers["carbon_total"]
    assert carbon["renderer"] == "singlebandpseudocolor"
    assert carbon["band"] == "Band 1: Total ecosystem carbon 2023"
    assert carbon["scale"] == 0.1
    assert carbon["labels"][0].endswith("Mg C ha-1")
    assert float(carbon["labels"][-1].split()[0]) < 400  # Mg C, not steps of a tenth
    assert carbon["crs"] == "EPSG:4326"
    assert carbon["extent"] == pytest.approx([106, 21.6, 107.6, 23.2])
    assert all(layers[name]["colors"] > 20 for name in ("carbon_total", "carbon_agb", "stock_volume", "carbon_change"))


def test_classes_have_names(seen):
    ecosystem = seen[0]["ecosystem"]
    assert ecosystem["renderer"] == "paletted"
    assert "Mangrove / 红树林" in ecosystem["labels"]
    assert "Seagrass meadow / 海草床" not in ecosystem["labels"]  # there is none on this map
    assert ecosystem["colors"] >= 12
    assert seen[0]["process"]["renderer"] == "paletted"


@pytest.mark.parametrize("name", GRADUATED)
def test_layers_open_coloured_by_their_main_figure(seen, name):
    layer = seen[0][name]
    assert (layer["renderer"], layer["attribute"]) == ("graduatedSymbol", GRADUATED[name])
    assert len(layer["legend"]) >= 2
    assert all(not d["error"] and d["renderer"] == "graduatedSymbol" and d["colors"] > 4 for d in layer["drawn"])


def test_regions_have_styles_to_choose_from(seen):
    styles = seen[0]["assessment/regions"]["styles"]
    assert styles[:2] == ["Forest coverage 森林覆盖率", "Carbon density 碳密度"]
    assert "Coverage gap 覆盖率差距 2025" in styles
    assert seen[0]["assessment/regions"]["features"] == 24
    assert seen[0]["assessment/regions"]["crs"] == "EPSG:4490"


def test_columns_and_codes_are_named_in_two_languages(seen):
    layers = seen[0]
    fields = layers["assessment/regions"]["fields"]
    assert fields["carbon_mg_per_ha"] == "Carbon density / 碳密度 [Mg C/ha]"
    assert (
        fields["gap_coverage_2025_pct"] == "Coverage less target 2025 / 森林覆盖率与2025年目标之差 [percentage points]"
    )
    nameless = {
        f"{name}.{field}" for name, layer in layers.items() for field, alias in layer.get("fields", {}).items()
        if not alias and field != "fid"
    }  # fmt: skip
    assert nameless == set()
    assert layers["assessment/scorecard"]["labels"]["target"] == "Forest coverage / 森林覆盖率"
    assert layers["assessment/regions"]["labels"]["denominator"] == "Official land area / 官方国土面积"


def test_all_layers_are_there(seen):
    names = {n.removeprefix("assessment/") for n in seen[0] if n.startswith("assessment/")}
    assert names == {
        "regions", "region_table", "ecosystems", "account", "coverage", "views", "scorecard", "provenance", "coefficients"
    }  # fmt: skip
    assert seen[0]["assessment/coefficients"]["features"] > 10
    assert seen[0]["assessment/provenance"]["features"] > 30


def test_points_of_a_sample_are_drawn_and_offer_their_labels(seen):
    points = seen[0]["sample/points"]
    assert points["renderer"] == "categorizedSymbol"
    assert points["legend"] == ["To be labelled / 待标注", "Labelled / 已标注"]
    assert points["drawn"][0]["colors"] > 2
