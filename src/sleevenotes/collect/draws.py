"""A balanced draw: so many covers of each genre, some of them test, by chance and a seed.

Covers of each genre stand in an order that the seed decides; the first that can be used are drawn. Whether one can is
known only when it was looked at, so a draw goes in rounds: it names the covers that it needs to know of, is told, and
names those that take the place of the ones that failed. The outcome depends on the covers and the seed alone, not on
how often it was interrupted.

The draw is by cover. Only covers of one genre take part: one that stands under two would count for both. The same goes
for files that turn out to be equal to the byte: of one genre they are one cover, of several they are left out.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sleevenotes.errors import SourceError

SHOWN = 8  # genres named in a note


@dataclass(frozen=True)
class Draw:
    """How much to draw.

    Parameters
    ----------
    per_genre
        Covers of each genre, 1 or more.
    test_per_genre
        How many of these are test; the others are train.
    seed
        The same seed draws the same covers.

    Raises
    ------
    SourceError
        Where there would be no cover to draw, or none left for train.
    """

    per_genre: int
    test_per_genre: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_genre < 1:
            raise SourceError("--per-genre", f"{self.per_genre}", "1 or more")
        if not 0 <= self.test_per_genre < self.per_genre:
            expected = f"Fewer than the {self.per_genre:,} of a genre, so that some are left for train"
            raise SourceError("--test-per-genre", f"{self.test_per_genre:,}", expected)


class Drawing:
    """One draw, in rounds.

    Parameters
    ----------
    draw
        How much.
    sources
        What tells each of n covers from the others; rows that name the same one are one cover.
    genres
        The genres of each; those with none or several take no part.

    Examples
    --------
    >>> drawing = Drawing(Draw(1), ["a", "b", "c"], [("rock",), ("rock",), ("folk",)])
    >>> first = drawing.wanted()
    >>> drawing.tell({index: None for index in first})  # neither can be used
    >>> second = drawing.wanted()
    >>> drawing.tell({index: "some digest" for index in second})
    >>> sorted([*first, *second]), drawing.wanted(), len(drawing.sides())
    ([0, 1, 2], [], 1)
    """

    def __init__(self, draw: Draw, sources: Sequence[str], genres: Sequence[Sequence[str]]) -> None:
        self.draw = draw
        told: dict[str, set[str]] = defaultdict(set)
        first: dict[str, int] = {}
        for index, (source, names) in enumerate(zip(sources, genres, strict=True)):
            told[source].update(names)
            first.setdefault(source, index)
        self.several = sum(len(names) > 1 for names in told.values())
        members: dict[str, list[int]] = defaultdict(list)
        for source, index in first.items():
            if len(told[source]) == 1:
                members[next(iter(told[source]))].append(index)
        self._order = {genre: self._shuffled(genre, members[genre], sources) for genre in sorted(members)}
        self._digest: dict[int, str | None] = {}

    def wanted(self) -> list[int]:
        """Return the covers that have to be looked at next, in order; none when the draw is done."""
        return sorted(index for genre in self._order for index in self._taken(genre)[1])

    def tell(self, digests: Mapping[int, str | None]) -> None:
        """Take in what covers turned out to be: the SHA-256 of their bytes, or None where they can't be used."""
        self._digest.update(digests)

    @property
    def looked_at(self) -> dict[int, str | None]:
        """What was told so far."""
        return dict(self._digest)

    def sides(self) -> dict[int, str]:
        """Return the drawn covers with their sides, `train` or `test`."""
        sides: dict[int, str] = {}
        for genre in self._order:
            taken, _ = self._taken(genre)
            asked = self.draw.test_per_genre
            in_test = asked if asked < len(taken) else len(taken) // 2
            sides |= {index: "test" if place < in_test else "train" for place, index in enumerate(taken)}
        return sides

    def notes(self) -> list[str]:
        """Return what was drawn, and what could not be, a sentence each."""
        sides = self.sides()
        each, test, seed = self.draw.per_genre, self.draw.test_per_genre, self.draw.seed
        told = f"Drawn: {each:,} covers of each of {len(self._order):,} genres, {test:,} of them test (seed {seed})"
        counts = {genre: sum(index in sides for index in order) for genre, order in self._order.items()}
        few = {genre: count for genre, count in counts.items() if count < each}
        notes = [f"{told}."]
        if few:
            named = ", ".join(f"{genre} ({count:,})" for genre, count in [*few.items()][:SHOWN])
            more = f" and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
            notes = [f"{told}, but there are fewer that can be used of {named}{more}."]
        unusable = sum(digest is None for digest in self._digest.values())
        if unusable:
            notes.append(f"{unusable:,} covers that were drawn can't be used; others took their places if there were.")
        twice = sum(digest is not None and index not in sides for index, digest in self._digest.items())
        if twice:
            notes.append(f"{twice:,} covers that were drawn are equal to others and were left out.")
        if self.several:
            notes.append(f"{self.several:,} covers stand under several genres and took no part in the draw.")
        return notes

    def _shuffled(self, genre: str, members: list[int], sources: Sequence[str]) -> list[int]:
        """Order the covers of a genre by the seed; where they stand in the source does not matter."""
        ordered = sorted(members, key=lambda index: sources[index])
        digest = hashlib.sha256(f"{self.draw.seed} {genre}".encode("utf-8", "replace")).hexdigest()
        random.Random(int(digest, 16)).shuffle(ordered)
        return ordered

    def _clashing(self) -> set[str]:
        """Return the digests that stand under several genres."""
        genre_of = {index: genre for genre, order in self._order.items() for index in order}
        pairs = {(digest, genre_of[index]) for index, digest in self._digest.items() if digest is not None}
        return {digest for digest, count in Counter(digest for digest, _ in pairs).items() if count > 1}

    def _taken(self, genre: str) -> tuple[list[int], list[int]]:
        """Return which covers of a genre are drawn so far, and which have to be looked at for the rest."""
        clashing, seen = self._clashing(), set()
        taken: list[int] = []
        unknown: list[int] = []
        for index in self._order[genre]:
            if len(taken) + len(unknown) == self.draw.per_genre:
                break
            if index not in self._digest:
                unknown.append(index)
                continue
            digest = self._digest[index]
            if digest is not None and digest not in seen and digest not in clashing:
                seen.add(digest)
                taken.append(index)
        return taken, unknown
