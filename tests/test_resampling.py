from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.errors import EvaluationError
from sleevenotes.judge import metrics, resampling as r

laws = settings(max_examples=60, deadline=None)
group_lists = st.lists(st.integers(0, 6), min_size=1, max_size=25)


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
    assert r.interval([np.nan, 1.0, 2.0, np.nan], level=0.5) == (1.25, 1.75, 2)
    low, high, left_out = r.interval([np.nan, np.nan])
    assert np.isnan(low)
    assert np.isnan(high)
    assert left_out == 2


def test_values_that_all_agree_have_no_interval() -> None:
    assert np.isnan(r.interval([1.0, 1.0])[:2]).all()


@laws
@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=20, unique=True))
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


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: r.group_weights([], 3), "groups: an array of shape \\(0,\\)"),
        (lambda: r.group_weights([["a"]], 3), "The group of each cover"),
        (lambda: r.group_weights(["a"], 0), "0 resamples"),
        (lambda: r.interval([0.1], level=95), "level 95. It is a share between 0 and 1"),
        (lambda: r.interval([[0.1]]), "One value a resample"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        call()
