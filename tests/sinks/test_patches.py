"""Stands too small to be forest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from sinks.patches import patch_pixels, too_small


@pytest.mark.parametrize(
    ("hectares", "pixel", "pixels"), [(0.0667, 100, 7), (0.0667, 900, 1), (0.0667, 593, 2), (0.5, 100, 50)]
)
def test_one_mu_in_pixels(hectares, pixel, pixels):
    # 667 m2 is 6.67 pixels of 10 m, so 7 are needed; 0.5 ha is exactly 50
    assert patch_pixels(hectares, pixel) == pixels


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0.05, 0.6))
def test_the_block_with_its_surroundings_says_what_the_whole_map_says(seed, pixels, share):
    whole = np.random.default_rng(seed).random((40, 37)) < share
    label, n = ndimage.label(whole, structure=np.ones((3, 3)))
    size = np.bincount(label.ravel(), minlength=n + 1)
    size[0] = 0
    right = whole & (size < pixels)[label]
    halo = pixels - 1
    padded = np.pad(whole, halo)
    for rows in (slice(0, 16), slice(16, 40)):
        wide = padded[rows.start : rows.stop + 2 * halo]
        assert (too_small(wide, pixels, halo) == right[rows]).all()
