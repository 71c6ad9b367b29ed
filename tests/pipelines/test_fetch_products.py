"""Fetching products that are no plain tiles: a STAC search, other projections, months, a profile, a mirror."""

from dataclasses import replace

import numpy as np
import pyproj
import pytest
import rasterio
from shapely.geometry import box

from fetchscene import lay_cover, order, put, read, regions, small
from pipelines.assess import run
from pipelines.assess.study import from_toml
from pipelines.fetch import register
from pipelines.fetch.fetch import fetch
from pipelines.files import manifest
from sinks.climate import thornthwaite_year

# ------------------------------------------------------------------------------------------ products of other kinds


def test_a_stac_search_finds_tiles_of_other_projections_page_by_page(globe, tmp_path):
    zone = {47: (102.0, 500_000.0), 48: (108.0, 300_000.0)}
    for number, (_, west) in zone.items():
        values = np.full((400, 600), number - 40, np.uint8)
        put(globe, f"lulc/{number}R.tif", west, 2_820_000.0, values, nodata=0, crs=f"EPSG:326{number}", pixel=1000.0)
    boxes = {47: [102.0, 21.8, 107.0, 25.5], 48: [104.9, 21.8, 111.0, 25.5]}
    about = {"start_datetime": "2021-01-01T00:00:00Z"}
    items = [
        {"id": f"{n}R", "bbox": b, "properties": about, "assets": {"data": {"href": f"{globe.url}/lulc/{n}R.tif"}}}
        for n, b in boxes.items()
    ]
    items += [{**items[0], "id": "last year", "properties": {"start_datetime": "2020-01-01T00:00:00Z"}}]
    globe.tell(page=1, items=items)
    region = regions(tmp_path / "r.gpkg", box(103, 23, 108.5, 25))
    product = replace(small("io_lulc", 60), base=globe.url)
    found = fetch(replace(order(globe, tmp_path / "out", region), products=[product]))
    values, place, _ = read(found.out / "landcover.tif")
    assert values[tuple(int(v) for v in (~place * (103.5, 24))[::-1])] == 7
    assert values[tuple(int(v) for v in (~place * (108.2, 24))[::-1])] == 8
    state = globe.state()
    assert state["wanted"]["collections"] == ["io-lulc-annual-v02"]
    assert state["wanted"]["datetime"].startswith("2021-01-01")
    assert state["tokens"] == 2  # one for looking, one for reading
    assert all("sig=secret" in p for p in globe.reads())
    assert "secret" not in (found.out / "sources.json").read_text(encoding="utf-8")


def test_a_globe_in_another_projection_is_brought_to_degrees(globe, tmp_path):
    lay_cover(globe, (99, 24))
    igh = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
    x, y = pyproj.Transformer.from_crs("EPSG:4326", igh, always_xy=True).transform(100.25, 25.0)
    values = np.full((200, 200), 55, np.int16)
    values[:, 100:] = -32768  # the stock ends where the region's middle is
    put(globe, "soil/ocs/ocs_0-30cm_mean.vrt", x - 200_000, y + 200_000, values, nodata=-32768, crs=igh, pixel=2000.0)
    soil = replace(small("soilgrids", 48), base=f"{globe.url}/soil")
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 25.5))
    asked = order(globe, tmp_path / "out", region)
    found = fetch(replace(asked, products=[*asked.products, soil]))
    with rasterio.open(found.out / "soc.tif") as d:
        values, unit, place = d.read(1), d.units[0], d.transform
    assert unit == "Mg C ha-1"
    assert set(np.unique(values)) <= {55, -32768}
    row, col = (int(v) for v in (~place * (100.25, 25.0))[::-1])
    assert values[row, col - 3] == 55
    assert values[row, col + 3] == -32768
    assert 'soc = "soc.tif"\nsoil_depth = 30\n' in found.assessment.read_text(encoding="utf-8")


def test_months_become_the_evapotranspiration_that_climate_zones_take(globe, tmp_path):
    lay_cover(globe, (99, 24))
    months = [5, 6, 10, 15, 20, 23, 26, 26, 22, 17, 12, 7]
    bases = {"chelsa_temperature": ("bio/CHELSA_bio1", 15.7), "chelsa_coldest_month": ("bio/CHELSA_bio6", 1.0)}
    bases |= {f"month {n}": (f"tas/CHELSA_tas_{n:02d}", t) for n, t in enumerate(months, start=1)}

    def lay(path, stored):
        put(
            globe,
            f"ch/{path}_1981-2010_V.2.1.tif",
            95.0,
            30.0,
            np.full((120, 120), stored, np.uint16),
            12,
            nodata=65535,
        )

    for path, celsius in bases.values():
        lay(path, round((celsius + 273.15) * 10))
    lay("bio/CHELSA_bio12", 15_000)
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 25.5))
    asked = order(globe, tmp_path / "out", region)
    climate = [
        replace(small(p.name, 12), base=f"{globe.url}/ch") for p in register.products().values() if p.group == "climate"
    ]
    found = fetch(replace(asked, products=[*asked.products, *climate]))
    with rasterio.open(found.out / "pet.tif") as d:
        pet, north = d.read(1) * d.scales[0] + d.offsets[0], d.transform.f
    stored = np.round((np.asarray(months, float) + 273.15) * 10) * 0.1 - 273.15
    rows = north - (np.arange(len(pet)) + 0.5) / 12
    assert pet[:, 0] == pytest.approx([thornthwaite_year(stored[:, None], np.array([y]))[0] for y in rows], abs=0.051)
    assert (pet == pet[:, :1]).all()
    assert 776 < pet.min() < pet.max() < 850  # 775.9 where days have 12 hours
    with rasterio.open(found.out / "warmest_month.tif") as d:
        assert np.unique(d.read(1) * d.scales[0] + d.offsets[0]) == pytest.approx([26.0], abs=0.06)
    study = from_toml(found.assessment, out=str(tmp_path / "result"), maps="none", draws=0, quiet=True)
    notes = run.assess(study).notes
    assert any("climate zones from temperature, rain and evapotranspiration" in n for n in notes)


def test_a_soil_profile_is_fetched_whole_and_assessed(globe, tmp_path):
    lay_cover(globe, (99, 24))
    stored = {"soc": 250, "bdod": 120, "cfvo": 100}  # 25 g/kg, 1.2 g/cm3, a tenth of stones
    for name, value in stored.items():
        for depth in ("0-5", "5-15", "15-30", "30-60", "60-100"):
            path = f"soil/{name}/{name}_{depth}cm_mean.vrt"
            put(globe, path, 99.0, 27.0, np.full((144, 144), value, np.int16), 48, nodata=-32768)
    soil = replace(small("soilgrids_profile", 48), base=f"{globe.url}/soil")
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 25.5))
    asked = order(globe, tmp_path / "out", region)
    found = fetch(replace(asked, products=[*asked.products, soil]))
    assert len(list((found.out / "soil_profile").glob("*_mean.tif"))) == 15
    study = from_toml(found.assessment, out=str(tmp_path / "result"), maps="none", draws=0, quiet=True)
    result = run.assess(study)
    tidy = result.account.tidy
    top = tidy[(tidy["region_id"] == "total") & (tidy["ecosystem"] == "forest") & (tidy["forest_type"] == "all")]
    known = top.set_index("quantity")["value"]
    assert known["carbon_soil"] / known["area"] == pytest.approx(270.0)  # 0.1 · 25 · 1.2 · 100 cm · 0.9
    assert {e["product"] for e in manifest.read(tmp_path / "result")["data_sources"]} == {
        "worldcover",
        "soilgrids_profile",
    }


def test_a_folder_with_the_same_layout_is_a_mirror(globe, tmp_path):
    lay_cover(globe, (99, 24))
    region = regions(tmp_path / "r.gpkg", box(99.5, 24.5, 101, 26))
    asked = order(globe, tmp_path / "out", region)
    local = [replace(p, base=str(tmp_path / "globe" / "wc")) for p in asked.products]
    found = fetch(replace(asked, products=local))
    assert globe.state()["asked"] == []
    assert (read(found.out / "landcover.tif")[0] > 0).all()
