"""``sinks completion``: the script that teaches a shell our words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pipelines.verbs.answers import answers
from pipelines.verbs.completing import SHELLS, VARIABLE


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
@answers
def completion(context: click.Context, shell: str) -> None:
    """Completion at the tabulator: verbs, options, legends, parameter sets, layers, runs and their maps.

    \b
    sinks completion bash >> ~/.bashrc
    sinks completion zsh >> ~/.zshrc
    sinks completion fish > ~/.config/fish/completions/sinks.fish
    """
    found = get_completion_class(shell)
    assert found is not None, "click knows all three"
    root = context.find_root()
    click.echo(found(root.command, {}, "sinks", VARIABLE).source())
