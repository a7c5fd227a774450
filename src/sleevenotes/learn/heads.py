"""Heads: logistic regression on features, kept as two arrays.

The regularisation is chosen on valid. Features are standardised for the fit, and that is folded into the arrays
afterwards: `logits = features @ weight.T + bias` is all that predicting needs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.tasks import Kind
from sleevenotes.learn.calibration import log_loss, proba_of

Floats = NDArray[np.float64]

# inverse strengths of regularisation, weakest last; each is tried on valid
STRENGTHS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
ITERATIONS = 200


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
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-6] = 1.0  # a feature that never changes tells nothing, whatever its scale
    standardised = (features - mean) / deviation
    if task == "multi":
        weight, bias = _fit_sigmoids(standardised, truth, strength)
    else:
        weight, bias = _fit_softmax(standardised, truth, strength, genres)
    weight /= deviation  # (K, D)
    bias -= weight @ mean  # (K,)
    return Head(weight.astype(np.float32), bias.astype(np.float32))


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
    signs = (2 * truth - 1).astype(np.float32)  # (n, K)

    def objective(flat: Floats) -> tuple[float, Floats]:
        weight, bias = flat[: k * d].reshape(k, d).astype(np.float32), flat[k * d :].astype(np.float32)
        margins = signs * (features @ weight.T + bias)  # (n, K)
        loss = np.logaddexp(0, -margins).sum(dtype=np.float64) * strength + 0.5 * (flat[: k * d] ** 2).sum()
        pull = signs * (np.tanh(margins / 2) - 1) * np.float32(strength / 2)  # (n, K), of the loss by the logit
        slope = np.concatenate([(pull.T @ features).ravel(), pull.sum(axis=0)]).astype(np.float64)
        slope[: k * d] += flat[: k * d]
        return float(loss), slope

    shares = np.clip(truth.mean(axis=0), 1 / (2 * n), 1 - 1 / (2 * n))
    start = np.concatenate([np.zeros(k * d), np.log(shares / (1 - shares))])
    options = {"maxiter": ITERATIONS, "gtol": 1e-4 * strength * n}
    flat = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
    weight, bias = flat[: k * d].reshape(k, d), flat[k * d :]
    never, always = ~truth.any(axis=0), truth.all(axis=0)
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


def hit_rate(logits: NDArray[np.floating], truth: NDArray[np.int64]) -> float:
    """Return the share of covers whose first-placed genre is right; in `multi`: is one of the cover's genres."""
    first = logits.argmax(axis=1)
    hits = truth[np.arange(len(truth)), first] == 1 if truth.ndim == 2 else truth == first
    return float(hits.mean())
