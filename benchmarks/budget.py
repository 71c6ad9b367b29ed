"""How long the error budget of many regions takes, against building their tidy account in the same run.

    python benchmarks/budget.py --regions 3000 --draws 10000

Seeded random classes, climates and regions on a million pixels: every region has every stratum, which is the worst case.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sinks import budget, coding, onepass
from sinks.accounts import Account, RegionInfo
from sinks.climate import ZONES
from sinks.coding import NODATA, UNKNOWN, Coding, Dimension
from sinks.lattice import Stack
from sinks.parameters import parameter_set
from sinks.plug import Cover, Options
from sinks.science import Science

COVERS = (
    NODATA, UNKNOWN, Cover("forest", "needleleaf"), Cover("forest", "broadleaf"), Cover("forest", "mixed"), Cover("grassland"),
    Cover("cropland"), Cover("inland_wetland"),
)  # fmt: skip
SIDE = 1024


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--regions", type=int, default=3000)
    parser.add_argument("--draws", type=int, default=10_000)
    a = parser.parse_args()
    rng = np.random.default_rng(1)
    parameters = parameter_set("china")
    options = Options(soil_depth_cm=int(parameters.settings["soil_depth_cm"]))
    science = Science(Coding(COVERS, (Dimension("climate", ("", *ZONES)),), ("agb",)), parameters, options)
    cover = rng.integers(0, len(COVERS), (SIDE, SIDE)).astype(np.uint8)
    climate = rng.integers(3, 9, (SIDE, SIDE)).astype(np.uint8)
    terms = Stack.of(rng.gamma(3, 40, (1, SIDE, SIDE)).astype(np.float32))
    region = rng.integers(0, a.regions + 1, (SIDE, SIDE)).astype(np.int32)
    packed = coding.pack([cover], [climate], science.coding.radices, terms)
    seen = onepass.survey(packed, region, a.regions + 1)
    nothing = onepass.MapRequest((), ())
    area = np.full((SIDE, 1), 1e6)
    _, sums = onepass.run(packed.code, region, area, terms, science.strata(seen.codes, nothing), nothing, seen)
    infos = tuple(RegionInfo(f"r{n}") for n in range(1, a.regions + 1))
    print(f"{a.regions} regions, {sums.code.size} rows, {a.draws} draws")
    account = Account.build(sums, science, infos, {})
    base = timed("tidy account", lambda: account.tidy)
    work = budget.prepare(sums, science, infos)
    timed("propagation", lambda: budget.propagate(work), base)
    timed("Monte Carlo", lambda: budget.monte_carlo(work, 1, a.draws), base)


def timed(name: str, task: Callable[[], Any], base: float = 0.0) -> float:
    """Seconds of a task, and how many times the base that is."""
    start = time.perf_counter()
    task()
    took = time.perf_counter() - start
    print(f"{name:14} {took:6.2f} s" + (f"  {took / base:6.2f} x the tidy account" if base else ""))
    return took


if __name__ == "__main__":
    main()
