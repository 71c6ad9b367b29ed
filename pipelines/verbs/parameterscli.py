"""``sinks parameters``: what is built in, as a file of your own, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipelines.verbs.answers import Group, answers


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def parameters(context: click.Context) -> None:
    """Coefficients: what is built in, as a file of your own, and what differs.

    A SET is a name (china, ipcc), a file that was exported and edited (mine.csv), or rows to put in front of a set
    (ipcc:mine.csv); --parameters takes the same.

    \b
    sinks parameters export ipcc --out mine.csv      then edit mine.csv in a spreadsheet
    sinks parameters diff ipcc mine.csv
    sinks assess ... --parameters mine.csv
    """
    if context.invoked_subcommand is None:
        context.invoke(list_parameters)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@parameters.command("list")
@_JSON
@answers
def list_parameters(as_json: bool = False) -> None:
    """The sets, their tables and schemes, how many rows each has and how many no source confirms.

    \b
    sinks parameters list
    """
    from pipelines.verbs import parametercli as sets

    found = sets.listed()
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else sets.listed_text(found))


@parameters.command("show")
@click.argument("set_name", metavar="SET")
@click.argument("table")
@click.option("--parameter", help="Only this parameter of the table.")
@click.option("--key", "keys", multiple=True, metavar="COLUMN=VALUE", help="Only rows for this key. Repeat for more.")
@_JSON
@answers
def show_parameters(set_name: str, table: str, parameter: str | None, keys: tuple[str, ...], as_json: bool) -> None:
    """One table's rows with range, unit, tier, status and source.

    \b
    sinks parameters show ipcc root_shoot --key continent=asia --key origin=natural
    sinks parameters show china cbef --parameter a
    """
    from pipelines.verbs import parametercli as sets

    chosen = sets.chosen(set_name)
    rows = sets.shown(chosen, table, parameter, keys)
    found = sets.shown_json(rows)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else sets.shown_text(chosen, table, rows))


@parameters.command("export")
@click.argument("set_name", metavar="SET")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [the screen]")
@click.option("--overwrite", is_flag=True, help="Write over a file that is there.")
@answers
def export_parameters(set_name: str, out: Path | None, overwrite: bool) -> None:
    """Every number of a set as a CSV file, to edit in a spreadsheet and pass to --parameters.

    A changed number becomes yours; a deleted row is gone; a row with an empty scheme goes in front of all others.

    \b
    sinks parameters export china --out mine.csv
    """
    from pipelines.verbs import parametercli as sets

    raw = sets.export(sets.chosen(set_name), out, overwrite)
    if out is None:
        click.echo(raw, nl=False)
    else:
        click.echo(f"Written to {out}. Edit it, then:  sinks assess ... --parameters {out}")


@parameters.command("diff")
@click.argument("a", metavar="SET")
@click.argument("b", metavar="SET")
@_JSON
@answers
def diff_parameters(a: str, b: str, as_json: bool) -> None:
    """What was added, removed or changed from one set to another.

    \b
    sinks parameters diff ipcc mine.csv
    sinks parameters diff ipcc china --json
    """
    from pipelines.verbs import parametercli as sets
    from sinks import parameterfiles

    one, two = sets.chosen(a), sets.chosen(b)
    changes = parameterfiles.diff(one, two)
    found = sets.diff_json(one, two, changes)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else sets.diff_text(one, two, changes))
