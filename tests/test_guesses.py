"""The store of what people guessed: nothing that was acknowledged is lost, and no cover is answered twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sleevenotes.collect import guesses as store
from sleevenotes.collect.guesses import Answer, Dealt, Guesses, cleaned, read_guesses
from sleevenotes.errors import DatasetError, SleevenotesError, StoreBusy
from sleevenotes.judge.people import Answers

GENRES = ("folk", "jazz")
COVERS = [Dealt(f"images/{number:02d}.jpg", f"{number:064x}") for number in range(10)]


def said(guess: str = "folk") -> Answer:
    return Answer(("folk",), guess, "small", "0" * 64, "jazz", 0.6)


def begin(guesses: Guesses, nickname: str = "Ada") -> str:
    return guesses.start(nickname, GENRES, commonest="jazz", choose=lambda name, times: COVERS).round


@pytest.fixture
def guesses(tmp_path: Path):
    opened = Guesses.open(tmp_path)
    yield opened
    opened.close()


# ------------------------------------------------------------------------------------------- what is kept


def test_a_round_is_given_back_as_it_was_begun_and_answered(guesses: Guesses, tmp_path: Path):
    name = begin(guesses)
    assert guesses.answer(name, 2, said("jazz")) == said("jazz")
    found = guesses.round(name)
    assert found is not None
    assert (found.nickname, found.genres, found.commonest, list(found.covers)) == ("Ada", GENRES, "jazz", COVERS)
    assert found.answers == {2: said("jazz")}
    (guess,) = read_guesses(tmp_path)
    assert (guess.player, guess.round, guess.number, guess.file_name) == (1, 1, 2, "images/01.jpg")
    assert guess.answer == said("jazz")


def test_the_first_answer_to_a_cover_stays(guesses: Guesses):
    name = begin(guesses)
    guesses.answer(name, 1, said("jazz"))
    assert guesses.answer(name, 1, said("folk")).guess == "jazz"
    assert len(guesses.all()) == 1


def test_a_player_is_known_again_by_the_nickname_in_any_letters(guesses: Guesses):
    dealt: list[dict[str, int]] = []
    for nickname in ("Ada", "ADA", "Bob"):
        guesses.start(
            nickname, GENRES, commonest="jazz", choose=lambda name, times: dealt.append(dict(times)) or COVERS
        )
    assert [sum(times.values()) for times in dealt] == [0, 10, 0]


def test_a_round_that_is_not_there_is_none_and_takes_no_answer(guesses: Guesses):
    assert guesses.round("0" * 16) is None
    with pytest.raises(DatasetError, match="an answer to what was never asked"):
        guesses.answer("0" * 16, 1, said())
    with pytest.raises(DatasetError, match="A cover of a round was expected"):
        guesses.answer(begin(guesses), 11, said())


def test_nothing_of_a_person_is_kept_but_the_nickname_and_the_minute(guesses: Guesses, tmp_path: Path):
    guesses.answer(begin(guesses, "Ada"), 1, said())
    with sqlite3.connect(tmp_path / store.STORE_NAME) as raw:
        columns = {
            table: [column for _, column, *_ in raw.execute(f"PRAGMA table_info({table})")]
            for (table,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        (when,) = raw.execute("SELECT answered FROM answers").fetchone()
    raw.close()
    assert columns["players"] == ["player", "nickname", "folded"]
    assert not {"address", "agent", "ip"} & {column for names in columns.values() for column in names}
    assert len(when) == len("2026-01-01T10:00Z")


@given(st.text(max_size=60))
def test_a_nickname_is_one_short_line_or_refused(typed: str):
    try:
        kept = cleaned(typed)
    except SleevenotesError:  # nothing in it, or too much
        return
    assert 0 < len(kept) <= store.MAX_NICKNAME
    assert kept == cleaned(kept)
    assert kept.isprintable()


def test_a_nickname_of_nothing_or_too_much_is_refused_with_what_to_do():
    with pytest.raises(
        SleevenotesError, match=r"nickname: nothing in it. A name of your choice was expected. Any will do"
    ):
        cleaned(" \u200b\n")
    with pytest.raises(SleevenotesError, match=r"nickname: 41 letters. At most 40 are kept. Shorten it."):
        cleaned("a" * 41)


def test_answers_come_in_the_order_in_which_they_were_given_whichever_round_was_begun_first(
    guesses: Guesses, monkeypatch: pytest.MonkeyPatch
):
    first, second = begin(guesses), begin(guesses)  # a player comes back to a round that was left open
    for minute, name, genre in (("10:01", second, "jazz"), ("10:02", first, "folk")):
        monkeypatch.setattr(store, "_now", lambda minute=minute: f"2026-01-01T{minute}Z")
        guesses.answer(name, 1, said(genre))
    assert [guess.answer.guess for guess in guesses.all()] == ["jazz", "folk"]
    assert Answers.of(guesses.all()).guesses[0].answer.guess == "jazz"  # before the cover's genre was told


# ------------------------------------------------------------------------------------------- refusals


def test_where_nobody_has_played_it_says_how_to(tmp_path: Path):
    words = rf"{tmp_path}: nobody has played yet\. Start `sleevenotes serve MODEL --dataset {tmp_path}`.*#/play"
    with pytest.raises(DatasetError, match=words):
        read_guesses(tmp_path)
    opened = Guesses.open(tmp_path)
    begin(opened)
    opened.close()
    with pytest.raises(DatasetError, match=words):
        read_guesses(tmp_path)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path):
    Guesses.open(tmp_path).close()
    with sqlite3.connect(tmp_path / store.STORE_NAME) as raw:
        raw.execute("PRAGMA user_version = 2")
    raw.close()
    for reading in (Guesses.open, read_guesses):
        with pytest.raises(DatasetError, match=r"format 2. At most format 1 is read here. Update sleevenotes"):
            reading(tmp_path)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path):
    (tmp_path / store.STORE_NAME).write_text("file_name,genres\n" * 100, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"no store of answers .* Move it away"):
        Guesses.open(tmp_path)


def test_who_waits_too_long_for_others_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "BUSY_S", 0.05)
    slow, waiting = Guesses.open(tmp_path), Guesses.open(tmp_path)
    name = begin(slow)
    slow._connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match=r"others have been writing .* Try again in a moment"):
        waiting.answer(name, 1, said())
    slow._connection.execute("ROLLBACK")
    assert waiting.answer(name, 1, said()) == said()
    slow.close()
    waiting.close()


# ------------------------------------------------------------------------------------------- several at once

PLAYING = """
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(sys.argv[2])))
from test_guesses import begin, play, said
from sleevenotes.collect.guesses import Guesses
guesses = Guesses.open(pathlib.Path(sys.argv[1]))
"""
PLAY = "play(guesses, sys.argv[3])"
ANSWER_AND_WAIT = """
name = begin(guesses)
for number in range(1, 8):
    guesses.answer(name, number, said())
    print(name, number, flush=True)
sys.stdin.read()
"""


def play(guesses: Guesses, tag: str) -> None:
    """Play four rounds on each of four threads, each answer given twice."""

    def rounds(thread: int) -> None:
        for _ in range(4):
            name = begin(guesses, f"{tag} {thread}")
            for number in range(1, len(COVERS) + 1):
                guesses.answer(name, number, said("folk"))
                assert guesses.answer(name, number, said("jazz")).guess == "folk"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rounds, range(4)))


def process(tmp_path: Path, what: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PLAYING + what, str(tmp_path), str(Path(__file__).parent), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_of_several_threads_lose_nothing_and_answer_nothing_twice(tmp_path: Path):
    others = [process(tmp_path, PLAY, tag) for tag in ("a", "b")]
    assert [other.wait(60) for other in others] == [0, 0]
    for other in others:
        other.communicate()
    found = read_guesses(tmp_path)
    assert len(found) == 2 * 4 * 4 * 10
    assert set(Counter((guess.round, guess.number) for guess in found).values()) == {1}
    assert {guess.answer.guess for guess in found} == {"folk"}
    assert len({guess.player for guess in found}) == 8


def test_eight_threads_that_answer_one_cover_get_one_answer(guesses: Guesses):
    name, start = begin(guesses), threading.Barrier(8)

    def answer(thread: int) -> str:
        start.wait()
        return guesses.answer(name, 1, said(GENRES[thread % 2])).guess

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(answer, range(8)))) == 1
    assert len(guesses.all()) == 1


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path):
    other = process(tmp_path, ANSWER_AND_WAIT)
    told = [other.stdout.readline().split() for _ in range(7)]
    os.kill(other.pid, signal.SIGKILL)
    other.wait(10)
    other.communicate()
    assert [guess.number for guess in read_guesses(tmp_path)] == [int(number) for _, number in told]
    again = Guesses.open(tmp_path)
    assert again.answer(told[0][0], 8, said()) == said()
    again.close()
    assert len(read_guesses(tmp_path)) == 8


def test_two_rounds_begun_at_once_do_not_get_the_same_covers(guesses: Guesses):
    def choose(name: str, times: dict[str, int]) -> list[Dealt]:
        return [cover for cover in COVERS if cover.sha256 not in times][:2]

    with ThreadPoolExecutor(5) as pool:
        rounds = pool.map(lambda _: guesses.start("Ada", GENRES, commonest="jazz", choose=choose), range(5))
    dealt = [cover for found in rounds for cover in found.covers]
    assert sorted(dealt) == COVERS
