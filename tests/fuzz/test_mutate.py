"""A short run of the fuzzer; ``python tests/fuzz/mutate.py --count 20000`` is a long one."""

import json
import subprocess
import sys
from pathlib import Path

COUNT = 300


def test_damaged_files_are_of_use_or_refused_in_a_sentence():
    here = Path(__file__).with_name("mutate.py")
    command = [sys.executable, str(here), f"--count={COUNT}", "--seed=2026", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    told = json.loads(done.stdout.splitlines()[-1])
    assert not told["faults"], told["faults"][:3]
    assert done.returncode == 0
    assert sum(told["outcomes"].values()) == COUNT
    assert told["outcomes"]["of use"] > 0
    assert told["outcomes"]["refused"] > 0
    assert told["largest_worker_mib"] < 1024
