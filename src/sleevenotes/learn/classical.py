"""Twelve classical methods on features of covers, each by its name.

`run` takes them as the Bandcamp study did, which used scikit-learn's defaults where it names no others; `rounded` reads
its two regressions another way, and `tuned` chooses their settings by cross-validation. All answers are those of plain
scikit-learn; where that would take minutes, a shorter way to the same answer is taken.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.groups import folds as fold_numbers
from sleevenotes.learn.discriminants import linear, naive, quadratic
from sleevenotes.learn.linear import lasso, lasso_answer, ridge, ridge_answer
from sleevenotes.learn.neighbors import neighbors, support_vectors
from sleevenotes.learn.sides import Answer, Covers, Features, Fitted, Floats, Side
from sleevenotes.learn.stumps import boosted

__all__ = ["METHODS", "MORE", "Covers", "Fitted", "rounded", "run", "tuned"]

METHODS = (
    "ridge",
    "lasso",
    "svm",
    "adaboost",
    "5-nn",
    "random forest",
    "decision tree",
    "lda",
    "qda",
    "naive bayes",
)
"""The study's, in the order of its table 2."""
MORE = ("logistic regression", "gradient boosting")

STRENGTH = 1e-4  # the study's λ
SHRINKAGE = 0.1  # of QDA in `run`: without any, a genre of fewer covers than features has no density
COMPONENTS = 64  # that gradient boosting sees
ITERATIONS = 200

Method = Callable[..., Answer]


def run(name: str, covers: Covers, *, seed: int = 0) -> Fitted:
    """Fit a method with the study's settings, on features as they are, and guess both sides.

    Parameters
    ----------
    name
        One of `METHODS` or `MORE`.
    covers
        For the study's own settings: pixels in 0 to 1. What methods share stays in `covers`.
    seed
        Of the methods that draw: forest, tree, boosting.

    Raises
    ------
    ValueError
        For another name.

    Examples
    --------
    >>> pixels = np.array([[0.0], [0.1], [0.8], [0.9]])
    >>> run("lda", Covers(pixels, np.array([0, 0, 1, 1]), np.array([[0.2], [0.7]]), 2)).test_guess.tolist()
    [0, 1]
    """
    began = time.perf_counter()
    method, settings = _method(name, seed)
    return _fitted(covers, method(covers, **settings), began)


def study_settings(name: str) -> dict[str, Any]:
    """Return the settings with which `run` fits a method.

    Raises
    ------
    ValueError
        For a name that is none.

    Examples
    --------
    >>> study_settings("random forest")
    {'depth': 2}
    """
    return _method(name, 0)[1]


def rounded(name: Literal["ridge", "lasso"], covers: Covers) -> Fitted:
    """Fit the genre's number, 0 to K - 1, by one regression, and round what it says to the nearest genre.

    The other way in which the study may have turned a regression into a genre. The order of the genres, which means
    nothing, then decides.

    Examples
    --------
    >>> pixels = np.array([[0.0], [0.5], [1.0]])
    >>> rounded("ridge", Covers(pixels, np.array([0, 1, 2]), np.array([[0.3], [9.0]]), 3)).test_guess.tolist()
    [1, 2]
    """
    began = time.perf_counter()
    numbers = covers.truth[:, None].astype(np.float64)
    settings: dict[str, Any] = {"strength": STRENGTH, "targets": "the genre's number, rounded"}
    if name == "ridge":
        planes = ridge(covers, numbers, strength=STRENGTH)
    elif name == "lasso":
        planes, ending = lasso(covers, numbers, strength=STRENGTH)
        settings |= ending
    else:
        raise ValueError(f"rounded: {name!r}. Expected 'ridge' or 'lasso'.")

    def nearest(side: Side) -> Floats:
        guess = np.clip(np.rint(planes.scores(covers, side)[:, 0]), 0, covers.genres - 1).astype(np.int64)
        chosen: Floats = np.eye(covers.genres)[guess]
        return chosen

    return _fitted(covers, Answer(nearest, "none", settings), began)


def _fitted(covers: Covers, answer: Answer, began: float, more: Mapping[str, Any] | None = None) -> Fitted:
    train, test = answer.scores("train"), answer.scores("test")
    return Fitted(
        train.argmax(axis=1),
        test.argmax(axis=1),
        _proba(train, answer.link),
        _proba(test, answer.link),
        {**answer.settings, **(more or {})},
        time.perf_counter() - began,
    )


def _proba(scores: NDArray[np.floating], link: str) -> Floats | None:
    if link == "none":
        return None
    proba = scores.astype(np.float64)
    if link == "softmax":
        proba = np.exp(proba - proba.max(axis=1, keepdims=True))
    normalised: Floats = proba / proba.sum(axis=1, keepdims=True)
    return normalised


def _method(name: str, seed: int) -> tuple[Method, dict[str, Any]]:
    """Return how a method is fitted, and the study's settings of it."""
    methods: dict[str, tuple[Method, dict[str, Any]]] = {
        "ridge": (ridge_answer, {"strength": STRENGTH}),
        "lasso": (lasso_answer, {"strength": STRENGTH}),
        "svm": (support_vectors, {}),
        "adaboost": (boosted, {}),
        "5-nn": (neighbors, {"k": 5}),
        "random forest": (partial(_forest, seed=seed), {"depth": 2}),
        "decision tree": (partial(_tree, seed=seed), {"depth": 2}),
        "lda": (linear, {}),
        "qda": (quadratic, {"shrinkage": SHRINKAGE}),
        "naive bayes": (naive, {}),
        "logistic regression": (_logistic, {"inverse_strength": 1.0}),
        "gradient boosting": (partial(_gradient_boosting, seed=seed), {}),
    }
    if name not in methods:
        raise ValueError(f"method: {name!r}. Expected one of {', '.join(methods)}.")
    return methods[name]


def _of_estimator(covers: Covers, estimator: Any, settings: dict[str, Any]) -> Answer:
    """Return what a fitted estimator of scikit-learn says."""

    def proba(side: Side) -> Features:
        found = np.zeros((len(covers.side(side)), covers.genres), np.float32)
        found[:, estimator.classes_] = estimator.predict_proba(covers.side(side))
        return found

    return Answer(proba, "identity", settings)


def _forest(covers: Covers, *, depth: int | None, seed: int, trees: int = 100) -> Answer:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(trees, max_depth=depth, random_state=seed, n_jobs=-1)
    return _of_estimator(covers, forest.fit(covers.train, covers.truth), {"trees": trees, "depth": depth, "seed": seed})


def _tree(covers: Covers, *, depth: int, seed: int) -> Answer:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_depth=depth, random_state=seed)
    return _of_estimator(covers, tree.fit(covers.train, covers.truth), {"depth": depth, "seed": seed})


def _logistic(covers: Covers, *, inverse_strength: float) -> Answer:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    scaled = covers.standardised
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by `converged`
        fitted = LogisticRegression(C=inverse_strength, max_iter=ITERATIONS).fit(scaled.train, scaled.truth)
    steps = int(fitted.n_iter_.max())
    settings = {"C": inverse_strength, "standardised": True, "steps": steps, "converged": steps < ITERATIONS}
    return _of_estimator(scaled, fitted, settings)


def _gradient_boosting(covers: Covers, *, seed: int, rate: float = 0.1, leaves: int = 31) -> Answer:
    from sklearn.ensemble import HistGradientBoostingClassifier

    if "components" not in covers.kept:
        covers.kept["components"] = covers.components(COMPONENTS)
    few = covers.kept["components"]
    # stopping early needs covers of every genre on both of its sides
    early = int(covers.counts[covers.seen].min()) >= 20
    boosting = HistGradientBoostingClassifier(
        learning_rate=rate, max_leaf_nodes=leaves, early_stopping=early, n_iter_no_change=5, random_state=seed
    ).fit(few.train, few.truth)
    settings = {"components": few.train.shape[1], "rate": rate, "leaves": leaves, "rounds": int(boosting.n_iter_)}
    return _of_estimator(few, boosting, {**settings, "stopped_early": early, "seed": seed})


GRIDS: dict[str, Sequence[dict[str, Any]]] = {
    "ridge": [{"strength": strength} for strength in (1e5, 1e4, 1e3, 1e2, 1e1)],
    "lasso": [{"strength": strength} for strength in (3e-2, 1e-2, 3e-3)],
    "svm": [{"inverse_strength": c, "width": width} for width in (0.3, 1.0) for c in (0.3, 1.0, 3.0)],
    "adaboost": [{"count": 25, "rate": 1.0}, {"count": 50, "rate": 0.5}],
    "5-nn": [{"k": k} for k in (75, 35, 15, 5, 1)],
    "random forest": [{"depth": depth} for depth in (2, 6, 12)],
    "decision tree": [{"depth": depth} for depth in (2, 4, 6)],
    "lda": [{"shrinkage": shrinkage} for shrinkage in (0.9, 0.5, 0.2, 0.05)],
    "qda": [{"shrinkage": shrinkage} for shrinkage in (0.99, 0.9, 0.5, 0.2)],
    "naive bayes": [{"smoothing": smoothing} for smoothing in (1.0, 1e-1, 1e-2, 1e-9)],
    "logistic regression": [{"inverse_strength": c} for c in (1e-4, 1e-3, 1e-2)],
    "gradient boosting": [{"rate": 0.1, "leaves": 7}, {"rate": 0.1, "leaves": 31}],
}
"""What `tuned` chooses from, simplest first."""
AS_THEY_ARE = ("adaboost", "random forest", "decision tree")  # order is all they see of a feature


def tuned(name: str, covers: Covers, *, groups: Sequence[str], folds: int = 5, seed: int = 0) -> Fitted:
    """Fit a method with settings that are chosen by cross-validation inside of train, groups kept apart.

    Features are standardised, inside of each fold, for all methods but stumps and trees. The setting that guesses most
    covers of the left-out folds wins, the simplest of equal ones; it is then fitted on the whole of train.

    Parameters
    ----------
    groups
        (n,) each train cover's group.
    folds
        2 or more, at most as many as there are groups.
    seed
        Of folds, and of the methods that draw.

    Returns
    -------
    Fitted
        `settings` has `tried`, a list of settings with their `accuracy` over the folds, and `folds`.

    Raises
    ------
    SplitError
        Where there are fewer groups than folds.
    ValueError
        For a name that is none.
    """
    began = time.perf_counter()
    method, _ = _method(name, seed)

    def view(given: Covers) -> Covers:
        return given if name in AS_THEY_ARE else given.standardised

    tried = []
    parts = _folds(covers, groups, folds, seed)
    for settings in GRIDS[name]:
        right = sum([_hits(method, view(part), truth, settings) for part, truth in parts])
        tried.append({**settings, "accuracy": right / len(covers.truth)})
    best = max(range(len(tried)), key=lambda number: float(tried[number]["accuracy"]))
    whole = view(covers)
    standardised = {"standardised": name not in AS_THEY_ARE}
    return _fitted(whole, method(whole, **GRIDS[name][best]), began, {**standardised, "folds": folds, "tried": tried})


def _hits(method: Method, part: Covers, truth: NDArray[np.int64], settings: Mapping[str, Any]) -> int:
    return int((method(part, **settings).scores("test").argmax(axis=1) == truth).sum())


def _folds(covers: Covers, groups: Sequence[str], count: int, seed: int) -> list[tuple[Covers, NDArray[np.int64]]]:
    """Return covers of all folds but one, asked about that one, and its truth; kept for the other methods."""
    key = ("folds", tuple(groups), count, seed)
    if key not in covers.kept:
        number = fold_numbers(groups, covers.truth, count, seed)
        parts = []
        for fold in range(count):
            out = number == fold
            part = Covers(covers.train[~out], covers.truth[~out], covers.train[out], covers.genres)
            parts.append((part, covers.truth[out]))
        covers.kept[key] = parts
    kept: list[tuple[Covers, NDArray[np.int64]]] = covers.kept[key]
    return kept
