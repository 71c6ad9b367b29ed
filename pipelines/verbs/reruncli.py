"""``sinks rerun``: a manifest in, what is the same and what is not out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipelines.change.rerun import Compared

DIFFERENT = 1
"""Exit code when the results differ."""


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns errors into a sentence and an exit code."""

    @click.command("rerun")
    @click.argument("run", metavar="MANIFEST|RUN", type=click.Path(path_type=Path))
    @click.option("--out", type=click.Path(path_type=Path), help="Keep the new run here.  [thrown away]")
    @click.option("--workers", type=int, help="Threads.  [all cores]")
    @click.option("--scheduler", help="Dask scheduler, e.g. tcp://host:8786.")
    @click.option("--allow-network", is_flag=True, help="Read inputs that are not on this disk.")
    @click.option("--only-within", multiple=True, help="Folder in which all inputs must lie. Repeat for more.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @answers
    def rerun(
        run: Path, out: Path | None, workers: int | None, scheduler: str | None, allow_network: bool,
        only_within: tuple[str, ...], quiet: bool, as_json: bool,
    ) -> None:  # fmt: skip
        """Repeat a run from its manifest, and say whether inputs, software, parameters and results are the same.

        Exit code 0 when all results are the same to the last bit, 1 when any differs. Of an assessment or a change. What the
        manifest says of output folders, clusters and schedulers is not followed.

        \b
        sinks rerun result
        sinks rerun downloaded/manifest.json --out again
        """
        from pipelines.change import rerun as repeating

        found = repeating.rerun(
            run,
            out,
            allow_network=allow_network,
            workers=workers,
            scheduler=scheduler,
            only_within=only_within,
            quiet=quiet,
        )
        click.echo(json.dumps(as_plain(found), indent=2, ensure_ascii=False) if as_json else text(found))
        if not found.same:
            sys.exit(DIFFERENT)

    return rerun


def as_plain(found: Compared) -> dict[str, Any]:
    """For a program."""
    return {**asdict(found), "out": None if found.out is None else str(found.out), "same": found.same}


def text(found: Compared) -> str:
    """For people."""
    parts = {
        f"inputs ({found.compared['inputs']})": found.inputs, "software": found.software, "parameters": found.parameters,
        f"results ({found.compared['outputs']} files)": found.results,
    }  # fmt: skip
    lines = []
    for name, differences in parts.items():
        lines.append(f"{name:22}{'differ' if differences else 'the same'}")
        lines += [f"  {d}" for d in differences]
    same = "The results are the same to the last bit." if found.same else "The results differ."
    return "\n".join([*lines, same + (f" The new run is in {found.out}." if found.out else "")])
