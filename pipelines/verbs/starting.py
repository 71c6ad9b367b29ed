"""How the program loads what a verb needs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Around imports. Modules make hundreds of thousands of objects and no garbage, which Python's collector would look through
    again and again, a tenth of a short run: it rests meanwhile, and never looks at them later.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
