"""A finished run as one HTML file that needs nothing else: no network, no other file, no program but a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from pipelines.errors import InputError
from pipelines.files.atomic import atomic_path
from pipelines.report import (
    answer,
    areas,
    changes,
    charts,
    figures,
    grids,
    holdings,
    method,
    pictures,
    quality,
    regions,
)
from pipelines.report import runfolder as folders
from pipelines.report import shapes as outlines
from pipelines.report.amounts import interval, said, signed
from pipelines.report.catalogue import HTML_LANGUAGE, LANGUAGES, Both, joined, messages, same, say
from pipelines.report.quicklook import Picture
from pipelines.report.runfolder import CHANGE, RESERVES, SAMPLE, Run
from pipelines.report.standing import JUDGED, Standing, of_the_whole, own, standings
from sinks import __version__
from sinks.accounts import ALL

ROWS: Final = 100
"""Rows of the table of regions that are shown at first."""
_SYNTHETIC: Final = "sample"
"""Legend of the sample region, which stands for no real place and must not be taken for one."""
_MANY: Final = 400
"""Regions from which the map is drawn on a canvas."""
_LOGOS: Final = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
_LARGEST_LOGO: Final = 1 << 20
_AREA_COLORS: Final = {"classed": "#00735a", "nodata": "#bdbdbd", "unknown": "#e0a030", "outside_rasters": "#636363"}


@dataclass(frozen=True)
class Look:
    """How the page is presented. language : that it opens in, None for the reader's own, English where it is neither; title :
    empty for one by the run; logo : an image file."""

    language: str | None = None
    title: str = ""
    logo: Path | None = None


def write(run: Run, beside: Mapping[str, Run], look: Look, path: Path) -> None:
    """The page, whole or not at all."""
    text = html(run, beside, look)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def html(run: Run, beside: Mapping[str, Run], look: Look = Look()) -> str:
    """The page as text."""
    with ThreadPoolExecutor(1) as pool:  # GDAL draws without Python's lock, while the tables are made
        drawn = pool.submit(pictures.of_run, run, beside)
        places = _assessment(run, beside) if run.kind != CHANGE else _change_alone(run)
        if CHANGE in beside:
            places |= _change(beside[CHANGE])
        if RESERVES in beside:
            places |= _reserves(beside[RESERVES])
        told, language = method.method(run), look.language or LANGUAGES[0]
        places["quality"] = found = places.get("quality") or quality.of_change(run)
        places |= _quality(found)
        table: regions.Table = places["table"]
        data = _data(run, table, drawn.result())
    scripts = [_leaflet("leaflet.js"), _file("page.js")]
    wanted = {
        "answer": True, "figures": True, "targets": bool(places.get("whole") or places.get("parts")), "map": True,
        "regions": len(table.ids) > 1, "ecosystems": "eco_rows" in places, "change": CHANGE in beside,
        "reserves": RESERVES in beside, "quality": True, "method": True, "coefficients": bool(told.coefficients),
        "provenance": True,
    }  # fmt: skip
    return _environment().get_template("page.html").render(
        places
        | {
            "lang": language, "html_language": HTML_LANGUAGE[language], "follow": look.language is None, "version": __version__,
            "title": _title(run, look, table), "facts": _facts(run, table), "logo": _logo(look.logo), "method": told,
            "sections": [key for key, there in wanted.items() if there], "data": htmlsafe_json_dumps(data, allow_nan=False),
            "script_hashes": Markup(" ").join(Markup(f"'sha256-{_hash(s)}'") for s in scripts),
            "leaflet_js": Markup(scripts[0]), "page_js": Markup(scripts[1]),
            "leaflet_css": Markup(_leaflet("leaflet.css")), "page_css": Markup(_file("page.css")),
        }
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ sections


def _assessment(run: Run, beside: Mapping[str, Run]) -> dict[str, Any]:
    sample = beside.get(SAMPLE)
    found = standings(run, figures.corrected_coverage(sample) if sample else None)
    table = regions.table(run, beside, found)
    ecosystems = holdings.by_ecosystem(run)
    eco, headings = grids.ecosystems(ecosystems), grids.views(holdings.by_view(run))
    told = quality.quality(run, beside)
    return {
        "answer": answer.answer(found), "cautions": _cautions(found, told), "headlines": figures.headlines(run, beside),
        "whole": of_the_whole(found), "parts": _worst_first(own(found)), "table": table,
        "against": charts.coverage(table, found), "pools": charts.pools(ecosystems), "pool_colors": charts.POOL_COLORS,
        "eco_columns": eco.heads, "eco_rows": eco.rows, "view_columns": headings.heads, "view_rows": headings.rows,
        "quality": told,
    }  # fmt: skip


def _change_alone(run: Run) -> dict[str, Any]:
    story = changes.story(run)
    return {
        "answer": answer.of_change(story), "cautions": None, "headlines": figures.of_change(run, story),
        "table": regions.of_change(run), "against": None,
    }  # fmt: skip


def _change(run: Run) -> dict[str, Any]:
    story = changes.story(run)
    table = grids.processes(story.processes)
    return {
        "story": story, "lines": charts.series(story), "process_bars": charts.processes(story.processes),
        "process_columns": table.heads, "process_rows": table.rows,
        "sankey": {language: Markup(svg) for language, svg in story.picture.items()},
    }  # fmt: skip


def _reserves(run: Run) -> dict[str, Any]:
    table = grids.areas(areas.areas(run))
    return {"area_columns": table.heads, "area_rows": table.rows}


def _quality(found: quality.Quality) -> dict[str, Any]:
    budgets = [
        {
            "name": b.name,
            "percent": f"{100 * b.relative:.0f}",
            "segments": charts.shares(
                [(p.name, p.share, color, same(f"{100 * p.share:.0f} %"))
                 for p, color in zip(b.parts, charts.PARTS, strict=False)]
            ),
        }
        for b in found.budgets
    ]  # fmt: skip
    parts = [(p.name, p.share, _AREA_COLORS[p.key], _part(p)) for p in found.area]
    table = grids.accuracy(found.accuracy) if found.accuracy else grids.Grid((), ())
    return {
        "area_parts": charts.shares(parts), "budgets": budgets, "held": sum(c.closed for c in found.checks),
        "accuracy_rows": table.rows, "accuracy_unit": table.heads[0].unit if table.heads else "",
    }  # fmt: skip


def _part(p: quality.Part) -> Both:
    amount = said(p.amount, "area")
    return Both(*(f"{amount.of(language)} ({100 * p.share:.2f} %)" for language in LANGUAGES))


def _worst_first(found: list[Standing]) -> list[Standing]:
    order = {"bad": 0, "open": 1, "neutral": 2, "good": 3}
    return sorted(found, key=lambda s: order[s.tone])


def _cautions(found: Sequence[Standing], told: quality.Quality) -> Both | None:
    """What a reader of the answer must know beside it."""
    cautions = []
    judged = [s for s in found if s.role in JUDGED and s.indicator == "forest_coverage"]
    if judged and not any(np.isfinite(s.probability) for s in judged):
        cautions.append(say("answer.caution.coverage"))
    if told.warnings:
        cautions.append(say("answer.caution.warnings", count=len(told.warnings)))
    return joined(cautions, "list.space") if cautions else None


# ------------------------------------------------------------------------------------------ head and data


def _title(run: Run, look: Look, table: regions.Table) -> Both:
    if look.title:
        return same(look.title)
    if figures.context(run)["legend"] == _SYNTHETIC:
        return say("page.title.sample")
    if len(table.ids) == 1 and table.ids[0] != ALL:
        return say("page.title.of", region=table.names[0])
    return say("page.title")


def _facts(run: Run, table: regions.Table) -> Both:
    about, known = run.about, figures.context(run)
    parts = [say("page.regions", count=len(table.ids))] if len(table.ids) > 1 else []
    if run.kind == CHANGE:
        parts.append(say("page.epochs", first=about["epochs"][0], last=about["epochs"][-1]))
    elif known["year"]:
        parts.append(say("page.year", year=known["year"]))
    if run.kind == folders.ROLLUP:
        parts.append(say("page.runs", count=len(about.get("runs", ()))))
    parts.append(say("page.finished", day=str(about.get("finished", ""))[:10]))
    return joined(parts, "list.dot")


def _data(run: Run, table: regions.Table, found: Sequence[Picture]) -> dict[str, Any]:
    """What the page's script draws and sorts."""
    file, layer = ("change.gpkg", "change") if run.kind == CHANGE else ("assessment.gpkg", "regions")
    shown = outlines.outlines(outlines.read(run.folder / file, layer))
    frame = outlines.bounds(shown)
    if found:
        boxes = np.array([frame, *(p.bounds for p in found)])
        frame = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    return {
        "regions": regions.as_data(table), "shapes": outlines.features(shown, list(table.ids)), "bounds": frame,
        "pictures": [pictures.as_data(p) for p in found], "rows": ROWS, "many": len(table.ids) > _MANY,
        "words": {
            key.removeprefix("words."): text.pair()
            for key, text in messages().items() if key.startswith("words.")
        },
    }  # fmt: skip


def _logo(path: Path | None) -> str:
    """An image as a data URL. A drawing in an <img> runs no script of its own."""
    if path is None:
        return ""
    kind = _LOGOS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"--logo is {path}; give a file that ends in {', '.join(_LOGOS)}")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"--logo is {path}, which cannot be read ({error.strerror}); give another file") from error
    if len(raw) > _LARGEST_LOGO:
        raise InputError(f"{path}: the logo has {len(raw):,} bytes; give one of at most {_LARGEST_LOGO:,}")
    return f"data:{kind};base64,{base64.b64encode(raw).decode('ascii')}"


# ------------------------------------------------------------------------------------------ template


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Templates as Python code, kept beside Python's own: compiling them takes as long as filling them.

    Where that folder cannot be written they are compiled each time.
    """

    def __init__(self) -> None:
        folder = Path(__file__).parent / "page" / "__pycache__"
        super().__init__(str(folder), f"%s-{version('jinja2')}.cache")

    def dump_bytecode(self, bucket: Any) -> None:
        with suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.report", "page"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, bytecode_cache=_Compiled(),
    )  # fmt: skip
    found.globals |= {
        "say": say, "said": said, "signed": signed, "interval": interval, "finite": lambda v: bool(np.isfinite(v)),
        "pc": lambda v: f"{v:.2f}%", "percent": lambda v: f"{100 * v:.1f}", "gauge_of": charts.gauge,
        "pool_name": holdings.pool_name,
    }  # fmt: skip
    return found


@cache
def _file(name: str) -> str:
    return files("pipelines.report").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _leaflet(name: str) -> str:
    """Leaflet without what would make a browser look for further files."""
    text = files("pipelines.report").joinpath("vendor", name).read_text(encoding="utf-8")
    text = re.sub(r"url\([^)]*\)", "none", text) if name.endswith(".css") else text
    return re.sub(r"//# sourceMappingURL=\S+", "", text)


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
