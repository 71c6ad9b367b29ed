"""The checks that every run must pass before it may say that it is finished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.assess.blockpass import Partial
from pipelines.errors import RunError
from sinks.accounts import OUTSIDE_REGIONS, TOTAL_REGION, Account
from sinks.quantities import POOL_KEYS, TOTAL
from sinks.units import M2_PER_HA

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Check:
    """One check: what was compared, the two sides, their relative difference, and what was allowed."""

    name: str
    left: float
    right: float
    difference: float
    allowed: float

    @property
    def closed(self) -> bool:
        return self.difference <= self.allowed


def checks(account: Account, partial: Partial, integer_step: float) -> list[Check]:
    """Every check of a run, closed or not."""
    found = _areas(account, partial)
    found.append(_pools(account))
    found.append(_regions_add_up(account))
    found.append(_polygons(account))
    if partial.total.area > 0:
        half_a_step = integer_step / 2 * partial.total.area / M2_PER_HA
        rounding = 1e-6 * abs(partial.total.accounted)
        allowed = (half_a_step or rounding) / max(abs(partial.total.accounted), 1e-300)
        found.append(check("total carbon: map = account", partial.total.mapped, partial.total.accounted, allowed))
    return found


def require(found: list[Check], clipped: int = 0) -> None:
    """Raise RunError naming the checks that do not close. clipped : values that the integer maps could not hold."""
    if clipped and not all(c.closed for c in found):
        raise RunError(
            f"{clipped} map values are beyond what the integer maps hold, so that map and account differ; use --map-type float32"
        )
    broken = [f"{c.name}: {c.left:.9g} against {c.right:.9g}" for c in found if not c.closed]
    if broken:
        raise RunError("the run does not close and must not be used; please report this: " + "; ".join(broken))


def check(name: str, left: float, right: float, allowed: float = TOLERANCE) -> Check:
    """Two sides held against each other, by their larger."""
    scale = max(abs(left), abs(right))
    return Check(name, left, right, abs(left - right) / scale if scale else 0.0, allowed)


def _areas(account: Account, partial: Partial) -> list[Check]:
    """Σ ecosystems + unknown + nodata of a region = the area of its pixels, summed another way."""
    strata = account.strata.groupby("region_id")["area_ha"].sum()
    ids = [OUTSIDE_REGIONS, *(r.id for r in account.regions)]
    worst = check("area of regions: ecosystems + unknown + no data = pixels", 0.0, 0.0)
    for index, area in partial.region_area.items():
        one = check(
            f"area of {ids[index]}: ecosystems + unknown + no data = pixels",
            strata.get(ids[index], 0.0),
            area / M2_PER_HA,
        )
        worst = max(worst, one, key=lambda c: c.difference)
    return [worst]


def _pools(account: Account) -> Check:
    """Σ pools = total, of the tidy account."""
    tidy = account.tidy
    top = tidy[(tidy["region_id"] == TOTAL_REGION) & (tidy["ecosystem"] == "all")].set_index("quantity")["value"]
    pools = float(np.sum([top.get(k, 0.0) for k in POOL_KEYS]))
    return check("carbon: sum of pools = total", pools, float(top.get(TOTAL.key, 0.0)))


def _polygons(account: Account) -> Check:
    """Pixels + what lies outside the rasters against the polygons' own area: shown, for pixels cannot follow a border."""
    pixels = account.area_ha() + sum(r.outside_grid_ha for r in account.regions)
    polygons = float(np.sum([r.polygon_area_ha for r in account.regions]))
    return check(
        "area: pixels + outside the rasters ≈ polygons", pixels, polygons if np.isfinite(polygons) else pixels, np.inf
    )


def _regions_add_up(account: Account) -> Check:
    """Σ regions = total."""
    tidy = account.tidy
    rows = tidy[(tidy["ecosystem"] == "all") & (tidy["quantity"] == "area")].set_index("region_id")["value"]
    parts = float(rows.drop([TOTAL_REGION, OUTSIDE_REGIONS], errors="ignore").sum())
    return check("area: sum of regions = total", parts, float(rows.get(TOTAL_REGION, 0.0)))
