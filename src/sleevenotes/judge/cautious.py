"""Figures of a model that knows its doubts: answers only where it is sure, and sets that hold the truth.

What it promised was found on covers that its head did not learn from; here it is seen what came true.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from sleevenotes.judge import metrics
from sleevenotes.judge.intervals import TOO_FEW, places_apart
from sleevenotes.judge.metrics import Floats
from sleevenotes.judge.rulers import Answers, Figure, Measured, Ruler, plain
from sleevenotes.learn import conformal
from sleevenotes.learn.abstention import risk_of

SHARES = tuple(step / 20 for step in range(1, 21))  # of covers that are answered, on the curve


def surest(ruler: Ruler, answers: Answers) -> dict[str, Figure]:
    """Return how often it is right on the fifth, and the half, of covers it is surest of, and the area under its risk.

    In `multi`, right is the likeliest genre where the cover has it; covers of which that is unknown are left out.
    """
    right, risk = metrics.likeliest_right(ruler.truth, answers.proba), _risk(answers)
    parts = {"surest_fifth": 0.2, "surest_half": 0.5}
    curve = _curve(ruler, right, risk, tuple(parts.values()))
    known = ~np.isnan(right)
    figures = {name: ruler.part(_at_share(curve, at), parts[name] * known.sum()) for at, name in enumerate(parts)}
    area = ruler.measure(lambda _truth, right, *weights: metrics.area_under_risk(right, risk, *weights), right)
    return figures | {"aurc": ruler.figure(area, within=known)}


def abstention(ruler: Ruler, answers: Answers, max_risk: float | None) -> dict[str, Any]:
    """Return the risk-coverage curve: how often it is wrong where it answers only so many covers, the surest first.

    Returns
    -------
    dict[str, Any]
        ``n``; ``curve``, a row a share of covers ``answered``, with the greatest ``risk`` among them, the mean of their
        risks (``promised``) and the share that is wrong (``value``, ``low``, ``high``); ``at``, the same for the risk
        that was asked for, None without; and ``words``.
    """
    right, risk = metrics.likeliest_right(ruler.truth, answers.proba), _risk(answers)
    known = ~np.isnan(right)
    wrong = _curve(ruler, 1 - right, risk, SHARES)
    promised = metrics.among_surest(np.where(known, risk, np.nan), risk, shares=SHARES)
    limits = np.quantile(risk[known], SHARES, method="inverted_cdf") if known.any() else np.full(len(SHARES), np.nan)
    rows = [
        {
            "answered": share,
            "risk": plain(limits[at]),
            "promised": plain(promised[at]),
            **ruler.part(_at_share(wrong, at), share * known.sum()),
        }
        for at, share in enumerate(SHARES)
    ]
    at = None if max_risk is None else _at(ruler, right, risk, max_risk)
    return {"n": int(known.sum()), "curve": rows, "at": at, "words": _words_of_risk(rows, at)}


def sets(ruler: Ruler, answers: Answers, genres: Sequence[str], coverage: float | None) -> dict[str, Any] | None:
    """Return how often the sets hold the truth, on all covers and on those of each genre, and how large they are.

    Returns
    -------
    dict[str, Any] | None
        ``coverage`` (asked), ``n``, ``achieved``, ``size``, ``by_genre`` and ``words``; None where there are no sets.
    """
    if answers.sets is None or coverage is None:
        return None
    inside = np.asarray(answers.sets)
    held = conformal.holds(inside, ruler.truth.astype(np.int64))
    many = ruler.truth.ndim == 2
    own = ruler.truth == 1 if many else ruler.truth[:, None] == np.arange(len(genres))
    achieved, size = ruler.share(held), ruler.mean(inside.sum(axis=1).astype(np.float64), scale="plain")
    what = "all genres" if many else "the genre"
    words = f"Sets that were to hold {what} of {100 * coverage:g} of 100 covers hold {'them' if many else 'it'} on "
    words += f"{_percent(achieved)}, with {_number(size)} of {len(genres)} genres in them on average."
    return {
        "coverage": coverage,
        "n": int((~np.isnan(held)).sum()),
        "achieved": achieved,
        "size": size,
        "by_genre": {
            genre: ruler.share(np.where(own[:, g], inside[:, g].astype(np.float64), np.nan))
            for g, genre in enumerate(genres)
        },
        "words": words,
    }


def _risk(answers: Answers) -> Floats:
    """Return the risk of each answer, (n,)."""
    return risk_of(np.asarray(answers.proba)) if answers.risk is None else np.asarray(answers.risk, dtype=np.float64)


def _curve(ruler: Ruler, scores: Floats, risk: Floats, shares: Sequence[float]) -> Measured:
    """Return the mean score among the surest of each share, (S,), and without each group, (B, S)."""
    metric = partial(metrics.among_surest, shares=shares)
    return ruler.measure(lambda _truth, scores, *weights: metric(scores, risk, *weights), scores)


def _at_share(measured: Measured, at: int) -> Measured:
    return Measured(measured.value[at], measured.left_out[:, at])


def _at(ruler: Ruler, right: Floats, risk: Floats, max_risk: float) -> dict[str, Any]:
    """Return what comes of answering only covers of no greater risk."""
    known, answered = ~np.isnan(right), risk <= max_risk
    given = known & answered
    return {
        "max_risk": max_risk,
        "answered": ruler.share(np.where(known, answered.astype(np.float64), np.nan)),
        "promised": plain(risk[given].mean()) if given.any() else None,
        "wrong": ruler.share(np.where(given, 1 - right, np.nan)),
    }


def _words_of_risk(rows: Sequence[dict[str, Any]], at: dict[str, Any] | None) -> str:
    fifth, half = (next(row for row in rows if row["answered"] == share) for share in (0.2, 0.5))
    if fifth["value"] is None:
        return "It can't be told how its risk comes true."
    words = f"Where it answers only the fifth of covers it is surest of, {_percent(fifth)} of its answers are wrong "
    words += f"({100 * fifth['promised']:.0f} % promised); of the surest half {_percent(half)}."
    if at is None:
        return words
    told = f" Answers of a risk of at most {100 * at['max_risk']:g} %"
    if not at["answered"]["value"]:
        return f"{words}{told} it has none."
    told += f" it gives on {_percent(at['answered'])} of covers; {_percent(at['wrong'])} of them are wrong"
    return f"{words}{told} ({100 * at['promised']:.0f} % promised)."


def _percent(figure: dict[str, Any]) -> str:
    """Return "38 % (35–41)", or "38 % (too few covers)"."""
    if figure["value"] is None:
        return "an unknown share"
    low, high, span = figure["low"], figure["high"], TOO_FEW
    if low is not None:
        places = places_apart(low, high, 0)
        span = f"{100 * low:.{places}f}–{100 * high:.{places}f}"
    return f"{100 * figure['value']:.0f} % ({span})"


def _number(figure: Figure) -> str:
    """Return "3.2 (3.1–3.4)"."""
    span = TOO_FEW if figure["low"] is None else f"{figure['low']:.1f}–{figure['high']:.1f}"
    return f"{figure['value']:.1f} ({span})"
