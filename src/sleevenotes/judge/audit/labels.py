"""Check 7 of the audit: covers under two genres, and genres that cross-validated models contradict.

`double_labels` counts covers that stand under two genres, as near-duplicates, as equal files that `collect` made one
cover of, or in the table itself. It needs no model.

`contradicted` looks for wrong genres by what models say that have not seen the cover. Two things are measured:

*Which covers* are suspects, and how many of each genre, is told by confident learning: a cover counts as of the genre
that its proba favours among those whose proba is at least the mean that the covers said to be of that genre have of it.
Covers that so come to count as of another genre than the dataset says are suspects, the most contradicted first
(Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", J. of Artificial
Intelligence Research 70, 2021, sections 3.1 and 3.2: the confident joint, ranked by the normalised margin).

*Whether* there are wrong genres is another question. A model that is right about 40 % of covers contradicts most of
them, by its own ignorance; and how many contradictions its calibrated proba lets one expect is no measure either, as
calibration has seen the same wrong genres. What tells the two apart is how contradictions thin out towards certainty.
Ignorance fades where a model is sure; a wrong genre is as frequent where it is sure as where it is not. So two models
of what the dataset says are compared, with p the proba, τ a temperature and q the genres' shares:

- all genres are right: ``P(said) = softmax(τ ln p)``;
- a share ρ was drawn anew at random: ``P(said) = (1 − ρ) softmax(τ ln p) + ρ q``,

as psychometrics tells an observer's lapses from a flat curve (Wichmann and Hill, "The psychometric function: I",
Perception & Psychophysics 63, 2001). The statistic is the ratio of their likelihoods; its p comes from genres drawn by
the first model, whole groups with one number, so that covers of one artist are right or wrong together. By the second,
a cover is under a wrong genre with the odds that what is said of it was drawn, and drawn wrongly: ``ρ q (1 − s) /
P(said)``, with q and s, the softmax, of the genre said. Its mean is the noise told here, over all covers and by genre.

A small p alone is no alarm: models that are a little surer than they may be leave a few contradictions that the first
model does not expect, and p is small on some clean covers. So the noise must also be a tenth; on 11 sets of clean demo
covers, asked by two models each, it was 5 % at most.

It is a measure of covers that look surely like another genre. Covers that bear no sign of their genre but a clear one
of another can't be told from covers under a wrong genre, by this or by any model: demo covers of a signal below 1 are
such. Looking at the suspects can.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.check import MERGED
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.duplicates import Pair, clusters
from sleevenotes.covers.files import replacing
from sleevenotes.covers.groups import groups as joined
from sleevenotes.covers.images import decode, encode
from sleevenotes.covers.reports import PROBLEMS_NAME, read_problems
from sleevenotes.covers.sheets import contact_sheet
from sleevenotes.covers.tasks import Task
from sleevenotes.judge.audit.findings import SIGNIFICANT, Finding, LeftOut, Measured, Verdict
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.judge.resampling import RESAMPLES, group_weights, interval
from sleevenotes.judge.rulers import Figure, average_of, figure_of

CHECK = 7
SHEET_NAME = "labels.png"
SUSPECTS_NAME = "suspects.csv"

FEW_DOUBLE, MANY_DOUBLE = 0.01, 0.25
DOUBLE_RULE = (
    "Covers under two genres: clean where the lower end of their share is at most 1 %, "
    "broken where it is more than 25 %, else suspicious."
)
LITTLE_NOISE, MUCH_NOISE = 0.1, 0.25
NOISE_RULE = (
    "Contradicted genres: clean where p is at least 0.05 or the estimated noise is less than 10 %, "
    "broken where its lower end is more than 25 %, else suspicious."
)
RULES = {"double-labels": DOUBLE_RULE, "contradicted": NOISE_RULE}

SIMULATIONS = 999
ENOUGH = 20  # of them that look as wrong: p is known well enough
NOISE_RESAMPLES = 400
MOST_DRAWN, HALVINGS = 0.8, 10  # ρ is sought between 0 and this, by halving the span so often
SHARPER = 2.0 ** (np.array([-4, -2, -1, 0, 1, 2, 4, 6, 8, 12, 16]) / 8)  # τ that are tried, times the best one at ρ = 0
SMALLEST = 1e-12
SHOWN = 42  # suspects on the sheet
TOLD = 10  # and in audit.json
PER_ROW = 7
TILE_PX = 150

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


# -------------------------------------------------------------------------------- covers under two genres


def double_labels(dataset: Dataset, pairs: Sequence[Pair], *, seed: int = 0) -> Finding:
    """Return how many covers stand under two genres.

    In `single` these are covers with several genres and those of a cluster of near-duplicates whose genres are not all
    the same. In `binary` they are those of both kinds, in `multi`, where several genres are no contradiction, only
    near-duplicates of which one bears a genre that the other does not.

    Parameters
    ----------
    dataset
        All of it, whether `split` left covers out or not. One that is not split yet counts as `single`.
    pairs
        Its near-duplicates, from `sleevenotes.covers.check.near_duplicates`.
    seed
        Of the interval.
    """
    several, near = _several(dataset), _across(dataset, pairs)
    double = several | near
    names = joined({"group": dataset.groups}, pairs)
    share = share_interval(double, names, seed=seed)
    sets, surplus = equal_files(dataset.folder)
    left = int((double & np.array([side != "" for side in dataset.column("split")])).sum())
    measured = Measured("share of covers under two genres", *share, 0.0, None, len(dataset), len(set(names)))
    verdict = _by_share(share[1], FEW_DOUBLE, MANY_DOUBLE)
    details = {
        "covers": int(double.sum()),
        "several_genres": int(several.sum()),
        "near_duplicates": int(near.sum()),
        "in_splits": left,
        "equal_files": {"sets": sets, "surplus": surplus},
        "genres": _met(dataset, pairs, several),
        "examples": [dataset.file_names[index] for index in np.flatnonzero(double)[:10]],
    }
    return Finding(
        id="double-labels",
        check=CHECK,
        title="Covers under two genres",
        tested=f"How many of {len(dataset):,} covers stand under two genres, as one cover or as near-duplicates.",
        measured=measured,
        verdict=verdict,
        words=_double_words(details, len(dataset)),
        advice="" if verdict == "clean" else _double_advice(left),
        command="" if verdict == "clean" else f"sleevenotes check {dataset.folder.name}",
        details=details,
    )


def equal_files(folder: Path) -> tuple[int, int]:
    """Return how many sets of equal files `collect` made one cover of, and how many files that left over.

    Both are 0 where there is no `problems.csv`.
    """
    path = folder / PROBLEMS_NAME
    if not path.is_file():
        return 0, 0
    found = [re.search(rf"{MERGED} (.*)\. They are", row["problem"]) for row in read_problems(path)]
    firsts = [match[1] for match in found if match]
    return len(set(firsts)), len(firsts)


def _several(dataset: Dataset) -> NDArray[np.bool_]:
    """Return which covers, (n,), have more than one answer by themselves."""
    kind = dataset.settings.get("task", "single")
    lists = dataset.genre_lists
    if kind == "multi":
        return np.zeros(len(lists), dtype=bool)
    if kind == "binary":
        return np.array([bool(genres) for genres in lists], dtype=bool) & ~Task.of(dataset).answerable(lists)
    return np.array([len(genres) > 1 for genres in lists], dtype=bool)


def _across(dataset: Dataset, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
    """Return which covers, (n,), are in a cluster of near-duplicates whose answers are not all the same."""
    told: list[Any] = [frozenset(genres) for genres in dataset.genre_lists]
    if dataset.settings.get("task") == "binary":
        asked = Task.of(dataset).genres[0]
        told = [asked in genres for genres in dataset.genre_lists]
    across = np.zeros(len(told), dtype=bool)
    for members in clusters(len(told), pairs):
        if len({told[index] for index in members}) > 1:
            across[members] = True
    return across


def _met(dataset: Dataset, pairs: Sequence[Pair], several: NDArray[np.bool_]) -> dict[str, int]:
    """Return which genres meet on a cover or on two near-duplicates, the most frequent first."""
    lists = dataset.genre_lists
    found = Counter(frozenset(lists[index]) for index in np.flatnonzero(several))
    found += Counter(frozenset((*lists[pair.a], *lists[pair.b])) for pair in pairs if lists[pair.a] != lists[pair.b])
    told = {" + ".join(sorted(genres)): count for genres, count in found.items() if len(genres) > 1}
    return dict(sorted(told.items(), key=lambda item: (-item[1], item[0]))[:20])


def _double_words(details: dict[str, Any], n: int) -> str:
    count = details["covers"]
    if not count:
        return "No cover stands under two genres."
    words = f"{count:,} of {n:,} covers stand under two genres: {details['several_genres']:,} have several"
    words += f", and {details['near_duplicates']:,} have a near-duplicate under another one."
    sets, surplus = details["equal_files"]["sets"], details["equal_files"]["surplus"]
    if sets:
        words += f" `collect` had made one cover each of {sets:,} sets of equal files, {surplus:,} surplus copies."
    if details["genres"]:
        most, times = next(iter(details["genres"].items()))
        words += f" Most often these are {most} ({times:,} times)."
    left = details["in_splits"]
    return words + (f" {left:,} of them are in a split all the same." if left else " None of them is in a split.")


def _double_advice(left: int) -> str:
    told = "The same art is given to both genres, so that no model can be right about all of it. Look at them"
    return f"{told}, and run `sleevenotes split` again, which leaves them out." if left else f"{told}."


# -------------------------------------------------------------------------------- genres that models contradict


class Joint(NamedTuple):
    """What confident learning makes of probas and of what the dataset says.

    Attributes
    ----------
    counts
        The confident joint, (K, K): covers said to be of a genre (row) that count as of one (column).
    counted
        The genre that each cover counts as of, (n,); -1 where its proba reaches no genre's mean.
    margin
        Proba of the genre said less the greatest other, (n,), -1 to 1.
    """

    counts: Whole
    counted: Whole
    margin: Floats


class Lapse(NamedTuple):
    """The two models of what the dataset says, fitted.

    Attributes
    ----------
    ratio
        Twice the logarithm of the ratio of their likelihoods, from 0.
    share
        ρ, the share that was drawn anew, 0 to 0.8.
    sharpness
        τ with it.
    plain_sharpness
        τ where all genres are right.
    """

    ratio: float
    share: float
    sharpness: float
    plain_sharpness: float


@dataclass(frozen=True)
class Contradictions:
    """What cross-validated models say against a dataset's genres, measured; `finding` judges it.

    Parameters
    ----------
    noise, low, high
        Estimated share of covers under a wrong genre, and its interval.
    p
        How often right genres would look as wrong.
    n, groups
        Covers and groups.
    details
        Figures, as in the finding.
    files
        Pictures and tables that were written.
    """

    noise: float
    low: float | None
    high: float | None
    p: float
    n: int
    groups: int
    details: dict[str, Any]
    files: list[tuple[str, str]]

    def finding(self) -> Finding:
        """Judge by the rule."""
        verdict: Verdict = "clean"
        if self.p < SIGNIFICANT and self.noise >= LITTLE_NOISE:
            verdict = "broken" if self.low is not None and self.low > MUCH_NOISE else "suspicious"
        measured = Measured(
            "estimated share of wrong genres", self.noise, self.low, self.high, 0.0, self.p, self.n, self.groups,
            too_few=self.low is None,
        )  # fmt: skip
        return Finding(
            id="contradicted",
            check=CHECK,
            title="Genres that models contradict",
            tested=f"Whether models that had not seen them surely contradict the genres of {self.n:,} covers, more "
            "often than their own ignorance explains.",
            measured=measured,
            verdict=verdict,
            words=self._words(verdict),
            advice=""
            if verdict == "clean"
            else f"Look through {SUSPECTS_NAME}, mend what is wrong in metadata.csv, and train again.",
            details=self.details,
            files=self.files,
        )

    def _words(self, verdict: Verdict) -> str:
        suspects, right = self.details["contradicted"], self.details["accuracy"]
        told = f"The models name the genre said of {right:.0%} of covers, and contradict {suspects:,} with confidence"
        ends = TOO_FEW if self.low is None else f"{self.low:.0%} to {self.high:.0%}"
        if verdict == "clean":
            return f"{told}, as far as can be told by their own ignorance: it fades where they are sure."
        return (
            f"{told}. That does not fade where they are sure, as ignorance does: about {self.noise:.0%} of covers "
            f"({ends}) are under a wrong genre, or look surely like another one."
        )


def contradicted(
    covers: Dataset, answers: Answers, *, genres: Sequence[str], out: Path | None = None, seed: int = 0
) -> Contradictions | LeftOut:
    """Measure how far models contradict the genres of covers that they have not seen.

    Parameters
    ----------
    covers
        n of them.
    answers
        What the dataset says of them, and calibrated probas (n, K) from models that were trained without them, as from
        `sleevenotes.judge.evaluation.cross_validate`.
    genres
        Names of the K columns.
    out
        Folder for `suspects.csv` and `labels.png`; nothing is written where none is given.
    seed
        Of the intervals and of p.
    """
    if np.ndim(answers.truth) != 1:
        why = "Where a cover has any number of genres, one that is lacking is no contradiction"
        return LeftOut(CHECK, "Genres that models contradict", f"{why}.")
    proba, said = np.asarray(answers.proba, dtype=np.float64), np.asarray(answers.truth)
    joint, lapse = confident_joint(proba, said), fit_lapse(proba, said)
    p = p_by_drawing(proba, lapse, answers.groups, seed=seed)
    weights = group_weights(answers.groups, NOISE_RESAMPLES, seed)
    wrong = wrong_odds(proba, said, lapse)  # (n,)
    overall, *by_genre = _noise(wrong, resampled_noise(proba, said, lapse, weights), said, genres)
    suspects = ranked(joint, said)
    files = [] if out is None else _written(covers, proba, said, joint, genres=genres, out=out)
    details = {
        "accuracy": float((proba.argmax(axis=1) == said).mean()),
        "contradicted": len(suspects),
        "likelihood_ratio": lapse.ratio,
        "sharpness": lapse.sharpness,
        "noise": dict(zip(genres, by_genre, strict=True)),
        "confident_joint": {"genres": list(genres), "counts": joint.counts.tolist()},
        "confident_noise": _confident_noise(joint, said, answers.groups, genres),
        "suspects": [
            {
                "file_name": covers.file_names[index],
                "said": genres[said[index]],
                "model": genres[joint.counted[index]],
                "proba": float(proba[index, joint.counted[index]]),
            }
            for index in suspects[:TOLD]
        ],
    }
    found = len(np.unique(np.asarray(answers.groups)))
    noise, low, high = (overall[name] for name in ("value", "low", "high"))
    return Contradictions(noise, low, high, p=p, n=len(said), groups=found, details=details, files=files)


def _noise(wrong: Floats, drawn: Floats, said: Whole, genres: Sequence[str]) -> list[Figure]:
    """Return the estimated share of wrong genres, of all covers and of each genre: its value and interval.

    Parameters
    ----------
    wrong
        How likely each cover is under a wrong genre, (n,).
    drawn
        The share in each resample, of all covers and of each genre, (B, 1 + K).
    """
    shares = [wrong.mean()] + [
        wrong[said == index].mean() if (said == index).any() else 0.0 for index in range(len(genres))
    ]
    found = []
    for value, spread in zip(shares, drawn.T, strict=True):
        low, high, _ = interval(spread)
        found.append(figure_of(value, min(low, float(value)), max(high, float(value))))
    return found


def _confident_noise(
    joint: Joint, said: Whole, groups: Sequence[str] | NDArray[Any], genres: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Return the share of each genre's covers that the confident joint counts as of another, ignorance included."""
    found: dict[str, dict[str, float | None]] = {}
    for index, genre in enumerate(genres):
        own = (said == index) & (joint.counted >= 0)
        wrong = own & (joint.counted != index)
        if not own.any():
            found[genre] = {"value": None, "low": None, "high": None}
            continue
        found[genre] = average_of(np.where(own, wrong, np.nan), groups)
    return found


def _written(
    covers: Dataset, proba: Floats, said: Whole, joint: Joint, *, genres: Sequence[str], out: Path
) -> list[tuple[str, str]]:
    """Write the suspects as a table and the first of them as a sheet; return their files with captions."""
    suspects = ranked(joint, said)
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / SUSPECTS_NAME) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file_name", "said", "model", "proba said", "proba model", "margin"])
        for index in suspects:
            own, other = said[index], joint.counted[index]
            told = [f"{value:.4f}" for value in (proba[index, own], proba[index, other], joint.margin[index])]
            table.writerow([covers.file_names[index], genres[own], genres[other], *told])
    files = [(SUSPECTS_NAME, f"{len(suspects):,} covers that models contradict with confidence, the most sure first")]
    shown = suspects[:SHOWN]
    if not len(shown):
        (out / SHEET_NAME).unlink(missing_ok=True)
        return files
    caption = f"{len(shown):,} of {len(suspects):,} covers whose genre models contradict with confidence"
    at = [shown[start : start + PER_ROW] for start in range(0, len(shown), PER_ROW)]
    captions = [
        [f"{genres[said[i]]} > {genres[joint.counted[i]]} {proba[i, joint.counted[i]]:.0%}" for i in row] for row in at
    ]
    pictures = [[decode(covers.path(int(index))) for index in row] for row in at]
    sheet = contact_sheet(pictures, tile_px=TILE_PX, captions=captions, title=f"{caption} (said > model)")
    with replacing(out / SHEET_NAME) as partial:
        partial.write_bytes(encode(sheet, "png"))
    return [(SHEET_NAME, f"{caption}: what the dataset says > what the models say"), *files]


# -------------------------------------------------------------------------------- pure functions


def _by_share(low: float, few: float, many: float) -> Verdict:
    """Return the verdict on a share whose lower end this is."""
    return "clean" if not low > few else "broken" if low > many else "suspicious"


def share_interval(chosen: NDArray[np.bool_], groups: Sequence[str], *, seed: int = 0) -> tuple[float, float, float]:
    """Return the share of covers that are chosen, and its bootstrap interval over groups.

    Groups with as many covers, of which as many are chosen, are alike, so that a resample is one multinomial draw of
    how many of each kind it has; that is the bootstrap of `sleevenotes.judge.resampling.group_weights`, for any number
    of covers.

    Examples
    --------
    >>> share_interval(np.array([True, True, False, False]), ["a", "a", "b", "c"])
    (0.5, 0.0, 1.0)
    """
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.stack([np.bincount(member), np.bincount(member, weights=chosen)], axis=1)  # (G, 2)
    kinds, counts = np.unique(sizes, axis=0, return_counts=True)  # (T, 2), (T,)
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES)  # (B, T)
    covers, hits = (drawn @ kinds).T
    low, high, _ = interval(hits / covers)
    return float(np.mean(chosen)), low, high


def confident_joint(proba: Floats, said: Whole) -> Joint:
    """Return the confident joint of probas, (n, K), and what the dataset says, (n,).

    Examples
    --------
    The covers said to be of each genre have a mean proba of 0.5 of it. The last cover reaches that for the first genre
    only, and is said to be of the second:

    >>> joint = confident_joint(np.array([[0.4, 0.6], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]]), np.array([0, 0, 1, 1]))
    >>> joint.counts.tolist(), joint.counted.tolist(), joint.margin.round(1).tolist()
    ([[1, 1], [1, 1]], [1, 0, 1, 0], [-0.2, 0.2, 0.8, -0.8])
    """
    n, k = proba.shape
    own = proba[np.arange(n), said]
    count = np.bincount(said, minlength=k)
    threshold = np.bincount(said, weights=own, minlength=k) / np.maximum(count, 1)
    threshold[count == 0] = np.inf  # nothing counts as of a genre that no cover is said to be of
    reached = proba >= threshold - 1e-12
    counted = np.where(reached.any(axis=1), np.where(reached, proba, -1.0).argmax(axis=1), -1)
    counts = np.zeros((k, k), dtype=np.int64)
    np.add.at(counts, (said[counted >= 0], counted[counted >= 0]), 1)
    others = proba.copy()
    others[np.arange(n), said] = -1.0
    return Joint(counts, counted, own - others.max(axis=1))


def ranked(joint: Joint, said: Whole) -> Whole:
    """Return the suspects' indices, the most contradicted first."""
    suspects = np.flatnonzero((joint.counted >= 0) & (joint.counted != said))
    return suspects[np.argsort(joint.margin[suspects], kind="stable")]


def fit_lapse(proba: Floats, said: Whole) -> Lapse:
    """Return the two models of what the dataset says, (n,), fitted to probas, (n, K), by maximum likelihood."""
    near = _best_sharpness(proba, said)
    rights = np.stack([_right(proba, said, near * factor) for factor in SHARPER])  # (T, n)
    ratio, share, place = _likeliest(rights, _chance(said), np.ones(len(said)))
    return Lapse(ratio, share, float(near * SHARPER[place]), near)


def p_by_drawing(proba: Floats, lapse: Lapse, groups: Sequence[str] | NDArray[Any], *, seed: int) -> float:
    """Return how often genres that are drawn as if all were right look as wrong; one number a group decides for all.

    Drawing ends when 20 look so, after l draws with p = 20 / l; else p is (1 + hits) / 1,000 (Besag and Clifford,
    "Sequential Monte Carlo p-values", Biometrika 78, 1991).
    """
    rng = np.random.default_rng(seed)
    sharp = np.stack([sharpened(proba, lapse.plain_sharpness * factor) for factor in SHARPER])  # (T, n, K)
    steps = sharp[list(SHARPER).index(1.0)].cumsum(axis=1)  # (n, K)
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    covers, hits = np.arange(len(proba)), 0
    for draws in range(1, SIMULATIONS + 1):
        number = rng.random(member.max() + 1)[member]  # (n,)
        drawn = np.minimum((steps <= number[:, None]).sum(axis=1), proba.shape[1] - 1)
        hits += _likeliest(sharp[:, covers, drawn], _chance(drawn), np.ones(len(drawn)))[0] >= lapse.ratio - 1e-9
        if hits == ENOUGH:
            return hits / draws
    return (1 + hits) / (1 + SIMULATIONS)


def wrong_odds(proba: Floats, said: Whole, lapse: Lapse) -> Floats:
    """Return how likely each cover is under a wrong genre by the second model, (n,): ``ρ q (1 − s) / P(said)``."""
    return _wrong(_right(proba, said, lapse.sharpness), _chance(said), lapse.share)


def resampled_noise(proba: Floats, said: Whole, lapse: Lapse, weights: NDArray[np.unsignedinteger[Any]]) -> Floats:
    """Return the mean of `wrong_odds` over all covers and over each genre's, (B, 1 + K), fitted in each resample.

    Parameters
    ----------
    weights
        How often each cover is in each resample, (B, n).
    """
    rights = np.stack([_right(proba, said, lapse.plain_sharpness * factor) for factor in SHARPER])  # (T, n)
    chance, k = _chance(said), proba.shape[1]
    means = np.full((len(weights), 1 + k), np.nan)
    for draw, times in enumerate(weights.astype(np.float64)):
        _, share, place = _likeliest(rights, chance, times)
        sums = np.bincount(said, weights=_wrong(rights[place], chance, share) * times, minlength=k)
        covers = np.bincount(said, weights=times, minlength=k)
        means[draw, 0] = sums.sum() / covers.sum()
        means[draw, 1:][covers > 0] = sums[covers > 0] / covers[covers > 0]
    return means


def sharpened(proba: Floats, sharpness: float) -> Floats:
    """Return ``softmax(τ ln p)``, (n, K).

    Examples
    --------
    >>> sharpened(np.array([[0.8, 0.2]]), 2).round(3).tolist()
    [[0.941, 0.059]]
    """
    scaled = sharpness * np.log(np.maximum(proba, SMALLEST))
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def _right(proba: Floats, said: Whole, sharpness: float) -> Floats:
    """Return how likely what is said of each cover is where all genres are right, (n,)."""
    right: Floats = sharpened(proba, sharpness)[np.arange(len(said)), said]
    return right


def _chance(said: Whole) -> Floats:
    """Return the share of the genre that is said of each cover, (n,)."""
    chance: Floats = (np.bincount(said) / len(said))[said]
    return chance


def _wrong(right: Floats, chance: Floats, share: float) -> Floats:
    drawn = share * chance
    return drawn * (1 - right) / np.maximum((1 - share) * right + drawn, SMALLEST)


def _likeliest(rights: Floats, chance: Floats, weights: Floats) -> tuple[float, float, int]:
    """Return the ratio of likelihoods, ρ, and the place of τ, of covers that count by weights, (n,).

    The likelihood is concave in ρ, so that halving finds where its slope ends.

    Parameters
    ----------
    rights
        How likely what is said is, where all genres are right, for each τ, (T, n).
    """
    gain = chance - rights  # (T, n)
    low, high = np.zeros(len(rights)), np.full(len(rights), MOST_DRAWN)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rising = (gain / (rights + middle[:, None] * gain)) @ weights > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    plain = np.log(np.maximum(rights, SMALLEST)) @ weights  # (T,)
    lapsed = np.log(np.maximum(rights + low[:, None] * gain, SMALLEST)) @ weights  # (T,)
    place = int(lapsed.argmax())
    return max(0.0, 2 * float(lapsed[place] - plain.max())), float(low[place]), place


def _best_sharpness(proba: Floats, said: Whole) -> float:
    """Return the τ with which right genres are likeliest, 1/8 to 8, by ever finer steps."""
    low, high = -3.0, 3.0
    for _ in range(6):
        tried = np.linspace(low, high, 9)
        fits = [np.log(np.maximum(_right(proba, said, 2.0**power), SMALLEST)).sum() for power in tried]
        best, step = tried[int(np.argmax(fits))], tried[1] - tried[0]
        low, high = best - step, best + step
    return float(2.0 ** ((low + high) / 2))
