"""What the files of results hold: evaluations, predictions, audits, maps, curves and people.

Each is checked when it is read, so that whatever shows it needs no doubts of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from sleevenotes.covers.schema import Count, Meta, Name, Sha256, Share, read_json, read_rows
from sleevenotes.covers.tasks import Kind
from sleevenotes.errors import EvaluationError, ModelError

FORMAT = 1
_TYPED_DICT: Any = TypedDict  # so that a schema can have the columns that a file's genres ask for

EVALUATE_CURE = "Run `sleevenotes evaluate MODEL DATASET -o FOLDER` again"
AUDIT_CURE = "Run `sleevenotes audit DATASET -o FOLDER` again"
MAP_CURE = "Run `sleevenotes map MODEL DATASET -o FOLDER` again"
CURVE_CURE = "Run `sleevenotes curve DATASET -o FOLDER` again"
PEOPLE_CURE = "Run `sleevenotes people DATASET -o FOLDER` again"
EXPLAIN_CURE = "Run `sleevenotes explain MODEL COVER... -o FOLDER` again"

MAIN_FIGURE = {"single": "accuracy", "binary": "accuracy", "multi": "label_ranking_ap"}
Genres = Annotated[list[Name], Meta(min_length=1)]


class Figure(TypedDict):
    """A number and the ends of its interval, each null if it can't be told."""

    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]


class DatasetEntry(TypedDict):
    """The dataset that a result is of."""

    name: NotRequired[str]
    fingerprint: NotRequired[str]
    covers: NotRequired[Count]


class BaselineEntry(TypedDict):
    """A baseline beside the model."""

    accuracy: NotRequired[Figure | None]
    label_ranking_ap: NotRequired[Figure | None]
    difference: NotRequired[Figure | None]
    p: NotRequired[Share | None]
    test: NotRequired[str]
    words: NotRequired[str]


class GenreEntry(TypedDict):
    """The figures of one genre."""

    precision: NotRequired[Figure | None]
    recall: NotRequired[Figure | None]
    f1: NotRequired[Figure | None]
    average_precision: NotRequired[Figure | None]
    roc_auc: NotRequired[Figure | None]
    support: NotRequired[Count]
    threshold: NotRequired[float | None]


class ConfusionEntry(TypedDict):
    """How often each genre was called which."""

    genres: list[str]
    counts: list[list[Count]]


class RiskPoint(TypedDict):
    """A point of the risk-coverage curve."""

    answered: Share
    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]
    promised: NotRequired[float | None]
    risk: NotRequired[float | None]


class AbstentionEntry(TypedDict):
    """How often the surest answers are wrong."""

    n: Count
    curve: list[RiskPoint]
    at: NotRequired[dict[str, Any] | None]
    words: NotRequired[str]


class SetsEntry(TypedDict):
    """How often sets hold what they were to hold."""

    coverage: Share
    n: NotRequired[Count]
    achieved: Figure
    size: NotRequired[Figure | None]
    by_genre: NotRequired[dict[str, Figure | None]]
    words: NotRequired[str]


class ReliabilityBin(TypedDict):
    """Answers of about one confidence."""

    confidence: float | None
    accuracy: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]
    n: NotRequired[float]


class CalibrationEntry(TypedDict):
    """How the percentages came to be."""

    method: NotRequired[str]
    temperature: NotRequired[float]
    maps: NotRequired[dict[str, Count]]
    notes: NotRequired[list[str]]


class IntervalsEntry(TypedDict):
    """How intervals were made."""

    method: NotRequired[str]
    level: NotRequired[float]
    resamples: NotRequired[Count]
    seed: NotRequired[int]
    notes: NotRequired[list[str]]


class FoldsEntry(TypedDict):
    """The same figures over folds."""

    k: Count
    n: NotRequired[Count]
    accuracy: NotRequired[Figure | None]
    label_ranking_ap: NotRequired[Figure | None]
    accuracy_per_training: NotRequired[list[float]]
    spread: NotRequired[float | None]
    without: NotRequired[list[str]]


class EvaluationFile(TypedDict):
    """The contents of `evaluation.json`."""

    format: NotRequired[int]
    model: Name
    task: Kind
    genres: Genres
    n: Annotated[int, Meta(ge=1)]
    groups: NotRequired[Count]
    verdict: Name
    model_sha256: NotRequired[str]
    dataset: NotRequired[DatasetEntry]
    split: NotRequired[str]
    artists: NotRequired[str]
    intervals: NotRequired[IntervalsEntry]
    accuracy: NotRequired[Figure]
    balanced_accuracy: NotRequired[Figure | None]
    macro_f1: NotRequired[Figure | None]
    top2_accuracy: NotRequired[Figure | None]
    top3_accuracy: NotRequired[Figure | None]
    label_ranking_ap: NotRequired[Figure]
    roc_auc: NotRequired[Figure | None]
    average_precision: NotRequired[Figure | None]
    precision: NotRequired[Figure | None]
    recall: NotRequired[Figure | None]
    f1: NotRequired[Figure | None]
    roc_auc_macro: NotRequired[Figure | None]
    roc_auc_micro: NotRequired[Figure | None]
    average_precision_macro: NotRequired[Figure | None]
    average_precision_micro: NotRequired[Figure | None]
    f1_macro: NotRequired[Figure | None]
    f1_micro: NotRequired[Figure | None]
    log_loss: NotRequired[Figure | None]
    brier: NotRequired[Figure | None]
    ece: NotRequired[Figure | None]
    ece_uncalibrated: NotRequired[Figure | None]
    surest_fifth: NotRequired[Figure | None]
    surest_half: NotRequired[Figure | None]
    aurc: NotRequired[Figure | None]
    baselines: NotRequired[dict[str, BaselineEntry]]
    per_genre: NotRequired[dict[str, GenreEntry]]
    confusion: NotRequired[ConfusionEntry | None]
    reliability: NotRequired[dict[str, list[ReliabilityBin]] | None]
    abstention: NotRequired[AbstentionEntry | None]
    sets: NotRequired[SetsEntry | None]
    calibration: NotRequired[CalibrationEntry]
    chance: NotRequired[dict[str, float | None]]
    folds: NotRequired[FoldsEntry | None]


class PredictionRow(TypedDict):
    """A row of `predictions.csv`; a column `proba GENRE` for each genre comes with it as text."""

    file_name: Name
    truth: str
    predicted: str
    correct: str
    confidence: Share
    sha256: NotRequired[str]
    group: NotRequired[str]
    unknown: NotRequired[str]


class MeasuredEntry(TypedDict):
    """The figure of a finding."""

    metric: str
    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]
    chance: NotRequired[float | None]
    p: NotRequired[float | None]
    n: NotRequired[Count | None]
    groups: NotRequired[Count | None]


class PictureEntry(TypedDict):
    """A picture beside `audit.json`."""

    file: str
    caption: NotRequired[str]


class FindingEntry(TypedDict):
    """What one check of an audit found."""

    id: NotRequired[str]
    title: NotRequired[str]
    verdict: Literal["clean", "suspicious", "broken"]
    check: NotRequired[Count]
    tested: NotRequired[str]
    words: NotRequired[str]
    advice: NotRequired[str]
    command: NotRequired[str]
    measured: NotRequired[MeasuredEntry | None]
    p_holm: NotRequired[float | None]
    details: NotRequired[dict[str, Any]]
    files: NotRequired[list[PictureEntry]]


class LeftOutEntry(TypedDict):
    """A check that could not be made."""

    check: NotRequired[Count]
    title: NotRequired[str]
    why: NotRequired[str]
    command: NotRequired[str]


class AuditFile(TypedDict):
    """The contents of `audit.json`."""

    format: NotRequired[int]
    verdict: Literal["clean", "suspicious", "broken"]
    words: NotRequired[str]
    dataset: NotRequired[DatasetEntry]
    model: NotRequired[str | None]
    findings: list[FindingEntry]
    left_out: NotRequired[list[LeftOutEntry]]
    seed: NotRequired[int]


class PurityEntry(TypedDict):
    """How often the nearest covers share a genre."""

    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]
    chance: NotRequired[float | None]
    gain: NotRequired[Figure | None]
    n: NotRequired[Count]


class MapFile(TypedDict):
    """The contents of `map.json`."""

    format: NotRequired[int]
    model: NotRequired[str]
    model_sha256: str
    dataset: DatasetEntry
    task: NotRequired[Kind]
    genres: NotRequired[list[str]]
    most: NotRequired[Count]
    seed: NotRequired[int]
    n: NotRequired[Count]
    layout: NotRequired[str]
    neighbors: NotRequired[Count]
    purity: NotRequired[dict[str, PurityEntry]]
    words: NotRequired[str]


class PlaceRow(TypedDict):
    """A row of `map.csv`."""

    file_name: Name
    x: Share
    y: Share
    genres: str
    split: str


class CurvePoint(TypedDict):
    """A point of a learning curve."""

    covers: Count
    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]
    draws: NotRequired[Count]


class CurveFile(TypedDict):
    """The contents of `curve.json`."""

    model: NotRequired[str]
    metric: NotRequired[str]
    split: NotRequired[str]
    points: list[CurvePoint]
    words: NotRequired[str]


class GuessingEntry(TypedDict):
    """What naming the commonest genre gets."""

    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    too_few: NotRequired[bool]
    difference: NotRequired[Figure | None]
    p: NotRequired[float | None]
    p_holm: NotRequired[float | None]
    genres: NotRequired[list[str]]


class RivalEntry(TypedDict):
    """A model beside people."""

    model: str
    source: NotRequired[str]
    n: NotRequired[Count]
    players: NotRequired[Count]
    covers: NotRequired[Count]
    people: NotRequired[Figure | None]
    accuracy: NotRequired[Figure | None]
    difference: NotRequired[Figure | None]
    p: NotRequired[float | None]
    p_holm: NotRequired[float | None]
    better: NotRequired[str | None]
    words: NotRequired[str]


class PeopleFile(TypedDict):
    """The contents of `people.json`."""

    format: NotRequired[int]
    n: Count
    accuracy: Figure
    guessing: GuessingEntry
    models: list[RivalEntry]
    words: list[str]
    notes: list[str]
    dataset: NotRequired[DatasetEntry]
    players: NotRequired[Count]
    covers: NotRequired[Count]
    rounds: NotRequired[Count]
    repeats: NotRequired[Count]
    genres: NotRequired[list[str]]
    per_genre: NotRequired[dict[str, dict[str, Any]]]
    confusion: NotRequired[ConfusionEntry | None]
    alpha: NotRequired[dict[str, Any] | None]
    by_player: NotRequired[list[dict[str, Any]]]


class ExplanationEntry(TypedDict):
    """What a map on a cover is of."""

    file_name: str
    genre: str
    proba: Share
    predicted: str
    truth: NotRequired[str | None]
    correct: NotRequired[bool | None]
    cover: str
    overlay: str
    heat: NotRequired[str]


class EpochRow(TypedDict):
    """A row of `history.csv`."""

    epoch: Count
    train_loss: float | None
    train_accuracy: float | None
    valid_loss: float | None
    valid_accuracy: float | None


def read_evaluation(path: Path, cure: str = EVALUATE_CURE) -> dict[str, Any]:
    """Return the contents of an `evaluation.json`.

    Raises
    ------
    EvaluationError
        If the file is missing, damaged, or its entries contradict each other.
    """
    figures: Any = read_json(path, EvaluationFile, EvaluationError, cure, newest=FORMAT)
    genres, main, confusion = figures["genres"], MAIN_FIGURE[figures["task"]], figures.get("confusion")
    wrong = ""
    if main not in figures:
        wrong = f"{main} is missing"
    elif len(set(genres)) < len(genres) or (figures["task"] == "binary" and len(genres) != 2):
        wrong = "genres that do not fit the task"
    elif confusion and {len(confusion["genres"]), *map(len, confusion["counts"])} != {len(confusion["counts"])}:
        wrong = "a confusion matrix that is not square"
    if wrong:
        raise EvaluationError(str(path), wrong, "A whole evaluation was expected", cure)
    return figures  # type: ignore[no-any-return]


def read_predictions(path: Path, genres: Sequence[str] = (), cure: str = EVALUATE_CURE) -> Iterator[dict[str, Any]]:
    """Yield the rows of a `predictions.csv`; with genres, each needs its SHA-256 and a proba of each of these genres.

    Raises
    ------
    EvaluationError
        If the file is missing or damaged, or lacks the column of a genre.
    """
    needed: dict[str, Any] = {f"proba {genre}": Share for genre in genres}
    needed |= {"sha256": Sha256} if genres else {}
    row: Any = _TYPED_DICT("PredictionRow", {**PredictionRow.__annotations__, **needed})
    yield from read_rows(path, row, EvaluationError, cure, is_ended=True)


def read_audit(path: Path) -> dict[str, Any]:
    """Return the contents of an `audit.json`; EvaluationError if it is missing or damaged."""
    audit: Any = read_json(path, AuditFile, EvaluationError, AUDIT_CURE, newest=FORMAT)
    return audit  # type: ignore[no-any-return]


def read_map(path: Path, cure: str = MAP_CURE) -> dict[str, Any]:
    """Return the contents of a `map.json`; EvaluationError if it is missing or damaged."""
    found: Any = read_json(path, MapFile, EvaluationError, cure, newest=FORMAT)
    return found  # type: ignore[no-any-return]


def read_places(path: Path, cure: str = MAP_CURE) -> list[PlaceRow]:
    """Return the rows of a `map.csv`; EvaluationError if it is missing or damaged."""
    return list(read_rows(path, PlaceRow, EvaluationError, cure, is_ended=True))


def read_curve(path: Path, cure: str = CURVE_CURE) -> dict[str, Any]:
    """Return the contents of a `curve.json`; EvaluationError if it is missing or damaged."""
    curve: Any = read_json(path, CurveFile, EvaluationError, cure)
    return curve  # type: ignore[no-any-return]


def read_people(path: Path, cure: str = PEOPLE_CURE) -> dict[str, Any]:
    """Return the contents of a `people.json`; EvaluationError if it is missing or damaged."""
    people: Any = read_json(path, PeopleFile, EvaluationError, cure, newest=FORMAT)
    return people  # type: ignore[no-any-return]


def read_explanations(path: Path, cure: str = EXPLAIN_CURE) -> list[ExplanationEntry]:
    """Return the entries of an `explanations.json`; EvaluationError if it is missing or damaged."""
    return read_json(path, list[ExplanationEntry], EvaluationError, cure)


def read_history(path: Path) -> list[EpochRow]:
    """Return the rows of a `history.csv`; ModelError if it is missing or damaged."""
    return list(read_rows(path, EpochRow, ModelError, "Train the model again", is_ended=True))
