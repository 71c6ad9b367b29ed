"""The one error that the science raises at a user: it names what is wrong, where, and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """A name that is none in quotes, with the one that was perhaps meant, else with all there are."""
    every = list(known)
    close = difflib.get_close_matches(name, every, n=1)
    return f"'{name}'; did you mean '{close[0]}'?" if close else f"'{name}' (known: {', '.join(sorted(every))})"


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence a newcomer can act on: what was wanted, where, what was found, what to do.
    The command line prints it and exits with code 2.
    """
