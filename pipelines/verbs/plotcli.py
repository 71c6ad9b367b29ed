"""``sinks plot``: a finished run in, figures for print out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pipelines.errors import InputError
from pipelines.verbs.answers import answers

_STANDARD = ("ecosystem", "carbon_total")
_REGIONS = ("coverage", "density", "gap")
_TARGETS = ("pools", "targets")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("figures", nargs=-1, metavar="[FIGURE]…")
@click.option("--regions", is_flag=True, help="Maps of regions: coverage, density of carbon, gap to the target.")
@click.option("--targets", is_flag=True, help="Charts: carbon by ecosystem and pool, coverage against targets.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("figures"), show_default=True,
    help="A file (.png, .svg, .pdf) for all figures on one page, or a folder for a file each.",
)  # fmt: skip
@click.option(
    "--language", type=click.Choice(("en", "zh")), default="en", show_default=True, help="English or Chinese."
)
@click.option("--dpi", type=click.IntRange(50, 1200), default=300, show_default=True, help="Dots per inch of a PNG.")
@click.option(
    "--width", type=click.FloatRange(40, 1000), default=180.0, show_default=True, help="Width of the page [mm]."
)
@click.option("--columns", type=click.IntRange(1, 6), help="Figures beside each other.  [by their number]")
@click.option("--no-outlines", is_flag=True, help="No borders of regions on maps.")
@click.option("--overwrite", is_flag=True, help="Write over files that are there.")
@click.option("--list", "list_only", is_flag=True, help="Say what can be drawn of this run, and draw nothing.")
@answers
def plot(
    run: Path, figures: tuple[str, ...], regions: bool, targets: bool, out: Path, language: str, dpi: int, width: float,
    columns: int | None, no_outlines: bool, overwrite: bool, list_only: bool,
) -> None:  # fmt: skip
    """Figures for print of a finished run: maps with scale bar and legend, regions, pools, targets.

    A FIGURE is a map of the run, or one of coverage, density, gap, pools and targets.

    \b
    sinks plot result ecosystem carbon_total coverage --out figure1.pdf
    sinks plot result --regions --targets --language zh --out figures
    sinks plot result --list
    """
    from pipelines.outputs import runplots

    drawn = runplots.plots(run)
    if list_only:
        click.echo("\n".join(drawn.names))
        return
    wanted = [*figures, *(_REGIONS if regions else ()), *(_TARGETS if targets else ())]
    wanted = list(dict.fromkeys(wanted)) or [name for name in _STANDARD if name in drawn.names] or list(drawn.names[:1])
    whole = out.suffix.lower() in (".png", ".svg", ".pdf")
    if not whole and out.suffix:
        raise InputError(f"{out}: figures are written as .png, .svg or .pdf, or into a folder; choose such a name")
    pages = {out: wanted} if whole else {out / f"{name}.png": [name] for name in wanted}
    for path in pages:
        if path.exists() and not overwrite:
            raise InputError(f"{path} is there already; choose another --out or give --overwrite")
    with _said():
        for path, names in pages.items():
            picture = drawn.page(names, language=language, regions=not no_outlines, width_mm=width, columns=columns)
            runplots.write(picture, path, dpi)
            click.echo(f"Written: {path}")


@contextmanager
def _said() -> Iterator[None]:
    """Warnings of the drawing, a character without a font above all, as a line for people."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning)):
        click.echo(f"Warning: {text}", err=True)
