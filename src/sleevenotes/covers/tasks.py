"""Three kinds of task, and the truth that each makes of a dataset's genres.

======== ============================================ =============== ==========================
task     question                                     proba           truth
======== ============================================ =============== ==========================
`single` which one of K genres?                       (n, K), sums 1  (n,) index of the genre
`binary` this genre, or not?                          (n, 2), sums 1  (n,) 0 where it is, else 1
`multi`  which of K genres, any number of them?       (n, K), each 0..1  (n, K) 0 or 1
======== ============================================ =============== ==========================

In `binary` the first of the two genres is the one that is asked for, the second is the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.errors import SplitError

if TYPE_CHECKING:  # predicting needs tasks, but no table
    from sleevenotes.covers.dataset import Dataset

Kind = Literal["single", "binary", "multi"]
KINDS: tuple[Kind, ...] = ("single", "binary", "multi")


@dataclass(frozen=True)
class Task:
    """What is asked of a cover.

    Parameters
    ----------
    kind
        `single`, `binary` or `multi`.
    genres
        The genres in order, K of them; for `binary` the asked one and the rest.

    Examples
    --------
    >>> Task("single", ("folk", "rock")).truth([("rock",), ("folk",)])
    array([1, 0])
    >>> Task("binary", ("prog", "not prog")).truth([("rock", "prog"), ("folk",)])
    array([0, 1])
    >>> Task("multi", ("folk", "rock")).truth([("rock", "pop"), ("folk", "rock")]).tolist()
    [[0, 1], [1, 1]]
    """

    kind: Kind
    genres: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Task:
        """Return the task that `split` found for a dataset.

        Raises
        ------
        SplitError
            Where the dataset is not split yet, or what `split` wrote was spoilt.
        """
        settings = dataset.settings
        if not settings:
            raise SplitError(
                str(dataset.folder),
                "not split yet",
                "train, valid and test",
                f"Run `sleevenotes split {dataset.folder}`",
            )
        if settings.get("task") not in KINDS or not settings.get("genres"):
            found = f"no task of {', '.join(KINDS)} with genres in it"
            cure = f"Run `sleevenotes split {dataset.folder} --again`"
            raise SplitError(str(dataset.folder / "split.json"), found, cure=cure)
        return cls(settings["task"], tuple(settings["genres"]))

    def truth(self, genre_lists: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        """Return the truth of n covers: (n,) for `single` and `binary`, (n, K) for `multi`."""
        if self.kind == "multi":
            return np.array([[genre in genres for genre in self.genres] for genres in genre_lists], dtype=np.int64)
        if self.kind == "binary":
            return np.array([0 if self.genres[0] in genres else 1 for genres in genre_lists], dtype=np.int64)
        index = {genre: position for position, genre in enumerate(self.genres)}
        return np.array([index[genres[0]] for genres in genre_lists], dtype=np.int64)

    def answerable(self, genre_lists: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
        """Return which of n covers, (n,), have a truth under this task.

        A cover of several genres has none in `single`, nor has one whose genre is unknown there; one of both genres
        has none in `binary`; a cover without any genre has none anywhere.
        """
        if self.kind == "single":
            return np.array([len(genres) == 1 and genres[0] in self.genres for genres in genre_lists], dtype=bool)
        if self.kind == "binary":
            return np.array(
                [bool(genres) and not set(self.genres) <= set(genres) for genres in genre_lists], dtype=bool
            )
        return np.array([bool(genres) for genres in genre_lists], dtype=bool)

    def named(self, truth: NDArray[np.int64]) -> list[str]:
        """Return the truth in words, n of them, `;` between several genres."""
        if self.kind == "multi":
            return [";".join(np.array(self.genres)[row == 1]) for row in truth]
        return [self.genres[index] for index in truth]
