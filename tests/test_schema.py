"""Files are checked by a schema: what is wrong is said in a sentence, and nothing else ever comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from hypothesis import given, strategies as st

from sleevenotes.covers import schema
from sleevenotes.covers.schema import Count, Meta, Name, Pixels, Positive, Share, parse_json, read_json, read_rows
from sleevenotes.errors import DatasetError, ModelError, SleevenotesError


class Map(TypedDict):
    kind: Literal["platt", "isotonic"]
    scale: NotRequired[float]


class Card(TypedDict):
    format: int
    name: Name
    size_px: Pixels
    temperature: Positive
    genres: Annotated[list[str], Meta(min_length=1)]
    maps: NotRequired[list[Map] | None]
    counts: NotRequired[dict[str, Count]]


class Row(TypedDict):
    file_name: str
    share: Share
    year: NotRequired[int | None]


GOOD: dict[str, Any] = {
    "format": 1,
    "name": "a",
    "size_px": 64,
    "temperature": 1.0,
    "genres": ["rock"],
    "maps": [{"kind": "platt"}],
    "counts": {"rock": 1},
    "further": [1],
}


def refused(content: str | bytes) -> str:
    with pytest.raises(ModelError) as caught:
        parse_json(content, "model.json", Card, ModelError, "Train it again", newest=1)
    return str(caught.value)


def test_a_fitting_file_is_returned_as_it_is():
    assert parse_json(json.dumps(GOOD), "", Card, ModelError, "", newest=1) == GOOD
    assert parse_json(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "", Card, ModelError, "", newest=1) == GOOD


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": "1"}, "temperature is '1'. A number above 0 was expected"),
        ({"temperature": 0}, "temperature is 0. A number above 0 was expected"),
        ({"size_px": 10**9}, "size_px is 1000000000. A whole number from 1 to 4,096 was expected"),
        ({"genres": []}, "genres is an empty list. A list that is not empty was expected"),
        ({"genres": ["rock", None]}, "genres[1] is null. Text was expected"),
        ({"maps": [{}]}, "maps[0].kind is missing. One of platt, isotonic was expected"),
        ({"maps": [{"kind": "x\x1b]0;"}]}, "maps[0].kind is 'x]0;'. One of platt, isotonic was expected"),
        ({"maps": 3}, "maps is 3. A list or null was expected"),
        ({"counts": {"ro\nck": -1}}, "counts.ro ck is -1. A whole number from 0 to"),
        ({"name": "", "temperature": True}, "name is '' (text that is not empty was expected); temperature is true ("),
        ({"format": 2}, "format 2. At most format 1 is read here. Update sleevenotes"),
        ({"format": "1"}, "format is '1'. A whole number of at least 1 was expected"),
    ],
)
def test_what_does_not_fit_is_said_in_words(change: dict[str, Any], words: str):
    said = refused(json.dumps(GOOD | change))
    assert words in said
    assert said.startswith("model.json: ")
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no valid JSON"),
        ("null", "model.json: null. An object was expected"),
        ("[]", "an empty list. An object was expected"),
        ('{\n"temperature": NaN}', "no valid JSON (line 2): NaN and Infinity are no numbers there"),
        ('{"temperature": 1e999}', "no valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested too deeply. At most 40 levels are read"),
        (b"\xff\xfe{\x00", "no valid JSON"),
        (b"\x00" * 100, "no valid JSON"),
        (json.dumps(GOOD)[:60], "no valid JSON"),
        (json.dumps(GOOD)[:-1] + "} {", "no valid JSON"),
    ],
)
def test_what_is_no_json_is_said(content: str | bytes, words: str):
    assert words in refused(content)


def test_a_file_that_is_missing_empty_or_huge_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "model.json"
    with pytest.raises(ModelError, match=r"model.json: not there. Train it again."):
        read_json(path, Card, ModelError, "Train it again")
    path.write_text(" \n")
    with pytest.raises(ModelError, match=r"an empty file. Train it again."):
        read_json(path, Card, ModelError, "Train it again")
    monkeypatch.setattr(schema, "LARGEST", 100)
    path.write_text(json.dumps(GOOD | {"more": " " * 100}))
    with pytest.raises(ModelError, match=r"At most 100 bytes are read"):
        read_json(path, Card, ModelError, "Train it again")
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"can't be read"):
        read_json(tmp_path, Card, ModelError, "Train it again")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*GOOD, "maps.kind"]), values)
def test_every_value_is_taken_or_refused_with_what_was_expected(key: str, value: Any):
    card = GOOD | ({"maps": [{"kind": value}]} if key == "maps.kind" else {key: value})
    try:
        assert parse_json(json.dumps(card), "model.json", Card, ModelError, "Train it again") == card
        said = "expected"
    except SleevenotesError as error:
        said = error.sentence
    assert "expected" in said  # and not only that it can't be made sense of
    assert said.isprintable()


def rows_of(path: Path, text: str | bytes) -> list[Any]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_rows(path, Row, DatasetError, "Write it again"))


def test_rows_come_with_their_numbers(tmp_path: Path):
    rows = rows_of(tmp_path / "a.csv", "\ufefffile_name,share,year,more\na.jpg,0.5,,x\nb.jpg,1,1999,3\n")
    assert rows == [
        {"file_name": "a.jpg", "share": 0.5, "year": None, "more": "x"},
        {"file_name": "b.jpg", "share": 1.0, "year": 1999, "more": "3"},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty file. A table with file_name and share was expected"),
        ("null", "no column 'file_name' and 'share'"),
        (b"\x00" * 50, "no column 'file_name' and 'share'"),
        ("file_name,file_name,share\n", "two columns of one name"),
        ("file_name,share\na,0.5\nb\n", "row 3: 1 cells, where the table has 2 columns"),
        ("file_name,share\na,x\n", "row 2: share is 'x'. A number from 0 to 1 was expected"),
        ("file_name,share\na,nan\n", "row 2: share is 'nan'"),
        ("file_name,share\na,\n", "row 2: share is ''"),
        ("file_name,share\na,1\n" + "\x00" * 50, "row 3: 1 cells, where the table has 2 columns"),
        ('file_name,share\n"a,1\n', "no CSV table in UTF-8"),
        (b"file_name,share\n\xff,1\n", "no CSV table in UTF-8"),
        ("file_name,share\n" + "a" * 200_000 + ",1\n", "no CSV table in UTF-8"),
    ],
)
def test_what_is_no_such_table_is_said(tmp_path: Path, text: str | bytes, words: str):
    with pytest.raises(DatasetError) as caught:
        rows_of(tmp_path / "a.csv", text)
    assert words in str(caught.value)
