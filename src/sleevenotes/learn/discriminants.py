"""Methods that take each genre's covers for normally distributed: linear, quadratic, and with independent features.

Scores are logarithms of prior times density, up to what is the same for all genres; their softmax is the posterior
(T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd ed., sections 4.3 and 6.6.3).
"""

from __future__ import annotations

import numpy as np

from sleevenotes.learn.sides import Answer, Covers, Floats, Side

TOLERANCE = 1e-4  # scikit-learn's: directions that vary less within genres, after scaling, are left out


def linear(covers: Covers, *, shrinkage: float = 0.0) -> Answer:
    """Fit linear discriminant analysis: one covariance within all genres.

    Without shrinkage this is scikit-learn's `LinearDiscriminantAnalysis()`: features are divided by their deviation
    within genres, and directions in which nothing is left are dropped. With it, the covariance S, of feature by
    feature, becomes (1 - s) S + s·trace(S)/D·I, as under `solver="lsqr"` or `"eigen"`.

    Parameters
    ----------
    shrinkage
        s, 0 to 1.
    """
    counts, means = covers.counts[covers.seen], _means(covers)  # (k,), (k, D)
    if shrinkage:
        slopes, rank = _shrunk(covers, means, shrinkage)
    else:
        slopes, rank = _plain(covers, means)
    offsets = np.log(counts / counts.sum()) - 0.5 * np.einsum("kd,kd->k", means, slopes)

    def scores(side: Side) -> Floats:
        found = np.full((len(covers.side(side)), covers.genres), -np.inf)
        found[:, covers.seen] = np.concatenate([block @ slopes.T for block in covers.blocks(side)]) + offsets
        return found

    return Answer(scores, "softmax", {"shrinkage": shrinkage, "rank": rank, "priors": "as in train"})


def _means(covers: Covers) -> Floats:
    """Return the mean of each seen genre without that of all covers, (k, D)."""
    means = [covers.train[covers.truth == genre].mean(axis=0, dtype=np.float64) for genre in covers.seen]
    return np.stack(means) - covers.mean


def _within(covers: Covers, means: Floats) -> Floats:
    """Return the scatter within genres, (D, D): that of all covers without that of the genres' means."""
    weighted = means * covers.counts[covers.seen][:, None]
    return covers.scatter - weighted.T @ means


def _shrunk(covers: Covers, means: Floats, shrinkage: float) -> tuple[Floats, int]:
    """Return the shrunk covariance's inverse times each mean, (k, D), and its rank."""
    from scipy.linalg import solve

    covariance = _within(covers, means) / len(covers.train)
    variance = float(np.trace(covariance)) / len(covariance)
    covariance *= 1 - shrinkage
    covariance[np.diag_indices_from(covariance)] += max(shrinkage * variance, 1e-12)
    slopes: Floats = solve(covariance, means.T, assume_a="pos").T
    return slopes, len(covariance)


def _plain(covers: Covers, means: Floats) -> tuple[Floats, int]:
    """Return what stands for the covariance's inverse times each mean, (k, D), and the rank of the covariance."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    if len(covers.train) - len(covers.seen) < covers.train.shape[1]:
        return _by_products(covers, means)
    within = _within(covers, means)
    deviation = _deviation(np.diag(within) / len(covers.train))
    within /= np.outer(deviation, deviation) * len(covers.train)
    diagonal = np.diag_indices_from(within)
    try:
        # has a factor only where every eigenvalue is above the tolerance's square: nothing is to be dropped
        within[diagonal] -= TOLERANCE**2
        cho_factor(within)
        within[diagonal] += TOLERANCE**2
        slopes = cho_solve(cho_factor(within), (means / deviation).T).T
        rank = len(within)
    except LinAlgError:
        within[diagonal] += TOLERANCE**2
        values, vectors = np.linalg.eigh(within)
        kept = values > TOLERANCE**2
        rank = int(kept.sum())
        slopes = (means / deviation) @ (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return slopes / deviation, rank


def _by_products(covers: Covers, means: Floats) -> tuple[Floats, int]:
    """Do as `_plain`, from products of covers rather than of features: (n, n), where that is the smaller matrix."""
    inner = covers.train - (means + covers.mean)[np.searchsorted(covers.seen, covers.truth)]  # (n, D)
    deviation = _deviation(np.einsum("nd,nd->d", inner, inner) / len(inner))
    inner /= deviation * np.sqrt(len(inner))
    values, vectors = np.linalg.eigh(inner @ inner.T)
    kept = values > TOLERANCE**2
    directions = inner.T @ (vectors[:, kept] / values[kept])  # (D, rank): unit directions over their deviation
    return (means / deviation) @ directions @ directions.T / deviation, int(kept.sum())


def _deviation(variance: Floats) -> Floats:
    deviation = np.sqrt(np.maximum(variance, 0))
    deviation[deviation < 1e-9] = 1.0  # a feature that is constant within genres is left as it is
    return deviation


def quadratic(covers: Covers, *, shrinkage: float) -> Answer:
    """Fit quadratic discriminant analysis: each genre has its own covariance, shrunk.

    The covariance S of a genre, over its n_k covers, becomes (1 - s) S + s·trace(S)/D·I, which is scikit-learn's
    `QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=s)`. S has a rank below n_k, so that its inverse times a
    vector follows from at most n_k directions (Woodbury), and no (D, D) matrix is made where D is larger.

    Parameters
    ----------
    shrinkage
        s, above 0, at most 1.
    """
    pooled = float(covers.variance.mean()) or 1.0
    shapes = [_Shape.of(covers, genre, shrinkage, 1e-6 * pooled) for genre in covers.seen]

    def scores(side: Side) -> Floats:
        found = np.full((len(covers.side(side)), covers.genres), -np.inf)
        for genre, shape in zip(covers.seen, shapes, strict=True):
            found[:, genre] = shape.score(covers.side(side)) + np.log(covers.counts[genre] / len(covers.truth))
        return found

    settings = {"shrinkage": shrinkage, "covariance": "(1 - s) S + s trace(S)/D I", "priors": "as in train"}
    return Answer(scores, "softmax", settings)


class _Shape:
    """A normal distribution of covariance V diag(values) V' + floor·I, with V (D, r) of orthonormal columns."""

    def __init__(self, mean: Floats, directions: Floats, values: Floats, floor: float) -> None:
        self.mean = mean.astype(np.float32)
        self.floor = floor
        # (x' C^-1 x) · floor = x'x - sum over directions of (v'x)² · value / (value + floor)
        self.directions = (directions * np.sqrt(values / (values + floor))).astype(np.float32)
        self.log_volume = float(np.log(values + floor).sum() + (len(mean) - len(values)) * np.log(floor))

    @classmethod
    def of(cls, covers: Covers, genre: int, shrinkage: float, least: float) -> _Shape:
        """Return the shape of a genre's covers; one that hardly varies gets at least the variance `least`."""
        own = covers.train[covers.truth == genre].astype(np.float64)
        mean = own.mean(axis=0)
        own -= mean
        n, d = own.shape
        variance = np.einsum("nd,nd->", own, own) / n / d
        values, vectors = np.linalg.eigh((own @ own.T if d > n else own.T @ own) / n)
        kept = values > max(1e-12 * values[-1], 1e-300)
        values, vectors = values[kept], vectors[:, kept]
        if d > n:
            vectors = own.T @ (vectors / np.sqrt(values * n))
        return cls(mean, vectors, (1 - shrinkage) * values, max(shrinkage * variance, least))

    def score(self, features: np.ndarray) -> Floats:
        """Return the logarithm of the density, (n,), up to a constant."""
        inner = features - self.mean
        inside = inner @ self.directions
        squares = np.einsum("nd,nd->n", inner, inner, dtype=np.float64)
        squares -= np.einsum("nr,nr->n", inside, inside, dtype=np.float64)
        density: Floats = -0.5 * (squares / self.floor + self.log_volume)
        return density


def naive(covers: Covers, *, smoothing: float = 1e-9) -> Answer:
    """Fit Gaussian naive Bayes, scikit-learn's `GaussianNB`: each feature by itself.

    Parameters
    ----------
    smoothing
        scikit-learn's `var_smoothing`: this share of the largest variance of a feature is added to all of them.
    """
    least = max(smoothing * float(covers.variance.max()), 1e-300)
    parts = [covers.train[covers.truth == genre] for genre in covers.seen]
    means = np.stack([part.mean(axis=0, dtype=np.float64) for part in parts])
    variances = np.stack([part.var(axis=0, dtype=np.float64) for part in parts]) + least
    priors = np.log(covers.counts[covers.seen] / len(covers.truth))

    def scores(side: Side) -> Floats:
        found = np.full((len(covers.side(side)), covers.genres), -np.inf)
        volume = np.log(2 * np.pi * variances).sum(axis=1)
        for genre, mean, variance, prior, size in zip(covers.seen, means, variances, priors, volume, strict=True):
            # centred on the genre, and not by products: small variances would lose all digits
            squares = [np.square(block - (mean - covers.mean)) @ (1 / variance) for block in covers.blocks(side)]
            found[:, genre] = prior - 0.5 * (size + np.concatenate(squares))
        return found

    return Answer(scores, "softmax", {"var_smoothing": smoothing, "priors": "as in train"})
