"""The map of a finished run as a population to be sampled, and the names of its classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from pipelines.errors import InputError
from pipelines.files import manifest, runmaps, tables
from pipelines.inputs import zones
from pipelines.inputs.grid import Block, Grid
from sinks import ecosystems
from sinks.accounts import OUTSIDE_REGIONS, Account
from sinks.sampling import hint
from sinks.science import NODATA_CODE, UNKNOWN_CODE

LEVELS: Final = ("ecosystem", "forest_type", "forest")
"""How finely classes are told: ecosystems; forest by type too; forest and everything else."""
FOREST, NOT_FOREST, UNKNOWN = "forest", "not_forest", "unknown"
_BLOCK: Final = 2048
_NOT_FOREST_WORDS: Final = (
    "not_forest",
    "not forest",
    "non_forest",
    "non-forest",
    "nonforest",
    "other",
    "非林地",
    "非森林",
)
_FOREST_WORDS: Final = ("森林", "林地", "有林地", "乔木林")


@dataclass(frozen=True)
class Population:
    """A map of classes that is sampled: every pixel of the regions with a class; no data is left out of it.

    regions : None where the whole map is inside.
    """

    folder: Path
    grid: Grid
    regions: zones.Regions | None

    levels: ClassVar[tuple[str, ...]] = ()
    """How finely classes can be told, the usual one first."""

    @property
    def path(self) -> Path:
        """The map."""
        raise NotImplementedError

    @cached_property
    def labels(self) -> dict[int, str]:
        """Code of the map → finest label."""
        raise NotImplementedError

    @cached_property
    def names(self) -> pd.DataFrame:
        """label, name_en, name_zh of what an interpreter may say."""
        raise NotImplementedError

    @cached_property
    def fine(self) -> pd.DataFrame:
        """label (finest), area_ha, pixels, one row or several a label."""
        raise NotImplementedError

    def at_level(self, label: str, level: str) -> str:
        """A finest label as the level has it."""
        raise NotImplementedError

    def aimed_at(self, label: str) -> bool:
        """Whether a sample is first of all to tell the area of this finest label."""
        raise NotImplementedError

    def sums(self, column: str, level: str) -> dict[str, float]:
        """A column of ``fine`` by label, in the order of the map's codes; NaN where no row has a value."""
        labels = [self.at_level(x, level) for x in self.fine["label"]]
        sums = self.fine[column].groupby(labels).sum(min_count=1)
        order = list(dict.fromkeys(self.at_level(x, level) for x in self.labels.values()))
        return {str(k): float(sums[k]) for k in sorted(sums.index, key=order.index)}

    def blocks(self) -> Iterator[tuple[Block, NDArray[np.uint8]]]:
        """Codes of the map by block (h, w), 0 outside the population."""
        with rasterio.open(self.path) as source:
            for block in self.grid.blocks(_BLOCK, _BLOCK):
                yield block, self._codes(source, block)

    def codes_at(self, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Code of every pixel (n,), 0 outside the population."""
        with rasterio.open(self.path) as source:
            return self._at(row, col, lambda block: self._codes(source, block)).astype(np.uint8)

    def regions_at(self, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.int64]:
        """Region of every pixel (n,): 0 in none, k for the k-th; 1 everywhere where there are none."""
        known = self.regions
        if known is None:
            return np.ones(len(row), np.int64)
        return self._at(row, col, lambda block: zones.label(known, block))

    def _at(
        self, row: NDArray[np.int64], col: NDArray[np.int64], values: Callable[[Block], NDArray[Any]]
    ) -> NDArray[np.int64]:
        """Values at pixels, read by the tiles that regions are drawn in."""
        out = np.zeros(len(row), np.int64)
        tile = (row // zones.TILE) * (self.grid.width // zones.TILE + 1) + col // zones.TILE
        for t in np.unique(tile):
            at = np.flatnonzero(tile == t)
            r, c = int(row[at[0]] // zones.TILE * zones.TILE), int(col[at[0]] // zones.TILE * zones.TILE)
            block = Block(0, r, c, min(zones.TILE, self.grid.height - r), min(zones.TILE, self.grid.width - c))
            out[at] = values(block)[row[at] - r, col[at] - c]
        return out

    def _codes(self, source: Any, block: Block) -> NDArray[np.uint8]:
        codes = source.read(1, window=Window(block.col, block.row, block.width, block.height))
        if self.regions is not None:
            codes[zones.label(self.regions, block) == 0] = NODATA_CODE
        return codes


@dataclass(frozen=True)
class RunMap(Population):
    """The ecosystem map of a finished run with its account; classes that the legend does not know are part of it."""

    account: Account

    levels: ClassVar[tuple[str, ...]] = LEVELS

    @property
    def path(self) -> Path:
        """The ecosystem map."""
        return runmaps.path(self.folder, "ecosystem")

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The forest definition of the run."""
        return dict(self.account.context.get("forest_definition") or {})

    @property
    def forest_ecosystems(self) -> tuple[str, ...]:
        """Ecosystems that are forest in full by the run's definition."""
        return (FOREST, "mangrove") if self.definition.get("mangrove_is_forest", True) else (FOREST,)

    @cached_property
    def fine(self) -> pd.DataFrame:
        """Rows of the account in the population, with ``label`` at the finest level."""
        part = self.account.strata[~self.account.strata["region_id"].isin([OUTSIDE_REGIONS])]
        part = part[part["ecosystem"] != "nodata"]
        labels = [fine_label(str(e), str(f)) for e, f in zip(part["ecosystem"], part["forest_type"], strict=True)]
        return part.assign(label=labels)

    @property
    def nodata_ha(self) -> float:
        """Area inside the regions that the map does not tell [ha]."""
        return self.account.area_ha(ecosystem="nodata")

    def at_level(self, label: str, level: str) -> str:
        """A finest label as the level has it."""
        ecosystem = label.split("/")[0]
        if level == "forest":
            return FOREST if ecosystem in self.forest_ecosystems else NOT_FOREST
        return label if level == "forest_type" else ecosystem

    @cached_property
    def labels(self) -> dict[int, str]:
        """Code of the ecosystem map → finest label; the class that the legend does not know last."""
        return fine_labels()

    @cached_property
    def names(self) -> pd.DataFrame:
        """Every class, and forest or not for those who tell no more."""
        rows = [(fine_label(e, f), c.name_en, c.name_zh) for (e, f), c in ecosystems.classes().items()]
        rows += [(FOREST, "Forest of any type", "森林"), (NOT_FOREST, "Not forest", "非林地")]
        return pd.DataFrame(rows, columns=["label", "name_en", "name_zh"])

    def aimed_at(self, label: str) -> bool:
        """Forest: its coverage is what targets ask for."""
        return label.split("/")[0] in self.forest_ecosystems


def fine_label(ecosystem: str, forest_type: str) -> str:
    """``forest/broadleaf``, or the ecosystem alone."""
    return f"{ecosystem}/{forest_type}" if forest_type else ecosystem


def fine_labels() -> dict[int, str]:
    """Code of the ecosystem map → finest label; the class that the legend does not know last."""
    found = {c.code: fine_label(e, f) for (e, f), c in ecosystems.classes().items()}
    return {**dict(sorted(found.items())), UNKNOWN_CODE: UNKNOWN}


def open_run(folder: Path) -> RunMap:
    """The map of a finished run. Raises InputError when it has none, or when its regions are gone."""
    about = manifest.read(folder)
    account = tables.read_account(folder)
    if not runmaps.path(folder, "ecosystem").is_file():
        raise InputError(f"{folder}: the run has no maps/ecosystem.tif; assess again with the map 'ecosystem'")
    g = about["grid"]
    grid = Grid(g["crs_wkt"], tuple(g["transform"]), g["width"], g["height"])
    regions = None
    if (account.strata["region_id"] == OUTSIDE_REGIONS).any():
        s = about["study"]
        regions = zones.read_regions(
            s["regions"], grid=grid, layer=s.get("region_layer"), id_column=s.get("region_id"),
            name_column=s.get("region_name"),
        )  # fmt: skip
    return RunMap(Path(folder), grid, regions, account)


# ------------------------------------------------------------------------------------------ labels


def understood() -> dict[str, str]:
    """Everything that a label may be called (lower case) → finest label, ``forest`` or ``not_forest``."""
    words: dict[str, str] = {}
    for (ecosystem, forest_type), c in ecosystems.classes().items():
        label = fine_label(ecosystem, forest_type)
        for word in (label, label.replace("/", "_"), label.replace("_", " "), c.name_en, c.name_zh):
            words.setdefault(word.lower(), label)
    words |= dict.fromkeys((FOREST, *_FOREST_WORDS), FOREST)
    return words | dict.fromkeys(_NOT_FOREST_WORDS, NOT_FOREST)


def resolve(labels: Sequence[str], names: Sequence[str], where: str, also: Sequence[str] = ()) -> list[str]:
    """Labels as the project spells them. Raises InputError naming the first that is none, with the nearest one."""
    words = understood() | {a: a for a in also}
    found = []
    for label, name in zip(labels, names, strict=True):
        key = label.strip().lower()
        if key not in words:
            more = sum(1 for x in labels if x.strip().lower() not in words) - 1
            others = f" (and {more} more)" if more else ""
            usual = [k for k in words if not k.isdigit()]
            raise InputError(f"{where}: '{label}' of {name}{others} is no class{hint(label, usual)}")
        found.append(words[key])
    return found
