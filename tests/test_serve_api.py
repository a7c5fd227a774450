"""The API: the numbers of the command line, one shape for what goes wrong, limits that say so."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, encode
from sleevenotes.errors import CoverError
from sleevenotes.judge.colors import palette as palette_of
from sleevenotes.learn.model import Model
from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.batching import Lane
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.problems import Problem
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.shelf import shelf
from training_for_tests import quickly

API = "/api/v1"


@pytest.fixture(scope="module")
def service(small_model: Model, single: Dataset) -> Service:
    return Service(small_model, single)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(make_app(service, Limits())) as found:
        yield found


def files(*covers: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{number}.png", data)) for number, data in enumerate(covers)]


@pytest.mark.parametrize("count", [1, 3, 40])
def test_proba_are_those_of_the_model_whatever_the_batch(client: TestClient, service: Service, single, count: int):
    covers = [path.read_bytes() for path in single.paths[:count]]
    told = client.post(f"{API}/predict", files=files(*covers)).json()
    assert (told["model"], told["task"]) == (service.model.name, "single")
    assert [each["file"] for each in told["predictions"]] == [f"{number}.png" for number in range(count)]
    for each, expected in zip(told["predictions"], service.model.predict(covers), strict=True):
        proba = {one["genre"]: one["proba"] for one in each["genres"]}
        assert expected.proba is not None
        assert [proba[genre] for genre in service.model.genres] == pytest.approx(expected.proba.tolist(), abs=1e-6)
        assert each["risk"] == pytest.approx(service.caution().risk(expected.proba), abs=1e-6)
        assert sorted(proba.values(), reverse=True) == list(proba.values())


def test_top_max_risk_and_coverage_are_as_on_the_command_line(client: TestClient, sleevenotes, service, single):
    path = single.path(0)
    line = json.loads(
        sleevenotes("predict", service.model.folder, path, "--json", "--max-risk", 0, "--coverage", 0.9).out
    )
    asked = {"top": 2, "max_risk": 0, "coverage": 0.9}
    (told,) = client.post(f"{API}/predict", params=asked, files=files(path.read_bytes())).json()["predictions"]
    assert (told["cant_tell"], told["set"]) == (line["cant_tell"], line["set"])
    assert told["cant_tell"].startswith("risk ")
    assert told["risk"] == pytest.approx(line["risk"], abs=1e-6)
    assert len(told["genres"]) == 2  # there all the same, for the page to show dimly


def test_one_broken_cover_among_others_has_its_sentence_and_none_at_all_is_a_problem(client: TestClient, single):
    good = single.path(0).read_bytes()
    told = client.post(f"{API}/predict", files=files(good, b"<html>", good)).json()["predictions"]
    assert [each["error"] is None for each in told] == [True, False, True]
    assert told[1]["error"] == "1.png: an HTML page. A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected."
    assert (told[1]["genres"], told[1]["risk"]) == ([], None)
    answer = client.post(f"{API}/predict", files=files(b"", b"<html>"))
    assert answer.status_code == 422
    assert answer.json()["error"] == {
        "kind": "bad_cover",
        "where": "0.png",
        "found": "an empty file",
        "expected": "A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected",
        "cure": "",
        "sentence": "0.png: an empty file. A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected.",
    }


def test_an_explanation_has_three_square_pictures_of_one_size(client: TestClient, service: Service, single: Dataset):
    wide = encode(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8), "png")
    for genre in (None, service.model.genres[2]):
        with quickly():  # the network of the model is a tiny one
            told = client.post(f"{API}/explain", params={"genre": genre} if genre else {}, files=files(wide)).json()
        assert told["genre"] == (genre or told["predicted"])
        assert (told["mapped"], told["file"]) == (1.0, "0.png")
        shapes = set()
        for name in ("cover", "heat", "overlay"):
            head, _, data = told[name].partition(",")
            assert head in ("data:image/jpeg;base64", "data:image/png;base64")
            shapes.add(decode(base64.b64decode(data)).shape)
        assert shapes == {(448, 448, 3)}
    answer = client.post(f"{API}/explain", params={"genre": "jaz"}, files=files(wide))
    assert answer.status_code == 400
    assert "genre 'jaz' is unknown to this model" in answer.json()["error"]["sentence"]
    assert "Did you mean 'jazz'?" in answer.json()["error"]["sentence"]


def test_similar_covers_begin_with_the_very_same_file(client: TestClient, single: Dataset):
    told = client.post(f"{API}/similar", params={"top": 3}, files=files(single.path(7).read_bytes())).json()
    assert len(told["similar"]) == 3
    first = told["similar"][0]
    assert (first["file_name"], first["relation"], first["distance"]) == (single.file_names[7], "same file", 0)
    assert first["id"] == Service.id_of(single.file_names[7])
    assert len(first["id"]) == 16


def test_a_palette_is_that_of_the_colours_page(client: TestClient):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:16] = (255, 0, 0)
    told = client.post(f"{API}/palette", files=files(encode(pixels, "png"))).json()
    assert told["colors"] == [{"hex": "#000000", "share": 0.75}, {"hex": "#ff0000", "share": 0.25}]
    assert [each["hex"] for each in palette_of(pixels[None], 5)] == [each["hex"] for each in told["colors"]]


def test_health_and_genres_tell_what_is_served(client: TestClient, service: Service, single: Dataset):
    health = client.get(f"{API}/health").json()
    assert (health["status"], health["has_dataset"], health["covers"]) == ("ok", True, len(single))
    told = client.get(f"{API}/genres").json()
    assert [each["genre"] for each in told["genres"]] == list(service.model.genres)
    assert sum(each["covers"] for each in told["genres"]) == len(single)


def test_genres_of_binary_and_multi_count_covers_too(binary_model, binary, multi_model, multi):
    with TestClient(make_app(Service(binary_model, binary), Limits())) as asked:
        first, second = asked.get(f"{API}/genres").json()["genres"]
        assert first["covers"] + second["covers"] == len(binary)
    with TestClient(make_app(Service(multi_model, multi), Limits())) as asked:
        told = asked.get(f"{API}/genres").json()
        assert told["task"] == "multi"
        assert all(0 < each["threshold"] < 1 for each in told["genres"])


def test_a_genre_with_others_below_it_has_as_many_covers_as_browsing_finds(multi_model: Model, multi: Dataset):
    tree = [["jazz", "folk"]]
    model = Model(multi_model.folder, {**multi_model.card, "tree": tree}, multi_model.head)
    with TestClient(make_app(Service(model, multi), Limits())) as asked:
        told = {each["genre"]: each["covers"] for each in asked.get(f"{API}/genres").json()["genres"]}
        found = asked.get(f"{API}/covers", params={"genre": "folk", "limit": 0}).json()["total"]
    assert told["folk"] == found == sum(not {"folk", "jazz"}.isdisjoint(each) for each in multi.genre_lists)


def test_without_a_dataset_that_is_said(color_model: Model):
    with TestClient(make_app(Service(color_model, None), Limits())) as asked:
        assert asked.get(f"{API}/health").json()["has_dataset"] is False
        assert {each["covers"] for each in asked.get(f"{API}/genres").json()["genres"]} == {None}
        cover = encode(np.zeros((8, 8, 3), np.uint8), "png")
        answer = asked.post(f"{API}/similar", files=files(cover))
        assert answer.status_code == 404
        assert answer.json()["error"]["sentence"] == "serve: no dataset is served. Start it with --dataset DATASET."
        answer = asked.post(f"{API}/explain", files=files(cover))
        assert answer.status_code == 400
        assert "sees colours without their places" in answer.json()["error"]["sentence"]


def test_metrics_count_requests_batches_and_covers(service: Service, single: Dataset):
    with TestClient(make_app(service, Limits())) as asked:
        data = single.path(0).read_bytes()
        asked.post(f"{API}/predict", files=files(data, data, b"broken"))
        asked.get("/nowhere")
        answer = asked.get(f"{API}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'sleevenotes_requests_total{route="/api/v1/predict",method="POST",status="200"} 1',
        'sleevenotes_requests_total{route="none",method="GET",status="404"} 1',
        'sleevenotes_request_seconds_count{route="/api/v1/predict"} 1',
        "sleevenotes_batch_covers_sum 2",
        'sleevenotes_covers_total{outcome="answered"} 2',
        'sleevenotes_covers_total{outcome="unreadable"} 1',
        "sleevenotes_requests_in_flight 1",
        "sleevenotes_upload_bytes 0",
    ):
        assert line in answer.text.splitlines()


@pytest.mark.parametrize(
    ("limits", "covers", "status", "told"),
    [
        (Limits(max_bytes=50), 1, 413, "0.png: too many bytes. No more than 50 bytes are taken. Scale it down."),
        (Limits(max_files=2), 3, 413, "form: more than 2 covers. Send them one after the other."),
        (Limits(max_pixels=100), 1, 413, "0.png: 48 × 48 pixels, 0.0 megapixels."),
        (Limits(max_elongation=0.5), 1, 422, "0.png: a strip of 48 × 48 pixels."),
        (Limits(max_memory_bytes=500), 1, 503, "serve: other covers fill its memory. Ask again in a while."),
        (Limits(waiting=2), 3, 503, "serve: 0 covers wait already, and it takes 2. Ask again in a while."),
        (Limits(concurrent=0), 1, 429, "serve: 0 requests with covers are worked on already. Ask again."),
        (Limits(requests=0), 1, 429, "serve: 0 requests are in flight already. Ask again."),
        (Limits(answer_s=0), 1, 503, "serve: no answer within 0 s. Ask again in a while."),
        (Limits(max_files=1, max_bytes=10, max_text_bytes=10), 1, 413, "request: its body has more than 20 bytes."),
    ],
)
def test_over_each_limit_there_is_a_sentence_and_when_to_ask_again(
    service: Service, single: Dataset, limits: Limits, covers: int, status: int, told: str
):
    with TestClient(make_app(service, limits)) as asked:
        answer = asked.post(f"{API}/predict", files=files(*[single.path(0).read_bytes()] * covers))
        again = asked.app.state.desk.room.taken  # type: ignore[attr-defined]
    assert answer.status_code == status
    assert answer.json()["error"]["sentence"].startswith(told)
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert again == 0


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/predict?top=0", 422, "invalid"),
        ("/predict?top=x", 422, "invalid"),
        ("/predict?max_risk=nan", 422, "invalid"),
        ("/predict?coverage=1", 422, "invalid"),
        ("/nowhere", 404, "unknown"),
        ("/health", 405, "wrong_method"),
    ],
)
def test_what_can_not_be_answered_has_one_shape(client: TestClient, path: str, status: int, kind: str):
    answer = client.post(f"{API}{path}", files=files(b"x"))
    assert answer.status_code == status
    assert answer.json()["error"]["kind"] == kind
    assert set(answer.json()["error"]) == {"kind", "where", "found", "expected", "cure", "sentence"}


def test_what_breaks_inside_is_a_500_in_the_same_shape_and_stands_in_the_log(service: Service, caplog):
    app = make_app(service, Limits())
    app.add_api_route(f"{API}/breaks", lambda: 1 // 0)
    with TestClient(app) as asked:
        answer = asked.get(f"{API}/breaks")
    assert answer.status_code == 500
    assert answer.json()["error"]["kind"] == "broken"
    assert "ZeroDivisionError" in caplog.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\covers\\abba.jpg", "abba.jpg"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("<script>alert(1)</script>.jpg", "script>.jpg"),
        ("x" * 500, "x" * 120),
        ("Björk – Début.png", "Björk – Début.png"),
    ],
)
def test_names_of_files_are_told_without_folders_and_what_can_not_be_seen(client: TestClient, single, name, told):
    answer = client.post(f"{API}/predict", files=[("file", (name, single.path(0).read_bytes()))])
    assert answer.json()["predictions"][0]["file"] == told


def test_a_lane_takes_up_to_a_batch_at_once_and_no_more_than_it_has_room_for():
    held, begun, batches = threading.Event(), threading.Event(), []

    def work(jobs):
        batches.append(list(jobs))
        begun.set()
        held.wait(10)
        return [10 * job for job in jobs]

    async def ask():
        lane = Lane(work, batch=4, waiting=7)
        first = lane.submit([0])
        await asyncio.to_thread(begun.wait, 10)
        rest = lane.submit([1, 2, 3, 4, 5, 6])
        with pytest.raises(Problem, match="7 covers wait already, and it takes 7"):
            lane.submit([7])
        rest[4].cancel()
        held.set()
        results = [await future for future in (*first, *rest[:4], rest[5])]
        while lane.waiting:
            await asyncio.sleep(0.001)
        return results

    assert asyncio.run(ask()) == [0, 10, 20, 30, 40, 60]
    assert batches == [[0], [1, 2, 3, 4], [6]]


def test_what_a_lane_s_work_raises_each_of_its_jobs_raises():
    def work(jobs):
        raise CoverError("abba.jpg", "no cover")

    async def ask():
        return await Lane(work, batch=2).do([1, 2])

    with pytest.raises(CoverError, match=r"abba\.jpg: no cover"):
        asyncio.run(ask())


def test_memory_does_not_grow_with_what_was_sent(client: TestClient, single: Dataset):
    """The room of all uploads is given back, whatever came of them; benchmarks/serve.py looks at the process."""
    desk = client.app.state.desk  # type: ignore[attr-defined]
    for _ in range(20):
        client.post(f"{API}/predict", files=files(*[path.read_bytes() for path in single.paths[:8]], b"broken"))
        client.post(f"{API}/explain", files=files(b"broken"))
    assert desk.room.taken == 0
    deadline = time.monotonic() + 5
    while desk._model.waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert desk._model.waiting == desk._decoders.waiting == desk._slow.waiting == 0


def test_the_page_s_files_are_there_under_their_names_and_nothing_else_is(client: TestClient):
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>sleevenotes</title>" in answer.text
    again = client.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for address, file in shelf().items():
        assert client.get(address).content == file.data
    for path in ("/../app.py", "/%2e%2e/app.py", "/js/../../app.py", "/index.html", "/page/", "//etc/passwd", "/css"):
        assert client.get(path).status_code == 404


def test_only_files_of_known_kinds_are_on_the_shelf(tmp_path: Path):
    for name in ("index.html", "js/a.js", "notes.md", ".git/a.js", "b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(shelf(tmp_path)) == ["/", "/js/a.js"]


def test_the_dataset_beside_a_model_is_found_and_so_are_the_results(small_model: Model, tmp_path: Path, copied):
    shutil.copytree(small_model.folder, tmp_path / "out" / "model")
    alone = Service.found(tmp_path / "out" / "model", None)
    assert (alone.has_dataset, alone.results) == (False, tmp_path / "out" / "model")
    shutil.copytree(copied.folder, tmp_path / "out" / "dataset")
    (tmp_path / "out" / "evaluation.json").write_text("{}")
    found = Service.found(tmp_path / "out" / "model", None)
    assert len(found.dataset) == len(copied)
    assert found.results == tmp_path / "out"
    assert Service.found(None, None).model.name == Model.in_the_box().name


def test_the_app_loads_neither_torch_nor_scikit_learn():
    heavy = "{'torch', 'sklearn', 'scipy', 'matplotlib', 'onnxscript'}"
    code = f"import sys, sleevenotes.publish.web.running; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
