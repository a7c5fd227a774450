"""The ladder: ever dearer ways to tell genres, tried within a time budget; the best one becomes the model.

Each **rung** is one way: a part (`learn.parts`) with a head, or a blend of earlier rungs. All are measured alike, by
the log loss of their answers to the covers of train and valid out of fold (`learn.blends`), blends by weights that
were found out of fold, too; the smallest loss wins. A rung that would outlast the budget is left out, and the ladder
says so. The test split is not looked at.

How long a rung takes is told beforehand from a few covers, so that a budget is kept about, not to the second. Which
rungs are reached depends on the machine; what each of them scores does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import folds
from sleevenotes.covers.tasks import Task
from sleevenotes.learn import backbones, blends, heads
from sleevenotes.learn.blends import FOLDS, Features, Truth, Tuned
from sleevenotes.learn.calibration import Floats, log_loss, proba_of
from sleevenotes.learn.extractors import MIRRORED, Covers, ViewedExtractor, averaged, rooted
from sleevenotes.learn.features import dataset_features, missing_features
from sleevenotes.learn.heads import Head, HeadKind
from sleevenotes.learn.likeness import MOST_COVERS, WIDTHS, Likeness
from sleevenotes.learn.parts import Part, PartForm, likeness_part, write_part
from sleevenotes.learn.tuning import Tuner, Tuning, tunings_at_hand

CANDIDATES = ("squeezenet1_1", "mobilenet_v2", "mobilenet_edgetpu", "resnet18", "resnet34")  # cheap ones first
TWO_VIEWS = ("whole", "whole" + MIRRORED)
FOUR_VIEWS = (*TWO_VIEWS, "middle", "middle" + MIRRORED)
EIGHT_VIEWS = (*FOUR_VIEWS, "top left", "top right", "bottom left", "bottom right")
VIEWED: tuple[tuple[str, ...], ...] = (TWO_VIEWS, FOUR_VIEWS, EIGHT_VIEWS)
GRID = 2  # cells along each side
PROBED = 8  # covers by which the time of a rung is told beforehand
BLENDED = (2, 3)  # members of the small blends; the last one has all that help
NO_GAIN = 1e-4  # nats that one more member of a blend has to bring

Say = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Step:
    """A rung that is to be tried: a part under a head, or the likeness of which one or more parts are the ground.

    Parameters
    ----------
    form
        The part.
    head
        The head on it.
    further
        Further parts, for `likeness`.
    """

    form: PartForm
    head: HeadKind
    further: tuple[PartForm, ...] = ()

    @property
    def forms(self) -> tuple[PartForm, ...]:
        """All parts."""
        return self.form, *self.further

    @property
    def what(self) -> str:
        """The rung in words."""
        if self.head != "likeness":
            return f"{_named(self.form)}{_read_as(self.form)}, {self.head} head"
        if len({_read_as(form) for form in self.forms}) > 1:
            return f"likeness by all {len(self.forms)} readings"
        return f"likeness by {' + '.join(map(_named, self.forms))}{_read_as(self.form)}"


def _named(form: PartForm) -> str:
    return {"color": "colours", "gradients": "gradients"}.get(form.kind, form.backbone)


def _read_as(form: PartForm) -> str:
    told = f", {len(form.layers)} layers" if len(form.layers) > 1 else ""
    told += f", grid of {form.grid} × {form.grid}" if form.grid > 1 else ""
    told += ", roots" if form.rooted else ""
    return told + (f", {len(form.views)} views" if len(form.views) > 1 else "")


@dataclass(frozen=True)
class Member:
    """A rung that was tried: its part, what gives the features of train and valid, and its head.

    `head` is that of a part that brought one along, as it learnt from all covers already; None where one of the form is
    fitted.
    """

    what: str
    part: Part
    features: Callable[[], Features] = field(repr=False)
    form: Tuned
    head: Head | None = field(default=None, repr=False)


@dataclass
class Rung:
    """What the ladder says of one way.

    Parameters
    ----------
    rung
        Its number, from 1.
    what
        In words.
    seconds
        What it took, or would have taken.
    log_loss, accuracy
        Of its out-of-fold answers; None where it was left out.
    taken
        Whether it became the model.
    left_out
        Why; None where it was tried.
    """

    rung: int
    what: str
    seconds: float
    log_loss: float | None = None
    accuracy: float | None = None
    taken: bool = False
    left_out: str | None = None

    def told(self) -> dict[str, Any]:
        """Return the rung as the card has it."""
        rounded = {name: None if value is None else round(value, 4) for name, value in self._figures().items()}
        return {"rung": self.rung, "what": self.what, **rounded, "taken": self.taken, "left_out": self.left_out}

    def _figures(self) -> dict[str, float | None]:
        return {"seconds": self.seconds, "log_loss": self.log_loss, "accuracy": self.accuracy}


@dataclass(frozen=True)
class Winner:
    """What the ladder ends with.

    Parameters
    ----------
    members
        The weight of each member, and the member.
    answers
        Logits, (n, K), of the covers of train and valid out of fold.
    rungs
        All of them.
    """

    members: list[tuple[float, Member]]
    answers: Floats
    rungs: list[Rung]


@dataclass
class Ladder:
    """The covers to learn from, the time, and what was tried so far.

    Parameters
    ----------
    covers
        Of train and valid, all with a truth.
    task, truth
        What is asked of them.
    folder
        Of the model.
    budget_s
        Seconds in all.
    seed
        Of the folds.
    say, progress
        Are told what happens.
    clock
        Gives seconds.
    """

    covers: Dataset
    task: Task
    truth: Truth
    folder: Path
    budget_s: float
    seed: int = 0
    say: Say = field(default=lambda line: None, repr=False)
    progress: Progress = field(default=lambda done, total: None, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self.groups = self.covers.groups
        strata = np.maximum(self.truth, 0)  # in `multi`, what is unknown is dealt out as what is absent
        self.fold: NDArray[np.intp] = folds(self.groups, strata, min(FOLDS, len(set(self.groups))), self.seed)
        self.began = self.clock()
        self.members: list[Member] = []
        self.rungs: list[Rung] = []
        self.head_seconds: dict[HeadKind, float] = {}
        self.features: dict[str, Features] = {}
        self.parts: dict[str, Part] = {}

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.budget_s - (self.clock() - self.began)

    def climb(self, steps: Sequence[Step | Tuning]) -> Winner:
        """Try each step, then blends of what was tried, and return the best."""
        for number, step in enumerate(steps, start=1):
            self.progress(number - 1, len(steps))
            self.attempt(step)
        self.progress(len(steps), len(steps))
        return self.best()

    def attempt(self, step: Step | Tuning) -> None:
        """Try one step, unless it would outlast the budget; the first one is tried in any case."""
        began = self.clock()
        if self.members and self.left_s <= 0:
            self.leave_out(step.what, 0.0, "no time was left")
            return
        if isinstance(step, Tuning):
            self._attempt_tuning(step, began)
            return
        if step.head == "likeness" and len(self.covers) > MOST_COVERS:
            self.leave_out(step.what, 0.0, f"there are more than {MOST_COVERS:,} covers")
            return
        parts = tuple(self._written(form) for form in step.forms)
        needed = sum(self._seconds_for(part) for part in parts) + self.head_seconds.get(step.head, 0.0)
        if self.members and needed > self.left_s:
            self.leave_out(step.what, needed, f"it needs some {needed:.0f} s, and {self.left_s:.0f} s were left")
            return
        self.try_parts(step.what, parts, step.head, began)

    def _attempt_tuning(self, step: Tuning, began: float) -> None:
        """Let a backbone go on learning, unless that would outlast the budget."""
        tuner = self.tuner(step)
        if not tuner.has_enough_groups:
            self.leave_out(step.what, 0.0, "there are too few groups to choose an epoch")
            return
        needed = tuner.seconds()
        if self.members and needed > self.left_s:
            self.leave_out(step.what, needed, f"it needs some {needed:.0f} s, and {self.left_s:.0f} s were left")
            return
        self.try_tuning(tuner, began)

    def tuner(self, step: Tuning) -> Tuner:
        """Return what lets a backbone learn from these covers."""
        return Tuner(step, self.covers, self.task, self.truth, self.fold, self.folder, seed=self.seed, say=self.say)

    def try_tuning(self, tuner: Tuner, began: float | None = None) -> None:
        """Measure a backbone that goes on learning, and keep it, with its head, as a member of blends."""
        began = self.clock() if began is None else began
        scores = tuner.answers()
        scale = blends.scale_of(scores, self.truth, task=self.task.kind)
        part, head = tuner.kept()
        form = Tuned("linear", 0.0, scale, scale.logits(scores), {})
        what = tuner.tuning.what
        self.members.append(Member(what, part, lambda: self._features_of(part), form, scale.folded_into(head)))
        self._measured(what, form.answers, began)

    def _written(self, form: PartForm) -> Part:
        """Return a part, whose network is written once, whatever views it is shown."""
        if form.name not in self.parts:
            self.parts[form.name] = write_part(form, self.folder, say=self.say)
        part = self.parts[form.name]
        return replace(part, card=part.card | {"views": list(form.views), "rooted": form.rooted})

    def try_parts(self, what: str, parts: tuple[Part, ...], head: HeadKind, began: float | None = None) -> None:
        """Measure a part under a head, or the likeness by parts, and keep it as a member of blends."""
        began = self.clock() if began is None else began
        blocks = [self._features_of(part) for part in parts]
        headed = self.clock()
        if head == "likeness":
            member = self._likeness(what, parts, blocks)
        else:
            member = Member(what, parts[0], lambda: self._features_of(parts[0]), self._tuned(blocks[0], head))
        self.head_seconds[head] = max(self.head_seconds.get(head, 0.0), self.clock() - headed)
        self.members.append(member)
        self._measured(what, member.form.answers, began)

    def _likeness(self, what: str, parts: tuple[Part, ...], blocks: list[Features]) -> Member:
        """Return the likeness by parts, of the width that does best."""
        plain, features = Likeness.of(blocks), np.concatenate(blocks, axis=1)
        found = []
        for width in WIDTHS:
            likeness = replace(plain, width=width)
            found.append((self._tuned(likeness.features(features), "likeness"), likeness))
        form, likeness = min(found, key=lambda one: one[0].losses[one[0].strength])
        number = 1 + sum(member.part.likeness is not None for member in self.members)

        def again() -> Features:
            # of all covers to all of them: too large to be kept of every member
            return likeness.features(np.concatenate([self._features_of(part) for part in parts], axis=1))

        return Member(what, likeness_part(number, parts, likeness), again, form)

    def _tuned(self, features: Features, head: HeadKind) -> Tuned:
        genres = len(self.task.genres)
        return blends.tuned(features, self.truth, self.fold, kind=head, task=self.task.kind, genres=genres)

    def _features_of(self, part: Part) -> Features:
        if part.key not in self.features:
            self.features[part.key] = features_of(self.covers, part.extractor)
        return self.features[part.key]

    def best(self) -> Winner:
        """Return the rung with the smallest log loss, of single members and of blends, which are tried now."""
        found = [([number], member.form.answers) for number, member in enumerate(self.members)]
        tried = [rung for rung in self.rungs if rung.left_out is None]
        for chosen in self._blends():
            began = self.clock()
            stacked = [self.members[number].form.answers for number in chosen]
            answers = blends.blended_out_of_fold(stacked, self.truth, self.fold, task=self.task.kind)
            numbers = ", ".join(str(tried[number].rung) for number in chosen)
            tried.append(self._measured(f"blend of the rungs {numbers}", answers, began))
            found.append((chosen, answers))
        winner = min(range(len(tried)), key=lambda number: tried[number].log_loss or 0.0)
        tried[winner].taken = True
        chosen, answers = found[winner]
        members = [self.members[number] for number in chosen]
        weights = [1.0]
        if len(members) > 1:
            stacked = [member.form.answers for member in members]
            weights = blends.blend_weights(stacked, self.truth, task=self.task.kind).tolist()
        return Winner(list(zip(weights, members, strict=True)), answers, self.rungs)

    def all_together(self) -> Winner:
        """Return the blend of all that was tried; a single member by itself."""
        if len(self.members) == 1:
            return self.best()
        began = self.clock()
        stacked = [member.form.answers for member in self.members]
        answers = blends.blended_out_of_fold(stacked, self.truth, self.fold, task=self.task.kind)
        self._measured(f"blend of {len(stacked)}, as in the model that lends them", answers, began).taken = True
        weights = blends.blend_weights(stacked, self.truth, task=self.task.kind).tolist()
        return Winner(list(zip(weights, self.members, strict=True)), answers, self.rungs)

    def _blends(self) -> Iterator[list[int]]:
        """Yield the members of blends: added one by one, each the one that helps most, for as long as one helps."""
        answers = [member.form.answers for member in self.members]
        chosen: list[int] = []
        loss = np.inf
        while len(chosen) < len(answers):
            losses = {
                number: self._loss_of([answers[index] for index in (*chosen, number)])
                for number in range(len(answers))
                if number not in chosen
            }
            best = min(losses, key=losses.__getitem__)
            if losses[best] > loss - NO_GAIN:
                break
            loss = losses[best]
            chosen.append(best)
            if len(chosen) in BLENDED:
                yield list(chosen)
        if len(chosen) > max(BLENDED):
            yield chosen

    def _loss_of(self, answers: list[Floats]) -> float:
        weights = blends.blend_weights(answers, self.truth, task=self.task.kind)
        return log_loss(self.truth, proba_of(np.tensordot(weights, np.stack(answers), 1), task=self.task.kind))

    def _measured(self, what: str, answers: Floats, began: float) -> Rung:
        loss = log_loss(self.truth, proba_of(answers, task=self.task.kind))
        rung = Rung(len(self.rungs) + 1, what, self.clock() - began, loss, heads.hit_rate(answers, self.truth))
        self.rungs.append(rung)
        self.say(f"{rung.rung:2}. {what}: log loss {loss:.4f}, {rung.accuracy:.1%} right, {rung.seconds:.0f} s")
        return rung

    def leave_out(self, what: str, seconds: float, why: str) -> None:
        """Tell of a rung that is not tried."""
        self.rungs.append(Rung(len(self.rungs) + 1, what, seconds, left_out=why))
        self.say(f"{len(self.rungs):2}. {what}: left out, {why}")

    def _seconds_for(self, part: Part) -> float:
        """Return about how long the features of a part will take, those that are missing as those of a few covers."""
        views = _single_views(part.extractor)
        missing = sum(missing_features(self.covers, view) for view in views)
        if not missing:
            return 0.0
        covers: Covers = np.zeros((PROBED, views[0].size_px, views[0].size_px, 3), dtype=np.uint8)
        views[0].features(covers[:1])  # what is loaded once is not counted
        began = self.clock()
        views[0].features(covers)
        return (self.clock() - began) * missing / PROBED


def features_of(covers: Dataset, extractor: ViewedExtractor, progress: Progress | None = None) -> Features:
    """Return the features of covers, (n, D), each view computed once and kept by itself: rungs share views."""
    each = [dataset_features(covers, view, progress=progress) for view in _single_views(extractor)]
    return averaged([rooted(features) for features in each] if extractor.is_rooted else each)


def _single_views(extractor: ViewedExtractor) -> list[ViewedExtractor]:
    return [ViewedExtractor(extractor.part, (view,), extractor.size_px) for view in extractor.views]


def steps_at_hand() -> list[Step | Tuning]:
    """Return the steps that this machine's weights allow, cheap ones first.

    What needs features that are there already comes before what needs new ones: a root or another head costs nothing
    but a fit, another reading of a network one way through it for each cover, and another view one way more. A network
    that goes on learning costs most.
    """
    names = [name for name in CANDIDATES if backbones.at_hand(name)]
    plain = [PartForm("network", name) for name in names]
    roots = [replace(form, rooted=True) for form in plain]
    steps = [Step(PartForm("color"), "linear"), Step(PartForm("gradients"), "linear")]
    steps += [Step(form, "linear") for form in (*plain, *roots)]
    steps += [*_together(roots), *_viewed_steps(roots, VIEWED[0])]
    # by the name of the last map, as graphs of others end in numbers without places
    gridded = [replace(form, layers=backbones.layers_of(form.backbone)[-1:], grid=GRID) for form in roots]
    layered = [replace(form, layers=backbones.layers_of(form.backbone)) for form in roots]
    read = [form for form in (*gridded, *layered) if form.layers]
    steps += [Step(form, "linear") for form in read]
    steps += _together([*(replace(form, views=VIEWED[0]) for form in roots), *read])
    for views in VIEWED[1:]:
        steps += _viewed_steps(roots, views)
        steps += [Step(replace(form, views=views), "likeness") for form in roots if len(roots) > 1]
    return [*steps, *(Step(form, "logistic") for form in plain), *tunings_at_hand()]


def _viewed_steps(forms: Sequence[PartForm], views: tuple[str, ...]) -> list[Step]:
    viewed = [replace(form, views=views) for form in forms]
    return [*(Step(form, "linear") for form in viewed), *_together(viewed)]


def _together(forms: Sequence[PartForm]) -> list[Step]:
    """Return the likeness by all parts, where there are any."""
    return [Step(forms[0], "likeness", tuple(forms[1:]))] if forms else []


def composed(winner: Winner, truth: Truth, task: Task) -> tuple[list[Part], list[Head], list[dict[str, Any]]]:
    """Return the distinct parts of the winner, the head on each, and what its card says besides of each.

    Members that share a part are one head on it. Each head learns from all covers, or has done so.

    Returns
    -------
    Parts, heads, and of each part `share`: how much of what makes logits differ between covers is its; `members`.
    """
    parts: dict[str, list[tuple[float, Member]]] = {}
    for weight, member in winner.members:
        parts.setdefault(member.part.key, []).append((weight, member))
    fitted = [_head_of(of_part, truth, task) for of_part in parts.values()]
    spreads = [
        float(head.logits(of_part[0][1].features()).std(axis=0).mean())
        for head, of_part in zip(fitted, parts.values(), strict=True)
    ]
    told = [
        {"share": round(spread / (sum(spreads) or 1.0), 4), "members": [_told(*member) for member in of_part]}
        for spread, of_part in zip(spreads, parts.values(), strict=True)
    ]
    return [of_part[0][1].part for of_part in parts.values()], fitted, told


def _head_of(members: Sequence[tuple[float, Member]], truth: Truth, task: Task) -> Head:
    """Return the weighted sum of heads on the same features, each of which learns from all covers."""
    genres = len(task.genres)
    features = members[0][1].features()
    weight, bias = np.zeros((genres, features.shape[1])), np.zeros(genres)
    for share, member in members:
        head = member.head or blends.refitted(member.form, features, truth, task=task.kind, genres=genres)
        weight, bias = weight + share * head.weight, bias + share * head.bias
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def _told(weight: float, member: Member) -> dict[str, Any]:
    kind, strength = (member.form.kind, member.form.strength) if member.head is None else ("its own", None)
    return {"what": member.what, "head": kind, "strength": strength, "weight": round(weight, 6)}
