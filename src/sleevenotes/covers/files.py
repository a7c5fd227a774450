"""Writing files whole or not at all, and onto the disk, so that neither a kill nor a power cut leaves half of one.

Also: removing what killed processes left half-written, and text from outside, in one line and in cells that a
spreadsheet must not take for a formula.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"  # what makes a spreadsheet calculate a cell instead of showing it
GUARD = "'"  # what makes it show the cell
PARTIAL = ".partial"  # how the name ends under which a file is written before it takes its place
ABANDONED_S = 86_400.0  # after which a half-written file of another host is nobody's
MANY = 64  # files, from which one call for the whole system is cheaper than one for each

_swept: set[Path] = set()


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
    """Write JSON that a person can read, whole or not at all, with a newline at its end; return the path.

    JSON has no NaN and no infinity: a number that is not finite, such as the end of an interval that too few covers
    have, is written as null.
    """
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def finite(content: Any) -> Any:
    """Return what can be written as JSON, with None for each number that is not finite.

    Examples
    --------
    >>> finite({"value": 0.5, "ends": [float("nan"), float("inf")]})
    {'value': 0.5, 'ends': [None, None]}
    """
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    return [finite(each) for each in content] if isinstance(content, list | tuple) else content


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a path beside `path` to write to, which takes its place if all goes well and is removed if not.

    A reader sees the old file or the new one, never half of either, whenever the writer is killed. The first time that
    a process writes to a folder, it also removes what killed processes left half-written there.

    Parameters
    ----------
    path
        The file to write.
    durable
        Whether the file and its name are on the disk before this returns, so that a power cut can't empty it either.
    """
    partial = partial_path(path)
    _sweep_once(path.parent)
    try:
        partial.touch()
        rights = partial.stat().st_mode
        yield partial
        partial.chmod(rights)  # some libraries write what nobody but its owner may read
        if durable:
            flush(partial)
        partial.replace(path)
        if durable:
            flush(path.parent)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(partial):  # as on a full disk
            error.filename = str(path)
        raise
    except Exception as error:
        if number := re.search(r"\(os error (\d+)\)", str(error)):  # as libraries in Rust say it
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Return the name under which this thread writes a file before the file takes its place."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{threading.get_ident()}{PARTIAL}")


def flush(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    if path.is_dir():
        if sys.platform == "win32":  # which has no such call for folders
            return
        flags = os.O_RDONLY
    else:
        flags = os.O_RDWR
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_all(folder: Path) -> None:
    """Wait until every file in and below a folder is on the disk: many at once by a call for the whole system."""
    paths = [path for path in folder.rglob("*") if not path.is_symlink()]
    if len(paths) > MANY and hasattr(os, "sync"):
        os.sync()
        return
    for path in (*paths, folder):
        flush(path)


def sweep(folder: Path) -> None:
    """Remove the files that killed processes left half-written in a folder; those of live processes stay.

    A process of another host can't be asked: its files go once they are a day old.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name[:1] == "." and entry.name.endswith(PARTIAL)]
    except OSError:  # no such folder, or not a readable one: whoever needs it says so
        return
    for name in names:
        with suppress(OSError):  # its writer has just finished, or nobody may remove anything here
            if _is_abandoned(folder / name):
                (folder / name).unlink()


def _sweep_once(folder: Path) -> None:
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def _is_abandoned(path: Path) -> bool:
    written_by = re.search(r"\.([0-9a-f]{6})-(\d+)-\d+\.partial$", path.name)
    if written_by and written_by[1] == _host() and not _is_alive(int(written_by[2])):
        return True
    return time.time() - path.stat().st_mtime > ABANDONED_S


def _is_alive(pid: int) -> bool:
    """Return whether a process of this host lives, as far as that can be asked."""
    if sys.platform == "win32":  # there, os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's
        return True
    return True


@cache
def _host() -> str:
    """Return six digits for this host."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]
