"""How good answers are: one figure of merit a function, pure functions on arrays.

Conventions
-----------
``truth``
    ``(n,)`` whole numbers, the column of each cover's genre, where a cover has one genre (tasks `single` and
    `binary`); or ``(n, K)`` of 0 and 1 where it has any number of them (task `multi`), and of -1 where nobody knows:
    such a pair of a cover and a genre is left out of every figure. In `binary`, column 0 is the genre looked for.
``proba``
    ``(n, K)``, how likely the model holds each genre to be, 0 to 1. Rows sum to one in `single` and `binary`.
``weights``
    How much each cover counts, not negative: ``None`` (once each), ``(n,)``, or ``(B, n)`` for B weightings at once,
    as `sleevenotes.judge.resampling.group_weights` draws them for a bootstrap. Whole numbers mean the same as to
    repeat the covers; only the weights' proportions matter, but for `confusion` and the masses of `reliability`, which
    are sums.
Returned
    One number, or ``(K,)`` where a figure has a value for each genre; with ``(B, n)`` weights ``(B,)`` or ``(B, K)``.
Units
    Figures are fractions, 0 to 1 (0.38 is 38 %), and more is better, but for `log_loss` (in nats, from 0), `brier` (0
    to 2) and `calibration_error` (a fraction), where less is better.
The predicted genre
    With one genre a cover, the one with the greatest proba, the first of these where several are equal. With any
    number of them, all whose proba reaches the genre's threshold, which is 0.5 where nothing else is given.
Not a number
    A mean over covers or genres is nan where there is nothing to average (all weights are zero); else a figure is nan
    only where its docstring says so. Nothing ever warns.

Figures of order stand in `sleevenotes.judge.ranking`, those of percentages in `sleevenotes.judge.reliability`.

Raises
------
EvaluationError
    Everywhere: no covers, shapes that do not fit together, a truth that names no column, a proba that is nan or
    infinite, a weight that is negative or not finite.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError
from sleevenotes.judge.ranking import (
    average_precision,
    label_ranking_average_precision,
    micro_average_precision,
    micro_roc_auc,
    ranking_precision,
    roc_auc,
)
from sleevenotes.judge.reliability import (
    BINS,
    Reliability,
    among_surest,
    area_under_risk,
    calibration_error,
    likeliest_right,
    reliability,
)
from sleevenotes.judge.weighing import (
    UNKNOWN,
    Floats,
    average,
    checked,
    indicator,
    one_genre,
    predicted,
    ratio,
    resampled,
)

__all__ = [
    "BINS", "THRESHOLD", "Floats", "Reliability", "accuracy", "among_surest", "area_under_risk", "average",
    "average_precision", "balanced_accuracy", "brier", "calibration_error", "confusion", "correct", "f1",
    "label_ranking_average_precision", "likeliest_right", "log_loss", "macro_f1", "micro_average_precision",
    "micro_f1", "micro_roc_auc", "over_genres", "precision", "predicted", "ranking_precision", "recall",
    "reliability", "roc_auc", "top_k_accuracy", "true_and_named", "within_top_k",
]  # fmt: skip

THRESHOLD = 0.5


# -------------------------------------------------------------------------------- what the model says


def correct(truth: ArrayLike, proba: ArrayLike) -> Floats:
    """Return 1 for each cover whose predicted genre is the true one, else 0; (n,).

    Examples
    --------
    >>> correct([1, 1], [[0.2, 0.8], [0.5, 0.5]]).tolist()
    [1.0, 0.0]
    """
    genre, proba = one_genre(truth, proba)
    right: NDArray[np.bool_] = predicted(proba) == genre
    return right.astype(np.float64)


# -------------------------------------------------------------------------------- means over covers


def accuracy(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the share of covers whose predicted genre is the true one.

    Examples
    --------
    >>> float(accuracy([0, 1, 1, 0], [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]))
    0.75
    """
    return average(correct(truth, proba), weights)


def top_k_accuracy(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, k: int = 2) -> Floats:
    """Return how often the true genre is among the k most likely ones.

    Where the true genre is tied with others at the border, the cover counts with the chance that a fair draw among the
    tied ones takes it in: with ``a`` genres more likely and ``t`` as likely (itself among them), ``min(1, max(0, (k −
    a) / t))``. So a proba that is the same for all genres gets k/K, whatever their order. (scikit-learn's
    ``top_k_accuracy_score`` takes the last of the tied ones.) For ``k=1`` this is `accuracy`, but for ties.

    Examples
    --------
    The second cover's genre is the third of three, the third cover's are all alike (2/3):

    >>> proba = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]]
    >>> float(top_k_accuracy([1, 2, 0], proba, k=2).round(3))
    0.556
    """
    return average(within_top_k(truth, proba, k=k), weights)


def within_top_k(truth: ArrayLike, proba: ArrayLike, *, k: int = 2) -> Floats:
    """Return the score of each cover that `top_k_accuracy` is the mean of, (n,).

    Examples
    --------
    >>> within_top_k([1, 2], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], k=2).tolist()
    [1.0, 0.0]
    """
    if k < 1:
        raise EvaluationError("top-k accuracy", f"k = {k}", "It is a number of genres, 1 or more")
    genre, proba = one_genre(truth, proba)
    own = proba[np.arange(len(genre)), genre][:, None]  # (n, 1)
    above = (proba > own).sum(axis=1)  # (n,)
    tied = (proba == own).sum(axis=1)  # (n,)
    scores: Floats = np.clip((k - above) / tied, 0.0, 1.0)
    return scores


def log_loss(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the mean surprise at the truth, in nats: 0 for certainty in what is true, ``ln K`` for a shrug.

    One genre a cover: ``−ln p_truth``. Any number: the mean over genres of ``−y ln p − (1 − y) ln(1 − p)``. Probas are
    first clipped to ``[ε, 1 − ε]``, ε being that of their floating type, as in ``sklearn.metrics.log_loss``, so that
    it stays finite.

    Notes
    -----
    Good, Rational Decisions, J. Royal Statistical Society B 14 (1952).

    Examples
    --------
    (ln 2 + ln 4) / 2:

    >>> float(log_loss([0, 0], [[0.5, 0.5], [0.25, 0.75]]).round(3))
    1.04
    """
    truth, proba = checked(truth, proba)
    kind = proba.dtype if np.issubdtype(proba.dtype, np.floating) else np.dtype(np.float64)
    epsilon = np.finfo(kind).eps
    p = np.clip(proba.astype(kind), epsilon, 1 - epsilon).astype(np.float64)  # (n, K)
    if truth.ndim == 1:
        return average(-np.log(p[np.arange(len(truth)), truth]), weights)
    return average(_over_known(truth, -np.log(np.where(truth > 0, p, 1 - p))), weights)


def brier(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the mean squared error of the probas.

    One genre a cover: ``Σ_k (p_k − y_k)²``, the sum over the genres, 0 to 2, in `binary` too (which is twice the
    figure that some give for two genres). Any number: the mean over the genres, 0 to 1.

    Notes
    -----
    Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78 (1950). As
    ``sklearn.metrics.brier_score_loss(..., scale_by_half=False)``.

    Examples
    --------
    (0.25² + 0.25²) and (1² + 1²):

    >>> float(brier([0, 0], [[0.75, 0.25], [0.0, 1.0]]))
    1.0625
    """
    truth, proba = checked(truth, proba)
    squares = np.square(proba - indicator(truth, proba.shape[1]).astype(np.float64))  # (n, K)
    return average(squares.sum(axis=1) if truth.ndim == 1 else _over_known(truth, squares), weights)


def _over_known(truth: NDArray[np.int64], scores: Floats) -> Floats:
    """Return the mean of each cover's scores, (n, K), over the genres of which it is known whether it has them."""
    known = truth != UNKNOWN
    return ratio(np.where(known, scores, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


# -------------------------------------------------------------------------------- right and wrong by genre


def confusion(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return how many covers of each genre (rows) were taken for each genre (columns), (K, K) or (B, K, K).

    Examples
    --------
    >>> confusion([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    genre, proba = one_genre(truth, proba)
    k = proba.shape[1]
    cell = genre * k + predicted(proba)  # (n,)
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)

    def counts(w: Floats) -> Floats:  # (b, n) -> (b, K, K)
        table = np.zeros((len(w), k * k))
        table[:, cells] = np.add.reduceat(w[:, order], starts, axis=1)
        return table.reshape(-1, k, k)

    return resampled(counts, weights, len(genre))


def precision(
    truth: ArrayLike,
    proba: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    thresholds: ArrayLike | None = None,
    zero: float = 0.0,
) -> Floats:
    """Return, for each genre, the share of right ones among the covers that the model gives it, (K,).

    Parameters
    ----------
    truth, proba, weights
        As everywhere in this module.
    thresholds
        One number, or one a genre, (K,): the proba from which a genre is predicted, where a cover has any number of
        genres.
    zero
        What a genre gets that is never predicted (scikit-learn's ``zero_division``).

    Examples
    --------
    >>> precision([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).tolist()
    [0.5, 1.0]
    """
    return _by_genre(lambda hit, true, said: ratio(hit, said, zero), truth, proba, weights, thresholds)


def recall(
    truth: ArrayLike,
    proba: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    thresholds: ArrayLike | None = None,
    zero: float = 0.0,
) -> Floats:
    """Return, for each genre, the share of its covers that the model finds, (K,).

    Parameters are those of `precision`; ``zero`` is what a genre gets that no cover has.

    Examples
    --------
    >>> recall([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).tolist()
    [1.0, 0.5]
    """
    return _by_genre(lambda hit, true, said: ratio(hit, true, zero), truth, proba, weights, thresholds)


def f1(
    truth: ArrayLike,
    proba: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    thresholds: ArrayLike | None = None,
    zero: float = 0.0,
) -> Floats:
    """Return, for each genre, the harmonic mean of its precision and recall, ``2 tp / (2 tp + fp + fn)``, (K,).

    Parameters are those of `precision`; ``zero`` is what a genre gets that no cover has and that is never predicted.

    Notes
    -----
    van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7.

    Examples
    --------
    >>> f1([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).round(3).tolist()
    [0.667, 0.667]
    """
    return _by_genre(lambda hit, true, said: ratio(2 * hit, true + said, zero), truth, proba, weights, thresholds)


def macro_f1(
    truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, thresholds: ArrayLike | None = None
) -> Floats:
    """Return the mean of `f1` over the genres that some cover has or is predicted to have.

    As ``sklearn.metrics.f1_score(..., average="macro", zero_division=0)`` with one genre a cover; where a cover has
    any number of them, scikit-learn takes the genres that are neither there nor predicted for zeros, which are left
    out here.

    Examples
    --------
    The third genre is nowhere: (2/3 + 2/3) / 2.

    >>> float(macro_f1([0, 1, 1], [[0.9, 0.1, 0], [0.6, 0.4, 0], [0.2, 0.8, 0]]).round(3))
    0.667
    """
    return over_genres(f1(truth, proba, weights, thresholds=thresholds, zero=np.nan))


def micro_f1(
    truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, thresholds: ArrayLike | None = None
) -> Floats:
    """Return F1 over all pairs of a cover and a genre, so that common genres count more.

    It is 0 where no pair is true or predicted. With one genre a cover it is the `accuracy`. As
    ``sklearn.metrics.f1_score(..., average="micro", zero_division=0)``.

    Examples
    --------
    Two hits, one genre missed, none too many, 2·2 / (2·2 + 1):

    >>> float(micro_f1([[1, 1], [0, 1]], [[0.9, 0.2], [0.1, 0.8]]))
    0.8
    """

    def pooled(hit: Floats, true: Floats, said: Floats) -> Floats:
        return ratio(2 * hit.sum(axis=1), (true + said).sum(axis=1), 0.0)

    return _by_genre(pooled, truth, proba, weights, thresholds)


def balanced_accuracy(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the mean of `recall` over the genres that some cover has: the accuracy if all genres were equally common.

    As ``sklearn.metrics.balanced_accuracy_score``, and the same as the macro recall.

    Examples
    --------
    The accuracy is 3/4; the genres' recalls are 1 and 0.

    >>> float(balanced_accuracy([0, 0, 0, 1], [[0.9, 0.1]] * 4))
    0.5
    """
    genre, proba = one_genre(truth, proba)
    return over_genres(recall(genre, proba, weights, zero=np.nan))


def over_genres(values: ArrayLike) -> Floats:
    """Return the mean over the last axis, the genres, leaving out those that are nan; nan where all are.

    Examples
    --------
    >>> over_genres([[0.5, 1.0, float("nan")], [0.0, 1.0, 0.5]]).tolist()
    [0.75, 0.5]
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


def _by_genre(
    figure: Callable[[Floats, Floats, Floats], Floats],
    truth: ArrayLike,
    proba: ArrayLike,
    weights: ArrayLike | None,
    thresholds: ArrayLike | None,
) -> Floats:
    """Return what ``figure`` makes of the mass of hits, of true and of predicted genres, (b, K) each."""
    true, said = true_and_named(truth, proba, thresholds=thresholds)
    return resampled(lambda w: figure(w @ (true * said), w @ true, w @ said), weights, len(true))


def true_and_named(truth: ArrayLike, proba: ArrayLike, *, thresholds: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Return 1 for each genre that a cover has, (n, K), and for each that it is predicted to have; 0 where unknown.

    Examples
    --------
    >>> true, named = true_and_named([[1, -1]], [[0.2, 0.9]])
    >>> true.tolist(), named.tolist()
    ([[1.0, 0.0]], [[0.0, 0.0]])
    """
    truth, proba = checked(truth, proba)
    k = proba.shape[1]
    if truth.ndim == 1:
        if thresholds is not None:
            raise EvaluationError("thresholds", "given for one genre a cover", "There the likeliest genre is predicted")
        said = indicator(predicted(proba), k).astype(np.float64)  # (n, K)
    else:
        limits = np.asarray(THRESHOLD if thresholds is None else thresholds, dtype=np.float64)
        if limits.shape not in ((), (k,)):
            expected = f"One number, or one for each of {k} genres, was expected"
            raise EvaluationError("thresholds", f"an array of shape {limits.shape}", expected)
        said = (proba >= limits).astype(np.float64)
        said *= truth != UNKNOWN
    return (indicator(truth, k) > 0).astype(np.float64), said
