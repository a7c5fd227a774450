"""What lies in a folder is replaced whole or not at all, whenever whoever does so is killed."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sleevenotes.covers import swapping
from sleevenotes.covers.files import write_json
from sleevenotes.covers.swapping import BUILDING, PLAN_NAME, READY, finish_swap, rebuilding
from sleevenotes.errors import DatasetError

OWNED, LAST = ("card", "weights", "history", "parts", "color/card"), ("color/card", "card")
OLD = {"card": "old", "weights": "old", "history": "old", "parts/a": "old", "parts/b": "old"}
NEW = {"card": "new", "weights": "new", "parts/b": "new", "parts/c": "new", "color/card": "new"}
OTHERS = {"scorings": "kept", "color/scorings": "kept"}


class Killed(BaseException):
    """The end of a process, as far as one can have it without ending."""


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def files_of(folder: Path) -> dict[str, str]:
    """The files in a folder, without those that are hidden."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {path.as_posix(): (folder / path).read_text() for path in paths if path.parts[0][0] != "."}


def killed_at(patch: pytest.MonkeyPatch, number: int) -> None:
    """Let the process end in place of the change to the disk with this number, from 1 on."""
    count = itertools.count(1)

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **named: Any) -> Any:
            if next(count) == number:
                raise Killed
            return real(*arguments, **named)

        return change

    for name in ("replace", "rename", "unlink", "mkdir", "rmdir"):
        patch.setattr(Path, name, dying(getattr(Path, name)))
    patch.setattr(shutil, "rmtree", dying(shutil.rmtree))


def test_killed_at_any_moment_the_old_or_the_new_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("flush", "flush_all"):  # a kill loses nothing that was not flushed
        monkeypatch.setattr(swapping, name, lambda path: None)
    seen = []
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        put(folder, OLD | OTHERS)
        put(folder / BUILDING, NEW)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, number)
            try:
                swapping._swap(folder, OWNED, LAST)
            except Killed:
                pass
            else:
                break
        ready = (folder / READY).exists()
        between = files_of(folder)
        if "card" in between:  # who reads it now finds one of the two, and nothing of the other
            whole = {name: text for name, text in between.items() if name not in OTHERS}
            assert whole == (OLD if between["card"] == "old" else NEW)
        for again in itertools.count(1):  # and whoever finishes it may be killed as well
            with pytest.MonkeyPatch.context() as patch:
                killed_at(patch, again)
                try:
                    finish_swap(folder)
                    break
                except Killed:
                    assert again < 100
        assert files_of(folder) == (NEW if ready else OLD) | OTHERS
        if not ready and (folder / BUILDING).exists():  # who goes on with what was built
            swapping._swap(folder, OWNED, LAST)
            assert files_of(folder) == NEW | OTHERS
            assert not list(folder.glob(".*"))
        seen.append(ready)
    assert files_of(folder) == NEW | OTHERS
    assert not list(folder.glob(".*"))
    assert {True, False} == set(seen)


@pytest.mark.parametrize("keep", [True, False])
def test_what_fails_leaves_the_old_one(tmp_path: Path, keep: bool):
    put(tmp_path, OLD)

    def failing() -> None:
        with rebuilding(tmp_path, "train", owned=OWNED, last=LAST, keep=keep) as building:
            put(building, NEW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert files_of(tmp_path) == OLD
    assert (tmp_path / BUILDING).exists() == keep
    with rebuilding(tmp_path, "train", owned=OWNED, last=LAST, resume=keep) as building:
        assert files_of(building) == (NEW if keep else {})
        put(building, {"card": "newer"})
    assert files_of(tmp_path) == (NEW if keep else {}) | {"card": "newer"}


@pytest.mark.parametrize("name", ["../victim", "away/victim", "/victim"])
@pytest.mark.parametrize("key", ["new", "gone", "last"])
def test_a_folder_from_a_stranger_reaches_for_no_file_outside_of_it(tmp_path: Path, name: str, key: str):
    (tmp_path / "victim").write_text("mine")
    folder = tmp_path / "model"
    (folder / READY).mkdir(parents=True)
    (folder / "away").symlink_to(tmp_path)
    name = f"{tmp_path}{name}" if name.startswith("/") else name
    write_json(folder / READY / PLAN_NAME, {"new": [], "gone": [], "last": []} | {key: [name]})
    with pytest.raises(DatasetError, match=r"not what sleevenotes writes there\. Delete .*\.ready"):
        finish_swap(folder)
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "new is missing .* Delete .*ready"),
        ({"new": "all", "gone": [], "last": []}, "new is 'all'. A list was expected"),
    ],
)
def test_a_damaged_plan_is_told(tmp_path: Path, content: dict[str, Any], words: str):
    (tmp_path / READY).mkdir()
    write_json(tmp_path / READY / PLAN_NAME, content)
    with pytest.raises(DatasetError, match=words):
        finish_swap(tmp_path)
