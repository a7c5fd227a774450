"""From answers to figures with intervals, what they are measured against, and what they say in words.

`figures` gathers all of `sleevenotes.judge.metrics` and `sleevenotes.judge.resampling` into the metric part of
``evaluation.json``; `verdict` says it in a sentence or two. Neither reads nor writes a file.

A figure is ``{"value", "low", "high"}``, as `sleevenotes.judge.rulers` has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError, did_you_mean
from sleevenotes.judge import cautious, intervals, metrics, resampling
from sleevenotes.judge.intervals import (
    FEWEST_COVERS,
    FEWEST_FOR_GENRES,
    FEWEST_FOR_LOSSES,
    FEWEST_OF_GENRE,
    MARGIN,
    NONE,
    TOO_FEW,
    Ends,
    Size,
    Standing,
    doubts,
    places_apart,
    standing,
)
from sleevenotes.judge.metrics import Floats
from sleevenotes.judge.rulers import Answers, Figure, Measured, Metric, Ruler, figure_of, plain
from sleevenotes.learn.abstention import Caution

__all__ = ["Answers", "figures", "guesses", "verdict"]

TASKS = ("single", "binary", "multi")
ARTISTS = ("unknown", "apart", "shared")
METHOD = {
    "method": "exact with the design effect of groups for shares, jackknife over groups for other figures",
    "differences": intervals.TEST,
    "ece": "bootstrap over groups; its upward bias is taken out of the lower end",
}
CAUTION = Caution(coverage=0.9)
_GUESSES = ("commonest", "share")
_RANKINGS = 32  # random rankings a cover, of which the expected precision is the mean

_LOSSES: dict[str, Metric] = {"log_loss": metrics.log_loss, "brier": metrics.brier}
_OVER_GENRES: dict[str, Metric] = {"balanced_accuracy": metrics.balanced_accuracy, "macro_f1": metrics.macro_f1}
_BASELINES = {
    "commonest": "naming the commonest genre every time",
    "share": "guessing by the genres' shares",
    "color": "looking at the colours alone",
}
_BASELINES_OF_MANY = _BASELINES | {
    "commonest": "listing the commonest genres first every time",
    "share": "listing the genres at random by their shares",
}


# -------------------------------------------------------------------------------- guessing


def guesses(truth: ArrayLike, shares: ArrayLike, *, seed: int = 0) -> dict[str, Floats]:
    """Return how right guessing is about each cover, knowing no more than the genres' shares in training.

    ``commonest`` always names the commonest genre (the first of several), or, where covers have any number of genres,
    lists all genres from the commonest to the rarest. ``share`` names each genre as often as it occurs in training; or
    lists the genres in a random order, in which each next one is drawn from those left in proportion to its share.

    Parameters
    ----------
    truth
        As in `Answers`.
    shares
        How common each genre is in training, (K,), on any scale.
    seed
        Of the random orders.

    Returns
    -------
    dict[str, Floats]
        For both, the score to be expected of each cover, (n,), 0 to 1: the chance to be right, or its
        `sleevenotes.judge.metrics.ranking_precision` (the mean of 32 random orders for ``share``). To be given to
        `figures` as baselines.

    Notes
    -----
    The random order is that of Plackett (The Analysis of Permutations, Applied Statistics 24, 1975), drawn by adding
    Gumbel noise to the logarithms of the shares.

    Examples
    --------
    >>> {name: scores.tolist() for name, scores in guesses([0, 0, 1], [3, 1]).items()}
    {'commonest': [1.0, 1.0, 0.0], 'share': [0.75, 0.75, 0.25]}
    """
    genres = np.asarray(truth)
    common = np.asarray(shares, dtype=np.float64)
    if common.ndim != 1 or not np.isfinite(common).all() or common.min() < 0 or common.sum() <= 0:
        raise EvaluationError("shares", f"{common.tolist()}", "How common each genre is, (K,), 0 or more, was expected")
    every = np.tile(common / common.sum(), (len(genres), 1))  # (n, K)
    if genres.ndim == 1:
        return {"commonest": metrics.correct(genres, every), "share": every[np.arange(len(genres)), genres]}
    rng = np.random.default_rng(seed)
    liking = np.log(np.maximum(every, np.finfo(np.float64).tiny))
    drawn = [metrics.ranking_precision(genres, liking + rng.gumbel(size=every.shape)) for _ in range(_RANKINGS)]
    return {"commonest": metrics.ranking_precision(genres, every), "share": np.mean(drawn, axis=0)}


# -------------------------------------------------------------------------------- figures


def figures(
    answers: Answers,
    *,
    task: str,
    genres: Sequence[str],
    baselines: Mapping[str, ArrayLike],
    thresholds: ArrayLike | None = None,
    model: str = "",
    resamples: int = resampling.RESAMPLES,
    seed: int = 0,
    level: float = resampling.LEVEL,
    caution: Caution = CAUTION,
) -> dict[str, Any]:
    """Return the metric part of ``evaluation.json``, ready for `json.dumps`.

    Parameters
    ----------
    answers
        Of the model, about each cover.
    task
        ``"single"``, ``"binary"`` or ``"multi"``.
    genres
        Names of the K columns; in `binary` the genre looked for and its contrary.
    baselines
        What the model is measured against, by name: probas, (n, K), or what score is to be expected of each cover,
        (n,), as from `guesses`. Compared is whether the genre is right, and in `multi` the
        `sleevenotes.judge.metrics.ranking_precision`.
    thresholds
        In `multi`, the proba from which each genre is predicted, (K,); 0.5 where not given.
    model
        The model's name: the baseline of that name is the model itself, and is said to be.
    resamples, seed, level
        Of the intervals; see `sleevenotes.judge.resampling`.
    caution
        The risk up to which it answers, where one was asked for, and the coverage of its sets.

    Returns
    -------
    dict[str, Any]
        ``task``, ``genres``, ``n``, ``groups``, ``intervals`` (with ``notes`` on what is doubtful about them), the
        task's figures, ``baselines``, ``per_genre``, ``confusion`` (not in `multi`), ``reliability``, ``abstention``,
        ``sets`` (None without) and ``chance`` (what guessing gets).

    Raises
    ------
    EvaluationError
        Where the parts do not fit together.
    """
    _check(answers, task, genres)
    doubt = doubts(answers.groups)
    count = len(np.unique(np.asarray(answers.groups)))
    ruler = Ruler.of(answers.truth, answers.groups, resamples=resamples, seed=seed, level=level)
    overall, per_genre, notes = _measured(ruler, answers.proba, task, genres, thresholds)
    method = {**METHOD, "level": level, "resamples": resamples, "seed": seed}
    calibration = _calibration(answers, ruler)
    compared = _compared(answers, baselines, ruler, model)
    result: dict[str, Any] = {
        "task": task,
        "genres": list(genres),
        "n": len(ruler.truth),
        "groups": count,
        "intervals": {**method, "notes": [note for note in [doubt, *notes] if note]},
        **overall,
        **cautious.surest(ruler, answers),
        "ece": calibration["calibrated"][0],
        "ece_uncalibrated": calibration["uncalibrated"][0],
        "baselines": compared,
        "per_genre": per_genre,
    }
    if task != "multi":
        counts = metrics.confusion(ruler.truth, answers.proba).astype(int).tolist()
        result["confusion"] = {"genres": list(genres), "counts": counts}
    result["abstention"] = cautious.abstention(ruler, answers, caution.max_risk)
    result["sets"] = cautious.sets(ruler, answers, genres, caution.coverage)
    result["reliability"] = {name: rows for name, (_, rows) in calibration.items()}
    result["chance"] = _chance(compared, task, len(genres))
    return result


def _check(answers: Answers, task: str, genres: Sequence[str]) -> None:
    if task not in TASKS:
        raise EvaluationError(
            "figures", f"task '{task}'", f"It is one of {', '.join(TASKS)}", did_you_mean(task, TASKS)
        )
    shape, ndim = np.shape(answers.proba), np.ndim(answers.truth)
    if len(shape) != 2 or shape[1] != len(genres) or (task == "binary" and len(genres) != 2):
        wanted = "There are two genres" if task == "binary" else "There is a column a genre"
        raise EvaluationError("figures", f"proba of shape {shape} for {len(genres)} genres", wanted)
    if ndim != (2 if task == "multi" else 1):
        wanted = "It is (n, K), of 0 and 1" if task == "multi" else "It is (n,), a genre a cover"
        raise EvaluationError("figures", f"truth of shape {np.shape(answers.truth)} for the task '{task}'", wanted)
    if len(answers.groups) != shape[0]:
        found = f"{len(answers.groups):,} groups for {shape[0]:,} covers"
        raise EvaluationError("figures", found, "Each cover has one group")
    if answers.sets is not None and np.shape(answers.sets) != shape:
        raise EvaluationError("figures", f"sets of shape {np.shape(answers.sets)}", f"The probas have {shape}")
    if answers.risk is not None and np.shape(answers.risk) != shape[:1]:
        raise EvaluationError("figures", f"risks of shape {np.shape(answers.risk)}", "There is one risk a cover")
    if answers.uncalibrated is not None and np.shape(answers.uncalibrated) != shape:
        found = f"uncalibrated probas of shape {np.shape(answers.uncalibrated)}"
        raise EvaluationError("figures", found, f"The calibrated ones have {shape}")


def _measured(
    ruler: Ruler, proba: ArrayLike, task: str, genres: Sequence[str], thresholds: ArrayLike | None
) -> tuple[dict[str, Figure], dict[str, dict[str, Any]], list[str]]:
    """Return the figures over all genres, those of each genre, and notes on their intervals."""
    many = task == "multi"
    by_genre: dict[str, Metric] = {"average_precision": metrics.average_precision}
    if task != "single":
        by_genre["roc_auc"] = metrics.roc_auc
    measured = {name: ruler.measure(metric, proba) for name, metric in by_genre.items()}
    overall = _of_many(ruler, measured, proba, thresholds) if many else _of_one(ruler, proba)
    for name, metric in _LOSSES.items():
        overall[name] = ruler.figure(ruler.measure(metric, proba), fewest=FEWEST_FOR_LOSSES, scale="loss")
    per_genre, notes = _per_genre(ruler, measured, proba, genres, thresholds)
    if many:
        reached = np.broadcast_to(metrics.THRESHOLD if thresholds is None else thresholds, len(genres))
        for genre, threshold in zip(genres, reached, strict=True):
            per_genre[genre]["threshold"] = float(threshold)
    if task == "binary":
        asked = ("precision", "recall", "f1", *by_genre)
        overall |= {name: per_genre[genres[0]][name] for name in asked}
        for row in per_genre.values():
            del row["roc_auc"]  # it is the same for a genre and its contrary
    return overall, per_genre, notes


def _of_one(ruler: Ruler, proba: ArrayLike) -> dict[str, Figure]:
    """Return the figures over all genres of answers with one of them."""
    means = {name: ruler.figure(ruler.measure(metric, proba)) for name, metric in _OVER_GENRES.items()}
    first = {
        f"top{k}_accuracy": ruler.share(metrics.within_top_k(ruler.truth, proba, k=k), fewest=FEWEST_FOR_GENRES)
        for k in (2, 3)
    }
    return {"accuracy": ruler.share(metrics.correct(ruler.truth, proba), fewest=FEWEST_COVERS), **means, **first}


def _of_many(
    ruler: Ruler, by_genre: Mapping[str, Measured], proba: ArrayLike, thresholds: ArrayLike | None
) -> dict[str, Figure]:
    """Return the figures over all genres of answers with any number of them."""
    ranking = {"label_ranking_ap": ruler.mean(metrics.ranking_precision(ruler.truth, proba))}
    macro = {name: Measured(*map(metrics.over_genres, by_genre[name])) for name in ("roc_auc", "average_precision")}
    means = {f"{name}_macro": ruler.figure(mean) for name, mean in macro.items()}
    micro = {"roc_auc_micro": metrics.micro_roc_auc, "average_precision_micro": metrics.micro_average_precision}
    named = {"f1_macro": metrics.macro_f1, "f1_micro": metrics.micro_f1}
    ways: dict[str, Metric] = micro | {name: partial(metric, thresholds=thresholds) for name, metric in named.items()}
    return ranking | means | {name: ruler.figure(ruler.measure(metric, proba)) for name, metric in ways.items()}


def _per_genre(
    ruler: Ruler,
    measured: Mapping[str, Measured],
    proba: ArrayLike,
    genres: Sequence[str],
    thresholds: ArrayLike | None,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the figures of each genre, and notes on the genres that too few covers have."""
    true, named = metrics.true_and_named(ruler.truth, proba, thresholds=thresholds)  # (n, K)
    rows = {"precision": named, "recall": true, "f1": np.maximum(true, named)}
    values = {
        "precision": metrics.precision(ruler.truth, proba, thresholds=thresholds),
        "recall": metrics.recall(ruler.truth, proba, thresholds=thresholds, zero=np.nan),
        "f1": metrics.f1(ruler.truth, proba, thresholds=thresholds),
    }
    unknown = (ruler.truth < 0).sum(axis=0) if ruler.truth.ndim == 2 else np.zeros(len(genres), dtype=np.int64)
    tables: dict[str, dict[str, Any]] = {}
    few, notes = [], []
    for g, genre in enumerate(genres):
        support = int(true[:, g].sum())
        tables[genre] = {
            name: figure_of(value[g], *_ends_of(name, ruler, rows[name][:, g], true[:, g] * named[:, g], support))
            for name, value in values.items()
        }
        for name, of in measured.items():
            tables[genre][name] = _ranked(ruler, Measured(of.value[g], of.left_out[:, g]), g)
        tables[genre]["support"] = support
        if unknown[g]:
            tables[genre]["unknown"] = int(unknown[g])
        if not support:
            notes.append(f"{genre}: no cover of it is here.")
        elif tables[genre]["recall"]["low"] is None:
            few.append(f"{genre} ({support})")
    if few:
        notes.append(f"Too few covers for intervals: {', '.join(few)}.")
    return tables, notes


def _ends_of(name: str, ruler: Ruler, rows: Floats, hits: Floats, support: int) -> Ends:
    """Return the interval of the share of some covers that are hits, and of the F1 that comes of it."""
    ends = intervals.share(np.where(rows > 0, hits, np.nan), ruler.groups, level=ruler.level)
    if name == "f1":
        return intervals.f1_of(ends) if support >= FEWEST_OF_GENRE else NONE
    return ends


def _ranked(ruler: Ruler, measured: Measured, g: int) -> Figure:
    """Return a figure of the order of covers under a genre, which takes enough covers of it, and enough others."""
    has = ruler.truth[:, g] if ruler.truth.ndim == 2 else (ruler.truth == g).astype(np.int64)
    few = any(not Size.of(np.bincount(ruler.groups[has == kind])).enough(FEWEST_OF_GENRE) for kind in (0, 1))
    return figure_of(measured.value, *NONE) if few else ruler.figure(measured)


def _compared(
    answers: Answers, baselines: Mapping[str, ArrayLike], ruler: Ruler, model: str
) -> dict[str, dict[str, Any]]:
    """Return, for each baseline, its score, how much better the model's is, p, the test, and all that in words."""
    many = ruler.truth.ndim == 2
    headline = "label_ranking_ap" if many else "accuracy"
    scores = _scores(ruler.truth, answers.proba, "model")
    own = float(scores.mean())
    table: dict[str, dict[str, Any]] = {}
    for name, given in baselines.items():
        others = _scores(ruler.truth, given, f"baseline '{name}'")
        result = intervals.paired_test(scores, others, answers.groups, level=ruler.level)
        row = {
            headline: _expected(ruler, others) if np.ndim(given) == 1 else ruler.average(others, fewest=FEWEST_COVERS),
            "difference": figure_of(result.difference, result.low, result.high),
            "p": plain(result.p),
            "test": result.test,
        }
        same = np.array_equal(scores, others)
        row["words"] = _words(name, row, own=own, n=len(scores), itself=name == model, same=same)
        table[name] = row
    return table


def _expected(ruler: Ruler, scores: Floats) -> Figure:
    """Return the mean of expected scores; certain if it is the same for any cover, as guessing equal shares is."""
    first = float(scores[0])
    return (
        figure_of(first, first, first)
        if 0 < first == scores.min() == scores.max() < 1
        else ruler.average(scores, fewest=FEWEST_COVERS)
    )


def _scores(truth: NDArray[np.integer[Any]], given: ArrayLike, where: str) -> Floats:
    """Return how right each answer is, (n,): of probas, (n, K), or of expected scores, (n,), as they are."""
    given = np.asarray(given)
    if given.ndim == 2:
        return (metrics.ranking_precision if truth.ndim == 2 else metrics.correct)(truth, given)
    if given.shape != truth.shape[:1] or not ((given >= 0) & (given <= 1)).all():
        raise EvaluationError(
            where, f"scores of shape {given.shape}", "Probas, (n, K), or scores from 0 to 1, (n,), were expected"
        )
    return given.astype(np.float64)


def _calibration(answers: Answers, ruler: Ruler) -> dict[str, tuple[Figure, list[Figure]]]:
    """Return the calibration error and the bins of its diagram, with the calibrated probas and with those before."""
    calibrated = _reliability(ruler, answers.proba)
    before = calibrated if answers.uncalibrated is None else _reliability(ruler, answers.uncalibrated)
    return {"calibrated": calibrated, "uncalibrated": before}


def _reliability(ruler: Ruler, proba: ArrayLike) -> tuple[Figure, list[Figure]]:
    """Return the calibration error, and its bins from the least sure on; ``n`` covers, or pairs, are in each."""
    whole = metrics.reliability(ruler.truth, proba)
    left_out = metrics.reliability(ruler.truth, proba, ruler.weights).accuracy
    rows = []
    for b, (confidence, accuracy, mass) in enumerate(zip(*whole, strict=True)):
        figure = ruler.part(Measured(accuracy, left_out[:, b]), float(mass))
        figure |= {"confidence": plain(confidence), "accuracy": figure.pop("value"), "n": plain(mass)}
        rows.append(figure)
    return ruler.gap(metrics.calibration_error, proba), rows


def _chance(compared: Mapping[str, Mapping[str, Any]], task: str, k: int) -> dict[str, float]:
    """Return what the better way of guessing gets, and what any gets in the order of covers."""
    headline = "label_ranking_ap" if task == "multi" else "accuracy"
    known = [float(compared[name][headline]["value"]) for name in _GUESSES if name in compared]
    chance = {headline: max(known)} if known else {} if task == "multi" else {headline: 1 / k}
    return chance if task == "single" else chance | {"roc_auc": 0.5}


# -------------------------------------------------------------------------------- words


def verdict(figures: Mapping[str, Any], *, artists: str) -> str:
    """Return what the figures say, in words that take no knowledge of statistics.

    Parameters
    ----------
    figures
        As returned by `figures`, or an ``evaluation.json`` read back.
    artists
        Whether the covers' artists were seen in training: ``"apart"`` (none was), ``"shared"`` (some may have been),
        ``"unknown"``.

    Raises
    ------
    EvaluationError
        Where ``artists`` is none of these.

    Examples
    --------
    >>> answers = Answers(np.arange(90) % 3, np.eye(3)[np.arange(90) % 3], np.arange(90))
    >>> usual = guesses(answers.truth, shares=[1, 1, 1])
    >>> all_right = figures(answers, task="single", genres=["folk", "jazz", "soul"], baselines=usual)
    >>> verdict(all_right, artists="unknown").partition(", ")[2]
    'it names the right genre 100 % of the time (96–100); guessing gets 33 %.'
    """
    if artists not in ARTISTS:
        raise EvaluationError("verdict", f"artists '{artists}'", f"It is one of {', '.join(ARTISTS)}")
    opening = {
        "apart": "On covers it has never seen, from artists it has never seen,",
        "shared": "On covers it has never seen, from artists it may have seen,",
        "unknown": "On covers it has never seen (artists unknown),",
    }[artists]
    says = {"single": _of_single, "binary": _of_binary, "multi": _of_multi}[figures["task"]]
    doubt = doubts(range(figures["groups"]))
    return f"{opening} {says(figures)} {doubt}".rstrip()


def _of_single(figures: Mapping[str, Any]) -> str:
    guessing = _percent(figures["chance"]["accuracy"])
    says = f"it names the right genre {_often(figures['accuracy'])}{_against(guessing, _standing(figures), figures)}"
    color = figures["baselines"].get("color")
    outcome = _outcome(color) if color else "same"
    alone = _percent(color["accuracy"]["value"]) if color else ""
    if outcome == "worse":
        return f"{says} The colours alone do better: {alone}."
    apart = color and color["difference"]["value"]  # nothing is to be said of a model that is its own baseline
    if outcome == "same" and apart and _standing(figures) == "better":
        return f"{says} The colours alone get {alone}, which is as good, give or take {100 * MARGIN:.0f} points."
    if outcome == "unclear" and apart and _standing(figures) == "better":
        return f"{says} The colours alone get {alone}; {_covers(figures)} are too few to say which is better."
    return says


def _of_binary(figures: Mapping[str, Any]) -> str:
    genre = figures["genres"][0]
    if figures["recall"]["value"] is None:
        return f"it can't be told how well it knows {genre}, as no {genre} cover is among these {_covers(figures)}."
    found = f"of 100 {genre} covers it finds {_hundredths(figures['recall'])}"
    called = sum(row[0] for row in figures["confusion"]["counts"])
    right = f"of 100 covers that it calls {genre}, {_hundredths(figures['precision'], ' are')}, and {found}."
    says = right if called else f"it calls no cover {genre}, so that it finds none of them."
    auc, usual = figures["roc_auc"], figures["baselines"].get("commonest")
    if auc["value"] is not None:
        says += f" Shown one {genre} cover and one other, it picks the right one {_often(auc, 'ROC AUC')}"
        says += _against("50 %", _side_of_half(auc), figures)
    if usual:
        says += f" Its answer is right {_often(figures['accuracy'])}; always giving the commoner answer is right "
        says += f"{_percent(usual['accuracy']['value'])} of the time{_apart(_outcome(usual), figures)}"
    return says


def _of_multi(figures: Mapping[str, Any]) -> str:
    auc, ranking = figures["roc_auc_macro"], figures["label_ranking_ap"]
    says = "it can't be told how well it knows any genre, as none is on some of them and not on others."
    if auc["value"] is not None:
        says = f"shown one cover of a genre and one other, it picks the right one {_often(auc, 'mean ROC AUC')}"
        says += _against("50 %", _side_of_half(auc), figures)
    says += " Reading its list of genres, likeliest first, down to each right one, "
    says += f"{_often(ranking, 'label-ranking average precision', of='of those read are right')}"
    guessing = figures["chance"].get("label_ranking_ap")
    return says + ("." if guessing is None else _against(_percent(guessing), _standing(figures), figures))


def _against(guessing: str, outcome: str, figures: Mapping[str, Any]) -> str:
    """Return the end of a sentence that sets the model against guessing."""
    return {
        "better": f"; guessing gets {guessing}.",
        "unclear": f"; guessing gets {guessing}, and {_covers(figures)} are too few to tell which is better.",
        "same": f", which is no better than guessing ({guessing}), give or take {100 * MARGIN:.0f} points.",
        "worse": f", which is worse than guessing ({guessing}).",
    }[outcome]


def _apart(outcome: str, figures: Mapping[str, Any]) -> str:
    return {
        "better": ".",
        "unclear": f", and {_covers(figures)} are too few to tell the two apart.",
        "same": f", which is as good, give or take {100 * MARGIN:.0f} points.",
        "worse": ", which is better.",
    }[outcome]


def _standing(figures: Mapping[str, Any]) -> Standing:
    """Return how the model does against guessing in any way: it is better only if it beats each."""
    outcomes = {_outcome(row) for name, row in figures["baselines"].items() if name in _GUESSES}
    order: tuple[Standing, ...] = ("worse", "same", "unclear", "better")
    return next((outcome for outcome in order if outcome in outcomes), "unclear")


def _side_of_half(auc: Figure) -> Standing:
    """Return how a ROC AUC does against guessing, which gets 0.5, by its interval."""
    return standing(auc["low"], auc["high"], none=0.5)


def _outcome(baseline: Mapping[str, Any]) -> Standing:
    """Return how the model does against a baseline, by the interval of the difference."""
    return standing(baseline["difference"]["low"], baseline["difference"]["high"])


def _words(name: str, row: Mapping[str, Any], *, own: float, n: int, itself: bool, same: bool) -> str:
    """Return the comparison with one baseline as a sentence."""
    many = "label_ranking_ap" in row
    what = (_BASELINES_OF_MANY if many else _BASELINES).get(name, f"the baseline '{name}'")
    show, gain = (_plainly, _signed) if many else (_percent, _points)
    if itself:
        return f"The model is this baseline itself ({show(own)})."
    if same:
        return f"The model is exactly as right about every cover as {what} ({show(own)})."
    other = row["label_ranking_ap" if many else "accuracy"]["value"]
    facts = f"{show(own)} against {show(other)}, a difference of {gain(row['difference'])}{_p_words(row['p'])}."
    opening = {
        "better": f"The model beats {what}",
        "worse": f"The model does worse than {what}",
        "same": f"The model is no better than {what}, give or take {100 * MARGIN:.0f} points",
        "unclear": f"A test of {n:,} covers is too small to say whether the model beats {what}",
    }[_outcome(row)]
    return f"{opening}: {facts}"


def _p_words(p: float | None) -> str:
    return "" if p is None else ", p < 0.001" if p < 0.001 else f", p = {p:.2g}"


def _covers(figures: Mapping[str, Any]) -> str:
    few = figures["groups"] < figures["n"] / 2
    return f"{figures['n']:,} covers" + (f" in {figures['groups']:,} groups" if few else "")


def _percent(share: float) -> str:
    return f"{100 * share:.{_decimals(share)}f} %"


def _decimals(share: float) -> int:
    """Return 1 near both ends, where whole percents hide what matters (97.2 % of covers are not prog)."""
    return int(0 < min(share, 1 - share) < 0.05)


def _often(figure: Figure, name: str = "", *, of: str = "of the time") -> str:
    """Return "38 % of the time (35–41)"."""
    share = figure["value"] or 0.0
    notes = [note for note in (_span(figure), name) if note]
    return f"{_percent(share)} {of}" + (f" ({'; '.join(notes)})" if notes else "")


def _hundredths(figure: Figure, verb: str = "") -> str:
    """Return "61 (52–69)", or "61 are (52–69)"."""
    span = _span(figure)
    return _percent(figure["value"] or 0.0).removesuffix(" %") + verb + (f" ({span})" if span else "")


def _span(figure: Figure) -> str:
    """Return "35–41", "too few covers", or nothing if the figure is none of a number of covers."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return ""
    if low is None or high is None:
        return TOO_FEW
    decimals = places_apart(low, high, _decimals(value))
    return f"{100 * low:.{decimals}f}–{100 * high:.{decimals}f}"


def _plainly(value: float) -> str:
    return f"{value:.2f}"


def _points(figure: Figure) -> str:
    """Return "+18 points (+15 to +21)"."""
    decimals = int(abs(figure["value"] or 0.0) < 0.02)
    return _gain(figure, 100.0, decimals, " points")


def _signed(figure: Figure) -> str:
    """Return "+0.14 (+0.11 to +0.17)"."""
    return _gain(figure, 1.0, 2, "")


def _gain(figure: Figure, scale: float, decimals: int, unit: str) -> str:
    ends = [figure["low"], figure["high"]]
    value, *span = (f"{scale * (end or 0.0):+.{decimals}f}".replace("-", "−") for end in (figure["value"], *ends))
    return f"{value}{unit} ({TOO_FEW if None in ends else ' to '.join(span)})"
