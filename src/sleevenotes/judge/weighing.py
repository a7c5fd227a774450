"""What all figures of merit begin and end with: answers that are checked, and covers that are weighed.

The conventions are those of `sleevenotes.judge.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError

Floats = NDArray[np.float64]

UNKNOWN = -1  # in a truth of any number of genres: nobody knows whether the cover has it
BLOCK = 1 << 17  # numbers in a block of resamples: 1 MB at a time stays in the cache, whatever B and n


def predicted(proba: ArrayLike) -> NDArray[np.int64]:
    """Return the column of the most likely genre of each cover, (n,); the first one where several are equal.

    Examples
    --------
    >>> predicted([[0.2, 0.8], [0.5, 0.5]]).tolist()
    [1, 0]
    """
    columns: NDArray[np.int64] = np.asarray(proba).argmax(axis=1)
    return columns


def average(scores: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the weighted mean ``Σ w s / Σ w`` of one score a cover, (n,); covers whose score is nan are left out.

    Examples
    --------
    >>> float(average([0, 1, 1], [2, 1, 1]))
    0.5
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise EvaluationError("scores", f"an array of shape {scores.shape}", "One score a cover, (n,), was expected")
    known = ~np.isnan(scores)
    held = np.where(known, scores, 0.0)
    return resampled(lambda w: ratio(w @ held, w @ known.astype(np.float64)), weights, len(scores))


# -------------------------------------------------------------------------------- arrays in


def checked(truth: ArrayLike, proba: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return truth as whole numbers, (n,), or (n, K) of 1, 0 and -1, and proba (n, K)."""
    given, proba = np.asarray(truth), np.asarray(proba)
    if proba.ndim != 2 or not proba.size or given.shape not in ((len(proba),), proba.shape):
        found = f"truth of shape {given.shape} and proba of shape {proba.shape}"
        expected = "Truth is (n,) or (n, K) and proba (n, K), with at least one cover"
        raise EvaluationError("metrics", found, expected)
    if not np.isfinite(proba).all():
        bad = np.flatnonzero(~np.isfinite(proba).all(axis=1))
        raise EvaluationError("metrics", f"proba is not finite in {len(bad):,} covers, the first in row {bad[0]}")
    least, top = (0, proba.shape[1] - 1) if given.ndim == 1 else (UNKNOWN, 1)
    odd = given[~np.isin(given, np.arange(least, top + 1))]
    if len(odd):
        found = f"truth has {len(odd):,} values that name no genre, the first {odd[0]}"
        raise EvaluationError("metrics", found, f"Whole numbers from {least} to {top} were expected")
    return given.astype(np.int64), proba


def one_genre(truth: ArrayLike, proba: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return what `checked` does, of one genre a cover."""
    if np.ndim(truth) != 1:
        raise EvaluationError("metrics", f"truth of shape {np.shape(truth)}", "One genre a cover, (n,), was expected")
    return checked(truth, proba)


def all_genres(truth: ArrayLike, proba: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return truth as 1, 0 and -1, (n, K), however many genres a cover has, and proba."""
    truth, proba = checked(truth, proba)
    return indicator(truth, proba.shape[1]), proba


def indicator(truth: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return truth with a column a genre, (n, K)."""
    return truth if truth.ndim == 2 else np.eye(k, dtype=np.int64)[truth]  # (n, K)


# -------------------------------------------------------------------------------- resamples through


def resampled(
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
    step = max(1, BLOCK // (width or n))
    parts = [figure(rows[i : i + step].astype(np.float64)) for i in range(0, len(rows), step)]
    whole = np.concatenate(parts)  # (B, …)
    return whole if given.ndim == 2 else whole.reshape(whole.shape[1:])


def ratio(above: Floats, below: Floats, zero: float = np.nan) -> Floats:
    """Return above / below, and ``zero`` where below is nothing."""
    shares: Floats = np.full(np.broadcast_shapes(above.shape, below.shape), zero)
    return np.divide(above, below, out=shares, where=below > 0)
