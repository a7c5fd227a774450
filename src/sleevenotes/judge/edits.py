"""Genres that were changed after a model could be asked about the covers they judge it by.

Whoever corrects genres in sight of a model's answers corrects those that contradict it, and leaves alone those that are
as wrong and agree with it: the figure rises though the model is the same. So the figure is given twice, with the genres
as they are now and with those of before.

Those of before are put back, not left out with their covers: covers are picked for a correction because the model was
wrong about them, so without them its figure would rise, too.

What counts as "after"
----------------------
A model can be asked about any cover from its training on, so that is when genres are recorded, in the model's
`first_genres.csv`, for each cover of the training's dataset, whatever its split. A change is found however it was made:
in the page, by hand in the table, or before training the same model again in the same folder. A cover of another
dataset is recorded when it is first evaluated, with its genres at the time of the training as far as `changes.csv`
tells them; what was changed by hand before that is not known.

Changes that `changes.csv` tells from before the training are counted apart, as an earlier model may have been asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.covers.dataset import SEPARATOR, Dataset
from sleevenotes.covers.mending import Change, changes
from sleevenotes.covers.tasks import Task
from sleevenotes.judge import metrics
from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.learn.model import Model
from sleevenotes.learn.scoring_log import EVALUATION, TRAINING, First, first_seen, record_first

Genres = tuple[str, ...]


@dataclass(frozen=True)
class Past:
    """What covers' genres were before a model could be asked about them.

    Parameters
    ----------
    genres
        The genres of each judged cover before any change that is known of, n.
    at_training
        Its genres when the model was trained, n.
    foreign
        Whether most covers of the dataset were not in the training's.
    gone
        How many covers were in the split when the model was trained and are not judged now.
    """

    genres: list[Genres]
    at_training: list[Genres]
    foreign: bool
    gone: int


def past_of(model: Model, dataset: Dataset, part: Dataset, covers: Dataset, split: str) -> Past:
    """Return what genres were before, and record those of covers that the model meets for the first time.

    Parameters
    ----------
    dataset
        All of its covers.
    part
        Those of the split that have a genre of the task.
    covers
        That are judged, n of them.
    split
        Which split they are.

    Raises
    ------
    ModelError
        If the model's record is missing or damaged, or can't be written.
    DatasetError
        If `changes.csv` can't be read.
    """
    first = first_seen(model)
    trained = min((each.when for each in first.values() if each.at != EVALUATION), default="")
    log: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes(covers.folder):
        log[change.file_name].append(change)
    before, at_training = [], []
    for name, digest, now in zip(covers.file_names, covers.digests, covers.genre_lists, strict=True):
        options = first[digest].genres if digest in first else (_at(trained, log[name], now),)
        then = now if now in options else options[0]
        earlier = [change for change in log[name] if change.when < trained]
        before.append(earlier[0].before if earlier else then)
        at_training.append(then)
    record_first(
        model.folder,
        zip(covers.digests, at_training, [""] * len(covers), strict=True),
        at=EVALUATION,
    )
    met = sum(digest in first and first[digest].at == TRAINING for digest in dataset.digests)
    foreign = met < len(dataset) / 2
    return Past(before, at_training, foreign, 0 if foreign or split != "test" else _gone(first, part))


def _at(time: str, log: list[Change], now: Genres) -> Genres:
    """Return the genres of a cover at some time, by its changes since."""
    return next((change.before for change in log if change.when >= time), now)


def _gone(first: Mapping[str, First], covers: Dataset) -> int:
    judged = set(covers.digests)
    return sum(each.split == "test" and digest not in judged for digest, each in first.items())


@dataclass(frozen=True)
class Edits:
    """Changed genres of the covers that a model is judged by.

    Parameters
    ----------
    late
        Covers whose genres were changed after the model could be asked about them, (n,).
    early
        Covers whose genres were changed before, as `changes.csv` tells, (n,).
    towards
        Covers that the change made the model's answer more right about, (n,).
    truth
        Truth of before, (n,) or (n, K).
    answerable
        Whether a cover had a truth under the task before, (n,).
    gone
        How many covers were in the split when the model was trained and are not judged now.
    """

    late: NDArray[np.bool_]
    early: NDArray[np.bool_]
    towards: NDArray[np.bool_]
    truth: NDArray[np.int64]
    answerable: NDArray[np.bool_]
    gone: int

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Covers whose genres were changed at any time, (n,)."""
        return self.late | self.early


def edits_of(past: Past, covers: Dataset, task: Task, truth: ArrayLike, proba: ArrayLike) -> Edits:
    """Return which genres were changed, and how the model stands to that.

    Parameters
    ----------
    past
        Of the covers.
    truth
        As they are judged now, (n,) or (n, K).
    proba
        The model's, (n, K).
    """
    now = np.asarray(truth)
    before, had = _truth(past.genres, covers, task, now)
    then, known = _truth(past.at_training, covers, task, now)
    late = _differ(now, then) | ~known
    scored = metrics.ranking_precision if task.kind == "multi" else metrics.correct
    better = scored(now, proba) > np.where(had, scored(before, proba), 0.0)
    changed = _differ(now, before) | ~had
    return Edits(late, changed & ~late, (changed | late) & better, before, had, past.gone)


def _truth(
    genres: list[Genres], covers: Dataset, task: Task, now: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return truth by other genres, and where there is one; elsewhere it is that of now."""
    known = task.answerable(genres)
    filled = [each if has else own for each, own, has in zip(genres, covers.genre_lists, known.tolist(), strict=True)]
    truth = task.truth_of(covers.with_columns(genres=[SEPARATOR.join(each) for each in filled]))
    return np.where(known.reshape(-1, *[1] * (now.ndim - 1)), truth, now), known


def _differ(one: NDArray[np.int64], two: NDArray[np.int64]) -> NDArray[np.bool_]:
    different: NDArray[np.bool_] = (one != two).reshape(len(one), -1).any(axis=1)
    return different


def told(edits: Edits, *, split: str, n: int, headline: str, before: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what `evaluation.json` says of changed genres; None if there is nothing to say.

    Parameters
    ----------
    split
        Which covers are judged.
    n
        How many they are.
    headline
        The figure that the model is told by: `accuracy` or `label_ranking_ap`.
    before
        All figures with the genres of before; None if no cover had a genre of the task then.
    """
    changed = bool(edits.changed.any())
    if not changed and not edits.gone:
        return None
    counts = {
        "changed": int(edits.late.sum()),
        "changed_towards": int((edits.late & edits.towards).sum()),
        "changed_before_training": int(edits.early.sum()),
        "changed_before_training_towards": int((edits.early & edits.towards).sum()),
        "without_genre_before": int((~edits.answerable).sum()),
        "no_longer_judged": edits.gone,
    }
    figures = {name: before[name] for name in ("n", headline, "chance")} if before is not None and changed else None
    parts = [_changed(counts, split, n, figures, headline) if changed else "", _gone_words(edits.gone)]
    return counts | {"with_genres_before": figures, "words": " ".join(filter(None, parts))}


def _changed(counts: Mapping[str, int], split: str, n: int, figures: Mapping[str, Any] | None, headline: str) -> str:
    """Return how many genres were changed, and the figure with those of before, in a sentence."""
    of = f"{n:,} {'' if split == 'all' else f'{split} '}genres were changed"
    late = f"after this model answered, {counts['changed_towards']:,} towards its answer"
    early = f"was trained, {counts['changed_before_training_towards']:,} towards its answer"
    if counts["changed"] and counts["changed_before_training"]:
        words = f"{counts['changed']:,} of {of} {late}, and {counts['changed_before_training']:,} before it {early}"
    elif counts["changed"]:
        words = f"{counts['changed']:,} of {of} {late}"
    else:
        words = f"{counts['changed_before_training']:,} of {of} before this model {early}"
    if figures is None:
        return f"{words}; none of these covers had a genre of the task before."
    less = counts["without_genre_before"]
    left_out = f", without {less:,} {'cover' if less == 1 else 'covers'} that had no genre of the task" if less else ""
    guessing = figures["chance"].get(headline)
    against = "" if guessing is None else f", and guessing gets {_shown({'value': guessing}, headline)}"
    what = "it is right" if headline == "accuracy" else "its label-ranking average precision is"
    share = _shown(figures[headline], headline)
    if headline == "accuracy":
        share = share.replace(" %", " % of the time", 1)
    return f"{words}. With the genres of before{left_out}, {what} {share}{against}."


def _gone_words(gone: int) -> str:
    if not gone:
        return ""
    covers = "1 cover that was" if gone == 1 else f"{gone:,} covers that were"
    return f"{covers} in test when the model was trained {'is' if gone == 1 else 'are'} not judged now."


def _shown(figure: Mapping[str, float | None], headline: str) -> str:
    """Return a figure with its interval.

    Examples
    --------
    >>> _shown({"value": 0.42, "low": 0.38, "high": 0.46}, "accuracy")
    '42 % (38–46)'
    """
    scale, decimals, unit = (100, 0, " %") if headline == "accuracy" else (1, 3, "")
    value, low, high = (figure.get(name) for name in ("value", "low", "high"))
    ends = f" ({TOO_FEW})" if figure.get("too_few") else ""
    if low is not None and high is not None:
        ends = f" ({scale * low:.{decimals}f}–{scale * high:.{decimals}f})"
    return f"{scale * (value or 0):.{decimals}f}{unit}{ends}"
