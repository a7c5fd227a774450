"""Browsing covers: which of thousands are looked for, in which order, a page of them at a time.

Conventions
-----------
``row``
    A cover's place in the dataset's table, from 0 on.
``said``
    What the model said of a cover when it was evaluated, by file name: the likeliest genre and its proba. The others
    were not asked about: they are unseen.

Pure: everything here is told once, in a `Shelf`, and no file is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import SPLITS, Dataset
from sleevenotes.covers.genre_tree import upwards
from sleevenotes.covers.mending import known_genres
from sleevenotes.covers.tasks import COLLECTION, Task

Sort = Literal["file_name", "artist", "album", "year", "genre", "split", "predicted", "proba", "correct"]
Verdict = Literal["right", "wrong", "unseen"]
SORTS: tuple[Sort, ...] = get_args(Sort)
MOST_WORDS = 12
NO_SPLIT = "none"  # covers that are left out
RIGHT, WRONG, UNSEEN = 1, 0, -1
VERDICTS: dict[Verdict, int] = {"right": RIGHT, "wrong": WRONG, "unseen": UNSEEN}

Said = Mapping[str, tuple[str, float]]


@dataclass(frozen=True)
class Wish:
    """What is looked for; all of it at once, and nothing where nothing is named.

    Parameters
    ----------
    genre
        A genre that the cover has, or has by the task: one that is below it, or the rest of two.
    split
        `train`, `valid`, `test`, or `none` for covers that are left out.
    verdict
        `right`, `wrong` or `unseen`.
    least, most
        Proba of what the model said.
    artist
        Part of the artist's name, whatever its case.
    words
        Words that stand in file name, artist, album, year or genres, whatever their case.
    predicted
        What the model said.
    """

    genre: str | None = None
    split: str | None = None
    verdict: Verdict | None = None
    least: float | None = None
    most: float | None = None
    artist: str | None = None
    words: str | None = None
    predicted: str | None = None


@dataclass(frozen=True)
class Shelf:
    """A dataset's covers, ready to be browsed: n of them.

    Parameters
    ----------
    dataset
        The covers.
    ids
        What each is called in addresses.
    predicted
        What the model said of each; None where it was not asked.
    proba
        How likely it held that, (n,); NaN where it was not asked.
    correct
        `RIGHT`, `WRONG`, or `UNSEEN` where it was not asked or nobody knows, (n,).
    named
        The genres of each, and those that it has by the task.
    """

    dataset: Dataset
    ids: Sequence[str]
    predicted: Sequence[str | None]
    proba: NDArray[np.float64]
    correct: NDArray[np.int8]
    named: Sequence[frozenset[str]]
    _orders: dict[Sort, tuple[NDArray[np.intp], NDArray[np.intp]]] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each id."""
        return {name: row for row, name in enumerate(self.ids)}

    @cached_property
    def splits(self) -> list[str]:
        """The split of each cover; `none` where it is left out."""
        return [split or NO_SPLIT for split in self.dataset.column("split")]

    @cached_property
    def artists(self) -> list[str]:
        """The artist of each cover, without case."""
        return [artist.casefold() for artist in self.dataset.column("artist")]

    @cached_property
    def texts(self) -> list[str]:
        """All that is written of each cover, without case."""
        columns = [self.dataset.column(name) for name in ("file_name", "artist", "album", "year", "genres")]
        return ["\n".join(cells).casefold() for cells in zip(*columns, strict=True)]

    def order(self, sort: Sort) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows in an order, upwards, and those of which what is sorted by is not known."""
        if sort not in self._orders:
            keys = self._keys(sort)
            names = self.dataset.file_names
            known = sorted(
                (row for row, key in enumerate(keys) if key is not None), key=lambda row: (keys[row], names[row])
            )
            rest = sorted((row for row, key in enumerate(keys) if key is None), key=lambda row: names[row])
            self._orders[sort] = (np.array(known, dtype=np.intp), np.array(rest, dtype=np.intp))
        return self._orders[sort]

    def _keys(self, sort: Sort) -> Sequence[object]:
        """Return what each cover is sorted by; None where that is not known."""
        if sort == "proba":
            return [None if np.isnan(value) else float(value) for value in self.proba]
        if sort == "correct":  # right before wrong
            return [None if value == UNSEEN else -int(value) for value in self.correct]
        if sort == "split":
            return [SPLITS.index(split) if split in SPLITS else None for split in self.splits]
        if sort == "predicted":
            return list(self.predicted)
        if sort == "genre":
            return ["\n".join(genres).casefold() or None for genres in self.dataset.genre_lists]
        return [cell.casefold() or None for cell in self.dataset.column(sort)]


def shelved(dataset: Dataset, ids: Sequence[str], said: Said, task: Task) -> Shelf:
    """Return a dataset's covers, ready to be browsed.

    Parameters
    ----------
    dataset
        The covers, n of them.
    ids
        What they are called in addresses.
    said
        What the model said, by file name.
    task
        Under which it was right or wrong.
    """
    named = names_under(dataset, task)
    answers = [said.get(name) for name in dataset.file_names]
    known = (dataset.settings.get("known") or {}) if task.kind == "multi" else {}
    collections = dataset.column(COLLECTION) if known else [""] * len(dataset)
    correct = [
        _verdict(answer, names, known.get(collection))
        for answer, names, collection in zip(answers, named, collections, strict=True)
    ]
    return Shelf(
        dataset,
        ids,
        [None if answer is None else answer[0] for answer in answers],
        np.array([np.nan if answer is None else answer[1] for answer in answers], dtype=np.float64),
        np.array(correct, dtype=np.int8),
        named,
    )


def found(shelf: Shelf, wish: Wish, *, sort: Sort = "file_name", descending: bool = False) -> NDArray[np.intp]:
    """Return the rows of the covers that are looked for, in order; those without what is sorted by come last."""
    known, rest = shelf.order(sort)
    order = np.concatenate([known[::-1] if descending else known, rest])
    rows: NDArray[np.intp] = order[_mask(shelf, wish)[order]]
    return rows


def genre_counts(shelf: Shelf) -> list[tuple[str, int]]:
    """Return the genres that covers may have, with how many do, by name."""
    counts = Counter(genre for names in shelf.named for genre in names)
    return [(genre, counts[genre]) for genre in sorted({*known_genres(shelf.dataset), *counts})]


def artist_count(shelf: Shelf) -> int:
    """Return how many artists there are."""
    return len({artist for artist in shelf.artists if artist})


def _mask(shelf: Shelf, wish: Wish) -> NDArray[np.bool_]:
    """Return which covers are looked for, (n,)."""
    mask = np.ones(len(shelf.ids), dtype=bool)
    if wish.genre:
        mask &= [wish.genre in names for names in shelf.named]
    if wish.split:
        mask &= [split == wish.split for split in shelf.splits]
    if wish.verdict:
        mask &= shelf.correct == VERDICTS[wish.verdict]
    if wish.predicted:
        mask &= [said == wish.predicted for said in shelf.predicted]
    if wish.least is not None:
        mask &= shelf.proba >= wish.least  # never where it was not asked
    if wish.most is not None:
        mask &= shelf.proba <= wish.most
    if wish.artist:
        part = wish.artist.casefold()
        mask &= [part in artist for artist in shelf.artists]
    for word in (wish.words or "").casefold().split()[:MOST_WORDS]:
        mask &= [word in text for text in shelf.texts]
    return mask


def _verdict(answer: tuple[str, float] | None, names: frozenset[str], known: Sequence[str] | None) -> int:
    """Return whether an answer was right; `known` are the genres that the cover's collection names, None for all."""
    if answer is None or not names or (known is not None and answer[0] not in known):
        return UNSEEN
    return RIGHT if answer[0] in names else WRONG


def names_under(dataset: Dataset, task: Task) -> list[frozenset[str]]:
    """Return the genres of each cover, and those that it has by a task: by the tree, or as the rest of two."""
    above = upwards(task.tree)
    named = [frozenset(genres).union(*(above.get(genre, ()) for genre in genres)) for genres in dataset.genre_lists]
    if task.kind != "binary":
        return named
    asked, rest = task.genres
    return [names | {rest} if names and asked not in names else names for names in named]
