"""Check 5, the control: the model is asked where both kinds of cover come from one source.

A model that tells a genre by what its covers have been through, and not by the art, knows nothing there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.genres import tidy
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import AuditError, did_you_mean
from sleevenotes.judge.audit.findings import SIGNIFICANT, Finding, Measured, Verdict
from sleevenotes.judge.audit.scores import CHANCE, METRIC, above_chance, in_words
from sleevenotes.judge.audit.subject import Subject, cross_validated
from sleevenotes.judge.figures import Answers
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model

CHECK = 5
LEAST = 10
"""Covers of either kind below which a control tells nothing."""
KEPT = 0.5
"""Share of what a model has above chance on its own test side, below which what it keeps makes it `broken`."""


RULES = {
    "control": (
        "Control: clean where the model is no worse on it than on its own test side (p of at least 0.05); broken where "
        f"it keeps less than {KEPT:.0%} of what it has above chance, else suspicious."
    )
}


@dataclass(frozen=True)
class Control:
    """Covers of one source, some of a genre and some of another that it might be taken for.

    Parameters
    ----------
    dataset
        Collected; it need not be split.
    genre
        The genre that the model shall find.
    among
        The genre of the others; every other cover where empty.
    years
        First and last year of the covers; all where None.
    """

    dataset: Dataset
    genre: str
    among: str = ""
    years: tuple[int, int] | None = None

    def covers(self) -> tuple[Dataset, NDArray[np.int64]]:
        """Return the covers, and which of them have the genre: (n,) 0 where they have it, else 1.

        Raises
        ------
        AuditError
            Where a genre is unknown there, or fewer than ten covers of either kind are of those years.
        """
        genre, among = self._named(self.genre), self._named(self.among) if self.among else ""
        lists = self.dataset.genre_lists
        of_genre = np.array([genre in genres for genres in lists])
        others = np.array([genre not in genres and (not among or among in genres) for genres in lists])
        in_time = self._in_time()
        found = (int((of_genre & in_time).sum()), int((others & in_time).sum()))
        if min(found) < LEAST:
            when = f" of {self.years[0]} to {self.years[1]}" if self.years else ""
            raise AuditError(
                str(self.dataset.folder),
                f"{found[0]:,} covers of {genre} and {found[1]:,} others{f' of {among}' if among else ''}{when}",
                f"At least {LEAST} of either kind are needed for a control",
                "Give other years with --control-years, or another genre" if when else "Give another genre",
            )
        taken = (of_genre | others) & in_time
        return self.dataset.where(taken), np.where(of_genre[taken], 0, 1)

    def _in_time(self) -> NDArray[np.bool_]:
        if self.years is None:
            return np.ones(len(self.dataset), dtype=bool)
        years = np.array([int(year) if year.isdigit() else 0 for year in self.dataset.column("year")])
        inside: NDArray[np.bool_] = (years >= self.years[0]) & (years <= self.years[1])
        return inside

    def _named(self, genre: str) -> str:
        """Return a genre as the dataset spells it."""
        known = self.dataset.genres
        spelt = {tidy(name): name for name in known}
        if tidy(genre) not in spelt:
            told = f"Genres there: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}"
            raise AuditError(str(self.dataset.folder), f"unknown genre '{genre}'", told, did_you_mean(genre, known))
        return spelt[tidy(genre)]


def parse_years(text: str) -> tuple[int, int]:
    """Return first and last year of a text such as "1966-1985".

    Raises
    ------
    AuditError
        Where it is none.

    Examples
    --------
    >>> parse_years("1966-1985")
    (1966, 1985)
    """
    found = re.fullmatch(r"\s*(\d{4})\s*[-–]\s*(\d{4})\s*", text)
    if not found or found[1] > found[2]:
        raise AuditError("--control-years", f"'{text}'", "Two years were expected, such as 1966-1985")
    return int(found[1]), int(found[2])


def controlled(subject: Subject, control: Control, harmonised: Model | None = None) -> Finding:
    """Return how the model does on the control, beside its own test side.

    `broken` where it is significantly worse there and keeps less than half of what it had above chance, `suspicious`
    where it is significantly worse, else `clean`.

    Parameters
    ----------
    harmonised
        The same model trained on harmonised covers, to be asked as well.

    Raises
    ------
    AuditError
        Where the control has too few covers, or the model does not know its genre.
    """
    covers, truth = control.covers()
    model = subject.trusted
    column = _column(model, control)
    groups = covers.groups
    there = Answers(truth, _asked(model, covers, column), groups)
    own = _own(subject, column)
    before, after = subject.ruler.estimate(own), subject.ruler.estimate(there)
    difference, p = subject.ruler.unpaired(own, there)
    lost = p is not None and p <= SIGNIFICANT and float(difference["value"] or 0) > 0
    verdict: Verdict = "clean"
    if lost:
        verdict = "broken" if above_chance(after) < KEPT * above_chance(before) else "suspicious"
    details: dict[str, Any] = {"before": before, "after": after, "difference": difference}
    details["trained_there"] = _trained_there(subject, covers, truth)
    more = f" A model trained there, on features that know none of this, gets {in_words(details['trained_there'])}."
    if harmonised is not None:
        details["harmonised"] = subject.ruler.estimate(Answers(truth, _asked(harmonised, covers, column), groups))
        more += f" Trained on harmonised covers, the model gets {in_words(details['harmonised'])}."
    kinds = f"{(truth == 0).sum():,} covers of {control.genre} against {(truth == 1).sum():,} others"
    return Finding(
        id="control",
        check=CHECK,
        title="Control: both kinds from one source",
        tested=f"{kinds}{_when(control)}, all from {covers.folder.resolve().parent.name}/{covers.folder.name}.",
        measured=Measured(METRIC, **after, chance=CHANCE, p=p, n=len(truth), groups=len(set(groups))),
        verdict=verdict,
        words=(
            f"On its own test side its {METRIC} is {in_words(before)}, on the control {in_words(after)}, "
            f"{in_words(difference)} less.{more}"
        ),
        advice=""
        if verdict == "clean"
        else "Believe the figure of the control; train where both come from one source.",
        command=f"sleevenotes split {control.dataset.folder} --genre {control.genre}",
        details=details,
    )


def _own(subject: Subject, column: int) -> Answers:
    """Return the model's answers about its own test side, for the one genre: 0 where a cover has it."""
    answers = subject.answers
    truth = np.asarray(answers.truth)
    has = truth[:, column] == 1 if truth.ndim == 2 else truth == column
    return replace(answers, truth=np.where(has, 0, 1), proba=_two(np.asarray(answers.proba)[:, column]))


def _asked(model: Model, covers: Dataset, column: int) -> NDArray[np.float64]:
    logits = model.head.logits(dataset_features(covers, model.extractor))
    return _two(model.proba(logits)[:, column])


def _two(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 2), the proba of a genre and of its contrary."""
    return np.stack([proba, 1 - proba], axis=1)


def _column(model: Model, control: Control) -> int:
    """Return which of the model's genres the control asks for: of two in `binary`, the one that it looks for."""
    if model.task == "binary":
        return 0
    spelt = {tidy(genre): index for index, genre in enumerate(model.genres)}
    if tidy(control.genre) not in spelt:
        known = f"Its genres are {', '.join(model.genres)}"
        found = f"the control's genre '{control.genre}' is unknown to this model"
        raise AuditError(str(model.folder), found, known, did_you_mean(control.genre, model.genres))
    return spelt[tidy(control.genre)]


def _trained_there(subject: Subject, covers: Dataset, truth: NDArray[np.int64]) -> dict[str, float | None]:
    features = dataset_features(covers, subject.frozen[0], progress=subject.progress)
    task = Task("binary", ("the genre", "the others"))
    proba = cross_validated(features, truth, covers.groups, task, seed=subject.seed)
    return subject.ruler.estimate(Answers(truth, proba, covers.groups))


def _when(control: Control) -> str:
    among = f" among {control.among}" if control.among else ""
    return among + (f" of {control.years[0]}–{control.years[1]}" if control.years else "")
