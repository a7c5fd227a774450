"""How alike the colours of two covers are: four measures of histograms as OpenCV defines them, and over all pairs.

The formulas are those of OpenCV's documentation of `compareHist`, whose numbers `similarities` gives: histograms a and
b of D bins, the sums over the bins. In two of the measures large means alike, in the other two, which are distances,
small does; chi-square is not symmetric: it divides by the bins of the first.

Three of the four are products of matrices in disguise, which is what makes all pairs of 10,000 covers a matter of
seconds; `blocks` goes through them without the whole matrix in memory.

Parameters that all functions share
-----------------------------------
``histograms``
    ``(n, D)``, each bin 0 or more, each row a cover. They need not sum to 1, but are meant to.
``measure``
    A key of `MEASURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.covers.pixels import cores

Floats = NDArray[np.float64]

TILE = 2048  # covers on each side of a block: 34 MB of similarities
ROWS = 256  # of a block that one thread takes at a time


@dataclass(frozen=True)
class Measure:
    """One way to say how alike two histograms are.

    Parameters
    ----------
    name
        As in `MEASURES`.
    alike
        Which end of the scale means alike: "large", or "small" for a distance.
    symmetric
        Whether a beside b gives the same as b beside a.
    formula
        In a line, for a page.
    """

    name: str
    alike: Literal["large", "small"]
    symmetric: bool
    formula: str


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("correlation", "large", True, "Σ(a − ā)(b − b̄) / √(Σ(a − ā)² Σ(b − b̄)²)"),
        Measure("chi-square", "small", False, "Σ (a − b)² / a, over the bins where a > 0"),
        Measure("intersection", "large", True, "Σ min(a, b)"),
        Measure("hellinger", "small", True, "√(1 − Σ√(a b) / √(Σa Σb))"),
    )
}


def similarities(a: ArrayLike, b: ArrayLike, measure: str) -> Floats:
    """Return how alike each histogram of `a` is to each of `b`.

    Parameters
    ----------
    a
        Histograms, (n, D), the first of each pair.
    b
        Histograms, (m, D), the second.
    measure
        "correlation", "chi-square", "intersection" or "hellinger".

    Returns
    -------
    Floats
        (n, m), what `cv2.compareHist(a[i], b[j], …)` gives, to 1e-5.

    Raises
    ------
    ValueError
        An unknown measure, arrays of other shapes, or a bin that is negative or not finite.

    Examples
    --------
    >>> similarities([[0.5, 0.5, 0]], [[0.5, 0.5, 0], [0, 0.5, 0.5]], "intersection").tolist()
    [[1.0, 0.5]]
    >>> similarities([[0.5, 0.5, 0]], [[0.5, 0.5, 0], [0, 0.5, 0.5]], "chi-square").tolist()
    [[0.0, 0.5]]
    """
    if measure not in _WAYS:
        raise ValueError(f"unknown measure {measure!r}, known are {', '.join(MEASURES)}")
    first, second = (_checked(side) for side in (a, b))
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"histograms of {first.shape[1]:,} bins beside histograms of {second.shape[1]:,}")
    return _WAYS[measure](first, second)


def blocks(histograms: ArrayLike, measure: str) -> Iterator[tuple[slice, slice, Floats]]:
    """Go through the matrix of all pairs of covers in blocks, which together are the whole of it, each entry once.

    Yields
    ------
    tuple[slice, slice, Floats]
        Rows, columns, and the similarities of the covers of the rows to those of the columns. The array is the
        caller's, to write into as well, until the next is asked for.
    """
    given = _checked(histograms)
    tiles = [slice(start, min(start + TILE, len(given))) for start in range(0, len(given), TILE)]
    for i, rows in enumerate(tiles):
        for columns in tiles[i:]:
            block = similarities(given[rows], given[columns], measure)
            if columns is rows:
                yield rows, columns, block
                continue
            # the caller may spoil a block: what is beyond the diagonal is taken before
            mirrored = block.T.copy() if MEASURES[measure].symmetric else None
            yield rows, columns, block
            if mirrored is None:
                mirrored = similarities(given[columns], given[rows], measure)
            yield columns, rows, mirrored


def mean_similarities(histograms: ArrayLike, truth: NDArray[np.int64], *, genres: int) -> dict[str, Floats]:
    """Return how alike the covers of each genre are to those of each, over all pairs of different covers.

    Parameters
    ----------
    histograms
        (n, D).
    truth
        The genre of each cover, (n,), 0 to K - 1.
    genres
        How many, K.

    Returns
    -------
    dict[str, Floats]
        Measure: (K, K), row i the genre of the first cover of a pair, column j that of the second. Nan where there is
        no pair: a genre without covers, or one cover with itself alone.
    """
    member = np.eye(genres)[truth]  # (n, K)
    means = {}
    for measure in MEASURES:
        sums = np.zeros((genres, genres))
        for rows, columns, block in blocks(histograms, measure):
            sums += genre_sums(block, member[rows], member[columns], same=rows == columns)
        means[measure] = mean_of(sums, member.sum(axis=0))
    return means


def genre_sums(block: Floats, rows: Floats, columns: Floats, *, same: bool) -> Floats:
    """Return the sums, (K, K), of a block, (r, c), over the genres of its rows, (r, K), and of its columns, (c, K).

    Where both are the `same` covers, the block's diagonal, each cover with itself, is set to 0 and so left out.
    """
    if same:
        np.fill_diagonal(block, 0.0)
    sums: Floats = rows.T @ (block @ columns)
    return sums


def mean_of(sums: Floats, covers: Floats) -> Floats:
    """Return the means, (K, K), of sums over all pairs of different covers, of which each genre has so many, (K,)."""
    pairs = np.outer(covers, covers) - np.diag(covers)
    return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)


# -------------------------------------------------------------------------------- the four measures


def _correlation(a: Floats, b: Floats) -> Floats:
    """Σ(a − ā)(b − b̄) / √(Σ(a − ā)² Σ(b − b̄)²): OpenCV's HISTCMP_CORREL, Pearson's coefficient, -1 to 1.

    1 where the product under the root is no more than `DBL_EPSILON`, as where a histogram is the same in every bin.
    """
    first, second = (side - side.mean(axis=1, keepdims=True) for side in (a, b))
    spread = [np.einsum("nd,nd->n", side, side) for side in (first, second)]
    for side, squares in zip((first, second), spread, strict=True):
        side /= np.sqrt(np.where(squares > 0, squares, 1))[:, None]
    found: Floats = first @ second.T
    if len(a) and len(b) and spread[0].min() * spread[1].min() <= np.finfo(np.float64).eps:
        found[np.outer(*spread) <= np.finfo(np.float64).eps] = 1.0
    return found


def _chi_square(a: Floats, b: Floats) -> Floats:
    """Σ (a − b)² / a over the bins where a > `DBL_EPSILON`: OpenCV's HISTCMP_CHISQR, 0 (alike) and above.

    Multiplied out, Σa − 2 Σb + Σ b²/a over these bins, it is two products of matrices.
    """
    filled = a > np.finfo(np.float64).eps
    inverse = np.divide(1, a, out=np.zeros_like(a), where=filled)
    found: Floats = inverse @ np.square(b).T
    found -= (2.0 * filled) @ b.T
    found += np.where(filled, a, 0).sum(axis=1)[:, None]
    return np.maximum(found, 0, out=found)  # rounding may leave equal ones a hair below


def _intersection(a: Floats, b: Floats) -> Floats:
    """Σ min(a, b): OpenCV's HISTCMP_INTERSECT, 0 to 1 (alike) for histograms that sum to 1.

    Swain and Ballard, Color indexing, International Journal of Computer Vision 7 (1991). No product of matrices; but
    where a cover has no pixel of a colour the minimum is 0, and a cover has few of the colours. As 32-bit floats, in
    which the shares of 32 × 32 pixels and their sums are exact.
    """
    bins = np.ascontiguousarray(b.T, dtype=np.float32)  # (D, m)
    rows = a.astype(np.float32)
    found = np.empty((len(a), len(b)))
    parts = [slice(start, start + ROWS) for start in range(0, len(a), ROWS)]
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(lambda part: _least(rows[part], bins, found[part]), parts):
            continue
    return found


def _least(rows: NDArray[np.float32], bins: NDArray[np.float32], found: Floats) -> None:
    """Fill `found`, (r, m), with the sums of the minima of `rows`, (r, D), and the columns of `bins`, (D, m)."""
    room = np.empty_like(bins)
    for histogram, sums in zip(rows, found, strict=True):
        filled = np.flatnonzero(histogram)
        least = np.take(bins, filled, axis=0, out=room[: len(filled)], mode="clip")  # "clip" writes straight into `out`
        np.minimum(least, histogram[filled, None], out=least)
        sums[:] = np.add.reduce(least, axis=0)


def _hellinger(a: Floats, b: Floats) -> Floats:
    """√(1 − Σ√(a b) / √(Σa Σb)): OpenCV's HISTCMP_BHATTACHARYYA and HISTCMP_HELLINGER, 0 (alike) to 1.

    A. Bhattacharyya, On a measure of divergence between two statistical populations, Bulletin of the Calcutta
    Mathematical Society 35 (1943). Where Σa Σb is no more than `FLT_EPSILON` nothing is divided, as in OpenCV.
    """
    found: Floats = np.sqrt(a) @ np.sqrt(b).T
    sums = np.outer(a.sum(axis=1), b.sum(axis=1))
    found /= np.sqrt(np.where(sums > np.finfo(np.float32).eps, sums, 1))
    np.subtract(1, found, out=found)
    return np.sqrt(np.maximum(found, 0, out=found), out=found)


_WAYS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "correlation": _correlation,
    "chi-square": _chi_square,
    "intersection": _intersection,
    "hellinger": _hellinger,
}


def _checked(histograms: ArrayLike) -> Floats:
    given = np.asarray(histograms, dtype=np.float64)
    if given.ndim != 2:
        raise ValueError(f"histograms of shape {given.shape}: one a row, (n, D), was expected")
    if given.size and not 0 <= given.min() <= given.max() < np.inf:
        raise ValueError("a histogram with a bin that is negative or not finite")
    return given
