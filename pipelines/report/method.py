"""By what rules the figures were made: method, coefficients with their sources, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipelines.files import runmaps
from pipelines.report.catalogue import Both, messages, same, say
from pipelines.report.figures import context
from pipelines.report.runfolder import CHANGE, ROLLUP, Run, file_name
from sinks.layers import LAYERS
from sinks.parameterfiles import titles
from sinks.parameters import records

_TERMS: Final = ("coverage", "stock", "carbon_stock", "carbon_density", "sink", "rate")
_QUIET: Final = ("out", "overwrite", "quiet", "json", "fresh", "dashboard", "layers", "maps", "workers")
"""Options that are told elsewhere, or that decide nothing about a number."""


@dataclass(frozen=True)
class CoefficientRow:
    """A coefficient that was used."""

    name: Both
    value: str
    unit: str
    range: str
    where: str
    tier: Both
    status: Both
    source: str
    locator: str
    note: str


@dataclass(frozen=True)
class Method:
    """terms : (name, what it means, unit); rules : sentences on how this run was made."""

    terms: tuple[tuple[Both, Both, Both], ...]
    rules: tuple[Both, ...]
    coefficients: tuple[CoefficientRow, ...]
    inputs: tuple[tuple[str, str, str], ...]
    options: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, int, str], ...]
    finished: str


def method(run: Run) -> Method:
    """How a run was made, by its manifest."""
    about = run.about
    terms = tuple((say(f"term.{t}"), say(f"term.{t}.means"), say(f"term.{t}.unit")) for t in _TERMS)
    named = {n: o for n, o in about.get("outputs", {}).items() if not runmaps.is_of_a_block(n)}
    outputs = tuple((n, int(o["bytes"]), o["sha256"]) for n, o in named.items())
    study = about.get("study", {})
    study = {**study, **(study["epochs"][-1] if "epochs" in study else {})}
    options = tuple(
        (k, _option(v))
        for k, v in study.items()
        if k not in (*_QUIET, "epochs") and k not in LAYERS and v not in ("", None, [], {})
    )
    return Method(
        terms, tuple(_rules(run)), tuple(_coefficients(run)), tuple(_inputs(about)), options,
        tuple(about.get("versions", {}).items()), outputs, str(about.get("finished", "")),
    )  # fmt: skip


def _rules(run: Run) -> list[Both]:
    about, known = run.about, context(run)
    found = []
    if (definition := known["forest_definition"]) is not None:
        found.append(_definition(definition))
    if known["legend"]:
        found.append(say("rule.legend", legend=known["legend"]))
    if known["parameters"]:
        found.append(say("rule.parameters", parameters=known["parameters"]))
    if known["soil_depth_cm"]:
        found.append(say("rule.pools", depth=known["soil_depth_cm"]))
    found += [say("rule.volume"), say("rule.sinks"), say("rule.area")]
    if known["draws"]:
        found.append(say("rule.errors", draws=f"{known['draws']:,}", km=f"{known['error_range']:g}"))
    if run.kind == CHANGE:
        found.append(say("rule.change"))
    if run.kind == ROLLUP:
        found.append(say("rule.rollup", runs=len(about.get("runs", ()))))
    return found


def _definition(definition: dict[str, Any]) -> Both:
    yes_no = say("rule.yes") if definition["mangrove_is_forest"] else say("rule.no")
    water = say("rule.with_water") if definition["inland_water_is_land"] else say("rule.without_water")
    return say(
        "rule.definition", name=say(f"definition.{definition['name']}"), canopy=f"{definition['canopy_percent']:g}",
        patch=f"{definition['minimum_patch_ha']:g}", shrub=f"{100 * definition['special_shrub_fraction']:g}",
        mangrove=yes_no, water=water,
    )  # fmt: skip


def _coefficients(run: Run) -> list[CoefficientRow]:
    if not run.has("coefficients.csv"):
        return []
    known = titles()
    rows = run.table("coefficients.csv").fillna(
        dict.fromkeys(("source", "locator", "where", "note", "tier", "status", "unit"), "")
    )
    return [
        CoefficientRow(
            _named("coefficient", r["name"]), f"{r['value']:g}", _readable(r["unit"]), _range(r["low"], r["high"]),
            _where(r["where"]), _named("tier", r["tier"]), _named("status", r["status"]),
            known.get(r["source"], r["source"]), r["locator"], r["note"],
        )
        for r in rows.to_dict("records")
    ]  # fmt: skip


def _named(group: str, key: str) -> Both:
    return messages().get(f"{group}.{key}") or same(str(key).replace("_", " "))


def _range(low: float, high: float) -> str:
    return f"{low:g}–{high:g}" if np.isfinite(low) and np.isfinite(high) else ""


def _readable(unit: str) -> str:
    return "" if unit == "1" else unit.replace("-1", "⁻¹")


def _where(keys: str) -> str:
    """The keys of a row, as words."""
    schemes = {r["scheme"]: r["title"] for r in records("schemes")}
    said = []
    for pair in str(keys).split(", "):
        key, _, value = pair.partition("=")
        said.append(
            schemes.get(value, value) if key == "scheme" else f"{key.replace('_', ' ')} {value.replace('_', ' ')}"
        )
    return "; ".join(s for s in said if s)


def _option(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_option, value))
    return file_name(value) if isinstance(value, str) else str(value)


def _inputs(about: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Layer, file and fingerprint; of several epochs, the year before the layer."""
    if "runs" in about:
        return [("run", file_name(r["path"]), str((r.get("account") or {}).get("sha256", ""))) for r in about["runs"]]
    found = []
    for name, told in about.get("inputs", {}).items():
        for layer, one in [(name, told)] if "path" in told else [(f"{name} {n}", t) for n, t in told.items()]:
            found.append((layer, file_name(str(one["path"])), str(one.get("fingerprint", ""))))
    return found
