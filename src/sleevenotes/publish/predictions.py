"""What `predict` reads and prints: covers in, exactly one line a cover out, in order.

A line of JSON is `{"file": …, "genres": [{"genre": …, "proba": …}, …], "error": null}`, likeliest genre first; a
cover that can't be read has no genres and a sentence in `error`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from sleevenotes.collect.folders import is_cover, walk
from sleevenotes.covers.images import probe
from sleevenotes.errors import CoverError, SourceError
from sleevenotes.learn.model import Prediction

STDIN = "-"

Writer = Callable[[Iterable[Prediction], Sequence[str], TextIO, int], int]


def covers_named(arguments: Sequence[str], stdin: BinaryIO) -> tuple[list[Path | bytes], list[str]]:
    """Return the covers that arguments name, and what to call each of them.

    A file is itself, whether or not it is there; a folder is every cover in it, at any depth, by name; `-` is stdin,
    which holds either one cover or a list of files, one a line.

    Raises
    ------
    SourceError
        Where a folder has no cover in it, or stdin has nothing.
    """
    sources: list[Path | bytes] = []
    names: list[str] = []
    for argument in arguments:
        found = _from_stdin(stdin) if argument == STDIN else _from_path(Path(argument))
        for name, source in found:
            names.append(name)
            sources.append(source)
    return sources, names


def _from_path(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        yield str(path), path
        return
    files = [file for file in walk(path)[0] if is_cover(file)]
    if not files:
        raise SourceError(str(path), "no cover in this folder", "files with pictures")
    for file in files:
        yield str(file), file


def _from_stdin(stdin: BinaryIO) -> Iterator[tuple[str, Path | bytes]]:
    data = stdin.read()
    if not data.strip():
        raise SourceError("stdin", "nothing came", "one cover, or names of files, one a line")
    try:
        probe(data, "stdin")
    except CoverError:
        try:
            lines = [line.strip() for line in data.decode("utf-8").splitlines()]
        except UnicodeDecodeError:  # no list of names; let the decoder say what is wrong with the cover
            lines = []
        for line in lines:
            if line:
                yield line, Path(line)
        if lines:
            return
    yield "stdin", data


def write_json_lines(predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int) -> int:
    """Write a line of JSON a cover, and return how many could not be read."""
    failed = 0
    for prediction in predictions:
        told = [{"genre": genre, "proba": proba} for genre, proba in prediction.top(tuple(genres), top)]
        line = {"file": prediction.file, "genres": told, "error": prediction.error}
        print(json.dumps(line, ensure_ascii=False), file=out)
        failed += prediction.error is not None
    return failed


def write_csv(predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int) -> int:
    """Write a header and a line of CSV a cover, and return how many could not be read."""
    top = min(top, len(genres))
    columns = [column for place in range(1, top + 1) for column in (f"genre {place}", f"proba {place}")]
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["file", *columns, "error"])
    failed = 0
    for prediction in predictions:
        told = [cell for genre, proba in prediction.top(tuple(genres), top) for cell in (genre, f"{proba:.6f}")]
        told += [""] * (2 * top - len(told))
        table.writerow([prediction.file, *told, prediction.error or ""])
        failed += prediction.error is not None
    return failed


def write_table(predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int) -> int:
    """Write a line for people a cover, and return how many could not be read."""
    failed = 0
    for prediction in predictions:
        told = "   ".join(f"{genre} {proba:.0%}" for genre, proba in prediction.top(tuple(genres), top))
        print(f"{prediction.file}   {prediction.error or told}", file=out)
        failed += prediction.error is not None
    return failed
