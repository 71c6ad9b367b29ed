"""QGIS styles (QML) for the maps and tables of a run, so that they open coloured and with their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from sinks.colors import RAMPS, RGB, class_breaks, ramp_colors, round_limits

__all__ = [
    "RAMPS", "RGB", "Alias", "ClassColor", "Stop", "both", "class_breaks", "graduated_polygon", "paletted_raster",
    "pseudocolor_raster", "ramp_colors", "ramp_stops", "round_limits",
]  # fmt: skip

_DOCTYPE: Final = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION: Final = "3.22.0"
_OUTLINE: Final = "89,89,89,255"


class ClassColor(NamedTuple):
    """One class of a map: its value, its names and its colour."""

    value: int
    name_en: str
    name_zh: str
    rgb: RGB


class Stop(NamedTuple):
    """A colour of a ramp at a physical value."""

    value: float
    rgb: RGB


class Alias(NamedTuple):
    """What a column is called for people, and its unit ("" when it has none)."""

    name_en: str
    name_zh: str
    unit: str

    @property
    def text(self) -> str:
        """`Area / 面积 [ha]`."""
        return f"{both(self.name_en, self.name_zh)} [{self.unit}]" if self.unit else both(self.name_en, self.name_zh)


def both(name_en: str, name_zh: str) -> str:
    """A name in both languages, `Forest / 森林`; once where they are the same or one is missing."""
    return " / ".join(dict.fromkeys(name for name in (name_en, name_zh) if name))


def paletted_raster(classes: Sequence[ClassColor]) -> str:
    """Style of a class map: one colour and bilingual name a class."""
    root, renderer = _raster("paletted")
    palette = ET.SubElement(renderer, "colorPalette")
    for item in classes:
        label = both(item.name_en, item.name_zh)
        ET.SubElement(palette, "paletteEntry", value=str(item.value), color=_hex(item.rgb), label=label, alpha="255")
    return _text(root)


def pseudocolor_raster(stops: Sequence[Stop], unit: str) -> str:
    """Style of a density map: colours between the stops.

    Parameters
    ----------
    stops
        Two or more, ascending, in physical values: QGIS applies scale and offset before it looks a colour up.
    unit
        Put behind the labels of the legend.
    """
    low, high = _number(stops[0].value), _number(stops[-1].value)
    root, renderer = _raster("singlebandpseudocolor", classificationMin=low, classificationMax=high)
    shader = ET.SubElement(ET.SubElement(renderer, "rastershader"), "colorrampshader", {
        "colorRampType": "INTERPOLATED", "classificationMode": "1", "clip": "0",
        "minimumValue": low, "maximumValue": high, "labelPrecision": "4",
    })  # fmt: skip
    for value, rgb in stops:
        label = f"{_number(value)} {unit}".strip()
        ET.SubElement(shader, "item", value=_number(value), color=_hex(rgb), label=label, alpha="255")
    return _text(root)


def graduated_polygon(
    column: str,
    breaks: Sequence[float],
    unit: str = "",
    ramp: str = "carbon",
    aliases: Mapping[str, str] | None = None,
    domains: Mapping[str, Mapping[Any, str]] | None = None,
) -> str:
    """Style of a polygon layer: one colour a class of values of a column.

    Parameters
    ----------
    column
        The numeric column.
    breaks
        Limits of the classes, ascending: one more than there are classes, as from `class_breaks`.
    unit
        Put behind the labels of the legend.
    ramp
        Key of `RAMPS`.
    aliases
        Column → its name for people.
    domains
        Column → {code: label}; shown in place of the code.
    """
    root = ET.Element("qgis", version=_VERSION, styleCategories="Symbology|Fields|Forms")
    renderer = ET.SubElement(root, "renderer-v2", {
        "type": "graduatedSymbol", "attr": column, "graduatedMethod": "GraduatedColor",
        "symbollevels": "0", "forceraster": "0", "enableorderby": "0",
    })  # fmt: skip
    ranges, symbols = ET.SubElement(renderer, "ranges"), ET.SubElement(renderer, "symbols")
    for k, color in enumerate(ramp_colors(ramp, len(breaks) - 1)):
        lower, upper = _number(breaks[k]), _number(breaks[k + 1])
        ET.SubElement(ranges, "range", {
            "symbol": str(k), "lower": lower, "upper": upper, "render": "true",
            "label": f"{lower} – {upper} {unit}".strip(),
        })  # fmt: skip
        _fill(symbols, str(k), color)
    _fill(ET.SubElement(renderer, "source-symbol"), "0", ramp_colors(ramp, 1)[0])
    _value_maps(ET.SubElement(root, "fieldConfiguration"), domains or {})
    names = ET.SubElement(root, "aliases")
    for index, (field, name) in enumerate((aliases or {}).items()):
        ET.SubElement(names, "alias", field=field, index=str(index), name=name)
    return _text(root)


def ramp_stops(ramp: str, low: float, high: float) -> tuple[Stop, ...]:
    """The colours of a ramp spread over round values that span ``low`` to ``high``; around zero for `change`."""
    if ramp == "change":
        high = max(abs(low), abs(high))
        low = -high
    values = round_limits(low, high, len(RAMPS[ramp]) - 1)
    return tuple(Stop(v, rgb) for v, rgb in zip(values, ramp_colors(ramp, len(values)), strict=True))


def _raster(kind: str, **attributes: str) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("qgis", version=_VERSION, styleCategories="Symbology", hasScaleBasedVisibilityFlag="0")
    pipe = ET.SubElement(root, "pipe")
    fixed = {"type": kind, "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = ET.SubElement(pipe, "rasterrenderer", {**fixed, **attributes})
    ET.SubElement(renderer, "rasterTransparency")
    return root, renderer


def _fill(parent: ET.Element, name: str, color: RGB) -> None:
    """A polygon symbol. QGIS 3.20 and later read the Option map, earlier ones the prop elements."""
    symbol = ET.SubElement(parent, "symbol", type="fill", name=name, alpha="1", force_rhr="0", clip_to_extent="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "pass": "0", "locked": "0", "enabled": "1"})
    options = {
        "color": f"{color[0]},{color[1]},{color[2]},255", "style": "solid", "outline_color": _OUTLINE,
        "outline_style": "solid", "outline_width": "0.15", "outline_width_unit": "MM", "joinstyle": "bevel",
    }  # fmt: skip
    table = ET.SubElement(layer, "Option", type="Map")
    for key, value in options.items():
        ET.SubElement(table, "Option", type="QString", name=key, value=value)
    for key, value in options.items():
        ET.SubElement(layer, "prop", k=key, v=value)


def _value_maps(parent: ET.Element, domains: Mapping[str, Mapping[Any, str]]) -> None:
    for column, labels in domains.items():
        widget = ET.SubElement(ET.SubElement(parent, "field", name=column), "editWidget", type="ValueMap")
        config = ET.SubElement(ET.SubElement(widget, "config"), "Option", type="Map")
        entries = ET.SubElement(config, "Option", type="List", name="map")
        for code, label in labels.items():
            entry = ET.SubElement(entries, "Option", type="Map")
            ET.SubElement(entry, "Option", type="QString", name=label, value=str(code))


def _hex(rgb: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _number(value: float) -> str:
    return f"{value:.12g}"


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"
