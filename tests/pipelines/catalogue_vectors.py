"""Polygons of the catalogue: geometries, ids, names, encodings and containers."""

from __future__ import annotations

import os
import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon, affinity, set_precision
from shapely.geometry import box

from catalogue import NORTH, SPAN, UTM, WEST, Scene, about, halves, noted, option, refused, same, sound, total, used

EAST, SOUTH, MIDDLE = WEST + SPAN, NORTH - SPAN, WEST + SPAN / 2
ALL = box(WEST, SOUTH, EAST, NORTH)


def shapes(*given, **columns):
    return lambda s: s.regions(given, **columns)


def columns(**given):
    """The two plain regions with these columns."""
    return lambda s: s.regions(halves(), **given)


def bowtie(s: Scene) -> None:
    """Two triangles that meet in a point, drawn as one ring."""
    s.regions([Polygon([(WEST, NORTH), (EAST, SOUTH), (EAST, NORTH), (WEST, SOUTH)])])


def half_of_it(found, plain) -> None:
    sound(found, plain)
    assert abs(total(found, "area", "1") / total(plain, "area") - 0.5) < 0.03


def spike() -> Polygon:
    """Goes out and comes back by the same way."""
    return Polygon(
        [(WEST, NORTH), (MIDDLE, NORTH), (MIDDLE, SOUTH), (MIDDLE, SOUTH - 5000), (MIDDLE, SOUTH), (WEST, SOUTH)]
    )


def lifted(shape):
    return Polygon([(x, y, 500.0) for x, y in shape.exterior.coords])


def round_million() -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 1_000_001)[:-1]
    return Polygon(np.column_stack((MIDDLE + 1000 * np.cos(angle), (NORTH + SOUTH) / 2 + 1000 * np.sin(angle))))


def circle(found, plain) -> None:
    sound(found, plain)
    assert abs(total(found, "area", "1") / (np.pi * 100) - 1) < 0.03


def many(s: Scene) -> None:
    """Regions of three by three pixels, and the lines between them through no centre."""
    side = SPAN / 8
    boxes = [
        box(WEST + side * c, NORTH - side * (r + 1), WEST + side * (c + 1), NORTH - side * r)
        for r in range(8)
        for c in range(8)
    ]
    s.regions(boxes)


def each_alike(found, plain) -> None:
    sound(found, plain)
    assert abs(total(found, "carbon_total") / total(plain, "carbon_total") - 1) < 1e-9
    tidy = found.account.tidy
    assert len(set(tidy["region_id"]) - {"total"}) >= 64


def slivers(s: Scene) -> None:
    """A thousandth of a metre between neighbours, and as much over one another."""
    one, two = halves()
    s.regions([one, affinity.translate(two, 0.001), affinity.translate(box(WEST, SOUTH, WEST + 0.001, NORTH), -0.001)])


def nothing_missing(found, plain) -> None:
    sound(found, plain)
    for region, theirs in (("1", "0101"), ("2", "0102")):
        assert total(found, "area", region) == total(plain, "area", theirs)


def stored(suffix: str, driver: str | None = None, crs=None, layer: str | None = None, **options):
    """The plain regions in another container."""

    def spoil(s: Scene) -> None:
        frame = gpd.read_file(s.given["regions"])
        frame = frame.to_crs(crs) if crs else frame
        path = s.path(f"my_regions.{suffix}")
        pyogrio.write_dataframe(frame, path, driver=driver, **({"layer": layer} if layer else {}), **options)
        s.given["regions"] = str(path)

    return spoil


def shapefile(encoding: str, cpg: str | None, remove: tuple[str, ...] = ()):
    def spoil(s: Scene) -> None:
        path = s.path("县界.shp")
        frame = gpd.read_file(s.given["regions"])
        pyogrio.write_dataframe(frame, path, encoding=encoding)
        if cpg is None:
            path.with_suffix(".cpg").unlink(missing_ok=True)
        else:
            path.with_suffix(".cpg").write_text(cpg)
        for suffix in remove:
            path.with_suffix(suffix).unlink()
        s.given["regions"] = str(path)

    return spoil


def named(found, plain) -> None:
    same(found, plain)
    assert [r.name for r in found.account.regions] == ["甲县", "乙县"]


def keeps(*ids: str):
    """The ids come out as they went in, letter by letter."""

    def right(found, plain) -> None:
        sound(found, plain)
        assert tuple(r.id for r in found.account.regions) == ids
        layers = dict(pyogrio.list_layers(found.out / "assessment.gpkg"))
        assert "regions" in layers
        there = pyogrio.read_dataframe(found.out / "assessment.gpkg", layer="regions", read_geometry=False)
        assert set(ids) <= set(there["region_id"])
        assert set(ids) <= set(pd.read_parquet(found.out / "accounts.parquet")["region_id"])
        assert not list(found.out.parent.glob("../*pwned*"))

    return right


def harmless_in_a_spreadsheet(found, plain) -> None:
    keeps("=1+1", "@SUM(A1)")(found, plain)
    text = (found.out / "accounts.csv").read_text("utf-8-sig")
    assert "'=1+1" in text
    assert "\n=1+1" not in text
    assert ",+cmd" not in text
    numbers = pd.read_csv(found.out / "accounts.csv")["value"]
    assert numbers.dtype == float


def layered(s: Scene) -> None:
    path = s.path("two.gpkg")
    frame = gpd.read_file(s.given["regions"])
    for name in ("a", "b"):
        pyogrio.write_dataframe(frame, path, layer=name)
    s.given["regions"] = str(path)


def table_only(s: Scene) -> None:
    path = s.path("table.gpkg")
    pyogrio.write_dataframe(pd.DataFrame({"code": ["1"]}), path, driver="GPKG")
    s.given["regions"] = str(path)


def cut_file(name: str, share: float, writer=None):
    def spoil(s: Scene) -> None:
        if writer:
            writer(s)
        path = s.path(name)
        os.truncate(path, int(path.stat().st_size * share))

    return spoil


def no_rows(s: Scene) -> None:
    frame = gpd.GeoDataFrame({"code": pd.Series([], dtype=str)}, geometry=[], crs=UTM)
    path = s.path("none.gpkg")
    pyogrio.write_dataframe(frame, path, geometry_type="Polygon")
    s.given["regions"] = str(path)


def no_crs(s: Scene) -> None:
    frame = gpd.GeoDataFrame({"code": ["1"]}, geometry=[ALL])
    path = s.path("nowhere.geojson.gpkg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(frame, path)
    s.given["regions"] = str(path)


def unknown_vertex(s: Scene) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        s.regions([Polygon([(WEST, NORTH), (float("nan"), NORTH), (EAST, SOUTH), (WEST, SOUTH)])])


def degrees(*given):
    return lambda s: s.regions(given, crs=4326)


LON, LAT = 111.0, 23.49
NAMES = ["</script><script>alert(1)</script>", "'; DROP TABLE regions; --"]

VECTORS = {
    "a bow tie": used(bowtie, noted("invalid polygon(s) were made valid", half_of_it)),
    "a spike": used(shapes(spike(), box(MIDDLE, SOUTH, EAST, NORTH)), noted("were made valid", sound)),
    "a sliver without area": refused(shapes(ALL, Polygon([(WEST, NORTH), (EAST, NORTH), (WEST, NORTH)])), "without area"),
    "slivers between neighbours": used(slivers, nothing_missing),
    "an empty geometry": refused(shapes(ALL, Polygon()), "have no geometry"),
    "no geometry": refused(shapes(ALL, None), "have no geometry"),
    "points": refused(shapes(Point(MIDDLE, NORTH - 5)), "polygons"),
    "lines": refused(shapes(LineString([(WEST, NORTH), (EAST, SOUTH)])), "polygons"),
    "a polygon and a point": refused(shapes(ALL, Point(MIDDLE, NORTH - 5)), "points or lines"),
    "a collection with a line": used(shapes(GeometryCollection([ALL, LineString([(WEST, NORTH), (EAST, SOUTH)])])), about(1e-9)),
    "overlapping": used(shapes(ALL, box(MIDDLE, SOUTH, EAST, NORTH)), noted("a pixel is counted once, for the first in the file", sound)),
    "twice the same polygon": used(shapes(ALL, ALL), noted("overlap by", sound)),
    "multipart": used(shapes(MultiPolygon(halves())), about(1e-9)),
    "a hole": used(shapes(ALL.difference(box(MIDDLE - 300, SOUTH + 300, MIDDLE + 300, SOUTH + 900))), sound),
    "with heights": used(shapes(*map(lifted, halves()), code=["0101", "0102"]), same),
    "a million vertices": used(shapes(round_million()), circle),
    "regions of nine pixels": used(many, each_alike),
    "coordinates of a micron": used(shapes(set_precision(ALL, 1e-6)), about(1e-9)),
    "far away": refused(shapes(affinity.translate(ALL, 400_000)), "no region overlaps the land cover"),
    "half outside": used(shapes(affinity.translate(ALL, SPAN / 2)), noted("reach beyond the land cover", sound)),
    "latitude first": refused(degrees(box(23.4, 110.9, 23.6, 111.1)), "which is no longitude and latitude|no region overlaps"),
    "metres said to be degrees": refused(degrees(ALL), "which is no longitude and latitude"),
    "a longitude of 94270": refused(degrees(Polygon([(LON, LAT), (94270, LAT), (LON, LAT + 0.02)])), "which is no longitude and latitude"),
    "a coordinate of 1e15 metres": refused(shapes(Polygon([(WEST, NORTH), (1e15, NORTH), (WEST, SOUTH)])), "which is no place in"),
    "NaN as a coordinate": refused(unknown_vertex, "has a vertex that is no number"),
    "the whole world": used(degrees(box(-180, -90, 180, 90)), about(1e-9)),
    "across the antimeridian, elsewhere": refused(degrees(box(179, -1, 181, 1)), "no region overlaps the land cover"),
    "no CRS": refused(no_crs, "no CRS, so they cannot be placed"),
    "a local CRS": refused(lambda s: s.regions(halves(), crs='LOCAL_CS["pit",UNIT["m",1]]'), "neither geographic nor projected"),
    "in another CRS": used(stored("gpkg", crs=4326), about(1e-6)),
    "ids twice": refused(columns(code=["7", "7"]), "same id more than once"),
    "no id": refused(columns(code=["7", None]), "is empty in 1 region"),
    "blank ids": refused(columns(code=["7", "  "]), "is empty in 1 region"),
    "an id that means all": refused(columns(code=["total", "7"]), "stands for the union of all regions"),
    "ids as numbers": used(columns(code=[110000.0, 120000.0]), keeps("110000", "120000")),
    "ids with a leading zero": used(columns(code=["0303", "0304"]), keeps("0303", "0304")),
    "ids that are formulas": used(columns(code=["=1+1", "@SUM(A1)"], name=["+cmd|' /C calc'!A0", "-2+3"]), harmless_in_a_spreadsheet),
    "ids that are paths": used(columns(code=["../../pwned", "/etc/passwd"]), keeps("../../pwned", "/etc/passwd")),
    "ids that are code": used(columns(code=NAMES), keeps(*NAMES)),
    "ids of quotes, line ends and other letters": used(columns(code=['a"b,c', "甲\n乙\t丙"]), keeps('a"b,c', "甲\n乙\t丙")),
    "an id of ten thousand letters": used(columns(code=["x" * 10_000, "y"]), sound),
    "no such id column": refused(lambda s: (columns(code=["1", "2"])(s), s.given.update(region_id="kode")), "has no column 'kode'"),
    "no such name column": refused(option(region_name="nome"), "has no column 'nome'"),
    "no column at all for ids": refused(columns(shade=["dark", "dark"]), "no column of unique region ids"),
    "names in GBK, and said": used(shapefile("gb18030", "GBK"), named),
    "names in GBK, and not said": used(shapefile("gb18030", None), named),
    "names in GBK, said to be UTF-8": used(shapefile("gb18030", "UTF-8"), named),
    "names in UTF-8, and not said": used(shapefile("utf-8", None), named),
    "an encoding that is none": used(shapefile("utf-8", "martian"), named),
    "a shapefile without .dbf": refused(shapefile("utf-8", None, (".dbf",)), "region ids|not a vector file"),
    "a shapefile without .prj": refused(shapefile("utf-8", None, (".prj",)), "no CRS"),
    "a shapefile without .shx": refused(shapefile("utf-8", None, (".shx",)), "not a vector file that can be read", 2),
    "a shapefile cut short": refused(cut_file("县界.shp", 0.4, shapefile("utf-8", "UTF-8")), "not a vector file|no geometry|polygons"),
    "a .dbf cut short": refused(cut_file("县界.dbf", 0.5, shapefile("utf-8", "UTF-8")), "empty in|region ids|not a vector file|no geometry"),
    "a GeoPackage cut short": refused(cut_file("regions.gpkg", 0.3), "not a vector file that can be read"),
    "an empty file": refused(lambda s: s.text("regions", b"", "r.gpkg"), "not a vector file that can be read"),
    "a login page": refused(lambda s: s.text("regions", b"<!DOCTYPE html><html>", "r.geojson"), "is a web page"),
    "GeoJSON": used(stored("geojson", crs=4326), about(1e-6)),
    "GeoJSON with a lost bracket": refused(cut_file("my_regions.geojson", 0.7, stored("geojson", crs=4326)), "not a vector file that can be read"),
    "KML": used(stored("kml", driver="KML", crs=4326), sound),
    "FlatGeobuf": used(stored("fgb"), same),
    "two layers of polygons": refused(layered, "has the layers a, b; choose one with --region-layer"),
    "two layers, and one chosen": used(lambda s: (layered(s), s.given.update(region_layer="b")), same),
    "no such layer": refused(option(region_layer="provinces"), "has no layer 'provinces'"),
    "a layer named as code": used(lambda s: (stored("gpkg", layer="x'; DROP TABLE y; --")(s), s.given.update(region_layer="x'; DROP TABLE y; --")), same),
    "a table without geometry": refused(table_only, "no layer with geometry"),
    "no region": refused(no_rows, "holds no region"),
    "no file": refused(option(regions="/nowhere/r.gpkg"), "there is no such file"),
    "a raster for regions": refused(lambda s: s.given.update(regions=s.given["agb"]), "not a vector file|no layer"),
}  # fmt: skip
GEOPACKAGE = ("ids that", "ids as", "ids with", "ids of")
"""Cases in which the written GeoPackage is looked at."""
