"""Three kinds of task, and the truth that each makes of a dataset's genres.

======== ============================================ =============== ==========================
task     question                                     proba           truth
======== ============================================ =============== ==========================
`single` which one of K genres?                       (n, K), sums 1  (n,) index of the genre
`binary` this genre, or not?                          (n, 2), sums 1  (n,) 0 where it is, else 1
`multi`  which of K genres, any number of them?       (n, K), each 0..1  (n, K) 0 or 1, -1 unknown
======== ============================================ =============== ==========================

In `binary` the first of the two genres is the one that is asked for, the second is the rest. In `multi` a cover of a
genre is a cover of its parents in the genre tree, too; and in a join of several collections, a genre that a collection
never names is unknown there, not absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.genre_tree import Pairs, upwards
from sleevenotes.errors import SplitError

if TYPE_CHECKING:  # predicting needs tasks, but no table
    from sleevenotes.covers.dataset import Dataset

Kind = Literal["single", "binary", "multi"]
KINDS: tuple[Kind, ...] = ("single", "binary", "multi")
COLLECTION = "collection"  # the column of where a cover comes from
COLLECTIONS_NAME = "collections.json"


@dataclass(frozen=True)
class Task:
    """What is asked of a cover.

    Parameters
    ----------
    kind
        `single`, `binary` or `multi`.
    genres
        The genres in order, K of them; for `binary` the asked one and the rest.
    tree
        For `multi`: (child, parent), the parents among the genres; the children need not be.

    Examples
    --------
    >>> Task("single", ("folk", "rock")).truth([("rock",), ("folk",)])
    array([1, 0])
    >>> Task("binary", ("prog", "not prog")).truth([("rock", "prog"), ("folk",)])
    array([0, 1])
    >>> Task("multi", ("folk", "rock")).truth([("rock", "pop"), ("folk", "rock")]).tolist()
    [[0, 1], [1, 1]]
    >>> Task("multi", ("folk", "rock"), (("grunge", "rock"),)).truth([("grunge",), ("folk",)]).tolist()
    [[0, 1], [1, 0]]
    """

    kind: Kind
    genres: tuple[str, ...]
    tree: Pairs = ()

    @classmethod
    def of(cls, dataset: Dataset) -> Task:
        """Return the task that `split` found for a dataset.

        Raises
        ------
        DatasetError
            If no cover has a genre.
        SplitError
            If the dataset is not split yet.
        DatasetError
            If `split.json` is damaged.
        """
        settings = dataset.settings
        dataset.require_genres()
        if not settings:
            raise SplitError(
                str(dataset.folder),
                "not split yet",
                "train, valid and test",
                f"Run `sleevenotes split {dataset.folder}`",
            )
        tree = tuple((str(child), str(parent)) for child, parent in settings.get("tree") or ())
        return cls(settings["task"], tuple(settings["genres"]), tree)

    @cached_property
    def _upwards(self) -> dict[str, frozenset[str]]:
        return upwards(self.tree)

    def truth(self, genre_lists: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        """Return the truth of n covers: (n,) for `single` and `binary`, (n, K) for `multi`, closed under the tree."""
        if self.kind == "multi":
            above = self._upwards
            borne = [set(genres).union(*(above.get(genre, ()) for genre in genres)) for genres in genre_lists]
            return np.array([[genre in genres for genre in self.genres] for genres in borne], dtype=np.int64)
        if self.kind == "binary":
            return np.array([0 if self.genres[0] in genres else 1 for genres in genre_lists], dtype=np.int64)
        index = {genre: position for position, genre in enumerate(self.genres)}
        return np.array([index[genres[0]] for genres in genre_lists], dtype=np.int64)

    def truth_of(self, dataset: Dataset) -> NDArray[np.int64]:
        """Return the truth of a dataset's covers; in `multi` -1 where a cover's collection never names the genre."""
        truth = self.truth(dataset.genre_lists)
        known = dataset.settings.get("known")
        if self.kind != "multi" or not known:
            return truth
        return mask_unknown(truth, self.genres, dataset.column(COLLECTION), known)

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


def mask_unknown(
    truth: NDArray[np.int64],
    genres: Sequence[str],
    collections: Sequence[str],
    known: Mapping[str, Sequence[str]],
) -> NDArray[np.int64]:
    """Return truth, (n, K), with -1 where a cover's collection does not know the genre.

    Parameters
    ----------
    truth
        (n, K), 0 or 1.
    genres
        The K genres in order.
    collections
        Where each cover comes from, n names.
    known
        The genres that each collection names. One that does not stand here knows all.

    Examples
    --------
    >>> known = {"a": ["folk", "rock"], "b": ["rock"]}
    >>> mask_unknown(np.array([[1, 0], [0, 1]]), ["folk", "rock"], ["a", "b"], known).tolist()
    [[1, 0], [-1, 1]]
    """
    masked = np.array(truth, dtype=np.int64)
    of = np.array(collections, dtype=object)
    for name, named in known.items():
        unknown = [column for column, genre in enumerate(genres) if genre not in named]
        masked[np.ix_(of == name, unknown)] = -1
    return masked
