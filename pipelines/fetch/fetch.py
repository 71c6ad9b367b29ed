"""Fetching from end to end: its table of contents."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import filelock
import rasterio

from pipelines.errors import InputError, RunError
from pipelines.fetch import mosaic, pieces
from pipelines.fetch.area import Area, read_area
from pipelines.fetch.lattice import Lattice, Span, common
from pipelines.fetch.pieces import Reader, Under
from pipelines.fetch.register import PROFILE, Product
from pipelines.fetch.remotes import Key, Remote, remotes, turns
from pipelines.fetch.web import MissingError, Patience, probe, shown
from pipelines.files import manifest, provenance
from pipelines.files.atomic import atomic_path
from pipelines.inputs.reach import GDAL_GUARD
from pipelines.work.progress import Progress
from sinks.bibliography import bibtex

log = logging.getLogger("sinks")

ASSESSMENT: Final = "assessment.toml"
BIBLIOGRAPHY: Final = "sources.bib"
_WORK: Final = ".fetch"
_AHEAD: Final = 4
"""Pieces handed out for each worker: a nation's are too many to hand out at once."""


@dataclass(frozen=True)
class Order:
    """What to fetch. region_id, region_name, region_layer : of the vector file, as for ``sinks assess``.

    cache : folder of pieces that other fetches may use too, kept below cache_gib; without it they go when all is done.
    """

    region: str
    year: int
    out: Path
    products: Sequence[Product]
    region_id: str | None = None
    region_name: str | None = None
    region_layer: str | None = None
    cache: Path | None = None
    cache_gib: float = 20.0
    workers: int = 4
    quiet: bool = False
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Raster:
    """One file to be made. name : in the output folder; under : the remote files by piece."""

    product: Product
    name: str
    year: int | None
    window: Span
    under: Mapping[Span, tuple[Under, ...]]

    @property
    def lattice(self) -> Lattice:
        return Lattice(self.product.per_degree, self.product.piece)

    @property
    def remotes(self) -> list[tuple[str, str]]:
        """URL and mark of every file it is read from."""
        return sorted({(shown(u.remote.url), u.mark) for found in self.under.values() for u in found})


@dataclass(frozen=True)
class Fetched:
    """What was fetched. notes : what people should know of it."""

    out: Path
    assessment: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    sources: tuple[dict[str, Any], ...]


def fetch(order: Order) -> Fetched:
    """Fetch every layer of an order and write the assessment file that uses them; goes on where an earlier start stopped."""
    area = read_area(order.region, order.region_layer)
    _make(order.out)
    with _alone(order.out):
        store = order.cache or order.out / _WORK
        entries, notes = [], _notes(order, area)
        for product in order.products:
            made = [_fetched(order, area, raster, store) for raster in plan(order, area, product)]
            if product.layer == "landcover" and not any(e["pixels_with_data"] for e in made):
                raise RunError(
                    f"{order.region}: {product.name} has no land cover there; is the region on land, and its CRS the right one?"
                )
            entries.append(_entry(order, product, made))
        assessment = _write_assessment(order, area)
        provenance.write(order.out, {"fetched": manifest.now(), "region": str(order.region), "sources": entries})
        _write_bibliography(order.out, entries)
        shutil.rmtree(order.out / _WORK, ignore_errors=True)
        if order.cache is not None:
            pieces.trim(order.cache, order.cache_gib)
    names = tuple(order.out / name for entry in entries for name in entry["files"])
    return Fetched(order.out, assessment, names, tuple(notes), tuple(entries))


def plan(order: Order, area: Area, product: Product) -> Iterator[Raster]:
    """The rasters of a product, with the remote files under each piece that a region touches."""
    year = product.year(order.year)
    lattice = Lattice(product.per_degree, product.piece)
    window = lattice.window(area)
    touched = [p for p in lattice.pieces(window) if area.touches(*lattice.bounds(p))]
    for name, parts in product.rasters():
        there = [_there(product, remotes(product, part, year, area, order.patience), order) for part in parts]
        yield Raster(product, name, year, window, _under(lattice, window, touched, there, area))


def _there(product: Product, wanted: Sequence[Remote], order: Order) -> list[tuple[Remote, str]]:
    """Those that exist, with their marks. A tile that is not there is open sea; a file of the globe must be there."""
    key = Key(product, order.patience)

    def mark(remote: Remote) -> str | None:
        try:
            return probe(key.sign(remote.url), order.patience)
        except MissingError:
            if product.tile:
                return None
            raise RunError(
                f"{shown(remote.url)}: the server has no such file; the address of {product.name} has changed, so name a copy "
                f"with --mirror {product.name}=URL"
            ) from None

    with ThreadPoolExecutor(order.workers) as pool:
        marks = list(pool.map(mark, wanted))
    return [(remote, told) for remote, told in zip(wanted, marks, strict=True) if told is not None]


def _under(
    lattice: Lattice, window: Span, touched: Sequence[Span], there: Sequence[Sequence[tuple[Remote, str]]], area: Area
) -> dict[Span, tuple[Under, ...]]:
    """The files under each piece that a region touches, by going through the files: a nation has 300,000 pieces."""
    found: dict[Span, list[Under]] = {piece: [] for piece in touched}
    for part, files in enumerate(there):
        for remote, mark in files:
            for turn in turns(remote.bounds, area):
                reach = common(lattice.span(remote.bounds, turn), window)
                for piece in lattice.pieces(reach) if reach else ():
                    if piece in found:
                        found[piece].append(Under(remote, turn, mark, part))
    return {piece: tuple(under) for piece, under in found.items()}


# ------------------------------------------------------------------------------------------ one raster


def _fetched(order: Order, area: Area, raster: Raster, store: Path) -> dict[str, Any]:
    """What is recorded of one raster, after it was made; one that an earlier start finished is left as it is."""
    target = order.out / raster.name
    asked = {
        "product": raster.product.name, "year": raster.year, "window": list(raster.window), "pieces": len(raster.under),
        "remotes": [list(pair) for pair in raster.remotes],
    }  # fmt: skip
    done = order.out / _WORK / (raster.name.replace("/", "_") + ".json")
    if (told := _finished(order.out, target, done, asked)) is not None:
        log.info("%s is there already", target)
        return told
    folder = store / raster.product.name / str(raster.year or "")
    _pieces(order, raster, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    done.parent.mkdir(exist_ok=True)
    full = mosaic.write(target, raster.product, raster.lattice, raster.window, _values(raster, folder))
    told = {
        **asked,
        "file": raster.name,
        "sha256": manifest.sha256(target),
        "bytes": target.stat().st_size,
        "pixels_with_data": full,
    }
    with atomic_path(done) as part:
        part.write_text(json.dumps(told), encoding="utf-8")
    return told


def _finished(out: Path, target: Path, done: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a raster that is there, unharmed and made of the same; kept apart until the whole fetch has ended."""
    wanted = json.loads(json.dumps(asked))
    with suppress(OSError, ValueError, InputError):
        recorded = [r for e in provenance.read(out).get("sources", []) for r in e.get("rasters", [])]
        if done.is_file():
            recorded.append(json.loads(done.read_text(encoding="utf-8")))
        for told in recorded:
            if all(told.get(k) == v for k, v in wanted.items()) and manifest.sha256(target) == told["sha256"]:
                return told
    return None


def _pieces(order: Order, raster: Raster, folder: Path) -> None:
    """Every piece of a raster on disk, several at once."""
    reader = Reader(raster.product, order.patience, Key(raster.product, order.patience))
    wanted = {p: under for p, under in raster.under.items() if under}
    missing = [p for p, under in wanted.items() if pieces.kept(pieces.path_of(folder, raster.name, p), under) is None]
    what = f"pieces of {raster.name}"
    bar = Progress(what, len(missing), quiet=order.quiet, offset=len(wanted) - len(missing))

    def one(piece: Span) -> None:
        with rasterio.Env(**order.patience.gdal(), **GDAL_GUARD):
            values = reader.read(piece, wanted[piece])
        pieces.keep(pieces.path_of(folder, raster.name, piece), values, wanted[piece])

    left, running, done = iter(missing), set[Future[None]](), 0
    with ThreadPoolExecutor(order.workers) as pool:
        while True:
            running |= {pool.submit(one, piece) for piece in islice(left, _AHEAD * order.workers - len(running))}
            if not running:
                break
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for ended in finished:
                ended.result()  # the few that are still waiting end with the pool
            done += len(finished)
            bar.update(done)
    bar.close()


def _values(raster: Raster, folder: Path) -> Iterator[tuple[Span, Any]]:
    """The pieces that have data, from disk."""
    for piece, under in raster.under.items():
        if under:
            values = pieces.kept(pieces.path_of(folder, raster.name, piece), under)
            if values is None:
                raise RunError(
                    f"{folder}: a fetched piece was removed or damaged meanwhile; run the same command again"
                )
            yield piece, values


# ------------------------------------------------------------------------------------------ what stands beside the data


def _entry(order: Order, product: Product, made: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The record of a product's files, with what must be said of it."""
    year = product.year(order.year)
    return {
        "product": product.name, "layer": product.layer, "year": year, **product.about(year),
        "unit": product.unit, "files": [m["file"] for m in made], "rasters": list(made),
    }  # fmt: skip


def _notes(order: Order, area: Area) -> list[str]:
    found = []
    for p in order.products:
        year = p.year(order.year)
        if year is not None and year != order.year:
            found.append(f"{p.name}: there is no map of {order.year}; that of {year} stands for it")
    if area.crosses:
        found.append(
            "the region crosses the antimeridian: its maps and regions.gpkg count longitudes beyond 180 degrees"
        )
    return found


def _write_assessment(order: Order, area: Area) -> Path:
    """The assessment file that ``sinks assess`` runs; paths are relative to it."""
    landcover = next(p for p in order.products if p.layer == "landcover")
    options: dict[str, Any] = {}
    for p in order.products:
        options[p.layer] = f"./{p.layer}" if p.layer == PROFILE else f"{p.layer}.tif"
        options |= p.settings
    options |= {"legend": landcover.legend, "year": landcover.year(order.year), "regions": _regions(order, area)}
    for name in ("region_id", "region_name", "region_layer"):
        if (value := getattr(order, name)) is not None:
            options[name] = value
    if area.crosses:
        options.pop("region_layer", None)
    options["out"] = "result"
    lines = [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in options.items()]
    path = order.out / ASSESSMENT
    with atomic_path(path) as part:
        part.write_text("\n".join([f"# Made by sinks fetch from {order.region}.", *lines, ""]), encoding="utf-8")
    return path


def _regions(order: Order, area: Area) -> str:
    """The regions' file as seen from the output folder; their own copy where longitudes had to be moved."""
    if area.crosses:
        with atomic_path(order.out / "regions.gpkg") as part:
            whole = part.with_suffix(".gpkg")  # OGR warns of other endings
            area.frame.to_file(whole, driver="GPKG", engine="pyogrio")
            os.replace(whole, part)
        return "regions.gpkg"
    if "://" in order.region or order.region.startswith("/vsi"):
        return order.region
    try:
        return Path(os.path.relpath(order.region, order.out)).as_posix()
    except ValueError:  # another drive
        return str(Path(order.region).absolute())


def _write_bibliography(out: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    with atomic_path(out / BIBLIOGRAPHY) as part:
        part.write_text(bibtex(e["source"] for e in entries), encoding="utf-8")


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another directory with --out") from None


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Only one fetch at a time writes into a folder."""
    lock = filelock.FileLock(out / f"{_WORK}.lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(
            f"{out}: another fetch is writing into this folder; wait for it or choose another with --out"
        ) from None
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            (out / f"{_WORK}.lock").unlink()
