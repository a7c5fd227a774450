"""Fetching covers by their URLs: many at once, politely, whole or not at all, and resumable at any moment.

Every host has its own queue, its own pace and its own robots.txt; a host that does not answer is given up, and holds
nobody up. A URL that fails for a reason that may pass (429, 5xx, silence, half a file) goes to the end of its host's
queue and is tried again after a while. What was fetched lies in `.downloads/` and is in the ledger the moment it is
whole, so there is no state that a killed process could lose.

Nothing that a server says is taken for granted: addresses are checked after they were resolved and the connection goes
to the very address that was checked, redirects are followed by hand, bytes are counted as they come, and as soon as the
head of a picture tells its size or that it is none, the rest is left where it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from sleevenotes import __version__
from sleevenotes.collect.addresses import Forbidden, checked, host_of, joined, path_of, refuse
from sleevenotes.collect.ledger import DOWNLOADS_NAME, Ledger, Row, file_for
from sleevenotes.collect.politeness import (
    AGENT,
    MAX_ROBOTS_BYTES,
    ROUNDS_OF_SILENCE,
    FetchSettings,
    Pace,
    Robots,
    back_off,
    read_robots,
    retry_after,
)
from sleevenotes.covers.images import MAX_PIXELS, probe
from sleevenotes.errors import CoverError, OversizedCover, TruncatedCover

USER_AGENT = f"{AGENT}/{__version__} (collects album covers; obeys robots.txt)"
MAX_REDIRECTS = 5
SILENT_IN_A_ROW = 10  # requests without an answer after which a host is given up
FIRST_LOOK_BYTES = 512
LAST_LOOK_BYTES = 1_000_000  # a head that tells no size by then is looked at when all is there
LATER = "Try again later with `--retry-failed`"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a little later."""

Progress = Callable[[int, int], None]


def fetch(
    urls: Sequence[str],
    ledger: Ledger,
    settings: FetchSettings,
    *,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> None:
    """Fetch all URLs that the ledger does not know, and note there what became of each.

    Parameters
    ----------
    urls
        What to fetch; those that failed before, or whose files are there, are left alone.
    ledger
        Of the dataset, open for adding.
    settings
        How many at once, how fast, how long, from where.
    max_pixels
        The most pixels that a cover may have.
    progress
        Called with (URLs done, URLs in all).
    """
    todo = [url for url in dict.fromkeys(urls) if not ledger.has(url) and not ledger.failed(url)]
    for part in (ledger.folder / DOWNLOADS_NAME).glob("*.part"):
        part.unlink()
    if not todo:
        return
    there = len(set(urls)) - len(todo)

    def told(done: int) -> None:
        if progress is not None:
            progress(there + done, there + len(todo))

    told(0)
    try:
        asyncio.run(_fetch_all(todo, ledger, settings, max_pixels, told))
    except ExceptionGroup as group:  # of a task group: the first is the cause, the others were cancelled
        raise group.exceptions[0] from None


async def _fetch_all(
    urls: Sequence[str], ledger: Ledger, settings: FetchSettings, max_pixels: int, told: Callable[[int], None]
) -> None:
    silence = settings.timeout_s
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, resolver=_CheckedResolver(settings.allow_private), ttl_dns_cache=600),
        timeout=aiohttp.ClientTimeout(ROUNDS_OF_SILENCE * silence, silence, silence, silence),
        headers={"User-Agent": USER_AGENT, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    async with session:
        fetching = _Fetching(session, ledger, settings, max_pixels, told)
        async with asyncio.TaskGroup() as group:
            for host in fetching.queued(urls):
                for _ in range(min(settings.per_host, len(host.queue))):
                    group.create_task(fetching.work(host))


@dataclass
class _Job:
    """One URL that waits; not before a time, where it was tried already."""

    url: str
    tries: int = 0
    not_before: float = 0.0


@dataclass
class _Host:
    """One host: its queue, how it is treated, and what it said."""

    name: str
    slots: asyncio.Semaphore
    pace: Pace
    queue: deque[_Job] = field(default_factory=deque)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    robots: Robots | None = None
    silent: int = 0
    given_up: CoverError | None = None


class _Passing(CoverError):
    """A failure that may pass, perhaps after so many seconds."""

    def __init__(self, where: str, found: str, *, wait_s: float = 0.0) -> None:
        super().__init__(where, found)
        self.wait_s = wait_s


class _Refused(CoverError):
    """An answer that is no cover."""


class _Fetching:
    """One run over all URLs."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ledger: Ledger,
        settings: FetchSettings,
        max_pixels: int,
        told: Callable[[int], None],
    ) -> None:
        self.session, self.ledger, self.settings, self.max_pixels = session, ledger, settings, max_pixels
        self.hosts: dict[str, _Host] = {}
        self.slots = asyncio.Semaphore(settings.at_once)
        self._told, self._done = told, 0
        self._status: dict[str, int] = {}  # of the last answer to each URL under way

    def queued(self, urls: Iterable[str]) -> list[_Host]:
        """Put each URL into the queue of its host; those that can't be fetched at all are noted at once."""
        for url in urls:
            try:
                self._host(checked(url, allow_private=self.settings.allow_private)).queue.append(_Job(url))
            except Forbidden as error:
                self._note(url, problem=str(error))
        return [host for host in self.hosts.values() if host.queue]

    async def work(self, host: _Host) -> None:
        """Fetch what waits for a host, until nothing does."""
        while host.queue:
            job = host.queue.popleft()
            if job.not_before:
                await asyncio.sleep(max(0.0, job.not_before - time.monotonic()))
            job.tries += 1
            try:
                await self._fetch(job.url, host)
            except _Passing as error:
                if job.tries < self.settings.tries and not host.given_up:
                    wait = back_off(self.settings.back_off_s, job.tries, f"{self.settings.seed} {job.url}")
                    job.not_before = time.monotonic() + max(wait, error.wait_s)
                    host.queue.append(job)
                    continue
                tried = f" Tried {job.tries} times." if job.tries > 1 else ""
                self._note(job.url, problem=f"{error}{tried}")
            except CoverError as error:
                self._note(job.url, problem=str(error))

    def _note(self, url: str, *, problem: str = "", **known: Any) -> None:
        when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        terms, status = "" if problem else self.settings.terms, self._status.pop(url, 0)
        self.ledger.add(Row(url, when, status, **known, problem=" ".join(problem.split()), terms=terms))
        self._done += 1
        self._told(self._done)

    def _host(self, url: str) -> _Host:
        name = host_of(url)
        if name not in self.hosts:
            pace = Pace(self.settings.spacing_s, time.monotonic)
            self.hosts[name] = _Host(name, asyncio.Semaphore(self.settings.per_host), pace)
        return self.hosts[name]

    async def _fetch(self, url: str, host: _Host) -> None:
        """Fetch one URL and note it; an error says why not."""
        if host.given_up:
            raise host.given_up
        part = self.ledger.folder / f"{file_for(url)}.part"

        async def keep(response: aiohttp.ClientResponse, at: str) -> None:
            size, digest = await self._receive(response, url, part)
            part.replace(part.with_suffix(""))
            self._note(url, bytes=size, sha256=digest, file=file_for(url))

        try:
            await self._follow(url, keep)
        finally:
            part.unlink(missing_ok=True)

    async def _follow(
        self, url: str, take: Callable[[aiohttp.ClientResponse, str], Awaitable[None]], *, obey: bool = True
    ) -> None:
        """Ask for a URL, follow its redirects, each checked as the first was, and give the answer to `take`."""
        at = checked(url, allow_private=self.settings.allow_private)
        seen: set[str] = set()
        while True:
            if at in seen:
                raise _Refused(url, f"redirects in a circle, over {at}")
            if len(seen) > MAX_REDIRECTS:
                raise _Refused(url, f"more than {MAX_REDIRECTS} redirects, the last to {at}")
            seen.add(at)
            host = self._host(at)
            if obey:
                await self._obey(url, at, host)
            async with host.slots:
                await host.pace.turn()
                async with self.slots:
                    target = await self._ask(url, at, host, take)
            if target is None:
                return
            at = checked_redirect(url, at, target, allow_private=self.settings.allow_private)

    async def _ask(
        self, url: str, at: str, host: _Host, take: Callable[[aiohttp.ClientResponse, str], Awaitable[None]]
    ) -> str | None:
        """Ask once; return where a redirect leads, or None where `take` had the answer."""
        answered = False
        try:
            # encoded: yarl would decode what it need not have encoded, and a signature would no longer fit
            async with self.session.get(_as_it_is(at), allow_redirects=False) as response:
                answered, host.silent = True, 0
                self._status[url] = response.status
                if response.status in REDIRECTS:
                    return response.headers.get("Location", "")
                if response.status in PASSING:
                    wait = retry_after(response.headers.get("Retry-After"))
                    if wait:
                        host.pace.pause(wait)
                    raise _Passing(url, _told_status(response.status), wait_s=wait or 0.0)
                if response.status != HTTPStatus.OK:
                    raise _Refused(url, _told_status(response.status))
                await take(response, at)
                return None
        except (TimeoutError, ConnectionError, aiohttp.ClientError, ssl.SSLError, ValueError) as error:
            if not answered:
                self._silent(host)
            raise self._broken(url, error) from error

    def _silent(self, host: _Host) -> None:
        host.silent += 1
        if host.silent >= SILENT_IN_A_ROW:
            found = f"gave no answer {host.silent} times in a row and was given up"
            host.given_up = CoverError(host.name, found, cure=LATER)

    def _broken(self, url: str, error: Exception) -> CoverError:
        """Return what a failed request means."""
        silence = self.settings.timeout_s
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return _Passing(url, f"no connection within {silence:g} s")
        if isinstance(error, aiohttp.ServerTimeoutError):
            return _Passing(url, f"silent for {silence:g} s")
        if isinstance(error, TimeoutError):
            return _Passing(url, f"not done within {ROUNDS_OF_SILENCE * silence:g} s")
        if isinstance(error, aiohttp.ClientPayloadError):
            return _Passing(url, "breaks off before its end")
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            return CoverError(url, f"its certificate is not trusted ({error})")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return _Passing(url, "no machine of that name is known")
        if isinstance(error, aiohttp.InvalidURL | ValueError):
            return CoverError(url, "no address that can be asked", "an address such as https://example.org/cover.jpg")
        if isinstance(error, aiohttp.ClientResponseError):
            return _Passing(url, "an answer that is no proper HTTP, or longer than it says")
        return _Passing(url, f"the connection failed ({error or type(error).__name__})")

    async def _receive(self, response: aiohttp.ClientResponse, url: str, part: Path) -> tuple[int, str]:
        """Write a body to a file, as long as it can be a cover; return its bytes and SHA-256."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
        if encoding != "identity":
            raise _Refused(url, f"sent as '{encoding[:40]}', though plain bytes were asked for")
        most = self.settings.max_bytes
        if (response.content_length or 0) > most:
            raise _too_long(url, f"{response.content_length:,} bytes", most)
        digest, size, head, look_at = hashlib.sha256(), 0, bytearray(), FIRST_LOOK_BYTES
        known = False
        with part.open("wb") as file:
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > most:
                    raise _too_long(url, f"more than {most:,} bytes", most)
                file.write(chunk)
                digest.update(chunk)
                if not known and size <= LAST_LOOK_BYTES:
                    head += chunk
                    if len(head) >= look_at:
                        known, look_at = self._look(bytes(head), url), 2 * len(head)
        if not known:
            self._check_size(part.read_bytes(), url)
        return size, digest.hexdigest()

    def _look(self, head: bytes, url: str) -> bool:
        """Return whether the beginning of a cover tells its size; an error where it tells that it can't be used."""
        try:
            self._check_size(head, url)
        except TruncatedCover:
            return False
        return True

    def _check_size(self, data: bytes, url: str) -> None:
        info = probe(data, url)
        if info.width * info.height > self.max_pixels:
            found = f"{info.width:,} × {info.height:,} pixels"
            raise OversizedCover(url, found, f"No more than {self.max_pixels / 1e6:g} megapixels are read")

    # -- robots.txt ----------------------------------------------------------------------------------------------------

    async def _obey(self, url: str, at: str, host: _Host) -> None:
        """Raise where robots.txt forbids a URL, or can't be had: then nothing is known to be allowed."""
        async with host.asking:
            if host.robots is None and not host.given_up:
                host.robots = await self._robots_of(host)
                if host.robots is not None:
                    host.pace.spacing_s = max(host.pace.spacing_s, host.robots.delay_s)
        if host.robots is None:
            raise host.given_up or CoverError(url, "its robots.txt can't be had")
        if not host.robots.allows(path_of(at)):
            raise Forbidden(url, f"robots.txt of {host.name} forbids it", cure="Leave it out, or ask its owner")

    async def _robots_of(self, host: _Host) -> Robots | None:
        """Ask a host for its rules; none (4xx) allow everything, and None stands for a host that can't be asked."""
        text = bytearray()

        async def take(response: aiohttp.ClientResponse, at: str) -> None:
            async for chunk in response.content.iter_any():
                text.extend(chunk[: MAX_ROBOTS_BYTES - len(text)])
                if len(text) >= MAX_ROBOTS_BYTES:
                    return

        for tries in range(1, self.settings.tries + 1):
            text.clear()
            try:
                await self._follow(f"{host.name}/robots.txt", take, obey=False)
                return read_robots(text.decode("utf-8", "replace").removeprefix("\ufeff"))
            except _Refused:
                return Robots()  # RFC 9309: there is none
            except _Passing as error:
                if tries == self.settings.tries or host.given_up:
                    host.given_up = host.given_up or _no_robots(host, error)
                    return None
                wait = back_off(self.settings.back_off_s, tries, f"{self.settings.seed} {host.name}")
                await asyncio.sleep(max(wait, error.wait_s))
            except CoverError as error:
                host.given_up = _no_robots(host, error)
                return None
        return None


def checked_redirect(url: str, at: str, target: str, *, allow_private: bool) -> str:
    """Return where a redirect leads, checked like a URL of the table.

    Raises
    ------
    Forbidden
        Where that is no address, or one that is not fetched from.
    """
    if not target:
        raise Forbidden(url, "redirects to nowhere")
    try:
        return checked(joined(at, target), allow_private=allow_private)
    except Forbidden as error:
        raise Forbidden(url, f"redirects to {error}") from error


def _as_it_is(url: str) -> URL:
    """Return a checked URL for aiohttp, which asks for it letter by letter.

    Raises
    ------
    Forbidden
        If aiohttp would ask another host than the one that was checked.
    """
    address = URL(url, encoded=True)
    host = address.raw_host or ""
    asked = f"{address.scheme}://{f'[{host}]' if ':' in host else host}:{address.port}"
    if asked.lower() != host_of(url):
        raise Forbidden(url, "no address", "an address such as https://example.org/cover.jpg")
    return address


class _CheckedResolver(AbstractResolver):
    """Names to addresses, of which only public ones are handed on; aiohttp connects to these and no others.

    The system is asked in a thread of its own, which an interrupt need not wait for.
    """

    def __init__(self, allow_private: bool) -> None:
        self.allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host that may be connected to.

        Raises
        ------
        Forbidden
            Where it has none but private ones.
        """
        results: list[ResolveResult] = []
        refused: Forbidden | None = None
        for kind, _, proto, _, place in await _asked(host, port, family):
            address = str(place[0])
            try:
                refuse(host, ipaddress.ip_address(address.partition("%")[0]), allow_private=self.allow_private)
            except Forbidden as error:
                refused = error
                continue
            flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            results.append(ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=flags))
        if refused is not None and not results:
            raise refused
        return results

    async def close(self) -> None:
        """Nothing is held."""


async def _asked(host: str, port: int, family: socket.AddressFamily) -> list[tuple[Any, ...]]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def settle(found: list[tuple[Any, ...]] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found or [])

    def ask() -> None:
        found: list[tuple[Any, ...]] | None = None
        failed: Exception | None = None
        try:
            found = list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed = error if isinstance(error, OSError) else OSError(str(error))
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=ask, daemon=True).start()
    return await answer


def _no_robots(host: _Host, error: CoverError) -> CoverError:
    found = f"its robots.txt can't be had ({error.found}), so nothing is fetched there"
    return CoverError(host.name, found, error.expected, error.cure or LATER)


def _told_status(status: int) -> str:
    try:
        return f"the server answered {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"the server answered {status}"


def _too_long(url: str, found: str, most: int) -> OversizedCover:
    return OversizedCover(url, found, f"No more than {most:,} bytes are read", "Allow more with `--max-bytes`")
