"""The probe: how well a table of numbers that are no art tells the genre.

Gradient boosting is cross-validated with groups kept apart. Its figure is the ROC AUC: of two covers, one of a genre
and one of another, how often the one of the genre is ranked first; the mean over genres, and over folds, so that 0.5 is
chance whatever the genres' shares are.

How often chance would give as much is told by shuffling truth among the groups of a fold, whose covers its model has
never seen; that is exact for each fold. Folds learn from each other's covers, so that their figures go together, and
their p are combined in a way that holds however they do: Cauchy's (Liu and Xie, Cauchy combination test, J. American
Statistical Association 115, 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.groups import folds as fold_numbers
from sleevenotes.judge.metrics import over_genres, roc_auc
from sleevenotes.judge.rulers import Ruler

FOLDS = 5
SHUFFLES = 2000
ENOUGH_HITS = 50
"""After which no more are shuffled, as p is large (Besag and Clifford, Sequential Monte Carlo p-values, Biometrika 78,
1991)."""
ROUNDS = 60
LEAVES = 8
LEAST_PER_LEAF = 10
BINS = 16  # of one property by itself
PRIOR = 1.0  # covers that each genre has in each bin to begin with

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """What is to be told, of n covers.

    Parameters
    ----------
    truth
        (n, K) 0 or 1: which of K genres each cover has.
    groups
        (n,) each cover's group.
    exclusive
        Whether each cover has exactly one of the genres.
    seed
        Of folds and shuffles.
    """

    truth: NDArray[np.int64]
    groups: Sequence[str]
    exclusive: bool
    seed: int = 0

    @classmethod
    def of_one(cls, genre: NDArray[np.int64], groups: Sequence[str], *, seed: int = 0) -> Target:
        """Make a target of each cover's one genre, (n,)."""
        return cls((genre[:, None] == np.arange(genre.max() + 1)).astype(np.int64), groups, True, seed)

    def folds(self, count: int = FOLDS) -> NDArray[np.intp]:
        """Return each cover's fold, (n,), groups apart; fewer folds than asked for where there are fewer groups."""
        return fold_numbers(self.groups, self.truth, min(count, len(set(self.groups))), self.seed)


@dataclass(frozen=True)
class Told:
    """How well a table tells the genre.

    Parameters
    ----------
    auc, low, high
        ROC AUC, 0 to 1, with its 95 % interval.
    p
        How often chance would give as much.
    alone
        (F,) the ROC AUC of each column by itself.
    """

    auc: float
    low: float
    high: float
    p: float
    alone: Floats


def probe(columns: NDArray[np.floating], target: Target) -> Told:
    """Return how well columns, (n, F), tell the genre; nan is a value that a cover does not have.

    Raises
    ------
    SplitError
        Where there are fewer than two groups.
    """
    fold = target.folds()
    proba = np.zeros(target.truth.shape)
    for number in range(fold.max() + 1):
        out = fold == number
        proba[out] = _boosted(columns[~out], target.truth[~out], columns[out], target)
    each = [shuffled_p(target, proba, fold == number) for number in range(fold.max() + 1)]
    of = Ruler.of(target.truth, target.groups, seed=target.seed)
    measured = of.measure(lambda _truth, proba, *weights: _mean_auc(target, proba, fold, *weights), proba)
    auc, low, high = (np.nan if end is None else end for end in list(of.figure(measured).values())[:3])
    return Told(auc, low, high, cauchy([p for p in each if p is not None]), alone(columns, target, fold))


def _boosted(
    train: NDArray[np.floating], truth: NDArray[np.int64], test: NDArray[np.floating], target: Target
) -> Floats:
    """Return how likely each genre is, (m, K), by gradient boosting."""
    if target.exclusive:
        return _proba(train, truth.argmax(axis=1), test, truth.shape[1], target.seed)
    columns = [_proba(train, genre, test, 2, target.seed)[:, 1] for genre in truth.T]
    return np.stack(columns, axis=1)


def _proba(
    train: NDArray[np.floating], truth: NDArray[np.int64], test: NDArray[np.floating], genres: int, seed: int
) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier

    proba = np.zeros((len(test), genres))
    if len(np.unique(truth)) == 1:
        proba[:, truth[0]] = 1
        return proba
    valued = ~np.isnan(train).all(axis=0)  # scikit-learn can't cut a column without any value
    train, test = np.where(valued, train, 0), np.where(valued, test, 0)
    boosting = HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_leaf_nodes=LEAVES, min_samples_leaf=LEAST_PER_LEAF, early_stopping=False, random_state=seed
    ).fit(train, truth)
    proba[:, boosting.classes_] = boosting.predict_proba(test)
    return proba


def alone(columns: NDArray[np.floating], target: Target, fold: NDArray[np.intp]) -> Floats:
    """Return how well each column tells the genre by itself, (F,) ROC AUC, cross-validated.

    A column is cut into at most 16 bins that hold as many covers each (one more for covers without a value); a cover
    gets each genre's share among the covers of its bin on the other folds.
    """
    found = np.full(columns.shape[1], 0.5)
    for index, column in enumerate(columns.T):
        bins = _bins(column)
        if len(np.unique(bins)) > 1:
            found[index] = float(_mean_auc(target, _shares(bins, target.truth, fold), fold, None))
    return found


def _bins(column: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the number of each cover's bin, (n,); the last one is for covers without a value."""
    missing = np.isnan(column)
    if missing.all():
        return np.zeros(len(column), np.intp)
    cuts = np.unique(np.quantile(column[~missing], np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(missing, len(cuts) + 1, np.searchsorted(cuts, column, side="left"))


def _shares(bins: NDArray[np.intp], truth: NDArray[np.int64], fold: NDArray[np.intp]) -> Floats:
    """Return each genre's share, (n, K), among the covers of a cover's bin that are in other folds."""
    proba = np.zeros(truth.shape)
    for number in range(fold.max() + 1):
        out = fold == number
        counts = np.zeros((bins.max() + 1, truth.shape[1]))
        np.add.at(counts, bins[~out], truth[~out])
        seen = np.bincount(bins[~out], minlength=len(counts))[:, None]
        proba[out] = ((counts + PRIOR * truth[~out].mean(axis=0)) / (seen + PRIOR))[bins[out]]
    return proba


def _mean_auc(
    target: Target, proba: Floats, fold: NDArray[np.intp], weights: NDArray[np.unsignedinteger] | None = None
) -> Floats:
    """Return the ROC AUC, mean over folds and genres; (B,) for weights (B, n)."""
    parts = []
    for number in range(fold.max() + 1):
        out = fold == number
        parts.append(over_genres(roc_auc(target.truth[out], proba[out], None if weights is None else weights[:, out])))
    mean: Floats = np.nanmean(np.stack(parts), axis=0)
    return mean


def shuffled_p(target: Target, proba: Floats, rows: NDArray[np.bool_], *, shuffles: int = SHUFFLES) -> float | None:
    """Return how often truth that is shuffled among groups of these covers is ranked as well as their own.

    Groups take the truth of another group of about their size (alone, 2 to 3 covers, 4 to 7, and so on) as a whole, its
    covers over again or in part where the sizes differ. None where no genre can be ranked here.

    Parameters
    ----------
    proba
        (n, K) of a model that has seen none of these covers.
    rows
        (n,) which covers.
    """
    truth, ranks = target.truth[rows], _ranks(proba[rows])
    seen = _auc_of_ranks(ranks, truth)
    if np.isnan(seen):
        return None
    rng = np.random.default_rng([target.seed, int(np.flatnonzero(rows)[0])])
    hits = 0
    for number, order in enumerate(_shuffles(np.asarray(target.groups)[rows], shuffles, rng), start=1):
        hits += bool(_auc_of_ranks(ranks, truth[order]) >= seen - 1e-9)
        if hits == ENOUGH_HITS:
            return hits / number
    return (1 + hits) / (1 + shuffles)


def _ranks(columns: Floats) -> Floats:
    from scipy.stats import rankdata

    ranks: Floats = rankdata(columns, axis=0)
    return ranks


def _auc_of_ranks(ranks: Floats, truth: NDArray[np.int64]) -> float:
    """Return the ROC AUC of covers' ranks, (m, K), mean over the genres that some covers have and some have not."""
    having = truth.sum(axis=0)
    lacking = len(truth) - having
    told = (having > 0) & (lacking > 0)
    if not told.any():
        return float("nan")
    above = (ranks * truth).sum(axis=0) - having * (having + 1) / 2
    return float((above[told] / (having * lacking)[told]).mean())


def _shuffles(groups: NDArray[np.str_], count: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Yield for each cover, (m,), the one whose truth it takes, as groups of about one size change places."""
    _, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    by_size: dict[int, list[NDArray[np.intp]]] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(member[order])) + 1):
        by_size.setdefault(len(rows).bit_length(), []).append(rows)
    parts = []
    for alike in by_size.values():
        longest = max(map(len, alike))
        repeated = np.stack([np.resize(rows, longest) for rows in alike])  # (groups, longest)
        taker = np.repeat(np.arange(len(alike)), [len(rows) for rows in alike])  # (covers,)
        place = np.concatenate([np.arange(len(rows)) for rows in alike])
        parts.append((np.concatenate(alike), repeated, taker, place))
    for _ in range(count):
        taken = np.empty(len(groups), np.intp)
        for covers, repeated, taker, place in parts:
            taken[covers] = repeated[rng.permutation(len(repeated))[taker], place]
        yield taken


def cauchy(values: Sequence[float]) -> float:
    """Return one p of several that may depend on each other: that of the mean of ``tan((1/2 − p) π)``.

    1 where there are none.

    Examples
    --------
    >>> round(cauchy([0.02, 0.02]), 3), round(cauchy([0.01, 0.9]), 3), cauchy([])
    (0.02, 0.022, 1.0)
    """
    if not len(values):
        return 1.0
    mean = float(np.mean(np.tan((0.5 - np.clip(values, 1e-12, 1 - 1e-12)) * np.pi)))
    return float(0.5 - np.arctan(mean) / np.pi)
