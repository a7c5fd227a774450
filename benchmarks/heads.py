"""Which head on frozen MobileNetV2 features: refitted on train and valid or not, on square roots of features or not.

python benchmarks/heads.py MODEL DATASET [SEEDS]     a `mobilenet` model, and the dataset it was trained on

Prints accuracy pooled over five folds, groups apart, for each seed of the folds. The split's test covers are pooled
with the others here: it compares ways of fitting, and is not how a model is chosen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import folds
from sleevenotes.covers.tasks import Task
from sleevenotes.learn import heads
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model


def pooled_accuracy(
    features: NDArray[np.float32], truth: NDArray[np.int64], groups: list[str], *, seed: int, refit: bool
) -> float:
    part, genres = folds(groups, truth, 5, seed), int(truth.max()) + 1
    right = np.zeros(len(truth), dtype=bool)
    for number in range(5):
        rest, test = np.flatnonzero(part != number), part == number
        is_valid = folds([groups[index] for index in rest], truth[rest], 8, seed) == 0
        train, valid = rest[~is_valid], rest[is_valid]
        sides = [(features[rows], truth[rows]) for rows in (train, valid)]
        head, trials = heads.choose(*sides, task="single", genres=genres)
        if refit:
            strength = min(trials, key=lambda trial: trial.valid_loss).strength
            head = heads.fit(features[rest], truth[rest], task="single", strength=strength, genres=genres)
        right[test] = head.logits(features[test]).argmax(axis=1) == truth[test]
    return float(right.mean())


def main() -> None:
    model, dataset = Model.load(Path(sys.argv[1])), Dataset.open(Path(sys.argv[2]))
    seeds = range(int(sys.argv[3]) if len(sys.argv) > 3 else 3)
    task = Task.of(dataset)
    dataset = dataset.where([side != "" for side in dataset.column("split")])
    features, truth = dataset_features(dataset, model.extractor), task.truth(dataset.genre_lists)
    for name, given in (("features", features), ("square roots", np.sqrt(features))):
        for refit in (False, True):
            found = [pooled_accuracy(given, truth, dataset.groups, seed=seed, refit=refit) for seed in seeds]
            what = f"{name}, {'fitted again on train and valid' if refit else 'fitted on train'}"
            print(f"{what:<48}", *(f"{accuracy:.3f}" for accuracy in found), flush=True)


if __name__ == "__main__":
    main()
