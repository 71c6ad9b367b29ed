"""Four sums that lie side by side in memory, added to in one step.

The pass adds four numbers for every pixel, at a place that only the pixel tells. One by one they are four loads, additions
and stores; as one vector they are one of each. Compilers do not find this by themselves.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

WIDTH: Final = 4
"""Sums of one place: number, weight, weight × value, weight × value²."""
_LINE: Final = 64
"""Bytes of a cache line: sums that lie across two of them would be slow."""


def room_for(places: int) -> NDArray[np.float64]:
    """Zeroed sums of so many places, (places × WIDTH,), no place of which lies across two cache lines."""
    size = np.dtype(np.float64).itemsize
    room = np.zeros(places * WIDTH + _LINE // size)
    first = -room.ctypes.data % _LINE // size
    return room[first : first + places * WIDTH]


def _added_to(context: Any, builder: Any, sums: Any, place: Any, array: Any, four: list[Any]) -> Any:
    """Code that adds four numbers to the four sums of a place."""
    vector = ir.VectorType(ir.DoubleType(), WIDTH)
    where = place if place.type.width == 64 else builder.zext(place, ir.IntType(64))
    first = builder.mul(where, ir.Constant(where.type, WIDTH))
    memory = builder.gep(context.make_array(sums)(context, builder, array).data, [first])
    memory = builder.bitcast(memory, vector.as_pointer())
    more = ir.Constant(vector, ir.Undefined)
    for k, part in enumerate(four):
        more = builder.insert_element(more, part, ir.Constant(ir.IntType(32), k))
    builder.store(builder.fadd(builder.load(memory, align=8), more), memory, align=8)
    return context.get_dummy_value()


def _add(_: Any, sums: Any, place: Any, weight: Any, value: Any) -> Any:
    """``sums[4 place : 4 place + 4] += (1, weight, weight·value, weight·value²)``, in float64, unchecked.

    To be called from compiled code: sums float64 (n,) contiguous; place : an unsigned number; weight, value : float64.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, w, x = arguments
        weighted = builder.fmul(w, x)
        four = [ir.Constant(ir.DoubleType(), 1.0), w, weighted, builder.fmul(weighted, x)]
        return _added_to(context, builder, signature.args[0], at, array, four)

    return types.void(sums, place, weight, value), generate


def _add_weighted(_: Any, sums: Any, place: Any, weight: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """``sums[4 place : 4 place + 4] += weight · (a, b, c, d)``; as ``add``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, w, *values = arguments
        return _added_to(context, builder, signature.args[0], at, array, [builder.fmul(w, x) for x in values])

    return types.void(sums, place, weight, a, b, c, d), generate


# Their own type would have callers give the first argument, which the compiler gives.
add: Any = intrinsic(_add)
add_weighted: Any = intrinsic(_add_weighted)
