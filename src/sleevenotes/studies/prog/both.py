"""Both collections as the study works on them: which covers are on which side, and a ruler for what models say of them.

Answers are probas of prog, one a cover, in the order of the dataset's rows of a side. Figures are those of the test
side, with intervals over groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.tasks import Task
from sleevenotes.judge import metrics
from sleevenotes.judge.figures import Answers, figures, guesses
from sleevenotes.judge.intervals import NONE
from sleevenotes.judge.rulers import Ruler, figure_of
from sleevenotes.studies.material import Material, Progress, Quick
from sleevenotes.studies.prog.paper import PAPER
from sleevenotes.studies.record import Estimate

FIGURES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "average_precision", "roc_auc")


@dataclass(frozen=True)
class ProgQuick(Quick):
    """What a quick run leaves out.

    Parameters
    ----------
    covers
        The most of both collections together.
    epochs
        Of the network.
    """

    covers: int = 2000
    epochs: int = 5


@dataclass(frozen=True)
class Both(Material):
    """The covers of both collections that have a side."""

    @classmethod
    def of(cls, dataset: Dataset, *, seed: int, quick: Quick | None = None, progress: Progress | None = None) -> Both:
        """Take the covers of a combined dataset that take part; it is as small already as a quick run wants it."""
        task = Task.of(dataset)
        sides = np.array(dataset.column("split"))
        covers = dataset.where(task.answerable(dataset.genre_lists) & (sides != ""))
        return cls(covers, task, seed, quick, progress or (lambda done, total: None))

    @property
    def epochs(self) -> int:
        """For how many epochs the network is trained."""
        return self.quick.epochs if isinstance(self.quick, ProgQuick) else PAPER.epochs

    @cached_property
    def covers_words(self) -> str:
        """How many covers are behind a figure, for the note of a table."""
        prog = int((self.truth("test") == 0).sum())
        words = (
            f"{self.count('learn'):,} covers to learn from, {self.count('test'):,} to test on, {prog:,} of them prog"
        )
        if self.quick is None:
            return words
        return f"QUICK RUN, not for citing: {words}, at most {self.quick.covers:,} in all"

    @property
    def is_prog(self) -> NDArray[np.bool_]:
        """Which covers of test are prog."""
        return np.asarray(self.truth("test") == 0)

    def figures(self, proba: Sequence[float]) -> dict[str, Estimate]:
        """Return how good probas of prog, one a cover of test, are: `FIGURES`, of prog where they are of one kind."""
        return self.figures_of(self.truth("test"), proba, self.groups("test"))

    def figures_of(
        self, truth: NDArray[np.int64], proba: Sequence[float], groups: Sequence[str]
    ) -> dict[str, Estimate]:
        """Return the same of any covers: their truth, (n,) 0 for the kind that is asked for, and its probas."""
        told = figures(
            Answers(truth, both_kinds(proba), groups),
            task="binary",
            genres=self.task.genres,
            baselines=guesses(truth, np.bincount(truth, minlength=2)),
            seed=self.seed,
        )
        return {name: told[name] for name in FIGURES}

    def at_threshold(self, proba: Sequence[float], threshold: float) -> dict[str, Estimate]:
        """Return the same where a cover is called prog from another proba on than 0.5."""
        called = np.where(np.asarray(proba) >= threshold, 1.0, 0.0)
        told = self.figures(called.tolist())
        unchanged = self.figures(proba)
        return told | {name: unchanged[name] for name in ("average_precision", "roc_auc")}

    def share(self, chosen: NDArray[np.bool_], within: NDArray[np.bool_]) -> Estimate:
        """Return which share of some covers of test have a property, with its interval."""
        return self.mean(chosen.astype(float), within)

    def auc_gap(self, first: Sequence[float], second: Sequence[float]) -> Estimate:
        """Return by how much one ROC AUC is above another on the same test covers."""
        ruler = Ruler.of(self.truth("test"), self.groups("test"), seed=self.seed)

        def auc(truth: NDArray[Any], proba: ArrayLike, *weights: ArrayLike) -> NDArray[Any]:
            return metrics.roc_auc(truth, proba, *weights)[..., 0]

        one, two = (ruler.measure(auc, both_kinds(proba)) for proba in (first, second))
        gain = ruler.gain(one, two)
        return figure_of(one.value - two.value, *(NONE if gain is None else gain.ends()))


def both_kinds(proba: Sequence[float]) -> NDArray[np.float64]:
    """Return probas of prog and of not prog, (n, 2), of those of prog.

    Examples
    --------
    >>> both_kinds([0.25]).tolist()
    [[0.25, 0.75]]
    """
    of_prog = np.asarray(proba, dtype=np.float64)
    return np.column_stack([of_prog, 1 - of_prog])


def precision_at(is_prog: NDArray[np.bool_], proba: Sequence[float], recalls: Sequence[float]) -> list[float]:
    """Return the largest precision at which at least such a share of prog is found, for each of some shares.

    Examples
    --------
    >>> precision_at(np.array([True, False, True, False]), [0.9, 0.8, 0.7, 0.1], [0.5, 1.0])
    [1.0, 0.6666666666666666]
    """
    scores = np.asarray(proba)
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(is_prog[order])
    called = np.arange(1, len(order) + 1)
    last_of_its_value = np.append(np.diff(scores[order]) != 0, True)  # covers of equal proba come together
    precision, recall = found / called, found / max(1, int(is_prog.sum()))
    return [float(precision[last_of_its_value & (recall >= wanted - 1e-12)].max(initial=0.0)) for wanted in recalls]
