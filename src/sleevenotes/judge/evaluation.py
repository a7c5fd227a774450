"""Measuring a model: on covers it has never seen, with intervals, beside its baselines, and logged.

`evaluate` is the only thing that looks at the test split. It writes

- `evaluation.json`: every figure as value, low and high, its baselines, its intervals' making, a verdict in a sentence;
- `predictions.csv`: a row a cover, with its truth, the model's answer and all its proba;
- a line in the model's `scorings.jsonl`, before anything is scored: a test split that was scored twenty times is one
  that was tuned on. If the line can't be written, nothing is scored.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.genre_tree import close_upwards
from sleevenotes.covers.groups import artists_of as artists_in, folds as fold_of
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError, SleevenotesWarning
from sleevenotes.judge import figures as judging, metrics, unseen
from sleevenotes.judge.edits import Past, edits_of, past_of, told as told_of_edits
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.judge.schemas import read_evaluation
from sleevenotes.learn.abstention import Caution, risk_of
from sleevenotes.learn.conformal import in_set
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import BASELINE_NAME, EVALUATION_NAME, Model
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.scoring_log import log_scoring

FORMAT = 1
PREDICTIONS_NAME = "predictions.csv"
FOLD_PREDICTIONS_NAME = "predictions-folds.csv"
VALID_PART = 8  # in a fold, one of so many parts of what is left becomes valid

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """What a model and its baselines say of covers whose truth is known.

    Parameters
    ----------
    covers
        The covers, n of them.
    answers
        The model's.
    baselines
        Proba (n, K), or expected scores (n,), by name.
    fold
        Which training each answer is from, (n,); -1 where there was but one.
    """

    covers: Dataset
    answers: Answers
    baselines: Mapping[str, Floats]
    fold: NDArray[np.int64]


class Ruling(NamedTuple):
    """How answers are measured: resamples and seed of the intervals, and how careful answers had to be."""

    resamples: int
    seed: int
    caution: Caution


def evaluate(
    model: Model,
    dataset: Dataset,
    out: Path,
    *,
    split: str = "test",
    folds: int = 0,
    resamples: int = 2000,
    seed: int = 0,
    max_risk: float | None = None,
    coverage: float | None = None,
    without_known: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a model on one split, and write what came of it.

    Parameters
    ----------
    model
        Any model.
    dataset
        The one it was trained on, or another.
    out
        Folder for `evaluation.json` and `predictions.csv`.
    split
        `train`, `valid`, `test`, or `all` for a foreign dataset.
    folds
        Where 2 or more, the model is also trained so many times anew, each time without another part of the dataset,
        and the answers to those parts are pooled.
    max_risk
        Where given, it is told what comes of answers up to this risk alone.
    coverage
        Of the sets of genres; 0.9 where not given, as far as the model has sets.
    without_known
        Leave covers out that the model knows (`judge.unseen`), and count them, instead of refusing the split.

    Returns
    -------
    The contents of `evaluation.json`.

    Raises
    ------
    EvaluationError
        Where the split has no cover with a genre that the model knows, or has covers that the model learnt from.
    ModelError
        If the list of covers that the model learnt from is missing or damaged.
    """
    judged = _judged(model, dataset, split)
    covers, known = _unseen(model, dataset, judged, split, without_known=without_known)
    past = past_of(model, dataset, judged, covers, split) if split in ("test", "all") else None
    if coverage is None and "sets" in model.card["calibration"]:
        coverage = judging.CAUTION.coverage
    ruled = Ruling(resamples, seed, model.caution(max_risk=max_risk, coverage=coverage))
    described = _described(model, dataset, split)
    log_scoring(model, by="evaluate", split=split, dataset=described["dataset"], n=len(covers), folds=folds)
    foreign = past is not None and past.foreign
    scored = score(model, covers, coverage=coverage, foreign=foreign, progress=progress)
    evaluation = described | _figures(scored, model, ruled)
    evaluation["foreign"] = foreign
    evaluation["replaced"] = int(covers.replaced.sum())
    evaluation["edits"] = _edits(scored, model, past, split, ruled) if past else None
    evaluation["artists"] = artists_of(model, covers)
    evaluation |= _known_figures(scored, known, model, ruled)
    evaluation["calibration"] = _calibration(model)
    evaluation["folds"] = None
    if folds:
        evaluation["folds"] = _folded(model, dataset, out, folds, ruled, progress)
    evaluation["verdict"] = verdict(evaluation)
    out.mkdir(parents=True, exist_ok=True)
    (out / EVALUATION_NAME).unlink(missing_ok=True)  # so that no earlier one speaks for these predictions
    _write_predictions(out / PREDICTIONS_NAME, scored, model)
    write_json(out / EVALUATION_NAME, evaluation)
    return evaluation


def score(
    model: Model,
    covers: Dataset,
    *,
    coverage: float | None = None,
    foreign: bool = False,
    progress: Progress | None = None,
) -> Scored:
    """Return what a model and its baselines say of covers.

    Parameters
    ----------
    covers
        All of them with a truth under the model's task.
    coverage
        Of the model's sets of genres; without, there are none.
    foreign
        Whether the covers are of another dataset than the model's training: see `guesses_about`.
    """
    logits = model.head.logits(dataset_features(covers, model.extractor, progress=progress))
    truth = task_of(model).truth_of(covers)
    proba = model.proba(logits)
    sets = None if coverage is None else in_set(proba, model.caution(coverage=coverage).limit)
    careful = model.caution()
    risk = risk_of(proba, careful.line, least=careful.least)
    answers = Answers(truth, proba, covers.groups, model.proba(logits, calibrated=False), sets, risk)
    color = model.baseline or model
    color_logits = logits if color is model else color.head.logits(dataset_features(covers, color.extractor))
    baselines = guesses_about(truth, model, foreign=foreign) | {BASELINE_NAME: color.proba(color_logits)}
    return Scored(covers, answers, baselines, np.full(len(covers), -1))


def guesses_about(truth: NDArray[np.int64], model: Model, *, foreign: bool) -> dict[str, Floats]:
    """Return how right guessing is about covers, as `sleevenotes.judge.figures.guesses` does.

    Whoever guesses knows how common each genre is in the model's training. On a foreign dataset that may be of no use:
    the commonest genre there may not occur here. So each way to guess is also tried with the shares of the judged
    covers, and the one that is right more often is what the model is measured against. On the model's own dataset the
    shares of the test are not used: of many genres that are equally common, one is commonest there by luck.

    Parameters
    ----------
    truth
        (n,), or (n, K).
    foreign
        Whether the covers are of another dataset than the model's training.
    """
    shares = np.array([model.card["dataset"]["train_shares"][genre] for genre in model.genres])
    from_training = judging.guesses(truth, shares)
    if not foreign:
        return from_training
    here = (truth == 1).sum(axis=0) if truth.ndim == 2 else np.bincount(truth, minlength=len(shares))
    from_here = judging.guesses(truth, here) if here.any() else from_training
    return {
        name: from_here[name] if from_here[name].mean() > scores.mean() else scores
        for name, scores in from_training.items()
    }


def task_of(model: Model) -> Task:
    """Return what a model asks of a cover."""
    tree = tuple((child, parent) for child, parent in model.card.get("tree") or ())
    return Task(model.task, model.genres, tree)


def cross_validate(
    dataset: Dataset,
    name: str,
    out: Path,
    *,
    folds: int,
    options: Options,
    coverage: float | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Train a model `folds` times, each time without another part of the covers, and pool what it says of that part.

    Covers of one group are in one part. Each training chooses and calibrates on a valid of its own.

    Parameters
    ----------
    dataset
        Split; covers that the split leaves out are left out here, too.
    out
        Folder for the models, one a fold; those that are there already are not trained again.
    coverage
        As for `score`.
    """
    task = Task.of(dataset)
    dataset = dataset.where([side != "" for side in dataset.column("split")])
    dataset = dataset.where(task.answerable(dataset.genre_lists))
    groups, truth = dataset.groups, task.truth(dataset.genre_lists)
    part = fold_of(groups, truth, folds, options.seed)  # (n,)
    scored = []
    for number in range(folds):
        split = np.full(len(dataset), "train", dtype=object)
        rest = np.flatnonzero(part != number)
        valid = fold_of([groups[index] for index in rest], truth[rest], VALID_PART, options.seed) == 0
        split[rest[valid]] = "valid"
        split[part == number] = "test"
        model = train(dataset.with_columns(split=split.tolist()), name, out / str(number), options)
        one = score(model, dataset.where(part == number), coverage=coverage)
        scored.append(Scored(one.covers, one.answers, one.baselines, np.full(len(one.covers), number)))
        if progress:
            progress(number + 1, folds)
    return _pooled(scored)


def still_true(out: Path, model: Model, dataset: Dataset, *, folds: int) -> dict[str, Any] | None:
    """Return the evaluation in a folder, where it is of this very model, dataset and number of folds; else None."""
    path = out / EVALUATION_NAME
    if not path.exists() or not (out / PREDICTIONS_NAME).exists():
        return None
    try:
        evaluation = read_evaluation(path)
    except EvaluationError:  # a damaged one is made again
        return None
    expected = _described(model, dataset, "test")
    same = all(evaluation.get(name) == expected[name] for name in expected)
    return evaluation if same and (evaluation.get("folds") or {"k": 0})["k"] == folds else None


def verdict(evaluation: Mapping[str, Any]) -> str:
    """Return the evaluation in a few sentences, with what is doubtful: covers that are no test, changed genres."""
    if evaluation["split"] in ("train", "valid"):
        return (
            f"These are the covers of {evaluation['split']}, from which the model learnt or was chosen: "
            "what it does here is no measure of what it will do elsewhere."
        )
    said = judging.verdict(evaluation, artists=evaluation["artists"])
    about_known = evaluation["known"]["words"] if evaluation["known"] else ""
    about_edits = evaluation["edits"]["words"] if evaluation["edits"] else ""
    return " ".join(filter(None, [said, about_known, about_edits]))


def artists_of(model: Model, covers: Dataset) -> str:
    """Return `apart` where no artist was learnt from, `shared` where some was, `unknown` where few are known."""
    found = [artists_in(cell) for cell in covers.column("artist")]
    learnt = model.known.keys("artist")
    known = sum(1 for artists in found if artists)
    if not learnt or known < len(covers) / 2:
        return "unknown"
    return "shared" if learnt & {artist for artists in found for artist in artists} else "apart"


def _judged(model: Model, dataset: Dataset, split: str) -> Dataset:
    """Return the split's covers that have a truth under the model's task, and warn of the others."""
    if split not in ("train", "valid", "test", "all"):
        raise EvaluationError(f"split '{split}'", "unknown", "train, valid, test or all")
    dataset.require_genres()
    covers = dataset.in_split(split)
    if not len(covers):
        cure = f"Run `sleevenotes split {dataset.folder}`, or judge all covers with --split all"
        raise EvaluationError(str(dataset.folder), f"no cover in {split}", cure=cure)
    task = task_of(model)
    judged = covers.where(task.answerable(covers.genre_lists))
    known = task.genres if task.kind != "binary" else task.genres[:1]
    if not len(judged) or not set(known) & set(judged.genres):
        found = f"no cover of a genre that the model knows ({', '.join(covers.genres[:8]) or 'none'} are here)"
        raise EvaluationError(str(dataset.folder), found, f"some of {', '.join(model.genres)}")
    if len(judged) < len(covers):
        told = f"{len(covers) - len(judged):,} of {len(covers):,} covers are left out: no single genre the model knows"
        warnings.warn(f"{dataset.folder}: {told}", SleevenotesWarning, stacklevel=3)
    return judged


class _Known(NamedTuple):
    """What is said of covers that the model knows, and which of those that are judged may be among them, (n,)."""

    told: dict[str, Any] | None
    kept: NDArray[np.bool_]


def _unseen(
    model: Model, dataset: Dataset, covers: Dataset, split: str, *, without_known: bool
) -> tuple[Dataset, _Known]:
    """Return the covers that are a test of a model, and what is said of the others.

    Raises
    ------
    EvaluationError
        If the model knows some of them, unless these are to be left out; or if none is left.
    """
    if split in ("train", "valid"):
        return covers, _Known(None, np.zeros(len(covers), dtype=bool))
    found = unseen.matches(model, dataset, covers)
    if not without_known:
        unseen.refuse(found, covers, whole=split == "all")
    left_out = found.refused
    if left_out.all():
        known = f"the model knows all of these {len(covers):,} covers"
        raise EvaluationError(str(covers.folder), known, "covers it has never seen", "Train the model again")
    return covers.where(~left_out), _Known(unseen.described(found, left_out), found.known[~left_out])


def _known_figures(scored: Scored, known: _Known, model: Model, ruled: Ruling) -> dict[str, Any]:
    """Return what `evaluation.json` says of known covers, with figures on all others if some were kept."""
    if known.told is None:
        return {"known": None, "without_known": None}
    if not known.kept.any():
        return {"known": known.told | {"words": unseen.words(known.told, None, "")}, "without_known": None}
    rest = part_of(scored, ~known.kept)
    without: dict[str, Any] = {"n": len(rest.covers), "groups": len(set(rest.answers.groups))}
    if len(rest.covers):
        figures = _figures(rest, model, ruled)
        without |= {name: figures[name] for name in TOLD if name in figures}
        without["baselines"] = {name: each[_headline(model.task)] for name, each in figures["baselines"].items()}
    words = unseen.words(known.told, without, _headline(model.task))
    return {"known": known.told | {"words": words}, "without_known": without}


def part_of(scored: Scored, chosen: NDArray[np.bool_]) -> Scored:
    """Return what was said of some of the covers, those for which `chosen`, (n,), is true."""
    answers = scored.answers
    groups = [group for group, is_chosen in zip(answers.groups, chosen, strict=True) if is_chosen]
    some = Answers(
        np.asarray(answers.truth)[chosen],
        answers.proba[chosen],
        groups,
        None if answers.uncalibrated is None else answers.uncalibrated[chosen],
        None if answers.sets is None else answers.sets[chosen],
        None if answers.risk is None else answers.risk[chosen],
    )
    baselines = {name: proba[chosen] for name, proba in scored.baselines.items()}
    return Scored(scored.covers.where(chosen), some, baselines, scored.fold[chosen])


def _headline(task: str) -> str:
    return "label_ranking_ap" if task == "multi" else "accuracy"


def _described(model: Model, dataset: Dataset, split: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": model.name,
        "model_sha256": model.sha256,
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "covers": len(dataset),
        },
        "split": split,
    }


def _calibration(model: Model) -> dict[str, Any]:
    """Return how the percentages came to be; in `multi`, how many genres have a map of which kind."""
    card = model.card["calibration"]
    told = {"method": card.get("method", "temperature"), "temperature": model.temperature}
    told |= {"notes": card["notes"]} if "notes" in card else {}
    if "maps" not in card:
        return told
    kinds = [how["kind"] for how in card["maps"]]
    return told | {"maps": {kind: kinds.count(kind) for kind in ("pooled", "platt", "isotonic")}}


def _figures(scored: Scored, model: Model, ruled: Ruling) -> dict[str, Any]:
    return judging.figures(
        scored.answers,
        task=model.task,
        genres=model.genres,
        baselines=scored.baselines,
        thresholds=model.thresholds,
        model=model.name,
        resamples=ruled.resamples,
        seed=ruled.seed,
        caution=ruled.caution,
    )


def _edits(scored: Scored, model: Model, past: Past, split: str, ruled: Ruling) -> dict[str, Any] | None:
    """Return what is to be said of changed genres, with the figures that the genres of before give."""
    answers, task = scored.answers, task_of(model)
    edits = edits_of(past, scored.covers, task, answers.truth, answers.proba)
    headline, before = _headline(model.task), None
    if edits.changed.any() and edits.answerable.any():
        before = _figures(_with_truth(scored, model, edits.truth, edits.answerable, foreign=past.foreign), model, ruled)
    return told_of_edits(edits, split=split, n=len(scored.covers), headline=headline, before=before)


def _with_truth(
    scored: Scored, model: Model, truth: NDArray[np.int64], kept: NDArray[np.bool_], *, foreign: bool
) -> Scored:
    """Return the answers about some covers, (n,), beside another truth."""
    part = part_of(scored, kept)
    answers = replace(part.answers, truth=truth[kept])
    baselines = guesses_about(truth[kept], model, foreign=foreign)
    return Scored(part.covers, answers, baselines, part.fold)


def _folded(
    model: Model, dataset: Dataset, out: Path, folds: int, ruled: Ruling, progress: Progress | None
) -> dict[str, Any]:
    options = Options(
        seed=model.card["seed"],
        resume=True,
        training=training_settings(model),
        backbone_of=model.lends,
        **({"finetune": True, "backbone": model.card["backbone"]["name"]} if model.finetuned else {}),
    )
    coverage = ruled.caution.coverage
    scored = cross_validate(
        dataset, model.name, out / "folds", folds=folds, options=options, coverage=coverage, progress=progress
    )
    _write_predictions(out / FOLD_PREDICTIONS_NAME, scored, model)
    pooled = _figures(scored, model, ruled)
    metric = metrics.ranking_precision if model.task == "multi" else metrics.correct
    scores = metric(scored.answers.truth, scored.answers.proba)
    each = [float(scores[scored.fold == number].mean()) for number in range(folds)]
    kept = {name: value for name, value in pooled.items() if name not in ("task", "genres", "intervals", "reliability")}
    without = {"without": model.kept_back} if model.kept_back else {}
    return {"k": folds, **without, **kept, "accuracy_per_training": each, "spread": float(np.std(each, ddof=1))}


def training_settings(model: Model) -> Any:
    """Return how a model's network was trained; None where no network was."""
    if "settings" not in model.card["head"]:
        return None
    from sleevenotes.learn.training import TrainingSettings

    return TrainingSettings(**model.card["head"]["settings"])


def _pooled(scored: Sequence[Scored]) -> Scored:
    import polars as pl

    covers = Dataset(scored[0].covers.folder, pl.concat([one.covers.covers for one in scored]))
    answers = Answers(
        np.concatenate([one.answers.truth for one in scored]),
        np.concatenate([one.answers.proba for one in scored]),
        [group for one in scored for group in one.answers.groups],
        np.concatenate([one.answers.uncalibrated for one in scored if one.answers.uncalibrated is not None]),
        np.concatenate([one.answers.sets for one in scored if one.answers.sets is not None])
        if all(one.answers.sets is not None for one in scored)
        else None,
        np.concatenate([one.answers.risk for one in scored if one.answers.risk is not None]),
    )
    names = scored[0].baselines
    baselines = {name: np.concatenate([one.baselines[name] for one in scored]) for name in names}
    return Scored(covers, answers, baselines, np.concatenate([one.fold for one in scored]))


def _write_predictions(path: Path, scored: Scored, model: Model) -> None:
    """Write a row a cover; in `multi`, predicted are the genres over their threshold, or the likeliest one."""
    task, proba = task_of(model), scored.answers.proba
    first = proba.argmax(axis=1)
    if model.task == "multi":
        named = proba >= np.array(model.thresholds)
        named[np.arange(len(first)), first] = True
        predicted = task.named(close_upwards(named.astype(np.int64), task.genres, task.tree))
    else:
        predicted = task.named(first)
    truth = task.named(np.asarray(scored.answers.truth))
    unknown, digests = _unknown(scored, task), scored.covers.digests
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        columns = ("file_name", "sha256", "truth", "predicted", "correct", "confidence", "group", "fold")
        further = ["unknown"] if unknown else []
        table.writerow([*columns, *further, *(f"proba {genre}" for genre in model.genres)])
        for index, name in enumerate(scored.covers.file_names):
            correct = "" if model.task == "multi" else str(int(truth[index] == predicted[index]))
            fold = "" if scored.fold[index] < 0 else str(scored.fold[index])
            row = [name, digests[index], truth[index], predicted[index], correct, f"{proba[index].max():.6f}"]
            row += [scored.answers.groups[index], fold, *(unknown[index : index + 1])]
            table.writerow([*row, *(f"{value:.6f}" for value in proba[index])])


def _unknown(scored: Scored, task: Task) -> list[str]:
    """Return the genres that are unknown of each cover, in words; nothing at all where every genre is known."""
    truth = np.asarray(scored.answers.truth)
    return task.named((truth < 0).astype(np.int64)) if task.kind == "multi" and (truth < 0).any() else []


TOLD = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top2_accuracy": "right within the first two",
    "top3_accuracy": "right within the first three",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc_macro": "ROC AUC, mean over genres",
    "roc_auc_micro": "ROC AUC, over all answers",
    "average_precision_macro": "average precision, mean over genres",
    "average_precision_micro": "average precision, over all answers",
    "f1_macro": "F1, mean over genres",
    "f1_micro": "F1, over all answers",
    "label_ranking_ap": "label-ranking average precision",
    "log_loss": "log loss (nats)",
    "brier": "Brier score",
    "surest_fifth": "right on the surest fifth",
    "surest_half": "right on the surest half",
    "aurc": "area under the risk-coverage curve",
    "ece": "calibration error",
    "ece_uncalibrated": "calibration error before calibration",
}


def figure_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return a row a figure: what it is, its value, its interval; those pooled over folds after the others."""
    rows = _rows(evaluation)
    without = evaluation.get("without_known")
    if without:
        rows += [
            ("", "", ""),
            ("without covers it may know", f"{without['n']:,} covers", f"{without['groups']:,} groups"),
        ]
        rows += [(what, *_value_and_interval(without[name])) for name, what in TOLD.items() if name in without]
    if evaluation["folds"]:
        pooled = evaluation["folds"]
        rows.append(("", "", ""))
        rows.append((f"pooled over {pooled['k']} folds", f"{pooled['n']:,} covers", f"{pooled['groups']:,} groups"))
        if pooled.get("without"):  # they learnt from covers that folds ask about
            rows.append(("… without", ", ".join(pooled["without"]), ""))
        rows += _rows(pooled)
        rows.append(("spread between trainings", f"{pooled['spread']:.3f}", "standard deviation"))
    return rows


def _rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = [(what, *_value_and_interval(evaluation[name])) for name, what in TOLD.items() if name in evaluation]
    if evaluation.get("sets"):
        told, genres = evaluation["sets"], len(evaluation["per_genre"])
        rows.append((f"truth in its set ({100 * told['coverage']:g} % asked)", *_value_and_interval(told["achieved"])))
        rows.append((f"genres in a set, of {genres}", *_value_and_interval(told["size"])))
    for name, baseline in evaluation["baselines"].items():
        figure = baseline.get("accuracy") or baseline["label_ranking_ap"]
        rows.append((f"baseline {name}", *_value_and_interval(figure)))
    return rows


def _value_and_interval(figure: Mapping[str, float | None]) -> tuple[str, str]:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    told = "unknown" if value is None else f"{value:.3f}"
    if low is None or high is None:
        return told, TOO_FEW if figure.get("too_few") else "unknown"
    return told, f"{low:.3f} to {high:.3f}"


def three_figures(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the three figures that matter: the model's, guessing's, and that of the colours alone.

    In `binary`, where never naming a rare genre is often right, they are how well the two kinds are told apart, and the
    accuracy of the model and of the commoner answer.
    """
    if evaluation["task"] == "binary":
        usual = evaluation["baselines"]["commonest"]["accuracy"]
        told = [("ROC AUC (guessing: 0.5)", evaluation["roc_auc"]), ("accuracy", evaluation["accuracy"])]
        rows = [*told, ("accuracy of the commoner answer", usual)]
    else:
        headline = "label_ranking_ap" if evaluation["task"] == "multi" else "accuracy"
        baselines = {name: baseline[headline] for name, baseline in evaluation["baselines"].items()}
        guessing = max(baselines["commonest"], baselines["share"], key=lambda figure: figure["value"])
        compared = [(evaluation["model"], evaluation[headline]), ("guessing", guessing)]
        rows = [(f"{what}, {TOLD[headline]}", figure) for what, figure in compared]
        rows.append((f"colours alone, {TOLD[headline]}", baselines[BASELINE_NAME]))
    return [(what, "{} ({})".format(*_value_and_interval(figure))) for what, figure in rows]
