"""How every verb answers a mistake: one sentence, an exit code, and the name that was perhaps meant."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click

from sinks.errors import InputError

OK, FAILED, BAD_INPUT = 0, 1, 2
"""Exit codes: done; the run failed; the input cannot be used."""


class Group(click.Group):
    """Suggests a verb for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            raise click.UsageError(f"{error.message}{f' Did you mean {close[0]!r}?' if close else ''}", ctx) from None


def answers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the project's errors into one sentence and an exit code."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from pipelines.errors import RunError

        try:
            return function(*args, **kwargs)
        except InputError as error:
            click.echo(f"sinks: {error}", err=True)
            sys.exit(BAD_INPUT)
        except RunError as error:
            click.echo(f"sinks: {error}", err=True)
            sys.exit(FAILED)
        except MemoryError:
            click.echo("sinks: out of memory; use fewer --workers, a smaller --block-size or --memory", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            click.echo("sinks: stopped; what is done is kept, and the same command goes on with the rest", err=True)
            sys.exit(130)

    return wrapper
