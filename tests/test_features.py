"""Features of covers, worked out once: found again by what is in the files, and made again where they can't be read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.errors import CoverError, SleevenotesWarning
from sleevenotes.learn.color import COLOR_PX, features
from sleevenotes.learn.extractors import ColorExtractor
from sleevenotes.learn.features import dataset_features


class Counting(ColorExtractor):
    """Tells how many covers it was asked about."""

    def __init__(self) -> None:
        self.asked = 0

    def features(self, covers: np.ndarray) -> np.ndarray:
        self.asked += len(covers)
        return super().features(covers)


def test_features_are_those_of_each_cover_in_the_order_of_the_table(copied: Dataset):
    part = copied.where([index % 7 == 3 for index in range(len(copied))])
    expected = np.concatenate([features(resize(decode(path), COLOR_PX)[None]) for path in part.paths])
    assert np.array_equal(dataset_features(part, ColorExtractor()), expected)


def test_they_are_worked_out_once_for_every_part_of_a_dataset(copied: Dataset):
    extractor = Counting()
    told: list[tuple[int, int]] = []
    test = dataset_features(copied.in_split("test"), extractor, progress=lambda *done: told.append(done))
    assert extractor.asked == 30
    assert told[-1] == (30, 30)
    whole = dataset_features(copied, extractor)
    assert extractor.asked == len(copied)
    again = dataset_features(Dataset.open(copied.folder), extractor)
    assert extractor.asked == len(copied)
    assert np.array_equal(whole, again)
    assert np.array_equal(whole[[split == "test" for split in copied.column("split")]], test)


def test_another_cover_under_the_same_name_is_another_cover(copied: Dataset):
    plain = copied.where([index < 5 for index in range(len(copied))]).with_columns(sha256=[""] * 5)
    os.utime(plain.path(2), (1, 1))  # a file that was just written is not remembered
    before = dataset_features(plain, ColorExtractor())
    plain.path(2).write_bytes(encode(np.zeros((8, 8, 3), np.uint8), "png"))
    with pytest.warns(SleevenotesWarning, match="1 of 5 covers were replaced since they were collected or last read"):
        after = dataset_features(plain.with_columns(), ColorExtractor())
    assert np.array_equal(np.delete(before, 2, axis=0), np.delete(after, 2, axis=0))
    assert after[2, 0] == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and then nothing", b"no archive", "half"])
def test_a_cache_that_was_damaged_is_made_again(copied: Dataset, damage: bytes | str):
    before = dataset_features(copied, ColorExtractor())
    (kept,) = copied.cache.glob("features-*.npz")
    kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2] if isinstance(damage, str) else damage)
    assert np.array_equal(dataset_features(copied, ColorExtractor()), before)


def test_a_cover_that_can_not_be_read_is_named(copied: Dataset):
    copied.path(3).write_bytes(b"no cover")
    with (
        pytest.warns(SleevenotesWarning, match="1 of 200 covers were replaced"),
        pytest.raises(CoverError, match=copied.path(3).name),
    ):
        dataset_features(copied, ColorExtractor())


def test_no_covers_have_no_features(copied: Dataset):
    assert dataset_features(copied.where([False] * len(copied)), ColorExtractor()).shape[0] == 0


def test_a_dataset_on_a_disk_that_can_not_be_written_to_is_read_all_the_same(
    copied: Dataset, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert len(dataset_features(copied, ColorExtractor())) == len(copied)
    assert not copied.cache.exists()


def test_the_key_tells_all_that_the_numbers_depend_on(small_model: object, tmp_path: Path):
    extractor = small_model.extractor  # type: ignore[attr-defined]
    assert extractor.key == f"{extractor.network.sha256[:16]}-32px"
    assert ColorExtractor.key == "color-8x8x8-64px"
