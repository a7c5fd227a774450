"""What `predict` reads and prints: covers in, exactly one line a cover out, in order.

A line of JSON is `{"file": …, "genres": [{"genre": …, "proba": …}, …], "error": null}`, likeliest genre first; a
cover that can't be read has no genres and a sentence in `error`. Where a greatest risk is asked for, a line also has
`risk` and `cant_tell`, and no genres where `cant_tell` says why; where a coverage is, `set`, the genres of which one is
right so often.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from sleevenotes.collect.folders import is_cover, walk
from sleevenotes.covers.images import probe
from sleevenotes.errors import CoverError, SourceError
from sleevenotes.learn.abstention import Caution
from sleevenotes.learn.model import CARD_NAME, Prediction, bundle_in

STDIN = "-"
SEPARATOR = ";"  # between the genres of a set, in a cell
ANY = Caution()  # every answer is given

Writer = Callable[[Iterable[Prediction], Sequence[str], TextIO, int, Caution], int]


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


def model_and_covers(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the model that the first of several arguments names, and the other ones; None for the one in the box.

    A folder with a `model.json`, or a bundle of one, is a model. So is, of several, whatever else is neither a cover
    nor has some in it: it was meant as one, and loading it says what is wrong.
    """
    first, *others = arguments
    path = Path(first)
    if (path / CARD_NAME).is_file() or bundle_in(path):
        return path, others
    covers = first == STDIN or path.is_file() or path.suffix or (path.is_dir() and any(map(is_cover, walk(path)[0])))
    return (None, list(arguments)) if covers or not others else (path, others)


def _from_path(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        yield str(path), path
        return
    files = [file for file in walk(path)[0] if is_cover(file)]
    if not files:
        raise SourceError(str(path), "no cover in this folder", "files with pictures, or a model's folder before them")
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


def write_json_lines(
    predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int, caution: Caution = ANY
) -> int:
    """Write a line of JSON a cover, and return how many could not be read."""
    failed = 0
    for prediction in predictions:
        told = _told(prediction, genres, top, caution)
        line: dict[str, Any] = {
            "file": prediction.file,
            "genres": [{"genre": genre, "proba": proba} for genre, proba in told.genres],
        }
        if caution.max_risk is not None:
            line |= {"risk": told.risk, "cant_tell": told.doubt}
        if caution.coverage is not None:
            line["set"] = told.set
        print(json.dumps(line | {"error": prediction.error}, ensure_ascii=False), file=out)
        failed += prediction.error is not None
    return failed


def write_csv(
    predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int, caution: Caution = ANY
) -> int:
    """Write a header and a line of CSV a cover, and return how many could not be read."""
    top = min(top, len(genres))
    columns = [column for place in range(1, top + 1) for column in (f"genre {place}", f"proba {place}")]
    columns += ["risk", "can't tell"] if caution.max_risk is not None else []
    columns += ["set"] if caution.coverage is not None else []
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["file", *columns, "error"])
    failed = 0
    for prediction in predictions:
        told = _told(prediction, genres, top, caution)
        cells = [cell for genre, proba in told.genres for cell in (genre, f"{proba:.6f}")]
        cells += [""] * (2 * top - len(cells))
        if caution.max_risk is not None:
            cells += ["" if told.risk is None else f"{told.risk:.6f}", told.doubt or ""]
        if caution.coverage is not None:
            cells.append(SEPARATOR.join(told.set))
        table.writerow([prediction.file, *cells, prediction.error or ""])
        failed += prediction.error is not None
    return failed


def write_table(
    predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int, caution: Caution = ANY
) -> int:
    """Write a line for people a cover, and return how many could not be read."""
    failed = 0
    for prediction in predictions:
        told = _told(prediction, genres, top, caution)
        words = f"can't tell: {told.doubt}" if told.doubt else "   ".join(f"{name} {p:.0%}" for name, p in told.genres)
        if told.set:
            words += f"   {{{', '.join(told.set)}}}"
        print(f"{prediction.file}   {prediction.error or words}", file=out)
        failed += prediction.error is not None
    return failed


class _Told(NamedTuple):
    """What is said of a cover: its likeliest genres, or the doubt that forbids it; and its risk and set, if asked."""

    genres: list[tuple[str, float]]
    risk: float | None
    doubt: str | None
    set: list[str]


def _told(prediction: Prediction, genres: Sequence[str], top: int, caution: Caution) -> _Told:
    if prediction.proba is None:
        return _Told([], None, None, [])
    doubt = caution.doubt(prediction.proba)
    likeliest = [] if doubt else prediction.top(tuple(genres), top)
    return _Told(
        likeliest, caution.risk(prediction.proba), doubt, caution.genres(prediction.proba, tuple(genres)) or []
    )
