"""Land-cover legends: what a raster value or a land-survey code means, and which ecosystem it belongs to.

Codes are text ("0303", "08H2A"): a leading zero or a letter is part of the code. Built-in legends are the CSV files of
``sinks/tables/legends``, listed with their aliases in ``legend_index.csv``.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from sinks.ecosystems import classes
from sinks.errors import InputError
from sinks.parameters import read_cells, records

NODATA: Final = "nodata"
_MADE: Final = ("trees_outside_forest",)
"""What the pass makes of forest that is too thin or small; no legend names it."""
LEAF_TYPES: Final = ("needleleaf", "broadleaf", "mixed", "bamboo", "unspecified")

_COLUMNS: Final = (
    "code", "value", "name_en", "name_zh", "ecosystem", "forest_type", "subclass", "tree_cover_min",
    "color", "status", "source", "note",
)  # fmt: skip
_HEADER_ALIASES: Final = {
    "代码": "code", "编码": "code", "值": "value", "像元值": "value", "名称": "name_zh", "英文名称": "name_en",
    "生态系统": "ecosystem", "森林类型": "forest_type", "亚类": "subclass", "最低树冠盖度": "tree_cover_min",
    "颜色": "color", "状态": "status", "来源": "source", "备注": "note", "说明": "note", "name": "name_en",
}  # fmt: skip
_ECOSYSTEM_ALIASES: Final = {
    "森林": "forest", "灌丛": "shrubland", "灌木": "shrubland", "灌木林": "shrubland", "草地": "grassland",
    "耕地": "cropland", "农田": "cropland", "内陆湿地": "inland_wetland", "湿地": "inland_wetland",
    "红树林": "mangrove", "盐沼": "salt_marsh", "海草床": "seagrass", "建设用地": "built", "裸地": "bare",
    "冰雪": "snow_ice", "水体": "water", "无数据": "nodata",
}  # fmt: skip
_LEAF_ALIASES: Final = {"针叶": "needleleaf", "针叶林": "needleleaf", "阔叶": "broadleaf", "阔叶林": "broadleaf",
                        "混交林": "mixed", "针阔混交林": "mixed", "竹林": "bamboo", "未定": "unspecified"}  # fmt: skip
_CODE: Final = re.compile(r"-?\d+")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class LegendClass:
    """One class of a legend.

    Attributes
    ----------
    code : the class's code as text; value : its integer in a raster, None where a raster cannot hold it.
    name_en, name_zh : names in English and Chinese.
    ecosystem : one of ``ecosystem_names()``; forest_type : one of ``LEAF_TYPES`` for forest, else blank.
    subclass : free key inside the ecosystem (paddy, upland, tidal_flat), blank where there is none.
    tree_cover_min : lowest tree cover of the class [percent], None where the legend does not say.
    color : #rrggbb, blank where the legend gives none; status, source, note : provenance.
    """

    code: str
    value: int | None
    name_en: str
    name_zh: str
    ecosystem: str
    forest_type: str
    subclass: str
    tree_cover_min: float | None
    color: str
    status: str
    source: str
    note: str


@dataclass(frozen=True)
class Legend:
    """A legend: its key, its title and its classes in file order."""

    name: str
    title: str
    classes: tuple[LegendClass, ...]

    @classmethod
    def builtin(cls, name: str) -> Legend:
        """A built-in legend by name or alias ("worldcover", "igbp", "gbt21010").

        Raises
        ------
        InputError
            If there is no such legend; the message suggests the nearest and lists all.
        """
        key = _canonical(name)
        title = _index()[key]["title"]
        text = files("sinks").joinpath("tables", "legends", f"{key}.csv").read_text(encoding="utf-8")
        return cls(key, title, cls.from_text(text, f"legend {key}").classes)

    @classmethod
    def from_text(cls, text: str, name: str) -> Legend:
        """A legend from a user's CSV text.

        Parameters
        ----------
        text : CSV with a header; columns ``code`` and ``ecosystem`` (or 代码 and 生态系统) are needed, the others of
            :class:`LegendClass` optional. A code is kept as text.
        name : how to call it in messages, usually the file's name.

        Raises
        ------
        InputError
            Naming the line, the value found and what is allowed; also for a code or raster value given twice.
        """
        columns, rows = read_cells(text, name)
        header = [_HEADER_ALIASES.get(h, h.lower()) for h in columns]
        missing = [c for c in ("code", "ecosystem") if c not in header]
        if missing:
            raise InputError(
                f"{name}, line 1: the legend lacks the column(s) {', '.join(missing)}; found "
                f"{', '.join(h or '(blank)' for h in header) or 'nothing'}; known: {', '.join(_COLUMNS)}"
            )
        twice = sorted({h for h in header if h in _COLUMNS and header.count(h) > 1})
        if twice:
            raise InputError(f"{name}, line 1: the column {', '.join(twice)} is there twice; keep one")
        classes: list[LegendClass] = []
        codes: dict[str, int] = {}
        values: dict[int, int] = {}
        for line, cells in rows:
            record = dict(zip(header, cells.values(), strict=True))
            found = _parse(record, f"{name}, line {line}", has_value="value" in header)
            if found.code in codes:
                raise InputError(
                    f"{name}, line {line}: the code '{found.code}' is already on line {codes[found.code]}; keep one"
                )
            codes[found.code] = line
            if found.value is not None:
                if found.value in values:
                    raise InputError(
                        f"{name}, line {line}: the raster value {found.value} is already on line "
                        f"{values[found.value]}; give each class its own"
                    )
                values[found.value] = line
            classes.append(found)
        if not classes:
            raise InputError(f"{name}: the legend has no class; add at least one row")
        return cls(name, name, tuple(classes))

    def by_value(self) -> dict[int, LegendClass]:
        """Classes by their value in a raster."""
        return {c.value: c for c in self.classes if c.value is not None}

    def by_code(self) -> dict[str, LegendClass]:
        """Classes by their code."""
        return {c.code: c for c in self.classes}

    def nodata_values(self) -> frozenset[int]:
        """Raster values that mean "nothing is known here"."""
        return frozenset(c.value for c in self.classes if c.ecosystem == "nodata" and c.value is not None)


@lru_cache(maxsize=1)
def ecosystem_names() -> tuple[str, ...]:
    """What a class of a legend may be: every ecosystem that a plug owns, and no data."""
    owned = dict.fromkeys(ecosystem for ecosystem, _ in classes())
    return (*(e for e in owned if e not in _MADE), NODATA)


def builtin_names() -> list[str]:
    """Names of the built-in legends, without their aliases."""
    return list(_index())


def collisions(a: str, b: str) -> list[tuple[LegendClass, LegendClass]]:
    """Classes with the same code but another meaning in two built-in legends, in order of code."""
    left, right = Legend.builtin(a).by_code(), Legend.builtin(b).by_code()
    shared = sorted(left.keys() & right.keys())
    return [(left[code], right[code]) for code in shared if _differ(left[code], right[code])]


def _differ(one: LegendClass, two: LegendClass) -> bool:
    if one.ecosystem != two.ecosystem:
        return True
    first, second = (re.sub(r"(用地|地)$", "", c.name_zh) for c in (one, two))
    return not (first.startswith(second) or second.startswith(first))


@lru_cache(maxsize=1)
def _index() -> Mapping[str, Mapping[str, str]]:
    text = files("sinks").joinpath("tables", "legend_index.csv").read_text(encoding="utf-8")
    return {row["name"]: row for row in csv.DictReader(io.StringIO(text))}


def _canonical(name: str) -> str:
    wanted = re.sub(r"[\s\-./]+", "_", name.strip().lower())
    known = {alias: key for key, row in _index().items() for alias in (key, *row["aliases"].split(";")) if alias}
    if wanted in known:
        return known[wanted]
    close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise InputError(f"there is no legend '{name}'{hint} (built in: {', '.join(_index())})")


@lru_cache(maxsize=1)
def _species() -> frozenset[str]:
    """Forest types that name a species or a group of species."""
    return frozenset(row["forest_type"] for row in records("forest_types"))


def _parse(record: Mapping[str, str], where: str, has_value: bool) -> LegendClass:
    code = record["code"]
    if not code:
        raise InputError(f"{where}: the code is empty; give one or take the row out")
    ecosystem = _ECOSYSTEM_ALIASES.get(record.get("ecosystem", ""), record.get("ecosystem", ""))
    if ecosystem not in ecosystem_names():
        raise InputError(f"{where}: ecosystem '{ecosystem}' is not one of {', '.join(ecosystem_names())}")
    leaf = _LEAF_ALIASES.get(record.get("forest_type", ""), record.get("forest_type", ""))
    if ecosystem == "forest":
        leaf = leaf or "unspecified"
        if leaf not in (*LEAF_TYPES, *_species()):
            close = difflib.get_close_matches(leaf, [*LEAF_TYPES, *_species()], n=1)
            hint = f"did you mean '{close[0]}'?" if close else "species are the keys of forest_types.csv"
            raise InputError(
                f"{where}: forest_type '{leaf}' is not one of {', '.join(LEAF_TYPES)} nor a species; {hint}"
            )
    elif leaf:
        raise InputError(f"{where}: forest_type '{leaf}' is given for ecosystem '{ecosystem}'; leave it blank there")
    if not has_value and not _CODE.fullmatch(code):
        raise InputError(
            f"{where}: the code '{code}' is no whole number, so that no pixel can have it; add a column 'value' with the raster's"
        )
    raw = record.get("value", "") if has_value else code
    try:
        value = int(raw) if raw else None
    except ValueError:
        raise InputError(f"{where}: value '{raw}' is not a whole number; give the number in the raster") from None
    color = record.get("color", "")
    if color and not _COLOR.fullmatch(color):
        raise InputError(f"{where}: color '{color}' is not of the form #rrggbb")
    return LegendClass(
        code=code, value=value, name_en=record.get("name_en", "") or record.get("name_zh", "") or code,
        name_zh=record.get("name_zh", "") or record.get("name_en", "") or code, ecosystem=ecosystem, forest_type=leaf,
        subclass=record.get("subclass", ""), tree_cover_min=_percent(record.get("tree_cover_min", ""), where),
        color=color.lower(), status=record.get("status", "") or "user", source=record.get("source", "") or "user",
        note=record.get("note", ""),
    )  # fmt: skip


def _percent(cell: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise InputError(f"{where}: tree_cover_min '{cell}' is not a percentage from 0 to 100")
    return number
