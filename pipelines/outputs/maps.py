"""The maps of a run: a worker encodes its block once, as a shard; at the end the shards become one styled map."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from pipelines.files import digest
from pipelines.files.atomic import atomic_path
from pipelines.files.digest import Digest
from pipelines.outputs import cog, halving, pam, shardfile, styles
from pipelines.outputs.encoding import TILE, TYPES, Encoding
from pipelines.outputs.mapstats import MapStats, merge_stats
from pipelines.outputs.mosaic import BlockLike, GridLike, HalfShard, check_block
from pipelines.outputs.pyramid import levels
from pipelines.outputs.styles import ClassColor, Stop

_PALETTE_MAX: Final = 255
"""Largest class value with a palette inside the file; a 16-bit palette is 400 kB, and those maps have the sidecars."""


@dataclass(frozen=True)
class MapSpec:
    """What a map is called, how it is stored and how it is drawn.

    Parameters
    ----------
    name
        Stem of its files.
    kind
        `class`: whole numbers that stand for something, overviews by mode. `density`: an amount per hectare, overviews
        by average. There is no third: an averaged overview of an amount per pixel would be wrong.
    dtype, nodata
        As stored; nodata may be NaN for float32.
    scale, offset
        physical = stored × scale + offset.
    unit
        Of the physical values, "Mg C ha-1".
    description, title_zh
        For people, in English and Chinese.
    quantity
        Key of the quantity in tables.
    classes
        Every class: value, English name, Chinese name, (red, green, blue).
    ramp
        Key of `styles.RAMPS`, or stops of (physical value, (red, green, blue)).
    tags
        Further metadata of the file.
    """

    name: str
    kind: Literal["class", "density"]
    dtype: str
    nodata: float
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    description: str = ""
    title_zh: str = ""
    quantity: str = ""
    classes: tuple[ClassColor, ...] = ()
    ramp: str | tuple[Stop, ...] = "carbon"
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(ClassColor(*c) for c in self.classes))
        if not isinstance(self.ramp, str):
            object.__setattr__(self, "ramp", tuple(Stop(*s) for s in self.ramp))
        elif self.ramp not in styles.RAMPS:
            raise ValueError(f"map {self.name}: no ramp {self.ramp!r}; there are {', '.join(styles.RAMPS)}")
        if self.dtype not in TYPES:
            raise ValueError(f"map {self.name}: no dtype {self.dtype!r}; there are {', '.join(TYPES)}")
        if self.kind == "class" and self.dtype not in ("uint8", "uint16"):
            raise ValueError(f"map {self.name}: classes are uint8 or uint16, not {self.dtype}")

    @property
    def encoding(self) -> Encoding:
        """How its pixels become bytes."""
        return Encoding(self.dtype, self.nodata, "mode" if self.kind == "class" else "average")


@dataclass(frozen=True)
class Shard:
    """The block of a map that a worker encoded; no file where all of it is nodata. half : at half the resolution,
    with what is smaller still."""

    path: Path | None
    row: int
    col: int
    height: int
    width: int
    stats: MapStats
    half: HalfShard | None = None


@dataclass(frozen=True)
class FinishedMap:
    """A map as it is published: what a reader opens, and all its files with their digests.

    moves : files that are to be moved to their place, from where they lie; those of ``files`` are named where they will lie.
    """

    path: Path
    files: Mapping[Path, Digest]
    moves: tuple[tuple[Path, Path], ...] = ()


def write_shard(
    spec: MapSpec, grid: GridLike, block: BlockLike, array: NDArray[Any], directory: str | os.PathLike[str]
) -> Shard:
    """Encode a block of a map, once. Safe in threads and in several processes.

    Parameters
    ----------
    spec, grid, block
        The map, the raster and the part of it; blocks begin and end at multiples of 512 or at the grid's edge.
    array
        The stored values of the block, of its shape and the dtype of the map.
    directory
        Where shards go. A shard of the same block is replaced.

    Raises
    ------
    RunError
        It cannot be written: the disk is full or read-only.
    """
    check_block(block, grid)
    if array.shape != (block.height, block.width) or array.dtype != np.dtype(spec.dtype):
        raise ValueError(
            f"map {spec.name}: {array.dtype} {array.shape} was given for a "
            f"{spec.dtype} block of {(block.height, block.width)}"
        )
    stats = MapStats.of(array, spec.nodata)
    path = Path(directory) / f"{spec.name}.{block.row}.{block.col}.tif"
    if not stats.valid and _all_nodata(array, spec.nodata):
        path.unlink(missing_ok=True)
        half = _smaller(spec, grid, block, None, Path(directory), 2)
        return Shard(None, block.row, block.col, block.height, block.width, stats, half)
    telling = shardfile.Telling(spec.description, spec.unit, spec.scale, spec.offset)
    shardfile.write(path, array, spec.encoding, grid.crs_wkt, _place(grid, block, 1), telling)
    half = _smaller(spec, grid, block, array, Path(directory), 2)
    return Shard(path, block.row, block.col, block.height, block.width, stats, half)


def _smaller(
    spec: MapSpec, grid: GridLike, block: BlockLike, array: NDArray[Any] | None, directory: Path, factor: int
) -> HalfShard | None:
    """The block with pixels ``factor`` times as large, and all that are larger still, where they line up with overviews.

    array : the block twice as fine; None where all of it is nodata.
    """
    if not _lines_up(grid, block, factor):
        return None
    path = directory / f"{spec.name}.{block.row}.{block.col}.x{factor}.tif"
    coarse = None
    if array is None:
        path.unlink(missing_ok=True)
    else:
        coarse = halving.halve(array, spec.nodata, spec.encoding.resampling)
        shardfile.write(path, coarse, spec.encoding, grid.crs_wkt, _place(grid, block, factor))
    return HalfShard(
        None if coarse is None else path, block.row // factor, block.col // factor, -(-block.height // factor),
        -(-block.width // factor), _smaller(spec, grid, block, coarse, directory, 2 * factor),
    )  # fmt: skip


def _lines_up(grid: GridLike, block: BlockLike, factor: int) -> bool:
    """Whether the block makes whole tiles of the overview of this factor, if there is one."""
    side = factor * TILE
    down = block.row % side == 0 and (block.height % side == 0 or block.row + block.height == grid.height)
    across = block.col % side == 0 and (block.width % side == 0 or block.col + block.width == grid.width)
    return down and across and any(factor == f for f, _, _ in levels(grid.width, grid.height))


def _place(grid: GridLike, block: BlockLike, factor: int) -> Affine:
    """Where the block lies, with pixels ``factor`` times as large."""
    a, b, c, d, e, f = grid.transform
    col, row = block.col, block.row
    return Affine(factor * a, factor * b, c + a * col + b * row, factor * d, factor * e, f + d * col + e * row)


def _all_nodata(array: NDArray[Any], nodata: float) -> bool:
    """True when nothing but nodata would be stored (infinities are no statistics, but they are values)."""
    if array.dtype.kind == "f" and np.isnan(nodata):
        return bool(np.isnan(array).all())
    return bool((array == nodata).all())


def finish_map(
    spec: MapSpec,
    grid: GridLike,
    shards: Sequence[Shard],
    out_dir: str | os.PathLike[str],
    *,
    threads: int = 1,
    bigtiff: bool | None = None,
) -> FinishedMap:
    """Join the shards of a map in ``<name>.tif``, styled by ``<name>.qml``, with ``<name>.tif.aux.xml`` for its histogram
    and the names of its classes.

    The raster comes last: where it is, its sidecars are. Shards are not removed.

    Parameters
    ----------
    spec, grid
        As for `write_shard`.
    shards
        Those of every block of the grid, in any order.
    out_dir
        A directory that is there.
    threads, bigtiff
        As for `cog.assemble`.

    Returns
    -------
    FinishedMap
        The Cloud-Optimized GeoTIFF, with its sidecars.
    """
    stats = merge_stats(shard.stats for shard in shards)
    path = Path(out_dir) / f"{spec.name}.tif"
    files = sidecars(spec, stats, path)

    def tell(dataset: Any) -> None:
        describe(dataset, spec, stats)

    files[path] = cog.assemble(shards, path, grid, spec.encoding, tell, threads=threads, bigtiff=bigtiff)
    return FinishedMap(path, files)


def sidecars(spec: MapSpec, stats: MapStats, path: Path) -> dict[Path, Digest]:
    """Write the style, the histogram and the names beside where the map will lie."""
    whole = np.dtype(spec.dtype).kind != "f"
    texts = {
        path.with_suffix(".qml"): _style(spec, stats),
        path.with_name(path.name + ".aux.xml"): pam.document(stats.histogram, whole, stats.tags(), spec.classes),
    }
    for file, text in texts.items():
        write_text(file, text)
    return {file: digest.of(file) for file in texts}


def describe(dataset: Any, spec: MapSpec, stats: MapStats) -> None:
    """Everything a reader should know of the map without a sidecar."""
    dataset.set_band_description(1, spec.description)
    if spec.unit:
        dataset.units = (spec.unit,)
    if spec.scale != 1 or spec.offset != 0:
        dataset.scales, dataset.offsets = (spec.scale,), (spec.offset,)
    titles = {"TITLE": spec.description, "TITLE_ZH": spec.title_zh, "QUANTITY": spec.quantity}
    dataset.update_tags(**{key: value for key, value in {**titles, **spec.tags}.items() if value})
    dataset.update_tags(1, **stats.tags(), **_flags(spec.classes))
    draw(dataset, spec)


def draw(dataset: Any, spec: MapSpec) -> None:
    """The palette of a map of classes."""
    if spec.kind == "class" and spec.dtype == "uint8":
        dataset.write_colormap(1, {c.value: (*c.rgb, 255) for c in spec.classes if c.value <= _PALETTE_MAX})
        dataset.colorinterp = (ColorInterp.palette,)


def _flags(classes: Sequence[ClassColor]) -> dict[str, str]:
    """Values and names of the classes in the file itself, by the CF conventions, for when the sidecar is lost."""
    if not classes:
        return {}
    names = " ".join("_".join(re.findall(r"[\w.+-]+", c.name_en)) for c in classes)
    return {
        "flag_values": ",".join(str(c.value) for c in classes), "flag_meanings": names,
        "flag_meanings_zh": " ".join(c.name_zh or c.name_en for c in classes),
    }  # fmt: skip


def _style(spec: MapSpec, stats: MapStats) -> str:
    if spec.kind == "class":
        there = stats.histogram.values()  # a legend of classes that are nowhere is hard to read
        return styles.paletted_raster([c for c in spec.classes if c.value in there] or spec.classes)
    if not isinstance(spec.ramp, str):
        return styles.pseudocolor_raster(spec.ramp, spec.unit)
    low, high = 0.0, 1.0
    if stats.valid:
        low, high = sorted(end * spec.scale + spec.offset for end in stats.stretch())
        if spec.ramp == "change":  # its middle is no change
            high = max(abs(low), abs(high))
            low = -high
    return styles.pseudocolor_raster(styles.ramp_stops(spec.ramp, low, high), spec.unit)


def shard_files(shards: Mapping[str, Sequence[Shard]]) -> Iterator[Path]:
    """Every file of the shards of several maps."""
    for each in shards.values():
        for shard in each:
            piece: Shard | HalfShard | None = shard
            while piece is not None:
                if piece.path is not None:
                    yield piece.path
                piece = piece.half


def write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
