"""Blends: heads that are tuned by what they say of covers they did not learn from, and weighted against one another.

Covers of train and valid are dealt into folds, groups apart, and each cover is answered by a head that learnt from
the other folds. These **out-of-fold answers** choose a head's strength, bring members of a blend to one scale, weigh
them, and calibrate what comes of it: with all of the covers, where valid alone would be a tenth of them. The head that
is kept then learns from all folds.

A blend adds up logits: `sum of weight · (scale · logits + shift)`. As each member's logits are linear in its features,
so is the blend in the features of all, and it is one head on them (`joined`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.tasks import Kind
from sleevenotes.learn import heads
from sleevenotes.learn.calibration import Floats, log_loss, proba_of
from sleevenotes.learn.heads import Head, HeadKind

FOLDS = 5
LARGEST_SCALE = 10.0  # of scores of deviation 1; where few covers are all told right, none would be large enough
NO_WEIGHT = 0.02  # a member that weighs less is left out

Features = NDArray[np.float32]
Truth = NDArray[np.int64]


@dataclass(frozen=True)
class Scale:
    """What makes comparable logits of a head's scores, (n, K): `scores · scale + shift`, a shift a genre.

    In `single` and `binary` it is one over the temperature, and there is no shift. In `multi` there is a shift a genre,
    as scores of targets 1 and -1 know little of how rare a genre is.
    """

    scale: float
    shift: Floats

    def logits(self, scores: NDArray[np.floating]) -> Floats:
        """Return comparable logits, (n, K)."""
        return np.asarray(scores, dtype=np.float64) * self.scale + self.shift

    def folded_into(self, head: Head) -> Head:
        """Return the head that gives comparable logits."""
        weight, bias = head.weight * self.scale, head.bias * self.scale + self.shift
        return Head(weight.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True)
class Tuned:
    """A form of head whose strength was chosen on out-of-fold answers.

    Parameters
    ----------
    kind, strength
        The form: `logistic` with scikit-learn's C, or `linear` or `likeness` with a penalty (`learn.heads`).
    scale
        Of the head's scores.
    answers
        Comparable logits, (n, K), out of fold.
    losses
        Log loss, in nats, of each strength that was tried.
    """

    kind: HeadKind
    strength: float
    scale: Scale
    answers: Floats
    losses: dict[float, float]


def tuned(
    features: Features, truth: Truth, fold: NDArray[np.intp], *, kind: HeadKind, task: Kind, genres: int
) -> Tuned:
    """Choose a head's strength by the log loss of its out-of-fold answers.

    Parameters
    ----------
    features, truth
        (n, D), and (n,), or (n, K) in `multi`. For `likeness` they are those of the covers to one another, (n, n).
    fold
        (n,), the fold of each cover.
    genres
        K.
    """
    told = _ANSWERS[kind](features, truth, fold, task=task, genres=genres)  # scores by strength
    scales = {strength: scale_of(scores, truth, task=task) for strength, scores in told.items()}
    logits = {strength: scales[strength].logits(scores) for strength, scores in told.items()}
    losses = {strength: log_loss(truth, proba_of(each, task=task)) for strength, each in logits.items()}
    best = min(losses, key=losses.__getitem__)
    return Tuned(kind, best, scales[best], logits[best], losses)


def _linear_answers(
    features: Features, truth: Truth, fold: NDArray[np.intp], *, task: Kind, genres: int
) -> dict[float, Features]:
    told = {penalty: np.zeros((len(features), genres), np.float32) for penalty in heads.PENALTIES}
    for number in np.unique(fold):
        asked = fold == number
        fitted = heads.fit_linear(features[~asked], truth[~asked], task=task, genres=genres)
        for penalty, head in zip(heads.PENALTIES, fitted, strict=True):
            told[penalty][asked] = head.logits(features[asked])
    return told


def _logistic_answers(
    features: Features, truth: Truth, fold: NDArray[np.intp], *, task: Kind, genres: int
) -> dict[float, Features]:
    """Return the scores of one strength: the one chosen on the first fold, as each costs an iterated fit a fold."""
    first = fold == fold.min()
    _, trials = heads.choose(
        (features[~first], truth[~first]), (features[first], truth[first]), task=task, genres=genres
    )
    strength = min(trials, key=lambda trial: trial.valid_loss).strength
    told = np.zeros((len(features), genres), np.float32)
    for number in np.unique(fold):
        asked = fold == number
        head = heads.fit(features[~asked], truth[~asked], task=task, strength=strength, genres=genres)
        told[asked] = head.logits(features[asked])
    return {strength: told}


def _likeness_answers(
    likenesses: Features, truth: Truth, fold: NDArray[np.intp], *, task: Kind, genres: int
) -> dict[float, Features]:
    told = {penalty: np.zeros((len(likenesses), genres), np.float32) for penalty in heads.LIKENESS_PENALTIES}
    for number in np.unique(fold):
        asked = fold == number
        to_others = likenesses[:, ~asked]  # nothing is asked how like a cover is to one of its own fold
        fitted = heads.fit_likeness(to_others[~asked], truth[~asked], task=task, genres=genres)
        for penalty, head in zip(heads.LIKENESS_PENALTIES, fitted, strict=True):
            told[penalty][asked] = head.logits(to_others[asked])
    return told


_ANSWERS = {"linear": _linear_answers, "logistic": _logistic_answers, "likeness": _likeness_answers}


def refitted(form: Tuned, features: Features, truth: Truth, *, task: Kind, genres: int) -> Head:
    """Return a head of a tuned form that learnt from all covers, and gives comparable logits."""
    if form.kind == "linear":
        (head,) = heads.fit_linear(features, truth, task=task, genres=genres, penalties=[form.strength])
    elif form.kind == "likeness":
        (head,) = heads.fit_likeness(features, truth, task=task, genres=genres, penalties=[form.strength])
    else:
        head = heads.fit(features, truth, task=task, strength=form.strength, genres=genres)
    return form.scale.folded_into(head)


def scale_of(scores: NDArray[np.floating], truth: Truth, *, task: Kind) -> Scale:
    """Return the scale, and in `multi` the shift of each genre, with the smallest log loss.

    Parameters
    ----------
    scores
        (n, K), of covers that the head did not learn from.
    """
    from scipy.optimize import minimize

    scores = np.asarray(scores, dtype=np.float64)
    genres = scores.shape[1]
    target, weight = _targets(truth, genres)
    usual = scores.std() or 1.0

    def objective(line: Floats) -> tuple[float, Floats]:
        logits = scores * (line[0] / usual) + line[1:]
        pull = (proba_of(logits, task=task) - target) * weight
        slope = (pull * scores).sum() / usual
        return log_loss(truth, proba_of(logits, task=task)), np.concatenate([[slope], pull.sum(axis=0)])

    free = (None, None) if task == "multi" else (0.0, 0.0)
    bounds = [(1e-3, LARGEST_SCALE), *[free] * genres]
    start = np.concatenate([[1.0], np.zeros(genres)])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Scale(float(found[0]) / usual, np.clip(found[1:], heads.UNSEEN_LOGIT, -heads.UNSEEN_LOGIT))


def _targets(truth: Truth, genres: int) -> tuple[Floats, Floats]:
    """Return targets of proba, (n, K) of 0 and 1, and the weight of each in the mean log loss, 0 where unknown."""
    if truth.ndim == 1:
        return np.eye(genres)[truth], np.full((len(truth), genres), 1 / len(truth))
    known = (truth >= 0).astype(np.float64)
    return (truth == 1).astype(np.float64), known / max(known.sum(), 1)


def blend_weights(answers: Sequence[Floats], truth: Truth, *, task: Kind) -> Floats:
    """Return the weights, (M,) of 0 or more, by which members' logits are added up to the smallest log loss.

    Parameters
    ----------
    answers
        Comparable logits of M members, (n, K) each, of covers that they did not learn from.

    Examples
    --------
    >>> right, wrong = np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])
    >>> blend_weights([right, wrong], np.array([0, 1]), task="single")[1]
    np.float64(0.0)
    """
    from scipy.optimize import minimize

    stacked = np.stack(answers)  # (M, n, K)
    target, weight = _targets(truth, stacked.shape[2])

    def objective(weights: Floats) -> tuple[float, Floats]:
        proba = proba_of(np.tensordot(weights, stacked, 1), task=task)
        pull = (proba - target) * weight
        return log_loss(truth, proba), np.asarray(np.tensordot(stacked, pull, 2))

    start = np.full(len(stacked), 1 / len(stacked))
    bounds = [(0.0, LARGEST_SCALE)] * len(stacked)
    return np.asarray(minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def blended_out_of_fold(answers: Sequence[Floats], truth: Truth, fold: NDArray[np.intp], *, task: Kind) -> Floats:
    """Return what a blend says of covers, (n, K), by weights that were found without their fold."""
    stacked = np.stack(answers)
    told = np.zeros_like(stacked[0])
    for number in np.unique(fold):
        asked = fold == number
        weights = blend_weights(list(stacked[:, ~asked]), truth[~asked], task=task)
        told[asked] = np.tensordot(weights, stacked[:, asked], 1)
    return np.asarray(told)


def joined(members: Sequence[tuple[float, Head]]) -> Head:
    """Return one head on the features of all members, one after the other, that says their weighted sum.

    Parameters
    ----------
    members
        The weight and the head of each.

    Examples
    --------
    >>> one, two = Head(np.eye(2, dtype=np.float32), np.ones(2, np.float32)), Head(np.eye(2), np.zeros(2))
    >>> joined([(0.5, one), (2.0, two)]).weight.tolist()
    [[0.5, 0.0, 2.0, 0.0], [0.0, 0.5, 0.0, 2.0]]
    """
    weight = np.concatenate([share * head.weight for share, head in members], axis=1)
    bias = sum((share * head.bias for share, head in members), start=np.zeros(len(weight)))
    return Head(weight.astype(np.float32), np.asarray(bias, dtype=np.float32))


def chosen_on_valid(
    train: tuple[Features, Truth], valid: tuple[Features, Truth], *, task: Kind, genres: int
) -> tuple[Head, float, dict[float, float]]:
    """Fit a linear head on train, and return the one with the smallest log loss on valid, where its scale is found.

    Returns
    -------
    The head, which gives logits; its penalty; and the log loss of each penalty, in nats.
    """
    fitted = heads.fit_linear(*train, task=task, genres=genres)
    scaled = [scale_of(head.logits(valid[0]), valid[1], task=task).folded_into(head) for head in fitted]
    each = [log_loss(valid[1], proba_of(head.logits(valid[0]), task=task)) for head in scaled]
    best = int(np.argmin(each))
    return scaled[best], heads.PENALTIES[best], dict(zip(heads.PENALTIES, each, strict=True))
