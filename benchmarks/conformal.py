"""Do sets hold the truth as often as asked, and do risks come true: over many splits, on frozen features.

python benchmarks/conformal.py MODEL DATASET [SPLITS]    a model on frozen features, one genre a cover

Each split puts the groups anew into train, valid and test (70, 10 and 20 %). The head's strength, the temperature and
the limit of the sets come from valid, as they do in `train`. Prints a line a split and the means, with the standard
deviation between splits. No model is chosen by what is seen here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import assign
from sleevenotes.covers.tasks import Task
from sleevenotes.judge import metrics
from sleevenotes.learn import heads
from sleevenotes.learn.abstention import risk_of
from sleevenotes.learn.calibration import calibrate, calibrated
from sleevenotes.learn.conformal import holds, in_set, limit_for
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model

COVERAGES = (0.8, 0.9, 0.95)
MAX_RISK = 0.5


def main() -> None:
    model, dataset = Model.load(Path(sys.argv[1])), Dataset.open(Path(sys.argv[2]))
    splits = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    task = Task.of(dataset)
    dataset = dataset.where([side != "" for side in dataset.column("split")])
    features, truth, groups = (
        dataset_features(dataset, model.extractor),
        task.truth(dataset.genre_lists),
        dataset.groups,
    )
    names = ["accuracy", "fifth", "half", "ece", "answered", "wrong", "promised"]
    names += [f"{what} {coverage:.0%}" for coverage in COVERAGES for what in ("held", "size")]
    print(*(f"{name:>9}" for name in ["split", *names]))
    rows, pooled = [], []
    for seed in range(splits):
        side = assign(groups, truth, [0.7, 0.1, 0.2], seed=seed)
        train, valid, test = (np.flatnonzero(side == number) for number in range(3))
        parts = [(features[part], truth[part]) for part in (train, valid)]
        head, _ = heads.choose(*parts, task=task.kind, genres=len(task.genres))
        card = calibrate(
            head.logits(features[valid]), truth[valid], task=task, groups=[groups[index] for index in valid]
        )
        proba = calibrated(head.logits(features[test]), card, task=task.kind)
        right, risk = metrics.correct(truth[test], proba), risk_of(proba, card.get("risk"))
        given = risk <= MAX_RISK
        row = [right.mean(), *metrics.among_surest(right, risk, shares=(0.2, 0.5))]
        row += [
            metrics.calibration_error(truth[test], proba),
            given.mean(),
            1 - right[given].mean(),
            risk[given].mean(),
        ]
        for coverage in COVERAGES:
            inside = in_set(proba, limit_for(card, coverage))
            row += [holds(inside, truth[test]).mean(), inside.sum(axis=1).mean()]
        rows.append(row)
        pooled.append((truth[test], proba))
        print(f"{seed:>9}", *(f"{value:>9.3f}" for value in row), flush=True)
    for what, values in (("mean", np.mean(rows, axis=0)), ("sd", np.std(rows, axis=0, ddof=1))):
        print(f"{what:>9}", *(f"{value:>9.3f}" for value in values))
    every = [np.concatenate(part) for part in zip(*pooled, strict=True)]
    print(f"calibration error of all {len(every[0]):,} answers together: {metrics.calibration_error(*every):.3f}")


if __name__ == "__main__":
    main()
