"""One writer at a time for each folder: others wait briefly, then learn who it is; nothing that was changed is lost."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from covers_for_tests import make_dataset
from sleevenotes.collect.collecting import CollectSettings, collect
from sleevenotes.collect.harmonising import HarmoniseSettings, harmonise
from sleevenotes.collect.joining import join
from sleevenotes.covers import locks
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.locks import LOCK_NAME, holds, writing
from sleevenotes.covers.mending import changes, mend
from sleevenotes.covers.splits import split
from sleevenotes.errors import ChangedMeanwhile, DatasetError, StoreBusy
from sleevenotes.learn.recipes import train

HOLDER = """
import sys
from pathlib import Path
from sleevenotes.covers.locks import writing

with writing(Path(sys.argv[1]), "split"):
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "dataset", covers=60)


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a folder's lock."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        yield process
        process.kill()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_S", 0.1)


def test_who_waited_long_enough_learns_which_process_holds_the_folder(tmp_path: Path, hasty: None):
    with held(tmp_path) as process:
        with pytest.raises(StoreBusy) as refused, writing(tmp_path, "collect"):
            pass
        host = re.escape(platform.node())
        sentence = (
            rf"`split` has been writing to it since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC "
            rf"\(process {process.pid} on {host}\)\. Wait until it is done, .*; `kill {process.pid}` ends it\."
        )
        assert re.search(sentence, str(refused.value))


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path, hasty: None):
    with held(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with writing(tmp_path, "collect"):
            assert holds(tmp_path)
    assert not any(tmp_path.iterdir())


def test_opening_a_dataset_removes_the_file_of_a_killed_holder_and_not_that_of_a_live_one(dataset: Dataset):
    with held(dataset.folder) as process:
        Dataset.open(dataset.folder)
        assert (dataset.folder / LOCK_NAME).exists()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        Dataset.open(dataset.folder)
        assert not (dataset.folder / LOCK_NAME).exists()


def test_a_lock_whose_holder_could_not_say_who_it_is_still_keeps_others_out(tmp_path: Path, hasty: None):
    with held(tmp_path):
        (tmp_path / LOCK_NAME).write_text("{")
        with pytest.raises(StoreBusy, match="another process is writing to it"), writing(tmp_path, "collect"):
            pass


def test_one_thread_may_take_a_lock_twice_and_another_one_may_not(tmp_path: Path, hasty: None):
    refused = []

    def another() -> None:
        try:
            with writing(tmp_path, "join"):
                pass
        except StoreBusy as error:
            refused.append(str(error))

    with writing(tmp_path, "collect"):
        with writing(tmp_path / ".." / tmp_path.name, "split"):
            pass
        assert holds(tmp_path)
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "kill" not in refused[0]  # which would end this very process
    assert not holds(tmp_path)


def test_a_folder_is_made_and_goes_again_if_nothing_came_into_it(tmp_path: Path):
    with writing(tmp_path / "new", "collect"):
        assert (tmp_path / "new" / LOCK_NAME).exists()
    assert not (tmp_path / "new").exists()
    with writing(tmp_path / "new", "collect"):
        (tmp_path / "new" / "metadata.csv").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["metadata.csv"]


def test_a_folder_that_can_not_be_made_or_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    told = r"can't be written \(.*Give yourself the right"
    with pytest.raises(DatasetError, match=told), writing(tmp_path / "file", "collect"):
        pass

    def without_locks(file: object) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks, "_try_lock", without_locks)
    told = r"can't be locked \(Operation not supported\).*Copy it to a local disk"
    with pytest.raises(DatasetError, match=told), writing(tmp_path, "collect"):
        pass


WRITERS: dict[str, Callable[[Dataset, Path], object]] = {
    "collect": lambda dataset, out: collect(dataset.folder / "images", out, settings=CollectSettings(genre="folk")),
    "split": lambda dataset, out: split(Dataset.open(out)),
    "harmonise": lambda dataset, out: harmonise(dataset, out, HarmoniseSettings(size_px=32)),
    "join": lambda dataset, out: join([dataset, make_dataset(out.parent / "other", covers=6)], out),
    "edit": lambda dataset, out: mend(Dataset.open(out), "images/0000.png", genres=["jazz"], who="ann"),
    "write": lambda dataset, out: Dataset(out, dataset.covers).write(),
    "train": lambda dataset, out: train(dataset, "color", out),
}


@pytest.mark.filterwarnings("ignore:.*covers in:sleevenotes.errors.SleevenotesWarning")
@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_says_who_is_at_the_folder(dataset: Dataset, tmp_path: Path, hasty: None, writer: str):
    out = dataset.folder if writer in ("split", "edit") else tmp_path / "out"
    with held(out), pytest.raises(StoreBusy, match=r"`split` has been writing to it since"):
        WRITERS[writer](dataset, out)


# --- what others changed meanwhile ------------------------------------------------------------------------------------


def test_a_table_that_others_changed_since_it_was_read_is_not_overwritten(dataset: Dataset):
    seen = Dataset.open(dataset.folder)
    mend(dataset, "images/0000.png", genres=["jazz"], who="ann")
    with pytest.raises(ChangedMeanwhile, match=r"changed by others since it was read.* Open it again"):
        seen.with_columns(artist=[""] * len(seen)).write()
    with pytest.raises(ChangedMeanwhile):
        split(seen.where([True] * len(seen)), again=True)
    assert Dataset.open(dataset.folder).genre_lists[0] == ("jazz",)


def test_a_dataset_that_was_written_can_be_changed_and_written_again(dataset: Dataset):
    first = dataset.with_columns(artist=["ann"] * len(dataset))
    first.write()
    first.with_columns(album=["relayer"] * len(dataset)).write()
    now = Dataset.open(dataset.folder)
    assert (now.column("artist")[0], now.column("album")[0]) == ("ann", "relayer")


@pytest.mark.filterwarnings("ignore:split.* only:sleevenotes.errors.SleevenotesWarning")
def test_a_split_of_a_dataset_that_was_opened_before_an_edit_keeps_it(dataset: Dataset):
    seen = Dataset.open(dataset.folder)
    mend(dataset, "images/0000.png", genres=["jazz"], who="ann")
    done = split(seen, again=True).dataset
    assert done.genre_lists[0] == Dataset.open(dataset.folder).genre_lists[0] == ("jazz",)
    assert done.settings["fingerprint"] == done.fingerprint


EDITS = """
import sys
from pathlib import Path
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.mending import mend

print("here", flush=True)
for turn in range(24):
    dataset = Dataset.open(Path(sys.argv[1]))
    (genre,) = dataset.genre_lists[turn]
    other = {"folk": "jazz", "jazz": "metal", "metal": "folk"}[genre]
    mend(dataset, dataset.file_names[turn], genres=[other], who="ann")
"""


@pytest.mark.filterwarnings("ignore:split.* only:sleevenotes.errors.SleevenotesWarning")
def test_no_logged_edit_is_lost_to_splits_that_run_meanwhile(dataset: Dataset):
    command = [sys.executable, "-c", EDITS, str(dataset.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as editing:
        assert editing.stdout is not None
        assert editing.stdout.readline() == "here\n"
        seed = 0
        while editing.poll() is None:
            split(Dataset.open(dataset.folder), again=True, seed=(seed := seed + 1))
    assert editing.returncode == 0
    split(Dataset.open(dataset.folder), again=True)
    logged = {change.file_name: change.after for change in changes(dataset.folder)}
    now = Dataset.open(dataset.folder)
    assert len(logged) == 24
    assert {name: now.genre_lists[now.file_names.index(name)] for name in logged} == logged


COLLECT = "import sys; from sleevenotes import cli; sys.argv[0] = 'sleevenotes'; cli.main()"


def test_two_collects_at_once_end_with_one_whole_dataset(dataset: Dataset, tmp_path: Path):
    source = tmp_path / "source"
    for row, genres in enumerate(dataset.genre_lists):
        (source / genres[0]).mkdir(parents=True, exist_ok=True)
        (source / genres[0] / f"{row}.png").write_bytes(dataset.path(row).read_bytes())
    command = [sys.executable, "-c", COLLECT, "collect", str(source), "-o", str(tmp_path / "out")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert sum("already" in out + err for out, err in said) == 1  # the second one found all of it done
    collected = Dataset.open(tmp_path / "out")
    assert sorted(collected.digests) == sorted(dataset.digests)
    assert not [path.name for path in collected.folder.glob(".*") if path.name != ".cache"]
