"""What a process frees it keeps for the next block, told by the kernel's own count of pages that it had to find."""

import ctypes
import subprocess
import sys

import pytest

CODE = """
import resource, sys
from pipelines.work import heap
if sys.argv[1] == "keep":
    heap.keep_freed()
for _ in range(3):
    b"x" * (1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    b"x" * (1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallopt"),
    reason="not glibc: nothing is done",
)
def test_freed_memory_is_not_asked_for_again():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", CODE, how], check=True, capture_output=True).stdout)
        for how in ("keep", "leave")
    }
    pages = 10 * (1 << 24) // 4096
    assert faults["keep"] < pages / 20, faults
