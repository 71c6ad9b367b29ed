"""Colour and bold on terminals; none in pipes, and none where NO_COLOR asks for none."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any, Final

import click

ROLES: Final[dict[str, dict[str, Any]]] = {
    "title": {"bold": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "unsure": {"fg": "yellow"},
    "warning": {"fg": "yellow"},
    "faint": {"dim": True},
}
"""What a text is → how it looks. Colour never tells alone: signs and words say the same."""


def wanted() -> bool | None:
    """Whether colour is asked for or forbidden by the environment; None where the terminal decides (click does)."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def painted(text: str, role: str) -> str:
    """A text in its role; ``click.echo`` takes the colour off again where there is no terminal."""
    return click.style(text, **ROLES[role])


def columns() -> int | None:
    """Width of the terminal that standard output is; None in a pipe, where lines are not broken."""
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        return max(60, min(shutil.get_terminal_size().columns, 120))
    return None
