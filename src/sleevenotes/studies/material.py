"""What a study works on: the covers of each side, their pixels, and a ruler that gives every figure its interval.

Sides are those of the dataset's own split, in which groups are apart. What has nothing to choose learns from train and
valid together (`learn`); what stops early, or is calibrated, learns from train and uses valid for that. The test side
is only ever scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.sampling import Sampling, sampled_pixels
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import SplitError
from sleevenotes.judge.intervals import NONE, Paired, paired_test
from sleevenotes.judge.rulers import average_of, figure_of
from sleevenotes.studies.record import Estimate

Indices = NDArray[np.intp]
Progress = Callable[[int, int], None]


def called(dataset: Dataset) -> str:
    """Return what a dataset is called."""
    return dataset.name


@dataclass(frozen=True)
class Quick:
    """What a quick run leaves out, so that it can be looked at within minutes; its figures are good for nothing else.

    Parameters
    ----------
    covers
        The most of each genre to learn from, and half as many to test on.
    large_covers
        The same for networks that are trained at 224 px.
    draws
        Of the colour comparison.
    """

    covers: int = 100
    large_covers: int = 10
    draws: int = 20


@dataclass(frozen=True)
class Material:
    """The covers of a study.

    Parameters
    ----------
    dataset
        The covers that take part, each of one genre and on one side.
    task
        Always `single`.
    seed
        Of all randomness.
    quick
        What is left out; None in a full run.
    """

    dataset: Dataset
    task: Task
    seed: int
    quick: Quick | None = None
    progress: Progress = field(default=lambda done, total: None, repr=False)

    @classmethod
    def of(
        cls, dataset: Dataset, *, seed: int, quick: Quick | None = None, progress: Progress | None = None
    ) -> Material:
        """Take the covers of a dataset that have one genre and a side.

        Raises
        ------
        SplitError
            Where the dataset is not split, or for another task than `single`, or a side is empty.
        """
        task = Task.of(dataset)
        if task.kind != "single":
            cure = f"Run `sleevenotes split {dataset.folder} --task single --again`"
            raise SplitError(str(dataset.folder), f"split for `{task.kind}`", "one genre a cover", cure)
        sides = dataset.column("split")
        covers = dataset.where(task.answerable(dataset.genre_lists) & np.array([side != "" for side in sides]))
        for name in ("train", "valid", "test"):
            if name not in covers.column("split"):
                cure = f"Run `sleevenotes split {dataset.folder} --again`"
                raise SplitError(str(dataset.folder), f"no cover in {name}", "covers in train, valid and test", cure)
        whole = cls(covers, task, seed, quick, progress or (lambda done, total: None))
        return whole if quick is None else whole.reduced(quick.covers)

    def reduced(self, most: int) -> Material:
        """Return a part of it: at most so many covers of each genre to learn from, half as many to test on.

        An eighth of those to learn from are for valid. Which ones is drawn from the seed.
        """
        rng = np.random.default_rng(self.seed)
        kept = np.zeros(len(self.dataset), dtype=bool)
        side = np.array(self.dataset.column("split"))
        shares = {"train": most - most // 8, "valid": most // 8, "test": most // 2}
        for genre in range(len(self.task.genres)):
            for name, count in shares.items():
                rows = np.flatnonzero((self.all_truth == genre) & (side == name))
                kept[rng.permutation(rows)[: max(2, count)]] = True
        return Material(self.dataset.where(kept), self.task, self.seed, self.quick, self.progress)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres, K of them."""
        return self.task.genres

    @cached_property
    def all_truth(self) -> NDArray[np.int64]:
        """The genre of every cover, (n,)."""
        return self.task.truth(self.dataset.genre_lists)

    @cached_property
    def rows(self) -> dict[str, Indices]:
        """The rows of each side, `learn` for train and valid together."""
        side = np.array(self.dataset.column("split"))
        rows = {name: np.flatnonzero(side == name) for name in ("train", "valid", "test")}
        return rows | {"learn": np.flatnonzero((side == "train") | (side == "valid"))}

    def truth(self, side: str) -> NDArray[np.int64]:
        """Return the genre of each cover of a side."""
        return self.all_truth[self.rows[side]]

    def groups(self, side: str) -> list[str]:
        """Return the group of each cover of a side."""
        names = self.dataset.groups
        return [names[row] for row in self.rows[side]]

    def count(self, side: str) -> int:
        """Return how many covers a side has."""
        return len(self.rows[side])

    @cached_property
    def covers_words(self) -> str:
        """How many covers are behind a figure, for the note of a table."""
        words = f"{self.count('learn'):,} covers to learn from, {self.count('test'):,} to test on"
        if self.quick is None:
            return words
        return f"QUICK RUN, not for citing: {words}, at most {self.quick.covers} and {self.quick.covers // 2} a genre"

    def pixels(self, size_px: int, how: Sampling) -> NDArray[np.uint8]:
        """Return the pixels of every cover, (n, S, S, 3)."""
        return sampled_pixels(self.dataset, size_px, how, seed=self.seed, progress=self.progress)

    def accuracy(self, guess: Sequence[int] | NDArray[np.integer[Any]]) -> Estimate:
        """Return the share of the test covers that are named rightly, with its interval."""
        return self.mean(np.asarray(guess) == self.truth("test"))

    def mean(self, scores: NDArray[Any], within: NDArray[np.bool_] | None = None) -> Estimate:
        """Return the mean of one score a test cover, (n,), of all or of some, with its interval."""
        rows = np.ones(len(scores), dtype=bool) if within is None else within
        if not rows.any():
            return figure_of(np.nan, *NONE)
        return average_of(scores[rows], np.asarray(self.groups("test"))[rows], seed=self.seed)

    def recalls(self, guess: Sequence[int]) -> list[Estimate]:
        """Return, for each genre, the share of its test covers that are named rightly."""
        truth, hits = self.truth("test"), np.asarray(guess) == self.truth("test")
        return [self.mean(hits, truth == genre) for genre in range(len(self.genres))]

    def difference(self, first: Sequence[int], second: Sequence[int]) -> Paired:
        """Return how much more often one model is right than another on the same test covers."""
        one, two = ((np.asarray(guess) == self.truth("test")).astype(float) for guess in (first, second))
        return paired_test(one, two, self.groups("test"))

    def spread(self, guess: Sequence[int]) -> list[float]:
        """Return which share of the test covers each genre is named for, (K,)."""
        shares = np.bincount(np.asarray(guess), minlength=len(self.genres)) / max(1, len(guess))
        return [float(share) for share in shares]

    def learnt(self, guess: Sequence[int], side: str = "learn") -> float:
        """Return the share of the covers it learnt from that a model names rightly."""
        return float((np.asarray(guess) == self.truth(side)).mean())

    @cached_property
    def commonest(self) -> list[int]:
        """The answers of guessing: for every test cover the commonest genre of those to learn from."""
        genre = int(np.bincount(self.truth("learn"), minlength=len(self.genres)).argmax())
        return [genre] * self.count("test")

    @cached_property
    def guessing(self) -> Estimate:
        """What guessing gets on test."""
        return self.accuracy(self.commonest)
