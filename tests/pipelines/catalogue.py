"""What the catalogue of bad and odd input is written in: a scene to spoil, and what must come of it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.transform import Affine, from_origin
from shapely.geometry import box

from scenes import UTM, small, write_raster

SIDE = 24
WEST, NORTH, PIXEL = 500_000.0, 2_600_000.0, 100.0
SPAN = SIDE * PIXEL
PLACE = from_origin(WEST, NORTH, PIXEL, PIXEL)


@dataclass
class Scene:
    """A good assessment in a folder of its own, for a case to spoil. given : options by name."""

    folder: Path
    given: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def fresh(cls, folder: Path) -> Scene:
        more = {
            "legend": "worldcover",
            "climate": "warm_temperate_moist",
            "parameters": "china",
            "maps": "carbon_total",
            "draws": 0,
        }
        return cls(folder, {**small(folder, SIDE), **more})

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, layer: str) -> np.ndarray:
        with rasterio.open(self.given[layer]) as d:
            return d.read(1)

    def put(self, layer: str, data: Any, name: str = "", **profile: Any) -> Path:
        """The layer as another raster; without nodata where none is given."""
        path = write_raster(self.path(name or f"my_{layer}.tif"), np.asarray(data), **profile)
        self.given[layer] = str(path)
        return path

    def text(self, option: str, content: str | bytes, name: str, encoding: str = "utf-8") -> None:
        """An option that names a file of this text."""
        raw = content if isinstance(content, bytes) else content.encode(encoding)
        self.path(name).write_bytes(raw)
        if option:
            self.given[option] = str(self.path(name))

    def regions(self, shapes: Any, crs: Any = UTM, **columns: Any) -> Path:
        """Other regions; codes 1, 2 … where none are given."""
        shapes = list(shapes)
        columns = columns or {"code": [str(n + 1) for n in range(len(shapes))]}
        path = self.path("my_regions.gpkg")
        gpd.GeoDataFrame(columns, geometry=shapes, crs=crs).to_file(path, engine="pyogrio")
        self.given["regions"] = str(path)
        return path

    def copy(self, layer: str, name: str) -> Path:
        path = Path(shutil.copy(self.given[layer], self.path(name)))
        self.given[layer] = str(path)
        return path


@dataclass(frozen=True)
class Case:
    """spoil : what is done to the scene; said : the sentence (a pattern), blank where the input is of use;

    right : what must hold for the result then, given the plain one; code : exit codes that are right.
    """

    spoil: Callable[[Scene], Any]
    said: str = ""
    right: Callable[[Any, Any], None] | None = None
    code: tuple[int, ...] = (2,)


def refused(spoil: Callable[[Scene], Any], said: str, *code: int) -> Case:
    return Case(spoil, said, code=code or (2,))


def used(spoil: Callable[[Scene], Any], right: Callable[[Any, Any], None]) -> Case:
    return Case(spoil, right=right)


# ------------------------------------------------------------------------------------------ what is right


def same(found: Any, plain: Any) -> None:
    """The account of the plain scene, to the last digit that a copy of the same values can have."""
    keys = ["region_id", "ecosystem", "forest_type", "quantity"]
    one, other = (t.account.tidy.set_index(keys)["value"].sort_index() for t in (found, plain))
    assert list(one.index) == list(other.index)
    np.testing.assert_allclose(one.to_numpy(float), other.to_numpy(float), rtol=1e-12, equal_nan=True)


def about(share: float) -> Callable[[Any, Any], None]:
    """Carbon and area of the plain scene, within a share."""

    def right(found: Any, plain: Any) -> None:
        for quantity in ("area", "carbon_total"):
            assert total(found, quantity) == _near(total(plain, quantity), share)

    return right


def noted(text: str, then: Callable[[Any, Any], None] | None = None) -> Callable[[Any, Any], None]:
    """Said to the user, in a note or a warning."""

    def right(found: Any, plain: Any) -> None:
        told = " | ".join((*found.notes, *found.warnings))
        assert text in told, told
        if then:
            then(found, plain)

    return right


def sound(found: Any, plain: Any) -> None:
    """Whatever the numbers are: finite, no area below zero, and the checks of the run closed."""
    tidy = found.account.tidy
    assert np.isfinite(tidy["value"].to_numpy(float)).all()
    assert (tidy[tidy["quantity"] == "area"]["value"] >= 0).all()
    assert all(c.closed for c in found.checks)


def total(found: Any, quantity: str, region: str = "total", ecosystem: str = "all") -> float:
    tidy = found.account.tidy
    rows = tidy[(tidy["quantity"] == quantity) & (tidy["region_id"] == region) & (tidy["ecosystem"] == ecosystem)]
    return math.fsum(rows[rows["forest_type"] == "all"]["value"]) if len(rows) else 0.0


def _near(value: float, share: float) -> Any:
    import pytest

    return pytest.approx(value, rel=share)


# ------------------------------------------------------------------------------------------ ways to spoil


def cut(layer: str, share: float) -> Callable[[Scene], None]:
    """Only the first part of a file came over the line."""

    def spoil(scene: Scene) -> None:
        path = scene.copy(layer, f"cut_{layer}.tif")
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])

    return spoil


def option(**more: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.given.update(more)


def halves() -> list[Any]:
    """The two regions of the plain scene."""
    half = WEST + SPAN / 2
    return [box(WEST, NORTH - SPAN, half, NORTH), box(half, NORTH - SPAN, WEST + SPAN, NORTH)]


def placed(a: float, e: float, x: float = WEST, y: float = NORTH, b: float = 0.0, d: float = 0.0) -> Affine:
    return Affine(a, b, x, d, e, y)
