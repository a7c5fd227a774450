"""Gathering: every cover of a source read, checked and put in place, once each, whenever it was interrupted.

Covers are decoded on all cores but taken in the order of the source, by one hand: so which of two equal files comes
first, and what each is called, never depends on chance. Each one taken is a line in the journal, `collect.jsonl`, whose
first line says in which way; a killed gathering reads it up to the first line that is not whole and goes on there.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from io import BufferedRandom
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from sleevenotes.collect.folders import Found, Listing, Problem
from sleevenotes.collect.naming import Names
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, probe, sha256
from sleevenotes.covers.schema import Count, validated
from sleevenotes.errors import CoverError, OversizedCover, SourceError

FORMAT = 1
JOURNAL_NAME = "collect.jsonl"
PARTS_NAME = ".collect"

MAX_BYTES = 512_000_000
"""The most bytes a cover may have; 64 megapixels of 16-bit RGBA are as many."""

LARGE_PIXELS = 12_000_000
"""Pictures with more pixels are decoded one at a time, so that memory stays flat."""

WORKERS = 8
READ_AHEAD = 4

Progress = Callable[[int, int], None]
Stamp = tuple[int, int]
"""Size in bytes and time of change in nanoseconds: what tells that a file is still the same."""


@dataclass(frozen=True)
class Entry:
    """What is known of one file of the source: a line of the journal."""

    source: str
    size: int
    mtime_ns: int
    sha256: str = ""
    suffix: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""
    file: str = ""


class JournalLine(TypedDict):
    """A line of the journal, as it is read back."""

    source: str
    size: int
    mtime_ns: int
    sha256: NotRequired[str]
    suffix: NotRequired[str]
    width: NotRequired[Count]
    height: NotRequired[Count]
    problem: NotRequired[str]
    file: NotRequired[str]


@dataclass
class Collected:
    """The covers so far, each with everything that turned out to be the same picture.

    `problems` has all that `problems.csv` says, `broken` those of them that are files which can't be used.
    """

    names: Names = field(default_factory=Names)
    covers: list[tuple[Entry, list[Found]]] = field(default_factory=list)
    by_hash: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Way:
    """What decides whether an earlier gathering knew the same.

    Parameters
    ----------
    place
        Stands for where the source is, without saying it.
    link
        Whether to make hard links instead of copies, where the disk allows it.
    max_pixels
        The most pixels a cover may have.
    """

    place: str
    link: bool
    max_pixels: int


class Gathering:
    """One gathering: what is known already, the journal, and the pictures that it puts in place.

    Parameters
    ----------
    folder
        The dataset.
    way
        How it is done.
    before
        The dataset that was there already, and the way in which it was gathered.
    """

    def __init__(self, folder: Path, way: Way, *, before: tuple[Dataset, Way] | None = None) -> None:
        self.folder, self.way = folder, way
        self.known: dict[str, Entry] = {}  # by source
        self.files: set[str] = set()  # that this or an earlier gathering put there
        self.journaled: dict[str, Entry] = {}
        if before is not None:
            self.files |= set(before[0].file_names)
            same = (before[1].place, before[1].max_pixels) == (way.place, way.max_pixels)
            if same and not (folder / JOURNAL_NAME).exists():  # else its pictures may have been replaced already
                self.known |= _known_before(before[0])
        self.parts = folder / PARTS_NAME
        self._made: set[Path] = set()
        self._one_large = threading.Lock()
        _sweep(folder)
        self.parts.mkdir()
        self._journal = self._open_journal(_line({"format": FORMAT, **asdict(way)}))

    def __enter__(self) -> Gathering:
        return self

    def __exit__(self, *raised: object) -> None:
        self._journal.close()
        shutil.rmtree(self.parts)

    def gather(
        self,
        listing: Listing,
        stamps: Sequence[Stamp],
        *,
        dropped: Callable[[Found], bool],
        strict: bool = False,
        progress: Progress | None = None,
    ) -> Collected:
        """Look at every cover, in order, and put each new picture in place.

        Parameters
        ----------
        listing
            What the source holds.
        stamps
            Size and time of change of each cover.
        dropped
            Tells the covers that are not wanted.
        strict
            Whether the first problem is an error.
        progress
            Called with (covers done, covers in all).

        Raises
        ------
        SourceError
            Where a file changes meanwhile; where there is a problem and `strict` is set.
        """
        done = Collected(problems=[*listing.problems, *listing.scans])
        done.counts.update(found=len(listing.found), unlisted=len(listing.problems), ignored=listing.ignored)
        done.counts["scans"] = len(listing.scans)
        if strict and listing.problems:
            raise _strict(listing.problems[0].problem)
        work = [each for each in zip(listing.found, stamps, strict=True) if not dropped(each[0])]
        done.counts["dropped"] = len(listing.found) - len(work)
        if progress is not None:
            progress(0, len(work))
        with closing(self._examined(work)) as examined:
            for number, (cover, entry, data) in enumerate(examined, start=1):
                if strict and entry.problem:
                    raise _strict(entry.problem)
                self._take(done, cover, entry, data)
                if progress is not None:
                    progress(number, len(work))
        done.counts["covers"] = len(done.covers)
        return done

    def examine(self, work: Sequence[tuple[Found, Stamp]], progress: Progress | None = None) -> list[Entry]:
        """Read and decode covers before it is known whether they are wanted; `gather` then need not do it again.

        Parameters
        ----------
        work
            Covers, each with its size and time of change.
        progress
            Called with (covers done, covers in all).

        Returns
        -------
        list of Entry
            What is known of each, in their order.
        """
        entries = []
        with closing(self._examined(work)) as examined:
            for number, (cover, entry, _) in enumerate(examined, start=1):
                entries.append(entry)
                if self.known.get(cover.source) != entry:
                    self.known[cover.source] = self.journaled[cover.source] = entry
                    self._journal.write(_line(asdict(entry)))
                    self._journal.flush()
                if progress is not None:
                    progress(number, len(work))
        return entries

    def clear(self, kept: Iterable[str]) -> None:
        """Remove pictures of an earlier gathering that are not kept, while it is still known which those were."""
        for name in sorted(self.files - set(kept)):
            path = self.folder / name
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def close(self) -> None:
        """Remove the journal: all is done."""
        (self.folder / JOURNAL_NAME).unlink()

    def _examined(
        self, work: Sequence[tuple[Found, Stamp]]
    ) -> Generator[tuple[Found, Entry, bytes | None], None, None]:
        """Yield each cover with what is known of it, in order, while a few more are decoded on all cores."""
        workers = min(WORKERS, _cores())
        pool = ThreadPoolExecutor(workers)
        waiting: deque[tuple[Found, Entry | Future[tuple[Entry, bytes]]]] = deque()
        try:
            for cover, stamp in work:
                known = self.known.get(cover.source)
                if known is not None and (known.size, known.mtime_ns) == stamp:
                    waiting.append((cover, known))
                else:
                    waiting.append((cover, pool.submit(self._examine, cover, stamp)))
                if len(waiting) > READ_AHEAD * workers:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            pool.shutdown(cancel_futures=True)

    def _examine(self, cover: Found, stamp: Stamp) -> tuple[Entry, bytes]:
        entry = Entry(cover.source, *stamp)
        where = clean(cover.source)
        try:
            if entry.size > MAX_BYTES:
                raise OversizedCover(where, f"{entry.size:,} bytes", f"at most {MAX_BYTES:,}", "Scale it down")
            data = cover.path.read_bytes()
            info = probe(data, where)
            with self._one_large if info.width * info.height > LARGE_PIXELS else nullcontext():
                height, width, _ = decode(data, where=where, max_pixels=self.way.max_pixels).shape
        except CoverError as error:
            return replace(entry, problem=str(error)), b""
        except OSError as error:
            return replace(entry, problem=str(CoverError(where, f"can't be read ({error.strerror or error})"))), b""
        return replace(entry, sha256=sha256(data), suffix=info.suffix, width=width, height=height), data

    def _take(self, done: Collected, cover: Found, entry: Entry, data: bytes | None) -> None:
        """Add one examined cover: as a problem, to the cover that it equals, or as a new one."""
        was = entry.file
        if entry.problem:
            entry = replace(entry, file="")
            done.counts["broken"] += 1
            done.broken.append(Problem(cover.source, entry.problem))
            done.problems.append(done.broken[-1])
        elif entry.sha256 in done.by_hash:
            entry = replace(entry, file="")
            same = done.covers[done.by_hash[entry.sha256]][1]
            same.append(cover)
            done.counts["duplicates"] += 1
            done.problems.append(Problem(cover.source, _same_as(cover, same[0])))
        else:
            entry = replace(entry, file=done.names.free(cover.name or cover.source, entry.suffix))
            done.by_hash[entry.sha256] = len(done.covers)
            done.covers.append((entry, [cover]))
            if data is None and was == entry.file and self._in_place(cover, entry):
                done.counts["kept"] += 1
            else:
                done.counts["written"] += 1
                done.counts["unlinked"] += self._place(cover, entry, data)
        if self.journaled.get(entry.source) != entry:
            self._journal.write(_line(asdict(entry)))
            self._journal.flush()

    def _in_place(self, cover: Found, entry: Entry) -> bool:
        try:
            there, here = (self.folder / entry.file).stat(), cover.path.stat()
        except OSError:
            return False
        same = (there.st_size, there.st_mtime_ns) == (entry.size, entry.mtime_ns)
        return same and os.path.samestat(there, here) == self._links(cover)

    def _place(self, cover: Found, entry: Entry, data: bytes | None) -> bool:
        """Copy or link a picture, whole or not at all; return whether a link was wanted but impossible."""
        target, part = self.folder / entry.file, self.parts / "part"
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        self.files.add(entry.file)
        if self._links(cover) and _linked(cover.path, part):
            part.replace(target)
            part.unlink(missing_ok=True)  # replacing a file by itself leaves both names
            return False
        if data is None:
            data = _again(cover.path, entry.sha256)
        part.write_bytes(data)
        os.utime(part, ns=(entry.mtime_ns, entry.mtime_ns))  # by which a later collecting sees that it is the same
        part.replace(target)
        return self._links(cover)

    def _links(self, cover: Found) -> bool:
        """Tell whether a picture is linked: one that was fetched is ours already, and need not be kept twice."""
        return self.way.link or bool(cover.url)

    def _open_journal(self, header: bytes) -> BufferedRandom:
        """Read what an interrupted collecting wrote, as far as it is whole, and open it to go on behind that."""
        path = self.folder / JOURNAL_NAME
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        entries = _entries(lines[1:])
        self.files |= {entry.file for entry in entries if entry.file}
        if not lines or lines[0] != header:  # there is none, or it was kept under other settings
            journal = path.open("w+b")
            journal.write(header)
            journal.flush()
            return journal
        owners = {entry.file: entry.source for entry in entries if entry.file}
        self.journaled = {entry.source: entry for entry in entries}
        self.known |= self.journaled
        for name, entry in self.known.items():
            if owners.get(entry.file, name) != name:
                self.known[name] = replace(entry, file="")  # another picture has taken its place since
        journal = path.open("r+b")
        journal.truncate(sum(map(len, lines[: len(entries) + 1])))
        journal.seek(0, os.SEEK_END)
        return journal


def _next(waiting: deque[tuple[Found, Entry | Future[tuple[Entry, bytes]]]]) -> tuple[Found, Entry, bytes | None]:
    cover, known = waiting.popleft()
    return (cover, known, None) if isinstance(known, Entry) else (cover, *known.result())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _linked(path: Path, part: Path) -> bool:
    try:
        part.hardlink_to(path.resolve())
    except OSError:  # another disk, or one without links; should copying fail as well, that will be told
        return False
    return True


def _again(path: Path, digest: str) -> bytes:
    """Read a file that was read before."""
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise SourceError(str(path), f"can't be read any more ({cause.strerror or cause})") from cause
    if sha256(data) != digest:
        raise SourceError(str(path), "changed while it was collected", cure="Run the same command again")
    return data


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"  # ASCII: names that are no UTF-8 come back as they were


def _entries(lines: Sequence[bytes]) -> list[Entry]:
    """Read the journal up to the first line that is not whole."""
    entries, known = [], {each.name for each in fields(Entry)}
    for line in lines:
        try:
            # not msgspec's reader of JSON: names that are no UTF-8 stand there as halves of surrogate pairs
            entry: dict[str, Any] = dict(validated(json.loads(line), "", JournalLine, SourceError, ""))
        except (ValueError, RecursionError, SourceError):
            break
        entries.append(Entry(**{name: value for name, value in entry.items() if name in known}))
        if not line.endswith(b"\n"):
            entries.pop()
            break
    return entries


def stamp_of(path: Path) -> Stamp:
    """Return size and time of change; -1 for a file that can't be asked, which then can't be read either."""
    try:
        stat = path.stat()
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns


def _known_before(dataset: Dataset) -> dict[str, Entry]:
    """Return what an earlier collecting knew of pictures that still lie where it put them."""
    known = {}
    rows = dataset.covers.select("source", "file_name", "sha256", "width", "height")
    for source, name, digest, width, height in rows.iter_rows():
        size, mtime_ns = stamp_of(dataset.folder / name)
        if size >= 0 and digest and width and height:
            suffix = Path(name).suffix
            known[source] = Entry(source, size, mtime_ns, digest, suffix, width=width, height=height, file=name)
    return known


def _same_as(cover: Found, first: Found) -> str:
    name, first_name = clean(cover.source), clean(first.source)
    if name == first_name:
        said = f"named in row {cover.row} as in row {first.row} already. It is one cover"
    else:
        said = f"byte for byte the same as {first_name}. They are one cover"
    return f"{name}: {said}, with all their genres."


def clean(text: str) -> str:
    """Return a text that can be written as UTF-8: names of files may hold bytes that can't."""
    return text.encode("utf-8", "replace").decode()


def _strict(problem: str) -> SourceError:
    cure = "Mend it, or leave `--strict` out; the same command then goes on"
    return SourceError("--strict", problem.rstrip("."), cure=cure)


def _sweep(folder: Path) -> None:
    """Remove what a killed collecting left half done; whoever calls holds the dataset's lock."""
    if (folder / PARTS_NAME).exists():
        shutil.rmtree(folder / PARTS_NAME)
