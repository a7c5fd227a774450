"""Train, valid and test, with everything that belongs together on one side.

`split` infers the task, finds the covers that have no truth under it, keeps groups on one side (`groups` finds them,
and `assign` deals them out), and says what it did in `split.json`:

============== =======================================================================================
key            meaning
============== =======================================================================================
format         1
task           `single`, `binary` or `multi`
genres         in order; for `binary` the one asked for, then the rest
positive       the genre that `binary` asks for; null else
seed           of the order in which groups are dealt out
fractions      of train, valid and test
by             what keeps covers together: `artist`, `release`, `duplicates`, and `group` where groups were given
min_covers     genres on fewer covers are left out; null where none was, in `single` and `binary`
rare           genre: covers, of the genres that are left out for that
genre_tree     `default`, `none`, or `genre-tree.csv` where the dataset has one of its own; null outside of `multi`
tree           [child, parent]: the covers of the child count for the parent, too
known          collection: the genres that it names, where the dataset is a join; others are unknown there
left_out       reason: number of covers without a side
groups         how many
largest_group  how many covers in the largest
artists        `apart` where no artist is on two sides, `shared` where one is, `unknown` where half the covers name none
no_artist      covers with a side that name no single artist, and so may share one across sides
covers         {train, valid, test}: covers
counts         genre: {train, valid, test}: covers
notes          sentences: what could not be balanced, and what is small
fingerprint    of the dataset, split so
============== =======================================================================================
"""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.check import near_duplicates
from sleevenotes.covers.dataset import SETTINGS_NAME, SPLITS, Dataset
from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.genre_tree import NO_TREE, TREE_NAME, find_tree
from sleevenotes.covers.groups import artists_of, assign, cause_of, folds, groups, release_keys
from sleevenotes.covers.locks import writing
from sleevenotes.covers.questions import MIN_COVERS, Plan, Question, matching, named, planned
from sleevenotes.covers.schema import read_json
from sleevenotes.covers.tasks import COLLECTION, COLLECTIONS_NAME, KINDS, Task, mask_unknown
from sleevenotes.errors import DatasetError, SleevenotesWarning, SplitError, did_you_mean

FORMAT = 1
REASONS_TO_JOIN = ("artist", "release", "duplicates")
FRACTIONS = (0.7, 0.1, 0.2)
DEFAULT_TREE = "default"
SPLIT_BEFORE = "split_before"  # the column of a join that has the sides of its datasets
UNKNOWN = "nothing known"  # their collection names none of the genres
FEWEST = 10  # covers that can be split at all
SMALL_TEST = 100  # covers: an interval of a share is then some 20 points wide
LARGE = 0.1  # of all covers: a group of more is warned of
FEW_IN_TEST = 10  # covers of a genre
UNEVEN = 0.25  # of a genre's share in test, relative
TOLD = 8  # genres named in a note
VALID_IS_TEST = (
    "The table came with train and valid, but no test: its valid is taken as test, and a new valid is made of train. "
    "--again deals all anew."
)

__all__ = ["SplitResult", "assign", "folds", "groups", "parse_fractions", "release_keys", "split"]


@dataclass(frozen=True)
class SplitResult:
    """A dataset that is split.

    Parameters
    ----------
    dataset
        With its `group` and `split` columns, as written.
    settings
        What `split.json` holds.
    lines
        What was done and what could not be, a sentence or so each.
    kept
        Whether the split was there before.
    """

    dataset: Dataset
    settings: Mapping[str, Any]
    lines: list[str] = field(default_factory=list)
    kept: bool = False


def split(
    dataset: Dataset,
    *,
    task: str | None = None,
    genre: str | None = None,
    by: str | Sequence[str] = REASONS_TO_JOIN,
    fractions: Sequence[float] = FRACTIONS,
    min_covers: int | None = None,
    genre_tree: str | Path | None = None,
    keep_test: bool = False,
    seed: int = 0,
    again: bool = False,
) -> SplitResult:
    """Split a dataset into train, valid and test, and write its table and `split.json`.

    A split that is there and complete is kept, as are the options it was made with. Covers without a truth under the
    task have no side: those without a genre; in `single` those under several genres, near-duplicates under different
    genres among them; in `binary` those under both genres, where there are two, and near-duplicates of which some have
    the genre and some don't.

    Parameters
    ----------
    task
        `single`, `binary` or `multi`; by default `binary` where `genre` is given, `multi` where more than a fifth of
        the covers have several genres, `binary` where there are two genres, else `single`.
    genre
        The genre that `binary` asks for, against all others. By default, of two genres, the one that is not named as
        the rest (`not …`, `other`), or the rarer.
    by
        What keeps covers together, of `artist`, `release` and `duplicates`: names, or one text with commas. Groups that
        the table gives do in any case.
    fractions
        Of train, valid and test; they sum to 1.
    min_covers
        Genres on fewer covers are left out by name; by default 30 in `multi`, and none in `single`.
    genre_tree
        For `multi`: a file that goes before the tree which comes with sleevenotes, kept as `genre-tree.csv` in the
        dataset; or `none`. By default the `genre-tree.csv` that is there.
    keep_test
        For a join: covers that were test before stay so, and their groups with them; the others are train and valid.
    seed
        The same seed gives the same split.
    again
        Replace a split that is there.

    Raises
    ------
    SplitError
        Where the options are wrong, there are fewer than two genres, too few covers, or a genre that lies in one group.
    DatasetError
        If no cover has a genre; where the genre tree can't be read, or goes round in a circle.
    StoreBusy
        If another process is writing to the dataset.

    Warns
    -----
    SleevenotesWarning
        If test has fewer than 100 covers, or one group more than a tenth of all covers.
    """
    dataset.require_genres()
    choice: dict[str, Any] = {"seed": seed, "fractions": list(fractions), "by": _checked(task, genre, by, fractions)}
    with writing(dataset.folder, "split"):  # from reading the table to writing it, so that no edit between is lost
        return _split(dataset.current(), choice, task, genre, min_covers, genre_tree, keep_test=keep_test, again=again)


def _split(
    dataset: Dataset,
    choice: dict[str, Any],
    task: str | None,
    genre: str | None,
    min_covers: int | None,
    genre_tree: str | Path | None,
    *,
    keep_test: bool,
    again: bool,
) -> SplitResult:
    before = {} if again else dataset.settings
    tree = find_tree(dataset.folder, genre_tree if genre_tree or not before else _tree_before(before))
    question = Question(task, genre, min_covers, tree)
    if before:
        question = _as_before(dataset, before, question, tree_given=genre_tree is not None)
        if before.get("fingerprint") == dataset.fingerprint:
            unchanged = f"The split is kept as it is (seed {before['seed']}); --again makes a new one."
            return SplitResult(dataset, before, [unchanged, *_summary(before)], kept=True)
        choice = {key: before.get(key, value) for key, value in choice.items()}
    pairs = near_duplicates(dataset) if "duplicates" in choice["by"] else []
    known = _known(dataset)
    question = replace(question, collections=dataset.column(COLLECTION), known=known)
    plan = _without_unknown(planned(dataset.genre_lists, question, pairs), dataset, known)
    given = _given_groups(dataset)
    choice["by"] = [*(name for name in choice["by"] if name != "group"), *(["group"] if any(given) else [])]
    keys = _keys(dataset, choice["by"], given)
    names = groups(keys, pairs)
    sides, how, kept = _sides(plan, names, dataset, choice, before=before, again=again, keep_test=keep_test)
    sides = [side if not reason else "" for side, reason in zip(sides, plan.left_out, strict=True)]
    done = dataset.with_columns(group=names, split=sides)
    told = _question_told(plan, question, _tree_name(dataset, genre_tree, before), known)
    large = _large_groups(plan, names, keys, pairs)
    settings = _settings(done, plan, choice, told, large)
    _keep_tree(dataset, plan, genre_tree)
    _write(done, settings)
    _warn(done, large)
    return SplitResult(done, settings, [plan.why, *how, *_summary(settings)], kept=kept)


def _sides(
    plan: Plan,
    names: Sequence[str],
    dataset: Dataset,
    choice: dict[str, Any],
    *,
    before: Mapping[str, Any],
    again: bool,
    keep_test: bool,
) -> tuple[list[str], list[str], bool]:
    """Return the side of each cover, what became of a split that was there, and whether it was kept.

    The shares in `choice` become those of a split that came with the table.
    """
    sides = [""] * len(dataset) if again else dataset.column("split")
    if keep_test:
        told, sides = _with_test(plan, names, dataset, choice)
        sides = _with_valid(plan, sides, names, dataset.genre_lists, choice)
        choice["fractions"] = _shares(sides)
        return sides, [told], False
    kept = plan.fits(sides, before)
    renamed = not kept and plan.lacks_test(sides, before)
    if renamed:
        sides = ["test" if side == "valid" else side for side in sides]
    drawn = not kept and plan.lacks_valid(sides, before)
    how = [VALID_IS_TEST] if renamed else _how(sides, before, kept=kept, drawn=drawn)
    if kept and not before:
        choice |= {"seed": None, "fractions": _shares(sides)}
    if drawn:
        sides = _with_valid(plan, sides, names, dataset.genre_lists, choice)
        choice["fractions"] = _shares(sides)
    elif not kept:
        sides = _dealt(plan, names, dataset.genre_lists, choice)
    return sides, how, kept


def _with_test(plan: Plan, names: Sequence[str], dataset: Dataset, choice: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return what is done, and train and test: whole groups are test where one of their covers was so before.

    Collections of which no cover was test before give test its share, of groups that are theirs alone.

    Raises
    ------
    SplitError
        Where no cover was test before.
    """
    were = np.array([side == "test" for side in dataset.column(SPLIT_BEFORE)])
    if not were.any():
        found = f"no cover is test in the column {SPLIT_BEFORE}"
        cure = "Leave out --keep-test, or split the datasets before joining them"
        raise SplitError(str(dataset.folder), found, "a join of datasets that were split", cure)
    groups_of, collections = np.array(names), np.array(dataset.column(COLLECTION))
    kept = np.isin(groups_of, groups_of[were])
    had = np.isin(collections, np.unique(collections[were]))
    fresh = plan.takes_part & ~np.isin(groups_of, groups_of[had])
    test = kept.copy()
    if fresh.any():
        truth = plan.task.truth([dataset.genre_lists[index] for index in np.flatnonzero(fresh).tolist()])
        *rest, share = choice["fractions"]
        test[fresh] = assign(groups_of[fresh], truth, [sum(rest), share], seed=choice["seed"] or 0) == 1
    drawn = f", and {int((test & ~kept).sum()):,} are drawn from collections without a test" if fresh.any() else ""
    told = f"Test is kept: {were.sum():,} covers, and {(kept & ~were).sum():,} that are in a group with them{drawn}."
    return told, np.where(test, "test", "train").tolist()


def _how(sides: Sequence[str], before: Mapping[str, Any], *, kept: bool, drawn: bool) -> list[str]:
    """Return what became of a split that was there, if one was."""
    if not any(sides):
        return []
    if drawn:
        return ["The table came with train and test: test is kept, and valid is made of train. --again deals all anew."]
    if not kept:
        return ["There was a split, but not for all of these covers and genres: it is made anew."]
    made = "The table was changed since it was split" if before else "The table came with a split"
    return [f"{made}; every cover has its side, so it is kept. --again makes a new one."]


def parse_fractions(text: str) -> tuple[float, float, float]:
    """Return train, valid and test out of a text such as `0.7,0.1,0.2`.

    Raises
    ------
    SplitError
        Where it is not three positive numbers that sum to 1.

    Examples
    --------
    >>> parse_fractions("0.7, 0.1, 0.2")
    (0.7, 0.1, 0.2)
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    return _check_fractions(numbers, text)


def _check_fractions(numbers: Sequence[float], text: str) -> tuple[float, float, float]:
    if len(numbers) != 3 or not all(0 < number < 1 for number in numbers):
        cure = "Give them as 0.7,0.1,0.2"
        raise SplitError("fractions", f"'{text}'", "Three numbers between 0 and 1, of train, valid and test", cure)
    if abs(sum(numbers) - 1) > 1e-6:
        raise SplitError("fractions", f"'{text}' sums to {sum(numbers):g}", "A sum of 1", "Give them as 0.7,0.1,0.2")
    train, valid, test = numbers
    return train, valid, test


def _checked(task: str | None, genre: str | None, by: str | Sequence[str], fractions: Sequence[float]) -> list[str]:
    """Check the options and return the reasons to join."""
    _check_fractions(fractions, ",".join(f"{number:g}" for number in fractions))
    if task is not None and task not in KINDS:
        raise SplitError("task", f"unknown task '{task}'", f"Tasks are {', '.join(KINDS)}", did_you_mean(task, KINDS))
    if genre is not None and task not in (None, "binary"):
        cure = "Leave out the genre, or take `binary`"
        raise SplitError("task", f"one genre, '{genre}', with '{task}'", "One genre goes with `binary`", cure)
    names = by.split(",") if isinstance(by, str) else by
    reasons = [name.strip() for name in names if name.strip()]
    for name in reasons:
        if name not in REASONS_TO_JOIN:
            known = f"Covers are kept together by {', '.join(REASONS_TO_JOIN)}"
            raise SplitError("by", f"unknown reason '{name}'", known, did_you_mean(name, REASONS_TO_JOIN))
    return [name for name in REASONS_TO_JOIN if name in reasons]


def _as_before(dataset: Dataset, before: Mapping[str, Any], question: Question, *, tree_given: bool) -> Question:
    """Return the question of the split that is there.

    Raises
    ------
    SplitError
        Where another one is asked now.
    """
    kind, positive, task, genre = before["task"], before.get("positive"), question.task, question.genre
    where = str(dataset.folder)
    if task not in (None, kind) or (genre is not None and matching(genre, [positive or ""]) is None):
        asked = f"`{task or 'binary'}`" + (f" '{genre}'" if genre else "")
        made = f"`{kind}`" + (f" '{positive}'" if positive else "")
        raise SplitError(where, f"split for {made} already, now asked for {asked}", cure="Add --again")
    least = before.get("min_covers", MIN_COVERS["multi"] if kind == "multi" else None)
    if question.min_covers not in (None, least):
        made = "without --min-covers" if least is None else f"with --min-covers {least}"
        raise SplitError(where, f"split {made} already, now with {question.min_covers}", cure="Add --again")
    if tree_given and kind == "multi":
        now = question.tree.pairs(dataset.genres, before["genres"])
        if [list(pair) for pair in now] != before.get("tree", []):
            raise SplitError(where, "split with another genre tree already", cure="Add --again")
    return Question(kind, positive, least, question.tree)


def _tree_before(before: Mapping[str, Any]) -> str | None:
    """Return the choice of a tree that a split was made with: none, or that of the dataset."""
    return None if before.get("genre_tree", NO_TREE) != NO_TREE else NO_TREE


def _tree_name(dataset: Dataset, genre_tree: str | Path | None, before: Mapping[str, Any]) -> str:
    if str(genre_tree) == NO_TREE or (genre_tree is None and before and _tree_before(before)):
        return NO_TREE
    own = genre_tree is not None or (dataset.folder / TREE_NAME).is_file()
    return TREE_NAME if own else DEFAULT_TREE


def _keep_tree(dataset: Dataset, plan: Plan, genre_tree: str | Path | None) -> None:
    """Copy a tree that was named into the dataset, where it is found from now on."""
    if plan.task.kind != "multi" or genre_tree is None or str(genre_tree) == NO_TREE:
        return
    kept = dataset.folder / TREE_NAME
    if not (kept.is_file() and kept.samefile(genre_tree)):
        with replacing(kept) as partial:
            shutil.copyfile(genre_tree, partial)


class CollectionEntry(TypedDict):
    """One of the collections of a join."""

    genres: list[str]


class CollectionsFile(TypedDict):
    """The contents of `collections.json`."""

    collections: dict[str, CollectionEntry]


def _known(dataset: Dataset) -> dict[str, list[str]]:
    """Return which genres each collection of a join names; empty where the dataset is none.

    Raises
    ------
    DatasetError
        Where `collections.json` is no such table.
    """
    path = dataset.folder / COLLECTIONS_NAME
    if not path.is_file():  # as in a dataset that was harmonised after it was split
        return dict(dataset.settings.get("known") or {})
    told = read_json(path, CollectionsFile, DatasetError, "Join the datasets again")
    return {name: each["genres"] for name, each in told["collections"].items()}


def _without_unknown(plan: Plan, dataset: Dataset, known: Mapping[str, Sequence[str]]) -> Plan:
    """Leave out covers of `multi` of whose genres nothing is known, and say which genres tell the collection."""
    if plan.task.kind != "multi" or not known:
        return plan
    collections = dataset.column(COLLECTION)
    truth = mask_unknown(plan.task.truth(dataset.genre_lists), plan.task.genres, collections, known)
    unknown: NDArray[np.bool_] = np.asarray((truth < 0).all(axis=1))
    left_out = [reason or (UNKNOWN if gone else "") for reason, gone in zip(plan.left_out, unknown, strict=True)]
    notes = _told_by_collection(plan.task, truth, np.array(collections))
    return replace(plan, left_out=left_out, notes=[*plan.notes, *notes])


def _told_by_collection(task: Task, truth: NDArray[np.int64], collections: NDArray[np.str_]) -> list[str]:
    """Return a note on genres that all covers of a collection bear, or none though it names them: they tell it."""
    names, found = np.unique(collections).tolist(), []
    for genre, column in zip(task.genres, truth.T, strict=True):
        parts = {name: column[(collections == name) & (column >= 0)] for name in names}
        telling = [name for name, part in parts.items() if len(part) and (part.all() or not part.any())]
        if telling and len(names) > 1:
            found.append(f"{genre} ({', '.join(telling)})")
    if not found:
        return []
    some = ", ".join(found[:TOLD]) + (f" and {len(found) - TOLD:,} more" if len(found) > TOLD else "")
    cure = f"Taken out of such a collection in {COLLECTIONS_NAME}, a genre is unknown there."
    return [f"Genres of all covers in a collection, or of none, tell the collection instead of the art: {some}. {cure}"]


def _keys(dataset: Dataset, reasons: Sequence[str], given: Sequence[str]) -> dict[str, Sequence[str]]:
    artists = dataset.column("artist")
    keys: dict[str, Sequence[str]] = {"group": given}
    if "artist" in reasons:
        keys["artist"] = artists
    if "release" in reasons:
        keys["release"] = release_keys(artists, dataset.column("album"), dataset.column("release"))
    return keys


def _given_groups(dataset: Dataset) -> list[str]:
    """Return the groups that came with the table, not those that an earlier split found."""
    ours = bool(dataset.settings) and "group" not in dataset.settings.get("by", [])
    return [""] * len(dataset) if ours else dataset.column("group")


def _shares(sides: Sequence[str]) -> list[float]:
    """Return the shares of a split that came with the table."""
    total = len(sides) - sides.count("")
    return [round(sides.count(side) / total, 3) for side in SPLITS]


def _dealt(plan: Plan, names: Sequence[str], lists: Sequence[tuple[str, ...]], choice: Mapping[str, Any]) -> list[str]:
    """Return the side of each cover, empty where it takes no part.

    Raises
    ------
    SplitError
        Where there are too few covers or groups, or a genre lies in one group.
    """
    part = np.flatnonzero(plan.takes_part)
    own, truth = np.array(names)[part], plan.task.truth([lists[index] for index in part.tolist()])
    if len(part) < FEWEST:
        raise SplitError("split", f"{len(part)} covers", f"{FEWEST} covers at least", "Collect more covers")
    for genre, bears in zip(plan.task.genres, _bears(plan.task, truth).T, strict=True):
        if len(set(own[bears])) < 2:
            cure = "Collect more of it, or drop it with `collect --genres`"
            found = f"all {int(bears.sum()):,} covers of '{genre}' lie in one group"
            raise SplitError("split", found, "Two groups at least, to learn from one and test on another", cure)
    dealt = assign(own, truth, choice["fractions"], seed=choice["seed"] or 0)
    if len(np.unique(dealt)) < len(SPLITS):
        found = f"{len(part):,} covers in {len(set(own)):,} groups leave a side empty"
        raise SplitError("split", found, "Enough groups for train, valid and test", "Collect more covers")
    sides = [""] * len(names)
    for index, side in zip(part.tolist(), dealt.tolist(), strict=True):
        sides[index] = SPLITS[side]
    return sides


def _with_valid(
    plan: Plan, sides: Sequence[str], names: Sequence[str], lists: Sequence[tuple[str, ...]], choice: Mapping[str, Any]
) -> list[str]:
    """Make valid out of train, groups apart, in the share that it has of both; test stays as it is.

    Raises
    ------
    SplitError
        Where train lies in one group.
    """
    part = np.flatnonzero(plan.takes_part & (np.array(sides) == "train"))
    own, truth = np.array(names)[part], plan.task.truth([lists[index] for index in part.tolist()])
    dealt = assign(own, truth, choice["fractions"][:2], seed=choice["seed"] or 0)
    if len(np.unique(dealt)) < 2:
        found = f"the {len(part):,} covers of train in {len(set(own)):,} groups leave a side empty"
        raise SplitError("split", found, "Enough groups for train and valid", "Draw more covers")
    done = list(sides)
    for index, side in zip(part.tolist(), dealt.tolist(), strict=True):
        done[index] = SPLITS[side]
    return done


def _bears(task: Task, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the task's genres each cover bears, (n, K)."""
    bears: NDArray[np.bool_] = truth == 1 if task.kind == "multi" else truth[:, None] == np.arange(len(task.genres))
    return bears


# What was done ----------------------------------------------------------------------------------------------------


def _question_told(
    plan: Plan, question: Question, tree_name: str, known: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return what `split.json` holds of the question: rare genres, the tree, and what is unknown."""
    many = plan.task.kind == "multi"
    default = MIN_COVERS["multi"] if many else None
    return {
        "min_covers": default if question.min_covers is None else question.min_covers,
        "rare": dict(sorted(plan.rare.items(), key=lambda item: (-item[1], item[0]))),
        "genre_tree": tree_name if many else None,
        "tree": [list(pair) for pair in plan.task.tree],
        **({"known": {name: list(genres) for name, genres in known.items()}} if many and known else {}),
    }


def _settings(
    dataset: Dataset, plan: Plan, choice: Mapping[str, Any], told: Mapping[str, Any], large: Sequence[str]
) -> dict[str, Any]:
    """Return what `split.json` holds."""
    own = dataset.where(plan.takes_part)
    sizes = Counter(own.column("group"))
    counts = _counts(plan.task, own)
    artists, straddling = _artists_state(own), _straddling(own)
    return {
        "format": FORMAT,
        "task": plan.task.kind,
        "genres": list(plan.task.genres),
        "positive": plan.positive,
        **choice,
        **told,
        "left_out": dict(Counter(reason for reason in plan.left_out if reason)),
        "groups": len(sizes),
        "largest_group": max(sizes.values()),
        "artists": artists,
        "no_artist": sum(not artists_of(cell) for cell in own.column("artist")),
        "covers": {side: own.column("split").count(side) for side in SPLITS},
        "counts": counts,
        "notes": [*plan.notes, *straddling, *large, *_unbalanced(counts, choice["fractions"], sizes, len(own))],
        "fingerprint": dataset.fingerprint,
    }


def _counts(task: Task, own: Dataset) -> dict[str, dict[str, int]]:
    truth, sides = task.truth(own.genre_lists), np.array(own.column("split"))
    return {
        genre: {side: int((column & (sides == side)).sum()) for side in SPLITS}
        for genre, column in zip(task.genres, _bears(task, truth).T, strict=True)
    }


def _artists_state(own: Dataset) -> str:
    """Return `unknown` where fewer than half of the covers have an artist, else whether any is on two sides."""
    sides: dict[str, set[str]] = {}
    artists = [artists_of(cell) for cell in own.column("artist")]
    for names, side in zip(artists, own.column("split"), strict=True):
        for name in names:
            sides.setdefault(name, set()).add(side)
    if 2 * sum(map(bool, artists)) < len(own):
        return "unknown"
    return "shared" if any(len(found) > 1 for found in sides.values()) else "apart"


def _straddling(own: Dataset) -> list[str]:
    """Return a note on the groups that lie on two sides, as they may in a split that was kept."""
    sides: dict[str, set[str]] = {}
    for name, side in zip(own.column("group"), own.column("split"), strict=True):
        sides.setdefault(name, set()).add(side)
    wide = {name for name, found in sides.items() if len(found) > 1}
    covers = sum(name in wide for name in own.column("group"))
    if not wide:
        return []
    return [f"{len(wide):,} groups are on two sides ({covers:,} covers): figures flatter. --again keeps them apart."]


def _unbalanced(
    counts: Mapping[str, Mapping[str, int]], fractions: Sequence[float], sizes: Mapping[str, int], n: int
) -> list[str]:
    """Return notes on what could not be balanced."""
    share = fractions[SPLITS.index("test")]
    few = {genre: sides["test"] for genre, sides in counts.items() if sides["test"] < FEW_IN_TEST}
    uneven = {
        genre: sides["test"] / max(1, sum(sides.values()))
        for genre, sides in counts.items()
        if abs(sides["test"] - share * sum(sides.values())) > UNEVEN * share * sum(sides.values())
    }
    percent, notes = "{:.0%}".format, []
    if few:
        notes.append(f"Genres with fewer than {FEW_IN_TEST} covers in test: {named(few)}.")
    if uneven:
        notes.append(f"Genres with more or less than {share:.0%} of their covers in test: {named(uneven, percent)}.")
    for side, fraction in sorted(zip(SPLITS, fractions, strict=True), key=lambda pair: -pair[1]):
        if max(sizes.values()) > fraction * n:
            largest, room = max(sizes.values()), round(fraction * n)
            notes.append(f"The largest group has {largest:,} covers, more than {side} should have ({room:,}).")
            break
    return notes


def _large_groups(
    plan: Plan, names: Sequence[str], keys: Mapping[str, Sequence[str]], pairs: Sequence[Pair]
) -> list[str]:
    """Return a sentence on each group that holds more than a tenth of the covers, with what joined it."""
    part = np.flatnonzero(plan.takes_part).tolist()
    sizes = Counter(names[index] for index in part)
    sentences = []
    for name, size in sizes.most_common():
        if size <= max(LARGE * len(part), FEWEST):
            break
        members = [index for index in part if names[index] == name]
        sentences.append(
            f"One group holds {size:,} of {len(part):,} covers ({size / len(part):.0%}), joined by "
            f"{cause_of(members, keys, pairs)}. If that names nothing they share, empty these cells and split again."
        )
    return sentences


def _summary(settings: Mapping[str, Any]) -> list[str]:
    """Return what `split.json` says, in sentences."""
    per_side = settings["covers"]
    total = sum(per_side.values())
    sides = ", ".join(f"{per_side[side]:,} {side}" for side in SPLITS)
    largest = f", the largest of {settings['largest_group']:,} covers" if settings["largest_group"] > 1 else ""
    lines = [f"{total:,} covers in {settings['groups']:,} groups{largest}: {sides}."]
    if settings["left_out"]:
        reasons = ", ".join(f"{count:,} ({reason})" for reason, count in settings["left_out"].items())
        lines.append(f"Left out: {reasons}.")
    artists = {
        "apart": "No artist is on two sides",
        "shared": "Artists are on two sides",
        "unknown": "Artists are unknown, so some may be on two sides",
    }
    told, without = artists[settings["artists"]], settings.get("no_artist", 0)
    if without and settings["artists"] != "unknown":
        told += f", but {without:,} covers have no single artist (Various Artists, unknown and the like)"
    return [*lines, f"{told}.", *settings["notes"]]


def _write(dataset: Dataset, settings: Mapping[str, Any]) -> None:
    """Write table and settings; killed between the two, the table is one that came with a split."""
    path = dataset.folder / SETTINGS_NAME
    path.unlink(missing_ok=True)
    dataset.write()
    write_json(path, settings)


def _warn(dataset: Dataset, large: Sequence[str]) -> None:
    for sentence in large:
        warnings.warn(f"split: {sentence[0].lower()}{sentence[1:]}", SleevenotesWarning, stacklevel=4)
    in_test = dataset.column("split").count("test")
    if in_test < SMALL_TEST:
        found = f"split: only {in_test:,} covers in test"
        message = f"{found}, so that intervals will be wide. {SMALL_TEST} or more are better."
        warnings.warn(message, SleevenotesWarning, stacklevel=4)
