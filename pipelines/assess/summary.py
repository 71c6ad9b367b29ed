"""What the screen says at the end of a run, in words that a forester uses."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.assess import regiontable
from pipelines.assess.result import Result
from sinks import ecosystems
from sinks.accounts import ALL, TOTAL_REGION
from sinks.quantities import CLASS_SINKS, TOTAL, VOLUME

_SPECIAL = {"unknown": "Class unknown to the legend", "nodata": "No data"}
_BESIDE = (
    ("carbon_soil_deep_mg", "  deep soil besides", "below that depth, to 300 cm; in no total"),
    ("sink_biomass_mg_yr", "Sink of biomass", "a yearly flux, where known; that of forest takes two dates"),
    ("sink_soil_mg_yr", "Sink of soil", "a yearly flux, where known; drained organic soil is a source"),
    ("sink_weathering_mg_yr", "Sink of karst", "carbonate weathering, a yearly flux"),
    ("gain_biomass_mg_yr", "Growth of forest", "losses are not taken off"),
    ("emission_ch4_kg_yr", "Methane", "of organic and rewetted soil"),
    ("emission_n2o_kg_yr", "Nitrous oxide", "of drained organic soil"),
)
"""What stands beside the carbon stock, where it is estimated."""
_STATUS: Final = {
    "met": ("✔ met", "good"),
    "likely met": ("✔ likely met", "good"),
    "missed": ("✘ missed", "bad"),
    "likely missed": ("✘ likely missed", "bad"),
    "undecided": ("~ undecided", "unsure"),
    "above": ("▲ above", ""),
    "below": ("▼ below", ""),
    "contributes": ("–", ""),
    "unknown": ("?", "unsure"),
}
"""Status → sign and word, and its role: colour only says again what these say."""

Paint = Callable[[str, str], str]
"""Puts a text in its role: title, good, bad, unsure, warning or faint."""
Cell = str | tuple[str, str]
"""A text, or a text and its role."""


def plain(text: str, role: str) -> str:
    """No colour."""
    return text


def text(result: Result, paint: Paint = plain, columns: int | None = None) -> str:
    """The whole summary. columns : width of the terminal, where notes are to be broken; None leaves them on one line."""
    parts = [
        _headline(result, paint, columns), _ecosystems(result, paint), _regions(result, paint), _targets(result, paint),
        _ending(result, paint, columns),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def as_json(result: Result) -> dict[str, Any]:
    """The same for machines: plain values, NaN as null."""
    table = regiontable.region_table(result.account, result.coverage)
    return {
        "out": str(result.out),
        "seconds": round(result.seconds, 3),
        "pixels": result.pixels,
        "regions": _records(table),
        "scorecard": _records(result.scorecard),
        "maps": {name: str(path) for name, path in result.maps.items()},
        "unknown_values": {str(k): {"pixels": n, "area_ha": a} for k, (n, a) in result.unknown.items()},
        "notes": list(result.notes),
        "warnings": list(result.warnings),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.to_dict(orient="records")
    return [
        {str(k): None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in rows
    ]


def _headline(result: Result, paint: Paint, columns: int | None) -> str:
    total = regiontable.region_table(result.account, result.coverage).iloc[0]
    depth = result.account.context["soil_depth_cm"]
    rows = [
        (
            "Forest coverage",
            _percent(total["coverage_pct"]),
            f"of {_ha(_land(result))} {total['denominator']} land area",
        ),
        ("  arbor forest only", _percent(total["coverage_arbor_pct"]), ""),
        ("  arbor and bamboo", _percent(total["coverage_arbor_bamboo_pct"]), ""),
        (
            "Forest stock volume",
            _big(total["stock_m3"], "m³"),
            f"{_within(result, 'forest', VOLUME.key)}{total['stock_m3_per_ha']:.1f} m³ per forest hectare",
        ),
        (
            "Carbon stock",
            _big(total["carbon_total_mg"], "t C"),
            f"{_within(result, ALL, TOTAL.key)}{total['carbon_mg_per_ha']:.1f} t C/ha, soil to {depth} cm",
        ),
    ]
    for column, name, about in _BESIDE:
        if column in total and np.isfinite(total[column]) and total[column] != 0:
            unit = "t C" if column.endswith("_mg") else "kg/yr" if column.endswith("_kg_yr") else "t C/yr"
            rows.append((name, _big(total[column], unit), about))
    basis = result.coverage.loc[result.coverage["headline"], "basis"].iloc[0]
    width = max(_width(row[1]) for row in rows)
    lines = [
        f"{name:20} {' ' * (width - _width(value))}{paint(value, 'title')}   {paint(more, 'faint') if more else ''}".rstrip()
        for name, value, more in rows
    ]
    return "\n".join([*lines, _told("Basis", basis, "faint", paint, columns)])


def _within(result: Result, ecosystem: str, quantity: str) -> str:
    """± half of the 95 % interval, in percent of the value; blank where no error is known."""
    t = result.account.tidy
    hit = t[
        (t["region_id"] == TOTAL_REGION)
        & (t["ecosystem"] == ecosystem)
        & (t["forest_type"] == ALL)
        & (t["quantity"] == quantity)
    ]
    if len(hit) != 1 or not hit["se"].iloc[0] > 0:
        return ""
    half = (hit["high"].iloc[0] - hit["low"].iloc[0]) / 2 / hit["value"].iloc[0]
    return f"± {half:.0%} (95 %), "


def _land(result: Result) -> float:
    top = result.coverage[result.coverage["headline"] & (result.coverage["region_id"] == TOTAL_REGION)]
    return float(top["land_area_ha"].iloc[0])


def _ecosystems(result: Result, paint: Paint) -> str:
    table = regiontable.ecosystem_table(result.account)
    names = {(c.ecosystem, c.forest_type): c.name_en for c in ecosystems.classes().values()}
    rows = []
    for row in table.to_dict(orient="records"):
        key = (row["ecosystem"], "" if row["forest_type"] == ALL else row["forest_type"])
        if row["ecosystem"] == "forest" and row["forest_type"] == ALL:
            name = "Forest"
        else:
            name = names.get(key, _SPECIAL.get(row["ecosystem"], str(row["ecosystem"]).replace("_", " ").capitalize()))
        indent = "  " if row["ecosystem"] == "forest" and row["forest_type"] != ALL else ""
        sink = np.nansum([row[k] for k in CLASS_SINKS]) if any(np.isfinite(row[k]) for k in CLASS_SINKS) else np.nan
        rows.append((
            indent + name, _ha(row["area"]), _big(row[VOLUME.key], "m³"), _big(row[TOTAL.key], "t C"), _big(sink, "t C/yr")
        ))  # fmt: skip
    head = ("Ecosystem", "Area", "Stock volume", "Carbon", "Sink")
    shown = len(head) if any(row[-1] not in ("–", "0 t C/yr") for row in rows) else len(head) - 1
    return _grid(head[:shown], [row[:shown] for row in rows], paint) + _views(result)


def _views(result: Result) -> str:
    """What crosses ecosystems, as "of which"."""
    crossing = ("permafrost", "karst", "black_soil", "organic_soil")
    part = result.views[(result.views["region_id"] == TOTAL_REGION) & result.views["view"].isin(crossing)]
    said = [
        f"{r['name_en']}: {_ha(r['area_ha'])}, {_big(r['carbon_mg'], 't C')}" for r in part.to_dict(orient="records")
    ]
    return "\nOf which on " + "; ".join(f"{s[0].lower()}{s[1:]}" for s in said) if said else ""


def _regions(result: Result, paint: Paint, most: int = 12) -> str:
    table = regiontable.region_table(result.account, result.coverage).iloc[1:]
    if len(table) < 2:
        return ""
    shown = table.sort_values("carbon_total_mg", ascending=False).head(most)
    rows = [
        (
            f"{r['region_id']} {r['region_name']}".strip(), _ha(r["area_ha"]), _percent(r["coverage_pct"]),
            _big(r["stock_m3"], "m³"), _big(r["carbon_total_mg"], "t C"),
        )
        for r in shown.to_dict(orient="records")
    ]  # fmt: skip
    more = f"\n… and {len(table) - most} more in accounts.csv" if len(table) > most else ""
    return _grid(("Region", "Area", "Coverage", "Stock volume", "Carbon"), rows, paint) + more


def _targets(result: Result, paint: Paint) -> str:
    card = result.scorecard
    return scorecard_text(card[(card["region_id"] == TOTAL_REGION) | (card["role"] == "own")], paint)


def scorecard_text(shown: pd.DataFrame, paint: Paint = plain) -> str:
    """Rows of a scorecard: goal, figure and how they stand; a figure that a sample corrected says so."""
    rows: list[tuple[Cell, ...]] = []
    for r in shown.to_dict(orient="records"):
        show = _percent if r["unit"] == "percent" else _cubic
        said, role = _STATUS[r["status"]]
        if np.isfinite(r["probability"]):
            said = f"{said} (P = {r['probability']:.2f})"
        if r["role"] == "contribution":
            said = f"{r['contribution_percent']:.3f} % of the national target"
        elif r["role"] == "reference":
            said = f"{said} the national target"
        official = f"{show(r['official_value'])} ({r['official_year']})" if np.isfinite(r["official_value"]) else ""
        kind = "coverage" if r["unit"] == "percent" else "stock"
        name = "all regions" if r["region_id"] == TOTAL_REGION else r["region_name"] or r["region_id"]
        mark = ", by sample" if "corrected by the reference sample" in str(r["basis"]) else ""
        rows.append(
            (f"{name}, {kind} {r['year']}{mark}", show(r["target_value"]), show(r["value"]), (said, role), official)
        )
    has_official = any(row[-1] for row in rows)
    head = ("Target", "Goal", "This map", "", "Official figure")
    return _grid(head if has_official else head[:-1], rows if has_official else [row[:-1] for row in rows], paint)


def _ending(result: Result, paint: Paint, columns: int | None) -> str:
    speed = result.pixels / max(result.seconds, 1e-9) / 1e6
    lines = [_told("Note", n, "faint", paint, columns) for n in result.notes]
    lines += [_told("Warning", w, "warning", paint, columns) for w in result.warnings]
    pace = f"{result.pixels / 1e6:,.1f} million pixels in {result.seconds:.1f} s ({speed:.1f} Mpx/s)"
    lines.append(f"{pace}; {paint(f'all {len(result.checks)} closure checks hold', 'good')}.")
    ending = next((path.suffix[1:] for path in result.maps.values()), "tif")
    report = "report.html, " if (result.out / "report.html").is_file() else ""
    here = Path.cwd()
    out = result.out.relative_to(here) if result.out.is_relative_to(here) else result.out
    lines.append(
        f"Written to {out}: {report}maps/*.{ending}, assessment.gpkg, accounts.csv, scorecard.csv, manifest.json"
    )
    return "\n".join(lines)


def _told(kind: str, said: str, role: str, paint: Paint, columns: int | None) -> str:
    """One note; broken under its beginning where the width is known."""
    if columns is None:
        return paint(f"{kind}: {said}", role)
    indent = " " * (len(kind) + 2)
    lines = textwrap.wrap(said, columns - len(indent), break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(paint(text, role) for text in (f"{kind}: {lines[0]}", *(indent + line for line in lines[1:])))


def _big(value: float, unit: str) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:.3f} {name} {unit}"
    return f"{value:,.0f} {unit}"


def _percent(value: float) -> str:
    return f"{value:.2f} %" if np.isfinite(value) else "–"


def _cubic(value: float) -> str:
    return _big(value, "m³")


def _ha(value: float) -> str:
    return (
        "–" if not np.isfinite(value) else f"{value / 1e6:.3f} million ha" if abs(value) >= 1e6 else f"{value:,.0f} ha"
    )


def _width(cell: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if "⺀" <= ch <= "鿿" or "＀" <= ch <= "｠" else 1 for ch in cell)


def _grid(head: Sequence[str], rows: Sequence[tuple[Cell, ...]], paint: Paint) -> str:
    """A table with the first column flush left, the rest flush right and words of status flush left again."""
    cells = [[c if isinstance(c, tuple) else (c, "") for c in row] for row in rows]
    titled = [[(h, "title") for h in head], *cells]
    widths = [max(_width(row[i][0]) for row in titled) for i in range(len(head))]
    left = {0, *(i for row in rows for i, c in enumerate(row) if isinstance(c, tuple))}

    def line(row: Sequence[tuple[str, str]]) -> str:
        found = []
        for i, ((text, role), w) in enumerate(zip(row, widths, strict=True)):
            space = " " * (w - _width(text))
            shown = paint(text, role) if role and text else text
            found.append(shown + space if i in left else space + shown)
        return "  ".join(found).rstrip()

    rule = paint("─" * (sum(widths) + 2 * (len(widths) - 1)), "faint")
    return "\n".join([line(titled[0]), rule, *map(line, cells)])
