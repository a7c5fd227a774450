"""Places: whether one spot of a cover tells the genre by itself, as a watermark, a sticker or a logo does.

A mark is the same pattern at the same place on the covers of one genre. Covers are cut into 15 × 15 overlapping
patches on a fixed grid, each an eighth of the side, from rim to rim; each patch is made free of colour, brightness and
contrast, so that a genre's palette is not seen. For each place, means of the genres' patches learnt on some folds are
held against the patches of another. A genre's look lifts many places at once, and smoothly; a mark lifts one spot out
of those around it. So a place is compared with the ring of places about it, and that difference with those of all other
places.

Arrays are (n, …) a cover, (P, …) a place, row by row from the upper left; P = 225.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]

SIZE_PX = 128
HALF_PX = SIZE_PX // 2  # two by two px are averaged: a mark is larger, and dimensions cost
PATCH = 8  # of these halves: an eighth of the side
STRIDE = 4
GRID = (HALF_PX - PATCH) // STRIDE + 1  # 15 by 15 places
PLACES = GRID * GRID
FLAT = 4.0  # of 255: a patch that deviates less has no pattern, and counts the less
RIDGE = 0.1  # of the mean variance, added to each before whitening
RING = (4, 6)  # steps of the grid, from a place to those it is compared with: a mark reaches 3
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
SPREAD = 1.4826  # standard deviations of a normal distribution in a median absolute deviation
BATCH = 256  # covers at a time


@dataclass(frozen=True)
class Places:
    """How well each place of a cover tells the genre, and whether one stands out.

    Parameters
    ----------
    score
        (P,) cross-validated ROC AUC, the mean over genres, each against the rest; 0.5 is chance.
    box
        (P, 4) left, top, right and bottom, in shares of the side.
    standout
        How far the best place rises above the ring about it, in robust standard deviations of what all the others do.
    best
        The place that does so most.
    p
        How often genres shuffled among groups make some place stand out as much, the genres as they are counted in:
        one test for all places at once.
    shuffles
        How many.
    """

    score: NDArray[np.float64]
    box: NDArray[np.float64]
    standout: float
    best: int
    p: float
    shuffles: int


def places(
    pixels: NDArray[np.uint8],
    truth: ArrayLike,
    fold: ArrayLike,
    genres: int,
    *,
    groups: Sequence[str] | None = None,
    shuffles: int = 200,
    seed: int = 0,
) -> Places:
    """Look for a spot that tells the genre by itself.

    Parameters
    ----------
    pixels
        (n, 128, 128, 3), covers squeezed into a square. A memory map will do.
    truth
        (n,) 0 to K - 1.
    fold
        (n,) any whole numbers, two or more different ones; covers of one group in one fold.
    genres
        K, 2 or more.
    groups
        (n,) names; shuffling gives whole groups of equal size the genres of one another. By default each cover is a
        group by itself.
    shuffles
        Of genres among groups; with B, p is never under 1 / (B + 1).
    seed
        Of the shuffles.

    Raises
    ------
    ValueError
        Where the arrays don't fit one another, a genre has no cover, or there is one fold only.

    Notes
    -----
    With z a patch, less the mean of all and whitened by their covariance (no genre is looked at for that), and s(k, f)
    the sum of z over the covers of genre k in fold f over the root of how many covers genre k has, the strength of a
    place is Σ_k (|Σ_f s(k, f)|² - Σ_f |s(k, f)|²): how far means of one fold agree with those of the others, 0 by
    chance. It is taken in robust standard deviations of the shuffles, less the median of the ring; the largest over all
    places is divided by 1.4826 times the median absolute value of those that are as far from it as the ring, or
    farther. All shuffles of a place are one matrix product.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> covers = rng.integers(0, 256, (80, 128, 128, 3), dtype=np.uint8)
    >>> covers[::2, 16:24, 96:112], covers[::2, 24:32, 96:112] = 0, 255
    >>> told = places(covers, np.arange(80) % 2 == 0, np.arange(80) // 2 % 4, 2)
    >>> told.box[told.best].round(2).tolist()
    [0.75, 0.12, 0.88, 0.25]
    """
    truth, fold = np.asarray(truth).astype(np.intp), np.asarray(fold)
    _check(pixels, truth, fold, genres)
    order = np.argsort(fold, kind="stable")  # covers of a fold side by side
    ends = [*np.flatnonzero(np.diff(fold[order])) + 1, len(order)]
    names = np.arange(len(truth)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    labels = np.vstack([truth, _shuffled(truth, names, shuffles, np.random.default_rng(seed))])[:, order]
    wanted = _indicators(labels, genres)  # (n, (B + 1) K)
    luma = _halves(pixels)[order]
    strength, score = np.empty((shuffles + 1, PLACES)), np.empty(PLACES)
    for place, (row, column) in enumerate(_corners()):
        patches = _whitened(luma[:, row : row + PATCH, column : column + PATCH].reshape(len(luma), -1))
        sums = _sums(patches, wanted, ends)  # (folds, 64, (B + 1) K)
        strength[:, place] = _agreement(sums, genres)
        score[place] = _auc(_held_out(patches, sums[:, :, :genres], labels[0], ends), labels[0])
    standout, best = _standouts(strength)
    p = (1 + int((standout[1:] >= standout[0]).sum())) / (shuffles + 1)
    return Places(score, boxes(), float(standout[0]), int(best[0]), p, shuffles)


def boxes() -> NDArray[np.float64]:
    """Return left, top, right and bottom of every place, (P, 4), in shares of the side.

    Examples
    --------
    >>> boxes()[[0, -1]].tolist()
    [[0.0, 0.0, 0.125, 0.125], [0.875, 0.875, 1.0, 1.0]]
    """
    corner = np.array(_corners())[:, ::-1]
    return np.hstack([corner, corner + PATCH]) / HALF_PX


# --- patches ----------------------------------------------------------------------------------------------------------


def _corners() -> list[tuple[int, int]]:
    return [(STRIDE * row, STRIDE * column) for row in range(GRID) for column in range(GRID)]


def _halves(pixels: NDArray[np.uint8]) -> Floats:
    """Return the luma, (n, 64, 64), each the mean of two by two px."""
    halves = np.empty((len(pixels), HALF_PX, HALF_PX), np.float32)
    for start in range(0, len(pixels), BATCH):
        luma = pixels[start : start + BATCH].astype(np.float32) @ LUMA
        halves[start : start + BATCH] = luma.reshape(-1, HALF_PX, 2, HALF_PX, 2).mean(axis=(2, 4))
    return halves


def _whitened(patches: Floats) -> Floats:
    """Return patches, (n, 64), of mean 0 and length 1, then less the mean patch and whitened."""
    patches = patches - patches.mean(axis=1, keepdims=True)
    patches /= np.linalg.norm(patches, axis=1, keepdims=True) + FLAT * PATCH
    patches -= patches.mean(axis=0)
    covariance = (patches.T @ patches / len(patches)).astype(np.float64)
    spread = RIDGE * np.trace(covariance) / len(covariance) + 1e-9
    root = np.linalg.inv(np.linalg.cholesky(covariance + spread * np.eye(len(covariance))))
    whitened: Floats = patches @ root.T.astype(np.float32)
    return whitened


# --- how well a place tells the genre ---------------------------------------------------------------------------------


def _sums(patches: Floats, wanted: Floats, ends: Sequence[int]) -> Floats:
    """Return the sum of each genre's patches in each fold, (folds, 64, columns of `wanted`)."""
    starts = [0, *ends[:-1]]
    return np.stack([patches[start:end].T @ wanted[start:end] for start, end in zip(starts, ends, strict=True)])


def _agreement(sums: Floats, genres: int) -> NDArray[np.float64]:
    """Return how far the genres' means of each fold agree with those of the others, (B + 1,)."""
    whole = sums.sum(axis=0)
    apart = (whole**2).sum(axis=0) - np.einsum("fdc,fdc->c", sums, sums)
    agreement: NDArray[np.float64] = apart.reshape(-1, genres).sum(axis=1).astype(np.float64)
    return agreement


def _held_out(patches: Floats, sums: Floats, truth: NDArray[np.intp], ends: Sequence[int]) -> NDArray[np.float64]:
    """Return the product of each patch with each genre's mean over the other folds, (n, K)."""
    genres = sums.shape[2]
    counts = np.bincount(truth, minlength=genres)
    scores = np.empty((len(patches), genres))
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        elsewhere = counts - np.bincount(truth[start:end], minlength=genres)
        means = (sums.sum(axis=0) - sums[number]) * np.sqrt(counts) / np.maximum(elsewhere, 1)
        scores[start:end] = patches[start:end] @ means
    return scores


def _auc(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    """Return the ROC AUC of each genre against the rest, the mean; ties, which real patches hardly have, in order."""
    n, genres = scores.shape
    ranks = np.empty_like(scores)
    np.put_along_axis(ranks, scores.argsort(axis=0), np.arange(1, n + 1, dtype=float)[:, None], axis=0)
    told = truth[:, None] == np.arange(genres)
    inside = told.sum(axis=0)
    auc = ((ranks * told).sum(axis=0) - inside * (inside + 1) / 2) / (inside * (n - inside))
    return float(auc.mean())


# --- whether one stands out -------------------------------------------------------------------------------------------


def _standouts(strength: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return for the truth and every shuffle how far one place stands out, and which, (B + 1,) each."""
    # the truth counts in as one of the shuffles, lest it be held to another measure than they; medians hardly feel it
    z = strength - np.median(strength, axis=0)
    z /= SPREAD * np.median(np.abs(z), axis=0) + 1e-12
    ring, near = _rings()
    above = np.stack([z[:, place] - np.median(z[:, ring[place]], axis=1) for place in range(PLACES)], axis=1)
    best = above.argmax(axis=1)
    others = np.where(near[best], np.nan, np.abs(above))
    spread = np.maximum(SPREAD * np.nanmedian(others, axis=1), 1e-12)
    return above[np.arange(len(above)), best] / spread, best


@cache
def _rings() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which places are in the ring about each, and which are nearer than it, (P, P) each."""
    row, column = np.divmod(np.arange(PLACES), GRID)
    steps = np.maximum(np.abs(row[:, None] - row), np.abs(column[:, None] - column))
    return (steps >= RING[0]) & (steps <= RING[1]), steps < RING[0]


# --- genres, as they are and shuffled ---------------------------------------------------------------------------------


def _shuffled(
    truth: NDArray[np.intp], names: NDArray[np.intp], shuffles: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the truth shuffled, (B, n): whole groups have the genres of another one of their size."""
    members = np.argsort(names, kind="stable")
    sizes = np.bincount(names)[names[members]]
    shuffled = np.repeat(truth[None], shuffles, axis=0)
    for size in np.unique(sizes):
        of_size = members[sizes == size].reshape(-1, size)  # (groups, size)
        for row in shuffled:
            row[of_size] = truth[of_size[rng.permutation(len(of_size))]]
    return shuffled


def _indicators(labels: NDArray[np.intp], genres: int) -> Floats:
    """Return of (B + 1, n) genres 0 or 1 over the root of the genre's covers, (n, (B + 1) K)."""
    roots = np.sqrt(np.bincount(labels[0], minlength=genres)).astype(np.float32)
    told = (labels.T[:, :, None] == np.arange(genres)).astype(np.float32) / roots  # (n, B + 1, K)
    indicators: Floats = told.reshape(labels.shape[1], -1)
    return indicators


def _check(pixels: NDArray[np.uint8], truth: NDArray[np.intp], fold: NDArray[np.int64], genres: int) -> None:
    if pixels.shape[1:] != (SIZE_PX, SIZE_PX, 3) or pixels.dtype != np.uint8:
        raise ValueError(f"pixels: {pixels.dtype} {pixels.shape}. Expected uint8 (n, {SIZE_PX}, {SIZE_PX}, 3).")
    if not len(pixels) == len(truth) == len(fold):
        raise ValueError(f"{len(pixels)} covers, {len(truth)} genres of them, {len(fold)} folds. Expected one number.")
    if not np.array_equal(np.unique(truth), np.arange(genres)) or genres < 2:
        raise ValueError(f"truth: {np.unique(truth).tolist()}. Expected each of 0 to {genres - 1}, and 2 or more.")
    if len(np.unique(fold)) < 2:
        raise ValueError("fold: one only. Expected two or more.")
