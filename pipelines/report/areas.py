"""What lies inside and outside protected areas, red lines or projects, from a finished `sinks reserves`."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.report.catalogue import Both, same, say
from pipelines.report.runfolder import Run

INSIDE = "inside"


@dataclass(frozen=True)
class Area:
    """One area, the union of all ("inside_any") or the rest ("outside_all"). Carbon in Mg C; built : lost to construction."""

    id: str
    name: Both
    where: str
    area_ha: float
    opening: float
    closing: float
    change: float
    change_density: float
    built_ha: float
    built_carbon: float
    patches: float


def areas(reserves: Run) -> list[Area]:
    """Every row of the summary."""
    return [
        Area(
            str(r["area_id"]), same(r["area_name"]) if r["where"] == INSIDE else say(f"reserves.{r['where']}"),
            str(r["where"]), r["area_ha"], r["opening_mg_c"], r["closing_mg_c"], r["change_mg_c"], r["change_mg_c_per_ha"],
            r["construction_ha"], r["construction_mg_c"], r["patches"],
        )
        for r in reserves.table("reserve_summary.csv").to_dict("records")
    ]  # fmt: skip
