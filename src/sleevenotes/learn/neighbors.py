"""Methods that only ask how far covers lie apart: nearest neighbours, and a support vector machine with rbf kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sleevenotes.learn.sides import BLOCK, Answer, Covers, Features, Side


def neighbors(covers: Covers, *, k: int) -> Answer:
    """Let the k nearest covers of train vote, each as much as the others.

    A cover of train is its own nearest neighbour, as in scikit-learn. Of genres with equal votes the first is guessed.

    Parameters
    ----------
    k
        Neighbours; all there are where there are fewer.
    """
    k = min(k, len(covers.train))

    def votes(side: Side) -> Features:
        distances = covers.distances(side)
        shares = np.zeros((len(distances), covers.genres), np.float32)
        for start in range(0, len(distances), BLOCK):
            nearest = np.argpartition(distances[start : start + BLOCK], k - 1, axis=1)[:, :k]
            for column in covers.truth[nearest].T:
                shares[np.arange(start, start + len(column)), column] += 1
        return shares / np.float32(k)

    return Answer(votes, "identity", {"k": k, "distance": "Euclidean", "weights": "equal"})


def support_vectors(covers: Covers, *, inverse_strength: float = 1.0, width: float = 1.0) -> Answer:
    """Fit scikit-learn's `SVC` with an rbf kernel, which is computed here once for all pairs of genres.

    Parameters
    ----------
    inverse_strength
        scikit-learn's `C`.
    width
        Times scikit-learn's gamma="scale", 1 / (D · variance of all features).
    """
    from sklearn.svm import SVC

    spread = float(covers.variance.mean() + covers.mean.var())
    gamma = width / (covers.train.shape[1] * spread if spread > 0 else 1.0)
    machine = SVC(C=inverse_strength, kernel="precomputed", cache_size=500)
    machine.fit(_kernel(covers.distances("train"), gamma), covers.truth)

    def guesses(side: Side) -> NDArray[np.float32]:
        distances = covers.distances(side)
        starts = range(0, len(distances), BLOCK)
        guess = [machine.predict(_kernel(distances[start : start + BLOCK], gamma)) for start in starts]
        chosen: Features = np.eye(covers.genres, dtype=np.float32)[np.concatenate(guess)]
        return chosen

    settings = {"kernel": "rbf", "C": inverse_strength, "gamma": gamma, "converged": not machine.fit_status_}
    return Answer(guesses, "none", settings)


def _kernel(distances: Features, gamma: float) -> Features:
    kernel: Features = distances * np.float32(-gamma)
    np.exp(kernel, out=kernel)
    return kernel
