"""What the screen shows of a stage of a run: a bar on a terminal, a line now and then elsewhere; the log gets its end.

With SINKS_PROGRESS=json in the environment it is a line of JSON each time, for programs that show a bar of their own.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Final, TextIO

log = logging.getLogger("sinks")

FOR_PROGRAMS: Final = "SINKS_PROGRESS"
"""Variable of the environment; json is the one thing it can be."""
_PAUSE: Final = {"screen": 0.2, "program": 0.5, "text": 15.0}
"""Seconds from one line to the next."""


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
        self._program = os.environ.get(FOR_PROGRAMS) == "json"
        self._moved = moved_bytes()
        self._shown = False

    def update(self, done: int) -> None:
        """Show that ``done`` pieces of this start are finished."""
        self._done = done
        now = time.monotonic()
        pause = _PAUSE["program" if self._program else "screen" if self._live else "text"]
        if (self._quiet and not self._program) or now - self._last < pause:
            return
        self._last = now
        self._show(now)

    def close(self) -> None:
        """The stage has ended: the last line on the screen, and one in the log."""
        if not self._pieces:
            return
        now = time.monotonic()
        speed = f", {self._pixels / max(now - self._start, 1e-6) / 1e6:.1f} Mpx/s" if self._pixels else ""
        read, written = (after - before for before, after in zip(self._moved, moved_bytes(), strict=True))
        moved = f", {read / 1e6:,.0f} MB read and {written / 1e6:,.0f} MB written here" if read or written else ""
        log.info("%d %s in %.1f s%s%s", self._done, self._what, now - self._start, speed, moved)
        if self._program:
            self._show(now)
        elif not self._quiet and (self._pixels or self._shown):
            self._show(now)
            if self._live:
                print(file=self._stream)

    def _show(self, now: float) -> None:
        self._shown = True
        if self._program:
            print(json.dumps(self.facts(self._done, now)), file=self._stream, flush=True)
            return
        line = self.line(self._done, now)
        print(f"\r{line}" if self._live else line, end="" if self._live else "\n", file=self._stream, flush=True)

    def facts(self, done: int, now: float) -> dict[str, str | int | float]:
        """The stage as it stands. mpx_s : million pixels a second, 0 where pixels tell nothing; left : seconds."""
        share = done / max(self._pieces, 1)
        elapsed = max(now - self._start, 1e-6)
        return {
            "stage": self._what, "done": done + self._offset, "of": self._pieces + self._offset,
            "mpx_s": round(share * self._pixels / elapsed / 1e6, 1),
            "left": round(elapsed * (1 - share) / share, 1) if share else 0.0,
        }  # fmt: skip

    def line(self, done: int, now: float) -> str:
        """The text of the bar."""
        at = self.facts(done, now)
        shown = float(at["done"]) / max(float(at["of"]), 1)
        bar = "█" * int(24 * shown) + "░" * (24 - int(24 * shown))
        speed = f"  {at['mpx_s']} Mpx/s" if self._pixels else ""
        return f"{bar} {shown:4.0%}  {at['done']}/{at['of']} {self._what}{speed}  {_clock(float(at['left']))} left "


def moved_bytes() -> tuple[int, int]:
    """Bytes that this process has read and written so far, from cache or disk; zeros where the system does not tell."""
    try:
        told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return int(told["rchar"]), int(told["wchar"])
    except (OSError, ValueError, KeyError):
        return 0, 0


def peak_memory() -> int:
    """Most memory that this process has held at once [B]; 0 where the system does not tell."""
    try:  # Linux: ``ru_maxrss`` would begin at what the parent held
        [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        return int(peak.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak_of_process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_of_process if sys.platform == "darwin" else peak_of_process * 1024


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
