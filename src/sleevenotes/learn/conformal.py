"""Sets of genres that hold the truth as often as is asked: 90 of 100 new covers find their genre in theirs.

Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Papadopoulos et
al., Inductive Confidence Machines for Regression, ECML 2002). On covers that the head did not learn from, valid's or
those of other folds, each cover says how small a proba its own genre may have. A set takes in every genre from the
**limit** on: the proba that was reached by so many of these covers as the asked coverage says. Nothing is assumed of
the model, nor of its percentages; a poor model has large sets.

`single`, `binary`
    The set holds the cover's genre. A genre is in it by its proba alone: the least ambiguous sets of Sadinle, Lei and
    Wasserman (J. American Statistical Association 114, 2019, https://arxiv.org/abs/1609.00451), the smallest on average
    of all that keep the coverage. Adaptive sets (Romano, Sesia and Candès, NeurIPS 2020) would spread the misses more
    evenly over covers, but are larger, and need a random number a cover to be exact: the same cover would have another
    set each time.
`multi`
    The set holds *all* genres of the cover, so that what counts is the least likely of them: the outer sets of
    Cauchois, Gupta and Duchi (J. Machine Learning Research 22, 2021, https://arxiv.org/abs/2004.10181). A cover none of
    whose genres is known asks nothing, and is left out.

**Groups.** The guarantee is for covers that might as well have come in any order, which covers of one artist are not:
they stand together. So each *group* weighs one, shared by its covers, and what is guaranteed is the coverage of a cover
of a new group: Lee, Barber and Willett, Distribution-free inference with hierarchical data (2023,
https://arxiv.org/abs/2306.06342). With one cover a group that is the usual rule, the ⌈(n + 1) · coverage⌉-th of n.

The guarantee is one over all covers, not for each genre: `evaluate` tells the coverage of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.errors import ModelError

Floats = NDArray[np.float64]

PERCENTS = range(1, 100)  # the coverages whose limits are kept
LEAST, GREATEST = PERCENTS[0] / 100, PERCENTS[-1] / 100


def claimed(proba: Floats, truth: NDArray[np.int64]) -> Floats:
    """Return the proba of each cover's own genre, (n,); in `multi` of the least likely of its genres, nan without one.

    Parameters
    ----------
    proba
        (n, K).
    truth
        (n,), or (n, K) of 1, 0 and, where unknown, -1.

    Examples
    --------
    >>> claimed(np.array([[0.7, 0.2, 0.1]]), np.array([[1, 1, 0]])).tolist()
    [0.2]
    """
    if truth.ndim == 1:
        return np.asarray(proba[np.arange(len(truth)), truth], dtype=np.float64)
    least = np.where(truth == 1, proba, np.inf).min(axis=1)
    return np.where(np.isinf(least), np.nan, least)


def limits(own: ArrayLike, groups: Sequence[str] | NDArray[Any] | None = None) -> list[float | None]:
    """Return the proba from which a genre is in the set, for a coverage of 1, 2, … 99 %; None where that is any.

    With G groups, a cover of a group of m weighs ``1 / (m (G + 1))``. From the likeliest on, covers are taken until
    their weight reaches the coverage; the limit is the proba of the last one's own genre. Where all together do not
    reach it, no limit could be vouched for.

    Parameters
    ----------
    own
        From `claimed`, (n,); nan is left out.
    groups
        The group of each cover, (n,); each is a group by itself where None.

    Examples
    --------
    Of four covers, ⌈5 · 0.6⌉ = 3 reach the limit for 60 %; 90 % would take five:

    >>> found = limits([0.9, 0.8, 0.5, 0.3])
    >>> found[59], found[89]
    (0.5, None)
    """
    given = np.asarray(own, dtype=np.float64)
    kept = np.flatnonzero(~np.isnan(given))
    order = kept[np.argsort(-given[kept], kind="stable")]
    names = np.arange(len(given)) if groups is None else np.asarray(groups)
    _, member, size = np.unique(names[order], return_inverse=True, return_counts=True)
    reached = np.cumsum(1 / (size[member] * (len(size) + 1.0)))  # (n,)
    # sums of thirds and sevenths may miss a round number by their last digit
    places = np.searchsorted(reached, np.array(PERCENTS) / 100 - 1e-9)
    return [float(given[order[place]]) if place < len(order) else None for place in places]


def sets_card(proba: Floats, truth: NDArray[np.int64], groups: Sequence[str] | None = None) -> dict[str, Any]:
    """Return `sets` of a model's calibration: what its sets hold, and from which proba a genre is in them.

    Parameters
    ----------
    proba, truth, groups
        Of covers that the head did not learn from.
    """
    own = claimed(proba, truth)
    known = ~np.isnan(own)
    names = np.arange(len(own)) if groups is None else np.asarray(groups)
    return {
        "holds": "the genre" if truth.ndim == 1 else "all genres",
        "n": int(known.sum()),
        "groups": len(np.unique(names[known])),
        "limits": limits(own, names),
    }


def limit_for(card: Mapping[str, Any], coverage: float) -> float:
    """Return the proba from which a genre is in the set; 0 where none is small enough to be left out.

    Parameters
    ----------
    card
        `calibration` of a model's card.
    coverage
        0.01 to 0.99. In between whole percents, the next one above is kept.

    Raises
    ------
    ModelError
        Where the coverage is none, or the model was calibrated before there were sets.

    Examples
    --------
    >>> limit_for({"sets": {"limits": [0.5] * 89 + [0.2] * 10}}, 0.895)
    0.2
    """
    if not LEAST <= coverage <= GREATEST:
        raise ModelError("coverage", f"{coverage:g}", f"It is a share from {LEAST} to {GREATEST}, like 0.9")
    if "sets" not in card:
        raise ModelError("model.json", "no sets of genres in its calibration", cure="Train the model again")
    found: float | None = card["sets"]["limits"][ceil(round(100 * coverage, 6)) - 1]
    return 0.0 if found is None else found


def in_set(proba: Floats, limit: float) -> NDArray[np.bool_]:
    """Return which genres are in the set of each cover, (n, K): all from the limit on, and the likeliest in any case.

    Examples
    --------
    >>> in_set(np.array([[0.6, 0.3, 0.1], [0.2, 0.1, 0.1]]), 0.3).tolist()
    [[True, True, False], [True, False, False]]
    """
    inside = np.asarray(proba >= limit)
    inside[np.arange(len(proba)), proba.argmax(axis=1)] = True
    return inside


def holds(inside: NDArray[np.bool_], truth: NDArray[np.int64]) -> Floats:
    """Return 1 for each cover whose set holds its genre, or all of its genres, else 0, (n,); nan where none is known.

    Examples
    --------
    >>> holds(np.array([[True, True, False]]), np.array([[1, 0, 1]])).tolist()
    [0.0]
    """
    if truth.ndim == 1:
        return inside[np.arange(len(truth)), truth].astype(np.float64)
    held = (inside | (truth != 1)).all(axis=1).astype(np.float64)
    return np.where((truth == 1).any(axis=1), held, np.nan)
