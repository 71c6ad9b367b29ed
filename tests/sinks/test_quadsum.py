"""Four sums in one step against the same sums one by one."""

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import quadsum


@numba.njit
def added(places, weight, values, sums, further):
    for n in range(places.size):
        quadsum.add(sums, places[n], weight[n], values[0, n])
        quadsum.add_weighted(further, places[n], weight[n], values[1, n], values[2, n], values[3, n], values[4, n])


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 300))
def test_sums_are_those_of_a_loop_to_the_bit(seed, places, pixels):
    rng = np.random.default_rng(seed)
    at = rng.integers(0, places, pixels).astype(np.uint32)
    weight, values = rng.random(pixels) * 900, rng.normal(size=(5, pixels)) * 100
    sums, further = quadsum.room_for(places), quadsum.room_for(places)
    added(at, weight, values, sums, further)
    one, two = np.zeros((places, 4)), np.zeros((places, 4))
    for n, q in enumerate(at):
        w, x = weight[n], values[0, n]
        one[q] += (1.0, w, w * x, w * x * x)
        two[q] += w * values[1:, n]
    assert (sums.reshape(-1, 4) == one).all()
    assert (further.reshape(-1, 4) == two).all()


@given(st.integers(1, 100))
def test_no_place_lies_across_two_cache_lines(places):
    room = quadsum.room_for(places)
    assert room.shape == (4 * places,)
    assert not room.any()
    assert room.ctypes.data % 64 == 0
