"""``sinks layers`` and ``legends``: what is built in."""

from __future__ import annotations

import click

from pipelines.verbs.answers import answers
from sinks.layers import LAYERS


@click.command()
@click.argument("name", required=False)
@answers
def layers(name: str | None) -> None:
    """List the layers an assessment can take, or show the codes of one of classes.

    \b
    sinks layers
    sinks layers drainage
    """
    from sinks import layers as known

    if name is None:
        for layer in LAYERS.values():
            click.echo(f"{layer.flag:18} {layer.kind:8} {layer.unit or '-':13} {layer.about}")
        return
    for row in known.codes(name):
        more = "; ".join(f"{k} {v}" for k, v in row.items() if k not in ("code", "key", "name_en", "name_zh") and v)
        click.echo(f"{row['code']:>14}  {row['key']:30} {row['name_en']} {row['name_zh']}  {more}".rstrip())


@click.command()
@click.argument("name", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print one as a file, to edit and pass to --legend.")
@answers
def legends(name: str | None, as_csv: bool) -> None:
    """List the built-in legends, or show one with its sources.

    \b
    sinks legends
    sinks legends worldcover
    sinks legends worldcover --csv > mine.csv
    """
    from sinks import legends as known
    from sinks.parameters import table_text

    if as_csv and name is None:
        raise click.UsageError("name the legend: sinks legends NAME --csv")
    if as_csv:
        click.echo(table_text(f"legends/{known.Legend.builtin(str(name)).name}.csv"), nl=False)
        return

    if name is None:
        for each in known.builtin_names():
            click.echo(f"{each:18} {known.Legend.builtin(each).title}")
        return
    for c in known.Legend.builtin(name).classes:
        click.echo(
            f"{c.code:>6}  {c.ecosystem:15} {c.forest_type:12} {c.name_en} {c.name_zh}  [{c.source}; {c.status}]"
        )
