"""Percentages that mean something: temperature, thresholds, and the log loss that finds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import f1_score, log_loss as log_loss_of_sklearn

from sleevenotes.learn.calibration import fit_temperature, fit_thresholds, log_loss, proba_of

logits_of_covers = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(2, 5)), elements=st.floats(-60, 60, width=32)
)


def simulated(temperature: float, *, task: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by a factor, and a truth drawn from what they should have been."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (6000, 4))
    proba = proba_of(honest, task=task)
    if task == "multi":
        truth = (rng.random(proba.shape) < proba).astype(np.int64)
    else:
        truth = np.array([rng.choice(4, p=row) for row in proba])
    return honest * temperature, truth


@pytest.mark.parametrize("task", ["single", "multi"])
@pytest.mark.parametrize("planted", [0.4, 1.0, 3.5])
def test_a_planted_temperature_is_found_again(planted: float, task: str):
    assert fit_temperature(*simulated(planted, task=task), task=task) == pytest.approx(planted, rel=0.08)


def test_the_temperature_found_is_no_worse_than_none_and_than_its_neighbours():
    logits, truth = simulated(2.5, task="single", seed=3)
    found = fit_temperature(logits, truth, task="single")

    def loss(temperature: float) -> float:
        return log_loss(truth, proba_of(logits, task="single", temperature=temperature))

    assert loss(found) <= min(loss(1.0), loss(found * 1.02), loss(found / 1.02))


def test_a_model_that_is_always_right_or_knows_nothing_keeps_a_temperature_within_bounds():
    sure = np.eye(3)[np.arange(30) % 3] * 9.0
    assert 0.05 <= fit_temperature(sure, np.arange(30) % 3, task="single") <= 20
    assert 0.05 <= fit_temperature(-sure, np.arange(30) % 3, task="single") <= 20


@given(logits_of_covers, st.floats(0.05, 20))
def test_a_temperature_never_changes_the_order_of_genres(logits: np.ndarray, temperature: float):
    for task in ("single", "multi"):
        proba = proba_of(logits, task=task, temperature=temperature)
        order = np.argsort(logits, axis=1, kind="stable")
        assert (np.diff(np.take_along_axis(proba, order, axis=1), axis=1) >= 0).all()
        assert ((proba >= 0) & (proba <= 1)).all()
        if task == "single":
            assert np.allclose(proba.sum(axis=1), 1)


def test_genres_that_are_all_unlikely_keep_their_order_in_multi():
    proba = proba_of(np.array([[-60.0, -50.0, -40.0]]), task="multi", temperature=0.5)[0]
    assert (np.diff(proba) > 0).all()
    assert proba[2] == pytest.approx(np.exp(-80.0))


@given(logits_of_covers)
def test_in_multi_each_genre_is_by_itself_and_its_contrary_is_the_rest(logits: np.ndarray):
    assert np.allclose(proba_of(logits, task="multi") + proba_of(-logits, task="multi"), 1)
    assert np.array_equal(proba_of(logits, task="multi")[:, :1], proba_of(logits[:, :1], task="multi"))


def test_log_loss_agrees_with_scikit_learn():
    logits, truth = simulated(1.0, task="single")
    proba = proba_of(logits, task="single")
    assert log_loss(truth, proba) == pytest.approx(log_loss_of_sklearn(truth, proba))
    logits, truth = simulated(1.0, task="multi")
    proba = proba_of(logits, task="multi")
    expected = np.mean([log_loss_of_sklearn(truth[:, genre], proba[:, genre]) for genre in range(4)])
    assert log_loss(truth, proba) == pytest.approx(expected)


def test_log_loss_of_a_sure_mistake_is_large_but_a_number():
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-15))


def test_thresholds_worked_by_hand():
    # of 25 covers of the genre, 20 are at 0.8, the others at 0.3 among 20 that are not of it:
    # from 0.8 on, F1 is 2·20/(20 + 25) = 0.89; from 0.3 on 2·25/(45 + 25) = 0.71
    proba = np.array([0.8] * 20 + [0.3] * 25 + [0.1] * 5)[:, None]
    truth = np.array([1] * 20 + [1] * 5 + [0] * 25)[:, None]
    assert fit_thresholds(proba, truth) == [0.8]


def test_a_threshold_has_the_best_f1_of_all():
    logits, truth = simulated(1.0, task="multi", seed=5)
    logits, truth = logits[:80], truth[:80]
    proba = proba_of(logits, task="multi")
    for genre, threshold in enumerate(fit_thresholds(proba, truth)):
        best = max(f1_score(truth[:, genre], proba[:, genre] >= other) for other in np.unique(proba[:, genre]))
        assert f1_score(truth[:, genre], proba[:, genre] >= threshold) == pytest.approx(best)


def test_a_rare_genre_takes_the_threshold_of_all_genres_pooled():
    rng = np.random.default_rng(0)
    proba = rng.random((200, 2))
    truth = (rng.random((200, 2)) < proba * [0.9, 0.02]).astype(np.int64)
    assert truth[:, 1].sum() < 20 <= truth[:, 0].sum()
    common, rare = fit_thresholds(proba, truth)
    assert rare == fit_thresholds(proba.reshape(-1, 1), truth.reshape(-1, 1))[0]
    assert common == fit_thresholds(proba[:, :1], truth[:, :1])[0]


def test_genres_that_nobody_has_get_the_threshold_in_the_middle():
    assert fit_thresholds(np.full((5, 2), 0.2), np.zeros((5, 2), dtype=np.int64)) == [0.5, 0.5]
