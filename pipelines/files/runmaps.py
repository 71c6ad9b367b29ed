"""Where the maps of a finished run lie: ``maps/NAME.tif``, or ``maps/NAME.vrt`` where the run left its blocks as they were.

A roll-up has virtual rasters too, over the maps of other runs; what tells them apart is that a map of the run's own has its
``.aux.xml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

WHOLE, SHARDS = "whole", "shards"
"""How maps are laid out: each as one file, or as a file for each block with a virtual raster over them."""
FOLDER: Final = "maps"
ITEMS: Final = "stac"
"""Folder of the STAC items of blocks."""


def path(run: Path, name: str) -> Path:
    """The file to open, which need not be there."""
    whole = Path(run) / FOLDER / f"{name}.tif"
    virtual = whole.with_suffix(".vrt")
    return virtual if not whole.is_file() and _own(virtual) else whole


def paths(run: Path) -> list[Path]:
    """Every map of a run, by name."""
    folder = Path(run) / FOLDER
    return sorted([*folder.glob("*.tif"), *filter(_own, folder.glob("*.vrt"))], key=lambda p: p.stem)


def names(run: Path) -> list[str]:
    """What the maps of a run are called."""
    return [p.stem for p in paths(run)]


def is_of_a_block(name: str) -> bool:
    """Whether an output is of one block of the maps: there may be thousands, which no list for people holds."""
    first, *rest = Path(name).parts
    return bool(rest) and (first == ITEMS or (first == FOLDER and len(rest) > 1))


def _own(virtual: Path) -> bool:
    return virtual.with_name(virtual.name + ".aux.xml").is_file() and virtual.is_file()
