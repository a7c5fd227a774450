"""What stands before every route: who may ask, how much, how fast, and what every answer tells a browser.

Plain ASGI, from the outside in: `Bodies` (how much and how fast), `Watched` (counted, with the headers of all answers;
whatever breaks is answered), `Gate` (host, token, writes from other sites, too many at once). What a request is refused
for is found by pure functions at the bottom.

A server on this machine alone is still reached by every page that a browser on it has open. So a host name is only
taken where it names this machine (against DNS rebinding), and a browser's write needs the header `X-Sleevenotes: 1`,
which no page of another site can send, as no route allows it to.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sleevenotes.errors import SleevenotesError
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.metrics import Metrics
from sleevenotes.publish.web.problems import RETRY_S, Problem, broken

logger = logging.getLogger("sleevenotes.serve")

WRITES = {"POST", "PATCH", "PUT", "DELETE"}
METHODS = {"GET", "HEAD", "OPTIONS", *WRITES}
OURS = "x-sleevenotes"
LINGER_S, LINGER_BYTES = 2.0, 32_000_000  # what is still read after a refusal, so that the client gets to read it
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
API = "/api/"


class Bodies:
    """Limits what a client may send, and how long it may take; where it is refused, closes the connection politely."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, self.limits)
        if body.refused:  # told from its headers alone
            await _refuse(scope, body.refused, body.receive, body.sender(send))
        else:
            await self.app(scope, body.receive, body.sender(send))


class _Body:
    """The body of one request, as it comes in."""

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        headers = Headers(scope=scope)
        self._receive, self._read, self._limits = receive, 0, limits
        is_form = headers.get("content-type", "").lower().startswith("multipart/")
        self._most = limits.max_form_bytes if is_form else limits.max_text_bytes
        announced = headers.get("content-length", "0")
        self.refused = self._too_large() if announced.isdigit() and int(announced) > self._most else None
        self._whole = announced == "0" and "transfer-encoding" not in headers
        self._deadline = asyncio.get_running_loop().time() + limits.body_s

    async def receive(self) -> Message:
        """Return the next part of it.

        Raises
        ------
        Problem
            Where it is too large, or takes too long.
        """
        if self._whole:  # what comes now is that the client has gone, whenever that is
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as cause:
            found = f"its body was not whole after {self._limits.body_s:g} s"
            raise Problem("too_slow", SleevenotesError("request", found, cure="Send it faster, or less")) from cause
        self._read += len(message.get("body", b""))
        self._whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
        if self._read > self._most:
            raise self._too_large()
        return message

    def sender(self, send: Send) -> Send:
        """Return what sends the answer; where the body is not whole then, it is the connection's last one."""

        async def sending(message: Message) -> None:
            if self._whole:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(raw=message.setdefault("headers", []))["connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:  # a connection closed on a client that still writes would take the answer with it
                await send({**message, "more_body": True})
                await self._linger()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        return sending

    async def _linger(self) -> None:
        read = 0
        try:
            async with asyncio.timeout(LINGER_S):
                while read < LINGER_BYTES:
                    message = await self._receive()
                    read += len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
        except TimeoutError:
            return  # it had its time

    def _too_large(self) -> Problem:
        found = f"its body has more than {self._most:,} bytes"
        return Problem("too_large", SleevenotesError("request", found, cure="Send less at once"))


class Watched:
    """Counts requests, gives every answer its headers, and answers where something broke."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in SECURE.items():
                    headers[name] = value
                if scope["path"].startswith(API):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        self.metrics.in_flight += 1
        try:
            await self.app(scope, receive, sending)
        except Problem as problem:
            await _refuse(scope, problem, receive, sending)
        except Exception as error:
            logger.exception("%s %s", scope["method"], scope["path"])
            if status:
                raise  # the answer had begun: the server breaks it off
            await _refuse(scope, broken(error), receive, sending)
        finally:
            self.metrics.in_flight -= 1
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.answered(_route(scope), method, status, time.perf_counter() - began)


class Gate:
    """Lets requests in, or says why not.

    Parameters
    ----------
    hosts
        Names by which the server may be called; None where any will do. Addresses in digits are always taken where
        `any_address` is true.
    token
        What every request must know; None where it need not.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        *,
        token: str | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self.app, self.limits, self.token, self.hosts = app, limits, token, hosts
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, where it may be."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = host_problem(headers, self.hosts)
        if problem is None and self.token is not None:
            if opened := opening(scope, self.token):
                await opened(scope, receive, send)
                return
            problem = token_problem(headers, self.token)
        problem = problem or write_problem(scope["method"], headers)
        if problem is None and self._inside >= self.limits.requests:
            found = f"{self._inside:,} requests are in flight already"
            problem = Problem("too_many", SleevenotesError("serve", found, cure="Ask again"), retry_after=RETRY_S)
        if problem is not None:
            await _refuse(scope, problem, receive, send)
            return
        self._inside += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._inside -= 1


class Hosts:
    """Names by which a server may be called.

    Parameters
    ----------
    names
        In lower case, without port.
    any_address
        Whether any address in digits will do: no page of another site can have one of those point here.

    Examples
    --------
    >>> here = Hosts({"localhost"})
    >>> [here.knows(host) for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "evil.example", "192.168.1.5", "")]
    [True, True, True, False, False, False]
    """

    def __init__(self, names: set[str], *, any_address: bool = False) -> None:
        self.names, self.any_address = names, any_address

    def knows(self, host: str) -> bool:
        """Return whether a `Host` header names this server."""
        name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in self.names
        return self.any_address or address.is_loopback or name in self.names


# -------------------------------------------------------------------------------- what a request is refused for


def host_problem(headers: Mapping[str, str], hosts: Hosts | None) -> Problem | None:
    """Return why a request that calls the server by another name is refused."""
    host = headers.get("host", "")
    if hosts is None or hosts.knows(host):
        return None
    found = f"it is called by the name {host[:100]!r}, which is not one of its own"
    cure = "Open the address that `sleevenotes serve` printed"
    return Problem("forbidden", SleevenotesError("serve", found, cure=cure))


def token_problem(headers: Mapping[str, str], token: str) -> Problem | None:
    """Return why a request is refused that knows the token neither by its header nor by its cookie."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(told.strip(), token):
        return None
    if same(_cookie(headers, cookie_name(token)), seal(token)):
        return None
    cure = "Open the link that `sleevenotes serve` printed, or send the header `Authorization: Bearer TOKEN`"
    return Problem("no_token", SleevenotesError("serve", "it is guarded by a token", cure=cure))


def write_problem(method: str, headers: Mapping[str, str]) -> Problem | None:
    """Return why a write is refused that a page of another site might have made a browser send."""
    if method not in WRITES:
        return None
    site = headers.get("sec-fetch-site", "")
    by_browser = bool(site) or "origin" in headers
    if not by_browser or (headers.get(OURS) == "1" and site != "cross-site"):
        return None
    found = "a browser sent it without the header X-Sleevenotes: 1, or from the page of another site"
    return Problem("forbidden", SleevenotesError("serve", found, cure="Use the page at / for it"))


def opening(scope: Scope, token: str) -> Response | None:
    """Return the answer to who opens the page with the token in its address: a cookie, and the page without it."""
    if scope["method"] != "GET" or scope["path"] != "/" or b"token=" not in scope["query_string"]:
        return None
    if not same(QueryParams(scope["query_string"]).get("token", ""), token):
        return None
    answer = Response(status_code=303, headers={"Location": "/", "Cache-Control": "no-store"})
    secure = scope.get("scheme") == "https"
    answer.set_cookie(cookie_name(token), seal(token), httponly=True, samesite="strict", secure=secure, path="/")
    return answer


def same(told: str, known: str) -> bool:
    """Return whether two texts are the same, in a time that does not tell how far they are."""
    return hmac.compare_digest(told.encode(), known.encode())


def seal(token: str) -> str:
    """Return what a cookie holds in place of the token: who reads it there can't use it elsewhere."""
    return hashlib.sha256(b"sleevenotes\0" + token.encode()).hexdigest()


def cookie_name(token: str) -> str:
    """Return a name of its own for each token: all ports of a machine share their cookies."""
    return f"sleevenotes-{seal(seal(token))[:8]}"


def _cookie(headers: Mapping[str, str], name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:  # not one that this server has set
        return ""
    return found.value if found else ""


async def _refuse(scope: Scope, problem: Problem, receive: Receive, send: Send) -> None:
    """Send a problem: in a sentence to a browser that opens a page, else in the one shape."""
    answer: Response = problem.response()
    if not scope["path"].startswith(API) and "text/html" in Headers(scope=scope).get("accept", ""):
        retry: dict[str, Any] = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
        answer = PlainTextResponse(problem.error.sentence, problem.status, headers=retry)
    await answer(scope, receive, send)


def _route(scope: Scope) -> str:
    """Return the route of a request as it is declared: `/api/v1/covers/{id}`, not each cover by itself."""
    if "endpoint" not in scope:
        return "none"
    context = scope.get("fastapi", {}).get("effective_route_context")  # where FastAPI keeps a router's prefix apart
    path = getattr(context, "path", None) or getattr(scope.get("route"), "path", None)
    return str(path or ("none" if scope.get("path_params") else scope["path"]))
