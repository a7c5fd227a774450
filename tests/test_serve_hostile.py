"""Clients that mean no good, or know no better: each gets a clean 4xx in the one shape, and the server goes on."""

from __future__ import annotations

import socket
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from serving_for_tests import BOUNDARY, FORM_TYPE, Running, form, read_answer, request
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import encode
from sleevenotes.learn.model import Model
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.service import Service

PREDICT = "/api/v1/predict"
LIMITS = Limits(max_bytes=400_000, max_files=4, max_head_bytes=8_192, head_s=0.4, body_s=0.6)
HEAD = b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def server(color_model: Model, single: Dataset) -> Iterator[Running]:
    with Running(Service(color_model, single), LIMITS) as running:
        yield running


@pytest.fixture(autouse=True)
def goes_on(server: Running) -> Iterator[None]:
    """After each of them, the server answers as if nothing had been, and holds nothing of it."""
    yield
    cover = encode(np.zeros((8, 8, 3), np.uint8), "png")
    assert server.post(PREDICT, form(cover)).status == 200
    assert server.app.state.desk.room.taken == 0


def picture(side: int = 64, format: str = "jpeg") -> bytes:
    return encode(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8), format)


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG with a header that says so."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(rows), b"IEND")
    told = (struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(told)


def strip(width: int, height: int) -> bytes:
    return encode(np.zeros((height, width, 3), np.uint8), "png")


COVERS: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 422, "an empty file"),
    "truncated JPEG": (picture()[:900], 422, "cut off after 900 bytes"),
    "truncated PNG": (picture(format="png")[:3000], 422, "cut off after 3,000 bytes"),
    "a head alone": (b"\xff\xd8\xff", 422, "cut off"),
    "a decompression bomb": (png(50_000, 50_000, b"\0" * 100_000), 413, "50,000 × 50,000 pixels"),
    "a bomb within its limit of pixels": (png(7_000, 7_000, b"\0" * 1_000), 422, ""),
    "the largest number there is": (png(2**31 - 1, 2**31 - 1), 413, "pixels"),
    "a strip": (strip(10_000, 1), 422, "a strip of 10,000 × 1 pixels"),
    "a strip that stands": (strip(3, 10_000), 422, "a strip of 3 × 10,000 pixels"),
    "an SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 422, "an SVG drawing"),
    "an SVG behind its declaration": (b'<?xml version="1.0"?><svg/>', 422, "an SVG drawing"),
    "a page": (b"<!doctype html><script>alert(1)</script>", 422, "an HTML page"),
    "a PDF": (b"%PDF-1.7", 422, "a PDF"),
    "a ZIP": (b"PK\x03\x04" + bytes(60), 422, "a ZIP archive"),
    "a page that begins as a GIF": (b"GIF89a/*<script>alert(1)</script>*/", 422, ""),
    "a script that begins as a JPEG": (b"\xff\xd8\xff\xe0/*" + b"*/=alert(1);" * 9, 422, ""),
    "a PNG whose checksum is wrong": (picture(format="png").replace(b"IDAT", b"IDAT\1", 1), 422, ""),
    "noise": (np.random.default_rng(1).bytes(5_000), 422, "no picture"),
    "noise behind a head": (b"\x89PNG\r\n\x1a\n" + np.random.default_rng(2).bytes(5_000), 422, ""),
}


@pytest.mark.parametrize("what", COVERS)
@pytest.mark.parametrize("route", ["predict", "explain", "similar", "palette"])
def test_what_is_no_cover_is_refused_whatever_it_is_called(server: Running, what: str, route: str):
    data, status, told = COVERS[what]
    answer = server.post(f"/api/v1/{route}", form(data, names=("cover.jpg",)))
    assert answer.status == status
    assert answer.error["where"] == "cover.jpg"
    assert told in answer.error["sentence"]
    assert answer.headers["content-type"] == "application/json"


def test_a_picture_that_is_something_else_too_is_answered_as_the_picture(server: Running):
    for tail in (b"<script>alert(1)</script>", b"PK\x03\x04 a ZIP"):
        assert server.post(PREDICT, form(picture() + tail)).status == 200


FORMS: dict[str, tuple[bytes, str, str]] = {
    "no form": (b"{}", "application/json", "a body of the kind 'application/json'"),
    "nothing said": (b"x", "", "no form"),
    "no boundary": (form(b"x"), "multipart/form-data", "a form without a proper boundary"),
    "a boundary without end": (form(b"x"), f"multipart/form-data; boundary={'b' * 200}", "without a proper boundary"),
    "another boundary": (form(b"x"), "multipart/form-data; boundary=other", "the form can't be read"),
    "breaks off": (form(b"x" * 99)[:-20], FORM_TYPE, "the form breaks off"),
    "empty": (b"", FORM_TYPE, "the form breaks off"),
    "no part": (b"--" + BOUNDARY + b"--\r\n", FORM_TYPE, ""),
    "another field": (form(b"x", field="files"), FORM_TYPE, "a field 'files'"),
    "a part without headers": (b"--" + BOUNDARY + b"\r\n\r\nx\r\n--" + BOUNDARY + b"--\r\n", FORM_TYPE, "a field ''"),
    "a header that is none": (b"--" + BOUNDARY + b"\r\n\x00\x01: x\r\n\r\nx", FORM_TYPE, "the form can't be read"),
    "a large header": (
        b"--" + BOUNDARY + b"\r\nA: " + b"a" * 9_000 + b"\r\n\r\n",
        FORM_TYPE,
        "the form can't be read",
    ),
    "many headers": (b"--" + BOUNDARY + b"\r\n" + b"A: a\r\n" * 99 + b"\r\n", FORM_TYPE, "the form can't be read"),
}


@pytest.mark.parametrize("what", FORMS)
def test_a_bad_form_is_told_what_a_good_one_is(server: Running, what: str):
    body, kind, told = FORMS[what]
    answer = server.post(PREDICT, body, kind)
    assert answer.status == 400
    assert answer.error["kind"] == "bad_request"
    assert told in answer.error["found"]
    assert answer.error["cure"] == "Send one with curl: curl -F file=@cover.jpg URL"


@pytest.mark.parametrize("size", [450_000, 5_000_000])
def test_a_client_that_sends_too_much_gets_to_read_why(server: Running, size: int):
    answer = server.post(PREDICT, form(b"\xff\xd8\xff" + bytes(size)))
    assert answer.status == 413
    assert ("connection" in answer.headers) == (size > LIMITS.max_form_bytes)  # it stopped in the middle, and closes
    chunked = HEAD + f"Content-Type: {FORM_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = form(bytes(size))
    answer = server.talk(chunked, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    assert answer.status == 413


def test_what_is_no_form_has_a_smaller_limit(server: Running):
    answer = server.post("/api/v1/game/rounds", b'{"nickname":"' + b"x" * 100_000, "application/json")
    assert answer.status == 413
    assert answer.error["found"] == "its body has more than 65,536 bytes"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"a" * 500_000, 431),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: a\r\n" * 5_000 + b"\r\n", 431),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # somebody speaks TLS
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        (HEAD + b"Content-Length: 99999999999999\r\n\r\n", 413),
        (b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    ],
)
def test_heads_that_are_huge_or_none_are_refused(server: Running, sent: bytes, status: int):
    answer = server.talk(sent)
    assert answer.status == status
    assert set(answer.error) == {"kind", "where", "found", "expected", "cure", "sentence"}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "its headers were not whole after 0.4 s"),
        (b"GET / HTTP/1.1\r\nHost:", "its headers were not whole after 0.4 s"),
        (
            HEAD + f"Content-Type: {FORM_TYPE}\r\nContent-Length: 5000\r\n\r\n--".encode(),
            "its body was not whole after 0.6 s",
        ),
    ],
)
def test_a_client_that_falls_silent_is_told_so_in_time(server: Running, sent: bytes, told: str):
    began = time.monotonic()
    answer = server.talk(sent)
    assert (answer.status, answer.error["found"]) == (408, told)
    assert time.monotonic() - began < 5


def test_clients_that_drip_hold_up_nobody_else(server: Running):
    head = HEAD + f"Content-Type: {FORM_TYPE}\r\nContent-Length: 5000\r\n\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    try:
        for each in slow:
            each.sendall(head)
        began = time.monotonic()
        assert server.post(PREDICT, form(picture())).status == 200
        quick = time.monotonic() - began
        for each in slow:
            each.settimeout(10)
            assert read_answer(each).status == 408
        assert quick < 0.5
    finally:
        for each in slow:
            each.close()


def test_a_client_that_goes_in_the_middle_leaves_nothing_behind(server: Running):
    head = HEAD + f"Content-Type: {FORM_TYPE}\r\nContent-Length: 5000\r\n\r\n".encode()
    for _ in range(5):
        with closing(socket.create_connection(("127.0.0.1", server.port))) as wire:
            wire.sendall(head + form(bytes(2_000))[:1_500])
    deadline = time.monotonic() + 5
    while server.app.state.desk.room.taken and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.app.state.desk.room.taken == 0


def test_several_requests_on_one_connection_are_answered_in_order(server: Running):
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as wire:
        wire.sendall(request("GET", "/api/v1/health") + request("GET", "/nowhere"))
        assert read_two(wire) == [200, 404]


def read_two(wire: socket.socket) -> list[int]:
    data = b""
    while data.count(b"HTTP/1.1 ") < 2:
        data += wire.recv(65536)
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]
