"""Scores: what a model's answers are worth, and how two sets of answers differ, with intervals.

The figure is the ROC AUC, mean over genres: it needs no threshold, and its chance is 0.5 whatever the genres' shares,
so that models of one genre among thousands and of one in five are judged by one measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sleevenotes.judge.audit.findings import Measured
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.metrics import Floats, over_genres, roc_auc
from sleevenotes.judge.resampling import group_weights, interval

Estimate = dict[str, float | None]

METRIC = "ROC AUC"
CHANCE = 0.5


def auc(answers: Answers, weights: ArrayLike | None = None) -> Floats:
    """Return the ROC AUC of answers, mean over genres; (B,) for weights (B, n)."""
    return over_genres(roc_auc(answers.truth, answers.proba, weights))


@dataclass(frozen=True)
class Ruler:
    """How often to resample, and from which seed."""

    resamples: int = 1000
    seed: int = 0

    def estimate(self, answers: Answers) -> Estimate:
        """Return the ROC AUC of answers with its interval, by a bootstrap over groups."""
        return _estimate(float(auc(answers)), self._spread(answers))

    def measured(self, answers: Answers, p: float | None = None) -> Measured:
        """Return the same as the figure of a finding."""
        told = self.estimate(answers)
        groups = len(set(answers.groups))
        return Measured(METRIC, **told, chance=CHANCE, p=p, n=len(answers.truth), groups=groups)

    def paired(self, first: Answers, second: Answers) -> tuple[Estimate, float]:
        """Return by how much the first answers are better than the second about the same covers, and p, two-sided."""
        weights = group_weights(first.groups, self.resamples, self.seed)
        return _difference(float(auc(first) - auc(second)), auc(first, weights) - auc(second, weights))

    def unpaired(self, first: Answers, second: Answers) -> tuple[Estimate, float]:
        """Return the same for answers about different covers."""
        spread = self._spread(first) - self._spread(second, 1)
        return _difference(float(auc(first) - auc(second)), spread)

    def _spread(self, answers: Answers, stream: int = 0) -> Floats:
        return auc(answers, group_weights(answers.groups, self.resamples, self.seed + 7919 * stream))


def _estimate(value: float, spread: Floats) -> Estimate:
    ends = interval(spread)
    return {"value": value, "low": ends.low, "high": ends.high}


def _difference(value: float, spread: Floats) -> tuple[Estimate, float]:
    known = spread[~np.isnan(spread)]
    tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return _estimate(value, spread), min(1.0, 2 * (1 + tail) / (1 + len(known)))


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
    value, low, high = ("–" if number is None else f"{number:z.3f}" for number in estimate.values())
    return value if "–" in (low, high) else f"{value} ({low} to {high})"
