"""Numba without SciPy's linear algebra, which no function here needs. Imported for its effect, before the first compiled call.

At that call Numba's ``arraymath`` asks whether SciPy's BLAS can be imported, by importing it: a sixth of a second, more than
all else that the call loads. Here that one question is answered unasked, for SciPy is always installed beside this package;
functions that do use BLAS ask again themselves.
"""

from __future__ import annotations

import sys

from numba.np import linalg


def _answer_once() -> None:
    ask = getattr(linalg, "ensure_blas", None)
    if ask is None or "numba.np.arraymath" in sys.modules:
        return

    def answered() -> None:
        linalg.ensure_blas = ask

    linalg.ensure_blas = answered


_answer_once()
