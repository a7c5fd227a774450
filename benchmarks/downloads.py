"""How many covers a second `collect` fetches, and in how much memory, from a server of one's own.

python benchmarks/downloads.py [URLS]     10,000 by default; the server is another process on this machine

Prints URLs a second while fetching, seconds of the whole collecting, and the peak memory of this process.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from sleevenotes.collect.collecting import CollectSettings, collect
from sleevenotes.collect.politeness import FetchSettings
from sleevenotes.covers.images import encode, resize

SIDE_PX = 350
MOTIFS = 16


def bodies() -> list[bytes]:
    """Draw some covers of 350 px; a few bytes behind the end of each make them differ."""
    rng = np.random.default_rng(0)
    return [encode(resize(rng.integers(0, 255, (20, 20, 3), np.uint8), SIDE_PX), "jpeg") for _ in range(MOTIFS)]


def serve(told: Connection) -> None:
    covers = bodies()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                body, status = b"", b"404 Not Found"
                if path != b"/robots.txt":
                    body, status = covers[hash(path) % MOTIFS] + path, b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
                await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def main() -> None:
    urls = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    port, finished = here.recv(), [0.0]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "list.tsv"
        lines = [
            f"http://127.0.0.1:{port}/{number}.jpg\t{'folk' if number % 2 else 'rock'}/{number}.jpg"
            for number in range(urls)
        ]
        source.write_text("\n".join(lines))
        started = time.perf_counter()

        def progress(done: int, total: int) -> None:
            if not finished[0] and done == total:
                finished[0] = time.perf_counter()

        settings = CollectSettings(fetch=FetchSettings(per_host=64, rate=0, allow_private=True))
        result = collect(source, Path(folder) / "out", settings=settings, progress=progress)
        ended = time.perf_counter()
    server.terminate()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{urls / (finished[0] - started):,.0f} URLs a second ({finished[0] - started:.1f} s for {urls:,})")
    print(f"{len(result.dataset):,} covers collected in {ended - started:.1f} s; at most {memory:,.0f} MiB of memory")


if __name__ == "__main__":
    main()
