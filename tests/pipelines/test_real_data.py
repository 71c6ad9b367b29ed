"""Real rasters: all of China, coarse, against figures computed independently with plain rasterio and NumPy."""

import os
from pathlib import Path

import pandas as pd
import pytest

from pipelines.assess import run
from pipelines.assess.study import checked

DATA = Path(os.environ.get("SINKS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not (DATA / "case_C").is_dir(), reason="the real rasters are not beside this checkout"),
]


@pytest.fixture(scope="module")
def china(tmp_path_factory):
    case = DATA / "case_C"
    options = {
        "landcover": str(case / "landcover_mcd12c1_2019_igbp_0p05deg.tif"), "legend": "mcd12c1",
        "agb": str(case / "agb_globbiomass2010_MgHa_0p25deg.tif"), "soc": str(case / "soc_0_100cm_2010_MgCHa_0p083deg.tif"),
        "regions": str(case / "admin_osm_wgs84.gpkg"), "region_layer": "province", "region_id": "Code_Province",
        "region_name": "Name_Province", "year": 2019, "whole_nation": True, "quiet": True, "parameters": "china",
        "out": str(tmp_path_factory.mktemp("china")),
    }  # fmt: skip
    expected = pd.read_csv(case / "expected_case_C_by_province.csv", dtype={"code": str}).set_index("code")
    return run.assess(checked(options)), expected


def test_national_areas_biomass_and_soil_agree(china):
    done, expected = china
    total, account = expected.loc["00"], done.account
    assert account.area_ha() / 1e6 == pytest.approx(total["area_Mha"], rel=1e-4)
    closed = sum(total[f"igbp{k}_Mha"] for k in range(1, 6))
    assert account.value("area", ecosystem="forest") / 1e6 == pytest.approx(closed + total["igbp8_Mha"], rel=1e-3)
    assert account.value("area", ecosystem="cropland") / 1e6 == pytest.approx(
        total["igbp12_Mha"] + total["igbp14_Mha"], rel=2e-3
    )
    typed = [
        account.value("carbon_agb", ecosystem="forest", forest_type=t) for t in ("needleleaf", "broadleaf", "mixed")
    ]
    assert sum(typed) / 0.47 / 1e6 == pytest.approx(total["agb_in_igbp1_5_Tg"], rel=5e-3)
    assert account.value("carbon_soil") / 1e6 == pytest.approx(total["soc_0_100cm_2010_TgC"], rel=1e-2)


def test_large_provinces_agree(china):
    done, expected = china
    large = expected[(expected["area_Mha"] > 15) & (expected.index != "00")]
    assert len(large) > 15
    for code, row in large.iterrows():
        assert done.account.area_ha(code) / 1e6 == pytest.approx(row["area_Mha"], rel=2e-3), row["name"]
        closed = sum(row[f"igbp{k}_Mha"] for k in (1, 2, 3, 4, 5, 8))
        assert done.account.area_ha(code, "forest") / 1e6 == pytest.approx(closed, rel=1e-2, abs=0.02), row["name"]


def test_the_scorecard_stands_beside_the_official_figures(china):
    done, _ = china
    card = done.scorecard[done.scorecard["role"] == "national"].set_index(["target", "year"])
    assert card.loc[("forest_coverage", 2025), "official_value"] == pytest.approx(25.09)
    assert card.loc[("forest_stock", 2030), "official_value"] == pytest.approx(20.988e9)
    assert 12e9 < card.loc[("forest_stock", 2025), "value"] < 18e9
    beijing = done.scorecard[(done.scorecard["region_id"] == "11") & (done.scorecard["target"] == "forest_coverage")]
    assert beijing["official_value"].iloc[0] == pytest.approx(43.77)


def test_every_check_closes_and_names_are_chinese(china):
    done, _ = china
    assert all(c.closed for c in done.checks)
    assert {r.name for r in done.account.regions} >= {"北京市", "云南省"}
