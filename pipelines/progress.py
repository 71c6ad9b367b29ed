"""What the screen shows while blocks are worked on: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Share done, pixels per second and time left, on standard error. Silent when ``quiet``."""

    def __init__(self, total_blocks: int, total_pixels: int, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._blocks, self._pixels, self._quiet = max(total_blocks, 1), total_pixels, quiet
        self._stream = stream or sys.stderr
        self._start = self._last = time.monotonic()
        self._live = self._stream.isatty()

    def update(self, done: int) -> None:
        """Show that ``done`` blocks are finished."""
        now = time.monotonic()
        last = done >= self._blocks
        if self._quiet or not (last or now - self._last >= (0.2 if self._live else 15)):
            return
        self._last = now
        print(
            f"\r{self.line(done, now)}" if self._live else self.line(done, now),
            end="" if self._live else "\n",
            file=self._stream,
            flush=True,
        )
        if last and self._live:
            print(file=self._stream)

    def line(self, done: int, now: float) -> str:
        """The text of the bar."""
        share = done / self._blocks
        elapsed = max(now - self._start, 1e-6)
        speed = share * self._pixels / elapsed / 1e6
        left = elapsed * (1 - share) / share if share else 0.0
        bar = "█" * int(24 * share) + "░" * (24 - int(24 * share))
        return f"{bar} {share:4.0%}  {done}/{self._blocks} blocks  {speed:.1f} Mpx/s  {_clock(left)} left "


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
