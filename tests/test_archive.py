"""The covers of a dataset over the API: found, shown, laid out, mended, and never by a path."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from covers_for_tests import draw
from sleevenotes.collect.guesses import read_guesses
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import decode, encode, probe, sha256
from sleevenotes.covers.mending import PENDING_NAME, mend
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError
from sleevenotes.judge import cover_map as cover_maps
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.learn import exporting
from sleevenotes.learn.bundles import loaded
from sleevenotes.learn.model import Model
from sleevenotes.publish.export import export_bundle
from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.browsing import SORTS, Shelf, Wish, artist_count, found, genre_counts, shelved
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.thumbs import Thumbs
from training_for_tests import quickly

API = "/api/v1"


@pytest.fixture(scope="module")
def judged(color_model: Model, single: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation of a model on the dataset that tests change a copy of."""
    folder = tmp_path_factory.mktemp("judged")
    evaluate(color_model, single, folder, resamples=20)
    return folder


@pytest.fixture
def client(color_model: Model, copied: Dataset, judged: Path) -> Iterator[TestClient]:
    with TestClient(make_app(Service(color_model, copied, judged), Limits())) as opened:
        yield opened


@pytest.fixture(scope="module")
def bundle(color_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The model as `export` gives it away: with neither card nor head, and no names of its training covers."""
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    with quickly(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "CHECKED_COVERS", 4)
        patch.setattr(exporting, "DRAWN_PX", 32)
        export_bundle(color_model, folder)
    return loaded(folder)


def ask(client: TestClient, path: str, **query: Any) -> Any:
    answer = client.get(API + path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: Any, status: int, kind: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["kind"] == kind
    return str(error["sentence"])


# --- what is looked for, without a server -----------------------------------------------------------------------------


def table_of(covers: int, **columns: Callable[[int], str]) -> Dataset:
    names = {"file_name": lambda at: f"images/{at:06d}.jpg", "genres": lambda at: ["folk", "jazz", "metal"][at % 3]}
    return from_columns(
        Path("nowhere"), {k: [make(at) for at in range(covers)] for k, make in (names | columns).items()}
    )


def shelf_of(dataset: Dataset, said: dict[str, tuple[str, float]], task: Task | None = None) -> Shelf:
    ids = [Service.id_of(name) for name in dataset.file_names]
    return shelved(dataset, ids, said, task or Task("single", ("folk", "jazz", "metal")))


SIX = table_of(
    6,
    artist=lambda at: ["Zoë", "abba", "", "Abba", "BÖC", "=1+1"][at],
    year=lambda at: ["1977", "", "1969", "1980", "1977", ""][at],
    split=lambda at: ["train", "test", "test", "", "test", "valid"][at],
)
SAID = {SIX.file_names[1]: ("jazz", 0.9), SIX.file_names[2]: ("folk", 0.4), SIX.file_names[4]: ("jazz", 0.6)}


@pytest.mark.parametrize(
    ("wish", "rows"),
    [
        (Wish(), [0, 1, 2, 3, 4, 5]),
        (Wish(genre="jazz"), [1, 4]),
        (Wish(genre="polka"), []),
        (Wish(split="test"), [1, 2, 4]),
        (Wish(split="none"), [3]),
        (Wish(verdict="right"), [1, 4]),
        (Wish(verdict="wrong"), [2]),
        (Wish(verdict="unseen"), [0, 3, 5]),
        (Wish(least=0.5), [1, 4]),
        (Wish(most=0.6), [2, 4]),
        (Wish(least=0.6, most=0.6), [4]),
        (Wish(artist="ABBA"), [1, 3]),
        (Wish(artist="böc"), [4]),
        (Wish(words="abba folk"), [3]),
        (Wish(words="1977"), [0, 4]),
        (Wish(predicted="jazz", verdict="wrong"), []),
        (Wish(genre="metal", predicted="folk"), [2]),
    ],
)
def test_only_what_is_looked_for_is_found(wish: Wish, rows: list[int]):
    assert found(shelf_of(SIX, SAID), wish).tolist() == rows


@pytest.mark.parametrize(
    ("sort", "descending", "rows"),
    [
        ("proba", False, [2, 4, 1, 0, 3, 5]),
        ("proba", True, [1, 4, 2, 0, 3, 5]),
        ("year", False, [2, 0, 4, 3, 1, 5]),
        ("correct", False, [1, 4, 2, 0, 3, 5]),
        ("split", True, [4, 2, 1, 5, 0, 3]),
        ("artist", False, [5, 1, 3, 4, 0, 2]),
        ("genre", False, [0, 3, 1, 4, 2, 5]),
    ],
)
def test_covers_about_which_nothing_is_known_come_last_either_way(sort: Any, descending: bool, rows: list[int]):
    assert found(shelf_of(SIX, SAID), Wish(), sort=sort, descending=descending).tolist() == rows


def test_the_rest_of_two_genres_can_be_looked_for():
    shelf = shelf_of(SIX, {SIX.file_names[0]: ("not metal", 0.8)}, Task("binary", ("metal", "not metal")))
    assert found(shelf, Wish(genre="not metal")).tolist() == [0, 1, 3, 4]
    assert found(shelf, Wish(verdict="right")).tolist() == [0]
    assert dict(genre_counts(shelf)) == {"folk": 2, "jazz": 2, "metal": 2, "not metal": 4}
    assert artist_count(shelf) == 4


def test_a_parent_in_the_tree_has_its_childrens_covers():
    task = Task("multi", ("folk", "rock"), (("jazz", "rock"),))
    shelf = shelf_of(SIX, {SIX.file_names[1]: ("rock", 0.8)}, task)
    assert found(shelf, Wish(genre="rock")).tolist() == [1, 4]
    assert found(shelf, Wish(verdict="right")).tolist() == [1]


def test_a_genre_that_a_collection_never_names_is_neither_right_nor_wrong(tmp_path: Path):
    write_json(tmp_path / "split.json", {"task": "multi", "genres": ["folk", "jazz", "rock"], "known": {"a": ["folk"]}})
    columns = {"file_name": ["1", "2", "3"], "genres": ["folk"] * 3, "collection": ["a", "a", "b"]}
    dataset = from_columns(tmp_path, columns)
    shelf = shelf_of(
        dataset, {"1": ("rock", 0.8), "2": ("folk", 0.9), "3": ("rock", 0.7)}, Task("multi", ("folk", "jazz", "rock"))
    )
    assert [found(shelf, Wish(verdict=verdict)).tolist() for verdict in ("unseen", "right", "wrong")] == [[0], [1], [2]]


def test_ten_thousand_covers_are_searched_quickly():
    dataset = table_of(10_000, artist=lambda at: f"artist {at % 997}", split=lambda at: ["train", "test"][at % 2])
    shelf = shelf_of(dataset, {name: ("folk", at / 10_000) for at, name in enumerate(dataset.file_names[::2])})
    wish = Wish(genre="folk", split="train", least=0.1, artist="artist 1", words="images folk")
    for sort in SORTS:
        found(shelf, wish, sort=sort)
    started = time.process_time()
    for _ in range(10):
        found(shelf, wish, sort="proba", descending=True)
    assert time.process_time() - started < 10 * 0.05  # some 5 ms a question; the rest is for a slow machine


# --- browsing ---------------------------------------------------------------------------------------------------------


def test_pages_follow_one_another_and_hold_what_the_evaluation_says(client: TestClient, judged: Path, copied: Dataset):
    first = ask(client, "/covers", limit=150)
    second = ask(client, "/covers", limit=150, offset=150)
    assert (first["total"], second["offset"], len(second["covers"])) == (200, 150, 50)
    covers = {cover["file_name"]: cover for cover in first["covers"] + second["covers"]}
    assert list(covers) == copied.file_names
    with (judged / "predictions.csv").open(encoding="utf-8", newline="") as file:
        answers = {row["file_name"]: row for row in csv.DictReader(file)}
    for name, cover in covers.items():
        answer = answers.get(name)
        assert cover["predicted"] == (answer["predicted"] if answer else None)
        assert cover["proba"] == pytest.approx(float(answer["confidence"]) if answer else None, abs=1e-6)
        assert cover["correct"] == (answer["correct"] == "1" if answer else None)
    assert ask(client, "/covers", verdict="unseen")["total"] == 200 - len(answers)


def test_each_cell_of_the_confusion_opens_as_many_covers(client: TestClient):
    confusion = ask(client, "/model")["confusion"]
    for genre, row in zip(confusion["genres"], confusion["counts"], strict=True):
        for predicted, count in zip(confusion["genres"], row, strict=True):
            assert ask(client, "/covers", genre=genre, predicted=predicted, limit=0)["total"] == count


def test_facets_tell_by_what_covers_can_be_found(client: TestClient):
    facets = ask(client, "/facets")
    assert facets["splits"] == ["train", "valid", "test"]
    assert (facets["artists"], facets["sorts"]) == (100, list(SORTS))
    for each in facets["genres"]:
        assert ask(client, "/covers", genre=each["genre"], limit=0)["total"] == each["covers"] > 0


def test_an_evaluation_that_was_made_since_is_seen(color_model: Model, copied: Dataset, tmp_path: Path):
    evaluate(color_model, copied, tmp_path / "results", resamples=20)
    with TestClient(make_app(Service(color_model, copied, tmp_path / "results"), Limits())) as client:
        asked = {split: ask(client, "/covers", split=split, limit=0)["total"] for split in ("valid", "test")}
        assert ask(client, "/covers", split="valid", verdict="unseen", limit=0)["total"] == asked["valid"]
        evaluate(color_model, copied, tmp_path / "results", split="valid", resamples=20)
        assert ask(client, "/covers", split="valid", verdict="unseen", limit=0)["total"] == 0
        assert ask(client, "/covers", split="test", verdict="unseen", limit=0)["total"] == asked["test"]


def test_an_evaluation_of_another_model_says_nothing_of_these_covers(small_model: Model, copied: Dataset, judged: Path):
    with TestClient(make_app(Service(small_model, copied, judged), Limits())) as client:
        assert ask(client, "/covers", verdict="unseen")["total"] == 200
        told = ask(client, "/model")
    assert told["figures"] is None
    assert "is of another model" in told["missing"][0]


def test_a_bundle_has_the_results_of_the_model_that_it_was_made_of(
    bundle: Model, client: TestClient, copied: Dataset, judged: Path, color_model: Model
):
    with TestClient(make_app(Service(bundle, copied, judged), Limits())) as other:
        for verdict in ("right", "wrong", "unseen"):
            assert ask(other, "/covers", verdict=verdict)["covers"] == ask(client, "/covers", verdict=verdict)["covers"]
        told, expected = ask(other, "/model"), ask(client, "/model")
        for key in ("verdict", "missing", "figures", "confusion"):
            assert told[key] == expected[key]
        looked = "The test has been looked at before."  # that stands in a log that does not travel
        assert told["caveats"] == [each for each in expected["caveats"] if each["heading"] != looked]
        assert (told["card"]["dataset"], told["card"]["seed"]) == ("single", expected["card"]["seed"])
        cover = ask(other, f"/covers/{Service.id_of(copied.file_names[0])}")
        assert (cover["error"], cover["known"]) == (None, "same file as a training cover")
        assert ask(other, f"/covers/{cover['id']}/similar")["similar"]
        assert "exported from" in refused(other.get(f"{API}/covers/{cover['id']}/explain"), 400, "bad_request")
        begun = other.post(f"{API}/game/rounds", json={"nickname": "Ada"}).json()
        other.post(f"{API}/game/rounds/{begun['round']}/answers", json={"number": 1, "genre": "folk"})
    (guess,) = read_guesses(copied.folder)
    assert guess.answer.model_sha256 == sha256((color_model.folder / "model.json").read_bytes())


@pytest.mark.parametrize(
    "query", [{"sort": "nothing"}, {"limit": 1001}, {"offset": -1}, {"least": 2}, {"verdict": "?"}]
)
def test_a_question_that_is_none_is_refused_in_a_sentence(client: TestClient, query: dict[str, Any]):
    assert next(iter(query)) in refused(client.get(f"{API}/covers", params=query), 422, "invalid")


def test_without_a_dataset_the_archive_says_so(color_model: Model):
    with TestClient(make_app(Service(color_model, None), Limits())) as client:
        for path in ("/covers", "/facets", "/map", "/changes", "/covers/0f343b0931126a20"):
            told = refused(client.get(API + path), 404, "unknown")
            assert told == "serve: no dataset is served. Start it with --dataset DATASET."


# --- one cover --------------------------------------------------------------------------------------------------------


def test_a_cover_has_all_that_is_known_of_it(client: TestClient, color_model: Model, copied: Dataset):
    sides = {copied.column("split")[row]: row for row in range(len(copied))}
    for split, row in sides.items():
        cover = ask(client, f"/covers/{Service.id_of(copied.file_names[row])}")
        (expected,) = color_model.predict([copied.path(row)])
        assert expected.proba is not None
        told = {each["genre"]: each["proba"] for each in cover["genres_proba"]}
        assert [told[genre] for genre in color_model.genres] == pytest.approx(expected.proba.tolist(), abs=1e-6)
        assert (cover["file_name"], cover["split"]) == (copied.file_names[row], split)
        assert cover["known"] == (None if split == "test" else "same file as a training cover")
        assert cover["changes"] == []


def test_a_cover_is_shown_as_a_jpeg_and_not_sent_twice(client: TestClient, copied: Dataset):
    name = Service.id_of(copied.file_names[0])
    (copied.path(0)).write_bytes(encode(np.zeros((600, 300, 3), np.uint8), "png"))
    thumb = client.get(f"{API}/covers/{name}/image")
    full = client.get(f"{API}/covers/{name}/image", params={"size": "full"})
    assert thumb.headers["content-type"] == full.headers["content-type"] == "image/jpeg"
    assert decode(thumb.content).shape == (256, 128, 3)
    assert decode(full.content).shape == (600, 300, 3)  # never enlarged
    again = client.get(f"{API}/covers/{name}/image", headers={"If-None-Match": thumb.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    copied.path(0).write_bytes(encode(np.zeros((30, 30, 3), np.uint8), "png"))
    changed = client.get(f"{API}/covers/{name}/image", headers={"If-None-Match": thumb.headers["etag"]})
    assert probe(changed.content, "thumb").width == 30


def test_a_cover_that_is_gone_or_broken_is_told_without_its_path(client: TestClient, copied: Dataset):
    broken, gone = copied.file_names[:2]
    copied.path(0).write_bytes(copied.path(0).read_bytes()[:200])
    copied.path(1).unlink()
    for name in (broken, gone):
        told = refused(client.get(f"{API}/covers/{Service.id_of(name)}/image"), 422, "bad_cover")
        assert told.startswith(name)
        assert str(copied.folder) not in told
        cover = ask(client, f"/covers/{Service.id_of(name)}")
        assert cover["genres_proba"] == []
        assert cover["error"].startswith(name)


def test_a_file_that_can_not_be_read_is_told_as_a_cover_that_is_none(client: TestClient, copied: Dataset):
    copied.path(0).unlink()
    copied.path(0).mkdir()
    told = refused(client.get(f"{API}/covers/{Service.id_of(copied.file_names[0])}/image"), 422, "bad_cover")
    assert told.startswith(copied.file_names[0])


@pytest.mark.parametrize("name", ["../../etc/passwd", "%2e%2e%2fsplit.json", "0000.png", "0" * 16, "x" * 16, "%00"])
def test_no_path_reaches_the_disk(client: TestClient, name: str):
    for path in (f"/covers/{name}", f"/covers/{name}/image", f"/covers/{name}/similar", f"/covers/{name}/explain"):
        answer = client.get(API + path)
        assert answer.status_code in (404, 422)
        assert answer.json()["error"]["sentence"]


def test_similar_covers_are_others_with_the_genres_that_they_have_now(client: TestClient, copied: Dataset):
    name = Service.id_of(copied.file_names[0])
    told = ask(client, f"/covers/{name}/similar", top=5)["similar"]
    assert len(told) == 5
    assert name not in {each["id"] for each in told}
    assert len(ask(client, f"/covers/{name}/similar", top=100)["similar"]) == 100
    other = "jazz" if told[0]["genres"] != ["jazz"] else "folk"
    answer = client.patch(f"{API}/covers/{told[0]['id']}", json={"genres": [other], "who": "ann"})
    assert answer.status_code == 200
    assert ask(client, f"/covers/{name}/similar", top=5)["similar"][0]["genres"] == [other]


def test_where_the_model_looks_is_drawn(small_model: Model, copied: Dataset, client: TestClient):
    name = Service.id_of(copied.file_names[0])
    with quickly(), TestClient(make_app(Service(small_model, copied), Limits())) as other:
        told = ask(other, f"/covers/{name}/explain", genre="jazz")
        assert (told["genre"], told["file"]) == ("jazz", copied.file_names[0])
        assert told["overlay"].startswith("data:image/jpeg;base64,")
        assert "polka" in refused(
            other.get(f"{API}/covers/{name}/explain", params={"genre": "polka"}), 400, "bad_request"
        )
    assert "sees colours" in refused(client.get(f"{API}/covers/{name}/explain"), 400, "bad_request")


# --- pictures in memory -----------------------------------------------------------------------------------------------


def test_pictures_keep_to_their_budget(tmp_path: Path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{at}.png" for at in range(6)]
    for path in paths:
        path.write_bytes(encode(draw(0, rng), "png"))
    size = len(Thumbs().picture(paths[0], "0", "thumb").data)
    thumbs = Thumbs(budget_bytes=int(size * 3.5))
    for path in [*paths, *paths[::-1], *paths]:
        kept = thumbs.picture(path, path.name, "thumb").data
        assert kept == Thumbs().picture(path, path.name, "thumb").data
        assert 0 < thumbs.kept_bytes <= thumbs.budget_bytes
    small = Thumbs(budget_bytes=10)
    small.picture(paths[0], "0", "thumb")
    assert small.kept_bytes == 0


# --- mending ----------------------------------------------------------------------------------------------------------


def test_a_genre_is_mended_logged_and_undone(client: TestClient, copied: Dataset):
    name = Service.id_of(copied.file_names[0])
    made = client.patch(f"{API}/covers/{name}", json={"genres": ["Jazz"], "who": " Ann\u202e "}).json()
    assert made["genres"] == ["jazz"]
    assert made["change"]["before"] == ["folk"]
    assert (made["change"]["who"], made["change"]["change"]) == ("Ann", 1)
    assert Dataset.open(copied.folder).genre_lists[0] == ("jazz",)
    assert ask(client, f"/covers/{name}")["changes"] == [made["change"]]
    back = client.post(f"{API}/changes/1/undo", json={"who": "Ben"}).json()
    assert (back["genres"], back["change"]["undoes"]) == (["folk"], 1)
    assert Dataset.open(copied.folder).genre_lists[0] == ("folk",)
    told = ask(client, "/changes")["changes"]
    assert [(each["change"], each["undone"]) for each in told] == [(2, False), (1, True)]
    assert ask(client, "/changes", limit=1)["changes"] == told[:1]
    assert ask(client, "/covers/" + Service.id_of(copied.file_names[1]))["changes"] == []


def test_a_mended_genre_moves_the_verdict_and_the_counts(client: TestClient, copied: Dataset):
    wrong = ask(client, "/covers", verdict="wrong")["covers"]
    assert wrong, "a model that is never wrong"
    cover = wrong[0]
    before = {each["genre"]: each["covers"] for each in ask(client, "/facets")["genres"]}
    made = client.patch(f"{API}/covers/{cover['id']}", json={"genres": [cover["predicted"]], "who": "ann"}).json()
    assert made["correct"] is True
    after = {each["genre"]: each["covers"] for each in ask(client, "/facets")["genres"]}
    assert after[cover["predicted"]] == before[cover["predicted"]] + 1
    assert ask(client, "/covers", verdict="wrong", limit=0)["total"] == len(wrong) - 1


@pytest.mark.parametrize(
    ("asked", "status", "kind", "told"),
    [
        ({"genres": ["jaz"], "who": "ann"}, 400, "bad_request", "Did you mean 'jazz'?"),
        ({"genres": ["jazz", "metal"], "who": "ann"}, 400, "bad_request", "A cover has one genre here"),
        ({"genres": ["jazz"], "who": " \u200b "}, 400, "bad_request", "no nickname"),
        ({"genres": ["folk"], "who": "ann"}, 409, "conflict", "is folk already"),
        ({"genres": ["jazz"], "who": "ann", "before": ["metal"]}, 409, "conflict", "its genres are folk by now"),
        ({"genres": [], "who": "ann"}, 422, "invalid", "genres"),
        ({"genres": ["jazz"]}, 422, "invalid", "who"),
        ({"genres": ["jazz"], "who": "x" * 201}, 422, "invalid", "who"),
    ],
)
def test_what_can_not_be_mended_is_refused(client: TestClient, copied: Dataset, asked, status, kind, told):
    name = Service.id_of(copied.file_names[0])
    assert told in refused(client.patch(f"{API}/covers/{name}", json=asked), status, kind)
    assert Dataset.open(copied.folder).genre_lists[0] == ("folk",)


def test_what_was_mended_elsewhere_is_a_conflict_and_then_seen(client: TestClient, copied: Dataset):
    name = Service.id_of(copied.file_names[0])
    assert ask(client, f"/covers/{name}")["genres"] == ["folk"]
    mend(copied, copied.file_names[0], genres=["metal"], who="another process")
    asked = {"genres": ["jazz"], "who": "ann"}
    assert "is metal by now" in refused(client.patch(f"{API}/covers/{name}", json=asked), 409, "conflict")
    assert ask(client, f"/covers/{name}")["genres"] == ["metal"]
    assert client.patch(f"{API}/covers/{name}", json=asked).status_code == 200


def test_undoing_what_is_not_there_or_gone_is_refused(client: TestClient, copied: Dataset):
    name = Service.id_of(copied.file_names[0])
    assert "there is none" in refused(client.post(f"{API}/changes/1/undo", json={"who": "ann"}), 404, "unknown")
    for genre in ("jazz", "metal"):
        client.patch(f"{API}/covers/{name}", json={"genres": [genre], "who": "ann"})
    told = refused(client.post(f"{API}/changes/1/undo", json={"who": "ann"}), 409, "conflict")
    assert "its genres are metal by now" in told


def test_a_dataset_that_can_not_be_written_is_told(client: TestClient, copied: Dataset, monkeypatch):
    def refuse(self: Dataset) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Dataset, "write", refuse)
    asked = {"genres": ["jazz"], "who": "ann"}
    answer = client.patch(f"{API}/covers/{Service.id_of(copied.file_names[0])}", json=asked)
    assert "can't be written" in refused(answer, 403, "forbidden")
    assert ask(client, "/changes")["changes"] == []


def test_a_server_finishes_what_one_before_it_had_begun(color_model: Model, copied: Dataset):
    name = copied.file_names[0]
    _, change = mend(copied, name, genres=["jazz"], who="ann")
    Dataset(copied.folder, copied.covers).write()  # as if killed between log and table
    write_json(copied.folder / PENDING_NAME, vars(change))
    service = Service.found(color_model.folder, copied.folder)
    assert service.dataset.genre_lists[0] == Dataset.open(copied.folder).genre_lists[0] == ("jazz",)


def test_a_server_finishes_what_a_killed_one_beside_it_had_begun(client: TestClient, copied: Dataset):
    name = copied.file_names[0]
    assert ask(client, f"/covers/{Service.id_of(name)}")["genres"] == ["folk"]
    _, change = mend(copied, name, genres=["jazz"], who="ann")
    Dataset(copied.folder, copied.covers).write()  # as if killed between log and table
    write_json(copied.folder / PENDING_NAME, vars(change))
    cover = ask(client, f"/covers/{Service.id_of(name)}")
    assert (cover["genres"], len(cover["changes"])) == (["jazz"], 1)
    assert Dataset.open(copied.folder).genre_lists[0] == ("jazz",)


def test_of_two_who_have_seen_the_same_genre_only_the_first_changes_it(client: TestClient, copied: Dataset):
    name = copied.file_names[0]
    assert ask(client, f"/covers/{Service.id_of(name)}")["genres"] == ["folk"]
    holdings, answers = client.app.state.holdings, []  # type: ignore[attr-defined]
    asked = {"genres": ["jazz"], "who": "ben", "before": ["folk"]}
    second = threading.Thread(
        target=lambda: answers.append(client.patch(f"{API}/covers/{Service.id_of(name)}", json=asked))
    )
    with holdings._mending:  # the first one is at it
        second.start()
        second.join(0.3)
        holdings.service.replace(mend(copied, name, genres=["metal"], who="ann")[0])
    second.join()
    assert "its genres are metal by now" in refused(answers[0], 409, "conflict")
    assert Dataset.open(copied.folder).genre_lists[0] == ("metal",)


def test_several_who_mend_at_once_lose_nothing(client: TestClient, copied: Dataset):
    names = copied.file_names[:9:3]  # all of them folk
    answers: list[int] = []

    def turn(name: str) -> None:
        asked = {"genres": ["jazz"], "who": name}
        answers.append(client.patch(f"{API}/covers/{Service.id_of(name)}", json=asked).status_code)

    threads = [threading.Thread(target=turn, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200, 200, 200]
    assert ask(client, "/covers", genre="folk", limit=0)["total"] == copied.column("genres").count("folk") - 3


# --- the map ----------------------------------------------------------------------------------------------------------


def write_map(folder: Path, model: Model, dataset: Dataset) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sha = sha256((model.folder / "model.json").read_bytes())
    told = {"model_sha256": sha, "dataset": {"covers": len(dataset)}, "layout": "t-SNE", "words": "A map."}
    write_json(folder / "map.json", told)
    rows = [f"{name},0.25,{row / len(dataset):.4f},folk,test" for row, name in enumerate(dataset.file_names[:50])]
    (folder / "map.csv").write_text("\n".join(["file_name,x,y,genres,split", *rows, ""]))


def test_the_map_of_the_results_is_shown_with_the_genres_of_now(color_model: Model, copied: Dataset, tmp_path: Path):
    write_map(tmp_path / "results", color_model, copied)
    with TestClient(make_app(Service(color_model, copied, tmp_path / "results"), Limits())) as client:
        name = Service.id_of(copied.file_names[0])
        client.patch(f"{API}/covers/{name}", json={"genres": ["jazz"], "who": "ann"})
        told = ask(client, "/map")
    assert (told["method"], told["words"], len(told["points"])) == ("t-SNE", "A map.", 50)
    first = told["points"][0]
    assert (first["id"], first["genre"], first["x"], first["split"]) == (name, "jazz", 0.25, "train")


def made(client: TestClient) -> Any:
    """The map, or the problem, once it is no longer being made."""
    for _ in range(200):
        answer = client.get(f"{API}/map")
        if answer.status_code != 503:
            return answer
        assert int(answer.headers["retry-after"]) > 0
        time.sleep(0.02)
    raise AssertionError("no map")


def test_a_map_that_is_not_there_is_made_in_the_background_once(client, copied, color_model, monkeypatch):
    calls = []

    def slowly(model: Model, dataset: Dataset, out: Path) -> None:
        calls.append(out)
        time.sleep(0.1)
        write_map(out, model, dataset)

    monkeypatch.setattr(cover_maps, "cover_map", slowly)
    told = refused(client.get(f"{API}/map"), 503, "busy")
    assert "the map is being made" in told
    assert len(made(client).json()["points"]) == 50
    assert calls == [copied.cache / "map"]
    with TestClient(make_app(Service(color_model, copied), Limits())) as again:
        assert len(ask(again, "/map")["points"]) == 50  # kept in the dataset's cache


def test_a_bundle_has_the_map_of_the_model_that_it_was_made_of(
    bundle: Model, color_model: Model, copied: Dataset, tmp_path: Path
):
    write_map(tmp_path / "results", color_model, copied)
    with TestClient(make_app(Service(bundle, copied, tmp_path / "results"), Limits())) as client:
        assert len(ask(client, "/map")["points"]) == 50


def test_a_map_that_does_not_fit_what_is_served_is_told_and_not_made_again(client, copied, small_model, monkeypatch):
    calls = []

    def of_another(_: Model, dataset: Dataset, out: Path) -> None:
        calls.append(out)
        write_map(out, small_model, dataset)

    monkeypatch.setattr(cover_maps, "cover_map", of_another)
    for _ in range(2):
        assert "Start the server again" in refused(made(client), 400, "bad_request")
    assert len(calls) == 1


def test_a_map_that_can_not_be_made_is_told(client: TestClient, monkeypatch):
    def refuse(*_: object) -> None:
        raise EvaluationError("dataset", "2 covers with a genre that the model knows", "3 or more, to make a map")

    monkeypatch.setattr(cover_maps, "cover_map", refuse)
    assert "3 or more" in refused(made(client), 400, "bad_request")


# --- the description --------------------------------------------------------------------------------------------------


def test_every_route_is_described(client: TestClient):
    paths = ask(client, "/openapi.json")["paths"]
    ours = {path: each for path, each in paths.items() if path.split("/")[3] in ("covers", "facets", "map", "changes")}
    assert len(ours) == 9
    for methods in ours.values():
        for told in methods.values():
            assert told["description"].endswith(".")
            assert "404" in told["responses"]


def test_names_from_outside_are_told_as_they_are(client: TestClient, color_model: Model, copied: Dataset):
    hostile = "<img src=x onerror=alert(1)>"
    dataset = copied.with_columns(artist=[hostile] * len(copied))
    with TestClient(make_app(Service(color_model, dataset), Limits())) as other:
        answer = other.get(f"{API}/covers", params={"artist": "<IMG", "limit": 1})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["covers"][0]["artist"] == hostile
    assert answer.json()["total"] == 200


def test_of_a_path_with_several_methods_all_are_named(client: TestClient):
    answer = client.delete(f"{API}/covers/0f343b0931126a20")
    assert "It takes GET, PATCH" in refused(answer, 405, "wrong_method")
    assert answer.headers["allow"] == "GET, PATCH"
