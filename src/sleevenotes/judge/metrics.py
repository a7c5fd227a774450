"""How good answers are: one figure of merit a function, pure functions on arrays.

Conventions
-----------
``truth``
    ``(n,)`` whole numbers, the column of each cover's genre, where a cover has one genre (tasks `single` and
    `binary`); or ``(n, K)`` of 0 and 1 where it has any number of them (task `multi`). In `binary`, column 0 is the
    genre looked for.
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

Raises
------
EvaluationError
    Everywhere: no covers, shapes that do not fit together, a truth that names no column, a proba that is nan or
    infinite, a weight that is negative or not finite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError

Floats = NDArray[np.float64]

BINS = 10
THRESHOLD = 0.5
_BLOCK = 1 << 17  # numbers in a block of resamples: 1 MB at a time stays in the cache, whatever B and n


# -------------------------------------------------------------------------------- what the model says


def predicted(proba: ArrayLike) -> NDArray[np.int64]:
    """Return the column of the most likely genre of each cover, (n,); the first one where several are equal.

    Examples
    --------
    >>> predicted([[0.2, 0.8], [0.5, 0.5]]).tolist()
    [1, 0]
    """
    columns: NDArray[np.int64] = np.asarray(proba).argmax(axis=1)
    return columns


def correct(truth: ArrayLike, proba: ArrayLike) -> Floats:
    """Return 1 for each cover whose predicted genre is the true one, else 0; (n,).

    Examples
    --------
    >>> correct([1, 1], [[0.2, 0.8], [0.5, 0.5]]).tolist()
    [1.0, 0.0]
    """
    genre, proba = _one_genre(truth, proba)
    right: NDArray[np.bool_] = predicted(proba) == genre
    return right.astype(np.float64)


def ranking_precision(truth: ArrayLike, proba: ArrayLike) -> Floats:
    """Return each cover's precision of its ranked genres, (n,), 0 to 1.

    For each true genre: of the genres held at least as likely as it, the share that is true as well; the mean of these
    over the true genres, ``1/|T| Σ_{j ∈ T} |{i ∈ T: p_i ≥ p_j}| / |{i: p_i ≥ p_j}|``. A cover of no genre, or of all,
    can't be ranked wrongly and has 1.

    Notes
    -----
    Schapire and Singer, BoosTexter, Machine Learning 39 (2000), section 2 ("average precision"), with ties counted
    against the model, as ``sklearn.metrics.label_ranking_average_precision_score`` does.

    Examples
    --------
    The true genre comes second of three, then the two true ones come first and third, (1/1 + 2/3) / 2:

    >>> ranking_precision([[0, 1, 0], [1, 0, 1]], [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]).round(3).tolist()
    [0.5, 0.833]
    """
    genres, proba = _answers(truth, proba)
    if genres.ndim != 2:
        raise EvaluationError("metrics", f"truth of shape {genres.shape}", "Any number of genres, (n, K), was expected")
    n, k = proba.shape
    scores = np.ones(n)
    rows = max(1, _BLOCK // (k * k))
    for start in range(0, n, rows):
        true, p = genres[start : start + rows], proba[start : start + rows]  # (m, K)
        above = p[:, None, :] >= p[:, :, None]  # (m, K, K): [cover, j, i] is p_i >= p_j
        precision = (above & (true[:, None, :] > 0)).sum(axis=2) / above.sum(axis=2)  # (m, K)
        found = true.sum(axis=1)  # (m,)
        ranked = (found > 0) & (found < k)
        scores[start : start + rows][ranked] = (precision * true).sum(axis=1)[ranked] / found[ranked]
    return scores


# -------------------------------------------------------------------------------- means over covers


def average(scores: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the weighted mean ``Σ w s / Σ w`` of one score a cover, (n,).

    Examples
    --------
    >>> float(average([0, 1, 1], [2, 1, 1]))
    0.5
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise EvaluationError("scores", f"an array of shape {scores.shape}", "One score a cover, (n,), was expected")
    return _resampled(lambda w: _ratio(w @ scores, w.sum(axis=1)), weights, len(scores))


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
    if k < 1:
        raise EvaluationError("top-k accuracy", f"k = {k}", "It is a number of genres, 1 or more")
    genre, proba = _one_genre(truth, proba)
    own = proba[np.arange(len(genre)), genre][:, None]  # (n, 1)
    above = (proba > own).sum(axis=1)  # (n,)
    tied = (proba == own).sum(axis=1)  # (n,)
    return average(np.clip((k - above) / tied, 0.0, 1.0), weights)


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
    truth, proba = _answers(truth, proba)
    kind = proba.dtype if np.issubdtype(proba.dtype, np.floating) else np.dtype(np.float64)
    epsilon = np.finfo(kind).eps
    p = np.clip(proba.astype(kind), epsilon, 1 - epsilon).astype(np.float64)  # (n, K)
    if truth.ndim == 1:
        return average(-np.log(p[np.arange(len(truth)), truth]), weights)
    return average(-np.log(np.where(truth > 0, p, 1 - p)).mean(axis=1), weights)


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
    truth, proba = _answers(truth, proba)
    squares = (proba - _indicator(truth, proba.shape[1])) ** 2  # (n, K)
    return average(squares.sum(axis=1) if truth.ndim == 1 else squares.mean(axis=1), weights)


def label_ranking_average_precision(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the mean over covers of `ranking_precision`, for any number of genres a cover.

    It is 1 when every true genre is ranked above every other. As
    ``sklearn.metrics.label_ranking_average_precision_score``.

    Examples
    --------
    >>> float(label_ranking_average_precision([[0, 1, 0], [1, 0, 0]], [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]))
    0.75
    """
    return average(ranking_precision(truth, proba), weights)


# -------------------------------------------------------------------------------- right and wrong by genre


def confusion(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return how many covers of each genre (rows) were taken for each genre (columns), (K, K) or (B, K, K).

    Examples
    --------
    >>> confusion([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    genre, proba = _one_genre(truth, proba)
    k = proba.shape[1]
    cell = genre * k + predicted(proba)  # (n,)
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)

    def counts(w: Floats) -> Floats:  # (b, n) -> (b, K, K)
        table = np.zeros((len(w), k * k))
        table[:, cells] = np.add.reduceat(w[:, order], starts, axis=1)
        return table.reshape(-1, k, k)

    return _resampled(counts, weights, len(genre))


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
    return _by_genre(lambda hit, true, said: _ratio(hit, said, zero), truth, proba, weights, thresholds)


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
    return _by_genre(lambda hit, true, said: _ratio(hit, true, zero), truth, proba, weights, thresholds)


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
    return _by_genre(lambda hit, true, said: _ratio(2 * hit, true + said, zero), truth, proba, weights, thresholds)


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
        return _ratio(2 * hit.sum(axis=1), (true + said).sum(axis=1), 0.0)

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
    genre, proba = _one_genre(truth, proba)
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
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


# -------------------------------------------------------------------------------- order of the covers


def average_precision(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return, for each genre, the mean precision down the list of covers ranked by its proba, (K,).

    ``Σ_t (R_t − R_{t−1}) P_t`` over the distinct probas t from the greatest on, P and R being precision and recall of
    the covers at or above t: the mean, over the genre's covers, of the precision of the list cut below each. Covers of
    equal proba enter together. A random order gets about the genre's share of covers. nan for a genre that no cover
    has.

    Notes
    -----
    Zhu, Recall, Precision and Average Precision, University of Waterloo (2004); as
    ``sklearn.metrics.average_precision_score``, without interpolation.

    Examples
    --------
    The first genre's covers come first and third, (1/1 + 2/3) / 2, the second's at the top:

    >>> proba = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]
    >>> average_precision([[1, 0], [0, 1], [1, 1]], proba).round(3).tolist()
    [0.833, 1.0]
    """
    genres, proba = _all_genres(truth, proba)
    ranks = [_downwards(genres[:, g] > 0, proba[:, g]) for g in range(proba.shape[1])]

    def values(w: Floats) -> Floats:  # (b, n) -> (b, K)
        return np.stack([_average_precision(w, *rank) for rank in ranks], axis=1)

    return _resampled(values, weights, len(proba))


def _downwards(true: NDArray[np.bool_], proba: Floats) -> tuple[NDArray[np.int64], ...]:
    """Return covers by falling proba, (n,), the genre's own, (P,), and how many of all and of own reach each own."""
    order = np.argsort(-proba, kind="stable")  # (n,)
    own = order[true[order]]  # (P,)
    above = np.searchsorted(-proba[order], -proba[own], side="right")
    own_above = np.searchsorted(-proba[own], -proba[own], side="right")
    return order, own, above, own_above


def _average_precision(
    w: Floats, order: NDArray[np.int64], own: NDArray[np.int64], above: NDArray[np.int64], own_above: NDArray[np.int64]
) -> Floats:
    if not len(own):
        return np.full(len(w), np.nan)
    gain = w[:, own]  # (b, P)
    listed = np.cumsum(w[:, order[: above[-1]]], axis=1)[:, above - 1]  # (b, P)
    right = np.cumsum(gain, axis=1)[:, own_above - 1]  # (b, P)
    return _ratio((gain * _ratio(right, listed, 0.0)).sum(axis=1), gain.sum(axis=1))


def roc_auc(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return, for each genre, how often a cover of it gets a greater proba for it than one of another, (K,).

    ``P(p⁺ > p⁻) + ½ P(p⁺ = p⁻)`` over all pairs of a cover of the genre and one that is not: the area under the
    receiver operating characteristic, and Mann and Whitney's U over the number of pairs. Guessing gets 0.5. nan for a
    genre that no cover has, or every cover.

    Notes
    -----
    Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 143 (1982); as
    ``sklearn.metrics.roc_auc_score`` of each genre against the rest.

    Examples
    --------
    Of the two pairs one is in order, and one tied:

    >>> roc_auc([0, 1, 1], [[0.5, 0.5], [0.5, 0.5], [0.3, 0.7]]).tolist()
    [0.75, 0.75]
    """
    genres, proba = _all_genres(truth, proba)
    ranks = [_pairs(genres[:, g] > 0, proba[:, g]) for g in range(proba.shape[1])]

    def values(w: Floats) -> Floats:  # (b, n) -> (b, K)
        return np.stack([_roc_auc(w, *rank) for rank in ranks], axis=1)

    return _resampled(values, weights, len(proba))


def _pairs(true: NDArray[np.bool_], proba: Floats) -> tuple[NDArray[np.int64], ...]:
    """Return own covers, (P,), others by rising proba, (N,), and how many others are below each own, and up to it."""
    own, others = np.flatnonzero(true), np.flatnonzero(~true)
    others = others[np.argsort(proba[others], kind="stable")]
    below = np.searchsorted(proba[others], proba[own], side="left")
    upto = np.searchsorted(proba[others], proba[own], side="right")
    return own, others, below, upto


def _roc_auc(
    w: Floats, own: NDArray[np.int64], others: NDArray[np.int64], below: NDArray[np.int64], upto: NDArray[np.int64]
) -> Floats:
    beaten = np.zeros((len(w), len(others) + 1))
    np.cumsum(w[:, others], axis=1, out=beaten[:, 1:])  # (b, N + 1): mass of the others up to each
    mass = w[:, own]  # (b, P)
    won = (mass * (beaten[:, below] + beaten[:, upto])).sum(axis=1) / 2
    return _ratio(won, mass.sum(axis=1) * beaten[:, -1])


# ---------------------------------------------------------------------------------------------- calibration


class Reliability(NamedTuple):
    """What the model claims and what is so, in bins of equal mass from the least sure on.

    Attributes
    ----------
    confidence
        Mean proba in each bin, (bins,) or (B, bins), 0 to 1.
    accuracy
        Share that is right in each bin.
    mass
        Sum of weights in each bin: the n-th part of all.
    """

    confidence: Floats
    accuracy: Floats
    mass: Floats

    @property
    def error(self) -> Floats:
        """How far confidence is from accuracy on average, one number or (B,): `calibration_error`."""
        gaps: Floats = np.abs(self.confidence - self.accuracy).mean(axis=-1)  # a plain mean, as the masses are equal
        return gaps


def reliability(
    truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, bins: int = BINS
) -> Reliability:
    """Return confidence and accuracy in bins of equal mass, for a reliability diagram.

    One genre a cover: the proba of the predicted genre against whether it is right. Any number: all pairs of a cover
    and a genre, the genre's proba against whether the cover has it.

    The claims are laid out from the least sure to the surest, each as wide as its weight, and cut into ``bins`` equal
    lengths. A claim that lies across a cut counts on both sides with what lies there, and claims of equal confidence
    are mixed evenly. So neither the order of the covers nor the scale of the weights matters, and a bin's mass need
    not be a whole number.

    Examples
    --------
    Two sure claims, of which one is right, and two unsure ones, both right:

    >>> sure = reliability([0, 1, 0, 0], [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], bins=2)
    >>> sure.confidence.round(3).tolist(), sure.accuracy.round(3).tolist(), sure.mass.tolist()
    ([0.6, 0.9], [1.0, 0.5], [2.0, 2.0])
    """
    if bins < 1:
        raise EvaluationError("reliability", f"{bins} bins", "There is one bin or more")
    truth, proba = _answers(truth, proba)
    n, k = proba.shape
    if truth.ndim == 1:
        claim, held = proba.max(axis=1), (predicted(proba) == truth).astype(np.float64)  # (m,), (m,) with m = n
        cover = np.arange(n)
    else:
        claim, held = proba.ravel(), truth.ravel().astype(np.float64)  # (m,), (m,) with m = n K
        cover = np.repeat(np.arange(n), k)
    order = np.argsort(claim, kind="stable")
    cover, held = cover[order], held[order]
    levels, starts = np.unique(claim[order], return_index=True)  # (L,), (L,)

    def binned(w: Floats) -> Floats:  # (b, n) -> (b, bins, 3)
        mass = w[:, cover]  # (b, m)
        right = mass * held
        if len(levels) < len(cover):  # equal claims are one
            mass, right = (np.add.reduceat(part, starts, axis=1) for part in (mass, right))  # (b, L)
        return _cut(mass, mass * levels, right, bins)

    tables = _resampled(binned, weights, n, width=len(cover))
    return Reliability(tables[..., 0], tables[..., 1], tables[..., 2])


def _cut(mass: Floats, claimed: Floats, right: Floats, bins: int) -> Floats:
    """Return mean claim, mean right and mass, (b, bins, 3), between the cuts of the line of claims, (b, L)."""
    rows, levels = mass.shape
    reached = np.zeros((3, rows, levels + 1))  # running sums from 0 on
    for total, part in zip(reached, (mass, claimed, right), strict=True):
        np.cumsum(part, axis=1, out=total[:, 1:])
    share = reached[0, :, -1:] / bins  # (b, 1), the mass of a bin
    cuts = share * np.arange(bins + 1)  # (b, bins + 1)
    sums = [[np.interp(*line) for line in zip(cuts, reached[0], total, strict=True)] for total in reached[1:]]
    means = _ratio(np.diff(sums, axis=2), share)  # (2, b, bins)
    return np.stack([*means, np.repeat(share, bins, axis=1)], axis=2)


def calibration_error(
    truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, bins: int = BINS
) -> Floats:
    """Return the expected calibration error: how far confidence is from accuracy, on average over bins of equal mass.

    ``Σ_b m_b |conf_b − acc_b| / Σ_b m_b`` over the bins of `reliability`, 0 to 1. It is biased upwards: a perfectly
    calibrated model gets about ``0.8 √(a (1 − a) bins / n)`` at accuracy a, 0.04 for 740 covers in ten bins.

    Notes
    -----
    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI (2015); equal
    mass after Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops (2019).

    Examples
    --------
    |0.6 − 1| and |0.9 − 0.5|:

    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]
    >>> float(calibration_error([0, 1, 0, 0], proba, bins=2).round(3))
    0.4
    """
    return reliability(truth, proba, weights, bins=bins).error


# -------------------------------------------------------------------------------- arrays in, resamples through


def _answers(truth: ArrayLike, proba: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return truth as whole numbers, (n,) or (n, K), and proba (n, K), checked."""
    given, proba = np.asarray(truth), np.asarray(proba)
    if proba.ndim != 2 or not proba.size or given.shape not in ((len(proba),), proba.shape):
        found = f"truth of shape {given.shape} and proba of shape {proba.shape}"
        expected = "Truth is (n,) or (n, K) and proba (n, K), with at least one cover"
        raise EvaluationError("metrics", found, expected)
    if not np.isfinite(proba).all():
        bad = np.flatnonzero(~np.isfinite(proba).all(axis=1))
        raise EvaluationError("metrics", f"proba is not finite in {len(bad):,} covers, the first in row {bad[0]}")
    top = proba.shape[1] - 1 if given.ndim == 1 else 1
    odd = given[~np.isin(given, np.arange(top + 1))]
    if len(odd):
        found = f"truth has {len(odd):,} values that name no genre, the first {odd[0]}"
        raise EvaluationError("metrics", found, f"Whole numbers from 0 to {top} were expected")
    return given.astype(np.int64), proba


def _one_genre(truth: ArrayLike, proba: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any]]:
    if np.ndim(truth) != 1:
        raise EvaluationError("metrics", f"truth of shape {np.shape(truth)}", "One genre a cover, (n,), was expected")
    return _answers(truth, proba)


def _all_genres(truth: ArrayLike, proba: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return truth as 0 and 1, (n, K), however many genres a cover has, and proba."""
    truth, proba = _answers(truth, proba)
    return _indicator(truth, proba.shape[1]), proba


def _indicator(truth: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    return truth if truth.ndim == 2 else np.eye(k, dtype=np.int64)[truth]  # (n, K)


def _by_genre(
    figure: Callable[[Floats, Floats, Floats], Floats],
    truth: ArrayLike,
    proba: ArrayLike,
    weights: ArrayLike | None,
    thresholds: ArrayLike | None,
) -> Floats:
    """Return what ``figure`` makes of the mass of hits, of true and of predicted genres, (b, K) each."""
    truth, proba = _answers(truth, proba)
    k = proba.shape[1]
    if truth.ndim == 1:
        if thresholds is not None:
            raise EvaluationError("thresholds", "given for one genre a cover", "There the likeliest genre is predicted")
        said = _indicator(predicted(proba), k).astype(np.float64)  # (n, K)
    else:
        limits = np.asarray(THRESHOLD if thresholds is None else thresholds, dtype=np.float64)
        if limits.shape not in ((), (k,)):
            expected = f"One number, or one for each of {k} genres, was expected"
            raise EvaluationError("thresholds", f"an array of shape {limits.shape}", expected)
        said = (proba >= limits).astype(np.float64)
    true = _indicator(truth, k).astype(np.float64)  # (n, K)
    return _resampled(lambda w: figure(w @ (true * said), w @ true, w @ said), weights, len(proba))


def _resampled(
    figure: Callable[[Floats], Floats], weights: ArrayLike | None, n: int, *, width: int | None = None
) -> Floats:
    """Return ``figure`` of all weights, (B, …), or (…) of one weighting, block by block so that memory stays flat.

    ``width`` is how many numbers ``figure`` holds for a row of weights, where that is more than n.
    """
    given = np.ones(n) if weights is None else np.asarray(weights)
    if given.ndim not in (1, 2) or given.shape[-1] != n or not given.size:
        raise EvaluationError("weights", f"an array of shape {given.shape}", f"They are (n,) or (B, n) with n = {n:,}")
    if given.dtype.kind != "u" and not (np.isfinite(given).all() and given.min() >= 0):
        raise EvaluationError(
            "weights", "some are negative or not finite", "They say how much each cover counts, 0 or more"
        )
    rows = np.atleast_2d(given)  # (B, n)
    step = max(1, _BLOCK // (width or n))
    parts = [figure(rows[i : i + step].astype(np.float64)) for i in range(0, len(rows), step)]
    whole = np.concatenate(parts)  # (B, …)
    return whole if given.ndim == 2 else whole.reshape(whole.shape[1:])


def _ratio(above: Floats, below: Floats, zero: float = np.nan) -> Floats:
    """Return above / below, and ``zero`` where below is nothing."""
    ratio: Floats = np.full(np.broadcast_shapes(above.shape, below.shape), zero)
    return np.divide(above, below, out=ratio, where=below > 0)
