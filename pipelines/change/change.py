"""A change from end to end: its table of contents."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.assess import again, check, closure, identity, mapspecs
from pipelines.assess.certainty import map_errors, spread_bounds, spread_to_parts
from pipelines.assess.closure import Check
from pipelines.assess.plan import Plan, make_plan
from pipelines.change import changetables
from pipelines.change.changepass import RECORDED, ChangePartial, ChangePlan, ChangeTask, EpochMaps, merge_partials
from pipelines.change.changestudy import ChangeStudy
from pipelines.errors import InputError
from pipelines.files import citing, manifest, provenance, tables
from pipelines.files.atomic import prepare_out_dir, require_space
from pipelines.files.tidyfile import read_tidy
from pipelines.outputs import maps
from pipelines.work.walk import Walk
from pipelines.work.workspace import Workspace, log_file, workspace
from sinks import budget, changebudget, gainloss, onepass, transitions
from sinks.accounts import ALL, OUTSIDE_REGIONS, TOTAL_REGION, Account
from sinks.budget import Targets
from sinks.coding import before_dimension
from sinks.coverage import coverage_table
from sinks.errorcells import ErrorCells
from sinks.ledger import CLOSE, Ledger, false_change, stocks_of
from sinks.parameters import Coefficient
from sinks.patches import patch_pixels
from sinks.quantities import POOL_KEYS, TOTAL, VOLUME
from sinks.sums import Sums
from sinks.units import M2_PER_HA

log = logging.getLogger("sinks")

KIND: Final = "change"
_FLOAT: Final = 1e-6
"""Part of the stocks by which a sum over 32-bit pixels may differ."""


@dataclass(frozen=True)
class ChangeResult:
    """What a change gives back.

    accounts : one per epoch; ledgers : one per pair of epochs that follow one another, and last the whole span where there are
    more than two; errors : of each ledger's changes; series : stocks and coverage by epoch; gain_loss :
    both methods for living biomass over the whole span, where growth rates are known; maps : path of each map.
    """

    out: Path
    accounts: tuple[Account, ...]
    ledgers: tuple[Ledger, ...]
    errors: tuple[pd.DataFrame, ...]
    series: pd.DataFrame
    gain_loss: pd.DataFrame | None
    maps: dict[str, Path]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    seconds: float
    pixels: int

    @property
    def span(self) -> Ledger:
        """First epoch to last."""
        return self.ledgers[-1]


def change(study: ChangeStudy, finish: Callable[[Path], None] | None = None) -> ChangeResult:
    """Run one change and write its outputs into the study's ``out``, all of them or none.

    finish : makes further outputs of the folder in which the others are gathered, e.g. the report.
    """
    start = time.monotonic()
    first = study.first
    out = prepare_out_dir(first.out, first.overwrite)
    with workspace(out) as work, log_file(out, work.begun):
        plans = epoch_plans(study, work)
        for plan in plans:
            check.look_first(plan)
        whole = change_plan(study, plans, work)
        specs = maps_of(whole)
        if not work.begin(_identity(study, plans), first.fresh or not all(map(identity.from_files, study.epochs))):
            require_space(out, mapspecs.typical_bytes(specs, plans[0].pixels, first.map_layout))
        walk = Walk(
            work, plans[0].grid, plans[0].blocks, specs, RECORDED, plans[0].where, plans[0].workers, first.quiet,
            first.map_layout,
        )  # fmt: skip
        partial = walk.sums(ChangeTask(whole), merge_partials)
        for plan in plans:
            identity.require_unchanged(plan, work)
        walk.clear_stage()
        made = walk.maps(partial.shards, {"SOFTWARE": f"carbon-sinks {manifest.versions()['carbon-sinks']}"})
        accounts = tuple(
            Account.build(s, p.block_plan.science, p.regions, {"year": p.study.year})
            for s, p in zip(partial.epochs, plans, strict=True)
        )
        ledgers = tuple(_ledger(plans, pair, sums) for pair, sums in zip(whole.pairs, partial.pairs, strict=True))
        errors = _errors(study, plans, whole, partial, ledgers)
        balance = _gain_loss(study, plans[0], accounts[0], ledgers[-1])
        found = _checks(whole, partial, accounts, ledgers)
        closure.require(found)
        notes = [n for p in plans for n in p.notes]
        result = ChangeResult(
            out, accounts, ledgers, errors, _series(plans, accounts), balance,
            {name: out / "maps" / path.name for name, path in made.items()},
            tuple(dict.fromkeys([*notes, *_notes(study, whole, partial)])), _warnings(study, ledgers[-1]), tuple(found),
            time.monotonic() - start, plans[0].pixels,
        )  # fmt: skip
        citing.write(_citations(plans, partial), work.finished)
        _write(study, plans, result, work.finished, finish, walk, partial.shards)
        work.publish()
    return result


# ------------------------------------------------------------------------------------------ planning


def _identity(study: ChangeStudy, plans: Sequence[Plan]) -> dict[str, str]:
    """What decides about the result."""
    own = {f"--{k.replace('_', '-')}": str(v) for k, v in vars(study).items() if k != "epochs"}
    return own | {f"{p.study.year}: {k}": v for p in plans for k, v in identity.of_plan(p).items()}


def epoch_plans(study: ChangeStudy, work: Workspace) -> list[Plan]:
    """One plan per epoch, all on the grid of the first."""
    found: list[Plan] = []
    for epoch in study.epochs:
        folder = work.inputs / str(epoch.year)
        folder.mkdir(exist_ok=True)
        plan = make_plan(epoch, folder, found[-1] if found else None, work.pieces)
        notes = tuple(f"{epoch.year}: {note}" for note in plan.notes)
        own = plan.block_plan
        if found and study.soil_change == "factors" and own.science.lookup is None:
            coding = own.science.coding
            asked = before_dimension(found[0].block_plan.science.coding.covers)
            coding = replace(coding, dimensions=(asked, *coding.dimensions))
            own = replace(own, science=replace(own.science, coding=coding))
        found.append(replace(plan, notes=notes, block_plan=own))
    one = found[0].block_plan.science.parameters.name
    for plan in found[1:]:
        if plan.block_plan.science.parameters.name != one and not study.across_break:
            raise InputError(
                f"the epochs {found[0].study.year} and {plan.study.year} use the parameter sets {one} and "
                f"{plan.block_plan.science.parameters.name}; name one with --parameters"
            )
    return found


def maps_of(plan: ChangePlan) -> list[maps.MapSpec]:
    """The maps of a change."""
    return [*(s for e in plan.epoch_maps for s in (e.ecosystem, e.carbon)), plan.carbon_change, plan.process]


def change_plan(study: ChangeStudy, plans: Sequence[Plan], work: Workspace) -> ChangePlan:
    """How blocks are compared."""
    grid = plans[0].grid
    middle = plans[0].blocks[len(plans[0].blocks) // 2]
    last = len(plans) - 1
    pairs = [(n, n + 1) for n in range(last)]
    return ChangePlan(
        epochs=tuple(p.block_plan for p in plans),
        pairs=tuple(pairs if last == 1 else [*pairs, (0, last)]),
        epoch_maps=tuple(_epoch_maps(p) for p in plans),
        carbon_change=_change_map(study.years),
        process=_process_map(study.years),
        patch=patch_pixels(study.minimum_change, float(grid.area(middle).mean())),
        z=NormalDist().inv_cdf(0.5 + study.confidence / 2),
        correlation=study.error_correlation,
        shard_dir=str(work.pieces),
    )


def _epoch_maps(plan: Plan) -> EpochMaps:
    ecosystem = mapspecs.ecosystem_map(plan.study)
    carbon = next(s for s in plan.block_plan.value_maps if s.quantity == TOTAL.key)
    year = plan.study.year
    return EpochMaps(
        replace(ecosystem, name=f"{ecosystem.name}_{year}", title_zh=f"{year}年{ecosystem.title_zh}"),
        replace(
            carbon, name=f"{carbon.name}_{year}", dtype="uint16", scale=mapspecs.DEFAULT_STEP, nodata=onepass.NODATA_UINT16,
            title_zh=f"{year}年{carbon.title_zh}",
        ),
    )  # fmt: skip


def _change_map(years: Sequence[int]) -> maps.MapSpec:
    return maps.MapSpec(
        name="carbon_change", kind="density", dtype="float32", nodata=float(onepass.NODATA_FLOAT), unit=TOTAL.unit,
        description=f"Change of ecosystem carbon {years[0]}–{years[-1]}, positive = gained, of the pools both epochs tell",
        title_zh=f"{years[0]}—{years[-1]}年生态系统碳储量变化", quantity="change_carbon_total", ramp="change",
        tags={"YEARS": f"{years[0]}-{years[-1]}"},
    )  # fmt: skip


def _process_map(years: Sequence[int]) -> maps.MapSpec:
    known = [(p.code, p.name_en, p.name_zh, mapspecs.rgb(p.color)) for p in transitions.processes().values()]
    return maps.MapSpec(
        name="process", kind="class", dtype="uint8", nodata=0, description=f"What became of the land {years[0]}–{years[-1]}",
        title_zh=f"{years[0]}—{years[-1]}年变化过程", quantity="process", classes=tuple(known),  # type: ignore[arg-type]
        tags={"YEARS": f"{years[0]}-{years[-1]}"},
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ after the pass


def _ledger(plans: Sequence[Plan], pair: tuple[int, int], sums: Any) -> Ledger:
    one, two = (plans[n] for n in pair)
    return Ledger.build(
        sums, (one.block_plan.science, two.block_plan.science), plans[0].regions,
        (int(one.study.year or 0), int(two.study.year or 0)),
    )  # fmt: skip


def _errors(
    study: ChangeStudy, plans: Sequence[Plan], plan: ChangePlan, partial: ChangePartial, ledgers: Sequence[Ledger]
) -> tuple[pd.DataFrame, ...]:
    """Standard errors of every ledger's changes; none with an InVEST table or where the epochs' layers differ."""
    sciences = [p.block_plan.science for p in plans]
    if any(s.lookup or s.coding.terms != sciences[0].coding.terms for s in sciences):
        return tuple(pd.DataFrame(columns=list(changebudget.COLUMNS)) for _ in ledgers)
    by_epoch = [
        _map_se(study, p, sums, cells) if p.block_plan.cell else {}
        for p, sums, cells in zip(plans, partial.epochs, partial.cells, strict=True)
    ]
    found = []
    for (a, b), sums, ledger in zip(plan.pairs, partial.pairs, ledgers, strict=True):
        of_maps = {
            key: changebudget.of_maps(by_epoch[a][key], by_epoch[b][key], study.error_correlation)
            for key in by_epoch[a].keys() & by_epoch[b].keys()
        }
        found.append(changebudget.change_errors(ledger, sums, (sciences[a], sciences[b]), of_maps))
    return tuple(found)


def _gain_loss(study: ChangeStudy, plan: Plan, account: Account, span: Ledger) -> pd.DataFrame | None:
    """Both methods side by side; None where no growth rates are asked for."""
    if not study.first.forest_age:
        if study.removals:
            raise InputError(
                "--removals is for gain–loss, which takes growth rates too: give --forest-age, or leave it out"
            )
        return None
    losses = None
    if study.removals:
        path = Path(study.removals)
        table = read_tidy(path, gainloss.REMOVAL_COLUMNS, ("value", "fraction_lost"))
        strata = account.strata[account.strata["ecosystem"] == "forest"]
        factors = {}
        for region in table["region_id"].unique():
            here = strata[strata["region_id"] == region]
            if here.empty:
                raise InputError(f"{path}: region '{region}' has no forest in this run; mend its region_id")
            own = table.loc[table["region_id"] == region, "forest_type"] if "forest_type" in table else pd.Series([""])
            by = here.groupby("forest_type")["area_ha"].sum()
            kind = next((k for k in own if k), str(by.idxmax()))
            climate = str(here.groupby("climate")["area_ha"].sum().idxmax())
            factors[region] = gainloss.factors_of(span, region, kind, climate, plan.block_plan.science.parameters)
        losses = gainloss.removal_losses(table, factors)
    return gainloss.compared(span, losses)


def _map_se(study: ChangeStudy, plan: Plan, sums: Sums, cells: ErrorCells) -> dict[tuple[str, str], float]:
    """Standard error of every region's stocks by one epoch's biomass map, by (region_id, quantity)."""
    work = budget.prepare(sums, plan.block_plan.science, plan.regions)
    regions = Targets(tuple(k for k in work.targets.keys if k[1] == ALL), work.targets.of_row)
    first = study.first
    errors = map_errors(
        regions, cells, plan.regions, plan.grid, plan.block_plan.cell, first.error_range * 1000, first.error_model
    )
    variance = spread_to_parts(spread_bounds(work), errors, work.targets)
    return {
        (region, quantity): float(variance[t, budget.QUANTITIES.index(quantity)] ** 0.5)
        for t, (region, ecosystem, _) in enumerate(work.targets.keys)
        if ecosystem == ALL
        for quantity in changebudget.TOLD
    }


def _checks(
    plan: ChangePlan, partial: ChangePartial, accounts: Sequence[Account], ledgers: Sequence[Ledger]
) -> list[Check]:
    """Balances that must close, or the change is not written."""
    found = []
    pixels = sum(area for region, area in partial.region_area.items() if region) / M2_PER_HA
    for (a, b), ledger in zip(plan.pairs, ledgers, strict=True):
        span = f"{ledger.years[0]}–{ledger.years[1]}"
        off = ledger.imbalance()
        found.append(Check(f"{span}: opening + gains + losses ± transfers = closing", off, 0.0, off, CLOSE))
        inside = ledger.rows[ledger.rows["region_id"] != OUTSIDE_REGIONS]
        found.append(closure.check(f"{span}: area of transitions = pixels", float(inside["area_ha"].sum()), pixels))
        for n, epoch in ((a, "opening"), (b, "closing")):
            for stock in (TOTAL.key, VOLUME.key):
                told, account = stocks_of(ledger, epoch, stock), _stock(accounts[n], stock)
                for region, amount in told.items():
                    name = f"{span}: {epoch} {stock} of {region}: transitions = account of the epoch"
                    found.append(closure.check(name, amount, account.get(region, 0.0)))
    t = ledgers[-1].transitions
    total = t[t["region_id"] == TOTAL_REGION]
    moved = float(total[f"change_{TOTAL.key}"].sum())
    scale = float(total[[f"opening_{TOTAL.key}", f"closing_{TOTAL.key}"]].abs().sum().max())
    off = abs(moved - partial.mapped) / scale if scale else 0.0
    found.append(Check("change of carbon: map = transitions", partial.mapped, moved, off, _FLOAT))
    return found


def _stock(account: Account, stock: str) -> dict[str, float]:
    own = list(POOL_KEYS) if stock == TOTAL.key else [stock]
    summed = account.strata.groupby("region_id")[own].sum().sum(axis=1).to_dict()
    inside = {str(k): float(v) for k, v in summed.items() if k != OUTSIDE_REGIONS}
    return {**inside, TOTAL_REGION: sum(inside.values())}


def _series(plans: Sequence[Plan], accounts: Sequence[Account]) -> pd.DataFrame:
    """Coverage and stocks of every region at every epoch."""
    found = []
    for plan, account in zip(plans, accounts, strict=True):
        base = (
            f"{plan.legend.title if plan.legend else 'land cover'} ({Path(str(plan.sources['landcover'].path)).name})"
        )
        coverage = coverage_table(account, plan.block_plan.definition, base, plan.study.year)
        found.append(changetables.epoch_rows(account, coverage, int(plan.study.year or 0)))
    return pd.concat(found, ignore_index=True)


def _notes(study: ChangeStudy, plan: ChangePlan, partial: ChangePartial) -> list[str]:
    soil = (
        "soil of land that changed its class: the stock before × the ratio of the land uses' factors (IPCC eq. 2.25), where both "
        "have any; else what the new class is said to hold"
        if study.soil_change == "factors"
        else "soil of land that changed its class: what the new class is said to hold"
    )
    found = [
        soil,
        "sign: positive = carbon that the land gained; change is told on pixels where both epochs tell a pool",
        "gain and loss: pixels whose carbon rose or fell, all pools of a pixel together",
    ]
    if plan.patch > 1:
        found.append(
            f"patches of changed class below {study.minimum_change:g} ha ({plan.patch} pixels) keep their earlier class: "
            f"{partial.held / M2_PER_HA:,.1f} ha"
        )
    if all(e.agb_sd is not None for e in study.epochs):
        found.append(
            f"a change of biomass without change of class counts as gain or loss beyond {study.confidence:.0%} of its errors "
            f"(correlation of the epochs' errors {study.error_correlation:g}); what is within is told as such"
        )
    else:
        found.append("no errors of biomass at both epochs (--agb-sd): every change of biomass counts, noise too")
    if study.across_break:
        found.append("the epochs differ in method (--across-break): part of the change is one of method")
    return found


def _warnings(study: ChangeStudy, span: Ledger) -> tuple[str, ...]:
    """What would mislead who reads the figures alone."""
    found = []
    one = span.one_sided
    top = one[(one["region_id"] == TOTAL_REGION) & one["stock"].isin(POOL_KEYS)]
    t = span.transitions
    held = float(t.loc[t["region_id"] == TOTAL_REGION, f"opening_{TOTAL.key}"].sum())
    if len(top) and top["value"].abs().sum() > 0.01 * held:
        sides = top.groupby("epoch")["value"].sum()
        found.append(
            f"{', '.join(f'{v:,.0f} Mg C at the {k}' for k, v in sides.items())} are told by one epoch alone and are part of no "
            f"change (one_sided.csv)"
        )
    if not study.first.biomass:
        found.append(
            "no biomass at any epoch: living biomass of forest is in no figure; give agb=FILE in every --epoch"
        )
    if study.map_accuracy:
        top_rows = t[t["region_id"] == TOTAL_REGION]
        area = float(top_rows["area_ha"].sum())
        shown = float(top_rows.loc[top_rows["before"] != top_rows["after"], "area_ha"].sum())
        errors = false_change((study.map_accuracy[0], study.map_accuracy[-1]), area)
        if shown <= errors:
            found.append(
                f"{shown:,.0f} ha changed their class on the maps, and the maps' errors alone could show up to {errors:,.0f} ha: "
                f"no area of change here is more than noise until a reference sample corrects it"
            )
        else:
            found.append(
                f"of the {shown:,.0f} ha that changed their class on the maps up to {errors:,.0f} ha may be the maps' errors"
            )
    if study.across_break:
        found.append("the epochs are of different methods: do not read the change as one of the land alone")
    return tuple(found)


# ------------------------------------------------------------------------------------------ files


def _citations(plans: Sequence[Plan], partial: ChangePartial) -> list[Coefficient]:
    """The coefficients of every epoch's strata, once each."""
    found = (
        c
        for p, sums in zip(plans, partial.epochs, strict=True)
        for c in p.block_plan.science.citations(np.unique(sums.code).tolist())
    )
    return list({(c.name, c.where, c.value): c for c in found}.values())


def _write(
    study: ChangeStudy, plans: Sequence[Plan], result: ChangeResult, stage: Path, finish: Callable[[Path], None] | None,
    walk: Walk, shards: Mapping[str, tuple[maps.Shard, ...]],
) -> None:  # fmt: skip
    found = changetables.frames(result.ledgers, result.errors, result.series)
    if result.gain_loss is not None:
        found["gain_loss"] = changetables.named(result.span, result.gain_loss)
    for name, frame in found.items():
        tables.write_table(frame, stage / f"{name}.csv")
    tables.write_table(changetables.transitions_tidy(result.ledgers), stage / "transitions.parquet")
    changetables.write_geopackage(plans[0], result.ledgers[-1], result.series, stage / "change.gpkg")
    for line in (*result.notes, *result.warnings):
        log.info(line)
    about = {
        "kind": KIND,
        "finished": manifest.now(),
        "seconds": round(result.seconds, 3),
        "versions": manifest.versions(),
        "epochs": list(study.years),
        "started_in": os.getcwd(),
        "files": again.files_of(study.first),
        "study": {
            "minimum_change": study.minimum_change, "confidence": study.confidence,
            "error_correlation": study.error_correlation, "across_break": study.across_break,
            "soil_change": study.soil_change, "removals": study.removals,
            "map_accuracy": study.map_accuracy,
            "epochs": [again.told(e) for e in study.epochs],
        },
        "inputs": {
            str(p.study.year): {n: {"path": s.path, "fingerprint": s.fingerprint} for n, s in p.sources.items()}
            for p in plans
        },
        citing.DATA: provenance.of_files(
            f for p in plans for s in p.sources.values() for f in s.layer.files or (s.layer.path,)
        ),
        "grid": asdict(plans[0].grid),
        "parameters": plans[0].parameters_name,
        "forest_definition": plans[0].block_plan.definition,
        "notes": result.notes,
        "warnings": result.warnings,
        "closure": [asdict(c) | {"closed": c.closed} for c in result.checks],
    }  # fmt: skip
    walk.sign(about, shards, finish)
