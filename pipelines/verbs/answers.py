"""How every verb answers: help under headings, a mistake as one sentence with an exit code and what was perhaps meant."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from pipelines.verbs import endings, paint
from sinks.errors import InputError

OK, FAILED, BAD_INPUT, STOPPED, TERMINATED = 0, 1, 2, 130, 143
"""Exit codes: done; the run failed; the input cannot be used; interrupted; ended by the machine."""


class Sectioned(click.Option):
    """An option that stands under a heading in the help."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class Command(click.Command):
    """Shows its options under their headings, those without one first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record:
                found.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for heading, records in found.items():
            if records:
                with formatter.section(paint.painted(heading, "title")):
                    formatter.write_dl(records)


class Group(click.Group):
    """Suggests a verb for a mistyped one, and shows verbs under headings.

    sections : heading → verbs; what stands in none comes last.
    """

    def __init__(self, *args: Any, sections: Mapping[str, tuple[str, ...]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections or {}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if parent is None:
            extra.setdefault("color", paint.wanted())
        return super().make_context(info_name, args, parent, **extra)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            known = self.list_commands(ctx)
            close = difflib.get_close_matches(args[0], known, n=1) if args else []
            hint = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(known)}."
            raise click.UsageError(f"{error.message.partition(' Did you mean')[0]}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        placed = {name for names in self.sections.values() for name in names}
        rest = tuple(name for name in known if name not in placed)
        for heading, names in {**self.sections, ("More" if self.sections else "Commands"): rest}.items():
            rows = [(name, first_sentence(known[name])) for name in names if known.get(name)]
            if rows:
                with formatter.section(paint.painted(heading, "title")):
                    formatter.write_dl(rows, col_max=24)


def first_sentence(command: click.Command | None) -> str:
    """What a verb does, up to the first full stop or colon."""
    text = " ".join((command.help or "").partition("\n\n")[0].split()) if command else ""
    return text.partition(". ")[0].rstrip(".")


def answers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the project's errors into one sentence and an exit code."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from pipelines.errors import RunError

        endings.heed_the_machine()
        try:
            return function(*args, **kwargs)
        except InputError as error:
            _say(str(error), BAD_INPUT)
        except RunError as error:
            _say(str(error), FAILED)
        except MemoryError:
            _say("out of memory; use fewer --workers, a smaller --block-size or --memory", FAILED)
        except KeyboardInterrupt as stop:
            code = TERMINATED if isinstance(stop, endings.Terminated) else STOPPED
            _say("stopped; what is done is kept, and the same command goes on with the rest", code)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _say(f"{where}{error.strerror or error}; check the path, its permissions and the disk", FAILED)
        except click.ClickException:
            raise
        except Exception as error:
            if os.environ.get(endings.SHOW):
                raise
            _say(endings.unforeseen(error), FAILED)

    return wrapper


def _say(text: str, code: int) -> None:
    line = " ".join(text.splitlines())  # a name or a cell may hold line ends
    click.echo(f"{paint.painted('sinks:', 'bad')} {line}", err=True)
    sys.exit(code)
