"""Tables of one date: targets, areas, stock and carbon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from pipelines.report.agency.sheet import Column, Sheet, places
from pipelines.report.amounts import Scale, column
from pipelines.report.catalogue import Both, same, say
from pipelines.report.holdings import UNKNOWN, ecosystem_name, pool_name, range_of
from pipelines.report.runfolder import CHANGE, Run
from pipelines.report.standing import standings
from sinks import ecosystems
from sinks.accounts import ALL, TOTAL_REGION
from sinks.quantities import POOL_KEYS, TOTAL, VOLUME, WEATHERING

_COAST: Final = ("mangrove", "salt_marsh", "seagrass")
_NONE: Final = ("nodata", "unknown")


def regions(run: Run) -> dict[str, str | Both]:
    """Region → name, the union of all first."""
    rows = run.layer("assessment.gpkg", "region_table")
    found: dict[str, str | Both] = {}
    for region, name in zip(rows["region_id"], rows["region_name"], strict=True):
        found[region] = say("agency.whole") if region == TOTAL_REGION else name if isinstance(name, str) else region
    return {TOTAL_REGION: found[TOTAL_REGION], **{k: v for k, v in found.items() if k != TOTAL_REGION}}


def _place(run: Run, ids: Sequence[str]) -> tuple[Column, Column]:
    known = regions(run)
    return places(ids, [known.get(i, i) for i in ids])  # type: ignore[misc]


def amounts(run: Run, quantity: str, ecosystem: str = ALL, forest_type: str = ALL) -> dict[str, float]:
    """A quantity of the account by region."""
    t = run.table("accounts.csv")
    hit = t[(t["quantity"] == quantity) & (t["ecosystem"] == ecosystem) & (t["forest_type"] == forest_type)]
    return dict(zip(hit["region_id"].astype(str), hit["value"].astype(float), strict=True))


def _of(found: Mapping[str, float], ids: Iterable[str]) -> list[float]:
    return [found.get(i, float("nan")) for i in ids]


def t1(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Indicators with their targets, and how they moved where a change is given."""
    found = standings(run)
    years = sorted({s.year for s in found})
    by = {(s.region_id, s.indicator, s.year): s for s in sorted(found, key=lambda s: s.role == "own")}
    change = beside.get(CHANGE)
    before, moved = _moves(change) if change else ({}, {})
    known = regions(run)
    rows: list[list[object]] = []
    for indicator, (kind, values) in _indicators(run, change).items():
        way = column(list(values.values()), kind)["zh"]
        for region, name in known.items():
            numbers = [f.get((region, indicator), np.nan) for f in (before, moved)]
            old, step, value = (_number(v, way) for v in (*numbers, values.get(region, np.nan)))
            cells: list[object] = [region, name, say(f"agency.indicator.{indicator}"), way.unit, old, value, step]
            for year in years:
                s = by.get((region, indicator, year))
                cells += [_number(s.target, way), _number(s.gap, way), s.verdict] if s else ["", "", ""]
            rows.append(cells)
    heads = [say(f"agency.{k}") for k in ("code", "region", "indicator", "unit", "before", "value", "change")]
    heads += [say(f"agency.{k}", year=year) for year in years for k in ("target", "gap", "verdict")]
    return Sheet(tuple(Column(h, c) for h, c in zip(heads, zip(*rows, strict=True), strict=True)))


def _indicators(run: Run, change: Run | None) -> dict[str, tuple[str, dict[str, float]]]:
    """Indicator → kind and value by region."""
    coverage = run.table("coverage.csv")
    top = coverage[coverage["headline"].astype(bool)]
    found = {
        "forest_coverage": ("percent", dict(zip(top["region_id"].astype(str), top["coverage_percent"], strict=True))),
        "forest_stock": ("volume", amounts(run, VOLUME.key, "forest")),
        "carbon_stock": ("carbon", amounts(run, TOTAL.key)),
    }
    if change is not None:
        t, epochs = change.table("gross_fluxes.csv"), change.about["epochs"]
        t = t[(t["year_from"] == epochs[0]) & (t["year_to"] == epochs[-1])]
        found["net_sink"] = ("co2_yr", dict(zip(t["region_id"].astype(str), t["net_sink_t_co2_yr"], strict=True)))
    return found


def _number(value: float, way: Scale) -> str:
    return way.number(value) if np.isfinite(value) else ""


def _moves(change: Run) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """By region and indicator: the figure of the first epoch, and how far that of the last is from it."""
    names = {"coverage_percent": "forest_coverage", VOLUME.key: "forest_stock", TOTAL.key: "carbon_stock"}
    t = change.table("series.csv")
    wide = t[t["quantity"].isin(names)].pivot_table(index=["region_id", "quantity"], columns="year", values="value")
    first, last = change.about["epochs"][0], change.about["epochs"][-1]
    keys = [(str(r), names[q]) for r, q in wide.index]
    return dict(zip(keys, wide[first], strict=True)), dict(zip(keys, wide[last] - wide[first], strict=True))


def t2(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Area of every class."""
    classes = _classes(run)
    ids = list(regions(run))
    found = [_of(amounts(run, "area", e, f), ids) for e, f in classes]
    like = [v for values in found for v in values]
    return Sheet(
        (
            *_place(run, ids),
            *(Column(ecosystem_name(e, f), v, "area", like) for (e, f), v in zip(classes, found, strict=True)),
        )
    )


def _classes(run: Run) -> list[tuple[str, str]]:
    """Classes that occur, in the order of the map; forest by its types."""
    t = run.table("accounts.csv")
    there = set(zip(t["ecosystem"].astype(str), t["forest_type"].astype(str), strict=True))
    known = [(c.ecosystem, c.forest_type or ALL) for c in ecosystems.classes().values()]
    return [k for k in [*known, *((e, ALL) for e in _NONE)] if k in there]


def t3(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Forest and trees as the coverage rate counts them."""
    t = run.table("coverage.csv")
    t = t.drop_duplicates(["region_id", "variant"])
    wide = t.pivot_table(index="region_id", columns="variant", values="forest_area_ha")
    ids = list(regions(run))
    wide = wide.reindex(ids)
    arbor, both = wide["arbor_only"], wide["arbor_bamboo"]
    headline = _headline(run)
    areas = {
        "arbor": arbor, "bamboo": both - arbor, "shrub": wide[headline] - both, "forest": wide[headline],
        "outside": pd.Series(_of(amounts(run, "area", "trees_outside_forest"), ids), ids),
    }  # fmt: skip
    like = [v for a in areas.values() for v in a]
    return Sheet(
        (
            *_place(run, ids), *(Column(say(f"agency.area.{k}"), list(a), "area", like) for k, a in areas.items()),
            Column(say("term.stock"), _of(amounts(run, VOLUME.key, "forest"), ids), "volume"),
            Column(say("agency.stock.outside"), _of(amounts(run, VOLUME.key, "trees_outside_forest"), ids), "volume"),
        )
    )  # fmt: skip


def _headline(run: Run) -> str:
    t = run.table("coverage.csv")
    return str(t.loc[t["headline"].astype(bool), "variant"].iloc[0])


def t7(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Mangrove of the regions that have any."""
    area = amounts(run, "area", "mangrove")
    ids = [i for i in regions(run) if area.get(i, 0) > 0]
    return Sheet((*_place(run, ids), *_holdings(run, ids, "mangrove"))) if ids else None


def t8(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Bamboo and shrubland."""
    ids = list(regions(run))
    return Sheet(
        (
            *_place(run, ids), Column(say("agency.area.bamboo"), _of(amounts(run, "area", "forest", "bamboo"), ids), "area"),
            Column(say("agency.area.shrubland"), _of(amounts(run, "area", "shrubland"), ids), "area"),
        )
    )  # fmt: skip


def _holdings(run: Run, ids: Sequence[str], ecosystem: str, forest_type: str = ALL) -> list[Column]:
    """Area, carbon, density of a class."""
    area = _of(amounts(run, "area", ecosystem, forest_type), ids)
    carbon = _of(amounts(run, TOTAL.key, ecosystem, forest_type), ids)
    density = [c / a if a else np.nan for c, a in zip(carbon, area, strict=True)]
    return [
        Column(say("column.area"), area, "area"), Column(say("term.carbon_stock"), carbon, "carbon"),
        Column(say("term.carbon_density"), density, "carbon_density"),
    ]  # fmt: skip


def t9(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Forest types as mapped."""
    return _long(run, [c for c in _classes(run) if c[0] == "forest"], stock=True)


def t11(run: Run, beside: Mapping[str, Run]) -> Sheet:
    """Ecosystem and pool."""
    classes = [(e, f) for e, f in _classes(run) if e != "forest" and e not in _NONE]
    return _long(run, [("forest", ALL), *classes])


def t16(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Grassland and wetland."""
    classes = [c for c in _classes(run) if c[0] in ("grassland", "inland_wetland", *_COAST)]
    return _long(run, classes) if classes else None


def _long(run: Run, classes: Sequence[tuple[str, str]], stock: bool = False) -> Sheet:
    """One row per region and class: area, stock, pools, total, density."""
    t = run.table("accounts.csv")
    wide = t.pivot_table(
        index=["region_id", "ecosystem", "forest_type"], columns="quantity", values="value", aggfunc="sum", min_count=1
    )
    keys = [(i, e, f) for i in regions(run) for e, f in classes if (i, e, f) in wide.index]
    rows = wide.reindex(pd.MultiIndex.from_tuples(keys, names=wide.index.names))

    def values(quantity: str) -> list[float]:
        return rows[quantity].tolist() if quantity in rows else [np.nan] * len(keys)

    area, carbon = values("area"), values(TOTAL.key)
    density = [c / a if a else np.nan for c, a in zip(carbon, area, strict=True)]
    return Sheet(
        (
            *_place(run, [k[0] for k in keys]), Column(say("ecosystems.name"), [ecosystem_name(e, f) for _, e, f in keys]),
            Column(say("column.area"), area, "area"),
            *([Column(say("term.stock"), values(VOLUME.key), "volume")] if stock else []),
            *(Column(pool_name(k), values(k), "carbon", carbon) for k in POOL_KEYS),
            Column(say("term.carbon_stock"), carbon, "carbon"),
            Column(say("term.carbon_density"), density, "carbon_density"),
        )
    )  # fmt: skip


def t17(run: Run, beside: Mapping[str, Run]) -> Sheet | None:
    """Karst and blue carbon, each with its yearly sink and how it was told."""
    views = run.table("views.csv")
    views = views[views["view"].isin(("karst", "sea")) & (views["area_ha"] > 0)]
    if views.empty:
        return None
    study = run.about.get("study", {})
    t = run.table("accounts.csv")
    karst = t[(t["ecosystem"] == ALL) & (t["quantity"] == WEATHERING.key)]
    by_region = {str(r): range_of(rows.set_index("quantity"), WEATHERING.key) for r, rows in karst.groupby("region_id")}
    methods = {"karst": study.get("karst_method", ""), "sea": study.get("flux_method", "")}
    order = {region: n for n, region in enumerate(regions(run))}
    rows = sorted(views.to_dict("records"), key=lambda r: (r["view"], order.get(str(r["region_id"]), 0)))
    spread = [by_region.get(str(r["region_id"]), UNKNOWN) if r["view"] == "karst" else UNKNOWN for r in rows]
    ends = [(e.low, e.high) if e.known else (np.nan, np.nan) for e in spread]
    sink = [float(r["sink_mg_yr"]) for r in rows]
    return Sheet(
        (
            *_place(run, [str(r["region_id"]) for r in rows]),
            Column(say("views.name"), [Both(r["name_en"], r["name_zh"]) for r in rows]),
            Column(say("column.area"), [r["area_ha"] for r in rows], "area"),
            Column(say("term.carbon_stock"), [r["carbon_mg"] for r in rows], "carbon"),
            Column(say("term.sink"), sink, "carbon_yr"),
            Column(say("agency.low"), [a for a, _ in ends], "carbon_yr", sink),
            Column(say("agency.high"), [b for _, b in ends], "carbon_yr", sink),
            Column(say("agency.method"), [same(methods[r["view"]]) for r in rows]),
        )
    )  # fmt: skip
