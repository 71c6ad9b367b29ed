"""Rasters of the catalogue: what producers, disks, transfers and habits do to them."""

from __future__ import annotations

import os
import struct
import zipfile

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from catalogue import (
    NORTH,
    PIXEL,
    PLACE,
    SIDE,
    SPAN,
    WEST,
    Scene,
    about,
    cut,
    noted,
    option,
    placed,
    refused,
    same,
    sound,
    total,
    used,
)
from scenes import UTM, write_raster


def plain(value: float) -> np.ndarray:
    return np.full((SIDE, SIDE), value, np.float32)


def flipped(rows: bool, cols: bool):
    """Both rasters stored the other way round, and their transform says so."""

    def spoil(s: Scene) -> None:
        for layer, nodata in (("landcover", 0), ("agb", -9999.0)):
            data = s.read(layer)[:: -1 if rows else 1, :: -1 if cols else 1]
            place = placed(
                -PIXEL if cols else PIXEL, PIXEL if rows else -PIXEL, WEST + SPAN * cols, NORTH - SPAN * rows
            )
            s.put(layer, data, transform=place, nodata=nodata)

    return spoil


def patched(layer: str, tag: int, value: int):
    """A field of the TIFF's directory holds another number."""

    def spoil(s: Scene) -> None:
        path = s.copy(layer, f"patched_{layer}.tif")
        raw = bytearray(path.read_bytes())
        at = struct.unpack_from("<I", raw, 4)[0]
        for n in range(struct.unpack_from("<H", raw, at)[0]):
            entry = at + 2 + 12 * n
            if struct.unpack_from("<H", raw, entry)[0] == tag:
                kind = struct.unpack_from("<H", raw, entry + 2)[0]
                struct.pack_into("<H" if kind == 3 else "<I", raw, entry + 8, value)
        path.write_bytes(raw)

    return spoil


def zeroed(s: Scene) -> None:
    """A block of a compressed file was lost on the disk."""
    path = s.put("agb", s.read("agb"), nodata=-9999.0, compress="deflate")
    with rasterio.open(path) as d:
        start, size = (int(d.get_tag_item(f"BLOCK_{what}_0_0", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    raw = bytearray(path.read_bytes())
    raw[start + size // 3 : start + size] = bytes(size - size // 3)
    path.write_bytes(raw)


def file(name: str, content: bytes, layer: str = "agb"):
    return lambda s: s.text(layer, content, name)


def masked(s: Scene) -> None:
    data = s.read("agb")
    path = s.path("masked.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype="float32", crs=UTM, transform=PLACE
    ) as d:  # fmt: skip
        d.write(np.where(data == -9999, 77, data), 1)
        d.write_mask(data != -9999)
    s.given["agb"] = str(path)


def bands(s: Scene, layers, dtype="float32", kinds=None, name="bands.tif", nodata=None) -> None:
    path = s.path(name)
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=len(layers), dtype=dtype, crs=UTM, transform=PLACE, nodata=nodata
    ) as d:  # fmt: skip
        if kinds:
            d.colorinterp = kinds
        for n, data in enumerate(layers, start=1):
            d.write(np.asarray(data).astype(dtype), n)
    s.given["agb"] = str(path)


def alpha(s: Scene) -> None:
    data = s.read("agb")
    opaque = np.where(data == -9999, 0, 255)
    bands(s, [np.where(data == -9999, 77, data), opaque], kinds=(ColorInterp.gray, ColorInterp.alpha))


def paletted(s: Scene) -> None:
    path = s.put("landcover", s.read("landcover"), nodata=0)
    with rasterio.open(path, "r+") as d:
        d.write_colormap(1, {10: (0, 100, 0, 255), 20: (255, 187, 34, 255)})


def scaled(s: Scene, scale: float, offset: float = 0.0) -> None:
    data = s.read("agb").astype(np.float64)
    path = s.put("agb", np.where(data == -9999, -9999, (data - offset) / (scale or 1)), nodata=-9999.0)
    with rasterio.open(path, "r+") as d:
        d.scales, d.offsets = (scale,), (offset,)


def tiles(s: Scene, layer: str = "agb", second=None, name: str = "t{}.tif", **own) -> None:
    """Two halves; ``own`` and ``second`` are what the second has of its own."""
    data, half = s.read(layer), SIDE // 2
    nodata = {"agb": -9999.0, "landcover": 0}[layer]
    one = write_raster(s.path(name.format(1)), data[:, :half], nodata=nodata)
    other = data[:, half:] if second is None else second(data[:, half:])
    two = write_raster(s.path(name.format(2)), other, **{"nodata": nodata, "origin": (WEST + SPAN / 2, NORTH), **own})
    s.given[layer] = [str(one), str(two)]


def tiles_overlap(s: Scene) -> None:
    data = s.read("agb")
    one = write_raster(s.path("o1.tif"), data[:, :16], nodata=-9999.0)
    two = write_raster(s.path("o2.tif"), data[:, 8:], nodata=-9999.0, origin=(WEST + 8 * PIXEL, NORTH))
    s.given["agb"] = [str(one), str(two), str(one)]


def lonlat(
    west: float, north: float, pixel: float = 0.01, agb_west: float | None = None, north_agb: float | None = None
):
    """The scene on a grid in degrees, without regions."""

    def spoil(s: Scene) -> None:
        lc, agb = s.read("landcover"), s.read("agb")
        s.put("landcover", lc, crs=4326, pixel=pixel, origin=(west, north), nodata=0)
        at = (west if agb_west is None else agb_west, north if north_agb is None else north_agb)
        s.put("agb", agb, crs=4326, pixel=pixel, origin=at, nodata=-9999.0)
        del s.given["regions"]

    return spoil


def alike_in_degrees(found, reference) -> None:
    """On the equator all longitudes hold the same: the carbon of 24 × 24 pixels of 0.01 degrees, about 1.1 km square."""
    sound(found, reference)
    assert 60_000 < total(found, "area") < 75_000
    density, there = (total(f, "carbon_total") / total(f, "area") for f in (found, reference))
    assert abs(density / there - 1) < 0.02


def one_pixel(rows: int, cols: int):
    def spoil(s: Scene) -> None:
        s.put("landcover", np.full((rows, cols), 10, np.uint8), nodata=0)
        s.put("agb", np.full((rows, cols), 100, np.float32))
        del s.given["regions"]

    def right(found, reference) -> None:
        sound(found, reference)
        assert abs(total(found, "area") / (rows * cols) - 1) < 1e-3  # a hectare each

    return used(spoil, right)


def other_type(dtype: str):
    def spoil(s: Scene) -> None:
        data = np.rint(np.clip(s.read("agb"), 0, 120))
        s.put("agb", data.astype(dtype))
        s.path("note").write_text(str(data.sum()))

    return used(spoil, sound)


def beside(suffix: str, content: bytes):
    """A sidecar that lies: it is not asked."""

    def spoil(s: Scene) -> None:
        path = s.copy("agb", "beside.tif")
        path.with_name(path.name + suffix).write_bytes(content)

    return spoil


def renamed(name: str):
    return used(lambda s: s.copy("agb", name), same)


def classes(change):
    return lambda s: s.put("landcover", change(s.read("landcover")), nodata=0)


def values(change, **profile):
    return lambda s: s.put("agb", change(s.read("agb")), **{"nodata": -9999.0, **profile})


def at(value: float, row: int = -1, col: int = -1):
    def change(data: np.ndarray) -> np.ndarray:
        data = data.copy()
        data[row, col] = value
        return data

    return change


def holes_as(value: float):
    return lambda data: np.where(data == -9999, value, data).astype(np.float32)


def zipped(s: Scene) -> None:
    with zipfile.ZipFile(s.path("agb.zip"), "w") as z:
        z.write(s.given["agb"], "agb.tif")
    s.given["agb"] = str(s.path("agb.zip"))


def in_archive(s: Scene) -> None:
    zipped(s)
    s.given["agb"] = f"/vsizip/{s.path('agb.zip')}/agb.tif"


def coarse_two_crs(s: Scene) -> None:
    with rasterio.open(s.given["agb"]) as d, rasterio.vrt.WarpedVRT(d, crs="EPSG:4326") as v:
        profile = {
            "driver": "GTiff",
            "width": v.width,
            "height": v.height,
            "count": 1,
            "dtype": "float32",
            "crs": v.crs,
            "transform": v.transform,
            "nodata": -9999.0,
        }
        data = v.read(1)
    with rasterio.open(s.path("lonlat.tif"), "w", **profile) as out:
        out.write(data, 1)
    s.given["agb"] = str(s.path("lonlat.tif"))


HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Session expired</body></html>"
VRT = (
    f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>EPSG:32649</SRS><GeoTransform>500000, 100, 0, 2600000, 0, -100'
    '</GeoTransform><VRTRasterBand dataType="Float32" band="1">%s</VRTRasterBand></VRTDataset>'
)
LOST = "(damaged|cannot be read|not a raster|is cut off|changed)"

RASTERS = {
    **{f"cut at {share:.0%}": refused(cut("agb", share), r"cut_agb\.tif.*" + LOST, 1, 2) for share in (0.001, 0.02, 0.3, 0.5, 0.9)},
    **{f"land cover cut at {share:.0%}": refused(cut("landcover", share), r"cut_landcover\.tif.*" + LOST, 1, 2) for share in (0.05, 0.4, 0.8)},
    "cut within what it says of itself": refused(cut("agb", 0.1), r"cut_agb\.tif.*" + LOST + r"|has no CRS", 1, 2),
    "a compressed block is lost": refused(zeroed, r"my_agb\.tif", 1, 2),
    "an empty file": refused(file("a.tif", b""), "not a raster that GDAL can read"),
    "only the magic number": refused(file("a.tif", b"II*\x00\x08\x00\x00\x00"), "not a raster that GDAL can read"),
    "a login page": refused(file("a.tif", HTML), "is a web page, perhaps one of a login or an error; get the file again"),
    "an error in JSON": refused(file("a.tif", b'{"error": "quota"}'), "a description in JSON and no raster"),
    "a zip file": refused(zipped, "not a raster that GDAL can read"),
    "a raster within a zip file": used(in_archive, same),
    "a folder without rasters": refused(option(agb="/tmp"), "holds no .*file; name the raster|not a raster"),
    "a pattern that matches nothing": refused(option(agb="/nowhere/*.tif"), "no file matches this pattern"),
    "a width of nothing": refused(patched("agb", 256, 0), "not a raster that GDAL can read"),
    "a height of nothing": refused(patched("agb", 257, 0), "not a raster that GDAL can read"),
    "a height that the file does not have": used(patched("agb", 257, 60_000), same),
    "an unknown compression": refused(patched("agb", 259, 999), r"patched_agb\.tif", 1, 2),
    "no CRS": refused(values(lambda d: d, crs=None), r"has no CRS.*--layer agb\.crs=EPSG:4326"),
    "no CRS, and said": used(lambda s: (values(lambda d: d, crs=None)(s), s.given.update(layer="agb.crs=EPSG:32649")), same),
    "a CRS that is none": refused(option(layer="agb.crs=EPSG:999999"), "is no known CRS"),
    "a CRS of another zone": refused(values(lambda d: d, crs="EPSG:32630"), "does not overlap the land cover"),
    "metres said to be degrees": refused(lambda s: s.put("landcover", s.read("landcover"), crs=4326, nodata=0), "its CRS or transform is wrong"),
    "a local CRS": refused(values(lambda d: d, crs='LOCAL_CS["pit",UNIT["m",1]]'), "neither geographic nor projected"),
    "an earth-centred CRS": refused(values(lambda d: d, crs="EPSG:4978"), "neither geographic nor projected"),
    "feet": refused(lambda s: s.put("landcover", s.read("landcover"), crs="EPSG:2263", nodata=0), "does not overlap|no region overlaps"),
    "south up": used(flipped(True, False), same),
    "east to west": used(flipped(False, True), same),
    "upside down and mirrored": used(flipped(True, True), same),
    "rotated": refused(values(lambda d: d, transform=placed(90, -90, b=40, d=40)), "is rotated; warp it"),
    "sheared": refused(values(lambda d: d, transform=placed(100, -100, b=30)), "is rotated; warp it"),
    "no place at all": refused(values(lambda d: d, transform=placed(1, 1, 0, 0)), "only pixels; georeference it"),
    "ground control points": refused(
        lambda s: s.put("agb", plain(5), transform=None, crs=UTM, gcps=[GroundControlPoint(r, c, WEST + c, NORTH - r) for r, c in ((0, 0), (0, 9), (9, 0))]),
        "ground control points; georeference it|has no CRS"),
    "pixels without size": refused(values(lambda d: d, transform=placed(1e-300, -1e-300)), "is no place; georeference it"),
    "infinite pixels": refused(values(lambda d: d, transform=placed(float("inf"), -100)), "is no place|only pixels|rotated"),
    "across the antimeridian": used(lonlat(179.88, 0.12), alike_in_degrees),
    "longitudes to 360, biomass to 180": used(lonlat(181.0, 0.12, agb_west=-179.0), alike_in_degrees),
    "longitudes to 180, biomass to 360": used(lonlat(-179.0, 0.12, agb_west=181.0), alike_in_degrees),
    "up to the pole": used(lonlat(0.0, 90.0, 1.0), sound),
    "down to the pole": used(lonlat(0.0, -66.0, 1.0), sound),
    "beyond the pole": refused(lonlat(0.0, 95.0, 1.0), "spans latitudes .*CRS or transform is wrong"),
    "round the world and further": refused(lonlat(-180.0, 60.0, 16.0), "spans latitudes|counts some land twice"),
    "one pixel": one_pixel(1, 1),
    "one row": one_pixel(1, 7),
    "one column": one_pixel(7, 1),
    "NaN as nodata": used(values(holes_as(np.nan), nodata=np.nan), same),
    "NaN beside a nodata value": used(values(at(np.nan, 1, 1)), same),
    "infinite as absent": used(values(at(np.inf, 1, 1)), same),
    "minus infinite as absent": used(values(at(-np.inf, 1, 1)), same),
    "nodata only said by the user": used(lambda s: (values(lambda d: d, nodata=None)(s), s.given.update(layer="agb.nodata=-9999")), same),
    "nodata that the type cannot hold": refused(lambda s: (s.put("agb", s.read("landcover")), s.given.update(layer="agb.nodata=-9999")), "cannot occur in a raster of uint8"),
    "nodata that is no number": refused(option(layer="agb.nodata=none"), "'none' is no number"),
    "a mask band": used(masked, same),
    "an alpha band": used(alpha, same),
    "a palette": used(paletted, same),
    "all NaN": refused(values(lambda d: plain(np.nan)), "no value anywhere"),
    "all nodata": refused(values(lambda d: plain(-9999)), "no value anywhere"),
    "land cover all nodata": refused(classes(lambda d: d * 0), "no pixel with a value"),
    "all zero": refused(values(lambda d: plain(0)), "zero everywhere"),
    "negative": refused(values(at(-3.0)), "negative values .*--layer agb.nodata=-3"),
    "an undeclared nodata value": refused(values(lambda d: d, nodata=None), "negative values .*--layer agb.nodata=-9999"),
    "a negative zero": used(values(lambda d: np.where(d == 5, -0.0, d).astype(np.float32)), sound),
    "tonnes as kilograms": refused(values(lambda d: np.where(d == -9999, d, d * 1000)), r"should be Mg d\.m\. per hectare.*agb\.scale"),
    "grams per square metre": refused(values(lambda d: np.where(d == -9999, d, d * 100)), r"should be Mg d\.m\. per hectare.*agb\.scale"),
    "1e30": refused(values(lambda d: np.where(d == -9999, d, d * 1e28)), r"should be Mg d\.m\. per hectare"),
    "bytes that ran over": refused(lambda s: s.put("agb", np.clip(s.read("agb") * 3, 0, 255).astype(np.uint8)), r"values are 255, the largest that uint8 holds.*agb\.nodata=255"),
    "16 bits that ran over": refused(lambda s: s.put("agb", np.where(s.read("agb") > 150, 32767, 40).astype(np.int16)), "the largest that int16 holds"),
    "bytes with 255 for nodata": used(lambda s: (s.put("agb", np.where(s.read("agb") > 150, 255, 40).astype(np.uint8)), s.given.update(layer="agb.nodata=255")), sound),
    **{f"biomass of {dtype}": other_type(dtype) for dtype in ("uint8", "uint16", "int16", "int32", "uint32", "float64", "int8")},
    "complex numbers": refused(values(lambda d: d.astype(np.complex64), nodata=None), "complex numbers; give a real-valued band"),
    "a second band": used(lambda s: bands(s, [s.read("agb"), plain(1)], nodata=-9999.0), noted("has 2 bands; the first is used", same)),
    "the second band is meant": used(lambda s: (bands(s, [plain(1), s.read("agb")], nodata=-9999.0), s.given.update(layer="agb.band=2")), same),
    "a band that is not there": refused(option(layer="agb.band=4"), "band 4 was asked for, but it has 1"),
    "band zero": refused(option(layer="agb.band=0"), "band 0 was asked for"),
    "a band by name": refused(option(layer="agb.band=agb"), "'agb' is no number"),
    "a photograph": refused(lambda s: bands(s, [plain(50)] * 3, "uint8", (ColorInterp.red, ColorInterp.green, ColorInterp.blue)), "is a picture in colours"),
    "scale in the file": used(lambda s: scaled(s, 0.1), about(1e-6)),
    "scale and offset in the file": used(lambda s: scaled(s, 0.5, 10.0), about(1e-6)),
    "a scale of zero": refused(option(layer="agb.scale=0"), "scale of 0"),
    "a scale of NaN": refused(option(layer="agb.scale=nan"), "scale of nan"),
    "a negative scale": refused(option(layer="agb.scale=-1"), "negative values"),
    "an infinite offset": refused(option(layer="agb.offset=inf"), "offset of inf"),
    "a scale that is no number": refused(option(layer="agb.scale=tenth"), "'tenth' is no number"),
    "tiles": used(tiles, same),
    "tiles of land cover": used(lambda s: tiles(s, "landcover"), same),
    "overlapping tiles, one twice": used(tiles_overlap, same),
    "tiles of two CRSs": refused(lambda s: tiles(s, crs="EPSG:32650"), "has the CRS .*32650|50N.*tiles of one layer must agree"),
    "tiles of two resolutions": refused(lambda s: tiles(s, pixel=50.0), "has the pixel size .*must agree"),
    "tiles of two types": refused(lambda s: tiles(s, second=lambda d: d.astype(np.int16)), "has the data type .*must agree"),
    "tiles of two nodata values": refused(lambda s: tiles(s, nodata=-1.0), "has the nodata value .*must agree"),
    "tiles off the lattice": refused(lambda s: tiles(s, origin=(WEST + SPAN / 2 + 37, NORTH)), "of a pixel off the lattice"),
    "tiles of two legends": refused(lambda s: tiles(s, "landcover", second=lambda d: np.full_like(d, 210)), "knows only .* of the pixels|does not know"),
    "a rotated tile": refused(lambda s: tiles(s, transform=placed(90, -90, b=40, d=40)), "rotated"),
    "a tile that is missing": refused(lambda s: (tiles(s), os.remove(s.given["agb"][1])), "there is no such file"),
    "a tile that was cut": refused(lambda s: (tiles(s), os.truncate(s.given["agb"][1], 700)), LOST, 1, 2),
    "tiles with a gap": used(lambda s: tiles(s, second=lambda d: d[:, 4:], origin=(WEST + SPAN / 2 + 4 * PIXEL, NORTH)), sound),
    "names with brackets, quotes and letters of China": renamed("生物量 [1] 'a' & <b> %20.tif"),
    "a name with a line end": renamed("a\nb.tif"),
    "classes as whole floats": used(classes(lambda d: d.astype(np.float32)), same),
    "classes as fractions": refused(classes(lambda d: at(1.5)(d.astype(np.float32))), "must hold whole numbers|knows only"),
    "a few unknown classes": used(classes(at(77)), noted("land-cover value 77 is not in the legend: 1 pixels", sound)),
    "mostly unknown classes": refused(classes(lambda d: d + 100), "knows only .* of the pixels.*--legend"),
    "classes of one bit": refused(lambda s: s.put("landcover", (s.read("landcover") > 20).astype(np.uint8), NBITS=1), "knows only|no pixel with a value"),
    "biomass in another CRS": used(coarse_two_crs, about(0.05)),
    "biomass of a part": used(lambda s: s.put("agb", s.read("agb")[:12], nodata=-9999.0), noted("agb: covers 50.0% of the map", sound)),
    "an overview that lies": used(beside(".ovr", b"II*\x00garbage"), same),
    "an .aux.xml that lies": used(beside(".aux.xml", b"<PAMDataset><PAMRasterBand band='1'><NoDataValue>5</NoDataValue></PAMRasterBand></PAMDataset>"), same),
    "a VRT whose raster is gone": refused(file("a.vrt", (VRT % "<SimpleSource><SourceFilename>gone.tif</SourceFilename></SimpleSource>").encode()), r"a\.vrt", 1, 2),
    "canopy above 100 percent": refused(lambda s: s.put("canopy", plain(140)), "canopy"),
    "an error without a biomass": refused(lambda s: (s.given.update(agb_sd=s.given["agb"]), s.given.pop("agb")), "--agb-sd is the error of a biomass"),
    "a negative error": refused(lambda s: s.put("agb_sd", plain(-2)), "agb_sd"),
    "an amount of unknown kind": refused(option(layer="agb.kind=height"), "the kind of layer agb is 'height'"),
    "a resampling that does not suit": refused(option(layer="agb.resampling=mode"), "does not suit a layer of kind density"),
}  # fmt: skip
