"""What a model gets on real covers: five splits with five seeds, one training and one scoring each, pooled.

python benchmarks/five_seeds.py DATASET OUT --model mobilenet
python benchmarks/five_seeds.py STYLES OUT --model mobilenet --task multi
python benchmarks/five_seeds.py STYLES OUT --model best --budget 600 --binary "progressive rock" --among rock \
    --years 1966-1985 --folds 5 --against OTHER_OUT

DATASET is collected and checked; it is only read. Each seed has a folder in OUT with the split, the model and its
evaluation, and what is there already is not made again, so that a stopped run goes on. Printed are figures over all
answers of all seeds, with an interval over groups of covers, and the mean over seeds with the interval
of Student's t; as JSON (also in OUT/five_seeds.json) and as a row of Markdown. In `multi` they are means over the 30
commonest genres. With --against, the same splits judged with another model before, both are compared cover by cover.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.splits import split
from sleevenotes.covers.tasks import Task
from sleevenotes.judge import metrics
from sleevenotes.judge.audit.control import parse_years
from sleevenotes.judge.compare import compare
from sleevenotes.judge.evaluation import EVALUATION_NAME, evaluate
from sleevenotes.judge.intervals import TOO_FEW, Scale
from sleevenotes.judge.recorded import Common, common_answers, read_recorded
from sleevenotes.judge.resampling import RESAMPLES
from sleevenotes.judge.rulers import Ruler, figure_of
from sleevenotes.learn.recipes import Options, train

COMMONEST = 30
FIFTH = 0.2
ALONGSIDE = ("genre-tree.csv", "collections.json")

Figures = Mapping[str, Callable[..., Any]]


def chosen(dataset: Dataset, *, genre: str, among: str, years: str) -> Dataset:
    """Return the covers of a genre and those of another one, of some years; all where none is named."""
    lists = dataset.genre_lists
    kept = np.array([not among or among in genres or genre in genres for genres in lists])
    if years:
        first, last = parse_years(years)
        kept &= [cell.isdigit() and first <= int(cell) <= last for cell in dataset.column("year")]
    return dataset.where(kept)


def laid_out(dataset: Dataset, folder: Path, cache: Path) -> Dataset:
    """Return the dataset in another folder, with a table of its own and the pictures where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    for name, target in (("images", dataset.folder / "images"), (".cache", cache)):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target.resolve())
    for name in ALONGSIDE:
        if (dataset.folder / name).exists():
            shutil.copy(dataset.folder / name, folder / name)
    replace(dataset, folder=folder).write()
    return Dataset.open(folder)


def judged(dataset: Dataset, out: Path, seed: int, asked: argparse.Namespace) -> Path:
    """Return the folder of one seed's evaluation, made where it is not there."""
    folder = out / str(seed)
    if (folder / EVALUATION_NAME).exists():
        return folder
    own = folder / "dataset"
    if not (own / "split.json").exists():
        copy = laid_out(dataset, own, out / "cache")
        task, tree = "binary" if asked.binary else asked.task, asked.genre_tree or None
        split(copy, task=task, genre=asked.binary or None, genre_tree=tree, seed=seed, again=True)
    given = {name: value for name in ("backbone", "head") if (value := getattr(asked, name))}
    options = Options(seed=seed, resume=True, budget_s=asked.budget, say=print, **given)
    model = train(Dataset.open(own), asked.model, folder / "model", options)
    evaluate(model, Dataset.open(own), folder, folds=asked.folds, seed=seed)
    return folder


def figures_of(common: Common, dataset: Dataset) -> Figures:
    """Return what is measured, by its name: functions of truth, proba and weights; the dataset tells what is common."""
    if common.task == "binary":
        asked = {"roc_auc": metrics.roc_auc, "average_precision": metrics.average_precision}
        return {name: lambda *given, metric=metric: metric(*given)[..., 0] for name, metric in asked.items()}
    if common.task == "single":
        told = {"accuracy": metrics.accuracy, "ece": metrics.calibration_error}
        return told | {"claimed": claimed, "surest_fifth": surest_fifth}
    covers = replace(Task.of(dataset), genres=common.genres).truth(dataset.genre_lists).sum(axis=0)  # (K,)
    columns = np.argsort(-covers, kind="stable")[:COMMONEST]

    def mean(metric: Callable[..., Any]) -> Callable[..., Any]:
        return lambda truth, proba, *w: metrics.over_genres(metric(truth[:, columns], proba[:, columns], *w))

    return {"roc_auc": mean(metrics.roc_auc), "average_precision": mean(metrics.average_precision)}


def surest_fifth(truth: Any, proba: Any, weights: Any = None) -> Any:
    """Return the accuracy where only the fifth of covers that a model is surest of is answered."""
    right = metrics.correct(truth, proba)
    return metrics.among_surest(right, -proba.max(axis=1), weights, shares=[FIFTH])[..., 0]


def claimed(truth: Any, proba: Any, weights: Any = None) -> Any:
    """Return how often a model holds that it is right, to be compared with how often it is."""
    return metrics.average(proba.max(axis=1), weights)


def ece_of_a_calibrated_model(common: Common, *, draws: int = 200, seed: int = 0) -> dict[str, float]:
    """Return what calibration error answers have whose proba are true: that of so many, by chance alone."""
    proba, rng = common.probas["model"], np.random.default_rng(seed)
    reached = proba.cumsum(axis=1)
    truths = [(reached > rng.random((len(proba), 1))).argmax(axis=1) for _ in range(draws)]
    errors = [float(metrics.calibration_error(truth, proba)) for truth in truths]
    low, high = np.percentile(errors, [2.5, 97.5])
    return {"value": float(np.mean(errors)), "low": float(low), "high": float(high)}


def measured(pooled: Common, each: list[Common], figures: Figures) -> dict[str, Any]:
    """Return every figure over all answers, and its mean over seeds, each with an interval."""
    ruler = Ruler.of(pooled.truth, pooled.groups, resamples=RESAMPLES)
    proba, table = pooled.probas["model"], {}
    for name, metric in figures.items():
        scale: Scale = "loss" if name in ("log_loss", "brier") else "fraction"
        figure = ruler.gap(metric, proba) if name == "ece" else ruler.figure(ruler.measure(metric, proba), scale=scale)
        seeds = [float(metric(one.truth, one.probas["model"])) for one in each]
        half = np.nan
        if len(set(seeds)) > 1:
            half = stats.t.ppf(0.975, len(seeds) - 1) * np.std(seeds, ddof=1) / len(seeds) ** 0.5
        table[name] = {
            "pooled": figure,
            "seeds": figure_of(np.mean(seeds), np.mean(seeds) - half, np.mean(seeds) + half),
            "each": seeds,
        }
    return table


def row_of(model: str, found: Mapping[str, Any]) -> str:
    """Return the row of Markdown: pooled figures, then the means over seeds."""

    def told(figure: Mapping[str, Any]) -> str:
        ends = TOO_FEW if figure["low"] is None else f"{figure['low']:.3f} to {figure['high']:.3f}"
        return f"{figure['value']:.3f} ({ends})"

    cells = [told(figure[kind]) for figure in found["figures"].values() for kind in ("pooled", "seeds")]
    return f"| {' | '.join([model, *cells])} |"


def asked_for(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mobilenet")
    parser.add_argument("--backbone", default="")
    parser.add_argument("--head", default="")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds, for the model `best`")
    parser.add_argument("--task", default=None)
    parser.add_argument("--genre-tree", default="", metavar="FILE|none", help="as for `sleevenotes split`")
    parser.add_argument("--binary", default="", metavar="GENRE")
    parser.add_argument("--among", default="", metavar="GENRE")
    parser.add_argument("--years", default="")
    parser.add_argument("--folds", type=int, default=0, help="judge answers pooled over folds, not one split")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--against", type=Path, default=None, metavar="OUT", help="of another model, same seeds")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    asked = asked_for(words)
    dataset = chosen(Dataset.open(asked.dataset), genre=asked.binary, among=asked.among, years=asked.years)
    folders = [judged(dataset, asked.out, seed, asked) for seed in range(asked.seeds)]
    recorded = [read_recorded(folder, folds=asked.folds > 0) for folder in folders]
    pooled, each = common_answers({"model": recorded}), [common_answers({"model": [one]}) for one in recorded]
    found = {
        "model": asked.model,
        "task": pooled.task,
        "seeds": asked.seeds,
        "answers": len(pooled.truth),
        "covers": len({name for one in recorded for name in one.file_names}),
        "groups": len(set(pooled.groups)),
        "figures": measured(pooled, each, figures_of(pooled, Dataset.open(folders[0] / "dataset"))),
    }
    if pooled.task == "single":
        found["ece_of_a_calibrated_model"] = {
            "pooled": ece_of_a_calibrated_model(pooled), "one_seed": ece_of_a_calibrated_model(each[0])
        }  # fmt: skip
    if asked.against:
        sets = [folders, [asked.against / str(seed) for seed in range(asked.seeds)]]
        names = [str(asked.out), str(asked.against)]
        found["compared"] = compare(sets, names=names, folds=asked.folds > 0).words
    write_json(asked.out / "five_seeds.json", found)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    print(f"| model | {' | '.join(f'{name}, pooled | {name}, mean of seeds' for name in found['figures'])} |")
    print(row_of(asked.model, found))


if __name__ == "__main__":
    main()
