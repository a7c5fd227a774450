"""Nearest covers: how long and how much memory it takes to compare all, and what an index finds of it.

python benchmarks/similar.py [COVERS] [DIMENSIONS] [--index]
python benchmarks/similar.py MODEL DATASET                      which distance, on the covers of train and valid

In the first form features are made up: heaps of covers on forty directions that count, under noise. With --index an
index is built of the same covers (the extra `index`), which takes minutes, and its recall is counted against comparing
all.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.tasks import Task
from sleevenotes.judge.cover_map import common, purity
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model
from sleevenotes.learn.nearest import Nearest, graph, indexed

HEAPS, RANK, TOP = 200, 40, 10
SINGLE, MANY = 20, 1000

Floats = NDArray[np.float32]


def made_up(covers: int, dimensions: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    middles = rng.standard_normal((HEAPS, RANK), dtype=np.float32)
    axes = rng.standard_normal((RANK, dimensions), dtype=np.float32)
    features = rng.standard_normal((covers, dimensions), dtype=np.float32)
    features *= 2
    for start in range(0, covers, 10_000):
        part = features[start : start + 10_000]
        heap = rng.integers(HEAPS, size=len(part))
        part += (middles[heap] + 0.8 * rng.standard_normal((len(part), RANK), dtype=np.float32)) @ axes
    return features


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(what: str, started: float) -> None:
    print(f"{what:<52} {time.perf_counter() - started:8.2f} s   peak {peak_mb():7,.0f} MB", flush=True)


def one_at_a_time(nearest: Nearest, asked: Floats, what: str) -> None:
    times = []
    for row in range(SINGLE):
        began = time.perf_counter()
        nearest.search(asked[row : row + 1], TOP)
        times.append(1000 * (time.perf_counter() - began))
    print(f"{what:<52} {median(times):8.1f} ms  ({min(times):.1f} to {max(times):.1f})", flush=True)


def unit(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def distances(features: Floats) -> dict[str, NDArray[np.float64]]:
    """Directions whose cosines order covers as each distance does."""
    given = features.astype(np.float64)
    centred = given - given.mean(axis=0)
    sizes, axes = np.linalg.eigh(np.cov(centred.T))
    found = {
        "cosine": unit(given),
        "cosine, centred": unit(centred),
        "cosine, standardised": unit(Nearest(features).rows),
    }
    # seen from far away, angles between covers are as their Euclidean distances
    away = 1000 * np.linalg.norm(centred, axis=1).max()
    found["Euclidean"] = unit(np.hstack([centred, np.full((len(centred), 1), away)]))
    for kept in (64, 128, 256):
        parts = centred @ axes[:, ::-1][:, :kept]
        found[f"cosine, {kept} principal components"] = unit(parts)
        found[f"cosine, {kept} of them whitened"] = unit(parts / np.sqrt(sizes[::-1][:kept]))
    return found


def compare(model: Model, dataset: Dataset) -> None:
    task = Task(model.task, model.genres)
    asked = [split in ("train", "valid") for split in dataset.column("split")]
    covers = dataset.where(np.array(asked) & task.answerable(dataset.genre_lists))
    shares = common(task.truth(covers.genre_lists))
    features = dataset_features(covers, model.extractor)
    print(f"{len(covers):,} covers: of the {TOP} nearest of other groups, how many share a genre", flush=True)
    for name, rows in distances(features).items():
        found = purity(rows, shares, covers.groups, np.arange(len(covers)), neighbors=TOP)
        print(
            f"{name:<40} {found.value:.4f} ({found.low:.4f} to {found.high:.4f}), chance {found.chance:.4f}", flush=True
        )


def main() -> None:
    if len(sys.argv) == 3 and Path(sys.argv[1]).is_dir():
        compare(Model.load(Path(sys.argv[1])), Dataset.open(Path(sys.argv[2])))
        return
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    covers, dimensions = (*numbers, 100_000, 1280)[:2] if len(numbers) != 1 else (numbers[0], 1280)
    features = made_up(covers, dimensions)
    print(f"{covers:,} covers of {dimensions:,} features, {features.nbytes / 2**20:,.0f} MB", flush=True)
    asked = features[:MANY] + np.random.default_rng(1).standard_normal((MANY, dimensions), dtype=np.float32)

    started = time.perf_counter()
    nearest = Nearest(features, index=False)
    timed("laid out", started)
    one_at_a_time(nearest, asked, "one cover, all compared")
    started = time.perf_counter()
    nearest = Nearest(features, index=False, quick=True)
    timed("laid out, with a sketch", started)
    one_at_a_time(nearest, asked, "one cover, most ruled out by the sketch")
    del features
    started = time.perf_counter()
    exact, _ = nearest.search(asked, TOP)
    timed(f"{MANY:,} covers, all compared", started)
    if "--index" in sys.argv:
        started = time.perf_counter()
        built = graph(nearest.rows)
        timed("index built", started)
        directions = nearest.directions(asked)
        times = []
        for row in range(SINGLE):
            began = time.perf_counter()
            indexed(directions[row : row + 1], nearest.rows, built, TOP)
            times.append(1000 * (time.perf_counter() - began))
        print(f"{'one cover, by the index':<52} {median(times):8.1f} ms", flush=True)
        found, _ = indexed(directions, nearest.rows, built, TOP)
        hits = [len(set(a) & set(b)) / TOP for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
        print(f"recall@{TOP}: {np.mean(hits):.4f}; all {TOP} found for {np.mean(np.equal(hits, 1)):.1%} of the covers")


if __name__ == "__main__":
    main()
