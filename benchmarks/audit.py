"""The test bench of the audit: whether it finds what was planted, and keeps quiet where nothing was.

python benchmarks/audit.py demo                      demo covers; hours on 2 cores
python benchmarks/audit.py real FIVE_GENRES_FOLDER   real covers: one genre, halved at random

Each case draws or re-encodes covers in a folder of its own, collects and splits them, audits the dataset, and leaves
nothing but which findings were raised (`suspicious` or `broken`). With `--json FILE` that is kept as it comes, and a
bench that was stopped goes on; delete the file when the audit has changed. `plants.py` tells what is planted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core; the processes of the pool inherit it

import plants

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.errors import SleevenotesWarning
from sleevenotes.judge.audit.audit import AuditSettings, audit
from sleevenotes.judge.proportions import wilson

PROCESSES = 2
CHEAP = frozenset({1, 2, 6, 7})
TRAINED = CHEAP | {3, 4}
STRENGTHS = (0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Case:
    """A dataset to be made and audited.

    Parameters
    ----------
    kind
        `demo` or `real`.
    plant
        Its name in `plants`.
    strength, seed
        Of the plant, and of everything that is random.
    trains
        Whether all that can be trained with colours is, or only the cheap checks are made.
    """

    kind: str
    plant: str
    strength: float
    seed: int
    trains: bool = False

    @property
    def check(self) -> int | None:
        """The number of the check that must raise a finding."""
        found = {**plants.DEMO, **plants.CLEAN, **plants.REAL, **plants.REAL_CLEAN}[self.plant]
        return None if found is None else found.check


def tried(case: Case, covers: Sequence[Path] = ()) -> dict[str, Any]:
    """Make a case's dataset, audit it, and return the case with the findings that were raised, by id."""
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in valid and test
        folder = Path(scratch)
        told = audit(_dataset(case, folder, covers), folder / "audit", _settings(case))
    findings = told["findings"]
    return {
        **asdict(case),
        "raised": {one["id"]: [one["check"], one["verdict"]] for one in findings if one["verdict"] != "clean"},
        "measured": {one["id"]: [one["measured"]["value"], one["p_holm"]] for one in findings},
    }


def _dataset(case: Case, folder: Path, covers: Sequence[Path]) -> Dataset:
    if case.kind == "demo":
        plant = (plants.DEMO | plants.CLEAN)[case.plant]
        return plants.planted_demo(folder, plant, case.strength, seed=case.seed)
    treated = {**plants.REAL, **plants.REAL_CLEAN}[case.plant]
    return plants.planted_real(folder, covers, treated, case.strength, seed=case.seed)


def _settings(case: Case) -> AuditSettings:
    if case.trains:
        wanted = TRAINED if case.check is None else frozenset({case.check})
        return AuditSettings(
            model="color", checks=wanted, seed=case.seed
        )  # features of no weights that must be at hand
    return AuditSettings(checks=CHEAP, price=False, seed=case.seed)


# The cases ------------------------------------------------------------------------------------------------------------


def demo_cases(options: argparse.Namespace) -> Iterator[Case]:
    for name, plant in plants.DEMO.items():
        for strength in options.strengths:
            yield from (Case("demo", name, strength, seed, plant.trains) for seed in range(options.seeds))
    for name in plants.CLEAN:
        yield from (Case("demo", name, 0.0, seed) for seed in range(options.clean_seeds))
        yield from (Case("demo", name, 0.0, seed, True) for seed in range(min(options.seeds, options.clean_seeds)))


def real_cases(options: argparse.Namespace) -> Iterator[Case]:
    for name in plants.REAL:
        for strength in options.strengths:
            yield from (Case("real", name, strength, seed) for seed in range(options.seeds))
    for name in plants.REAL_CLEAN:
        yield from (Case("real", name, 0.0, seed) for seed in range(options.clean_seeds))


def run(cases: Sequence[Case], covers: Sequence[Path], kept: Path | None) -> list[dict[str, Any]]:
    """Try all cases in a pool of processes, but for those whose results are kept in a file already."""
    done = json.loads(kept.read_text(encoding="utf-8")) if kept is not None and kept.exists() else []
    keys = {tuple(one[name] for name in asdict(cases[0])) for one in done}
    left = [case for case in cases if tuple(asdict(case).values()) not in keys]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for count, future in enumerate(as_completed([pool.submit(tried, case, covers) for case in left]), 1):
            done.append(future.result())
            if kept is not None:
                write_json(kept, done)
            print(f"\r{count:,} of {len(left):,} cases", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    wanted = {tuple(asdict(case).values()) for case in cases}
    return [one for one in done if tuple(one[name] for name in asdict(cases[0])) in wanted]


# The tables -----------------------------------------------------------------------------------------------------------


def tables(results: Sequence[dict[str, Any]]) -> str:
    """Return both tables in Markdown: what was planted and found by its check, and what was raised on clean covers."""
    cases = [(Case(*(one[name] for name in Case.__dataclass_fields__)), one["raised"]) for one in results]
    planted = [(case, raised) for case, raised in cases if case.check is not None]
    clean = [(case, raised) for case, raised in cases if case.check is None]
    parts = [_planted(planted)] if planted else []
    return "\n\n".join([*parts, _clean(clean)] if clean else parts)


def _planted(cases: Sequence[tuple[Case, dict[str, Any]]]) -> str:
    strengths = sorted({case.strength for case, _ in cases})
    rows = [["planted", "check", *(f"found at {strength:g}" for strength in strengths)]]
    rows.append(["---", "---:", *("---:" for _ in strengths)])
    for name in dict.fromkeys(case.plant for case, _ in cases):
        own = [(case, raised) for case, raised in cases if case.plant == name]
        cells = []
        for strength in strengths:
            hits = [_is_found(case, raised) for case, raised in own if case.strength == strength]
            cells.append(share(sum(hits), len(hits)))
        rows.append([name, str(own[0][0].check), *cells])
    return _lines(rows)


def _is_found(case: Case, raised: dict[str, Any]) -> bool:
    return any(check == case.check for check, _ in raised.values())


def _clean(cases: Sequence[tuple[Case, dict[str, Any]]]) -> str:
    rows = [["nothing planted", "checks", "any alarm", "which"], ["---", "---", "---:", "---"]]
    for name, trains in dict.fromkeys((case.plant, case.trains) for case, _ in cases):
        own = [raised for case, raised in cases if (case.plant, case.trains) == (name, trains)]
        which = Counter(identity for raised in own for identity in raised)
        told = ", ".join(f"{identity} {count}" for identity, count in which.most_common())
        checks = ", ".join(map(str, sorted(TRAINED if trains else CHEAP))) + (", training" if trains else "")
        rows.append([name, checks, share(sum(map(bool, own)), len(own)), told])
    return _lines(rows)


def share(hits: int, n: int) -> str:
    """Return a count and its share's interval, in words.

    >>> share(19, 20)
    '19 of 20 (76–99 %)'
    """
    if not n:
        return ""
    low, high = (f"{100 * end:.0f}" for end in wilson(hits / n, n))
    return f"{hits} of {n} ({low}–{high} %)"


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


# The command line -----------------------------------------------------------------------------------------------------


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    demo = kinds.add_parser("demo", help="demo covers with planted shortcuts, leaks and wrong labels")
    real = kinds.add_parser("real", help="real covers, re-encoded by OpenCV and simplejpeg")
    real.add_argument("folder", type=Path, metavar="FIVE_GENRES_FOLDER", help="a folder of real covers per genre")
    real.add_argument("--genre", default="Rock", help="the genre that is halved")
    for kind, strengths, seeds, clean in ((demo, STRENGTHS, 20, 200), (real, (0.0, 1.0), 5, 20)):
        kind.add_argument("--strengths", type=float, nargs="+", default=list(strengths), help="0 to 1")
        kind.add_argument("--seeds", type=int, default=seeds, help="for each plant and strength")
        kind.add_argument("--clean-seeds", type=int, default=clean, help="where nothing is planted")
        kind.add_argument("--only", nargs="+", metavar="PLANT", help="of the plants and clean cases, by their names")
        kind.add_argument("--json", type=Path, metavar="FILE", help="keep what each case raised")
    return parser.parse_args(arguments)


def command(options: argparse.Namespace) -> str:
    """Return the command that gives the figures; real covers lie where the docs have them."""
    words = ["python benchmarks/audit.py", options.kind]
    if options.kind == "real":
        words += ["$SLEEVENOTES_COVERS/five-genres", f"--genre {options.genre}"]
    words += [f"--strengths {' '.join(f'{strength:g}' for strength in options.strengths)}"]
    return " ".join([*words, f"--seeds {options.seeds} --clean-seeds {options.clean_seeds}"])


def main() -> None:
    options = parsed(sys.argv[1:])
    cases = list(demo_cases(options) if options.kind == "demo" else real_cases(options))
    cases = [case for case in cases if not options.only or case.plant in options.only]
    with tempfile.TemporaryDirectory() as scratch:
        is_real = options.kind == "real"
        covers = plants.real_covers(options.folder / options.genre, Path(scratch) / "all") if is_real else []
        results = run(cases, covers, options.json)
    print(f"    {command(options)}\n\n{tables(results)}")


if __name__ == "__main__":
    main()
