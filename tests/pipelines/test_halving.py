"""Half the resolution: means of what is there, the commonest class, nodata left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.outputs.halving import halve


def test_a_mean_leaves_nodata_out_and_rounds_half_up():
    array = np.array([[1, 2, 9], [4, 65535, 65535], [10, 11, 65535]], np.uint16)
    # (1+2+4)/3 = 2.33; 9; (10+11)/2 = 10.5 -> 11; nothing
    assert halve(array, 65535, "average").tolist() == [[2, 9], [11, 65535]]


def test_a_float_mean_is_not_rounded():
    assert halve(np.array([[1, 2], [4, -9999]], np.float32), -9999.0, "average")[0, 0] == pytest.approx(7 / 3)


def test_the_commonest_class_wins_and_the_first_of_equals():
    array = np.array([[5, 3, 0, 0], [3, 3, 0, 7], [1, 2, 4, 4], [2, 1, 6, 6]], np.uint8)
    assert halve(array, 0, "mode").tolist() == [[3, 7], [1, 4]]


@settings(deadline=None)  # the first call compiles
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from(["mode", "average"]))
def test_any_shape_and_any_cut_at_even_places(height, width, seed, how):
    array = np.random.default_rng(seed).integers(0, 4, (height, width)).astype(np.uint8)
    whole = halve(array, 0, how)
    assert whole.shape == (-(-height // 2), -(-width // 2))
    for row in range(0, height, 2):
        assert (halve(array[row : row + 2], 0, how) == whole[row // 2 : row // 2 + 1]).all()
