"""Memory of a block, kept for the next one.

Every block allocates the same arrays again. By default the C library gives large ones back to the kernel at once, which then has
to find and clear the same pages anew: a tenth of a block's time.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Final

_TRIM, _MMAP, _ARENAS = -1, -3, -8
"""Numbers of glibc's mallopt: when freed memory at the end is given back, from what size on memory is asked for apart,
and how many pools threads have."""
_LARGE: Final = 1 << 30
"""Bytes: more than a block's arrays have."""


@cache
def keep_freed() -> None:
    """Have this process keep what it frees, up to a GiB. Where the C library is another one, nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_ARENAS, 1)  # threads share one pool: what one frees the other takes
    mallopt(_MMAP, _LARGE)
    mallopt(_TRIM, _LARGE)
