"""What can go wrong, said in one sentence.

Every error of sleevenotes reads the same in the library, on the command line and in the API:
**where: what was found. What was expected. What to do.**

    SleevenotesError
    ├── CoverError              one cover can't be used
    │   ├── EmptyCover          no bytes at all
    │   ├── NotACover           bytes that are no picture, or of a kind that is not read
    │   ├── TruncatedCover      the picture breaks off
    │   └── OversizedCover      more pixels than allowed
    ├── DatasetError            metadata.csv and what lies beside it
    │   ├── ChangedMeanwhile    it is no longer as whoever wants to change it has seen it
    │   └── StoreBusy           others write to it for longer than anybody should have to wait
    ├── SourceError             what `collect` was pointed at
    ├── SplitError              train, valid and test
    ├── WeightsError            pretrained weights: missing, or not the ones named
    ├── ModelError              a model folder, or what was asked of it
    ├── EvaluationError         nothing to evaluate, or figures that do not fit together
    └── AuditError              what was asked of the audit can't be audited

`SleevenotesWarning` is for what is doubtful but legal, with the number that makes it so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Self

SHOWN_PROBLEMS = 10


class SleevenotesError(Exception):
    """An error that its reader can act upon.

    Parameters
    ----------
    where
        The file, row or verb it is about.
    found
        What was found there.
    expected
        What was expected instead.
    cure
        What to do.

    Examples
    --------
    >>> str(SleevenotesError("abba.jpg", "cut off after 18,432 bytes", "a whole JPEG", "Fetch it again"))
    'abba.jpg: cut off after 18,432 bytes. A whole JPEG was expected. Fetch it again.'
    """

    def __init__(self, where: str, found: str, expected: str = "", cure: str = "") -> None:
        self.where, self.found, self.expected, self.cure = where, found, expected, cure
        super().__init__(self.sentence)

    def about(self, where: str) -> Self:
        """Return the same error with another name for what it is about, such as the path that was typed."""
        named = type(self).__new__(type(self))
        named.__dict__.update(self.__dict__ | {"where": where})
        named.args = (named.sentence,)
        return named

    @property
    def sentence(self) -> str:
        """The whole message."""
        parts = [f"{self.where}: {self.found}", self.expected, self.cure]
        if self.expected and not self.expected[0].isupper():
            verb = "were" if _is_plural(self.expected) else "was"
            parts[1] = f"{self.expected[0].upper()}{self.expected[1:].rstrip(' .')} {verb} expected"
        return " ".join(_ended(part) for part in parts if part.strip(" ."))


def _ended(part: str) -> str:
    """Return a part of a sentence with its full stop, or with the question mark that it has."""
    part = part.strip().rstrip(". ")
    return part if part.endswith("?") else f"{part}."


def _is_plural(phrase: str) -> bool:
    """Return whether English says "were expected" of a phrase: "train and valid", "10 covers", "some of folk, rock"."""
    first = phrase.split()[:2]
    if first[0] in ("a", "an", "the", "one", "every"):
        return False
    return " and " in phrase or first[0] == "some" or any(re.fullmatch(r"\w{2,}[^sui\W]s", word) for word in first)


class CoverError(SleevenotesError):
    """One cover can't be used; the others can."""


class EmptyCover(CoverError):
    """A file without a byte in it."""


class NotACover(CoverError):
    """Bytes that are no picture of a kind that is read here."""


class TruncatedCover(CoverError):
    """A picture that breaks off or is damaged inside."""


class OversizedCover(CoverError):
    """A picture with more pixels than allowed."""


class DatasetError(SleevenotesError):
    """A dataset's table has rows that can't be used, or is not there.

    Parameters
    ----------
    problems
        One sentence a problem; the first ten are shown, the rest counted.
    """

    def __init__(
        self, where: str, found: str, expected: str = "", cure: str = "", *, problems: Sequence[str] = ()
    ) -> None:
        self.problems = list(problems)
        super().__init__(where, found, expected, cure)

    @property
    def sentence(self) -> str:
        """The whole message, with the first problems below it."""
        return "\n".join([super().sentence, *first_problems(self.problems)])


class ChangedMeanwhile(DatasetError):
    """What is to be changed is no longer as it was seen; nothing was changed."""


class StoreBusy(DatasetError):
    """Others hold a store for longer than anybody should have to wait."""


class SourceError(SleevenotesError):
    """What was given to collect from can't be collected from."""


class SplitError(SleevenotesError):
    """The covers can't be split as asked, or are not split yet."""


class WeightsError(SleevenotesError):
    """Pretrained weights are missing, or are not the ones that were named."""


class ModelError(SleevenotesError):
    """A model folder can't be used, or not for this."""


class EvaluationError(SleevenotesError):
    """There is nothing to evaluate, or its parts do not fit together."""


class AuditError(SleevenotesError):
    """What was asked of the audit can't be audited."""


class SleevenotesWarning(UserWarning):
    """Doubtful, but legal: the message has the number that makes it so."""


def first_problems(problems: Sequence[str]) -> list[str]:
    """Return the first ten problems, indented, and a line that counts the others.

    Examples
    --------
    >>> first_problems(["row 2: no file name"])
    ['  row 2: no file name']
    """
    lines = [f"  {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  … and {len(problems) - SHOWN_PROBLEMS:,} more")
    return lines


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return "Did you mean 'x'?" where one of the known words is close, else an empty string.

    Examples
    --------
    >>> did_you_mean("mobilnet", ["color", "small", "mobilenet"])
    "Did you mean 'mobilenet'?"
    """
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""
