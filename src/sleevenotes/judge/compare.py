"""Models side by side on the same covers: paired differences, each with an interval and a test, and in words.

What is compared
----------------
Two models are compared on the very same covers, so that what is hard about a cover is hard for both. A model may be one
evaluation, or a set of them (trainings with other seeds, on other splits): then the first of one set is compared with
the first of the other, and so on, and the covers of all are pooled. A cover that is in the test of two seeds counts in
both, and its group is drawn, or swapped, as a whole.

Intervals and tests
-------------------
Both come from one procedure (`sleevenotes.judge.intervals`): Student's t over groups, of a difference of scores where a
figure is a mean over covers, and by a jackknife over groups for all others (by a bootstrap for the calibration error).
Each p of one figure is corrected by Holm's method for how many pairs there are, and the interval beside it is widened
likewise: it excludes 0 if and only if the corrected p is below 0.05.
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
from sleevenotes.judge.figures import METHOD
from sleevenotes.judge.intervals import (
    FEWEST_COVERS,
    FEWEST_FOR_GENRES,
    FEWEST_FOR_LOSSES,
    SIGNIFICANT,
    TEST,
    TOO_FEW,
    Scale,
    Student,
    clipped,
    doubts,
    level_after,
    paired_test,
)
from sleevenotes.judge.metrics import Floats
from sleevenotes.judge.proportions import holm
from sleevenotes.judge.recorded import Common, Evaluations, common_answers, read_sets
from sleevenotes.judge.rulers import Answers, Figure, Ruler, plain

Progress = Callable[[int, int], None]
Metric = Callable[..., Floats]  # of truth, proba and weights


@dataclass(frozen=True)
class Difference:
    """By how much two models differ in one figure.

    Attributes
    ----------
    value, low, high
        The first model's figure less the second's, and its interval; None if covers are too few. The interval is of
        95 % for one pair, and of more where p is corrected for several: it excludes 0 if and only if ``p_holm`` is
        below 0.05.
    p
        How often two models that do not differ would come out at least as far apart.
    p_holm
        That p after Holm's correction for all pairs.
    test
        Where the error of Student's t is from: ``"t over groups"``, ``"jackknife"`` or ``"bootstrap"``.
    better
        The name of the model that is better, or None where they can't be told apart.
    words
        All that in a sentence.
    too_few
        Whether there is neither interval nor p, as covers are too few.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    test: str
    better: str | None
    words: str
    too_few: bool = False


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
        Of truth and proba: the scores from 0 to 1 that the metric is the mean of, (n,); None if it is none.
    fewest
        Of how few covers there is no interval.
    less
        Whether less is better.
    unit
        ``"points"`` for shares that are read as percentages, ``""`` for all else.
    """

    title: str
    metric: Metric
    scores: Callable[..., Floats] | None = None
    fewest: int = FEWEST_FOR_GENRES
    less: bool = False
    unit: str = ""


def _asked(metric: Metric, *given: Any) -> Floats:
    """Return a figure of the genre that is asked for, in `binary`."""
    figure: Floats = metric(*given)[..., 0]
    return figure


def _macro(metric: Metric, *given: Any) -> Floats:
    return metrics.over_genres(metric(*given))


_ACCURACY = Measure("accuracy", metrics.accuracy, metrics.correct, FEWEST_COVERS, unit="points")
_OF_ALL: dict[str, Measure] = {
    "log_loss": Measure("log loss", metrics.log_loss, fewest=FEWEST_FOR_LOSSES, less=True),
    "brier": Measure("Brier score", metrics.brier, fewest=FEWEST_FOR_LOSSES, less=True),
    "ece": Measure("calibration error", metrics.calibration_error, less=True),
}
_OF_TWO: dict[str, Measure] = {
    "roc_auc": Measure("ROC AUC", partial(_asked, metrics.roc_auc)),
    "average_precision": Measure("average precision", partial(_asked, metrics.average_precision)),
    "accuracy": _ACCURACY,
}
_OF_MANY: dict[str, Measure] = {
    "roc_auc_macro": Measure("mean ROC AUC", partial(_macro, metrics.roc_auc)),
    "average_precision_macro": Measure("mean average precision", partial(_macro, metrics.average_precision)),
    "label_ranking_ap": Measure(
        "label-ranking average precision",
        metrics.label_ranking_average_precision,
        metrics.ranking_precision,
        FEWEST_COVERS,
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
    doubt = doubts(common.groups)
    notes = [*common.notes, *filter(None, [doubt])]
    for note in notes:
        warnings.warn(f"compare: {note}", SleevenotesWarning, stacklevel=2)
    table = _Table.of(common, measures, resamples, seed)
    standings = sorted(
        (
            Standing(name, tuple(str(one.path) for one in members), table.figures(name))
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
        pairs=tuple(table.pairs(chosen, progress)),
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
        "intervals": METHOD["method"],
        "tests": "Student's t over groups, the same as the interval of a difference",
        "correction": "Holm, over the pairs, each figure by itself, of p and of the interval",
        "level": resampling.LEVEL,
        "resamples": resamples,
        "seed": seed,
    }


@dataclass(frozen=True)
class _Table:
    """What all models get on the same covers, and how they differ."""

    common: Common
    measures: Mapping[str, Measure]
    ruler: Ruler

    @classmethod
    def of(cls, common: Common, measures: Mapping[str, Measure], resamples: int, seed: int) -> _Table:
        return cls(common, measures, Ruler.of(common.truth, common.groups, resamples=resamples, seed=seed))

    def figures(self, name: str) -> dict[str, Figure]:
        """Return a model's figures."""
        return {key: self._figure(key, measure, self.common.probas[name]) for key, measure in self.measures.items()}

    def _figure(self, key: str, measure: Measure, proba: Floats) -> Figure:
        if key == "ece":
            return self.ruler.gap(measure.metric, proba)
        if measure.scores is not None:
            return self.ruler.average(measure.scores(self.common.truth, proba), fewest=measure.fewest)
        scale: Scale = "loss" if measure.less else "fraction"
        return self.ruler.figure(self.ruler.measure(measure.metric, proba), fewest=measure.fewest, scale=scale)

    def pairs(self, chosen: Sequence[tuple[str, str]], progress: Progress | None) -> Iterator[Pair]:
        """Compare all pairs by all figures, and correct the p of each figure for their number."""
        found = []
        for at, pair in enumerate(chosen):
            one, two = (self.common.probas[name] for name in pair)
            found.append(_differences(self.ruler, self.common.truth, (one, two), self.measures))
            if progress:
                progress(at + 1, len(chosen))
        corrected = {key: _corrected([each[key] for each in found]) for key in self.measures}
        for at, pair in enumerate(chosen):
            told = {
                key: self._difference(key, pair, found[at][key], corrected[key][at], len(chosen))
                for key in self.measures
            }
            yield Pair(*pair, told)

    def _difference(
        self, key: str, pair: tuple[str, str], student: Student | None, p_holm: float | None, pairs: int
    ) -> Difference:
        measure = self.measures[key]
        one, two = (self.common.probas[name] for name in pair)
        value = plain(measure.metric(self.common.truth, one) - measure.metric(self.common.truth, two))
        low = high = p = better = None
        if student is not None and p_holm is not None:
            p = student.p
            low, high = student.ends(level_after(p, p_holm, pairs))
            if not measure.less:
                low, high = clipped((low, high))
            better = pair[(student.middle > 0) == measure.less] if p_holm < SIGNIFICANT else None
        figure: Figure = {"value": value, "low": low, "high": high}
        same = np.array_equal(one, two)
        words = _in_words(measure, pair, figure, (p_holm, pairs), better=better, same=same)
        test = TEST if measure.scores is not None else "bootstrap" if key == "ece" else "jackknife"
        few = value is not None and low is None and not same
        return Difference(value, low, high, p, p_holm, test, better, words, few)


def differences(
    one: Answers, two: Answers, measures: Mapping[str, Measure], *, resamples: int = resampling.RESAMPLES
) -> dict[str, Student | None]:
    """Return by how much a model is above another in each figure, about the same covers; None if these are too few."""
    ruler = Ruler.of(one.truth, one.groups, resamples=resamples)
    return _differences(ruler, ruler.truth, (one.proba, two.proba), measures)


def _differences(
    ruler: Ruler, truth: NDArray[Any], probas: tuple[ArrayLike, ArrayLike], measures: Mapping[str, Measure]
) -> dict[str, Student | None]:
    found = {}
    for key, measure in measures.items():
        if measure.scores is not None:
            one, two = (measure.scores(truth, proba) for proba in probas)
            found[key] = paired_test(one, two, ruler.groups).student
        elif key == "ece":
            found[key] = ruler.gap_gain(measure.metric, *probas)
        else:
            first, second = (ruler.measure(measure.metric, proba) for proba in probas)
            found[key] = ruler.gain(first, second, fewest=measure.fewest)
    return found


def _corrected(found: Sequence[Student | None]) -> list[float | None]:
    """Return the p of differences after Holm's correction; what has none has no part in it."""
    ps = [None if student is None else student.p for student in found]
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
    if value is None:
        return f"Can't tell {first} from {second} by {measure.title}: it can't be worked out on these covers."
    ahead = (value < 0) == measure.less
    leader, other = (first, second) if ahead else (second, first)
    size = _size(measure, figure, turned=value < 0)
    facts = f"({TOO_FEW})"
    if p is not None:
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
