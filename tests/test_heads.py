"""Linear heads: logistic regression as scikit-learn does it, and what is left where genres are missing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sleevenotes.learn import heads
from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.heads import PENALTIES, STRENGTHS, Head, choose, fit, fit_linear, hit_rate


def drawn(n: int, genres: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of unlike scale, one of them constant, that tell something of the genre."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % genres
    centres = np.random.default_rng(99).normal(0, 1, (genres, 6))  # the same whatever the seed
    features = (centres[truth] + rng.normal(0, 1.2, (n, 6))) * [1, 10, 0.01, 1, 1, 0] + [5, 0, 0, -3, 0, 7]
    return features.astype(np.float32), truth


def by_scikit_learn(features: np.ndarray, truth: np.ndarray, strength: float) -> np.ndarray:
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    return LogisticRegression(C=strength, max_iter=200).fit(scaled, truth).predict_proba(scaled)


@pytest.mark.parametrize("genres", [2, 3, 5])
@pytest.mark.parametrize("strength", [1e-3, 1e-1])
def test_proba_agree_with_scikit_learn(genres: int, strength: float):
    features, truth = drawn(120, genres)
    head = fit(features, truth, task="single", strength=strength, genres=genres)
    assert head.weight.shape == (genres, 6)
    assert head.weight.dtype == head.bias.dtype == np.float32
    proba = proba_of(head.logits(features), task="single")
    assert np.allclose(proba, by_scikit_learn(features, truth, strength), atol=1e-4)


@pytest.mark.parametrize("strength", [1e-4, 1e-2, 1e-1])
def test_in_multi_each_genre_is_fitted_by_itself_as_by_scikit_learn(strength: float):
    features, first = drawn(150, 3)
    truth = np.stack([first == 0, first != 1, first == 2], axis=1).astype(np.int64)
    head = fit(features, truth, task="multi", strength=strength, genres=3)
    proba = proba_of(head.logits(features), task="multi")
    for genre in range(3):
        expected = by_scikit_learn(features, truth[:, genre], strength)[:, 1]
        assert np.allclose(proba[:, genre], expected, atol=1e-3)


def test_a_genre_that_train_lacks_is_never_named_and_the_others_are_as_if_it_were_not_there():
    features, truth = drawn(120, 3)
    unlike = np.array([0, 2, 3])[truth]  # genre 1 of 4 has no cover
    head = fit(features, unlike, task="single", strength=1e-1, genres=4)
    proba = proba_of(head.logits(features), task="single")
    assert proba[:, 1].max() < 1e-6
    assert np.allclose(proba[:, [0, 2, 3]], by_scikit_learn(features, truth, 1e-1), atol=1e-4)


def test_exactly_two_of_three_genres_in_train():
    features, truth = drawn(100, 2)
    head = fit(features, truth * 2, task="single", strength=1e-1, genres=3)  # 0 and 2
    proba = proba_of(head.logits(features), task="single")
    assert proba[:, 1].max() < 1e-6
    assert np.allclose(proba[:, [0, 2]], by_scikit_learn(features, truth, 1e-1), atol=1e-4)


def test_train_of_one_genre_names_that_one():
    features, _ = drawn(20, 2)
    head = fit(features, np.full(20, 2), task="single", strength=1e-1, genres=3)
    assert np.isfinite(head.logits(features)).all()
    assert proba_of(head.logits(features), task="single")[:, 2].min() > 0.999


def test_in_multi_a_genre_that_none_or_all_covers_have_is_told_so():
    features, _ = drawn(30, 2)
    truth = np.stack([np.zeros(30), np.ones(30), np.arange(30) % 2], axis=1).astype(np.int64)
    proba = proba_of(fit(features, truth, task="multi", strength=1e-1, genres=3).logits(features), task="multi")
    assert proba[:, 0].max() < 1e-6
    assert proba[:, 1].min() > 1 - 1e-6


def test_a_feature_that_never_changes_weighs_nothing():
    features, truth = drawn(60, 3)
    assert np.abs(fit(features, truth, task="single", strength=1e-1, genres=3).weight[:, 5]).max() < 1e-6


@pytest.mark.parametrize("n", [4, 60])  # fewer covers than features, and more
def test_linear_heads_agree_with_scikit_learn_for_every_penalty(n: int):
    features, truth = drawn(n, 3)
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    targets = np.where(truth[:, None] == np.arange(3), 1.0, -1.0)
    mean_value = (scaled**2).sum() / min(n, 6)
    heads_found = fit_linear(features, truth, task="single", genres=3)
    assert len(heads_found) == len(PENALTIES)
    for penalty, head in zip(PENALTIES, heads_found, strict=True):
        expected = Ridge(penalty * mean_value).fit(scaled, targets).predict(scaled)
        assert np.allclose(head.logits(features), expected, atol=1e-3)


def test_a_linear_head_learns_each_genre_of_multi_from_covers_of_which_it_is_known():
    features, first = drawn(90, 3)
    truth = np.stack([first == 0, first == 1, first == 2], axis=1).astype(np.int64)
    truth[:30, 1] = -1
    truth[:, 2] = -1
    (head,) = fit_linear(features, truth, task="multi", genres=3, penalties=[1.0])
    (alone,) = fit_linear(features[30:], truth[30:, 1:2], task="multi", genres=1, penalties=[1.0])
    assert np.allclose(head.weight[1], alone.weight[0], atol=1e-5)
    assert head.logits(features)[:, 2].max() < -20  # never named


def test_an_unknown_truth_has_no_say_in_logistic_regression():
    features, first = drawn(150, 3)
    truth = np.stack([first == 0, first != 1, first == 2], axis=1).astype(np.int64)
    truth[:40, 0] = -1
    head = fit(features, truth, task="multi", strength=1e-2, genres=3)
    flipped = truth.copy()
    flipped[:40, 0] = -1
    features_of_known = features.copy()
    assert np.allclose(head.weight, fit(features_of_known, flipped, task="multi", strength=1e-2, genres=3).weight)
    other = truth.copy()
    other[:40, 0] = 1
    assert not np.allclose(head.weight[0], fit(features, other, task="multi", strength=1e-2, genres=3).weight[0])


def test_the_strength_chosen_has_the_smallest_loss_on_valid():
    train, valid = drawn(90, 3), drawn(60, 3, seed=1)
    head, trials = choose(train, valid, task="single", genres=3)
    assert [trial.strength for trial in trials] == list(STRENGTHS[: len(trials)])
    best = min(trials, key=lambda trial: trial.valid_loss)
    assert log_loss(valid[1], proba_of(head.logits(valid[0]), task="single")) == pytest.approx(best.valid_loss)
    again = fit(*train, task="single", strength=best.strength, genres=3)
    assert np.array_equal(head.weight, again.weight)
    assert best.valid_accuracy == pytest.approx((head.logits(valid[0]).argmax(axis=1) == valid[1]).mean())


def test_two_strengths_in_a_row_that_do_no_better_end_the_search(monkeypatch: pytest.MonkeyPatch):
    losses = iter([0.9, 0.7, 0.8, 0.6, 0.65, 0.61, 0.1, 0.1])
    monkeypatch.setattr(heads, "_try", lambda head, strength, *rest: heads.Trial(strength, 0, next(losses), 0))
    _, trials = choose(drawn(30, 3), drawn(30, 3), task="single", genres=3)
    assert [trial.valid_loss for trial in trials] == [0.9, 0.7, 0.8, 0.6, 0.65, 0.61]


def test_the_hit_rate_by_hand():
    logits = np.array([[3.0, 1, 2], [0, 5, 1], [1, 2, 0]])
    assert hit_rate(logits, np.array([0, 1, 2])) == pytest.approx(2 / 3)
    assert hit_rate(logits, np.array([[1, 0, 0], [1, 0, 1], [0, 1, 1]])) == pytest.approx(2 / 3)


def test_logits_are_weight_times_features_plus_bias():
    head = Head(np.array([[1, 2], [0, -1]], dtype=np.float32), np.array([0.5, 0], dtype=np.float32))
    assert head.logits(np.array([[1, 1], [2, 0]], dtype=np.float32)).tolist() == [[3.5, -1], [2.5, 0]]
