"""Findings: what each check of the audit leaves, in one shape, and the rules by which it is judged.

A finding says what was measured, with an interval and against chance, a verdict, what to do, and a command that does
it. Three verdicts, from good to bad:

============ =========================================================================================================
verdict      what it means
============ =========================================================================================================
`clean`      nothing beyond chance, or too little to matter
`suspicious` more than chance explains: figures are to be read with it in mind
`broken`     so much that a figure on this dataset, or of this model, says nothing about art
============ =========================================================================================================

All findings that have a p are judged by it after Holm's correction for how many there are, so that a clean dataset
raises a false alarm of any kind in 5 % of audits at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from sleevenotes.judge.intervals import SIGNIFICANT

__all__ = ["SIGNIFICANT", "VERDICTS", "Finding", "LeftOut", "Measured", "Verdict", "holm", "settled", "worst"]

Verdict = Literal["clean", "suspicious", "broken"]
VERDICTS: tuple[Verdict, ...] = ("clean", "suspicious", "broken")


@dataclass(frozen=True)
class Measured:
    """A figure of a check.

    Parameters
    ----------
    metric
        In words, such as "ROC AUC".
    value, low, high
        The figure and its 95 % interval; None where there is nothing to tell it from.
    chance
        What the figure would be if all were well; None where that is no number.
    p
        How often chance alone would give as much; None where the check has no test.
    n, groups
        Covers and groups behind it.
    too_few
        Whether these are too few for an interval.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    chance: float | None = None
    p: float | None = None
    n: int = 0
    groups: int = 0
    too_few: bool = False


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    id
        Unlike that of any other finding of an audit.
    check
        Its number, 1 to 9, as in docs/audit.md.
    title
        A few words.
    tested
        What was measured, and on what, in a sentence.
    measured
        The figure.
    verdict
        As the check's rule has it.
    words
        What was found, in a sentence or two.
    advice
        What to do about it; `settled` removes it where nothing needs doing.
    command
        A command that does that, or that shows more.
    details
        Further figures, ready for JSON; what they are depends on the check.
    files
        Pictures beside `audit.json`: file name and caption.
    p_holm
        p after Holm's correction; None before it, or without a p.
    """

    id: str
    check: int
    title: str
    tested: str
    measured: Measured
    verdict: Verdict
    words: str
    advice: str = ""
    command: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    files: list[tuple[str, str]] = field(default_factory=list)
    p_holm: float | None = None

    def plain(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        told = asdict(self)
        told["files"] = [{"file": name, "caption": caption} for name, caption in self.files]
        return told


@dataclass(frozen=True)
class LeftOut:
    """A check that could not be made, and how it could.

    Parameters
    ----------
    check
        Its number.
    title
        A few words.
    why
        What is lacking, in a sentence.
    command
        What would make it possible; empty where nothing would.
    """

    check: int
    title: str
    why: str
    command: str = ""


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for how many there are, in the given order.

    The smallest is multiplied by their number m, the next by m - 1, and so on; none becomes smaller than one before it,
    or more than 1 (Holm, A simple sequentially rejective multiple test procedure, Scandinavian J. of Statistics 6,
    1979).

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable")
    corrected, least = [1.0] * len(values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(values) - place) * values[index]))
        corrected[index] = least
    return corrected


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst of some verdicts; `clean` where there is none.

    Examples
    --------
    >>> worst(["clean", "broken", "suspicious"])
    'broken'
    """
    return max(verdicts, key=VERDICTS.index, default="clean")


def settled(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings as they stand among each other.

    Their p are corrected for how many there are; one that does not survive that is `clean`. What is clean needs no
    advice.
    """
    tested = [finding for finding in findings if finding.measured.p is not None]
    corrected = iter(holm([finding.measured.p for finding in tested if finding.measured.p is not None]))
    told = []
    for finding in findings:
        p = None if finding.measured.p is None else next(corrected)
        new = replace(finding, p_holm=p)
        if p is not None and p > SIGNIFICANT and finding.verdict != "clean":
            words = f"{finding.words} Among {len(tested)} tests that is no more than chance would give (p = {p:.2g})."
            new = replace(new, verdict="clean", words=words)
        told.append(replace(new, advice="", command="") if new.verdict == "clean" else new)
    return told
