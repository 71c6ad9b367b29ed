"""The design of a reference sample: strata of a run's map, points drawn in them, and the file for the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import Transformer

from pipelines.errors import InputError
from pipelines.outputs import columns, geopackage, styles
from pipelines.outputs.columns import both
from pipelines.outputs.geopackage import GpkgLayer
from pipelines.outputs.styles import ClassColor
from pipelines.samples.changemap import open_population
from pipelines.samples.samplefile import CLASSES, POINTS, STRATA
from pipelines.samples.samplemap import Population
from sinks import allocation
from sinks.sampling import hint
from sinks.units import M2_PER_HA

POOLED: Final = "small_classes"
"""Stratum of the classes that have too few pixels for one of their own."""
DEFAULT_TARGET_SE: Final = 1.0
"""Standard error of overall accuracy that is aimed at when nothing is said [percent]."""


@dataclass(frozen=True)
class Stratum:
    """A stratum of a design. members : finest labels; area_ha, pixels : of the map; n : points."""

    name: str
    members: tuple[str, ...]
    area_ha: float
    pixels: int
    n: int = 0


def strata_of(run: Population, stratify: str, minimum: int) -> list[Stratum]:
    """Map classes as strata; those with fewer pixels than the minimum are pooled, for they cannot hold their points."""
    fine = run.fine.groupby("label")[["area_ha", "pixels"]].sum()
    found: dict[str, Stratum] = {}
    for label in (x for x in run.labels.values() if x in fine.index):
        name = run.at_level(label, stratify)
        found[name] = _joined(found.get(name), Stratum(name, (label,), *_sizes(fine, label)), name)
    large = {k: s for k, s in found.items() if s.pixels >= minimum}
    pooled: Stratum | None = None
    for s in found.values():
        if s.name not in large:
            pooled = _joined(pooled, s, POOLED)
    if pooled is not None and pooled.pixels < minimum and large:
        least = min(large.values(), key=lambda s: s.area_ha)
        large[least.name] = _joined(least, pooled, least.name)
    elif pooled is not None:
        large[POOLED] = pooled
    if not large:
        raise InputError(
            f"{run.folder}: the map has no classified pixel inside the regions; there is nothing to sample"
        )
    return list(large.values())


def _sizes(fine: pd.DataFrame, label: str) -> tuple[float, int]:
    return float(fine["area_ha"][label]), int(fine["pixels"][label])


def _joined(one: Stratum | None, other: Stratum, name: str) -> Stratum:
    if one is None:
        return Stratum(name, other.members, other.area_ha, other.pixels)
    return Stratum(name, one.members + other.members, one.area_ha + other.area_ha, one.pixels + other.pixels)


@dataclass(frozen=True)
class Design:
    """A drawn sample: strata with their points, the points as a table with geometry in EPSG:4326, and what they may be called."""

    strata: list[Stratum]
    points: gpd.GeoDataFrame
    settings: dict[str, Any]
    names: pd.DataFrame


def design(
    folder: Path,
    *,
    stratify: str | None = None,
    size: int | None = None,
    target_se: float | None = None,
    how: str = "proportional",
    minimum: int = 50,
    seed: int = 1,
    guess: Mapping[str, float] | None = None,
) -> Design:
    """Draw a stratified random sample of pixels of a run's ecosystem map, or of a change's map of processes.

    target_se : standard error of overall accuracy [percent], when no size is given; guess : user's accuracy by stratum [1].
    The first points of a stratum stay the same when more are asked for with the same seed. Raises InputError.
    """
    if not 0 <= seed < 2**64:
        raise InputError(f"--seed is {seed}; give a whole number from 0 on")
    if size is not None and target_se is not None:
        raise InputError("give either --size or --target-se, not both")
    run = open_population(folder)
    stratify = stratify or run.levels[0]
    if stratify not in run.levels:
        raise InputError(f"--stratify is '{stratify}'; choose one of {', '.join(run.levels)}")
    strata = strata_of(run, stratify, max(minimum, 2))
    areas = {s.name: s.area_ha for s in strata}
    for label in guess or {}:
        if label not in areas:
            raise InputError(f"--guess names '{label}', which is no stratum{hint(label, tuple(areas))}")
    if size is None:
        aim = DEFAULT_TARGET_SE if target_se is None else target_se
        size = max(allocation.sample_size(areas, guess or {}, aim / 100), minimum * len(strata))
    target = frozenset(s.name for s in strata if all(run.aimed_at(m) for m in s.members))
    counts = allocation.allocate(size, areas, how, minimum=minimum, users_accuracy=guess, target=target)
    for s in strata:
        if counts[s.name] > s.pixels:
            raise InputError(
                f"stratum {s.name} has {s.pixels} pixels and would need {counts[s.name]} points; lower --size or --minimum"
            )
    strata = [Stratum(s.name, s.members, s.area_ha, s.pixels, counts[s.name]) for s in strata]
    settings = {"stratify": stratify, "allocation": how, "seed": seed}
    return Design(strata, _points(run, strata, seed), settings, run.names)


def _points(run: Population, strata: Sequence[Stratum], seed: int) -> gpd.GeoDataFrame:
    """Walk the map once, draw, and check that the walk saw what the account counted."""
    labels = run.labels
    index = {m: k for k, s in enumerate(strata) for m in s.members}
    lookup = np.full(256, -1, np.int16)
    for code, label in labels.items():
        lookup[code] = index.get(label, -1)
    sizes = np.array([s.n for s in strata], np.int64)
    seen = np.zeros(len(strata), np.int64)
    drawn = allocation.Drawn.none()
    for block, codes in run.blocks():
        stratum = lookup[codes]
        seen += np.bincount(stratum[stratum >= 0].ravel(), minlength=len(strata))
        area = run.grid.area(block)
        drawn = allocation.draw(stratum, area, sizes, seed=seed, row=block.row, col=block.col, before=drawn)
    for s, n in zip(strata, seen, strict=True):
        if n != s.pixels:
            raise InputError(
                f"{run.path}: stratum {s.name} has {n} pixels on the map and {s.pixels} in the account; the map or the regions "
                f"were changed since, so run the assessment again"
            )
    a, _, x0, _, e, y0 = run.grid.transform
    x, y = x0 + a * (drawn.col + 0.5), y0 + e * (drawn.row + 0.5)
    lon, lat = Transformer.from_crs(run.grid.crs, 4326, always_xy=True).transform(x, y)
    codes = run.codes_at(drawn.row, drawn.col)
    each = np.array([s.area_ha / s.n if s.n else np.nan for s in strata])
    frame = gpd.GeoDataFrame(
        {
            # The place on the grid as the name: it stays when the sample grows, and does not betray the stratum.
            "id": [f"r{r}c{c}" for r, c in zip(drawn.row, drawn.col, strict=True)],
            "stratum": [strata[k].name for k in drawn.stratum],
            "map_class": [labels[int(c)] for c in codes],
            "reference": pd.Series([None] * len(x), dtype=object),
            "lon": np.asarray(lon), "lat": np.asarray(lat), "x": x, "y": y,
            "pixel_ha": drawn.weight / M2_PER_HA,
            "represents_ha": each[drawn.stratum],
            "draw_order": np.arange(len(x)) - np.searchsorted(drawn.stratum, drawn.stratum) + 1,
            "note": "",
        },
        geometry=gpd.points_from_xy(lon, lat),
        crs=4326,
    )  # fmt: skip
    # Strata are mixed by other numbers than those of the draw, so that the order of work tells nothing of the map.
    mix = [
        allocation.uniforms(seed, int(r), int(c), 1, 1, stream=1)[0, 0]
        for r, c in zip(drawn.row, drawn.col, strict=True)
    ]
    return frame.iloc[np.argsort(mix, kind="stable")].reset_index(drop=True)


HIDDEN: Final = ("stratum", "map_class", "represents_ha", "draw_order")
"""What a blind interpreter is not shown; ``estimate`` reads it from the map again."""


def write_design(found: Design, path: Path, *, blind: bool = False, overwrite: bool = False) -> None:
    """A GeoPackage: ``points`` to be labelled, ``strata`` with areas, ``classes`` with the labels that are understood."""
    path = Path(path)
    if path.suffix.lower() != ".gpkg":
        raise InputError(f"{path}: the sample is written as a GeoPackage; give --out a name that ends in .gpkg")
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already and may hold labels; choose another name or give --overwrite")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path.parent}: there is no such folder; make it first")
    points = found.points.drop(columns=list(HIDDEN)) if blind else found.points
    strata = pd.DataFrame([
        {**asdict(s), "members": ";".join(s.members), **found.settings} for s in found.strata
    ])  # fmt: skip
    strata["seed"] = strata["seed"].astype(str)
    strata = strata.rename(columns={"name": "stratum"})
    names = found.names
    offered = {"reference": {r["label"]: both(r["name_en"], r["name_zh"]) for r in names.to_dict("records")}}
    said = columns.aliases(POINTS)
    # A blind interpreter must not see the classes of the map in the colours either.
    style = styles.categorized_points(
        "CASE WHEN \"reference\" IS NULL OR \"reference\" = '' THEN 0 ELSE 1 END", _states(),
        {c: a.text for c, a in said.items() if c in points.columns}, offered,
    )  # fmt: skip
    layers = [
        GpkgLayer(POINTS, "Points to be labelled 样点", "Fill in 'reference' at every point", points, said,
                  (("Labelled or not 标注状态", style),), offered),
        GpkgLayer(STRATA, "Strata of the design 分层", "Area and points of every stratum", strata, columns.aliases(STRATA)),
        GpkgLayer(CLASSES, "Labels that are understood 可用标签", "What may be written in 'reference'", names,
                  columns.aliases(CLASSES)),
    ]  # fmt: skip
    geopackage.write_geopackage(path, layers)


def _states() -> tuple[ClassColor, ...]:
    """Colours of points by whether they are labelled."""
    said = columns.labels("sample")
    return ClassColor(0, said["0"], "", (230, 120, 20)), ClassColor(1, said["1"], "", (30, 120, 180))
