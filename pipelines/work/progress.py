"""What the screen shows of a stage of a run: a bar on a terminal, a line now and then elsewhere; the log gets its end."""

from __future__ import annotations

import logging
import sys
import time
from typing import TextIO

log = logging.getLogger("sinks")


class Progress:
    """Share done, pixels per second and time left, on standard error. Silent when ``quiet``.

    what : the stage's pieces, "blocks"; pixels : of all pieces, 0 where pixels tell nothing; offset : pieces that were done
    before this start.
    """

    def __init__(
        self,
        what: str,
        pieces: int,
        pixels: int = 0,
        quiet: bool = False,
        stream: TextIO | None = None,
        offset: int = 0,
    ) -> None:
        self._what, self._pieces, self._pixels, self._quiet = what, pieces, pixels, quiet
        self._offset, self._done = offset, 0
        self._stream = stream or sys.stderr
        self._start = self._last = time.monotonic()
        self._live = self._stream.isatty()
        self._shown = False

    def update(self, done: int) -> None:
        """Show that ``done`` pieces of this start are finished."""
        self._done = done
        now = time.monotonic()
        if self._quiet or now - self._last < (0.2 if self._live else 15):
            return
        self._last = now
        self._show(now)

    def close(self) -> None:
        """The stage has ended: the last line on the screen, and one in the log."""
        if not self._pieces:
            return
        now = time.monotonic()
        speed = f", {self._pixels / max(now - self._start, 1e-6) / 1e6:.1f} Mpx/s" if self._pixels else ""
        log.info("%d %s in %.1f s%s", self._done, self._what, now - self._start, speed)
        if not self._quiet and (self._pixels or self._shown):
            self._show(now)
            if self._live:
                print(file=self._stream)

    def _show(self, now: float) -> None:
        self._shown = True
        line = self.line(self._done, now)
        print(f"\r{line}" if self._live else line, end="" if self._live else "\n", file=self._stream, flush=True)

    def line(self, done: int, now: float) -> str:
        """The text of the bar."""
        share = done / max(self._pieces, 1)
        elapsed = max(now - self._start, 1e-6)
        left = elapsed * (1 - share) / share if share else 0.0
        whole = self._pieces + self._offset
        shown = (done + self._offset) / max(whole, 1)
        bar = "█" * int(24 * shown) + "░" * (24 - int(24 * shown))
        speed = f"  {share * self._pixels / elapsed / 1e6:.1f} Mpx/s" if self._pixels else ""
        return f"{bar} {shown:4.0%}  {done + self._offset}/{whole} {self._what}{speed}  {_clock(left)} left "


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
