"""One pixel's way through a run: its inputs, its class and stratum, every coefficient with its source, its result."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import Transformer

from pipelines.assess import again, blockpass
from pipelines.assess.plan import Plan, make_plan
from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.inputs import zones
from pipelines.inputs.grid import Block, Grid
from sinks import coding
from sinks.quantities import BY_KEY, KEYS, SUMS
from sinks.science import is_no_ecosystem, map_class
from sinks.units import M2_PER_HA


def explain(run: Path, x: float, y: float, lonlat: bool = False, allow_network: bool = False) -> dict[str, Any]:
    """Follow the pixel at a place of a finished run.

    x, y : in the CRS of the land cover, or longitude and latitude [°]. Raises InputError when the place is off the map or
    the run's inputs are gone.
    """
    study = again.study_of(manifest.read(run), run / manifest.NAME, allow_network, out=str(run))
    with tempfile.TemporaryDirectory() as work:
        plan = make_plan(study, Path(work))
        return _pixel(plan, _block_at(plan.grid, x, y, lonlat))


def _block_at(grid: Grid, x: float, y: float, lonlat: bool) -> Block:
    if lonlat and not grid.is_geographic:
        x, y = Transformer.from_crs(4326, grid.crs, always_xy=True).transform(x, y)
    a, _, x0, _, e, y0 = grid.transform
    there = math.isfinite(x) and math.isfinite(y)
    col, row = (math.floor((x - x0) / a), math.floor((y - y0) / e)) if there else (-1, -1)
    if not (0 <= col < grid.width and 0 <= row < grid.height):
        west, south, east, north = grid.bounds
        raise InputError(
            f"the place {x:g}, {y:g} is not on the map, which spans {west:g} to {east:g} and {south:g} to {north:g} in its own "
            f"CRS; give longitude and latitude with --lonlat"
        )
    return Block(0, row, col, 1, 1)


def _pixel(plan: Plan, block: Block) -> dict[str, Any]:
    p = plan.block_plan
    wide, around = blockpass.read_cover(p, block, p.patch - 1)
    raw = blockpass.inner(around, p.patch - 1)
    layers, _ = blockpass.read_layers(p, block, blockpass.inner(wide, p.patch - 1))
    outer, seen, terms, _ = blockpass.strata_of(p, block, wide, layers)
    packed = coding.pack(outer, seen.categories, p.science.coding.radices, terms)
    code = int(packed.meaning(packed.code)[0, 0])
    stratum, pieces = p.science.coding.stratum(code), p.science.pieces(code)
    value = [float(np.nan_to_num(terms.held(k)[0, 0])) for k in range(len(terms))]
    piece = int(np.searchsorted(pieces.edges, value[0], side="left")) if value and pieces.edges.size else 0
    area = float(p.grid.area(block)[0, 0])
    density = {k: float(pieces.of(k)[piece] @ [1.0, *value]) for k in (*KEYS, *SUMS)}
    ecosystem, forest_type = map_class(stratum.cover)
    return {
        "row": block.row,
        "column": block.col,
        "inputs": {"landcover": int(raw[0, 0]), **{k: float(v.data[0, 0]) for k, v in layers.items()}},
        "how the layers came to the grid": [n for a in p.alignments.values() for n in a.notes],
        "region": _region_name(plan, block),
        "class": "no ecosystem" if is_no_ecosystem(stratum) else " / ".join(filter(None, (ecosystem, forest_type))),
        "stratum": {**p.science.coding.labels(code), "layers with a value": ", ".join(sorted(stratum.present)) or "none"},
        "method": [c.method for c in pieces.coefficients if c.method],
        "coefficients": [replace(c, name=k).cite() for part in pieces.coefficients for k, c in part.values.items()],
        "area_ha": area / M2_PER_HA,
        "per hectare": {k: {"value": v, "unit": BY_KEY[k].unit} for k, v in density.items() if not math.isnan(v)},
        "this pixel": {
            k: {"value": v * area / M2_PER_HA, "unit": BY_KEY[k].total_unit} for k, v in density.items() if not math.isnan(v)
        },
    }  # fmt: skip


def _region_name(plan: Plan, block: Block) -> str:
    regions = plan.block_plan.regions
    if regions is None:
        return "whole map"
    k = int(zones.label(regions, block)[0, 0])
    return f"{regions.ids[k - 1]} {regions.names[k - 1]}".strip() if k else "none"


def text(found: dict[str, Any]) -> str:
    """The explanation as indented lines."""
    lines: list[str] = []

    def put(name: str, value: Any, depth: int) -> None:
        pad = "  " * depth
        if isinstance(value, dict) and set(value) == {"value", "unit"}:
            lines.append(f"{pad}{name}: {value['value']:.6g} {value['unit']}")
        elif isinstance(value, dict):
            lines.append(f"{pad}{name}:")
            for k, v in value.items():
                put(k, v, depth + 1)
        elif isinstance(value, list):
            lines.append(f"{pad}{name}:")
            lines.extend(f"{pad}  {item}" for item in value)
        else:
            lines.append(f"{pad}{name}: {value:.6g}" if isinstance(value, float) else f"{pad}{name}: {value}")

    for name, value in found.items():
        put(name, value, 0)
    return "\n".join(lines)
