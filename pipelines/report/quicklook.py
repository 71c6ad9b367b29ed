"""Maps of a run as small pictures: read from the overviews, laid on the screen's projection, with what each colour means."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from pipelines.errors import InputError
from pipelines.report.catalogue import Both
from sinks.colors import RGB, ramp_colors, round_limits

_RADIUS: Final = 6378137.0
_SCREEN: Final = f"+proj=merc +a={_RADIUS} +b={_RADIUS} +lon_0={{middle}} +units=m +no_defs"
"""What Leaflet draws in (EPSG:3857, about 180° for maps across the date line): only a picture in this projection lies right
between its corners."""
_LATITUDE: Final = 85.0
_STEPS: Final = 120
"""Colours of a density map, and so the steps in which its values can be read under the pointer."""
_OFF: Final = 255
"""Index of what has no value: see-through."""


@dataclass(frozen=True)
class Picture:
    """A map as a picture. bounds : west, south, east, north [degrees]; colors : RGB of every index;
    values : what every index stands for, a number or a name; limits : of the legend of numbers, with their colours."""

    key: str
    url: str
    bounds: tuple[float, float, float, float]
    colors: tuple[RGB, ...]
    values: tuple[float, ...] | tuple[Both, ...]
    limits: tuple[tuple[float, RGB], ...] = ()


def density(path: Path, key: str, ramp: str, pixels: int) -> Picture | None:
    """A map of numbers; None where it has no value anywhere."""
    raw, bounds, valid, scale, offset = _read(path, pixels, Resampling.average)
    if not valid.any():
        return None
    values = raw.astype(np.float64) * scale + offset
    low, high = np.percentile(values[valid], [0, 99])
    if ramp == "change":
        high = float(np.percentile(np.abs(values[valid]), 98)) or 1.0
        low = -high
    else:
        low = min(0.0, float(low))
    limits = round_limits(low, high, 4)
    steps = np.linspace(limits[0], limits[-1], _STEPS)
    width = steps[1] - steps[0]
    index = np.clip(np.rint((np.where(valid, values, 0) - limits[0]) / width), 0, _STEPS - 1)
    colors = _apart(ramp_colors(ramp, _STEPS))
    places = [round((v - limits[0]) / width) for v in limits]
    return Picture(
        key, _png(np.where(valid, index, _OFF).astype(np.uint8), colors, bounds), bounds, tuple(colors),
        tuple(float(f"{v:.6g}") for v in steps), tuple((v, colors[p]) for v, p in zip(limits, places, strict=True)),
    )  # fmt: skip


def classes(path: Path, key: str, known: dict[int, tuple[Both, RGB]], pixels: int) -> Picture | None:
    """A map of classes. known : code → name and colour; those that do not occur are left out."""
    raw, bounds, valid, _, _ = _read(path, pixels, Resampling.nearest)
    codes = [int(c) for c in np.unique(raw[valid]) if int(c) in known][:_OFF]
    if not codes:
        return None
    table = np.full(256, _OFF, np.uint8)
    table[codes] = np.arange(len(codes), dtype=np.uint8)
    colors = _apart([known[c][1] for c in codes])
    index = np.where(valid, table[np.clip(raw, 0, 255).astype(np.uint8)], _OFF).astype(np.uint8)
    return Picture(key, _png(index, colors, bounds), bounds, tuple(colors), tuple(known[c][0] for c in codes))


def _read(
    path: Path, pixels: int, resampling: Resampling
) -> tuple[NDArray[Any], tuple[float, float, float, float], NDArray[np.bool_], float, float]:
    """Raw values on the screen's projection, bounds in degrees, where there is a value, scale and offset."""
    try:
        with rasterio.open(path) as whole:
            bounds = _lonlat(whole)
            middle = 180.0 if bounds[2] > 180.0 else 0.0
            left, bottom, right, top = (
                *_screen(bounds[0] - middle, bounds[1]),
                *_screen(bounds[2] - middle, bounds[3]),
            )
            height, width = _size(right - left, top - bottom, pixels)
            level = _overview(whole, height, width)
        with (
            rasterio.open(path, **({} if level is None else {"overview_level": level})) as source,
            WarpedVRT(
                source, crs=_SCREEN.format(middle=middle), width=width, height=height, resampling=resampling,
                transform=from_bounds(left, bottom, right, top, width, height), nodata=source.nodata, tolerance=0.125,
            ) as screen,
        ):  # fmt: skip
            raw = screen.read(1)
            valid = screen.read_masks(1) > 0
            if np.issubdtype(raw.dtype, np.floating):
                valid &= np.isfinite(raw)
            return raw, bounds, valid, source.scales[0], source.offsets[0]
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: not a readable map ({error}); run it again") from error


def _lonlat(source: Any) -> tuple[float, float, float, float]:
    west, south, east, north = transform_bounds(source.crs, "EPSG:4326", *source.bounds, densify_pts=21)
    east += 360.0 if west > east else 0.0  # across the date line
    return west, max(south, -_LATITUDE), east, min(north, _LATITUDE)


def _screen(longitude: float, latitude: float) -> tuple[float, float]:
    """Place on the screen's projection [m]."""
    north = math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
    return _RADIUS * math.radians(longitude), _RADIUS * north


def _size(width: float, height: float, pixels: int) -> tuple[int, int]:
    """Rows and columns: about so many pixels, whatever the shape."""
    ratio = max(width, 1e-9) / max(height, 1e-9)
    rows = max(1, round(math.sqrt(pixels / ratio)))
    return rows, max(1, round(pixels / rows))


def _overview(source: Any, height: int, width: int) -> int | None:
    """The smallest overview that is still finer than the picture; None for the map itself."""
    found = None
    for n, factor in enumerate(source.overviews(1)):
        if source.height / factor >= height and source.width / factor >= width:
            found = n
    return found


def _apart(colors: list[RGB]) -> list[RGB]:
    """The colours with the least change that makes each one of a kind, for the value under the pointer is read from it."""
    seen: set[RGB] = set()
    found = []
    for r, g, b in colors:
        step = 0
        while (r, g, (b + step) % 256) in seen:
            step += 1
        seen.add((r, g, (b + step) % 256))
        found.append((r, g, (b + step) % 256))
    return found


def _png(index: NDArray[np.uint8], colors: list[RGB], bounds: tuple[float, float, float, float]) -> str:
    """A paletted PNG as a data URL."""
    table = {n: (*rgb, 255) for n, rgb in enumerate(colors)} | {_OFF: (0, 0, 0, 0)}
    height, width = index.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="PNG", width=width, height=height, count=1, dtype="uint8", zlevel=9,
            transform=from_bounds(*bounds, width, height),
        ) as out:  # fmt: skip
            out.write_colormap(1, table)
            out.write(index, 1)
        return "data:image/png;base64," + base64.b64encode(memory.read()).decode("ascii")
