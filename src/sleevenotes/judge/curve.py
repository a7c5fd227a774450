"""Would more covers help? Accuracy on valid over the number of covers in train.

Train is halved again and again, groups kept whole, several draws a step; the same valid is scored each time. The test
split is left alone, so that a curve costs none of its honesty.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import SplitError
from sleevenotes.judge import metrics
from sleevenotes.judge.intervals import Paired, paired_test, standing
from sleevenotes.judge.rulers import average_of
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, Sides, train

FEWEST_COVERS = 20


def curve(
    dataset: Dataset,
    name: str,
    out: Path,
    *,
    steps: int = 4,
    repeats: int = 3,
    options: Options | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Train on ever larger parts of train, and measure each on valid.

    Parameters
    ----------
    dataset
        Split.
    name
        Of the model.
    out
        Where `curve.json` is written.
    steps
        Parts of train: all of it, a half, a quarter, …
    repeats
        Draws of each part.

    Returns
    -------
    What is in `curve.json`: `metric`, `points` (covers, value, low, high, draws), and `words`.

    Raises
    ------
    SplitError
        Where the smallest part would have fewer than 20 covers.
    """
    options = options or Options()
    sides = Sides.of(dataset)
    smallest = len(sides.train) // 2 ** (steps - 1)
    if smallest < FEWEST_COVERS:
        raise SplitError(
            str(dataset.folder),
            f"{len(sides.train)} covers in train, halved {steps - 1} times, leave {smallest}",
            f"at least {FEWEST_COVERS}",
            "Take fewer --steps, or more covers",
        )
    points: list[dict[str, Any]] = []
    scores: list[NDArray[np.float64]] = []  # of each cover of valid, at each size
    with tempfile.TemporaryDirectory() as scratch:
        backbone = None
        for step in reversed(range(steps)):
            draws, covers = [], []
            for repeat in range(repeats if step else 1):
                seed = options.seed + repeat
                folder = Path(scratch) / f"{step}-{repeat}"
                part = halved(dataset, step, seed)
                model = train(part, name, folder, replace(options, seed=seed, resume=False, backbone_of=backbone))
                backbone = folder if name == "mobilenet" else None
                draws.append(_measure(model, sides.valid, sides.task))
                covers.append(model.card["dataset"]["train"])
                progress(sum(point["draws"] for point in points) + repeat + 1, (steps - 1) * repeats + 1)
            scores.append(np.mean(draws, axis=0))
            points.append(_point(round(np.mean(covers)), scores[-1], sides.valid.groups, len(draws)))
    words = _words(points, paired_test(scores[-1], scores[-2], sides.valid.groups))
    metric = "label_ranking_ap" if sides.task.kind == "multi" else "accuracy"
    result = {"model": name, "metric": metric, "split": "valid", "points": points, "words": words}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "curve.json", result)
    return result


def halved(dataset: Dataset, times: int, seed: int) -> Dataset:
    """Return a dataset whose train has been halved so many times, groups kept whole; the others are as they were."""
    groups = np.array(dataset.groups)
    names = np.unique(groups[np.array(dataset.column("split")) == "train"])
    kept = np.random.default_rng(seed).permutation(names)[: max(1, len(names) // 2**times)]
    splits = np.array(dataset.column("split"), dtype=object)
    splits[(splits == "train") & ~np.isin(groups, kept)] = ""
    return dataset.with_columns(split=splits.tolist())


def _measure(model: Model, valid: Dataset, task: Task) -> NDArray[np.float64]:
    """Return each cover's score, (n,): right or not; the label-ranking AP in `multi`."""
    logits = model.head.logits(dataset_features(valid, model.extractor))
    truth, proba = task.truth_of(valid), model.proba(logits)
    return metrics.ranking_precision(truth, proba) if task.kind == "multi" else metrics.correct(truth, proba)


def _point(covers: int, scores: NDArray[np.float64], groups: Sequence[str], draws: int) -> dict[str, Any]:
    """Return the mean score of a cover of valid, (n,), over all draws of one size, with its interval."""
    return {"covers": covers, **average_of(scores, groups), "draws": draws}


def _words(points: Sequence[Mapping[str, Any]], gain: Paired) -> str:
    last, before = points[-1], points[-2]
    told = (
        f"From {before['covers']:,} to {last['covers']:,} covers it went from "
        f"{before['value']:.1%} to {last['value']:.1%}"
    )
    if gain.student is None:
        return f"{told}; valid has too few covers to tell whether more of them would help."
    told += f", by {100 * gain.difference:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    return {
        "better": f"{told}: more covers would very likely help.",
        "worse": f"{told}: more covers did not help.",
        "same": f"{told}: more covers of this kind would hardly help.",
        "unclear": f"{told}: whether more covers would help can't be told from this.",
    }[standing(gain.low, gain.high)]
