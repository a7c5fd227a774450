"""Intervals that hold their 95 % on few covers too, and the test that belongs to each of them.

Every interval of an evaluation, a comparison, an audit or a game comes from here, by the kind of figure:

share
    Accuracy, recall, top-k: `share`. The exact interval of Clopper and Pearson for as many covers as would be worth as
    much if they were independent: groups of covers count less than their covers (the design effect).
difference of shares
    A model less a baseline, a player less a model: `paired_test`. Student's t over groups, with two imaginary groups
    added of which one model is right in the first and the other in the second.
any other figure
    Macro F1, ROC AUC, log loss: `Student` from a jackknife that leaves out each group in turn (`leave_out`,
    `jackknifed`), on a scale on which the figure has no end.
calibration error
    `sleevenotes.judge.resampling.gap_interval`, by a bootstrap.

Each p is that of the very interval: it is below 0.05 if and only if the interval of 95 % excludes 0. An interval never
has no width: with 20 of 20 right, an accuracy of 83 % is plausible too.

**Too few covers.** There is no interval and no p (all are nan) below

======================= ==============================================================================================
`FEWEST_COVERS`         covers for the accuracy, and for differences of accuracies
`FEWEST_FOR_GENRES`     covers for figures of several genres or ranks at once: macro F1, top-k
`FEWEST_FOR_LOSSES`     covers for log loss and Brier score, which a few sure and wrong answers make
`FEWEST_FOR_GAPS`       covers for a calibration error
`FEWEST_OF_GENRE`       covers of the genre, or of whatever part of the covers a share is of: recall, precision
`FEWEST_GROUPS`         groups, for all of these
======================= ==============================================================================================

and `sleevenotes.judge.rulers.figure_of` marks the figure as one of too few covers. ``benchmarks/coverage.py`` shows how
often the intervals hold.

Conventions are those of `sleevenotes.judge.resampling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError
from sleevenotes.judge.resampling import LEVEL, checked_level, members
from sleevenotes.judge.weighing import Floats

FEWEST_COVERS = 25
FEWEST_FOR_GENRES = 60
FEWEST_FOR_LOSSES = 100
FEWEST_FOR_GAPS = 200
FEWEST_OF_GENRE = 10
FEWEST_GROUPS = 8
TOO_FEW = "too few covers"
SIGNIFICANT = 0.05
MARGIN = 0.05  # "no better" needs a difference that plausibly is no greater than this
BLOCKS = 200  # groups are left out one by one up to this many, in so many blocks beyond
TEST = "t over groups"

Ends = tuple[float, float]
Scale = Literal["fraction", "loss", "plain"]
Standing = Literal["better", "worse", "same", "unclear"]

NONE: Ends = (float("nan"), float("nan"))


class Size(NamedTuple):
    """How much groups of covers are worth.

    Attributes
    ----------
    covers, groups
        How many there are.
    worth
        As how many groups of equal size they count, ``(Σ m)² / Σ m²`` with m the covers of each; 1 to ``groups``.
    """

    covers: float
    groups: int
    worth: float

    @classmethod
    def of(cls, covers_of_each: ArrayLike) -> Size:
        """Return the size of groups of so many covers each, (G,); groups without a cover are none.

        Examples
        --------
        >>> Size.of([2, 1, 1, 0])
        Size(covers=4.0, groups=3, worth=2.6666666666666665)
        """
        m = np.asarray(covers_of_each, dtype=np.float64)
        m = m[m > 0]
        total = float(m.sum())
        return cls(total, len(m), total**2 / float((m**2).sum()) if len(m) else 0.0)

    def enough(self, fewest: float) -> bool:
        """Return whether there are so many covers, in `FEWEST_GROUPS` groups or more."""
        return self.covers >= fewest and self.groups >= FEWEST_GROUPS


# -------------------------------------------------------------------------------- shares


def share(
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    fewest: float = FEWEST_OF_GENRE,
    fewest_groups: int = FEWEST_GROUPS,
    level: float = LEVEL,
) -> Ends:
    """Return the interval of a share: how often covers are right, found, or inside of something.

    Parameters
    ----------
    scores
        (n,), 1 for each cover that is and 0 for each that is not, or in between; nan is left out.
    groups
        The group of each cover, (n,).
    fewest, fewest_groups
        Of fewer covers, or groups, there is no interval.
    level
        How often it is to hold the true share, 0 to 1.

    Returns
    -------
    tuple[float, float]
        0 to 1, never both the same; nan where covers are too few.

    Notes
    -----
    Clopper and Pearson, Biometrika 26 (1934), for ``n / d`` covers, with the design effect d estimated as the variance
    between groups over that of independent covers, and a factor for the degrees of freedom: Korn and Graubard,
    Confidence intervals for proportions with small expected number of positive counts estimated from survey data,
    Survey Methodology 24 (1998). A group's worth of pseudo-variance draws d to the mean size of a group, as no variance
    can be seen where all covers are right. Without groups it is the exact interval, which holds its level always.

    Examples
    --------
    >>> [round(end, 3) for end in share([1] * 25, range(25))]
    [0.863, 1.0]
    >>> share([1] * 9, range(9))
    (nan, nan)
    """
    checked_level(level)
    given = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(given)
    member, count = members(groups)
    if given.shape != member.shape:
        raise EvaluationError("share", f"{given.size} scores for {len(member):,} groups", "Each cover has one score")
    sizes = np.bincount(member[known], minlength=count)
    size = Size.of(sizes)
    if size.covers < fewest or size.groups < fewest_groups:
        return NONE
    value = float(given[known].mean())
    between = np.bincount(member[known], weights=given[known] - value, minlength=count)  # (G,)
    variance = float((between**2).sum()) / size.covers**2 * size.groups / (size.groups - 1)
    return exact(value, worth(value, variance, size, level=level), level)


def worth(value: float, variance: float, size: Size, *, level: float = LEVEL) -> float:
    """Return how many independent covers a share with such a variance is worth, at most as many as there are."""
    from scipy.special import stdtrit

    per_group = size.covers / size.groups
    independent = value * (1 - value) / (size.covers - 1)
    design = (variance * size.covers**2 + per_group**2) / (independent * size.covers**2 + per_group)
    tail = (1 + level) / 2
    student = float(stdtrit(size.covers - 1, tail) / stdtrit(max(1.0, size.worth - 1), tail))
    return min(size.covers, size.covers / max(1.0, design) * student**2)


def exact(value: float, covers: float, level: float = LEVEL) -> Ends:
    """Return the interval of Clopper and Pearson of a share of so many independent covers, which need not be whole.

    Examples
    --------
    >>> [round(end, 3) for end in exact(0.5, 100)], [round(end, 3) for end in exact(0, 10)]
    ([0.398, 0.602], [0.0, 0.308])
    """
    from scipy.special import betaincinv

    right, wrong, tail = value * covers, (1 - value) * covers, (1 - level) / 2
    low = float(betaincinv(right, wrong + 1, tail)) if right > 1e-9 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - tail)) if wrong > 1e-9 else 1.0
    return min(low, value), max(high, value)


def f1_of(ends: Ends) -> Ends:
    """Return the interval of an F1, of that of the share of hits among all covers that have a genre or are given it.

    With j that share, ``tp / (tp + fp + fn)``, F1 is ``2 j / (1 + j)``.
    """
    low, high = (2 * end / (1 + end) for end in ends)
    return low, high


# -------------------------------------------------------------------------------- any other figure


def leave_out(groups: ArrayLike, seed: int = 0) -> NDArray[np.uint8]:
    """Return weights, (B, n), each of which leaves out one group; or a block of groups where there are very many.

    Examples
    --------
    >>> leave_out(["Abba", "Abba", "Can"]).tolist()
    [[0, 0, 1], [1, 1, 0]]
    """
    member, count = members(groups)
    if count > BLOCKS:
        member = (np.random.default_rng(seed).permutation(count) % BLOCKS)[member]
    kept: NDArray[np.uint8] = (member != np.arange(min(count, BLOCKS))[:, None]).astype(np.uint8)
    return kept


@dataclass(frozen=True)
class Student:
    """A figure with a standard error, and the interval and the p that follow from it.

    Attributes
    ----------
    value
        The figure.
    error
        Its standard error, above 0.
    freedom
        Degrees of freedom of that.
    centre
        The middle of the interval; the figure itself where not given.
    """

    value: float
    error: float
    freedom: float
    centre: float | None = None

    def ends(self, level: float = LEVEL, scale: Scale = "plain") -> Ends:
        """Return the interval.

        Parameters
        ----------
        level
            How often it is to hold the true figure, 0 to 1.
        scale
            What the figure is normal on: its logit if it is a ``fraction``, its logarithm if it is a ``loss``, or
            itself if it is ``plain``, as a difference.

        Examples
        --------
        >>> [round(end, 3) for end in Student(0.9, 0.05, 20).ends(scale="fraction")]
        [0.739, 0.966]
        """
        from scipy.special import expit, logit, stdtrit

        middle = self.middle
        reach = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        if scale == "plain":
            return middle - reach, middle + reach
        if middle <= 0 or (scale == "fraction" and middle >= 1):
            middle = self.value
        if scale == "loss":
            reach = min(reach / middle, 700.0)
            return middle * float(np.exp(-reach)), middle * float(np.exp(reach))
        reach /= middle * (1 - middle)
        low, high = expit(logit(middle) + np.array([-reach, reach])).tolist()
        return low, high

    @property
    def middle(self) -> float:
        """The middle of the plain interval."""
        return self.value if self.centre is None else self.centre

    @property
    def p(self) -> float:
        """How often chance alone would give as much, if the true figure were 0: two-sided, of the plain interval."""
        from scipy.special import stdtr

        return min(1.0, 2 * float(stdtr(self.freedom, -abs(self.middle) / self.error)))

    def less(self, other: Student) -> Student:
        """Return the difference to a figure of other covers.

        Notes
        -----
        Welch, The generalization of "Student's" problem, Biometrika 34 (1947).
        """
        one, two = self.error**2, other.error**2
        freedom = (one + two) ** 2 / (one**2 / self.freedom + two**2 / other.freedom)
        return Student(self.value - other.value, (one + two) ** 0.5, freedom)


def jackknifed(value: ArrayLike, left_out: ArrayLike, most: float) -> Student | None:
    """Return a figure with its error, from its values with each group left out in turn.

    Parameters
    ----------
    value
        The figure of all covers.
    left_out
        The figure without each group, (B,), from weights of `leave_out`.
    most
        Degrees of freedom that there are at most: `Size.worth` less one.

    Returns
    -------
    Student | None
        None where it can't be told: the figure, or one without some group, is nan, or it is the same without any group.

    Notes
    -----
    Tukey's jackknife: Efron and Stein, Annals of Statistics 9 (1981). ``2 B / (k − 1)`` degrees of freedom, with k the
    kurtosis of the B values: few groups may make all the difference, as those of a rare genre do (after Satterthwaite,
    An approximate distribution of estimates of variance components, Biometrics Bulletin 2, 1946). Half of the bias that
    the jackknife sees is taken out of the middle, and all of it counts as error: macro F1 is biased on few covers, but
    its bias is hardly known.
    """
    middle, values = float(np.asarray(value)), np.asarray(left_out, dtype=np.float64)
    if np.isnan(middle) or np.isnan(values).any() or len(values) < 2:
        return None
    variance = variance_of(values)
    if variance < 1e-24:
        return None
    bias = (len(values) - 1) * (float(values.mean()) - middle)
    return Student(middle, (variance + bias**2) ** 0.5, _freedom(values - values.mean(), most), middle - bias / 2)


def variance_of(left_out: ArrayLike) -> float:
    """Return the jackknife's variance of a figure, from its values with each group left out in turn, (B,)."""
    values = np.asarray(left_out, dtype=np.float64)
    return float(np.square(values - values.mean()).sum() * (len(values) - 1) / len(values))


def _freedom(off: Floats, most: float) -> float:
    kurtosis = len(off) * float((off**4).sum()) / float((off**2).sum()) ** 2
    return max(1.0, min(most, 2 * len(off) / max(kurtosis - 1, 1e-9)))


# -------------------------------------------------------------------------------- paired differences


@dataclass(frozen=True)
class Paired:
    """Two models' answers about the same covers, compared.

    Attributes
    ----------
    difference
        Mean score of the first less that of the second, -1 to 1.
    low, high
        Its interval; nan where covers are too few.
    p
        How often two models that do not differ would come out at least as far apart; nan where covers are too few. It
        is below 0.05 if and only if the interval of 95 % excludes 0.
    test
        Of what kind interval and p are.
    student
        What both come from; None where covers are too few.
    """

    difference: float
    low: float
    high: float
    p: float
    test: str = TEST
    student: Student | None = None

    @classmethod
    def of(cls, difference: float, student: Student | None, *, level: float = LEVEL, test: str = TEST) -> Paired:
        """Return the comparison that follows from a difference of scores and its error."""
        if student is None:
            return cls(difference, *NONE, float("nan"), test)
        return cls(difference, *clipped(student.ends(level)), student.p, test, student)

    def at(self, level: float) -> Ends:
        """Return the interval of another level."""
        return NONE if self.student is None else clipped(self.student.ends(level))


def clipped(ends: Ends) -> Ends:
    """Return an interval of a difference of fractions as far as it lies within −1 and 1."""
    return max(-1.0, ends[0]), min(1.0, ends[1])


def paired_test(first: ArrayLike, second: ArrayLike, groups: ArrayLike, *, level: float = LEVEL) -> Paired:
    """Return how two models' scores on the same covers differ, with an interval, and whether chance would do as much.

    Parameters
    ----------
    first, second
        Scores of the two models, (n,), 0 to 1: 1 and 0 for right and wrong, or the chance to be right.
    groups
        The group of each cover, (n,).
    level
        Of the interval.

    Notes
    -----
    Student's t of the sums over groups, whose degrees of freedom are those of `jackknifed`. Where scores are 0 and 1,
    two groups are added, of which one model gets all right and the other none, each of the square root of the mean size
    of a group. Of covers by themselves this is the adjusted interval of Bonett and Price, Adjusted Wald confidence
    interval for a difference of binomial proportions based on paired data, J. of Educational and Behavioral Statistics
    37 (2012): without it, two models that happen to be right about the same 25 covers would never differ.

    Examples
    --------
    Right where the other is wrong twenty times, wrong three times, and alike on 27 covers:

    >>> one, two = [1] * 20 + [0] * 3 + [1] * 27, [0] * 20 + [1] * 3 + [1] * 27
    >>> result = paired_test(one, two, groups=range(50))
    >>> [round(number, 3) for number in (result.difference, result.low, result.high, result.p)]
    [0.34, 0.155, 0.499, 0.0]
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    member, count = members(groups)
    if one.shape != member.shape or two.shape != member.shape:
        found = f"scores of shapes {one.shape} and {two.shape} for {len(member):,} groups"
        raise EvaluationError("paired test", found, "Each model has one score a cover")
    checked_level(level)
    gain = one - two  # (n,)
    difference = float(gain.mean())
    sizes = np.bincount(member, minlength=count)
    if not Size.of(sizes).enough(FEWEST_COVERS):
        return Paired.of(difference, None)
    whole = any(np.isin(scores, (0, 1)).all() for scores in (one, two))
    return Paired.of(difference, _over_groups(gain, member, sizes, whole=whole), level=level)


def _over_groups(gain: Floats, member: NDArray[np.intp], sizes: NDArray[np.intp], *, whole: bool) -> Student | None:
    """Return the mean gain with its error over groups; with two groups added, of the gains +1 and −1 if ``whole``."""
    added = (len(gain) / len(sizes)) ** 0.5
    most = 1.0 if whole else float(np.square(gain).mean()) ** 0.5
    if not most:
        return None
    sums = np.append(np.bincount(member, weights=gain), [most * added, -most * added])  # (G + 2,)
    covers = np.append(sizes, [added, added])
    centre = float(sums.sum() / covers.sum())
    off = sums - centre * covers
    error = float((off**2).sum() * len(off) / (len(off) - 1)) ** 0.5 / float(covers.sum())
    return Student(float(gain.mean()), error, _freedom(off, Size.of(covers).worth - 1), centre)


# -------------------------------------------------------------------------------- what an interval says


def standing(low: float | None, high: float | None, *, margin: float = MARGIN, none: float = 0.0) -> Standing:
    """Return what the interval of a gain says: better, worse, the same within a margin, or that it can't be told.

    Parameters
    ----------
    low, high
        Of the gain, or of a figure whose value without any gain is ``none``; None or nan where there is no interval.
    margin
        Up to which a gain counts as none.

    Examples
    --------
    >>> standing(0.01, 0.2), standing(-0.02, 0.03), standing(-0.1, 0.2), standing(None, None)
    ('better', 'same', 'unclear', 'unclear')
    """
    if low is None or high is None or np.isnan(low) or np.isnan(high):
        return "unclear"
    if low > none or high < none:
        return "better" if low > none else "worse"
    return "same" if low >= none - margin and high <= none + margin else "unclear"


def level_after(p: float, p_corrected: float, tests: int, level: float = LEVEL) -> float:
    """Return the level of the interval that belongs to a p which was corrected for how many tests there are.

    The interval of that level excludes 0 if and only if the corrected p is below ``1 − level``.

    Examples
    --------
    >>> round(level_after(0.01, 0.03, 3), 4), level_after(0.01, 0.01, 1)
    (0.9833, 0.95)
    """
    return 1 - (1 - level) * (p / p_corrected if p_corrected > 0 else 1 / tests)


def doubts(groups: ArrayLike) -> str:
    """Return a sentence on what so few groups mean for intervals, or nothing if there are enough.

    Examples
    --------
    >>> doubts(["Abba", "Abba", "Can"])
    'There are only 2 groups of covers; intervals take 8 or more.'
    >>> doubts(["Abba", "Abba"])
    'All covers are of one group, so that nothing tells how sure the figures are.'
    >>> doubts(range(100))
    ''
    """
    count = members(groups)[1]
    if count == 1:
        return "All covers are of one group, so that nothing tells how sure the figures are."
    return f"There are only {count} groups of covers; intervals take {FEWEST_GROUPS} or more." * (count < FEWEST_GROUPS)


def places_apart(low: float, high: float, places: int, *, scale: float = 100.0) -> int:
    """Return how many decimals show the ends of an interval as two numbers: ``places`` or more.

    Examples
    --------
    >>> places_apart(0.99816, 1.0, 0), places_apart(0.4, 0.6, 0)
    (1, 0)
    """
    while low < high and places < 6 and f"{scale * low:.{places}f}" == f"{scale * high:.{places}f}":
        places += 1
    return places
