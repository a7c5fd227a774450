"""Histograms of oriented gradients: edges worked by hand, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from sleevenotes.learn.gradients import hog


def ramp(across: float, down: float, size: int = 16) -> np.ndarray:
    rows, columns = np.indices((size, size))
    grey = 100 + across * columns + down * rows
    return np.repeat(grey[None, ..., None], 3, axis=3).astype(np.uint8)


def votes(cover: np.ndarray) -> np.ndarray:
    return hog(cover).reshape(4, 9).sum(axis=0)


@pytest.mark.parametrize(("across", "down", "bins"), [(4, 0, {0}), (-4, 0, {0}), (0, 4, {4, 5}), (0, -4, {4, 5})])
def test_a_slope_votes_for_its_own_orientation_whichever_way_it_goes(across: int, down: int, bins: set[int]):
    found = votes(ramp(across, down))
    assert set(np.flatnonzero(found > 1e-3)) == bins
    if len(bins) == 2:  # 90° lies half way between 80° and 100°
        assert found[4] == pytest.approx(found[5], rel=1e-5)


def test_a_slope_at_45_degrees_is_shared_by_the_nearer_more():
    cells = votes(ramp(3, 3))[2], votes(ramp(3, 3))[3]
    assert cells[0] > cells[1] > 0  # 45° = 2.25 bins of 20°; the border of the cover has its own slopes


def test_a_cover_without_edges_is_all_zero_and_entries_stay_within_0_and_1():
    assert not hog(np.full((1, 16, 16, 3), 77, np.uint8)).any()
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    found = hog(noise)
    assert found.shape == (3, 9 * 36)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.allclose(np.linalg.norm(found.reshape(3, 9, 36), axis=2), 1, atol=1e-3)


def test_contrast_does_not_matter():
    assert np.allclose(hog(ramp(2, 1)), hog(ramp(4, 2)), atol=1e-3)


def test_the_channel_of_the_largest_gradient_is_taken():
    cover = np.full((1, 16, 16, 3), 50, np.uint8)
    cover[..., 1] = ramp(4, 0)[..., 0]
    cover[..., 2] = ramp(0, 1)[..., 0]
    assert np.allclose(hog(cover), hog(ramp(4, 0)), atol=1e-6)


def test_covers_do_not_depend_on_one_another():
    noise = np.random.default_rng(1).integers(0, 256, (300, 16, 16, 3), np.uint8)
    assert np.array_equal(hog(noise)[[0, 299]], hog(noise[[0, 299]]))
    assert hog(noise[:0]).shape == (0, 36)


@pytest.mark.parametrize("shape", [(1, 16, 24, 3), (1, 20, 20, 3), (1, 8, 8, 3)])
def test_sizes_that_do_not_fit_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="Expected a square of two or more cells of 8 px"):
        hog(np.zeros(shape, np.uint8))
