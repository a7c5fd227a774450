"""The game: held-out covers without a name, each answered once, counted against the model and against guessing."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings, strategies as st

from conftest import Run, copy_of
from covers_for_tests import GENRES
from sleevenotes.collect import guesses as store
from sleevenotes.collect.guesses import Guesses, read_guesses
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import encode, probe
from sleevenotes.errors import SleevenotesError
from sleevenotes.learn.model import Model
from sleevenotes.publish.web import game
from sleevenotes.publish.web.problems import Problem, Refusal, answer_problem
from sleevenotes.publish.web.service import Service

API = "/api/v1/game"


def client_of(model: Model, dataset: Dataset | None) -> TestClient:
    app = FastAPI()
    app.state.service = Service(model, dataset)
    app.include_router(game.router)
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(SleevenotesError, answer_problem)
    return TestClient(app)


@pytest.fixture
def client(color_model: Model, copied: Dataset) -> Iterator[TestClient]:
    with client_of(color_model, copied) as found:
        yield found


def begin(client: httpx.Client, nickname: str = "Ada") -> dict[str, Any]:
    answer = client.post(f"{API}/rounds", json={"nickname": nickname})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def say(client: httpx.Client, round: str, number: int, genre: str) -> Any:
    return client.post(f"{API}/rounds/{round}/answers", json={"number": number, "genre": genre})


def sentence(answer: Any, status: int, kind: str) -> str:
    error = Refusal.model_validate(answer.json()).error
    assert (answer.status_code, error.kind) == (status, kind)
    return error.sentence


# ------------------------------------------------------------------------------------------- a round


def test_a_round_is_played_from_its_first_cover_to_its_last(client: TestClient, copied: Dataset):
    begun = begin(client, "  Ada  Lovelace ")
    assert begun | {"round": ""} == {
        "round": "", "nickname": "Ada Lovelace", "covers": 10, "genres": list(GENRES), "number": 1
    }  # fmt: skip
    right = 0
    for number in range(1, 11):
        picture = client.get(f"{API}/rounds/{begun['round']}/covers/{number}/image")
        assert picture.status_code == 200
        assert probe(picture.content, "cover").format == "jpeg"
        judged = say(client, begun["round"], number, "jazz").json()
        assert judged["right"] == (judged["truth"] == ["jazz"])
        assert judged["model"]["right"] == (judged["model"]["genre"] in judged["truth"])
        right += judged["right"]
        assert (judged["score"]["right"], judged["done"]) == (right, number == 10)
    state = client.get(f"{API}/rounds/{begun['round']}").json()
    assert (state["done"], state["number"], state["nickname"]) == (True, 10, "Ada Lovelace")
    assert state["score"] == judged["score"]
    assert [answer["number"] for answer in state["answers"]] == list(range(1, 11))
    assert state["score"]["guessing"] == sum(answer["truth"] == [state["guessing"]] for answer in state["answers"])
    assert {guess.file_name for guess in read_guesses(copied.folder)} <= set(copied.in_split("test").file_names)


def test_the_model_says_in_the_game_what_it_says_elsewhere(client: TestClient, copied: Dataset, color_model: Model):
    begun = begin(client)
    judged = say(client, begun["round"], 3, "folk").json()
    (guess,) = read_guesses(copied.folder)
    (asked,) = color_model.predict([copied.folder / guess.file_name])
    assert [(judged["model"]["genre"], judged["model"]["proba"])] == asked.top(color_model.genres, 1)


def test_a_round_that_was_left_goes_on_where_it_was_after_a_restart(
    client: TestClient, copied: Dataset, color_model: Model
):
    begun = begin(client)
    for number in (1, 3):
        say(client, begun["round"], number, "folk")
    again = client_of(color_model, Dataset.open(copied.folder))
    state = again.get(f"{API}/rounds/{begun['round']}").json()
    assert (state["number"], state["done"], len(state["answers"])) == (2, False, 2)
    assert say(again, begun["round"], 2, "jazz").status_code == 200


def test_an_answer_twice_is_one_answer_and_another_one_is_refused(client: TestClient, copied: Dataset):
    begun = begin(client)
    first = say(client, begun["round"], 1, "folk").json()
    assert say(client, begun["round"], 1, "folk").json() == first
    told = sentence(say(client, begun["round"], 1, "jazz"), 409, "conflict")
    assert "answered already, with 'folk'. One answer a cover was expected. Go on" in told
    assert len(read_guesses(copied.folder)) == 1


def test_many_players_at_once_all_find_their_answers(client: TestClient, copied: Dataset):
    def play(player: int) -> list[str]:
        begun = begin(client, f"player {player}")
        return [say(client, begun["round"], number, "metal").json()["genre"] for number in range(1, 11)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(play, range(8))) == [["metal"] * 10] * 8
    assert len(read_guesses(copied.folder)) == 80


def test_a_cover_is_shown_without_its_name_and_metadata(client: TestClient):
    begun = begin(client)
    picture = client.get(f"{API}/rounds/{begun['round']}/covers/1/image")
    assert "content-disposition" not in picture.headers
    assert b"Exif" not in picture.content


def test_a_large_cover_is_shrunk_and_keeps_its_shape(tmp_path: Path):
    path = tmp_path / "large.png"
    path.write_bytes(encode(np.zeros((1200, 2400, 3), np.uint8), "png"))
    info = probe(game.shown(path), "cover")
    assert (info.width, info.height) == (900, 450)


def test_what_was_answered_over_the_net_is_there_after_kill_9_and_the_round_goes_on(
    copied: Dataset, color_model: Model, sleevenotes: Run
):
    with served(color_model, copied) as (process, address), httpx.Client(base_url=address) as client:
        begun = begin(client, "Ada")
        told = [say(client, begun["round"], number, "jazz").json() for number in (1, 2, 3)]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    said = sleevenotes("people", copied.folder, "--resamples", 100)
    assert "One player gave 3 answers about 3 covers" in said.out
    state = client_of(color_model, Dataset.open(copied.folder)).get(f"{API}/rounds/{begun['round']}").json()
    assert state["number"] == 4
    assert [(each["number"], each["truth"]) for each in state["answers"]] == [
        (each["number"], each["truth"]) for each in told
    ]


@contextmanager
def served(model: Model, dataset: Dataset) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sleevenotes serve` as a process of its own, and its address."""
    words = ["serve", model.folder, "--dataset", dataset.folder, "--port", 0]
    command = [sys.executable, "-m", "sleevenotes", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = ""
        while not address:
            line = process.stdout.readline()
            assert line, "the server ended before it said its address"
            found = re.search(r"http://\S+", line)
            address = found[0].rstrip("/") if found else ""
        yield process, address
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


# ------------------------------------------------------------------------------------------- what is dealt


def rounds_of(client: TestClient, copied: Dataset, nickname: str, count: int) -> list[str]:
    rounds = [begin(client, nickname)["round"] for _ in range(count)]
    opened = Guesses.open(copied.folder)
    names = [cover.file_name for name in rounds for cover in opened.round(name).covers]
    opened.close()
    return names


def test_no_cover_comes_again_before_a_nickname_has_seen_all(client: TestClient, copied: Dataset):
    test = copied.in_split("test").file_names
    assert len(test) == 30
    names = rounds_of(client, copied, "Ada", 4)
    assert Counter(names[:30]) == Counter(test)
    assert len(set(names[30:])) == 10
    assert len(set(rounds_of(client, copied, "Bob", 1))) == 10


def test_of_equal_files_one_is_played_with(copied: Dataset, color_model: Model):
    test = copied.in_split("test").file_names
    digests = list(copied.digests)
    for name in test[1:15]:
        (copied.folder / name).write_bytes((copied.folder / test[0]).read_bytes())
        digests[copied.file_names.index(name)] = digests[copied.file_names.index(test[0])]
    changed = copied.with_columns(sha256=digests)
    names = rounds_of(client_of(color_model, changed), changed, "Ada", 1)
    assert sum(name in test[:15] for name in names) <= 1


def test_no_cover_is_dealt_that_the_model_learnt_from(copied: Dataset, color_model: Model):
    split = ["test" if side == "valid" else side for side in copied.column("split")]
    moved = copied.with_columns(split=split)
    names = rounds_of(client_of(color_model, moved), moved, "Ada", 3)
    assert set(names) == set(copied.in_split("test").file_names)
    swapped = copied.with_columns(split=["test" if side == "train" else "train" for side in copied.column("split")])
    answer = client_of(color_model, swapped).post(f"{API}/rounds", json={"nickname": "Ada"})
    assert "no cover in test that the model has not learnt from. Run `sleeve" in sentence(answer, 409, "conflict")


def test_a_genre_that_was_mended_counts_from_then_on(client: TestClient, copied: Dataset):
    begun = begin(client)
    say(client, begun["round"], 1, "folk")
    mended = copied.with_columns(genres=["folk"] * len(copied))
    client.app.state.service.replace(mended)
    assert say(client, begun["round"], 2, "folk").json()["truth"] == ["folk"]
    first, second = read_guesses(copied.folder)
    assert first.answer.truth == copied.genre_lists[copied.file_names.index(first.file_name)]
    assert second.answer.truth == ("folk",)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(1, 12), st.integers(0, 1000))
def test_what_is_dealt_is_spread_over_genres_as_the_covers_are(genres: list[int], count: int, seed: int):
    strata = np.array(genres)
    dealt = game.drawn(strata, np.zeros(len(strata), int), count, rng=np.random.default_rng(seed))
    assert len(dealt) == len(set(dealt)) == min(count, len(strata))
    for genre in set(genres):
        due = len(dealt) * genres.count(genre) / len(genres)
        assert abs(int((strata[dealt] == genre).sum()) - due) < 1 + 1e-9


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 1000))
def test_what_was_dealt_least_often_is_dealt_first(times: list[int], seed: int):
    before = np.array(times)
    dealt = game.drawn(np.arange(len(before)) % 3, before, 10, rng=np.random.default_rng(seed))
    assert sorted(before[dealt]) == sorted(times)[:10]


def test_the_same_round_deals_the_same_covers(copied: Dataset, color_model: Model):
    deck = game.Deck.of(copied, color_model)
    assert deck.deal("5f0c9a1be27d4c83", {}) == deck.deal("5f0c9a1be27d4c83", {})
    assert deck.deal("5f0c9a1be27d4c83", {}) != deck.deal("5f0c9a1be27d4c84", {})


# ------------------------------------------------------------------------------------------- other tasks


def test_with_several_genres_a_cover_each_of_them_is_right(multi: Dataset, multi_model: Model, tmp_path: Path):
    dataset = copy_of(multi, tmp_path / "multi")
    client = client_of(multi_model, dataset)
    begun = begin(client)
    for number in range(1, 11):
        judged = say(client, begun["round"], number, "folk").json()
        assert judged["right"] == ("folk" in judged["truth"])
        assert judged["model"]["right"] == (judged["model"]["genre"] in judged["truth"])
    assert any(len(answer["truth"]) == 2 for answer in client.get(f"{API}/rounds/{begun['round']}").json()["answers"])


def test_one_genre_or_not_is_a_game_too(binary: Dataset, binary_model: Model, tmp_path: Path):
    dataset = copy_of(binary, tmp_path / "binary")
    begun = begin(client := client_of(binary_model, dataset))
    assert begun["genres"] == ["metal", "not metal"]
    assert say(client, begun["round"], 1, "not metal").json()["truth"] in (["metal"], ["not metal"])


def test_a_model_that_knows_other_genres_takes_part_with_those_it_knows(
    copied: Dataset, color_model: Model, tmp_path: Path
):
    names = {"jazz": "bossa nova", "folk": "folk", "metal": "metal"}
    renamed = copied.with_columns(genres=[names[genres[0]] for genres in copied.genre_lists])
    path = renamed.folder / "split.json"
    path.write_text(json.dumps(copied.settings | {"genres": sorted(names.values())}), encoding="utf-8")
    client = client_of(color_model, renamed)
    begun = begin(client)
    said = [say(client, begun["round"], number, "folk").json() for number in range(1, 11)]
    assert {judged["model"]["genre"] for judged in said} <= {"folk", "metal"}
    path.write_text(json.dumps(copied.settings | {"genres": ["bossa nova", "ska"]}), encoding="utf-8")
    client = client_of(color_model, Dataset(renamed.folder, renamed.covers))
    judged = say(client, begin(client)["round"], 1, "ska").json()
    assert (judged["model"], judged["score"]["model"]) == (None, None)


# ------------------------------------------------------------------------------------------- standing


def test_standing_sets_people_beside_the_model_and_guessing(client: TestClient):
    empty = client.get(f"{API}/standing").json()
    assert (empty["players"], empty["people"]["value"], empty["model"]) == (0, None, None)
    assert empty["expected"] == pytest.approx(1 / 3, abs=0.05)
    scores = []
    for player in ("Ada", "Bob"):
        begun = begin(client, player)
        scores += [say(client, begun["round"], number, "folk").json()["score"] for number in range(1, 11)][-1:]
    found = client.get(f"{API}/standing").json()
    assert (found["players"], found["people"]["n"], found["model"]["n"]) == (2, 20, 20)
    for who, key in (("people", "right"), ("model", "model"), ("guessing", "guessing")):
        assert found[who]["value"] == pytest.approx(sum(score[key] for score in scores) / 20)
        assert found[who]["low"] is None or found[who]["low"] <= found[who]["value"] <= found[who]["high"]
    assert found["people"]["too_few"] is True  # of two players
    assert found["words"] == "Only 2 players: intervals take 5 or more."


# ------------------------------------------------------------------------------------------- refusals


def test_what_is_not_there_is_said_to_be_unknown(client: TestClient, color_model: Model):
    begun = begin(client)
    where = f"{API}/rounds/{begun['round']}"
    assert "there is none of that name. Begin one" in sentence(client.get(f"{API}/rounds/{'0' * 16}"), 404, "unknown")
    assert "the round has 10 covers" in sentence(client.get(f"{where}/covers/11/image"), 404, "unknown")
    assert "the round has 10 covers" in sentence(say(client, begun["round"], 11, "folk"), 404, "unknown")
    alone = client_of(color_model, None).post(f"{API}/rounds", json={"nickname": "Ada"})
    assert "Start it with --dataset DATASET" in sentence(alone, 404, "unknown")


def test_a_genre_that_is_none_of_the_round_is_refused(client: TestClient):
    told = sentence(say(client, begin(client)["round"], 1, "jaz"), 422, "invalid")
    assert "a genre that is none of this round's. Did you mean 'jazz'?" in told


def test_a_nickname_of_nothing_is_refused(client: TestClient):
    answer = client.post(f"{API}/rounds", json={"nickname": " \n"})
    assert "nickname: nothing in it" in sentence(answer, 422, "invalid")


def test_a_cover_that_left_the_dataset_is_no_longer_shown(client: TestClient, copied: Dataset):
    begun = begin(client)
    client.app.state.service.replace(copied.in_split("train"))
    answer = client.get(f"{API}/rounds/{begun['round']}/covers/1/image")
    assert "no cover in test" in sentence(answer, 409, "conflict")
    gone = Guesses.open(copied.folder).round(begun["round"]).covers[0].file_name
    client.app.state.service.replace(copied.where([name != gone for name in copied.file_names]))
    answer = client.get(f"{API}/rounds/{begun['round']}/covers/1/image")
    assert "it is no longer in the dataset. Begin another round." in sentence(answer, 404, "unknown")


def test_a_cover_that_can_no_longer_be_read_is_told_without_its_name(client: TestClient, copied: Dataset):
    begun = begin(client)
    found = Guesses.open(copied.folder).round(begun["round"])
    (copied.folder / found.covers[0].file_name).write_bytes(b"spoilt")
    answer = client.get(f"{API}/rounds/{begun['round']}/covers/1/image")
    assert "it can't be read" in sentence(answer, 404, "unknown")
    assert found.covers[0].file_name not in answer.text
    assert say(client, begun["round"], 1, "folk").json()["model"] is None


def test_a_store_that_others_hold_is_busy_and_says_when_to_come_again(
    client: TestClient, copied: Dataset, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "BUSY_S", 0.05)
    begun = begin(client)
    other = Guesses.open(copied.folder)
    other._connection.execute("BEGIN IMMEDIATE")
    answer = say(client, begun["round"], 1, "folk")
    assert "others have been writing" in sentence(answer, 503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    other._connection.execute("ROLLBACK")
    other.close()
    assert say(client, begun["round"], 1, "folk").status_code == 200


def test_every_answer_of_the_game_is_documented(client: TestClient):
    paths = client.app.openapi()["paths"]
    assert len(paths) == 5
    for path, verbs in paths.items():
        for told in verbs.values():
            kinds = {"409", "503"} if path.endswith("standing") else {"409", "422", "503"}
            assert kinds <= set(told["responses"])
            assert told["summary"]
