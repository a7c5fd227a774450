"""How the backbones at hand do on a dataset: frozen, under a logistic head, in folds that keep groups apart.

python benchmarks/backbones.py DATASET [NAME...]     some minutes a backbone on 2 cores

Each cover is judged by a head that has seen nothing of its group; its regularisation is chosen on covers of the other
folds. With several seeds the folds are dealt anew, and a cover's hits are averaged; intervals come from a bootstrap
over groups. The dataset has to be split, but only for its groups: all sides are folded. Prints the rows of the table in
docs/backbones.md, and the lines of `STANDINGS` in the registry.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.pixels import iter_covers
from sleevenotes.covers.tasks import Task
from sleevenotes.judge.audit.subject import cross_validated
from sleevenotes.judge.rulers import average_of
from sleevenotes.learn.backbones import BACKBONES, BackboneExtractor, at_hand, extractor
from sleevenotes.learn.features import BATCH, dataset_features
from sleevenotes.learn.onnx import OnnxNetwork

TIMED_COVERS = 256


def asked_of(folder: Path) -> tuple[Dataset, Task]:
    """Return the covers that `sleevenotes split` gave a side, and what is asked of them."""
    dataset = Dataset.open(folder)
    settings = dataset.settings
    return dataset.where([bool(side) for side in dataset.column("split")]), Task(
        settings["task"], tuple(settings["genres"])
    )


def covers_per_s(asked: BackboneExtractor, dataset: Dataset) -> float:
    """Return how many covers the form that predicts does in a second of one core's time, whatever else runs."""
    covers = np.stack([pixels for _, pixels in iter_covers(dataset.paths[:TIMED_COVERS], size_px=asked.size_px)])
    with tempfile.TemporaryDirectory() as scratch:
        asked.write(Path(scratch) / "network.onnx")
        network = OnnxNetwork(Path(scratch) / "network.onnx", threads=1)
        network.features(covers[:BATCH])  # the weights are read, and memory is taken
        started = time.process_time()
        for start in range(0, len(covers), BATCH):
            network.features(covers[start : start + BATCH])
    return len(covers) / (time.process_time() - started)


def measured(name: str, dataset: Dataset, task: Task, seeds: int) -> tuple[float, float, float, float]:
    """Return accuracy, its interval, and covers a second."""
    asked = extractor(name)
    features, truth = dataset_features(dataset, asked), task.truth(dataset.genre_lists)
    hits = np.zeros(len(truth))
    for seed in range(seeds):
        answers = cross_validated(features, truth, dataset.groups, task, seed=seed)
        hits += (answers.argmax(axis=1) == truth) / seeds
    figure = average_of(hits, dataset.groups)
    return figure["value"], figure["low"], figure["high"], covers_per_s(asked, dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    dataset, task = asked_of(options.dataset)
    largest = np.bincount(task.truth(dataset.genre_lists)).max() / len(dataset)
    print(f"{len(dataset):,} covers in {len(set(dataset.groups)):,} groups; always the commonest genre: {largest:.3f}")
    for name in options.names or [name for name in BACKBONES if at_hand(name)]:
        accuracy, low, high, speed = measured(name, dataset, task, options.seeds)
        print(f"| `{name}` | {accuracy:.3f} ({low:.3f} to {high:.3f}) | {speed:,.0f} |")
        print(f'    "{name}": Standing({accuracy:.3f}, {low:.3f}, {high:.3f}, {speed:.0f}),', flush=True)


if __name__ == "__main__":
    main()
