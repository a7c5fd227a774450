"""The audit: every check that can be made of a dataset, and of a model that is to be trusted on it.

======= ===================== ======================================================================
check   what                  needs
======= ===================== ======================================================================
1       file properties       nothing
2       pixel traces, places  nothing
3       harmonised            a model
4       swapped               a model
5       control               a model, and covers of one source (`Control`)
6       leaks and their price nothing
7       labels                nothing
8       text or picture       a model, and the text detector
9       explanations          a model with a network
======= ===================== ======================================================================

`audit` writes `audit.json`: the worst verdict of all, each finding, and what was left out and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sleevenotes.covers.check import near_duplicates
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.files import write_json
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import AuditError
from sleevenotes.judge.audit import artefacts, control, explanations, labels, leaks, lettering, transforms
from sleevenotes.judge.audit.control import Control
from sleevenotes.judge.audit.findings import VERDICTS, Finding, LeftOut, settled, worst
from sleevenotes.judge.audit.scores import in_words
from sleevenotes.judge.audit.subject import Subject, refuse_other_genres
from sleevenotes.judge.audit.within import narrowed, within
from sleevenotes.judge.figures import Answers
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.scoring_log import log_scoring

FORMAT = 1
AUDIT_NAME = "audit.json"
MODEL_FOLDER = "model"
COLLECTION_FOLDER, NARROWED_FOLDER = "collection", "narrowed"
CHECKS = {
    1: "File properties",
    2: "Traces in the pixels",
    3: "Harmonised",
    4: "Swapped",
    5: "Control",
    6: "Leaks",
    7: "Labels",
    8: "Text or picture",
    9: "Explanations",
}
OF_MODELS = frozenset({3, 4, 5, 8, 9})
RULES = {
    identity: rule
    for check in (artefacts, transforms, control, leaks, labels, lettering, explanations)
    for identity, rule in check.RULES.items()
}
"""By which each finding is judged, after p was corrected."""

Found = Finding | LeftOut


def _quiet(line: str) -> None:
    """Say nothing."""


def _still(done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class AuditSettings:
    """What to audit, and how.

    Parameters
    ----------
    model
        Name of a model to train and audit; None audits the dataset alone, unless `trained` is given.
    trained
        Folder of a model that was trained on this dataset.
    collection
        Of a joined dataset, the one that is audited; empty for any other dataset.
    checks
        Numbers of the checks to make.
    control
        Covers of one source for check 5.
    size_px, quality
        Of harmonised covers; the size is found where None.
    price
        Whether heads are trained anew: twenty for the price of leaking, five for genres that models contradict.
    seed
        Random seed.
    options
        How `model` is trained.
    say, progress
        Are told what happens: a line, and how much of how much is done.
    """

    model: str | None = None
    trained: Path | None = None
    collection: str = ""
    checks: frozenset[int] = frozenset(CHECKS)
    control: Control | None = None
    size_px: int | None = None
    quality: int = 85
    price: bool = True
    seed: int = 0
    options: Options = field(default_factory=Options, repr=False)
    say: Callable[[str], None] = field(default=_quiet, repr=False)
    progress: Callable[[int, int], None] = field(default=_still, repr=False)


def audit(dataset: Dataset, out: Path, settings: AuditSettings | None = None) -> dict[str, Any]:
    """Audit a dataset, and a model on it, and write `audit.json`.

    Parameters
    ----------
    dataset
        Split.
    out
        For `audit.json`, pictures, and models that are trained for checks.

    Returns
    -------
    What stands in `audit.json`.

    Raises
    ------
    AuditError
        If there is no such check or collection, the model is for other genres or learnt from the test side, the
        control has too few covers, or genres of some covers are unknown.
    ModelError
        If the model's `scorings.jsonl` can't be written: what it says of the test side is logged first.
    SplitError
        Where the dataset is not split.
    """
    settings = settings or AuditSettings()
    out = Path(out)
    _refuse(out, settings)
    trained = settings.trained  # another folder takes its place if it has to be narrowed to one collection
    if settings.collection:
        dataset, settings = _one_collection(dataset, out, settings)
    subject = Subject.of(dataset, None, out, seed=settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    model = _model(dataset, out, settings)
    subject = Subject.of(dataset, model, out, seed=settings.seed, progress=settings.progress)
    if model is not None and settings.checks & OF_MODELS:
        described = {"name": dataset.folder.resolve().name, "fingerprint": dataset.fingerprint, "covers": len(dataset)}
        asked = Model.load(trained) if trained else model
        log_scoring(asked, by="audit", split="test", dataset=described, n=len(subject.test))
    found: list[Found] = []
    for one in _made(subject, settings):
        settings.say(f"check {one.check}, {one.title}: {_said(one)}")
        found.append(one)
    findings = settled([one for one in found if isinstance(one, Finding)])
    left_out = [one for one in found if isinstance(one, LeftOut)]
    told = _told(subject, settings, findings, left_out)
    write_json(out / AUDIT_NAME, told)
    return told


def _refuse(out: Path, settings: AuditSettings) -> None:
    unknown = settings.checks - set(CHECKS)
    if unknown or not settings.checks:
        found = f"no check {', '.join(map(str, sorted(unknown)))}" if unknown else "no check at all"
        raise AuditError("audit", found, f"Checks are 1 to {max(CHECKS)}")
    if settings.model and settings.trained:
        raise AuditError("audit", "a model to train and one that is trained", "Give one of both")
    if out.is_file():
        raise AuditError(str(out), "a file", "a folder for the audit", "Name another with -o")
    if settings.control is not None:
        settings.control.covers()  # what is wrong with it is said before anything takes its time


def _one_collection(dataset: Dataset, out: Path, settings: AuditSettings) -> tuple[Dataset, AuditSettings]:
    """Return one collection of a join, and the settings with a trained model as far as its genres go."""
    part = within(dataset, settings.collection, out / COLLECTION_FOLDER)
    if settings.trained is None:
        return part, settings
    genres, model = Task.of(part).genres, Model.load(settings.trained)
    refuse_other_genres(model, Task.of(dataset), dataset)
    return part, replace(settings, trained=narrowed(model, list(genres), out / NARROWED_FOLDER))


def _model(dataset: Dataset, out: Path, settings: AuditSettings) -> Model | None:
    if settings.trained is not None:
        return Model.load(settings.trained)
    if settings.model is None:
        return None
    options = replace(settings.options, seed=settings.seed, resume=True, progress=settings.progress)
    return train(dataset, settings.model, out / MODEL_FOLDER, options)


def _said(one: Found) -> str:
    """Return a check in a few words; its verdict has to wait for the correction."""
    if isinstance(one, LeftOut):
        return one.why
    measured = one.measured
    estimate = {name: getattr(measured, name) for name in ("value", "low", "high", "too_few")}
    return f"{measured.metric} {in_words(estimate)}"


def _made(subject: Subject, settings: AuditSettings) -> Iterator[Found]:
    """Make each check that was asked for, in order."""
    wanted = settings.checks
    for check in sorted(wanted & OF_MODELS) if subject.model is None else ():
        yield LeftOut(check, CHECKS[check], "no model is audited", f"sleevenotes audit {subject.dataset.folder}")
    if 1 in wanted:
        yield artefacts.written(subject)
        yield artefacts.named(subject)
    if 2 in wanted:
        yield artefacts.traced(subject)
        yield artefacts.marked_places(subject)
    if subject.model is not None:
        yield from _of_model(subject, settings)
    if wanted & {6, 7}:
        yield from _of_pairs(subject, settings)


def _of_pairs(subject: Subject, settings: AuditSettings) -> Iterator[Found]:
    """Make the checks that rest on near-duplicates."""
    whole = Dataset.open(subject.dataset.folder)
    pairs = near_duplicates(whole)
    if 6 in settings.checks:
        yield leaks.across_sides(subject, _within(pairs, whole, subject.dataset))
        if settings.price:
            yield leaks.price(subject)
    if 7 in settings.checks:
        yield labels.double_labels(whole, pairs, seed=subject.seed)
        if settings.price:
            answers = Answers(subject.truth, subject.out_of_fold, subject.dataset.groups)
            genres = subject.task.genres
            told = labels.contradicted(subject.dataset, answers, genres=genres, out=subject.out, seed=subject.seed)
            yield told if isinstance(told, LeftOut) else told.finding()


def _of_model(subject: Subject, settings: AuditSettings) -> Iterator[Found]:
    wanted, after = settings.checks, None
    if 3 in wanted:
        finding, after = transforms.harmonised(subject, size_px=settings.size_px, quality=settings.quality)
        yield finding
    if 4 in wanted:
        yield transforms.swapped(subject)
    if 5 in wanted and settings.control is not None:
        yield control.controlled(subject, settings.control, after)
    elif 5 in wanted:
        why = "no covers were named in which both kinds come from one source"
        command = f"sleevenotes audit {subject.dataset.folder} --control DATASET --control-genre GENRE"
        yield LeftOut(5, CHECKS[5], why, command)
    if 8 in wanted:
        yield lettering.text_or_picture(subject)
    if 9 in wanted:
        yield from explanations.trusted(subject)


def _within(pairs: Sequence[Pair], whole: Dataset, part: Dataset) -> list[Pair]:
    """Return the pairs of which both covers are in a part of the dataset, by its rows."""
    row = {name: index for index, name in enumerate(part.file_names)}
    names = whole.file_names
    return [
        pair._replace(a=row[names[pair.a]], b=row[names[pair.b]])
        for pair in pairs
        if names[pair.a] in row and names[pair.b] in row
    ]


def _told(
    subject: Subject, settings: AuditSettings, findings: Sequence[Finding], left_out: Sequence[LeftOut]
) -> dict[str, Any]:
    dataset, model = subject.dataset, subject.model
    told = {name: getattr(settings, name) for name in ("size_px", "quality", "price")}
    return {
        "format": FORMAT,
        "verdict": worst([finding.verdict for finding in findings]),
        "words": words(findings, left_out),
        "dataset": {
            "name": dataset.name,
            "fingerprint": Dataset.open(dataset.folder).fingerprint,
            "covers": len(dataset),
            "genres": list(subject.task.genres),
            "task": subject.task.kind,
        },
        "model": None if model is None else model.name,
        "findings": [finding.plain() for finding in findings],
        "left_out": [asdict(one) for one in left_out],
        "rules": {finding.id: RULES[finding.id] for finding in findings},
        "settings": {**told, "checks": sorted(settings.checks)},
        "seed": settings.seed,
        "versions": {name: version(name) for name in ("sleevenotes", "numpy", "scikit-learn")},
    }


def words(findings: Sequence[Finding], left_out: Sequence[LeftOut]) -> str:
    """Return an audit in a sentence or two: what is broken, what is suspicious, and what was not looked at."""
    parts = []
    for verdict in reversed(VERDICTS[1:]):
        titles = [finding.title[0].lower() + finding.title[1:] for finding in findings if finding.verdict == verdict]
        if titles:
            parts.append(f"{verdict.capitalize()}: {'; '.join(titles)}.")
    clean = sum(finding.verdict == "clean" for finding in findings)
    parts.append(f"{clean} of {len(findings)} findings are clean.")
    if left_out:
        parts.append(f"{len(left_out)} {'check was' if len(left_out) == 1 else 'checks were'} left out.")
    return " ".join(parts)
