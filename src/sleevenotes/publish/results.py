"""The finished results that a report reads: everything is looked at here, and nothing is changed.

A required file that is missing, or does not hold what the report needs, is an error that says which command makes it.
An optional one that is missing is None.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.genre_tree import upwards
from sleevenotes.covers.images import sha256
from sleevenotes.covers.reports import CHECK_NAME, PROBLEMS_NAME, read_check, read_problems
from sleevenotes.errors import EvaluationError
from sleevenotes.judge.schemas import (
    MAIN_FIGURE,
    ExplanationEntry,
    read_audit,
    read_curve,
    read_evaluation,
    read_explanations,
    read_history,
    read_map,
    read_people,
    read_places,
    read_predictions,
)
from sleevenotes.learn.model import EVALUATION_NAME, read_card

EXPLANATIONS_NAME = "explanations.json"
CURVE_NAME = "curve.json"
AUDIT_NAME = "audit.json"
MAP_NAME, PLACES_NAME = "map.json", "map.csv"
PEOPLE_NAME = "people.json"


@dataclass(frozen=True)
class Places:
    """Where a run lies, as its paths stand in commands; words in capitals where that is not to be said.

    Examples
    --------
    >>> Places.of(Path("my dataset"), Path("out/model"), Path("out")).evaluate
    "sleevenotes evaluate out/model 'my dataset' -o out"
    """

    dataset: str = "DATASET"
    model: str = "MODEL"
    out: str = "OUT"
    cover: str = "COVER..."
    explanations: str = "OUT/explanations"
    audit_folder: str = "OUT/audit"

    @classmethod
    def of(cls, dataset: Path, model: Path, out: Path, cover: str = "") -> Places:
        """Quote the paths of a dataset, a model and a folder of results; `cover` is a file in the dataset."""
        folders = (dataset, model, out, out / "explanations", out / "audit")
        dataset_, model_, out_, explanations, audit = (shlex.quote(str(folder)) for folder in folders)
        named = shlex.quote(str(dataset / cover)) if cover and cover.isprintable() else "COVER..."
        return cls(dataset_, model_, out_, named, explanations, audit)

    @property
    def evaluate(self) -> str:
        """The command that evaluates the model."""
        return f"sleevenotes evaluate {self.model} {self.dataset} -o {self.out}"

    @property
    def audit(self) -> str:
        """The command that audits dataset and model."""
        return f"sleevenotes audit {self.dataset} --trained {self.model} -o {self.audit_folder}"


@dataclass(frozen=True)
class Answer:
    """What the model said of one cover.

    Parameters
    ----------
    file_name
        The cover's path in the dataset.
    truth, predicted
        Genres, `;` between several.
    proba
        Of the predicted genre, 0..1.
    correct
        None where it can't be said (several genres).
    first_proba
        Of the first genre of the task; None where the table does not say.
    """

    file_name: str
    truth: str
    predicted: str
    proba: float
    correct: bool | None
    first_proba: float | None = None


@dataclass(frozen=True)
class Explanation:
    """A cover and what spoke for one genre in it; paths are those of files that were there."""

    answer: Answer
    genre: str
    cover: Path | None
    overlay: Path | None


@dataclass(frozen=True)
class Audit:
    """What the hunt for leaks and shortcuts found.

    Parameters
    ----------
    folder
        Where its pictures lie.
    told
        `audit.json`.
    fits
        Whether it is of the very covers that the report is of.
    """

    folder: Path
    told: Mapping[str, Any]
    fits: bool = True


@dataclass(frozen=True)
class CoverMap:
    """All covers laid out in two dimensions.

    Parameters
    ----------
    told
        `map.json`.
    places
        `map.csv`, a mapping a cover.
    fits
        Whether it is of the very model and covers that the report is of.
    """

    told: Mapping[str, Any]
    places: Sequence[Mapping[str, Any]]
    fits: bool = True


@dataclass(frozen=True)
class PeopleTold:
    """How good people were in the game.

    Parameters
    ----------
    told
        `people.json`.
    fits
        Whether it is of the very covers that the report is of.
    """

    told: Mapping[str, Any]
    fits: bool = True


@dataclass(frozen=True)
class Results:
    """All that one run left behind.

    Parameters
    ----------
    dataset
        The covers.
    evaluation
        `evaluation.json`.
    card
        `model.json`.
    history
        `history.csv`, a mapping a row; empty where the model has none.
    check
        `check.json`, or None before `check`.
    problems
        `problems.csv`, a mapping a row.
    answers
        `predictions.csv`, or None.
    explanations
        `explanations.json`, or None.
    curve
        `curve.json`, or None.
    audit
        `audit.json`, or None.
    map
        `map.json` and `map.csv`, or None.
    people
        `people.json`, or None.
    scorings
        How often the model was scored, by its own log.
    model_sha256
        Of `model.json`: the evaluation says which it is about.
    rows
        Row of the dataset by file name.
    at
        Where all of it lies, for commands.
    """

    dataset: Dataset
    evaluation: Mapping[str, Any]
    card: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]] = ()
    check: Mapping[str, Any] | None = None
    problems: Sequence[Mapping[str, Any]] = ()
    answers: Sequence[Answer] | None = None
    explanations: Sequence[Explanation] | None = None
    curve: Mapping[str, Any] | None = None
    audit: Audit | None = None
    map: CoverMap | None = None
    people: PeopleTold | None = None
    scorings: int = 0
    model_sha256: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    at: Places = Places()

    @property
    def task(self) -> str:
        """`single`, `binary` or `multi`."""
        return str(self.evaluation["task"])

    @property
    def genres(self) -> list[str]:
        """The genres of the task, in the model's order."""
        return list(self.evaluation["genres"])

    @property
    def main_figure(self) -> str:
        """The key of the figure that the baselines are compared by."""
        return MAIN_FIGURE[self.task]

    def truths(self) -> list[tuple[str, ...]]:
        """Return each cover's genres under the task, n tuples; an empty one where it has no part in it."""
        known = set(self.genres)
        lists = self.dataset.genre_lists
        if self.task == "binary":
            asked, rest = self.genres[:2]
            return [() if not each else (asked,) if asked in each else (rest,) for each in lists]
        if self.task == "single":
            return [each if len(each) == 1 and each[0] in known else () for each in lists]
        above = upwards(self.dataset.settings.get("tree") or ())
        closed = [
            dict.fromkeys((*each, *(one for genre in each for one in sorted(above.get(genre, ()))))) for each in lists
        ]
        return [tuple(genre for genre in each if genre in known) for each in closed]


def read(
    dataset: Path, model: Path, evaluation: Path, *, predictions: Path | None = None, explanations: Path | None = None
) -> Results:
    """Read everything that a report is made of.

    Parameters
    ----------
    dataset, model
        The folders.
    evaluation
        `evaluation.json`, or the folder it lies in. A `curve.json` beside it, or in the dataset, is read too, and an
        `audit.json` beside it or in `audit/`.
    predictions
        `predictions.csv`.
    explanations
        `explanations.json`, or the folder it lies in. These two may be missing.

    Raises
    ------
    DatasetError, ModelError, EvaluationError
        Where something required is missing or a file does not hold what it should.
    """
    evaluation = evaluation / EVALUATION_NAME if evaluation.is_dir() else evaluation
    at = Places.of(dataset, model, evaluation.parent)
    figures = read_evaluation(evaluation, f"Run `{at.evaluate}`")
    card = read_card(model)
    covers = Dataset.open(dataset, files=False)
    at = Places.of(dataset, model, evaluation.parent, covers.file_names[0] if len(covers) else "")
    check, problems = covers.folder / CHECK_NAME, covers.folder / PROBLEMS_NAME
    curves = [path for path in (evaluation.parent / CURVE_NAME, covers.folder / CURVE_NAME) if path.is_file()]
    log, model_sha256 = model / "scorings.jsonl", sha256((model / "model.json").read_bytes())
    return Results(
        dataset=covers,
        evaluation=figures,
        card=card,
        history=read_history(model / "history.csv") if (model / "history.csv").is_file() else (),
        check=read_check(check) if check.is_file() else None,
        problems=read_problems(problems) if problems.is_file() else (),
        answers=_read_answers(predictions, figures, at) if predictions and predictions.is_file() else None,
        explanations=_read_explanations(explanations, at) if explanations and explanations.exists() else None,
        curve=read_curve(curves[0], f"Run `sleevenotes curve {at.dataset} -o {at.out}`") if curves else None,
        audit=_audit_beside(evaluation, covers),
        map=_map_beside(evaluation, covers, model_sha256, at),
        people=_people_beside(evaluation, covers, at),
        scorings=_lines(log) if log.is_file() else 0,
        model_sha256=model_sha256,
        rows={name: row for row, name in enumerate(covers.file_names)},
        at=at,
    )


def number(value: object) -> float | None:
    """Return a finite number, or None for anything else.

    Examples
    --------
    >>> number("0.5"), number(""), number(float("nan")), number(None)
    (0.5, None, None, None)
    """
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        known = float(value)
    except ValueError:
        return None
    return known if math.isfinite(known) else None


def estimate(value: object) -> dict[str, Any]:
    """Return `{"value", "low", "high"}` of what a file holds for a figure; None where it holds no number.

    `"too_few": True` stays with a figure that has no interval, as covers were too few.

    Examples
    --------
    >>> estimate({"value": 0.5, "low": 0.4, "high": 0.6})
    {'value': 0.5, 'low': 0.4, 'high': 0.6}
    >>> estimate(None)
    {'value': None, 'low': None, 'high': None}
    """
    found: Mapping[str, object] = value if isinstance(value, Mapping) else {"value": value}
    told: dict[str, Any] = {key: number(found.get(key)) for key in ("value", "low", "high")}
    return told | {"too_few": True} if found.get("too_few") is True else told


def _audit_beside(evaluation: Path, dataset: Dataset) -> Audit | None:
    """Return the audit that lies beside an evaluation; None where there is none."""
    places = (evaluation.parent / "audit" / AUDIT_NAME, evaluation.parent / AUDIT_NAME)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    told = read_audit(path)
    return Audit(path.parent, told, (told.get("dataset") or {}).get("fingerprint") == dataset.fingerprint)


def _map_beside(evaluation: Path, dataset: Dataset, model_sha256: str, at: Places) -> CoverMap | None:
    """Return the map that lies beside an evaluation; None where there is none."""
    path, places = evaluation.parent / MAP_NAME, evaluation.parent / PLACES_NAME
    if not path.is_file():
        return None
    cure = f"Run `sleevenotes map {at.model} {at.dataset} -o {at.out}` again"
    told, rows = read_map(path, cure), read_places(places, cure)
    if len(rows) != told.get("n", len(rows)):
        raise EvaluationError(str(places), f"{len(rows):,} covers, where {path.name} has {told['n']:,}", "", cure)
    same = told["dataset"].get("fingerprint") == dataset.fingerprint
    return CoverMap(told, rows, same and told["model_sha256"] == model_sha256)


def _people_beside(evaluation: Path, dataset: Dataset, at: Places) -> PeopleTold | None:
    """Return what people did in the game, where it lies beside an evaluation; None where there is none."""
    path = evaluation.parent / PEOPLE_NAME
    if not path.is_file():
        return None
    told = read_people(path, f"Run `sleevenotes people {at.dataset} -o {at.out}` again")
    return PeopleTold(told, (told.get("dataset") or {}).get("fingerprint") == dataset.fingerprint)


def _read_answers(path: Path, figures: Mapping[str, Any], at: Places) -> list[Answer]:
    answers = []
    for row in read_predictions(path, cure=f"Run `{at.evaluate}`"):
        # proba of other genres is not kept: a hundred columns of a large table would fill the memory for nothing
        answers.append(
            Answer(
                file_name=row["file_name"],
                truth=row["truth"],
                predicted=row["predicted"],
                proba=row["confidence"],
                correct={"true": True, "1": True, "false": False, "0": False}.get(row["correct"].strip().lower()),
                first_proba=number(row.get(f"proba {figures['genres'][0]}")),
            )
        )
    if len(answers) != figures["n"]:
        found = f"{len(answers):,} covers, where {EVALUATION_NAME} has {figures['n']:,}"
        raise EvaluationError(str(path), found, "Both are of one evaluation", f"Run `{at.evaluate}`")
    return answers


def _read_explanations(path: Path, at: Places) -> list[Explanation] | None:
    path = path / EXPLANATIONS_NAME if path.is_dir() else path
    if not path.is_file():
        return None
    cure = f"Run `sleevenotes explain {at.model} {at.cover} -o {at.explanations}`"
    return [_explanation(entry, path.parent) for entry in read_explanations(path, cure)]


def _explanation(entry: ExplanationEntry, folder: Path) -> Explanation:
    return Explanation(
        answer=Answer(
            file_name=entry["file_name"],
            truth=entry.get("truth") or "",
            predicted=entry["predicted"],
            proba=entry["proba"],  # of `genre`, which is the predicted one in the first entry
            correct=entry.get("correct"),
        ),
        genre=entry["genre"],
        cover=inside(folder, entry["cover"]),
        overlay=inside(folder, entry["overlay"]),
    )


def inside(folder: Path, name: object) -> Path | None:
    """Return a file of a folder, and nothing that lies elsewhere: a report must not carry off other pictures."""
    if not isinstance(name, str) or not name or "\x00" in name:
        return None
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _lines(path: Path) -> int:
    return sum(1 for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip())
