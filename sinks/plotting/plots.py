"""``result.plot``: the figures of a run by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final, Protocol

from sinks.errors import InputError
from sinks.plotting import charts, panels
from sinks.plotting.ground import Frame
from sinks.plotting.page import WIDTH_MM, Picture, page
from sinks.plotting.panels import Classes, Density, Panel
from sinks.plotting.shapes import Shapes
from sinks.plotting.values import REGION_FIGURES, Tables
from sinks.plotting.words import LANGUAGES, say, unit

CHARTS: Final = ("pools", "targets")
FIGURES: Final = (*REGION_FIGURES, *CHARTS)
"""What can be drawn beside the maps of a run."""
_RAMPS: Final = {"coverage": "carbon", "density": "carbon", "gap": "change"}
_UNITS: Final = {"coverage": "percent", "density": "Mg C ha-1", "gap": "points"}


class Subject(Protocol):
    """What figures are drawn of: a finished run in a folder, or an assessment in memory."""

    @property
    def frame(self) -> Frame:
        """Where its maps lie."""

    @property
    def map_names(self) -> Sequence[str]:
        """Its maps."""

    def layer(self, name: str, language: str) -> tuple[str, Classes | Density]:
        """A map thinned out for paper, and its title."""

    def regions(self) -> Shapes | None:
        """Its regions; None where the whole map is one."""

    def tables(self) -> Tables:
        """Its account, coverage and scorecard."""


class Plots:
    """Figures of a run: each gives a :class:`Picture`, which a notebook shows and ``save`` writes."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that can be drawn: the maps of the run, and figures of its tables."""
        return (*self._subject.map_names, *FIGURES)

    def page(
        self, names: Sequence[str], *, language: str = "en", regions: bool = True, width_mm: float = WIDTH_MM,
        columns: int | None = None,
    ) -> Picture:  # fmt: skip
        """Several figures on one page. regions : outlines on maps. Raises InputError for a name that is none."""
        if language not in LANGUAGES:
            raise InputError(f"no language '{language}'; choose {' or '.join(LANGUAGES)}")
        for name in names:
            if name not in self.names:
                close = difflib.get_close_matches(name, self.names, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(self.names)}"
                raise InputError(f"there is no figure '{name}' of this run; {hint}")
        return page([self._panel(name, language, regions) for name in names], width_mm, columns)

    def map(self, name: str, *, language: str = "en", regions: bool = True, width_mm: float = WIDTH_MM) -> Picture:
        """A map of the run: ``ecosystem``, ``carbon_total`` …"""
        return self.page([name], language=language, regions=regions, width_mm=width_mm)

    def regions(self, what: str = "coverage", *, language: str = "en", width_mm: float = WIDTH_MM) -> Picture:
        """Regions coloured by ``coverage``, ``density`` of carbon or ``gap`` to the coverage target."""
        return self.page([what], language=language, width_mm=width_mm)

    def pools(self, *, language: str = "en", width_mm: float = WIDTH_MM) -> Picture:
        """Carbon stock by ecosystem and pool."""
        return self.page(["pools"], language=language, width_mm=width_mm)

    def targets(self, *, language: str = "en", width_mm: float = WIDTH_MM) -> Picture:
        """Coverage of the regions against targets."""
        return self.page(["targets"], language=language, width_mm=width_mm)

    def _panel(self, name: str, language: str, outlined: bool) -> Panel:
        if name == "pools":
            return charts.pool_panel(self._subject.tables(), language)
        if name == "targets":
            return charts.target_panel(self._subject.tables(), language)
        frame, shapes = self._subject.frame, self._subject.regions()
        if name not in REGION_FIGURES:
            title, layer = self._subject.layer(name, language)
            draw = panels.class_panel if isinstance(layer, Classes) else panels.density_panel
            return draw(title, frame, layer, shapes if outlined else None, language)  # type: ignore[arg-type]
        if shapes is None:
            raise InputError(
                f"the figure '{name}' colours regions, and this run has none; give regions to the assessment"
            )
        tables = self._subject.tables()
        values, title = tables.of_regions(name, shapes.ids), say(f"figure.{name}", language)
        if name == "gap" and tables.national_only:
            year, value = tables.national()[0]
            title = say("figure.gap_national", language, value=f"{value:g}", year=year)
        return panels.region_panel(
            title, frame, shapes, values, unit(_UNITS[name], language), _RAMPS[name], language,
            without="no_target" if name == "gap" else "none",
        )  # fmt: skip
