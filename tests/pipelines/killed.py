"""Runs that are killed, again and again, until they end by themselves: a program of its own, started by test_resume.py.

python killed.py KILLS SEED < options of one run as JSON

One process loads everything once; each start of a run is a fork of it, so that dozens of kills fit in a test. For every
life the run starts anew and is killed at random moments with SIGKILL; in every other life, after some kills, a random byte
of what lies in the work folder is changed, or a file of it cut short. It prints one line of JSON a life.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from pipelines.assess import run
from pipelines.assess.study import checked


def start(options: dict, out: Path) -> int:
    """A run in a process of its own."""
    child = os.fork()
    if child:
        return child
    try:
        run.assess(checked({**options, "out": str(out)}))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int | None:
    """Exit code of a run, None while it runs."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def spoil(rng: random.Random, work: Path) -> None:
    """Change a byte of a file of the unfinished work, or cut it short."""
    files = sorted(p for p in work.rglob("*") if p.is_file() and p.name != "identity.json" and p.stat().st_size)
    if not files:
        return
    path = rng.choice(files)
    data = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        path.write_bytes(data[: rng.randrange(len(data))])
    else:
        at = rng.randrange(len(data))
        data[at] ^= 1 + rng.randrange(255)
        path.write_bytes(data)


def live(options: dict, out: Path, rng: random.Random, span: float, damage: bool) -> dict:
    """One run from its first start to its end."""
    kills = spoiled = 0
    while True:
        child = start(options, out)
        until = time.monotonic() + rng.uniform(0, span)
        code = ended(child)
        while code is None and time.monotonic() < until:
            time.sleep(0.002)
            code = ended(child)
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
            if (out / "manifest.json").exists() and not (out / ".work").exists():  # it had just ended
                return {"out": str(out), "kills": kills, "spoiled": spoiled, "failed": False, "tidied": False}
            if damage and rng.random() < 0.4:
                spoil(rng, out / ".work")
                spoiled += 1
        elif code:
            return {"out": str(out), "kills": kills, "spoiled": spoiled, "failed": True, "tidied": True}
        else:
            return {"out": str(out), "kills": kills, "spoiled": spoiled, "failed": False, "tidied": True}


def main() -> None:
    wanted, seed = (int(a) for a in sys.argv[1:])
    options = json.load(sys.stdin)
    folder = Path(options.pop("out"))
    run.assess(checked({**options, "out": str(folder / "warm")}))  # compiles, and tells how long a run takes
    begin = time.monotonic()
    run.assess(checked({**options, "out": str(folder / "whole")}))
    span = time.monotonic() - begin
    rng = random.Random(seed)
    kills = lives = 0
    while kills < wanted:
        told = live(options, folder / f"life{lives}", rng, 0.8 * span, damage=lives % 2 == 1)
        print(json.dumps(told), flush=True)
        kills, lives = kills + told["kills"], lives + 1


if __name__ == "__main__":
    main()
