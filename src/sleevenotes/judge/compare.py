"""Models side by side on the same covers: paired differences, each with an interval and a test, and in words.

What is compared
----------------
Two models are compared on the very same covers, so that what is hard about a cover is hard for both. A model may be one
evaluation, or a set of them (trainings with other seeds, on other splits): then the first of one set is compared with
the first of the other, and so on, and the covers of all are pooled. A cover that is in the test of two seeds counts in
both, and its group is drawn, or swapped, as a whole.

Intervals
---------
The bootstrap over groups (`sleevenotes.judge.resampling`), with the same resamples for all models.

Tests
-----
If two models do not differ, their answers about a group of covers might as well be swapped. Where a figure is a mean
over covers (accuracy, log loss, …) that is `sleevenotes.judge.resampling.paired_test`, which takes the exact test of
McNemar where each cover is a group of its own; for the others `swap_test` works the figure out anew for each way to
swap. All p of one figure are corrected by Holm's method for how many pairs there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError, SleevenotesWarning, did_you_mean
from sleevenotes.judge import metrics, resampling
from sleevenotes.judge.figures import SIGNIFICANT
from sleevenotes.judge.metrics import Floats
from sleevenotes.judge.proportions import holm
from sleevenotes.judge.recorded import Common, Evaluations, common_answers, read_sets
from sleevenotes.judge.rulers import Figure

ENOUGH_HITS = 50  # ways to swap as far apart as the one seen, after which no more are tried
DRAWS = 2000
DRAWS_A_PAIR = 100  # so that Holm's correction can leave a p below 0.05
_STEP = 250

Progress = Callable[[int, int], None]
Metric = Callable[..., Floats]  # of truth, proba and weights


@dataclass(frozen=True)
class Difference:
    """By how much two models differ in one figure.

    Attributes
    ----------
    value, low, high
        The first model's figure less the second's, and its 95 % interval; None where it can't be told.
    p
        How often two models that do not differ would come out at least as far apart.
    p_holm
        That p after Holm's correction for all pairs.
    test
        ``"mcnemar"``, ``"permutation"`` or ``"swap"``.
    better
        The name of the model that is better, or None where they can't be told apart.
    words
        All that in a sentence.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    test: str
    better: str | None
    words: str


@dataclass(frozen=True)
class Pair:
    """Two models, and how they differ by each figure."""

    first: str
    second: str
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Standing:
    """One model: its name, the evaluations that it stands for, and its figures on what all have in common."""

    name: str
    evaluations: tuple[str, ...]
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Comparison:
    """What came of comparing models.

    Attributes
    ----------
    task, genres
        What was asked.
    n, groups
        Answers of each model, and groups of covers. With sets of evaluations a cover may have several answers.
    sets
        How many evaluations a model stands for.
    main
        The figure that models are ordered and told by.
    models
        The best by that figure first.
    pairs
        Each model with each that comes after it, or with one of them only.
    notes
        What is doubtful, in sentences.
    method
        How intervals and tests were made.
    """

    task: str
    genres: tuple[str, ...]
    n: int
    groups: int
    sets: int
    main: str
    models: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    method: Mapping[str, Any]

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures compared, the main one first."""
        return tuple(self.models[0].figures)

    @property
    def words(self) -> list[str]:
        """A sentence on the order of the models, and one a pair by the main figure."""
        return [_order_in_words(self), *(pair.differences[self.main].words for pair in self.pairs)]

    def told(self) -> dict[str, Any]:
        """Return the contents of `compare.json`."""
        return {"format": 1, "words": self.words, **asdict(self)}


class Measure(NamedTuple):
    """A figure that models are compared by.

    Attributes
    ----------
    title
        In words, that follow "by".
    metric
        Of truth, proba and weights.
    scores
        Of truth and proba: what the metric is the mean of, (n,); None where it is no mean over covers.
    by_order
        Whether only the order of the covers matters, not the probas themselves.
    less
        Whether less is better.
    unit
        ``"points"`` for shares that are read as percentages, ``""`` for all else.
    """

    title: str
    metric: Metric
    scores: Callable[..., Floats] | None = None
    by_order: bool = False
    less: bool = False
    unit: str = ""


def _of_each(metric: Metric, truth: NDArray[np.int64], proba: Floats) -> Floats:
    """Return a mean over covers for each cover alone, (n,)."""
    return np.array([float(metric(truth[at : at + 1], proba[at : at + 1])) for at in range(len(truth))])


def _asked(metric: Metric, *given: Any) -> Floats:
    """Return a figure of the genre that is asked for, in `binary`."""
    figure: Floats = metric(*given)[..., 0]
    return figure


def _macro(metric: Metric, *given: Any) -> Floats:
    return metrics.over_genres(metric(*given))


_ACCURACY = Measure("accuracy", metrics.accuracy, metrics.correct, unit="points")
_OF_ALL: dict[str, Measure] = {
    "log_loss": Measure("log loss", metrics.log_loss, partial(_of_each, metrics.log_loss), less=True),
    "brier": Measure("Brier score", metrics.brier, partial(_of_each, metrics.brier), less=True),
    "ece": Measure("calibration error", metrics.calibration_error, less=True),
}
_OF_TWO: dict[str, Measure] = {
    "roc_auc": Measure("ROC AUC", partial(_asked, metrics.roc_auc), by_order=True),
    "average_precision": Measure("average precision", partial(_asked, metrics.average_precision), by_order=True),
    "accuracy": _ACCURACY,
}
_OF_MANY: dict[str, Measure] = {
    "roc_auc_macro": Measure("mean ROC AUC", partial(_macro, metrics.roc_auc), by_order=True),
    "average_precision_macro": Measure(
        "mean average precision", partial(_macro, metrics.average_precision), by_order=True
    ),
    "label_ranking_ap": Measure(
        "label-ranking average precision", metrics.label_ranking_average_precision, metrics.ranking_precision
    ),
}
MEASURES: dict[str, dict[str, Measure]] = {
    "single": {"accuracy": _ACCURACY, "macro_f1": Measure("macro F1", metrics.macro_f1)} | _OF_ALL,
    "binary": _OF_TWO | _OF_ALL,
    "multi": _OF_MANY | _OF_ALL,
}


# -------------------------------------------------------------------------------- comparing


def compare(
    evaluations: Sequence[Evaluations],
    *,
    names: Sequence[str] = (),
    figure: str = "",
    against: str = "",
    folds: bool = False,
    resamples: int = resampling.RESAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Compare models by what they said of the same covers.

    Parameters
    ----------
    evaluations
        Two or more, each an `evaluation.json`, the folder it lies in, or a sequence of these: several trainings of one
        model, to be pooled; all sequences are then of one length, and in the same order of splits.
    names
        What to call the models, one each; their own names, made unlike by their folders, where not given.
    figure
        The figure to order and tell the models by: ``accuracy`` in `single`, ``roc_auc`` in `binary` and
        ``roc_auc_macro`` in `multi` where not given. All figures are compared in any case.
    against
        The name of a model: only pairs with it are compared, so that fewer tests are corrected for.
    folds
        Compare what was pooled over folds.
    resamples, seed
        Of intervals and tests.

    Raises
    ------
    EvaluationError
        Where a file is not what `evaluate` wrote, the models had different tasks, genres or truths, or were judged on
        different covers and have fewer than 30 in common.
    """
    sets = read_sets(evaluations, names, folds=folds)
    common = common_answers(sets)
    measures = _ordered(MEASURES[common.task], figure)
    if against and against not in sets:
        known = f"One of {', '.join(sets)}"
        raise EvaluationError(f"against '{against}'", "no model of that name", known, did_you_mean(against, list(sets)))
    doubt = resampling.doubts(common.groups)
    notes = [*common.notes, *filter(None, [doubt])]
    for note in notes:
        warnings.warn(f"compare: {note}", SleevenotesWarning, stacklevel=2)
    ruler = _Ruler.of(common, measures, resamples, seed)
    standings = sorted(
        (
            Standing(name, tuple(str(one.path) for one in members), ruler.figures(name))
            for name, members in sets.items()
        ),
        key=lambda standing: _rank(standing, measures),
    )
    chosen = [pair for pair in combinations([each.name for each in standings], 2) if not against or against in pair]
    return Comparison(
        task=common.task,
        genres=common.genres,
        n=len(common.truth),
        groups=len(set(common.groups)),
        sets=len(standings[0].evaluations),
        main=next(iter(measures)),
        models=tuple(standings),
        pairs=tuple(ruler.pairs(chosen, progress)),
        notes=tuple(notes),
        method=_method(folds, resamples, seed),
    )


def _ordered(measures: Mapping[str, Measure], figure: str) -> dict[str, Measure]:
    """Return the figures with the one that is asked for first."""
    if figure and figure not in measures:
        known = f"One of {', '.join(measures)}"
        raise EvaluationError(f"figure '{figure}'", "not compared here", known, did_you_mean(figure, list(measures)))
    main = figure or next(iter(measures))
    return {main: measures[main], **measures}


def _rank(standing: Standing, measures: Mapping[str, Measure]) -> float:
    """Return what to order models by, the best first and those that can't be told last."""
    main, measure = next(iter(measures.items()))
    value = standing.figures[main]["value"]
    return np.inf if value is None else value if measure.less else -value


def _method(folds: bool, resamples: int, seed: int) -> dict[str, Any]:
    return {
        "answers": "pooled over folds" if folds else "of one split each",
        "intervals": "bootstrap over groups, percentile, the same resamples for all models",
        "tests": "answers swapped by whole groups; McNemar's exact test where each cover is a group",
        "correction": "Holm, over the pairs, each figure by itself",
        "level": resampling.LEVEL,
        "resamples": resamples,
        "seed": seed,
    }


@dataclass(frozen=True)
class _Ruler:
    """Measures all models on the same covers with the same resamples: `weights` (B, n), or None for one group."""

    common: Common
    measures: Mapping[str, Measure]
    weights: NDArray[np.unsignedinteger[Any]] | None
    seed: int
    measured: dict[tuple[str, str], tuple[float, Floats]]  # of a model and a figure: its value, and of each resample

    @classmethod
    def of(cls, common: Common, measures: Mapping[str, Measure], resamples: int, seed: int) -> _Ruler:
        several = len(set(common.groups)) > 1
        weights = resampling.group_weights(common.groups, resamples, seed) if several else None
        measured = {}
        for name, proba in common.probas.items():
            for key, measure in measures.items():
                spread = np.array([np.nan])
                if weights is not None:
                    spread = measure.metric(common.truth, proba, weights)
                measured[name, key] = float(measure.metric(common.truth, proba)), spread
        return cls(common, measures, weights, seed, measured)

    def figures(self, name: str) -> dict[str, Figure]:
        """Return a model's figures."""
        return {key: self._figure(*self.measured[name, key], calibration=key == "ece") for key in self.measures}

    def pairs(self, chosen: Sequence[tuple[str, str]], progress: Progress | None) -> Iterator[Pair]:
        """Give what differs between models, once all p are there to be corrected."""
        draws = max(DRAWS, DRAWS_A_PAIR * len(chosen))
        tests: dict[str, list[tuple[float | None, str]]] = {key: [] for key in self.measures}
        for done, pair in enumerate(chosen):
            for key in self.measures:
                tests[key].append(self._test(key, pair, draws))
            if progress:
                progress(done + 1, len(chosen))
        corrected = {key: _corrected([p for p, _ in tests[key]]) for key in tests}
        for at, (first, second) in enumerate(chosen):
            told = {}
            for key in self.measures:
                p, test = tests[key][at]
                told[key] = self._difference(key, (first, second), (p, corrected[key][at], test), len(chosen))
            yield Pair(first, second, told)

    def _test(self, key: str, pair: tuple[str, str], draws: int) -> tuple[float | None, str]:
        """Return p and the name of the test; no p where the figure of either can't be told."""
        measure, truth, groups = self.measures[key], self.common.truth, self.common.groups
        one, two = (self.common.probas[name] for name in pair)
        if np.isnan([self.measured[name, key][0] for name in pair]).any():
            return None, "none"
        if measure.scores is not None:
            scores = measure.scores(truth, one), measure.scores(truth, two)
            result = resampling.paired_test(*scores, groups, weights=self.weights, seed=self.seed)
            return result.p, result.test
        if measure.by_order:
            one, two = midranks(one), midranks(two)
        return swap_test(measure.metric, truth, (one, two), groups, draws=draws, seed=self.seed), "swap"

    def _difference(
        self, key: str, pair: tuple[str, str], tested: tuple[float | None, float | None, str], pairs: int
    ) -> Difference:
        (one, one_spread), (two, two_spread) = (self.measured[name, key] for name in pair)
        figure = self._figure(one - two, one_spread - two_spread)
        measure, (p, p_holm, test) = self.measures[key], tested
        better = None
        if p_holm is not None and p_holm < SIGNIFICANT and one != two:
            better = pair[(one > two) == measure.less]
        same = np.array_equal(self.common.probas[pair[0]], self.common.probas[pair[1]])
        words = _in_words(measure, pair, figure, (p_holm, pairs), better=better, same=same)
        return Difference(figure["value"], figure["low"], figure["high"], p, p_holm, test, better, words)

    def _figure(self, value: float, spread: Floats, *, calibration: bool = False) -> Figure:
        ends = resampling.gap_interval(value, spread) if calibration else resampling.interval(spread)
        numbers = {"value": value, "low": ends.low, "high": ends.high}
        return {name: None if np.isnan(number) else float(number) for name, number in numbers.items()}


def _corrected(ps: Sequence[float | None]) -> list[float | None]:
    """Return ps after Holm's correction; what has none has no part in it."""
    known = iter(holm([p for p in ps if p is not None]))
    return [None if p is None else next(known) for p in ps]


# -------------------------------------------------------------------------------- words


def _in_words(
    measure: Measure,
    pair: tuple[str, str],
    figure: Figure,
    tested: tuple[float | None, int],
    *,
    better: str | None,
    same: bool,
) -> str:
    """Return how two models differ by one figure, in a sentence, told from the side of the one that is ahead."""
    first, second = pair
    value, (p, pairs) = figure["value"], tested
    if same:
        return f"{first} and {second} give the very same answers."
    if value is None or p is None:
        return f"Can't tell {first} from {second} by {measure.title}: it can't be worked out on these covers."
    ahead = (value < 0) == measure.less
    leader, other = (first, second) if ahead else (second, first)
    size = _size(measure, figure, turned=value < 0)
    facts = f"({size[1]}{_p_words(p)}{f' after Holm over {pairs} pairs' if pairs > 1 else ''})"
    if better:
        what = f"{size[0]} points of {measure.title}" if measure.unit else f"{size[0]} in {measure.title}"
        return f"{leader} is better than {other} by {what} {facts}."
    gap = f"{leader} is ahead by {size[0]}{' points' if measure.unit else ''}" if value else "they are level"
    return f"Can't tell {first} from {second} by {measure.title}: {gap} {facts}."


def _size(measure: Measure, figure: Figure, *, turned: bool) -> tuple[str, str]:
    """Return a difference and, where there is one, its interval, told as a gap that is not negative."""
    scale, decimals = (100.0, 1) if measure.unit else (1.0, 3)
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    shown = f"{scale * abs(value or 0.0):.{decimals}f}"
    if low is None or high is None:
        return shown, ""
    ends = (-high, -low) if turned else (low, high)
    return shown, "{} to {}; ".format(*(f"{scale * end + 0.0:.{decimals}f}".replace("-", "−") for end in ends))


def _p_words(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _order_in_words(comparison: Comparison) -> str:
    """Return who comes first, and from whom it can and can't be told."""
    best, measure = comparison.models[0], MEASURES[comparison.task][comparison.main]
    value = best.figures[comparison.main]["value"]
    if value is None:
        return f"By {measure.title} these models can't be put in an order on {comparison.n:,} covers."
    shown = f"{100 * value:.1f} %" if measure.unit else f"{value:.3f}"
    covers = f"the same {comparison.n:,} covers" if comparison.sets == 1 else f"{comparison.n:,} answers each"
    says = f"By {measure.title} on {covers}, {best.name} comes first of {len(comparison.models)} ({shown})"
    own = [pair for pair in comparison.pairs if pair.first == best.name]
    beaten = [pair.second for pair in own if pair.differences[comparison.main].better == best.name]
    unclear = [pair.second for pair in own if pair.second not in beaten]
    ends = [f"is better than {_listed(beaten)}"] if beaten else []
    ends += [f"can't be told from {_listed(unclear)}"] if unclear else []
    return f"{says}{'; it ' if ends else ''}{', and '.join(ends)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# -------------------------------------------------------------------------------- pure functions on arrays


def midranks(proba: ArrayLike) -> Floats:
    """Return each column's ranks as shares of its length, (n, K), 0 to 1; equal ones share the mean of their ranks.

    What depends on the order of the covers alone is the same for ranks as for probas. But those of two models can be
    exchanged where one is surer of everything than the other.

    Examples
    --------
    >>> midranks([[0.1], [0.9], [0.9], [0.2]]).ravel().tolist()
    [0.125, 0.75, 0.75, 0.375]
    """
    columns = np.asarray(proba, dtype=np.float64).T  # (K, n)
    ranks = [
        (np.searchsorted(each, column, side="left") + np.searchsorted(each, column, side="right")) / 2
        for column, each in zip(columns, np.sort(columns, axis=1), strict=True)
    ]
    shares: Floats = np.stack(ranks, axis=1) / columns.shape[1]
    return shares


def swap_test(
    metric: Metric,
    truth: ArrayLike,
    probas: tuple[ArrayLike, ArrayLike],
    groups: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Return the p of a figure that is no mean over covers: how often swapped answers are as far apart.

    If two models do not differ, their answers about a group might as well be swapped. For each of ``draws`` random ways
    to swap some groups the figure of both is worked out anew, and ``p = (1 + hits) / (1 + draws)``, hits being the
    ways whose difference is at least as far from 0 as the one seen. After 50 hits no more ways are tried, as p is then
    known well enough.

    Parameters
    ----------
    metric
        Of truth, proba and weights, (B, 2n); it may return nan for some of them, which are left out.
    truth
        (n,) or (n, K).
    probas
        Of the two models, each (n, K). For figures of order alone give their `midranks`.
    groups
        The group of each cover, (n,).
    draws
        How many ways at most.
    seed
        Of the random ways.

    Notes
    -----
    All covers stand there twice, once with each model's answer, and a weight of 1 or 0 takes one of the two, so that
    one call works out many ways. For the area under the curve this is the test of Bandos, Rockette and Gur, A
    permutation test sensitive to differences in areas for comparing ROC curves from a paired design, Statistics in
    Medicine 24 (2005); for the stop, Besag and Clifford, Sequential Monte Carlo p-values, Biometrika 78 (1991).

    Examples
    --------
    One model knows what the other has upside down:

    >>> truth, knows = [0, 1] * 10, [[0.9, 0.1], [0.1, 0.9]] * 10
    >>> swap_test(metrics.macro_f1, truth, (knows, knows[::-1]), range(20), draws=999)
    0.001
    """
    truth, (one, two) = np.asarray(truth), map(np.asarray, probas)
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    twice, both = np.concatenate([truth, truth]), np.concatenate([one, two])  # (2n, …)
    seen = abs(float(metric(truth, one)) - float(metric(truth, two)))
    rng = np.random.default_rng(seed)
    hits = tried = drawn = 0
    while drawn < draws and hits < ENOUGH_HITS:
        ways = min(_STEP, draws - drawn)
        kept = rng.integers(2, size=(ways, member.max() + 1), dtype=np.uint8)[:, member]  # (ways, n)
        weights = np.concatenate([kept, 1 - kept], axis=1)  # (ways, 2n)
        apart = np.abs(metric(twice, both, weights) - metric(twice, both, 1 - weights))
        apart = apart[~np.isnan(apart)]
        hits += int(np.count_nonzero(apart >= seen - 1e-12))  # rounding must not split what is equal
        tried, drawn = tried + len(apart), drawn + ways
    return (1 + hits) / (1 + tried)
