"""Resampling between parallel axes: exact means, whatever the block, and the same as GDAL's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inputs import align, sources
from pipelines.inputs.axes import Axis, take
from pipelines.inputs.axes import mean as mean_once
from pipelines.inputs.grid import Block


def mean(*args):
    found, lattice = mean_once(*args)
    return lattice.spread(found)


def by_hand(data, rows, cols, shape):
    """The mean pixel by pixel, from first principles."""
    out = np.full(shape, np.nan)
    re, ce = rows.edges(0, shape[0]), cols.edges(0, shape[1])
    for k in range(shape[0]):
        for j in range(shape[1]):
            total = covered = 0.0
            for r in range(data.shape[0]):
                for c in range(data.shape[1]):
                    h = min(re[k + 1], r + 1) - max(re[k], r)
                    w = min(ce[j + 1], c + 1) - max(ce[j], c)
                    if h > 0 and w > 0 and not np.isnan(data[r, c]):
                        total, covered = total + h * w * data[r, c], covered + h * w
            if covered > 0:
                out[k, j] = total / covered
    return out


axis = st.tuples(st.floats(-3, 6), st.floats(0.05, 2.0))


@settings(max_examples=60, deadline=None)
@given(axis, axis, st.integers(0, 10**6), st.floats(0, 0.5), st.integers(1, 6), st.integers(1, 7))
def test_a_mean_is_that_of_the_pixels_it_covers_for_any_block(row, col, seed, holes, cut_row, cut_col):
    rng = np.random.default_rng(seed)
    data = rng.uniform(-5, 200, (7, 8))
    data[rng.random(data.shape) < holes] = np.nan
    rows, cols, shape = Axis(*row, 7), Axis(*col, 8), (9, 11)
    whole = mean(data, rows.edges(0, shape[0]), cols.edges(0, shape[1]), 0, 0)
    np.testing.assert_allclose(whole, by_hand(data, rows, cols, shape), rtol=1e-6, equal_nan=True)
    for r in range(0, shape[0], cut_row):
        for c in range(0, shape[1], cut_col):
            h, w = min(cut_row, shape[0] - r), min(cut_col, shape[1] - c)
            (top, bottom), (left, right) = rows.span(r, h), cols.span(c, w)
            if top >= bottom or left >= right:
                assert np.isnan(whole[r : r + h, c : c + w]).all()
                continue
            part = mean(data[top:bottom, left:right], rows.edges(r, h), cols.edges(c, w), top, left)
            np.testing.assert_allclose(part, whole[r : r + h, c : c + w], rtol=1e-6, equal_nan=True)


def test_the_nearest_pixel_is_the_one_under_the_middle_and_none_beyond_the_source():
    rows = Axis(-0.6, 0.5, 2)  # middles at −0.35, 0.15, 0.65, 1.15, 1.65, 2.15
    places = rows.nearest(0, 6, 0, 2)
    assert places.tolist() == [-1, 0, 0, 1, 1, -1]
    found, lost, lattice = take(np.array([[1, 2], [3, 4]], np.uint8), places, np.array([1, 0]))
    found, lost = lattice.spread(found), lattice.spread(lost)
    assert found[1:5].tolist() == [[2, 1], [2, 1], [4, 3], [4, 3]]
    assert lost.any(axis=1).tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize("turned", [(1, -1), (1, 1), (-1, -1)])
def test_the_same_as_gdal_for_every_direction_of_rows_and_columns(raster, turned):
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0, 100, (30, 40)).astype(np.float32)
    coarse[rng.random(coarse.shape) < 0.1] = -1
    sx, sy = turned
    origin = (100.0 if sx > 0 else 100.0 + 40 * 0.013, 30.0 if sy < 0 else 30.0 - 30 * 0.011)
    path = raster(coarse[:: 1 if sy < 0 else -1, :: 1 if sx > 0 else -1].copy(), "coarse.tif", origin=origin,
                  pixel=(sx * 0.013, sy * 0.011), nodata=-1.0)  # fmt: skip
    fine = raster(np.zeros((200, 260), np.uint8), "fine.tif", origin=(100.003, 29.9985), pixel=(0.002, -0.0016))
    grid = sources.grid_of(sources.inspect(sources.Layer("landcover", "class", fine)))
    source = sources.inspect(sources.Layer("soc", "density", path))
    ours = align.plan(source, grid)
    assert (ours.mode, ours.resampling) == ("axes", "average")
    from dataclasses import replace

    block = Block(0, 0, 0, grid.height, grid.width)
    one, other = align.read(ours, block).data, align.read(replace(ours, mode="warp"), block).data
    assert (np.isnan(one) == np.isnan(other)).mean() > 0.999
    both = ~np.isnan(one) & ~np.isnan(other)
    assert both.mean() > 0.8
    assert np.abs(one - other)[both].max() < 0.2  # GDAL's warp is approximate to a thousandth of a source pixel
    assert np.median(np.abs(one - other)[both]) < 1e-3


def test_blocks_and_halos_of_a_coarse_layer_are_the_same_bits(raster):
    rng = np.random.default_rng(4)
    path = raster(rng.uniform(0, 100, (9, 9)).astype(np.float32), "coarse.tif", pixel=(0.1, -0.1))
    fine = raster(np.zeros((300, 300), np.uint8), "fine.tif", pixel=(0.003, -0.003))
    grid = sources.grid_of(sources.inspect(sources.Layer("landcover", "class", fine)))
    plan = align.plan(sources.inspect(sources.Layer("soc", "density", path)), grid)
    whole = align.read(plan, Block(0, 0, 0, 300, 300)).data
    for r, c, h, w in ((0, 0, 100, 300), (100, 0, 200, 150), (100, 150, 200, 150)):
        part = align.read(plan, Block(0, r, c, h, w)).data
        np.testing.assert_array_equal(part, whole[r : r + h, c : c + w])
    wide = align.read(plan, Block(0, 0, 0, 50, 50), halo=3).data
    np.testing.assert_array_equal(wide[3:53, 3:53], whole[:50, :50])
    assert np.isnan(wide[:3]).all()
