"""Check 8 of the audit: whether a model sees the picture, or what is written on it.

The covers of a test are judged three times: as they are, with their lettering masked, and with a control mask, boxes of
the same sizes at other places. Masking spoils a cover by itself; so what the lettering is worth is how much less a
model gets right without the lettering than under the control. The control mask hides picture, though, where the other
hides letters: on a cover that is mostly lettering little of the picture is at other places. Where lettering fills more
than half of a cover there is no room for a control; such covers are left out and counted.

A mask hides letters, not where they were. And a detector misses some, above all drawn ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers import lettering
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing
from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.covers.lettering import Boxes, covered, elsewhere, masked
from sleevenotes.covers.sheets import contact_sheet
from sleevenotes.covers.tasks import Task
from sleevenotes.judge.audit.findings import SIGNIFICANT, Finding, LeftOut, Measured, Verdict
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.figures import guesses
from sleevenotes.judge.intervals import Paired, paired_test, standing
from sleevenotes.judge.metrics import correct
from sleevenotes.judge.rulers import average_of, figure_of, plain
from sleevenotes.learn.model import Model

CHECK = 8
TITLE = "Text or picture"
SHEET_NAME = "lettering.png"
LEAST_KEPT = 0.5
RULE = (
    "Lettering: clean where masking it costs no more than masking as much elsewhere, or p is at least 0.05; broken "
    "where that difference is more than half of what the model gets right above chance, else suspicious."
)
RULES = {"lettering": RULE}

MOST_COVERED = 0.5
FEWEST = 20  # covers with lettering
BATCH = 16
SHOWN = 8
TILE_PX = 180

Detect = Callable[[Pixels], Boxes]
Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Masked:
    """How often a model is right about covers with and without their lettering; `finding` judges it.

    Parameters
    ----------
    plain, without, control
        Accuracy on the covers as they are, with lettering masked, and with the control mask.
    chance
        What always naming the commonest genre, or guessing by share, gets: the better of the two.
    lettering
        The control's accuracy less that without lettering: what lettering is worth.
    masking
        The accuracy as they are less the control's: what masking costs by itself.
    n, groups
        Covers and groups that were compared.
    details
        Figures, as in the finding.
    files
        Pictures that were written.
    """

    plain: float
    without: float
    control: float
    chance: float
    lettering: Paired
    masking: Paired
    n: int
    groups: int
    details: dict[str, Any]
    files: list[tuple[str, str]]

    @property
    def kept(self) -> float | None:
        """What remains, without lettering, of what is above chance, 1 for all; None where nothing is above chance."""
        above = self.plain - self.chance
        return 1 - self.lettering.difference / above if above > 0 else None

    def finding(self) -> Finding:
        """Judge by the rule."""
        worth = self.lettering
        verdict: Verdict = "clean"
        if worth.difference > 0 and worth.p < SIGNIFICANT:
            verdict = "broken" if self.kept is not None and self.kept < LEAST_KEPT else "suspicious"
        name = "accuracy that lettering is worth"
        return Finding(
            id="lettering",
            check=CHECK,
            title=TITLE,
            tested=f"Whether the model gets less right of {self.n:,} covers when their lettering is masked than when "
            "as much is masked elsewhere.",
            measured=Measured(
                name,
                **figure_of(worth.difference, worth.low, worth.high),
                chance=0.0,
                p=plain(worth.p),
                n=self.n,
                groups=self.groups,
            ),
            verdict=verdict,
            words=self._words(verdict),
            advice=""
            if verdict == "clean"
            else "Say of its figures that they are those of a model that knows genres by "
            "their lettering, and compare it with one that is trained on covers without.",
            details=self.details,
            files=self.files,
        )

    def _words(self, verdict: Verdict) -> str:
        told = (
            f"The model is right about {self.plain:.1%} of covers as they are, {self.without:.1%} with their lettering "
        )
        told += f"masked and {self.control:.1%} with as much masked elsewhere"
        if self.kept is None:
            return f"{told}; as that is not above guessing ({self.chance:.1%}), there is nothing to lose."
        if verdict == "clean":
            if standing(self.lettering.low, self.lettering.high) == "same":
                return f"{told}: lettering is worth no more to it than other parts of a cover, give or take 5 points."
            return f"{told}; whether lettering is worth more to it than other parts of a cover can't be told."
        return f"{told}: without lettering, {max(0.0, self.kept):.0%} of what it gets right above chance remains."


def text_or_picture(subject: Subject, *, detect: Detect | None = None) -> Finding | LeftOut:
    """Judge what lettering is worth to a subject's model, on the covers of its test side; see `without_lettering`."""
    told = without_lettering(
        subject.trusted,
        subject.test,
        detect=detect,
        out=subject.out,
        seed=subject.seed,
        progress=subject.progress,
    )
    return told if isinstance(told, LeftOut) else told.finding()


def without_lettering(
    model: Model,
    covers: Dataset,
    *,
    detect: Detect | None = None,
    out: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Masked | LeftOut:
    """Measure what lettering is worth to a model.

    Parameters
    ----------
    model
        Any model of the task `single` or `binary`.
    covers
        Covers of a test: the model has not learnt from them.
    detect
        Gives the boxes of the lettering on a cover; `sleevenotes.covers.lettering.boxes` where none is given.
    out
        Folder for `lettering.png`; nothing is written where none is given.
    seed
        Of the control masks and intervals.
    progress
        Called with the number of covers done and their total.
    """
    if detect is None and not lettering.available():
        why = "Lettering was not masked, as no text detector is installed."
        return LeftOut(CHECK, TITLE, why, lettering.INSTALL)
    if model.task == "multi":
        return LeftOut(CHECK, TITLE, "Accuracy is of models that name one genre a cover; this one names any number.")
    task = Task(model.task, model.genres)
    covers = covers.where(task.answerable(covers.genre_lists))
    answers = _Answers(model, detect or lettering.boxes, seed, len(covers) / SHOWN)
    for index in range(len(covers)):
        answers.judge(decode(covers.path(index)), index)
        if progress:
            progress(index + 1, len(covers))
    answers.flush()
    if len(answers.used) < FEWEST:
        why = f"Lettering that leaves room for a control was found on {len(answers.used):,} of {len(covers):,} covers"
        return LeftOut(CHECK, TITLE, f"{why}; {FEWEST} or more are needed.")
    return _compared(model, covers, answers, out=out, seed=seed)


class _Answers:
    """What a model says of covers in three states, gathered in batches."""

    def __init__(self, model: Model, detect: Detect, seed: int, step: float) -> None:
        self.model, self.detect, self.seed, self.step = model, detect, seed, step
        self.proba: list[Floats] = []  # (3, K) each: as they are, without lettering, control
        self.used: list[int] = []
        self.shares: list[float] = []
        self.crowded = self.bare = 0
        self.shown: list[list[Pixels]] = []
        self._waiting: list[Pixels] = []

    def judge(self, pixels: Pixels, index: int) -> None:
        """Mask one cover, and count it where it has no lettering, or too much."""
        size = (pixels.shape[0], pixels.shape[1])
        boxes = self.detect(pixels)
        share = float(covered(size, boxes).mean())
        if not len(boxes) or share > MOST_COVERED:
            self.bare += not len(boxes)
            self.crowded += bool(len(boxes))
            return
        other = elsewhere(size, boxes, seed=self.seed + index)
        states = [pixels, masked(pixels, boxes), masked(pixels, other)]
        if index >= len(self.shown) * self.step:  # some of every genre, as tables go by genre
            self.shown.append(states)
        self._waiting += [resize(state, self.model.size_px) for state in states]
        self.used.append(index)
        self.shares.append(share)
        if len(self._waiting) >= 3 * BATCH:
            self.flush()

    def flush(self) -> None:
        """Ask the model about the covers that wait."""
        if self._waiting:
            proba = self.model.proba(self.model.logits(np.stack(self._waiting)))
            self.proba += list(proba.reshape(-1, 3, proba.shape[1]))
            self._waiting = []


def _compared(model: Model, covers: Dataset, answers: _Answers, *, out: Path | None, seed: int) -> Masked:
    used = covers.where(np.isin(np.arange(len(covers)), answers.used))
    truth = Task(model.task, model.genres).truth(used.genre_lists)
    proba = np.stack(answers.proba)  # (n, 3, K)
    as_is, without, control = (correct(truth, proba[:, state]) for state in range(3))
    shares = [model.card["dataset"]["train_shares"][genre] for genre in model.genres]
    chance = max(float(scores.mean()) for scores in guesses(truth, shares).values())
    named = proba.argmax(axis=2)
    details: dict[str, Any] = {
        "as_is": average_of(as_is, used.groups),
        "masked": average_of(without, used.groups),
        "control": average_of(control, used.groups),
        "chance": chance,
        "changed_answers": {
            "without_lettering": float((named[:, 1] != named[:, 0]).mean()),
            "control": float((named[:, 2] != named[:, 0]).mean()),
        },
        "covers": {"compared": len(used), "without_lettering": answers.bare, "too_much_lettering": answers.crowded},
        "masked_share": float(np.mean(answers.shares)),
    }
    worth = paired_test(control, without, used.groups)
    masking = paired_test(as_is, control, used.groups)
    details["masking"] = {**figure_of(masking.difference, masking.low, masking.high), "p": plain(masking.p)}
    files = [] if out is None else _sheet(answers.shown, out)
    return Masked(
        plain=float(as_is.mean()),
        without=float(without.mean()),
        control=float(control.mean()),
        chance=chance,
        lettering=worth,
        masking=masking,
        n=len(used),
        groups=len(set(used.groups)),
        details=details,
        files=files,
    )


def _sheet(shown: list[list[Pixels]], out: Path) -> list[tuple[str, str]]:
    """Write some covers in their three states, two covers a row."""
    captions = ["as it is", "lettering masked", "control mask"]
    rows = [[state for states in shown[at : at + 2] for state in states] for at in range(0, len(shown), 2)]
    title = "Covers as they are, with lettering masked, and with as much masked elsewhere"
    sheet = contact_sheet(rows, tile_px=TILE_PX, captions=[2 * captions] * len(rows), title=title)
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / SHEET_NAME) as partial:
        partial.write_bytes(encode(sheet, "png"))
    return [(SHEET_NAME, title)]
