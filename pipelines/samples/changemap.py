"""The map of processes of a finished change as a population to be sampled: the area of change, corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

import pandas as pd

from pipelines.errors import InputError
from pipelines.files import manifest, runmaps, tables
from pipelines.inputs import zones
from pipelines.inputs.grid import Grid
from pipelines.samples.samplemap import Population, open_run
from sinks import transitions
from sinks.accounts import TOTAL_REGION
from sinks.sampling import hint

KIND: Final = "change"
SAME: Final = "no_class_change"
"""What an interpreter sees of all processes without a change of class: biomass cannot be told by eye."""
_STAYED: Final = ("stable", "within_noise", "enhancement", "degradation", "stock_gain", "stock_loss")


@dataclass(frozen=True)
class ChangeMap(Population):
    """The process map of a finished change. table : of its transitions, first epoch to last, all regions together."""

    table: pd.DataFrame
    years: tuple[int, int]

    levels: ClassVar[tuple[str, ...]] = ("class_change", "process")

    @property
    def path(self) -> Path:
        """The process map."""
        return runmaps.path(self.folder, "process")

    @cached_property
    def labels(self) -> dict[int, str]:
        """Code of the process map → its key."""
        return {p.code: p.key for p in sorted(transitions.processes().values(), key=lambda p: p.code)}

    @cached_property
    def names(self) -> pd.DataFrame:
        """Every process, and no change of class."""
        rows = [(p.key, p.name_en, p.name_zh) for p in transitions.processes().values()]
        return pd.DataFrame(
            [(SAME, "No change of class", "类别未变化"), *rows], columns=["label", "name_en", "name_zh"]
        )

    @cached_property
    def fine(self) -> pd.DataFrame:
        """Area, pixels and change of carbon by process."""
        wide = self.table.pivot_table(index="process", columns="quantity", values="value", aggfunc="sum")
        found = wide.reset_index().rename(columns={"process": "label", "area": "area_ha"})
        return found.assign(pixels=found["pixels"].round().astype(int))

    def at_level(self, label: str, level: str) -> str:
        """The process, or no change of class."""
        return SAME if level == "class_change" and label in (*_STAYED, SAME) else label

    def aimed_at(self, label: str) -> bool:
        """Change: it is small, and most of a proportional sample would miss it."""
        return label not in _STAYED

    def resolve(self, labels: Sequence[str], names: Sequence[str], where: str) -> list[str]:
        """Labels as the project spells them. Raises InputError naming the first that is none, with the nearest one."""
        rows = self.names[["label", "name_en", "name_zh"]].itertuples(index=False)
        words = {str(w).lower(): str(row[0]) for row in rows for w in row}
        found = []
        for label, name in zip(labels, names, strict=True):
            if label.strip().lower() not in words:
                raise InputError(f"{where}: '{label}' of {name} is no process{hint(label, list(words))}")
            found.append(words[label.strip().lower()])
        return found


def open_population(folder: Path) -> Population:
    """The map of a finished run or change that a sample is drawn on. Raises InputError when there is none."""
    about = manifest.read(folder)
    return open_change(folder) if about.get("kind") == KIND else open_run(folder)


def is_change(folder: Path) -> bool:
    """Whether a folder holds a finished change."""
    return manifest.read(folder).get("kind") == KIND


def open_change(folder: Path) -> ChangeMap:
    """The map of a finished change. Raises InputError when it is none, or when its regions are gone."""
    about = manifest.read(folder)
    folder = Path(folder)
    for path in (runmaps.path(folder, "process"), folder / "transitions.parquet"):
        if not path.is_file():
            name = path.relative_to(folder)
            raise InputError(f"{folder}: there is no {name} here; name the output folder of a finished 'sinks change'")
    g = about["grid"]
    grid = Grid(g["crs_wkt"], tuple(g["transform"]), g["width"], g["height"])
    first, last = about["epochs"][0], about["epochs"][-1]
    table = tables.read_output(folder, "transitions.parquet")
    table = table[(table["region_id"] == TOTAL_REGION) & (table["year_from"] == first) & (table["year_to"] == last)]
    s = about["study"]["epochs"][0]
    regions = None
    if s.get("regions"):
        regions = zones.read_regions(
            s["regions"], grid=grid, layer=s.get("region_layer"), id_column=s.get("region_id"),
            name_column=s.get("region_name"),
        )  # fmt: skip
    return ChangeMap(folder, grid, regions, table, (first, last))
