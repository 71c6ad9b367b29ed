"""What a finished run gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.assess.closure import Check
from pipelines.files.citing import of_run
from sinks.accounts import Account
from sinks.bibliography import Citations

if TYPE_CHECKING:
    from sinks.plotting.plots import Plots


@dataclass(frozen=True)
class Result:
    """What a run gives back.

    views : the policy headings, never to be summed;
    maps : path of each map; unknown : raster value → (pixels, hectares) the legend lacks.
    """

    out: Path
    account: Account
    coverage: pd.DataFrame
    scorecard: pd.DataFrame
    views: pd.DataFrame
    maps: dict[str, Path]
    unknown: dict[int, tuple[int, float]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    seconds: float
    pixels: int

    @property
    def plot(self) -> Plots:
        """Figures for print: ``result.plot.map("carbon_total").save("carbon.pdf")``; takes matplotlib."""
        from pipelines.outputs import runplots  # most runs draw none

        return runplots.plots(self.out)

    def cite(self) -> Citations:
        """What must be cited for this run: software, data and the sources of its coefficients; printed, it is BibTeX."""
        return of_run(self.out)
