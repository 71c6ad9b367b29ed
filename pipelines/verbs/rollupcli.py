"""``sinks rollup``: runs in, one account out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipelines.verbs import assessoptions, reportcli
from pipelines.verbs.starting import loading


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns errors into a sentence and an exit code."""

    @click.command("rollup")
    @click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
    @click.option("--out", type=click.Path(path_type=Path), required=True, help="Output folder.")
    @click.option(
        "--boundary", type=click.Path(path_type=Path), help="Vector file of the whole: what no run covers is told."
    )
    @click.option("--targets", "own", type=click.Path(path_type=Path), help="Your regional targets (CSV).")
    @click.option(
        "--target-document", default="guidance_2021", show_default=True, help="National targets of which document."
    )
    @click.option("--whole-nation", is_flag=True, help="The runs together are the nation.")
    @click.option("--allow-overlap", is_flag=True, help="Add up even ground that two runs claim; said in a warning.")
    @click.option("--overwrite", is_flag=True, help="Replace an earlier roll-up in the output folder.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--dry-run", is_flag=True, help="Say what would be added up; writes nothing.")
    @reportcli.option
    @answers
    def rollup(
        runs: tuple[Path, ...], out: Path, boundary: Path | None, own: Path | None, target_document: str, whole_nation: bool,
        allow_overlap: bool, overwrite: bool, as_json: bool, dry_run: bool, no_report: bool,
    ) -> None:  # fmt: skip
        """Merge finished runs of tiles or agencies into one account, scorecard and GeoPackage.

        Runs must be alike (year, legend, definition, parameters); a region may be cut by tiles, but each hectare is in one run.

        \b
        sinks rollup north south coast --boundary nation.gpkg --whole-nation --out nation
        """
        with loading():
            from pipelines.assess import rollup as rolling

        if dry_run:
            plan = rolling.dry_run(runs, boundary, allow_overlap)
            assessoptions.told(plan, as_json, "Nothing was written: this is a dry run.")
            return
        found = rolling.rollup(
            runs, out, boundary=boundary, own_targets=own, document=target_document, whole_nation=whole_nation,
            allow_overlap=allow_overlap, overwrite=overwrite, finish=reportcli.finish(no_report),
        )  # fmt: skip
        if not as_json:
            click.echo(rolling.text(found))
            return
        told = {
            "out": str(found.out), "runs": found.runs.to_dict("records"), "gap_ha": found.gap_ha, "notes": found.notes,
            "warnings": found.warnings, "overlaps": found.overlaps.to_dict("records"),
            "scorecard": json.loads(found.scorecard.to_json(orient="records")),
        }  # fmt: skip
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))

    return rollup
