"""What a network is told of its answers: mixed as covers are, and nothing of what is unknown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from sleevenotes.learn.augmentation import Mix
from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.losses import balanced_draws, balancing_weights, hits_of, known_covers, loss_of

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 3.0, 0.5]])
GENRE = torch.tensor([0, 2, 1])
GENRES = torch.tensor([[1, 0, 1], [0, 0, 1], [0, 1, 0]])

some_truth = arrays.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 4))
some_truth_of_many = arrays.arrays(
    np.int64, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=st.integers(-1, 1)
)


def test_the_loss_is_the_cross_entropy_in_nats():
    for task, truth in (("single", GENRE), ("multi", GENRES)):
        expected = log_loss(truth.numpy(), proba_of(LOGITS.numpy(), task=task))
        assert float(loss_of(LOGITS, truth, task)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_one_logit_is_the_binary_cross_entropy_of_its_sigmoid():
    logit, truth = torch.tensor([[2.0], [-1.0], [0.3]]), torch.tensor([0, 0, 1])
    padded = torch.nn.functional.pad(logit, (0, 1))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logit[:, 0], (truth == 0).float())
    assert float(loss_of(padded, truth, "binary")) == pytest.approx(float(expected), rel=1e-6)


def test_a_weight_multiplies_each_covers_cross_entropy():
    weight = torch.tensor([3.0, 0.5, 1.0])
    for task, truth in (("single", GENRE), ("multi", GENRES)):
        each = [float(loss_of(LOGITS[row : row + 1], truth[row : row + 1], task)) for row in range(3)]
        several = weight if task == "single" else weight[:, None].expand(3, 3)
        expected = (3.0 * each[0] + 0.5 * each[1] + each[2]) / 3
        assert float(loss_of(LOGITS, truth, task, several)) == pytest.approx(expected, rel=1e-5)


def test_smoothed_truth_is_met_best_by_an_answer_that_leaves_as_much_open():
    truth = torch.tensor([0])
    sure, right = torch.tensor([[9.0, 0, 0]]), torch.tensor([[0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3]]).log()
    assert float(loss_of(right, truth, "single", smoothing=0.1)) < float(loss_of(sure, truth, "single", smoothing=0.1))
    entropy = -float((right.exp() * right).sum())
    assert float(loss_of(right, truth, "single", smoothing=0.1)) == pytest.approx(entropy, rel=1e-5)
    yes = torch.tensor([[0.95]]).logit()
    entropy = -(0.95 * np.log(0.95) + 0.05 * np.log(0.05))
    assert float(loss_of(yes, torch.tensor([[1]]), "multi", smoothing=0.1)) == pytest.approx(entropy, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("task", ["single", "multi"])
def test_the_loss_of_mixed_covers_is_mixed_alike(task: str, weighted: bool):
    truth = GENRE if task == "single" else GENRES
    weight = torch.rand(truth.shape) if weighted else None
    mix = Mix(torch.tensor([1, 2, 0]), torch.tensor([0.7, 0.2, 1.0]))
    expected = 0.0
    for row in range(3):
        for of, share in ((row, mix.share[row]), (int(mix.partner[row]), 1 - mix.share[row])):
            by = None if weight is None else weight[of : of + 1]
            expected += float(share * loss_of(LOGITS[row : row + 1], truth[of : of + 1], task, by)) / 3
    assert float(loss_of(LOGITS, truth, task, weight, mix=mix)) == pytest.approx(expected, rel=1e-5)
    alone = Mix(torch.tensor([1, 2, 0]), torch.ones(3))
    unmixed = float(loss_of(LOGITS, truth, task, weight))
    assert float(loss_of(LOGITS, truth, task, weight, mix=alone)) == pytest.approx(unmixed, rel=1e-5)


@given(some_truth_of_many, st.integers(0, 99), st.booleans())
def test_what_is_unknown_leaves_no_trace_in_loss_and_slope(truth: NDArray[np.int64], seed: int, weighted: bool):
    torch.manual_seed(seed)
    logits, told, weight = torch.randn(truth.shape), torch.from_numpy(truth), torch.rand(truth.shape)
    logits.requires_grad_()
    loss = loss_of(logits, told, "multi", weight if weighted else None)
    loss.backward()
    known = told >= 0
    assert logits.grad is not None
    assert not logits.grad[~known].any()
    if known.any():
        alone = [value[known][:, None] for value in (logits.detach(), told, weight)]
        expected = loss_of(alone[0], alone[1], "multi", alone[2] if weighted else None)
        assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-4)
        assert known_covers(told) * truth.shape[1] == pytest.approx(int(known.sum()))
    else:
        assert float(loss.detach()) == 0
        assert hits_of(logits, told) == (0, 0)


def test_a_mixed_cover_learns_a_genre_from_the_one_of_the_two_that_knows_it():
    logits, truth = torch.zeros(2, 2, requires_grad=True), torch.tensor([[1, -1], [-1, -1]])
    loss_of(logits, truth, "multi", mix=Mix(torch.tensor([1, 0]), torch.tensor([0.6, 0.5]))).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0] < 0).all()  # towards the genre, the second cover through its partner
    assert not logits.grad[:, 1].any()


def test_hits_count_the_first_of_the_known_genres_and_no_cover_without_any():
    truth = torch.tensor([[0, -1, 1], [-1, -1, -1], [0, 1, -1]])
    logits = torch.tensor([[1.0, 9.0, 2.0], [1.0, 2.0, 3.0], [1.0, 0.0, 9.0]])
    assert hits_of(logits, truth) == (1, 2)
    assert hits_of(LOGITS, GENRE) == (2, 3)


def test_hits_of_mixed_covers_are_those_of_which_more_is_seen():
    mix = Mix(torch.tensor([1, 0, 2]), torch.tensor([0.9, 0.1, 0.5]))
    logits = torch.tensor([[5.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    assert hits_of(logits, GENRE, mix) == (3, 3)
    assert hits_of(logits, GENRES, mix) == (3, 3)


@given(some_truth)
def test_under_balancing_weights_all_genres_weigh_the_same(truth: NDArray[np.int64]):
    weight = balancing_weights(truth)
    sums = np.bincount(truth, weights=weight)[np.unique(truth)]
    assert np.allclose(sums, sums[0], rtol=1e-5)
    assert weight.mean() == pytest.approx(1, rel=1e-5)


@given(some_truth_of_many)
def test_under_balancing_weights_having_a_genre_weighs_as_much_as_not(truth: NDArray[np.int64]):
    weight = balancing_weights(truth)
    assert weight.shape == truth.shape
    for has, counts in zip(truth.T, weight.T, strict=True):
        known = has >= 0
        assert not counts[~known].any()
        if known.any():
            assert counts[known].mean() == pytest.approx(1, rel=1e-5)
        if (has == 1).any() and (has == 0).any():
            assert counts[has == 1].sum() == pytest.approx(counts[has == 0].sum(), rel=1e-5)


@given(some_truth, st.integers(0, 99))
def test_balanced_draws_have_each_genre_equally_often_and_no_cover_more_than_once_more(
    truth: NDArray[np.int64], seed: int
):
    torch.manual_seed(seed)
    rows = balanced_draws(truth)
    genres = np.unique(truth)
    share = max(1, len(truth) // len(genres))
    assert [int((truth[rows] == genre).sum()) for genre in genres] == [share] * len(genres)
    times = np.bincount(rows, minlength=len(truth))
    for genre in genres:
        assert np.ptp(times[truth == genre]) <= 1
    torch.manual_seed(seed)
    assert np.array_equal(balanced_draws(truth), rows)


def test_balanced_draws_of_several_genres_a_cover_take_covers_that_have_each():
    truth = np.array([[1, 0, 0]] * 8 + [[1, 1, 0]] * 3 + [[0, 0, -1]])  # nobody has the third
    torch.manual_seed(0)
    times = np.bincount(balanced_draws(truth), minlength=12)
    assert times.sum() == 12
    assert times[8:11].sum() >= 6
    assert times[11] == 0
