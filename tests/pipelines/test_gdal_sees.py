"""What GDAL's own programs say of our maps: the validator of Cloud-Optimized GeoTIFFs, and gdalinfo."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from test_maps import CARBON, ECOSYSTEM, carbon_array, finish

PYTHON = "/usr/bin/python3"
_VALIDATOR = "osgeo_utils.samples.validate_cloud_optimized_geotiff"


def has_validator():
    if not Path(PYTHON).exists():
        return False
    done = subprocess.run([PYTHON, "-c", f"import {_VALIDATOR}"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """A map of densities and one of classes, in several tiles with overviews."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("density", "class"))
    classes = np.random.default_rng(4).choice(np.array([0, 1, 3, 9], np.uint8), (1300, 1100))
    return finish(CARBON, carbon_array(), one), finish(ECOSYSTEM, classes, two)


def info(path):
    if shutil.which("gdalinfo") is None:
        pytest.skip("gdalinfo is not installed (apt-get install gdal-bin)")
    done = subprocess.run(["gdalinfo", "-json", "-hist", str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["bands"][0]


@pytest.mark.skipif(not has_validator(), reason="GDAL's validator is not installed (apt-get install python3-gdal)")
def test_gdals_validator_and_rio_cogeo_agree(maps):
    for path in maps:
        done = subprocess.run([PYTHON, "-m", _VALIDATOR, str(path)], capture_output=True, text=True, check=False)
        assert "is a valid cloud optimized GeoTIFF" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0
        assert "following warnings" not in done.stdout
        assert cog_validate(path, strict=True, quiet=True) == (True, [], [])


def test_the_histogram_is_the_one_gdal_would_count(maps):
    array = carbon_array()
    before = maps[0].with_name(maps[0].name + ".aux.xml").read_bytes()
    told = info(maps[0])["histogram"]
    valid = array[array != 65535]
    counted = np.histogram(valid, told["count"], (told["min"], told["max"]))[0]
    assert told["buckets"] == counted.tolist()
    assert sum(told["buckets"]) == valid.size
    # It was there already: GDAL had nothing to compute and to write down.
    assert maps[0].with_name(maps[0].name + ".aux.xml").read_bytes() == before


def test_the_file_and_its_sidecar_tell_the_rest(maps):
    carbon, classes = (info(path) for path in maps)
    assert (carbon["unit"], carbon["scale"], carbon["offset"]) == ("Mg C ha-1", 0.1, 0.0)
    assert carbon["description"] == "Total ecosystem carbon 2020"
    assert carbon["overviews"]
    assert float(carbon["metadata"][""]["STATISTICS_MEAN"]) > 0
    assert classes["colorInterpretation"] == "Palette"
    text = subprocess.run(["gdalinfo", str(maps[1])], capture_output=True, text=True, check=True).stdout
    assert "1: Forest / 森林" in text
    assert "<GDALRasterAttributeTable" in text
    assert classes["colorTable"]["entries"][1] == [0, 100, 0, 255]


def test_without_its_sidecar_a_map_still_has_units_colours_and_names(maps, tmp_path):
    for path in maps:
        shutil.copy(path, tmp_path)
    with rasterio.open(tmp_path / maps[0].name) as d:
        assert (d.units, d.scales) == (("Mg C ha-1",), (0.1,))
        assert "STATISTICS_MEAN" in d.tags(1)
    with rasterio.open(tmp_path / maps[1].name) as d:
        assert d.colormap(1)[1] == (0, 100, 0, 255)
        assert d.tags(1)["flag_meanings_zh"].split()[0] == "森林"
