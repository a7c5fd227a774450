"""Blends: answers out of fold, one scale for all members, weights that are never negative, and one head of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.covers.tasks import Kind
from sleevenotes.learn import blends
from sleevenotes.learn.calibration import fit_temperature, log_loss, proba_of
from sleevenotes.learn.heads import Head

GENRES = 3


def drawn(n: int = 240, *, seed: int = 0, task: Kind = "single") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features that tell something, truth, and folds of covers that come in pairs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, GENRES, n)
    centres = np.random.default_rng(99).normal(0, 1, (GENRES, 8))
    features = (centres[truth] + rng.normal(0, 2, (n, 8))).astype(np.float32)
    fold = np.arange(n) // 2 % 5
    return features, np.eye(GENRES, dtype=np.int64)[truth] if task == "multi" else truth, fold


@pytest.mark.parametrize("kind", ["linear", "logistic"])
@pytest.mark.parametrize("task", ["single", "multi"])
def test_no_cover_is_answered_by_a_head_that_learnt_from_its_fold(kind: str, task: Kind):
    features, truth, fold = drawn(task=task)
    wrong = features.copy()
    asked = fold == 3
    wrong[asked] += 50  # in the other folds' fits these rows are what they were, for the asked fold they are not
    answers = {
        name: blends._linear_answers(given, truth, fold, task=task, genres=GENRES)[1.0]
        if kind == "linear"
        else next(iter(blends._logistic_answers(given, truth, fold, task=task, genres=GENRES).values()))
        for name, given in (("right", features), ("wrong", wrong))
    }
    # the head that answers fold 3 never saw its rows, so its answers move exactly by its weights times the shift
    moved = answers["wrong"][asked] - answers["right"][asked]
    assert np.allclose(moved, moved[0], atol=1e-2)


def test_the_strength_chosen_has_the_smallest_loss_and_its_answers_that_loss():
    features, truth, fold = drawn()
    form = blends.tuned(features, truth, fold, kind="linear", task="single", genres=GENRES)
    assert form.strength == min(form.losses, key=form.losses.__getitem__)
    assert log_loss(truth, proba_of(form.answers, task="single")) == pytest.approx(form.losses[form.strength])
    assert form.losses[form.strength] < np.log(GENRES)


def test_in_single_the_scale_is_one_over_the_temperature():
    features, truth, _ = drawn()
    scores = features[:, :GENRES] * 3
    scale = blends.scale_of(scores, truth, task="single")
    assert not scale.shift.any()
    assert 1 / scale.scale == pytest.approx(fit_temperature(scores, truth, task="single"), rel=1e-2)


def test_in_multi_scaled_scores_are_right_about_how_rare_each_genre_is():
    rng = np.random.default_rng(0)
    truth = (rng.random((2000, 2)) < [0.05, 0.5]).astype(np.int64)
    scores = 0.1 * truth + rng.normal(0, 0.1, truth.shape)  # as alike as scores of ridge are
    proba = proba_of(blends.scale_of(scores, truth, task="multi").logits(scores), task="multi")
    assert np.allclose(proba.mean(axis=0), truth.mean(axis=0), atol=1e-3)


def test_unknown_answers_have_no_say_in_multi():
    features, truth, fold = drawn(task="multi")
    masked, flipped = truth.copy(), truth.copy()
    masked[::3, 1] = -1
    flipped[::3, 1] = 1 - truth[::3, 1]
    for whole in (truth, flipped):
        known = whole.copy()
        known[::3, 1] = -1
        form = blends.tuned(features, known, fold, kind="linear", task="multi", genres=GENRES)
        expected = blends.tuned(features, masked, fold, kind="linear", task="multi", genres=GENRES)
        assert np.array_equal(form.answers, expected.answers)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_weights_are_never_negative_and_a_blend_is_no_worse_than_its_best_member(seed: int, members: int):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, GENRES, 60)
    answers = [np.eye(GENRES)[truth] * rng.random() + rng.normal(0, 1, (60, GENRES)) for _ in range(members)]
    weights = blends.blend_weights(answers, truth, task="single")
    assert (weights >= 0).all()
    loss = log_loss(truth, proba_of(np.tensordot(weights, np.stack(answers), 1), task="single"))
    for number in range(members):
        alone = blends.blend_weights([answers[number]], truth, task="single")
        assert loss <= log_loss(truth, proba_of(alone[0] * answers[number], task="single")) + 1e-3


def test_a_blend_is_one_head_on_all_features():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(5, 6)).astype(np.float32)
    heads = [Head(rng.normal(size=(3, d)).astype(np.float32), rng.normal(size=3).astype(np.float32)) for d in (4, 6)]
    whole = blends.joined([(0.3, heads[0]), (1.7, heads[1])])
    expected = 0.3 * heads[0].logits(one) + 1.7 * heads[1].logits(two)
    assert np.allclose(whole.logits(np.concatenate([one, two], axis=1)), expected, atol=1e-5)


@pytest.mark.parametrize("task", ["single", "multi"])
@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_a_refitted_head_speaks_on_the_scale_of_the_answers(kind: str, task: Kind):
    features, truth, fold = drawn(task=task)
    form = blends.tuned(features, truth, fold, kind=kind, task=task, genres=GENRES)  # type: ignore[arg-type]
    logits = blends.refitted(form, features, truth, task=task, genres=GENRES).logits(features)
    slope = np.polyfit(form.answers.ravel(), logits.ravel(), 1)[0]
    assert slope == pytest.approx(1, abs=0.2)


def test_a_blend_out_of_fold_weighs_each_fold_by_the_others():
    _, truth, fold = drawn()
    good, bad = np.eye(GENRES)[truth] * 3, np.random.default_rng(1).normal(size=(len(truth), GENRES))
    told = blends.blended_out_of_fold([good, bad], truth, fold, task="single")
    for number in range(5):
        asked = fold == number
        weights = blends.blend_weights([good[~asked], bad[~asked]], truth[~asked], task="single")
        assert np.allclose(told[asked], weights[0] * good[asked] + weights[1] * bad[asked])
