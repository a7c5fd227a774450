"""Answers, and the ruler that measures them: the one place that gives the figures of an evaluation their intervals.

A figure is ``{"value", "low", "high"}``: plain numbers, or None if they can't be known. A figure that has a value but
no interval, as covers are too few for one, also has ``"too_few": True``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.judge import intervals, metrics, resampling
from sleevenotes.judge.intervals import (
    FEWEST_COVERS,
    FEWEST_FOR_GAPS,
    FEWEST_FOR_GENRES,
    FEWEST_OF_GENRE,
    Ends,
    Scale,
    Size,
    Student,
)
from sleevenotes.judge.metrics import Floats

Figure = dict[str, Any]  # of a value, low and high, each a number or None
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
    """A metric of the covers, (…), and of the covers without each group in turn, (B, …)."""

    value: Floats
    left_out: Floats


@dataclass(frozen=True)
class Ruler:
    """Measures the same covers in the same way: figures with intervals.

    Attributes
    ----------
    truth
        As in `Answers`.
    groups
        The group of each cover, (n,).
    weights
        Those of `sleevenotes.judge.intervals.leave_out`, (B, n).
    drawn
        Resamples for calibration errors, (R, n); None if covers are too few for these, or none were asked for.
    level
        Of the intervals.
    """

    truth: NDArray[np.integer[Any]]
    groups: NDArray[np.intp]
    weights: NDArray[np.uint8]
    drawn: NDArray[np.unsignedinteger[Any]] | None
    level: float = resampling.LEVEL

    @classmethod
    def of(
        cls, truth: ArrayLike, groups: ArrayLike, *, resamples: int = 0, seed: int = 0, level: float = resampling.LEVEL
    ) -> Ruler:
        """Return the ruler of covers with this truth, in these groups."""
        resampling.checked_level(level)
        member, count = resampling.members(groups)
        enough = Size.of(np.bincount(member, minlength=count)).enough(FEWEST_FOR_GAPS)
        drawn = resampling.group_weights(member, resamples, seed) if enough and resamples else None
        return cls(np.asarray(truth), member, intervals.leave_out(member, seed), drawn, level)

    @property
    def size(self) -> Size:
        """How much the groups are worth."""
        return Size.of(np.bincount(self.groups))

    def measure(self, metric: Metric, proba: ArrayLike) -> Measured:
        """Return a metric of the truth and these probas, of all covers and without each group."""
        return Measured(metric(self.truth, proba), metric(self.truth, proba, self.weights))

    def share(self, scores: ArrayLike, *, fewest: float = FEWEST_OF_GENRE) -> Figure:
        """Return the share of covers that score 1, (n,), with its interval; those that are nan are left out."""
        ends = intervals.share(scores, self.groups, fewest=fewest, level=self.level)
        return figure_of(metrics.average(scores), *ends)

    def mean(self, scores: ArrayLike, *, fewest: float = FEWEST_COVERS, scale: Scale = "fraction") -> Figure:
        """Return the mean of one score a cover, (n,), with its interval; those that are nan are left out."""
        given = np.asarray(scores, dtype=np.float64)
        measured = self.measure(lambda _truth, scores, *weights: metrics.average(scores, *weights), given)
        return self.figure(measured, fewest=fewest, scale=scale, within=~np.isnan(given))

    def average(self, scores: ArrayLike, *, fewest: float = FEWEST_OF_GENRE, scale: Scale = "fraction") -> Figure:
        """Return the `mean`; by the interval of a `share`, if the scores are two numbers, as 0 and 1 are."""
        given = np.asarray(scores, dtype=np.float64)
        found = np.unique(given[~np.isnan(given)])
        if scale == "fraction" and (len(found) == 2 or np.isin(found, (0, 1)).all()):
            least, most = (0.0, 1.0) if np.isin(found, (0, 1)).all() else found.tolist()
            ends = intervals.share((given - least) / (most - least), self.groups, fewest=fewest, level=self.level)
            return figure_of(metrics.average(given), *(least + (most - least) * end for end in ends))
        return self.mean(given, fewest=max(fewest, FEWEST_COVERS), scale=scale)

    def figure(
        self,
        measured: Measured,
        *,
        fewest: float = FEWEST_FOR_GENRES,
        scale: Scale = "fraction",
        within: NDArray[np.bool_] | None = None,
    ) -> Figure:
        """Return a figure with its interval.

        Parameters
        ----------
        fewest
            Of how few covers there is no interval.
        scale
            As in `sleevenotes.judge.intervals.Student.ends`.
        within
            Which covers the figure is of, (n,); all if not given.
        """
        return figure_of(measured.value, *self._ends(measured, fewest, scale, within))

    def _ends(self, measured: Measured, fewest: float, scale: Scale, within: NDArray[np.bool_] | None) -> Ends:
        size = self.size if within is None else Size.of(np.bincount(self.groups[within]))
        value = float(np.asarray(measured.value))
        if not size.enough(fewest) or np.isnan(value):
            return intervals.NONE
        if scale == "fraction" and value in (0.0, 1.0):  # all agree: as sure as that many of the rarest genre can be
            return intervals.exact(value, min(size.worth, self._rarest()), self.level)
        student = intervals.jackknifed(value, measured.left_out, size.worth - 1)
        return intervals.NONE if student is None else student.ends(self.level, scale)

    def _rarest(self) -> float:
        """Return as how many groups those of the rarest genre that is here count."""
        own = self.truth == 1 if self.truth.ndim == 2 else self.truth[:, None] == np.unique(self.truth)
        return min((Size.of(np.bincount(self.groups[rows])).worth for rows in own.T if rows.any()), default=1.0)

    def part(self, measured: Measured, covers: float) -> Figure:
        """Return the share that is right among some of the covers, with its interval: those a model is surest of.

        Which covers these are depends on the model, so that the variance is that of the whole choice.
        """
        value, size = float(np.asarray(measured.value)), self.size
        part = Size(covers, min(size.groups, round(covers)), size.worth * min(1.0, covers / size.covers))
        if np.isnan(value) or not part.enough(FEWEST_OF_GENRE):
            return figure_of(value, *intervals.NONE)
        variance = intervals.variance_of(measured.left_out)
        return figure_of(value, *intervals.exact(value, intervals.worth(value, variance, part, level=self.level)))

    def gap(self, metric: Metric, proba: ArrayLike) -> Figure:
        """Return a calibration error with its interval."""
        value = float(metric(self.truth, proba))
        if self.drawn is None:
            return figure_of(value, *intervals.NONE)
        ends = resampling.gap_interval(value, metric(self.truth, proba, self.drawn), self.level)
        return figure_of(value, ends.low, ends.high)

    def gap_gain(self, metric: Metric, first: ArrayLike, second: ArrayLike) -> Student | None:
        """Return by how much one calibration error is above another, with its error by the bootstrap."""
        if self.drawn is None:
            return None
        value = float(metric(self.truth, first) - metric(self.truth, second))
        error = float(np.std(metric(self.truth, first, self.drawn) - metric(self.truth, second, self.drawn)))
        return Student(value, error, self.size.worth - 1) if error else None

    def error(self, measured: Measured, *, fewest: float = FEWEST_FOR_GENRES) -> Student | None:
        """Return a figure with its error, to be set against one of other covers; None if covers are too few."""
        value = float(np.asarray(measured.value))
        if not self.size.enough(fewest) or np.isnan(value):
            return None
        student = intervals.jackknifed(value, measured.left_out, self.size.worth - 1)
        if student is None and value in (0.0, 1.0) and np.ptp(measured.left_out) == 0:
            low, high = intervals.exact(value, min(self.size.worth, self._rarest()), self.level)
            return Student(value, (high - low) / 2, self.size.worth - 1)
        return student

    def gain(self, first: Measured, second: Measured, *, fewest: float = FEWEST_FOR_GENRES) -> Student | None:
        """Return by how much one figure is above another on these covers; None if covers are too few."""
        if not self.size.enough(fewest):
            return None
        return intervals.jackknifed(first.value - second.value, first.left_out - second.left_out, self.size.worth - 1)


def average_of(scores: ArrayLike, groups: ArrayLike, *, scale: Scale = "fraction", seed: int = 0) -> Figure:
    """Return the mean of one score a cover, (n,), with its interval: a share if all scores are 0 or 1."""
    return Ruler.of(np.zeros(len(np.asarray(scores)), dtype=np.int64), groups, seed=seed).average(scores, scale=scale)


def figure_of(value: ArrayLike, low: float, high: float) -> Figure:
    """Return a figure as JSON has it, nan as None; marked if it has a value but no interval.

    Examples
    --------
    >>> figure_of(0.5, 0.4, 0.6), figure_of(0.5, float("nan"), float("nan"))
    ({'value': 0.5, 'low': 0.4, 'high': 0.6}, {'value': 0.5, 'low': None, 'high': None, 'too_few': True})
    """
    told: Figure = {"value": plain(value), "low": plain(low), "high": plain(high)}
    return told | {"too_few": True} if told["value"] is not None and told["low"] is None else told


def plain(number: ArrayLike) -> float | None:
    """Return a number as JSON has it, nan as None."""
    given = float(np.asarray(number))
    return None if np.isnan(given) else given
