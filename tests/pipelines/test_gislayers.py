"""The GeoPackage of a run: what its layers hold is what the tables and the manifest hold."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

from pipelines.assess import regiontable, run
from pipelines.assess.study import checked
from pipelines.files import manifest
from scenes import small


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Two regions, of which one has targets of its own."""
    folder = tmp_path_factory.mktemp("layers")
    own = folder / "own.csv"
    own.write_text(
        "region_id,indicator,year,value,unit\n0101,forest_coverage,2025,90,percent\n0101,forest_stock,2025,1,m3\n"
    )
    given = {
        **small(folder),
        "legend": "worldcover",
        "region_id": "code",
        "region_name": "name",
        "draws": 0,
        "quiet": True,
    }
    return run.assess(checked({**given, "targets": str(own), "year": 2023, "out": str(folder / "out")}))


def layer(result, name):
    return pyogrio.read_dataframe(result.out / "assessment.gpkg", layer=name)


def test_a_gap_is_to_the_own_target_else_to_that_of_the_nation(result):
    regions = gpd.read_file(result.out / "assessment.gpkg", layer="regions").set_index("region_id")
    gap = regions["gap_coverage_2025_pct"]
    assert gap["0101"] == pytest.approx(regions["coverage_pct"]["0101"] - 90)
    assert gap["0102"] == pytest.approx(regions["coverage_pct"]["0102"] - 24.1)
    stock = regions["gap_stock_2025_m3"]
    assert stock["0101"] == pytest.approx(regions["stock_m3"]["0101"] - 1)
    assert np.isnan(stock["0102"])  # a county's stock is no match for the nation's
    assert regions["gap_coverage_2030_pct"]["0101"] == pytest.approx(regions["coverage_pct"]["0101"] - 25)


def test_ecosystems_add_up_to_the_account(result):
    found = layer(result, "ecosystems")
    whole = found[found["forest_type"] == "all"]
    for region in ("total", "0101", "0102"):
        own = whole[whole["region_id"] == region]
        assert own["carbon_total_mg"].sum() == pytest.approx(result.account.value("carbon_total", region=region))
        assert own["share_pct"].sum() == pytest.approx(100)
    forest = found[(found["ecosystem"] == "forest") & (found["region_id"] == "total")]
    kinds = forest[forest["forest_type"] != "all"]
    assert kinds["area_ha"].sum() == pytest.approx(forest.loc[forest["forest_type"] == "all", "area_ha"].sum())
    assert dict(zip(found["ecosystem"], found["name_zh"], strict=True))["cropland"] == "农田"
    assert found["name_zh"].notna().all()


def test_one_region_is_part_of_all_regions(result):
    every, one = layer(result, "ecosystems"), regiontable.ecosystem_table(result.account, "0101")
    mine = every[every["region_id"] == "0101"]
    assert list(mine["ecosystem"]) == list(one["ecosystem"])
    np.testing.assert_allclose(mine["area_ha"], one["area"])


def test_provenance_is_the_manifest(result):
    told = layer(result, "provenance").set_index(["section", "item"])["value"]
    about = manifest.read(result.out)
    assert told["inputs", "landcover.path"] == about["inputs"]["landcover"]["path"]
    assert told["versions", "carbon-sinks"] == about["versions"]["carbon-sinks"]
    assert told["study", "legend"] == "worldcover"
    assert [v for (s, _), v in told.items() if s == "warnings"] == about["warnings"]
    assert "outputs" not in set(told.index.get_level_values(0))


def test_coefficients_have_their_sources(result):
    found, table = layer(result, "coefficients"), pd.read_csv(result.out / "coefficients.csv")
    assert len(found) == len(table) > 5
    assert found["source"].notna().all()


def test_every_column_has_a_name(result):
    names = layer(result, "regions").columns
    aliases = regiontable.aliases(layer(result, "region_table"))
    assert set(names) - {"geometry"} <= set(aliases)
    assert aliases["gap_coverage_2025_pct"].text.startswith("Coverage less target 2025 / 森林覆盖率与2025年目标之差")
