from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from finished import finished
from sleevenotes.publish.caveats import caveats, telling_files
from sleevenotes.publish.results import Results, read


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    run = finished(tmp_path_factory.mktemp("run"), covers=100)
    return read(**run.everything)


def said(results: Results, **evaluation: Any) -> dict[str, str]:
    return dict(caveats(replace(results, evaluation={**results.evaluation, **evaluation})))


def test_the_usual_caveats_are_told_with_their_numbers(results: Results) -> None:
    told = said(results)
    assert "20 covers" in told["The test is small."]
    assert "Fewer than 30 covers in the test: ambient (4)" in told["Some genres are hardly there."]
    assert "All 100 covers" in told["One collection."]
    assert "5 covers stand under several genres" in told["Genres are opinions."]
    assert "--folds 5" in told["It was trained once."]


def test_artists_are_spoken_of_unless_they_are_apart(results: Results) -> None:
    assert "most of the covers" in said(results, artists="unknown")["Artists are unknown."]
    assert "It has seen some of the artists." in said(results, artists="shared")
    assert not any("rtist" in heading for heading in said(results, artists="apart"))


def test_stale_figures_are_told(results: Results) -> None:
    other = {"name": "x", "fingerprint": "0" * 64}
    assert "evaluate` again" in said(results, dataset=other)["The figures are older than the dataset."]
    assert "The figures are of an earlier model." in said(results, model_sha256="0" * 64)
    foreign = replace(results, card={**results.card, "dataset": {"fingerprint": "0" * 64}})
    assert "The model comes from elsewhere." in said(foreign)
    own = replace(
        results, card={**results.card, "dataset": {"fingerprint": results.dataset.in_split("train").fingerprint}}
    )
    assert "The model comes from elsewhere." not in said(own)


def test_other_splits_and_many_looks_at_the_test_are_told(results: Results) -> None:
    assert "“valid”" in said(results, split="valid")["This is not the test split."]
    assert "scored 7 times" in said(replace(results, scorings=7))["The test has been looked at before."]
    assert "The test has been looked at before." not in said(replace(results, scorings=1))


def test_changed_genres_and_replaced_covers_are_told(results: Results) -> None:
    words = "8 of 20 test genres were changed after this model answered, 8 towards its answer."
    assert said(results, edits={"words": words})["The test was edited."].startswith(words)
    assert said(results, replaced=3)["Covers were replaced."].startswith("3 of the 20 covers that were judged")
    assert not {"The test was edited.", "Covers were replaced."} & set(said(results, edits=None, replaced=0))


def test_covers_that_the_model_knows_are_told_whether_they_were_kept_or_left_out(results: Results) -> None:
    kept = said(results, known={"kept": 3, "left_out": 0, "words": "Among these covers are 3."})
    assert kept["It may know some of these covers."] == "Among these covers are 3."
    left_out = said(results, known={"kept": 0, "left_out": 2, "words": "2 covers were left out."})
    assert left_out["Covers that it knows were left out."] == "2 covers were left out."
    nothing = said(results, known={"kept": 0, "left_out": 0, "words": ""})
    assert not {"It may know some of these covers.", "Covers that it knows were left out."} & set(nothing)


def test_a_narrow_interval_is_luck_and_none_is_said_to_be_none(results: Results) -> None:
    narrow = {"value": 0.4, "low": 0.39, "high": 0.41}
    assert "39\N{NO-BREAK SPACE}% or 41" in said(results, accuracy=narrow)["Luck is in every figure."]
    assert "The test is small." in said(results, accuracy={"value": 0.4, "low": None, "high": None})


def test_folds_spare_a_caveat(results: Results) -> None:
    assert "It was trained once." not in said(results, folds={"k": 5})


def test_files_that_give_the_genre_away_are_told(results: Results) -> None:
    assert "do not tell the genres apart" in said(results)["Shortcuts are not ruled out."]
    widths = ["600" if "rock" in genres else "300" for genres in results.dataset.genre_lists]
    planted = replace(results, dataset=results.dataset.with_columns(width=widths))
    # rock by its size, one of the other four by chance
    assert "of the genres can be named" in said(planted)["The files give the genres away."]


def test_telling_files_worked_by_hand() -> None:
    # of 1, 3, 5: a is rock, b is folk, rock is the commonest; right about 0 (a rock), 2 (b folk), not about 4 (a folk)
    # of 0, 2, 4: a is folk (first by name), b is folk, folk is the commonest; right about 3 (b folk) alone
    values, genres = list("aabbaa"), ["rock", "rock", "folk", "folk", "folk", "rock"]
    assert telling_files(values, genres) == (3 / 6, 2 / 6)
    assert telling_files([], []) == (0.0, 0.0)


@given(st.lists(st.sampled_from(["rock", "folk", "soul"]), max_size=60))
def test_files_that_are_all_alike_tell_nothing(genres: list[str]) -> None:
    telling, guessing = telling_files(["300×300 .jpg"] * len(genres), genres)
    assert telling == guessing


@given(st.lists(st.sampled_from(["rock", "folk", "soul"]), max_size=60))
def test_files_that_are_all_different_tell_nothing(genres: list[str]) -> None:
    telling, guessing = telling_files([str(at) for at in range(len(genres))], genres)
    assert telling == guessing


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["rock", "folk"])), max_size=60))
def test_telling_files_are_shares(covers: list[tuple[str, str]]) -> None:
    shares = telling_files([value for value, _ in covers], [genre for _, genre in covers])
    assert all(0 <= share <= 1 for share in shares)


def test_every_kind_of_task_has_caveats(tmp_path: Path) -> None:
    make: Callable[..., Any] = finished
    for task, genres in (("binary", ("prog", "not prog")), ("multi", ("folk", "rock", "soul"))):
        run = make(tmp_path / task, task=task, genres=genres, covers=60)
        told = dict(caveats(read(**run.everything)))
        assert {"One collection.", "Genres are opinions.", "The figures are for this mix of genres."} <= told.keys()
        json.dumps(told)
