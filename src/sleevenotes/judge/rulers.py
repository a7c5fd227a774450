"""Answers, and the ruler that measures them: every figure of an evaluation comes from the same resamples.

A figure is ``{"value", "low", "high"}``: plain numbers, or None where there is nothing to tell them from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.judge import metrics, resampling
from sleevenotes.judge.metrics import Floats

Figure = dict[str, float | None]
Metric = Callable[..., Floats]  # of truth, proba and weights


@dataclass(frozen=True)
class Answers:
    """What a model says about covers, and what is true of them.

    Attributes
    ----------
    truth
        The column of each cover's genre, (n,), or 1, 0 and -1 (unknown) for each genre, (n, K), in `multi`.
    proba
        The model's calibrated probas, (n, K). In `binary`, column 0 is the genre looked for.
    groups
        The group of each cover, (n,).
    uncalibrated
        Its probas before calibration, (n, K); None where it has none of its own.
    sets
        Which genres are in each cover's set, (n, K); None where it has no sets.
    risk
        How likely its first genre is wrong, (n,); one less the greatest proba where None.
    """

    truth: NDArray[np.integer[Any]]
    proba: NDArray[np.floating[Any]]
    groups: Sequence[str] | NDArray[Any]
    uncalibrated: NDArray[np.floating[Any]] | None = None
    sets: NDArray[np.bool_] | None = None
    risk: NDArray[np.floating[Any]] | None = None


class Measured(NamedTuple):
    """A metric of the covers, (…), and of each resample of them, (B, …)."""

    value: Floats
    spread: Floats


@dataclass(frozen=True)
class Ruler:
    """Measures the same covers with the same resamples: ``weights`` (B, n), or None where nothing can be resampled."""

    truth: NDArray[np.integer[Any]]
    weights: NDArray[np.unsignedinteger[Any]] | None
    level: float

    @classmethod
    def of(cls, answers: Answers, *, resamples: int, seed: int, level: float) -> Ruler:
        """Return the ruler of answers: their groups are drawn once."""
        apart = len(np.unique(np.asarray(answers.groups))) > 1
        weights = resampling.group_weights(answers.groups, resamples, seed) if apart else None
        return cls(np.asarray(answers.truth), weights, level)

    def measure(self, metric: Metric, proba: ArrayLike) -> Measured:
        """Return a metric of the truth and these probas, of all covers and of each resample."""
        value = metric(self.truth, proba)
        nothing = np.full((1, *np.shape(value)), np.nan)
        return Measured(value, nothing if self.weights is None else metric(self.truth, proba, self.weights))

    def average(self, scores: ArrayLike) -> Figure:
        """Return the mean of one score a cover, (n,), with its interval; those that are nan are left out."""
        return self.figure(self.measure(lambda _truth, scores, *weights: metrics.average(scores, *weights), scores))

    def figure(self, measured: Measured) -> Figure:
        """Return a figure with its interval."""
        ends = resampling.interval(measured.spread, self.level)
        return figure_of(measured.value, ends.low, ends.high)


def figure_of(value: ArrayLike, low: float, high: float) -> Figure:
    """Return a figure as JSON has it, nan as None."""
    return {"value": plain(value), "low": plain(low), "high": plain(high)}


def plain(number: ArrayLike) -> float | None:
    """Return a number as JSON has it, nan as None."""
    given = float(np.asarray(number))
    return None if np.isnan(given) else given
