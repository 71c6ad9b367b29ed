"""What a change would do, without doing it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pipelines.assess import check, layout
from pipelines.change.change import change_plan, epoch_plans, maps_of
from pipelines.change.changepass import ChangeTask
from pipelines.change.changestudy import ChangeStudy
from pipelines.work.workspace import Workspace


def dry_run(study: ChangeStudy) -> dict[str, Any]:
    """Check every epoch, lay out the walk over them all, and work on one block for trial. Raises InputError as the run would."""
    with tempfile.TemporaryDirectory() as folder:
        work = Workspace(Path(folder))
        for each in (work.inputs, work.pieces):
            each.mkdir(parents=True)
        plans = epoch_plans(study, work)
        for plan in plans:
            check.look_first(plan)
        whole = change_plan(study, plans, work)
        found = check.laid_out(plans[0], tuple(maps_of(whole)))
        found["layers"] = {
            f"{p.study.year} {name}": f"{s.path} ({s.width} x {s.height}, {s.dtype})"
            for p in plans for name, s in p.sources.items()
        }  # fmt: skip
        found["memory_gib"] = round((layout.BASE + sum(p.workers * p.bytes_per_block for p in plans)) / 2**30, 2)
        found["time"] = check.time_of(plans[0], ChangeTask(whole))
    return found | {"notes": list(dict.fromkeys(n for p in plans for n in p.notes))}
