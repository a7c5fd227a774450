"""Kill each verb at random moments, start it again, and see whether what it leaves is whole and as if never killed.

    python benchmarks/kills.py FOLDER                        every verb, 30 kills each; hours on 2 cores
    python benchmarks/kills.py FOLDER --verb best --kills 5  one of them

Demo covers are drawn into FOLDER once. A verb is first run to its end, for the reference. Then, for each kill, it is
run in a fresh folder and gets SIGKILL, half of the time at a random moment, half of the time right after a random
change to the files that it writes. Verbs that replace an earlier result find one there; after the kill, that one or the
new one must be whole (`evaluate` and `map` may leave none). Then the same command is run to its end (`train` with
`--resume`), in every third case after it was killed once more, and all files must be those of the reference, but for
times and paths, with nothing half-written left.

`study` goes on from kill to kill, as it keeps its parts. `serve` is killed while a client edits genres: each edit that
was acknowledged must be in the log and in the table, and the two must agree.

Each kill is a line in FOLDER/kills.jsonl; a table of all lines is printed at the end.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

VERB = [sys.executable, "-m", "sleevenotes"]
# keys of times and paths, and of what the order of a sum decides: how far an iteration still was from its end
VOLATILE = frozenset({"seconds", "when", "place", "command", "gap"})
GROWING = ("first_genres.csv", "scorings.jsonl")  # logs that no result replaces
POLL_S = 0.002
API = "/api/v1"


@dataclass(frozen=True)
class Job:
    """A verb to be killed.

    Parameters
    ----------
    words
        The command, run in a folder that holds `dataset`, `color` (a model) and whatever `needs` copies there.
    out
        The folder that it writes.
    again
        What the command gets besides when it is run again.
    needs
        Further folders of the base.
    earlier
        A folder of the base that lies at `out` before: what is replaced.
    goes_on
        Whether one run is killed again and again, instead of beginning anew after each kill.
    telling
        The file without which there is no result, if a kill may leave none.
    """

    words: Sequence[str]
    out: str
    again: Sequence[str] = ()
    needs: Sequence[str] = ()
    earlier: str = ""
    goes_on: bool = False
    telling: str = ""


COLORED = ("--model", "color")
JOBS = {
    "collect": Job(("collect", "{base}/covers", "-o", "out"), "out"),
    "split": Job(("split", "dataset", "--again", "--seed", "3"), "dataset"),
    "harmonise": Job(("harmonise", "dataset", "-o", "out", "--size", "64"), "out", earlier="harmonised"),
    "join": Job(("join", "dataset", "harmonised", "-o", "out"), "out", needs=("harmonised",)),
    "small": Job(
        ("train", "dataset", "--model", "small", "--epochs", "3", "-o", "out"), "out", ("--resume",), earlier="color"
    ),
    "best": Job(
        ("train", "dataset", "--model", "best", "--budget", "1h", "-o", "out"), "out", ("--resume",), earlier="color"
    ),
    "evaluate": Job(
        ("evaluate", "color", "dataset", "-o", "out"), "out", earlier="evaluated", telling="evaluation.json"
    ),
    "map": Job(("map", "color", "dataset", "-o", "out"), "out", earlier="mapped", telling="map.json"),
    "export": Job(("export", "best", "--onnx", "-o", "out"), "out", needs=("best",), earlier="bundle"),
    "audit": Job(("audit", "dataset", *COLORED, "--check", "1", "--check", "3", "--check", "6", "-o", "out"), "out"),
    "study": Job(("study", "bandcamp", "dataset", "--quick", "--no-covers", "-o", "out"), "out", goes_on=True),
}


@dataclass
class Watch:
    """How often the files in a folder changed, as far as one can see who looks every few milliseconds."""

    folder: Path
    changes: int = 0
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self) -> int:
        """Return the number of changes so far."""
        now: dict[str, tuple[int, int]] = {}
        for path, _, names in os.walk(self.folder):
            for name in names:
                with suppress(FileNotFoundError):
                    stat = os.stat(os.path.join(path, name))  # noqa: PTH116, PTH118  (a thousand times a second)
                    now[f"{path}/{name}"] = (stat.st_ino, stat.st_size)
        self.changes += len(set(now.items()) ^ set(self._seen.items()))
        self._seen = now
        return self.changes


# -- running and killing -----------------------------------------------------------------------------------------------


def run(words: Sequence[str], cwd: Path) -> tuple[int, float, str]:
    """Run a verb to its end; return its exit code, how long it took, and what it said."""
    began = time.monotonic()
    done = subprocess.run([*VERB, *words], cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, time.monotonic() - began, done.stdout + done.stderr


def kill(words: Sequence[str], cwd: Path, watched: Path, *, after_s: float, after_changes: int | None) -> bool:
    """Run a verb and kill it at a moment; return whether it was still there to be killed."""
    watch = Watch(watched)
    watch.look()
    start = watch.changes
    with subprocess.Popen(
        [*VERB, *words], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        until = time.monotonic() + after_s
        while process.poll() is None:
            due = time.monotonic() > until if after_changes is None else watch.look() - start >= after_changes
            if due:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                break
            time.sleep(POLL_S)
    return process.returncode == -signal.SIGKILL


# -- what is compared --------------------------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, Any]:
    """Return what lies in a folder, by path: of JSON all but times and paths, of pages only that they are there."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return {name: read(path) for name, path in zip(names, paths, strict=True) if ".cache/" not in name}


def read(path: Path) -> Any:
    """Return the content of a file without what differs from run to run."""
    if path.suffix == ".json":
        return lasting(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".jsonl":  # a log, in which what was begun before a kill stands once more
        lines = [lasting(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        return [line for at, line in enumerate(lines) if line not in lines[:at]]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: cell for key, cell in row.items() if key not in VOLATILE} for row in csv.DictReader(file)]
    return "a page" if path.suffix == ".html" else path.read_bytes()


def lasting(value: Any) -> Any:
    """Return JSON without times and paths."""
    if isinstance(value, Mapping):
        columns = value.get("columns")
        if isinstance(columns, list) and columns and isinstance(columns[0], Mapping):  # a table of a study
            timed = [column.get("kind") == "seconds" for column in columns]
            rows = [{**row, "cells": _untimed(row["cells"], timed)} for row in value["rows"]]
            value = {**value, "rows": rows}
        return {key: lasting(each) for key, each in value.items() if key not in VOLATILE}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def _untimed(cells: Sequence[Any], timed: Sequence[bool]) -> list[Any]:
    return [None if is_time else cell for cell, is_time in zip(cells, timed, strict=True)]


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return the paths that differ."""
    return sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))


def is_whole(out: Path, earlier: Mapping[str, Any], reference: Mapping[str, Any], telling: str) -> bool:
    """Return whether a folder holds the earlier result or the new one, with what was ready put in place."""
    from sleevenotes.covers.swapping import finish_swap

    finish_swap(out)
    found, earlier, reference = (
        {name: value for name, value in each.items() if not hidden(name) and not name.endswith(GROWING)}
        for each in (content(out), earlier, reference)
    )
    none = bool(telling) and telling not in found
    return none or any(not differences(found, each) for each in (earlier, reference))


def hidden(name: str) -> bool:
    """Return whether a path leads through something hidden, which belongs to a process."""
    return any(part.startswith(".") for part in name.split("/"))


# -- trials ------------------------------------------------------------------------------------------------------------


class Bench:
    """All trials in one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.base = folder, folder / "base"
        self.rng = random.Random(seed)
        self.log = folder / "kills.jsonl"

    def prepare(self) -> None:
        """Make what all trials begin with, unless it is there."""
        if (self.folder / "prepared").exists():
            return
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir(parents=True)
        for words in (
            ("demo", "-o", "covers", "--genres", "3", "--covers", "40"),
            ("collect", "covers", "-o", "dataset"),
            ("split", "dataset"),
            ("harmonise", "dataset", "-o", "harmonised", "--size", "48"),
            ("train", "dataset", *COLORED, "-o", "color"),
            ("train", "dataset", "--model", "best", "--budget", "1h", "-o", "best"),
            ("evaluate", "best", "dataset", "-o", "evaluated"),
            ("map", "best", "dataset", "-o", "mapped"),
            ("export", "color", "--onnx", "-o", "bundle"),
        ):
            code, _, said = run(words, self.base)
            if code:
                raise SystemExit(f"{' '.join(words)}: {said}")
        (self.folder / "prepared").touch()

    def fresh(self, job: Job, name: str) -> Path:
        """Return a folder of its own for a trial, with what the verb needs and what it replaces."""
        work = self.folder / name / "work"  # results name the folder
        shutil.rmtree(work.parent, ignore_errors=True)
        for each in ("dataset", "color", *job.needs):
            shutil.copytree(self.base / each, work / each, ignore=shutil.ignore_patterns(".cache", "scorings.jsonl"))
        if job.earlier:
            shutil.copytree(self.base / job.earlier, work / job.out)
        return work

    def note(self, verb: str, **told: Any) -> None:
        """Keep and print what came of a kill."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"verb": verb, **told}) + "\n")
        print(verb, *(f"{key} {value}" for key, value in told.items()), flush=True)

    def trials(self, verb: str, kills: int) -> None:
        """Kill a verb so many times."""
        job = JOBS[verb]
        words = [word.format(base=self.base.resolve()) for word in job.words]
        work = self.fresh(job, "trial")  # all in one place, as some results name it
        earlier = content(work / job.out) if job.earlier else None
        watch = Watch(work / job.out)
        watch.look()
        before = watch.changes
        with watching(watch):
            code, took, said = run(words, work)
        if code:
            raise SystemExit(f"{verb}: {said}")
        reference, changes = content(work / job.out), max(1, watch.changes - before)
        print(f"{verb}: {took:.1f} s, some {changes} changes to its files", flush=True)
        done = 0
        work = self.fresh(job, "trial")
        while done < kills:
            by_time = self.rng.random() < 0.5
            share = self.rng.random()
            after_s = took * (0.1 + 0.9 * share) * (0.4 if job.goes_on else 1.0)
            after = None if by_time else 1 + int(share * (changes - 1) * (0.2 if job.goes_on else 1.0))
            again = job.again if (work / job.out / ".building").exists() else ()
            killed = kill([*words, *again], work, work / job.out, after_s=after_s, after_changes=after)
            done += killed
            whole = earlier is None or is_whole(work / job.out, earlier, reference, job.telling)
            if killed and (job.goes_on or self.rng.random() < 1 / 3):  # once more, where it goes on
                self.note(verb, by="time" if by_time else "change", whole=whole)
                continue
            code, _, said = run([*words, *job.again], work)
            apart = differences(content(work / job.out), reference)
            if killed or code or apart:
                told = {"code": code, "apart": apart[:5], "said": said[-400:] if code else ""}
                self.note(verb, by="time" if by_time else "change", whole=whole, **told)
            work = self.fresh(job, "trial")
        code, _, said = run([*words, *job.again], work)
        apart = differences(content(work / job.out), reference)
        self.note(verb, by="the end", whole=True, code=code, apart=apart[:5], said=said[-400:] if code else "")

    # -- edits by serve --

    def edits(self, kills: int) -> None:
        """Kill `serve` so many times while a client edits genres as fast as it can."""
        work = self.fresh(Job((), "dataset"), "edits")
        acknowledged: list[tuple[str, str]] = []
        for number in range(kills):
            with serving(work) as (process, address):
                stop = threading.Timer(self.rng.uniform(0.0, 3.0), os.killpg, (process.pid, signal.SIGKILL))
                made = list(edited(address, self.rng, begun=stop.start))
                process.wait()
            acknowledged += made
            with serving(work) as (process, address):  # the restart
                found = ask(f"{address}{API}/covers?limit=1")["total"] if made else None
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            lost, agree = self.compared(work / "dataset", acknowledged)
            left = [path.name for path in (work / "dataset").glob(".*") if path.name != ".cache"]
            self.note("serve", number=number, edits=len(made), lost=lost, agree=agree, left=left, covers=found)

    def compared(self, folder: Path, acknowledged: Sequence[tuple[str, str]]) -> tuple[int, bool]:
        """Return how many acknowledged edits are not in the log, and whether log and table agree."""
        with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
            table = {row["file_name"]: row["genres"] for row in csv.DictReader(file)}
        log = folder / "changes.csv"
        if not log.exists():
            return len(acknowledged), True
        with log.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        logged = [(row["file_name"], row["after"]) for row in rows]
        missing, rest = 0, iter(logged)
        for each in acknowledged:  # in this order, others may stand between
            if each not in rest:
                missing, rest = missing + 1, iter(logged)
        numbers = [int(row["change"]) for row in rows] == list(range(1, len(rows) + 1))
        return missing, numbers and all(table[name] == after for name, after in dict(logged).items())


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Count changes while something else goes on."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(POLL_S):
            watch.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        watch.look()


@contextmanager
def serving(work: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a dataset in a process of its own."""
    words = [*VERB, "serve", "color", "--dataset", "dataset", "--port", "0"]
    with subprocess.Popen(
        words, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = ""
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+)/", said)):
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"serve did not start: {said}")
            said += line
        yield process, found[1]


def ask(url: str, change: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the API answers; with a change, to a PATCH with it."""
    data = None if change is None else json.dumps(change).encode()
    request = urllib.request.Request(
        url, data, {"content-type": "application/json"}, method="GET" if change is None else "PATCH"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told


def edited(address: str, rng: random.Random, *, begun: Callable[[], None]) -> Iterator[tuple[str, str]]:
    """Edit genres of random covers until the server is gone; give each edit that was acknowledged."""
    covers = ask(f"{address}{API}/covers?limit=50")["covers"]
    begun()
    with suppress(OSError, ValueError, HTTPException):  # it was killed
        genres = sorted({genre for cover in covers for genre in cover["genres"]})
        while True:
            cover = rng.choice(covers)
            change = {"genres": [rng.choice(genres)], "who": "bench"}
            try:
                told = ask(f"{address}{API}/covers/{cover['id']}", change)
            except urllib.error.HTTPError as error:
                if error.code not in (400, 409, 422):  # it has this genre already, or is the last one of another
                    raise
                continue
            yield told["file_name"], ";".join(told["genres"])


def table(log: Path) -> list[str]:
    """Return what came of all kills, a line a verb."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    rows = ["| verb | kills | old or new whole | restarts | all as without a kill |", "| --- | --- | --- | --- | --- |"]
    for verb in dict.fromkeys(line["verb"] for line in lines):
        own = [line for line in lines if line["verb"] == verb]
        if verb == "serve":
            edits = sum(line["edits"] for line in own)
            fine = sum(not line["lost"] and line["agree"] and not line["left"] for line in own)
            rows.append(f"| serve, {edits:,} edits | {len(own)} | {fine} | {len(own)} | {fine} |")
            continue
        kills = [line for line in own if line["by"] != "the end"]
        ended = [line for line in own if "code" in line]
        fine = sum(not line["code"] and not line["apart"] for line in ended)
        rows.append(f"| {verb} | {len(kills)} | {sum(line['whole'] for line in kills)} | {len(ended)} | {fine} |")
    return rows


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verb", action="append", choices=[*JOBS, "serve"], help="repeatable; all by default")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    bench = Bench(asked.folder.resolve(), asked.seed)
    bench.prepare()
    for verb in asked.verb or [*JOBS, "serve"]:
        if verb == "serve":
            bench.edits(asked.kills)
        else:
            bench.trials(verb, asked.kills)
    print("\n".join(table(bench.log)))


if __name__ == "__main__":
    main()
