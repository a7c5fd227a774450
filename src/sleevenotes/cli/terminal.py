"""How things are said in a terminal: lines, tables, a bar, warnings."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from sleevenotes.covers.escapes import shown
from sleevenotes.errors import SleevenotesWarning

RULE = "─"
KEPT = "\n\t"  # control characters that lines of our own have
ASCII = {RULE: "-", "–": "-", "—": "-", "…": "...", "×": "x", "≥": ">=", "≤": "<=", "±": "+/-", "→": "->", "·": "."} | {
    quote: plain for quotes, plain in (("“”„", '"'), ("‘’", "'")) for quote in quotes
}


def write_any_character() -> None:
    r"""Let stdout and stderr take every character, whatever their encoding.

    A typographic sign that the encoding lacks is written as its nearest ASCII sign, such as `-` for a dash; anything
    else, which may be part of a name, as an escape, such as `\U0001f918`.
    """
    codecs.register_error("sleevenotes", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="sleevenotes")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Return what to write for characters that an encoding lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_ascii, lacking)), error.end


def _ascii(letter: str) -> str:
    r"""Return ASCII text for a character.

    Examples
    --------
    >>> print(_ascii("é"), _ascii("🤘"), _ascii("…"))
    \xe9 \U0001f918 ...
    """
    return ASCII.get(letter) or letter.encode("ascii", "backslashreplace").decode()


def say(*lines: str) -> None:
    """Print lines for people."""
    for line in lines:
        print(shown(line, KEPT))
    sys.stdout.flush()


def tell(line: object) -> None:
    """Print a line on stderr, beside the result on stdout."""
    print(shown(str(line), KEPT), file=sys.stderr)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell; the same text in a terminal and in a file."""
    cells = [[shown(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for number, row in enumerate(cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join(RULE * width for width in widths))


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that draws a bar with rate and time left; quiet when not in a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[task].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield show


def tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say a warning of ours in a line; others are about the innards of libraries, and of no use to a reader."""
    if issubclass(category, SleevenotesWarning):
        tell(f"note: {message}")
