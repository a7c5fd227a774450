"""What is asked of a dataset's covers, and of which of them it can't be asked: the plan that `split` follows.

The task is inferred where none is named. Genres on too few covers are left out by name: in `multi` they are not asked
about, in `single` their covers have no side, where that is wished for. In `multi` the genre tree decides first which
genres a cover has; a cover of a genre that is left out still is one of its parents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import SPLITS
from sleevenotes.covers.duplicates import Pair, clusters
from sleevenotes.covers.genre_tree import GenreTree
from sleevenotes.covers.genres import spelling_key, tidy
from sleevenotes.covers.tasks import KINDS, Kind, Task, mask_unknown
from sleevenotes.errors import SplitError, did_you_mean

MANY_WITH_SEVERAL = 0.2  # share of covers with several genres from which the task is taken for `multi`
NO_GENRE = "no genre"
SEVERAL = "several genres"
CLASH = "near-duplicates under different genres"
RARE = "a rare genre"
MIN_COVERS: dict[Kind, int] = {"single": 10, "binary": 10, "multi": 30}  # `multi` does not ask about rarer genres
SHOWN = 8  # genres named in a note

REST = re.compile(r"(not|non)[ _\-].+|(the )?(others?|rest)|(everything|anything) else|other genres?", re.IGNORECASE)


@dataclass(frozen=True)
class Question:
    """What is wished to be asked.

    Parameters
    ----------
    task
        `single`, `binary` or `multi`; None to infer it.
    genre
        The genre that `binary` asks for.
    min_covers
        Genres on fewer covers are left out; None for 30 in `multi` and for none in `single`.
    tree
        For `multi`.
    collections, known
        Where each of n covers comes from, and the genres that each collection names, where the dataset is a join: a
        cover of a collection that does not know a genre is none of it.
    """

    task: str | None = None
    genre: str | None = None
    min_covers: int | None = None
    tree: GenreTree = field(default_factory=GenreTree)
    collections: Sequence[str] = ()
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is asked, and of which covers not: `left_out` has a reason, or nothing, for each of n covers.

    `rare` has the covers of each genre that is left out for having too few.
    """

    task: Task
    left_out: list[str]
    why: str
    notes: list[str] = field(default_factory=list)
    rare: Mapping[str, int] = field(default_factory=dict)

    @property
    def positive(self) -> str | None:
        """The genre that `binary` asks for."""
        return self.task.genres[0] if self.task.kind == "binary" else None

    @property
    def takes_part(self) -> NDArray[np.bool_]:
        """Which covers have a truth, (n,)."""
        return np.array([not reason for reason in self.left_out], dtype=bool)

    def fits(self, sides: Sequence[str], before: Mapping[str, Any]) -> bool:
        """Return whether these sides are a complete split for it."""
        return self._same_genres(before) and self._used(sides) == set(SPLITS)

    def lacks_valid(self, sides: Sequence[str], before: Mapping[str, Any]) -> bool:
        """Return whether these sides are train and test for it, as a draw makes them."""
        return self._same_genres(before) and self._used(sides) == {"train", "test"}

    def lacks_test(self, sides: Sequence[str], before: Mapping[str, Any]) -> bool:
        """Return whether these sides are train and valid for it, and nothing is held out beyond those."""
        return self._same_genres(before) and self._used(sides) == {"train", "valid"}

    def _same_genres(self, before: Mapping[str, Any]) -> bool:
        return not before or self.task.kind == "multi" or tuple(before["genres"]) == self.task.genres

    def _used(self, sides: Sequence[str]) -> set[str]:
        return {side for side, reason in zip(sides, self.left_out, strict=True) if not reason}


def planned(lists: Sequence[tuple[str, ...]], question: Question, pairs: Sequence[Pair]) -> Plan:
    """Choose the task, its genres, and the covers that have no truth under it.

    Raises
    ------
    SplitError
        Where there are fewer than two genres to ask about, or the one asked for is not there.
    """
    kind, why = _inferred(lists, question.task, question.genre)
    if kind == "multi":
        return _planned_multi(lists, why, question)
    if kind == "binary":
        if question.min_covers is not None:
            cure = "Leave out --min-covers"
            raise SplitError("min-covers", "`binary` has two genres", "`single` or `multi`", cure)
        return _planned_binary(lists, question.genre, pairs, why)
    return _planned_single(lists, pairs, why, question.min_covers)


def _planned_single(lists: Sequence[tuple[str, ...]], pairs: Sequence[Pair], why: str, min_covers: int | None) -> Plan:
    left_out = ["" if len(genres) == 1 else SEVERAL if genres else NO_GENRE for genres in lists]
    _mark_clashes(left_out, [frozenset(genres) for genres in lists], pairs)
    counts = Counter(genres[0] for genres, reason in zip(lists, left_out, strict=True) if not reason)
    few = {name: count for name, count in counts.items() if count < (min_covers or MIN_COVERS["single"])}
    if min_covers is None:
        _check_two(counts)
        few_words = f"fewer than {MIN_COVERS['single']} covers, too few to learn or to measure"
        notes = [f"Genres with {few_words}: {named(few)}."] if few else []
        return Plan(Task("single", tuple(sorted(counts))), left_out, why, notes)
    kept = sorted(set(counts) - set(few))
    _check_enough(kept, counts, min_covers)
    for index, genres in enumerate(lists):
        if not left_out[index] and genres[0] in few:
            left_out[index] = RARE
    notes = [f"Left out, as they have fewer than {min_covers:,} covers: {named(few, commonest=True)}."] if few else []
    return Plan(Task("single", tuple(kept)), left_out, why, notes, few)


def _planned_multi(lists: Sequence[tuple[str, ...]], why: str, question: Question) -> Plan:
    named_here = Counter(chain.from_iterable(lists))
    least = MIN_COVERS["multi"] if question.min_covers is None else question.min_covers
    wanted = _wanted(named_here, question.tree)
    everything = Task("multi", tuple(wanted), question.tree.pairs(named_here, wanted))
    truth = everything.truth(lists).reshape(len(lists), len(wanted))
    truth = mask_unknown(truth, wanted, question.collections, question.known)
    counts = dict(zip(wanted, (truth == 1).sum(axis=0).tolist(), strict=True))
    asked = sorted(name for name, count in counts.items() if count >= least)
    _check_enough(asked, counts, least)
    task = Task("multi", tuple(asked), question.tree.pairs(named_here, asked))
    rare = {name: count for name, count in counts.items() if count < least}
    notes = []
    if rare:
        without = sum(bool(genres) for genres in lists) - int(task.truth([g for g in lists if g]).any(axis=1).sum())
        notes.append(
            f"{len(rare):,} of {len(counts):,} genres stand on fewer than {least:,} covers and are not asked about: "
            f"{named(rare, commonest=True)}; {without:,} covers have no other genre."
        )
    return Plan(task, ["" if genres else NO_GENRE for genres in lists], why, notes, rare)


def _wanted(named_here: Mapping[str, int], tree: GenreTree) -> list[str]:
    """Return the genres that covers bear, and those that the user's own tree names beside them, by name."""
    keys = {spelling_key(tidy(name)) for name in named_here}
    own = {spelling_key(tidy(name)): tidy(name) for name in tree.own}
    return sorted([*named_here, *(name for key, name in own.items() if key not in keys)])


def _planned_binary(lists: Sequence[tuple[str, ...]], genre: str | None, pairs: Sequence[Pair], why: str) -> Plan:
    counts = Counter(chain.from_iterable(lists))
    if genre is None:
        _check_two(counts)
        if len(counts) > 2:
            cure = "Name one with --genre"
            raise SplitError("task", f"`binary` with {len(counts)} genres", "One genre against the rest", cure)
        positive = min(counts, key=lambda name: (bool(REST.fullmatch(name)), counts[name], name))
    else:
        positive = _known(genre, sorted(counts))
    others = [name for name in counts if name != positive]
    rest = others[0] if len(others) == 1 else f"not {positive}"
    both = {positive, rest}  # a cover under both contradicts itself, as one with further genres does not
    left_out = [NO_GENRE if not genres else SEVERAL if both <= set(genres) else "" for genres in lists]
    _mark_clashes(left_out, [frozenset(both & set(genres)) for genres in lists], pairs)
    task = Task("binary", (positive, rest))
    answers = task.truth([genres for genres, reason in zip(lists, left_out, strict=True) if not reason])
    _check_two(
        {name: count for name, count in zip(task.genres, np.bincount(answers, minlength=2), strict=True) if count}
    )
    return Plan(task, left_out, why)


def _inferred(lists: Sequence[tuple[str, ...]], task: str | None, genre: str | None) -> tuple[Kind, str]:
    """Return the task and a sentence that says why."""
    if task is not None:
        kind = next(kind for kind in KINDS if kind == task)
        return kind, f"Task {kind}, as asked."
    if genre is not None:
        return "binary", f"Task binary: '{genre}' or not, as asked."
    with_genre = sum(bool(genres) for genres in lists)
    share = sum(len(genres) > 1 for genres in lists) / max(with_genre, 1)
    several = f"{share:.0%} of the covers have several genres"
    if share > MANY_WITH_SEVERAL:
        return "multi", f"Task multi: {several}. --task single asks only about those with one."
    if len(set(chain.from_iterable(lists))) == 2:
        return "binary", "Task binary: there are two genres."
    return "single", f"Task single: {several}. --task multi asks about any number at once."


def _known(genre: str, genres: Sequence[str]) -> str:
    found = matching(genre, genres)
    if found is None:
        some = ", ".join(genres[:SHOWN]) + (f" and {len(genres) - SHOWN} more" if len(genres) > SHOWN else "")
        raise SplitError("genre", f"no cover of genre '{genre}'", f"Genres here: {some}", did_you_mean(genre, genres))
    return found


def matching(genre: str, genres: Sequence[str]) -> str | None:
    """Return how a genre is written among others, whatever its spelling; None where it is not there."""
    return next((name for name in (genre, tidy(genre)) if name in genres), None)


def _mark_clashes(left_out: list[str], truths: Sequence[frozenset[str]], pairs: Sequence[Pair]) -> None:
    """Leave out, in place, whole clusters of near-duplicates whose covers have different truths.

    A cover that is left out already still speaks: where it has several genres, its near-duplicates have them too.
    """
    for members in clusters(len(left_out), pairs):
        told = {truths[index] for index in members if left_out[index] != NO_GENRE}
        if len(told) > 1:
            for index in members:
                left_out[index] = left_out[index] or CLASH


def _check_two(counts: Mapping[str, int]) -> None:
    if len(counts) < 2:
        found = f"one genre only, '{next(iter(counts))}'" if counts else "no cover with one genre"
        cure = "Collect covers of another genre too"
        raise SplitError("split", found, "Two genres at least, to tell one from the other", cure)


def _check_enough(kept: Sequence[str], counts: Mapping[str, int], least: int) -> None:
    if len(kept) < 2:
        found = f"{len(kept)} of {len(counts):,} genres on {least:,} covers or more"
        cure = "Collect more covers, or ask for fewer with --min-covers"
        raise SplitError("split", found, "Two genres at least", cure)


def named(figures: Mapping[str, float], show: Callable[[float], str] = str, *, commonest: bool = False) -> str:
    """Return genres with their figures, the smallest first, or the largest.

    Examples
    --------
    >>> named({"folk": 7, "polka": 3}), named({"folk": 7, "polka": 3}, commonest=True)
    ('polka (3), folk (7)', 'folk (7), polka (3)')
    """
    turn = -1 if commonest else 1
    ordered = sorted(figures.items(), key=lambda item: (turn * item[1], item[0]))
    some = ", ".join(f"{name} ({show(figure)})" for name, figure in ordered[:SHOWN])
    return some + (f" and {len(figures) - SHOWN:,} more" if len(figures) > SHOWN else "")
