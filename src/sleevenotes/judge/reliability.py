"""How far percentages can be believed: calibration, and how right a model is that answers only where it is sure.

The conventions are those of `sleevenotes.judge.metrics`, where these figures stand, too. Further:

``right``
    ``(n,)``, 1 for each cover whose likeliest genre is right (in `multi`: is one of its genres), else 0; nan where that
    is unknown, and the cover is left out. From `likeliest_right`.
``risk``
    ``(n,)``, how likely a model holds its answer to be wrong, 0 to 1. From the least of it on, covers are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import EvaluationError
from sleevenotes.judge.weighing import UNKNOWN, Floats, checked, predicted, ratio, resampled

BINS = 10


# -------------------------------------------------------------------------------- calibration


class Reliability(NamedTuple):
    """What the model claims and what is so, in bins of equal mass from the least sure on.

    Attributes
    ----------
    confidence
        Mean proba in each bin, (bins,) or (B, bins), 0 to 1.
    accuracy
        Share that is right in each bin.
    mass
        Sum of weights in each bin: the n-th part of all.
    """

    confidence: Floats
    accuracy: Floats
    mass: Floats

    @property
    def error(self) -> Floats:
        """How far confidence is from accuracy on average, one number or (B,): `calibration_error`."""
        gaps: Floats = np.abs(self.confidence - self.accuracy).mean(axis=-1)  # a plain mean, as the masses are equal
        return gaps


def reliability(
    truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, bins: int = BINS
) -> Reliability:
    """Return confidence and accuracy in bins of equal mass, for a reliability diagram.

    One genre a cover: the proba of the predicted genre against whether it is right. Any number: all known pairs of a
    cover and a genre, the genre's proba against whether the cover has it.

    The claims are laid out from the least sure to the surest, each as wide as its weight, and cut into ``bins`` equal
    lengths. A claim that lies across a cut counts on both sides with what lies there, and claims of equal confidence
    are mixed evenly. So neither the order of the covers nor the scale of the weights matters, and a bin's mass need
    not be a whole number.

    Examples
    --------
    Two sure claims, of which one is right, and two unsure ones, both right:

    >>> sure = reliability([0, 1, 0, 0], [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], bins=2)
    >>> sure.confidence.round(3).tolist(), sure.accuracy.round(3).tolist(), sure.mass.tolist()
    ([0.6, 0.9], [1.0, 0.5], [2.0, 2.0])
    """
    if bins < 1:
        raise EvaluationError("reliability", f"{bins} bins", "There is one bin or more")
    truth, proba = checked(truth, proba)
    n, k = proba.shape
    if truth.ndim == 1:
        claim, held = proba.max(axis=1), (predicted(proba) == truth).astype(np.float64)  # (m,), (m,) with m = n
        cover = np.arange(n)
    else:
        known = truth.ravel() != UNKNOWN
        claim, held = proba.ravel()[known], truth.ravel()[known].astype(np.float64)  # (m,), (m,) with m = n K at most
        cover = np.repeat(np.arange(n), k)[known]
    order = np.argsort(claim, kind="stable")
    cover, held = cover[order], held[order]
    levels, starts = np.unique(claim[order], return_index=True)  # (L,), (L,)

    def binned(w: Floats) -> Floats:  # (b, n) -> (b, bins, 3)
        mass = w[:, cover]  # (b, m)
        right = mass * held
        if len(levels) < len(cover):  # equal claims are one
            mass, right = (np.add.reduceat(part, starts, axis=1) for part in (mass, right))  # (b, L)
        return _cut(mass, mass * levels, right, bins)

    tables = resampled(binned, weights, n, width=len(cover))
    return Reliability(tables[..., 0], tables[..., 1], tables[..., 2])


def _cut(mass: Floats, claimed: Floats, right: Floats, bins: int) -> Floats:
    """Return mean claim, mean right and mass, (b, bins, 3), between the cuts of the line of claims, (b, L)."""
    rows, levels = mass.shape
    reached = np.zeros((3, rows, levels + 1))  # running sums from 0 on
    for total, part in zip(reached, (mass, claimed, right), strict=True):
        np.cumsum(part, axis=1, out=total[:, 1:])
    share = reached[0, :, -1:] / bins  # (b, 1), the mass of a bin
    cuts = share * np.arange(bins + 1)  # (b, bins + 1)
    sums = [[np.interp(*line) for line in zip(cuts, reached[0], total, strict=True)] for total in reached[1:]]
    means = ratio(np.diff(sums, axis=2), share)  # (2, b, bins)
    return np.stack([*means, np.repeat(share, bins, axis=1)], axis=2)


def calibration_error(
    truth: ArrayLike, proba: ArrayLike, weights: ArrayLike | None = None, *, bins: int = BINS
) -> Floats:
    """Return the expected calibration error: how far confidence is from accuracy, on average over bins of equal mass.

    ``Σ_b m_b |conf_b − acc_b| / Σ_b m_b`` over the bins of `reliability`, 0 to 1. It is biased upwards: a perfectly
    calibrated model gets about ``0.8 √(a (1 − a) bins / n)`` at accuracy a, 0.04 for 740 covers in ten bins.

    Notes
    -----
    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI (2015); equal
    mass after Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops (2019).

    Examples
    --------
    |0.6 − 1| and |0.9 − 0.5|:

    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]
    >>> float(calibration_error([0, 1, 0, 0], proba, bins=2).round(3))
    0.4
    """
    return reliability(truth, proba, weights, bins=bins).error


# -------------------------------------------------------------------------------- answering only where it is sure


def likeliest_right(truth: ArrayLike, proba: ArrayLike) -> Floats:
    """Return 1 for each cover whose likeliest genre is right, or one of its genres, else 0; nan where unknown; (n,).

    Examples
    --------
    >>> likeliest_right([[1, 0], [0, 1], [-1, 1]], [[0.9, 0.1]] * 3).tolist()
    [1.0, 0.0, nan]
    """
    truth, proba = checked(truth, proba)
    first = predicted(proba)
    if truth.ndim == 1:
        return np.asarray(first == truth, dtype=np.float64)
    held = truth[np.arange(len(truth)), first]
    return np.where(held == UNKNOWN, np.nan, held.astype(np.float64))


def among_surest(
    right: ArrayLike, risk: ArrayLike, weights: ArrayLike | None = None, *, shares: Sequence[float] = (1.0,)
) -> Floats:
    """Return how often it is right where it answers only so large a share of covers, those of the least risk, (S,).

    A cover that lies across the cut counts with what lies on this side, and covers of equal risk are mixed evenly, so
    that the order of covers does not matter. Given any other score a cover instead of ``right``, its mean.

    Parameters
    ----------
    shares
        S shares of covers that are answered, above 0 and up to 1.

    Examples
    --------
    >>> among_surest([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.3], shares=(0.5, 0.75, 1)).round(3).tolist()
    [1.0, 0.667, 0.5]
    """
    if not all(0 < share <= 1 for share in shares):
        raise EvaluationError("among surest", f"shares {list(shares)}", "Shares above 0 and up to 1 were expected")
    kept, starts, held = _from_the_surest(right, risk)

    def part(w: Floats) -> Floats:  # (b, n) -> (b, S)
        mass, good = _reached(w, kept, starts, held)
        cuts = mass[:, -1:] * np.array(shares)
        line = [np.interp(*each) for each in zip(cuts, mass, good, strict=True)]
        return ratio(np.array(line), cuts)

    return resampled(part, weights, len(np.asarray(risk)))


def area_under_risk(right: ArrayLike, risk: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the area under the risk-coverage curve (AURC): how often it is wrong, on average over all shares answered.

    The mean, over covers from the surest on, of the share that is wrong among those up to it; covers of equal risk
    enter together. 0 is best; risks that tell nothing get about the share that is wrong of all.

    Notes
    -----
    El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, J. Machine Learning Research 11
    (2010); Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR (2019).

    Examples
    --------
    (0/1 + 0/2 + 1/3 + 2/4) / 4:

    >>> float(area_under_risk([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]).round(4))
    0.2083
    """
    kept, starts, held = _from_the_surest(right, risk)

    def area(w: Floats) -> Floats:  # (b, n) -> (b,)
        mass, good = _reached(w, kept, starts, held)
        wrong = 1 - ratio(good[:, 1:], mass[:, 1:], 1.0)  # (b, L)
        return ratio((wrong * np.diff(mass, axis=1)).sum(axis=1), mass[:, -1])

    return resampled(area, weights, len(np.asarray(risk)))


def _from_the_surest(right: ArrayLike, risk: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return known covers by rising risk, (m,), where each of L levels of risk begins, and how right they are, (m,)."""
    held, risk = np.asarray(right, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    if held.ndim != 1 or held.shape != risk.shape:
        found = f"right of shape {held.shape} and risk of shape {risk.shape}"
        raise EvaluationError("risk", found, "Both are (n,)")
    kept = np.flatnonzero(~np.isnan(held))
    kept = kept[np.argsort(risk[kept], kind="stable")]
    return kept, np.unique(risk[kept], return_index=True)[1], held[kept]


def _reached(w: Floats, kept: NDArray[np.intp], starts: NDArray[np.intp], held: Floats) -> tuple[Floats, Floats]:
    """Return the mass of covers, and of right ones, up to each level of risk, (b, L + 1) from 0 on."""
    sums = np.zeros((2, len(w), len(starts) + 1))
    if len(kept):
        for total, part in zip(sums, (w[:, kept], w[:, kept] * held), strict=True):
            np.cumsum(np.add.reduceat(part, starts, axis=1), axis=1, out=total[:, 1:])
    return sums[0], sums[1]
