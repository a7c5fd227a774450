"""Covers in order, with flat memory, and packed where they are found again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.covers import pixels as module
from sleevenotes.covers.images import decode, encode, resize, sha256
from sleevenotes.covers.pixels import iter_covers, packed_pixels
from sleevenotes.errors import CoverError, DatasetError, EmptyCover, OversizedCover, TruncatedCover


def cover(seed: int, size: int = 24) -> bytes:
    colors = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    return encode(resize(colors, size), "jpeg")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for i in range(9):
        (tmp_path / f"{i}.jpg").write_bytes(cover(i))
    return tmp_path


def asked(dataset: Path) -> tuple[list[Path], list[str]]:
    paths = sorted(dataset.glob("*.jpg"))
    return paths, [sha256(path.read_bytes()) for path in paths]


def kept(dataset: Path) -> list[str]:
    return sorted(path.name for path in (dataset / ".cache").iterdir())


# -- iter_covers -----------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 5))
def test_covers_come_in_order_whatever_the_workers(seeds: list[int], workers: int) -> None:
    covers = [cover(seed) if seed else b"" for seed in seeds]
    answers = list(iter_covers(covers, size_px=8, workers=workers))
    assert [position for position, _ in answers] == list(range(len(covers)))
    for data, (_, answer) in zip(covers, answers, strict=True):
        if data:
            np.testing.assert_array_equal(answer, resize(decode(data), 8))
        else:
            assert isinstance(answer, EmptyCover)


def test_a_broken_cover_does_not_stop_the_others(dataset: Path) -> None:
    (dataset / "3.jpg").write_bytes(cover(3)[:200])
    answers = [answer for _, answer in iter_covers(sorted(dataset.glob("*.jpg")), size_px=8)]
    assert [isinstance(answer, CoverError) for answer in answers] == [i == 3 for i in range(9)]
    assert str(answers[3]).startswith("3.jpg: cut off after 200 bytes")


def test_covers_keep_their_size_unless_told() -> None:
    [(_, answer)] = iter_covers([cover(0, 31)])
    assert isinstance(answer, np.ndarray)
    assert answer.shape == (31, 31, 3)


def test_the_limit_is_passed_on() -> None:
    [(_, answer)] = iter_covers([cover(0)], max_pixels=100)
    assert isinstance(answer, OversizedCover)


def test_only_a_few_covers_are_taken_ahead() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield cover(taken % 3)

    answers = iter_covers(endless(), size_px=8, workers=2)
    for _ in range(50):
        next(answers)
    assert taken <= 50 + 2 * module.AHEAD
    answers.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("covers")]


def test_memory_stays_flat_over_thousands_of_covers() -> None:
    data = cover(0)
    for _ in iter_covers([data] * 100, size_px=64, workers=2):
        continue
    tracemalloc.start()
    for _ in iter_covers((data for _ in range(3_000)), size_px=64, workers=2):
        continue
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000  # all of them would be 37 MB


# -- packed_pixels ---------------------------------------------------------------------------------------------------


def test_packed_pixels_are_those_of_the_covers_in_order(dataset: Path) -> None:
    paths, hashes = asked(dataset)
    packed = packed_pixels(paths, hashes, 16, folder=dataset / ".cache")
    np.testing.assert_array_equal(packed, np.stack([resize(decode(path), 16) for path in paths]))
    assert isinstance(packed, np.memmap)
    assert not packed.flags.writeable
    assert packed.shape == (9, 16, 16, 3)


def test_covers_are_decoded_once(dataset: Path) -> None:
    paths, hashes = asked(dataset)
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        packed_pixels(paths, hashes, 16, folder=dataset / ".cache", progress=lambda *done: calls.append(done))
    assert calls == [(i + 1, 9) for i in range(9)]
    for path in paths:
        path.unlink()
    assert len(packed_pixels(paths, hashes, 16, folder=dataset / ".cache")) == 9


def test_changed_covers_order_size_or_preprocessing_are_packed_anew(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = dataset / ".cache"
    before = packed_pixels(*asked(dataset), 16, folder=folder)
    (dataset / "4.jpg").write_bytes(cover(99))
    after = packed_pixels(*asked(dataset), 16, folder=folder)
    assert [bool((a == b).all()) for a, b in zip(before, after, strict=True)] == [i != 4 for i in range(9)]
    paths, hashes = asked(dataset)
    np.testing.assert_array_equal(packed_pixels(paths[::-1], hashes[::-1], 16, folder=folder), after[::-1])
    assert packed_pixels(paths, hashes, 8, folder=folder).shape == (9, 8, 8, 3)
    files = len(kept(dataset))
    monkeypatch.setattr(module, "PREPROCESSING", "another")
    packed_pixels(paths, hashes, 16, folder=folder)
    assert len(kept(dataset)) == files + 1


def test_what_was_unused_for_a_day_is_removed_and_nothing_of_others(dataset: Path) -> None:
    folder, (paths, hashes) = dataset / ".cache", asked(dataset)
    packed_pixels(paths, hashes, 16, folder=folder)
    packed_pixels(paths, hashes, 8, folder=folder)
    for name in ("pixels-16-mine.npy", "features-16.npz"):
        (folder / name).write_bytes(b"")
    old = time.time() - module.KEPT_S - 60
    for path in folder.iterdir():
        os.utime(path, (old, old))
    stale = [
        name for name in kept(dataset) if name.startswith("pixels-16-") and len(name) == len("pixels-16-.npy") + 16
    ]
    packed_pixels(paths[1:], hashes[1:], 16, folder=folder)
    left = kept(dataset)
    assert len(stale) == 1
    assert stale[0] not in left
    assert {"pixels-16-mine.npy", "features-16.npz"} <= set(left)
    assert sum(name.startswith("pixels-8-") for name in left) == 1


def test_what_is_used_is_kept(dataset: Path) -> None:
    folder, (paths, hashes) = dataset / ".cache", asked(dataset)
    packed_pixels(paths, hashes, 16, folder=folder)
    [first] = folder.iterdir()
    os.utime(first, (0, 0))
    packed_pixels(paths, hashes, 16, folder=folder)
    packed_pixels(paths[1:], hashes[1:], 16, folder=folder)
    assert first.exists()
    assert len(kept(dataset)) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00", b"nonsense"])
def test_a_damaged_packed_file_is_made_anew(dataset: Path, damage: bytes) -> None:
    paths, hashes = asked(dataset)
    packed = packed_pixels(paths, hashes, 16, folder=dataset / ".cache")
    expected = np.array(packed)
    del packed
    [path] = (dataset / ".cache").iterdir()
    path.write_bytes(damage)
    np.testing.assert_array_equal(packed_pixels(paths, hashes, 16, folder=dataset / ".cache"), expected)


def test_a_cover_that_cannot_be_decoded_is_named_and_leaves_nothing_behind(dataset: Path) -> None:
    (dataset / "5.jpg").write_bytes(cover(5)[:300])
    with pytest.raises(TruncatedCover, match=r"^5\.jpg: cut off after 300 bytes"):
        packed_pixels(*asked(dataset), 16, folder=dataset / ".cache")
    assert kept(dataset) == []


def test_a_folder_that_cannot_be_written_is_told(dataset: Path) -> None:
    (dataset / ".cache").write_text("a file where a folder should be")
    with pytest.raises(DatasetError, match=r"\.cache: can't be written to \(.+\)\. Make room there for 0 MB"):
        packed_pixels(*asked(dataset), 16, folder=dataset / ".cache")


def test_no_covers_are_no_pixels(tmp_path: Path) -> None:
    assert packed_pixels([], [], 16, folder=tmp_path / ".cache").shape == (0, 16, 16, 3)


def test_paths_and_hashes_go_together(dataset: Path) -> None:
    paths, hashes = asked(dataset)
    with pytest.raises(ValueError, match="9 paths, but 8 hashes"):
        packed_pixels(paths, hashes[1:], 16, folder=dataset / ".cache")


def test_many_at_once_get_the_same_pixels(dataset: Path) -> None:
    paths, hashes = asked(dataset)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(packed_pixels, paths, hashes, 16, folder=dataset / ".cache") for _ in range(8)]
        answers = [future.result() for future in asking]
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])
    assert len(kept(dataset)) == 1


def test_killed_half_way_it_starts_again_and_ends_the_same(dataset: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from sleevenotes.covers.pixels import packed_pixels
paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
die = lambda done, n: done == 5 and os.kill(os.getpid(), signal.SIGKILL)
packed_pixels(paths, [path.name for path in paths], 16, folder=Path(sys.argv[1]) / ".cache", progress=die)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(dataset)], check=False)
    assert killed.returncode != 0
    assert [Path(name).suffix for name in kept(dataset)] == [".partial"]
    paths = sorted(dataset.glob("*.jpg"))
    packed = packed_pixels(paths, [path.name for path in paths], 16, folder=dataset / ".cache")
    np.testing.assert_array_equal(packed, np.stack([resize(decode(path), 16) for path in paths]))
    assert [Path(name).suffix for name in kept(dataset)] == [".npy"]
