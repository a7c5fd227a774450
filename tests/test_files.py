"""Files are whole and on the disk; what killed processes left half-written goes, what others are writing stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sleevenotes.covers import files
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import flush_all, partial_path, replacing, sweep, write_json

WRITER = """
import sys
from pathlib import Path
from sleevenotes.covers.files import replacing

with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("half of")
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was flushed to the disk, in order: names, and how many bytes there were (0 for a folder)."""
    seen: list[tuple[str, int]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        seen.append((path.name, path.stat().st_size if path.is_file() else 0))

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


on_linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the names of open files are not to be had")


@on_linux
def test_a_file_is_on_the_disk_before_it_takes_its_place_and_its_name_after(tmp_path: Path, flushed: list):
    path = tmp_path / "metadata.csv"
    with replacing(path) as partial:
        partial.write_text("file_name\n")
        assert not flushed
    assert flushed == [(partial.name, 10), (tmp_path.name, 0)]
    write_json(tmp_path / "a.json", {})
    assert len(flushed) == 4
    with replacing(path, durable=False) as partial:
        partial.write_text("b")
    assert len(flushed) == 4
    assert path.read_text() == "b"


@on_linux
def test_all_files_of_a_folder_are_flushed_and_many_by_one_call(
    tmp_path: Path, flushed: list, monkeypatch: pytest.MonkeyPatch
):
    for name in ("a/x.png", "a/y.png", "z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1234")
    flush_all(tmp_path)
    assert sorted(flushed) == sorted([("x.png", 4), ("y.png", 4), ("z.png", 4), ("a", 0), (tmp_path.name, 0)])
    calls = []
    monkeypatch.setattr(files, "MANY", 2)
    monkeypatch.setattr(os, "sync", lambda: calls.append("all"))
    flush_all(tmp_path)
    assert (calls, len(flushed)) == (["all"], 5)


def test_what_a_live_process_is_writing_stays_and_what_a_killed_one_left_goes(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "check.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        sweep(tmp_path)
        (there,) = tmp_path.iterdir()
        assert there.read_text() == "half of"
        writer.kill()
        writer.wait()
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_another_host_is_writing_stays_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(files, "_host", lambda: "0abcde")
        theirs = partial_path(tmp_path / "check.json")
    theirs.touch()
    older = tmp_path / ".metadata.csv.1-1.partial"  # of a form that says nothing about its writer
    older.touch()
    (tmp_path / "mine.partial").touch()
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    long_ago = time.time() - files.ABANDONED_S - 60
    for path in tmp_path.iterdir():
        os.utime(path, (long_ago, long_ago))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.partial"]


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a process left half-written that is not there any more."""
    told = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    here = partial_path(tmp_path / "metadata.csv")
    path = here.with_name(here.name.replace(f"-{os.getpid()}-", f"-{int(told.stdout)}-"))
    path.touch()
    return path


def test_leftovers_go_when_the_next_file_is_written(left: Path):
    write_json(left.with_name("check.json"), {})
    assert not left.exists()


def test_leftovers_go_when_a_dataset_is_opened(tmp_path: Path, left: Path):
    (tmp_path / "metadata.csv").write_text("file_name,genres\na.jpg,rock\n")
    Dataset.open(tmp_path, files=False)
    assert not left.exists()


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), ValueError("I/O error: No space left on device (os error 28)")],
)
def test_who_can_not_write_a_file_is_told_which(tmp_path: Path, error: Exception):
    def full() -> None:
        with replacing(tmp_path / "weights.safetensors"):
            raise error

    with pytest.raises(OSError, match="No space left on device") as raised:
        full()
    assert raised.value.filename == str(tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_has_nothing_to_sweep(tmp_path: Path):
    sweep(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
