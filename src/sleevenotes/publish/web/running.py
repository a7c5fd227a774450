"""The server process: its socket, its protocol, and how it ends.

uvicorn on uvloop and httptools, started from here rather than by its own command. What it leaves open is closed here: a
client that is slow with its headers, or sends too many of them, and too many connections get their sentence, too. After
SIGTERM or Ctrl-C no new connection is taken, what runs is finished within the grace time, and the process ends with 0.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import QueryParams
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server

from sleevenotes.errors import SleevenotesError, SleevenotesWarning
from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.guards import Hosts
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.problems import RETRY_S, Problem
from sleevenotes.publish.web.service import Service

HOST, PORT = "127.0.0.1", 8000
LEAST_TOKEN = 8
BACKLOG = 2048
SIGNALS = (signal.SIGINT, signal.SIGTERM)

Say = Callable[[str], None]


def run(
    service: Service,
    limits: Limits,
    *,
    address: tuple[str, int] = (HOST, PORT),
    token: str | None = None,
    say: Say = print,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Parameters
    ----------
    service
        The model, and the dataset beside it.
    limits
        How much is taken on.
    address
        Host and port; 0 is any port that is free.
    token
        What every request must know.
    say
        Is told the address as soon as it answers.

    Raises
    ------
    SleevenotesError
        Where the address is not to be had, or the token is too short.
    """
    if token is not None and (len(token) < LEAST_TOKEN or not token.isprintable() or not token.isascii()):
        found = f"a token of {len(token):,} {'character' if len(token) == 1 else 'characters'}"
        expected = f"{LEAST_TOKEN} or more, of plain letters and digits"
        raise SleevenotesError("--token", found, f"It has {expected}", "Make one: `openssl rand -hex 16`")
    host, port = address
    with closing(listening(host, port)) as listener:
        here = listener.getsockname()[1]
        if token is None and not is_loopback(host):
            told = f"{host} can be reached by others, who may use all of it: add --token, or leave out --host"
            warnings.warn(told, SleevenotesWarning, stacklevel=2)
        app = make_app(service, limits, token=token, hosts=hosts_of(host))
        app.state.desk.warm_up()
        logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)

        def answers() -> None:
            say(f"sleevenotes is at {shown(host, here, token)}")
            service.look_ahead()

        serving(app, limits, answers).run([listener])
    say("stopped; all that was asked is answered")


class Patient(HttpToolsProtocol):
    """A connection that has limits before its request is there: head, time, and how many others there are."""

    def __init__(self, *told: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*told, **named)
        self.limits = limits
        self._refused: Problem | None = None
        self._head, self._in_head = 0, True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) > self.limits.connections:
            found = f"{self.limits.connections:,} connections are open already"
            error = SleevenotesError("serve", found, cure="Ask again in a while")
            self._refuse(Problem("busy", error, retry_after=RETRY_S))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        super().connection_lost(exc)
        self._expect_none()

    def data_received(self, data: bytes) -> None:
        """Take what has come; of a head, only so much."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > self.limits.max_head_bytes and not self.transport.is_closing():
            self._refuse(_large_head(self.limits))

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Begin to answer a request, unless its head is too large."""
        self._expect_none()
        self._in_head, self._head = False, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.max_head_bytes:
            self._refused = _large_head(self.limits)
            raise ValueError("head too large")  # makes the parser stop, which ends in send_400_response
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Have a whole request; what comes next begins another one."""
        super().on_message_complete()
        self._in_head = True

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read as HTTP, in the one shape."""
        found = "what came is no HTTP request that can be read"
        self._refuse(self._refused or Problem("bad_request", SleevenotesError("request", found)))

    def on_response_complete(self) -> None:
        """Wait for another request, with the same patience."""
        super().on_response_complete()
        self._head = 0

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.limits.head_s, self._too_slow)

    def _expect_none(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _unset_keepalive_if_required(self) -> None:
        # another request begins on a connection that was kept: its head has its time, too
        if self.timeout_keep_alive_task is not None and self._timer is None:
            self._expect_head()
        super()._unset_keepalive_if_required()

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            found = f"its headers were not whole after {self.limits.head_s:g} s"
            self._refuse(Problem("too_slow", SleevenotesError("request", found)))

    def _refuse(self, problem: Problem) -> None:
        """Answer before there is a request, and close the connection."""
        self._expect_none()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # in the middle of another answer, where no other one can be told
            return
        self.transport.write(raw_answer(problem))
        self.transport.close()


class _Announced(Server):
    """A server that says when it answers, and that ends as it should after a signal."""

    def __init__(self, config: Config, answers: Callable[[], None]) -> None:
        super().__init__(config)
        self._answers = answers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        await super().startup(sockets)
        self._answers()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Hear signals while it runs; they are not raised once more when all is finished."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def serving(app: FastAPI, limits: Limits, answers: Callable[[], None]) -> Server:
    """Return a server that is not started yet; `answers` is called when it is."""

    def protocol(*told: Any, **named: Any) -> Patient:
        return Patient(*told, limits=limits, **named)

    config = Config(
        app,
        loop="auto",  # uvloop, where it is installed
        http=protocol,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # addresses of people are nobody's business, nor is the token in one
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=limits.grace_s,
    )
    return _Announced(config, answers)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 is any that is free.

    Raises
    ------
    SleevenotesError
        Where it is not to be had.
    """
    where = f"{host}:{port}"
    try:
        family, _, _, _, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as cause:
        cure = f"Leave out --host for {HOST}, this machine alone"
        raise SleevenotesError(where, "no such host is known here", cure=cure) from cause
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found)
        listener.listen(BACKLOG)
    except OSError as cause:
        listener.close()
        raise _not_to_be_had(where, cause) from cause
    return listener


def _not_to_be_had(where: str, cause: OSError) -> SleevenotesError:
    if isinstance(cause, PermissionError):
        return SleevenotesError(where, "no right to this port", "one above 1023", f"Name another: --port {PORT}")
    if cause.errno in (98, 48, 10048):  # of Linux, macOS and Windows
        cure = "Stop the other server, or name another port: --port 0 takes any that is free"
        return SleevenotesError(where, "the port is taken", cure=cure)
    cure = f"Leave out --host for {HOST}, this machine alone"
    return SleevenotesError(where, f"can't be listened at ({cause.strerror or cause})", cure=cure)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine alone.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.5")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def hosts_of(host: str) -> Hosts:
    """Return the names by which a server that listens at a host may be called."""
    if is_loopback(host):
        return Hosts({"localhost", host.lower()})
    own = socket.gethostname().lower()
    return Hosts(
        {"localhost", host.lower(), own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}, any_address=True
    )


def shown(host: str, port: int, token: str | None) -> str:
    """Return the address to open; of a server that listens everywhere, that by which others reach this machine."""
    name = own_address(host) if host in ("0.0.0.0", "::") else host
    told = f"[{name}]" if ":" in name else name
    return f"http://{told}:{port}/" + (f"?{QueryParams(token=token)}" if token else "")


def own_address(host: str) -> str:
    """Return the address of this machine in its network; nothing is sent to find it."""
    family, elsewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as asked:
            asked.connect((elsewhere, 9))
            return str(asked.getsockname()[0])
    except OSError:  # no network
        return "localhost"


def raw_answer(problem: Problem) -> bytes:
    """Return a whole HTTP answer, for who has not sent a whole request."""
    body = json.dumps(problem.body(), ensure_ascii=False).encode()
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", "x-content-type-options: nosniff", "connection: close"]
    lines += [f"retry-after: {problem.retry_after}"] if problem.retry_after is not None else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def _large_head(limits: Limits) -> Problem:
    found = f"its line and headers have more than {limits.max_head_bytes:,} bytes"
    return Problem("head_too_large", SleevenotesError("request", found, cure="Send fewer headers"))


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Tell uvicorn's remarks on clients, which say nothing to whoever runs the server, from what went wrong in it."""
    return record.levelno >= logging.ERROR
