"""The subject of an audit: a dataset, and the model that is to be trusted on it.

Answers about the test side come from the model itself. Answers about every cover come from a model that is
cross-validated on features, with groups apart: on the subject's own where those learnt from none of the covers, else
on those of a pretrained backbone, or of colours where none is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import folds as fold_numbers
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import AuditError, SplitError
from sleevenotes.judge.audit.probe import Target
from sleevenotes.judge.audit.scores import Ruler
from sleevenotes.judge.audit.within import refuse_unknown
from sleevenotes.judge.evaluation import score, training_settings
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.metrics import Floats
from sleevenotes.judge.unseen import has_own_split, known_pictures
from sleevenotes.learn import backbones, heads
from sleevenotes.learn.calibration import fit_temperature, proba_of
from sleevenotes.learn.extractors import ColorExtractor
from sleevenotes.learn.features import Extractor, dataset_features
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, train

BACKBONE = "mobilenet_v2"
FOLDS = 5
VALID_PART = 8  # in a fold, one of so many parts of what is left chooses and calibrates
MOST_GENRES = 10  # of several a cover: the commonest are asked for
LEAST_COVERS = 30


@dataclass(frozen=True)
class Subject:
    """What is audited.

    Parameters
    ----------
    dataset
        Split; only covers that take part.
    task
        Its task.
    model
        The model that was trained on it; None where only the dataset is audited.
    out
        Where pictures and models go.
    seed
        Random seed.
    """

    dataset: Dataset
    task: Task
    model: Model | None
    out: Path
    seed: int = 0
    progress: Callable[[int, int], None] = field(default=lambda done, total: None, repr=False)

    @classmethod
    def of(cls, dataset: Dataset, model: Model | None, out: Path, **settings: Any) -> Subject:
        """Take the covers of a dataset that have a side and a truth.

        Raises
        ------
        SplitError
            Where the dataset is not split.
        AuditError
            Where the model is for other genres than the dataset's, or learnt from its test side, or genres of some
            covers are unknown.
        """
        task = Task.of(dataset)
        sides = np.array(dataset.column("split"))
        covers = dataset.where(task.answerable(dataset.genre_lists) & (sides != ""))
        for side in ("train", "test"):
            if side not in covers.column("split"):
                cure = f"Run `sleevenotes split {dataset.folder} --again`"
                raise SplitError(str(dataset.folder), f"no cover in {side}", "covers in train, valid and test", cure)
        refuse_unknown(covers, task)
        if model is not None:
            refuse_other_genres(model, task, covers)
            _refuse_learnt(model, dataset, covers.in_split("test"))
        return cls(covers, task, model, out, **settings)

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """Truth of every cover, (n,) or (n, K)."""
        return self.task.truth(self.dataset.genre_lists)

    @cached_property
    def target(self) -> Target:
        """What properties of covers might tell: the genre, or each of the commonest where a cover has several."""
        if self.task.kind != "multi":
            return Target.of_one(self.truth, self.dataset.groups, seed=self.seed)
        counts = self.truth.sum(axis=0)
        common = [genre for genre in np.argsort(-counts, kind="stable")[:MOST_GENRES] if counts[genre] >= LEAST_COVERS]
        return Target(self.truth[:, common or [int(counts.argmax())]], self.dataset.groups, False, self.seed)

    @cached_property
    def test(self) -> Dataset:
        """The covers of the test side."""
        return self.dataset.in_split("test")

    @property
    def ruler(self) -> Ruler:
        """What gives figures their intervals."""
        return Ruler(self.seed)

    @cached_property
    def answers(self) -> Answers:
        """What the model says of the test side."""
        return self.ask(self.trusted, self.test)

    @property
    def trusted(self) -> Model:
        """The model; an error where none is audited."""
        if self.model is None:
            raise AuditError(str(self.dataset.folder), "no model is audited", "a model for this check")
        return self.model

    def ask(self, model: Model, covers: Dataset) -> Answers:
        """Return what a model says of covers that have a truth under the task."""
        return score(model, covers, progress=self.progress).answers

    def trained_alike(self, dataset: Dataset, out: Path) -> Model:
        """Train another model just as the audited one was, on another dataset; one that is there is taken."""
        model = self.trusted
        options = Options(
            seed=model.card["seed"],
            resume=True,
            training=training_settings(model),
            backbone_of=model.lends,
            progress=self.progress,
        )
        return train(dataset, model.name, out, options)

    @cached_property
    def frozen(self) -> tuple[Extractor, str]:
        """Features that were learnt from none of these covers, and what they are called."""
        if self.model is not None and not self.model.has_learnt_features:
            return self.model.extractor, self.model.name
        if backbones.at_hand(BACKBONE):
            return backbones.extractor(BACKBONE), f"{BACKBONE}, which stands in"
        return ColorExtractor(), "colours, which stand in"

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Those features of every cover, (n, D)."""
        return dataset_features(self.dataset, self.frozen[0], progress=self.progress)

    @cached_property
    def out_of_fold(self) -> Floats:
        """What cross-validated models say of every cover, (n, K), calibrated."""
        return cross_validated(self.features, self.truth, self.dataset.groups, self.task, seed=self.seed)

    def on(self, dataset: Dataset) -> Subject:
        """Return the subject with other covers."""
        return replace(self, dataset=dataset)


def cross_validated(
    features: NDArray[np.float32], truth: NDArray[np.int64], groups: list[str], task: Task, *, seed: int
) -> Floats:
    """Return what logistic regression says of covers it has not seen, (n, K), groups apart, calibrated in each fold."""
    fold = fold_numbers(groups, truth, min(FOLDS, len(set(groups))), seed)
    proba = np.zeros((len(truth), len(task.genres)))
    names = np.asarray(groups)
    for number in range(fold.max() + 1):
        rest = np.flatnonzero(fold != number)
        chosen = fold_numbers(names[rest], truth[rest], VALID_PART, seed) == 0
        learn, valid, out = rest[~chosen], rest[chosen], np.flatnonzero(fold == number)
        kind, genres = task.kind, len(task.genres)
        head, _ = heads.choose(
            (features[learn], truth[learn]), (features[valid], truth[valid]), task=kind, genres=genres
        )
        temperature = fit_temperature(head.logits(features[valid]), truth[valid], task=kind)
        proba[out] = proba_of(head.logits(features[out]), task=kind, temperature=temperature)
    return proba


def refuse_other_genres(model: Model, task: Task, covers: Dataset) -> None:
    """Refuse a model that is for other genres than a dataset's.

    Raises
    ------
    AuditError
        Naming both.
    """
    if (model.task, model.genres) != (task.kind, task.genres):
        raise AuditError(
            str(model.folder),
            f"a model for {model.task}: {_few(model.genres)}",
            f"One for the dataset's genres, {task.kind}: {_few(task.genres)}",
            f"Train one: `sleevenotes train {covers.folder} -o {covers.folder}-model`",
        )


def _refuse_learnt(model: Model, dataset: Dataset, test: Dataset) -> None:
    if has_own_split(model, dataset):
        return  # near-duplicates in test are then what the check for leaks is to find
    seen = int(known_pictures(model, dataset, test).sum())
    if seen:
        raise AuditError(
            str(model.folder),
            f"it learnt from {seen:,} of the covers that are now in test",
            "a model that has never seen the test side",
            "Train it again on this split",
        )


def _few(genres: tuple[str, ...]) -> str:
    return ", ".join(genres[:8]) + (", …" if len(genres) > 8 else "")
