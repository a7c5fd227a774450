"""A cover's genres are mended whole or not at all, with a log, whoever is killed in between."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from covers_for_tests import make_dataset
from sleevenotes.covers import files, mending
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import FORMULA_STARTS, guarded, unguarded, write_json
from sleevenotes.covers.mending import CHANGES_NAME, PENDING_NAME, Change, changes, cleaned, finish, mend, undo, undone
from sleevenotes.errors import ChangedMeanwhile, DatasetError, SleevenotesError

FIRST = "images/0000.png"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "dataset", covers=12)


@pytest.fixture
def several(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "several", task="multi", covers=12)


def genres_of(folder: Path, name: str = FIRST) -> tuple[str, ...]:
    dataset = Dataset.open(folder)
    return dataset.genre_lists[dataset.file_names.index(name)]


# --- what a change does -----------------------------------------------------------------------------------------------


def test_only_one_cell_of_the_table_changes(dataset: Dataset):
    before = pl.read_csv(dataset.folder / "metadata.csv", infer_schema=False)
    now, change = mend(dataset, FIRST, genres=["Jazz"], who="ann")
    after = pl.read_csv(dataset.folder / "metadata.csv", infer_schema=False)
    assert (change.before, change.after, change.who) == (("folk",), ("jazz",), "ann")
    assert genres_of(dataset.folder) == now.genre_lists[0] == ("jazz",)
    assert after[0, "genres"] == "jazz"
    assert after.drop("genres").equals(before.drop("genres"))
    assert after["genres"][1:].equals(before["genres"][1:])


def test_undoing_gives_back_the_very_same_table(dataset: Dataset):
    dataset.write()
    before = (dataset.folder / "metadata.csv").read_bytes()
    now, change = mend(dataset, FIRST, genres=["jazz"], who="ann")
    _, undoing = undo(now, change.number, who="ben")
    assert (dataset.folder / "metadata.csv").read_bytes() == before
    assert (undoing.undoes, undoing.before, undoing.after) == (1, ("jazz",), ("folk",))
    assert [(each.number, each.who) for each in changes(dataset.folder)] == [(1, "ann"), (2, "ben")]


def test_what_undid_a_change_can_be_undone(dataset: Dataset):
    mend(dataset, FIRST, genres=["jazz"], who="ann")
    undo(dataset, 1, who="ann")
    undo(dataset, 2, who="ann")
    assert genres_of(dataset.folder) == ("jazz",)
    assert undone(changes(dataset.folder)) == {2}


def test_a_cover_that_was_changed_since_is_not_undone(dataset: Dataset):
    now, _ = mend(dataset, FIRST, genres=["jazz"], who="ann")
    now, _ = mend(now, FIRST, genres=["metal"], who="ben")
    with pytest.raises(ChangedMeanwhile, match=r"its genres are metal by now\. Jazz was expected"):
        undo(now, 1, who="ann")
    undo(now, 2, who="ann")
    with pytest.raises(ChangedMeanwhile, match="change 2: undone already"):
        undo(now, 2, who="ann")
    with pytest.raises(DatasetError, match=r"change 9: there is none in changes\.csv\. It has 3 changes"):
        undo(now, 9, who="ann")
    assert genres_of(dataset.folder) == ("jazz",)


def test_who_looked_at_an_older_table_is_refused(dataset: Dataset):
    mend(dataset, FIRST, genres=["jazz"], who="ann")
    with pytest.raises(ChangedMeanwhile, match="its genres in the table is jazz by now"):
        mend(dataset, FIRST, genres=["metal"], who="ben")
    mend(dataset, "images/0001.png", genres=["metal"], who="ben")  # another cover is as it was
    assert genres_of(dataset.folder) == ("jazz",)
    now = Dataset.open(dataset.folder)
    now.where([name != "images/0002.png" for name in now.file_names]).write()
    with pytest.raises(ChangedMeanwhile, match="not in the table any more"):
        mend(dataset, "images/0002.png", genres=["jazz"], who="ben")


def test_what_was_changed_by_hand_elsewhere_in_the_table_stays(dataset: Dataset):
    dataset.with_columns(artist=["somebody else"] * len(dataset)).write()
    mend(dataset, FIRST, genres=["jazz"], who="ann")
    assert set(Dataset.open(dataset.folder).column("artist")) == {"somebody else"}


# --- what genres a cover may have -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("genres", "told"),
    [
        (["jaz"], r"unknown genre 'jaz'\. Genres here: folk, jazz, metal\. Did you mean 'jazz'\?"),
        (["<img src=x>"], "A new genre goes into the table by hand, then `sleevenotes split --again`"),
        (["jazz", "metal"], "2 genres, jazz;metal. A cover has one genre here"),
        (["jazz;metal"], "unknown genre 'jazz;metal'"),
        ([], "no genre"),
        (["folk"], "is folk already"),
    ],
)
def test_genres_that_are_none_here_are_refused_in_a_sentence(dataset: Dataset, genres: list[str], told: str):
    with pytest.raises(DatasetError, match=told):
        mend(dataset, FIRST, genres=genres, who="ann")
    assert not (dataset.folder / CHANGES_NAME).exists()
    assert genres_of(dataset.folder) == ("folk",)


def test_a_genre_that_the_split_does_not_ask_about_is_refused(dataset: Dataset):
    rare = dataset.with_columns(genres=["polka", *dataset.column("genres")[1:]])
    rare.write()
    with pytest.raises(DatasetError, match="unknown genre 'polka'"):
        mend(rare, "images/0001.png", genres=["polka"], who="ann")


def test_several_genres_are_fine_where_a_cover_may_have_several(several: Dataset):
    _, change = mend(several, FIRST, genres=["metal", "Folk", "metal"], who="ann")
    assert change.after == ("metal", "folk")
    assert genres_of(several.folder) == ("metal", "folk")


def test_of_two_genres_a_cover_has_one(tmp_path: Path):
    dataset = make_dataset(tmp_path / "binary", task="binary", covers=12)
    with pytest.raises(DatasetError, match="both metal and not metal"):
        mend(dataset, FIRST, genres=["metal", "not metal"], who="ann")
    mend(dataset, FIRST, genres=["not metal"], who="ann")
    mend(Dataset.open(dataset.folder), FIRST, genres=["metal", "jazz"], who="ann")


def test_the_last_cover_of_a_genre_stays(dataset: Dataset):
    one_left = ["folk", *["jazz" if index % 2 else "metal" for index in range(1, 12)]]
    seen = dataset.with_columns(genres=one_left)
    seen.write()
    with pytest.raises(DatasetError, match="the last cover of folk"):
        mend(seen, FIRST, genres=["jazz"], who="ann")


def test_before_a_split_every_genre_of_the_table_may_be_given(dataset: Dataset):
    (dataset.folder / "split.json").unlink()
    _, change = mend(Dataset.open(dataset.folder), FIRST, genres=["jazz", "folk"], who="ann")
    assert change.after == ("jazz", "folk")


# --- who, and the log -------------------------------------------------------------------------------------------------


def test_a_nickname_is_one_short_line():
    assert cleaned(" \u202eann\x00\n b\u200b ") == "ann b"
    assert len(cleaned("x" * 100)) == 40
    with pytest.raises(DatasetError, match="who: no nickname"):
        cleaned(" \u200b\n")


@given(st.text())
def test_no_cell_is_a_formula_and_its_text_comes_back(text: str):
    assert guarded(text)[:1] not in set(FORMULA_STARTS)
    assert unguarded(guarded(text)) == text


def test_a_spreadsheet_finds_no_formula_in_the_log(tmp_path: Path):
    dataset = make_dataset(tmp_path / "dataset", covers=12)
    hostile = "=HYPERLINK(1).png"
    (dataset.folder / FIRST).rename(dataset.folder / hostile)
    seen = dataset.with_columns(file_name=[hostile, *dataset.file_names[1:]])
    seen.write()
    _, change = mend(seen, hostile, genres=["jazz"], who='@SUM(1,"2")')
    with (dataset.folder / CHANGES_NAME).open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in set(FORMULA_STARTS) and cell]
    assert changes(dataset.folder) == [change]
    assert (change.file_name, change.who) == (hostile, '@SUM(1,"2")')


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r;"), min_size=1, max_size=8)
made_up = st.builds(
    Change,
    number=st.integers(1, 99),
    when=st.just("2026-01-01T00:00:00Z"),
    who=texts.map(str.strip).filter(bool),
    file_name=texts,
    before=st.lists(texts, max_size=2).map(tuple),
    after=st.lists(texts, min_size=1, max_size=2).map(tuple),
    undoes=st.none() | st.integers(1, 98),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(made_up, max_size=4))
def test_the_log_gives_back_what_was_written(tmp_path: Path, told: list[Change]):
    log = tmp_path / CHANGES_NAME
    log.unlink(missing_ok=True)
    for change in told:
        mending._append(log, change)
    assert changes(tmp_path) == told


def test_a_log_that_an_editor_left_without_an_end_goes_on(dataset: Dataset):
    now, _ = mend(dataset, FIRST, genres=["jazz"], who="ann")
    log = dataset.folder / CHANGES_NAME
    log.write_bytes(log.read_bytes().rstrip(b"\n"))
    mend(now, FIRST, genres=["metal"], who="ann")
    assert [change.number for change in changes(dataset.folder)] == [1, 2]
    log.write_text("change,when,who,file_name,before,after,undoes\nx,,,,,,\n")
    with pytest.raises(
        DatasetError, match=r"row 2: change is 'x' \(a whole number of at least 1 was expected\); file_name is ''"
    ):
        changes(dataset.folder)


def test_a_folder_that_can_not_be_written_is_told(dataset: Dataset, monkeypatch):
    def full(self: Dataset) -> Path:
        raise OSError(28, "No space left on device")

    before = (dataset.folder / "metadata.csv").read_bytes()
    monkeypatch.setattr(Dataset, "write", full)
    with pytest.raises(DatasetError, match=r"can't be written .*No space left"):
        mend(dataset, FIRST, genres=["jazz"], who="ann")
    monkeypatch.undo()
    assert changes(dataset.folder) == []
    assert not finish(dataset.folder)
    assert (dataset.folder / "metadata.csv").read_bytes() == before


def test_what_stands_in_the_table_stands_in_the_log_even_if_the_disk_fails_to_confirm_it(dataset: Dataset, monkeypatch):
    whole, asked = files.flush, []

    def failing(path: Path) -> None:
        asked.append(path.name)
        if path == dataset.folder and any("metadata.csv" in name for name in asked):  # the table's new name
            raise OSError(5, "Input/output error")
        whole(path)

    monkeypatch.setattr(files, "flush", failing)
    with pytest.raises(DatasetError, match=r"can't be written .*Input/output error"):
        mend(dataset, FIRST, genres=["jazz"], who="ann")
    monkeypatch.undo()
    assert finish(dataset.folder)
    assert genres_of(dataset.folder) == ("jazz",)
    assert [(change.who, change.after) for change in changes(dataset.folder)] == [("ann", ("jazz",))]


def begun(dataset: Dataset) -> Change:
    """Leave a change behind as who is killed between log and table does."""
    change = Change(1, "2026-01-01T00:00:00Z", "ann", FIRST, ("folk",), ("jazz",))
    write_json(dataset.folder / PENDING_NAME, asdict(change))
    mending._append(dataset.folder / CHANGES_NAME, change)
    return change


def test_a_change_that_can_not_be_finished_for_want_of_room_is_told_and_waits(dataset: Dataset, monkeypatch):
    def full(self: Dataset) -> Path:
        raise OSError(28, "No space left on device")

    begun(dataset)
    monkeypatch.setattr(Dataset, "write", full)
    with pytest.raises(DatasetError, match=r"can't be written .*No space left.* Make room"):
        finish(dataset.folder)
    monkeypatch.undo()
    assert finish(dataset.folder)
    assert genres_of(dataset.folder) == ("jazz",)


def test_a_lost_change_is_marked_once_even_if_who_marks_it_is_killed(dataset: Dataset):
    lost = begun(dataset)
    dataset.with_columns(genres=["metal", *dataset.column("genres")[1:]]).write()
    for _ in range(2):
        write_json(dataset.folder / PENDING_NAME, asdict(lost))
        assert finish(dataset.folder)
    assert [(each.number, each.who) for each in changes(dataset.folder)] == [(1, "ann"), (2, "sleevenotes")]


# --- killed in between ------------------------------------------------------------------------------------------------

STOPPED = """
import sys, time
from pathlib import Path
from sleevenotes.covers import mending
from sleevenotes.covers.dataset import Dataset

def stop(*_):
    print("here", flush=True)
    time.sleep(60)

whole = Dataset.write
def stopping(self):
    {stop_before}
    path = whole(self)
    {stop_after}
    return path

dataset = Dataset.open(Path(sys.argv[1]))
Dataset.write = stopping
{elsewhere}
mending.mend(dataset, "images/0000.png", genres=["jazz"], who="ann")
"""


def kill_at(folder: Path, *, stop_before: str = "", stop_after: str = "", elsewhere: str = "") -> None:
    """Let another process mend the first cover, and kill it where it stops."""
    code = STOPPED.format(stop_before=stop_before, stop_after=stop_after, elsewhere=elsewhere)
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


def test_killed_before_the_table_is_replaced_the_change_is_finished(dataset: Dataset):
    kill_at(dataset.folder, stop_before="stop()")
    assert pl.read_csv(dataset.folder / "metadata.csv")[0, "genres"] == "folk"  # the whole table as it was
    assert [change.after for change in changes(dataset.folder)] == [("jazz",)]
    assert finish(dataset.folder)
    assert genres_of(dataset.folder) == ("jazz",)
    assert len(changes(dataset.folder)) == 1
    assert not finish(dataset.folder)


def test_killed_after_the_table_was_replaced_nothing_is_made_twice(dataset: Dataset):
    kill_at(dataset.folder, stop_after="stop()")
    assert genres_of(dataset.folder) == ("jazz",)
    now, change = mend(Dataset.open(dataset.folder), FIRST, genres=["metal"], who="ben")
    assert (change.number, change.before) == (2, ("jazz",))
    assert not (dataset.folder / PENDING_NAME).exists()
    assert now.genre_lists[0] == ("metal",)


def test_killed_before_it_was_logged_nothing_has_happened(dataset: Dataset):
    kill_at(dataset.folder, elsewhere="mending._append = stop")
    assert (dataset.folder / PENDING_NAME).exists()
    assert not finish(dataset.folder)
    assert changes(dataset.folder) == []
    assert genres_of(dataset.folder) == ("folk",)


def test_a_line_of_the_log_that_breaks_off_is_taken_off(dataset: Dataset):
    kill_at(dataset.folder, stop_before="stop()")
    log = dataset.folder / CHANGES_NAME
    for kept in (-1, -20, 60, 20):
        pending = (dataset.folder / PENDING_NAME).read_bytes()
        whole = log.read_bytes()
        log.write_bytes(whole[:kept])
        finish(dataset.folder)
        assert changes(dataset.folder) == []
        assert genres_of(dataset.folder) == ("folk",)
        (dataset.folder / PENDING_NAME).write_bytes(pending)
        log.write_bytes(whole)


def test_a_lost_change_of_a_cover_that_somebody_changed_meanwhile_is_marked(dataset: Dataset):
    kill_at(dataset.folder, stop_before="stop()")
    dataset.with_columns(genres=["metal", *dataset.column("genres")[1:]]).write()
    assert finish(dataset.folder)
    lost, mark = changes(dataset.folder)
    assert genres_of(dataset.folder) == ("metal",)
    assert (mark.who, mark.undoes, mark.before, mark.after) == ("sleevenotes", lost.number, ("jazz",), ("metal",))
    assert undone([lost, mark]) == {lost.number}


def test_a_spoilt_pending_change_is_told(dataset: Dataset):
    write_json(dataset.folder / PENDING_NAME, {"number": 1})
    with pytest.raises(DatasetError, match=r"when is missing .*Delete it, and look at the end of changes\.csv"):
        finish(dataset.folder)


def test_a_dataset_that_is_opened_has_the_change_that_a_killed_process_had_logged(dataset: Dataset):
    kill_at(dataset.folder, stop_before="stop()")
    assert genres_of(dataset.folder) == ("jazz",)
    assert not (dataset.folder / PENDING_NAME).exists()


def test_each_step_of_a_change_is_on_the_disk_before_the_next_begins(dataset: Dataset, monkeypatch):
    steps, real = [], os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        for path in (dataset.folder, *dataset.folder.iterdir()):
            if os.path.samestat(os.fstat(handle), path.stat()):
                steps.append(re.sub(r"^\.(.*)\.[0-9a-f]+-\d+-\d+\.partial$", r"\1", path.name))

    monkeypatch.setattr(os, "fsync", fsync)
    mend(dataset, FIRST, genres=["jazz"], who="ann")
    there = dataset.folder.name
    assert steps[:6] == [PENDING_NAME, there, CHANGES_NAME, there, "metadata.csv", there]


MANY = """
import sys
from pathlib import Path
from sleevenotes.covers import mending
from sleevenotes.covers.dataset import Dataset

dataset = Dataset.open(Path(sys.argv[1]))
for turn in range(1000):
    dataset, change = mending.mend(dataset, "images/0000.png", genres=[["jazz", "metal"][turn % 2]], who="ann")
    print(change.number, flush=True)
"""


@pytest.mark.parametrize("answered", [3, 8])
def test_killed_at_any_moment_what_was_answered_stands_in_table_and_log(dataset: Dataset, answered: int):
    with subprocess.Popen([sys.executable, "-c", MANY, str(dataset.folder)], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        for _ in range(answered):
            last = int(one.stdout.readline())
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        last = max([last, *(int(line) for line in one.stdout.read().split("\n") if line)])
    finish(dataset.folder)
    told = changes(dataset.folder)
    assert [change.number for change in told] == list(range(1, len(told) + 1))
    assert len(told) - last in (0, 1)  # one may have been logged and not yet answered
    assert genres_of(dataset.folder) == told[-1].after
    assert len(Dataset.open(dataset.folder)) == 12


# --- several at once --------------------------------------------------------------------------------------------------


def test_of_several_at_once_each_change_is_kept(dataset: Dataset):
    names, refused = dataset.file_names[:8], []

    def turn(mine: Sequence[str]) -> None:
        for name in mine:
            try:
                mend(dataset, name, genres=["metal"], who=name)
            except SleevenotesError as error:
                refused.append(error)

    threads = [threading.Thread(target=turn, args=(names[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = changes(dataset.folder)
    assert [change.number for change in told] == list(range(1, len(told) + 1))
    assert all("is metal already" in str(error) for error in refused)
    assert len(told) + len(refused) == 8
    assert {genres_of(dataset.folder, name) for name in names} == {("metal",)}
