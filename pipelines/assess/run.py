"""A run from end to end: its table of contents."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.assess import again, closure, identity, kepterrors, mapspecs
from pipelines.assess.blockpass import RECORDED, BlockTask, Partial, merge_partials
from pipelines.assess.certainty import Certainty, assess_certainty, stock_draws
from pipelines.assess.check import look_first
from pipelines.assess.gislayers import shapes, write_geopackage
from pipelines.assess.plan import Plan, make_plan
from pipelines.assess.result import Result
from pipelines.assess.study import Study
from pipelines.errors import InputError
from pipelines.files import citing, manifest, provenance, tables
from pipelines.files.atomic import prepare_out_dir, require_space
from pipelines.files.text import read_text
from pipelines.outputs.maps import Shard
from pipelines.work.walk import Walk
from pipelines.work.workspace import Workspace, log_file, workspace
from sinks import budget, targets
from sinks.accounts import TOTAL_REGION, Account
from sinks.coverage import coverage_table
from sinks.exactsum import to_floats
from sinks.parameters import Coefficient, unverified
from sinks.units import M2_PER_HA
from sinks.views import policy_views

log = logging.getLogger("sinks")

_FEW = 5
"""Unverified coefficients up to which each is told in a line of its own."""
_FALLBACK = {
    "climate": "their climate zone is guessed from latitude",
    "ecozone": "theirs is that of their climate zone",
    "soil": "theirs is taken to be high-activity clay, the commonest mineral soil",
    "drainage": "theirs is taken to be undrained",
    "grassland": "the mean of all grassland stands for them",
}
"""What is done where a class layer has no class."""


def assess(study: Study, finish: Callable[[Path], None] | None = None) -> Result:
    """Run one assessment and write its outputs into ``study.out``, all of them or none.

    finish : makes further outputs of the folder in which the others are gathered, e.g. the report.
    """
    start = time.monotonic()
    out = prepare_out_dir(study.out, study.overwrite)
    with workspace(out) as work, log_file(out, work.begun):
        plan = make_plan(study, work.inputs, pieces=work.pieces)
        own = _own_targets(plan)
        look_first(plan)
        if not work.begin(identity.of_plan(plan), study.fresh or not identity.from_files(study)):
            require_space(out, mapspecs.typical_bytes(plan.block_plan.value_maps, plan.pixels, study.map_layout))
        log.info(
            "grid %d x %d, %d blocks, %d workers", plan.grid.width, plan.grid.height, len(plan.blocks), plan.workers
        )
        walk = _walk(plan, work)
        partial = walk.sums(BlockTask(plan.block_plan), merge_partials)
        identity.require_unchanged(plan, work)
        _look_again(plan, partial)
        walk.clear_stage()
        with ThreadPoolExecutor(1, "maps") as apart:  # joining maps is the disk's work, the account this thread's
            making = apart.submit(walk.maps, partial.shards, _tags(plan))
            account = Account.build(partial.sums, plan.block_plan.science, plan.regions, _context(plan))
            sure = _certainty(plan, partial, account)
            account = account.with_errors(sure.table)
            found = closure.checks(account, partial, _step(plan))
            closure.require(found, partial.sums.clipped)
            coverage = coverage_table(account, plan.block_plan.definition, _base_map(plan), study.year)
            nation = targets.national(document=study.target_document)
            card = targets.scorecard(
                account, coverage, nation, own, whole_nation=study.whole_nation, draws=stock_draws(sure)
            )
            citations = plan.block_plan.science.citations(np.unique(partial.sums.code).tolist())
            maps_made = making.result()
        result = Result(
            out, account, coverage, card, policy_views(account),
            {name: out / "maps" / path.name for name, path in maps_made.items()},
            _unknown(partial), (*plan.notes, *sure.notes), _warnings(plan, partial, account, citations), tuple(found),
            time.monotonic() - start, plan.pixels,
        )  # fmt: skip
        _write(plan, result, citations, sure, _kept(plan, partial), work.finished, finish, walk, partial.shards)
        work.publish()
    return result


# ------------------------------------------------------------------------------------------ stages


def _walk(plan: Plan, work: Workspace) -> Walk:
    own = plan.block_plan.ecosystem_map
    specs = [*plan.block_plan.value_maps, *([own] if own else [])]
    return Walk(
        work, plan.grid, plan.blocks, specs, RECORDED, plan.where, threads=plan.workers, quiet=plan.study.quiet,
        layout=plan.study.map_layout,
    )  # fmt: skip


def _look_again(plan: Plan, partial: Partial) -> None:
    """What the thinned-out look may have missed."""
    low, high = partial.biomass_range
    if plan.study.biomass and high <= 0 and np.isfinite(low):
        name = plan.study.biomass
        raise InputError(
            f"{plan.sources[name].path}: the {name} layer is zero everywhere on this map; is it the right file?"
        )
    lost, all_area = _unknown_ha(partial), sum(partial.region_area.values()) / M2_PER_HA
    if lost > 0.5 * all_area:
        raise InputError(
            f"{plan.sources['landcover'].path}: the legend '{plan.study.legend}' does not know {lost / all_area:.0%} of the "
            f"map; give the right one with --legend"
        )


def _own_targets(plan: Plan) -> tuple[targets.Target, ...]:
    """The user's regional targets, held against the regions before the long part of the run."""
    path = plan.study.targets
    if not path:
        return ()
    own = targets.read_targets(read_text(path).text, path)
    known = {TOTAL_REGION, *(r.id for r in plan.regions)}
    if strangers := sorted({t.region_id for t in own} - known):
        raise InputError(
            f"{path}: speaks of regions that are not in this account: {', '.join(strangers)}; mend their region_id"
        )
    return own


def _tags(plan: Plan) -> dict[str, str]:
    software = f"carbon-sinks {manifest.versions()['carbon-sinks']}"
    return {"YEAR": str(plan.study.year or ""), "SOFTWARE": software}


def _context(plan: Plan) -> dict[str, Any]:
    """What must agree before accounts may be added up."""
    s, d = plan.study, plan.block_plan.definition
    options = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(plan.block_plan.science.options).items()}
    return {
        "parameters": again.known_as(s, "parameters", plan.parameters_name),
        "legend": again.known_as(s, "legend", s.legend), "year": s.year, "forest_definition": asdict(d), **options,
    }  # fmt: skip


def _certainty(plan: Plan, partial: Partial, account: Account) -> Certainty:
    p, study = plan.block_plan, plan.study
    if p.science.lookup:
        return Certainty(pd.DataFrame(), notes=("errors: an InVEST table gives none, so none are told",))
    return assess_certainty(
        account.tidy, partial.sums, partial.cells, p.science, plan.regions, p.grid, p.cell,
        error_range_km=study.error_range, error_model=study.error_model, draws=study.draws, seed=study.seed,
    )  # fmt: skip


def _kept(plan: Plan, partial: Partial) -> kepterrors.Kept | None:
    """What a roll-up needs to know of the errors; nothing where an InVEST table gives none."""
    p = plan.block_plan
    if p.science.lookup:
        return None
    work = budget.prepare(partial.sums, p.science, plan.regions)
    metres = plan.study.error_range * 1000
    return kepterrors.of_run(work, partial.cells, plan.regions, p.grid, p.cell, metres, plan.study.error_model)


def _base_map(plan: Plan) -> str:
    legend = plan.legend.title if plan.legend else "land cover"
    return f"{legend} ({Path(str(plan.sources['landcover'].path)).name})"


def _step(plan: Plan) -> float:
    request = plan.block_plan.request
    return request.steps[request.quantities.index("carbon_total")] if "carbon_total" in request.quantities else 0.0


def _unknown(partial: Partial) -> dict[int, tuple[int, float]]:
    areas = to_floats(partial.unknown.digits)[:, 0] / M2_PER_HA if partial.unknown.count.size else np.zeros(0)
    rows = zip(partial.unknown.code.tolist(), partial.unknown.count.tolist(), areas.tolist(), strict=True)
    return {code: (count, area) for code, count, area in rows}


def _unknown_ha(partial: Partial) -> float:
    return sum(area for _, area in _unknown(partial).values())


def _warnings(plan: Plan, partial: Partial, account: Account, citations: list[Coefficient]) -> tuple[str, ...]:
    found = []
    area, lost = account.area_ha(), account.area_ha(ecosystem="nodata")
    if lost > 0.02 * area:
        found.append(f"{lost / area:.0%} of the area ({lost:,.0f} ha) has no land-cover value and is in no figure")
    forest = account.area_ha(ecosystem="forest")
    bare = account.strata[(account.strata["ecosystem"] == "forest") & account.strata["carbon_agb"].isna()][
        "area_ha"
    ].sum()
    if plan.study.biomass and forest and bare > 0.02 * forest:
        found.append(
            f"{bare / forest:.0%} of the forest ({bare:,.0f} ha) has no biomass value: nothing is counted there"
        )
    for code, (count, area) in _unknown(partial).items():
        found.append(
            f"land-cover value {code} is not in the legend: {count} pixels, {area:,.1f} ha counted as unknown class"
        )
    for layer, pixels in partial.guessed.items():
        if pixels:
            found.append(
                f"{pixels} pixels have no class in the layer {layer}; {_FALLBACK.get(layer, 'it is unknown there')}"
            )
    if partial.sums.clipped:
        found.append(
            f"{partial.sums.clipped} map values were beyond what the integer maps hold; use --map-type float32"
        )
    if plan.study.biomass == "agc" and partial.biomass_range[1] > 1000:
        found.append(f"the largest AGC is {partial.biomass_range[1]:.0f} Mg C/ha, more than any forest holds")
    loose = unverified(citations)
    if len(loose) <= _FEW:
        found += [f"an unverified coefficient is used: {c.cite()}" for c in loose]
    else:
        names = ", ".join(sorted({c.name for c in loose}))
        found.append(
            f"{len(loose)} unverified coefficients are used ({names}), that no source at hand confirms: see coefficients.csv"
        )
    return tuple(found)


# ------------------------------------------------------------------------------------------ writing


def _write(
    plan: Plan, result: Result, citations: list[Coefficient], sure: Certainty, kept: kepterrors.Kept | None, stage: Path,
    finish: Callable[[Path], None] | None, walk: Walk, shards: Mapping[str, tuple[Shard, ...]],
) -> None:  # fmt: skip
    tables.write_account(result.account, stage)
    tables.write_table(result.coverage, stage / "coverage.csv")
    tables.write_table(result.scorecard, stage / "scorecard.csv")
    tables.write_table(result.views, stage / "views.csv")
    tables.write_table(sure.table, stage / "errors.csv")
    if len(sure.bounds):
        tables.write_table(sure.bounds, stage / "map_error_bounds.csv")
    if kept is not None:
        kepterrors.write(kept, stage)
    coefficients = citing.write(citations, stage)
    about = _manifest(plan, result)
    write_geopackage(
        shapes(plan), result.account, result.coverage, result.views, result.scorecard, coefficients, about,
        stage / "assessment.gpkg",
    )  # fmt: skip
    for line in (*result.notes, *result.warnings):
        log.info(line)
    walk.sign(about, shards, finish)


def _manifest(plan: Plan, result: Result) -> dict[str, Any]:
    return {
        "finished": manifest.now(),
        "seconds": round(result.seconds, 3),
        "versions": manifest.versions(),
        "started_in": os.getcwd(),
        "study": again.told(plan.study),
        "files": again.files_of(plan.study),
        "inputs": {name: {"path": s.path, "fingerprint": s.fingerprint} for name, s in plan.sources.items()},
        citing.DATA: provenance.of_files(f for s in plan.sources.values() for f in s.layer.files or (s.layer.path,)),
        "grid": asdict(plan.grid),
        "blocks": {"count": len(plan.blocks), "height": plan.blocks[0].height, "width": plan.blocks[0].width},
        "parameters": plan.parameters_name,
        "options": plan.block_plan.science.options,
        "forest_definition": plan.block_plan.definition,
        "notes": result.notes,
        "warnings": result.warnings,
        "unknown_values": {str(k): {"pixels": n, "area_ha": a} for k, (n, a) in result.unknown.items()},
        "closure": [asdict(c) | {"closed": c.closed} for c in result.checks],
    }
