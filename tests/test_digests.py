"""Digests are those of the files, and files that have not changed are not read again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sleevenotes.covers import digests
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import sha256
from sleevenotes.errors import SleevenotesWarning

NAMES = ["a.jpg", "b.jpg", "c.jpg"]
OLD_NS = 1_600_000_000_000_000_000


def write(folder: Path, name: str, content: bytes, time_ns: int = OLD_NS) -> None:
    (folder / name).write_bytes(content)
    os.utime(folder / name, ns=(time_ns, time_ns))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for name in NAMES:
        write(tmp_path, name, name.encode())
    return from_columns(tmp_path, {"file_name": NAMES, "genres": ["folk"] * 3})


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on, but for the cache."""
    names: list[str] = []
    read = Path.read_bytes

    def recorded(path: Path) -> bytes:
        if path.suffix != ".json":
            names.append(path.name)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", recorded)
    return names


def again(dataset: Dataset) -> Dataset:
    return dataset.with_columns()


def test_a_file_is_read_once_and_then_only_if_size_or_time_changed(dataset: Dataset, opened: list[str]):
    assert dataset.digests == [sha256(name.encode()) for name in NAMES]
    assert opened == NAMES
    assert again(dataset).digests == dataset.digests
    digests._read_before.clear()  # as in another process
    assert again(dataset).digests == dataset.digests
    assert opened == NAMES

    write(dataset.folder, "b.jpg", b"other")  # of the same size and time: as `touch -r` does, it can't be told
    assert again(dataset).digests == dataset.digests
    write(dataset.folder, "b.jpg", b"other", OLD_NS + 1)
    assert again(dataset).digests[1] == sha256(b"other")
    write(dataset.folder, "c.jpg", b"longer than before")
    assert again(dataset).digests[2] == sha256(b"longer than before")
    assert opened == [*NAMES, "b.jpg", "c.jpg"]


def test_a_file_that_was_just_written_is_read_each_time(dataset: Dataset, opened: list[str]):
    write(dataset.folder, "a.jpg", b"first", time.time_ns())
    assert again(dataset).digests[0] == sha256(b"first")
    stat = (dataset.folder / "a.jpg").stat()
    write(dataset.folder, "a.jpg", b"other", stat.st_mtime_ns)  # in the same tick of the clock
    assert again(dataset).digests[0] == sha256(b"other")


def test_the_file_counts_and_not_the_table(dataset: Dataset):
    table = dataset.with_columns(sha256=[sha256(b"a.jpg"), sha256(b"before"), ""])
    assert table.digests == [sha256(name.encode()) for name in NAMES]
    assert table.replaced.tolist() == [False, True, False]
    with pytest.warns(
        SleevenotesWarning, match=r"1 of 3 covers were replaced since they were collected or last read\."
    ):
        table.report_replaced()
    again(table).report_replaced()  # once is enough


def test_a_fingerprint_changes_with_the_files(dataset: Dataset):
    before = dataset.fingerprint
    assert again(dataset).fingerprint == before
    write(dataset.folder, "b.jpg", b"other", OLD_NS + 1)
    assert again(dataset).fingerprint != before


def test_a_missing_file_has_the_digest_of_the_table(dataset: Dataset):
    (dataset.folder / "a.jpg").unlink()
    table = dataset.with_columns(sha256=["0" * 64, "", ""])
    assert table.digests[0] == "0" * 64
    table.report_replaced()


@pytest.mark.parametrize(
    "damage", [b"", b"[1, 2]", b'{"a.jpg": [1]}', b'{"a.jpg": ["x", 2, 3]}', b"\x00" * 9, b"[" * 9999]
)
def test_a_damaged_cache_is_made_again(dataset: Dataset, damage: bytes):
    (dataset.cache).mkdir()
    (dataset.cache / digests.DIGESTS_NAME).write_bytes(damage)
    assert dataset.digests == [sha256(name.encode()) for name in NAMES]
    digests._read_before.clear()
    assert again(dataset).digests == dataset.digests


def test_a_dataset_that_can_not_be_written_to_has_digests_all_the_same(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert dataset.digests == [sha256(name.encode()) for name in NAMES]
    assert not dataset.cache.exists()
