"""What is said of covers that are sent: predict, explain, similar, palette; and how the server is.

Every number is the one that the command line says: the same decoder, the same model, the same caution.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from sleevenotes import __version__
from sleevenotes.covers.images import Pixels, encode, resize
from sleevenotes.errors import CoverError
from sleevenotes.judge.similar import TOP, as_mapping
from sleevenotes.learn.abstention import Caution
from sleevenotes.learn.model import Prediction
from sleevenotes.publish.predictions import as_mapping as prediction_mapping
from sleevenotes.publish.web.batching import Answer, DeskHere, unsqueezed
from sleevenotes.publish.web.browsing import names_under
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.metrics import CONTENT_TYPE, Metrics
from sleevenotes.publish.web.problems import documented, of_error
from sleevenotes.publish.web.service import Service, ServiceHere
from sleevenotes.publish.web.uploads import FIELD, Upload

SHOWN_PX = 448  # of the pictures of an explanation
PALETTE_PX = 64  # to which a cover is scaled down before its colours are gathered
COLORS = 5
MOST_SIMILAR = 100

router = APIRouter(prefix="/api/v1", tags=["judging"])


# -------------------------------------------------------------------------------- what is answered


class GenreProba(BaseModel):
    """A genre and how likely it is."""

    genre: str = Field(examples=["folk"])
    proba: float = Field(ge=0, le=1, description="Calibrated: of all answers of 0.7, some 70 % are right.")


class CoverPrediction(BaseModel):
    """What the model says of one cover."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file": "abba.jpg",
                    "genres": [{"genre": "pop", "proba": 0.61}, {"genre": "folk", "proba": 0.39}],
                    "risk": 0.36,
                    "cant_tell": None,
                    "set": None,
                    "known": None,
                    "error": None,
                }
            ]
        }
    )

    file: str = Field(description="The name of the file that was sent.")
    genres: list[GenreProba] = Field(description="Likeliest first; there, too, where it can't tell.")
    risk: float | None = Field(description="How likely the first genre is wrong; null for a cover that can't be read.")
    cant_tell: str | None = Field(description="Why no genre is named, where none is.", examples=[None])
    set: list[str] | None = Field(
        description="Where a coverage is asked for: genres, of which one is right so often.", examples=[None]
    )
    known: str | None = Field(
        description="`same file as a training cover` or `near-duplicate of a training cover`: the model learnt from "
        "it, so that its answer proves nothing. Null for any other cover.",
        examples=[None],
    )
    error: str | None = Field(description="Why the cover can't be read, where it can't.", examples=[None])


class Predictions(BaseModel):
    """What a model says of covers, in the order in which they were sent."""

    model: str = Field(description="The name of its recipe.", examples=["mobilenet"])
    task: str = Field(description="single, binary or multi.", examples=["single"])
    predictions: list[CoverPrediction]


class CoverExplanation(BaseModel):
    """Where on a cover the model sees a genre: Grad-CAM. The three pictures are square and of one size."""

    file: str = Field(examples=["abba.jpg"])
    genre: str = Field(description="The genre that the map is for.", examples=["pop"])
    proba: float = Field(ge=0, le=1, description="How likely the model finds it.")
    known: str | None = Field(description="As in the answer of `predict`.", examples=[None])
    predicted: str = Field(description="The genre that it finds likeliest.", examples=["pop"])
    mapped: float = Field(ge=0, le=1, description="How much of what tells covers apart for the model is on the map.")
    cover: str = Field(description="The cover, as a data: URL.", examples=["data:image/jpeg;base64,/9j/4AAQ…"])
    heat: str = Field(description="The map, as a data: URL.", examples=["data:image/png;base64,iVBORw0K…"])
    overlay: str = Field(description="The map on the cover, as a data: URL.", examples=["data:image/jpeg;base64,/9j…"])


class SimilarCover(BaseModel):
    """A cover of the dataset near to one that was sent."""

    id: str = Field(description="For /covers/{id}.", examples=["0f343b0931126a20"])
    file_name: str = Field(examples=["images/0f3c.jpg"])
    distance: float = Field(description="0 for the same features, about 1 for nothing in common, 2 at most.")
    genres: list[str] = Field(examples=[["pop"]])
    artist: str = Field(description="Empty where unknown.", examples=["The Avenues"])
    album: str = Field(description="Empty where unknown.", examples=["Little Satellite"])
    split: str = Field(examples=["train"])
    relation: str = Field(description="`same file`, `near-duplicate`, or empty.", examples=[""])


class SimilarCovers(BaseModel):
    """The covers of the dataset that are nearest to one that was sent, nearest first."""

    file: str = Field(examples=["abba.jpg"])
    similar: list[SimilarCover]


class Color(BaseModel):
    """A colour, and how much of the cover is nearest to it."""

    hex: str = Field(pattern="^#[0-9a-f]{6}$", examples=["#aabbcc"])
    share: float = Field(ge=0, le=1, examples=[0.31])


class Palette(BaseModel):
    """The colours that stand for a cover, the largest share first."""

    file: str = Field(examples=["abba.jpg"])
    colors: list[Color]


class Health(BaseModel):
    """That the server is there, and what it serves."""

    status: str = Field(examples=["ok"])
    version: str = Field(description="Of sleevenotes.", examples=[__version__])
    model: str = Field(examples=["mobilenet"])
    task: str = Field(examples=["single"])
    has_dataset: bool = Field(description="Whether there are covers to browse, to search and to play with.")
    covers: int = Field(description="Of the dataset; 0 without one.", examples=[3430])


class KnownGenre(BaseModel):
    """A genre that the model knows."""

    genre: str = Field(examples=["folk"])
    covers: int | None = Field(description="Of the dataset; null without one.", examples=[412])
    threshold: float | None = Field(
        description="Of a task with several genres a cover: the proba from which a cover has it.", examples=[None]
    )


class KnownGenres(BaseModel):
    """The genres that the model knows, in its order."""

    task: str = Field(examples=["single"])
    genres: list[KnownGenre]


# -------------------------------------------------------------------------------- how covers are sent


def form_of(*, several: bool = False) -> dict[str, Any]:
    """Return what OpenAPI is to say of a form with a cover, or with several."""
    cover = {"type": "string", "format": "binary", "description": "A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."}
    covers = {"type": "array", "items": cover, "minItems": 1} if several else cover
    schema = {"type": "object", "required": [FIELD], "properties": {FIELD: covers}, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


REFUSED_COVERS = documented("too_slow", "too_large", "bad_cover", "invalid")
GenreQuery = Annotated[str | None, Query(description="The likeliest one, where none is named.", examples=["pop"])]


@router.post("/predict", response_model=Predictions, responses=REFUSED_COVERS, openapi_extra=form_of(several=True))
async def predict(
    request: Request,
    service: ServiceHere,
    desk: DeskHere,
    top: Annotated[int | None, Query(ge=1, le=1000, description="How many genres a cover; all by default.")] = None,
    max_risk: Annotated[
        float | None, Query(ge=0, le=1, description="Over it, it can't tell; the server's own by default.")
    ] = None,
    coverage: Annotated[
        float | None, Query(ge=0.01, le=0.99, description="Also give the set of genres that is right so often.")
    ] = None,
) -> Response:
    """Name the likeliest genres of covers.

    One cover that can't be read among others has its `error`; where none can, the answer is a problem.
    """
    caution = service.caution(max_risk, coverage)
    async with desk.uploads(request) as uploads:
        answers = await desk.answers(uploads)
        if isinstance(answers[0], CoverError) and all(isinstance(answer, CoverError) for answer in answers):
            raise of_error(answers[0])
        names = [upload.name for upload in uploads]
    told = [
        _told(name, answer, service.model.genres, caution, top) for name, answer in zip(names, answers, strict=True)
    ]
    return _as_json({"model": service.model.name, "task": service.model.task, "predictions": told})


@router.post("/explain", response_model=CoverExplanation, responses=REFUSED_COVERS, openapi_extra=form_of())
async def explain(request: Request, service: ServiceHere, desk: DeskHere, genre: GenreQuery = None) -> Response:
    """Draw where on a cover the model sees a genre."""
    async with desk.uploads(request, most=1) as (upload,):
        return _as_json(await desk.slowly(partial(explanation, service, upload, desk.limits, genre=genre)))


@router.post(
    "/similar",
    response_model=SimilarCovers,
    responses=REFUSED_COVERS | documented("unknown"),
    openapi_extra=form_of(),
)
async def similar(
    request: Request,
    service: ServiceHere,
    desk: DeskHere,
    top: Annotated[int, Query(ge=1, le=MOST_SIMILAR, description="How many.")] = TOP,
) -> Response:
    """Find the covers of the dataset that are nearest to one, as the model sees them."""
    async with desk.uploads(request, most=1) as (upload,):
        return _as_json(await desk.slowly(partial(neighbors, service, upload, desk.limits, top=top)))


@router.post("/palette", response_model=Palette, responses=REFUSED_COVERS, openapi_extra=form_of())
async def palette(request: Request, desk: DeskHere) -> Response:
    """Name the colours that stand for a cover."""
    async with desk.uploads(request, most=1) as (upload,):
        return _as_json(await desk.slowly(partial(colors_of, upload, desk.limits)))


@router.get("/health", response_model=Health)
async def health(service: ServiceHere) -> Health:
    """Tell that the server is there, and what it serves."""
    model = service.model
    covers = len(service.dataset) if service.has_dataset else 0
    return Health(
        status="ok",
        version=__version__,
        model=model.name,
        task=model.task,
        has_dataset=service.has_dataset,
        covers=covers,
    )


@router.get("/genres", response_model=KnownGenres)
def genres(service: ServiceHere) -> KnownGenres:
    """List the genres that the model knows."""
    model = service.model
    thresholds: Sequence[float | None] = model.thresholds or [None] * len(model.genres)
    counts = _counts(service)
    known = [
        KnownGenre(genre=genre, covers=None if counts is None else counts[genre], threshold=threshold)
        for genre, threshold in zip(model.genres, thresholds, strict=True)
    ]
    return KnownGenres(task=model.task, genres=known)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": "sleevenotes_requests_in_flight 1\n"}}}},
)
async def metrics(request: Request) -> Response:
    """Tell what the server has counted, as Prometheus reads it."""
    counted: Metrics = request.app.state.metrics
    return Response(counted.text(), media_type=CONTENT_TYPE)


# -------------------------------------------------------------------------------- how it is worked out


def explanation(service: Service, upload: Upload, limits: Limits, *, genre: str | None = None) -> dict[str, Any]:
    """Return where on a cover the model sees a genre, as `CoverExplanation` has it.

    Raises
    ------
    CoverError
        Where the cover can't be read.
    ModelError
        Where the genre is unknown, or the model has no network that can be asked.
    """
    pixels = unsqueezed(upload, limits)
    with service.explaining() as explainer:
        from sleevenotes.judge.explain import enlarged, heat_colors, overlay  # it brings torch

        model = service.model
        covers = resize(pixels, model.size_px)[None]
        proba = model.proba(model.logits(covers))[0]  # (K,)
        predicted = model.genres[int(proba.argmax())]
        asked = genre or predicted
        index = explainer.index(asked)
        heat = enlarged(explainer.maps(covers, asked)[0], (SHOWN_PX, SHOWN_PX))
    shown = resize(pixels, SHOWN_PX)
    return {
        "file": upload.name,
        "genre": asked,
        "proba": float(proba[index]),
        "known": service.model.known.marks([covers[0]], [upload.data])[0],
        "predicted": predicted,
        "mapped": round(explainer.mapped, 4),
        "cover": data_url(shown, "jpeg"),
        "heat": data_url(heat_colors(heat), "png"),
        "overlay": data_url(overlay(shown, heat), "jpeg"),
    }


def neighbors(service: Service, upload: Upload, limits: Limits, *, top: int = TOP) -> dict[str, Any]:
    """Return the covers of the dataset nearest to one, as `SimilarCovers` has it.

    Raises
    ------
    CoverError
        Where the cover can't be read.
    Problem
        Where there is no dataset, or it is being looked at.
    """
    unsqueezed(upload, limits)  # to say what is wrong with it
    (found,) = service.index().ask([upload.data], names=[upload.name], top=top)
    told = as_mapping(found)
    each = [{"id": service.id_of(row["file_name"])} | row for row in told["similar"]]
    return {"file": upload.name, "similar": each}


def colors_of(upload: Upload, limits: Limits) -> dict[str, Any]:
    """Return the colours of a cover, as `Palette` has it.

    Raises
    ------
    CoverError
        Where the cover can't be read.
    """
    from sleevenotes.judge.colors import palette as palette_of

    found = palette_of(resize(unsqueezed(upload, limits), PALETTE_PX)[None], COLORS)
    return {"file": upload.name, "colors": [{"hex": color["hex"], "share": color["share"]} for color in found]}


def data_url(pixels: Pixels, format: str) -> str:
    """Return pixels as a `data:` URL of a JPEG or PNG."""
    return f"data:image/{format};base64,{base64.b64encode(encode(pixels, format)).decode('ascii')}"


def _told(
    name: str, answer: Answer | CoverError, genres: tuple[str, ...], caution: Caution, top: int | None
) -> dict[str, Any]:
    """Return what is said of one cover, as `CoverPrediction` has it."""
    if isinstance(answer, CoverError):
        return prediction_mapping(Prediction(name, None, answer.sentence), genres, caution)
    return prediction_mapping(Prediction(name, answer.proba, None, answer.known), genres, caution, top)


def _counts(service: Service) -> Counter[str] | None:
    """Return how many covers of the dataset have each genre; None without one."""
    if not service.has_dataset:
        return None
    return Counter(genre for names in names_under(service.dataset, service.task) for genre in names)


def _as_json(told: dict[str, Any]) -> Response:
    """Return an answer; numbers as they are, without the detour of checking what was just made."""
    return Response(json.dumps(told, ensure_ascii=False, allow_nan=False), media_type="application/json")
