"""The study's samplings: OpenCV's cubic one to the level, and a random choice of pixels that is the same for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from covers_for_tests import make_dataset
from sleevenotes.covers.images import decode, resize
from sleevenotes.covers.sampling import SAMPLINGS, cubic, pick, sampled_pixels

sides = st.integers(1, 90)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def plain_opencv() -> Iterator[None]:
    cv2.setUseOptimized(False)  # its own way, not that of Intel's IPP
    yield
    cv2.setUseOptimized(True)


# -- cubic -----------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(sides, sides, st.integers(1, 60), st.integers(0, 99))
def test_cubic_is_opencvs_to_within_one_level_whatever_it_was_built_with(
    height: int, width: int, size_px: int, seed: int
) -> None:
    cover = noise(height, width, seed)
    theirs = cv2.resize(cover, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    assert np.abs(cubic(cover, size_px).astype(int) - theirs).max() <= 1


@pytest.mark.usefixtures("plain_opencv")
@pytest.mark.parametrize("native", [(350, 350), (300, 300), (301, 299), (97, 33), (20, 31), (1, 1), (3, 200)])
@pytest.mark.parametrize("size_px", [1, 7, 32, 35, 100])
def test_cubic_is_that_of_plain_opencv_but_for_ties(native: tuple[int, int], size_px: int) -> None:
    cover = noise(*native)
    theirs = cv2.resize(cover, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    apart = np.abs(cubic(cover, size_px).astype(int) - theirs)
    assert apart.max() <= 1
    assert apart.mean() < 0.002


def test_cubic_is_not_antialiased() -> None:
    stripes = np.zeros((320, 320, 3), np.uint8)
    stripes[:, ::10] = 255  # one column in ten, which four taps in ten miss
    assert cubic(stripes, 32).max() == 0
    assert resize(stripes, 32).min() > 0


def test_cubic_of_the_same_size_is_the_cover_itself() -> None:
    cover = noise(32, 32)
    same = cubic(cover, 32)
    np.testing.assert_array_equal(same, cover)
    assert not np.shares_memory(same, cover)


@given(sides, sides, st.integers(1, 40), st.integers(0, 255))
def test_one_color_stays_one_color_in_every_sampling(height: int, width: int, size_px: int, level: int) -> None:
    cover = np.full((height, width, 3), level, np.uint8)
    for squeezed in (cubic(cover, size_px), pick(cover, size_px, seed=3)):
        assert squeezed.shape == (size_px, size_px, 3)
        assert (squeezed == level).all()


# -- pick ------------------------------------------------------------------------------------------------------------


def places(height: int, width: int, size_px: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the columns that were taken, read from a cover whose pixels tell where they are."""
    cover = np.zeros((height, width, 3), np.uint8)
    cover[..., 0], cover[..., 1] = np.arange(height)[:, None], np.arange(width)
    picked = pick(cover, size_px, seed=seed)
    assert (picked[..., 0] == picked[:, :1, 0]).all()
    assert (picked[..., 1] == picked[:1, :, 1]).all()
    return picked[:, 0, 0].astype(int), picked[0, :, 1].astype(int)


@given(st.integers(1, 256), st.integers(1, 256), st.integers(1, 64), st.integers(0, 99))
def test_picked_rows_and_columns_are_in_order_and_none_comes_twice(
    height: int, width: int, size_px: int, seed: int
) -> None:
    for taken, side in zip(places(height, width, size_px, seed), (height, width), strict=True):
        assert (np.diff(taken) >= (1 if side >= size_px else 0)).all()


def test_the_choice_is_the_seeds_and_the_same_for_all_covers_of_one_size() -> None:
    for first, second in zip(places(200, 200, 32, 7), places(200, 200, 32, 7), strict=True):
        np.testing.assert_array_equal(first, second)
    rows, columns = places(200, 200, 32, 7)
    assert (rows != columns).any()
    assert (rows != places(200, 200, 32, 8)[0]).any()


def test_the_choice_is_about_the_same_for_covers_of_another_size() -> None:
    small, large = places(100, 100, 32, 1)[0] / 100, places(250, 250, 32, 1)[0] / 250
    assert np.abs(small - large).max() < 0.25


def test_every_row_is_as_likely_as_another() -> None:
    counts = np.zeros(40)
    for seed in range(2_000):
        counts[places(40, 40, 10, seed)[0]] += 1
    assert np.allclose(counts / 2_000, 0.25, atol=0.06)  # 10 of 40; a binomial's spread is 0.01


def test_picking_as_many_as_there_are_takes_all() -> None:
    cover = noise(32, 32)
    np.testing.assert_array_equal(pick(cover, 32, seed=5), cover)


# -- sampled_pixels --------------------------------------------------------------------------------------------------


def test_a_datasets_covers_come_in_order_each_sampling_with_a_packed_file_of_its_own(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "covers", covers=9)
    ways = {
        "random": lambda pixels: pick(pixels, 8, seed=2),
        "cubic": lambda pixels: cubic(pixels, 8),
        "antialiased": lambda pixels: resize(pixels, 8),
    }
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        for how in SAMPLINGS:
            found = sampled_pixels(dataset, 8, how, seed=2, progress=lambda *done: calls.append(done))
            np.testing.assert_array_equal(found, np.stack([ways[how](decode(path)) for path in dataset.paths]))
    assert len(list(dataset.cache.glob("pixels-8-*.npy"))) == 3
    assert calls == 3 * [(done + 1, 9) for done in range(9)]  # decoded once each


def test_another_seed_is_another_choice_and_packed_beside_the_first(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "covers", covers=6)
    first, second = (np.array(sampled_pixels(dataset, 8, "random", seed=seed)) for seed in (0, 1))
    assert (first != second).any()
    np.testing.assert_array_equal(sampled_pixels(dataset, 8, "random", seed=0), first)


def test_an_unknown_sampling_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "covers", covers=3)
    with pytest.raises(ValueError, match="unknown sampling 'linear', known are random, cubic, antialiased"):
        sampled_pixels(dataset, 8, "linear")  # type: ignore[arg-type]
