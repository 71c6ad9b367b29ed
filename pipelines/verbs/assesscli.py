"""``sinks assess``, ``check`` and ``demo``: options in, a run and its summary out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pipelines.verbs import paint, reportcli
from pipelines.verbs.answers import Command, answers
from pipelines.verbs.assessoptions import DRY_RUN, assess_options, study_of, told
from pipelines.verbs.starting import loading


@click.command(cls=Command)
@click.argument("assessment", required=False, type=click.Path(path_type=Path))
@assess_options
@DRY_RUN
@reportcli.option
@answers
def assess(
    assessment: Path | None, layer_options: tuple[str, ...], as_json: bool, no_report: bool, dry_run: bool, **given: Any
) -> None:
    """Assess a region: coverage, stock volume and carbon, maps and accounts.

    \b
    sinks assess --landcover lc.tif --legend worldcover --agb agb.tif --regions counties.gpkg --out result
    sinks assess assessment.toml
    sinks assess assessment.toml --dry-run
    """
    study = study_of(assessment, layer_options, given)
    if dry_run:
        with loading():
            from pipelines.assess import check as checking

        told(checking.check(study, timed=True), as_json, "Nothing was written: this is a dry run.")
        return
    with loading():
        from pipelines.assess import run

    _show(run.assess(study, reportcli.finish(no_report)), as_json)


@click.command(cls=Command)
@click.argument("assessment", required=False, type=click.Path(path_type=Path))
@assess_options
@answers
def check(assessment: Path | None, layer_options: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Say what is wrong with the inputs before a long run, and show its plan.

    \b
    sinks check assessment.toml
    """
    study = study_of(assessment, layer_options, {"out": "unused", **{k: v for k, v in given.items() if v is not None}})
    with loading():
        from pipelines.assess import check as checking

    told(checking.check(study), as_json, "The inputs can be used.")


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("sinks-demo"), show_default=True, help="Output folder."
)
@click.option("--workers", type=int, help="Threads.  [all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@reportcli.option
@answers
def demo(out: Path, workers: int | None, as_json: bool, no_report: bool) -> None:
    """Assess the synthetic sample region, end to end, in under a minute.

    \b
    sinks demo
    sinks plot sinks-demo --out figures
    """
    with loading():
        from pipelines.assess import demo as sample
        from pipelines.assess import run

    click.echo("The sample region Qinglan is synthetic: it stands for no real place.\n", err=True)
    _show(run.assess(sample.demo_study(out, workers=workers, overwrite=True), reportcli.finish(no_report)), as_json)
    if not as_json:
        page = "" if no_report else f"Open {out / 'report.html'} in a browser.  "
        click.echo(f"{page}Figures:  sinks plot {out}   Your own rasters:  sinks new FOLDER", err=True)


def _show(result: Any, as_json: bool) -> None:
    from pipelines.assess import summary

    if as_json:
        click.echo(json.dumps(summary.as_json(result), indent=2, ensure_ascii=False))
    else:
        click.echo(summary.text(result, paint.painted, paint.columns()))
