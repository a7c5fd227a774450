"""Several datasets as one: whose covers they are, what each of them knows, and what stays together."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sleevenotes.collect.harmonising import HarmoniseSettings, harmonise
from sleevenotes.collect.joining import join
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import encode, sha256
from sleevenotes.covers.splits import split
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import DatasetError, SleevenotesWarning


def drawn(folder: Path, genres: list[str], *, seed: int, **columns: list[str]) -> Dataset:
    """A dataset of noise, a picture a cover."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[str]] = {"file_name": [], "genres": genres, "sha256": [], **columns}
    (folder / "images").mkdir(parents=True)
    for index in range(len(genres)):
        data = encode(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8), "png")
        (folder / "images" / f"{index:03d}.png").write_bytes(data)
        rows["file_name"].append(f"images/{index:03d}.png")
        rows["sha256"].append(sha256(data))
    from_columns(folder, rows).write()
    return Dataset.open(folder)


def quietly(dataset: Dataset, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)
        return split(dataset, **options)


@pytest.fixture
def two(tmp_path: Path) -> list[Dataset]:
    """One that names styles, and one of two genres."""
    first = drawn(tmp_path / "styles", ["rock;Hip Hop", "folk", "rock"] * 12, seed=1, artist=["Yes", "", ""] * 12)
    second = drawn(tmp_path / "two" / "dataset", ["hip-hop", "rock"] * 18, seed=2, artist=["yes", *[""] * 35])
    return [first, second]


def test_a_join_has_all_covers_and_says_whose_they_are_and_what_each_collection_names(
    two: list[Dataset], tmp_path: Path
) -> None:
    result = join(two, tmp_path / "joined")
    joined = Dataset.open(tmp_path / "joined")
    assert joined.column("collection") == ["styles"] * 36 + ["two"] * 36
    assert joined.file_names[0] == "images/styles/000.png"
    assert joined.path(36).read_bytes() == two[1].path(0).read_bytes()
    told = json.loads((tmp_path / "joined" / "collections.json").read_text(encoding="utf-8"))
    assert {name: each["genres"] for name, each in told["collections"].items()} == {
        "styles": ["folk", "hip-hop", "rock"],  # as most covers of all spell it
        "two": ["hip-hop", "rock"],
    }
    assert result.lines == told["words"]
    assert result.lines[0] == "72 covers: 36 of styles (3 genres), 36 of two (2 genres)."
    assert "3 genres, 2 of which all collections name" in result.lines[1]


def test_a_join_is_split_with_artists_of_all_collections_apart_and_unknown_where_nothing_is_named(
    two: list[Dataset], tmp_path: Path
) -> None:
    join(two, tmp_path / "joined", link=True)
    quietly(Dataset.open(tmp_path / "joined"), task="multi", min_covers=5)
    done = Dataset.open(tmp_path / "joined")
    groups = np.array(done.groups)
    assert len(set(groups[[0, 3, 36]])) == 1  # an artist of both
    truth = Task.of(done).truth_of(done)
    assert Task.of(done).genres == ("folk", "hip-hop", "rock")
    assert set(truth[:36].ravel()) == {0, 1}
    assert set(truth[36:, 0]) == {-1}


def test_a_join_of_datasets_that_were_split_can_keep_their_test(two: list[Dataset], tmp_path: Path) -> None:
    quietly(two[1], task="single")
    two[1] = Dataset.open(two[1].folder)
    was = [side == "test" for side in two[1].column("split")]
    result = join(two, tmp_path / "joined")
    assert f"{sum(was)} covers were test" in result.lines[-1]
    assert set(result.dataset.column("split")) == {""}
    assert set(result.dataset.column("group")) == {""}  # those that `split` found are found again
    quietly(result.dataset, task="multi", min_covers=5, keep_test=True)
    sides = Dataset.open(tmp_path / "joined").column("split")[36:]
    assert all(side == "test" for side, before in zip(sides, was, strict=True) if before)


def test_a_join_can_be_joined_again_and_its_collections_know_what_they_knew(two: list[Dataset], tmp_path: Path) -> None:
    join(two, tmp_path / "joined")
    quietly(Dataset.open(tmp_path / "joined"), task="multi", min_covers=5)
    third = drawn(tmp_path / "third", ["polka"] * 5, seed=3, group=["box"] * 5)
    result = join([Dataset.open(tmp_path / "joined"), third], tmp_path / "more")
    told = json.loads((tmp_path / "more" / "collections.json").read_text(encoding="utf-8"))["collections"]
    assert {name: each["genres"] for name, each in told.items()} == {
        "styles": ["folk", "hip-hop", "rock"],
        "two": ["hip-hop", "rock"],
        "third": ["polka"],
    }
    assert result.dataset.column("group")[-1] == "third box"


def test_joins_that_can_not_be_are_refused_in_a_sentence(two: list[Dataset], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"join: 1 dataset\. Two at least"):
        join(two[:1], tmp_path / "joined")
    with pytest.raises(DatasetError, match="given twice"):
        join([two[0], two[0]], tmp_path / "joined")
    with pytest.raises(DatasetError, match=r"metadata\.csv: there already\. A folder without a dataset was expected"):
        join(two, two[1].folder)


def test_collections_that_are_called_alike_are_numbered(tmp_path: Path) -> None:
    alike = [drawn(tmp_path / name / "covers", ["rock", "folk"], seed=index) for index, name in enumerate("ab")]
    result = join(alike, tmp_path / "joined")
    assert result.dataset.column("collection") == ["covers 1", "covers 1", "covers 2", "covers 2"]


def test_a_join_that_is_harmonised_knows_what_it_knew_whether_it_was_split_before_or_after(
    two: list[Dataset], tmp_path: Path
) -> None:
    joined = join(two, tmp_path / "joined").dataset
    (joined.folder / "genre-tree.csv").write_text("child,parent\nfolk,acoustic\n", encoding="utf-8")
    harmonise(Dataset.open(joined.folder), tmp_path / "one", HarmoniseSettings(size_px=16))
    quietly(Dataset.open(tmp_path / "one"), task="multi", min_covers=5)
    quietly(Dataset.open(joined.folder), task="multi", min_covers=5)
    harmonise(Dataset.open(joined.folder), tmp_path / "two more", HarmoniseSettings(size_px=16))
    for name in ("one", "two more"):
        done = Dataset.open(tmp_path / name)
        assert Task.of(done).genres == ("folk", "hip-hop", "rock")
        assert done.settings["rare"] == {"acoustic": 0}  # a word of the user's own tree, which no collection names
        assert (done.folder / "genre-tree.csv").is_file()
        truth = Task.of(done).truth_of(done)
        assert {tuple(row) for row in truth[np.array(done.column("collection")) == "two"][:, :1]} == {(-1,)}
