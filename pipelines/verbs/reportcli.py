"""``sinks report``: a finished run in, one HTML file out; and the same file at the end of other verbs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from pipelines.verbs.answers import answers
from sinks.errors import InputError

log = logging.getLogger("sinks")

NAME: Final = "report.html"

option = click.option("--no-report", is_flag=True, help="Write no report.html; 'sinks report' makes it later.")
"""For the verbs that end with a report."""


def finish(no_report: bool) -> Callable[[Path], None] | None:
    """What a run does last with its finished files: write their report.

    A report that fails costs nobody a run: that is told, and the run is kept.
    """
    if no_report:
        return None

    def write(folder: Path) -> None:
        from pipelines.report import page, runfolder

        try:
            run, beside = runfolder.read(folder)
            page.write(run, beside, page.Look(), folder / NAME)
        except Exception as error:
            log.info("report.html", exc_info=True)
            log.warning("report.html could not be made (%s); all else is whole, please report this", error)

    return write


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--change", type=click.Path(path_type=Path), help="A finished change of the same regions, told beside it."
)
@click.option("--sample", type=click.Path(path_type=Path), help="Folder of an estimate by reference sample.")
@click.option("--reserves", type=click.Path(path_type=Path), help="Folder of 'sinks reserves'.")
@click.option("--language", type=click.Choice(("en", "zh")),
              help="Language that the page opens in; it has both.  [the reader's]")  # fmt: skip
@click.option("--title", help="Title of the page.")
@click.option("--logo", type=click.Path(path_type=Path), help="PNG, JPEG or SVG beside the title.")
@click.option("--pdf", is_flag=True, help="Also print it to PDF; takes Chromium, Chrome or Edge.")
@click.option("--agency-tables", type=click.Path(path_type=Path),
              help="Folder for the tables of a Chinese agency's yearly report.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="HTML file.  [RUN/report.html]")
@click.option("--overwrite", is_flag=True, help="Write over files that are there.")
@answers
def report(
    run: Path, change: Path | None, sample: Path | None, reserves: Path | None, language: str | None, title: str | None,
    logo: Path | None, pdf: bool, agency_tables: Path | None, out: Path | None, overwrite: bool,
) -> None:  # fmt: skip
    """A finished run as one HTML page, in English and Chinese, that needs no network.

    RUN is the output folder of 'sinks assess', 'sinks rollup' or 'sinks change', which write the page themselves; this makes it
    again, with a title, a change, a reference sample or protected areas beside it.

    \b
    sinks report result --change change --title "Qinglan, 2023" --pdf
    sinks report result --language zh --agency-tables tables --out report_zh.html
    """
    from pipelines.files import manifest
    from pipelines.report import page, printed, runfolder

    target = out or run / NAME
    pages = [target, *([target.with_suffix(".pdf")] if pdf else [])]
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target}: the report is written as HTML; give --out a name that ends in .html")
    for path in pages if out else ():
        if path.exists() and not overwrite:
            raise InputError(f"{path} is there already; choose another name or give --overwrite")
    whole, beside = runfolder.read(run, [p for p in (change, sample, reserves) if p is not None])
    page.write(whole, beside, page.Look(language, title or "", logo), target)
    if pdf:
        printed.to_pdf(target, pages[-1])
    if out is None:
        manifest.add(run, [p.name for p in pages])
    for path in pages:
        click.echo(f"Written: {path}")
    if agency_tables is not None:
        from pipelines.report.agency import book

        for line in book.write_all(whole, beside, agency_tables, overwrite):
            click.echo(line)
