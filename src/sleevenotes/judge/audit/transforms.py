"""Checks 3 and 4: what becomes of a model where covers of all genres have been through the same.

*Harmonised*: every cover goes through one identical path, and the model is trained and asked anew. What it loses, it
had from what the covers had been through before. *Swapped*: covers of one genre take the file properties of another's,
and the very same model is asked again. Answers that move were about files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.collect.disguises import WORDS, disguised, drawn, words_of
from sleevenotes.collect.harmonising import HarmoniseSettings, harmonise, size_below_all
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing
from sleevenotes.covers.images import decode, encode
from sleevenotes.covers.properties import file_properties
from sleevenotes.covers.sheets import contact_sheet
from sleevenotes.judge.audit.artefacts import traced, written
from sleevenotes.judge.audit.findings import SIGNIFICANT, Finding, Measured, Verdict
from sleevenotes.judge.audit.scores import CHANCE, METRIC, above_chance, in_words
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.intervals import TOO_FEW, paired_test
from sleevenotes.judge.rulers import Figure, average_of, figure_of, plain
from sleevenotes.learn.model import Model

LOST = 0.5
"""Share of what a model has above chance, by losing more than which it is `broken`."""
FLIPPED = 0.25
"""Share of answers that move towards the other genre, above the neutral disguise, from which a model is `broken`."""
RULES = {
    "harmonised": (
        "One identical path: clean where the model loses nothing by it beyond chance (p of at least 0.05); broken "
        f"where it loses more than {LOST:.0%} of what it has above chance, else suspicious."
    ),
    "swapped": (
        "Swapped file properties: clean where no more answers move to the genre whose properties were taken than move "
        "there with the properties of their own genre (p of at least 0.05); broken where the difference is "
        f"{FLIPPED:.0%} of the covers or more, else suspicious."
    ),
}
MOST_COVERS = 400  # that are swapped
SHEET_NAME = "swapped.jpg"
SHOWN = 4


def harmonised(subject: Subject, *, size_px: int | None = None, quality: int = 85) -> tuple[Finding, Model]:
    """Return what the model scores before and after one identical path for all covers, and the model after.

    `broken` where it loses significantly, and more than half of what it had above chance; `suspicious` where it loses
    significantly, else `clean`. The same covers of test are asked for, and the same covers learnt from.

    Raises
    ------
    DatasetError
        Where covers are too small for the size.
    """
    folder = subject.out / "harmonised"
    settings = HarmoniseSettings(size_px or size_below_all(subject.dataset), quality, subject.seed)
    made = harmonise(subject.dataset, folder, settings, progress=subject.progress)
    model = subject.trained_alike(made.dataset, subject.out / "harmonised-model")
    kept = np.array(made.dataset.column("split")) == "test"
    names = set(np.array(subject.dataset.file_names)[made.rows[kept]].tolist())
    same = np.array([name in names for name in subject.test.file_names])
    before = subject.ask(subject.trusted, subject.test.where(same))
    after = subject.ask(model, _in_order(made.dataset, made.rows, kept))
    difference, p = subject.ruler.paired(before, after)
    told = {"before": subject.ruler.estimate(before), "after": subject.ruler.estimate(after), "difference": difference}
    verdict: Verdict = "clean"
    if p is not None and p <= SIGNIFICANT and float(difference["value"] or 0) > 0:
        lost = above_chance(told["before"]) - above_chance(told["after"])
        verdict = "broken" if lost > LOST * above_chance(told["before"]) else "suspicious"
    rest = subject.on(made.dataset)
    left = {"properties_after": _auc(written(rest)), "traces_after": _auc(traced(rest))}
    state, gone = made.state, len(subject.dataset) - len(made.dataset)
    finding = Finding(
        id="harmonised",
        check=3,
        title="The model before and after one identical path",
        tested=(
            f"{subject.trusted.name}, trained and tested anew on covers that were all shrunk to {state['size_px']} px "
            f"and written as JPEGs of quality {quality}, without metadata."
        ),
        measured=Measured(
            f"loss of {METRIC}", **difference, chance=0.0, p=p, n=len(before.truth), groups=len(set(before.groups))
        ),
        verdict=verdict,
        words=(
            f"Before, its {METRIC} is {in_words(told['before'])}, after it {in_words(told['after'])}: a loss of "
            f"{in_words(difference)}, where chance is {CHANCE}. On the harmonised covers file properties get "
            f"{in_words(left['properties_after'])}, and traces in the pixels {in_words(left['traces_after'])}."
        ),
        advice="Believe the figure after it, as far as a control bears it out.",
        command=f"sleevenotes harmonise {subject.dataset.folder} -o {subject.dataset.folder}-harmonised",
        details={**told, **left, "size_px": state["size_px"], "quality": quality, "left_out": gone},
        files=[("harmonised/harmonised.png", "Covers before and after, and the difference enlarged")],
    )  # fmt: skip
    return finding, model


def _in_order(dataset: Dataset, rows: NDArray[np.intp], kept: NDArray[np.bool_]) -> Dataset:
    """Return the kept covers of a harmonised dataset in the order of the covers that they were made of."""
    order = [int(index) for index in np.argsort(rows, kind="stable") if kept[index]]
    return Dataset(dataset.folder, dataset.covers[order])


def _auc(finding: Finding) -> dict[str, float | None]:
    measured = finding.measured
    return {"value": measured.value, "low": measured.low, "high": measured.high}


def swapped(subject: Subject) -> Finding:
    """Return how many answers move where covers take the file properties of another genre's.

    Writing a cover anew moves answers by itself, so that the same is done with the properties of other covers of its
    own genre. `broken` where the share of answers that move to the genre whose properties were taken is significantly
    more than with those, by a quarter of the covers; `suspicious` where it is significantly more, else `clean`.
    """
    covers, target = subject.test, _primary(subject)
    rng = np.random.default_rng(subject.seed)
    rows = np.sort(rng.permutation(len(covers))[:MOST_COVERS])
    pools = {genre: (np.flatnonzero(target != genre), np.flatnonzero(target == genre)) for genre in np.unique(target)}
    givers, own = (
        np.array(drawn(rows.tolist(), [pools[target[row]][kind].tolist() for row in rows], subject.seed))
        for kind in (0, 1)
    )
    genres = target[givers]  # that each cover is dressed up as
    as_is = _named(subject, (covers.path(int(row)) for row in rows))
    other = _named(subject, disguised(covers, rows.tolist(), givers.tolist()))
    neutral = _named(subject, disguised(covers, rows.tolist(), own.tolist()))
    moved, moved_anyway = ((said == genres) & (as_is != genres) for said in (other, neutral))
    groups = np.asarray(covers.groups)[rows]
    test = paired_test(moved, moved_anyway, groups)
    verdict: Verdict = "clean"
    if test.p <= SIGNIFICANT and test.difference > 0:
        verdict = "broken" if test.difference >= FLIPPED else "suspicious"
    told = {"flipped": average_of(moved, groups), "neutral": average_of(moved_anyway, groups)}
    told["changed"] = average_of(other != as_is, groups)
    return Finding(
        id="swapped",
        check=4,
        title="File properties swapped between genres",
        tested=f"{len(rows):,} test covers. {WORDS} Compared with the properties of another cover of their own genre.",
        measured=Measured(
            "share of answers that move to the other genre, above the neutral disguise",
            **figure_of(test.difference, test.low, test.high), chance=0.0, p=plain(test.p), n=len(rows),
            groups=len(set(groups.tolist())),
        ),
        verdict=verdict,
        words=(
            f"Dressed as covers of another genre, {_percent(told['flipped'])} of the answers move to that genre; in "
            f"the properties of their own, {_percent(told['neutral'])} do. {_percent(told['changed'])} move anywhere."
        ),
        advice="The model reads files. Train it on harmonised covers.",
        command=f"sleevenotes harmonise {subject.dataset.folder} -o {subject.dataset.folder}-harmonised",
        details=told,
        files=[_sheet(subject, rows, givers)],
    )  # fmt: skip


def _primary(subject: Subject) -> NDArray[np.int64]:
    """Return the genre of each test cover, (n,); the first of several."""
    truth = subject.task.truth(subject.test.genre_lists)
    return truth.argmax(axis=1) if truth.ndim == 2 else truth


def _named(subject: Subject, covers: Iterable[Path | bytes]) -> NDArray[np.int64]:
    """Return which genre the model names first for each cover."""
    predictions = subject.trusted.predict(covers)
    return np.array([-1 if one.proba is None else int(one.proba.argmax()) for one in predictions])


def _percent(share: Figure) -> str:
    low, high = share["low"], share["high"]
    ends = TOO_FEW if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"
    return f"{share['value']:.1%} ({ends})"


def _sheet(subject: Subject, rows: NDArray[np.intp], givers: NDArray[np.intp]) -> tuple[str, str]:
    """Write covers as they are beside what was made of them."""
    covers, shown, captions = subject.test, [], []
    for row, made in zip(rows[:SHOWN], disguised(covers, rows[:SHOWN].tolist(), givers[:SHOWN].tolist()), strict=True):
        like = covers.path(int(givers[row == rows][0]))
        shown.append([decode(covers.path(int(row))), decode(made)])
        captions.append(["as it is", words_of(file_properties(like.read_bytes(), like.name))])
    with replacing(subject.out / SHEET_NAME) as partial:
        partial.write_bytes(encode(contact_sheet(shown, captions=captions, tile_px=220), "jpeg"))
    return SHEET_NAME, "Covers as they are, and with the file properties of another genre's"
