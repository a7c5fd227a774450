"""Shares of covers where only their numbers are known: as of a paper that gives no answers and no interval.

With the answers themselves at hand, `sleevenotes.judge.resampling` knows more: it keeps groups together, and compares
two models on the very same covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, sqrt

from sleevenotes.errors import EvaluationError

Z = 1.959963984540054  # the 97.5th percentile of the normal distribution


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of n independent covers, each end 0 to 1.

    With p the share and z = 1.96, its ends are ``(p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n)``.

    Notes
    -----
    Wilson, Probable Inference, the Law of Succession, and Statistical Inference, J. American Statistical Association 22
    (1927). It holds near 0 and 1, too, where ``p ± z √(p (1 − p)/n)`` does not.

    Raises
    ------
    EvaluationError
        Where the share is not between 0 and 1, or there is no cover.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(0.18, 1000)]
    [0.157, 0.205]
    """
    if n < 1 or not 0 <= share <= 1:
        raise EvaluationError("wilson", f"a share of {share} of {n} covers", "a share, 0 to 1, of 1 cover or more")
    middle = share + Z**2 / (2 * n)
    reach = Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, (middle - reach) / (1 + Z**2 / n)), min(1.0, (middle + reach) / (1 + Z**2 / n))


def two_shares(first: float, second: float, n: int) -> float:
    """Return the p of two shares of n covers each, taken for independent: two-sided, by the pooled z-test.

    Two models asked about the same covers are usually right about the same ones, so their true difference is surer
    than this says; but without the answers nothing better is known.

    Notes
    -----
    ``z = (p₁ − p₂) / √(2 p (1 − p) / n)`` with p the mean of both; Fleiss, Levin and Paik, Statistical Methods for
    Rates and Proportions (2003), section 3.2, without continuity correction.

    Examples
    --------
    >>> round(two_shares(0.19, 0.16, 1000), 3), two_shares(0.1, 0.1, 1000)
    (0.077, 1.0)
    """
    pooled = (first + second) / 2
    error = sqrt(2 * pooled * (1 - pooled) / n)
    return 1.0 if error == 0 else erfc(abs(first - second) / error / sqrt(2))


def holm(ps: Sequence[float]) -> list[float]:
    """Return ps corrected for their number, in the same order: as if each were the only one.

    The smallest is multiplied by their number m, the next by m − 1, and so on; none becomes smaller than the one
    before, nor larger than 1. The chance that any of them comes out below 0.05 by luck alone then is 0.05 at most.

    Notes
    -----
    Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian J. of Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    corrected = [0.0] * len(ps)
    reached = 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        reached = max(reached, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = reached
    return corrected
