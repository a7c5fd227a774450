"""The colour histogram, worked by hand and by its laws."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from sleevenotes.learn.color import BINS, features, histogram

covers = arrays.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.just(3)))


def test_two_pixels_fall_into_their_bins():
    red_and_grey = np.array([[[[255, 0, 0], [100, 100, 100]]]], dtype=np.uint8)
    found = histogram(red_and_grey)[0]
    assert found.nonzero()[0].tolist() == [3 * 64 + 3 * 8 + 3, 7 * 64]
    assert found[7 * 64] == 0.5
    assert np.allclose(features(red_and_grey)[0, 7 * 64], np.sqrt(0.5))


def test_a_bin_is_32_values_wide_and_red_is_the_slowest():
    ramp = np.zeros((4, 1, 1, 3), dtype=np.uint8)
    ramp[:, 0, 0] = [(31, 0, 0), (32, 0, 0), (0, 32, 0), (0, 0, 32)]
    assert histogram(ramp).argmax(axis=1).tolist() == [0, 64, 8, 1]


@given(covers)
def test_each_histogram_sums_to_one_and_each_feature_vector_has_length_one(pixels: np.ndarray):
    found = histogram(pixels)
    assert found.shape == (len(pixels), BINS**3)
    assert np.allclose(found.sum(axis=1), 1)
    vectors = features(pixels)
    assert vectors.dtype == np.float32
    assert np.allclose((vectors**2).sum(axis=1), 1, atol=1e-5)


@given(covers, st.integers(0, 2**32 - 1))
def test_where_a_colour_stands_makes_no_difference(pixels: np.ndarray, seed: int):
    n, height, width, _ = pixels.shape
    shuffled = np.random.default_rng(seed).permutation(pixels.reshape(n, -1, 3), axis=1)
    assert np.array_equal(histogram(shuffled.reshape(n, height, width, 3)), histogram(pixels))


@given(covers)
def test_a_cover_is_counted_by_itself_whichever_stand_beside_it(pixels: np.ndarray):
    alone = [histogram(pixels[index : index + 1])[0] for index in range(len(pixels))]
    assert np.array_equal(histogram(pixels), alone)
