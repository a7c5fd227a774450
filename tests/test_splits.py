from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.splits import SplitResult, parse_fractions, split
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import DatasetError, SleevenotesWarning, SplitError

SIDES = {"train", "valid", "test"}


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Near-duplicates as the test likes them, instead of those in pictures."""
    given: list[Pair] = []
    with patch("sleevenotes.covers.splits.near_duplicates", return_value=given):
        yield given


def table(folder: Path, genres: Sequence[str], **columns: Sequence[str]) -> Dataset:
    """A dataset of so many covers, which nobody opens."""
    names = [f"images/{index:04d}.jpg" for index in range(len(genres))]
    dataset = from_columns(folder, {"file_name": names, "genres": list(genres), **columns})
    dataset.write()
    return dataset


def quietly(dataset: Dataset, **options: Any) -> SplitResult:
    """Split, whatever the size of the test split."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)
        return split(dataset, **options)


def reopened(folder: Path) -> Dataset:
    return Dataset.open(folder, files=False)


def groups_on_two_sides(dataset: Dataset) -> set[str]:
    sides: dict[str, set[str]] = {}
    for group, side in zip(dataset.column("group"), dataset.column("split"), strict=True):
        if side:
            sides.setdefault(group, set()).add(side)
    return {group for group, found in sides.items() if len(found) > 1}


# What is told ------------------------------------------------------------------------------------------------------


def test_a_group_of_more_than_a_tenth_of_the_covers_is_warned_of_with_its_cause(tmp_path: Path, pairs: list[Pair]):
    pairs.append(Pair(0, 2, 2, 0.9))
    artists = ["My Label"] * 12 + [f"artist {index}" for index in range(88)]
    with pytest.warns(SleevenotesWarning) as warned:
        found = split(table(tmp_path, ["rock", "folk"] * 50, artist=artists))
    told = (
        "One group holds 12 of 100 covers (12%), joined by the artist 'my label' (12 covers), near-duplicates "
        "(2 covers). If that names nothing they share, empty these cells and split again."
    )
    assert told in found.settings["notes"]
    assert f"split: o{told[1:]}" in [str(each.message) for each in warned]


@pytest.mark.parametrize(("together", "covers"), [(10, 100), (10, 90)])
def test_a_group_of_a_tenth_or_of_few_covers_is_not_warned_of(
    tmp_path: Path, pairs: list[Pair], together: int, covers: int
):
    artists = ["yes"] * together + [f"artist {index}" for index in range(covers - together)]
    found = quietly(table(tmp_path, ["rock", "folk"] * (covers // 2), artist=artists))
    assert not any("One group holds" in note for note in found.settings["notes"])


def test_covers_without_a_single_artist_are_counted_where_artists_are_said_to_be_apart(
    tmp_path: Path, pairs: list[Pair]
):
    artists = ["Various Artists", "none", "OST"] + [f"artist {index}" for index in range(57)]
    found = quietly(table(tmp_path, ["rock", "folk"] * 30, artist=artists))
    assert found.settings["no_artist"] == 3
    told = "No artist is on two sides, but 3 covers have no single artist (Various Artists, unknown and the like)."
    assert told in found.lines
    nobody = quietly(table(tmp_path / "nobody", ["rock", "folk"] * 30, artist=["VV.AA."] * 60))
    assert "Artists are unknown, so some may be on two sides." in nobody.lines


def test_genres_are_told_as_few_in_test_below_ten_covers_and_not_at_ten(tmp_path: Path, pairs: list[Pair]):
    sides = ["train"] * 40 + ["valid"] * 5 + ["test"] * 10
    given = [*sides, *sides[:-1]]
    found = quietly(table(tmp_path, ["rock"] * 55 + ["folk"] * 54, split=given))
    assert found.kept
    assert "Genres with fewer than 10 covers in test: folk (9)." in found.settings["notes"]


# Laws -------------------------------------------------------------------------------------------------------------


@st.composite
def datasets(draw: st.DrawFn) -> tuple[dict[str, list[str]], list[Pair], str | None]:
    """Draw columns, near-duplicates and a task."""
    n = draw(st.integers(12, 90))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    several = draw(st.floats(0, 0.6))
    genres = ["blues", "folk", "jazz", "rock"][: draw(st.integers(2, 4))]
    cells = [";".join(rng.permutation(genres)[: 2 if rng.random() < several else 1]) for _ in range(n)]
    columns = {
        "genres": [cell if rng.random() > 0.05 else "" for cell in cells],
        "artist": [["", "Various", f"artist {rng.integers(n)}"][rng.integers(3)] for _ in range(n)],
        "album": [["", f"album {rng.integers(5)}"][rng.integers(2)] for _ in range(n)],
        "group": [["", f"given {rng.integers(n)}"][int(rng.random() < 0.2)] for _ in range(n)],
    }
    ends = np.sort(rng.integers(0, n, (draw(st.integers(0, 8)), 2)), axis=1)
    pairs = [Pair(int(a), int(b), 10, 0.9) for a, b in ends if a != b]
    return columns, pairs, draw(st.sampled_from([None, None, "single"]))


@settings(max_examples=30, deadline=None)
@given(drawn=datasets(), seed=st.integers(0, 9))
def test_split_never_puts_a_group_on_two_sides(
    drawn: tuple[dict[str, list[str]], list[Pair], str | None], seed: int
) -> None:
    columns, pairs, task = drawn
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("sleevenotes.covers.splits.near_duplicates", return_value=pairs),
    ):
        dataset = table(Path(folder), **columns)
        try:
            result = quietly(dataset, task=task, seed=seed)
        except SplitError:  # a genre in one group is drawn too, and refused
            return
        done = reopened(Path(folder))
        assert not groups_on_two_sides(done)
        sides, groups = done.column("split"), done.column("group")
        for name in ("artist", "group"):
            told: dict[str, set[str]] = {}
            for cell, group in zip(columns[name], groups, strict=True):
                told.setdefault(cell, set()).add(group)
            assert all(len(found) == 1 for cell, found in told.items() if cell not in ("", "Various"))
        assert all(groups[pair.a] == groups[pair.b] for pair in pairs)
        # every cover that can be answered has a side, or a reason that is counted
        asked = Task.of(done)
        both = [asked.kind == "binary" and set(asked.genres) <= set(genres) for genres in done.genre_lists]
        answerable = asked.answerable(done.genre_lists) & ~np.array(both)
        assert sum(result.settings["left_out"].values()) == sides.count("")
        clashes = result.settings["left_out"].get("near-duplicates under different genres", 0)
        assert sum(ok and not side for ok, side in zip(answerable, sides, strict=True)) <= clashes
        assert not any(side and not ok for ok, side in zip(answerable, sides, strict=True))
        again = quietly(dataset, task=task, seed=seed, again=True)
        assert again.settings == result.settings
        assert again.dataset.covers.equals(result.dataset.covers)


@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.2), (0.5, 0.2, 0.3)])
def test_split_comes_near_the_fractions_in_every_genre(
    tmp_path: Path, pairs: list[Pair], fractions: tuple[float, float, float]
) -> None:
    genres = [["folk", "jazz", "rock"][index % 3 if index % 2 else 0] for index in range(600)]
    result = quietly(table(tmp_path, genres, artist=[f"a{index // 2}" for index in range(600)]), fractions=fractions)
    assert result.settings["artists"] == "apart"
    for counts in result.settings["counts"].values():
        assert np.allclose(np.array(list(counts.values())) / sum(counts.values()), fractions, atol=0.02)
    assert result.settings["notes"] == []


def test_split_of_another_seed_is_another_split(tmp_path: Path, pairs: list[Pair]) -> None:
    dataset = table(tmp_path, ["folk", "rock"] * 50)
    sides = [quietly(dataset, seed=seed, again=True).dataset.column("split") for seed in (0, 1)]
    assert sides[0] != sides[1]


# The task ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("genres", "options", "task", "asked"),
    [
        (["folk", "jazz", "rock"] * 30, {}, "single", ["folk", "jazz", "rock"]),
        (["folk", "jazz", "rock;folk"] * 30, {}, "multi", ["folk", "jazz", "rock"]),
        (["folk", "jazz", "rock;folk"] * 30, {"task": "single"}, "single", ["folk", "jazz"]),
        (["prog", "other", "other"] * 30, {}, "binary", ["prog", "other"]),
        (["prog", "prog", "not prog"] * 30, {}, "binary", ["prog", "not prog"]),
        (["not_prog", "prog", "prog"] * 30, {}, "binary", ["prog", "not_prog"]),
        (["Everything Else", "prog", "prog"] * 30, {}, "binary", ["prog", "Everything Else"]),
        (["folk", "folk", "rock"] * 30, {}, "binary", ["rock", "folk"]),
        (["folk", "folk", "rock"] * 30, {"genre": "folk"}, "binary", ["folk", "rock"]),
        (["folk", "jazz", "rock"] * 30, {"genre": "Rock"}, "binary", ["rock", "not rock"]),
        (["folk", "rock"] * 30, {"task": "single"}, "single", ["folk", "rock"]),
    ],
)
def test_split_infers_the_task_and_its_genres(
    tmp_path: Path, pairs: list[Pair], genres: list[str], options: dict[str, str], task: str, asked: list[str]
) -> None:
    result = quietly(table(tmp_path, genres), **options)
    assert (result.settings["task"], result.settings["genres"]) == (task, asked)
    assert result.settings["positive"] == (asked[0] if task == "binary" else None)
    assert f"Task {task}" in result.lines[0]
    assert Task.of(reopened(tmp_path)) == Task(result.settings["task"], tuple(asked))


def test_single_leaves_out_covers_and_near_duplicates_under_several_genres_and_says_how_many(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    genres = ["folk", "jazz", "rock"] * 20
    genres[0], genres[1] = "folk;rock", ""
    pairs += [Pair(3, 4, 9, 0.8), Pair(4, 7, 9, 0.8), Pair(0, 6, 9, 0.8), Pair(8, 11, 9, 0.8)]
    result = quietly(table(tmp_path, genres))
    clash = "near-duplicates under different genres"  # 3 is folk, 4 and 7 jazz; 6 is folk like one genre of 0
    assert result.settings["left_out"] == {"several genres": 1, "no genre": 1, clash: 4}
    assert [index for index, side in enumerate(result.dataset.column("split")) if not side] == [0, 1, 3, 4, 6, 7]
    told = "Left out: 1 (several genres), 1 (no genre), 4 (near-duplicates under different genres)."
    assert told in result.lines


def test_binary_asks_one_genre_of_covers_with_several_and_leaves_out_what_contradicts(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    genres = ["prog;rock", "rock", "folk", "prog"] * 20
    pairs += [Pair(0, 1, 9, 0.8), Pair(1, 2, 9, 0.8), Pair(5, 6, 9, 0.8), Pair(4, 7, 9, 0.8)]
    result = quietly(table(tmp_path, genres), genre="prog")
    assert result.settings["genres"] == ["prog", "not prog"]
    assert result.settings["left_out"] == {"near-duplicates under different genres": 3}
    counts = {genre: sum(sides.values()) for genre, sides in result.settings["counts"].items()}
    assert counts == {"prog": 39, "not prog": 38}


def test_multi_does_not_ask_about_rare_genres_and_tells(tmp_path: Path, pairs: list[Pair]) -> None:
    genres = [*["folk;rock", "rock", "folk;jazz"] * 30, *["polka"] * 5]
    result = quietly(table(tmp_path, genres))
    assert result.settings["genres"] == ["folk", "jazz", "rock"]
    told = (
        "1 of 4 genres stand on fewer than 30 covers and are not asked about: polka (5); 5 covers have no other genre."
    )
    assert told in result.lines
    assert (result.settings["min_covers"], result.settings["rare"]) == (30, {"polka": 5})
    assert result.settings["counts"]["folk"]["train"] == 42


METAL = [*["thrash metal", "death metal", "rock;pop"] * 30, *["grindcore;metal"] * 4, "polka"]


def test_multi_counts_covers_of_a_genre_for_its_parents_and_asks_no_word_that_no_cover_bears(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    result = quietly(table(tmp_path, METAL), task="multi")
    assert result.settings["genres"] == ["death metal", "metal", "pop", "rock", "thrash metal"]
    assert {genre: sum(sides.values()) for genre, sides in result.settings["counts"].items()} == {
        "death metal": 30,
        "metal": 64,
        "pop": 30,
        "rock": 94,
        "thrash metal": 30,
    }
    assert result.settings["rare"] == {"grindcore": 4, "polka": 1}
    assert result.settings["genre_tree"] == "default"
    assert ["grindcore", "metal"] in result.settings["tree"]
    assert "electronic" not in str(result.settings["tree"])
    assert "grindcore (4), polka (1); 1 covers have no other genre." in " ".join(result.lines)
    assert Task.of(reopened(tmp_path)).truth([("grindcore",)]).tolist() == [[0, 1, 0, 1, 0]]


def test_multi_without_a_tree_asks_for_genres_as_they_stand(tmp_path: Path, pairs: list[Pair]) -> None:
    result = quietly(table(tmp_path, METAL), task="multi", genre_tree="none")
    assert (result.settings["genre_tree"], result.settings["tree"]) == ("none", [])
    assert sum(result.settings["counts"]["rock"].values()) == 30
    mended = reopened(tmp_path)
    mended.with_columns(genres=[*mended.column("genres")[:-1], "rock"]).write()
    assert quietly(reopened(tmp_path)).settings["tree"] == []
    with pytest.raises(SplitError, match=r"split with another genre tree already\. Add --again"):
        split(reopened(tmp_path), genre_tree=_own_tree(tmp_path))


def _own_tree(folder: Path) -> Path:
    path = folder / "mine.csv"
    path.write_text("child,parent\nthrash metal,loud\ndeath metal,loud\n", encoding="utf-8")
    return path


def test_a_tree_of_ones_own_is_kept_in_the_dataset_and_its_words_are_asked(tmp_path: Path, pairs: list[Pair]) -> None:
    dataset = table(tmp_path / "data", METAL)
    result = quietly(dataset, task="multi", genre_tree=_own_tree(tmp_path))
    assert result.settings["genre_tree"] == "genre-tree.csv"
    assert sum(result.settings["counts"]["loud"].values()) == 60
    assert "metal" in result.settings["rare"]  # the file says that thrash is loud, and nothing else
    again = quietly(reopened(tmp_path / "data"), task="multi", again=True)
    assert again.settings == result.settings
    assert quietly(reopened(tmp_path / "data"), genre_tree=_own_tree(tmp_path)).kept


def test_single_leaves_out_genres_on_few_covers_by_name_where_that_is_wished(tmp_path: Path, pairs: list[Pair]) -> None:
    genres = [*["folk", "jazz", "rock"] * 30, *["polka"] * 7, *["ska"] * 12]
    result = quietly(table(tmp_path, genres), min_covers=20)
    assert result.settings["genres"] == ["folk", "jazz", "rock"]
    assert result.settings["left_out"] == {"a rare genre": 19}
    assert result.settings["rare"] == {"ska": 12, "polka": 7}
    assert "Left out, as they have fewer than 20 covers: ska (12), polka (7)." in result.lines
    assert quietly(reopened(tmp_path), min_covers=20).kept
    with pytest.raises(SplitError, match=r"split with --min-covers 20 already, now with 5\. Add --again"):
        split(reopened(tmp_path), min_covers=5)


def collections(folder: Path, known: dict[str, list[str]]) -> None:
    told = {name: {"genres": genres} for name, genres in known.items()}
    (folder / "collections.json").write_text(json.dumps({"collections": told}), encoding="utf-8")


def test_a_join_keeps_what_each_collection_knows_and_leaves_out_covers_of_which_nothing_is(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    genres = [*["folk;rock", "rock", "folk"] * 20, *["jazz;rock", "jazz", "rock"] * 20, *["prog"] * 20]
    where = [*["one"] * 60, *["two"] * 60, *["three"] * 20]
    known = {"one": ["folk", "rock"], "two": ["jazz", "rock"], "three": ["prog"]}
    dataset = table(tmp_path, genres, collection=where)
    collections(tmp_path, known)
    result = quietly(dataset, task="multi")
    assert result.settings["known"] == known
    assert result.settings["left_out"] == {"nothing known": 20}
    done = reopened(tmp_path)
    truth = Task.of(done).truth_of(done)
    assert set(truth[:60, 1].tolist()) == set(truth[60:120, 0].tolist()) == {-1}
    assert {-1} == set(truth[120:].ravel().tolist())
    assert not any("tell the collection" in note for note in result.settings["notes"])
    collections(tmp_path, known | {"three": ["prog", "rock"]})
    told = quietly(done, task="multi", again=True).settings["notes"]
    assert any("tell the collection instead of the art: rock (three)." in note for note in told)
    (tmp_path / "collections.json").write_text('{"collections": 3}')
    with pytest.raises(
        DatasetError, match=r"collections\.json: collections is 3\. An object was expected\. Join the datasets again"
    ):
        split(done, task="multi", again=True)


def test_keep_test_keeps_the_test_covers_of_a_join_and_takes_their_groups_along(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    before = ["train", "train", "valid", "test"] * 30
    pairs += [Pair(1, 3, 9, 0.9), Pair(4, 6, 9, 0.9)]
    dataset = table(tmp_path, ["folk", "rock"] * 60, split_before=before)
    result = quietly(dataset, keep_test=True)
    sides = result.dataset.column("split")
    assert [index for index, side in enumerate(sides) if side == "test"] == [1, *range(3, 120, 4)]
    assert not groups_on_two_sides(result.dataset)
    assert 8 <= sides.count("valid") <= 14  # an eighth of the rest
    assert "Test is kept: 30 covers, and 1 that are in a group with them." in result.lines
    assert quietly(reopened(tmp_path)).kept
    where = ["one"] * 60 + ["two"] * 60
    mixed = table(tmp_path / "mixed", ["folk", "rock"] * 60, split_before=before[:60] + [""] * 60, collection=where)
    told = quietly(mixed, keep_test=True)
    assert told.settings["covers"]["test"] == 15 + 1 + 12
    assert any("and 12 are drawn from collections without a test" in line for line in told.lines)
    other = table(tmp_path / "other", ["folk", "rock"] * 60)
    with pytest.raises(SplitError, match="no cover is test in the column split_before"):
        split(other, keep_test=True)


# What was there ---------------------------------------------------------------------------------------------------


def test_split_keeps_a_split_that_is_there_unless_again(tmp_path: Path, pairs: list[Pair]) -> None:
    table(tmp_path, ["folk", "rock"] * 50)
    first = quietly(reopened(tmp_path), seed=0)
    second = quietly(reopened(tmp_path), seed=1)
    assert second.kept
    assert second.lines[0].startswith("The split is kept as it is (seed 0); --again")
    assert second.settings == first.settings
    third = quietly(reopened(tmp_path), seed=1, again=True)
    assert not third.kept
    assert third.dataset.column("split") != first.dataset.column("split")


def test_split_keeps_the_sides_of_a_table_that_was_mended(tmp_path: Path, pairs: list[Pair]) -> None:
    table(tmp_path, ["folk", "rock"] * 50)
    sides = quietly(reopened(tmp_path)).dataset.column("split")
    mended = reopened(tmp_path)
    genres = mended.column("genres")
    genres[0], genres[1] = "rock", "rock;folk"
    mended.with_columns(genres=genres).write()
    result = quietly(reopened(tmp_path))
    assert result.kept
    assert result.lines[1].startswith("The table was changed since it was split")
    assert result.dataset.column("split") == [sides[0], "", *sides[2:]]
    assert result.settings["left_out"] == {"several genres": 1}
    assert quietly(reopened(tmp_path)).lines[0].startswith("The split is kept as it is")


def test_split_makes_an_incomplete_split_anew_and_says_so(tmp_path: Path, pairs: list[Pair]) -> None:
    table(tmp_path, ["folk", "rock"] * 50)
    done = quietly(reopened(tmp_path)).dataset
    done.with_columns(split=["", *done.column("split")[1:]]).write()
    result = quietly(reopened(tmp_path))
    assert not result.kept
    assert "made anew" in result.lines[1]
    assert "" not in result.dataset.column("split")


def test_split_keeps_a_split_that_came_with_the_table_and_tells_of_artists_on_two_sides(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    sides = ["train", "train", "train", "valid", "test"] * 20
    artists = [f"artist {index // 5}" for index in range(100)]
    table(tmp_path, ["folk", "rock"] * 50, split=sides, artist=artists)
    result = quietly(reopened(tmp_path))
    assert result.kept
    assert result.dataset.column("split") == sides
    assert result.settings["seed"] is None
    assert result.settings["fractions"] == [0.6, 0.2, 0.2]
    assert result.settings["artists"] == "shared"
    assert any("20 groups are on two sides (100 covers)" in note for note in result.settings["notes"])


def test_split_makes_valid_of_train_where_a_table_came_with_train_and_test(tmp_path: Path, pairs: list[Pair]) -> None:
    sides = ["train", "train", "train", "train", "test"] * 40
    artists = [f"artist {index // 2}" for index in range(200)]
    table(tmp_path, ["folk", "rock"] * 100, split=sides, artist=artists)
    result = quietly(reopened(tmp_path))
    given, now = np.array(sides), np.array(result.dataset.column("split"))
    assert ((now == "test") == (given == "test")).all()
    assert 15 <= (now == "valid").sum() <= 25  # an eighth of the 160
    groups = np.array(result.dataset.groups)
    assert not set(groups[now == "valid"]) & set(groups[now == "train"])
    assert "test is kept, and valid is made of train" in result.lines[1]
    assert any("groups are on two sides" in note for note in result.settings["notes"])
    assert sum(result.settings["fractions"]) == pytest.approx(1)
    assert quietly(reopened(tmp_path)).kept


def test_split_takes_valid_as_test_if_a_table_came_without_one(tmp_path: Path, pairs: list[Pair]) -> None:
    sides = ["train", "train", "train", "train", "valid"] * 40
    table(tmp_path, ["folk", "rock"] * 100, split=sides)
    result = quietly(reopened(tmp_path))
    given, now = np.array(sides), np.array(result.dataset.column("split"))
    assert ((now == "test") == (given == "valid")).all()
    assert 15 <= (now == "valid").sum() <= 25
    assert "no test: its valid is taken as test, and a new valid is made of train" in result.lines[1]
    assert quietly(reopened(tmp_path)).kept


def test_covers_without_any_genre_are_refused_with_what_they_are_for(tmp_path: Path, pairs: list[Pair]) -> None:
    dataset = table(tmp_path, [""] * 12)
    said = r"none of its 12 covers has a genre\. Covers with genres were expected\. .*`predict`, `explain`, `similar`"
    with pytest.raises(DatasetError, match=said):
        split(dataset)
    with pytest.raises(DatasetError, match=said):
        Task.of(dataset)


def test_split_keeps_given_groups_together_and_does_not_take_its_own_for_given(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    given = [f"box {index // 4}" if index < 40 else "" for index in range(100)]
    table(tmp_path, ["folk", "rock"] * 50, group=given)
    result = quietly(reopened(tmp_path))
    assert result.settings["by"] == ["artist", "release", "duplicates", "group"]
    assert result.settings["groups"] == 70
    assert quietly(reopened(tmp_path), again=True).settings["groups"] == 70
    other = table(tmp_path / "other", ["folk", "rock"] * 50, artist=["one", "one", *map(str, range(98))])
    assert quietly(other).settings["groups"] == 99
    again = quietly(reopened(tmp_path / "other"), again=True, by="release")
    assert (again.settings["by"], again.settings["groups"]) == (["release"], 100)


def test_split_writes_what_it_did(tmp_path: Path, pairs: list[Pair]) -> None:
    result = quietly(table(tmp_path, ["folk", "jazz", "rock"] * 40, artist=["Various"] * 120))
    stored = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    assert stored == result.settings
    assert stored["fingerprint"] == reopened(tmp_path).fingerprint
    assert stored["artists"] == "unknown"
    assert stored["covers"] == {"train": 84, "valid": 12, "test": 24}
    assert set(reopened(tmp_path).column("split")) == SIDES


# What it says -----------------------------------------------------------------------------------------------------


def test_split_warns_of_a_small_test_with_its_number(tmp_path: Path, pairs: list[Pair]) -> None:
    with pytest.warns(SleevenotesWarning, match="only 20 covers in test"):
        split(table(tmp_path, ["folk", "rock"] * 50))


def test_split_tells_what_it_could_not_balance(tmp_path: Path, pairs: list[Pair]) -> None:
    genres = ["folk"] * 60 + ["jazz"] * 60 + ["polka"] * 6
    artists = ["prince"] * 50 + [""] * 70 + ["a", "a", "a", "b", "b", "b"]
    notes = quietly(table(tmp_path, genres, artist=artists)).settings["notes"]
    assert notes[0] == "Genres with fewer than 10 covers, too few to learn or to measure: polka (6)."
    assert any("The largest group has 50 covers, more than test should have (25)." in note for note in notes)
    assert any("fewer than 10 covers in test: " in note and "polka (" in note for note in notes)
    assert any("more or less than 20% of their covers in test: " in note for note in notes)


@pytest.mark.parametrize(
    ("genres", "options", "message"),
    [
        (["folk"] * 20, {}, "split: one genre only, 'folk'. Two genres at least"),
        (["folk;rock"] * 20, {"task": "single"}, "split: no cover with one genre. Two genres at least"),
        (
            ["folk", "rock"] * 20,
            {"genre": "rok"},
            "no cover of genre 'rok'. Genres here: folk, rock. Did you mean 'rock'",
        ),
        (["folk", "rock"] * 4, {}, "split: 8 covers. 10 covers at least were expected"),
        (["folk", "rock"] * 20, {"task": "singel"}, "unknown task 'singel'.*Did you mean 'single'"),
        (["folk", "rock"] * 20, {"task": "single", "genre": "rock"}, "One genre goes with `binary`"),
        (["folk", "jazz", "rock"] * 20, {"task": "binary"}, "`binary` with 3 genres.*Name one with --genre"),
        (["folk", "rock"] * 20, {"by": "artist,label"}, "unknown reason 'label'.*artist, release, duplicates"),
        (["folk", "rock"] * 20, {"fractions": (0.7, 0.2, 0.2)}, "'0.7,0.2,0.2' sums to 1.1. A sum of 1"),
        (["folk", "rock"] * 20, {"fractions": (0.7, 0.3)}, "Three numbers between 0 and 1"),
        (["folk;rock", "jazz"] * 10, {}, "0 of 3 genres on 30 covers or more.*--min-covers"),
        (["folk", "jazz", "rock"] * 10, {"min_covers": 11}, "0 of 3 genres on 11 covers or more"),
        (["folk", "rock"] * 20, {"min_covers": 11}, "`binary` has two genres.*Leave out --min-covers"),
    ],
)
def test_split_refuses_in_a_sentence_and_changes_nothing(
    tmp_path: Path, pairs: list[Pair], genres: list[str], options: dict[str, Any], message: str
) -> None:
    dataset = table(tmp_path, genres)
    before = (tmp_path / "metadata.csv").read_bytes()
    with pytest.raises(SplitError, match=message):
        split(dataset, **options)
    assert (tmp_path / "metadata.csv").read_bytes() == before
    assert not (tmp_path / "split.json").exists()


def test_split_refuses_a_genre_in_one_group(tmp_path: Path, pairs: list[Pair]) -> None:
    artists = ["Prince" if index % 2 else "" for index in range(40)]
    with pytest.raises(SplitError, match="all 20 covers of 'rock' lie in one group"):
        split(table(tmp_path, ["folk", "rock"] * 20, artist=artists))


def test_split_refuses_another_task_than_the_split_that_is_there_has(tmp_path: Path, pairs: list[Pair]) -> None:
    quietly(table(tmp_path, ["folk", "jazz", "rock"] * 40))
    with pytest.raises(SplitError, match=r"split for `single` already, now asked for `binary` 'rock'\. Add --again"):
        split(reopened(tmp_path), genre="rock")
    assert quietly(reopened(tmp_path), genre="rock", again=True).settings["positive"] == "rock"
    assert quietly(reopened(tmp_path), genre="Rock").kept


@pytest.mark.parametrize("text", ["", "a,b,c", "0.5,0.5", "1,0,0", "0.6,0.2,0.3"])
def test_parse_fractions_refuses_all_but_three_that_sum_to_one(text: str) -> None:
    with pytest.raises(SplitError, match=r"^fractions: '"):
        parse_fractions(text)
