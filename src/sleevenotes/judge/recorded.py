"""Evaluations read back: what models said about each cover, from the files that `evaluate` left, and laid together.

`read_sets` reads them, a model each; `common_answers` brings all models to the same covers and the same genres.

Covers are paired by the SHA-256 of their files, which `predictions.csv` has, and not by name: many datasets call theirs
0.png, 1.png, …

`predictions.csv` has six digits a proba. What it calls 0 or 1 is therefore taken for half of its last digit away from
it, so that a log loss is not made of rounding; and of genres that rounding has tied, the predicted one stays ahead.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import CSV_NAME, PARQUET_NAME
from sleevenotes.covers.duplicates import Components
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError
from sleevenotes.judge import metrics
from sleevenotes.judge.evaluation import FOLD_PREDICTIONS_NAME, PREDICTIONS_NAME
from sleevenotes.judge.schemas import read_evaluation, read_predictions
from sleevenotes.judge.weighing import UNKNOWN, Floats
from sleevenotes.learn.model import CARD_NAME, EVALUATION_NAME

FEWEST = 30  # covers that models must have in common where they were judged on different ones
_LAST_DIGIT = 1e-6
_AGREE = 0.01  # how far a figure worked out again may lie from the one written down, for rounding

Evaluations = Path | Sequence[Path]


@dataclass(frozen=True)
class Recorded:
    """One evaluation, with the answers behind it.

    Attributes
    ----------
    path
        Of its `evaluation.json`.
    evaluation
        What that holds.
    file_names
        The covers, n of them, each once.
    keys
        By which each is found in other evaluations: the SHA-256 of its file, and its place among the covers of the
        same file, by name.
    truth
        (n,), or (n, K) in the task `multi`, as in `sleevenotes.judge.metrics`. There -1 stands for the genres in the
        column `unknown`, where the table has one.
    proba
        (n, K), calibrated.
    groups
        The group of each cover, n of them.
    """

    path: Path
    evaluation: Mapping[str, Any]
    file_names: tuple[str, ...]
    keys: tuple[str, ...]
    truth: NDArray[np.int64]
    proba: Floats
    groups: tuple[str, ...]

    @property
    def digests(self) -> list[str]:
        """SHA-256 of each cover's file, n of them."""
        return [key.partition(" ")[0] for key in self.keys]

    @property
    def task(self) -> Task:
        """What was asked of the covers."""
        return Task(self.evaluation["task"], tuple(self.evaluation["genres"]))

    @property
    def model(self) -> str:
        """The name of the model."""
        return str(self.evaluation["model"])


def cure_for(path: Path, *, folds: bool = False) -> str:
    """Return the command that makes an evaluation again, with the real paths as far as they can be told.

    Parameters
    ----------
    path
        A file of the evaluation, or its folder. The model and the dataset are looked for where `evaluate` and `run`
        have them: in that folder.
    folds
        Whether the evaluation is to have folds.
    """
    folder = path if path.is_dir() else path.parent
    model = next((place for place in (folder, folder / "model") if (place / CARD_NAME).is_file()), None)
    tables = (folder / "dataset" / name for name in (CSV_NAME, PARQUET_NAME))
    dataset = next((table.parent for table in tables if table.is_file()), None)
    told = [shlex.quote(str(place)) if place else word for place, word in ((model, "MODEL"), (dataset, "DATASET"))]
    return f"Run `sleevenotes evaluate {' '.join(told)} -o {shlex.quote(str(folder))}{' --folds 5' if folds else ''}`"


def read_recorded(path: Path, *, folds: bool = False) -> Recorded:
    """Read an evaluation and its answers.

    Parameters
    ----------
    path
        An `evaluation.json`, or the folder it lies in; `predictions.csv` lies beside it.
    folds
        Read the answers that are pooled over folds instead, `predictions-folds.csv`.

    Raises
    ------
    EvaluationError
        Where one of the two files is missing or does not hold what `evaluate` writes, or they are not of one another.
    """
    path = path / EVALUATION_NAME if path.is_dir() else path
    evaluation = read_evaluation(path, cure_for(path))
    figures = evaluation.get("folds") if folds else evaluation
    if not isinstance(figures, dict):
        raise EvaluationError(str(path), "it has no folds", "answers pooled over folds", cure_for(path, folds=True))
    table = path.parent / (FOLD_PREDICTIONS_NAME if folds else PREDICTIONS_NAME)
    rows = _read_rows(table, evaluation["genres"], cure=cure_for(path, folds=folds))
    task = Task(evaluation["task"], tuple(evaluation["genres"]))
    names = tuple(row["file_name"] for row in rows)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise EvaluationError(str(table), f"{twice[0]} stands there twice", "Each cover has one row", cure_for(table))
    keys = tuple(_keys(rows))
    truth, proba = _truth(rows, task, table), _proba(rows, task, table)
    recorded = Recorded(path, evaluation, names, keys, truth, proba, tuple(row["group"] for row in rows))
    _refuse_foreign(recorded, figures, table)
    return recorded


def _read_rows(path: Path, genres: Sequence[str], *, cure: str) -> list[dict[str, Any]]:
    """Return the rows of a table of predictions, once it is certain that every column needed is there."""
    rows = [row | {"group": row.get("group", "")} for row in read_predictions(path, genres, cure)]
    if not rows:
        raise EvaluationError(str(path), "no cover in it", "a row a cover", cure)
    return rows


def _keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what each cover is found by in other evaluations; equal files are told apart by the order of names."""
    times: Counter[str] = Counter()
    keys = [""] * len(rows)
    for at in sorted(range(len(rows)), key=lambda at: rows[at]["file_name"]):
        digest = rows[at]["sha256"]
        keys[at] = f"{digest} {times[digest]}"
        times[digest] += 1
    return keys


def _truth(rows: Sequence[Mapping[str, Any]], task: Task, path: Path) -> NDArray[np.int64]:
    many = task.kind == "multi"
    lists = [_genres_in(row["truth"]) if many else (row["truth"],) for row in rows]
    unknown = [_genres_in(row.get("unknown", "")) if many else () for row in rows]
    for at, genres in enumerate(lists):
        strange = [genre for genre in (*genres, *unknown[at]) if genre not in task.genres]
        if strange:
            known = f"One of the evaluation's genres was expected: {', '.join(task.genres[:8])}"
            raise EvaluationError(f"{path}, row {at + 2}", f"unknown genre {strange[0]!r}", known, cure_for(path))
    truth = task.truth(lists)
    if many:
        truth[task.truth(unknown) == 1] = UNKNOWN
    return truth


def _genres_in(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, cell.split(";")))


def _proba(rows: Sequence[Mapping[str, Any]], task: Task, path: Path) -> Floats:
    """Return the probas, (n, K), as near to what was rounded as can be told."""
    proba = np.array([[row[f"proba {genre}"] for genre in task.genres] for row in rows])
    proba[proba == 0], proba[proba == 1] = _LAST_DIGIT / 2, 1 - _LAST_DIGIT / 2
    if task.kind != "multi":
        for at, row in enumerate(rows):
            if row["predicted"] in task.genres:
                proba[at, task.genres.index(row["predicted"])] += _LAST_DIGIT / 4
    return proba


def _refuse_foreign(recorded: Recorded, figures: Mapping[str, Any], table: Path) -> None:
    """Refuse a table of predictions that is not of this evaluation, as where one of the two was copied or mended."""
    n, headline = len(recorded.file_names), "label_ranking_ap" if recorded.task.kind == "multi" else "accuracy"
    if n != figures.get("n"):
        found = f"{n:,} covers, where {recorded.path.name} has {figures.get('n')!r}"
        raise EvaluationError(str(table), found, "Both are of one evaluation", cure_for(table))
    metric = metrics.ranking_precision if recorded.task.kind == "multi" else metrics.correct
    again = float(metric(recorded.truth, recorded.proba).mean())
    written = figures.get(headline)
    value = written.get("value") if isinstance(written, dict) else None
    if not isinstance(value, (int, float)) or abs(value - again) > _AGREE:
        found = f"its {headline} is {again:.3f}, where {recorded.path.name} has {value!r}"
        raise EvaluationError(str(table), found, "Both are of one evaluation", cure_for(table))


# -------------------------------------------------------------------------------- several models


@dataclass(frozen=True)
class Common:
    """What several models said of the same covers.

    Attributes
    ----------
    task, genres
        What was asked, K genres.
    truth
        (n,), or (n, K) in `multi`.
    probas
        Each model's, (n, K), by its name.
    groups
        The group of each cover, n of them.
    notes
        What is doubtful about comparing them, in sentences.
    """

    task: str
    genres: tuple[str, ...]
    truth: NDArray[np.int64]
    probas: Mapping[str, Floats]
    groups: tuple[str, ...]
    notes: tuple[str, ...]


def read_sets(
    evaluations: Sequence[Evaluations], names: Sequence[str] = (), *, folds: bool = False
) -> dict[str, list[Recorded]]:
    """Read the evaluations of several models, each by its name.

    Parameters
    ----------
    evaluations
        Two or more, each a path or a sequence of paths.
    names
        What to call the models; their own names, with their folders where two are of one name, where not given.
    folds
        As for `read_recorded`.

    Raises
    ------
    EvaluationError
        Where there are fewer than two, the names do not fit, an evaluation is given twice, or one can't be read.
    """
    if len(evaluations) < 2:
        raise EvaluationError("compare", f"{len(evaluations)} evaluation", "It takes two or more")
    sets = [
        [read_recorded(Path(path), folds=folds) for path in ([each] if isinstance(each, (str, Path)) else each)]
        for each in evaluations
    ]
    if not all(sets):
        raise EvaluationError("compare", "a model without an evaluation", "One evaluation or more a model")
    twice = [
        place for place, times in Counter(one.path.resolve() for each in sets for one in each).items() if times > 1
    ]
    if twice:
        raise EvaluationError(str(twice[0]), "given twice", "Each evaluation is of another model or training")
    if names and (len(names) != len(sets) or len(set(names)) < len(names) or not all(names)):
        found = f"{', '.join(names)} for {len(sets)} models"
        raise EvaluationError("names", found, "One name a model, all of them different, was expected")
    return dict(zip(names or _own_names(sets), sets, strict=True))


def _own_names(sets: Sequence[Sequence[Recorded]]) -> list[str]:
    """Return the models' names, with as much of their folders as it takes to tell those apart that bear the same."""
    plain = [" + ".join(dict.fromkeys(one.model for one in members)) for members in sets]
    folders = [members[0].path.resolve().parent.parts[: -1 if len(members) > 1 else None] for members in sets]
    files = [members[0].path.name for members in sets]
    for depth in range(1, max(map(len, folders)) + 1):
        ends = ["/".join(folder[-depth:]).replace("//", "/") for folder in folders]
        names = [f"{name} ({end})" if plain.count(name) > 1 else name for name, end in zip(plain, ends, strict=True)]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({'/'.join(folder)}/{file})" for name, folder, file in zip(plain, folders, files, strict=True)]


def common_answers(sets: Mapping[str, Sequence[Recorded]]) -> Common:
    """Return what all models said of the covers that all of them were asked about.

    Where models stand for several evaluations, the first of each are laid together, then the second, and so on. Groups
    are joined across all of them: covers that are of one group anywhere are never drawn apart.

    Raises
    ------
    EvaluationError
        Where tasks, genres or truths differ, the sets are of different length, or models that were judged on different
        covers have fewer than 30 in common.
    """
    task = _one_task(sets)
    genres, notes = _common_genres(sets, task)
    notes += _doubts(sets)
    columns = list(zip(*sets.values(), strict=True))  # each: one evaluation of every model
    covers = [_common_covers(column) for column in columns]
    notes += _left_out(sets, columns, covers)
    truth = [_one_truth(column, keys, genres) for column, keys in zip(columns, covers, strict=True)]
    probas = {
        name: np.concatenate([_of(one, keys, genres)[1] for one, keys in zip(members, covers, strict=True)])
        for name, members in sets.items()
    }
    group = _joined_groups([one for members in sets.values() for one in members])
    groups = tuple(group[key] for keys in covers for key in keys)
    return Common(task, genres, np.concatenate(truth), probas, groups, tuple(notes))


def _one_task(sets: Mapping[str, Sequence[Recorded]]) -> str:
    sizes = {name: len(members) for name, members in sets.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise EvaluationError("compare", f"sets of different size ({found})", "As many evaluations of each model")
    tasks = {one.task.kind: name for name, members in sets.items() for one in members}
    if len(tasks) > 1:
        found = " and ".join(f"{kind} of {name}" for kind, name in tasks.items())
        raise EvaluationError("compare", f"different tasks, {found}", "Models of one task can be compared")
    return next(iter(tasks))


def _common_genres(sets: Mapping[str, Sequence[Recorded]], task: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the genres that all models know, in the first one's order, and a note where some know more.

    Only in `multi` a genre can be left out, as each has a proba of its own there; elsewhere they share out one whole.
    """
    known = {name: [genre for one in members for genre in one.task.genres] for name, members in sets.items()}
    every = list(dict.fromkeys(genre for genres in known.values() for genre in genres))
    several = [set(one.task.genres) for members in sets.values() for one in members]
    first = next(iter(sets.values()))[0].task.genres
    common = tuple(genre for genre in first if all(genre in genres for genres in several))
    if len(common) == len(every):
        return common, []
    odd = [genre for genre in every if genre not in common]
    shown = ", ".join(odd[:5]) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")
    if task != "multi" or len(common) < 2:
        cure = "Train them on the same genres"
        raise EvaluationError("compare", f"not all models know {shown}", "Models of the same genres", cure)
    return common, [f"compared on the {len(common)} genres that all models know; left out: {shown}."]


def _doubts(sets: Mapping[str, Sequence[Recorded]]) -> list[str]:
    """Return notes on evaluations that are no test."""
    notes = []
    for name, members in sets.items():
        seen = sorted({str(one.evaluation.get("split")) for one in members} & {"train", "valid"})
        if seen:
            notes.append(f"{name} was judged on {' and '.join(seen)}, from which it learnt or was chosen.")
    return notes


def _common_covers(column: Sequence[Recorded]) -> list[str]:
    """Return the keys of the covers that all evaluations have, in the order of the first."""
    others = [set(one.keys) for one in column[1:]]
    return [key for key in column[0].keys if all(key in other for other in others)]


def _left_out(
    sets: Mapping[str, Sequence[Recorded]], columns: Sequence[Sequence[Recorded]], covers: Sequence[Sequence[str]]
) -> list[str]:
    """Return a note on covers that not all models were asked about; refuse where too few are left."""
    n = sum(map(len, covers))
    given = {name: sum(len(one.file_names) for one in members) for name, members in sets.items()}
    if all(size == n for size in given.values()):
        return []
    counted = ", ".join(f"{name} has {size:,}" for name, size in given.items())
    if n < FEWEST or not all(covers):
        found = f"{n} covers in common ({counted})" if n else f"no cover in common ({counted})"
        if n and not all(covers):
            empty = next(at for at, names in enumerate(covers) if not names)
            found = f"no cover in common in the evaluations at place {empty + 1} ({columns[empty][0].path}, …)"
        wanted = f"at least {FEWEST} covers of the same split"
        raise EvaluationError("compare", found, wanted, "Evaluate all models on one dataset with one split")
    return [f"compared on the {n:,} covers that all models were asked about ({counted})."]


def _of(one: Recorded, keys: Sequence[str], genres: Sequence[str]) -> tuple[NDArray[np.int64], Floats]:
    """Return truth and proba of some covers and some genres, in their order."""
    place = {key: at for at, key in enumerate(one.keys)}
    rows = [place[key] for key in keys]
    columns = [one.task.genres.index(genre) for genre in genres]
    if one.truth.ndim == 2:
        return one.truth[np.ix_(rows, columns)], one.proba[np.ix_(rows, columns)]
    number = np.argsort(columns)  # of each genre of the evaluation, its column here
    return number[one.truth[rows]], one.proba[np.ix_(rows, columns)]


def _one_truth(column: Sequence[Recorded], keys: Sequence[str], genres: Sequence[str]) -> NDArray[np.int64]:
    """Return the truth that all evaluations agree on."""
    truth = _of(column[0], keys, genres)[0]
    for other in column[1:]:
        unlike = np.atleast_2d((truth != _of(other, keys, genres)[0]).T).any(axis=0)  # (n,)
        if unlike.any():
            key = keys[int(np.flatnonzero(unlike)[0])]
            name, said = (
                column[0].file_names[column[0].keys.index(key)],
                [_named(one, key) for one in (column[0], other)],
            )
            found = f"{name} is {said[0]} there and {said[1]} in {other.path} (so are {unlike.sum():,} covers in all)"
            wanted = "The truth about a cover is the same for all models"
            raise EvaluationError(str(column[0].path), found, wanted, "Evaluate them on one dataset")
    return truth


def _named(one: Recorded, key: str) -> str:
    at = one.keys.index(key)
    return f"'{one.task.named(one.truth[at : at + 1])[0]}'"


def _joined_groups(every: Sequence[Recorded]) -> dict[str, str]:
    """Return the group of each cover, by its key: what any evaluation has in one group is in one.

    Groups are joined by their covers, not by their names, which a dataset that was split anew numbers anew. Each is
    called by its name in the first evaluation, so that it takes the place among resamples that it has in `evaluate`.
    """
    called: dict[str, str] = {}
    for one in every:
        for key, group in zip(one.keys, one.groups, strict=True):
            called.setdefault(key, group)
    keys = list(called)
    place = {key: at for at, key in enumerate(keys)}
    parts = Components(len(keys))
    for one in every:
        firsts: dict[str, str] = {}
        for key, group in zip(one.keys, one.groups, strict=True):
            parts.join(place[firsts.setdefault(group or key, key)], place[key])
    return {key: f"{called[keys[parts.find(at)]]} / {parts.find(at)}" for key, at in place.items()}
