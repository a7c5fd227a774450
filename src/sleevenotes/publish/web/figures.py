"""How far the model can be trusted: the report's figures, as they are now, for the model's page.

They are read from the files that the report is made of, and called by the same words. What was not measured is null,
and `missing` says which command measures it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from sleevenotes.covers.dataset import from_columns
from sleevenotes.covers.genre_tree import in_order
from sleevenotes.errors import SleevenotesError
from sleevenotes.judge.schemas import read_audit, read_evaluation
from sleevenotes.learn.bundles import Bundle
from sleevenotes.learn.model import CARD_NAME, EVALUATION_NAME, SCORINGS_NAME
from sleevenotes.publish.audit_section import by_verdict, ruling
from sleevenotes.publish.caveats import caveats
from sleevenotes.publish.figure_sections import BASELINE_MEANINGS, BASELINES, FIGURES, MODELS, meaning
from sleevenotes.publish.provenance import words_of_figures
from sleevenotes.publish.results import (
    AUDIT_NAME,
    Audit,
    Places,
    Results,
    estimate,
    number,
    read,
)
from sleevenotes.publish.web.service import Service, ServiceHere

PER_GENRE = ("precision", "recall", "f1", "average_precision", "roc_auc")

router = APIRouter(prefix="/api/v1", tags=["figures"])


# -------------------------------------------------------------------------------- what is answered


class Estimate(BaseModel):
    """A figure and the ends of its 95 % interval; null where they can't be told."""

    value: float | None = Field(examples=[0.41])
    low: float | None = Field(examples=[0.37])
    high: float | None = Field(examples=[0.45])
    too_few: bool = Field(default=False, description="Whether covers are too few for an interval.")


class Figure(Estimate):
    """A figure of the model, and what it is called."""

    key: str = Field(description="As in evaluation.json.", examples=["accuracy"])
    name: str = Field(examples=["Accuracy"])
    meaning: str = Field(examples=["Of all covers, how many it named rightly."])
    percent: bool = Field(description="Whether it is told as a percentage.")


class Baseline(Estimate):
    """What a way of guessing gets in the main figure, and how the model stands to it."""

    key: str = Field(description="`commonest`, `share` or `color`.", examples=["share"])
    name: str = Field(examples=["Guessing by share"])
    meaning: str = Field(examples=["naming genres by chance, each as often as it occurs"])
    difference: Estimate = Field(description="The model less this.")
    p: float | None = Field(description="How often chance alone would give such a difference.", examples=[0.003])
    words: str = Field(examples=["The model beats guessing by the genres' shares: 41 % against 20 %."])


class GenreFigures(BaseModel):
    """The figures of one genre."""

    genre: str = Field(examples=["folk"])
    depth: int = Field(description="In the tree of genres: 0 for one that is below no other.", examples=[0])
    support: int = Field(description="Covers of it in the test.", examples=[112])
    precision: Estimate
    recall: Estimate
    f1: Estimate
    average_precision: Estimate
    roc_auc: Estimate
    threshold: float | None = Field(description="Where a cover may have several genres: the proba that names it.")


class Confusion(BaseModel):
    """Who was taken for whom."""

    genres: list[str] = Field(examples=[["folk", "metal"]])
    counts: list[list[int]] = Field(
        description="Rows are the truth, columns what was said.", examples=[[[9, 3], [4, 8]]]
    )


class Bin(BaseModel):
    """Answers of about the same percentage, and how many of them were right."""

    confidence: float | None = Field(description="The mean of what was said.", examples=[0.62])
    accuracy: float | None = Field(description="How often it was right.", examples=[0.58])
    low: float | None = Field(description="Of its 95 % interval.")
    high: float | None = Field(description="Of its 95 % interval.")
    too_few: bool = Field(default=False, description="Whether covers are too few for an interval.")
    n: float = Field(description="Answers in it.", examples=[40])


class Reliability(BaseModel):
    """Whether percentages come true, before and after calibration."""

    calibrated: list[Bin]
    uncalibrated: list[Bin]


class RiskPoint(BaseModel):
    """How often it is wrong where it answers only a share of the covers, the surest first."""

    answered: float = Field(description="The share.", examples=[0.5])
    value: float | None = Field(description="How many of these answers are wrong.", examples=[0.34])
    low: float | None = Field(description="Of its 95 % interval.")
    high: float | None = Field(description="Of its 95 % interval.")
    too_few: bool = Field(default=False, description="Whether covers are too few for an interval.")
    promised: float | None = Field(description="The mean of their risks.")
    risk: float | None = Field(description="The greatest of their risks.")


class Abstention(BaseModel):
    """What leaving answers out gains."""

    n: int = Field(examples=[500])
    curve: list[RiskPoint]
    words: str = Field(description="It in a sentence.")


class Finding(BaseModel):
    """What one check of the audit found."""

    check: int = Field(description="Its number, as in docs/audit.md.", examples=[1])
    title: str = Field(examples=["File properties"])
    verdict: str = Field(description="`clean`, `suspicious` or `broken`.", examples=["clean"])
    tested: str = Field(description="What was looked for.")
    words: str = Field(description="What was found, in a sentence.")
    advice: str = Field(description="What to do; empty where it is clean.")
    command: str = Field(description="A command that does that, or shows more.")
    metric: str = Field(examples=["ROC AUC"])
    figure: Estimate
    chance: float | None = Field(description="What the figure would be if there were nothing.")
    p: float | None = Field(description="After correction for how many checks there are.")


class AuditTold(BaseModel):
    """What the hunt for leaks and shortcuts found, the worst first."""

    verdict: str = Field(description="The worst of all.", examples=["clean"])
    words: str = Field(description="What was found, in a sentence.")
    model: str | None = Field(description="The model that was audited; null where the dataset alone was.")
    fits: bool = Field(description="Whether it is of the dataset as it is now; true where none is served.")
    findings: list[Finding]


class Told(BaseModel):
    """A heading and what belongs under it."""

    heading: str = Field(examples=["Few covers"])
    words: str = Field(description="A sentence or some.")


class Card(BaseModel):
    """What the model is and what it is made of."""

    name: str = Field(examples=["mobilenet"])
    words: str = Field(description="What kind of model it is.")
    task: str = Field(examples=["single"])
    genres: list[str] = Field(examples=[["folk", "metal"]])
    size_px: int | None = Field(description="The side of covers as it sees them.", examples=[224])
    parameters: int | None = Field(examples=[2223872])
    backbone: str | None = Field(description="The pretrained network that it builds on, with its licence.")
    calibration: str = Field(description="How its percentages were made to come true.", examples=["temperature"])
    seed: int | None = Field(examples=[0])
    dataset: str = Field(description="What it was trained on.", examples=["five-genres, 3,430 covers"])
    versions: dict[str, str] = Field(examples=[{"sleevenotes": "0.1.0"}])


class ModelTold(BaseModel):
    """The model's page: what it is, its figures, and what limits them."""

    card: Card
    verdict: str | None = Field(description="All figures in a sentence.")
    missing: list[str] = Field(description="What was not measured, and how it is: a sentence each.")
    split: str | None = Field(description="The covers it was judged on.", examples=["test"])
    n: int | None = Field(description="How many they are.", examples=[500])
    artists: str | None = Field(description="`apart`, `shared` or `unknown`: whether it learnt from their artists.")
    main: str | None = Field(description="The figure that baselines are compared by.", examples=["accuracy"])
    figures: list[Figure] | None = Field(description="Null where it was not evaluated, and so below.")
    baselines: list[Baseline] | None = Field(description="What guessing gets.")
    per_genre: list[GenreFigures] | None = Field(description="A row a genre.")
    confusion: Confusion | None = Field(description="Null, too, where a cover may have several genres.")
    reliability: Reliability | None = Field(description="Whether percentages come true.")
    abstention: Abstention | None = Field(description="What leaving answers out gains.")
    audit: AuditTold | None = Field(description="Null where there was none.")
    caveats: list[Told] = Field(description="What a reader should know before quoting a figure.")


# -------------------------------------------------------------------------------- the route


@router.get("/model", response_model=ModelTold)
def model_page(request: Request, service: ServiceHere) -> ModelTold:
    """Tell what the model is, how good it is, and what limits these figures."""
    with _LOCK:
        key = _state(service)
        kept: tuple[object, ModelTold] | None = getattr(request.app.state, "model_told", None)
        if kept is None or kept[0] != key:
            kept = request.app.state.model_told = (key, told(service))
    return kept[1]


_LOCK = threading.Lock()


def results_of(service: Service) -> Path:
    """Return the folder of the model's evaluation: the one that is served, or the one around or beside the model."""
    places = (service.results, service.model.folder, service.model.folder.parent)
    return next((place for place in places if (place / EVALUATION_NAME).is_file()), service.results)


def fits(evaluation: Mapping[str, Any], service: Service) -> bool:
    """Return whether an evaluation is of the model that is served."""
    judged = evaluation.get("model_sha256")
    if judged:
        return bool(judged == service.model_sha256)
    return list(evaluation.get("genres") or ()) == list(service.model.genres)  # of before hashes were written


def told(service: Service) -> ModelTold:
    """Return all that is known of a model now."""
    if isinstance(service.model.card.get("figures"), Mapping) and not (results_of(service) / EVALUATION_NAME).is_file():
        return _of_card(service.model.card)
    missing: list[str] = []
    results = _results(service, missing)
    known = None if results is None else results.evaluation
    audit = None if results is None else _audit(results)
    if known is not None and audit is None:
        missing.append(f"The dataset was not audited. Run `{Places().audit}`.")
    return ModelTold(
        card=_card(_made_of(service.model.card)),
        verdict=None if known is None else str(known["verdict"]),
        missing=missing,
        split=None if known is None else str(known.get("split", "test")),
        n=None if known is None else int(known["n"]),
        artists=None if known is None else str(known.get("artists", "unknown")),
        main=None if results is None else results.main_figure,
        figures=None if results is None else _figures(results),
        baselines=None if results is None else _baselines(results),
        per_genre=None if results is None else _per_genre(results),
        confusion=None if known is None else _confusion(known),
        reliability=None if known is None else _reliability(known),
        abstention=None if known is None else _abstention(known),
        audit=audit,
        caveats=[]
        if results is None or not service.has_dataset
        else [Told(**each._asdict()) for each in caveats(results)],
    )


def _state(service: Service) -> tuple[object, ...]:
    """Return what tells whether anything has changed since it was last read."""
    folder, model_folder = results_of(service), service.model.folder
    read_from = [folder / EVALUATION_NAME, folder / AUDIT_NAME, folder / "audit" / AUDIT_NAME]
    stamps = [
        path.stat().st_mtime_ns if path.exists() else None
        for path in (*read_from, model_folder / CARD_NAME, model_folder / SCORINGS_NAME)
    ]
    return (service.dataset.fingerprint if service.has_dataset else None, *stamps)


def _results(service: Service, missing: list[str]) -> Results | None:
    """Return what was measured; None where nothing was, and `missing` is told how it is."""
    path = results_of(service) / EVALUATION_NAME
    if not path.is_file():
        missing.append("The model was not evaluated. Run `sleevenotes evaluate MODEL DATASET`.")
        return None
    try:
        found = _read(service, path)
    except SleevenotesError as error:
        missing.append(error.sentence)
        return None
    if not fits(found.evaluation, service):
        missing.append(
            f"The {EVALUATION_NAME} here is of another model. Run `sleevenotes evaluate MODEL DATASET` again."
        )
        return None
    return found


def _read(service: Service, path: Path) -> Results:
    """Read an evaluation, and what lies around it, the dataset and the model; a bundle has nothing around it."""
    if service.has_dataset and not isinstance(service.model, Bundle):
        return read(service.dataset.folder, service.model.folder, path)
    nothing = from_columns(service.model.folder, {"file_name": [], "genres": []})
    dataset = service.dataset if service.has_dataset else nothing
    places = (path.parent / "audit" / AUDIT_NAME, path.parent / AUDIT_NAME)
    audit = next((Audit(place.parent, read_audit(place)) for place in places if place.is_file()), None)
    if audit is not None and service.has_dataset:
        audit = replace(audit, fits=(audit.told.get("dataset") or {}).get("fingerprint") == dataset.fingerprint)
    return Results(dataset, read_evaluation(path), _made_of(service.model.card), audit=audit)


def _made_of(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a model's card; of a bundle, with what it tells of the model that it was made of."""
    origin = card.get("model")
    return {**origin, **card} if isinstance(origin, dict) else card


def _of_card(card: Mapping[str, Any]) -> ModelTold:
    """Return what the bundled model's card says of its evaluation, over several seeds (`box/make_model.py`)."""
    figures = card["figures"]
    found = figures["five_genres"]
    chance = 1 / len(found["genres"])
    own = Estimate(**estimate(found["accuracy"]))
    name, percent, _ = FIGURES["accuracy"]
    words = f"Of {found['answers']:,} test covers of {', '.join(found['genres'])}: how many it named right."
    guess = Baseline(
        key="random",
        name="A random pick",
        meaning=f"naming one of {len(found['genres'])} genres at random",
        difference=Estimate(
            too_few=own.too_few,
            **{end: None if at is None else at - chance for end, at in own.model_dump(exclude={"too_few"}).items()},
        ),
        p=None,
        words="",
        value=chance,
        low=None,
        high=None,
    )
    genres: dict[str, Mapping[str, Any]] = {}
    for collection in figures["collections"].values():  # a genre of several is shown as the first of them measured it
        genres = dict(collection["genres"]) | genres
    return ModelTold(
        card=_card(card),
        verdict=words_of_figures(figures),
        missing=[],
        split="test",
        n=int(found["answers"]),
        artists="unknown",
        main="accuracy",
        figures=[Figure(key="accuracy", name=name, meaning=words, percent=percent, **own.model_dump())],
        baselines=[guess],
        per_genre=[
            GenreFigures(
                genre=genre,
                depth=0,
                support=int(each["covers"]),
                threshold=None,
                **{key: Estimate(**estimate(each.get(key))) for key in PER_GENRE},
            )
            for genre, each in genres.items()
        ],
        confusion=None,
        reliability=None,
        abstention=None,
        audit=None,
        caveats=[],
    )


# -------------------------------------------------------------------------------- its parts


def _card(card: Mapping[str, Any]) -> Card:
    network, backbone = card.get("network") or {}, card.get("backbone") or {}
    learnt, calibration = card.get("dataset") or {}, card.get("calibration") or {}
    named = [backbone.get("name"), backbone.get("training"), backbone.get("licence")]
    covers = number(learnt.get("covers"))
    dataset = [str(learnt.get("name") or ""), f"{covers:,.0f} covers" if covers else ""]
    parameters, seed, size = (number(each) for each in (network.get("parameters"), card.get("seed"), _size(card)))
    return Card(
        name=str(card["name"]),
        words=MODELS.get(str(card["name"]), ""),
        task=str(card["task"]),
        genres=list(card["genres"]),
        size_px=None if size is None else int(size),
        parameters=None if parameters is None else int(parameters),
        backbone=", ".join(str(each) for each in named if each) or None,
        calibration=str(calibration.get("method") or ""),
        seed=None if seed is None else int(seed),
        dataset=", ".join(filter(None, dataset)),
        versions={str(name): str(version) for name, version in (card.get("versions") or {}).items()},
    )


def _size(card: Mapping[str, Any]) -> object:
    return (card.get("preprocessing") or {}).get("size_px")


def _figures(results: Results) -> list[Figure]:
    trivial = [f"top{k}_accuracy" for k in (2, 3) if k >= len(results.genres)]  # always 1
    return [
        Figure(
            key=key, name=name, meaning=meaning(results, words), percent=percent, **estimate(results.evaluation[key])
        )
        for key, (name, percent, words) in FIGURES.items()
        if key in results.evaluation and key not in trivial
    ]


def _baselines(results: Results) -> list[Baseline]:
    known = results.evaluation.get("baselines") or {}
    order = [key for key in dict.fromkeys([*BASELINES, *sorted(known)]) if isinstance(known.get(key), Mapping)]
    return [
        Baseline(
            key=key,
            name=BASELINES.get(key, key),
            meaning=BASELINE_MEANINGS.get(key, ""),
            difference=Estimate(**estimate(known[key].get("difference"))),
            p=number(known[key].get("p")),
            words=str(known[key].get("words") or ""),
            **estimate(known[key].get(results.main_figure)),
        )
        for key in order
    ]


def _per_genre(results: Results) -> list[GenreFigures]:
    known = results.evaluation.get("per_genre") or {}
    named = [genre for genre in results.genres if isinstance(known.get(genre), Mapping)]
    return [
        GenreFigures(
            genre=genre,
            depth=depth,
            support=int(number(known[genre].get("support")) or 0),
            threshold=number(known[genre].get("threshold")),
            **{key: Estimate(**estimate(known[genre].get(key))) for key in PER_GENRE},
        )
        for genre, depth in in_order(named, results.dataset.settings.get("tree") or ())
    ]


def _confusion(evaluation: Mapping[str, Any]) -> Confusion | None:
    found = evaluation.get("confusion")
    if evaluation["task"] == "multi" or not isinstance(found, Mapping):
        return None
    return Confusion(genres=list(found["genres"]), counts=[[int(cell) for cell in row] for row in found["counts"]])


def _reliability(evaluation: Mapping[str, Any]) -> Reliability | None:
    found = evaluation.get("reliability")
    if not isinstance(found, Mapping) or not found.get("calibrated"):
        return None
    return Reliability(calibrated=_bins(found["calibrated"]), uncalibrated=_bins(found.get("uncalibrated") or ()))


def _bins(rows: Sequence[Mapping[str, Any]]) -> list[Bin]:
    keys = ("confidence", "accuracy", "low", "high")
    return [
        Bin(
            n=number(row.get("n")) or 0.0,
            too_few=row.get("too_few") is True,
            **{key: number(row.get(key)) for key in keys},
        )
        for row in rows
    ]


def _abstention(evaluation: Mapping[str, Any]) -> Abstention | None:
    found = evaluation.get("abstention")
    if not isinstance(found, Mapping) or not found.get("curve"):
        return None
    curve = [
        RiskPoint(
            answered=number(row.get("answered")) or 0.0,
            promised=number(row.get("promised")),
            risk=number(row.get("risk")),
            **estimate(row),
        )
        for row in found["curve"]
    ]
    return Abstention(n=int(number(found.get("n")) or 0), curve=curve, words=str(found.get("words") or ""))


def _audit(results: Results) -> AuditTold | None:
    audit = results.audit
    if audit is None:
        return None
    told = audit.told
    return AuditTold(
        verdict=told["verdict"],
        words=ruling(told),
        model=str(told["model"]) if told.get("model") else None,
        fits=audit.fits,
        findings=[_finding(each) for each in by_verdict(told)],
    )


def _finding(told: Mapping[str, Any]) -> Finding:
    measured = told.get("measured") or {}
    return Finding(
        check=int(number(told.get("check")) or 0),
        verdict=told["verdict"],
        metric=str(measured.get("metric") or ""),
        figure=Estimate(**estimate(measured)),
        chance=number(measured.get("chance")),
        p=number(told.get("p_holm")),
        **{key: str(told.get(key) or "") for key in ("title", "tested", "words", "advice", "command")},
    )
