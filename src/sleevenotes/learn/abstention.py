"""Answers with their doubts: `can't tell` where an answer is too likely wrong, and the set that holds the truth.

The **risk** of an answer is how likely its first genre is wrong; in `multi`, how likely the cover does not have the
genre that it has most likely. One less the proba of that genre is nearly it, but a temperature that is best for all
genres at once leaves the surest answers a little too modest. So the claim that the first genre is right is calibrated
once more by itself, by Platt's map, on the same covers, from which the head did not learn (valid, or those of other
folds). Then among answers of a risk of 40 % some 40 % are wrong; and where none of more than 40 % is given, fewer.
`evaluate` tells how it is on test covers.

Answering only where the risk is small is Chow's rule (On Optimum Recognition Error and Reject Tradeoff, IEEE
Transactions on Information Theory 16, 1970): no other rule that answers as many covers is wrong less often, as far as
the percentages are true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.errors import ModelError
from sleevenotes.learn import conformal

Floats = NDArray[np.float64]

LEAST_PROBA = 1e-12
MAX_RISK = 0.5  # the default of command line, page and API: an answer that is more often wrong than right is none


def risk_of(proba: Floats, line: Mapping[str, float] | None = None, *, least: float = 0.0) -> Floats:
    """Return the risk of each cover's likeliest genre, (n,), 0 to 1.

    Parameters
    ----------
    proba
        Calibrated, (n, K).
    line
        `risk` of a model's calibration: `scale` and `shift` of the claim's logit. Without, it is one less the proba.
    least
        No risk is smaller than this: see `least_risk`.

    Examples
    --------
    >>> risk_of(np.array([[0.7, 0.2, 0.1], [0.4, 0.3, 0.3]])).round(2).tolist()
    [0.3, 0.6]
    """
    if line is None:
        return np.asarray(np.maximum(1 - proba.max(axis=1), least), dtype=np.float64)
    against = line["scale"] * claim_of(proba) + line["shift"]
    return np.asarray(np.maximum(1 / (1 + np.exp(np.clip(against, -500, 500))), least))


def least_risk(card: Mapping[str, Any]) -> float:
    """Return the smallest risk that n covers can vouch for, ``1 / (n + 2)``: that of n right answers out of n.

    Parameters
    ----------
    card
        `calibration` of a model's card; 0 if it does not say how many covers it was found on.

    Notes
    -----
    Laplace's rule of succession, as in `sleevenotes.learn.calibration.fit_temperature`.

    Examples
    --------
    >>> round(least_risk({"n": 9}), 3)
    0.091
    """
    return 1 / (card["n"] + 2) if "n" in card else 0.0


def claim_of(proba: Floats) -> Floats:
    """Return the logit of each cover's greatest proba, (n,), a number also where that is 0 or 1.

    Examples
    --------
    >>> claim_of(np.array([[0.5, 0.25]])).tolist()
    [0.0]
    """
    claimed = np.clip(proba.max(axis=1), LEAST_PROBA, 1 - LEAST_PROBA)
    return np.asarray(np.log(claimed) - np.log1p(-claimed), dtype=np.float64)


@dataclass(frozen=True)
class Caution:
    """How careful an answer has to be.

    Parameters
    ----------
    max_risk
        Answers of a greater risk are not given, 0 to 1; None where all are.
    coverage
        How often the set of genres shall hold the truth, 0.01 to 0.99; None where no set is asked for.
    limit
        The proba from which a genre is in the set.
    line, least
        As for `risk_of`.
    """

    max_risk: float | None = None
    coverage: float | None = None
    limit: float = 0.0
    line: Mapping[str, float] | None = None
    least: float = 0.0

    @classmethod
    def of(cls, card: Mapping[str, Any], *, max_risk: float | None = None, coverage: float | None = None) -> Caution:
        """Return the caution that is asked for, with the limit that a model's calibration has for it.

        Parameters
        ----------
        card
            `calibration` of the model's card.

        Raises
        ------
        ModelError
            Where a share is none, or the model knows no sets.
        """
        if max_risk is not None and not 0 <= max_risk <= 1:
            raise ModelError("max risk", f"{max_risk:g}", "It is a share from 0 to 1, like 0.4")
        limit = 0.0 if coverage is None else conformal.limit_for(card, coverage)
        return cls(max_risk, coverage, limit, card.get("risk"), least_risk(card))

    def risk(self, proba: Floats) -> float:
        """Return the risk of what is said of one cover, whose proba is (K,)."""
        return float(risk_of(proba[None], self.line, least=self.least)[0])

    def doubt(self, proba: Floats) -> str | None:
        """Return why no genre is named on a cover, in words; None where one is.

        Parameters
        ----------
        proba
            (K,).

        Examples
        --------
        >>> Caution(max_risk=0.4).doubt(np.array([0.55, 0.45]))
        'risk 45 %, more than 40 %'
        """
        risk = self.risk(proba)
        if self.max_risk is None or risk <= self.max_risk:
            return None
        places = 0 if round(100 * risk) > round(100 * self.max_risk) else 2
        return f"risk {100 * risk:.{places}f} %, more than {100 * self.max_risk:g} %"

    def genres(self, proba: Floats, genres: tuple[str, ...]) -> list[str] | None:
        """Return the set of a cover's genres, likeliest first; None where none is asked for.

        Examples
        --------
        >>> Caution(coverage=0.9, limit=0.2).genres(np.array([0.3, 0.1, 0.6]), ("folk", "jazz", "soul"))
        ['soul', 'folk']
        """
        if self.coverage is None:
            return None
        inside = conformal.in_set(proba[None], self.limit)[0]
        return [genres[index] for index in np.argsort(-proba, kind="stable") if inside[index]]
