"""Errors read as one sentence, whatever they are made of."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sleevenotes.errors import DatasetError, SleevenotesError, did_you_mean


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("a table with file_name and genres", "A table with file_name and genres was expected."),
        ("train, valid, test or all", "Train, valid, test or all was expected."),
        ("train and valid", "Train and valid were expected."),
        ("weights of mobilenet", "Weights of mobilenet were expected."),
        ("some of folk, rock", "Some of folk, rock were expected."),
        ("10 covers at least", "10 covers at least were expected."),
        ("Known are folk, rock", "Known are folk, rock."),
        ("", ""),
    ],
)
def test_what_was_expected_is_said_in_english(expected, told):
    assert str(SleevenotesError("here", "nothing", expected)) == f"here: nothing. {told}".strip()


@given(
    st.tuples(st.text(max_size=20), st.sampled_from(["", "a cover", "a cover."]), st.sampled_from(["", "Go. ", "Why?"]))
)
def test_a_sentence_never_ends_in_two_stops(parts):
    found, expected, cure = parts
    told = str(SleevenotesError("here", found, expected, cure))
    assert not told.endswith(("..", ". .", "?.", " "))


def test_the_first_ten_problems_are_shown_and_the_others_counted():
    told = str(DatasetError("metadata.csv", "bad rows", problems=[f"row {row}: bad" for row in range(2, 15)]))
    assert told.count("row ") == 10
    assert told.endswith("… and 3 more")


def test_only_a_near_word_is_meant():
    assert did_you_mean("prock", ["rock", "folk"]) == "Did you mean 'rock'?"
    assert did_you_mean("zzz", ["rock", "folk"]) == ""
