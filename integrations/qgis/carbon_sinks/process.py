"""The command ``sinks`` as a child process: where it is, in which surroundings, how far it is. Knows nothing of QGIS."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

UNSET = re.compile(r"PYTHONHOME|PYTHONPATH|PYTHONSTARTUP|PYTHONEXECUTABLE|GDAL_\w+|PROJ_\w+|OSGEO\w*")
"""QGIS sets these for its own Python and GDAL; the command has others."""
_BAR = re.compile(r"(\d+)%\s+(\d+)/(\d+) (\w+)")
_STAGES = {"blocks": (0, 90), "maps": (90, 100)}
"""Which part of the whole, in percent, a stage of the command is."""
_PATIENCE = 20
"""Seconds that an interrupted command has to keep what is done."""


def find(setting=""):
    """The command: as set, in SINKS_COMMAND, on the path, in an active environment or in the user's own programs."""
    name = "sinks.exe" if os.name == "nt" else "sinks"
    folder = "Scripts" if os.name == "nt" else "bin"
    places = [Path(setting)] if setting else []
    places += [Path(os.environ["SINKS_COMMAND"])] if os.environ.get("SINKS_COMMAND") else []
    places += [Path(os.environ["VIRTUAL_ENV"]) / folder / name] if os.environ.get("VIRTUAL_ENV") else []
    on_path = shutil.which(name)
    places += [Path(on_path)] if on_path else []
    homes = (Path.home() / "sinks", Path.home() / ".venv", Path.home() / ".local")
    places += [home / folder / name for home in homes]
    for place in places:
        if place.is_dir():  # of a virtual environment, or the folder of its programs
            inside = [p for p in (place / name, place / folder / name) if p.is_file()]
            place = inside[0] if inside else place
        if place.is_file() and os.access(place, os.X_OK):
            return str(place)
    return None


def surroundings():
    """The environment of the child: ours without what is for QGIS alone."""
    kept = {key: value for key, value in os.environ.items() if not UNSET.fullmatch(key)}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "SINKS_PROGRESS": "json", "NO_COLOR": "1"}


def share_of(line):
    """How far a line says the command is, in percent; None for a line that says something else."""
    if line.startswith("{"):
        try:
            told = json.loads(line)
            share = min(1.0, float(told["done"]) / max(float(told["of"]), 1.0))
            stage = told["stage"]
        except (ValueError, KeyError, TypeError):
            return None
    else:
        hit = _BAR.search(line)
        if hit is None:
            return None
        share, stage = float(hit[1]) / 100, hit[4]
    start, end = _STAGES.get(stage, (0, 100))
    return start + (end - start) * share


class Cancelled(Exception):
    """The user stopped it."""


class Failed(Exception):
    """The command ended with an error: code, and what it said last."""

    def __init__(self, code, said):
        super().__init__(said)
        self.code, self.said = code, said


def run(command, progress, tell, cancelled):
    """Run a command to its end and give back what it printed.

    progress : called with percents; tell : with lines; cancelled : asked now and then, and the child is interrupted, which
    keeps what is done.
    """
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings(),
        encoding="utf-8", errors="replace", **group,
    )  # fmt: skip
    lines, printed = queue.Queue(), []
    readers = [
        threading.Thread(target=_read, args=(child.stderr, lines.put), daemon=True),
        threading.Thread(target=_read, args=(child.stdout, printed.append), daemon=True),
    ]
    for reader in readers:
        reader.start()
    said = []
    try:
        while child.poll() is None:
            if cancelled():
                raise Cancelled
            _hear(lines, said, progress, tell, 0.2)
        for reader in readers:
            reader.join(5)
        _hear(lines, said, progress, tell, 0)
    finally:
        if child.poll() is None:
            _stop(child)
    if child.returncode:
        raise Failed(child.returncode, said[-1] if said else "")
    return "".join(printed)


def _read(stream, put):
    with stream:
        for line in stream:
            put(line)


def _hear(lines, said, progress, tell, wait):
    """Every line that has come by now."""
    while True:
        try:
            line = lines.get(timeout=wait) if wait else lines.get_nowait()
        except queue.Empty:
            return
        line = line.rstrip("\n").rpartition("\r")[2].strip()
        share = share_of(line)
        if share is not None:
            progress(share)
        elif line and not line.startswith("{"):
            said.append(line)
            tell(line)
        wait = 0


def _stop(child):
    """Interrupt the child, so that it keeps what is done; end it where it does not listen."""
    child.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
