"""What a run would do, without doing it: inputs, grid, blocks, memory, disk, and time where it is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelines.assess import mapspecs
from pipelines.assess.blockpass import BlockTask
from pipelines.assess.plan import Plan, make_plan
from pipelines.assess.study import Study
from pipelines.inputs import preflight
from pipelines.outputs.maps import MapSpec
from pipelines.work import trial


def check(study: Study, timed: bool = False) -> dict[str, Any]:
    """Open and check every input, look at thinned-out pixels, and lay out the run. Raises InputError as the run would.

    timed : work on one block for trial, and tell how long the run will take.
    """
    with tempfile.TemporaryDirectory() as work:
        plan = make_plan(study, Path(work))
        look_first(plan)
        own = plan.block_plan.ecosystem_map
        specs = (*plan.block_plan.value_maps, *([own] if own else []))
        found = laid_out(plan, specs)
        if timed:
            found["time"] = time_of(plan, BlockTask(plan.block_plan))
    return found | {"notes": list(plan.notes)}


def look_first(plan: Plan) -> None:
    """The mistakes that thinned-out pixels show. Raises InputError."""
    preflight.check_landcover(
        plan.sources["landcover"], plan.block_plan.cover_of, str(plan.study.legend or plan.study.parameters)
    )
    if plan.study.biomass:
        preflight.check_biomass(plan.sources[plan.study.biomass], plan.study.biomass)


def laid_out(plan: Plan, specs: tuple[MapSpec, ...]) -> dict[str, Any]:
    """The plan in plain words. specs : the maps that are written."""
    first = plan.blocks[0]
    return {
        "grid": f"{plan.grid.width} x {plan.grid.height} pixels, {plan.grid.crs.name}",
        "layers": {name: f"{s.path} ({s.width} x {s.height}, {s.dtype})" for name, s in plan.sources.items()},
        "regions": len(plan.block_plan.regions.ids) if plan.block_plan.regions else 0,
        "parameters": plan.parameters_name,
        "maps": [s.name for s in specs],
        "blocks": f"{len(plan.blocks)} of up to {first.width} x {first.height} pixels",
        "workers": plan.workers,
        "memory_gib": round(plan.memory / 2**30, 2),
        "disk_gib_at_most": round(mapspecs.typical_bytes(specs, plan.pixels, plan.study.map_layout) / 2**30, 2),
    }


def time_of(plan: Plan, task: Callable[[Any], Any]) -> str:
    """How long all blocks will take on this machine; a cluster's pace is not known here."""
    if plan.study.scheduler or plan.study.cluster:
        return "not known: the blocks are worked on elsewhere"
    return f"{trial.told(trial.seconds(task, plan.blocks, plan.workers))}, from one block worked on for trial"


def text(found: Mapping[str, Any], last: str) -> str:
    """The plan for the screen. last : its last line."""
    wide = max(len(name) for name in found)
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            value = [f"{k}: {v}" for k, v in value.items()]
        elif name == "maps":
            value = ", ".join(value) or "none"
        if isinstance(value, list):
            lines += [f"{name}:", *(f"  {v}" for v in value)]
        else:
            lines.append(f"{name + ':':{wide + 1}} {value}")
    return "\n".join(lines) + f"\n{last}"
