"""How the program ends when nobody meant it to."""

from __future__ import annotations

import signal
import threading
from typing import Final

SHOW: Final = "SINKS_TRACEBACK"
"""Environment variable that has an unforeseen error shown whole."""


class Terminated(KeyboardInterrupt):
    """The machine or its keeper asked the program to end: it does, as when a user stops it."""


def heed_the_machine() -> None:
    """End in good order on SIGTERM, where this program is its own master."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def unforeseen(error: Exception) -> str:
    """The sentence for an error that the program should not have let happen."""
    said = (str(error) or type(error).__name__).splitlines()[0]
    return f"this should not happen ({type(error).__name__}: {said}); please report it with what {SHOW}=1 shows"


def _end(number: int, frame: object) -> None:
    raise Terminated
