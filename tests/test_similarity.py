"""The four measures are OpenCV's, and the blocks together are the whole matrix."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from sleevenotes.learn import similarity as module
from sleevenotes.learn.similarity import MEASURES, blocks, mean_similarities, similarities

OPENCV = {
    "correlation": cv2.HISTCMP_CORREL,
    "chi-square": cv2.HISTCMP_CHISQR,
    "intersection": cv2.HISTCMP_INTERSECT,
    "hellinger": cv2.HISTCMP_HELLINGER,
}
measures = st.sampled_from(list(MEASURES))
every_measure = pytest.mark.parametrize("measure", list(MEASURES))


def counted(n: int, seed: int, *, bins: int = 512, colors: int = 40) -> np.ndarray:
    """Histograms of 1,024 pixels each, some bins filled, as a cover's are."""
    rng = np.random.default_rng(seed)
    found = np.zeros((n, bins), np.float32)
    for row in found:
        kept = rng.choice(bins, min(colors, bins), replace=False)
        row[kept] = rng.multinomial(1024, rng.dirichlet(np.full(len(kept), 0.5))) / 1024
    return found


def theirs(a: np.ndarray, b: np.ndarray, measure: str) -> np.ndarray:
    single = [np.ascontiguousarray(side, dtype=np.float32) for side in (a, b)]
    return np.array([[cv2.compareHist(x, y, OPENCV[measure]) for y in single[1]] for x in single[0]])


# -- as OpenCV -------------------------------------------------------------------------------------------------------


@every_measure
def test_each_measure_is_opencvs_on_covers_in_both_directions(measure: str) -> None:
    a, b = counted(20, 0), counted(25, 1, colors=120)
    np.testing.assert_allclose(similarities(a, b, measure), theirs(a, b, measure), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(similarities(b, a, measure), theirs(b, a, measure), rtol=1e-5, atol=1e-5)


@every_measure
def test_each_measure_is_opencvs_where_it_makes_an_exception(measure: str) -> None:
    black, spread, faint = np.zeros(512), np.full(512, 1 / 512), np.full(512, 1 / 512)
    black[0], faint[:2] = 1, [1 / 512 + 1e-5, 1 / 512 - 1e-5]
    odd = np.stack([black, black[::-1], spread, faint, np.zeros(512), np.full(512, 1e-17), *counted(3, 2)])
    odd = odd.astype(np.float32)
    np.testing.assert_allclose(similarities(odd, odd, measure), theirs(odd, odd, measure), rtol=1e-5, atol=1e-5)


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(
        np.int64, st.tuples(st.integers(1, 4), st.just(16)), elements=st.sampled_from([0, 0, 0, 1, 2, 7, 90])
    ),
    measures,
)
def test_each_measure_is_opencvs_on_sparse_equal_and_constant_histograms(counts: np.ndarray, measure: str) -> None:
    counts = np.concatenate([counts, counts[:1], np.ones((1, 16), dtype=int)])
    shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    np.testing.assert_allclose(
        similarities(shares, shares, measure), theirs(shares, shares, measure), rtol=1e-5, atol=1e-5
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), measures)
def test_each_measure_is_opencvs_on_random_histograms_normalised_or_not(seed: int, bins: int, measure: str) -> None:
    rng = np.random.default_rng(seed)
    random = rng.random((4, bins)).astype(np.float32)
    random /= random.sum(axis=1, keepdims=True) if seed % 2 else 1
    np.testing.assert_allclose(
        similarities(random, random, measure), theirs(random, random, measure), rtol=1e-5, atol=1e-5
    )


# -- by hand, and laws -----------------------------------------------------------------------------------------------


def test_two_histograms_worked_by_hand() -> None:
    a, b = [[0.5, 0.5, 0.0, 0.0]], [[0.25, 0.0, 0.75, 0.0]]
    assert similarities(a, b, "intersection")[0, 0] == pytest.approx(0.25)
    assert similarities(a, b, "chi-square")[0, 0] == pytest.approx(0.0625 / 0.5 + 0.25 / 0.5)  # the third bin is a's 0
    assert similarities(b, a, "chi-square")[0, 0] == pytest.approx(0.0625 / 0.25 + 0.5625 / 0.75)
    assert similarities(a, b, "hellinger")[0, 0] == pytest.approx(np.sqrt(1 - np.sqrt(0.125)))
    assert similarities(a, b, "correlation")[0, 0] == pytest.approx(-0.125 / np.sqrt(0.25 * 0.375))


@every_measure
def test_a_cover_is_most_alike_to_itself(measure: str) -> None:
    found = similarities(covers := counted(30, 3), covers, measure)
    best = {"correlation": 1, "intersection": 1, "chi-square": 0, "hellinger": 0}[measure]
    assert np.allclose(np.diagonal(found), best, atol=1e-6)
    turned = found if MEASURES[measure].alike == "large" else -found
    assert (turned.argmax(axis=1) == np.arange(30)).all()


@every_measure
def test_a_measure_is_symmetric_exactly_where_it_says_so(measure: str) -> None:
    found = similarities(covers := counted(12, 4), covers, measure)
    assert np.allclose(found, found.T) == MEASURES[measure].symmetric


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.randoms(use_true_random=False), measures)
def test_the_order_of_the_bins_makes_no_difference(seed: int, random: object, measure: str) -> None:
    covers = counted(5, seed, bins=64, colors=12)
    order = list(range(64))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = covers[:, order]
    np.testing.assert_allclose(similarities(mixed, mixed, measure), similarities(covers, covers, measure), atol=1e-6)


# -- all pairs -------------------------------------------------------------------------------------------------------


@every_measure
@pytest.mark.parametrize("n", [0, 1, 7, 8, 20])
def test_the_blocks_are_the_whole_matrix_each_entry_once(measure: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", 8)
    monkeypatch.setattr(module, "ROWS", 3)
    covers = counted(n, 5)
    whole, times = np.full((n, n), np.nan), np.zeros((n, n))
    for rows, columns, block in blocks(covers, measure):
        whole[rows, columns] = block
        times[rows, columns] += 1
        block[:] = np.nan  # the caller's, to spoil
    assert (times == 1).all()
    np.testing.assert_allclose(whole, similarities(covers, covers, measure), atol=1e-6)


def test_means_are_those_of_all_pairs_without_a_cover_beside_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", 6)
    covers, truth = counted(20, 6), np.arange(20) % 3
    means = mean_similarities(covers, truth, genres=3)
    assert list(means) == list(MEASURES)
    for measure, found in means.items():
        whole = theirs(covers, covers, measure)
        for i in range(3):
            for j in range(3):
                pairs = [whole[x, y] for x in range(20) for y in range(20) if x != y and (truth[x], truth[y]) == (i, j)]
                assert found[i, j] == pytest.approx(np.mean(pairs), abs=1e-5)


def test_where_there_is_no_pair_there_is_no_mean() -> None:
    found = mean_similarities(counted(3, 7), np.array([0, 0, 1]), genres=3)["intersection"]
    assert np.isnan(found).tolist() == [[False, False, True], [False, True, True], [True, True, True]]


@pytest.mark.parametrize(
    ("a", "b", "measure", "told"),
    [
        ([[1.0]], [[1.0]], "euclid", "unknown measure 'euclid', known are correlation, chi-square, intersection"),
        ([[1.0]], [[0.5, 0.5]], "hellinger", "histograms of 1 bins beside histograms of 2"),
        ([1.0], [[1.0]], "hellinger", r"histograms of shape \(1,\)"),
        ([[-0.1]], [[1.0]], "intersection", "negative or not finite"),
        ([[np.nan]], [[1.0]], "correlation", "negative or not finite"),
    ],
)
def test_what_is_no_histogram_is_refused(a: list, b: list, measure: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        similarities(a, b, measure)
