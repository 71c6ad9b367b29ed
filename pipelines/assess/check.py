"""What a run would do, without doing it: inputs, grid, blocks, memory, disk."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pipelines.assess import mapspecs
from pipelines.assess.plan import make_plan
from pipelines.assess.study import Study
from pipelines.inputs import preflight


def check(study: Study) -> dict[str, Any]:
    """Open and check every input, look at thinned-out pixels, and lay out the run. Raises InputError as the run would."""
    with tempfile.TemporaryDirectory() as work:
        plan = make_plan(study, Path(work))
        preflight.check_landcover(
            plan.sources["landcover"], plan.block_plan.cover_of, str(study.legend or study.parameters)
        )
        if study.biomass:
            preflight.check_biomass(plan.sources[study.biomass], study.biomass)
    first = plan.blocks[0]
    return {
        "grid": f"{plan.grid.width} x {plan.grid.height} pixels, {plan.grid.crs.name}",
        "layers": {name: f"{s.path} ({s.width} x {s.height}, {s.dtype})" for name, s in plan.sources.items()},
        "regions": len(plan.block_plan.regions.ids) if plan.block_plan.regions else 0,
        "parameters": plan.parameters_name,
        "maps": [s.name for s in plan.block_plan.value_maps] + (["ecosystem"] if plan.block_plan.ecosystem_map else []),
        "blocks": f"{len(plan.blocks)} of up to {first.width} x {first.height} pixels",
        "workers": plan.workers,
        "memory_gib": round(plan.workers * plan.bytes_per_block / 2**30, 2),
        "disk_gib_at_most": round(mapspecs.typical_bytes(plan.block_plan.value_maps, plan.pixels) / 2**30, 2),
        "notes": list(plan.notes),
    }


def text(found: dict[str, Any]) -> str:
    """The plan for the screen."""
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {k}: {v}" for k, v in value.items())]
        elif isinstance(value, list):
            lines += [f"{name}:", *(f"  {v}" for v in value)]
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines) + "\nThe inputs can be used."
