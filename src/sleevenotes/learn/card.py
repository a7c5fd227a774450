"""What `model.json` and a bundle's `sleevenotes.json` have to hold, so that a damaged or edited one is refused.

`MODEL` folders may come from anywhere. A card that is read here has all that predicting relies on, of the right type,
finite and of a sane size: as many maps and thresholds as genres, files inside the model's folder, and the SHA-256 of
each file of weights, which is checked where that file is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from sleevenotes.covers.schema import Count, Meta, Name, Pair, Pixels, Sha256, Share, quoted, read_json
from sleevenotes.covers.tasks import Kind
from sleevenotes.errors import ModelError
from sleevenotes.learn.extractors import VIEWS, ColorExtractor
from sleevenotes.learn.tensors import TRAIN_AGAIN

FORMAT = 1
EXPORT_AGAIN = "Export the model again"

Coefficient = Annotated[float, Meta(ge=-1e4, le=1e4)]
Temperature = Annotated[float, Meta(ge=1e-3, le=1e3, description="a number from 0.001 to 1,000")]
PartFile = Annotated[str, Meta(pattern=r"^parts/[A-Za-z0-9._-]+$", description="a file in the folder parts")]
Numbers = Annotated[list[float], Meta(min_length=1)]


class LineCard(TypedDict):
    """A straight line, `scale · x + shift`."""

    scale: Coefficient
    shift: Coefficient


class GenreMap(TypedDict):
    """The calibration of one genre in `multi`."""

    kind: Literal["pooled", "platt", "isotonic"]
    scale: NotRequired[Coefficient]
    shift: NotRequired[Coefficient]
    logits: NotRequired[Numbers]
    calibrated: NotRequired[Numbers]


class SetsCard(TypedDict):
    """From which proba on a genre is in the set, for a coverage of 1, 2, … 99 %."""

    holds: NotRequired[str]
    n: NotRequired[Count]
    groups: NotRequired[Count]
    limits: Annotated[list[Share | None], Meta(min_length=99, max_length=99)]


class CalibrationCard(TypedDict):
    """What turns logits into percentages."""

    temperature: Temperature
    method: NotRequired[str]
    source: NotRequired[str]
    n: NotRequired[Count]
    maps: NotRequired[list[GenreMap]]
    thresholds: NotRequired[list[Share] | None]
    risk: NotRequired[LineCard | None]
    sets: NotRequired[SetsCard]


class PreprocessingCard(TypedDict):
    """How a cover becomes pixels."""

    size_px: Pixels
    resize: NotRequired[str]
    color: NotRequired[str]


class NetworkCard(TypedDict):
    """A network in its ONNX form."""

    architecture: NotRequired[str | None]
    file: NotRequired[str]
    sha256: Sha256
    parameters: NotRequired[Count | None]
    precision: NotRequired[str]


class BackboneCard(TypedDict):
    """The pretrained network that a network was made of."""

    name: Name
    sha256: NotRequired[str]
    finetuned: NotRequired[bool]


class GroundCard(TypedDict):
    """A part by whose features covers are compared."""

    name: Name
    kind: Literal["color", "gradients", "network"]
    views: Annotated[list[str], Meta(min_length=1)]
    rooted: bool
    network: NetworkCard | None
    backbone: NotRequired[BackboneCard | None]
    file: NotRequired[PartFile]
    size_px: NotRequired[Pixels]


class PartCard(TypedDict):
    """One of the parts of which a composed model has its features."""

    name: Name
    kind: Literal["color", "gradients", "network", "likeness"]
    network: NetworkCard | None
    views: NotRequired[Annotated[list[str], Meta(min_length=1)]]
    rooted: NotRequired[bool]
    backbone: NotRequired[BackboneCard | None]
    file: NotRequired[PartFile]
    sha256: NotRequired[Sha256]
    size_px: NotRequired[Pixels]
    features: NotRequired[Count]
    tuned: NotRequired[bool]
    of: NotRequired[Annotated[list[GroundCard], Meta(min_length=1)]]


class TrainedOn(TypedDict):
    """The dataset that a model learnt from."""

    name: str
    fingerprint: NotRequired[str]
    valid_fingerprint: NotRequired[str]
    train: NotRequired[Count]
    valid: NotRequired[Count]
    train_covers: NotRequired[dict[str, Count]]
    train_shares: NotRequired[dict[str, Share]]


class HeadCard(TypedDict):
    """How the head was found."""

    kind: str
    form: NotRequired[str]
    settings: NotRequired[dict[str, Any]]


class LearntCard(TypedDict):
    """The file of the covers that a model learnt from."""

    sha256: Sha256
    rows: Count


class WeightsFile(TypedDict):
    """The file of the head and of the network's parameters."""

    sha256: Sha256


class MeasuredFigure(TypedDict):
    """A figure with its interval."""

    value: float
    low: float
    high: float


class FiveGenresCard(TypedDict):
    """What the bundled model reaches on five genres."""

    genres: Annotated[list[Name], Meta(min_length=1)]
    accuracy: MeasuredFigure
    answers: Count


class FiguresCard(TypedDict):
    """What is known of the bundled model."""

    five_genres: FiveGenresCard


class ModelCard(TypedDict):
    """The contents of `model.json`."""

    format: int
    name: Name
    task: Kind
    genres: Annotated[list[Name], Meta(min_length=1, max_length=100_000)]
    tree: NotRequired[list[Pair]]
    preprocessing: PreprocessingCard
    network: NetworkCard | None
    backbone: BackboneCard | None
    head: HeadCard
    parts: NotRequired[Annotated[list[PartCard], Meta(min_length=1)]]
    calibration: CalibrationCard
    weights: WeightsFile
    learnt_from: NotRequired[LearntCard]
    seed: Annotated[int, Meta(ge=0)]
    dataset: TrainedOn
    figures: NotRequired[FiguresCard]


class GraphCard(TypedDict):
    """The one graph of a bundle."""

    file: Name
    sha256: Sha256


class BundleCard(TypedDict):
    """The contents of a bundle's `sleevenotes.json`, or of its `config.json`."""

    format: int
    name: Name
    task: Kind
    genres: Annotated[list[Name], Meta(min_length=1, max_length=100_000)]
    tree: list[Pair]
    calibration: CalibrationCard
    preprocessing: PreprocessingCard
    graph: GraphCard
    learnt_from: LearntCard
    seed: NotRequired[int]


def read_model_card(path: Path) -> dict[str, Any]:
    """Return the contents of a `model.json`, once it is certain that they fit together.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another format, or its entries contradict each other.
    """
    card: Any = read_json(path, ModelCard, ModelError, TRAIN_AGAIN, newest=FORMAT)
    _refuse(path, [*_shared_problems(card), *_part_problems(card)], TRAIN_AGAIN)
    return card  # type: ignore[no-any-return]


def read_bundle_card(path: Path) -> dict[str, Any]:
    """Return the contents of a bundle's card, once it is certain that they fit together.

    Raises
    ------
    ModelError
        As for `read_model_card`.
    """
    card: Any = read_json(path, BundleCard, ModelError, EXPORT_AGAIN, newest=FORMAT)
    _refuse(path, [*_shared_problems(card)], EXPORT_AGAIN)
    return card  # type: ignore[no-any-return]


def _refuse(path: Path, problems: Sequence[str], cure: str) -> None:
    if problems:
        raise ModelError(str(path), "; ".join(problems), "", cure)


def _shared_problems(card: Mapping[str, Any]) -> Iterator[str]:
    """Yield which entries of a model's or a bundle's card contradict each other."""
    genres, calibration = card["genres"], card["calibration"]
    twice = [genre for at, genre in enumerate(genres) if genre in genres[:at]] if len(set(genres)) < len(genres) else []
    if twice:
        yield f"genres names {quoted(twice[0])} twice"
    if (card["task"] == "binary" and len(genres) != 2) or (card["task"] == "single" and len(genres) < 2):
        yield f"{len(genres)} genres do not fit the task {card['task']}"
    for key in ("maps", "thresholds"):
        each = calibration.get(key)
        if each is not None and card["task"] != "multi":
            yield f"calibration.{key} does not fit the task {card['task']}"
        elif each is not None and len(each) != len(genres):
            yield f"calibration.{key} has {len(each):,} entries for {len(genres):,} genres"
    for at, how in enumerate(calibration.get("maps") or ()):
        yield from _map_problems(how, f"calibration.maps[{at}]")
    if card["task"] == "multi" and "maps" in calibration and calibration.get("thresholds") is None:
        yield "calibration.thresholds is missing"


def _map_problems(how: Mapping[str, Any], at: str) -> Iterator[str]:
    needed = ("logits", "calibrated") if how["kind"] == "isotonic" else ("scale", "shift")
    lacking = [key for key in needed if key not in how]
    if lacking:
        yield f"{at}.{lacking[0]} is missing"
    elif how["kind"] == "isotonic":
        points, values = how["logits"], how["calibrated"]
        if len(points) != len(values):
            yield f"{at} has {len(points):,} logits and {len(values):,} calibrated"
        elif any(one >= other for one, other in pairwise(points)):
            yield f"{at}.logits does not rise"
        elif any(one > other for one, other in pairwise(values)):
            yield f"{at}.calibrated does not rise"


def _part_problems(card: Mapping[str, Any]) -> Iterator[str]:
    parts, size_px = card.get("parts"), card["preprocessing"]["size_px"]
    if parts is None:
        if card["network"] is None and size_px != ColorExtractor.size_px:
            yield f"preprocessing.size_px is {size_px}, where a colour model takes {ColorExtractor.size_px}"
        return
    if card["network"] is not None:
        yield "parts and a network exclude each other"
    for at, part in enumerate(parts):
        if part["kind"] != "likeness":
            yield from _ground_problems(part, f"parts[{at}]")
            continue
        lacking = [key for key in ("file", "sha256", "of") if key not in part]
        if lacking:
            yield f"parts[{at}].{lacking[0]} is missing"
        for number, ground in enumerate(part.get("of", ())):
            yield from _ground_problems(ground, f"parts[{at}].of[{number}]")


def _ground_problems(part: Mapping[str, Any], at: str) -> Iterator[str]:
    needed = ["views", "rooted", *(["file", "size_px"] if part["kind"] == "network" else [])]
    lacking = [key for key in needed if key not in part]
    lacking += ["network"] if part["kind"] == "network" and part["network"] is None else []
    if lacking:
        yield f"{at}.{lacking[0]} is missing"
    unknown = [view for view in part.get("views", ()) if view not in VIEWS]
    if unknown:
        yield f"{at}.views has the unknown view {quoted(unknown[0])}"
