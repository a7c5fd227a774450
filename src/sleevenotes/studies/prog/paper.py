"""What the study reports, as numbers, and what follows from them.

Fieck and Vadlamudi, "Final Project": album covers told to be progressive rock or not. The study gives no counts of its
test, no interval, and no figure of prog by itself; what can be worked out of what it does give is worked out here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sleevenotes.studies.record import Estimate, of_paper


@dataclass(frozen=True)
class Paper:
    """The study's numbers; shares are 0..1.

    Parameters
    ----------
    prog, others
        Covers of either kind; of the others it says "over" that number.
    prog_px, others_px
        Their native sizes; all were brought to the former.
    accuracy, loss
        At the end of its epochs.
    train_accuracy
        Above which accuracy on train stayed.
    spike, dip
        How far its second curve went astray: the largest loss and the smallest accuracy.
    """

    title: str = "Final Project"
    authors: str = "Sarah Fieck and Sreya Vadlamudi"
    prog: int = 2_316
    others: int = 80_000
    prog_px: int = 260
    others_px: int = 512
    train_share: float = 0.8
    filters: tuple[int, ...] = field(default=(32, 32, 64, 64, 128, 128, 128))
    dense: int = 100
    epochs: int = 50
    accuracy: float = 0.99
    loss: float = 0.02
    train_accuracy: float = 0.98
    spike: float = 0.2
    dip: float = 0.88

    @property
    def tested(self) -> int:
        """How many covers its test has, by its shares."""
        return round((1 - self.train_share) * (self.prog + self.others))

    @property
    def prog_tested(self) -> int:
        """How many of them are prog, by its shares."""
        return round((1 - self.train_share) * self.prog)

    @property
    def never_prog(self) -> float:
        """What always saying "not prog" scores.

        Examples
        --------
        >>> round(Paper().never_prog, 3)
        0.972
        """
        return self.others / (self.prog + self.others)

    @property
    def right(self) -> Estimate:
        """Its accuracy with the Wilson interval that it lacks."""
        return of_paper(self.accuracy, self.tested)

    @property
    def least_recall(self) -> float:
        """The smallest share of prog that it may have found: all of its errors may be prog.

        Examples
        --------
        >>> round(Paper().least_recall, 2)
        0.64
        """
        return max(0.0, 1 - (1 - self.accuracy) * self.tested / self.prog_tested)

    @property
    def least_precision(self) -> float:
        """The smallest share of prog among what it may have called prog: all of its errors may be others.

        Examples
        --------
        >>> round(Paper().least_precision, 2)
        0.74
        """
        return self.prog_tested / (self.prog_tested + (1 - self.accuracy) * self.tested)


PAPER = Paper()
