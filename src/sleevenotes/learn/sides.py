"""Features of covers on two sides, train and test, and what several classical methods share of them.

A kernel, a matrix of neighbours' distances and a solved system of equations all begin with the same products of
features. `Covers` computes each of them when it is first asked for and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Side = Literal["train", "test"]

BLOCK = 1024  # rows at a time, wherever rows would otherwise be copied as float64


@dataclass(eq=False)
class Covers:
    """Features of covers to learn from, and of others to be asked about.

    Parameters
    ----------
    train
        (n, D) float32, finite.
    truth
        (n,) the number of each train cover's genre, 0 to K - 1.
    test
        (m, D) float32.
    genres
        K. A genre without a cover in train is never guessed.

    Raises
    ------
    ValueError
        Where shapes don't fit together.

    Examples
    --------
    >>> covers = Covers(np.array([[0.0], [1.0]]), np.array([0, 1]), np.array([[0.5]]), 2)
    >>> covers.distances("test").tolist()
    [[0.25, 0.25]]
    """

    train: Features
    truth: NDArray[np.int64]
    test: Features
    genres: int
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What tuning keeps between methods: the folds."""

    def __post_init__(self) -> None:
        self.train = np.ascontiguousarray(self.train, dtype=np.float32)
        self.test = np.ascontiguousarray(self.test, dtype=np.float32)
        self.truth = np.asarray(self.truth, dtype=np.int64)
        shapes = self.train.shape, self.truth.shape, self.test.shape
        fit = self.train.ndim == self.test.ndim == 2 and self.train.shape[1] == self.test.shape[1]
        if not fit or self.truth.shape != self.train.shape[:1] or not len(self.truth):
            raise ValueError(f"covers: shapes {shapes}. Expected (n, D), (n,) and (m, D), n at least 1.")
        if self.truth.min() < 0 or self.truth.max() >= self.genres:
            raise ValueError(f"covers: genres {self.truth.min()} to {self.truth.max()}. Expected 0 to K - 1.")

    def side(self, side: Side) -> Features:
        """Return the features of a side, (n, D) or (m, D)."""
        return self.train if side == "train" else self.test

    @cached_property
    def seen(self) -> NDArray[np.int64]:
        """The genres that train has, ascending."""
        return np.unique(self.truth)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Covers of each genre in train, (K,)."""
        return np.bincount(self.truth, minlength=self.genres)

    @cached_property
    def signs(self) -> Floats:
        """One target a genre, (n, K): 1 for its covers, -1 for all others."""
        return np.where(self.truth[:, None] == np.arange(self.genres), 1.0, -1.0)

    @cached_property
    def mean(self) -> Floats:
        """Mean of each feature in train, (D,)."""
        mean: Floats = self.train.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def variance(self) -> Floats:
        """Variance of each feature in train, (D,)."""
        return np.maximum(self._squares / len(self.train), 0)

    @cached_property
    def _squares(self) -> Floats:
        return sum(
            (np.square(block).sum(axis=0) for block in self.blocks("train")), start=np.zeros(self.train.shape[1])
        )

    @property
    def wide(self) -> bool:
        """Whether there are more features than covers."""
        return bool(self.train.shape[1] > len(self.train))

    def blocks(self, side: Side) -> Iterator[Floats]:
        """Yield the side's features without train's mean, (BLOCK, D) float64 at a time."""
        features = self.side(side)
        return (features[start : start + BLOCK] - self.mean for start in range(0, len(features), BLOCK))

    @cached_property
    def centred(self) -> Floats:
        """Features of train without their mean, (n, D) float64; made anew where it is asked for first, then kept."""
        return self.train - self.mean

    @cached_property
    def scatter(self) -> Floats:
        """Sum over train of products of centred features, (D, D); the covariance times n."""
        centred = self.centred if self.wide else self.train - self.mean
        return centred.T @ centred

    @cached_property
    def gram(self) -> Floats:
        """Products of centred train covers with one another, (n, n)."""
        return self.centred @ self.centred.T

    def distances(self, side: Side) -> Features:
        """Return squared Euclidean distances of the side's covers to those of train, (n or m, n), by one product."""
        return self._own_distances if side == "train" else self._other_distances

    @cached_property
    def _own_distances(self) -> Features:
        distances = self._distances(self.train)
        np.fill_diagonal(distances, 0)
        return distances

    @cached_property
    def _other_distances(self) -> Features:
        return self._distances(self.test)

    def _distances(self, features: Features) -> Features:
        # without the mean the numbers are smaller, and float32 keeps more of their differences
        mean = self.mean.astype(np.float32)
        to, of = self.train - mean, features - mean
        products = of @ (to if features is not self.train else of).T
        products *= -2
        products += np.einsum("ij,ij->i", of, of)[:, None]
        products += np.einsum("ij,ij->i", to, to)
        return np.maximum(products, 0, out=products)

    @cached_property
    def standardised(self) -> Covers:
        """The same covers, each feature with mean 0 and deviation 1 in train."""
        deviation = np.sqrt(self.variance)
        deviation[deviation < 1e-6] = 1.0  # a feature that never changes tells nothing, whatever its scale
        sides = [((features - self.mean) / deviation).astype(np.float32) for features in (self.train, self.test)]
        return Covers(sides[0], self.truth, sides[1], self.genres)

    def components(self, count: int) -> Covers:
        """Return the same covers as their first principal components, at most `count`, largest first."""
        from scipy.linalg import eigh

        count = min(count, *self.train.shape)
        matrix = self.gram if self.wide else self.scatter
        top = [len(matrix) - count, len(matrix) - 1]
        values, vectors = eigh(matrix, subset_by_index=top)
        directions = vectors
        if self.wide:
            directions = self.centred.T @ vectors / np.sqrt(np.maximum(values, 1e-12))
        directions = directions[:, ::-1].astype(np.float32)  # (D, count)
        mean = self.mean.astype(np.float32)
        return Covers((self.train - mean) @ directions, self.truth, (self.test - mean) @ directions, self.genres)


@dataclass(frozen=True)
class Answer:
    """What a fitted method says.

    Parameters
    ----------
    scores
        Gives (n or m, K) of a side; the largest of a row is the guess, the first of equal ones.
    link
        How scores become proba: they are proba ("identity"), their softmax is ("softmax"), or there is no way ("none").
    settings
        What was settled while fitting, JSON-ready.
    """

    scores: Callable[[Side], NDArray[np.floating]]
    link: Literal["none", "softmax", "identity"]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Fitted:
    """Guesses of a fitted method.

    Parameters
    ----------
    train_guess, test_guess
        (n,) and (m,) numbers of genres.
    train_proba, test_proba
        (n, K) and (m, K), rows sum to 1; none where the method has none.
    settings
        Names and values, JSON-ready, with regularisation, what was converged and how.
    seconds
        Of fitting and guessing both sides, without what other methods had computed before and left to be shared.
    """

    train_guess: NDArray[np.int64]
    test_guess: NDArray[np.int64]
    train_proba: Floats | None
    test_proba: Floats | None
    settings: dict[str, Any]
    seconds: float
