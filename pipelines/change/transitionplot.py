"""The transitions of a change as a picture: a Sankey diagram or a matrix, as plain SVG text."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import pandas as pd

from pipelines.errors import InputError
from pipelines.files import manifest, tables
from pipelines.files.atomic import atomic_path
from pipelines.samples.changemap import is_change
from sinks import ecosystems
from sinks.accounts import TOTAL_REGION
from sinks.sampling import hint

_FONT: Final = "font-family=\"'Noto Sans','Noto Sans SC','Microsoft YaHei','PingFang SC',Arial,sans-serif\""
_WIDTH, _TOP, _BAR, _GAP, _SIDE = 980, 70, 18, 10, 250
_HEIGHT: Final = 560
_LEAST: Final = 14.0
"""Height that a label takes: bars lie at least so far apart [px]."""
_WORDS: Final = {
    "en": {"ha": "ha", "stays": "stays", "title": "What became of the land", "to": "to", "from": "from", "all": "all"},
    "zh": {"ha": "公顷", "stays": "未变", "title": "土地类别转移", "to": "期末", "from": "期初", "all": "合计"},
}


def transitions(run: Path, region: str = TOTAL_REGION, years: tuple[int, int] | None = None) -> pd.DataFrame:
    """Area [ha] and change of carbon [Mg C] by class before and after, of a region of a finished change.

    years : of a period, the whole span where not given. Raises InputError.
    """
    if not is_change(run):
        raise InputError(f"{run}: this is no change; name the output folder of a finished 'sinks change'")
    epochs = manifest.read(run)["epochs"]
    first, last = years or (epochs[0], epochs[-1])
    table = tables.read_output(run, "transitions.parquet")
    known = list(table["region_id"].unique())
    if region not in known:
        raise InputError(f"--region is '{region}'{hint(region, known)}")
    part = table[(table["region_id"] == region) & (table["year_from"] == first) & (table["year_to"] == last)]
    if part.empty:
        raise InputError(f"{run}: there is no period {first}–{last}; its epochs are {', '.join(map(str, epochs))}")
    part = part[part["quantity"].isin(["area", "change_carbon_total"])]
    wide = part.pivot_table(index=["from_class", "to_class"], columns="quantity", values="value", aggfunc="sum")
    return wide.reset_index().rename(columns={"area": "area_ha", "change_carbon_total": "change_mg_c"})


def _classes() -> dict[str, tuple[str, str, str, int]]:
    """Label → English name, Chinese name, colour, code."""
    return {
        f"{e}/{f}" if f else e: (c.name_en, c.name_zh, c.color, c.code) for (e, f), c in ecosystems.classes().items()
    }


def _name(label: str, language: str) -> str:
    en, zh, _, _ = _classes()[label]
    return zh if language == "zh" else en


def _text(x: float, y: float, told: str, anchor: str = "start", size: int = 12, more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {_FONT} {more}>{escape(told)}</text>'
    )


def _spread(sizes: list[float]) -> list[float]:
    """Tops of bars one below the other, no two middles closer than a label is high."""
    tops, y = [], 0.0
    for size, following in zip(sizes, [*sizes[1:], 0.0], strict=True):
        tops.append(y)
        y += max(size + _GAP, _LEAST + (size - following) / 2)
    return tops


def sankey(table: pd.DataFrame, years: tuple[int, int], language: str = "en") -> str:
    """Flows of area between classes that changed; land that stayed is told below, not drawn, for it would hide them.

    table : of ``transitions``.
    """
    words, known = _WORDS[language], _classes()
    moved = table[(table["from_class"] != table["to_class"]) & (table["area_ha"] > 0)]
    stayed = table[table["from_class"] == table["to_class"]].set_index("from_class")["area_ha"]
    order = sorted(set(table["from_class"]) | set(table["to_class"]), key=lambda c: known[c][3])
    left = [c for c in order if (moved["from_class"] == c).any()]
    right = [c for c in order if (moved["to_class"] == c).any()]
    total = float(moved["area_ha"].sum())
    title = f"{words['title']} {years[0]}–{years[1]}: {total:,.0f} {words['ha']}"
    if not total:
        return _svg(_HEIGHT / 4, title, [])
    rows = max(len(left), len(right))
    per_ha = (_HEIGHT - rows * (_GAP + _LEAST)) / total
    sides = {}
    for side, names in (("from_class", left), ("to_class", right)):
        sizes = [float(moved.loc[moved[side] == c, "area_ha"].sum()) * per_ha for c in names]
        sides[side] = dict(zip(names, zip(_spread(sizes), sizes, strict=True), strict=True))
    x1, x2 = _SIDE, _WIDTH - _SIDE - _BAR
    shapes = []
    at = {(s, c): top for s, places in sides.items() for c, (top, _) in places.items()}
    flows = moved.assign(a=moved["from_class"].map(order.index), b=moved["to_class"].map(order.index)).sort_values(
        ["a", "b"]
    )
    for flow in flows.to_dict("records"):
        thick = flow["area_ha"] * per_ha
        y1, y2 = at["from_class", flow["from_class"]], at["to_class", flow["to_class"]]
        at["from_class", flow["from_class"]] += thick
        at["to_class", flow["to_class"]] += thick
        y1, y2, middle = y1 + _TOP, y2 + _TOP, (x1 + _BAR + x2) / 2
        path = (
            f"M{x1 + _BAR},{y1:.2f} C{middle},{y1:.2f} {middle},{y2:.2f} {x2},{y2:.2f} L{x2},{y2 + thick:.2f} "
            f"C{middle},{y2 + thick:.2f} {middle},{y1 + thick:.2f} {x1 + _BAR},{y1 + thick:.2f} Z"
        )
        both = " → ".join(_name(flow[side], language) for side in ("from_class", "to_class"))
        told = f"{both}: {flow['area_ha']:,.0f} {words['ha']}"
        color = known[flow["from_class"]][2]
        shapes.append(f'<path d="{path}" fill="{color}" fill-opacity="0.45"><title>{escape(told)}</title></path>')
    for side, x, text_x, anchor in (("from_class", x1, x1 - 8, "end"), ("to_class", x2, x2 + _BAR + 8, "start")):
        for label, (top, size) in sides[side].items():
            shapes.append(
                f'<rect x="{x}" y="{top + _TOP:.2f}" width="{_BAR}" height="{max(size, 1.0):.2f}" fill="{known[label][2]}"/>'
            )
            told = f"{_name(label, language)}  {moved.loc[moved[side] == label, 'area_ha'].sum():,.0f} {words['ha']}"
            shapes.append(_text(text_x, top + _TOP + max(size, 1.0) / 2 + 4, told, anchor))
    bottom = max(top + size for places in sides.values() for top, size in places.values())
    kept = f"{words['stays']}: {stayed.sum():,.0f} {words['ha']}"
    shapes += [
        _text(x1 + _BAR, _TOP - 12, str(years[0]), "end", 14, 'font-weight="bold"'),
        _text(x2, _TOP - 12, str(years[1]), "start", 14, 'font-weight="bold"'),
        _text(_WIDTH / 2, bottom + _TOP + 28, kept, "middle"),
    ]
    return _svg(bottom + _TOP + 44, title, shapes)


def matrix(table: pd.DataFrame, years: tuple[int, int], language: str = "en") -> str:
    """Class before (rows) × class after (columns) [ha]; darker is more of the row; the diagonal stayed."""
    words, known = _WORDS[language], _classes()
    order = sorted(set(table["from_class"]) | set(table["to_class"]), key=lambda c: known[c][3])
    cells = {(r, c): float(a) for r, c, a in table[["from_class", "to_class", "area_ha"]].itertuples(index=False)}
    cell, row_height, first = 82, 26, 190
    shapes = [_text(first - 8, _TOP + 62, f"{years[0]} ↓   {years[1]} →", "end", 12, 'font-weight="bold"')]
    for j, label in enumerate(order):
        x = first + j * cell + cell / 2
        shapes.append(
            _text(x, _TOP + 66, _name(label, language), "start", 12, f'transform="rotate(-35 {x:.1f} {_TOP + 66})"')
        )
    top = _TOP + 76
    for i, before in enumerate(order):
        y = top + i * row_height
        whole = sum(cells.get((before, c), 0.0) for c in order)
        shapes.append(_text(first - 8, y + 17, _name(before, language), "end"))
        for j, after in enumerate(order):
            area = cells.get((before, after), 0.0)
            share = area / whole if whole else 0.0
            fill = "#d9d9d9" if before == after else known[after][2]
            strength = 1.0 if before == after else min(0.9, 0.12 + 3 * share) if area else 0.0
            shapes.append(
                f'<rect x="{first + j * cell}" y="{y}" width="{cell - 2}" height="{row_height - 2}" fill="{fill}" '
                f'fill-opacity="{strength:.2f}" stroke="#eeeeee"/>'
            )
            if area:
                shapes.append(_text(first + j * cell + cell - 8, y + 17, f"{area:,.0f}", "end", 11))
        shapes.append(_text(first + len(order) * cell + 74, y + 17, f"{whole:,.0f}", "end", 11, 'font-weight="bold"'))
    y = top + len(order) * row_height + 17
    for j, after in enumerate(order):
        whole = sum(cells.get((b, after), 0.0) for b in order)
        shapes.append(_text(first + j * cell + cell - 8, y, f"{whole:,.0f}", "end", 11, 'font-weight="bold"'))
    shapes.append(_text(first - 8, y, words["all"], "end", 12, 'font-weight="bold"'))
    title = f"{words['title']} {years[0]}–{years[1]} [{words['ha']}]"
    return _svg(y + 24, title, shapes, first + len(order) * cell + 100)


def _svg(height: float, title: str, shapes: list[str], width: float = _WIDTH) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img"><title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>'
    )
    return "\n".join([head, _text(20, 30, title, "start", 17, 'font-weight="bold"'), *shapes, "</svg>"]) + "\n"


def write(text: str, path: Path) -> None:
    """Into a file, whole or not at all."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
