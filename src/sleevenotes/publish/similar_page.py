"""What `similar` prints, and its page: the covers asked about, and below each of them its nearest, with distances.

A line of JSON is `{"file": …, "similar": [{"file_name", "distance", "genres", "artist", "album", "split", "relation"},
…], "error": null}`, nearest first; a cover that can't be read has none, and a sentence in `error`. The page carries
everything with it, runs no script and asks for nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from sleevenotes import __version__
from sleevenotes.covers.dataset import name_of
from sleevenotes.covers.escapes import shown, shown_json
from sleevenotes.covers.files import replacing
from sleevenotes.judge.similar import Neighbor, Similar, as_mapping
from sleevenotes.publish.canvas import printable
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.templates import template

PAGE_NAME = "similar.html"
RESULT_NAME = "similar.json"
TEMPLATE_NAME = "similar.html.jinja"
ASKED_PX, TILE_PX = 300, 180
COLUMNS = ("file", "rank", "file_name", "distance", "genres", "artist", "album", "split", "relation", "error")

Writer = Callable[[Iterable[Similar], TextIO], int]


def write_json_lines(answers: Iterable[Similar], out: TextIO) -> int:
    """Write a line of JSON a cover asked about, and return how many could not be read."""
    failed = 0
    for answer in answers:
        print(shown_json(json.dumps(as_mapping(answer), ensure_ascii=False)), file=out)
        failed += answer.error is not None
    return failed


def write_csv(answers: Iterable[Similar], out: TextIO) -> int:
    """Write a header and a line of CSV a neighbour, and return how many covers could not be read."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    said = shown if out.isatty() else str  # in a file, names stay as they are
    failed = 0
    for answer in answers:
        for rank, each in enumerate(answer.neighbors, start=1):
            told = (each.file_name, f"{each.distance:.6f}", ";".join(each.genres), each.artist, each.album)
            table.writerow([*map(said, (answer.file, str(rank), *told, each.split, each.relation)), ""])
        if answer.error is not None:
            table.writerow([said(answer.file), *[""] * (len(COLUMNS) - 2), said(answer.error)])
            failed += 1
    return failed


def write_table(answers: Iterable[Similar], out: TextIO) -> int:
    """Write each cover with its neighbours below it, for people, and return how many could not be read."""
    failed = 0
    for answer in answers:
        error = "" if answer.error is None else f"   {answer.error.removeprefix(f'{answer.file}: ')}"
        print(shown(f"{answer.file}{error}"), file=out)
        for rank, each in enumerate(answer.neighbors, start=1):
            told = "   ".join(filter(None, (printable(named(each)), ", ".join(each.genres), each.relation)))
            print(shown(f"  {rank:>2}  {each.distance:.3f}  {told}"), file=out)
        failed += answer.error is not None
    return failed


def named(neighbor: Neighbor) -> str:
    """Return who made a cover and what the album is called, else its file.

    Examples
    --------
    >>> named(Neighbor("images/1.jpg", 0.5, ("rock",), "Can", "Tago Mago", "train")), named(
    ...     Neighbor("images/1.jpg", 0.5, ("rock",), "", "", "train"))
    ('Can – Tago Mago', 'images/1.jpg')
    """
    return " – ".join(filter(None, (neighbor.artist, neighbor.album))) or neighbor.file_name


def write_similar_page(
    out: Path, answers: Sequence[Similar], sources: Sequence[Path | bytes], *, dataset: Path, covers: bool = True
) -> Path:
    """Write `similar.json` and its page `similar.html` into a folder, and return the path of the page.

    Parameters
    ----------
    answers
        What `judge.similar` found.
    sources
        The covers asked about, in the same order.
    dataset
        The folder of the dataset that was searched.
    covers
        Whether covers may be shown. Without, no pixel of other people's artwork is in the page.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / RESULT_NAME) as partial:
        told = {"format": 1, "answers": [as_mapping(answer) for answer in answers]}
        partial.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    pictures = Pictures(covers=covers)
    context = {
        "version": __version__,
        "covers": covers,
        "dataset": name_of(dataset),
        "answers": list(_shown(answers, sources, dataset, pictures)),
    }
    with replacing(out / PAGE_NAME) as partial:
        partial.write_text(template(TEMPLATE_NAME).render(context), encoding="utf-8", newline="\n")
    return out / PAGE_NAME


def _shown(
    answers: Sequence[Similar], sources: Sequence[Path | bytes], dataset: Path, pictures: Pictures
) -> Iterator[dict[str, Any]]:
    for answer, source in zip(answers, sources, strict=True):
        neighbors = [
            {
                "uri": pictures.tile(dataset / each.file_name, TILE_PX),
                "name": named(each),
                "genres": ", ".join(each.genres),
                "distance": f"{each.distance:.2f}",
                "relation": each.relation,
            }
            for each in answer.neighbors
        ]
        uri = pictures.tile(source, ASKED_PX) if answer.error is None else None
        # a page may travel: it need not tell where on a disk the cover lay
        yield {"name": Path(answer.file).name, "uri": uri, "error": answer.error, "neighbors": neighbors}
