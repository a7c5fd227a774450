"""Escape sequences in foreign names are shown as text: they must not steer the terminal that they are printed to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import numpy as np
import pytest

from sleevenotes.cli.terminal import print_table, say, tell, tell_warning
from sleevenotes.covers.escapes import shown, shown_json
from sleevenotes.errors import SleevenotesWarning
from sleevenotes.judge.similar import Neighbor, Similar
from sleevenotes.learn.model import Prediction
from sleevenotes.publish.predictions import write_csv, write_json_lines, write_table
from sleevenotes.publish.similar_page import write_csv as write_similar_csv, write_table as write_similar

HOSTILE = "\x1b]0;owned\x07\x1b[31m\x9b2Jfolk\u202e"
SAID = r"\x1b]0;owned\x07\x1b[31m\x9b2Jfolk\u202e"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def is_harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def predicted() -> list[Prediction]:
    return [
        Prediction(f"{HOSTILE}.jpg", np.array([0.75, 0.25]), None),
        Prediction("broken.jpg", None, f"broken.jpg: {HOSTILE}."),
    ]


@pytest.mark.parametrize("write", [write_table, write_csv, write_json_lines])
def test_predictions_are_harmless_in_a_terminal(write):
    out = Terminal()
    write(predicted(), [HOSTILE, "rock"], out, 2)
    assert is_harmless(out.getvalue())
    assert "owned" in out.getvalue()


def test_json_means_the_same_and_a_file_keeps_names_as_they_are():
    lines, table = io.StringIO(), io.StringIO()
    write_json_lines(predicted(), [HOSTILE, "rock"], lines, 1)
    told = json.loads(lines.getvalue().splitlines()[0])
    assert (told["file"], told["genres"][0]["genre"]) == (f"{HOSTILE}.jpg", HOSTILE)
    write_csv(predicted(), [HOSTILE, "rock"], table, 1)
    rows = list(csv.reader(io.StringIO(table.getvalue(), newline="")))
    assert rows[1][:2] == [f"{HOSTILE}.jpg", HOSTILE]


@pytest.mark.parametrize("write", [write_similar, write_similar_csv])
def test_neighbours_are_harmless_in_a_terminal(write):
    near = Neighbor(f"{HOSTILE}.jpg", 0.1, (HOSTILE,), HOSTILE, HOSTILE, "train", "")
    out = Terminal()
    write([Similar("a.jpg", [near], None), Similar(HOSTILE, [], HOSTILE)], out)
    assert is_harmless(out.getvalue())


def test_everything_that_is_said_is_harmless(capsys: pytest.CaptureFixture[str]):
    rows: Sequence[Sequence[str]] = [(HOSTILE, "1"), ("rock", "2")]
    say(f"two lines\n{HOSTILE}")
    print_table(("genre", "n"), rows)
    tell(f"error: {HOSTILE}")
    tell_warning(SleevenotesWarning(HOSTILE), SleevenotesWarning, "", 0)
    out, err = capsys.readouterr()
    assert is_harmless(out)
    assert is_harmless(err)
    assert out.startswith(f"two lines\n{SAID}\n")
    assert err == f"error: {SAID}\nnote: {SAID}\n"
    assert len({len(line) for line in out.splitlines()[3:]}) == 1  # columns are as wide as what is shown


def test_other_letters_stay():
    text = "Björk – 日本の音楽 🤘🏽 r&b/swing “x”"
    assert shown(text) == text
    assert json.loads(shown_json(json.dumps({"a": HOSTILE + text}, ensure_ascii=False))) == {"a": HOSTILE + text}
