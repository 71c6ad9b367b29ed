"""Which remote files of a product an area needs: tiles by their names, one file of the globe, or what a STAC search finds."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from pipelines.errors import RunError
from pipelines.fetch.area import Area
from pipelines.fetch.register import Product
from pipelines.fetch.web import Patience, get_json

_GLOBE: Final = (-180.0, -90.0, 180.0, 90.0)
_PAGE: Final = 100
_TOKEN_SECONDS: Final = 1200
"""A token is asked for again after this time; those of public stores hold for an hour at least."""


@dataclass(frozen=True)
class Remote:
    """url : where a file is, without a token; bounds : west, south, east, north [degrees], −180 to 180."""

    url: str
    bounds: tuple[float, float, float, float]


@dataclass
class Key:
    """The token of a product that wants one, renewed in time."""

    product: Product
    patience: Patience
    _token: str = ""
    _asked: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sign(self, url: str) -> str:
        """The address with the token that it takes."""
        if not self.product.stac.get("token") or "://" not in url:
            return url
        with self._lock:
            if time.monotonic() - self._asked > _TOKEN_SECONDS:
                answer = get_json(f"{self.product.base}/{self.product.stac['token']}", self.patience)
                self._token, self._asked = str(answer.get("token", "")), time.monotonic()
        return f"{url}?{self._token}" if self._token else url


def remotes(
    product: Product, part: Mapping[str, str], year: int | None, area: Area, patience: Patience
) -> list[Remote]:
    """The files of one raster of a product; tiles of the open sea are among them, for only the server knows."""
    if product.stac:
        return list(_found(product, year, area, patience))
    words = {**part, "year": str(year or ""), "version": product.years.get(str(year), "")}
    if not product.tile:
        return [Remote(f"{product.base}/{product.path.format(**words)}", _GLOBE)]
    return [
        Remote(f"{product.base}/{product.path.format(**words, **_names(product, tile[0], tile[1]))}", tile)
        for tile in _tiles(product.tile["degrees"], area)
    ]


def turns(bounds: tuple[float, float, float, float], area: Area) -> Iterator[float]:
    """By how many degrees a file is moved east to lie on an area, whose longitudes may run beyond 180."""
    west, _, east, _ = area.bounds
    for turn in (0.0, 360.0, -360.0):
        if bounds[0] + turn < east and bounds[2] + turn > west:
            yield turn


def _tiles(size: int, area: Area) -> Iterator[tuple[float, float, float, float]]:
    """Tiles of whole degrees that any region touches, each once."""
    west, south, east, north = area.bounds
    seen = set()
    for y in range(max(math.floor(south / size), -90 // size), min(math.ceil(north / size), 90 // size)):
        for x in range(math.floor(west / size), math.ceil(east / size)):
            left, bottom = (x * size + 180) % 360 - 180, y * size
            if (left, bottom) not in seen and area.touches(x * size, bottom, (x + 1) * size, bottom + size):
                seen.add((left, bottom))
                yield float(left), float(bottom), float(left + size), float(bottom + size)


def _names(product: Product, west: float, south: float) -> dict[str, str]:
    """How a tile's corner is written."""
    lat = int(south) + (product.tile["degrees"] if product.tile["corner"] == "north-west" else 0)
    lon = int(west)
    ns, ew = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    y, x = f"{abs(lat):02d}", f"{abs(lon):03d}"
    return {"ns": ns + y, "ew": ew + x, "sn": y + ns, "we": x + ew}


# ------------------------------------------------------------------------------------------ STAC


def _found(product: Product, year: int | None, area: Area, patience: Patience) -> Iterator[Remote]:
    """What a STAC API's item search finds, page by page, each file once."""
    seen = set()
    for box in _boxes(area):
        for item in _items(product, year, box, patience):
            asset = item.get("assets", {}).get(product.stac["asset"])
            if asset is None:
                raise RunError(
                    f"{product.base}: the item {item.get('id')} has no asset '{product.stac['asset']}'; the catalogue of "
                    f"{product.name} has changed, so name a copy with --mirror {product.name}=URL"
                )
            if asset["href"] not in seen and _of_year(item, year):
                seen.add(asset["href"])
                box = [float(b) for b in item["bbox"]]
                west, south, east, north = box if len(box) == 4 else (box[0], box[1], box[3], box[4])
                yield Remote(asset["href"], (west, south, east, north))


def _items(product: Product, year: int | None, box: list[float], patience: Patience) -> Iterator[dict[str, Any]]:
    url = f"{product.base}/{product.stac['search']}"
    body: dict[str, Any] = {"collections": [product.stac["collection"]], "bbox": box, "limit": _PAGE}
    if year is not None:
        body["datetime"] = f"{year}-01-01T00:00:00Z/{year}-12-31T23:59:59Z"
    asked: dict[str, Any] | None = body
    while True:
        page = get_json(url, patience, asked)
        yield from page.get("features", [])
        link = next((k for k in page.get("links", []) if k.get("rel") == "next"), None)
        if link is None:
            return
        url = urljoin(url, link["href"])
        if link.get("method", "GET").upper() == "GET":
            asked = None
        else:
            asked = {**(body if link.get("merge") else {}), **link.get("body", {})}


def _of_year(item: dict[str, Any], year: int | None) -> bool:
    """A map of one year may end on the first day of the next, and so be found for both."""
    about = item.get("properties", {})
    begin = about.get("start_datetime") or about.get("datetime")
    return year is None or begin is None or str(begin)[:4] == str(year)


def _boxes(area: Area) -> list[list[float]]:
    """The area's bounds in −180 to 180: two boxes where it crosses the antimeridian."""
    west, south, east, north = area.bounds
    if east <= 180:
        return [[west, south, east, north]]
    if west >= 180:
        return [[west - 360, south, east - 360, north]]
    return [[west, south, 180.0, north], [-180.0, south, east - 360, north]]
