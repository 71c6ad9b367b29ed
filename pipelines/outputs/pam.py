"""The sidecar ``<map>.tif.aux.xml``: what GDAL, and what builds on it, keeps beside a raster because a TIFF has no tag for it.

These are the histogram, the names of classes and the raster attribute table. GDAL calls it persistent auxiliary metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from pipelines.outputs.mapstats import Histogram
from pipelines.outputs.styles import ClassColor, both

_NAMED: Final = 255
"""Largest class value that is named in the list of categories, which has a line for every number from 0 on."""

_INTEGER, _TEXT = "0", "2"
_COLUMNS: Final = (
    ("Value", _INTEGER, "5"), ("Count", _INTEGER, "1"), ("Class", _TEXT, "2"), ("Class_zh", _TEXT, "0"),
    ("Red", _INTEGER, "6"), ("Green", _INTEGER, "7"), ("Blue", _INTEGER, "8"),
)  # fmt: skip
"""Columns of the attribute table: name, and GDAL's numbers of type and usage (5 value, 1 pixel count, 2 name, 6 to 8 colour)."""


def document(
    histogram: Histogram, whole: bool, statistics: Mapping[str, str], classes: Sequence[ClassColor] = ()
) -> str:
    """The sidecar of a map of one band.

    Parameters
    ----------
    histogram
        Of the stored values.
    whole
        They are whole numbers.
    statistics
        GDAL's keys; also in the file itself, and told here for programs that look only here.
    classes
        Of a map of classes.
    """
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    add(band, histogram, whole, classes)
    metadata = ET.SubElement(band, "Metadata")
    for key, figure in statistics.items():
        ET.SubElement(metadata, "MDI", key=key).text = figure
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def add(band: ET.Element, histogram: Histogram, whole: bool, classes: Sequence[ClassColor]) -> None:
    """Histogram, names and table under a band; a virtual raster has them in the same words."""
    if histogram.counts:
        _add_histogram(band, histogram, whole)
    names = {c.value: both(c.name_en, c.name_zh) for c in classes}
    if names and max(names) <= _NAMED:
        listed = ET.SubElement(band, "CategoryNames")
        for value in range(max(names) + 1):
            ET.SubElement(listed, "Category").text = names.get(value, "")
    if classes:
        _add_table(band, histogram, classes)


def _add_histogram(band: ET.Element, histogram: Histogram, whole: bool) -> None:
    """GDAL takes limits between whole numbers to lie halfway."""
    shift = 0.5 if whole else 0.0
    low = histogram.first * histogram.width - shift
    high = (histogram.first + len(histogram.counts)) * histogram.width - shift
    item = ET.SubElement(ET.SubElement(band, "Histograms"), "HistItem")
    for name, text in (
        ("HistMin", f"{low:.17g}"), ("HistMax", f"{high:.17g}"), ("BucketCount", str(len(histogram.counts))),
        ("IncludeOutOfRange", "0"), ("Approximate", "0"), ("HistCounts", "|".join(map(str, histogram.counts))),
    ):  # fmt: skip
        ET.SubElement(item, name).text = text


def _add_table(band: ET.Element, histogram: Histogram, classes: Sequence[ClassColor]) -> None:
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    # Counts of wide buckets are not those of classes.
    columns = [c for c in _COLUMNS if c[0] != "Count" or histogram.power == 0]
    for place, (name, kind, usage) in enumerate(columns):
        definition = ET.SubElement(table, "FieldDefn", index=str(place))
        for tag, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            ET.SubElement(definition, tag).text = text
    counts = dict(enumerate(histogram.counts, histogram.first))
    for index, item in enumerate(classes):
        row = ET.SubElement(table, "Row", index=str(index))
        cells = {
            "Value": item.value, "Count": counts.get(item.value, 0), "Class": item.name_en, "Class_zh": item.name_zh,
            "Red": item.rgb[0], "Green": item.rgb[1], "Blue": item.rgb[2],
        }  # fmt: skip
        for column in columns:
            ET.SubElement(row, "F").text = str(cells[column[0]])
