"""The blocks that a run's maps were left in, as a STAC collection: an item for each block, with the maps as its assets.

So programs that know STAC but no virtual rasters load a part of a map straight from its blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pipelines.files import manifest, runmaps
from pipelines.outputs import stac
from pipelines.outputs.maps import Shard

_TIFF: Final = "image/tiff; application=geotiff"
_JSON: Final = "application/geo+json"
_SHARED: Final = ("title", "description", "bands", "classification:classes")
"""What the maps of all blocks have in common."""


def of_shards(shards: Mapping[str, Iterable[Shard]]) -> Callable[[Path, dict[str, Any]], None]:
    """What `stac.finishing` is to do with these blocks. shards : of every map, by its name."""
    blocks: dict[tuple[int, int], dict[str, Shard]] = {}
    for name, each in sorted(shards.items()):
        for shard in each:
            if shard.path is not None:
                blocks.setdefault((shard.row, shard.col), {})[name] = shard

    def write(folder: Path, run: dict[str, Any]) -> None:
        about = manifest.read(folder)
        key = f"{run['id']}-blocks"
        (folder / runmaps.ITEMS).mkdir(exist_ok=True)
        items = []
        for place, maps in sorted(blocks.items()):
            found = _item(key, run, about, place, maps)
            stac.write(folder / runmaps.ITEMS / _name(place), found)
            items.append((place, found))
        stac.write(folder / stac.COLLECTION, _collection(key, run, items))

    return write


def _name(place: tuple[int, int]) -> str:
    return f"{place[0]}.{place[1]}.json"


def _item(
    key: str, run: Mapping[str, Any], about: Mapping[str, Any], place: tuple[int, int], maps: Mapping[str, Shard]
) -> dict[str, Any]:
    (row, col), one = place, next(iter(maps.values()))
    a, b, c, d, e, f = about["grid"]["transform"]
    transform = [a, b, c + a * col + b * row, d, e, f + d * col + e * row]
    grid = {**about["grid"], "height": one.height, "width": one.width, "transform": transform}
    shape = stac.frame(grid)
    own = {"proj:shape": [one.height, one.width], "proj:transform": transform}
    up = {"href": f"../{stac.COLLECTION}", "type": "application/json"}
    return {
        "type": "Feature",
        "stac_version": stac.VERSION,
        "stac_extensions": run["stac_extensions"],
        "id": f"{key}-{row}-{col}",
        "collection": key,
        "geometry": stac.geometry(shape),
        "bbox": list(shape.bounds),
        "properties": {**run["properties"], **own, "title": f"{run['properties']['title']}, row {row}, column {col}"},
        "links": [{"rel": rel, **up} for rel in ("root", "parent", "collection")],
        "assets": {name: _asset(run["assets"][name], about, name, shard) for name, shard in maps.items()},
    }


def _asset(whole: Mapping[str, Any], about: Mapping[str, Any], name: str, shard: Shard) -> dict[str, Any]:
    """The asset of a map, for one block of it."""
    file = f"{runmaps.FOLDER}/{name}/{Path(str(shard.path)).name}"
    told = about["outputs"][file]
    [band] = whole["bands"]
    return {
        **{k: v for k, v in whole.items() if k != "classification:classes"},
        "href": f"../{file}", "type": _TIFF, "file:size": int(told["bytes"]),
        "file:checksum": stac.SHA256 + str(told["sha256"]),
        "bands": [{**band, "statistics": stac.statistics(shard.stats.tags())}],
    }  # fmt: skip


def _collection(
    key: str, run: Mapping[str, Any], items: list[tuple[tuple[int, int], dict[str, Any]]]
) -> dict[str, Any]:
    names = sorted({name for _, item in items for name in item["assets"]})
    links = [{"rel": "item", "href": f"./{runmaps.ITEMS}/{_name(place)}", "type": _JSON} for place, _ in items]
    about_run = {"rel": "about", "href": f"./{stac.ITEM}", "type": _JSON, "title": run["properties"]["title"]}
    properties = run["properties"]
    return {
        "type": "Collection",
        "stac_version": stac.VERSION,
        "stac_extensions": run["stac_extensions"],
        "id": key,
        "title": f"{properties['title']}, block by block",
        "description": "The maps of a run in the blocks in which they were made; blocks of nothing but nodata are left out.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": stac.boxes([item for _, item in items] or [run])[:1]},
            "temporal": {"interval": [stac.interval([run])]},
        },
        "item_assets": {name: _common(run["assets"][name]) for name in names},
        "links": [{"rel": "root", "href": f"./{stac.COLLECTION}", "type": "application/json"}, about_run, *links],
    }


def _common(asset: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in asset.items() if k in _SHARED}
    bands = [{k: v for k, v in band.items() if k != "statistics"} for band in asset["bands"]]
    return {**found, "type": _TIFF, "roles": ["data"], "bands": bands}
