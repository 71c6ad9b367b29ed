"""One account and one set of maps, however the work is cut: blocks, workers, order, tiles, a death in the midst of it."""

import hashlib
import itertools
import random

import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter

from broken import broken_off
from pipelines.assess.run import assess
from pipelines.assess.study import checked
from pipelines.work import walk
from scenes import write_raster, write_regions

SIDE = 2300
WEST, NORTH, PIXEL = 500_000.0, 2_600_000.0, 100.0


def options(folder):
    """Patches of classes with a sea that fills whole blocks, biomass also out at sea, canopy, coarse soil carbon, regions."""
    rng = np.random.default_rng(7)
    ground = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 12)
    ground /= ground.std()
    cover = np.array([10, 20, 30, 40, 90, 77], np.uint8)[np.digitize(ground, [-0.3, 0.0, 0.4, 1.0, 2.2])]
    row, col = np.indices(cover.shape)
    cover[(col > 900 + 200 * np.sin(row / 300)) & (row < 1900)] = 0
    agb = np.clip(80 + 60 * ground, 0, None).astype(np.float32)
    agb[rng.random(agb.shape) < 0.01] = -9999
    canopy = np.clip(30 + 25 * ground, 0, 100).astype(np.uint8)
    soc = rng.uniform(20, 200, (SIDE // 10, SIDE // 10)).astype(np.float32)
    half = WEST + 1150 * PIXEL
    return {
        "landcover": str(write_raster(folder / "lc.tif", cover, nodata=0)),
        "agb": str(write_raster(folder / "agb.tif", agb, nodata=-9999.0)),
        "canopy": str(write_raster(folder / "canopy.tif", canopy)),
        "soc": str(write_raster(folder / "soc.tif", soc, pixel=10 * PIXEL)),
        "regions": str(write_regions(
            folder / "regions.gpkg", [(WEST, NORTH - 2e5, half, NORTH), (half, NORTH - 1.5e5, WEST + 2e5, NORTH)],
            code=["a", "b"], name=["a", "b"],
        )),
        "legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "year": 2020, "quiet": True,
        "maps": ["ecosystem", "carbon_total", "stock_volume"], "draws": 100,
    }  # fmt: skip


def tiles(path, folder, cuts):
    """The same raster in tiles cut at these rows and columns."""
    made = []
    with rasterio.open(path) as d:
        data, nodata = d.read(1), d.nodata
    rows, cols = ([0, *sorted(c), SIDE] for c in cuts)
    for r0, r1 in itertools.pairwise(rows):
        for c0, c1 in itertools.pairwise(cols):
            at = (WEST + PIXEL * c0, NORTH - PIXEL * r0)
            made.append(str(write_raster(folder / f"{r0}_{c0}.tif", data[r0:r1, c0:c1], origin=at, nodata=nodata)))
    return made


def outputs(out):
    """Digest of every output; of tables without the column that names the land-cover file."""
    found = {p.name: p.read_bytes() for p in sorted((out / "maps").iterdir())}
    for path in sorted(out.glob("*.csv")):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        found[path.name] = table.drop(columns="basis", errors="ignore").to_csv(index=False).encode()
    return {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bits")
    found = options(folder)
    assess(checked({**found, "out": str(folder / "whole"), "block_size": 4096, "workers": 1}))
    return found, outputs(folder / "whole")


CUT = st.lists(st.integers(1, SIDE - 1), min_size=1, max_size=3, unique=True)


@settings(max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    block=st.sampled_from([1024, 2048, 3072]), workers=st.integers(1, 4), seed=st.integers(0, 999),
    cut=st.none() | st.tuples(CUT, CUT), dies=st.none() | st.integers(0, 8),
)  # fmt: skip
def test_the_same_bytes_however_the_work_is_cut(scene, tmp_path_factory, monkeypatch, block, workers, seed, cut, dies):
    folder = tmp_path_factory.mktemp("cut")
    found, whole = scene
    order = random.Random(seed)
    given = {**found, "block_size": block, "workers": workers}
    if cut is not None:
        given["landcover"] = tiles(found["landcover"], folder, cut)
        order.shuffle(given["landcover"])
    run = walk.graph.run

    def in_any_order(items, task, *more):
        mixed = order.sample(range(len(items)), len(items))
        done = run([items[n] for n in mixed], task, *more)
        return [value for _, value in sorted(zip(mixed, done, strict=True), key=lambda pair: pair[0])]

    with monkeypatch.context() as patch:
        patch.setattr(walk.graph, "run", in_any_order)
        if dies is not None and dies < -((-SIDE // block) ** 2):
            broken_off(monkeypatch, given, folder / "out", after=dies)
        assess(checked({**given, "out": str(folder / "out")}))
    made = outputs(folder / "out")
    assert made.keys() == whole.keys()
    for name in whole:
        assert made[name] == whole[name], name


def test_the_sea_is_not_read_and_adds_its_area_only(scene, tmp_path, monkeypatch):
    """Blocks without land cover are nodata in the account, whatever other layers hold there, and even if that cannot be."""
    found, whole = scene
    with rasterio.open(found["canopy"]) as d, rasterio.open(found["landcover"]) as c:
        canopy, cover = d.read(1), c.read(1)
    canopy[cover == 0] = 200  # percent: an error wherever there is land
    given = {**found, "canopy": str(write_raster(tmp_path / "canopy.tif", canopy)), "block_size": 1024}
    assess(checked({**given, "out": str(tmp_path / "out")}))
    assert outputs(tmp_path / "out") == whole
    account = pd.read_csv(tmp_path / "out" / "accounts.csv")
    area = account[(account["quantity"] == "area") & (account["region_id"] == "total")].set_index("ecosystem")["value"]
    sea = cover == 0
    inside = sea[:2000, :1150].sum() + sea[:1500, 1150:2000].sum()  # the two regions
    assert area["nodata"] == pytest.approx(inside, rel=1e-3)  # a pixel is about a hectare


BIG = 46_400
"""Squared, it is beyond what 31 bits can count."""
SPAN = 20.0
"""Degrees along each side."""


@pytest.mark.slow
def test_more_pixels_of_one_class_than_31_bits_can_count(tmp_path):
    """Four pixels stretched by a virtual raster over 2.15 billion: counts and areas against what geometry says."""
    paths = {}
    for name, value in {"lc": 10, "agb": 120}.items():
        tiny = write_raster(tmp_path / f"{name}.tif", np.full((2, 2), value, np.uint8))
        paths[name] = tmp_path / f"{name}.vrt"
        crs = rasterio.CRS.from_epsg(4326).to_wkt()
        a, b, c, d, e, f = from_origin(90.0, SPAN, SPAN / BIG, SPAN / BIG)[:6]
        paths[name].write_text(
            f'<VRTDataset rasterXSize="{BIG}" rasterYSize="{BIG}"><SRS>{crs.replace("<", "&lt;")}</SRS>'
            f"<GeoTransform>{c}, {a}, {b}, {f}, {d}, {e}</GeoTransform>"
            f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{tiny}</SourceFilename>'
            f'<SrcRect xOff="0" yOff="0" xSize="2" ySize="2"/><DstRect xOff="0" yOff="0" xSize="{BIG}" ySize="{BIG}"/>'
            "</SimpleSource></VRTRasterBand></VRTDataset>",
            encoding="utf-8",
        )
    given = {
        "landcover": str(paths["lc"]), "agb": str(paths["agb"]), "legend": "worldcover", "parameters": "china",
        "climate": "warm_temperate_moist", "maps": ["none"], "workers": 2, "quiet": True, "draws": 100,
    }  # fmt: skip
    result = assess(checked({**given, "out": str(tmp_path / "out")}))
    assert int(result.account.strata["pixels"].sum()) == BIG**2 > 2**31
    to_equal_area = pyproj.Transformer.from_crs(4326, 6933, always_xy=True)
    (west, east), (south, north) = to_equal_area.transform([90.0, 90.0 + SPAN], [0.0, SPAN])
    assert result.account.area_ha(ecosystem="forest") == pytest.approx((east - west) * (north - south) / 1e4, rel=1e-9)
