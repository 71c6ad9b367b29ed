"""The page on paper: printed to PDF by a browser of the Chromium family, which most desks have.

A browser rather than a typesetting library: the paper is then the page itself, with its map and charts, and not a second layout
that would have to be kept the same. Libraries that lay out HTML without JavaScript leave the map empty.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from pipelines.errors import InputError, RunError
from pipelines.files.atomic import atomic_path

_NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
_PLACES: Final = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
_QUIET: Final = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
"""No window, and no word to the network."""
_SECONDS: Final = 120


def browser() -> str | None:
    """A browser of the Chromium family: the one that SINKS_BROWSER names, else one that is installed."""
    if given := os.environ.get("SINKS_BROWSER"):
        return given
    return next((found for name in _NAMES if (found := shutil.which(name))), None) or next(
        (place for place in _PLACES if Path(place).is_file()), None
    )


def to_pdf(page: Path, out: Path) -> None:
    """Print a page. Raises InputError when there is no browser, RunError when it fails."""
    program = browser()
    if program is None:
        raise InputError(
            "--pdf takes Chromium, Chrome or Edge, and none was found; install one, name it in SINKS_BROWSER, or open "
            f"{page} in any browser and print it"
        )
    with atomic_path(out) as part, tempfile.TemporaryDirectory(prefix="sinks-print-") as profile:
        # A container's root has no sandbox to use; the page is our own and may load nothing.
        root = sys.platform.startswith("linux") and os.geteuid() == 0
        command = [
            program, *_QUIET, *(["--no-sandbox"] if root else []), f"--user-data-dir={profile}", "--no-pdf-header-footer",
            "--virtual-time-budget=20000", f"--print-to-pdf={part.absolute()}", page.absolute().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RunError(
                f"{program} could not print {page} ({error}); open it in a browser and print it there"
            ) from error
        if done.returncode or not part.is_file() or part.stat().st_size == 0:
            said = (done.stderr.strip().splitlines() or ["no word why"])[-1]
            raise RunError(f"{program} could not print {page} ({said}); open it in a browser and print it there")
