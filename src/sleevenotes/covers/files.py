"""Writing files whole or not at all, so that whoever reads them while the writer is killed finds no half of one.

And reading back the JSON that was written so; and text from outside: in one line, and in cells that a spreadsheet must
not take for a formula.
"""

from __future__ import annotations

import json
import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sleevenotes.errors import SleevenotesError

FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"  # what makes a spreadsheet calculate a cell instead of showing it
GUARD = "'"  # what makes it show the cell


def guarded(text: str) -> str:
    """Return text for a cell of a CSV file that no spreadsheet takes for a formula; `unguarded` gives it back.

    Examples
    --------
    >>> guarded("=1+1"), guarded("'tis"), guarded("Yes")
    ("'=1+1", "''tis", 'Yes')
    """
    return GUARD + text if text and text[0] in FORMULA_STARTS + GUARD else text


def unguarded(cell: str) -> str:
    """Return the text that `guarded` made a cell of.

    Examples
    --------
    >>> unguarded("'=1+1"), unguarded("''tis"), unguarded("Yes")
    ('=1+1', "'tis", 'Yes')
    """
    return cell.removeprefix(GUARD)


def one_line(text: str) -> str:
    r"""Return text in one line, with one space between its words and nothing that can't be seen.

    Examples
    --------
    >>> one_line("  Ann \n B.\x00 ")
    'Ann B.'
    """
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    # C are controls, marks of direction, halves of characters
    seen = "".join(letter for letter in spaced if not unicodedata.category(letter).startswith("C"))
    return " ".join(seen.split())


def write_json(path: Path, content: Any) -> Path:
    """Write JSON that a person can read, whole or not at all, with a newline at its end; return the path."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_json(path: Path, error: type[SleevenotesError], cure: str) -> dict[str, Any]:
    """Return the object that a JSON file holds; `error` says what is wrong with it, and `cure` what to do."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise error(str(path), "can't be read" if path.exists() else "not there", "", cure) from cause
    except ValueError as cause:
        raise error(str(path), "no valid JSON", "", cure) from cause
    if not isinstance(content, dict):
        raise error(str(path), f"a JSON {type(content).__name__}", "A JSON object was expected", cure)
    return content


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, which takes its place when all went well and goes when not.

    A reader sees the old file or the new one, never half of either, whenever the writer is killed.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        partial.touch()
        rights = partial.stat().st_mode
        yield partial
        partial.chmod(rights)  # some libraries write what nobody but its owner may read
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
