"""Damaged files by the thousand: ``python tests/fuzz/mutate.py --count 20000 --seed 1``.

A worker process uses one damaged file after another, under a limit of memory and of time a file; when it dies or hangs it is
replaced. Allowed are: the file is still of use, or one sentence of the program's own. Anything else is kept in ``--keep``.
The n-th file of a seed is always the same one. The last line printed is the counts as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LIMIT_SECONDS = 30.0
"""A file that takes longer is a hang."""
LIMIT_BYTES = 6 << 30
"""Address space of a worker: libraries alone map two."""
FAT = 1 << 30
"""Resident memory above which a worker has grown beyond what a small file can ask for."""


# ------------------------------------------------------------------------------------------ the worker


def work() -> None:
    """Read ``subject<TAB>folder`` by line and answer ``outcome<TAB>told`` by line."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    import subjects

    from pipelines.errors import RunError
    from sinks.errors import InputError

    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, folder = line.rstrip("\n").split("\t")
        try:
            subjects.SUBJECTS[name].use(Path(folder))
            found = "of use", ""
        except (InputError, RunError) as error:
            sentence = str(error)
            clear = sentence.strip() and len(sentence) < 3000 and "Traceback" not in sentence
            found = ("refused" if clear else "unclear"), sentence
        except MemoryError:
            found = "out of memory", ""
        except BaseException:
            found = "failed", traceback.format_exc()
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([*found, rss]), file=answers, flush=True)


class Worker:
    """A process that may die."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.rss = 0
        if self._line(300) != "ready\n":
            raise SystemExit("the worker does not start")

    def use(self, subject: str, folder: Path) -> tuple[str, str]:
        """What became of one damaged file, and what was said."""
        try:
            self._process.stdin.write(f"{subject}\t{folder}\n")
            line = self._line(LIMIT_SECONDS)
        except BrokenPipeError:
            line = ""
        if line is None:
            return "hangs", ""
        if not line:
            return "dies", f"signal {-self._process.wait()}"
        outcome, said, self.rss = json.loads(line)
        return outcome, said

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _line(self, seconds: float) -> str | None:
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        return self._process.stdout.readline() if ready else None


# ------------------------------------------------------------------------------------------ the damage


def cases(count: int, seed: int, start: int, whole: Path, only: str) -> Iterator[tuple[int, str, str, bytes]]:
    """Number, subject, damaged part and its bytes."""
    import mutations
    import subjects

    names = [n for n in subjects.SUBJECTS if only in n]
    weights = [subjects.WEIGHT[n.split()[0]] for n in names]
    for number in range(start, start + count):
        rng = random.Random(f"{seed}:{number}")
        subject = rng.choices(names, weights)[0]
        files = subjects.SUBJECTS[subject].files
        part = rng.choice(files)
        other = (whole / rng.choice(files)).read_bytes()
        yield number, subject, part, mutations.mutated((whole / part).read_bytes(), rng, other)


def fuzz(count: int, seed: int, start: int, keep: Path | None, only: str, quiet: bool) -> dict[str, object]:
    """Use so many damaged files. The counts by kind and outcome, and what must not be."""
    import subjects

    counts: dict[str, Counter[str]] = {}
    faults: list[dict[str, object]] = []
    fattest = restarts = 0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        whole, folder = Path(home) / "whole", Path(home) / "damaged"
        whole.mkdir()
        subjects.prepare(whole)
        shutil.copytree(whole, folder)
        worker = Worker()
        for number, subject, part, data in cases(count, seed, start, whole, only):
            (folder / part).write_bytes(data)
            outcome, said = worker.use(subject, folder)
            (folder / part).write_bytes((whole / part).read_bytes())
            counts.setdefault(subject, Counter())[outcome] += 1
            if outcome not in ("of use", "refused"):
                faults.append(
                    {"number": number, "subject": subject, "part": part, "outcome": outcome, "said": said[-1500:]}
                )
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{seed}-{number}-{Path(part).name}").write_bytes(data)
                    (keep / f"{seed}-{number}.txt").write_text(
                        f"{subject}\n{part}\n{outcome}\n{said}", encoding="utf-8"
                    )
            fattest = max(fattest, worker.rss)
            if outcome in ("hangs", "dies", "out of memory") or worker.rss * 1024 > FAT:
                worker.close()
                worker, restarts = Worker(), restarts + 1
            if not quiet and (number - start + 1) % 1000 == 0:
                print(
                    number - start + 1,
                    dict(sum(counts.values(), Counter())),
                    f"{time.monotonic() - begin:.0f} s",
                    flush=True,
                )
        worker.close()
    total = sum(counts.values(), Counter())
    return {
        "count": count, "seed": seed, "start": start, "seconds": round(time.monotonic() - begin), "outcomes": dict(total),
        "by_subject": {k: dict(v) for k, v in sorted(counts.items())}, "largest_worker_mib": fattest // 1024,
        "workers_replaced": restarts, "faults": faults,
    }  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--count", type=int, default=300)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--start", type=int, default=0, help="number of the first file, to go on or to repeat one")
    ask.add_argument("--only", default="", help="subjects whose name holds this, e.g. 'vector' or 'csv legend'")
    ask.add_argument("--keep", type=Path, help="folder for files that do what must not be")
    ask.add_argument("--quiet", action="store_true")
    ask.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = ask.parse_args()
    if given.work:
        with contextlib.suppress(KeyboardInterrupt):
            work()
        return
    found = fuzz(given.count, given.seed, given.start, given.keep, given.only, given.quiet)
    print(json.dumps(found, ensure_ascii=False))
    sys.exit(1 if found["faults"] else 0)


if __name__ == "__main__":
    main()
