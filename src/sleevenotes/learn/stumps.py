"""AdaBoost of decision stumps on features that have few values, as pixels have.

A stump splits covers at one value of one feature, so that Gini impurity is least. Eight bits have 256 values: with the
weights of covers summed for each value and genre, each split of each feature is at hand without any sorting. The
algorithm is SAMME (J. Zhu, H. Zou, S. Rosset, T. Hastie, "Multi-class AdaBoost", Statistics and Its Interface 2,
2009), as in scikit-learn's `AdaBoostClassifier`, and the stumps are those of `DecisionTreeClassifier(max_depth=1)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleevenotes.learn.sides import Answer, Covers, Features, Floats, Side

VALUES = 256
BINS = 32  # of features that are not of 8 bits
ENTRIES = 2_000_000  # of (feature, cover) at a time


@dataclass(frozen=True)
class Steps:
    """Features of covers as numbers of steps.

    Parameters
    ----------
    codes
        (D, n) uint8, in the order of the values.
    cuts
        (D, 256) the threshold between each step and the next that occurs; infinite where no cover lies above.
    exact
        Whether each value is a step of its own; else values are put together, 256 steps of equally many covers.
    """

    codes: NDArray[np.uint8]
    cuts: Floats
    exact: bool

    @classmethod
    def of(cls, features: Features) -> Steps:
        """Return the steps of features, (n, D).

        Examples
        --------
        >>> steps = Steps.of(np.array([[0.0], [4.0], [1.0]], dtype=np.float32))
        >>> steps.codes.tolist(), steps.cuts[0, :3].tolist(), steps.exact
        ([[0, 2, 1]], [0.5, 2.5, inf], True)
        """
        n, d = features.shape
        codes, cuts, exact = np.empty((d, n), np.uint8), np.full((d, VALUES), np.inf), True
        for number in range(d):
            column = np.ascontiguousarray(features[:, number])
            values, code = np.unique(column, return_inverse=True)
            below = values  # the largest value of each step
            above = values  # the smallest
            if len(values) > VALUES:
                exact = False
                edges = np.unique(np.quantile(column, np.arange(1, VALUES) / VALUES, method="inverted_cdf"))
                step = np.searchsorted(edges, values)
                code, starts = step[code], np.flatnonzero(np.diff(step, prepend=-1))
                code = np.searchsorted(step[starts], code)
                above, below = values[starts], values[np.append(starts[1:], len(values)) - 1]
            codes[number] = code
            cuts[number, : len(above) - 1] = below[:-1] / 2.0 + above[1:].astype(np.float64) / 2
        return cls(codes, cuts, exact)


@dataclass(frozen=True)
class Stump:
    """Genres `low` for covers whose feature is at most `cut`, `high` for the others."""

    feature: int
    cut: float
    low: int
    high: int

    def guess(self, features: Features) -> NDArray[np.int64]:
        """Return genres, (n,), of features, (n, D)."""
        return np.where(features[:, self.feature] <= self.cut, self.low, self.high)


def grow(steps: Steps, truth: NDArray[np.int64], weights: Floats, genres: int) -> Stump:
    """Return the stump of least weighted Gini impurity; of equal ones that of the first feature and lowest cut.

    Parameters
    ----------
    truth
        (n,) 0 to K - 1.
    weights
        (n,), not negative.
    """
    best, chosen = -np.inf, None
    total: Floats = np.bincount(truth, weights, genres).astype(np.float64)
    d, n = steps.codes.shape
    width = int(steps.codes.max()) + 1  # few covers have few values
    block = max(1, ENTRIES // n)
    for start in range(0, d, block):
        codes = steps.codes[start : start + block]
        size = len(codes)
        # where each entry's weight goes: feature, then genre, then step
        places = codes + (truth * width + np.arange(size)[:, None] * (genres * width))
        sums = np.bincount(places.ravel(), np.broadcast_to(weights, places.shape).ravel(), size * genres * width)
        left: Floats = sums.reshape(size, genres, width).cumsum(axis=2)  # (size, K, width)
        purity = _purity(left, total)
        purity[~np.isfinite(steps.cuts[start : start + size, :width])] = -np.inf
        place = int(purity.argmax())
        if purity.flat[place] > best:
            feature, step = divmod(place, width)
            best, low = purity.flat[place], left[feature, :, step]
            cut = float(steps.cuts[start + feature, step])
            chosen = Stump(start + feature, cut, int(low.argmax()), int((total - low).argmax()))
    if chosen is None:  # no feature ever changes
        chosen = Stump(0, np.inf, int(total.argmax()), int(total.argmax()))
    return chosen


def _purity(left: Floats, total: Floats) -> Floats:
    """Return the sum over both sides of squared weights over weight, (size, width), of weights to the left."""
    size = left.sum(axis=1)
    whole = total.sum()
    squares = np.einsum("fkv,fkv->fv", left, left)
    # of the other side: |total - left|² without making it
    others = squares - 2 * np.einsum("fkv,k->fv", left, total) + total @ total
    least = 1e-300
    purity: Floats = squares / np.maximum(size, least) + others / np.maximum(whole - size, least)
    return purity


def boosted(covers: Covers, *, count: int = 50, rate: float = 1.0) -> Answer:
    """Boost stumps, as `AdaBoostClassifier(n_estimators=count, learning_rate=rate)` does.

    Parameters
    ----------
    count
        Stumps, at most: it ends early where one makes no error, or does no better than chance.
    rate
        Of each stump's say.
    """
    if "steps" not in covers.kept:
        covers.kept["steps"] = Steps.of(covers.train)
    steps = covers.kept["steps"]
    stumps, says = _boost(covers, steps, count, rate)

    def proba(side: Side) -> Floats:
        features, k = covers.side(side), len(covers.seen)
        votes = np.zeros((len(features), covers.genres))
        for stump, say in zip(stumps, says, strict=True):
            votes[np.arange(len(votes)), stump.guess(features)] += say
        # each vote counts 1 for its genre and -1 / (k - 1) for the others; scikit-learn's proba
        votes = (votes * k / max(1, k - 1) - sum(says) / max(1, k - 1)) / max(sum(says), 1e-300) / max(1, k - 1)
        found = np.zeros_like(votes)
        powers = np.exp(votes[:, covers.seen])
        found[:, covers.seen] = powers / powers.sum(axis=1, keepdims=True)
        return found

    values = "each of its own" if steps.exact else f"put together, {VALUES} of equally many covers a feature"
    settings = {"stumps": len(stumps), "rate": rate, "algorithm": "SAMME", "values": values}
    return Answer(proba, "identity", settings)


def _boost(covers: Covers, steps: Steps, count: int, rate: float) -> tuple[list[Stump], list[float]]:
    stumps: list[Stump] = []
    says: list[float] = []
    truth, k = covers.truth, len(covers.seen)
    weights = np.full(len(truth), 1 / len(truth))
    while len(stumps) < count:
        stump = grow(steps, truth, weights, covers.genres)
        wrong = stump.guess(covers.train) != truth
        error = float(weights[wrong].sum() / weights.sum())
        if error <= 0:
            return [*stumps, stump], [*says, 1.0]
        if error >= 1 - 1 / k and stumps:
            break
        say = rate * (np.log((1 - error) / error) + np.log(max(1, k - 1)))
        stumps.append(stump)
        says.append(float(say))
        weights = weights * np.exp(say * wrong)
        weights = np.maximum(weights / weights.sum(), np.finfo(np.float64).eps)
    return stumps, says
