"""The draft of an assessment as a commented TOML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.assess.newstudy import Draft, relative, values
from sinks.layers import LAYERS


def toml(made: Draft, base: Path) -> str:
    """The assessment file. base : the folder in which it will lie."""
    v = values(made, base)
    lines = [
        "# Written by 'sinks new', which looked at your files: guesses stand beside their reasons, doubts behind '?'.",
        "# Paths are relative to this file.",
        "# Check it:  sinks check THIS_FILE     Run it:  sinks assess THIS_FILE --out result",
    ]
    lines.append(f"# sinks check: {made.verdict or 'passed when this was written.'}")
    for layer, choice in made.choices.items():
        lines += ["", f"# {LAYERS[layer].about} {choice.why}"]
        lines += [f"# ? {doubt}" for doubt in choice.doubts]
        lines += [f"#   another: {other}" for other in choice.others[:6]]
        if layer in made.refused:
            paths = [relative(look.path, base) for look in choice.looks]
            lines += [f"# ? left out, for the check says: {made.refused[layer]}", f"# {layer} = {_text(paths[0])}"]
            continue
        lines.append(f"{layer} = {_text(v[layer])}")
        if layer == "landcover":
            lines += _about_legend(made, v)
    lines += _about_regions(made, v)
    lines += ["", f"# The year that the maps stand for: {'of the land cover' if made.year else '? not in any name'}."]
    lines.append(f"year = {v['year']}" if "year" in v else "# year = 2023")
    lines += ["", "# china, china_guide, ipcc, a CSV of your own, or auto: by where the map lies ('sinks parameters list').",
              f"parameters = {_text(v.get('parameters', 'auto'))}"]  # fmt: skip
    if "climate" not in v:
        lines += [
            "",
            "# No map of climate zones was found: zones are told by latitude, which takes a grid in degrees.",
            "# One zone by name is better where it fits ('sinks layers climate').",
            '# climate = "warm_temperate_moist"',
        ]
    lines += [
        "",
        "# Each map as one file (whole), or, where it is too large to be copied, as a file for each block under a virtual raster",
        "# (shards).",
        '# map_layout = "whole"',
    ]
    for layer, own in v.get("layers", {}).items():
        lines += ["", f"[layers.{layer}]", *(f"{key} = {value:g}" for key, value in own.items())]
    if made.unused:
        lines += ["", "# Not used:", *(f"#   {said}" for said in made.unused)]
    return "\n".join(lines) + "\n"


def _about_legend(made: Draft, v: Mapping[str, Any]) -> list[str]:
    if "legend" in made.given:
        return [f"legend = {_text(made.given['legend'])}"]
    told = "; ".join(f"{f.name} {f.share:.1%}{' (in its name)' if f.named else ''}" for f in made.fits)
    lines = [f"# Pixels that each legend explains: {told}"]
    if made.legend:
        return [*lines, f"legend = {_text(made.legend)}"]
    return [
        *lines,
        "# ? no legend fits: name one ('sinks legends'), or write your own CSV (columns code, ecosystem)",
        "# legend = ",
    ]


def _about_regions(made: Draft, v: Mapping[str, Any]) -> list[str]:
    if made.regions is None:
        return [
            "",
            "# Region polygons, any vector file; without them the whole map is one region.",
            '# regions = "counties.gpkg"',
        ]
    lines = ["", f"# Regions: {made.regions.why}", *(f"#   another: {other}" for other in made.regions.others[:6])]
    mark = "# " if "regions" in made.refused else ""
    if mark:
        lines.append(f"# ? left out, for the check says: {made.refused['regions']}")
    for key in ("regions", "region_layer", "region_id", "region_name"):
        if key in v:
            lines.append(f"{mark}{key} = {_text(v[key])}")
    if not made.regions.name_column:
        lines.append("# ? no column looks like names; put one under region_name")
    return lines


def _text(value: Any) -> str:
    """A value as TOML; its strings and lists are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
