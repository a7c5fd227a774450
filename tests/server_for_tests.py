"""A real HTTP server on this machine for tests, good and bad: it stalls, lies, redirects in circles and drips.

What it answers is decided by the path; what it was asked, and when, is kept in `asked`.
"""

from __future__ import annotations

import asyncio
import gzip
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

import numpy as np

from sleevenotes.covers.images import encode

Answer = Callable[["Server", asyncio.StreamWriter, str], Awaitable[None]]


def cover(number: int, format: str = "jpeg") -> bytes:
    """A cover of its own for each number, some kilobytes."""
    return encode(np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8), format)


def pixel_bomb() -> bytes:
    """The head of a PNG of 50,000 × 50,000 px."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"\0\1\0\0IDAT"
    )


class Server:
    """A server in a thread; `with Server() as server` gives one that answers at `server.url`.

    Parameters
    ----------
    robots
        The text of robots.txt; None for 404, a number for that status.
    """

    def __init__(self, robots: str | int | None = None) -> None:
        self.robots = robots
        self.asked: list[tuple[float, str]] = []
        self.agents: set[str] = set()
        self.sent: Counter[str] = Counter()  # bytes of bodies, by path
        self.at_once = self.most_at_once = 0
        self.well = False  # whether what fails for a while does well now
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> Server:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> Counter[str]:
        return Counter(path for _, path in self.asked)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            tasks.add(task)
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._talk(reader, writer)
            tasks.discard(task)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ", 2)[1]
            self.asked.append((time.monotonic(), path))
            self.agents |= {line[12:] for line in head.split("\r\n") if line.lower().startswith("user-agent: ")}
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await self._answer(writer, path)
                await writer.drain()
            finally:
                self.at_once -= 1

    async def _answer(self, writer: asyncio.StreamWriter, path: str) -> None:
        if path == "/robots.txt":
            status, text = (self.robots, "") if isinstance(self.robots, int) else (200, self.robots)
            self.send(writer, path, (text or "").encode(), status=404 if self.robots is None else status)
            return
        what = path.strip("/").split("/")[0]
        await getattr(self, f"do_{what}", self.do_missing)(writer, path)

    def send(
        self, writer: asyncio.StreamWriter, path: str, body: bytes, *, status: int = 200, length: int = -1, **more: str
    ) -> None:
        """Send a whole answer; `length` is what it says of its body, where that is not so."""
        headers = {"Content-Length": str(len(body) if length < 0 else length), "Content-Type": "image/jpeg"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body)
        self.sent[path] += len(body)

    async def forever(self, writer: asyncio.StreamWriter, path: str, chunk: bytes, every_s: float = 0.0) -> None:
        while True:
            writer.write(chunk)
            self.sent[path] += len(chunk)
            await writer.drain()
            await asyncio.sleep(every_s)

    # what it answers, by the first part of a path ---------------------------------------------------------------------

    async def do_missing(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"<html>gone</html>", status=404)

    async def do_good(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, cover(int(path.rsplit("/", 1)[1].split(".")[0])))

    async def do_slow(self, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(0.05)
        await self.do_good(writer, path)

    async def do_png(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, cover(1, "png"), Content_Type="text/html")

    async def do_page(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"<html>" + b"sorry " * 500)

    async def do_stall(self, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(60)

    async def do_halt(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, cover(1)[:700], length=5000)
        await writer.drain()
        await asyncio.sleep(60)

    async def do_drip(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, cover(1)[:100], length=40_000)
        await self.forever(writer, path, b"x", 0.02)

    async def do_half(self, writer: asyncio.StreamWriter, path: str) -> None:
        if self.well:
            await self.do_good(writer, "/good/7.jpg")
            return
        self.send(writer, path, cover(1)[:700], length=5000)
        raise ConnectionResetError

    async def do_chunked(self, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + cover(1)[:700])
        raise ConnectionResetError

    async def do_short(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, cover(1), length=700)  # says less than it sends

    async def do_cut(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, cover(1)[:700])

    async def do_heavy(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"", length=10**12)
        await self.forever(writer, path, cover(1), 0.01)

    async def do_endless(self, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 Said\r\nContent-Type: image/jpeg\r\n\r\n" + cover(1))
        await self.forever(writer, path, bytes(10_000))

    async def do_bomb(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, pixel_bomb() + bytes(2000), length=40_000)
        await self.forever(writer, path, bytes(1000), 0.01)

    async def do_gzip(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")

    async def do_circle(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"", status=302, Location="/circle/b" if path.endswith("a") else "/circle/a")

    async def do_far(self, writer: asyncio.StreamWriter, path: str) -> None:
        left = int(path.rsplit("/", 1)[1])
        self.send(writer, path, b"", status=301, Location=f"/far/{left - 1}" if left > 1 else "/good/3.jpg")

    async def do_moved(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"", status=302, Location=path.replace("/moved", "/good", 1))

    async def do_elsewhere(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"", status=302, Location=self.url + path.replace("/elsewhere", "/good", 1))

    async def do_file(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"", status=302, Location="file:///etc/passwd")

    async def do_private(self, writer: asyncio.StreamWriter, path: str) -> None:
        self.send(writer, path, b"", status=302, Location="http://169.254.169.254/latest/meta-data")

    async def do_nowhere(self, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 302 Said\r\nContent-Length: 0\r\n\r\n")

    async def do_busy(self, writer: asyncio.StreamWriter, path: str) -> None:
        if self.paths[path] == 1:
            self.send(writer, path, b"", status=429, Retry_After="1")
        else:
            await self.do_good(writer, path)

    async def do_down(self, writer: asyncio.StreamWriter, path: str) -> None:
        if self.well:
            await self.do_good(writer, path)
        else:
            self.send(writer, path, b"", status=503)

    async def do_flaky(self, writer: asyncio.StreamWriter, path: str) -> None:
        if self.paths[path] < 3:
            self.send(writer, path, b"", status=503)
        else:
            await self.do_good(writer, path)
