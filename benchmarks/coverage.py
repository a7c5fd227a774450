"""Do intervals hold what they promise: how often those of 95 % hold the true figure, and how often p is below 0.05.

python benchmarks/coverage.py [--runs 2000] [--covers 25 60 100 200 700] [--tasks single binary multi compare people]

Each run draws covers, and what a model says of them, from a population whose figures are known (from 400,000 covers),
and gives them to the library's own functions: `judge.figures.figures` (all figures of `evaluate`, its folds and the
curve), `judge.compare` (differences between two models) and `judge.players` (people). Covers come each by itself, or
in groups: an artist has 1, 2, 3, … covers (a half, a quarter, an eighth, … of artists), all of one genre and of a like
look.

Prints a Markdown table: of each figure, of how many intervals in 100 the true figure was inside, at each number of
covers. Of figures that there are several of (one a genre, a bin, a share answered) it is the worst. "few" means that
the library gives no interval, as covers are too few; a figure that got fewer than 100 intervals counts as such. In rows
marked "p" it is how often two models that do not differ have a p below 0.05.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import write_json
from sleevenotes.judge.compare import MEASURES, differences
from sleevenotes.judge.figures import Answers, figures, guesses
from sleevenotes.judge.players import paired, rate
from sleevenotes.learn.abstention import Caution
from sleevenotes.learn.calibration import proba_of
from sleevenotes.learn.conformal import in_set

Floats = NDArray[np.float64]

COVERS = (25, 60, 100, 200, 700)
POPULATION = 400_000
SHARES = {
    "single": np.array([0.35, 0.25, 0.2, 0.12, 0.08]),
    "binary": np.array([0.2, 0.8]),
    "multi": np.array([0.45, 0.3, 0.2, 0.1]),
}
SIGNAL = 1.2  # by how much a cover's own genre is likelier, in standard deviations
ALIKE = 0.64  # of the variance of a look that covers of one artist share
LIMIT, THRESHOLD = 0.15, 0.4
PLAYERS, ROUND, DECK = (5, 10, 30), 20, 200
ENOUGH = 100  # intervals, of which it is told how many held


# ------------------------------------------------------------------------------------------- covers that are drawn


def groups_of(n: int, grouped: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the group of each of n covers."""
    sizes = rng.geometric(0.5, size=n) if grouped else np.ones(n, dtype=np.int64)
    return np.repeat(np.arange(n), sizes)[:n]


def look(groups: NDArray[np.int64], k: int, rng: np.random.Generator) -> Floats:
    """Return how a cover seems, (n, K), a part of which those of one artist share."""
    shared, own = rng.normal(size=(groups.max() + 1, k))[groups], rng.normal(size=(len(groups), k))
    mixed: Floats = ALIKE**0.5 * shared + (1 - ALIKE) ** 0.5 * own
    return mixed


def drawn(task: str, n: int, grouped: bool, rng: np.random.Generator) -> tuple[Answers, Answers]:
    """Return what two models say of n covers, of which neither is better than the other."""
    shares, groups = SHARES[task], groups_of(n, grouped, rng)
    k = len(shares)
    if task == "multi":
        truth = (rng.random((groups.max() + 1, k)) < shares)[groups].astype(np.int64)
        own: Floats = truth - shares
    else:
        truth = rng.choice(k, p=shares, size=groups.max() + 1)[groups]
        own = np.eye(k)[truth]
    told = []
    for _ in range(2):
        logits = 1.5 * (SIGNAL * own + look(groups, k, rng)) + np.log(shares)
        proba, before = (proba_of(logits, task=task, temperature=warmth) for warmth in (1.2, 0.7))  # type: ignore[arg-type]
        told.append(Answers(truth, proba, groups, before, in_set(proba, LIMIT)))
    return told[0], told[1]


def evaluated(task: str, one: Answers, two: Answers, resamples: int, seed: int) -> dict[str, Any]:
    """Return the figures of `evaluate`, with a second model for a baseline."""
    shares = SHARES[task]
    return figures(
        one,
        task=task,
        genres=[f"genre on {share:.0%}" for share in shares],
        baselines=guesses(one.truth, shares) | {"color": two.proba},
        thresholds=np.full(len(shares), THRESHOLD) if task == "multi" else None,
        resamples=resamples,
        seed=seed,
        caution=Caution(max_risk=0.5, coverage=0.9),
    )


# ------------------------------------------------------------------------------------------- figures that are read


def leaves(told: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Give every figure in what the library returns, with where it stands."""
    if isinstance(told, Mapping):
        if "low" in told:
            yield path, told
        for key, value in told.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(told, list):
        for at, value in enumerate(told):
            yield from leaves(value, (*path, str(at)))


def value_of(figure: Mapping[str, Any]) -> float | None:
    """Return the value of a figure; of a bin of a reliability diagram, its accuracy."""
    value: float | None = figure.get("value", figure.get("accuracy"))
    return value


def family(path: tuple[str, ...]) -> str:
    """Return what a figure is called in the table: the same for all genres, bins and shares."""
    if path[0] == "per_genre":
        return f"{path[-1]} of a genre"
    if path[0] == "reliability":
        return f"bin of the reliability diagram, {path[1]}"
    if path[:2] == ("abstention", "curve"):
        return "wrong, of a share answered"
    if path[:2] == ("sets", "by_genre"):
        return "truth in its set, of a genre"
    return " ".join(path)


# ------------------------------------------------------------------------------------------- runs


class Tally:
    """Counts how many intervals held the true figure, how many there were, and how many p were small."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
        self.small: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])

    def count(self, path: tuple[str, ...], figure: Mapping[str, Any], truth: float | None) -> None:
        """Count one interval, and the p beside it if the true difference is 0."""
        low, high = figure["low"], figure["high"]
        if low is None or truth is None or value_of(figure) is None:
            return
        self.held[path][0] += low - 1e-9 <= truth <= high + 1e-9
        self.held[path][1] += 1
        if figure.get("p") is not None and abs(truth) < 1e-9:
            self.small[path][0] += figure["p"] < 0.05
            self.small[path][1] += 1

    def told(self) -> dict[str, dict[str, float]]:
        """Return, for each family of figures, the worst of how often intervals held; of p, the worst of both sides."""
        worst: dict[str, dict[str, float]] = {"held": {}, "small": {}}
        for name, counted, choose in (("held", self.held, min), ("small", self.small, max)):
            for path, (hits, all_of_them) in counted.items():
                if all_of_them >= min(ENOUGH, self.runs / 2):
                    known = worst[name].get(family(path), hits / all_of_them)
                    worst[name][family(path)] = choose(known, hits / all_of_them)
        return worst

    runs = 0


def evaluation_runs(task: str, n: int, grouped: bool, resamples: int, rng: np.random.Generator) -> Iterator[Tally]:
    """Give the tally after each run of one design."""
    whole = drawn(task, POPULATION, False, rng)
    ten = (np.arange(POPULATION) % 10).astype(str)  # so that little is spent on intervals of what is the truth
    known = [Answers(one.truth, one.proba, ten, one.uncalibrated, one.sets) for one in whole]
    truth = {path: value_of(figure) for path, figure in leaves(evaluated(task, known[0], known[1], 2, 0))}
    truth["baselines", "color", "difference"] = 0.0
    tally = Tally()
    while True:
        tally.runs += 1
        found = evaluated(task, *drawn(task, n, grouped, rng), resamples, tally.runs)
        for path, figure in leaves(found):
            p = found["baselines"][path[1]]["p"] if path[-1] == "difference" else None
            tally.count(path, {**figure, "p": p}, truth.get(path))
        yield tally


def comparison_runs(task: str, n: int, grouped: bool, resamples: int, rng: np.random.Generator) -> Iterator[Tally]:
    """Give the tally after each comparison of two models that do not differ."""
    tally = Tally()
    while True:
        tally.runs += 1
        one, two = drawn(task, n, grouped, rng)
        for key, found in differences(one, two, MEASURES[task], resamples=resamples).items():
            if found is not None:
                low, high = found.ends()
                figure = {"value": found.value, "low": low, "high": high, "p": found.p}
                tally.count((f"difference in {MEASURES[task][key].title}",), figure, 0.0)
        yield tally


def people_runs(task: str, players: int, grouped: bool, resamples: int, rng: np.random.Generator) -> Iterator[Tally]:
    """Give the tally after each game of so many players, who differ, about covers that differ."""
    tally = Tally()
    while True:
        tally.runs += 1
        who = np.repeat(np.arange(players), ROUND)
        what = np.concatenate([rng.choice(DECK, ROUND, replace=False) for _ in range(players)])
        skill, ease = rng.normal(size=players)[who], rng.normal(size=DECK)[what]
        right, model = (
            (0.5 * part + 0.7 * ease + 0.5 * rng.normal(size=len(who)) > 0).astype(float)
            for part in (skill, rng.normal(size=DECK)[what])
        )
        tally.count(("people",), rate(right, who, what), 0.5)
        found = paired(right, model, who, covers=what)
        known = {"value": found.difference, "low": found.low, "high": found.high, "p": found.p}
        if not np.isnan(found.low):
            tally.count(("people less a model",), known, 0.0)
        yield tally


RUNS = {
    "single": evaluation_runs,
    "binary": evaluation_runs,
    "multi": evaluation_runs,
    "compare single": comparison_runs,
    "compare binary": comparison_runs,
    "compare multi": comparison_runs,
    "people": people_runs,
}


def table(part: str, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one part's table: a row a figure, a column a number of covers, without and with groups."""
    columns = sorted(found, key=lambda column: (int(column.split()[0]), "groups" in column))
    lines = [f"| {part} | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    for kind, suffix in (("held", ""), ("small", ": p")):
        names = dict.fromkeys(name for at in reversed(columns) for name in found[at][kind])
        for name in names:
            cells = [f"{100 * found[at][kind][name]:.1f}" if name in found[at][kind] else "few" for at in columns]
            lines.append(f"| {name}{suffix} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=2000)
    asked.add_argument("--covers", type=int, nargs="+", default=list(COVERS))
    asked.add_argument("--parts", nargs="+", default=list(RUNS), choices=list(RUNS))
    asked.add_argument("--resamples", type=int, default=500, help="Of the bootstrap of calibration errors.")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--out", type=Path, help="JSON with what is known so far; what is in it is not run again.")
    given = asked.parse_args()
    known: dict[str, dict[str, Any]] = json.loads(given.out.read_text()) if given.out and given.out.exists() else {}
    for part in given.parts:
        task = part.removeprefix("compare ")
        sizes = PLAYERS if part == "people" else given.covers
        for size in sizes:
            for grouped in (False,) if part == "people" else (False, True):
                column = f"{size}{' in groups' if grouped else ''}"
                if column in known.setdefault(part, {}):
                    continue
                began = time.perf_counter()
                rng = np.random.default_rng([given.seed, size, grouped, len(part)])
                runs = RUNS[part](task, size, grouped, given.resamples, rng)
                tally = next(tally for tally in runs if tally.runs == given.runs)
                known[part][column] = tally.told()
                print(f"{part}, {column}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
                if given.out:
                    write_json(given.out, known)
        print(*table(part, known[part]), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
