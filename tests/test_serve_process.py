"""The real verb in a process of its own: it answers in time, says the numbers of `predict`, and ends as it should."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from serving_for_tests import FORM_TYPE, form, read_answer, request
from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn.model import Model

PREDICT = "/api/v1/predict"
FIRST_ANSWER_S = 4
VERB = [sys.executable, "-m", "sleevenotes", "serve"]
ANNOUNCED = re.compile(r"sleevenotes is at http://127\.0\.0\.1:(\d+)/")


class Process:
    """A server in a process."""

    def __init__(self, *words: object) -> None:
        self.began = time.monotonic()
        self.popen = subprocess.Popen(
            [*VERB, *map(str, words), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.popen.stdout is not None
        self.said, self.port = "", 0
        while not (found := ANNOUNCED.search(self.said)):
            line = self.popen.stdout.readline()
            assert line, self.popen.communicate()[1]
            self.said += line
        self.port = int(found[1])

    @property
    def worked_s(self) -> float:
        """Seconds that it has computed, whatever else the machine has to do; as they pass where that is not told."""
        told = Path(f"/proc/{self.popen.pid}/stat")
        if not told.exists():
            return time.monotonic() - self.began
        fields = told.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, sent: bytes) -> bytes:
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=20)) as wire:
            wire.sendall(sent)
            return read_answer(wire).body

    def end(self, how: signal.Signals) -> tuple[int, str, str]:
        self.popen.send_signal(how)
        out, err = self.popen.communicate(timeout=30)
        return self.popen.returncode, self.said + out, err


@contextmanager
def serving(*words: object) -> Iterator[Process]:
    process = Process(*words)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


def test_the_verb_finds_the_dataset_beside_the_model_and_says_the_numbers_of_predict(
    color_model: Model, single: Dataset, tmp_path: Path
):
    shutil.copytree(color_model.folder, tmp_path / "model")
    shutil.copytree(single.folder, tmp_path / "dataset", ignore=shutil.ignore_patterns(".cache"))
    cover = single.path(5)
    with serving(tmp_path / "model") as process:
        body = request("POST", PREDICT, form(cover.read_bytes()), FORM_TYPE)
        (told,) = json.loads(process.ask(body))["predictions"]
        took = process.worked_s
        assert json.loads(process.ask(request("GET", "/api/v1/health")))["covers"] == len(single)
        code, out, err = process.end(signal.SIGINT)
    asked = [sys.executable, "-m", "sleevenotes", "predict", color_model.folder, cover, "--json", "--top", "9"]
    line = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    assert [each["genre"] for each in told["genres"]] == [each["genre"] for each in line["genres"]]
    assert [each["proba"] for each in told["genres"]] == pytest.approx(
        [each["proba"] for each in line["genres"]], abs=1e-6
    )
    assert took < FIRST_ANSWER_S, took
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith("as it lies beside the model; --dataset names another")
    assert out.splitlines()[-1] == "stopped; all that was asked is answered"


def test_sigterm_during_a_slow_request_finishes_it_and_takes_no_other(color_model: Model, single: Dataset):
    whole = request("POST", PREDICT, form(single.path(0).read_bytes()), FORM_TYPE)
    with serving(color_model.folder) as process:
        with closing(socket.create_connection(("127.0.0.1", process.port), timeout=20)) as wire:
            wire.sendall(whole[:-100])
            process.ask(request("GET", "/api/v1/health"))  # what was sent before is there by now
            process.popen.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", process.port)).close()
                except ConnectionRefusedError:
                    break
                time.sleep(0.02)
            assert process.popen.poll() is None
            wire.sendall(whole[-100:])
            answer = read_answer(wire)
        assert answer.status == 200
        assert json.loads(answer.body)["predictions"][0]["error"] is None
        assert process.popen.wait(20) == 0


def test_after_its_grace_it_ends_though_a_client_never_does(color_model: Model, single: Dataset):
    with (
        serving(color_model.folder, "--grace", 0) as process,
        closing(socket.create_connection(("127.0.0.1", process.port), timeout=20)) as wire,
    ):
        wire.sendall(request("POST", PREDICT, form(single.path(0).read_bytes()), FORM_TYPE)[:-100])
        process.ask(request("GET", "/api/v1/health"))
        process.popen.send_signal(signal.SIGTERM)
        process.popen.wait(20)


def test_a_taken_port_is_one_sentence_and_exit_code_one(sleevenotes, color_model: Model):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = sleevenotes("serve", color_model.folder, "--port", port)
    assert said.code == 1
    assert said.err.startswith(f"error: 127.0.0.1:{port}: the port is taken. Stop the other server")
    assert sleevenotes("serve", color_model.folder, "--port", 70000).code == 2
    said = sleevenotes("serve", color_model.folder, "--dataset", "nowhere")
    assert (said.code, said.err.startswith("error: nowhere: no such folder")) == (1, True)
