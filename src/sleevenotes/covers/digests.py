"""SHA-256 of cover files, kept with each file's size and modification time so that only changed files are read again.

`.cache/digests.json` in the dataset's folder maps a file name to ``[size in bytes, modification time in ns, SHA-256]``.
If size and time are those of the file on the disk, the digest is taken from there, at the cost of one `stat`. A file
that was modified within the last two seconds is hashed each time: a second change in the same tick of the clock would
not show.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from sleevenotes.covers.files import replacing
from sleevenotes.covers.schema import read_json
from sleevenotes.errors import DatasetError, SleevenotesWarning

DIGESTS_NAME = "digests.json"
SETTLED_NS = 2_000_000_000  # age from which a modification time is trusted; FAT counts in steps of two seconds

Entry = tuple[int, int, str]  # size in bytes, modification time in ns, SHA-256

_read_before: dict[Path, tuple[tuple[int, int], dict[str, Entry]]] = {}
_replaced: dict[Path, set[str]] = {}  # by the dataset's folder: files that nobody was told of yet
_told: set[tuple[Path, str, str]] = set()


def file_digests(folder: Path, names: Sequence[str], recorded: Sequence[str], cache: Path) -> list[str]:
    """Return the SHA-256 of each cover's file as it is on the disk now.

    Parameters
    ----------
    folder
        Of the dataset.
    names
        Paths of the covers relative to the folder, n of them.
    recorded
        The SHA-256 that the table has for each, n; empty if it has none. It is returned for a file that is missing.
    cache
        Folder for `digests.json`; nothing is kept if it can't be written.

    Returns
    -------
    list[str]
        64 hexadecimal digits each; empty for a file that can't be read.
    """
    path = cache / DIGESTS_NAME
    known = _read(path)
    found: list[str] = []
    fresh: dict[str, Entry] = {}
    for name, expected in zip(names, recorded, strict=True):
        digest, entry = _digest(folder / name, known.get(name), expected)
        found.append(digest)
        before = expected or (known[name][2] if name in known else "")
        if entry is not None:
            fresh[name] = entry
        if before and digest and digest != before and (folder, name, digest) not in _told:
            _told.add((folder, name, digest))
            _replaced.setdefault(folder, set()).add(name)
    if fresh:
        _write(path, known | fresh)
    return found


def report_replaced(folder: Path, names: Sequence[str]) -> None:
    """Warn of covers that `file_digests` found to be other files than the table records, or than before.

    Warns
    -----
    SleevenotesWarning
        With their number; of each replaced file once a process.
    """
    new = sorted(_replaced.get(folder, set()) & set(names))
    if new:
        _replaced[folder].difference_update(new)
        message = (
            f"{folder}: {len(new):,} of {len(names):,} covers were replaced since they were collected or last read. "
            "The files are used as they are now, and what was computed from the old ones is computed again"
        )
        warnings.warn(message, SleevenotesWarning, stacklevel=4)


def _digest(path: Path, known: Entry | None, expected: str) -> tuple[str, Entry | None]:
    """Return the SHA-256 of a file, and what to keep of it; None if there is nothing new to keep."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return expected, None
    except OSError:
        return "", None
    if known is not None and known[:2] == (stat.st_size, stat.st_mtime_ns):
        return known[2], None
    now = time.time_ns()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # whoever decodes it says why
        return "", None
    settled = stat.st_mtime_ns < now - SETTLED_NS
    return digest, (stat.st_size, stat.st_mtime_ns, digest) if settled else None


def _read(path: Path) -> dict[str, Entry]:
    """Return what `digests.json` holds; nothing if it is missing or damaged, as it can be made again."""
    try:
        stat = path.stat()
        version = (stat.st_size, stat.st_mtime_ns)
        if path in _read_before and _read_before[path][0] == version:
            return _read_before[path][1]
        content = read_json(path, dict[str, tuple[int, int, str]], DatasetError, "")
    except (OSError, DatasetError):
        return {}
    known = {name: (size, time_ns, digest) for name, (size, time_ns, digest) in content.items()}
    _read_before[path] = version, known
    return known


def _write(path: Path, known: Mapping[str, Entry]) -> None:
    if not os.access(path.parent if path.parent.exists() else path.parent.parent, os.W_OK):
        return  # a dataset on a read-only disk can be judged all the same
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
