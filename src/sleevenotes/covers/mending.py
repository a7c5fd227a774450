"""Mending a cover's genres in the table, with a log of who changed what and when, and undoing it.

The log is `changes.csv` beside the table. It only ever grows: whoever undoes a change makes another one.

========= ============================================================
column    meaning
========= ============================================================
change    1, 2, 3, …
when      in UTC, to the second
who       a nickname, 40 characters at most
file_name the cover's path in the dataset
before    its genres before, `;` between them
after     its genres after
undoes    the change that this one undoes; empty where it undoes none
========= ============================================================

Text that a spreadsheet would take for a formula stands behind an apostrophe there.

A change goes to `.changes.pending`, then to the log, then to the table, each on the disk before the next, and
then `.changes.pending` goes. Whoever comes next finishes what a killed process left between two of these: nothing that
stands in the log is lost, and nothing that does not stand there has happened. One process or thread at a time does so;
it reads the table anew, so that what was changed there by hand in the meantime stays.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Annotated, NoReturn, TypedDict

import numpy as np
import polars as pl

from sleevenotes.covers.dataset import SEPARATOR, Dataset
from sleevenotes.covers.files import flush, guarded, one_line, unguarded, write_json
from sleevenotes.covers.locks import writing
from sleevenotes.covers.questions import matching
from sleevenotes.covers.schema import Count, Meta, Name, read_json, read_rows
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import ChangedMeanwhile, DatasetError, did_you_mean

CHANGES_NAME = "changes.csv"
PENDING_NAME = ".changes.pending"
COLUMNS = ("change", "when", "who", "file_name", "before", "after", "undoes")
LONGEST_WHO = 40
NOBODY = "sleevenotes"  # who marks a change that can't be finished any more
SHOWN = 20  # genres named in an error


@dataclass(frozen=True)
class Change:
    """A cover whose genres were changed.

    Parameters
    ----------
    number
        Its place in the log, from 1 on.
    when
        In UTC, as ISO 8601 writes it.
    who
        A nickname.
    file_name
        The cover's path in the dataset.
    before, after
        Its genres.
    undoes
        The change that this one undoes; None where it undoes none.
    """

    number: int
    when: str
    who: str
    file_name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    undoes: int | None = None


class ChangeRow(TypedDict):
    """A row of `changes.csv`."""

    change: Annotated[int, Meta(ge=1)]
    when: str
    who: str
    file_name: Name
    before: str
    after: str
    undoes: Count | None


class PendingChange(TypedDict):
    """The contents of `.changes.pending`."""

    number: Count
    when: str
    who: str
    file_name: Name
    before: list[str]
    after: list[str]
    undoes: Count | None


def mend(dataset: Dataset, file_name: str, *, genres: Sequence[str], who: str) -> tuple[Dataset, Change]:
    """Give a cover other genres, in the table on the disk and in the log.

    A genre is one of the dataset, or of its split; where the task is `single`, it is one of the split. A new one goes
    into the table by hand, before `split`.

    Parameters
    ----------
    dataset
        As it was seen: the cover must still be so on the disk.
    file_name
        The cover's path in the dataset.
    genres
        The first one primary. However they are spelt, they are written as the dataset writes them.
    who
        A nickname.

    Returns
    -------
    The dataset as it is on the disk now, and the change.

    Raises
    ------
    ChangedMeanwhile
        Where the cover is not as it was seen, or has these genres already.
    DatasetError
        Where the genres can't be those of a cover here, the nickname is empty, or table or log can't be written.
    """
    name = cleaned(who)
    with writing(dataset.folder, "an edit of genres"):
        _finish(dataset.folder)
        now, row = _as_seen(dataset, file_name)
        after, before = checked(genres, now, file_name), now.genre_lists[row]
        if after == before:
            found = f"is {SEPARATOR.join(after)} already"
            raise ChangedMeanwhile(file_name, found, cure="Choose another genre")
        change = Change(_next(dataset.folder), _now(), name, file_name, before, after)
        return _made(now, row, change), change


def undo(dataset: Dataset, number: int, *, who: str) -> tuple[Dataset, Change]:
    """Give a cover the genres that it had before a change: by another change, which can be undone, too.

    Parameters
    ----------
    number
        The change to undo.
    who
        A nickname.

    Returns
    -------
    The dataset as it is on the disk now, and the change that undoes.

    Raises
    ------
    ChangedMeanwhile
        Where the change is undone already, or the cover's genres were changed since.
    DatasetError
        Where there is no such change, the nickname is empty, or the table or the log can't be written.
    """
    name = cleaned(who)
    with writing(dataset.folder, "an edit of genres"):
        _finish(dataset.folder)
        past = changes(dataset.folder)
        undoing = next((each for each in past if each.number == number), None)
        if undoing is None:
            raise DatasetError(f"change {number}", f"there is none in {CHANGES_NAME}", f"It has {len(past):,} changes")
        if number in undone(past):
            raise ChangedMeanwhile(f"change {number}", "undone already", cure="Undo the change that undid it")
        now = Dataset.open(dataset.folder, files=False)
        row = _row(now, undoing.file_name)
        if now.genre_lists[row] != undoing.after:
            found = f"its genres are {SEPARATOR.join(now.genre_lists[row]) or 'none'} by now"
            raise ChangedMeanwhile(undoing.file_name, found, SEPARATOR.join(undoing.after), "Mend them instead")
        _refuse_lost(now, row, undoing.before)
        change = Change(_next(now.folder), _now(), name, undoing.file_name, undoing.after, undoing.before, number)
        return _made(now, row, change), change


def changes(folder: Path) -> list[Change]:
    """Return the log, the oldest change first; nothing where nothing was ever changed.

    Raises
    ------
    DatasetError
        Where the log can't be read.
    """
    path = folder / CHANGES_NAME
    if not path.is_file() or not path.stat().st_size:
        return []
    cure = "Edit or delete the row, or take the file from a backup"
    return [_change(row) for row in read_rows(path, ChangeRow, DatasetError, cure)]


def undone(past: Sequence[Change]) -> set[int]:
    """Return the numbers of the changes that are undone, and not by a change that is undone itself.

    Examples
    --------
    >>> first = Change(1, "", "ann", "a.jpg", ("rock",), ("folk",))
    >>> second = Change(2, "", "ben", "a.jpg", ("folk",), ("rock",), undoes=1)
    >>> undone([first, second]), undone([first, second, Change(3, "", "ann", "a.jpg", ("rock",), ("folk",), undoes=2)])
    ({1}, {2})
    """
    found: set[int] = set()
    for change in reversed(past):
        if change.undoes is not None and change.number not in found:
            found.add(change.undoes)
    return found


def finish(folder: Path) -> bool:
    """Finish a change that a killed process had begun, and return whether there was one to finish.

    Where the cover is neither as it was before nor as it was to become, somebody else has changed it: then the log is
    told by a change that undoes the lost one, by `sleevenotes`.

    Raises
    ------
    DatasetError
        Where the table or the log can't be read or written.
    """
    if not (folder / PENDING_NAME).exists():
        return False
    with writing(folder, "an edit of genres"):
        return _finish(folder)


def cleaned(who: str) -> str:
    """Return a nickname in one line, without what can't be seen, 40 characters at most.

    Raises
    ------
    DatasetError
        Where nothing is left of it.

    Examples
    --------
    >>> cleaned("  Ann   B. ")
    'Ann B.'
    """
    name = one_line(who)[:LONGEST_WHO].strip()
    if not name:
        raise DatasetError("who", "no nickname", cure="Say who changes it; any nickname does")
    return name


def checked(genres: Sequence[str], dataset: Dataset, file_name: str) -> tuple[str, ...]:
    """Return genres as the dataset writes them, once it is certain that a cover of it may have them.

    Raises
    ------
    DatasetError
        Where there are none, one is unknown, the task does not allow them, or the last cover of a genre would go.
    """
    known = known_genres(dataset)
    named = [matching(" ".join(genre.split()), known) or _unknown(genre, known, file_name) for genre in genres]
    after = tuple(dict.fromkeys(named))
    task = Task.of(dataset) if dataset.settings else None
    if not after:
        raise DatasetError(file_name, "no genre", "a genre at least", "Choose one")
    if task and task.kind == "single" and len(after) > 1:
        found = f"{len(after)} genres, {SEPARATOR.join(after)}"
        raise DatasetError(
            file_name, found, "A cover has one genre here, as the dataset is split for the task `single`", "Choose one"
        )
    if task and task.kind == "binary" and set(task.genres) <= set(after):
        found = f"both {task.genres[0]} and {task.genres[1]}"
        raise DatasetError(
            file_name, found, "A cover is either here, as the dataset is split for the task `binary`", "Choose one"
        )
    _refuse_lost(dataset, _row(dataset, file_name), after)
    return after


def known_genres(dataset: Dataset) -> list[str]:
    """Return the genres that a cover may be given, by name."""
    asked = [str(genre) for genre in dataset.settings.get("genres") or ()]
    return sorted({*asked, *(() if dataset.settings.get("task") == "single" else dataset.genres)})


# --- how it gets to the disk ------------------------------------------------------------------------------------------


def _made(dataset: Dataset, row: int, change: Change) -> Dataset:
    """Write a change down, make it, and return the dataset with it."""
    after = _with(dataset, row, change.after)
    log, pending = dataset.folder / CHANGES_NAME, dataset.folder / PENDING_NAME
    with _told(dataset.folder):
        size = log.stat().st_size if log.exists() else 0
        write_json(pending, asdict(change))
        try:
            _append(log, change)
            after.write()
        except (OSError, pl.exceptions.PolarsError):  # such as a full disk: as if nobody had asked
            if dataset.current().genre_lists[row] == change.before:
                if log.exists():
                    os.truncate(log, size)
                pending.unlink()
            raise  # else the table is the new one already, and the log must keep what it says
        pending.unlink()
    return after


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in a sentence that something can't be written."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as cause:
        cure = "Make room, or give yourself the right to write there"
        raise DatasetError(str(folder), f"can't be written ({cause})", cure=cure) from cause


def _finish(folder: Path) -> bool:
    """Finish what stands in `.changes.pending`, by whoever is alone at the table."""
    path, log = folder / PENDING_NAME, folder / CHANGES_NAME
    if not path.exists():
        return False
    pending = _pending(path)
    with _told(folder):
        _cut_torn(log, pending)
        past = changes(folder)
        logged = pending in past
        if logged:
            dataset = Dataset.open(folder, files=False)
            row = dataset.file_names.index(pending.file_name) if pending.file_name in dataset.file_names else None
            now = () if row is None else dataset.genre_lists[row]
            if row is not None and now == pending.before:
                _with(dataset, row, pending.after).write()
            elif now != pending.after and pending.number not in undone(past):  # else whoever marked it was killed, too
                mark = Change(_next(folder), _now(), NOBODY, pending.file_name, pending.after, now, pending.number)
                _append(log, mark)
        path.unlink()
    return logged


def _append(log: Path, change: Change) -> None:
    line = StringIO()
    writer = csv.writer(line, lineterminator="\n")
    if not log.exists() or not log.stat().st_size:
        writer.writerow(COLUMNS)
    elif not _ended(log):
        line.write("\n")  # as some editors leave it
    names = [SEPARATOR.join(each) for each in (change.before, change.after)]
    texts = map(guarded, (change.who, change.file_name, *names))
    writer.writerow([change.number, change.when, *texts, change.undoes or ""])
    with log.open("a", encoding="utf-8", newline="") as file:
        file.write(line.getvalue())
    flush(log)
    flush(log.parent)


def _cut_torn(log: Path, pending: Change) -> None:
    """Take off a line of the log that breaks off, as where the current failed while it was written."""
    if not log.exists() or _ended(log):
        return
    written = log.read_bytes()
    start = written.rfind(b"\n") + 1
    torn = written[start:]
    begun = f"{pending.number},".encode() if start else ",".join(COLUMNS).encode()
    if torn[: len(begun)] == begun[: len(torn)]:  # not a last line without an end, as some editors leave it
        os.truncate(log, start)


def _ended(log: Path) -> bool:
    return not log.stat().st_size or log.read_bytes().endswith(b"\n")


# --- what is changed --------------------------------------------------------------------------------------------------


def _as_seen(seen: Dataset, file_name: str) -> tuple[Dataset, int]:
    """Return the dataset as it is on the disk, and the row of a cover that is there as it was seen."""
    now = Dataset.open(seen.folder, files=False)
    row, before = _row(now, file_name), _row(seen, file_name)
    for name in ("genres", "sha256"):
        was, is_now = seen.column(name)[before], now.column(name)[row]
        if was != is_now:
            found = f"its {name} in the table is {is_now or 'empty'} by now"
            raise ChangedMeanwhile(file_name, found, was or "nothing", "Look at it again")
    return now, row


def _row(dataset: Dataset, file_name: str) -> int:
    try:
        return dataset.file_names.index(file_name)
    except ValueError as cause:
        raise ChangedMeanwhile(file_name, "not in the table any more", cure="Look at the dataset again") from cause


def _with(dataset: Dataset, row: int, genres: Sequence[str]) -> Dataset:
    """Return the dataset with one cover's genres changed, and not a cell besides."""
    cells = dataset.column("genres")
    cells[row] = SEPARATOR.join(genres)
    return dataset.with_columns(genres=cells)


def _refuse_lost(dataset: Dataset, row: int, after: tuple[str, ...]) -> None:
    """Refuse to take the last cover of a genre that the split asks about: no model could be asked about it any more."""
    if not dataset.settings:
        return
    task = Task.of(dataset)
    lists = [*dataset.genre_lists]
    before = _borne(task, lists)
    lists[row] = after
    for genre in sorted(before - _borne(task, lists)):
        found, cure = f"the last cover of {genre}", f"Find another cover of {genre} first"
        raise DatasetError(dataset.file_names[row], found, "The split asks about this genre", cure)


def _borne(task: Task, lists: Sequence[tuple[str, ...]]) -> set[str]:
    """Return the genres of a task that any cover has."""
    told = [genres for genres, has in zip(lists, task.answerable(lists), strict=True) if has]
    truth = task.truth(told)
    if task.kind == "multi":
        return {genre for genre, column in zip(task.genres, truth.T, strict=True) if told and column.any()}
    return {task.genres[index] for index in np.unique(truth).tolist()}


def _unknown(genre: str, known: Sequence[str], file_name: str) -> NoReturn:
    some = ", ".join(known[:SHOWN]) + (f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else "")
    cure = did_you_mean(genre, known) or "A new genre goes into the table by hand, then `sleevenotes split --again`"
    raise DatasetError(file_name, f"unknown genre '{genre[:LONGEST_WHO]}'", f"Genres here: {some}", cure)


def _change(row: ChangeRow) -> Change:
    before, after = (tuple(filter(None, unguarded(cell).split(SEPARATOR))) for cell in (row["before"], row["after"]))
    who, file_name = unguarded(row["who"]), unguarded(row["file_name"])
    return Change(row["change"], row["when"], who, file_name, before, after, row["undoes"])


def _pending(path: Path) -> Change:
    cure = f"Delete it, and look at the end of {CHANGES_NAME}"
    told = read_json(path, PendingChange, DatasetError, cure)
    return Change(
        number=told["number"],
        when=told["when"],
        who=told["who"],
        file_name=told["file_name"],
        before=tuple(told["before"]),
        after=tuple(told["after"]),
        undoes=told["undoes"],
    )


def _next(folder: Path) -> int:
    return max((change.number for change in changes(folder)), default=0) + 1


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
