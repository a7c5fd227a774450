"""From logits to percentages that mean something.

A network is surer than it should be. On covers that it was not trained on, valid's or those of other folds, it is seen
how often what it says comes true, and a map from its logits to percentages is found:

`single`, `binary`
    One number, the **temperature**, which never changes the genre that comes first: `softmax(logits / temperature)`
    (Guo et al. 2017, "On calibration of modern neural networks", https://arxiv.org/abs/1706.04599).
`multi`
    A map a genre, `sigmoid(map(logit))`, as genres differ in how rare they are and how well they are known. Which one
    is chosen by its log loss in five folds of these covers:

    =========== ==================================================================================================
    `pooled`    Platt's map over all answers at once: the only one for a genre with few covers
    `platt`     the genre's own: `scale · logit + shift` (Platt 1999, "Probabilistic outputs for support vector
                machines", with his targets, which keep from certainty)
    `isotonic`  the genre's own, of any rising shape (Zadrozny and Elkan 2002, "Transforming classifier scores into
                accurate multiclass probability estimates"), kept as points with straight lines between them
    =========== ==================================================================================================

    Each rises strictly, so that the order of covers under a genre stays.

A truth of -1 in `multi` is unknown, and left out everywhere. Predicting needs none of what finds the maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.genre_tree import respect
from sleevenotes.covers.tasks import Kind, Task
from sleevenotes.learn import conformal
from sleevenotes.learn.abstention import claim_of

Floats = NDArray[np.float64]
Map = Mapping[str, Any]  # as it stands in a model's card

TEMPERATURE_RANGE = (0.05, 20.0)
AT_BOUND = 0.01  # a temperature is at a bound that it is so near to, as a share of it
LEAST_SLOPE, GREATEST_SLOPE = 1 / TEMPERATURE_RANGE[1], 1 / TEMPERATURE_RANGE[0]  # of any map, as of a temperature
GREATEST_SHIFT = 30.0
SMALLEST_PROBA = 1e-15
ENOUGH_POSITIVES = 20
FOLDS = 5


# -------------------------------------------------------------------------------- what predicting needs


def proba_of(logits: NDArray[np.floating], *, task: Kind, temperature: float = 1.0) -> Floats:
    """Return proba, (n, K), of logits, (n, K).

    Examples
    --------
    >>> proba_of(np.array([[0.0, 0.0]]), task="single").tolist()
    [[0.5, 0.5]]
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if task == "multi":
        # the sigmoid, without overflow, and exact where it is small: unlikely genres keep their order
        small = np.exp(-np.abs(scaled))
        return np.asarray(np.where(scaled < 0, small, 1.0) / (1 + small))
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def calibrated(logits: NDArray[np.floating], card: Mapping[str, Any], *, task: Kind) -> Floats:
    """Return calibrated proba, (n, K), of logits, (n, K).

    Parameters
    ----------
    card
        `calibration` of a model's card: of `calibrate`, or one that has a temperature and no more.

    Examples
    --------
    >>> calibrated(np.array([[1.0]]), {"maps": [{"kind": "platt", "scale": 2.0, "shift": -2.0}]}, task="multi").tolist()
    [[0.5]]
    """
    if "maps" not in card:
        return proba_of(logits, task=task, temperature=card["temperature"])
    columns = np.asarray(logits, dtype=np.float64).T
    mapped = [_mapped(column, how) for column, how in zip(columns, card["maps"], strict=True)]
    return proba_of(np.stack(mapped, axis=1), task=task)


def _mapped(logits: Floats, how: Map) -> Floats:
    """Return the calibrated logits of one genre, (n,)."""
    if how["kind"] == "isotonic":
        points, values = np.array(how["logits"]), np.array(how["calibrated"])
        beyond = logits - np.clip(logits, points[0], points[-1])
        return np.asarray(np.interp(logits, points, values) + LEAST_SLOPE * beyond)
    return np.asarray(how["scale"] * logits + how["shift"])


# -------------------------------------------------------------------------------- finding it


def calibrate(
    logits: NDArray[np.floating],
    truth: NDArray[np.int64],
    *,
    task: Task,
    groups: Sequence[str] | None = None,
    source: str = "valid",
) -> dict[str, Any]:
    """Return the `calibration` of a model's card, found on covers that its head did not learn from.

    Parameters
    ----------
    logits
        (n, K).
    truth
        (n,), or (n, K) of 1, 0 and -1 in `multi`.
    task
        With its genre tree: thresholds and sets are those of proba that respect it.
    groups
        The group of each cover, (n,); each cover is one by itself where None.
    source
        Which covers these are, in words: `valid`, or `out of fold` where each was answered by a head of another fold.

    Returns
    -------
    `method`, `temperature` (in `multi` the best one over all genres), `n`, `source`, `notes` (what keeps the
    percentages from meaning what they should, in sentences; only if there is anything), `valid_log_loss` (`before` and
    `after`, and in `multi` `cross_validated`), `valid_hit_rate`, `risk` (of `learn.abstention`; not where fewer than 20
    covers are right, or wrong), `sets` (of `learn.conformal`); in `multi` also `maps` and `thresholds`, one a genre.
    """
    from sleevenotes.learn.heads import hit_rate  # which asks this module what a head's answers are worth

    kind = task.kind
    temperature = fit_temperature(logits, truth, task=kind)
    card: dict[str, Any] = {"method": "temperature", "temperature": temperature, "n": len(truth), "source": source}
    if kind != "multi" and (notes := doubts(logits, truth, temperature)):
        card["notes"] = notes
    losses = {"before": log_loss(truth, proba_of(logits, task=kind))}
    if kind == "multi":
        card["method"] = "a map a genre"
        card["maps"], cross_validated = fit_maps(logits, truth, groups)
        losses |= {} if cross_validated is None else {"cross_validated": cross_validated}
    proba = respect(calibrated(logits, card, task=kind), task.genres, task.tree)
    losses["after"] = log_loss(truth, proba)
    if kind == "multi":
        card["thresholds"] = fit_thresholds(proba, truth)
    line = _risk_line(proba, truth)
    card |= {} if line is None else {"risk": line}
    sets = conformal.sets_card(proba, truth, groups)
    return card | {"valid_log_loss": losses, "valid_hit_rate": hit_rate(logits, truth), "sets": sets}


def log_loss(truth: NDArray[np.int64], proba: Floats) -> float:
    """Return the mean negative log-likelihood in nats: of the true genre, or over all known answers in `multi`."""
    if truth.ndim == 1:
        likelihood = proba[np.arange(len(truth)), truth]  # (n,)
    else:
        likelihood = np.where(truth == 1, proba, 1 - proba)[truth >= 0]  # as many as are known
    return float(-np.log(np.clip(likelihood, SMALLEST_PROBA, None)).mean())


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.int64], *, task: Kind) -> float:
    """Return the temperature, 0.05 to 20, with the smallest log loss, of which few covers can't make certainty.

    With one genre a cover, two imaginary covers are added that the model claims to know as surely as its average cover;
    it is right about one of them and wrong about the other. So where it is right about k = n of n covers it claims
    ``(k + 1) / (n + 2)`` on average (Laplace's rule of succession), where the smallest log loss alone would have it
    claim ever more. Where it is often wrong, they change nothing that is seen.

    Parameters
    ----------
    logits
        (n, K), of covers that the network was not trained on.
    truth
        (n,), or (n, K) in `multi`.

    Examples
    --------
    All of nine covers are named rightly:

    >>> found = fit_temperature(np.eye(3)[[0, 1, 2] * 3] * 8, np.array([0, 1, 2] * 3), task="single")
    >>> float(proba_of(np.array([[8.0, 0.0, 0.0]]), task="single", temperature=found).max().round(3))
    0.909
    """
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        proba = proba_of(logits, task=task, temperature=float(np.exp(logarithm)))
        if task == "multi":
            return log_loss(truth, proba)
        claimed = float(np.clip(proba.max(axis=1).mean(), SMALLEST_PROBA, 1 - SMALLEST_PROBA))
        return log_loss(truth, proba) - float(np.log(claimed) + np.log1p(-claimed)) / len(truth)

    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def doubts(logits: NDArray[np.floating], truth: NDArray[np.int64], temperature: float) -> list[str]:
    """Return, in sentences, what keeps a temperature from meaning what it should, of one genre a cover.

    Parameters
    ----------
    logits, truth, temperature
        As for, and from, `fit_temperature`.

    Examples
    --------
    >>> doubts(np.eye(2)[[0, 1, 1]], np.array([0, 1, 1]), 0.7)
    ['All of the 3 covers that calibrate the percentages are named rightly; so few show no more than about 80 %.']
    """
    n, right = len(truth), int((logits.argmax(axis=1) == truth).sum())
    notes = []
    if right == n:
        share = f"{100 * (n + 1) / (n + 2):.{int(n > 48)}f}"
        told = f"All of the {n:,} covers that calibrate the percentages are named rightly"
        notes.append(f"{told}; so few show no more than about {share} %.")
    for bound, side in zip(TEMPERATURE_RANGE, ("smallest", "greatest"), strict=True):
        if abs(np.log(temperature / bound)) < AT_BOUND:
            notes.append(f"The temperature is at its {side}, {bound:g}: the percentages are not calibrated.")
    return notes


# -------------------------------------------------------------------------------- a map a genre


def fit_maps(
    given: NDArray[np.floating], truth: NDArray[np.int64], groups: Sequence[str] | None = None
) -> tuple[list[Map], float | None]:
    """Return the map of each genre of `multi`, and the log loss of the ways chosen, in nats, over folds.

    A genre with fewer than 20 covers, or fewer than 20 that are known not to be of it, gets the pooled map; so do all
    where there are fewer than five groups.

    Parameters
    ----------
    given, truth
        Logits and truth, (n, K).
    groups
        Covers of one group are in one fold.
    """
    logits: Floats = np.asarray(given, dtype=np.float64)
    pooled = _platt(logits[truth >= 0], truth[truth >= 0]) | {"kind": "pooled"}
    losses = _losses(logits, truth, groups)  # (ways, K), nan where a way is not open to a genre
    known, ways = truth >= 0, (None, *WAYS.values())
    maps: list[Map] = []
    total = 0.0
    for genre, column in enumerate(losses.T):
        chosen = 0 if np.isnan(column).all() else int(np.nanargmin(column))
        fit, rows = ways[chosen], known[:, genre]
        maps.append(pooled if fit is None else fit(logits[rows, genre], truth[rows, genre]))
        total += float(column[chosen]) * rows.sum() if rows.any() else 0.0
    return maps, None if np.isnan(total) else float(total / known.sum())


def _losses(logits: Floats, truth: NDArray[np.int64], groups: Sequence[str] | None) -> Floats:
    """Return the log loss over folds of each genre's answers, (ways, K): with the pooled map, then with `WAYS`."""
    from sleevenotes.covers.groups import folds

    names = [str(cover) for cover in range(len(truth))] if groups is None else list(groups)
    loss = np.full((1 + len(WAYS), truth.shape[1]), np.nan)
    if len(set(names)) < FOLDS:
        return loss
    part = folds(names, truth == 1, FOLDS)  # (n,)
    found = np.zeros((1 + len(WAYS), *truth.shape))  # calibrated logits
    enough = [min((column == 1).sum(), (column == 0).sum()) >= ENOUGH_POSITIVES for column in truth.T]
    for number in range(FOLDS):
        learnt, asked = part != number, part == number
        known = truth[learnt] >= 0
        found[0, asked] = _mapped(logits[asked], _platt(logits[learnt][known], truth[learnt][known]))
        for genre in np.flatnonzero(enough):
            rows = learnt & (truth[:, genre] >= 0)
            for way, fit in enumerate(WAYS.values(), start=1):
                how = fit(logits[rows, genre], truth[rows, genre])
                found[way, asked, genre] = _mapped(logits[asked, genre], how)
    signs = np.where(truth == 1, -1.0, 1.0)
    surprise = np.where(truth >= 0, np.logaddexp(0, signs * found), np.nan)  # (ways, n, K)
    open_to = np.array([np.ones_like(enough), *[enough] * len(WAYS)]) & (truth >= 0).any(axis=0)
    loss[open_to] = [np.nanmean(surprise[way, :, genre]) for way, genre in np.argwhere(open_to)]
    return loss


def _platt(logits: Floats, truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return Platt's map of answers to one question, (m,): the scale and shift with the smallest log loss."""
    from scipy.optimize import minimize

    positives = int(truth.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(truth) - positives + 2)
    target = np.where(truth == 1, high, low)

    def objective(line: Floats) -> tuple[float, Floats]:
        mapped = line[0] * logits + line[1]
        loss = np.logaddexp(0, mapped) - target * mapped
        pull = proba_of(mapped, task="multi") - target
        return float(loss.mean()), np.array([(pull * logits).mean(), pull.mean()])

    bounds = [(LEAST_SLOPE, GREATEST_SLOPE), (-GREATEST_SHIFT, GREATEST_SHIFT)]
    found = minimize(objective, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return {"kind": "platt", "scale": float(found[0]), "shift": float(found[1])}


def _isotonic(logits: Floats, truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return the rising map of answers to one question, (m,), as points of which each stands for a level's covers.

    Each level's share is drawn to that of all covers, as if two more had it, so that none is certain; and between
    points it rises at least as a temperature of 20 would.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(logits, kind="stable")
    distinct, starts, count = np.unique(logits[order], return_index=True, return_counts=True)
    shares = np.add.reduceat(truth[order].astype(np.float64), starts) / count
    fitted = isotonic_regression(shares, weights=count)
    first = fitted.blocks[:-1]  # where each level begins
    size = np.add.reduceat(count.astype(np.float64), first)
    points = np.add.reduceat(distinct * count, first) / size
    share = (fitted.x[first] * size + 2 * truth.mean()) / (size + 2)
    share = np.clip(share, SMALLEST_PROBA, 1 - SMALLEST_PROBA)
    level = np.log(share) - np.log1p(-share) - LEAST_SLOPE * points
    values = np.maximum.accumulate(level) + LEAST_SLOPE * points
    return {"kind": "isotonic", "logits": points.tolist(), "calibrated": values.tolist()}


def _risk_line(proba: Floats, truth: NDArray[np.int64]) -> dict[str, float] | None:
    """Return Platt's map of the claim that the first genre is right; None where too few are right, or wrong."""
    first = proba.argmax(axis=1)
    held = truth[np.arange(len(truth)), first] if truth.ndim == 2 else (truth == first).astype(np.int64)
    known = held >= 0
    if min((held == 1).sum(), (held == 0).sum()) < ENOUGH_POSITIVES:
        return None
    line = _platt(claim_of(proba[known]), held[known])
    return {"scale": line["scale"], "shift": line["shift"]}


WAYS: dict[str, Callable[[Floats, NDArray[np.int64]], dict[str, Any]]] = {"platt": _platt, "isotonic": _isotonic}


# -------------------------------------------------------------------------------- from which proba a genre is named


def fit_thresholds(proba: Floats, truth: NDArray[np.int64]) -> list[float]:
    """Return for each genre of `multi` the proba from which it is named, found on valid.

    The threshold with the best F1 of that genre; where it has fewer than 20 positives, that of all genres pooled.

    Parameters
    ----------
    proba, truth
        (n, K).
    """
    known = truth >= 0
    pooled = _best_threshold(proba[known], truth[known])
    return [
        _best_threshold(column[rows], answers[rows]) if (answers == 1).sum() >= ENOUGH_POSITIVES else pooled
        for column, answers, rows in zip(proba.T, truth.T, known.T, strict=True)
    ]


def _best_threshold(proba: Floats, truth: NDArray[np.int64]) -> float:
    """Return the proba, of those that occur, at which F1 = 2 TP / (named + positives) is largest."""
    if not truth.any():
        return 0.5
    order = np.argsort(-proba, kind="stable")
    hits = np.cumsum(truth[order])
    named = np.arange(1, len(proba) + 1)
    f1 = 2 * hits / (named + truth.sum())
    last_of_its_value = np.append(np.diff(proba[order]) != 0, True)
    return float(proba[order][np.argmax(np.where(last_of_its_value, f1, -1))])
