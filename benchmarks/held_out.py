"""Whether the ladder's winner is as sure as it should be, told without a look at test.

python benchmarks/held_out.py DATASET --seeds 2

DATASET is split; its train and valid are dealt into folds, groups apart, and each fold in turn is held out of
everything: of the likeness, the heads, the weights and the temperature that a short ladder finds on the others. Printed
is, over all folds, how sure the model is of covers that were held out, how often it is right, the calibration error and
the log loss, and beside them the same of its answers out of fold, by which it was calibrated. Both should agree.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import folds
from sleevenotes.covers.tasks import Task
from sleevenotes.judge import metrics
from sleevenotes.learn import backbones, blends, ladder
from sleevenotes.learn.calibration import Floats, calibrate, calibrated, log_loss
from sleevenotes.learn.parts import Part, PartForm

FOLDS = 5


def short_ladder() -> list[ladder.Step]:
    """Return four rungs of those that win: two likenesses and two linear heads, on the backbones that are at hand."""
    names = [name for name in ladder.CANDIDATES if backbones.at_hand(name)]
    roots = [PartForm("network", name, rooted=True) for name in names]
    first, last = roots[0], roots[-1]
    two = [replace(form, views=ladder.TWO_VIEWS) for form in roots]
    gridded = replace(first, layers=backbones.layers_of(first.backbone)[-1:], grid=ladder.GRID)
    layered = replace(last, layers=backbones.layers_of(last.backbone))
    alone = ladder.Step(replace(last, views=ladder.FOUR_VIEWS), "likeness")
    linear = [ladder.Step(gridded, "linear"), ladder.Step(layered, "linear")]
    return [ladder.Step(two[0], "likeness", tuple(two[1:])), alone, *linear]


def features_by(part: Part, covers: Dataset) -> blends.Features:
    """Return what a part tells of covers, (n, D)."""
    if part.likeness is None:
        return ladder.features_of(covers, part.extractor)
    return part.likeness.features(np.concatenate([features_by(of, covers) for of in part.of], axis=1))


def held_out(covers: Dataset, task: Task, seed: int) -> dict[str, Mapping[str, float]]:
    """Return figures of answers to covers that were held out, and of those by which models were calibrated."""
    truth = task.truth_of(covers)
    outer = folds(covers.groups, truth, FOLDS, seed)
    asked_proba = np.zeros((len(truth), len(task.genres)))
    among_proba, among_truth = [], []
    for number in range(FOLDS):
        asked = outer == number
        known, others = truth[~asked], covers.where(~asked)
        with TemporaryDirectory() as folder:
            climbed = ladder.Ladder(others, task, known, Path(folder), np.inf, seed=seed)
            winner = climbed.climb(short_ladder())
            parts, heads, _ = ladder.composed(winner, known, task)
            given = [features_by(part, covers.where(asked)) for part in parts]
            each = [head.logits(features) for head, features in zip(heads, given, strict=True)]
        card = calibrate(winner.answers, known, task=task, groups=others.groups, source="out of fold")
        asked_proba[asked] = calibrated(np.sum(each, axis=0), card, task=task.kind)
        among_proba.append(calibrated(winner.answers, card, task=task.kind))
        among_truth.append(known)
    return {
        "held_out": figures(truth, asked_proba),
        "out_of_fold": figures(np.concatenate(among_truth), np.concatenate(among_proba)),
    }


def figures(truth: blends.Truth, proba: Floats) -> dict[str, float]:
    """Return how sure answers are in the mean, how often they are right, their calibration error and log loss."""
    return {
        "sure": round(float(proba.max(axis=1).mean()), 4),
        "right": round(float((proba.argmax(axis=1) == truth).mean()), 4),
        "ece": round(float(metrics.calibration_error(truth, proba)), 4),
        "log_loss": round(log_loss(truth, proba), 4),
        "n": len(truth),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    dataset = Dataset.open(asked.dataset)
    covers = dataset.where(np.isin(dataset.column("split"), ["train", "valid"]))
    task = Task.of(dataset)
    for seed in range(asked.seeds):
        print(json.dumps({"seed": seed, **held_out(covers, task, 100 + seed)}), flush=True)


if __name__ == "__main__":
    main()
