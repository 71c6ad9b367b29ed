"""The sample region: made again it is the same, it is small, plausible and labelled synthetic."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from pyproj import Geod
from rasterio.warp import transform_bounds
from scipy import ndimage

DATA = Path(__file__).parents[1] / "sample_data"
RASTERS = (
    ("landcover_2023.tif", "EPSG:4326", "uint8", 0, 1.0, None),
    ("landcover_2013.tif", "EPSG:4326", "uint8", 0, 1.0, None),
    ("agb_2013.tif", "EPSG:32648", "int16", -9999, 1.0, "Mg/ha"),
    ("agb_sd_2013.tif", "EPSG:32648", "int16", -9999, 1.0, "Mg/ha"),
    ("agb_2023.tif", "EPSG:32648", "int16", -9999, 1.0, "Mg/ha"),
    ("agb_sd_2023.tif", "EPSG:32648", "int16", -9999, 1.0, "Mg/ha"),
    ("climate_zone.tif", "EPSG:4326", "uint8", 0, 1.0, None),
    ("soc_0_100cm.tif", "EPSG:4326", "uint16", 65535, 0.1, "Mg C/ha"),
    ("karst_carbonate_fraction.tif", "EPSG:4326", "uint8", 255, 0.01, "fraction"),
    ("runoff_mm.tif", "EPSG:4326", "int16", -9999, 1.0, "mm"),
    ("bicarbonate_mmol_l.tif", "EPSG:4326", "uint16", 65535, 0.01, "mmol/L"),
)
NAMES = [row[0] for row in RASTERS]
TEXTS = ("regional_targets.csv", "pools_invest.csv", "assessment.toml", "change.toml")
FORESTS = (1, 2, 3, 4, 9)


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample region made a second time."""
    out = tmp_path_factory.mktemp("sample")
    spec = importlib.util.spec_from_file_location("sample_generate", DATA / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        module.generate(out)
    finally:
        del sys.modules[spec.name]
    return out


def pixels(name: str) -> np.ndarray:
    with rasterio.open(DATA / name) as file:
        return file.read(1)


def counties() -> gpd.GeoDataFrame:
    return gpd.read_file(DATA / "counties.gpkg", layer="counties")


@pytest.mark.parametrize("name", NAMES)
def test_made_again_the_rasters_are_the_same(again: Path, name: str) -> None:
    with rasterio.open(DATA / name) as old, rasterio.open(again / name) as new:
        assert (new.crs, new.transform, new.nodata) == (old.crs, old.transform, old.nodata)
        # another build of the FFT may round a few pixels to the other side
        assert np.mean(old.read(1) == new.read(1)) > 0.999


def test_made_again_the_counties_are_the_same(again: Path) -> None:
    old, new = counties(), gpd.read_file(again / "counties.gpkg")
    assert list(new["adcode"]) == list(old["adcode"])
    assert list(new["name"]) == list(old["name"])
    assert np.allclose(new["land_area_ha"], old["land_area_ha"], rtol=1e-3)
    difference = shapely.area(shapely.symmetric_difference(old.geometry.to_numpy(), new.geometry.to_numpy()))
    assert (difference < 1e-3 * shapely.area(old.geometry.to_numpy())).all()


@pytest.mark.parametrize("name", TEXTS)
def test_made_again_the_tables_are_the_same(again: Path, name: str) -> None:
    assert (again / name).read_bytes() == (DATA / name).read_bytes()


def test_the_folder_is_small() -> None:
    files = [f for f in DATA.iterdir() if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 1_400_000


@pytest.mark.parametrize(("name", "crs", "dtype", "nodata", "scale", "unit"), RASTERS)
def test_rasters_say_what_they_are(
    name: str, crs: str, dtype: str, nodata: int, scale: float, unit: str | None
) -> None:
    with rasterio.open(DATA / name) as file:
        assert file.crs.to_string() == crs
        assert file.dtypes == (dtype,)
        assert file.nodata == nodata
        assert file.scales == (scale,)
        assert file.units == (unit,)
        assert file.descriptions[0]
        assert file.tags()["SYNTHETIC"] == "yes"
        assert "no real place" in file.tags()["TIFFTAG_IMAGEDESCRIPTION"]


def test_the_readme_begins_with_what_matters() -> None:
    first = (DATA / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert "SYNTHETIC" in first
    assert "no real place" in first


def test_the_readme_lists_every_raster() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []


def test_the_readme_has_the_checksum_of_every_file() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", text, re.MULTILINE))
    kept = [f for f in DATA.iterdir() if f.is_file() and f.suffix not in (".md", ".py")]
    assert listed == {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in kept}


def test_land_cover_grid() -> None:
    with rasterio.open(DATA / "landcover_2023.tif") as file:
        assert file.shape == (800, 800)
        assert file.block_shapes == [(256, 256)]
        assert file.compression.value == "DEFLATE"
        assert file.transform[:6] == pytest.approx((0.002, 0, 106.0, 0, -0.002, 23.2))


def test_class_shares_are_plausible() -> None:
    cover = pixels("landcover_2023.tif")
    share = {code: float(np.mean(cover == code)) for code in range(14)}
    land = 1 - share[0] - share[13]
    assert 0.4 < sum(share[code] for code in FORESTS) / land < 0.6
    assert 0.003 < share[0] < 0.008
    assert min(share[code] for code in range(1, 14)) > 0.003
    assert set(np.unique(cover)) == {*range(14), 99}
    assert np.count_nonzero(cover == 99) == 40


def test_land_cover_is_in_patches_not_in_noise() -> None:
    cover = pixels("landcover_2023.tif")
    assert np.mean(cover[:, 1:] == cover[:, :-1]) > 0.85


def test_sea_is_in_the_south_and_mangroves_at_the_coast() -> None:
    cover = pixels("landcover_2023.tif")
    assert np.mean(cover[650:] == 13) > 0.4
    assert np.mean(cover[:200] == 13) < 0.02
    assert np.nonzero(cover == 9)[0].min() > 400


def test_karst_is_in_the_south_west_of_the_land() -> None:
    karst = pixels("karst_carbonate_fraction.tif").astype(float)
    karst[karst == 255] = np.nan
    assert np.nanmax(karst) == 100
    assert np.nanmean(karst[60:130, :80]) > 4 * np.nanmean(karst[:, 100:])


def test_biomass_is_in_range() -> None:
    agb, sd = pixels("agb_2023.tif"), pixels("agb_sd_2023.tif")
    assert 0 < np.mean(agb == -9999) < 0.01
    assert ((agb == -9999) == (sd == -9999)).all()
    known = agb != -9999
    assert agb[known].min() == 0
    assert agb[known].max() == 220
    assert (sd[known] <= agb[known]).all()


def test_biomass_reaches_beyond_the_land_cover() -> None:
    with rasterio.open(DATA / "landcover_2023.tif") as cover, rasterio.open(DATA / "agb_2023.tif") as agb:
        left, bottom, right, top = transform_bounds(cover.crs, agb.crs, *cover.bounds)
        assert agb.bounds.left < left
        assert agb.bounds.bottom < bottom
        assert agb.bounds.right > right
        assert agb.bounds.top > top


@pytest.mark.parametrize(
    ("name", "scale", "least", "most"),
    [("soc_0_100cm.tif", 0.1, 40, 200), ("bicarbonate_mmol_l.tif", 0.01, 2, 5), ("runoff_mm.tif", 1, 300, 2000)],
)
def test_context_layers_are_in_range(name: str, scale: float, least: float, most: float) -> None:
    with rasterio.open(DATA / name) as file:
        values = file.read(1, masked=True).compressed() * scale
    assert least <= values.min()
    assert values.max() <= most


def test_climate_is_warmer_on_the_coast() -> None:
    zone = pixels("climate_zone.tif")
    assert set(np.unique(zone)) == {3, 5}
    assert (zone[0] == 5).all()
    assert (zone[-1] == 3).all()


def test_counties_neither_overlap_nor_leave_gaps() -> None:
    table = counties()
    shapes = table.geometry.to_numpy()
    assert table.crs.to_epsg() == 4490
    assert shapely.is_valid(shapes).all()
    union = shapely.union_all(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(union.area, rel=1e-9)
    assert [len(part.interiors) for part in union.geoms if part.interiors] == []
    mainland = max(union.geoms, key=lambda part: part.area)
    assert mainland.area > 0.98 * union.area


def test_some_counties_have_islands() -> None:
    table = counties()
    several = table["adcode"][shapely.get_num_geometries(table.geometry.to_numpy()) > 1]
    assert list(several) == ["990123", "990124"]


def test_mainland_is_in_a_county_but_for_the_rim() -> None:
    with rasterio.open(DATA / "landcover_2023.tif") as file:
        cover, grid = file.read(1), file.transform
    parts, _ = ndimage.label(cover != 13)  # gaps too: one of them cuts a headland off
    mainland = parts == np.bincount(parts[parts > 0]).argmax()
    outside = rasterio.features.geometry_mask(counties().geometry, cover.shape, grid)
    inner = np.zeros(cover.shape, bool)
    inner[40:-40, 40:-40] = True
    assert np.mean(outside[mainland & inner]) < 0.01


def test_counties_are_named_and_one_reaches_north_of_the_land_cover() -> None:
    table = counties()
    assert list(table["adcode"]) == [str(code) for code in range(990101, 990125)]
    assert table["name"].is_unique
    assert table["name_en"].is_unique
    assert list(table["adcode"][table.bounds["maxy"] > 23.2]) == ["990102"]
    assert table.total_bounds[[0, 1]] == pytest.approx([106.0, 21.6], abs=0.1)
    assert table.total_bounds[2] < 107.6


def test_registered_areas_are_near_those_of_the_outlines() -> None:
    table = counties()
    geod = Geod(ellps="GRS80")
    area = np.array([abs(geod.geometry_area_perimeter(shape)[0]) / 1e4 for shape in table.geometry])
    assert np.abs(table["land_area_ha"] / area - 1).max() < 0.0031


def test_the_shapefile_is_gbk_and_does_not_say_so() -> None:
    assert not (DATA / "counties_gbk.cpg").exists()
    raw = (DATA / "counties_gbk.dbf").read_bytes()
    text = raw.decode("gb18030", errors="replace")
    assert [name for name in counties()["name"] if name not in text] == []
    with pytest.raises(UnicodeDecodeError):
        raw[raw[8] + 256 * raw[9] :].decode("utf-8")


def test_the_shapefile_has_the_same_counties() -> None:
    rough = gpd.read_file(DATA / "counties_gbk.shp", encoding="gb18030")
    fine = counties()
    assert list(rough["name"]) == list(fine["name"])
    assert (
        shapely.get_num_coordinates(rough.geometry.to_numpy()).sum()
        < 0.7 * shapely.get_num_coordinates(fine.geometry.to_numpy()).sum()
    )


def test_pools_and_targets_fit_the_region() -> None:
    with (DATA / "pools_invest.csv").open(encoding="utf-8", newline="") as file:
        assert [int(row["lucode"]) for row in csv.DictReader(file)] == list(range(1, 14))
    with (DATA / "regional_targets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["region_id"] for row in rows} <= set(counties()["adcode"])
    assert {row["unit"] for row in rows} == {"percent", "1e4 m3"}


def test_the_assessment_names_files_that_are_there() -> None:
    study = tomllib.loads((DATA / "assessment.toml").read_text(encoding="utf-8"))
    files = [value for value in study.values() if isinstance(value, str) and "." in value]
    assert len(files) == 10
    assert [name for name in files if not (DATA / name).is_file()] == []
