"""Replacing what lies in a folder only once its replacement is whole.

The replacement is built in the hidden folder `.building` inside of the one that it is for, so on the same file system
and with the same rights, and whatever else lies there (logs, evaluations, notes) stays. When it is whole and on the
disk, `.building` is renamed to `.ready`, and its files are moved into place one by one. A process that is killed before
the renaming leaves the old files untouched; one that is killed after it leaves `.ready`, which the next one that reads
or writes the folder moves into place (`finish_swap`). The file that tells what the folder is goes first and comes last,
so that nobody reads old and new files side by side.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypedDict

from sleevenotes.covers.files import PARTIAL, flush, flush_all, write_json
from sleevenotes.covers.locks import LOCK_NAME, holds, writing
from sleevenotes.covers.schema import read_json
from sleevenotes.errors import DatasetError

BUILDING = ".building"
READY = ".ready"
PLAN_NAME = ".swap.json"  # in READY: which files are new, which old ones go, and which come last


@contextmanager
def rebuilding(
    folder: Path, verb: str, *, owned: Iterable[str], last: Sequence[str], resume: bool = False, keep: bool = False
) -> Iterator[Path]:
    """Give a folder to write to, whose files replace those in `folder` if all goes well.

    Parameters
    ----------
    folder
        Whose files are replaced; it need not be there yet. Its lock is held meanwhile.
    verb
        What others are told about who holds the lock.
    owned
        Names of files and folders in `folder` that belong to what is replaced: those that the new one lacks go.
    last
        Paths of the files, relative to `folder`, that tell that it is whole. They go first and come last.
    resume
        Whether what an earlier process had built when it was stopped is there to go on with; it is removed otherwise.
    keep
        Whether what was built stays for `resume` if all does not go well.

    Raises
    ------
    StoreBusy, DatasetError
        As `locks.writing` does.
    """
    with writing(folder, verb):
        _finish(folder)
        building = folder / BUILDING
        if not resume:
            shutil.rmtree(building, ignore_errors=True)
        building.mkdir(exist_ok=True)
        try:
            yield building
        except BaseException:
            if not keep:
                shutil.rmtree(building, ignore_errors=True)
            else:
                with suppress(OSError):  # there is something to go on with
                    building.rmdir()
            raise
        _swap(folder, tuple(owned), last)


def finish_swap(folder: Path) -> None:
    """Move into place what a killed process had built whole.

    Raises
    ------
    StoreBusy
        If a live process is still at it after a few seconds.
    DatasetError
        If the folder can't be written to.
    """
    if (folder / READY).exists() and not holds(folder):
        with writing(folder, "the end of a replacement"):
            _finish(folder)


def _swap(folder: Path, owned: Sequence[str], last: Sequence[str]) -> None:
    building = folder / BUILDING
    new = [path.relative_to(building).as_posix() for path in sorted(building.rglob("*")) if _lasting(path)]
    old = [path.relative_to(folder).as_posix() for name in owned for path in _files(folder / name)]
    gone = sorted(set(old) - set(new))
    write_json(building / PLAN_NAME, {"new": new, "gone": gone, "last": [name for name in last if name in new]})
    flush_all(building)
    building.rename(folder / READY)  # from here on the new one is what the folder holds
    flush(folder)
    _finish(folder)


def _lasting(path: Path) -> bool:
    """Return whether a file is part of what was built, not of a process that built it."""
    return path.is_file() and path.name not in (LOCK_NAME, PLAN_NAME) and path.suffix != PARTIAL


def _files(path: Path) -> list[Path]:
    """Return a file, or every file in and below a folder; nothing if there is neither."""
    if path.is_dir():
        return [each for each in sorted(path.rglob("*")) if each.is_file()]
    return [path] if path.exists() else []


def _finish(folder: Path) -> None:
    """Move what is ready into place; whoever calls holds the lock. Begun twice, it ends the same."""
    ready = folder / READY
    if not ready.exists():
        return
    if (ready / PLAN_NAME).exists():  # else all was moved, and the plan removed with the rest of the folder
        new, gone, last = _plan(folder)
        for name in (*last, *gone):
            if name in gone or (ready / name).exists():  # else it is the new one already
                (folder / name).unlink(missing_ok=True)
        for name in [*(name for name in new if name not in last), *last]:
            if (ready / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (ready / name).replace(folder / name)
        for place in {(folder / name).parent for name in (*new, *gone)}:
            _settle(place)
    shutil.rmtree(ready)


class SwapPlan(TypedDict):
    """The plan of a swap: names of files."""

    new: list[str]
    gone: list[str]
    last: list[str]


def _plan(folder: Path) -> list[list[str]]:
    """Return the new files, the old ones that go, and those that come last.

    A folder may come from anywhere, so no name may lead out of it.
    """
    path, cure = folder / READY / PLAN_NAME, f"Delete {folder / READY}"
    plan = read_json(path, SwapPlan, DatasetError, cure)
    lists = [plan["new"], plan["gone"], plan["last"]]
    root = folder.resolve()
    inside = all((folder / name).parent.resolve().is_relative_to(root) for names in lists for name in names)
    if not inside:
        raise DatasetError(str(path), "not what sleevenotes writes there", cure=cure)
    return lists


def _settle(folder: Path) -> None:
    """Flush the names in a folder; remove it if it is empty."""
    if not folder.is_dir():
        return
    if any(folder.iterdir()):
        flush(folder)
    else:
        folder.rmdir()
