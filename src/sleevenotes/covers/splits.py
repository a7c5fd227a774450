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
left_out       reason: number of covers without a side
groups         how many
largest_group  how many covers in the largest
artists        `apart` where no artist is on two sides, `shared` where one is, `unknown` where half the covers name none
covers         {train, valid, test}: covers
counts         genre: {train, valid, test}: covers
notes          sentences: what could not be balanced, and what is small
fingerprint    of the dataset, split so
============== =======================================================================================
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.check import near_duplicates
from sleevenotes.covers.dataset import SETTINGS_NAME, SPLITS, Dataset
from sleevenotes.covers.duplicates import Pair, clusters
from sleevenotes.covers.files import write_json
from sleevenotes.covers.genres import tidy
from sleevenotes.covers.groups import artists_of, assign, folds, groups, release_keys
from sleevenotes.covers.tasks import KINDS, Kind, Task
from sleevenotes.errors import SleevenotesWarning, SplitError, did_you_mean

FORMAT = 1
REASONS_TO_JOIN = ("artist", "release", "duplicates")
FRACTIONS = (0.7, 0.1, 0.2)
MANY_WITH_SEVERAL = 0.2  # share of covers with several genres from which the task is taken for `multi`
NO_GENRE = "no genre"
SEVERAL = "several genres"
CLASH = "near-duplicates under different genres"
MIN_COVERS: dict[Kind, int] = {"single": 10, "binary": 10, "multi": 30}  # `multi` does not ask about rarer genres
FEWEST = 10  # covers that can be split at all
SMALL_TEST = 100  # covers: an interval of a share is then some 20 points wide
FEW_IN_TEST = 10  # covers of a genre
UNEVEN = 0.25  # of a genre's share in test, relative
SHOWN = 8  # genres named in a note

REST = re.compile(r"(not|non)[ _\-].+|(the )?(others?|rest)|(everything|anything) else|other genres?", re.IGNORECASE)


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
    seed
        The same seed gives the same split.
    again
        Replace a split that is there.

    Raises
    ------
    SplitError
        Where the options are wrong, there are fewer than two genres, too few covers, or a genre that lies in one group.

    Warns
    -----
    SleevenotesWarning
        Where test has fewer than 100 covers.
    """
    choice: dict[str, Any] = {"seed": seed, "fractions": list(fractions), "by": _checked(task, genre, by, fractions)}
    before = {} if again else dataset.settings
    if before:
        task, genre = _as_before(dataset, before, task, genre)
        if before.get("fingerprint") == dataset.fingerprint:
            unchanged = f"The split is kept as it is (seed {before['seed']}); --again makes a new one."
            return SplitResult(dataset, before, [unchanged, *_summary(before)], kept=True)
        choice = {key: before.get(key, value) for key, value in choice.items()}
    pairs = near_duplicates(dataset) if "duplicates" in choice["by"] else []
    plan = _planned(dataset.genre_lists, task, genre, pairs)
    sides = [""] * len(dataset) if again else dataset.column("split")
    kept = plan.fits(sides, before)
    drawn = not kept and plan.lacks_valid(sides, before)
    how = _how(sides, before, kept=kept, drawn=drawn)
    if kept and not before:
        choice |= {"seed": None, "fractions": _shares(sides)}
    given = _given_groups(dataset)
    choice["by"] = [*(name for name in choice["by"] if name != "group"), *(["group"] if any(given) else [])]
    names = groups(_keys(dataset, choice["by"], given), pairs)
    if drawn:
        sides = _with_valid(plan, sides, names, dataset.genre_lists, choice)
        choice["fractions"] = _shares(sides)
    elif not kept:
        sides = _dealt(plan, names, dataset.genre_lists, choice)
    sides = [side if not reason else "" for side, reason in zip(sides, plan.left_out, strict=True)]
    done = dataset.with_columns(group=names, split=sides)
    settings = _settings(done, plan, choice)
    _write(done, settings)
    _warn(done)
    return SplitResult(done, settings, [plan.why, *how, *_summary(settings)], kept=kept)


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


@dataclass(frozen=True)
class _Plan:
    """What is asked, and of which covers not: `left_out` has a reason, or nothing, for each of n covers."""

    task: Task
    left_out: list[str]
    why: str
    notes: list[str] = field(default_factory=list)

    @property
    def positive(self) -> str | None:
        return self.task.genres[0] if self.task.kind == "binary" else None

    @property
    def takes_part(self) -> NDArray[np.bool_]:
        return np.array([not reason for reason in self.left_out], dtype=bool)

    def fits(self, sides: Sequence[str], before: Mapping[str, Any]) -> bool:
        """Return whether these sides are a complete split for it."""
        return self._same_genres(before) and self._used(sides) == set(SPLITS)

    def lacks_valid(self, sides: Sequence[str], before: Mapping[str, Any]) -> bool:
        """Return whether these sides are train and test for it, as a draw makes them."""
        return self._same_genres(before) and self._used(sides) == {"train", "test"}

    def _same_genres(self, before: Mapping[str, Any]) -> bool:
        return not before or self.task.kind == "multi" or tuple(before["genres"]) == self.task.genres

    def _used(self, sides: Sequence[str]) -> set[str]:
        return {side for side, reason in zip(sides, self.left_out, strict=True) if not reason}


def _as_before(
    dataset: Dataset, before: Mapping[str, Any], task: str | None, genre: str | None
) -> tuple[str | None, str | None]:
    """Return the task and genre of the split that is there.

    Raises
    ------
    SplitError
        Where others are asked for now.
    """
    kind, positive = before["task"], before.get("positive")
    if task not in (None, kind) or (genre is not None and _matching(genre, [positive or ""]) is None):
        asked = f"`{task or 'binary'}`" + (f" '{genre}'" if genre else "")
        made = f"`{kind}`" + (f" '{positive}'" if positive else "")
        raise SplitError(str(dataset.folder), f"split for {made} already, now asked for {asked}", cure="Add --again")
    return kind, positive


def _planned(lists: Sequence[tuple[str, ...]], task: str | None, genre: str | None, pairs: Sequence[Pair]) -> _Plan:
    """Choose the task, its genres, and the covers that have no truth under it."""
    kind, why = _inferred(lists, task, genre)
    if kind == "multi":
        return _planned_multi(lists, why)
    if kind == "binary":
        return _planned_binary(lists, genre, pairs, why)
    left_out = ["" if len(genres) == 1 else SEVERAL if genres else NO_GENRE for genres in lists]
    _mark_clashes(left_out, [frozenset(genres) for genres in lists], pairs)
    counts = Counter(genres[0] for genres, reason in zip(lists, left_out, strict=True) if not reason)
    _check_two(counts)
    few = {name: count for name, count in counts.items() if count < MIN_COVERS["single"]}
    notes = [f"Genres with fewer than {MIN_COVERS['single']} covers, too few to learn or to measure: {_named(few)}."]
    return _Plan(Task("single", tuple(sorted(counts))), left_out, why, notes if few else [])


def _planned_multi(lists: Sequence[tuple[str, ...]], why: str) -> _Plan:
    counts = Counter(chain.from_iterable(lists))
    least = MIN_COVERS["multi"]
    asked = sorted(name for name, count in counts.items() if count >= least)
    if len(asked) < 2:
        found = f"{len(asked)} of {len(counts):,} genres on {least} covers or more"
        raise SplitError("split", found, "Two genres at least", "Collect more covers, or take `--task single`")
    notes = []
    if len(asked) < len(counts):
        rare = len(counts) - len(asked)
        without = sum(bool(genres) and not set(genres) & set(asked) for genres in lists)
        notes.append(
            f"{rare:,} of {len(counts):,} genres stand on fewer than {least} covers and are not asked about; "
            f"{without:,} covers have no other genre."
        )
    return _Plan(Task("multi", tuple(asked)), ["" if genres else NO_GENRE for genres in lists], why, notes)


def _planned_binary(lists: Sequence[tuple[str, ...]], genre: str | None, pairs: Sequence[Pair], why: str) -> _Plan:
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
    return _Plan(task, left_out, why)


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
    found = _matching(genre, genres)
    if found is None:
        some = ", ".join(genres[:SHOWN]) + (f" and {len(genres) - SHOWN} more" if len(genres) > SHOWN else "")
        raise SplitError("genre", f"no cover of genre '{genre}'", f"Genres here: {some}", did_you_mean(genre, genres))
    return found


def _matching(genre: str, genres: Sequence[str]) -> str | None:
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


def _dealt(plan: _Plan, names: Sequence[str], lists: Sequence[tuple[str, ...]], choice: Mapping[str, Any]) -> list[str]:
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
    plan: _Plan, sides: Sequence[str], names: Sequence[str], lists: Sequence[tuple[str, ...]], choice: Mapping[str, Any]
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


def _settings(dataset: Dataset, plan: _Plan, choice: Mapping[str, Any]) -> dict[str, Any]:
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
        "left_out": dict(Counter(reason for reason in plan.left_out if reason)),
        "groups": len(sizes),
        "largest_group": max(sizes.values()),
        "artists": artists,
        "covers": {side: own.column("split").count(side) for side in SPLITS},
        "counts": counts,
        "notes": [*plan.notes, *straddling, *_unbalanced(counts, choice["fractions"], sizes, len(own))],
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
        notes.append(f"Genres with fewer than {FEW_IN_TEST} covers in test: {_named(few)}.")
    if uneven:
        notes.append(f"Genres with more or less than {share:.0%} of their covers in test: {_named(uneven, percent)}.")
    for side, fraction in sorted(zip(SPLITS, fractions, strict=True), key=lambda pair: -pair[1]):
        if max(sizes.values()) > fraction * n:
            largest, room = max(sizes.values()), round(fraction * n)
            notes.append(f"The largest group has {largest:,} covers, more than {side} should have ({room:,}).")
            break
    return notes


def _named(figures: Mapping[str, float], show: Callable[[float], str] = str) -> str:
    """Return genres with their figures, the smallest first.

    >>> _named({"folk": 7, "polka": 3})
    'polka (3), folk (7)'
    """
    smallest = sorted(figures.items(), key=lambda item: (item[1], item[0]))
    some = ", ".join(f"{name} ({show(figure)})" for name, figure in smallest[:SHOWN])
    return some + (f" and {len(figures) - SHOWN} more" if len(figures) > SHOWN else "")


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
        "apart": "No artist is on two sides.",
        "shared": "Artists are on two sides.",
        "unknown": "Artists are unknown, so some may be on two sides.",
    }
    return [*lines, artists[settings["artists"]], *settings["notes"]]


def _write(dataset: Dataset, settings: Mapping[str, Any]) -> None:
    """Write table and settings; killed between the two, the table is one that came with a split."""
    path = dataset.folder / SETTINGS_NAME
    path.unlink(missing_ok=True)
    dataset.write()
    write_json(path, settings)


def _warn(dataset: Dataset) -> None:
    in_test = dataset.column("split").count("test")
    if in_test < SMALL_TEST:
        found = f"split: only {in_test:,} covers in test"
        message = f"{found}, so that intervals will be wide. {SMALL_TEST} or more are better."
        warnings.warn(message, SleevenotesWarning, stacklevel=3)
