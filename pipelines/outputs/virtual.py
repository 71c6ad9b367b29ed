"""A map as a virtual raster over its shards: everything that the one file would say, and where each block lies.

GDAL reads no ``.aux.xml`` beside a virtual raster, so histogram, names and table stand in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from pipelines.outputs import pam
from pipelines.outputs.encoding import TILE, TYPES
from pipelines.outputs.mapstats import Histogram
from pipelines.outputs.styles import ClassColor


class Part(NamedTuple):
    """A shard: its name as seen from the virtual raster, and its place and size in pixels."""

    name: PurePosixPath
    row: int
    col: int
    height: int
    width: int


def document(like: Any, parts: Sequence[Part], histogram: Histogram, classes: Sequence[ClassColor] = ()) -> str:
    """The text of a virtual raster of one band.

    Parameters
    ----------
    like
        An open rasterio dataset of the whole size that says of itself what the map shall say: CRS, place, band description,
        unit, scale, offset, nodata, palette, metadata.
    parts
        Where its pixels lie; all else is nodata.
    histogram, classes
        What a TIFF has no place for; see `pam`.
    """
    root = ET.Element("VRTDataset", rasterXSize=str(like.width), rasterYSize=str(like.height))
    if like.crs:
        # By its number where it has one, as a TIFF holds it, for WKT of one version of PROJ is not that of another.
        authority = like.crs.to_authority(confidence_threshold=100)
        ET.SubElement(root, "SRS").text = ":".join(authority) if authority else like.crs.to_wkt()
    a, b, c, d, e, f = like.transform[:6]
    ET.SubElement(root, "GeoTransform").text = ", ".join(f"{v:.17g}" for v in (c, a, b, f, d, e))
    _add_metadata(root, like.tags())
    kind = TYPES[like.dtypes[0]]
    side = {"blockXSize": str(TILE), "blockYSize": str(TILE)}
    band = ET.SubElement(root, "VRTRasterBand", {"dataType": kind, "band": "1", **side})
    for tag, text in (
        ("Description", like.descriptions[0] or ""), ("UnitType", like.units[0] or ""), ("Offset", f"{like.offsets[0]:.17g}"),
        ("Scale", f"{like.scales[0]:.17g}"), ("NoDataValue", f"{like.nodata:.17g}"),
        ("ColorInterp", like.colorinterp[0].name.capitalize()),
    ):  # fmt: skip
        if text:
            ET.SubElement(band, tag).text = text
    if like.colorinterp[0].name == "palette":
        table = ET.SubElement(band, "ColorTable")
        for _, color in sorted(like.colormap(1).items()):
            ET.SubElement(table, "Entry", {f"c{k}": str(v) for k, v in enumerate(color, 1)})
    pam.add(band, histogram, not like.dtypes[0].startswith("float"), classes)
    _add_metadata(band, like.tags(1))
    for part in parts:
        _add_part(band, part, kind)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_metadata(parent: ET.Element, tags: dict[str, str]) -> None:
    metadata = ET.SubElement(parent, "Metadata")
    for key, text in tags.items():
        ET.SubElement(metadata, "MDI", key=key).text = text


def _add_part(band: ET.Element, part: Part, kind: str) -> None:
    """Its size and kind are told, so that GDAL opens a shard only when its pixels are asked for."""
    source = ET.SubElement(band, "SimpleSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="1", shared="0").text = str(part.name)
    ET.SubElement(source, "SourceBand").text = "1"
    size = {"xSize": str(part.width), "ySize": str(part.height)}
    ET.SubElement(source, "SourceProperties", {
        "RasterXSize": size["xSize"], "RasterYSize": size["ySize"], "DataType": kind, "BlockXSize": str(TILE),
        "BlockYSize": str(TILE),
    })  # fmt: skip
    ET.SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    ET.SubElement(source, "DstRect", {"xOff": str(part.col), "yOff": str(part.row), **size})
