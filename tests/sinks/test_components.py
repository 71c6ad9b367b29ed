"""Connected pixels of one value, and parts of them that touch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sinks.components import components, joined


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0.05, 0.95))
def test_components_are_those_of_each_value_alone(seed, values, share):
    rng = np.random.default_rng(seed)
    data = np.where(rng.random((31, 27)) < share, rng.integers(1, values + 1, (31, 27)), 0).astype(np.int32)
    found, n = components(data)
    right = 0
    for value in range(1, values + 1):
        label, many = ndimage.label(data == value, structure=np.ones((3, 3)))
        right += many
        pairs = np.unique(np.stack([label[data == value], found[data == value]]), axis=1)
        assert pairs.shape[1] == many == len(set(pairs[1]))
    assert n == right
    assert (found > 0).sum() == (data > 0).sum()
    first = [np.flatnonzero(found == k)[0] for k in range(1, n + 1)]
    assert first == sorted(first)


def test_corners_connect_and_other_values_do_not():
    found, n = components(np.array([[1, 0, 2], [0, 1, 2], [1, 2, 0]], np.int32))
    assert n == 2
    assert found.tolist() == [[1, 0, 2], [0, 1, 2], [1, 2, 0]]


def test_parts_that_touch_are_one():
    number = joined(6, np.array([0, 4]), np.array([3, 5]))
    assert number[0] == number[3]
    assert number[4] == number[5]
    assert len(set(number.tolist())) == 4
    assert joined(0, np.empty(0, int), np.empty(0, int)).size == 0
