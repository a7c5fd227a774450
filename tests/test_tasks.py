"""Three kinds of task: which covers have a truth under each, and which."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sleevenotes.covers.dataset import from_columns
from sleevenotes.covers.tasks import Task, mask_unknown
from sleevenotes.errors import DatasetError, SplitError

GENRES = ("folk", "jazz", "rock")
SINGLE, MULTI = Task("single", GENRES), Task("multi", GENRES)
BINARY = Task("binary", ("jazz", "not jazz"))


def test_single_asks_for_the_one_genre_that_a_cover_has():
    assert SINGLE.truth([("rock",), ("folk",)]).tolist() == [2, 0]
    answerable = SINGLE.answerable([("rock",), ("rock", "folk"), ("polka",), ()])
    assert answerable.tolist() == [True, False, False, False]


def test_binary_asks_for_one_genre_wherever_it_stands_and_the_rest_is_the_rest():
    assert BINARY.truth([("jazz",), ("rock", "jazz"), ("rock",), ("polka",)]).tolist() == [0, 0, 1, 1]
    assert BINARY.answerable([("polka",), ()]).tolist() == [True, False]
    between_two = Task("binary", ("folk", "rock"))
    assert between_two.answerable([("folk",), ("rock",), ("folk", "rock")]).tolist() == [True, True, False]


def test_multi_asks_for_each_genre_by_itself():
    assert MULTI.truth([("rock", "folk"), ("polka",)]).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert MULTI.answerable([("polka",), ()]).tolist() == [True, False]


@pytest.mark.parametrize("task", [SINGLE, BINARY, MULTI])
def test_no_covers_have_no_truth_and_nothing_breaks(task: Task):
    assert task.answerable([]).shape == (0,)
    assert len(task.truth([])) == 0


@given(st.lists(st.lists(st.sampled_from(GENRES), min_size=1, max_size=3, unique=True), min_size=1, max_size=8))
def test_the_truth_in_words_leads_back_to_the_truth(genre_lists: list[list[str]]):
    for task in (SINGLE, MULTI):
        lists = [genres for genres, told in zip(genre_lists, task.answerable(genre_lists), strict=True) if told]
        if lists:
            truth = task.truth(lists)
            assert np.array_equal(task.truth([named.split(";") for named in task.named(truth)]), truth)
    assert set(BINARY.named(BINARY.truth(genre_lists))) <= set(BINARY.genres)


def test_the_task_of_a_dataset_is_what_split_found(tmp_path: Path):
    columns = {"file_name": ["a"], "genres": ["jazz"]}
    with pytest.raises(SplitError, match=r"not split yet\. Train, valid and test .* Run `sleevenotes split "):
        Task.of(from_columns(tmp_path, columns))
    (tmp_path / "split.json").write_text(json.dumps({"task": "binary", "genres": ["jazz", "not jazz"]}))
    assert Task.of(from_columns(tmp_path, columns)) == BINARY


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"seed": 1}, r"task is missing \(one of single, binary, multi was expected\); genres is missing .* --again"),
        ({"task": "ternary", "genres": ["a"]}, r"task is 'ternary'\. One of single, binary, multi was expected"),
        ({"task": "single", "genres": []}, r"genres is an empty list\. A list that is not empty was expected"),
    ],
)
def test_settings_that_were_spoilt_are_told(tmp_path: Path, spoilt: dict[str, object], words: str):
    (tmp_path / "split.json").write_text(json.dumps(spoilt))
    with pytest.raises(DatasetError, match=words):
        Task.of(from_columns(tmp_path, {"file_name": ["a"], "genres": ["jazz"]}))


# Several genres at once -------------------------------------------------------------------------------------------

TREE = (("bebop", "jazz"), ("jazz rock", "jazz"), ("jazz rock", "rock"), ("skiffle", "folk"))


def test_a_cover_of_a_genre_is_one_of_its_parents_whether_or_not_they_are_named():
    task = Task("multi", GENRES, TREE)
    assert task.truth([("jazz rock",), ("bebop", "folk"), ("polka",), ("rock",)]).tolist() == [
        [0, 1, 1],
        [1, 1, 0],
        [0, 0, 0],
        [0, 0, 1],
    ]
    assert Task("multi", ("metal", "rock"), (("thrash", "metal"), ("metal", "rock"))).truth([("thrash",)]).all()


@given(st.lists(st.lists(st.sampled_from([*GENRES, "bebop", "skiffle", "jazz rock"]), max_size=4), max_size=6))
def test_a_tree_only_ever_adds_genres(genre_lists: list[list[str]]):
    assert (Task("multi", GENRES, TREE).truth(genre_lists) >= MULTI.truth(genre_lists)).all()


def test_a_genre_that_a_collection_never_names_is_unknown_there_and_not_absent(tmp_path: Path):
    columns = {
        "file_name": ["a", "b", "c", "d"],
        "genres": ["jazz", "bebop;rock", "folk", "rock"],
        "collection": ["one", "one", "two", "elsewhere"],
    }
    settings = {"task": "multi", "genres": list(GENRES), "tree": [["bebop", "jazz"]]}
    (tmp_path / "split.json").write_text(json.dumps(settings | {"known": {"one": ["jazz", "rock"], "two": ["folk"]}}))
    dataset = from_columns(tmp_path, columns)
    task = Task.of(dataset)
    assert task.tree == (("bebop", "jazz"),)
    assert task.truth_of(dataset).tolist() == [[-1, 1, 0], [-1, 1, 1], [1, -1, -1], [0, 0, 1]]
    assert task.truth(dataset.genre_lists).tolist() == [[0, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1]]
    assert Task("single", GENRES).truth_of(dataset.where([True, False, True, True])).tolist() == [1, 0, 2]


def test_what_is_unknown_says_nothing_of_the_cover_not_even_yes():
    truth = mask_unknown(np.array([[1, 1]]), ["jazz", "rock"], ["one"], {"one": ["rock"], "two": []})
    assert truth.tolist() == [[-1, 1]]
    assert Task("multi", ("jazz", "rock")).named(truth) == ["rock"]
