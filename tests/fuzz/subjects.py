"""What is fuzzed: whole files of every kind that people hand in, and what the program does with each."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyproj
import rasterio

sys.path.insert(0, str(Path(__file__).parents[1] / "pipelines"))

from pipelines.assess import check, rollup, run, study
from pipelines.change import changestudy
from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.files.text import read_text
from pipelines.inputs import align, layerfiles, preflight, soilprofile, sources, zones
from pipelines.inputs.grid import Block
from pipelines.samples import plots, samplefile
from pipelines.verbs import scorecards
from pipelines.work import cluster
from scenes import UTM, small, write_raster, write_regions
from sinks import invest, legends, parameterfiles, targets, valuation

SIDE: Final = 24
LC: Final = "lc.tif"


@dataclass(frozen=True)
class Subject:
    """files : names of the parts that may be damaged, in the folder of whole ones; use : what is done with a damaged folder."""

    files: tuple[str, ...]
    use: Callable[[Path], object]


# ------------------------------------------------------------------------------------------ uses


def raster(name: str, kind: str, **own: str) -> Callable[[Path], object]:
    """Open, describe, align to the grid, read, look at: all that a run does with a raster before it counts."""

    def use(folder: Path) -> object:
        grid = sources.grid_of(sources.inspect(layerfiles.make_layer("landcover", "class", str(folder / LC), folder)))
        source = sources.inspect(layerfiles.make_layer("agb", kind, str(folder / name), folder, **own))
        if source.width * source.height > 10**8:  # honest, perhaps, but not for a fuzzer
            return "large"
        values = align.read(align.plan(source, grid), Block(0, 0, 0, SIDE, SIDE))
        if kind == "density":
            assert values.data.dtype == np.float32
            preflight.check_biomass(source, "agb")
        align.close()
        return values.data.shape

    return use


def regions(name: str) -> Callable[[Path], object]:
    def use(folder: Path) -> object:
        grid = sources.grid_of(sources.inspect(layerfiles.make_layer("landcover", "class", str(folder / LC), folder)))
        found = zones.read_regions(str(folder / name), grid=grid)
        return zones.label(found, Block(0, 0, 0, SIDE, SIDE)).max()

    return use


def text(name: str, read: Callable[[str, str], object]) -> Callable[[Path], object]:
    return lambda folder: read(read_text(folder / name).text, name)


def assessment(folder: Path) -> object:
    return check.check(study.from_toml(folder / "assessment.toml"))


def whole_run(folder: Path, out: str = "out", **given: str) -> object:
    """An assessment to its end, with a damaged raster."""
    shutil.rmtree(folder / out, ignore_errors=True)
    paths = given or {"landcover": LC, "agb": "agb.tif", "regions": "regions.gpkg"}
    options = {k: str(folder / v) for k, v in paths.items()} | {"out": str(folder / out), "legend": "worldcover"}
    more = {"parameters": "china", "climate": "warm_temperate_moist", "quiet": True, "draws": 100, "workers": 1}
    found = run.assess(study.checked({**options, **more, "maps": "carbon_total"}))
    values = found.account.tidy["value"].to_numpy(float)
    assert np.isfinite(values).all()
    assert (found.account.tidy.query("quantity == 'area'")["value"] >= 0).all()
    return found.pixels


def finished(folder: Path) -> object:
    """Everything that reads the output of a run."""
    home = folder / "out"
    scorecards.of_run(home, None, targets.GUIDANCE, False, None, "reference")
    shutil.rmtree(folder / "nation", ignore_errors=True)
    rollup.rollup([home, folder / "east"], folder / "nation")
    about = manifest.read(home)
    return manifest.damaged(home, about, list(about["outputs"]))


def started(folder: Path) -> object:
    with cluster._started(str(folder / "cluster.toml")):
        return None


# ------------------------------------------------------------------------------------------ whole files


def _text(folder: Path, name: str, content: str, encoding: str = "utf-8") -> None:
    (folder / name).write_text(content, encoding=encoding)


def _rasters(folder: Path) -> None:
    given = small(folder, SIDE)
    rng = np.random.default_rng(3)
    with rasterio.open(given["agb"]) as d:
        agb = d.read(1)
    write_raster(
        folder / "deflate.tif",
        agb,
        nodata=-9999.0,
        compress="deflate",
        predictor=3,
        tiled=True,
        blockxsize=16,
        blockysize=16,
    )
    write_raster(folder / "big.tif", agb.astype(np.uint16), BIGTIFF="YES", compress="lzw")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        folder / "masked.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype="uint8", crs=UTM,
        transform=rasterio.transform.from_origin(5e5, 2.6e6, 100, 100),
    ) as d:  # fmt: skip
        d.write(rng.integers(0, 200, (1, SIDE, SIDE), dtype=np.uint8))
        d.write_mask(rng.random((SIDE, SIDE)) > 0.3)
        d.scales, d.offsets = (0.5,), (1.0,)
    write_raster(
        folder / "coarse.tif",
        rng.random((7, 9)).astype(np.float64),
        crs="EPSG:4326",
        pixel=0.01,
        origin=(110.98, 23.55),
    )
    for name, driver in (
        ("a.img", "HFA"),
        ("a.asc", "AAIGrid"),
        ("a.envi", "ENVI"),
        ("a.png", "PNG"),
        ("a.jp2", "JP2OpenJPEG"),
        ("a.grd", "GSBG"),
    ):
        data = agb.astype(np.uint8) if driver in ("PNG", "JP2OpenJPEG") else agb
        write_raster(folder / f"for_{driver}.tif", data, nodata=None if data.dtype == np.uint8 else -9999.0)
        with rasterio.open(folder / f"for_{driver}.tif") as d:
            from rasterio.shutil import copy

            copy(d, str(folder / name), driver=driver, **({"WORLDFILE": "YES"} if driver == "PNG" else {}))
    band = (
        f'<VRTRasterBand dataType="Float32" band="1"><NoDataValue>-9999</NoDataValue><SimpleSource><SourceFilename relativeToVRT="1">'
        f'agb.tif</SourceFilename><SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"/>'
        f'<DstRect xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"/></SimpleSource></VRTRasterBand>'
    )
    _text(folder, "a.vrt", f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>EPSG:32649</SRS><GeoTransform>500000, 100, 0, '
                           f"2600000, 0, -100</GeoTransform>{band}</VRTDataset>")  # fmt: skip


def _vectors(folder: Path) -> None:
    west, north, span = 5e5, 2.6e6, 100.0 * SIDE
    boxes = [(west, north - span, west + span / 2, north), (west + span / 2, north - span, west + span, north)]
    for suffix in ("shp", "geojson", "fgb", "gml", "kml"):
        crs = 4326 if suffix in ("geojson", "kml") else UTM
        path = folder / f"r.{suffix}"
        if crs == 4326:
            import geopandas as gpd

            gpd.read_file(folder / "regions.gpkg").to_crs(4326).to_file(
                path, engine="pyogrio", driver="KML" if suffix == "kml" else None
            )
        else:
            write_regions(path, boxes, code=["0101", "0102"], name=["甲县", "乙县"])


def _tables(folder: Path) -> None:
    chosen = parameterfiles.parameter_set("china")
    whole = parameterfiles.export(chosen).splitlines(keepends=True)
    (folder / "parameters.csv").write_bytes("".join([whole[0], *whole[1::40]]).encode("utf-8-sig"))
    _text(
        folder,
        "mine.csv",
        "topic,parameter,value,unit,source\nvolume_ratio,agb_per_volume,0.9,Mg m-3,me\n",
    )
    _text(folder, "legend.csv", "code,ecosystem,forest_type,name_en,name_zh,source\n10,forest,broadleaf,Trees,森林,me\n20,shrubland,,Shrub,灌木,me\n"
                                "30,grassland,,Grass,草地,me\n80,water,,Water,水,me\n")  # fmt: skip
    _text(folder, "gbk.csv", "代码,生态系统,中文名\n10,forest,森林\n30,grassland,草地\n", "gb18030")
    _text(
        folder,
        "pools.csv",
        "lucode,LULC_name,C_above,C_below,C_soil,C_dead\n10,forest,120,30,80,5\n20,shrub,10,3,50,1\n30,grass,2,3,60,0\n",
    )
    _text(
        folder,
        "targets.csv",
        "region_id,indicator,year,value,unit\n0101,forest_coverage,2025,50,%\ntotal,forest_stock,2030,0.1,1e8 m3\n",
    )
    _text(folder, "prices.csv", "year,price\n2020,50\n2025,80.5\n2030,120\n")
    _text(
        folder,
        "soil.csv",
        "top_cm,bottom_cm,oc,bulk_density,coarse_fragments,product\n0,30,agb.tif,agb.tif,,plain\n30,100,agb.tif,agb.tif,,plain\n",
    )
    _text(
        folder,
        "sample.csv",
        "lon,lat,reference,stratum\n111.001,23.5,forest,1\n111.002,23.501,water,2\n111.003,23.49,forest,1\n",
    )
    _text(folder, "plots.csv", "lon,lat,agb\n111.001,23.5,120.5\n111.002,23.501,0\n111.003,23.49,88\n")
    _text(folder, "assessment.toml", 'landcover = "lc.tif"\nagb = "agb.tif"\nregions = "regions.gpkg"\nlegend = "worldcover"\nyear = 2023\n'
                                     'climate = "warm_temperate_moist"\nout = "out2"\ndraws = 100\nmaps = ["carbon_total"]\n\n[layers.agb]\nnodata = -9999\n'
                                     "scale = 1.0\n")  # fmt: skip
    _text(folder, "change.toml", 'legend = "worldcover"\nout = "out3"\nconfidence = 0.95\n[[epochs]]\nyear = 2010\nlandcover = "lc.tif"\n'
                                 'agb = "agb.tif"\n[[epochs]]\nyear = 2020\nlandcover = "lc.tif"\nagb = "agb.tif"\n')  # fmt: skip
    _text(folder, "cluster.toml", 'class = "coiled.Nothing"\nworkers = 2\n\n[options]\ncores = 1\nmemory = "4GB"\n')


def prepare(folder: Path) -> None:
    """One whole file of every kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _rasters(folder)
        _vectors(folder)
        _tables(folder)
        whole_run(folder)
        cover = np.full((SIDE, SIDE), 10, np.uint8)
        west = (5e5 + 100 * SIDE, 2.6e6)
        write_raster(folder / "east.tif", cover, nodata=0, origin=west)
        write_raster(folder / "east_agb.tif", cover * np.float32(9), nodata=-9999.0, origin=west)
        write_regions(
            folder / "east.gpkg", [(west[0], west[1] - 100 * SIDE, west[0] + 100 * SIDE, west[1])], code=["0103"]
        )
        whole_run(folder, "east", landcover="east.tif", agb="east_agb.tif", regions="east.gpkg")


def _plots(folder: Path) -> object:
    return plots.read_plots(folder / "plots.csv", "agb", pyproj.CRS.from_epsg(32649))


def _sample(folder: Path) -> object:
    grid = sources.grid_of(sources.inspect(layerfiles.make_layer("landcover", "class", str(folder / LC), folder)))
    return samplefile.read_sample(folder / "sample.csv", grid)


_NOWHERE: Final = {"a.png": {"crs": UTM}, "a.grd": {"crs": UTM}}
"""Formats that do not say their CRS."""
_RASTERS: Final = {
    "deflate.tif": (), "big.tif": (), "masked.tif": (), "coarse.tif": (), "agb.tif": (), "a.img": (), "a.asc": ("a.prj",),
    "a.envi": ("a.hdr",), "a.png": ("a.wld",), "a.jp2": (), "a.grd": (), "a.vrt": (),
}  # fmt: skip
SUBJECTS: Final[dict[str, Subject]] = {
    **{f"raster {n}": Subject((n, n, n, *more), raster(n, "density", **_NOWHERE.get(n, {}))) for n, more in _RASTERS.items()},
    "raster lc.tif as classes": Subject((LC,), raster(LC, "class")),
    "raster of classes in the grid": Subject((LC,), raster("coarse.tif", "amount")),
    "vector regions.gpkg": Subject(("regions.gpkg",), regions("regions.gpkg")),
    "vector r.shp": Subject(("r.shp", "r.dbf", "r.shx", "r.prj", "r.cpg"), regions("r.shp")),
    **{f"vector r.{s}": Subject((f"r.{s}",), regions(f"r.{s}")) for s in ("geojson", "fgb", "gml", "kml")},
    "csv parameters": Subject(("parameters.csv",), text("parameters.csv", parameterfiles.read_back)),
    "csv own parameters": Subject(("mine.csv",), text("mine.csv", parameterfiles.read_back)),
    "csv legend": Subject(("legend.csv",), text("legend.csv", legends.Legend.from_text)),
    "csv legend in GBK": Subject(("gbk.csv",), text("gbk.csv", legends.Legend.from_text)),
    "csv InVEST pools": Subject(("pools.csv",), text("pools.csv", invest.read_pools)),
    "csv targets": Subject(("targets.csv",), text("targets.csv", targets.read_targets)),
    "csv prices": Subject(("prices.csv",), text("prices.csv", lambda t, n: valuation.read_prices(t, n, "CNY", "co2"))),
    "csv soil profile": Subject(("soil.csv",), lambda folder: soilprofile.read(str(folder / "soil.csv")).layers(folder)),
    "csv sample": Subject(("sample.csv",), _sample),
    "csv plots": Subject(("plots.csv",), _plots),
    "toml assessment": Subject(("assessment.toml",), assessment),
    "toml change": Subject(("change.toml",), lambda folder: changestudy.from_toml(folder / "change.toml")),
    "toml cluster": Subject(("cluster.toml",), started),
    "run manifest": Subject(("out/manifest.json",), finished),
    "run tables": Subject(("out/account_sums.parquet", "out/accounts.parquet", "out/coverage.csv", "out/errors.csv", "out/assessment.gpkg"), finished),
    "run to its end": Subject((LC, "agb.tif", "regions.gpkg"), lambda folder: whole_run(folder, "again")),
}  # fmt: skip
"""By kind and name."""

WEIGHT: Final = {"raster": 6, "vector": 5, "csv": 8, "toml": 4, "run": 1}
"""How often each kind is taken; what takes longer less often."""

REFUSED: Final = (InputError,)
"""What the program says of an input that it cannot use."""
