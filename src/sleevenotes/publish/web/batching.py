"""Who does the work: threads that decode, one that asks the model about many covers at once, two for what takes long.

Requests live on the event loop, which never computes. A cover goes through two lanes: it is decoded by one of some
threads, and then waits for the model, which takes as many covers as wait, up to `BATCH`. Nobody waits for a batch to
fill: while the model is at work, the next one gathers by itself. Each lane has room for so many covers; more are told
so (503) at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import numpy as np
from fastapi import Depends, Request

from sleevenotes.covers.images import Pixels, decode, resize
from sleevenotes.covers.pixels import cores
from sleevenotes.errors import CoverError, NotACover, SleevenotesError
from sleevenotes.learn.calibration import Floats
from sleevenotes.learn.model import BATCH, Model
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.metrics import Metrics
from sleevenotes.publish.web.problems import RETRY_S, Problem, busy
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.uploads import Form, Room, Upload, boundary_of, read_form

SLOW_THREADS, SLOW_WAITING = 2, 16

Job = TypeVar("Job")
Result = TypeVar("Result")


class Lane(Generic[Job, Result]):
    """Threads that take work from a queue.

    Parameters
    ----------
    work
        Gives the results of some jobs, in order; what it raises, each of them raises.
    threads
        How many.
    batch
        How many jobs a thread takes at once, at most.
    waiting
        How many jobs there may be that are not done.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], Sequence[Result]],
        *,
        threads: int = 1,
        batch: int = 1,
        waiting: int = 256,
    ) -> None:
        self.work, self.batch, self.most = work, batch, waiting
        self.waiting = 0
        self._lock = Lock()
        self._queue: SimpleQueue[tuple[Job, asyncio.Future[Result]]] = SimpleQueue()
        for _ in range(threads):  # daemons, so that nothing that takes minutes keeps the process from ending
            Thread(target=self._run, daemon=True, name="sleevenotes").start()

    def submit(self, jobs: Sequence[Job]) -> list[asyncio.Future[Result]]:
        """Take jobs, all or none, and return what their results will be in.

        Raises
        ------
        Problem
            `busy`, where there is no room for them.
        """
        with self._lock:
            if self.waiting + len(jobs) > self.most:
                raise busy(f"{self.waiting:,} covers wait already, and it takes {self.most:,}")
            self.waiting += len(jobs)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in jobs]
        for pair in zip(jobs, futures, strict=True):
            self._queue.put(pair)
        return futures

    async def do(self, jobs: Sequence[Job]) -> list[Result]:
        """Return the results of jobs, in order; who stops waiting for them takes back those that were not begun."""
        futures = self.submit(jobs)
        try:
            return [await future for future in futures]
        finally:
            for future in futures:
                # one that has failed beside another is told by that one
                if not future.cancel() and not future.cancelled():
                    future.exception()

    def _run(self) -> None:
        while True:
            taken = [self._queue.get()]
            with suppress(Empty):
                while len(taken) < self.batch:
                    taken.append(self._queue.get_nowait())
            wanted = [pair for pair in taken if not pair[1].cancelled()]
            if wanted:
                self._answer(wanted)
            with self._lock:
                self.waiting -= len(taken)

    def _answer(self, pairs: Sequence[tuple[Job, asyncio.Future[Result]]]) -> None:
        try:
            results = self.work([job for job, _ in pairs])
        except BaseException as error:  # whoever asked raises it
            for _, future in pairs:
                _tell(future, future.set_exception, error)
            return
        for (_, future), result in zip(pairs, results, strict=True):
            _tell(future, future.set_result, result)


def _tell(future: asyncio.Future[Any], tell: Callable[[Any], None], told: Any) -> None:
    """Settle a future from another thread, unless nobody waits for it any more."""

    def settle() -> None:
        if not future.done():
            tell(told)

    with suppress(RuntimeError):  # its loop is closed
        future.get_loop().call_soon_threadsafe(settle)


class Looked(NamedTuple):
    """A cover as the model gets it, (S, S, 3), and how the model knows it, if it learnt from it."""

    pixels: Pixels
    known: str | None


class Answer(NamedTuple):
    """What a model says of a cover, (K,), and how it knows it, if it learnt from it."""

    proba: Floats
    known: str | None


class Desk:
    """Where requests hand in their covers.

    Parameters
    ----------
    service
        Whose model is asked.
    limits
        How much is taken on.
    metrics
        What is counted.
    """

    def __init__(self, service: Service, limits: Limits, metrics: Metrics) -> None:
        self.service, self.limits, self.metrics = service, limits, metrics
        self.room = Room(limits.max_memory_bytes)
        self._at_work = 0
        self._decoders: Lane[Upload, Looked | CoverError] = Lane(self._decoded, threads=cores(), waiting=limits.waiting)
        self._model: Lane[Pixels, Floats] = Lane(self._proba, batch=BATCH, waiting=limits.waiting)
        self._slow: Lane[Callable[[], Any], Any] = Lane(
            lambda jobs: [job() for job in jobs], threads=SLOW_THREADS, waiting=SLOW_WAITING
        )
        metrics.watch("covers_waiting", "Covers that wait for the model.", lambda: self._model.waiting)
        metrics.watch("upload_bytes", "Covers in memory, as they came in.", lambda: self.room.taken)

    def warm_up(self) -> None:
        """Have the model load all that it needs, so that the first one who asks need not wait for it."""
        warm_up(self.service.model)

    @asynccontextmanager
    async def uploads(self, request: Request, *, most: int | None = None) -> AsyncIterator[Sequence[Upload]]:
        """Give the covers of a request, and hold its place among those that are worked on.

        Parameters
        ----------
        most
            How many the route takes; by default as many as the limits allow.

        Raises
        ------
        Problem
            Where they can't be read, are too large or too slow, or there are too many requests already.
        """
        form = Form(boundary_of(request), self.limits, self.room, most=most or self.limits.max_files)
        try:
            uploads = await read_form(request, form)
            if self._at_work >= self.limits.concurrent:  # a client that is slow to send has no place yet
                found = f"{self._at_work:,} requests with covers are worked on already"
                raise Problem("too_many", SleevenotesError("serve", found, cure="Ask again"), retry_after=RETRY_S)
            self._at_work += 1
            try:
                yield uploads
            finally:
                self._at_work -= 1
        finally:
            self.room.give(form.taken)

    async def answers(self, uploads: Sequence[Upload]) -> list[Answer | CoverError]:
        """Return what the model says of each cover, or why it can't be read."""
        async with self._in_time():
            decoded = await self._decoders.do(uploads)
            rows = iter(await self._model.do([one.pixels for one in decoded if not isinstance(one, CoverError)]))
        answers = [one if isinstance(one, CoverError) else Answer(next(rows), one.known) for one in decoded]
        unreadable = sum(isinstance(answer, CoverError) for answer in answers)
        self.metrics.covers("unreadable", unreadable)
        self.metrics.covers("answered", len(answers) - unreadable)
        return answers

    async def slowly(self, job: Callable[[], Result]) -> Result:
        """Return what a function gives that takes its time, called in a thread; a few at once, others wait.

        Raises
        ------
        Problem
            `busy`, where too many wait, or it takes too long. It is finished nonetheless, once begun.
        """
        async with self._in_time():
            found: list[Result] = await self._slow.do([job])
        return found[0]

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limits.answer_s):
                yield
        except TimeoutError as cause:
            raise busy(f"no answer within {self.limits.answer_s:g} s") from cause

    def _decoded(self, uploads: Sequence[Upload]) -> list[Looked | CoverError]:
        model = self.service.model
        found: list[Looked | CoverError] = []
        for upload in uploads:
            pixels = squeezed(upload, model.size_px, self.limits)
            if isinstance(pixels, CoverError):
                found.append(pixels)
            else:
                found.append(Looked(pixels, model.known.marks([pixels], [upload.data])[0]))
        return found

    def _proba(self, covers: Sequence[Pixels]) -> list[Floats]:
        model = self.service.model
        self.metrics.batch(len(covers))
        return list(model.proba(model.logits(np.stack(covers))))


def squeezed(upload: Upload, size_px: int, limits: Limits) -> Pixels | CoverError:
    """Return the pixels of a cover as a model gets them, (size_px, size_px, 3), or why there are none."""
    try:
        return resize(unsqueezed(upload, limits), size_px)
    except CoverError as error:
        return error


def unsqueezed(upload: Upload, limits: Limits) -> Pixels:
    """Return the pixels of a cover, (H, W, 3).

    Raises
    ------
    CoverError
        Where there are none, too many, or it is a strip.
    """
    pixels = decode(upload.data, where=upload.name, max_pixels=limits.max_pixels)
    height, width = pixels.shape[:2]
    if max(height, width) > limits.max_elongation * min(height, width):
        most = f"A cover is at most {limits.max_elongation:g} times as long as wide"
        raise NotACover(upload.name, f"a strip of {width:,} × {height:,} pixels", most, "Crop it")
    return pixels


def warm_up(model: Model) -> None:
    """Ask a model about one black cover."""
    _ = model.known.hashes
    model.proba(model.logits(np.zeros((1, model.size_px, model.size_px, 3), dtype=np.uint8)))


async def the_desk(request: Request) -> Desk:
    """Return the desk of the app that a request came to.

    It is a coroutine, as FastAPI sends any other function to a thread and back, which takes longer than all else here.
    """
    found: Desk = request.app.state.desk
    return found


DeskHere = Annotated[Desk, Depends(the_desk)]
