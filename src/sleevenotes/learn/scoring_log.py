"""What a model has been asked about: the log of its scorings, and the genres that covers had before it could answer.

Both are files in the model's folder that only grow, and both survive training again, as the answers of the earlier
model were seen. Each line is on the disk before the scoring that it announces.

`scorings.jsonl` has a line each time that a split was scored, written before it is.

`first_genres.csv` has a row for each cover that the model could be asked about, so that genres which were changed
afterwards, in the page or in a spreadsheet, are found:

========= ================================================================================
column    meaning
========= ================================================================================
sha256    of the cover's file
genres    its genres then, `;` between them
split     `train`, `valid` or `test`; empty if it was left out or has no genre of the task
when      in UTC, as ISO 8601 writes it
at        `training`, or `evaluation` for a cover that was not in the training's dataset; or `elsewhere`
========= ================================================================================

A file that is there several times under different genres has a row for each. A cover has another row, with the same
genres, once its split is another at a later training. A model that
is given away without the genres of its training, such as the bundled one, has a row with `elsewhere` for them.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from sleevenotes.covers.dataset import SEPARATOR, SPLITS
from sleevenotes.covers.files import flush, guarded, unguarded
from sleevenotes.covers.locks import writing
from sleevenotes.errors import ModelError
from sleevenotes.learn.model import FIRST_GENRES_NAME, SCORINGS_NAME, Model

COLUMNS = ("sha256", "genres", "split", "when", "at")
TRAINING, EVALUATION, ELSEWHERE = "training", "evaluation", "elsewhere"
LEARNT = ("train", "valid")
CURE = "Restore it from a backup, or delete it and train the model again"


@dataclass(frozen=True)
class First:
    """A cover when a model could first be asked about it.

    Parameters
    ----------
    genres
        Its genres at that time, the primary one first; more than one if the same file was there under others, too.
    split
        `train`, `valid` or `test` at the last training; empty if it was left out, or not in the training's dataset.
    when
        In UTC, as ISO 8601 writes it.
    at
        `training`, `evaluation` or `elsewhere`.
    """

    genres: tuple[tuple[str, ...], ...]
    split: str
    when: str
    at: str


def log_scoring(model: Model, **entry: Any) -> None:
    """Append a line to a model's `scorings.jsonl`; it is on the disk when this returns.

    Parameters
    ----------
    entry
        What is scored: `by` (the verb), `split`, `dataset`, `n`, and more.

    Raises
    ------
    ModelError
        If it can't be written: then the split must not be scored.
    """
    line = {"when": now(), "model_sha256": model.sha256, **entry}
    _append(model.folder / SCORINGS_NAME, json.dumps(line, ensure_ascii=False) + "\n")


def first_seen(model: Model) -> dict[str, First]:
    """Return each cover when the model could first be asked about it, by the SHA-256 of its file.

    The entry of a training whose genres were not given away with the model has an empty key.

    Raises
    ------
    ModelError
        If the table is missing, damaged, or lacks a cover that the model learnt from.
    """
    path = model.folder / FIRST_GENRES_NAME
    if not path.is_file():
        raise ModelError(str(path), "not there", "The genres that covers had when the model was trained", CURE)
    found = _read(path)
    lacking = 0 if "" in found else sum(row["sha256"] not in found for row in model.learnt_from)
    if lacking:
        count = f"{lacking:,} of {len(model.learnt_from):,} covers that the model learnt from are not in it"
        raise ModelError(str(path), count, "A row for each", CURE)
    return found


def record_first(folder: Path, covers: Iterable[tuple[str, tuple[str, ...], str]], *, at: str) -> None:
    """Append covers to a model's `first_genres.csv`, unless they are in it; it is on the disk when this returns.

    Parameters
    ----------
    folder
        Of the model.
    covers
        SHA-256, genres and split of each. Those that the model learns from are written last, so that a table that
        was cut off lacks one of them.
    at
        `training` or `evaluation`.

    Raises
    ------
    ModelError
        If the table is damaged or can't be written.
    """
    with writing(folder, "the record of genres"):
        _record(folder / FIRST_GENRES_NAME, covers, at)


def _record(path: Path, covers: Iterable[tuple[str, tuple[str, ...], str]], at: str) -> None:
    known = _read(path)
    rows: dict[tuple[str, tuple[str, ...]], tuple[str, str, str, str, str]] = {}
    when = now()
    for digest, genres, split in covers:
        if digest in known:
            if at == EVALUATION or known[digest].split == split:
                continue
            genres = known[digest].genres[0]
        rows[digest, genres] = (digest, guarded(SEPARATOR.join(genres)), split, when, at)
    if not rows:
        return
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    kept = _whole_lines(path)
    if not kept:
        table.writerow(COLUMNS)
    table.writerows(row for row in rows.values() if row[2] not in LEARNT)
    table.writerows(row for row in rows.values() if row[2] in LEARNT)
    _append(path, text.getvalue(), after=kept)


def record_elsewhere(folder: Path) -> None:
    """Write the `first_genres.csv` of a model that is given away without the genres of its training."""
    _append(folder / FIRST_GENRES_NAME, f"{','.join(COLUMNS)}\n,,,{now()},{ELSEWHERE}\n", after=b"")


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601 writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole_lines(path: Path) -> bytes:
    """Return a file up to its last line end: a line that breaks off is of a process that was killed."""
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as cause:
        raise ModelError(str(path), f"can't be read ({cause.strerror})", cure=CURE) from cause
    return content[: content.rfind(b"\n") + 1]


def _read(path: Path) -> dict[str, First]:
    content = _whole_lines(path)
    if not content:
        return {}
    try:
        rows = list(csv.reader(StringIO(content.decode("utf-8"), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as cause:
        raise ModelError(str(path), f"no CSV table in UTF-8 ({cause})", cure=CURE) from cause
    if tuple(rows[0]) != COLUMNS:
        raise ModelError(str(path), "no table of genres", f"Columns {', '.join(COLUMNS)} were expected", CURE)
    found: dict[str, First] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not _is_whole(row):
            raise ModelError(f"{path}, row {number}", "damaged", f"{', '.join(COLUMNS)} of a cover", CURE)
        digest, genres, split, when, at = row
        then = tuple(filter(None, unguarded(genres).split(SEPARATOR)))
        if digest not in found:
            found[digest] = First((then,), split, when, at)
        else:
            first = found[digest]
            genres_then = tuple(dict.fromkeys((*first.genres, then)))
            found[digest] = First(genres_then, split, first.when, TRAINING if at == TRAINING else first.at)
    return found


def _is_whole(row: list[str]) -> bool:
    if len(row) != len(COLUMNS):
        return False
    digest, genres, split, when, at = row
    date = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    if not re.fullmatch(date, when):
        return False
    if at == ELSEWHERE:
        return not (digest or genres or split)
    return split in ("", *SPLITS) and at in (TRAINING, EVALUATION) and bool(re.fullmatch(r"[0-9a-f]{64}", digest))


def _append(path: Path, text: str, *, after: bytes | None = None) -> None:
    """Append to a file, and wait until it is on the disk.

    Parameters
    ----------
    after
        What is kept of the file; all of it if None, and a line that breaks off is ended first.
    """
    try:
        with path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if after is not None:
                file.truncate(len(after))
            elif size:
                file.seek(size - 1)
                text = text if file.read(1) == b"\n" else f"\n{text}"
            file.write(text.encode("utf-8"))
        flush(path)
        flush(path.parent)
    except OSError as cause:
        found = f"can't be written ({cause.strerror})"
        expected = "A scoring is logged before its result is shown"
        cure = f"Make room, or make it writable: `chmod -R u+w {path.parent}`"
        raise ModelError(str(path), found, expected, cure) from cause
