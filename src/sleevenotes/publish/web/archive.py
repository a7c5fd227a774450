"""The covers of the dataset: to browse, to look at one by one, to lay out on a map; and to mend their genres.

A cover is called by an id, made of its file name; what is asked for is looked up among these ids, so that no path of a
request ever reaches the disk.
"""

from __future__ import annotations

from pathlib import Path as FolderPath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from sleevenotes.covers.images import decode, resize
from sleevenotes.covers.mending import Change, changes, undone
from sleevenotes.errors import CoverError, NotACover
from sleevenotes.judge.similar import TOP
from sleevenotes.learn.model import Prediction
from sleevenotes.publish.web.batching import DeskHere
from sleevenotes.publish.web.browsing import (
    NO_SPLIT,
    SORTS,
    UNSEEN,
    Shelf,
    Sort,
    Verdict,
    Wish,
    artist_count,
    found,
    genre_counts,
)
from sleevenotes.publish.web.holdings import Holdings, HoldingsHere
from sleevenotes.publish.web.judging import (
    MOST_SIMILAR,
    CoverExplanation,
    GenreProba,
    SimilarCovers,
    explanation,
    neighbors,
)
from sleevenotes.publish.web.problems import documented, unknown
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.thumbs import Size
from sleevenotes.publish.web.uploads import Upload

PAGE = 100
LONGEST_PAGE = 1000
LONGEST_TEXT = 200
MOST_GENRES = 50
KEPT_S = 3600  # how long a browser may show a picture without asking again
A_JPEG: dict[int | str, dict[str, object]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "It is as it was."},
}
AN_ID = "0f343b0931126a20"
A_CHANGE: JsonDict = {
    "change": 1,
    "when": "2026-11-27T10:31:00Z",
    "who": "Ann",
    "file_name": "images/0f3c.jpg",
    "id": AN_ID,
    "before": ["rock"],
    "after": ["folk"],
    "undoes": None,
    "undone": False,
}

router = APIRouter(prefix="/api/v1", tags=["archive"])

NO_DATASET = documented("unknown")
CoverId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Of /covers.", examples=[AN_ID])]
Text = Annotated[str | None, Query(max_length=LONGEST_TEXT)]
Share = Annotated[float | None, Query(ge=0, le=1)]


# -------------------------------------------------------------------------------- what is answered


class CoverRow(BaseModel):
    """A cover of the dataset, and what the model said of it when it was evaluated."""

    id: str = Field(description="What it is called in addresses.", examples=[AN_ID])
    file_name: str = Field(description="In the dataset.", examples=["images/0f3c.jpg"])
    genres: list[str] = Field(description="The first one primary.", examples=[["folk"]])
    artist: str = Field(description="Empty where unknown.", examples=["The Avenues"])
    album: str = Field(examples=["Little Satellite"])
    year: str = Field(examples=["1977"])
    split: str = Field(description="`train`, `valid`, `test`, or empty where it is left out.", examples=["test"])
    predicted: str | None = Field(description="The likeliest genre; null where it was not asked.", examples=["folk"])
    proba: float | None = Field(description="How likely it held that.", examples=[0.61])
    correct: bool | None = Field(
        description="Whether the cover has that genre; null, too, where nobody knows.", examples=[True]
    )


class Covers(BaseModel):
    """A page of the covers that are looked for."""

    total: int = Field(description="How many there are on all pages.", examples=[3430])
    offset: int = Field(description="The place of the first one here, from 0 on.", examples=[0])
    covers: list[CoverRow]


class GenreCount(BaseModel):
    """A genre that a cover may have, and how many do."""

    genre: str = Field(examples=["folk"])
    covers: int = Field(examples=[412])


class Facets(BaseModel):
    """By what covers can be looked for."""

    genres: list[GenreCount]
    splits: list[str] = Field(description="`none` for covers that are left out.", examples=[["train", "valid", "test"]])
    artists: int = Field(description="How many there are.", examples=[1204])
    sorts: list[str] = Field(examples=[list(SORTS)])


class LoggedChange(BaseModel):
    """A change of a cover's genres, as changes.csv has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [A_CHANGE]})

    change: int = Field(description="Its number.")
    when: str = Field(description="In UTC.")
    who: str = Field(description="A nickname.")
    file_name: str
    id: str = Field(description="Of the cover.")
    before: list[str]
    after: list[str]
    undoes: int | None = Field(description="The change that this one undoes.")
    undone: bool = Field(description="Whether a later change undid it.")


class ChangesLog(BaseModel):
    """Changes of genres, the newest first."""

    changes: list[LoggedChange]


class WholeCover(CoverRow):
    """A cover of the dataset, with what the model says of it now."""

    source: str = Field(description="Where it was found; empty where unknown.", examples=["Folk/avenues.jpg"])
    width: int | None = Field(description="In px.", examples=[600])
    height: int | None = Field(description="In px.", examples=[600])
    genres_proba: list[GenreProba] = Field(description="Likeliest first; empty where the cover can't be read.")
    risk: float | None = Field(description="How likely the first of them is wrong.", examples=[0.36])
    cant_tell: str | None = Field(description="Why no genre is named, where none is.", examples=[None])
    error: str | None = Field(description="Why the cover can't be read, where it can't.", examples=[None])
    known: str | None = Field(
        description="`same file as a training cover` or `near-duplicate of a training cover`: the model learnt from "
        "it, so that its answer proves nothing. Null for any other cover.",
        examples=[None],
    )
    changes: list[LoggedChange] = Field(description="Of this cover, the newest first.")


class MendedCover(CoverRow):
    """A cover whose genres were changed."""

    change: LoggedChange


class Mending(BaseModel):
    """The genres that a cover ought to have."""

    genres: list[Annotated[str, Field(max_length=LONGEST_TEXT)]] = Field(
        min_length=1, max_length=MOST_GENRES, description="The first one primary.", examples=[["folk"]]
    )
    who: str = Field(
        min_length=1,
        max_length=LONGEST_TEXT,
        description="A nickname, of which 40 characters are kept.",
        examples=["Ann"],
    )
    before: list[str] | None = Field(
        default=None,
        max_length=MOST_GENRES,
        description="The genres that were seen: where they are others by now, nothing is changed.",
        examples=[["rock"]],
    )


class Undoing(BaseModel):
    """Who undoes a change."""

    who: str = Field(min_length=1, max_length=LONGEST_TEXT, description="A nickname.", examples=["Ann"])


class Point(BaseModel):
    """A cover on the map."""

    id: str = Field(examples=[AN_ID])
    x: float = Field(ge=0, le=1, description="To the right is larger.")
    y: float = Field(ge=0, le=1, description="Up is larger.")
    genre: str = Field(description="Its first.", examples=["folk"])
    split: str = Field(examples=["test"])
    artist: str = Field(description="Empty where unknown.", examples=["The Avenues"])
    album: str = Field(examples=["Little Satellite"])


class CoverMap(BaseModel):
    """All covers in two dimensions: those lie together that the model sees alike."""

    method: str = Field(examples=["t-SNE"])
    words: str = Field(description="What it is worth.")
    points: list[Point]


# -------------------------------------------------------------------------------- browsing


@router.get("/covers", response_model=Covers, responses=NO_DATASET)
def browse(
    holdings: HoldingsHere,
    genre: Annotated[Text, Query(description="That a cover has.")] = None,
    split: Annotated[Text, Query(description=f"`train`, `valid`, `test`, or `{NO_SPLIT}`.")] = None,
    verdict: Annotated[Verdict | None, Query(description="Of the model; `unseen`: it was not asked.")] = None,
    least: Annotated[Share, Query(description="Proba of what the model said.")] = None,
    most: Annotated[Share, Query(description="Proba of what the model said.")] = None,
    artist: Annotated[Text, Query(description="A part of the name.")] = None,
    q: Annotated[Text, Query(description="Words of file name, artist, album, year or genres.")] = None,
    predicted: Annotated[Text, Query(description="What the model said.")] = None,
    sort: Annotated[Sort, Query(description="Covers about which that is not known come last.")] = "file_name",
    descending: Annotated[bool, Query(description="The last first.")] = False,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="How many to pass over.")] = 0,
    limit: Annotated[int, Query(ge=0, le=LONGEST_PAGE, description="How many to give.")] = PAGE,
) -> dict[str, Any]:
    """Find covers."""
    shelf = holdings.shelf()
    wish = Wish(genre, split, verdict, least, most, artist, q, predicted)
    rows = found(shelf, wish, sort=sort, descending=descending)
    page = [told_of(shelf, int(row)) for row in rows[offset : offset + limit]]
    return {"total": len(rows), "offset": offset, "covers": page}


@router.get("/facets", response_model=Facets, responses=NO_DATASET)
def facets(holdings: HoldingsHere) -> dict[str, Any]:
    """Tell by what covers can be looked for."""
    shelf = holdings.shelf()
    splits = ("train", "valid", "test", NO_SPLIT)
    return {
        "genres": [{"genre": genre, "covers": count} for genre, count in genre_counts(shelf)],
        "splits": [split for split in splits if split in shelf.splits],
        "artists": artist_count(shelf),
        "sorts": list(SORTS),
    }


@router.get("/map", response_model=CoverMap, responses=documented("unknown", "busy"))
def cover_map(holdings: HoldingsHere) -> dict[str, Any]:
    """Lay all covers out by how alike the model finds them; what takes a while once is answered by 503 until then."""
    places, shelf = holdings.places(), holdings.shelf()
    dataset = shelf.dataset
    points = [
        {
            "id": shelf.ids[row],
            "x": places.at[name][0],
            "y": places.at[name][1],
            "genre": next(iter(dataset.genre_lists[row]), ""),
            "split": "" if shelf.splits[row] == NO_SPLIT else shelf.splits[row],
            **{name: dataset.covers[name][row] for name in ("artist", "album")},
        }
        for row, name in enumerate(dataset.file_names)
        if name in places.at
    ]
    return {"method": places.method, "words": places.words, "points": points}


# -------------------------------------------------------------------------------- one cover


@router.get("/covers/{id}", response_model=WholeCover, responses=NO_DATASET)
def whole_cover(holdings: HoldingsHere, id: CoverId) -> dict[str, Any]:
    """Tell all about a cover, and what the model says of it now."""
    holdings.settle()
    row, shelf = holdings.row(id), holdings.shelf()
    dataset = shelf.dataset
    name = dataset.file_names[row]
    width, height = (dataset.covers[side][row] for side in ("width", "height"))
    return (
        told_of(shelf, row)
        | _said_now(holdings, row)
        | {
            "source": dataset.column("source")[row],
            "width": width,
            "height": height,
            "changes": [each for each in _log(dataset.folder) if each["file_name"] == name],
        }
    )


@router.get(
    "/covers/{id}/image",
    response_class=Response,
    responses=A_JPEG | documented("unknown", "bad_cover", "too_large"),
)
def cover_image(
    request: Request,
    holdings: HoldingsHere,
    id: CoverId,
    size: Annotated[Size, Query(description="`thumb` is 256 px on its longer side, `full` 1200 at most.")] = "thumb",
) -> Response:
    """Give a cover as a JPEG, without anything but its pixels."""
    row, dataset = holdings.row(id), holdings.shelf().dataset
    path, name = dataset.path(row), dataset.file_names[row]
    etag = f'"{holdings.thumbs.tag(path, name, size)}"'
    headers = {"ETag": etag, "Cache-Control": f"private, max-age={KEPT_S}"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(holdings.thumbs.picture(path, name, size).data, media_type="image/jpeg", headers=headers)


@router.get(
    "/covers/{id}/explain",
    response_model=CoverExplanation,
    responses=documented("unknown", "bad_cover", "too_large", "busy"),
)
async def explain_cover(
    holdings: HoldingsHere,
    desk: DeskHere,
    id: CoverId,
    genre: Annotated[Text, Query(description="The likeliest one, where none is named.", examples=["folk"])] = None,
) -> dict[str, Any]:
    """Draw where on a cover the model sees a genre."""
    return await desk.slowly(lambda: explanation(holdings.service, _upload(holdings, id), desk.limits, genre=genre))


@router.get(
    "/covers/{id}/similar",
    response_model=SimilarCovers,
    responses=documented("unknown", "bad_cover", "too_large", "busy"),
)
async def similar_covers(
    holdings: HoldingsHere,
    desk: DeskHere,
    id: CoverId,
    top: Annotated[int, Query(ge=1, le=MOST_SIMILAR, description="How many.")] = TOP,
) -> dict[str, Any]:
    """Find the covers that are nearest to one, as the model sees them; it is none of them itself."""
    told = await desk.slowly(lambda: neighbors(holdings.service, _upload(holdings, id), desk.limits, top=top + 1))
    return told | {"similar": [each for each in told["similar"] if each["id"] != id][:top]}


# -------------------------------------------------------------------------------- mending


@router.patch(
    "/covers/{id}",
    response_model=MendedCover,
    responses=documented("unknown", "bad_request", "forbidden", "conflict", "busy"),
)
def mend_cover(holdings: HoldingsHere, id: CoverId, mending: Mending) -> dict[str, Any]:
    """Give a cover other genres: in metadata.csv, and with who and when in changes.csv."""
    row = holdings.row(id)
    made = holdings.mend(row, mending.genres, who=mending.who, before=mending.before)
    return _mended(holdings, made)


@router.post(
    "/changes/{change}/undo",
    response_model=MendedCover,
    responses=documented("unknown", "bad_request", "forbidden", "conflict", "busy"),
)
def undo_change(
    holdings: HoldingsHere,
    change: Annotated[int, Path(ge=1, le=2**31, description="Its number.", examples=[1])],
    undoing: Undoing,
) -> dict[str, Any]:
    """Undo a change of genres: by another change, which can be undone, too."""
    holdings.settle()
    folder = holdings.shelf().dataset.folder
    if change not in {each.number for each in changes(folder)}:
        raise unknown(f"change {change}", "there is none in changes.csv", "Look at the changes again")
    return _mended(holdings, holdings.undo(change, who=undoing.who))


@router.get("/changes", response_model=ChangesLog, responses=NO_DATASET)
def changes_log(
    holdings: HoldingsHere,
    limit: Annotated[int, Query(ge=0, le=LONGEST_PAGE, description="How many to give.")] = PAGE,
) -> dict[str, Any]:
    """Tell who changed which genres when, the newest change first."""
    holdings.settle()
    folder = holdings.shelf().dataset.folder
    return {"changes": _log(folder)[:limit]}


# -------------------------------------------------------------------------------- how it is told


def told_of(shelf: Shelf, row: int) -> dict[str, Any]:
    """Return a cover as `CoverRow` has it."""
    dataset, correct = shelf.dataset, int(shelf.correct[row])
    asked = shelf.predicted[row] is not None
    return {
        "id": shelf.ids[row],
        "file_name": dataset.file_names[row],
        "genres": list(dataset.genre_lists[row]),
        **{name: dataset.covers[name][row] for name in ("artist", "album", "year", "split")},
        "predicted": shelf.predicted[row],
        "proba": float(shelf.proba[row]) if asked else None,
        "correct": None if correct == UNSEEN else bool(correct),
    }


def _said_now(holdings: Holdings, row: int) -> dict[str, Any]:
    """Return what the model says of a cover of the dataset, or why it can't be read."""
    service = holdings.service
    model, caution = service.model, service.caution()
    try:
        upload = _read(holdings, row)
        pixels = resize(decode(upload.data, where=upload.name), model.size_px)
    except CoverError as error:
        return {"genres_proba": [], "risk": None, "cant_tell": None, "known": None, "error": error.sentence}
    proba = model.proba(model.logits(pixels[None]))[0]
    likeliest = Prediction(upload.name, proba, None).top(model.genres, len(model.genres))
    return {
        "genres_proba": [{"genre": genre, "proba": share} for genre, share in likeliest],
        "risk": caution.risk(proba),
        "cant_tell": caution.doubt(proba),
        "known": model.known.marks([pixels], [upload.data])[0],
        "error": None,
    }


def _upload(holdings: Holdings, name: str) -> Upload:
    """Return a cover of the dataset as if it had been sent."""
    return _read(holdings, holdings.row(name))


def _read(holdings: Holdings, row: int) -> Upload:
    dataset = holdings.shelf().dataset
    file_name = dataset.file_names[row]
    try:
        return Upload(file_name, dataset.path(row).read_bytes())
    except OSError as cause:
        found = f"can't be read ({cause.strerror})"
        raise NotACover(file_name, found, cure="Collect the dataset again") from cause


def _mended(holdings: Holdings, made: Change) -> dict[str, Any]:
    shelf = holdings.shelf()
    row = shelf.rows[Service.id_of(made.file_name)]
    return told_of(shelf, row) | {"change": logged(made, undone=False)}


def _log(folder: FolderPath) -> list[dict[str, Any]]:
    """Return all changes as `LoggedChange` has them, the newest first."""
    past = changes(folder)
    gone = undone(past)
    return [logged(change, undone=change.number in gone) for change in reversed(past)]


def logged(change: Change, *, undone: bool) -> dict[str, Any]:
    """Return a change as `LoggedChange` has it."""
    return {
        "change": change.number,
        "when": change.when,
        "who": change.who,
        "file_name": change.file_name,
        "id": Service.id_of(change.file_name),
        "before": list(change.before),
        "after": list(change.after),
        "undoes": change.undoes,
        "undone": undone,
    }
