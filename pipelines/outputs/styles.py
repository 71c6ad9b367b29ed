"""QGIS styles (QML) for the maps and tables of a run, so that they open coloured and with their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from pipelines.outputs.columns import both
from sinks.colors import RAMPS, RGB, class_breaks, ramp_colors, round_limits

__all__ = [
    "RAMPS", "RGB", "ClassColor", "Stop", "both", "breaks_for", "categorized_points", "class_breaks", "class_colors",
    "graduated_polygon", "paletted_raster", "pseudocolor_raster", "ramp_colors", "ramp_stops", "round_limits",
    "table",
]  # fmt: skip

_DOCTYPE: Final = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION: Final = "3.22.0"
_OUTLINE: Final = "89,89,89,255"
_BOLD: Final = "122,1,119,255"


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
    label: str = "",
    bold: bool = False,
) -> str:
    """Style of a polygon layer: one colour a class of values of a column.

    Parameters
    ----------
    column
        The numeric column.
    breaks
        Limits of the classes, ascending: one more than there are classes, as from `breaks_for`.
    unit
        Put behind the labels of the legend.
    ramp
        Key of `RAMPS`.
    aliases
        Column → its name for people.
    domains
        Column → {code: label}; shown in place of the code.
    label
        Column that is written on the polygons; "" for none.
    bold
        An outline that shows polygons of less than a dot on the screen.
    """
    root = _vector(label)
    renderer = ET.SubElement(root, "renderer-v2", {
        "type": "graduatedSymbol", "attr": column, "graduatedMethod": "GraduatedColor",
        "symbollevels": "0", "forceraster": "0", "enableorderby": "0",
    })  # fmt: skip
    ranges, symbols = ET.SubElement(renderer, "ranges"), ET.SubElement(renderer, "symbols")
    for k, color in enumerate(class_colors(ramp, breaks)):
        lower, upper = _number(breaks[k]), _number(breaks[k + 1])
        ET.SubElement(ranges, "range", {
            "symbol": str(k), "lower": lower, "upper": upper, "render": "true",
            "label": f"{_told(breaks[k])} – {_told(breaks[k + 1])} {unit}".strip(),
        })  # fmt: skip
        _fill(symbols, str(k), color, bold)
    _fill(ET.SubElement(renderer, "source-symbol"), "0", ramp_colors(ramp, 1)[0], bold)
    if label:
        _label(root, label)
    return _with_names(root, aliases or {}, domains or {})


def categorized_points(
    expression: str,
    classes: Sequence[ClassColor],
    aliases: Mapping[str, str] | None = None,
    domains: Mapping[str, Mapping[Any, str]] | None = None,
) -> str:
    """Style of a layer of points: a dot of one colour for each value of an expression of QGIS."""
    root = _vector("")
    renderer = ET.SubElement(root, "renderer-v2", {
        "type": "categorizedSymbol", "attr": expression, "symbollevels": "0", "forceraster": "0", "enableorderby": "0",
    })  # fmt: skip
    listed, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for k, item in enumerate(classes):
        ET.SubElement(listed, "category", {
            "symbol": str(k), "value": str(item.value), "type": "long", "render": "true",
            "label": both(item.name_en, item.name_zh),
        })  # fmt: skip
        _symbol(symbols, "marker", str(k), "SimpleMarker", {
            "name": "circle", "size": "2.2", "size_unit": "MM", "color": _rgba(item.rgb), "outline_color": "255,255,255,255",
            "outline_style": "solid", "outline_width": "0.25", "outline_width_unit": "MM",
        })  # fmt: skip
    return _with_names(root, aliases or {}, domains or {})


def table(aliases: Mapping[str, str], domains: Mapping[str, Mapping[Any, str]]) -> str:
    """Style of a table without places: what its columns and codes are called."""
    return _with_names(ET.Element("qgis", version=_VERSION, styleCategories="Fields|Forms"), aliases, domains)


def breaks_for(ramp: str, values: NDArray[np.floating]) -> list[float]:
    """Limits of the classes of a layer: round and even on both sides of zero for `change`, else about equally many
    values in each; [] when no value is finite."""
    if ramp != "change":
        return class_breaks(values)
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return []
    low, high = min(float(finite.min()), 0.0), max(float(finite.max()), 0.0)
    usual = float(np.quantile(np.abs(finite), 0.9)) or max(-low, high) or 1.0
    limits = round_limits(-usual, usual, 5)
    limits[0] = min(limits[0], round_limits(low, 0.0, 1)[0])
    limits[-1] = max(limits[-1], round_limits(0.0, high, 1)[-1])
    first = max(k for k, v in enumerate(limits) if v <= low)
    last = max(min(k for k, v in enumerate(limits) if v >= high), first + 1)
    return limits[first : last + 1]


def class_colors(ramp: str, breaks: Sequence[float]) -> list[RGB]:
    """One colour a class; of `change`, by how many classes it is from zero."""
    if ramp != "change" or 0.0 not in breaks:
        return ramp_colors(ramp, len(breaks) - 1)
    below = list(breaks).index(0.0)
    side = max(below, len(breaks) - 1 - below)
    return ramp_colors(ramp, 2 * side)[side - below : side - below + len(breaks) - 1]


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


def _vector(label: str) -> ET.Element:
    kinds = "Symbology|Labeling|Fields|Forms" if label else "Symbology|Fields|Forms"
    return ET.Element("qgis", version=_VERSION, styleCategories=kinds, labelsEnabled="1" if label else "0")


def _with_names(root: ET.Element, aliases: Mapping[str, str], domains: Mapping[str, Mapping[Any, str]]) -> str:
    _value_maps(ET.SubElement(root, "fieldConfiguration"), domains)
    names = ET.SubElement(root, "aliases")
    for index, (field, name) in enumerate(aliases.items()):
        ET.SubElement(names, "alias", field=field, index=str(index), name=name)
    return _text(root)


def _label(root: ET.Element, column: str) -> None:
    """A column written on the features, on a light halo, where there is room."""
    settings = ET.SubElement(ET.SubElement(root, "labeling", type="simple"), "settings", calloutType="simple")
    text = ET.SubElement(settings, "text-style", {
        "fieldName": column, "isExpression": "0", "fontSize": "9", "fontSizeUnit": "Point", "textColor": "38,38,38,255",
        "textOpacity": "1", "multilineHeight": "1",
    })  # fmt: skip
    ET.SubElement(text, "text-buffer", {
        "bufferDraw": "1", "bufferSize": "0.7", "bufferSizeUnits": "MM", "bufferColor": "255,255,255,255",
        "bufferOpacity": "0.75", "bufferJoinStyle": "128",
    })  # fmt: skip
    ET.SubElement(settings, "placement", placement="1", centroidInside="1", centroidWhole="0", priority="5")
    ET.SubElement(settings, "rendering", obstacle="0", displayAll="0", scaleVisibility="0", drawLabels="1")


def _fill(parent: ET.Element, name: str, color: RGB, bold: bool) -> None:
    _symbol(parent, "fill", name, "SimpleFill", {
        "color": _rgba(color), "style": "solid", "outline_color": _BOLD if bold else _OUTLINE, "outline_style": "solid",
        "outline_width": "0.7" if bold else "0.15", "outline_width_unit": "MM", "joinstyle": "bevel",
    })  # fmt: skip


def _symbol(parent: ET.Element, kind: str, name: str, layer_class: str, options: Mapping[str, str]) -> None:
    """A symbol of one layer. QGIS 3.20 and later read the Option map, earlier ones the prop elements."""
    symbol = ET.SubElement(parent, "symbol", type=kind, name=name, alpha="1", force_rhr="0", clip_to_extent="1")
    layer = ET.SubElement(symbol, "layer", {"class": layer_class, "pass": "0", "locked": "0", "enabled": "1"})
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


def _rgba(rgb: RGB) -> str:
    return f"{rgb[0]},{rgb[1]},{rgb[2]},255"


def _number(value: float) -> str:
    return f"{value:.12g}"


def _told(value: float) -> str:
    """A limit for people: thousands apart, no more digits than it has."""
    return f"{value:,.12g}"


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"
