"""Sums that do not depend on the order of adding.

A float64 is cut into 32-bit digits on a fixed ladder of powers of two and the digits are added as 64-bit integers.
Integer addition is exact and commutative, so an account has the same bits whatever the block size, the number of workers
or the order of merging. The ladder runs from 2⁻⁶⁴ to 2¹²⁸; what lies below 2⁻⁶⁴ of an addend is cut off.
"""

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from sinks import quickstart  # noqa: F401  (before the first compiled call)

DIGITS: Final = 6
_BITS: Final = 32
_LOWEST: Final = -64
_WEIGHTS: Final = tuple(2.0 ** (_LOWEST + _BITS * j) for j in range(DIGITS))


@numba.njit(nogil=True, cache=True)
def add(digits: NDArray[np.int64], value: float) -> None:
    """Add one finite float to a row of digits, in place.

    digits : int64 (DIGITS,); up to 2³¹ values may be added before a digit could overflow.
    """
    rest = value
    for j in range(DIGITS - 1, -1, -1):
        weight = _WEIGHTS[j]
        digit = np.trunc(rest / weight)  # towards zero: subtracting it is exact for either sign
        digits[j] += np.int64(digit)
        rest -= digit * weight


@numba.njit(nogil=True, cache=True)
def _add_each(digits: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    for i in range(values.size):
        add(digits[i], values[i])


def from_floats(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Digits of each value: float64 (...,) → int64 (..., DIGITS). Raises ValueError on NaN or infinity."""
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    if not np.isfinite(flat).all():
        raise ValueError("only finite numbers can be summed exactly")
    digits = np.zeros((flat.size, DIGITS), dtype=np.int64)
    _add_each(digits, flat)
    return digits.reshape(*np.shape(values), DIGITS)


def to_floats(digits: NDArray[np.int64]) -> NDArray[np.float64]:
    """The float64 each row of digits stands for: int64 (..., DIGITS) → float64 (...,).

    Carries are settled first, so equal sums give equal bits however their digits came about.
    """
    settled = _settle(digits)
    negative = settled[..., -1] < 0  # a negative sum is read off its opposite, or its digits would cancel
    settled[negative] = _settle(-settled[negative])
    total = np.zeros(settled.shape[:-1], dtype=np.float64)
    for j in range(DIGITS):
        total += settled[..., j] * _WEIGHTS[j]
    return np.where(negative, -total, total)


def _settle(digits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Carry until every digit but the highest is within 0 … 2³² − 1."""
    settled = digits.astype(np.int64, copy=True)
    for j in range(DIGITS - 1):
        carry = settled[..., j] >> _BITS
        settled[..., j] -= carry << _BITS
        settled[..., j + 1] += carry
    return settled
