"""One writer at a time for each folder, with an error that names the process that holds it.

The lock is the operating system's advisory lock on `.sleevenotes.lock` in the folder. It goes with the process that
holds it, however that ends, so no lock is ever stale. The file says who holds it (verb, process, host, since when),
and is removed when the lock is released.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TypedDict

from sleevenotes.covers.files import sweep
from sleevenotes.covers.schema import Count, read_json
from sleevenotes.errors import DatasetError, StoreBusy

LOCK_NAME = ".sleevenotes.lock"
PATIENCE_S = 5.0
"""Seconds to wait for another writer before giving up."""
PAUSE_S = 0.02
LOCKED_BYTE = 1 << 30  # Windows locks ranges of bytes: one beyond the text, which others must be able to read

_held = threading.local()


@contextmanager
def writing(folder: Path, verb: str) -> Iterator[None]:
    """Hold the lock of a folder; no other process or thread writes to it meanwhile.

    The folder is made if it is missing, and removed again if nothing was put in it. What killed processes left
    half-written there is removed. Within one thread the lock can be taken again.

    Parameters
    ----------
    folder
        A dataset, a model, or another folder of results.
    verb
        What others are told about the holder, such as `split`.

    Raises
    ------
    StoreBusy
        If another process or thread still holds the lock after `PATIENCE_S` seconds.
    DatasetError
        If the folder can't be written to or locked.
    """
    folder = Path(folder)
    key = folder.resolve()
    if holds(folder):
        yield
        return
    made = not folder.exists()
    file = _acquired(folder, verb)
    _mine().add(key)
    try:
        sweep(folder)
        yield
    except OSError as error:
        if error.filename is None:  # as on a full disk
            error.filename = str(folder)
        raise
    finally:
        _mine().discard(key)
        _release(file, folder / LOCK_NAME)
        if made:
            with suppress(OSError):  # something was put in it
                folder.rmdir()


def holds(folder: Path) -> bool:
    """Return whether this thread holds the lock of a folder."""
    return Path(folder).resolve() in _mine()


def forget_stale(folder: Path) -> None:
    """Remove the lock's file if it is left from a killed process and nobody holds the lock."""
    path = folder / LOCK_NAME
    if path.exists() and not holds(folder):
        with suppress(OSError), path.open("a+b", buffering=0) as file:  # gone by now, or nobody may write here
            if _try_lock(file) and _is_there(file, path):
                _release(file, path)


def _mine() -> set[Path]:
    """Return the folders whose lock this thread holds."""
    if not hasattr(_held, "folders"):
        _held.folders = set()
    folders: set[Path] = _held.folders
    return folders


def _acquired(folder: Path, verb: str) -> FileIO:
    """Wait for the lock, and return the open file that holds it."""
    path = folder / LOCK_NAME
    until = time.monotonic() + PATIENCE_S
    while True:
        file = _opened(folder)
        try:
            locked = _try_lock(file)
        except OSError as cause:
            file.close()
            found, cure = f"can't be locked ({cause.strerror})", "Copy it to a local disk"
            raise DatasetError(str(folder), found, "A file system with locks was expected", cure) from cause
        if locked and _is_there(file, path):
            _sign(file, verb)
            return file
        file.close()  # held by another, or removed by who held it before
        if not locked and time.monotonic() > until:
            raise _busy(folder)
        if not locked:
            time.sleep(PAUSE_S)


def _opened(folder: Path) -> FileIO:
    try:
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # whoever made the folder has just removed it
                return (folder / LOCK_NAME).open("a+b", buffering=0)
    except OSError as cause:
        cure = "Give yourself the right to write there, or make room"
        raise DatasetError(str(folder), f"can't be written ({cause.strerror})", cure=cure) from cause


def _try_lock(file: FileIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_there(file: FileIO, path: Path) -> bool:
    """Return whether an open file is still the one that others find under its name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _sign(file: FileIO, verb: str) -> None:
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = {"verb": verb, "pid": os.getpid(), "host": platform.node(), "since": since}
    with suppress(OSError):  # a full disk: others are told less, and nothing else depends on it
        file.truncate(0)
        file.write(json.dumps(told).encode())


class LockFile(TypedDict):
    """Who holds a folder: the contents of its lock file."""

    verb: str
    pid: Count
    host: str
    since: str


def _busy(folder: Path) -> StoreBusy:
    cure = "Wait until it is done, then run the same command again"
    try:
        told = read_json(folder / LOCK_NAME, LockFile, StoreBusy, "")
    except StoreBusy:
        return StoreBusy(str(folder), "another process is writing to it", cure=cure)
    verb, pid, host, since = told["verb"], told["pid"], told["host"], told["since"]
    found = f"`{verb}` has been writing to it since {since} (process {pid} on {host})"
    if host == platform.node() and pid != os.getpid():
        cure += f"; `kill {pid}` ends it"
    return StoreBusy(str(folder), found, cure=cure)


def _release(file: FileIO, path: Path) -> None:
    with file:
        if sys.platform != "win32":  # there, no file can be removed while it is open
            with suppress(OSError):
                path.unlink()
