"""``sinks transitions``: the transitions of a change on the screen or as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns the project's errors into a sentence and an exit code."""

    @click.command("transitions")
    @click.argument("run", type=click.Path(path_type=Path))
    @click.option("--region", default="total", show_default=True, help="Code of a region.")
    @click.option("--period", type=(int, int), metavar="FROM TO", help="Two epochs.  [first and last]")
    @click.option("--plot", type=click.Choice(["sankey", "matrix"]), default="sankey", show_default=True)
    @click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
    @click.option("--overwrite", is_flag=True, help="Write over a file that is there.")
    @click.option("--out", type=click.Path(path_type=Path), help="SVG file.  [a table on the screen]")
    @answers
    def transitions(
        run: Path,
        region: str,
        period: tuple[int, int] | None,
        plot: str,
        language: str,
        overwrite: bool,
        out: Path | None,
    ) -> None:
        """The transitions of a change: a table, or a picture of what became what.

        \b
        sinks transitions change
        sinks transitions change --plot matrix --language zh --out matrix.svg
        """
        from pipelines.change import transitionplot
        from pipelines.errors import InputError
        from pipelines.files import manifest

        table = transitionplot.transitions(run, region, period)
        epochs = manifest.read(run)["epochs"]
        years = period or (epochs[0], epochs[-1])
        if out is None:
            moved = table[table["from_class"] != table["to_class"]].sort_values("area_ha", ascending=False)
            click.echo(f"{'from':24}{'to':24}{'area ha':>14}{'change Mg C':>16}")
            for r in moved.to_dict("records"):
                click.echo(
                    f"{r['from_class']:24}{r['to_class']:24}{r['area_ha']:>14,.1f}{r['change_mg_c'] + 0.0:>+16,.0f}"
                )
            return
        if out.suffix.lower() != ".svg":
            raise InputError(f"{out}: the picture is written as SVG; give --out a name that ends in .svg")
        if out.exists() and not overwrite:
            raise InputError(f"{out} is there already; choose another name or give --overwrite")
        draw = transitionplot.sankey if plot == "sankey" else transitionplot.matrix
        transitionplot.write(draw(table, years, language), out)
        click.echo(f"Written: {out}")

    return transitions
