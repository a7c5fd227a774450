"""Sets of genres that hold the truth as often as was asked, whatever the model is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sleevenotes.covers.tasks import Task
from sleevenotes.errors import ModelError
from sleevenotes.learn.calibration import calibrate, calibrated, proba_of
from sleevenotes.learn.conformal import claimed, holds, in_set, limit_for, limits, sets_card

K = 4


def drawn(rng: np.random.Generator, n: int, *, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, (n, K), of a model that is twice as sure as it may be, and the truth, (n,)."""
    truth = rng.integers(K, size=n)
    logits = rng.normal(size=(n, K))
    logits[np.arange(n), truth] += skill
    return 2 * logits, truth


def coverage_of(limit: float | None, proba: np.ndarray, truth: np.ndarray) -> float:
    return float(np.nanmean(holds(in_set(proba, limit or 0.0), truth)))


@pytest.mark.parametrize("asked", [0.6, 0.9])
@pytest.mark.parametrize("skill", [0.0, 1.0])
def test_sets_hold_the_truth_as_often_as_asked_in_the_mean_of_many_draws(asked: float, skill: float):
    rng = np.random.default_rng(1)
    achieved = []
    for _ in range(400):
        logits, truth = drawn(rng, 59 + 100, skill=skill)
        proba = proba_of(logits, task="single")
        limit = limits(claimed(proba[:59], truth[:59]))[round(100 * asked) - 1]
        achieved.append(coverage_of(limit, proba[59:], truth[59:]))
    # with n = 59, ⌈60 · coverage⌉ / 60 is the coverage itself: neither less nor more; the noise of a draw is 0.05
    assert np.mean(achieved) == pytest.approx(asked, abs=0.012)


def test_calibrating_on_the_same_covers_costs_no_coverage():
    rng = np.random.default_rng(2)
    task, achieved = Task("single", tuple("abcd")), []
    for _ in range(60):
        logits, truth = drawn(rng, 79 + 400)
        card = calibrate(logits[:79], truth[:79], task=task)
        proba = calibrated(logits, card, task="single")
        achieved.append(coverage_of(limit_for(card, 0.9), proba[79:], truth[79:]))
    assert np.mean(achieved) == pytest.approx(0.9, abs=0.015)


def test_in_multi_sets_hold_all_genres_as_often_as_asked():
    rng = np.random.default_rng(3)
    achieved = []
    for _ in range(200):
        proba = rng.beta(1, 3, size=(79 + 200, K))
        truth = (rng.random(proba.shape) < proba**0.7).astype(np.int64)
        truth[rng.random(truth.shape) < 0.2] = -1
        limit = limits(claimed(proba[:79], truth[:79]))[89]
        achieved.append(coverage_of(limit, proba[79:], truth[79:]))
    assert np.mean(achieved) == pytest.approx(0.9, abs=0.02)


def grouped(rng: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Probas of covers' own genres, and their groups: half of the groups are of one hard cover, half of nine easy ones
    that are alike."""
    sizes = np.where(np.arange(groups) % 2, 9, 1)
    level = np.where(np.arange(groups) % 2, 0.5, 0.1) + 0.4 * rng.random(groups)
    member = np.repeat(np.arange(groups), sizes)
    return level[member] + 0.02 * rng.random(len(member)), member


def test_a_cover_of_a_new_group_is_held_as_often_as_asked_however_large_groups_are():
    rng = np.random.default_rng(4)
    by_group, by_cover = [], []
    for _ in range(300):
        own, member = grouped(rng, 39)
        new, of = grouped(rng, 40)
        each = np.bincount(of)[of]
        for found, groups in ((by_group, member), (by_cover, None)):
            limit = limits(own, groups)[89]
            found.append(np.average(new >= (limit or 0.0), weights=1 / each))
    assert np.mean(by_group) == pytest.approx(0.9, abs=0.015)
    assert np.mean(by_cover) < 0.8  # taken one by one, covers that stand together promise too much


def test_groups_of_one_are_the_usual_rule():
    own = np.random.default_rng(0).random(50)
    found = limits(own)
    for percent, limit in enumerate(found, start=1):
        place = int(np.ceil(round(51 * percent / 100, 9)))  # the ⌈(n + 1) coverage⌉-th from the greatest on
        assert limit == (np.sort(own)[::-1][place - 1] if place <= 50 else None)
    assert limits(own, [f"artist {at}" for at in range(50)]) == found
    assert limits([]) == [None] * 99


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 6))
def test_a_greater_coverage_has_a_smaller_limit(own: list[float], groups: int):
    found = [0.0 if limit is None else limit for limit in limits(own, np.arange(len(own)) % groups)]
    assert found == sorted(found, reverse=True)


def test_a_set_is_never_empty_and_larger_where_less_is_known():
    proba = np.array([[0.9, 0.05, 0.03, 0.02], [0.3, 0.26, 0.24, 0.2]])
    assert in_set(proba, 0.2).sum(axis=1).tolist() == [1, 4]
    assert in_set(proba, 0.95).sum(axis=1).tolist() == [1, 1]
    assert in_set(proba, 0.0).all()


def test_covers_none_of_whose_genres_is_known_ask_nothing():
    proba, truth = np.array([[0.7, 0.2], [0.4, 0.3]]), np.array([[1, -1], [0, -1]])
    assert np.isnan(claimed(proba, truth)).tolist() == [False, True]
    assert np.isnan(holds(in_set(proba, 0.5), truth)).tolist() == [False, True]
    card = sets_card(proba, truth, ["a", "b"])
    assert (card["n"], card["groups"], card["holds"]) == (1, 1, "all genres")
    assert len(card["limits"]) == 99


def test_a_coverage_between_whole_percents_takes_the_next_one_above():
    card = {"sets": {"limits": [1 - percent / 100 for percent in range(1, 100)]}}
    assert limit_for(card, 0.9) == pytest.approx(0.1)
    assert limit_for(card, 0.901) == pytest.approx(0.09)
    assert limit_for({"sets": {"limits": [None] * 99}}, 0.9) == 0


def test_what_is_no_coverage_and_a_model_without_sets_are_refused():
    with pytest.raises(ModelError, match=r"coverage: 90\. It is a share from 0\.01 to 0\.99, like 0\.9\."):
        limit_for({"sets": {"limits": [0.5] * 99}}, 90)
    with pytest.raises(ModelError, match=r"no sets of genres in its calibration\. Train the model again\."):
        limit_for({"temperature": 1.0}, 0.9)
