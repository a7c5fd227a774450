"""Check 6, leaks: what belongs together but lies on both sides of the split, and what such leaking is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.groups import artists_of, assign, release_keys
from sleevenotes.judge.audit.findings import Finding, Measured, Verdict
from sleevenotes.judge.audit.scores import CHANCE, METRIC, Estimate, auc, in_words
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.proportions import wilson
from sleevenotes.learn import heads
from sleevenotes.learn.calibration import proba_of

CHECK = 6
BROKEN_SHARE = 0.05
"""Share of the test covers with a mate among those learnt from, from which on the split is `broken`."""
RULES = {
    "leaks": (
        "Leaks: clean where no test cover has a near-duplicate, an artist or a release in common with the covers "
        f"learnt from; broken where more than {BROKEN_SHARE:.0%} have, else suspicious."
    ),
    "leak-price": "The price of leaking: a price, always clean.",
}
REPEATS = 10
TEST_SHARE = 0.2
STRENGTH = 1e-3  # of the logistic regression; what `learn.heads` usually chooses on a backbone


def across_sides(subject: Subject, pairs: Sequence[Pair]) -> Finding:
    """Return what near-duplicates, artists and releases lie in test and among the covers learnt from.

    `clean` where there are none, `broken` where that is so for more than 5 % of the test covers, else `suspicious`.

    Parameters
    ----------
    pairs
        Near-duplicates among the subject's covers, by row.
    """
    dataset = subject.dataset
    is_test = np.array(dataset.column("split")) == "test"
    keys = {
        "near-duplicates": _pair_keys(pairs, len(dataset)),
        "artists": [artists_of(cell) for cell in dataset.column("artist")],
        "releases": [[key] if key else [] for key in _releases(dataset)],
    }
    leaking = {name: _leaking(each, is_test) for name, each in keys.items()}
    shared = {name: int(rows.sum()) for name, rows in leaking.items()}
    n = int(is_test.sum())
    share = float(np.any(list(leaking.values()), axis=0).sum() / n)
    verdict: Verdict = "clean" if share == 0 else "broken" if share > BROKEN_SHARE else "suspicious"
    low, high = wilson(share, n)
    known = any(keys["artists"])
    words = f"Of {n:,} test covers, {_counted(shared)} among the covers learnt from."
    if not known:
        words += " No artist is known here, so that covers of one artist may lie on both sides unseen."
    return Finding(
        id="leaks",
        check=CHECK,
        title="Leaks across the split",
        tested="How many test covers have a near-duplicate, an artist or a release in common with train or valid.",
        measured=Measured("share of test covers", share, low, high, chance=0.0, n=n, groups=len(set(dataset.groups))),
        verdict=verdict,
        words=words,
        advice="Split it again, with what belongs together on one side.",
        command=f"sleevenotes split {dataset.folder} --again",
        details={"shared": shared, "artists_known": known},
    )


def _pair_keys(pairs: Sequence[Pair], n: int) -> list[list[str]]:
    keys: list[list[str]] = [[] for _ in range(n)]
    for number, pair in enumerate(pairs):
        keys[pair.a].append(str(number))
        keys[pair.b].append(str(number))
    return keys


def _releases(dataset: Dataset) -> list[str]:
    return release_keys(dataset.column("artist"), dataset.column("album"), dataset.column("release"))


def _leaking(keys: Sequence[Sequence[str]], is_test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which covers, (n,), lie in test and share a key with one that does not."""
    learnt = set(chain.from_iterable(each for each, test in zip(keys, is_test, strict=True) if not test))
    return np.array([bool(test) and not learnt.isdisjoint(each) for each, test in zip(keys, is_test, strict=True)])


def _counted(shared: dict[str, int]) -> str:
    told = [
        f"{shared['near-duplicates']:,} have a near-duplicate",
        f"{shared['artists']:,} an artist",
        f"{shared['releases']:,} a release",
    ]
    return f"{told[0]}, {told[1]} and {told[2]}"


def price(subject: Subject, *, repeats: int = REPEATS) -> Finding:
    """Return how much better the same model looks on a random split than with groups apart.

    Both kinds of split are dealt anew several times, with as many covers on each side. The finding tells a price and
    is always `clean`: what the dataset's own split leaks is told by `across_sides`.
    """
    features, task, groups = subject.features, subject.task, subject.dataset.groups
    alone = [str(number) for number in range(len(groups))]  # each cover a group of its own
    scores: dict[str, list[float]] = {"random": [], "apart": []}
    for repeat in range(repeats):
        for kind, members in (("random", alone), ("apart", groups)):
            shares = [1 - TEST_SHARE, TEST_SHARE]
            test = assign(members, subject.truth, shares, seed=subject.seed + 1 + repeat) == 1
            answers = _answers(features, subject.truth, test, task.kind, len(task.genres))
            scores[kind].append(float(auc(answers)))
        subject.progress(repeat + 1, repeats)
    gains = (np.array(scores["random"]) - np.array(scores["apart"])).tolist()
    told = {name: over_deals(values) for name, values in {**scores, "difference": gains}.items()}
    gain = told["difference"]
    in_groups = sum(count for count in Counter(groups).values() if count > 1)
    return Finding(
        id="leak-price",
        check=CHECK,
        title="The price of leaking",
        tested=f"The same model ({subject.frozen[1]}) on {repeats} random splits and on {repeats} with groups apart.",
        measured=Measured(f"gain in {METRIC}", **gain, chance=0.0, n=len(groups), groups=len(set(groups))),
        verdict="clean",
        words=(
            f"On random splits its {METRIC} is {in_words(told['random'])}, with groups apart "
            f"{in_words(told['apart'])}: a gain of {in_words(gain)} by leaking, where chance is {CHANCE}."
        ),
        details={"price": told, "covers_in_groups": in_groups},
    )


def _answers(
    features: NDArray[np.float32], truth: NDArray[np.int64], test: NDArray[np.bool_], kind: Any, genres: int
) -> Answers:
    head = heads.fit(features[~test], truth[~test], task=kind, strength=STRENGTH, genres=genres)
    proba = proba_of(head.logits(features[test]), task=kind)
    return Answers(truth[test], proba, [str(row) for row in np.flatnonzero(test)])


def over_deals(values: Sequence[float]) -> Estimate:
    """Return the mean over deals with Student's interval; deals share covers, so that it is somewhat too narrow."""
    from scipy.stats import t as student

    if len(set(values)) < 2:  # deals that all agree say nothing of others
        return {"value": mean(values), "low": None, "high": None}
    reach = float(student.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"value": mean(values), "low": mean(values) - reach, "high": mean(values) + reach}
