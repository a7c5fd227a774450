"""The order that answers make: of genres on a cover, and of covers under a genre.

The conventions are those of `sleevenotes.judge.metrics`, where these figures stand, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError
from sleevenotes.judge import weighing
from sleevenotes.judge.weighing import UNKNOWN, Floats, all_genres, average, checked, ratio, resampled

# -------------------------------------------------------------------------------- order of the genres


def ranking_precision(truth: ArrayLike, proba: ArrayLike) -> Floats:
    """Return each cover's precision of its ranked genres, (n,), 0 to 1.

    For each true genre: of the genres held at least as likely as it, the share that is true as well; the mean of these
    over the true genres, ``1/|T| Σ_{j ∈ T} |{i ∈ T: p_i ≥ p_j}| / |{i: p_i ≥ p_j}|``. A cover of no genre, or of all,
    can't be ranked wrongly and has 1. A genre that is unknown has no place in the order.

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
    genres, proba = checked(truth, proba)
    if genres.ndim != 2:
        raise EvaluationError("metrics", f"truth of shape {genres.shape}", "Any number of genres, (n, K), was expected")
    n, k = proba.shape
    scores = np.ones(n)
    rows = max(1, weighing.BLOCK // (k * k))
    for start in range(0, n, rows):
        true, p = genres[start : start + rows], proba[start : start + rows]  # (m, K)
        own, known = true > 0, true != UNKNOWN
        above = (p[:, None, :] >= p[:, :, None]) & known[:, None, :]  # (m, K, K): [cover, j, i] is p_i >= p_j
        precision = (above & own[:, None, :]).sum(axis=2) / np.maximum(above.sum(axis=2), 1)  # (m, K)
        found = own.sum(axis=1)  # (m,)
        ranked = (found > 0) & (found < known.sum(axis=1))
        scores[start : start + rows][ranked] = (precision * own).sum(axis=1)[ranked] / found[ranked]
    return scores


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
    genres, proba = all_genres(truth, proba)
    ranks = [_downwards(*column) for column in zip(genres.T, proba.T, strict=True)]

    def values(w: Floats) -> Floats:  # (b, n) -> (b, K)
        return np.stack([_average_precision(w, *rank) for rank in ranks], axis=1)

    return resampled(values, weights, len(proba))


def _downwards(truth: NDArray[np.int64], proba: Floats) -> tuple[NDArray[np.int64], ...]:
    """Return known covers by falling proba, the genre's own, (P,), and how many of all and of own reach each own."""
    order = np.argsort(-proba, kind="stable")  # (n,)
    order = order[truth[order] != UNKNOWN]
    own = order[truth[order] == 1]  # (P,)
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
    return ratio((gain * ratio(right, listed, 0.0)).sum(axis=1), gain.sum(axis=1))


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
    genres, proba = all_genres(truth, proba)
    ranks = [_pairs(*column) for column in zip(genres.T, proba.T, strict=True)]

    def values(w: Floats) -> Floats:  # (b, n) -> (b, K)
        return np.stack([_roc_auc(w, *rank) for rank in ranks], axis=1)

    return resampled(values, weights, len(proba))


def _pairs(truth: NDArray[np.int64], proba: Floats) -> tuple[NDArray[np.int64], ...]:
    """Return own covers, (P,), others by rising proba, (N,), and how many others are below each own, and up to it."""
    own, others = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
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
    return ratio(won, mass.sum(axis=1) * beaten[:, -1])


# -------------------------------------------------------------------------------- all pairs of a cover and a genre


def micro_average_precision(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the `average_precision` of one list of all pairs of a cover and a genre, so that common genres count more.

    A random order gets the share of pairs that are true. As ``sklearn.metrics.average_precision_score(...,
    average="micro")``.

    Examples
    --------
    The true pairs come first and third of four, (1/1 + 2/3) / 2:

    >>> float(micro_average_precision([[1, 0], [0, 1]], [[0.9, 0.8], [0.1, 0.7]]).round(3))
    0.833
    """
    claimed, held, cover, n = _pooled(truth, proba)
    rank = _downwards(held, claimed)
    return resampled(lambda w: _average_precision(w[:, cover], *rank), weights, n, width=len(cover))


def micro_roc_auc(truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return how often a true pair of a cover and a genre gets a greater proba than one that is not; guessing gets 0.5.

    As ``sklearn.metrics.roc_auc_score(..., average="micro")``. Knowing no more than how common each genre is, is
    rewarded here, which it is not in the mean of `roc_auc`.

    Examples
    --------
    >>> float(micro_roc_auc([[1, 0], [0, 1]], [[0.9, 0.8], [0.1, 0.7]]))
    0.75
    """
    claimed, held, cover, n = _pooled(truth, proba)
    rank = _pairs(held, claimed)
    return resampled(lambda w: _roc_auc(w[:, cover], *rank), weights, n, width=len(cover))


def _pooled(truth: ArrayLike, proba: ArrayLike) -> tuple[Floats, NDArray[np.int64], NDArray[np.intp], int]:
    """Return proba, truth and number of the cover of all pairs, (n K,), and how many covers there are."""
    genres, proba = all_genres(truth, proba)
    n, k = proba.shape
    return proba.ravel(), genres.ravel(), np.repeat(np.arange(n), k), n
