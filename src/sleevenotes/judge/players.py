"""Answers of several players about covers: how sure their figures are, and how far players agree.

Conventions
-----------
``players``, ``covers``
    ``(n,)`` whole numbers: who gave each of n answers, and about which cover. A player answers about a cover once; what
    they said of it again, when they knew, is left out before.
``right``
    ``(n,)``, 1 where the genre named is the cover's, or one of the cover's, else 0; nan where nobody was asked.
Answers of one player stand and fall together, so intervals take whole players, each with all answers. If one person has
played alone they take covers, and say something of that person only. A difference between people and a model varies
with the players that happened to play and with the covers that they were dealt, and the model gives one answer a cover,
whoever plays: its interval is clustered by both. Of fewer than five players, or ten answers, there is no interval and
no p. A p here is that of one comparison; `judge.people` corrects it by Holm's method for how many there are, as
`judge.compare` does.

Raises
------
EvaluationError
    Everywhere: arrays of other shapes, no answers at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sleevenotes.errors import EvaluationError
from sleevenotes.judge.intervals import NONE, Paired, Student, paired_test, share
from sleevenotes.judge.metrics import Floats, average
from sleevenotes.judge.rulers import Figure, figure_of

FEW_PLAYERS = 5  # fewer tell of themselves, not of people
TWO_WAY = "t, clustered by players and covers"  # how several are compared; one is by `intervals.paired_test`


def too_few(players: int) -> str:
    """Return a sentence on what so few players mean for intervals, or nothing if there are enough.

    Examples
    --------
    >>> too_few(3)
    'Only 3 players: intervals take 5 or more.'
    >>> too_few(100)
    ''
    """
    if players == 1:
        return "One player has played alone: intervals are of that person on such covers, not of people."
    return f"Only {players} players: intervals take {FEW_PLAYERS} or more." if players < FEW_PLAYERS else ""


def rate(right: ArrayLike, players: ArrayLike, covers: ArrayLike) -> Figure:
    """Return how often answers are right, with its interval; those that are nan are left out.

    Parameters
    ----------
    right
        (n,), 1 for right and 0 for wrong.
    players, covers
        Who gave each answer, and about which cover, (n,).

    Examples
    --------
    >>> rate([1, 0, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1])
    {'value': 0.75, 'low': None, 'high': None, 'too_few': True}
    """
    known = ~np.isnan(np.asarray(right, dtype=np.float64))
    count = len(np.unique(np.asarray(players)[known]))
    if 1 < count < FEW_PLAYERS or not count:
        return figure_of(average(right), *NONE)
    groups = covers if count == 1 else players
    return figure_of(average(right), *share(right, groups, fewest_groups=FEW_PLAYERS))


def of_covers(right: ArrayLike, covers: ArrayLike) -> Figure:
    """Return how often a model, or guessing, is right about the covers of answers: the same, whoever plays.

    Parameters
    ----------
    right, covers
        Of each answer, (n,); those that are nan are left out.
    """
    return figure_of(average(right), *share(right, covers))


def paired(people: ArrayLike, model: ArrayLike, players: ArrayLike, *, covers: ArrayLike) -> Paired:
    """Return how people and a model differ on the same covers, people less model.

    Parameters
    ----------
    people, model
        Whether each is right, (n,).
    players, covers
        Who gave each answer, and about which cover, (n,).

    Returns
    -------
    Paired
        With one player that of `sleevenotes.judge.intervals.paired_test`, over covers. With several, the mean
        difference d has the interval ``d ± t s`` and the test of Student's t, with s² from `two_way_variance` and m − 1
        degrees of freedom, m being the number of players or that of covers, whichever is smaller. There is neither if
        m is below five, or s is 0.

    Notes
    -----
    In simulations of 3 to 60 players who answered 20 times each (players and covers differing, 60 or 700 covers in all)
    the interval held the true difference 94 to 100 times in 100. A bootstrap that draws players and covers at once held
    it 98 to 100 times, and was a third wider for 30 players. With 30 players who all saw the same 5, or 10, covers it
    held 93 and 96 times, where as many degrees of freedom as there are players, less one, would hold 88 and 94.

    Examples
    --------
    >>> result = paired([1] * 30, [1, 0] * 15, players=[0] * 30, covers=range(30))
    >>> round(result.difference, 3), round(result.low, 3), result.p < 0.001
    (0.5, 0.264, True)
    """
    gain = np.asarray(people, dtype=np.float64) - np.asarray(model, dtype=np.float64)  # (n,)
    if not gain.size or gain.shape != np.shape(players) or gain.shape != np.shape(covers):
        found = f"{gain.size} answers of {np.size(players)} players about {np.size(covers)} covers"
        raise EvaluationError("people", found, "A player and a cover an answer, and one answer or more")
    difference, count = float(gain.mean()), len(np.unique(np.asarray(players)))
    if count == 1:
        return paired_test(people, model, covers)
    error, fewer = two_way_variance(gain, players, covers) ** 0.5, min(count, len(np.unique(np.asarray(covers))))
    enough = error > 0 and fewer >= FEW_PLAYERS
    return Paired.of(difference, Student(difference, error, fewer - 1) if enough else None, test=TWO_WAY)


def two_way_variance(gain: ArrayLike, players: ArrayLike, covers: ArrayLike) -> float:
    """Return the variance of the mean of n numbers that depend both on a player and on a cover.

    With r the numbers less their mean, and V of some groups ``G / (G − 1) Σ (Σ r)² / n²``, the outer sum over G groups
    and the inner over the numbers of one, it is ``V(players) + V(covers) − V(single numbers)``, or the greater of the
    first two where that is more.

    Notes
    -----
    Cameron, Gelbach and Miller, Robust Inference With Multiway Clustering, J. of Business & Economic Statistics 29
    (2011).

    Examples
    --------
    Where each number is of another player and cover, it is that of any mean:

    >>> numbers = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    >>> round(two_way_variance(numbers, range(5), range(5)), 6), round(float(numbers.var(ddof=1) / 5), 6)
    (0.06, 0.06)
    """
    gain = np.asarray(gain, dtype=np.float64)
    rest = gain - gain.mean()

    def between(groups: ArrayLike) -> float:
        member = np.unique(np.asarray(groups), return_inverse=True)[1]
        sums = np.bincount(member, weights=rest)
        return float((sums**2).sum() / len(gain) ** 2 * len(sums) / (len(sums) - 1)) if len(sums) > 1 else 0.0

    by_player, by_cover = between(players), between(covers)
    return max(by_player, by_cover, by_player + by_cover - between(np.arange(len(gain))))


def alpha(named: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return Krippendorff's alpha of genres that several players named, where not all have seen all covers.

    With ``c`` the players that named a genre for a cover and m all that named one for it (covers of one or none tell
    nothing and are left out), the coincidences of a genre with itself are ``o = Σ c (c − 1) / (m − 1)`` over covers,
    its sum is ``N = Σ c``, and with n the sum of all N,

        α = 1 − (n − 1) (n − Σ o) / (n² − Σ N²),

    sums being over genres. 1: all always agree; 0: as often as genres drawn from one hat; below: less often.

    Parameters
    ----------
    named
        How many players named each of K genres for each of U covers, (U, K).
    weights
        How often each cover counts, (U,) or (B, U).

    Returns
    -------
    Floats
        One number, or (B,); nan where no cover has two answers, or all answers are of one genre.

    Notes
    -----
    Krippendorff, Computing Krippendorff's Alpha-Reliability (University of Pennsylvania, 2011), for nominal data. To
    resample covers for its interval: Zapf, Castell, Morawietz and Karch, Measuring inter-rater reliability for nominal
    data, BMC Medical Research Methodology 16 (2016).

    Examples
    --------
    Two players, five covers, one of which they name differently:

    >>> round(float(alpha([[2, 0], [2, 0], [0, 2], [0, 2], [1, 1]])), 3)
    0.64
    """
    counts = np.asarray(named, dtype=np.float64)
    if counts.ndim != 2 or not counts.size or counts.min() < 0:
        raise EvaluationError("alpha", f"an array of shape {counts.shape}", "How many named each genre, (U, K)")
    times = np.ones(len(counts)) if weights is None else np.asarray(weights, dtype=np.float64)
    answers = counts.sum(axis=1)  # (U,), m
    counts, answers, times = counts[answers > 1], answers[answers > 1], times[..., answers > 1]
    same = times @ ((counts * (counts - 1)).sum(axis=1) / (answers - 1))  # (…,), Σ o
    sums = times @ counts  # (…, K), N
    n = sums.sum(axis=-1)
    apart = n**2 - (sums**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = np.where(apart > 0, 1 - (n - 1) * (n - same) / apart, np.nan)
    return value
