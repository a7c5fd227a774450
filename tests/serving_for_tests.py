"""What tests of the server share: a real one in a thread, forms with covers, and a client as bad as one likes."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from types import TracebackType
from typing import Any, NamedTuple

from fastapi import FastAPI

from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.running import listening, serving
from sleevenotes.publish.web.service import Service

BOUNDARY = b"x-boundary-x"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


class Answer(NamedTuple):
    """What came back over a socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        return json.loads(self.body)["error"]  # type: ignore[no-any-return]


class Running:
    """A server in a thread; `with Running(service, limits) as server` gives one that answers at `server.port`."""

    def __init__(self, service: Service, limits: Limits | None = None, **named: Any) -> None:
        self.limits = limits or Limits()
        self.app: FastAPI = make_app(service, self.limits, **named)
        self._ready = threading.Event()
        self._socket = listening("127.0.0.1", 0)
        self.port: int = self._socket.getsockname()[1]
        self._server = serving(self.app, self.limits, self._ready.set)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def talk(self, *sent: bytes, timeout: float = 20) -> Answer:
        """Send bytes as they are, and return what comes back until the server closes or the answer is whole."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=timeout)) as wire:
            try:
                for part in sent:
                    wire.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has refused already, and its answer is there to be read
            return read_answer(wire)

    def post(self, path: str, body: bytes, kind: str = FORM_TYPE, **headers: str) -> Answer:
        """Send a whole request."""
        return self.talk(request("POST", path, body, kind, **headers))


def request(method: str, path: str, body: bytes = b"", kind: str = "", **headers: str) -> bytes:
    """A whole request, headers and body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_answer(wire: socket.socket) -> Answer:
    """Read one answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(wire)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(wire)
    return Answer(int(first.split()[1]), headers, body)


def _more(wire: socket.socket) -> bytes:
    data = wire.recv(65536)
    assert data, "the connection was closed without an answer"
    return data


def form(*covers: bytes, names: tuple[str, ...] = (), field: str = "file") -> bytes:
    """A form with covers."""
    parts = []
    for number, data in enumerate(covers):
        name = names[number] if names else f"{number}.jpg"
        told = f'--{BOUNDARY.decode()}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
        parts.append(told.encode() + data + b"\r\n")
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"
