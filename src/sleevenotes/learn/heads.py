"""Heads on features, kept as two arrays: logistic regression, and linear regression on targets of 1 and -1.

The regularisation is chosen on covers that a head did not learn from. Features are standardised for the fit, and that
is folded into the arrays afterwards: `logits = features @ weight.T + bias` is all that predicting needs. What a linear
head says are scores, not logits; a scale found by `learn.blends` makes logits of them.

In `multi` a truth of -1 is unknown: such a cover is left out of the fit of that genre.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.tasks import Kind
from sleevenotes.learn.calibration import log_loss, proba_of

Floats = NDArray[np.float64]

# inverse strengths of regularisation, weakest last; each is tried on valid
STRENGTHS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
ITERATIONS = 200

# penalties of linear heads, strongest first, in shares of what a direction of the features has of all their variance
PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)

# the same of heads on likenesses, which are 1 of a cover to itself
LIKENESS_PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1)

HeadKind = Literal["logistic", "linear", "likeness"]
HEADS: tuple[HeadKind, ...] = ("logistic", "linear")  # on any features; the third is for likenesses alone


@dataclass(frozen=True)
class Head:
    """A linear head.

    Parameters
    ----------
    weight
        (K, D).
    bias
        (K,).

    Examples
    --------
    >>> head = Head(np.array([[1, 0], [0, 2]], dtype=np.float32), np.zeros(2, dtype=np.float32))
    >>> head.logits(np.array([[3, 4]], dtype=np.float32)).tolist()
    [[3.0, 8.0]]
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits, (n, K), of features, (n, D)."""
        return features @ self.weight.T + self.bias


@dataclass(frozen=True)
class Trial:
    """One strength of regularisation, and what it scored on valid."""

    strength: float
    train_loss: float
    valid_loss: float
    valid_accuracy: float


def fit(features: NDArray[np.float32], truth: NDArray[np.int64], *, task: Kind, strength: float, genres: int) -> Head:
    """Fit logistic regression with an L2 penalty: softmax, or one sigmoid a genre in `multi`.

    Parameters
    ----------
    features
        (n, D).
    truth
        (n,), or (n, K) in `multi`.
    strength
        Inverse strength of the penalty, scikit-learn's `C`.
    genres
        K. A genre without a cover in train gets a logit far below the others.
    """
    standardised, mean, deviation = _standardised(features)
    if task == "multi":
        weight, bias = _fit_sigmoids(standardised, truth, strength)
    else:
        weight, bias = _fit_softmax(standardised, truth, strength, genres)
    return _unfolded(weight, bias, mean, deviation)


def _standardised(features: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Return features with mean 0 and deviation 1, (n, D), and the means and deviations that they had, (D,)."""
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-6] = 1.0  # a feature that never changes tells nothing, whatever its scale
    return (features - mean) / deviation, mean, deviation


def _unfolded(weight: Floats, bias: Floats, mean: Floats, deviation: Floats) -> Head:
    """Return the head on features as they are of one on standardised features, (K, D) and (K,)."""
    weight = weight / deviation  # (K, D)
    return Head(weight.astype(np.float32), (bias - weight @ mean).astype(np.float32))


def fit_linear(
    features: NDArray[np.float32],
    truth: NDArray[np.int64],
    *,
    task: Kind,
    genres: int,
    penalties: Sequence[float] = PENALTIES,
) -> list[Head]:
    """Fit linear regression with an L2 penalty on targets of 1 for a genre's covers and -1 for all others.

    In closed form: with X the standardised features, the weights for a penalty p are (X' X + p m)⁻¹ X' Y, m being the
    mean of the eigenvalues of X' X that need not be 0. Where there are more features than covers, they are
    X' (X X' + p m)⁻¹ Y, which is the same.

    Parameters
    ----------
    features
        (n, D).
    truth
        (n,), or (n, K) of 1, 0 and -1 (unknown) in `multi`.
    genres
        K.
    penalties
        Each is a multiple of m, so that it means the same however many features and covers there are.

    Returns
    -------
    One head a penalty.
    """
    hits = truth == 1 if task == "multi" else truth[:, None] == np.arange(genres)
    targets = np.where(hits, 1.0, -1.0)  # (n, K)
    fitted = [(np.zeros((genres, features.shape[1])), np.full(genres, UNSEEN_LOGIT)) for _ in penalties]
    for rows, columns in _known_together(truth, genres):
        standardised, mean, deviation = _standardised(features[rows])
        solved = _ridge(standardised, targets[np.ix_(rows, columns)], penalties)
        for (weight, bias), (part_weight, part_bias) in zip(fitted, solved, strict=True):
            weight[columns] = part_weight / deviation
            bias[columns] = part_bias - weight[columns] @ mean
    return [Head(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in fitted]


def fit_likeness(
    likenesses: NDArray[np.float32],
    truth: NDArray[np.int64],
    *,
    task: Kind,
    genres: int,
    penalties: Sequence[float] = LIKENESS_PENALTIES,
) -> list[Head]:
    """Fit kernel regression on targets of 1 for a genre's covers and -1 for all others.

    With K the likenesses without their means by row and column, and Y the targets without theirs, the weight of each
    cover is (K + p)⁻¹ Y for a penalty p.

    Parameters
    ----------
    likenesses
        (n, n), of covers to one another (`learn.likeness`).
    truth
        (n,), or (n, K) of 1, 0 and -1 (unknown) in `multi`.

    Returns
    -------
    One head a penalty, on the likenesses of a cover to these n.
    """
    hits = truth == 1 if task == "multi" else truth[:, None] == np.arange(genres)
    targets = np.where(hits, 1.0, -1.0)  # (n, K)
    fitted = [(np.zeros((genres, len(truth))), np.full(genres, UNSEEN_LOGIT)) for _ in penalties]
    for rows, columns in _known_together(truth, genres):
        own = likenesses[np.ix_(rows, rows)].astype(np.float64)
        middle = own.mean(axis=0)
        centred = own - middle - middle[:, None] + middle.mean()
        wanted = targets[np.ix_(rows, columns)]
        for (weight, bias), penalty in zip(fitted, penalties, strict=True):
            solved = _solved(centred, wanted - wanted.mean(axis=0), penalty)  # (n, K), each sums to 0
            weight[np.ix_(columns, rows)] = solved.T
            bias[columns] = wanted.mean(axis=0) - middle @ solved
    return [Head(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in fitted]


def _known_together(truth: NDArray[np.int64], genres: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield rows and columns of truth for which it is known: all at once, but for genres that are unknown somewhere."""
    if truth.ndim == 1:
        yield np.arange(len(truth)), np.arange(genres)
        return
    known, which = np.unique(truth >= 0, axis=1, return_inverse=True)  # (n, patterns), (K,)
    for number, pattern in enumerate(known.T):
        if pattern.any():
            yield np.flatnonzero(pattern), np.flatnonzero(which == number)


def _ridge(features: Floats, targets: Floats, penalties: Sequence[float]) -> Iterator[tuple[Floats, Floats]]:
    """Yield weight, (K, D), and bias, (K,), for each penalty, of standardised features, (n, D), and targets, (n, K)."""
    n, d = features.shape
    middle = targets.mean(axis=0)
    wide = d > n
    products = features @ features.T if wide else features.T @ features  # (min(n, D), min(n, D))
    wanted = (targets - middle) if wide else features.T @ (targets - middle)
    mean_value = float(np.trace(products)) / min(n, d) or 1.0
    for penalty in penalties:
        solved = _solved(products, wanted, penalty * mean_value)
        yield (features.T @ solved if wide else solved).T, middle


def _solved(matrix: Floats, wanted: Floats, penalty: float) -> Floats:
    """Return (matrix + penalty)⁻¹ wanted, of a symmetric matrix without negative eigenvalues.

    By Cholesky's factors: for eight penalties that is still less work than one decomposition into eigenvectors.
    """
    from scipy.linalg import cho_factor, cho_solve

    penalised = matrix.copy()
    penalised[np.diag_indices_from(penalised)] += penalty
    return np.asarray(cho_solve(cho_factor(penalised, lower=True, overwrite_a=True), wanted))


UNSEEN_LOGIT = -30.0


def _fit_softmax(features: Floats, truth: NDArray[np.int64], strength: float, genres: int) -> tuple[Floats, Floats]:
    """Return weight, (K, D), and bias, (K,), of standardised features, (n, D), and truth, (n,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weight, bias = np.zeros((genres, features.shape[1])), np.full(genres, UNSEEN_LOGIT)
    seen = np.unique(truth)
    if len(seen) == 1:
        bias[seen] = -UNSEEN_LOGIT
        return weight, bias
    with warnings.catch_warnings():
        # the strength is chosen on valid whether or not the last digits have settled
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=strength, max_iter=ITERATIONS).fit(features, truth)
    if len(seen) == 2:  # scikit-learn keeps one row for two genres: the second against the first
        weight[seen], bias[seen] = fitted.coef_ * [[-0.5], [0.5]], fitted.intercept_ * [-0.5, 0.5]
    else:
        weight[seen], bias[seen] = fitted.coef_, fitted.intercept_
    return weight, bias


def _fit_sigmoids(features: Floats, truth: NDArray[np.int64], strength: float) -> tuple[Floats, Floats]:
    """Return weight, (K, D), and bias, (K,), of standardised features, (n, D), and truth, (n, K).

    The objective is scikit-learn's, of all genres at once: a loop over 55 genres takes some ten times as long.
    """
    from scipy.optimize import minimize

    n, d, k = *features.shape, truth.shape[1]
    features = features.astype(np.float32)  # twice as fast, and far more exact than the strength is known
    signs = np.where(truth == 1, 1, -1).astype(np.float32)  # (n, K)
    known = (truth >= 0).astype(np.float32)  # (n, K)

    def objective(flat: Floats) -> tuple[float, Floats]:
        weight, bias = flat[: k * d].reshape(k, d).astype(np.float32), flat[k * d :].astype(np.float32)
        margins = signs * (features @ weight.T + bias)  # (n, K)
        loss = (known * np.logaddexp(0, -margins)).sum(dtype=np.float64) * strength + 0.5 * (flat[: k * d] ** 2).sum()
        pull = known * signs * (np.tanh(margins / 2) - 1) * np.float32(strength / 2)  # (n, K), of the loss by the logit
        slope = np.concatenate([(pull.T @ features).ravel(), pull.sum(axis=0)]).astype(np.float64)
        slope[: k * d] += flat[: k * d]
        return float(loss), slope

    told = np.maximum(known.sum(axis=0), 1)
    shares = np.clip((truth == 1).sum(axis=0) / told, 1 / (2 * n), 1 - 1 / (2 * n))
    start = np.concatenate([np.zeros(k * d), np.log(shares / (1 - shares))])
    options = {"maxiter": ITERATIONS, "gtol": 1e-4 * strength * n}
    flat = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
    weight, bias = flat[: k * d].reshape(k, d), flat[k * d :]
    never, always = ~(truth == 1).any(axis=0), (truth == 1).any(axis=0) & ~(truth == 0).any(axis=0)
    weight[never | always] = 0
    bias[never], bias[always] = UNSEEN_LOGIT, -UNSEEN_LOGIT
    return weight, bias


def choose(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    valid: tuple[NDArray[np.float32], NDArray[np.int64]],
    *,
    task: Kind,
    genres: int,
) -> tuple[Head, list[Trial]]:
    """Fit a head for each strength on train, and return the one with the smallest log loss on valid.

    Strengths are tried from strong regularisation to weak; two in a row that do no better than the best end it.

    Parameters
    ----------
    train, valid
        Features, (n, D), and truth.
    """
    trials: list[Trial] = []
    best: Head | None = None
    for strength in STRENGTHS:
        head = fit(*train, task=task, strength=strength, genres=genres)
        trial = _try(head, strength, train, valid, task)
        if best is None or trial.valid_loss < min(earlier.valid_loss for earlier in trials):
            best = head
        trials.append(trial)
        losses = [earlier.valid_loss for earlier in trials]
        if len(losses) > 2 and min(losses[-2:]) > min(losses):
            break
    assert best is not None  # STRENGTHS is not empty
    return best, trials


def _try(
    head: Head,
    strength: float,
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    valid: tuple[NDArray[np.float32], NDArray[np.int64]],
    task: Kind,
) -> Trial:
    losses = [log_loss(truth, proba_of(head.logits(features), task=task)) for features, truth in (train, valid)]
    return Trial(strength, losses[0], losses[1], hit_rate(head.logits(valid[0]), valid[1]))


def centred(head: Head) -> Head:
    """Return a head of two genres with half of the difference for one and against the other, and the same proba.

    A network learns one logit of two genres, and the other's is 0 whatever the cover: no map could be drawn of what
    speaks for it.

    Examples
    --------
    >>> centred(Head(np.array([[2.0], [0.0]], np.float32), np.array([1.0, 0.0], np.float32))).weight.tolist()
    [[1.0], [-1.0]]
    """
    return Head(head.weight - head.weight.mean(axis=0), head.bias - head.bias.mean())


def hit_rate(logits: NDArray[np.floating], truth: NDArray[np.int64]) -> float:
    """Return the share of covers whose first-placed genre is right; in `multi`: is one of the cover's genres."""
    first = logits.argmax(axis=1)
    hits = truth[np.arange(len(truth)), first] == 1 if truth.ndim == 2 else truth == first
    return float(hits.mean())
