"""How good people are at it: their accuracy, how far they agree, and how they stand beside models on the same covers.

What the figures mean, and how intervals come about, stands in `sleevenotes.judge.players`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.collect.guesses import NOBODY, Guess, read_guesses, truth_in_words
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError
from sleevenotes.judge.intervals import NONE, SIGNIFICANT, TEST, Paired, level_after
from sleevenotes.judge.metrics import Floats
from sleevenotes.judge.players import TWO_WAY, alpha, of_covers, paired, rate, too_few
from sleevenotes.judge.proportions import holm
from sleevenotes.judge.recorded import Recorded, cure_for, read_recorded
from sleevenotes.judge.resampling import LEVEL, RESAMPLES, group_weights, interval
from sleevenotes.judge.rulers import Figure, figure_of, plain

FORMAT = 1
TOO_FEW = "too few answers"
FEWEST_SHARED = 30  # covers that two players or more saw, of which agreement has an interval
SAME_TRUTH = 0.5  # of covers that an evaluation calls otherwise than the game did, it is of others


@dataclass(frozen=True)
class Answers:
    """What people said, as arrays; each of n answers is of one player about one cover.

    Attributes
    ----------
    guesses
        As the store has them, n, none of them a repeat.
    players, covers
        (n,), numbered from 0.
    right, guessing
        (n,): whether the player is right, and whether the commonest genre of train would have been.
    repeats
        How many answers about a cover that the player had seen before were left out.
    """

    guesses: Sequence[Guess]
    players: NDArray[np.int64]
    covers: NDArray[np.int64]
    right: Floats
    guessing: Floats
    repeats: int = 0

    @classmethod
    def of(cls, guesses: Sequence[Guess]) -> Answers:
        """Return what the store has, without answers about covers that a player had seen before."""
        first: dict[tuple[int, str], Guess] = {}
        for guess in guesses:
            first.setdefault((guess.player, guess.sha256), guess)
        kept = list(first.values())
        players = _numbered([guess.player for guess in kept])
        covers = _numbered([guess.sha256 for guess in kept])
        right = np.array([guess.answer.guess in guess.answer.truth for guess in kept], dtype=np.float64)
        guessing = np.array([guess.commonest in guess.answer.truth for guess in kept], dtype=np.float64)
        return cls(kept, players, covers, right, guessing, len(guesses) - len(kept))

    @property
    def count(self) -> int:
        """How many players there are."""
        return int(self.players.max()) + 1


@dataclass(frozen=True)
class People:
    """What came of a game: the contents of `people.json`, and the answers behind it."""

    told: Mapping[str, Any]
    answers: Answers


def people(dataset: Dataset, evaluations: Sequence[Path] = (), *, resamples: int = RESAMPLES, seed: int = 0) -> People:
    """Return how good people are on a dataset's covers, and how they stand beside models.

    Parameters
    ----------
    dataset
        Whose covers were played with.
    evaluations
        Of models to set beside them, besides those that took part in the game: folders that `evaluate` wrote into.
    resamples, seed
        Of the intervals.

    Raises
    ------
    DatasetError
        Where nobody has played yet, or the store can't be read.
    SplitError
        Where the dataset is not split any more.
    EvaluationError
        Where an evaluation can't be read, is given twice, or is of other covers or genres.
    """
    answers = Answers.of(read_guesses(dataset.folder))
    task = Task.of(dataset)
    read = [(Path(path), read_recorded(Path(path))) for path in evaluations]
    _refuse_twice([recorded for _, recorded in read])
    rivals = _apart([*_in_the_game(answers), *(_recorded_rival(recorded, path, answers) for path, recorded in read)])
    guessing, models = _corrected(_guessing(answers), [_beside(rival, answers) for rival in rivals])
    agreement = _agreement(answers, resamples=resamples, seed=seed)
    notes = _doubts(answers, dataset, task)
    notes += [note for _, recorded in read for note in _otherwise(recorded, answers, dataset)]
    if 0 < agreement["covers"] < FEWEST_SHARED:
        seen = _counted(agreement["covers"], "cover")
        notes.append(f"Two or more players saw only {seen}: an interval of alpha takes {FEWEST_SHARED}.")
    told: dict[str, Any] = {
        "format": FORMAT,
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "task": task.kind,
        "n": len(answers.guesses),
        "players": answers.count,
        "covers": int(answers.covers.max()) + 1,
        "rounds": len({guess.round for guess in answers.guesses}),
        "repeats": answers.repeats,
        "accuracy": rate(answers.right, answers.players, answers.covers),
        "guessing": guessing,
        **_by_genre(answers, task),
        "alpha": agreement,
        "by_player": _by_player(answers),
        "models": models,
        "intervals": _method(answers, resamples, seed),
        "notes": notes,
    }
    return People(told | {"words": in_words(told)}, answers)


# -------------------------------------------------------------------------------- figures of one game


def _guessing(answers: Answers) -> dict[str, Any]:
    """Return what always saying the commonest genre gets on the same answers, and how people differ from that."""
    found = paired(answers.right, answers.guessing, answers.players, covers=answers.covers)
    genres = sorted({guess.commonest for guess in answers.guesses})
    figure = of_covers(answers.guessing, answers.covers)
    return {**figure, "p": plain(found.p), "compared": found, "genres": genres}


def _by_genre(answers: Answers, task: Task) -> dict[str, Any]:
    """Return how often people are right about covers of each genre, and what they take it for where they are not."""
    genres = [genre for guess in answers.guesses for genre in (*guess.genres, *guess.answer.truth)]
    columns = list(dict.fromkeys(genres))
    said = [guess.answer.guess for guess in answers.guesses]
    per_genre = {}
    for genre in columns:
        of_it = np.array([genre in guess.answer.truth for guess in answers.guesses])
        recall = rate(np.where(of_it, answers.right, np.nan), answers.players, answers.covers)
        per_genre[genre] = {"recall": recall, "n": int(of_it.sum()), "said": said.count(genre)}
    several = task.kind == "multi" or any(len(guess.answer.truth) != 1 for guess in answers.guesses)
    if several:  # of a cover of two genres nobody can say for which of them a third was taken
        return {"genres": columns, "per_genre": per_genre, "confusion": None}
    place = {genre: at for at, genre in enumerate(columns)}
    counts = np.zeros((len(columns), len(columns)), dtype=np.int64)
    for guess in answers.guesses:
        counts[place[guess.answer.truth[0]], place[guess.answer.guess]] += 1
    return {
        "genres": columns,
        "per_genre": per_genre,
        "confusion": {"genres": columns, "counts": counts.tolist()},
    }


def _agreement(answers: Answers, *, resamples: int, seed: int) -> dict[str, Any]:
    """Return Krippendorff's alpha with its interval from resampling covers, and of how many covers it is."""
    names = _numbered([guess.answer.guess for guess in answers.guesses])
    counts = np.zeros((int(answers.covers.max()) + 1, int(names.max()) + 1))
    np.add.at(counts, (answers.covers, names), 1)
    several = counts[counts.sum(axis=1) > 1]
    figure: Figure = {"value": None, "low": None, "high": None}
    if len(several):
        ends = NONE
        if len(several) >= FEWEST_SHARED:
            ends = interval(alpha(several, group_weights(np.arange(len(several)), resamples, seed)))[:2]
        figure = figure_of(alpha(several), *ends)
    return {**figure, "covers": len(several), "answers": int(several.sum())}


def _by_player(answers: Answers) -> list[dict[str, Any]]:
    rows = []
    for player in range(answers.count):
        own = answers.players == player
        accuracy = rate(answers.right[own], answers.players[own], answers.covers[own])
        rows.append({"player": f"player {player + 1}", "n": int(own.sum()), "accuracy": accuracy})
    return rows


def _method(answers: Answers, resamples: int, seed: int) -> dict[str, Any]:
    alone = answers.count == 1
    return {
        "method": f"exact, with the design effect of {'covers' if alone else 'players'}",
        "differences": TEST if alone else TWO_WAY,
        "correction": "Holm, over people and each model, and people and guessing, of p and of the interval",
        "alpha": "bootstrap over covers that two or more players saw, percentile",
        "level": LEVEL,
        "resamples": resamples,
        "seed": seed,
    }


def _doubts(answers: Answers, dataset: Dataset, task: Task) -> list[str]:
    """Return what is doubtful about a game, in sentences."""
    notes = [doubt] if (doubt := too_few(answers.count)) else []
    if answers.repeats:
        again = f"{answers.repeats:,} {'answer' if answers.repeats == 1 else 'answers'}"
        notes.append(f"{again} about covers that the player had seen before were left out.")
    now = dict(zip(dataset.file_names, dataset.genre_lists, strict=True))
    of_cover = {guess.file_name: guess.answer.truth for guess in answers.guesses}
    changed = [
        name for name, truth in of_cover.items() if name in now and set(truth_in_words(task, now[name])) != set(truth)
    ]
    if changed:
        covers = f"{len(changed):,} {'cover bears' if len(changed) == 1 else 'covers bear'}"
        notes.append(f"{covers} other genres now; answers count by what was known when they were given.")
    if task.kind == "multi" and dataset.settings.get("known"):
        notes.append("A genre that a cover's collection never names counts as wrong, for people and models alike.")
    if len({guess.genres for guess in answers.guesses}) > 1:
        notes.append("Not all rounds offered the same genres.")
    return notes


# -------------------------------------------------------------------------------- models


@dataclass(frozen=True)
class Rival:
    """A model beside people: whether it is right about the cover of each answer, (n,), nan where it was not asked."""

    name: str
    source: str
    right: Floats


def _apart(rivals: Sequence[Rival]) -> list[Rival]:
    """Return models by names that differ, those of one name with where their answers are from."""
    alike = Counter(rival.name for rival in rivals)
    return [
        Rival(f"{rival.name} ({rival.source})", rival.source, rival.right) if alike[rival.name] > 1 else rival
        for rival in rivals
    ]


def _in_the_game(answers: Answers) -> list[Rival]:
    """Return each model that took part, by the order in which they did."""
    played = [guess.answer for guess in answers.guesses if guess.answer.model_genre is not None]
    models = dict.fromkeys((answer.model, answer.model_sha256) for answer in played)
    alike = Counter(name for name, _ in models)
    rivals = []
    for name, digest in models:
        right = [
            np.nan
            if guess.answer.model_sha256 != digest or guess.answer.model_genre is None
            else float(guess.answer.model_genre in guess.answer.truth)
            for guess in answers.guesses
        ]
        rivals.append(Rival(f"{name} ({digest[:8]})" if alike[name] > 1 else name, "the game", np.array(right)))
    return rivals


def _recorded_rival(recorded: Recorded, path: Path, answers: Answers) -> Rival:
    """Return the model of an evaluation, which is held to say the likeliest of the genres that the player could choose.

    Raises
    ------
    EvaluationError
        Where it was asked about none of the covers, or knows fewer than two of the genres.
    """
    place = {digest: at for at, digest in enumerate(recorded.digests)}
    rows = np.array([place.get(guess.sha256, -1) for guess in answers.guesses])
    if not (rows >= 0).any():
        found = f"none of the {int(answers.covers.max()) + 1:,} covers that were played with is in it"
        raise EvaluationError(str(path), found, "An evaluation of this dataset's test was expected", cure_for(path))
    right = np.full(len(rows), np.nan)
    for at, (row, guess) in enumerate(zip(rows, answers.guesses, strict=True)):
        known = [column for column, genre in enumerate(recorded.task.genres) if genre in guess.genres]
        if row >= 0 and len(known) > 1:
            says = known[int(recorded.proba[row, known].argmax())]
            right[at] = recorded.task.genres[says] in guess.answer.truth
    if np.isnan(right).all():
        found = f"it knows {', '.join(recorded.task.genres[:8])}, of which the game has fewer than two"
        raise EvaluationError(str(path), found, "a model of the genres of the game", cure_for(path))
    return Rival(recorded.model, str(path), right)


def _refuse_twice(evaluations: Sequence[Recorded]) -> None:
    times = Counter(recorded.path.resolve() for recorded in evaluations)
    for path, count in times.items():
        if count > 1:
            raise EvaluationError(str(path), "given twice", "Each evaluation is of another model or training")


def _otherwise(recorded: Recorded, answers: Answers, dataset: Dataset) -> list[str]:
    """Return a note on covers that an evaluation calls otherwise than the game did.

    Raises
    ------
    EvaluationError
        If they are most of them.
    """
    named = recorded.task.named(np.where(recorded.truth < 0, 0, recorded.truth))
    there = {digest: set(words.split(";")) for digest, words in zip(recorded.digests, named, strict=True)}
    here = {guess.sha256: guess for guess in answers.guesses if guess.sha256 in there}
    unlike = [guess.file_name for digest, guess in here.items() if not there[digest] & set(guess.answer.truth)]
    if len(unlike) > SAME_TRUTH * len(here):
        found = f"{len(unlike):,} of {len(here):,} covers are of other genres there, such as {unlike[0]}"
        raise EvaluationError(
            str(recorded.path), found, "An evaluation of this dataset's test was expected", cure_for(recorded.path)
        )
    where = f"{recorded.path.parent.name}/{recorded.path.name}"
    notes = [f"{len(unlike):,} of {len(here):,} covers are of other genres in {where}."] if unlike else []
    if (recorded.evaluation.get("dataset") or {}).get("fingerprint") != dataset.fingerprint:
        notes.append(f"{where} is of the dataset before it was changed.")
    return notes


def _beside(rival: Rival, answers: Answers) -> dict[str, Any]:
    """Return how people stand beside a model, on the answers about covers that it was asked about."""
    asked = ~np.isnan(rival.right)
    players, covers = answers.players[asked], answers.covers[asked]
    one, two = answers.right[asked], rival.right[asked]
    found = paired(one, two, players, covers=covers)
    return {
        "model": rival.name,
        "source": rival.source,
        "n": int(asked.sum()),
        "players": len(np.unique(players)),
        "covers": len(np.unique(covers)),
        "people": rate(one, players, covers),
        "accuracy": of_covers(two, covers),
        "p": plain(found.p),
        "test": found.test,
        "compared": found,
    }


def _corrected(
    guessing: Mapping[str, Any], models: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return how people stand beside guessing and each model, p and intervals corrected for how many there are."""
    rows = (guessing, *models)
    known = iter(holm([row["p"] for row in rows if row["p"] is not None]))
    told = [_after(row, None if row["p"] is None else next(known), len(rows)) for row in rows]
    for row in told[1:]:
        ahead = "people" if row["difference"]["value"] > 0 else row["model"]
        row["better"] = ahead if row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT else None
        row["words"] = _beside_in_words(row, alone=row["players"] == 1, pairs=len(rows))
    return told[0], told[1:]


def _after(row: Mapping[str, Any], p_holm: float | None, tests: int) -> dict[str, Any]:
    """Return a comparison after the correction: its interval excludes 0 if and only if the corrected p is small."""
    compared: Paired = row["compared"]
    kept = {name: value for name, value in row.items() if name != "compared"}
    ends = NONE if p_holm is None else compared.at(level_after(compared.p, p_holm, tests))
    return {**kept, "difference": figure_of(compared.difference, *ends), "p_holm": p_holm}


# -------------------------------------------------------------------------------- words


def in_words(told: Mapping[str, Any]) -> list[str]:
    """Return what the figures say, a sentence each: how good people are, how far they agree, and beside each model."""
    n, players = told["n"], told["players"]
    who = "One player gave" if players == 1 else f"{players:,} players gave"
    answers = f"{_counted(n, 'answer')} about {_counted(told['covers'], 'cover')}"
    usual = f"always guessing the commonest genre of train gets {_share(told['guessing'])}"
    says = [f"{who} {answers}: {_share(told['accuracy'], ends=True)} are right; {usual} on the same covers."]
    shared, agreed = told["alpha"]["covers"], told["alpha"]["value"]
    if players > 1 and not shared:
        says.append("No cover was seen by two players yet, so that nothing tells how far they agree.")
    elif agreed is not None:
        ends = _ends(told["alpha"], 1.0, 2)
        scale = "1 is agreeing always, 0 as often as by chance"
        covers = f"{_counted(shared, 'cover')} that two or more saw"
        shown = f"{agreed:.2f}".replace("-", "−")
        says.append(f"Krippendorff's alpha is {shown}{ends} over {covers}; {scale}.")
    return says + [model["words"] for model in told["models"]]


def _beside_in_words(told: Mapping[str, Any], *, alone: bool, pairs: int) -> str:
    """Return how people and a model differ, told from the side of the one that is ahead."""
    value, people_are = told["difference"]["value"], "The one player is" if alone else "People are"
    turned = told["difference"] if value >= 0 else _turned(told["difference"])
    size = f"{100 * abs(value):.1f}".removesuffix(".0")
    points = f"{size} {'point' if size == '1' else 'points'}"
    facts = _ends(turned, 100.0, 1)
    if told["p_holm"] is not None:
        p = "p < 0.001" if told["p_holm"] < 0.001 else f"p = {told['p_holm']:.2g}"
        facts = f"{facts.removesuffix(')')}; {p} after Holm over {pairs} pairs)"
    on = f"on {_counted(told['n'], 'answer')} about the same {_counted(told['covers'], 'cover')}"
    if told["better"] == "people":
        return f"{people_are} better than {told['model']} by {points}{facts}, {on}."
    if told["better"]:
        return f"{told['model']} is better than {'the one player' if alone else 'people'} by {points}{facts}, {on}."
    who = "the one player" if alone else "people"
    ahead = who if value > 0 else told["model"]
    gap = f"{ahead} {'are' if ahead == 'people' else 'is'} ahead by {points}{facts}" if value else f"level{facts}"
    return f"Can't tell {who} from {told['model']}: {gap}, {on}."


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word if count == 1 else f'{word}s'}"


def _turned(figure: Figure) -> Figure:
    value, low, high = (None if end is None else -end for end in (figure["value"], figure["low"], figure["high"]))
    return {"value": value, "low": high, "high": low}


def _share(figure: Mapping[str, Any], *, ends: bool = False) -> str:
    value = figure["value"]
    return "nothing known" if value is None else f"{100 * value:.0f} %" + (_ends(figure, 100.0, 0) if ends else "")


def _ends(figure: Mapping[str, Any], scale: float, decimals: int) -> str:
    """Return " (45 to 59)", or " (too few answers)"."""
    if figure["low"] is None or figure["high"] is None:
        return f" ({TOO_FEW})"
    low, high = (f"{scale * figure[end] + 0.0:.{decimals}f}".replace("-", "−") for end in ("low", "high"))
    return f" ({low} to {high})"


def _numbered(names: Sequence[Any]) -> NDArray[np.int64]:
    """Return names as whole numbers from 0, (n,), in the order in which they first occur."""
    if not names:
        raise EvaluationError("people", NOBODY)
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
