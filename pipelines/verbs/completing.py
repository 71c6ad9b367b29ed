"""What the shell offers at the tabulator: words of our tables, layers, runs and their maps, files.

Attached to parameters by their name, and only when a shell asks, so that no verb pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from sinks.layers import LAYERS

VARIABLE: Final = "_SINKS_COMPLETE"
"""Set by the shell's script when it asks."""
SHELLS: Final = ("bash", "zsh", "fish")
_RUNS: Final = ("run", "runs", "change_run", "beside")
_FILES: Final = (
    "regions", "targets", "own", "boundary", "assessment", "file", "cluster", "sample", "areas", "removals", "out", "paths",
    "soil_profile", "only_within", "labels", "plots",
)  # fmt: skip

Completer = Callable[[click.Context, str], list[CompletionItem]]


def attach(group: click.Group) -> None:
    """Give every parameter of every verb its completer."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            attach(command)
        for parameter in command.params:
            if found := _completer(parameter.name or "", command.name or ""):
                setattr(parameter, "shell_complete", found)  # noqa: B010 (a method may not be assigned otherwise)


def _completer(name: str, verb: str) -> Completer | None:
    if name == "name" and verb in ("layers", "legends"):
        return lambda ctx, start: _fitting(_layer_codes() if verb == "layers" else _legends(), start)
    if name == "figures":
        return _figures
    if name in ("set_name", "a", "b", "parameters"):
        return lambda ctx, start: _fitting(_sets(), start) or _files(start)
    if name == "legend":
        return lambda ctx, start: _fitting(_legends(), start) or _files(start)
    if name == "maps":
        return _maps
    if name == "layer_options":
        return _layer_options
    if name in _RUNS:
        return lambda ctx, start: _runs(start)
    if name in LAYERS or name in _FILES:
        return lambda ctx, start: _files(start)
    return _choice(name)


def _choice(name: str) -> Completer | None:
    from pipelines.assess import choices

    if name in choices.OPTIONS:
        return lambda ctx, start: _fitting(((word, "") for word in choices.known(name)), start)
    return None


def _fitting(words: Iterable[tuple[str, str]], start: str) -> list[CompletionItem]:
    return [CompletionItem(word, help=about or None) for word, about in words if word.startswith(start)]


def _files(start: str) -> list[CompletionItem]:
    """Files, as the shell itself lists them: it takes them or our words, not both."""
    return [CompletionItem(start, type="file")]


def _legends() -> list[tuple[str, str]]:
    from sinks.parameters import records

    found = []
    for row in records("legend_index"):
        found += [(name, row["title"]) for name in (row["name"], *row["aliases"].split(";")) if name]
    return found


def _sets() -> list[tuple[str, str]]:
    from sinks.parameters import SET_NAMES

    return [(name, "") for name in SET_NAMES]


def _layer_codes() -> list[tuple[str, str]]:
    return [
        (layer.name, layer.about) for layer in LAYERS.values() if layer.kind == "class" and layer.name != "landcover"
    ]


def _maps(ctx: click.Context, start: str) -> list[CompletionItem]:
    """Names of maps, one after a comma too."""
    from pipelines.assess.study import ERROR_MAPS, MAP_NAMES

    before, comma, _ = start.rpartition(",")
    return _fitting(((f"{before}{comma}{name}", "") for name in ("all", "none", *MAP_NAMES, *ERROR_MAPS)), start)


def _layer_options(ctx: click.Context, start: str) -> list[CompletionItem]:
    """NAME.KEY=, for ``--layer``."""
    from pipelines.assess.study import LAYER_KEYS

    return _fitting(((f"{name}.{key}=", layer.about) for name, layer in LAYERS.items() for key in LAYER_KEYS), start)


def _runs(start: str) -> list[CompletionItem]:
    """Folders with a finished run; where none fits, all folders, to go further down."""
    place = Path(start) if start.endswith("/") else Path(start).parent
    found = sorted(p.parent for p in place.glob("*/manifest.json"))
    return _fitting(((str(p), "a finished run") for p in found), start) or [CompletionItem(start, type="dir")]


def _figures(ctx: click.Context, start: str) -> list[CompletionItem]:
    """What can be drawn of the run that stands on the line."""
    from pipelines.files import runmaps

    maps = runmaps.names(Path(str(ctx.params.get("run") or ".")))
    return _fitting(((name, "") for name in (*maps, "coverage", "density", "gap", "pools", "targets")), start)
