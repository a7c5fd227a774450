"""Who may ask, and what every answer tells a browser; pages of other sites get nothing done here."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from fastapi.testclient import TestClient

from serving_for_tests import Running
from sleevenotes.errors import SleevenotesError, SleevenotesWarning
from sleevenotes.learn.model import Model
from sleevenotes.publish.web import running
from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.guards import POLICY, cookie_name, seal
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.running import hosts_of, listening, shown
from sleevenotes.publish.web.service import Service

HEALTH = "/api/v1/health"
PREDICT = "/api/v1/predict"
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def service(color_model: Model) -> Service:
    return Service(color_model, None)


@pytest.fixture(scope="module")
def guarded(service: Service) -> Iterator[TestClient]:
    with TestClient(make_app(service, Limits(), token=TOKEN), follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="module")
def local(service: Service) -> Iterator[TestClient]:
    app = make_app(service, Limits(), hosts=hosts_of("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.mark.parametrize("path", ["/", HEALTH, "/nowhere", "/api/v1/openapi.json", "/js/main.js", "/api/v1/metrics"])
def test_a_token_guards_everything(guarded: TestClient, path: str):
    guarded.cookies.clear()
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}, {"Cookie": "sleevenotes=x"}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["kind"] == "no_token"
    assert guarded.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in (200, 404)


def test_the_link_with_the_token_opens_the_page_by_a_cookie_that_no_script_and_no_other_site_sees(guarded):
    guarded.cookies.clear()
    answer = guarded.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    told = answer.headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert TOKEN not in told
    guarded.cookies.set(cookie_name(TOKEN), seal(TOKEN))
    assert guarded.get("/").status_code == 200
    guarded.cookies.clear()
    for path in ("/?token=wrong", f"{HEALTH}?token={TOKEN}", "/?token="):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


def test_who_opens_the_page_without_the_token_reads_a_sentence(guarded: TestClient):
    guarded.cookies.clear()
    answer = guarded.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("serve: it is guarded by a token. Open the link that `sleevenotes serve` printed")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "192.168.1.5", "127.0.0.1.evil.example", ""])
def test_another_name_for_this_machine_is_refused(local: TestClient, host: str):
    answer = local.get(HEALTH, headers={"Host": host})
    assert answer.status_code == 403
    assert "which is not one of its own" in answer.json()["error"]["sentence"]


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_taken(local: TestClient, host: str):
    assert local.get(HEALTH, headers={"Host": host}).status_code == 200


def test_a_server_for_others_is_called_by_any_address_or_its_own_name_but_by_no_other_one(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Desk.example.org")
    hosts = hosts_of("0.0.0.0")
    assert all(map(hosts.knows, ("192.168.1.5:8000", "[fe80::1]", "desk.local", "desk.example.org:1", "localhost")))
    assert not any(map(hosts.knows, ("evil.example", "desk.evil.example", "")))


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({}, True),  # no browser
        ({"Origin": "http://127.0.0.1:8000"}, False),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "cross-site", "X-Sleevenotes": "1"}, False),
        ({"Sec-Fetch-Site": "same-origin", "X-Sleevenotes": "1"}, True),
        ({"Origin": "http://127.0.0.1:8000", "X-Sleevenotes": "1"}, True),
    ],
)
def test_a_browser_s_write_needs_a_header_that_other_sites_can_not_send(local: TestClient, headers, is_let_in: bool):
    answer = local.post(PREDICT, headers=headers, files={"file": b"no cover"})
    assert answer.status_code == (422 if is_let_in else 403)


def test_no_other_site_is_allowed_to_send_that_header(local: TestClient):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = local.options(PREDICT, headers={**asked, "Access-Control-Request-Headers": "x-sleevenotes"})
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", HEALTH, "/nowhere", "/api/v1/covers/x"])
def test_every_answer_says_what_a_browser_may_do_with_it(local: TestClient, path: str):
    headers = local.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert path == "/" or not path.startswith("/api/") or headers["cache-control"] == "no-store"


def test_a_taken_port_a_forbidden_one_and_an_unknown_host_are_told_in_a_sentence(monkeypatch):
    with closing(listening("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SleevenotesError, match=rf"127\.0\.0\.1:{port}: the port is taken\. Stop the other server"):
            listening("127.0.0.1", port)
    with pytest.raises(SleevenotesError, match="no such host is known here"):
        listening("nowhere.invalid", 0)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refuse)
    with pytest.raises(SleevenotesError, match=r"127\.0\.0\.1:80: no right to this port\. One above 1023 was expected"):
        listening("127.0.0.1", 80)


@pytest.mark.parametrize("token", ["", "short", "with\nnewline"])
def test_a_token_that_is_none_is_refused(service: Service, token: str):
    with pytest.raises(SleevenotesError, match="--token: a token of"):
        running.run(service, Limits(), address=("127.0.0.1", 0), token=token)


def test_who_lets_others_in_without_a_token_is_warned(service: Service, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise SleevenotesError("far", "enough")

    monkeypatch.setattr(running, "make_app", refuse)
    with (
        pytest.warns(SleevenotesWarning, match=r"0\.0\.0\.0 can be reached by others.*add --token"),
        pytest.raises(SleevenotesError, match="far: enough"),
    ):
        running.run(service, Limits(), address=("0.0.0.0", 0))
    for address, token in ((("127.0.0.1", 0), None), (("0.0.0.0", 0), TOKEN)):
        with pytest.raises(SleevenotesError, match="far: enough"):  # and a warning would be an error
            running.run(service, Limits(), address=address, token=token)


def test_the_address_shown_is_one_that_can_be_opened():
    assert shown("127.0.0.1", 8000, None) == "http://127.0.0.1:8000/"
    assert shown("127.0.0.1", 8000, "a+b/c=#1") == "http://127.0.0.1:8000/?token=a%2Bb%2Fc%3D%231"
    assert shown("::1", 80, TOKEN) == f"http://[::1]:80/?token={TOKEN}"
    assert not shown("0.0.0.0", 8000, None).startswith("http://0.0.0.0")


def test_a_connection_too_many_is_told_so_and_the_others_go_on(service: Service):
    with Running(service, Limits(connections=2)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        try:
            answer = server.talk(b"")
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.error["sentence"] == "serve: 2 connections are open already. Ask again in a while."
            held[0].sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert held[0].recv(100).startswith(b"HTTP/1.1 200")
        finally:
            for each in held:
                each.close()
