"""From logits to percentages that mean something.

A network is surer than it should be. One number, the temperature, found on covers that it was not trained on, makes
its percentages come true on the whole, without changing which genre comes first: `softmax(logits / temperature)`
(Guo et al. 2017, "On calibration of modern neural networks", https://arxiv.org/abs/1706.04599), and
`sigmoid(logits / temperature)` where genres are independent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.tasks import Kind

Floats = NDArray[np.float64]

TEMPERATURE_RANGE = (0.05, 20.0)
SMALLEST_PROBA = 1e-15
ENOUGH_POSITIVES = 20


def proba_of(logits: NDArray[np.floating], *, task: Kind, temperature: float = 1.0) -> Floats:
    """Return proba, (n, K), of logits, (n, K).

    Examples
    --------
    >>> proba_of(np.array([[0.0, 0.0]]), task="single").tolist()
    [[0.5, 0.5]]
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if task == "multi":
        # the sigmoid, without overflow, and exact where it is small: unlikely genres keep their order
        small = np.exp(-np.abs(scaled))
        return np.asarray(np.where(scaled < 0, small, 1.0) / (1 + small))
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def log_loss(truth: NDArray[np.int64], proba: Floats) -> float:
    """Return the mean negative log-likelihood in nats: of the true genre, or over all answers in `multi`."""
    if truth.ndim == 1:
        likelihood = proba[np.arange(len(truth)), truth]  # (n,)
    else:
        likelihood = np.where(truth == 1, proba, 1 - proba)  # (n, K)
    return float(-np.log(np.clip(likelihood, SMALLEST_PROBA, None)).mean())


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.int64], *, task: Kind) -> float:
    """Return the temperature, 0.05 to 20, with the smallest log loss.

    Parameters
    ----------
    logits
        (n, K), of covers that the network was not trained on.
    truth
        (n,), or (n, K) in `multi`.
    """
    from scipy.optimize import minimize_scalar

    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(
        lambda logarithm: log_loss(truth, proba_of(logits, task=task, temperature=float(np.exp(logarithm)))),
        bounds=(low, high),
        method="bounded",
    )
    return float(np.exp(found.x))


def fit_thresholds(proba: Floats, truth: NDArray[np.int64]) -> list[float]:
    """Return for each genre of `multi` the proba from which it is named, found on valid.

    The threshold with the best F1 of that genre; where it has fewer than 20 positives, that of all genres pooled.

    Parameters
    ----------
    proba, truth
        (n, K).
    """
    pooled = _best_threshold(proba.ravel(), truth.ravel())
    return [
        _best_threshold(column, answers) if answers.sum() >= ENOUGH_POSITIVES else pooled
        for column, answers in zip(proba.T, truth.T, strict=True)
    ]


def _best_threshold(proba: Floats, truth: NDArray[np.int64]) -> float:
    """Return the proba, of those that occur, at which F1 = 2 TP / (named + positives) is largest."""
    if not truth.any():
        return 0.5
    order = np.argsort(-proba, kind="stable")
    hits = np.cumsum(truth[order])
    named = np.arange(1, len(proba) + 1)
    f1 = 2 * hits / (named + truth.sum())
    last_of_its_value = np.append(np.diff(proba[order]) != 0, True)
    return float(proba[order][np.argmax(np.where(last_of_its_value, f1, -1))])
