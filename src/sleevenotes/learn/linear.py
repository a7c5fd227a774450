"""Ridge and lasso: a plane a genre, of all genres at once.

Each genre's targets are 1 for its covers and -1 for the others; the largest plane is the guess. All planes share the
one matrix that has to be solved: that is most of the work.

The lasso is solved by the alternating direction method of multipliers (S. Boyd, N. Parikh, E. Chu, B. Peleato,
J. Eckstein, "Distributed optimization and statistical learning via the alternating direction method of multipliers",
2011, section 6.4, with over-relaxation as in 3.4.3). Neighbouring pixels are nearly the same, and coordinate descent
crawls where features are; this method inverts the whole matrix once, and is there in some fifty steps. Where features
are many more than covers it is the slower of the two, and scikit-learn's own coordinate descent is taken, genres side
by side.
"""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from sleevenotes.learn.sides import Answer, Covers, Features, Floats, Side

GAP = 1e-4  # scikit-learn's `tol`: of the duality gap, as a share of the targets' squares
STEPS = 1000  # scikit-learn's `max_iter`
LOOK = 10  # steps between two looks at the gap
RELAXED = 1.6
MOST_PRODUCTS = 4096  # features, up to which the (D, D) matrix is inverted even where covers are fewer: 128 MB

Ending = dict[str, float | int | bool | str]


@dataclass(frozen=True)
class Planes:
    """Weights, (D, K), of centred features, and offsets, (K,)."""

    weight: Floats
    offset: Floats

    def scores(self, covers: Covers, side: Side) -> Floats:
        """Return (n or m, K)."""
        parts = [block @ self.weight for block in covers.blocks(side)]
        return np.concatenate([*parts, np.zeros((0, len(self.offset)))]) + self.offset


def ridge(covers: Covers, targets: Floats, *, strength: float) -> Planes:
    """Fit targets by least squares with an L2 penalty, exactly, in float64.

    Parameters
    ----------
    targets
        (n, K).
    strength
        scikit-learn's `alpha` of `Ridge`: of the squared weights, against the squared errors of all covers.
    """
    from scipy.linalg import solve

    offset = targets.mean(axis=0)
    matrix = (covers.gram if covers.wide else covers.scatter).copy()
    matrix[np.diag_indices_from(matrix)] += strength
    if covers.wide:
        # both ways give the same weights: (X'X + aI)^-1 X' = X' (XX' + aI)^-1
        weight = covers.centred.T @ solve(matrix, targets - offset, assume_a="pos", overwrite_a=True)
    else:
        weight = solve(matrix, _pull(covers, targets - offset), assume_a="pos", overwrite_a=True)
    return Planes(weight, offset)


def _pull(covers: Covers, targets: Floats) -> Floats:
    """Return X'y, (D, K), of centred features and targets."""
    return covers.train.T @ targets - np.outer(covers.mean, targets.sum(axis=0))


def lasso(covers: Covers, targets: Floats, *, strength: float) -> tuple[Planes, Ending]:
    """Fit targets by least squares with an L1 penalty, until the duality gap is what scikit-learn's `Lasso` stops at.

    Parameters
    ----------
    targets
        (n, K).
    strength
        scikit-learn's `alpha` of `Lasso`: of the weights' absolute values, against half the mean squared error.

    Returns
    -------
    Planes, and how it ended: `solver`, `steps`, `gap` as a share of the targets' squares, `converged`.
    """
    offset = targets.mean(axis=0)
    n, d = covers.train.shape
    if covers.wide and (d > MOST_PRODUCTS or d > 4 * n):
        weight, ending = _by_coordinates(covers, targets - offset, strength)
    else:
        weight, ending = _Splitting(covers, targets - offset, strength * len(targets)).solved()
    return Planes(weight, offset), {**ending, "tolerance": GAP, "most_steps": STEPS}


class _Splitting:
    """The alternating direction method on ½ |y - Xw|² + penalty·|w|, from X'X and X'y, for K targets at once."""

    def __init__(self, covers: Covers, targets: Floats, penalty: float) -> None:
        self.scatter = covers.scatter
        self.pull = _pull(covers, targets)  # (D, K)
        self.squares = np.maximum(np.square(targets).sum(axis=0), 1e-300)  # (K,)
        self.penalty = penalty
        # a threshold of a thirtieth; found on pixels, where both halves then come to rest at the same pace
        self.pace = 30.0 * penalty

    def solved(self) -> tuple[Floats, Ending]:
        """Return weights, (D, K), of which most are 0, and how it ended."""
        inverse = self._inverse()
        sparse = np.zeros_like(self.pull)
        owed = np.zeros_like(self.pull)
        gap, steps = np.inf, 0
        while gap > GAP and steps < STEPS:
            for _ in range(LOOK):
                dense = inverse @ (self.pull + self.pace * (sparse - owed))
                before, level = sparse, self.penalty / self.pace
                moved = RELAXED * dense + (1 - RELAXED) * sparse + owed
                sparse = np.sign(moved) * np.maximum(np.abs(moved) - level, 0)
                owed = moved - sparse
            steps += LOOK
            gap = self.gap(sparse)
            factor = self._other_pace(dense, sparse, before, owed) if steps % (4 * LOOK) == 0 and gap > GAP else 1.0
            if factor != 1.0:
                self.pace *= factor
                owed /= factor
                inverse = self._inverse()
        return sparse, {"solver": "alternating directions", "steps": steps, "gap": gap, "converged": gap <= GAP}

    def _inverse(self) -> Floats:
        from scipy.linalg.lapack import dpotrf, dpotri

        matrix = self.scatter.copy()
        matrix[np.diag_indices_from(matrix)] += self.pace
        factor, _ = dpotrf(matrix.T, lower=1, overwrite_a=1)
        inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
        lower = np.tril(inverse)
        whole: Floats = lower + np.tril(inverse, -1).T
        return whole

    @staticmethod
    def _other_pace(dense: Floats, sparse: Floats, before: Floats, owed: Floats) -> float:
        """Return by how much to change the pace: not at all while neither half lags ten times behind the other."""
        apart = float(np.linalg.norm(dense - sparse)) / max(float(np.linalg.norm(sparse)), 1e-12)
        still = float(np.linalg.norm(sparse - before)) / max(float(np.linalg.norm(owed)), 1e-12)
        ratio = apart / max(still, 1e-300)
        return 1.0 if 0.1 < ratio < 10 else float(np.clip(np.sqrt(ratio), 0.1, 10))

    def gap(self, weight: Floats) -> float:
        """Return the largest duality gap of the K targets, as a share of the target's squares.

        The dual point is the residual, scaled until it is feasible, as in scikit-learn.
        """
        left = self.pull - self.scatter @ weight  # X'(y - Xw)
        residual = np.maximum(self.squares - (weight * (self.pull + left)).sum(axis=0), 0)
        along = self.squares - (weight * self.pull).sum(axis=0)  # (y - Xw)'y
        scale = np.minimum(1, self.penalty / np.maximum(np.abs(left).max(axis=0), 1e-300))
        primal = 0.5 * residual + self.penalty * np.abs(weight).sum(axis=0)
        dual = scale * along - 0.5 * scale**2 * residual
        return float(((primal - dual) / self.squares).max())


def _by_coordinates(covers: Covers, targets: Floats, strength: float) -> tuple[Floats, Ending]:
    """Return weights, (D, K), by scikit-learn's coordinate descent, which leaves Python's lock to other threads."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    columns = np.asfortranarray(covers.train - covers.mean.astype(np.float32))

    def one(target: Features) -> tuple[Floats, int, float]:
        squares = float(np.square(target).mean())
        if squares == 0:
            return np.zeros(columns.shape[1]), 0, 0.0
        found = Lasso(alpha=strength, fit_intercept=False, tol=GAP, max_iter=STEPS).fit(columns, target)
        return found.coef_.astype(np.float64), int(found.n_iter_), float(found.dual_gap_) / squares

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by `converged`
        ends = list(pool.map(one, targets.T.astype(np.float32)))
    gap, steps = max(end[2] for end in ends), max(end[1] for end in ends)
    ending: Ending = {"solver": "coordinate descent", "steps": steps, "gap": gap, "converged": gap <= GAP}
    return np.stack([end[0] for end in ends], axis=1), ending


def ridge_answer(covers: Covers, *, strength: float) -> Answer:
    """Fit ridge one genre against the rest, as scikit-learn's `RidgeClassifier(alpha=strength)`."""
    planes = ridge(covers, covers.signs, strength=strength)
    settings = {"strength": strength, "targets": "1 for the genre, -1 for the others"}
    return Answer(lambda side: planes.scores(covers, side), "none", settings)


def lasso_answer(covers: Covers, *, strength: float) -> Answer:
    """Fit the lasso one genre against the rest, scikit-learn's `Lasso(alpha=strength)` for each."""
    planes, ending = lasso(covers, covers.signs, strength=strength)
    settings = {"strength": strength, "targets": "1 for the genre, -1 for the others", **ending}
    settings["nonzero_share"] = float((planes.weight != 0).mean())
    return Answer(lambda side: planes.scores(covers, side), "none", settings)
