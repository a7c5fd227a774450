"""Checks 1 and 2, artefacts: how well a cover's file, and what was done to its pixels, tell the genre.

What the art itself can sway (a busy cover takes more bytes, and has more fine detail, than a plain one) is measured and
told, and left out of what is judged: that a genre has busy covers is no artefact.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.pixels import packed_pixels
from sleevenotes.covers.places import Places, places
from sleevenotes.covers.properties import SWAYED as SWAYED_PROPERTIES, properties_of
from sleevenotes.covers.traces import NAMES as TRACES, SWAYED as SWAYED_TRACES, dataset_traces
from sleevenotes.judge.audit.findings import SIGNIFICANT, Finding, Measured, Verdict
from sleevenotes.judge.audit.probe import Told, probe
from sleevenotes.judge.audit.scores import CHANCE, METRIC, in_words
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.rulers import Figure, figure_of

BROKEN_AUC = 0.75
"""ROC AUC without looking at the art, from whose interval's low end on a dataset is `broken`."""
MATTERING_AUC = 0.65
"""ROC AUC of traces, by whose interval's low end below which they are `clean`: no trace can be freed of the art."""
TELLING = 0.05  # above chance, by itself: what is named as giving the genre away
NAMED = 4
PLACES_PX = 128
STANDOUT = 5.0
"""Robust standard deviations by which a place has to rise above those around it, or marks are `clean`."""
SHUFFLES = 200
MORE_SHUFFLES = 2000  # where the first ones are all but passed, so that p can survive correction
_BY_CHANCE = "clean where the genre is told no better than by chance (p of at least 0.05)"
RULES = {
    "file-properties": (
        f"File properties: {_BY_CHANCE}; broken where the interval of their ROC AUC begins at {BROKEN_AUC:g} or above, "
        "else suspicious. File size and bytes per pixel, which busy art sways, are told and not judged."
    ),
    "file-names": "Patterns of file names: as file properties.",
    "pixel-traces": (
        f"Traces in the pixels: {_BY_CHANCE}, or the interval of their ROC AUC begins below {MATTERING_AUC:g}, as none "
        f"can be freed of the art altogether; broken where it begins at {BROKEN_AUC:g} or above, else suspicious."
    ),
    "marked-places": (
        f"Marks at a fixed place: {_BY_CHANCE}, or no place stands out from those around it by {STANDOUT:g} robust "
        f"standard deviations; broken where the most telling place has a ROC AUC of {BROKEN_AUC:g} or more, else "
        "suspicious."
    ),
}
NAME_COLUMNS = "file name"  # is in what columns about a file's name are called

Columns = tuple[Sequence[str], NDArray[np.floating], Collection[str]]
"""Names of columns, their values (n, F), and which of them the art can sway."""


def written(subject: Subject) -> Finding:
    """Return how well the properties of files, but for their names, tell the genre.

    `suspicious` where they tell more than chance, `broken` where the interval of their ROC AUC begins at 0.75 or
    above, else `clean`.
    """
    return _told_by(
        subject,
        _properties(subject, of_names=False),
        id="file-properties",
        check=1,
        title="The genre from file properties alone",
        tested=(
            "Gradient boosting on what a file tells without its pixels: size, shape, format, how it was compressed, "
            "metadata; cross-validated, groups apart."
        ),
        details_key="properties",
    )


def named(subject: Subject) -> Finding:
    """Return how well the patterns of file names tell the genre; judged as `written`."""
    return _told_by(
        subject,
        _properties(subject, of_names=True),
        id="file-names",
        check=1,
        title="The genre from the patterns of file names",
        tested=(
            "The same on what names look like, not what they say: length, shares of digits and letters, the shape that "
            "is left when each run of digits or letters is one."
        ),
        details_key="properties",
        advice=(
            "No network sees a name. But genres whose files were named differently were filed at different times or "
            "places: look for what else differs, and give all files new names."
        ),
    )


def _properties(subject: Subject, *, of_names: bool) -> Columns:
    table = properties_of(subject.dataset)
    kept = np.array([(NAME_COLUMNS in column) == of_names for column in table.columns])
    columns = [column for column, is_kept in zip(table.columns, kept, strict=True) if is_kept]
    return columns, table.values[:, kept], SWAYED_PROPERTIES


def traced(subject: Subject) -> Finding:
    """Return how well traces of processing in the pixels tell the genre.

    Judged as `written`, but that the interval has to begin at 0.65 or above: traces can't be freed of the art
    altogether, and genres that merely look different are told by them a little.
    """
    numbers = dataset_traces(subject.dataset, progress=subject.progress)
    return _told_by(
        subject,
        (TRACES, numbers, SWAYED_TRACES),
        id="pixel-traces",
        check=2,
        title="The genre from traces of processing in the pixels",
        tested=(
            "Gradient boosting on what scaling, compressing and framing leave in decoded pixels, whatever they show; "
            "cross-validated, groups apart."
        ),
        details_key="traces",
        least=MATTERING_AUC,
    )


def marked_places(subject: Subject) -> Finding:
    """Return whether one small place tells the genre far better than others do, as a watermark or sticker would.

    `suspicious` where it does beyond chance, and stands out by 5 robust standard deviations; `broken` where its ROC AUC
    is also 0.75 or more, else `clean`. Where covers have several genres, it is the commonest against the rest.
    """
    dataset, target = subject.dataset, subject.target
    pixels = packed_pixels(dataset.paths, dataset.digests, PLACES_PX, folder=dataset.cache, progress=subject.progress)
    truth = target.truth.argmax(axis=1) if target.exclusive else 1 - target.truth[:, 0]
    look = partial(
        places,
        np.asarray(pixels),
        truth,
        target.folds(),
        int(truth.max()) + 1,
        groups=dataset.groups,
        seed=subject.seed,
    )
    found = look(shuffles=SHUFFLES)
    return _of_places(subject, look(shuffles=MORE_SHUFFLES) if found.p <= 2 / SHUFFLES else found)


def _of_places(subject: Subject, found: Places) -> Finding:
    best, middle = float(found.score[found.best]), float(np.median(found.score))
    verdict: Verdict = "clean"
    if found.p <= SIGNIFICANT and found.standout >= STANDOUT:
        verdict = "broken" if best >= BROKEN_AUC else "suspicious"
    left, top, right, bottom = (float(edge) for edge in found.box[found.best])
    where = f"{left:.0%} to {right:.0%} from the left, {top:.0%} to {bottom:.0%} from the top"
    covers = subject.dataset
    order = np.argsort(-found.score, kind="stable")[:NAMED]
    return Finding(
        id="marked-places",
        check=2,
        title="Marks at a fixed place",
        tested=(
            f"How well each of {len(found.score):,} small patches, freed of colour and brightness, tells the genre, "
            "against the other patches."
        ),
        measured=Measured(
            METRIC, best, None, None, chance=middle, p=float(found.p), n=len(covers),
            groups=len(set(covers.groups)),
        ),
        verdict=verdict,
        words=(
            f"The most telling patch, {where}, gets {best:.3f}, the median patch {middle:.3f}; "
            f"it stands out from those around it by {found.standout:.1f} robust standard deviations."
        ),
        advice="Look at that place on covers of each genre; cut the mark off, or mask it.",
        command=f"sleevenotes check {covers.folder}",
        details={
            "places": [
                {"box": [float(edge) for edge in found.box[place]], "score": float(found.score[place])}
                for place in order
            ]
        },
    )  # fmt: skip


def _told_by(
    subject: Subject,
    table: Columns,
    *,
    details_key: str,
    check: int,
    advice: str = "Send all covers through one identical path, and measure again.",
    least: float = CHANCE,
    **told: str,
) -> Finding:
    names, numbers, swayed = table
    free = np.array([name not in swayed for name in names])
    judged = probe(numbers[:, free], subject.target)
    whole = judged if free.all() else probe(numbers, subject.target)
    verdict: Verdict = "clean"
    if judged.p <= SIGNIFICANT and judged.low >= least:  # never with too few covers, as there the end is nan
        verdict = "broken" if judged.low >= BROKEN_AUC else "suspicious"
    ranked = sorted(zip(names, whole.alone.tolist(), strict=True), key=lambda pair: -pair[1])
    covers = subject.dataset
    return Finding(
        **told,  # type: ignore[arg-type]  # id, title and tested
        check=check,
        measured=Measured(
            METRIC, **_estimate(judged), chance=CHANCE, p=judged.p, n=len(covers),
            groups=len(set(covers.groups)),
        ),
        verdict=verdict,
        words=_words(judged, whole, [pair for pair in ranked if pair[0] not in swayed]),
        advice=advice,
        command=f"sleevenotes harmonise {covers.folder} -o {covers.folder}-harmonised",
        details={
            details_key: [{"name": name, "auc": auc, "swayed": name in swayed} for name, auc in ranked],
            "with_what_art_sways": _estimate(whole),
        },
    )  # fmt: skip


def _words(judged: Told, whole: Told, ranked: Sequence[tuple[str, float]]) -> str:
    words = f"They tell the genre with a {METRIC} of {in_words(_estimate(judged))}"
    giving = [f"{name} ({auc:.2f} by itself)" for name, auc in ranked[:NAMED] if auc >= CHANCE + TELLING]
    if judged.p <= SIGNIFICANT and giving:
        words += f"; what gives it away: {', '.join(giving)}"
    if whole is judged:
        return f"{words}."
    return f"{words}. With what the art itself can sway it is {in_words(_estimate(whole))}."


def _estimate(told: Told) -> Figure:
    return figure_of(told.auc, told.low, told.high)
