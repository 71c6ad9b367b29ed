"""``sinks targets``, ``explain`` and ``cite``: questions to a finished run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipelines.verbs import paint
from pipelines.verbs.answers import answers


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--targets", type=click.Path(path_type=Path), help="Your regional targets (CSV).")
@click.option(
    "--target-document", default="guidance_2021", show_default=True, help="National targets of which document."
)
@click.option("--whole-nation", is_flag=True, help="The regions together are the nation.")
@click.option(
    "--sample", type=click.Path(path_type=Path), help="Labelled reference sample: corrected figures beside the map's."
)
@click.option("--column", default="reference", show_default=True, help="Column with the sample's labels.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@answers
def targets(
    run: Path | None, targets: Path | None, target_document: str, whole_nation: bool, sample: Path | None, column: str,
    as_json: bool,
) -> None:  # fmt: skip
    """The scorecard of a finished run, against these or other targets; without a run, the register of targets.

    \b
    sinks targets
    sinks targets result --target-document forestry_plan_14
    sinks targets result --sample labelled.gpkg
    """
    from pipelines.verbs import scorecards

    if run is None:
        click.echo(scorecards.register_text())
        return
    card = scorecards.of_run(run, targets, target_document, whole_nation, sample, column)
    click.echo(
        card.to_json(orient="records", force_ascii=False, indent=2) if as_json else scorecards.text(card, paint.painted)
    )


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("x", type=float)
@click.argument("y", type=float)
@click.option("--lonlat", is_flag=True, help="X and Y are longitude and latitude.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--allow-network", is_flag=True, help="Read inputs of the run that are not on this disk.")
@answers
def explain(run: Path, x: float, y: float, lonlat: bool, as_json: bool, allow_network: bool) -> None:
    """One pixel's way: inputs, class, stratum, every coefficient with its source, area, result.

    \b
    sinks explain sinks-demo 106.8 22.6
    """
    from pipelines.assess import explain as explaining

    found = explaining.explain(run, x, y, lonlat, allow_network)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else explaining.text(found))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["bibtex", "text", "csv"]), default="bibtex", show_default=True,
    help="Form of the list.",
)  # fmt: skip
@answers
def cite(run: Path, form: str) -> None:
    """What to cite for a finished run: the software, its data, and the sources of its coefficients.

    \b
    sinks cite result > sources.bib
    sinks cite result --format text
    """
    from pipelines.files import citing

    found = citing.of_run(run)
    made = {
        "bibtex": found.bibtex,
        "text": found.text,
        "csv": lambda: found.table().to_csv(index=False, lineterminator="\n"),
    }
    click.echo(made[form](), nl=False)
