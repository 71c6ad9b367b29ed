"""``sinks publish``: a finished run to shared storage or an object store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns errors into a sentence and an exit code."""

    @click.command("publish")
    @click.argument("run", type=click.Path(path_type=Path))
    @click.argument("url")
    @click.option("--overwrite", is_flag=True, help="Replace another run that was published there.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--quiet", "-q", is_flag=True, help="Do not name each file.")
    @answers
    def publish(run: Path, url: str, overwrite: bool, as_json: bool, quiet: bool) -> None:
        """Copy a finished run to s3://…, gs://…, or any store that fsspec knows.

        Files are checked before and after; the manifest arrives last, so that a run that is there is whole. A copy that broke off
        goes on where it was.

        \b
        sinks publish result s3://bucket/accounts/2025
        """
        from pipelines.files import store

        def told(name: str, n: int, of: int) -> None:
            if not quiet:
                click.echo(f"{n}/{of} {name}", err=True)

        found = store.publish(run, url, overwrite, told)
        if as_json:
            click.echo(json.dumps({"url": url, **found}))
            return
        click.echo(
            f"{found['sent']} files ({found['bytes'] / 1e6:,.1f} MB) sent to {url}, {found['there']} were there already"
        )

    return publish
