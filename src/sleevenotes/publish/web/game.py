"""Guess the genre: rounds of ten held-out covers, counted against the model and against guessing.

A round's covers are dealt by its name, which is drawn by lot: of the test split, spread over its genres, one of each
set of equal files, none that the model learnt from, and for a nickname none again before all were seen. They are shown
without any name, and asked about one by one; what is answered is kept at once (`sleevenotes.collect.guesses`), and
`sleevenotes people DATASET` says what it comes to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import APIRouter, Depends, Path, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from sleevenotes.collect.guesses import Answer, Dealt, Guess, Guesses, Round, cleaned, truth_in_words
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import CoverError, DatasetError, SleevenotesError, SplitError, StoreBusy, did_you_mean
from sleevenotes.judge.people import Answers
from sleevenotes.judge.players import of_covers, rate, too_few
from sleevenotes.judge.unseen import known_pictures
from sleevenotes.learn.model import Model
from sleevenotes.publish.web.problems import Problem, documented, unknown
from sleevenotes.publish.web.service import Service, ServiceHere

Given = TypeVar("Given")

ROUND_COVERS = 10
IMAGE_PX = 900  # the longer side of a cover that is shown
IMAGE_QUALITY = 90
KEPT_S = 3600  # how long a browser may keep a cover of a round
RETRY_S = 2
NOBODY_YET = "Nobody has played yet."

PROBLEMS = ("bad_request", "unknown", "conflict", "busy")
PICTURE: dict[str, Any] = {"content": {"image/jpeg": {}}, "description": "The cover, at most 900 px."}

router = APIRouter(prefix="/api/v1", tags=["game"])

RoundName = Annotated[
    str, Path(pattern=r"^[0-9a-f]{16}$", description="Name of the round.", examples=["5f0c9a1be27d4c83"])
]
CoverNumber = Annotated[int, Path(ge=1, le=1000, description="Number of the cover in its round, from 1.", examples=[1])]


# -------------------------------------------------------------------------------- what is asked and answered


class RoundAsked(BaseModel):
    """Who wants to play."""

    nickname: str = Field(
        max_length=200, description="Any name, at most 40 letters; nothing else is kept.", examples=["Ada"]
    )


class Guessed(BaseModel):
    """What a player says of a cover."""

    number: int = Field(ge=1, le=1000, strict=True, description="Of the cover in its round, from 1.", examples=[1])
    genre: str = Field(max_length=500, description="One of the round's genres.", examples=["jazz"])


class RoundBegun(BaseModel):
    """A round that has just begun."""

    round: str = Field(description="Name of the round.", examples=["5f0c9a1be27d4c83"])
    nickname: str = Field(description="As it is kept.", examples=["Ada"])
    covers: int = Field(description="How many covers the round has.", examples=[10])
    genres: list[str] = Field(description="To choose from.", examples=[["folk", "jazz", "metal"]])
    number: int = Field(description="Of the first cover.", examples=[1])


class ModelGuess(BaseModel):
    """What the model says of the same cover: the likeliest of the round's genres that it knows."""

    genre: str = Field(examples=["folk"])
    proba: float = Field(ge=0, le=1, description="How likely it holds that, calibrated.", examples=[0.41])
    right: bool = Field(examples=[False])


class GuessJudged(BaseModel):
    """An answer, and whether it was right."""

    number: int = Field(examples=[1])
    genre: str = Field(description="What the player said.", examples=["jazz"])
    truth: list[str] = Field(description="The cover's genres; each of them is right.", examples=[["jazz"]])
    right: bool = Field(examples=[True])
    model: ModelGuess | None = Field(description="Null where it knows none of the genres, or can't read the cover.")


class Score(BaseModel):
    """How many were right of the covers answered so far."""

    right: int = Field(description="The player.", examples=[7])
    model: int | None = Field(description="The model; null where it was not asked.", examples=[6])
    guessing: int = Field(description="Always naming the commonest genre of train.", examples=[2])


class RoundState(RoundBegun):
    """A round as it stands."""

    number: int = Field(description="Of the next cover to answer; of the last one where all are.", examples=[2])
    score: Score
    answers: list[GuessJudged] = Field(description="By number.")
    guessing: str = Field(description="What guessing always says: the commonest genre of train.", examples=["folk"])
    done: bool = Field(description="Whether all covers are answered.", examples=[False])


class GuessKept(GuessJudged):
    """An answer that is kept, and the score with it."""

    score: Score
    done: bool = Field(description="Whether all covers are answered.", examples=[False])


class Rate(BaseModel):
    """How often somebody is right, with a 95 % interval."""

    value: float | None = Field(examples=[0.52])
    low: float | None = Field(examples=[0.45])
    high: float | None = Field(examples=[0.59])
    too_few: bool = Field(default=False, description="Whether covers or players are too few for an interval.")
    n: int = Field(description="Answers.", examples=[140])


class Standing(BaseModel):
    """People so far, against the model and against guessing, on the same covers."""

    players: int = Field(examples=[14])
    covers: int = Field(description="Covers that somebody answered.", examples=[97])
    people: Rate
    model: Rate | None = Field(description="The model that is served; null where it took no part yet.")
    guessing: Rate
    expected: float = Field(description="What guessing gets on all covers of the game.", examples=[0.2])
    words: str = Field(description="What is doubtful about these figures; empty where nothing is.", examples=[""])


# -------------------------------------------------------------------------------- the deck


@dataclass(frozen=True)
class Deck:
    """The covers of a dataset that can be played with.

    Parameters
    ----------
    dataset
        Split for a task.
    task
        That task.
    covers
        Those that may be dealt, n of them.
    strata
        The genre of each, as a number, (n,); the first one where it has several.
    """

    dataset: Dataset
    task: Task
    covers: Sequence[Dealt]
    strata: NDArray[np.intp]

    @classmethod
    def of(cls, dataset: Dataset, model: Model) -> Deck:
        """Return the deck of a dataset, without covers that a model learnt from, and without near-duplicates of them.

        Raises
        ------
        SplitError
            Where the dataset is not split, or has no cover to play with.
        """
        task, test = Task.of(dataset), dataset.in_split("test")
        test = test.where(~known_pictures(model, dataset, test))
        firsts: dict[str, tuple[str, str]] = {}  # of each set of equal files, the first: its name and genre
        for name, digest, genres in zip(test.file_names, test.digests, test.genre_lists, strict=True):
            truth = truth_in_words(task, genres) if task.answerable([genres])[0] else ()
            if truth:
                firsts.setdefault(digest, (name, truth[0]))
        if not firsts:
            cure = f"Run `sleevenotes split {dataset.folder}`, and serve a model that was trained on that"
            raise SplitError(str(dataset.folder), "no cover in test that the model has not learnt from", cure=cure)
        covers = [Dealt(name, digest) for digest, (name, _) in firsts.items()]
        return cls(dataset, task, covers, np.unique([genre for _, genre in firsts.values()], return_inverse=True)[1])

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each cover of the whole dataset, by file name."""
        return {name: row for row, name in enumerate(self.dataset.file_names)}

    @cached_property
    def commonest(self) -> str:
        """The genre of most covers in train, the first of several."""
        train = self.dataset.in_split("train")
        kept = [truth_in_words(self.task, genres) for genres in train.genre_lists]
        return max(self.task.genres, key=lambda genre: sum(genre in truth for truth in kept))

    @cached_property
    def expected(self) -> float:
        """How often guessing is right on all covers of the game, 0 to 1."""
        return float(np.mean([self.commonest in (self.truth(cover.file_name) or ()) for cover in self.covers]))

    def deal(self, name: str, times: Mapping[str, int]) -> list[Dealt]:
        """Return the covers of the round of a name; `times` says how often its player was dealt each, by SHA-256."""
        before = np.array([times.get(cover.sha256, 0) for cover in self.covers])
        rng = np.random.default_rng(int(name, 16))
        return [self.covers[row] for row in drawn(self.strata, before, ROUND_COVERS, rng=rng)]

    def truth(self, file_name: str) -> tuple[str, ...] | None:
        """Return what is right to say of a cover; None where it is no longer there."""
        row = self.rows.get(file_name)
        return None if row is None else truth_in_words(self.task, self.dataset.genre_lists[row])


class Game:
    """The game of one service: its deck, its store, and what the model says.

    Parameters
    ----------
    service
        Whose model and dataset are played with.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._lock = threading.Lock()
        self._deck: Deck | None = None
        self._guesses: Guesses | None = None
        self._asked: dict[tuple[str, tuple[str, ...]], tuple[str, float] | None] = {}
        self._standing: tuple[int, Standing] | None = None

    @property
    def deck(self) -> Deck:
        """The covers, anew whenever the dataset was mended."""
        dataset = self.service.dataset
        with self._lock:
            if self._deck is None or self._deck.dataset is not dataset:
                try:
                    self._deck = Deck.of(dataset, self.service.model)
                except SplitError as error:
                    raise Problem("conflict", error) from error
            return self._deck

    @property
    def guesses(self) -> Guesses:
        """The store, opened when it is first needed."""
        folder = self.service.dataset.folder
        with self._lock:
            if self._guesses is None:
                self._guesses = _kept(lambda: Guesses.open(folder))
            return self._guesses

    def ask(self, cover: Dealt, genres: tuple[str, ...]) -> tuple[str, float] | None:
        """Return which of some genres the model holds the likeliest, and how likely; None where it can't tell."""
        key = (cover.sha256, genres)
        if key not in self._asked:
            model = self.service.model
            known = [model.genres.index(genre) for genre in genres if genre in model.genres]
            proba = next(model.predict([self.service.dataset.folder / cover.file_name])).proba if known else None
            best = known[int(proba[known].argmax())] if proba is not None else -1
            self._asked[key] = None if proba is None else (model.genres[best], float(proba[best]))
        return self._asked[key]

    def standing(self) -> Standing:
        """Return how people stand; worked out anew where somebody answered since."""
        found, deck = _kept(self.guesses.all), self.deck
        if self._standing is None or self._standing[0] != len(found):
            self._standing = (len(found), _standing(found, deck.expected, self.service.model_sha256))
        return self._standing[1]


_MAKING = threading.Lock()


def the_game(request: Request, service: ServiceHere) -> Game:
    """Return the game of the app that a request came to, made at the first."""
    with _MAKING:
        game: Game | None = getattr(request.app.state, "game", None)
        if game is None or game.service is not service:
            request.app.state.game = game = Game(service)
        return game


GameHere = Annotated[Game, Depends(the_game)]


# -------------------------------------------------------------------------------- routes


@router.post(
    "/game/rounds",
    summary="Begin a round",
    status_code=201,
    responses=documented(*PROBLEMS, "invalid"),
)
def begin_round(asked: RoundAsked, game: GameHere) -> RoundBegun:
    """Deal ten held-out covers to a nickname, none of which it has seen while there are others."""
    try:
        nickname = cleaned(asked.nickname)
    except SleevenotesError as error:
        raise Problem("invalid", error) from error
    deck, guesses = game.deck, game.guesses
    begun = _kept(lambda: guesses.start(nickname, deck.task.genres, commonest=deck.commonest, choose=deck.deal))
    return RoundBegun(
        round=begun.round, nickname=nickname, covers=len(begun.covers), genres=list(begun.genres), number=1
    )


@router.get(
    "/game/rounds/{round}",
    summary="A round as it stands",
    responses=documented(*PROBLEMS, "invalid"),
)
def round_state(round: RoundName, game: GameHere) -> RoundState:
    """Return what was answered so far, so that a page that was closed goes on where it was."""
    found = _round(game, round)
    numbers = range(1, len(found.covers) + 1)
    return RoundState(
        round=found.round,
        nickname=found.nickname,
        covers=len(found.covers),
        genres=list(found.genres),
        number=next((number for number in numbers if number not in found.answers), len(found.covers)),
        score=_score(found),
        answers=[_judged(number, answer) for number, answer in found.answers.items()],
        guessing=found.commonest,
        done=len(found.answers) == len(found.covers),
    )


@router.get(
    "/game/rounds/{round}/covers/{number}/image",
    summary="A cover of a round, without any name",
    response_class=Response,
    responses={200: PICTURE, **documented(*PROBLEMS, "invalid")},
)
def round_image(round: RoundName, number: CoverNumber, game: GameHere) -> Response:
    """Return a cover as a JPEG without metadata. Meanwhile the model is asked about it."""
    found = _round(game, round)
    cover = _cover(game, found, number)
    try:
        picture = shown(game.service.dataset.folder / cover.file_name)
    except CoverError as error:  # its name would tell
        raise unknown(f"round {round}, cover {number}", "it can't be read", "Go on with the next one") from error
    headers = {"Cache-Control": f"private, max-age={KEPT_S}"}
    asking = BackgroundTask(game.ask, cover, found.genres)
    return Response(picture, media_type="image/jpeg", headers=headers, background=asking)


@router.post(
    "/game/rounds/{round}/answers",
    summary="Answer",
    responses=documented(*PROBLEMS, "invalid"),
)
def answer_round(round: RoundName, guessed: Guessed, game: GameHere) -> GuessKept:
    """Keep an answer; when this says so, it is on the disk. The same answer once more changes nothing."""
    found = _round(game, round)
    cover = _cover(game, found, guessed.number)
    where = f"round {round}, cover {guessed.number}"
    if guessed.genre not in found.genres:
        cure = did_you_mean(guessed.genre, found.genres) or f"One of {', '.join(found.genres)}"
        raise Problem("invalid", SleevenotesError(where, "a genre that is none of this round's", cure=cure))
    kept = found.answers.get(guessed.number) or _answered(game, found, cover, guessed)
    if kept.guess != guessed.genre:
        said = f"answered already, with '{kept.guess}'"
        raise Problem("conflict", SleevenotesError(where, said, "one answer a cover", "Go on with the next one"))
    now = _round(game, round)
    judged = _judged(guessed.number, kept)
    return GuessKept(**judged.model_dump(), score=_score(now), done=len(now.answers) == len(now.covers))


@router.get(
    "/game/standing",
    summary="People against the model",
    responses=documented(*PROBLEMS),
)
def game_standing(game: GameHere) -> Standing:
    """Return how often people were right so far, beside the model and guessing; `sleevenotes people` says more."""
    return game.standing()


# -------------------------------------------------------------------------------- a round in words


def _kept(done: Callable[[], Given]) -> Given:
    """Return what the store gives; where it is busy or spoilt, say so as the fault of the server that it is."""
    try:
        return done()
    except StoreBusy as error:
        raise Problem("busy", error, retry_after=RETRY_S) from error
    except DatasetError as error:
        raise Problem("conflict", error) from error


def _round(game: Game, name: str) -> Round:
    guesses = game.guesses
    found = _kept(lambda: guesses.round(name))
    if found is None:
        raise unknown(f"round {name}", "there is none of that name", "Begin one: POST /api/v1/game/rounds")
    return found


def _cover(game: Game, found: Round, number: int) -> Dealt:
    """Return a cover of a round, which the dataset has to know: what is read from the disk is named there alone."""
    where = f"round {found.round}, cover {number}"
    if number > len(found.covers):
        raise unknown(where, f"the round has {len(found.covers)} covers", "Begin another round")
    cover = found.covers[number - 1]
    if cover.file_name not in game.deck.rows:
        raise unknown(where, "it is no longer in the dataset", "Begin another round")
    return cover


def _answered(game: Game, found: Round, cover: Dealt, guessed: Guessed) -> Answer:
    genre, proba = game.ask(cover, found.genres) or (None, None)
    truth = game.deck.truth(cover.file_name) or ()
    given = Answer(truth, guessed.genre, game.service.model.name, game.service.model_sha256, genre, proba)
    guesses = game.guesses
    return _kept(lambda: guesses.answer(found.round, guessed.number, given))


def _judged(number: int, answer: Answer) -> GuessJudged:
    model = None
    if answer.model_genre is not None:
        right = answer.model_genre in answer.truth
        model = ModelGuess(genre=answer.model_genre, proba=answer.model_proba or 0.0, right=right)
    right = answer.guess in answer.truth
    return GuessJudged(number=number, genre=answer.guess, truth=list(answer.truth), right=right, model=model)


def _score(found: Round) -> Score:
    answers = list(found.answers.values())
    asked = [answer for answer in answers if answer.model_genre is not None]
    return Score(
        right=sum(answer.guess in answer.truth for answer in answers),
        model=sum(answer.model_genre in answer.truth for answer in asked) if asked or not answers else None,
        guessing=sum(found.commonest in answer.truth for answer in answers),
    )


def _standing(found: Sequence[Guess], expected: float, model_sha256: str) -> Standing:
    nothing = Rate(value=None, low=None, high=None, too_few=False, n=0)
    if not found:
        return Standing(
            players=0, covers=0, people=nothing, model=None, guessing=nothing, expected=expected, words=NOBODY_YET
        )
    answers = Answers.of(found)
    said = [
        float(guess.answer.model_genre in guess.answer.truth)
        if guess.answer.model_sha256 == model_sha256 and guess.answer.model_genre is not None
        else np.nan
        for guess in answers.guesses
    ]
    asked = int(np.count_nonzero(~np.isnan(said)))
    n = len(answers.guesses)
    return Standing(
        players=answers.count,
        covers=int(answers.covers.max()) + 1,
        people=Rate(**rate(answers.right, answers.players, answers.covers), n=n),
        model=Rate(**of_covers(said, answers.covers), n=asked) if asked else None,
        guessing=Rate(**of_covers(answers.guessing, answers.covers), n=n),
        expected=expected,
        words=too_few(answers.count),
    )


# -------------------------------------------------------------------------------- pure functions


def drawn(
    strata: NDArray[np.integer[Any]], times: NDArray[np.integer[Any]], count: int, *, rng: np.random.Generator
) -> list[int]:
    """Return which of n covers are dealt: those that were dealt least often, spread over strata as all of these are.

    Parameters
    ----------
    strata
        The stratum of each cover, (n,).
    times
        How often each was dealt before, (n,).
    count
        How many; all n where that is more.
    rng
        Draws them, and their order.

    Notes
    -----
    Systematic sampling: in a row sorted by stratum, at equal steps from a random start. Of a stratum with a share s of
    the covers, ``count · s`` are dealt, up to one more or less.

    Examples
    --------
    >>> dealt = drawn(np.repeat([0, 1], 20), np.zeros(40, int), 10, rng=np.random.default_rng(1))
    >>> sum(row < 20 for row in dealt)
    5
    """
    rows: list[int] = []
    for level in np.unique(times):
        left = rng.permutation(np.flatnonzero(times == level))
        need = count - len(rows)
        if len(left) > need:
            left = left[np.argsort(strata[left], kind="stable")]
            left = left[((np.arange(need) + rng.random()) * len(left) / need).astype(np.intp)]
        rows += left.tolist()
        if len(rows) == count:
            break
    return [int(row) for row in rng.permutation(rows)]


def shown(path: FilePath) -> bytes:
    """Return a cover as it is shown in the game: a JPEG of at most 900 px, with nothing in it but pixels."""
    pixels = decode(path, where="cover")
    height, width = pixels.shape[:2]
    scale = min(1.0, IMAGE_PX / max(height, width))
    if scale < 1:
        pixels = resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))
    return encode(pixels, "jpeg", quality=IMAGE_QUALITY)
