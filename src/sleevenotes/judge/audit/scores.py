"""Scores: what a model's answers are worth, and how two sets of answers differ, with intervals.

The figure is the ROC AUC, mean over genres: it needs no threshold, and its chance is 0.5 whatever the genres' shares,
so that models of one genre among thousands and of one in five are judged by one measure.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from sleevenotes.judge import rulers
from sleevenotes.judge.audit.findings import Measured
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.intervals import FEWEST_COVERS, NONE, TOO_FEW, Student, clipped
from sleevenotes.judge.metrics import Floats, over_genres, roc_auc
from sleevenotes.judge.rulers import Figure, figure_of

Estimate = Figure

METRIC = "ROC AUC"
CHANCE = 0.5


def auc(answers: Answers, weights: ArrayLike | None = None) -> Floats:
    """Return the ROC AUC of answers, mean over genres; (B,) for weights (B, n)."""
    return over_genres(roc_auc(answers.truth, answers.proba, weights))


@dataclass(frozen=True)
class Ruler:
    """Gives answers their ROC AUC with an interval.

    Parameters
    ----------
    seed
        Random seed.
    """

    seed: int = 0

    def estimate(self, answers: Answers) -> Estimate:
        """Return the ROC AUC of answers with its interval, by a jackknife over groups."""
        of, measured = self._measured(answers)
        return of.figure(measured, fewest=FEWEST_COVERS)

    def measured(self, answers: Answers, p: float | None = None) -> Measured:
        """Return the same as the figure of a finding."""
        n, groups = len(answers.truth), len(set(answers.groups))
        return Measured(METRIC, **self.estimate(answers), chance=CHANCE, p=p, n=n, groups=groups)

    def paired(self, first: Answers, second: Answers) -> tuple[Estimate, float | None]:
        """Return by how much the first answers are better than the second about the same covers, and p, two-sided."""
        (of, one), (_, two) = self._measured(first), self._measured(second)
        return _difference(float(one.value - two.value), of.gain(one, two, fewest=FEWEST_COVERS))

    def unpaired(self, first: Answers, second: Answers) -> tuple[Estimate, float | None]:
        """Return the same for answers about different covers."""
        both = [(of, part) for of, part in (self._measured(first), self._measured(second))]
        one, two = (of.error(part, fewest=FEWEST_COVERS) for of, part in both)
        gain = None if one is None or two is None else one.less(two)
        return _difference(float(both[0][1].value - both[1][1].value), gain)

    def _measured(self, answers: Answers) -> tuple[rulers.Ruler, rulers.Measured]:
        of = rulers.Ruler.of(answers.truth, answers.groups, seed=self.seed)
        return of, of.measure(
            lambda truth, proba, *weights: over_genres(roc_auc(truth, proba, *weights)), answers.proba
        )


def _difference(value: float, gain: Student | None) -> tuple[Estimate, float | None]:
    if gain is None:
        return figure_of(value, *NONE), None
    return figure_of(value, *clipped(gain.ends())), gain.p


def above_chance(estimate: Estimate) -> float:
    """Return how far a ROC AUC lies above chance, 0 where it does not."""
    return max(0.0, float(estimate["value"] or 0) - CHANCE)


def in_words(estimate: Estimate) -> str:
    """Return a figure with its interval as a sentence has it.

    Examples
    --------
    >>> in_words({"value": 0.5612, "low": 0.52, "high": 0.6})
    '0.561 (0.520 to 0.600)'
    """
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{value:z.3f}" + (f" ({TOO_FEW})" if estimate.get("too_few") else "")
    return f"{value:z.3f} ({low:z.3f} to {high:z.3f})"
