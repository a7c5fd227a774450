"""What `predict` reads and prints: covers in, exactly one line a cover out, in order.

Command line and API say the same of a cover (`as_mapping`): its likeliest genres, the risk that the first one is wrong,
`cant_tell` if that risk is too great to name one, if a coverage is asked for, the `set` of genres that holds the right
one that often, and, if the model learnt from this cover or a near-duplicate of it, how it is `known`.
"""

from __future__ import annotations

import csv
import glob
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from sleevenotes.covers.escapes import shown, shown_json
from sleevenotes.covers.images import probe
from sleevenotes.covers.swapping import finish_swap
from sleevenotes.errors import CoverError, ModelError, SourceError
from sleevenotes.learn.abstention import Caution
from sleevenotes.learn.model import CARD_NAME, Prediction, bundle_in, model_beside

STDIN = "-"
SEPARATOR = ";"  # between the genres of a set, in a cell
ANY = Caution()  # every answer is given
TABLES = ("metadata.csv", "metadata.parquet")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Writer = Callable[[Iterable[Prediction], Sequence[str], TextIO, int, Caution], int]


# Arguments --------------------------------------------------------------------------------------------------------


def covers_named(arguments: Sequence[str], stdin: BinaryIO) -> tuple[list[Path | bytes], list[str]]:
    """Return the covers that arguments name, and what to call each of them.

    Parameters
    ----------
    arguments
        Files, whether or not they exist; folders, which stand for every cover in them, at any depth, by name; datasets,
        for the covers of their table; patterns such as ``*.jpg``; and ``-`` for stdin.
    stdin
        Either one cover or a list of files, one a line, in UTF-8 or UTF-16.

    Raises
    ------
    SourceError
        If a folder has no cover in it, a pattern fits no file, or stdin is empty.
    ModelError
        If a model is among the covers.
    """
    sources: list[Path | bytes] = []
    names: list[str] = []
    for argument in arguments:
        found = _from_stdin(stdin) if argument == STDIN else _from_path(argument)
        for name, source in found:
            names.append(name)
            sources.append(source)
    return sources, names


def model_and_covers(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the model that the first of several arguments names, and the other ones; None for the bundled model.

    A folder with a `model.json`, an exported model, and a folder that `run` made are models. Of several arguments, so
    is a first one that is neither a cover nor has one in it: loading it then says what is wrong.

    Raises
    ------
    ModelError
        If the first argument is a dataset in a place where only a model makes sense, or a folder that `run` made has no
        covers named after it.
    """
    first, *others = arguments
    path = Path(first)
    if _is_model(path):
        return path, others
    beside = model_beside(path) if path.is_dir() else None
    if beside is not None and not _is_dataset(path):
        return beside, others
    if _is_dataset(path):
        if others:
            cure = f"Its model is {beside}" if beside else "Name the model first"
            raise ModelError(str(path), "a dataset, not a model", cure=cure)
        return None, list(arguments)
    covers = first == STDIN or path.is_file() or path.suffix or (path.is_dir() and bool(_covers_in(path)))
    return (None, list(arguments)) if covers or not others else (path, others)


def _is_model(path: Path) -> bool:
    finish_swap(path)
    return (path / CARD_NAME).is_file() or bundle_in(path) is not None


def _is_dataset(path: Path) -> bool:
    return any((path / name).is_file() for name in TABLES)


def _covers_in(folder: Path) -> list[Path]:
    """Return the covers in a folder, at any depth, by name."""
    from sleevenotes.collect.folders import is_cover, walk  # it knows all that may lie in folders, and takes its time

    return [file for file in walk(folder)[0] if is_cover(file)]


def _from_path(argument: str) -> Iterator[tuple[str, Path]]:
    path = Path(argument)
    if not path.is_dir():
        # a shell that expands no patterns, such as the one of Windows, leaves that to the program
        if glob.has_magic(argument) and not path.exists() and "://" not in argument:
            yield from _from_pattern(argument)
        else:
            yield argument, path
        return
    if _is_model(path):
        raise ModelError(argument, "a model among the covers", cure="Name it first, before the covers")
    if _is_dataset(path):
        from sleevenotes.covers.dataset import Dataset  # it brings polars

        dataset = Dataset.open(path, files=False)
        yield from ((str(file), file) for file in dataset.paths)
        return
    beside = model_beside(path)
    if beside is not None:
        cure = f"Its model is {beside}, and its covers are in {path / 'dataset'}"
        raise SourceError(argument, "a folder that `run` made, not one of covers", cure=cure)
    files = _covers_in(path)
    if not files:
        raise SourceError(argument, "no cover in this folder", "files with pictures, or a model's folder before them")
    for file in files:
        yield str(file), file


def _from_pattern(pattern: str) -> Iterator[tuple[str, Path]]:
    files = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  (as a shell: patterns may be absolute)
    if not files:
        raise SourceError(pattern, "no file fits this pattern", "files with pictures")
    for file in files:
        yield file, Path(file)


def _from_stdin(stdin: BinaryIO) -> Iterator[tuple[str, Path | bytes]]:
    data = stdin.read()
    if not data.strip():
        raise SourceError("stdin", "nothing came", "one cover, or names of files, one a line")
    try:
        probe(data, "stdin")
    except CoverError:
        lines = [line.strip() for line in _text(data).splitlines() if line.strip()]
        if lines:
            for line in lines:
                yield line, Path(line)
            return
    yield "stdin", data


def _text(data: bytes) -> str:
    """Return a list of files as text, in UTF-8 or, as Windows writes it, in UTF-16; empty if it is neither."""
    try:
        return data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:  # no list of names; let the decoder say what is wrong with the cover
        return ""


# Answers ----------------------------------------------------------------------------------------------------------


def as_mapping(
    prediction: Prediction, genres: Sequence[str], caution: Caution, top: int | None = None
) -> dict[str, Any]:
    """Return what is said of one cover, in the form that command line and API share.

    Parameters
    ----------
    prediction
        Of one cover.
    genres
        The model's, in its order.
    caution
        How careful the answer has to be.
    top
        Number of genres to name; None for all.

    Returns
    -------
    dict
        `file`; `genres`, each with `genre` and `proba`, likeliest first, also if `cant_tell` says why none of them
        should be relied on; `risk`, 0 to 1; `cant_tell` and `set`, each None if there is none; `known`, which says how
        the model knows a cover that it learnt from, None for any other; and `error`, which says why a cover can't be
        read, None otherwise.
    """
    told: dict[str, Any] = {"file": prediction.file, "genres": [], "risk": None, "cant_tell": None, "set": None}
    if prediction.proba is not None:
        likeliest = prediction.top(tuple(genres), len(genres) if top is None else top)
        told |= {
            "genres": [{"genre": genre, "proba": proba} for genre, proba in likeliest],
            "risk": caution.risk(prediction.proba),
            "cant_tell": caution.doubt(prediction.proba),
            "set": caution.genres(prediction.proba, tuple(genres)),
        }
    return told | {"known": prediction.known, "error": prediction.error}


def write_json_lines(
    predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int, caution: Caution = ANY
) -> int:
    """Write a line of JSON a cover, and return how many could not be read."""
    plain = not _is_unicode(out)
    failed = 0
    for prediction in predictions:
        line = json.dumps(as_mapping(prediction, genres, caution, top), ensure_ascii=plain)
        print(shown_json(line), file=out)
        failed += prediction.error is not None
    return failed


def write_csv(
    predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int, caution: Caution = ANY
) -> int:
    """Write a header and a line of CSV a cover, and return how many could not be read."""
    top = min(top, len(genres))
    columns = [column for place in range(1, top + 1) for column in (f"genre {place}", f"proba {place}")]
    table, is_terminal = csv.writer(out, lineterminator="\n"), out.isatty()
    table.writerow(["file", *columns, "risk", "cant_tell", "set", "known", "error"])
    failed = 0
    for prediction in predictions:
        answer = as_mapping(prediction, genres, caution, top)
        cells = [cell for each in answer["genres"] for cell in (each["genre"], f"{each['proba']:.6f}")]
        cells += [""] * (2 * top - len(cells))
        risk = "" if answer["risk"] is None else f"{answer['risk']:.6f}"
        among = SEPARATOR.join(answer["set"] or ())
        cells += [risk, answer["cant_tell"] or "", among, answer["known"] or "", answer["error"] or ""]
        row = [prediction.file, *cells]
        table.writerow(map(shown, row) if is_terminal else row)  # in a file, names stay as they are
        failed += prediction.error is not None
    return failed


def write_table(
    predictions: Iterable[Prediction], genres: Sequence[str], out: TextIO, top: int, caution: Caution = ANY
) -> int:
    """Write a line for people a cover, and return how many could not be read."""
    failed = 0
    for prediction in predictions:
        answer = as_mapping(prediction, genres, caution, top)
        words = "   ".join(f"{each['genre']} {100 * each['proba']:.0f} %" for each in answer["genres"])
        if answer["cant_tell"]:
            words = f"can't tell ({answer['cant_tell']}): {words}"
        if answer["set"]:
            words += f"   {{{', '.join(answer['set'])}}}"
        if answer["known"]:
            words += f"   [{answer['known']}: this answer proves nothing]"
        if prediction.error:
            words = prediction.error.removeprefix(f"{prediction.file}: ")
        print(shown(f"{prediction.file}   {words}"), file=out)
        failed += prediction.error is not None
    return failed


def _is_unicode(out: TextIO) -> bool:
    """Return whether a stream can write any character; JSON has its own way of writing those that it can't."""
    return (getattr(out, "encoding", None) or sys.getdefaultencoding()).lower().replace("-", "") in ("utf8", "utf16")
