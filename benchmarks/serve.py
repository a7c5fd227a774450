"""How many covers a second the server answers, against a bare loop of the same model on the same cores.

python benchmarks/serve.py [MODEL] [FOLDER] [--seconds 10] [--rounds 3] [--connections 32] [--uploads N]

MODEL is the one in the box where it is `-` or not given; FOLDER has the covers, demo covers where there is none. The
bare loop is `Model.predict` on the bytes of the covers in a process of its own: several threads decode, sixteen covers
go through the network at once. The server is `sleevenotes serve` in another one, on the same cores (half of those there
are); this process asks it over loopback, on the other half, by so many connections that each send a cover as soon as
the last one is answered. Both are timed in turn, round after round, after one that is not counted. Where other work
shares the cores, covers a second of their own CPU time tell more: they stand beside. --uploads sends so many covers
instead, once, and tells how the server's memory grew. Gradio stands beside where it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np

from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.pixels import cores
from sleevenotes.learn.model import BOX, Model

COVERS = 256
BOUNDARY = "cover-of-the-benchmark"
DRAWN = DemoSettings(genres=2, covers_per_genre=64, near_duplicates=0.0, exact_duplicates=0.0, broken=0)

Ask = Callable[[int], Awaitable[int]]
Connect = Callable[[], AbstractAsyncContextManager[Ask]]


@dataclass
class Round:
    """What came of one round: answers a second, how long each took, and their status."""

    seconds: float = 0.0
    cpu_s: float = float("nan")
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Covers a second."""
        return self.statuses[200] / self.seconds


def halves() -> tuple[set[int], set[int]]:
    """Return the cores of the server and of the loop, and those of the client; the same one where there is but one."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    own = sorted(os.sched_getaffinity(0))
    middle = max(1, len(own) // 2)
    return set(own[:middle]), set(own[middle:] or own)


def pinned(core_set: set[int]) -> Callable[[], None] | None:
    return (lambda: os.sched_setaffinity(0, core_set)) if core_set else None


def covers_of(folder: Path) -> list[bytes]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
    if not found:
        sys.exit(f"{folder}: no covers in it.")
    return [path.read_bytes() for path in found[:: max(1, len(found) // COVERS)][:COVERS]]


# -------------------------------------------------------------------------------- the bare loop


def bare(model: Path, folder: Path) -> None:
    """Time the model on all covers whenever a line comes; tell covers a second."""
    loaded, covers = Model.load(model), covers_of(folder)
    for line in sys.stdin:
        done, began, cpu_s = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < float(line):
            done += sum(answer.proba is not None for answer in loaded.predict(covers))
        print(done / (time.perf_counter() - began), done / (time.process_time() - cpu_s), flush=True)


@contextmanager
def loop_of(model: Path, folder: Path, own: set[int]) -> Iterator[Callable[[float], tuple[float, float]]]:
    """Give what times the bare loop for some seconds: covers a second, and a second of CPU."""
    words = [sys.executable, __file__, str(model), str(folder), "--bare"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(own)
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def timed(seconds: float) -> tuple[float, float]:
            print(seconds, file=asked, flush=True)
            rate, by_cpu = map(float, told.readline().split())
            return rate, by_cpu

        yield timed
        process.kill()


# -------------------------------------------------------------------------------- the server


@contextmanager
def server_of(words: list[str], own: set[int], announced: str) -> Iterator[tuple[int, int]]:
    """Give the port and the process of a server that says when it answers."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(own))
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(announced, line):
                yield int(found[1]), process.pid
                return
        sys.exit(f"{' '.join(words)}: it ended before it answered.")
    finally:
        process.terminate()
        process.wait(30)


def form(cover: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="cover.jpg"\r\n\r\n'
    body = head.encode() + cover + f"\r\n--{BOUNDARY}--\r\n".encode()
    told = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    return b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n" + told.encode() + body


@asynccontextmanager
async def plain(port: int, requests: list[bytes]) -> AsyncIterator[Ask]:
    """Give what sends one cover on a connection of its own and waits for its answer: its status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(number: int) -> int:
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length, head
        await reader.readexactly(int(length[1]))
        return int(head.split(b" ", 2)[1])

    yield ask
    writer.close()


async def asked(connect: Connect, connections: int, *, seconds: float, uploads: int = 0) -> Round:
    """Ask by so many connections at once, for so long, or until so many were sent."""
    numbers, found = iter(range(uploads)) if uploads else iter(cycle(range(COVERS))), Round()

    async def goes_on(ask: Ask, began: float) -> None:
        while uploads or time.perf_counter() - began < seconds:
            number = next(numbers, None)
            if number is None:
                return
            sent = time.perf_counter()
            found.statuses[await ask(number)] += 1
            found.took.append(time.perf_counter() - sent)

    async with AsyncExitStack() as stack:
        asks = [await stack.enter_async_context(connect()) for _ in range(connections)]
        began = time.perf_counter()
        await asyncio.gather(*(goes_on(ask, began) for ask in asks))
        found.seconds = time.perf_counter() - began
    return found


def memory_mb(pid: int) -> float:
    told = Path(f"/proc/{pid}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", told.read_text()) if told.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def cpu_s(pid: int) -> float:
    """Return the seconds that a process has computed; not a number where the system does not tell."""
    told = Path(f"/proc/{pid}/stat")
    if not told.exists():
        return float("nan")
    fields = told.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -------------------------------------------------------------------------------- Gradio


def behind_gradio(model: Path) -> None:
    """Serve the same model by Gradio, as its guides have it: a function of a file."""
    import gradio

    loaded = Model.load(model)

    def predict(path: str) -> dict[str, float]:
        (answer,) = loaded.predict([Path(path)])
        assert answer.proba is not None
        return dict(zip(loaded.genres, map(float, answer.proba), strict=True))

    view = gradio.Interface(predict, gradio.Image(type="filepath"), gradio.Label(), api_name="predict")
    view.queue(default_concurrency_limit=cores())
    view.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    print(f"gradio is at {view.local_url}", flush=True)
    view.block_thread()


@asynccontextmanager
async def by_gradio(port: int, covers: list[bytes]) -> AsyncIterator[Ask]:
    """Give what uploads a cover, calls the function and waits for its result, as Gradio's clients do."""
    import aiohttp

    session = aiohttp.ClientSession(f"http://127.0.0.1:{port}")

    async def ask(number: int) -> int:
        sent = aiohttp.FormData()
        sent.add_field("files", covers[number % len(covers)], filename="cover.jpg")
        async with session.post("/gradio_api/upload", data=sent) as answer:
            (path,) = await answer.json()
        data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
        async with session.post("/gradio_api/call/predict", json=data) as answer:
            event = (await answer.json())["event_id"]
        async with session.get(f"/gradio_api/call/predict/{event}") as answer:
            return answer.status if b"event: complete" in await answer.read() else 500

    yield ask
    await session.close()


# -------------------------------------------------------------------------------- all of it


def told(name: str, rounds: list[Round], loops: list[tuple[float, float]]) -> None:
    took = np.concatenate([each.took for each in rounds])
    median, late = np.percentile(took, [50, 99])
    statuses = sum((each.statuses for each in rounds), Counter())
    row("bare loop", loops, loops)
    row(name, [(each.rate, each.statuses[200] / each.cpu_s) for each in rounds], loops)
    others = {status: count for status, count in statuses.items() if status != 200}
    print(f"{'':16} p50 {1000 * median:.1f} ms, p99 {1000 * late:.1f} ms ({late / median:.1f} ×);", end=" ")
    print(f"{statuses[200]:,} answers, others: {others or 'none'}")


def row(name: str, rounds: list[tuple[float, float]], loops: list[tuple[float, float]]) -> None:
    found, beside = np.array(rounds), np.array(loops)
    rate, by_cpu = np.median(found, axis=0)
    ratio, ratio_by_cpu = np.median(found / beside, axis=0)
    lowest, highest = found[:, 0].min(), found[:, 0].max()
    print(f"{name:16} {rate:8.1f}  {lowest:8.1f} to {highest:7.1f}  {ratio:6.2f}   {by_cpu:14.1f}  {ratio_by_cpu:6.2f}")


def compare(model: Path, folder: Path, asked_for: argparse.Namespace) -> None:
    own, clients = halves()
    covers = covers_of(folder)
    requests = [form(cover) for cover in covers]
    ways: dict[str, tuple[list[str], str, Callable[[int], Connect]]] = {
        "sleevenotes": (
            [sys.executable, "-m", "sleevenotes", "serve", str(model), "--port", "0"],
            r"sleevenotes is at http://127\.0\.0\.1:(\d+)/",
            lambda port: lambda: plain(port, requests),
        )
    }
    if importlib.util.find_spec("gradio"):
        words = [sys.executable, __file__, str(model), str(folder), "--gradio"]
        announced = r"gradio is at http://127\.0\.0\.1:(\d+)/"
        ways["gradio"] = (words, announced, lambda port: lambda: by_gradio(port, covers))
    if clients:
        os.sched_setaffinity(0, clients)
    size = sum(map(len, covers)) / len(covers) / 1000
    print(
        f"{Model.load(model).name}, {len(covers)} covers of {size:.0f} kB, {asked_for.connections} connections,",
        end=" ",
    )
    print(f"server on {len(own) or cores()} core(s), client on {len(clients) or cores()}")
    print(f"{'':16} covers/s    lowest to highest  × bare   covers/s of CPU  × bare")
    with loop_of(model, folder, own) as loop:
        loop(1.0)
        for name, (words, announced, connecting) in ways.items():
            with server_of(words, own, announced) as (port, pid):
                connect = connecting(port)
                asyncio.run(asked(connect, asked_for.connections, seconds=2.0))
                rounds, loops, memory = [], [], [memory_mb(pid)]
                for _ in range(asked_for.rounds):
                    loops.append(loop(asked_for.seconds))
                    before = cpu_s(pid)
                    found = asyncio.run(asked(connect, asked_for.connections, seconds=asked_for.seconds))
                    found.cpu_s = cpu_s(pid) - before
                    rounds.append(found)
                    memory.append(memory_mb(pid))
            told(name, rounds, loops)
            print(f"{'':16} memory of {name}: {', '.join(f'{each:,.0f}' for each in memory)} MB")
    if "gradio" not in ways:
        print("gradio is not installed here; `pip install gradio` puts it beside")


def uploads(model: Path, folder: Path, asked_for: argparse.Namespace) -> None:
    requests = [form(cover) for cover in covers_of(folder)]
    words = [sys.executable, "-m", "sleevenotes", "serve", str(model), "--port", "0"]
    with server_of(words, set(), r"sleevenotes is at http://127\.0\.0\.1:(\d+)/") as (port, pid):
        memory, statuses, part = [], Counter[int](), max(1, asked_for.uploads // 10)
        for _ in range(10):
            found = asked(lambda: plain(port, requests), asked_for.connections, seconds=0, uploads=part)
            statuses += asyncio.run(found).statuses
            memory.append(memory_mb(pid))
    print(f"{sum(statuses.values()):,} uploads by {asked_for.connections} connections: {json.dumps(statuses)}")
    print(f"memory of the server after each tenth: {', '.join(f'{each:,.0f}' for each in memory)} MB")


def asked_for(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="-")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--uploads", type=int, default=0)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--gradio", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    given = asked_for()
    model = BOX if given.model == "-" else Path(given.model)
    if given.gradio:
        behind_gradio(model)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder
        if folder is None:
            folder = Path(scratch) / "drawn"
            draw_demo(folder, DRAWN)
        if given.bare:
            bare(model, folder)
        elif given.uploads:
            uploads(model, folder, given)
        else:
            compare(model, folder, given)


if __name__ == "__main__":
    main()
