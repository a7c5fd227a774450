from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import stats

from sleevenotes.errors import EvaluationError
from sleevenotes.judge import metrics, resampling as r

laws = settings(max_examples=60, deadline=None)
group_lists = st.lists(st.integers(0, 6), min_size=1, max_size=25)
halves = st.integers(-4, 4).map(lambda whole: whole / 2)


# ------------------------------------------------------------------------------------------- the bootstrap


@laws
@given(group_lists, st.integers(1, 8), st.integers(0, 100))
def test_resample_takes_whole_groups_as_many_as_there_are(groups: list[int], resamples: int, seed: int) -> None:
    names = np.array(groups)
    weights = r.group_weights(names, resamples, seed)
    assert weights.shape == (resamples, len(groups))
    times = []
    for name in np.unique(names):
        own = weights[:, names == name]
        assert (own == own[:, :1]).all()  # together or not at all
        times.append(own[:, 0])
    assert (np.sum(times, axis=0, dtype=int) == len(times)).all()


@laws
@given(group_lists, st.integers(0, 100))
def test_same_seed_gives_the_same_resamples_whatever_the_groups_are_called(groups: list[int], seed: int) -> None:
    one = r.group_weights(groups, 5, seed)
    assert one.tolist() == r.group_weights(groups, 5, seed).tolist()
    assert one.tolist() == r.group_weights([f"artist {group}" for group in groups], 5, seed).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(r, "_BLOCK", 1)
        assert one.tolist() == r.group_weights(groups, 5, seed).tolist()


def test_each_cover_is_drawn_once_on_average() -> None:
    weights = r.group_weights(np.arange(40) // 2, 4000, seed=3)
    assert weights.mean(axis=0) == pytest.approx(np.ones(40), abs=0.08)
    assert weights.var(axis=0) == pytest.approx(np.full(40, 1 - 1 / 20), abs=0.12)


def test_spread_of_resamples_is_the_standard_error() -> None:
    scores = (np.arange(300) % 10 < 3).astype(float)
    spread = metrics.average(scores, r.group_weights(np.arange(300), 2000))
    assert spread.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 300), rel=0.06)


def test_covers_of_one_artist_do_not_count_as_independent() -> None:
    rng = np.random.default_rng(0)
    scores = np.repeat((rng.random(60) < 0.4).astype(float), 4)  # four like covers an artist
    by_artist = metrics.average(scores, r.group_weights(np.repeat(np.arange(60), 4), 1000)).std()
    by_cover = metrics.average(scores, r.group_weights(np.arange(240), 1000)).std()
    assert by_artist == pytest.approx(2 * by_cover, rel=0.15)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    groups = np.arange(120) // 2
    weights = r.group_weights(groups, 400, seed=1)
    held = []
    for _ in range(300):
        lucky = np.repeat(rng.normal(size=60), 2)  # what covers of one artist share
        scores = (lucky + rng.normal(size=120) > 0).astype(float)
        low, high, _ = r.interval(metrics.average(scores, weights))
        held.append(low <= 0.5 <= high)
    assert 0.91 <= np.mean(held) <= 0.985


def test_interval_is_between_percentiles() -> None:
    assert r.interval(np.arange(101.0)) == pytest.approx((2.5, 97.5, 0))
    assert r.interval([3.0, 1.0, 2.0], level=0.5) == (1.5, 2.5, 0)


def test_interval_leaves_out_and_counts_what_is_no_number() -> None:
    assert r.interval([np.nan, 1.0, 1.0, np.nan]) == (1.0, 1.0, 2)
    low, high, left_out = r.interval([np.nan, np.nan])
    assert np.isnan(low)
    assert np.isnan(high)
    assert left_out == 2


@laws
@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_interval_of_a_calibration_error_holds_its_value(value: float, values: list[float]) -> None:
    low, high, _ = r.gap_interval(value, values)
    assert 0 <= low <= value <= high <= 1


def test_interval_of_a_calibration_error_reaches_nothing_where_nothing_is_wrong() -> None:
    rng = np.random.default_rng(0)
    weights = r.group_weights(np.arange(400), 200)
    reached = {0.0: 0, 0.2: 0}
    for off in reached:
        for _ in range(40):
            sure = rng.uniform(0.7, 1, 400)
            truth = (rng.random(400) > sure - off).astype(int)
            proba = np.stack([sure, 1 - sure], axis=1)
            error = metrics.calibration_error(truth, proba, weights)
            low, high, _ = r.gap_interval(float(metrics.calibration_error(truth, proba)), error)
            reached[off] += low <= off <= high
            assert low > 0.05 or off == 0  # what is badly calibrated is told from what is not
    assert min(reached.values()) >= 35


def test_interval_of_a_calibration_error_without_values_is_unknown() -> None:
    assert np.isnan(r.gap_interval(0.1, [np.nan])[:2]).all()
    assert np.isnan(r.gap_interval(np.nan, [0.1])[:2]).all()


# ------------------------------------------------------------------------------------------- McNemar


@laws
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_test(only_first: int, only_second: int) -> None:
    m = only_first + only_second
    expected = stats.binomtest(only_first, m).pvalue if m else 1.0
    assert r.mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9)
    assert r.mcnemar(only_first, only_second) == r.mcnemar(only_second, only_first)


def test_mcnemar_is_exact_for_thousands_of_covers() -> None:
    assert r.mcnemar(1100, 900) == pytest.approx(stats.binomtest(1100, 2000).pvalue, rel=1e-9)
    assert 0 < r.mcnemar(1000, 0) == pytest.approx(2.0**-999)
    assert r.mcnemar(5000, 5000) == 1


def test_mcnemar_by_hand() -> None:
    # of four covers that differ all are the first's: 2 · C(4, 0) / 2⁴
    assert r.mcnemar(4, 0) == 1 / 8
    # 2 · (C(8, 0) + C(8, 1) + C(8, 2)) / 2⁸
    assert r.mcnemar(2, 6) == 2 * (1 + 8 + 28) / 256


# ------------------------------------------------------------------------------------------- permutation of groups


@laws
@given(st.lists(halves, min_size=1, max_size=8))
def test_permutation_of_few_groups_tries_every_pattern(differences: list[float]) -> None:
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=len(differences))]
    expected = np.mean([total >= abs(sum(differences)) - 1e-9 for total in sums])
    assert r.permutation(differences) == pytest.approx(expected)


@laws
@given(st.lists(halves, min_size=1, max_size=20), st.floats(0.01, 50))
def test_permutation_depends_on_neither_unit_nor_direction(differences: list[float], scale: float) -> None:
    p = r.permutation(differences, draws=200)
    assert 0 < p <= 1
    assert r.permutation(np.negative(differences), draws=200) == pytest.approx(p, abs=0.15)
    assert r.permutation(np.multiply(differences, scale), draws=200) == p


def test_drawn_patterns_come_close_to_all_patterns() -> None:
    differences = [3, -1, 2, 2, -1, 1, 4, -2, 1, 1, -1, 2]
    exact = r.permutation(differences)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(r, "_ALL_PATTERNS", 0)
        drawn = [r.permutation(differences, seed=seed) for seed in range(3)]
        assert drawn == pytest.approx([exact] * 3, abs=0.015)
        assert drawn[0] == r.permutation(differences, seed=0)
        patch.setattr(r, "_BLOCK", 100)
        assert drawn[0] == pytest.approx(r.permutation(differences, seed=0), abs=0.02)


def test_drawn_p_is_never_nothing() -> None:
    assert r.permutation(np.ones(200), draws=999) == 1 / 1000


def test_groups_that_do_not_differ_say_nothing() -> None:
    assert r.permutation([0, 0, 0]) == 1
    assert r.permutation([1, 0, 0, 2, 0, 1]) == r.permutation([1, 2, 1]) == 0.25


# ------------------------------------------------------------------------------------------- the paired test


def test_test_is_mcnemar_only_where_covers_are_alone_and_right_or_wrong() -> None:
    one, two = [1, 1, 0, 1], [0, 1, 0, 0]
    assert r.paired_test(one, two, list("abcd")).test == "mcnemar"
    assert r.paired_test(one, two, list("aabc")).test == "permutation"
    assert r.paired_test(one, [0.2, 0.2, 0.2, 0.2], list("abcd")).test == "permutation"


def test_permutation_of_single_groups_agrees_with_mcnemar() -> None:
    one, two = np.array([1] * 9 + [0] * 3), np.array([0] * 9 + [1] * 3)
    p = r.mcnemar(9, 3)
    assert r.paired_test(one, two, range(12)).p == p
    assert r.permutation(one - two) == pytest.approx(p)  # 2^12 patterns, all tried


@laws
@given(group_lists, st.integers(0, 1000), st.booleans())
def test_identical_answers_do_not_differ(groups: list[int], seed: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 2, len(groups)) if whole else rng.random(len(groups))
    result = r.paired_test(scores, scores, groups, weights=r.group_weights(groups, 20))
    assert (result.p, result.difference) == (1, 0)
    assert result.low == result.high == 0 or len(set(groups)) == 1


@laws
@given(group_lists, st.integers(0, 1000))
def test_swapping_the_models_turns_the_difference(groups: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 2, (2, len(groups)))
    weights = r.group_weights(groups, 50)
    there = r.paired_test(one, two, groups, weights=weights)
    back = r.paired_test(two, one, groups, weights=weights)
    assert there.p == pytest.approx(back.p)
    assert there.difference == pytest.approx(-back.difference)
    if len(set(groups)) > 1:
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def simulated_p(group_size: int, seed: int) -> NDArray[np.float64]:
    """Return p of 300 comparisons of two models, 40 groups each, whose answers about a group hang together."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40), group_size)
    weights = r.group_weights(groups, 2)
    p = []
    for _ in range(300):
        lucky = np.repeat(rng.normal(size=(2, 40)), group_size, axis=1)
        scores = (lucky + rng.normal(size=lucky.shape) > 0).astype(int)
        p.append(r.paired_test(scores[0], scores[1], groups, weights=weights).p)
    return np.array(p)


@pytest.mark.parametrize("group_size", [1, 3])
def test_models_that_do_not_differ_seldom_seem_to(group_size: int) -> None:
    p = simulated_p(group_size, seed=group_size)
    for level in (0.05, 0.1, 0.2, 0.5):
        assert (p <= level).mean() <= level + 2.6 * np.sqrt(level * (1 - level) / len(p)), level
    assert (p <= 0.5).mean() > 0.25  # nor is the test asleep


def test_swapping_covers_one_by_one_would_be_fooled() -> None:
    rng = np.random.default_rng(5)
    fooled = 0
    for _ in range(100):
        one, two = np.repeat(rng.integers(0, 2, (2, 15)), 8, axis=1)  # eight like covers an artist
        fooled += r.mcnemar(int((one > two).sum()), int((one < two).sum())) < 0.05
    assert fooled > 30


def test_models_that_differ_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.random(400) < 0.6).astype(int), (rng.random(400) < 0.4).astype(int)
    result = r.paired_test(one, two, range(400))
    assert result.p < 1e-4
    assert 0.05 < result.low < result.difference < result.high < 0.3


def test_one_group_has_no_interval() -> None:
    result = r.paired_test([1, 1, 0], [0, 1, 0], ["a"] * 3)
    assert np.isnan([result.low, result.high]).all()
    assert result.p == 1


# ------------------------------------------------------------------------------------------- doubts and refusals


def test_few_groups_are_doubted() -> None:
    assert r.doubts(range(30)) == ""
    assert "only 29 groups" in r.doubts(range(29))
    assert "one group" in r.doubts(["a", "a"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: r.group_weights([], 3), "groups: an array of shape \\(0,\\)"),
        (lambda: r.group_weights([["a"]], 3), "The group of each cover"),
        (lambda: r.group_weights(["a"], 0), "0 resamples"),
        (lambda: r.interval([0.1], level=95), "level 95. It is a share between 0 and 1"),
        (lambda: r.interval([[0.1]]), "One value a resample"),
        (lambda: r.mcnemar(-1, 2), "counts -1 and 2"),
        (lambda: r.paired_test([1, 0], [1], ["a", "b"]), "scores of shapes \\(2,\\) and \\(1,\\) for 2 groups"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        call()
